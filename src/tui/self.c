/* self.c - the screen of training items by self-influence: a page of them, how the
 * values are spread, and the selected one beside its nearest neighbours, where copies
 * and mislabelled items show. */
#include "app.h"

#include "plot.h"

#include "dtrak/mem.h"
#include "dtrak/offer.h"
#include "dtrak/text.h"

#include <math.h>
#include <string.h>

/* --- the list --- */

void self_forget(struct app *a) {
    report_self_free(&a->self.list);
    a->self.message[0] = 0;
    a->self.loaded = a->self.waiting = a->self.again = 0;
}

void self_reread(struct app *a) {
    a->self.loaded = 0;
    a->self.again |= a->self.waiting;    /* what is being read may be of before */
}

enum { AT_ONCE = 5000 };   /* items whose numbers are read before the next frame; of more, behind it */

static void unload(void *list) {
    report_self_free(list);
    mem_free(list);
}

/* what: "square 8000". */
static enum status load_list(struct store *s, const char *what, void **out) {
    char loss[16] = "", step[32] = "";
    struct report_self *list = mem_array(1, sizeof *list);
    if (!list) return fail(ERR_NOMEM, "self-influence: out of memory");
    sscanf(what, "%15s %31s", loss, step);
    enum status st = report_self_load(list, s, loss, step, SELF_BY_SCORE);
    if (st == OK) *out = list;
    else mem_free(list);
    return st;
}

/* 1: read, 0: not yet, -1: it cannot be. */
static int get_list(struct app *a, const char *what, void **list) {
    struct survey_load l = { load_list, unload, "" };
    if (a->catalog.count[SPLIT_TRAIN] <= AT_ONCE) return load_list(a->store, what, list) == OK ? 1 : -1;
    snprintf(l.what, sizeof l.what, "%s", what);
    return survey_load(a->survey, &l, list);
}

static void load(struct app *a) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->self.checkpoint);
    char what[64];
    void *list = NULL;
    if (a->self.loaded) return;
    if (!c) {
        self_forget(a);
        a->self.loaded = 1;
        snprintf(a->self.message, sizeof a->self.message, "there is no checkpoint yet: dtrak train makes them");
        return;
    }
    snprintf(what, sizeof what, "%s %zu", loss_name(a->self.loss), c->step);
    int got = get_list(a, what, &list);
    a->self.waiting = got == 0;
    if (got == 0) return;                /* what is there stays until then */
    a->self.loaded = !a->self.again;
    a->self.again = 0;
    a->self.message[0] = 0;
    report_self_free(&a->self.list);
    if (got < 0) snprintf(a->self.message, sizeof a->self.message, "%s", fail_reason());
    if (got < 0) return;
    a->self.list = *(struct report_self *)list;
    mem_free(list);
    if (a->self.order != SELF_BY_SCORE) report_self_sort(&a->self.list, a->self.order);
    if (a->self.cursor >= a->self.list.n) a->self.cursor = 0;
}

size_t self_count(struct app *a) {
    load(a);
    return a->self.list.n;
}

static int has_leverages(const struct app *a, enum loss l) {
    size_t len = strlen(loss_name(l));
    for (size_t i = 0; i < a->catalog.stats.count; i++) {
        const struct stat_set *s = &a->catalog.stats.set[i];
        if (!strcmp(s->name, "self_influence") && s->checkpoint == a->self.checkpoint &&
            !strncmp(s->key, loss_name(l), len) && s->key[len] == ' ') return 1;
    }
    return 0;
}

/* It begins with what the other screens show, or a loss for which there is something. */
static void open(struct app *a) {
    if (a->self.checkpoint == 0) {
        a->self.checkpoint = a->setting.checkpoint;
        a->self.loss = a->setting.loss;
        for (int l = 0; l < LOSS_COUNT && !has_leverages(a, a->self.loss); l++)
            if (has_leverages(a, (enum loss)l)) a->self.loss = (enum loss)l;
    }
}

/* --- acting --- */

static void move_to(struct app *a, size_t at) {
    size_t n = a->self.list.n;
    if (n) a->self.cursor = at < n ? at : n - 1;
}

