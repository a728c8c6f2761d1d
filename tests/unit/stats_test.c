/* stats_test.c - statistics against values worked out by hand and plain counting. */
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/stats.h"
#include "../lib/near.h"

#include <string.h>

static void mean_and_sd(void **state) {
    (void)state;
    static const double x[8] = { 2, 4, 4, 4, 5, 5, 7, 9 };
    assert_near(stats_mean(x, 8), 5, 1e-15, 0);
    assert_near(stats_sd(x, 8), sqrt(32.0 / 7), 1e-15, 0);
    assert_true(stats_sd(x, 1) == 0);
}

static void pearson_by_hand(void **state) {
    (void)state;
    /* deviations (-2 -1 0 1 2) and (-1 -2 1 0 2): 10, 10, 8 */
    static const double x[5] = { 1, 2, 3, 4, 5 }, y[5] = { 2, 1, 4, 3, 5 }, flat[5] = { 7, 7, 7, 7, 7 };
    assert_near(stats_pearson(x, y, 5), 0.8, 1e-15, 0);
    assert_near(stats_pearson(x, x, 5), 1, 1e-15, 0);
    assert_true(stats_pearson(x, flat, 5) == 0);
    assert_true(stats_pearson(x, y, 1) == 0);
    /* Ten times 0.1 add up to less than 1: the mean is not the value. */
    double tenth[10], third[10];
    for (size_t i = 0; i < 10; i++) tenth[i] = 0.1, third[i] = 0.7;
    assert_true(stats_pearson(tenth, third, 10) == 0);
    double broken[5] = { 1, NAN, 3, 4, 5 };
    assert_true(isnan(stats_pearson(x, broken, 5)));
}

static void ties_share_their_average_rank(void **state) {
    (void)state;
    static const double x[6] = { 10, 20, 10, 5, 20, 20 }, want[6] = { 2.5, 5, 2.5, 1, 5, 5 };
    double rank[6];
    assert_int_equal(stats_average_ranks(x, 6, rank), OK);
    for (size_t i = 0; i < 6; i++) assert_near(rank[i], want[i], 1e-15, 0);
}

static void spearman_by_hand(void **state) {
    (void)state;
    /* The textbook sample without ties: 1 - 6 * 194 / (10 * 99) = -29/165. */
    static const double iq[10] = { 106, 100, 86, 101, 99, 103, 97, 113, 112, 110 };
    static const double tv[10] = { 7, 27, 2, 50, 28, 29, 20, 12, 6, 17 };
    double r;
    assert_int_equal(stats_spearman(&r, iq, tv, 10), OK);
    assert_near(r, -29.0 / 165, 1e-15, 0);
    /* Ranks (1 2.5 2.5 4) and (1.5 1.5 3 4), deviations (-1.5 0 0 1.5) and
     * (-1 -1 .5 1.5): 4.5, 4.5, 3.75 */
    static const double x[4] = { 1, 2, 2, 3 }, y[4] = { 0, 0, 5, 9 };
    assert_int_equal(stats_spearman(&r, x, y, 4), OK);
    assert_near(r, 3.75 / 4.5, 1e-15, 0);
    static const double flat[4] = { 1, 1, 1, 1 };
    assert_int_equal(stats_spearman(&r, x, flat, 4), OK);
    assert_true(r == 0);
}

static double sign(double v) { return v > 0 ? 1 : v < 0 ? -1 : 0; }

static void kendall_agrees_with_counting_pairs(void **state) {
    (void)state;
    enum { N = 61 };
    double x[N], y[N], tau;
    for (uint32_t t = 0; t < 30; t++) {
        struct rng r = rng_at(t, RNG_TEST, 1, 0);
        for (size_t i = 0; i < N; i++) {
            x[i] = (double)rng_below(&r, 3 + 5 * t);
            y[i] = x[i] + (double)rng_below(&r, 2 + 4 * t);
        }
        double s = 0, nx = 0, ny = 0;
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < i; j++) {
                s += sign(x[i] - x[j]) * sign(y[i] - y[j]);
                nx += x[i] != x[j];
                ny += y[i] != y[j];
            }
        assert_int_equal(stats_kendall(&tau, x, y, N), OK);
        assert_near(tau, s / sqrt(nx * ny), 1e-14, 0);
    }
    /* By hand: pairs of (1 2 3) and (1 3 2): 2 agree, 1 does not. */
    static const double a[3] = { 1, 2, 3 }, b[3] = { 1, 3, 2 }, flat[3] = { 0, 0, 0 };
    assert_int_equal(stats_kendall(&tau, a, b, 3), OK);
    assert_near(tau, 1.0 / 3, 1e-15, 0);
    assert_int_equal(stats_kendall(&tau, a, flat, 3), OK);
    assert_true(tau == 0);
}

