/* patch_test.c - distances between patches against plain loops; runs; the variants agree. */
#include "dtrak/kernels.h"
#include "dtrak/mem.h"
#include "dtrak/patch.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

static const struct patch_shape shapes[] = {
    { 1, 6, 9, 3, 1 }, { 3, 7, 5, 4, 1 }, { 2, 5, 5, 5, 1 }, { 2, 4, 6, 1, 1 }, { 3, 8, 11, 7, 1 },
    { 2, 4, 5, 7, 1 }, { 2, 9, 7, 4, 2 }, { 1, 8, 10, 6, 2 }, { 3, 5, 6, 2, 2 }, { 1, 1, 1, 1, 1 }, { 2, 20, 21, 6, 1 },
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* Pixel (i, j) in positions' coordinates, the border included; outside is 0. */
static double at(const float *x, struct patch_shape n, size_t c, size_t i, size_t j) {
    size_t b = patch_border(n);
    if (i < b || j < b || i >= n.H + b || j >= n.W + b) return 0;
    return (double)x[(c * n.H + i - b) * n.W + j - b];
}

/* Which of the p x p places are inside the image. */
static int same_footprint(struct patch_shape n, size_t pi, size_t pj, size_t li, size_t lj) {
    size_t b = patch_border(n);
    for (size_t a = 0; a < n.p; a++)
        for (size_t c = 0; c < n.p; c++) {
            int in_p = pi + a >= b && pi + a < n.H + b && pj + c >= b && pj + c < n.W + b;
            int in_l = li + a >= b && li + a < n.H + b && lj + c >= b && lj + c < n.W + b;
            if (in_p != in_l) return 0;
        }
    return 1;
}

static double plain_distance(const float *x, const float *y, double s, struct patch_shape n, size_t pi, size_t pj,
                             size_t li, size_t lj) {
    double sum = 0;
    for (size_t c = 0; c < n.C; c++)
        for (size_t a = 0; a < n.p; a += n.step)
            for (size_t b = 0; b < n.p; b += n.step) {
                double e = 0;
                for (size_t u = 0; u < n.step; u++)
                    for (size_t v = 0; v < n.step; v++)
                        e += at(x, n, c, pi + a + u, pj + b + v) - s * at(y, n, c, li + a + u, lj + b + v);
                if (n.step == 2) e /= 2;
                sum += e * e;
            }
    return sum;
}

struct set {
    struct patch_shape n;
    float x[2000], y[2000];
    struct patch_run *runs;
    size_t count, distances, positions;
};

static void make(struct set *t, struct patch_shape n) {
    t->n = n;
    rng_normal(t->x, n.C * n.H * n.W, 3, RNG_TEST, (uint32_t)n.p, 0);
    rng_normal(t->y, n.C * n.H * n.W, 3, RNG_TEST, (uint32_t)n.p, 1);
    t->count = patch_runs(n, NULL, &t->distances);
    t->runs = mem_array(t->count, sizeof *t->runs);
    assert_non_null(t->runs);
    assert_int_equal(patch_runs(n, t->runs, &t->distances), t->count);
    t->positions = patch_rows(n) * patch_stride(n);
}

static void every_pair_of_equal_footprints_has_its_distance(void **state) {
    (void)state;
    static struct set t;
    for (size_t k = 0; k < SHAPES; k++) {
        struct patch_shape n = shapes[k];
        make(&t, n);
        size_t rows = patch_rows(n), cols = patch_cols(n), pairs = 0, want = 0;
        assert_int_equal(rows, n.p % 2 ? n.H : n.H - 1);
        double *x = mem_array(patch_image_size(n), sizeof *x), *y = mem_array(patch_image_size(n), sizeof *y);
        double *d = mem_array(t.distances, sizeof *d), *least = mem_array(t.positions, sizeof *least);
        double *sum = mem_array(t.positions, sizeof *sum), *scratch = mem_array(patch_scratch_size(n), sizeof *scratch);
        patch_prepare_f64(x, t.x, 1, n);
        patch_prepare_f64(y, t.y, 0.7, n);
        patch_kernels_portable()->fill_f64(d, least, x, y, 0.3, n, t.runs, t.count, scratch);
        patch_kernels_portable()->sum_f64(sum, d, least, n, t.runs, t.count);
        for (size_t r = 0; r < t.count; r++)
            for (size_t i = 0; i < t.runs[r].rows; i++)
                for (size_t j = 0; j < t.runs[r].width; j++) {
                    size_t pi = t.runs[r].i0 + i, pj = t.runs[r].j0 + j;
                    size_t li = (size_t)((ptrdiff_t)pi + t.runs[r].dy), lj = (size_t)((ptrdiff_t)pj + t.runs[r].dx);
                    assert_true(pi < rows && li < rows && pj < cols && lj < cols);
                    assert_true(same_footprint(n, pi, pj, li, lj));
                    assert_near(d[t.runs[r].at + i * t.runs[r].padded + j],
                                0.3 * plain_distance(t.x, t.y, 0.7, n, pi, pj, li, lj), 1e-12, 1e-12);
                    pairs++;
                }
        for (size_t pi = 0; pi < rows; pi++)
            for (size_t pj = 0; pj < cols; pj++) {
                double low = INFINITY, total = 0;
                for (int pass = 0; pass < 2; pass++)
                    for (size_t li = 0; li < rows; li++)
                        for (size_t lj = 0; lj < cols; lj++) {
                            if (!same_footprint(n, pi, pj, li, lj)) continue;
                            double v = 0.3 * plain_distance(t.x, t.y, 0.7, n, pi, pj, li, lj);
                            if (pass) total += exp(low - v);
                            else low = v < low ? v : low;
                            want += (size_t)pass;
                        }
                assert_near(least[pi * patch_stride(n) + pj], low, 1e-12, 1e-12);
                assert_near(sum[pi * patch_stride(n) + pj], total, 0, 1e-11);
            }
        assert_int_equal(pairs, want);
        mem_free(x);
        mem_free(y);
        mem_free(d);
        mem_free(least);
        mem_free(sum);
        mem_free(scratch);
        mem_free(t.runs);
    }
    assert_int_equal(mem_live(), 0);
}

/* Distances, minima and sums of one variant, after each other. */
static float *run_f32(const struct patch_kernels *k, const struct set *t, size_t *count) {
    struct patch_shape n = t->n;
    float *x = mem_array(patch_image_size(n), sizeof *x), *y = mem_array(patch_image_size(n), sizeof *y);
    float *scratch = mem_array(patch_scratch_size(n), sizeof *scratch);
    *count = t->distances + 2 * t->positions;
    float *d = mem_array(*count, sizeof *d);
    patch_prepare_f32(x, t->x, 1, n);
    patch_prepare_f32(y, t->y, 0.7, n);
    k->fill_f32(d, d + t->distances, x, y, 0.3, n, t->runs, t->count, scratch);
    k->sum_f32(d + t->distances + t->positions, d, d + t->distances, n, t->runs, t->count);
    /* What lies behind a row of positions may hold anything. */
    for (size_t i = 0; i < t->positions; i++)
        if (i % patch_stride(n) >= patch_cols(n)) d[t->distances + i] = d[t->distances + t->positions + i] = 0;
    mem_free(x);
    mem_free(y);
    mem_free(scratch);
    return d;
}

static void the_variants_agree_bit_by_bit_and_with_float64(void **state) {
    (void)state;
    static struct set t;
    for (size_t k = 0; k < SHAPES; k++) {
        struct patch_shape n = shapes[k];
        size_t count;
        make(&t, n);
        float *a = run_f32(patch_kernels_portable(), &t, &count), *b = run_f32(patch_kernels_best(), &t, &count);
        assert_memory_equal(a, b, count * sizeof *a);
        const float *least = a + t.distances, *sum = least + t.positions;
        for (size_t pi = 0; pi < patch_rows(n); pi++)
            for (size_t pj = 0; pj < patch_cols(n); pj++) {
                double low = INFINITY, total = 0;
                for (int pass = 0; pass < 2; pass++)
                    for (size_t li = 0; li < patch_rows(n); li++)
                        for (size_t lj = 0; lj < patch_cols(n); lj++) {
                            if (!same_footprint(n, pi, pj, li, lj)) continue;
                            double v = 0.3 * plain_distance(t.x, t.y, 0.7, n, pi, pj, li, lj);
                            if (pass) total += exp(low - v);
                            else low = v < low ? v : low;
                        }
                assert_near((double)least[pi * patch_stride(n) + pj], low, 1e-7, 2e-6);
                assert_near((double)sum[pi * patch_stride(n) + pj], total, 0, 1e-5);
            }
        mem_free(a);
        mem_free(b);
        mem_free(t.runs);
    }
}

static void equal_images_have_distance_zero_at_shift_zero(void **state) {
    (void)state;
    static struct set t;
    size_t count;
    make(&t, shapes[4]);
    memcpy(t.y, t.x, sizeof t.y);
    for (size_t i = 0; i < sizeof t.x / sizeof *t.x; i++) t.x[i] *= 0.5f;
    for (size_t i = 0; i < sizeof t.x / sizeof *t.x; i++) t.y[i] = t.x[i] / 0.7f;
    float *d = run_f32(patch_kernels_best(), &t, &count);
    for (size_t i = 0; i < patch_rows(t.n); i++)
        for (size_t j = 0; j < patch_cols(t.n); j++)
            assert_near((double)d[t.distances + i * patch_stride(t.n) + j], 0, 1e-11, 0);
    mem_free(d);
    mem_free(t.runs);
}

/* Of every position those near its least, in the order of the runs; none where within is below 0. */
static void what_is_near_is_collected(void **state) {
    (void)state;
    static struct set t;
    for (size_t k = 0; k < SHAPES; k++) {
        struct patch_shape n = shapes[k];
        size_t count, stride = patch_stride(n), found = 0;
        make(&t, n);
        float *d = run_f32(patch_kernels_portable(), &t, &count), *least = d + t.distances;
        size_t room = patch_rows(n) * patch_cols(n) + 3;
        float *near[2], *within = mem_array(t.positions, sizeof *within);
        size_t *counts[2];
        const struct patch_kernels *variants[2] = { patch_kernels_portable(), patch_kernels_best() };
        for (size_t at = 0; at < t.positions; at++) {
            within[at] = at % stride >= patch_cols(n) || at % 7 == 3 ? -1 : (float)(at % 5) * 2;
            if (at % stride >= patch_cols(n)) least[at] = 1e30f;
        }
        for (int v = 0; v < 2; v++) {
            near[v] = mem_array(t.positions * room, sizeof **near);
            counts[v] = mem_array(t.positions, sizeof **counts);
            variants[v]->near_f32(near[v], room, counts[v], within, d, least, n, t.runs, t.count);
        }
        assert_memory_equal(counts[0], counts[1], t.positions * sizeof **counts);
        size_t *seen = mem_array(t.positions, sizeof *seen);
        for (size_t r = 0; r < t.count; r++)
            for (size_t i = 0; i < t.runs[r].rows; i++)
                for (size_t j = 0; j < t.runs[r].width; j++) {
                    size_t at = (t.runs[r].i0 + i) * stride + t.runs[r].j0 + j;
                    float v = d[t.runs[r].at + i * t.runs[r].padded + j] - least[at];
                    if (!(v < within[at])) continue;
                    for (int which = 0; which < 2; which++)
                        assert_memory_equal(&near[which][at * room + seen[at]], &v, sizeof v);
                    seen[at]++;
                    found++;
                }
        assert_memory_equal(seen, counts[0], t.positions * sizeof *seen);
        if (t.positions > stride) assert_true(found > 0);
        for (int v = 0; v < 2; v++) {
            mem_free(near[v]);
            mem_free(counts[v]);
        }
        mem_free(seen);
        mem_free(within);
        mem_free(d);
        mem_free(t.runs);
    }
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_equal_footprints_has_its_distance),
        cmocka_unit_test(the_variants_agree_bit_by_bit_and_with_float64),
        cmocka_unit_test(equal_images_have_distance_zero_at_shift_zero),
        cmocka_unit_test(what_is_near_is_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
