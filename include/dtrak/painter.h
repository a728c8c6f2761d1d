/* painter.h - a picture to bytes that a terminal shows: sixel, kitty, iTerm2,
 * half blocks, ASCII.
 *
 * Pixels become cells in three steps, each of them pure: paint_fit() places the
 * picture in its box, paint_scale() makes the pixels, paint_encode() the bytes.
 * The bytes do not depend on where the box is; paint_emit() puts them there.
 * They are kept in a paint_cache, keyed by everything they depend on. */
#ifndef DTRAK_PAINTER_H
#define DTRAK_PAINTER_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/probe.h"

#include <stddef.h>
#include <stdint.h>

#define PAINT_SIDE 8192   /* pixels of a side, at most */

/* Borrowed pixels, 4 bytes each, rows from the top, alpha not multiplied in. */
struct picture { const unsigned char *rgba; size_t width, height; };

/* How to paint: painter is any but AUTO and NONE. */
struct paint_how {
    enum graphics painter;
    enum colour_depth depth;   /* half blocks */
    size_t colours;            /* sixel: palette, 2..256; 0: 64 up to 160 pixels a side, else 256 */
    size_t cell_w, cell_h;     /* painters of pixels: pixels of a cell */
    size_t max_w, max_h;       /* sixel: the largest the terminal takes; 0: any */
    size_t shrink;             /* painters of pixels: this many times smaller than the box allows; 0: 1 */
};
int paint_same_how(const struct paint_how *a, const struct paint_how *b);

/* Where in a box of rows x cols cells the picture stands. */
struct paint_fit {
    size_t row, col;           /* offset in cells from the box's top left */
    size_t rows, cols;         /* cells covered */
    size_t width, height;      /* pixels made; 0 when nothing fits */
};

/* Keeps the aspect.  Pictures up to 64 pixels a side grow by whole factors, so
 * that each source pixel stays a square, unless that leaves a sixth of the box's
 * side empty: then they fill it (not in blocks, whose pixels are large, nor where
 * shrink saves bytes).  What is too large shrinks.  Sixel bands (6 pixels) never
 * reach below the box.  A half block's cell is 1x2 pixels, an ASCII cell is one
 * pixel of aspect 1:2. */
void paint_fit(struct paint_fit *fit, const struct paint_how *how, size_t width, size_t height,
               size_t rows, size_t cols);

/* Does each pixel of a picture of width x height become a rectangle of its own colour there?
 * By a whole factor, or for those up to 64 pixels a side by any from 2 on: then some are
 * one pixel longer than others. */
int paint_is_grown(const struct paint_fit *fit, size_t width, size_t height);

/* rgb[width * height * 3] from pic over black: nearest neighbour where
 * paint_is_grown(), else area average (shrinking) or bilinear (growing). */
void paint_scale(unsigned char *rgb, size_t width, size_t height, const struct picture *pic);

/* Appends the bytes.  Sixel: one DCS, raster attributes, ends in ST.  Kitty: a
 * PNG in base64, bare.  iTerm2: one OSC 1337 with a PNG that fills its cells,
 * transparent where the picture does not reach.  Blocks and ASCII: fit.rows
 * lines of fit.cols cells separated by '\n', in the colours of the line before until they
 * change, SGR 0 at the end; with direct colours a channel is off by 1 of 255 at most, where
 * that saves naming a colour.
 * ERR_RANGE for an empty fit or a picture over PAINT_SIDE. */
enum status paint_encode(struct buf *out, const struct picture *pic, const struct paint_fit *fit,
                         const struct paint_how *how);

/* The same in parts of whole rows of cells, one below the other, none over `most` bytes where
 * that can be done: sixels and iTerm2's can be parted, not below a row of cells.  What is sent
 * in one piece cannot be taken back, so on a slow line it must be small, and tmux drops what
 * is long.  parts[PAINT_PARTS] are empty; *count of them are filled in.  On failure none is
 * left allocated. */
enum { PAINT_PARTS = 64 };
struct paint_part {
    struct buf bytes;
    size_t row;                /* of cells, from fit.row */
};
enum status paint_encode_parts(struct paint_part *parts, size_t *count, const struct picture *pic,
                               const struct paint_fit *fit, const struct paint_how *how, size_t most);

/* A sixel of several pictures: each gets colours of its own among 255, from 1 on; 0 is what is
 * not painted.  index[width * height] and the palette begin as zeros. */
struct paint_palette { unsigned char rgb[256 * 3]; size_t used; };

/* Adds at most `colours` to the palette for rgb[width * height * 3], and writes that picture's
 * numbers into index, whose rows are `stride` long; rows and columns beyond most_* are left out. */
enum status paint_index(struct paint_palette *p, size_t colours, const unsigned char *rgb, size_t width, size_t height,
                        unsigned char *index, size_t stride, size_t most_width, size_t most_height);
enum status paint_sixel_indexed(struct buf *out, const unsigned char *index, size_t width, size_t height,
                                const struct paint_palette *p);

/* Appends what shows encoded bytes with their top left in cell (row, col), from 0, and all of
 * their lines on the screen: lines go down by line feeds.
 * id: kitty's number of the picture, > 0; an older one of that number goes. */
void paint_emit(struct buf *out, const char *bytes, size_t len, enum graphics painter,
                size_t row, size_t col, unsigned id);

/* Kitty keeps pictures on a layer of their own, which text does not erase:
 * appends what removes picture id, or all of them (id 0). */
void paint_kitty_remove(struct buf *out, unsigned id);

/* Encoded pictures, the least recently used dropped beyond cap bytes. */
struct paint_cache;

struct paint_key {
    uint64_t image;            /* names the pixels */
    size_t rows, cols;         /* the box */
    struct paint_how how;
    size_t part;               /* from 0 */
};

struct paint_entry {
    const char *bytes;         /* borrowed: valid until the next paint_cache_put() */
    size_t len;
    struct paint_fit fit;      /* of the whole picture */
    size_t row, parts;         /* first row of cells of this part, from fit.row; how many there are */
    size_t most;               /* bytes that no part was to exceed */
};

enum status paint_cache_new(struct paint_cache **out, size_t cap_bytes);
void paint_cache_free(struct paint_cache *c);   /* NULL is fine */

/* 1 and the entry, now the most recently used, or 0. */
int paint_cache_get(struct paint_cache *c, const struct paint_key *key, struct paint_entry *out);

/* Takes over the bytes of *bytes (mem_free()d by the cache; *bytes is empty
 * afterwards, also on failure); what sets the rest.  An entry over the cap is kept alone. */
enum status paint_cache_put(struct paint_cache *c, const struct paint_key *key,
                            struct buf *bytes, const struct paint_entry *what);
size_t paint_cache_bytes(const struct paint_cache *c);
size_t paint_cache_count(const struct paint_cache *c);

#endif
