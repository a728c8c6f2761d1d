/* score_errors_test.c - error bars of `score --errors`: against ridges written out in float64, one for
 * every block left out and every projection; and the rows in which they are kept. */
#include "dtrak/errorbars.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/slim.h"
#include "dtrak/store.h"
#include "dtrak/store_drop.h"
#include "dtrak/store_error.h"
#include "dtrak/trust.h"
#include "../lib/by_elimination.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <string.h>

enum { N = 19, GEN = 11, VAL = 2, SIDE = 4, K = 5, B = 4, SEEDS = 3 };

static const struct study study = { .width = SIDE, .height = SIDE, .items = { N, VAL, GEN } };
static float feature[SEEDS][B][SPLIT_COUNT][N][K];   /* seed 0 in blocks; others in block 0 */

/* Block b is a common part plus noise of its own; other seeds another common part. */
static void make_features(void) {
    for (size_t r = 0; r < SEEDS; r++)
        for (size_t b = 0; b < B; b++)
            for (size_t q = 0; q < SPLIT_COUNT; q++)
                for (size_t i = 0; i < N * K; i++)
                    feature[r][b][q][i / K][i % K] = rig_value(i, 20 + 7 * r + q) + .3f * rig_value(i, 100 + 7 * b + q);
}

static struct store *world(const char *name) {
    struct store *s = study_new(name, &study);
    study_checkpoint(s, 400, 100);
    make_features();
    return s;
}

static void add_features(struct store *s, size_t seed, size_t parts) {
    for (int q = 0; q < SPLIT_COUNT; q++) {
        struct feature_identity id = rig_identity(s, (enum split)q);
        float rows[B * N * K];
        id.k = K;
        id.timesteps = 8;
        id.float32 = 1;
        id.parts = parts;
        id.projection_seed = 42 + seed;
        snprintf(id.loss, sizeof id.loss, "square");
        for (size_t b = 0; b < parts; b++) memcpy(rows + b * study.items[q] * K, feature[seed][b][q], study.items[q] * K * sizeof(float));
        rig_features(s, &id, study.items[q], rows);
    }
}

/* --- by definition --- */

/* Means over the blocks but `skip` (B: none); of another seed its only one. */
static void mean_features(double out[][K], size_t seed, enum split split, size_t skip) {
    for (size_t i = 0; i < study.items[split]; i++)
        for (size_t j = 0; j < K; j++) {
            double sum = 0, used = 0;
            for (size_t b = 0; b < (seed ? 1 : B); b++) {
                if (b == skip) continue;
                sum += (double)feature[seed][b][split][i][j];
                used++;
            }
            out[i][j] = sum / used;
        }
}

/* x [K] = (C + l I)^-1 y */
static void solve(double x[K], double C[K][K], double l, const double *y) {
    double A[K][K];
    for (size_t i = 0; i < K * K; i++) A[i / K][i % K] = C[i / K][i % K] + (i / K == i % K ? l : 0);
    solve_by_elimination(x, A[0], y, K);
}

static double dimension(double C[K][K], double l) {
    double sum = 0;
    for (size_t c = 0; c < K; c++) {
        double x[K], column[K];
        for (size_t i = 0; i < K; i++) column[i] = C[i][c];
        solve(x, C, l, column);
        sum += x[c];
    }
    return sum;
}

/* tau [GEN][N] at the lambda of that effective dimension, or at lambda itself where it is above 0. */
static double score_all(double tau[GEN][N], size_t seed, size_t skip, double lambda, double wanted) {
    double phi[N][K], g[N][K], C[K][K] = { { 0 } };
    mean_features(phi, seed, SPLIT_TRAIN, skip);
    mean_features(g, seed, SPLIT_GEN, skip);
    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; i < K * K; i++) C[i / K][i % K] += phi[n][i / K] * phi[n][i % K];
    double lo = 1e-9, hi = 1e9, l = lambda;
    for (int i = 0; lambda <= 0 && i < 300; i++) {
        l = sqrt(lo * hi);
        if (dimension(C, l) > wanted) lo = l;
        else hi = l;
    }
    for (size_t q = 0; q < GEN; q++) {
        double x[K];
        solve(x, C, l, g[q]);
        for (size_t n = 0; n < N; n++) {
            tau[q][n] = 0;
            for (size_t j = 0; j < K; j++) tau[q][n] += x[j] * phi[n][j];
        }
    }
    return dimension(C, l);
}

