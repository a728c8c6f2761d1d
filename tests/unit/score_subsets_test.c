/* score_subsets_test.c - scores out of retrained networks, and trak with every loss: what is stored against
 * formulas in float64, with sizes that are all different; and what the report makes of the former. */
#include "dtrak/datamodel.h"
#include "dtrak/lds_report.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/stats.h"
#include "dtrak/store.h"
#include "../lib/by_elimination.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <string.h>

enum { N = 17, GEN = 9, VAL = 4, FIRST = 2, Q = 7, M = 14, K = 6, SIDE = 4 };

static const struct study study = { .width = SIDE, .height = SIDE, .items = { N, VAL, GEN } };
static unsigned char mask[M][N];
static double loss_of[M][2][Q];            /* by seed: the mean of the two halves of the timesteps */

/* A network on subset `index`: its loss falls with who is in. */
static void add_model(struct store *s, int64_t train, int64_t eval, size_t index, size_t seed, enum subset_state state) {
    struct subset_model m;
    float value[Q][OUTPUT_PARTS];
    for (size_t q = 0; q < Q; q++) {
        double y = 5 + .3 * (double)rig_value(index * Q + q, 50 + seed);
        for (size_t n = 0; n < N; n++) y -= mask[index][n] * .1 * (double)((n + q) % 5);
        value[q][0] = (float)(y + .02 * (double)rig_value(index + q, 7));
        value[q][1] = (float)(y - .01 * (double)rig_value(index + q, 8));
        loss_of[index][seed][q] = ((double)value[q][0] + (double)value[q][1]) / 2;
        if (state == SUBSET_DIVERGED) value[q][0] = NAN;
    }
    struct subset_output output = { eval, SPLIT_GEN, Q, value[0] };
    struct subset_result r = { .state = state, .train_loss = .1, .steps = 5, .output = &output, .outputs = 1 };
    ok(store_subset_claim(s, train, index, seed, mask[index], N, "me", &m));
    ok(store_subset_finish(s, m.id, "me", &r));
}

/* Outputs of gen:2 .. gen:8 from `models` subsets, each with two seeds. */
static struct store *world(const char *name, size_t models) {
    struct store *s = study_new(name, &study);
    int64_t train, eval;
    study_checkpoint(s, 400, 100);
    for (size_t i = 0; i < M * N; i++) mask[i / N][i % N] = rig_value(i, 91) > 0;
    ok(store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"version\":1,\"items\":\"x\",\"n\":17,\"draw\":{\"seed\":0},\"train\":{\"steps\":5}}", &train));
    ok(store_protocol_ensure(s, PROTOCOL_EVAL, "{\"version\":1,\"timesteps\":10,\"gen\":{\"first\":2,\"count\":7}}", &eval));
    for (size_t i = 0; i < models; i++)
        for (size_t seed = 0; seed < 2; seed++) add_model(s, train, eval, i, seed, SUBSET_DONE);
    return s;
}

static double target(size_t m, size_t q) { return (loss_of[m][0][q] + loss_of[m][1][q]) / 2; }

static struct score_set find_set(struct store *s, const char *method) {
    struct score_set set;
    struct score_query q = { method, "", 0, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.n, N);
    return set;
}

static struct score_options options(const char *methods) {
    struct score_options o = SCORE_DEFAULTS;
    o.methods = methods;
    return o;
}

static void influence_is_the_difference_of_means_and_a_datamodel_the_regression(void **state) {
    (void)state;
    struct store *s = world("subsets.db", M);
    struct score_options o = options("emp-influence,datamodel");
    double y[M * Q], want[Q * N];
    ok(pipeline_score(s, &o, NULL));
    struct score_set influence = find_set(s, "emp-influence"), model = find_set(s, "datamodel");
    assert_int_equal(influence.rows_done, Q);
    for (size_t i = 0; i < M * Q; i++) y[i] = target(i / Q, i % Q);
    ok(datamodel_ridge(want, NULL, &datamodel_default, mask[0], y, M, N, Q));   /* its own test: normal equations */
    for (size_t q = 0; q < Q; q++) {
        float row[N];
        ok(store_score_read(s, &influence, FIRST + q, row));
        for (size_t n = 0; n < N; n++) {
            double sum[2] = { 0 }, count[2] = { 0 };
            for (size_t m = 0; m < M; m++) {
                sum[mask[m][n]] += target(m, q);
                count[mask[m][n]]++;
            }
            assert_near(row[n], sum[0] / count[0] - sum[1] / count[1], 1e-6, 1e-6);
        }
        ok(store_score_read(s, &model, FIRST + q, row));
        for (size_t n = 0; n < N; n++) assert_near(row[n], want[q * N + n], 1e-6, 1e-6);
        assert_int_equal(store_score_read(s, &model, 0, row), ERR_MISSING);   /* never evaluated */
    }
    store_close(s);
}

