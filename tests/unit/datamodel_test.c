/* datamodel_test.c - against the normal equations of (weights, intercept) and plain refits. */
#include "dtrak/datamodel.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/stats.h"
#include "../lib/near.h"

#include <stdlib.h>
#include <string.h>

enum { M = 23, N = 9, Q = 4 };

static unsigned char mask[M * N];
static double y[M * Q];

/* Outputs with a true additive effect: item n lowers query q by effect[q][n] / 10. */
static void make(double noise) {
    struct rng r = rng_at(3, RNG_TEST, 0, 0);
    float e[M * Q];
    rng_normal(e, M * Q, 3, RNG_TEST, 1, 0);
    for (size_t i = 0; i < M * N; i++) mask[i] = rng_u32(&r) & 1;
    for (size_t m = 0; m < M; m++)
        for (size_t q = 0; q < Q; q++) {
            y[m * Q + q] = 5 + noise * (double)e[m * Q + q];
            for (size_t n = 0; n < N; n++) y[m * Q + q] -= 0.1 * (double)((n + q) % 4) * mask[m * N + n];
        }
}

/* w [N] and intercept w[N] from the models in use, by elimination. */
static void normal_equations(double *w, double a, size_t q, const unsigned char *use) {
    double A[N + 1][N + 2] = { { 0 } };
    for (size_t i = 0; i < N; i++) A[i][i] = a;
    for (size_t m = 0; m < M; m++) {
        if (!use[m]) continue;
        double x[N + 1];
        for (size_t n = 0; n < N; n++) x[n] = mask[m * N + n];
        x[N] = 1;
        for (size_t i = 0; i <= N; i++) {
            for (size_t j = 0; j <= N; j++) A[i][j] += x[i] * x[j];
            A[i][N + 1] += x[i] * y[m * Q + q];
        }
    }
    for (size_t c = 0; c <= N; c++)
        for (size_t i = 0; i <= N; i++) {
            if (i == c) continue;
            double f = A[i][c] / A[c][c];
            for (size_t j = c; j <= N + 1; j++) A[i][j] -= f * A[c][j];
        }
    for (size_t c = 0; c <= N; c++) w[c] = A[c][N + 1] / A[c][c];
}

/* Squared error on models left out in groups; group g holds models cut[g]..cut[g+1]-1. */
static double left_out(double a, size_t q, size_t groups) {
    double sum = 0, w[N + 1];
    unsigned char use[M];
    size_t lo = 0;
    for (size_t g = 0; g < groups; g++) {
        size_t hi = lo + M / groups + (g < M % groups);
        for (size_t m = 0; m < M; m++) use[m] = m < lo || m >= hi;
        normal_equations(w, a, q, use);
        for (size_t m = lo; m < hi; m++) {
            double e = y[m * Q + q] - w[N];
            for (size_t n = 0; n < N; n++) e -= w[n] * mask[m * N + n];
            sum += e * e;
        }
        lo = hi;
    }
    return sum;
}

static double mean_square(void) {
    double sum = 0;
    for (size_t n = 0; n < N; n++) {
        double mean = 0;
        for (size_t m = 0; m < M; m++) mean += mask[m * N + n] / (double)M;
        for (size_t m = 0; m < M; m++) sum += (mask[m * N + n] - mean) * (mask[m * N + n] - mean);
    }
    return sum / M;
}

static void check(const struct datamodel *o, size_t *spread) {
    double scores[Q * N];
    size_t chosen[Q];
    unsigned char all[M];
    memset(all, 1, sizeof all);
    assert_int_equal(datamodel_ridge(scores, chosen, o, mask, y, M, N, Q), OK);
    for (size_t q = 0; q < Q; q++) {
        size_t best = 0;
        double low = INFINITY, w[N + 1];
        for (size_t s = 0; s < o->count; s++) {
            double a = o->strength[s] * (o->is_relative ? mean_square() : 1);
            double e = left_out(a, q, o->folds ? o->folds : M);
            if (e < low) {
                low = e;
                best = s;
            }
        }
        assert_int_equal(chosen[q], best);
        spread[best]++;
        normal_equations(w, o->strength[best] * (o->is_relative ? mean_square() : 1), q, all);
        for (size_t n = 0; n < N; n++) assert_near(scores[q * N + n], -w[n], 1e-11, 1e-11);
    }
}

static void weights_and_choice_are_those_of_the_normal_equations(void **state) {
    (void)state;
    const struct datamodel four = { { 0.01, 0.3, 3, 40 }, 4, 0, 4 }, alone = { { 0.05, 0.5, 5 }, 3, 0, 0 };
    size_t spread[DATAMODEL_STRENGTHS] = { 0 };
    for (double noise = 0.03; noise < 3; noise *= 3) {
        make(noise);
        check(&datamodel_published, spread);
        check(&datamodel_default, spread);
        check(&four, spread);
        check(&alone, spread);
    }
    /* The choice was a choice. */
    for (size_t s = 0; s < 3; s++) assert_true(spread[s] > 0);
}

