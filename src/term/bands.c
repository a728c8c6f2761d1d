/* bands.c - see bands.h.
 *
 * A band is six rows of pixels.  In it each colour is painted by itself, from left to right; a
 * return to the left edge lets the next colours be painted over the same columns.  What a
 * colour paints is cut where it pauses for long, and pieces that do not overlap share a pass,
 * whatever their colours: so there are few returns and few blanks.  The commonest colours
 * have the shortest numbers.
 *
 * Pieces arise in the order of their first columns, and a pass that is free takes the next of
 * them.  What a pass paints where a later one paints too does not show, so a run may go on there
 * as it likes.  The time is linear in the pixels. */
#include "bands.h"
#include "dtrak/mem.h"

#include <stdint.h>
#include <string.h>

enum { BAND = 6, PAUSE = 8 };   /* columns of a pause that is bridged */

struct dot { uint16_t x; unsigned char rows; uint32_t next; };     /* a column of one colour; next is one more, 0: none */
struct piece { uint16_t from, to; unsigned char colour; uint32_t first, last, next, dots; };

struct bands {
    struct dot *dot;
    struct piece *piece;
    unsigned char *later;        /* rows of a column that are still to be painted */
    uint32_t *head, *tail, *idle, *ending, *after, *weight;   /* passes: their pieces; those free; by last column, and the next there */
    size_t dots, pieces, passes;
    uint32_t open[256];          /* a colour's latest piece, and one more */
};

/* --- pieces --- */

static void add_dot(struct bands *b, unsigned char colour, size_t x, unsigned char rows) {
    struct piece *p = b->open[colour] ? &b->piece[b->open[colour] - 1] : NULL;
    uint32_t at = (uint32_t)b->dots++;
    b->dot[at] = (struct dot){ (uint16_t)x, rows, 0 };
    if (p && x - p->to <= PAUSE) {
        b->dot[p->last].next = at + 1;
        p->last = at;
        p->to = (uint16_t)x;
        p->dots++;
        return;
    }
    b->piece[b->pieces++] = (struct piece){ (uint16_t)x, (uint16_t)x, colour, at, at, 0, 1 };
    b->open[colour] = (uint32_t)b->pieces;
}

static void cut(struct bands *b, const unsigned char *band, size_t width, size_t rows, int has_holes) {
    b->dots = b->pieces = 0;
    memset(b->open, 0, sizeof b->open);
    memset(b->later, 0, width);
    for (size_t x = 0; x < width; x++) {
        unsigned done = 0;
        for (size_t y = 0; y < rows; y++) {
            unsigned char colour = band[y * width + x];
            unsigned mine = 0;
            if (done >> y & 1) continue;
            for (size_t k = y; k < rows; k++) mine |= (unsigned)(band[k * width + x] == colour) << k;
            done |= mine;
            if (has_holes && !colour) continue;
            add_dot(b, colour, x, (unsigned char)mine);
            b->later[x] |= (unsigned char)mine;
        }
    }
}

/* --- passes --- */

/* Gives every piece to a pass that has come to its end before it. */
static void arrange(struct bands *b, size_t width) {
    size_t next = 0, idle = 0;
    b->passes = 0;
    memset(b->ending, 0, width * sizeof *b->ending);
    for (size_t x = 0; x < width; x++) {
        for (; next < b->pieces && b->piece[next].from == x; next++) {
            uint32_t pass = idle ? b->idle[--idle] : (uint32_t)b->passes++;
            if (!b->head[pass]) b->head[pass] = (uint32_t)next + 1;
            else b->piece[b->tail[pass]].next = (uint32_t)next + 1;
            b->tail[pass] = (uint32_t)next;
            b->after[pass] = b->ending[b->piece[next].to];
            b->ending[b->piece[next].to] = pass + 1;
        }
        for (uint32_t p = b->ending[x]; p; p = b->after[p - 1]) b->idle[idle++] = p - 1;
    }
}

/* buf_printf() would take half of the time of a picture. */
static void add_number(struct buf *out, char before, size_t n) {
    char text[24], *at = text + sizeof text;
    do *--at = (char)('0' + n % 10); while (n /= 10);
    *--at = before;
    buf_add(out, at, (size_t)(text + sizeof text - at));
}

static void add_run(struct buf *out, size_t n, unsigned rows) {
    char c = (char)('?' + rows), few[3] = { c, c, c };
    if (n <= 3) {
        buf_add(out, few, n);
        return;
    }
    add_number(out, '!', n);
    buf_add(out, &c, 1);
}

/* In runs as long as can be: a run's rows are all that its columns need, and none that one of
 * them cannot have.  What comes later there covers what it need not have been. */
