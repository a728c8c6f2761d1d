/* errorbars.c - jackknife over feature blocks, spreads, ranks. */
#include "dtrak/errorbars.h"

#include "dtrak/mem.h"
#include "dtrak/ranking.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 };   /* rows averaged at a time */

/* The mean of all blocks but one, as rows.  Sums in float64: copies average to themselves. */
struct mean_rows { const struct rows *block; size_t B, skip; float *in; double *sum; };

struct errorbars {
    size_t B, N, k;
    struct rows *block;           /* [B] */
    float *in;                    /* [CHUNK][k], shared: one read at a time */
    double *sum;
    struct mean_rows *mean;       /* [B + 1]; the last leaves nothing out */
    struct rows *rows;            /* [B + 1] */
    struct ridge **ridge;         /* [B + 1] */
    double *lambda;               /* [B + 1] */
    double dimension;
};

static enum status read_mean(void *ctx, size_t first, size_t count, float *out) {
    struct mean_rows *m = ctx;
    size_t k = m->block[0].k, used = m->B - (m->skip < m->B);
    for (size_t at = 0; at < count; at += CHUNK) {
        size_t len = (count - at < CHUNK ? count - at : CHUNK);
        memset(m->sum, 0, len * k * sizeof *m->sum);
        for (size_t b = 0; b < m->B; b++) {
            if (b == m->skip) continue;
            TRY(m->block[b].read(m->block[b].ctx, first + at, len, m->in));
            for (size_t i = 0; i < len * k; i++) m->sum[i] += (double)m->in[i];
        }
        for (size_t i = 0; i < len * k; i++) out[at * k + i] = (float)(m->sum[i] / (double)used);
    }
    return OK;
}

static enum status blocks_check(const struct rows *blocks, size_t B) {
    if (B < 2) return fail(ERR_RANGE, "error bars: %zu blocks of features; at least 2 are needed", B);
    for (size_t b = 1; b < B; b++)
        if (blocks[b].n != blocks[0].n || blocks[b].k != blocks[0].k)
            return fail(ERR_RANGE, "error bars: block %zu holds %zu x %zu features, the first %zu x %zu", b, blocks[b].n,
                        blocks[b].k, blocks[0].n, blocks[0].k);
    return OK;
}

void errorbars_free(struct errorbars *e) {
    if (!e) return;
    for (size_t b = 0; e->ridge && b <= e->B; b++) ridge_free(e->ridge[b]);
    mem_free(e->block);
    mem_free(e->in);
    mem_free(e->sum);
    mem_free(e->mean);
    mem_free(e->rows);
    mem_free(e->ridge);
    mem_free(e->lambda);
    mem_free(e);
}

static enum status allocate(struct errorbars **out, const struct rows *blocks, size_t B) {
    struct errorbars *e = mem_array(1, sizeof *e);
    *out = e;
    if (!e) return fail(ERR_NOMEM, "error bars: out of memory");
    *e = (struct errorbars){ .B = B, .N = blocks[0].n, .k = blocks[0].k };
    e->block = mem_array(B, sizeof *e->block);
    e->in = mem_array(CHUNK, e->k * sizeof *e->in);
    e->sum = mem_array(CHUNK, e->k * sizeof *e->sum);
    e->mean = mem_array(B + 1, sizeof *e->mean);
    e->rows = mem_array(B + 1, sizeof *e->rows);
    e->ridge = mem_array(B + 1, sizeof *e->ridge);
    e->lambda = mem_array(B + 1, sizeof *e->lambda);
    if (!e->block || !e->in || !e->sum || !e->mean || !e->rows || !e->ridge || !e->lambda)
        return fail(ERR_NOMEM, "error bars: out of memory");
    memcpy(e->block, blocks, B * sizeof *blocks);
    for (size_t b = 0; b <= B; b++) {
        e->mean[b] = (struct mean_rows){ e->block, B, b, e->in, e->sum };
        e->rows[b] = (struct rows){ .n = e->N, .k = e->k, .read = read_mean, .ctx = &e->mean[b] };
    }
    return OK;
}

