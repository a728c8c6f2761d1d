/* das_test.c - leave-one-out of a linear model, random probes, recipes by hand. */
#include "dtrak/das.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <stdlib.h>
#include <string.h>

enum { M = 3, N = 12, D = 2, K = 7 };

static double jac_q[M * D * K], jac_n[N * D * K], y[N * D];

static void normals(double *out, size_t n, uint32_t a, uint32_t b) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    rng_normal(x, n, 31, RNG_TEST, a, b);
    for (size_t i = 0; i < n; i++) out[i] = (double)x[i];
    free(x);
}

static void make(void) {
    normals(jac_q, M * D * K, 0, 0);
    normals(jac_n, N * D * K, 1, 0);
    normals(y, N * D, 2, 0);
}

/* theta = argmin sum_n ||J_n theta - y_n||^2 + lambda ||theta||^2 without item `out` (N: all), by plain
 * elimination on the normal equations. */
static void fit(double *theta, double lambda, size_t out) {
    double A[K][K + 1] = { { 0 } };
    for (size_t i = 0; i < K; i++) A[i][i] = lambda;
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < D && n != out; d++) {
            const double *j = jac_n + (n * D + d) * K;
            for (size_t a = 0; a < K; a++) {
                for (size_t b = 0; b < K; b++) A[a][b] += j[a] * j[b];
                A[a][K] += j[a] * y[n * D + d];
            }
        }
    for (size_t c = 0; c < K; c++)
        for (size_t i = 0; i < K; i++) {
            if (i == c) continue;
            double f = A[i][c] / A[c][c];
            for (size_t j = c; j <= K; j++) A[i][j] -= f * A[c][j];
        }
    for (size_t c = 0; c < K; c++) theta[c] = A[c][K] / A[c][c];
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* What removing an item does to the predictions, by refitting: the formula must give it. */
static void the_exact_form_is_leave_one_out(void **state) {
    (void)state;
    make();
    for (double lambda = 0.05; lambda < 20; lambda *= 10) {
        double theta[K], without[K], r[N * D], tau[M * N], moved[M * N * D];
        fit(theta, lambda, N);
        for (size_t i = 0; i < N * D; i++) r[i] = dot(jac_n + i * K, theta, K) - y[i];
        assert_int_equal(das_exact(tau, moved, jac_q, M, jac_n, N, r, D, K, lambda), OK);
        for (size_t n = 0; n < N; n++) {
            fit(without, lambda, n);
            for (size_t m = 0; m < M; m++) {
                double square = 0;
                for (size_t d = 0; d < D; d++) {
                    const double *j = jac_q + (m * D + d) * K;
                    double change = dot(j, without, K) - dot(j, theta, K);
                    assert_near(moved[(m * N + n) * D + d], change, 1e-12, 1e-9);
                    square += change * change;
                }
                assert_near(tau[m * N + n], square, 1e-14, 1e-9);
            }
        }
    }
}

/* One output: h is a number, and the exact form is the signed form squared. */
static void one_output_is_the_signed_form(void **state) {
    (void)state;
    const double lambda = 0.3;
    double tau[M * N], s[M * N], kj[N * K], A[K * K], h[N];
    make();
    assert_int_equal(das_exact(tau, NULL, jac_q, M, jac_n, N, y, 1, K, lambda), OK);
    assert_int_equal(linalg_gemm_f64(1, 0, K, K, N, 1, jac_n, K, jac_n, K, 0, A, K), OK);
    for (size_t i = 0; i < K; i++) A[i * K + i] += lambda;
    memcpy(kj, jac_n, sizeof kj);
    assert_int_equal(linalg_cholesky_solve(A, K, kj, N), OK);
    for (size_t n = 0; n < N; n++) {
        h[n] = dot(jac_n + n * K, kj + n * K, K);
        for (size_t m = 0; m < M; m++) s[m * N + n] = dot(jac_q + m * K, kj + n * K, K);
    }
    assert_int_equal(das_signed(s, M, N, y, h), OK);
    size_t negative = 0;
    for (size_t i = 0; i < M * N; i++) negative += s[i] < 0;
    assert_in_range(negative, 1, M * N - 1);
    das_square(s, M * N);
    for (size_t i = 0; i < M * N; i++) assert_near(s[i], tau[i], 1e-14, 1e-11);
}

