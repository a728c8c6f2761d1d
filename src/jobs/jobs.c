/* jobs.c - the worker, which runs jobs, and the clerk, which keeps the books.
 *
 * The worker's thread spends its life inside verbs of the pipeline, which may
 * not come up for air for minutes.  So everything short is the clerk's: writing
 * new rows, cancelling, renewing the lease once a second, counting the queue.
 * Each has a connection of its own; `lock` guards all that both see. */
#include "dtrak/jobs.h"

#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLERK_S 1.0        /* between heartbeats, and between looks at an idle queue */
#define NOTIFY_S 0.1       /* between calls of on_change for mere progress */
#define RESUMES 64

struct command {
    struct command *next;
    int64_t cancel;        /* id, or 0: add */
    int may_have_ended;    /* of a cancel: then there is nothing to do */
    char kind[24];
    char *params;
};

struct jobs {
    struct store *worker_store, *clerk_store;
    const struct job_kind *kinds;
    size_t threads;
    char owner[96];
    pthread_t worker, clerk;
    int has_worker, has_clerk;
    atomic_int cancel;               /* what the running verb looks at */
    const struct progress *outer;    /* of jobs_run_queue(), or NULL */

    pthread_mutex_t lock;
    pthread_cond_t changed;          /* anything below; everyone waits here */
    struct jobs_now now;
    struct rate rate;
    double started, notified;
    int stop, clerk_stop, clerk_busy, looked;
    struct command *first, *last;
    int64_t resume[RESUMES];
    size_t n_resume;
    int64_t asked;                   /* to be cancelled: what the worker is at, begun or not */
    int claiming;                    /* a claim is under way, or through and its job not begun: now.queued still has it */
    uint64_t claims;                 /* begun so far: a count from before one says nothing */
    uint64_t added;                  /* rows the clerk wrote: a claim that found nothing may be stale */
    void (*on_change)(void *ctx);
    void *ctx;
};

static void wait_until(struct jobs *j, double seconds) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)seconds;
    t.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (t.tv_nsec >= 1000000000L) { t.tv_nsec -= 1000000000L; t.tv_sec++; }
    pthread_cond_timedwait(&j->changed, &j->lock, &t);
}

/* With the lock held. */
static void announce(struct jobs *j) {
    j->now.changes++;
    j->notified = clock_s();
    pthread_cond_broadcast(&j->changed);
    if (j->on_change) j->on_change(j->ctx);
}

static void copy_text(char *out, size_t size, const char *text) {
    size_t len = strlen(text);
    if (len >= size) len = size - 1;
    memcpy(out, text, len);
    out[len] = 0;
}

/* --- the clerk --- */

/* 0: the worker claimed a job meanwhile, which may be counted or not; to be done again.  What
 * cannot be read now counts as before. */
static int count_queue(struct jobs *j) {
    struct job_list list = { NULL, 0 };
    size_t queued = 0;

    pthread_mutex_lock(&j->lock);
    uint64_t claims = j->claims;
    int stands = !j->claiming;
    pthread_mutex_unlock(&j->lock);
    if (!stands) return 0;
    int is_read = store_jobs_list(j->clerk_store, &list) == OK;
    for (size_t i = 0; i < list.count; i++) queued += list.job[i].state == JOB_QUEUED;
    job_list_free(&list);
    pthread_mutex_lock(&j->lock);
    stands = claims == j->claims;
    if (stands && (!j->looked || (is_read && queued != j->now.queued))) {
        if (is_read) j->now.queued = queued;
        j->looked = 1;
        announce(j);
    }
    pthread_mutex_unlock(&j->lock);
    return stands;
}

static void do_command(struct jobs *j, struct command *c) {
    enum status st;
    if (c->cancel) st = store_job_cancel(j->clerk_store, c->cancel);
    else st = store_job_enqueue(j->clerk_store, c->kind, c->params, NULL);
    if (c->may_have_ended && st == ERR_MISSING) st = OK;
    pthread_mutex_lock(&j->lock);
    if (st == OK && !c->cancel) { j->now.queued++; j->added++; }
    if (st != OK) {
        j->now.last_status = st;
        copy_text(j->now.last_message, sizeof j->now.last_message, fail_reason());
        j->now.ended++;
    } else if (c->cancel) {
        j->now.ended++;             /* a queued job became a cancelled one */
    }
    pthread_mutex_unlock(&j->lock);
    mem_free(c->params);
    mem_free(c);
}

