/* Two rankings against each other: measures, ranks, disagreements. */
#include "dtrak/comparison.h"
#include "dtrak/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void equal_rankings_agree_in_everything(void **state) {
    (void)state;
    float x[200];
    struct comparison c;
    rng_normal(x, 200, 1, RNG_TEST, 0, 0);
    assert_int_equal(comparison_make(&c, x, x, 200), OK);
    for (int d = 0; d < COMPARISON_DEPTHS; d++) assert_float_equal((float)c.overlap[d], 1, 1e-6);
    assert_float_equal((float)c.spearman, 1, 1e-6);
    assert_float_equal((float)c.kendall, 1, 1e-6);
    assert_float_equal((float)c.rbo, 1, 1e-6);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(c.rank[0][c.order[0][i]], i + 1);
        assert_int_equal(c.order[0][i], c.order[1][i]);
        if (i) assert_true(x[c.order[0][i - 1]] >= x[c.order[0][i]]);
    }
    assert_int_equal(comparison_next_disagreement(&c, 0, 0, 1), 200);
    comparison_free(&c);
}

static void orders_at_hand_change_nothing(void **state) {
    (void)state;
    enum { N = 150 };
    float x[N], y[N];
    struct comparison c, d;
    rng_normal(x, N, 1, RNG_TEST, 0, 0);
    rng_normal(y, N, 2, RNG_TEST, 0, 0);
    for (size_t i = 0; i < N; i += 7) x[i] = .5f;
    assert_int_equal(comparison_make(&c, x, y, N), OK);
    const uint32_t *const order[2] = { c.order[0], c.order[1] };
    assert_int_equal(comparison_make_sorted(&d, x, y, order, N), OK);
    for (int s = 0; s < 2; s++) {
        assert_memory_equal(c.order[s], d.order[s], N * sizeof *c.order[s]);
        assert_memory_equal(c.rank[s], d.rank[s], N * sizeof *c.rank[s]);
    }
    assert_memory_equal(c.overlap, d.overlap, sizeof c.overlap);
    const double of_c[] = { c.spearman, c.kendall, c.rbo }, of_d[] = { d.spearman, d.kendall, d.rbo };
    assert_memory_equal(of_c, of_d, sizeof of_c);
    comparison_free(&c);
    comparison_free(&d);
}

static void opposite_rankings_disagree(void **state) {
    (void)state;
    float x[120], y[120];
    struct comparison c;
    for (size_t i = 0; i < 120; i++) {
        x[i] = (float)i;
        y[i] = -(float)i;
    }
    assert_int_equal(comparison_make(&c, x, y, 120), OK);
    assert_float_equal((float)c.spearman, -1, 1e-6);
    assert_float_equal((float)c.kendall, -1, 1e-6);
    assert_true(c.overlap[0] == 0);
    assert_float_equal((float)c.overlap[2], .8, 1e-6);   /* 100 of 120 from either end share 80 */
    assert_int_equal(c.rank[0][119], 1);
    assert_int_equal(c.rank[1][119], 120);
    assert_true(comparison_disagrees(&c, 0, 119));
    assert_false(comparison_disagrees(&c, 0, 0));   /* the last here is not among the first of anything */
    comparison_free(&c);
}

/* One item is moved from place 4 to the end; all others keep their order. */
static void the_next_disagreement_is_the_item_that_moved(void **state) {
    (void)state;
    float x[60], y[60];
    struct comparison c;
    for (size_t i = 0; i < 60; i++) x[i] = y[i] = 100 - (float)i;
    y[3] = 0;
    assert_int_equal(comparison_make(&c, x, y, 60), OK);
    assert_int_equal(comparison_next_disagreement(&c, 0, 0, 1), 3);
    assert_int_equal(comparison_next_disagreement(&c, 0, 3, 1), 60);
    assert_int_equal(comparison_next_disagreement(&c, 0, 10, -1), 3);
    assert_int_equal(comparison_next_disagreement(&c, 0, 3, -1), 60);
    assert_int_equal(comparison_next_disagreement(&c, 1, 0, 1), 60);
    assert_true(isnan(c.overlap[2]));               /* there are no 100 */
    assert_float_equal((float)c.overlap[0], .9, 1e-6);
    comparison_free(&c);
}

static void what_is_not_finite_is_named(void **state) {
    (void)state;
    float x[3] = { 1, NAN, 2 }, y[3] = { 1, 2, 3 };
    struct comparison c;
    assert_int_equal(comparison_make(&c, x, y, 3), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "train:1"));
    assert_int_equal(comparison_make(&c, y, x, 3), ERR_NUMERIC);
    assert_int_equal(comparison_make(&c, y, y, 0), ERR_RANGE);
    assert_null(c.order[0]);
    comparison_free(&c);
    assert_int_equal(comparison_make(&c, y, y, 1), OK);
    comparison_free(&c);
}

static void one_item_has_no_correlation(void **state) {
    (void)state;
    static const float x[] = { 1, 2 }, y[] = { 3, 1 };
    struct comparison c;
    assert_int_equal(comparison_make(&c, x, y, 1), OK);
    assert_true(isnan(c.spearman) && isnan(c.kendall));
    assert_float_equal((float)c.rbo, 1, 1e-6);
    comparison_free(&c);
    assert_int_equal(comparison_make(&c, x, y, 2), OK);
    assert_float_equal((float)c.spearman, -1, 1e-6);
    assert_float_equal((float)c.kendall, -1, 1e-6);
    comparison_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_rankings_agree_in_everything),
        cmocka_unit_test(orders_at_hand_change_nothing),
        cmocka_unit_test(opposite_rankings_disagree),
        cmocka_unit_test(the_next_disagreement_is_the_item_that_moved),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(one_item_has_no_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
