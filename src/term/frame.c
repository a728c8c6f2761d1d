/* frame.c - the grid of cells and its dump.
 *
 * A wide character takes two cells: the left one holds it, the right one has
 * width 0.  Overwriting either half blanks the other, so no row ever holds half
 * a character. */
#include "dtrak/frame.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <stdarg.h>
#include <string.h>

struct frame {
    size_t rows, cols;
    struct cell *cells;               /* [rows][cols] */
    struct image_box *images;         /* [FRAME_IMAGES] */
    size_t image_count;
    int has_focus;
    size_t focus_row, focus_col;
};

static const struct cell blank = { ' ', { 0, 0 }, 1, STYLE_NORMAL };

enum status frame_new(struct frame **out, size_t rows, size_t cols) {
    *out = NULL;
    struct frame *f = mem_array(1, sizeof *f);
    if (!f) return fail(ERR_NOMEM, "frame: out of memory");
    f->images = mem_array(FRAME_IMAGES, sizeof *f->images);
    enum status st = f->images ? frame_resize(f, rows, cols)
                               : fail(ERR_NOMEM, "frame: out of memory");
    if (st != OK) { frame_free(f); return st; }
    *out = f;
    return OK;
}

void frame_free(struct frame *f) {
    if (!f) return;
    mem_free(f->cells);
    mem_free(f->images);
    mem_free(f);
}

enum status frame_resize(struct frame *f, size_t rows, size_t cols) {
    if (rows == 0 || cols == 0 || rows > FRAME_SIDE || cols > FRAME_SIDE)
        return fail(ERR_RANGE, "frame: %zu x %zu cells, expected 1..%d a side", cols, rows,
                    FRAME_SIDE);
    struct cell *cells = mem_array(rows * cols, sizeof *cells);
    if (!cells) return fail(ERR_NOMEM, "frame: out of memory");
    mem_free(f->cells);
    f->cells = cells;
    f->rows = rows;
    f->cols = cols;
    frame_clear(f);
    return OK;
}

void frame_clear(struct frame *f) {
    for (size_t i = 0; i < f->rows * f->cols; i++) f->cells[i] = blank;
    f->image_count = 0;
    f->has_focus = 0;
}

void frame_focus(struct frame *f, size_t row, size_t col) {
    f->has_focus = 1;
    f->focus_row = row;
    f->focus_col = col;
}

int frame_focus_at(const struct frame *f, size_t *row, size_t *col) {
    *row = f->focus_row;
    *col = f->focus_col;
    return f->has_focus;
}

size_t frame_rows(const struct frame *f) { return f->rows; }
size_t frame_cols(const struct frame *f) { return f->cols; }
size_t frame_image_count(const struct frame *f) { return f->image_count; }

const struct cell *frame_cell(const struct frame *f, size_t row, size_t col) {
    return &f->cells[row * f->cols + col];
}

const struct image_box *frame_image_at(const struct frame *f, size_t i) { return &f->images[i]; }

/* Cuts a rectangle at the frame's edges; 0 when nothing is left. */
static int clip(const struct frame *f, size_t row, size_t col, size_t *rows, size_t *cols) {
    if (row >= f->rows || col >= f->cols) return 0;
    if (*rows > f->rows - row) *rows = f->rows - row;
    if (*cols > f->cols - col) *cols = f->cols - col;
    return *rows > 0 && *cols > 0;
}

/* Removes the image boxes that share a cell with the rectangle. */
static void uncover(struct frame *f, size_t row, size_t col, size_t rows, size_t cols) {
    size_t kept = 0;
    for (size_t i = 0; i < f->image_count; i++) {
        const struct image_box *b = &f->images[i];
        int apart = b->row + b->rows <= row || row + rows <= b->row
                 || b->col + b->cols <= col || col + cols <= b->col;
        if (!apart) continue;
        if (kept != i) f->images[kept] = *b;
        kept++;
    }
    f->image_count = kept;
}

/* The cell, ready to be overwritten: no half of a wide character stays beside it. */
static struct cell *take(struct frame *f, size_t row, size_t col) {
    struct cell *c = &f->cells[row * f->cols + col];
    if (c->width == 0 && col > 0) {
        c[-1].cp = ' ';
        c[-1].width = 1;
        memset(c[-1].mark, 0, sizeof c[-1].mark);
    } else if (c->width == 2 && col + 1 < f->cols) {
        c[1] = blank;
        c[1].style = c->style;
    }
    return c;
}

