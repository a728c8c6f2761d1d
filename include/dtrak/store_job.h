/* store_job.h - the queue of long work, and what the user marked and wrote.
 * See store.h.
 *
 * A worker claims a job and holds a lease of JOB_LEASE_S seconds, renewed by
 * each heartbeat; a running job whose lease ran out was interrupted and can be
 * claimed by anyone. */
#ifndef DTRAK_STORE_JOB_H
#define DTRAK_STORE_JOB_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { JOB_LEASE_S = 30 };

enum job_state {
    JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED,
    JOB_INTERRUPTED,              /* also: running in the table, but the lease is over */
    JOB_STATE_COUNT
};
const char *job_state_name(enum job_state state);

struct job {
    int64_t id;
    char kind[24];                /* "features", "score", "sample", ... */
    char params[1024];            /* JSON */
    enum job_state state;
    double done, total;
    char what[64];                /* phase */
    char message[256];            /* how it ended, or the latest note */
    char owner[96];               /* who holds or held the lease */
    double lease_left_s;          /* < 0: over; 0 when not running */
    int cancel_asked;
    char created[21], started[21], ended[21];   /* "" when not yet */
};
struct job_list { struct job *job; size_t count; };
void job_list_free(struct job_list *l);

enum status store_job_enqueue(struct store *s, const char *kind, const char *params, int64_t *id);

/* Takes the oldest queued job (id = 0; interrupted ones only when asked by id),
 * or that very job when it is queued, interrupted, failed or cancelled.
 * owner: who takes it, unique per worker ("host:pid:thread").
 * ERR_MISSING: there is none to take; at once, without waiting for it. */
enum status store_job_claim(struct store *s, int64_t id, const char *owner, struct job *out);

/* Progress and a new lease; *cancel_asked, when not NULL, says whether
 * somebody asked for a stop.  ERR_MISSING: the lease is no longer owner's. */
enum status store_job_heartbeat(struct store *s, int64_t id, const char *owner, double done,
                                double total, const char *what, const char *note,
                                int *cancel_asked);

/* Ends a job owner holds: JOB_DONE, JOB_FAILED, JOB_CANCELLED or JOB_INTERRUPTED. */
enum status store_job_finish(struct store *s, int64_t id, const char *owner, enum job_state state,
                             const char *message);

/* Asks whoever runs it to stop; a queued or interrupted job is cancelled at once. */
enum status store_job_cancel(struct store *s, int64_t id);

enum status store_job_get(struct store *s, int64_t id, struct job *out);
enum status store_jobs_list(struct store *s, struct job_list *out);      /* newest first */

/* --- marks and notes --- */

enum status store_mark_set(struct store *s, struct item_ref ref, int marked);
enum status store_mark_get(struct store *s, struct item_ref ref, int *marked);
enum status store_marks_list(struct store *s, enum split split, struct index_list *out);

/* text "" or NULL deletes the note. */
enum status store_note_set(struct store *s, struct item_ref ref, const char *text);
/* *text is the caller's to mem_free(); NULL when there is none. */
enum status store_note_get(struct store *s, struct item_ref ref, char **text);

#endif
