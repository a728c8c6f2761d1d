/* ridge_scores_test.c - scores in tiles against elimination in float64, at every lambda of
 * the grid, for every shape of problem; blocks, pool and memory do not change a bit. */
#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>
#include <sys/resource.h>

enum { N_MAX = 600, K_MAX = 96, M = 5 };

static float phi[N_MAX * K_MAX], g[520 * K_MAX];

static void make(size_t N, size_t k, double decay, size_t copies, size_t zeros, size_t flat) {
    rng_normal(phi, N * k, 41, RNG_TEST, (uint32_t)N, (uint32_t)k);
    rng_normal(g, 520 * k, 42, RNG_TEST, (uint32_t)N, (uint32_t)k);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < k; j++) phi[i * k + j] *= (float)pow(1 + (double)j, -decay);
    for (size_t i = 1; i <= copies; i++) memcpy(phi + i * k, phi, k * sizeof *phi);
    for (size_t i = 1; i <= zeros; i++) memset(phi + (N - i) * k, 0, k * sizeof *phi);
    for (size_t i = 0; i < N; i++) memset(phi + i * k, 0, flat * sizeof *phi);   /* directions nobody has */
}

/* x = (Phi^T Phi + l)^-1 q by elimination with pivoting. */
static void solve(double *x, size_t N, size_t k, double l, const float *q) {
    static double A[K_MAX][K_MAX + 1];
    for (size_t a = 0; a < k; a++) {
        for (size_t b = 0; b < k; b++) {
            A[a][b] = a == b ? l : 0;
            for (size_t n = 0; n < N; n++) A[a][b] += (double)phi[n * k + a] * (double)phi[n * k + b];
        }
        A[a][k] = (double)q[a];
    }
    for (size_t c = 0; c < k; c++) {
        size_t best = c;
        for (size_t r = c + 1; r < k; r++)
            if (fabs(A[r][c]) > fabs(A[best][c])) best = r;
        for (size_t j = c; j <= k; j++) {
            double t = A[c][j];
            A[c][j] = A[best][j];
            A[best][j] = t;
        }
        for (size_t r = 0; r < k; r++) {
            double f = r == c ? 0 : A[r][c] / A[c][c];
            for (size_t j = c; f != 0 && j <= k; j++) A[r][j] -= f * A[c][j];
        }
    }
    for (size_t a = 0; a < k; a++) x[a] = A[a][k] / A[a][a];
}

static struct ridge *make_ridge(const struct rows *rows, int primal) {
    struct ridge *r;
    if (primal) {
        assert_int_equal(ridge_new_primal(&r, rows, NULL), OK);
        return r;
    }
    double *A = mem_array(rows->n * rows->n, sizeof *A);
    assert_non_null(A);
    assert_int_equal(rows_gram(rows, A, 0, NULL), OK);
    assert_int_equal(ridge_new(&r, A, rows->n, rows->k, NULL), OK);
    return r;
}

static const struct { size_t N, k; double decay; size_t copies, zeros, flat; } worlds[] = {
    { 30, 90, 0, 0, 0, 0 },   { 90, 30, 0, 0, 0, 0 },  { 48, 48, 0, 0, 0, 0 },  { 60, 40, 1, 0, 0, 0 },
    { 40, 60, 1, 12, 5, 0 },  { 80, 30, 1, 20, 9, 0 }, { 80, 40, 0, 0, 0, 15 }, { 30, 40, 0, 0, 0, 20 },
};

/* Stated in ridge.h: 1e-5 of the row's root mean square; rounding of float64 comes with
 * the condition number on top. */
