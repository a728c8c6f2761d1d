/* nda_picture.c - heat maps over images. */
#include "dtrak/nda_picture.h"

#include "dtrak/items.h"
#include "dtrak/report.h"

#include <stdio.h>
#include <string.h>

/* Dark to bright, so that it reads in grey too. */
static const unsigned char ramp[5][3] = { { 0, 0, 0 }, { 90, 15, 110 }, { 190, 50, 80 }, { 245, 140, 20 }, { 255, 250, 170 } };

static void colour(unsigned char out[3], double x) {
    double at = (x < 0 ? 0 : x > 1 ? 1 : x) * 4;
    size_t i = at >= 4 ? 3 : (size_t)at;
    for (size_t c = 0; c < 3; c++)
        out[c] = (unsigned char)((double)ramp[i][c] + (at - (double)i) * ((double)ramp[i + 1][c] - (double)ramp[i][c]));
}

static enum status enlarge(struct image *out, const struct image *in, size_t side) {
    size_t small = in->width_px < in->height_px ? in->width_px : in->height_px;
    return image_enlarge(out, in, small < side ? (side + small - 1) / small : 1);
}

enum status nda_overlay(struct image *out, const struct image *rgb, const double *map, size_t side) {
    struct image im = { 0 };
    double highest = 0;
    *out = (struct image){ 0 };
    TRY(image_convert(&im, rgb, 3));
    size_t n = im.width_px * im.height_px;
    for (size_t i = 0; i < n; i++) highest = map[i] > highest ? map[i] : highest;
    for (size_t i = 0; i < n; i++) {
        unsigned char hot[3], *p = im.pixels + 3 * i;
        double x = highest > 0 ? map[i] / highest : 0, grey = .299 * p[0] + .587 * p[1] + .114 * p[2], over = .25 + .6 * x;
        colour(hot, x);
        for (size_t c = 0; c < 3; c++) p[c] = (unsigned char)((1 - over) * .8 * grey + over * hot[c]);
    }
    enum status st = enlarge(out, &im, side);
    image_free(&im);
    return st;
}

/* --- a sheet of both --- */

enum { SIDE = 256, GAP = 16, LINE = 18, SCALE = 2 };
static const unsigned char ink[3] = { 20, 20, 20 }, dim[3] = { 110, 110, 110 };

static void paste(struct image *sheet, const struct image *im, size_t x, size_t y) {
    for (size_t row = 0; row < im->height_px && y + row < sheet->height_px; row++) {
        size_t n = x + im->width_px <= sheet->width_px ? im->width_px : x < sheet->width_px ? sheet->width_px - x : 0;
        memcpy(sheet->pixels + ((y + row) * sheet->width_px + x) * 3, im->pixels + row * im->width_px * 3, n * 3);
    }
}

/* A row of the sheet: plain, and with its map; what it is stands above. */
static enum status draw_row(struct image *sheet, struct store *s, struct item_ref ref, const double *map, size_t y,
                            const char *what) {
    struct image plain = { 0 }, big = { 0 }, over = { 0 };
    char name[32];
    enum status st;
    TRY_TO(items_image(&plain, s, ref, 3));
    TRY_TO(enlarge(&big, &plain, SIDE));
    TRY_TO(nda_overlay(&over, &plain, map, SIDE));
    item_ref_format(name, ref);
    report_font_draw(sheet, GAP, y, SCALE, big.width_px, ink, name);
    report_font_draw(sheet, 2 * GAP + big.width_px, y, SCALE, over.width_px, dim, what);
    paste(sheet, &big, GAP, y + LINE + 4);
    paste(sheet, &over, 2 * GAP + big.width_px, y + LINE + 4);
done:
    image_free(&plain);
    image_free(&big);
    image_free(&over);
    return st;
}

enum status report_sheet_nda(struct image *out, struct store *s, struct item_ref query, size_t item, const struct nda_map *m) {
    size_t small = m->width_px < m->height_px ? m->width_px : m->height_px, times = small < SIDE ? (SIDE + small - 1) / small : 1;
    size_t w = m->width_px * times, h = m->height_px * times, row = LINE + 4 + h + GAP;
    char text[64];
    TRY(image_new(out, 3 * GAP + 2 * w, GAP + 2 * row + LINE, 3));
    memset(out->pixels, 255, out->width_px * out->height_px * 3);
    enum status st = draw_row(out, s, query, m->query_map, GAP, "explained here");
    if (st == OK) st = draw_row(out, s, (struct item_ref){ SPLIT_TRAIN, item }, m->train_map, GAP + row, "used here");
    snprintf(text, sizeof text, "nda: %.3g%% of the query", 100 * m->share);
    report_font_draw(out, GAP, GAP + 2 * row, SCALE, out->width_px - 2 * GAP, ink, text);
    if (st != OK) image_free(out);
    return st;
}
