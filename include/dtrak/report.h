/* report.h - answers as text, JSON, CSV and PNG contact sheets.
 *
 * A ranking is loaded once into a struct and then written in any form, so the
 * forms cannot disagree.  Text forms are safe for a terminal; JSON and CSV hold
 * labels as they are. */
#ifndef DTRAK_REPORT_H
#define DTRAK_REPORT_H

#include "dtrak/buf.h"
#include "dtrak/comparison.h"
#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/label_shares.h"
#include "dtrak/selfstudy.h"
#include "dtrak/store.h"
#include "dtrak/trust.h"

#include <stddef.h>

/* What to rank by.  method and loss as on the command line. */
struct report_request {
    struct item_ref query;
    const char *method;       /* "trak"; `dtrak` is trak with loss square */
    const char *loss;         /* NULL: the alias's, else simple */
    const char *checkpoint;   /* one of them; NULL: the last of the network that drew the query, else of the first one */
    const char *lambda;       /* "auto", "0.05", "abs:500"; NULL: auto first, then the newest */
    size_t timesteps, k;      /* 0: the most there are */
    size_t top, bottom;
    int any_query;            /* with top and bottom 0: scores of other queries will do */
    int one_network;          /* of several queries: without a checkpoint that of the first for all of them */
    int no_offer;             /* what is missing is said without the commands that make it: they take a look at kernels */
};

struct report_entry {
    size_t rank;              /* among proponents 1 is the highest score, among opponents the lowest */
    struct item_ref item;
    char label[64];           /* name, else number, else "" */
    float score;
    /* Where the ranking has error bars: */
    double se, p_top;         /* chance to be among the first trust.top */
    uint32_t rank_low, rank_high;   /* 5 % and 95 %, from the highest score whatever the side */
    int is_determined;        /* the sign of the score */
};

struct report_ranking {
    struct item_ref query;
    char query_label[64];
    uint64_t seed;            /* gen only, where it is known */
    int has_seed;
    struct score_set set;
    int has_checkpoint;       /* 0: the method has no network, or several */
    size_t step;
    double percent;
    size_t steps[SCORE_CHECKPOINTS_MAX];   /* of several together: set.checkpoints of them */
    char network[64];         /* its name, escaped; "": it has none */
    char checkpoint[96];      /* "step 9600", "large at step 20000" */
    char option[CHECKPOINT_OPTION], spelled[CHECKPOINT_OPTION];   /* as --checkpoint takes it, quoted for a shell and not: "large:20000" */
    struct report_entry *top, *bottom;
    size_t n_top, n_bottom;
    int has_trust;            /* error bars are stored for this query */
    size_t blocks, projections, trust_top;
    int has_shares;           /* report_ranking_shares() was asked, whether or not there are any */
    struct label_shares first, last;   /* of the first places, and of the last */
};

/* ERR_USAGE: no such method, loss or query.  ERR_MISSING: not computed; the
 * message names the command that computes it. */
enum status report_ranking_load(struct report_ranking *out, struct store *s, const struct report_request *r);
void report_ranking_free(struct report_ranking *r);
void report_ranking_checkpoint(struct report_ranking *r, const struct checkpoint *c);   /* it is of c: step, percent, names */

/* Gives the entries their error bars; t is of the same scores, for every training item. */
void report_ranking_trust(struct report_ranking *r, const struct trust *t);

/* Adds the labels of the first and of the last places, for the text and JSON forms.  None where
 * the ranking is not of all training items, or only its ends are stored and are shorter. */
enum status report_ranking_shares(struct report_ranking *r, struct store *s);

void report_ranking_text(struct buf *b, const struct report_ranking *r);
/* {"query","seed","items","method","loss","checkpoint","timesteps","k","lambda_spec","lambda","lambda_abs",
 * "effective_dimension","condition","features_rank","warning","error_bars":{"blocks","projections","top"},"proponents":[{"rank","item","label","score"}],
 * "opponents":[...]}; an entry with error bars also has "se","sign_determined","p_top","rank_low","rank_high";
 * items are all training items, checkpoint is a step, timesteps and k are of the features or 0, lambda_spec is what
 * was asked for ("auto") and lambda the relative value; null where there is none; "network" where it has a name. */
void report_ranking_json(struct buf *b, const struct report_ranking *r);
/* ,"lambda_abs":..,"effective_dimension":..,"condition":..,"features_rank":..,"warning":.. of a set's ridge, null
 * where it is not known or there is none. */
extern const char report_narrow[];   /* the warning when k is below 10 times the effective dimension */
void report_ridge_json(struct buf *b, const struct score_set *set);
/* side,rank,item,label,score with a header line; with error bars ,se,sign_determined,p_top,rank_low,rank_high. */
void report_ranking_csv(struct buf *b, const struct report_ranking *r);

/* --- two settings side by side --- */

struct report_comparison {
    struct report_ranking side[2];      /* with the first places of each */
    struct comparison measured;         /* over all training items */
};

/* Both requests are of one query and say how many places to list (top of the first).
 * ERR_MISSING and ERR_USAGE as above. */
enum status report_comparison_load(struct report_comparison *out, struct store *s,
                                   const struct report_request *a, const struct report_request *b);
void report_comparison_free(struct report_comparison *c);

void report_comparison_text(struct buf *b, const struct report_comparison *c);
/* {"query","overlap":{"10",..},"spearman","kendall","rbo","a":{the setting as of a ranking,"places":[{"rank","item",
 * "label","score","other_rank"}]},"b":{..}} */
