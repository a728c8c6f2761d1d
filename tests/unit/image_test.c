#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include "../lib/hostile.h"
#include "../lib/slower.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#define DIR "tests/fuzz/corpus-image/"

static enum status subject(const unsigned char *bytes, size_t len) {
    struct image im;
    enum status st = image_decode(&im, bytes, len, 3, "t");
    if (st != OK) assert_null(im.pixels);
    image_free(&im);
    return st;
}

/* The reference picture: 10 x 6, red 25 x, green 50 y, blue 40. */
static void reference_pixel(unsigned char *rgb, size_t x, size_t y) {
    rgb[0] = (unsigned char)(25 * x);
    rgb[1] = (unsigned char)(50 * y);
    rgb[2] = 40;
}

static struct image read_reference(const char *file, size_t channels) {
    char path[80];
    struct image im;
    snprintf(path, sizeof path, DIR "%s", file);
    if (image_read(&im, path, channels) != OK) fail_msg("%s", fail_reason());
    return im;
}

static int worst_difference(const struct image *im) {
    int worst = 0;
    for (size_t y = 0; y < 6; y++)
        for (size_t x = 0; x < 10; x++) {
            unsigned char want[3];
            reference_pixel(want, x, y);
            for (size_t c = 0; c < 3; c++) {
                int d = abs(im->pixels[(y * 10 + x) * im->channels + c] - want[c]);
                if (d > worst) worst = d;
            }
        }
    return worst;
}

static void png_and_jpeg_of_every_kind_decode_to_the_right_pixels(void **state) {
    (void)state;
    /* JPEG is lossy: at quality 95 without subsampling a few levels. */
    static const struct { const char *file; size_t channels; int tolerance; } files[] = {
        { "rgb.png", 3, 0 }, { "rgba.png", 4, 0 }, { "baseline.jpg", 3, 8 },
        { "progressive.jpg", 3, 8 }, { "subsampled.jpg", 3, 40 },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct image im = read_reference(files[i].file, 0);
        assert_int_equal(im.width_px, 10);
        assert_int_equal(im.height_px, 6);
        assert_int_equal(im.channels, files[i].channels);
        int d = worst_difference(&im);
        if (d > files[i].tolerance) fail_msg("%s: differs by %d", files[i].file, d);
        image_free(&im);
    }
    struct image im = read_reference("rgba.png", 4);
    for (size_t x = 0; x < 10; x++) assert_int_equal(im.pixels[4 * x + 3], 28 * x);
    image_free(&im);
    im = read_reference("grey.png", 0);
    assert_int_equal(im.channels, 1);
    for (size_t x = 0; x < 10; x++) assert_int_equal(im.pixels[x], 25 * x);
    image_free(&im);
    im = read_reference("greyalpha.png", 0);
    assert_int_equal(im.channels, 4);
    for (size_t x = 0; x < 10; x++) assert_int_equal(im.pixels[4 * x + 3], 28 * x);
    image_free(&im);
    im = read_reference("deep.png", 1);
    for (size_t x = 0; x < 10; x++) assert_int_equal(im.pixels[x], (6000 * x) >> 8);
    image_free(&im);
    im = read_reference("interlaced.png", 1);
    for (size_t i = 0; i < 9; i++) assert_int_equal(im.pixels[i], 10 * (i / 3) + 80 * (i % 3));
    image_free(&im);
    im = read_reference("palette.png", 3);
    image_free(&im);
    im = read_reference("onebit.png", 1);
    image_free(&im);
    im = read_reference("cmyk.jpg", 3);
    image_free(&im);
    assert_int_equal(mem_live(), 0);
}

static void short_damaged_and_starved_pictures_are_refused(void **state) {
    (void)state;
    static const char *const files[] = { "rgb.png", "greyalpha.png", "palette.png",
                                         "interlaced.png", "baseline.jpg", "progressive.jpg",
                                         "cmyk.jpg" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[80];
        size_t len;
        snprintf(path, sizeof path, DIR "%s", files[i]);
        unsigned char *bytes = hostile_file(&len, path);
        hostile_prefixes(subject, bytes, len);
        hostile_allocations(subject, bytes, len, 2);
        hostile_mutations(subject, bytes, len, 2000, 10 + (unsigned)i);
        mem_free(bytes);
    }
}

