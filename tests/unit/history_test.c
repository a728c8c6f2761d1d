/* Back and forward through where one has been: by keys, by the line of actions, after an image
 * that came of its own accord, and where lists have become shorter meanwhile. */
#include "../lib/app_walk.h"
#include "../lib/large_db.h"
#include "../lib/store_rig.h"

#include "dtrak/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *database(void) {
    static const struct large_db want = { .train = 60, .val = 3, .gen = 8, .whole = 3, .k = 4 };
    const char *path = rig_path("some.db");
    if (!rig_exists(path)) assert_int_equal(large_db_make(path, &want), OK);
    return path;
}

static void enter(struct app *a) {
    walk_key(a, INPUT_ENTER, 0);
    app_draw(a);
}

static void is_at(const struct app *a, const struct screen *s, size_t query) {
    assert_string_equal(app_top(a)->name, s->name);
    assert_int_equal(a->query.index, query);
}

/* Somebody else writes, and that is seen. */
static void mark_elsewhere(struct app *a, size_t item) {
    struct store *s;
    assert_int_equal(store_open(&s, database(), STORE_WRITE), OK);
    assert_int_equal(store_mark_set(s, (struct item_ref){ SPLIT_TRAIN, item }, 1), OK);
    a->looked = 0;
    app_poll(a);
    store_close(s);
}

static void the_line_of_actions_goes_back_as_the_key_does(void **state) {
    (void)state;
    static const char *const back[] = { "<", ":where one was before" };
    for (size_t i = 0; i < 2; i++) {
        struct app *a = walk_open(database());
        walk_type(a, "2.34");
        is_at(a, &screen_self, 1);
        for (size_t k = 0; k < 3; k++) {
            walk_type(a, back[i]);
            if (i) enter(a);
        }
        is_at(a, &screen_ranking, 0);
        walk_type(a, ">");
        is_at(a, &screen_ranking, 1);
        walk_type(a, ">>>");
        is_at(a, &screen_self, 1);
        assert_non_null(strstr(a->message, "this is the latest place"));
        app_close(a);
    }
}

static void an_image_that_was_made_can_be_gone_back_from(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    struct store *s;
    unsigned char png[] = { 1, 2, 3 };
    const void *bytes = png;
    struct item it = { .label = -1, .width_px = 32, .height_px = 32, .image_bytes = sizeof png, .sampler = "ddim", .seed = 77, .steps = 9 };
    walk_type(a, "2..");
    is_at(a, &screen_ranking, 2);
    a->generate.pending = 1;
    a->generate.checkpoint = it.checkpoint = a->setting.checkpoint;
    a->generate.seed = it.seed;
    a->generate.steps = it.steps;
    assert_int_equal(store_open(&s, database(), STORE_WRITE), OK);
    assert_int_equal(store_items_add(s, SPLIT_GEN, &it, &bytes, 1, NULL), OK);
    store_close(s);
    a->looked = 0;
    app_poll(a);
    generate_news(a);
    is_at(a, &screen_ranking, a->catalog.count[SPLIT_GEN] - 1);
    assert_false(a->generate.pending);
    walk_type(a, "<");
    is_at(a, &screen_ranking, 2);
    app_close(a);
}

/* What is written elsewhere has the list of self-influence read again; the zoom over it goes on. */
static void the_zoom_steps_through_a_list_that_is_read_again(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    walk_type(a, "4llll");
    size_t before = a->self.list.item[3].item, after = a->self.list.item[5].item;
    enter(a);
    assert_string_equal(app_top(a)->name, "zoom");
    mark_elsewhere(a, 11);
    walk_type(a, "h");
    assert_int_equal(a->detail.ref.index, before);
    mark_elsewhere(a, 12);
    walk_type(a, "ll");
    assert_int_equal(a->detail.ref.index, after);
    app_close(a);
}

static void the_zoom_over_a_side_without_scores_stays(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    walk_type(a, "3llll");
    assert_true(a->row.n > 0);
    while (a->row.n) walk_type(a, "f");
    assert_int_equal(a->compare.cursor, 4);
    walk_type(a, ":train:3");
    enter(a);
    assert_string_equal(app_top(a)->name, "zoom");
    walk_type(a, "hlkj");
    assert_int_equal(a->detail.ref.index, 3);
    assert_non_null(strstr(a->message, "there is no list behind this item"));
    app_close(a);
}

