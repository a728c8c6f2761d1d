/* errorbars_test.c - the jackknife against Monte Carlo over worlds with known features; ranks
 * and groups. */
#include "dtrak/errorbars.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

enum { B = 8, M = 3, N = 14, K = 21, WORLDS = 200, CELLS = M * N };

static float mu_train[N * K], mu_query[M * K];
static float train[B][N * K], query[B * M * K];
static struct rows_memory memory[B];
static struct rows rows[B];
static const struct lambda automatic = { LAMBDA_AUTO, 0 };

static void make_mu(size_t k) {
    rng_normal(mu_train, N * k, 61, RNG_TEST, 0, 0);
    rng_normal(mu_query, M * k, 61, RNG_TEST, 1, 0);
}

/* Blocks of one world: mu + sigma * noise, each item its own. */
static void make_world(uint32_t world, size_t k, float sigma) {
    for (uint32_t b = 0; b < B; b++) {
        float noise[N * K];
        rng_normal(noise, N * k, 62, RNG_TEST, world, 2 * b);
        for (size_t i = 0; i < N * k; i++) train[b][i] = mu_train[i] + sigma * noise[i];
        rng_normal(noise, M * k, 62, RNG_TEST, world, 2 * b + 1);
        for (size_t i = 0; i < M * k; i++) query[b * M * k + i] = mu_query[i] + sigma * noise[i];
        memory[b] = (struct rows_memory){ train[b], k };
        rows[b] = rows_in_memory(&memory[b], N);
    }
}

static void score_world(double *tau, double *left, double *se) {
    struct errorbars *e;
    assert_int_equal(errorbars_new(&e, rows, B, automatic, NULL), OK);
    assert_int_equal(errorbars_scores(e, query, M, tau, left, NULL), OK);
    errorbars_jackknife(se, left, B, CELLS);
    errorbars_free(e);
}

/* Scores of the features without noise, at the same effective dimension. */
static void true_scores(double *tau, size_t k) {
    struct rows_memory m = { mu_train, k };
    struct rows r = rows_in_memory(&m, N);
    struct ridge *ridge;
    double lambda, coords[M * N];
    assert_int_equal(ridge_new_rows(&ridge, &r, NULL), OK);
    assert_int_equal(lambda_auto(&lambda, ridge_eigenvalues(ridge), ridge_rank(ridge), N, k), OK);
    assert_int_equal(ridge_query_rows(ridge, &r, mu_query, M, coords, NULL), OK);
    assert_int_equal(ridge_scores(ridge, coords, M, lambda, tau), OK);
    ridge_free(ridge);
}

static void jackknife_errors_are_those_over_worlds(size_t k) {
    static double tau[WORLDS][CELLS], se[WORLDS][CELLS], left[B * CELLS];
    double truth[CELLS], covered = 0, mean_ratio = 0;
    make_mu(k);
    true_scores(truth, k);
    for (uint32_t w = 0; w < WORLDS; w++) {
        make_world(w, k, 0.15f);
        score_world(tau[w], left, se[w]);
    }
    for (size_t i = 0; i < CELLS; i++) {
        double mean = 0, var = 0, claimed = 0;
        for (size_t w = 0; w < WORLDS; w++) mean += tau[w][i] / WORLDS;
        for (size_t w = 0; w < WORLDS; w++) {
            var += (tau[w][i] - mean) * (tau[w][i] - mean) / (WORLDS - 1);
            claimed += se[w][i] * se[w][i] / WORLDS;
            covered += fabs(tau[w][i] - truth[i]) <= 2 * se[w][i];
        }
        assert_near(sqrt(claimed / var), 1, 0.2, 0);
        mean_ratio += sqrt(claimed / var) / CELLS;
    }
    assert_near(mean_ratio, 1, 0.05, 0);
    assert_true(covered / (WORLDS * CELLS) >= 0.9);
}

static void the_dual_form_tells_its_error(void **state) {
    (void)state;
    jackknife_errors_are_those_over_worlds(K);
}

static void the_primal_form_tells_its_error(void **state) {
    (void)state;
    jackknife_errors_are_those_over_worlds(9);
}

static void equal_blocks_have_no_error(void **state) {
    (void)state;
    double tau[CELLS], truth[CELLS], left[B * CELLS], se[CELLS];
    make_mu(K);
    make_world(0, K, 0);
    score_world(tau, left, se);
    true_scores(truth, K);
    for (size_t i = 0; i < CELLS; i++) {
        assert_near(tau[i], truth[i], 1e-12, 1e-10);
        assert_near(se[i], 0, 1e-10, 0);
    }
}

