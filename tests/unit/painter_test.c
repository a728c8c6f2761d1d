/* Painters: what they emit, read back by other code, is the picture. */
#include "dtrak/mem.h"
#include "dtrak/painter.h"
#include "dtrak/rng.h"
#include "../lib/blocks_decode.h"
#include "../lib/sixel_decode.h"
#include "../lib/vt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Something like a photograph: smooth shades, an edge, a little grain. */
static unsigned char *photo(size_t w, size_t h) {
    unsigned char *p = malloc(w * h * 4);
    struct rng r = rng_at(3, RNG_TEST, (uint32_t)w, (uint32_t)h);
    assert_non_null(p);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            double u = (double)x / (double)w, v = (double)y / (double)h;
            double edge = (u - .5) * (u - .5) + (v - .5) * (v - .5) < .09 ? 60 : 0;
            double grain = (double)rng_uniform(&r) * 6;
            unsigned char *q = p + (y * w + x) * 4;
            q[0] = (unsigned char)(30 + 120 * u + edge + grain);
            q[1] = (unsigned char)(180 - 140 * v + grain);
            q[2] = (unsigned char)(60 + 60 * sin(6 * (u + v)) + edge + grain);
            q[3] = 255;
        }
    return p;
}

static double psnr(const unsigned char *rgba, const unsigned char *rgb, size_t pixels) {
    double sum = 0;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++) {
            double d = (double)rgba[4 * i + c] - rgb[3 * i + c];
            sum += d * d;
        }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * 3 * (double)pixels / sum) : 99;
}

static struct paint_how sixel(size_t colours, size_t cw, size_t ch) {
    return (struct paint_how){ .painter = GRAPHICS_SIXEL, .colours = colours, .cell_w = cw, .cell_h = ch };
}

