/* PNG and JPEG through stb_image and stb_image_write, kept on a leash.
 *
 * stb checks neither PNG checksums nor whether a JPEG is whole, writes past
 * its tables for hostile Huffman lengths (2.27), and lets a small file inflate
 * without bound; so the frame of the file is walked here first, and while stb
 * works no single allocation may pass a limit that follows from the size in
 * the header.  Its blocks come zeroed, which it also relies on: a Huffman
 * table that a file uses but never defines then decodes to zeros.
 * Compression is zlib's. */
#include "dtrak/image.h"

#include "dtrak/mem.h"
#include "inflate.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

/* What stb's allocator did on this thread since the last decode began. */
static _Thread_local struct {
    size_t max_block;
    int over, out_of_memory;
    unsigned char *deflated;   /* stb loses it when its next allocation fails */
    const struct progress *progress;   /* of the PNG being written */
} leash;

static void *stb_resize(void *p, size_t old_size, size_t new_size) {
    if (new_size > leash.max_block) { leash.over = 1; return NULL; }
    void *q = mem_resize(p, old_size, new_size, 1);
    if (!q) leash.out_of_memory = 1;
    return q;
}

static unsigned char *stb_deflate(unsigned char *data, int len, int *out_len, int quality);

#define STBI_MALLOC(size) stb_resize(NULL, 0, size)
#define STBI_REALLOC_SIZED(p, old_size, new_size) stb_resize(p, old_size, new_size)
#define STBI_FREE(p) mem_free(p)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STBIW_MALLOC(size) stb_resize(NULL, 0, size)
#define STBIW_REALLOC_SIZED(p, old_size, new_size) stb_resize(p, old_size, new_size)
#define STBIW_FREE(p) mem_free(p)
#define STBIW_ZLIB_COMPRESS stb_deflate
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_STATIC
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
/* The parts of stb that are not used stay declared; said once per file, at its end. */
#pragma GCC diagnostic ignored "-Wunused-function"
/* For damaged JPEGs stb shifts zeros by 32 and lets coefficients overflow: wrong
 * pixels, nothing worse, so the Makefile leaves those two checks of UBSan out
 * for this file.  Bounds and addresses stay checked. */
#include <stb_image.h>
#include <stb_image_write.h>

static const unsigned char png_signature[8] = { 137, 'P', 'N', 'G', 13, 10, 26, 10 };

static uint32_t be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t be16(const unsigned char *p) { return (size_t)p[0] << 8 | p[1]; }

/* What the walk over a file found out. */
struct frame { size_t width_px, height_px; };

/* Every chunk inside the file, with its checksum, up to IEND. */
static enum status check_png(struct frame *f, const unsigned char *p, size_t len,
                             const char *name) {
    if (len >= 33) {
        f->width_px = be32(p + 16);
        f->height_px = be32(p + 20);
    }
    for (size_t at = sizeof png_signature;;) {
        if (len - at < 12)
            return fail(ERR_FORMAT, "%s: the PNG ends at byte %zu, before its IEND chunk", name,
                        len);
        size_t size = be32(p + at);
        if (size > len - at - 12)
            return fail(ERR_FORMAT, "%s: PNG chunk at byte %zu is %zu bytes long, %zu are left",
                        name, at, size, len - at - 12);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION   /* a fuzzer cannot guess checksums */
        if ((uint32_t)crc32(crc32(0, NULL, 0), p + at + 4, (uInt)size + 4)
            != be32(p + at + 8 + size))
            return fail(ERR_FORMAT, "%s: PNG chunk at byte %zu: its checksum does not match, "
                        "the file is damaged", name, at);
#endif
        if (memcmp(p + at + 4, "IEND", 4) == 0) return OK;
        at += size + 12;
    }
}

/* Huffman tables: each inside its segment, with fewer than 256 symbols.  256
 * are legal, but no 8-bit picture has more than 176, and stb takes number 255
 * for its mark of a long code. */
static enum status check_huffman(const unsigned char *p, size_t size, const char *name) {
    while (size > 0) {
        size_t symbols = 0;
        for (size_t i = 1; size >= 17 && i <= 16; i++) symbols += p[i];
        if (size < 17 || symbols > 255 || symbols > size - 17)
            return fail(ERR_FORMAT, "%s: JPEG Huffman table of %zu symbols in %zu bytes", name,
                        symbols, size);
        p += 17 + symbols;
        size -= 17 + symbols;
    }
    return OK;
}

static int is_frame_marker(unsigned m) {
    return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc;
}

