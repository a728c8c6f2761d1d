/* squares.c - sixels of enlarged pictures, short.
 *
 * A sixel is a column of six pixels; a band of them shows only two or three rows of the
 * enlarged picture, so a column has two or three colours.  What is painted later covers what
 * was there: so a band is painted in layers.  The first paints each column whole in one of
 * its colours, the next paints the others over it.  Which colour comes first is free, and is
 * chosen so that neighbours go on in one run wherever that is possible: a run costs its
 * colour and its length, whatever the length.  The commonest colours have the shortest
 * numbers. */
#include "squares.h"

#include <stdint.h>
#include <string.h>

enum { BAND = 6, LAYERS = 6 };

struct column { unsigned char colour[LAYERS], rows[LAYERS]; size_t n; };   /* rows: bits of the band */

/* --- colours --- */

static unsigned distance(const unsigned char *a, const unsigned char *b) {
    int r = a[0] - b[0], g = a[1] - b[1], u = a[2] - b[2];
    return (unsigned)(r * r + g * g + u * u);
}

static size_t nearest(const unsigned char *p, const unsigned char *palette, size_t colours) {
    size_t best = 0;
    unsigned least = distance(p, palette);
    for (size_t c = 1; c < colours && least; c++) {
        unsigned d = distance(p, palette + 3 * c);
        if (d < least) { least = d; best = c; }
    }
    return best;
}

/* The nearest colour of each pixel, or its neighbour's where that is nearly as near: it then
 * goes on in the neighbour's run. */
static void map(unsigned char *index, const unsigned char *rgb, size_t w, size_t h, const unsigned char *palette, size_t colours,
                unsigned slack) {
    for (size_t i = 0; i < w * h; i++) {
        const unsigned char *p = rgb + 3 * i;
        size_t best = nearest(p, palette, colours);
        unsigned least = distance(p, palette + 3 * best);
        index[i] = (unsigned char)best;
        for (int above = 0; above < 2; above++) {
            if (above ? i < w : i % w == 0) continue;
            size_t other = index[above ? i - w : i - 1];
            if (distance(p, palette + 3 * other) > least + slack) continue;
            index[i] = (unsigned char)other;
            break;
        }
    }
}

/* Numbers the colours by how often they come, in place; *used of them do. */
static void renumber(unsigned char *index, size_t pixels, unsigned char order[256], size_t *used) {
    size_t count[256] = { 0 };
    unsigned char number[256];
    for (size_t i = 0; i < pixels; i++) count[index[i]]++;
    *used = 0;
    for (size_t c = 0; c < 256; c++) {
        if (!count[c]) continue;
        size_t at = (*used)++;
        for (; at && count[order[at - 1]] < count[c]; at--) order[at] = order[at - 1];
        order[at] = (unsigned char)c;
    }
    for (size_t i = 0; i < *used; i++) number[order[i]] = (unsigned char)i;
    for (size_t i = 0; i < pixels; i++) index[i] = number[index[i]];
}

/* More colours where there are fewer than may be: the pixels farthest from all; and twice
 * each colour in the middle of the pixels that have it. */
size_t squares_refine(unsigned char *palette, size_t used, size_t colours, const unsigned char *rgb, size_t pixels) {
    unsigned far[SQUARES_SIDE * SQUARES_SIDE];
    unsigned char index[SQUARES_SIDE * SQUARES_SIDE];
    for (size_t i = 0; i < pixels; i++) far[i] = distance(rgb + 3 * i, palette + 3 * nearest(rgb + 3 * i, palette, used));
    for (; used < colours; used++) {
        size_t worst = 0;
        for (size_t i = 1; i < pixels; i++)
            if (far[i] > far[worst]) worst = i;
        if (far[worst] == 0) break;
        memcpy(palette + 3 * used, rgb + 3 * worst, 3);
        for (size_t i = 0; i < pixels; i++) {
            unsigned d = distance(rgb + 3 * i, palette + 3 * used);
            if (d < far[i]) far[i] = d;
        }
    }
    for (int round = 0; round < 2; round++) {
        unsigned sum[256][3] = { { 0 } }, count[256] = { 0 };
        for (size_t i = 0; i < pixels; i++) index[i] = (unsigned char)nearest(rgb + 3 * i, palette, used);
        for (size_t i = 0; i < pixels; i++) {
            count[index[i]]++;
            for (int c = 0; c < 3; c++) sum[index[i]][c] += rgb[3 * i + (size_t)c];
        }
        for (size_t k = 0; k < used; k++)
            for (size_t c = 0; c < 3 && count[k]; c++) palette[3 * k + c] = (unsigned char)((sum[k][c] + count[k] / 2) / count[k]);
    }
    return used;
}

/* --- bands --- */

/* A picture's pixels and those that it is enlarged to. */
struct grown { size_t w, h, width, height; };

static void read_column(struct column *c, const unsigned char *index, const struct grown *g, size_t band, size_t x) {
    size_t w = g->w;
    c->n = 0;
    for (size_t r = 0; r < BAND; r++) {
        size_t y = (band * BAND + r) * g->h / g->height, k = 0;
        if (y >= g->h) return;
        while (k < c->n && c->colour[k] != index[y * w + x]) k++;
        if (k == c->n) {
            c->colour[c->n] = index[y * w + x];
            c->rows[c->n++] = 0;
        }
        c->rows[k] |= (unsigned char)(1 << r);
    }
}