static void a_sixel_decodes_to_the_scaled_picture(void **state) {
    (void)state;
    static const struct { size_t w, h, rows, cols, colours; double least_db; size_t most_bytes; } t[] = {
        { 32, 32, 6, 12, 0, 29.5, 5000 },      /* a thumbnail, three times as large */
        { 32, 32, 6, 12, 16, 22, 5000 },
        { 32, 32, 5, 9, 0, 29.5, 5000 },       /* 90 pixels, filled: squares of two and of three */
        { 28, 28, 5, 10, 0, 29.5, 5000 },
        { 300, 200, 12, 40, 0, 33.5, 48000 }, /* shrunk a little, 256 colours */
        { 500, 700, 6, 12, 0, 30.5, 4300 },
        { 500, 700, 6, 12, 256, 34.5, 11000 },
        { 80, 40, 12, 60, 0, 33, 20000 },     /* six times as large */
        { 75, 41, 12, 56, 0, 33, 56000 },  /* grown by a fraction: interpolated */
        { 32, 32, 20, 40, 0, 34, 20000 },    /* the same in the large view */
        { 1, 1, 1, 1, 0, 40, 500 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        unsigned char *rgba = photo(t[i].w, t[i].h);
        struct picture pic = { rgba, t[i].w, t[i].h };
        struct paint_how how = sixel(t[i].colours, 10, 20);
        struct paint_fit fit;
        struct buf out = BUF_INIT;
        struct sixel_image img;
        paint_fit(&fit, &how, pic.width, pic.height, t[i].rows, t[i].cols);
        assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
        assert_int_equal(sixel_decode(&img, out.data, out.len), out.len);
        assert_int_equal(img.raster_w, fit.width);
        assert_int_equal(img.raster_h, fit.height);
        assert_true(img.painted_h <= t[i].rows * 20);
        assert_true(img.colours <= (t[i].colours ? t[i].colours : 256));
        unsigned char *rgb = malloc(fit.width * fit.height * 3);
        paint_scale(rgb, fit.width, fit.height, &pic);
        for (size_t k = 0; k < fit.width * fit.height; k++) assert_int_equal(img.rgba[4 * k + 3], 255);
        double db = psnr(img.rgba, rgb, fit.width * fit.height);
        print_message("%zux%zu -> %zux%zu: %zu colours, %.1f dB, %zu bytes\n", t[i].w, t[i].h,
                      fit.width, fit.height, img.colours, db, out.len);
        assert_true(db >= t[i].least_db);
        assert_true(out.len <= t[i].most_bytes);
        free(rgb);
        free(img.rgba);
        free(rgba);
        buf_free(&out);
    }
}

static void no_pixel_and_no_band_leaves_the_box(void **state) {
    (void)state;
    static const size_t sides[] = { 1, 2, 7, 28, 32, 63, 64, 65, 100, 511, 3000 };
    static const size_t cells[][2] = { { 10, 20 }, { 9, 18 }, { 6, 13 }, { 8, 16 }, { 7, 15 }, { 4, 5 } };
    static const size_t boxes[][2] = { { 1, 1 }, { 1, 9 }, { 5, 1 }, { 6, 12 }, { 7, 13 }, { 30, 100 } };
    static const enum graphics painters[] = {
        GRAPHICS_SIXEL, GRAPHICS_KITTY, GRAPHICS_ITERM2, GRAPHICS_HALF, GRAPHICS_ASCII
    };
    for (size_t a = 0; a < 11; a++)
        for (size_t b = 0; b < 11; b++)
            for (size_t c = 0; c < 6; c++)
                for (size_t d = 0; d < 6; d++)
                    for (size_t e = 0; e < 5; e++) {
                        struct paint_how how = sixel(0, cells[c][0], cells[c][1]);
                        struct paint_fit fit;
                        how.painter = painters[e];
                        paint_fit(&fit, &how, sides[a], sides[b], boxes[d][0], boxes[d][1]);
                        if (!fit.width) {
                            /* Only a box too low for one band of sixels stays empty. */
                            assert_true(how.painter == GRAPHICS_SIXEL && boxes[d][0] * cells[c][1] < 6);
                            continue;
                        }
                        assert_true(fit.row + fit.rows <= boxes[d][0]);
                        assert_true(fit.col + fit.cols <= boxes[d][1]);
                        if (graphics_is_pixels(how.painter)) {
                            size_t band = how.painter == GRAPHICS_SIXEL ? 6 : 1;
                            assert_true(fit.width <= fit.cols * how.cell_w);
                            assert_true((fit.height + band - 1) / band * band <= fit.rows * how.cell_h);
                        }
                    }
}

static void small_pictures_grow_by_whole_factors_or_fill_the_box(void **state) {
    (void)state;
    struct paint_how how = sixel(0, 10, 19);
    struct paint_fit fit;
    paint_fit(&fit, &how, 32, 32, 6, 12);     /* 114 pixels, in which 96 leave little */
    assert_int_equal(fit.width, 96);
    assert_int_equal(fit.height, 96);
    assert_int_equal(fit.cols, 10);
    assert_int_equal(fit.rows, 6);
    assert_int_equal(fit.col, 1);
    how.cell_h = 20;
    paint_fit(&fit, &how, 32, 32, 6, 12);     /* 120, in which 96 would leave a fifth */
    assert_int_equal(fit.width, 120);
    assert_int_equal(fit.height, 120);
    assert_true(paint_is_grown(&fit, 32, 32));
    how.shrink = 2;                           /* 60: where bytes count, whole factors do */
    paint_fit(&fit, &how, 20, 20, 6, 12);
    assert_int_equal(fit.width, 60);
    paint_fit(&fit, &how, 24, 24, 6, 12);
    assert_int_equal(fit.width, 48);
    how.shrink = 0;
    paint_fit(&fit, &how, 64, 64, 6, 12);     /* less than twice as large: squares would be too uneven */
    assert_int_equal(fit.width, 120);
    assert_false(paint_is_grown(&(struct paint_fit){ .width = 120, .height = 120 }, 64, 64));
    assert_false(paint_is_grown(&(struct paint_fit){ .width = 160, .height = 160 }, 65, 65));
    paint_fit(&fit, &how, 320, 160, 6, 12);   /* larger ones fill the box */
    assert_int_equal(fit.width, 120);
    assert_int_equal(fit.height, 60);
    how.max_w = 50;                            /* what the terminal takes at most */
    paint_fit(&fit, &how, 320, 160, 6, 12);
    assert_int_equal(fit.width, 50);
    assert_int_equal(fit.height, 25);
    paint_fit(&fit, &how, 0, 5, 6, 12);
    assert_int_equal(fit.width, 0);
    paint_fit(&fit, &how, 9000, 5, 6, 12);
    assert_int_equal(fit.width, 0);
}

static void scaling_keeps_squares_and_means(void **state) {
    (void)state;
    unsigned char two[16] = { 10, 20, 30, 255, 40, 50, 60, 255, 70, 80, 90, 255, 100, 110, 120, 255 };
    struct picture pic = { two, 2, 2 };
    unsigned char rgb[6 * 6 * 3];
    paint_scale(rgb, 6, 6, &pic);
    for (size_t y = 0; y < 6; y++)
        for (size_t x = 0; x < 6; x++)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(rgb[(y * 6 + x) * 3 + c], two[((y / 3) * 2 + x / 3) * 4 + c]);
    paint_scale(rgb, 1, 1, &pic);
    assert_int_equal(rgb[0], 55);
    assert_int_equal(rgb[2], 75);
    two[3] = two[7] = two[11] = two[15] = 0;   /* clear pixels show black */
    paint_scale(rgb, 1, 1, &pic);
    assert_int_equal(rgb[0], 0);
    unsigned char ramp[5 * 4];
    for (size_t i = 0; i < 20; i++) ramp[i] = i % 4 == 3 ? 255 : (unsigned char)(i / 4 * 50);
    pic = (struct picture){ ramp, 5, 1 };
    paint_scale(rgb, 3, 1, &pic);              /* shares of 5/3 pixels: 20, 100, 180 */
    assert_int_equal(rgb[0], 20);
    assert_int_equal(rgb[3], 100);
    assert_int_equal(rgb[6], 180);
}

/* The mean of a source by area in doubles, pixel by pixel: what the sums in whole numbers are to give. */
static void by_area(double *out, const struct picture *pic, size_t x, size_t y, size_t w, size_t h) {
    double sx = (double)pic->width / (double)w, sy = (double)pic->height / (double)h, area = 0;
    double hx = fmax(sx, 1) / 2, hy = fmax(sy, 1) / 2, cx = ((double)x + .5) * sx, cy = ((double)y + .5) * sy;
    out[0] = out[1] = out[2] = 0;
    for (size_t j = 0; j < pic->height; j++)
        for (size_t i = 0; i < pic->width; i++) {
            double dx = fmin(cx + hx, (double)i + 1) - fmax(cx - hx, (double)i), dy = fmin(cy + hy, (double)j + 1) - fmax(cy - hy, (double)j);
            if (dx <= 0 || dy <= 0) continue;
            const unsigned char *p = pic->rgba + (j * pic->width + i) * 4;
            for (size_t c = 0; c < 3; c++) out[c] += dx * dy * p[c] * p[3] / 255;
            area += dx * dy;
        }
    for (size_t c = 0; c < 3; c++) out[c] /= area;
}

static void scaling_is_the_mean_by_area(void **state) {
    (void)state;
    static const size_t t[][4] = { { 50, 40, 13, 17 }, { 64, 64, 10, 10 }, { 9, 7, 17, 13 }, { 30, 5, 60, 3 }, { 5, 30, 5, 7 }, { 33, 1, 32, 1 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        unsigned char *rgba = photo(t[i][0], t[i][1]), rgb[60 * 60 * 3];
        struct picture pic = { rgba, t[i][0], t[i][1] };
        for (size_t k = 3; k < 4 * t[i][0] * t[i][1] && i % 2; k += 12) rgba[k] = (unsigned char)(k * 7);   /* partly clear */
        paint_scale(rgb, t[i][2], t[i][3], &pic);
        for (size_t y = 0; y < t[i][3]; y++)
            for (size_t x = 0; x < t[i][2]; x++) {
                double want[3];
                by_area(want, &pic, x, y, t[i][2], t[i][3]);
                for (size_t c = 0; c < 3; c++) assert_true(fabs(rgb[(y * t[i][2] + x) * 3 + c] - want[c]) <= .501);
            }
        free(rgba);
    }
    /* The longest and brightest: the sums hold it. */
    unsigned char *white = malloc((size_t)PAINT_SIDE * 3 * 4), one[3];
    memset(white, 255, (size_t)PAINT_SIDE * 3 * 4);
    paint_scale(one, 1, 1, &(struct picture){ white, 3, PAINT_SIDE });
    assert_int_equal(one[0], 255);
    paint_scale(one, 1, 1, &(struct picture){ white, PAINT_SIDE, 3 });
    assert_int_equal(one[2], 255);
    free(white);
}

/* Decibels of the means of 4x4 pixels: what is seen from afar. */
static double psnr_of_means(const unsigned char *rgba, const unsigned char *rgb, size_t side) {
    double sum = 0;
    size_t n = 0;
    for (size_t y = 0; y + 4 <= side; y += 4)
        for (size_t x = 0; x + 4 <= side; x += 4)
            for (size_t c = 0; c < 3; c++, n++) {
                double off = 0;
                for (size_t i = 0; i < 16; i++) {
                    size_t at = (y + i / 4) * side + x + i % 4;
                    off += ((double)rgba[4 * at + c] - rgb[3 * at + c]) / 16;
                }
                sum += off * off;
            }
    return 10 * log10(255. * 255. * (double)n / sum);
}

/* Large views: dithered where few colours would show steps, flat where their pixels have them. */
static void large_views_show_no_steps_and_no_grain(void **state) {
    (void)state;
    enum { SIDE = 240, LEVELS = 12 };
    static unsigned char rgba[SIDE * SIDE * 4], rgb[SIDE * SIDE * 3];
    static const struct { size_t colours; double least_db, least_mean_db; } t[] = { { 16, 22, 28 }, { 256, 33, 41 } };
    struct picture pic = { rgba, SIDE, SIDE };
    struct paint_fit fit = { .width = SIDE, .height = SIDE, .rows = 12, .cols = 24 };
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        double u = (double)(i % SIDE) / SIDE, v = (double)(i / SIDE) / SIDE;
        unsigned char px[4] = { (unsigned char)(30 + 180 * u), (unsigned char)(200 - 140 * v), (unsigned char)(90 + 60 * sin(5 * (u + v))), 255 };
        memcpy(rgba + 4 * i, px, 4);
    }
    paint_scale(rgb, SIDE, SIDE, &pic);
    for (size_t k = 0; k < 2; k++) {
        struct paint_how how = sixel(t[k].colours, 10, 20);
        struct buf out = BUF_INIT;
        struct sixel_image im;
        assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
        assert_int_equal(sixel_decode(&im, out.data, out.len), out.len);
        double db = psnr(im.rgba, rgb, SIDE * SIDE), mean = psnr_of_means(im.rgba, rgb, SIDE);
        print_message("shades in %zu colours: %.1f dB, from afar %.1f dB, %zu bytes\n", t[k].colours, db, mean, out.len);
        assert_true(db >= t[k].least_db);
        assert_true(mean >= t[k].least_mean_db);
        free(im.rgba);
        buf_free(&out);
    }
    for (size_t i = 0; i < SIDE * SIDE; i++)
        for (size_t c = 0; c < 3; c++) rgba[4 * i + c] = (unsigned char)((i % SIDE * LEVELS / SIDE + c) * 20);
    struct paint_how how = sixel(0, 10, 20);
    struct buf out = BUF_INIT;
    struct sixel_image im;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    assert_int_equal(sixel_decode(&im, out.data, out.len), out.len);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        for (size_t c = 0; c < 3; c++) if (abs(im.rgba[4 * i + c] - rgba[4 * i + c]) > 1) fail_msg("%d %d", im.rgba[4 * i + c], rgba[4 * i + c]);
    assert_true(out.len < 4000);
    free(im.rgba);
    buf_free(&out);
}

/* In parts of a few thousand bytes, put together where they say they belong. */
static void parts_of_a_sixel_make_the_whole(void **state) {
    (void)state;
    static const struct { size_t cell_w, cell_h, most, colours; } t[] = {
        { 10, 20, 12000, 64 }, { 10, 20, 4000, 16 }, { 9, 18, 6000, 32 }, { 7, 13, 3000, 16 }, { 10, 20, 1 << 20, 0 },
    };
    unsigned char *rgba = photo(128, 128);
    struct picture pic = { rgba, 128, 128 };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct paint_how how = sixel(t[i].colours, t[i].cell_w, t[i].cell_h);
        struct paint_part parts[PAINT_PARTS];
        struct paint_fit fit;
        size_t n = 0, y = 0;
        memset(parts, 0, sizeof parts);
        paint_fit(&fit, &how, 128, 128, 12, 30);
        assert_int_equal(paint_encode_parts(parts, &n, &pic, &fit, &how, t[i].most), OK);
        assert_true(i == 4 ? n == 1 : n > 1);
        unsigned char *back = calloc(fit.width * fit.height, 4), *rgb = malloc(fit.width * fit.height * 3);
        for (size_t k = 0; k < n; k++) {
            struct sixel_image im;
            assert_true(parts[k].bytes.len <= t[i].most);
            assert_int_equal(sixel_decode(&im, parts[k].bytes.data, parts[k].bytes.len), parts[k].bytes.len);
            assert_int_equal(parts[k].row * t[i].cell_h, y);
            assert_int_equal(im.width, fit.width);
            assert_true(y + im.height <= fit.height);
            memcpy(back + y * fit.width * 4, im.rgba, fit.width * im.height * 4);
            y += im.height;
            free(im.rgba);
            buf_free(&parts[k].bytes);
        }
        assert_int_equal(y, fit.height);
        paint_scale(rgb, fit.width, fit.height, &pic);
        assert_true(psnr(back, rgb, fit.width * fit.height) > 22);
        free(back);
        free(rgb);
    }
    free(rgba);
}