/* Walks markers and scans to the end marker, as stb does. */
static enum status check_jpeg(struct frame *f, const unsigned char *p, size_t len,
                              const char *name) {
    size_t at = 2;
    while (at < len) {
        while (at < len && p[at] != 0xff) at++;     /* scan data, or padding */
        while (at < len && p[at] == 0xff) at++;
        if (at >= len) break;
        unsigned m = p[at++];
        if (m == 0xd9) return OK;
        if (m == 0 || m == 1 || (m >= 0xd0 && m <= 0xd8)) continue;
        if (len - at < 2) break;
        size_t size = be16(p + at);
        if (size < 2)
            return fail(ERR_FORMAT, "%s: JPEG segment of %zu bytes at byte %zu; at least 2 are "
                        "expected", name, size, at);
        if (size > len - at) break;
        if (m == 0xc4) TRY(check_huffman(p + at + 2, size - 2, name));
        if (is_frame_marker(m) && size >= 8) {
            f->height_px = be16(p + at + 3);
            f->width_px = be16(p + at + 5);
        }
        at += size;
    }
    return fail(ERR_FORMAT, "%s: the JPEG ends at byte %zu, before its end marker", name, len);
}

static enum status walk(struct frame *f, const unsigned char *p, size_t len, const char *name) {
    if (len > IMAGE_BYTES_MAX)
        return fail(ERR_FORMAT, "%s: %zu bytes of picture; at most %zu are read", name, len,
                    IMAGE_BYTES_MAX);
    if (len >= 8 && memcmp(p, png_signature, 8) == 0) return check_png(f, p, len, name);
    if (len >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff)
        return check_jpeg(f, p, len, name);
    if (len < 8)
        return fail(ERR_FORMAT, "%s: %zu bytes; a PNG or JPEG picture is expected", name, len);
    return fail(ERR_FORMAT, "%s: starts with %02x %02x %02x %02x; a PNG or JPEG picture is "
                "expected", name, p[0], p[1], p[2], p[3]);
}

/* The whole frame, and a size that is within the limits. */
static enum status check_frame(const unsigned char *p, size_t len, const char *name) {
    struct frame f = { 0, 0 };
    TRY(walk(&f, p, len, name));
    if (f.width_px < 1 || f.height_px < 1 || f.width_px > IMAGE_SIDE_MAX
        || f.height_px > IMAGE_SIDE_MAX)
        return fail(ERR_FORMAT, "%s: %zux%zu pixels; sides of 1 to %u are read", name,
                    f.width_px, f.height_px, IMAGE_SIDE_MAX);
    if (f.width_px * f.height_px > IMAGE_PIXELS_MAX)
        return fail(ERR_FORMAT, "%s: %zux%zu pixels; at most %zu in all are read", name,
                    f.width_px, f.height_px, IMAGE_PIXELS_MAX);
    return OK;
}

static enum status refuse_stb(const char *name) {
    const char *why = stbi_failure_reason();
    if (leash.out_of_memory) return fail(ERR_NOMEM, "%s: no memory to decode it", name);
    if (leash.over)
        return fail(ERR_FORMAT, "%s: unpacks to more than its size in pixels allows", name);
    return fail(ERR_FORMAT, "%s: not a picture that can be decoded: %s", name,
                why ? why : "no reason given");
}

/* Header only, as stb sees it: that decides how much it will allocate.  Grey
 * with alpha counts as 2 channels, which is passed on. */
static enum status measure(int *w, int *h, int *n, const unsigned char *p, size_t len,
                           const char *name) {
    TRY(check_frame(p, len, name));
    leash.max_block = 1 << 20;
    leash.over = leash.out_of_memory = 0;
    if (!stbi_info_from_memory(p, (int)len, w, h, n)) return refuse_stb(name);
    if (*w < 1 || *h < 1 || *w > (int)IMAGE_SIDE_MAX || *h > (int)IMAGE_SIDE_MAX
        || (size_t)*w * (size_t)*h > IMAGE_PIXELS_MAX)
        return fail(ERR_FORMAT, "%s: contradicts itself about its size", name);
    return OK;
}

enum status image_measure(size_t *width_px, size_t *height_px, size_t *channels,
                          const void *bytes, size_t len, const char *name) {
    int w, h, n;
    TRY(measure(&w, &h, &n, bytes, len, name));
    *width_px = (size_t)w;
    *height_px = (size_t)h;
    if (channels) *channels = n == 2 ? 4 : (size_t)n;
    return OK;
}

