/* lds_verb_test.c - retraining on subsets: the same numbers whoever trains, however often it was
 * stopped, on however many threads; what cannot be mixed is refused. */
#include "../../src/pipeline/lds_outputs.h"
#include "dtrak/lds_verb.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "dtrak/subset.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 25, SIDE = 8, VAL = 5, GEN = 3, SUBSETS = 4 };

/* A trained project; variants differ in their training images, or in their generated ones. */
static struct store *new_project(const char *name, unsigned train, unsigned gen) {
    const struct study pictures = { .width = SIDE, .height = SIDE, .patch = 2, .items = { N, VAL, 0 }, .variant = train };
    const struct study generated = { .width = SIDE, .height = SIDE, .variant = gen };
    struct train_options o = study_training();
    struct store *s = study_new(name, &pictures);
    o.seed = 5;
    ok(pipeline_train(s, &o, NULL));
    study_add(s, &generated, SPLIT_GEN, 0, GEN);
    return s;
}

static struct lds_options options(void) {
    struct lds_options o = LDS_DEFAULTS;
    o.subsets = SUBSETS;
    o.second_seed = 2;
    o.timesteps = 7;
    o.same_epochs = 0;
    o.threads = 2;
    return o;
}

static char *exported(struct store *s) {
    static char text[2][20000];
    static int next;
    char *out = text[next++ % 2];
    FILE *f;
    ok(pipeline_lds_export(s, NULL, rig_path("out.tsv"), 1, NULL));
    f = fopen(rig_path("out.tsv"), "r");
    assert_non_null(f);
    out[fread(out, 1, sizeof text[0] - 1, f)] = 0;
    fclose(f);
    return out;
}

static char whole[20000];   /* what an undisturbed run gives */

static void the_models_that_are_asked_for_are_trained_and_evaluated(void **state) {
    (void)state;
    struct store *s = new_project("whole.db", 1, 1);
    struct lds_options o = options();
    struct lds_summary m;
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.wanted, SUBSETS + 2);
    assert_int_equal(m.done, SUBSETS + 2);
    assert_int_equal(m.open + m.diverged + m.elsewhere, 0);
    assert_int_equal(m.subset_size, 13);
    assert_int_equal(m.steps, 10);
    assert_int_equal(m.queries, VAL + GEN);
    struct protocol_list l;
    struct subset_model_list models;
    ok(store_protocols_list(s, &l));
    assert_int_equal(l.count, 2);
    ok(store_subsets_list(s, l.protocol[0].id, &models));
    assert_int_equal(models.count, SUBSETS + 2);
    unsigned char got[N], want[N];
    int labels[N];
    for (size_t i = 0; i < N; i++) labels[i] = (int)(i % 2);
    float first[VAL * OUTPUT_PARTS], second[VAL * OUTPUT_PARTS];
    for (size_t i = 0; i < models.count; i++) {
        ok(store_subset_members(s, models.model[i].id, got, N));
        ok(subset_draw(want, labels, N, .5, 1, 0, models.model[i].index));
        assert_memory_equal(got, want, N);
        assert_true(models.model[i].train_loss > 0 && models.model[i].steps == 10);
        assert_int_equal(models.model[i].weights_kept, 0);
    }
    /* Rows 0 and 1 are subset 0 with two seeds. */
    ok(store_subset_output_read(s, models.model[0].id, l.protocol[1].id, SPLIT_VAL, VAL, first));
    ok(store_subset_output_read(s, models.model[1].id, l.protocol[1].id, SPLIT_VAL, VAL, second));
    for (size_t i = 0; i < VAL * OUTPUT_PARTS; i++) assert_true(first[i] > 0 && second[i] > 0);
    assert_memory_not_equal(first, second, sizeof first);
    subset_model_list_free(&models);
    protocol_list_free(&l);
    snprintf(whole, sizeof whole, "%s", exported(s));
    ok(pipeline_lds(s, &o, NULL, &m));       /* all done: does nothing */
    assert_string_equal(exported(s), whole);
    o.subsets = SUBSETS + 1;                 /* more can be added later, and what was there stays */
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.done, SUBSETS + 3);
    /* all but the last line */
    assert_int_equal(strncmp(exported(s), whole, (size_t)(strstr(whole, "\nend\t") - whole)), 0);
    store_close(s);
    size_t problems;
    ok(store_check(rig_path("whole.db"), NULL, NULL, NULL, &problems));
    assert_int_equal(problems, 0);
}

