/* ranking.c - the training items behind one query: the main screen.
 *
 * The query stands at the left with what is known of it; its proponents above,
 * its opponents below.  Opponents count from the lowest score, as everywhere.
 * A setting without scores shows what it lacks instead of a ranking. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PANE = 1 << 24 };   /* a spot's id: the place in the list, plus this for opponents */

/* Items that pass the filter. */
static size_t shown(const struct row *r) { return r->list ? r->n_list : r->n; }

/* Place in the order, from 0, of what stands at `at` of a pane. */
static size_t place_of(const struct row *r, int opponents, size_t at) {
    size_t i = opponents ? shown(r) - 1 - at : at;
    return r->list ? r->list[i] : i;
}

static size_t item_at(const struct row *r, int opponents, size_t at) { return r->order[place_of(r, opponents, at)]; }

/* Its rank from the pane's end, from 1: filtered or not. */
static size_t rank_at(const struct row *r, int opponents, size_t at) {
    size_t place = place_of(r, opponents, at);
    return opponents ? r->n - place : place + 1;
}

struct item_ref ranking_selected(const struct app *a, size_t *rank, float *score, int *has) {
    const struct row *r = &a->row;
    struct item_ref ref = { SPLIT_TRAIN, 0 };
    size_t at = a->ranking.cursor[a->ranking.pane];
    *has = at < shown(r);
    if (!*has) return ref;
    ref.index = item_at(r, a->ranking.pane, at);
    *rank = rank_at(r, a->ranking.pane, at);
    *score = r->score[ref.index];
    return ref;
}

/* --- the filter --- */

void ranking_clamp(struct app *a) {
    size_t n = shown(&a->row);
    for (int p = 0; p < 2; p++)
        if (n && a->ranking.cursor[p] >= n) a->ranking.cursor[p] = n - 1;
}

void ranking_refilter(struct app *a) {
    struct row *r = &a->row;
    mem_free(r->list);
    r->list = NULL;
    r->n_list = 0;
    if (r->n == 0 || !a->ranking.filter[0]) return;
    r->list = mem_array(r->n, sizeof *r->list);
    if (!r->list) { app_say(a, STYLE_ERROR, "ranking: out of memory"); return; }
    for (size_t i = 0; i < r->n; i++) {
        size_t item = r->order[i];
        if ((!a->ranking.pass || (item < a->ranking.pass_n && a->ranking.pass[item])) && filter_score(a->ranking.filter, r->score[item]))
            r->list[r->n_list++] = (uint32_t)i;
    }
    ranking_clamp(a);
}

void ranking_repass(struct app *a) {
    size_t n = a->catalog.count[SPLIT_TRAIN];
    mem_free(a->ranking.pass);
    a->ranking.pass = NULL;
    a->ranking.pass_n = 0;
    if (a->ranking.filter[0]) {
        a->ranking.pass = mem_array(n + 1, 1);
        if (!a->ranking.pass || filter_items(a, SPLIT_TRAIN, a->ranking.filter, a->ranking.pass) != OK) {
            app_say(a, STYLE_ERROR, "%s", a->ranking.pass ? fail_reason() : "ranking: out of memory");
            a->ranking.filter[0] = 0;
        }
        a->ranking.pass_n = n;
    }
    ranking_refilter(a);
}

static void say_none_passes(struct app *a) {
    app_say(a, STYLE_WARN, "no training item passes '%s'; %s with nothing shows all", a->ranking.filter, key_for(a, ACT_filter));
}

void ranking_filter(struct app *a, const char *text) {
    if (!filter_check(a, text, 1)) return;
    if (text != a->ranking.filter) snprintf(a->ranking.filter, sizeof a->ranking.filter, "%s", text);
    ranking_repass(a);
    a->ranking.cursor[0] = a->ranking.cursor[1] = 0;
    if (a->ranking.filter[0] && a->row.n && shown(&a->row) == 0) say_none_passes(a);
}

/* --- acting --- */

static void move_to(struct app *a, size_t at) {
    size_t n = shown(&a->row);
    if (n == 0) return;
    a->ranking.cursor[a->ranking.pane] = at < n ? at : n - 1;
}

