/* basis_test.c - the verb `basis`: either form, from features and from a kernel, stopped at
 * every panel, killed and damaged; what scores make of it; slim and check. */
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/slim.h"
#include "dtrak/ridge.h"
#include "dtrak/rng.h"
#include "dtrak/store.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { K_MAX = 700 };

/* Whatever values: the items of the rig, k features each. */
static struct feature_set add_features(struct store *s, enum split split, size_t rows, size_t k) {
    static float values[RIG_TRAIN * K_MAX];
    struct feature_identity id = rig_identity(s, split);
    id.k = k;
    id.float32 = 1;
    rng_normal(values, rows * k, 9, RNG_TEST, (uint32_t)split, 0);
    return rig_features(s, &id, rows, values);
}

static struct feature_set world(struct store **s, const char *name, size_t k) {
    *s = rig_project(rig_path(name));
    add_features(*s, SPLIT_GEN, RIG_GEN, k);
    add_features(*s, SPLIT_VAL, RIG_VAL, k);
    return add_features(*s, SPLIT_TRAIN, RIG_TRAIN, k);
}

static enum status make(struct store *s, const struct progress *p) {
    struct basis_options o = BASIS_DEFAULTS;
    o.losses = 1u << LOSS_SQUARE;
    o.threads = 1;
    return pipeline_basis(s, &o, p);
}

struct reading { struct store *s; struct feature_set set; };
static enum status read_rows(void *ctx, size_t first, size_t count, float *out) {
    struct reading *r = ctx;
    return store_features_read(r->s, &r->set, first, count, out);
}

/* The stored basis and one made anew give the same eigenvalues, leverages and lengths. */
static void check_basis(struct store *s, const struct feature_set *train) {
    struct reading from = { s, *train };
    struct rows rows = { train->rows, train->identity.k, read_rows, &from, NULL };
    struct basis_info b;
    struct ridge *stored, *fresh;
    double *values, *vectors, h[2][RIG_TRAIN], rel[2][RIG_TRAIN];
    ok(store_basis_find(s, train->id, &b));
    assert_true(b.complete && b.n == train->rows && b.k == train->identity.k);
    ok(store_basis_read(s, &b, &values, &vectors));
    ok(ridge_new_basis(&stored, vectors, values, b.rank, b.primal, b.n, b.k, b.trace, &rows));
    ok(ridge_new_rows(&fresh, &rows, NULL));
    assert_int_equal(ridge_is_primal(stored), ridge_is_primal(fresh));
    assert_near(ridge_trace(stored), ridge_trace(fresh), 0, 1e-12);
    for (size_t e = 0; e < b.rank; e++)
        assert_near(ridge_eigenvalues(stored)[e], ridge_eigenvalues(fresh)[e], 1e-10 * b.trace, 0);
    for (double l = 1e-3 * b.trace; l > 1e-7 * b.trace; l /= 100) {
        ok(ridge_diagonals(stored, l, h[0], rel[0], NULL));
        ok(ridge_diagonals(fresh, l, h[1], rel[1], NULL));
        for (size_t i = 0; i < RIG_TRAIN; i++) {
            assert_near(h[0][i], h[1][i], 1e-9, 0);
            assert_near(rel[0][i], rel[1][i], 0, 1e-8);
        }
    }
    ridge_free(stored);
    ridge_free(fresh);
}

static const size_t dims[2] = { K_MAX, 7 };   /* dual and primal */

static void it_is_the_decomposition_in_either_form(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        struct store *s;
        struct feature_set train = world(&s, "forms.db", dims[t]);
        ok(make(s, NULL));
        check_basis(s, &train);
        int64_t before, after;
        struct store *reader;
        ok(store_open(&reader, store_path(s), STORE_READ));
        ok(store_data_version(reader, &before));
        ok(make(s, NULL));
        ok(store_data_version(reader, &after));
        assert_int_equal(before, after);   /* what is done is not done again */
        store_close(reader);
        store_close(s);
        remove(rig_path("forms.db"));
    }
}