/* The same of iTerm2's, exactly: each fills its rows of cells, the last with what is left. */
static void parts_for_iterm2_make_the_whole(void **state) {
    (void)state;
    static const struct { size_t cell_w, cell_h, most; } t[] = { { 10, 20, 60000 }, { 9, 18, 30000 }, { 10, 20, 1 << 20 } };
    enum { SIDE = 128, ROWS = 11, COLS = 30 };
    unsigned char *rgba = photo(SIDE, SIDE);
    struct picture pic = { rgba, SIDE, SIDE };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct paint_how how = { .painter = GRAPHICS_ITERM2, .cell_w = t[i].cell_w, .cell_h = t[i].cell_h };
        struct paint_part parts[PAINT_PARTS];
        struct paint_fit fit;
        struct vt *v = vt_new(ROWS + 4, COLS + 4, t[i].cell_w, t[i].cell_h);
        size_t n = 0, wrong = 0;
        memset(parts, 0, sizeof parts);
        paint_fit(&fit, &how, SIDE, SIDE, ROWS, COLS);
        assert_int_equal(paint_encode_parts(parts, &n, &pic, &fit, &how, t[i].most), OK);
        assert_true(i == 2 ? n == 1 : n > 1);
        for (size_t k = 0; k < n; k++) {
            struct buf out = BUF_INIT;
            assert_true(parts[k].bytes.len <= t[i].most);
            paint_emit(&out, parts[k].bytes.data, parts[k].bytes.len, how.painter, 1 + parts[k].row, 2, 1);
            vt_feed(v, out.data, out.len);
            buf_free(&out);
            buf_free(&parts[k].bytes);
        }
        assert_int_equal(vt_state(v).pictures_drawn, n);
        assert_int_equal(vt_state(v).bad_pictures, 0);
        unsigned char *back = calloc(fit.width * fit.height, 4), *rgb = malloc(fit.width * fit.height * 3);
        for (size_t r = 0; r < fit.rows; r++) {      /* a row of cells belongs to one part */
            size_t y = r * t[i].cell_h, left = fit.height - y;
            vt_pixels(v, 1 + r, 2, fit.width, left < t[i].cell_h ? left : t[i].cell_h, back + y * fit.width * 4);
        }
        paint_scale(rgb, fit.width, fit.height, &pic);
        for (size_t p = 0; p < fit.width * fit.height; p++) wrong += memcmp(back + 4 * p, rgb + 3 * p, 3) != 0 || back[4 * p + 3] != 255;
        assert_int_equal(wrong, 0);
        free(back);
        free(rgb);
        vt_free(v);
    }
    free(rgba);
}

