/* compare.c - two settings' rankings of one query, side by side.
 *
 * The side that has the keys is the app's own setting and row, so that every
 * key means what it means on the ranking; Tab swaps it with the other, which is
 * kept in a->compare.  Both sides scroll together: place r stands beside place r. */
#include "app.h"

#include "plot.h"

#include "dtrak/text.h"

#include <math.h>
#include <string.h>

enum { SIDE = 1 << 24 };   /* a spot's id: the place, plus this on the right side */

/* --- the other side --- */

static void swap_sides(struct app *a) {
    struct setting s = a->setting;
    struct row r = a->row;
    a->setting = a->compare.setting;
    a->row = a->compare.row;
    a->compare.setting = s;
    a->compare.row = r;
}

/* D-TRAK stands right, what there was left; TRAK takes the left when it was D-TRAK. */
static void start(struct app *a) {
    struct setting *other = &a->compare.setting;
    int is_dtrak = a->setting.method == METHOD_TRAK && a->setting.loss == LOSS_SQUARE;
    *other = a->setting;
    other->method = METHOD_TRAK;
    other->loss = is_dtrak ? LOSS_SIMPLE : LOSS_SQUARE;
    other->lambda[0] = 0;
    a->compare.active = is_dtrak;
    a->compare.started = a->compare.stale = 1;
}

static void open(struct app *a) {
    if (!a->compare.started) start(a);
}

void compare_close(struct app *a) {
    row_free(&a->compare.row);
    comparison_free(&a->compare.measured);
}

static const struct setting *setting_of(const struct app *a, int side) {
    return side == a->compare.active ? &a->setting : &a->compare.setting;
}

static const struct row *row_of(const struct app *a, int side) {
    return side == a->compare.active ? &a->row : &a->compare.row;
}

/* Reads the other row and measures, as far as what there is is out of date. */
static void refresh(struct app *a) {
    struct comparison *m = &a->compare.measured;
    struct item_ref q = a->compare.query;
    if (!a->has_query) return;
    if (a->compare.stale || q.split != a->query.split || q.index != a->query.index) {
        swap_sides(a);
        row_read(a);
        swap_sides(a);
        a->compare.query = a->query;
        a->compare.stale = 0;
    }
    const struct row *left = row_of(a, 0), *right = row_of(a, 1);
    if (a->compare.of[0] == left->load && a->compare.of[1] == right->load) return;
    a->compare.of[0] = left->load;
    a->compare.of[1] = right->load;
    comparison_free(m);
    if (left->n == 0 || left->n != right->n) return;
    const uint32_t *const order[2] = { left->order, right->order };
    if (comparison_make_sorted(m, left->score, right->score, order, left->n) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
}

/* --- acting --- */

static size_t places(const struct app *a) {
    size_t l = row_of(a, 0)->n, r = row_of(a, 1)->n;
    return l > r ? l : r;
}

static void move_to(struct app *a, size_t at) {
    size_t n = places(a);
    if (n) a->compare.cursor = at < n ? at : n - 1;
}

void compare_search(struct app *a, int by) {
    const struct row *r = &a->row;
    if (!a->search[0] || r->n == 0) {
        app_say(a, STYLE_NORMAL, "nothing to search for: %s takes a text", key_for(a, ACT_search));
        return;
    }
    for (size_t k = 1; k <= r->n; k++) {
        size_t at = (a->compare.cursor + (by < 0 ? r->n - k : k)) % r->n;
        struct item_ref ref = { SPLIT_TRAIN, r->order[at] };
        if (!search_finds(a, ref)) continue;
        move_to(a, at);
        return;
    }
    app_say(a, STYLE_WARN, "no training item matches '%s'", a->search);
}

static void go_to_disagreement(struct app *a, int by) {
    refresh(a);
    const struct comparison *m = &a->compare.measured;
    if (m->n == 0) {
        app_say(a, STYLE_WARN, "both sides have to be there: %s computes the one that is not", key_for(a, ACT_recompute));
        return;
    }
    size_t at = comparison_next_disagreement(m, a->compare.active, a->compare.cursor, by);
    if (at == m->n) app_say(a, STYLE_NORMAL, "no %s item that the other side ranks far lower", by > 0 ? "further" : "earlier");
    else move_to(a, at);
}

static void zoom(struct app *a) {
    if (a->row.n == 0) {
        if (a->has_query) setting_compute(a);
    } else if (a->compare.cursor < a->row.n) {
        detail_open(a, (struct item_ref){ SPLIT_TRAIN, a->row.order[a->compare.cursor] });
    }
}

static void use_side(struct app *a, int side) {
    if (side == a->compare.active) return;
    refresh(a);
    swap_sides(a);
    a->compare.active = side;
    row_changed(a);
}

static int act(struct app *a, enum action k) {
    size_t at = a->compare.cursor, across = a->compare.across ? a->compare.across : 1,
           page = a->compare.per_page ? a->compare.per_page : 1, n = places(a);
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
    case ACT_side: use_side(a, !a->compare.active); return 1;
    case ACT_disagree_next: go_to_disagreement(a, 1); return 1;
    case ACT_disagree_back: go_to_disagreement(a, -1); return 1;
    case ACT_left: if (at) move_to(a, at - 1); return 1;
    case ACT_right: move_to(a, at + 1); return 1;
    case ACT_up: if (at >= across) move_to(a, at - across); return 1;
    case ACT_down: if (at + across < n) move_to(a, at + across); return 1;
    case ACT_page_up: move_to(a, at > page ? at - page : 0); return 1;
    case ACT_page_down: move_to(a, at + page); return 1;
    case ACT_first: move_to(a, 0); return 1;
    case ACT_last: move_to(a, n ? n - 1 : 0); return 1;
    case ACT_detail: zoom(a); return 1;
    default: return 0;
    }
}

