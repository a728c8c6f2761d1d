/* lds.h - the linear datamodeling score: do scores predict what retraining does?
 *
 * M subsets, Q queries.  A network retrained on subset m has loss y[q][m] at
 * query q; scores tau_q predict p[q][m] = sum over members n of -tau_q[n] (a
 * positive score lowers the loss).  LDS = mean over q of Spearman(p[q], y[q]), ties
 * sharing their average rank.  All rows are [Q][M], float64; values are
 * correlations in [-1, 1], not times 100.
 *
 * A query whose prediction (or loss) is the same for every subset counts as 0:
 * nothing is predicted of it; how many there are is said beside the value.
 *
 * Intervals: networks are shared by all queries and queries by all networks.
 * With theta_-m the LDS without subset m, V_m = (M-1)/M sum (theta_-m - mean)^2
 * is the jackknife variance over subsets; V_q = var(rho_q) / Q that over
 * queries, which holds the per-query part of V_m once more, V_in = sum_q v_q /
 * Q^2 with v_q the jackknife variance of rho_q alone.  se^2 = V_m + max(0, V_q -
 * V_in); the interval is value +- t_{.975, M-1} se.  Q_eff = Q V_in / V_m is how
 * many unrelated queries the Q are worth.
 * Source: arXiv 2311.00500 (LDS), Efron 1982 (jackknife), Owen 2007 (two ways).
 * Checked against: tests/unit/lds_test.c. */
#ifndef DTRAK_LDS_H
#define DTRAK_LDS_H

#include "dtrak/err.h"

#include <stddef.h>

/* Fewest subsets for a value, and for an interval. */
enum { LDS_SUBSETS_MIN = 3, LDS_INTERVAL_MIN = 6 };

/* p [Q][M]; scores [Q][N], members [M][N] (0 or 1).  Sums run over the items in their order, so that queries whose
 * scores are all the same predict the same of subsets of one size. */
enum status lds_predict(double *p, const float *scores, size_t Q, const unsigned char *members, size_t M, size_t N);

/* Takes each subset's mean over the queries away from v [Q][M]: what is left is
 * not how good a network is as a whole. */
void lds_centre(double *v, size_t M, size_t Q);

/* Correlations of every query, with all subsets and with each left out.  rows of
 * loo: subsets 0 .. split-1 are one sample, the rest (if any) another. */
struct lds_fit {
    size_t M, Q, split;
    double *rho;                  /* [Q] */
    double *loo;                  /* [M][Q] */
    size_t constant;              /* queries whose prediction or loss does not vary */
};
/* ERR_RANGE below LDS_SUBSETS_MIN subsets or without queries, ERR_NUMERIC when a
 * number is not finite. */
enum status lds_fit_new(struct lds_fit *out, const double *p, const double *y, size_t M, size_t Q);
void lds_fit_free(struct lds_fit *f);     /* fine on a zeroed one */
/* Two samples of subsets as one fit: rho is the mean of both; without a subset its own half changes. */
enum status lds_fit_join(struct lds_fit *out, const struct lds_fit half[2]);
/* The even-numbered subsets as one sample, the odd ones as the other. */
enum status lds_fit_halves(struct lds_fit *out, const double *p, const double *y, size_t M, size_t Q);

struct lds_estimate {
    double value;
    double se, low, high;         /* NAN below LDS_INTERVAL_MIN subsets */
    double q_eff;                 /* NAN likewise, or when nothing varies */
    size_t M, Q, constant;
};
void lds_estimate(struct lds_estimate *out, const struct lds_fit *f);
/* a minus b on the same subsets and queries, with the interval of the difference. */
enum status lds_difference(struct lds_estimate *out, const struct lds_fit *a, const struct lds_fit *b);

/* One of several settings chosen without looking at what it is judged on: the
 * best on the even-numbered subsets is judged on the odd ones and the other way
 * round; the two are averaged.  p[c] is [Q][M] of candidate c.  oracle: the best
 * on all subsets, judged on them.  The interval takes the choices as given. */
struct lds_selection { size_t chosen[2], oracle; double oracle_value; struct lds_fit fit; };
enum status lds_select(struct lds_selection *out, const double *const *p, size_t candidates, const double *y,
                       size_t M, size_t Q);

/* How much of y repeats when only the training seed changes: y[s] is [Q][K] for
 * seed s of S >= 2 on the same K subsets.  r: Pearson over subsets, mean over
 * queries and pairs of seeds, with its jackknife se over subsets; spearman the
 * same with ranks: what one retraining scores as a prediction of one other.
 * A mean of T seeds has reliability R = T r / (1 + (T - 1) r) (Spearman-Brown),
 * and a perfect prediction of what is not chance correlates with it to sqrt(R): the
 * ceiling.  That is Pearson's; in ranks, of Gaussian losses, 6 / pi asin(sqrt(R) / 2),
 * up to 1.8 points of 100 less. */
struct lds_repeat { double r, se, spearman; size_t K, seeds; };
enum status lds_repeat(struct lds_repeat *out, const double *const *y, size_t S, size_t K, size_t Q);
/* NAN when r <= 0: nothing repeats, so there is no ceiling to be determined. */
double lds_reliability(double r, double T);
double lds_ceiling(double r, double T);
/* What one retraining more scores as a prediction of the mean of T seeds: spearman, which is of T = 1,
 * times sqrt(R / r).  NAN when r <= 0 and T > 1. */
double lds_one_more(const struct lds_repeat *o, double T);

/* The 97.5 % point of Student's t, n >= 3 degrees of freedom, to three digits. */
double lds_t975(double n);

#endif
