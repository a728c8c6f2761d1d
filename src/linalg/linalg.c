/* linalg.c - BLAS and LAPACK calls with checked sizes.  LAPACKE's _work variants
 * are used throughout: their workspaces then come from mem.h and are counted. */
#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>

/* Blocks of widened rows: 256 x 512 doubles are 1 MB, which stays in cache while
 * a block of the other side is multiplied with it. */
#define BLOCK_ROWS 256
#define BLOCK_COLS 512

int linalg_set_threads(int n) {
    int before = openblas_get_num_threads();
    if (n < 1) n = 1;
    if (n != before) openblas_set_num_threads(n);
    return before;
}

/* What OpenBLAS itself calls before a fork; there is no other way to it.  Not there in builds without threads. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

void linalg_rest(void) {
    if (blas_thread_shutdown_) blas_thread_shutdown_();
}

const char *linalg_core_name(void) { return openblas_get_corename(); }

static enum status fits(const char *what, size_t a, size_t b, size_t c) {
    size_t big = a > b ? a : b;
    if (c > big) big = c;
    if (big > INT_MAX)
        return fail(ERR_RANGE, "%s: an extent of %zu is more than BLAS can count (%d)", what, big, INT_MAX);
    return OK;
}

static enum status gemm_check(const char *what, int ta, int tb, size_t M, size_t N, size_t K,
                              size_t lda, size_t ldb, size_t ldc) {
    size_t need_a = ta ? M : K, need_b = tb ? K : N;
    TRY(fits(what, M, N, K));
    TRY(fits(what, lda, ldb, ldc));
    if (lda < need_a || ldb < need_b || ldc < N)
        return fail(ERR_RANGE, "%s: rows of %zu, %zu and %zu elements are shorter than %zu, %zu and %zu",
                    what, lda, ldb, ldc, need_a, need_b, N);
    return OK;
}

enum status linalg_gemm_f64(int ta, int tb, size_t M, size_t N, size_t K,
                            double alpha, const double *A, size_t lda, const double *B, size_t ldb,
                            double beta, double *C, size_t ldc) {
    TRY(gemm_check("gemm", ta, tb, M, N, K, lda, ldb, ldc));
    if (M && N)
        cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                    (blasint)M, (blasint)N, (blasint)K, alpha, A, (blasint)lda, B, (blasint)ldb,
                    beta, C, (blasint)ldc);
    return OK;
}

enum status linalg_gemm_f32(int ta, int tb, size_t M, size_t N, size_t K,
                            float alpha, const float *A, size_t lda, const float *B, size_t ldb,
                            float beta, float *C, size_t ldc) {
    TRY(gemm_check("gemm", ta, tb, M, N, K, lda, ldb, ldc));
    if (M && N)
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                    (blasint)M, (blasint)N, (blasint)K, alpha, A, (blasint)lda, B, (blasint)ldb,
                    beta, C, (blasint)ldc);
    return OK;
}

/* Copies the lower triangle over the upper one. */
static void mirror(double *C, size_t n, size_t ldc) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) C[j * ldc + i] = C[i * ldc + j];
}

enum status linalg_syrk_f64(size_t N, size_t K, double alpha, const double *X, size_t ldx,
                            double beta, double *C, size_t ldc) {
    TRY(gemm_check("syrk", 0, 1, N, N, K, ldx, ldx, ldc));
    if (!N) return OK;
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (blasint)N, (blasint)K, alpha, X, (blasint)ldx,
                beta, C, (blasint)ldc);
    mirror(C, N, ldc);
    return OK;
}

static void widen(double *out, const float *in, size_t rows, size_t cols, size_t ld) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) out[i * cols + j] = (double)in[i * ld + j];
}

static size_t at_most(size_t left, size_t most) { return left < most ? left : most; }

/* One block of C: rows i.. of X against rows j.. of Y, over all K columns. */
static void cross_block(double *C, size_t ldc, const float *X, size_t m, const float *Y, size_t n,
                        size_t K, double *wx, double *wy) {
    int same = X == Y;
    for (size_t l = 0; l < K; l += BLOCK_COLS) {
        size_t cols = at_most(K - l, BLOCK_COLS);
        widen(wx, X + l, m, cols, K);
        if (!same) widen(wy, Y + l, n, cols, K);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)m, (blasint)n, (blasint)cols, 1.0,
                    wx, (blasint)cols, same ? wx : wy, (blasint)cols, l ? 1.0 : 0.0, C, (blasint)ldc);
    }
}

