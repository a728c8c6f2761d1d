/* neighbours.c - exact nearest neighbours in blocks. */
#include "dtrak/neighbours.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BLOCK_BYTES ((size_t)64 << 20)

const char *neighbours_measure_name(enum neighbours_measure m) {
    return m == NEIGHBOURS_EUCLID ? "euclid" : m == NEIGHBOURS_DOT ? "dot" : "cosine";
}

size_t neighbours_count(const struct rows *train, size_t k, int same) {
    size_t n = train->n - (same && train->n);
    return k < n ? k : n;
}

/* A row of train that may be among the first: what to sort by, smallest first. */
struct candidate { double key; uint32_t index; };

static int before(const struct candidate *a, const struct candidate *b) {
    return a->key != b->key ? a->key < b->key : a->index < b->index;
}

static int by_order(const void *a, const void *b) { return before(a, b) ? -1 : before(b, a); }

/* The queries of a block, and the candidates that each has so far. */
struct search {
    enum neighbours_measure measure;
    size_t k, dim, first, count;           /* queries first .. first + count - 1 */
    int same;
    float *query, *train;                  /* [count][dim], the train block */
    double *query_norm2, *train_norm2, *product;   /* product [count][train_count] */
    size_t train_first, train_count;
    struct candidate *best;                /* [count][k], sorted, `have` of each */
    struct candidate *near;                /* [threads][k + train block]: room to sort in */
    size_t near_room;
    size_t have;
};

