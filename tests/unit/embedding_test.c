/* embedding_test.c - rows that the user brings: what is stored, what is refused, and the scores
 * made of them. */
#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/half.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"

#include <stdio.h>
#include <string.h>

enum { COLS = 5 };
static const size_t items[SPLIT_COUNT] = { RIG_TRAIN, RIG_VAL, RIG_GEN };

/* Values that float16 holds exactly. */
static double value(size_t split, size_t row, size_t col) {
    return (double)(int)(100 * (double)rig_value(row * 31 + col, 50 + split)) / 64;
}

static const char *write_npy(const char *name, enum npy_type type, size_t split, size_t rows, size_t cols) {
    static double f8[RIG_TRAIN * 8];
    static float f4[RIG_TRAIN * 8];
    static uint16_t f2[RIG_TRAIN * 8];
    static int32_t i4[RIG_TRAIN * 8];
    struct buf b = BUF_INIT;
    size_t shape[2] = { rows, cols };
    for (size_t i = 0; i < rows * cols; i++) {
        f8[i] = value(split, i / cols, i % cols);
        f4[i] = (float)f8[i];
        f2[i] = half_from_float(f4[i]);
        i4[i] = (int32_t)i;
    }
    const void *data = type == NPY_F8 ? (const void *)f8 : type == NPY_F4 ? (const void *)f4
                     : type == NPY_F2 ? (const void *)f2 : (const void *)i4;
    ok(npy_write(&b, type, 2, shape, data));
    ok(file_write(rig_path(name), b.data, b.len));
    buf_free(&b);
    return rig_path(name);
}

static void add(struct store *s, const char *name, size_t split, enum npy_type type) {
    struct embedding e;
    ok(pipeline_embedding_add(s, write_npy("a.npy", type, split, items[split], COLS), (enum split)split, name, &e));
    assert_string_equal(e.name, name);
    assert_int_equal(e.rows, items[split]);
    assert_int_equal(e.cols, COLS);
}

