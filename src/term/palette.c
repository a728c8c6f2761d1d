/* palette.c - see palette.h.
 *
 * Few colours can be the nearest to anything in a small cube of the colour space.  A cube of 16
 * steps a channel lists its own when the first pixel falls into it, and one that lists many is
 * halved each way, down to two steps: so a pixel is compared with about four colours of 256. */
#include "palette.h"
#include "dtrak/mem.h"

#include <sixel.h>
#include <stdint.h>
#include <string.h>

enum { WIDE_BITS = 4, TOP = 16 * 16 * 16, FEW = 8, CUBES = TOP + 8 * 1000, LISTS = 1 << 16, SAMPLE = 8192 };


struct cube { uint32_t list; uint16_t n, parts; };   /* its colours; the first of its eight parts / 8, 0: whole */

struct palette {
    int rgb[256][3];
    size_t n, cubes, used;              /* of cube and of list, so far */
    struct cube all, cube[CUBES];
    unsigned char list[LISTS];          /* begins with all numbers */
};

/* --- the colours --- */

enum status palette_find(unsigned char *colours, size_t *n, const unsigned char *rgb, size_t width, size_t height, size_t most) {
    sixel_dither_t *find = NULL;
    unsigned char *copy = mem_array(width * height, 3);   /* libsixel may change it */
    if (!copy) return fail(ERR_NOMEM, "sixel: out of memory");
    memcpy(copy, rgb, width * height * 3);
    SIXELSTATUS s = sixel_dither_new(&find, (int)most, NULL);
    if (!SIXEL_FAILED(s))
        s = sixel_dither_initialize(find, copy, (int)width, (int)height, SIXEL_PIXELFORMAT_RGB888, SIXEL_LARGE_NORM,
                                    SIXEL_REP_AVERAGE_PIXELS, SIXEL_QUALITY_HIGH);
    if (!SIXEL_FAILED(s)) {
        *n = (size_t)sixel_dither_get_num_of_palette_colors(find);
        memcpy(colours, sixel_dither_get_palette(find), 3 * *n);
    }
    sixel_dither_unref(find);
    mem_free(copy);
    if (!SIXEL_FAILED(s)) return OK;
    return fail(s == SIXEL_BAD_ALLOCATION ? ERR_NOMEM : ERR_RANGE, "sixel: colours of %zu x %zu pixels: %s", width, height,
                sixel_helper_format_error(s));
}

enum status palette_refine(unsigned char *colours, size_t n, const unsigned char *rgb, size_t pixels) {
    size_t sum[256][3] = { { 0 } }, count[256] = { 0 }, step = pixels > SAMPLE ? (pixels / SAMPLE + 2) | 1 : 1;
    struct palette *p = palette_new(colours, n);
    if (!p) return fail(ERR_NOMEM, "sixel: out of memory");
    for (size_t i = 0; i < pixels; i += step) {
        unsigned d;
        size_t at = palette_nearest(p, rgb + 3 * i, &d);
        count[at]++;
        for (size_t c = 0; c < 3; c++) sum[at][c] += rgb[3 * i + c];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3 && count[i]; c++) colours[3 * i + c] = (unsigned char)((sum[i][c] + count[i] / 2) / count[i]);
    palette_free(p);
    return OK;
}

void palette_as_sent(unsigned char *colours, size_t n) {
    for (size_t i = 0; i < 3 * n; i++) {
        unsigned hundredths = (colours[i] * 100u + 127) / 255;
        colours[i] = (unsigned char)((hundredths * 255 + 50) / 100);
    }
}

struct palette *palette_new(const unsigned char *colours, size_t n) {
    struct palette *p = mem_array(1, sizeof *p);
    if (!p) return NULL;
    for (size_t i = 0; i < n; i++) {
        p->list[i] = (unsigned char)i;
        for (size_t c = 0; c < 3; c++) p->rgb[i][c] = colours[3 * i + c];
    }
    p->n = p->used = n;
    p->all.n = (uint16_t)n;
    p->cubes = TOP;
    return p;
}

