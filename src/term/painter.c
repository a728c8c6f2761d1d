/* painter.c - pixels to bytes: which way, and what is common to all painters.
 *
 * A sixel is made of colours (palette.c) and of bands that paint them (bands.c), or of squares
 * where the picture grew (squares.c); inline.c has kitty and iTerm2, blocks.c half blocks and ASCII.
 *
 * Of libsixel only the choice of colours is used: its readers of foreign bytes are where its
 * security holes were, and what it writes is longer and takes longer. */
#include "dtrak/painter.h"
#include "dtrak/mem.h"
#include "bands.h"
#include "blocks.h"
#include "inline.h"
#include "palette.h"
#include "squares.h"

#include <string.h>

#define SLACK 48           /* of a thumbnail's colours: see squares.h */
#define STEPS 4            /* mean squared error from afar, of 255: what is more is seen */
#define THUMBNAIL_PX 160   /* up to this side, 64 colours without dither look like 256 */

static size_t colours_of(size_t wanted, int is_small) {
    if (wanted == 0) return is_small ? 64 : 256;
    return wanted < 2 ? 2 : wanted > 256 ? 256 : wanted;
}

static int is_small(const struct paint_fit *fit) { return fit->width <= THUMBNAIL_PX && fit->height <= THUMBNAIL_PX; }

/* Squares of one colour are better flat, and several times shorter so; a thumbnail of 64 colours
 * is hardly worse and a quarter shorter; and so is every picture that shows no steps from afar. */
static int is_better_flat(struct palette *p, const unsigned char *rgb, const struct paint_fit *fit, size_t rows, size_t colours,
                          int is_grown) {
    return is_grown || (is_small(fit) && colours >= 64) || palette_steps(p, rgb, fit->width, rows) <= STEPS;
}

/* rows of fit's picture, of which rgb is the first; the pixels are lost. */
static enum status encode_sixel(struct buf *out, unsigned char *rgb, const struct paint_fit *fit, size_t rows,
                                size_t colours, int is_grown) {
    unsigned char palette[256 * 3];
    size_t n;
    enum status st = OK;
    colours = colours_of(colours, is_small(fit));
    TRY(palette_find(palette, &n, rgb, fit->width, rows, colours));
    TRY(palette_refine(palette, n, rgb, fit->width * rows));
    palette_as_sent(palette, n);
    struct palette *p = palette_new(palette, n);
    if (!p) return fail(ERR_NOMEM, "sixel: out of memory");
    if (is_better_flat(p, rgb, fit, rows, colours, is_grown)) palette_map(p, rgb, rgb, fit->width, rows, is_small(fit) ? SLACK : 0);
    else st = palette_diffuse(p, rgb, rgb, fit->width, rows);
    palette_free(p);
    return st == OK ? bands_encode(out, rgb, fit->width, rows, palette, 0) : st;
}

/* A picture that grew: its colours are those of the small one. */
static enum status encode_squares(struct buf *out, const struct picture *pic, const struct paint_fit *fit, size_t colours, unsigned slack) {
    unsigned char rgb[SQUARES_SIDE * SQUARES_SIDE * 3], palette[256 * 3];
    size_t used;
    paint_scale(rgb, pic->width, pic->height, pic);
    TRY(palette_find(palette, &used, rgb, pic->width, pic->height, colours));
    used = squares_refine(palette, used, colours, rgb, pic->width * pic->height);
    return squares_encode(out, rgb, pic->width, pic->height, fit->width, fit->height, palette, used, slack);
}

static int is_of_squares(const struct picture *pic, const struct paint_fit *fit, const struct paint_how *how) {
    if (how->painter != GRAPHICS_SIXEL || pic->width > SQUARES_SIDE || pic->height > SQUARES_SIDE) return 0;
    if (fit->width > PAINT_SIDE || fit->height > PAINT_SIDE || fit->width < 2 * pic->width) return 0;
    return paint_is_grown(fit, pic->width, pic->height);
}

/* The pixels of the picture in its place, to be mem_free()d. */
static enum status scaled(unsigned char **rgb, const struct picture *pic, const struct paint_fit *fit) {
    if (!fit->width || !fit->height || !pic->width || !pic->height || pic->width > PAINT_SIDE
        || pic->height > PAINT_SIDE || fit->width > PAINT_SIDE || fit->height > PAINT_SIDE)
        return fail(ERR_RANGE, "picture: %zu x %zu pixels shown as %zu x %zu, expected 1..%d a side",
                    pic->width, pic->height, fit->width, fit->height, PAINT_SIDE);
    *rgb = mem_array(fit->width * fit->height, 3);
    if (!*rgb) return fail(ERR_NOMEM, "picture: out of memory");
    paint_scale(*rgb, fit->width, fit->height, pic);
    return OK;
}

static int is_grown(const struct picture *pic, const struct paint_fit *fit) {
    return fit->width > pic->width && paint_is_grown(fit, pic->width, pic->height);
}

