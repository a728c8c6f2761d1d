/* linalg_test.c - the BLAS and LAPACK wrappers against plain loops. */
#include "../lib/near.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <stdio.h>
#include <string.h>

static void *want_memory(size_t count, size_t size) {
    void *p = mem_array(count, size);
    assert_non_null(p);
    return p;
}

static float *normals(size_t n, uint32_t stream) {
    float *x = want_memory(n, sizeof *x);
    rng_normal(x, n, 7, RNG_TEST, stream, 0);
    return x;
}

static double *wide_normals(size_t n, uint32_t stream) {
    float *f = normals(n, stream);
    double *x = want_memory(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (double)f[i];
    mem_free(f);
    return x;
}

static void gemm_is_the_sum_of_products(void **state) {
    (void)state;
    enum { M = 3, N = 5, K = 4, LDC = 7 };
    double *A = wide_normals(M * K, 1), *B = wide_normals(K * N, 2), At[K * M], Bt[N * K];
    float Af[M * K], Bf[K * N];
    for (size_t i = 0; i < M; i++)
        for (size_t l = 0; l < K; l++) At[l * M + i] = A[i * K + l];
    for (size_t l = 0; l < K; l++)
        for (size_t j = 0; j < N; j++) Bt[j * K + l] = B[l * N + j];
    for (size_t i = 0; i < M * K; i++) Af[i] = (float)A[i];
    for (size_t i = 0; i < K * N; i++) Bf[i] = (float)B[i];
    for (int ta = 0; ta < 2; ta++)
        for (int tb = 0; tb < 2; tb++) {
            double C[M * LDC];
            for (size_t i = 0; i < M * LDC; i++) C[i] = 1.0;
            assert_int_equal(linalg_gemm_f64(ta, tb, M, N, K, 2.0, ta ? At : A, ta ? M : K, tb ? Bt : B, tb ? K : N,
                                             0.5, C, LDC), OK);
            for (size_t i = 0; i < M; i++)
                for (size_t j = 0; j < LDC; j++) {
                    double sum = 0.5;
                    for (size_t l = 0; l < K && j < N; l++) sum += 2.0 * A[i * K + l] * B[l * N + j];
                    assert_near(C[i * LDC + j], j < N ? sum : 1.0, 1e-14, 0);
                }
        }
    float C[M * N];
    assert_int_equal(linalg_gemm_f32(0, 0, M, N, K, 1, Af, K, Bf, N, 0, C, N), OK);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t l = 0; l < K; l++) sum += A[i * K + l] * B[l * N + j];
            assert_near((double)C[i * N + j], sum, 2e-6, 0);
        }
    mem_free(A);
    mem_free(B);
}

static void a_size_that_blas_cannot_count_is_refused(void **state) {
    (void)state;
    double x = 0;
    float f = 0;
    assert_int_equal(linalg_gemm_f64(0, 0, (size_t)1 << 32, 1, 1, 1, &x, 1, &x, 1, 0, &x, 1), ERR_RANGE);
    assert_int_equal(linalg_gemm_f32(0, 0, 1, 1, 1, 1, &f, (size_t)1 << 40, &f, 1, 0, &f, 1), ERR_RANGE);
    assert_int_equal(linalg_gemm_f64(0, 0, 1, 4, 1, 1, &x, 1, &x, 3, 0, &x, 4), ERR_RANGE);
    assert_int_equal(linalg_eigh(&x, 40000, &x), ERR_RANGE);
    assert_int_equal(linalg_cholesky_solve(&x, (size_t)1 << 33, &x, 1), ERR_RANGE);
}

static void syrk_fills_both_triangles_with_the_same_bits(void **state) {
    (void)state;
    enum { N = 6, K = 9 };
    double *X = wide_normals(N * K, 3), C[N * N];
    assert_int_equal(linalg_syrk_f64(N, K, 1, X, K, 0, C, N), OK);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t l = 0; l < K; l++) sum += X[i * K + l] * X[j * K + l];
            assert_near(C[i * N + j], sum, 1e-13, 0);
            assert_memory_equal(&C[i * N + j], &C[j * N + i], sizeof *C);
        }
    mem_free(X);
}

/* Sizes that cross the block edges (256 rows, 512 columns) unevenly. */
static void a_cross_gram_is_exact_to_float64_rounding(void **state) {
    (void)state;
    enum { M = 259, N = 301, K = 517 };
    float *X = normals(M * K, 4), *Y = normals(N * K, 5);
    double *C = want_memory(M * N, sizeof *C), *S = want_memory(M * M, sizeof *S);
    assert_int_equal(linalg_cross_gram(C, N, X, M, Y, N, K), OK);
    assert_int_equal(linalg_cross_gram(S, M, X, M, X, M, K), OK);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j += 3) {
            double sum = 0, self = 0;
            for (size_t l = 0; l < K; l++) {
                sum += (double)X[i * K + l] * (double)Y[j * K + l];
                self += (double)X[i * K + l] * (double)X[(j % M) * K + l];
            }
            assert_near(C[i * N + j], sum, 1e-11, 0);
            assert_near(S[i * M + j % M], self, 1e-11, 0);
            assert_memory_equal(&S[i * M + j % M], &S[j % M * M + i], sizeof *S);
        }
    mem_free(X);
    mem_free(Y);
    mem_free(C);
    mem_free(S);
}

