/* vt.h - a small terminal for tests: bytes in, a grid of text and pictures out.
 * Pictures come as sixel, as kitty's APC or as iTerm2's OSC 1337.
 *
 * It knows what curses sends for TERM=xterm-256color and what the program sends
 * itself.  Text written over a cell of a picture destroys the picture there, as
 * terminals do, and so does erasing.  Questions are handed to a callback. */
#ifndef TESTS_VT_H
#define TESTS_VT_H

#include "sixel_decode.h"

#include <stddef.h>
#include <stdint.h>

struct vt_picture {
    size_t row, col;             /* of its top left cell, from 0 */
    size_t rows, cols;           /* cells covered */
    struct sixel_image image;
    unsigned id;                 /* kitty: its number; such a picture is on a layer over the cells */
    int is_removed;              /* kitty: deleted by its number */
};

struct vt;

/* Cells of cell_w x cell_h pixels. */
struct vt *vt_new(size_t rows, size_t cols, size_t cell_w, size_t cell_h);
void vt_free(struct vt *v);

/* ask is called with "c", "16t", "?2026$p", ">0q", "]11;?", "G..." and so on. */
void vt_on_question(struct vt *v, void (*ask)(void *ctx, const char *question), void *ctx);
void vt_feed(struct vt *v, const char *bytes, size_t len);
void vt_resize(struct vt *v, size_t rows, size_t cols);   /* pictures go, text stays */
void vt_font(struct vt *v, size_t cell_w, size_t cell_h); /* the same */

/* As tmux with sixels: keeps so many pictures, the oldest goes, and one on which a character
 * is written or erased goes whole.  0: as a terminal. */
void vt_keep(struct vt *v, size_t most);

/* Pixels on the screen from a cell's corner, [h][w][4], alpha 0 where there are none. */
void vt_pixels(const struct vt *v, size_t row, size_t col, size_t w, size_t h, unsigned char *rgba);

/* Half blocks from a cell on, [2 * rows][cols][3], an upper and a lower pixel a cell; 0 unless
 * all cells are half blocks, full ones or blanks in colours that were given. */
int vt_blocks(const struct vt *v, size_t row, size_t col, size_t rows, size_t cols, unsigned char *rgb);

/* Row as UTF-8 without trailing blanks, in a static buffer. */
const char *vt_row(const struct vt *v, size_t row);
/* Row and column of a text, 1 when it is on the screen. */
int vt_find(const struct vt *v, const char *text, size_t *row, size_t *col);

/* The picture that is whole on the screen with its top left in the cell. */
const struct vt_picture *vt_picture_at(const struct vt *v, size_t row, size_t col);
/* Pictures of which every cell is still there; [max], returns how many. */
size_t vt_pictures(const struct vt *v, const struct vt_picture **out, size_t max);
/* Cells that still show part of a picture that is not whole any more, and text
 * that a picture of kitty's layer hides. */
size_t vt_torn_cells(const struct vt *v);

/* What the program did so far. */
struct vt_state {
    int is_alternate;          /* alternate screen */
    int is_cursor_hidden, is_mouse_on, is_in_sync, has_own_colours;   /* the last: mode 1070 */
    size_t passed;             /* sequences that came past tmux */
    size_t pictures_drawn;     /* ever */
    size_t bad_pictures;       /* malformed, or not closed by ST */
    size_t on_last_row;        /* pictures that reached the last row */
    size_t clears;             /* of the whole screen */
    size_t unknown;            /* sequences this terminal does not know */
    char unknown_text[64];     /* the first of them */
};
struct vt_state vt_state(const struct vt *v);

#endif
