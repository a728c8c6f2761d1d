/* Sixels of squares, read back by the tests' own decoder: every pixel is painted, every
 * square is of one colour, and that is the nearest of the palette or nearly. */
#include "../../src/term/squares.h"
#include "../lib/sixel_decode.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = SQUARES_SIDE * SQUARES_SIDE };

#define PERCENT 2   /* what a sixel's percentages can be off by */

static unsigned char rgb[MOST * 3], palette[256 * 3];

static int distance(const unsigned char *a, const unsigned char *b) {
    int sum = 0;
    for (int c = 0; c < 3; c++) sum += (a[c] - b[c]) * (a[c] - b[c]);
    return sum;
}

/* The entry of the palette that was painted: the nearest to it. */
static size_t entry_of(const unsigned char *painted, size_t colours) {
    size_t best = 0;
    for (size_t c = 1; c < colours; c++)
        if (distance(painted, palette + 3 * c) < distance(painted, palette + 3 * best)) best = c;
    return best;
}

static void check(size_t w, size_t h, size_t width, size_t height, size_t colours, int slack) {
    struct buf out = BUF_INIT;
    struct sixel_image im;
    assert_int_equal(squares_encode(&out, rgb, w, h, width, height, palette, colours, (unsigned)slack), OK);
    assert_int_equal(sixel_decode(&im, (const char *)out.data, out.len), out.len);
    assert_int_equal(im.width, width);
    assert_int_equal(im.height, height);
    assert_int_equal(im.painted_h, height);
    assert_true(im.colours <= colours);
    for (size_t y = 0; y < im.height; y++)
        for (size_t x = 0; x < im.width; x++) {
            size_t row = y * h / height, col = x * w / width;
            const unsigned char *p = im.rgba + (y * im.width + x) * 4;
            const unsigned char *first = im.rgba + ((row * height + h - 1) / h * im.width + (col * width + w - 1) / w) * 4;
            const unsigned char *source = rgb + 3 * (row * w + col);
            assert_int_equal(p[3], 255);
            assert_memory_equal(p, first, 4);
            int least = distance(source, palette + 3 * entry_of(source, colours));
            const unsigned char *entry = palette + 3 * entry_of(p, colours);
            assert_true(distance(p, entry) <= 3 * PERCENT * PERCENT);
            if (distance(source, entry) > least + slack) fail_msg("pixel %zu %zu: %d instead of %d", x, y, distance(source, entry), least);
        }
    free(im.rgba);
    buf_free(&out);
}

/* Colours far enough apart that the percentages do not mix them up. */
static void fill(struct rng *r, size_t colours, int smooth) {
    for (size_t c = 0; c < 256; c++)
        for (size_t k = 0; k < 3; k++) palette[3 * c + k] = (unsigned char)(c < colours ? 20 * (c / (k == 0 ? 1 : k == 1 ? 12 : 144) % 12) + 10 : 0);
    for (size_t i = 0; i < MOST * 3; i++) rgb[i] = (unsigned char)(smooth ? i / 3 % 64 * 3 + i / 192 : rng_below(r, 256));
}

static void every_square_has_the_nearest_colour_or_nearly(void **state) {
    (void)state;
    static const size_t sizes[][4] = {
        { 1, 1, 2, 2 }, { 32, 32, 96, 96 }, { 32, 32, 64, 64 }, { 28, 28, 140, 140 }, { 7, 5, 28, 20 }, { 64, 64, 128, 128 },
        { 3, 64, 21, 448 }, { 64, 1, 704, 11 }, { 5, 5, 5, 5 }, { 9, 13, 9, 13 },
        { 32, 32, 90, 90 }, { 32, 32, 126, 126 }, { 28, 28, 71, 71 }, { 7, 5, 29, 21 }, { 64, 48, 150, 113 }, { 9, 13, 10, 14 },
    };
    static const size_t colours[] = { 1, 2, 16, 64, 255, 256 };
    struct rng r = rng_at(3, RNG_TEST, 0, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t c = 0; c < sizeof colours / sizeof colours[0]; c++)
            for (int smooth = 0; smooth < 2; smooth++) {
                fill(&r, colours[c], smooth);
                check(sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], colours[c], smooth ? 0 : 32);
            }
}

static void one_colour_is_a_run_for_each_band(void **state) {
    (void)state;
    struct buf out = BUF_INIT;
    memset(rgb, 100, sizeof rgb);
    memset(palette, 100, sizeof palette);
    assert_int_equal(squares_encode(&out, rgb, 32, 32, 96, 96, palette, 64, 0), OK);
    assert_true(out.len < 200);
    buf_free(&out);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    struct buf out = BUF_INIT;
    assert_int_equal(squares_encode(&out, rgb, 0, 3, 2, 6, palette, 2, 0), ERR_RANGE);
    assert_int_equal(squares_encode(&out, rgb, 65, 3, 130, 6, palette, 2, 0), ERR_RANGE);
    assert_int_equal(squares_encode(&out, rgb, 3, 3, 2, 6, palette, 2, 0), ERR_RANGE);
    assert_int_equal(squares_encode(&out, rgb, 3, 3, 6, 6, palette, 0, 0), ERR_RANGE);
    assert_int_equal(squares_encode(&out, rgb, 3, 3, 6, 6, palette, 257, 0), ERR_RANGE);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_square_has_the_nearest_colour_or_nearly),
        cmocka_unit_test(one_colour_is_a_run_for_each_band),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
