/* ridge_stream.c - several Krylov bases that grow with one reading of the rows. */
#include "dtrak/ridge_stream.h"

#include "dtrak/krylov.h"
#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)32 << 20)
#define VECTORS_LEAST 64      /* of a basis, for which there must be room */
#define VECTORS_USUAL 400     /* that a query is expected to take, at most */
#define QUERIES_MAX 32
#define PROBES_MAX 16
#define LOOK_BACK 6           /* readings, to foresee how many are to come */
#define D_EFF_ERROR 0.005     /* of the quadrature, relative */
#define LEAST 1e-11           /* of the trace: a lambda that rounding does not drown */

struct bases {
    const struct ridge_stream *s;
    struct krylov **of;
    size_t count, readings, rows;          /* rows of a block */
    size_t *active;                        /* [count] which take part in the next reading */
    double *V, *B, *scratch;               /* [count][k] twice */
    float *block;
};

/* --- memory --- */

static size_t block_rows(size_t N, size_t k) {
    size_t rows = BLOCK_BYTES / sizeof(float) / k;
    return rows < 1 ? 1 : rows < N ? rows : N;
}

/* Beside the vectors of the bases themselves, for M of them in one reading. */
static double fixed_bytes(const struct rows *t, const struct pool *pool, size_t M) {
    double k = (double)t->k;
    return (double)block_rows(t->n, t->k) * k * 4 + 8 * (2 * k * (double)M + (double)linalg_normal_add_scratch(pool, t->k, M));
}

double ridge_stream_least_bytes(size_t N, size_t k) {
    struct rows t = { .n = N, .k = k };
    return fixed_bytes(&t, NULL, 1) + 8.0 * (double)k * VECTORS_LEAST * 2;
}

/* Vectors that each of M bases may have.  A basis that grows is there twice for a moment. */
static size_t most_vectors(const struct ridge_stream *s, size_t M) {
    double left = (double)s->memory - fixed_bytes(s->train, s->pool, M), k = (double)s->train->k;
    double most = left / (8 * k * ((double)M + 1)) - 1;
    if (most < VECTORS_LEAST) most = VECTORS_LEAST;
    return most < k ? (size_t)most : s->train->k;
}

size_t ridge_stream_queries(const struct ridge_stream *s, size_t lambdas) {
    size_t M = 1, usual = s->train->k < VECTORS_USUAL ? s->train->k : VECTORS_USUAL;
    double rows = 4.0 * (double)s->train->n * (double)lambdas;
    while (M < QUERIES_MAX && most_vectors(s, M + 1) >= usual && (double)(M + 1) * rows < (double)s->memory / 4) M++;
    return M;
}

/* --- readings --- */

static void bases_free(struct bases *b) {
    for (size_t i = 0; b->of && i < b->count; i++) krylov_free(b->of[i]);
    mem_free(b->of);
    mem_free(b->active);
    mem_free(b->V);
    mem_free(b->B);
    mem_free(b->scratch);
    mem_free(b->block);
}

static enum status bases_init(struct bases *b, const struct ridge_stream *s, size_t count) {
    size_t k = s->train->k, scratch = linalg_normal_add_scratch(s->pool, k, count);
    *b = (struct bases){ .s = s, .count = count, .rows = block_rows(s->train->n, k) };
    b->of = mem_array(count, sizeof *b->of);
    b->active = mem_array(count, sizeof *b->active);
    b->V = mem_array(count * k, sizeof *b->V);
    b->B = mem_array(count * k, sizeof *b->B);
    b->scratch = mem_array(scratch, sizeof *b->scratch);
    b->block = mem_array(b->rows * k, sizeof *b->block);
    if (b->of && b->active && b->V && b->B && b->scratch && b->block) return OK;
    return fail(ERR_NOMEM, "scores: out of memory for %zu queries of %zu features", count, k);
}

static enum status add_basis(struct bases *b, size_t i, const double *start) {
    struct krylov_operator op = { .dim = b->s->train->k, .bound_image = 1, .most = most_vectors(b->s, b->count) };
    return krylov_new(&b->of[i], &op, start);
}

/* One vector more for every basis in active[0 .. n). */
static enum status read_once(struct bases *b, size_t n) {
    const struct rows *t = b->s->train;
    size_t k = t->k;
    for (size_t i = 0; i < n; i++) memcpy(b->V + i * k, krylov_next(b->of[b->active[i]]), k * sizeof *b->V);
    memset(b->B, 0, n * k * sizeof *b->B);
    for (size_t first = 0; first < t->n; first += b->rows) {
        size_t count = t->n - first < b->rows ? t->n - first : b->rows;
        TRY(progress_check(b->s->progress));
        TRY(t->read(t->ctx, first, count, b->block));
        linalg_normal_add(b->block, count, k, b->V, n, b->B, b->scratch, b->s->pool);
    }
    for (size_t i = 0; i < n; i++) TRY(krylov_take(b->of[b->active[i]], b->B + i * k, NULL));
    b->readings++;
    return OK;
}

/* --- scores --- */

