/* ridge_test.c - dual, primal and the explicit formula agree in float64; leverages;
 * leave-one-out of a linear model; the scale of the features cancels. */
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

#define N_MAX 40
#define M 3

/* Solves A x = b, A[n][n] destroyed, by Gaussian elimination with pivoting: the
 * reference shares no code with what it checks. */
static void solve(double *A, double *b, size_t n) {
    for (size_t c = 0; c < n; c++) {
        size_t pivot = c;
        for (size_t i = c + 1; i < n; i++)
            if (fabs(A[i * n + c]) > fabs(A[pivot * n + c])) pivot = i;
        for (size_t j = 0; j < n; j++) {
            double t = A[c * n + j];
            A[c * n + j] = A[pivot * n + j];
            A[pivot * n + j] = t;
        }
        double t = b[c];
        b[c] = b[pivot];
        b[pivot] = t;
        for (size_t i = 0; i < n; i++) {
            if (i == c) continue;
            double f = A[i * n + c] / A[c * n + c];
            for (size_t j = c; j < n; j++) A[i * n + j] -= f * A[c * n + j];
            b[i] -= f * b[c];
        }
    }
    for (size_t c = 0; c < n; c++) b[c] /= A[c * n + c];
}

/* x = (Phi^T Phi + l I)^-1 g, leaving training row `without` out (N: none). */
static void explicit_solve(double *x, const float *phi, size_t N, size_t k, double l, const double *g, size_t without) {
    static double A[N_MAX * N_MAX];
    memset(A, 0, sizeof A);
    for (size_t a = 0; a < k; a++) {
        for (size_t b = 0; b < k; b++)
            for (size_t n = 0; n < N; n++)
                if (n != without) A[a * k + b] += (double)phi[n * k + a] * (double)phi[n * k + b];
        A[a * k + a] += l;
        x[a] = g[a];
    }
    solve(A, x, k);
}

struct problem { float phi[N_MAX * N_MAX], g[M * N_MAX]; struct rows_memory memory; struct rows rows; size_t N, k; };

static void make(struct problem *p, size_t N, size_t k, float scale) {
    p->N = N;
    p->k = k;
    rng_normal(p->phi, N * k, 21, RNG_TEST, (uint32_t)N, (uint32_t)k);
    rng_normal(p->g, M * k, 22, RNG_TEST, (uint32_t)N, (uint32_t)k);
    for (size_t i = 0; i < N * k; i++) p->phi[i] *= scale;
    for (size_t i = 0; i < M * k; i++) p->g[i] *= scale;
    p->memory = (struct rows_memory){ p->phi, k };
    p->rows = rows_in_memory(&p->memory, N);
}

static void explicit_scores(const struct problem *p, double l, double *scores) {
    for (size_t m = 0; m < M; m++) {
        double g[N_MAX], x[N_MAX];
        for (size_t a = 0; a < p->k; a++) g[a] = (double)p->g[m * p->k + a];
        explicit_solve(x, p->phi, p->N, p->k, l, g, p->N);
        for (size_t n = 0; n < p->N; n++) {
            scores[m * p->N + n] = 0;
            for (size_t a = 0; a < p->k; a++) scores[m * p->N + n] += x[a] * (double)p->phi[n * p->k + a];
        }
    }
}

/* The dual form whatever the sizes. */
static struct ridge *make_dual(const struct problem *p) {
    struct ridge *r;
    double *A = mem_array(p->N * p->N, sizeof *A);
    assert_non_null(A);
    assert_int_equal(rows_gram(&p->rows, A, 0, NULL), OK);
    assert_int_equal(ridge_new(&r, A, p->N, p->k, NULL), OK);
    return r;
}

static void query_scores(const struct ridge *r, const struct problem *p, double l, double *scores) {
    double coords[M * N_MAX];
    assert_int_equal(ridge_query_rows(r, &p->rows, p->g, M, coords, NULL), OK);
    assert_int_equal(ridge_scores(r, coords, M, l, scores), OK);
}

static const struct { size_t N, k; } sizes[] = { { 7, 19 }, { 31, 9 }, { 12, 12 }, { 1, 5 }, { 5, 1 }, { 40, 39 } };
#define SIZES (sizeof sizes / sizeof *sizes)

