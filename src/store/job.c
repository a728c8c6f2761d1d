/* job.c - the queue: who runs what, how far, and until when we believe it. */
#include "db.h"

#include "dtrak/mem.h"

#include <string.h>
#include <time.h>

static const char *const state_names[JOB_STATE_COUNT] = { "queued", "running", "done", "failed",
                                                          "cancelled", "interrupted" };

const char *job_state_name(enum job_state state) {
    return state < JOB_STATE_COUNT ? state_names[state] : "?";
}

void job_list_free(struct job_list *l) {
    mem_free(l->job);
    memset(l, 0, sizeof *l);
}

/* Leases are compared between processes, so they are wall-clock time. */
static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum status store_job_enqueue(struct store *s, const char *kind, const char *params, int64_t *id) {
    char now[21];
    struct job limits;
    TRY(db_fits("job kind", kind, sizeof limits.kind));
    TRY(db_fits("job parameters", params, sizeof limits.params));
    clock_iso(now);
    TRY(db_unit_begin(s));
    enum status st = db_exec(s, "INSERT INTO job (kind, params, state, created) VALUES (?, ?, 'queued', ?)",
                             "ttt", kind, params, now);
    int64_t made = sqlite3_last_insert_rowid(s->db);
    st = db_unit_end(s, st);
    if (st == OK && id) *id = made;
    return st;
}

/* --- reading --- */

#define JOB_COLUMNS \
    "SELECT id, kind, params, state, done, total, what, message, owner, lease_until, cancel_asked," \
    " created, started, ended FROM job "

static void read_job(struct job *j, sqlite3_stmt *q) {
    memset(j, 0, sizeof *j);
    j->id = sqlite3_column_int64(q, 0);
    col_text(j->kind, sizeof j->kind, q, 1);
    col_text(j->params, sizeof j->params, q, 2);
    j->state = JOB_INTERRUPTED;   /* also what an unknown word becomes: it can be claimed again */
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        if (strcmp(col_str(q, 3), state_names[i]) == 0) j->state = (enum job_state)i;
    j->done = sqlite3_column_double(q, 4);
    j->total = sqlite3_column_double(q, 5);
    col_text(j->what, sizeof j->what, q, 6);
    col_text(j->message, sizeof j->message, q, 7);
    col_text(j->owner, sizeof j->owner, q, 8);
    if (j->state == JOB_RUNNING) {
        j->lease_left_s = ((double)sqlite3_column_int64(q, 9) - (double)now_ms()) / 1000;
        if (j->lease_left_s <= 0) j->state = JOB_INTERRUPTED;
    }
    j->cancel_asked = col_int(q, 10) != 0;
    col_text(j->created, sizeof j->created, q, 11);
    col_text(j->started, sizeof j->started, q, 12);
    col_text(j->ended, sizeof j->ended, q, 13);
}

enum status store_job_get(struct store *s, int64_t id, struct job *out) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, JOB_COLUMNS "WHERE id = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: there is no job %lld", s->path, (long long)id);
    read_job(out, q);
    db_end(q);
    return OK;
}

enum status store_jobs_list(struct store *s, struct job_list *out) {
    struct job_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, JOB_COLUMNS "ORDER BY id DESC", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct job *more = db_grow(l.job, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "jobs: out of memory"); goto done; }
        l.job = more;
        read_job(&more[l.count++], q);
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    job_list_free(&l);
    return st;
}

/* --- running --- */

/* Test and change are one statement inside one immediate transaction, so two
 * processes never take the same job. */
static enum status claim(struct store *s, int64_t id, const char *owner, struct job *out) {
    char now[21];
    int64_t t = now_ms();
    clock_iso(now);
    if (id == 0) TRY(db_number(s, &id, "SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 1", ""));
    if (id == 0) return fail(ERR_MISSING, "%s: no job is waiting", s->path);
    TRY(db_exec(s, "UPDATE job SET state = 'running', owner = ?, lease_until = ?, started = ?, ended = '',"
                   " message = '', cancel_asked = 0 WHERE id = ? AND (state IN ('queued', 'interrupted',"
                   " 'failed', 'cancelled') OR (state = 'running' AND lease_until <= ?))", "titii", owner,
                t + JOB_LEASE_S * 1000, now, id, t));
    if (sqlite3_changes(s->db) == 0)
        return fail(ERR_MISSING, "%s: job %lld is done, held by another process, or not there", s->path,
                    (long long)id);
    return store_job_get(s, id, out);
}

