/* exchange_test.c - what other programs' small files say: traker's and bergson's JSON, CSV
 * rankings, lists of indices.  Bad ones name what is wrong. */
#include "dtrak/array.h"
#include "dtrak/bergson.h"
#include "dtrak/csv_ranking.h"
#include "dtrak/mem.h"
#include "dtrak/traker_info.h"
#include "../lib/near.h"

#include <string.h>

#define assert_says(text) assert_non_null(strstr(fail_reason(), text))

static struct json_doc *doc(const char *text) {
    struct json_doc *d;
    assert_int_equal(json_parse(&d, text, strlen(text), "test"), OK);
    return d;
}

static void traker_says_sizes_models_and_experiments(void **state) {
    (void)state;
    struct traker_metadata m;
    struct traker_model model;
    struct traker_experiment x;
    struct json_doc *d = doc("{\"JL dimension\": 16, \"JL matrix type\": \"normal\", \"train set size\": 30}");
    assert_int_equal(traker_metadata_parse(&m, json_root(d), "f"), OK);
    assert_true(m.rows == 30 && m.dims == 16);
    assert_string_equal(m.matrix, "jl-normal");
    assert_int_equal(traker_model_parse(&model, json_root(d), "f"), ERR_FORMAT);
    assert_says("a model's number");
    json_free(d);
    d = doc("{\"12\": {\"is_featurized\": 1, \"is_finalized\": 0}}");
    assert_int_equal(traker_model_parse(&model, json_root(d), "f"), OK);
    assert_true(model.id == 12 && model.is_featurized);
    assert_int_equal(traker_metadata_parse(&m, json_root(d), "f"), ERR_FORMAT);
    assert_says("train set size");
    json_free(d);
    /* A path of another machine is not looked at; a name that leads out of the folder is none. */
    d = doc("{\"a\": {\"num_targets\": 6, \"scores_path\": \"/elsewhere/x.mmap\", \"scores_finalized\": 1}, \"../b\": {\"num_targets\": 6},"
            " \"/c\": {\"num_targets\": 6}, \"\": {\"num_targets\": 6}, \"d\": {\"num_targets\": -6}, \"e\": 3}");
    assert_int_equal(traker_experiment_at(&x, json_root(d), 0), 1);
    assert_true(!strcmp(x.name, "a") && x.targets == 6 && x.has_scores);
    for (size_t i = 1; i < 7; i++) assert_int_equal(traker_experiment_at(&x, json_root(d), i), 0);
    json_free(d);
}

static void bergson_says_where_modules_and_scores_stand(void **state) {
    (void)state;
    struct bergson_index x;
    struct bergson_scores s;
    struct json_doc *d = doc("{\"num_grads\": 5, \"grad_sizes\": {\"b\": 3, \"a\": 4}, \"base_dtype\": \"bfloat16\"}");
    assert_int_equal(bergson_index_parse(&x, json_root(d), "f"), OK);
    assert_true(x.rows == 5 && x.dims == 7 && x.type == ARRAY_BF16 && x.modules == 2);
    assert_true(bergson_module_find(&x, "a")->first == 3 && bergson_module_find(&x, "a")->dim == 4 && !bergson_module_find(&x, "c"));
    bergson_index_free(&x);
    assert_int_equal(bergson_scores_parse(&s, json_root(d), "f"), ERR_FORMAT);
    assert_says("names, formats and offsets");
    json_free(d);
    d = doc("{\"num_items\": 9, \"names\": [\"id\", \"score_1\", \"score_0\", \"written_0\"], \"formats\": [\"<i8\", \"<f2\", \"<f2\", \"|b1\"],"
            " \"offsets\": [0, 8, 10, 12], \"itemsize\": 16}");
    assert_int_equal(bergson_scores_parse(&s, json_root(d), "f"), OK);
    assert_true(s.rows == 9 && s.queries == 2 && s.record == 16 && s.type == ARRAY_F16);
    assert_true(s.column[0].score == 10 && s.column[0].written == 12 && s.column[1].score == 8 && s.column[1].written == 16);
    bergson_scores_free(&s);
    json_free(d);
}

