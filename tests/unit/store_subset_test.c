/* store_subset_test.c - retrained networks, what was measured, counterfactuals and lists, as stored. */
#include "dtrak/mem.h"
#include "dtrak/store.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"

#include <string.h>

enum { Q = 3 };

static struct store *with_model(const char *path, int64_t ids[2], struct subset_model *m, const char *owner) {
    struct store *s = rig_project(path);
    unsigned char members[RIG_TRAIN];
    for (size_t i = 0; i < RIG_TRAIN; i++) members[i] = i % 3 == 0;
    ok(store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"a\":1}", &ids[0]));
    ok(store_protocol_ensure(s, PROTOCOL_EVAL, "{\"a\":1}", &ids[1]));
    ok(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, owner, m));
    return s;
}

static void protocols_are_told_apart_by_kind_and_text(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("p.db"));
    int64_t a, b, c, again;
    struct protocol_list l;
    ok(store_protocol_find(s, PROTOCOL_TRAIN, "{}", &a));
    assert_int_equal(a, 0);
    ok(store_protocol_ensure(s, PROTOCOL_TRAIN, "{}", &a));
    ok(store_protocol_ensure(s, PROTOCOL_EVAL, "{}", &b));
    ok(store_protocol_ensure(s, PROTOCOL_TRAIN, "{ }", &c));
    ok(store_protocol_ensure(s, PROTOCOL_TRAIN, "{}", &again));
    assert_int_equal(a, again);
    assert_true(a != b && b != c && a != c);
    ok(store_protocols_list(s, &l));
    assert_int_equal(l.count, 3);
    assert_int_equal(l.protocol[1].kind, PROTOCOL_EVAL);
    assert_string_equal(l.protocol[2].text, "{ }");
    protocol_list_free(&l);
    store_close(s);
    rig_sql(rig_path("p.db"), "UPDATE protocol SET text = '{\"b\":2}' WHERE kind = 'eval'");
    ok(store_open(&s, rig_path("p.db"), STORE_READ));
    refused(store_protocols_list(s, &l), ERR_FORMAT, "SHA-256");
    store_close(s);
}

static void a_model_is_kept_whole_or_not_at_all(void **state) {
    (void)state;
    const char *path = rig_path("m.db");
    int64_t ids[2];
    struct subset_model m;
    struct subset_model_list l;
    struct store *s = with_model(path, ids, &m, "me");
    unsigned char members[RIG_TRAIN];
    float values[Q * OUTPUT_PARTS], back[Q * OUTPUT_PARTS];
    size_t step, len, rows;
    void *bytes;
    for (size_t i = 0; i < Q * OUTPUT_PARTS; i++) values[i] = (float)i / 7;
    ok(store_subset_members(s, m.id, members, RIG_TRAIN));
    for (size_t i = 0; i < RIG_TRAIN; i++) assert_int_equal(members[i], i % 3 == 0);
    ok(store_subset_state(s, m.id, &step, &bytes, &len));
    assert_true(bytes == NULL && step == 0);
    ok(store_subset_heartbeat(s, m.id, "me", 12, .25, 3.5, "state", 5));
    ok(store_subset_heartbeat(s, m.id, "me", 0, 0, 0, NULL, 0));   /* keeps what was kept */
    ok(store_subset_state(s, m.id, &step, &bytes, &len));
    assert_int_equal(step, 12);
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "state", 5);
    mem_free(bytes);
    struct subset_output out[2] = { { ids[1], SPLIT_VAL, Q, values }, { ids[1], SPLIT_VAL, Q, values } };
    struct subset_result r = { .state = SUBSET_DONE, .train_loss = .125, .seconds = 4, .steps = 20, .weights = "weights",
                               .weights_len = 7, .output = out, .outputs = 2 };
    /* The second output is there already: nothing of it stays. */
    refused(store_subset_finish(s, m.id, "me", &r), ERR_DB, "UNIQUE");
    ok(store_subsets_list(s, ids[0], &l));
    assert_int_equal(l.model[0].state, SUBSET_OPEN);
    assert_int_equal(l.model[0].steps, 12);
    assert_true(l.model[0].lease_left_s > 0 && !l.model[0].weights_kept);
    subset_model_list_free(&l);
    ok(store_subset_output_rows(s, m.id, ids[1], SPLIT_VAL, &rows));
    assert_int_equal(rows, 0);
    r.outputs = 1;
    refused(store_subset_finish(s, m.id, "you", &r), ERR_MISSING, "taken over");
    values[2] = NAN;
    refused(store_subset_finish(s, m.id, "me", &r), ERR_NUMERIC, "val query 1");
    values[2] = 1;
    ok(store_subset_finish(s, m.id, "me", &r));
    ok(store_subsets_list(s, ids[0], &l));
    assert_int_equal(l.count, 1);
    assert_int_equal(l.model[0].state, SUBSET_DONE);
    assert_true(l.model[0].train_loss == .125 && l.model[0].steps == 20 && l.model[0].weights_kept);
    assert_int_equal(l.model[0].index, 4);
    assert_int_equal(l.model[0].seed, 1);
    subset_model_list_free(&l);
    ok(store_subset_output_read(s, m.id, ids[1], SPLIT_VAL, Q, back));
    assert_memory_equal(back, values, sizeof back);
    refused(store_subset_output_read(s, m.id, ids[1], SPLIT_GEN, Q, back), ERR_MISSING, "gen");
    refused(store_subset_output_read(s, m.id, ids[1], SPLIT_VAL, Q - 1, back), ERR_FORMAT, "val");
    ok(store_subset_weights(s, m.id, &bytes, &len));
    assert_memory_equal(bytes, "weights", 7);
    mem_free(bytes);
    ok(store_subset_state(s, m.id, &step, &bytes, &len));
    assert_null(bytes);
    refused(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "me", &m), ERR_MISSING, "finished");
    store_close(s);
}