enum status linalg_cross_gram(double *C, size_t ldc, const float *X, size_t M,
                              const float *Y, size_t N, size_t K) {
    int symmetric = X == Y && M == N;
    TRY(gemm_check("cross Gram", 0, 1, M, N, K, K, K, ldc));
    if (!M || !N) return OK;
    if (!K) return fail(ERR_RANGE, "cross Gram: rows of no columns");
    double *wx = mem_array((size_t)2 * BLOCK_ROWS * BLOCK_COLS, sizeof *wx);
    if (!wx) return fail(ERR_NOMEM, "cross Gram: out of memory");
    double *wy = wx + BLOCK_ROWS * BLOCK_COLS;
    for (size_t i = 0; i < M; i += BLOCK_ROWS)
        for (size_t j = 0; j < (symmetric ? i + 1 : N); j += BLOCK_ROWS)
            cross_block(C + i * ldc + j, ldc, X + i * K, at_most(M - i, BLOCK_ROWS),
                        Y + j * K, at_most(N - j, BLOCK_ROWS), K, wx, wy);
    mem_free(wx);
    if (symmetric) mirror(C, N, ldc);
    return OK;
}

enum status linalg_inner_gram_add(double *A, const float *X, size_t M, size_t k) {
    TRY(fits("inner Gram", M, k, 0));
    if (!M || !k) return OK;
    size_t rows = at_most(M, BLOCK_ROWS);
    double *wx = mem_array(rows * k, sizeof *wx);
    if (!wx) return fail(ERR_NOMEM, "inner Gram: out of memory for %zu rows of %zu", rows, k);
    for (size_t i = 0; i < M; i += rows) {
        size_t m = at_most(M - i, rows);
        widen(wx, X + i * k, m, k, k);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (blasint)k, (blasint)m, 1.0, wx, (blasint)k,
                    1.0, A, (blasint)k);
    }
    mem_free(wx);
    mirror(A, k, k);
    return OK;
}

static int all_finite(const double *A, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(A[i])) return 0;
    return 1;
}

enum status linalg_eigh(double *A, size_t n, double *w) {
    if (n > LINALG_EIGH_MAX) return fail(ERR_RANGE, "eigendecomposition: %zu rows, at most %d fit LAPACK's counters", n, LINALG_EIGH_MAX);
    if (!n) return OK;
    if (!all_finite(A, n * n))
        return fail(ERR_NUMERIC, "eigendecomposition: the matrix holds a NaN or an infinity");
    size_t lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n;
    double *work = mem_array(lwork, sizeof *work);
    lapack_int *iwork = mem_array(liwork, sizeof *iwork);
    lapack_int info = -1;
    enum status st = OK;
    if (!work || !iwork) {
        st = fail(ERR_NOMEM, "eigendecomposition: out of memory for a workspace of %zu MB", lwork >> 17);
        goto done;
    }
    /* Column-major, so LAPACK's eigenvector columns are our rows. */
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, A, (lapack_int)n, w,
                               work, (lapack_int)lwork, iwork, (lapack_int)liwork);
    if (info) st = fail(ERR_NUMERIC, "eigendecomposition of %zu rows did not converge (dsyevd says %d)", n, (int)info);
done:
    mem_free(work);
    mem_free(iwork);
    return st;
}

enum status linalg_cholesky_solve(double *A, size_t n, double *B, size_t m) {
    TRY(fits("Cholesky", n, m, 0));
    if (!n || !m) return OK;
    if (!all_finite(A, n * n)) return fail(ERR_NUMERIC, "Cholesky: the matrix holds a NaN or an infinity");
    lapack_int info = LAPACKE_dposv_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, (lapack_int)m, A, (lapack_int)n,
                                         B, (lapack_int)n);
    if (info) return fail(ERR_NUMERIC, "Cholesky: the matrix is not positive definite (row %d)", (int)info);
    return OK;
}
