/* survey.h - what takes a look at everything: one training item over all queries, all
 * training items over all queries, and what lies next to an item.
 *
 * A thread of its own with its own connection reads; the interface asks and gets an
 * answer later.  Of each kind it keeps the latest request and its answer; a new one
 * stops what is being done for the old.  Nothing is written.  All functions but the
 * callback run on the interface's thread.
 * Checked against: tests/unit/survey_test.c (plain loops). */
#ifndef DTRAK_SURVEY_H
#define DTRAK_SURVEY_H

#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/nda_map.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct survey;
struct store;

enum survey_kind {
    SURVEY_ITEM,          /* a training item's score and rank for every query of a score set */
    SURVEY_TOTALS,        /* every training item's mean score, and mean magnitude, over the queries of a score set */
    SURVEY_BY_PIXELS,     /* the training items nearest to an item: root mean square over the pixels, in the project's range */
    SURVEY_BY_FEATURES,   /* the same by the cosine of the features behind a score set */
    SURVEY_MAPS,          /* where nda lies between a query and a training item (nda_map.h), seconds for the first of a query */
    SURVEY_KINDS
};

struct survey_request {
    enum survey_kind kind;
    int64_t score_set;            /* not of SURVEY_BY_PIXELS and SURVEY_MAPS */
    struct item_ref item;         /* not of SURVEY_TOTALS */
    struct item_ref query;        /* of SURVEY_MAPS */
};

enum { SURVEY_NEAR = 6 };

struct survey_answer {
    size_t n;                     /* rows below */
    /* SURVEY_ITEM: by query, those that have scores. */
    uint32_t *query;              /* [n] */
    float *score;                 /* [n] */
    uint32_t *rank;               /* [n]: 1 is the highest of the query's row */
    size_t items;                 /* training items behind a rank */
    /* SURVEY_TOTALS: by training item. */
    double *total, *absolute;     /* [n]: mean score and mean magnitude over the queries */
    size_t queries;
    /* BY_PIXELS, BY_FEATURES: nearest first. */
    struct { size_t item; double value; } near[SURVEY_NEAR];
    /* MAPS */
    struct nda_map map;
    struct image image[2];        /* of the query and of the item, RGB */
    size_t patch;
    void *loaded;                 /* of survey_load(); inside only */
    void (*drop)(void *loaded);
};
void survey_answer_free(struct survey_answer *a);   /* empties it; fine on a zeroed one */

/* db is opened for reading; the connection is the thread's from then on.  on_change(ctx) is called on the thread
 * when a request has ended; it may be NULL. */
enum status survey_open(struct survey **out, const char *db, void (*on_change)(void *ctx), void *ctx);
void survey_close(struct survey *s);   /* NULL is fine; stops what is running */
void survey_on_change(struct survey *s, void (*fn)(void *ctx), void *ctx);

/* 1: *out is the answer, now the caller's.  0: not yet; it is asked for, and *part, when
 * not NULL, says how far it is (0..1).  -1: it cannot be: fail_reason() says why.  Either
 * ending is told once: asked again, it is looked up again. */
int survey_get(struct survey *s, const struct survey_request *r, struct survey_answer *out, double *part);

/* The same for what a function of the caller's reads, from the thread's own connection:
 * run(store, what) on the thread; equal run and what are one request.  1: *out is the
 * caller's now; what nobody took is given to drop. */
struct survey_load {
    enum status (*run)(struct store *s, const char *what, void **out);
    void (*drop)(void *loaded);
    char what[64];
};
int survey_load(struct survey *s, const struct survey_load *l, void **out);

/* Items have other numbers now: answers and what they were made of go, what is being done is given up.
 * NULL is fine. */
void survey_forget(struct survey *s);

int survey_busy(struct survey *s);
/* How many requests have ended since survey_open(). */
uint64_t survey_ended(struct survey *s);

#endif
