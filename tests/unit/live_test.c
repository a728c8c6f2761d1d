/* Ridge scores at any lambda against the explicit formula, from features and
 * from a stored kernel. */
#include "../lib/by_elimination.h"
#include "../lib/store_rig.h"
#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { K = 6 };

static float phi[RIG_TRAIN][K], g[RIG_GEN][K];

/* A database with features of square at the last checkpoint and a score set made of
 * them; with_kernel: the products are stored and the features dropped, or SHORT_KERNEL: those without the
 * last query, and the features stay. */
enum { SHORT_KERNEL = 2 };
static int64_t world(const char *path, int with_kernel) {
    struct store *s = rig_project(path);
    struct feature_identity id[2] = { rig_identity(s, SPLIT_TRAIN), rig_identity(s, SPLIT_GEN) };
    struct score_set set = { .method = "trak", .loss = "square", .split = SPLIT_GEN, .timesteps = 10, .k = K,
                             .lambda_spec = "auto", .mantissa_bits = 24, .n = RIG_TRAIN, .rows = RIG_GEN,
                             .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .version = 1, .checkpoints = 1 };
    for (size_t i = 0; i < RIG_TRAIN * K; i++) phi[i / K][i % K] = rig_value(i, 1);
    for (size_t i = 0; i < RIG_GEN * K; i++) g[i / K][i % K] = rig_value(i, 2);
    id[0].float32 = id[1].float32 = 1;
    struct feature_set train = rig_features(s, &id[0], RIG_TRAIN, phi[0]), gen = rig_features(s, &id[1], RIG_GEN, g[0]);
    set.checkpoint[0] = train.checkpoint;
    assert_int_equal(store_score_set_ensure(s, &set, NULL, &set), OK);
    if (with_kernel) {
        static double gram[RIG_TRAIN * (RIG_TRAIN + 1) / 2], cross[RIG_GEN * RIG_TRAIN];
        size_t at = 0;
        for (size_t i = 0; i < RIG_TRAIN; i++)
            for (size_t j = i; j < RIG_TRAIN; j++, at++) gram[at] = dot_product(phi[i], phi[j], K);
        for (size_t q = 0; q < RIG_GEN; q++)
            for (size_t j = 0; j < RIG_TRAIN; j++) cross[q * RIG_TRAIN + j] = dot_product(g[q], phi[j], K);
        assert_int_equal(store_kernel_put(s, train.id, KERNEL_GRAM, SPLIT_TRAIN, RIG_TRAIN, RIG_TRAIN, 1, gram), OK);
        size_t rows = with_kernel == SHORT_KERNEL ? RIG_GEN - 1 : RIG_GEN;
        assert_int_equal(store_kernel_put(s, train.id, KERNEL_CROSS, SPLIT_GEN, rows, RIG_TRAIN, 1, cross), OK);
        if (with_kernel != SHORT_KERNEL) assert_int_equal(store_feature_blocks_drop(s, train.id), OK);
        if (with_kernel != SHORT_KERNEL) assert_int_equal(store_feature_blocks_drop(s, gen.id), OK);
    }
    store_close(s);
    return set.id;
}

static void solve(double x[K], const float *query, double lambda) {
    ridge_by_elimination(x, phi[0], RIG_TRAIN, K, K, lambda, query);
}

static int wait_for(struct live *l, const struct live_request *r, float **score, size_t *n, double *rel, double *absolute) {
    int answer;
    while ((answer = live_get(l, r, score, n, rel, absolute)) == 0) {
        struct timespec t = { 0, 2000000 };
        nanosleep(&t, NULL);
    }
    return answer;
}

/* trace of Phi^T Phi (Phi^T Phi + lambda I)^-1 */
static double effective_dimension(double lambda) {
    double sum = 0, x[K];
    for (size_t k = 0; k < K; k++) {
        float unit[K] = { 0 };
        unit[k] = 1;
        solve(x, unit, lambda);
        sum += 1 - lambda * x[k];
    }
    return sum;
}