static void stopped_at_any_step_it_ends_with_the_same_bits(void **state) {
    (void)state;
    struct store *s = new_project("stopped.db", 1, 1);
    struct lds_options o = options();
    struct lds_summary m;
    size_t stops = 0;
    o.threads = 1;
    o.save_every_s = 0;
    for (size_t after = 4;; after += 3) {
        struct stopper stop = { .at_report = after };
        enum status st = pipeline_lds(s, &o, stopper_progress(&stop), &m);
        store_close(s);
        ok(store_open(&s, rig_path("stopped.db"), STORE_WRITE));
        if (st == OK) break;
        assert_int_equal(st, ERR_CANCELLED);
        assert_int_equal(m.elsewhere, 0);    /* the lease was given back */
        stops++;
    }
    assert_true(stops > 4);
    assert_string_equal(exported(s), whole);
    store_close(s);
}

static void parts_done_elsewhere_come_together(void **state) {
    (void)state;
    struct store *a = new_project("a.db", 1, 1), *b = new_project("b.db", 1, 1), *c = new_project("c.db", 1, 1);
    struct lds_options o = options();
    struct merge_counts n;
    size_t models;
    o.only[0].first = 0;
    o.only[0].last = 1;
    o.n_only = 1;
    ok(pipeline_lds(a, &o, NULL, NULL));
    o.only[0].first = 2;
    o.only[0].last = 3;
    ok(pipeline_lds(b, &o, NULL, NULL));
    ok(pipeline_lds_export(b, &o, rig_path("b.tsv"), 0, &models));
    assert_int_equal(models, 2);
    store_close(b);
    ok(pipeline_merge(c, rig_path("a.db"), NULL, &n));
    assert_int_equal(n.added, 4);
    ok(pipeline_lds_import(c, rig_path("b.tsv"), &n));
    assert_int_equal(n.added, 2);
    ok(pipeline_lds_import(c, rig_path("b.tsv"), &n));
    assert_int_equal(n.added, 0);
    assert_int_equal(n.same, 2);
    assert_string_equal(exported(c), whole);
    ok(pipeline_merge(a, rig_path("b.db"), NULL, &n));
    assert_string_equal(exported(a), whole);
    store_close(a);
    store_close(c);
}

static void what_does_not_belong_together_is_refused(void **state) {
    (void)state;
    struct store *s = new_project("other.db", 1, 1), *items = new_project("items.db", 2, 1), *gen = new_project("gen.db", 1, 2);
    struct lds_options o = options();
    struct merge_counts n;
    struct lds_summary m;
    refused(pipeline_lds_import(items, rig_path("b.tsv"), &n), ERR_RANGE, "its training items are not those");
    refused(pipeline_merge(items, rig_path("a.db"), NULL, &n), ERR_RANGE, "its training items are not those");
    refused(pipeline_lds_import(gen, rig_path("b.tsv"), &n), ERR_RANGE, "its gen items are not those");
    refused(pipeline_merge(s, rig_path("gen.db"), NULL, &n), ERR_MISSING, "no network has been retrained there");
    o.subsets = 1;
    o.second_seed = 0;
    o.same_epochs = 1;
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.steps, 6);            /* 10 x 13 / 25, rounded up */
    refused(pipeline_lds_import(s, rig_path("b.tsv"), &n), ERR_RANGE, "train.same epochs/steps");
    refused(pipeline_merge(s, rig_path("a.db"), NULL, &n), ERR_RANGE, "train.same epochs/steps");
    o.timesteps = 8;
    refused(pipeline_lds(s, &o, NULL, &m), ERR_RANGE, "weights were not kept");
    o.timesteps = 7;
    o.subsets = 0;
    refused(pipeline_lds(s, &o, NULL, &m), ERR_RANGE, "0 subsets");
    o.subsets = 2;
    o.queries[SPLIT_VAL].given = 1;
    o.queries[SPLIT_VAL].first = 3;
    o.queries[SPLIT_VAL].count = 3;
    refused(pipeline_lds(s, &o, NULL, &m), ERR_USAGE, "no val:5");
    store_close(s);
    store_close(items);
    store_close(gen);
}