static void scores_with_it_are_those_without(void **state) {
    (void)state;
    for (int t = 0; t < 2; t++) {
        struct store *s[2];
        float row[2][RIG_TRAIN];
        struct feature_set train = world(&s[0], "with.db", dims[t]);
        world(&s[1], "without.db", dims[t]);
        ok(make(s[0], NULL));
        struct score_options o = SCORE_DEFAULTS;
        o.methods = "trak,relative-if,renorm-if";
        o.losses = 1u << LOSS_SQUARE;
        o.lambda = "0.001,0.5";
        for (int i = 0; i < 2; i++) ok(pipeline_score(s[i], &o, NULL));
        struct score_set_list l;
        ok(store_score_sets_list(s[0], &l));
        assert_int_equal(l.count, 12);
        for (size_t i = 0; i < l.count; i++)
            for (size_t q = 0; q < l.set[i].rows; q++) {
                double largest = 0;
                for (int j = 0; j < 2; j++) ok(store_score_read(s[j], &l.set[i], q, row[j]));
                for (size_t n = 0; n < RIG_TRAIN; n++) largest = fmax(largest, fabs((double)row[1][n]));
                for (size_t n = 0; n < RIG_TRAIN; n++) assert_near((double)row[0][n], (double)row[1][n], 2e-6 * largest, 0);
            }
        score_set_list_free(&l);
        /* And it is what was used: without its blocks there is no score. */
        char sql[128];
        snprintf(sql, sizeof sql, "DELETE FROM basis_block WHERE part = 'values'; DELETE FROM score");
        rig_sql(store_path(s[0]), sql);
        assert_int_equal(pipeline_score(s[0], &o, NULL), ERR_MISSING);
        assert_non_null(strstr(fail_reason(), "dtrak basis"));
        (void)train;
        for (int i = 0; i < 2; i++) store_close(s[i]);
        remove(rig_path("with.db"));
        remove(rig_path("without.db"));
    }
}

static void panels_that_are_finished_stay(void **state) {
    (void)state;
    struct store *s;
    struct feature_set train = world(&s, "panels.db", K_MAX);
    struct basis_info b;
    struct index_list missing;
    size_t left = 99;
    ok(store_basis_ensure(s, train.id, RIG_TRAIN, K_MAX, 7, NULL, &b));   /* more panels than it would make */
    size_t panels = (RIG_TRAIN + 6) / 7, runs = 0;
    for (;; runs++) {
        struct stopper stop = { .at_report = 2 };
        enum status st = make(s, stopper_progress(&stop));
        if (st == OK) break;
        assert_int_equal(st, ERR_CANCELLED);
        ok(store_basis_panels_missing(s, &b, &missing));
        assert_true(missing.count < left || missing.count == 0);
        left = missing.count;
        index_list_free(&missing);
        assert_true(runs < 2 * panels);
        if (runs == panels + 1) break;
    }
    assert_true(runs >= panels - 1);
    ok(make(s, NULL));
    check_basis(s, &train);
    store_close(s);
}

