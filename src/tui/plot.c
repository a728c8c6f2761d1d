/* plot.c - braille: U+2800 plus a bit for each dot. */
#include "plot.h"

#include "dtrak/text.h"

#include <math.h>
#include <string.h>

void plot_start(struct plot *p, size_t rows, size_t cols) {
    memset(p, 0, sizeof *p);
    p->rows = rows < PLOT_ROWS ? rows : PLOT_ROWS;
    p->cols = cols < PLOT_COLS ? cols : PLOT_COLS;
}

/* The dot of a point, from the top left; 0: it lies outside. */
static int dot_at(const struct plot *p, double x, double y, size_t *i, size_t *j) {
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1) || !p->rows || !p->cols) return 0;
    size_t w = p->cols * 2, h = p->rows * 4;
    *i = (size_t)(x * (double)w);
    *j = (size_t)((1 - y) * (double)h);
    if (*i == w) --*i;
    if (*j == h) --*j;
    return 1;
}

void plot_point(struct plot *p, double x, double y) {
    /* Dots of a cell, row by row: left, right. */
    static const unsigned char bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    size_t i, j;
    if (dot_at(p, x, y, &i, &j)) p->dots[j / 4][i / 2] |= bit[j % 4][i % 2];
}

void plot_mark(const struct plot *p, struct frame *f, size_t row, size_t col, double x, double y, enum style style, const char *mark) {
    size_t i, j;
    if (dot_at(p, x, y, &i, &j)) frame_text(f, row + j / 4, col + i / 2, style, mark);
}

void plot_line(struct plot *p, double x0, double y0, double x1, double y1) {
    double steps = fmax(fabs(x1 - x0) * (double)p->cols * 2, fabs(y1 - y0) * (double)p->rows * 4);
    if (!isfinite(steps)) return;
    size_t n = (size_t)fmin(ceil(steps), 4000) + 1;
    for (size_t i = 0; i <= n; i++) {
        double t = (double)i / (double)n;
        plot_point(p, x0 + t * (x1 - x0), y0 + t * (y1 - y0));
    }
}

void plot_draw(const struct plot *p, struct frame *f, size_t row, size_t col, enum style style) {
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->cols; c++) {
            char text[5] = "";
            if (!p->dots[r][c]) continue;
            text[text_encode(text, 0x2800u + p->dots[r][c])] = 0;
            frame_text(f, row + r, col + c, style, text);
        }
}