/* LDS by its definition, one half predicted by the other, both ways. */
static double halves(const struct datamodel *o) {
    double sum = 0;
    for (size_t h = 0; h < 2; h++) {
        unsigned char part[M / 2 * N];
        double y[M / 2 * Q], scores[Q * N];
        for (size_t i = 0; i < M / 2; i++) {
            memcpy(part + i * N, mask[2 * i + 1 - h], N);
            for (size_t q = 0; q < Q; q++) y[i * Q + q] = target(2 * i + 1 - h, q);
        }
        if (o) ok(datamodel_ridge(scores, NULL, o, part, y, M / 2, N, Q));
        else ok(datamodel_influence(scores, NULL, part, y, M / 2, N, Q));
        for (size_t q = 0; q < Q; q++) {
            double p[M / 2], t[M / 2], rho;
            for (size_t i = 0; i < M / 2; i++) {
                p[i] = 0;
                t[i] = target(2 * i + h, q);
                for (size_t n = 0; n < N; n++) p[i] -= mask[2 * i + h][n] * scores[q * N + n];
            }
            ok(stats_spearman(&rho, p, t, M / 2));
            sum += rho / (2 * Q);
        }
    }
    return sum;
}

static void the_report_judges_them_on_other_subsets(void **state) {
    (void)state;
    struct store *s = world("report.db", M);
    struct score_options o = options("emp-influence,datamodel,random,pixel-cos");
    struct lds_report r;
    struct lds_report_options ro = { .keep = 1, .reference_method = "pixel-cos", .reference_loss = "" };
    ok(pipeline_score(s, &o, NULL));
    ok(pipeline_lds_report(&r, s, &ro, NULL));
    assert_int_equal(r.n_splits, 1);
    assert_int_equal(r.split[0].rows, 4);
    size_t seen = 0;
    for (size_t i = 0; i < r.split[0].rows; i++) {
        const struct lds_report_row *row = &r.split[0].row[i];
        int influence = !strcmp(row->set.method, "emp-influence"), model = !strcmp(row->set.method, "datamodel");
        assert_int_equal(row->is_halves, influence || model);
        if (!row->is_halves) continue;
        seen++;
        assert_near(row->plain.value, halves(model ? &datamodel_default : NULL), 1e-12, 1e-12);
        assert_true(row->plain.low < row->plain.value && row->plain.value < row->plain.high);
        assert_true(row->reference != i && isfinite(row->minus.se));   /* paired with the reference in halves */
        struct lds_row kept;
        ok(store_lds_get(s, row->set.id, 0, &kept, NULL));
        assert_near(kept.value, row->plain.value, 1e-15, 0);
    }
    assert_int_equal(seen, 2);
    lds_report_free(&r);
    store_close(s);
}

static void too_few_subsets_and_broken_outputs_are_said(void **state) {
    (void)state;
    struct lds_report r;
    struct lds_report_options ro = { .keep = 1 };
    struct score_options o = options("emp-influence");
    struct store *s = world("none.db", 0);
    refused(pipeline_score(s, &o, NULL), ERR_MISSING, "dtrak lds does that");
    store_close(s);
    s = world("one.db", 1);
    refused(pipeline_score(s, &o, NULL), ERR_RANGE, "1 subsets are done, expected at least 2");
    o.methods = "datamodel";
    store_close(s);
    s = world("two.db", 2);
    refused(pipeline_score(s, &o, NULL), ERR_RANGE, "2 subsets are done, expected at least 3");
    store_close(s);

    /* Five can be scored but not judged, and four have no interval. */
    s = world("five.db", 5);
    o.methods = "emp-influence,random";
    ok(pipeline_score(s, &o, NULL));
    ok(pipeline_lds_report(&r, s, &ro, NULL));
    assert_int_equal(r.split[0].rows, 1);
    assert_true(isnan(r.split[0].row[0].plain.se) && isnan(r.split[0].row[0].plain.low));
    assert_true(r.split[0].n_incomplete == 1 && r.split[0].incomplete[0].is_short_of_subsets && !r.split[0].incomplete[0].is_measured);
    lds_report_free(&r);

    /* A diverged network is left out and counted, its NaN reaches nothing. */
    struct protocol_list l;
    ok(store_protocols_list(s, &l));
    add_model(s, l.protocol[0].id, l.protocol[1].id, 5, 0, SUBSET_DIVERGED);
    protocol_list_free(&l);
    ok(pipeline_score(s, &o, NULL));
    ok(pipeline_lds_report(&r, s, &ro, NULL));
    assert_true(r.M == 5 && r.diverged == 1);
    assert_true(isfinite(r.split[0].row[0].plain.value));
    lds_report_free(&r);
    store_close(s);
}

