/* pairs.c - counterfactual pictures: a row for each query, the picture as it was and what
 * became of it without the items that each method, or a list, named. */
#include "app.h"

#include "dtrak/counterfactual_table.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <string.h>

void pairs_free(struct app *a) {
    counterfactual_list_free(&a->pairs.list);
    mem_free(a->pairs.first);
    mem_free(a->pairs.label);
    mem_free(a->pairs.column);
    a->pairs.column = NULL;
    a->pairs.first = NULL;
    a->pairs.label = NULL;
    a->pairs.rows = a->pairs.labels = 0;
}

static int same_query(const struct counterfactual *x, const struct counterfactual *y) {
    return x->query.split == y->query.split && x->query.index == y->query.index;
}

/* The name of row i's column: what was taken away, and how many of them. */
static void column_name(const struct app *a, size_t i, char out[64]) {
    char name[COUNTERFACTUAL_NAME];
    counterfactual_full_name(name, &a->pairs.list, i);
    snprintf(out, 64, "%.*s -%zu", (int)text_fit(name, 48), name, a->pairs.list.row[i].removed);
}

static void load(struct app *a) {
    if (!a->pairs.stale) return;
    a->pairs.stale = 0;
    a->pairs.message[0] = 0;
    pairs_free(a);
    enum status st = store_counterfactuals_list(a->store, &a->pairs.list);
    if (st == OK) st = counterfactual_list_latest(&a->pairs.list, NULL);
    size_t n = a->pairs.list.count;
    a->pairs.first = mem_array(n + 1, sizeof *a->pairs.first);
    a->pairs.label = mem_array(n + 1, sizeof *a->pairs.label);
    a->pairs.column = mem_array(n + 1, sizeof *a->pairs.column);
    if (st == OK && (!a->pairs.first || !a->pairs.label || !a->pairs.column)) st = fail(ERR_NOMEM, "pictures: out of memory");
    if (st != OK) {
        snprintf(a->pairs.message, sizeof a->pairs.message, "%s", fail_reason());
        pairs_free(a);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct counterfactual *c = &a->pairs.list.row[i];
        char name[64];
        size_t k = 0;
        if (i == 0 || !same_query(c, c - 1)) a->pairs.first[a->pairs.rows++] = i;
        column_name(a, i, name);
        while (k < a->pairs.labels && strcmp(a->pairs.label[k], name) != 0) k++;
        if (k == a->pairs.labels) memcpy(a->pairs.label[a->pairs.labels++], name, sizeof name);
        a->pairs.column[i] = k;
    }
    if (a->pairs.cursor >= a->pairs.rows) a->pairs.cursor = 0;
}

void pairs_toggle(struct app *a) {
    a->evaluation.pairs = !a->evaluation.pairs;
    a->pairs.stale = 1;
}

static void open_query(struct app *a) {
    load(a);
    if (a->pairs.cursor >= a->pairs.rows) return;
    app_set_query(a, a->pairs.list.row[a->pairs.first[a->pairs.cursor]].query);
    app_show(a, &screen_ranking);
}

int pairs_act(struct app *a, enum action k) {
    load(a);
    size_t n = a->pairs.rows, *at = &a->pairs.cursor, page = a->pairs.per_page ? a->pairs.per_page : 1;
    switch (k) {
    case ACT_up: if (*at) --*at; return 1;
    case ACT_down: if (*at + 1 < n) ++*at; return 1;
    case ACT_page_up: *at = *at > page ? *at - page : 0; return 1;
    case ACT_page_down: *at = *at + page < n ? *at + page : n ? n - 1 : 0; return 1;
    case ACT_first: *at = 0; return 1;
    case ACT_last: *at = n ? n - 1 : 0; return 1;
    case ACT_left: if (a->pairs.left) a->pairs.left--; return 1;
    case ACT_right: if (a->pairs.left + a->pairs.across < a->pairs.labels) a->pairs.left++; return 1;
    case ACT_eval_open: open_query(a); return 1;
    case ACT_eval_boxes: a->pairs.boxes = !a->pairs.boxes; return 1;
    case ACT_eval_split: case ACT_eval_kind: case ACT_eval_sort: case ACT_eval_run:
        app_say(a, STYLE_NORMAL, "%s goes back to the LDS, where this key works", key_for(a, ACT_eval_pairs));
        return 1;
    default: return 0;
    }
}

