/* score_test.c - the verb `score` against the explicit formulas, from features, from a
 * kernel and from pixels; stopped and resumed; what is missing is said. */
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "../lib/by_elimination.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <string.h>

enum { N = 40, GEN = 37, VAL = 5, SIDE = 4, D = SIDE * SIDE, K_MAX = 64, QUERIES = GEN + VAL };

static const struct study study = { .width = SIDE, .height = SIDE, .patch = 2, .items = { N, VAL, GEN } };
static float phi[N][K_MAX], g[SPLIT_COUNT][GEN][K_MAX];

static uint64_t noise_seed = 7;

/* Their first blocks, of 16 rows each. */
static void add_features(struct store *s, enum split split, const char *loss, size_t k, size_t timesteps, size_t blocks) {
    struct feature_identity id = rig_identity(s, split);
    struct feature_set set;
    float rows[N * K_MAX];
    id.k = k;
    id.timesteps = timesteps;
    id.noise_seed = noise_seed;
    id.float32 = 1;
    snprintf(id.loss, sizeof id.loss, "%s", loss);
    ok(store_feature_set_ensure(s, &id, study.items[split], 16, NULL, NULL, &set));
    for (size_t b = 0; b < blocks && b * 16 < study.items[split]; b++) {
        size_t left = study.items[split] - b * 16, count = left < 16 ? left : 16;
        for (size_t i = 0; i < count; i++)
            memcpy(rows + i * k, split == SPLIT_TRAIN ? phi[b * 16 + i] : g[split][b * 16 + i], k * sizeof *rows);
        ok(store_feature_block_put(s, &set, b, rows));
    }
}

static void add_all_features(struct store *s, const char *loss, size_t k) {
    for (int q = 0; q < SPLIT_COUNT; q++) add_features(s, (enum split)q, loss, k, 10, 99);
}

/* A project with real pictures, one checkpoint, and no features. */
static struct store *world(const char *name) {
    struct store *s = study_new(name, &study);
    study_checkpoint(s, 800, 100);
    for (size_t i = 0; i < N * K_MAX; i++) phi[i / K_MAX][i % K_MAX] = rig_value(i, 1);
    for (size_t i = 0; i < GEN * K_MAX; i++)
        for (size_t q = 0; q < SPLIT_COUNT; q++) g[q][i / K_MAX][i % K_MAX] = rig_value(i, 2 + q);
    return s;
}

static struct score_set find_set(struct store *s, const char *method, const char *loss, enum split split) {
    struct checkpoint_list l;
    struct score_set set;
    ok(store_checkpoints_resolve(s, "last", &l));
    struct score_query q = { method, loss, loss[0] ? l.checkpoint[0].id : 0, split, NULL, 0, 0, 0, NULL, 0 };
    checkpoint_list_free(&l);
    ok(store_score_set_find(s, &q, &set));
    return set;
}

/* --- the formulas, on their own --- */

static double leverage(size_t n, size_t k, double lambda) {
    double x[K_MAX];
    ridge_by_elimination(x, phi[0], N, K_MAX, k, lambda, phi[n]);
    return dot_solution(x, phi[n], k);
}

static double length_of_solution(size_t n, size_t k, double lambda) {
    double x[K_MAX], size = 0;
    ridge_by_elimination(x, phi[0], N, K_MAX, k, lambda, phi[n]);
    for (size_t a = 0; a < k; a++) size += x[a] * x[a];
    return sqrt(size);
}

/* A query's scores of every training item. */
static void expected(double want[N], enum method m, const float *query, size_t k, double lambda) {
    double x[K_MAX];
    ridge_by_elimination(x, phi[0], N, K_MAX, k, lambda, query);
    for (size_t n = 0; n < N; n++) {
        double product = dot_product(query, phi[n], k), ridge = dot_solution(x, phi[n], k), size = dot_product(phi[n], phi[n], k);
        switch (m) {
        case METHOD_GRAD_DOT: want[n] = product; break;
        case METHOD_GRAD_COS: want[n] = product / sqrt(dot_product(query, query, k) * size); break;
        case METHOD_RENORM_IF: want[n] = ridge / sqrt(size); break;
        case METHOD_RELATIVE_IF: want[n] = ridge / length_of_solution(n, k, lambda); break;
        default: want[n] = ridge;
        }
    }
}

