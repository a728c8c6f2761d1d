/* distance_test.c - values worked out by hand. */
#include "dtrak/distance.h"
#include "../lib/near.h"

static void distances_are_euclidean(void **state) {
    (void)state;
    static const float a[3] = { 1, -1, .5f }, b[3] = { -1, 0, .5f };
    assert_near(distance_l2(a, b, 3), sqrt(5), 1e-15, 0);
    assert_true(distance_l2(a, a, 3) == 0 && distance_l2(a, b, 0) == 0);
}

static void cosines_do_not_see_lengths(void **state) {
    (void)state;
    static const float a[2] = { 3, 4 }, b[2] = { 4, 3 }, c[2] = { -6, -8 }, zero[2] = { 0, 0 };
    assert_near(distance_cosine(a, b, 2), 24.0 / 25, 1e-15, 0);
    assert_near(distance_cosine(a, c, 2), -1, 1e-15, 0);
    assert_near(distance_cosine(a, a, 2), 1, 1e-15, 0);
    assert_true(distance_cosine(a, zero, 2) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_euclidean),
        cmocka_unit_test(cosines_do_not_see_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