static void add_piece(struct buf *out, struct bands *b, const struct piece *p) {
    size_t from = p->from;
    unsigned need = 0, can = 63;
    uint32_t at = p->first + 1;
    for (size_t x = from; x <= p->to; x++) {
        unsigned here = 0;
        if (at && b->dot[at - 1].x == x) {
            here = b->dot[at - 1].rows;
            at = b->dot[at - 1].next;
        }
        unsigned may = here | b->later[x];
        b->later[x] &= (unsigned char)~here;
        if ((need | here) & ~(can & may)) {
            add_run(out, x - from, need);
            from = x;
            need = here;
            can = may;
        } else {
            need |= here;
            can &= may;
        }
    }
    add_run(out, p->to + 1 - from, need);
}

/* The passes with the most columns first: they have the most to gain from what covers them. */
static void order(struct bands *b, unsigned char *place) {
    for (size_t i = 0; i < b->passes; i++) {
        b->weight[i] = 0;
        for (uint32_t at = b->head[i]; at; at = b->piece[at - 1].next) b->weight[i] += b->piece[at - 1].dots;
        size_t k = i;
        for (; k && b->weight[place[k - 1]] < b->weight[i]; k--) place[k] = place[k - 1];
        place[k] = (unsigned char)i;
    }
}

static void add_passes(struct buf *out, struct bands *b) {
    unsigned colour = 256;
    unsigned char place[256];      /* as many passes as colours, at most */
    order(b, place);
    for (size_t i = 0; i < b->passes; i++) {
        size_t x = 0;
        if (i) buf_text(out, "$");
        for (uint32_t at = b->head[place[i]]; at; at = b->piece[at - 1].next) {
            const struct piece *p = &b->piece[at - 1];
            if (p->colour != colour) add_number(out, '#', p->colour);
            colour = p->colour;
            add_run(out, p->from - x, 0);
            add_piece(out, b, p);
            x = (size_t)p->to + 1;
        }
    }
    memset(b->head, 0, b->passes * sizeof *b->head);
}

/* --- the whole --- */

/* Numbers by how often they come; 0 stays 0 where it is a hole.  place[number] is the old one. */
static size_t renumber(unsigned char *index, size_t pixels, unsigned char place[256], int has_holes) {
    size_t count[256] = { 0 }, used = (size_t)has_holes;
    unsigned char number[256] = { 0 };
    for (size_t i = 0; i < pixels; i++) count[index[i]]++;
    place[0] = 0;
    for (size_t c = (size_t)has_holes; c < 256; c++) {
        if (!count[c]) continue;
        size_t at = used++;
        for (; at > (size_t)has_holes && count[place[at - 1]] < count[c]; at--) place[at] = place[at - 1];
        place[at] = (unsigned char)c;
    }
    for (size_t i = (size_t)has_holes; i < used; i++) number[place[i]] = (unsigned char)i;
    for (size_t i = 0; i < pixels; i++) index[i] = number[index[i]];
    return used;
}

static int take(struct bands *b, size_t width) {
    size_t most = BAND * width;
    memset(b, 0, sizeof *b);
    b->dot = mem_array(most, sizeof *b->dot);
    b->piece = mem_array(most, sizeof *b->piece);
    b->head = mem_array(5 * most + width, sizeof *b->head);
    b->later = mem_array(width, 1);
    if (!b->dot || !b->piece || !b->head || !b->later) return 0;
    b->tail = b->head + most;
    b->idle = b->tail + most;
    b->after = b->idle + most;
    b->weight = b->after + most;
    b->ending = b->weight + most;
    return 1;
}

static void release(struct bands *b) {
    mem_free(b->dot);
    mem_free(b->piece);
    mem_free(b->head);
    mem_free(b->later);
}

enum status bands_encode(struct buf *out, const unsigned char *index, size_t width, size_t height,
                         const unsigned char *rgb, int has_holes) {
    struct bands b;
    unsigned char place[256], *mine = mem_array(width * height, 1);
    if (!take(&b, width) || !mine) {
        release(&b);
        mem_free(mine);
        return fail(ERR_NOMEM, "sixel: out of memory");
    }
    memcpy(mine, index, width * height);
    size_t used = renumber(mine, width * height, place, has_holes);
    buf_printf(out, "\033P%sq\"1;1;%zu;%zu", has_holes ? "0;1" : "", width, height);   /* P2 = 1: holes show what is there */
    for (size_t i = (size_t)has_holes; i < used; i++) {
        const unsigned char *c = rgb + 3 * place[i];
        buf_printf(out, "#%zu;2;%d;%d;%d", i, (c[0] * 100 + 127) / 255, (c[1] * 100 + 127) / 255, (c[2] * 100 + 127) / 255);
    }
    for (size_t top = 0; top < height; top += BAND) {
        if (top) buf_text(out, "-");
        cut(&b, mine + top * width, width, height - top < BAND ? height - top : BAND, has_holes);
        arrange(&b, width);
        add_passes(out, &b);
    }
    buf_text(out, "\033\\");
    release(&b);
    mem_free(mine);
    return buf_status(out);
}
