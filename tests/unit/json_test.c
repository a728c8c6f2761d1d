#include "dtrak/json.h"
#include "dtrak/mem.h"

#include "../lib/hostile.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_doc *parse(const char *text) {
    struct json_doc *d;
    if (json_parse(&d, text, strlen(text), "t") != OK) fail_msg("%s: %s", text, fail_reason());
    return d;
}

static enum status subject(const unsigned char *bytes, size_t len) {
    struct json_doc *d;
    enum status st = json_parse(&d, bytes, len, "t");
    if (st == OK) {
        const struct json *root = json_root(d);
        for (size_t i = 0; i < json_len(root); i++) {
            const char *key = json_key(root, i);
            if (key) assert_ptr_equal(json_get(root, key), json_at(root, i));
        }
    } else {
        assert_null(d);
    }
    json_free(d);
    return st;
}

static const char sample[] =
    "{\"name\": \"a\\u00e9\\ud83d\\ude00\\n\", \"list\": [1, -2.5, 1e3, true, false, null, []],\n"
    " \"deep\": {\"x\": {\"y\": \"z\"}}, \"big\": 9223372036854775807, \"over\": "
    "9223372036854775808, \"empty\": {}}";

static void values_come_out_as_written(void **state) {
    (void)state;
    struct json_doc *d = parse(sample);
    const struct json *r = json_root(d), *list = json_get(r, "list");
    assert_int_equal(json_len(r), 6);
    assert_string_equal(json_string(json_get(r, "name"), ""), "a\xc3\xa9\xf0\x9f\x98\x80\n");
    assert_int_equal(json_len(list), 7);
    assert_int_equal(json_int(json_at(list, 0), -9), 1);
    assert_true(json_number(json_at(list, 1), 0) == -2.5);
    assert_false(json_is_int(json_at(list, 1)));
    assert_int_equal(json_int(json_at(list, 1), -9), -9);
    assert_int_equal(json_int(json_at(list, 2), -9), 1000);
    assert_int_equal(json_bool(json_at(list, 3), 7), 1);
    assert_int_equal(json_bool(json_at(list, 4), 7), 0);
    assert_int_equal(json_bool(json_at(list, 5), 7), 7);
    assert_int_equal(json_type(json_at(list, 6)), JSON_ARRAY);
    assert_null(json_at(list, 7));
    assert_string_equal(json_string(json_get(json_get(json_get(r, "deep"), "x"), "y"), ""), "z");
    assert_true(json_int(json_get(r, "big"), 0) == INT64_MAX);
    assert_false(json_is_int(json_get(r, "over")));
    assert_true(json_number(json_get(r, "over"), 0) == 0x1p63);
    assert_string_equal(json_key(r, 1), "list");
    assert_null(json_get(json_get(r, "empty"), "x"));
    assert_null(json_get(NULL, "x"));
    assert_int_equal(json_int(json_get(json_get(NULL, "a"), "b"), 5), 5);
    json_free(d);
    assert_int_equal(mem_live(), 0);
}

static void what_is_no_json_is_refused_with_line_and_expectation(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        { "", "the text ends" }, { "[1,]", "a JSON value" }, { "[1 2]", "',' or ']'" },
        { "{\"a\":1,}", "a key in quotes" }, { "{\"a\" 1}", "':'" }, { "[01]", "',' or ']'" },
        { "[.5]", "a JSON value" }, { "[1.]", "a digit" }, { "[1e]", "a digit" },
        { "[-]", "a digit" }, { "[NaN]", "a JSON value" }, { "[Infinity]", "a JSON value" },
        { "[1e999]", "too large" }, { "[tru]", "a JSON value" }, { "[\"\\x\"]", "backslash" },
        { "[\"\\u12g4\"]", "four hex digits" }, { "[\"\\ud800\"]", "surrogate" },
        { "[\"\\ud800\\u0041\"]", "surrogate" }, { "[\"\\udc00\"]", "without its first" },
        { "[\"\\u0000\"]", "\\u0000" }, { "[\"\n\"]", "control character 0a" },
        { "[\"\xff\"]", "not UTF-8" }, { "[\"\xc0\x80\"]", "not UTF-8" },
        { "[\"\xed\xa0\x80\"]", "not UTF-8" }, { "[\"\xf4\x90\x80\x80\"]", "not UTF-8" },
        { "{\"a\":1,\"\\u0061\":2}", "stands twice" }, { "[1] x", "end of the text" },
        { "[[[1,\n2,\n!]]]", "line 3" }, { "'a'", "a JSON value" }, { "[1, // c\n2]", "a JSON" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_doc *d;
        assert_int_equal(json_parse(&d, bad[i][0], strlen(bad[i][0]), "file.json"), ERR_FORMAT);
        assert_null(d);
        if (!strstr(fail_reason(), bad[i][1]) || !strstr(fail_reason(), "file.json"))
            fail_msg("%s: got \"%s\", wanted \"%s\"", bad[i][0], fail_reason(), bad[i][1]);
    }
    assert_int_equal(mem_live(), 0);
}