static void an_inner_gram_adds_up_over_pieces(void **state) {
    (void)state;
    enum { M = 300, K = 11 };
    float *X = normals(M * K, 6);
    double A[K * K] = { 0 };
    assert_int_equal(linalg_inner_gram_add(A, X, 7, K), OK);
    assert_int_equal(linalg_inner_gram_add(A, X + 7 * K, M - 7, K), OK);
    for (size_t a = 0; a < K; a++)
        for (size_t b = 0; b < K; b++) {
            double sum = 0;
            for (size_t i = 0; i < M; i++) sum += (double)X[i * K + a] * (double)X[i * K + b];
            assert_near(A[a * K + b], sum, 1e-11, 0);
        }
    mem_free(X);
}

static void eigenvectors_are_rows_and_rebuild_the_matrix(void **state) {
    (void)state;
    enum { N = 17 };
    double *X = wide_normals(N * N, 8), A[N * N], V[N * N], w[N];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) V[i * N + j] = A[i * N + j] = (X[i * N + j] + X[j * N + i]) / 2;
    assert_int_equal(linalg_eigh(V, N, w), OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(i == 0 || w[i - 1] <= w[i]);
        for (size_t j = 0; j < N; j++) {
            double rebuilt = 0, inner = 0;
            for (size_t e = 0; e < N; e++) {
                rebuilt += w[e] * V[e * N + i] * V[e * N + j];
                inner += V[i * N + e] * V[j * N + e];
            }
            assert_near(rebuilt, A[i * N + j], 1e-12, 0);
            assert_near(inner, i == j ? 1.0 : 0.0, 1e-13, 0);
        }
    }
    mem_free(X);
}

static void a_matrix_with_a_nan_is_refused(void **state) {
    (void)state;
    double A[4] = { 1, 0, 0, NAN }, w[2], B[2] = { 1, 1 };
    assert_int_equal(linalg_eigh(A, 2, w), ERR_NUMERIC);
    assert_int_equal(linalg_cholesky_solve(A, 2, B, 1), ERR_NUMERIC);
}

static void cholesky_solves_row_by_row(void **state) {
    (void)state;
    enum { N = 8, M = 3 };
    double *X = wide_normals(N * N, 9), *B = wide_normals(M * N, 10), A[N * N], L[N * N], S[M * N];
    assert_int_equal(linalg_syrk_f64(N, N, 1, X, N, 0, A, N), OK);
    for (size_t i = 0; i < N; i++) A[i * N + i] += 1;
    memcpy(L, A, sizeof A);
    memcpy(S, B, sizeof S);
    assert_int_equal(linalg_cholesky_solve(L, N, S, M), OK);
    for (size_t m = 0; m < M; m++)
        for (size_t i = 0; i < N; i++) {
            double sum = 0;
            for (size_t j = 0; j < N; j++) sum += A[i * N + j] * S[m * N + j];
            assert_near(sum, B[m * N + i], 1e-12, 0);
        }
    double bad[4] = { 1, 2, 2, 1 }, b[2] = { 1, 1 };
    assert_int_equal(linalg_cholesky_solve(bad, 2, b, 1), ERR_NUMERIC);
    mem_free(X);
    mem_free(B);
}

static void the_core_has_a_name(void **state) {
    (void)state;
    assert_true(strlen(linalg_core_name()) > 0);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    float X[6] = { 1, 2, 3, 4, 5, 6 };
    double C[9], w[3];
    long before = mem_live(), n = 0;
    for (;; n++) {
        enum status st;
        mem_fail_after(n);
        st = linalg_cross_gram(C, 3, X, 3, X, 3, 2);
        if (st == OK) st = linalg_eigh(C, 3, w);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
    assert_true(n > 0);
}

int main(void) {
    linalg_set_threads(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_is_the_sum_of_products),
        cmocka_unit_test(a_size_that_blas_cannot_count_is_refused),
        cmocka_unit_test(syrk_fills_both_triangles_with_the_same_bits),
        cmocka_unit_test(a_cross_gram_is_exact_to_float64_rounding),
        cmocka_unit_test(an_inner_gram_adds_up_over_pieces),
        cmocka_unit_test(eigenvectors_are_rows_and_rebuild_the_matrix),
        cmocka_unit_test(a_matrix_with_a_nan_is_refused),
        cmocka_unit_test(cholesky_solves_row_by_row),
        cmocka_unit_test(the_core_has_a_name),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