static void put32(unsigned char *p, unsigned long v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* Corrects the checksum of the chunk at p with n bytes of data. */
static void seal(unsigned char *p, size_t n) { put32(p + 8 + n, crc32(0, p + 4, (uInt)n + 4)); }

static void limits_are_said_when_they_are_met(void **state) {
    (void)state;
    static const struct { unsigned long w, h; const char *reason; } sizes[] = {
        { 16385, 1, "16384" }, { 1, 16385, "16384" }, { 16384, 16384, "67108864" },
        { 0, 4, "0x4 pixels" }, { 0x7fffffff, 0x7fffffff, "16384" },
    };
    size_t len;
    unsigned char *bytes = hostile_file(&len, DIR "rgb.png");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        put32(bytes + 16, sizes[i].w);
        put32(bytes + 20, sizes[i].h);
        seal(bytes + 8, 13);
        struct image im;
        assert_int_equal(image_decode(&im, bytes, len, 0, "big.png"), ERR_FORMAT);
        if (!strstr(fail_reason(), sizes[i].reason) || !strstr(fail_reason(), "big.png"))
            fail_msg("%lux%lu: %s", sizes[i].w, sizes[i].h, fail_reason());
    }
    bytes[40] ^= 1;
    assert_int_equal(subject(bytes, len), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "checksum"));
    mem_free(bytes);
    struct image im;
    assert_int_equal(image_decode(&im, "GIF89a..", 8, 0, "x.gif"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "PNG or JPEG"));
    assert_int_equal(image_decode(&im, "GIF89a..", IMAGE_BYTES_MAX + 1, 0, "x"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "at most 268435456"));
    assert_int_equal(image_read(&im, "/nonexistent.png", 0), ERR_MISSING);
}

/* Lengths that add up to 272 symbols, and 17 bytes claiming 12 more than follow. */
static void hostile_huffman_tables_are_refused(void **state) {
    (void)state;
    size_t len;
    unsigned char *bytes = hostile_file(&len, DIR "baseline.jpg");
    size_t at = 2;
    while (bytes[at + 1] != 0xc4) at += 2 + ((size_t)bytes[at + 2] << 8 | bytes[at + 3]);
    unsigned char saved[17];
    memcpy(saved, bytes + at + 5, 16);
    memset(bytes + at + 5, 17, 16);
    assert_int_equal(subject(bytes, len), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "Huffman table of 272"));
    memcpy(bytes + at + 5, saved, 16);
    bytes[at + 5 + 15] = 200;
    assert_int_equal(subject(bytes, len), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "Huffman"));
    mem_free(bytes);
}

/* A 1x1 PNG whose data inflate to 64 MiB: refused, and without taking that much. */
static void a_small_picture_may_not_inflate_without_bound(void **state) {
    (void)state;
    size_t raw_len = (size_t)64 << 20, packed_cap = compressBound(raw_len);
    unsigned char *raw = calloc(raw_len, 1), *file = calloc(packed_cap + 100, 1);
    static const unsigned char head[33] = { 137, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I',
        'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0 };
    memcpy(file, head, sizeof head);
    seal(file + 8, 13);
    uLongf packed = packed_cap;
    assert_int_equal(compress2(file + 41, &packed, raw, raw_len, 6), Z_OK);
    put32(file + 33, packed);
    memcpy(file + 37, "IDAT", 4);
    seal(file + 33, packed);
    unsigned char *end = file + 45 + packed;
    memcpy(end + 4, "IEND", 4);
    seal(end, 0);
    assert_int_equal(subject(file, 45 + packed + 12), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "unpacks to more"));
    free(raw);
    free(file);
}