static void nesting_stops_at_64_levels(void **state) {
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(subject((unsigned char *)text, 2 * (size_t)depth),
                         depth == JSON_DEPTH_MAX ? OK : ERR_FORMAT);
    }
}

static void long_arrays_and_objects_index_fast(void **state) {
    (void)state;
    enum { N = 50000 };
    struct buf b = BUF_INIT;
    buf_text(&b, "{");
    for (int i = 0; i < N; i++) buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i * 7919 % N, i);
    buf_text(&b, "}");
    struct json_doc *d = parse(b.data);
    for (int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i * 7919 % N);
        assert_int_equal(json_int(json_get(json_root(d), key), -1), i);
        assert_int_equal(json_int(json_at(json_root(d), (size_t)i), -1), i);
    }
    json_free(d);
    buf_free(&b);
}

static void written_text_reads_back(void **state) {
    (void)state;
    static const char *const texts[] = { "", "plain", "q\"b\\s/", "\x01\x1f\x7f\n\t\r\b", "é😀\u2028" };
    struct buf b = BUF_INIT;
    buf_text(&b, "[");
    for (size_t i = 0; i < 5; i++) {
        if (i) buf_text(&b, ",");
        json_add_string(&b, texts[i]);
    }
    buf_text(&b, ",");
    json_add_string(&b, "bad\xff!");
    buf_text(&b, "]");
    for (size_t i = 0; i < b.len; i++) assert_true((unsigned char)b.data[i] >= 0x20);
    struct json_doc *d = parse(b.data);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(json_string(json_at(json_root(d), i), "?"), texts[i]);
    assert_string_equal(json_string(json_at(json_root(d), 5), "?"), "bad\xef\xbf\xbd!");
    json_free(d);
    buf_free(&b);
}

static void written_numbers_read_back_to_the_same_bits(void **state) {
    (void)state;
    static const double doubles[] = { 0, 0.1, -1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, 1e22, 123456789 };
    static const float floats[] = { 0.1f, FLT_MAX, FLT_MIN, 1e-45f, -3.14159274f };
    for (size_t i = 0; i < 8; i++) {
        struct buf b = BUF_INIT;
        json_add_double(&b, doubles[i]);
        struct json_doc *d = parse(b.data);
        assert_true(json_number(json_root(d), -7) == doubles[i]);
        json_free(d);
        buf_free(&b);
    }
    for (size_t i = 0; i < 5; i++) {
        struct buf b = BUF_INIT;
        json_add_float(&b, floats[i]);
        struct json_doc *d = parse(b.data);
        assert_true((float)json_number(json_root(d), -7) == floats[i]);
        json_free(d);
        buf_free(&b);
    }
    struct buf b = BUF_INIT;
    json_add_double(&b, NAN);
    buf_text(&b, " ");
    json_add_float(&b, -INFINITY);
    buf_text(&b, " ");
    json_add_int(&b, INT64_MIN);
    assert_string_equal(b.data, "null null -9223372036854775808");
    buf_free(&b);
}

static void a_locale_with_a_decimal_comma_changes_nothing(void **state) {
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "de_DE")
        && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        print_message("SKIP: no locale with a decimal comma on this machine\n");
        skip();
    }
    struct buf b = BUF_INIT;
    json_add_double(&b, 1.5);
    assert_string_equal(b.data, "1.5");
    struct json_doc *d = parse("[2.25]");
    assert_true(json_number(json_at(json_root(d), 0), 0) == 2.25);
    json_free(d);
    buf_free(&b);
    setlocale(LC_NUMERIC, "C");
}

static void short_damaged_and_starved_readings_are_refused(void **state) {
    (void)state;
    hostile_prefixes(subject, sample, strlen(sample));
    hostile_allocations(subject, sample, strlen(sample), 5);
    hostile_mutations(subject, sample, strlen(sample), 6000, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_out_as_written),
        cmocka_unit_test(what_is_no_json_is_refused_with_line_and_expectation),
        cmocka_unit_test(nesting_stops_at_64_levels),
        cmocka_unit_test(long_arrays_and_objects_index_fast),
        cmocka_unit_test(written_text_reads_back),
        cmocka_unit_test(written_numbers_read_back_to_the_same_bits),
        cmocka_unit_test(a_locale_with_a_decimal_comma_changes_nothing),
        cmocka_unit_test(short_damaged_and_starved_readings_are_refused),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
