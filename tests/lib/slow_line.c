/* slow_line.c - two queues of bytes with times, moved by a thread.  See slow_line.h. */
#include "slow_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 512

/* Bytes that arrive at `due`. */
struct chunk { struct chunk *next; double due; size_t len, at; char bytes[CHUNK]; };

struct way { struct chunk *first, *last; double free_at; };   /* free_at: when the line has sent all so far */

/* Pictures in a stream of bytes, counted as they pass. */
struct passing { char last; int inside; size_t bytes; };

struct slow_line {
    int master, near, far;          /* near: the thread's end of the socket pair, far: the terminal's */
    double rate, delay;
    struct way down, up;
    struct passing in, out;
    size_t queued;
    pthread_t thread;
    pthread_mutex_t lock;
    struct slow_line_most most;
    double given_at;                /* to the program, last; 0: nothing yet */
    atomic_int is_over;
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void pass(struct passing *p, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (p->inside) {
            p->bytes++;
            if (p->last == '\033' && c == '\\') p->inside = 0;
        } else if (p->last == '\033' && c == 'P') {
            p->inside = 1;
            p->bytes += 2;
        }
        p->last = c;
    }
}

static void measure(struct slow_line *l) {
    size_t bytes = l->in.bytes - l->out.bytes;
    pthread_mutex_lock(&l->lock);
    if (l->queued > l->most.bytes) l->most.bytes = l->queued;
    if (bytes > l->most.picture_bytes) l->most.picture_bytes = bytes;
    pthread_mutex_unlock(&l->lock);
}

static void measure_pause(struct slow_line *l) {
    double now = now_s();
    pthread_mutex_lock(&l->lock);
    if (l->given_at > 0 && now - l->given_at > l->most.pause_s) l->most.pause_s = now - l->given_at;
    l->given_at = now;
    pthread_mutex_unlock(&l->lock);
}

/* A chunk from fd; 0 at the end. */
static int take(struct way *w, int fd, double rate, double delay, size_t *len, const char **bytes) {
    struct chunk *c = calloc(1, sizeof *c);
    if (!c) abort();
    ssize_t n = read(fd, c->bytes, CHUNK);
    if (n <= 0) {
        free(c);
        *len = 0;
        return n < 0 && (errno == EINTR || errno == EAGAIN);
    }
    double now = now_s();
    if (w->free_at < now) w->free_at = now;
    if (rate > 0) w->free_at += (double)n / rate;
    c->due = w->free_at + delay;
    c->len = (size_t)n;
    if (w->last) w->last->next = c;
    else w->first = c;
    w->last = c;
    *len = c->len;
    *bytes = c->bytes;
    return 1;
}

/* Hands on what is due; 0 when the other side is gone. */
static int give(struct way *w, int fd, size_t *len, char bytes[CHUNK]) {
    struct chunk *c = w->first;
    *len = 0;
    if (!c || c->due > now_s()) return 1;
    ssize_t n = write(fd, c->bytes + c->at, c->len - c->at);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    memcpy(bytes, c->bytes + c->at, (size_t)n);
    *len = (size_t)n;
    c->at += (size_t)n;
    if (c->at < c->len) return 1;
    w->first = c->next;
    if (!w->first) w->last = NULL;
    free(c);
    return 1;
}

static int until_due(const struct slow_line *l) {
    double now = now_s(), wait = .02;
    if (l->down.first && l->down.first->due - now < wait) wait = l->down.first->due - now;
    if (l->up.first && l->up.first->due - now < wait) wait = l->up.first->due - now;
    return wait <= 0 ? 0 : (int)(wait * 1e3) + 1;
}

static void *run(void *ctx) {
    struct slow_line *l = ctx;
    int program = 1;
    while (!atomic_load(&l->is_over)) {
        struct pollfd p[2] = { { l->master, POLLIN, 0 }, { l->near, POLLIN, 0 } };
        char moved[CHUNK];
        const char *bytes = NULL;
        size_t len;
        if (!program) p[0].fd = -1;
        poll(p, 2, until_due(l));
        if (p[0].revents) {
            program = take(&l->down, l->master, l->rate, l->delay, &len, &bytes);
            if (len) pass(&l->in, bytes, len);
            l->queued += len;
            measure(l);
        }
        if (p[1].revents && !take(&l->up, l->near, 0, l->delay, &len, &bytes)) break;
        if (!give(&l->up, l->master, &len, moved)) program = 0;
        if (len) measure_pause(l);
        if (!give(&l->down, l->near, &len, moved)) break;
        pass(&l->out, moved, len);
        l->queued -= len;
        if (!program && !l->down.first) break;
    }
    shutdown(l->near, SHUT_RDWR);
    return NULL;
}

struct slow_line *slow_line_new(int master, double bytes_per_s, int one_way_ms, int *end) {
    struct slow_line *l = calloc(1, sizeof *l);
    int pair[2];
    if (!l || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) abort();
    l->master = master;
    l->near = pair[0];
    l->far = *end = pair[1];
    l->rate = bytes_per_s;
    l->delay = one_way_ms / 1e3;
    pthread_mutex_init(&l->lock, NULL);
    if (pthread_create(&l->thread, NULL, run, l) != 0) abort();
    return l;
}

static void drop(struct way *w) {
    while (w->first) {
        struct chunk *c = w->first;
        w->first = c->next;
        free(c);
    }
}

void slow_line_free(struct slow_line *l) {
    if (!l) return;
    atomic_store(&l->is_over, 1);
    pthread_join(l->thread, NULL);
    close(l->near);
    close(l->far);
    drop(&l->down);
    drop(&l->up);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct slow_line_most slow_line_most(struct slow_line *l) {
    pthread_mutex_lock(&l->lock);
    struct slow_line_most m = l->most;
    pthread_mutex_unlock(&l->lock);
    return m;
}

void slow_line_reset(struct slow_line *l) {
    pthread_mutex_lock(&l->lock);
    memset(&l->most, 0, sizeof l->most);
    l->given_at = 0;
    pthread_mutex_unlock(&l->lock);
}