static void check_all(const char *path, int64_t set, size_t decompose_below) {
    struct live *l;
    assert_int_equal(live_open(&l, path, NULL, NULL), OK);
    live_decompose_below(l, decompose_below);
    for (size_t q = 0; q < RIG_GEN; q++)
        for (int e = -3; e < 2; e++) {
            struct live_request r = { set, { SPLIT_GEN, q }, { LAMBDA_RELATIVE, pow(10, e) }, "" };
            float *score = NULL;
            size_t n = 0;
            double rel, absolute, x[K], trace = 0, largest = 0;
            assert_int_equal(wait_for(l, &r, &score, &n, &rel, &absolute), 1);
            assert_int_equal(n, RIG_TRAIN);
            for (size_t i = 0; i < RIG_TRAIN * K; i++) trace += (double)phi[i / K][i % K] * (double)phi[i / K][i % K];
            assert_true(fabs(absolute - pow(10, e) * trace / RIG_TRAIN) < 1e-9 * absolute);
            assert_true(fabs(rel - pow(10, e)) < 1e-9 * rel);
            solve(x, g[q], absolute);
            for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)score[i]));
            for (size_t i = 0; i < n; i++) {
                double want = dot_solution(x, phi[i], K);
                assert_true(fabs(want - (double)score[i]) < (decompose_below ? 1e-6 : 2e-5) * largest);   /* float32; steps: 1e-5 */
            }
            mem_free(score);
            double d = live_effective_dimension(l, &r), wanted = effective_dimension(absolute);
            if (decompose_below) assert_true(isfinite(d));   /* a Krylov basis knows no eigenvalues, a stored one does */
            if (isfinite(d)) assert_true(fabs(d - wanted) < 1e-5 * wanted);
            r.query.index = RIG_GEN;          /* never asked for */
            assert_true(isnan(live_effective_dimension(l, &r)));
        }
    live_close(l);
}

static void from_features_it_is_the_explicit_formula(void **state) {
    (void)state;
    const char *path = rig_path("features.db");
    check_all(path, world(path, 0), 1000);
}

static void steps_from_features_are_the_same(void **state) {
    (void)state;
    const char *path = rig_path("steps.db");
    check_all(path, world(path, 0), 0);
}

static void steps_from_a_kernel_are_the_same(void **state) {
    (void)state;
    const char *path = rig_path("kernel-steps.db");
    check_all(path, world(path, 1), 0);
}

/* A basis that is stored is used, whatever the sizes: a changed one shows. */
static void a_stored_basis_comes_first(void **state) {
    (void)state;
    const char *path = rig_path("basis.db");
    int64_t set = world(path, 0);
    struct store *s;
    struct score_set made;
    struct basis_options o = BASIS_DEFAULTS;
    struct feature_set_list list;
    struct basis_info b;
    double *values, *vectors;
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_score_set_get(s, set, &made), OK);
    o.losses = 1u << LOSS_SQUARE;
    assert_int_equal(pipeline_basis(s, &o, NULL), OK);
    store_close(s);
    check_all(path, set, 0);
    check_all(path, set, 1000);
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_feature_sets_list(s, &list), OK);
    assert_int_equal(store_basis_find(s, list.set[0].id, &b), OK);
    feature_set_list_free(&list);
    assert_int_equal(store_basis_read(s, &b, &values, &vectors), OK);
    for (size_t i = 0; i < b.rank; i++) values[i] *= 1e6;
    assert_int_equal(store_basis_finish(s, &b, b.trace, values, vectors), OK);
    mem_free(values);
    mem_free(vectors);
    store_close(s);
    struct live *l;
    struct live_request r = { set, { SPLIT_GEN, 1 }, { LAMBDA_RELATIVE, .1 }, "" };
    float *score = NULL;
    size_t n;
    double rel, absolute, x[K];
    assert_int_equal(live_open(&l, path, NULL, NULL), OK);
    live_decompose_below(l, 0);
    assert_int_equal(wait_for(l, &r, &score, &n, &rel, &absolute), 1);
    solve(x, g[1], absolute);
    assert_true(fabs((double)score[0]) < 1e-3 * fabs(dot_solution(x, phi[0], K)));
    mem_free(score);
    live_close(l);
}

static void from_a_kernel_it_is_the_same(void **state) {
    (void)state;
    const char *path = rig_path("kernel.db");
    check_all(path, world(path, 1), 1000);
}

static void what_is_missing_is_said_and_may_come_later(void **state) {
    (void)state;
    const char *path = rig_path("missing.db");
    int64_t set = world(path, 0);
    struct live *l;
    struct live_request r = { set, { SPLIT_VAL, 0 }, { LAMBDA_RELATIVE, .1 }, "" }, none = { 99, { SPLIT_GEN, 0 }, r.lambda, "" };
    float *score = NULL;
    size_t n;
    double a, b;
    assert_int_equal(live_open(&l, path, NULL, NULL), OK);
    assert_int_equal(wait_for(l, &r, &score, &n, &a, &b), -1);
    assert_non_null(strstr(fail_reason(), "neither features nor a kernel"));
    assert_int_equal(wait_for(l, &none, &score, &n, &a, &b), -1);
    assert_int_equal(live_get(l, &r, &score, &n, &a, &b), 0);   /* asked again, it looks again */
    live_close(l);
}