static void what_is_encoded_decodes_to_the_same_pixels(void **state) {
    (void)state;
    static const size_t channels[] = { 1, 3, 4 };
    for (size_t k = 0; k < 3; k++)
        for (size_t w = 1; w < 40; w += 13) {
            struct image im, back;
            struct buf b = BUF_INIT, again = BUF_INIT;
            struct rng r = rng_at(3, RNG_TEST, (uint32_t)w, (uint32_t)k);
            assert_int_equal(image_new(&im, w, 7, channels[k]), OK);
            for (size_t i = 0; i < w * 7 * channels[k]; i++)
                im.pixels[i] = (unsigned char)rng_u32(&r);
            assert_int_equal(image_encode_png(&b, &im), OK);
            assert_int_equal(image_encode_png(&again, &im), OK);
            assert_int_equal(b.len, again.len);
            assert_memory_equal(b.data, again.data, b.len);
            if (image_decode(&back, b.data, b.len, 0, "t") != OK) fail_msg("%s", fail_reason());
            assert_int_equal(back.width_px, w);
            assert_int_equal(back.channels, channels[k]);
            assert_memory_equal(back.pixels, im.pixels, w * 7 * channels[k]);
            size_t mw, mh, mc;
            assert_int_equal(image_measure(&mw, &mh, &mc, b.data, b.len, "t"), OK);
            assert_true(mw == w && mh == 7 && mc == channels[k]);
            image_free(&im);
            image_free(&back);
            buf_free(&b);
            buf_free(&again);
        }
    assert_int_equal(mem_live(), 0);
}

static struct image gradient(size_t w, size_t h, size_t channels) {
    struct image im;
    assert_int_equal(image_new(&im, w, h, channels), OK);
    for (size_t i = 0; i < w * h * channels; i++)
        im.pixels[i] = (unsigned char)(i / channels % w * 255 / (w > 1 ? w - 1 : 1));
    return im;
}

static void resizing_keeps_flat_areas_and_means(void **state) {
    (void)state;
    static const size_t sizes[][2] = { { 3, 3 }, { 8, 5 }, { 40, 1 }, { 33, 47 }, { 1, 1 } };
    for (int f = 0; f < IMAGE_FILTER_COUNT; f++)
        for (size_t s = 0; s < 5; s++)
            for (size_t n = 1; n <= 4; n++) {
                if (n == 2) continue;
                struct image flat, out;
                assert_int_equal(image_new(&flat, 16, 12, n), OK);
                memset(flat.pixels, 200, 16 * 12 * n);
                assert_int_equal(image_resize(&out, &flat, sizes[s][0], sizes[s][1],
                                              (enum image_filter)f), OK);
                for (size_t i = 0; i < sizes[s][0] * sizes[s][1] * n; i++)
                    assert_int_equal(out.pixels[i], 200);
                image_free(&flat);
                image_free(&out);
            }
    struct image im = gradient(16, 4, 1), half;
    assert_int_equal(image_resize(&half, &im, 8, 2, IMAGE_BOX), OK);
    for (size_t x = 0; x < 8; x++) {
        unsigned sum = (unsigned)im.pixels[2 * x] + im.pixels[2 * x + 1];
        assert_in_range(half.pixels[x], sum / 2, (sum + 1) / 2);
    }
    image_free(&half);
    image_free(&im);
}

static void nearest_and_enlarging_copy_whole_pixels(void **state) {
    (void)state;
    struct image im = gradient(5, 3, 3), big, back;
    assert_int_equal(image_enlarge(&big, &im, 4), OK);
    assert_int_equal(big.width_px, 20);
    for (size_t y = 0; y < 12; y++)
        for (size_t x = 0; x < 20; x++)
            assert_memory_equal(big.pixels + (y * 20 + x) * 3,
                                im.pixels + (y / 4 * 5 + x / 4) * 3, 3);
    assert_int_equal(image_resize(&back, &big, 5, 3, IMAGE_NEAREST), OK);
    assert_memory_equal(back.pixels, im.pixels, 45);
    image_free(&big);
    image_free(&back);
    assert_int_equal(image_enlarge(&big, &im, 16384), ERR_RANGE);
    image_free(&im);
}

