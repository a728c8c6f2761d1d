/* random_matrix_test.c - panels have the entries and the distribution that is
 * promised, products and transforms the values, on every instruction set. */
#include "../lib/near.h"
#include "dtrak/mem.h"
#include "dtrak/random_matrix.h"
#include "dtrak/rng.h"

#include <stdio.h>
#include <string.h>

enum { N = 128, W = RANDOM_WIDTH };

static const char *const names[] = { "portable", "avx2", "avx512" };
#define EACH_VARIANT(m) \
    for (size_t v_ = 0; v_ < 3; v_++) for (const struct random_matrix *m = random_matrix_named(names[v_]); m; m = NULL)

static void make_keys(uint32_t *a, uint32_t *b, size_t n, uint32_t stream) {
    struct rng r = rng_at(77, RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        a[i] = rng_u32(&r);
        b[i] = rng_u32(&r);
    }
}

/* The definition, a word at a time. */
static uint32_t spread(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}
static uint32_t word_of(uint32_t counter, uint32_t a, uint32_t b) {
    uint32_t x = (spread(counter) ^ a) * 0x9e3779b1u;
    x = (x ^ x >> 15 ^ b) * 0x846ca68bu;
    return x ^ x >> 16;
}
static double normal_of(uint32_t block, uint32_t o, uint32_t a, uint32_t b) {
    uint32_t w = word_of(block * W + o % 16, a, b), angle = word_of(block * W + 16 + o % 16, a, b);
    double radius = sqrt(-2 * log((w / 512 + 0.5) * 0x1p-23));
    double x = 6.283185307179586476925 * (double)(int32_t)angle * 0x1p-33;
    return o < 16 ? radius * cos(x) * (w & 1 ? -1 : 1) : radius * sin(x);
}

static void entries_are_the_definition(void **state) {
    (void)state;
    uint32_t a[N], b[N];
    _Alignas(64) static float panel[N * W];
    make_keys(a, b, N, 1);
    EACH_VARIANT(m)
        for (uint32_t block = 0; block < 300; block += 7) {
            size_t n = N - block % 5;
            m->rademacher(panel, a, b, n, block);
            for (size_t i = 0; i < n * W; i++)
                assert_near((double)panel[i], word_of(block, a[i / W], b[i / W]) >> i % W & 1 ? -1 : 1, 0, 0);
            m->gaussian(panel, a, b, n, block);
            for (size_t i = 0; i < n * W; i++)
                assert_near((double)panel[i], normal_of(block, (uint32_t)(i % W), a[i / W], b[i / W]), 5e-6, 0);
        }
}

/* The sum of f over the entries of many panels has the mean of a normal's. */
static void gaussian_entries_have_the_moments_and_tails_of_a_normal(void **state) {
    (void)state;
    enum { BLOCKS = 500 };
    static const double limit[] = { 0.5, 1, 2, 3, 4 };
    uint32_t a[N], b[N];
    _Alignas(64) static float panel[N * W];
    double count = 0, sum[9] = { 0 }, beyond[5] = { 0 }, neighbours = 0, columns = 0, largest = 0;
    make_keys(a, b, N, 2);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        random_matrix_best()->gaussian(panel, a, b, N, block);
        for (size_t i = 0; i < N * W; i++) {
            double z = (double)panel[i], power = z;
            for (int d = 1; d <= 8; d++, power *= z) sum[d] += power;
            for (int t = 0; t < 5; t++) beyond[t] += z > limit[t];
            if (i % W) neighbours += z * (double)panel[i - 1];
            if (i >= W) columns += z * (double)panel[i - W];
            if (fabs(z) > largest) largest = fabs(z);
            count++;
        }
    }
    /* E z^d and E z^2d, so that each mean is within five standard errors */
    static const double moment[17] = { 1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395, 0, 135135, 0, 2027025 };
    for (int d = 1; d <= 8; d++)
        assert_near(sum[d] / count, moment[d], 5 * sqrt((moment[2 * d] - moment[d] * moment[d]) / count), 0);
    for (int t = 0; t < 5; t++) {
        double q = erfc(limit[t] / sqrt(2)) / 2;
        assert_near(beyond[t] / count, q, 5 * sqrt(q * (1 - q) / count), 0);
    }
    assert_near(neighbours / count, 0, 5 / sqrt(count), 0);
    assert_near(columns / count, 0, 5 / sqrt(count), 0);
    assert_near(largest, 5.2, 0.6, 0);   /* of 2 million; at most 5.8 */
}

/* |row|^2 / k of a coordinate is 1 +- sqrt(2 / k) when its entries are independent. */
static void a_coordinates_norm_varies_as_independent_entries_would(void **state) {
    (void)state;
    enum { COORDINATES = 4096, BLOCKS = 16 };
    static uint32_t a[COORDINATES], b[COORDINATES];
    static double norm[COORDINATES];
    _Alignas(64) static float panel[COORDINATES * W];
    double k = BLOCKS * W, m2 = 0, m4 = 0;
    make_keys(a, b, COORDINATES, 3);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        random_matrix_best()->gaussian(panel, a, b, COORDINATES, block);
        for (size_t i = 0; i < COORDINATES * W; i++) norm[i / W] += (double)panel[i] * (double)panel[i] / k;
    }
    for (size_t i = 0; i < COORDINATES; i++) {
        double d = norm[i] - 1;
        m2 += d * d / COORDINATES;
        m4 += d * d * d * d / COORDINATES;
    }
    assert_near(m2, 2 / k, 5 * sqrt((m4 - m2 * m2) / COORDINATES), 0);
}

