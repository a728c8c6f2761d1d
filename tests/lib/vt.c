/* vt.c - a small terminal for tests. */
#include "vt.h"
#include "blocks_decode.h"
#include "dtrak/image.h"
#include "dtrak/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES 4096

struct vcell { uint32_t cp; size_t pic; struct blocks_pen pen; };   /* pic: index + 1, 0 none */

struct vt {
    size_t rows, cols, cell_w, cell_h;
    struct vcell *cells;
    size_t row, col, saved_row, saved_col;
    struct blocks_pen pen, saved_pen;
    uint32_t last;              /* the last character, for REP */
    char *seq;                  /* an unfinished sequence or character */
    size_t seq_len, seq_cap;
    struct vt_picture *pics;
    size_t pic_count;
    struct vt_state state;
    char *chunks;               /* kitty: base64 of a picture on its way */
    size_t chunks_len;
    unsigned chunks_id;
    size_t keep;                /* pictures, as tmux does; 0: all */
    void (*ask)(void *, const char *);
    void *ctx;
};

struct vt *vt_new(size_t rows, size_t cols, size_t cell_w, size_t cell_h) {
    struct vt *v = calloc(1, sizeof *v);
    if (!v) abort();
    v->cell_w = cell_w;
    v->cell_h = cell_h;
    v->pics = calloc(PICTURES, sizeof *v->pics);
    if (!v->pics) abort();
    vt_resize(v, rows, cols);
    return v;
}

void vt_free(struct vt *v) {
    if (!v) return;
    for (size_t i = 0; i < v->pic_count; i++) free(v->pics[i].image.rgba);
    free(v->pics);
    free(v->cells);
    free(v->seq);
    free(v->chunks);
    free(v);
}

void vt_on_question(struct vt *v, void (*ask)(void *, const char *), void *ctx) {
    v->ask = ask;
    v->ctx = ctx;
}

static struct vcell *cell(const struct vt *v, size_t row, size_t col) {
    return &v->cells[row * v->cols + col];
}

static void kitty_remove(struct vt *v, unsigned id);

void vt_keep(struct vt *v, size_t most) { v->keep = most; }

static void forget_picture(struct vt *v, size_t pic) {
    for (size_t i = 0; i < v->rows * v->cols; i++)
        if (v->cells[i].pic == pic) v->cells[i].pic = 0;
}

/* A character is about to stand in the cell. */
static void touch(struct vt *v, size_t row, size_t col) {
    size_t pic = cell(v, row, col)->pic;
    if (pic && v->keep) forget_picture(v, pic);
}

static void blank(struct vt *v, size_t row, size_t from, size_t to) {
    if (row >= v->rows) return;
    for (size_t c = from; c < to && c < v->cols; c++) {
        touch(v, row, c);
        *cell(v, row, c) = (struct vcell){ .cp = ' ' };
    }
}

void vt_resize(struct vt *v, size_t rows, size_t cols) {
    struct vcell *old = v->cells;
    size_t old_rows = v->rows, old_cols = v->cols;
    v->cells = calloc(rows * cols, sizeof *v->cells);
    if (!v->cells) abort();
    v->rows = rows;
    v->cols = cols;
    if (v->pic_count) kitty_remove(v, 0);
    for (size_t r = 0; r < rows; r++) {
        blank(v, r, 0, cols);
        for (size_t c = 0; c < cols && r < old_rows && c < old_cols; c++)
            cell(v, r, c)->cp = old[r * old_cols + c].cp;
    }
    free(old);
    if (v->row >= rows) v->row = rows - 1;
    if (v->col >= cols) v->col = cols - 1;
}

void vt_font(struct vt *v, size_t cell_w, size_t cell_h) {
    v->cell_w = cell_w;
    v->cell_h = cell_h;
    vt_resize(v, v->rows, v->cols);
}

static void scroll(struct vt *v) {
    memmove(v->cells, v->cells + v->cols, (v->rows - 1) * v->cols * sizeof *v->cells);
    blank(v, v->rows - 1, 0, v->cols);
}

static void line_feed(struct vt *v) {
    if (v->row + 1 < v->rows) v->row++;
    else scroll(v);
}

static void put(struct vt *v, uint32_t cp) {
    size_t width = (size_t)text_cp_width(cp);
    if (width == 0 || width > v->cols) return;
    if (v->col + width > v->cols) { v->col = 0; line_feed(v); }
    touch(v, v->row, v->col);
    *cell(v, v->row, v->col) = (struct vcell){ cp, 0, v->pen };
    if (width == 2) *cell(v, v->row, v->col + 1) = (struct vcell){ .cp = 0 };
    v->col += width;
    v->last = cp;
}

