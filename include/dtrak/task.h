/* task.h - one piece of work for the interface, done on a thread of its own with its own
 * connection to the database, which it only reads.
 *
 * Nothing is kept of it anywhere: what it makes is the caller's business.  All functions
 * but the callbacks run on the interface's thread.
 * Checked against: tests/unit/task_test.c. */
#ifndef DTRAK_TASK_H
#define DTRAK_TASK_H

#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct store;
struct task;

/* Calls run(store, work, p) on the thread, with db opened for reading; p reports how far it is
 * and says when to stop.  work stays the caller's, and untouched by it until task_end().
 * on_change(ctx) is called on the thread when it has ended; it may be NULL. */
enum status task_start(struct task **out, const char *db, enum status (*run)(struct store *s, void *work, const struct progress *p),
                       void *work, void (*on_change)(void *ctx), void *ctx);
void task_on_change(struct task *t, void (*fn)(void *ctx), void *ctx);   /* NULL for t is fine, as below */

int task_wait(struct task *t, double seconds);   /* at most so long; 1: it has ended */
double task_part(struct task *t);                /* how far it is, 0..1 */
void task_cancel(struct task *t);                /* asks it to stop, and does not wait; a wait for a lock ends too */

/* Waits for the end and frees it: what run() returned, ERR_CANCELLED if that was stopped by
 * task_cancel(); fail_reason() is that of the thread. */
enum status task_end(struct task *t);

#endif
