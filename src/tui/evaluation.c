/* evaluation.c - the screen that says which setting to believe: the LDS of every
 * measured score set with its interval, and how it goes with the training and
 * with lambda. */
#include "app.h"

#include "plot.h"

#include "dtrak/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 2000 };

/* --- the list --- */

struct line { size_t at; double value, key[2]; };   /* at: in the catalog's score sets; key: what it is sorted by before the value */

static int by_keys(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    for (int k = 0; k < 2; k++)
        if (x->key[k] > y->key[k] || x->key[k] < y->key[k]) return x->key[k] < y->key[k] ? -1 : 1;
    if (x->value > y->value || x->value < y->value) return x->value > y->value ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* What the table is sorted by; ties, and everything by LDS, best first. */
enum { BY_LDS, BY_METHOD, BY_CHECKPOINT, BY_FEATURES, BY_STRENGTH, EVAL_SORTS };
static const char *const sort_name[EVAL_SORTS] = { "LDS", "method and loss", "training", "timesteps and k", "lambda" };

static double key_of(const struct app *a, size_t at, int part) {
    const struct score_set *s = &a->catalog.scores.set[at];
    const struct checkpoint *c;
    switch (a->evaluation.sort) {
    case BY_METHOD: return part ? (double)loss_parse(s->loss) : (double)method_parse(s->method, NULL);
    case BY_CHECKPOINT:
        c = s->checkpoints == 1 ? catalog_checkpoint(&a->catalog, s->checkpoint[0]) : NULL;
        return part ? 0 : c ? (double)c->step : -1;
    case BY_FEATURES: return part ? (double)s->k : (double)s->timesteps;
    case BY_STRENGTH: return part ? 0 : s->lambda_rel > 0 ? s->lambda_rel : -1;
    default: return 0;
    }
}

static const struct lds_row *lds_of(const struct app *a, size_t at) { return &a->catalog.measured[at].kind[a->evaluation.centred]; }

/* Measured sets of the split, in order: all, or without those of a sweep over lambda, which would fill the first pages
 * with what chance favoured. */
static size_t measured_of(const struct app *a, struct line *out, int all) {
    size_t n = 0;
    for (size_t i = 0; i < a->catalog.scores.count && n < ROWS_MAX; i++) {
        const struct measured *m = &a->catalog.measured[i];
        if (m->has && (all || !m->in_sweep) && a->catalog.scores.set[i].split == a->evaluation.split)
            out[n++] = (struct line){ i, lds_of(a, i)->value, { key_of(a, i, 0), key_of(a, i, 1) } };
    }
    qsort(out, n, sizeof *out, by_keys);
    return n;
}

/* What the table lists: every lambda when it is sorted by lambda. */
static size_t lines_of(const struct app *a, struct line *out) { return measured_of(a, out, a->evaluation.sort == BY_STRENGTH); }

static size_t count(const struct app *a) {
    static struct line l[ROWS_MAX];
    return lines_of(a, l);
}

static void open(struct app *a) {
    if (a->evaluation.split == SPLIT_TRAIN) a->evaluation.split = a->has_query ? a->query.split : SPLIT_GEN;
    if (count(a)) return;
    enum split other = a->evaluation.split == SPLIT_GEN ? SPLIT_VAL : SPLIT_GEN;
    for (size_t i = 0; i < a->catalog.scores.count; i++)
        if (a->catalog.measured[i].has && a->catalog.scores.set[i].split == other) a->evaluation.split = other;
}

/* --- acting --- */

static void take_setting(struct app *a) {
    static struct line l[ROWS_MAX];
    size_t n = lines_of(a, l);
    if (a->evaluation.cursor >= n) return;
    const struct score_set *s = &a->catalog.scores.set[l[a->evaluation.cursor].at], *shown = &a->row.set;
    enum method m = method_parse(s->method, NULL);
    enum loss loss = loss_parse(s->loss);
    if (m == METHOD_COUNT || s->checkpoints > 1 || a->catalog.count[s->split] == 0) {
        app_say(a, STYLE_WARN, "a set over several checkpoints: dtrak rank shows its rankings");
        return;
    }
    /* First the query: it may take the setting to the network that drew it, and here another may be asked for. */
    if (!a->has_query || a->query.split != s->split) app_set_query(a, (struct item_ref){ s->split, 0 });
    a->setting.method = m;
    if (loss != LOSS_COUNT) a->setting.loss = loss;
    if (s->checkpoints) a->setting.checkpoint = s->checkpoint[0];
    snprintf(a->setting.lambda, sizeof a->setting.lambda, "%s", strcmp(s->lambda_spec, "auto") ? s->lambda_spec : "");
    a->setting.timesteps = s->timesteps;
    a->setting.k = s->k;
    row_load(a);
    app_show(a, &screen_ranking);
    if (shown->id && (shown->timesteps != s->timesteps || shown->k != s->k))
        app_say(a, STYLE_WARN, "the ranking shows the scores of T %zu, k %zu; those of T %zu, k %zu were measured here and have none of their own",
                shown->timesteps, shown->k, s->timesteps, s->k);
}

static void measure(struct app *a) {
    struct retrained_counts n;
    if (!a->jobs) { app_say(a, STYLE_WARN, "%s", a->why_read_only); return; }
    if (store_retrained_count(a->store, &n) == OK && n.done == 0) {
        app_say(a, STYLE_WARN, "nothing was retrained yet: dtrak lds %s does (hours)", a->o.db);
        return;
    }
    if (jobs_add(a->jobs, "measure", "{}") != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_GOOD, "queued: LDS of every score set; it shows here when it is done");
}

static int act(struct app *a, enum action k) {
    if (k == ACT_eval_pairs) { pairs_toggle(a); return 1; }
    if (a->evaluation.pairs) return pairs_act(a, k);
    size_t n = count(a), *at = &a->evaluation.cursor, page = a->evaluation.per_page ? a->evaluation.per_page : 1;
    switch (k) {
    case ACT_up: if (*at) --*at; return 1;
    case ACT_down: if (*at + 1 < n) ++*at; return 1;
    case ACT_page_up: *at = *at > page ? *at - page : 0; return 1;
    case ACT_page_down: *at = *at + page < n ? *at + page : n ? n - 1 : 0; return 1;
    case ACT_first: *at = 0; return 1;
    case ACT_last: *at = n ? n - 1 : 0; return 1;
    case ACT_left: case ACT_right: return 1;
    case ACT_eval_split:
        a->evaluation.split = a->evaluation.split == SPLIT_GEN ? SPLIT_VAL : SPLIT_GEN;
        *at = 0;
        return 1;
    case ACT_eval_sort:
        if (n == 0) return 1;
        a->evaluation.sort = (a->evaluation.sort + 1) % EVAL_SORTS;
        *at = 0;
        app_say(a, STYLE_NORMAL, "sorted by %s%s", sort_name[a->evaluation.sort], a->evaluation.sort ? ", then LDS" : "");
        return 1;
    case ACT_eval_kind: a->evaluation.centred = !a->evaluation.centred; return 1;
    case ACT_eval_open: take_setting(a); return 1;
    case ACT_eval_run: measure(a); return 1;
    default: return 0;
    }
}

static void click(struct app *a, size_t id, int twice) {
    if (a->evaluation.pairs) { pairs_click(a, id, twice); return; }
    a->evaluation.cursor = id;
    if (twice) take_setting(a);
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_page_down : ACT_page_up); }