/* In a database from elsewhere the two kernels may be of other numbers of items. */
static void a_kernel_of_other_items_is_refused(void **state) {
    (void)state;
    static double gram[(RIG_TRAIN + 1) * (RIG_TRAIN + 2) / 2];
    const char *path = rig_path("longer.db");
    int64_t set = world(path, 1);
    struct store *s;
    struct feature_set_list list;
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_feature_sets_list(s, &list), OK);
    for (size_t i = 0, at = 0; i <= RIG_TRAIN; i++)
        for (size_t j = i; j <= RIG_TRAIN; j++) gram[at++] = i == j;
    for (size_t i = 0; i < list.count; i++)
        if (list.set[i].identity.split == SPLIT_TRAIN)
            assert_int_equal(store_kernel_put(s, list.set[i].id, KERNEL_GRAM, SPLIT_TRAIN, RIG_TRAIN + 1, RIG_TRAIN + 1, 1, gram), OK);
    feature_set_list_free(&list);
    store_close(s);
    for (size_t below = 0; below < 2000; below += 1000) {
        struct live *l;
        struct live_request r = { set, { SPLIT_GEN, RIG_GEN - 1 }, { LAMBDA_RELATIVE, .1 }, "" };
        float *score = NULL;
        size_t n;
        double a, b;
        assert_int_equal(live_open(&l, path, NULL, NULL), OK);
        live_decompose_below(l, below);
        assert_int_equal(wait_for(l, &r, &score, &n, &a, &b), -1);
        assert_non_null(strstr(fail_reason(), "the stored kernel is of 41 training items, not 40"));
        live_close(l);
    }
}

/* Made after the kernel, as a new image is. */
static void a_query_that_the_kernel_lacks_comes_from_its_features(void **state) {
    (void)state;
    const char *path = rig_path("short.db");
    int64_t set = world(path, SHORT_KERNEL);
    check_all(path, set, 1000);
    check_all(path, set, 0);
}

/* Queries that went leave their numbers to those after them, and a set its id to the next. */
static void what_has_other_numbers_is_computed_anew(void **state) {
    (void)state;
    for (int kernel = 0; kernel < 2; kernel++)
        for (size_t below = 0; below < 2000; below += 1000) {
            const char *path = rig_path(kernel ? "fewer-kernel.db" : "fewer.db");
            if (rig_exists(path)) rig_clear();
            path = rig_path(kernel ? "fewer-kernel.db" : "fewer.db");
            struct live_request r = { world(path, kernel), { SPLIT_GEN, 0 }, { LAMBDA_RELATIVE, .1 }, "" };
            struct live *l;
            struct store *s;
            float *score = NULL;
            size_t n, first = 0;
            double rel, absolute, x[K];
            assert_int_equal(live_open(&l, path, NULL, NULL), OK);
            live_decompose_below(l, below);
            assert_int_equal(wait_for(l, &r, &score, &n, &rel, &absolute), 1);
            mem_free(score);
            assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
            assert_int_equal(store_items_drop(s, SPLIT_GEN, &first, 1), OK);
            store_close(s);
            live_forget(l);
            assert_true(isnan(live_effective_dimension(l, &r)));
            for (int again = 0; again < 2; again++) {
                assert_int_equal(wait_for(l, &r, &score, &n, &rel, &absolute), 1);
                solve(x, g[1], absolute);
                for (size_t i = 0; i < n; i++) {
                    double want = dot_solution(x, phi[i], K);
                    assert_true(fabs(want - (double)score[i]) < 2e-5);
                }
                mem_free(score);
                snprintf(r.created, sizeof r.created, "2000-01-01 00:00:00");   /* another set: not the answer of the first */
                if (!again) assert_int_equal(live_get(l, &r, &score, &n, &rel, &absolute), 0);
            }
            live_close(l);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_features_it_is_the_explicit_formula),
        cmocka_unit_test(from_a_kernel_it_is_the_same),
        cmocka_unit_test(a_query_that_the_kernel_lacks_comes_from_its_features),
        cmocka_unit_test(steps_from_features_are_the_same),
        cmocka_unit_test(steps_from_a_kernel_are_the_same),
        cmocka_unit_test(a_stored_basis_comes_first),
        cmocka_unit_test(a_kernel_of_other_items_is_refused),
        cmocka_unit_test(what_is_missing_is_said_and_may_come_later),
        cmocka_unit_test(what_has_other_numbers_is_computed_anew),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
