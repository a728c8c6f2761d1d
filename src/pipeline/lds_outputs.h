/* lds_outputs.h - finished retrained networks of the protocols with the most: who was in each, and what
 * each makes of the queries.  For lds_report.c, and for scores that are made of nothing else. */
#ifndef PIPELINE_LDS_OUTPUTS_H
#define PIPELINE_LDS_OUTPUTS_H

#include "dtrak/store.h"

#include <stddef.h>

/* is_other: the items of these numbers are not those that the losses are of. */
struct lds_query { enum split split; size_t first, Q; int is_other; };

struct lds_outputs {
    struct store *s;
    int64_t train_protocol, eval_protocol;
    char *train_text, *eval_text;
    struct subset_model_list models;
    size_t *use;                     /* [M] index of each subset that is used */
    size_t M, n;                     /* subsets, training items */
    unsigned char *members;          /* [M][n] */
    size_t seeds;                    /* that all of them have */
    size_t finished, diverged, open; /* networks */
    double loss, loss_low, loss_high;   /* training loss of the networks used */
    struct lds_query query[2];       /* of the eval protocol */
    size_t splits;
    size_t timesteps;                /* that the losses are means over; 0: not known, and taken for even */
    size_t others;                   /* networks measured under other protocols, which are left aside */
};

/* ERR_MISSING when nothing was retrained yet, ERR_RANGE with fewer than `least` subsets. */
enum status lds_outputs_open(struct lds_outputs *out, struct store *s, size_t least);
void lds_outputs_close(struct lds_outputs *o);   /* fine on a zeroed one */

/* Where the queries of a split are among the outputs, NULL where they were not evaluated.  ERR_RANGE where no scores
 * can be made of them: items are others than those then, or went. */
enum status lds_outputs_check(const struct lds_outputs *o, enum split split, const struct lds_query **there);

/* "val:0-47,gen:0-95": what was evaluated, as --query takes it. */
enum { LDS_WHERE = 96 };
void lds_outputs_where(const struct lds_outputs *o, char out[LDS_WHERE]);

/* NULL where it is not finished. */
const struct subset_model *lds_outputs_model(const struct lds_outputs *o, size_t index, size_t seed);

/* Adds a network's losses: out[q * stride] the mean over the timesteps, even and odd (may be
 * NULL) those over every second one.  scratch [Q][OUTPUT_PARTS]. */
enum status lds_outputs_add(const struct lds_outputs *o, enum split split, size_t Q, const struct subset_model *m,
                            float *scratch, double *out, double *even, double *odd, size_t stride);

/* y out [Q][M]: means over the seeds that all subsets have; even and odd likewise, or NULL. */
enum status lds_outputs_means(const struct lds_outputs *o, enum split split, size_t Q, double *y, double *even, double *odd);

/* 16 hex digits of how the subsets were drawn, not of how networks were trained on them. */
void lds_outputs_draw(const struct lds_outputs *o, char hex[17]);

#endif
