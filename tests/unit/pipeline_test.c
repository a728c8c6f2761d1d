/* train, sample and features on a tiny database: what stops and resumes gives
 * the same bits, features are the projected gradients they claim to be, and
 * nothing depends on threads, blocks or which items were asked for. */
#include "dtrak/cost.h"
#include "dtrak/file.h"
#include "dtrak/items.h"
#include "dtrak/kernels.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/safetensors.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/near.h"

enum { N = 37, SIDE = 8, D = SIDE * SIDE };

static char dir[] = "/tmp/dtrak-pipeline-XXXXXX";
static char path_buffer[64];
static const char *path(const char *name) {
    snprintf(path_buffer, sizeof path_buffer, "%s/%s.db", dir, name);
    return path_buffer;
}

/* near.h undefines cmocka's fail, which fail_msg needs. */
#define die(...) do { print_error(__VA_ARGS__); _fail(__FILE__, __LINE__); } while (0)
static void ok(enum status st) { if (st != OK) die("%s", fail_reason()); }

/* The images first .. first + count - 1 of the `all` that a split shall have. */
static void add_some(struct store *s, enum split split, size_t all, size_t first, size_t count) {
    struct item items[N];
    struct buf png[N];
    const void *images[N];
    struct rng r = rng_at(7, RNG_TEST, split, 0);
    for (size_t i = 0; i < all; i++) {
        struct image im;
        ok(image_new(&im, SIDE, SIDE, 1));
        for (size_t j = 0; j < D; j++) im.pixels[j] = (unsigned char)(rng_u32(&r) % 2 ? 20 * (i % 5) + j : 200);
        png[i] = (struct buf)BUF_INIT;
        ok(image_encode_png(&png[i], &im));
        image_free(&im);
        images[i] = png[i].data;
        items[i] = (struct item){ .label = (int)(i % 2), .label_name = i % 2 ? "odd" : "even", .width_px = SIDE,
                                  .height_px = SIDE, .image_bytes = png[i].len };
    }
    if (count) ok(store_items_add(s, split, items + first, images + first, count, NULL));
    for (size_t i = 0; i < all; i++) buf_free(&png[i]);
}

static struct store *database_with(const char *name, size_t train, size_t val) {
    struct store *s;
    struct project p = { .name = "test", .width = SIDE, .height = SIDE, .channels = 1, .patch = 2,
                         .value_low = -1, .value_high = 1 };
    ok(store_create(&s, path(name)));
    ok(store_project_set(s, &p));
    add_some(s, SPLIT_TRAIN, train, 0, train);
    add_some(s, SPLIT_VAL, val, 0, val);
    ok(store_publish(s));
    return s;
}
static struct store *new_database(const char *name) { return database_with(name, N, 5); }

static void take_cost(void *ctx, const char *what, const struct cost *c) {
    (void)what;
    *(struct cost *)ctx = *c;
}

static struct train_options tiny_training(void) {
    struct train_options o = TRAIN_DEFAULTS;
    o.levels = 2;
    o.width[0] = 8;
    o.width[1] = 16;
    o.steps = 12;
    o.batch = 10;
    o.ema = .9;
    o.flip = 1;
    o.lr = 2e-3;
    o.threads = 2;
    return o;
}

/* The weights' hashes, one after the other. */
static void hashes(struct store *s, char *out) {
    struct checkpoint_list l;
    ok(store_checkpoints_list(s, &l));
    *out = 0;
    for (size_t i = 0; i < l.count; i++) strcat(out, l.checkpoint[i].sha256);
    checkpoint_list_free(&l);
}

struct stopper { atomic_int cancel; double at; };
static void stop_at(void *ctx, double done, double total, const char *what, const char *note) {
    (void)total; (void)what; (void)note;
    struct stopper *s = ctx;
    if (done >= s->at) atomic_store(&s->cancel, 1);
}

static void a_training_that_is_stopped_twice_ends_with_the_same_weights(void **state) {
    (void)state;
    char want[400], got[400];
    struct train_options o = tiny_training();
    struct store *s = new_database("whole");
    ok(pipeline_train(s, &o, NULL));
    hashes(s, want);
    assert_int_equal(strlen(want), 4 * 64);
    store_close(s);

    s = new_database("stopped");
    o.threads = 1;
    for (double at = 4; at < 10; at += 3) {
        struct stopper stop = { 0, at };
        struct progress p = { stop_at, &stop, &stop.cancel };
        assert_int_equal(pipeline_train(s, &o, &p), ERR_CANCELLED);
        store_close(s);
        ok(store_open(&s, path("stopped"), STORE_WRITE));
    }
    ok(pipeline_train(s, &o, NULL));
    hashes(s, got);
    assert_string_equal(got, want);
    ok(pipeline_train(s, &o, NULL));     /* all done: does nothing */
    hashes(s, got);
    assert_string_equal(got, want);
    o.lr = 1e-3;
    assert_int_equal(pipeline_train(s, &o, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "lr"));
    store_close(s);
}