void ranking_search(struct app *a, int by) {
    const struct row *r = &a->row;
    size_t n = shown(r), from = a->ranking.cursor[a->ranking.pane];
    if (!a->search[0] || n == 0) {
        app_say(a, STYLE_NORMAL, "nothing to search for: %s takes a text", key_for(a, ACT_search));
        return;
    }
    for (size_t k = 1; k <= n; k++) {
        size_t at = (from + (by < 0 ? n - k : k)) % n;
        struct item_ref ref = { SPLIT_TRAIN, item_at(r, a->ranking.pane, at) };
        if (!search_finds(a, ref)) continue;
        move_to(a, at);
        if (k == n) app_say(a, STYLE_NORMAL, "the only match");
        else if (by < 0 ? at > from : at < from) app_say(a, STYLE_NORMAL, "went round the end");
        return;
    }
    app_say(a, STYLE_WARN, "no training item matches '%s'", a->search);
}

/* Items of the pane's page as last drawn: as a list the upper pane may have one line more. */
static size_t page_of(const struct app *a, int pane) { return a->ranking.per_page[pane] ? a->ranking.per_page[pane] : 1; }

/* The cursor crosses from one pane to the other where the grid ends. */
static void move_down(struct app *a, size_t across) {
    size_t *c = a->ranking.cursor, per = page_of(a, 0), lower = page_of(a, 1);
    if (a->ranking.pane == 0 && c[0] % per + across >= per) {
        a->ranking.pane = 1;
        move_to(a, c[1] / lower * lower + c[0] % across);
    } else if (c[a->ranking.pane] + across < shown(&a->row)) {
        move_to(a, c[a->ranking.pane] + across);
    }
}

static void move_up(struct app *a, size_t across) {
    size_t *c = a->ranking.cursor, per = page_of(a, 0), lower = page_of(a, 1);
    if (a->ranking.pane == 1 && c[1] % lower < across) {
        a->ranking.pane = 0;
        move_to(a, c[0] / per * per + (per / across - 1) * across + c[1] % across);
    } else if (c[a->ranking.pane] >= across) {
        move_to(a, c[a->ranking.pane] - across);
    }
}

static int act(struct app *a, enum action k) {
    size_t at = a->ranking.cursor[a->ranking.pane], n = shown(&a->row),
           across = a->ranking.across ? a->ranking.across : 1,
           page = page_of(a, a->ranking.pane);
    switch (k) {
    case ACT_method_next: setting_step_method(a, 1); return 1;
    case ACT_method_back: setting_step_method(a, -1); return 1;
    case ACT_loss_next: setting_step_loss(a, 1); return 1;
    case ACT_loss_back: setting_step_loss(a, -1); return 1;
    case ACT_ckpt_next: setting_step_checkpoint(a, 1); return 1;
    case ACT_ckpt_back: setting_step_checkpoint(a, -1); return 1;
    case ACT_lambda_up: setting_step_lambda(a, 1); return 1;
    case ACT_lambda_down: setting_step_lambda(a, -1); return 1;
    case ACT_recompute: setting_compute(a); return 1;
    case ACT_pane: if (n) a->ranking.pane = !a->ranking.pane; return 1;
    case ACT_left: if (at) move_to(a, at - 1); return 1;
    case ACT_right: move_to(a, at + 1); return 1;
    case ACT_up: if (n) move_up(a, across); return 1;
    case ACT_down: if (n) move_down(a, across); return 1;
    case ACT_page_up: move_to(a, at > page ? at - page : 0); return 1;
    case ACT_page_down: move_to(a, at + page); return 1;
    case ACT_first: move_to(a, 0); return 1;
    case ACT_last: move_to(a, n ? n - 1 : 0); return 1;
    case ACT_detail: {
        size_t rank;
        float score;
        int has;
        struct item_ref ref = ranking_selected(a, &rank, &score, &has);
        if (has) detail_open(a, ref);
        else if (a->row.n) say_none_passes(a);
        else if (a->row.ends[0] + a->row.ends[1])
            app_say(a, STYLE_NORMAL, "no more than these places is known; %s computes scores of all items", key_for(a, ACT_recompute));
        else if (a->has_query) setting_compute(a);
        return 1;
    }
    default: return 0;
    }
}

enum { QUERY_SPOT = PANE * 2 };

