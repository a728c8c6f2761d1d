/* indexed.c - a sixel of several pictures with a palette for each. */
#include "dtrak/painter.h"
#include "bands.h"
#include "palette.h"

enum status paint_index(struct paint_palette *p, size_t colours, const unsigned char *rgb, size_t width, size_t height,
                        unsigned char *index, size_t stride, size_t most_width, size_t most_height) {
    if (p->used == 0) p->used = 1;
    if (colours > 256 - p->used) colours = 256 - p->used;
    if (colours < 2) return fail(ERR_RANGE, "sixel: no colours are left");
    size_t first = p->used, n;
    TRY(palette_find(p->rgb + 3 * first, &n, rgb, width, height, colours));
    TRY(palette_refine(p->rgb + 3 * first, n, rgb, width * height));
    struct palette *own = palette_new(p->rgb + 3 * first, n);
    if (!own) return fail(ERR_NOMEM, "sixel: out of memory");
    p->used += n;
    for (size_t y = 0; y < height && y < most_height; y++)
        for (size_t x = 0; x < width && x < most_width; x++) {
            unsigned d;
            index[y * stride + x] = (unsigned char)(first + palette_nearest(own, rgb + (y * width + x) * 3, &d));
        }
    palette_free(own);
    return OK;
}

enum status paint_sixel_indexed(struct buf *out, const unsigned char *index, size_t width, size_t height,
                                const struct paint_palette *p) {
    return bands_encode(out, index, width, height, p->rgb, 1);
}
