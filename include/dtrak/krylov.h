/* krylov.h - (B + l I)^-1 s for every shift l from one Lanczos basis.
 *
 * B is symmetric and positive semidefinite, known by what it does to a vector.
 * Lanczos from s with full reorthogonalisation gives an orthonormal Q and a
 * tridiagonal T with B Q = Q T + beta q e^T, and
 *   x(l) = (B + l)^-1 s  ~  Q (T + l)^-1 |s| e_1
 * for all l at once; its residual is beta |last coefficient|, without forming x.
 * Its product with s itself is |s| times its first coefficient, a Gauss quadrature:
 * never above s^T (B + l)^-1 s.  With one more point at 0 (Radau) it is never below.
 *
 * What is wanted may be an image of x rather than x: with B = Phi^T Phi, s = g, it
 * is Phi x.  The images of the basis vectors come out of the products with B and
 * are kept instead.  Then |Phi x(l) - exact| <= residual / (2 sqrt(l)); for x
 * itself it is residual / l.  Both are bounds, not guesses.
 * Source: Golub & Van Loan, Matrix Computations, 4th ed., 10.1-10.3.
 * Checked against: tests/unit/krylov_test.c (the eigenbasis, elimination). */
#ifndef DTRAK_KRYLOV_H
#define DTRAK_KRYLOV_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct krylov_operator {
    size_t dim;       /* of B */
    size_t images;    /* of an image; 0: x itself is wanted */
    /* Bv = B v; image[images] = what v becomes, when images is not 0. */
    enum status (*apply)(void *ctx, const double *v, double *Bv, double *image);
    void *ctx;
    /* x is wanted to make Phi x of, B = Phi^T Phi: the bound is that of the image, though none is kept. */
    int bound_image;
    size_t most;      /* vectors there will ever be, where that is known: no room is taken for more; 0: not known */
};

struct krylov;

/* start[dim] is read now; the operator's ctx must outlive the basis.  ERR_NUMERIC
 * when start is not finite.  A start of zeros is fine: everything is 0. */
enum status krylov_new(struct krylov **out, const struct krylov_operator *op, const double *start);
void krylov_free(struct krylov *k);   /* NULL is fine */

/* Adds vectors until the bound at lambda is at most `tolerance` times the length of
 * the answer, or there are `most` of them.  Ask krylov_error() which.  What it
 * holds stays, also after ERR_CANCELLED. */
enum status krylov_extend(struct krylov *k, double lambda, double tolerance, size_t most, const struct progress *p);

size_t krylov_size(const struct krylov *k);   /* vectors so far */

/* The bound on |answer - exact| / |answer| at lambda > 0; 0 when the basis is
 * complete, INFINITY while it is empty. */
enum status krylov_error(const struct krylov *k, double lambda, double *error);

/* The same a vector at a time, where one reading of B serves several bases: the vector
 * that B is to be applied to (NULL: the basis is complete), and then its product. */
const double *krylov_next(const struct krylov *k);
enum status krylov_take(struct krylov *k, const double *Bv, const double *image);

/* Bounds on s^T (B + lambda)^-1 s, lambda > 0; equal when the basis is complete.
 * ERR_RANGE while it is empty. */
enum status krylov_quadratic(const struct krylov *k, double lambda, double *low, double *high);

/* out[images, or dim]: the answer at lambda > 0, a product with the basis. */
enum status krylov_solve(const struct krylov *k, double lambda, double *out);

/* --- products that operators are made of --- */

/* Bv[k] = X^T X v and image[n] = X v (may be NULL) for float32 X[n][k], in float64 and
 * one reading of X; summed in a fixed order, so the pool does not change a bit.
 * scratch holds linalg_normal_scratch(pool, k) numbers. */
void linalg_normal_apply(const float *X, size_t n, size_t k, const double *v, double *Bv, double *image,
                         double *scratch, struct pool *pool);
size_t linalg_normal_scratch(const struct pool *pool, size_t k);

/* B[M][k] += V X^T X for V[M][k]: M vectors in one reading of X[n][k].  linalg_wide_products():
 * out[n][M] = X V^T.  Each with its scratch for M. */
void linalg_normal_add(const float *X, size_t n, size_t k, const double *V, size_t M, double *B, double *scratch, struct pool *pool);
void linalg_wide_products(const float *X, size_t n, size_t k, const double *V, size_t M, double *out, double *scratch,
                          struct pool *pool);
size_t linalg_normal_add_scratch(const struct pool *pool, size_t k, size_t M);
size_t linalg_wide_products_scratch(const struct pool *pool, size_t k, size_t M);

/* y[n] = A x for symmetric A as its upper triangle, row by row: n (n + 1) / 2 numbers. */
enum status linalg_packed_apply(const double *A, size_t n, const double *x, double *y);

#endif
