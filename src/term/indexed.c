/* indexed.c - a sixel of several pictures with a palette for each. */
#include "dtrak/mem.h"
#include "dtrak/painter.h"

#include <sixel.h>
#include <string.h>

static enum status failed(SIXELSTATUS s) {
    return fail(s == SIXEL_BAD_ALLOCATION ? ERR_NOMEM : ERR_RANGE, "sixel: %s", sixel_helper_format_error(s));
}

static int apart(const unsigned char *a, const unsigned char *b) {
    int sum = 0;
    for (int c = 0; c < 3; c++) sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
}

/* The number of the nearest of n colours from `first` on. */
static unsigned char nearest(const struct paint_palette *p, size_t first, size_t n, const unsigned char *rgb) {
    size_t best = first;
    for (size_t i = first; i < first + n; i++)
        if (apart(rgb, p->rgb + 3 * i) < apart(rgb, p->rgb + 3 * best)) best = i;
    return (unsigned char)best;
}

enum status paint_index(struct paint_palette *p, size_t colours, const unsigned char *rgb, size_t width, size_t height,
                        unsigned char *index, size_t stride, size_t most_width, size_t most_height) {
    struct { unsigned char rgb[3], at; } known[1024] = { { { 0, 0, 0 }, 0 } };
    sixel_dither_t *find = NULL;
    if (p->used == 0) p->used = 1;
    if (colours > 256 - p->used) colours = 256 - p->used;
    if (colours < 2) return fail(ERR_RANGE, "sixel: no colours are left");
    unsigned char *copy = mem_array(width * height, 3);   /* libsixel may change it */
    if (!copy) return fail(ERR_NOMEM, "sixel: out of memory");
    memcpy(copy, rgb, width * height * 3);
    SIXELSTATUS s = sixel_dither_new(&find, (int)colours, NULL);
    if (!SIXEL_FAILED(s))
        s = sixel_dither_initialize(find, copy, (int)width, (int)height, SIXEL_PIXELFORMAT_RGB888, SIXEL_LARGE_NORM,
                                    SIXEL_REP_AVERAGE_PIXELS, SIXEL_QUALITY_HIGH);
    mem_free(copy);
    if (SIXEL_FAILED(s)) {
        sixel_dither_unref(find);
        return failed(s);
    }
    size_t first = p->used, n = (size_t)sixel_dither_get_num_of_palette_colors(find);
    memcpy(p->rgb + 3 * first, sixel_dither_get_palette(find), n * 3);
    p->used += n;
    sixel_dither_unref(find);
    for (size_t y = 0; y < height && y < most_height; y++)
        for (size_t x = 0; x < width && x < most_width; x++) {
            const unsigned char *q = rgb + (y * width + x) * 3;
            size_t slot = (q[0] * 7u + q[1] * 31u + q[2] * 131u) % 1024;
            if (!known[slot].at || memcmp(known[slot].rgb, q, 3) != 0) {
                memcpy(known[slot].rgb, q, 3);
                known[slot].at = nearest(p, first, n, q);
            }
            index[y * stride + x] = known[slot].at;
        }
    return OK;
}

static void add_run(struct buf *out, char sixel, size_t n) {
    if (n > 3) buf_printf(out, "!%zu%c", n, sixel);
    else for (size_t i = 0; i < n; i++) buf_add(out, &sixel, 1);
}

/* One colour of a band of at most six rows, from its first column to its last. */
static void add_colour(struct buf *out, const unsigned char *band, size_t width, size_t rows, unsigned colour) {
    size_t run = 0, end = width;
    char last = 0;
    while (end > 0) {
        size_t y = 0;
        while (y < rows && band[y * width + end - 1] != colour) y++;
        if (y < rows) break;
        end--;
    }
    buf_printf(out, "#%u", colour);
    for (size_t x = 0; x < end; x++) {
        unsigned bits = 0;
        for (size_t y = 0; y < rows; y++) bits |= (unsigned)(band[y * width + x] == colour) << y;
        char sixel = (char)('?' + bits);
        if (run && sixel != last) {
            add_run(out, last, run);
            run = 0;
        }
        last = sixel;
        run++;
    }
    add_run(out, last, run);
    buf_text(out, "$");
}

/* By hand: libsixel 1.10.3 drops a column where a colour is transparent. */
enum status paint_sixel_indexed(struct buf *out, const unsigned char *index, size_t width, size_t height,
                                const struct paint_palette *p) {
    /* P2 = 1: what is not painted stays as it is. */
    buf_printf(out, "\033P0;1q\"1;1;%zu;%zu", width, height);
    for (size_t i = 1; i < p->used; i++) {
        const unsigned char *c = p->rgb + 3 * i;
        buf_printf(out, "#%zu;2;%d;%d;%d", i, (c[0] * 100 + 127) / 255, (c[1] * 100 + 127) / 255, (c[2] * 100 + 127) / 255);
    }
    for (size_t top = 0; top < height; top += 6) {
        unsigned char used[256] = { 0 };
        const unsigned char *band = index + top * width;
        size_t rows = height - top < 6 ? height - top : 6;
        for (size_t i = 0; i < rows * width; i++) used[band[i]] = 1;
        for (unsigned c = 1; c < 256; c++)
            if (used[c]) add_colour(out, band, width, rows, c);
        buf_text(out, "-");
    }
    buf_text(out, "\033\\");
    return buf_status(out);
}
