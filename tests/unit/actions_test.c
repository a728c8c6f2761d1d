/* Every action on every screen at sizes down to one cell, on databases from an empty one to
 * one of thousands of items, then random keys: a frame each time, nothing crashes, nothing
 * leaks.
 *
 * The actions are called as the palette calls them, so that each is tried on each screen,
 * whether it has a key there or not.  WALK_SEED=N walks elsewhere. */
#include "../lib/app_walk.h"
#include "../lib/large_db.h"
#include "../lib/store_rig.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const size_t sizes[][2] = { { 80, 24 }, { 1, 1 }, { 20, 5 }, { 200, 60 }, { 3, 40 } };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static const char *path_of(struct large_db want, const char *name) {
    const char *path = rig_path(name);
    if (!rig_exists(path)) assert_int_equal(large_db_make(path, &want), OK);
    return path;
}

static char demo[4096];

static const char *empty(void) { return path_of((struct large_db){ 0 }, "empty.db"); }
static const char *one_item(void) { return path_of((struct large_db){ .train = 1, .gen = 1, .whole = 3, .k = 4 }, "one.db"); }
static const char *no_queries(void) { return path_of((struct large_db){ .train = 3 }, "no-queries.db"); }
static const char *two_thousand(void) {
    return path_of((struct large_db){ .train = 2000, .val = 20, .gen = 30, .whole = 3, .ends = 7, .k = 16 }, "large.db");
}

static void try_all(const char *db, int read_only) {
    struct tui_options o = TUI_DEFAULTS;
    struct app *a;
    long live = mem_live();
    o.db = db;
    o.read_only = read_only;
    assert_int_equal(app_open(&a, &o), OK);
    for (size_t size = 0; size < SIZES; size++) {
        assert_int_equal(app_resize(a, sizes[size][1], sizes[size][0]), OK);
        for (size_t s = 0; s < walk_place_count; s++)
            for (int k = ACT_NONE + 1; k < ACT_COUNT; k++) {
                walk_go_to(a, &walk_places[s]);
                walk_draw(a);
                app_act(a, (enum action)k);
                walk_draw(a);
                walk_answer(a, ((size_t)k + s) % 3 ? "1" : "a");
                app_poll(a);
                walk_draw(a);
            }
    }
    app_close(a);
    assert_int_equal(mem_live(), live);
}

static void every_action_on_an_empty_database(void **state) { (void)state; try_all(empty(), 1); }
static void every_action_without_queries(void **state) { (void)state; try_all(no_queries(), 1); }
static void every_action_with_one_item(void **state) { (void)state; try_all(one_item(), 1); }
static void every_action_with_two_thousand_items(void **state) { (void)state; try_all(two_thousand(), 1); }

/* With a worker: what can be queued is, and is given up at the end. */
static void every_action_may_write(void **state) {
    (void)state;
    try_all(empty(), 0);
    try_all(one_item(), 0);
}

/* --- what is typed --- */

/* Letters of one, two and three bytes, wide ones, and more than any line holds. */
static void type_much(struct app *a) {
    static const uint32_t letter[] = { 'a', 0xe9, 0x9774, '/', 0x301, 0x1f45f };
    for (size_t i = 0; i < 40 && a->prompt != PROMPT_NONE; i++) {
        walk_key(a, letter[i % 6], 0);
        walk_draw(a);
    }
}

/* The keys that mean something in a prompt; none of them ends it. */
static void edit(struct app *a) {
    static const uint32_t key[] = { INPUT_TAB, INPUT_UP, INPUT_DOWN, INPUT_BACKTAB, INPUT_HOME, INPUT_LEFT, INPUT_BACKSPACE, INPUT_F1 };
    enum prompt p = a->prompt;
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        walk_key(a, key[i], 0);
        walk_draw(a);
    }
    assert_int_equal(a->prompt, p);
}

/* The end of what was typed is on the last line, before the cursor. */
static void expect_end_on_screen(struct app *a, const char *end) {
    size_t rows = frame_rows(a->frame), cols = frame_cols(a->frame), len = 0;
    char line[1024];
    if (rows < 2) return;
    for (size_t c = 0; c < cols && len < sizeof line - 8; c++)
        if (frame_cell(a->frame, rows - 1, c)->cp) len += text_encode(line + len, frame_cell(a->frame, rows - 1, c)->cp);
    line[len] = 0;
    if (!strstr(line, end)) fail_msg("'%s' is not in '%s'", end, line);
}

static void every_prompt_at(struct app *a, size_t cols, size_t rows, unsigned seen[]) {
    static const enum action asks[] = { ACT_note, ACT_export, ACT_set_save, ACT_set_retrain, ACT_filter, ACT_palette, ACT_pick_path, ACT_search };
    assert_int_equal(app_resize(a, rows, cols), OK);
    for (size_t p = 0; p < walk_place_count; p++)
        for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
            for (int ending = 0; ending < 3; ending++) {
                walk_go_to(a, &walk_places[p]);
                app_act(a, asks[i]);
                walk_draw(a);
                if (a->prompt == PROMPT_NONE) break;
                seen[a->prompt]++;
                type_much(a);
                edit(a);
                walk_key(a, 'u', INPUT_CTRL);
                walk_draw(a);
                /* Wiped, left by what it stands for, or taken: a path that leads nowhere. */
                for (const char *t = "no/where/at/all/end"; *t; t++) walk_key(a, (unsigned char)*t, 0);
                walk_draw(a);
                expect_end_on_screen(a, "all/end▏");
                if (ending == 0) walk_key(a, INPUT_ESC, 0);
                else if (ending == 1) { walk_key(a, 'u', INPUT_CTRL); walk_key(a, INPUT_BACKSPACE, 0); }
                else walk_key(a, INPUT_ENTER, 0);
                assert_int_equal(a->prompt, PROMPT_NONE);
                walk_draw(a);
            }
}

