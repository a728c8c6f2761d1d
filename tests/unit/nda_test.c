/* nda_test.c - patch softmax against plain loops with a constant border, its limits,
 * heat maps, threads. */
#include "dtrak/mem.h"
#include "dtrak/nda.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"
#include "../lib/near.h"

#include <stdlib.h>
#include <string.h>

enum { C = 2, H = 5, W = 7, D = C * H * W, N = 70, P_MAX = H * W };

static float query[D], noise[3 * D], train[N * D];
static struct rows_memory memory = { train, D };

static void make(size_t n) {
    rng_normal(query, D, 5, RNG_TEST, 0, 0);
    rng_normal(noise, 3 * D, 5, RNG_TEST, 0, 1);
    rng_normal(train, n * D, 5, RNG_TEST, 1, 0);
    for (size_t i = 0; i < D; i++) query[i] *= 0.4f;
    for (size_t i = 0; i < n * D; i++) train[i] *= 0.4f;
}

static struct nda options(size_t patch, int is_down, size_t topk, int is_exact) {
    return (struct nda){ C, H, W, patch, is_down, topk, is_exact, NULL };
}

/* A pixel of a padded image; the border is `mask`, which is not scaled. */
static double padded(const float *x, double scale, size_t border, double mask, size_t c, size_t i, size_t j) {
    if (i < border || j < border || i >= H + border || j >= W + border) return mask;
    return scale * (double)x[(c * H + i - border) * W + j - border];
}

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* The released code's score: a constant border, all pairs, and no streaming. */
static void plain_scores(double *scores, double *maps, const struct nda *o, size_t t, size_t n_train, double mask) {
    size_t p = o->patch, border = (p - 1) / 2, rows = H + 2 * border - p + 1, cols = W + 2 * border - p + 1;
    size_t P = rows * cols, step = o->is_down ? 2 : 1;
    const struct schedule *schedule = o->schedule ? o->schedule : schedule_default();
    double ab = schedule_alpha_bar(schedule, t), s = sqrt(ab), var = 1 - ab;
    float x[D];
    schedule_noised(schedule, x, query, noise, D, t);
    double *w = calloc(n_train * P, sizeof *w);
    assert_non_null(w);
    memset(scores, 0, n_train * sizeof *scores);
    for (size_t at = 0; at < P; at++) {
        double high = -INFINITY, z = 0;
        for (size_t n = 0; n < n_train; n++)
            for (size_t l = 0; l < P; l++) {
                double sum = 0;
                for (size_t c = 0; c < C; c++)
                    for (size_t a = 0; a < p; a += step)
                        for (size_t b = 0; b < p; b += step) {
                            double e = 0;
                            for (size_t u = 0; u < step; u++)
                                for (size_t v = 0; v < step; v++)
                                    e += padded(x, 1, border, mask, c, at / cols + a + u, at % cols + b + v) -
                                         padded(train + n * D, s, border, mask, c, l / cols + a + u, l % cols + b + v);
                            sum += o->is_down ? e * e / 4 : e * e;
                        }
                w[n * P + l] = -sum / (2 * var);
                high = w[n * P + l] > high ? w[n * P + l] : high;
            }
        for (size_t i = 0; i < n_train * P; i++) z += exp(w[i] - high);
        for (size_t n = 0; n < n_train; n++) {
            for (size_t l = 0; l < P; l++) {
                w[n * P + l] = exp(w[n * P + l] - high) / z;
                if (maps) {
                    maps[n * 2 * P + at] += w[n * P + l];
                    maps[n * 2 * P + P + l] += w[n * P + l];
                }
            }
            qsort(w + n * P, P, sizeof *w, descending);
            for (size_t l = 0; l < (o->topk && o->topk < P ? o->topk : P); l++) scores[n] += w[n * P + l];
        }
    }
    free(w);
}

static const struct { size_t patch; int is_down; size_t topk; size_t t; } settings[] = {
    { 3, 0, 0, 300 }, { 3, 0, 4, 300 }, { 3, 0, 1, 100 }, { 4, 0, 0, 500 }, { 4, 1, 0, 500 }, { 4, 1, 3, 250 }, { 1, 0, 7, 600 },
    { 5, 0, 2, 800 }, { 2, 1, 0, 100 }, { 7, 0, 0, 700 },
};
#define SETTINGS (sizeof settings / sizeof *settings)

static void equal_footprints_are_a_large_border_constant(void **state) {
    (void)state;
    for (size_t k = 0; k < SETTINGS; k++)
        for (int exact = 0; exact < 2; exact++) {
            struct nda o = options(settings[k].patch, settings[k].is_down, settings[k].topk, exact);
            const size_t n = 6;
            double want[N], got[N];
            make(n);
            struct rows rows = rows_in_memory(&memory, n);
            plain_scores(want, NULL, &o, settings[k].t, n, 50);
            assert_int_equal(nda_scores(got, NULL, &o, query, noise, settings[k].t, &rows, NULL, NULL), OK);
            for (size_t i = 0; i < n; i++) assert_near(got[i], want[i], exact ? 1e-11 : 1e-5, exact ? 1e-11 : 1e-5);
        }
}