static size_t cells_left(const struct vt *v, size_t index) {
    size_t n = 0;
    if (v->pics[index].id) return v->pics[index].is_removed ? 0 : v->pics[index].rows * v->pics[index].cols;
    for (size_t i = 0; i < v->rows * v->cols; i++) n += v->cells[i].pic == index + 1;
    return n;
}

static size_t living(const struct vt *v) {
    size_t n = 0;
    for (size_t i = 0; i < v->pic_count; i++) n += cells_left(v, i) > 0;
    return n;
}

/* Draws a whole DCS at the cursor. */
static void picture(struct vt *v, const char *bytes, size_t len) {
    struct sixel_image img;
    if (sixel_decode(&img, bytes, len) != len || v->pic_count == PICTURES) {
        v->state.bad_pictures++;
        return;
    }
    struct vt_picture *p = &v->pics[v->pic_count++];
    size_t touched = (img.height + 5) / 6 * 6;   /* whole bands */
    *p = (struct vt_picture){ .row = v->row, .col = v->col, .rows = (touched + v->cell_h - 1) / v->cell_h,
                              .cols = (img.width + v->cell_w - 1) / v->cell_w, .image = img };
    v->state.pictures_drawn++;
    if (p->row + p->rows >= v->rows) v->state.on_last_row++;
    for (size_t r = p->row; r < p->row + p->rows && r < v->rows; r++)
        for (size_t c = p->col; c < p->col + p->cols && c < v->cols; c++)
            cell(v, r, c)->pic = v->pic_count;
    for (size_t i = 0, there = v->keep ? living(v) : 0; there > v->keep; i++)
        if (cells_left(v, i)) {
            forget_picture(v, i + 1);
            there--;
        }
}

void vt_pixels(const struct vt *v, size_t row, size_t col, size_t w, size_t h, unsigned char *rgba) {
    memset(rgba, 0, w * h * 4);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            size_t r = row + y / v->cell_h, c = col + x / v->cell_w;
            size_t pic = r < v->rows && c < v->cols ? cell(v, r, c)->pic : 0;
            if (!pic) continue;
            const struct vt_picture *p = &v->pics[pic - 1];
            size_t py = (row - p->row) * v->cell_h + y, px = (col - p->col) * v->cell_w + x;
            if (py < p->image.height && px < p->image.width)
                memcpy(rgba + (y * w + x) * 4, p->image.rgba + (py * p->image.width + px) * 4, 4);
        }
}

int vt_blocks(const struct vt *v, size_t row, size_t col, size_t rows, size_t cols, unsigned char *rgb) {
    if (row + rows > v->rows || col + cols > v->cols) return 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            const struct vcell *at = cell(v, row + r, col + c);
            int upper = at->cp == 0x2580 || at->cp == 0x2588, lower = at->cp == 0x2584 || at->cp == 0x2588;
            if (!upper && !lower && at->cp != ' ') return 0;
            if ((upper || lower) && !at->pen.has_fg) return 0;
            if (!(upper && lower) && !at->pen.has_bg) return 0;
            memcpy(rgb + (2 * r * cols + c) * 3, upper ? at->pen.fg : at->pen.bg, 3);
            memcpy(rgb + ((2 * r + 1) * cols + c) * 3, lower ? at->pen.fg : at->pen.bg, 3);
        }
    return 1;
}

/* --- PNG in base64 --- */

