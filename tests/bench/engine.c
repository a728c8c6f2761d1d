/* engine.c - the gradient engine beside what this machine's sgemm reaches, in
 * one run: `make bench`.
 *
 *   engine               the tables
 *   engine serve [N]     one unit of work for each figure's name on stdin, on N threads
 *                        (2); answers its seconds, its processor's seconds and its
 *                        FLOP.  pytorch.py times both sides in turn that way
 *   engine config NAME   that network as diffusers' config.json
 *
 * Useful FLOP: two for each multiply-add that the network's definition has, a
 * 3x3 convolution of H x W pixels counting 9 Cin Cout H W of them (over the
 * doubled image where it is upsampled first), however few the engine needs. */
#include "dtrak/kernels.h"
#include "dtrak/linalg.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/trainer.h"
#include "dtrak/unet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, TIMESTEPS = 10, SAMPLES = 8, DIMS = 4096, MAX_ROUNDS = 64, SGEMM = 1536 };

static struct pool *pool;

static void need(int ok) {
    if (ok) return;
    fprintf(stderr, "engine: %s\n", fail_reason());
    exit(1);
}

/* --- networks --- */

/* "a": the demo network; "b": twice as wide. */
static struct unet_config config_named(const char *name) {
    struct unet_config c = unet_config_default();
    size_t base = name[0] == 'a' ? 32 : 64;
    c.in_channels = c.out_channels = 4;
    c.sample_height = c.sample_width = 16;
    c.levels = 3;
    c.width[0] = base;
    c.width[1] = c.width[2] = 2 * base;
    c.layers = 1;
    c.groups = c.mid_groups = 8;
    c.head_dim = 32;
    c.down_attention = 6;
    c.up_attention = 3;
    return c;
}

/* --- figures: something to do again and again --- */

struct figure {
    const char *name, *network;
    size_t losses;               /* 0: a training step; else features with so many */
    /* set up by open() */
    struct unet *u;
    struct trainer *trainer;
    struct unet_weights *weights;
    struct unet_work *works[64];
    struct projection proj;
    uint32_t *table;
    float *images, *x, *eps, *d, *out, time[TIMESTEPS];
    size_t D, pixels;
    double flop;                 /* useful, of one unit */
};

static void figure_open(struct figure *f) {
    struct unet_config c = config_named(f->network);
    double forward, backward;
    need(unet_new(&f->u, &c) == OK);
    unet_cost(f->u, &forward, &backward);
    f->D = c.in_channels * c.sample_height * c.sample_width;
    if (!f->losses) {
        struct trainer_options o = { .batch = BATCH, .steps = 100000, .lr = 1e-4, .clip = 1 };
        f->flop = 2 * (forward + backward) * BATCH;
        f->images = mem_array(BATCH * f->D, sizeof *f->images);
        need(f->images && trainer_new(&f->trainer, f->u, &o, pool, NULL) == OK);
        rng_normal(f->images, BATCH * f->D, 1, RNG_TEST, 0, 0);
        return;
    }
    size_t p = unet_size(f->u), T = pool_threads(pool);
    f->flop = 2 * (forward + (double)f->losses * backward) * TIMESTEPS * SAMPLES;
    f->proj = (struct projection){ PROJECTION_SJLT, 1, p, DIMS, 1, PROJECTION_VERSION };
    f->table = mem_array(p, sizeof *f->table);
    f->images = mem_array(p, sizeof *f->images);
    f->x = mem_array(TIMESTEPS * f->D, sizeof *f->x);
    f->eps = mem_array(T * TIMESTEPS * f->D, sizeof *f->eps);
    f->d = mem_array(T * TIMESTEPS * f->D, sizeof *f->d);
    f->out = mem_array(SAMPLES * DIMS, sizeof *f->out);
    need(f->table && f->images && f->x && f->eps && f->d && f->out && T <= 64);
    projection_table(&f->proj, NULL, p, f->table);
    unet_init(f->u, f->images, 1);
    rng_normal(f->x, TIMESTEPS * f->D, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < TIMESTEPS; i++) f->time[i] = (float)(100 * i);
    need(unet_weights_new(&f->weights, f->u, 1) == OK);
    unet_weights_pack(f->weights, f->images);
    for (size_t i = 0; i < T; i++) need(unet_work_new(&f->works[i], f->u, TIMESTEPS, 1, NULL) == OK);
}

