/* features_test.c - what the verb `features` stores: the projected gradients, training losses and
 * residuals that the definitions give, one image and one timestep at a time. */
#include "dtrak/loss.h"
#include "dtrak/pipeline.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "../lib/by_hand.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"
#include "../lib/trained_study.h"

#include <stdio.h>
#include <string.h>

enum { N = STUDY_TRAIN, D = STUDY_D, K = 64 };

/* Trained, and two pictures generated. */
static struct store *study(void) {
    struct store *s = trained_study("study.db");
    struct sample_options o = SAMPLE_DEFAULTS;
    o.steps = 10;
    o.count = 2;
    o.seed = 100;
    ok(pipeline_sample(s, &o, NULL));
    return s;
}

/* Adds the gradient of one item's loss at one timestep, times weight. */
static void add_pair(struct by_hand *h, struct item_ref item, enum loss loss, size_t t, size_t draw, uint64_t seed, double weight) {
    float noise[D], eps[D], d[D];
    by_hand_item(h, eps, noise, item, t, draw, seed);
    loss_gradient(loss, d, eps, noise, D, schedule_elbo_weight(h->net.schedule, t), weight);
    by_hand_add(h, d);
}

static void features_are_the_projected_gradients_of_every_loss(void **state) {
    (void)state;
    static const struct item_ref some[] = { { SPLIT_TRAIN, 0 }, { SPLIT_TRAIN, 36 }, { SPLIT_VAL, 4 }, { SPLIT_GEN, 1 } };
    struct store *s = study();
    struct features_options o = trained_features();
    struct by_hand h;
    float rows[N * K];
    double want[K];
    ok(pipeline_features(s, &o, NULL));
    by_hand_open(&h, s, "last");
    for (size_t i = 0; i < 4; i++)
        for (int l = 0; l < LOSS_COUNT; l++) {
            char what[64];
            snprintf(what, sizeof what, "%s of %s:%zu", loss_name((enum loss)l), split_name(some[i].split), some[i].index);
            for (size_t t = 0; t < SCHEDULE_T; t += SCHEDULE_T / 20) add_pair(&h, some[i], (enum loss)l, t, 0, o.noise_seed, 1. / 20);
            by_hand_project(&h, want, K, o.projection_seed);
            trained_rows(s, &o, some[i].split, (enum loss)l, rows);
            expect_row(rows + some[i].index * K, want, K, 2e-5, what);
        }
    by_hand_close(&h);
    store_close(s);
}

/* --- timesteps, draws, parts --- */

static void a_row_is_the_mean_over_timesteps_and_draws_and_a_part_over_its_share(void **state) {
    (void)state;
    static const size_t kinds[] = { 1, 2, 5, 10 };    /* 5: a row for each timestep */
    struct store *s = study();
    struct features_options o = trained_features();
    struct by_hand h;
    float row[STUDY_VAL * K], part[STUDY_VAL * K];
    double pair[10][K], want[K];
    o.losses = 1u << LOSS_SQUARE;
    o.splits = 1u << SPLIT_VAL;
    o.rule = "cumulative";
    o.timesteps = 5;
    o.draws = 2;
    by_hand_open(&h, s, "last");
    for (size_t i = 0; i < 10; i++) {
        add_pair(&h, (struct item_ref){ SPLIT_VAL, 3 }, LOSS_SQUARE, i % 5, i / 5, o.noise_seed, 1);
        by_hand_project(&h, pair[i], K, o.projection_seed);
    }
    by_hand_close(&h);
    for (size_t n = 0; n < 4; n++) {
        o.parts = kinds[n];
        ok(pipeline_features(s, &o, NULL));
        struct feature_set set = trained_set(s, &o, SPLIT_VAL, LOSS_SQUARE);
        ok(store_features_read(s, &set, 0, STUDY_VAL, row));
        memset(want, 0, sizeof want);
        for (size_t i = 0; i < 10; i++)
            for (size_t j = 0; j < K; j++) want[j] += pair[i][j] / 10;
        expect_row(row + 3 * K, want, K, 2e-6, "mean");
        for (size_t b = 0; b < o.parts; b++) {
            ok(store_features_read_part(s, &set, b, 0, STUDY_VAL, part));
            memset(want, 0, sizeof want);
            for (size_t i = b; i < 10; i += o.parts)
                for (size_t j = 0; j < K; j++) want[j] += pair[i][j] * (double)o.parts / 10;
            expect_row(part + 3 * K, want, K, 2e-6, "part");
        }
    }
    store_close(s);
}

static double length(const float *x) {
    double square = 0;
    for (size_t j = 0; j < K; j++) square += pow((double)x[j], 2);
    return sqrt(square);
}

static void the_mean_of_parts_is_the_ordinary_feature(void **state) {
    (void)state;
    struct store *s = study();
    struct features_options o = trained_features();
    static float plain[N * K], mean[N * K], part[N * K];
    double norm[N] = { 0 };     /* of the parts: rounding has the size of what is summed */
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_LINF;
    for (int l = LOSS_SIMPLE; l <= LOSS_LINF; l += LOSS_LINF - LOSS_SIMPLE)
        for (o.parts = 1; o.parts <= 20; o.parts *= o.parts == 1 ? 4 : 5) {   /* 1, 4, 20 */
            ok(pipeline_features(s, &o, NULL));
            struct feature_set set = trained_set(s, &o, SPLIT_TRAIN, (enum loss)l);
            ok(store_features_read(s, &set, 0, N, o.parts == 1 ? plain : mean));
            memset(norm, 0, sizeof norm);
            for (size_t b = 0; b < o.parts; b++) {
                ok(store_features_read_part(s, &set, b, 0, N, part));
                for (size_t r = 0; r < N; r++) norm[r] += length(part + r * K) / (double)o.parts;
            }
            for (size_t r = 0; o.parts > 1 && r < N; r++) {
                float error[K];
                for (size_t j = 0; j < K; j++) error[j] = plain[r * K + j] - mean[r * K + j];
                if (!(length(error) <= 1e-6 * norm[r]))
                    die("%s, %zu parts, row %zu: off by %g of %g", loss_name((enum loss)l), o.parts, r, length(error), norm[r]);
            }
        }
    store_close(s);
}

