/* Sorting by bytes against qsort. */
#include "dtrak/rng.h"
#include "dtrak/sort.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MOST = 5000 };

static struct sort_entry e[MOST], spare[MOST], by_library[MOST];

static int compare(const void *a, const void *b) {
    const struct sort_entry *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void entries_come_out_as_qsort_has_them(void **state) {
    (void)state;
    static const size_t sizes[] = { 0, 1, 2, 3, 255, 257, MOST };
    struct rng r = rng_at(1, RNG_TEST, 0, 0);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (int bits = 0; bits <= 64; bits += 8) {
            for (size_t i = 0; i < sizes[k]; i++) {
                uint64_t u = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);
                e[i] = by_library[i] = (struct sort_entry){ bits == 64 ? u : u & (((uint64_t)1 << bits) - 1), i };
            }
            sort_entries(e, spare, sizes[k]);
            if (sizes[k]) qsort(by_library, sizes[k], sizeof *e, compare);
            for (size_t i = 0; i < sizes[k]; i++) {
                assert_true(e[i].key == by_library[i].key);
                assert_int_equal(e[i].at, by_library[i].at);      /* equal keys keep their order */
            }
        }
}

static void keys_are_in_the_order_of_the_numbers(void **state) {
    (void)state;
    static const double x[] = { -INFINITY, -1e308, -3, -1, -1e-30, -1e-45, -5e-324, 0, 5e-324, 1e-45, 1e-30, 1, 1.0000001, 3, 1e30, 1e308, INFINITY };
    size_t n = sizeof x / sizeof x[0];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            float f = (float)x[i], g = (float)x[j];
            assert_int_equal(x[i] < x[j], sort_key_double(x[i]) < sort_key_double(x[j]));
            assert_int_equal(f < g, sort_key_float(f) < sort_key_float(g));
            assert_int_equal(f > g, sort_key_float(f) > sort_key_float(g));
        }
    assert_true(sort_key_double(-0.0) == sort_key_double(0.0));
    assert_true(sort_key_float(-0.0f) == sort_key_float(0.0f));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(entries_come_out_as_qsort_has_them), cmocka_unit_test(keys_are_in_the_order_of_the_numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