static void cover_crops_the_centre_and_pad_keeps_it(void **state) {
    (void)state;
    struct image im = gradient(30, 10, 1), square, padded;
    static const unsigned char colour[1] = { 7 };
    assert_int_equal(image_cover(&square, &im, 10, 10, IMAGE_MITCHELL), OK);
    for (size_t y = 0; y < 10; y++)
        assert_memory_equal(square.pixels + y * 10, im.pixels + y * 30 + 10, 10);
    assert_int_equal(image_pad(&padded, &square, 14, 12, colour), OK);
    for (size_t y = 0; y < 12; y++)
        for (size_t x = 0; x < 14; x++) {
            int inside = x >= 2 && x < 12 && y >= 1 && y < 11;
            assert_int_equal(padded.pixels[y * 14 + x],
                             inside ? square.pixels[(y - 1) * 10 + x - 2] : 7);
        }
    image_free(&square);
    assert_int_equal(image_cover(&square, &im, 3, 16384 / 8, IMAGE_BOX), OK);
    image_free(&square);
    assert_int_equal(image_cover(&square, &im, 0, 3, IMAGE_BOX), ERR_RANGE);
    assert_int_equal(image_pad(&square, &padded, 3, 30, colour), ERR_RANGE);
    assert_int_equal(image_crop(&square, &im, 25, 0, 6, 1), ERR_RANGE);
    image_free(&im);
    image_free(&padded);
    assert_int_equal(mem_live(), 0);
}

static void converting_lays_alpha_over_white(void **state) {
    (void)state;
    unsigned char px[8] = { 255, 0, 0, 255, 10, 20, 30, 0 };
    struct image in = { 2, 1, 4, px }, rgb, grey, rgba;
    assert_int_equal(image_convert(&rgb, &in, 3), OK);
    static const unsigned char want[6] = { 255, 0, 0, 255, 255, 255 };
    assert_memory_equal(rgb.pixels, want, 6);
    assert_int_equal(image_convert(&grey, &rgb, 1), OK);
    assert_int_equal(grey.pixels[0], 76);
    assert_int_equal(grey.pixels[1], 255);
    assert_int_equal(image_convert(&rgba, &grey, 4), OK);
    static const unsigned char wide[8] = { 76, 76, 76, 255, 255, 255, 255, 255 };
    assert_memory_equal(rgba.pixels, wide, 8);
    image_free(&rgb);
    image_free(&grey);
    image_free(&rgba);
}

/* Rows of every kind that a filter is for: noise, ramps and what repeats the row above. */
static void every_filter_is_undone(void **state) {
    (void)state;
    for (size_t channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        struct image im, back;
        struct buf b = BUF_INIT;
        struct rng r = rng_at(4, RNG_TEST, (uint32_t)channels, 0);
        assert_int_equal(image_new(&im, 61, 60, channels), OK);
        size_t n = 61 * channels;
        for (size_t y = 0; y < 60; y++)
            for (size_t i = 0; i < n; i++) {
                unsigned noise = rng_u32(&r), up = y ? im.pixels[(y - 1) * n + i] : 0;
                im.pixels[y * n + i] = (unsigned char)(y / 12 == 0 ? noise : y / 12 == 1 ? 3 * (i / channels) + noise % 3 : y / 12 == 2 ? up + noise % 3
                                                       : y / 12 == 3 ? 5 * y + 3 * i + noise % 2 : i % 9 ? 200 : 20);
            }
        assert_int_equal(image_encode_png(&b, &im), OK);
        assert_int_equal(image_decode(&back, b.data, b.len, 0, "t"), OK);
        assert_true(back.width_px == 61 && back.height_px == 60 && back.channels == channels);
        assert_memory_equal(back.pixels, im.pixels, 60 * n);
        image_free(&im);
        image_free(&back);
        buf_free(&b);
    }
}

