/* painter.c - pixels to bytes: sixel through libsixel, half blocks, ASCII, and
 * what is common to all painters.  See inline.c for kitty and iTerm2.
 *
 * Of libsixel only the palette, the output and sixel_encode() are used: its
 * readers of foreign bytes are where its security holes were. */
#include "dtrak/painter.h"
#include "dtrak/mem.h"
#include "inline.h"
#include "palette.h"
#include "squares.h"

#include <limits.h>
#include <sixel.h>
#include <string.h>

#define SLACK 48           /* of a thumbnail's colours: see squares.h */
#define THUMBNAIL_PX 160   /* up to this side, 64 colours without dither look like 256 */

/* Writes into a struct buf; the signature is libsixel's. */
static int append_sixel(char *data, int size, void *ctx) {
    struct buf *out = ctx;
    if (size > 0) buf_add(out, data, (size_t)size);
    return size;
}

/* Every pixel in the nearest of the colours that were found: rgb becomes their numbers. */
static void map_exactly(sixel_dither_t *dither, unsigned char *rgb, size_t width, size_t rows, unsigned slack) {
    unsigned char colours[256 * 3];
    struct palette p;
    size_t n = (size_t)sixel_dither_get_num_of_palette_colors(dither);
    memcpy(colours, sixel_dither_get_palette(dither), 3 * n);
    for (size_t i = 0; i < 3 * n; i++) {      /* as they are sent, in hundredths */
        unsigned hundredths = (colours[i] * 100u + 127) / 255;
        colours[i] = (unsigned char)((hundredths * 255 + 50) / 100);
    }
    palette_init(&p, colours, n);
    palette_map(&p, rgb, rgb, width, rows, colours, slack);
    sixel_dither_set_palette(dither, colours);
    sixel_dither_set_pixelformat(dither, SIXEL_PIXELFORMAT_PAL8);
}

/* rows of fit's picture, of which rgb is the first; the pixels are lost. */
static enum status encode_sixel(struct buf *out, unsigned char *rgb, const struct paint_fit *fit, size_t rows,
                                size_t colours, int is_grown) {
    enum status st = OK;
    sixel_output_t *output = NULL;
    sixel_dither_t *dither = NULL;
    int small = fit->width <= THUMBNAIL_PX && fit->height <= THUMBNAIL_PX;
    int w = (int)fit->width, h = (int)rows;
    if (colours == 0) colours = small ? 64 : 256;
    if (colours < 2) colours = 2;
    if (colours > 256) colours = 256;

    SIXELSTATUS s = sixel_output_new(&output, append_sixel, out, NULL);
    if (SIXEL_FAILED(s)) goto failed;
    sixel_output_set_encode_policy(output, SIXEL_ENCODEPOLICY_SIZE);
    s = sixel_dither_new(&dither, (int)colours, NULL);
    if (SIXEL_FAILED(s)) goto failed;
    s = sixel_dither_initialize(dither, rgb, w, h, SIXEL_PIXELFORMAT_RGB888, SIXEL_LARGE_NORM,
                                SIXEL_REP_AVERAGE_PIXELS, SIXEL_QUALITY_HIGH);
    if (SIXEL_FAILED(s)) goto failed;
    /* Squares of one colour are better flat, and several times shorter so. */
    int is_flat = is_grown || (small && colours >= 64);
    sixel_dither_set_diffusion_type(dither, is_flat ? SIXEL_DIFFUSE_NONE : SIXEL_DIFFUSE_FS);
    if (is_flat) map_exactly(dither, rgb, fit->width, rows, small ? SLACK : 0);
    s = sixel_encode(rgb, w, h, is_flat ? 1 : 3, dither, output);
    if (SIXEL_FAILED(s)) goto failed;
    st = buf_status(out);
    goto done;
failed:
    st = s == SIXEL_BAD_ALLOCATION ? fail(ERR_NOMEM, "sixel: out of memory")
                                   : fail(ERR_RANGE, "sixel: a picture of %d x %d pixels: %s", w, h,
                                          sixel_helper_format_error(s));
done:
    sixel_dither_unref(dither);
    sixel_output_unref(output);
    return st;
}