static void half_blocks_read_back_as_the_picture(void **state) {
    (void)state;
    static const enum colour_depth depths[] = { COLOUR_TRUE, COLOUR_256 };
    static const double least_db[] = { 60, 22 };
    unsigned char *rgba = photo(64, 64);
    struct picture pic = { rgba, 64, 64 };
    for (size_t i = 0; i < 2; i++) {
        struct paint_how how = { .painter = GRAPHICS_HALF, .depth = depths[i] };
        struct paint_fit fit;
        struct buf out = BUF_INIT;
        unsigned char rgb[64 * 64 * 3], back[64 * 64 * 4], three[64 * 64 * 3];
        paint_fit(&fit, &how, 64, 64, 10, 24);
        assert_int_equal(fit.width, 20);
        assert_int_equal(fit.height, 20);
        assert_int_equal(fit.col, 2);
        assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
        memset(three, 0, sizeof three);
        assert_int_equal(blocks_decode(three, 10, fit.width, out.data, out.len), 10 * fit.width);
        paint_scale(rgb, fit.width, fit.height, &pic);
        for (size_t k = 0; k < 400; k++) memcpy(back + 4 * k, three + 3 * k, 3);
        assert_true(psnr(back, rgb, 400) >= least_db[i]);
        for (size_t k = 0; k < 1200 && depths[i] == COLOUR_TRUE; k++) assert_true(abs(three[k] - rgb[k]) <= 1);
        buf_free(&out);
    }
    free(rgba);
}

