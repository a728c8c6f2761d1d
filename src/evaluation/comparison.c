/* comparison.c - two rankings measured against each other. */
#include "dtrak/comparison.h"

#include "dtrak/mem.h"
#include "dtrak/ranking.h"
#include "dtrak/stats.h"

#include <math.h>
#include <string.h>

const size_t comparison_depth[COMPARISON_DEPTHS] = { 10, 50, 100 };

void comparison_free(struct comparison *c) {
    for (int s = 0; s < 2; s++) {
        mem_free(c->order[s]);
        mem_free(c->rank[s]);
    }
    memset(c, 0, sizeof *c);
}

/* order: as ranking_top() gives it; NULL: to be found. */
static enum status sort_side(struct comparison *c, int s, const float *score, const uint32_t *order) {
    size_t got = 0;
    struct ranking_entry *e = mem_array(order ? 1 : c->n, sizeof *e);
    c->order[s] = mem_array(c->n, sizeof *c->order[s]);
    c->rank[s] = mem_array(c->n, sizeof *c->rank[s]);
    enum status st = e && c->order[s] && c->rank[s] ? OK : fail(ERR_NOMEM, "comparison: out of memory");
    if (st == OK && !order) st = ranking_top(score, c->n, c->n, e, &got);
    for (size_t i = 0; st == OK && i < c->n; i++) {
        uint32_t item = order ? order[i] : (uint32_t)e[i].index;
        c->order[s][i] = item;
        c->rank[s][item] = (uint32_t)i + 1;
    }
    mem_free(e);
    return st;
}

/* The mean rank of equal scores, from the order that is there already. */
static void average_ranks(double *rank, const uint32_t *order, const float *score, size_t n) {
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && score[order[j]] == score[order[i]];) j++;
        for (size_t t = i; t < j; t++) rank[order[t]] = ((double)(i + 1) + (double)j) / 2;
    }
}

/* Both correlations are of ranks, so ranks do for Kendall's too. */
static enum status correlate(struct comparison *c, const float *a, const float *b) {
    c->spearman = c->kendall = NAN;
    if (c->n < 2) return OK;   /* one item has no order */
    double *x = mem_array(2 * c->n, sizeof *x), *y = x ? x + c->n : NULL;
    if (!x) return fail(ERR_NOMEM, "comparison: out of memory");
    average_ranks(x, c->order[0], a, c->n);
    average_ranks(y, c->order[1], b, c->n);
    c->spearman = stats_pearson(x, y, c->n);
    enum status st = stats_kendall(&c->kendall, x, y, c->n);
    mem_free(x);
    return st;
}

static enum status measure(struct comparison *c, const float *a, const float *b, const uint32_t *const order[2]) {
    TRY(sort_side(c, 0, a, order ? order[0] : NULL));
    TRY(sort_side(c, 1, b, order ? order[1] : NULL));
    TRY(correlate(c, a, b));
    for (int d = 0; d < COMPARISON_DEPTHS; d++) {
        c->overlap[d] = NAN;
        if (comparison_depth[d] <= c->n)
            TRY(stats_overlap(&c->overlap[d], c->order[0], c->order[1], comparison_depth[d]));
    }
    return stats_rbo(&c->rbo, c->order[0], c->order[1], c->n, COMPARISON_RBO_P);
}

enum status comparison_make_sorted(struct comparison *out, const float *a, const float *b, const uint32_t *const order[2], size_t n) {
    memset(out, 0, sizeof *out);
    if (n == 0) return fail(ERR_RANGE, "comparison: no items, expected at least one");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return fail(ERR_NUMERIC, "comparison: the score of train:%zu is not finite", i);
    out->n = n;
    enum status st = measure(out, a, b, order);
    if (st != OK) comparison_free(out);
    return st;
}

enum status comparison_make(struct comparison *out, const float *a, const float *b, size_t n) {
    return comparison_make_sorted(out, a, b, NULL, n);
}

int comparison_disagrees(const struct comparison *c, int s, size_t item) {
    return c->rank[!s][item] > 2 * (size_t)c->rank[s][item] + 10;
}

size_t comparison_next_disagreement(const struct comparison *c, int s, size_t at, int by) {
    while (by > 0 ? at + 1 < c->n : at > 0) {
        at += by > 0 ? 1 : (size_t)-1;
        if (comparison_disagrees(c, s, c->order[s][at])) return at;
    }
    return c->n;
}
