/* neighbours_test.c - against a full sort of directly measured distances. */
#include "dtrak/mem.h"
#include "dtrak/neighbours.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <stdlib.h>
#include <string.h>

enum { M = 11, N = 37, D = 6 };

static float query[M * D], train[N * D];
static struct rows_memory query_memory = { query, D }, train_memory = { train, D };

static void make(void) {
    rng_normal(query, M * D, 8, RNG_TEST, 0, 0);
    rng_normal(train, N * D, 8, RNG_TEST, 1, 0);
    memcpy(train + 5 * D, query + 2 * D, D * sizeof *query);    /* copies, and copies of copies */
    for (size_t i = 20; i < 26; i++) memcpy(train + i * D, train + 5 * D, D * sizeof *query);
    memset(train + 30 * D, 0, D * sizeof *train);
}

static double measure(const float *a, const float *b, enum neighbours_measure m) {
    double dot = 0, a2 = 0, b2 = 0, d2 = 0;
    for (size_t i = 0; i < D; i++) {
        dot += (double)a[i] * (double)b[i];
        a2 += (double)a[i] * (double)a[i];
        b2 += (double)b[i] * (double)b[i];
        d2 += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    if (m == NEIGHBOURS_EUCLID) return sqrt(d2);
    if (m == NEIGHBOURS_DOT) return dot;
    return a2 > 0 && b2 > 0 ? dot / sqrt(a2 * b2) : 0;
}

static int sign_now;
static int by_value(const void *a, const void *b) {
    const struct neighbour *x = a, *y = b;
    if (x->value != y->value) return (x->value < y->value ? -1 : 1) * sign_now;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void check(const struct neighbour *got, const float *q, size_t count, size_t k, size_t self, enum neighbours_measure m) {
    struct neighbour want[N];
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (i != self) want[n++] = (struct neighbour){ (uint32_t)i, measure(q, train + i * D, m) };
    sign_now = m == NEIGHBOURS_EUCLID ? 1 : -1;
    qsort(want, n, sizeof *want, by_value);
    for (size_t i = 0; i < k; i++) {
        assert_int_equal(got[i].index, want[i].index);
        assert_near(got[i].value, want[i].value, 1e-15, 1e-14);
    }
}

static void the_first_k_are_those_of_a_full_sort(void **state) {
    (void)state;
    struct neighbour got[M * N];
    struct rows queries = rows_in_memory(&query_memory, M), rows = rows_in_memory(&train_memory, N);
    const size_t bytes[] = { 0, 1, 7 * D * sizeof(float), 300 };
    make();
    for (enum neighbours_measure m = NEIGHBOURS_EUCLID; m <= NEIGHBOURS_COSINE; m++)
        for (size_t b = 0; b < 4; b++)
            for (size_t k = 1; k < N + 3; k += k < 6 ? 1 : 7) {
                size_t kept = neighbours_count(&rows, k, 0);
                assert_int_equal(kept, k < N ? k : N);
                assert_int_equal(neighbours_find(got, &queries, &rows, k, m, 0, bytes[b], NULL, NULL), OK);
                for (size_t q = 0; q < M; q++) check(got + q * kept, query + q * D, N, kept, N, m);
            }
}

static void a_row_is_not_its_own_neighbour(void **state) {
    (void)state;
    struct neighbour got[N * N];
    struct rows rows = rows_in_memory(&train_memory, N);
    make();
    for (size_t bytes = 0; bytes < 600; bytes += 199)
        for (size_t k = 1; k < N + 2; k += 6) {
            size_t kept = neighbours_count(&rows, k, 1);
            assert_int_equal(kept, k < N - 1 ? k : N - 1);
            assert_int_equal(neighbours_find(got, &rows, &rows, k, NEIGHBOURS_EUCLID, 1, bytes, NULL, NULL), OK);
            for (size_t q = 0; q < N; q++) check(got + q * kept, train + q * D, N, kept, q, NEIGHBOURS_EUCLID);
        }
    assert_int_equal(neighbours_find(got, &rows, &rows, 2, NEIGHBOURS_EUCLID, 1, 0, NULL, NULL), OK);
    assert_int_equal(got[22 * 2].index, 5);
    assert_true(got[22 * 2].value == 0 && got[22 * 2 + 1].value == 0);
    assert_int_equal(got[22 * 2 + 1].index, 20);
}

/* Long rows and a large common part: products of blocks round, the order must not. */
static void copies_far_from_the_origin_stay_in_order_of_index(void **state) {
    (void)state;
    enum { LONG = 700, COUNT = 90 };
    static float x[COUNT * LONG];
    struct rows_memory memory = { x, LONG };
    struct rows rows = rows_in_memory(&memory, COUNT);
    struct neighbour got[COUNT * 3];
    rng_normal(x, LONG, 9, RNG_TEST, 0, 0);
    for (size_t i = 0; i < LONG; i++) x[i] = x[i] * 0.01f + 1000;
    for (size_t i = 1; i < COUNT; i++) memcpy(x + i * LONG, x, LONG * sizeof *x);
    x[50 * LONG] += 0.0001f;
    for (size_t bytes = 0; bytes < 100000; bytes += 33333) {
        assert_int_equal(neighbours_find(got, &rows, &rows, 3, NEIGHBOURS_EUCLID, 1, bytes, NULL, NULL), OK);
        for (size_t q = 3; q < COUNT; q++)
            for (size_t i = 0; i < 3; i++) {
                assert_int_equal(got[q * 3 + i].index, i);
                if (q != 50) assert_true(got[q * 3 + i].value == 0);
            }
    }
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    struct neighbour one[M * 5], three[M * 5];
    struct rows queries = rows_in_memory(&query_memory, M), rows = rows_in_memory(&train_memory, N);
    struct pool *pool;
    make();
    memset(one, 0, sizeof one);
    memset(three, 0, sizeof three);
    assert_int_equal(pool_new(&pool, 3), OK);
    assert_int_equal(neighbours_find(one, &queries, &rows, 5, NEIGHBOURS_COSINE, 0, 0, NULL, NULL), OK);
    assert_int_equal(neighbours_find(three, &queries, &rows, 5, NEIGHBOURS_COSINE, 0, 200, pool, NULL), OK);
    for (size_t i = 0; i < M * 5; i++) {
        assert_int_equal(one[i].index, three[i].index);
        assert_true(one[i].value == three[i].value);
    }
    pool_free(pool);
}

static void bad_questions_are_refused(void **state) {
    (void)state;
    struct neighbour got[N];
    struct rows queries = rows_in_memory(&query_memory, M), rows = rows_in_memory(&train_memory, N);
    make();
    struct rows one = rows_in_memory(&train_memory, 1), shorter = rows;
    shorter.k--;
    assert_int_equal(neighbours_find(got, &one, &one, 3, NEIGHBOURS_DOT, 1, 0, NULL, NULL), ERR_RANGE);
    assert_int_equal(neighbours_find(got, &queries, &rows, 0, NEIGHBOURS_DOT, 0, 0, NULL, NULL), ERR_RANGE);
    assert_int_equal(neighbours_find(got, &queries, &shorter, 2, NEIGHBOURS_DOT, 0, 0, NULL, NULL), ERR_RANGE);
    train[7 * D] = NAN;
    assert_int_equal(neighbours_find(got, &queries, &rows, 2, NEIGHBOURS_DOT, 0, 0, NULL, NULL), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "training row 7"));
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_k_are_those_of_a_full_sort),
        cmocka_unit_test(a_row_is_not_its_own_neighbour),
        cmocka_unit_test(copies_far_from_the_origin_stay_in_order_of_index),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(bad_questions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