static void damage_is_named(void **state) {
    (void)state;
    const char *path = rig_path("d.db");
    int64_t ids[2];
    struct subset_model m;
    struct store *s = with_model(path, ids, &m, "me");
    float values[Q * OUTPUT_PARTS] = { 1, 2, 3, 4, 5, 6 };
    struct subset_output out = { ids[1], SPLIT_VAL, Q, values };
    struct subset_result r = { .state = SUBSET_DONE, .weights = "w", .weights_len = 1, .output = &out, .outputs = 1 };
    ok(store_subset_finish(s, m.id, "me", &r));
    store_close(s);
    size_t problems;
    ok(store_check(path, NULL, NULL, NULL, &problems));
    size_t before = problems;   /* the rig's pictures are no pictures, but whole */
    rig_sql(path, "UPDATE subset_output SET bytes = zeroblob(24); UPDATE subset_weights SET bytes = x'00';"
                  "UPDATE subset SET members = x'ffff'");
    ok(store_check(path, NULL, NULL, NULL, &problems));
    assert_int_equal(problems, before + 3);
    ok(store_open(&s, path, STORE_READ));
    unsigned char members[RIG_TRAIN];
    void *bytes;
    size_t len;
    refused(store_subset_members(s, m.id, members, RIG_TRAIN), ERR_FORMAT, "members");
    refused(store_subset_output_read(s, m.id, ids[1], SPLIT_VAL, Q, values), ERR_FORMAT, "outputs");
    refused(store_subset_weights(s, m.id, &bytes, &len), ERR_FORMAT, "SHA-256");
    store_close(s);
}

static void a_lease_can_be_given_back_and_taken(void **state) {
    (void)state;
    int64_t ids[2];
    struct subset_model m, other;
    unsigned char members[RIG_TRAIN];
    struct store *s = with_model(rig_path("l.db"), ids, &m, "a");
    ok(store_subset_members(s, m.id, members, RIG_TRAIN));
    refused(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "b", &other), ERR_MISSING, "another process");
    ok(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "a", &other));   /* its own */
    ok(store_subset_release(s, m.id, "b"));                                     /* not b's to give */
    refused(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "b", &other), ERR_MISSING, "another process");
    ok(store_subset_heartbeat(s, m.id, "a", 5, .5, 1, "x", 1));
    ok(store_subset_release(s, m.id, "a"));
    ok(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "b", &other));
    assert_int_equal(other.id, m.id);
    assert_true(other.train_loss == .5);
    ok(store_subset_forget_owner(s, "b"));
    ok(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "a", &other));
    /* A lease that ran out is anybody's; until then it stays with who beats. */
    rig_sql(rig_path("l.db"), "UPDATE subset SET lease_until = 5");
    ok(store_subset_heartbeat(s, m.id, "a", 0, 0, 0, NULL, 0));
    refused(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "b", &other), ERR_MISSING, "another process");
    rig_sql(rig_path("l.db"), "UPDATE subset SET lease_until = 5");
    ok(store_subset_claim(s, ids[0], 4, 1, members, RIG_TRAIN, "b", &other));
    refused(store_subset_heartbeat(s, m.id, "a", 0, 0, 0, NULL, 0), ERR_MISSING, "taken over");
    store_close(s);
}

