/* journey_test.c - features along the sampling path of generated items, and scores of them: against
 * DDIM and gradients written out in float64, on a network with unequal sides. */
#include "dtrak/image.h"
#include "dtrak/items.h"
#include "dtrak/lambda.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "../lib/near.h"
#include "../lib/store_rig.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { N = 11, VAL = 2, GEN = 5, W = 12, H = 8, D = W * H, K = 7, STEPS = 10 };

#define die(...) do { print_error(__VA_ARGS__); _fail(__FILE__, __LINE__); } while (0)
static void ok(enum status st) { if (st != OK) die("%s\n", fail_reason()); }
static void refused(enum status got, enum status want, const char *text) {
    if (got != want || !strstr(fail_reason(), text)) die("status %d, said '%s', expected '%s'\n", (int)got, fail_reason(), text);
}

static void add_images(struct store *s, enum split split, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct image im;
        struct buf png = BUF_INIT;
        ok(image_new(&im, W, H, 1));
        for (size_t j = 0; j < D; j++) im.pixels[j] = (unsigned char)(128 + 100 * rig_value(i * D + j / 5, 3 + (size_t)split));
        ok(image_encode_png(&png, &im));
        const void *bytes = png.data;
        struct item item = { .label_name = "x", .width_px = W, .height_px = H, .image_bytes = png.len };
        ok(store_items_add(s, split, &item, &bytes, 1, NULL));
        image_free(&im);
        buf_free(&png);
    }
}

/* Two checkpoints; items 0 .. 2 were sampled from the last one, the rest from the first with eta 0.7. */
static struct store *world(const char *name) {
    struct store *s;
    struct project p = { .name = "test", .width = W, .height = H, .channels = 1, .patch = 2, .value_low = -1, .value_high = 1 };
    struct train_options t = TRAIN_DEFAULTS;
    struct sample_options o = SAMPLE_DEFAULTS;
    t.levels = 2;
    t.width[0] = 8;
    t.width[1] = 16;
    t.steps = 12;
    t.batch = 5;
    t.lr = 2e-3;
    t.threads = 1;
    t.checkpoints[0] = .5;
    t.checkpoints[1] = 1;
    t.n_checkpoints = 2;
    ok(store_create(&s, rig_path(name)));
    ok(store_project_set(s, &p));
    add_images(s, SPLIT_TRAIN, N);
    add_images(s, SPLIT_VAL, VAL);
    ok(store_publish(s));
    ok(pipeline_train(s, &t, NULL));
    o.steps = STEPS;
    o.count = 3;
    o.seed = 40;
    ok(pipeline_sample(s, &o, NULL));
    o.checkpoint = "50%";
    o.count = GEN - 3;
    o.seed = 7;
    o.eta = .7;
    ok(pipeline_sample(s, &o, NULL));
    return s;
}

static struct features_options options(unsigned losses) {
    struct features_options o = FEATURES_DEFAULTS;
    o.losses = losses;
    o.rule = "journey";
    o.dims = K;
    o.noise_seed = 3;
    o.float32 = 1;
    o.threads = 2;
    return o;
}

/* --- by definition --- */

struct sum { const struct unet_param *params; double *total; };
static void add_gradient(void *ctx, size_t param, const float *grad) {
    struct sum *s = ctx;
    for (size_t i = 0; i < s->params[param].count; i++) s->total[s->params[param].offset + i] += (double)grad[i];
}

static void to_float(float *out, const double *x) {
    for (size_t i = 0; i < D; i++) out[i] = (float)x[i];
}

