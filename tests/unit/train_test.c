/* train_test.c - the verbs `train` and `sample` on a tiny study: what stops and resumes gives the
 * same bits, and nothing depends on threads, memory or what else was asked for. */
#include "dtrak/cost.h"
#include "dtrak/image.h"
#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"
#include "../lib/trained_study.h"

#include <stdlib.h>
#include <string.h>

/* Of the undisturbed training. */
static void wanted(char want[STUDY_HASHES]) {
    struct store *s = trained_study("whole.db");
    trained_hashes(s, want);
    assert_int_equal(strlen(want), 4 * 64);
    store_close(s);
}

static void expect_weights(struct store *s, const char *want) {
    char got[STUDY_HASHES];
    trained_hashes(s, got);
    assert_string_equal(got, want);
}

static double last_loss(struct store *s) {
    struct checkpoint_list l;
    ok(store_checkpoints_list(s, &l));
    double loss = checkpoint_list_last(&l)->train_loss;
    checkpoint_list_free(&l);
    return loss;
}

static void a_training_that_is_stopped_twice_ends_with_the_same_weights(void **state) {
    (void)state;
    char want[STUDY_HASHES];
    struct train_options o = trained_training();
    struct store *s = study_new("stopped.db", &trained_pictures);
    wanted(want);
    o.threads = 1;
    for (double at = 4; at < 10; at += 3) {
        struct stopper stop = { .at_done = at };
        assert_int_equal(pipeline_train(s, &o, stopper_progress(&stop)), ERR_CANCELLED);
        store_close(s);
        ok(store_open(&s, rig_path("stopped.db"), STORE_WRITE));
    }
    ok(pipeline_train(s, &o, NULL));
    expect_weights(s, want);
    struct store *whole;
    ok(store_open(&whole, rig_path("whole.db"), STORE_READ));
    assert_true(fabs(last_loss(s) - last_loss(whole)) < 1e-12);
    store_close(whole);
    ok(pipeline_train(s, &o, NULL));     /* all done: does nothing */
    expect_weights(s, want);
    o.lr = 1e-3;
    refused(pipeline_train(s, &o, NULL), ERR_RANGE, "lr");
    store_close(s);
}

/* --- two processes at one database --- */

struct rival { struct store *s; double at; size_t ran; enum status (*run)(struct store *s); };

/* At that much done the other process does all of the work. */
static void let_the_rival_run(void *ctx, double done, double total, const char *what, const char *note) {
    struct rival *r = ctx;
    (void)total;
    (void)what;
    (void)note;
    if (done < r->at || r->ran++) return;
    ok(r->run(r->s));
}

static enum status train_all(struct store *s) {
    struct train_options o = trained_training();
    return pipeline_train(s, &o, NULL);
}

static void a_training_that_another_process_finished_is_not_set_back(void **state) {
    (void)state;
    char want[STUDY_HASHES];
    struct train_options o = trained_training();
    struct stopper stop = { .at_done = 4 };
    struct train_state early;
    struct store *s = study_new("rivals.db", &trained_pictures);
    struct rival rival = { .at = 5, .run = train_all };
    struct progress p = { let_the_rival_run, &rival, NULL };
    size_t step;
    wanted(want);
    assert_int_equal(pipeline_train(s, &o, stopper_progress(&stop)), ERR_CANCELLED);
    ok(store_train_state_get(s, &early));
    ok(store_open(&rival.s, rig_path("rivals.db"), STORE_WRITE));
    refused(pipeline_train(s, &o, &p), ERR_RANGE, "another process trains this database, which stands at step 12");
    ok(store_train_state_step(s, &step));
    assert_int_equal(step, 12);
    expect_weights(s, want);
    /* One that was set back by an older version finds its checkpoints, and ends. */
    ok(store_train_state_put(s, early.config, early.step, early.bytes, early.len));
    ok(pipeline_train(s, &o, NULL));
    ok(store_train_state_step(s, &step));
    assert_int_equal(step, 12);
    expect_weights(s, want);
    train_state_free(&early);
    store_close(rival.s);
    store_close(s);
}

static enum status sample_four(struct store *s) {
    struct sample_options o = SAMPLE_DEFAULTS;
    o.steps = 10;
    o.count = 4;
    o.threads = 1;
    return pipeline_sample(s, &o, NULL);
}

static void two_processes_do_not_add_one_seed_twice(void **state) {
    (void)state;
    struct store *s = trained_study("seeds.db");
    struct sample_options o = SAMPLE_DEFAULTS;
    struct rival rival = { .run = sample_four };
    struct progress p = { let_the_rival_run, &rival, NULL };
    struct item_list l;
    size_t count;
    o.steps = 10;
    o.count = 6;
    o.threads = 1;
    ok(store_open(&rival.s, rig_path("seeds.db"), STORE_WRITE));
    ok(pipeline_sample(s, &o, &p));
    assert_true(rival.ran);
    ok(store_items_count(s, SPLIT_GEN, &count));
    assert_int_equal(count, 6);
    ok(store_items_read(s, SPLIT_GEN, 0, 6, &l));
    for (size_t i = 0; i < 6; i++) assert_int_equal(l.item[i].seed, i);
    item_list_free(&l);
    store_close(rival.s);
    store_close(s);
}

/* --- cost --- */

static void take_cost(void *ctx, const char *what, const struct cost *c) {
    (void)what;
    *(struct cost *)ctx = *c;
}

