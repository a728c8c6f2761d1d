/* lds.c - the linear datamodeling score, its intervals and its ceiling. */
#include "dtrak/lds.h"

#include "dtrak/mem.h"
#include "dtrak/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LANES = 8 };   /* subsets at a time; their sums do not wait for each other */

/* Members first .. first + LANES - 1 side by side, [N][LANES], as numbers. */
static void pack_members(double *out, const unsigned char *members, size_t first, size_t M, size_t N) {
    for (size_t i = 0; i < LANES; i++)
        for (size_t n = 0; n < N; n++) out[n * LANES + i] = first + i < M && members[(first + i) * N + n] ? 1 : 0;
}

enum status lds_predict(double *p, const float *scores, size_t Q, const unsigned char *members, size_t M, size_t N) {
    double *side = mem_array(N * LANES, sizeof *side);
    if (!side) return fail(ERR_NOMEM, "LDS: out of memory");
    for (size_t m = 0; m < M; m += LANES) {
        pack_members(side, members, m, M, N);
        for (size_t q = 0; q < Q; q++) {
            double sum[LANES] = { 0 };
            for (size_t n = 0; n < N; n++)
                for (size_t i = 0; i < LANES; i++) sum[i] += side[n * LANES + i] * (double)scores[q * N + n];
            for (size_t i = 0; i < LANES && m + i < M; i++) p[q * M + m + i] = -sum[i];
        }
    }
    mem_free(side);
    return OK;
}

/* What all queries share may leave dust of rounding, which would have ranks: it is 0. */
void lds_centre(double *v, size_t M, size_t Q) {
    for (size_t m = 0; m < M; m++) {
        double sum = 0, largest = 0;
        for (size_t q = 0; q < Q; q++) {
            sum += v[q * M + m];
            largest = fmax(largest, fabs(v[q * M + m]));
        }
        double mean = sum / (double)Q, dust = (double)Q * DBL_EPSILON * largest;
        for (size_t q = 0; q < Q; q++) {
            double left = v[q * M + m] - mean;
            v[q * M + m] = fabs(left) <= dust ? 0 : left;
        }
    }
}

/* --- Spearman with each subset left out --- */

struct moments { double xx, yy, xy; };

static double correlation(const struct moments *s, int *constant) {
    *constant = !(s->xx > 0 && s->yy > 0);
    return *constant ? 0 : s->xy / sqrt(s->xx) / sqrt(s->yy);
}

/* Pearson of the ranks of all.  *constant: a side does not vary. */
static double correlation_of_all(const double *rx, const double *ry, size_t M, int *constant) {
    struct moments s = { 0, 0, 0 };
    double middle = ((double)M + 1) / 2;
    for (size_t i = 0; i < M; i++) {
        double a = rx[i] - middle, b = ry[i] - middle;
        s.xx += a * a;
        s.yy += b * b;
        s.xy += a * b;
    }
    return correlation(&s, constant);
}

/* The rank of i among all but m, from the rank among all: one less above m, half of one beside it.  No branches:
 * they would be guessed wrong half of the time, which is most of what a report takes. */
static double rank_without(double x, double rank, double left_out) {
    return rank - .5 * ((double)(x > left_out) + (double)(x >= left_out));
}

/* Of all but m.  Ranks are multiples of 1/2, so that sums are exact and m can be taken out afterwards. */
static double correlation_without(const double *x, const double *rx, const double *y, const double *ry, size_t M, size_t m) {
    double middle = (double)M / 2, a = rank_without(x[m], rx[m], x[m]) - middle, b = rank_without(y[m], ry[m], y[m]) - middle;
    struct moments s = { -a * a, -b * b, -a * b };
    for (size_t i = 0; i < M; i++) {
        a = rank_without(x[i], rx[i], x[m]) - middle;
        b = rank_without(y[i], ry[i], y[m]) - middle;
        s.xx += a * a;
        s.yy += b * b;
        s.xy += a * b;
    }
    int ignored;
    return correlation(&s, &ignored);
}

static enum status check_numbers(const double *p, const double *y, size_t M, size_t Q) {
    if (M < LDS_SUBSETS_MIN || !Q)
        return fail(ERR_RANGE, "LDS: %zu subsets and %zu queries, expected at least %d subsets and a query", M, Q, LDS_SUBSETS_MIN);
    for (size_t i = 0; i < M * Q; i++)
        if (!isfinite(p[i]) || !isfinite(y[i]))
            return fail(ERR_NUMERIC, "LDS: the %s of subset %zu for query %zu is not finite", isfinite(y[i]) ? "prediction" : "loss",
                        i % M, i / M);
    return OK;
}

