/* The survey thread beside plain loops: an item over all queries, totals, neighbours. */
#include "../lib/store_rig.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/survey.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { K = 6 };

static float score_of(size_t q, size_t i) { return rig_value(q * 1000 + i, 4); }

/* Scores of square for the gen items but number 2; features of both splits. */
static const char *world(int64_t *set) {
    const char *path = rig_path("survey.db");
    struct store *s = rig_project(path);
    struct score_set want = { .split = SPLIT_GEN, .mantissa_bits = 24, .n = RIG_TRAIN, .rows = RIG_GEN,
                              .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .version = 1, .timesteps = 10, .k = K };
    struct checkpoint_list l;
    float row[RIG_TRAIN * K];
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    snprintf(want.method, sizeof want.method, "trak");
    snprintf(want.loss, sizeof want.loss, "square");
    snprintf(want.lambda_spec, sizeof want.lambda_spec, "auto");
    want.checkpoint[0] = l.checkpoint[0].id;
    want.checkpoints = 1;
    checkpoint_list_free(&l);
    assert_int_equal(store_score_set_ensure(s, &want, NULL, &want), OK);
    for (size_t q = 0; q < RIG_GEN; q++) {
        for (size_t i = 0; i < RIG_TRAIN; i++) row[i] = score_of(q, i);
        if (q != 2) assert_int_equal(store_score_put(s, &want, q, row), OK);
    }
    for (int split = 0; split < SPLIT_COUNT; split++) {
        if (split == SPLIT_VAL) continue;
        struct feature_identity id = rig_identity(s, (enum split)split);
        struct feature_set f;
        size_t n = split == SPLIT_TRAIN ? RIG_TRAIN : RIG_GEN;
        snprintf(id.loss, sizeof id.loss, "square");
        id.timesteps = 10;
        id.float32 = 1;
        assert_int_equal(store_feature_set_ensure(s, &id, n, RIG_TRAIN, "{}", NULL, &f), OK);
        for (size_t i = 0; i < n * K; i++) row[i] = rig_value(i, (size_t)split);
        assert_int_equal(store_feature_block_put(s, &f, 0, row), OK);
    }
    *set = want.id;
    store_close(s);
    return path;
}

static int ask(struct survey *s, const struct survey_request *r, struct survey_answer *out) {
    struct timespec nap = { 0, 1000000 };
    int got;
    while ((got = survey_get(s, r, out, NULL)) == 0) nanosleep(&nap, NULL);
    return got;
}

static void an_item_is_ranked_in_every_query_that_has_scores(void **state) {
    (void)state;
    int64_t set;
    struct survey *s;
    struct survey_answer x;
    assert_int_equal(survey_open(&s, world(&set), NULL, NULL), OK);
    struct survey_request r = { SURVEY_ITEM, set, { SPLIT_TRAIN, 11 }, { SPLIT_GEN, 0 } };
    assert_int_equal(ask(s, &r, &x), 1);
    assert_int_equal(x.n, RIG_GEN - 1);
    for (size_t k = 0; k < x.n; k++) {
        size_t q = k + (k >= 2), above = 0;
        assert_int_equal(x.query[k], q);
        assert_true(fabsf(x.score[k] - score_of(q, 11)) < 1e-7f);
        for (size_t i = 0; i < RIG_TRAIN; i++) above += score_of(q, i) > score_of(q, 11);
        assert_int_equal(x.rank[k], above + 1);
    }
    survey_answer_free(&x);
    r.item.index = RIG_TRAIN;
    assert_int_equal(ask(s, &r, &x), -1);
    assert_non_null(strstr(fail_reason(), "training items only"));
    survey_close(s);
}

static void totals_are_means_over_the_queries(void **state) {
    (void)state;
    int64_t set;
    struct survey *s;
    struct survey_answer x;
    assert_int_equal(survey_open(&s, world(&set), NULL, NULL), OK);
    struct survey_request r = { SURVEY_TOTALS, set, { SPLIT_TRAIN, 0 }, { SPLIT_GEN, 0 } };
    assert_int_equal(ask(s, &r, &x), 1);
    assert_int_equal(x.n, RIG_TRAIN);
    assert_int_equal(x.queries, RIG_GEN - 1);
    for (size_t i = 0; i < RIG_TRAIN; i++) {
        double sum = 0, size = 0;
        for (size_t q = 0; q < RIG_GEN; q++) {
            if (q == 2) continue;
            sum += (double)score_of(q, i);
            size += fabs((double)score_of(q, i));
        }
        assert_true(fabs(x.total[i] - sum / (RIG_GEN - 1)) < 1e-12);
        assert_true(fabs(x.absolute[i] - size / (RIG_GEN - 1)) < 1e-12);
    }
    survey_answer_free(&x);
    survey_close(s);
}

