/* overall.c - training items by their scores over all queries, beside self-influence:
 * who is behind everything, and who matters to nothing but itself. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/sort.h"

#include <math.h>
#include <string.h>

enum { BY_TOTAL, BY_SIZE, BY_SELF, BY_LEAST, SORTS };

void overall_free(struct app *a) {
    survey_answer_free(&a->overall.answer);
    mem_free(a->overall.self);
    mem_free(a->overall.order);
    a->overall.self = NULL;
    a->overall.order = NULL;
    a->overall.tiles.n = 0;
}

/* What the list is sorted by, largest first; items without a value come last. */
static double value_of(const struct app *a, size_t i) {
    switch (a->overall.sort) {
    case BY_SIZE: return a->overall.answer.absolute[i];
    case BY_SELF: return a->overall.self[i];
    case BY_LEAST: return -a->overall.answer.total[i];
    default: return a->overall.answer.total[i];
    }
}

static enum status sort_items(struct app *a) {
    size_t n = a->overall.answer.n;
    struct sort_entry *e = mem_array(2 * n + 1, sizeof *e);
    if (!e) return fail(ERR_NOMEM, "overall: out of memory");
    for (size_t i = 0; i < n; i++) {
        double value = value_of(a, i);
        e[i] = (struct sort_entry){ isnan(value) ? UINT64_MAX : sort_key_double(-value), i };
    }
    sort_entries(e, e + n, n);
    for (size_t i = 0; i < n; i++) a->overall.order[i] = (uint32_t)e[i].at;
    mem_free(e);
    a->overall.tiles.n = n;
    return OK;
}

/* What may be known by now of scores that are there: leverages come later. */
static enum status read_self(struct app *a) {
    a->overall.has_self = setting_self_influences(a, &a->overall.set, 0, a->overall.answer.n, a->overall.self);
    if (!a->overall.has_self && a->overall.sort == BY_SELF) a->overall.sort = BY_TOTAL;
    return sort_items(a);
}

static enum status take(struct app *a) {
    size_t n = a->overall.answer.n;
    a->overall.self = mem_array(n + 1, sizeof *a->overall.self);
    a->overall.order = mem_array(n + 1, sizeof *a->overall.order);
    if (!a->overall.self || !a->overall.order) return fail(ERR_NOMEM, "overall: out of memory");
    return read_self(a);
}