/* --- drawing: the table --- */

struct range { double low, high; };

static double or_value(double x, double value) { return isfinite(x) ? x : value; }

/* Of what is drawn, within [-1, 1]: no LDS lies beyond, though the interval of one of few subsets may. */
static struct range range_of(const struct app *a, const struct line *l, size_t n) {
    struct range r = { 0, 0.05 };
    for (size_t i = 0; i < n; i++) {
        const struct lds_row *x = lds_of(a, l[i].at);
        r.low = fmin(r.low, or_value(x->low, x->value));
        r.high = fmax(r.high, or_value(x->high, x->value));
        if (isfinite(x->ceiling)) r.high = fmax(r.high, x->value);
    }
    return (struct range){ fmax(r.low, -1), fmin(r.high, 1) };
}

/* The column of a number, the nearest where it lies outside. */
static size_t column_of(double x, struct range r, size_t cols) {
    double at = (x - r.low) / (r.high - r.low) * (double)(cols - 1) + .5;
    return at > 0 ? at < (double)cols ? (size_t)at : cols - 1 : 0;
}

/* The interval as a line, the value on it, zero as a stroke. */
static void draw_interval(struct frame *f, size_t row, size_t col, size_t cols, struct range r, const struct lds_row *x) {
    size_t zero = column_of(0, r, cols), at = column_of(x->value, r, cols);
    frame_text(f, row, col + zero, STYLE_DIM, "│");
    if (isfinite(x->low) && isfinite(x->high)) {
        size_t from = column_of(x->low, r, cols), to = column_of(x->high, r, cols);
        for (size_t c = from; c <= to; c++) frame_text(f, row, col + c, x->low > 0 ? STYLE_GOOD : STYLE_METER, "─");
    }
    frame_text(f, row, col + at, STYLE_ACCENT, "●");
}

