/* headless_compare DB SCREEN DUMP CELL - are the items that a text dump names at its picture
 * boxes what a screen shows there?
 *
 * SCREEN is the file of Xvfb -fbdir (XWD, 32 bits a pixel), DUMP what `dtrak view --dump`
 * wrote for the same size, CELL is 9x18.  The terminal stands near the top left corner: its
 * own margin, a few pixels, is found with the first picture and holds for all.  Status 0 when
 * every picture is right; says the mean error of each that is not, and of all. */
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/painter.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 24, BOXES = 200 };
#define MOST_ERROR 9.0       /* mean of absolute differences, of 255 */

struct screen { unsigned char *bytes; size_t width, height, stride, data; };
struct box { struct item_ref ref; size_t row, col, rows, cols; };

static size_t be32(const unsigned char *p) { return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]; }

static void *read_file(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    char *bytes = mem_array(16 << 20, 1);
    *len = f && bytes ? fread(bytes, 1, (16 << 20) - 1, f) : 0;
    if (f) fclose(f);
    return bytes;
}

static int read_screen(struct screen *s, const char *path) {
    size_t len;
    s->bytes = read_file(path, &len);
    if (len < 100) return 0;
    const unsigned char *h = s->bytes;
    s->width = be32(h + 16);
    s->height = be32(h + 20);
    s->stride = be32(h + 48);
    s->data = be32(h) + be32(h + 76) * 12;
    return be32(h + 4) == 7 && be32(h + 44) == 32 && s->data + s->stride * s->height <= len;
}

/* Blue, green, red, as X of a little-endian machine has them. */
static const unsigned char *pixel(const struct screen *s, size_t x, size_t y) {
    return s->bytes + s->data + y * s->stride + x * 4;
}

/* "[train:3912 12x6]" at its cells. */
static size_t read_dump(struct box *boxes, const char *path) {
    size_t len, n = 0, row = 0;
    char *text = read_file(path, &len), *line = text;
    for (; line && *line && n < BOXES; row++) {
        char *end = strchr(line, '\n'), *at = line;
        if (end) *end = 0;
        while ((at = strchr(at, '[')) != NULL && n < BOXES) {
            char name[40];
            unsigned cols, rows;
            if (sscanf(at, "[%39[a-z0-9:] %ux%u]", name, &cols, &rows) == 3 && item_ref_parse(&boxes[n].ref, name) == OK) {
                char was = *at;
                *at = 0;
                boxes[n].row = row;
                boxes[n].col = text_width(line);
                boxes[n].rows = rows;
                boxes[n].cols = cols;
                n++;
                *at = was;
            }
            at++;
        }
        line = end ? end + 1 : NULL;
    }
    mem_free(text);
    return n;
}

/* The item's pixels as they should stand in its box, to be mem_free()d. */
static unsigned char *expected(struct store *s, const struct box *b, const struct paint_how *how, struct paint_fit *fit) {
    void *bytes;
    size_t len;
    struct image im;
    if (store_image_read(s, b->ref, &bytes, &len) != OK) return NULL;
    unsigned char *rgb = NULL;
    if (image_decode(&im, bytes, len, 4, "stored") == OK) {
        const struct picture pic = { im.pixels, im.width_px, im.height_px };
        paint_fit(fit, how, im.width_px, im.height_px, b->rows, b->cols);
        rgb = fit->width ? mem_array(fit->width * fit->height, 3) : NULL;
        if (rgb) paint_scale(rgb, fit->width, fit->height, &pic);
        image_free(&im);
    }
    mem_free(bytes);
    return rgb;
}

static double error_at(const struct screen *s, const unsigned char *rgb, const struct paint_fit *fit, size_t x, size_t y) {
    double sum = 0;
    if (x + fit->width > s->width || y + fit->height > s->height) return 255;
    for (size_t i = 0; i < fit->height; i++)
        for (size_t k = 0; k < fit->width; k++) {
            const unsigned char *there = pixel(s, x + k, y + i), *want = rgb + (i * fit->width + k) * 3;
            for (int c = 0; c < 3; c++) sum += abs(there[2 - c] - want[c]);
        }
    return sum / (double)(fit->width * fit->height * 3);
}

int main(int argc, char **argv) {
    struct screen screen;
    struct store *store;
    struct box boxes[BOXES];
    struct paint_how how = { .painter = GRAPHICS_SIXEL };
    size_t mx = 0, my = 0, wrong = 0;
    double sum = 0;
    if (argc != 5 || sscanf(argv[4], "%zux%zu", &how.cell_w, &how.cell_h) != 2) {
        fprintf(stderr, "usage: headless_compare DB SCREEN DUMP CELL\n");
        return 2;
    }
    size_t n = read_dump(boxes, argv[3]);
    if (!read_screen(&screen, argv[2]) || n == 0 || store_open(&store, argv[1], STORE_READ) != OK) {
        fprintf(stderr, "headless_compare: the screen, the dump or the database cannot be read\n");
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        struct paint_fit fit;
        char name[40];
        unsigned char *rgb = expected(store, &boxes[i], &how, &fit);
        size_t x = (boxes[i].col + fit.col) * how.cell_w, y = (boxes[i].row + fit.row) * how.cell_h;
        double best = rgb ? 255 : 256;
        item_ref_format(name, boxes[i].ref);
        for (size_t dy = 0; rgb && i == 0 && dy <= MARGIN; dy++)
            for (size_t dx = 0; dx <= MARGIN; dx++) {
                double e = error_at(&screen, rgb, &fit, x + dx, y + dy);
                if (e >= best) continue;
                best = e;
                mx = dx;
                my = dy;
            }
        if (rgb && i) best = error_at(&screen, rgb, &fit, x + mx, y + my);
        /* Another item's picture would not come as near. */
        for (size_t k = 0; rgb && k < n; k++) {
            struct paint_fit other_fit;
            unsigned char *other = expected(store, &(struct box){ boxes[k].ref, boxes[i].row, boxes[i].col, boxes[i].rows, boxes[i].cols },
                                            &how, &other_fit);
            double apart = 0;
            if (other && other_fit.width == fit.width && other_fit.height == fit.height) {
                for (size_t q = 0; q < fit.width * fit.height * 3; q++) apart += abs(other[q] - rgb[q]);
                if (apart / (double)(fit.width * fit.height * 3) > 3 && error_at(&screen, other, &fit, x + mx, y + my) <= best) best = 254;
            }
            mem_free(other);
        }
        mem_free(rgb);
        sum += best;
        if (best <= MOST_ERROR) continue;
        printf("%s in row %zu, column %zu: mean error %.1f\n", name, boxes[i].row, boxes[i].col, best);
        wrong++;
    }
    printf("%zu pictures, %zu wrong, mean error %.2f of 255, margin %zu,%zu\n", n, wrong, sum / (double)n, mx, my);
    store_close(store);
    mem_free(screen.bytes);
    return wrong > 0;
}