static size_t count(const struct buf *out, const char *what) {
    size_t n = 0;
    for (const char *s = (const char *)out->data; (s = strstr(s, what)); s++) n++;
    return n;
}

/* Colours one step apart go on in one another; those three apart are never mixed. */
static void half_blocks_are_off_by_one_step_at_most(void **state) {
    (void)state;
    static const unsigned steps[] = { 1, 3 };
    for (size_t i = 0; i < 2; i++) {
        unsigned char rgba[40 * 8 * 4], rgb[40 * 8 * 3] = { 0 };
        size_t off = 0;
        for (size_t y = 0; y < 8; y++)
            for (size_t x = 0; x < 40; x++)
                for (size_t c = 0; c < 4; c++)
                    rgba[(y * 40 + x) * 4 + c] = c == 3 ? 255 : (unsigned char)(x * steps[i] + 40 * c);
        struct picture pic = { rgba, 40, 8 };
        struct paint_how how = { .painter = GRAPHICS_HALF, .depth = COLOUR_TRUE };
        struct paint_fit fit = { .width = 40, .height = 8, .rows = 4, .cols = 40 };
        struct buf out = BUF_INIT;
        assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
        assert_int_equal(blocks_decode(rgb, 4, 40, out.data, out.len), 160);
        for (size_t k = 0; k < 40 * 8; k++)
            for (size_t c = 0; c < 3; c++) {
                int d = abs(rgb[3 * k + c] - rgba[4 * k + c]);
                off += d != 0;
                assert_true(d <= (i ? 0 : 1));
            }
        size_t named = count(&out, "38;2;") + count(&out, "48;2;");
        print_message("a ramp of %u: %zu colours named for 160 cells, %zu channels off\n", steps[i], named, off);
        assert_true(i ? named >= 157 : named <= 84);
        buf_free(&out);
    }
}

