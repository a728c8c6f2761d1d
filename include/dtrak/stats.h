/* stats.h - agreement between two rows of scores, and robust location and spread.
 *
 * x and y are [n], float64, finite; a NaN in gives NaN out.  What allocates
 * returns a status, the value goes to *out.
 * Checked against: tests/unit/stats_test.c (values by hand and from SciPy). */
#ifndef DTRAK_STATS_H
#define DTRAK_STATS_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

double stats_mean(const double *x, size_t n);
/* Sample standard deviation, n - 1 in the denominator; 0 for n < 2. */
double stats_sd(const double *x, size_t n);

/* Pearson correlation; 0 when either side is constant or n < 2 (no agreement can
 * be shown, and a mean over queries stays defined). */
double stats_pearson(const double *x, const double *y, size_t n);

/* Ranks 1..n, ties share their average. */
enum status stats_average_ranks(const double *x, size_t n, double *rank);

/* Pearson correlation of average ranks; 0 when either side is constant. */
enum status stats_spearman(double *out, const double *x, const double *y, size_t n);

/* Kendall's tau-b, O(n log n); 0 when either side is constant. */
enum status stats_kendall(double *out, const double *x, const double *y, size_t n);

/* Part of the first k of two rankings that is common, in [0, 1]; a and b hold
 * distinct items, best first, at least k each; k > 0. */
enum status stats_overlap(double *out, const uint32_t *a, const uint32_t *b, size_t k);

/* Rank-biased overlap of two lists of n distinct items, extrapolated (RBO_ext of
 * Webber, Moffat & Zobel 2010, equal lengths), persistence 0 < p < 1; 1 for equal
 * lists, 0 for disjoint ones. */
enum status stats_rbo(double *out, const uint32_t *a, const uint32_t *b, size_t n, double p);

/* Median (mean of the middle two) and median absolute deviation from it, times
 * 1.4826 so that it estimates a normal sd.  n > 0; mad may be NULL. */
enum status stats_median(double *median, double *mad, const double *x, size_t n);

#endif