static void all_three_types_are_stored_as_they_are(void **state) {
    (void)state;
    static const enum npy_type type[SPLIT_COUNT] = { NPY_F8, NPY_F4, NPY_F2 };
    struct store *s = rig_project(rig_path("types.db"));
    struct embedding_list l;
    for (size_t q = 0; q < SPLIT_COUNT; q++) add(s, "clip", q, type[q]);
    ok(store_embeddings_list(s, &l));
    assert_int_equal(l.count, SPLIT_COUNT);
    for (size_t q = 0; q < SPLIT_COUNT; q++) {
        float *v;
        assert_int_equal(l.embedding[q].split, q);
        ok(store_embedding_read(s, &l.embedding[q], &v));
        for (size_t i = 0; i < items[q] * COLS; i++) assert_near((double)v[i], value(q, i / COLS, i % COLS), 0, 0);
        mem_free(v);
    }
    embedding_list_free(&l);
    store_close(s);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("refused.db"));
    struct embedding e;
    add(s, "clip", SPLIT_TRAIN, NPY_F4);
    const char *few = write_npy("few.npy", NPY_F4, SPLIT_GEN, RIG_GEN - 1, COLS);
    refused(pipeline_embedding_add(s, few, SPLIT_GEN, "clip", &e), ERR_RANGE, "6 rows, expected one for each of the 7 gen items");
    const char *wide = write_npy("wide.npy", NPY_F4, SPLIT_GEN, RIG_GEN, COLS + 1);
    refused(pipeline_embedding_add(s, wide, SPLIT_GEN, "clip", &e), ERR_RANGE, "6 columns, embedding 'clip' has 5");
    const char *whole = write_npy("whole.npy", NPY_I4, SPLIT_GEN, RIG_GEN, COLS);
    refused(pipeline_embedding_add(s, whole, SPLIT_GEN, "clip", &e), ERR_FORMAT, "whole numbers");
    struct buf b = BUF_INIT;
    float bad[RIG_GEN * COLS] = { 0 };
    size_t shape[2] = { RIG_GEN, COLS }, flat[1] = { RIG_GEN * COLS };
    bad[2 * COLS + 3] = NAN;
    ok(npy_write(&b, NPY_F4, 2, shape, bad));
    ok(file_write(rig_path("nan.npy"), b.data, b.len));
    buf_free(&b);
    refused(pipeline_embedding_add(s, rig_path("nan.npy"), SPLIT_GEN, "clip", &e), ERR_NUMERIC, "row 2, column 3");
    bad[2 * COLS + 3] = 0;
    ok(npy_write(&b, NPY_F4, 1, flat, bad));
    ok(file_write(rig_path("flat.npy"), b.data, b.len));
    buf_free(&b);
    refused(pipeline_embedding_add(s, rig_path("flat.npy"), SPLIT_GEN, "clip", &e), ERR_FORMAT, "1 dimensions");
    double huge[RIG_GEN * COLS] = { 1e300 };
    ok(npy_write(&b, NPY_F8, 2, shape, huge));
    ok(file_write(rig_path("huge.npy"), b.data, b.len));
    buf_free(&b);
    refused(pipeline_embedding_add(s, rig_path("huge.npy"), SPLIT_GEN, "clip", &e), ERR_NUMERIC, "row 0, column 0");
    refused(pipeline_embedding_add(s, rig_path("none.npy"), SPLIT_GEN, "clip", &e), ERR_MISSING, "none.npy");
    static const char *const names[] = { "", "a b", "-x", "\"", "an-embedding-with-far-too-long-a-name" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refused(pipeline_embedding_add(s, few, SPLIT_GEN, names[i], &e), ERR_USAGE, "cannot name");
    refused(store_embedding_get(s, "clip", SPLIT_GEN, &e), ERR_MISSING, "--split gen");
    /* The only part of a name may change its width. */
    ok(pipeline_embedding_add(s, write_npy("w.npy", NPY_F4, SPLIT_TRAIN, RIG_TRAIN, COLS + 1), SPLIT_TRAIN, "clip", &e));
    store_close(s);
    assert_int_equal(rig_number(rig_path("refused.db"), "SELECT count(*) FROM embedding"), 1);
    assert_int_equal(rig_number(rig_path("refused.db"), "SELECT cols FROM embedding"), COLS + 1);
}

static void check_scores(struct store *s, enum split split, int cosine) {
    struct score_set set;
    struct score_query q = { cosine ? "embed-cos" : "embed-dot", "", 0, split, NULL, 0, 0, 0, NULL, 0 };
    float row[RIG_TRAIN];
    ok(store_score_set_find(s, &q, &set));
    assert_int_equal(set.rows_done, items[split]);
    assert_non_null(strstr(set.params, "\"embedding\":\"clip\",\"cols\":5,\"train\":\""));
    for (size_t i = 0; i < items[split]; i++) {
        ok(store_score_read(s, &set, i, row));
        for (size_t n = 0; n < RIG_TRAIN; n++) {
            double dot = 0, a = 0, b = 0;
            for (size_t c = 0; c < COLS; c++) {
                double x = value(split, i, c), y = value(SPLIT_TRAIN, n, c);
                dot += x * y, a += x * x, b += y * y;
            }
            assert_near((double)row[n], cosine ? dot / sqrt(a * b) : dot, 1e-6, 1e-6);
        }
    }
}