struct stop { long ms; atomic_int cancel; struct limit since; };

static void *stop_later(void *ctx) {
    struct stop *s = ctx;
    struct timespec t = { 0, s->ms * 1000000 };
    nanosleep(&t, NULL);
    s->since = limit_begin();
    atomic_store(&s->cancel, 1);
    return NULL;
}

/* Seconds of work, stopped among the rows and in the compression. */
static void encoding_stops_within_a_second_and_leaves_nothing(void **state) {
    (void)state;
    enum { SIDE = 3000 };
    static const long after_ms[] = { 0, 60, 700 };
    struct image im;
    uint32_t x = 1;
    assert_int_equal(image_new(&im, SIDE, SIDE, 3), OK);
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++) {
        x = x * 1664525u + 1013904223u;
        im.pixels[i] = (unsigned char)(x >> 24);
    }
    for (size_t k = 0; k < 3; k++) {
        struct stop s = { .ms = after_ms[k] };
        struct progress p = { NULL, NULL, &s.cancel };
        struct buf b = BUF_INIT;
        pthread_t thread;
        buf_text(&b, "before");
        assert_int_equal(pthread_create(&thread, NULL, stop_later, &s), 0);
        if (k == 0) pthread_join(thread, NULL);
        enum status st = image_encode_png_stoppable(&b, &im, &p);
        double done = clock_s();
        if (k) pthread_join(thread, NULL);
        /* It was done by then; where the stop itself came late, at k == 1 too. */
        if (st == OK) assert_true(k == 2 || (k == 1 && s.since.at >= done - .05));
        else assert_int_equal(st, ERR_CANCELLED);
        assert_true(limit_took(s.since) < LIMIT_S(1));
        if (st != OK) assert_true(b.len == 6 && strcmp(b.data, "before") == 0);
        buf_free(&b);
    }
    image_free(&im);
}

static void every_operation_survives_any_failed_allocation(void **state) {
    (void)state;
    struct image im = gradient(9, 9, 4);
    long before = mem_live();
    for (long n = 0, done = 0; !done; n++) {
        struct image out = { 0, 0, 0, NULL };
        struct buf b = BUF_INIT;
        mem_fail_after(n);
        enum status st = image_cover(&out, &im, 20, 4, IMAGE_MITCHELL);
        if (st == OK) st = image_encode_png(&b, &out);
        mem_fail_after(-1);
        image_free(&out);
        buf_free(&b);
        assert_int_equal(mem_live(), before);
        done = st == OK;
        if (done) assert_true(n >= 6);
        else assert_int_equal(st, ERR_NOMEM);
    }
    image_free(&im);
}

static void filters_have_names(void **state) {
    (void)state;
    for (int f = 0; f < IMAGE_FILTER_COUNT; f++)
        assert_int_equal(image_filter_parse(image_filter_name((enum image_filter)f)), f);
    assert_int_equal(image_filter_parse("lanczos9"), IMAGE_FILTER_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_and_jpeg_of_every_kind_decode_to_the_right_pixels),
        cmocka_unit_test(short_damaged_and_starved_pictures_are_refused),
        cmocka_unit_test(limits_are_said_when_they_are_met),
        cmocka_unit_test(hostile_huffman_tables_are_refused),
        cmocka_unit_test(a_small_picture_may_not_inflate_without_bound),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same_pixels),
        cmocka_unit_test(resizing_keeps_flat_areas_and_means),
        cmocka_unit_test(nearest_and_enlarging_copy_whole_pixels),
        cmocka_unit_test(cover_crops_the_centre_and_pad_keeps_it),
        cmocka_unit_test(converting_lays_alpha_over_white),
        cmocka_unit_test(every_filter_is_undone),
        cmocka_unit_test(encoding_stops_within_a_second_and_leaves_nothing),
        cmocka_unit_test(every_operation_survives_any_failed_allocation),
        cmocka_unit_test(filters_have_names),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