static void figure_close(struct figure *f) {
    void *all[] = { f->table, f->images, f->x, f->eps, f->d, f->out };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
    for (size_t i = 0; i < 64; i++) unet_work_free(f->works[i]);
    unet_weights_free(f->weights);
    trainer_free(f->trainer);
    unet_free(f->u);
}

struct target { const struct figure *f; const struct unet_param *params; float *out; };

static void project(void *ctx, size_t param, const float *grad) {
    struct target *t = ctx;
    projection_add_sjlt(&t->f->proj, t->f->table + t->params[param].offset, grad, t->params[param].count, 1, t->out);
}

static void one_sample(void *ctx, size_t piece, size_t thread) {
    struct figure *f = ctx;
    size_t n;
    struct target t = { f, unet_params(f->u, &n), f->out + piece * DIMS };
    struct unet_sink sink = { project, &t };
    float *eps = f->eps + thread * TIMESTEPS * f->D, *d = f->d + thread * TIMESTEPS * f->D;
    unet_forward(f->works[thread], f->weights, eps, f->x, f->time, TIMESTEPS);
    for (size_t l = 0; l < f->losses; l++) {
        enum loss loss = l % 2 ? LOSS_SIMPLE : LOSS_SQUARE;
        for (size_t b = 0; b < TIMESTEPS; b++)
            loss_gradient(loss, d + b * f->D, eps + b * f->D, f->x + b * f->D, f->D, 1, 1.0 / TIMESTEPS);
        unet_backward(f->works[thread], f->weights, d, &sink);
    }
}

/* Seconds of one unit: a training step, or SAMPLES samples' features. */
static double figure_run(struct figure *f) {
    struct trainer_images data = { f->images, BATCH, 1 };
    double loss, start = clock_s();
    if (f->losses) pool_run(pool, SAMPLES, one_sample, f);
    else need(trainer_step(f->trainer, &data, &loss) == OK);
    return clock_s() - start;
}

static double sgemm_seconds(int threads) {
    static float *a, *b, *c;
    if (!a) {
        a = mem_array(SGEMM * SGEMM, sizeof *a);
        b = mem_array(SGEMM * SGEMM, sizeof *b);
        c = mem_array(SGEMM * SGEMM, sizeof *c);
        need(a && b && c);
        rng_normal(a, SGEMM * SGEMM, 1, RNG_TEST, 0, 0);
        rng_normal(b, SGEMM * SGEMM, 1, RNG_TEST, 1, 0);
    }
    linalg_set_threads(threads);
    double start = clock_s();
    need(linalg_gemm_f32(0, 0, SGEMM, SGEMM, SGEMM, 1, a, SGEMM, b, SGEMM, 0, c, SGEMM) == OK);
    double t = clock_s() - start;
    linalg_set_threads(1);
    usleep(150000);   /* OpenBLAS' threads go on spinning for a while */
    return t;
}
#define SGEMM_FLOP (2.0 * SGEMM * SGEMM * SGEMM)

/* --- tables --- */

static int ascending(const void *p, const void *q) {
    double a = *(const double *)p, b = *(const double *)q;
    return a < b ? -1 : a > b;
}

struct times { double t[MAX_ROUNDS]; size_t n; };
static void add_time(struct times *t, double seconds) { t->t[t->n++] = seconds; }
static double best(struct times *t) { qsort(t->t, t->n, sizeof *t->t, ascending); return t->t[0]; }
static double middle(struct times *t) { qsort(t->t, t->n, sizeof *t->t, ascending); return t->t[t->n / 2]; }