static void scores_are_products_and_cosines_of_the_rows(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("scores.db"));
    struct score_options o = SCORE_DEFAULTS;
    o.methods = "random,embed-dot,embed-cos";
    refused(pipeline_score(s, &o, NULL), ERR_MISSING, "there is no embedding");
    add(s, "clip", SPLIT_TRAIN, NPY_F4);
    add(s, "clip", SPLIT_GEN, NPY_F8);
    refused(pipeline_score(s, &o, NULL), ERR_MISSING, "no rows for val");
    struct score_set_list l;
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, 0);
    score_set_list_free(&l);
    o.splits = 1u << SPLIT_GEN;
    ok(pipeline_score(s, &o, NULL));
    add(s, "clip", SPLIT_VAL, NPY_F2);
    o.splits = 0;
    ok(pipeline_score(s, &o, NULL));
    for (int q = SPLIT_VAL; q < SPLIT_COUNT; q++)
        for (int c = 0; c < 2; c++) check_scores(s, (enum split)q, c);
    /* Another one beside it has to be named; other numbers are other scores. */
    ok(store_score_sets_list(s, &l));
    size_t before = l.count;
    score_set_list_free(&l);
    for (size_t q = 0; q < SPLIT_COUNT; q++) add(s, "other", q, NPY_F4);
    refused(pipeline_score(s, &o, NULL), ERR_USAGE, "several embeddings");
    o.embedding = "other";
    o.methods = "embed-cos";
    ok(pipeline_score(s, &o, NULL));
    ok(store_score_sets_list(s, &l));
    assert_int_equal(l.count, before + 2);
    score_set_list_free(&l);
    o.embedding = "none";
    refused(pipeline_score(s, &o, NULL), ERR_MISSING, "'none'");
    store_close(s);
}

/* One that is as it was before items were added: of its rows those of the items that stay are kept. */
static void dropped_queries_leave_embeddings_of_fewer_rows_too(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("drop.db"));
    struct item more = { .label = -1, .width_px = 4, .height_px = 5, .image_bytes = 3 };
    const void *image = "new";
    static const size_t gone[] = { 1, 4, RIG_GEN };
    struct embedding e;
    float *v;
    add(s, "clip", SPLIT_GEN, NPY_F4);
    ok(store_items_add(s, SPLIT_GEN, &more, &image, 1, NULL));
    ok(store_items_drop(s, SPLIT_GEN, gone, 3));
    ok(store_embedding_get(s, "clip", SPLIT_GEN, &e));
    assert_int_equal(e.rows, RIG_GEN - 2);
    ok(store_embedding_read(s, &e, &v));
    for (size_t i = 0, at = 0; i < RIG_GEN; i++)
        for (size_t j = 0; i != 1 && i != 4 && j < COLS; j++, at++) assert_near((double)v[at], value(SPLIT_GEN, i, j), 0, 0);
    mem_free(v);
    store_close(s);
}

static void damage_is_told(void **state) {
    (void)state;
    const char *path = rig_path("damage.db");
    struct store *s = rig_project(path);
    struct score_options o = SCORE_DEFAULTS;
    for (size_t q = 0; q < SPLIT_COUNT; q++) add(s, "clip", q, NPY_F4);
    store_close(s);
    rig_sql(path, "UPDATE embedding SET bytes = zeroblob(length(bytes)) WHERE split = 'val'");
    ok(store_open(&s, path, STORE_WRITE));
    o.methods = "embed-dot";
    refused(pipeline_score(s, &o, NULL), ERR_FORMAT, "damaged");
    store_close(s);
    rig_sql(path, "UPDATE embedding SET rows = rows + 1");
    ok(store_open(&s, path, STORE_WRITE));
    refused(pipeline_score(s, &o, NULL), ERR_RANGE, "41 rows for train, there are 40 items");
    store_close(s);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("memory.db"));
    struct score_options o = SCORE_DEFAULTS;
    struct embedding e;
    const char *file = write_npy("m.npy", NPY_F4, SPLIT_TRAIN, RIG_TRAIN, COLS);
    for (size_t q = 1; q < SPLIT_COUNT; q++) add(s, "clip", q, NPY_F4);
    o.methods = "embed-cos";
    o.threads = 1;
    long before = mem_live();
    int added = 0;
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = added ? OK : pipeline_embedding_add(s, file, SPLIT_TRAIN, "clip", &e);
        added = st == OK;
        if (added) st = pipeline_score(s, &o, NULL);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), before);
        if (st == OK) break;
        if (st != ERR_NOMEM) ok(st);
    }
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_types_are_stored_as_they_are),
        cmocka_unit_test(what_does_not_fit_is_refused_and_changes_nothing),
        cmocka_unit_test(scores_are_products_and_cosines_of_the_rows),
        cmocka_unit_test(dropped_queries_leave_embeddings_of_fewer_rows_too),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