static void lists_keep_their_order_and_are_replaced(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("r.db"));
    static const size_t first[] = { 5, 0, 7 }, second[] = { 2 };
    struct index_list l;
    struct removal_names names;
    ok(store_removal_list_put(s, "b", first, 3));
    ok(store_removal_list_put(s, "a", second, 1));
    ok(store_removal_list_get(s, "b", &l));
    assert_int_equal(l.count, 3);
    assert_true(l.index[0] == 5 && l.index[1] == 0 && l.index[2] == 7);
    index_list_free(&l);
    ok(store_removal_lists(s, &names));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.name[0], "a");
    assert_int_equal(names.items[1], 3);
    removal_names_free(&names);
    static const size_t beyond[] = { 1, RIG_TRAIN };
    refused(store_removal_list_put(s, "b", beyond, 2), ERR_MISSING, "train:");
    ok(store_removal_list_get(s, "b", &l));
    assert_int_equal(l.count, 3);
    index_list_free(&l);
    ok(store_removal_list_put(s, "b", NULL, 0));
    refused(store_removal_list_get(s, "b", &l), ERR_MISSING, "no list \"b\"");
    refused(store_removal_list_put(s, "", first, 3), ERR_RANGE, "name");
    store_close(s);
}

static void counterfactuals_come_back_in_order(void **state) {
    (void)state;
    int64_t ids[2];
    struct subset_model m;
    struct store *s = with_model(rig_path("c.db"), ids, &m, "me");
    struct counterfactual rows[2] = {
        { .query = { SPLIT_GEN, 1 }, .subset = m.id, .label = "trak square", .removed = 9, .pixel_l2 = 2.5, .pixel_cos = .5,
          .embed_cos = NAN, .width_px = 4, .height_px = 5, .image_bytes = 3 },
        { .query = { SPLIT_GEN, 0 }, .subset = m.id, .label = "random", .removed = 9, .pixel_l2 = 1, .pixel_cos = .75,
          .embed_cos = .25, .width_px = 4, .height_px = 5, .image_bytes = 3 } };
    const void *images[2] = { "one", "two" };
    struct counterfactual_list l;
    void *bytes;
    size_t len;
    for (int again = 0; again < 2; again++) ok(store_counterfactuals_add(s, rows, images, 2));
    ok(store_counterfactuals_list(s, &l));
    assert_int_equal(l.count, 2);
    assert_string_equal(l.row[0].label, "random");
    assert_true(l.row[0].embed_cos == .25 && isnan(l.row[1].embed_cos) && l.row[1].pixel_l2 == 2.5);
    assert_true(l.row[1].query.index == 1 && l.row[1].removed == 9 && l.row[1].score_set == 0 && l.row[1].height_px == 5);
    ok(store_counterfactual_image(s, l.row[1].id, &bytes, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "one", 3);
    mem_free(bytes);
    refused(store_counterfactual_image(s, 99, &bytes, &len), ERR_MISSING, "99");
    counterfactual_list_free(&l);
    rows[0].query.index = RIG_GEN;
    rows[1].label[0] = 'R';
    refused(store_counterfactuals_add(s, rows, images, 2), ERR_MISSING, "gen:");
    rows[0].pixel_l2 = NAN;
    refused(store_counterfactuals_add(s, rows, images, 2), ERR_NUMERIC, "trak square");
    ok(store_counterfactuals_list(s, &l));
    assert_int_equal(l.count, 2);
    counterfactual_list_free(&l);
    store_close(s);
}

static void a_dropped_query_takes_its_pictures_along(void **state) {
    (void)state;
    int64_t ids[2];
    struct subset_model m;
    struct store *s = with_model(rig_path("gone.db"), ids, &m, "me");
    struct counterfactual rows[2] = {
        { .query = { SPLIT_GEN, 1 }, .subset = m.id, .label = "random", .pixel_l2 = 2, .width_px = 4, .height_px = 5, .image_bytes = 3 },
        { .query = { SPLIT_GEN, 2 }, .subset = m.id, .label = "random", .pixel_l2 = 1, .width_px = 4, .height_px = 5, .image_bytes = 3 } };
    const void *images[2] = { "one", "two" };
    static const size_t gone[] = { 1 };
    struct counterfactual_list l;
    void *bytes;
    size_t len;
    ok(store_counterfactuals_add(s, rows, images, 2));
    ok(store_items_drop(s, SPLIT_GEN, gone, 1));
    ok(store_counterfactuals_list(s, &l));
    assert_true(l.count == 1 && l.row[0].query.index == 1);
    ok(store_counterfactual_image(s, l.row[0].id, &bytes, &len));
    assert_memory_equal(bytes, "two", 3);
    mem_free(bytes);
    counterfactual_list_free(&l);
    store_close(s);
    /* An image for each item and for the picture that stays. */
    assert_int_equal(rig_number(rig_path("gone.db"), "SELECT count(*) FROM image"), RIG_TRAIN + RIG_VAL + RIG_GEN - 1 + 1);
}

static void measurements_are_replaced_and_verified(void **state) {
    (void)state;
    const char *path = rig_path("lds.db");
    int64_t ids[2];
    struct subset_model m;
    struct store *s = with_model(path, ids, &m, "me");
    struct score_set want = { .method = "random", .split = SPLIT_GEN, .n = RIG_TRAIN, .rows = Q, .version = 1, .mantissa_bits = 24 }, set;
    ok(store_score_set_ensure(s, &want, NULL, &set));
    double per_query[Q] = { .25, .5, .75 }, *back;
    struct lds_row row = { .score_set = set.id, .train_protocol = ids[0], .eval_protocol = ids[1], .subsets = 9, .queries = Q,
                           .value = .5, .se = .125, .low = .25, .high = .75, .q_eff = NAN, .ceiling = NAN, .per_query = per_query };
    struct lds_row got;
    refused(store_lds_get(s, set.id, 0, &got, &back), ERR_MISSING, "lds --report");
    ok(store_lds_put(s, &row));
    row.value = .625;
    ok(store_lds_put(s, &row));
    row.centred = 1;
    row.value = .1;
    ok(store_lds_put(s, &row));
    ok(store_lds_get(s, set.id, 0, &got, &back));
    assert_true(got.value == .625 && got.se == .125 && isnan(got.q_eff) && got.subsets == 9 && got.queries == Q);
    assert_memory_equal(back, per_query, sizeof per_query);
    mem_free(back);
    ok(store_lds_get(s, set.id, 1, &got, NULL));
    assert_true(got.value == .1);
    row.value = NAN;
    refused(store_lds_put(s, &row), ERR_NUMERIC, "not finite");
    store_close(s);
    rig_sql(path, "UPDATE lds SET value = 1e18");
    ok(store_open(&s, path, STORE_READ));
    refused(store_lds_get(s, set.id, 0, &got, NULL), ERR_FORMAT, "1e+18");
    store_close(s);
    rig_sql(path, "UPDATE lds SET value = .5, per_query = zeroblob(24)");
    ok(store_open(&s, path, STORE_READ));
    refused(store_lds_get(s, set.id, 0, &got, &back), ERR_FORMAT, "checksum");
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(protocols_are_told_apart_by_kind_and_text, rig_end),
        cmocka_unit_test_teardown(a_model_is_kept_whole_or_not_at_all, rig_end),
        cmocka_unit_test_teardown(damage_is_named, rig_end),
        cmocka_unit_test_teardown(a_lease_can_be_given_back_and_taken, rig_end),
        cmocka_unit_test_teardown(lists_keep_their_order_and_are_replaced, rig_end),
        cmocka_unit_test_teardown(counterfactuals_come_back_in_order, rig_end),
        cmocka_unit_test_teardown(a_dropped_query_takes_its_pictures_along, rig_end),
        cmocka_unit_test_teardown(measurements_are_replaced_and_verified, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
