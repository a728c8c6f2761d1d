/* sheet.c - contact sheets: a ranking, or the items of a split, as one picture.
 *
 * Small images are enlarged by whole factors, nearest neighbour, so that what
 * is seen is what was trained on. */
#include "dtrak/counterfactual_table.h"
#include "dtrak/report.h"

#include "parts.h"

#include "dtrak/items.h"
#include "dtrak/listing.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TILE_PX = 128, GAP_PX = 12, MARGIN_PX = 16, LINE_PX = 18, TEXT_SCALE = 2, SMALL_LINE_PX = 12 };
static const unsigned char ink[3] = { 20, 20, 20 }, dim[3] = { 120, 120, 120 }, good[3] = { 0, 110, 60 },
                           bad[3] = { 170, 30, 30 };

/* A picture's side after enlarging it by a whole factor towards target. */
static size_t factor_for(size_t side, size_t target) { return side && side < target ? target / side : 1; }

/* An RGB picture with its long side near target pixels. */
static enum status fit_tile(struct image *out, const struct image *im, size_t target) {
    size_t side = im->width_px > im->height_px ? im->width_px : im->height_px;
    if (side <= target) return image_enlarge(out, im, factor_for(side, target));
    size_t w = im->width_px * target / side, h = im->height_px * target / side;
    return image_resize(out, im, w ? w : 1, h ? h : 1, IMAGE_TRIANGLE);
}

static enum status load_tile(struct image *out, struct store *s, struct item_ref ref, size_t target) {
    struct image im;
    *out = (struct image){ 0 };
    TRY(items_image(&im, s, ref, 3));
    enum status st = fit_tile(out, &im, target);
    image_free(&im);
    return st;
}

static void paste(struct image *sheet, const struct image *im, size_t x, size_t y) {
    for (size_t row = 0; row < im->height_px && y + row < sheet->height_px; row++) {
        size_t n = x + im->width_px <= sheet->width_px ? im->width_px : sheet->width_px - x;
        memcpy(sheet->pixels + ((y + row) * sheet->width_px + x) * 3, im->pixels + row * im->width_px * 3, n * 3);
    }
}

static enum status sheet_new(struct image *out, size_t width_px, size_t height_px) {
    TRY(image_new(out, width_px, height_px, 3));
    memset(out->pixels, 255, width_px * height_px * 3);
    return OK;
}

static void line(struct image *sheet, size_t x, size_t y, size_t max_px, const unsigned char *colour,
                 const char *text) {
    report_font_draw(sheet, x, y, TEXT_SCALE, max_px, colour, text);
}

/* --- a ranking --- */

enum { COLUMNS_MAX = 10, CELL_PX = TILE_PX + GAP_PX, CELL_HIGH_PX = TILE_PX + 3 * LINE_PX + GAP_PX + 6 };

static enum status draw_entry(struct image *sheet, struct store *s, const struct report_entry *e, size_t x,
                              size_t y, const unsigned char *colour) {
    struct image tile = { 0 };
    char text[64], name[32];
    TRY(load_tile(&tile, s, e->item, TILE_PX));
    paste(sheet, &tile, x, y);
    image_free(&tile);
    y += TILE_PX + 6;
    snprintf(text, sizeof text, "%zu %+.3g", e->rank, (double)e->score);
    line(sheet, x, y, TILE_PX, colour, text);
    item_ref_format(name, e->item);
    line(sheet, x, y + LINE_PX, TILE_PX, ink, name);
    line(sheet, x, y + 2 * LINE_PX, TILE_PX, dim, e->label);
    return OK;
}

static enum status draw_side(struct image *sheet, struct store *s, const struct report_entry *e, size_t n,
                             size_t columns, size_t x, size_t *y, const char *title,
                             const unsigned char *colour, const struct progress *p) {
    if (!n) return OK;
    line(sheet, x, *y, sheet->width_px - x, colour, title);
    *y += LINE_PX + 6;
    for (size_t i = 0; i < n; i++) {
        TRY(progress_check(p));
        TRY(draw_entry(sheet, s, &e[i], x + i % columns * CELL_PX, *y + i / columns * CELL_HIGH_PX, colour));
    }
    *y += (n + columns - 1) / columns * CELL_HIGH_PX;
    return OK;
}

