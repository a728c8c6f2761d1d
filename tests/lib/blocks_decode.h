/* blocks_decode.h - coloured half blocks back to pixels, to check what was painted. */
#ifndef TESTS_BLOCKS_DECODE_H
#define TESTS_BLOCKS_DECODE_H

#include <stddef.h>

/* What SGR has set: colours, or the terminal's own (has_ is 0), which are unknown here like
 * those below 16. */
struct blocks_pen { unsigned char fg[3], bg[3]; int has_fg, has_bg; };
void blocks_sgr(struct blocks_pen *pen, const unsigned *parameters, size_t n);

/* Writes what a terminal with direct colours would show of bytes that begin at its top left:
 * rgb[2 * rows][cols][3], an upper and a lower half of each cell; what was not painted stays as it was.
 * Knows U+2580, U+2584, U+2588, spaces, SGR with direct colours and those from 16 to 255 of
 * the palette, the cursor's moves, and a line feed as a new line; other sequences are passed
 * over.  Returns how many cells were written, also those outside; 0 for other text. */
size_t blocks_decode(unsigned char *rgb, size_t rows, size_t cols, const char *bytes, size_t len);

#endif