static void a_true_effect_comes_back_with_its_sign(void **state) {
    (void)state;
    double scores[Q * N];
    const struct datamodel weak = { { 1e-9 }, 1, 0, 0 };
    make(0);
    assert_int_equal(datamodel_ridge(scores, NULL, &weak, mask, y, M, N, Q), OK);
    for (size_t q = 0; q < Q; q++)
        for (size_t n = 0; n < N; n++) assert_near(scores[q * N + n], 0.1 * (double)((n + q) % 4), 1e-8, 0);
}

static void influence_is_a_difference_of_means(void **state) {
    (void)state;
    double scores[Q * N];
    size_t undecided = 99;
    make(0.2);
    for (size_t m = 0; m < M; m++) {
        mask[m * N + 2] = 1;
        mask[m * N + 5] = 0;
    }
    assert_int_equal(datamodel_influence(scores, &undecided, mask, y, M, N, Q), OK);
    assert_int_equal(undecided, 2);
    for (size_t q = 0; q < Q; q++)
        for (size_t n = 0; n < N; n++) {
            double sum[2] = { 0 }, count[2] = { 0 };
            for (size_t m = 0; m < M; m++) {
                sum[mask[m * N + n]] += y[m * Q + q];
                count[mask[m * N + n]]++;
            }
            double want = n == 2 || n == 5 ? 0 : sum[0] / count[0] - sum[1] / count[1];
            assert_near(scores[q * N + n], want, 1e-13, 1e-13);
        }
}

/* In a balanced design the items do not mix and the difference is the effect. */
static void influence_of_a_balanced_design_is_the_effect(void **state) {
    (void)state;
    double scores[3], out[8];
    unsigned char design[8 * 3];
    for (size_t m = 0; m < 8; m++) {
        out[m] = 1;
        for (size_t n = 0; n < 3; n++) {
            design[m * 3 + n] = (unsigned char)(m >> n & 1);
            out[m] -= (double)(n + 1) * design[m * 3 + n];
        }
    }
    assert_int_equal(datamodel_influence(scores, NULL, design, out, 8, 3, 1), OK);
    for (size_t n = 0; n < 3; n++) assert_near(scores[n], (double)(n + 1), 1e-14, 0);
}

/* --- judged on other models --- */

/* Predictions [Q][K] for the models in `to`, from scores made of those in `from`, with plain sums. */
static void predicted(double *p, const struct datamodel *o, const unsigned char *from, const unsigned char *to) {
    unsigned char part[M * N];
    double out[M * Q], scores[Q * N];
    size_t m = 0, at = 0;
    for (size_t i = 0; i < M; i++) {
        if (!from[i]) continue;
        memcpy(part + m * N, mask + i * N, N);
        memcpy(out + m++ * Q, y + i * Q, Q * sizeof *y);
    }
    if (o) assert_int_equal(datamodel_ridge(scores, NULL, o, part, out, m, N, Q), OK);
    else assert_int_equal(datamodel_influence(scores, NULL, part, out, m, N, Q), OK);
    for (size_t q = 0; q < Q; q++)
        for (size_t i = 0; i < M; i++) {
            if (!to[i]) continue;
            double sum = 0;
            for (size_t n = 0; n < N; n++) sum += mask[i * N + n] ? scores[q * N + n] : 0;
            p[at++] = -sum;
        }
}

static void predictions_are_sums_of_scores(void **state) {
    (void)state;
    const struct datamodel *kinds[2] = { NULL, &datamodel_default };
    double got[Q * M], want[Q * M];
    unsigned char other[M * N], from[M], to[M];
    make(0.3);
    for (size_t m = 0; m < M; m++) mask[m * N + 4] = 1;   /* decides nothing */
    for (size_t i = 0; i < M; i++) to[i] = !(from[i] = i < 14);
    for (size_t i = 14; i < M; i++) memcpy(other + (i - 14) * N, mask + i * N, N);
    for (size_t k = 0; k < 2; k++) {
        predicted(want, kinds[k], from, to);
        assert_int_equal(datamodel_predict(got, kinds[k], mask, y, 14, other, M - 14, N, Q), OK);
        for (size_t q = 0; q < Q; q++)
            for (size_t i = 1; i < M - 14; i++)
                assert_near(got[q * (M - 14) + i] - got[q * (M - 14)], want[q * (M - 14) + i] - want[q * (M - 14)], 1e-11, 1e-11);
    }
}

/* LDS with each parity predicted by the other, model `without` (M: none) left out of everything. */
static double judged(const struct datamodel *o, size_t without, size_t q, int is_centred) {
    double sum = 0;
    for (size_t h = 0; h < 2; h++) {
        unsigned char from[M], to[M];
        double p[Q * M], target[Q * M], rho;
        size_t K = 0;
        for (size_t i = 0; i < M; i++) {
            from[i] = i % 2 != h && i != without;
            to[i] = i % 2 == h;
            K += to[i];
        }
        predicted(p, o, from, to);
        for (size_t r = 0; r < Q; r++)
            for (size_t i = h, at = 0; i < M; i += 2) target[r * K + at++] = y[i * Q + r];
        if (is_centred) {
            lds_centre(p, K, Q);
            lds_centre(target, K, Q);
        }
        double *a = p + q * K, *b = target + q * K;
        for (size_t i = 0; without % 2 == h && without < M && i + 1 < K; i++)   /* its place closes up */
            if (i >= without / 2) { a[i] = a[i + 1]; b[i] = b[i + 1]; }
        assert_int_equal(stats_spearman(&rho, a, b, K - (without < M && without % 2 == h)), OK);
        sum += rho / 2;
    }
    return sum;
}