static void what_bergson_cannot_mean_is_said(void **state) {
    (void)state;
    static const struct { const char *text, *says; } bad[] = {
        { "{\"grad_sizes\": {\"a\": 3}, \"base_dtype\": \"float32\"}", "'num_grads' is missing" },
        { "{\"num_grads\": 5, \"grad_sizes\": {\"a\": -3}, \"base_dtype\": \"float32\"}", "'a' is no size" },
        { "{\"num_grads\": 5, \"grad_sizes\": {}, \"base_dtype\": \"float32\"}", "'grad_sizes' is expected" },
        { "{\"num_grads\": 5, \"grad_sizes\": {\"a\": 3}}", "'base_dtype' is 'missing'" },
        { "{\"num_grads\": 5, \"grad_sizes\": {\"a\": 3}, \"base_dtype\": \"<i4\"}", "'base_dtype' is '<i4'" },
        { "{\"num_grads\": 5, \"grad_sizes\": {\"a\": 4294967296, \"b\": 1}, \"base_dtype\": \"f4\"}", "more than 2^32" },
        { "[1, 2]", "'grad_sizes' is expected" },
    };
    static const struct { const char *text, *says; } scores[] = {
        { "{\"names\": [\"score_0\"], \"formats\": [\"<f4\"], \"offsets\": [1], \"itemsize\": 4}", "stands at byte 1 of a record of 4" },
        { "{\"names\": [\"score_1\"], \"formats\": [\"<f4\"], \"offsets\": [0], \"itemsize\": 4}", "a number is left out" },
        { "{\"names\": [\"written_0\"], \"formats\": [\"|b1\"], \"offsets\": [0], \"itemsize\": 4}", "no field score_0" },
        { "{\"names\": [\"score_0\", \"score_1\"], \"formats\": [\"<f4\", \"<f8\"], \"offsets\": [0, 8], \"itemsize\": 16}", "another format" },
        { "{\"names\": [\"score_0\"], \"formats\": [\"<f4\"], \"offsets\": [0], \"itemsize\": 0}", "'itemsize' is no size" },
        { "{\"names\": [\"score_0\"], \"formats\": [\"<f4\"], \"offsets\": [0], \"itemsize\": 4, \"num_scores\": 2}", "num_scores is 2" },
    };
    struct bergson_index x;
    struct bergson_scores s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_doc *d = doc(bad[i].text);
        assert_int_not_equal(bergson_index_parse(&x, json_root(d), "f"), OK);
        assert_says(bad[i].says);
        json_free(d);
    }
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        struct json_doc *d = doc(scores[i].text);
        assert_int_not_equal(bergson_scores_parse(&s, json_root(d), "f"), OK);
        assert_says(scores[i].says);
        json_free(d);
    }
    assert_int_equal(mem_live(), 0);
}

static const struct csv_limits limits = { "gen", 3, 5 };

static void rankings_come_sorted_by_query_and_place(void **state) {
    (void)state;
    char text[] = "rank,\"item\",side,query,score\r\n1,train:4,proponent,gen:1,2.5\r\n1,2,opponent,1,-3\n2,train:0,proponent,gen:1,4\n,1,opponent,1,-1\n"
                  "1,\"train:3\",proponent,\"gen:0\",1e-3\n";
    struct csv_entry *e;
    size_t count;
    assert_int_equal(csv_ranking_read(&e, &count, text, &limits, "f"), OK);
    assert_int_equal(count, 5);
    static const struct { size_t query, item; float score; int opponent; } want[] = { { 0, 3, 1e-3f, 0 }, { 1, 0, 4, 0 }, { 1, 4, 2.5f, 0 },
                                                                                   { 1, 2, -3, 1 }, { 1, 1, -1, 1 } };
    for (size_t i = 0; i < 5; i++) {
        assert_true(e[i].query == want[i].query && e[i].item == want[i].item && e[i].opponent == want[i].opponent);
        assert_float_equal(e[i].score, want[i].score, 0);
    }
    mem_free(e);
}