static void click(struct app *a, size_t id, int twice) {
    if (id == QUERY_SPOT) {
        if (twice && a->has_query) detail_open(a, a->query);
        return;
    }
    a->ranking.pane = id >= PANE;
    move_to(a, id % PANE);
    if (twice) act(a, ACT_detail);
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_page_down : ACT_page_up); }

/* --- drawing: the query --- */

struct fact_lines { struct frame *f; size_t row, col, end, cols; };

__attribute__((format(printf, 3, 4)))
static void fact(struct fact_lines *l, enum style style, const char *fmt, ...) {
    char text[256];
    va_list args;
    if (l->row >= l->end) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (text[0]) frame_text_in(l->f, l->row++, l->col, l->cols, style, text);
}

/* Query facts, most telling first: what does not fit is cut from the end. */
static void draw_query_facts(struct app *a, struct fact_lines *l) {
    const struct facts *q = facts_of(a, a->query);
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, q->checkpoint);
    char label[80];

    facts_label(q, label, sizeof label);
    fact(l, STYLE_BOLD, "%s", label);
    if (q->sampler[0]) fact(l, STYLE_NORMAL, "seed %llu · %s %zu", (unsigned long long)q->seed, q->sampler, q->steps);
    char words[96];
    if (c) checkpoint_words(words, c);
    if (c) fact(l, STYLE_NORMAL, "from %s", words);
    if (q->caption[0]) fact(l, STYLE_NORMAL, "%s", q->caption);
    if (a->ranking.has_nearest) {
        char id[32];
        item_ref_format(id, a->ranking.nearest);
        fact(l, STYLE_NORMAL, "nearest %s", id);
        fact(l, STYLE_DIM, "  pixel cos %.3f", (double)a->ranking.nearest_cos);
    }
}

/* "labels: first 100 (all)", then "Ankle boot 92% (50%)" and as many others as fit, several to
 * a line; how many do not fit is said on the first line. */
