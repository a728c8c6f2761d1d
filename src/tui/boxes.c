/* boxes.c - counterfactual pictures as box plots: how far taking the first items of each
 * method away moved the pictures, over all queries.
 *
 * A line per column of the pairs: the ends are the smallest and the largest value, the box the
 * middle half, the stroke in it the median. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct five { double low, quarter, median, three, high; size_t n; };

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Between two values in order, as NumPy's default. */
static double quantile(const double *v, size_t n, double q) {
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

static struct five five_of(double *v, size_t n) {
    if (n == 0) return (struct five){ NAN, NAN, NAN, NAN, NAN, 0 };
    qsort(v, n, sizeof *v, by_size);
    return (struct five){ v[0], quantile(v, n, .25), quantile(v, n, .5), quantile(v, n, .75), v[n - 1], n };
}

/* The distances of a column, or with cosine how far the cosines are from 1. */
static struct five of_column(const struct app *a, size_t column, int cosine, double *room) {
    size_t n = 0;
    for (size_t i = 0; i < a->pairs.list.count; i++) {
        const struct counterfactual *c = &a->pairs.list.row[i];
        double v = cosine ? 1 - c->pixel_cos : c->pixel_l2;
        if (a->pairs.column[i] == column && isfinite(v)) room[n++] = v;
    }
    return five_of(room, n);
}

/* The column of a number, `cols` where it lies beyond the last. */
static size_t column_of(double x, double scale, size_t cols) {
    double at = x * scale + .5;
    return at > 0 ? at < (double)cols ? (size_t)at : cols : 0;
}

static void draw_box(struct frame *f, size_t row, size_t col, size_t cols, const struct five *b, double most) {
    double scale = most > 0 ? (double)(cols - 1) / most : 0;
    size_t low = column_of(b->low, scale, cols), q = column_of(b->quarter, scale, cols), m = column_of(b->median, scale, cols),
           t = column_of(b->three, scale, cols), high = column_of(b->high, scale, cols);
    for (size_t c = low; c <= high && c < cols; c++)
        frame_text(f, row, col + c, c >= q && c <= t ? STYLE_METER : STYLE_DIM, c >= q && c <= t ? "▒" : "─");
    if (low < q) frame_text(f, row, col + low, STYLE_DIM, "├");
    if (high > t && high < cols) frame_text(f, row, col + high, STYLE_DIM, "┤");
    if (m < cols) frame_text(f, row, col + m, STYLE_ACCENT, "█");
}

/* Columns of a part: names, medians with how many they are of, boxes. */
struct columns { size_t words, numbers, boxes, box_cols; };

static struct columns columns_of(const struct app *a, size_t cols) {
    struct columns c = { 8, cols >= 60 ? 16 : 7, 0, 0 };
    size_t most = cols >= 90 ? 32 : cols >= 50 ? 18 : 10;
    for (size_t k = 0; k < a->pairs.labels; k++)
        if (text_width(a->pairs.label[k]) > c.words) c.words = text_width(a->pairs.label[k]);
    if (c.words > most) c.words = most;
    c.boxes = c.words + c.numbers + 2;
    c.box_cols = cols > c.boxes + 10 ? cols - c.boxes - 1 : 0;
    return c;
}

/* What the columns are, with both ends of the scale. */
static void draw_scale(struct frame *f, size_t row, size_t col, const struct columns *c, double most) {
    char end[24];
    frame_text_in(f, row, col + c->words + 1, c->numbers, STYLE_DIM, "median");
    if (!c->box_cols) return;
    snprintf(end, sizeof end, "%.3g", most);
    frame_text(f, row, col + c->boxes, STYLE_DIM, "0");
    frame_text(f, row, col + c->boxes + c->box_cols - text_width(end), STYLE_DIM, end);
}

static size_t draw_part(struct app *a, struct frame *f, struct area in, int cosine, int scale, size_t step, double *room) {
    struct columns c = columns_of(a, in.cols);
    size_t row = in.row;
    double most = 0;
    for (size_t k = 0; k < a->pairs.labels; k++) {
        struct five b = of_column(a, k, cosine, room);
        if (b.n) most = fmax(most, b.high);
    }
    frame_text_in(f, row++, in.col, in.cols, STYLE_TITLE, cosine ? "1 - cosine of the pixels" : "L2 distance of the pixels, in [-1, 1]");
    if (scale) draw_scale(f, row++, in.col, &c, most);
    for (size_t k = 0; k < a->pairs.labels && row < in.row + in.rows; k++, row += step) {
        struct five b = of_column(a, k, cosine, room);
        frame_text_in(f, row, in.col, c.words, STYLE_NORMAL, a->pairs.label[k]);
        if (!b.n) continue;
        if (c.numbers > 7) frame_printf(f, row, in.col + c.words + 1, c.numbers, STYLE_ACCENT, "%6.3g  of %zu", b.median, b.n);
        else frame_printf(f, row, in.col + c.words + 1, c.numbers, STYLE_ACCENT, "%6.3g", b.median);
        if (c.box_cols) draw_box(f, row, in.col + c.boxes, c.box_cols, &b, most);
    }
    return row - in.row;
}

void boxes_draw(struct app *a, struct frame *f, struct area in) {
    double *room = mem_array(a->pairs.list.count + 1, sizeof *room);
    struct area inner = in;
    if (!room) { app_say(a, STYLE_ERROR, "box plots: out of memory"); return; }
    if (in.rows >= 5 && in.cols >= 20) {
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, in.cols < 84 ? "how far: median, half, all" :
                  "how far the pictures went: the median, the middle half and all of the queries");
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 3 };
    }
    /* The scales and blank lines, where every column has a line of its own even so. */
    size_t n = a->pairs.labels, step = 2 * (2 * n + 2) + 1 <= inner.rows ? 2 : 1;
    int scale = 2 * (n + 2) + 1 <= inner.rows, gap = 2 * (n + 1) + 1 <= inner.rows;
    size_t used = draw_part(a, f, inner, 0, scale, step, room) + (size_t)gap;
    if (used + 2 <= inner.rows) draw_part(a, f, (struct area){ inner.row + used, inner.col, inner.rows - used, inner.cols }, 1, scale, step, room);
    mem_free(room);
}
