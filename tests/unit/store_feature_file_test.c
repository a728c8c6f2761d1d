/* store_feature_file_test.c - feature rows that stay in files: what is read is what stands
 * there, in any type, order and number of files; files that changed while open; what a
 * database may say of files; every allocation. */
#include "../lib/store_rig.h"
#include "../../src/store/db.h"
#include "dtrak/mem.h"

#include "../lib/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { K = 6, WIDE = 9, HEAD = 10 };   /* numbers used, numbers in a row of the file, bytes before the first */

/* Whole numbers below 128: exact in every type. */
static float number(size_t row, size_t j) { return (float)((row * 31 + j * 7) % 127 + 1) * (j % 2 ? -1 : 1); }

static void put_number(FILE *f, float x, enum feature_number type) {
    uint32_t u;
    double d = (double)x;
    memcpy(&u, &x, 4);
    uint16_t half = (uint16_t)((u >> 16 & 0x8000u) | ((((u >> 23) & 255) - 112) << 10) | (u >> 13 & 1023)), brain = (uint16_t)(u >> 16);
    switch (type) {
    case FEATURE_F16: fwrite(&half, 2, 1, f); return;
    case FEATURE_BF16: fwrite(&brain, 2, 1, f); return;
    case FEATURE_F32: fwrite(&x, 4, 1, f); return;
    case FEATURE_F64: fwrite(&d, 8, 1, f); return;
    }
}

/* Rows first .. first + rows of the numbers above. */
static void write_file(const char *path, size_t first, size_t rows, enum feature_number type) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int i = 0; i < HEAD; i++) fputc('h', f);
    for (size_t r = first; r < first + rows; r++)
        for (size_t j = 0; j < WIDE; j++) put_number(f, number(r, j), type);
    fclose(f);
}

static struct feature_set make_set(struct store *s) {
    struct feature_identity f = rig_identity(s, SPLIT_TRAIN);
    struct feature_set set;
    f.float32 = 1;
    assert_int_equal(store_feature_set_ensure(s, &f, RIG_TRAIN, 16, NULL, NULL, &set), OK);
    return set;
}

static const size_t sizes[] = { 2, 2, 4, 8 };

/* A set in three files; order may be NULL. */
static enum status put(struct store *s, struct feature_set *set, enum feature_number type, const size_t *order) {
    static const size_t rows[] = { 13, 1, RIG_TRAIN - 14 };
    struct feature_file file[3];
    size_t first = 0;
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%zu.bin", i);
        const char *path = rig_path(name);
        write_file(path, first, rows[i], type);
        file[i] = (struct feature_file){ path, rows[i], type, HEAD, WIDE * sizes[type] };
        first += rows[i];
    }
    enum status st = store_feature_files_put(s, set, file, 3, order, 0);
    if (st == OK) st = store_feature_set_get(s, set->id, set);
    return st;
}

static void rows_of_every_type_come_from_where_they_stand(void **state) {
    (void)state;
    for (int type = FEATURE_F16; type <= FEATURE_F64; type++) {
        remove(rig_path("files.db"));
        struct store *s = rig_project(rig_path("files.db"));
        struct feature_set set = make_set(s);
        struct index_list missing;
        float got[RIG_TRAIN * K];
        assert_int_equal(put(s, &set, (enum feature_number)type, NULL), OK);
        assert_true(set.files == 3 && set.rows_done == RIG_TRAIN);
        assert_int_equal(store_feature_blocks_missing(s, &set, &missing), OK);
        assert_int_equal(missing.count, 0);
        index_list_free(&missing);
        for (size_t first = 0; first < RIG_TRAIN; first += 7) {
            size_t count = RIG_TRAIN - first < 20 ? RIG_TRAIN - first : 20;
            assert_int_equal(store_features_read(s, &set, first, count, got), OK);
            for (size_t r = 0; r < count; r++)
                for (size_t j = 0; j < K; j++) assert_float_equal(got[r * K + j], number(first + r, j), 0);
        }
        assert_int_equal(store_features_read(s, &set, RIG_TRAIN, 1, got), ERR_RANGE);
        assert_int_equal(store_feature_block_put(s, &set, 0, got), ERR_RANGE);
        assert_says("stay in files");
        store_close(s);
    }
}

static void an_order_says_which_item_each_row_is(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("files.db"));
    struct feature_set set = make_set(s);
    size_t order[RIG_TRAIN];
    float got[RIG_TRAIN * K];
    for (size_t r = 0; r < RIG_TRAIN; r++) order[r] = (r * 17 + 5) % RIG_TRAIN;
    assert_int_equal(put(s, &set, FEATURE_F32, order), OK);
    assert_int_equal(store_features_read(s, &set, 0, RIG_TRAIN, got), OK);
    for (size_t r = 0; r < RIG_TRAIN; r++)
        for (size_t j = 0; j < K; j++) assert_float_equal(got[order[r] * K + j], number(r, j), 0);
    store_close(s);
}