static void both_forms_are_the_explicit_formula_at_every_lambda(void **state) {
    (void)state;
    for (size_t t = 0; t < sizeof worlds / sizeof *worlds; t++) {
        size_t N = worlds[t].N, k = worlds[t].k;
        make(N, k, worlds[t].decay, worlds[t].copies, worlds[t].zeros, worlds[t].flat);
        struct rows_memory memory = { phi, k };
        struct rows rows = rows_in_memory(&memory, N);
        double *coords = mem_array(M * K_MAX * 2, sizeof *coords), lambda[LAMBDA_GRID_COUNT];
        float *out[2];
        for (int primal = 0; primal < 2; primal++) {
            struct ridge *r = make_ridge(&rows, primal);
            for (size_t i = 0; i < LAMBDA_GRID_COUNT; i++)
                lambda[i] = lambda_to_absolute(lambda_grid(i), ridge_trace(r), N);
            assert_int_equal(ridge_query_rows(r, &rows, g, M, coords, NULL), OK);
            out[primal] = mem_array(LAMBDA_GRID_COUNT * M * N, sizeof *out[primal]);
            struct ridge_block b = { coords, M, lambda, LAMBDA_GRID_COUNT, out[primal], NULL };
            assert_int_equal(ridge_score_block(r, &b, NULL), OK);
            ridge_free(r);
        }
        double trace = 0;
        for (size_t i = 0; i < N * k; i++) trace += (double)phi[i] * (double)phi[i];
        for (size_t l = 0; l < LAMBDA_GRID_COUNT; l++)
            for (size_t m = 0; m < M; m++) {
                double x[K_MAX], want[N_MAX], rms = 0, slack = 1e-5 + 1e-14 * trace / lambda[l];
                solve(x, N, k, lambda[l], g + m * k);
                for (size_t n = 0; n < N; n++) {
                    want[n] = 0;
                    for (size_t a = 0; a < k; a++) want[n] += x[a] * (double)phi[n * k + a];
                    rms += want[n] * want[n] / (double)N;
                }
                for (int form = 0; form < 2; form++)
                    for (size_t n = 0; n < N; n++)
                        assert_near((double)out[form][(l * M + m) * N + n], want[n], slack * sqrt(rms), 0);
            }
        mem_free(out[0]);
        mem_free(out[1]);
        mem_free(coords);
    }
}

/* Rows that are not in memory, for the primal form to stream. */
static enum status read_copy(void *ctx, size_t first, size_t count, float *out) {
    size_t k = *(const size_t *)ctx;
    memcpy(out, phi + first * k, count * k * sizeof *out);
    return OK;
}

/* 520 queries are three tiles, 600 items two. */
static void blocks_pool_and_where_rows_lie_do_not_change_a_bit(void **state) {
    (void)state;
    struct pool *pool;
    size_t k = 24, N = N_MAX, Q = 520;
    double lambda[3];
    assert_int_equal(pool_new(&pool, 3), OK);
    make(N, k, .5, 0, 0, 0);
    struct rows_memory memory = { phi, k };
    struct rows inside = rows_in_memory(&memory, N), outside = { N, k, read_copy, &k, NULL };
    double *coords = mem_array(Q * N, sizeof *coords);
    float *a = mem_array(3 * Q * N, sizeof *a), *b = mem_array(3 * Q * N, sizeof *b);
    for (int primal = 0; primal < 2; primal++) {
        struct ridge *r = make_ridge(&inside, primal), *s = make_ridge(&outside, primal);
        for (size_t i = 0; i < 3; i++) lambda[i] = lambda_to_absolute(lambda_grid(9 * i), ridge_trace(r), N);
        assert_int_equal(ridge_query_rows(r, &inside, g, Q, coords, NULL), OK);
        struct ridge_block all = { coords, Q, lambda, 3, a, pool };
        assert_int_equal(ridge_score_block(r, &all, NULL), OK);
        for (size_t l = 0; l < 3; l++)
            for (size_t q = 0; q < Q; q += RIDGE_TILE) {
                size_t count = Q - q < RIDGE_TILE ? Q - q : RIDGE_TILE;
                struct ridge_block part = { coords + q * ridge_rank(r), count, lambda + l, 1, b + (l * Q + q) * N, NULL };
                assert_int_equal(ridge_score_block(l % 2 ? r : s, &part, NULL), OK);
            }
        assert_memory_equal(a, b, 3 * Q * N * sizeof *a);
        ridge_free(r);
        ridge_free(s);
    }
    mem_free(coords);
    mem_free(a);
    mem_free(b);
    pool_free(pool);
}

static void diagonals_at_many_lambdas_are_those_at_one(void **state) {
    (void)state;
    size_t N = 530, k = 24;
    make(N, k, .5, 3, 2, 0);
    struct rows_memory memory = { phi, k };
    struct rows rows = rows_in_memory(&memory, N);
    double lambda[3], *many = mem_array(6 * N, sizeof *many), *one = mem_array(2 * N, sizeof *one);
    for (int primal = 0; primal < 2; primal++) {
        struct ridge *r = make_ridge(&rows, primal);
        for (size_t i = 0; i < 3; i++) lambda[i] = lambda_to_absolute(lambda_grid(9 + 5 * i), ridge_trace(r), N);
        assert_int_equal(ridge_diagonals_many(r, lambda, 3, many, many + 3 * N, NULL), OK);
        for (size_t l = 0; l < 3; l++) {
            double sum = 0;
            assert_int_equal(ridge_diagonals(r, lambda[l], one, one + N, NULL), OK);
            for (size_t n = 0; n < N; n++) {
                assert_near(many[l * N + n], one[n], 1e-12, 0);
                assert_near(many[(3 + l) * N + n], one[N + n], 1e-12 * one[N], 1e-10);
                sum += one[n];
            }
            assert_near(sum, ridge_effective_dimension(r, lambda[l]), 1e-8, 0);   /* the leverages' sum */
        }
        ridge_free(r);
    }
    mem_free(many);
    mem_free(one);
}

