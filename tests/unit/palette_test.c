/* The nearest colour, beside a search through all of them. */
#include "../../src/term/palette.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static unsigned apart(const unsigned char *a, const unsigned char *b) {
    int sum = 0;
    for (int c = 0; c < 3; c++) sum += (a[c] - b[c]) * (a[c] - b[c]);
    return (unsigned)sum;
}

static void fill(unsigned char *p, size_t n, struct rng *r, int spread) {
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)(128 - spread / 2 + (int)(rng_uniform(r) * (float)spread));
}

static void the_nearest_colour_is_the_nearest(void **state) {
    (void)state;
    static const size_t sizes[] = { 1, 2, 3, 16, 64, 255, 256 };
    struct rng r = rng_at(5, RNG_TEST, 1, 1);
    unsigned char colours[256 * 3];
    struct palette p;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int spread = 4; spread <= 256; spread *= 4) {
            fill(colours, 3 * sizes[k], &r, spread);
            palette_init(&p, colours, sizes[k]);
            for (size_t i = 0; i < 2002; i++) {
                unsigned char px[3];
                unsigned d;
                if (i < 2000) fill(px, 3, &r, 256);
                else memset(px, i == 2000 ? 0 : 255, 3);
                unsigned least = apart(colours, px);
                for (size_t c = 1; c < sizes[k]; c++)
                    if (apart(colours + 3 * c, px) < least) least = apart(colours + 3 * c, px);
                size_t n = palette_nearest(&p, px, &d);
                assert_true(n < sizes[k]);
                assert_int_equal(d, least);
                assert_int_equal(apart(colours + 3 * n, px), least);
            }
        }
}

static void a_picture_becomes_numbers_in_place(void **state) {
    (void)state;
    enum { W = 37, H = 11 };
    struct rng r = rng_at(6, RNG_TEST, 1, 1);
    unsigned char colours[64 * 3], rgb[W * H * 3], both[W * H * 3];
    struct palette p;
    fill(colours, sizeof colours, &r, 256);
    palette_init(&p, colours, 64);
    for (unsigned slack = 0; slack <= 4000; slack += 2000) {
        size_t runs = 0;
        fill(rgb, sizeof rgb, &r, 120);
        memcpy(both, rgb, sizeof rgb);
        palette_map(&p, both, both, W, H, colours, slack);
        for (size_t i = 0; i < W * H; i++) {
            unsigned d;
            palette_nearest(&p, rgb + 3 * i, &d);
            assert_true(both[i] < 64);
            assert_in_range(apart(colours + 3 * both[i], rgb + 3 * i), d, d + slack);
            runs += i % W && both[i] == both[i - 1];
        }
        assert_true(slack ? runs > W * H / 8 : runs < W * H / 8);   /* it makes longer runs */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_colour_is_the_nearest),
        cmocka_unit_test(a_picture_becomes_numbers_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
