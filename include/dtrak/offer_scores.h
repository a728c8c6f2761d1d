/* offer_scores.h - the commands after which there are scores, as they can be typed.
 *
 * They make what is missing and no more: features like those that are there, of several checkpoints
 * together where the method is a mean over them, and scores of the queries that what is there serves. */
#ifndef DTRAK_OFFER_SCORES_H
#define DTRAK_OFFER_SCORES_H

#include "dtrak/buf.h"
#include "dtrak/method.h"
#include "dtrak/offer.h"

/* What `dtrak score` makes of what is there already: nothing (0), or scores of these queries. */
struct offer_scores { int there; char queries[48]; };   /* "", " --split gen", " --query gen:0-95" */
enum status offer_scores_find(struct offer_scores *out, struct store *s, const struct offer_features *w, struct item_ref query);

/* Scores that are missing. */
struct offer_wanted {
    enum method method;
    enum loss loss;                        /* LOSS_COUNT: none */
    const struct checkpoint *checkpoint;   /* NULL: none, or several together */
    const char *several;                   /* as they were named, "all"; NULL: it is no mean over several */
    size_t timesteps, k;                   /* 0: any */
    const char *lambda;                    /* NULL or "": any */
    struct item_ref query;
};

/* The commands at the end of b; where there are none, why: "the weights of step 960 were dropped; ...", else "". */
#define OFFER_WHY 1024
enum status offer_scores_commands(struct buf *b, char why[OFFER_WHY], struct store *s, const struct offer_wanted *w);

#endif
