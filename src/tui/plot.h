/* plot.h - points and lines as braille characters, two by four dots to a cell. */
#ifndef TUI_PLOT_H
#define TUI_PLOT_H

#include "dtrak/frame.h"

enum { PLOT_COLS = 200, PLOT_ROWS = 60 };   /* cells, at most */

struct plot {
    size_t rows, cols;           /* cells */
    unsigned char dots[PLOT_ROWS][PLOT_COLS];
};

/* Empty, rows x cols cells (cut to the most there can be). */
void plot_start(struct plot *p, size_t rows, size_t cols);
/* x and y in [0, 1], from the bottom left; what lies outside is not drawn. */
void plot_point(struct plot *p, double x, double y);
void plot_line(struct plot *p, double x0, double y0, double x1, double y1);
/* Cells without a dot stay as they are. */
void plot_draw(const struct plot *p, struct frame *f, size_t row, size_t col, enum style style);
/* One character in the cell of a point, where plot_draw() with the same row and col put it. */
void plot_mark(const struct plot *p, struct frame *f, size_t row, size_t col, double x, double y, enum style style, const char *mark);

#endif
