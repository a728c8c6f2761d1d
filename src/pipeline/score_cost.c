/* score_cost.c - what scores will cost, from what is missing and a few pieces of the
 * real work, timed once. */
#include "score_parts.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/progress.h"
#include "dtrak/rng.h"

#include <math.h>
#include <string.h>

/* Seconds per unit, on all threads. */
struct rates {
    double gram;      /* a multiply-add in float64 */
    double tile;      /* a multiply-add of score tiles */
    double eigen;     /* n^3 of a decomposition */
    double row;       /* a number of a stored row */
    double row_bytes; /* its size */
    double read;      /* a number of a feature row read */
};

enum { SIDE = 768, DEPTH = 1024, EIGEN = 512 };

/* The decomposition is timed at the size it will have, as far as that is quick: small ones
 * are several times slower for their n^3.  The first product wakes BLAS's threads. */
static enum status time_products(struct scorer *w, float *X) {
    size_t n = w->source.n < w->source.rows.k ? w->source.n : w->source.rows.k, e = n < SIDE ? n : SIDE;
    double *A = mem_array((size_t)SIDE * SIDE, sizeof *A), *values = mem_array(SIDE, sizeof *values);
    enum status st = A && values ? OK : fail(ERR_NOMEM, "score: out of memory");
    if (st == OK) st = linalg_cross_gram(A, SIDE, X, SIDE, X, SIDE, DEPTH);
    double t = clock_s();
    if (st == OK) st = linalg_cross_gram(A, SIDE, X, SIDE, X, SIDE, DEPTH);
    w->rates->gram = (clock_s() - t) / (.5 * SIDE * SIDE * DEPTH);
    if (e < 2) e = 2;
    for (size_t i = 0; st == OK && i < e; i++) memmove(A + i * e, A + i * SIDE, e * sizeof *A);
    t = clock_s();
    if (st == OK) st = linalg_eigh(A, e, values);
    w->rates->eigen = (clock_s() - t) / ((double)e * (double)e * (double)e);
    mem_free(A);
    mem_free(values);
    return st;
}

/* A score block of a small ridge, as the real ones are made. */
static enum status time_tiles(struct scorer *w, float *X) {
    struct rows_memory memory = { X, DEPTH };
    struct rows rows = rows_in_memory(&memory, EIGEN);
    struct ridge *r;
    enum { QUERIES = 2 * RIDGE_TILE };
    double *coords = mem_array((size_t)QUERIES * EIGEN, sizeof *coords);
    float *out = mem_array((size_t)QUERIES * EIGEN * 4, sizeof *out);
    double lambdas[4] = { 1, 2, 3, 4 };
    enum status st = coords && out ? ridge_new_rows(&r, &rows, NULL) : fail(ERR_NOMEM, "score: out of memory");
    if (st == OK) {
        for (size_t i = 0; i < (size_t)QUERIES * EIGEN; i++) coords[i] = (double)(i % 13);
        struct ridge_block b = { coords, QUERIES, lambdas, 4, out, w->pool };
        double t = clock_s();
        st = ridge_score_block(r, &b, NULL);
        w->rates->tile = (clock_s() - t) / (4.0 * QUERIES * EIGEN * EIGEN);
        ridge_free(r);
    }
    mem_free(coords);
    mem_free(out);
    return st;
}

/* A row stored and taken back. */
static enum status time_row(struct scorer *w) {
    size_t n = w->items[SPLIT_TRAIN];
    struct score_set set = { .method = "random", .params = "{\"timing\":1}", .split = SPLIT_GEN, .version = 1, .n = n,
                             .mantissa_bits = w->o->mantissa_bits ? w->o->mantissa_bits : 24, .rows = 8,
                             .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .condition = NAN };
    float *row = mem_array(n, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "score: out of memory");
    struct rng g = rng_at(0, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) row[i] = rng_uniform(&g) - .5f;
    enum status st = store_begin(w->s);
    if (st == OK) {
        double t = clock_s();
        st = store_score_set_ensure(w->s, &set, &w->provenance, &set);
        t = clock_s();
        for (size_t q = 0; q < 8 && st == OK; q++) st = store_score_put(w->s, &set, q, row);
        w->rates->row = (clock_s() - t) / (8.0 * (double)n);
        w->rates->row_bytes = set.mantissa_bits / 8.0 + .6;
        store_rollback(w->s);
    }
    mem_free(row);
    return st;
}

