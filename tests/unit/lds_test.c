/* lds_test.c - the linear datamodeling score on cases whose answer is known. */
#include "dtrak/lds.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/stats.h"
#include "dtrak/subset.h"
#include "../lib/near.h"

#include <stdlib.h>
#include <string.h>

/* One stream of normal numbers. */
static uint32_t drawn;
static double normal(void) {
    float x;
    rng_normal(&x, 1, 99, RNG_TEST, ++drawn, 0);
    return (double)x;
}

static void a_prediction_is_minus_the_sum_over_the_members(void **state) {
    (void)state;
    static const float scores[4] = { 1, -2, 4, 8 };
    static const unsigned char members[3][4] = { { 1, 1, 0, 0 }, { 0, 0, 1, 1 }, { 0, 0, 0, 0 } };
    double p[3];
    assert_int_equal(lds_predict(p, scores, 1, members[0], 3, 4), OK);
    assert_near(p[0], 1, 0, 1e-15);
    assert_near(p[1], -12, 0, 1e-15);
    assert_near(p[2], 0, 1e-15, 0);
}

static void centring_takes_away_what_all_queries_share(void **state) {
    (void)state;
    double v[2][3] = { { 1, 5, 9 }, { 3, 6, 1 } };
    lds_centre(v[0], 3, 2);
    for (size_t m = 0; m < 3; m++) assert_near(v[0][m] + v[1][m], 0, 1e-15, 0);
    assert_near(v[0][0], -1, 1e-15, 0);
    assert_near(v[0][2], 4, 1e-15, 0);
}

static void predictions_that_all_queries_share_centre_to_nothing(void **state) {
    (void)state;
    enum { M = 12, Q = 7 };
    double p[Q * M], y[Q * M];
    struct lds_fit f;
    for (size_t i = 0; i < Q * M; i++) {
        y[i] = normal();
        p[i] = i < M ? 3 + normal() / 7 : p[i - M];
    }
    lds_centre(p, M, Q);
    lds_centre(y, M, Q);
    assert_int_equal(lds_fit_new(&f, p, y, M, Q), OK);
    assert_int_equal(f.constant, Q);
    for (size_t q = 0; q < Q; q++) assert_true(f.rho[q] == 0);
    lds_fit_free(&f);
}

/* Against stats_spearman() on the rows without m, with many ties. */
static void every_left_out_value_is_spearman_of_the_rest(void **state) {
    (void)state;
    enum { M = 13, Q = 7 };
    double p[Q * M], y[Q * M], want, x[M], z[M];
    for (size_t i = 0; i < Q * M; i++) {
        p[i] = floor(2 * normal());
        y[i] = p[i] + floor(3 * normal());
    }
    struct lds_fit f;
    assert_int_equal(lds_fit_new(&f, p, y, M, Q), OK);
    for (size_t q = 0; q < Q; q++) {
        assert_int_equal(stats_spearman(&want, p + q * M, y + q * M, M), OK);
        assert_near(f.rho[q], want, 1e-14, 0);
        for (size_t m = 0; m < M; m++) {
            size_t n = 0;
            for (size_t i = 0; i < M; i++)
                if (i != m) { x[n] = p[q * M + i]; z[n++] = y[q * M + i]; }
            assert_int_equal(stats_spearman(&want, x, z, n), OK);
            assert_near(f.loo[m * Q + q], want, 1e-14, 0);
        }
    }
    lds_fit_free(&f);
    assert_int_equal(mem_live(), 0);
}

/* --- the sign: least squares, where leaving out can be done --- */

enum { N = 60, DIM = 7, QUERIES = 9, SUBSETS = 40 };
static double X[N][DIM], target[N], XQ[QUERIES][DIM], target_q[QUERIES];