/* The ridge of all blocks first: its effective dimension is what the others are held to. */
static enum status decompose(struct errorbars *e, struct lambda lambda, const struct progress *p) {
    for (size_t i = 0; i <= e->B; i++) {
        size_t b = e->B - i;
        TRY(progress_check(p));
        TRY(ridge_new_rows(&e->ridge[b], &e->rows[b], NULL));
        const struct ridge *r = e->ridge[b];
        if (b == e->B) {
            TRY(lambda_resolve(&e->lambda[b], lambda, ridge_eigenvalues(r), ridge_rank(r), ridge_trace(r), e->N, e->k));
            e->dimension = ridge_effective_dimension(r, e->lambda[b]);
        } else {
            TRY(lambda_for_dimension(&e->lambda[b], ridge_eigenvalues(r), ridge_rank(r), e->dimension));
        }
        progress_report(p, (double)(i + 1), (double)(e->B + 1), "error bars", "");
    }
    return OK;
}

enum status errorbars_new(struct errorbars **out, const struct rows *blocks, size_t B, struct lambda lambda,
                          const struct progress *p) {
    struct errorbars *e = NULL;
    *out = NULL;
    TRY(blocks_check(blocks, B));
    enum status st = allocate(&e, blocks, B);
    if (st == OK) st = decompose(e, lambda, p);
    if (st == OK) *out = e;
    else errorbars_free(e);
    return st;
}

size_t errorbars_blocks(const struct errorbars *e) { return e->B; }
double errorbars_dimension(const struct errorbars *e) { return e->dimension; }
double errorbars_lambda(const struct errorbars *e, size_t b) { return e->lambda[b <= e->B ? b : e->B]; }

static void query_mean(float *out, const float *query, size_t B, size_t count, size_t skip) {
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t b = 0; b < B; b++)
            if (b != skip) sum += (double)query[b * count + i];
        out[i] = (float)(sum / (double)(B - (skip < B)));
    }
}

enum status errorbars_scores(const struct errorbars *e, const float *query, size_t M, double *tau, double *left,
                             const struct progress *p) {
    enum status st = OK;
    size_t rank = ridge_rank(e->ridge[0]);
    float *g = mem_array(M, e->k * sizeof *g);
    double *coords = mem_array(M, rank * sizeof *coords);
    if (!g || !coords) TRY_TO(fail(ERR_NOMEM, "error bars: out of memory for %zu queries", M));
    for (size_t b = 0; b <= e->B; b++) {
        double *scores = b < e->B ? left + b * M * e->N : tau;
        TRY_TO(progress_check(p));
        query_mean(g, query, e->B, M * e->k, b);
        TRY_TO(ridge_query_rows(e->ridge[b], &e->rows[b], g, M, coords, NULL));
        TRY_TO(ridge_scores(e->ridge[b], coords, M, e->lambda[b], scores));
    }
done:
    mem_free(g);
    mem_free(coords);
    return st;
}

/* Sum of squared deviations of part[i], part[i + stride], ... from their mean. */
static double deviations(const double *part, size_t stride, size_t count) {
    double mean = 0, sum = 0;
    for (size_t b = 0; b < count; b++) mean += part[b * stride] / (double)count;
    for (size_t b = 0; b < count; b++) sum += (part[b * stride] - mean) * (part[b * stride] - mean);
    return sum;
}

void errorbars_jackknife(double *se, const double *left, size_t B, size_t count) {
    for (size_t i = 0; i < count; i++)
        se[i] = sqrt((double)(B - 1) / (double)B * deviations(left + i, count, B));
}

void errorbars_spread(double *se, const double *parts, size_t R, size_t count) {
    for (size_t i = 0; i < count; i++) se[i] = sqrt(deviations(parts + i, count, R) / (double)(R - 1));
}

void errorbars_total(double *total, const double *noise, const double *projection, const double *model, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double a = noise ? noise[i] : 0, b = projection ? projection[i] : 0, c = model ? model[i] : 0;
        total[i] = sqrt(a * a + b * b + c * c);
    }
}