/* --- what is measured along the way --- */

static void the_training_loss_of_every_item_is_kept(void **state) {
    (void)state;
    struct store *s = study();
    struct features_options o = trained_features();
    struct stat_set_list l;
    struct checkpoint_list c;
    struct by_hand h;
    float noise[D], eps[D];
    double want = 0, got[N];
    size_t present;
    o.noise_seed = 5;
    o.losses = 1u << LOSS_AVG;
    o.parts = 4;
    ok(pipeline_features(s, &o, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    struct stat_key key = { "train_loss", "timesteps 20 uniform, draws 1, noise seed 5", c.checkpoint[0].id, SPLIT_TRAIN };
    checkpoint_list_free(&c);
    ok(store_stat_get(s, &key, 0, N, got, &present));
    assert_int_equal(present, N);
    ok(store_stats_list(s, &l));
    assert_true(l.count >= 3);      /* of each split */
    stat_set_list_free(&l);
    by_hand_open(&h, s, "last");
    for (size_t t = 0; t < SCHEDULE_T; t += 50) {
        by_hand_item(&h, eps, noise, (struct item_ref){ SPLIT_TRAIN, 35 }, t, 0, 5);
        want += loss_value(LOSS_SIMPLE, eps, noise, D, 1) / 20;
    }
    assert_near(got[35], want, 1e-6 * want, 0);
    by_hand_close(&h);
    store_close(s);
}

/* What das multiplies with: at the pairs that the features were made of, from forward passes alone. */
static void residuals_are_roots_of_the_errors_at_the_features_timesteps(void **state) {
    (void)state;
    struct store *s = study();
    struct features_options o = trained_features();
    struct score_options score = SCORE_DEFAULTS;
    struct checkpoint_list c;
    struct by_hand h;
    struct stopper stop = { .at_done = 3 };
    float noise[D], eps[D];
    double got[N], shape[N];
    size_t present;
    o.noise_seed = 11;
    o.losses = 1u << LOSS_AVG;
    o.timesteps = 4;
    o.draws = 3;
    ok(pipeline_features(s, &o, NULL));
    score.methods = "das";
    score.timesteps = 4;
    assert_int_equal(pipeline_score(s, &score, stopper_progress(&stop)), ERR_CANCELLED);
    ok(pipeline_score(s, &score, NULL));
    ok(store_checkpoints_resolve(s, "last", &c));
    struct stat_key rms = { "das_rms", "timesteps 4 uniform, draws 3, noise seed 11", c.checkpoint[0].id, SPLIT_TRAIN };
    struct stat_key released = { "das_released", rms.key, rms.checkpoint, SPLIT_TRAIN };
    checkpoint_list_free(&c);
    ok(store_stat_get(s, &rms, 0, N, got, &present));
    assert_int_equal(present, N);
    ok(store_stat_get(s, &released, 0, N, shape, &present));
    assert_int_equal(present, N);
    by_hand_open(&h, s, "last");
    for (size_t item = 0; item < N; item += 12) {
        double roots = 0, sum = 0;
        for (size_t t = 0; t < SCHEDULE_T; t += 250)
            for (size_t draw = 0; draw < 3; draw++) {
                by_hand_item(&h, eps, noise, (struct item_ref){ SPLIT_TRAIN, item }, t, draw, 11);
                double e = loss_value(LOSS_SIMPLE, eps, noise, D, 1);
                roots += sqrt(e) / 12;
                sum += e;
            }
        assert_near(got[item], roots, 0, 1e-5);
        assert_near(shape[item], roots / sqrt(sum), 0, 1e-5);
    }
    by_hand_close(&h);
    store_close(s);
}

static void what_cannot_be_done_is_said(void **state) {
    (void)state;
    struct store *s = study();
    struct features_options o = trained_features();
    o.timesteps = 7;
    refused(pipeline_features(s, &o, NULL), ERR_RANGE, "divisor");
    o = trained_features();
    o.parts = 3;
    refused(pipeline_features(s, &o, NULL), ERR_RANGE, "3 blocks, expected a divisor of the 20 pairs");
    o = trained_features();
    o.rule = "logarithmic";
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    o = trained_features();
    o.rule = "cumulative";
    o.timesteps = 1001;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    o = trained_features();
    o.checkpoints = "33%";
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_MISSING);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_the_projected_gradients_of_every_loss),
        cmocka_unit_test(a_row_is_the_mean_over_timesteps_and_draws_and_a_part_over_its_share),
        cmocka_unit_test(the_mean_of_parts_is_the_ordinary_feature),
        cmocka_unit_test(the_training_loss_of_every_item_is_kept),
        cmocka_unit_test(residuals_are_roots_of_the_errors_at_the_features_timesteps),
        cmocka_unit_test(what_cannot_be_done_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