static void a_training_that_is_measured_first_ends_with_the_same_weights(void **state) {
    (void)state;
    char want[STUDY_HASHES];
    struct train_options o = trained_training();
    struct cost told = { .flop = 0 }, rest = { .flop = 0 };
    struct cost_sink sink = { take_cost, &told, 1 };
    struct stopper stop = { .at_done = 6 };
    struct checkpoint_list l;
    struct store *s = study_new("measured.db", &trained_pictures);
    wanted(want);
    o.cost = &sink;
    o.patch = 1;
    ok(pipeline_train(s, &o, NULL));
    ok(store_checkpoints_list(s, &l));      /* a dry run makes nothing, and leaves the project as it is */
    assert_int_equal(l.count, 0);
    checkpoint_list_free(&l);
    assert_true(told.flop > 0 && told.seconds > 0 && told.bytes_disk > 0 && told.bytes_memory > 0);
    o.patch = 0;
    sink.only = 0;
    assert_int_equal(pipeline_train(s, &o, stopper_progress(&stop)), ERR_CANCELLED);    /* right after a checkpoint */
    double whole = told.flop;
    sink.ctx = &rest;
    ok(pipeline_train(s, &o, NULL));
    assert_near(rest.flop, whole / 2, 1e-9 * whole, 0);
    expect_weights(s, want);
    ok(pipeline_train(s, &o, NULL));
    assert_true(rest.flop == 0 && rest.seconds == 0);
    store_close(s);
}

static void little_memory_means_fewer_threads_and_the_same_weights(void **state) {
    (void)state;
    char want[STUDY_HASHES];
    struct train_options o = trained_training();
    struct cost told = { .flop = 0 };
    struct cost_sink sink = { take_cost, &told, 0 };
    struct store *s = study_new("little.db", &trained_pictures);
    wanted(want);
    o.cost = &sink;
    o.memory = 1000000;
    refused(pipeline_train(s, &o, NULL), ERR_RANGE, "raise --memory");
    double mb = strtod(strstr(fail_reason(), "needs ") + 6, NULL);
    o.memory = (size_t)((mb + .06) * 1e6);
    ok(pipeline_train(s, &o, NULL));
    assert_non_null(strstr(told.note, "1 of 2 threads"));
    expect_weights(s, want);
    store_close(s);
}

/* --- pictures --- */

static void items_survive_the_way_to_the_network_and_back(void **state) {
    (void)state;
    struct project p = { .width = 4, .height = 4, .channels = 3, .patch = 2, .value_low = -1, .value_high = 1 };
    struct image im, back;
    float x[48];
    ok(image_new(&im, 4, 4, 3));
    for (size_t i = 0; i < 48; i++) im.pixels[i] = (unsigned char)(5 * i);
    ok(items_to_network(x, &im, &p));
    /* Channel 1 (green), dy 1, dx 0: channel 6; its pixel (1, 0) is pixel (3, 0). */
    assert_near((double)x[(6 * 2 + 1) * 2 + 0], im.pixels[(3 * 4 + 0) * 3 + 1] / 127.5 - 1, 1e-6, 0);
    ok(items_from_network(&back, x, &p));
    assert_memory_equal(back.pixels, im.pixels, 48);
    image_free(&im);
    image_free(&back);
}

static void a_sample_depends_on_its_seed_alone(void **state) {
    (void)state;
    struct store *s = trained_study("whole.db"), *alone = trained_study("alone.db");
    struct sample_options o = SAMPLE_DEFAULTS;
    struct item_list a;
    void *one, *other;
    size_t len, other_len, count;
    o.steps = 10;
    o.count = 5;
    o.seed = 100;
    o.threads = 2;
    ok(pipeline_sample(s, &o, NULL));
    o.count = 3;
    o.seed = 103;           /* 103 and 104 are there, 105 is new */
    ok(pipeline_sample(s, &o, NULL));
    ok(store_items_count(s, SPLIT_GEN, &count));
    assert_int_equal(count, 6);
    ok(store_items_read(s, SPLIT_GEN, 0, 6, &a));
    for (size_t i = 0; i < 6; i++) assert_int_equal(a.item[i].seed, 100 + i);
    item_list_free(&a);
    ok(store_image_read(s, (struct item_ref){ SPLIT_GEN, 5 }, &one, &len));
    store_close(s);

    o.count = 1;
    o.seed = 105;
    ok(pipeline_sample(alone, &o, NULL));
    ok(store_image_read(alone, (struct item_ref){ SPLIT_GEN, 0 }, &other, &other_len));
    assert_int_equal(len, other_len);
    assert_memory_equal(one, other, len);
    o.steps = 30;
    assert_int_equal(pipeline_sample(alone, &o, NULL), ERR_RANGE);   /* does not divide 1000 */
    mem_free(one);
    mem_free(other);
    store_close(alone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_training_that_is_stopped_twice_ends_with_the_same_weights),
        cmocka_unit_test(a_training_that_is_measured_first_ends_with_the_same_weights),
        cmocka_unit_test(little_memory_means_fewer_threads_and_the_same_weights),
        cmocka_unit_test(items_survive_the_way_to_the_network_and_back),
        cmocka_unit_test(a_sample_depends_on_its_seed_alone),
        cmocka_unit_test(a_training_that_another_process_finished_is_not_set_back),
        cmocka_unit_test(two_processes_do_not_add_one_seed_twice),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