/* The predicted picture of every step, DDIM in float64. */
static void path_by_definition(double path[STEPS][D], struct store *s, const struct checkpoint *c, uint64_t seed, double eta) {
    struct stored_network net;
    struct unet_work *work;
    float in[D], eps[D], noise[D];
    double x[D];
    ok(stored_network_open(&net, s, c, 0));
    ok(unet_work_new(&work, net.u, 1, 0, NULL));
    rng_normal(in, D, seed, RNG_LATENT, 0, 0);
    for (size_t j = 0; j < D; j++) x[j] = (double)in[j];
    for (size_t i = 0; i < STEPS; i++) {
        size_t t = (STEPS - 1 - i) * 100;
        float time = (float)t;
        double a = schedule_alpha_bar(net.schedule, t), next = i + 1 < STEPS ? schedule_alpha_bar(net.schedule, t - 100) : 1;
        double sigma = eta * sqrt((1 - next) / (1 - a)) * sqrt(1 - a / next);
        to_float(in, x);
        unet_forward(work, net.weights, eps, in, &time, 1);
        rng_normal(noise, D, seed, RNG_LATENT, 1, (uint32_t)i);
        for (size_t j = 0; j < D; j++) {
            double x0 = (x[j] - sqrt(1 - a) * (double)eps[j]) / sqrt(a);
            path[i][j] = x0 > 1 ? 1 : x0 < -1 ? -1 : x0;
            x[j] = sqrt(next) * path[i][j] + sqrt(1 - next - sigma * sigma) * (double)eps[j] + sigma * (double)noise[j];
        }
    }
    unet_work_free(work);
    stored_network_close(&net);
}

/* The mean gradient of 1/D |eps_theta(sqrt(a) x0 + sqrt(1 - a) n, t) - n|^2 or 1/D |eps_theta|^2, projected. */
static void feature_by_definition(double out[K], struct store *s, const struct checkpoint *c, size_t item, double path[STEPS][D],
                                  enum loss loss) {
    struct stored_network net;
    struct unet_work *work;
    size_t n_params;
    ok(stored_network_open(&net, s, c, 1));
    ok(unet_work_new(&work, net.u, 1, 1, NULL));
    size_t p = unet_size(net.u);
    struct sum sum = { unet_params(net.u, &n_params), mem_array(p, sizeof(double)) };
    struct unet_sink sink = { add_gradient, &sum };
    for (size_t i = 0; i < STEPS; i++) {
        size_t t = (STEPS - 1 - i) * 100;
        float x_t[D], noise[D], eps[D], d[D], time = (float)t;
        double a = schedule_alpha_bar(net.schedule, t);
        rng_normal(noise, D, 3, RNG_NOISE, (uint32_t)SPLIT_GEN << 29 | (uint32_t)item, (uint32_t)t);
        for (size_t j = 0; j < D; j++) x_t[j] = (float)(sqrt(a) * path[i][j] + sqrt(1 - a) * (double)noise[j]);
        unet_forward(work, net.weights, eps, x_t, &time, 1);
        for (size_t j = 0; j < D; j++)
            d[j] = (float)(2.0 / D / STEPS * ((double)eps[j] - (loss == LOSS_SIMPLE ? (double)noise[j] : 0)));
        unet_backward(work, net.weights, d, &sink);
    }
    struct projection proj = { PROJECTION_SJLT, 42, p, K, 1, PROJECTION_VERSION };
    uint32_t *coord = mem_array(p, sizeof *coord), *table = mem_array(p, sizeof *table);
    unet_coordinates(net.u, coord);
    projection_table(&proj, NULL, p, table);
    memset(out, 0, K * sizeof *out);
    for (size_t i = 0; i < p; i++) {
        uint32_t e = table[coord[i]];
        out[e >> 1] += e & 1 ? -sum.total[i] : sum.total[i];
    }
    mem_free(coord);
    mem_free(table);
    mem_free(sum.total);
    unet_work_free(work);
    stored_network_close(&net);
}

static struct feature_set find_set(struct store *s, enum split split, enum loss loss, const char *rule) {
    struct feature_set_list l;
    struct feature_set out = { 0 };
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.set[i].identity.split == split && !strcmp(l.set[i].identity.loss, loss_name(loss)) &&
            !strcmp(l.set[i].identity.rule, rule)) out = l.set[i];
    feature_set_list_free(&l);
    if (!out.id) die("there is no set of %s, rule %s\n", split_name(split), rule);
    return out;
}

static void read_rows(struct store *s, enum split split, enum loss loss, const char *rule, float *out) {
    struct feature_set f = find_set(s, split, loss, rule);
    ok(store_features_read(s, &f, 0, f.rows, out));
}