/* A score that is the same for all items predicts nothing: it counts as 0 and is mentioned. */
static void a_constant_prediction_counts_as_nothing(void **state) {
    (void)state;
    struct store *s = world("constant.db", M);
    struct lds_report r;
    struct lds_report_options ro = { .keep = 1 };
    struct score_set set = { .method = "trak", .loss = "square", .split = SPLIT_GEN, .lambda_spec = "auto", .version = 1,
                             .mantissa_bits = 24, .n = N, .rows = GEN, .params = "{}", .lambda_rel = NAN, .lambda_abs = NAN,
                             .d_eff = NAN, .condition = NAN };
    ok(store_score_set_ensure(s, &set, NULL, &set));
    for (size_t q = 0; q < GEN; q++) {
        float row[N];
        for (size_t n = 0; n < N; n++) row[n] = q == 4 ? (float)n : 0;
        ok(store_score_put(s, &set, q, row));
    }
    ok(pipeline_lds_report(&r, s, &ro, NULL));
    assert_int_equal(r.split[0].rows, 1);
    assert_int_equal(r.split[0].row[0].plain.constant, Q - 1);
    assert_true(fabs(r.split[0].row[0].plain.value) <= 1.0 / Q);
    lds_report_free(&r);
    store_close(s);
}

/* --- trak with every loss --- */

static void features_of(float *rows, size_t loss, size_t split) {
    for (size_t i = 0; i < study.items[split] * K; i++) rows[i] = rig_value(i, 300 + 10 * loss + split);
}

static void every_loss_is_scored_from_its_own_features(void **state) {
    (void)state;
    struct store *s = world("losses.db", 0);
    float phi[N * K], g[N * K];
    for (size_t l = 0; l < LOSS_COUNT; l++)
        for (int q = 0; q < SPLIT_COUNT; q++) {
            struct feature_identity id = rig_identity(s, (enum split)q);
            id.k = K;
            id.float32 = 1;
            snprintf(id.loss, sizeof id.loss, "%s", loss_name((enum loss)l));
            features_of(phi, l, (size_t)q);
            rig_features(s, &id, study.items[q], phi);
        }
    struct score_options o = options("trak");
    o.losses = (1u << LOSS_COUNT) - 1;
    o.lambda = "abs:0.7";
    ok(pipeline_score(s, &o, NULL));
    struct checkpoint_list c;
    ok(store_checkpoints_resolve(s, "last", &c));
    for (size_t l = 0; l < LOSS_COUNT; l++)
        for (int split = SPLIT_VAL; split < SPLIT_COUNT; split++) {
            struct score_query q = { "trak", loss_name((enum loss)l), c.checkpoint[0].id, (enum split)split, NULL, 0, 0, 0, NULL, 0 };
            struct score_set set;
            ok(store_score_set_find(s, &q, &set));
            features_of(phi, l, SPLIT_TRAIN);
            features_of(g, l, (size_t)split);
            for (size_t m = 0; m < study.items[split]; m++) {
                double x[K];
                float row[N];
                ridge_by_elimination(x, phi, N, K, K, .7, g + m * K);
                ok(store_score_read(s, &set, m, row));
                for (size_t n = 0; n < N; n++) assert_near(row[n], dot_solution(x, phi + n * K, K), 1e-6, 1e-6);
            }
        }
    checkpoint_list_free(&c);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(influence_is_the_difference_of_means_and_a_datamodel_the_regression),
        cmocka_unit_test(the_report_judges_them_on_other_subsets),
        cmocka_unit_test(too_few_subsets_and_broken_outputs_are_said),
        cmocka_unit_test(a_constant_prediction_counts_as_nothing),
        cmocka_unit_test(every_loss_is_scored_from_its_own_features),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
