/* palette.h - the colours of a sixel, and pixels in the nearest of them.
 *
 * libsixel finds the colours; it also looks up the nearest ones, but in a table of 5 bits a channel,
 * which costs 4 dB with 256 colours.  Here the nearest is the nearest. */
#ifndef TERM_PALETTE_H
#define TERM_PALETTE_H

#include "dtrak/err.h"

#include <stddef.h>

/* At most `most` colours, 2 to 256, for rgb[height][width][3]: colours[*n][3]. */
enum status palette_find(unsigned char *colours, size_t *n, const unsigned char *rgb, size_t width, size_t height, size_t most);

/* Each of them in the middle of those pixels that have it, of some thousands.  libsixel counts
 * in steps of eight and takes their lower ends: so its colours are too dark, and 1 to 2 dB worse. */
enum status palette_refine(unsigned char *colours, size_t n, const unsigned char *rgb, size_t pixels);

/* What a sixel shows of them, whose colours are in hundredths. */
void palette_as_sent(unsigned char *colours, size_t n);

/* A palette of colours[n][3], 1 to 256 of them; NULL when out of memory.  It learns while it is
 * used, so it serves one thread. */
struct palette;
struct palette *palette_new(const unsigned char *colours, size_t n);
void palette_free(struct palette *p);   /* NULL is fine */

/* The number of the colour with the least squared distance over the three channels, *d. */
size_t palette_nearest(struct palette *p, const unsigned char *rgb, unsigned *d);

/* Writes the numbers of rgb[height][width][3] into index[height][width], which may begin where
 * rgb does.  A pixel gets the colour of its left neighbour, or of the one above, when its squared
 * distance is larger by `slack` at most: it then goes on in their run. */
void palette_map(struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height, unsigned slack);

/* The same, but three quarters of what a pixel is off by are handed on to those after it, as
 * Floyd and Steinberg share it out, from left to right and back.  All of it would
 * make grain that is worse on the pixels and hardly better in the mean. */
enum status palette_diffuse(struct palette *p, unsigned char *index, const unsigned char *rgb, size_t width, size_t height);

/* How far off the nearest colours are from afar: the mean squared error of a channel, after
 * averaging over 4x4 pixels, of one square of these in 16. */
double palette_steps(struct palette *p, const unsigned char *rgb, size_t width, size_t height);

#endif
