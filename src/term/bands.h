/* bands.h - numbered pixels to a sixel, in few bytes and quickly; private to term/. */
#ifndef TERM_BANDS_H
#define TERM_BANDS_H

#include "dtrak/buf.h"

#include <stddef.h>

/* Appends a whole sixel of index[height][width], 1 to 65,535 wide, in the colours
 * rgb[][3].  has_holes: number 0 is not painted, what is there stays. */
enum status bands_encode(struct buf *out, const unsigned char *index, size_t width, size_t height,
                         const unsigned char *rgb, int has_holes);

#endif
