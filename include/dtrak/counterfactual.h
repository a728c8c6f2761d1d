/* counterfactual.h - the verb `counterfactual`: what becomes of a picture when
 * the items behind it are taken away.
 *
 * For a query and a method the `remove` highest-scoring training items are
 * taken away, the network is retrained on the rest with the project's own seed,
 * and the query's latent is denoised again; the further the picture moves, the
 * more those items were behind it (arXiv 2311.00500, section on counterfactuals).
 * A network is retrained once for each set of items, whoever asks for it. */
#ifndef DTRAK_COUNTERFACTUAL_H
#define DTRAK_COUNTERFACTUAL_H

#include "dtrak/cost.h"
#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct store;

struct counterfactual_options {
    const char *methods;          /* "dtrak,trak,pixel-cos,random", "trak:avg"; NULL: none */
    const char *list;             /* a removal list by name; NULL: none */
    const size_t *take;           /* its training items, if it is to be made or replaced; NULL: it is there */
    size_t n_take;
    size_t remove;                /* items that a method takes away */
    size_t timesteps, dims;       /* of the scores' features; 0: the most there are */
    size_t queries;               /* the first so many generated items; or */
    const char *items;            /* "gen:3,gen:17"; NULL: queries */
    int same_epochs;              /* as in struct lds_options, also the next three */
    size_t steps, batch;
    double lr;
    double save_every_s;
    size_t threads;
    const struct cost_sink *cost;
};
#define COUNTERFACTUAL_DEFAULTS { .remove = 100, .queries = 8, .same_epochs = 1, .save_every_s = 120 }

/* pictures: of (query, method or list) pairs; networks: distinct ones behind them. */
struct counterfactual_summary {
    size_t pictures, done, networks, trained, diverged, elsewhere;
    size_t others;                /* when none is done: pictures of networks that were trained with other options, and the */
    char difference[160];         /* first that differs from those of the latest, as in lds_verb.h */
};

/* summary may be NULL.  ERR_MISSING names the command that makes missing scores. */
enum status pipeline_counterfactual(struct store *s, const struct counterfactual_options *o, const struct progress *p,
                                    struct counterfactual_summary *summary);

#endif
