/* Resizing through stb_image_resize, and whole-pixel enlarging; see image.h. */
#include "dtrak/image.h"

#include "dtrak/mem.h"

#include <string.h>

#define STBIR_MALLOC(size, ctx) ((void)(ctx), mem_array(1, size))
#define STBIR_FREE(p, ctx) ((void)(ctx), mem_free(p))
#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION
/* The parts of stb that are not used stay declared; said once per file, at its end. */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_resize.h>

static const struct { const char *name; stbir_filter stb; } filters[IMAGE_FILTER_COUNT] = {
    [IMAGE_NEAREST] = { "nearest", STBIR_FILTER_DEFAULT },
    [IMAGE_BOX] = { "box", STBIR_FILTER_BOX },
    [IMAGE_TRIANGLE] = { "triangle", STBIR_FILTER_TRIANGLE },
    [IMAGE_CATMULL_ROM] = { "catmull-rom", STBIR_FILTER_CATMULLROM },
    [IMAGE_MITCHELL] = { "mitchell", STBIR_FILTER_MITCHELL },
};

const char *image_filter_name(enum image_filter f) {
    return f < IMAGE_FILTER_COUNT ? filters[f].name : "?";
}

enum image_filter image_filter_parse(const char *name) {
    unsigned f = 0;
    while (f < IMAGE_FILTER_COUNT && strcmp(name, filters[f].name) != 0) f++;
    return (enum image_filter)f;
}

/* The source pixel whose centre is nearest to the target pixel's. */
static size_t nearest(size_t i, size_t from, size_t to) { return (2 * i + 1) * from / (2 * to); }

static void resize_nearest(struct image *out, const struct image *in) {
    size_t n = in->channels;
    for (size_t y = 0; y < out->height_px; y++) {
        const unsigned char *row =
            in->pixels + nearest(y, in->height_px, out->height_px) * in->width_px * n;
        unsigned char *to = out->pixels + y * out->width_px * n;
        for (size_t x = 0; x < out->width_px; x++)
            memcpy(to + x * n, row + nearest(x, in->width_px, out->width_px) * n, n);
    }
}

enum status image_resize(struct image *out, const struct image *in, size_t width_px,
                         size_t height_px, enum image_filter f) {
    *out = (struct image){ 0, 0, 0, NULL };
    if (f >= IMAGE_FILTER_COUNT) return fail(ERR_RANGE, "resize: no filter number %d", (int)f);
    TRY(image_new(out, width_px, height_px, in->channels));
    if (width_px == in->width_px && height_px == in->height_px) {
        memcpy(out->pixels, in->pixels, width_px * height_px * in->channels);
        return OK;
    }
    if (f == IMAGE_NEAREST) {
        resize_nearest(out, in);
        return OK;
    }
    int alpha = in->channels == 4 ? 3 : STBIR_ALPHA_CHANNEL_NONE;
    if (!stbir_resize_uint8_generic(in->pixels, (int)in->width_px, (int)in->height_px, 0,
                                    out->pixels, (int)width_px, (int)height_px, 0,
                                    (int)in->channels, alpha, 0, STBIR_EDGE_CLAMP,
                                    filters[f].stb, STBIR_COLORSPACE_LINEAR, NULL)) {
        image_free(out);
        return fail(ERR_NOMEM, "no memory to resize %zux%zu to %zux%zu pixels", in->width_px,
                    in->height_px, width_px, height_px);
    }
    return OK;
}

enum status image_cover(struct image *out, const struct image *in, size_t width_px,
                        size_t height_px, enum image_filter f) {
    struct image part;

    *out = (struct image){ 0, 0, 0, NULL };
    if (width_px < 1 || height_px < 1)
        return fail(ERR_RANGE, "cannot fit a picture into %zux%zu pixels", width_px, height_px);
    /* The largest centred part of the source with the wanted shape.  Cropping
     * first keeps a very long picture from becoming a huge one in between. */
    size_t w = in->width_px, h = in->height_px;
    if (w * height_px > h * width_px) w = (h * width_px + height_px / 2) / height_px;
    else h = (w * height_px + width_px / 2) / width_px;
    if (w < 1) w = 1;
    if (h < 1) h = 1;
    if (w > in->width_px) w = in->width_px;
    if (h > in->height_px) h = in->height_px;
    TRY(image_crop(&part, in, (in->width_px - w) / 2, (in->height_px - h) / 2, w, h));
    enum status st = image_resize(out, &part, width_px, height_px, f);
    image_free(&part);
    return st;
}

enum status image_enlarge(struct image *out, const struct image *in, size_t times) {
    *out = (struct image){ 0, 0, 0, NULL };
    if (times < 1 || times > IMAGE_SIDE_MAX)
        return fail(ERR_RANGE, "cannot enlarge a picture %zu times", times);
    return image_resize(out, in, in->width_px * times, in->height_px * times, IMAGE_NEAREST);
}