static void load(struct app *a) {
    struct score_set set;
    if (a->overall.stale) {
        enum split split = a->has_query ? a->query.split : SPLIT_GEN;
        a->overall.stale = 0;
        if (setting_find_set(a, split, &set) != OK) {
            char name[96];
            overall_free(a);
            setting_name(a, name, sizeof name);
            snprintf(a->overall.message, sizeof a->overall.message, "%s is not computed for %s items: %s shows what %s would do", name,
                     split_name(split), key_for(a, ACT_ranking), key_for(a, ACT_recompute));
            a->overall.set.id = 0;
            a->overall.part = -1;
            return;
        }
        /* What is there stays as long as it is of the same scores. */
        if (set.id == a->overall.set.id && set.rows_done == a->overall.set.rows_done && a->overall.tiles.n) {
            if (read_self(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
            return;
        }
        overall_free(a);
        a->overall.set = set;
        a->overall.part = 0;
        a->overall.message[0] = 0;
    }
    if (a->overall.part < 0) return;
    struct survey_request r = { SURVEY_TOTALS, a->overall.set.id, { SPLIT_TRAIN, 0 }, { SPLIT_GEN, 0 } };
    int got = survey_get(a->survey, &r, &a->overall.answer, &a->overall.part);
    if (got == 0) return;
    a->overall.part = -1;
    key_scores_are_there(a);
    if (got < 0 || take(a) != OK) snprintf(a->overall.message, sizeof a->overall.message, "%s", fail_reason());
}

static void open(struct app *a) { a->overall.stale = 1; }

static int act(struct app *a, enum action k) {
    static const char *const by[] = { "mean score", "mean absolute score", "self-influence", "mean score, lowest first" };
    struct item_ref ref = { SPLIT_TRAIN, 0 };
    int has = a->overall.tiles.cursor < a->overall.tiles.n;
    if (has) ref.index = a->overall.order[a->overall.tiles.cursor];
    if (tiles_act(&a->overall.tiles, k)) return 1;
    switch (k) {
    case ACT_overall_sort:
        if (!a->overall.answer.n) return 1;
        a->overall.sort = (a->overall.sort + 1) % SORTS;
        if (a->overall.sort == BY_SELF && !a->overall.has_self) a->overall.sort++;
        if (sort_items(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
        a->overall.tiles.cursor = 0;
        app_say(a, STYLE_NORMAL, "sorted by %s%s", by[a->overall.sort],
                a->overall.sort == BY_LEAST && !a->overall.has_self ? "; self-influence is not computed for this setting" : "");
        return 1;
    case ACT_overall_open: if (has) detail_open(a, ref); return 1;
    case ACT_mark: if (has) marks_toggle(a, ref); return 1;
    case ACT_reverse: if (has) reverse_open(a, ref); return 1;
    default: return 0;
    }
}

/* The magnitude that numbers of the list are written by. */
static float largest(const struct app *a) {
    double x = 0;
    if (a->overall.tiles.n) x = fmax(fabs(a->overall.answer.total[a->overall.order[0]]), a->overall.answer.absolute[a->overall.order[0]]);
    return (float)x;
}

static void get(struct app *a, size_t at, struct tile *out) {
    size_t i = a->overall.order[at];
    double x = a->overall.sort == BY_SELF ? a->overall.self[i] : a->overall.sort == BY_SIZE ? a->overall.answer.absolute[i]
                                                                                       : a->overall.answer.total[i];
    double top = fabs(value_of(a, a->overall.order[0]));
    out->ref = (struct item_ref){ SPLIT_TRAIN, i };
    if (a->overall.sort == BY_SELF) {
        if (isfinite(x)) snprintf(out->text, sizeof out->text, "%.3f", x);
    } else {
        draw_score(out->text, draw_score_format(largest(a)), (float)x);
    }
    if (isfinite(x) && top > 0) out->bar = fmax(-1, fmin(1, x / top));
}

void overall_search(struct app *a, int by) { tiles_search(a, &a->overall.tiles, by, get); }

static void click(struct app *a, size_t id, int twice) {
    if (id < a->overall.tiles.n) a->overall.tiles.cursor = id;
    if (twice) act(a, ACT_overall_open);
}

static void wheel(struct app *a, int down) { tiles_act(&a->overall.tiles, down ? ACT_page_down : ACT_page_up); }

/* --- drawing --- */

/* Would the self-influence screen make the leverages of these scores? */
static int is_offered(const struct score_set *s) {
    return !strcmp(s->method, method_name(METHOD_TRAK)) && s->checkpoints == 1 && !strcmp(s->lambda_spec, "auto");
}

static void draw_facts(struct app *a, struct frame *f, struct area in) {
    const struct survey_answer *x = &a->overall.answer;
    char id[32], label[80], text[24];
    size_t row = in.row, end = in.row + in.rows, h = draw_image_rows(a, in.cols);
    if (a->overall.tiles.cursor >= a->overall.tiles.n) return;
    size_t i = a->overall.order[a->overall.tiles.cursor];
    struct item_ref ref = { SPLIT_TRAIN, i };
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    if (h > in.rows / 2) h = in.rows / 2;
    if (h >= 3) {
        draw_image(a, f, row, in.col, h, draw_image_cols(a, h), ref);
        row += h;
    }
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_BOLD, "%s %s", id, label);
    row += draw_other_lambda(a, f, row, in.col, end - row, in.cols, &a->overall.set);
    struct score_format s = draw_score_format(largest(a));
    char scale[24] = "";
    if (s.scale) snprintf(scale, sizeof scale, " x 1e%d", s.scale);
    draw_score(text, s, (float)x->total[i]);
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_ACCENT, "mean score   %s%s", text, scale);
    draw_score(text, s, (float)x->absolute[i]);
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_ACCENT, "mean |score| %s%s", text, scale);
    snprintf(text, sizeof text, "%+.3g", x->total[i] * (double)x->queries);
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "total        %s", text);
    if (row < end && isfinite(a->overall.self[i]))
        frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "self-influence %.3g", a->overall.self[i]);
    else if (row < end && is_offered(&a->overall.set))
        frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "no self-influence: %s and %s", key_for(a, ACT_self), key_for(a, ACT_self_compute));
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "over %zu %s items", x->queries, split_name(a->overall.set.split));
    char behind[80];
    snprintf(behind, sizeof behind, "%s: the queries behind these numbers", key_for(a, ACT_reverse));
    if (row + 1 < end) draw_paragraph(f, row + 1, in.col, end - row - 1, in.cols, STYLE_DIM, behind);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    static const char *const by[] = { "mean score", "mean absolute score", "self-influence", "least mean score" };
    char title[160], scale[24] = "", lambda[48] = "";
    load(a);
    size_t side = in.cols >= 70 && in.rows >= 14 ? in.cols * 28 / 100 : 0;
    if (side > 44) side = 44;
    struct score_format s = draw_score_format(largest(a));
    if (!side) setting_other_lambda(a, &a->overall.set, lambda, sizeof lambda);   /* the side box says it with more words */
    if (s.scale && a->overall.tiles.n && a->overall.sort != BY_SELF) snprintf(scale, sizeof scale, " x 1e%d", s.scale);
    snprintf(title, sizeof title, "%sby %s%s%s%s", in.cols < 60 ? "" : "training items ", by[a->overall.sort], lambda[0] ? "  " : "", lambda, scale);
    struct area page = { in.row, in.col, in.rows, in.cols - side };
    tiles_draw(a, f, page, &a->overall.tiles, title, get);
    if (a->overall.tiles.n == 0) {
        char text[300];
        if (a->overall.part >= 0) snprintf(text, sizeof text, "adding up the scores of every query: %.0f%%", 100 * a->overall.part);
        else snprintf(text, sizeof text, "%s", a->overall.message);
        draw_paragraph(f, in.row + (in.rows >= 5 ? 1 + in.rows / 4 : 0), in.col + 2, in.rows > 2 ? in.rows - 2 : in.rows,
                       page.cols > 4 ? page.cols - 4 : 1, a->overall.part >= 0 ? STYLE_DIM : STYLE_WARN, text);
    }
    if (!side) return;
    frame_box(f, in.row, in.col + in.cols - side, in.rows, side, STYLE_BORDER, "over all queries");
    draw_facts(a, f, (struct area){ in.row + 1, in.col + in.cols - side + 1, in.rows - 2, side - 2 });
}

const struct screen screen_overall = { "overall", IN_OVERALL, open, draw, act, click, wheel };
