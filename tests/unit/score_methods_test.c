/* score_methods_test.c - the verb `score` for methods that are not one product or one ridge:
 * means over checkpoints, das, nda. */
#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/nda.h"
#include "dtrak/pipeline.h"
#include "dtrak/ranking.h"
#include "dtrak/store.h"
#include "../lib/by_elimination.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <string.h>

enum { N = 23, GEN = 7, VAL = 3, SIDE = 6, D = SIDE * SIDE, K = 9, CHECKPOINTS = 2 };

static const struct study study = { .width = SIDE, .height = SIDE, .patch = 2, .items = { N, VAL, GEN } };
static float feature[CHECKPOINTS][SPLIT_COUNT][N][K];

static struct checkpoint_list checkpoints(struct store *s) {
    struct checkpoint_list l;
    ok(store_checkpoints_resolve(s, "all", &l));
    return l;
}

static void add_features(struct store *s, size_t c, const char *loss, uint64_t projection_seed) {
    struct checkpoint_list l = checkpoints(s);
    for (int q = 0; q < SPLIT_COUNT; q++) {
        struct feature_identity id = rig_identity(s, (enum split)q);
        id.k = K;
        id.float32 = 1;
        id.projection_seed = projection_seed;
        memcpy(id.checkpoint_sha256, l.checkpoint[c].sha256, sizeof id.checkpoint_sha256);
        snprintf(id.loss, sizeof id.loss, "%s", loss);
        rig_features(s, &id, study.items[q], feature[c][q][0]);
    }
    checkpoint_list_free(&l);
}

static struct store *world(const char *name) {
    struct store *s = study_new(name, &study);
    for (size_t c = 0; c < CHECKPOINTS; c++) {
        study_checkpoint(s, 400 * (c + 1), 50 * (double)(c + 1));
        for (size_t q = 0; q < SPLIT_COUNT; q++)
            for (size_t i = 0; i < N * K; i++) feature[c][q][i / K][i % K] = rig_value(i, 20 + 3 * c + q);
    }
    return s;
}

static struct score_set find_set(struct store *s, const char *method, const char *loss, int64_t checkpoint, enum split split) {
    struct score_set set;
    struct score_query q = { method, loss, checkpoint, split, NULL, 0, 0, 0, NULL, 0 };
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.rows_done, study.items[split]);
    return set;
}

/* --- over checkpoints --- */

static void tracin_and_gas_are_means_over_checkpoints(void **state) {
    (void)state;
    struct store *s = world("tracin.db");
    struct score_options o = SCORE_DEFAULTS;
    for (size_t c = 0; c < CHECKPOINTS; c++) add_features(s, c, "simple", 42);
    o.methods = "tracin,gas";
    o.checkpoints = "all";
    ok(pipeline_score(s, &o, NULL));
    for (int split = SPLIT_VAL; split < SPLIT_COUNT; split++) {
        struct score_set tracin = find_set(s, "tracin", "simple", -1, (enum split)split);
        struct score_set gas = find_set(s, "gas", "simple", -1, (enum split)split);
        assert_int_equal(tracin.checkpoints, CHECKPOINTS);
        assert_true(tracin.checkpoint[0] < tracin.checkpoint[1]);
        assert_int_equal(tracin.timesteps, 10);
        assert_int_equal(tracin.k, K);
        for (size_t q = 0; q < study.items[split]; q++) {
            float a[N], b[N];
            ok(store_score_read(s, &tracin, q, a));
            ok(store_score_read(s, &gas, q, b));
            for (size_t n = 0; n < N; n++) {
                double products = 0, cosines = 0;
                for (size_t c = 0; c < CHECKPOINTS; c++) {
                    const float *g = feature[c][split][q], *phi = feature[c][SPLIT_TRAIN][n];
                    products += dot_product(g, phi, K) / CHECKPOINTS;
                    cosines += dot_product(g, phi, K) / sqrt(dot_product(g, g, K) * dot_product(phi, phi, K)) / CHECKPOINTS;
                }
                assert_near((double)a[n], products, 1e-6, 1e-6);
                assert_near((double)b[n], cosines, 1e-6, 1e-6);
            }
        }
    }
    store_close(s);
}