static const enum method all_methods[] = { METHOD_TRAK, METHOD_GRAD_DOT, METHOD_GRAD_COS, METHOD_RELATIVE_IF, METHOD_RENORM_IF };
#define ALL "trak,grad-dot,grad-cos,relative-if,renorm-if"

/* Every third stored row of every method against the formulas. */
static void check_all(struct store *s, const char *loss, size_t k) {
    for (size_t i = 0; i < sizeof all_methods / sizeof *all_methods; i++)
        for (int q = SPLIT_VAL; q < SPLIT_COUNT; q++) {
            enum method m = all_methods[i];
            struct score_set set = find_set(s, method_name(m), loss, (enum split)q);
            float row[N];
            assert_int_equal(set.rows_done, study.items[q]);
            assert_int_equal(set.n, N);
            assert_int_equal(set.k, k);
            if (method_has_lambda(m)) {
                double trace = 0, part = 0;
                for (size_t n = 0; n < N; n++) trace += dot_product(phi[n], phi[n], k);
                for (size_t n = 0; n < N; n++) part += leverage(n, k, set.lambda_abs);
                assert_near(set.lambda_abs, set.lambda_rel * trace / N, 0, 1e-9);
                assert_near(set.d_eff, part, 1e-8, 0);
                assert_near(set.d_eff, (double)(k < N ? k : N) / 4, 1e-8, 0);   /* the rule behind auto */
            }
            for (size_t query = 0; query < study.items[q]; query += 3) {
                double want[N];
                expected(want, m, g[q][query], k, set.lambda_abs);
                ok(store_score_read(s, &set, query, row));
                for (size_t n = 0; n < N; n++) assert_near((double)row[n], want[n], 1e-6, 1e-6);
            }
        }
}

/* --- the claims --- */

static void scores_are_those_of_the_formulas_in_either_form(void **state) {
    (void)state;
    static const size_t dims[2] = { 64, 9 };   /* dual and primal */
    for (size_t t = 0; t < 2; t++) {
        struct store *s = world("forms.db");
        struct score_options o = SCORE_DEFAULTS;
        add_all_features(s, "square", dims[t]);
        o.methods = ALL;
        o.losses = 1u << LOSS_SQUARE;
        ok(pipeline_score(s, &o, NULL));
        check_all(s, "square", dims[t]);
        store_close(s);
    }
}

/* The row's length of error against the formulas, over the length of the row. */
static double row_error(struct store *s, const struct score_set *set, enum method m, size_t query) {
    float row[N];
    double error = 0, size = 0, want[N];
    ok(store_score_read(s, set, query, row));
    expected(want, m, g[set->split][query], set->k, set->lambda_abs);
    for (size_t n = 0; n < N; n++) {
        error += ((double)row[n] - want[n]) * ((double)row[n] - want[n]);
        size += want[n] * want[n];
    }
    return sqrt(error / size);
}