static enum status fit_alloc(struct lds_fit *f, size_t M, size_t Q) {
    *f = (struct lds_fit){ .M = M, .Q = Q, .split = M };
    f->rho = mem_array(Q, sizeof *f->rho);
    f->loo = mem_array(M * Q, sizeof *f->loo);
    if (f->rho && f->loo) return OK;
    lds_fit_free(f);
    return fail(ERR_NOMEM, "LDS: out of memory for %zu subsets and %zu queries", M, Q);
}

void lds_fit_free(struct lds_fit *f) {
    mem_free(f->rho);
    mem_free(f->loo);
    memset(f, 0, sizeof *f);
}

enum status lds_fit_new(struct lds_fit *out, const double *p, const double *y, size_t M, size_t Q) {
    memset(out, 0, sizeof *out);
    TRY(check_numbers(p, y, M, Q));
    struct lds_fit f;
    enum status st = OK;
    double *rank = mem_array(2 * M, sizeof *rank);
    if (!rank) return fail(ERR_NOMEM, "LDS: out of memory");
    TRY_TO(fit_alloc(&f, M, Q));
    for (size_t q = 0; q < Q && st == OK; q++) {
        const double *x = p + q * M, *z = y + q * M;
        int constant;
        st = stats_average_ranks(x, M, rank);
        if (st == OK) st = stats_average_ranks(z, M, rank + M);
        if (st != OK) break;
        f.rho[q] = correlation_of_all(rank, rank + M, M, &constant);
        f.constant += (size_t)constant;
        for (size_t m = 0; m < M; m++) f.loo[m * Q + q] = correlation_without(x, rank, z, rank + M, M, m);
    }
    if (st == OK) *out = f;
    else lds_fit_free(&f);
done:
    mem_free(rank);
    return st;
}

/* --- intervals --- */

double lds_t975(double n) {
    /* Cornish-Fisher around the normal quantile (Abramowitz & Stegun 26.7.5). */
    const double z = 1.959963984540054, z2 = z * z, z3 = z2 * z, z5 = z3 * z2, z7 = z5 * z2;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n) +
           (79 * z7 * z2 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * n * n * n * n);
}

/* Jackknife variance of the rows [first, end) of v, whose element m is v[m * stride]. */
static double jackknife(const double *v, size_t first, size_t end, size_t stride) {
    double mean = 0, sum = 0, n = (double)(end - first);
    if (end <= first) return 0;
    for (size_t m = first; m < end; m++) mean += v[m * stride];
    mean /= n;
    for (size_t m = first; m < end; m++) sum += (v[m * stride] - mean) * (v[m * stride] - mean);
    return (n - 1) / n * sum;
}

static double both_samples(const double *v, const struct lds_fit *f, size_t stride) {
    return jackknife(v, 0, f->split, stride) + jackknife(v, f->split, f->M, stride);
}

/* Of means over queries, theta [M]. */
static void estimate(struct lds_estimate *out, const struct lds_fit *f, const double *theta) {
    double Q = (double)f->Q, V_in = 0, sd = stats_sd(f->rho, f->Q);
    *out = (struct lds_estimate){ .value = stats_mean(f->rho, f->Q), .se = NAN, .low = NAN, .high = NAN, .q_eff = NAN,
                                  .M = f->M, .Q = f->Q, .constant = f->constant };
    size_t smaller = f->split < f->M && f->M - f->split < f->split ? f->M - f->split : f->split;
    if (smaller < LDS_INTERVAL_MIN) return;
    for (size_t q = 0; q < f->Q; q++) V_in += both_samples(f->loo + q, f, f->Q);
    V_in /= Q * Q;
    double V_m = both_samples(theta, f, 1), V_q = sd * sd / Q;
    out->se = sqrt(V_m + fmax(0, V_q - V_in));
    if (V_m > 0) out->q_eff = Q * V_in / V_m;
    double df = (double)f->M - (f->split < f->M ? 2 : 1);
    out->low = out->value - lds_t975(df) * out->se;
    out->high = out->value + lds_t975(df) * out->se;
}

enum { ON_STACK = 256 };