static void an_ensemble_is_the_mean_of_its_models(void **state) {
    (void)state;
    struct store *s = world("ensemble.db");
    struct score_options o = SCORE_DEFAULTS;
    static const char *const lambdas[2] = { "0.05", "auto" };
    for (size_t c = 0; c < CHECKPOINTS; c++) add_features(s, c, "square", 42);
    struct checkpoint_list l = checkpoints(s);
    o.methods = "dtrak,relative-if";
    o.losses = 1u << LOSS_SQUARE;
    o.checkpoints = "400,800";
    o.lambda = "0.05,auto";
    o.ensemble = 1;
    ok(pipeline_score(s, &o, NULL));
    for (size_t t = 0; t < 4; t++) {
        const char *method = t % 2 ? "relative-if" : "trak";
        struct score_set set[CHECKPOINTS + 1];
        for (size_t c = 0; c <= CHECKPOINTS; c++) {
            struct score_query q = { method, "square", c < CHECKPOINTS ? l.checkpoint[c].id : -1, SPLIT_GEN, lambdas[t / 2], 0, 0, 0, NULL, 0 };
            ok(store_score_set_find(s, &q, &set[c]));
        }
        assert_string_equal(set[CHECKPOINTS].lambda_spec, lambdas[t / 2]);
        assert_true(isnan(set[CHECKPOINTS].lambda_abs));   /* each model has its own */
        for (size_t q = 0; q < GEN; q++) {
            float row[CHECKPOINTS + 1][N];
            for (size_t c = 0; c <= CHECKPOINTS; c++) ok(store_score_read(s, &set[c], q, row[c]));
            for (size_t n = 0; n < N; n++)
                assert_near((double)row[2][n], ((double)row[0][n] + (double)row[1][n]) / 2, 1e-12, 1e-6);
        }
    }
    checkpoint_list_free(&l);
    store_close(s);
}

static void a_second_run_makes_only_what_is_missing(void **state) {
    (void)state;
    struct store *s = world("again.db");
    struct score_options o = SCORE_DEFAULTS;
    struct score_set_list before, after;
    struct stopper last[3] = { { .phase = "scores" }, { .phase = "scores" }, { .phase = "scores" } };
    for (size_t c = 0; c < CHECKPOINTS; c++) add_features(s, c, "simple", 42);
    o.methods = "tracin,nda";
    o.checkpoints = "all";
    o.nda.patch = 3;
    o.nda.at = "500";
    ok(pipeline_score(s, &o, stopper_progress(&last[0])));
    assert_true(last[0].done == 4 * (GEN + VAL) && last[0].total == last[0].done);   /* grad-dot twice, tracin, nda */
    ok(store_score_sets_list(s, &before));
    ok(pipeline_score(s, &o, stopper_progress(&last[1])));
    ok(store_score_sets_list(s, &after));
    assert_int_equal(before.count, after.count);
    score_set_list_free(&before);
    score_set_list_free(&after);
    struct score_set tracin = find_set(s, "tracin", "simple", -1, SPLIT_GEN);
    float was[N], is[N];
    ok(store_score_read(s, &tracin, 5, was));
    static const char *const tables[2] = { "score", "score_top" };
    store_close(s);
    for (size_t t = 0; t < 2; t++) {
        char sql[128];
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE query = 5 AND score_set = %lld", tables[t], (long long)tracin.id);
        rig_sql(rig_path("again.db"), sql);
    }
    ok(store_open(&s, rig_path("again.db"), STORE_WRITE));
    assert_int_equal(store_score_read(s, &tracin, 5, is), ERR_MISSING);
    ok(pipeline_score(s, &o, stopper_progress(&last[2])));
    ok(store_score_read(s, &tracin, 5, is));
    assert_memory_equal(was, is, sizeof was);
    store_close(s);
}