static int digit64(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The picture of a PNG in base64; 0 when it is none. */
static int decode_png(struct sixel_image *out, const char *text, size_t len) {
    unsigned char *bytes = malloc(len / 4 * 3 + 3);
    size_t n = 0;
    struct image im = { 0 };
    int good = bytes && len && len % 4 == 0;
    for (size_t i = 0; good && i < len; i += 4) {
        int a = digit64(text[i]), b = digit64(text[i + 1]), c = digit64(text[i + 2]), d = digit64(text[i + 3]);
        int last = i + 4 == len;
        good = a >= 0 && b >= 0 && (c >= 0 || (last && text[i + 2] == '=')) && (d >= 0 || (last && text[i + 3] == '='));
        if (!good) break;
        bytes[n++] = (unsigned char)(a << 2 | b >> 4);
        if (c >= 0) bytes[n++] = (unsigned char)((b & 15) << 4 | c >> 2);
        if (d >= 0) bytes[n++] = (unsigned char)((c & 3) << 6 | d);
    }
    good = good && image_decode(&im, bytes, n, 4, "picture") == OK;
    if (good) {
        *out = (struct sixel_image){ .width = im.width_px, .height = im.height_px };
        out->rgba = malloc(im.width_px * im.height_px * 4);
        if (!out->rgba) abort();
        memcpy(out->rgba, im.pixels, im.width_px * im.height_px * 4);
    }
    image_free(&im);
    free(bytes);
    return good;
}

static struct vt_picture *place(struct vt *v, const struct sixel_image *img, size_t rows, size_t cols) {
    if (v->pic_count == PICTURES) abort();
    struct vt_picture *p = &v->pics[v->pic_count++];
    *p = (struct vt_picture){ .row = v->row, .col = v->col, .rows = rows, .cols = cols, .image = *img };
    v->state.pictures_drawn++;
    if (p->row + p->rows >= v->rows) v->state.on_last_row++;
    return p;
}

static void kitty_remove(struct vt *v, unsigned id) {
    for (size_t i = 0; i < v->pic_count; i++)
        if (v->pics[i].id && (!id || v->pics[i].id == id)) v->pics[i].is_removed = 1;
}

/* s: "Gkey=value,..;payload", closed by ST. */
static void kitty(struct vt *v, char *s, size_t len) {
    char *payload = strchr(s, ';'), *key;
    unsigned id = 0;
    if (strstr(s, "a=q")) {
        if (v->ask) v->ask(v->ctx, s);
        return;
    }
    if (payload) *payload++ = 0;
    if ((key = strstr(s, "i=")) != NULL) id = (unsigned)strtoul(key + 2, NULL, 10);
    if (strstr(s, "a=d")) {
        if (!strstr(s, "d=A") && !(strstr(s, "d=I") && id)) v->state.bad_pictures++;
        kitty_remove(v, id);
        return;
    }
    if (!strstr(s, "q=2") || !payload) { v->state.bad_pictures++; return; }
    size_t n = len - (size_t)(payload - s) - 2;
    if (strstr(s, "a=T")) {
        if (v->chunks_len || !id || !strstr(s, "f=100") || !strstr(s, "C=1")) v->state.bad_pictures++;
        v->chunks_len = 0;
        v->chunks_id = id;
    }
    v->chunks = realloc(v->chunks, v->chunks_len + n + 1);
    if (!v->chunks) abort();
    memcpy(v->chunks + v->chunks_len, payload, n);
    v->chunks_len += n;
    if (n > 4096) v->state.bad_pictures++;
    if (strstr(s, "m=1")) return;
    struct sixel_image img;
    if (decode_png(&img, v->chunks, v->chunks_len)) {
        kitty_remove(v, v->chunks_id);
        place(v, &img, (img.height + v->cell_h - 1) / v->cell_h, (img.width + v->cell_w - 1) / v->cell_w)->id = v->chunks_id;
    } else {
        v->state.bad_pictures++;
    }
    v->chunks_len = 0;
}

/* s: "1337;File=..:payload", closed by BEL.  The picture fills its cells. */
static void iterm2(struct vt *v, const char *s, size_t len) {
    const char *colon = strchr(s, ':'), *w = strstr(s, ";width="), *h = strstr(s, ";height=");
    struct sixel_image img;
    size_t cols = w ? strtoul(w + 7, NULL, 10) : 0, rows = h ? strtoul(h + 8, NULL, 10) : 0;
    if (!colon || !rows || !cols || !decode_png(&img, colon + 1, len - (size_t)(colon + 1 - s) - 1)
        || img.width != cols * v->cell_w || img.height != rows * v->cell_h) {
        v->state.bad_pictures++;
        return;
    }
    struct vt_picture *p = place(v, &img, rows, cols);
    for (size_t r = p->row; r < p->row + p->rows && r < v->rows; r++)
        for (size_t c = p->col; c < p->col + p->cols && c < v->cols; c++)
            cell(v, r, c)->pic = v->pic_count;
}

static void unknown(struct vt *v, const char *what) {
    if (!v->state.unknown++) snprintf(v->state.unknown_text, sizeof v->state.unknown_text, "%s", what);
}

static void erase_display(struct vt *v, unsigned how) {
    if (how == 0) blank(v, v->row, v->col, v->cols);
    if (how == 1) blank(v, v->row, 0, v->col + 1);
    for (size_t r = 0; r < v->rows; r++)
        if (how >= 2 || (how == 0 && r > v->row) || (how == 1 && r < v->row)) blank(v, r, 0, v->cols);
    v->state.clears += how >= 2 || (how == 0 && v->row == 0 && v->col == 0);
}

static void mode(struct vt *v, unsigned n, int on) {
    if (n == 1049) v->state.is_alternate = on;
    else if (n == 25) v->state.is_cursor_hidden = !on;
    else if (n == 1000) v->state.is_mouse_on = on;
    else if (n == 1070) v->state.has_own_colours = on;
    else if (n == 2026) v->state.is_in_sync = on;
}

static size_t at_most(size_t a, size_t b) { return a < b ? a : b; }

static void sgr(struct vt *v, const char *s) {
    unsigned n[32] = { 0 };
    size_t count = 1;
    for (; *s != 'm'; s++) {
        if (*s >= '0' && *s <= '9') n[count - 1] = n[count - 1] * 10 + (unsigned)(*s - '0');
        else if (count < 32) count++;
    }
    blocks_sgr(&v->pen, n, count);
}

/* s: parameters and final byte of a CSI sequence. */
static void csi(struct vt *v, const char *s) {
    size_t len = strlen(s);
    char final = s[len - 1];
    unsigned a = 0, b = 0;
    int n = sscanf(s, "%u;%u", &a, &b);
    size_t one = n >= 1 && a ? a : 1;
    if (s[0] == '?' && (final == 'h' || final == 'l')) {
        for (const char *p = s + 1; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL)
            mode(v, (unsigned)atoi(p), final == 'h');
        return;
    }
    if (s[0] == '?' || s[0] == '>' || s[0] == '=') {
        if (v->ask && (final == 'S' || final == 'c' || final == 'p' || final == 'q' || final == 'n'))
            v->ask(v->ctx, s);
        return;
    }
    switch (final) {
    case 'm': sgr(v, s); return;
    case 'r': case 'h': case 'l': return;
    case 'H': case 'f':
        v->row = at_most(one - 1, v->rows - 1);
        v->col = at_most(n >= 2 && b ? b - 1 : 0, v->cols - 1);
        return;
    case 'A': v->row -= at_most(one, v->row); return;
    case 'B': v->row = at_most(v->row + one, v->rows - 1); return;
    case 'C': v->col = at_most(v->col + one, v->cols - 1); return;
    case 'D': v->col = at_most(v->col, v->cols - 1); v->col -= at_most(one, v->col); return;
    case 'G': v->col = at_most(one - 1, v->cols - 1); return;
    case 'd': v->row = at_most(one - 1, v->rows - 1); return;
    case 'X': blank(v, v->row, v->col, v->col + one); return;
    case 'K':
        if (a == 0) blank(v, v->row, v->col, v->cols);
        else if (a == 1) blank(v, v->row, 0, v->col + 1);
        else blank(v, v->row, 0, v->cols);
        return;
    case 'J': erase_display(v, a); return;
    case 'b': for (size_t i = 0; i < one; i++) put(v, v->last); return;
    case 't': case 'c': case 'n': if (v->ask) v->ask(v->ctx, s); return;
    default: unknown(v, s);
    }
}

/* What is wrapped for the terminal outside tmux, with every ESC doubled. */
static void pass(struct vt *v, const char *s, size_t len) {
    char *inner = malloc(len + 1);
    size_t n = 0;
    if (!inner) abort();
    for (size_t i = 0; i < len; i++) {
        inner[n++] = s[i];
        if (s[i] == '\033' && i + 1 < len && s[i + 1] == '\033') i++;
    }
    v->seq_len = 0;
    v->state.passed++;
    vt_feed(v, inner, n);
    free(inner);
}

/* A whole sequence in v->seq, which begins with ESC. */
static void dispatch(struct vt *v) {
    char *s = v->seq;
    s[v->seq_len] = 0;
    switch (s[1]) {
    case '[': csi(v, s + 2); break;
    case 'P':
        if (strncmp(s + 2, "tmux;", 5) == 0) { pass(v, s + 7, v->seq_len - 9); return; }
        picture(v, s, v->seq_len);
        break;
    case '_': if (s[2] == 'G') kitty(v, s + 2, v->seq_len - 2); break;
    case ']':
        if (!strncmp(s + 2, "1337;File=", 10)) iterm2(v, s + 2, v->seq_len - 2);
        if (!strncmp(s + 1, "]11;?", 5) && v->ask) v->ask(v->ctx, "]11;?");
        break;
    case '7': v->saved_row = v->row; v->saved_col = v->col; v->saved_pen = v->pen; break;
    case '8':                    /* the screen may have become smaller since */
        v->row = at_most(v->saved_row, v->rows - 1);
        v->col = at_most(v->saved_col, v->cols - 1);
        v->pen = v->saved_pen;
        break;
    case '(': case ')': case '=': case '>': case '\\': case '^': break;
    default: unknown(v, s + 1);
    }
    v->seq_len = 0;
}

/* Whether v->seq is complete. */
static int complete(const struct vt *v) {
    const char *s = v->seq;
    size_t n = v->seq_len;
    char last = s[n - 1];
    if (n < 2) return 0;
    if (s[1] == '[') return n > 2 && last >= 0x40 && last <= 0x7E;
    if (s[1] == '(' || s[1] == ')') return n == 3;
    if (n > 7 && strncmp(s + 1, "Ptmux;", 6) == 0) {
        size_t escapes = 0;
        while (escapes < n - 8 && s[n - 2 - escapes] == '\033') escapes++;
        return last == '\\' && escapes % 2 == 1;
    }
    if (s[1] == 'P' || s[1] == '_' || s[1] == ']' || s[1] == '^')
        return (n > 3 && s[n - 2] == '\033' && last == '\\') || (s[1] == ']' && last == 7);
    return 1;
}

static void text_byte(struct vt *v, unsigned char b) {
    if (b == '\r') v->col = 0;
    else if (b == '\n') line_feed(v);
    else if (b == '\b') v->col = at_most(v->col, v->cols - 1), v->col -= v->col > 0;
    else if (b == '\t') v->col = at_most((v->col / 8 + 1) * 8, v->cols - 1);
    else if (b >= 0x20) put(v, b);
}

void vt_feed(struct vt *v, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char b = (unsigned char)bytes[i];
        if (!v->seq_len && b < 0x80 && b != 0x1B) { text_byte(v, b); continue; }
        if (v->seq_len + 2 > v->seq_cap) {
            v->seq_cap = v->seq_cap * 2 + 256;
            v->seq = realloc(v->seq, v->seq_cap);
            if (!v->seq) abort();
        }
        v->seq[v->seq_len++] = (char)b;
        if (v->seq[0] == 0x1B) {
            if (complete(v)) dispatch(v);
            continue;
        }
        unsigned char lead = (unsigned char)v->seq[0];
        size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (v->seq_len < need) continue;
        uint32_t cp;
        v->seq[need] = 0;
        text_decode(v->seq, &cp);
        v->seq_len = 0;
        put(v, cp);
    }
}

