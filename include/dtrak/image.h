/* image.h - 8-bit pictures: PNG and JPEG in, PNG out, resize, crop, pad.
 *
 * Rows from the top, pixels interleaved, no padding between rows:
 * pixels[(y * width_px + x) * channels + c].  Channels are 1 (grey), 3 (RGB)
 * or 4 (RGBA, alpha not premultiplied).  Every function that fills an image
 * leaves it empty ({0}) when it fails; image_free() takes an empty one. */
#ifndef DTRAK_IMAGE_H
#define DTRAK_IMAGE_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>

#define IMAGE_SIDE_MAX 16384u                  /* pixels, either side */
#define IMAGE_PIXELS_MAX ((size_t)64 << 20)    /* width times height */
#define IMAGE_BYTES_MAX ((size_t)256 << 20)    /* of a PNG or JPEG file */

struct image {
    size_t width_px, height_px, channels;
    unsigned char *pixels;   /* owned: image_free() */
};

/* A black (and transparent) picture.  ERR_RANGE outside the limits above. */
enum status image_new(struct image *out, size_t width_px, size_t height_px, size_t channels);
void image_free(struct image *im);

/* Decodes PNG or JPEG.  channels is what is wanted, 0 for what the file has
 * (grey with alpha becomes RGBA).  Checksums of PNG chunks and the end marker
 * of a JPEG are checked, so a short or damaged file is refused; name is used
 * in messages. */
enum status image_decode(struct image *out, const void *bytes, size_t len, size_t channels,
                         const char *name);
enum status image_read(struct image *out, const char *path, size_t channels);

/* Size without decoding; *channels (may be NULL) is what the header says, 1, 3 or 4: a
 * transparent colour beside RGB adds alpha only when decoded. */
enum status image_measure(size_t *width_px, size_t *height_px, size_t *channels,
                          const void *bytes, size_t len, const char *name);

/* Appends a PNG.  The same picture gives the same bytes for one zlib version. */
enum status image_encode_png(struct buf *out, const struct image *im);
/* The same; while it is compressed, which takes nearly all the time, p is asked every few milliseconds
 * whether to go on.  ERR_CANCELLED, and whenever it fails, nothing is appended. */
enum status image_encode_png_stoppable(struct buf *out, const struct image *im, const struct progress *p);

/* How a resize weighs pixels.  Values are averaged as they stand (no gamma),
 * as the usual data set preparation does. */
enum image_filter { IMAGE_NEAREST, IMAGE_BOX, IMAGE_TRIANGLE, IMAGE_CATMULL_ROM, IMAGE_MITCHELL,
                    IMAGE_FILTER_COUNT };
const char *image_filter_name(enum image_filter f);           /* "nearest", "box", ... */
enum image_filter image_filter_parse(const char *name);       /* or IMAGE_FILTER_COUNT */

enum status image_resize(struct image *out, const struct image *in, size_t width_px,
                         size_t height_px, enum image_filter f);
/* Fills width x height: resized so that nothing is left empty, centre cropped. */
enum status image_cover(struct image *out, const struct image *in, size_t width_px,
                        size_t height_px, enum image_filter f);
/* Nearest neighbour, every pixel a square of `times` pixels. */
enum status image_enlarge(struct image *out, const struct image *in, size_t times);
enum status image_crop(struct image *out, const struct image *in, size_t x, size_t y,
                       size_t width_px, size_t height_px);
/* The picture in the middle of a larger one of one colour (in->channels bytes). */
enum status image_pad(struct image *out, const struct image *in, size_t width_px,
                      size_t height_px, const unsigned char *colour);
/* Other channel counts: grey from RGB by ITU-R 601 luma, alpha 255 when new;
 * alpha that goes is laid over white. */
enum status image_convert(struct image *out, const struct image *in, size_t channels);

#endif
