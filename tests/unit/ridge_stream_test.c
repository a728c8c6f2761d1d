/* ridge_stream_test.c - scores and the automatic lambda from readings of the rows,
 * against the eigenbasis; memory, threads, errors. */
#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/ridge_stream.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

enum { N_MAX = 1200, K_MAX = 900, M = 3 };

static float phi[N_MAX * K_MAX], g[M * K_MAX];

#define assert_says(text) assert_non_null(strstr(fail_reason(), text))

static enum status read_rows(void *ctx, size_t first, size_t count, float *out) {
    size_t k = ((const struct rows_memory *)ctx)->k;
    memcpy(out, phi + first * k, count * k * sizeof *out);
    return OK;
}

/* Columns of falling strength; some rows repeat others, some are 0. */
static void make(size_t N, size_t k, double decay, size_t copies, size_t zeros) {
    rng_normal(phi, N * k, 41, RNG_TEST, (uint32_t)N, (uint32_t)k);
    rng_normal(g, M * k, 42, RNG_TEST, (uint32_t)N, (uint32_t)k);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < k; j++) phi[i * k + j] *= (float)pow(1 + (double)j, -decay);
    for (size_t i = 1; i <= copies; i++) memcpy(phi + i * k, phi, k * sizeof *phi);
    for (size_t i = 1; i <= zeros; i++) memset(phi + (N - i) * k, 0, k * sizeof *phi);
}

static const struct { size_t N, k; double decay; size_t copies, zeros; } worlds[] = {
    { 60, 150, 0, 0, 0 }, { 150, 60, 0, 0, 0 }, { 300, 200, 1, 0, 0 }, { 100, 40, .7, 20, 9 }, { 40, 100, .7, 20, 9 }, { 3, 7, 0, 0, 0 },
};

static double relative_error(const float *got, const double *want, size_t n) {
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += want[i] * want[i];
    }
    return sqrt(error / size);
}

/* Asked for: 1e-5 of the length.  float32 rounds what is handed out by 6e-8. */
static void scores_at_every_lambda_agree_with_the_eigenbasis(void **state) {
    (void)state;
    for (size_t t = 0; t < sizeof worlds / sizeof *worlds; t++) {
        size_t N = worlds[t].N, k = worlds[t].k, readings;
        make(N, k, worlds[t].decay, worlds[t].copies, worlds[t].zeros);
        struct rows_memory memory = { phi, k };
        struct rows rows = { N, k, read_rows, &memory, NULL };
        struct ridge *r;
        double *coords = mem_array(M * (N > k ? N : k), sizeof *coords), *want = mem_array(M * N, sizeof *want);
        double lambda[LAMBDA_GRID_COUNT - 6];   /* 1e-4 .. 5e2 */
        enum { LAMBDAS = sizeof lambda / sizeof *lambda };
        float *got = mem_array(LAMBDAS * M * N, sizeof *got);
        assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
        assert_int_equal(ridge_query_rows(r, &rows, g, M, coords, NULL), OK);
        for (size_t l = 0; l < LAMBDAS; l++) lambda[l] = lambda_to_absolute(lambda_grid(l + 6), ridge_trace(r), N);
        struct ridge_stream s = { &rows, 64 << 20, NULL, NULL };
        assert_int_equal(ridge_stream_scores(&s, g, M, lambda, LAMBDAS, 1e-5, got, &readings), OK);
        assert_true(readings <= (N < k ? N : k) + 4);   /* three for the products, and one that finds a basis complete */
        for (size_t l = 0; l < LAMBDAS; l++) {
            assert_int_equal(ridge_scores(r, coords, M, lambda[l], want), OK);
            for (size_t q = 0; q < M; q++) assert_true(relative_error(got + (l * M + q) * N, want + q * N, N) <= 1.1e-5);
        }
        ridge_free(r);
        mem_free(coords);
        mem_free(want);
        mem_free(got);
    }
}

static void the_pool_does_not_change_a_bit(void **state) {
    (void)state;
    make(130, 70, .5, 0, 0);
    struct rows_memory memory = { phi, 70 };
    struct rows rows = { 130, 70, read_rows, &memory, NULL };
    struct pool *pool;
    float one[M * 130], three[M * 130];
    double lambda = 40;
    assert_int_equal(pool_new(&pool, 3), OK);
    struct ridge_stream s = { &rows, 64 << 20, NULL, NULL };
    assert_int_equal(ridge_stream_scores(&s, g, M, &lambda, 1, 1e-6, one, NULL), OK);
    s.pool = pool;
    assert_int_equal(ridge_stream_scores(&s, g, M, &lambda, 1, 1e-6, three, NULL), OK);
    assert_memory_equal(one, three, sizeof one);
    pool_free(pool);
}

/* d_eff of the found lambda by the eigenvalues, beside the quarter that was aimed at: within four
 * standard deviations of the probes and the quadrature's half per cent. */
static void the_automatic_lambda_has_the_effective_dimension_that_is_wanted(void **state) {
    (void)state;
    static const struct { size_t N, k; double decay; } of[] = { { N_MAX, K_MAX, 0 }, { 700, K_MAX, .6 }, { 900, 500, 1 } };
    for (size_t t = 0; t < sizeof of / sizeof *of; t++) {
        size_t N = of[t].N, k = of[t].k, small = N < k ? N : k, readings;
        make(N, k, of[t].decay, 0, 0);
        struct rows_memory memory = { phi, k };
        struct rows rows = { N, k, read_rows, &memory, NULL };
        struct ridge *r;
        double lambda, d_eff, target = LAMBDA_AUTO_FRACTION * (double)small;
        assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
        struct ridge_stream s = { &rows, 256 << 20, NULL, NULL };
        assert_int_equal(ridge_stream_auto(&s, ridge_trace(r), N, &lambda, &d_eff, &readings), OK);
        assert_true(fabs(d_eff - target) <= .01 * target);
        assert_true(fabs(ridge_effective_dimension(r, lambda) - target) <= target * (.006 + 4 * sqrt(2 / (target * 16))));
        ridge_free(r);
    }
}