static enum status draw_query(struct image *sheet, struct store *s, const struct report_ranking *r) {
    struct image tile = { 0 };
    char text[96], name[32];
    size_t y = MARGIN_PX;
    char display[METHOD_DISPLAY];
    TRY(load_tile(&tile, s, r->query, 2 * TILE_PX));
    item_ref_format(name, r->query);
    line(sheet, MARGIN_PX, y, 2 * TILE_PX, ink, name);
    y += LINE_PX + 6;
    paste(sheet, &tile, MARGIN_PX, y);
    image_free(&tile);
    y += 2 * TILE_PX + 8;
    method_display(display, method_parse(r->set.method, NULL), loss_parse(r->set.loss));
    line(sheet, MARGIN_PX, y, 2 * TILE_PX, ink, display);
    if (r->query_label[0]) line(sheet, MARGIN_PX, y += LINE_PX, 2 * TILE_PX, dim, r->query_label);
    if (r->has_checkpoint) {
        snprintf(text, sizeof text, "%.70s (%.4g%%)", r->checkpoint, r->percent);
        line(sheet, MARGIN_PX, y += LINE_PX, 2 * TILE_PX, dim, text);
    }
    if (r->set.k) {
        snprintf(text, sizeof text, "k %zu, %zu steps", r->set.k, r->set.timesteps);
        line(sheet, MARGIN_PX, y += LINE_PX, 2 * TILE_PX, dim, text);
    }
    if (r->set.lambda_rel > 0) {
        snprintf(text, sizeof text, "lambda %.3g", r->set.lambda_rel);
        line(sheet, MARGIN_PX, y + LINE_PX, 2 * TILE_PX, dim, text);
    }
    return OK;
}

enum status report_sheet_ranking(struct image *out, struct store *s, const struct report_ranking *r, const struct progress *p) {
    enum status st;
    size_t most = r->n_top > r->n_bottom ? r->n_top : r->n_bottom;
    size_t columns = most < 1 ? 1 : most > COLUMNS_MAX ? COLUMNS_MAX : most;
    size_t left = MARGIN_PX + 2 * TILE_PX + 2 * MARGIN_PX, y = MARGIN_PX;
    size_t rows = (r->n_top + columns - 1) / columns + (r->n_bottom + columns - 1) / columns;
    size_t high = rows * CELL_HIGH_PX + 2 * (LINE_PX + 6), least = 2 * TILE_PX + 8 * LINE_PX;
    *out = (struct image){ 0 };
    TRY(sheet_new(out, left + columns * CELL_PX + MARGIN_PX, 2 * MARGIN_PX + (high > least ? high : least)));
    TRY_TO(draw_query(out, s, r));
    TRY_TO(draw_side(out, s, r->top, r->n_top, columns, left, &y, "proponents", good, p));
    TRY_TO(draw_side(out, s, r->bottom, r->n_bottom, columns, left, &y, "opponents", bad, p));
done:
    if (st != OK) image_free(out);
    return st;
}

/* --- a split --- */

enum { SMALL_TILE_PX = 64, SMALL_GAP_PX = 4 };

enum status report_sheet_split(struct image *out, struct store *s, enum split split, size_t first,
                               size_t count, size_t columns) {
    enum status st;
    size_t there;
    struct image tile = { 0 };
    *out = (struct image){ 0 };
    TRY(store_items_count(s, split, &there));
    if (!there) return fail(ERR_MISSING, "there are no %s items to draw", split_name(split));
    TRY(item_ref_check((struct item_ref){ split, first }, there));
    if (!count || count > there - first) count = there - first;
    if (columns < 1 || columns > count) columns = count;
    size_t cell = SMALL_TILE_PX + SMALL_GAP_PX, high = cell + SMALL_LINE_PX;
    TRY(sheet_new(out, 2 * SMALL_GAP_PX + columns * cell,
                  2 * SMALL_GAP_PX + (count + columns - 1) / columns * high));
    for (size_t i = 0; i < count; i++) {
        size_t x = SMALL_GAP_PX + i % columns * cell, y = SMALL_GAP_PX + i / columns * high;
        char name[32];
        struct item_ref ref = { split, first + i };
        TRY_TO(load_tile(&tile, s, ref, SMALL_TILE_PX));
        paste(out, &tile, x, y);
        image_free(&tile);
        item_ref_format(name, ref);
        report_font_draw(out, x, y + SMALL_TILE_PX + 2, 1, SMALL_TILE_PX, dim, name);
    }
    st = OK;
done:
    if (st != OK) image_free(out);
    return st;
}

