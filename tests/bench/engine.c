/* engine.c - the engine's speed beside what this machine's sgemm reaches, in
 * one run: `make bench`.  GFLOP/s count useful multiply-adds only. */
#include "dtrak/kernels.h"
#include "dtrak/linalg.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/trainer.h"
#include "dtrak/unet.h"

#include <stdio.h>
#include <stdlib.h>

static double peak;   /* GFLOP/s of sgemm on all threads */

static void row(const char *what, double gflops, double of) {
    printf("%-58s %8.1f GFLOP/s  %5.1f %% of sgemm\n", what, gflops, 100 * gflops / of);
    fflush(stdout);
}

static double sgemm_peak(int threads) {
    enum { N = 1536 };
    float *a = mem_array(N * N, sizeof *a), *b = mem_array(N * N, sizeof *b), *c = mem_array(N * N, sizeof *c);
    if (!a || !b || !c) exit(1);
    rng_normal(a, N * N, 1, RNG_TEST, 0, 0);
    rng_normal(b, N * N, 1, RNG_TEST, 1, 0);
    linalg_set_threads(threads);
    double best = 0;
    for (int i = 0; i < 8; i++) {
        double t = clock_s();
        if (linalg_gemm_f32(0, 0, N, N, N, 1, a, N, b, N, 0, c, N) != OK) exit(1);
        double g = 2.0 * N * N * N / (clock_s() - t) * 1e-9;
        if (g > best) best = g;
    }
    linalg_set_threads(1);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    return best;
}

static void convolution(const struct kernels *k, size_t side, size_t ci, size_t co, double one) {
    enum { B = 8 };
    struct conv_layer n = { .B = B, .H = side, .W = side, .Cin = ci, .Cout = co, .K = 3, .stride = 1, .pad = 1 };
    size_t in = B * side * side * ci, out = B * side * side * co, packed = conv_pack_size(&n);
    float *x = mem_array(in + KERNEL_SLACK, sizeof *x), *y = mem_array(out + KERNEL_SLACK, sizeof *y);
    float *w = mem_array(packed + KERNEL_SLACK, sizeof *w), *dw = mem_array(9 * ci * co, sizeof *dw);
    if (!x || !y || !w || !dw) exit(1);
    rng_normal(x, in, 1, RNG_TEST, 0, 0);
    rng_normal(w, packed, 1, RNG_TEST, 1, 0);
    double flop = 2.0 * B * (double)(side * side * 9 * ci * co), best[2] = { 0, 0 };
    int rounds = (int)(2e9 / flop) + 1;
    for (int i = 0; i < 10; i++)
        for (int back = 0; back < 2; back++) {
            double t = clock_s();
            for (int r = 0; r < rounds; r++) {
                if (back) conv_backward_weight(k, dw, x, y, NULL, &n);
                else conv_forward(k, y, x, w, NULL, NULL, NULL, &n);
            }
            double g = flop * rounds / (clock_s() - t) * 1e-9;
            if (g > best[back]) best[back] = g;
        }
    char what[80];
    snprintf(what, sizeof what, "conv 3x3 %zux%zu %zu->%zu, %s, one thread, forward", side, side, ci, co, k->name);
    row(what, best[0], one);
    snprintf(what, sizeof what, "  the same, gradient of the weights");
    row(what, best[1], one);
    mem_free(x);
    mem_free(y);
    mem_free(w);
    mem_free(dw);
}

static void training(const struct unet *u, const char *name, struct pool *pool, size_t batch) {
    struct trainer_options o = { .batch = batch, .steps = 1000, .lr = 1e-3, .clip = 1 };
    const struct unet_config *c = unet_get_config(u);
    size_t D = c->in_channels * c->sample_height * c->sample_width;
    float *images = mem_array(64 * D, sizeof *images);
    struct trainer *t;
    double f, b, loss, best = 1e9;
    if (!images || trainer_new(&t, u, &o, pool, NULL) != OK) exit(1);
    rng_normal(images, 64 * D, 1, RNG_TEST, 0, 0);
    struct trainer_images data = { images, 64, 1 };
    for (int i = 0; i < 12; i++) {
        double at = clock_s();
        if (trainer_step(t, &data, &loss) != OK) exit(1);
        if (clock_s() - at < best) best = clock_s() - at;
    }
    unet_cost(u, &f, &b);
    char what[80];
    snprintf(what, sizeof what, "training step, %s, batch %zu: %.0f images/s", name, batch, (double)batch / best);
    row(what, 2 * (f + b) * (double)batch / best * 1e-9, peak);
    trainer_free(t);
    mem_free(images);
}

struct gradients {
    const struct unet *u;
    struct unet_weights *weights;
    struct unet_work **works;
    struct projection proj;
    uint32_t *table;
    float *x, *eps, *d, *out, time[10];
    size_t D, losses;
};
struct target { const struct gradients *g; const struct unet_param *params; float *out; };
static void project(void *ctx, size_t param, const float *grad) {
    struct target *t = ctx;
    projection_add_sjlt(&t->g->proj, t->g->table + t->params[param].offset, grad, t->params[param].count, 1, t->out);
}
static void one_sample(void *ctx, size_t piece, size_t thread) {
    struct gradients *g = ctx;
    size_t n;
    struct target t = { g, unet_params(g->u, &n), g->out + piece * g->proj.k };
    struct unet_sink sink = { project, &t };
    float *eps = g->eps + thread * 10 * g->D, *d = g->d + thread * 10 * g->D;
    unet_forward(g->works[thread], g->weights, eps, g->x, g->time, 10);
    for (size_t l = 0; l < g->losses; l++) {
        loss_gradient(LOSS_SQUARE, d, eps, eps, 10 * g->D, 1, 1);
        unet_backward(g->works[thread], g->weights, d, &sink);
    }
}