static void what_is_left_out_is_left_out_of_both_sides(void **state) {
    (void)state;
    double tau[CELLS], left[B * CELLS], again[CELLS], rest[(B - 1) * CELLS];
    struct errorbars *all, *others;
    static float fewer[(B - 1) * M * K];
    struct rows kept[B - 1];
    const size_t out = 3;
    make_mu(K);
    make_world(7, K, 0.4f);
    assert_int_equal(errorbars_new(&all, rows, B, automatic, NULL), OK);
    assert_int_equal(errorbars_scores(all, query, M, tau, left, NULL), OK);
    for (size_t b = 0, at = 0; b < B; b++) {
        if (b == out) continue;
        kept[at] = rows[b];
        memcpy(fewer + at * M * K, query + b * M * K, M * K * sizeof *fewer);
        at++;
    }
    /* The blocks that stay, alone, at the lambda found for them. */
    assert_int_equal(errorbars_new(&others, kept, B - 1, (struct lambda){ LAMBDA_ABSOLUTE, errorbars_lambda(all, out) }, NULL), OK);
    assert_near(errorbars_dimension(others), errorbars_dimension(all), 0, 1e-10);
    assert_near(errorbars_dimension(all), 0.25 * N, 0, 1e-10);
    assert_int_equal(errorbars_scores(others, fewer, M, again, rest, NULL), OK);
    for (size_t i = 0; i < CELLS; i++) assert_near(left[out * CELLS + i], again[i], 1e-13, 1e-11);
    assert_true(fabs(errorbars_lambda(all, out) / errorbars_lambda(all, B) - 1) > 1e-6);
    errorbars_free(all);
    errorbars_free(others);
}

/* The sd over projections falls as the root of their size. */
static void the_spread_over_projections_falls_as_its_root(void **state) {
    (void)state;
    enum { P = 60, SEEDS = 40 };
    static float full[(N + M) * P], small[(N + M) * 640], matrix[P * 640];
    static double parts[SEEDS * CELLS];
    double mean[3] = { 0 };
    rng_normal(full, (N + M) * P, 63, RNG_TEST, 0, 0);
    for (size_t step = 0; step < 3; step++) {
        size_t k = (size_t)40 << (2 * step);
        double se[CELLS];
        for (uint32_t s = 0; s < SEEDS; s++) {
            rng_normal(matrix, P * k, 64, RNG_TEST, s, (uint32_t)k);
            for (size_t i = 0; i < N + M; i++)
                for (size_t j = 0; j < k; j++) {
                    double sum = 0;
                    for (size_t l = 0; l < P; l++) sum += (double)full[i * P + l] * (double)matrix[l * k + j];
                    small[i * k + j] = (float)(sum / sqrt((double)k));
                }
            struct rows_memory m = { small, k };
            struct rows r = rows_in_memory(&m, N);
            struct ridge *ridge;
            double lambda, coords[M * N];
            assert_int_equal(ridge_new_rows(&ridge, &r, NULL), OK);
            assert_int_equal(lambda_auto(&lambda, ridge_eigenvalues(ridge), ridge_rank(ridge), N, k), OK);
            assert_int_equal(ridge_query_rows(ridge, &r, small + N * k, M, coords, NULL), OK);
            assert_int_equal(ridge_scores(ridge, coords, M, lambda, parts + s * CELLS), OK);
            ridge_free(ridge);
        }
        errorbars_spread(se, parts, SEEDS, CELLS);
        for (size_t i = 0; i < CELLS; i++) mean[step] += se[i] / CELLS;
    }
    for (size_t step = 0; step < 2; step++) assert_near(mean[step] / mean[step + 1], 2, 0.25, 0);
}

static void parts_add_up_as_squares(void **state) {
    (void)state;
    const double a[2] = { 3, 0 }, b[2] = { 4, 2 }, c[2] = { 12, 0 };
    double total[2];
    errorbars_total(total, a, b, NULL, 2);
    assert_near(total[0], 5, 0, 1e-15);
    errorbars_total(total, total, NULL, c, 2);
    assert_near(total[0], 13, 0, 1e-15);
    assert_near(total[1], 2, 0, 1e-15);
    assert_near(errorbars_z(-3, 1.5), -2, 0, 0);
    assert_near(errorbars_z(0, 0), 0, 0, 0);
    assert_false(errorbars_sign_is_determined(2, 1));
    assert_true(errorbars_sign_is_determined(-2.01, 1));
    assert_true(errorbars_sign_is_determined(1e-30, 0));
    assert_false(errorbars_sign_is_determined(0, 0));
}

