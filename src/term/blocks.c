/* blocks.c - pictures as characters: half blocks, and letters by brightness.
 *
 * A cell of half blocks shows two pixels in two colours, and naming a colour takes 13 to 17
 * bytes where a character takes 3.  So what is short is what names few colours: a cell keeps
 * those that are set wherever they will do, and where a colour has to be named it is one that
 * does for both halves if there is such a one. */
#include "blocks.h"

#include <string.h>

#define CLOSE 1   /* with direct colours: steps of a channel, of 255, that a colour may be off by */

/* --- colours --- */

static unsigned distance(const unsigned char *a, const unsigned char *b) {
    unsigned sum = 0;
    for (int c = 0; c < 3; c++) {
        int d = a[c] - b[c];
        sum += (unsigned)(d * d);
    }
    return sum;
}

/* The nearest of the 6x6x6 cube and the 24 greys; 0..15 vary with the user's theme. */
static unsigned nearest_256(const unsigned char *p) {
    static const unsigned char level[6] = { 0, 95, 135, 175, 215, 255 };
    unsigned char cube[3], grey[3];
    unsigned index[3];
    for (int c = 0; c < 3; c++) {
        unsigned i = p[c] < 48 ? 0u : p[c] < 115 ? 1u : ((unsigned)p[c] - 35) / 40;
        index[c] = i;
        cube[c] = level[i];
    }
    unsigned mean = ((unsigned)p[0] + p[1] + p[2]) / 3;
    unsigned step = mean < 8 ? 0 : (mean - 3) / 10;
    if (step > 23) step = 23;
    memset(grey, (int)(8 + 10 * step), sizeof grey);
    if (distance(p, grey) < distance(p, cube)) return 232 + step;
    return 16 + 36 * index[0] + 6 * index[1] + index[2];
}

static unsigned nearest_16(const unsigned char *p) {
    static const unsigned char xterm[16][3] = {
        { 0, 0, 0 }, { 205, 0, 0 }, { 0, 205, 0 }, { 205, 205, 0 }, { 0, 0, 238 }, { 205, 0, 205 },
        { 0, 205, 205 }, { 229, 229, 229 }, { 127, 127, 127 }, { 255, 0, 0 }, { 0, 255, 0 },
        { 255, 255, 0 }, { 92, 92, 255 }, { 255, 0, 255 }, { 0, 255, 255 }, { 255, 255, 255 },
    };
    unsigned best = 0;
    for (unsigned i = 1; i < 16; i++)
        if (distance(p, xterm[i]) < distance(p, xterm[best])) best = i;
    return best;
}

/* Red, green, blue as the terminal will see it: equal numbers, equal colours. */
static uint32_t colour_number(const unsigned char *p, enum colour_depth depth) {
    if (depth == COLOUR_TRUE) return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    return depth == COLOUR_256 ? nearest_256(p) : nearest_16(p);
}

/* The SGR parameters of a colour; ground is 3 (text) or 4 (behind it); UNSET: the terminal's own. */
#define UNSET UINT32_MAX