/* w of ridge regression on the members, by elimination. */
static void solve(double *w, const unsigned char *members) {
    double A[DIM][DIM + 1] = { { 0 } };
    for (size_t i = 0; i < DIM; i++) A[i][i] = .1;
    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; members[n] && i < DIM; i++) {
            for (size_t j = 0; j < DIM; j++) A[i][j] += X[n][i] * X[n][j];
            A[i][DIM] += X[n][i] * target[n];
        }
    for (size_t c = 0; c < DIM; c++)
        for (size_t i = 0; i < DIM; i++) {
            double f = i == c ? 0 : A[i][c] / A[c][c];
            for (size_t j = c; j <= DIM && i != c; j++) A[i][j] -= f * A[c][j];
        }
    for (size_t i = 0; i < DIM; i++) w[i] = A[i][DIM] / A[i][i];
}

static double query_loss(const double *w, size_t q) {
    double e = -target_q[q];
    for (size_t i = 0; i < DIM; i++) e += w[i] * XQ[q][i];
    return e * e;
}

static void what_lowers_the_loss_by_its_presence_scores_positive(void **state) {
    (void)state;
    unsigned char all[N], members[SUBSETS][N];
    double w[DIM], y[QUERIES * SUBSETS], p[QUERIES * SUBSETS];
    float tau[QUERIES][N];
    for (size_t n = 0; n < N; n++) {
        target[n] = normal();
        for (size_t i = 0; i < DIM; i++) target[n] += X[n][i] = normal();
    }
    for (size_t q = 0; q < QUERIES; q++) {
        target_q[q] = 2 * normal();
        for (size_t i = 0; i < DIM; i++) target_q[q] += XQ[q][i] = normal();
    }
    memset(all, 1, N);
    double base[QUERIES];
    solve(w, all);
    for (size_t q = 0; q < QUERIES; q++) base[q] = query_loss(w, q);
    /* A proponent: without it the loss is higher. */
    for (size_t n = 0; n < N; n++) {
        all[n] = 0;
        solve(w, all);
        all[n] = 1;
        for (size_t q = 0; q < QUERIES; q++) tau[q][n] = (float)(query_loss(w, q) - base[q]);
    }
    for (size_t m = 0; m < SUBSETS; m++) {
        assert_int_equal(subset_draw(members[m], NULL, N, .5, 0, 1, m), OK);
        solve(w, members[m]);
        for (size_t q = 0; q < QUERIES; q++) y[q * SUBSETS + m] = query_loss(w, q);
    }
    assert_int_equal(lds_predict(p, tau[0], QUERIES, members[0], SUBSETS, N), OK);
    struct lds_fit f;
    struct lds_estimate e;
    assert_int_equal(lds_fit_new(&f, p, y, SUBSETS, QUERIES), OK);
    lds_estimate(&e, &f);
    assert_true(e.value > .6 && e.low > .4);
    lds_fit_free(&f);
    for (size_t i = 0; i < QUERIES * SUBSETS; i++) p[i] = -p[i];
    assert_int_equal(lds_fit_new(&f, p, y, SUBSETS, QUERIES), OK);
    struct lds_estimate opposite;
    lds_estimate(&opposite, &f);
    assert_near(opposite.value, -e.value, 1e-12, 0);
    assert_near(opposite.se, e.se, 0, 1e-9);
    lds_fit_free(&f);
}

/* --- intervals --- */

/* A world in which queries share a factor (how good a network is) and two
 * methods share part of their error. */
enum { WM = 24, WQ = 12 };
static void make_world(double *p1, double *p2, double *y, double shared) {
    double common[WM];
    for (size_t m = 0; m < WM; m++) common[m] = normal();
    for (size_t q = 0; q < WQ; q++) {
        /* Queries differ in how well they are predicted. */
        double noise = .8 + .8 * fabs(normal());
        for (size_t m = 0; m < WM; m++) {
            double truth = normal(), error = normal();
            y[q * WM + m] = truth + shared * common[m];
            p1[q * WM + m] = truth + noise * (error + .3 * normal());
            p2[q * WM + m] = truth + 1.6 * noise * (error + .3 * normal());
        }
    }
}

