/* ranking.c - selection and ranks, ties by the lower index. */
#include "dtrak/ranking.h"
#include "dtrak/mem.h"
#include "dtrak/sort.h"

#include <math.h>
#include <stdlib.h>

enum { SORTED = 64 };   /* so many and more are sorted, all of them, rather than selected */

static enum status check(const float *scores, size_t n) {
    if (n > UINT32_MAX) return fail(ERR_RANGE, "ranking: %zu items", n);
    for (size_t i = 0; i < n; i++)
        if (isnan(scores[i])) return fail(ERR_NUMERIC, "ranking: the score of training item %zu is NaN", i);
    return OK;
}

/* Whether a comes before b, highest first. */
static int before(const struct ranking_entry *a, const struct ranking_entry *b) {
    if (a->score != b->score) return a->score > b->score;
    return a->index < b->index;
}

static int by_order(const void *a, const void *b) { return before(a, b) ? -1 : before(b, a); }

static void swap(struct ranking_entry *a, struct ranking_entry *b) {
    struct ranking_entry t = *a;
    *a = *b;
    *b = t;
}

/* A heap of those kept, the last of them in the order at heap[0]. */
static void sift_down(struct ranking_entry *heap, size_t n) {
    for (size_t i = 0, last;; i = last) {
        size_t l = 2 * i + 1, r = l + 1;
        last = i;
        if (l < n && before(&heap[last], &heap[l])) last = l;
        if (r < n && before(&heap[last], &heap[r])) last = r;
        if (last == i) return;
        swap(&heap[i], &heap[last]);
    }
}

static void sift_up(struct ranking_entry *heap, size_t i) {
    for (; i && before(&heap[(i - 1) / 2], &heap[i]); i = (i - 1) / 2) swap(&heap[i], &heap[(i - 1) / 2]);
}

/* All of them in order, ties by the lower index: sorted by the bits of the negated score. */
static enum status sort_all(const float *scores, size_t n, float sign, struct sort_entry **out) {
    struct sort_entry *e = mem_array(2 * n + 1, sizeof *e);
    *out = e;
    if (!e) return fail(ERR_NOMEM, "ranking: out of memory for %zu items", n);
    for (size_t i = 0; i < n; i++) e[i] = (struct sort_entry){ sort_key_float(-sign * scores[i]), i };
    sort_entries(e, e + n, n);
    return OK;
}

/* The first k of the scores times sign, which is 1 or -1. */
static enum status select_k(const float *scores, size_t n, size_t k, float sign,
                            struct ranking_entry *out, size_t *count) {
    *count = 0;
    TRY(check(scores, n));
    if (k > n) k = n;
    if (k > SORTED && k > n / 8) {
        struct sort_entry *e;
        TRY(sort_all(scores, n, sign, &e));
        for (size_t i = 0; i < k; i++) out[i] = (struct ranking_entry){ i + 1, e[i].at, scores[e[i].at] };
        mem_free(e);
        *count = k;
        return OK;
    }
    size_t have = 0;
    for (size_t i = 0; i < n && k; i++) {
        struct ranking_entry c = { 0, i, sign * scores[i] };
        if (have < k) {
            out[have] = c;
            sift_up(out, have++);
        } else if (before(&c, &out[0])) {
            out[0] = c;
            sift_down(out, k);
        }
    }
    if (k) qsort(out, k, sizeof *out, by_order);
    for (size_t i = 0; i < k; i++) {
        out[i].rank = i + 1;
        out[i].score = scores[out[i].index];
    }
    *count = k;
    return OK;
}

enum status ranking_top(const float *scores, size_t n, size_t k, struct ranking_entry *out, size_t *count) {
    return select_k(scores, n, k, 1.0f, out, count);
}

enum status ranking_bottom(const float *scores, size_t n, size_t k, struct ranking_entry *out, size_t *count) {
    return select_k(scores, n, k, -1.0f, out, count);
}

enum status ranking_ranks(const float *scores, size_t n, uint32_t *rank) {
    TRY(check(scores, n));
    struct sort_entry *e;
    TRY(sort_all(scores, n, 1, &e));
    for (size_t i = 0; i < n; i++) rank[e[i].at] = (uint32_t)(i + 1);
    mem_free(e);
    return OK;
}

enum status ranking_rank_of(const float *scores, size_t n, size_t index, size_t *rank) {
    if (index >= n) return fail(ERR_RANGE, "ranking: item %zu of %zu", index, n);
    TRY(check(scores, n));
    struct ranking_entry x = { 0, index, scores[index] };
    *rank = 1;
    for (size_t i = 0; i < n; i++) {
        struct ranking_entry c = { 0, i, scores[i] };
        *rank += (size_t)before(&c, &x);
    }
    return OK;
}
