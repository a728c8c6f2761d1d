/* overlay.c - what stands over a screen: an item large, the keys, a question. */
#include "app.h"

#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* --- one item, large --- */

static void find_queries(struct app *a) {
    a->detail.count = 0;
    a->detail.message[0] = 0;
    if (a->detail.ref.split != SPLIT_TRAIN) return;
    if (a->row.state != ROW_STORED) {
        snprintf(a->detail.message, sizeof a->detail.message, "scores of this setting are not stored");
        return;
    }
    size_t max = sizeof a->detail.other / sizeof a->detail.other[0];
    if (store_score_supported(a->store, &a->row.set, a->detail.ref.index, a->detail.opponents, max,
                              a->detail.other, &a->detail.count) != OK)
        snprintf(a->detail.message, sizeof a->detail.message, "%s", fail_reason());
    else if (a->detail.count == 0)
        snprintf(a->detail.message, sizeof a->detail.message, "among the first ranks of no %s item",
                 split_name(a->row.set.split));
}

void detail_open(struct app *a, struct item_ref ref) {
    a->detail.ref = ref;
    a->detail.opponents = a->ranking.pane;
    find_queries(a);
    app_over(a, &screen_detail);
}

/* The neighbours in the list that the item was opened from. */
static void step(struct app *a, int by) {
    size_t rank;
    float score;
    int has;
    if (a->detail.ref.split != SPLIT_TRAIN) {
        gallery_step_query(a, by);
        a->detail.ref = a->query;
        return;
    }
    const struct screen *below = a->depth >= 2 ? a->stack[a->depth - 2] : NULL;
    int compares = below == &screen_compare, studies = below == &screen_self;
    size_t *at = compares ? &a->compare.cursor : studies ? &a->self.cursor : &a->ranking.cursor[a->ranking.pane];
    if (by < 0 ? *at == 0 : *at + 1 >= (studies ? a->self.list.n : a->row.n)) return;
    if (by < 0) --*at;
    else ++*at;
    struct item_ref ref = { SPLIT_TRAIN, 0 };
    if (compares) ref.index = a->row.order[*at];
    else if (studies) ref.index = a->self.list.item[*at].item;
    else ref = ranking_selected(a, &rank, &score, &has);
    a->detail.ref = ref;
    find_queries(a);
}

static int detail_act(struct app *a, enum action k) {
    switch (k) {
    case ACT_left: case ACT_up: step(a, -1); return 1;
    case ACT_right: case ACT_down: step(a, 1); return 1;
    case ACT_zoom_close: app_back(a); return 1;
    case ACT_other_queries:
        a->detail.opponents = !a->detail.opponents;
        find_queries(a);
        return 1;
    case ACT_first: case ACT_last: case ACT_page_up: case ACT_page_down: return 1;
    default: return 0;
    }
}

struct lines { struct frame *f; size_t row, col, end, cols; };

__attribute__((format(printf, 4, 5)))
static void say(struct lines *l, enum style style, const char *name, const char *fmt, ...) {
    char text[320];
    va_list args;
    if (l->row >= l->end) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!text[0]) return;
    frame_text_in(l->f, l->row, l->col, 11, STYLE_DIM, name);
    size_t used = draw_paragraph(l->f, l->row, l->col + 11, l->end - l->row, l->cols > 12 ? l->cols - 12 : 1, style, text);
    l->row += used ? used : 1;
}

static void say_rank(struct app *a, struct lines *l) {
    const struct row *r = &a->row;
    char name[96], text[24];
    size_t above = 0, i = a->detail.ref.index;
    if (i >= r->n) return;
    while (above < r->n && r->order[above] != i) above++;
    struct score_format s = draw_score_format(r->largest);
    draw_score(text, s, r->score[i]);
    setting_name(a, name, sizeof name);
    say(l, STYLE_BOLD, "method", "%s", name);
    if (s.scale) say(l, STYLE_ACCENT, "score", "%s x 1e%d", text, s.scale);
    else say(l, STYLE_ACCENT, "score", "%s", text);
    say(l, STYLE_NORMAL, "rank", "%zu of %zu from the top, %zu from the bottom", above + 1, r->n, r->n - above);
    double leverage = setting_self_influence(a, i);
    if (isfinite(leverage)) say(l, STYLE_NORMAL, "self-infl.", "%.4f", leverage);
}