/* Numbers under the intervals, as many as there is room for, each below its place. */
static void draw_axis(struct frame *f, size_t row, size_t col, size_t cols, struct range r) {
    static const double steps[] = { .01, .02, .05, .1, .2, .5, 1 };
    double scale = (double)(cols - 1) / (r.high - r.low), step = 1;
    for (size_t i = sizeof steps / sizeof *steps; i-- > 0;)
        if (steps[i] * scale >= 5) step = steps[i];
    for (double x = ceil(r.low / step) * step; x <= r.high; x += step) {
        char text[16];
        snprintf(text, sizeof text, "%.0f", fabs(x) < step / 2 ? 0 : 100 * x);   /* sums of steps miss it: "-0" */
        size_t at = column_of(x, r, cols), half = (strlen(text) - 1) / 2;
        if (at < half || at - half + strlen(text) > cols) continue;
        frame_text(f, row, col + at - half, STYLE_DIM, text);
    }
}

/* Does the ranking show this very set?  At a lambda that is computed live it only steps from one. */
static int is_shown(const struct app *a, const struct score_set *s) { return a->row.state == ROW_STORED && a->row.set.id == s->id; }

static void setting_words(const struct app *a, const struct score_set *s, char *out, size_t size) {
    char name[METHOD_DISPLAY], step[96] = "", network[64], lambda[40] = "", features[48] = "";
    enum method m = method_parse(s->method, NULL);
    method_display(name, m, loss_parse(s->loss));
    const struct checkpoint *c = s->checkpoints == 1 ? catalog_checkpoint(&a->catalog, s->checkpoint[0]) : NULL;
    if (c) checkpoint_network(network, c);
    if (c) snprintf(step, sizeof step, "%s%s %.0f%%", network[0] ? " " : "", network, c->percent);
    else if (s->checkpoints > 1) snprintf(step, sizeof step, " %zu ckpts", s->checkpoints);
    if (s->k) snprintf(features, sizeof features, " T %zu k %zu", s->timesteps, s->k);
    if (s->lambda_spec[0] && strcmp(s->lambda_spec, "auto")) snprintf(lambda, sizeof lambda, " λ %s", s->lambda_spec);
    snprintf(out, size, "%s%s%s%s", m == METHOD_COUNT ? s->method : name, step, features, lambda);
}

/* The longest name whole, while that leaves room for intervals. */
static size_t name_cols(const struct app *a, const struct line *l, size_t n, size_t most) {
    size_t longest = 24;
    for (size_t i = 0; i < n && longest < most; i++) {
        char text[160];
        setting_words(a, &a->catalog.scores.set[l[i].at], text, sizeof text);
        if (text_width(text) > longest) longest = text_width(text);
    }
    return longest < most ? longest : most;
}

/* Sets of sweeps over lambda that the table leaves out. */
static size_t hidden_of(const struct app *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->catalog.scores.count && a->evaluation.sort != BY_STRENGTH; i++)
        n += a->catalog.measured[i].in_sweep && a->catalog.scores.set[i].split == a->evaluation.split;
    return n;
}

