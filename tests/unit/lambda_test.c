/* lambda_test.c - specs, grid, effective dimension and the automatic choice. */
#include "dtrak/lambda.h"

#include <stdio.h>
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

static void specs_are_read_and_written_back(void **state) {
    (void)state;
    static const struct { const char *text; enum lambda_kind kind; double value; } good[] = {
        { "0.05", LAMBDA_RELATIVE, 0.05 }, { "1e-06", LAMBDA_RELATIVE, 1e-6 }, { "abs:500", LAMBDA_ABSOLUTE, 500 },
        { "auto", LAMBDA_AUTO, 0 }, { "abs:0.1", LAMBDA_ABSOLUTE, 0.1 }, { "200", LAMBDA_RELATIVE, 200 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct lambda l, again;
        char text[LAMBDA_TEXT];
        assert_int_equal(lambda_parse(&l, good[i].text), OK);
        assert_int_equal(l.kind, good[i].kind);
        assert_true(l.value == good[i].value);
        lambda_format(text, l);
        assert_int_equal(lambda_parse(&again, text), OK);
        assert_true(again.kind == l.kind && again.value == l.value);
    }
    struct lambda l;
    char text[LAMBDA_TEXT];
    assert_int_equal(lambda_parse(&l, NULL), OK);
    assert_int_equal(l.kind, LAMBDA_AUTO);
    static const struct { struct lambda l; const char *text; } canonical[] = {
        { { LAMBDA_ABSOLUTE, 500 }, "abs:500" }, { { LAMBDA_RELATIVE, 0.05 }, "0.05" },
        { { LAMBDA_RELATIVE, 2e-6 }, "2e-6" }, { { LAMBDA_RELATIVE, 1 }, "1" }, { { LAMBDA_AUTO, 0 }, "auto" },
        { { LAMBDA_ABSOLUTE, 1.25e9 }, "abs:1.25e9" }, { { LAMBDA_RELATIVE, 123.25 }, "123.25" },
    };
    for (size_t i = 0; i < sizeof canonical / sizeof *canonical; i++) {
        lambda_format(text, canonical[i].l);
        assert_string_equal(text, canonical[i].text);
    }
    l = (struct lambda){ LAMBDA_RELATIVE, 1.0 / 3 };
    lambda_format(text, l);
    struct lambda third;
    assert_int_equal(lambda_parse(&third, text), OK);
    assert_true(third.value == 1.0 / 3);
}

static void what_is_no_lambda_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = { "", "0", "-1", "abs:", "abs:-3", "nan", "inf", "1e999", "0.1x", " 1", "0x10",
                                       "Auto", "abs:auto", "1e-400" };
    struct lambda l;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(lambda_parse(&l, bad[i]), ERR_USAGE);
    assert_int_equal(lambda_parse(&l, "grid"), ERR_USAGE);      /* many: only a list may have it, and is offered it */
    assert_string_equal(fail_reason(), "lambda 'grid' is not a number above 0, abs:NUMBER or auto");
}