static void say_queries(struct app *a, struct lines *l) {
    const char *name = a->detail.opponents ? "opposes" : "supports";
    if (a->detail.ref.split != SPLIT_TRAIN) return;
    l->row++;
    if (a->detail.message[0]) say(l, STYLE_DIM, name, "%s", a->detail.message);
    for (size_t i = 0; i < a->detail.count; i++) {
        struct item_ref q = { a->row.set.split, a->detail.other[i].item };
        char id[32], text[24];
        item_ref_format(id, q);
        draw_score(text, draw_score_format(a->row.largest), a->detail.other[i].score);
        say(l, STYLE_NORMAL, i ? "" : name, "%-8s rank %-3zu %s", id, a->detail.other[i].rank, text);
    }
}

static void detail_draw(struct app *a, struct frame *f, struct area in) {
    const struct facts *it = facts_of(a, a->detail.ref);
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, it->checkpoint);
    char id[32], label[80];
    struct area inner = in;

    item_ref_format(id, a->detail.ref);
    facts_label(it, label, sizeof label);
    if (in.rows >= 4 && in.cols >= 20) {
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, id);
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 4 };
    }
    /* Side by side where there is room for the facts, else the picture above. */
    int beside = inner.cols >= 60;
    size_t h = draw_image_rows(a, beside ? inner.cols - 38 : inner.cols);
    if (h > inner.rows) h = inner.rows;
    if (!beside && h > inner.rows / 2) h = inner.rows / 2;
    size_t w = draw_image_cols(a, h);
    if (h) draw_image(a, f, inner.row, inner.col, h, w, a->detail.ref);
    struct lines l = { f, beside ? inner.row : inner.row + h, beside ? inner.col + w + 2 : inner.col,
                       inner.row + inner.rows, beside ? (inner.cols > w + 2 ? inner.cols - w - 2 : 1) : inner.cols };
    say(&l, STYLE_BOLD, "item", "%s %s", id, label);
    if (a->detail.ref.split == SPLIT_TRAIN) say_rank(a, &l);
    if (it->caption[0]) say(&l, STYLE_NORMAL, "caption", "%s", it->caption);
    if (it->sampler[0]) {
        say(&l, STYLE_NORMAL, "seed", "%llu", (unsigned long long)it->seed);
        say(&l, STYLE_NORMAL, "sampler", "%s, %zu steps", it->sampler, it->steps);
    }
    if (c) say(&l, STYLE_NORMAL, "checkpoint", "step %zu (%.0f%% of training)", c->step, c->percent);
    if (it->original[0]) say(&l, STYLE_NORMAL, "original", "%s", it->original);
    say(&l, STYLE_NORMAL, "image", "%zux%zu px, %zu bytes", it->width_px, it->height_px, it->image_bytes);
    say(&l, STYLE_DIM, "sha256", "%.16s…", it->sha256);
    say_queries(a, &l);
}

const struct screen screen_detail = { "zoom", IN_DETAIL, NULL, detail_draw, detail_act, NULL, NULL };

/* --- help: the list of keys --- */

struct help_row { char key[40]; const char *help; int heading; };

static void add_rows(enum context c, const char *heading, struct help_row *out, size_t *n, size_t max,
                     unsigned char *seen) {
    struct key_line l[80];
    size_t count = keys_lines(c, l, 80), first = *n;
    for (size_t i = 0; i < count && *n + 2 < max; i++) {
        if (seen[l[i].action]) continue;
        seen[l[i].action] = 1;
        if (*n == first) {
            out[*n].heading = 1;
            out[*n].help = heading;
            ++*n;
        }
        struct help_row *r = &out[(*n)++];
        snprintf(r->key, sizeof r->key, "%s%s%s", l[i].key, l[i].other[0] ? "  " : "", l[i].other);
        r->help = l[i].help;
        r->heading = 0;
    }
}