static double spread(const double *v, size_t count, double factor) {
    double mean = 0, sum = 0;
    for (size_t i = 0; i < count; i++) mean += v[i] / (double)count;
    for (size_t i = 0; i < count; i++) sum += (v[i] - mean) * (v[i] - mean);
    return sqrt(factor * sum);
}

static double tau[GEN][N], part[B + SEEDS][GEN][N];

/* has_blocks, seeds: what there is.  Compares every stored error and chance. */
static void check(struct store *s, int has_blocks, size_t seeds) {
    struct score_set set;
    struct error_set errors;
    struct score_query q = { "trak", "square", 0, SPLIT_GEN, "abs:2", 0, 0, 0, NULL, 0 };
    struct checkpoint_list c;
    ok(store_checkpoints_resolve(s, "last", &c));
    q.checkpoint = c.checkpoint[0].id;
    checkpoint_list_free(&c);
    ok(store_score_set_find(s, &q, &set));
    ok(store_error_set_get(s, set.id, &errors));
    assert_int_equal(errors.rows_done, GEN);
    assert_int_equal(errors.blocks, has_blocks ? B : 0);
    assert_int_equal(errors.projections, seeds ? seeds + 1 : 0);
    double d = score_all(tau, 0, B, 2, 0);
    for (size_t b = 0; b < B; b++) score_all(part[b], 0, b, 0, d);
    for (size_t r = 1; r <= seeds; r++) score_all(part[B + r], r, B, 0, d);
    memcpy(part[B], tau, sizeof tau);
    for (size_t m = 0; m < GEN; m++) {
        struct trust t;
        double se[N], left[B], other[SEEDS], score[N];
        struct errorbars_rank rank[N];
        ok(trust_load(&t, s, &set, m));
        float row[N];
        ok(store_score_read(s, &set, m, row));
        for (size_t n = 0; n < N; n++) {
            for (size_t b = 0; b < B; b++) left[b] = part[b][m][n];
            for (size_t r = 0; r <= seeds; r++) other[r] = part[B + r][m][n];
            double noise = has_blocks ? spread(left, B, (B - 1.0) / B) : 0;
            double projection = seeds ? spread(other, seeds + 1, 1.0 / (double)seeds) : 0;
            se[n] = sqrt(noise * noise + projection * projection);
            score[n] = tau[m][n];
            assert_near(row[n], tau[m][n], 1e-5, 1e-5);
            assert_near(t.se[n], se[n], 1e-5, 2e-3);
            assert_int_equal(trust_is_determined(&t, n, tau[m][n]), fabs(tau[m][n]) > 2 * t.se[n]);
        }
        ok(errorbars_ranks(rank, score, se, N, NULL, 0, 0, 10, 200, 0, (uint32_t)SPLIT_GEN << 29 | (uint32_t)m));
        for (size_t n = 0; n < N; n++) {
            assert_near(t.p_top[n], rank[n].p_top, .011, 0);
            assert_near(t.low[n], rank[n].low, 1, 0);
            assert_near(t.high[n], rank[n].high, 1, 0);
        }
        if (has_blocks) {
            static const uint32_t group[] = { 0, 7, 18, 3 };
            double sum[B];
            for (size_t b = 0; b < B; b++) {
                sum[b] = 0;
                for (size_t i = 0; i < 4; i++) sum[b] += part[b][m][group[i]];
            }
            assert_near(trust_sum_se(&t, group, 4), spread(sum, B, (B - 1.0) / B), 1e-5, 2e-3);
        } else {
            assert_true(isnan(trust_sum_se(&t, (const uint32_t[]){ 1 }, 1)));
        }
        trust_free(&t);
    }
}

static struct score_options options(void) {
    struct score_options o = SCORE_DEFAULTS;
    o.methods = "dtrak";
    o.lambda = "abs:2";
    o.errors = 1;
    return o;
}