/* The process dies with a panel in hand, several times. */
static void a_kill_loses_at_most_a_panel(void **state) {
    (void)state;
    struct store *s;
    struct feature_set train = world(&s, "kill.db", K_MAX);
    struct basis_info b;
    ok(store_basis_ensure(s, train.id, RIG_TRAIN, K_MAX, 7, NULL, &b));
    store_close(s);
    for (int at = 1; at < 4; at++) {
        pid_t child = fork();
        if (child == 0) {
            struct index_list missing;
            static double panel[7 * RIG_TRAIN];
            if (store_open(&s, rig_path("kill.db"), STORE_WRITE) != OK) _exit(1);
            if (store_basis_panels_missing(s, &b, &missing) != OK) _exit(1);
            struct reading from = { s, train };
            struct rows rows = { train.rows, train.identity.k, read_rows, &from, NULL };
            size_t first = missing.index[0] * 7;
            if (rows_gram_panel(&rows, first, 7, panel, 0, NULL) != OK) _exit(1);
            if (store_basis_panel_put(s, &b, missing.index[0], panel) != OK) _exit(1);
            store_begin(s);
            store_basis_panel_put(s, &b, missing.index[1], panel);
            kill(getpid(), SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct index_list missing;
        ok(store_open(&s, rig_path("kill.db"), STORE_WRITE));
        ok(store_basis_panels_missing(s, &b, &missing));
        assert_int_equal(missing.count, (RIG_TRAIN + 6) / 7 - (size_t)at);
        index_list_free(&missing);
        store_close(s);
    }
    ok(store_open(&s, rig_path("kill.db"), STORE_WRITE));
    ok(make(s, NULL));
    check_basis(s, &train);
    store_close(s);
}

static char said[512];
static void listen(void *ctx, const char *line) {
    (void)ctx;
    snprintf(said, sizeof said, "%s", line);
}

static void damage_is_found_and_slim_drops_it(void **state) {
    (void)state;
    struct store *s;
    struct feature_set train = world(&s, "damage.db", K_MAX);
    struct basis_info b;
    double *values, *vectors;
    size_t problems;
    const char *path = rig_path("damage.db");
    char small[300], kept[300];
    snprintf(small, sizeof small, "%s.small", path);
    snprintf(kept, sizeof kept, "%s.kept", path);
    ok(make(s, NULL));
    store_close(s);
    ok(pipeline_slim(path, small, &(struct slim_options){ .keep_basis = 0 }, NULL));
    ok(pipeline_slim(path, kept, &(struct slim_options){ .keep_basis = 1 }, NULL));
    assert_int_equal(rig_number(small, "SELECT count(*) FROM basis"), 0);
    assert_int_equal(rig_number(kept, "SELECT count(*) FROM basis"), 1);
    remove(small);
    remove(kept);
    rig_sql(path, "UPDATE basis_block SET bytes = zeroblob(length(bytes)) WHERE part = 'vectors' AND block = 0");
    ok(store_check(path, listen, NULL, NULL, &problems));
    assert_int_equal(problems, 1);
    assert_non_null(strstr(said, "block 0 (vectors) of the eigenbasis"));
    ok(store_open(&s, path, STORE_WRITE));
    ok(store_basis_find(s, train.id, &b));
    assert_int_equal(store_basis_read(s, &b, &values, &vectors), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "dtrak basis --again"));
    struct basis_options o = BASIS_DEFAULTS;
    o.losses = 1u << LOSS_SQUARE;
    o.again = 1;
    ok(pipeline_basis(s, &o, NULL));
    check_basis(s, &train);
    rig_sql(path, "DELETE FROM basis_block WHERE part = 'vectors' AND block = 0");
    ok(store_check(path, listen, NULL, NULL, &problems));
    assert_int_equal(problems, 1);
    store_close(s);
}

static void what_does_not_fit_is_said_before_it_starts(void **state) {
    (void)state;
    struct store *s;
    world(&s, "memory.db", K_MAX);
    struct basis_options b = BASIS_DEFAULTS;
    struct score_options o = SCORE_DEFAULTS;
    b.losses = o.losses = 1u << LOSS_SQUARE;
    b.memory = o.memory = 10000;
    assert_int_equal(pipeline_basis(s, &b, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "and 10 KB is given"));
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "--memory"));
    assert_int_equal(rig_number(store_path(s), "SELECT (SELECT count(*) FROM basis) + (SELECT count(*) FROM score_set)"), 0);
    store_close(s);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct store *s;
    struct feature_set train = world(&s, "nomem.db", K_MAX);
    long before = mem_live();
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = make(s, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        if (st != ERR_NOMEM) ok(st);
    }
    check_basis(s, &train);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_decomposition_in_either_form),
        cmocka_unit_test(scores_with_it_are_those_without),
        cmocka_unit_test(panels_that_are_finished_stay),
        cmocka_unit_test(a_kill_loses_at_most_a_panel),
        cmocka_unit_test(damage_is_found_and_slim_drops_it),
        cmocka_unit_test(what_does_not_fit_is_said_before_it_starts),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