static void a_krylov_basis_per_query_gives_the_same_scores(void **state) {
    (void)state;
    static const struct { const char *method, *lambda; } made[] = {
        { "trak", "0.05" }, { "trak", "abs:30" }, { "renorm-if", "0.05" }, { "renorm-if", "abs:30" } };
    static const size_t dims[2] = { 64, 9 };
    for (size_t t = 0; t < 2; t++) {
        struct store *s = world("krylov.db");
        struct score_options o = SCORE_DEFAULTS;
        add_all_features(s, "square", dims[t]);
        o.methods = "trak,renorm-if,grad-dot";
        o.losses = 1u << LOSS_SQUARE;
        o.lambda = "0.05,abs:30,auto";
        o.solver = SOLVER_KRYLOV;
        o.self_influence = 0;
        ok(pipeline_score(s, &o, NULL));
        for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
            struct score_set set = find_set(s, made[i].method, "square", SPLIT_GEN);
            struct score_query q = { made[i].method, "square", set.checkpoint[0], SPLIT_GEN, made[i].lambda, 0, 0, 0, NULL, 0 };
            ok(store_score_set_find(s, &q, &set));
            assert_int_equal(set.rows_done, GEN);
            assert_true(set.lambda_abs > 0 && set.lambda_rel > 0);
            for (size_t query = 0; query < GEN; query += 4)
                assert_true(row_error(s, &set, method_parse(made[i].method, NULL), query) <= 1.1e-5);
        }
        struct score_set set = find_set(s, "trak", "square", SPLIT_VAL);   /* auto, estimated: of so few features roughly */
        assert_string_equal(set.lambda_spec, "auto");
        assert_near(set.d_eff, (double)(dims[t] < N ? dims[t] : N) / 4, 0, .02);
        for (size_t query = 0; query < VAL; query++) assert_true(row_error(s, &set, METHOD_TRAK, query) <= 1.1e-5);
        set = find_set(s, "grad-dot", "square", SPLIT_VAL);
        assert_int_equal(set.rows_done, VAL);
        assert_true(row_error(s, &set, METHOD_GRAD_DOT, 1) <= 1e-6);
        store_close(s);
    }
}

/* An automatic lambda is found by a decomposition or estimated, which differ: rows that are added
 * later, the other way, are of the lambda that their set has. */
static void a_set_begun_one_way_is_continued_at_its_own_lambda(void **state) {
    (void)state;
    for (int krylov_first = 0; krylov_first < 2; krylov_first++) {
        struct store *s = world("continued.db");
        struct score_options o = SCORE_DEFAULTS;
        add_all_features(s, "square", 64);
        o.methods = "trak";
        o.losses = 1u << LOSS_SQUARE;
        o.lambda = "auto";
        o.self_influence = 0;
        o.solver = krylov_first ? SOLVER_KRYLOV : SOLVER_DIRECT;
        o.queries = "gen:0";
        ok(pipeline_score(s, &o, NULL));
        o.solver = krylov_first ? SOLVER_DIRECT : SOLVER_KRYLOV;
        o.queries = "gen:1,val:0";
        ok(pipeline_score(s, &o, NULL));
        struct score_set gen = find_set(s, "trak", "square", SPLIT_GEN), val = find_set(s, "trak", "square", SPLIT_VAL);
        assert_true(row_error(s, &gen, METHOD_TRAK, 0) <= 1.1e-5);
        assert_true(row_error(s, &gen, METHOD_TRAK, 1) <= 1.1e-5);
        assert_true(row_error(s, &val, METHOD_TRAK, 0) <= 1.1e-5);
        assert_near(gen.lambda_abs, val.lambda_abs, 0, 1e-15);
        store_close(s);
    }
}

static void what_a_krylov_basis_cannot_give_is_said(void **state) {
    (void)state;
    struct store *s = world("krylov.db");
    struct score_options o = SCORE_DEFAULTS;
    add_all_features(s, "square", 64);
    o.losses = 1u << LOSS_SQUARE;
    o.solver = SOLVER_KRYLOV;
    o.self_influence = 0;
    o.methods = "grad-dot,relative-if";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_RANGE);
    assert_says("method relative-if of 40 training items with k 64 comes from a decomposition");
    o.methods = "trak";
    o.self_influence = 1;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_RANGE);
    assert_says("self-influence of 40");
    o.self_influence = 0;
    o.memory = 1000;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_RANGE);
    assert_says("KB is given");
    struct score_set_list l;
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 0);
    score_set_list_free(&l);
    store_close(s);
}