static void draw_label_shares(struct app *a, struct fact_lines *l) {
    enum { BELOW = 2 };   /* lines that the facts after these keep where there is room for both */
    size_t i, room = l->row < l->end ? l->end - l->row : 0, head = l->row;
    struct label_shares s = { 0 };
    if (room >= 2 && row_label_shares(a, &a->row, a->ranking.pane, &s) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    if (!s.places) return;
    size_t end = room > BELOW + 3 ? l->end - BELOW : l->end, at = 0;
    l->row++;
    for (i = 0; i < s.count; i++) {
        char name[80], numbers[48] = " ";
        label_share_name(name, sizeof name, &s.share[i]);
        label_share_numbers(numbers + 1, sizeof numbers - 1, &s, &s.share[i]);
        size_t after = text_width(numbers), w = text_width(name);
        if (at && at + 2 + w + after > l->cols) { l->row++; at = 0; }
        if (l->row >= end) break;
        if (at) at += 2;
        if (w + after > l->cols) w = l->cols > after ? l->cols - after : 0;   /* the numbers stay whole */
        frame_text_in(l->f, l->row, l->col + at, w, STYLE_DIM, name);
        frame_text_in(l->f, l->row, l->col + at + w, l->cols - at - w, STYLE_DIM, numbers);
        at += w + after;
    }
    if (at) l->row++;
    size_t used = frame_printf(l->f, head, l->col, l->cols, STYLE_NORMAL, "%s%s %zu (all)", l->cols >= 26 ? "labels: " : "",
                               a->ranking.pane ? "last" : "first", s.places);
    if (i < s.count && used + 2 < l->cols) frame_printf(l->f, head, l->col + used + 2, l->cols - used - 2, STYLE_DIM, "+%zu", s.count - i);
    label_shares_free(&s);
}

/* How far the first places can be trusted: "top 10: 7 signs sure". */
static void draw_trust(const struct app *a, struct fact_lines *l) {
    const struct row *r = &a->row;
    size_t k = r->trust.top < r->n ? r->trust.top : r->n, sure = 0;
    double stay = 0;
    if (!r->trust.n || !k) return;
    for (size_t at = 0; at < k; at++) {
        size_t item = r->order[at];
        sure += trust_is_determined(&r->trust, item, (double)r->score[item]) != 0;
        stay += r->trust.p_top[item];
    }
    if (sure == k) fact(l, STYLE_NORMAL, "top %zu: signs sure", k);   /* "10 signs sure" is cut at 80 columns */
    else fact(l, 2 * sure < k ? STYLE_WARN : STYLE_NORMAL, "top %zu: %zu signs sure", k, sure);
    fact(l, STYLE_DIM, "  %.1f likely to stay", stay);
}

static void draw_row_facts(struct app *a, struct fact_lines *l) {
    const struct row *r = &a->row;
    char d[24];
    if (r->n == 0) return;
    double lds = query_lds(a, a->query);
    if (isfinite(lds)) fact(l, lds > .1 ? STYLE_GOOD : STYLE_WARN, "LDS here %.1f", 100 * lds);
    draw_trust(a, l);
    draw_label_shares(a, l);
    if (r->set.k) fact(l, STYLE_DIM, "T %zu  k %zu  n %zu", r->set.timesteps, r->set.k, r->n);
    else fact(l, STYLE_DIM, "n %zu", r->n);
    if ((r->state == ROW_STORED || r->state == ROW_LIVE) && r->set.d_eff > 0) {
        draw_number(d, r->set.d_eff);
        fact(l, STYLE_DIM, "effective dim. %s", d);
    }
}

/* Cells after a score: a mark where its sign is open, and the error where there is room. */
static size_t trust_cells(const struct app *a, size_t room) {
    char text[24];
    if (!a->row.trust.n) return 0;
    draw_error(text, draw_score_format(a->row.largest), a->row.widest);
    size_t w = text_width(text) + 1;
    return room >= w + 3 ? w : room >= 1 ? 1 : 0;
}

/* At the end of a score that ends before (row, col): "?" where the sign is open, "±0.41". */
static void draw_score_trust(const struct app *a, struct frame *f, size_t row, size_t col, size_t cells, size_t item) {
    const struct trust *t = &a->row.trust;
    char text[24];
    if (!cells || item >= t->n) return;
    if (cells > 1) {
        draw_error(text, draw_score_format(a->row.largest), t->se[item]);
        frame_text_in(f, row, col + 1, cells - 1, STYLE_DIM, text);
    }
    if (!trust_is_determined(t, item, (double)a->row.score[item])) frame_text_in(f, row, col, 1, STYLE_WARN, "?");
}

/* The selected item at the same size below the query, so that the two can be compared. */
static void draw_selected(struct app *a, struct frame *f, struct area in, size_t h) {
    size_t rank = 0;
    float score = 0;
    int has;
    char id[32], label[80], text[24];
    struct item_ref ref = ranking_selected(a, &rank, &score, &has);
    if (!has) return;
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    frame_printf(f, in.row, in.col, in.cols, STYLE_FOCUS, "%s %s", id, label);
    draw_image(a, f, in.row + 1, in.col, h, draw_image_cols(a, h), ref);
    struct score_format form = draw_score_format(a->row.largest);
    draw_score(text, form, score);
    char power[12] = "";
    if (form.scale) snprintf(power, sizeof power, "e%d", form.scale);
    frame_printf(f, in.row + 1 + h, in.col, in.cols, STYLE_NORMAL, "%s %zu/%zu %s%s",
                 a->ranking.pane ? "opponent" : "proponent", rank, a->row.n, text, power);
    if (a->row.trust.n > ref.index) {
        draw_error(text, form, a->row.trust.se[ref.index]);
        frame_printf(f, in.row + 2 + h, in.col, in.cols, STYLE_DIM, "%s%s, rank %u-%u", text, power, a->row.trust.low[ref.index], a->row.trust.high[ref.index]);
        return;
    }
    double leverage = setting_self_influence(a, ref.index);
    if (isfinite(leverage)) frame_printf(f, in.row + 2 + h, in.col, in.cols, STYLE_DIM, "self-influence %.3f", leverage);
}

static void draw_query(struct app *a, struct frame *f, struct area in) {
    char id[32];
    item_ref_format(id, a->query);
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, id);
    struct area inner = { in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 };
    size_t facts = 8, h = draw_image_rows(a, inner.cols);
    /* Two pictures when both get at least seven rows. */
    int two = inner.rows >= 2 * 7 + facts + 4 && a->row.n > 0;
    /* A line for each of a few labels, as long as the pictures keep nine. */
    size_t labels = two ? catalog_labels(a)->count : 0;
    for (size_t wish = facts + (labels < 6 ? labels : 6); facts < wish && inner.rows >= 2 * 9 + facts + 1 + 4;) facts++;
    size_t room = two ? (inner.rows - facts - 4) / 2 : inner.rows > facts ? inner.rows - facts : inner.rows;
    if (h > room) h = room;
    draw_image(a, f, inner.row, inner.col, h, draw_image_cols(a, h), a->query);
    app_spot(a, inner.row, inner.col, h, inner.cols, QUERY_SPOT);
    struct fact_lines l = { f, inner.row + h, inner.col, inner.row + h + (two ? facts : inner.rows - h), inner.cols };
    draw_query_facts(a, &l);
    draw_row_facts(a, &l);
    if (two) {
        size_t used = l.row + 1 - inner.row;
        draw_selected(a, f, (struct area){ inner.row + used, inner.col, inner.rows - used, inner.cols }, h);
    }
}

