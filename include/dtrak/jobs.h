/* jobs.h - work in the background: a queue in the database and one thread.
 *
 * The queue is the store's job table, so it outlives the program: what one
 * process queued another can run, and a lease keeps two from running the same
 * job.  The worker has a database connection of its own and runs one job at a
 * time, in order of queueing.  A job is a verb of pipeline.h, so it resumes by
 * being run again: what is finished is found and not done twice.
 *
 * Progress is published in memory as a snapshot by value.  A third thread with
 * a connection of its own writes it into the job's row once a second, so that
 * the lease is renewed however long one step of the work takes.
 * Cancelling sets the verb's progress.cancel; the job ends as `cancelled` with
 * its finished units kept.  A job of a process that died shows as interrupted
 * once its lease has run out, and can be resumed. */
#ifndef DTRAK_JOBS_H
#define DTRAK_JOBS_H

#include "dtrak/err.h"
#include "dtrak/pipeline.h"
#include "dtrak/progress.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct jobs;
struct store;

/* What can be done.  A kind runs on the worker's connection with the JSON
 * object it was queued with. */
struct job_kind {
    const char *name;        /* "features"; the job row's kind */
    enum status (*run)(struct store *s, const char *params, size_t threads, const struct progress *p);
    /* A few words for the screen ("D-TRAK 4 losses, 50%"); always 0-terminated. */
    void (*describe)(const char *params, char *out, size_t size);
};

/* The kinds features, score, sample, train; ends with a NULL name. */
extern const struct job_kind job_kinds[];

struct jobs_options {
    const char *db;                /* path; the worker opens it for itself */
    size_t threads;                /* of a job; 0: all processors */
    const struct job_kind *kinds;  /* NULL: job_kinds */
};

/* What the worker is doing, by value. */
struct jobs_now {
    int64_t id;              /* of the running job; 0: none */
    char title[96];          /* kind and description */
    char what[64], note[64]; /* the phase and the verb's remark */
    double done, total;      /* units of the phase; total 0: unknown */
    double per_s, eta_s;     /* eta_s < 0: unknown */
    double elapsed_s;
    int cancelling;          /* asked to stop, not yet stopped */
    size_t queued;           /* behind it, as of the last look */
    uint64_t ended;          /* jobs that ended since jobs_open(): when it changes, read anew */
    uint64_t changes;        /* grows with every change of the above */
    int64_t last_id;         /* the latest job that ended, 0: none */
    enum status last_status; /* how, and in words */
    char last_message[240];
};

/* Opens the worker's connection and starts its thread, which begins with
 * whatever is queued.  ERR_DB and the like when the database cannot be written. */
enum status jobs_open(struct jobs **out, const struct jobs_options *o);

/* Stops a running job (its row says interrupted, so that it is offered again),
 * waits for the thread and closes the connection.  NULL is fine. */
void jobs_close(struct jobs *j);

struct jobs_now jobs_snapshot(struct jobs *j);   /* NULL: all zero */

/* Something is queued or running, in this process. */
int jobs_busy(struct jobs *j);

/* Waits until jobs_busy() is false, at most `seconds`; returns jobs_busy(). */
int jobs_wait(struct jobs *j, double seconds);

/* Waits until a job runs or none is left, at most `seconds`: what was asked for is written and begun
 * a moment later.  Returns whether that is still to come. */
int jobs_settle(struct jobs *j, double seconds);

/* Called on the worker's thread after each change; must be quick and must not
 * call back.  NULL: none. */
void jobs_on_change(struct jobs *j, void (*fn)(void *ctx), void *ctx);

/* Queue a job.  They return at once: the row is written by
 * the worker's thread, in the order of the calls.  ERR_MISSING for a NULL j, as for cancel and resume. */
enum status jobs_add(struct jobs *j, const char *kind, const char *params);   /* params: JSON, copied */
enum status jobs_add_features(struct jobs *j, const struct features_options *o);
/* missing: the features that are computed first when the scores lack them; NULL: the job fails then. */
enum status jobs_add_score(struct jobs *j, const struct score_options *o,
                           const struct features_options *missing);
enum status jobs_add_basis(struct jobs *j, const struct basis_options *o);
enum status jobs_add_sample(struct jobs *j, const struct sample_options *o);

/* Both also return at once.  Cancel: running, queued or waiting to go on; that one is then as it was,
 * but cancelled where it was interrupted.  Resume: interrupted, cancelled or failed, back to the end
 * of the queue. */
enum status jobs_cancel(struct jobs *j, int64_t id);
enum status jobs_resume(struct jobs *j, int64_t id);
int jobs_is_resuming(struct jobs *j, int64_t id);   /* it waits to go on; NULL: 0 */

/* Runs what is queued on the calling thread, without a screen, until nothing
 * is left; with `interrupted`, also jobs whose owner died.  Progress goes to p
 * (may be NULL); p->cancel stops it.  *ran counts the jobs that were run.
 * The first failed job's status is returned after the others have run. */
enum status jobs_run_queue(const struct jobs_options *o, int interrupted, const struct progress *p, size_t *ran);

#endif
