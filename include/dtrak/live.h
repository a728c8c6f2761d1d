/* live.h - ridge scores of one query at any lambda, from what is stored.
 *
 * A thread of its own keeps what it takes, of one set of features at a time:
 *   the stored eigenbasis, when there is one;
 *   else, for few training items, a decomposition of its own (n = 1,000: 0.2 s);
 *   else a Krylov basis per query, from the features in memory or the stored
 *   kernel: a second or two for a first lambda, a little more for each smaller
 *   one, milliseconds for a larger one.  Scores are then right to 1e-5 of their
 *   length, by a bound; where that would take more than 800 vectors, and for
 *   relative-if and an unknown `auto`, the decomposition is made after all.
 * After that each lambda is some milliseconds.  Nothing is written.  All functions but the callback run on the interface's thread. */
#ifndef DTRAK_LIVE_H
#define DTRAK_LIVE_H

#include "dtrak/err.h"
#include "dtrak/lambda.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct live;

struct live_request {
    int64_t score_set;        /* a stored set of one checkpoint: its method, features and split are meant */
    struct item_ref query;
    struct lambda lambda;     /* relative or absolute; auto works too */
    char created[21];         /* the set's: one that was dropped leaves its id to another */
};

/* db is opened by the thread, for reading.  on_change(ctx) is called on the
 * thread after each request that ended; it may be NULL. */
enum status live_open(struct live **out, const char *db, void (*on_change)(void *ctx), void *ctx);
void live_close(struct live *l);   /* NULL is fine; stops what is running */

/* 1: *score holds *n numbers, the caller's to mem_free(), and *lambda_rel and
 * *lambda_abs are set.  0: being computed; on_change() says when; a request
 * before it that has not ended is given up unless it was the same.
 * -1: it cannot be: fail_reason() says why. */
int live_get(struct live *l, const struct live_request *r, float **score, size_t *n,
             double *lambda_rel, double *lambda_abs);
/* Of an answer that is there: sum of e / (e + lambda) over the eigenvalues, where they are
 * known (not of a Krylov basis); else NAN. */
double live_effective_dimension(struct live *l, const struct live_request *r);
int live_busy(struct live *l);

/* Items have other numbers now: answers and what they were made of go, what is being computed is given up.
 * NULL is fine. */
void live_forget(struct live *l);

/* Training sets of fewer items (1,500) are decomposed at once. */
void live_decompose_below(struct live *l, size_t items);

/* Another callback, or NULL: none.  The old one is not called any more after this. */
void live_on_change(struct live *l, void (*fn)(void *ctx), void *ctx);

#endif
