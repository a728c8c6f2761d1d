/* png_encode.c - pictures as PNG (W3C PNG, third edition), to be stopped between rows.
 *
 * Each row gets the filter with the least sum of absolute differences (section 12.7), ties
 * the first; all rows are compressed as one stream in one IDAT.  Compression is zlib's. */
#include "dtrak/image.h"

#include "dtrak/mem.h"
#include "inflate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FILTERS = 5, PAETH = 4, PIXEL_MAX = 4, SLICE = 1 << 14 };

/* --- rows --- */

/* What of left, above and above-left predicts best (section 9.4). */
static unsigned char paeth(int left, int up, int corner) {
    int p = left + up - corner, a = abs(p - left), b = abs(p - up), c = abs(p - corner);
    return (unsigned char)(a <= b && a <= c ? left : b <= c ? up : corner);
}

/* row and up have a pixel of zeros before them. */
static void filter_row(unsigned char *out, int filter, const unsigned char *row, const unsigned char *up, size_t n, size_t pixel) {
    const unsigned char *left = row - pixel, *corner = up - pixel;
    switch (filter) {
    case 0: memcpy(out, row, n); break;
    case 1: for (size_t i = 0; i < n; i++) out[i] = (unsigned char)(row[i] - left[i]); break;
    case 2: for (size_t i = 0; i < n; i++) out[i] = (unsigned char)(row[i] - up[i]); break;
    case 3: for (size_t i = 0; i < n; i++) out[i] = (unsigned char)(row[i] - ((left[i] + up[i]) >> 1)); break;
    default: for (size_t i = 0; i < n; i++) out[i] = (unsigned char)(row[i] - paeth(left[i], up[i], corner[i])); break;
    }
}

static long roughness(const unsigned char *line, size_t n) {
    long sum = 0;
    for (size_t i = 0; i < n; i++) sum += line[i] < 128 ? line[i] : 256 - line[i];
    return sum;
}

/* The filter's number and then the row, filtered. */
static void best_row(unsigned char *out, unsigned char *try, const unsigned char *row, const unsigned char *up, size_t n, size_t pixel) {
    long least = LONG_MAX;
    for (int filter = 0; filter < FILTERS; filter++) {
        filter_row(try, filter, row, up, n, pixel);
        long rough = roughness(try, n);
        if (rough >= least) continue;
        least = rough;
        out[0] = (unsigned char)filter;
        memcpy(out + 1, try, n);
    }
}

/* lines[height][1 + width * channels] */
static enum status filter_rows(unsigned char *lines, const struct image *im, const struct progress *p) {
    size_t n = im->width_px * im->channels, room = n + PIXEL_MAX;
    unsigned char *work = mem_array(3 * room, 1);
    enum status st = OK;
    if (!work) return ERR_NOMEM;
    unsigned char *row = work + PIXEL_MAX, *up = row + room, *try = up + room;
    for (size_t y = 0; y < im->height_px; y++) {
        TRY_TO(progress_check(p));
        if (y) memcpy(up, row, n);
        memcpy(row, im->pixels + y * n, n);
        best_row(lines + y * (n + 1), try, row, up, n, im->channels);
    }
done:
    mem_free(work);
    return st;
}

/* --- chunks --- */

static void put_u32(unsigned char out[4], size_t x) {
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(x >> (24 - 8 * i));
}

/* Room for the length, and the name; the data follows. */
static size_t begin_chunk(struct buf *out, const char *name) {
    size_t at = out->len;
    buf_add(out, "\0\0\0\0", 4);
    buf_add(out, name, 4);
    return at;
}

static void end_chunk(struct buf *out, size_t at) {
    unsigned char word[4];
    if (out->failed) return;
    put_u32(word, out->len - at - 8);
    memcpy(out->data + at, word, 4);
    put_u32(word, crc32_z(0, (const unsigned char *)out->data + at + 4, out->len - at - 4));
    buf_add(out, word, 4);
}

static void add_header(struct buf *out, const struct image *im) {
    static const unsigned char signature[8] = { 137, 'P', 'N', 'G', 13, 10, 26, 10 };
    unsigned char body[13] = { 0 };
    buf_add(out, signature, sizeof signature);
    size_t at = begin_chunk(out, "IHDR");
    put_u32(body, im->width_px);
    put_u32(body + 4, im->height_px);
    body[8] = 8;                                                          /* bits */
    body[9] = im->channels == 1 ? 0 : im->channels == 3 ? 2 : 6;          /* grey, RGB, RGBA */
    buf_add(out, body, sizeof body);
    end_chunk(out, at);
}

/* All input at once and the output in slices: so that it may stop, and the bytes are the same. */
static enum status add_compressed(struct buf *out, unsigned char *lines, size_t len, const struct progress *p) {
    unsigned char slice[SLICE];
    enum status st = OK;
    int r = Z_OK;
    z_stream z;
    inflate_hooks(&z);
    /* Thumbnails by the thousand are worth the best level, sheets are not. */
    if (deflateInit(&z, len <= 1 << 18 ? 9 : 6) != Z_OK) return ERR_NOMEM;
    z.next_in = lines;
    z.avail_in = (uInt)len;
    while (r == Z_OK && st == OK) {
        z.next_out = slice;
        z.avail_out = SLICE;
        r = deflate(&z, Z_FINISH);
        buf_add(out, slice, SLICE - z.avail_out);
        st = buf_status(out);
        if (st == OK) st = progress_check(p);
    }
    deflateEnd(&z);
    return st == OK && r != Z_STREAM_END ? ERR_NOMEM : st;
}

enum status image_encode_png(struct buf *out, const struct image *im) { return image_encode_png_stoppable(out, im, NULL); }

enum status image_encode_png_stoppable(struct buf *out, const struct image *im, const struct progress *p) {
    size_t from = out->len, len = im->height_px * (1 + im->width_px * im->channels);
    enum status st = OK;

    if (!im->pixels || im->width_px > IMAGE_SIDE_MAX || im->height_px > IMAGE_SIDE_MAX
        || im->width_px * im->height_px > IMAGE_PIXELS_MAX)
        return fail(ERR_RANGE, "PNG of %zux%zu pixels; sides of 1 to %u are written",
                    im->width_px, im->height_px, IMAGE_SIDE_MAX);
    unsigned char *lines = mem_array(len, 1);
    if (!lines) { st = ERR_NOMEM; goto done; }
    TRY_TO(filter_rows(lines, im, p));
    add_header(out, im);
    size_t at = begin_chunk(out, "IDAT");
    TRY_TO(add_compressed(out, lines, len, p));
    end_chunk(out, at);
    end_chunk(out, begin_chunk(out, "IEND"));
    st = buf_status(out);
done:
    mem_free(lines);
    if (st != OK && out->data) out->data[out->len = from] = 0;
    return st == ERR_NOMEM ? fail(ERR_NOMEM, "no memory to write a PNG of %zux%zu pixels", im->width_px, im->height_px) : st;
}
