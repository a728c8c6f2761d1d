/* score_parts.h - the state of the verb `score`, shared by its files:
 * score.c (what is asked for, groups), score_block.c (rows), score_stream.c (ridge rows without a
 * decomposition), score_mean.c (over checkpoints), score_nda.c, score_subsets.c (of retrained networks),
 * score_residual.c (for das), score_cost.c. */
#ifndef PIPELINE_SCORE_PARTS_H
#define PIPELINE_SCORE_PARTS_H

#include "dtrak/cost.h"
#include "dtrak/das.h"
#include "dtrak/lambda.h"
#include "dtrak/method.h"
#include "dtrak/nda.h"
#include "dtrak/pipeline.h"
#include "dtrak/pool.h"
#include "lds_outputs.h"
#include "score_source.h"

/* One score set of the group in hand. */
struct task {
    enum method method;
    enum split split;
    size_t lambda;                   /* which of the list; 0 for a method without one */
    struct score_set set;
    unsigned char *missing;          /* [queries] */
    size_t n_missing;
};

struct scorer {
    struct store *s;
    const struct score_options *o;
    const struct progress *progress;
    unsigned wanted[METHOD_COUNT];   /* bit per loss; bit 0 for a method without one */
    struct lambda lambda[LAMBDA_LIST_MAX];
    size_t lambdas;
    struct checkpoint_list checkpoints;
    size_t items[SPLIT_COUNT];
    unsigned splits;                 /* of the queries that there are */
    unsigned char *picked[SPLIT_COUNT];   /* [items] which of them; NULL: all */
    size_t memory;
    double done, total;              /* rows */
    struct provenance provenance;
    char host[64];
    struct pool *pool;
    struct cost cost;
    struct rates *rates;             /* score_cost.c's */
    struct das das;
    size_t at[NDA_TIMESTEPS_MAX], n_at;   /* nda's timesteps */
    struct lds_outputs outputs;      /* of retrained networks, for methods that are made of them */
    /* of the group in hand */
    const struct checkpoint *checkpoint;   /* NULL: methods without one */
    enum loss loss;                        /* LOSS_COUNT: methods without one */
    int journey;                           /* methods whose queries are seen along the sampling path */
    int embedded;                          /* of those, the ones on an embedding */
    struct source source;
    struct ridge *ridge;
    int is_streamed;                 /* ridge scores come from readings of the features, there is no ridge */
    double lambda_abs[LAMBDA_LIST_MAX];
    double *by_relative;             /* [lambdas][n], what relative-if multiplies with; or NULL */
    double *by_norm;                 /* [n], the same of renorm-if */
    double *residual;                /* [n], das's r_n; NULL: 1 */
    double *by_das;                  /* [lambdas][n], r_n / (1 - h_n) */
    struct task *task;
    size_t tasks;
    char what[96];
};

/* The identity of a set of the group in hand, and what is not known yet. */
void score_describe(const struct scorer *w, enum method m, enum split split, size_t lambda, struct score_set *set);
int score_in_group(const struct scorer *w, enum method m);
int score_has_ridge(const struct scorer *w);

/* Queries of the split that are asked for. */
size_t score_queries(const struct scorer *w, enum split split);
int score_is_asked(const struct scorer *w, enum split split, size_t query);

/* The lambda that a set of the group in hand has already, and its effective dimension (NAN: not known); 0
 * when none has.  Another way of finding an automatic one comes near it only, and the rows of a set, and
 * of those beside it, are of one. */
double score_known_lambda(const struct scorer *w, size_t lambda, double *d_eff);

/* Sets is_streamed: ERR_RANGE when what is asked for fits into the memory neither way. */
enum status score_choose_solver(struct scorer *w);
/* The lambdas and the missing rows of the group's methods with a ridge, where it is streamed. */
enum status score_stream(struct scorer *w);
/* Their cost: seconds to read a number of the features, and for a multiply-add. */
void score_add_stream_cost(struct scorer *w, double read, double multiply);
/* Where no number of bits is asked for: that of the same scores, where they are stored. */
enum status score_settle_bits(const struct scorer *w, struct score_set *set);

/* Rows asked for that the set of that identity lacks. */
enum status score_count_missing(struct scorer *w, struct score_set *set, double *rows);

/* What a method makes of a row of ridge scores: row itself, or out[n]. */
const float *score_scaled(const struct scorer *w, const struct task *t, const float *row, float *out);

/* The rows of the group's tasks that are missing, in blocks; each is a transaction. */
enum status score_make_rows(struct scorer *w);
/* Bytes that rows take beside the ridge, at least. */
double score_least_bytes(const struct scorer *w);

/* --- sets that are not rows of one group --- */

/* Opens a set and says which of its rows are missing. */
enum status score_open_set(struct scorer *w, struct task *t);
/* What w->source becomes for w->checkpoint and w->loss. */
enum status score_open_source(struct scorer *w);

/* Means over w->checkpoints: tracin, gas, and with o->ensemble the rest, from the rows of the
 * sets that were made before. */
enum status score_make_means(struct scorer *w);
enum status score_check_means(struct scorer *w);   /* before anything is made: are they made alike? */
/* Sets of that kind for method m and one loss: 0 or 1. */
size_t score_means_of(const struct scorer *w, enum method m);

/* Rows of nda, each query a transaction. */
enum status score_read_nda(struct scorer *w);    /* its options */
enum status score_make_nda(struct scorer *w);
enum status score_add_nda_cost(struct scorer *w);   /* to w->cost, timed on a few images */

/* Rows of emp-influence and datamodel. */
enum status score_read_subsets(struct scorer *w);   /* what there is to make them of */
enum status score_make_subsets(struct scorer *w);
enum status score_add_subsets_cost(struct scorer *w);

/* w->residual for the group in hand, from the store or the network; both forms are stored. */
enum status score_residuals(struct scorer *w);

/* Error bars of trak's sets, when they are asked for. */
enum status score_check_errors(struct scorer *w);   /* are there features for them, and what does it cost? */
enum status score_make_errors(struct scorer *w);
/* Adds so many ridges of the source, each with scores of so many queries, to w->cost. */
void score_add_decompositions(struct scorer *w, double count, double queries);

/* Adds the group in hand, whose source is open, to w->cost. */
enum status score_add_cost(struct scorer *w);

#endif
