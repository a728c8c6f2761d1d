/* gallery.c - the generated or the held-out items as a grid. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what passes the filter --- */

/* What the items are sorted by, smallest first; then by index. */
struct entry { double key; size_t index; };

static int by_key(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->key < y->key || x->key > y->key) return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static enum status sort_items(struct app *a) {
    size_t n = a->gallery.count, total = a->catalog.count[a->gallery.split];
    enum status st = OK;
    a->gallery.sorted_by = a->row.set.id;
    struct entry *e = mem_array(n + 1, sizeof *e);
    int *label = mem_array(total + 1, sizeof *label);
    if (!e || !label) st = fail(ERR_NOMEM, "gallery: out of memory");
    if (st == OK) st = store_labels_read(a->store, a->gallery.split, label, total);
    for (size_t i = 0; st == OK && i < n; i++) {
        size_t at = a->gallery.index[i];
        double lds = a->gallery.sort == SORT_LDS ? query_lds(a, (struct item_ref){ a->gallery.split, at }) : 0;
        e[i] = (struct entry){ a->gallery.sort == SORT_LABEL ? label[at] < 0 ? INT_MAX : label[at] : isnan(lds) ? INFINITY : -lds, at };
    }
    if (st == OK) {
        qsort(e, n, sizeof *e, by_key);
        for (size_t i = 0; i < n; i++) a->gallery.index[i] = e[i].index;
    }
    mem_free(e);
    mem_free(label);
    return st;
}

static enum status collect(struct app *a) {
    size_t total = a->catalog.count[a->gallery.split];
    unsigned char *pass = NULL;
    enum status st = OK;
    mem_free(a->gallery.index);
    a->gallery.index = mem_array(total ? total : 1, sizeof *a->gallery.index);
    a->gallery.count = 0;
    if (!a->gallery.index) return fail(ERR_NOMEM, "gallery: out of memory");
    if (a->filter[0]) {
        pass = mem_array(total + 1, 1);
        st = pass ? filter_items(a, a->gallery.split, a->filter, pass) : fail(ERR_NOMEM, "gallery: out of memory");
    }
    for (size_t i = 0; st == OK && i < total; i++)
        if (!pass || pass[i]) a->gallery.index[a->gallery.count++] = i;
    mem_free(pass);
    return st == OK && a->gallery.sort ? sort_items(a) : st;
}

/* Where an item stands among those shown; count: it is not among them. */
static size_t position(const struct app *a, struct item_ref ref) {
    size_t i = 0;
    if (ref.split != a->gallery.split) return a->gallery.count;
    while (i < a->gallery.count && a->gallery.index[i] != ref.index) i++;
    return i;
}