/* Grows all bases until each reaches the tolerance at lambda. */
static enum status grow_to(struct bases *b, double lambda, double tolerance) {
    size_t most = most_vectors(b->s, b->count);
    struct { double at[LOOK_BACK]; size_t count; } past = { .count = 0 };
    double worst;
    for (;;) {
        size_t n = 0, vectors = 0;
        char note[48];
        worst = 0;
        for (size_t i = 0; i < b->count; i++) {
            double error;
            TRY(krylov_error(b->of[i], lambda, &error));
            if (error > worst) worst = error;
            if (krylov_size(b->of[i]) > vectors) vectors = krylov_size(b->of[i]);
            if (error > tolerance && krylov_next(b->of[i])) b->active[n++] = i;
        }
        if (!n) return OK;
        if (vectors >= most) break;
        snprintf(note, sizeof note, isfinite(worst) ? "error %.0e" : "", worst);
        /* The error falls by about the same factor with each vector: how many are to come? */
        double then = past.count < LOOK_BACK ? INFINITY : past.at[past.count % LOOK_BACK], to_come = (double)(most - vectors);
        if (isfinite(then) && then > worst) to_come = fmin(to_come, ceil(LOOK_BACK * log(worst / tolerance) / log(then / worst)));
        past.at[past.count++ % LOOK_BACK] = worst;
        progress_report(b->s->progress, (double)vectors, (double)vectors + fmax(to_come, 1), "readings of the features", note);
        TRY(read_once(b, n));
    }
    return fail(ERR_NUMERIC, "scores at lambda abs:%.3g: after %zu readings of the features the error may still be %.1e of their length, %.0e "
                "is wanted; give more --memory, or a larger --lambda", lambda, b->readings, worst, tolerance);
}

/* X[lambdas][M][k], then one reading for all products. */
static enum status finish(struct bases *b, const double *lambda_abs, size_t lambdas, double *X, float *out) {
    const struct rows *t = b->s->train;
    size_t k = t->k, M = b->count, all = lambdas * M;
    double *scratch = NULL, *products = NULL;
    enum status st = OK;
    for (size_t l = 0; l < lambdas; l++)
        for (size_t i = 0; i < M; i++) TRY(krylov_solve(b->of[i], lambda_abs[l], X + (l * M + i) * k));
    scratch = mem_array(linalg_wide_products_scratch(b->s->pool, k, all), sizeof *scratch);
    products = mem_array(b->rows * all, sizeof *products);
    if (!scratch || !products) st = fail(ERR_NOMEM, "scores: out of memory for %zu queries at %zu lambdas", M, lambdas);
    for (size_t first = 0; first < t->n && st == OK; first += b->rows) {
        size_t count = t->n - first < b->rows ? t->n - first : b->rows;
        st = progress_check(b->s->progress);
        if (st == OK) st = t->read(t->ctx, first, count, b->block);
        if (st != OK) break;
        linalg_wide_products(b->block, count, k, X, all, products, scratch, b->s->pool);
        for (size_t r = 0; r < count; r++)
            for (size_t i = 0; i < all; i++) out[i * t->n + first + r] = (float)products[r * all + i];
    }
    b->readings++;
    mem_free(scratch);
    mem_free(products);
    return st;
}

/* A few lambdas at a time, so that their vectors do not take more than the bases. */
static enum status finish_all(struct bases *b, const double *lambda_abs, size_t lambdas, float *out) {
    enum { AT_A_TIME = 8 };
    size_t k = b->s->train->k, at_a_time = lambdas < AT_A_TIME ? lambdas : AT_A_TIME;
    double *X = mem_array(at_a_time * b->count * k, sizeof *X);
    enum status st = X ? OK : fail(ERR_NOMEM, "scores: out of memory for %zu queries", b->count);
    for (size_t l = 0; l < lambdas && st == OK; l += at_a_time) {
        size_t n = lambdas - l < at_a_time ? lambdas - l : at_a_time;
        st = finish(b, lambda_abs + l, n, X, out + l * b->count * b->s->train->n);
    }
    mem_free(X);
    return st;
}

static enum status check(const struct ridge_stream *s) {
    if (s->train->n && s->train->k) return OK;
    return fail(ERR_RANGE, "scores: %zu training items of %zu features", s->train->n, s->train->k);
}

enum status ridge_stream_scores(const struct ridge_stream *s, const float *g, size_t M, const double *lambda_abs, size_t lambdas,
                                double tolerance, float *out, size_t *readings) {
    struct bases b = { 0 };
    double least = INFINITY, *start = NULL;
    enum status st = check(s);
    TRY(st);
    if (!M || !lambdas) return OK;
    size_t k = s->train->k;
    int before = linalg_set_threads(1);
    for (size_t l = 0; l < lambdas; l++) least = fmin(least, lambda_abs[l]);
    TRY_TO(bases_init(&b, s, M));
    start = mem_array(k, sizeof *start);
    if (!start) { st = fail(ERR_NOMEM, "scores: out of memory"); goto done; }
    for (size_t i = 0; i < M; i++) {
        for (size_t j = 0; j < k; j++) start[j] = (double)g[i * k + j];
        TRY_TO(add_basis(&b, i, start));
    }
    TRY_TO(grow_to(&b, least, tolerance));
    st = finish_all(&b, lambda_abs, lambdas, out);
done:
    if (readings) *readings = b.readings;
    mem_free(start);
    bases_free(&b);
    linalg_set_threads(before);
    return st;
}