static void overlap_counts_what_is_common(void **state) {
    (void)state;
    static const uint32_t a[5] = { 9, 2, 7, 1, 4 }, b[5] = { 1, 9, 3, 2, 8 };
    double o;
    static const double want[5] = { 0, 0.5, 1.0 / 3, 0.75, 0.6 };
    for (size_t k = 1; k <= 5; k++) {
        assert_int_equal(stats_overlap(&o, a, b, k), OK);
        assert_near(o, want[k - 1], 1e-15, 0);
    }
    assert_int_equal(stats_overlap(&o, a, b, 0), ERR_RANGE);
}

static void rbo_by_hand(void **state) {
    (void)state;
    static const uint32_t a[3] = { 1, 2, 3 }, b[3] = { 2, 1, 4 }, c[3] = { 7, 8, 9 };
    double r, p = 0.9;
    /* Common to the first 1, 2, 3: 0, 2, 2. */
    double want = 2.0 / 3 * p * p * p + (1 - p) / p * (0 + p * p + 2.0 / 3 * p * p * p);
    assert_int_equal(stats_rbo(&r, a, b, 3, p), OK);
    assert_near(r, want, 1e-15, 0);
    assert_int_equal(stats_rbo(&r, a, a, 3, p), OK);
    assert_near(r, 1, 1e-15, 0);
    assert_int_equal(stats_rbo(&r, a, c, 3, p), OK);
    assert_true(r == 0);
    assert_int_equal(stats_rbo(&r, a, c, 3, 1), ERR_RANGE);
    assert_int_equal(stats_rbo(&r, a, c, 0, p), ERR_RANGE);
}

static void median_and_mad(void **state) {
    (void)state;
    static const double odd[5] = { 9, 1, 5, 3, 100 }, even[4] = { 4, 1, 3, 2 };
    double m, d;
    assert_int_equal(stats_median(&m, &d, odd, 5), OK);
    assert_near(m, 5, 1e-15, 0);
    assert_near(d, 1.4826 * 4, 1e-12, 0);   /* deviations 4 4 0 2 95 */
    assert_int_equal(stats_median(&m, NULL, even, 4), OK);
    assert_near(m, 2.5, 1e-15, 0);
    assert_int_equal(stats_median(&m, &d, odd, 0), ERR_RANGE);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    static const double x[4] = { 1, 2, 2, 3 }, y[4] = { 0, 0, 5, 9 };
    static const uint32_t a[3] = { 1, 2, 3 }, b[3] = { 2, 1, 4 };
    long before = mem_live();
    for (long n = 0;; n++) {
        double r;
        mem_fail_after(n);
        enum status st = stats_spearman(&r, x, y, 4);
        if (st == OK) st = stats_kendall(&r, x, y, 4);
        if (st == OK) st = stats_rbo(&r, a, b, 3, 0.9);
        if (st == OK) st = stats_overlap(&r, a, b, 3);
        if (st == OK) st = stats_median(&r, NULL, x, 4);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) {
            assert_int_equal(n, 9);
            break;
        }
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_sd),
        cmocka_unit_test(pearson_by_hand),
        cmocka_unit_test(ties_share_their_average_rank),
        cmocka_unit_test(spearman_by_hand),
        cmocka_unit_test(kendall_agrees_with_counting_pairs),
        cmocka_unit_test(overlap_counts_what_is_common),
        cmocka_unit_test(rbo_by_hand),
        cmocka_unit_test(median_and_mad),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