static size_t help_rows(const struct app *a, struct help_row *out, size_t max) {
    unsigned char seen[ACT_COUNT] = { 0 };
    size_t n = 0;
    /* The screen it was called from comes first, without a gap to what is on everywhere. */
    enum context here = a->depth >= 2 ? a->stack[a->depth - 2]->context : IN_GALLERY;
    static const enum context all[] = { IN_GALLERY, IN_RANKING, IN_COMPARE, IN_SELF, IN_EVALUATION, IN_JOBS, IN_DETAIL };
    seen[ACT_yes] = seen[ACT_no] = seen[ACT_help_close] = 1;
    add_rows(here, context_name(here), out, &n, max, seen);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) add_rows(all[i], context_name(all[i]), out, &n, max, seen);
    return n;
}

static int help_act(struct app *a, enum action k) {
    size_t page = a->help.rows ? a->help.rows : 1, end = a->help.lines > page ? a->help.lines - page : 0;
    size_t *top = &a->help.top;
    switch (k) {
    case ACT_up: if (*top) --*top; return 1;
    case ACT_down: if (*top < end) ++*top; return 1;
    case ACT_page_up: *top = *top > page ? *top - page : 0; return 1;
    case ACT_page_down: *top = *top + page < end ? *top + page : end; return 1;
    case ACT_first: *top = 0; return 1;
    case ACT_last: *top = end; return 1;
    case ACT_left: case ACT_right: return 1;
    case ACT_help_close: app_back(a); return 1;
    default: return 0;
    }
}

static void help_wheel(struct app *a, int down) { help_act(a, down ? ACT_down : ACT_up); }

static void help_open(struct app *a) { a->help.top = 0; }

static void help_draw(struct app *a, struct frame *f, struct area in) {
    struct help_row r[120];
    size_t n = help_rows(a, r, 120);
    struct area inner = in;
    if (in.rows >= 4 && in.cols >= 20) {
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, "keys");
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 4 };
    }
    size_t columns = inner.cols >= 130 ? 2 : 1, half = (n + columns - 1) / columns, w = inner.cols / columns;
    a->help.lines = half;
    a->help.rows = inner.rows;
    if (a->help.top + inner.rows > half) a->help.top = half > inner.rows ? half - inner.rows : 0;
    size_t key = inner.cols >= 60 ? 18 : 12;
    for (size_t i = 0; i < n; i++) {
        size_t c = i / half, at = i % half;
        if (at < a->help.top || at - a->help.top >= inner.rows) continue;
        size_t row = inner.row + at - a->help.top, col = inner.col + c * w;
        if (r[i].heading) {
            frame_text_in(f, row, col, w - 1, STYLE_TITLE, r[i].help);
        } else {
            frame_text_in(f, row, col + 1, key - 2, STYLE_ACCENT, r[i].key);
            frame_text_in(f, row, col + key, w > key + 1 ? w - key - 1 : 0, STYLE_NORMAL, r[i].help);
        }
    }
    if (half > inner.rows && in.rows >= 4)
        frame_printf(f, in.row + in.rows - 1, in.col + 2, inner.cols, STYLE_DIM, " %zu-%zu of %zu lines, down for more ",
                     a->help.top + 1, a->help.top + inner.rows, half);
}

const struct screen screen_help = { "help", IN_HELP, help_open, help_draw, help_act, NULL, help_wheel };

/* --- a question; the screen below stays visible --- */

static int ask_act(struct app *a, enum action k) {
    if (k == ACT_yes || k == ACT_quit) { a->done = 1; return 1; }
    if (k == ACT_no) { app_back(a); return 1; }
    return 0;
}

static void ask_draw(struct app *a, struct frame *f, struct area in) {
    if (a->depth >= 2) a->stack[a->depth - 2]->draw(a, f, in);
}

const struct screen screen_ask = { "question", IN_ASK, NULL, ask_draw, ask_act, NULL, NULL };
