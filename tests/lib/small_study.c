/* small_study.c - projects of a few small pictures.  See small_study.h. */
#include "small_study.h"

#include "dtrak/buf.h"
#include "dtrak/image.h"
#include "status.h"
#include "store_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t channels(const struct study *y) { return y->channels ? y->channels : 1; }

void study_pixels(unsigned char *pixels, const struct study *y, enum split split, size_t item) {
    size_t count = y->width * y->height * channels(y);
    if (y->draw) {
        y->draw(pixels, y, split, item);
        return;
    }
    for (size_t j = 0; j < count; j++)
        pixels[j] = (unsigned char)(128 + 127 * rig_value(item * count + j, 10 + (size_t)split + 100 * y->variant));
}

/* Together, since each store_items_add() is a transaction. */
void study_add(struct store *s, const struct study *y, enum split split, size_t first, size_t count) {
    struct item *items = calloc(count + 1, sizeof *items);
    struct buf *png = calloc(count + 1, sizeof *png);
    const void **bytes = calloc(count + 1, sizeof *bytes);
    assert_true(items && png && bytes);
    for (size_t i = 0; i < count; i++) {
        struct image im;
        size_t item = first + i;
        ok(image_new(&im, y->width, y->height, channels(y)));
        study_pixels(im.pixels, y, split, item);
        ok(image_encode_png(&png[i], &im));
        image_free(&im);
        bytes[i] = png[i].data;
        items[i] = (struct item){ .label = (int)(item % 2), .label_name = item % 2 ? "odd" : "even", .width_px = y->width,
                                  .height_px = y->height, .image_bytes = png[i].len };
    }
    if (count) ok(store_items_add(s, split, items, bytes, count, NULL));
    for (size_t i = 0; i < count; i++) buf_free(&png[i]);
    free(items);
    free(png);
    free(bytes);
}

struct store *study_new(const char *name, const struct study *y) {
    struct store *s;
    struct project p = { .name = "small study", .width = y->width, .height = y->height, .channels = channels(y),
                         .patch = y->patch ? y->patch : 1, .value_low = -1, .value_high = 1 };
    remove(rig_path(name));
    ok(store_create(&s, rig_path(name)));
    ok(store_project_set(s, &p));
    for (int q = 0; q < SPLIT_COUNT; q++) study_add(s, y, (enum split)q, 0, y->items[q]);
    ok(store_publish(s));
    return s;
}

int64_t study_checkpoint(struct store *s, size_t step, double percent) {
    struct checkpoint c = { .step = step, .percent = percent, .train_loss = NAN, .config = "{}" };
    char weights[32];
    int64_t id;
    int n = snprintf(weights, sizeof weights, "weights at %zu", step);
    ok(store_checkpoint_add(s, &c, weights, (size_t)n, &id));
    return id;
}

struct train_options study_training(void) {
    struct train_options o = TRAIN_DEFAULTS;
    o.levels = 2;
    o.width[0] = 8;
    o.width[1] = 16;
    o.steps = 10;
    o.batch = 6;
    o.ema = .9;
    o.lr = 2e-3;
    o.threads = 1;
    return o;
}

void study_halves(struct train_options *o) {
    o->checkpoints[0] = .5;
    o->checkpoints[1] = 1;
    o->n_checkpoints = 2;
}