static void check_interval(double shared, int paired) {
    enum { WORLDS = 240 };
    double values[WORLDS], ses = 0, mean = 0;
    static double low[WORLDS], high[WORLDS];
    for (size_t k = 0; k < WORLDS; k++) {
        double p1[WQ * WM], p2[WQ * WM], y[WQ * WM];
        struct lds_fit a, b;
        struct lds_estimate e;
        make_world(p1, p2, y, shared);
        assert_int_equal(lds_fit_new(&a, p1, y, WM, WQ), OK);
        assert_int_equal(lds_fit_new(&b, p2, y, WM, WQ), OK);
        if (paired) assert_int_equal(lds_difference(&e, &a, &b), OK);
        else lds_estimate(&e, &a);
        lds_fit_free(&a);
        lds_fit_free(&b);
        values[k] = e.value;
        low[k] = e.low;
        high[k] = e.high;
        ses += e.se / WORLDS;
        mean += e.value / WORLDS;
    }
    double sd = stats_sd(values, WORLDS);
    size_t covered = 0;
    for (size_t k = 0; k < WORLDS; k++) covered += low[k] <= mean && mean <= high[k];
    /* The sd of 240 worlds is known to 4.6 %. */
    assert_near(ses, sd, 0, .2);
    assert_true(covered >= 216);
}

static void intervals_have_the_width_that_many_worlds_show(void **state) {
    (void)state;
    check_interval(0, 0);
    check_interval(1.5, 0);
}
static void so_have_those_of_differences(void **state) {
    (void)state;
    check_interval(0, 1);
    check_interval(1.5, 1);
}

static void paired_intervals_are_narrower_and_shared_factors_cost_queries(void **state) {
    (void)state;
    double p1[WQ * WM], p2[WQ * WM], y[WQ * WM];
    struct lds_estimate e1, e2, d, alone;
    double q_eff[2] = { 0 };
    for (int shared = 0; shared < 2; shared++)
        for (size_t k = 0; k < 40; k++) {
            struct lds_fit a;
            make_world(p1, p2, y, shared * 1.5);
            /* A factor that all predictions share and no loss has: chance agrees with all queries at once. */
            for (size_t m = 0; m < WM; m++) {
                double factor = shared * 3 * normal();
                for (size_t q = 0; q < WQ; q++) p1[q * WM + m] += factor;
            }
            assert_int_equal(lds_fit_new(&a, p1, y, WM, WQ), OK);
            lds_estimate(&alone, &a);
            q_eff[shared] += alone.q_eff / 40;
            lds_fit_free(&a);
        }
    assert_true(q_eff[0] > .6 * WQ);
    assert_true(q_eff[1] < .5 * q_eff[0]);
    double single = 0, paired = 0;
    for (size_t k = 0; k < 20; k++) {
        struct lds_fit a, b;
        make_world(p1, p2, y, 1.5);
        assert_int_equal(lds_fit_new(&a, p1, y, WM, WQ), OK);
        assert_int_equal(lds_fit_new(&b, p2, y, WM, WQ), OK);
        lds_estimate(&e1, &a);
        lds_estimate(&e2, &b);
        assert_int_equal(lds_difference(&d, &a, &b), OK);
        assert_near(d.value, e1.value - e2.value, 1e-12, 0);
        single += sqrt(e1.se * e1.se + e2.se * e2.se);
        paired += d.se;
        lds_fit_free(&a);
        lds_fit_free(&b);
    }
    assert_true(paired < .8 * single);
    assert_int_equal(mem_live(), 0);
}