void pairs_click(struct app *a, size_t id, int twice) {
    if (id < a->pairs.rows) a->pairs.cursor = id;
    if (twice) open_query(a);
}

/* The counterfactual of row `at` in a column; NULL: there is none. */
static const struct counterfactual *find(const struct app *a, size_t at, size_t column) {
    size_t end = at + 1 < a->pairs.rows ? a->pairs.first[at + 1] : a->pairs.list.count;
    for (size_t i = a->pairs.first[at]; i < end; i++)
        if (a->pairs.column[i] == column) return &a->pairs.list.row[i];
    return NULL;
}

/* Of what stands below a picture: "10.43  cos 0.91", "10.43 c0.91". */
enum { LONG_CELLS = 15, SHORT_CELLS = 11 };

static void draw_after(struct app *a, struct frame *f, size_t row, size_t col, size_t h, size_t tile, const struct counterfactual *c) {
    char label[COUNTERFACTUAL_NAME + 8], name[COUNTERFACTUAL_NAME];
    struct item_ref ref = { SPLIT_COUNT, (size_t)c->id };
    counterfactual_name(name, c->label);
    snprintf(label, sizeof label, "without %.*s", (int)text_fit(name, 20), name);
    if (h) frame_image(f, row, col, h, draw_image_cols(a, h), draw_picture_key(a, ref), label);
    row += h;
    if (tile <= SHORT_CELLS) frame_printf(f, row, col, tile - 1, STYLE_ACCENT, "%.2f", c->pixel_l2);
    else if (tile <= LONG_CELLS) frame_printf(f, row, col, tile - 1, STYLE_ACCENT, "%.2f c%.2f", c->pixel_l2, c->pixel_cos);
    else if (isfinite(c->embed_cos)) frame_printf(f, row, col, tile - 1, STYLE_ACCENT, "%.2f c%.2f e%.2f", c->pixel_l2, c->pixel_cos, c->embed_cos);
    else frame_printf(f, row, col, tile - 1, STYLE_ACCENT, "%.2f  cos %.2f", c->pixel_l2, c->pixel_cos);
}

static void draw_row(struct app *a, struct frame *f, struct area in, size_t at, size_t h, size_t tile) {
    struct item_ref q = a->pairs.list.row[a->pairs.first[at]].query;
    char id[32];
    int selected = at == a->pairs.cursor;
    item_ref_format(id, q);
    if (h) draw_image(a, f, in.row, in.col + 1, h, draw_image_cols(a, h), q);
    frame_printf(f, in.row + h, in.col, tile - 1, selected ? STYLE_SELECTED : STYLE_NORMAL, "%s%s", selected ? ">" : " ", id);
    for (size_t k = 0; k < a->pairs.across && a->pairs.left + k < a->pairs.labels; k++) {
        const struct counterfactual *c = find(a, at, a->pairs.left + k);
        size_t col = in.col + 1 + (k + 1) * tile;
        if (c) draw_after(a, f, in.row, col, h, tile, c);
        else frame_text_in(f, in.row + h, col, tile - 1, STYLE_DIM, "not made");
    }
    app_spot(a, in.row, in.col, h + 1, in.cols, at);
}

/* A column is as wide as its name where all of them fit so; else as they fit with their numbers,
 * in a short form or a long one; else there are fewer. */