static void click(struct app *a, size_t id, int twice) {
    use_side(a, id >= SIDE);
    move_to(a, id % SIDE);
    if (twice) zoom(a);
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_page_down : ACT_page_up); }

/* --- drawing: a side --- */

/* A letter for an item that stands on both sides of the page, by its place on the left. */
static char badge(const struct app *a, size_t item, size_t top, size_t last) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const struct comparison *m = &a->compare.measured;
    size_t letter = 0;
    for (size_t at = top; m->n && at < last; at++) {
        size_t left = m->order[0][at], there = m->rank[1][left];
        if (there <= top || there > last) continue;
        if (left == item) return letter < sizeof letters - 1 ? letters[letter] : '*';
        letter++;
    }
    return ' ';
}

/* Where the item stands on the other side: "b 312 ▼", the arrow from here to there. */
static enum style other_place(const struct app *a, int side, size_t item, char *out, size_t size) {
    const struct comparison *m = &a->compare.measured;
    out[0] = 0;
    if (m->n == 0) return STYLE_DIM;
    size_t here = m->rank[side][item], there = m->rank[!side][item];
    const char *arrow = there == here ? "=" : there < here ? "▲" : "▼";
    snprintf(out, size, "%s%zu", arrow, there);
    return comparison_disagrees(m, side, item) ? STYLE_WARN : there <= here ? STYLE_GOOD : STYLE_DIM;
}

/* After a score that ends before col. */
static void draw_open_sign(struct frame *f, size_t row, size_t col, const struct row *r, size_t item) {
    if (item < r->trust.n && !trust_is_determined(&r->trust, item, (double)r->score[item])) frame_text_in(f, row, col, 1, STYLE_WARN, "?");
}

static void draw_tile(struct app *a, struct frame *f, size_t row, size_t col, const struct grid *g, int side,
                      size_t at, char mark) {
    const struct row *r = row_of(a, side);
    struct item_ref ref = { SPLIT_TRAIN, r->order[at] };
    char id[32], score[24], other[24];
    int selected = at == a->compare.cursor, keys = side == a->compare.active;
    item_ref_format(id, ref);
    size_t used = frame_printf(f, row, col, g->tile_cols, STYLE_NORMAL, "%s%zu %s", selected && keys ? ">" : " ", at + 1, id);
    draw_mark(a, f, row, col + used, ref);
    draw_image(a, f, row + 1, col + 1, g->image_rows, g->image_cols, ref);
    size_t line = row + 1 + g->image_rows;
    enum style style = other_place(a, side, ref.index, other, sizeof other);
    draw_score(score, draw_score_format(r->largest), r->score[ref.index]);
    frame_printf(f, line, col + 1, g->tile_cols - 1, STYLE_ACCENT, "%s", score);
    draw_open_sign(f, line, col + 1 + strlen(score), r, ref.index);
    size_t w = text_width(score) + 2, o = text_width(other);
    if (selected && keys) draw_selection(f, row, col, g, 1);
    else if (selected) frame_restyle(f, row, col, 1, g->tile_cols, STYLE_FOCUS);   /* the same place on the side without the keys */
    if (w + o < g->tile_cols) frame_text(f, line, col + w, selected && keys ? STYLE_SELECTED : style, other);
    size_t last = g->tile_cols - 2, next = w + (o > 3 ? o : 3) + 2;   /* near its own item, not the one on the right */
    if (mark != ' ') frame_printf(f, line, col + (next < last ? next : last), 1, selected && keys ? STYLE_SELECTED : STYLE_MARK, "%c", mark);
    app_spot(a, row, col, g->tile_rows, g->tile_cols, at + (side ? SIDE : 0));
}