static void half_blocks_say_a_colour_once(void **state) {
    (void)state;
    /* Two colours, in columns: above and below, then the other way round, then alike. */
    static const unsigned char one[4] = { 10, 20, 30, 255 }, two[4] = { 40, 50, 60, 255 };
    static const char top[] = "121212122221", bottom[] = "212121212211";
    unsigned char rgba[12 * 4 * 4], rgb[12 * 4 * 3] = { 0 };
    for (size_t y = 0; y < 4; y++)
        for (size_t x = 0; x < 12; x++) memcpy(rgba + (y * 12 + x) * 4, (y % 2 ? bottom : top)[x] == '1' ? one : two, 4);
    struct picture pic = { rgba, 12, 4 };
    struct paint_how how = { .painter = GRAPHICS_HALF, .depth = COLOUR_TRUE };
    struct paint_fit fit = { .width = 12, .height = 4, .rows = 2, .cols = 12 };
    struct buf out = BUF_INIT;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    assert_int_equal(blocks_decode(rgb, 2, 12, out.data, out.len), 24);
    for (size_t k = 0; k < 48; k++) assert_memory_equal(rgb + 3 * k, rgba + 4 * k, 3);
    assert_int_equal(count(&out, "38;2;"), 1);    /* never anew: not for the lower half, not on a new line */
    assert_true(count(&out, "48;2;") <= 2);
    assert_int_equal(count(&out, "\033[m"), 1);
    buf_free(&out);
}

/* What has an odd number of rows ends on the terminal's own colour. */
static void half_blocks_leave_the_last_half_row(void **state) {
    (void)state;
    unsigned char rgba[3 * 3 * 4], rgb[3 * 4 * 3] = { 0 };
    for (size_t i = 0; i < 9; i++)
        for (size_t c = 0; c < 4; c++) rgba[4 * i + c] = c == 3 ? 255 : (unsigned char)(20 * i + 5 * c + 1);
    struct picture pic = { rgba, 3, 3 };
    struct paint_how how = { .painter = GRAPHICS_HALF, .depth = COLOUR_TRUE };
    struct paint_fit fit = { .width = 3, .height = 3, .rows = 2, .cols = 3 };
    struct buf out = BUF_INIT;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    assert_int_equal(blocks_decode(rgb, 2, 3, out.data, out.len), 6);
    for (size_t k = 0; k < 9; k++) assert_memory_equal(rgb + 3 * k, rgba + 4 * k, 3);
    for (size_t k = 27; k < 36; k++) assert_int_equal(rgb[k], 0);
    assert_int_equal(count(&out, ";49m"), 1);
    buf_free(&out);
}