static void put(struct frame *f, size_t row, size_t col, enum style style, uint32_t cp, int width) {
    struct cell *c = take(f, row, col);
    *c = (struct cell){ cp, { 0, 0 }, (uint8_t)width, (uint8_t)style };
    if (width == 2) {
        struct cell *right = take(f, row, col + 1);
        *right = (struct cell){ 0, { 0, 0 }, 0, (uint8_t)style };
    }
}

static void put_mark(struct frame *f, size_t row, size_t start, size_t col, uint32_t cp) {
    if (col == start) return;   /* nothing to stand on */
    struct cell *c = &f->cells[row * f->cols + col - 1];
    if (c->width == 0) c--;
    for (size_t i = 0; i < FRAME_MARKS; i++)
        if (!c->mark[i]) { c->mark[i] = cp; return; }
}

/* The next character of s made safe: a 0-terminated string of one code point,
 * or an escape.  Returns the bytes of s used. */
static size_t safe_next(const char *s, char safe[32]) {
    uint32_t cp;
    char one[8];
    size_t n = text_decode(s, &cp);
    if (n == 0) return 0;
    memcpy(one, s, n);
    one[n] = 0;
    text_escape(safe, 32, one);
    return n;
}

/* Writes s from col up to end (not included); stops at what does not fit. */
static size_t write_text(struct frame *f, size_t row, size_t col, size_t end, enum style style,
                         const char *s) {
    size_t at = col, n;
    char safe[32];
    while ((n = safe_next(s, safe))) {
        s += n;
        size_t m;
        uint32_t cp;
        for (const char *p = safe; (m = text_decode(p, &cp)); p += m) {
            int width = text_cp_width(cp);
            if (width == 0) { put_mark(f, row, col, at, cp); continue; }
            if (at >= end) return at - col;
            if (width == 2 && at + 1 >= end) { cp = ' '; width = 1; }
            put(f, row, at, style, cp, width);
            at += (size_t)width;
        }
    }
    return at - col;
}

/* Cells that s takes when written, or anything over limit when it is more. */
static size_t safe_width(const char *s, size_t limit) {
    size_t cells = 0, n;
    char safe[32];
    while (cells <= limit && (n = safe_next(s, safe))) {
        cells += text_width(safe);
        s += n;
    }
    return cells;
}

size_t frame_text(struct frame *f, size_t row, size_t col, enum style style, const char *utf8) {
    size_t rows = 1, cols = SIZE_MAX;
    if (!clip(f, row, col, &rows, &cols)) return 0;
    size_t used = write_text(f, row, col, col + cols, style, utf8);
    if (used) uncover(f, row, col, 1, used);
    return used;
}

size_t frame_text_in(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                     const char *utf8) {
    size_t rows = 1;
    if (!clip(f, row, col, &rows, &cells)) return 0;
    size_t used;
    if (safe_width(utf8, cells) <= cells) {
        used = write_text(f, row, col, col + cells, style, utf8);
    } else {
        used = write_text(f, row, col, col + cells - 1, style, utf8);
        put(f, row, col + used, style, 0x2026, 1);
        used++;
    }
    if (used) uncover(f, row, col, 1, used);
    return used;
}

size_t frame_printf(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                    const char *fmt, ...) {
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0) return 0;
    return frame_text_in(f, row, col, cells, style, line);
}

void frame_fill(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                enum style style, uint32_t cp) {
    if (!clip(f, row, col, &rows, &cols)) return;
    if (text_cp_width(cp) != 1) cp = ' ';
    for (size_t r = row; r < row + rows; r++)
        for (size_t c = col; c < col + cols; c++) put(f, r, c, style, cp, 1);
    uncover(f, row, col, rows, cols);
}

void frame_restyle(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                   enum style style) {
    if (!clip(f, row, col, &rows, &cols)) return;
    for (size_t r = row; r < row + rows; r++)
        for (size_t c = col; c < col + cols; c++)
            f->cells[r * f->cols + c].style = (uint8_t)style;
    /* Cells under a picture stay plain: the terminal takes them for empty. */
    for (size_t i = 0; i < f->image_count; i++) {
        const struct image_box *b = &f->images[i];
        for (size_t r = b->row; r < b->row + b->rows; r++)
            for (size_t c = b->col; c < b->col + b->cols; c++)
                f->cells[r * f->cols + c].style = STYLE_NORMAL;
    }
}