static void dual_primal_and_explicit_agree(void **state) {
    (void)state;
    static struct problem p;
    for (size_t t = 0; t < SIZES; t++) {
        make(&p, sizes[t].N, sizes[t].k, 1);
        struct ridge *dual = make_dual(&p), *primal;
        assert_int_equal(ridge_new_primal(&primal, &p.rows, NULL), OK);
        assert_true(ridge_is_primal(primal) && !ridge_is_primal(dual));
        for (double l = 0.01; l < 1000; l *= 10) {
            double want[M * N_MAX], a[M * N_MAX], b[M * N_MAX];
            explicit_scores(&p, l, want);
            query_scores(dual, &p, l, a);
            query_scores(primal, &p, l, b);
            for (size_t i = 0; i < M * p.N; i++) {
                assert_near(a[i], want[i], 1e-10, 1e-10);
                assert_near(b[i], want[i], 1e-10, 1e-10);
            }
            assert_near(ridge_effective_dimension(dual, l), ridge_effective_dimension(primal, l), 1e-10, 0);
        }
        assert_near(ridge_trace(dual), ridge_trace(primal), 0, 1e-13);
        ridge_free(dual);
        ridge_free(primal);
    }
}

static void the_smaller_form_is_chosen(void **state) {
    (void)state;
    static struct problem p;
    for (size_t t = 0; t < SIZES; t++) {
        struct ridge *r;
        make(&p, sizes[t].N, sizes[t].k, 1);
        assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), OK);
        assert_int_equal(ridge_is_primal(r), p.N > p.k);
        assert_int_equal(ridge_rank(r), p.N < p.k ? p.N : p.k);
        assert_int_equal(ridge_train_count(r), p.N);
        assert_int_equal(ridge_feature_count(r), p.k);
        ridge_free(r);
    }
}

static void diagonals_are_those_of_the_definitions(void **state) {
    (void)state;
    static struct problem p;
    const double l = 0.7;
    for (size_t t = 0; t < SIZES; t++) {
        make(&p, sizes[t].N, sizes[t].k, 1);
        struct ridge *form[2] = { make_dual(&p), NULL };
        assert_int_equal(ridge_new_primal(&form[1], &p.rows, NULL), OK);
        for (size_t f = 0; f < 2; f++) {
            double h[N_MAX], rel[N_MAX], norm[N_MAX], sum = 0;
            assert_int_equal(ridge_diagonals(form[f], l, h, rel, norm), OK);
            for (size_t n = 0; n < p.N; n++) {
                double phi[N_MAX], x[N_MAX], hn = 0, xx = 0, pp = 0;
                for (size_t a = 0; a < p.k; a++) phi[a] = (double)p.phi[n * p.k + a];
                explicit_solve(x, p.phi, p.N, p.k, l, phi, p.N);
                for (size_t a = 0; a < p.k; a++) {
                    hn += x[a] * phi[a];
                    xx += x[a] * x[a];
                    pp += phi[a] * phi[a];
                }
                assert_near(h[n], hn, 1e-11, 0);
                assert_near(rel[n], sqrt(xx), 1e-10, 1e-10);
                assert_near(norm[n], sqrt(pp), 0, 1e-11);
                sum += h[n];
            }
            assert_near(sum, ridge_effective_dimension(form[f], l), 1e-10, 0);
            ridge_free(form[f]);
        }
    }
}

static void leverages_lie_in_0_to_below_1_even_at_tiny_lambda(void **state) {
    (void)state;
    static struct problem p;
    make(&p, 7, 19, 1);
    struct ridge *r = make_dual(&p);
    for (double l = 1e-18; l < 1e18; l *= 100) {
        double h[N_MAX];
        assert_int_equal(ridge_diagonals(r, l, h, NULL, NULL), OK);
        for (size_t n = 0; n < p.N; n++) assert_true(h[n] >= 0 && h[n] < 1);
    }
    ridge_free(r);
}