static void draw_table(struct app *a, struct frame *f, struct area in, const struct line *l, size_t n) {
    char title[160];
    struct range r = range_of(a, l, n);
    size_t hidden = hidden_of(a);
    snprintf(title, sizeof title, "LDS x 100 on %s items%s, %zu settings%s%s", split_name(a->evaluation.split),
             a->evaluation.centred ? ", centred" : "", n, a->evaluation.sort ? " by " : "", a->evaluation.sort ? sort_name[a->evaluation.sort] : "");
    size_t len = strlen(title);
    if (hidden) snprintf(title + len, sizeof title - len, ", %zu more at other λ", hidden);
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, title);
    if (in.rows < 3 || in.cols < 20) return;
    size_t words = in.cols >= 70 ? name_cols(a, l, n, in.cols - 40) : in.cols - 18;
    size_t bar = in.cols > words + 24 ? in.cols - words - 20 : 0;
    int has_axis = bar > 8 && in.rows > 5;
    size_t rows = in.rows - 2 - (has_axis ? 1 : 0);
    a->evaluation.per_page = rows;
    if (a->evaluation.cursor >= n) a->evaluation.cursor = n ? n - 1 : 0;
    size_t top = a->evaluation.cursor / rows * rows;
    for (size_t i = top; i < n && i - top < rows; i++) {
        const struct lds_row *x = lds_of(a, l[i].at);
        size_t row = in.row + 1 + i - top;
        char text[160];
        int selected = i == a->evaluation.cursor;
        enum style style = selected ? STYLE_SELECTED : STYLE_NORMAL;
        setting_words(a, &a->catalog.scores.set[l[i].at], text, sizeof text);
        if (selected) {
            frame_fill(f, row, in.col + 1, 1, words + 16, style, ' ');
            frame_text(f, row, in.col + 1, style, ">");
        } else if (is_shown(a, &a->catalog.scores.set[l[i].at])) {
            frame_text(f, row, in.col + 1, STYLE_ACCENT, "•");
        }
        frame_text_in(f, row, in.col + 2, words, style, text);
        if (isfinite(x->se)) frame_printf(f, row, in.col + 2 + words, 15, style, "%6.1f ±%-5.1f", 100 * x->value, 100 * x->se);
        else frame_printf(f, row, in.col + 2 + words, 15, style, "%6.1f", 100 * x->value);
        if (bar > 8) draw_interval(f, row, in.col + words + 18, bar, r, x);
        app_spot(a, row, in.col, 1, in.cols, i);
    }
    if (has_axis) draw_axis(f, in.row + in.rows - 2, in.col + words + 18, bar, r);
}

/* --- drawing: what goes with the selected setting --- */

enum axis { BY_TRAINING, BY_LAMBDA, BY_TIMESTEPS, BY_K, AXES, BY_LOSS = AXES };   /* the last is no number: draw_losses() */
static const char *const axis_name[AXES] = { "LDS against training", "LDS against λ (log)", "LDS against timesteps (log)", "LDS against k (log)" };

/* Two sets that differ in nothing but where they stand on the axis. */
static int same_family(const struct app *app, const struct score_set *a, const struct score_set *b, enum axis axis) {
    if (strcmp(a->method, b->method) || (axis != BY_LOSS && strcmp(a->loss, b->loss) != 0) || a->split != b->split || strcmp(a->params, b->params)) return 0;
    if (axis != BY_TIMESTEPS && a->timesteps != b->timesteps) return 0;
    if (axis != BY_K && a->k != b->k) return 0;
    if (axis != BY_LAMBDA && strcmp(a->lambda_spec, b->lambda_spec) != 0) return 0;
    if (axis == BY_TRAINING) {
        if (a->checkpoints != 1 || b->checkpoints != 1) return 0;
        const struct checkpoint *x = catalog_checkpoint(&app->catalog, a->checkpoint[0]), *y = catalog_checkpoint(&app->catalog, b->checkpoint[0]);
        return x && y && x->network == y->network;
    }
    return a->checkpoints == b->checkpoints && (!a->checkpoints || a->checkpoint[0] == b->checkpoint[0]);
}

