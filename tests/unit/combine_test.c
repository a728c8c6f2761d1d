/* combine_test.c - TracIn, GAS and ensembles as the formulas say, from small features. */
#include "dtrak/combine.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

enum { M = 3, N = 7, K = 5, CHECKPOINTS = 4 };

static float query[CHECKPOINTS][M * K], train[CHECKPOINTS][N * K];

static void make(void) {
    for (uint32_t c = 0; c < CHECKPOINTS; c++) {
        rng_normal(query[c], M * K, 41, RNG_TEST, c, 0);
        rng_normal(train[c], N * K, 41, RNG_TEST, c, 1);
    }
}

static double dot(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < K; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void over_checkpoints(double *out, enum method m, const double *weight) {
    struct combine c;
    assert_int_equal(combine_init(&c, M * N), OK);
    for (size_t i = 0; i < CHECKPOINTS; i++) {
        double cross[M * N], query_norm[M], train_norm[N], scores[M * N];
        assert_int_equal(combine_products(cross, query_norm, train_norm, query[i], M, train[i], N, K), OK);
        struct method_inputs in = { .M = M, .N = N, .cross = cross, .query_norm = query_norm, .train_norm = train_norm };
        assert_int_equal(method_scores(m, &in, scores), OK);
        assert_int_equal(combine_add(&c, scores, weight ? weight[i] : 1), OK);
    }
    assert_int_equal(combine_mean(&c, out), OK);
    combine_free(&c);
}

static void tracin_is_the_mean_of_products_and_gas_of_cosines(void **state) {
    (void)state;
    const double rate[CHECKPOINTS] = { 0.1, 0.2, 0.3, 0.4 };
    double tracin[M * N], gas[M * N], rated[M * N];
    make();
    over_checkpoints(tracin, METHOD_GRAD_DOT, NULL);
    over_checkpoints(gas, METHOD_GRAD_COS, NULL);
    over_checkpoints(rated, METHOD_GRAD_DOT, rate);
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double products = 0, cosines = 0, with_rates = 0;
            for (size_t c = 0; c < CHECKPOINTS; c++) {
                const float *g = query[c] + m * K, *phi = train[c] + n * K;
                products += dot(g, phi) / CHECKPOINTS;
                cosines += dot(g, phi) / sqrt(dot(g, g) * dot(phi, phi)) / CHECKPOINTS;
                with_rates += rate[c] * dot(g, phi);     /* the rates add up to 1 */
            }
            assert_near(tracin[m * N + n], products, 1e-13, 1e-13);
            assert_near(gas[m * N + n], cosines, 1e-13, 1e-13);
            assert_near(rated[m * N + n], with_rates, 1e-13, 1e-13);
        }
}

static void a_mean_of_one_part_is_that_part(void **state) {
    (void)state;
    struct combine c;
    const double scores[3] = { 1, -2, 0.3 };
    double out[3];
    assert_int_equal(combine_init(&c, 3), OK);
    assert_int_equal(combine_mean(&c, out), ERR_MISSING);
    assert_int_equal(combine_add(&c, scores, 1), OK);
    assert_int_equal(combine_mean(&c, out), OK);
    assert_memory_equal(out, scores, sizeof out);
    combine_free(&c);
    assert_int_equal(mem_live(), 0);
}

static void a_damaged_part_is_refused_and_leaves_the_rest(void **state) {
    (void)state;
    struct combine c;
    const double good[2] = { 1, 2 }, bad[2] = { 3, NAN };
    double out[2];
    assert_int_equal(combine_init(&c, 2), OK);
    assert_int_equal(combine_add(&c, good, 2), OK);
    assert_int_equal(combine_add(&c, bad, 2), ERR_NUMERIC);
    assert_int_equal(combine_add(&c, good, 0), ERR_RANGE);
    assert_int_equal(combine_add(&c, good, INFINITY), ERR_RANGE);
    assert_int_equal(combine_mean(&c, out), OK);
    assert_memory_equal(out, good, sizeof out);
    combine_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracin_is_the_mean_of_products_and_gas_of_cosines),
        cmocka_unit_test(a_mean_of_one_part_is_that_part),
        cmocka_unit_test(a_damaged_part_is_refused_and_leaves_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
