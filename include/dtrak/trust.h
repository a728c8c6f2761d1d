/* trust.h - the error bars of one query's scores, as stored, ready to be shown.
 *
 * se is the root of the squares of what the features' timesteps and noise (a jackknife over
 * blocks) and the projection (a spread over seeds) contribute, as far as each was looked at. */
#ifndef DTRAK_TRUST_H
#define DTRAK_TRUST_H

#include "dtrak/err.h"
#include "dtrak/store.h"

#include <stddef.h>
#include <stdint.h>

struct trust {
    size_t n, blocks, projections;   /* 0: not looked at */
    size_t top;
    double *se;                      /* [n] */
    double *p_top;                   /* [n] chance to be among the first `top` */
    uint32_t *low, *high;            /* [n] 5 % and 95 % of the rank, from 1 */
    float *left;                     /* [blocks][n] score without a block minus the score */
};

/* ERR_MISSING: there are none for this set or query. */
enum status trust_load(struct trust *out, struct store *s, const struct score_set *set, size_t query);
void trust_free(struct trust *t);    /* fine on a zeroed one */

/* Whether the sign of a score of item i is determined: |score| above twice its error. */
int trust_is_determined(const struct trust *t, size_t i, double score);

/* The error of the sum of some items' scores, with the jackknife on the sum itself (their errors go together).
 * NAN without blocks: a spread over projections cannot be had of sums. */
double trust_sum_se(const struct trust *t, const uint32_t *item, size_t count);

#endif
