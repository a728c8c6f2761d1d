/* blocks.h - pictures as characters; private to term/. */
#ifndef DTRAK_TERM_BLOCKS_H
#define DTRAK_TERM_BLOCKS_H

#include "dtrak/painter.h"

/* Append the lines of rgb[fit->height][fit->width][3], as paint_encode() says. */
void blocks_half(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit, enum colour_depth depth);
void blocks_ascii(struct buf *out, const unsigned char *rgb, const struct paint_fit *fit);

#endif
