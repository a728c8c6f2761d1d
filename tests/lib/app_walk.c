/* app_walk.c - the explorer driven from inside.  See app_walk.h. */
#include "app_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- places --- */

static const struct item_ref first = { SPLIT_TRAIN, 0 };

static void over_ranking(struct app *a, const struct screen *s) {
    app_show(a, &screen_ranking);
    app_over(a, s);
}

static void go_gallery(struct app *a) { app_show(a, &screen_gallery); }
static void go_ranking(struct app *a) { app_show(a, &screen_ranking); }
static void go_compare(struct app *a) { app_show(a, &screen_compare); }
static void go_self(struct app *a) { app_show(a, &screen_self); }
static void go_evaluation(struct app *a) { app_show(a, &screen_evaluation); }
static void go_jobs(struct app *a) { app_show(a, &screen_jobs); }
static void go_overall(struct app *a) { app_show(a, &screen_overall); }
static void go_set(struct app *a) { app_show(a, &screen_set); }
static void go_reverse(struct app *a) { reverse_open(a, first); }
static void go_picker(struct app *a) { picker_show(a); }
static void go_help(struct app *a) { over_ranking(a, &screen_help); }

static void go_pairs(struct app *a) {
    go_evaluation(a);
    a->evaluation.pairs = 1;
}

static void go_boxes(struct app *a) {
    go_pairs(a);
    a->pairs.boxes = 1;
}

static void go_zoom(struct app *a) {
    app_show(a, &screen_ranking);
    detail_open(a, first);
}

static void go_maps(struct app *a) {
    go_zoom(a);
    a->maps.on = 1;
}

static void go_zoom_of_query(struct app *a) {
    app_show(a, &screen_ranking);
    detail_open(a, a->query);
}

/* Another folder than the one of this database: that of the command line. */
static void go_picker_of_folder(struct app *a) {
    picker_show(a);
    picker_typed(a, ".");
}

static void go_ask(struct app *a) {
    a->question = "Leave?";
    over_ranking(a, &screen_ask);
}

const struct walk_place walk_places[] = {
    { "gallery", go_gallery }, { "ranking", go_ranking }, { "compare", go_compare }, { "self", go_self },
    { "evaluation", go_evaluation }, { "pairs", go_pairs }, { "boxes", go_boxes }, { "jobs", go_jobs },
    { "overall", go_overall }, { "marked", go_set }, { "reverse", go_reverse }, { "zoom", go_zoom },
    { "zoom of a query", go_zoom_of_query }, { "zoom with heat maps", go_maps }, { "picker", go_picker },
    { "picker of a folder", go_picker_of_folder }, { "help", go_help }, { "question", go_ask },
};
const size_t walk_place_count = sizeof walk_places / sizeof walk_places[0];

void walk_go_to(struct app *a, const struct walk_place *place) {
    a->done = 0;
    a->prompt = PROMPT_NONE;
    a->evaluation.pairs = a->pairs.boxes = 0;
    a->maps.on = 0;
    app_show(a, &screen_gallery);
    place->go(a);
}

/* --- what is seen --- */

void walk_draw(struct app *a) {
    app_draw(a);
    size_t rows = frame_rows(a->frame), cols = frame_cols(a->frame);
    assert_true(rows > 0 && cols > 0);
    for (size_t i = 0; i < frame_image_count(a->frame); i++) {
        const struct image_box *b = frame_image_at(a->frame, i);
        assert_true(b->rows > 0 && b->cols > 0 && b->row + b->rows <= rows && b->col + b->cols <= cols);
    }
    for (size_t i = 0; i < a->n_spots; i++) assert_true(a->spot[i].row < rows && a->spot[i].col < cols);
}

/* --- what is done --- */

void walk_key(struct app *a, uint32_t code, int mods) {
    struct input_event key;
    memset(&key, 0, sizeof key);
    key.kind = INPUT_KEY;
    key.code = code;
    key.mods = (unsigned)mods;
    app_key(a, &key);
}

struct app *walk_open(const char *db) {
    struct tui_options o = TUI_DEFAULTS;
    struct app *a;
    o.db = db;
    o.cols = 120;
    o.rows = 36;
    if (app_open(&a, &o) != OK) fail_msg("%s", fail_reason());
    app_draw(a);
    return a;
}

void walk_type(struct app *a, const char *text) {
    for (; *text; text++) {
        walk_key(a, *text == '\n' ? INPUT_ENTER : (unsigned char)*text, 0);
        app_draw(a);
    }
}

void walk_answer(struct app *a, const char *word) {
    for (; *word && a->prompt != PROMPT_NONE; word++) {
        walk_key(a, (unsigned char)*word, 0);
        walk_draw(a);
    }
    if (a->prompt != PROMPT_NONE) walk_key(a, INPUT_ENTER, 0);
    if (a->prompt != PROMPT_NONE) walk_key(a, INPUT_ESC, 0);
    assert_int_equal(a->prompt, PROMPT_NONE);
}

void walk_press(struct app *a, struct rng *r) {
    static const uint32_t special[] = { INPUT_ENTER, INPUT_TAB, INPUT_BACKTAB, INPUT_ESC, INPUT_BACKSPACE, INPUT_UP, INPUT_DOWN, INPUT_LEFT,
        INPUT_RIGHT, INPUT_PGUP, INPUT_PGDN, INPUT_HOME, INPUT_END, INPUT_F1, 0xe9, 0x9774 };
    uint32_t n = sizeof special / sizeof special[0], u = rng_below(r, n + 95 + 26), code;
    if (u < n) code = special[u];
    else if (u < n + 95) code = ' ' + (u - n);
    else code = 'a' + (u - n - 95);
    walk_key(a, code, u >= n + 95 && rng_below(r, 4) == 0 ? INPUT_CTRL : 0);
}

void walk_click(struct app *a, struct rng *r) {
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

void walk_resize(struct app *a, struct rng *r) {
    size_t cols = 1 + rng_below(r, 160), rows = 1 + rng_below(r, 50);
    if (rng_below(r, 3) == 0) cols = 100 + rng_below(r, 100);
    assert_int_equal(app_resize(a, rows, cols), OK);
}

uint64_t walk_seed(void) {
    const char *text = getenv("WALK_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 5;
    printf("# WALK_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}