enum status paint_encode(struct buf *out, const struct picture *pic, const struct paint_fit *fit,
                         const struct paint_how *how) {
    unsigned char *rgb;
    if (is_of_squares(pic, fit, how))
        return encode_squares(out, pic, fit, colours_of(how->colours, is_small(fit)), is_small(fit) ? SLACK : 0);
    TRY(scaled(&rgb, pic, fit));
    enum status st = OK;
    switch (how->painter) {
    case GRAPHICS_SIXEL: st = encode_sixel(out, rgb, fit, fit->height, how->colours, is_grown(pic, fit)); break;
    case GRAPHICS_KITTY: st = inline_kitty(out, rgb, fit); break;
    case GRAPHICS_ITERM2: st = inline_iterm2(out, rgb, fit, how); break;
    case GRAPHICS_HALF: blocks_half(out, rgb, fit, how->depth); break;
    case GRAPHICS_ASCII: blocks_ascii(out, rgb, fit); break;
    default: st = fail(ERR_RANGE, "picture: nothing paints with '%s'", graphics_name(how->painter));
    }
    mem_free(rgb);
    return st == OK ? buf_status(out) : st;
}

/* The part of fit's picture from a row of pixels on, `height` of them, which are lost. */
static enum status encode_part(struct buf *out, unsigned char *rgb, const struct paint_fit *fit, const struct paint_how *how,
                               size_t height, int is_grown) {
    struct paint_fit part = *fit;
    if (how->painter == GRAPHICS_SIXEL) return encode_sixel(out, rgb, fit, height, how->colours, is_grown);
    part.height = height;
    part.rows = (height + how->cell_h - 1) / how->cell_h;
    return inline_iterm2(out, rgb, &part, how);
}

/* One part for so many rows of cells; *longest is that of a part. */
static enum status encode_cut(struct paint_part *parts, size_t *count, size_t *longest, const struct picture *pic,
                              const struct paint_fit *fit, const struct paint_how *how, size_t rows) {
    unsigned char *rgb;
    size_t n = 0, height = rows * how->cell_h;
    enum status st = OK;
    TRY(scaled(&rgb, pic, fit));     /* anew each time: encoding changes them */
    *longest = 0;
    for (size_t y = 0; st == OK && y < fit->height && n < PAINT_PARTS; y += height, n++) {
        size_t left = fit->height - y;
        parts[n].row = n * rows;
        st = encode_part(&parts[n].bytes, rgb + y * fit->width * 3, fit, how, left < height ? left : height, is_grown(pic, fit));
        if (parts[n].bytes.len > *longest) *longest = parts[n].bytes.len;
    }
    mem_free(rgb);
    *count = n;
    return st;
}

static void free_parts(struct paint_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++) buf_free(&parts[i].bytes);
}

/* Rows of cells for parts that are shorter by most / longest.  Bands of six pixels should not
 * reach into the next part's cells. */
static size_t fewer_rows(size_t rows, size_t longest, size_t most, size_t cell_h) {
    size_t whole = cell_h % 6 == 0 ? 1 : cell_h % 3 == 0 ? 2 : cell_h % 2 == 0 ? 3 : 6;
    size_t fewer = (size_t)((double)rows * (double)most / (double)longest);
    if (fewer >= rows) fewer = rows - 1;
    if (fewer > whole) fewer -= fewer % whole;
    return fewer ? fewer : 1;
}

enum status paint_encode_parts(struct paint_part *parts, size_t *count, const struct picture *pic,
                               const struct paint_fit *fit, const struct paint_how *how, size_t most) {
    size_t rows = fit->rows, longest = 0;
    int has_parts = (how->painter == GRAPHICS_SIXEL || how->painter == GRAPHICS_ITERM2) && how->cell_h;
    enum status st = paint_encode(&parts[0].bytes, pic, fit, how);
    *count = 1;
    parts[0].row = 0;
    if (st == OK) longest = parts[0].bytes.len;
    /* Parts have palettes of their own, and details are unevenly spread: so it may take several tries. */
    while (st == OK && has_parts && longest > most && rows > 1) {
        rows = fewer_rows(rows, longest, most, how->cell_h);
        if (rows * PAINT_PARTS < fit->rows) break;
        free_parts(parts, *count);
        st = encode_cut(parts, count, &longest, pic, fit, how, rows);
    }
    if (st != OK) free_parts(parts, *count);
    return st;
}

void paint_emit(struct buf *out, const char *bytes, size_t len, enum graphics painter,
                size_t row, size_t col, unsigned id) {
    if (graphics_is_pixels(painter)) {
        buf_printf(out, "\033[%zu;%zuH", row + 1, col + 1);
        if (painter == GRAPHICS_KITTY) inline_kitty_send(out, bytes, len, id);
        else buf_add(out, bytes, len);
        return;
    }
    buf_printf(out, "\033[%zu;%zuH\033[m", row + 1, col + 1);
    for (;;) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) : len;
        buf_add(out, bytes, n);
        if (!end) break;
        if (col) buf_printf(out, "\n\033[%zuG", col + 1);   /* down, and to the column from wherever it is */
        else buf_text(out, "\n\r");
        bytes += n + 1;
        len -= n + 1;
    }
}