/* A picture that grew by a whole factor: its colours are those of the small one. */
static enum status encode_squares(struct buf *out, const struct picture *pic, size_t times, size_t colours, unsigned slack) {
    unsigned char rgb[SQUARES_SIDE * SQUARES_SIDE * 3], palette[256 * 3];
    sixel_dither_t *dither = NULL;
    enum status st;
    if (colours < 2) colours = 2;
    if (colours > 256) colours = 256;
    paint_scale(rgb, pic->width, pic->height, pic);
    SIXELSTATUS s = sixel_dither_new(&dither, (int)colours, NULL);
    if (!SIXEL_FAILED(s))
        s = sixel_dither_initialize(dither, rgb, (int)pic->width, (int)pic->height, SIXEL_PIXELFORMAT_RGB888, SIXEL_LARGE_NORM,
                                    SIXEL_REP_AVERAGE_PIXELS, SIXEL_QUALITY_HIGH);
    if (SIXEL_FAILED(s)) {
        st = fail(s == SIXEL_BAD_ALLOCATION ? ERR_NOMEM : ERR_RANGE, "sixel: colours of %zu x %zu pixels: %s", pic->width, pic->height,
                  sixel_helper_format_error(s));
    } else {
        size_t used = (size_t)sixel_dither_get_num_of_palette_colors(dither);
        memcpy(palette, sixel_dither_get_palette(dither), 3 * used);
        used = squares_refine(palette, used, colours, rgb, pic->width * pic->height);
        st = squares_encode(out, rgb, pic->width, pic->height, times, palette, used, slack);
    }
    sixel_dither_unref(dither);
    return st;
}

/* How many times it grew, each way; 0: not so. */
static size_t squares_of(const struct picture *pic, const struct paint_fit *fit, const struct paint_how *how) {
    size_t times = pic->width ? fit->width / pic->width : 0;
    if (how->painter != GRAPHICS_SIXEL || pic->width > SQUARES_SIDE || pic->height > SQUARES_SIDE || times < 2) return 0;
    if (fit->width > PAINT_SIDE || fit->height > PAINT_SIDE) return 0;
    if (fit->width != times * pic->width || fit->height != times * pic->height) return 0;
    return times;
}

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

#define UPPER "\xE2\x96\x80"   /* U+2580 */
#define LOWER "\xE2\x96\x84"   /* U+2584 */
#define FULL "\xE2\x96\x88"    /* U+2588 */

/* The colours that the terminal has set. */
struct grounds { uint32_t fg, bg; };

/* One sequence for what changes. */
static void set_grounds(struct buf *out, struct grounds *now, uint32_t fg, uint32_t bg, enum colour_depth depth) {
    int new_fg = fg != now->fg, new_bg = bg != now->bg;
    if (!new_fg && !new_bg) return;
    buf_text(out, "\033[");
    if (new_fg) add_colour(out, 3, fg, depth);
    if (new_fg && new_bg) buf_text(out, ";");
    if (new_bg) add_colour(out, 4, bg, depth);
    buf_text(out, "m");
    *now = (struct grounds){ fg, bg };
}

/* One line of half blocks from two rows of pixels; below is NULL after an odd
 * last one, whose cells then show the terminal's own background.  Either half can be the
 * text: the one that leaves more of the colours as they are. */
static void half_line(struct buf *out, struct grounds *now, const unsigned char *above, const unsigned char *below,
                      size_t width, enum colour_depth depth) {
    for (size_t x = 0; x < width; x++) {
        if (depth == COLOUR_MONO) {
            int a = luminance(above + 3 * x) > 127, b = below && luminance(below + 3 * x) > 127;
            buf_text(out, a && b ? FULL : a ? UPPER : b ? LOWER : " ");
            continue;
        }
        uint32_t top = colour_number(above + 3 * x, depth);
        uint32_t bottom = below ? colour_number(below + 3 * x, depth) : UNSET;
        int kept_upper = (top == now->fg) + (bottom == now->bg), kept_lower = (bottom == now->fg) + (top == now->bg);
        if (top == bottom && top == now->fg && top != now->bg) {
            buf_text(out, FULL);
        } else if (top == bottom) {
            set_grounds(out, now, now->fg, top, depth);
            buf_text(out, " ");
        } else if (kept_lower > kept_upper && bottom != UNSET) {
            set_grounds(out, now, bottom, top, depth);
            buf_text(out, LOWER);
        } else {
            set_grounds(out, now, top, bottom, depth);
            buf_text(out, UPPER);
        }
    }
}

static void encode_half(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit,
                        enum colour_depth depth) {
    struct grounds now = { UNSET, UNSET };
    size_t stride = fit->width * 3;
    for (size_t y = 0; y < fit->height; y += 2) {
        if (y) buf_text(out, "\n");
        half_line(out, &now, rgb + y * stride, y + 1 < fit->height ? rgb + (y + 1) * stride : NULL, fit->width, depth);
    }
    buf_text(out, "\033[m");
}