static void lists_and_the_grid_are_read(void **state) {
    (void)state;
    struct lambda l[LAMBDA_LIST_MAX];
    size_t n;
    assert_int_equal(lambda_parse_list(l, &n, NULL), OK);
    assert_true(n == 1 && l[0].kind == LAMBDA_AUTO);
    assert_int_equal(lambda_parse_list(l, &n, "0.05,abs:500,auto,5e-2"), OK);
    assert_true(n == 3 && l[1].kind == LAMBDA_ABSOLUTE && l[2].kind == LAMBDA_AUTO);
    assert_int_equal(lambda_parse_list(l, &n, "grid,0.1,auto"), OK);   /* 0.1 is on the grid */
    assert_int_equal(n, LAMBDA_GRID_COUNT + 1);
    static const char *const bad[] = { "", "0.1,", ",0.1", "grid,-1", "0.1 0.2", "grids" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(lambda_parse_list(l, &n, bad[i]), ERR_USAGE);
    assert_non_null(strstr(fail_reason(), "'grids' is not a number above 0, abs:NUMBER, auto or, for a whole sweep, grid"));
    char many[LAMBDA_LIST_MAX * 8 + 16] = "";
    for (int i = 0; i <= LAMBDA_LIST_MAX; i++) snprintf(many + strlen(many), 9, "%s%d", i ? "," : "", i + 1000);
    assert_int_equal(lambda_parse_list(l, &n, many), ERR_USAGE);
}

static void short_form_is_short(void **state) {
    (void)state;
    static const struct { double v; const char *text; } cases[] = {
        { 0.05, "0.05" }, { 1234, "1.2e3" }, { 1e-6, "1e-6" }, { 20, "20" }, { 500, "5e2" }, { 0.00021, "2.1e-4" },
        { 99.6, "1e2" }, { 0, "0e0" },
    };
    char text[LAMBDA_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lambda_format_value(text, cases[i].v);
        assert_string_equal(text, cases[i].text);
    }
}

static void the_grid_is_1_2_5_and_can_be_walked(void **state) {
    (void)state;
    assert_true(lambda_grid(0) == 1e-6 && lambda_grid(LAMBDA_GRID_COUNT - 1) == 500);
    for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++) {
        static const double digit[3] = { 1, 2, 5 };
        assert_near(lambda_grid(i), digit[i % 3] * pow(10, (double)(i / 3) - 6), 0, 1e-12);
        double up = lambda_step(lambda_grid(i), 1), down = lambda_step(lambda_grid(i), -1);
        assert_true(up == lambda_grid(i + 1 < LAMBDA_GRID_COUNT ? i + 1 : i));
        assert_true(down == lambda_grid(i ? i - 1 : 0));
    }
    assert_true(lambda_step(0.03, 1) == 0.05 && lambda_step(0.03, -1) == 0.02);
    /* The same after a round trip through the absolute form. */
    double there = lambda_to_relative(lambda_to_absolute(0.05, 1234.5, 77), 1234.5, 77);
    assert_true(lambda_step(there, 1) == 0.1 && lambda_step(there, -1) == 0.02);
    assert_true(lambda_step(1e-9, -1) == 1e-6 && lambda_step(1e9, 1) == 500);
}

static void effective_dimension_of_1_to_n_is_the_closed_sum(void **state) {
    (void)state;
    enum { N = 50 };
    double L[N], want = 0;
    for (size_t i = 0; i < N; i++) {
        L[i] = (double)(i + 1);
        want += L[i] / (L[i] + 7.5);
    }
    assert_near(lambda_effective_dimension(L, N, 7.5), want, 0, 1e-14);
    double l;
    assert_int_equal(lambda_for_dimension(&l, L, N, want), OK);
    assert_near(l, 7.5, 0, 1e-12);
}

static void effective_dimension_has_its_limits(void **state) {
    (void)state;
    double L[6] = { 0, 0, 1, 2, 5, 12 };
    assert_near(lambda_effective_dimension(L, 6, 1e-14), 4, 1e-12, 0);
    assert_near(lambda_effective_dimension(L, 6, 1e14) * 1e14, 20, 1e-10, 0);
}

static void auto_is_a_quarter_and_follows_the_scale_of_the_features(void **state) {
    (void)state;
    double L[40], scaled[40], l, ls;
    for (size_t i = 0; i < 40; i++) {
        L[i] = exp(-(double)i / 4) + 1e-4;
        scaled[i] = 9e12 * L[i];
    }
    assert_int_equal(lambda_auto(&l, L, 40, 40, 100), OK);
    assert_near(lambda_effective_dimension(L, 40, l), 10, 1e-10, 0);
    assert_int_equal(lambda_auto(&ls, scaled, 40, 40, 100), OK);
    assert_near(ls, 9e12 * l, 0, 1e-11);
    /* k is the smaller side: a quarter of k. */
    assert_int_equal(lambda_auto(&l, L + 28, 12, 40, 12), OK);
    assert_near(lambda_effective_dimension(L + 28, 12, l), 3, 1e-10, 0);
}

