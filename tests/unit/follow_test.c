/* A database that somebody else writes, moves or takes away while it is shown: what is new shows
 * without a key, what has gone is not shown under another's number, and nothing is written to a
 * file that is not the one of that name. */
#include "../lib/app_walk.h"
#include "../lib/large_db.h"
#include "../lib/slower.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"

#include "dtrak/mem.h"
#include "dtrak/pictures.h"
#include "dtrak/store_error.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { TRAIN = 60, VAL = 3, GEN = 8 };

static const char *database(const char *name) {
    static const struct large_db want = { .train = TRAIN, .val = VAL, .gen = GEN, .whole = 3, .k = 4 };
    const char *path = rig_path(name);
    ok(large_db_make(path, &want));
    return path;
}

static void look(struct app *a) {
    a->looked = 0;
    app_poll(a);
    app_draw(a);
}

static struct store *writer(const char *db) {
    struct store *s;
    ok(store_open(&s, db, STORE_WRITE));
    return s;
}

/* --- what is new --- */

static void marks_made_elsewhere_go_through_the_filters(void **state) {
    (void)state;
    const char *db = database("marks.db");
    struct app *a = walk_open(db);
    struct store *s = writer(db);
    walk_type(a, "2&marked\n");
    size_t before = a->row.n_list;
    assert_true(before > 0);
    walk_type(a, "l");
    size_t cursor = a->ranking.cursor[0], n = 0;
    for (size_t i = 0; i < TRAIN; i++) {
        struct item_ref ref = { SPLIT_TRAIN, i };
        if (marks_has(a, ref) || n == 5) continue;
        ok(store_mark_set(s, ref, 1));
        n++;
    }
    ok(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 6 }, 1));
    look(a);
    assert_int_equal(a->row.n_list, before + 5);
    assert_int_equal(a->ranking.cursor[0], cursor);
    walk_type(a, "1&marked\n");
    assert_int_equal(a->gallery.count, 1);
    ok(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 2 }, 1));
    look(a);
    assert_int_equal(a->gallery.count, 2);
    store_close(s);
    app_close(a);
}

/* Sets may be of other numbers of training items: the cursor is on one that shows. */
static void the_cursor_stays_among_the_items_of_the_set(void **state) {
    (void)state;
    struct app *a = walk_open(database("fewer.db"));
    walk_type(a, "2G");
    assert_int_equal(a->ranking.cursor[0], TRAIN - 1);
    a->row.n = 10;                 /* as one of ten items is read */
    row_changed(a);
    assert_int_equal(a->ranking.cursor[0], 9);
    app_close(a);
}

static void error_bars_show_when_they_are_there(void **state) {
    (void)state;
    const char *db = database("errors.db");
    struct app *a = walk_open(db);
    struct error_set e = { .blocks = 2, .top = 10, .draws = 100 };
    static float left[2 * TRAIN];
    static uint8_t in_top[TRAIN];
    static uint32_t low[TRAIN], high[TRAIN];
    for (size_t i = 0; i < TRAIN; i++) {
        left[i] = .01f;
        left[TRAIN + i] = -.01f;
        low[i] = 1;
        high[i] = TRAIN;
    }
    walk_type(a, "2");
    assert_int_equal(a->row.state, ROW_STORED);
    assert_int_equal(a->row.trust.n, 0);
    struct store *s = writer(db);
    e.score_set = a->row.set.id;
    ok(store_error_set_ensure(s, &e, NULL, &e));
    ok(store_error_put(s, &e, a->query.index, &(struct error_row){ TRAIN, 2, left, NULL, in_top, low, high }));
    look(a);
    assert_int_equal(a->row.trust.n, TRAIN);
    store_close(s);
    app_close(a);
}

static void the_gallery_is_in_the_order_of_the_setting_shown(void **state) {
    (void)state;
    struct app *a = walk_open(database("sorted.db"));
    walk_type(a, "ss");
    assert_int_equal(a->gallery.sort, SORT_LDS);
    for (int i = 0; i < 6; i++) {
        walk_type(a, i % 2 ? "2m1" : "2c1");
        double last = INFINITY;
        for (size_t k = 0; k < a->gallery.count; k++) {
            double lds = query_lds(a, (struct item_ref){ a->gallery.split, a->gallery.index[k] });
            assert_true(!(lds > last));
            if (lds == lds) last = lds;
        }
        assert_int_equal(a->gallery.index[a->gallery.cursor], a->query.index);
    }
    app_close(a);
}

/* --- what has gone --- */

