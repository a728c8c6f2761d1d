/* ridge.c - the ridge's speed beside what this machine's sgemm reaches, in one run.
 *
 *   bench/ridge          a small problem, some seconds: part of `make bench`
 *   bench/ridge full     the sizes that results.md tells of: n = 5,000 and 50,000, k = 4,096
 *   bench/ridge full steps|sweep|products   one of its parts
 *   bench/ridge memory   50,000 x 4,096 from rows that are made as they are read: the peak of memory
 *   PYTHON=python3 bench/ridge ...   also the same sweep by explicit inverses in NumPy
 *
 * Features are synthetic: directions of falling strength, as gradients have them.
 * Times are the least of the repeats, and sgemm is measured again beside each.  On a
 * busy machine real time says little, so processor time of all threads, divided by
 * their number, stands beside it: what an idle machine would take. */
#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/ridge.h"
#include "dtrak/ridge_steps.h"
#include "dtrak/rng.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct pool *pool;

static void check(enum status st) {
    if (st == OK) return;
    fprintf(stderr, "bench: %s\n", fail_reason());
    exit(1);
}

/* Processor seconds of all threads over their number. */
static double work_s(void) { return (double)clock() / CLOCKS_PER_SEC / (double)pool_threads(pool); }

static double least(double a, double b) { return a < b ? a : b; }

static void *need(void *p) {
    if (!p) check(fail(ERR_NOMEM, "out of memory"));
    return p;
}

/* GFLOP/s of sgemm on all threads, by processor time. */
static double sgemm_peak(void) {
    enum { N = 2048 };
    float *a = need(mem_array(N * N, sizeof *a)), *b = need(mem_array(N * N, sizeof *b)), *c = need(mem_array(N * N, sizeof *c));
    for (size_t i = 0; i < N * N; i++) a[i] = b[i] = (float)(i % 97) / 97;
    int before = linalg_set_threads((int)pool_threads(pool));
    double best = 0;
    for (int i = 0; i < 6; i++) {
        double t = work_s();
        check(linalg_gemm_f32(0, 0, N, N, N, 1, a, N, b, N, 0, c, N));
        double g = 2.0 * N * N * N / (work_s() - t) * 1e-9;
        if (g > best) best = g;
    }
    linalg_set_threads(before);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    return best;
}

/* Column j has strength (1 + j)^-decay; a Gaussian mixing is not needed, since no
 * code here looks at the axes. */
static float *features(size_t n, size_t k, uint32_t what, double decay) {
    float *x = need(mem_array(n * k, sizeof *x)), *size = need(mem_array(k, sizeof *size));
    for (size_t j = 0; j < k; j++) size[j] = (float)pow(1 + (double)j, -decay);
    for (size_t i = 0; i < n; i++) {
        rng_normal(x + i * k, k, 5, RNG_TEST, what, (uint32_t)i);
        for (size_t j = 0; j < k; j++) x[i * k + j] *= size[j];
    }
    mem_free(size);
    return x;
}

/* One query: what a first answer takes, and a step of lambda from then on. */
static void steps(size_t n, size_t k, double decay) {
    float *phi = features(n, k, 1, decay), *g = features(1, k, 2, decay);
    struct ridge_steps *s;
    double *scores = need(mem_array(n, sizeof *scores)), trace = 0, error, t = clock_s();
    for (size_t i = 0; i < n * k; i++) trace += (double)phi[i] * (double)phi[i];
    printf("one query, %zu x %zu (%.0f MB of float32 in memory), strength j^-%g\n", n, k, 4e-6 * (double)(n * k), decay);
    check(ridge_steps_new(&s, phi, n, k, g, pool));
    for (int e = -1; e >= -6; e--) {
        double l = lambda_to_absolute(pow(10, e), trace, n), warm, real, c, step = 1e9;
        t = clock_s();
        c = work_s();
        check(ridge_steps_scores(s, l, 1e-5, 1000, scores, &error, NULL));
        warm = work_s() - c;
        real = clock_s() - t;
        for (int i = 0; i < 5; i++) {
            t = clock_s();
            check(ridge_steps_scores(s, l * (1 + .1 * i), 1e-5, 1000, scores, &error, NULL));
            step = least(step, clock_s() - t);
        }
        printf("  lambda 1e%d: %4zu vectors, %5.2f s more (real %5.2f), then %5.2f ms a step; bound %.1e\n", e, ridge_steps_size(s),
               warm, real, 1e3 * step, error);
    }
    fflush(stdout);
    ridge_steps_free(s);
    mem_free(phi);
    mem_free(g);
    mem_free(scores);
}

/* The rows in a database, as float16, and the same products from there. */
struct stored { struct store *s; struct feature_set set; };
static enum status read_stored(void *ctx, size_t first, size_t count, float *out) {
    struct stored *f = ctx;
    return store_features_read(f->s, &f->set, first, count, out);
}

