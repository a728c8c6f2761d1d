/* palette.h - the nearest colour of a palette, exactly and fast.
 *
 * libsixel looks colours up in a table of 5 bits a channel, which costs 4 dB with 256 colours. */
#ifndef TERM_PALETTE_H
#define TERM_PALETTE_H

#include <stddef.h>

/* Colours in the order of red + green + blue. */
struct palette {
    unsigned char rgb[256][3], number[256];
    unsigned short from[766];   /* the first whose sum is not below */
    size_t n;
};

/* From colours[n][3], 1 to 256 of them. */
void palette_init(struct palette *p, const unsigned char *colours, size_t n);

/* The number of the colour with the least squared distance over the three channels, *d. */
size_t palette_nearest(const struct palette *p, const unsigned char *rgb, unsigned *d);

/* Writes the numbers of rgb[height][width][3] into index[height][width], which may begin where
 * rgb does; colours are those of palette_init().  A pixel gets the colour of its left
 * neighbour, or of the one above, when its squared distance is larger by `slack` at most: it then
 * goes on in their run. */
void palette_map(const struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height,
                 const unsigned char *colours, unsigned slack);

#endif
