/* Numbered pixels to sixels and back: every pixel is what it was, and what libsixel writes is longer. */
#include "../../src/term/bands.h"
#include "../lib/sixel_decode.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#define sixel_decode libsixel_decode   /* of the same name */
#include <sixel.h>
#undef sixel_decode
#include <cmocka.h>

enum { MOST = 400 };

/* Colours that hundredths can say, each another. */
static void make_colours(unsigned char *rgb) {
    for (size_t i = 0; i < 256; i++)
        for (size_t c = 0; c < 3; c++) {
            size_t hundredths = c == 0 ? i % 16 * 6 : c == 1 ? i / 16 * 6 : 50;
            rgb[3 * i + c] = (unsigned char)((hundredths * 255 + 50) / 100);
        }
}

enum { NOISE, RUNS, WAVES };

static void draw(unsigned char *index, size_t w, size_t h, size_t colours, int what, struct rng *r) {
    for (size_t i = 0; i < w * h; i++) {
        size_t x = i % w, y = i / w, n = (size_t)(rng_uniform(r) * (float)colours);
        if (what == RUNS && i && rng_uniform(r) < .9f) n = index[i - 1];
        if (what == WAVES) n = ((x * x / 97 + y * y / 31) / 9 + (rng_uniform(r) < .2f)) % colours;
        index[i] = (unsigned char)n;
    }
}

static void check(const struct buf *out, const unsigned char *index, const unsigned char *rgb, size_t w, size_t h, int has_holes) {
    struct sixel_image im;
    assert_int_equal(sixel_decode(&im, out->data, out->len), out->len);
    assert_int_equal(im.raster_w, w);
    assert_int_equal(im.raster_h, h);
    for (size_t i = 0; i < w * h; i++) {
        int is_hole = has_holes && index[i] == 0;
        assert_int_equal(im.rgba[4 * i + 3], is_hole ? 0 : 255);
        if (!is_hole) assert_memory_equal(im.rgba + 4 * i, rgb + 3 * index[i], 3);
    }
    free(im.rgba);
}

static void every_pixel_is_what_it_was(void **state) {
    (void)state;
    static const size_t sizes[][2] = { { 1, 1 }, { 1, 13 }, { 2, 6 }, { 3, 7 }, { 17, 12 }, { 96, 96 }, { 255, 31 }, { MOST, 50 } };
    static const size_t many[] = { 1, 2, 5, 16, 64, 256 };
    static unsigned char index[MOST * 100], rgb[256 * 3];
    struct rng r = rng_at(11, RNG_TEST, 1, 1);
    long live = mem_live();
    make_colours(rgb);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t k = 0; k < sizeof many / sizeof *many; k++)
            for (int what = NOISE; what <= WAVES; what++)
                for (int has_holes = 0; has_holes < 2; has_holes++) {
                    struct buf out = BUF_INIT;
                    draw(index, sizes[s][0], sizes[s][1], many[k], what, &r);
                    assert_int_equal(bands_encode(&out, index, sizes[s][0], sizes[s][1], rgb, has_holes), OK);
                    check(&out, index, rgb, sizes[s][0], sizes[s][1], has_holes);
                    buf_free(&out);
                }
    assert_int_equal(mem_live(), live);
}

static int append(char *data, int size, void *ctx) {
    buf_add(ctx, data, (size_t)size);
    return size;
}

static size_t length_by_libsixel(const unsigned char *index, size_t w, size_t h, const unsigned char *rgb, size_t colours) {
    struct buf out = BUF_INIT;
    sixel_dither_t *d;
    sixel_output_t *o;
    static unsigned char copy[MOST * 100], palette[256 * 3];
    memcpy(copy, index, w * h);
    memcpy(palette, rgb, sizeof palette);
    assert_false(SIXEL_FAILED(sixel_output_new(&o, append, &out, NULL)));
    sixel_output_set_encode_policy(o, SIXEL_ENCODEPOLICY_SIZE);
    assert_false(SIXEL_FAILED(sixel_dither_new(&d, (int)colours, NULL)));
    sixel_dither_set_palette(d, palette);
    sixel_dither_set_pixelformat(d, SIXEL_PIXELFORMAT_PAL8);
    sixel_dither_set_diffusion_type(d, SIXEL_DIFFUSE_NONE);
    assert_false(SIXEL_FAILED(sixel_encode(copy, (int)w, (int)h, 1, d, o)));
    size_t len = out.len;
    sixel_dither_unref(d);
    sixel_output_unref(o);
    buf_free(&out);
    return len;
}

static void it_is_shorter_than_libsixels(void **state) {
    (void)state;
    static const size_t many[] = { 4, 16, 64, 256 };
    static const char *const name[] = { "noise", "runs", "waves" };
    static unsigned char index[MOST * 100], rgb[256 * 3];
    struct rng r = rng_at(12, RNG_TEST, 1, 1);
    make_colours(rgb);
    for (size_t k = 0; k < sizeof many / sizeof *many; k++)
        for (int what = NOISE; what <= WAVES; what++) {
            struct buf out = BUF_INIT;
            draw(index, MOST, 100, many[k], what, &r);
            assert_int_equal(bands_encode(&out, index, MOST, 100, rgb, 0), OK);
            size_t other = length_by_libsixel(index, MOST, 100, rgb, many[k]);
            print_message("%zu colours, %s: %zu bytes, by libsixel %zu\n", many[k], name[what], out.len, other);
            assert_true(out.len < other);
            buf_free(&out);
        }
}

static void no_memory_is_said(void **state) {
    (void)state;
    unsigned char index[12] = { 1, 2, 3 }, rgb[4 * 3] = { 0 };
    long live = mem_live();
    for (long n = 0;; n++) {
        struct buf out = BUF_INIT;
        mem_fail_after(n);
        enum status st = bands_encode(&out, index, 4, 3, rgb, 0);
        mem_fail_after(-1);
        buf_free(&out);
        assert_int_equal(mem_live(), live);
        if (st == OK) { assert_true(n >= 5); break; }
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pixel_is_what_it_was),
        cmocka_unit_test(it_is_shorter_than_libsixels),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