/* Where a set stands on the axis, from 0: percent of the training, or a logarithm; NAN: nowhere. */
static double place(const struct app *a, const struct score_set *s, enum axis axis) {
    if (axis == BY_LAMBDA) return s->lambda_rel > 0 ? log10(s->lambda_rel) : NAN;
    if (axis == BY_TIMESTEPS) return s->timesteps ? log10((double)s->timesteps) : NAN;
    if (axis == BY_K) return s->k ? log10((double)s->k) : NAN;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, s->checkpoint[0]);
    return c ? c->percent : NAN;
}

static void end_text(char out[24], double at, enum axis axis) {
    enum { size = 24 };
    if (axis == BY_TRAINING) snprintf(out, size, "%.0f%%", at);
    else if (axis == BY_LAMBDA) draw_number(out, pow(10, at));
    else snprintf(out, size, "%.0f", pow(10, at));
}

/* LDS against one thing that differs, with intervals; returns 0 when only one place is taken. */
static int draw_against(struct app *a, struct frame *f, struct area in, const struct score_set *mine, const struct line *l, size_t n,
                        enum axis axis) {
    double low = INFINITY, high = -INFINITY, bottom = 0, top = .05;
    enum { ENDS, INTERVALS, VALUES, PASSES };
    struct plot bars;
    plot_start(&bars, in.rows - 2, in.cols - 6);
    /* The ends of the axes, the intervals, and over them the values. */
    for (int pass = ENDS; pass < PASSES; pass++) {
        for (size_t i = 0; i < n; i++) {
            const struct score_set *s = &a->catalog.scores.set[l[i].at];
            const struct lds_row *x = lds_of(a, l[i].at);
            double at = same_family(a, mine, s, axis) ? place(a, s, axis) : NAN;
            if (!isfinite(at)) continue;
            double u = high > low ? (at - low) / (high - low) : .5, h = top - bottom;
            if (pass == ENDS) {
                low = fmin(low, at);
                high = fmax(high, at);
                bottom = fmin(bottom, or_value(x->low, x->value));
                top = fmax(top, or_value(x->high, x->value));
            } else if (pass == VALUES) {
                plot_mark(&bars, f, in.row + 1, in.col + 6, u, (x->value - bottom) / h, STYLE_ACCENT, "●");
            } else if (isfinite(x->low) && isfinite(x->high)) {
                plot_line(&bars, u, (x->low - bottom) / h, u, (x->high - bottom) / h);
            }
        }
        if (pass == ENDS && !(high > low)) return 0;
        if (pass == INTERVALS) plot_draw(&bars, f, in.row + 1, in.col + 6, STYLE_METER);
    }
    frame_text_in(f, in.row, in.col, in.cols, STYLE_DIM, axis_name[axis]);
    frame_printf(f, in.row + 1, in.col, 6, STYLE_DIM, "%5.1f", 100 * top);
    frame_printf(f, in.row + in.rows - 2, in.col, 6, STYLE_DIM, "%5.1f", 100 * bottom);
    char left[24], right[24];
    end_text(left, low, axis);
    end_text(right, high, axis);
    frame_text(f, in.row + in.rows - 1, in.col + 6, STYLE_DIM, left);
    frame_text(f, in.row + in.rows - 1, in.col + in.cols - text_width(right), STYLE_DIM, right);
    return 1;
}

/* Is there more than one place on the axis? */
static int varies(const struct app *a, const struct score_set *mine, const struct line *l, size_t n, enum axis axis) {
    double first = NAN;
    for (size_t i = 0; i < n; i++) {
        const struct score_set *s = &a->catalog.scores.set[l[i].at];
        double at = same_family(a, mine, s, axis) ? place(a, s, axis) : NAN;
        if (!isfinite(at)) continue;
        if (!isfinite(first)) first = at;
        else if (at < first || at > first) return 1;
    }
    return 0;
}