/* --- any list --- */

static size_t square_columns(size_t count) {
    size_t columns = 1;
    while (columns * columns < count && columns < 32) columns++;
    return columns;
}

enum status listing_sheet(struct image *out, struct store *s, const struct listing *l, const struct progress *p) {
    enum status st = OK;
    struct image tile = { 0 };
    size_t columns = l->count < 8 ? l->count : square_columns(l->count) < 8 ? 8 : square_columns(l->count);
    size_t lines = 2 + (l->columns > 0), high = TILE_PX + lines * LINE_PX + GAP_PX + 6;
    *out = (struct image){ 0 };
    if (!l->count || l->count > LISTING_SHEET_MAX)
        return fail(ERR_RANGE, l->count ? "%zu items are too many for one picture: at most %d" : "there is nothing to draw", l->count,
                    LISTING_SHEET_MAX);
    TRY(sheet_new(out, 2 * MARGIN_PX + columns * CELL_PX - GAP_PX, 2 * MARGIN_PX + (l->count + columns - 1) / columns * high));
    for (size_t i = 0; i < l->count; i++) {
        size_t x = MARGIN_PX + i % columns * CELL_PX, y = MARGIN_PX + i / columns * high;
        char text[128];
        progress_report(p, (double)i, (double)l->count, "export", "");
        TRY_TO(progress_check(p));
        TRY_TO(load_tile(&tile, s, l->row[i].ref, TILE_PX));
        paste(out, &tile, x, y);
        image_free(&tile);
        item_ref_format(text, l->row[i].ref);
        line(out, x, y + TILE_PX + 6, TILE_PX, ink, text);
        TRY_TO(report_item_label(s, l->row[i].ref, text, sizeof text));
        line(out, x, y + TILE_PX + 6 + LINE_PX, TILE_PX, dim, text);
        if (!l->columns || !isfinite(l->row[i].value[0])) continue;
        snprintf(text, sizeof text, "%.4g", l->row[i].value[0]);
        line(out, x, y + TILE_PX + 6 + 2 * LINE_PX, TILE_PX, good, text);
    }
done:
    if (st != OK) image_free(out);
    return st;
}

enum status report_sheet_stack(struct image *out, const struct image *a, const struct image *b) {
    TRY(sheet_new(out, a->width_px > b->width_px ? a->width_px : b->width_px, a->height_px + b->height_px));
    paste(out, a, 0, 0);
    paste(out, b, 0, a->height_px);
    return OK;
}

/* --- counterfactuals: a row per query, the picture itself and what each removal makes of it --- */

enum { COUNTER_COLUMNS = 100, COUNTER_QUERIES = 100,   /* as wide and as high as a picture may be */
       TITLE_LETTERS = TILE_PX / (FONT_ADVANCE * TEXT_SCALE) };

/* Rows that are alike stand in one column; row[] is the first of each. */
struct columns { size_t row[COUNTER_COLUMNS], count; };

/* The column of row i; COUNTER_COLUMNS where it has none and no other has room. */
static size_t column_of(struct columns *c, const struct counterfactual_list *l, size_t i) {
    for (size_t k = 0; k < c->count; k++)
        if (counterfactual_is_alike(&l->row[c->row[k]], &l->row[i])) return k;
    if (c->count == COUNTER_COLUMNS) return COUNTER_COLUMNS;
    c->row[c->count] = i;
    return c->count++;
}

/* The bytes of the next line of a title: whole words where they fit. */
static size_t title_line(const char *text) {
    size_t fits = text_fit(text, TITLE_LETTERS), end = fits;
    if (!text[fits]) return fits;
    while (end && text[end] != ' ') end--;
    return end ? end : fits;
}

