/* blocks_decode.c - a terminal that only knows half blocks. */
#include "blocks_decode.h"

#include <string.h>

struct blocks {
    unsigned char *rgb;
    struct blocks_pen pen;
    size_t rows, cols, row, col, saved_row, saved_col, cells;
};

static void indexed(unsigned char *rgb, unsigned n) {
    for (unsigned i = 0, d = 36; i < 3; i++, d /= 6) {
        unsigned level = n < 16 ? 0 : (n - 16) / d % 6;
        rgb[i] = (unsigned char)(n >= 232 ? 8 + 10 * (n - 232) : level ? 55 + 40 * level : 0);
    }
}

static void set(struct blocks_pen *pen, unsigned parameter, const unsigned char *rgb) {
    int is_text = (parameter >= 30 && parameter < 40) || (parameter >= 90 && parameter < 100);
    memcpy(is_text ? pen->fg : pen->bg, rgb, 3);
    *(is_text ? &pen->has_fg : &pen->has_bg) = parameter == 38 || parameter == 48;
}

void blocks_sgr(struct blocks_pen *pen, const unsigned *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char rgb[3] = { 0 };
        unsigned what = v[i];
        if (what == 0) memset(pen, 0, sizeof *pen);
        if ((what == 38 || what == 48) && i + 4 < n && v[i + 1] == 2) {
            for (size_t c = 0; c < 3; c++) rgb[c] = (unsigned char)v[i + 2 + c];
            i += 4;
        } else if ((what == 38 || what == 48) && i + 2 < n && v[i + 1] == 5) {
            indexed(rgb, v[i + 2]);
            i += 2;
        }
        if ((what >= 30 && what < 50) || (what >= 90 && what < 108)) set(pen, what, rgb);
    }
}

static size_t back(size_t at, size_t by) { return at > by ? at - by : 0; }

/* One sequence from ESC on; returns its length. */
static size_t sequence(struct blocks *b, const char *s, size_t len) {
    unsigned v[32] = { 0 };
    size_t n = 1, at = 2;
    if (len < 2) return len;
    if (s[1] == '7') { b->saved_row = b->row; b->saved_col = b->col; }
    if (s[1] == '8') { b->row = b->saved_row; b->col = b->saved_col; }
    if (s[1] == ']') {                      /* up to BEL or ST */
        while (at < len && s[at] != '\a' && s[at] != '\033') at++;
        return at < len && s[at] == '\033' ? at + 2 : at + 1;
    }
    if (s[1] != '[') return 2;
    for (; at < len && (unsigned char)s[at] < 0x40; at++) {
        if (s[at] >= '0' && s[at] <= '9') v[n - 1] = v[n - 1] * 10 + (unsigned)(s[at] - '0');
        else if (n < 32) n++;
    }
    if (at == len) return len;
    size_t by = v[0] ? v[0] : 1;
    switch (s[at]) {
    case 'm': blocks_sgr(&b->pen, v, n); break;
    case 'H': b->row = by - 1; b->col = v[1] ? v[1] - 1 : 0; break;
    case 'A': b->row = back(b->row, by); break;
    case 'B': b->row += by; break;
    case 'C': b->col += by; break;
    case 'D': b->col = back(b->col, by); break;
    case 'G': b->col = by - 1; break;
    }
    return at + 1;
}

static void cell(struct blocks *b, int upper, int lower) {
    if (b->row < b->rows && b->col < b->cols) {
        memcpy(b->rgb + (2 * b->row * b->cols + b->col) * 3, upper ? b->pen.fg : b->pen.bg, 3);
        memcpy(b->rgb + ((2 * b->row + 1) * b->cols + b->col) * 3, lower ? b->pen.fg : b->pen.bg, 3);
    }
    b->col++;
    b->cells++;
}

size_t blocks_decode(unsigned char *rgb, size_t rows, size_t cols, const char *s, size_t len) {
    struct blocks b = { .rgb = rgb, .rows = rows, .cols = cols };
    for (size_t at = 0; at < len;) {
        size_t left = len - at;
        const char *p = s + at;
        if (*p == '\033') { size_t n = sequence(&b, p, left); at += n < left ? n : left; continue; }
        if (left >= 3 && (!memcmp(p, "\xE2\x96\x80", 3) || !memcmp(p, "\xE2\x96\x84", 3) || !memcmp(p, "\xE2\x96\x88", 3))) {
            cell(&b, p[2] != '\x84', p[2] != '\x80');
            at += 3;
            continue;
        }
        if (*p == ' ') cell(&b, 0, 0);
        else if (*p == '\r') b.col = 0;
        else if (*p == '\n') { b.col = 0; b.row++; }
        else return 0;
        at++;
    }
    return b.cells;
}