void gallery_refilter(struct app *a) {
    if (collect(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    size_t at = a->has_query ? position(a, a->query) : 0;
    a->gallery.cursor = at < a->gallery.count ? at : 0;
    a->gallery.top = 0;
    if (a->filter[0] && a->gallery.count == 0)
        app_say(a, STYLE_WARN, "no %s item passes '%s'; %s with nothing shows all",
                split_name(a->gallery.split), a->filter, key_for(a, ACT_filter));
}

/* --- moving --- */

static void select_at(struct app *a, size_t at) {
    if (a->gallery.count == 0) return;
    a->gallery.cursor = at < a->gallery.count ? at : a->gallery.count - 1;
    struct item_ref ref = { a->gallery.split, a->gallery.index[a->gallery.cursor] };
    if (!a->has_query || ref.split != a->query.split || ref.index != a->query.index) app_set_query(a, ref);
}

void gallery_marked(struct app *a) {
    size_t at = a->gallery.cursor;
    if (!filter_speaks_of_marks(a->filter)) return;
    gallery_refilter(a);
    if (app_top(a) == &screen_gallery) select_at(a, at);
}

void gallery_step_query(struct app *a, int by) {
    size_t at = a->gallery.cursor, n = a->gallery.count;
    if (n == 0) return;
    if (by < 0 ? at == 0 : at + 1 >= n)
        app_say(a, STYLE_NORMAL, by < 0 ? "this is the first item" : "this is the last item");
    else
        select_at(a, by < 0 ? at - 1 : at + 1);
}

void gallery_search(struct app *a, int by) {
    size_t n = a->gallery.count;
    if (!a->search[0] || n == 0) {
        app_say(a, STYLE_NORMAL, "nothing to search for: %s takes a text", key_for(a, ACT_search));
        return;
    }
    for (size_t k = 1; k <= n; k++) {
        size_t at = (a->gallery.cursor + (by < 0 ? n - k : k)) % n;
        struct item_ref ref = { a->gallery.split, a->gallery.index[at] };
        if (!search_finds(a, ref)) continue;
        if (by < 0 ? at >= a->gallery.cursor : at <= a->gallery.cursor)
            app_say(a, STYLE_NORMAL, k == n ? "the only match" : "went round the end");
        select_at(a, at);
        return;
    }
    app_say(a, STYLE_WARN, "no %s item matches '%s'", split_name(a->gallery.split), a->search);
}

static void sort_next(struct app *a) {
    static const char *const by[] = { "index", "label", "LDS of the present setting, best first" };
    a->gallery.sort = (a->gallery.sort + 1) % GALLERY_SORTS;
    if (a->gallery.sort == SORT_LDS && isnan(query_lds(a, a->query))) a->gallery.sort = SORT_INDEX;
    gallery_refilter(a);
    app_say(a, STYLE_NORMAL, "sorted by %s", by[a->gallery.sort]);
}

static int act(struct app *a, enum action k) {
    size_t at = a->gallery.cursor, across = a->gallery.across ? a->gallery.across : 1,
           page = a->gallery.per_page ? a->gallery.per_page : 1, n = a->gallery.count;
    switch (k) {
    case ACT_left: if (at) select_at(a, at - 1); return 1;
    case ACT_right: select_at(a, at + 1); return 1;
    case ACT_up: if (at >= across) select_at(a, at - across); return 1;
    case ACT_down: if (at + across < n) select_at(a, at + across); return 1;
    case ACT_page_up: select_at(a, at > page ? at - page : 0); return 1;
    case ACT_page_down: select_at(a, at + page); return 1;
    case ACT_first: select_at(a, 0); return 1;
    case ACT_last: select_at(a, n ? n - 1 : 0); return 1;
    case ACT_open:
        if (n == 0) return 1;
        select_at(a, at);                /* the item that is looked at may be one that the filter hides */
        app_show(a, &screen_ranking);
        return 1;
    case ACT_gallery_sort: if (n) sort_next(a); return 1;
    case ACT_split: {
        enum split other = a->gallery.split == SPLIT_GEN ? SPLIT_VAL : SPLIT_GEN;
        if (a->catalog.count[other] == 0) {
            app_say(a, STYLE_WARN, "there are no %s items", split_name(other));
            return 1;
        }
        struct item_ref ref = { other, 0 };
        app_set_query(a, ref);
        select_at(a, a->gallery.cursor); /* the first that passes the filter */
        return 1;
    }
    default: return 0;
    }
}

static void click(struct app *a, size_t id, int twice) {
    select_at(a, id);
    if (twice) app_show(a, &screen_ranking);
}

static void wheel(struct app *a, int down) {
    size_t across = a->gallery.across ? a->gallery.across : 1, at = a->gallery.cursor;
    if (down) { if (at + across < a->gallery.count) select_at(a, at + across); }
    else if (at >= across) select_at(a, at - across);
}

/* --- drawing --- */

static void draw_tile(struct app *a, struct frame *f, size_t row, size_t col, const struct grid *g, size_t below, size_t at) {
    struct item_ref ref = { a->gallery.split, a->gallery.index[at] };
    char id[32], label[80];
    int selected = at == a->gallery.cursor;

    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    size_t used = frame_printf(f, row, col, g->tile_cols - 1, STYLE_NORMAL, "%s%s", selected ? ">" : " ", id);
    draw_image(a, f, row + 1, col + 1, g->image_rows, g->image_cols, ref);
    if (below) frame_text_in(f, row + 1 + g->image_rows, col + 1, g->tile_cols - 2, STYLE_DIM, label);
    if (selected) draw_selection(f, row, col, g, below);
    draw_mark(a, f, row, col + used, ref);
    app_spot(a, row, col, g->tile_rows, g->tile_cols, at);
}

static void draw_list(struct app *a, struct frame *f, struct area in) {
    for (size_t i = 0; i < in.rows && a->gallery.top + i < a->gallery.count; i++) {
        size_t at = a->gallery.top + i;
        struct item_ref ref = { a->gallery.split, a->gallery.index[at] };
        char id[32], label[80];
        item_ref_format(id, ref);
        facts_label(facts_of(a, ref), label, sizeof label);
        enum style style = at == a->gallery.cursor ? STYLE_SELECTED : STYLE_NORMAL;
        frame_printf(f, in.row + i, in.col, in.cols, style, "%s%s %s", at == a->gallery.cursor ? ">" : " ",
                     id, label);
        draw_mark(a, f, in.row + i, in.col + 1 + strlen(id), ref);
        app_spot(a, in.row + i, in.col, 1, in.cols, at);
    }
}

static void draw_empty(struct app *a, struct frame *f, struct area in) {
    const char *text = a->filter[0] ? "Nothing passes the filter." :
        a->catalog.count[SPLIT_TRAIN] == 0 ? "The database is empty: dtrak new makes one from a data set." :
        "No generated or held-out items yet: dtrak train, then dtrak sample, makes generated ones.";
    draw_paragraph(f, in.row + in.rows / 3, in.col + 2, in.rows, in.cols > 4 ? in.cols - 4 : in.cols,
                   STYLE_DIM, text);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    char title[160];
    struct area inner = in;
    size_t n = a->gallery.count;

    if (in.rows >= 6 && in.cols >= 20) {
        const char *name = a->gallery.split == SPLIT_GEN ? "generated" : "held out";
        if (a->filter[0]) snprintf(title, sizeof title, "%s: %zu of %zu with '%.*s'", name, n,
                                   a->catalog.count[a->gallery.split], (int)text_fit(a->filter, 40), a->filter);
        else snprintf(title, sizeof title, "%s: %zu", name, n);
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, title);
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 3 };
    }
    if (n == 0) { draw_empty(a, f, inner); return; }
    /* A line for labels where there are any: generated items of most models have none. */
    struct item_ref shown = { a->gallery.split, a->gallery.index[a->gallery.cursor] };
    char label[80];
    facts_label(facts_of(a, shown), label, sizeof label);
    size_t below = label[0] && inner.rows >= 10;
    struct grid g = draw_grid(a, inner.rows, inner.cols, 1 + below, below ? 10 : 8, n < 24 ? n : 24);
    int pictures = g.rows && g.across && in.cols >= 20;
    a->gallery.across = pictures ? g.across : 1;
    a->gallery.per_page = pictures ? g.rows * g.across : inner.rows ? inner.rows : 1;
    a->gallery.top = a->gallery.cursor / a->gallery.per_page * a->gallery.per_page;
    if (!pictures) { draw_list(a, f, inner); return; }
    for (size_t i = 0; i < a->gallery.per_page && a->gallery.top + i < n; i++)
        draw_tile(a, f, inner.row + i / g.across * g.tile_rows, inner.col + i % g.across * g.tile_cols, &g, below,
                  a->gallery.top + i);
    size_t pages = (n + a->gallery.per_page - 1) / a->gallery.per_page;
    if (pages > 1 && in.rows >= 6)
        frame_printf(f, in.row + in.rows - 1, in.col + 2, in.cols - 4, STYLE_DIM, " page %zu/%zu ",
                     a->gallery.top / a->gallery.per_page + 1, pages);
}

const struct screen screen_gallery = { "gallery", IN_GALLERY, NULL, draw, act, click, wheel };
