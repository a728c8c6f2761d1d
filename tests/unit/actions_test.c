/* Every action on every screen at sizes down to one cell, on databases from an empty one to
 * one of thousands of items, then random keys: a frame each time, nothing crashes, nothing
 * leaks.
 *
 * The actions are called as the palette calls them, so that each is tried on each screen,
 * whether it has a key there or not.  WALK_SEED=N walks elsewhere. */
#include "../lib/large_db.h"
#include "../lib/store_rig.h"
#include "../../src/tui/app.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct screen *const screens[] = { &screen_gallery, &screen_ranking, &screen_compare, &screen_self, &screen_evaluation,
    &screen_jobs, &screen_set, &screen_reverse, &screen_overall, &screen_detail, &screen_picker, &screen_help, &screen_ask };
enum { SCREENS = sizeof screens / sizeof screens[0] };

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

static void draw(struct app *a) {
    app_draw(a);
    size_t rows = frame_rows(a->frame), cols = frame_cols(a->frame);
    assert_true(rows > 0 && cols > 0);
    for (size_t i = 0; i < frame_image_count(a->frame); i++) {
        const struct image_box *b = frame_image_at(a->frame, i);
        assert_true(b->rows > 0 && b->cols > 0 && b->row + b->rows <= rows && b->col + b->cols <= cols);
    }
    /* What can be clicked is on the screen. */
    for (size_t i = 0; i < a->n_spots; i++) assert_true(a->spot[i].row < rows && a->spot[i].col < cols);
}

/* The screen as one comes to it: from the gallery, and overlays over the ranking. */
static void go_to(struct app *a, const struct screen *s) {
    struct item_ref item = { SPLIT_TRAIN, 0 };
    a->done = 0;
    a->prompt = PROMPT_NONE;
    app_show(a, &screen_gallery);
    if (s == &screen_reverse) {
        reverse_open(a, item);
    } else if (s == &screen_detail) {
        app_show(a, &screen_ranking);
        detail_open(a, item);
    } else if (s == &screen_picker) {
        picker_show(a);
    } else if (s == &screen_help || s == &screen_ask) {
        app_show(a, &screen_ranking);
        a->question = "Leave?";
        app_over(a, s);
    } else {
        app_show(a, s);
    }
}

/* What a prompt is answered with: a word, then Enter. */
static void answer(struct app *a, const char *word) {
    struct input_event key;
    memset(&key, 0, sizeof key);
    key.kind = INPUT_KEY;
    for (; *word && a->prompt != PROMPT_NONE; word++) {
        key.code = (unsigned char)*word;
        app_key(a, &key);
        draw(a);
    }
    key.code = INPUT_ENTER;
    if (a->prompt != PROMPT_NONE) app_key(a, &key);
    if (a->prompt != PROMPT_NONE) {
        key.code = INPUT_ESC;
        app_key(a, &key);
    }
    assert_int_equal(a->prompt, PROMPT_NONE);
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
        for (size_t s = 0; s < SCREENS; s++)
            for (int k = ACT_NONE + 1; k < ACT_COUNT; k++) {
                go_to(a, screens[s]);
                draw(a);
                app_act(a, (enum action)k);
                draw(a);
                answer(a, ((size_t)k + s) % 3 ? "1" : "a");
                app_poll(a);
                draw(a);
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

/* --- a walk --- */

static void press(struct app *a, struct rng *r) {
    static const uint32_t code[] = { INPUT_ENTER, INPUT_TAB, INPUT_BACKTAB, INPUT_ESC, INPUT_BACKSPACE, INPUT_UP, INPUT_DOWN, INPUT_LEFT,
        INPUT_RIGHT, INPUT_PGUP, INPUT_PGDN, INPUT_HOME, INPUT_END, INPUT_F1, 0xe9, 0x9774 };
    struct input_event key;
    size_t special = sizeof code / sizeof code[0];
    memset(&key, 0, sizeof key);
    key.kind = INPUT_KEY;
    uint32_t u = rng_below(r, (uint32_t)(special + 95 + 26));
    if (u < special) key.code = code[u];
    else if (u < special + 95) key.code = ' ' + (u - (uint32_t)special);
    else key.code = 'a' + (u - (uint32_t)special - 95);
    if (u >= special + 95 && rng_below(r, 4) == 0) key.mods = INPUT_CTRL;
    app_key(a, &key);
}

static void click(struct app *a, struct rng *r) {
    static const enum input_button button[] = { INPUT_BUTTON_LEFT, INPUT_BUTTON_LEFT, INPUT_BUTTON_LEFT, INPUT_WHEEL_UP, INPUT_WHEEL_DOWN };
    struct input_event m;
    memset(&m, 0, sizeof m);
    m.kind = INPUT_MOUSE;
    m.button = button[rng_below(r, 5)];
    m.press = 1;
    m.row = rng_below(r, (uint32_t)frame_rows(a->frame));
    m.col = rng_below(r, (uint32_t)frame_cols(a->frame));
    app_mouse(a, &m);
    if (rng_below(r, 2)) app_mouse(a, &m);
}

static void resize(struct app *a, struct rng *r) {
    size_t cols = 1 + rng_below(r, 160), rows = 1 + rng_below(r, 50);
    if (rng_below(r, 3) == 0) cols = 100 + rng_below(r, 100);
    assert_int_equal(app_resize(a, rows, cols), OK);
}

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
        if (kind == 0) resize(a, &r);
        else if (kind < 4) click(a, &r);
        else press(a, &r);
        /* Leaving is tried too, and one comes back. */
        a->done = 0;
        app_poll(a);
        draw(a);
    }
    app_close(a);
    assert_int_equal(mem_live(), live);
}

static uint64_t walk_seed(void) {
    const char *text = getenv("WALK_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 5;
    printf("# WALK_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
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
        cmocka_unit_test(twenty_thousand_random_keys_on_the_demo),
        cmocka_unit_test(and_some_thousand_where_they_write),
    };
    return cmocka_run_group_tests(tests, enter, clear);
}