/* --- the automatic lambda --- */

/* Bounds on the probes' mean of z^T Phi^T Phi (Phi^T Phi + l)^-1 z. */
static enum status dimension(const struct bases *b, double lambda, double *low, double *high) {
    double least = 0, most = 0, k = (double)b->s->train->k;
    for (size_t i = 0; i < b->count; i++) {
        double a, z;
        TRY(krylov_quadratic(b->of[i], lambda, &a, &z));
        least += k - lambda * z;
        most += k - lambda * a;
    }
    *low = fmax(least / (double)b->count, 0);
    *high = most / (double)b->count;
    return OK;
}

/* lambda at which the middle of the bounds is `target`. */
static enum status bisect(const struct bases *b, double target, double trace, double *lambda, double *low_d, double *high_d) {
    double from = log(trace * LEAST), to = log(trace / target);   /* d_eff(l) <= trace / l */
    for (int i = 0; i < 60; i++) {
        double middle = (from + to) / 2;
        TRY(dimension(b, exp(middle), low_d, high_d));
        if ((*low_d + *high_d) / 2 > target) from = middle;
        else to = middle;
    }
    *lambda = exp((from + to) / 2);
    return dimension(b, *lambda, low_d, high_d);
}

static enum status grow_to_dimension(struct bases *b, double trace, size_t nonzero, double *lambda, double *d_eff) {
    size_t n, most = most_vectors(b->s, b->count);
    double small = (double)(b->s->train->n < b->s->train->k ? b->s->train->n : b->s->train->k), low = 0, high = 0;
    for (;;) {
        n = 0;
        for (size_t i = 0; i < b->count; i++)
            if (krylov_next(b->of[i])) b->active[n++] = i;
        size_t vectors = krylov_size(b->of[0]);
        if (vectors) {
            /* d_eff where lambda is nothing: the rank, as far as these bases see it. */
            double target = LAMBDA_AUTO_FRACTION * small, rank_low, rank_high;
            TRY(dimension(b, trace * LEAST, &rank_low, &rank_high));
            if (target >= (double)nonzero) target = LAMBDA_AUTO_FRACTION * (double)nonzero;
            if (!n && target >= rank_high) target = LAMBDA_AUTO_FRACTION * rank_high;
            TRY(bisect(b, target, trace, lambda, &low, &high));
            *d_eff = (low + high) / 2;
            /* Where the rank is below the target no lambda reaches it: only whole bases tell. */
            if (!n || (high - low <= 2 * D_EFF_ERROR * target && fabs(*d_eff - target) <= D_EFF_ERROR * target)) return OK;
        }
        if (vectors >= most) break;
        char note[48];
        snprintf(note, sizeof note, "effective dimension %.0f-%.0f", low, high);
        progress_report(b->s->progress, (double)vectors, (double)most, "readings for lambda", vectors ? note : "");
        TRY(read_once(b, n));
    }
    return fail(ERR_NUMERIC, "lambda auto: after %zu readings of the features their effective dimension is between %.0f and %.0f; give more "
                "--memory, or say --lambda 0.05", b->readings, low, high);
}

enum status ridge_stream_auto(const struct ridge_stream *s, double trace, size_t nonzero, double *lambda_abs, double *d_eff, size_t *readings) {
    struct bases b = { 0 };
    double *start = NULL;
    enum status st = check(s);
    TRY(st);
    if (!(trace > 0)) return fail(ERR_NUMERIC, "lambda: all features are zero, so there is no effective dimension");
    size_t N = s->train->n, k = s->train->k, probes = (size_t)ceil(2e4 / (LAMBDA_AUTO_FRACTION * (double)(N < k ? N : k)));
    probes = probes < 2 ? 2 : probes > PROBES_MAX ? PROBES_MAX : probes;
    while (probes > 2 && most_vectors(s, probes) < VECTORS_USUAL && most_vectors(s, probes) < k) probes--;
    int before = linalg_set_threads(1);
    TRY_TO(bases_init(&b, s, probes));
    start = mem_array(k, sizeof *start);
    if (!start) { st = fail(ERR_NOMEM, "lambda: out of memory"); goto done; }
    for (size_t i = 0; i < probes; i++) {
        struct rng r = rng_at(0, RNG_PROBE, (uint32_t)i, 0);
        uint32_t bits = 0;
        for (size_t j = 0; j < k; j++) {
            if (j % 32 == 0) bits = rng_u32(&r);
            start[j] = bits >> (j % 32) & 1 ? 1 : -1;
        }
        TRY_TO(add_basis(&b, i, start));
    }
    st = grow_to_dimension(&b, trace, nonzero, lambda_abs, d_eff);
done:
    if (readings) *readings = b.readings;
    mem_free(start);
    bases_free(&b);
    linalg_set_threads(before);
    return st;
}