static void checkpoints_made_differently_have_no_mean(void **state) {
    (void)state;
    struct store *s = world("differ.db");
    struct score_options o = SCORE_DEFAULTS;
    add_features(s, 0, "simple", 42);
    add_features(s, 1, "simple", 43);
    o.methods = "tracin";
    o.checkpoints = "all";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "400 and 800"));
    struct score_set_list l;
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 0);   /* said before anything was made */
    score_set_list_free(&l);
    o.checkpoints = "last";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    o.methods = "trak";
    o.ensemble = 1;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    store_close(s);
}

/* --- das --- */

static void das_is_the_ridge_score_times_residual_over_one_minus_leverage(void **state) {
    (void)state;
    static const struct { const char *form, *stat; int leverage; } forms[] = {
        { NULL, "das_rms", 1 }, { "released", "das_released", 0 }, { "none+leverage", NULL, 1 }, { "rms", "das_rms", 0 },
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        struct store *s = world("das.db");
        struct score_options o = SCORE_DEFAULTS;
        struct checkpoint_list l = checkpoints(s);
        double r[N], h[N];
        add_features(s, 1, "avg", 42);
        for (size_t n = 0; n < N; n++) r[n] = forms[f].stat ? 0.1 + 0.01 * (double)n : 1;
        /* What the identity of the rig's features says; there is no network here to measure it. */
        struct stat_key key = { forms[f].stat, "timesteps 10 uniform, draws 1, noise seed 7", l.checkpoint[1].id, SPLIT_TRAIN };
        if (forms[f].stat) ok(store_stat_put(s, &key, 0, N, r));
        o.methods = "trak,das,das-signed";
        o.losses = 1u << LOSS_AVG;
        o.self_influence = 1;
        o.das = forms[f].form;
        ok(pipeline_score(s, &o, NULL));
        size_t present;
        struct stat_key self = { "self_influence", "avg t10 k9 lambda auto noise 7 f32", l.checkpoint[1].id, SPLIT_TRAIN };
        ok(store_stat_get(s, &self, 0, N, h, &present));
        assert_int_equal(present, N);
        struct score_set trak = find_set(s, "trak", "avg", l.checkpoint[1].id, SPLIT_GEN);
        struct score_set plain = find_set(s, "das-signed", "avg", l.checkpoint[1].id, SPLIT_GEN);
        struct score_set square = find_set(s, "das", "avg", l.checkpoint[1].id, SPLIT_GEN);
        assert_non_null(strstr(square.params, forms[f].form ? forms[f].form : "\"das\":\"derived\"}"));
        int negative = 0;
        for (size_t q = 0; q < GEN; q++) {
            float t[N], a[N], b[N];
            ok(store_score_read(s, &trak, q, t));
            ok(store_score_read(s, &plain, q, a));
            ok(store_score_read(s, &square, q, b));
            for (size_t n = 0; n < N; n++) {
                double want = (double)t[n] * r[n] / (forms[f].leverage ? 1 - h[n] : 1);
                assert_near((double)a[n], want, 1e-12, 1e-6);
                assert_near((double)b[n], want * want, 1e-12, 1e-6);
                negative += a[n] < 0;
            }
        }
        assert_true(negative > 0);
        checkpoint_list_free(&l);
        store_close(s);
    }
}

static void das_asks_for_its_own_features(void **state) {
    (void)state;
    struct store *s = world("dasloss.db");
    struct score_options o = SCORE_DEFAULTS;
    add_features(s, 1, "simple", 42);
    o.methods = "das";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "--loss avg"));
    o.das = "sideways";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    store_close(s);
}

/* --- nda --- */

