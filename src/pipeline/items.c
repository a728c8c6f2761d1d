#include "dtrak/items.h"

#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/network.h"
#include "dtrak/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Timesteps are below 2^17 (SCHEDULE_T_MAX): draw 0 has the key it had when there was no other. */
void items_noise(float *noise, size_t n, uint64_t seed, enum split split, size_t item, size_t t, size_t draw) {
    rng_normal(noise, n, seed, RNG_NOISE, (uint32_t)split << 29 | (uint32_t)item, (uint32_t)(draw << 17 | t));
}

size_t items_floats(const struct project *p) { return p->channels * p->height * p->width; }

/* Where pixel (y, x) of channel c stands in the network's layout. */
static size_t place(const struct project *p, size_t c, size_t y, size_t x) {
    size_t k = p->patch, H = p->height / k, W = p->width / k;
    return (((c * k + y % k) * k + x % k) * H + y / k) * W + x / k;
}

enum status items_to_network(float *out, const struct image *im, const struct project *p) {
    if (im->width_px != p->width || im->height_px != p->height || im->channels != p->channels)
        return fail(ERR_FORMAT, "an image is %zux%zu with %zu channels, the project's are %zux%zu with %zu",
                    im->width_px, im->height_px, im->channels, p->width, p->height, p->channels);
    double step = (p->value_high - p->value_low) / 255;
    const unsigned char *byte = im->pixels;
    for (size_t y = 0; y < p->height; y++)
        for (size_t x = 0; x < p->width; x++)
            for (size_t c = 0; c < p->channels; c++)
                out[place(p, c, y, x)] = (float)(p->value_low + step * (double)*byte++);
    return OK;
}

enum status items_from_network(struct image *im, const float *x, const struct project *p) {
    TRY(image_new(im, p->width, p->height, p->channels));
    double scale = 255 / (p->value_high - p->value_low);
    unsigned char *byte = im->pixels;
    for (size_t i = 0; i < p->height; i++)
        for (size_t j = 0; j < p->width; j++)
            for (size_t c = 0; c < p->channels; c++) {
                double v = ((double)x[place(p, c, i, j)] - p->value_low) * scale;
                *byte++ = (unsigned char)(v > 0 ? v < 255 ? lrint(v) : 255 : 0);
            }
    return OK;
}

enum status items_image(struct image *out, struct store *s, struct item_ref ref, size_t channels) {
    void *bytes = NULL;
    size_t len;
    char name[32];
    *out = (struct image){ 0 };
    item_ref_format(name, ref);
    TRY(store_image_read(s, ref, &bytes, &len));
    enum status st = image_decode(out, bytes, len, channels, name);
    mem_free(bytes);
    return st;
}

enum status items_load(struct store *s, const struct project *p, enum split split, size_t first,
                       size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        struct image im;
        enum status st = items_image(&im, s, (struct item_ref){ split, first + i }, p->channels);
        if (st == OK) st = items_to_network(out + i * items_floats(p), &im, p);
        image_free(&im);
        if (st != OK) return st;
    }
    return OK;
}

enum status stored_network_open(struct stored_network *out, struct store *s,
                                const struct checkpoint *c, int with_backward) {
    enum status st;
    struct unet_config config;
    void *bytes = NULL;
    size_t len;
    float *theta = NULL;
    char name[48];
    *out = (struct stored_network){ 0 };
    snprintf(name, sizeof name, "checkpoint %zu", c->step);
    TRY_TO(checkpoint_config_read(&config, &out->schedule, c->config, name));
    TRY_TO(unet_new(&out->u, &config));
    TRY_TO(store_checkpoint_weights(s, c->id, &bytes, &len));
    theta = mem_array(unet_size(out->u), sizeof *theta);
    if (!theta) {
        st = fail(ERR_NOMEM, "%s: out of memory", name);
        goto done;
    }
    TRY_TO(network_weights_read(theta, out->u, bytes, len, name));
    TRY_TO(unet_weights_new(&out->weights, out->u, with_backward));
    unet_weights_pack(out->weights, theta);
done:
    mem_free(bytes);
    mem_free(theta);
    if (st != OK) stored_network_close(out);
    return st;
}

void stored_network_close(struct stored_network *n) {
    unet_weights_free(n->weights);
    unet_free(n->u);
    schedule_free(n->schedule);
    *n = (struct stored_network){ 0 };
}

enum status stored_network_fits(const struct stored_network *n, const struct project *p) {
    const struct unet_config *c = unet_get_config(n->u);
    size_t C = p->channels * p->patch * p->patch, H = p->height / p->patch, W = p->width / p->patch;
    if (c->in_channels == C && c->out_channels == C && c->sample_height == H && c->sample_width == W) return OK;
    return fail(ERR_FORMAT, "the network takes %zux%zu (height x width) with %zu channels and gives %zu, the "
                "project's images are %zux%zu with %zu (patch %zu)", c->sample_height, c->sample_width,
                c->in_channels, c->out_channels, H, W, C, p->patch);
}
