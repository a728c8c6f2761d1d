/* ridge_steps.h - one query's ridge scores at any lambda, without an eigenbasis.
 *
 * A Krylov basis per query: it grows until the smallest lambda asked for so far
 * is reached, and serves every larger one at once.  From features in memory each
 * of its vectors costs one reading of them, from a Gram matrix one reading of that;
 * stepping lambda afterwards costs N times the basis' size.
 * Checked against: tests/unit/krylov_test.c (ridge.h's eigenbasis, elimination). */
#ifndef DTRAK_RIDGE_STEPS_H
#define DTRAK_RIDGE_STEPS_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct ridge_steps;   /* one thread at a time */

/* From train features phi[N][k], borrowed for as long as it lives, and the query's
 * g[k]: Lanczos on Phi^T Phi.  The pool is borrowed too and may be NULL. */
enum status ridge_steps_new(struct ridge_steps **out, const float *phi, size_t N, size_t k, const float *g,
                            struct pool *pool);
/* From the Gram matrix, packed as KERNEL_GRAM is (upper triangle by rows), borrowed,
 * and the query's products b[N] with the train items: Lanczos on Phi Phi^T. */
enum status ridge_steps_new_gram(struct ridge_steps **out, const double *gram, size_t N, const double *b);
void ridge_steps_free(struct ridge_steps *s);   /* NULL is fine */

/* scores[N] at lambda_abs.  *error is a bound on the length of the error over the
 * length of the scores.  It is at most `tolerance` unless `most` vectors were not
 * enough.  BLAS is to be on one thread, as it is outside large decompositions: the
 * pool shares out the work. */
enum status ridge_steps_scores(struct ridge_steps *s, double lambda_abs, double tolerance, size_t most,
                               double *scores, double *error, const struct progress *p);
size_t ridge_steps_size(const struct ridge_steps *s);   /* vectors of the basis */
size_t ridge_steps_bytes(const struct ridge_steps *s);  /* that it holds */

#endif