static void nda_is_that_of_the_images(void **state) {
    (void)state;
    struct store *s = world("nda.db");
    struct score_options o = SCORE_DEFAULTS;
    static float train[N * D], query[D], noise[2 * D];
    struct rows_memory memory = { train, D };
    struct rows rows = rows_in_memory(&memory, N);
    const size_t at[2] = { 150, 600 };
    struct nda_plan plan = { .first = { .C = 1, .H = SIDE, .W = SIDE, .patch = 4, .topk = 3, .is_exact = 1 },
                             .down_patch = 2, .alpha = 0.25, .t = at, .T = 2 };
    o.methods = "nda";
    o.nda = (struct score_nda){ 4, 2, 0.25, 3, "150,600", 9 };
    ok(pipeline_score(s, &o, NULL));
    unsigned char pixels[D];
    for (size_t i = 0; i < N * D; i++) {
        if (i % D == 0) study_pixels(pixels, &study, SPLIT_TRAIN, i / D);
        train[i] = (float)(pixels[i % D] / 127.5 - 1);
    }
    for (int split = SPLIT_VAL; split < SPLIT_COUNT; split++) {
        struct score_set set = find_set(s, "nda", "", 0, (enum split)split);
        assert_string_equal(set.params, "{\"low\":-1,\"high\":1,\"patch\":4,\"down_patch\":2,\"alpha\":0.25,\"topk\":3,"
                            "\"noise_seed\":9,\"at\":[150,600]}");
        for (size_t q = 0; q < study.items[split]; q++) {
            double want[N];
            float row[N];
            study_pixels(pixels, &study, (enum split)split, q);
            for (size_t j = 0; j < D; j++) query[j] = (float)(pixels[j] / 127.5 - 1);
            for (size_t t = 0; t < 2; t++) items_noise(noise + t * D, D, 9, (enum split)split, q, at[t], 0);
            ok(nda_attribute(want, &plan, query, noise, &rows, NULL, NULL));
            ok(store_score_read(s, &set, q, row));
            for (size_t n = 0; n < N; n++) assert_near((double)row[n], want[n], 1e-4, 1e-4);
        }
    }
    store_close(s);
}

static void nonsense_is_refused_before_anything_is_made(void **state) {
    (void)state;
    struct store *s = world("nonsense.db");
    struct score_options o = SCORE_DEFAULTS;
    static const char *const bad[] = { "", "5,3", "100,", "x", "1000", "100;200", "5,5", "99999999" };
    o.methods = "pixel-cos,nda";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.nda.at = bad[i];
        o.nda.patch = 3;
        assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    }
    o.nda.at = NULL;
    o.nda.patch = 13;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    o.nda.patch = 4;
    o.nda.down_patch = 3;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    struct score_set_list l;
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 0);
    score_set_list_free(&l);
    store_close(s);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct store *s = world("memory.db");
    struct score_options o = SCORE_DEFAULTS;
    struct checkpoint_list l = checkpoints(s);
    double r[N];
    for (size_t n = 0; n < N; n++) r[n] = 1;
    for (size_t c = 0; c < CHECKPOINTS; c++) {
        struct stat_key key = { "das_rms", "timesteps 10 uniform, draws 1, noise seed 7", l.checkpoint[c].id, SPLIT_TRAIN };
        add_features(s, c, "avg", 42);
        ok(store_stat_put(s, &key, 0, N, r));
    }
    checkpoint_list_free(&l);
    o.methods = "gas,das,nda";
    o.losses = 1u << LOSS_AVG;
    o.checkpoints = "all";
    o.ensemble = 1;
    o.threads = 1;
    o.nda.patch = 3;
    o.nda.at = "500";
    long before = mem_live();
    for (long n = 0;; n += 1 + n / 40) {   /* every one of the first, then further apart */
        mem_fail_after(n);
        enum status st = pipeline_score(s, &o, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        if (st != ERR_NOMEM) ok(st);
    }
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracin_and_gas_are_means_over_checkpoints),
        cmocka_unit_test(an_ensemble_is_the_mean_of_its_models),
        cmocka_unit_test(a_second_run_makes_only_what_is_missing),
        cmocka_unit_test(checkpoints_made_differently_have_no_mean),
        cmocka_unit_test(das_is_the_ridge_score_times_residual_over_one_minus_leverage),
        cmocka_unit_test(das_asks_for_its_own_features),
        cmocka_unit_test(nda_is_that_of_the_images),
        cmocka_unit_test(nonsense_is_refused_before_anything_is_made),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