static double norm2(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

static double cosine_of(double dot, double a2, double b2) { return a2 > 0 && b2 > 0 ? dot / sqrt(a2 * b2) : 0; }

/* Key from block products: squared distance, or minus the similarity. */
static double rough_key(const struct search *s, double dot, double q2, double x2) {
    if (s->measure == NEIGHBOURS_EUCLID) return q2 + x2 - 2 * dot;
    return s->measure == NEIGHBOURS_DOT ? -dot : -cosine_of(dot, q2, x2);
}

/* No product of blocks is further off than this: n products, each rounding once, and
 * as many sums; twice that for safety. */
static double rough_error(const struct search *s, double q2, double x2) {
    double unit = 4 * ((double)s->dim + 4) * DBL_EPSILON;
    if (s->measure == NEIGHBOURS_EUCLID) return unit * (q2 + x2);
    return s->measure == NEIGHBOURS_DOT ? unit * sqrt(q2 * x2) : unit;
}

static double exact_key(const struct search *s, const float *q, const float *x, double q2, double x2) {
    double sum = 0;
    if (s->measure == NEIGHBOURS_EUCLID) {
        for (size_t i = 0; i < s->dim; i++) {
            double e = (double)q[i] - (double)x[i];
            sum += e * e;
        }
        return sum;
    }
    for (size_t i = 0; i < s->dim; i++) sum += (double)q[i] * (double)x[i];
    return s->measure == NEIGHBOURS_DOT ? -sum : -cosine_of(sum, q2, x2);
}

/* A max-heap of the k smallest keys: its root is the bound on what can still come in. */
static void heap_put(double *heap, size_t *have, size_t k, double key) {
    size_t i;
    if (*have < k) {
        for (i = (*have)++; i && heap[(i - 1) / 2] < key; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
        heap[i] = key;
        return;
    }
    if (key >= heap[0]) return;
    for (i = 0;;) {
        size_t c = 2 * i + 1;
        if (c >= k) break;
        if (c + 1 < k && heap[c + 1] > heap[c]) c++;
        if (heap[c] <= key) break;
        heap[i] = heap[c];
        i = c;
    }
    heap[i] = key;
}

/* One query against the train block in hand.  A key plus its error is an upper bound on
 * the true one; the k-th smallest upper bound is one on the k-th neighbour, and who
 * cannot be below that is out. */
static void one_query(void *ctx, size_t q, size_t thread) {
    struct search *s = ctx;
    struct candidate *near = s->near + thread * s->near_room, *best = s->best + q * s->k;
    double *heap = (double *)(void *)(near + s->k + s->train_count), q2 = s->query_norm2[q];
    size_t have = 0, n = 0;
    for (size_t i = 0; i < s->have; i++) {
        heap_put(heap, &have, s->k, best[i].key);
        near[n++] = best[i];
    }
    const double *dot = s->product + q * s->train_count;
    for (size_t j = 0; j < s->train_count; j++) {
        if (s->same && s->train_first + j == s->first + q) continue;
        double x2 = s->train_norm2[j];
        heap_put(heap, &have, s->k, rough_key(s, dot[j], q2, x2) + rough_error(s, q2, x2));
    }
    double bound = have < s->k ? INFINITY : heap[0];
    for (size_t j = 0; j < s->train_count; j++) {
        if (s->same && s->train_first + j == s->first + q) continue;
        double x2 = s->train_norm2[j];
        if (rough_key(s, dot[j], q2, x2) - rough_error(s, q2, x2) > bound) continue;
        near[n++] = (struct candidate){ exact_key(s, s->query + q * s->dim, s->train + j * s->dim, q2, x2),
                                        (uint32_t)(s->train_first + j) };
    }
    qsort(near, n, sizeof *near, by_order);
    memcpy(best, near, (n < s->k ? n : s->k) * sizeof *best);
}

static enum status read_block(const struct rows *x, size_t first, size_t count, float *out, double *squares,
                              const char *what) {
    TRY(x->read(x->ctx, first, count, out));
    for (size_t i = 0; i < count; i++) {
        squares[i] = norm2(out + i * x->k, x->k);
        if (!isfinite(squares[i]))
            return fail(ERR_NUMERIC, "neighbours: %s %zu holds a value that is not finite", what, first + i);
    }
    return OK;
}

static enum status train_block(struct search *s, const struct rows *train, struct pool *pool) {
    TRY(read_block(train, s->train_first, s->train_count, s->train, s->train_norm2, "training row"));
    TRY(linalg_cross_gram(s->product, s->train_count, s->query, s->count, s->train, s->train_count, s->dim));
    pool_run(pool, s->count, one_query, s);
    size_t seen = s->train_first + s->train_count;
    /* A query that met itself has one less; an infinite key stands there until another row comes. */
    s->have = seen < s->k ? seen : s->k;
    return OK;
}

static enum status query_block(struct search *s, const struct rows *queries, const struct rows *train, size_t block,
                               struct pool *pool, const struct progress *p) {
    TRY(read_block(queries, s->first, s->count, s->query, s->query_norm2, "query"));
    for (size_t i = 0; i < s->count * s->k; i++) s->best[i] = (struct candidate){ INFINITY, UINT32_MAX };
    s->have = 0;
    for (s->train_first = 0; s->train_first < train->n; s->train_first += block) {
        s->train_count = train->n - s->train_first < block ? train->n - s->train_first : block;
        TRY(progress_check(p));
        TRY(train_block(s, train, pool));
    }
    return OK;
}

static void put_out(const struct search *s, struct neighbour *out) {
    for (size_t i = 0; i < s->count * s->k; i++) {
        double key = s->best[i].key;
        out[i] = (struct neighbour){ s->best[i].index, s->measure == NEIGHBOURS_EUCLID ? sqrt(key) : 0 - key };
    }
}

static enum status search_init(struct search *s, size_t queries, size_t block, size_t threads) {
    s->query = mem_array(queries * s->dim, sizeof *s->query);
    s->train = mem_array(block * s->dim, sizeof *s->train);
    s->query_norm2 = mem_array(queries, sizeof *s->query_norm2);
    s->train_norm2 = mem_array(block, sizeof *s->train_norm2);
    s->product = mem_array(queries * block, sizeof *s->product);
    s->best = mem_array(queries * s->k, sizeof *s->best);
    s->near_room = 2 * s->k + block;
    s->near = mem_array(threads * s->near_room, sizeof *s->near);
    if (s->query && s->train && s->query_norm2 && s->train_norm2 && s->product && s->best && s->near) return OK;
    return fail(ERR_NOMEM, "neighbours: out of memory for blocks of %zu and %zu rows", queries, block);
}

static void search_free(struct search *s) {
    mem_free(s->query);
    mem_free(s->train);
    mem_free(s->query_norm2);
    mem_free(s->train_norm2);
    mem_free(s->product);
    mem_free(s->best);
    mem_free(s->near);
}

static size_t at_most(size_t n, size_t limit) { return n < limit ? n : limit; }

enum status neighbours_find(struct neighbour *out, const struct rows *queries, const struct rows *train, size_t k,
                            enum neighbours_measure m, int same, size_t block_bytes, struct pool *pool,
                            const struct progress *p) {
    struct search s = { .measure = m, .dim = train->k, .same = same, .k = neighbours_count(train, k, same) };
    if (queries->k != train->k)
        return fail(ERR_RANGE, "neighbours: queries of %zu values, training rows of %zu", queries->k, train->k);
    if (!train->k || train->n > UINT32_MAX) return fail(ERR_RANGE, "neighbours: %zu rows of %zu values", train->n, train->k);
    if (!s.k) return fail(ERR_RANGE, "neighbours: there is no row to be near to");
    if (!queries->n) return OK;
    if (!block_bytes) block_bytes = DEFAULT_BLOCK_BYTES;
    size_t block = at_most(train->n, block_bytes / (train->k * sizeof(float)) + 1);
    size_t batch = at_most(at_most(queries->n, block), block_bytes / (block * sizeof(double)) + 1);
    enum status st = search_init(&s, batch, block, pool_threads(pool));
    for (s.first = 0; s.first < queries->n && st == OK; s.first += batch) {
        s.count = at_most(batch, queries->n - s.first);
        st = query_block(&s, queries, train, block, pool, p);
        if (st == OK) put_out(&s, out + s.first * s.k);
        if (st == OK) progress_report(p, (double)(s.first + s.count), (double)queries->n, "neighbours", "");
    }
    search_free(&s);
    return st;
}
