/* feature_paths.h - the sampling paths of generated items: at each DDIM step the picture that
 * the network predicted then.  What features of FEATURE_RULE_JOURNEY differentiate at.
 *
 * A path is made again from the item's seed by the checkpoint that the item was sampled from. */
#ifndef PIPELINE_FEATURE_PATHS_H
#define PIPELINE_FEATURE_PATHS_H

#include "dtrak/items.h"
#include "dtrak/pool.h"
#include "dtrak/store.h"

#include <stdatomic.h>

/* Whether all generated items have a path, of the same number of steps: *steps.  ERR_MISSING or
 * ERR_RANGE naming the first item that does not. */
enum status feature_paths_steps(struct store *s, size_t *steps);

struct feature_paths {
    struct store *s;                 /* given, borrowed */
    const struct project *project;
    struct pool *pool;
    atomic_int *cancel;              /* may be NULL */
    size_t steps;
    /* its own: of the checkpoint in hand */
    int64_t checkpoint;
    struct stored_network net;
    struct unet_work **works;        /* [threads] */
    float *x, *eps, *noise;          /* [threads][batch][D] */
};

/* out [count][steps][D]: paths of items gen:first .. first + count - 1, the noisiest step first.
 * Unfinished when *cancel became non-zero. */
enum status feature_paths_load(struct feature_paths *f, size_t first, size_t count, float *out);
void feature_paths_close(struct feature_paths *f);   /* fine on a zeroed one */

#endif