/* The colour of a layer when colour number `first` is painted first; -1: nothing is. */
static int layer_colour(const struct column *c, size_t first, size_t layer) {
    if (layer >= c->n) return -1;
    return c->colour[layer == 0 ? first : layer <= first ? layer - 1 : layer];
}

/* The rows that a layer covers there: those of its colour and of all that come later. */
static unsigned layer_rows(const struct column *c, size_t first, size_t layer) {
    unsigned rows = 0;
    for (size_t l = layer; l < c->n; l++) rows |= c->rows[l == 0 ? first : l <= first ? l - 1 : l];
    return rows;
}

/* About how many bytes it takes to go from one column to the next. */
static unsigned step_cost(const struct column *a, size_t a_first, const struct column *b, size_t b_first, size_t layers) {
    unsigned sum = 0;
    for (size_t l = 0; l < layers; l++) {
        int from = layer_colour(a, a_first, l), to = layer_colour(b, b_first, l);
        if (from != to) sum += to < 0 ? 3 : 6;
        else if (to >= 0 && layer_rows(a, a_first, l) != layer_rows(b, b_first, l)) sum += 3;
    }
    return sum;
}

/* Which colour each column begins with, so that the sum of the steps is least. */
static size_t choose(const struct column *c, size_t w, unsigned char *first) {
    static const unsigned never = 1u << 30;
    unsigned char from[SQUARES_SIDE][LAYERS];
    unsigned cost[LAYERS] = { 0 }, next[LAYERS];
    size_t layers = 0, best = 0;
    for (size_t x = 0; x < w; x++)
        if (c[x].n > layers) layers = c[x].n;
    for (size_t x = 1; x < w; x++) {
        for (size_t to = 0; to < c[x].n; to++) {
            next[to] = never;
            for (size_t at = 0; at < c[x - 1].n; at++) {
                unsigned sum = cost[at] + step_cost(&c[x - 1], at, &c[x], to, layers);
                if (sum >= next[to]) continue;
                next[to] = sum;
                from[x][to] = (unsigned char)at;
            }
        }
        memcpy(cost, next, sizeof cost);
    }
    for (size_t s = 1; s < c[w - 1].n; s++)
        if (cost[s] < cost[best]) best = s;
    for (size_t x = w; x-- > 0;) {
        first[x] = (unsigned char)best;
        if (x) best = from[x][best];
    }
    return layers;
}

static void add_run(struct buf *out, size_t n, unsigned rows) {
    char c = (char)('?' + rows);
    if (n > 3) buf_printf(out, "!%zu", n);
    else for (size_t i = 1; i < n; i++) buf_add(out, &c, 1);
    buf_add(out, &c, 1);
}

/* The first column that shows column x of the picture. */
static size_t left_of(const struct grown *g, size_t x) { return (x * g->width + g->w - 1) / g->w; }

static void add_layer(struct buf *out, const struct column *c, const struct grown *g, const unsigned char *first, size_t layer) {
    int current = -1;
    size_t blank = 0, w = g->w;
    for (size_t x = 0, end; x < w; x = end) {
        int colour = layer_colour(&c[x], first[x], layer);
        unsigned rows = colour < 0 ? 0 : layer_rows(&c[x], first[x], layer);
        for (end = x + 1; end < w && layer_colour(&c[end], first[end], layer) == colour &&
                          (colour < 0 || layer_rows(&c[end], first[end], layer) == rows);) end++;
        if (colour < 0) { blank += left_of(g, end) - left_of(g, x); continue; }
        if (blank) add_run(out, blank, 0);
        blank = 0;
        if (colour != current) buf_printf(out, "#%d", colour);
        current = colour;
        add_run(out, left_of(g, end) - left_of(g, x), rows);
    }
}

enum status squares_encode(struct buf *out, const unsigned char *rgb, size_t w, size_t h, size_t width, size_t height,
                           const unsigned char *palette, size_t colours, unsigned slack) {
    struct grown g = { w, h, width, height };
    unsigned char index[SQUARES_SIDE * SQUARES_SIDE], order[256], first[SQUARES_SIDE];
    struct column column[SQUARES_SIDE];
    size_t used, bands = (height + BAND - 1) / BAND;
    if (!w || !h || w > SQUARES_SIDE || h > SQUARES_SIDE || width < w || height < h || !colours || colours > 256)
        return fail(ERR_RANGE, "sixel: %zu x %zu squares over %zu x %zu pixels in %zu colours", w, h, width, height, colours);
    map(index, rgb, w, h, palette, colours, slack);
    renumber(index, w * h, order, &used);
    buf_printf(out, "\033Pq\"1;1;%zu;%zu", width, height);
    for (size_t i = 0; i < used; i++) {
        const unsigned char *p = palette + 3 * order[i];
        buf_printf(out, "#%zu;2;%d;%d;%d", i, (p[0] * 100 + 127) / 255, (p[1] * 100 + 127) / 255, (p[2] * 100 + 127) / 255);
    }
    for (size_t b = 0; b < bands; b++) {
        for (size_t x = 0; x < w; x++) read_column(&column[x], index, &g, b, x);
        size_t layers = choose(column, w, first);
        for (size_t l = 0; l < layers; l++) {
            if (l) buf_text(out, "$");
            add_layer(out, column, &g, first, l);
        }
        if (b + 1 < bands) buf_text(out, "-");
    }
    buf_text(out, "\033\\");
    return buf_status(out);
}