void self_search(struct app *a, int by) {
    size_t n = a->self.list.n;
    if (!a->search[0] || n == 0) {
        app_say(a, STYLE_NORMAL, "nothing to search for: %s takes a text", key_for(a, ACT_search));
        return;
    }
    for (size_t k = 1; k <= n; k++) {
        size_t at = (a->self.cursor + (by < 0 ? n - k : k)) % n;
        struct item_ref ref = { SPLIT_TRAIN, a->self.list.item[at].item };
        if (!search_finds(a, ref)) continue;
        move_to(a, at);
        return;
    }
    app_say(a, STYLE_WARN, "no training item matches '%s'", a->search);
}

static void next_outlier(struct app *a) {
    const struct report_self *r = &a->self.list;
    for (size_t k = 1; k <= r->n; k++) {
        size_t at = (a->self.cursor + k) % r->n;
        if (!r->item[at].outlier) continue;
        move_to(a, at);
        return;
    }
    app_say(a, STYLE_NORMAL, "no item stands out beyond the threshold");
}

static void sort_next(struct app *a) {
    static const char *const names[] = { "self-influence", "training loss", "distance to the nearest", "label" };
    a->self.order = (enum report_self_order)((a->self.order + 1) % SELF_ORDERS);
    report_self_sort(&a->self.list, a->self.order);
    a->self.cursor = 0;
    app_say(a, STYLE_NORMAL, "sorted by %s", names[a->self.order]);
}

static void step_loss(struct app *a, int by) {
    a->self.loss = (enum loss)((a->self.loss + (by < 0 ? LOSS_COUNT - 1 : 1)) % LOSS_COUNT);
    self_forget(a);
}

static void step_checkpoint(struct app *a, int by) {
    const struct checkpoint_list *l = &a->catalog.checkpoints;
    if (l->count == 0) return;
    size_t i = catalog_checkpoint_index(&a->catalog, a->self.checkpoint) % l->count;
    a->self.checkpoint = l->checkpoint[(i + (by < 0 ? l->count - 1 : 1)) % l->count].id;
    self_forget(a);
}

/* Without weights, and nothing that does without them: report_self_load() said so. */
static int is_out_of_reach(const struct app *a, char weights[OFFER_WEIGHTS]) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->self.checkpoint);
    weights[0] = 0;
    if (c) offer_weights(weights, c);
    return weights[0] && strstr(a->self.message, weights) != NULL;
}

static void compute(struct app *a) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->self.checkpoint);
    struct score_options o = SCORE_DEFAULTS;
    char step[CHECKPOINT_OPTION], weights[OFFER_WEIGHTS];
    if (!a->jobs) { app_say(a, STYLE_WARN, "%s", a->why_read_only); return; }
    if (a->self.list.n && a->self.list.item[0].neighbours) {
        app_say(a, STYLE_NORMAL, "everything on this screen is there");
        return;
    }
    if (a->self.list.n) {
        if (jobs_add(a->jobs, "self", "{}") != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
        else app_say(a, STYLE_GOOD, "queued: the nearest training items of each; %s shows the queue", key_for(a, ACT_jobs));
        return;
    }
    if (!c) { app_say(a, STYLE_WARN, "%s", a->self.message); return; }
    if (is_out_of_reach(a, weights)) { app_say(a, STYLE_WARN, "%s", weights); return; }
    struct features_options f = FEATURES_DEFAULTS;
    checkpoint_spell(step, c);
    o.methods = "trak";
    o.losses = f.losses = 1u << a->self.loss;
    o.checkpoints = f.checkpoints = step;
    o.self_influence = 1;
    f.timesteps = setting_timesteps(a);
    if (jobs_add_score(a->jobs, &o, &f) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_GOOD, "queued: leverages under loss %s at step %zu; %s shows the queue", loss_name(a->self.loss), c->step, key_for(a, ACT_jobs));
}

