/* selfstudy_test.c - planted copies and planted noise images; shares by hand. */
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/neighbours.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "dtrak/selfstudy.h"
#include "../lib/near.h"

#include <string.h>

enum { N = 80, SIDE = 8, D = SIDE * SIDE, SHAPES = 5, COPIES = 6, NOISE = 4 };

static float image[N * D];

/* Smooth images: few waves with random weights and a little grain.  Items 10.., each a copy of
 * item 30..; items 50.. are noise of the same size. */
static void make(void) {
    for (uint32_t n = 0; n < N; n++) {
        float weight[SHAPES], grain[D];
        rng_normal(weight, SHAPES, 71, RNG_TEST, n, 0);
        rng_normal(grain, D, 71, RNG_TEST, n, 1);
        for (size_t i = 0; i < D; i++) {
            double v = 0;
            for (size_t s = 0; s < SHAPES; s++)
                v += (double)weight[s] * cos(0.35 * (double)((s + 1) * (i % SIDE) + s * (i / SIDE)));
            image[n * D + i] = (float)v + (0.05f + 0.002f * (float)n) * grain[i];
        }
    }
    for (size_t c = 0; c < COPIES; c++) memcpy(image + (10 + c) * D, image + (30 + c) * D, D * sizeof *image);
    for (uint32_t c = 0; c < NOISE; c++) rng_normal(image + (50 + c) * D, D, 72, RNG_TEST, c, 0);
}

static void planted_noise_stands_out_and_copies_are_found(void **state) {
    (void)state;
    struct rows_memory memory = { image, D };
    struct rows rows = rows_in_memory(&memory, N);
    struct ridge *ridge;
    double lambda, h[N], distance[N], loss[N];
    int32_t label[N];
    struct neighbour near[N];
    make();
    assert_int_equal(ridge_new_rows(&ridge, &rows, NULL), OK);
    assert_int_equal(lambda_auto(&lambda, ridge_eigenvalues(ridge), ridge_rank(ridge), N, D), OK);
    assert_int_equal(ridge_diagonals(ridge, lambda, h, NULL, NULL), OK);
    ridge_free(ridge);
    assert_int_equal(neighbours_find(near, &rows, &rows, 1, NEIGHBOURS_EUCLID, 1, 0, NULL, NULL), OK);
    for (size_t n = 0; n < N; n++) {
        distance[n] = near[n].value;
        loss[n] = -h[n];
        label[n] = n % 2 ? 7 : -3;
    }
    struct selfstudy_input in = { N, h, loss, distance, label };
    struct selfstudy got;
    uint32_t outlier[N];
    assert_int_equal(selfstudy_run(&got, outlier, &in, SELFSTUDY_SPREADS), OK);
    assert_true(got.outliers >= NOISE);
    for (size_t c = 0; c < NOISE; c++) assert_in_range(outlier[c], 50, 50 + NOISE - 1);
    for (size_t i = 1; i < got.outliers; i++) assert_true(h[outlier[i - 1]] >= h[outlier[i]]);
    assert_near(got.threshold, got.median + SELFSTUDY_SPREADS * got.mad, 0, 1e-15);
    assert_near(got.with_loss, -1, 1e-12, 0);
    assert_true(got.with_distance > 0.22);   /* two standard errors of no correlation at all */
    for (size_t n = 0; n < N; n++) loss[n] = h[n] * h[n];
    struct selfstudy_input other = { N, h, NULL, loss, NULL };
    struct selfstudy along;
    assert_int_equal(selfstudy_run(&along, NULL, &other, SELFSTUDY_SPREADS), OK);
    assert_near(along.with_distance, 1, 1e-12, 0);
    assert_true(isnan(along.with_loss));
    assert_int_equal(got.labels, 2);
    assert_true(got.with_label < 0.1);
    size_t copies = 0;
    for (size_t n = 0; n < N; n++) {
        int planted = (n >= 10 && n < 10 + COPIES) || (n >= 30 && n < 30 + COPIES);
        assert_int_equal(distance[n] == 0, planted);
        if (!planted) continue;
        copies++;
        assert_int_equal(near[n].index, n < 30 ? n + 20 : n - 20);
        /* Of two equal rows neither can have more than half. */
        assert_true(h[n] < 0.5);
    }
    assert_int_equal(copies, 2 * COPIES);
}

static void the_share_of_labels_is_kruskal_wallis(void **state) {
    (void)state;
    /* Ranks 1 2 3 | 4 5 6 7: H = 12 / 56 (6^2 / 3 + 22^2 / 4) - 3 * 8 = 4.5, over N - 1 = 6. */
    const double x[7] = { 0.1, 9, 0.2, 7, 0.3, 8, 6 };
    const int32_t label[7] = { 4, -1, 4, -1, 4, -1, -1 }, same[7] = { 0 };
    const double constant[7] = { 2, 2, 2, 2, 2, 2, 2 };
    double share;
    size_t labels;
    assert_int_equal(selfstudy_label_share(&share, &labels, x, label, 7), OK);
    assert_near(share, 4.5 / 6, 0, 1e-14);
    assert_int_equal(labels, 2);
    assert_int_equal(selfstudy_label_share(&share, &labels, x, same, 7), OK);
    assert_near(share, 0, 1e-15, 0);
    assert_int_equal(labels, 1);
    assert_int_equal(selfstudy_label_share(&share, &labels, constant, label, 7), OK);
    assert_near(share, 0, 0, 0);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    double x[3] = { 1, 2, 30 };
    const double bad[3] = { 0, NAN, 0 };
    uint32_t outlier[3];
    struct selfstudy got;
    struct selfstudy_input in = { .N = 3, .x = x };
    assert_int_equal(selfstudy_run(&got, outlier, &in, 3), OK);
    assert_int_equal(got.outliers, 1);
    assert_int_equal(outlier[0], 2);
    assert_true(isnan(got.with_loss) && isnan(got.with_distance) && isnan(got.with_label));
    assert_int_equal(selfstudy_run(&got, NULL, &in, -1), ERR_RANGE);
    in.loss = bad;
    assert_int_equal(selfstudy_run(&got, NULL, &in, 3), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "loss of training item 1"));
    in.N = 0;
    assert_int_equal(selfstudy_run(&got, NULL, &in, 3), ERR_RANGE);
    assert_int_equal(mem_live(), 0);
}

static void two_items_are_not_correlated(void **state) {
    (void)state;
    static const double h[] = { .1, .4, .2 }, loss[] = { 1, 3, 2 };
    static const int32_t label[] = { 0, 1, 1 };
    for (size_t n = 1; n <= 3; n++) {
        struct selfstudy_input in = { n, h, loss, loss, label };
        struct selfstudy got;
        assert_int_equal(selfstudy_run(&got, NULL, &in, SELFSTUDY_SPREADS), OK);
        assert_int_equal(isnan(got.with_loss) && isnan(got.with_distance), n < 3);
        if (n < 3) continue;
        assert_near(got.with_loss, 1, 0, 1e-12);
        assert_near(got.with_distance, 1, 0, 1e-12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_noise_stands_out_and_copies_are_found),
        cmocka_unit_test(the_share_of_labels_is_kruskal_wallis),
        cmocka_unit_test(two_items_are_not_correlated),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
