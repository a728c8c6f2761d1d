/* errorbars.h - how far a score, its sign and its rank can be trusted.
 *
 * A ridge score rests on features that average a finite number of timesteps and noise
 * draws, and on one random projection.  Features kept in B blocks (block b: the mean over
 * its own timesteps and draws, all with the same projection) give the first part by a
 * jackknife, other projections the second:
 *
 *   tau         from the mean of all blocks: the published value
 *   tau_(-b)    block b left out of train AND query features, lambda re-solved for the same
 *               effective dimension (noise in features acts as a ridge of its own, so an equal
 *               lambda would not be the same estimator)
 *   se_noise^2 = (B - 1) / B sum_b (tau_(-b) - mean_b tau_(-b))^2
 *   se_proj    = sd of the score over other projections' seeds
 *   se^2       = se_noise^2 + se_proj^2 (+ se_model^2 over checkpoints, which changes what is estimated)
 *   z = tau / se;  the sign is determined when |z| > 2.
 *
 * Noise must be keyed on the item: draws shared between items would make their errors look small.
 * Source: the delete-one jackknife (Efron 1982), on the scores of arXiv 2311.00500.
 * Checked against: tests/unit/errorbars_test.c (Monte Carlo over worlds). */
#ifndef DTRAK_ERRORBARS_H
#define DTRAK_ERRORBARS_H

#include "dtrak/err.h"
#include "dtrak/lambda.h"
#include "dtrak/progress.h"
#include "dtrak/rows.h"

#include <stddef.h>
#include <stdint.h>

struct errorbars;   /* opaque: B + 1 ridges; one thread at a time, since reading features takes turns */

/* blocks [B] of train features, B >= 2, of equal n and k; copied, but what they read from is borrowed
 * until errorbars_free().  Costs B + 1 decompositions and as many n x n (or k x k) matrices. */
enum status errorbars_new(struct errorbars **out, const struct rows *blocks, size_t B, struct lambda lambda,
                          const struct progress *p);
void errorbars_free(struct errorbars *e);   /* NULL is fine */

size_t errorbars_blocks(const struct errorbars *e);
double errorbars_dimension(const struct errorbars *e);              /* the effective dimension kept */
double errorbars_lambda(const struct errorbars *e, size_t b);       /* absolute; b = B: of all blocks */

/* Scores of M queries.  query in [B][M][k], block by block.
 *   tau  out [M][N]      left  out [B][M][N], tau_(-b) */
enum status errorbars_scores(const struct errorbars *e, const float *query, size_t M, double *tau, double *left,
                             const struct progress *p);

/* se out [count] by the jackknife from left [B][count]; B >= 2. */
void errorbars_jackknife(double *se, const double *left, size_t B, size_t count);
/* se out [count]: sample sd over parts [R][count] (other projections, checkpoints or models); R >= 2. */
void errorbars_spread(double *se, const double *parts, size_t R, size_t count);
/* total out [count]: root of the sum of squares; what there is not is NULL.  total may be one of them. */
void errorbars_total(double *total, const double *noise, const double *projection, const double *model, size_t count);

#define ERRORBARS_SIGN_Z 2.0
/* tau / se; 0 when both are 0, infinite when only se is. */
double errorbars_z(double tau, double se);
int errorbars_sign_is_determined(double tau, double se);

/* Sums over a group of training items (a label, the marked ones), with the jackknife done on the sum
 * itself: errors of one query's scores are correlated through its feature, so their squares do not add up.
 *   sum, se  out [M]     tau [M][N], left [B][M][N], items [count] indices < N */
void errorbars_group(double *sum, double *se, const double *tau, const double *left, size_t B, size_t M, size_t N,
                     const uint32_t *items, size_t count);

/* One training item's place for one query; ranks count from 1, the highest score. */
struct errorbars_rank {
    double p_top;                  /* part of the draws in which it is among the first `top` */
    uint32_t median, low, high;    /* over draws: 50 %, 5 % and 95 % */
    uint32_t left_low, left_high;  /* extremes over the B jackknife solves; 0 when there are none */
};

/* Ranks of all N items in `draws` parametric draws tau + se * N(0, 1), errors drawn independently;
 * a function of (seed, key) and the inputs only.
 *   out  [N]      tau, se  [N]      left  [B] rows of this query, `stride` apart (NULL: none)
 * ERR_NUMERIC when a score or an error is not finite or an error is negative; ERR_RANGE for no draws. */
enum status errorbars_ranks(struct errorbars_rank *out, const double *tau, const double *se, size_t N,
                            const double *left, size_t B, size_t stride, size_t top, size_t draws,
                            uint64_t seed, uint32_t key);

#endif
