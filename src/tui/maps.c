/* maps.c - heat maps in the zoom of a training item: where nda finds the query in it.
 *
 * Maps are made by a thread of their own when they are shown; their pictures are kept here, since
 * they belong to no stored image. */
#include "app.h"

#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/nda_picture.h"

#include <string.h>

enum { SIDE = 64 };   /* pixels of a picture, at least */

static int same(struct item_ref a, struct item_ref b) { return a.split == b.split && a.index == b.index; }

static int is_possible(const struct app *a) { return a->has_query && a->detail.ref.split == SPLIT_TRAIN; }

int maps_shown(const struct app *a) {
    return is_possible(a) && (a->setting.method == METHOD_NDA ? a->maps.on >= 0 : a->maps.on > 0);
}

void maps_toggle(struct app *a) {
    if (!is_possible(a)) {
        app_say(a, STYLE_NORMAL, a->has_query ? "heat maps are of a query and a training item: zoom one of those"
                                              : "there is no query yet that a heat map could be of");
        return;
    }
    a->maps.on = maps_shown(a) ? -1 : 1;
}

void maps_free(struct app *a) {
    for (int i = 0; i < 2; i++) {
        mem_free(a->maps.rgba[i]);
        a->maps.rgba[i] = NULL;
    }
    a->maps.state = MAPS_NONE;
}

/* An overlay as RGBA, the caller's. */
static enum status picture_of(struct app *a, const struct image *rgb, const double *map, unsigned char **out) {
    struct image over = { 0 }, im = { 0 };
    enum status st = nda_overlay(&over, rgb, map, SIDE);
    if (st == OK) st = image_convert(&im, &over, 4);
    if (st == OK) *out = (unsigned char *)mem_copy_bytes(im.pixels, im.width_px * im.height_px * 4);
    if (st == OK && !*out) st = fail(ERR_NOMEM, "heat maps: out of memory");
    a->maps.width_px = im.width_px;
    a->maps.height_px = im.height_px;
    image_free(&over);
    image_free(&im);
    return st;
}

static enum status take(struct app *a, const struct survey_answer *answer) {
    maps_free(a);
    TRY(picture_of(a, &answer->image[0], answer->map.query_map, &a->maps.rgba[0]));
    TRY(picture_of(a, &answer->image[1], answer->map.train_map, &a->maps.rgba[1]));
    a->maps.share = answer->map.share;
    a->maps.patch = answer->patch;
    a->maps.serial++;
    a->maps.state = MAPS_THERE;
    return OK;
}

/* Asks for the maps of what is shown, once, and takes them when they are there. */
static void look_up(struct app *a) {
    struct survey_request r = { .kind = SURVEY_MAPS, .item = a->detail.ref, .query = a->query };
    struct survey_answer answer;
    if (a->maps.state != MAPS_WAITING && same(a->maps.query, a->query) && same(a->maps.item, a->detail.ref) &&
        (a->maps.state == MAPS_THERE || a->maps.message[0])) return;
    a->maps.query = a->query;
    a->maps.item = a->detail.ref;
    a->maps.state = MAPS_WAITING;
    a->maps.message[0] = 0;
    int got = survey_get(a->mapper, &r, &answer, &a->maps.part);
    if (got == 0) return;
    if (got < 0 || take(a, &answer) != OK) {
        snprintf(a->maps.message, sizeof a->maps.message, "%s", fail_reason());
        a->maps.state = MAPS_NONE;
    }
    survey_answer_free(&answer);
}

/* Pictures that are no item's have a split beyond those of items and counterfactuals. */
static uint64_t key_of(const struct app *a, size_t which) {
    return draw_picture_key(a, (struct item_ref){ (enum split)(SPLIT_COUNT + 1), (size_t)(a->maps.serial * 2 + which) });
}

int maps_picture(const struct app *a, uint64_t key, const unsigned char **rgba, size_t *width_px, size_t *height_px) {
    for (size_t i = 0; i < 2; i++) {
        if (a->maps.state != MAPS_THERE || key != key_of(a, i)) continue;
        *rgba = a->maps.rgba[i];
        *width_px = a->maps.width_px;
        *height_px = a->maps.height_px;
        return 1;
    }
    return -1;
}

void maps_draw(struct app *a, struct frame *f, size_t row, size_t col, size_t h, size_t w) {
    char text[280], label[40], id[32];
    look_up(a);
    if (a->maps.state != MAPS_THERE) {
        if (a->maps.message[0]) snprintf(text, sizeof text, "%s", a->maps.message);
        else snprintf(text, sizeof text, "heat maps: looking for patches of the query in every training image, %.0f%%", 100 * a->maps.part);
        draw_paragraph(f, row, col, h + 2, 2 * w, a->maps.message[0] ? STYLE_WARN : STYLE_DIM, text);
        return;
    }
    const struct item_ref ref[2] = { a->query, a->detail.ref };
    for (size_t i = 0; i < 2; i++) {
        size_t at = col + i * (w + 1);
        item_ref_format(id, ref[i]);
        snprintf(label, sizeof label, "map %s", id);
        frame_image(f, row, at, h, draw_image_cols(a, h), key_of(a, i), label);
        frame_printf(f, row + h, at, w, STYLE_NORMAL, "%s %s", id, i ? "used" : "explained");
    }
    frame_printf(f, row + h + 1, col, 2 * w + 1, STYLE_DIM, "NDA: %.2g%% of it, patches of %zu", 100 * a->maps.share, a->maps.patch);
}