static void a_training_that_is_measured_first_ends_with_the_same_weights(void **state) {
    (void)state;
    char want[400], got[400];
    struct train_options o = tiny_training();
    struct cost told = { .flop = 0 }, rest = { .flop = 0 };
    struct cost_sink sink = { take_cost, &told, 1 };
    struct checkpoint_list l;
    struct store *s;
    ok(store_open(&s, path("whole"), STORE_READ));
    hashes(s, want);
    store_close(s);
    s = new_database("measured");
    o.cost = &sink;
    o.patch = 1;
    ok(pipeline_train(s, &o, NULL));
    ok(store_checkpoints_list(s, &l));      /* a dry run makes nothing, and leaves the project as it is */
    assert_int_equal(l.count, 0);
    checkpoint_list_free(&l);
    assert_true(told.flop > 0 && told.seconds > 0 && told.bytes_disk > 0 && told.bytes_memory > 0);
    o.patch = 0;
    sink.only = 0;
    struct stopper stop = { 0, 6 };
    struct progress p = { stop_at, &stop, &stop.cancel };
    assert_int_equal(pipeline_train(s, &o, &p), ERR_CANCELLED);    /* right after a checkpoint */
    double whole = told.flop;
    sink.ctx = &rest;
    ok(pipeline_train(s, &o, NULL));
    assert_near(rest.flop, whole / 2, 1e-9 * whole, 0);
    hashes(s, got);
    assert_string_equal(got, want);
    ok(pipeline_train(s, &o, NULL));
    assert_true(rest.flop == 0 && rest.seconds == 0);
    o.memory = 1000000;
    store_close(s);
    s = new_database("little");
    assert_int_equal(pipeline_train(s, &o, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "raise --memory"));
    double mb = strtod(strstr(fail_reason(), "needs ") + 6, NULL);
    o.memory = (size_t)((mb + .06) * 1e6);
    ok(pipeline_train(s, &o, NULL));
    assert_non_null(strstr(rest.note, "1 of 2 threads"));
    hashes(s, got);
    assert_string_equal(got, want);
    store_close(s);
}

static void items_survive_the_way_to_the_network_and_back(void **state) {
    (void)state;
    struct project p = { .width = 4, .height = 4, .channels = 3, .patch = 2, .value_low = -1, .value_high = 1 };
    struct image im, back;
    float x[48];
    ok(image_new(&im, 4, 4, 3));
    for (size_t i = 0; i < 48; i++) im.pixels[i] = (unsigned char)(5 * i);
    ok(items_to_network(x, &im, &p));
    /* Channel 1 (green), dy 1, dx 0: channel 6; its pixel (1, 0) is pixel (3, 0). */
    assert_near((double)x[(6 * 2 + 1) * 2 + 0], im.pixels[(3 * 4 + 0) * 3 + 1] / 127.5 - 1, 1e-6, 0);
    ok(items_from_network(&back, x, &p));
    assert_memory_equal(back.pixels, im.pixels, 48);
    image_free(&im);
    image_free(&back);
}

static void a_sample_depends_on_its_seed_alone(void **state) {
    (void)state;
    struct store *s;
    struct sample_options o = SAMPLE_DEFAULTS;
    struct item_list a;
    void *one, *other;
    size_t len, other_len, count;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.steps = 10;
    o.count = 5;
    o.seed = 100;
    o.threads = 2;
    ok(pipeline_sample(s, &o, NULL));
    o.count = 3;
    o.seed = 103;           /* 103 and 104 are there, 105 is new */
    ok(pipeline_sample(s, &o, NULL));
    ok(store_items_count(s, SPLIT_GEN, &count));
    assert_int_equal(count, 6);
    ok(store_items_read(s, SPLIT_GEN, 0, 6, &a));
    for (size_t i = 0; i < 6; i++) assert_int_equal(a.item[i].seed, 100 + i);
    item_list_free(&a);
    ok(store_image_read(s, (struct item_ref){ SPLIT_GEN, 5 }, &one, &len));
    store_close(s);

    struct store *alone = new_database("alone");
    struct train_options t = tiny_training();
    ok(pipeline_train(alone, &t, NULL));
    o.count = 1;
    o.seed = 105;
    ok(pipeline_sample(alone, &o, NULL));
    ok(store_image_read(alone, (struct item_ref){ SPLIT_GEN, 0 }, &other, &other_len));
    assert_int_equal(len, other_len);
    assert_memory_equal(one, other, len);
    mem_free(one);
    mem_free(other);
    store_close(alone);
}

/* --- features --- */

struct sum { const struct unet_param *params; double *total; };
static void add_gradient(void *ctx, size_t param, const float *grad) {
    struct sum *s = ctx;
    for (size_t i = 0; i < s->params[param].count; i++) s->total[s->params[param].offset + i] += (double)grad[i];
}

/* The feature of one item by its definition: gradients one timestep at a time,
 * averaged in double, then projected coordinate by coordinate. */