static void quantiles_of_t_are_those_of_the_tables(void **state) {
    (void)state;
    static const double table[][2] = { { 4, 2.776 }, { 5, 2.571 }, { 7, 2.365 }, { 10, 2.228 }, { 20, 2.086 },
                                       { 30, 2.042 }, { 60, 2.000 }, { 1e6, 1.960 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) assert_near(lds_t975(table[i][0]), table[i][1], .002, 0);
}

/* --- what cannot be measured --- */

static void a_constant_prediction_counts_as_nothing_predicted(void **state) {
    (void)state;
    enum { M = 8, Q = 3 };
    double p[Q * M], y[Q * M];
    for (size_t i = 0; i < Q * M; i++) {
        y[i] = normal();
        p[i] = i / M == 1 ? 5 : y[i];
    }
    struct lds_fit f;
    struct lds_estimate e;
    assert_int_equal(lds_fit_new(&f, p, y, M, Q), OK);
    lds_estimate(&e, &f);
    assert_int_equal(e.constant, 1);
    assert_near(f.rho[0], 1, 1e-12, 0);
    assert_true(f.rho[1] == 0);
    assert_near(e.value, 2.0 / 3, 1e-12, 0);
    lds_fit_free(&f);
    for (size_t i = 0; i < Q * M; i++) p[i] = -1;
    assert_int_equal(lds_fit_new(&f, p, y, M, Q), OK);
    lds_estimate(&e, &f);
    assert_int_equal(e.constant, Q);
    assert_true(e.value == 0 && e.se == 0 && isnan(e.q_eff));
    lds_fit_free(&f);
}

static void too_few_subsets_give_a_value_without_interval_or_nothing(void **state) {
    (void)state;
    double p[2 * 8], y[2 * 8];
    struct lds_fit f;
    struct lds_estimate e;
    for (size_t i = 0; i < 16; i++) p[i] = y[i] = normal();
    assert_int_equal(lds_fit_new(&f, p, y, 2, 2), ERR_RANGE);
    assert_int_equal(lds_fit_new(&f, p, y, 8, 0), ERR_RANGE);
    assert_int_equal(lds_fit_new(&f, p, y, LDS_INTERVAL_MIN - 1, 2), OK);
    lds_estimate(&e, &f);
    assert_near(e.value, 1, 1e-12, 0);
    assert_true(isnan(e.se) && isnan(e.low) && isnan(e.high) && isnan(e.q_eff));
    lds_fit_free(&f);
    y[3] = NAN;
    assert_int_equal(lds_fit_new(&f, p, y, 8, 2), ERR_NUMERIC);
    y[3] = 0;
    p[9] = INFINITY;
    assert_int_equal(lds_fit_new(&f, p, y, 8, 2), ERR_NUMERIC);
    assert_int_equal(mem_live(), 0);
}

/* --- choosing on one half --- */

static void a_choice_judged_on_the_other_half_does_not_flatter(void **state) {
    (void)state;
    enum { M = 17, Q = 2, C = 20, WORLDS = 60 };
    double selected = 0, oracle = 0;
    for (size_t k = 0; k < WORLDS; k++) {
        static double p[C][Q * M];
        double y[Q * M];
        const double *candidates[C];
        for (size_t i = 0; i < Q * M; i++) y[i] = normal();
        for (size_t c = 0; c < C; c++) {
            candidates[c] = p[c];
            for (size_t i = 0; i < Q * M; i++) p[c][i] = normal();
        }
        struct lds_selection s;
        struct lds_estimate e;
        assert_int_equal(lds_select(&s, candidates, C, y, M, Q), OK);
        assert_int_equal(s.fit.M, M);
        assert_int_equal(s.fit.split, 9);
        lds_estimate(&e, &s.fit);
        assert_true(isfinite(e.se) && e.low < e.value && e.value < e.high);
        selected += e.value / WORLDS;
        oracle += s.oracle_value / WORLDS;
        lds_fit_free(&s.fit);
    }
    /* Noise alone: sd of a value about 1 / sqrt(2 (M - 1)) = .18. */
    assert_true(fabs(selected) < .09);
    assert_true(oracle > .25);
    assert_int_equal(mem_live(), 0);
}

/* Two halves of one setting: about the value and the se of all subsets. */
static void a_selection_is_as_sharp_as_all_subsets(void **state) {
    (void)state;
    double p1[WQ * WM], p2[WQ * WM], y[WQ * WM], se[2] = { 0 }, value[2] = { 0 };
    const double *one[1] = { p1 };
    for (size_t k = 0; k < 100; k++) {
        struct lds_selection s;
        struct lds_fit plain;
        struct lds_estimate e;
        make_world(p1, p2, y, .5);
        assert_int_equal(lds_select(&s, one, 1, y, WM, WQ), OK);
        assert_int_equal(lds_fit_new(&plain, p1, y, WM, WQ), OK);
        lds_estimate(&e, &s.fit);
        se[0] += e.se / 100;
        value[0] += e.value / 100;
        lds_estimate(&e, &plain);
        se[1] += e.se / 100;
        value[1] += e.value / 100;
        lds_fit_free(&s.fit);
        lds_fit_free(&plain);
    }
    /* Spearman of 12 subsets is a little nearer to 0 than of 24. */
    assert_near(value[0], value[1] - .015, .015, 0);
    assert_near(se[0], se[1], 0, .15);
}

static void the_better_setting_is_chosen(void **state) {
    (void)state;
    enum { M = 30, Q = 5 };
    double p[3][Q * M], y[Q * M];
    const double *candidates[3] = { p[0], p[1], p[2] };
    for (size_t i = 0; i < Q * M; i++) {
        y[i] = normal();
        p[0][i] = normal();
        p[1][i] = y[i] + .3 * normal();
        p[2][i] = y[i] + 3 * normal();
    }
    struct lds_selection s;
    struct lds_fit plain;
    assert_int_equal(lds_select(&s, candidates, 3, y, M, Q), OK);
    assert_true(s.chosen[0] == 1 && s.chosen[1] == 1 && s.oracle == 1);
    /* The same setting on both halves: the mean of its two halves. */
    assert_int_equal(lds_fit_new(&plain, p[1], y, M, Q), OK);
    struct lds_estimate e, whole, none;
    lds_estimate(&e, &s.fit);
    lds_estimate(&whole, &plain);
    assert_near(e.value, whole.value, .05, 0);
    assert_near(s.oracle_value, whole.value, 1e-12, 0);
    assert_int_equal(lds_difference(&none, &s.fit, &plain), ERR_RANGE);
    assert_int_equal(lds_difference(&none, &s.fit, &s.fit), OK);
    assert_true(none.value == 0 && none.se == 0);
    lds_fit_free(&s.fit);
    lds_fit_free(&plain);
    assert_int_equal(lds_select(&s, candidates, 3, y, 5, Q), ERR_RANGE);
    assert_int_equal(lds_select(&s, candidates, 0, y, M, Q), ERR_RANGE);
}

/* --- the ceiling --- */

static void a_ceiling_is_the_root_of_what_repeats(void **state) {
    (void)state;
    /* Truth and chance of variance 1: r = .5, three seeds .75, their ceiling .866. */
    assert_near(lds_reliability(.5, 3), .75, 1e-15, 0);
    assert_near(lds_ceiling(.5, 3), .8660254037844386, 1e-15, 0);
    assert_near(lds_ceiling(.5, 1), sqrt(.5), 1e-15, 0);
    /* What one seed predicts of the mean of T others: r sqrt(T / (1 + (T - 1) r)), of the same scale as spearman. */
    struct lds_repeat repeat = { .r = .5, .spearman = .48 }, nothing = { .r = -.1, .spearman = -.1 };
    assert_near(lds_one_more(&repeat, 1), .48, 1e-15, 0);
    assert_near(lds_one_more(&repeat, 2), .48 / .5 * .57735, 1e-5, 0);
    assert_near(lds_one_more(&repeat, 3), .48 / .5 * .61237, 1e-5, 0);
    assert_near(lds_one_more(&nothing, 1), -.1, 1e-15, 0);
    assert_true(isnan(lds_one_more(&nothing, 2)));
    assert_near(lds_ceiling(.5, 1) * lds_ceiling(.5, 2), .57735, 1e-5, 0);
    assert_true(isnan(lds_ceiling(0, 1)) && isnan(lds_ceiling(-.1, 2)));

    enum { K = 64, Q = 100 };
    static double truth[Q * K], one[Q * K], two[Q * K], none[Q * K];
    const double *y[2] = { one, two };
    for (size_t i = 0; i < Q * K; i++) {
        truth[i] = normal();
        one[i] = truth[i] + normal();
        two[i] = truth[i] + normal();
        none[i] = normal();
    }
    struct lds_repeat r;
    assert_int_equal(lds_repeat(&r, y, 2, K, Q), OK);
    assert_near(r.r, .5, .04, 0);
    assert_true(r.se > .003 && r.se < .03);
    /* Spearman of normal data: 6 / pi asin(r / 2). */
    assert_near(r.spearman, 6 / 3.14159265358979 * asin(r.r / 2), .03, 0);
    struct lds_fit f;
    struct lds_estimate e;
    assert_int_equal(lds_fit_new(&f, truth, one, K, Q), OK);
    lds_estimate(&e, &f);
    double ceiling = lds_ceiling(r.r, 1);
    assert_near(e.value, 6 / 3.14159265358979 * asin(ceiling / 2), 5 * e.se, 0);
    lds_fit_free(&f);
    assert_int_equal(lds_fit_new(&f, none, one, K, Q), OK);
    lds_estimate(&e, &f);
    assert_near(e.value, 0, 4 * e.se, 0);
    lds_fit_free(&f);
    y[1] = one;
    assert_int_equal(lds_repeat(&r, y, 2, K, Q), OK);
    assert_near(r.r, 1, 1e-12, 0);
    assert_int_equal(lds_repeat(&r, y, 1, K, Q), ERR_RANGE);
    assert_int_equal(lds_repeat(&r, y, 2, 2, Q), ERR_RANGE);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    enum { M = 8, Q = 2 };
    double p[Q * M], y[Q * M];
    const double *candidates[1] = { p };
    for (size_t i = 0; i < Q * M; i++) { p[i] = normal(); y[i] = normal(); }
    for (long n = 0; n < 200; n++) {
        struct lds_selection s;
        mem_fail_after(n);
        enum status st = lds_select(&s, candidates, 1, y, M, Q);
        mem_fail_after(-1);
        if (st == OK) {
            assert_true(n > 5);
            lds_fit_free(&s.fit);
            break;
        }
        assert_int_equal(st, ERR_NOMEM);
        assert_int_equal(mem_live(), 0);
    }
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prediction_is_minus_the_sum_over_the_members),
        cmocka_unit_test(centring_takes_away_what_all_queries_share),
        cmocka_unit_test(predictions_that_all_queries_share_centre_to_nothing),
        cmocka_unit_test(every_left_out_value_is_spearman_of_the_rest),
        cmocka_unit_test(what_lowers_the_loss_by_its_presence_scores_positive),
        cmocka_unit_test(intervals_have_the_width_that_many_worlds_show),
        cmocka_unit_test(so_have_those_of_differences),
        cmocka_unit_test(paired_intervals_are_narrower_and_shared_factors_cost_queries),
        cmocka_unit_test(quantiles_of_t_are_those_of_the_tables),
        cmocka_unit_test(a_constant_prediction_counts_as_nothing_predicted),
        cmocka_unit_test(too_few_subsets_give_a_value_without_interval_or_nothing),
        cmocka_unit_test(a_choice_judged_on_the_other_half_does_not_flatter),
        cmocka_unit_test(a_selection_is_as_sharp_as_all_subsets),
        cmocka_unit_test(the_better_setting_is_chosen),
        cmocka_unit_test(a_ceiling_is_the_root_of_what_repeats),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