static void only_the_queries_asked_for_are_scored(void **state) {
    (void)state;
    for (int krylov = 0; krylov < 2; krylov++) {
        struct store *s = world("picked.db");
        struct score_options o = SCORE_DEFAULTS;
        struct stopper end = { .phase = "scores" };
        add_all_features(s, "square", 64);
        o.methods = "trak,grad-dot";
        o.losses = 1u << LOSS_SQUARE;
        o.self_influence = 0;
        o.solver = krylov ? SOLVER_KRYLOV : SOLVER_DIRECT;
        o.queries = "gen:5-7,gen:20,val:1";
        ok(pipeline_score(s, &o, stopper_progress(&end)));
        assert_true(end.done == 10 && end.total == 10);
        for (int m = 0; m < 2; m++) {
            struct score_set set = find_set(s, m ? "grad-dot" : "trak", "square", SPLIT_GEN);
            struct index_list missing;
            ok(store_scores_missing(s, &set, &missing));
            assert_int_equal(missing.count, GEN - 4);
            for (size_t i = 0; i < missing.count; i++)
                assert_true((missing.index[i] < 5 || missing.index[i] > 7) && missing.index[i] != 20);
            index_list_free(&missing);
            assert_true(row_error(s, &set, m ? METHOD_GRAD_DOT : METHOD_TRAK, 20) <= 1.1e-5);
        }
        o.queries = "gen:0";
        o.splits = 1u << SPLIT_VAL;
        assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
        o.splits = 0;
        static const char *const wrong[][2] = { { "gen:37", "there is no gen:37: the last one is gen:36" }, { "train:3", "is a training item" },
                                                { "gen:3-", "is not a query" }, { "", "is not a query" }, { "gen:1,,", "is not a query" } };
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            o.queries = wrong[i][0];
            assert_int_not_equal(pipeline_score(s, &o, NULL), OK);
            assert_says(wrong[i][1]);
        }
        o.queries = NULL;
        ok(pipeline_score(s, &o, NULL));
        struct score_set set = find_set(s, "trak", "square", SPLIT_GEN);
        assert_int_equal(set.rows_done, GEN);
        store_close(s);
    }
}

static void check_leverages(struct store *s, const char *text) {
    double h[N];
    size_t present;
    struct score_set set = find_set(s, "trak", "square", SPLIT_GEN);
    struct stat_key key = { "self_influence", text, set.checkpoint[0], SPLIT_TRAIN };
    ok(store_stat_get(s, &key, 0, N, h, &present));
    assert_int_equal(present, N);
    for (size_t n = 0; n < N; n++) assert_near(h[n], leverage(n, 64, set.lambda_abs), 1e-9, 0);
}

/* Those of features with other noise are others. */
static void leverages_of_the_training_items_are_kept(void **state) {
    (void)state;
    struct store *s = world("leverage.db");
    struct score_options o = SCORE_DEFAULTS;
    struct stat_set_list l;
    add_all_features(s, "square", 64);
    o.methods = "dtrak";
    ok(pipeline_score(s, &o, NULL));
    check_leverages(s, "square t10 k64 lambda auto noise 7 f32");
    noise_seed = 0;
    for (size_t i = 0; i < N * K_MAX; i++) phi[i / K_MAX][i % K_MAX] = rig_value(i, 9);
    add_all_features(s, "square", 64);
    noise_seed = 7;
    ok(pipeline_score(s, &o, NULL));
    check_leverages(s, "square t10 k64 lambda auto f32");
    ok(store_stats_list(s, &l));
    assert_int_equal(l.count, 2);
    stat_set_list_free(&l);
    store_close(s);
}

static void a_kernel_gives_the_same_scores_without_features(void **state) {
    (void)state;
    struct store *s = world("kernel.db");
    struct score_options o = SCORE_DEFAULTS;
    struct feature_set_list l;
    add_all_features(s, "simple", 64);
    o.methods = "grad-dot";
    o.keep_kernel = 1;
    ok(pipeline_score(s, &o, NULL));
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) ok(store_feature_blocks_drop(s, l.set[i].id));
    feature_set_list_free(&l);
    o.methods = ALL;
    o.keep_kernel = 0;
    ok(pipeline_score(s, &o, NULL));
    check_all(s, "simple", 64);
    store_close(s);
}