/* Scores of a training item as the query: its own one is its leverage. */
static void self_scores_are_leverages(void **state) {
    (void)state;
    static struct problem p;
    for (size_t t = 0; t < SIZES; t++) {
        struct ridge *r;
        double h[N_MAX], coords[N_MAX], scores[N_MAX];
        make(&p, sizes[t].N, sizes[t].k, 1);
        assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), OK);
        assert_int_equal(ridge_diagonals(r, 0.3, h, NULL, NULL), OK);
        for (size_t n = 0; n < p.N; n++) {
            assert_int_equal(ridge_query_train(r, n, coords), OK);
            assert_int_equal(ridge_scores(r, coords, 1, 0.3, scores), OK);
            assert_near(scores[n], h[n], 1e-10, 0);
        }
        assert_int_equal(ridge_query_train(r, p.N, coords), ERR_RANGE);
        ridge_free(r);
    }
}

/* Ridge regression y = Phi w: dropping row n changes the prediction at g by
 * tau(g, n) residual_n / (1 - h_n), exactly. */
static void leave_one_out_of_a_linear_model_is_exact(void **state) {
    (void)state;
    static struct problem p;
    const double l = 0.4;
    for (size_t t = 0; t < SIZES; t++) {
        make(&p, sizes[t].N, sizes[t].k, 1);
        float y[N_MAX];
        double w[N_MAX], all[N_MAX] = { 0 }, tau[M * N_MAX], h[N_MAX];
        struct ridge *r;
        rng_normal(y, p.N, 30, RNG_TEST, 0, 0);
        assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), OK);
        assert_int_equal(ridge_diagonals(r, l, h, NULL, NULL), OK);
        query_scores(r, &p, l, tau);
        for (size_t n = 0; n < p.N; n++)
            for (size_t a = 0; a < p.k; a++) all[a] += (double)y[n] * (double)p.phi[n * p.k + a];
        explicit_solve(w, p.phi, p.N, p.k, l, all, p.N);
        for (size_t n = 0; n < p.N; n++) {
            double rest[N_MAX], refit[N_MAX], residual = (double)y[n];
            for (size_t a = 0; a < p.k; a++) {
                rest[a] = all[a] - (double)y[n] * (double)p.phi[n * p.k + a];
                residual -= w[a] * (double)p.phi[n * p.k + a];
            }
            explicit_solve(refit, p.phi, p.N, p.k, l, rest, n);
            for (size_t m = 0; m < M; m++) {
                double change = 0;
                for (size_t a = 0; a < p.k; a++) change += (w[a] - refit[a]) * (double)p.g[m * p.k + a];
                assert_near(tau[m * p.N + n] * residual / (1 - h[n]), change, 1e-9, 1e-9);
            }
        }
        ridge_free(r);
    }
}

static void scaling_the_features_leaves_auto_scores_alone(void **state) {
    (void)state;
    static struct problem p, q;
    double a[M * N_MAX], b[M * N_MAX], la, lb;
    make(&p, 20, 33, 1);
    make(&q, 20, 33, 1024);   /* a power of two: the same mantissas */
    struct ridge *r = make_dual(&p), *s = make_dual(&q);
    assert_int_equal(lambda_auto(&la, ridge_eigenvalues(r), ridge_rank(r), 20, 33), OK);
    assert_int_equal(lambda_auto(&lb, ridge_eigenvalues(s), ridge_rank(s), 20, 33), OK);
    assert_near(lb, la * 1024 * 1024, 0, 1e-11);
    assert_near(ridge_effective_dimension(s, lb), 5, 1e-10, 0);
    query_scores(r, &p, la, a);
    query_scores(s, &q, lb, b);
    for (size_t i = 0; i < M * p.N; i++) assert_near(b[i], a[i], 1e-11, 0);
    ridge_free(r);
    ridge_free(s);
}

static void large_lambda_is_the_inner_product(void **state) {
    (void)state;
    static struct problem p;
    double cross[M * N_MAX], scores[M * N_MAX];
    make(&p, 8, 14, 1);
    struct ridge *r = make_dual(&p);
    assert_int_equal(rows_cross(&p.rows, p.g, M, cross, 0, NULL), OK);
    query_scores(r, &p, 1e9, scores);
    for (size_t i = 0; i < M * p.N; i++) assert_near(scores[i] * 1e9, cross[i], 1e-6, 1e-6);
    assert_near(ridge_condition(r, 1e9), 1, 1e-6, 0);
    ridge_free(r);
}