static void each_half_is_judged_by_the_other(void **state) {
    (void)state;
    const struct datamodel *kinds[2] = { NULL, &datamodel_default };
    static double turned[Q * M];
    make(0.3);
    for (size_t i = 0; i < M * Q; i++) turned[i % Q * M + i / Q] = y[i];
    for (int c = 0; c < 2; c++)
        for (size_t k = 0; k < 2; k++) {
            struct lds_fit f;
            assert_int_equal(datamodel_judge(&f, kinds[k], mask, turned, M, N, Q, c), OK);
            assert_int_equal(f.split, 12);
            for (size_t q = 0; q < Q; q++) {
                assert_near(f.rho[q], judged(kinds[k], M, q, c), 1e-12, 1e-12);
                for (size_t m = 0; m < M; m++)
                    assert_near(f.loo[(m % 2 * 12 + m / 2) * Q + q], judged(kinds[k], m, q, c), 1e-12, 1e-12);
            }
            lds_fit_free(&f);
        }
    assert_int_equal(mem_live(), 0);
}

/* Outputs of pure chance: judged on the models they are made of, scores look excellent. */
static void chance_is_not_taken_for_skill(void **state) {
    (void)state;
    static double turned[Q * M];
    struct lds_fit f;
    struct lds_estimate e;
    double p[Q * M], oracle = 0, rho;
    unsigned char all[M];
    float chance[M * Q];
    make(1);
    rng_normal(chance, M * Q, 9, RNG_TEST, 4, 0);
    for (size_t i = 0; i < M * Q; i++) turned[i % Q * M + i / Q] = y[i] = (double)chance[i];
    memset(all, 1, sizeof all);
    predicted(p, NULL, all, all);
    for (size_t q = 0; q < Q; q++) {
        assert_int_equal(stats_spearman(&rho, p + q * M, turned + q * M, M), OK);
        oracle += rho / Q;
    }
    assert_true(oracle > .5);
    assert_int_equal(datamodel_judge(&f, NULL, mask, turned, M, N, Q, 0), OK);
    lds_estimate(&e, &f);
    assert_true(fabs(e.value) < .3 && e.low < 0 && e.high > 0);
    lds_fit_free(&f);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    double scores[Q * N];
    struct datamodel o = datamodel_default;
    make(0.1);
    assert_int_equal(datamodel_ridge(scores, NULL, &o, mask, y, 2, N, Q), ERR_RANGE);
    assert_int_equal(datamodel_influence(scores, NULL, mask, y, 1, N, Q), ERR_RANGE);
    o.folds = M + 1;
    assert_int_equal(datamodel_ridge(scores, NULL, &o, mask, y, M, N, Q), ERR_RANGE);
    o.folds = 0;
    o.strength[1] = 0;
    assert_int_equal(datamodel_ridge(scores, NULL, &o, mask, y, M, N, Q), ERR_RANGE);
    struct lds_fit f;
    assert_int_equal(datamodel_judge(&f, NULL, mask, y, 5, N, Q, 0), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "at least 6"));
    y[2 * Q + 3] = NAN;
    assert_int_equal(datamodel_predict(scores, NULL, mask, y, M, mask, 1, N, Q), ERR_NUMERIC);
    assert_int_equal(datamodel_ridge(scores, NULL, &datamodel_default, mask, y, M, N, Q), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "subset model 2 for query 3"));
    make(0.1);
    memset(mask, 1, sizeof mask);
    assert_int_equal(datamodel_ridge(scores, NULL, &datamodel_default, mask, y, M, N, Q), ERR_NUMERIC);
}

static void nothing_leaks_when_memory_runs_out(void **state) {
    (void)state;
    double scores[Q * N];
    make(0.1);
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = datamodel_ridge(scores, NULL, &datamodel_published, mask, y, M, N, Q);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), 0);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
    for (long n = 0;; n++) {
        struct lds_fit f;
        mem_fail_after(n);
        enum status st = datamodel_judge(&f, n % 2 ? &datamodel_default : NULL, mask, y, 13, N, Q, 1);
        mem_fail_after(-1);
        lds_fit_free(&f);
        assert_int_equal(mem_live(), 0);
        if (st == OK && n > 400) break;
        assert_true(st == OK || st == ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_and_choice_are_those_of_the_normal_equations),
        cmocka_unit_test(a_true_effect_comes_back_with_its_sign),
        cmocka_unit_test(influence_is_a_difference_of_means),
        cmocka_unit_test(influence_of_a_balanced_design_is_the_effect),
        cmocka_unit_test(predictions_are_sums_of_scores),
        cmocka_unit_test(each_half_is_judged_by_the_other),
        cmocka_unit_test(chance_is_not_taken_for_skill),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(nothing_leaks_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