/* --- drawing: the panes --- */

/* Cells of the widest score of the row. */
static size_t score_width(const struct app *a) {
    char text[24];
    draw_score(text, draw_score_format(a->row.largest), -a->row.largest);
    return strlen(text);
}

static void draw_tile(struct app *a, struct frame *f, size_t row, size_t col, const struct grid *g,
                      size_t below, int pane, size_t at) {
    struct item_ref ref = { SPLIT_TRAIN, item_at(&a->row, pane, at) };
    float score = a->row.score[ref.index];
    char id[32], label[80], text[24];
    size_t w = score_width(a);
    int selected = pane == a->ranking.pane && at == a->ranking.cursor[pane];

    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    size_t used = frame_printf(f, row, col, g->tile_cols, STYLE_NORMAL, "%s%zu %s", selected ? ">" : " ", rank_at(&a->row, pane, at), id);
    draw_image(a, f, row + 1, col + 1, g->image_rows, g->image_cols, ref);
    size_t line = row + 1 + g->image_rows;
    if (below >= 2) frame_text_in(f, line++, col + 1, g->tile_cols - 2, STYLE_DIM, label);
    draw_score(text, draw_score_format(a->row.largest), score);
    frame_printf(f, line, col + 1, g->tile_cols - 1, STYLE_ACCENT, "%*s", (int)w, text);
    if (selected) draw_selection(f, row, col, g, below);
    draw_mark(a, f, row, col + used, ref);
    size_t trust = trust_cells(a, g->tile_cols > w + 8 ? g->tile_cols - w - 8 : g->tile_cols > w + 2);
    draw_score_trust(a, f, line, col + 1 + w, trust, ref.index);
    w += trust;
    if (g->tile_cols > w + 4 && a->row.largest > 0)
        draw_tile_bar(f, line, col + w + 2, g->tile_cols - w - 4, (double)score / (double)a->row.largest, selected);
    app_spot(a, row, col, g->tile_rows, g->tile_cols, at + (pane ? PANE : 0));
}

static void draw_line(struct app *a, struct frame *f, size_t row, struct area in, size_t digits, int pane, size_t at) {
    struct item_ref ref = { SPLIT_TRAIN, item_at(&a->row, pane, at) };
    float score = a->row.score[ref.index];
    char id[32], label[80], text[24];
    size_t w = score_width(a), used, trust = trust_cells(a, in.cols > 40 ? 8 : 1);
    int selected = pane == a->ranking.pane && at == a->ranking.cursor[pane];
    enum style style = selected ? STYLE_SELECTED : STYLE_NORMAL;

    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    draw_score(text, draw_score_format(a->row.largest), score);
    if (selected) frame_fill(f, row, in.col, 1, in.cols, style, ' ');
    used = frame_printf(f, row, in.col, in.cols, style, "%s%*zu %*s%*s %-11s", selected ? ">" : " ", (int)digits, rank_at(&a->row, pane, at),
                        (int)w, text, (int)trust, "", id);
    draw_score_trust(a, f, row, in.col + 2 + digits + w, trust, ref.index);
    if (in.cols > used + 4) frame_text_in(f, row, in.col + used + 1, in.cols - used - 1, style, label);
    draw_mark(a, f, row, in.col + 3 + digits + w + trust + strlen(id), ref);
    app_spot(a, row, in.col, 1, in.cols, at + (pane ? PANE : 0));
}