/* Each figure's rounds take turns with sgemm's, so both meet the same machine. */
static void figure_table(struct figure *figures, size_t count, size_t rounds) {
    struct times sgemm[2] = { { { 0 }, 0 } };
    printf("%-34s %9s %9s %9s %9s\n", "two threads where not said", "GFLOP/s", "median", "of sgemm", "median");
    for (size_t i = 0; i < count; i++) {
        struct figure *f = &figures[i];
        struct times own = { { 0 }, 0 }, peak = { { 0 }, 0 };
        figure_open(f);
        figure_run(f);
        for (size_t r = 0; r < rounds; r++) {
            double t = sgemm_seconds((int)pool_threads(pool));
            add_time(&peak, t);
            if (sgemm[1].n < MAX_ROUNDS) add_time(&sgemm[1], t);
            if (sgemm[0].n < 8) add_time(&sgemm[0], sgemm_seconds(1));
            add_time(&own, figure_run(f));
        }
        char what[64];
        size_t units = f->losses ? SAMPLES : BATCH;
        snprintf(what, sizeof what, "%s, %.0f %s/s", f->name, (double)units / best(&own), f->losses ? "samples" : "images");
        printf("%-34s %9.1f %9.1f %8.1f%% %8.1f%%\n", what, f->flop / best(&own) * 1e-9, f->flop / middle(&own) * 1e-9,
               100 * f->flop / best(&own) * best(&peak) / SGEMM_FLOP, 100 * f->flop / middle(&own) * middle(&peak) / SGEMM_FLOP);
        fflush(stdout);
        figure_close(f);
    }
    for (int i = 1; i >= 0; i--)
        printf("sgemm %d, %s, %zu thread%s %*s %9.1f %9.1f\n", SGEMM, linalg_core_name(), i ? pool_threads(pool) : 1,
               i ? "s" : " ", i ? 3 : 3, "", SGEMM_FLOP / best(&sgemm[i]) * 1e-9, SGEMM_FLOP / middle(&sgemm[i]) * 1e-9);
}

/* The three passes of one layer on one thread. */
static void layer_row(const struct kernels *k, struct conv_layer n) {
    size_t in = n.B * n.H * n.W * n.Cin, out = n.B * conv_height(&n) * conv_width(&n) * n.Cout, packed = conv_pack_size(&n);
    size_t ws = n.K * n.K * n.Cin * n.Cout;
    float *x = mem_array(in + KERNEL_SLACK, sizeof *x), *dx = mem_array(in + KERNEL_SLACK, sizeof *dx);
    float *y = mem_array(out + KERNEL_SLACK, sizeof *y), *w = mem_array(ws, sizeof *w), *dw = mem_array(ws, sizeof *dw);
    float *f = mem_array(packed + KERNEL_SLACK, sizeof *f), *b = mem_array(packed + KERNEL_SLACK, sizeof *b);
    float *scratch = mem_array(16 * n.Cin * n.Cout, sizeof *scratch);
    need(x && dx && y && w && dw && f && b && scratch);
    rng_normal(x, in, 1, RNG_TEST, 0, 0);
    rng_normal(w, ws, 1, RNG_TEST, 1, 0);
    conv_pack(f, b, w, scratch, &n);
    double flop = 2.0 * (double)(out * n.K * n.K * n.Cin), least[3] = { 1e9, 1e9, 1e9 };
    int rounds = (int)(4e7 / flop) + 1;
    for (int i = 0; i < 40; i++)
        for (int pass = 0; pass < 3; pass++) {
            double t = clock_s();
            for (int r = 0; r < rounds; r++) {
                if (pass == 0) conv_forward(k, y, x, f, NULL, NULL, NULL, &n);
                else if (pass == 1) conv_backward_data(k, dx, 0, y, b, &n);
                else conv_backward_weight(k, dw, x, y, scratch, &n);
            }
            t = (clock_s() - t) / rounds;
            if (t < least[pass]) least[pass] = t;
        }
    char what[64];
    snprintf(what, sizeof what, "%zux%zu %zu->%zu %zux%zu%s%s, %s", n.H, n.W, n.Cin, n.Cout, n.K, n.K,
             n.stride == 2 ? " /2" : "", n.upsample ? " doubled" : "", k->name);
    printf("%-34s %9.1f %9.1f %9.1f\n", what, flop / least[0] * 1e-9, flop / least[1] * 1e-9, flop / least[2] * 1e-9);
    fflush(stdout);
    void *all[] = { x, dx, y, w, dw, f, b, scratch };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static void layer_table(void) {
    static const struct conv_layer layers[] = {
        { 8, 16, 16, 32, 32, 3, 1, 1, 0 }, { 8, 16, 16, 96, 32, 3, 1, 1, 0 }, { 8, 8, 8, 64, 64, 3, 1, 1, 0 },
        { 8, 4, 4, 64, 64, 3, 1, 1, 0 }, { 8, 16, 16, 128, 128, 3, 1, 1, 0 }, { 8, 16, 16, 32, 32, 3, 2, 1, 0 },
        { 8, 8, 8, 64, 64, 3, 1, 1, 1 }, { 8, 8, 8, 64, 64, 1, 1, 0, 0 },
    };
    static const char *const others[] = { "avx2", "portable" };
    printf("\n%-34s %9s %9s %9s\n", "one layer, batch 8, one thread", "forward", "d data", "d weight");
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) layer_row(kernels_best(), layers[i]);
    for (size_t i = 0; i < 2; i++)
        if (kernels_named(others[i])) layer_row(kernels_named(others[i]), layers[2]);
}