/* The picture that a key would show, waited for: its first bytes. */
static uint32_t picture(struct pictures *p, size_t gen) {
    const unsigned char *rgba;
    size_t w, h;
    struct timespec nap = { 0, 2000000 };
    uint32_t first = 0;
    for (int got = 0, i = 0; !got && i < 5000; i++) {
        pictures_begin(p);
        got = pictures_get(p, (struct item_ref){ SPLIT_GEN, gen }, &rgba, &w, &h);
        if (got > 0) memcpy(&first, rgba, sizeof first);
        else nanosleep(&nap, NULL);
    }
    assert_int_not_equal(first, 0);
    return first;
}

static void items_that_go_take_their_pictures_and_places_along(void **state) {
    (void)state;
    const char *db = database("dropped.db");
    struct app *a = walk_open(db);
    ok(pictures_open(&a->pictures, db, 0, NULL, NULL));
    walk_type(a, "2.......");
    assert_int_equal(a->query.index, GEN - 1);
    uint32_t second = picture(a->pictures, 2);
    struct item_ref ref = { SPLIT_GEN, 1 };
    uint64_t key = draw_picture_key(a, ref);
    assert_int_not_equal(picture(a->pictures, 1), second);
    assert_int_equal(facts_of(a, ref)->seed, 101);
    struct store *s = writer(db);
    ok(store_items_drop(s, SPLIT_GEN, (size_t[]){ 0, 1 }, 2));
    store_close(s);
    look(a);
    assert_int_equal(a->catalog.count[SPLIT_GEN], GEN - 2);
    assert_int_equal(a->gallery.count, GEN - 2);
    assert_int_equal(a->query.index, GEN - 3);              /* the last there is */
    assert_true(draw_picture_key(a, ref) != key);           /* what the terminal has is of another */
    assert_int_equal(picture(a->pictures, 0), second);
    assert_int_equal(facts_of(a, ref)->seed, 103);
    walk_type(a, "<");
    assert_non_null(strstr(a->message, "this is where it began"));
    s = writer(db);
    size_t all[GEN];
    for (size_t i = 0; i < GEN; i++) all[i] = i;
    ok(store_items_drop(s, SPLIT_GEN, all, GEN - 2));
    store_close(s);
    look(a);
    assert_int_equal(a->query.split, SPLIT_VAL);
    pictures_close(a->pictures);
    a->pictures = NULL;
    app_close(a);
}

static void live_row(struct app *a) {
    struct timespec nap = { 0, 2000000 };
    for (int i = 0; a->row.state == ROW_WAITING && i < 5000; i++) {
        nanosleep(&nap, NULL);
        look(a);
    }
    assert_int_equal(a->row.state, ROW_LIVE);
}

static void a_stepped_lambda_is_of_the_item_that_has_the_number_now(void **state) {
    (void)state;
    const char *db = database("stepped.db");
    struct app *a = walk_open(db), *fresh;
    walk_type(a, "2]");
    live_row(a);
    float before = a->row.score[0];
    size_t first = 0;
    struct store *s = writer(db);
    ok(store_items_drop(s, SPLIT_GEN, &first, 1));
    store_close(s);
    look(a);
    live_row(a);
    fresh = walk_open(db);
    walk_type(fresh, "2]");
    live_row(fresh);
    assert_true(fabsf(a->row.score[0] - fresh->row.score[0]) <= 1e-4f * fresh->row.largest);
    assert_true(fabsf(before - fresh->row.score[0]) > 1e-2f * fresh->row.largest);   /* else it shows nothing */
    app_close(fresh);
    app_close(a);
}

static void labels_and_matches_stay_while_the_items_do(void **state) {
    (void)state;
    const char *db = database("labels.db");
    struct app *a = walk_open(db);
    struct store *s = writer(db);
    walk_type(a, "2/cat\n");
    assert_non_null(a->found.hit[SPLIT_TRAIN]);
    catalog_labels(a);
    const int *label = a->catalog.label.train;
    const unsigned char *hit = a->found.hit[SPLIT_TRAIN];
    ok(store_mark_set(s, (struct item_ref){ SPLIT_TRAIN, 1 }, 1));
    look(a);
    assert_ptr_equal(a->catalog.label.train, label);
    assert_ptr_equal(a->found.hit[SPLIT_TRAIN], hit);
    unsigned char png[] = { 1, 2, 3 };
    const void *bytes = png;
    struct item it = { .label = 5, .width_px = 32, .height_px = 32, .image_bytes = sizeof png };
    ok(store_items_add(s, SPLIT_VAL, &it, &bytes, 1, NULL));
    look(a);
    assert_null(a->found.hit[SPLIT_TRAIN]);
    assert_int_equal(a->catalog.items, ITEMS_MORE);
    store_close(s);
    app_close(a);
}

/* --- writing --- */