void palette_free(struct palette *p) { mem_free(p); }

/* --- the nearest --- */

static int distance(const int *a, const int *b) {
    int r = a[0] - b[0], g = a[1] - b[1], u = a[2] - b[2];
    return r * r + g * g + u * u;
}

static size_t nearest_of(const struct palette *p, const struct cube *cube, const int *rgb, int *d) {
    const unsigned char *list = p->list + cube->list;
    size_t best = list[0];
    int least = distance(rgb, p->rgb[best]);
    for (size_t i = 1; i < cube->n; i++) {
        int one = distance(rgb, p->rgb[list[i]]);
        best = one < least ? list[i] : best;
        least = one < least ? one : least;
    }
    *d = least;
    return best;
}

/* Whether c is nearer than q to some colour of a cube.  |x - c|^2 - |x - q|^2 is linear in x, so it
 * is least in a corner. */
static int can_be_nearer(const int *c, const int *q, const int *low, int wide) {
    int least = 0;
    for (int k = 0; k < 3; k++) {
        int apart = c[k] - q[k], x = apart > 0 ? low[k] + wide - 1 : low[k];
        least += apart * (c[k] + q[k] - 2 * x);
    }
    return least < 0;
}

/* Lists those of outer's colours that can be the nearest to something in a cube within it. */
static void list_colours(struct palette *p, struct cube *cube, const struct cube *outer, const int *low, int wide) {
    int middle[3] = { low[0] + wide / 2, low[1] + wide / 2, low[2] + wide / 2 }, d;
    *cube = (struct cube){ .list = outer->list, .n = outer->n };
    if (p->used + outer->n > LISTS) return;      /* longer than need be, not wrong */
    size_t first = nearest_of(p, outer, middle, &d);
    unsigned char *list = p->list + p->used;
    cube->list = (uint32_t)p->used;
    cube->n = 1;
    list[0] = (unsigned char)first;
    for (size_t i = 0; i < outer->n; i++) {
        unsigned char at = p->list[outer->list + i];
        if (can_be_nearer(p->rgb[at], p->rgb[first], low, wide)) list[cube->n++] = at;
    }
    p->used += cube->n;
}

static void cube_of(const int *rgb, int bits, int *low) {
    for (int k = 0; k < 3; k++) low[k] = rgb[k] >> bits << bits;
}

static size_t nearest(struct palette *p, const int *rgb, int *d) {
    struct cube *cube = &p->cube[(rgb[0] >> WIDE_BITS << 8) + (rgb[1] >> WIDE_BITS << 4) + (rgb[2] >> WIDE_BITS)];
    int low[3];
    if (!cube->n) {
        cube_of(rgb, WIDE_BITS, low);
        list_colours(p, cube, &p->all, low, 1 << WIDE_BITS);
    }
    for (int bit = WIDE_BITS - 1; bit > 0 && cube->n > FEW; bit--) {
        if (!cube->parts) {
            if (p->cubes + 8 > CUBES) break;
            cube->parts = (uint16_t)(p->cubes / 8);
            p->cubes += 8;
        }
        struct cube *part = &p->cube[8 * cube->parts + ((rgb[0] >> bit & 1) << 2 | (rgb[1] >> bit & 1) << 1 | (rgb[2] >> bit & 1))];
        if (!part->n) {
            cube_of(rgb, bit, low);
            list_colours(p, part, cube, low, 1 << bit);
        }
        cube = part;
    }
    return nearest_of(p, cube, rgb, d);
}

size_t palette_nearest(struct palette *p, const unsigned char *rgb, unsigned *d) {
    int wanted[3] = { rgb[0], rgb[1], rgb[2] }, least;
    size_t best = nearest(p, wanted, &least);
    *d = (unsigned)least;
    return best;
}

/* --- pictures --- */

