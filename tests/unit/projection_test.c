/* projection_test.c - sjlt: unbiased, with the variance of the formula, and the
 * same whatever order the coordinates come in. */
#include "../lib/near.h"
#include "dtrak/mem.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"

#include <stdio.h>
#include <string.h>

#define P_MAX 1024
#define K_MAX 64

static struct projection sjlt(uint64_t seed, uint64_t p, uint32_t k, uint32_t s) {
    return (struct projection){ PROJECTION_SJLT, seed, p, k, s, PROJECTION_VERSION };
}

static double inner(const float *x, const float *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

/* spike > 0 makes a few coordinates of x and y large, as gradients have them. */
static void make_vectors(float *x, float *y, size_t p, float spike) {
    rng_normal(x, p, 11, RNG_TEST, 1, (uint32_t)p);
    rng_normal(y, p, 11, RNG_TEST, 2, (uint32_t)p);
    for (size_t i = 0; i < p; i++) y[i] = 0.6f * x[i] + 0.8f * y[i];
    if (spike > 0) {
        x[0] = spike;
        y[0] = -spike;
        x[p / 2] = spike / 2;
        y[p - 1] = spike;
    }
}

/* Mean and variance of <Px, Py> over SEEDS projections, each within five standard
 * errors of the formulas. */
static void check_moments(size_t p, uint32_t k, uint32_t s, float spike) {
    enum { SEEDS = 4000 };
    static float x[P_MAX], y[P_MAX];
    static uint32_t table[P_MAX * 4];
    static double got[SEEDS];
    make_vectors(x, y, p, spike);
    double mean = 0;
    for (size_t t = 0; t < SEEDS; t++) {
        struct projection proj = sjlt(1000 + t, p, k, s);
        float px[K_MAX] = { 0 }, py[K_MAX] = { 0 };
        projection_table(&proj, NULL, p, table);
        projection_add_sjlt(&proj, table, x, p, 1, px);
        projection_add_sjlt(&proj, table, y, p, 1, py);
        got[t] = inner(px, py, k);
        mean += got[t] / SEEDS;
    }
    double xy = inner(x, y, p), diagonal = 0, m2 = 0, m4 = 0;
    for (size_t i = 0; i < p; i++) diagonal += (double)x[i] * (double)x[i] * (double)y[i] * (double)y[i];
    double variance = (inner(x, x, p) * inner(y, y, p) + xy * xy - 2 * diagonal) / k;
    for (size_t t = 0; t < SEEDS; t++) {
        double d = got[t] - xy;   /* about the true mean, so m2 is unbiased */
        m2 += d * d / SEEDS;
        m4 += d * d * d * d / SEEDS;
    }
    assert_near(mean, xy, 5 * sqrt(variance / SEEDS), 0);
    assert_near(m2, variance, 5 * sqrt((m4 - m2 * m2) / SEEDS), 0);
}

static void inner_products_are_unbiased_with_the_variance_of_the_formula(void **state) {
    (void)state;
    check_moments(5, 4, 1, 0);
    check_moments(97, 16, 1, 0);
    check_moments(97, 16, 1, 30);
    check_moments(1024, 64, 1, 0);
    check_moments(97, 16, 4, 0);
    check_moments(97, 16, 2, 30);
    check_moments(50, 15, 3, 5);
}

static void storage_order_does_not_matter(void **state) {
    (void)state;
    enum { P = 300, K = 24, S = 2 };
    struct projection proj = sjlt(3, P, K, S);
    uint32_t order[P], plain[P * S], mixed[P * S];
    float x[P], shuffled[P], a[K] = { 0 }, b[K] = { 0 };
    struct rng r = rng_at(5, RNG_TEST, 0, 0);
    rng_permutation(order, P, &r);
    /* Integers below 2^24 make float sums exact in any order; 1/sqrt(2) scales
     * each to the same float. */
    for (size_t i = 0; i < P; i++) x[i] = (float)(int)(i % 17) - 8.0f;
    for (size_t i = 0; i < P; i++) shuffled[i] = x[order[i]];
    projection_table(&proj, NULL, P, plain);
    projection_table(&proj, order, P, mixed);
    projection_add_sjlt(&proj, plain, x, P, 1, a);
    projection_add_sjlt(&proj, mixed, shuffled, P / 3, 1, b);
    projection_add_sjlt(&proj, mixed + P / 3 * S, shuffled + P / 3, P - P / 3, 1, b);
    for (size_t i = 0; i < K; i++) assert_near((double)a[i], (double)b[i], 2e-5, 0);
    for (size_t i = 0; i < P; i++) assert_memory_equal(mixed + i * S, plain + order[i] * S, S * sizeof *plain);
}

static void it_is_linear_and_adds(void **state) {
    (void)state;
    enum { P = 200, K = 32 };
    struct projection proj = sjlt(9, P, K, 1);
    uint32_t table[P];
    float x[P], y[P], z[P], apart[K] = { 0 }, together[K] = { 0 };
    make_vectors(x, y, P, 0);
    for (size_t i = 0; i < P; i++) z[i] = 0.25f * x[i] - 2.0f * y[i];
    projection_table(&proj, NULL, P, table);
    projection_add_sjlt(&proj, table, x, P, 0.25f, apart);
    projection_add_sjlt(&proj, table, y, P, -2.0f, apart);
    projection_add_sjlt(&proj, table, z, P, 1.0f, together);
    for (size_t i = 0; i < K; i++) assert_near((double)apart[i], (double)together[i], 2e-5, 0);
}

static void each_coordinate_has_one_bucket_per_segment(void **state) {
    (void)state;
    enum { P = 500, K = 30, S = 5 };
    struct projection proj = sjlt(1, P, K, S);
    static uint32_t table[P * S];
    size_t hits[K] = { 0 }, minus = 0;
    projection_table(&proj, NULL, P, table);
    for (size_t i = 0; i < P; i++)
        for (uint32_t r = 0; r < S; r++) {
            uint32_t t = table[i * S + r];
            assert_in_range(t >> 1, r * (K / S), (r + 1) * (K / S) - 1);
            hits[t >> 1]++;
            minus += t & 1;
        }
    /* 500 balls in 6 bins: 83 each, sd 8.3; 2500 signs: 1250, sd 25. */
    for (size_t b = 0; b < K; b++) assert_in_range(hits[b], 83 - 42, 83 + 42);
    assert_in_range(minus, 1250 - 125, 1250 + 125);
}

/* Changing what a seed means would silently orphan every stored feature. */
static void the_table_of_a_seed_is_fixed(void **state) {
    (void)state;
    /* From a Philox4x32-10 written in Python. */
    static const uint32_t want[4] = { 143, 644, 3710, 1075 };
    struct projection proj = sjlt(42, 4, 2048, 1);
    uint32_t table[4];
    projection_table(&proj, NULL, 4, table);
    assert_memory_equal(table, want, sizeof want);
}

static void impossible_parameters_are_refused(void **state) {
    (void)state;
    struct projection ok = sjlt(0, 10, 12, 3), bad;
    assert_int_equal(projection_check(&ok), OK);
    bad = ok; bad.s = 13; assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.s = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.k = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.p = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.p = (uint64_t)1 << 32;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.version++;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    assert_int_equal(projection_kind_parse("sjlt"), PROJECTION_SJLT);
    assert_int_equal(projection_kind_parse("sjl"), PROJECTION_KIND_COUNT);
    assert_string_equal(projection_kind_name(PROJECTION_SJLT), "sjlt");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inner_products_are_unbiased_with_the_variance_of_the_formula),
        cmocka_unit_test(storage_order_does_not_matter),
        cmocka_unit_test(it_is_linear_and_adds),
        cmocka_unit_test(each_coordinate_has_one_bucket_per_segment),
        cmocka_unit_test(the_table_of_a_seed_is_fixed),
        cmocka_unit_test(impossible_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