static void quoted_fields_hold_line_feeds_and_a_mark_may_come_first(void **state) {
    (void)state;
    char text[] = "\xEF\xBB\xBF" "query,label,item,score\n0,\"a\n\"\"b\"\",\r\nc\",1,2\r\n0,\"a\"b,2,3\n0,a\"b,3,1\n\n1,\"\",4,5";
    struct csv_entry *e;
    size_t count;
    assert_int_equal(csv_ranking_read(&e, &count, text, &limits, "f"), OK);
    assert_int_equal(count, 4);
    static const struct { size_t query, item, line; float score; } want[] = { { 0, 2, 5, 3 }, { 0, 1, 2, 2 }, { 0, 3, 6, 1 }, { 1, 4, 8, 5 } };
    for (size_t i = 0; i < 4; i++) {
        assert_true(e[i].query == want[i].query && e[i].item == want[i].item && e[i].line == want[i].line);
        assert_float_equal(e[i].score, want[i].score, 0);
    }
    mem_free(e);
}

static void what_a_ranking_cannot_mean_is_said_with_its_line(void **state) {
    (void)state;
    static const struct { const char *text, *says; } bad[] = {
        { "", "no line below the header" }, { "query,item,score\n", "no line below the header" }, { "query,item\n1,2\n", "no column 'score'" },
        { "query,item,score\n1,2\n", "line 2: 2 fields" }, { "query,item,score\n3,2,1\n", "gen:3, of 3" }, { "query,item,score\n0,5,1\n", "train:5, of 5" },
        { "query,item,score\n0,gen:1,1\n", "is not a train item" }, { "query,item,score\n0,1,nan\n", "not a finite number" },
        { "query,item,score\n0,1,1x\n", "not a finite number" }, { "query,item,score,side\n0,1,1,left\n", "neither proponent nor opponent" },
        { "query,item,score\n0,1,1\n0,1,1\n", "line 3: train:1 is there for gen:0 already, on line 2" },
        { "query,item,score,side\n0,1,1,proponent\n0,1,2,opponent\n", "already" }, { "query,item,score\n-1,1,1\n", "is not a gen item" },
        { "query,item,score\n99999999999999999999,1,1\n", "is not a gen item" },
        { "query,item,score,label\n0,1,1,\"a\n0,2,1,b\n", "line 2: a quote begins a field, and none ends it" },
        { "query,item,score,label\n0,1,1,\"a\n0,2,1,\"b\n", "line 2: a quote begins a field, and none ends it" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        struct csv_entry *e;
        size_t count;
        strcpy(text, bad[i].text);
        assert_int_not_equal(csv_ranking_read(&e, &count, text, &limits, "f"), OK);
        assert_says(bad[i].says);
        assert_null(e);
    }
    assert_int_equal(mem_live(), 0);
}

static void indices_are_numbers_between_blanks_and_commas(void **state) {
    (void)state;
    size_t *list, count;
    assert_int_equal(array_parse_indices(&list, &count, " 3\n1,2\t\r\n0", "f"), OK);
    assert_true(count == 4 && list[0] == 3 && list[1] == 1 && list[2] == 2 && list[3] == 0);
    mem_free(list);
    assert_int_equal(array_parse_indices(&list, &count, "", "f"), OK);
    assert_int_equal(count, 0);
    mem_free(list);
    static const char *const bad[] = { "1\n-2", "1\n2.5", "1\n0x3", "1\nten", "1\n9999999999999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(array_parse_indices(&list, &count, bad[i], "f"), ERR_FORMAT);
        assert_says("line 2");
    }
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traker_says_sizes_models_and_experiments),
        cmocka_unit_test(bergson_says_where_modules_and_scores_stand),
        cmocka_unit_test(what_bergson_cannot_mean_is_said),
        cmocka_unit_test(rankings_come_sorted_by_query_and_place),
        cmocka_unit_test(quoted_fields_hold_line_feeds_and_a_mark_may_come_first),
        cmocka_unit_test(what_a_ranking_cannot_mean_is_said_with_its_line),
        cmocka_unit_test(indices_are_numbers_between_blanks_and_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