static void a_mark_does_not_wait_long_for_another_writer(void **state) {
    (void)state;
    const char *db = database("busy.db");
    struct app *a = walk_open(db);
    struct store *s = writer(db);
    struct item_ref ref = { SPLIT_GEN, 0 };
    ok(store_begin(s));
    struct limit began = limit_begin();
    walk_type(a, " ");
    assert_true(limit_took(began) < LIMIT_S(2));
    assert_non_null(strstr(a->message, "locked by another process"));
    assert_false(marks_has(a, ref));
    ok(store_commit(s));
    walk_type(a, " ");
    assert_true(marks_has(a, ref));
    store_close(s);
    app_close(a);
}

static void a_file_that_is_gone_is_said_and_not_written(void **state) {
    (void)state;
    const char *db = database("gone.db");
    struct app *a = walk_open(db);
    assert_non_null(a->jobs);
    char away[4096];
    snprintf(away, sizeof away, "%s", rig_path("away.db"));
    assert_int_equal(rename(db, away), 0);
    look(a);
    assert_false(a->is_replaced);             /* one that comes back at once is no reason to stop */
    assert_int_equal(rename(away, db), 0);
    look(a);
    assert_int_equal(a->times_gone, 0);
    assert_int_equal(unlink(db), 0);
    look(a);
    look(a);
    assert_non_null(strstr(a->message, "the database's file is gone"));
    assert_null(a->jobs);
    walk_type(a, " ");
    assert_non_null(strstr(a->message, "not kept: the database is only read"));
    walk_type(a, "2fr");
    assert_non_null(strstr(a->message, "the database's file is gone: nothing can be computed"));
    walk_type(a, "e\n");
    assert_non_null(strstr(a->message, "the database's file is gone"));
    app_close(a);
    assert_false(rig_exists(db));
}

/* The file may go while a line is typed. */
static void what_is_typed_meanwhile_is_not_written(void **state) {
    (void)state;
    static const char *const keys[] = { " 8r", " 8s", " 2a" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "typed-%zu.db", i);
        const char *db = database(name);
        struct app *a = walk_open(db);
        walk_type(a, keys[i]);
        assert_int_not_equal(a->prompt, PROMPT_NONE);
        walk_type(a, "wor");
        assert_int_equal(unlink(db), 0);
        look(a);
        look(a);
        assert_null(a->jobs);
        walk_type(a, "d\n");
        assert_non_null(strstr(a->message, "the database's file is gone"));
        struct removal_names l;
        ok(store_removal_lists(a->store, &l));
        assert_int_equal(l.count, 1);          /* that of the database itself */
        removal_names_free(&l);
        char *note = NULL;
        ok(store_note_get(a->store, a->noted, &note));
        assert_true(!note || !strstr(note, "word"));
        mem_free(note);
        app_close(a);
    }
}

/* The log beside a new file of that name is the new one's: closing the old one leaves it. */
static void closing_a_replaced_file_leaves_the_log_of_the_new_one(void **state) {
    (void)state;
    const char *db = database("old.db"), *other = database("new.db");
    char log[4096];
    struct store *old = writer(db);
    ok(store_mark_set(old, (struct item_ref){ SPLIT_TRAIN, 1 }, 1));
    assert_int_equal(rename(other, db), 0);
    snprintf(log, sizeof log, "%s-wal", db);
    assert_int_equal(unlink(log), 0);
    snprintf(log, sizeof log, "%s-shm", db);
    unlink(log);
    struct store *s = writer(db);
    struct item_ref ref = { SPLIT_TRAIN, 3 };
    ok(store_mark_set(s, ref, 1));
    store_close(old);
    snprintf(log, sizeof log, "%s-wal", db);
    assert_true(rig_exists(log));
    struct store *again;
    int marked = 0;
    ok(store_open(&again, db, STORE_READ));
    ok(store_mark_get(again, ref, &marked));
    assert_true(marked);
    store_close(again);
    store_close(s);
    assert_false(rig_exists(log));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_made_elsewhere_go_through_the_filters),
        cmocka_unit_test(the_cursor_stays_among_the_items_of_the_set),
        cmocka_unit_test(error_bars_show_when_they_are_there),
        cmocka_unit_test(the_gallery_is_in_the_order_of_the_setting_shown),
        cmocka_unit_test(items_that_go_take_their_pictures_and_places_along),
        cmocka_unit_test(a_stepped_lambda_is_of_the_item_that_has_the_number_now),
        cmocka_unit_test(labels_and_matches_stay_while_the_items_do),
        cmocka_unit_test(a_mark_does_not_wait_long_for_another_writer),
        cmocka_unit_test(a_file_that_is_gone_is_said_and_not_written),
        cmocka_unit_test(what_is_typed_meanwhile_is_not_written),
        cmocka_unit_test(closing_a_replaced_file_leaves_the_log_of_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
