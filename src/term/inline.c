/* inline.c - kitty's and iTerm2's protocols: a PNG in base64.
 *
 * Sources: "Terminal graphics protocol" of the kitty documentation (chunks of
 * at most 4096 bytes; q=2: no answers, which would be read as keys; C=1: the
 * cursor stays), and "Inline Images Protocol" of iTerm2's. */
#include "inline.h"

#include "dtrak/image.h"
#include "dtrak/mem.h"

#include <string.h>

enum { CHUNK = 4096 };

enum status inline_kitty(struct buf *out, unsigned char *rgb, const struct paint_fit *fit) {
    struct image im = { fit->width, fit->height, 3, rgb };
    struct buf png = BUF_INIT;
    enum status st = image_encode_png(&png, &im);
    if (st == OK) buf_base64(out, png.data, png.len);
    buf_free(&png);
    return st;
}

void inline_kitty_send(struct buf *out, const char *base64, size_t len, unsigned id) {
    for (size_t at = 0; at < len || at == 0; at += CHUNK) {
        size_t n = len - at < CHUNK ? len - at : CHUNK;
        int more = at + n < len;
        if (at == 0) buf_printf(out, "\033_Ga=T,f=100,t=d,i=%u,p=1,q=2,C=1,m=%d;", id, more);
        else buf_printf(out, "\033_Gm=%d,q=2;", more);
        buf_add(out, base64 + at, n);
        buf_text(out, "\033\\");
    }
}

void paint_kitty_remove(struct buf *out, unsigned id) {
    if (id) buf_printf(out, "\033_Ga=d,d=I,i=%u,q=2\033\\", id);
    else buf_text(out, "\033_Ga=d,d=A,q=2\033\\");
}

/* The size is given in cells, since what iTerm2 calls a pixel depends on the
 * screen; so the PNG covers whole cells. */
enum status inline_iterm2(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit,
                          const struct paint_how *how) {
    struct image im;
    struct buf png = BUF_INIT;
    TRY(image_new(&im, fit->cols * how->cell_w, fit->rows * how->cell_h, 4));
    for (size_t y = 0; y < fit->height; y++)
        for (size_t x = 0; x < fit->width; x++) {
            unsigned char *p = im.pixels + (y * im.width_px + x) * 4;
            memcpy(p, rgb + (y * fit->width + x) * 3, 3);
            p[3] = 255;
        }
    enum status st = image_encode_png(&png, &im);
    if (st == OK) {
        buf_printf(out, "\033]1337;File=inline=1;size=%zu;width=%zu;height=%zu;preserveAspectRatio=0;"
                        "doNotMoveCursor=1:", png.len, fit->cols, fit->rows);
        buf_base64(out, png.data, png.len);
        buf_text(out, "\a");
    }
    buf_free(&png);
    image_free(&im);
    return st;
}