/* Seconds of one forward and backward pass on one thread. */
static double pass_seconds(const struct unet_config *c, size_t B, size_t repeats) {
    struct unet *u = NULL;
    struct unet_weights *weights = NULL;
    struct unet_work *work = NULL;
    size_t n = B * c->in_channels * c->sample_height * c->sample_width;
    need(unet_new(&u, c) == OK && unet_weights_new(&weights, u, 1) == OK && unet_work_new(&work, u, B, 1, NULL) == OK);
    float *theta = mem_array(unet_size(u), sizeof *theta), *x = mem_array(n, sizeof *x), *eps = mem_array(n, sizeof *eps);
    float *t = mem_array(B, sizeof *t);
    need(theta && x && eps && t);
    unet_init(u, theta, 1);
    unet_weights_pack(weights, theta);
    rng_normal(x, n, 1, RNG_TEST, 0, 0);
    double least = 1e9;
    for (size_t i = 0; i < repeats; i++) {
        double start = clock_s();
        unet_forward(work, weights, eps, x, t, B);
        unet_backward(work, weights, eps, NULL);
        if (clock_s() - start < least) least = clock_s() - start;
    }
    void *all[] = { theta, x, eps, t };
    for (size_t i = 0; i < 4; i++) mem_free(all[i]);
    unet_work_free(work);
    unet_weights_free(weights);
    unet_free(u);
    return least;
}

static void growth_row(const char *what, const struct unet_config *c, size_t B) {
    struct unet *u;
    double f, b, t = pass_seconds(c, B, 12);
    need(unet_new(&u, c) == OK);
    unet_cost(u, &f, &b);
    unet_free(u);
    printf("%-34s %9.2f ms %8.1f GFLOP/s\n", what, t * 1e3, 2 * (f + b) * (double)B / t * 1e-9);
    fflush(stdout);
}