static void draw_line(struct app *a, struct frame *f, size_t row, struct area in, int side, size_t at, char mark) {
    const struct row *r = row_of(a, side);
    struct item_ref ref = { SPLIT_TRAIN, r->order[at] };
    char id[32], label[80], score[24], other[24];
    int selected = at == a->compare.cursor;
    enum style style = selected ? side == a->compare.active ? STYLE_SELECTED : STYLE_BOLD : STYLE_NORMAL;
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    enum style moved = other_place(a, side, ref.index, other, sizeof other);
    draw_score(score, draw_score_format(r->largest), r->score[ref.index]);
    if (selected) frame_fill(f, row, in.col, 1, in.cols, style, ' ');
    size_t used = frame_printf(f, row, in.col, in.cols, style, "%c%4zu %-11s%7s ", mark, at + 1, id, score);
    draw_mark(a, f, row, in.col + 6 + strlen(id), ref);
    if (used < in.cols) draw_open_sign(f, row, in.col + used - 1, r, ref.index);
    if (used + 8 <= in.cols) {
        frame_text_in(f, row, in.col + used, 8, selected ? style : moved, other);
        used += 8;
    }
    if (used + 4 < in.cols) frame_text_in(f, row, in.col + used, in.cols - used, style, label);
    app_spot(a, row, in.col, 1, in.cols, at + (side ? SIDE : 0));
}

static void side_title(const struct app *a, int side, size_t first, size_t last, size_t cols, char *out, size_t size) {
    const struct setting *s = setting_of(a, side);
    const struct row *r = row_of(a, side);
    const struct catalog *c = &a->catalog;
    char name[METHOD_DISPLAY], lambda[40] = "", number[24], where[48] = "", step[96] = "", scale[24] = "", network[64] = "";
    method_display(name, s->method, s->loss);
    if (method_has_checkpoint(s->method)) {
        const struct checkpoint *k = catalog_checkpoint(c, s->checkpoint);
        if (k) checkpoint_network(network, k);
        if (k) snprintf(step, sizeof step, "  %s%sckpt %zu/%zu", network, network[0] ? " " : "", catalog_checkpoint_index(c, s->checkpoint) + 1, c->checkpoints.count);
    }
    if (method_has_lambda(s->method) && r->lambda_rel > 0) {
        draw_number(number, r->lambda_rel);
        snprintf(lambda, sizeof lambda, "  λ %s", number);
    }
    struct score_format fmt = draw_score_format(r->largest);
    if (r->n && fmt.scale) snprintf(scale, sizeof scale, "  x 1e%d", fmt.scale);
    if (r->n) snprintf(where, sizeof where, "  %zu-%zu", first, last);
    static const char legend[] = "  ?: sign not sure";
    snprintf(out, size, "%s%s%s%s%s", name, step, lambda, where, scale);
    size_t len = strlen(out);
    if (r->trust.n && text_width(out) + sizeof legend + 4 < cols) snprintf(out + len, size - len, "%s", legend);
}

static void draw_nothing(struct app *a, struct frame *f, struct area in, int side) {
    const struct row *r = row_of(a, side);
    if (side == a->compare.active) {
        ranking_draw_absent(a, f, in);
    } else if (r->state == ROW_ABSENT && r->ends[0] + r->ends[1] && in.rows > 2 && in.cols > 4) {
        ends_draw(a, f, (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 4 }, r);
    } else {
        char text[sizeof r->message];
        if (r->state == ROW_WAITING || r->message[0]) snprintf(text, sizeof text, "%s", r->state == ROW_WAITING ? "λ: being computed" : r->message);
        else snprintf(text, sizeof text, "Not computed. %s takes the keys here, %s computes it.", key_for(a, ACT_side), key_for(a, ACT_recompute));
        draw_paragraph(f, in.row + in.rows / 4, in.col + 2, in.rows - in.rows / 4, in.cols > 4 ? in.cols - 4 : 1,
                       STYLE_DIM, text);
    }
}

