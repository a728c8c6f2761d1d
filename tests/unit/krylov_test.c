/* krylov_test.c - a query's Krylov basis against the eigenbasis at every lambda of the
 * grid, its bound, its stopping, and the thread count. */
#include "dtrak/krylov.h"
#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/ridge_steps.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <float.h>
#include <string.h>

enum { N_MAX = 160, K_MAX = 160 };

static float phi[N_MAX * K_MAX], g[K_MAX];
static double packed[N_MAX * (N_MAX + 1) / 2], b[N_MAX];

/* Columns of falling strength; `copies` rows repeat the first, `zeros` are 0. */
static void make(size_t N, size_t k, double decay, size_t copies, size_t zeros) {
    rng_normal(phi, N * k, 31, RNG_TEST, (uint32_t)N, (uint32_t)k);
    rng_normal(g, k, 32, RNG_TEST, (uint32_t)N, (uint32_t)k);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < k; j++) phi[i * k + j] *= (float)pow(1 + (double)j, -decay);
    for (size_t i = 1; i <= copies; i++) memcpy(phi + i * k, phi, k * sizeof *phi);
    for (size_t i = 1; i <= zeros; i++) memset(phi + (N - i) * k, 0, k * sizeof *phi);
    size_t at = 0;
    for (size_t i = 0; i < N; i++) {
        b[i] = 0;
        for (size_t e = 0; e < k; e++) b[i] += (double)phi[i * k + e] * (double)g[e];
        for (size_t j = i; j < N; j++, at++) {
            packed[at] = 0;
            for (size_t e = 0; e < k; e++) packed[at] += (double)phi[i * k + e] * (double)phi[j * k + e];
        }
    }
}

