/* subset_test.c - which training items a subset has. */
#include "dtrak/mem.h"
#include "dtrak/subset.h"
#include "../lib/near.h"

#include <string.h>

enum { N = 103 };

/* Three labels of 50, 33 and 20 items, one of them -1. */
static void make_labels(int *labels) {
    for (size_t i = 0; i < N; i++) labels[i * 37 % N] = i < 50 ? 4 : i < 83 ? -1 : 9;
}
static size_t count(const unsigned char *members, const int *labels, int label) {
    size_t c = 0;
    for (size_t i = 0; i < N; i++) c += members[i] && labels[i] == label;
    return c;
}

static void sizes_are_exact_and_each_label_has_its_share(void **state) {
    (void)state;
    int labels[N];
    unsigned char a[N];
    make_labels(labels);
    static const double alphas[] = { .5, .1, .25, .9, .333 };
    for (size_t k = 0; k < 5; k++)
        for (size_t m = 0; m < 40; m++) {
            assert_int_equal(subset_draw(a, labels, N, alphas[k], 1, 3, m), OK);
            size_t c[3] = { count(a, labels, 4), count(a, labels, -1), count(a, labels, 9) };
            static const double have[3] = { 50, 33, 20 };
            assert_int_equal(c[0] + c[1] + c[2], subset_size(N, alphas[k]));
            for (size_t j = 0; j < 3; j++) assert_true(fabs((double)c[j] - alphas[k] * have[j]) < 1 + 1e-9);
        }
    assert_int_equal(subset_size(7, .5), 4);
    assert_int_equal(subset_size(1000, .5), 500);
}

/* With two labels of odd size either gets the odd one, by chance. */
static void equal_remainders_are_shared_by_chance(void **state) {
    (void)state;
    enum { SMALL = 10 };
    int labels[SMALL] = { 1, 1, 1, 1, 1, 2, 2, 2, 2, 2 };
    unsigned char a[SMALL];
    size_t first = 0;
    for (size_t m = 0; m < 200; m++) {
        assert_int_equal(subset_draw(a, labels, SMALL, .5, 1, 0, m), OK);
        size_t ones = (size_t)(a[0] + a[1] + a[2] + a[3] + a[4]);
        assert_true(ones == 2 || ones == 3);
        first += ones == 3;
    }
    assert_true(first > 60 && first < 140);
}

static void a_subset_is_the_same_whatever_else_is_drawn(void **state) {
    (void)state;
    int labels[N];
    unsigned char a[N], b[N];
    make_labels(labels);
    assert_int_equal(subset_draw(a, labels, N, .5, 1, 11, 17), OK);
    for (size_t m = 40; m-- > 17;) assert_int_equal(subset_draw(b, labels, N, .5, 1, 11, m), OK);
    assert_memory_equal(a, b, N);
    assert_int_equal(subset_draw(b, labels, N, .5, 1, 12, 17), OK);
    assert_true(memcmp(a, b, N) != 0);
    assert_int_equal(subset_draw(b, labels, N, .5, 1, 11, 18), OK);
    assert_true(memcmp(a, b, N) != 0);
    assert_int_equal(subset_draw(b, labels, N, .5, 0, 11, 17), OK);
    assert_true(memcmp(a, b, N) != 0);
    assert_int_equal(subset_draw(b, NULL, N, .5, 0, 11, 17), OK);
    assert_int_equal(count(b, labels, 4) + count(b, labels, -1) + count(b, labels, 9), 52);
}

/* Every item is in about half of the subsets, and every pair of a label in a little less than a quarter. */
static void items_are_drawn_evenly(void **state) {
    (void)state;
    enum { M = 4000 };
    int labels[N];
    unsigned char a[N];
    double in[N] = { 0 }, pair = 0;
    size_t x = 0, y;
    make_labels(labels);
    while (labels[x] != 4) x++;
    for (y = x + 1; labels[y] != 4;) y++;
    for (size_t m = 0; m < M; m++) {
        assert_int_equal(subset_draw(a, labels, N, .5, 1, 5, m), OK);
        for (size_t i = 0; i < N; i++) in[i] += a[i];
        pair += a[x] && a[y];
    }
    /* Five standard errors; the label of 33 has 16 or 17 members. */
    for (size_t i = 0; i < N; i++) {
        double want = labels[i] == -1 ? 17.0 / 33 : .5;
        assert_near(in[i] / M, want, 5 * .5 / sqrt(M) + .001, 0);
    }
    assert_near(pair / M, 25.0 * 24 / (50 * 49), 5 * .43 / sqrt(M), 0);
}

static void what_leaves_nothing_is_refused(void **state) {
    (void)state;
    unsigned char a[4];
    int labels[4] = { 0, 0, 1, 1 };
    static const double alphas[] = { 0, 1, .1, .9, -1, 2, NAN };
    for (size_t i = 0; i < 7; i++) assert_int_equal(subset_draw(a, labels, 4, alphas[i], 1, 0, 0), ERR_RANGE);
    assert_int_equal(subset_draw(a, labels, 4, .5, 1, 0, 0), OK);
    for (long n = 0; n < 3; n++) {
        long live = mem_live();
        mem_fail_after(n);
        assert_int_equal(subset_draw(a, labels, 4, .5, 1, 0, 0), ERR_NOMEM);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_exact_and_each_label_has_its_share),
        cmocka_unit_test(equal_remainders_are_shared_by_chance),
        cmocka_unit_test(a_subset_is_the_same_whatever_else_is_drawn),
        cmocka_unit_test(items_are_drawn_evenly),
        cmocka_unit_test(what_leaves_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
