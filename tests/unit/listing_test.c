/* Lists of items as files: what is not known, what does not fit. */
#include "../lib/store_rig.h"
#include "dtrak/json.h"
#include "dtrak/listing.h"
#include "dtrak/npy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct store *store;

static int start(void **state) {
    (void)state;
    store = rig_project(rig_path("listing.db"));
    return store ? 0 : -1;
}

static int stop(void **state) {
    store_close(store);
    return rig_end(state);
}

/* train:5, train:2 and train:7 with a number, one of them unknown. */
static struct listing three(void) {
    struct listing l;
    static const size_t item[] = { 5, 2, 7 };
    assert_int_equal(listing_new(&l, 3), OK);
    l.column[0] = "value";
    l.columns = 1;
    for (size_t i = 0; i < 3; i++) l.row[i] = (struct listing_row){ { SPLIT_TRAIN, item[i] }, { i == 1 ? NAN : .5 + (double)i } };
    return l;
}

static void an_unknown_number_is_an_empty_field(void **state) {
    (void)state;
    struct listing l = three();
    struct buf b = BUF_INIT;
    assert_int_equal(listing_csv(&b, store, &l, NULL), OK);
    assert_memory_equal(b.data, "item,label,value\ntrain:5,", 25);
    assert_non_null(strstr(b.data, ",0.5\n"));
    assert_non_null(strstr(b.data, ",\ntrain:7,"));
    assert_non_null(strstr(b.data, ",2.5\n"));
    buf_free(&b);
    listing_free(&l);
}

static void and_null_in_json(void **state) {
    (void)state;
    struct listing l = three();
    struct buf b = BUF_INIT;
    struct json_doc *doc;
    assert_int_equal(listing_json(&b, store, &l, NULL), OK);
    assert_int_equal(json_parse(&doc, b.data, b.len, "list"), OK);
    const struct json *items = json_get(json_root(doc), "items");
    assert_int_equal(json_len(items), 3);
    assert_string_equal(json_string(json_get(json_at(items, 1), "item"), ""), "train:2");
    assert_non_null(strstr(b.data, "\"value\":null"));
    json_free(doc);
    buf_free(&b);
    listing_free(&l);
}

static void an_array_has_a_number_per_item_of_the_split(void **state) {
    (void)state;
    struct listing l = three();
    struct buf b = BUF_INIT;
    struct npy a;
    float v[RIG_TRAIN];
    assert_int_equal(listing_npy(&b, store, &l), OK);
    assert_int_equal(npy_parse(&a, b.data, b.len, "list"), OK);
    assert_int_equal(a.rank, 1);
    assert_int_equal(a.shape[0], RIG_TRAIN);
    npy_floats(v, &a);
    for (size_t i = 0; i < RIG_TRAIN; i++) {
        if (i == 5) assert_true(v[i] > .49f && v[i] < .51f);
        else if (i == 7) assert_true(v[i] > 2.49f && v[i] < 2.51f);
        else assert_true(isnan(v[i]));
    }
    buf_free(&b);
    listing_free(&l);
}

static void items_of_two_splits_are_no_array(void **state) {
    (void)state;
    struct listing l = three();
    struct buf b = BUF_INIT;
    l.row[2].ref.split = SPLIT_GEN;
    assert_int_equal(listing_npy(&b, store, &l), ERR_RANGE);
    l.columns = 0;
    assert_int_equal(listing_npy(&b, store, &l), ERR_RANGE);
    buf_free(&b);
    listing_free(&l);
}

static void a_sheet_of_nothing_is_refused(void **state) {
    (void)state;
    struct listing l = three();
    struct image im;
    l.count = 0;
    assert_int_equal(listing_sheet(&im, store, &l, NULL), ERR_RANGE);
    l.count = LISTING_SHEET_MAX + 1;
    assert_int_equal(listing_sheet(&im, store, &l, NULL), ERR_RANGE);
    listing_free(&l);
}

static void when_told_to_stop_it_does(void **state) {
    (void)state;
    struct listing l = three();
    struct buf b = BUF_INIT;
    struct image im;
    atomic_int cancel = 1;
    struct progress p = { NULL, NULL, &cancel };
    assert_int_equal(listing_csv(&b, store, &l, &p), ERR_CANCELLED);
    assert_int_equal(listing_json(&b, store, &l, &p), ERR_CANCELLED);
    assert_int_equal(listing_ranked_csv(&b, store, &l, "gen:0", "TRAK", &p), ERR_CANCELLED);
    assert_int_equal(listing_sheet(&im, store, &l, &p), ERR_CANCELLED);
    assert_null(im.pixels);
    buf_free(&b);
    listing_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_number_is_an_empty_field),
        cmocka_unit_test(and_null_in_json),
        cmocka_unit_test(an_array_has_a_number_per_item_of_the_split),
        cmocka_unit_test(items_of_two_splits_are_no_array),
        cmocka_unit_test(a_sheet_of_nothing_is_refused),
        cmocka_unit_test(when_told_to_stop_it_does),
    };
    return cmocka_run_group_tests_name("listing", tests, start, stop);
}