/* Items that come after the kernel was kept: the features count, not the kernel. */
static void a_kernel_of_fewer_items_is_passed_over(void **state) {
    (void)state;
    struct store *s = world("stale.db");
    struct score_options o = SCORE_DEFAULTS;
    struct feature_set_list l;
    double one[N] = { 0 };
    add_all_features(s, "square", 64);
    ok(store_feature_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++)
        if (l.set[i].identity.split == SPLIT_TRAIN) {
            ok(store_kernel_put(s, l.set[i].id, KERNEL_GRAM, SPLIT_TRAIN, 1, 1, 1, one));
            ok(store_kernel_put(s, l.set[i].id, KERNEL_CROSS, SPLIT_GEN, GEN, 1, 1, one));
            ok(store_kernel_put(s, l.set[i].id, KERNEL_SELF, SPLIT_GEN, GEN, 1, 1, one));
            ok(store_kernel_put(s, l.set[i].id, KERNEL_CROSS, SPLIT_VAL, VAL, 1, 1, one));
            ok(store_kernel_put(s, l.set[i].id, KERNEL_SELF, SPLIT_VAL, VAL, 1, 1, one));
        }
    feature_set_list_free(&l);
    o.methods = ALL;
    o.losses = 1u << LOSS_SQUARE;
    o.keep_kernel = 1;      /* and it is made anew */
    ok(pipeline_score(s, &o, NULL));
    check_all(s, "square", 64);
    store_close(s);
}

static void pixels_need_no_network(void **state) {
    (void)state;
    struct store *s = world("pixels.db");
    struct score_options o = SCORE_DEFAULTS;
    o.methods = "pixel-cos,pixel-dot,random";
    o.losses = 0;
    o.splits = 1u << SPLIT_GEN;
    ok(pipeline_score(s, &o, NULL));
    struct score_set cosine = find_set(s, "pixel-cos", "", SPLIT_GEN), product = find_set(s, "pixel-dot", "", SPLIT_GEN);
    for (size_t q = 0; q < GEN; q += 5) {
        float c[N], p[N];
        unsigned char query[D], item[D];
        study_pixels(query, &study, SPLIT_GEN, q);
        ok(store_score_read(s, &cosine, q, c));
        ok(store_score_read(s, &product, q, p));
        for (size_t n = 0; n < N; n++) {
            double xy = 0, xx = 0, yy = 0;
            study_pixels(item, &study, SPLIT_TRAIN, n);
            for (size_t j = 0; j < D; j++) {
                double x = query[j] / 127.5 - 1, y = item[j] / 127.5 - 1;
                xy += x * y;
                xx += x * x;
                yy += y * y;
            }
            assert_near((double)p[n], xy, 1e-5, 0);
            assert_near((double)c[n], xy / sqrt(xx * yy), 1e-6, 0);
        }
    }
    struct score_query q = { "pixel-cos", "", 0, SPLIT_VAL, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &q, &cosine), ERR_MISSING);
    store_close(s);
}

static void a_stopped_run_goes_on_to_the_same_scores(void **state) {
    (void)state;
    int stopped = 0;
    for (size_t at = 1;; at++) {
        struct store *s = world("stop.db");
        struct score_options o = SCORE_DEFAULTS;
        struct stopper stop = { .phase = "scores", .at_report = at };
        add_all_features(s, "square", 64);
        o.methods = ALL;
        o.losses = 1u << LOSS_SQUARE;
        enum status st = pipeline_score(s, &o, stopper_progress(&stop));
        if (st == ERR_CANCELLED) {
            stopped++;
            struct stopper again = { .phase = "scores" };
            ok(pipeline_score(s, &o, stopper_progress(&again)));
            assert_true(again.done == 5 * QUERIES && again.total == 5 * QUERIES);
        } else {
            ok(st);
        }
        if (at % 3 == 1) check_all(s, "square", 64);
        store_close(s);
        if (st == OK) break;
    }
    assert_true(stopped > 3);
}