static void kept_weights_can_be_evaluated_again(void **state) {
    (void)state;
    struct store *s = new_project("kept.db", 1, 1);
    struct lds_options o = options();
    struct lds_summary m;
    o.timesteps = 5;
    o.keep_weights = 1;
    ok(pipeline_lds(s, &o, NULL, &m));
    o.timesteps = 7;
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.done, SUBSETS + 2);
    assert_string_equal(exported(s), whole);

    /* Of an odd number of timesteps the even places have one more: each timestep weighs the same. */
    struct lds_outputs out;
    double y[VAL * SUBSETS], even[VAL * SUBSETS], odd[VAL * SUBSETS];
    ok(lds_outputs_open(&out, s, 2));
    assert_true(out.timesteps % 2 && out.query[0].Q == VAL && out.M == SUBSETS);
    ok(lds_outputs_means(&out, out.query[0].split, VAL, y, even, odd));
    for (size_t i = 0; i < VAL * SUBSETS; i++) {
        double a = (double)((out.timesteps + 1) / 2), b = (double)(out.timesteps / 2);
        assert_near(y[i], (a * even[i] + b * odd[i]) / (a + b), 1e-12, 0);
    }
    lds_outputs_close(&out);
    store_close(s);
}

static void a_diverged_model_is_kept_marked_and_not_trained_again(void **state) {
    (void)state;
    struct store *s = new_project("nan.db", 1, 1);
    struct lds_options o = options();
    struct lds_summary m;
    /* The first steps overflow. */
    o.lr = 1e30;
    o.steps = 5;
    o.subsets = 2;
    o.second_seed = 0;
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.diverged, 2);
    assert_int_equal(m.done + m.open, 0);
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.diverged, 2);
    assert_non_null(strstr(exported(s), "\tdiverged\t"));
    /* It travels as such. */
    struct store *t = new_project("nan2.db", 1, 1);
    struct merge_counts n;
    ok(pipeline_lds_import(t, rig_path("out.tsv"), &n));
    assert_int_equal(n.added, 2);
    char *was = exported(s);
    assert_string_equal(exported(t), was);
    store_close(s);
    store_close(t);
}

