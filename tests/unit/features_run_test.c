/* features_run_test.c - however the verb `features` is run, it stores the same bits: threads, stops,
 * losses apart or together, items one by one, little memory; and what it says it will cost. */
#include "dtrak/cost.h"
#include "dtrak/loss.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"
#include "../lib/trained_study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = STUDY_TRAIN, VAL = STUDY_VAL, K = 64 };

static void threads_losses_and_a_stop_change_no_bit_of_a_feature(void **state) {
    (void)state;
    struct store *s = trained_study("study.db"), *other = trained_study("again.db");
    struct features_options o = trained_features();
    struct stopper stop = { .at_done = 1 };
    char weights[STUDY_HASHES], same[STUDY_HASHES];
    float a[N * K], b[N * K];
    ok(pipeline_features(s, &o, NULL));
    o.threads = 1;
    o.splits = 1u << SPLIT_TRAIN;
    o.losses = 1u << LOSS_SQUARE;
    assert_int_equal(pipeline_features(other, &o, stopper_progress(&stop)), ERR_CANCELLED);
    ok(pipeline_features(other, &o, NULL));
    trained_hashes(s, weights);
    trained_hashes(other, same);
    assert_string_equal(same, weights);
    trained_rows(s, &o, SPLIT_TRAIN, LOSS_SQUARE, a);
    trained_rows(other, &o, SPLIT_TRAIN, LOSS_SQUARE, b);
    assert_memory_equal(a, b, sizeof a);
    store_close(s);
    store_close(other);
}

/* Held-out items that come one by one make the last block anew each time: rows as of all at once. */
static void expect_the_same_one_by_one(const struct features_options *o, const float *whole) {
    static float grown[5 * VAL * K];
    struct study few = trained_pictures;
    struct train_options t = trained_training();
    struct features_options val = *o;
    char name[32];
    snprintf(name, sizeof name, "grown-%zu.db", o->parts);
    few.items[SPLIT_VAL] = 0;
    struct store *s = study_new(name, &few);
    ok(pipeline_train(s, &t, NULL));
    val.splits = 1u << SPLIT_VAL;
    for (size_t i = 0; i < VAL; i++) {
        study_add(s, &few, SPLIT_VAL, i, 1);
        ok(pipeline_features(s, &val, NULL));
    }
    trained_rows(s, &val, SPLIT_VAL, LOSS_SQUARE, grown);
    assert_memory_equal(grown, whole, o->parts * VAL * K * sizeof *whole);
    store_close(s);
}

static void no_way_to_a_feature_changes_a_bit(void **state) {
    (void)state;
    enum { PARTS = 5 };
    static float want[PARTS * N * K], got[PARTS * N * K], val[PARTS * VAL * K];
    struct features_options o = trained_features();
    char weights[STUDY_HASHES], same[STUDY_HASHES];
    struct store *s = trained_study("study.db");
    trained_hashes(s, weights);
    store_close(s);
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_SQUARE;
    o.draws = 2;
    for (o.parts = 1; o.parts <= PARTS; o.parts += PARTS - 1)
        for (o.threads = 1; o.threads <= 3; o.threads++) {
            char name[32];
            snprintf(name, sizeof name, "bits-%zu-%zu.db", o.parts, o.threads);
            s = trained_study(name);
            trained_hashes(s, same);
            assert_string_equal(same, weights);
            if (o.threads == 2) {    /* the losses apart */
                struct features_options one = o;
                one.losses = 1u << LOSS_SQUARE;
                ok(pipeline_features(s, &one, NULL));
            }
            ok(pipeline_features(s, &o, NULL));
            trained_rows(s, &o, SPLIT_TRAIN, LOSS_SQUARE, o.threads == 1 ? want : got);
            if (o.threads > 1) assert_memory_equal(got, want, o.parts * N * K * sizeof *want);
            if (o.threads == 1) {
                trained_rows(s, &o, SPLIT_VAL, LOSS_SQUARE, val);
                expect_the_same_one_by_one(&o, val);
            }
            store_close(s);
        }
}

static void take_cost(void *ctx, const char *what, const struct cost *c) {
    (void)what;
    *(struct cost *)ctx = *c;
}

static void little_memory_means_fewer_threads_and_the_same_bits(void **state) {
    (void)state;
    enum { FEW = 32 };
    static float want[N * FEW], got[N * FEW];
    struct features_options o = trained_features();
    struct store *s = trained_study("study.db");
    o.losses = 1u << LOSS_SQUARE;
    o.dims = FEW;
    o.threads = 3;
    ok(pipeline_features(s, &o, NULL));
    trained_rows(s, &o, SPLIT_TRAIN, LOSS_SQUARE, want);
    o.memory = 1000;
    o.noise_seed++;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    /* The message says what would do, and it does. */
    const char *says = strstr(fail_reason(), "needs ");
    assert_non_null(says);
    double mb = strtod(says + 6, NULL);
    assert_non_null(strstr(says, " MB of memory, 1.0 KB are allowed"));
    o.memory = (size_t)((mb + .06) * 1e6);
    struct cost told = { .flop = 0 };
    struct cost_sink sink = { take_cost, &told, 0 };
    o.cost = &sink;
    ok(pipeline_features(s, &o, NULL));
    assert_non_null(strstr(told.note, "1 of 3 threads"));
    assert_true(told.bytes_memory <= (double)o.memory);
    trained_set(s, &o, SPLIT_TRAIN, LOSS_SQUARE);
    o.noise_seed--;
    struct feature_set set = trained_set(s, &o, SPLIT_TRAIN, LOSS_SQUARE);
    for (size_t b = 0; b < 2; b++) ok(store_feature_block_delete(s, &set, b));
    ok(pipeline_features(s, &o, NULL));
    trained_rows(s, &o, SPLIT_TRAIN, LOSS_SQUARE, got);
    assert_memory_equal(got, want, sizeof want);
    store_close(s);
}