void frame_box(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
               enum style style, const char *title) {
    if (rows < 2 || cols < 2) return;
    size_t seen_rows = rows, seen_cols = cols;
    if (!clip(f, row, col, &seen_rows, &seen_cols)) return;
    int right = seen_cols == cols, bottom = seen_rows == rows;
    frame_fill(f, row, col, 1, seen_cols, style, 0x2500);
    frame_fill(f, row, col, seen_rows, 1, style, 0x2502);
    if (bottom) frame_fill(f, row + rows - 1, col, 1, seen_cols, style, 0x2500);
    if (right) frame_fill(f, row, col + cols - 1, seen_rows, 1, style, 0x2502);
    put(f, row, col, style, 0x250C, 1);
    if (right) put(f, row, col + cols - 1, style, 0x2510, 1);
    if (bottom) put(f, row + rows - 1, col, style, 0x2514, 1);
    if (right && bottom) put(f, row + rows - 1, col + cols - 1, style, 0x2518, 1);
    if (!title || !*title || cols < 6) return;
    enum style title_style = style == STYLE_BORDER ? STYLE_TITLE : style;
    frame_fill(f, row, col + 1, 1, 1, style, ' ');
    size_t used = frame_text_in(f, row, col + 2, cols - 4, title_style, title);
    frame_fill(f, row, col + 2 + used, 1, 1, style, ' ');
}

size_t frame_meter(struct frame *f, size_t row, size_t col, size_t cells, enum style style,
                   double fraction) {
    if (!(fraction > 0)) fraction = 0;   /* NaN too */
    if (fraction > 1) fraction = 1;
    if (cells > FRAME_SIDE) cells = FRAME_SIDE;
    size_t eighths = (size_t)(fraction * (double)(cells * 8) + 0.5);
    frame_fill(f, row, col, 1, cells, style, ' ');
    frame_fill(f, row, col, 1, eighths / 8, style, 0x2588);
    if (eighths % 8)
        frame_fill(f, row, col + eighths / 8, 1, 1, style, (uint32_t)(0x2590 - eighths % 8));
    return (eighths + 7) / 8;
}

void frame_image(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                 uint64_t key, const char *label) {
    if (!clip(f, row, col, &rows, &cols)) return;
    frame_fill(f, row, col, rows, cols, STYLE_NORMAL, ' ');
    if (f->image_count == FRAME_IMAGES) return;
    struct image_box *b = &f->images[f->image_count++];
    *b = (struct image_box){ .row = row, .col = col, .rows = rows, .cols = cols, .key = key };
    text_escape(b->label, sizeof b->label, label ? label : "");
}

static void dump_cell(const struct cell *c, FILE *out) {
    char utf8[4];
    fwrite(utf8, 1, text_encode(utf8, c->cp), out);
    for (size_t i = 0; i < FRAME_MARKS && c->mark[i]; i++)
        fwrite(utf8, 1, text_encode(utf8, c->mark[i]), out);
}

/* The box whose top row this is and that covers col, or NULL. */
static const struct image_box *box_over(const struct frame *f, size_t row, size_t col) {
    for (size_t i = 0; i < f->image_count; i++) {
        const struct image_box *b = &f->images[i];
        if (b->row == row && col >= b->col && col < b->col + b->cols) return b;
    }
    return NULL;
}

void frame_dump(const struct frame *f, FILE *out) {
    for (size_t r = 0; r < f->rows; r++) {
        size_t blanks = 0;
        for (size_t c = 0; c < f->cols; c++) {
            const struct image_box *b = box_over(f, r, c);
            if (b) {
                char text[FRAME_LABEL + 32];
                snprintf(text, sizeof text, "[%s %zux%zu]", b->label, b->cols, b->rows);
                size_t bytes = text_fit(text, b->cols), cells;
                text[bytes] = 0;
                cells = text_width(text);
                fprintf(out, "%*s%s", (int)blanks, "", text);
                blanks = b->cols - cells;
                c += b->cols - 1;
                continue;
            }
            const struct cell *cell = frame_cell(f, r, c);
            if (cell->width == 0) continue;
            if (cell->cp == ' ' && !cell->mark[0]) { blanks++; continue; }
            if (blanks) fprintf(out, "%*s", (int)blanks, "");
            blanks = 0;
            dump_cell(cell, out);
        }
        fputc('\n', out);
    }
}

uint64_t frame_text_hash(const struct frame *f, size_t row, size_t rows) {
    uint64_t all = 1;
    for (size_t r = row; r < row + rows && r < f->rows; r++)
        for (size_t c = 0; c < f->cols; c++) {
            const struct cell *x = frame_cell(f, r, c);
            uint64_t what[] = { all, x->cp, x->mark[0], x->mark[1], x->style, (r - row) * f->cols + c };
            if (x->cp != ' ' || x->style || x->mark[0]) all = hash_xxh3(what, sizeof what);
        }
    return all;
}