static void a_group_is_jackknifed_as_a_sum(void **state) {
    (void)state;
    double tau[CELLS], left[B * CELLS], se[CELLS], sum[M], error[M];
    const uint32_t items[5] = { 0, 3, 4, 9, 13 };
    make_mu(K);
    make_world(5, K, 0.3f);
    score_world(tau, left, se);
    errorbars_group(sum, error, tau, left, B, M, N, items, 5);
    for (size_t m = 0; m < M; m++) {
        double want = 0, parts[B] = { 0 }, one;
        for (size_t i = 0; i < 5; i++) want += tau[m * N + items[i]];
        for (size_t b = 0; b < B; b++)
            for (size_t i = 0; i < 5; i++) parts[b] += left[b * CELLS + m * N + items[i]];
        errorbars_jackknife(&one, parts, B, 1);
        assert_near(sum[m], want, 1e-14, 1e-14);
        assert_near(error[m], one, 1e-14, 1e-12);
    }
    errorbars_group(sum, error, tau, left, B, M, N, items + 1, 1);
    for (size_t m = 0; m < M; m++) assert_near(error[m], se[m * N + 3], 1e-14, 1e-12);
}

static void ranks_follow_the_errors(void **state) {
    (void)state;
    enum { DRAWS = 2000 };
    const double tau[6] = { 10, 0, 1, 0.999, -5, -4 };
    const double se[6] = { 0.1, 0.01, 0.01, 0.01, 0.5, 0.5 };
    const double left[2 * 7] = { 10, 0, 1, 0.9, -5, -4, 77, 10, 0, 0.9, 1, -4, -5, 77 };
    struct errorbars_rank r[6], again[6];
    assert_int_equal(errorbars_ranks(r, tau, se, 6, left, 2, 7, 2, DRAWS, 1, 4), OK);
    assert_int_equal(r[0].median, 1);
    assert_int_equal(r[0].high, 1);
    assert_near(r[0].p_top, 1, 0, 0);
    assert_near(r[1].p_top, 0, 0, 0);
    assert_int_equal(r[1].low, 4);
    assert_int_equal(r[1].high, 4);
    /* Item 2 is above item 3 with P(N(0.001, 0.01 sqrt 2) > 0) = 0.528, item 5 above item 4 with 0.921. */
    assert_near(r[2].p_top, 0.528, 0.04, 0);
    assert_near(r[2].p_top + r[3].p_top, 1, 1e-12, 0);
    assert_int_equal(r[2].low, 2);
    assert_int_equal(r[2].high, 3);
    assert_int_equal(r[5].median, 5);
    assert_int_equal(r[5].high, 6);
    assert_int_equal(r[4].low, 5);
    assert_int_equal(r[4].median, 6);
    assert_int_equal(r[0].left_low, 1);
    assert_int_equal(r[0].left_high, 1);
    assert_int_equal(r[2].left_low, 2);
    assert_int_equal(r[2].left_high, 3);
    assert_int_equal(r[4].left_low, 5);
    assert_int_equal(r[4].left_high, 6);
    assert_int_equal(errorbars_ranks(again, tau, se, 6, left, 2, 7, 2, DRAWS, 1, 4), OK);
    assert_memory_equal(r, again, sizeof r);
    assert_int_equal(errorbars_ranks(again, tau, se, 6, NULL, 0, 0, 2, DRAWS, 2, 4), OK);
    assert_int_equal(again[2].left_low, 0);
    assert_true(again[2].p_top != r[2].p_top);
    assert_int_equal(errorbars_ranks(again, tau, se, 6, NULL, 0, 0, 2, 0, 2, 4), ERR_RANGE);
    double bad[6] = { 1, 1, 1, -1, 1, 1 };
    assert_int_equal(errorbars_ranks(again, tau, bad, 6, NULL, 0, 0, 2, 9, 2, 4), ERR_NUMERIC);
}

static void bad_blocks_are_refused_and_nothing_leaks(void **state) {
    (void)state;
    struct errorbars *e;
    double tau[CELLS], left[B * CELLS];
    make_mu(K);
    make_world(1, K, 0.1f);
    assert_int_equal(errorbars_new(&e, rows, 1, automatic, NULL), ERR_RANGE);
    rows[2].n--;
    assert_int_equal(errorbars_new(&e, rows, B, automatic, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "block 2"));
    rows[2].n++;
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = errorbars_new(&e, rows, 2, automatic, NULL);
        if (st == OK) st = errorbars_scores(e, query, M, tau, left, NULL);
        mem_fail_after(-1);
        errorbars_free(e);
        assert_int_equal(mem_live(), 0);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dual_form_tells_its_error),
        cmocka_unit_test(the_primal_form_tells_its_error),
        cmocka_unit_test(equal_blocks_have_no_error),
        cmocka_unit_test(what_is_left_out_is_left_out_of_both_sides),
        cmocka_unit_test(the_spread_over_projections_falls_as_its_root),
        cmocka_unit_test(parts_add_up_as_squares),
        cmocka_unit_test(a_group_is_jackknifed_as_a_sum),
        cmocka_unit_test(ranks_follow_the_errors),
        cmocka_unit_test(bad_blocks_are_refused_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
