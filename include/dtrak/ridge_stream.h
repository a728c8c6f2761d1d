/* ridge_stream.h - ridge scores without a matrix and without the rows in memory.
 *
 * With 50,000 items of 32,768 features Phi^T Phi alone is 8.6 GB.  Here each query
 * has a Krylov basis of its own (krylov.h), whose every vector costs one reading of
 * the rows; a reading serves all queries of a call, and the basis serves all lambdas
 * at once.  What is held: a block of rows and 8 k bytes for each vector.
 *
 *   x = (Phi^T Phi + l)^-1 g, scores = Phi x, |scores - exact| <= error |scores|
 *
 * lambda `auto` wants the effective dimension, d_eff(l) = k - l tr (Phi^T Phi + l)^-1:
 * the trace is estimated with random signs z (Hutchinson), z^T (Phi^T Phi + l)^-1 z
 * is bounded from both sides by quadrature.
 * Source: Golub & Meurant, Matrices, Moments and Quadrature, 2010; Ubaru, Chen & Saad,
 * "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature", 2017.
 * Checked against: tests/unit/ridge_stream_test.c (the eigenbasis). */
#ifndef DTRAK_RIDGE_STREAM_H
#define DTRAK_RIDGE_STREAM_H

#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/rows.h"

#include <stddef.h>

struct ridge_stream {
    const struct rows *train;
    size_t memory;                /* bytes for the bases and the block of rows */
    struct pool *pool;            /* NULL: this thread; a result does not depend on it */
    const struct progress *progress;
};

/* Bytes without which it does not start, for one query; what it takes beyond them
 * grows as lambda falls. */
double ridge_stream_least_bytes(size_t N, size_t k);
/* Queries to ask for at a time. */
size_t ridge_stream_queries(const struct ridge_stream *s, size_t lambdas);

/* out[lambdas][M][N] from queries g[M][k] at lambda_abs[lambdas], each > 0.  error is at most
 * `tolerance`, else ERR_NUMERIC says how near it came and nothing is to be used.
 * *readings: of the rows; may be NULL. */
enum status ridge_stream_scores(const struct ridge_stream *s, const float *g, size_t M, const double *lambda_abs, size_t lambdas,
                                double tolerance, float *out, size_t *readings);

/* The lambda of lambda_auto() and its d_eff, for rows with trace > 0 of which `nonzero` are
 * not zero, so that their rank is at most that.  The probes' numbers are fixed.  Expected relative error of d_eff: below sqrt(2 / (d_eff probes)),
 * where 2 to 16 probes aim at 1 %, and 0.5 % of quadrature. */
enum status ridge_stream_auto(const struct ridge_stream *s, double trace, size_t nonzero, double *lambda_abs, double *d_eff, size_t *readings);

#endif