static void encode_ascii(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit) {
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

/* The pixels of the picture in its place, to be mem_free()d. */
static enum status scaled(unsigned char **rgb, const struct picture *pic, const struct paint_fit *fit) {
    if (!fit->width || !fit->height || !pic->width || !pic->height || pic->width > PAINT_SIDE
        || pic->height > PAINT_SIDE || fit->width > PAINT_SIDE || fit->height > PAINT_SIDE)
        return fail(ERR_RANGE, "picture: %zu x %zu pixels shown as %zu x %zu, expected 1..%d a side",
                    pic->width, pic->height, fit->width, fit->height, PAINT_SIDE);
    *rgb = mem_array(fit->width * fit->height, 3);
    if (!*rgb) return fail(ERR_NOMEM, "picture: out of memory");
    paint_scale(*rgb, fit->width, fit->height, pic);
    return OK;
}

static int is_grown(const struct picture *pic, const struct paint_fit *fit) {
    return fit->width > pic->width && fit->width % pic->width == 0;
}

enum status paint_encode(struct buf *out, const struct picture *pic, const struct paint_fit *fit,
                         const struct paint_how *how) {
    unsigned char *rgb;
    size_t times = squares_of(pic, fit, how);
    int is_small = fit->width <= THUMBNAIL_PX && fit->height <= THUMBNAIL_PX;
    if (times) return encode_squares(out, pic, times, how->colours ? how->colours : is_small ? 64 : 256, is_small ? SLACK : 0);
    TRY(scaled(&rgb, pic, fit));
    enum status st = OK;
    switch (how->painter) {
    case GRAPHICS_SIXEL: st = encode_sixel(out, rgb, fit, fit->height, how->colours, is_grown(pic, fit)); break;
    case GRAPHICS_KITTY: st = inline_kitty(out, rgb, fit); break;
    case GRAPHICS_ITERM2: st = inline_iterm2(out, rgb, fit, how); break;
    case GRAPHICS_HALF: encode_half(out, rgb, fit, how->depth); break;
    case GRAPHICS_ASCII: encode_ascii(out, rgb, fit); break;
    default: st = fail(ERR_RANGE, "picture: nothing paints with '%s'", graphics_name(how->painter));
    }
    mem_free(rgb);
    return st == OK ? buf_status(out) : st;
}

/* One part for so many rows of cells; *longest is that of a part. */
static enum status encode_cut(struct paint_part *parts, size_t *count, size_t *longest, const struct picture *pic,
                              const struct paint_fit *fit, const struct paint_how *how, size_t rows) {
    unsigned char *rgb;
    size_t n = 0, height = rows * how->cell_h;
    enum status st = OK;
    TRY(scaled(&rgb, pic, fit));     /* anew each time: encoding changes them */
    *longest = 0;
    for (size_t y = 0; st == OK && y < fit->height && n < PAINT_PARTS; y += height, n++) {
        size_t left = fit->height - y;
        parts[n].row = n * rows;
        st = encode_sixel(&parts[n].bytes, rgb + y * fit->width * 3, fit, left < height ? left : height, how->colours,
                          is_grown(pic, fit));
        if (parts[n].bytes.len > *longest) *longest = parts[n].bytes.len;
    }
    mem_free(rgb);
    *count = n;
    return st;
}

static void free_parts(struct paint_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++) buf_free(&parts[i].bytes);
}

/* Rows of cells for parts that are shorter by most / longest.  Bands of six pixels should not
 * reach into the next part's cells. */
static size_t fewer_rows(size_t rows, size_t longest, size_t most, size_t cell_h) {
    size_t whole = cell_h % 6 == 0 ? 1 : cell_h % 3 == 0 ? 2 : cell_h % 2 == 0 ? 3 : 6;
    size_t fewer = (size_t)((double)rows * (double)most / (double)longest);
    if (fewer >= rows) fewer = rows - 1;
    if (fewer > whole) fewer -= fewer % whole;
    return fewer ? fewer : 1;
}

enum status paint_encode_parts(struct paint_part *parts, size_t *count, const struct picture *pic,
                               const struct paint_fit *fit, const struct paint_how *how, size_t most) {
    size_t rows = fit->rows, longest = 0;
    enum status st = paint_encode(&parts[0].bytes, pic, fit, how);
    *count = 1;
    parts[0].row = 0;
    if (st == OK) longest = parts[0].bytes.len;
    /* Parts have palettes of their own, and details are unevenly spread: so it may take several tries. */
    while (st == OK && how->painter == GRAPHICS_SIXEL && how->cell_h && longest > most && rows > 1) {
        rows = fewer_rows(rows, longest, most, how->cell_h);
        if (rows * PAINT_PARTS < fit->rows) break;
        free_parts(parts, *count);
        st = encode_cut(parts, count, &longest, pic, fit, how, rows);
    }
    if (st != OK) free_parts(parts, *count);
    return st;
}

void paint_emit(struct buf *out, const char *bytes, size_t len, enum graphics painter,
                size_t row, size_t col, unsigned id) {
    if (graphics_is_pixels(painter)) {
        buf_printf(out, "\033[%zu;%zuH", row + 1, col + 1);
        if (painter == GRAPHICS_KITTY) inline_kitty_send(out, bytes, len, id);
        else buf_add(out, bytes, len);
        return;
    }
    for (size_t line = 0; len; line++) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) : len;
        buf_printf(out, "\033[%zu;%zuH%s", ++row, col + 1, line ? "" : "\033[m");
        buf_add(out, bytes, n);
        if (end) n++;
        bytes += n;
        len -= n;
    }
}