/* Any two outputs of a block agree in sign for half of the coordinates. */
static void rademacher_outputs_are_uncorrelated(void **state) {
    (void)state;
    enum { COORDINATES = 8192 };
    static uint32_t a[COORDINATES], b[COORDINATES];
    _Alignas(64) static float panel[2][COORDINATES * W];
    make_keys(a, b, COORDINATES, 4);
    for (uint32_t block = 0; block < 2; block++)
        random_matrix_best()->rademacher(panel[block], a, b, COORDINATES, block * 1000);
    for (size_t o = 0; o < W; o++)
        for (size_t q = 0; q < 2 * W; q++) {
            double sum = 0, alone = 0;
            for (size_t c = 0; c < COORDINATES; c++) {
                sum += (double)(panel[0][c * W + o] * panel[q / W][c * W + q % W]);
                alone += (double)panel[q / W][c * W + q % W];
            }
            assert_near(alone, 0, 5 * sqrt(COORDINATES), 0);
            if (q != o) assert_near(sum, 0, 5 * sqrt(COORDINATES), 0);
        }
}

static void products_are_the_sums(void **state) {
    (void)state;
    enum { ROWS = 40, LDY = 50 };
    static float x[N * ROWS], y[ROWS * LDY], panel[N * W];
    rng_normal(x, N * ROWS, 1, RNG_TEST, 5, 0);
    rng_normal(panel, N * W, 1, RNG_TEST, 6, 0);
    EACH_VARIANT(m)
        for (size_t rows = 1; rows <= ROWS; rows++) {
            size_t n = N - rows, ldx = (rows + RANDOM_ROWS - 1) / RANDOM_ROWS * RANDOM_ROWS;
            for (size_t i = 0; i < ROWS * LDY; i++) y[i] = (float)i;
            m->multiply(y, LDY, x, ldx, rows, panel, n);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t o = 0; o < LDY; o++) {
                    double want = (double)(r * LDY + o);
                    for (size_t c = 0; c < n && r < rows && o < W; c++)
                        want += (double)x[c * ldx + r] * (double)panel[c * W + o];
                    /* sums of 128 products of about 1, to numbers up to 2000 */
                    assert_near((double)y[r * LDY + o], want, 4e-4, 0);
                    if (r >= rows || o >= W) assert_true(y[r * LDY + o] == (float)(r * LDY + o));
                }
        }
}

static void hadamard_is_the_matrix(void **state) {
    (void)state;
    enum { M = 512 };
    static float x[M], y[M], first[M];
    rng_normal(x, M, 1, RNG_TEST, 7, 0);
    for (size_t m = 1; m <= M; m *= 2) {
        size_t variants = 0;
        EACH_VARIANT(v) {
            memcpy(y, x, m * sizeof *y);
            v->hadamard(y, m);
            if (!variants++) memcpy(first, y, m * sizeof *y);
            assert_memory_equal(y, first, m * sizeof *y);
        }
        for (size_t r = 0; r < m; r++) {
            double want = 0;
            for (size_t i = 0; i < m; i++) want += (double)x[i] * (__builtin_popcountll(r & i) % 2 ? -1 : 1);
            assert_near((double)first[r], want, 2e-6 * sqrt((double)m), 0);
        }
    }
}

static void signs_are_the_bits(void **state) {
    (void)state;
    float x[200];
    uint32_t sign[7], unused[7];
    make_keys(sign, unused, 7, 9);
    EACH_VARIANT(m)
        for (size_t n = 0; n <= 200; n++) {
            for (size_t i = 0; i < 200; i++) x[i] = (float)(i + 1);
            m->flip(x, sign, n);
            for (size_t i = 0; i < 200; i++)
                assert_true(x[i] == (i < n && sign[i / 32] >> i % 32 & 1 ? -1.0f : 1.0f) * (float)(i + 1));
        }
}

static void variants_differ_by_rounding_alone(void **state) {
    (void)state;
    uint32_t a[N], b[N];
    _Alignas(64) static float first[N * W], panel[N * W];
    const struct random_matrix *plain = random_matrix_named("portable");
    make_keys(a, b, N, 8);
    EACH_VARIANT(m)
        for (uint32_t block = 0; block < 100; block++) {
            plain->gaussian(first, a, b, N, block);
            m->gaussian(panel, a, b, N, block);
            for (size_t i = 0; i < N * W; i++) assert_near((double)panel[i], (double)first[i], 1e-6, 0);
            plain->rademacher(first, a, b, N, block);
            m->rademacher(panel, a, b, N, block);
            assert_memory_equal(panel, first, sizeof panel);
        }
    assert_null(random_matrix_named("avx1024"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_the_definition),
        cmocka_unit_test(gaussian_entries_have_the_moments_and_tails_of_a_normal),
        cmocka_unit_test(a_coordinates_norm_varies_as_independent_entries_would),
        cmocka_unit_test(rademacher_outputs_are_uncorrelated),
        cmocka_unit_test(products_are_the_sums),
        cmocka_unit_test(hadamard_is_the_matrix),
        cmocka_unit_test(signs_are_the_bits),
        cmocka_unit_test(variants_differ_by_rounding_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