static void poor_terminals_get_plain_letters(void **state) {
    (void)state;
    unsigned char *rgba = photo(32, 32);
    struct picture pic = { rgba, 32, 32 };
    struct paint_how how = { .painter = GRAPHICS_ASCII };
    struct paint_fit fit;
    struct buf out = BUF_INIT;
    paint_fit(&fit, &how, 32, 32, 6, 12);
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    size_t lines = 1, letters = 0;
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        assert_true(c < 0x7F && (c >= 0x20 || c == '\n' || c == '\033'));
        lines += c == '\n';
        letters += strchr(".:-=+*#%@", c) != NULL;
    }
    assert_int_equal(lines, fit.rows);
    assert_int_equal(lines, 6);
    assert_true(letters > 60);
    buf_free(&out);
    how = (struct paint_how){ .painter = GRAPHICS_HALF, .depth = COLOUR_16 };
    paint_fit(&fit, &how, 32, 32, 6, 12);
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    out.data[out.len - 1] = 0;
    assert_null(strstr(out.data, "8;"));     /* no colour beyond the sixteen */
    buf_free(&out);
    how.depth = COLOUR_MONO;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), OK);
    assert_null(strstr(out.data, "\033[3"));
    buf_free(&out);
    free(rgba);
}

static void emitted_lines_stand_below_each_other(void **state) {
    (void)state;
    struct buf out = BUF_INIT;
    paint_emit(&out, "ab\ncd\ne", 7, GRAPHICS_HALF, 4, 9, 1);
    assert_string_equal(out.data, "\033[5;10H\033[mab\n\033[10Gcd\n\033[10Ge");
    buf_clear(&out);
    paint_emit(&out, "ab\ncd\ne", 7, GRAPHICS_ASCII, 4, 0, 1);
    assert_string_equal(out.data, "\033[5;1H\033[mab\n\rcd\n\re");
    buf_clear(&out);
    paint_emit(&out, "\033Pq\n\033\\", 6, GRAPHICS_SIXEL, 0, 0, 1);
    assert_string_equal(out.data, "\033[1;1H\033Pq\n\033\\");
    buf_clear(&out);
    paint_emit(&out, "QUJD", 4, GRAPHICS_KITTY, 2, 3, 7);
    assert_string_equal(out.data, "\033[3;4H\033_Ga=T,f=100,t=d,i=7,p=1,q=2,C=1,m=0;QUJD\033\\");
    buf_free(&out);
}

static void what_cannot_be_painted_is_refused(void **state) {
    (void)state;
    unsigned char px[4] = { 0 };
    struct picture pic = { px, 1, 1 };
    struct paint_how how = sixel(0, 10, 20);
    struct paint_fit fit = { .width = 0 };
    struct buf out = BUF_INIT;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), ERR_RANGE);
    fit.width = fit.height = PAINT_SIDE + 1;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), ERR_RANGE);
    fit.width = fit.height = 6;
    how.painter = GRAPHICS_NONE;
    assert_int_equal(paint_encode(&out, &pic, &fit, &how), ERR_RANGE);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

/* Puts `len` bytes of the letter c under image key k. */
static void put(struct paint_cache *cache, uint64_t k, size_t len, char c) {
    struct buf b = BUF_INIT;
    struct paint_key key = { .image = k, .rows = 1, .cols = 2 };
    struct paint_entry what = { .fit = { .width = len }, .parts = 1 };
    for (size_t i = 0; i < len; i++) buf_add(&b, &c, 1);
    assert_int_equal(paint_cache_put(cache, &key, &b, &what), OK);
    assert_null(b.data);
}

static int get(struct paint_cache *cache, uint64_t k, char c, size_t len) {
    struct paint_key key = { .image = k, .rows = 1, .cols = 2 };
    struct paint_entry e;
    if (!paint_cache_get(cache, &key, &e)) return 0;
    assert_int_equal(e.len, len);
    assert_int_equal(e.fit.width, len);
    for (size_t i = 0; i < len; i++) assert_int_equal(e.bytes[i], c);
    return 1;
}