static void pane_title(const struct app *a, int pane, size_t first, size_t last, char *out, size_t size) {
    struct score_format s = draw_score_format(a->row.largest);
    char scale[24] = "";
    if (s.scale) snprintf(scale, sizeof scale, "  score x 1e%d", s.scale);
    int has_opponents = !a->row.n || a->row.score[a->row.order[a->row.n - 1]] < 0;
    const char *name = !pane ? "proponents" : has_opponents ? "opponents" : "lowest", *filter = a->ranking.filter;
    int cut = (int)text_fit(filter, 40);
    if (a->row.list && !last) snprintf(out, size, "%s: none of %zu with '%.*s'", name, a->row.n, cut, filter);
    else if (a->row.list) snprintf(out, size, "%s %zu-%zu of %zu with '%.*s'%s", name, first, last, a->row.n_list, cut, filter, scale);
    else snprintf(out, size, "%s %zu-%zu of %zu%s", name, first, last, a->row.n, scale);
    size_t len = strlen(out);
    if (a->row.trust.n) snprintf(out + len, size - len, "  ?: sign not sure");
}

/* fit: rows that tiles may take, the same in both panes so that they look alike. */
static void draw_pane(struct app *a, struct frame *f, struct area in, size_t fit, int pane) {
    char title[120];
    size_t n = shown(&a->row), digits = 1;
    enum style style = pane == a->ranking.pane ? STYLE_FOCUS : STYLE_BORDER;
    int boxed = in.rows >= 5 && in.cols >= 20;
    struct area inner = boxed ? (struct area){ in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 }
                              : (struct area){ in.row + 1, in.col, in.rows - 1, in.cols };
    if (in.rows < 2) return;
    /* A caption and the score; the label too when the picture keeps five rows. */
    size_t below = fit >= 8 ? 2 : 1;
    struct grid g = draw_grid(a, fit, inner.cols, 1 + below, 12, 12);
    int tiles = boxed && fit >= 6 && g.rows && g.across >= 2 && g.image_rows >= 3;
    size_t across = tiles ? g.across : 1, per = tiles ? g.rows * g.across : inner.rows;
    if (per == 0) return;
    a->ranking.across = across;
    a->ranking.per_page[pane] = per;
    size_t top = a->ranking.cursor[pane] / per * per, last = top + per < n ? top + per : n;
    for (size_t x = last ? rank_at(&a->row, pane, last - 1) : 1; x >= 10; x /= 10) digits++;
    pane_title(a, pane, top + 1, last, title, sizeof title);
    if (boxed) frame_box(f, in.row, in.col, in.rows, in.cols, style, title);
    else frame_text_in(f, in.row, in.col, in.cols, style, title);
    for (size_t i = 0; top + i < last; i++) {
        if (tiles) draw_tile(a, f, inner.row + i / across * g.tile_rows, inner.col + i % across * g.tile_cols,
                             &g, below, pane, top + i);
        else draw_line(a, f, inner.row + i, inner, digits, pane, top + i);
    }
}

/* --- drawing: no scores --- */