static void what_is_typed_shows_its_end_at_any_size(void **state) {
    (void)state;
    static const size_t small[][2] = { { 20, 5 }, { 1, 1 }, { 40, 2 }, { 80, 24 } };
    struct tui_options o = TUI_DEFAULTS;
    struct app *a;
    char note[512];
    long live = mem_live();
    o.db = path_of((struct large_db){ .train = 3, .gen = 2, .whole = 1, .k = 4 }, "typed.db");
    assert_int_equal(app_open(&a, &o), OK);
    assert_int_equal(app_resize(a, 24, 80), OK);
    walk_draw(a);
    if (!a->marks.count[SPLIT_TRAIN]) marks_toggle(a, (struct item_ref){ SPLIT_TRAIN, 1 });
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        unsigned seen[PROMPT_NOTE + 1] = { 0 };
        every_prompt_at(a, small[i][0], small[i][1], seen);
        assert_true(seen[PROMPT_NOTE] && seen[PROMPT_EXPORT] && seen[PROMPT_SAVE] && seen[PROMPT_FILTER] && seen[PROMPT_PALETTE] &&
                    seen[PROMPT_OPEN] && seen[PROMPT_SEARCH]);
    }
    /* Taken from the one cell too. */
    note_read(a, (struct item_ref){ SPLIT_TRAIN, 0 }, note, sizeof note);
    assert_string_equal(note, "no/where/at/all/end");
    app_close(a);
    assert_int_equal(mem_live(), live);
}

/* --- a walk --- */

static void walk(const char *db, int read_only, size_t keys, uint64_t seed) {
    struct tui_options o = TUI_DEFAULTS;
    struct rng r = rng_at(seed, RNG_TEST, 17, (uint32_t)read_only);
    struct app *a;
    long live = mem_live();
    o.db = db;
    o.read_only = read_only;
    o.threads = 1;
    assert_int_equal(app_open(&a, &o), OK);
    for (size_t i = 0; i < keys; i++) {
        uint32_t kind = rng_below(&r, 100);
        if (kind == 0) walk_resize(a, &r);
        else if (kind < 4) walk_click(a, &r);
        else walk_press(a, &r);
        /* Leaving is tried too, and one comes back. */
        a->done = 0;
        app_poll(a);
        walk_draw(a);
    }
    app_close(a);
    assert_int_equal(mem_live(), live);
}

static void twenty_thousand_random_keys_on_the_demo(void **state) {
    (void)state;
    walk(demo, 1, 20000, walk_seed());
}

/* Where keys write, and start work that fails for want of a network. */
static void and_some_thousand_where_they_write(void **state) {
    (void)state;
    walk(two_thousand(), 0, 3000, walk_seed());
}

/* --- the database --- */

/* A database of the size that the name says, every picture different from the next. */
static void a_large_database_is_what_it_says(void **state) {
    (void)state;
    const char *db = two_thousand();
    assert_int_equal(rig_number(db, "SELECT count(*) FROM item WHERE split = 'train'"), 2000);
    assert_int_equal(rig_number(db, "SELECT count(DISTINCT sha256) FROM image"), 2050);
    assert_int_equal(rig_number(db, "SELECT count(*) FROM score_set"), 10);
    assert_int_equal(rig_number(db, "SELECT count(*) FROM score"), 300);
    assert_int_equal(rig_number(db, "SELECT count(*) FROM score WHERE format < 2"), 90);
    struct store *s;
    size_t problems = 0;
    assert_int_equal(store_open(&s, db, STORE_READ), OK);
    struct image im;
    void *bytes;
    size_t len;
    unsigned char made[32 * 32 * 3];
    assert_int_equal(store_image_read(s, (struct item_ref){ SPLIT_TRAIN, 1234 }, &bytes, &len), OK);
    assert_int_equal(image_decode(&im, bytes, len, 3, "stored"), OK);
    large_db_pixels(made, 1234);
    for (size_t i = 0; i < sizeof made; i++) problems += im.pixels[i] != made[i];
    assert_int_equal(problems, 0);
    image_free(&im);
    mem_free(bytes);
    store_close(s);
}

/* Exports go to the folder where one is: that of the databases. */
static int enter(void **state) {
    (void)state;
    assert_non_null(realpath("assets/demo.db", demo));
    return chdir(rig_path(""));
}

static int clear(void **state) {
    (void)state;
    rig_clear();
    return chdir("/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_database_is_what_it_says),
        cmocka_unit_test(every_action_on_an_empty_database),
        cmocka_unit_test(every_action_without_queries),
        cmocka_unit_test(every_action_with_one_item),
        cmocka_unit_test(every_action_with_two_thousand_items),
        cmocka_unit_test(every_action_may_write),
        cmocka_unit_test(what_is_typed_shows_its_end_at_any_size),
        cmocka_unit_test(twenty_thousand_random_keys_on_the_demo),
        cmocka_unit_test(and_some_thousand_where_they_write),
    };
    return cmocka_run_group_tests(tests, enter, clear);
}