static void draw_facts(struct app *a, struct frame *f, struct area in, const struct line *l) {
    const struct lds_row *x = lds_of(a, l[a->evaluation.cursor].at);
    const struct score_set *s = &a->catalog.scores.set[l[a->evaluation.cursor].at];
    char text[160];
    size_t row = in.row, end = in.row + in.rows;
    setting_words(a, s, text, sizeof text);
    if (row < end) frame_text_in(f, row++, in.col, in.cols, STYLE_FOCUS, text);
    if (row < end && is_shown(a, s)) frame_text_in(f, row++, in.col, in.cols, STYLE_ACCENT, "• shown in the ranking");
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "%zu subsets, %zu queries", x->subsets, x->queries);
    if (row < end && isfinite(x->low)) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "95 %%: %.1f to %.1f", 100 * x->low, 100 * x->high);
    if (row < end && isfinite(x->ceiling)) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, "ceiling %.1f", 100 * x->ceiling);
    if (row < end && isfinite(x->q_eff)) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "worth %.0f unrelated queries", x->q_eff);
    if (row < end && s->lambda_rel > 0) {
        char number[24];
        draw_number(number, s->lambda_rel);
        frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "λ %s  effective dim. %.0f", number, s->d_eff);
    }
}

static void draw_side(struct app *a, struct frame *f, struct area in, const struct line *shown) {
    static struct line l[ROWS_MAX];
    size_t n = measured_of(a, l, 1);
    const struct score_set *mine = &a->catalog.scores.set[shown[a->evaluation.cursor].at];
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, "this setting");
    struct area inner = { in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 };
    draw_facts(a, f, (struct area){ inner.row, inner.col, inner.rows, inner.cols }, shown);
    /* As many plots as there is room for, all as tall as that leaves them. */
    size_t row = inner.row + 8, plots = 0, room = inner.rows > 8 ? inner.rows - 8 : 0;
    if (inner.cols < 20) return;
    for (int axis = 0; axis < AXES; axis++) plots += (size_t)varies(a, mine, l, n, (enum axis)axis);
    while (plots && room / plots < 7) plots--;
    size_t h = plots ? room / plots - 1 : 0;
    if (h > 12) h = 12;
    for (int axis = 0; axis < AXES && plots; axis++)
        if (draw_against(a, f, (struct area){ row, inner.col, h, inner.cols }, mine, l, n, (enum axis)axis)) {
            row += h + 1;
            plots--;
        }
}

/* --- drawing: by loss function --- */

/* The sets that differ from one of them in the loss alone, in the order of enum loss: places in l. */
static size_t by_loss(const struct app *a, const struct line *l, size_t n, size_t of, size_t out[LOSS_COUNT]) {
    size_t at[LOSS_COUNT], count = 0;
    const struct score_set *ref = &a->catalog.scores.set[l[of].at];
    for (int k = 0; k < LOSS_COUNT; k++) at[k] = n;
    for (size_t i = 0; i < n; i++) {
        const struct score_set *s = &a->catalog.scores.set[l[i].at];
        enum loss k = loss_parse(s->loss);
        if (k != LOSS_COUNT && (i == of || at[k] == n) && same_family(a, ref, s, BY_LOSS)) at[k] = i;
    }
    for (int k = 0; k < LOSS_COUNT; k++)
        if (at[k] < n) out[count++] = at[k];
    return count;
}

/* Those of the selected set, else of trak at the last checkpoint; fewer than two: there is nothing to compare. */
static size_t find_losses(const struct app *a, const struct line *l, size_t n, size_t out[LOSS_COUNT]) {
    const struct checkpoint_list *c = &a->catalog.checkpoints;
    size_t count = by_loss(a, l, n, a->evaluation.cursor < n ? a->evaluation.cursor : 0, out);
    for (size_t i = 0; i < n && count < 2 && c->count; i++) {
        const struct score_set *s = &a->catalog.scores.set[l[i].at];
        if (method_parse(s->method, NULL) == METHOD_TRAK && s->checkpoints == 1 && s->checkpoint[0] == checkpoint_list_last(c)->id)
            count = by_loss(a, l, n, i, out);
    }
    return count;
}

