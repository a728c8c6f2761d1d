/* linalg.h - dense linear algebra behind a status; the one owner of LAPACKE.
 *
 * Matrices are row-major and contiguous unless a leading dimension is given.
 * Extents are size_t and are checked once, here, against what BLAS can count.
 * This is the only place where BLAS may use several threads: a caller raises
 * them around a large Gram or eigendecomposition and sets them back to 1, which
 * is what model code relies on.
 * Checked against: tests/unit/linalg_test.c (plain loops, residuals). */
#ifndef DTRAK_LINALG_H
#define DTRAK_LINALG_H

#include "dtrak/err.h"

#include <stddef.h>

/* Threads that BLAS may use from now on, in the whole process; n >= 1.  Returns
 * how many it was, for setting it back. */
int linalg_set_threads(int n);
/* Ends the threads that OpenBLAS starts when a program is loaded, which look for work, busily, for some 25 ms.  The
 * first call that wants several starts them again.  Only before anything else uses BLAS. */
void linalg_rest(void);
/* The instruction-set kernel that OpenBLAS chose, e.g. "SkylakeX": part of a
 * result's provenance, since bits differ between cores. */
const char *linalg_core_name(void);

/* C[M][N] = alpha op(A) op(B) + beta C, op(A) is [M][K], op(B) is [K][N].
 * ta, tb: 0 plain, 1 transposed.  lda, ldb, ldc: elements from one stored row to
 * the next.  C overlaps neither A nor B.  With beta = 0 C need not be set.
 * ERR_RANGE when an extent is beyond BLAS or a leading dimension is too short. */
enum status linalg_gemm_f64(int ta, int tb, size_t M, size_t N, size_t K,
                            double alpha, const double *A, size_t lda, const double *B, size_t ldb,
                            double beta, double *C, size_t ldc);
enum status linalg_gemm_f32(int ta, int tb, size_t M, size_t N, size_t K,
                            float alpha, const float *A, size_t lda, const float *B, size_t ldb,
                            float beta, float *C, size_t ldc);

/* C[N][N] = alpha X X^T + beta C for X[N][K]; both triangles are written and are
 * equal bit for bit.  C is symmetric on entry when beta is not 0. */
enum status linalg_syrk_f64(size_t N, size_t K, double alpha, const double *X, size_t ldx,
                            double beta, double *C, size_t ldc);

/* C[i][j] = sum_l X[i][l] Y[j][l] of float32 rows, in float64: blocks are widened
 * and multiplied by dgemm, so products are exact and only sums round.  (Measured,
 * 1000 rows of 4096 normals, one AVX-512 core: 0.10 s; ssyrk in blocks of 256 with
 * float64 sums 0.04 s, but off by up to 2e-7 of the diagonal, which a ridge of 1e-6 feels.)
 *   C   out [M][N], ldc elements from row to row
 *   X   in  [M][K]      Y   in  [N][K], may be X */
enum status linalg_cross_gram(double *C, size_t ldc, const float *X, size_t M,
                              const float *Y, size_t N, size_t K);

/* A[k][k] += X^T X for float32 rows X[M][k], in float64; both triangles. */
enum status linalg_inner_gram_add(double *A, const float *X, size_t M, size_t k);

/* Symmetric eigendecomposition, by divide and conquer (dsyevd).
 *   A   in,out [n][n]   on return row e is the unit eigenvector of w[e]:
 *                       old A = sum_e w[e] row_e^T row_e
 *   w   out    [n]      ascending
 * ERR_NUMERIC when an element is not finite or the iteration fails; A is then
 * undefined.  ERR_RANGE: more than LINALG_EIGH_MAX rows, whose workspace of 1 + 6n + 2n^2
 * doubles LAPACK's int could not count.  Cannot be interrupted: n = 1000 takes about 0.2 s, and the time grows as n^3. */
enum { LINALG_EIGH_MAX = 32700 };
enum status linalg_eigh(double *A, size_t n, double *w);

/* Solves A X^T = B^T for symmetric positive definite A, row by row of B.
 *   A   in,out [n][n]   overwritten
 *   B   in,out [m][n]   each row a right-hand side, then its solution
 * ERR_NUMERIC when A is not positive definite. */
enum status linalg_cholesky_solve(double *A, size_t n, double *B, size_t m);

#endif