static void a_file_that_changes_while_it_is_open_is_noticed(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("files.db"));
    struct feature_set set = make_set(s);
    float got[K];
    assert_int_equal(put(s, &set, FEATURE_F32, NULL), OK);
    assert_int_equal(store_features_read(s, &set, 3, 1, got), OK);
    const char *path = rig_path("f0.bin");
    struct timespec later[2] = { { .tv_sec = 2000000000 }, { .tv_sec = 2000000000 } };
    /* Only another date: it is the same. */
    assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
    assert_int_equal(store_features_read(s, &set, 3, 1, got), OK);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, "xxxx", 4, HEAD + 4) == 4);
    close(fd);
    assert_int_equal(store_features_read(s, &set, 3, 1, got), ERR_FORMAT);
    assert_says("changed while its features are read");
    assert_int_equal(truncate(path, HEAD + 4), 0);
    assert_int_equal(store_features_read(s, &set, 3, 1, got), ERR_FORMAT);
    assert_int_equal(store_features_read(s, &set, 30, 1, got), OK);   /* of another file */
    store_close(s);
}

static void deleting_a_set_forgets_its_files(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("files.db"));
    struct feature_set set = make_set(s);
    float got[K];
    assert_int_equal(put(s, &set, FEATURE_F32, NULL), OK);
    assert_int_equal(store_features_read(s, &set, 0, 1, got), OK);
    assert_int_equal(store_feature_blocks_drop(s, set.id), OK);
    assert_int_equal(rig_number(rig_path("files.db"), "SELECT count(*) FROM feature_file"), 0);
    assert_int_equal(store_feature_set_get(s, set.id, &set), OK);
    assert_true(set.dropped && set.files == 0 && set.rows_done == 0);
    assert_int_equal(store_features_read(s, &set, 0, 1, got), ERR_MISSING);
    assert_true(rig_exists(rig_path("f0.bin")));   /* it is not ours */
    store_close(s);
}

/* None of these may be read, whatever it says. */
static void what_a_database_says_of_files_is_checked(void **state) {
    (void)state;
    static const char *const lies[] = {
        "rows = 400000", "rows = 0", "rows = -3", "first = 2", "stride = 4", "stride = 0", "stride = 9223372036854775807", "start = 99999999",
        "start = -1", "number = 'int8'", "number = ''", "size = 5", "path = '../../../etc/passwd'", "path = '/etc/passwd'", "path = ''", "path = '.'",
        "path = 'nothing'", "sample = 1", "items = x'00000000'", "xxh3 = 5", "path = 'files.db'", "items = zeroblob(52), xxh3 = 0",
    };
    struct store *s = rig_project(rig_path("files.db"));
    struct feature_set set = make_set(s);
    assert_int_equal(put(s, &set, FEATURE_F32, NULL), OK);
    store_close(s);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char sql[160];
        float got[RIG_TRAIN * K];
        size_t problems;
        assert_int_equal(store_backup(rig_path("files.db"), rig_path("lie.db"), NULL), OK);
        snprintf(sql, sizeof sql, "UPDATE feature_file SET %s WHERE id = 1", lies[i]);
        rig_sql(rig_path("lie.db"), sql);
        assert_int_equal(store_open(&s, rig_path("lie.db"), STORE_READ), OK);
        enum status st = store_feature_set_get(s, set.id, &set);
        if (st == OK) st = store_features_read(s, &set, 0, RIG_TRAIN, got);
        if (st == OK) print_error("%s was believed\n", lies[i]);
        assert_int_not_equal(st, OK);
        store_close(s);
        assert_int_equal(store_check(rig_path("lie.db"), NULL, NULL, NULL, &problems), OK);
        assert_true(problems > 0);
        remove(rig_path("lie.db"));
    }
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("files.db"));
    struct feature_set set = make_set(s);
    float got[RIG_TRAIN * K];
    for (long n = 0;; n++) {
        mem_fail_after(n);
        enum status st = put(s, &set, FEATURE_F16, NULL);
        mem_fail_after(-1);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
        assert_int_equal(rig_number(rig_path("files.db"), "SELECT count(*) FROM feature_file"), 0);
    }
    for (long n = 0;; n++) {
        feature_files_forget(s);
        mem_fail_after(n);
        enum status st = store_features_read(s, &set, 0, RIG_TRAIN, got);
        mem_fail_after(-1);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
    }
    store_close(s);
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rows_of_every_type_come_from_where_they_stand, rig_end),
        cmocka_unit_test_teardown(an_order_says_which_item_each_row_is, rig_end),
        cmocka_unit_test_teardown(a_file_that_changes_while_it_is_open_is_noticed, rig_end),
        cmocka_unit_test_teardown(deleting_a_set_forgets_its_files, rig_end),
        cmocka_unit_test_teardown(what_a_database_says_of_files_is_checked, rig_end),
        cmocka_unit_test_teardown(every_allocation_may_fail_and_nothing_leaks, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
