/* reverse.c - from a training item to the queries: which outputs used this picture?
 *
 * A page of the queries that it supports most, or opposes most, with its score and its
 * rank for each. */
#include "app.h"

#include "dtrak/listing.h"
#include "dtrak/mem.h"
#include "dtrak/ranking.h"

#include <math.h>
#include <string.h>

void reverse_free(struct app *a) {
    survey_answer_free(&a->reverse.answer);
    mem_free(a->reverse.order);
    a->reverse.order = NULL;
    a->reverse.tiles.n = 0;
}

static enum status sort_answer(struct app *a) {
    const struct survey_answer *x = &a->reverse.answer;
    size_t count = 0;
    struct ranking_entry *e = mem_array(x->n + 1, sizeof *e);
    mem_free(a->reverse.order);
    a->reverse.order = mem_array(x->n + 1, sizeof *a->reverse.order);
    enum status st = e && a->reverse.order ? OK : fail(ERR_NOMEM, "reverse: out of memory");
    if (st == OK && x->n)
        st = a->reverse.opponents ? ranking_bottom(x->score, x->n, x->n, e, &count) : ranking_top(x->score, x->n, x->n, e, &count);
    a->reverse.largest = 0;
    for (size_t i = 0; i < count; i++) {
        a->reverse.order[i] = (uint32_t)e[i].index;
        a->reverse.largest = fmaxf(a->reverse.largest, fabsf(e[i].score));
    }
    a->reverse.tiles.n = count;
    mem_free(e);
    return st;
}

static void find_set(struct app *a) {
    struct score_set set;
    int found = setting_find_set(a, a->reverse.split, &set) == OK;
    a->reverse.stale = 0;
    /* What is there stays as long as it is of the same scores; which end is wanted may be another. */
    if (found && a->reverse.answer.n && set.id == a->reverse.set.id && set.rows_done == a->reverse.set.rows_done &&
        a->reverse.answered.split == a->reverse.ref.split && a->reverse.answered.index == a->reverse.ref.index) {
        if (sort_answer(a) != OK) snprintf(a->reverse.message, sizeof a->reverse.message, "%s", fail_reason());
        return;
    }
    reverse_free(a);
    a->reverse.message[0] = 0;
    a->reverse.part = 0;
    memset(&a->reverse.set, 0, sizeof a->reverse.set);
    if (found) {
        a->reverse.set = set;
        return;
    }
    char name[96];
    setting_name(a, name, sizeof name);
    snprintf(a->reverse.message, sizeof a->reverse.message, "%s is not computed for %s items: %s shows what %s would do", name,
             split_name(a->reverse.split), key_for(a, ACT_ranking), key_for(a, ACT_recompute));
    a->reverse.part = -1;
}

static void load(struct app *a) {
    if (a->reverse.stale) find_set(a);
    if (a->reverse.part < 0) return;
    struct survey_request r = { SURVEY_ITEM, a->reverse.set.id, a->reverse.ref, { SPLIT_GEN, 0 } };
    int got = survey_get(a->survey, &r, &a->reverse.answer, &a->reverse.part);
    if (got == 0) return;
    a->reverse.part = -1;
    key_scores_are_there(a);
    a->reverse.answered = a->reverse.ref;
    if (got < 0 || sort_answer(a) != OK)
        snprintf(a->reverse.message, sizeof a->reverse.message, "%s", fail_reason());
}

static void open(struct app *a) { a->reverse.stale = 1; }

void reverse_open(struct app *a, struct item_ref ref) {
    if (ref.split != SPLIT_TRAIN) {
        app_say(a, STYLE_WARN, "a query is what training items support; %s is for a training item", key_for(a, ACT_reverse));
        return;
    }
    a->reverse.ref = ref;
    a->reverse.split = a->has_query ? a->query.split : SPLIT_GEN;
    a->reverse.opponents = 0;
    a->reverse.tiles.cursor = 0;
    app_show(a, &screen_reverse);
}

