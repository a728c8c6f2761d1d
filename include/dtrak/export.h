/* export.h - what a database holds, as files that other programs open.
 *
 * Each verb writes one folder, whole or not at all (new_folder.h). */
#ifndef DTRAK_EXPORT_H
#define DTRAK_EXPORT_H

#include "dtrak/err.h"
#include "dtrak/pick.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct store;

enum export_what {
    EXPORT_FEATURES = 1, EXPORT_SCORES = 2, EXPORT_SUBSETS = 4, EXPORT_EMBEDDINGS = 8, EXPORT_LABELS = 16, EXPORT_ITEMS = 32,
    EXPORT_ALL = 63
};

struct export_options {
    const char *dir;
    int force;                   /* replace an earlier export */
    struct pick pick;            /* which feature and score sets */
    unsigned what;               /* of arrays: bits of enum export_what */
    int half;                    /* of traker: float16 */
    const char *matrix;          /* of traker: "JL matrix type"; NULL: from the projection */
};

struct export_result {
    size_t feature_sets, score_sets, subsets, outputs, embeddings, labels, items;
    size_t left_out;             /* sets without rows, or with only the ends of rankings */
    size_t unfinished;           /* score sets with rows of NaN where there are none yet */
    char note[200];              /* for people; "" */
};

/* NumPy arrays, and dtrak.json that says of each its axes, type and identity.
 *   features/   float32 [item][feature], of a set with parts [part][item][feature]
 *   scores/     float32 [query][train]
 *   subsets/    uint8 members [model][train]; float32 outputs [model][query][half]
 *   embeddings/ float32 [item][feature]        labels/   int32 [item], -1: none
 *   items/      JSON, a list of what is known of each item of a split: which row is which picture */
enum status pipeline_export_arrays(struct store *s, const struct export_options *o, const struct progress *p,
                                   struct export_result *r);

/* A save_dir of traker: for each checkpoint (a model, numbered by its step) the gradients of the
 * training items, and of the val and gen items an experiment each where they have features
 * and, where they are stored, scores.  Features are those that stand for the checkpoint
 * among the picked; ERR_MISSING without any. */
enum status pipeline_export_traker(struct store *s, const struct export_options *o, const struct progress *p,
                                   struct export_result *r);

#endif
