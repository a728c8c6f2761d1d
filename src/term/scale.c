/* scale.c - where a picture stands in its box, and its pixels there. */
#include "dtrak/painter.h"

#include <math.h>
#include <string.h>

#define TINY 64     /* sources up to this side grow by whole factors */
#define WASTE 1.2   /* unless a side could be so many times as long in the box */
#define BAND 6      /* pixels in a row of sixels */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Pixels that the terminal touches below the top of a picture `height` high. */
static size_t band_up(size_t height, size_t band) { return (height + band - 1) / band * band; }

/* Largest w x h in bw x bh that keeps the aspect; bands do not leave bh.  With `exact` a
 * tiny source grows by a whole factor however much of the box that leaves. */
static void fit_pixels(size_t *out_w, size_t *out_h, size_t w, size_t h, size_t bw, size_t bh,
                       size_t band, int exact) {
    size_t room = bh - bh % band;
    double scale = fmin((double)bw / (double)w, (double)room / (double)h);
    if (w <= TINY && h <= TINY) {
        size_t factor = least(bw / w, bh / h);
        while (factor && band_up(h * factor, band) > bh) factor--;
        if (factor && (exact || scale < WASTE * (double)factor)) {
            *out_w = w * factor;
            *out_h = h * factor;
            return;
        }
    }
    *out_w = least((size_t)((double)w * scale + 0.5), bw);
    *out_h = least((size_t)((double)h * scale + 0.5), room);
    if (room && *out_w == 0) *out_w = 1;
    if (room && *out_h == 0) *out_h = 1;
}

void paint_fit(struct paint_fit *fit, const struct paint_how *how, size_t width, size_t height,
               size_t rows, size_t cols) {
    int pixels = graphics_is_pixels(how->painter), sixel = how->painter == GRAPHICS_SIXEL;
    size_t cw = pixels ? how->cell_w : 1, ch = pixels ? how->cell_h : 2;
    memset(fit, 0, sizeof *fit);
    if (!width || !height || width > PAINT_SIDE || height > PAINT_SIDE || !cw || !ch) return;
    size_t bw = least(cols * cw, PAINT_SIDE), bh = least(rows * ch, PAINT_SIDE);
    if (sixel && how->max_w) bw = least(bw, how->max_w);
    if (sixel && how->max_h) bh = least(bh, how->max_h);
    if (pixels && how->shrink > 1) {
        bw /= how->shrink;
        bh /= how->shrink;
    }
    if (!bw || !bh) return;
    size_t w, h, band = sixel ? BAND : 1;
    fit_pixels(&w, &h, width, height, bw, bh, band, !pixels || how->shrink > 1);
    if (!w || !h) return;
    if (how->painter == GRAPHICS_ASCII) {
        h = (h + 1) / 2;   /* one cell is as high as two pixels */
        ch = 1;
    }
    fit->width = w;
    fit->height = h;
    fit->cols = (w + cw - 1) / cw;
    fit->rows = (band_up(h, band) + ch - 1) / ch;
    fit->col = (cols - fit->cols) / 2;
    fit->row = (rows - fit->rows) / 2;
}

/* The source interval of output pixel i of n over a side of `side` pixels: as wide as its
 * share, but at least one pixel.  A box one pixel wide over square pixels is linear
 * interpolation, so one rule both shrinks and grows.  In units of which a source pixel has
 * 2 n, so that it is exact. */
struct interval { size_t from, to; };

static struct interval interval(size_t i, size_t n, size_t side) {
    size_t half = side > n ? side : n, centre = (2 * i + 1) * side;
    return (struct interval){ centre > half ? centre - half : 0, least(centre + half, 2 * n * side) };
}

/* How much of source pixel k, `unit` long, lies in it. */
static uint32_t share(struct interval v, size_t k, size_t unit) {
    size_t from = v.from > k * unit ? v.from : k * unit;
    return (uint32_t)(least(v.to, (k + 1) * unit) - from);
}

static int is_opaque(const unsigned char *row, size_t width) {
    unsigned char all = 255;
    for (size_t x = 0; x < width; x++) all &= row[4 * x + 3];
    return all == 255;
}

/* Adds weight times a row to sum[width][4], colours over black and 255 times as large.  The
 * weights of a column come to 2 PAINT_SIDE at most, so a sum stays below 2^31. */
static void add_row(uint32_t *sum, const unsigned char *row, size_t width, uint32_t weight) {
    if (is_opaque(row, width)) {
        for (size_t i = 0; i < 4 * width; i++) sum[i] += weight * 255 * row[i];
        return;
    }
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++) sum[4 * x + c] += weight * row[4 * x + 3] * row[4 * x + c];
}

/* One row of output from the sums of its source rows, whose weights came to `high`. */
static void average_row(unsigned char *out, size_t width, const uint32_t *sum, size_t source_width, size_t high) {
    size_t unit = 2 * width;
    for (size_t x = 0; x < width; x++) {
        struct interval v = interval(x, width, source_width);
        uint64_t all[3] = { 0, 0, 0 };
        for (size_t k = v.from / unit; k * unit < v.to; k++) {
            uint64_t w = share(v, k, unit);
            for (size_t c = 0; c < 3; c++) all[c] += w * sum[4 * k + c];
        }
        double area = 255.0 * (double)high * (double)(v.to - v.from);
        for (size_t c = 0; c < 3; c++) out[3 * x + c] = (unsigned char)((double)all[c] / area + 0.5);
    }
}

int paint_is_grown(const struct paint_fit *fit, size_t width, size_t height) {
    if (fit->width < width || fit->height < height || !width || !height) return 0;
    if (fit->width % width == 0 && fit->height == fit->width / width * height) return 1;
    return width <= TINY && height <= TINY && fit->width >= 2 * width && fit->height >= 2 * height;
}

/* Squares where it grows by a whole factor, else some are a pixel longer than others. */
static void repeat_pixels(unsigned char *rgb, size_t width, size_t height, const struct picture *pic) {
    size_t row = width * 3, last = pic->height;
    for (size_t y = 0; y < height; y++) {
        unsigned char *out = rgb + y * row;
        size_t from = y * pic->height / height;
        if (from == last) { memcpy(out, out - row, row); continue; }
        for (size_t x = 0; x < width; x++) {
            const unsigned char *p = pic->rgba + (from * pic->width + x * pic->width / width) * 4;
            for (size_t c = 0; c < 3; c++) out[3 * x + c] = (unsigned char)((p[c] * p[3] + 127) / 255);
        }
        last = from;
    }
}

void paint_scale(unsigned char *rgb, size_t width, size_t height, const struct picture *pic) {
    uint32_t sum[4 * PAINT_SIDE];
    size_t unit = 2 * height;
    if (paint_is_grown(&(struct paint_fit){ .width = width, .height = height }, pic->width, pic->height)) {
        repeat_pixels(rgb, width, height, pic);
        return;
    }
    for (size_t y = 0; y < height; y++) {
        struct interval v = interval(y, height, pic->height);
        memset(sum, 0, 4 * pic->width * sizeof *sum);
        for (size_t k = v.from / unit; k * unit < v.to; k++)
            add_row(sum, pic->rgba + k * pic->width * 4, pic->width, share(v, k, unit));
        average_row(rgb + y * width * 3, width, sum, pic->width, v.to - v.from);
    }
}