static void add_colour(struct buf *out, int ground, uint32_t n, enum colour_depth depth) {
    if (n == UNSET)
        buf_printf(out, "%d9", ground);
    else if (depth == COLOUR_TRUE)
        buf_printf(out, "%d8;2;%u;%u;%u", ground, (unsigned)(n >> 16), (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
    else if (depth == COLOUR_256)
        buf_printf(out, "%d8;5;%u", ground, (unsigned)n);
    else
        buf_printf(out, "%u", (unsigned)(n < 8 ? (unsigned)ground * 10 + n : (unsigned)ground * 10 + 60 + n - 8));
}

static unsigned luminance(const unsigned char *p) {
    return (2126u * p[0] + 7152u * p[1] + 722u * p[2] + 5000) / 10000;
}

static int channel(uint32_t n, int c) { return (int)(n >> 8 * c & 255); }

/* The largest difference of a channel. */
static int apart(uint32_t a, uint32_t b) {
    int most = 0;
    for (int c = 0; c < 3; c++) {
        int d = channel(a, c) - channel(b, c);
        if (d < 0) d = -d;
        if (d > most) most = d;
    }
    return most;
}

static uint32_t middle(uint32_t a, uint32_t b) {
    uint32_t m = 0;
    for (int c = 0; c < 3; c++) m |= (uint32_t)((channel(a, c) + channel(b, c)) / 2) << 8 * c;
    return m;
}

/* Whether pixels of one colour may be shown in another, of so many steps at most. */
static int will_do(uint32_t have, uint32_t want, enum colour_depth depth, int steps) {
    if (have == want) return 1;
    return depth == COLOUR_TRUE && have != UNSET && want != UNSET && apart(have, want) <= steps;
}

/* --- half blocks --- */

#define UPPER "\xE2\x96\x80"   /* U+2580 */
#define LOWER "\xE2\x96\x84"   /* U+2584 */
#define FULL "\xE2\x96\x88"    /* U+2588 */

/* A cell's character, and the colours that the terminal has set for it. */
struct cell { const char *text; uint32_t fg, bg; };

/* One sequence for what changes. */
static void set_colours(struct buf *out, const struct cell *now, const struct cell *next, enum colour_depth depth) {
    int new_fg = next->fg != now->fg, new_bg = next->bg != now->bg;
    if (!new_fg && !new_bg) return;
    buf_text(out, "\033[");
    if (new_fg) add_colour(out, 3, next->fg, depth);
    if (new_fg && new_bg) buf_text(out, ";");
    if (new_bg) add_colour(out, 4, next->bg, depth);
    buf_text(out, "m");
}

/* The pixels' two colours as they are called, and those that are set. */
struct pair { uint32_t top, bottom; };

static struct cell two_colours(const struct cell *now, const char *text, uint32_t fg, uint32_t bg, enum colour_depth depth) {
    return (struct cell){ text, will_do(now->fg, fg, depth, CLOSE) ? now->fg : fg, will_do(now->bg, bg, depth, CLOSE) ? now->bg : bg };
}

/* The one colour that does for both, `set` if that does; 0: there is none. */
static int one_colour(uint32_t *one, uint32_t set, const struct pair *p, enum colour_depth depth) {
    if (will_do(set, p->top, depth, CLOSE) && will_do(set, p->bottom, depth, CLOSE)) *one = set;
    else if (p->top == p->bottom) *one = p->top;
    else if (will_do(p->top, p->bottom, depth, 2 * CLOSE)) *one = middle(p->top, p->bottom);
    else return 0;
    return 1;
}

/* What a cell costs: colours to name, then bytes of its character, then what it is off by. */
static int cost(const struct cell *c, const struct cell *now, const struct pair *p, enum colour_depth depth) {
    uint32_t top = c->text[0] == ' ' || strcmp(c->text, LOWER) == 0 ? c->bg : c->fg;
    uint32_t bottom = c->text[0] == ' ' || strcmp(c->text, UPPER) == 0 ? c->bg : c->fg;
    int named = (c->fg != now->fg) + (c->bg != now->bg);
    int off = depth == COLOUR_TRUE ? (top != p->top) + (bottom != p->bottom) : 0;
    return 16 * named + 4 * (int)strlen(c->text) + off;
}

static void consider(struct cell *best, struct cell c, const struct cell *now, const struct pair *p, enum colour_depth depth) {
    if (!best->text || cost(&c, now, p, depth) < cost(best, now, p, depth)) *best = c;
}

/* The cheapest cell of two pixels after the one before. */
static struct cell choose(const struct cell *now, const struct pair *p, enum colour_depth depth) {
    struct cell best = { NULL, 0, 0 };
    uint32_t one;
    if (one_colour(&one, now->bg, p, depth)) consider(&best, (struct cell){ " ", now->fg, one }, now, p, depth);
    if (one_colour(&one, now->fg, p, depth)) consider(&best, (struct cell){ FULL, one, now->bg }, now, p, depth);
    consider(&best, two_colours(now, UPPER, p->top, p->bottom, depth), now, p, depth);
    if (p->bottom != UNSET) consider(&best, two_colours(now, LOWER, p->bottom, p->top, depth), now, p, depth);
    return best;
}

/* One line of half blocks from two rows of pixels; below is NULL after an odd
 * last one, whose cells then show the terminal's own background. */
static void half_line(struct buf *out, struct cell *now, const unsigned char *above, const unsigned char *below,
                      size_t width, enum colour_depth depth) {
    for (size_t x = 0; x < width; x++) {
        if (depth == COLOUR_MONO) {
            int a = luminance(above + 3 * x) > 127, b = below && luminance(below + 3 * x) > 127;
            buf_text(out, a && b ? FULL : a ? UPPER : b ? LOWER : " ");
            continue;
        }
        struct pair p = { colour_number(above + 3 * x, depth), below ? colour_number(below + 3 * x, depth) : UNSET };
        struct cell next = choose(now, &p, depth);
        set_colours(out, now, &next, depth);
        buf_text(out, next.text);
        *now = next;
    }
}

void blocks_half(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit, enum colour_depth depth) {
    struct cell now = { NULL, UNSET, UNSET };
    size_t stride = fit->width * 3;
    for (size_t y = 0; y < fit->height; y += 2) {
        if (y) buf_text(out, "\n");
        half_line(out, &now, rgb + y * stride, y + 1 < fit->height ? rgb + (y + 1) * stride : NULL, fit->width, depth);
    }
    buf_text(out, "\033[m");
}

/* --- letters --- */

void blocks_ascii(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit) {
    static const char ramp[] = " .:-=+*#%@";
    for (size_t y = 0; y < fit->height; y++) {
        if (y) buf_text(out, "\n");
        for (size_t x = 0; x < fit->width; x++) {
            unsigned l = luminance(rgb + (y * fit->width + x) * 3);
            buf_add(out, &ramp[(l * (sizeof ramp - 2) + 127) / 255], 1);
        }
    }
    buf_text(out, "\033[m");
}
