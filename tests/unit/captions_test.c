/* Captions of hundreds of words, in any script: found to their end, shown to a whole character.
 * Labels that are numbers. */
#include "../lib/app_walk.h"
#include "../lib/store_rig.h"

#include "dtrak/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* An item whose caption is n times "日", then "zebra". */
static size_t add(const char *db, enum split split, size_t n) {
    static char caption[4000];
    struct store *s;
    unsigned char png[] = { 1, 2, 3 };
    const void *bytes = png;
    struct item it = { .label = -1, .caption = caption, .width_px = 32, .height_px = 32, .image_bytes = sizeof png };
    size_t at = 0, index = 0;
    for (size_t i = 0; i < n; i++) at += (size_t)snprintf(caption + at, sizeof caption - at, "日");
    snprintf(caption + at, sizeof caption - at, " zebra");
    assert_int_equal(store_open(&s, db, STORE_WRITE), OK);
    assert_int_equal(store_items_add(s, split, &it, &bytes, 1, &index), OK);
    store_close(s);
    return index;
}

static void a_long_caption_is_found_by_its_last_word(void **state) {
    (void)state;
    store_close(rig_project(rig_path("some.db")));
    size_t item = add(rig_path("some.db"), SPLIT_GEN, 900);
    struct app *a = walk_open(rig_path("some.db"));
    walk_type(a, "1/zebra\n");
    assert_int_equal(a->query.index, item);
    walk_type(a, "g&zebra\n");
    assert_int_equal(a->gallery.count, 1);
    assert_int_equal(a->gallery.index[0], item);
    snprintf(a->filter, sizeof a->filter, "caption:zebra");
    gallery_refilter(a);
    assert_int_equal(a->gallery.count, 1);
    app_close(a);
}

static void what_is_cut_ends_with_a_whole_character(void **state) {
    (void)state;
    for (size_t n = 168; n < 172; n++) {
        struct item_ref ref = { SPLIT_VAL, add(rig_path("some.db"), SPLIT_VAL, n) };
        struct app *a = walk_open(rig_path("some.db"));
        const struct facts *f = facts_of(a, ref);
        size_t used, cells = 0;
        uint32_t cp;
        assert_true(f->known == 1 && strlen(f->caption) < sizeof f->caption);
        for (const char *c = f->caption; (used = text_decode(c, &cp)) != 0; c += used, cells++) assert_int_not_equal(cp, 0xfffd);
        assert_true(cells >= 168);
        app_close(a);
    }
}

/* Labels without names: their number is no part of another. */
static void a_label_s_number_is_that_number(void **state) {
    (void)state;
    struct store *s;
    unsigned char png[] = { 1, 2, 3 };
    const void *bytes = png;
    struct project p = { .name = "numbers", .width = 32, .height = 32, .channels = 1, .patch = 1, .value_low = -1, .value_high = 1 };
    struct tui_options o = TUI_DEFAULTS;
    struct app *a;
    o.db = rig_path("numbers.db");
    assert_int_equal(store_create(&s, o.db), OK);
    assert_int_equal(store_project_set(s, &p), OK);
    for (int label = 0; label < 20; label++) {
        struct item it = { .label = label, .width_px = 32, .height_px = 32, .image_bytes = sizeof png };
        assert_int_equal(store_items_add(s, SPLIT_VAL, &it, &bytes, 1, NULL), OK);
    }
    assert_int_equal(store_publish(s), OK);
    store_close(s);
    assert_int_equal(app_open(&a, &o), OK);
    walk_type(a, "&label:5\n");
    assert_int_equal(a->gallery.count, 1);
    assert_int_equal(a->gallery.index[0], 5);
    walk_type(a, "&");
    for (int i = 0; i < 60; i++) walk_type(a, "zz ");
    walk_type(a, "\n");
    assert_non_null(strstr(a->message, "a search or a filter has at most 127"));
    assert_string_equal(a->filter, "label:5");
    app_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_caption_is_found_by_its_last_word),
        cmocka_unit_test(what_is_cut_ends_with_a_whole_character),
        cmocka_unit_test(a_label_s_number_is_that_number),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
