/* characters.c - see characters.h. */
#include "characters.h"
#include "dtrak/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = CHARACTERS_SIDE };

/* --- what is on the screen --- */

/* Pictures are grey; the yellow at a selected one's sides is none of it. */
static int is_painted(const struct vt *v, size_t row, size_t col) {
    static const unsigned char selection[6] = { 255, 255, 0, 255, 255, 0 };
    unsigned char rgb[6];
    return vt_blocks(v, row, col, 1, 1, rgb) && memcmp(rgb, selection, sizeof rgb) != 0;
}

/* The cells of the picture that begins within a few of (row, col). */
static int find_place(const struct vt *v, size_t row, size_t col, struct characters *w, size_t i) {
    for (size_t k = 0; k < 3 * 8; k++) {
        size_t r = row + k / 8, c = col + k % 8, rows = 0, cols = 0;
        if (!is_painted(v, r, c)) continue;
        while (cols < MOST && is_painted(v, r, c + cols)) cols++;
        while (rows < MOST && is_painted(v, r + rows, c)) rows++;
        w->place[i].row = r;
        w->place[i].col = c;
        w->place[i].rows = rows;
        w->place[i].cols = cols;
        return 1;
    }
    return 0;
}

/* Letters by brightness, in nine equal steps from black to white. */
static int read_letters(const struct vt *v, const struct characters *w, size_t i, unsigned char *rgb) {
    static const char ramp[] = " .:-=+*#%@";
    size_t rows = w->place[i].rows, cols = w->place[i].cols;
    for (size_t r = 0; r < rows; r++) {
        char line[512];
        snprintf(line, sizeof line, "%-*s", EXPLORE_COLS, vt_row(v, w->place[i].row + r));
        for (size_t c = 0; c < cols; c++) {
            const char *letter = strchr(ramp, line[w->place[i].col + c]);   /* in a C locale a byte is a cell */
            if (!letter) return 0;
            memset(rgb + (r * cols + c) * 3, (int)((letter - ramp) * 255 / 9), 3);
        }
    }
    return 1;
}

/* --- beside what is stored --- */

/* A stored picture averaged down to w x h greys. */
static void small_item(const char *db, struct item_ref item, size_t w, size_t h, unsigned char *grey) {
    unsigned char own[EXPLORE_PIXELS];
    struct image out, in = { .width_px = EXPLORE_SIDE, .height_px = EXPLORE_SIDE, .channels = 1, .pixels = own };
    explore_pixels(db, item.split, item.index, own);
    assert_int_equal(image_resize(&out, &in, w, h, IMAGE_BOX), OK);
    memcpy(grey, out.pixels, w * h);
    image_free(&out);
}

static struct item_ref item_at(const struct characters *w, size_t i) {
    if (i == 2 * TOP) return (struct item_ref){ SPLIT_GEN, 0 };
    return (struct item_ref){ SPLIT_TRAIN, w->r->item[i / TOP][i % TOP] };
}

static double error_at(const struct pty *p, const struct characters *w, size_t i, struct item_ref item) {
    unsigned char rgb[2 * MOST * MOST * 3], grey[2 * MOST * MOST];
    const struct vt *v = pty_screen(p);
    size_t cols = w->place[i].cols, rows = w->place[i].rows, h = w->are_letters ? rows : 2 * rows;
    int is_read = w->are_letters ? read_letters(v, w, i, rgb) : vt_blocks(v, w->place[i].row, w->place[i].col, rows, cols, rgb);
    double sum = 0;
    if (!is_read) return 255;
    small_item(w->db, item, cols, h, grey);
    for (size_t k = 0; k < 3 * cols * h; k++) sum += abs(rgb[k] - grey[k / 3]);
    return sum / (3. * (double)(cols * h));
}

int characters_are_right(struct pty *p, const void *characters) {
    struct characters *w = *(struct characters *const *)characters;
    w->worst = 0;
    for (size_t i = 0; i < CHARACTERS_PLACES; i++) {
        double error = error_at(p, w, i, item_at(w, i));
        if (error > w->worst) w->worst = error;
    }
    return w->worst <= w->most;
}

int characters_are_in_place(struct pty *p, const void *characters) {
    struct characters *w = *(struct characters *const *)characters;
    for (size_t i = 0; i < CHARACTERS_PLACES; i++) {
        size_t row = w->row + 1, col = w->col + 1;      /* the query's, in the corner */
        if (i < 2 * TOP && !ranking_find(p, w->r, i / TOP, i % TOP, &row, &col)) return 0;
        if (!find_place(pty_screen(p), row + 1, col, w, i)) return 0;
    }
    return characters_are_right(p, characters);
}

void characters_assert_distinct(const struct pty *p, const struct characters *w) {
    for (size_t i = 0; i < 2 * TOP; i++) {
        double own = error_at(p, w, i, item_at(w, i));
        size_t different = 0;
        for (size_t k = 0; k < TRAIN; k++) {
            double error = error_at(p, w, i, (struct item_ref){ SPLIT_TRAIN, k });
            if (error + w->most / 4 < own) fail_msg("the picture of train:%zu looks like train:%zu", item_at(w, i).index, k);
            different += error > w->most;
        }
        if (different < TRAIN / 2) fail_msg("train:%zu cannot be told from %zu others", item_at(w, i).index, TRAIN - different);
    }
}