static int act(struct app *a, enum action k) {
    size_t at = a->self.cursor, across = a->self.across ? a->self.across : 1, page = a->self.per_page ? a->self.per_page : 1,
           n = a->self.list.n;
    switch (k) {
    case ACT_self_sort: sort_next(a); return 1;
    case ACT_self_loss: step_loss(a, 1); return 1;
    case ACT_self_loss_back: step_loss(a, -1); return 1;
    case ACT_self_ckpt: step_checkpoint(a, 1); return 1;
    case ACT_self_ckpt_back: step_checkpoint(a, -1); return 1;
    case ACT_self_compute: compute(a); return 1;
    case ACT_self_outlier: next_outlier(a); return 1;
    case ACT_self_zoom: if (n) detail_open(a, (struct item_ref){ SPLIT_TRAIN, a->self.list.item[at].item }); return 1;
    case ACT_left: if (at) move_to(a, at - 1); return 1;
    case ACT_right: move_to(a, at + 1); return 1;
    case ACT_up: if (at >= across) move_to(a, at - across); return 1;
    case ACT_down: if (at + across < n) move_to(a, at + across); return 1;
    case ACT_page_up: move_to(a, at > page ? at - page : 0); return 1;
    case ACT_page_down: move_to(a, at + page); return 1;
    case ACT_first: move_to(a, 0); return 1;
    case ACT_last: move_to(a, n ? n - 1 : 0); return 1;
    default: return 0;
    }
}

static void click(struct app *a, size_t id, int twice) {
    move_to(a, id);
    if (twice) act(a, ACT_self_zoom);
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_page_down : ACT_page_up); }

/* --- drawing: the page --- */

static void draw_tile(struct app *a, struct frame *f, size_t row, size_t col, const struct grid *g, size_t at) {
    const struct report_self_item *x = &a->self.list.item[at];
    struct item_ref ref = { SPLIT_TRAIN, x->item };
    char id[32], label[80];
    int selected = at == a->self.cursor;
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    size_t used = frame_printf(f, row, col, g->tile_cols, STYLE_NORMAL, "%s%zu %s", selected ? ">" : " ", at + 1, id);
    draw_image(a, f, row + 1, col + 1, g->image_rows, g->image_cols, ref);
    size_t line = row + 1 + g->image_rows;
    frame_text_in(f, line, col + 1, g->tile_cols - 2, STYLE_DIM, label);
    size_t w = frame_printf(f, line + 1, col + 1, g->tile_cols - 1, STYLE_ACCENT, "%.3f", x->score);
    if (selected) draw_selection(f, row, col, g, 2);
    draw_mark(a, f, row, col + used, ref);
    if (x->outlier) frame_text_in(f, line + 1, col + w + 2, g->tile_cols > w + 3 ? g->tile_cols - w - 3 : 0, selected ? STYLE_SELECTED : STYLE_WARN, "outlier");
    app_spot(a, row, col, g->tile_rows, g->tile_cols, at);
}

static void draw_line(struct app *a, struct frame *f, size_t row, struct area in, size_t at) {
    const struct report_self_item *x = &a->self.list.item[at];
    struct item_ref ref = { SPLIT_TRAIN, x->item };
    char id[32], label[80];
    enum style style = at == a->self.cursor ? STYLE_SELECTED : x->outlier ? STYLE_WARN : STYLE_NORMAL;
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    if (at == a->self.cursor) frame_fill(f, row, in.col, 1, in.cols, style, ' ');
    frame_printf(f, row, in.col, in.cols, style, "%s%5zu %-12s %.3f%s  %s", at == a->self.cursor ? ">" : " ", at + 1, id, x->score, x->outlier ? " !" : "  ", label);
    draw_mark(a, f, row, in.col + 7 + strlen(id), ref);
    app_spot(a, row, in.col, 1, in.cols, at);
}

/* What the values are of: "loss square, step 8000". */
static void value_words(const struct app *a, char out[128]) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->self.checkpoint);
    char words[96] = "";
    if (c) checkpoint_words(words, c);
    snprintf(out, 128, "loss %s%s%s", loss_name(a->self.loss), c ? ", " : "", words);
}