static void feature_by_definition(double *out, struct store *s, struct checkpoint *c, enum split split, size_t index,
                                  enum loss loss, size_t K, size_t k, uint64_t noise_seed, uint64_t projection_seed) {
    struct stored_network net;
    struct project project;
    struct unet_work *work;
    float x[D], x_t[D], noise[D], eps[D], d[D];
    size_t n_params;
    ok(store_project_get(s, &project));
    ok(items_load(s, &project, split, index, 1, x));
    ok(stored_network_open(&net, s, c, 1));
    ok(unet_work_new(&work, net.u, 1, 1, NULL));
    size_t p = unet_size(net.u);
    struct sum sum = { unet_params(net.u, &n_params), mem_array(p, sizeof(double)) };
    struct unet_sink sink = { add_gradient, &sum };
    for (size_t i = 0; i < K; i++) {
        size_t t = i * (SCHEDULE_T / K);
        float time = (float)t;
        rng_normal(noise, D, noise_seed, RNG_NOISE, (uint32_t)split << 29 | (uint32_t)index, (uint32_t)t);
        schedule_noised(net.schedule, x_t, x, noise, D, t);
        unet_forward(work, net.weights, eps, x_t, &time, 1);
        loss_gradient(loss, d, eps, noise, D, schedule_elbo_weight(net.schedule, t), 1.0 / (double)K);
        unet_backward(work, net.weights, d, &sink);
    }
    struct projection proj = { PROJECTION_SJLT, projection_seed, p, (uint32_t)k, 1, PROJECTION_VERSION };
    uint32_t *coord = mem_array(p, sizeof *coord), *table = mem_array(p, sizeof *table);
    unet_coordinates(net.u, coord);
    projection_table(&proj, NULL, p, table);
    memset(out, 0, k * sizeof *out);
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

static struct features_options tiny_features(void) {
    struct features_options o = FEATURES_DEFAULTS;
    o.losses = (1u << LOSS_COUNT) - 1;
    o.timesteps = 20;       /* two batches of ten */
    o.dims = 64;
    o.float32 = 1;
    o.threads = 2;
    o.noise_seed = 3;
    return o;
}

static void read_set(struct store *s, enum split split, enum loss loss, float *out, struct checkpoint *c) {
    struct feature_set_list l;
    size_t found = 0;
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.set[i].identity.split == split && !strcmp(l.set[i].identity.loss, loss_name(loss))
            && l.set[i].checkpoint == c->id) {
            found++;
            ok(store_features_read(s, &l.set[i], 0, l.set[i].rows, out));
        }
    assert_int_equal(found, 1);
    feature_set_list_free(&l);
}