/* d_eff(l) = k (1 - l mean diag K^-1), K = Phi^T Phi + l: another way to the same number. */
static void effective_dimension_is_that_of_the_inverse(void **state) {
    (void)state;
    size_t N = 50, k = 90;
    make(N, k, 0, 0, 0, 0);
    struct rows_memory memory = { phi, k };
    struct rows rows = rows_in_memory(&memory, N);
    struct ridge *r = make_ridge(&rows, 0);
    for (double l = 1; l < 1e4; l *= 10) {
        double diagonal = 0, x[K_MAX];
        for (size_t a = 0; a < k; a++) {
            float e[K_MAX] = { 0 };
            e[a] = 1;
            solve(x, N, k, l, e);
            diagonal += x[a] / (double)k;
        }
        assert_near(ridge_effective_dimension(r, l), (double)k * (1 - l * diagonal), 1e-9, 0);
    }
    ridge_free(r);
}

/* A source that makes its rows as they are asked for: 60,000 x 512 are 123 MB, which must never
 * be there at once. */
static enum status read_made(void *ctx, size_t first, size_t count, float *out) {
    (void)ctx;
    for (size_t i = 0; i < count * 512; i++) out[i] = (float)(((first * 512 + i) * 2654435761u >> 7) % 1021) / 1021 - .5f;
    return OK;
}

static long peak_kb(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void rows_are_streamed(void **state) {
    (void)state;
    struct rows rows = { 60000, 512, read_made, NULL, NULL };
    struct ridge *r;
    double *A = mem_array(512 * 512, sizeof *A), lambda = 1000, *coords = mem_array(4 * 512, sizeof *coords);
    float *out = mem_array(4 * 60000, sizeof *out), query[4 * 512];
    assert_true(A && coords && out);
    assert_int_equal(read_made(NULL, 7, 4, query), OK);
    long before = peak_kb();
    assert_int_equal(rows_inner_gram(&rows, A, (size_t)2 << 20, NULL), OK);
    assert_int_equal(ridge_new_inner(&r, A, &rows, NULL), OK);
    assert_int_equal(ridge_query_rows(r, &rows, query, 4, coords, NULL), OK);
    struct ridge_block b = { coords, 4, &lambda, 1, out, NULL };
    assert_int_equal(ridge_score_block(r, &b, NULL), OK);
    long grown = peak_kb() - before;
    if (grown > 64000) print_error("grew by %ld kB\n", grown);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    assert_true(grown <= 64000);   /* a block of 32 MB, the matrix with its workspace, the scores */
#endif
    for (size_t m = 0; m < 4; m++) assert_true(out[m * 60000 + 7 + m] > 0);   /* an item supports itself */
    ridge_free(r);
    mem_free(coords);
    mem_free(out);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    size_t N = 40, k = 20;
    make(N, k, 0, 0, 0, 0);
    struct rows rows = { N, k, read_copy, &k, NULL };
    for (int primal = 0; primal < 2; primal++) {
        struct ridge *r = make_ridge(&rows, primal);
        double coords[2 * 40], lambda[2] = { 1, 2 };
        float out[2 * 2 * 40];
        assert_int_equal(ridge_query_rows(r, &rows, g, 2, coords, NULL), OK);
        long before = mem_live();
        for (long n = 0;; n++) {
            struct ridge_block b = { coords, 2, lambda, 2, out, NULL };
            mem_fail_after(n);
            enum status st = ridge_score_block(r, &b, NULL);
            mem_fail_after(-1);
            assert_int_equal(mem_live(), before);
            if (st == OK) break;
            assert_int_equal(st, ERR_NOMEM);
        }
        ridge_free(r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_streamed),   /* first: it looks at the peak so far */
        cmocka_unit_test(both_forms_are_the_explicit_formula_at_every_lambda),
        cmocka_unit_test(blocks_pool_and_where_rows_lie_do_not_change_a_bit),
        cmocka_unit_test(diagonals_at_many_lambdas_are_those_at_one),
        cmocka_unit_test(effective_dimension_is_that_of_the_inverse),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    linalg_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