static void features(const struct unet *u, const char *name, struct pool *pool, size_t losses) {
    enum { SAMPLES = 8 };
    const struct unet_config *c = unet_get_config(u);
    size_t p = unet_size(u), T = pool_threads(pool);
    struct gradients g = { .u = u, .D = c->in_channels * c->sample_height * c->sample_width, .losses = losses,
                           .proj = { PROJECTION_SJLT, 1, p, 2048, 1, PROJECTION_VERSION } };
    float *theta = mem_array(p, sizeof *theta);
    g.table = mem_array(p, sizeof *g.table);
    g.x = mem_array(10 * g.D, sizeof *g.x);
    g.eps = mem_array(T * 10 * g.D, sizeof *g.eps);
    g.d = mem_array(T * 10 * g.D, sizeof *g.d);
    g.out = mem_array(SAMPLES * 2048, sizeof *g.out);
    g.works = mem_array(T, sizeof *g.works);
    if (!theta || !g.table || !g.x || !g.eps || !g.d || !g.out || !g.works) exit(1);
    projection_table(&g.proj, NULL, p, g.table);
    unet_init(u, theta, 1);
    rng_normal(g.x, 10 * g.D, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < 10; i++) g.time[i] = (float)(100 * i);
    if (unet_weights_new(&g.weights, u, 1) != OK) exit(1);
    unet_weights_pack(g.weights, theta);
    for (size_t i = 0; i < T; i++)
        if (unet_work_new(&g.works[i], u, 10, 1, NULL) != OK) exit(1);
    double best = 1e9, f, b;
    for (int i = 0; i < 4; i++) {
        double t = clock_s();
        pool_run(pool, SAMPLES, one_sample, &g);
        if (clock_s() - t < best) best = clock_s() - t;
    }
    unet_cost(u, &f, &b);
    char what[80];
    snprintf(what, sizeof what, "10-timestep features, %s, %zu loss%s: %.1f samples/s", name, losses, losses > 1 ? "es" : "", SAMPLES / best);
    row(what, 2 * (f + (double)losses * b) * 10 * SAMPLES / best * 1e-9, peak);
    for (size_t i = 0; i < T; i++) unet_work_free(g.works[i]);
    unet_weights_free(g.weights);
    void *all[] = { theta, g.table, g.x, g.eps, g.d, g.out, g.works };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static void projection_speed(void) {
    enum { N = 1 << 20 };
    struct projection proj = { PROJECTION_SJLT, 1, N, 4096, 1, PROJECTION_VERSION };
    uint32_t *table = mem_array(N, sizeof *table);
    float *g = mem_array(N, sizeof *g), *out = mem_array(4096, sizeof *out);
    if (!table || !g || !out) exit(1);
    rng_normal(g, N, 1, RNG_TEST, 0, 0);
    projection_table(&proj, NULL, N, table);
    double best = 1e9;
    for (int i = 0; i < 20; i++) {
        double t = clock_s();
        projection_add_sjlt(&proj, table, g, N, 1, out);
        if (clock_s() - t < best) best = clock_s() - t;
    }
    printf("%-58s %8.2f G elements/s, one thread\n", "sjlt, 2^20 coordinates to 4096", N / best * 1e-9);
    mem_free(table);
    mem_free(g);
    mem_free(out);
}

static struct unet *network(size_t w0, size_t w1, size_t w2, size_t layers) {
    struct unet_config c = unet_config_default();
    struct unet *u;
    c.in_channels = c.out_channels = 4;
    c.sample_height = c.sample_width = 16;
    c.levels = 3;
    c.width[0] = w0;
    c.width[1] = w1;
    c.width[2] = w2;
    c.layers = layers;
    c.groups = c.mid_groups = 8;
    c.head_dim = 32;
    c.down_attention = 6;
    c.up_attention = 3;
    if (unet_new(&u, &c) != OK) {
        fprintf(stderr, "%s\n", fail_reason());
        exit(1);
    }
    return u;
}

int main(void) {
    struct pool *pool;
    if (pool_new(&pool, 0) != OK) return 1;
    double one = sgemm_peak(1);
    peak = sgemm_peak((int)pool_threads(pool));
    printf("sgemm 1536, OpenBLAS %s: %.1f GFLOP/s on one thread, %.1f on %zu\n", linalg_core_name(), one, peak, pool_threads(pool));
    static const size_t shapes[][3] = { { 16, 32, 32 }, { 8, 64, 64 }, { 4, 64, 64 }, { 16, 128, 128 } };
    for (size_t i = 0; i < 4; i++) convolution(kernels_best(), shapes[i][0], shapes[i][1], shapes[i][2], one);
    convolution(kernels_named("portable"), 8, 64, 64, one);
    struct unet *small = network(32, 64, 64, 1), *large = network(64, 128, 192, 2);
    training(small, "32 base channels, 1.2 M", pool, 64);
    training(large, "64 base channels", pool, 64);
    features(small, "32 base", pool, 1);
    features(small, "32 base", pool, 7);
    features(large, "64 base", pool, 1);
    projection_speed();
    unet_free(small);
    unet_free(large);
    pool_free(pool);
    return 0;
}