/* The exact form without the leverage, by hand: K^-1 from all rows. */
static void exact_without_leverage(double *tau, double lambda, const double *r) {
    double A[K * K], psi[N * K] = { 0 };
    assert_int_equal(linalg_gemm_f64(1, 0, K, K, N * D, 1, jac_n, K, jac_n, K, 0, A, K), OK);
    for (size_t i = 0; i < K; i++) A[i * K + i] += lambda;
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < D; d++)
            for (size_t a = 0; a < K; a++) psi[n * K + a] += jac_n[(n * D + d) * K + a] * r[n * D + d];
    assert_int_equal(linalg_cholesky_solve(A, K, psi, N), OK);
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            tau[m * N + n] = 0;
            for (size_t d = 0; d < D; d++) {
                double v = dot(jac_q + (m * D + d) * K, psi + n * K, K);
                tau[m * N + n] += v * v;
            }
        }
}

/* Mean relative error of the probed form with S probes, over worlds. */
static double probe_error(size_t S, const double *want, const double *psi, const double *gram, double lambda) {
    enum { WORLDS = 40 };
    double error = 0, *z = mem_array(S * D, sizeof *z), *probes = mem_array(S * M * K, sizeof *probes), tau[M * N];
    assert_true(z && probes);
    for (uint32_t w = 0; w < WORLDS; w++) {
        normals(z, S * D, 10 + w, (uint32_t)S);
        for (size_t s = 0; s < S; s++)
            for (size_t m = 0; m < M; m++)
                for (size_t a = 0; a < K; a++) {
                    double sum = 0;
                    for (size_t d = 0; d < D; d++) sum += z[s * D + d] * jac_q[(m * D + d) * K + a];
                    probes[(s * M + m) * K + a] = sum;
                }
        assert_int_equal(das_probes(tau, probes, S, M, psi, N, gram, K, lambda, NULL), OK);
        for (size_t i = 0; i < M * N; i++) error += fabs(tau[i] / want[i] - 1) / (M * N * WORLDS);
    }
    mem_free(z);
    mem_free(probes);
    return error;
}

static void probes_converge_as_one_over_their_root(void **state) {
    (void)state;
    const double lambda = 0.5;
    double want[M * N], psi[N * K] = { 0 }, gram[K * K], e[3];
    make();
    exact_without_leverage(want, lambda, y);
    assert_int_equal(linalg_gemm_f64(1, 0, K, K, N * D, 1, jac_n, K, jac_n, K, 0, gram, K), OK);
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < D; d++)
            for (size_t a = 0; a < K; a++) psi[n * K + a] += jac_n[(n * D + d) * K + a] * y[n * D + d];
    for (size_t i = 0; i < 3; i++) e[i] = probe_error((size_t)10 << (4 * i), want, psi, gram, lambda);
    assert_true(e[2] < 0.05);
    for (size_t i = 0; i < 2; i++) assert_near(e[i] / e[i + 1], 4, 0.8, 0);   /* 16 times the probes */
}

static void probes_with_leverage_are_divided_twice(void **state) {
    (void)state;
    double a[M * N], b[M * N], gram[K * K], h[N], probes[2 * M * K];
    make();
    normals(probes, 2 * M * K, 5, 5);
    assert_int_equal(linalg_gemm_f64(1, 0, K, K, N, 1, jac_n, K, jac_n, K, 0, gram, K), OK);
    for (size_t n = 0; n < N; n++) h[n] = (double)n / (N + 1);
    assert_int_equal(das_probes(a, probes, 2, M, jac_n, N, gram, K, 1, NULL), OK);
    assert_int_equal(das_probes(b, probes, 2, M, jac_n, N, gram, K, 1, h), OK);
    for (size_t i = 0; i < M * N; i++) assert_near(b[i], a[i] / pow(1 - h[i % N], 2), 0, 1e-13);
}

