#include "dtrak/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_half_survives_the_way_to_float_and_back(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float x = half_to_float((uint16_t)h);
        if ((h & 0x7fff) > 0x7c00) {
            assert_true(isnan(x));
            assert_true(isnan(half_to_float(half_from_float(x))));
        } else {
            assert_int_equal(half_from_float(x), h);
        }
    }
}

/* Between two neighbouring halves: below the middle goes down, above goes up,
 * the middle goes to the even one.  All 31,743 finite gaps, both signs. */
static void rounding_is_to_nearest_with_ties_to_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float lo = half_to_float((uint16_t)h), hi = half_to_float((uint16_t)(h + 1));
        float mid = (float)(((double)lo + (double)hi) / 2);
        uint32_t even = h & 1 ? h + 1 : h;
        for (int s = 0; s < 2; s++) {
            float sign = s ? -1.0f : 1.0f;
            uint32_t bit = s ? 0x8000u : 0;
            assert_int_equal(half_from_float(sign * mid), even | bit);
            assert_int_equal(half_from_float(sign * nextafterf(mid, 0)), h | bit);
            assert_int_equal(half_from_float(sign * nextafterf(mid, INFINITY)), (h + 1) | bit);
        }
    }
}

static void the_ends_of_the_range_are_as_in_ieee_754(void **state) {
    (void)state;
    assert_int_equal(half_from_float(65504), 0x7bff);
    assert_int_equal(half_from_float(nextafterf(65520, 0)), 0x7bff);
    assert_int_equal(half_from_float(65520), 0x7c00);
    assert_int_equal(half_from_float(1e30f), 0x7c00);
    assert_int_equal(half_from_float(-INFINITY), 0xfc00);
    assert_int_equal(half_from_float(-0.0f), 0x8000);
    assert_int_equal(half_from_float(0x1p-24f), 1);
    assert_int_equal(half_from_float(0x1p-25f), 0);
    assert_int_equal(half_from_float(nextafterf(0x1p-25f, 1)), 1);
    assert_int_equal(half_from_float(0x1p-14f), 0x0400);
    assert_int_equal(half_from_float(1.0f), 0x3c00);
    assert_int_equal(half_from_float(1e-40f), 0);
}

static void bfloat_is_the_upper_half_of_a_float(void **state) {
    (void)state;
    assert_true(bfloat_to_float(0x3f80) == 1.0f);
    assert_true(bfloat_to_float(0xc049) == -3.140625f);
    assert_true(isinf(bfloat_to_float(0x7f80)));
}

static void blocks_convert_like_single_values(void **state) {
    (void)state;
    float in[5] = { 0, 1.1f, -2e-7f, 1e9f, 300 }, back[5];
    uint16_t h[5];
    half_from_floats(h, in, 5);
    half_to_floats(back, h, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(h[i], half_from_float(in[i]));
        assert_true(back[i] == half_to_float(h[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_survives_the_way_to_float_and_back),
        cmocka_unit_test(rounding_is_to_nearest_with_ties_to_even),
        cmocka_unit_test(the_ends_of_the_range_are_as_in_ieee_754),
        cmocka_unit_test(bfloat_is_the_upper_half_of_a_float),
        cmocka_unit_test(blocks_convert_like_single_values),
    };
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
