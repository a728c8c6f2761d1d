/* Labels of the first places against those of all items, counted by hand. */
#include "dtrak/label_shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { N = 60 };

/* 30 items of label 1, 20 of label 2, 9 of label 7, which has no name, and one of none; label 9 is of no training item. */
static int of_item[N];
static struct label label[] = {
    { 1, "boot", { [SPLIT_TRAIN] = 30 } }, { 2, "sandal", { [SPLIT_TRAIN] = 20 } }, { 7, "", { [SPLIT_TRAIN] = 9 } },
    { 9, "gen only", { [SPLIT_GEN] = 4 } },
};
static const struct label_list labels = { label, 4 };

static int fill(void **state) {
    (void)state;
    for (int i = 0; i < N; i++) of_item[i] = i < 30 ? 1 : i < 50 ? 2 : i < 59 ? 7 : -1;
    return 0;
}

static void a_tenth_of_the_places_from_five_to_a_hundred(void **state) {
    (void)state;
    static const size_t t[][2] = { { 0, 0 }, { 49, 0 }, { 50, 5 }, { 999, 99 }, { 1000, 100 }, { 50000, 100 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) assert_int_equal(label_shares_places(t[i][0]), t[i][1]);
}

static void the_most_frequent_label_comes_first(void **state) {
    (void)state;
    static const uint32_t item[] = { 31, 0, 32, 59, 33, 1 };
    struct label_shares s;
    struct buf b = BUF_INIT;
    char text[80];
    assert_int_equal(label_shares_count(&s, &labels, of_item, N, item, 6), OK);
    assert_int_equal(s.places, 6);
    assert_int_equal(s.count, 3);
    static const struct { int label; size_t in, all; const char *name, *numbers; } want[] = {
        { 2, 3, 20, "sandal", "50% (33%)" }, { 1, 2, 30, "boot", "33% (50%)" }, { 7, 0, 9, "label 7", "0% (15%)" },
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s.share[i].label, want[i].label);
        assert_int_equal(s.share[i].in, want[i].in);
        assert_int_equal(s.share[i].all, want[i].all);
        label_share_name(text, sizeof text, &s.share[i]);
        assert_string_equal(text, want[i].name);
        label_share_numbers(text, sizeof text, &s, &s.share[i]);
        assert_string_equal(text, want[i].numbers);
    }
    label_shares_json(&b, &s);
    assert_int_equal(buf_status(&b), OK);
    assert_non_null(strstr(b.data, "[{\"label\":2,\"name\":\"sandal\",\"share\":0.5,"));
    assert_non_null(strstr(b.data, "{\"label\":7,\"name\":null,\"share\":0,\"base\":0.1"));
    buf_free(&b);
    label_shares_free(&s);
}

static void there_are_none_of_one_label_or_of_few_places(void **state) {
    (void)state;
    static const uint32_t item[] = { 0 };
    struct label_list one = { label, 1 }, of_no_item = { (struct label[]){ label[0], label[3] }, 2 };
    struct label_shares s;
    struct buf b = BUF_INIT;
    assert_int_equal(label_shares_count(&s, &labels, of_item, N, item, 0), OK);
    assert_int_equal(s.places, 0);
    assert_int_equal(label_shares_count(&s, &one, of_item, N, item, 1), OK);
    assert_int_equal(s.places, 0);
    assert_int_equal(label_shares_count(&s, &of_no_item, of_item, N, item, 1), OK);
    assert_int_equal(s.places, 0);
    assert_null(s.share);
    label_shares_json(&b, &s);
    assert_memory_equal(b.data, "null", 4);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenth_of_the_places_from_five_to_a_hundred),
        cmocka_unit_test(the_most_frequent_label_comes_first),
        cmocka_unit_test(there_are_none_of_one_label_or_of_few_places),
    };
    return cmocka_run_group_tests_name("label shares", tests, fill, NULL);
}
