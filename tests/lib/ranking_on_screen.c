/* ranking_on_screen.c - the ranking of gen:0 as it should stand on a terminal. */
#include "ranking_on_screen.h"
#include "store_rig.h"
#include "dtrak/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

const char *ranking_world(void) {
    const char *path = rig_path("world.db");
    if (rig_exists(path)) return path;
    EXPLORE_RUN("'%s/screens/world' '%s' 2>&1", explore_environment("OUT"), path);
    /* It has features of l1 and no scores; those of simple rank as square does. */
    EXPLORE_RUN("'%s' score '%s' --method trak --loss l1 --split gen --threads 1 2>&1", explore_environment("DTRAK"), path);
    return path;
}

/* --- what dtrak rank says --- */

struct ranking ranking_of(const char *db, const char *setting) {
    struct ranking r;
    struct json_doc *doc;
    char *text = explore_shell("'%s' rank '%s' --query gen:0 %s --top %d --bottom %d --json", explore_environment("DTRAK"), db, setting,
                       TOP, TOP);
    assert_int_equal(json_parse(&doc, text, strlen(text), "rank"), OK);
    for (size_t side = 0; side < 2; side++) {
        const struct json *list = json_get(json_root(doc), side ? "opponents" : "proponents");
        assert_int_equal(json_len(list), TOP);
        for (size_t i = 0; i < TOP; i++) {
            const struct json *one = json_at(list, i);
            struct item_ref ref;
            assert_int_equal(item_ref_parse(&ref, json_string(json_get(one, "item"), "")), OK);
            assert_int_equal(ref.split, SPLIT_TRAIN);
            assert_int_equal(json_int(json_get(one, "rank"), 0), i + 1);
            r.item[side][i] = ref.index;
            snprintf(r.label[side][i], sizeof r.label[side][i], "%s", json_string(json_get(one, "label"), ""));
        }
    }
    json_free(doc);
    free(text);
    return r;
}

/* --- what is on the screen --- */

/* Where the heading of a rank stands, as ">1 train:21". */
int ranking_find(const struct pty *p, const struct ranking *r, size_t side, size_t i, size_t *row, size_t *col) {
    char heading[64];
    snprintf(heading, sizeof heading, "%c%zu train:%zu ", side == 0 && i == 0 ? '>' : ' ', i + 1, r->item[side][i]);
    return vt_find(pty_screen(p), heading, row, col);
}

/* --- pictures --- */

const struct vt_picture *ranking_picture(const struct pty *p, const struct ranking *r, size_t side, size_t i) {
    size_t row, col;
    return ranking_find(p, r, side, i, &row, &col) ? explore_picture_in(p, row + 1, col, 2, 12) : NULL;
}

int ranking_is_painted(struct pty *p, const void *ctx) {
    if (!explore_picture_in(p, 2, 1, 3, 20)) return 0;
    for (size_t i = 0; i < 2 * TOP; i++)
        if (!ranking_picture(p, ctx, i / TOP, i % TOP)) return 0;
    return 1;
}

void ranking_assert_shows(const struct sixel_image *painted, const char *db, size_t item) {
    unsigned char own[EXPLORE_PIXELS], other[EXPLORE_PIXELS];
    size_t different = 0;
    explore_pixels(db, SPLIT_TRAIN, item, own);
    double same = explore_psnr(painted, own);
    if (same < SAME_DB) fail_msg("the picture of train:%zu is off: %.1f dB", item, same);
    for (size_t k = 0; k < TRAIN; k++) {
        double sum = 0;
        explore_pixels(db, SPLIT_TRAIN, k, other);
        for (size_t i = 0; i < EXPLORE_PIXELS; i++) sum += (own[i] - other[i]) * (own[i] - other[i]);
        if (sum / EXPLORE_PIXELS < 9) continue;   /* the same, or within three greys of it */
        different++;
        if (explore_psnr(painted, other) >= same) fail_msg("the picture of train:%zu looks like train:%zu", item, k);
    }
    assert_true(different > TRAIN / 2);
}

void ranking_assert_painted(struct pty *p, const char *db, const struct ranking *r) {
    unsigned char query[EXPLORE_PIXELS];
    explore_until(p, ranking_is_painted, r, "not every picture of the ranking was painted");
    for (size_t i = 0; i < 2 * TOP; i++)
        ranking_assert_shows(&ranking_picture(p, r, i / TOP, i % TOP)->image, db, r->item[i / TOP][i % TOP]);
    explore_pixels(db, SPLIT_GEN, 0, query);
    assert_true(explore_psnr(&explore_picture_in(p, 2, 1, 3, 20)->image, query) >= SAME_DB);
}
