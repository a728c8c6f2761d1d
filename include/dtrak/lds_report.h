/* lds_report.h - what the stored outputs of retrained networks say about every score set.
 *
 * Everything is worked out again from the outputs in seconds; in a writable
 * database the values are also kept (store_lds_put()).  All correlations are in
 * [-1, 1]; "centred" is after taking each network's mean over the queries away,
 * from losses and predictions alike. */
#ifndef DTRAK_LDS_REPORT_H
#define DTRAK_LDS_REPORT_H

#include "dtrak/err.h"
#include "dtrak/lds.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"

#include <stddef.h>

/* One score set.  reference is the row it is compared with, itself where there is none. */
struct lds_report_row {
    struct score_set set;
    char name[112];                      /* "D-TRAK", "TRAK-ELBO", "Pixel cos"; "D-TRAK of large" where another network's */
    size_t network;                      /* of its checkpoints (store_checkpoint.h); 0: the retrained one */
    double percent;                      /* of the training, of its only checkpoint; NAN: none or several */
    struct lds_estimate plain, centred;
    int is_halves;                       /* made of the same subsets' losses: remade of one half, judged on the
                                          * other, both ways, averaged; so is its reference where they differ */
    size_t reference;
    struct lds_estimate minus, minus_centred;
};

/* A score set that cannot be judged.  Of one that lost rows (`dtrak slim --query`) the database may
 * still have the values of before, of the same outputs: row.plain and row.centred are those. */
struct lds_report_left {
    struct lds_report_row row;
    size_t rows;                         /* that there are */
    int is_short_of_subsets;
    int is_measured;
};

/* Score sets that differ in lambda alone. */
struct lds_report_sweep {
    size_t first;                        /* a row of it, for its names */
    size_t count;                        /* stated lambdas */
    char chosen[2][32], oracle[32];      /* on the even and the odd subsets; on all */
    struct lds_estimate selected;        /* chosen on one half, judged on the other */
    double oracle_value;                 /* chosen and judged on all: flatters */
    size_t automatic;                    /* the row of lambda auto; SIZE_MAX: none */
    size_t reference;                    /* the sweep of the reference; itself where there is none */
    struct lds_estimate minus;
};

struct lds_report_split {
    enum split split;
    size_t first, Q;                     /* queries */
    int is_other;                        /* the items of these numbers are not those that the losses are of */
    struct lds_repeat repeat[2];         /* plain, centred; r NAN where no subset has two seeds */
    double ceiling[2];                   /* of a prediction of what was measured; NAN: not determined */
    double one_more[2];                  /* LDS that one retraining more would have; NAN: not determined */
    double measured;                     /* correlation of the losses with themselves at other timesteps */
    struct lds_report_row *row; size_t rows;        /* best first */
    struct lds_report_sweep *sweep; size_t sweeps;
    struct lds_report_left *incomplete; size_t n_incomplete;   /* those measured before first, best first */
};

struct lds_report {
    int64_t train_protocol, eval_protocol;
    char *train_text, *eval_text;
    size_t M;                            /* subsets that are used */
    size_t seeds;                        /* that all of them have: their mean is what is predicted */
    size_t models, diverged, open;       /* networks finished, of those diverged, and missing */
    size_t others;                       /* measured under other protocols, and left aside */
    double loss, loss_low, loss_high;    /* training loss of the networks used */
    double project_loss;                 /* of the project's own at the end; NAN: not known */
    char reference_method[32], reference_loss[16];   /* with which rows are compared */
    int is_reference_asked;              /* somebody named it */
    struct lds_report_split split[2];
    size_t n_splits;
};

struct lds_report_options {
    const char *reference_method, *reference_loss;   /* NULL: trak simple */
    int keep;                            /* store the values where the database can be written */
};

/* ERR_MISSING when nothing was retrained yet, ERR_RANGE when too few subsets are done, ERR_USAGE when nothing
 * is measured of the reference that is asked for; the message names what is. */
enum status pipeline_lds_report(struct lds_report *out, struct store *s, const struct lds_report_options *o,
                                const struct progress *p);
int lds_report_is_reference(const struct lds_report *r, const struct score_set *set);
void lds_report_free(struct lds_report *r);   /* fine on a zeroed one */

#endif