void palette_map(struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height, unsigned slack) {
    int last[3] = { -1, -1, -1 }, d = 0;
    size_t best = 0;
    for (size_t i = 0; i < width * height; i++) {
        int pixel[3] = { rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2] };
        if (memcmp(pixel, last, sizeof pixel) != 0) best = nearest(p, pixel, &d);
        memcpy(last, pixel, sizeof pixel);
        size_t to = best;
        int most = d + (int)slack;
        if (slack && i >= width && distance(pixel, p->rgb[index[i - width]]) <= most) to = index[i - width];
        if (slack && i % width && distance(pixel, p->rgb[index[i - 1]]) <= most) to = index[i - 1];
        index[i] = (unsigned char)to;
    }
}

/* What is handed on is kept in 256ths of a step: 3/4 of 7, 3, 5 and 1 sixteenths. */
enum { ALONG = 84, BACK = 36, UNDER = 60, AHEAD = 12 };

/* The pixel as it is wanted after what was handed to it. */
static int wanted(int pixel, int handed) {
    int v = 256 * pixel + handed + 128;
    return v < 0 ? 0 : v > 255 * 256 ? 255 : v >> 8;
}

/* One row; here and under are what is handed to it and to the next one, with a pixel before and
 * one behind.  step: 3 to the right, -3 to the left. */
static void diffuse_row(struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, int step, const int *here,
                        int *under) {
    int along[3] = { 0, 0, 0 }, behind[3] = { 0, 0, 0 }, below[3] = { 0, 0, 0 }, d;
    size_t x = step > 0 ? 0 : width - 1;
    for (size_t k = 0; k < width; k++, x += step > 0 ? 1 : SIZE_MAX) {
        int pixel[3], *behind_it = under + 3 * x - step;
        for (size_t c = 0; c < 3; c++) pixel[c] = wanted(rgb[3 * x + c], here[3 * x + c] + along[c]);
        size_t to = nearest(p, pixel, &d);
        index[x] = (unsigned char)to;
        for (int c = 0; c < 3; c++) {
            int off = pixel[c] - p->rgb[to][c];
            along[c] = ALONG * off;
            behind_it[c] = behind[c] + BACK * off;
            behind[c] = below[c] + UNDER * off;
            below[c] = AHEAD * off;
        }
    }
    for (size_t c = 0; c < 3; c++) under[3 * (step > 0 ? width - 1 : 0) + c] = behind[c];
}

enum status palette_diffuse(struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height) {
    size_t row = 3 * (width + 2);
    int *handed = mem_array(2 * row, sizeof *handed);
    if (!handed) return fail(ERR_NOMEM, "sixel: out of memory");
    for (size_t y = 0; y < height; y++) {
        int *here = handed + y % 2 * row, *under = handed + (y + 1) % 2 * row;
        diffuse_row(p, index + y * width, rgb + 3 * y * width, width, y % 2 ? -3 : 3, here + 3, under + 3);
    }
    mem_free(handed);
    return OK;
}

double palette_steps(struct palette *p, const unsigned char *rgb, size_t width, size_t height) {
    enum { SIDE = 4 };
    double sum = 0;
    size_t squares = 0;
    for (size_t y = 0; y + SIDE <= height; y += 4 * SIDE)
        for (size_t x = 0; x + SIDE <= width; x += 4 * SIDE, squares++) {
            int off[3] = { 0, 0, 0 }, d;
            for (size_t i = 0; i < SIDE * SIDE; i++) {
                const unsigned char *q = rgb + 3 * ((y + i / SIDE) * width + x + i % SIDE);
                int pixel[3] = { q[0], q[1], q[2] };
                size_t to = nearest(p, pixel, &d);
                for (int c = 0; c < 3; c++) off[c] += pixel[c] - p->rgb[to][c];
            }
            for (int c = 0; c < 3; c++) sum += (double)(off[c] * off[c]) / (SIDE * SIDE * SIDE * SIDE);
        }
    return squares ? sum / (3. * (double)squares) : 0;
}