void lds_estimate(struct lds_estimate *out, const struct lds_fit *f) {
    /* Row by row, so that no memory is needed: theta_-m takes the place of its row's mean. */
    double few[ON_STACK], *theta = f->M <= ON_STACK ? few : mem_array(f->M, sizeof *theta);
    if (!theta) {
        *out = (struct lds_estimate){ stats_mean(f->rho, f->Q), NAN, NAN, NAN, NAN, f->M, f->Q, f->constant };
        return;
    }
    for (size_t m = 0; m < f->M; m++) theta[m] = stats_mean(f->loo + m * f->Q, f->Q);
    estimate(out, f, theta);
    if (theta != few) mem_free(theta);
}

enum status lds_difference(struct lds_estimate *out, const struct lds_fit *a, const struct lds_fit *b) {
    struct lds_fit d;
    if (a->M != b->M || a->Q != b->Q)
        return fail(ERR_RANGE, "LDS: %zu subsets and %zu queries against %zu and %zu cannot be paired", a->M, a->Q, b->M, b->Q);
    /* A selection has two samples, a plain fit one of the same subsets: its order is even ones first. */
    if (a->split != b->split) return fail(ERR_RANGE, "LDS: a selected setting is compared with selected ones only");
    TRY(fit_alloc(&d, a->M, a->Q));
    d.split = a->split;
    for (size_t q = 0; q < d.Q; q++) d.rho[q] = a->rho[q] - b->rho[q];
    for (size_t i = 0; i < d.M * d.Q; i++) d.loo[i] = a->loo[i] - b->loo[i];
    d.constant = a->constant > b->constant ? a->constant : b->constant;
    lds_estimate(out, &d);
    lds_fit_free(&d);
    return OK;
}

/* --- a setting chosen on the other half --- */

/* Columns first, first + 2, ... of v [Q][M] as out [Q][half]. */
static void every_second(double *out, const double *v, size_t M, size_t Q, size_t first) {
    size_t at = 0;
    for (size_t q = 0; q < Q; q++)
        for (size_t m = first; m < M; m += 2) out[at++] = v[q * M + m];
}

/* Value on the subsets of one parity; the fit is kept when it is asked for. */
static enum status half_value(double *value, struct lds_fit *keep, const double *p, const double *y, size_t M, size_t Q,
                              size_t parity, double *scratch) {
    size_t half = (M + 1 - parity) / 2;
    struct lds_fit f;
    every_second(scratch, p, M, Q, parity);
    every_second(scratch + half * Q, y, M, Q, parity);
    TRY(lds_fit_new(&f, scratch, scratch + half * Q, half, Q));
    *value = stats_mean(f.rho, Q);
    if (keep) *keep = f;
    else lds_fit_free(&f);
    return OK;
}

static enum status choose(struct lds_selection *out, const double *const *p, size_t candidates, const double *y,
                          size_t M, size_t Q, double *scratch) {
    double best[2] = { -2, -2 };
    out->oracle_value = -2;
    for (size_t c = 0; c < candidates; c++) {
        double value;
        struct lds_fit all;
        for (size_t parity = 0; parity < 2; parity++) {
            TRY(half_value(&value, NULL, p[c], y, M, Q, parity, scratch));
            if (value > best[parity]) { best[parity] = value; out->chosen[parity] = c; }
        }
        TRY(lds_fit_new(&all, p[c], y, M, Q));
        value = stats_mean(all.rho, Q);
        lds_fit_free(&all);
        if (value > out->oracle_value) { out->oracle_value = value; out->oracle = c; }
    }
    return OK;
}

enum status lds_fit_join(struct lds_fit *out, const struct lds_fit half[2]) {
    size_t Q = half[0].Q;
    TRY(fit_alloc(out, half[0].M + half[1].M, Q));
    out->split = half[0].M;
    out->constant = half[0].constant > half[1].constant ? half[0].constant : half[1].constant;
    for (size_t q = 0; q < Q; q++) {
        out->rho[q] = (half[0].rho[q] + half[1].rho[q]) / 2;
        for (size_t h = 0; h < 2; h++)
            for (size_t m = 0; m < half[h].M; m++)
                out->loo[(h * out->split + m) * Q + q] = (half[h].loo[m * Q + q] + half[1 - h].rho[q]) / 2;
    }
    return OK;
}

