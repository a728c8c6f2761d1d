/* krylov.h - (B + l I)^-1 s for every shift l from one Lanczos basis.
 *
 * B is symmetric and positive semidefinite, known by what it does to a vector.
 * Lanczos from s with full reorthogonalisation gives an orthonormal Q and a
 * tridiagonal T with B Q = Q T + beta q e^T, and
 *   x(l) = (B + l)^-1 s  ~  Q (T + l)^-1 |s| e_1
 * for all l at once; its residual is beta |last coefficient|, without forming x.
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

/* out[images, or dim]: the answer at lambda > 0, a product with the basis. */
enum status krylov_solve(const struct krylov *k, double lambda, double *out);

/* --- products that operators are made of --- */

/* Bv[k] = X^T X v and image[n] = X v (may be NULL) for float32 X[n][k], in float64 and
 * one reading of X; summed in a fixed order, so the pool does not change a bit.
 * scratch holds linalg_normal_scratch(pool, k) numbers. */
void linalg_normal_apply(const float *X, size_t n, size_t k, const double *v, double *Bv, double *image,
                         double *scratch, struct pool *pool);
size_t linalg_normal_scratch(const struct pool *pool, size_t k);

/* y[n] = A x for symmetric A as its upper triangle, row by row: n (n + 1) / 2 numbers. */
enum status linalg_packed_apply(const double *A, size_t n, const double *x, double *y);

#endif