static void heartbeat(struct jobs *j) {
    struct jobs_now now;
    enum status st;
    int asked = 0;

    pthread_mutex_lock(&j->lock);
    now = j->now;
    pthread_mutex_unlock(&j->lock);
    if (now.id == 0) return;
    /* A busy database is no reason to stop work: its own writes will say so.  A job that another
     * process took over, while this one was suspended, is that one's. */
    st = store_job_heartbeat(j->clerk_store, now.id, j->owner, now.done, now.total, now.what, now.note, &asked);
    if (st == ERR_MISSING) asked = 1;
    else if (st != OK || !asked) return;
    pthread_mutex_lock(&j->lock);
    if (j->now.id == now.id && !j->now.cancelling) {
        j->now.cancelling = 1;
        atomic_store(&j->cancel, 1);
        announce(j);
    }
    pthread_mutex_unlock(&j->lock);
}

static void *clerk_main(void *arg) {
    struct jobs *j = arg;
    double next = 0;

    int is_counted = count_queue(j);
    pthread_mutex_lock(&j->lock);
    while (!j->clerk_stop || j->first) {
        struct command *c = j->first;
        if (c) {
            j->first = c->next;
            if (!j->first) j->last = NULL;
            j->clerk_busy = 1;
            pthread_mutex_unlock(&j->lock);
            do_command(j, c);
            is_counted = count_queue(j);
            pthread_mutex_lock(&j->lock);
            j->clerk_busy = 0;
            announce(j);
            continue;
        }
        if (progress_cancelled(j->outer)) atomic_store(&j->cancel, 1);
        int is_time = clock_s() >= next;
        if (is_time || (!is_counted && !j->claiming)) {
            pthread_mutex_unlock(&j->lock);
            if (is_time) heartbeat(j);
            is_counted = count_queue(j);
            pthread_mutex_lock(&j->lock);
            if (is_time) next = clock_s() + CLERK_S;
            continue;
        }
        wait_until(j, j->outer ? 0.1 : CLERK_S);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* --- the worker --- */

static void on_progress(void *ctx, double done, double total, const char *what, const char *note) {
    struct jobs *j = ctx;
    pthread_mutex_lock(&j->lock);
    int phase = strncmp(j->now.what, what, sizeof j->now.what - 1) != 0;
    if (phase) {
        memset(&j->rate, 0, sizeof j->rate);
        copy_text(j->now.what, sizeof j->now.what, what);
    }
    copy_text(j->now.note, sizeof j->now.note, note ? note : "");
    rate_update(&j->rate, done);
    j->now.done = done;
    j->now.total = total;
    j->now.per_s = j->rate.per_s;
    j->now.eta_s = rate_eta_s(&j->rate, total);
    j->now.elapsed_s = clock_s() - j->started;
    if (phase || clock_s() - j->notified > NOTIFY_S) announce(j);
    pthread_mutex_unlock(&j->lock);
    if (j->outer) {
        progress_report(j->outer, done, total, what, note);
        if (progress_cancelled(j->outer)) atomic_store(&j->cancel, 1);
    }
}

static const struct job_kind *find_kind(const struct jobs *j, const char *name) {
    for (const struct job_kind *k = j->kinds; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

static void begin_job(struct jobs *j, const struct job *job, int was_queued, const struct job_kind *kind) {
    char about[64] = "";
    if (kind && kind->describe) kind->describe(job->params, about, sizeof about);
    pthread_mutex_lock(&j->lock);
    struct jobs_now *n = &j->now;
    n->id = job->id;
    copy_text(n->title, sizeof n->title, job->kind);
    if (about[0]) {
        size_t len = strlen(n->title);
        copy_text(n->title + len, sizeof n->title - len, " ");
        copy_text(n->title + len + 1, sizeof n->title - len - 1, about);
    }
    n->what[0] = n->note[0] = 0;
    n->done = n->total = n->per_s = n->elapsed_s = 0;
    n->eta_s = -1;
    n->cancelling = j->asked == job->id;   /* while it was being claimed */
    j->asked = 0;
    j->claiming = 0;
    if (was_queued && n->queued) n->queued--;
    memset(&j->rate, 0, sizeof j->rate);
    j->started = clock_s();
    atomic_store(&j->cancel, j->stop || n->cancelling);
    announce(j);
    pthread_mutex_unlock(&j->lock);
}

static enum status end_job(struct jobs *j, const struct job *job, enum status st) {
    char message[240], took[16];
    enum job_state state = JOB_FAILED;

    pthread_mutex_lock(&j->lock);
    int leaving = j->stop || progress_cancelled(j->outer);
    double seconds = clock_s() - j->started;
    struct jobs_now now = j->now;
    pthread_mutex_unlock(&j->lock);
    clock_format(took, seconds);
    if (st == OK) {
        state = JOB_DONE;
        copy_text(message, sizeof message, "finished in ");
        copy_text(message + strlen(message), sizeof message - strlen(message), took);
    } else if (st == ERR_CANCELLED) {
        state = leaving ? JOB_INTERRUPTED : JOB_CANCELLED;
        copy_text(message, sizeof message, leaving ? "the program ended; finished parts are kept"
                                                   : "cancelled; finished parts are kept");
    } else {
        copy_text(message, sizeof message, fail_reason());
    }
    store_rollback(j->worker_store);
    /* How far it came, to the unit; when this fails the clerk's last word stands. */
    store_job_heartbeat(j->worker_store, job->id, j->owner, now.done, now.total, now.what, now.note, NULL);
    enum status end = store_job_finish(j->worker_store, job->id, j->owner, state, message);
    if (end == ERR_MISSING || (end != OK && st == OK)) {   /* missing: another process has it now */
        if (st == OK) st = ERR_DB;
        copy_text(message, sizeof message, fail_reason());
    }
    pthread_mutex_lock(&j->lock);
    j->now.last_id = job->id;
    j->now.last_status = st;
    copy_text(j->now.last_message, sizeof j->now.last_message, message);
    j->now.id = 0;
    j->now.ended++;
    announce(j);
    pthread_mutex_unlock(&j->lock);
    return st;
}

static enum status run_job(struct jobs *j, const struct job *job, int was_queued) {
    const struct job_kind *kind = find_kind(j, job->kind);
    struct progress p = { on_progress, j, &j->cancel };
    enum status st;

    begin_job(j, job, was_queued, kind);
    if (kind) st = kind->run(j->worker_store, job->params, j->threads, &p);
    else st = fail(ERR_RANGE, "job %lld: kind '%s' is not one this program can run",
                   (long long)job->id, job->kind);
    return end_job(j, job, st);
}

/* Claims job id (0: the oldest in the queue) and runs it; ERR_MISSING: nothing to run. */
static enum status claim_and_run(struct jobs *j, int64_t id, enum status *how) {
    struct job job;
    pthread_mutex_lock(&j->lock);
    uint64_t added = j->added;
    j->claiming = 1;
    j->claims++;
    pthread_mutex_unlock(&j->lock);
    enum status st = store_job_claim(j->worker_store, id, j->owner, &job);
    if (st != OK) {
        pthread_mutex_lock(&j->lock);
        j->claiming = 0;
        pthread_cond_broadcast(&j->changed);
        if (st == ERR_MISSING && id == 0 && added == j->added && j->now.queued) { j->now.queued = 0; announce(j); }
        if (id != 0) {
            j->now.last_status = st;
            copy_text(j->now.last_message, sizeof j->now.last_message, fail_reason());
            j->now.ended++;
            announce(j);
        }
        pthread_mutex_unlock(&j->lock);
        return st;
    }
    *how = run_job(j, &job, id == 0);
    return OK;
}

static void *worker_main(void *arg) {
    struct jobs *j = arg;
    enum status how;

    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        int64_t id = 0;
        if (j->n_resume) {
            id = j->resume[0];
            memmove(j->resume, j->resume + 1, --j->n_resume * sizeof j->resume[0]);
        } else if (j->now.queued == 0) {
            pthread_cond_wait(&j->changed, &j->lock);
            continue;
        }
        /* Until the claim is through, the job is in no list: id keeps jobs_busy() true. */
        if (id) j->now.id = id;
        j->now.cancelling = 0;
        j->asked = 0;
        pthread_mutex_unlock(&j->lock);
        enum status st = claim_and_run(j, id, &how);
        pthread_mutex_lock(&j->lock);
        if (id && st != OK) { j->now.id = 0; announce(j); }
        if (id == 0 && st != OK && st != ERR_MISSING) wait_until(j, CLERK_S);   /* locked: again later */
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* --- life --- */

static enum status start_thread(pthread_t *t, void *(*fn)(void *), struct jobs *j) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);   /* signals are the interface's business */
    int rc = pthread_create(t, NULL, fn, j);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? fail(ERR_IO, "a worker thread could not be started: %s", strerror(rc)) : OK;
}

static enum status make(struct jobs **out, const struct jobs_options *o) {
    static atomic_int serial;
    enum status st = OK;
    char host[64] = "";
    pthread_condattr_t attr;
    struct jobs *j = mem_array(1, sizeof *j);

    *out = NULL;
    if (!j) return fail(ERR_NOMEM, "jobs: out of memory");
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->changed, &attr);
    pthread_condattr_destroy(&attr);
    j->kinds = o->kinds ? o->kinds : job_kinds;
    j->threads = o->threads;
    j->now.eta_s = -1;
    gethostname(host, sizeof host - 1);
    snprintf(j->owner, sizeof j->owner, "%.60s:%ld:%d", host, (long)getpid(),
             atomic_fetch_add(&serial, 1));
    TRY_TO(store_open(&j->worker_store, o->db, STORE_WRITE));
    TRY_TO(store_open(&j->clerk_store, o->db, STORE_WRITE));
    *out = j;
    j = NULL;
done:
    jobs_close(j);
    return st;
}

enum status jobs_open(struct jobs **out, const struct jobs_options *o) {
    enum status st;
    struct jobs *j = NULL;

    *out = NULL;
    TRY(make(&j, o));
    TRY_TO(start_thread(&j->clerk, clerk_main, j));
    j->has_clerk = 1;
    TRY_TO(start_thread(&j->worker, worker_main, j));
    j->has_worker = 1;
    *out = j;
    j = NULL;
done:
    jobs_close(j);
    return st;
}

void jobs_close(struct jobs *j) {
    if (!j) return;
    pthread_mutex_lock(&j->lock);
    j->stop = 1;
    j->on_change = NULL;
    atomic_store(&j->cancel, 1);
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
    if (j->has_worker) pthread_join(j->worker, NULL);
    pthread_mutex_lock(&j->lock);
    j->clerk_stop = 1;
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
    if (j->has_clerk) pthread_join(j->clerk, NULL);
    store_close(j->worker_store);
    store_close(j->clerk_store);
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
}

struct jobs_now jobs_snapshot(struct jobs *j) {
    struct jobs_now now;
    if (!j) {
        memset(&now, 0, sizeof now);
        return now;
    }
    pthread_mutex_lock(&j->lock);
    now = j->now;
    if (now.id) now.elapsed_s = clock_s() - j->started;
    pthread_mutex_unlock(&j->lock);
    return now;
}

static int busy(const struct jobs *j) {
    return j->now.id || j->now.queued || j->n_resume || j->first || j->clerk_busy || j->claiming || !j->looked;
}

int jobs_busy(struct jobs *j) {
    if (!j) return 0;
    pthread_mutex_lock(&j->lock);
    int b = busy(j);
    pthread_mutex_unlock(&j->lock);
    return b;
}

/* Something was asked for, and no job runs yet. */
static int starting(const struct jobs *j) { return j->now.id == 0 && (j->now.queued || j->n_resume || j->first || j->clerk_busy || j->claiming); }

static int wait_while(struct jobs *j, int (*holds)(const struct jobs *j), double seconds) {
    if (!j) return 0;
    double end = clock_s() + seconds;
    pthread_mutex_lock(&j->lock);
    int b;
    while ((b = holds(j)) != 0 && clock_s() < end) {
        double left = end - clock_s();
        if (left > 0) wait_until(j, left < 1 ? left : 1);
    }
    pthread_mutex_unlock(&j->lock);
    return b;
}

int jobs_wait(struct jobs *j, double seconds) { return wait_while(j, busy, seconds); }

/* The queue may not have been looked at yet: that is waited for, and no reason to say that something starts. */
static int is_unsettled(const struct jobs *j) { return starting(j) || !j->looked; }

int jobs_settle(struct jobs *j, double seconds) {
    if (!j || !wait_while(j, is_unsettled, seconds)) return 0;
    pthread_mutex_lock(&j->lock);
    int b = starting(j);
    pthread_mutex_unlock(&j->lock);
    return b;
}

void jobs_on_change(struct jobs *j, void (*fn)(void *ctx), void *ctx) {
    if (!j) return;
    pthread_mutex_lock(&j->lock);
    j->on_change = fn;
    j->ctx = ctx;
    pthread_mutex_unlock(&j->lock);
}

/* --- requests --- */

static void push(struct jobs *j, struct command *c) {
    pthread_mutex_lock(&j->lock);
    if (j->last) j->last->next = c;
    else j->first = c;
    j->last = c;
    announce(j);
    pthread_mutex_unlock(&j->lock);
}

static enum status no_jobs(void) { return fail(ERR_MISSING, "jobs: nothing can be computed here"); }

enum status jobs_add(struct jobs *j, const char *kind, const char *params) {
    if (!j) return no_jobs();
    if (!find_kind(j, kind)) return fail(ERR_RANGE, "there is no job of kind '%s'", kind);
    struct job size;
    if (strlen(params) >= sizeof size.params)
        return fail(ERR_RANGE, "the parameters of a job are %zu characters long, at most %zu fit",
                    strlen(params), sizeof size.params - 1);
    struct command *c = mem_array(1, sizeof *c);
    if (c) c->params = mem_copy_string(params);
    if (!c || !c->params) {
        mem_free(c);
        return fail(ERR_NOMEM, "jobs: out of memory");
    }
    copy_text(c->kind, sizeof c->kind, kind);
    push(j, c);
    return OK;
}

enum status jobs_cancel(struct jobs *j, int64_t id) {
    if (!j) return no_jobs();
    pthread_mutex_lock(&j->lock);
    int running = id == j->now.id && id != 0, waited = 0;
    for (size_t i = 0; i < j->n_resume && !waited; i++) {
        if (j->resume[i] != id) continue;
        memmove(j->resume + i, j->resume + i + 1, (--j->n_resume - i) * sizeof j->resume[0]);
        waited = 1;
    }
    if (running && !j->now.cancelling) {
        j->now.cancelling = 1;
        j->asked = id;
        atomic_store(&j->cancel, 1);
        announce(j);
    }
    pthread_mutex_unlock(&j->lock);
    if (running) return OK;
    struct command *c = mem_array(1, sizeof *c);
    if (!c) return fail(ERR_NOMEM, "jobs: out of memory");
    c->cancel = id;
    c->may_have_ended = waited;
    push(j, c);
    return OK;
}

/* With the lock held. */
static int is_resuming(const struct jobs *j, int64_t id) {
    for (size_t i = 0; i < j->n_resume; i++)
        if (j->resume[i] == id) return 1;
    return 0;
}

int jobs_is_resuming(struct jobs *j, int64_t id) {
    if (!j) return 0;
    pthread_mutex_lock(&j->lock);
    int is = is_resuming(j, id);
    pthread_mutex_unlock(&j->lock);
    return is;
}

enum status jobs_resume(struct jobs *j, int64_t id) {
    enum status st = OK;
    if (!j) return no_jobs();
    pthread_mutex_lock(&j->lock);
    int known = j->now.id == id || is_resuming(j, id);
    if (!known && j->n_resume == RESUMES) {
        st = fail(ERR_RANGE, "%d jobs wait to be resumed already", RESUMES);
    } else if (!known) {
        j->resume[j->n_resume++] = id;
        announce(j);
    }
    pthread_mutex_unlock(&j->lock);
    return st;
}

/* --- without a screen --- */

static enum status list_interrupted(struct jobs *j) {
    struct job_list list = { NULL, 0 };
    TRY(store_jobs_list(j->worker_store, &list));
    for (size_t i = list.count; i > 0; i--)   /* oldest first */
        if (list.job[i - 1].state == JOB_INTERRUPTED && j->n_resume < RESUMES)
            j->resume[j->n_resume++] = list.job[i - 1].id;
    job_list_free(&list);
    return OK;
}

enum status jobs_run_queue(const struct jobs_options *o, int interrupted, const struct progress *p,
                           size_t *ran) {
    enum status st = OK, first = OK, how = OK;
    char reason[240] = "";
    struct jobs *j = NULL;

    *ran = 0;
    TRY(make(&j, o));
    j->outer = p;
    if (interrupted) TRY_TO(list_interrupted(j));
    TRY_TO(start_thread(&j->clerk, clerk_main, j));
    j->has_clerk = 1;
    for (size_t i = 0; !progress_cancelled(p);) {
        int64_t id = i < j->n_resume ? j->resume[i] : 0;
        i++;
        st = claim_and_run(j, id, &how);
        if (st == ERR_MISSING) {
            st = OK;
            if (id == 0) break;
            continue;     /* somebody else took it meanwhile */
        }
        if (st != OK) goto done;
        ++*ran;
        if (how != OK && how != ERR_CANCELLED && first == OK) {
            first = how;
            copy_text(reason, sizeof reason, jobs_snapshot(j).last_message);
        }
    }
    if (progress_cancelled(p)) st = fail(ERR_CANCELLED, "stopped; `dtrak work %s` continues", o->db);
    else if (first != OK) st = fail(first, "%s", reason);
done:
    jobs_close(j);
    return st;
}
