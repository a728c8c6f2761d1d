/* projection.c - the speed of the projections beside what this machine's sgemm
 * reaches, in one run: the best of several repeats, taken in turns with sgemm.
 * One thread is timed in processor time, which other work on the machine takes
 * nothing from; several threads in real time. */
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/projection.h"
#include "dtrak/random_matrix.h"
#include "dtrak/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *need(void *p) {
    if (!p) exit(1);
    return p;
}
static float *normal(size_t n) {
    float *x = need(mem_array(n, sizeof *x));
    rng_normal(x, n, 1, RNG_TEST, 0, 0);
    return x;
}

static double seconds(size_t threads) {
    struct timespec t;
    if (threads > 1) return clock_s();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* GFLOP/s of one sgemm of 1536, on `threads` threads. */
static double sgemm(size_t threads) {
    enum { N = 1536 };
    static float *a, *c;
    if (!a) {
        a = normal((size_t)N * N);
        c = normal((size_t)N * N);
    }
    linalg_set_threads((int)threads);
    double t = seconds(threads);
    if (linalg_gemm_f32(0, 0, N, N, N, 1, a, N, a, N, 0, c, N) != OK) exit(1);
    t = seconds(threads) - t;
    linalg_set_threads(1);
    return 2.0 * N * N * N / t * 1e-9;
}

struct run { struct projection_work *w; const float *x; size_t p; };
static void add_row(void *ctx, size_t row, size_t thread) {
    const struct run *r = ctx;
    projection_add(r->w, thread, row, 0, r->x, r->p, 1);
}

struct maps { struct projector *pr; struct projection_work *w; struct pool *pool; float *out; };
static struct maps open_maps(struct projection proj, size_t threads, size_t rows) {
    struct maps m;
    proj.version = PROJECTION_VERSION;
    if (projector_new(&m.pr, &proj, NULL) != OK || pool_new(&m.pool, threads) != OK ||
        projection_work_new(&m.w, m.pr, threads, rows, rows * proj.p * sizeof(float)) != OK) exit(1);
    m.out = need(mem_array(rows * proj.k, sizeof *m.out));
    return m;
}
static void close_maps(struct maps *m) {
    projection_work_free(m->w);
    projector_free(m->pr);
    pool_free(m->pool);
    mem_free(m->out);
}

/* Coordinates of half a second's work or less, so that some repeats are undisturbed;
 * but whole slabs, without which reading and writing the outputs is not shared out.
 * Gathering is counted: it is part of what a gradient costs. */
static void dense(enum projection_kind kind, size_t rows, uint32_t k, size_t threads) {
    size_t p = 2048 + (size_t)1e9 / (2 * rows * k) / 2048 * 2048;
    int repeats = p * rows * k > 2000000000 ? 10 : 30;
    struct maps m = open_maps((struct projection){ .kind = kind, .seed = 1, .p = p, .k = k }, threads, rows);
    float *x = normal(p);
    struct run r = { m.w, x, p };
    double best = 0, peak = 0;
    for (int i = 0; i < repeats; i++) {
        double g = sgemm(threads), t = seconds(threads);
        projection_begin(m.w, rows, m.out);
        pool_run(m.pool, rows, add_row, &r);
        projection_finish(m.w, m.pool, NULL);
        t = 2.0 * (double)(p * rows) * k / (seconds(threads) - t) * 1e-9;
        if (t > best) best = t;
        if (g > peak) peak = g;
    }
    printf("%-10s  %3zu gradients, k %5u, %zu thread%s  %7.1f GFLOP/s  sgemm %7.1f  %5.1f %%\n", projection_kind_name(kind),
           rows, k, threads, threads > 1 ? "s" : " ", best, peak, 100 * best / peak);
    fflush(stdout);
    mem_free(x);
    close_maps(&m);
}

/* A gradient in pieces as a network of 32 or 64 base channels hands them over. */
static void streamed(enum projection_kind kind, uint32_t k, uint32_t s, size_t p, size_t piece) {
    struct maps m = open_maps((struct projection){ .kind = kind, .seed = 1, .p = p, .k = k, .s = s }, 1, 1);
    float *x = normal(piece);
    double best = 1e9;
    for (int i = 0; i < 15; i++) {
        double t = seconds(1);
        projection_begin(m.w, 1, m.out);
        for (size_t at = 0; at < p; at += piece) projection_add(m.w, 0, 0, at, x, p - at < piece ? p - at : piece, 1);
        projection_finish(m.w, NULL, NULL);
        t = seconds(1) - t;
        if (t < best) best = t;
    }
    printf("%s, s %u, %.1f M coordinates in pieces of %zu, k %5u, 1 thread: %.2f G elements/s\n",
           projection_kind_name(kind), s, (double)p * 1e-6, piece, k, (double)p / best * 1e-9);
    fflush(stdout);
    mem_free(x);
    close_maps(&m);
}

int main(void) {
    static const size_t rows[] = { 8, 32, 64, 128 };
    struct pool *pool;
    if (pool_new(&pool, 0) != OK) return 1;
    size_t threads = pool_threads(pool);
    pool_free(pool);
    printf("panels: %s; OpenBLAS: %s\n", random_matrix_best()->name, linalg_core_name());
    for (int size = 0; size < 2; size++)
        for (uint32_t k = 4096; k <= 65536; k *= 16) {
            streamed(PROJECTION_SJLT, k, 1, size ? 5000000 : 1200000, size ? 147456 : 36864);
            streamed(PROJECTION_SJLT, k, 4, size ? 5000000 : 1200000, size ? 147456 : 36864);
            streamed(PROJECTION_SRHT, k, 0, size ? 5000000 : 1200000, size ? 147456 : 36864);
        }
    for (size_t t = 1; t <= threads; t += threads > 1 ? threads - 1 : 1)
        for (int kind = PROJECTION_RADEMACHER; kind <= PROJECTION_GAUSSIAN; kind++) {
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) dense((enum projection_kind)kind, rows[i], 4096, t);
            dense((enum projection_kind)kind, 64, 1024, t);
            dense((enum projection_kind)kind, 64, 65536, t);
        }
    return 0;
}
