/* Pictures in memory: make, crop, pad, convert.  Decoding is image_codec.c,
 * resizing image_resize.c. */
#include "dtrak/image.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"

#include <string.h>

enum status image_new(struct image *out, size_t width_px, size_t height_px, size_t channels) {
    *out = (struct image){ 0, 0, 0, NULL };
    if (width_px < 1 || height_px < 1 || width_px > IMAGE_SIDE_MAX || height_px > IMAGE_SIDE_MAX
        || width_px * height_px > IMAGE_PIXELS_MAX)
        return fail(ERR_RANGE, "picture of %zux%zu pixels; sides 1 to %u and at most %zu pixels "
                    "are handled", width_px, height_px, IMAGE_SIDE_MAX, IMAGE_PIXELS_MAX);
    if (channels != 1 && channels != 3 && channels != 4)
        return fail(ERR_RANGE, "picture with %zu channels; 1, 3 or 4 are handled", channels);
    unsigned char *p = mem_array(width_px * height_px, channels);
    if (!p)
        return fail(ERR_NOMEM, "no memory for a picture of %zux%zu pixels", width_px, height_px);
    *out = (struct image){ width_px, height_px, channels, p };
    return OK;
}

void image_free(struct image *im) {
    if (!im) return;
    mem_free(im->pixels);
    *im = (struct image){ 0, 0, 0, NULL };
}

enum status image_read(struct image *out, const char *path, size_t channels) {
    unsigned char *bytes;
    size_t len;

    *out = (struct image){ 0, 0, 0, NULL };
    TRY(file_read(&bytes, &len, path, IMAGE_BYTES_MAX));
    enum status st = image_decode(out, bytes, len, channels, path);
    mem_free(bytes);
    return st;
}

enum status image_crop(struct image *out, const struct image *in, size_t x, size_t y,
                       size_t width_px, size_t height_px) {
    *out = (struct image){ 0, 0, 0, NULL };
    if (x > in->width_px || width_px > in->width_px - x || y > in->height_px
        || height_px > in->height_px - y)
        return fail(ERR_RANGE, "crop %zux%zu at %zu,%zu leaves the picture of %zux%zu", width_px,
                    height_px, x, y, in->width_px, in->height_px);
    TRY(image_new(out, width_px, height_px, in->channels));
    size_t row = width_px * in->channels;
    for (size_t r = 0; r < height_px; r++)
        memcpy(out->pixels + r * row,
               in->pixels + ((y + r) * in->width_px + x) * in->channels, row);
    return OK;
}

enum status image_pad(struct image *out, const struct image *in, size_t width_px,
                      size_t height_px, const unsigned char *colour) {
    *out = (struct image){ 0, 0, 0, NULL };
    if (width_px < in->width_px || height_px < in->height_px)
        return fail(ERR_RANGE, "cannot pad a picture of %zux%zu to %zux%zu", in->width_px,
                    in->height_px, width_px, height_px);
    TRY(image_new(out, width_px, height_px, in->channels));
    size_t n = in->channels;
    for (size_t i = 0; i < width_px * height_px; i++) memcpy(out->pixels + i * n, colour, n);
    size_t left = (width_px - in->width_px) / 2, top = (height_px - in->height_px) / 2;
    for (size_t r = 0; r < in->height_px; r++)
        memcpy(out->pixels + ((top + r) * width_px + left) * n,
               in->pixels + r * in->width_px * n, in->width_px * n);
    return OK;
}

static unsigned char over_white(unsigned v, unsigned alpha) {
    return (unsigned char)((v * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* ITU-R 601, the weights in 1/1000. */
static unsigned char luma(const unsigned char rgb[3]) {
    return (unsigned char)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500) / 1000);
}

static void convert_pixel(unsigned char *to, size_t n_to, const unsigned char *from,
                          size_t n_from) {
    unsigned char c[4] = { from[0], n_from == 1 ? from[0] : from[1],
                           n_from == 1 ? from[0] : from[2], n_from == 4 ? from[3] : 255 };
    if (n_to == 4) { memcpy(to, c, 4); return; }
    for (int k = 0; k < 3; k++) c[k] = over_white(c[k], c[3]);
    if (n_to == 3) memcpy(to, c, 3);
    else to[0] = n_from == 1 ? c[0] : luma(c);
}

enum status image_convert(struct image *out, const struct image *in, size_t channels) {
    TRY(image_new(out, in->width_px, in->height_px, channels));
    size_t count = in->width_px * in->height_px;
    if (channels == in->channels)
        memcpy(out->pixels, in->pixels, count * channels);
    else if (channels == 4 && in->channels == 3)     /* the common one; a pixel at a time it took a fifth of reading a PNG */
        for (size_t i = 0; i < count; i++) {
            for (size_t c = 0; c < 3; c++) out->pixels[4 * i + c] = in->pixels[3 * i + c];
            out->pixels[4 * i + 3] = 255;
        }
    else
        for (size_t i = 0; i < count; i++)
            convert_pixel(out->pixels + i * channels, channels, in->pixels + i * in->channels,
                          in->channels);
    return OK;
}