/* The query's ranking, with the cursor on the item. */
static void open_query(struct app *a) {
    size_t at = a->reverse.tiles.cursor;
    if (at >= a->reverse.tiles.n) return;
    uint32_t k = a->reverse.order[at];
    app_set_query(a, (struct item_ref){ a->reverse.split, a->reverse.answer.query[k] });
    app_show(a, &screen_ranking);
    if (a->row.list) ranking_filter(a, "");      /* it may not pass */
    for (size_t i = 0; i < a->row.n; i++) {
        if (a->row.order[i] != a->reverse.ref.index) continue;
        a->ranking.pane = i >= a->row.n / 2;
        a->ranking.cursor[a->ranking.pane] = a->ranking.pane ? a->row.n - 1 - i : i;
    }
}

static int act(struct app *a, enum action k) {
    if (tiles_act(&a->reverse.tiles, k)) return 1;
    switch (k) {
    case ACT_reverse_open: open_query(a); return 1;
    case ACT_reverse_side:
        a->reverse.opponents = !a->reverse.opponents;
        a->reverse.tiles.cursor = 0;
        if (a->reverse.answer.n && sort_answer(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
        return 1;
    case ACT_reverse_query: {
        enum split other = a->reverse.split == SPLIT_GEN ? SPLIT_VAL : SPLIT_GEN;
        if (a->catalog.count[other] == 0) {
            app_say(a, STYLE_WARN, "there are no %s items", split_name(other));
            return 1;
        }
        a->reverse.split = other;
        a->reverse.stale = 1;
        return 1;
    }
    default: return 0;
    }
}

static void get(struct app *a, size_t at, struct tile *out) {
    uint32_t k = a->reverse.order[at], rank = a->reverse.answer.rank[k];
    float score = a->reverse.answer.score[k];
    char text[24];
    size_t below = a->reverse.answer.items - rank + 1;
    out->ref = (struct item_ref){ a->reverse.split, a->reverse.answer.query[k] };
    draw_score(text, draw_score_format(a->reverse.largest), score);
    if (rank <= below) snprintf(out->text, sizeof out->text, "%s #%u", text, (unsigned)rank);
    else snprintf(out->text, sizeof out->text, "%s #-%zu", text, below);
    if (a->reverse.largest > 0) out->bar = (double)(score / a->reverse.largest);
}

enum status reverse_list(struct app *a, struct listing *l) {
    TRY(listing_new(l, a->reverse.tiles.n));
    l->column[0] = "score";
    l->column[1] = "rank";
    l->columns = 2;
    for (size_t i = 0; i < l->count; i++) {
        uint32_t k = a->reverse.order[i];
        l->row[i] = (struct listing_row){ { a->reverse.split, a->reverse.answer.query[k] },
                                          { (double)a->reverse.answer.score[k], (double)a->reverse.answer.rank[k] } };
    }
    return OK;
}

void reverse_search(struct app *a, int by) { tiles_search(a, &a->reverse.tiles, by, get); }

static void click(struct app *a, size_t id, int twice) {
    if (id < a->reverse.tiles.n) a->reverse.tiles.cursor = id;
    if (twice) open_query(a);
}

static void wheel(struct app *a, int down) { tiles_act(&a->reverse.tiles, down ? ACT_page_down : ACT_page_up); }

/* --- drawing --- */

/* In how many queries it stands among the first of the row. */
static void draw_facts(struct app *a, struct frame *f, struct area in) {
    const struct survey_answer *x = &a->reverse.answer;
    char id[32], label[80], name[96], text[24];
    size_t row = in.row, end = in.row + in.rows, h = draw_image_rows(a, in.cols);
    static const size_t depth[] = { 1, 10, 100 };
    item_ref_format(id, a->reverse.ref);
    facts_label(facts_of(a, a->reverse.ref), label, sizeof label);
    if (h > in.rows / 2) h = in.rows / 2;
    if (h >= 3) {
        draw_image(a, f, row, in.col, h, draw_image_cols(a, h), a->reverse.ref);
        row += h;
    }
    if (row < end) row += frame_text_in(f, row, in.col, in.cols, STYLE_BOLD, label) > 0;
    setting_name(a, name, sizeof name);
    if (row < end) frame_text_in(f, row++, in.col, in.cols, STYLE_NORMAL, name);
    if (x->n == 0) return;
    row += draw_other_lambda(a, f, row, in.col, end - row, in.cols, &a->reverse.set);
    double sum = 0, size = 0;
    for (size_t i = 0; i < x->n; i++) {
        sum += (double)x->score[i];
        size += fabs((double)x->score[i]);
    }
    struct score_format s = draw_score_format(a->reverse.largest);
    draw_score(text, s, (float)(sum / (double)x->n));
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, s.scale ? "mean score   %s x 1e%d" : "mean score   %s", text, s.scale);
    draw_score(text, s, (float)(size / (double)x->n));
    if (row < end) frame_printf(f, row++, in.col, in.cols, STYLE_NORMAL, s.scale ? "mean |score| %s x 1e%d" : "mean |score| %s", text, s.scale);
    if (row < end && x->items >= 2) frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "%-9s%5s%6s", "queries", "first", "last");
    for (size_t d = 0; d < 3 && depth[d] * 2 <= x->items; d++) {
        size_t first = 0, last = 0;
        for (size_t i = 0; i < x->n; i++) {
            first += x->rank[i] <= depth[d];
            last += x->items - x->rank[i] < depth[d];
        }
        if (row < end)
            frame_printf(f, row++, in.col, in.cols, STYLE_DIM, "within %-3zu%4zu%6zu", depth[d], first, last);
    }
}