/* of: where nothing beside it says what the values are of, its title does; else "training items". */
static void draw_page(struct app *a, struct frame *f, struct area in, const char *of) {
    static const char *const order[] = { "self-influence", "training loss", "distance", "label" };
    char title[200];
    size_t n = a->self.list.n;
    int boxed = in.rows >= 5 && in.cols >= 20;
    struct area inner = boxed ? (struct area){ in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 } : in;
    struct grid g = draw_page_grid(a, inner, n, 3);
    int tiles = boxed && in.rows >= 12 && g.rows * g.across >= (n < 3 ? 1 : 3) && g.image_rows >= 3;
    size_t across = tiles ? g.across : 1, per = tiles ? g.rows * g.across : inner.rows;
    if (per == 0 || inner.cols == 0) return;
    a->self.across = across;
    a->self.per_page = per;
    size_t top = a->self.cursor / per * per, last = top + per < n ? top + per : n;
    int len = snprintf(title, sizeof title, "%s by %s", of, order[a->self.order]);
    if (n) snprintf(title + len, sizeof title - (size_t)len, "  %zu-%zu of %zu", top + 1, last, n);
    if (boxed) frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, title);
    for (size_t at = top; at < last; at++) {
        size_t i = at - top;
        if (tiles) draw_tile(a, f, inner.row + i / across * g.tile_rows, inner.col + i % across * g.tile_cols, &g, at);
        else draw_line(a, f, inner.row + i, inner, at);
    }
    if (n) return;
    char text[1400], weights[OFFER_WEIGHTS];
    if (a->self.waiting) snprintf(text, sizeof text, "reading the numbers of %zu items", a->catalog.count[SPLIT_TRAIN]);
    else if (a->jobs && catalog_checkpoint(&a->catalog, a->self.checkpoint) && !is_out_of_reach(a, weights)) snprintf(text, sizeof text, "%s (%s does that here)", a->self.message, key_for(a, ACT_self_compute));
    else snprintf(text, sizeof text, "%s", a->self.message);
    draw_paragraph(f, inner.row + inner.rows / 4, inner.col + 1, inner.rows - inner.rows / 4, inner.cols > 2 ? inner.cols - 2 : 1,
                   a->self.waiting ? STYLE_DIM : STYLE_WARN, text);
}

/* --- drawing: how the values are spread --- */

/* Counts of the values in columns of equal width, the threshold as a line of its own. */
static void draw_histogram(const struct report_self *r, struct frame *f, struct area in) {
    enum { BINS = 2 * PLOT_COLS };
    size_t count[BINS] = { 0 }, most = 1, bins = 2 * (in.cols < PLOT_COLS ? in.cols : PLOT_COLS);
    double low = INFINITY, high = r->study.threshold;
    struct plot bars, line;
    if (in.rows < 3 || in.cols < 8 || r->n == 0) return;
    for (size_t i = 0; i < r->n; i++) {
        low = fmin(low, r->item[i].score);
        high = fmax(high, r->item[i].score);
    }
    if (!(high > low)) high = low + 1;
    for (size_t i = 0; i < r->n; i++) {
        double at = (r->item[i].score - low) / (high - low) * (double)(bins - 1) + .5;
        if (!(at >= 0 && at < (double)bins)) continue;   /* a value that is no number */
        size_t b = (size_t)at;
        if (++count[b] > most) most = count[b];
    }
    plot_start(&bars, in.rows - 1, in.cols);
    plot_start(&line, in.rows - 1, in.cols);
    for (size_t b = 0; b < bins; b++)
        if (count[b]) plot_line(&bars, ((double)b + .5) / (double)bins, 0, ((double)b + .5) / (double)bins, (double)count[b] / (double)most);
    double at = (r->study.threshold - low) / (high - low);
    plot_line(&line, at, 0, at, 1);
    plot_draw(&line, f, in.row, in.col, STYLE_WARN);
    plot_draw(&bars, f, in.row, in.col, STYLE_METER);
    size_t bottom = in.row + in.rows - 1;
    frame_printf(f, bottom, in.col, in.cols, STYLE_DIM, "%.2f", low);
    if (in.cols > 14) frame_printf(f, bottom, in.col + in.cols - 4, 4, STYLE_DIM, "%.2f", high);
}

/* Returns how many rows it took. */
static size_t draw_study(struct app *a, struct frame *f, struct area in) {
    const struct selfstudy *y = &a->self.list.study;
    size_t row = in.row, end = in.row + in.rows;
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "median %.3f  MAD %.3f", y->median, y->mad);
    if (row < end) frame_printf(f, row++, in.col, in.cols, y->outliers ? STYLE_WARN : STYLE_NORMAL, "%zu above %.3f", y->outliers, y->threshold);
    if (row < end && isfinite(y->with_loss)) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "Spearman: loss %+.2f", y->with_loss);
    if (row < end && isfinite(y->with_distance)) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "Spearman: distance %+.2f", y->with_distance);
    if (row < end && y->labels > 1) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "label explains %.1f%%", 100 * y->with_label);
    return row - in.row;
}

