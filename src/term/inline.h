/* inline.h - pictures as PNG inside escape sequences; private to term/. */
#ifndef DTRAK_TERM_INLINE_H
#define DTRAK_TERM_INLINE_H

#include "dtrak/painter.h"

/* Appends base64 of a PNG of rgb[fit->height][fit->width][3]. */
enum status inline_kitty(struct buf *out, unsigned char *rgb, const struct paint_fit *fit);
/* Appends the APCs that put it at the cursor, which stays. */
void inline_kitty_send(struct buf *out, const char *base64, size_t len, unsigned id);

/* Appends the whole OSC. */
enum status inline_iterm2(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit,
                          const struct paint_how *how);

#endif