/* Of a rank far below a quarter: a quarter of the rank, as lambda_auto() has it. */
static void few_rows_that_are_not_zero_give_a_quarter_of_their_rank(void **state) {
    (void)state;
    make(400, 300, 0, 0, 392);
    struct rows_memory memory = { phi, 300 };
    struct rows rows = { 400, 300, read_rows, &memory, NULL };
    struct ridge *r;
    double lambda, d_eff;
    size_t readings;
    assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
    struct ridge_stream s = { &rows, 64 << 20, NULL, NULL };
    assert_int_equal(ridge_stream_auto(&s, ridge_trace(r), 400, &lambda, &d_eff, &readings), OK);
    assert_true(readings >= 9 && readings <= 11);   /* 8 directions and 0; copies of them are found complete */
    assert_int_equal(ridge_stream_auto(&s, ridge_trace(r), 8, &lambda, &d_eff, &readings), OK);
    assert_true(readings <= 11);
    assert_true(ridge_effective_dimension(r, lambda) > 1 && ridge_effective_dimension(r, lambda) < 4);
    ridge_free(r);
}

static void a_lambda_out_of_reach_is_said_and_gives_nothing(void **state) {
    (void)state;
    size_t N = N_MAX, k = K_MAX, readings;
    make(N, k, 0, 0, 0);
    struct rows_memory memory = { phi, k };
    struct rows rows = { N, k, read_rows, &memory, NULL };
    float *out = mem_array(N, sizeof *out);
    double lambda = 1e-9;
    struct ridge_stream s = { &rows, 1, NULL, NULL };   /* the least number of vectors, 64 */
    assert_int_equal(ridge_stream_scores(&s, g, 1, &lambda, 1, 1e-9, out, &readings), ERR_NUMERIC);
    assert_says("give more --memory, or a larger --lambda");
    assert_int_equal(readings, 64);
    double d_eff;
    assert_int_equal(ridge_stream_auto(&s, 0, N, &lambda, &d_eff, NULL), ERR_NUMERIC);
    assert_says("all features are zero");
    mem_free(out);
}

static void a_query_of_zeros_has_scores_of_zero(void **state) {
    (void)state;
    make(20, 10, 0, 0, 0);
    memset(g, 0, sizeof g);
    struct rows_memory memory = { phi, 10 };
    struct rows rows = { 20, 10, read_rows, &memory, NULL };
    float out[20];
    double lambda = 1;
    struct ridge_stream s = { &rows, 1 << 20, NULL, NULL };
    assert_int_equal(ridge_stream_scores(&s, g, 1, &lambda, 1, 1e-5, out, NULL), OK);
    for (size_t i = 0; i < 20; i++) assert_float_equal(out[i], 0, 0);
}

static atomic_int stop;
static enum status read_and_stop(void *ctx, size_t first, size_t count, float *out) {
    atomic_store(&stop, 1);
    return read_rows(ctx, first, count, out);
}

static void every_allocation_may_fail_and_it_can_be_stopped(void **state) {
    (void)state;
    make(30, 20, 0, 0, 0);
    struct rows_memory memory = { phi, 20 };
    struct rows rows = { 30, 20, read_rows, &memory, NULL };
    float out[M * 30];
    double lambda = 3;
    long live = mem_live();
    struct ridge_stream s = { &rows, 1 << 20, NULL, NULL };
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = ridge_stream_scores(&s, g, M, &lambda, 1, 1e-5, out, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), live);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
    struct progress p = { NULL, NULL, &stop };
    rows.read = read_and_stop;
    s.progress = &p;
    assert_int_equal(ridge_stream_scores(&s, g, M, &lambda, 1, 1e-5, out, NULL), ERR_CANCELLED);
    assert_int_equal(mem_live(), live);
}

static void more_memory_takes_more_queries_at_a_time(void **state) {
    (void)state;
    struct rows rows = { 50000, 32768, read_rows, NULL, NULL };
    struct ridge_stream s = { &rows, (size_t)3 << 29, NULL, NULL };
    size_t few = ridge_stream_queries(&s, 1);
    s.memory *= 8;
    assert_true(few >= 1 && ridge_stream_queries(&s, 1) > few && ridge_stream_queries(&s, 27) <= ridge_stream_queries(&s, 1));
    assert_true(ridge_stream_least_bytes(50000, 32768) < 2e8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_at_every_lambda_agree_with_the_eigenbasis),
        cmocka_unit_test(the_pool_does_not_change_a_bit),
        cmocka_unit_test(the_automatic_lambda_has_the_effective_dimension_that_is_wanted),
        cmocka_unit_test(few_rows_that_are_not_zero_give_a_quarter_of_their_rank),
        cmocka_unit_test(a_lambda_out_of_reach_is_said_and_gives_nothing),
        cmocka_unit_test(a_query_of_zeros_has_scores_of_zero),
        cmocka_unit_test(every_allocation_may_fail_and_it_can_be_stopped),
        cmocka_unit_test(more_memory_takes_more_queries_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