static enum status time_read(struct scorer *w) {
    size_t k = w->source.rows.k, count = w->source.n < 64 ? w->source.n : 64;
    if (w->source.has_kernel || !w->source.is_whole) return OK;
    float *rows = mem_array(count * k, sizeof *rows);
    if (!rows) return fail(ERR_NOMEM, "score: out of memory");
    double t = clock_s();
    enum status st = w->source.rows.read(w->source.rows.ctx, 0, count, rows);
    w->rates->read = (clock_s() - t) / (double)(count * k);
    mem_free(rows);
    return st;
}

static enum status time_all(struct scorer *w) {
    if (w->rates) return OK;
    w->rates = mem_array(1, sizeof *w->rates);
    float *X = mem_array((size_t)SIDE * DEPTH, sizeof *X);
    if (!w->rates || !X) {
        mem_free(X);
        return fail(ERR_NOMEM, "score: out of memory");
    }
    rng_normal(X, (size_t)SIDE * DEPTH, 1, RNG_TEST, 0, 0);
    enum status st = time_products(w, X);
    if (st == OK) st = time_tiles(w, X);
    if (st == OK) st = time_row(w);
    mem_free(X);
    return st;
}

/* --- what is missing --- */

struct rest { double plain, ridge; };   /* rows of methods without and with a ridge */

static enum status add_rest(struct scorer *w, struct rest *rest, enum method m, enum split split, size_t lambda) {
    struct score_set set;
    double rows;
    score_describe(w, m, split, lambda, &set);
    TRY(score_count_missing(w, &set, &rows));
    if (method_has_lambda(m)) rest->ridge += rows;
    else rest->plain += rows;
    return OK;
}

static enum status count_rest(struct scorer *w, struct rest *rest) {
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int q = 0; q < SPLIT_COUNT && score_in_group(w, (enum method)m); q++)
            for (size_t l = 0; w->splits >> q & 1 && l < (method_has_lambda((enum method)m) ? w->lambdas : 1); l++)
                TRY(add_rest(w, rest, (enum method)m, (enum split)q, l));
    return OK;
}

void score_add_decompositions(struct scorer *w, double count, double queries) {
    const struct source *src = &w->source;
    double n = (double)src->n, k = (double)src->rows.k, d = n < k ? n : k;
    double gram = count * (.5 * n * k * d + queries * (n * k + d * d)), tile = count * queries * n * d, eigen = count * d * d * d;
    if (!w->rates && time_all(w) != OK) return;   /* then nothing is said of it */
    w->cost.flop += 2 * (gram + tile) + 9 * eigen;
    w->cost.seconds += gram * w->rates->gram + tile * w->rates->tile + eigen * w->rates->eigen;
}

enum status score_add_cost(struct scorer *w) {
    const struct source *src = &w->source;
    struct rest rest = { 0, 0 };
    double n = (double)src->n, k = (double)src->rows.k, d = n < k ? n : k, queries = 0;
    TRY(time_all(w));
    TRY(time_read(w));
    TRY(count_rest(w, &rest));
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (w->splits >> q & 1) queries += (double)score_queries(w, (enum split)q);
    double rows = rest.plain + rest.ridge, gram = 0, tile = 0, eigen = 0;
    if (!(rows > 0)) return OK;
    w->cost.bytes_disk += rows * n * w->rates->row_bytes;
    w->cost.seconds += rows * n * w->rates->row;
    if (w->is_streamed) {
        if (rest.ridge > 0) score_add_stream_cost(w, w->rates->read, w->rates->gram);
        if (!(rest.plain > 0)) return OK;
        rest.ridge = 0;
    }
    int make = rest.ridge > 0 && !src->has_basis;
    if (make && !src->has_kernel) gram += .5 * n * k * d;      /* a symmetric half */
    if (!src->has_kernel && (rest.plain > 0 || n <= k)) gram += queries * n * k;
    if (rest.ridge > 0) gram += queries * d * d;
    if (make) eigen = d * d * d;
    tile = rest.ridge * (n * d + (n > k ? k * k : 0));
    w->cost.flop += 2 * (gram + tile) + 9 * eigen;
    w->cost.seconds += gram * w->rates->gram + tile * w->rates->tile + eigen * w->rates->eigen +
                       (src->has_kernel ? 0 : n * k * w->rates->read);
    double memory = (score_has_ridge(w) && !w->is_streamed ? source_ridge_bytes(src) : 0) + score_least_bytes(w);
    if (memory > w->cost.bytes_memory) w->cost.bytes_memory = memory;
    return OK;
}
