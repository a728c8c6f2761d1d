/* store_error.h - error bars of score sets.  See store.h.
 *
 * Kept apart from the features they were made of, so that a copy without features still has
 * them: per query and training item the score with each block of features left out, as its
 * difference from the score, the spread over other projections, and where draws of the
 * score put the item.  Differences and spreads are float16 with a scale per row. */
#ifndef DTRAK_STORE_ERROR_H
#define DTRAK_STORE_ERROR_H

#include "dtrak/err.h"
#include "dtrak/store_feature.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { ERROR_DRAWS_MAX = 255 };

struct error_set {
    int64_t id, score_set;
    size_t blocks;                /* of features, each left out once; 0: not looked at */
    size_t projections;           /* scores of so many together spread; 0: not looked at */
    size_t top, draws;            /* chance to be among the first `top`, over so many draws */
    char params[256];             /* what they were made of, JSON in a fixed order */
    size_t rows_done;
    char created[21];
};

/* One query's; arrays of n.  What a set does not have is NULL. */
struct error_row {
    size_t n, blocks;
    float *left;                  /* [blocks][n] score without that block of features minus the score with all */
    float *projection;            /* standard deviation over projections */
    uint8_t *in_top;              /* draws in which the item was among the first `top` */
    uint32_t *low, *high;         /* 5 % and 95 % of its rank over the draws, from 1 */
};
enum status error_row_new(struct error_row *r, size_t n, size_t blocks, int with_projection);
void error_row_free(struct error_row *r);   /* fine on a zeroed one */

/* The set of want->score_set as want says (blocks, projections, top, draws, params); one that was made
 * otherwise is replaced.  ERR_RANGE for what the format does not hold. */
enum status store_error_set_ensure(struct store *s, const struct error_set *want, const struct provenance *p,
                                   struct error_set *out);
enum status store_error_set_get(struct store *s, int64_t score_set, struct error_set *out);   /* ERR_MISSING */
enum status store_error_set_delete(struct store *s, int64_t score_set);   /* fine when there is none */

/* Queries [0, queries) of which at least one row is missing. */
enum status store_errors_missing(struct store *s, const struct error_set *set, size_t queries, struct index_list *out);
/* Replaces.  ERR_NUMERIC when a number is not finite. */
enum status store_error_put(struct store *s, const struct error_set *set, size_t query, const struct error_row *row);
/* n training items, verified; ERR_MISSING, ERR_FORMAT.  *out is the caller's. */
enum status store_error_get(struct store *s, const struct error_set *set, size_t query, size_t n, struct error_row *out);

/* Score sets that have any. */
enum status store_error_sets_count(struct store *s, size_t *count);

#endif
