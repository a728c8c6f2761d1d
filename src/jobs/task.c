/* task.c - the thread behind task.h. */
#include "dtrak/task.h"

#include "dtrak/mem.h"
#include "dtrak/store_until.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct task {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int has_ended;
    enum status status;
    char message[400];
    char *db;
    enum status (*run)(struct store *s, void *work, const struct progress *p);
    void *work;
    atomic_int cancel;
    _Atomic double part;
    void (*on_change)(void *ctx);
    void *ctx;
};

static void note_part(void *ctx, double done, double total, const char *what, const char *note) {
    struct task *t = ctx;
    (void)what;
    (void)note;
    if (total > 0) atomic_store(&t->part, done / total);
}

static void *main_of(void *arg) {
    struct task *t = arg;
    struct progress p = { note_part, t, &t->cancel };
    struct store *s = NULL;
    enum status st = store_open_until(&s, t->db, STORE_READ, &t->cancel);
    if (st == OK) st = t->run(s, t->work, &p);
    if (st == ERR_DB && progress_cancelled(&p)) st = progress_check(&p);   /* it would have waited for a lock */
    t->status = st;
    if (st != OK) snprintf(t->message, sizeof t->message, "%s", fail_reason());
    store_close(s);
    pthread_mutex_lock(&t->lock);
    t->has_ended = 1;
    pthread_cond_signal(&t->ended);
    if (t->on_change) t->on_change(t->ctx);
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void release(struct task *t) {
    pthread_cond_destroy(&t->ended);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->db);
    mem_free(t);
}

enum status task_start(struct task **out, const char *db, enum status (*run)(struct store *s, void *work, const struct progress *p),
                       void *work, void (*on_change)(void *ctx), void *ctx) {
    sigset_t all, old;
    pthread_condattr_t attr;
    *out = NULL;
    struct task *t = mem_array(1, sizeof *t);
    if (!t || !(t->db = mem_copy_string(db))) {
        mem_free(t);
        return fail(ERR_NOMEM, "task: out of memory");
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->ended, &attr);
    pthread_condattr_destroy(&attr);
    t->run = run;
    t->work = work;
    t->on_change = on_change;
    t->ctx = ctx;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&t->thread, NULL, main_of, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        release(t);
        return fail(ERR_IO, "a thread could not be started: %s", strerror(rc));
    }
    *out = t;
    return OK;
}

void task_on_change(struct task *t, void (*fn)(void *ctx), void *ctx) {
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->on_change = fn;
    t->ctx = ctx;
    pthread_mutex_unlock(&t->lock);
}

int task_wait(struct task *t, double seconds) {
    struct timespec until;
    if (!t) return 1;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double whole = floor(seconds), part = (seconds - whole) * 1e9 + (double)until.tv_nsec;
    until.tv_sec += (time_t)whole + (part >= 1e9);
    until.tv_nsec = (long)(part >= 1e9 ? part - 1e9 : part);
    pthread_mutex_lock(&t->lock);
    while (!t->has_ended && pthread_cond_timedwait(&t->ended, &t->lock, &until) == 0) {}
    int ended = t->has_ended;
    pthread_mutex_unlock(&t->lock);
    return ended;
}

double task_part(struct task *t) { return t ? atomic_load(&t->part) : 0; }

void task_cancel(struct task *t) {
    if (t) atomic_store(&t->cancel, 1);
}

enum status task_end(struct task *t) {
    if (!t) return OK;
    pthread_join(t->thread, NULL);
    enum status st = t->status;
    if (st != OK) fail(st, "%s", t->message);
    release(t);
    return st;
}