static void another_schedule_is_followed(void **state) {
    (void)state;
    struct schedule_config c = schedule_config_default();
    struct schedule *other;
    double want[N], got[N], before[N];
    c.kind = SCHEDULE_SQUAREDCOS;
    c.T = 200;
    assert_int_equal(schedule_new(&other, &c), OK);
    struct nda o = options(3, 0, 0, 1);
    make(6);
    struct rows rows = rows_in_memory(&memory, 6);
    assert_int_equal(nda_scores(before, NULL, &o, query, noise, 100, &rows, NULL, NULL), OK);
    o.schedule = other;
    plain_scores(want, NULL, &o, 100, 6, 50);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 100, &rows, NULL, NULL), OK);
    for (size_t i = 0; i < 6; i++) assert_near(got[i], want[i], 1e-11, 1e-11);
    assert_true(fabs(got[0] - before[0]) > 1e-3);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 200, &rows, NULL, NULL), ERR_USAGE);
    schedule_free(other);
}

static void blocks_are_joined(void **state) {
    (void)state;
    struct nda o = options(3, 0, 5, 1);
    double want[N], got[N];
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    plain_scores(want, NULL, &o, 200, N, 50);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 200, &rows, NULL, NULL), OK);
    for (size_t i = 0; i < N; i++) assert_near(got[i], want[i], 1e-11, 1e-11);
    o.is_exact = 0;
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 200, &rows, NULL, NULL), OK);
    for (size_t i = 0; i < N; i++) assert_near(got[i], want[i], 1e-5, 1e-5);
}

static void all_weights_add_up_to_the_positions(void **state) {
    (void)state;
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    for (size_t patch = 1; patch < 8; patch++)
        for (size_t t = 0; t < 1000; t += 333) {
            struct nda o = options(patch, 0, 0, 0);
            double got[N], sum = 0;
            assert_int_equal(nda_scores(got, NULL, &o, query, noise, t, &rows, NULL, NULL), OK);
            for (size_t i = 0; i < N; i++) sum += got[i];
            assert_near(sum, (double)(nda_rows(&o) * nda_cols(&o)), 0, 1e-5);
        }
}

static void a_duplicate_takes_the_mass_at_small_t(void **state) {
    (void)state;
    struct nda o = options(3, 0, 0, 0);
    double got[N];
    make(9);
    memcpy(train + 4 * D, query, sizeof query);
    struct rows rows = rows_in_memory(&memory, 9);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 5, &rows, NULL, NULL), OK);
    assert_true(got[4] > 0.999 * H * W);
    assert_true(got[3] < 0.001 * H * W);
}

static void at_the_last_timestep_all_count_alike(void **state) {
    (void)state;
    struct nda o = options(3, 0, 0, 0);
    double got[N];
    make(9);
    struct rows rows = rows_in_memory(&memory, 9);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 999, &rows, NULL, NULL), OK);
    for (size_t i = 0; i < 9; i++) assert_near(got[i], H * W / 9.0, 0, 0.02);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 100, &rows, NULL, NULL), OK);
    double low = got[0], high = got[0];
    for (size_t i = 0; i < 9; i++) {
        low = got[i] < low ? got[i] : low;
        high = got[i] > high ? got[i] : high;
    }
    assert_true(high > 1.5 * low);
}

static void permuted_images_have_permuted_scores(void **state) {
    (void)state;
    struct nda o = options(4, 0, 3, 1);
    double got[N], permuted[N];
    static float moved[N * D];
    uint32_t order[N];
    make(N);
    struct rng r = rng_at(1, RNG_TEST, 0, 0);
    rng_permutation(order, N, &r);
    for (size_t i = 0; i < N; i++) memcpy(moved + i * D, train + order[i] * D, D * sizeof *train);
    struct rows_memory other = { moved, D };
    struct rows rows = rows_in_memory(&memory, N), shuffled = rows_in_memory(&other, N);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 400, &rows, NULL, NULL), OK);
    assert_int_equal(nda_scores(permuted, NULL, &o, query, noise, 400, &shuffled, NULL, NULL), OK);
    for (size_t i = 0; i < N; i++) assert_near(permuted[i], got[order[i]], 1e-13, 1e-12);
}

static void the_maps_are_the_sums_of_the_weights(void **state) {
    (void)state;
    for (size_t k = 0; k < SETTINGS; k++) {
        struct nda o = options(settings[k].patch, settings[k].is_down, 0, 1);
        const size_t n = 6;
        size_t P = nda_rows(&o) * nda_cols(&o);
        double want[N], got[N], log_z[P_MAX], in_query[P_MAX], in_train[P_MAX], maps[6 * 2 * P_MAX] = { 0 };
        make(n);
        struct rows rows = rows_in_memory(&memory, n);
        plain_scores(want, maps, &o, settings[k].t, n, 50);
        assert_int_equal(nda_scores(got, log_z, &o, query, noise, settings[k].t, &rows, NULL, NULL), OK);
        for (size_t i = 0; i < n; i++) {
            double a = 0, b = 0;
            assert_int_equal(nda_maps(in_query, in_train, &o, query, noise, settings[k].t, train + i * D, log_z), OK);
            for (size_t at = 0; at < P; at++) {
                assert_near(in_query[at], maps[i * 2 * P + at], 1e-12, 1e-11);
                assert_near(in_train[at], maps[i * 2 * P + P + at], 1e-12, 1e-11);
                a += in_query[at];
                b += in_train[at];
            }
            assert_near(a, got[i], 1e-12, 1e-11);
            assert_near(b, got[i], 1e-12, 1e-11);
        }
    }
}