static void what_is_done_is_not_done_again(void **state) {
    (void)state;
    struct store *s = world("again.db");
    struct score_options o = SCORE_DEFAULTS;
    struct score_set_list l;
    int64_t before, after;
    add_all_features(s, "square", 64);
    o.methods = "trak,dtrak";
    o.losses = 1u << LOSS_SQUARE;
    ok(pipeline_score(s, &o, NULL));
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 2);    /* the alias adds none; val and gen */
    score_set_list_free(&l);
    ok(store_data_version(s, &before));
    struct store *reader;
    ok(store_open(&reader, store_path(s), STORE_READ));
    ok(store_data_version(reader, &before));
    ok(pipeline_score(s, &o, NULL));
    ok(store_data_version(reader, &after));
    assert_int_equal(before, after);   /* not one write */
    store_close(reader);
    store_close(s);
}

static void missing_features_name_the_command_and_change_nothing(void **state) {
    (void)state;
    struct store *s = world("missing.db");
    struct score_options o = SCORE_DEFAULTS;
    struct score_set_list l;
    add_all_features(s, "simple", 64);
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_L1;
    o.timesteps = 10;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "--loss l1 --checkpoint 800 --timesteps 10"));
    assert_non_null(strstr(fail_reason(), "dtrak features "));
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 0);
    score_set_list_free(&l);
    /* Unfinished ones are no features either, and say how they were begun. */
    add_features(s, SPLIT_TRAIN, "l1", 32, 50, 2);
    o.timesteps = 0;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "--timesteps 50 --dims 32"));
    store_close(s);
}

static void more_timesteps_win_unless_they_are_unfinished(void **state) {
    (void)state;
    struct store *s = world("choice.db");
    struct score_options o = SCORE_DEFAULTS;
    add_all_features(s, "square", 64);
    for (int q = 0; q < SPLIT_COUNT; q++) add_features(s, (enum split)q, "square", 32, 20, 99);
    add_features(s, SPLIT_TRAIN, "square", 48, 50, 1);
    o.methods = "dtrak";
    ok(pipeline_score(s, &o, NULL));
    assert_int_equal(find_set(s, "trak", "square", SPLIT_GEN).timesteps, 20);
    o.timesteps = 10;
    ok(pipeline_score(s, &o, NULL));
    struct checkpoint_list c;
    ok(store_checkpoints_resolve(s, NULL, &c));
    struct score_query q = { "trak", "square", c.checkpoint[0].id, SPLIT_GEN, NULL, 10, 0, 0, NULL, 0 };
    struct score_set set;
    checkpoint_list_free(&c);
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.k, 64);
    store_close(s);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    struct store *s = world("nonsense.db");
    struct score_options o = SCORE_DEFAULTS;
    o.methods = "trak,magic";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    o.methods = "journey";   /* no features along sampling paths */
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    o.methods = "trak";
    o.lambda = "-3";
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    o.lambda = NULL;
    o.losses = 0;
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_USAGE);
    store_close(s);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct store *s = world("memory.db");
    struct score_options o = SCORE_DEFAULTS;
    add_all_features(s, "square", 64);
    o.methods = ALL;
    o.losses = 1u << LOSS_SQUARE;
    o.keep_kernel = 1;
    long before = mem_live(), n = 0;
    for (;; n++) {
        mem_fail_after(n);
        enum status st = pipeline_score(s, &o, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        if (st != ERR_NOMEM) ok(st);
    }
    assert_true(n > 30);
    check_all(s, "square", 64);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_formulas_in_either_form),
        cmocka_unit_test(a_krylov_basis_per_query_gives_the_same_scores),
        cmocka_unit_test(a_set_begun_one_way_is_continued_at_its_own_lambda),
        cmocka_unit_test(what_a_krylov_basis_cannot_give_is_said),
        cmocka_unit_test(only_the_queries_asked_for_are_scored),
        cmocka_unit_test(leverages_of_the_training_items_are_kept),
        cmocka_unit_test(a_kernel_gives_the_same_scores_without_features),
        cmocka_unit_test(a_kernel_of_fewer_items_is_passed_over),
        cmocka_unit_test(pixels_need_no_network),
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_scores),
        cmocka_unit_test(what_is_done_is_not_done_again),
        cmocka_unit_test(missing_features_name_the_command_and_change_nothing),
        cmocka_unit_test(more_timesteps_win_unless_they_are_unfinished),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