const char *vt_row(const struct vt *v, size_t row) {
    static char text[8192];
    size_t at = 0, end = 0;
    for (size_t c = 0; row < v->rows && c < v->cols && at + 5 < sizeof text; c++) {
        uint32_t cp = cell(v, row, c)->cp;
        if (cp == 0) continue;
        at += text_encode(text + at, cp);
        if (cp != ' ') end = at;
    }
    text[end] = 0;
    return text;
}

int vt_find(const struct vt *v, const char *text, size_t *row, size_t *col) {
    for (size_t r = 0; r < v->rows; r++) {
        char line[8192];
        snprintf(line, sizeof line, "%s", vt_row(v, r));
        char *hit = strstr(line, text);
        if (!hit) continue;
        *hit = 0;
        if (row) *row = r;
        if (col) *col = text_width(line);
        return 1;
    }
    return 0;
}

size_t vt_pictures(const struct vt *v, const struct vt_picture **out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < v->pic_count; i++)
        if (cells_left(v, i) == v->pics[i].rows * v->pics[i].cols && n < max) out[n++] = &v->pics[i];
    return n;
}

const struct vt_picture *vt_picture_at(const struct vt *v, size_t row, size_t col) {
    for (size_t i = 0; i < v->pic_count; i++)
        if (v->pics[i].id && !v->pics[i].is_removed && v->pics[i].row == row && v->pics[i].col == col)
            return &v->pics[i];
    if (row >= v->rows || col >= v->cols || !cell(v, row, col)->pic) return NULL;
    size_t i = cell(v, row, col)->pic - 1;
    const struct vt_picture *p = &v->pics[i];
    if (p->row != row || p->col != col || cells_left(v, i) != p->rows * p->cols) return NULL;
    return p;
}

size_t vt_torn_cells(const struct vt *v) {
    size_t torn = 0;
    for (size_t i = 0; i < v->pic_count; i++) {
        size_t left = cells_left(v, i);
        const struct vt_picture *p = &v->pics[i];
        if (left != p->rows * p->cols) torn += left;
        if (!p->id || p->is_removed) continue;
        for (size_t r = p->row; r < p->row + p->rows && r < v->rows; r++)
            for (size_t c = p->col; c < p->col + p->cols && c < v->cols; c++) torn += cell(v, r, c)->cp != ' ';
    }
    return torn;
}

struct vt_state vt_state(const struct vt *v) { return v->state; }
