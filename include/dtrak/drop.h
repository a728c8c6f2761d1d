/* drop.h - the verb `drop`: stored sets and queries go, and the file gets smaller. */
#ifndef DTRAK_DROP_H
#define DTRAK_DROP_H

#include "dtrak/err.h"
#include "dtrak/pick.h"
#include "dtrak/progress.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum drop_what { DROP_SCORES = 1, DROP_FEATURES = 2, DROP_KERNELS = 4, DROP_BASES = 8, DROP_ROWS = 16, DROP_ERRORS = 32, DROP_WEIGHTS = 64 };

struct drop_options {
    unsigned what;                /* bits of enum drop_what: which kinds of sets */
    struct pick pick;             /* which of them */
    const char *embedding;        /* all splits of the embedding of that name; or NULL */
    const char *queries;          /* "gen:5,val:2-3"; or NULL */
    int really;                   /* else only say */
    void (*say)(void *ctx, const char *line);   /* one thing that goes; may be NULL */
    void *say_ctx;
};

struct drop_result {
    size_t score_sets, emptied, errors, feature_sets, kernels, bases, weights, embeddings, queries;
    uint64_t bytes_before, bytes_after;   /* of the file; the same unless really */
    char note[400];               /* why the file was not made smaller; "": it was, or was not to be */
};

/* DROP_ROWS: the scores of sets that an LDS was measured of; the set and its LDS stay.  DROP_ERRORS: error bars of
 * scores that stay.  DROP_WEIGHTS: of checkpoints; what was made with them stays.  Features go with their rows; the set itself goes
 * too, unless a kernel or an eigenbasis of it, or of its training items, stays, or it was imported and scores of it stay: then it says
 * what they were made of.
 * ERR_MISSING: nothing of the kind is stored; ERR_USAGE: an embedding or a query that is not there, or no query;
 * ERR_RANGE: a query that retrained networks were measured on, or that stands before one, unless all after it go
 * too; or whose features stay in files. */
enum status pipeline_drop(struct store *s, const struct drop_options *o, const struct progress *p, struct drop_result *r);

#endif