void report_comparison_json(struct buf *b, const struct report_comparison *c);
/* item,label,rank_a,score_a,rank_b,score_b: the places of either side, by the better rank. */
void report_comparison_csv(struct buf *b, const struct report_comparison *c);

/* --- the training items by self-influence --- */

/* by label: in the order of the labels' numbers, unlabelled last, each by score */
enum report_self_order { SELF_BY_SCORE, SELF_BY_LOSS, SELF_BY_DISTANCE, SELF_BY_LABEL, SELF_ORDERS };

struct report_self_item {
    size_t item;
    int32_t label;                /* -1: none */
    char label_name[64];
    double score;                 /* leverage */
    double loss, distance;        /* NAN: not known */
    size_t neighbour[3], neighbours;
    int outlier;
};

struct report_self {
    char loss[16], key[128];      /* of the leverages: "square t50 k2048 lambda auto" */
    size_t step;
    char network[64];                /* its name, escaped; "": it has none */
    char checkpoint[96];             /* "step 9600", "large at step 20000" */
    char option[CHECKPOINT_OPTION];  /* as --checkpoint takes it: "9600", "large:20000" */
    size_t n;
    struct report_self_item *item;   /* [n], in the order asked for */
    struct selfstudy study;
};

/* loss NULL: square where it is stored, else the first there is; checkpoint NULL: last.
 * ERR_MISSING: no leverages of it, or not the numbers of the order; the message names the command that makes them. */
enum status report_self_load(struct report_self *out, struct store *s, const char *loss, const char *checkpoint,
                             enum report_self_order order);
void report_self_free(struct report_self *r);
void report_self_sort(struct report_self *r, enum report_self_order order);   /* as if loaded in that order */
/* The first `top` items; 0: all. */
void report_self_text(struct buf *b, const struct report_self *r, size_t top);
/* {"loss","features","checkpoint","items",..,"train":[{"item","label","self_influence","train_loss","distance","outlier",
 * "nearest"}]}; "network" where the checkpoint's has a name. */
void report_self_json(struct buf *b, const struct report_self *r, size_t top);
void report_self_csv(struct buf *b, const struct report_self *r, size_t top);

/* --- the training items next to an item (near.h says how they are measured) --- */

enum report_near_by { NEAR_PIXELS, NEAR_FEATURES, NEAR_EMBEDDING };
const char *report_near_name(enum report_near_by by);   /* "pixels", ... */

struct report_near_request {
    struct item_ref item;
    enum report_near_by by;
    size_t top;
    const char *loss, *checkpoint;      /* of features; NULL: simple, else what there is; last of the network that drew the item */
    size_t timesteps, k;                /* 0: the most there are */
    const char *embedding;              /* NULL: the only one */
};

struct report_near {
    struct item_ref item;
    char label[64];                     /* name, else number, else "" */
    enum report_near_by by;
    char of[200];                       /* which features or embedding; "" of pixels */
    struct report_neighbour { size_t item; double value; char label[64]; } *near;
    size_t count;
};

/* ERR_USAGE: no such item; ERR_MISSING: nothing of the kind is stored; the message says what makes it. */
enum status report_near_load(struct report_near *out, struct store *s, const struct report_near_request *q,
                             const struct progress *p);
void report_near_free(struct report_near *r);
void report_near_text(struct buf *b, const struct report_near *r);
/* {"item","label","by","measure":"distance"|"cosine","of","neighbours":[{"rank","item","label",measure}]} */
void report_near_json(struct buf *b, const struct report_near *r);
/* rank,item,label,distance (or cosine) */
void report_near_csv(struct buf *b, const struct report_near *r);

/* What a database holds: sets that differ in one thing share a line, or with all each has its own. */
enum status report_info_text(struct buf *b, struct store *s, int all);
/* {"splits":{"train":N,...},"checkpoints":[{"step",...}],"losses":[...],"methods":[...],
 * "score_sets":N,"scores":[{"method","loss","split","checkpoint","checkpoints","lambda",...}],"feature_sets":N,
 * "features":[{"loss","split","checkpoint","timesteps","k",...}],"jobs":{...},"sizes":{...},"project":{...},"labels":[...]} */
enum status report_info_json(struct buf *b, struct store *s);

/* The query, its proponents and its opponents with ranks, labels and scores.  p may be NULL. */
enum status report_sheet_ranking(struct image *out, struct store *s, const struct report_ranking *r, const struct progress *p);
/* Two such pictures, the first above the second. */
enum status report_sheet_stack(struct image *out, const struct image *a, const struct image *b);
/* A row per query: its picture, then what is left of it, a column for all that are alike, with L2 and cosine. */
enum status report_sheet_counterfactual(struct image *out, struct store *s, const struct counterfactual_list *l);
/* Items [first, first + count) of a split; count 0: all that are left. */
enum status report_sheet_split(struct image *out, struct store *s, enum split split, size_t first,
                        size_t count, size_t columns);

/* Text in the built-in 5x7 font, `scale` pixels per dot, clipped at max_px and at
 * the image's edge; letters are drawn as capitals.  Returns the width used. */
size_t report_font_draw(struct image *im, size_t x, size_t y, size_t scale, size_t max_px,
                 const unsigned char *colour, const char *text);
enum { FONT_HEIGHT = 7, FONT_ADVANCE = 6 };

#endif
