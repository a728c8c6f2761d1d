/* pool.h - a few threads that share out numbered pieces of work.
 *
 * Results never depend on the thread count: the caller cuts the work into a
 * fixed number of pieces, each piece writes its own place, and what has to be
 * summed is summed afterwards in index order. */
#ifndef DTRAK_POOL_H
#define DTRAK_POOL_H

#include "dtrak/err.h"

#include <stddef.h>

struct pool;

/* threads >= 1; 0 means one per processor that this process may use.
 * The calling thread is one of them, so 1 starts none. */
enum status pool_new(struct pool **out, size_t threads);
void pool_free(struct pool *p);              /* NULL is fine */
size_t pool_threads(const struct pool *p);   /* NULL counts as 1 */

/* Calls fn(ctx, piece, thread) once for each piece < count, thread < pool_threads();
 * returns when all are done.  A NULL pool runs them in order on this thread.
 * One pool_run() at a time per pool; fn must not call it on the same pool. */
void pool_run(struct pool *p, size_t count,
              void (*fn)(void *ctx, size_t piece, size_t thread), void *ctx);

#endif