static void fill_database(struct stored *f, const char *path, const float *phi, size_t n, size_t k) {
    struct project p = { .name = "bench", .width = 4, .height = 4, .channels = 1, .patch = 1, .value_low = -1, .value_high = 1 };
    struct checkpoint c = { .step = 1, .percent = 100, .train_loss = NAN, .config = "{}" };
    struct checkpoint_list l;
    int64_t id;
    remove(path);
    check(store_create(&f->s, path));
    check(store_project_set(f->s, &p));
    check(store_publish(f->s));
    check(store_checkpoint_add(f->s, &c, "weights", 7, &id));
    check(store_checkpoints_resolve(f->s, NULL, &l));
    struct feature_identity i = { .split = SPLIT_TRAIN, .loss = "square", .timesteps = 10, .rule = "uniform",
                                  .projection = "sjlt", .k = k, .nonzeros = 1, .version = 1 };
    memcpy(i.checkpoint_sha256, l.checkpoint[0].sha256, sizeof i.checkpoint_sha256);
    checkpoint_list_free(&l);
    check(store_feature_set_ensure(f->s, &i, n, 64, NULL, NULL, &f->set));
    for (size_t b = 0; b * 64 < n; b++) check(store_feature_block_put(f->s, &f->set, b, phi + b * 64 * k));
}

static void from_database(struct ridge *r, const float *phi, size_t n, size_t k, struct ridge_block *b, double peak) {
    struct stored f;
    const char *path = "/tmp/dtrak-bench.db";
    fill_database(&f, path, phi, n, k);
    struct rows rows = { n, k, read_stored, &f, NULL };
    struct ridge *s;
    double *values = need(mem_array(ridge_rank(r), sizeof *values)), best = 1e9, real = 1e9;
    double *vectors = need(mem_array(ridge_rank(r) * k, sizeof *vectors));
    memcpy(values, ridge_eigenvalues(r), ridge_rank(r) * sizeof *values);
    memcpy(vectors, ridge_vectors(r), ridge_rank(r) * k * sizeof *vectors);
    check(ridge_new_basis(&s, vectors, values, ridge_rank(r), 1, n, k, ridge_trace(r), &rows));
    for (int i = 0; i < 2; i++) {
        double t = clock_s(), c = work_s();
        check(ridge_score_block(s, b, NULL));
        real = least(real, clock_s() - t);
        best = least(best, work_s() - c);
    }
    double useful = 2.0 * (double)n * (double)k * (double)b->M;
    printf("  the same from float16 in a database: %.2f s (real %.2f), %.0f %%\n", best, real, 100 * useful / best * 1e-9 / peak);
    ridge_free(s);
    store_close(f.s);
    remove(path);
}

static void products(size_t n, size_t k, size_t M) {
    float *phi = features(n, k, 1, .5), *g = features(M, k, 2, .5);
    struct rows_memory memory = { phi, k };
    struct rows rows = rows_in_memory(&memory, n);
    struct ridge *r;
    linalg_set_threads((int)pool_threads(pool));
    double t = clock_s();
    check(ridge_new_rows(&r, &rows, NULL));
    printf("%zu x %zu: Gram and eigenbasis %.1f s\n", n, k, clock_s() - t);
    double *coords = need(mem_array(M * ridge_rank(r), sizeof *coords)), lambda;
    t = clock_s();
    check(ridge_query_rows(r, &rows, g, M, coords, NULL));
    double locate = clock_s() - t;
    float *out = need(mem_array(M * n, sizeof *out));
    check(lambda_auto(&lambda, ridge_eigenvalues(r), ridge_rank(r), n, k));
    struct ridge_block b = { coords, M, &lambda, 1, out, pool };
    double best = 1e9, real = 1e9, peak = 0;
    for (int i = 0; i < 3; i++) {
        double p = sgemm_peak(), c = work_s();
        t = clock_s();
        check(ridge_score_block(r, &b, NULL));
        real = least(real, clock_s() - t);
        best = least(best, work_s() - c);
        if (p > peak) peak = p;
    }
    double useful = 2.0 * (double)n * (double)k * (double)M;
    printf("%zu queries x %zu x %zu: %.2f s (real %.2f; + coordinates, real %.2f), %.1f GFLOP/s of sgemm's %.1f: %.0f %%\n", M,
           n, k, best, real, locate, useful / best * 1e-9, peak, 100 * useful / best * 1e-9 / peak);
    if (ridge_is_primal(r)) from_database(r, phi, n, k, &b, peak);
    fflush(stdout);
    linalg_set_threads(1);
    ridge_free(r);
    mem_free(phi);
    mem_free(g);
    mem_free(coords);
    mem_free(out);
}