static void a_model_that_another_process_trains_is_left_to_it(void **state) {
    (void)state;
    struct store *s = new_project("held.db", 1, 1);
    struct lds_options o = options();
    struct lds_summary m;
    struct protocol_list l;
    struct subset_model_list models;
    struct subset_model held;
    unsigned char members[N];
    o.second_seed = 0;
    ok(pipeline_lds(s, &o, NULL, &m));
    ok(store_protocols_list(s, &l));
    int64_t train = l.protocol[0].id;
    protocol_list_free(&l);
    /* Number SUBSETS is taken by somebody on another machine, the next by a process that is gone, the one
     * after it by one that this namespace cannot see. */
    int labels[N];
    char gone[160], unseen[160], host[64] = "", space[64] = "";
    for (size_t i = 0; i < N; i++) labels[i] = (int)(i % 2);
    gethostname(host, 50);
    assert_true(readlink("/proc/self/ns/pid", space, sizeof space - 1) > 6);   /* pid:[4026531836] */
    space[strlen(space) - 1] = 0;
    snprintf(gone, sizeof gone, "%s:%d:1:%s", host, (int)getpid(), space + 5);
    snprintf(unseen, sizeof unseen, "%s:%d:1:12", host, (int)getpid());
    ok(subset_draw(members, labels, N, .5, 1, 0, SUBSETS));
    ok(store_subset_claim(s, train, SUBSETS, 0, members, N, "elsewhere:1:1", &held));
    refused(store_subset_claim(s, train, SUBSETS, 0, members, N, "me", &held), ERR_MISSING, "another process trains it");
    refused(store_subset_heartbeat(s, held.id, "me", 1, 0, 0, "x", 1), ERR_MISSING, "taken over");
    members[0] ^= 1;
    refused(store_subset_claim(s, train, SUBSETS, 0, members, N, "me", &held), ERR_FORMAT, "other members");
    ok(subset_draw(members, labels, N, .5, 1, 0, SUBSETS + 1));
    ok(store_subset_claim(s, train, SUBSETS + 1, 0, members, N, gone, &held));
    ok(subset_draw(members, labels, N, .5, 1, 0, SUBSETS + 2));
    ok(store_subset_claim(s, train, SUBSETS + 2, 0, members, N, unseen, &held));
    o.subsets = SUBSETS + 3;
    ok(pipeline_lds(s, &o, NULL, &m));
    assert_int_equal(m.done, SUBSETS + 1);
    assert_int_equal(m.elsewhere, 2);
    ok(store_subsets_list(s, train, &models));
    assert_int_equal(models.model[SUBSETS].state, SUBSET_OPEN);
    assert_string_equal(models.model[SUBSETS].owner, "elsewhere:1:1");
    assert_true(models.model[SUBSETS].lease_left_s > SUBSET_LEASE_S - 60);
    subset_model_list_free(&models);
    store_close(s);
}

static void a_file_that_is_cut_or_changed_is_refused_whole(void **state) {
    (void)state;
    struct store *s = new_project("damage.db", 1, 1);
    struct merge_counts n;
    size_t len = strlen(whole), refusals = 0;
    char *text = malloc(len + 2);
    assert_non_null(text);
    for (size_t i = 0; i < len + 40; i++) {
        FILE *f = fopen(rig_path("bad.tsv"), "w");
        memcpy(text, whole, len + 1);
        size_t keep = i < 40 ? len * i / 40 : len;
        /* Every 40th of the file cut; then single bytes of the numbers and names replaced. */
        if (i >= 40) text[(i - 40) * 97 % len] = "\t\n-z"[i % 4];
        fwrite(text, 1, keep, f);
        fclose(f);
        if (i > 400) break;
        enum status st = pipeline_lds_import(s, rig_path("bad.tsv"), &n);
        if (st != OK) refusals++;
        assert_true(st == OK || st == ERR_FORMAT || st == ERR_RANGE || st == ERR_NUMERIC);
        struct protocol_list l;
        ok(store_protocols_list(s, &l));
        /* A cut file is never taken, and nothing of it. */
        if (i < 40) assert_true(st != OK && l.count == 0);
        protocol_list_free(&l);
    }
    assert_true(refusals > 100);
    free(text);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_models_that_are_asked_for_are_trained_and_evaluated),
        cmocka_unit_test(stopped_at_any_step_it_ends_with_the_same_bits),
        cmocka_unit_test(parts_done_elsewhere_come_together),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(kept_weights_can_be_evaluated_again),
        cmocka_unit_test(a_diverged_model_is_kept_marked_and_not_trained_again),
        cmocka_unit_test(a_model_that_another_process_trains_is_left_to_it),
        cmocka_unit_test(a_file_that_is_cut_or_changed_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
