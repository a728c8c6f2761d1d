/* datamodel.h - scores from retrained models alone: empirical influence and ridge datamodels.
 *
 * M models, each trained on a subset, mask[m][n] 1 when item n was in it; y[m][q] is the loss
 * of query q under model m.  Scores have this program's sign: positive when the presence
 * of an item lowers the query's loss (the published ones predict the loss itself, which is minus these).
 *
 *   empirical influence   score[q][n] = mean of y over models without n - mean over models with n
 *   datamodel             score[q] = -w,  (w, c) = argmin sum_m (y_m - c - mask_m . w)^2 + a ||w||^2
 *
 * The datamodel's strength a is chosen for each query by the error on models left out:
 * one by one (closed form), or in `folds` consecutive groups.  The published comparison uses
 * 5 folds and a in {0.1, 1, 10} as they stand.  Those are far below the mask's mean squared row
 * (about N / 4 when half the items are in), so as an alternative strengths can be
 * relative to it: a = strength * trace(X X^T) / M, X the mask without its column means.
 * Solved in the M x M form, whatever N is.
 * Source: arXiv 2202.00622; as compared in arXiv 2311.00500.
 * Checked against: tests/unit/datamodel_test.c (normal equations, refits). */
#ifndef DTRAK_DATAMODEL_H
#define DTRAK_DATAMODEL_H

#include "dtrak/err.h"
#include "dtrak/lds.h"

#include <stddef.h>

/* mask [M][N] of 0 and 1 (anything but 0 counts as 1), y [M][Q], scores out [Q][N].
 * *undecided (may be NULL): items in all subsets or in none; their score is 0.
 * ERR_NUMERIC, with model and query, when an output is not finite; ERR_RANGE when M < 2. */
enum status datamodel_influence(double *scores, size_t *undecided, const unsigned char *mask, const double *y,
                                size_t M, size_t N, size_t Q);

enum { DATAMODEL_STRENGTHS = 16 };
struct datamodel {
    double strength[DATAMODEL_STRENGTHS];   /* > 0 */
    size_t count;
    int is_relative;                        /* to the mean squared row of the centred mask */
    size_t folds;                           /* 0: leave one out; else 2..M */
};
extern const struct datamodel datamodel_published;   /* 0.1, 1, 10; 5 folds */
extern const struct datamodel datamodel_default;     /* the same, relative; leave one out */

/* As above; chosen out [Q] (may be NULL): which strength each query took; among equal errors the
 * larger strength.  ERR_RANGE when there are too few models for the folds, ERR_NUMERIC
 * also when all subsets are the same. */
enum status datamodel_ridge(double *scores, size_t *chosen, const struct datamodel *o, const unsigned char *mask,
                            const double *y, size_t M, size_t N, size_t Q);

/* What a datamodel (o NULL: the empirical influence) of M models predicts for K other subsets, up to a
 * constant of each query: p out [Q][K] = minus the sum of the scores of those in it.  other [K][N]. */
enum status datamodel_predict(double *p, const struct datamodel *o, const unsigned char *mask, const double *y, size_t M,
                              const unsigned char *other, size_t K, size_t N, size_t Q);

/* Their LDS without an oracle: scores made of the models they are judged on would predict them far
 * too well, so the even-numbered models predict the odd ones and the other way round; the value is
 * the mean of both.  The jackknife leaves a model out of what is predicted and of what predicts.
 *   y  [Q][M]     is_centred: predictions and losses without each model's mean over the queries
 * ERR_RANGE below 2 LDS_SUBSETS_MIN models. */
enum status datamodel_judge(struct lds_fit *out, const struct datamodel *o, const unsigned char *mask, const double *y,
                            size_t M, size_t N, size_t Q, int is_centred);

#endif
