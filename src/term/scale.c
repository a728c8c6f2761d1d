/* scale.c - where a picture stands in its box, and its pixels there. */
#include "dtrak/painter.h"

#include <math.h>
#include <string.h>

#define TINY 64     /* sources up to this side grow by whole factors only */
#define BAND 6      /* pixels in a row of sixels */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Pixels that the terminal touches below the top of a picture `height` high. */
static size_t band_up(size_t height, size_t band) { return (height + band - 1) / band * band; }

/* Largest w x h in bw x bh that keeps the aspect; bands do not leave bh. */
static void fit_pixels(size_t *out_w, size_t *out_h, size_t w, size_t h, size_t bw, size_t bh,
                       size_t band) {
    size_t room = bh - bh % band;
    if (w <= TINY && h <= TINY) {
        size_t factor = least(bw / w, bh / h);
        while (factor && band_up(h * factor, band) > bh) factor--;
        if (factor) {
            *out_w = w * factor;
            *out_h = h * factor;
            return;
        }
    }
    double scale = fmin((double)bw / (double)w, (double)room / (double)h);
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
    fit_pixels(&w, &h, width, height, bw, bh, band);
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

/* Adds the source pixels in [x0, x1) x [y0, y1), by area, over black. */
static void average(unsigned char *out, const struct picture *pic, double x0, double x1, double y0,
                    double y1) {
    double sum[3] = { 0, 0, 0 }, area = 0;
    size_t xa = (size_t)x0, xb = least((size_t)ceil(x1), pic->width);
    size_t ya = (size_t)y0, yb = least((size_t)ceil(y1), pic->height);
    for (size_t y = ya; y < yb; y++) {
        double dy = fmin(y1, (double)y + 1) - fmax(y0, (double)y);
        for (size_t x = xa; x < xb; x++) {
            double a = dy * (fmin(x1, (double)x + 1) - fmax(x0, (double)x));
            const unsigned char *p = pic->rgba + (y * pic->width + x) * 4;
            area += a;
            a *= (double)p[3] / 255.0;
            for (size_t c = 0; c < 3; c++) sum[c] += a * p[c];
        }
    }
    for (size_t c = 0; c < 3; c++) out[c] = (unsigned char)(area > 0 ? sum[c] / area + 0.5 : 0);
}

/* The source interval of output pixel i of n over a side of `side` pixels: as
 * wide as its share, but at least one pixel.  A box one pixel wide over square
 * pixels is linear interpolation, so one rule both shrinks and grows. */
static void interval(double *from, double *to, size_t i, size_t n, size_t side) {
    double share = (double)side / (double)n, half = fmax(share, 1) / 2;
    double centre = ((double)i + 0.5) * share;
    *from = fmax(centre - half, 0);
    *to = fmin(centre + half, (double)side);
}

void paint_scale(unsigned char *rgb, size_t width, size_t height, const struct picture *pic) {
    size_t factor = width / pic->width;
    int whole = factor >= 1 && width == factor * pic->width && height == factor * pic->height;
    for (size_t y = 0; y < height; y++) {
        double y0 = 0, y1 = 0;
        interval(&y0, &y1, y, height, pic->height);
        if (whole) { y0 = (double)(y / factor); y1 = y0 + 1; }
        for (size_t x = 0; x < width; x++) {
            double x0, x1;
            interval(&x0, &x1, x, width, pic->width);
            if (whole) { x0 = (double)(x / factor); x1 = x0 + 1; }
            average(rgb + (y * width + x) * 3, pic, x0, x1, y0, y1);
        }
    }
}