/* What was taken away and how much of it, in lines; draws them unless sheet is NULL.  Returns how many. */
static size_t draw_title(struct image *sheet, const struct counterfactual_list *l, size_t row, size_t x, size_t y) {
    char name[COUNTERFACTUAL_NAME], text[COUNTERFACTUAL_NAME + 32];
    size_t lines = 0;
    counterfactual_full_name(name, l, row);
    snprintf(text, sizeof text, "%s -%zu", name, l->row[row].removed);
    for (const char *at = text; *at; lines++) {
        char part[COUNTERFACTUAL_NAME];
        size_t len = title_line(at);
        snprintf(part, sizeof part, "%.*s", (int)len, at);
        if (sheet) line(sheet, x, y + lines * LINE_PX, TILE_PX, ink, part);
        at += len + strspn(at + len, " ");
    }
    return lines;
}

static enum status draw_counterfactual(struct image *sheet, struct store *s, const struct counterfactual *c, size_t x, size_t y) {
    struct image im = { 0 }, tile = { 0 };
    char text[32];
    void *bytes;
    size_t len;
    TRY(store_counterfactual_image(s, c->id, &bytes, &len));
    enum status st = image_decode(&im, bytes, len, 3, "a counterfactual");
    mem_free(bytes);
    if (st == OK) st = fit_tile(&tile, &im, TILE_PX);
    image_free(&im);
    TRY(st);
    paste(sheet, &tile, x, y);
    image_free(&tile);
    snprintf(text, sizeof text, "%.1f  %.2f", c->pixel_l2, c->pixel_cos);
    line(sheet, x, y + TILE_PX + 6, TILE_PX, dim, text);
    return OK;
}

static enum status draw_original(struct image *sheet, struct store *s, struct item_ref ref, size_t y) {
    struct image tile = { 0 };
    char name[32];
    TRY(load_tile(&tile, s, ref, TILE_PX));
    paste(sheet, &tile, MARGIN_PX, y);
    image_free(&tile);
    item_ref_format(name, ref);
    line(sheet, MARGIN_PX, y + TILE_PX + 6, TILE_PX, ink, name);
    return OK;
}

enum status report_sheet_counterfactual(struct image *out, struct store *s, const struct counterfactual_list *l) {
    struct columns columns = { .count = 0 };
    size_t queries = 0, at = 0, high = TILE_PX + LINE_PX + 6 + GAP_PX, lines = 0;
    enum status st = OK;
    *out = (struct image){ 0 };
    if (!l->count) return fail(ERR_MISSING, "there are no counterfactuals to draw; dtrak counterfactual makes them");
    for (size_t i = 0; i < l->count; i++) {
        if (column_of(&columns, l, i) == COUNTER_COLUMNS)
            return fail(ERR_RANGE, "there are counterfactuals of more than %d kinds, more than fit side by side; --report lists them",
                        COUNTER_COLUMNS);
        queries += !i || l->row[i].query.index != l->row[i - 1].query.index;
    }
    if (queries > COUNTER_QUERIES) queries = COUNTER_QUERIES;
    for (size_t k = 0; k < columns.count; k++) {
        size_t n = draw_title(NULL, l, columns.row[k], 0, 0);
        if (n > lines) lines = n;
    }
    size_t top = MARGIN_PX + lines * LINE_PX + 6;
    TRY(sheet_new(out, 2 * MARGIN_PX + (columns.count + 1) * CELL_PX, top + queries * high + MARGIN_PX));
    for (size_t k = 0; k < columns.count; k++) draw_title(out, l, columns.row[k], MARGIN_PX + (k + 1) * CELL_PX, MARGIN_PX);
    for (size_t i = 0; i < l->count && at <= queries; i++) {
        if (!i || l->row[i].query.index != l->row[i - 1].query.index) {
            if (at++ == queries) break;
            TRY_TO(draw_original(out, s, l->row[i].query, top + (at - 1) * high));
        }
        TRY_TO(draw_counterfactual(out, s, &l->row[i], MARGIN_PX + (1 + column_of(&columns, l, i)) * CELL_PX, top + (at - 1) * high));
    }
done:
    if (st != OK) image_free(out);
    return st;
}