static void losses_and_checkpoints_go_both_ways_everywhere(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    walk_type(a, "4");
    enum loss loss = a->self.loss;
    int64_t checkpoint = a->self.checkpoint;
    walk_type(a, "ff");
    assert_int_not_equal(a->self.loss, loss);
    walk_type(a, "FF");
    assert_int_equal(a->self.loss, loss);
    walk_type(a, "ccC");
    assert_int_not_equal(a->self.checkpoint, checkpoint);
    walk_type(a, "C");
    assert_int_equal(a->self.checkpoint, checkpoint);
    for (int i = 0; i < LOSS_COUNT; i++) walk_type(a, "F");
    assert_int_equal(a->self.loss, loss);
    app_close(a);
}

/* The next that somebody reads is the list as it is by then. */
static void a_list_that_was_read_stays_until_the_next_is(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    walk_type(a, "4ll");
    const struct report_self_item *list = a->self.list.item;
    a->self.waiting = 1;                       /* as when a thread reads it */
    self_reread(a);
    assert_ptr_equal(a->self.list.item, list);
    assert_int_equal(a->self.cursor, 2);
    app_draw(a);
    assert_false(a->self.loaded);              /* what was being read may be of before: once more */
    assert_true(a->self.list.n > 0);
    app_draw(a);
    assert_true(a->self.loaded);
    assert_int_equal(a->self.cursor, 2);
    app_close(a);
}

static void an_image_does_not_come_under_what_is_being_typed(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    walk_type(a, "1/sa");
    a->generate.pending = a->generate.news = 1;
    a->generate.checkpoint = a->setting.checkpoint;
    a->generate.seed = 101;
    a->generate.steps = 50;
    app_poll(a);
    assert_true(a->generate.pending);
    assert_string_equal(a->typed, "sa");
    walk_key(a, INPUT_ESC, 0);
    app_poll(a);
    assert_false(a->generate.pending);
    is_at(a, &screen_ranking, 1);
    app_close(a);
}

/* The scores of fewer features, measured too. */
static void add_smaller_set(const char *db) {
    struct store *s;
    struct checkpoint_list c;
    struct score_set set;
    struct lds_row lds;
    double *per_query;
    float row[60];
    assert_int_equal(store_open(&s, db, STORE_WRITE), OK);
    assert_int_equal(store_checkpoints_resolve(s, "last", &c), OK);
    struct score_query q = { "trak", "square", c.checkpoint[0].id, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &q, &set), OK);
    assert_int_equal(store_lds_get(s, set.id, 0, &lds, &per_query), OK);
    lds.per_query = per_query;
    set.k = 2;
    assert_int_equal(store_score_set_ensure(s, &set, NULL, &set), OK);
    for (size_t i = 0; i < set.rows; i++) {
        for (size_t k = 0; k < 60; k++) row[k] = rig_value(i, k);
        assert_int_equal(store_score_put(s, &set, i, row), OK);
    }
    lds.score_set = set.id;
    for (lds.centred = 0; lds.centred < 2; lds.centred++) assert_int_equal(store_lds_put(s, &lds), OK);
    mem_free(per_query);
    checkpoint_list_free(&c);
    store_close(s);
}

static void a_measured_set_shows_whatever_its_timesteps_and_k(void **state) {
    (void)state;
    struct app *a = walk_open(database());
    size_t smaller = 0;
    add_smaller_set(database());
    a->looked = 0;
    app_poll(a);
    for (size_t i = 0; i < 4; i++) {
        walk_type(a, "5g");
        for (size_t k = 0; k < i; k++) walk_type(a, "j");
        a->message[0] = 0;
        enter(a);
        is_at(a, &screen_ranking, 0);
        assert_string_equal(a->message, "");
        assert_true(a->row.state == ROW_STORED && a->row.set.k == a->setting.k);
        smaller += a->row.set.k == 2;
    }
    assert_int_equal(smaller, 1);
    app_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_of_actions_goes_back_as_the_key_does),
        cmocka_unit_test(an_image_that_was_made_can_be_gone_back_from),
        cmocka_unit_test(the_zoom_steps_through_a_list_that_is_read_again),
        cmocka_unit_test(the_zoom_over_a_side_without_scores_stays),
        cmocka_unit_test(losses_and_checkpoints_go_both_ways_everywhere),
        cmocka_unit_test(a_list_that_was_read_stays_until_the_next_is),
        cmocka_unit_test(a_measured_set_shows_whatever_its_timesteps_and_k),
        cmocka_unit_test(an_image_does_not_come_under_what_is_being_typed),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
