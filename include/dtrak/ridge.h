/* ridge.h - scores g (Phi^T Phi + l I)^-1 phi_n for every ridge strength l at once.
 *
 * One symmetric eigendecomposition serves all l.  With Phi [N][k] the train
 * features, A = Phi Phi^T = U diag(L) U^T and b = g Phi^T:
 *
 *   scores     tau(l)  = (b U) diag(1 / (L + l)) U^T            dual,   N <= k
 *              tau(l)  = Phi V diag(1 / (S + l)) V^T g          primal, N > k, Phi^T Phi = V diag(S) V^T
 *   leverage   h_n(l)  = [A (A + l)^-1]_nn, in [0, 1); their sum is d_eff(l)
 *   relative   r_n(l)  = ||(Phi^T Phi + l)^-1 phi_n|| = sqrt([(A+l)^-1 A (A+l)^-1]_nn)
 *
 * No inverse is ever formed.  Only the min(N, k) directions that features can
 * have are kept; eigenvalues within rounding of 0 (or below) count as 0.
 * Source: TRAK, arXiv 2303.14186; D-TRAK, arXiv 2311.00500.
 * Checked against: tests/unit/ridge_test.c (explicit inverse, leave-one-out). */
#ifndef DTRAK_RIDGE_H
#define DTRAK_RIDGE_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/rows.h"

#include <stddef.h>

struct ridge;   /* opaque; never changes once made, so threads may share it */

/* Dual form from a Gram matrix A[N][N], which the ridge takes over (mem_free) on
 * OK and on error alike; its contents become the basis.  k is the number of
 * features behind A (0: unknown, N).  Cancelling works before the decomposition.
 * ERR_NUMERIC when A is not finite or all zero. */
enum status ridge_new(struct ridge **out, double *A, size_t N, size_t k, const struct progress *p);

/* The cheaper form of the two, from feature rows.  `train` is borrowed: in the
 * primal form each score pass reads it again, so it must stay valid. */
enum status ridge_new_rows(struct ridge **out, const struct rows *train, const struct progress *p);
/* Primal from the matrix A = Phi^T Phi [k][k], taken over as by ridge_new(). */
enum status ridge_new_inner(struct ridge **out, double *A, const struct rows *train, const struct progress *p);
/* Primal whatever the sizes (tests, and callers that want k x k). */
enum status ridge_new_primal(struct ridge **out, const struct rows *train, const struct progress *p);
/* From a basis that was kept.  vectors[rank][N or k] and values[rank] (ascending, as
 * ridge_vectors() and ridge_eigenvalues() gave them) are taken over, on error too;
 * train is borrowed, and NULL is fine in the dual form. */
enum status ridge_new_basis(struct ridge **out, double *vectors, double *values, size_t rank, int primal,
                            size_t N, size_t k, double trace, const struct rows *train);
void ridge_free(struct ridge *r);   /* NULL is fine */

/* Bytes at work while a ridge of these sizes is made: the matrix and LAPACK's
 * workspace, three squares of min(N, k). */
double ridge_bytes(size_t N, size_t k);

size_t ridge_train_count(const struct ridge *r);    /* N */
size_t ridge_feature_count(const struct ridge *r);  /* k */
size_t ridge_rank(const struct ridge *r);           /* directions kept, min(N, k) */
int ridge_is_primal(const struct ridge *r);
size_t ridge_numeric_rank(const struct ridge *r);   /* of those, eigenvalues that are not 0 */
double ridge_trace(const struct ridge *r);          /* trace A = sum of eigenvalues */
const double *ridge_eigenvalues(const struct ridge *r);   /* [rank], ascending, >= 0; borrowed */
const double *ridge_vectors(const struct ridge *r);       /* [rank][N dual, k primal], unit rows; borrowed */
double ridge_effective_dimension(const struct ridge *r, double lambda_abs);
/* Condition number of A + l I (dual) or Phi^T Phi + l I (primal). */
double ridge_condition(const struct ridge *r, double lambda_abs);

/* Coordinates of M queries in the ridge's basis, made once; then every lambda
 * costs N * rank multiplications per query.
 *   coords  out [M][rank]
 * _from_cross:    dual;   cross    in [M][N], b = g Phi^T
 * _from_features: primal; features in [M][k]   (dual: needs train rows, see ridge_query_rows)
 * The wrong one for the form is ERR_RANGE. */
enum status ridge_query_from_cross(const struct ridge *r, const double *cross, size_t M, double *coords);
enum status ridge_query_from_features(const struct ridge *r, const float *features, size_t M, double *coords);
/* Either form: query features [M][k] and, for the dual, the train rows. */
enum status ridge_query_rows(const struct ridge *r, const struct rows *train, const float *features,
                             size_t M, double *coords, const struct progress *p);
/* Training item n as the query (its row of A (A + l)^-1 follows). */
enum status ridge_query_train(const struct ridge *r, size_t n, double *coords);

/* scores[M][N] at one lambda > 0 from coords[M][rank].
 * ERR_NUMERIC when a score is not finite. */
enum status ridge_scores(const struct ridge *r, const double *coords, size_t M, double lambda_abs, double *scores);

/* The same as float32, for many queries at several lambdas in one pass over the
 * train rows; a tile of the result is a tile of work for the pool.
 *
 * Products are float32 with float64 sums every 512 terms where that is exact
 * enough, else float64.  In the dual form it always is: tau is a combination of
 * orthonormal vectors, and each term's rounding is relative to that term.  In the
 * primal form tau = phi . q with q = K^-1 g; float32 is used for a tile of queries
 * while |q| rms|phi| <= 8 sqrt(k) rms(tau), which holds the error below 1e-5 of
 * rms(tau), the row's root mean square.
 *
 * Tiles start at multiples of RIDGE_TILE queries and 512 train rows: cut the
 * queries into blocks at such multiples, and a score does not depend on the cut,
 * nor on the pool.  While it runs BLAS is on one thread.
 *   coords  in  [M][rank]
 *   out     out [lambdas][M][N]
 * ERR_NUMERIC names a score that is not finite. */
enum { RIDGE_TILE = 256 };
struct ridge_block {
    const double *coords;
    size_t M;
    const double *lambda_abs;     /* [lambdas], each > 0 */
    size_t lambdas;
    float *out;
    struct pool *pool;            /* NULL: this thread */
};
enum status ridge_score_block(const struct ridge *r, const struct ridge_block *b, const struct progress *p);
/* Bytes that it takes per query and lambda, `out` included, and once. */
double ridge_score_bytes(const struct ridge *r);
double ridge_score_bytes_fixed(const struct ridge *r, size_t threads);

/* All N at one lambda > 0; what is not wanted is NULL.
 *   leverage  out [N]   h_n
 *   relative  out [N]   ||K^-1 phi_n||
 *   norm      out [N]   ||phi_n||, the same at every lambda */
enum status ridge_diagonals(const struct ridge *r, double lambda_abs,
                            double *leverage, double *relative, double *norm);
/* At several lambdas in one pass: leverage and relative are [lambdas][N]. */
enum status ridge_diagonals_many(const struct ridge *r, const double *lambda_abs, size_t lambdas,
                                 double *leverage, double *relative, double *norm);

#endif
