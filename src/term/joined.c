/* joined.c - rows of pictures as one sixel. */
#include "joined.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <string.h>

static int by_place(const struct image_box *a, const struct image_box *b) {
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->rows != b->rows) return a->rows < b->rows ? -1 : 1;
    return a->col < b->col ? -1 : a->col > b->col;
}

static void sort(struct image_box *b, size_t n) {
    for (size_t i = 1; i < n; i++) {
        struct image_box one = b[i];
        size_t k = i;
        for (; k > 0 && by_place(&b[k - 1], &one) > 0; k--) b[k] = b[k - 1];
        b[k] = one;
    }
}

static struct image_box around(const struct image_box *m, size_t n) {
    struct image_box all = { 0 };
    size_t bottom = 0, right = 0;
    all.row = all.col = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t what[] = { all.key, m[i].key, m[i].row, m[i].col, m[i].rows, m[i].cols };
        all.key = hash_xxh3(what, sizeof what);
        if (m[i].row < all.row) all.row = m[i].row;
        if (m[i].col < all.col) all.col = m[i].col;
        if (m[i].row + m[i].rows > bottom) bottom = m[i].row + m[i].rows;
        if (m[i].col + m[i].cols > right) right = m[i].col + m[i].cols;
    }
    all.rows = bottom - all.row;
    all.cols = right - all.col;
    return all;
}

size_t joined_gather(struct image_box *boxes, struct joined *of, struct image_box *members, size_t n) {
    size_t count = 0;
    memcpy(members, boxes, n * sizeof *members);
    sort(members, n);
    for (size_t i = 0; i < n; i++) {
        int same = i && members[i].row == members[i - 1].row && members[i].rows == members[i - 1].rows && of[count - 1].count < JOINED_PARTS;
        if (!same) of[count++] = (struct joined){ i, 0 };
        of[count - 1].count++;
    }
    if (count > JOINED_MOST) count = JOINED_MOST;   /* tmux would forget the first */
    for (size_t i = 0; i < count; i++) boxes[i] = around(members + of[i].first, of[i].count);
    return count;
}

/* One member's colours in their place on the canvas; 0: not there yet. */
static int put(struct paint_palette *palette, size_t colours, unsigned char *index, size_t width, size_t height,
               const struct image_box *box, const struct image_box *m, const struct paint_how *how,
               const struct term_images *images) {
    struct picture pic;
    struct paint_fit fit;
    int got = images->get(images->ctx, m->key, &pic);
    if (got != 1) return got < 0;     /* one that never comes leaves its place empty */
    paint_fit(&fit, how, pic.width, pic.height, m->rows, m->cols);
    size_t x = (m->col - box->col + fit.col) * how->cell_w, y = (m->row - box->row + fit.row) * how->cell_h;
    if (!fit.width || x >= width || y >= height) return 1;
    unsigned char *own = mem_array(fit.width * fit.height, 3);
    if (!own) return 0;
    paint_scale(own, fit.width, fit.height, &pic);
    enum status st = paint_index(palette, colours, own, fit.width, fit.height, index + y * width + x, width, width - x, height - y);
    mem_free(own);
    return st == OK;
}

int joined_encode(struct buf *out, struct paint_fit *fit, const struct image_box *box, const struct image_box *members,
                  size_t count, const struct paint_how *how, const struct term_images *images) {
    size_t width = box->cols * how->cell_w, height = box->rows * how->cell_h / 6 * 6;
    size_t all = how->colours && how->colours < 255 ? how->colours : 255, each = all / count < 2 ? 2 : all / count;
    struct paint_palette palette = { { 0 }, 0 };
    unsigned char *index = width && height && width <= PAINT_SIDE && height <= PAINT_SIDE ? mem_array(width * height, 1) : NULL;
    int ready = index != NULL;
    for (size_t i = 0; ready && i < count; i++)
        ready = put(&palette, each, index, width, height, box, members + i, how, images);
    if (ready) {
        *fit = (struct paint_fit){ 0, 0, box->rows, box->cols, width, height };
        ready = paint_sixel_indexed(out, index, width, height, &palette) == OK;
    }
    mem_free(index);
    return ready;
}