/* A set of k dimensions, made with others or alone, after a stop, with some blocks there already. */
static void several_sizes_in_one_go_are_the_same_as_one_by_one(void **state) {
    (void)state;
    static const char *const projection[] = { "sjlt", "srht", "rademacher" };
    static const size_t k[] = { 48, 16, 100 };
    static float want[2 * N * 100], got[2 * N * 100];
    for (size_t p = 0; p < 3; p++) {
        struct store *apart = trained_study("apart.db"), *together = trained_study("together.db");
        struct features_options o = trained_features();
        struct stopper stop = { .at_done = 1 };
        o.projection = projection[p];
        o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_ELBO | 1u << LOSS_SQUARE;
        o.parts = 2;
        for (size_t d = 0; d < 3; d++) {
            o.dims = k[d];
            ok(pipeline_features(apart, &o, NULL));
        }
        o.dims = k[0];
        o.losses = 1u << LOSS_SQUARE;
        ok(pipeline_features(together, &o, NULL));
        o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_ELBO | 1u << LOSS_SQUARE;
        o.more_dims[0] = k[1];
        o.more_dims[1] = k[2];
        o.threads = 2;
        assert_int_equal(pipeline_features(together, &o, stopper_progress(&stop)), ERR_CANCELLED);
        ok(pipeline_features(together, &o, NULL));
        for (size_t d = 0; d < 3; d++)
            for (int l = 0; l < LOSS_COUNT; l++) {
                if (!(o.losses >> l & 1)) continue;
                o.dims = k[d];
                trained_rows(apart, &o, SPLIT_TRAIN, (enum loss)l, want);
                trained_rows(together, &o, SPLIT_TRAIN, (enum loss)l, got);
                assert_memory_equal(got, want, 2 * N * k[d] * sizeof *want);
            }
        store_close(apart);
        store_close(together);
    }
}

/* One way back through the network serves every size. */
static void several_sizes_cost_little_more_than_one(void **state) {
    (void)state;
    struct features_options o = trained_features();
    struct store *s = trained_study("study.db");
    struct cost one = { .flop = 0 }, three = { .flop = 0 };
    struct cost_sink sink = { take_cost, &one, 1 };
    o.noise_seed = 78;
    o.cost = &sink;
    ok(pipeline_features(s, &o, NULL));
    sink.ctx = &three;
    o.more_dims[0] = 2 * o.dims;
    o.more_dims[1] = 3 * o.dims;
    ok(pipeline_features(s, &o, NULL));
    assert_true(three.flop < 1.2 * one.flop);
    assert_true(three.bytes_disk > 5 * one.bytes_disk);
    o.more_dims[1] = o.dims;
    assert_int_equal(pipeline_features(s, &o, NULL), ERR_RANGE);
    store_close(s);
}

static size_t feature_sets(struct store *s) {
    struct feature_set_list l;
    ok(store_feature_sets_list(s, &l));
    size_t count = l.count;
    feature_set_list_free(&l);
    return count;
}

static void the_cost_counts_what_is_missing(void **state) {
    (void)state;
    struct features_options o = trained_features();
    struct store *s = trained_study("study.db");
    struct cost all = { .flop = 0 }, one = { .flop = 0 }, none = { .flop = 0 };
    struct cost_sink sink = { take_cost, &all, 1 };
    size_t before = feature_sets(s);
    o.losses = 1u << LOSS_SIMPLE | 1u << LOSS_SQUARE;
    o.noise_seed = 77;
    o.cost = &sink;
    ok(pipeline_features(s, &o, NULL));
    assert_true(all.flop > 0 && all.seconds > 0 && all.bytes_disk > (N + VAL) * K * 2 && all.bytes_memory > 0);
    assert_int_equal(feature_sets(s), before);     /* a dry run makes nothing */
    sink.only = 0;
    sink.ctx = &none;
    o.losses = 1u << LOSS_SIMPLE;
    ok(pipeline_features(s, &o, NULL));
    sink.only = 1;
    sink.ctx = &one;
    o.losses |= 1u << LOSS_SQUARE;
    ok(pipeline_features(s, &o, NULL));
    assert_true(one.flop < .7 * all.flop && one.flop > .3 * all.flop);
    sink.only = 0;
    ok(pipeline_features(s, &o, NULL));
    sink.ctx = &none;
    ok(pipeline_features(s, &o, NULL));
    assert_true(none.flop == 0 && none.seconds == 0);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_losses_and_a_stop_change_no_bit_of_a_feature),
        cmocka_unit_test(no_way_to_a_feature_changes_a_bit),
        cmocka_unit_test(little_memory_means_fewer_threads_and_the_same_bits),
        cmocka_unit_test(several_sizes_in_one_go_are_the_same_as_one_by_one),
        cmocka_unit_test(several_sizes_cost_little_more_than_one),
        cmocka_unit_test(the_cost_counts_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