static void features_are_the_projected_gradients_of_every_loss(void **state) {
    (void)state;
    struct store *s;
    struct features_options o = tiny_features();
    struct checkpoint_list c;
    float rows[N * 64];
    double want[64];
    ok(store_open(&s, path("whole"), STORE_WRITE));
    ok(pipeline_features(s, &o, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    static const struct { enum split split; size_t index; } some[] = { { SPLIT_TRAIN, 0 }, { SPLIT_TRAIN, 36 }, { SPLIT_VAL, 4 }, { SPLIT_GEN, 1 } };
    for (size_t i = 0; i < 4; i++)
        for (int l = 0; l < LOSS_COUNT; l++) {
            double size = 0, error = 0;
            read_set(s, some[i].split, (enum loss)l, rows, &c.checkpoint[0]);
            feature_by_definition(want, s, &c.checkpoint[0], some[i].split, some[i].index, (enum loss)l, 20, 64, 3, 42);
            for (size_t j = 0; j < 64; j++) {
                size += want[j] * want[j];
                error += pow(want[j] - (double)rows[some[i].index * 64 + j], 2);
            }
            if (!(sqrt(error) <= 2e-5 * sqrt(size))) die("%s of item %zu: off by %g of %g", loss_name((enum loss)l), i, sqrt(error), sqrt(size));
        }
    checkpoint_list_free(&c);
    store_close(s);
}

static void threads_losses_and_a_stop_change_no_bit_of_a_feature(void **state) {
    (void)state;
    struct store *s, *other = new_database("again");
    struct features_options o = tiny_features();
    struct train_options t = tiny_training();
    struct checkpoint_list c, d;
    float a[N * 64], b[N * 64];
    ok(store_open(&s, path("whole"), STORE_READ));
    ok(pipeline_train(other, &t, NULL));
    o.threads = 1;
    o.splits = 1u << SPLIT_TRAIN;
    o.losses = 1u << LOSS_SQUARE;
    struct stopper stop = { 0, 1 };
    struct progress p = { stop_at, &stop, &stop.cancel };
    assert_int_equal(pipeline_features(other, &o, &p), ERR_CANCELLED);
    ok(pipeline_features(other, &o, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(store_checkpoints_resolve(other, "last", &d));
    assert_string_equal(c.checkpoint[0].sha256, d.checkpoint[0].sha256);
    read_set(s, SPLIT_TRAIN, LOSS_SQUARE, a, &c.checkpoint[0]);
    read_set(other, SPLIT_TRAIN, LOSS_SQUARE, b, &d.checkpoint[0]);
    assert_memory_equal(a, b, sizeof a);
    checkpoint_list_free(&c);
    checkpoint_list_free(&d);
    store_close(s);
    store_close(other);
}

/* --- timesteps, draws, parts --- */

/* The set of these options for one loss and split of the last checkpoint. */
static struct feature_set find_set(struct store *s, const struct features_options *o, enum split split, enum loss loss) {
    struct feature_set_list l;
    struct feature_set found = { 0 };
    struct checkpoint_list c;
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        const struct feature_identity *f = &l.set[i].identity;
        if (f->split == split && !strcmp(f->loss, loss_name(loss)) && l.set[i].checkpoint == c.checkpoint[0].id &&
            f->timesteps == o->timesteps && f->draws == o->draws && f->parts == o->parts && f->k == o->dims &&
            !strcmp(f->rule, o->rule ? o->rule : "uniform"))
            found = l.set[i];
    }
    assert_true(found.id > 0);
    assert_int_equal(found.rows_done, found.rows);
    checkpoint_list_free(&c);
    feature_set_list_free(&l);
    return found;
}

/* One pair's gradient of one item, projected, by the definition of features. */
static void pair_by_definition(double *out, struct store *s, enum split split, size_t index, enum loss loss, size_t t,
                               size_t draw, const struct features_options *o) {
    struct stored_network net;
    struct project project;
    struct checkpoint_list c;
    struct unet_work *work;
    float x[D], x_t[D], noise[D], eps[D], d[D], time = (float)t;
    size_t n_params;
    ok(store_project_get(s, &project));
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(items_load(s, &project, split, index, 1, x));
    ok(stored_network_open(&net, s, &c.checkpoint[0], 1));
    ok(unet_work_new(&work, net.u, 1, 1, NULL));
    size_t p = unet_size(net.u);
    struct sum sum = { unet_params(net.u, &n_params), mem_array(p, sizeof(double)) };
    struct unet_sink sink = { add_gradient, &sum };
    rng_normal(noise, D, o->noise_seed, RNG_NOISE, (uint32_t)split << 29 | (uint32_t)index, (uint32_t)(draw << 17 | t));
    schedule_noised(net.schedule, x_t, x, noise, D, t);
    unet_forward(work, net.weights, eps, x_t, &time, 1);
    loss_gradient(loss, d, eps, noise, D, schedule_elbo_weight(net.schedule, t), 1);
    unet_backward(work, net.weights, d, &sink);
    struct projection proj = { PROJECTION_SJLT, o->projection_seed, p, (uint32_t)o->dims, 1, PROJECTION_VERSION };
    uint32_t *coord = mem_array(p, sizeof *coord), *table = mem_array(p, sizeof *table);
    unet_coordinates(net.u, coord);
    projection_table(&proj, NULL, p, table);
    memset(out, 0, o->dims * sizeof *out);
    for (size_t i = 0; i < p; i++) {
        uint32_t e = table[coord[i]];
        out[e >> 1] += e & 1 ? -sum.total[i] : sum.total[i];
    }
    mem_free(coord);
    mem_free(table);
    mem_free(sum.total);
    unet_work_free(work);
    stored_network_close(&net);
    checkpoint_list_free(&c);
}

static void expect_row(const float *got, const double *want, size_t k, double tolerance, const char *what) {
    double size = 0, error = 0;
    for (size_t j = 0; j < k; j++) {
        size += want[j] * want[j];
        error += pow(want[j] - (double)got[j], 2);
    }
    if (!(sqrt(error) <= tolerance * sqrt(size))) die("%s: off by %g of %g", what, sqrt(error), sqrt(size));
}

static void a_row_is_the_mean_over_timesteps_and_draws_and_a_part_over_its_share(void **state) {
    (void)state;
    enum { ROWS = 5, K = 64 };
    struct store *s;
    struct features_options o = tiny_features();
    float row[ROWS * K], part[ROWS * K];
    double pair[10][K], want[K];
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.losses = 1u << LOSS_SQUARE;
    o.splits = 1u << SPLIT_VAL;
    o.rule = "cumulative";
    o.timesteps = 5;
    o.draws = 2;
    for (size_t i = 0; i < 10; i++)
        pair_by_definition(pair[i], s, SPLIT_VAL, 3, LOSS_SQUARE, i % 5, i / 5, &o);
    static const size_t kinds[] = { 1, 2, 5, 10 };    /* 5: a row for each timestep */
    for (size_t n = 0; n < 4; n++) {
        o.parts = kinds[n];
        ok(pipeline_features(s, &o, NULL));
        struct feature_set set = find_set(s, &o, SPLIT_VAL, LOSS_SQUARE);
        ok(store_features_read(s, &set, 0, ROWS, row));
        memset(want, 0, sizeof want);
        for (size_t i = 0; i < 10; i++)
            for (size_t j = 0; j < K; j++) want[j] += pair[i][j] / 10;
        expect_row(row + 3 * K, want, K, 2e-6, "mean");
        for (size_t b = 0; b < o.parts; b++) {
            ok(store_features_read_part(s, &set, b, 0, ROWS, part));
            memset(want, 0, sizeof want);
            for (size_t i = b; i < 10; i += o.parts)
                for (size_t j = 0; j < K; j++) want[j] += pair[i][j] * (double)o.parts / 10;
            expect_row(part + 3 * K, want, K, 2e-6, "part");
        }
    }
    store_close(s);
}

static void the_mean_of_parts_is_the_ordinary_feature(void **state) {
    (void)state;
    enum { K = 64 };
    struct store *s;
    struct features_options o = tiny_features();
    static float plain[N * K], mean[N * K], part[N * K];
    double norm[N] = { 0 };     /* of the parts: rounding has the size of what is summed */
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_LINF;
    for (int l = LOSS_SIMPLE; l <= LOSS_LINF; l += LOSS_LINF - LOSS_SIMPLE)
        for (o.parts = 1; o.parts <= 20; o.parts *= o.parts == 1 ? 4 : 5) {   /* 1, 4, 20 */
            ok(pipeline_features(s, &o, NULL));
            struct feature_set set = find_set(s, &o, SPLIT_TRAIN, (enum loss)l);
            ok(store_features_read(s, &set, 0, N, o.parts == 1 ? plain : mean));
            memset(norm, 0, sizeof norm);
            for (size_t b = 0; b < o.parts; b++) {
                ok(store_features_read_part(s, &set, b, 0, N, part));
                for (size_t r = 0; r < N; r++) {
                    double square = 0;
                    for (size_t j = 0; j < K; j++) square += pow((double)part[r * K + j], 2);
                    norm[r] += sqrt(square) / (double)o.parts;
                }
            }
            for (size_t r = 0; o.parts > 1 && r < N; r++) {
                double error = 0;
                for (size_t j = 0; j < K; j++) error += pow((double)(plain[r * K + j] - mean[r * K + j]), 2);
                if (!(sqrt(error) <= 1e-6 * norm[r]))
                    die("%s, %zu parts, row %zu: off by %g of %g", loss_name((enum loss)l), o.parts, r, sqrt(error), norm[r]);
            }
        }
    store_close(s);
}

/* Rows of one set of a database as bytes, so that two ways to it can be compared. */
static void rows_of(struct store *s, const struct features_options *o, enum split split, enum loss loss, float *out) {
    struct feature_set set = find_set(s, o, split, loss);
    for (size_t b = 0; b < o->parts; b++)
        ok(store_features_read_part(s, &set, b, 0, set.rows, out + b * set.rows * o->dims));
}

static void no_way_to_a_feature_changes_a_bit(void **state) {
    (void)state;
    enum { K = 64, PARTS = 5 };
    static float want[PARTS * N * K], got[PARTS * N * K];
    struct train_options t = tiny_training();
    struct features_options o = tiny_features();
    struct store *s;
    char weights[400], same[400];
    ok(store_open(&s, path("whole"), STORE_READ));
    hashes(s, weights);
    store_close(s);
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_SQUARE;
    o.draws = 2;
    for (o.parts = 1; o.parts <= PARTS; o.parts += PARTS - 1) {
        for (o.threads = 1; o.threads <= 3; o.threads++) {
            char name[32];
            snprintf(name, sizeof name, "bits-%zu-%zu", o.parts, o.threads);
            s = new_database(name);
            ok(pipeline_train(s, &t, NULL));
            hashes(s, same);
            assert_string_equal(same, weights);
            if (o.threads == 2) {    /* the losses apart */
                struct features_options one = o;
                one.losses = 1u << LOSS_SQUARE;
                ok(pipeline_features(s, &one, NULL));
            }
            ok(pipeline_features(s, &o, NULL));
            rows_of(s, &o, SPLIT_TRAIN, LOSS_SQUARE, o.threads == 1 ? want : got);
            if (o.threads > 1) assert_memory_equal(got, want, o.parts * N * K * sizeof *want);
            if (o.threads == 1) {
                /* Items that come one by one make the last block anew each time. */
                struct features_options val = o;
                val.splits = 1u << SPLIT_VAL;
                static float whole[PARTS * 5 * K], grown[PARTS * 5 * K];
                rows_of(s, &o, SPLIT_VAL, LOSS_SQUARE, whole);
                struct store *other;
                snprintf(name, sizeof name, "grown-%zu", o.parts);
                other = database_with(name, N, 0);
                ok(pipeline_train(other, &t, NULL));
                for (size_t i = 0; i < 5; i++) {
                    add_some(other, SPLIT_VAL, 5, i, 1);
                    ok(pipeline_features(other, &val, NULL));
                }
                rows_of(other, &val, SPLIT_VAL, LOSS_SQUARE, grown);
                assert_memory_equal(grown, whole, o.parts * 5 * K * sizeof *whole);
                store_close(other);
            }
            store_close(s);
        }
    }
}

static void little_memory_means_fewer_threads_and_the_same_bits(void **state) {
    (void)state;
    enum { K = 32 };
    static float want[N * K], got[N * K];
    struct features_options o = tiny_features();
    struct store *s;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.losses = 1u << LOSS_SQUARE;
    o.dims = K;
    o.threads = 3;
    ok(pipeline_features(s, &o, NULL));
    rows_of(s, &o, SPLIT_TRAIN, LOSS_SQUARE, want);
    o.memory = 1000;
    o.noise_seed++;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    /* The message says what would do, and it does. */
    const char *says = strstr(fail_reason(), "needs ");
    assert_non_null(says);
    double mb = strtod(says + 6, NULL);
    assert_non_null(strstr(says, " MB of memory, 1.0 KB are allowed"));
    o.memory = (size_t)((mb + .06) * 1e6);
    struct cost told = { .flop = 0 };
    struct cost_sink sink = { take_cost, &told, 0 };
    o.cost = &sink;
    ok(pipeline_features(s, &o, NULL));
    assert_non_null(strstr(told.note, "1 of 3 threads"));
    assert_true(told.bytes_memory <= (double)o.memory);
    o.noise_seed--;
    struct feature_set set = find_set(s, &o, SPLIT_TRAIN, LOSS_SQUARE);
    assert_int_equal(set.identity.noise_seed, o.noise_seed + 1);
    ok(store_feature_set_delete(s, set.id));
    set = find_set(s, &o, SPLIT_TRAIN, LOSS_SQUARE);
    for (size_t b = 0; b < 2; b++) ok(store_feature_block_delete(s, &set, b));
    ok(pipeline_features(s, &o, NULL));
    rows_of(s, &o, SPLIT_TRAIN, LOSS_SQUARE, got);
    assert_memory_equal(got, want, sizeof want);
    store_close(s);
}

static void the_cost_counts_what_is_missing(void **state) {
    (void)state;
    struct features_options o = tiny_features();
    struct store *s;
    struct cost all = { .flop = 0 }, one = { .flop = 0 }, none = { .flop = 0 };
    struct cost_sink sink = { take_cost, &all, 1 };
    size_t sets;
    struct feature_set_list l;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_SQUARE;
    o.noise_seed = 77;
    o.cost = &sink;
    ok(store_feature_sets_list(s, &l));
    sets = l.count;
    feature_set_list_free(&l);
    ok(pipeline_features(s, &o, NULL));
    assert_true(all.flop > 0 && all.seconds > 0 && all.bytes_disk > (N + 5) * 64 * 2 && all.bytes_memory > 0);
    ok(store_feature_sets_list(s, &l));
    assert_int_equal(l.count, sets);     /* a dry run makes nothing */
    feature_set_list_free(&l);
    sink.only = 0;
    sink.ctx = &none;
    o.losses = 1u << LOSS_SIMPLE;
    ok(pipeline_features(s, &o, NULL));
    sink.only = 1;
    sink.ctx = &one;
    o.losses |= 1u << LOSS_SQUARE;
    ok(pipeline_features(s, &o, NULL));
    assert_true(one.flop < .7 * all.flop && one.flop > .3 * all.flop);
    sink.only = 0;
    ok(pipeline_features(s, &o, NULL));
    sink.ctx = &none;
    ok(pipeline_features(s, &o, NULL));
    assert_true(none.flop == 0 && none.seconds == 0);
    store_close(s);
}

static void the_training_loss_of_every_item_is_kept(void **state) {
    (void)state;
    struct store *s;
    struct features_options o = tiny_features();
    struct stat_set_list l;
    struct checkpoint_list c;
    struct project project;
    struct stored_network net;
    struct unet_work *work;
    float x[D], x_t[D], noise[D], eps[D];
    double want = 0, got[N];
    size_t present;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.noise_seed = 5;
    o.losses = 1u << LOSS_AVG;
    o.parts = 4;
    ok(pipeline_features(s, &o, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    struct stat_key key = { "train_loss", "timesteps 20 uniform, draws 1, noise seed 5", c.checkpoint[0].id, SPLIT_TRAIN };
    ok(store_stat_get(s, &key, 0, N, got, &present));
    assert_int_equal(present, N);
    ok(store_stats_list(s, &l));
    assert_true(l.count >= 3);
    stat_set_list_free(&l);
    ok(store_project_get(s, &project));
    ok(items_load(s, &project, SPLIT_TRAIN, 35, 1, x));
    ok(stored_network_open(&net, s, &c.checkpoint[0], 0));
    ok(unet_work_new(&work, net.u, 1, 0, NULL));
    for (size_t t = 0; t < 1000; t += 50) {
        float time = (float)t;
        items_noise(noise, D, 5, SPLIT_TRAIN, 35, t, 0);
        schedule_noised(net.schedule, x_t, x, noise, D, t);
        unet_forward(work, net.weights, eps, x_t, &time, 1);
        want += loss_value(LOSS_SIMPLE, eps, noise, D, 1) / 20;
    }
    assert_near(got[35], want, 1e-6 * want, 0);
    unet_work_free(work);
    stored_network_close(&net);
    checkpoint_list_free(&c);
    store_close(s);
}

/* What das multiplies with: at the pairs that the features were made of, from forward passes alone. */
static void residuals_are_roots_of_the_errors_at_the_features_timesteps(void **state) {
    (void)state;
    struct store *s;
    struct features_options o = tiny_features();
    struct score_options score = SCORE_DEFAULTS;
    struct checkpoint_list c;
    struct project project;
    struct stored_network net;
    struct unet_work *work;
    struct stopper stop = { .at = 3 };
    struct progress p = { stop_at, &stop, &stop.cancel };
    float x[D], x_t[D], noise[D], eps[D];
    double got[N], shape[N];
    size_t present;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.noise_seed = 11;
    o.losses = 1u << LOSS_AVG;
    o.timesteps = 4;
    o.draws = 3;
    ok(pipeline_features(s, &o, NULL));
    score.methods = "das";
    score.timesteps = 4;
    assert_int_equal(pipeline_score(s, &score, &p), ERR_CANCELLED);
    ok(pipeline_score(s, &score, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    struct stat_key rms = { "das_rms", "timesteps 4 uniform, draws 3, noise seed 11", c.checkpoint[0].id, SPLIT_TRAIN };
    struct stat_key released = { "das_released", rms.key, rms.checkpoint, SPLIT_TRAIN };
    ok(store_stat_get(s, &rms, 0, N, got, &present));
    assert_int_equal(present, N);
    ok(store_stat_get(s, &released, 0, N, shape, &present));
    assert_int_equal(present, N);
    ok(store_project_get(s, &project));
    ok(stored_network_open(&net, s, &c.checkpoint[0], 0));
    ok(unet_work_new(&work, net.u, 1, 0, NULL));
    for (size_t item = 0; item < N; item += 12) {
        double roots = 0, sum = 0;
        ok(items_load(s, &project, SPLIT_TRAIN, item, 1, x));
        for (size_t t = 0; t < 1000; t += 250)
            for (size_t draw = 0; draw < 3; draw++) {
                float time = (float)t;
                items_noise(noise, D, 11, SPLIT_TRAIN, item, t, draw);
                schedule_noised(net.schedule, x_t, x, noise, D, t);
                unet_forward(work, net.weights, eps, x_t, &time, 1);
                double e = loss_value(LOSS_SIMPLE, eps, noise, D, 1);
                roots += sqrt(e) / 12;
                sum += e;
            }
        assert_near(got[item], roots, 0, 1e-5);
        assert_near(shape[item], roots / sqrt(sum), 0, 1e-5);
    }
    unet_work_free(work);
    stored_network_close(&net);
    checkpoint_list_free(&c);
    store_close(s);
}

/* --- gradient --- */

static struct feature_set projected_set(struct store *s, const struct features_options *o, enum loss loss) {
    struct feature_set found = { 0 };
    struct feature_set_list l;
    struct checkpoint_list c;
    enum projection_kind kind;
    uint32_t nonzeros;
    ok(projection_parse(o->projection, &kind, &nonzeros));
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) {
        const struct feature_identity *f = &l.set[i].identity;
        if (f->split == SPLIT_VAL && !strcmp(f->loss, loss_name(loss)) && l.set[i].checkpoint == c.checkpoint[0].id &&
            f->timesteps == o->timesteps && f->k == o->dims && f->draws == 1 && f->parts == 1 && f->nonzeros == nonzeros &&
            f->noise_seed == o->noise_seed && !strcmp(f->projection, projection_kind_name(kind)))
            found = l.set[i];
    }
    assert_true(found.id > 0);
    feature_set_list_free(&l);
    checkpoint_list_free(&c);
    return found;
}

static void a_whole_gradient_projects_to_the_feature(void **state) {
    (void)state;
    enum { K = 64 };
    struct store *s;
    struct features_options o = tiny_features();
    struct gradient_options g = GRADIENT_DEFAULTS;
    struct safetensors *f;
    struct stored_network net;
    struct checkpoint_list c;
    unsigned char *bytes;
    float rows[5 * K], noise[20 * D], output[20 * D];
    double got[K];
    size_t timesteps[20], len, n_params;
    char file[96];
    snprintf(file, sizeof file, "%s/gradient.safetensors", dir);
    ok(store_open(&s, path("whole"), STORE_WRITE));
    ok(store_checkpoints_resolve(s, "last", &c));
    ok(stored_network_open(&net, s, &c.checkpoint[0], 0));
    for (size_t i = 0; i < 20; i++) timesteps[i] = 50 * i;
    g.losses = 1u << LOSS_ELBO | 1u << LOSS_L1;
    g.item = "val:2";
    g.timesteps = timesteps;
    g.n_timesteps = 20;
    g.noise_seed = o.noise_seed;
    ok(pipeline_gradient(s, &g, file, NULL));
    ok(file_read(&bytes, &len, file, 1 << 26));
    ok(safetensors_open(&f, bytes, len, file));
    assert_string_equal(safetensors_meta(f, "checkpoint"), c.checkpoint[0].sha256);
    assert_string_equal(safetensors_meta(f, "item"), "val:2");
    ok(safetensors_read(noise, 20 * D, f, "noise"));
    ok(safetensors_read(output, 20 * D, f, "output"));
    size_t p = unet_size(net.u);
    float *grad = mem_array(p, sizeof *grad);
    const struct unet_param *params = unet_params(net.u, &n_params);
    o.losses = g.losses;
    o.splits = 1u << SPLIT_VAL;
    for (int l = LOSS_ELBO; l <= LOSS_L1; l += LOSS_L1 - LOSS_ELBO) {
        double value = 0;
        char name[128];
        for (size_t i = 0; i < n_params; i++) {
            snprintf(name, sizeof name, "%s/%s", loss_name((enum loss)l), params[i].name);
            ok(safetensors_read(grad + params[i].offset, params[i].count, f, name));
        }
        static const char *const kinds[] = { "sjlt", "sjlt:4", "rademacher", "gaussian", "srht" };
        for (size_t k = 0; k < 5; k++) {
            struct projection proj = { PROJECTION_SJLT, o.projection_seed, p, K, 1, PROJECTION_VERSION };
            struct projector *pr;
            struct projection_work *w;
            float out[K], again[5 * K];
            o.projection = kinds[k];
            o.threads = 3;
            ok(pipeline_features(s, &o, NULL));
            struct feature_set set = projected_set(s, &o, (enum loss)l);
            ok(store_features_read(s, &set, 0, 5, rows));
            ok(projection_parse(kinds[k], &proj.kind, &proj.s));
            ok(projector_new(&pr, &proj, NULL));
            ok(projection_work_new(&w, pr, 1, 1, (size_t)1 << 28));
            projection_begin(w, 1, out);
            projection_add(w, 0, 0, 0, grad, p, 1);
            assert_int_equal(projection_finish(w, NULL, NULL), 1);
            for (size_t j = 0; j < K; j++) got[j] = (double)out[j];
            expect_row(rows + 2 * K, got, K, 5e-6, kinds[k]);
            projection_work_free(w);
            projector_free(pr);
            /* Another thread count, and rows that are gathered one by one. */
            ok(store_feature_block_delete(s, &set, 0));
            o.threads = 1;
            o.memory = 1;
            assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
            o.memory = (size_t)((strtod(strstr(fail_reason(), "needs ") + 6, NULL) + .06) * 1e6);
            ok(pipeline_features(s, &o, NULL));
            o.memory = 0;
            ok(store_features_read(s, &set, 0, 5, again));
            assert_memory_equal(again, rows, sizeof again);
        }
        for (size_t i = 0; i < 20; i++)
            value += loss_value((enum loss)l, output + i * D, noise + i * D, D, schedule_elbo_weight(net.schedule, 50 * i)) / 20;
        snprintf(name, sizeof name, "value.%s", loss_name((enum loss)l));
        assert_near(strtod(safetensors_meta(f, name), NULL), value, 1e-7 * value, 0);
    }
    mem_free(grad);
    safetensors_free(f);
    mem_free(bytes);
    stored_network_close(&net);
    checkpoint_list_free(&c);
    store_close(s);
}

static void what_cannot_be_done_is_said(void **state) {
    (void)state;
    struct store *s;
    struct features_options o = tiny_features();
    struct sample_options q = SAMPLE_DEFAULTS;
    ok(store_open(&s, path("whole"), STORE_WRITE));
    o.timesteps = 7;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "divisor"));
    o = tiny_features();
    o.parts = 3;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "3 blocks, expected a divisor of the 20 pairs"));
    o = tiny_features();
    o.rule = "logarithmic";
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    o = tiny_features();
    o.rule = "cumulative";
    o.timesteps = 1001;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    o = tiny_features();
    o.checkpoints = "33%";
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_MISSING);
    q.count = 1;
    q.steps = 30;
    assert_int_equal(pipeline_sample(s, &q, NULL), ERR_RANGE);
    store_close(s);
}

static int set_up(void **state) { (void)state; return mkdtemp(dir) ? 0 : -1; }
static int tear_down(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_that_is_stopped_twice_ends_with_the_same_weights),
        cmocka_unit_test(a_training_that_is_measured_first_ends_with_the_same_weights),
        cmocka_unit_test(items_survive_the_way_to_the_network_and_back),
        cmocka_unit_test(a_sample_depends_on_its_seed_alone),
        cmocka_unit_test(features_are_the_projected_gradients_of_every_loss),
        cmocka_unit_test(threads_losses_and_a_stop_change_no_bit_of_a_feature),
        cmocka_unit_test(a_row_is_the_mean_over_timesteps_and_draws_and_a_part_over_its_share),
        cmocka_unit_test(the_mean_of_parts_is_the_ordinary_feature),
        cmocka_unit_test(no_way_to_a_feature_changes_a_bit),
        cmocka_unit_test(little_memory_means_fewer_threads_and_the_same_bits),
        cmocka_unit_test(the_cost_counts_what_is_missing),
        cmocka_unit_test(the_training_loss_of_every_item_is_kept),
        cmocka_unit_test(residuals_are_roots_of_the_errors_at_the_features_timesteps),
        cmocka_unit_test(a_whole_gradient_projects_to_the_feature),
        cmocka_unit_test(what_cannot_be_done_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