/* Grey with alpha, which nothing else here knows, to RGBA. */
static enum status expand_grey_alpha(struct image *out, const unsigned char *ga, size_t w,
                                     size_t h) {
    TRY(image_new(out, w, h, 4));
    for (size_t i = 0; i < w * h; i++) {
        memset(out->pixels + 4 * i, ga[2 * i], 3);
        out->pixels[4 * i + 3] = ga[2 * i + 1];
    }
    return OK;
}

enum status image_decode(struct image *out, const void *bytes, size_t len, size_t channels,
                         const char *name) {
    int w, h, n;

    *out = (struct image){ 0, 0, 0, NULL };
    if (channels == 2 || channels > 4)
        return fail(ERR_RANGE, "picture with %zu channels; 1, 3 or 4 are handled", channels);
    TRY(measure(&w, &h, &n, bytes, len, name));

    /* The most one block may hold: 16 bits x 4 channels, doubled by growth of
     * the inflated data, or a JPEG's coefficients with whole blocks at the
     * edges; and the compressed data, joined and doubled. */
    leash.max_block = 16 * ((size_t)w + 64) * ((size_t)h + 64) + 2 * len + (1 << 20);
    leash.over = leash.out_of_memory = 0;
    unsigned char *p = stbi_load_from_memory(bytes, (int)len, &w, &h, &n, 0);
    if (!p) return refuse_stb(name);

    struct image got = { (size_t)w, (size_t)h, (size_t)n, p };
    if (n == 2) {
        enum status st = expand_grey_alpha(&got, p, (size_t)w, (size_t)h);
        mem_free(p);
        TRY(st);
    }
    if (channels == 0 || channels == got.channels) {
        *out = got;
        return OK;
    }
    enum status st = image_convert(out, &got, channels);
    image_free(&got);
    return st;
}

/* Called by stb_image_write with the filtered rows.  Nearly all the time of a PNG goes here, so here it may be
 * stopped: the output comes in slices, which change no byte of it. */
static unsigned char *stb_deflate(unsigned char *data, int len, int *out_len, int quality) {
    enum { SLICE = 1 << 14 };
    unsigned char *out = NULL;
    z_stream z;
    int r = Z_OK;

    (void)quality;
    inflate_hooks(&z);
    /* Thumbnails by the thousand are worth the best level, sheets are not. */
    if (deflateInit(&z, len <= 1 << 18 ? 9 : 6) != Z_OK) goto oom;
    uLong bound = deflateBound(&z, (uLong)len);
    if (bound <= INT_MAX) out = mem_array(bound, 1);
    if (!out) { deflateEnd(&z); goto oom; }
    z.next_in = data;
    z.avail_in = (uInt)len;
    z.next_out = out;
    while (r == Z_OK && progress_check(leash.progress) == OK) {
        uLong left = bound - z.total_out;
        z.avail_out = left < SLICE ? (uInt)left : SLICE;
        r = deflate(&z, Z_FINISH);
    }
    *out_len = (int)z.total_out;
    deflateEnd(&z);
    if (r == Z_STREAM_END) return leash.deflated = out;
    mem_free(out);
    if (r == Z_OK) return NULL;   /* it was stopped */
oom:
    leash.out_of_memory = 1;
    return NULL;
}

enum status image_encode_png(struct buf *out, const struct image *im) { return image_encode_png_stoppable(out, im, NULL); }

enum status image_encode_png_stoppable(struct buf *out, const struct image *im, const struct progress *p) {
    int len = 0;

    if (!im->pixels || im->width_px > IMAGE_SIDE_MAX || im->height_px > IMAGE_SIDE_MAX
        || im->width_px * im->height_px > IMAGE_PIXELS_MAX)
        return fail(ERR_RANGE, "PNG of %zux%zu pixels; sides of 1 to %u are written",
                    im->width_px, im->height_px, IMAGE_SIDE_MAX);
    leash.max_block = INT_MAX;
    leash.over = leash.out_of_memory = 0;
    leash.deflated = NULL;
    leash.progress = p;
    TRY(progress_check(p));
    unsigned char *png = stbi_write_png_to_mem(im->pixels, (int)(im->width_px * im->channels),
                                               (int)im->width_px, (int)im->height_px,
                                               (int)im->channels, &len);
    leash.progress = NULL;
    if (!png) {
        mem_free(leash.deflated);
        TRY(progress_check(p));
        return fail(ERR_NOMEM, "no memory to write a PNG of %zux%zu pixels", im->width_px,
                    im->height_px);
    }
    buf_add(out, png, (size_t)len);
    mem_free(png);
    return buf_status(out) == OK ? OK : fail(ERR_NOMEM, "no memory for a PNG");
}