static void say_no_neighbours(struct app *a, struct frame *f, size_t row, struct area in) {
    if (a->jobs) frame_printf(f, row, in.col, in.cols, STYLE_DIM, "%s finds its neighbours", key_for(a, ACT_self_compute));
    else frame_text_in(f, row, in.col, in.cols, STYLE_DIM, "neighbours not known");
}

/* The selected item and its neighbours, in one row or, where they get larger so, in two. */
static void draw_selected(struct app *a, struct frame *f, struct area in) {
    const struct report_self_item *x = &a->self.list.item[a->self.cursor];
    char id[32], label[80];
    struct item_ref ref = { SPLIT_TRAIN, x->item };
    size_t tiles = x->neighbours + 1, words = tiles > 1 ? 2 : 0, two_rows = in.rows > 8 ? (in.rows - 4) / 2 - 2 : 0;
    size_t across = tiles == 4 && two_rows > draw_image_rows(a, in.cols > 7 ? in.cols / 4 - 1 : 1) ? 2 : tiles;
    size_t each = in.cols / across, h = draw_image_rows(a, each > 1 ? each - 1 : 1), deep = (tiles + across - 1) / across;
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    frame_printf(f, in.row, in.col, in.cols, STYLE_FOCUS, "%s %s", id, label);
    if (in.rows < 8) return;
    if (deep * (h + words) > in.rows - 4) h = (in.rows - 4) / deep - words;
    for (size_t k = 0; k < tiles; k++) {
        struct item_ref other = { SPLIT_TRAIN, k ? x->neighbour[k - 1] : x->item };
        size_t col = in.col + k % across * each, row = in.row + 1 + k / across * (h + words);
        draw_image(a, f, row, col, h, draw_image_cols(a, h), other);
        item_ref_format(id, other);
        facts_label(facts_of(a, other), label, sizeof label);
        const struct facts *mine = facts_of(a, ref), *its = facts_of(a, other);
        int differs = k && mine->label >= 0 && its->label >= 0 && mine->label != its->label;
        if (!words) break;   /* the line above says it all */
        frame_printf(f, row + h, col, each > 1 ? each - 1 : 1, STYLE_NORMAL, "%s", strchr(id, ':') + 1);
        frame_text_in(f, row + h + 1, col, each > 1 ? each - 1 : 1, differs ? STYLE_WARN : STYLE_DIM, label);
    }
    size_t row = in.row + 1 + deep * (h + words);
    if (row < in.row + in.rows && isfinite(x->distance))
        frame_printf(f, row, in.col, in.cols, x->distance < .02 ? STYLE_WARN : STYLE_NORMAL, "nearest at %.3f%s", x->distance,
                     x->distance < .02 ? ": a copy" : "");
    else if (row < in.row + in.rows)
        say_no_neighbours(a, f, row, in);
    if (row + 1 < in.row + in.rows && isfinite(x->loss)) frame_printf(f, row + 1, in.col, in.cols, STYLE_NORMAL, "training loss %.4f", x->loss);
}

static void draw_side(struct app *a, struct frame *f, struct area in) {
    char title[128];
    value_words(a, title);
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, title);
    struct area inner = { in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 };
    if (a->self.list.n == 0) return;
    size_t bars = inner.rows >= 26 ? 8 : inner.rows >= 18 ? 5 : 0;
    draw_histogram(&a->self.list, f, (struct area){ inner.row, inner.col, bars, inner.cols });
    size_t facts = draw_study(a, f, (struct area){ inner.row + bars, inner.col, inner.rows - bars, inner.cols });
    if (inner.rows > bars + facts + 1)
        draw_selected(a, f, (struct area){ inner.row + bars + facts + 1, inner.col, inner.rows - bars - facts - 1, inner.cols });
}

static void draw(struct app *a, struct frame *f, struct area in) {
    load(a);
    if (in.cols >= 70 && in.rows >= 14) {
        size_t w = in.cols * 36 / 100;
        if (w > 60) w = 60;
        draw_page(a, f, (struct area){ in.row, in.col, in.rows, in.cols - w }, "training items");
        draw_side(a, f, (struct area){ in.row, in.col + in.cols - w, in.rows, w });
    } else {
        char of[128], title[130];
        value_words(a, of);
        snprintf(title, sizeof title, "%s,", of);
        draw_page(a, f, in, title);
    }
}

const struct screen screen_self = { "self", IN_SELF, open, draw, act, click, wheel };