/* All of it: Gram, eigenbasis, coordinates, and M queries' scores at the 27 lambdas. */
static void sweep(size_t n, size_t k, size_t M) {
    float *phi = features(n, k, 1, .5), *g = features(M, k, 2, .5);
    struct rows_memory memory = { phi, k };
    struct rows rows = rows_in_memory(&memory, n);
    struct ridge *r;
    double lambda[LAMBDA_GRID_COUNT], peak = sgemm_peak(), real = clock_s(), start = work_s(), t;
    float *out = need(mem_array(9 * M * n, sizeof *out));
    linalg_set_threads((int)pool_threads(pool));
    check(ridge_new_rows(&r, &rows, NULL));
    double made = work_s() - start;
    double *coords = need(mem_array(M * ridge_rank(r), sizeof *coords));
    check(ridge_query_rows(r, &rows, g, M, coords, NULL));
    t = work_s();
    for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++) lambda[i] = lambda_to_absolute(lambda_grid(i), ridge_trace(r), n);
    for (size_t i = 0; i < LAMBDA_GRID_COUNT; i += 9) {
        struct ridge_block b = { coords, M, lambda + i, 9, out, pool };
        check(ridge_score_block(r, &b, NULL));
    }
    double end = work_s();
    printf("sweep of 27 lambdas, %zu x %zu, %zu queries: %.1f s in all (real %.1f; Gram and eigenbasis %.1f, scores %.1f; sgemm %.0f"
           " GFLOP/s)\n", n, k, M, end - start, clock_s() - real, made, end - t, peak);
    fflush(stdout);
    linalg_set_threads(1);
    ridge_free(r);
    mem_free(phi);
    mem_free(g);
    mem_free(coords);
    mem_free(out);
}

static enum status read_made(void *ctx, size_t first, size_t count, float *out) {
    size_t k = *(const size_t *)ctx;
    for (size_t i = 0; i < count; i++) {
        uint64_t x = (first + i) * 0x9e3779b97f4a7c15u;
        for (size_t j = 0; j < k; j++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            out[i * k + j] = ((float)(x >> 40) * 0x1p-24f - .5f) / (float)(1 + j / 64);
        }
    }
    return OK;
}

/* Gram, eigenbasis, coordinates and 256 queries' scores, and what the process took at most. */
static void memory_peak(void) {
    size_t n = 50000, k = 4096, M = 256;
    struct rows rows = { n, k, read_made, &k, NULL };
    struct ridge *r;
    struct rusage u;
    float *g = need(mem_array(M * k, sizeof *g)), *out = need(mem_array(M * n, sizeof *out));
    double *coords = need(mem_array(M * k, sizeof *coords)), lambda, t = clock_s(), c = work_s();
    check(read_made(&k, n, M, g));
    linalg_set_threads((int)pool_threads(pool));
    check(ridge_new_rows(&r, &rows, NULL));
    check(ridge_query_rows(r, &rows, g, M, coords, NULL));
    check(lambda_auto(&lambda, ridge_eigenvalues(r), ridge_rank(r), n, k));
    struct ridge_block b = { coords, M, &lambda, 1, out, pool };
    check(ridge_score_block(r, &b, NULL));
    getrusage(RUSAGE_SELF, &u);
    printf("%zu x %zu from streamed rows: %.0f s (real %.0f), at most %.0f MB resident\n", n, k, work_s() - c, clock_s() - t,
           (double)u.ru_maxrss / 1e3);
    linalg_set_threads(1);
    ridge_free(r);
    mem_free(g);
    mem_free(out);
    mem_free(coords);
}

int main(int argc, char **argv) {
    int full = argc > 1 && !strcmp(argv[1], "full");
    check(pool_new(&pool, 0));
    linalg_set_threads(1);
    printf("OpenBLAS %s, %zu threads, sgemm %.1f GFLOP/s\n", linalg_core_name(), pool_threads(pool), sgemm_peak());
    if (argc > 1 && !strcmp(argv[1], "memory")) {
        memory_peak();
        pool_free(pool);
        return 0;
    }
    const char *only = argc > 2 ? argv[2] : "";
    size_t n = full ? 5000 : 2000, k = full ? 4096 : 1024;
    int all = !*only;
    if (all || !strcmp(only, "steps")) {
        steps(n, k, .5);
        if (full) steps(n, k, 0);
        if (full) steps(n, k, 1);
    }
    if (all || !strcmp(only, "sweep")) sweep(n, k, full ? 1000 : 512);
    if (all || !strcmp(only, "products")) products(full ? 50000 : 10000, k, full ? 1000 : 512);
    const char *python = getenv("PYTHON");
    char command[512];
    snprintf(command, sizeof command, "%s tests/bench/ridge_numpy.py %zu %zu %d", python ? python : "", n, k, full ? 1000 : 512);
    if (python && system(command)) fprintf(stderr, "bench: %s failed\n", command);
    pool_free(pool);
    return 0;
}
