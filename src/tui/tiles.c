/* tiles.c - a page of items: pictures in a grid, or lines where there is no room for
 * them, with a line of text and a bar below each. */
#include "app.h"

#include "dtrak/text.h"

#include <math.h>
#include <string.h>

int tiles_act(struct tiles *t, enum action k) {
    size_t at = t->cursor, across = t->across ? t->across : 1, page = t->per_page ? t->per_page : 1, n = t->n, to = at;
    switch (k) {
    case ACT_left: to = at ? at - 1 : 0; break;
    case ACT_right: to = at + 1; break;
    case ACT_up: to = at >= across ? at - across : at; break;
    case ACT_down: to = at + across < n ? at + across : at; break;
    case ACT_page_up: to = at > page ? at - page : 0; break;
    case ACT_page_down: to = at + page; break;
    case ACT_first: to = 0; break;
    case ACT_last: to = n ? n - 1 : 0; break;
    default: return 0;
    }
    t->cursor = to < n ? to : n ? n - 1 : 0;
    return 1;
}

void tiles_search(struct app *a, struct tiles *t, int by, void (*get)(struct app *a, size_t at, struct tile *out)) {
    if (!a->search[0] || t->n == 0) {
        app_say(a, STYLE_NORMAL, t->n ? "nothing to search for: %s takes a text" : "there is nothing here to search", key_for(a, ACT_search));
        return;
    }
    for (size_t k = 1; k <= t->n; k++) {
        size_t at = (t->cursor + (by < 0 ? t->n - k : k)) % t->n;
        struct tile x;
        get(a, at, &x);
        if (!search_finds(a, x.ref)) continue;
        t->cursor = at;
        return;
    }
    app_say(a, STYLE_WARN, "nothing here matches '%s'", a->search);
}

static void draw_one(struct app *a, struct frame *f, size_t row, size_t col, const struct grid *g, const struct tiles *t,
                     size_t at, const struct tile *x) {
    char id[32], label[80];
    int selected = at == t->cursor;
    item_ref_format(id, x->ref);
    facts_label(facts_of(a, x->ref), label, sizeof label);
    size_t used = frame_printf(f, row, col, g->tile_cols, STYLE_NORMAL, "%s%zu %s", selected ? ">" : " ", at + 1, id);
    draw_mark(a, f, row, col + used, x->ref);
    draw_image(a, f, row + 1, col + 1, g->image_rows, g->image_cols, x->ref);
    size_t line = row + 1 + g->image_rows, w = text_width(x->text);
    size_t below = g->tile_rows - g->image_rows - 1;
    if (below == 2) frame_text_in(f, line++, col + 1, g->tile_cols - 2, STYLE_DIM, label);
    frame_text_in(f, line, col + 1, g->tile_cols - 1, x->style, x->text);
    if (selected) draw_selection(f, row, col, g, below);
    if (isfinite(x->bar) && g->tile_cols > w + 6) draw_tile_bar(f, line, col + w + 2, g->tile_cols - w - 4, x->bar, selected);
    app_spot(a, row, col, g->tile_rows, g->tile_cols, at);
}

static void draw_line(struct app *a, struct frame *f, size_t row, struct area in, const struct tiles *t, size_t at,
                      const struct tile *x, size_t digits) {
    char id[32], label[80];
    int selected = at == t->cursor;
    enum style style = selected ? STYLE_SELECTED : STYLE_NORMAL;
    item_ref_format(id, x->ref);
    facts_label(facts_of(a, x->ref), label, sizeof label);
    if (selected) frame_fill(f, row, in.col, 1, in.cols, style, ' ');
    size_t used = frame_printf(f, row, in.col, in.cols, style, "%s%*zu %-*s", selected ? ">" : " ", (int)digits, at + 1,
                               in.cols < 30 ? 10 : 12, id);
    draw_mark(a, f, row, in.col + 2 + digits + strlen(id), x->ref);
    if (in.cols > used + 1) used += frame_printf(f, row, in.col + used, in.cols - used, style, in.cols < 40 ? " %s" : " %-14s", x->text);
    if (in.cols > used + 2) frame_text_in(f, row, in.col + used + 1, in.cols - used - 1, style, label);
    app_spot(a, row, in.col, 1, in.cols, at);
}

/* Generated items of most models have no labels: then there is no line for them. */
static int has_labels(struct app *a, const struct tiles *t, void (*get)(struct app *a, size_t at, struct tile *out)) {
    struct tile x = { { SPLIT_TRAIN, 0 }, "", STYLE_ACCENT, NAN };
    if (t->cursor >= t->n) return 0;
    get(a, t->cursor, &x);
    return facts_of(a, x.ref)->label >= 0;
}

void tiles_draw(struct app *a, struct frame *f, struct area in, struct tiles *t, const char *title,
                void (*get)(struct app *a, size_t at, struct tile *out)) {
    int boxed = in.rows >= 5 && in.cols >= 20;
    struct area inner = boxed ? (struct area){ in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 } : in;
    size_t text = has_labels(a, t, get) ? 3 : 2;
    struct grid g = draw_page_grid(a, inner, t->n, text);
    int pictures = boxed && in.rows >= 12 && g.rows * g.across >= (t->n < 3 ? 1 : 3) && g.image_rows >= 3;
    size_t per = pictures ? g.rows * g.across : inner.rows, digits = 1;
    char full[160];
    t->across = pictures ? g.across : 1;
    t->per_page = per;
    if (t->cursor >= t->n) t->cursor = t->n ? t->n - 1 : 0;
    if (per == 0 || in.cols == 0) return;
    size_t top = t->cursor / per * per, last = top + per < t->n ? top + per : t->n;
    if (t->n > per) snprintf(full, sizeof full, "%s  %zu-%zu of %zu", title, top + 1, last, t->n);
    else snprintf(full, sizeof full, "%s", title);
    if (boxed) frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, full);
    for (size_t x = last; x >= 10; x /= 10) digits++;
    for (size_t i = 0; top + i < last; i++) {
        struct tile x = { { SPLIT_TRAIN, 0 }, "", STYLE_ACCENT, NAN };
        get(a, top + i, &x);
        if (pictures) draw_one(a, f, inner.row + i / g.across * g.tile_rows, inner.col + i % g.across * g.tile_cols, &g, t, top + i, &x);
        else draw_line(a, f, inner.row + i, inner, t, top + i, &x, digits);
    }
}