/* Rows that are copies make A singular; the scores of copies are equal. */
static void copies_share_their_score(void **state) {
    (void)state;
    static struct problem p;
    double scores[M * N_MAX];
    make(&p, 6, 15, 1);
    memcpy(p.phi + 15, p.phi, 15 * sizeof *p.phi);
    struct ridge *r = make_dual(&p);
    query_scores(r, &p, 1e-3, scores);
    for (size_t m = 0; m < M; m++) assert_near(scores[m * 6], scores[m * 6 + 1], 1e-9, 0);
    ridge_free(r);
}

static void damaged_input_is_refused(void **state) {
    (void)state;
    static struct problem p;
    struct ridge *r;
    double coords[N_MAX], scores[N_MAX];
    long before = mem_live();
    make(&p, 5, 9, 1);
    p.phi[3] = NAN;
    assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), ERR_NUMERIC);
    assert_null(r);
    make(&p, 5, 9, 0);
    assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), ERR_NUMERIC);
    make(&p, 5, 9, 1);
    assert_int_equal(ridge_new_rows(&r, &p.rows, NULL), OK);
    assert_int_equal(ridge_query_from_features(r, p.g, 1, coords), ERR_RANGE);
    assert_int_equal(ridge_query_rows(r, &p.rows, p.g, 1, coords, NULL), OK);
    assert_int_equal(ridge_scores(r, coords, 1, 0, scores), ERR_RANGE);
    assert_int_equal(ridge_scores(r, coords, 1, NAN, scores), ERR_RANGE);
    coords[0] = INFINITY;
    assert_int_equal(ridge_scores(r, coords, 1, 1, scores), ERR_NUMERIC);
    ridge_free(r);
    assert_int_equal(mem_live(), before);
}

static void cancelling_leaves_nothing(void **state) {
    (void)state;
    static struct problem p;
    atomic_int cancel = 1;
    struct progress progress = { NULL, NULL, &cancel };
    struct ridge *r;
    long before = mem_live();
    make(&p, 9, 12, 1);
    assert_int_equal(ridge_new_rows(&r, &p.rows, &progress), ERR_CANCELLED);
    make(&p, 12, 9, 1);
    assert_int_equal(ridge_new_rows(&r, &p.rows, &progress), ERR_CANCELLED);
    assert_null(r);
    assert_int_equal(mem_live(), before);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    static struct problem p;
    for (size_t t = 0; t < 2; t++) {
        long before = mem_live();
        make(&p, sizes[t].N, sizes[t].k, 1);
        for (long n = 0;; n++) {
            struct ridge *r;
            double coords[M * N_MAX], scores[M * N_MAX], h[N_MAX];
            mem_fail_after(n);
            enum status st = ridge_new_rows(&r, &p.rows, NULL);
            if (st == OK) st = ridge_query_rows(r, &p.rows, p.g, M, coords, NULL);
            if (st == OK) st = ridge_scores(r, coords, M, 1, scores);
            if (st == OK) st = ridge_diagonals(r, 1, h, NULL, NULL);
            mem_fail_after(-1);
            ridge_free(r);
            assert_int_equal(mem_live(), before);
            if (st == OK) {
                assert_true(n > 5);
                break;
            }
            assert_int_equal(st, ERR_NOMEM);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dual_primal_and_explicit_agree),
        cmocka_unit_test(the_smaller_form_is_chosen),
        cmocka_unit_test(diagonals_are_those_of_the_definitions),
        cmocka_unit_test(leverages_lie_in_0_to_below_1_even_at_tiny_lambda),
        cmocka_unit_test(self_scores_are_leverages),
        cmocka_unit_test(leave_one_out_of_a_linear_model_is_exact),
        cmocka_unit_test(scaling_the_features_leaves_auto_scores_alone),
        cmocka_unit_test(large_lambda_is_the_inner_product),
        cmocka_unit_test(copies_share_their_score),
        cmocka_unit_test(damaged_input_is_refused),
        cmocka_unit_test(cancelling_leaves_nothing),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