/* A line for each, its interval on one scale with the others. */
static void draw_losses(struct app *a, struct frame *f, struct area in, const struct line *l, const size_t *at, size_t count) {
    enum { NAME = 8, VALUE = 15 };
    struct line mine[LOSS_COUNT] = { { 0 } };
    char words[160], title[200], network[64] = "";
    const struct score_set *s = &a->catalog.scores.set[l[at[0]].at];
    const struct checkpoint *c = s->checkpoints == 1 ? catalog_checkpoint(&a->catalog, s->checkpoint[0]) : NULL;
    int len = snprintf(words, sizeof words, "%s", s->method);
    if (c) checkpoint_network(network, c);
    if (c) len += snprintf(words + len, sizeof words - (size_t)len, "%s%s %.0f%%", network[0] ? " " : "", network, c->percent);
    if (s->k) len += snprintf(words + len, sizeof words - (size_t)len, " T %zu k %zu", s->timesteps, s->k);
    if (s->lambda_spec[0]) snprintf(words + len, sizeof words - (size_t)len, " λ %.24s", s->lambda_spec);
    snprintf(title, sizeof title, "LDS by loss function: %s", words);
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, title);
    for (size_t i = 0; i < count; i++) mine[i] = l[at[i]];
    struct range r = range_of(a, mine, count);
    for (size_t i = 0; i < count; i++) {
        const struct lds_row *x = lds_of(a, mine[i].at);
        size_t row = in.row + 1 + i, col = in.col + 2;
        enum style style = at[i] == a->evaluation.cursor ? STYLE_SELECTED : STYLE_NORMAL;
        frame_printf(f, row, col, NAME, style, "%-8s", a->catalog.scores.set[mine[i].at].loss);
        if (isfinite(x->se)) frame_printf(f, row, col + NAME, VALUE, style, "%6.1f ±%-5.1f", 100 * x->value, 100 * x->se);
        else frame_printf(f, row, col + NAME, VALUE, style, "%6.1f", 100 * x->value);
        draw_interval(f, row, col + NAME + VALUE, in.cols - NAME - VALUE - 4, r, x);
        app_spot(a, row, in.col, 1, in.cols, at[i]);
    }
    draw_axis(f, in.row + 1 + count, in.col + 2 + NAME + VALUE, in.cols - NAME - VALUE - 4, r);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    if (a->evaluation.pairs) { pairs_draw(a, f, in); return; }
    static struct line l[ROWS_MAX];
    size_t n = lines_of(a, l);
    if (n == 0) {
        struct retrained_counts done = { 0 };
        char text[400];
        store_retrained_count(a->store, &done);
        if (done.done)
            snprintf(text, sizeof text, "%zu networks were retrained, and no score set of %s items was measured against them: "
                     "%s measures, %s shows the other split.", done.done, split_name(a->evaluation.split), key_for(a, ACT_eval_run), key_for(a, ACT_eval_split));
        else
            snprintf(text, sizeof text, "Nothing was retrained yet, so nobody knows how far these scores can be trusted. dtrak lds "
                     "retrains on subsets of the training items (hours; it can be stopped and goes on), and %s here measures.", key_for(a, ACT_eval_run));
        draw_paragraph(f, in.row + in.rows / 3, in.col + 2, in.rows - in.rows / 3, in.cols > 4 ? in.cols - 4 : 1, STYLE_DIM, text);
        return;
    }
    size_t side = in.cols >= 110 && in.rows >= 12 ? in.cols * 30 / 100 : 0;
    size_t losses[LOSS_COUNT], count_losses = find_losses(a, l, n, losses), below = count_losses >= 2 ? count_losses + 3 : 0;
    /* The table keeps what it needs, or 18 lines. */
    if (in.cols - side < 60 || in.rows < (n < 16 ? n : 16) + 2 + below) below = 0;
    draw_table(a, f, (struct area){ in.row, in.col, in.rows - below, in.cols - side }, l, n);
    if (below) draw_losses(a, f, (struct area){ in.row + in.rows - below, in.col, below, in.cols - side }, l, losses, count_losses);
    if (side) draw_side(a, f, (struct area){ in.row, in.col + in.cols - side, in.rows, side }, l);
}

const struct screen screen_evaluation = { "evaluation", IN_EVALUATION, open, draw, act, click, wheel };
