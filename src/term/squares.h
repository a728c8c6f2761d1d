/* squares.h - a small picture as a sixel in which every pixel is a square, or nearly. */
#ifndef TERM_SQUARES_H
#define TERM_SQUARES_H

#include "dtrak/buf.h"

#include <stddef.h>

enum { SQUARES_SIDE = 64 };   /* pixels of the picture, at most */

/* Appends the picture rgb[h][w][3], w and h at most SQUARES_SIDE, enlarged to width x height
 * (not less than w x h), where x shows what stands at x * w / width, in the colours
 * palette[colours][3], colours at most 256.  A pixel gets the colour nearest to it, or that of its neighbour when its squared distance, over the three
 * channels, is larger by `slack` at most: 48 makes it a tenth shorter for 0.5 dB. */
enum status squares_encode(struct buf *out, const unsigned char *rgb, size_t w, size_t h, size_t width, size_t height,
                           const unsigned char *palette, size_t colours, unsigned slack);

/* Makes a first palette[colours][3], of which `used` (1 or more) are set, fit those pixels, at
 * most SQUARES_SIDE squared; returns how many are set then. */
size_t squares_refine(unsigned char *palette, size_t used, size_t colours, const unsigned char *rgb, size_t pixels);

#endif