/* What the list is of.  Only a score below zero opposes; the lowest of the others come after those. */
static void write_title(const struct app *a, size_t cols, char *out, size_t size) {
    const float *score = a->reverse.answer.score;
    const uint32_t *order = a->reverse.order;
    size_t n = a->reverse.tiles.n;
    int narrow = cols < 60, opponents = a->reverse.opponents, goes_on = opponents && n && score[order[n - 1]] >= 0;
    const char *of = a->reverse.split == SPLIT_GEN ? "generated" : "held-out", *does = opponents ? "opposes" : "supports";
    const char *rest = !goes_on ? "" : cols < 80 ? ", lowest" : ", then the lowest";
    char id[32];
    item_ref_format(id, a->reverse.ref);
    if (goes_on && score[order[0]] >= 0) snprintf(out, size, narrow ? "%s%s lowest" : "%s items with the lowest scores of %s", narrow ? "" : of, id);
    else if (narrow || (goes_on && cols < 110)) snprintf(out, size, "%s %s%s", id, does, rest);
    else snprintf(out, size, "%s items that %s %s%s", of, id, does, rest);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    char title[160], words[120], id[32];
    load(a);
    item_ref_format(id, a->reverse.ref);
    size_t side = in.cols >= 70 && in.rows >= 14 ? in.cols * 28 / 100 : 0;
    if (side > 44) side = 44;
    struct score_format s = draw_score_format(a->reverse.largest);
    char scale[24] = "", lambda[48] = "";
    if (s.scale && a->reverse.tiles.n) snprintf(scale, sizeof scale, "  x 1e%d", s.scale);
    if (!side) setting_other_lambda(a, &a->reverse.set, lambda, sizeof lambda);   /* the side box says it with more words */
    write_title(a, in.cols, words, sizeof words);
    snprintf(title, sizeof title, "%s%s%s%s", words, lambda[0] ? "  " : "", lambda, scale);
    struct area page = { in.row, in.col, in.rows, in.cols - side };
    tiles_draw(a, f, page, &a->reverse.tiles, title, get);
    if (a->reverse.tiles.n == 0) {
        char text[300];
        if (a->reverse.part >= 0) snprintf(text, sizeof text, "reading the scores of every query: %.0f%%", 100 * a->reverse.part);
        else snprintf(text, sizeof text, "%s", a->reverse.message);
        draw_paragraph(f, in.row + (in.rows >= 5 ? 1 + in.rows / 4 : 0), in.col + 2, in.rows > 2 ? in.rows - 2 : in.rows,
                       page.cols > 4 ? page.cols - 4 : 1, a->reverse.part >= 0 ? STYLE_DIM : STYLE_WARN, text);
    }
    if (!side) return;
    frame_box(f, in.row, in.col + in.cols - side, in.rows, side, STYLE_BORDER, id);
    draw_facts(a, f, (struct area){ in.row + 1, in.col + in.cols - side + 1, in.rows - 2, side - 2 });
}

const struct screen screen_reverse = { "reverse", IN_REVERSE, open, draw, act, click, wheel };