enum status store_job_claim(struct store *s, int64_t id, const char *owner, struct job *out) {
    struct job j;
    int64_t waits = id;
    TRY(db_fits("job owner", owner, sizeof j.owner));
    /* Looking writes nothing, and most looks find nothing. */
    if (id == 0) TRY(db_number(s, &waits, "SELECT id FROM job WHERE state = 'queued' LIMIT 1", ""));
    if (waits == 0) return fail(ERR_MISSING, "%s: no job is waiting", s->path);
    TRY(db_unit_begin(s));
    TRY(db_unit_end(s, claim(s, id, owner, &j)));
    *out = j;
    return OK;
}

static enum status lost(struct store *s, int64_t id) {
    return fail(ERR_MISSING, "%s: job %lld was taken over by another process", s->path, (long long)id);
}

static enum status heartbeat(struct store *s, int64_t id, const char *owner, double done, double total,
                             const char *what, const char *note, int64_t *asked) {
    struct job j;
    db_copy(j.what, sizeof j.what, what ? what : "");
    db_copy(j.message, sizeof j.message, note ? note : "");
    TRY(db_exec(s, "UPDATE job SET done = ?, total = ?, what = ?, message = ?, lease_until = ?"
                   " WHERE id = ? AND owner = ? AND state = 'running'", "ddttiit", done, total, j.what,
                j.message, now_ms() + JOB_LEASE_S * 1000, id, owner));
    if (sqlite3_changes(s->db) == 0) return lost(s, id);
    return db_number(s, asked, "SELECT cancel_asked FROM job WHERE id = ?", "i", id);
}

enum status store_job_heartbeat(struct store *s, int64_t id, const char *owner, double done,
                                double total, const char *what, const char *note, int *cancel_asked) {
    int64_t asked = 0;
    TRY(db_unit_begin(s));
    enum status st = db_unit_end(s, heartbeat(s, id, owner, done, total, what, note, &asked));
    if (cancel_asked) *cancel_asked = st == OK && asked != 0;
    return st;
}

static enum status finish(struct store *s, int64_t id, const char *owner, enum job_state state,
                          const char *message) {
    char now[21];
    struct job j;
    clock_iso(now);
    db_copy(j.message, sizeof j.message, message ? message : "");
    TRY(db_exec(s, "UPDATE job SET state = ?, message = ?, ended = ?, lease_until = 0, cancel_asked = 0"
                   " WHERE id = ? AND owner = ? AND state = 'running'", "tttit", job_state_name(state),
                j.message, now, id, owner));
    return sqlite3_changes(s->db) ? OK : lost(s, id);
}

enum status store_job_finish(struct store *s, int64_t id, const char *owner, enum job_state state,
                             const char *message) {
    if (state != JOB_DONE && state != JOB_FAILED && state != JOB_CANCELLED && state != JOB_INTERRUPTED)
        return fail(ERR_RANGE, "a job does not end as \"%s\"", job_state_name(state));
    TRY(db_unit_begin(s));
    return db_unit_end(s, finish(s, id, owner, state, message));
}

static enum status cancel(struct store *s, int64_t id) {
    char now[21];
    int64_t t = now_ms();
    clock_iso(now);
    TRY(db_exec(s, "UPDATE job SET state = 'cancelled', ended = ? WHERE id = ? AND"
                   " (state IN ('queued', 'interrupted') OR (state = 'running' AND lease_until <= ?))",
                "tii", now, id, t));
    if (sqlite3_changes(s->db)) return OK;
    TRY(db_exec(s, "UPDATE job SET cancel_asked = 1 WHERE id = ? AND state = 'running'", "i", id));
    if (sqlite3_changes(s->db)) return OK;
    return fail(ERR_MISSING, "%s: job %lld has ended already, or is not there", s->path, (long long)id);
}

enum status store_job_cancel(struct store *s, int64_t id) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, cancel(s, id));
}