static size_t columns_least(const struct app *a, size_t cols) {
    size_t least = cols < 36 ? 8 : LONG_CELLS, longest = least, each = cols ? (cols - 1) / (a->pairs.labels + 1) : 0;
    for (size_t k = 0; k < a->pairs.labels; k++) {
        size_t w = text_width(a->pairs.label[k]);
        if (w > longest) longest = w;
    }
    if ((a->pairs.labels + 1) * (longest + 2) < cols) return longest;
    return each < least + 2 && each >= SHORT_CELLS + 2 ? each - 2 : least;
}

void pairs_draw(struct app *a, struct frame *f, struct area in) {
    char title[120];
    load(a);
    if (a->pairs.boxes && a->pairs.rows) { boxes_draw(a, f, in); return; }
    struct area inner = in;
    if (in.rows >= 5 && in.cols >= 20) {
        if (a->pairs.rows == 0) snprintf(title, sizeof title, "before and without");
        else if (in.cols < 80) snprintf(title, sizeof title, "before and without: %zu", a->pairs.rows);
        else snprintf(title, sizeof title, "before and without: %zu generated, with L2 distance and cosine of the pixels", a->pairs.rows);
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, title);
        inner = (struct area){ in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 };
    }
    if (a->pairs.rows == 0) {
        char none[240];
        snprintf(none, sizeof none, "No picture was made without some of the training items yet: dtrak counterfactual does, and %s on screen %s for "
                 "marked items. %s goes back to the LDS.", key_for(a, ACT_set_retrain), key_for(a, ACT_set), key_for(a, ACT_eval_pairs));
        draw_paragraph(f, inner.row + inner.rows / 3, inner.col + 1, inner.rows - inner.rows / 3, inner.cols > 2 ? inner.cols - 2 : 1,
                       STYLE_DIM, a->pairs.message[0] ? a->pairs.message : none);
        return;
    }
    /* Every column where they fit, the pictures as tall as three rows of them allow. */
    size_t h = inner.rows >= 20 ? (inner.rows - 1) / 3 - 2 : inner.rows >= 8 ? inner.rows - 3 : 0;
    if (h > 14) h = 14;
    while (h > 4 && (a->pairs.labels + 1) * (draw_image_cols(a, h) + 2) >= inner.cols) h--;
    size_t w = h ? draw_image_cols(a, h) : 0, least = columns_least(a, inner.cols), tile = (w > least ? w : least) + 2;
    if (inner.rows < 2 || inner.cols < 4) return;
    a->pairs.across = (inner.cols - 1) / tile > 1 ? (inner.cols - 1) / tile - 1 : 1;
    if (a->pairs.left + a->pairs.across > a->pairs.labels) a->pairs.left = a->pairs.labels > a->pairs.across ? a->pairs.labels - a->pairs.across : 0;
    a->pairs.per_page = (inner.rows - 1) / (h + (h ? 2 : 1));
    if (a->pairs.per_page == 0) a->pairs.per_page = 1;
    frame_text_in(f, inner.row, inner.col + 1, tile - 1, STYLE_TITLE, "before");
    for (size_t k = 0; k < a->pairs.across && a->pairs.left + k < a->pairs.labels; k++)
        frame_text_in(f, inner.row, inner.col + 1 + (k + 1) * tile, tile - 1, STYLE_TITLE, a->pairs.label[a->pairs.left + k]);
    size_t top = a->pairs.cursor / a->pairs.per_page * a->pairs.per_page;
    for (size_t i = 0; i < a->pairs.per_page && top + i < a->pairs.rows; i++)
        draw_row(a, f, (struct area){ inner.row + 1 + i * (h + (h ? 2 : 1)), inner.col, h + 1, inner.cols }, top + i, h, tile);
    if (a->pairs.labels > a->pairs.across && in.rows >= 5) {
        char last[24] = "";
        if (a->pairs.across > 1) snprintf(last, sizeof last, "-%zu", a->pairs.left + a->pairs.across);
        frame_printf(f, in.row + in.rows - 1, in.col + 2, in.cols - 4, STYLE_DIM, " column%s %zu%s of %zu; left, right: more ",
                     last[0] ? "s" : "", a->pairs.left + 1, last, a->pairs.labels);
    }
}