static void timesteps_and_scales_are_averaged(void **state) {
    (void)state;
    const size_t t[3] = { 100, 400, 700 };
    struct nda_plan o = { options(4, 0, 3, 1), 2, 0.3, t, 3 };
    struct nda down = options(2, 1, 3, 1);
    double got[N], one[N], want[N] = { 0 };
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    assert_int_equal(nda_attribute(got, &o, query, noise, &rows, NULL, NULL), OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(nda_scores(one, NULL, &o.first, query, noise + i * D, t[i], &rows, NULL, NULL), OK);
        for (size_t n = 0; n < N; n++) want[n] += 0.3 / 3 * one[n];
        assert_int_equal(nda_scores(one, NULL, &down, query, noise + i * D, t[i], &rows, NULL, NULL), OK);
        for (size_t n = 0; n < N; n++) want[n] += 0.7 / 3 * one[n];
    }
    for (size_t n = 0; n < N; n++) assert_near(got[n], want[n], 1e-14, 1e-13);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    struct nda o = options(3, 0, 4, 0);
    double one[N], three[N];
    struct pool *pool;
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    assert_int_equal(pool_new(&pool, 3), OK);
    assert_int_equal(nda_scores(one, NULL, &o, query, noise, 300, &rows, NULL, NULL), OK);
    assert_int_equal(nda_scores(three, NULL, &o, query, noise, 300, &rows, pool, NULL), OK);
    assert_memory_equal(one, three, sizeof one);
    pool_free(pool);
}

struct seen { double last; size_t reports; };

static void see(void *ctx, double done, double total, const char *what, const char *note) {
    struct seen *s = ctx;
    (void)note;
    assert_string_equal(what, "nda");
    assert_near(total, 6, 0, 0);
    assert_true(done > s->last && done <= total);
    s->last = done;
    s->reports++;
}

static void progress_rises_through_images_timesteps_and_scales(void **state) {
    (void)state;
    double got[N];
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    struct nda_plan plan = { options(3, 0, 0, 0), 4, 0.5, (size_t[]){ 10, 20, 30 }, 3 };
    struct seen seen = { 0 };
    struct progress p = { see, &seen, NULL };
    assert_int_equal(nda_attribute(got, &plan, query, noise, &rows, NULL, &p), OK);
    assert_near(seen.last, 6, 0, 0);
    assert_int_equal(seen.reports, 12);   /* 70 images go by in two blocks */
}

static void bad_questions_are_refused(void **state) {
    (void)state;
    double got[N];
    make(N);
    struct rows rows = rows_in_memory(&memory, N);
    struct nda o = options(0, 0, 0, 0);
    assert_int_equal(nda_check(&o), ERR_USAGE);
    o.patch = 11;
    assert_int_equal(nda_check(&o), ERR_USAGE);
    o.patch = 3;
    o.is_down = 1;
    assert_int_equal(nda_check(&o), ERR_USAGE);
    o = options(3, 0, 0, 0);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 1000, &rows, NULL, NULL), ERR_USAGE);
    train[66 * D + 3] = NAN;
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 10, &rows, NULL, NULL), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "image 66"));
    query[1] = INFINITY;
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 10, &rows, NULL, NULL), ERR_NUMERIC);
    atomic_int stop = 1;
    struct progress p = { .cancel = &stop };
    make(N);
    assert_int_equal(nda_scores(got, NULL, &o, query, noise, 10, &rows, NULL, &p), ERR_CANCELLED);
    assert_int_equal(mem_live(), 0);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct nda o = options(3, 0, 2, 0);
    double got[N];
    make(5);
    struct rows rows = rows_in_memory(&memory, 5);
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = nda_scores(got, NULL, &o, query, noise, 100, &rows, NULL, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), 0);
        if (st == OK) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_footprints_are_a_large_border_constant),
        cmocka_unit_test(another_schedule_is_followed),
        cmocka_unit_test(blocks_are_joined),
        cmocka_unit_test(all_weights_add_up_to_the_positions),
        cmocka_unit_test(a_duplicate_takes_the_mass_at_small_t),
        cmocka_unit_test(at_the_last_timestep_all_count_alike),
        cmocka_unit_test(permuted_images_have_permuted_scores),
        cmocka_unit_test(the_maps_are_the_sums_of_the_weights),
        cmocka_unit_test(timesteps_and_scales_are_averaged),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(progress_rises_through_images_timesteps_and_scales),
        cmocka_unit_test(bad_questions_are_refused),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
