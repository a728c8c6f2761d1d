/* combine.h - score rows out of other score rows: means over checkpoints and models.
 *
 *   tracin     mean over checkpoints c of g^c . phi_n^c        (the scores of grad-dot)
 *   gas        mean over checkpoints c of their cosines        (the scores of grad-cos)
 *   ensemble   mean over models s of g^s (K^s)^-1 phi_n^s      (of trak, relative-if, ...)
 * all over the same queries and training items.  TracIn's learning rates may be given as
 * weights; the published comparison uses none.
 * Source: TracIn, arXiv 2002.08484; GAS as in the comparison of arXiv 2311.00500; ensembles, arXiv 2303.14186.
 * Checked against: tests/unit/combine_test.c. */
#ifndef DTRAK_COMBINE_H
#define DTRAK_COMBINE_H

#include "dtrak/err.h"

#include <stddef.h>

/* A weighted mean in the making: zero it, add parts of `count` scores, finish. */
struct combine { double *sum; size_t count; double weight; size_t parts; };

enum status combine_init(struct combine *c, size_t count);   /* sum [count], owned */
void combine_free(struct combine *c);                         /* fine on a zeroed one */

/* weight > 0.  ERR_NUMERIC when a score is not finite (c is then as before), with the
 * part's number. */
enum status combine_add(struct combine *c, const double *scores, double weight);
/* out [count]: the mean; ERR_MISSING when nothing was added. */
enum status combine_mean(const struct combine *c, double *out);

/* Inner products of rows and what the cosines need, for embeddings in memory.
 *   cross       out [M][N]     query_norm  out [M]     train_norm  out [N]
 *   query       in  [M][dim]   train       in  [N][dim]
 * The names of method_inputs; what is not wanted is NULL. */
enum status combine_products(double *cross, double *query_norm, double *train_norm, const float *query, size_t M,
                             const float *train, size_t N, size_t dim);

#endif
