/* journey_test.c - features along the sampling path of generated items, and scores of them: against
 * DDIM and gradients written out in float64, on a network with unequal sides. */
#include "dtrak/loss.h"
#include "dtrak/pipeline.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "../lib/by_elimination.h"
#include "../lib/by_hand.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <string.h>

enum { N = 11, VAL = 2, GEN = 5, W = 12, H = 8, D = W * H, K = 7, STEPS = 10 };

static const struct study pictures = { .width = W, .height = H, .patch = 2, .items = { N, VAL, 0 } };

/* Two checkpoints; items 0 .. 2 were sampled from the last one, the rest from the first with eta 0.7. */
static struct store *world(const char *name) {
    struct store *s = study_new(name, &pictures);
    struct train_options t = study_training();
    struct sample_options o = SAMPLE_DEFAULTS;
    t.steps = 12;
    study_halves(&t);
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

/* The predicted picture of every step, DDIM in float64. */
static void path_by_definition(double path[STEPS][D], struct by_hand *h, uint64_t seed, double eta) {
    float in[D], eps[D], noise[D];
    double x[D];
    rng_normal(in, D, seed, RNG_LATENT, 0, 0);
    for (size_t j = 0; j < D; j++) x[j] = (double)in[j];
    for (size_t i = 0; i < STEPS; i++) {
        size_t t = (STEPS - 1 - i) * 100;
        double a = schedule_alpha_bar(h->net.schedule, t), next = i + 1 < STEPS ? schedule_alpha_bar(h->net.schedule, t - 100) : 1;
        double sigma = eta * sqrt((1 - next) / (1 - a)) * sqrt(1 - a / next);
        for (size_t j = 0; j < D; j++) in[j] = (float)x[j];
        by_hand_predict(h, eps, in, t);
        rng_normal(noise, D, seed, RNG_LATENT, 1, (uint32_t)i);
        for (size_t j = 0; j < D; j++) {
            double x0 = (x[j] - sqrt(1 - a) * (double)eps[j]) / sqrt(a);
            path[i][j] = x0 > 1 ? 1 : x0 < -1 ? -1 : x0;
            x[j] = sqrt(next) * path[i][j] + sqrt(1 - next - sigma * sigma) * (double)eps[j] + sigma * (double)noise[j];
        }
    }
}

/* The mean gradient of 1/D |eps_theta(sqrt(a) x0 + sqrt(1 - a) n, t) - n|^2 or 1/D |eps_theta|^2, projected. */
static void feature_by_definition(double out[K], struct by_hand *h, size_t item, double path[STEPS][D], enum loss loss) {
    for (size_t i = 0; i < STEPS; i++) {
        size_t t = (STEPS - 1 - i) * 100;
        float x_t[D], noise[D], eps[D], d[D];
        double a = schedule_alpha_bar(h->net.schedule, t);
        rng_normal(noise, D, 3, RNG_NOISE, (uint32_t)SPLIT_GEN << 29 | (uint32_t)item, (uint32_t)t);
        for (size_t j = 0; j < D; j++) x_t[j] = (float)(sqrt(a) * path[i][j] + sqrt(1 - a) * (double)noise[j]);
        by_hand_predict(h, eps, x_t, t);
        for (size_t j = 0; j < D; j++)
            d[j] = (float)(2.0 / D / STEPS * ((double)eps[j] - (loss == LOSS_SIMPLE ? (double)noise[j] : 0)));
        by_hand_add(h, d);
    }
    by_hand_project(h, out, K, 42);
}

static struct feature_set find_set(struct store *s, enum split split, enum loss loss, const char *rule) {
    struct feature_set_list l;
    struct feature_set out = { 0 };
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.set[i].identity.split == split && !strcmp(l.set[i].identity.loss, loss_name(loss)) &&
            !strcmp(l.set[i].identity.rule, rule)) out = l.set[i];
    feature_set_list_free(&l);
    if (!out.id) die("there is no set of %s, rule %s", split_name(split), rule);
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
    struct by_hand half, last;
    ok(pipeline_features(s, &o, NULL));
    by_hand_open(&half, s, "50%");
    by_hand_open(&last, s, "last");
    static const enum loss losses[] = { LOSS_SIMPLE, LOSS_SQUARE };
    for (size_t l = 0; l < 2; l++) {
        float rows[GEN * K];
        struct feature_set f = find_set(s, SPLIT_GEN, losses[l], "journey");
        assert_int_equal(f.identity.timesteps, STEPS);
        assert_int_equal(f.rows_done, GEN);
        read_rows(s, SPLIT_GEN, losses[l], "journey", rows);
        for (size_t i = 0; i < GEN; i++) {
            double path[STEPS][D], want[K];
            path_by_definition(path, i < 3 ? &last : &half, i < 3 ? 40 + i : 7 + i - 3, i < 3 ? 0 : .7);
            feature_by_definition(want, &last, i, path, losses[l]);
            expect_row(rows + i * K, want, K, 1e-4, loss_name(losses[l]));
        }
    }
    by_hand_close(&half);
    by_hand_close(&last);
    store_close(s);
}

/* --- however it is made --- */

static void threads_and_a_stop_change_no_bit(void **state) {
    (void)state;
    struct store *a = world("threads.db"), *b = world("stopped.db");
    struct features_options o = options(1u << LOSS_SIMPLE);
    float one[GEN * K], other[GEN * K];
    o.memory = (size_t)1 << 30;
    ok(pipeline_features(a, &o, NULL));
    struct stopper stop = { .at_report = 1 };
    o.threads = 1;
    assert_int_equal(pipeline_features(b, &o, stopper_progress(&stop)), ERR_CANCELLED);
    assert_int_equal(find_set(b, SPLIT_GEN, LOSS_SIMPLE, "journey").rows_done, 0);
    ok(pipeline_features(b, &o, NULL));
    read_rows(a, SPLIT_GEN, LOSS_SIMPLE, "journey", one);
    read_rows(b, SPLIT_GEN, LOSS_SIMPLE, "journey", other);
    assert_memory_equal(one, other, sizeof one);
    store_close(a);
    store_close(b);
}

/* --- scores --- */

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
    struct score_query q = { "journey", "simple", c.checkpoint[0].id, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
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
    double trace = dot_product(phi[0], phi[0], N * K);
    for (size_t m = 0; m < GEN; m++) {
        double x[K], size = 0;
        ridge_by_elimination(x, phi[0], N, K, K, .2 * trace / N, g + m * K);
        ok(store_score_read(s, &set, m, row));
        for (size_t n = 0; n < N; n++) size += (double)row[n] * (double)row[n];
        for (size_t n = 0; n < N; n++) assert_near(row[n], dot_solution(x, phi[n], K), 1e-6 * sqrt(size), 1e-6);
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
    q = (struct score_query){ "journey", "simple", -1, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
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
    study_add(s, &pictures, SPLIT_GEN, 0, 1);
    refused(pipeline_features(s, &o, NULL), ERR_MISSING, "gen:5 has no sampling path");
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_the_predicted_pictures),
        cmocka_unit_test(threads_and_a_stop_change_no_bit),
        cmocka_unit_test(scores_are_ridge_scores_of_these_features),
        cmocka_unit_test(items_without_a_path_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
