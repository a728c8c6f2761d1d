/* selfstudy.h - what a training set's self-influence goes with, and who stands out.
 *
 * x[N] is the self-influence of every training item (ridge leverage h_n, or a norm).  Copies
 * share their leverage and have little; images unlike any other, damaged or mislabelled
 * ones have much.
 *   outliers    x_n > median + c * MAD, MAD times 1.4826 as an estimate of the sd (stats.h)
 *   with loss, with distance    Spearman's correlation of x with the training loss, and with the
 *               distance to the nearest other training item
 *   with label  the part of the variance of x's ranks that lies between labels (eta squared of
 *               ranks, the Kruskal-Wallis statistic over N - 1), in [0, 1]
 * Checked against: tests/unit/selfstudy_test.c (planted copies and noise, values by hand). */
#ifndef DTRAK_SELFSTUDY_H
#define DTRAK_SELFSTUDY_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

#define SELFSTUDY_SPREADS 3.5   /* c, where nothing else is asked for */

struct selfstudy_input {
    size_t N;
    const double *x;          /* [N] */
    const double *loss;       /* [N] or NULL */
    const double *distance;   /* [N] or NULL */
    const int32_t *label;     /* [N] or NULL */
};

struct selfstudy {
    double median, mad, threshold;
    size_t outliers;
    double with_loss, with_distance, with_label;   /* NAN where not given; the first two of less than 3 items too */
    size_t labels;                                 /* different ones; 0 where not given */
};

/* outlier out [N] (may be NULL): the indices of the outliers, the highest first, ties by the lower
 * index; *out says how many.  ERR_NUMERIC, with the item, when a value is not finite;
 * ERR_RANGE when N is 0 or spreads is not a number from 0. */
enum status selfstudy_run(struct selfstudy *out, uint32_t *outlier, const struct selfstudy_input *in, double spreads);

/* eta squared of x's ranks over groups; 0 when x is constant or there is one label. */
enum status selfstudy_label_share(double *share, size_t *labels, const double *x, const int32_t *label, size_t N);

#endif