static double cosine(size_t a, enum split split, size_t b) {
    double dot = 0, x = 0, y = 0;
    for (size_t k = 0; k < K; k++) {
        double u = (double)rig_value(a * K + k, (size_t)split), v = (double)rig_value(b * K + k, SPLIT_TRAIN);
        dot += u * v;
        x += u * u;
        y += v * v;
    }
    return dot / sqrt(x * y);
}

static void neighbours_by_features_are_those_of_a_plain_loop(void **state) {
    (void)state;
    int64_t set;
    struct survey *s;
    const char *path = world(&set);
    for (int kernel = 0; kernel < 2; kernel++) {
        if (kernel) {         /* the same from a stored kernel, the features gone */
            struct store *db;
            double gram[RIG_TRAIN * (RIG_TRAIN + 1) / 2], cross[RIG_GEN * RIG_TRAIN], self[RIG_GEN];
            size_t at = 0;
            struct feature_set_list l;
            assert_int_equal(store_open(&db, path, STORE_WRITE), OK);
            for (size_t i = 0; i < RIG_TRAIN; i++)
                for (size_t j = i; j < RIG_TRAIN; j++) {
                    gram[at] = 0;
                    for (size_t k = 0; k < K; k++) gram[at] += (double)rig_value(i * K + k, 0) * (double)rig_value(j * K + k, 0);
                    at++;
                }
            for (size_t q = 0; q < RIG_GEN; q++) {
                self[q] = 0;
                for (size_t k = 0; k < K; k++) self[q] += (double)rig_value(q * K + k, SPLIT_GEN) * (double)rig_value(q * K + k, SPLIT_GEN);
                for (size_t i = 0; i < RIG_TRAIN; i++) {
                    cross[q * RIG_TRAIN + i] = 0;
                    for (size_t k = 0; k < K; k++)
                        cross[q * RIG_TRAIN + i] += (double)rig_value(q * K + k, SPLIT_GEN) * (double)rig_value(i * K + k, 0);
                }
            }
            assert_int_equal(store_feature_sets_list(db, &l), OK);
            for (size_t i = 0; i < l.count; i++) {
                if (l.set[i].identity.split == SPLIT_TRAIN) {
                    assert_int_equal(store_kernel_put(db, l.set[i].id, KERNEL_GRAM, SPLIT_TRAIN, RIG_TRAIN, RIG_TRAIN, 1, gram), OK);
                    assert_int_equal(store_kernel_put(db, l.set[i].id, KERNEL_CROSS, SPLIT_GEN, RIG_GEN, RIG_TRAIN, 1, cross), OK);
                    assert_int_equal(store_kernel_put(db, l.set[i].id, KERNEL_SELF, SPLIT_GEN, RIG_GEN, 1, 1, self), OK);
                }
                assert_int_equal(store_feature_blocks_drop(db, l.set[i].id), OK);
            }
            feature_set_list_free(&l);
            store_close(db);
        }
        assert_int_equal(survey_open(&s, path, NULL, NULL), OK);
        for (int split = 0; split < SPLIT_COUNT; split += 2) {
            struct survey_answer x;
            struct survey_request r = { SURVEY_BY_FEATURES, set, { (enum split)split, 5 }, { SPLIT_GEN, 0 } };
            if (ask(s, &r, &x) != 1) fail_msg("%s", fail_reason());
            assert_int_equal(x.n, SURVEY_NEAR);
            for (size_t k = 0; k < x.n; k++) {
                size_t closer = 0;
                double mine = cosine(5, (enum split)split, x.near[k].item);
                assert_true(split != SPLIT_TRAIN || x.near[k].item != 5);
                assert_true(fabs(x.near[k].value - mine) < 1e-6);
                for (size_t i = 0; i < RIG_TRAIN; i++)
                    closer += (split != SPLIT_TRAIN || i != 5) && cosine(5, (enum split)split, i) > mine;
                assert_int_equal(closer, k);
            }
            survey_answer_free(&x);
        }
        survey_close(s);
    }
}