static void errors_are_those_of_refits_without_a_block_and_of_other_projections(void **state) {
    (void)state;
    struct store *s = world("errors.db");
    struct score_options o = options();
    add_features(s, 0, 1);
    refused(pipeline_score(s, &o, NULL), ERR_MISSING, "--timesteps 8 --dims 5 --blocks 8");
    o.methods = "grad-cos";
    refused(pipeline_score(s, &o, NULL), ERR_USAGE, "method trak");
    store_close(s);

    s = world("blocks.db");
    o = options();
    add_features(s, 0, B);
    ok(pipeline_score(s, &o, NULL));
    check(s, 1, 0);
    add_features(s, 1, 1);   /* newer, but without blocks: the scores stay those of the first */
    add_features(s, 2, 1);
    ok(pipeline_score(s, &o, NULL));
    check(s, 1, 2);
    store_close(s);

    s = world("seeds.db");
    add_features(s, 2, 1);
    add_features(s, 1, 1);
    add_features(s, 0, B);
    ok(pipeline_score(s, &o, NULL));
    check(s, 1, 2);
    store_close(s);
}

static void a_run_that_was_stopped_goes_on_and_a_copy_without_features_has_them(void **state) {
    (void)state;
    struct store *s = world("stopped.db");
    struct score_options o = options();
    struct stopper stop = { .phase = "error bars", .at_done = 8 };
    o.splits = 1u << SPLIT_GEN;
    add_features(s, 0, B);
    assert_int_equal(pipeline_score(s, &o, stopper_progress(&stop)), ERR_CANCELLED);
    assert_int_equal(rig_number(rig_path("stopped.db"), "SELECT count(*) FROM error_row"), 8);
    ok(pipeline_score(s, &o, NULL));
    check(s, 1, 0);
    store_close(s);
    remove(rig_path("slim.db"));
    struct slim_options slim = { 0 };
    ok(pipeline_slim(rig_path("stopped.db"), rig_path("slim.db"), &slim, NULL));
    ok(store_open(&s, rig_path("slim.db"), STORE_READ));
    assert_int_equal(rig_number(rig_path("slim.db"), "SELECT count(*) FROM feature_block"), 0);
    check(s, 1, 0);
    store_close(s);
}

static void little_memory_is_said_before_anything_starts(void **state) {
    (void)state;
    struct store *s = world("memory.db");
    struct score_options o = options();
    add_features(s, 0, B);
    o.memory = 9000;
    o.methods = "trak,dtrak";
    enum status st = pipeline_score(s, &o, NULL);
    assert_true(st != OK);
    assert_int_equal(rig_number(rig_path("memory.db"), "SELECT count(*) FROM error_set"), 0);
    store_close(s);
}

/* --- rows --- */

static void a_row_comes_back(size_t n, size_t blocks, int projection) {
    remove(rig_path("rows.db"));
    struct store *s = rig_project(rig_path("rows.db"));
    struct score_set set = { .method = "trak", .loss = "square", .split = SPLIT_GEN, .lambda_spec = "auto", .version = 1,
                             .mantissa_bits = 24, .n = n, .rows = RIG_GEN, .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN,
                             .condition = NAN };
    struct error_set want = { .blocks = blocks, .projections = projection ? 3 : 0, .top = 10, .draws = 200, .params = "{}" }, e;
    struct error_row row, got;
    struct index_list missing;
    ok(store_score_set_ensure(s, &set, NULL, &set));
    want.score_set = set.id;
    ok(store_error_set_ensure(s, &want, NULL, &e));
    ok(error_row_new(&row, n, blocks, projection));
    for (size_t i = 0; i < blocks * n; i++) row.left[i] = rig_value(i, 3) * (i % 3 ? 1 : 1e-4f);
    for (size_t i = 0; i < n; i++) {
        if (projection) row.projection[i] = fabsf(rig_value(i, 4));
        row.in_top[i] = (uint8_t)(i % 201);
        row.low[i] = (uint32_t)(i + 1);
        row.high[i] = (uint32_t)n;
    }
    ok(store_error_put(s, &e, 5, &row));
    ok(store_errors_missing(s, &e, RIG_GEN, &missing));
    assert_int_equal(missing.count, RIG_GEN - 1);
    for (size_t i = 0; i < missing.count; i++) assert_int_equal(missing.index[i], i + (i >= 5));
    index_list_free(&missing);
    ok(store_error_get(s, &e, 5, n, &got));
    for (size_t i = 0; i < blocks * n; i++) assert_near(got.left[i], row.left[i], 1e-9, 1.0 / 2048);
    for (size_t i = 0; i < n; i++) {
        if (projection) assert_near(got.projection[i], row.projection[i], 1e-9, 1.0 / 2048);
        assert_int_equal(got.in_top[i], row.in_top[i]);
        assert_int_equal(got.low[i], row.low[i]);
        assert_int_equal(got.high[i], row.high[i]);
    }
    assert_true(!got.left == !blocks && !got.projection == !projection);
    error_row_free(&got);
    refused(store_error_get(s, &e, 4, n, &got), ERR_MISSING, "no error bars for query 4");
    if (blocks) {
        row.left[n / 2] = NAN;
        refused(store_error_put(s, &e, 4, &row), ERR_NUMERIC, "no finite difference");
    }
    /* Made otherwise: replaced, not mixed. */
    want.blocks++;
    ok(store_error_set_ensure(s, &want, NULL, &e));
    assert_int_equal(e.rows_done, 0);
    refused(store_error_put(s, &e, 4, &row), ERR_RANGE, "blocks");
    error_row_free(&row);
    store_close(s);
}

