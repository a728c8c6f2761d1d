/* store_score.h - scores of training items for queries, and numbers per item.
 * See store.h.
 *
 * A score set has one row of n float32 per query of its split, n the number of
 * training items.  Rows are byte-shuffled and deflated when that is smaller. */
#ifndef DTRAK_STORE_SCORE_H
#define DTRAK_STORE_SCORE_H

#include "dtrak/err.h"
#include "dtrak/store_feature.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { SCORE_CHECKPOINTS_MAX = 64 };

/* Compared (they make the identity): method, loss, checkpoints, split,
 * timesteps, k, lambda_spec, params, version, mantissa_bits, n.
 * Set later: lambda_rel, lambda_abs, d_eff, condition, rank.  The rest is the store's. */
struct score_set {
    int64_t id;
    char method[24];              /* canonical: "trak", "pixel-cos", ... */
    char loss[16];                /* "" when the method has none */
    int64_t checkpoint[SCORE_CHECKPOINTS_MAX];   /* ids, ascending by step */
    size_t checkpoints;           /* 0 for methods without a network */
    enum split split;             /* of the queries */
    size_t timesteps, k;          /* 0 when there are none */
    char lambda_spec[32];         /* "auto", "0.05", "abs:500", "" */
    char params[512];             /* the other mathematical parameters, JSON in a fixed order */
    int version;                  /* of the algorithm */
    int mantissa_bits;            /* 24: exact float32; 9..23: rounded to that many significant bits */
    size_t n;                     /* columns: training items */
    double lambda_rel, lambda_abs, d_eff;   /* NAN when not known */
    double condition;             /* of the ridge's matrix with lambda; NAN when not known */
    size_t rank;                  /* of the features, numerically; 0 when not known */
    size_t rows, rows_done;       /* queries expected, and stored */
    char program[32], blas_core[32], host[64];
    size_t threads;
    char created[21];
};

struct score_set_list { struct score_set *set; size_t count; };
void score_set_list_free(struct score_set_list *l);

/* The set with want's identity and at least want->rows rows, made when it is
 * not there.  want and out may be the same. */
enum status store_score_set_ensure(struct store *s, const struct score_set *want,
                                   const struct provenance *p, struct score_set *out);
/* The same without making anything: ERR_MISSING when it is not there. */
enum status store_score_set_same(struct store *s, const struct score_set *want, struct score_set *out);
enum status store_score_set_get(struct store *s, int64_t id, struct score_set *out);
enum status store_score_sets_list(struct store *s, struct score_set_list *out);

/* Notes what the lambda came out as, for this set. */
struct score_ridge { double lambda_rel, lambda_abs, d_eff, condition; size_t rank; };
enum status store_score_set_ridge(struct store *s, int64_t id, const struct score_ridge *r);

/* The mantissa_bits of the stored set that is the same but for them, of the one with the most rows
 * if there are several; as it is when there is none. */
enum status store_score_set_bits(struct store *s, struct score_set *set);

/* 1 when the set's projection is narrow for its ridge: k below 10 times d_eff. */
int score_set_is_narrow(const struct score_set *set);
enum status store_score_set_delete(struct store *s, int64_t id);
/* Deletes the rows of all queries but those with keep[query]; it has room for `rows` of the set. */
enum status store_score_rows_keep(struct store *s, const struct score_set *set, const unsigned char *keep);

/* What a screen asks for.  loss "" and checkpoint 0 mean a method without one
 * (they also match nothing else); lambda_spec NULL: any (auto first, then the
 * newest); timesteps 0: the most there are; k 0: the largest.  With `has`, a set
 * that has that query's row comes before one that does not; then complete sets,
 * then those that have any row.  A set over several checkpoints is asked for with
 * checkpoint -1. */
struct score_query {
    const char *method, *loss;
    int64_t checkpoint;
    enum split split;
    const char *lambda_spec;
    size_t timesteps, k;
    size_t has;             /* index of a query + 1; 0: none in particular */
    const int64_t *over;    /* [n_over] with checkpoint -1: these and no others, in any order; NULL: whichever */
    size_t n_over;
};
enum status store_score_set_find(struct store *s, const struct score_query *q,
                                 struct score_set *out);      /* ERR_MISSING */

/* Distinct values over the complete score sets of a query split, in the order
 * of first appearance (checkpoints by step). */
struct score_choices {
    char method[32][24]; size_t methods;
    char loss[16][16]; size_t losses;          /* without "" */
    int64_t checkpoint[SCORE_CHECKPOINTS_MAX]; size_t checkpoints;
};
enum status store_score_choices(struct store *s, enum split split, struct score_choices *out);

/* The row of a query: n floats.  Replaces.  ERR_NUMERIC when not finite. */
enum status store_score_put(struct store *s, const struct score_set *set, size_t query,
                            const float *scores);
/* The row as stored (rounded when mantissa_bits < 24), verified; ERR_MISSING. */
enum status store_score_read(struct store *s, const struct score_set *set, size_t query,
                             float *out);
/* Queries of the set that have no row yet. */
enum status store_scores_missing(struct store *s, const struct score_set *set,
                                 struct index_list *out);

/* An entry of a ranking; rank 1 is the first. */
struct ranked { size_t rank, item; float score; };

/* The count highest (opponents = 0) or lowest (1) of a query's row, ties by
 * lower item index first; *got <= count. */
enum status store_score_top(struct store *s, const struct score_set *set, size_t query,
                            int opponents, size_t count, struct ranked *out, size_t *got);

/* A ranking of which only the ends are known, best first (top) and worst first
 * (bottom; either may be empty): what store_score_top() then gives, and in place
 * of the query's row, which store_score_read() says is ERR_MISSING. */
enum status store_score_list_put(struct store *s, const struct score_set *set, size_t query, const struct ranked *top,
                                 size_t n_top, const struct ranked *bottom, size_t n_bottom);

/* In reverse: queries of the set among whose first (or last) ranks the training
 * item is, best rank first; `item` of an entry is the query.  Ranks kept: at
 * least 10 and at most 100 per query (a hundredth of n between). */
enum status store_score_supported(struct store *s, const struct score_set *set, size_t item,
                                  int opponents, size_t count, struct ranked *out, size_t *got);

/* --- numbers per item --- */

/* name: "train_loss", "self_influence", ...; key: what else it depends on
 * ("square t10 k2048 lambda auto"), "" for nothing; checkpoint 0: none. */
struct stat_key { const char *name, *key; int64_t checkpoint; enum split split; };

enum status store_stat_put(struct store *s, const struct stat_key *key, size_t first, size_t count,
                           const double *values);
enum status store_stat_delete(struct store *s, const struct stat_key *key);   /* fine when there is none */
/* values[i] of item first + i, NAN where there is none; *present says how many there are. */
enum status store_stat_get(struct store *s, const struct stat_key *key, size_t first, size_t count,
                           double *values, size_t *present);

struct stat_set { char name[32], key[128]; int64_t checkpoint; enum split split; size_t count; };
struct stat_set_list { struct stat_set *set; size_t count; };
enum status store_stats_list(struct store *s, struct stat_set_list *out);
enum status store_stats_names(struct store *s, struct stat_set_list *out);   /* the same without counting: counts are 0 */
void stat_set_list_free(struct stat_set_list *l);

#endif
