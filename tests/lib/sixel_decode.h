/* sixel_decode.h - sixel bytes back to pixels, to check what was painted.
 *
 * Written from DEC's description (VT330/340, chapter 14), not from the encoder:
 * it shares no code with what it checks. */
#ifndef TESTS_SIXEL_DECODE_H
#define TESTS_SIXEL_DECODE_H

#include <stddef.h>

struct sixel_image {
    size_t width, height;      /* from the raster attributes; what was painted when there are none */
    size_t raster_w, raster_h; /* the raster attributes; 0 when there are none */
    size_t painted_h;          /* rows below the top that a pixel was set in */
    size_t colours;            /* registers defined */
    unsigned char *rgba;       /* [height][width][4], alpha 0 where nothing was painted; free() */
};

/* Decodes one DCS ... ST at bytes.  Returns the bytes it takes with its ST, or 0
 * when it is no sixel, malformed or not closed by ST; then out is empty. */
size_t sixel_decode(struct sixel_image *out, const char *bytes, size_t len);

#endif
