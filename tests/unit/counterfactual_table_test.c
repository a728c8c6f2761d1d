/* Counterfactual pictures as text, JSON and CSV: what tells their lines apart, and what is said of few pairs. */
#include "dtrak/counterfactual_table.h"
#include "dtrak/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct counterfactual picture(size_t query, const char *label, int64_t score_set, int64_t protocol, double l2) {
    struct counterfactual c = { .query = { SPLIT_GEN, query }, .score_set = score_set, .protocol = protocol, .steps = protocol == 1 ? 100 : 40,
                                .removed = 5, .pixel_l2 = l2, .pixel_cos = 0.5, .embed_cos = NAN };
    snprintf(c.label, sizeof c.label, "%s", label);
    return c;
}

static void lines_of_one_query_and_label_can_be_told_apart(void **state) {
    (void)state;
    struct counterfactual row[] = { picture(0, "trak square", 7, 1, 2), picture(0, "trak square", 7, 2, 3), picture(0, "trak square", 9, 1, 4),
                                    picture(1, "list:a,b\"c", 0, 1, 5) };
    struct counterfactual_list l = { row, 4 };
    struct buf b = BUF_INIT;
    assert_int_equal(counterfactual_table_csv(&b, &l), OK);
    assert_string_equal(b.data, "query,label,removed,l2,cosine,steps,score_set\n"
                                "gen:0,trak square,5,2,0.5,100,7\ngen:0,trak square,5,3,0.5,40,7\ngen:0,trak square,5,4,0.5,100,9\n"
                                "gen:1,\"list:a,b\"\"c\",5,5,0.5,100,\n");
    buf_free(&b);
}

static void json_says_whose_scores_took_the_items_away(void **state) {
    (void)state;
    struct counterfactual row[] = { picture(0, "trak square", 7, 1, 2), picture(0, "trak square", 9, 1, 4), picture(1, "list:mine", 0, 1, 5) };
    struct counterfactual_list l = { row, 3 };
    struct buf b = BUF_INIT;
    struct json_doc *doc;
    static const double set[] = { 7, 9, -1 };
    static const char *const lists[] = { "methods", "pictures" };
    assert_int_equal(counterfactual_table_json(&b, &l), OK);
    assert_int_equal(json_parse(&doc, b.data, b.len, "table"), OK);
    for (size_t k = 0; k < 2; k++) {
        const struct json *list = json_get(json_root(doc), lists[k]);
        assert_int_equal(json_len(list), 3);
        for (size_t i = 0; i < 3; i++) {
            const struct json *value = json_get(json_at(list, i), "score_set");
            assert_non_null(value);
            assert_true(json_number(value, -1) == set[i]);
        }
    }
    json_free(doc);
    buf_free(&b);
}

/* The line of the text that begins with those words. */
static void line_of(char out[160], const char *text, const char *words) {
    const char *at = strstr(text, words);
    assert_non_null(at);
    snprintf(out, 160, "%.*s", (int)strcspn(at, "\n"), at);
}

/* TRAK on `queries`, random on the first `others` of them. */
static void table_of(struct buf *b, size_t queries, size_t others) {
    struct counterfactual row[16];
    struct counterfactual_list l = { row, 0 };
    for (size_t i = 0; i < queries; i++) row[l.count++] = picture(i, "trak simple", 7, 1, 2 + (double)i);
    for (size_t i = 0; i < others; i++) row[l.count++] = picture(i, "random", 8, 1, 1);
    assert_int_equal(counterfactual_table_text(b, &l), OK);
}

static void a_difference_from_fewer_queries_says_of_how_many(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    char line[160];
    table_of(&b, 5, 4);
    line_of(line, b.data, "TRAK");
    assert_non_null(strstr(line, "+2.500 +-0.645 of 4 "));
    buf_clear(&b);
    table_of(&b, 4, 4);
    line_of(line, b.data, "TRAK");
    assert_non_null(strstr(line, "+2.500 +-0.645 "));
    assert_null(strstr(line, " of "));
    buf_free(&b);
}

static void two_pairs_have_no_standard_error(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    char line[160];
    for (size_t queries = 2; queries <= 3; queries++) {
        buf_clear(&b);
        table_of(&b, queries, 2);
        line_of(line, b.data, "TRAK");
        assert_non_null(strstr(line, "+1.500 "));
        assert_null(strstr(line, "+-"));
        assert_int_equal(strstr(line, " of 2 ") != NULL, queries == 3);
    }
    buf_free(&b);
}

static void what_stands_below_the_heads_is_in_line_with_them(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    char line[160], head[160];
    for (size_t others = 3; others <= 5; others++) {
        buf_clear(&b);
        table_of(&b, 5, others);
        line_of(head, b.data, "taken away by");
        line_of(line, b.data, "TRAK");
        assert_int_equal(strlen(line), strlen(head));
        line_of(line, b.data, "Random");
        assert_int_equal(strlen(line), strlen(head));
    }
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_one_query_and_label_can_be_told_apart),
        cmocka_unit_test(a_difference_from_fewer_queries_says_of_how_many),
        cmocka_unit_test(two_pairs_have_no_standard_error),
        cmocka_unit_test(what_stands_below_the_heads_is_in_line_with_them),
        cmocka_unit_test(json_says_whose_scores_took_the_items_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
