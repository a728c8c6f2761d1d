/* merge.h - the verb `merge`: what another copy of the project has computed comes here.
 *
 * Both must be of one project: geometry and training items the same.  Then, in this order:
 * checkpoints by their weights, queries by their pictures, networks retrained on subsets
 * (lds_verb.h), rows of scores, rows of features, numbers per item.  A unit, one transaction each, is a
 * checkpoint, the queries, a model, some rows of scores, a block of features; what is here stays,
 * so the same command goes on where it was stopped and twice is as once.  Sets of different identity never mix. */
#ifndef DTRAK_MERGE_H
#define DTRAK_MERGE_H

#include "dtrak/err.h"
#include "dtrak/lds_verb.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct store;

enum merge_what { MERGE_CHECKPOINTS = 1, MERGE_QUERIES = 2, MERGE_SUBSETS = 4, MERGE_SCORES = 8, MERGE_FEATURES = 16, MERGE_ALL = 31 };

struct merge_options {
    unsigned what;                /* bits of enum merge_what */
    void (*say)(void *ctx, const char *line);   /* what stays out, and why; may be NULL */
    void *say_ctx;
};

struct merge_summary {
    size_t checkpoints, queries;
    struct merge_counts subsets;
    size_t score_sets, score_rows;       /* sets that are new here, and rows that were added to any */
    size_t feature_sets, feature_rows;
    size_t numbers;                      /* per item */
    size_t same, different;              /* rows of scores that were here, and those here with other numbers, which stay */
    size_t left_out;                     /* checkpoints and sets that cannot come, each said */
};

/* ERR_RANGE names in what the projects differ, or the protocols of retrained networks; in the second
 * case the rest has come all the same and *r says what. */
enum status pipeline_merge_all(struct store *s, const char *from, const struct merge_options *o, const struct progress *p,
                               struct merge_summary *r);

#endif