static void growth_table(void) {
    static const size_t batches[] = { 1, 2, 5, 10, 20, 50 }, widths[] = { 16, 32, 64, 96 }, sizes[] = { 8, 16, 32 };
    char what[64];
    printf("\nforward and backward, one thread: network a, and with one thing changed\n");
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct unet_config c = config_named("a");
        snprintf(what, sizeof what, "batch (timesteps) %zu", batches[i]);
        growth_row(what, &c, batches[i]);
    }
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct unet_config c = config_named("a");
        c.width[0] = widths[i];
        c.width[1] = c.width[2] = 2 * widths[i];
        snprintf(what, sizeof what, "batch 10, %zu base channels", widths[i]);
        growth_row(what, &c, 10);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct unet_config c = config_named("a");
        c.sample_height = c.sample_width = sizes[i];
        snprintf(what, sizeof what, "batch 10, %zu x %zu pixels", sizes[i], sizes[i]);
        growth_row(what, &c, 10);
    }
}

static void projection_row(void) {
    enum { N = 1 << 20 };
    struct projection proj = { PROJECTION_SJLT, 1, N, DIMS, 1, PROJECTION_VERSION };
    uint32_t *table = mem_array(N, sizeof *table);
    float *g = mem_array(N, sizeof *g), *out = mem_array(DIMS, sizeof *out);
    need(table && g && out);
    rng_normal(g, N, 1, RNG_TEST, 0, 0);
    projection_table(&proj, NULL, N, table);
    double least = 1e9;
    for (int i = 0; i < 20; i++) {
        double t = clock_s();
        projection_add_sjlt(&proj, table, g, N, 1, out);
        if (clock_s() - t < least) least = clock_s() - t;
    }
    printf("\n%-34s %9.2f G elements/s, one thread\n", "sjlt, 2^20 coordinates to 4096", N / least * 1e-9);
    mem_free(table);
    mem_free(g);
    mem_free(out);
}

/* --- what it is asked for --- */

static struct figure figures[] = {
    { .name = "train a", .network = "a" }, { .name = "train b", .network = "b" },
    { .name = "features a 1", .network = "a", .losses = 1 }, { .name = "features a 7", .network = "a", .losses = 7 },
    { .name = "features b 1", .network = "b", .losses = 1 }, { .name = "features b 7", .network = "b", .losses = 7 },
};
enum { FIGURES = sizeof figures / sizeof *figures };

static void print_cpu(void) {
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10)) {
            printf("%s", strchr(line, ':') + 2);
            break;
        }
    if (f) fclose(f);
}

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int serve(void) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        struct figure *f = NULL;
        for (size_t i = 0; i < FIGURES; i++)
            if (!strcmp(figures[i].name, line)) f = &figures[i];
        if (f && !f->u) {
            figure_open(f);
            figure_run(f);
        }
        if (!f && strcmp(line, "sgemm")) return 2;
        double before = processor_seconds(), t = f ? figure_run(f) : sgemm_seconds((int)pool_threads(pool));
        printf("%.9f %.9f %.0f\n", t, processor_seconds() - before, f ? f->flop : SGEMM_FLOP);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv) {
    linalg_set_threads(1);
    int serves = argc > 1 && !strcmp(argv[1], "serve");
    need(pool_new(&pool, !serves ? 0 : argc > 2 && !strcmp(argv[2], "1") ? 1 : 2) == OK);
    if (argc == 3 && !strcmp(argv[1], "config")) {
        struct buf b = BUF_INIT;
        struct unet_config c = config_named(argv[2]);
        network_config_write(&b, &c);
        fwrite(b.data, 1, b.len, stdout);
        buf_free(&b);
    } else if (serves) {
        return serve();
    } else if (argc == 1) {
        print_cpu();
        printf("network a: 32/64/64 channels, b: 64/128/128; 4 x 16 x 16 pixels, attention on two levels; batch %d, "
               "features of %d timesteps\n", BATCH, TIMESTEPS);
        figure_table(figures, FIGURES, 10);
        layer_table();
        growth_table();
        projection_row();
    } else {
        fprintf(stderr, "usage: engine [serve [1|2] | config a|b]\n");
        return 2;
    }
    pool_free(pool);
    return 0;
}