double errorbars_z(double tau, double se) { return se > 0 || tau != 0 ? tau / se : 0; }
int errorbars_sign_is_determined(double tau, double se) { return fabs(errorbars_z(tau, se)) > ERRORBARS_SIGN_Z; }

static double sum_of(const double *row, const uint32_t *items, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += row[items[i]];
    return sum;
}

void errorbars_group(double *sum, double *se, const double *tau, const double *left, size_t B, size_t M, size_t N,
                     const uint32_t *items, size_t count) {
    for (size_t m = 0; m < M; m++) {
        double mean = 0, square = 0;
        sum[m] = sum_of(tau + m * N, items, count);
        for (size_t b = 0; b < B; b++) mean += sum_of(left + (b * M + m) * N, items, count) / (double)B;
        for (size_t b = 0; b < B; b++) {
            double d = sum_of(left + (b * M + m) * N, items, count) - mean;
            square += d * d;
        }
        se[m] = sqrt((double)(B - 1) / (double)B * square);
    }
}

/* --- ranks --- */

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The smallest value that at least part p of n sorted ones do not exceed. */
static uint32_t quantile(const uint32_t *sorted, size_t n, double p) {
    size_t i = (size_t)ceil(p * (double)n);
    return sorted[i ? i - 1 : 0];
}

static enum status errors_check(const double *tau, const double *se, size_t N, size_t draws) {
    if (!draws) return fail(ERR_RANGE, "error bars: no draws");
    for (size_t n = 0; n < N; n++)
        if (!isfinite(tau[n]) || !isfinite(se[n]) || se[n] < 0)
            return fail(ERR_NUMERIC, "error bars: training item %zu has score %g and error %g", n, tau[n], se[n]);
    return OK;
}

static enum status left_ranks(struct errorbars_rank *out, const double *left, size_t B, size_t stride, size_t N,
                              float *scores, uint32_t *rank) {
    for (size_t b = 0; b < B; b++) {
        for (size_t n = 0; n < N; n++) scores[n] = (float)left[b * stride + n];
        TRY(ranking_ranks(scores, N, rank));
        for (size_t n = 0; n < N; n++) {
            if (!b || rank[n] < out[n].left_low) out[n].left_low = rank[n];
            if (!b || rank[n] > out[n].left_high) out[n].left_high = rank[n];
        }
    }
    return OK;
}

enum status errorbars_ranks(struct errorbars_rank *out, const double *tau, const double *se, size_t N,
                            const double *left, size_t B, size_t stride, size_t top, size_t draws,
                            uint64_t seed, uint32_t key) {
    enum status st = OK;
    TRY(errors_check(tau, se, N, draws));
    float *scores = mem_array(N, sizeof *scores), *normal = mem_array(N, sizeof *normal);
    uint32_t *rank = mem_array(N, draws * sizeof *rank), *one = mem_array(N > draws ? N : draws, sizeof *one);
    if (!scores || !normal || !rank || !one) TRY_TO(fail(ERR_NOMEM, "error bars: out of memory for %zu draws", draws));
    memset(out, 0, N * sizeof *out);
    for (size_t d = 0; d < draws; d++) {
        rng_normal(normal, N, seed, RNG_SCORE, key, (uint32_t)(d + 1));   /* `random` uses 0 there */
        for (size_t n = 0; n < N; n++) scores[n] = (float)(tau[n] + se[n] * (double)normal[n]);
        TRY_TO(ranking_ranks(scores, N, rank + d * N));
    }
    for (size_t n = 0; n < N; n++) {
        size_t in_top = 0;
        for (size_t d = 0; d < draws; d++) {
            one[d] = rank[d * N + n];
            in_top += one[d] <= top;
        }
        qsort(one, draws, sizeof *one, by_number);
        out[n].p_top = (double)in_top / (double)draws;
        out[n].median = quantile(one, draws, 0.5);
        out[n].low = quantile(one, draws, 0.05);
        out[n].high = quantile(one, draws, 0.95);
    }
    if (left) st = left_ranks(out, left, B, stride, N, scores, one);
done:
    mem_free(scores);
    mem_free(normal);
    mem_free(rank);
    mem_free(one);
    return st;
}
