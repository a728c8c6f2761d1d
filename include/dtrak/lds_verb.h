/* lds_verb.h - the verb `lds`: networks retrained on subsets, measured against scores.
 *
 * pipeline_lds() retrains what is missing and evaluates it; like every verb it
 * does the missing units, one transaction each, can be stopped and called
 * again, by several processes on one database at once.  Outputs travel between
 * databases by pipeline_lds_export(), pipeline_lds_import() and pipeline_merge().
 * What the outputs say about scores is in lds_report.h. */
#ifndef DTRAK_LDS_VERB_H
#define DTRAK_LDS_VERB_H

#include "dtrak/cost.h"
#include "dtrak/err.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { LDS_RANGES_MAX = 32 };

struct lds_options {
    size_t subsets;               /* numbers 0 .. subsets - 1 */
    double alpha;                 /* share of the training items in a subset */
    int stratified;               /* each label in proportion */
    uint64_t draw_seed;
    size_t seeds;                 /* retrainings of each subset */
    size_t second_seed;           /* one more for the first so many subsets */
    struct { size_t first, last; } only[LDS_RANGES_MAX];   /* subsets this call trains */
    size_t n_only;                /* 0: all */
    int same_epochs;              /* steps scale with the subset's size; else as many steps */
    /* 0: as the project's own training */
    size_t steps, batch;
    double lr;
    /* where the loss is taken */
    size_t timesteps;             /* floor((i + 1/2) 1000 / timesteps), i = 0, 1, ... */
    uint64_t noise_seed;
    struct { int given; size_t first, count; } queries[SPLIT_COUNT];   /* none given: all of val and gen */
    int keep_weights;
    double save_every_s;          /* state to go on from inside a model */
    size_t threads;               /* models trained at a time; 0: one per processor */
    const struct cost_sink *cost; /* hears what is missing costs; may be NULL */
};
#define LDS_DEFAULTS { .subsets = 64, .alpha = .5, .stratified = 1, .seeds = 1, .same_epochs = 1, \
                       .timesteps = 100, .noise_seed = 1, .save_every_s = 120 }

enum { LDS_COMMAND = 1024 + 512 };

/* What there is of what was asked for, and what one retraining is. */
struct lds_summary {
    size_t wanted, done, diverged;
    size_t elsewhere;             /* trained by other processes just now */
    size_t open;                  /* missing */
    size_t others;                /* when none is done: finished ones made with other options, and the first that differs, */
    char difference[160];         /* "train.same epochs/steps": here and there; */
    char go_on[LDS_COMMAND];      /* the command that goes on with them; "": none does, */
    char why_not[160];            /* as this differs, "val.count 48/256" */
    size_t parameters, subset_size, steps, queries;
};

/* summary may be NULL; it is filled in when the call ended well or was cancelled. */
enum status pipeline_lds(struct store *s, const struct lds_options *o, const struct progress *p,
                         struct lds_summary *summary);

/* --- outputs that travel --- */

/* A text file: protocols, then per finished model its members and losses.  The
 * same outputs give the same bytes; times and machines are left out.  o chooses
 * subsets by n_only; the newest protocol of kind train with outputs is written,
 * under its newest eval protocol.  Without replace a file that exists is ERR_IO.  *models: how many. */
enum status pipeline_lds_export(struct store *s, const struct lds_options *o, const char *path, int replace, size_t *models);

struct merge_counts { size_t added, same, different; };   /* different: kept as they were here */

/* What export wrote, from another copy of the project: the same training items,
 * queries, network and options, else ERR_RANGE naming the first difference. */
enum status pipeline_lds_import(struct store *s, const char *path, struct merge_counts *counts);

/* Finished models of the database at `from`, under the same conditions. */
enum status pipeline_merge(struct store *s, const char *from, const struct progress *p, struct merge_counts *counts);

#endif
