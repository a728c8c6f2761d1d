/* frame.h - a screen as plain data: a grid of cells and a list of image boxes.
 *
 * A view draws into a frame and never calls curses, so a test draws one without
 * a terminal and compares text.  term_paint() shows a frame, frame_dump() prints
 * it.  Rows and columns count cells from 0 at the top left; whatever falls
 * outside is clipped, so a size that wrapped below zero draws nothing.
 *
 * What is drawn later wins: text, a fill or a box over an image box removes
 * that image box, and an image box blanks the cells under it.
 *
 * Only frame_new() and frame_resize() allocate. */
#ifndef DTRAK_FRAME_H
#define DTRAK_FRAME_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a piece of text is, not how it looks: the terminal chooses colours, or
 * attributes alone where there are none. */
enum style {
    STYLE_NORMAL,
    STYLE_DIM,        /* of less weight: hints, units, what is not computed */
    STYLE_BOLD,
    STYLE_TITLE,      /* names of panes */
    STYLE_BORDER,     /* lines of panes */
    STYLE_FOCUS,      /* lines and title of the pane that has the keys */
    STYLE_SELECTED,   /* the selected item or row */
    STYLE_BAR,        /* the line on top and the line at the bottom */
    STYLE_BAR_KEY,    /* a key's name in such a line */
    STYLE_METER,      /* bars of scores and progress */
    STYLE_METER_LOW,  /* bars of negative scores */
    STYLE_ACCENT,     /* numbers that matter */
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_ERROR,
    STYLE_MARK,       /* items the user marked */
    STYLE_COUNT
};

#define FRAME_MARKS 2
#define FRAME_LABEL 40
#define FRAME_IMAGES 512       /* image boxes a frame can hold; more are not drawn */
#define FRAME_SIDE 2000        /* rows and columns at most */

struct cell {
    uint32_t cp;                  /* a printable code point; 0 in the right half of a wide one */
    uint32_t mark[FRAME_MARKS];   /* combining marks, 0 where there is none */
    uint8_t width;                /* 1, 2, or 0 for that right half */
    uint8_t style;                /* enum style */
};

struct image_box {
    size_t row, col, rows, cols;   /* inside the frame */
    uint64_t key;                  /* names the pixels: same key, same pixels */
    char label[FRAME_LABEL];       /* the item, as "train:3912" */
};

struct frame;

/* A blank frame; rows and cols in 1..FRAME_SIDE, else ERR_RANGE. */
enum status frame_new(struct frame **out, size_t rows, size_t cols);
void frame_free(struct frame *f);   /* NULL is fine */

/* Changes the size and blanks everything; on failure the old frame stays. */
enum status frame_resize(struct frame *f, size_t rows, size_t cols);
void frame_clear(struct frame *f);

size_t frame_rows(const struct frame *f);
size_t frame_cols(const struct frame *f);

/* row and col inside the frame. */
const struct cell *frame_cell(const struct frame *f, size_t row, size_t col);
size_t frame_image_count(const struct frame *f);
const struct image_box *frame_image_at(const struct frame *f, size_t i);

/* Writes utf8 from (row, col), clipped at the right edge, and returns the cells
 * used.  Control and malformed bytes appear escaped, as text_escape() does it,
 * so text may come from anywhere.  A wide character that would straddle the
 * edge becomes a space. */
size_t frame_text(struct frame *f, size_t row, size_t col, enum style style, const char *utf8);

/* The same in at most `cells` cells; text that does not fit ends in "…". */
size_t frame_text_in(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                     const char *utf8);

/* printf into at most `cells` cells (SIZE_MAX: up to the edge), cut as above.
 * At most 1023 bytes are formatted. */
__attribute__((format(printf, 6, 7)))
size_t frame_printf(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                    const char *fmt, ...);

/* Fills a rectangle with the code point cp (one cell wide; ' ' blanks it). */
void frame_fill(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                enum style style, uint32_t cp);

/* Changes only the style of cells; text and image boxes stay. */
void frame_restyle(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                   enum style style);

/* Lines around a rectangle, with a title in the top one (NULL: none); the
 * inside stays.  Smaller than 2x2 draws nothing.  Terminals without UTF-8 get
 * + - | when it is painted. */
void frame_box(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
               enum style style, const char *title);

/* A horizontal bar of `cells` cells filled to fraction (clamped to 0..1; NaN is
 * 0) in eighths of a cell; the rest is blank.  Returns the cells that are not. */
size_t frame_meter(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                   double fraction);

/* Reserves a cell box for the picture `key` (clipped to the frame; nothing is
 * reserved when nothing is left of it).  label is what a dump shows. */
void frame_image(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                 uint64_t key, const char *label);

/* Where the eyes are: a terminal shows the pictures near this cell first.  0 when nothing has
 * said so since the frame was cleared; pictures then go in the order they were drawn. */
void frame_focus(struct frame *f, size_t row, size_t col);
int frame_focus_at(const struct frame *f, size_t *row, size_t *col);

/* Names the text of some rows: the same number, the same text in the same cells and styles. */
uint64_t frame_text_hash(const struct frame *f, size_t row, size_t rows);

/* Rows as UTF-8 lines, trailing blanks removed.  An image box shows as
 * "[train:3912 12x6]" (item, columns x rows) at its top left, cut at the box's
 * right edge, the rest of the box blank. */
void frame_dump(const struct frame *f, FILE *out);

#endif