static void auto_copes_with_copies_and_with_nothing(void **state) {
    (void)state;
    double copies[20] = { 0 }, none[4] = { 0 }, l;
    copies[18] = 3;
    copies[19] = 4;
    assert_int_equal(lambda_auto(&l, copies, 20, 20, 50), OK);
    assert_near(lambda_effective_dimension(copies, 20, l), 0.5, 1e-10, 0);
    assert_int_equal(lambda_auto(&l, none, 4, 4, 4), ERR_NUMERIC);
    assert_int_equal(lambda_for_dimension(&l, copies, 20, 2), ERR_NUMERIC);
    assert_int_equal(lambda_for_dimension(&l, copies, 20, 0), ERR_NUMERIC);
    assert_int_equal(lambda_for_dimension(&l, copies, 20, NAN), ERR_NUMERIC);
}

/* tr K^-1 = (k - d_eff) / l, with the inverse computed on its own. */
static void d_eff_agrees_with_the_diagonal_of_the_inverse(void **state) {
    (void)state;
    enum { N = 50, K = 200 };
    static float X[N * K];
    static double A[K * K], I[K * K];
    struct rows_memory memory = { X, K };
    struct rows rows = rows_in_memory(&memory, N);
    struct ridge *r;
    rng_normal(X, N * K, 3, RNG_TEST, 0, 0);
    assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
    for (double l = 0.5; l < 5000; l *= 7) {
        double trace = 0;
        memset(A, 0, sizeof A);
        memset(I, 0, sizeof I);
        assert_int_equal(linalg_inner_gram_add(A, X, N, K), OK);
        for (size_t i = 0; i < K; i++) {
            A[i * K + i] += l;
            I[i * K + i] = 1;
        }
        assert_int_equal(linalg_cholesky_solve(A, K, I, K), OK);
        for (size_t i = 0; i < K; i++) trace += I[i * K + i];
        assert_near(ridge_effective_dimension(r, l), K * (1 - l * trace / K), 0, 1e-10);
    }
    ridge_free(r);
}

static void every_kind_resolves_to_an_absolute_value(void **state) {
    (void)state;
    double L[4] = { 1, 2, 3, 4 }, l;
    assert_int_equal(lambda_resolve(&l, (struct lambda){ LAMBDA_ABSOLUTE, 500 }, L, 4, 10, 4, 9), OK);
    assert_true(l == 500);
    assert_int_equal(lambda_resolve(&l, (struct lambda){ LAMBDA_RELATIVE, 0.1 }, L, 4, 10, 4, 9), OK);
    assert_near(l, 0.25, 0, 1e-15);
    assert_int_equal(lambda_resolve(&l, (struct lambda){ LAMBDA_AUTO, 0 }, L, 4, 10, 4, 9), OK);
    assert_near(lambda_effective_dimension(L, 4, l), 1, 1e-10, 0);
    assert_int_equal(lambda_resolve(&l, (struct lambda){ LAMBDA_RELATIVE, 0.1 }, L, 4, 0, 4, 9), ERR_NUMERIC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_are_read_and_written_back),
        cmocka_unit_test(what_is_no_lambda_is_refused),
        cmocka_unit_test(lists_and_the_grid_are_read),
        cmocka_unit_test(short_form_is_short),
        cmocka_unit_test(the_grid_is_1_2_5_and_can_be_walked),
        cmocka_unit_test(effective_dimension_of_1_to_n_is_the_closed_sum),
        cmocka_unit_test(effective_dimension_has_its_limits),
        cmocka_unit_test(auto_is_a_quarter_and_follows_the_scale_of_the_features),
        cmocka_unit_test(auto_copes_with_copies_and_with_nothing),
        cmocka_unit_test(d_eff_agrees_with_the_diagonal_of_the_inverse),
        cmocka_unit_test(every_kind_resolves_to_an_absolute_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