static void residuals_follow_the_two_recipes(void **state) {
    (void)state;
    enum { T = 4 };
    const double e[3 * T] = { 1, 4, 9, 16, 0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25 };
    double r[3];
    assert_int_equal(das_residuals(r, e, 3, T, das_derived.residual), OK);
    assert_near(r[0], 2.5, 0, 1e-15);
    assert_near(r[1], 0, 0, 0);
    assert_near(r[2], 0.5, 0, 1e-15);
    assert_int_equal(das_residuals(r, e, 3, T, das_released.residual), OK);
    assert_near(r[0], 2.5 / sqrt(30), 0, 1e-15);
    assert_near(r[1], 0, 0, 0);
    assert_near(r[2], 1 / sqrt(T), 0, 1e-15);     /* the largest it can be */
    assert_int_equal(das_residuals(r, e, 3, T, DAS_RESIDUAL_NONE), OK);
    assert_near(r[0], 1, 0, 0);
    double bad = -1;
    assert_int_equal(das_residuals(r, &bad, 1, 1, DAS_RESIDUAL_RMS), ERR_NUMERIC);
    assert_int_equal(das_residuals(r, e, 3, 0, DAS_RESIDUAL_RMS), ERR_RANGE);
}

static void the_signed_form_is_what_it_says(void **state) {
    (void)state;
    double s[2 * 3] = { 1, -2, 3, -4, 5, -6 }, r[3] = { 0.5, 1, 2 }, h[3] = { 0, 0.5, 0.75 };
    const double want[6] = { 0.5, -4, 24, -2, 10, -48 };
    assert_int_equal(das_signed(s, 2, 3, r, h), OK);
    for (size_t i = 0; i < 6; i++) assert_near(s[i], want[i], 0, 1e-15);
    h[1] = 1;
    assert_int_equal(das_signed(s, 2, 3, r, h), ERR_NUMERIC);
    s[0] = NAN;
    assert_int_equal(das_signed(s, 2, 3, NULL, NULL), ERR_NUMERIC);
}

static void forms_are_read_and_written(void **state) {
    (void)state;
    const char *const good[] = { "derived", "released", "none", "none+leverage", "rms", "released+leverage" };
    char text[DAS_TEXT];
    struct das d;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(das_parse(&d, good[i]), OK);
        das_format(text, d);
        assert_string_equal(text, good[i]);
    }
    assert_int_equal(das_parse(&d, "rms+leverage"), OK);
    assert_int_equal(d.residual, DAS_RESIDUAL_RMS);
    assert_int_equal(d.has_leverage, 1);
    const char *const bad[] = { "", "rm", "rms+", "rms+lev", "derived+leverage", "+leverage", "releasedx" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(das_parse(&d, bad[i]), ERR_USAGE);
}

static void nothing_leaks_when_memory_runs_out(void **state) {
    (void)state;
    double tau[M * N], gram[K * K];
    make();
    memset(gram, 0, sizeof gram);
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status a = das_exact(tau, NULL, jac_q, M, jac_n, N, y, D, K, 1);
        enum status b = das_probes(tau, jac_q, D, M, jac_n, N, gram, K, 1, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), 0);
        if (a == OK && b == OK) break;
        assert_true((a == OK || a == ERR_NOMEM) && (b == OK || b == ERR_NOMEM));
    }
    assert_int_equal(das_probes(tau, jac_q, 0, M, jac_n, N, gram, K, 1, NULL), ERR_RANGE);
    assert_int_equal(das_probes(tau, jac_q, 1, M, jac_n, N, gram, K, 0, NULL), ERR_RANGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exact_form_is_leave_one_out),
        cmocka_unit_test(one_output_is_the_signed_form),
        cmocka_unit_test(probes_converge_as_one_over_their_root),
        cmocka_unit_test(probes_with_leverage_are_divided_twice),
        cmocka_unit_test(residuals_follow_the_two_recipes),
        cmocka_unit_test(the_signed_form_is_what_it_says),
        cmocka_unit_test(forms_are_read_and_written),
        cmocka_unit_test(nothing_leaks_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