static void rows_come_back(void **state) {
    (void)state;
    a_row_comes_back(40, 3, 0);
    a_row_comes_back(40, 0, 1);
    a_row_comes_back(70001, 2, 1);   /* ranks no longer fit 16 bits */
}

static void a_damaged_row_is_said(void **state) {
    (void)state;
    struct store *s = world("damaged.db");
    struct score_options o = options();
    struct trust t;
    struct score_set set;
    size_t problems;
    add_features(s, 0, B);
    ok(pipeline_score(s, &o, NULL));
    store_close(s);
    ok(store_check(rig_path("damaged.db"), NULL, NULL, NULL, &problems));
    assert_int_equal(problems, 0);
    rig_sql(rig_path("damaged.db"), "UPDATE error_row SET bytes = zeroblob(length(bytes)) WHERE query = 3");
    ok(store_open(&s, rig_path("damaged.db"), STORE_READ));
    struct score_query q = { "trak", "square", 1, SPLIT_GEN, "abs:2", 0, 0, 0, NULL, 0 };
    ok(store_score_set_find(s, &q, &set));
    refused(trust_load(&t, s, &set, 3), ERR_FORMAT, "damaged");
    ok(trust_load(&t, s, &set, 4));
    trust_free(&t);
    store_close(s);
}

/* A query that is taken out takes its error bars along, and those of the later ones move up. */
static void error_bars_follow_their_queries(void **state) {
    (void)state;
    struct store *s = world("dropped.db");
    struct score_options o = options();
    struct score_query q = { "trak", "square", 1, SPLIT_GEN, "abs:2", 0, 0, 0, NULL, 0 };
    struct score_set set;
    struct trust before, after;
    size_t gone = 4, problems;
    add_features(s, 0, B);
    ok(pipeline_score(s, &o, NULL));
    ok(store_score_set_find(s, &q, &set));
    ok(trust_load(&before, s, &set, 7));
    ok(store_items_drop(s, SPLIT_GEN, &gone, 1));
    ok(store_score_set_find(s, &q, &set));
    ok(trust_load(&after, s, &set, 6));
    assert_memory_equal(before.se, after.se, N * sizeof *before.se);
    trust_free(&before);
    trust_free(&after);
    refused(trust_load(&after, s, &set, GEN - 1), ERR_MISSING, "no error bars for query 10");
    store_close(s);
    ok(store_check(rig_path("dropped.db"), NULL, NULL, NULL, &problems));
    assert_int_equal(problems, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_refits_without_a_block_and_of_other_projections),
        cmocka_unit_test(a_run_that_was_stopped_goes_on_and_a_copy_without_features_has_them),
        cmocka_unit_test(little_memory_is_said_before_anything_starts),
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(error_bars_follow_their_queries),
        cmocka_unit_test(a_damaged_row_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
