#include "dtrak/pool.h"

#include "dtrak/mem.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct worker { struct pool *pool; size_t index; pthread_t thread; };

struct pool {
    size_t threads, started;
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    unsigned long round;      /* counts pool_run() calls */
    size_t busy;              /* helpers still in the current round */
    int stop;
    void (*fn)(void *, size_t, size_t);
    void *ctx;
    size_t count;
    atomic_size_t next;
};

static void work(struct pool *p, size_t index) {
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) p->fn(p->ctx, i, index);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    struct pool *p = w->pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->round == seen) pthread_cond_wait(&p->wake, &p->lock);
        if (p->stop) break;
        seen = p->round;
        pthread_mutex_unlock(&p->lock);
        work(p, w->index);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0) pthread_cond_signal(&p->idle);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static size_t usable_processors(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (size_t)n;
}

/* Signals are the business of the thread that makes the pool. */
static int start_workers(struct pool *p) {
    sigset_t all, old;
    int good = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (size_t i = 1; i < p->threads && good; i++) {
        p->workers[i].pool = p;
        p->workers[i].index = i;
        good = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]) == 0;
        p->started += (size_t)good;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return good;
}

enum status pool_new(struct pool **out, size_t threads) {
    *out = NULL;
    if (!threads) threads = usable_processors();
    struct pool *p = mem_array(1, sizeof *p);
    if (!p) return fail(ERR_NOMEM, "threads: out of memory");
    p->workers = mem_array(threads, sizeof *p->workers);
    if (!p->workers) { mem_free(p); return fail(ERR_NOMEM, "threads: out of memory"); }
    p->threads = threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->idle, NULL);
    if (!start_workers(p)) {
        size_t n = p->started + 2;
        pool_free(p);
        return fail(ERR_IO, "cannot start thread %zu of %zu", n, threads);
    }
    *out = p;
    return OK;
}

void pool_free(struct pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 1; i <= p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->idle);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->workers);
    mem_free(p);
}

size_t pool_threads(const struct pool *p) { return p ? p->threads : 1; }

void pool_run(struct pool *p, size_t count,
              void (*fn)(void *ctx, size_t piece, size_t thread), void *ctx) {
    if (!p || p->threads == 1 || count == 1) {
        for (size_t i = 0; i < count; i++) fn(ctx, i, 0);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->ctx = ctx;
    p->count = count;
    atomic_store(&p->next, 0);
    p->busy = p->started;
    p->round++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    work(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy) pthread_cond_wait(&p->idle, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