/* Eight pictures a side where they can be told apart, else fewer and larger ones. */
static struct grid side_grid(const struct app *a, struct area in) {
    struct grid g = draw_grid(a, in.rows, in.cols, 2, 14, 8);
    for (size_t want = 6; g.image_rows < 4 && want >= 4; want -= 2) {
        struct grid larger = draw_grid(a, in.rows, in.cols, 2, 14, want);
        if (larger.image_rows > g.image_rows && larger.across >= 2) g = larger;
    }
    return g;
}

static void draw_side(struct app *a, struct frame *f, struct area in, int side) {
    char title[400];
    const struct row *r = row_of(a, side);
    int boxed = in.rows >= 5 && in.cols >= 20;
    enum style style = side == a->compare.active ? STYLE_FOCUS : STYLE_BORDER;
    struct area inner = boxed ? (struct area){ in.row + 1, in.col + 1, in.rows - 2, in.cols - 2 }
                              : (struct area){ in.row + 1, in.col, in.rows > 1 ? in.rows - 1 : 0, in.cols };
    struct grid g = side_grid(a, inner);
    int tiles = boxed && g.rows && g.across >= 2 && g.image_rows >= 3;
    size_t across = tiles ? g.across : 1, per = tiles ? g.rows * g.across : inner.rows, n = places(a);
    if (per == 0 || inner.cols == 0) return;
    a->compare.across = across;
    a->compare.per_page = per;
    size_t top = a->compare.cursor / per * per, last = top + per < n ? top + per : n;
    side_title(a, side, top + 1, last, in.cols, title, sizeof title);
    if (r->n == 0) draw_nothing(a, f, in, side);
    if (boxed) frame_box(f, in.row, in.col, in.rows, in.cols, style, title);
    else frame_text_in(f, in.row, in.col, in.cols, style, title);
    for (size_t at = top; at < last && at < r->n; at++) {
        char mark = badge(a, r->order[at], top, last);
        size_t i = at - top;
        if (tiles) draw_tile(a, f, inner.row + i / across * g.tile_rows, inner.col + i % across * g.tile_cols, &g, side, at, mark);
        else draw_line(a, f, inner.row + i, inner, side, at, mark);
    }
}

/* --- drawing: how far they agree --- */

static size_t agreement(const struct comparison *m, char line[3][120]) {
    size_t at = 0;
    at += (size_t)snprintf(line[0], 120, "in common");
    for (int d = 0; d < COMPARISON_DEPTHS; d++)
        if (isfinite(m->overlap[d])) at += (size_t)snprintf(line[0] + at, 120 - at, "  @%zu %.0f%%", comparison_depth[d], 100 * m->overlap[d]);
    if (isfinite(m->spearman) && isfinite(m->kendall)) snprintf(line[1], 120, "Spearman %+.3f  Kendall %+.3f", m->spearman, m->kendall);
    else snprintf(line[1], 120, "Spearman -  Kendall -");
    snprintf(line[2], 120, "rank-biased overlap %.3f", m->rbo);
    return 3;
}

/* Every training item: its rank on the left across, on the right upwards, the first at the
 * top right.  On logarithmic axes, since it is the first places that people read. */
static void draw_plot(const struct comparison *m, struct frame *f, struct area in) {
    struct plot p;
    plot_start(&p, in.rows, in.cols);
    double n = log((double)m->n + 1);
    for (size_t i = 0; i < m->n; i++)
        plot_point(&p, 1 - log((double)m->rank[0][i]) / n, 1 - log((double)m->rank[1][i]) / n);
    plot_draw(&p, f, in.row, in.col, STYLE_METER);
}

/* How far the ranks of an item can be trusted, on the sides that have error bars. */
static void say_trust(const struct app *a, struct frame *f, size_t row, size_t col, size_t cols, size_t item) {
    char text[160] = "";
    for (int side = 0; side < 2; side++) {
        const struct trust *t = &row_of(a, side)->trust;
        size_t len = strlen(text);
        if (item < t->n)
            snprintf(text + len, sizeof text - len, "%s%s %u-%u, %.0f%% in the first %zu", len ? "; " : "rank 5-95%: ", side ? "right" : "left", t->low[item],
                     t->high[item], 100 * t->p_top[item], t->top);
    }
    frame_text_in(f, row, col, cols, STYLE_DIM, text);
}