static void features_are_those_of_the_predicted_pictures(void **state) {
    (void)state;
    struct store *s = world("definition.db");
    struct features_options o = options(1u << LOSS_SIMPLE | 1u << LOSS_SQUARE);
    struct checkpoint_list all;
    ok(pipeline_features(s, &o, NULL));
    ok(store_checkpoints_list(s, &all));
    assert_int_equal(all.count, 2);
    static const enum loss losses[] = { LOSS_SIMPLE, LOSS_SQUARE };
    for (size_t l = 0; l < 2; l++) {
        float rows[GEN * K];
        struct feature_set f = find_set(s, SPLIT_GEN, losses[l], "journey");
        assert_int_equal(f.identity.timesteps, STEPS);
        assert_int_equal(f.rows_done, GEN);
        read_rows(s, SPLIT_GEN, losses[l], "journey", rows);
        for (size_t i = 0; i < GEN; i++) {
            double path[STEPS][D], want[K], size = 0, error = 0;
            path_by_definition(path, s, &all.checkpoint[i < 3], i < 3 ? 40 + i : 7 + i - 3, i < 3 ? 0 : .7);
            feature_by_definition(want, s, &all.checkpoint[1], i, path, losses[l]);
            for (size_t j = 0; j < K; j++) {
                size += want[j] * want[j];
                error += ((double)rows[i * K + j] - want[j]) * ((double)rows[i * K + j] - want[j]);
            }
            assert_near(sqrt(error), 0, 1e-4 * sqrt(size), 0);
        }
    }
    checkpoint_list_free(&all);
    store_close(s);
}

/* --- however it is made --- */

struct stopper { atomic_int cancel; double at; };
static void stop_at(void *ctx, double done, double total, const char *what, const char *note) {
    (void)total; (void)what; (void)note;
    struct stopper *s = ctx;
    if (done >= s->at) atomic_store(&s->cancel, 1);
}

static void threads_and_a_stop_change_no_bit(void **state) {
    (void)state;
    struct store *a = world("threads.db"), *b = world("stopped.db");
    struct features_options o = options(1u << LOSS_SIMPLE);
    float one[GEN * K], other[GEN * K];
    o.memory = (size_t)1 << 30;
    ok(pipeline_features(a, &o, NULL));
    struct stopper stop = { 0, 0 };
    struct progress p = { stop_at, &stop, &stop.cancel };
    o.threads = 1;
    assert_int_equal(pipeline_features(b, &o, &p), ERR_CANCELLED);
    assert_int_equal(find_set(b, SPLIT_GEN, LOSS_SIMPLE, "journey").rows_done, 0);
    ok(pipeline_features(b, &o, NULL));
    read_rows(a, SPLIT_GEN, LOSS_SIMPLE, "journey", one);
    read_rows(b, SPLIT_GEN, LOSS_SIMPLE, "journey", other);
    assert_memory_equal(one, other, sizeof one);
    store_close(a);
    store_close(b);
}

/* --- scores --- */

/* (Phi^T Phi + l I)^-1 g by elimination. */
static void solve(double x[K], float phi[][K], double l, const float *g) {
    double A[K][K + 1];
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            A[i][j] = i == j ? l : 0;
            for (size_t n = 0; n < N; n++) A[i][j] += (double)phi[n][i] * (double)phi[n][j];
        }
        A[i][K] = (double)g[i];
    }
    for (size_t c = 0; c < K; c++)
        for (size_t i = 0; i < K; i++) {
            if (i == c) continue;
            double f = A[i][c] / A[c][c];
            for (size_t j = c; j <= K; j++) A[i][j] -= f * A[c][j];
        }
    for (size_t c = 0; c < K; c++) x[c] = A[c][K] / A[c][c];
}

