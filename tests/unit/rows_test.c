/* rows_test.c - Gram matrices do not depend on how the rows are cut into blocks. */
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/rows.h"
#include "../lib/near.h"

#include <string.h>

enum { N = 23, K = 7, Q = 4 };

static float data[N * K], queries[Q * K];
static struct rows_memory memory = { data, K };

/* Counts reads and fails at one of them; block limits are checked too. */
struct source { size_t reads, fail_at, largest; };

static enum status read_counted(void *ctx, size_t first, size_t count, float *out) {
    struct source *s = ctx;
    assert_true(count >= 1 && first + count <= N);
    if (count > s->largest) s->largest = count;
    if (s->reads++ == s->fail_at) return fail(ERR_IO, "the source broke");
    memcpy(out, data + first * K, count * K * sizeof *out);
    return OK;
}

static int setup(void **state) {
    (void)state;
    rng_normal(data, N * K, 1, RNG_TEST, 0, 0);
    rng_normal(queries, Q * K, 2, RNG_TEST, 0, 0);
    return 0;
}

static double dot(const float *a, const float *b) {
    double sum = 0;
    for (size_t l = 0; l < K; l++) sum += (double)a[l] * (double)b[l];
    return sum;
}

static void every_block_size_gives_the_same_products(void **state) {
    (void)state;
    for (size_t per_block = 1; per_block <= N + 1; per_block++) {
        struct source s = { 0, SIZE_MAX, 0 };
        struct rows rows = { N, K, read_counted, &s, NULL };
        size_t bytes = per_block * K * sizeof(float);
        double A[N * N], C[Q * N], I[K * K], norm[N];
        assert_int_equal(rows_gram(&rows, A, bytes, NULL), OK);
        assert_int_equal(rows_cross(&rows, queries, Q, C, bytes, NULL), OK);
        assert_int_equal(rows_inner_gram(&rows, I, bytes, NULL), OK);
        assert_int_equal(rows_norms(&rows, norm, bytes), OK);
        assert_true(s.largest <= per_block);
        for (size_t i = 0; i < N; i++) {
            assert_near(norm[i], sqrt(dot(data + i * K, data + i * K)), 0, 1e-14);
            for (size_t j = 0; j < N; j++) assert_near(A[i * N + j], dot(data + i * K, data + j * K), 1e-13, 0);
            for (size_t q = 0; q < Q; q++) assert_near(C[q * N + i], dot(queries + q * K, data + i * K), 1e-13, 0);
        }
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < K; b++) {
                double sum = 0;
                for (size_t i = 0; i < N; i++) sum += (double)data[i * K + a] * (double)data[i * K + b];
                assert_near(I[a * K + b], sum, 1e-13, 0);
            }
    }
}

static void memory_is_a_source(void **state) {
    (void)state;
    struct rows rows = rows_in_memory(&memory, N);
    float two[2 * K];
    assert_int_equal(rows.n, N);
    assert_int_equal(rows.k, K);
    assert_int_equal(rows.read(rows.ctx, 5, 2, two), OK);
    assert_memory_equal(two, data + 5 * K, sizeof two);
}

static void a_source_that_fails_is_passed_on_and_nothing_leaks(void **state) {
    (void)state;
    long before = mem_live();
    for (size_t at = 0; at < 6; at++) {
        struct source s = { 0, at, 0 };
        struct rows rows = { N, K, read_counted, &s, NULL };
        double A[N * N];
        assert_int_equal(rows_gram(&rows, A, 9 * K * sizeof(float), NULL), ERR_IO);
        assert_int_equal(mem_live(), before);
    }
}

static void nothing_has_no_gram(void **state) {
    (void)state;
    struct rows rows = rows_in_memory(&memory, 0);
    double x;
    assert_int_equal(rows_gram(&rows, &x, 0, NULL), ERR_RANGE);
    assert_int_equal(rows_inner_gram(&rows, &x, 0, NULL), ERR_RANGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_size_gives_the_same_products),
        cmocka_unit_test(memory_is_a_source),
        cmocka_unit_test(a_source_that_fails_is_passed_on_and_nothing_leaks),
        cmocka_unit_test(nothing_has_no_gram),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