void ranking_draw_absent(struct app *a, struct frame *f, struct area in) {
    char name[96], text[400], estimate[200];
    size_t row = in.row + (in.rows > 8 ? in.rows / 4 : 0), end = in.row + in.rows,
           col = in.col + 2, cols = in.cols > 4 ? in.cols - 4 : in.cols;
    const struct row *r = &a->row;
    struct jobs_now now = jobs_snapshot(a->jobs);

    if (in.rows >= 5 && in.cols >= 20) frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, "ranking");
    if (row == in.row && in.rows >= 5) row++;
    setting_name(a, name, sizeof name);
    if (r->state == ROW_WAITING) {
        snprintf(text, sizeof text, "%s: scores at λ %s are being computed; that takes seconds the first time.", name, a->setting.lambda);
        row += draw_paragraph(f, row, col, end - row, cols, STYLE_NORMAL, text) + 1;
        if (now.id && row < end) {
            snprintf(text, sizeof text, "Beside it runs: %s  %s %s", now.title, now.what, now.note);
            draw_paragraph(f, row, col, end - row, cols, STYLE_DIM, text);
        }
        return;
    }
    if (r->state == ROW_BAD) {
        draw_paragraph(f, row, col, end - row, cols, STYLE_ERROR, r->message);
        return;
    }
    if (r->state == ROW_ABSENT && r->ends[0] + r->ends[1] && row < end) {
        size_t top = in.rows >= 5 && in.cols >= 20;      /* within the box */
        ends_draw(a, f, (struct area){ in.row + top, col, in.rows - 2 * top, cols }, r);
        return;
    }
    int coming = setting_is_asked(a), has_lambda = a->setting.lambda[0] && method_has_lambda(a->setting.method);
    if (r->offer[0] && !coming) {
        draw_paragraph(f, row, col, end - row, cols, STYLE_WARN, r->offer);
        return;
    }
    snprintf(text, sizeof text, "%s%s%s: %s for %s items%s%s", name, has_lambda ? " with λ " : "",
             has_lambda ? a->setting.lambda : "", coming ? "being computed" : "not computed", split_name(a->query.split),
             a->jobs && !coming ? ": press " : "", a->jobs && !coming ? key_for(a, ACT_recompute) : "");
    row += draw_paragraph(f, row, col, end - row, cols, coming ? STYLE_GOOD : STYLE_WARN, text) + 1;
    if (row >= end) return;
    if (coming) {
        snprintf(text, sizeof text, "%s  %s %s", now.title, now.what, now.note);
        row += draw_paragraph(f, row, col, end - row, cols, STYLE_NORMAL, text);
        if (row + 1 < end && now.total > 0)
            frame_meter(f, row, col, cols < 60 ? cols : 60, STYLE_METER, now.done / now.total);
    } else if (a->jobs && method_is_direct(a->setting.method)) {
        setting_estimate(a, estimate, sizeof estimate);
        draw_paragraph(f, row, col, end - row, cols, STYLE_NORMAL, estimate);
    } else if (!a->jobs) {
        draw_paragraph(f, row, col, end - row, cols, STYLE_DIM, a->why_read_only);
    }
}

/* --- drawing: the whole --- */

static void draw_panes(struct app *a, struct frame *f, struct area in) {
    if (a->row.n == 0) { ranking_draw_absent(a, f, in); return; }
    size_t upper = (in.rows + 1) / 2, fit = in.rows / 2 > 2 ? in.rows / 2 - 2 : 0;
    draw_pane(a, f, (struct area){ in.row, in.col, upper, in.cols }, fit, 0);
    draw_pane(a, f, (struct area){ in.row + upper, in.col, in.rows - upper, in.cols }, fit, 1);
}

static size_t query_cols(struct area in) {
    size_t w = in.cols * 27 / 100;
    return w < 22 ? 22 : w > 46 ? 46 : w;
}

static void draw(struct app *a, struct frame *f, struct area in) {
    if (!a->has_query) {
        draw_paragraph(f, in.row + in.rows / 3, in.col + 2, in.rows, in.cols > 4 ? in.cols - 4 : 1, STYLE_DIM,
                       "No generated or held-out items to rank yet: dtrak sample makes generated ones.");
        return;
    }
    if (in.cols >= 60 && in.rows >= 14) {
        size_t w = query_cols(in);
        draw_query(a, f, (struct area){ in.row, in.col, in.rows, w });
        draw_panes(a, f, (struct area){ in.row, in.col + w, in.rows, in.cols - w });
    } else if (in.cols >= 34 && in.rows >= 5) {
        /* One picture and a text list. */
        size_t h = in.rows - 1 < 6 ? in.rows - 1 : 6, w = draw_image_cols(a, h);
        if (w > in.cols / 3) { w = in.cols / 3; h = draw_image_rows(a, w); }
        draw_image(a, f, in.row, in.col, h, w, a->query);
        app_spot(a, in.row, in.col, h, w, QUERY_SPOT);
        struct fact_lines l = { f, in.row + h, in.col, in.row + in.rows, w };
        draw_query_facts(a, &l);
        draw_panes(a, f, (struct area){ in.row, in.col + w + 1, in.rows, in.cols - w - 1 });
    } else {
        draw_panes(a, f, in);
    }
}

const struct screen screen_ranking = { "ranking", IN_RANKING, NULL, draw, act, click, wheel };