static void scores_are_ridge_scores_of_these_features(void **state) {
    (void)state;
    struct store *s = world("scores.db");
    struct features_options o = options(1u << LOSS_SIMPLE);
    struct score_options w = SCORE_DEFAULTS;
    float phi[N][K], g[GEN * K], row[N];
    w.methods = "journey,trak";
    w.lambda = "0.2";
    o.rule = NULL;
    refused(pipeline_score(s, &w, NULL), ERR_MISSING, "no complete features");
    ok(pipeline_features(s, &o, NULL));
    refused(pipeline_score(s, &w, NULL), ERR_MISSING, "--journey --loss simple");
    o.rule = "journey";
    o.projection_seed = 5;
    ok(pipeline_features(s, &o, NULL));   /* of another projection: does not go with the training items' */
    refused(pipeline_score(s, &w, NULL), ERR_MISSING, "along the sampling paths");
    o.projection_seed = 42;
    o.noise_seed = 9;                     /* other noise is fine */
    o.checkpoints = "all";
    ok(pipeline_features(s, &o, NULL));
    ok(pipeline_score(s, &w, NULL));
    struct score_set set, trak;
    struct checkpoint_list c;
    ok(store_checkpoints_resolve(s, "last", &c));
    struct score_query q = { "journey", "simple", c.checkpoint[0].id, SPLIT_GEN, NULL, 0, 0 };
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.rows_done, GEN);
    assert_non_null(strstr(set.params, "\"journey\":{\"steps\":10,\"draws\":1,\"noise_seed\":9}"));
    q.method = "trak";
    ok(store_score_set_find(s, &q, &trak));
    q.split = SPLIT_VAL;
    ok(store_score_set_find(s, &q, &trak));
    q.method = "journey";
    assert_int_equal(store_score_set_find(s, &q, &trak), ERR_MISSING);
    read_rows(s, SPLIT_TRAIN, LOSS_SIMPLE, "uniform", phi[0]);
    struct feature_set_list l;
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++)
        if (!strcmp(l.set[i].identity.rule, "journey") && l.set[i].identity.projection_seed == 42 &&
            l.set[i].checkpoint == c.checkpoint[0].id) ok(store_features_read(s, &l.set[i], 0, GEN, g));
    feature_set_list_free(&l);
    double trace = 0;
    for (size_t i = 0; i < N * K; i++) trace += (double)phi[i / K][i % K] * (double)phi[i / K][i % K];
    for (size_t m = 0; m < GEN; m++) {
        double x[K], size = 0;
        solve(x, phi, .2 * trace / N, g + m * K);
        ok(store_score_read(s, &set, m, row));
        for (size_t n = 0; n < N; n++) size += (double)row[n] * (double)row[n];
        for (size_t n = 0; n < N; n++) {
            double want = 0;
            for (size_t j = 0; j < K; j++) want += x[j] * (double)phi[n][j];
            assert_near(row[n], want, 1e-6 * sqrt(size), 1e-6);
        }
    }
    checkpoint_list_free(&c);

    /* Over both checkpoints. */
    o.rule = NULL;
    o.noise_seed = 3;
    ok(pipeline_features(s, &o, NULL));
    w.methods = "journey";
    w.checkpoints = "all";
    w.ensemble = 1;
    ok(pipeline_score(s, &w, NULL));
    q = (struct score_query){ "journey", "simple", -1, SPLIT_GEN, NULL, 0, 0 };
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.checkpoints, 2);
    assert_int_equal(set.rows_done, GEN);
    w.splits = 1u << SPLIT_VAL;
    refused(pipeline_score(s, &w, NULL), ERR_MISSING, "only generated items have a sampling path");
    store_close(s);
}

static void items_without_a_path_are_refused(void **state) {
    (void)state;
    struct store *s = world("pathless.db");
    struct features_options o = options(1u << LOSS_SIMPLE);
    o.splits = 1u << SPLIT_VAL;
    refused(pipeline_features(s, &o, NULL), ERR_RANGE, "only generated items");
    o.splits = 0;
    o.parts = 3;
    refused(pipeline_features(s, &o, NULL), ERR_RANGE, "3 blocks, expected a divisor of the 10");
    o.parts = 1;
    struct sample_options more = SAMPLE_DEFAULTS;
    more.steps = 20;
    more.count = 1;
    more.seed = 99;
    ok(pipeline_sample(s, &more, NULL));
    refused(pipeline_features(s, &o, NULL), ERR_RANGE, "gen:5 was sampled in 20 steps, gen:0 in 10");
    store_close(s);
    s = world("added.db");
    add_images(s, SPLIT_GEN, 1);
    refused(pipeline_features(s, &o, NULL), ERR_MISSING, "gen:5 has no sampling path");
    store_close(s);
}

static int clean(void **state) {
    (void)state;
    rig_clear();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_the_predicted_pictures),
        cmocka_unit_test(threads_and_a_stop_change_no_bit),
        cmocka_unit_test(scores_are_ridge_scores_of_these_features),
        cmocka_unit_test(items_without_a_path_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