static void say_selected(struct app *a, struct frame *f, size_t row, size_t col, size_t cols) {
    const struct comparison *m = &a->compare.measured;
    char id[32], label[80];
    if (a->compare.cursor >= a->row.n || m->n == 0) return;
    struct item_ref ref = { SPLIT_TRAIN, a->row.order[a->compare.cursor] };
    item_ref_format(id, ref);
    facts_label(facts_of(a, ref), label, sizeof label);
    frame_printf(f, row, col, cols, STYLE_BOLD, "%s %s", id, label);
    frame_printf(f, row + 1, col, cols, STYLE_NORMAL, "left %u, right %u of %zu", m->rank[0][ref.index], m->rank[1][ref.index], m->n);
    say_trust(a, f, row + 2, col, cols, ref.index);
}

static void draw_strip(struct app *a, struct frame *f, struct area in) {
    const struct comparison *m = &a->compare.measured;
    char line[3][120], id[32], label[80];
    size_t w = draw_image_cols(a, in.rows), col = in.col + 1, lines = m->n ? agreement(m, line) : 0;
    if (in.rows == 1) {
        if (lines) frame_printf(f, in.row, col, in.cols - 1, STYLE_NORMAL, "%s  %s", line[0], line[1]);
        return;
    }
    draw_image(a, f, in.row, col, in.rows, w, a->query);
    col += w + 2;
    item_ref_format(id, a->query);
    facts_label(facts_of(a, a->query), label, sizeof label);
    size_t room = in.cols > col - in.col ? in.cols - (col - in.col) : 0, row = in.row;
    size_t plot_cols = in.rows >= 7 && room >= 60 ? in.rows * 2 : 0;
    if (plot_cols) room -= plot_cols + 2;
    frame_printf(f, row++, col, room, STYLE_BOLD, "%s %s", id, label);
    for (size_t i = 0; i < lines && row < in.row + in.rows; i++) frame_text_in(f, row++, col, room, STYLE_NORMAL, line[i]);
    if (lines && in.rows >= 7) say_selected(a, f, row + 1, col, room);
    if (lines && plot_cols) {
        struct area plot = { in.row, in.col + in.cols - plot_cols - 1, in.rows, plot_cols };
        draw_plot(m, f, plot);
        const char *axis = "log rank left →, right ↑";
        if (room > text_width(axis) + text_width(id) + text_width(label) + 4)
            frame_text(f, in.row, plot.col - text_width(axis) - 2, STYLE_DIM, axis);
    }
}

/* Rows for all of the strip's lines, and as many more as leave the pictures as large. */
static size_t strip_rows(const struct app *a, struct area in) {
    size_t least = in.rows >= 34 ? 7 : in.rows >= 20 ? 4 : in.rows >= 6 ? 1 : 0, best = least;
    if (least < 2) return least;
    for (size_t strip = least, largest = 0; strip <= least + 2; strip++) {
        struct grid g = side_grid(a, (struct area){ 0, 0, in.rows - strip - 2, in.cols / 2 - 2 });
        if (g.image_rows < largest) break;
        largest = g.image_rows;
        best = strip;
    }
    return best;
}

static void draw(struct app *a, struct frame *f, struct area in) {
    if (!a->has_query) {
        draw_paragraph(f, in.row + in.rows / 3, in.col + 2, in.rows, in.cols > 4 ? in.cols - 4 : 1, STYLE_DIM,
                       "No generated or held-out items to rank yet: dtrak sample makes generated ones.");
        return;
    }
    refresh(a);
    size_t strip = strip_rows(a, in), half = in.cols / 2, rows = in.rows - strip;
    draw_side(a, f, (struct area){ in.row, in.col, rows, half }, 0);
    draw_side(a, f, (struct area){ in.row, in.col + half, rows, in.cols - half }, 1);
    if (strip) draw_strip(a, f, (struct area){ in.row + rows, in.col, strip, in.cols });
}

const struct screen screen_compare = { "compare", IN_COMPARE, open, draw, act, click, wheel };