/* Features of another noise do not stand in for those that the scores say they are of. */
static void neighbours_are_by_the_features_behind_the_scores(void **state) {
    (void)state;
    int64_t set;
    const char *path = world(&set);
    for (int other = 0; other < 2; other++) {
        struct store *db;
        struct survey *s;
        struct survey_answer x;
        struct score_set want;
        assert_int_equal(store_open(&db, path, STORE_WRITE), OK);
        struct feature_identity id = rig_identity(db, SPLIT_TRAIN);
        id.float32 = 1;
        id.noise_seed += (uint64_t)other;
        assert_int_equal(store_score_set_get(db, set, &want), OK);
        pipeline_feature_params(want.params, sizeof want.params, &id);
        assert_int_equal(store_score_set_ensure(db, &want, NULL, &want), OK);
        store_close(db);
        assert_int_equal(survey_open(&s, path, NULL, NULL), OK);
        struct survey_request r = { SURVEY_BY_FEATURES, want.id, { SPLIT_TRAIN, 5 }, { SPLIT_GEN, 0 } };
        assert_int_equal(ask(s, &r, &x), other ? -1 : 1);
        if (other) assert_non_null(strstr(fail_reason(), "the features of this setting are not stored"));
        survey_answer_free(&x);
        survey_close(s);
    }
}

static void asking_for_many_in_a_row_ends_with_the_last(void **state) {
    (void)state;
    int64_t set;
    struct survey *s;
    struct survey_answer x;
    long live = mem_live();
    assert_int_equal(survey_open(&s, world(&set), NULL, NULL), OK);
    for (size_t i = 0; i < RIG_TRAIN; i++) {
        struct survey_request r = { SURVEY_ITEM, set, { SPLIT_TRAIN, i }, { SPLIT_GEN, 0 } };
        if (survey_get(s, &r, &x, NULL) == 1) survey_answer_free(&x);
    }
    struct survey_request r = { SURVEY_ITEM, set, { SPLIT_TRAIN, RIG_TRAIN - 1 }, { SPLIT_GEN, 0 } };
    assert_int_equal(ask(s, &r, &x), 1);
    assert_true(fabsf(x.score[0] - score_of(0, RIG_TRAIN - 1)) < 1e-7f);
    survey_answer_free(&x);
    r = (struct survey_request){ SURVEY_TOTALS, set + 100, { SPLIT_TRAIN, 0 }, { SPLIT_GEN, 0 } };
    assert_int_equal(ask(s, &r, &x), -1);
    survey_close(s);
    assert_int_equal(mem_live(), live);
}

/* An answer that nobody took yet is of the items as they were. */
static void what_has_other_numbers_is_looked_up_anew(void **state) {
    (void)state;
    int64_t set;
    struct survey *s;
    struct survey_answer x;
    struct store *db;
    struct timespec nap = { 0, 1000000 };
    size_t first = 0;
    const char *path = world(&set);
    assert_int_equal(survey_open(&s, path, NULL, NULL), OK);
    struct survey_request r = { SURVEY_ITEM, set, { SPLIT_TRAIN, 11 }, { SPLIT_GEN, 0 } };
    assert_int_equal(survey_get(s, &r, &x, NULL), 0);
    while (survey_busy(s)) nanosleep(&nap, NULL);
    assert_int_equal(store_open(&db, path, STORE_WRITE), OK);
    assert_int_equal(store_items_drop(db, SPLIT_GEN, &first, 1), OK);
    store_close(db);
    survey_forget(s);
    assert_int_equal(ask(s, &r, &x), 1);
    assert_int_equal(x.n, RIG_GEN - 2);
    assert_true(fabsf(x.score[0] - score_of(1, 11)) < 1e-7f);
    survey_answer_free(&x);
    survey_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_item_is_ranked_in_every_query_that_has_scores, rig_end),
        cmocka_unit_test_teardown(totals_are_means_over_the_queries, rig_end),
        cmocka_unit_test_teardown(neighbours_by_features_are_those_of_a_plain_loop, rig_end),
        cmocka_unit_test_teardown(neighbours_are_by_the_features_behind_the_scores, rig_end),
        cmocka_unit_test_teardown(asking_for_many_in_a_row_ends_with_the_last, rig_end),
        cmocka_unit_test_teardown(what_has_other_numbers_is_looked_up_anew, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