static void the_cache_drops_what_was_not_used_longest(void **state) {
    (void)state;
    long live = mem_live();
    struct paint_cache *cache;
    assert_int_equal(paint_cache_new(&cache, 100), OK);
    put(cache, 1, 40, 'a');
    put(cache, 2, 40, 'b');
    assert_true(get(cache, 1, 'a', 40));      /* now 2 is the oldest */
    put(cache, 3, 30, 'c');
    assert_false(get(cache, 2, 'b', 40));
    assert_true(get(cache, 1, 'a', 40));
    assert_true(get(cache, 3, 'c', 30));
    assert_int_equal(paint_cache_bytes(cache), 70);
    put(cache, 1, 10, 'z');                   /* replaced, not doubled */
    assert_true(get(cache, 1, 'z', 10));
    assert_int_equal(paint_cache_count(cache), 2);
    put(cache, 4, 500, 'd');                  /* over the cap: alone */
    assert_int_equal(paint_cache_count(cache), 1);
    assert_true(get(cache, 4, 'd', 500));
    for (uint64_t k = 0; k < 5000; k++) put(cache, k, 9, 'k');
    assert_int_equal(paint_cache_count(cache), 11);
    for (uint64_t k = 4989; k < 5000; k++) assert_true(get(cache, k, 'k', 9));
    paint_cache_free(cache);
    assert_int_equal(mem_live(), live);
}

static void a_cache_entry_is_for_one_size_and_painter_only(void **state) {
    (void)state;
    struct paint_cache *cache;
    struct paint_entry e;
    assert_int_equal(paint_cache_new(&cache, 1000), OK);
    put(cache, 1, 5, 'a');
    struct paint_key key = { .image = 1, .rows = 1, .cols = 2 };
    assert_true(paint_cache_get(cache, &key, &e));
    key.cols = 3;
    assert_false(paint_cache_get(cache, &key, &e));
    key.cols = 2;
    key.how.painter = GRAPHICS_HALF;
    assert_false(paint_cache_get(cache, &key, &e));
    key.how.painter = 0;
    key.how.cell_h = 18;
    assert_false(paint_cache_get(cache, &key, &e));
    paint_cache_free(cache);
}

static void failed_allocations_leave_nothing_behind(void **state) {
    (void)state;
    long live = mem_live();
    unsigned char *rgba = photo(16, 16);
    struct picture pic = { rgba, 16, 16 };
    struct paint_how how = sixel(16, 10, 20);
    struct paint_fit fit;
    paint_fit(&fit, &how, 16, 16, 4, 8);
    for (long n = 0;; n++) {
        struct paint_cache *cache = NULL;
        struct buf out = BUF_INIT;
        struct paint_key key = { .image = 1, .rows = 4, .cols = 8, .how = how };
        mem_fail_after(n);
        enum status st = paint_cache_new(&cache, 1000);
        if (st == OK) st = paint_encode(&out, &pic, &fit, &how);
        if (st == OK) st = paint_cache_put(cache, &key, &out, &(struct paint_entry){ .fit = fit, .parts = 1 });
        mem_fail_after(-1);
        buf_free(&out);
        paint_cache_free(cache);
        assert_int_equal(mem_live(), live);
        if (st == OK) { assert_true(n >= 4); break; }
        assert_int_equal(st, ERR_NOMEM);
    }
    free(rgba);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sixel_decodes_to_the_scaled_picture),
        cmocka_unit_test(no_pixel_and_no_band_leaves_the_box),
        cmocka_unit_test(small_pictures_grow_by_whole_factors_or_fill_the_box),
        cmocka_unit_test(scaling_keeps_squares_and_means),
        cmocka_unit_test(scaling_is_the_mean_by_area),
        cmocka_unit_test(large_views_show_no_steps_and_no_grain),
        cmocka_unit_test(parts_of_a_sixel_make_the_whole),
        cmocka_unit_test(parts_for_iterm2_make_the_whole),
        cmocka_unit_test(half_blocks_read_back_as_the_picture),
        cmocka_unit_test(half_blocks_say_a_colour_once),
        cmocka_unit_test(half_blocks_are_off_by_one_step_at_most),
        cmocka_unit_test(half_blocks_leave_the_last_half_row),
        cmocka_unit_test(poor_terminals_get_plain_letters),
        cmocka_unit_test(emitted_lines_stand_below_each_other),
        cmocka_unit_test(what_cannot_be_painted_is_refused),
        cmocka_unit_test(the_cache_drops_what_was_not_used_longest),
        cmocka_unit_test(a_cache_entry_is_for_one_size_and_painter_only),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