enum status lds_select(struct lds_selection *out, const double *const *p, size_t candidates, const double *y,
                       size_t M, size_t Q) {
    struct lds_fit half[2] = { 0 };
    enum status st;
    double value;
    memset(out, 0, sizeof *out);
    if (!candidates || M < 2 * LDS_SUBSETS_MIN)
        return fail(ERR_RANGE, "LDS: %zu settings on %zu subsets; each half needs at least %d", candidates, M, LDS_SUBSETS_MIN);
    double *scratch = mem_array((M + 1) * Q, sizeof *scratch);
    if (!scratch) return fail(ERR_NOMEM, "LDS: out of memory");
    TRY_TO(choose(out, p, candidates, y, M, Q, scratch));
    /* chosen[parity] was best there: it is judged on the other. */
    for (size_t parity = 0; parity < 2; parity++)
        TRY_TO(half_value(&value, &half[parity], p[out->chosen[1 - parity]], y, M, Q, parity, scratch));
    TRY_TO(lds_fit_join(&out->fit, half));
done:
    lds_fit_free(&half[0]);
    lds_fit_free(&half[1]);
    mem_free(scratch);
    return st;
}

enum status lds_fit_halves(struct lds_fit *out, const double *p, const double *y, size_t M, size_t Q) {
    struct lds_fit half[2] = { 0 };
    enum status st;
    double value;
    memset(out, 0, sizeof *out);
    double *scratch = mem_array((M + 1) * Q, sizeof *scratch);
    if (!scratch) return fail(ERR_NOMEM, "LDS: out of memory");
    for (size_t parity = 0; parity < 2; parity++) TRY_TO(half_value(&value, &half[parity], p, y, M, Q, parity, scratch));
    TRY_TO(lds_fit_join(out, half));
done:
    lds_fit_free(&half[0]);
    lds_fit_free(&half[1]);
    mem_free(scratch);
    return st;
}

/* --- what repeats --- */

double lds_reliability(double r, double T) { return r > 0 ? T * r / (1 + (T - 1) * r) : (double)NAN; }
double lds_ceiling(double r, double T) { return sqrt(lds_reliability(r, T)); }
double lds_one_more(const struct lds_repeat *o, double T) {
    return T > 1 ? o->spearman * sqrt(lds_reliability(o->r, T) / o->r) : o->spearman;
}

/* Pearson without element m (m = K: of all). */
static double pearson_without(const double *x, const double *y, size_t K, size_t m, double *copy) {
    size_t n = 0;
    if (m == K) return stats_pearson(x, y, K);
    for (size_t i = 0; i < K; i++)
        if (i != m) {
            copy[n] = x[i];
            copy[K + n++] = y[i];
        }
    return stats_pearson(copy, copy + K, n);
}

enum status lds_repeat(struct lds_repeat *out, const double *const *y, size_t S, size_t K, size_t Q) {
    *out = (struct lds_repeat){ .r = NAN, .se = NAN, .spearman = NAN, .K = K, .seeds = S };
    if (S < 2 || K < LDS_SUBSETS_MIN || !Q)
        return fail(ERR_RANGE, "LDS: %zu seeds of %zu subsets, expected at least 2 of %d", S, K, LDS_SUBSETS_MIN);
    double *sum = mem_array(3 * K + 1, sizeof *sum), ranks = 0, pairs = 0;
    if (!sum) return fail(ERR_NOMEM, "LDS: out of memory");
    enum status st = OK;
    for (size_t a = 0; a < S; a++)
        for (size_t b = a + 1; b < S; b++)
            for (size_t q = 0; q < Q && st == OK; q++) {
                double rho = 0;
                st = stats_spearman(&rho, y[a] + q * K, y[b] + q * K, K);
                ranks += rho;
                pairs++;
                for (size_t m = 0; m <= K; m++) sum[m] += pearson_without(y[a] + q * K, y[b] + q * K, K, m, sum + K + 1);
            }
    for (size_t m = 0; m <= K; m++) sum[m] /= pairs;
    if (st == OK && !isfinite(sum[K])) st = fail(ERR_NUMERIC, "LDS: a loss is not finite");
    if (st == OK) {
        out->r = sum[K];
        out->spearman = ranks / pairs;
        if (K >= LDS_INTERVAL_MIN) out->se = sqrt(jackknife(sum, 0, K, 1));
    }
    mem_free(sum);
    return st;
}