static double length(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static double distance(const double *x, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

static const struct { size_t N, k; double decay; size_t copies, zeros; } worlds[] = {
    { 60, 150, 0, 0, 0 }, { 150, 60, 0, 0, 0 }, { 90, 90, 1, 0, 0 }, { 100, 40, .7, 20, 9 }, { 40, 100, .7, 20, 9 }, { 3, 7, 0, 0, 0 },
};

/* Tolerance asked for: 1e-8.  Found: at most that, by the bound, and the bound holds
 * but for float64's rounding times the condition number of Phi^T Phi + l. */
static void every_lambda_of_the_grid_agrees_with_the_eigenbasis(void **state) {
    (void)state;
    for (size_t t = 0; t < sizeof worlds / sizeof *worlds; t++) {
        size_t N = worlds[t].N, k = worlds[t].k;
        make(N, k, worlds[t].decay, worlds[t].copies, worlds[t].zeros);
        struct rows_memory memory = { phi, k };
        struct rows rows = rows_in_memory(&memory, N);
        struct ridge *r;
        struct ridge_steps *s[2];
        double coords[K_MAX];
        assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
        assert_int_equal(ridge_query_rows(r, &rows, g, 1, coords, NULL), OK);
        assert_int_equal(ridge_steps_new(&s[0], phi, N, k, g, NULL), OK);
        assert_int_equal(ridge_steps_new_gram(&s[1], packed, N, b), OK);
        for (size_t i = LAMBDA_GRID_COUNT; i-- > 0;) {
            double l = lambda_to_absolute(lambda_grid(i), ridge_trace(r), N), want[N_MAX];
            double top = ridge_eigenvalues(r)[ridge_rank(r) - 1], rounding = 1e-12 + 8 * DBL_EPSILON * (top + l) / l;
            assert_int_equal(ridge_scores(r, coords, 1, l, want), OK);
            for (int f = 0; f < 2; f++) {
                double got[N_MAX], error;
                assert_int_equal(ridge_steps_scores(s[f], l, 1e-8, 400, got, &error, NULL), OK);
                assert_true(error <= 1e-8);
                assert_true(distance(got, want, N) <= (error + rounding) * length(want, N));
            }
        }
        ridge_steps_free(s[0]);
        ridge_steps_free(s[1]);
        ridge_free(r);
    }
}

static void a_basis_that_is_too_small_says_so(void **state) {
    (void)state;
    size_t N = 150, k = 120;
    make(N, k, 1, 0, 0);
    struct rows_memory memory = { phi, k };
    struct rows rows = rows_in_memory(&memory, N);
    struct ridge *r;
    struct ridge_steps *s;
    double coords[K_MAX], want[N_MAX], got[N_MAX], error, before = INFINITY;
    assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
    assert_int_equal(ridge_query_rows(r, &rows, g, 1, coords, NULL), OK);
    double l = lambda_to_absolute(1e-4, ridge_trace(r), N);
    assert_int_equal(ridge_scores(r, coords, 1, l, want), OK);
    assert_int_equal(ridge_steps_new(&s, phi, N, k, g, NULL), OK);
    for (size_t most = 8; most <= 64; most += 8) {
        assert_int_equal(ridge_steps_scores(s, l, 1e-12, most, got, &error, NULL), OK);
        assert_int_equal(ridge_steps_size(s), most);
        double found = distance(got, want, N) / length(got, N);
        assert_true(error > 1e-12 && found <= error * 1.000001);
        assert_true(error < before);
        before = error;
    }
    /* A larger lambda is served by what is there. */
    assert_int_equal(ridge_steps_scores(s, 1e4 * l, 1e-3, 200, got, &error, NULL), OK);
    assert_int_equal(ridge_steps_size(s), 64);
    ridge_steps_free(s);
    ridge_free(r);
}

static void it_stops_when_nothing_is_left_to_find(void **state) {
    (void)state;
    float one[2 * 3] = { 1, 0, 0, 2, 0, 0 }, query[3] = { 1, 0, 0 }, none[3] = { 0, 0, 0 };
    struct ridge_steps *s;
    double got[2], error;
    assert_int_equal(ridge_steps_new(&s, one, 2, 3, query, NULL), OK);
    assert_int_equal(ridge_steps_scores(s, .5, 0, 100, got, &error, NULL), OK);
    assert_true(error <= 0 && ridge_steps_size(s) == 1);
    assert_near(got[0], 1 / 5.5, 1e-15, 0);
    assert_near(got[1], 2 / 5.5, 1e-15, 0);
    ridge_steps_free(s);
    assert_int_equal(ridge_steps_new(&s, one, 2, 3, none, NULL), OK);   /* a query of zeros scores 0 */
    assert_int_equal(ridge_steps_scores(s, .5, 0, 100, got, &error, NULL), OK);
    assert_true(error <= 0 && fabs(got[0]) + fabs(got[1]) <= 0);
    assert_int_equal(ridge_steps_scores(s, 0, 0, 100, got, &error, NULL), ERR_RANGE);
    ridge_steps_free(s);
    query[1] = NAN;
    assert_int_equal(ridge_steps_new(&s, one, 2, 3, query, NULL), ERR_NUMERIC);
}

static enum status scale_by_place(void *ctx, const double *v, double *Bv, double *image) {
    (void)image;
    for (size_t i = 0; i < *(size_t *)ctx; i++) Bv[i] = (double)(i + 1) * v[i];
    return OK;
}

/* Room doubles, but not beyond the vectors that there may be: 32 and then 40, not 64. */
static void no_room_is_taken_for_vectors_that_cannot_come(void **state) {
    (void)state;
    enum { DIM = 1000 };
    static double start[DIM];
    size_t dim = DIM, bytes[2];
    for (size_t i = 0; i < DIM; i++) start[i] = 1;
    for (size_t known = 0; known < 2; known++) {
        struct krylov_operator op = { .dim = DIM, .apply = scale_by_place, .ctx = &dim, .most = known ? 40 : 0 };
        struct krylov *k;
        size_t before = mem_taken();
        assert_int_equal(krylov_new(&k, &op, start), OK);
        assert_int_equal(krylov_extend(k, 1e-3, 0, 40, NULL), OK);
        assert_int_equal(krylov_size(k), 40);
        bytes[known] = mem_taken() - before;
        krylov_free(k);
    }
    assert_true(bytes[1] + 24 * DIM * sizeof(double) <= bytes[0]);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    struct pool *pool;
    struct ridge_steps *s[2];
    double got[2][N_MAX], error;
    make(150, 130, .5, 0, 0);
    assert_int_equal(pool_new(&pool, 3), OK);
    assert_int_equal(ridge_steps_new(&s[0], phi, 150, 130, g, NULL), OK);
    assert_int_equal(ridge_steps_new(&s[1], phi, 150, 130, g, pool), OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ridge_steps_scores(s[i], 1e-3, 1e-9, 200, got[i], &error, NULL), OK);
        ridge_steps_free(s[i]);
    }
    assert_memory_equal(got[0], got[1], 150 * sizeof(double));
    pool_free(pool);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    make(60, 80, .5, 0, 0);
    long before = mem_live();
    for (long n = 0;; n++) {
        struct ridge_steps *s;
        double got[N_MAX], error;
        mem_fail_after(n);
        enum status st = ridge_steps_new(&s, phi, 60, 80, g, NULL);
        if (st == OK) st = ridge_steps_scores(s, 1e-3, 1e-9, 200, got, &error, NULL);
        mem_fail_after(-1);
        ridge_steps_free(s);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lambda_of_the_grid_agrees_with_the_eigenbasis),
        cmocka_unit_test(a_basis_that_is_too_small_says_so),
        cmocka_unit_test(it_stops_when_nothing_is_left_to_find),
        cmocka_unit_test(no_room_is_taken_for_vectors_that_cannot_come),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    linalg_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
