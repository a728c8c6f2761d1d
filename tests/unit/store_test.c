/* Opening, closing, identity of the file, and the tables of things: project,
 * items, checkpoints, training state, marks and notes. */
#include "../lib/store_rig.h"
#include "dtrak/mem.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_says(const char *part) {
    if (!strstr(fail_reason(), part)) fail_msg("\"%s\" does not say \"%s\"", fail_reason(), part);
}

static void write_file(const char *path, const void *bytes, size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void expect_refused(const char *path, enum store_mode mode, const char *why) {
    struct store *s = (struct store *)1;
    assert_int_equal(store_open(&s, path, mode), ERR_DB);
    assert_null(s);
    assert_says(path);
    assert_says(why);
}

static void a_database_not_published_leaves_nothing(void **state) {
    (void)state;
    const char *path = rig_path("unborn.db");
    struct store *s;
    assert_int_equal(store_create(&s, path), OK);
    assert_false(rig_exists(path));
    store_close(s);
    assert_false(rig_exists(path));
    char temporary[200];
    snprintf(temporary, sizeof temporary, "%s.new-%ld", path, (long)getpid());
    assert_false(rig_exists(temporary));
}

static void an_existing_file_is_never_replaced(void **state) {
    (void)state;
    const char *path = rig_path("there.db");
    struct store *s;
    write_file(path, "mine", 4);
    assert_int_equal(store_create(&s, path), ERR_IO);
    assert_null(s);
    unlink(path);
    assert_int_equal(store_create(&s, path), OK);
    write_file(path, "mine", 4);            /* somebody was faster */
    assert_int_equal(store_publish(s), ERR_IO);
    store_close(s);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
}

static void a_clean_close_leaves_one_whole_file(void **state) {
    (void)state;
    const char *path = rig_path("whole.db"), *wal = rig_path("whole.db-wal"), *shm = rig_path("whole.db-shm");
    struct store *s = rig_project(path), *other;
    assert_true(rig_exists(wal));           /* a log while it is written */
    assert_int_equal(store_open(&other, path, STORE_WRITE), OK);
    size_t n;
    assert_int_equal(store_items_count(other, SPLIT_TRAIN, &n), OK);
    store_close(s);                         /* not the last one */
    assert_int_equal(store_items_count(other, SPLIT_GEN, &n), OK);
    assert_int_equal(n, RIG_GEN);
    store_close(other);
    assert_false(rig_exists(wal));
    assert_false(rig_exists(shm));
    unsigned char h[20];
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, h, sizeof h), 20);
    close(fd);
    assert_int_equal(h[18], 1);             /* 1: rollback journal, 2: WAL */
}

static void what_is_not_a_database_is_said_in_words(void **state) {
    (void)state;
    struct store *s;
    const char *path = rig_path("bad.db");
    assert_int_equal(store_open(&s, path, STORE_WRITE), ERR_IO);
    assert_says("no such file");
    write_file(path, "", 0);
    expect_refused(path, STORE_WRITE_OR_READ, "empty");
    char text[200];
    memset(text, 'x', sizeof text);
    write_file(path, text, sizeof text);
    expect_refused(path, STORE_READ, "not a database");
    write_file(path, "SQLite format 3", 16);
    expect_refused(path, STORE_READ, "truncated");
    memcpy(text, "SQLite format 3", 16);    /* the right start, then nonsense */
    write_file(path, text, sizeof text);
    expect_refused(path, STORE_WRITE, "not a database");
    assert_int_equal(store_open(&s, "/tmp", STORE_WRITE), ERR_DB);
    assert_says("not a database");
}

static void a_truncated_file_is_refused_with_its_sizes(void **state) {
    (void)state;
    const char *path = rig_path("short.db");
    store_close(rig_project(path));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 5000), 0);
    expect_refused(path, STORE_WRITE, "truncated");
    expect_refused(path, STORE_READ, "promises");
}

static void another_program_and_a_newer_schema_are_refused(void **state) {
    (void)state;
    const char *path = rig_path("newer.db");
    store_close(rig_project(path));
    rig_sql(path, "PRAGMA user_version = 77");
    expect_refused(path, STORE_WRITE, "newer schema 77, this program knows 7");
    expect_refused(path, STORE_READ, "newer schema 77");
    rig_sql(path, "PRAGMA user_version = 5; PRAGMA application_id = 5");
    expect_refused(path, STORE_WRITE, "not one of dtrak");
}

/* All of the schema as text, sorted, without spaces: what a migration must reach. */
static long long schema_size(const char *path) {
    return rig_number(path, "SELECT sum(length(t.name) + length(t.type) * 7 + t.cid * 31 + t.pk * 101 +"
                            " t.\"notnull\" * 17 + ifnull(length(t.dflt_value), 0) * 13)"
                            " FROM sqlite_schema m, pragma_table_info(m.name) t WHERE m.type = 'table'") * 1000 +
           rig_number(path, "SELECT count(*) FROM sqlite_schema");
}

static const char to_version_1[] =
    "DROP TABLE error_row; DROP TABLE error_set; DROP TABLE feature_file; ALTER TABLE job DROP COLUMN cancel_asked; DROP TABLE thumb; ALTER TABLE feature_set DROP COLUMN draws;"
    "ALTER TABLE feature_set DROP COLUMN parts; DROP TABLE basis_block; DROP TABLE basis;"
    "ALTER TABLE score_set DROP COLUMN condition; ALTER TABLE score_set DROP COLUMN rank;"
    /* made anew by a later version; nothing was ever in the old ones */
    "DROP TABLE lds; DROP TABLE counterfactual; DROP TABLE subset_output; DROP TABLE subset_state;"
    "DROP TABLE subset_weights; DROP TABLE subset; DROP TABLE protocol;"
    "CREATE TABLE lds (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE counterfactual (id INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE subset_output (id INTEGER PRIMARY KEY, xxh3 INTEGER, bytes BLOB) STRICT;"
    "CREATE TABLE subset (id INTEGER PRIMARY KEY, n INTEGER, xxh3 INTEGER, members BLOB) STRICT; PRAGMA user_version = 1";

/* However it is opened and whether or not it could be written, it reads like the present one, and no byte changes. */
static void an_older_schema_is_read_as_it_is(void **state) {
    (void)state;
    const char *path = rig_path("old.db");
    struct store *s = rig_project(path);
    struct feature_identity id = rig_identity(s, SPLIT_TRAIN);
    struct feature_set set;
    struct job_list jobs;
    struct item_list items;
    float row[6], rows[RIG_TRAIN * 6];
    for (size_t i = 0; i < RIG_TRAIN * 6; i++) rows[i] = rig_value(i, 1);
    assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), OK);
    assert_int_equal(store_feature_set_ensure(s, &id, RIG_TRAIN, RIG_TRAIN, NULL, NULL, &set), OK);
    assert_int_equal(store_feature_block_put(s, &set, 0, rows), OK);
    store_close(s);
    rig_sql(path, to_version_1);
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    static const struct { mode_t rights; enum store_mode mode; } ways[] = {
        { 0644, STORE_READ }, { 0644, STORE_WRITE_OR_READ }, { 0644, STORE_WRITE }, { 0444, STORE_READ }, { 0444, STORE_WRITE_OR_READ },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t problems;
        assert_int_equal(chmod(path, ways[i].rights), 0);
        assert_int_equal(store_open(&s, path, ways[i].mode), OK);
        assert_int_equal(store_items_read(s, SPLIT_TRAIN, 0, 5, &items), OK);
        assert_int_equal(items.count, 5);
        item_list_free(&items);
        assert_int_equal(store_feature_set_find(s, &id, &set), OK);
        assert_int_equal(set.identity.parts, 1);
        assert_int_equal(set.rows_done, RIG_TRAIN);
        assert_int_equal(store_features_read(s, &set, 3, 1, row), OK);
        assert_true(fabsf(row[2] - rows[3 * 6 + 2]) < 1e-3f);
        assert_int_equal(store_jobs_list(s, &jobs), OK);
        assert_int_equal(jobs.count, 1);
        job_list_free(&jobs);
        if (ways[i].mode == STORE_READ) {
            assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), ERR_DB);
            assert_says("read-only");
        }
        store_close(s);
        assert_int_equal(rig_number(path, "PRAGMA user_version"), 1);
        assert_int_equal(store_check(path, NULL, NULL, NULL, &problems), OK);
        assert_int_equal(problems, 0);
    }
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
}

/* A reader that was there before sees what needs the present schema. */
static void others_see_what_is_written_after_a_migration(void **state) {
    (void)state;
    const char *path = rig_path("old.db");
    struct store *s = rig_project(path), *reader, *writer;
    struct feature_identity id = rig_identity(s, SPLIT_TRAIN);
    struct feature_set set;
    store_close(s);
    rig_sql(path, to_version_1);
    assert_int_equal(store_open(&reader, path, STORE_READ), OK);
    assert_int_equal(store_open(&writer, path, STORE_WRITE), OK);
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    id.parts = 2;
    assert_int_equal(store_feature_set_find(reader, &id, &set), ERR_MISSING);
    assert_int_equal(store_feature_set_ensure(s, &id, RIG_TRAIN, RIG_TRAIN, NULL, NULL, &set), OK);
    assert_int_equal(store_feature_set_find(reader, &id, &set), OK);
    assert_int_equal(set.identity.parts, 2);
    assert_int_equal(store_job_enqueue(writer, "score", "{}", NULL), OK);     /* finds it migrated */
    assert_int_equal(store_feature_set_find(writer, &id, &set), OK);
    store_close(reader);
    store_close(writer);
    store_close(s);
}

static void one_that_cannot_be_migrated_can_still_be_read(void **state) {
    (void)state;
    const char *path = rig_path("old.db");
    struct store *s = rig_project(path);
    struct job_list jobs;
    assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), OK);
    store_close(s);
    rig_sql(path, to_version_1);
    rig_sql(path, "DROP TABLE counterfactual");      /* which a step wants to be there */
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), ERR_DB);
        assert_says("counterfactual");
        assert_int_equal(store_jobs_list(s, &jobs), OK);
        assert_int_equal(jobs.count, 1);
        assert_int_equal(jobs.job[0].cancel_asked, 0);   /* which version 1 lacks */
        job_list_free(&jobs);
    }
    store_close(s);
    assert_int_equal(rig_number(path, "PRAGMA user_version"), 1);
}

static void an_older_schema_is_migrated_and_keeps_its_rows(void **state) {
    (void)state;
    const char *path = rig_path("old.db"), *fresh = rig_path("fresh.db");
    struct store *s = rig_project(path);
    assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), OK);
    store_close(s);
    store_close(rig_project(fresh));
    assert_int_equal(schema_size(path), schema_size(fresh));
    rig_sql(path, to_version_1);
    assert_true(schema_size(path) != schema_size(fresh));
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    struct job j;
    assert_int_equal(store_job_get(s, 1, &j), OK);
    assert_string_equal(j.kind, "score");
    assert_int_equal(store_job_claim(s, 1, "me", &j), OK);
    assert_int_equal(store_job_cancel(s, 1), OK);
    store_close(s);
    assert_int_equal(rig_number(path, "PRAGMA user_version"), 7);
    assert_int_equal(schema_size(path), schema_size(fresh));
}

static void a_locked_file_says_so_after_five_seconds(void **state) {
    (void)state;
    const char *path = rig_path("locked.db");
    int ready[2], leave[2];
    store_close(rig_project(path));
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t child = fork();
    if (child == 0) {
        char c = 0;
        struct store *s;
        close(leave[1]);
        int ok = store_open(&s, path, STORE_WRITE) == OK && store_begin(s) == OK;
        if (write(ready[1], &c, 1) != 1 || read(leave[0], &c, 1) < 0) ok = 0;
        _exit(ok ? 0 : 1);
    }
    char c;
    struct store *s;
    close(leave[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    size_t n;
    assert_int_equal(store_items_count(s, SPLIT_TRAIN, &n), OK);   /* readers are not held up */
    double t0 = clock_s();
    assert_int_equal(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 0 }, 1), ERR_DB);
    assert_true(clock_s() - t0 > 4);
    assert_says("locked by another process");
    close(leave[1]);
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 0 }, 1), OK);
    store_close(s);
    close(ready[0]); close(ready[1]);
}

/* Another process holds the file for longer than a short wait, then lets go. */
static void long_work_waits_for_a_slow_writer(void **state) {
    (void)state;
    const char *path = rig_path("slow.db");
    int ready[2];
    store_close(rig_project(path));
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char c = 0;
        struct store *s;
        int ok = store_open(&s, path, STORE_WRITE) == OK && store_begin(s) == OK;
        if (write(ready[1], &c, 1) != 1) ok = 0;
        sleep(7);
        store_close(s);
        _exit(ok ? 0 : 1);
    }
    char c;
    struct store *s;
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    store_wait_longer(s);
    assert_int_equal(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 0 }, 1), OK);
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    close(ready[0]);
    close(ready[1]);
    store_close(s);
}

static void a_file_that_cannot_be_written_browses(void **state) {
    (void)state;
    const char *path = rig_path("ro.db");
    struct store *s;
    store_close(rig_project(path));
    assert_int_equal(store_open(&s, path, STORE_READ), OK);
    assert_true(store_is_read_only(s));
    assert_int_equal(store_mark_set(s, (struct item_ref){ SPLIT_GEN, 0 }, 1), ERR_DB);
    assert_says("read-only");
    assert_int_equal(store_begin(s), ERR_DB);
    store_close(s);
    /* Permission bits do not bind root, so another user looks. */
    char folder[200];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(chmod(path, 0444), 0);
    int code;
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0) _exit(1);
        if (store_open(&s, path, STORE_WRITE) != ERR_DB || !strstr(fail_reason(), "read-only")) _exit(2);
        if (store_open(&s, path, STORE_WRITE_OR_READ) != OK || !store_is_read_only(s)) _exit(3);
        size_t n = 0;
        if (store_items_count(s, SPLIT_TRAIN, &n) != OK || n != RIG_TRAIN) _exit(4);
        store_close(s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(code, 0);
}

/* The database's header says WAL, there is no log, and nothing can be made
 * beside it: a file copied off a live system onto a read-only mount. */
static void read_only_media_opens_without_a_log(void **state) {
    (void)state;
    const char *path = rig_path("media.db"), *dir = rig_path("mount");
    store_close(rig_project(path));
    rig_sql(path, "PRAGMA journal_mode = WAL");
    unlink(rig_path("media.db-wal"));
    unlink(rig_path("media.db-shm"));
    char inside[200];
    snprintf(inside, sizeof inside, "%s/media.db", dir);
    assert_int_equal(mkdir(dir, 0755), 0);
    if (mount("none", dir, "tmpfs", 0, "size=8m") != 0) {
        rmdir(dir);
        print_message("SKIP: mounting needs privileges this user lacks\n");
        skip();
    }
    char copy[500];
    snprintf(copy, sizeof copy, "%s", inside);
    assert_int_equal(store_backup(path, copy, NULL), OK);
    rig_sql(copy, "PRAGMA journal_mode = WAL");
    assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    struct store *s = NULL;
    enum status st = store_open(&s, copy, STORE_WRITE_OR_READ);
    size_t n = 0;
    int read_only = s && store_is_read_only(s);
    if (st == OK) st = store_items_count(s, SPLIT_TRAIN, &n);
    store_close(s);
    umount(dir);
    rmdir(dir);
    if (st != OK) fail_msg("%s", fail_reason());
    assert_true(read_only);
    assert_int_equal(n, RIG_TRAIN);
}

static void a_transaction_is_all_or_nothing(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("tx.db")), *other;
    struct item_ref a = { SPLIT_GEN, 1 }, missing = { SPLIT_GEN, 999 };
    int marked;
    int64_t before, after;
    assert_int_equal(store_open(&other, store_path(s), STORE_WRITE), OK);
    assert_int_equal(store_data_version(other, &before), OK);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_begin(s), ERR_RANGE);
    assert_int_equal(store_mark_set(s, a, 1), OK);
    assert_int_equal(store_mark_set(s, missing, 1), ERR_MISSING);
    assert_int_equal(store_note_set(s, a, "kept with the mark"), OK);
    assert_int_equal(store_mark_get(other, a, &marked), OK);
    assert_false(marked);                          /* not seen before the commit */
    assert_int_equal(store_commit(s), OK);
    assert_int_equal(store_mark_get(other, a, &marked), OK);
    assert_true(marked);
    assert_int_equal(store_data_version(other, &after), OK);
    assert_true(before != after);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_mark_set(s, a, 0), OK);
    store_rollback(s);
    assert_int_equal(store_mark_get(s, a, &marked), OK);
    assert_true(marked);
    struct index_list l;
    assert_int_equal(store_marks_list(s, SPLIT_GEN, &l), OK);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.index[0], 1);
    index_list_free(&l);
    char *note;
    assert_int_equal(store_note_get(other, a, &note), OK);
    assert_string_equal(note, "kept with the mark");
    mem_free(note);
    assert_int_equal(store_note_set(s, a, ""), OK);
    assert_int_equal(store_note_get(other, a, &note), OK);
    assert_null(note);
    store_close(other);
    store_close(s);
}

static void items_come_back_as_they_went_in(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("items.db"));
    struct item_list l;
    struct project p;
    size_t n;
    assert_int_equal(store_project_get(s, &p), OK);
    assert_string_equal(p.name, "shoes");
    assert_int_equal(p.patch, 2);
    assert_true(p.program[0] && p.created[0]);
    assert_int_equal(store_items_count(s, SPLIT_VAL, &n), OK);
    assert_int_equal(n, RIG_VAL);
    assert_int_equal(store_items_read(s, SPLIT_TRAIN, 38, 10, &l), OK);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.item[1].index, 39);
    assert_int_equal(l.item[1].label, 9);
    assert_string_equal(l.item[1].label_name, "ankle boot");
    assert_string_equal(l.item[1].original, "39.png");
    assert_string_equal(l.item[1].caption, "");
    item_list_free(&l);
    int label[RIG_TRAIN + 3];
    assert_int_equal(store_labels_read(s, SPLIT_TRAIN, label, RIG_TRAIN + 3), OK);
    assert_int_equal(store_items_read(s, SPLIT_TRAIN, 0, SIZE_MAX, &l), OK);
    for (size_t i = 0; i < RIG_TRAIN; i++) assert_int_equal(label[i], l.item[i].label);
    for (size_t i = 0; i < 3; i++) assert_int_equal(label[RIG_TRAIN + i], -1);
    item_list_free(&l);
    assert_int_equal(store_labels_read(s, SPLIT_GEN, label, 4), OK);
    assert_int_equal(label[3], -1);
    assert_int_equal(store_items_read(s, SPLIT_GEN, 0, SIZE_MAX, &l), OK);
    assert_int_equal(l.count, RIG_GEN);
    assert_int_equal(l.item[3].label, -1);
    assert_int_equal(l.item[3].seed, 1003);
    assert_string_equal(l.item[3].sampler, "ddim");
    int64_t checkpoint = l.item[3].checkpoint;
    item_list_free(&l);
    assert_int_equal(store_item_find_generated(s, checkpoint, 1005, "ddim", 50, 0, &n), OK);
    assert_int_equal(n, 5);
    assert_int_equal(store_item_find_generated(s, checkpoint, 1005, "ddim", 49, 0, &n), ERR_MISSING);
    void *bytes;
    assert_int_equal(store_image_read(s, (struct item_ref){ SPLIT_TRAIN, 7 }, &bytes, &n), OK);
    assert_int_equal(n, strlen("picture 7 of train"));
    assert_memory_equal(bytes, "picture 7 of train", n);
    mem_free(bytes);
    struct label_list labels;
    assert_int_equal(store_labels_list(s, &labels), OK);
    assert_int_equal(labels.count, 2);
    assert_int_equal(labels.label[0].label, 5);
    assert_string_equal(labels.label[1].name, "ankle boot");
    assert_int_equal(labels.label[1].count[SPLIT_TRAIN], RIG_TRAIN / 2);
    label_list_free(&labels);
    char name[64];
    assert_int_equal(store_label_name(s, 5, name), OK);
    assert_string_equal(name, "sandal");
    store_close(s);
}

static void items_are_named_by_split_and_number(void **state) {
    (void)state;
    struct item_ref r;
    char text[32];
    assert_int_equal(item_ref_parse(&r, "gen:17"), OK);
    assert_int_equal(r.split, SPLIT_GEN);
    assert_int_equal(r.index, 17);
    item_ref_format(text, r);
    assert_string_equal(text, "gen:17");
    static const char *const bad[] = { "", "gen", "gen:", "gen:x", "gen:-1", "gen:1x", "gan:1", ":1",
                                       "gen:99999999999999999999", "trainingset:1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(item_ref_parse(&r, bad[i]), ERR_USAGE);
}

static void expect_steps(struct store *s, const char *names, size_t count, const size_t *steps) {
    struct checkpoint_list l;
    if (store_checkpoints_resolve(s, names, &l) != OK) fail_msg("%s", fail_reason());
    assert_int_equal(l.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(l.checkpoint[i].step, steps[i]);
    checkpoint_list_free(&l);
}

static void checkpoints_have_names(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("names.db"));
    struct checkpoint_list l;
    expect_steps(s, "all", 3, (size_t[]){ 100, 500, 1000 });
    expect_steps(s, "last", 1, (size_t[]){ 1000 });
    expect_steps(s, NULL, 1, (size_t[]){ 1000 });
    expect_steps(s, "last,10%,100", 2, (size_t[]){ 100, 1000 });
    expect_steps(s, "500", 1, (size_t[]){ 500 });
    static const char *const bad[] = { "25%", "501", "10%,", "first", "1e", "-1", "100%%" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(store_checkpoints_resolve(s, bad[i], &l), ERR_MISSING);
        assert_says("100 (10%), 500 (50%), 1000 (100%)");
    }
    struct checkpoint again = { .step = 500, .train_loss = (double)NAN, .config = "{\"layers\":1}" };
    int64_t id;
    assert_int_equal(store_checkpoint_add(s, &again, "w", 1, &id), ERR_RANGE);
    again.ema = 1;
    assert_int_equal(store_checkpoint_add(s, &again, "w", 1, &id), OK);
    assert_int_equal(store_checkpoints_list(s, &l), OK);
    assert_int_equal(l.count, 4);
    checkpoint_list_free(&l);
    assert_int_equal(store_checkpoints_resolve(s, "500", &l), OK);   /* the moving average is meant */
    assert_int_equal(l.count, 1);
    assert_true(l.checkpoint[0].ema);
    assert_true(isnan(l.checkpoint[0].train_loss));
    checkpoint_list_free(&l);
    void *bytes;
    size_t len;
    assert_int_equal(store_checkpoint_weights(s, id, &bytes, &len), OK);
    assert_int_equal(len, 1);
    mem_free(bytes);
    assert_int_equal(store_checkpoint_delete(s, id), OK);
    assert_int_equal(store_checkpoint_weights(s, id, &bytes, &len), ERR_MISSING);
    assert_int_equal(store_checkpoint_delete(s, id), ERR_MISSING);
    store_close(s);
}

/* Which checkpoint "last" and percentages mean decides what every measurement is of: never a second network's. */
static void networks_have_names(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("networks.db"));
    static const struct { size_t step; double percent; const char *config; } more[] = {
        { 4000, 50, "{\"width\": [8], \"_dtrak\": {\"name\": \"large\"}}" },
        { 9000, 100, "{\"width\": [8], \"_dtrak\": {\"name\": \"large\"}}" },
        { 300, 100, "{\"width\": [8], \"_dtrak\": {\"name\": \"50%\"}}" },
        { 200, 100, "{\"width\": [9]}" },
        { 201, 100, "no JSON" },
    };
    struct checkpoint_list l;
    char words[96];
    for (size_t i = 0; i < 5; i++) {
        struct checkpoint c = { .step = more[i].step, .percent = more[i].percent, .train_loss = (double)NAN, .config = more[i].config };
        if (store_checkpoint_add(s, &c, "w", 1, NULL) != OK) fail_msg("%s", fail_reason());
    }
    expect_steps(s, "last", 1, (size_t[]){ 1000 });
    expect_steps(s, "100%", 1, (size_t[]){ 1000 });
    expect_steps(s, "50%", 1, (size_t[]){ 500 });
    expect_steps(s, "50%:last", 1, (size_t[]){ 300 });
    expect_steps(s, "large", 1, (size_t[]){ 9000 });
    expect_steps(s, "large:50%", 1, (size_t[]){ 4000 });
    expect_steps(s, "large:4000", 1, (size_t[]){ 4000 });
    expect_steps(s, "large:all", 2, (size_t[]){ 4000, 9000 });
    expect_steps(s, "large,last", 2, (size_t[]){ 1000, 9000 });
    expect_steps(s, "200", 1, (size_t[]){ 200 });
    expect_steps(s, "all", 8, (size_t[]){ 100, 500, 1000, 4000, 9000, 300, 200, 201 });
    static const char *const bad[] = { "larg", "large:", "large:10%", "large:1000", "huge:all", ":last", "large:large" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(store_checkpoints_resolve(s, bad[i], &l), ERR_MISSING);
        assert_says("1000 (100%), large:4000 (50%), large:9000 (100%)");
    }
    if (store_checkpoints_list(s, &l) != OK) fail_msg("%s", fail_reason());
    assert_int_equal(checkpoint_list_last(&l)->step, 1000);
    assert_int_equal(checkpoint_list_last_beside(&l, l.checkpoint[3].id)->step, 9000);
    assert_int_equal(checkpoint_list_last_beside(&l, l.checkpoint[0].id)->step, 1000);
    assert_int_equal(checkpoint_list_last_beside(&l, 0)->step, 1000);
    checkpoint_words(words, &l.checkpoint[0]);
    assert_string_equal(words, "step 100");
    checkpoint_words(words, &l.checkpoint[4]);
    assert_string_equal(words, "large at step 9000");
    checkpoint_words(words, &l.checkpoint[6]);
    assert_string_equal(words, "network 4 at step 200");
    checkpoint_list_free(&l);
    store_close(s);
}

static void the_training_state_is_replaced_as_a_whole(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("state.db"));
    struct train_state t;
    assert_int_equal(store_train_state_get(s, &t), ERR_MISSING);
    assert_int_equal(store_train_state_put(s, "{\"lr\":1}", 10, "first", 5), OK);
    assert_int_equal(store_train_state_put(s, "{\"lr\":2}", 20, "second!", 7), OK);
    assert_int_equal(store_train_state_get(s, &t), OK);
    assert_string_equal(t.config, "{\"lr\":2}");
    assert_int_equal(t.step, 20);
    assert_int_equal(t.len, 7);
    assert_memory_equal(t.bytes, "second!", 7);
    train_state_free(&t);
    assert_int_equal(store_train_state_delete(s), OK);
    assert_int_equal(store_train_state_get(s, &t), ERR_MISSING);
    store_close(s);
}

static void a_backup_of_a_live_database_is_whole(void **state) {
    (void)state;
    const char *path = rig_path("live.db"), *copy = rig_path("copy.db");
    struct store *s = rig_project(path), *c;
    size_t n, problems;
    assert_int_equal(store_backup(path, copy, NULL), OK);
    assert_false(rig_exists(rig_path("copy.db-wal")));
    assert_int_equal(store_check(copy, NULL, NULL, NULL, &problems), OK);
    assert_int_equal(problems, 0);
    assert_int_equal(store_open(&c, copy, STORE_READ), OK);
    assert_int_equal(store_items_count(c, SPLIT_GEN, &n), OK);
    assert_int_equal(n, RIG_GEN);
    store_close(c);
    assert_int_equal(store_backup(path, copy, NULL), ERR_IO);
    atomic_int stop = 1;
    struct progress p = { NULL, NULL, &stop };
    const char *half = rig_path("half.db");
    assert_int_equal(store_backup(path, half, &p), ERR_CANCELLED);
    assert_false(rig_exists(half));
    store_close(s);
}

/* Every step of one session, as far as the allocations let it go. */
static enum status session(const char *path) {
    struct store *s;
    struct item_list items = { NULL, 0, NULL };
    struct checkpoint_list c = { NULL, 0, NULL };
    struct label_list labels = { NULL, 0 };
    struct train_state t = { NULL, 0, NULL, 0 };
    void *bytes = NULL;
    size_t len;
    enum status st = store_open(&s, path, STORE_WRITE);
    if (st != OK) return st;
    TRY_TO(store_items_read(s, SPLIT_TRAIN, 0, 20, &items));
    TRY_TO(store_labels_list(s, &labels));
    TRY_TO(store_checkpoints_resolve(s, "all", &c));
    TRY_TO(store_checkpoint_weights(s, c.checkpoint[0].id, &bytes, &len));
    TRY_TO(store_train_state_put(s, "{}", 1, "x", 1));
    TRY_TO(store_train_state_get(s, &t));
done:
    item_list_free(&items);
    checkpoint_list_free(&c);
    label_list_free(&labels);
    train_state_free(&t);
    mem_free(bytes);
    store_close(s);
    return st;
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    const char *path = rig_path("sweep.db");
    store_close(rig_project(path));
    long live = mem_live(), n = 0;
    for (;; n++) {
        mem_fail_after(n);
        enum status st = session(path);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), live);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
        assert_true(n < 200);
    }
    assert_true(n > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_database_not_published_leaves_nothing, rig_end),
        cmocka_unit_test_teardown(an_existing_file_is_never_replaced, rig_end),
        cmocka_unit_test_teardown(a_clean_close_leaves_one_whole_file, rig_end),
        cmocka_unit_test_teardown(what_is_not_a_database_is_said_in_words, rig_end),
        cmocka_unit_test_teardown(a_truncated_file_is_refused_with_its_sizes, rig_end),
        cmocka_unit_test_teardown(another_program_and_a_newer_schema_are_refused, rig_end),
        cmocka_unit_test_teardown(an_older_schema_is_migrated_and_keeps_its_rows, rig_end),
        cmocka_unit_test_teardown(an_older_schema_is_read_as_it_is, rig_end),
        cmocka_unit_test_teardown(others_see_what_is_written_after_a_migration, rig_end),
        cmocka_unit_test_teardown(one_that_cannot_be_migrated_can_still_be_read, rig_end),
        cmocka_unit_test_teardown(a_locked_file_says_so_after_five_seconds, rig_end),
        cmocka_unit_test_teardown(long_work_waits_for_a_slow_writer, rig_end),
        cmocka_unit_test_teardown(a_file_that_cannot_be_written_browses, rig_end),
        cmocka_unit_test_teardown(read_only_media_opens_without_a_log, rig_end),
        cmocka_unit_test_teardown(a_transaction_is_all_or_nothing, rig_end),
        cmocka_unit_test_teardown(items_come_back_as_they_went_in, rig_end),
        cmocka_unit_test_teardown(items_are_named_by_split_and_number, rig_end),
        cmocka_unit_test_teardown(checkpoints_have_names, rig_end),
        cmocka_unit_test_teardown(networks_have_names, rig_end),
        cmocka_unit_test_teardown(the_training_state_is_replaced_as_a_whole, rig_end),
        cmocka_unit_test_teardown(a_backup_of_a_live_database_is_whole, rig_end),
        cmocka_unit_test_teardown(every_allocation_may_fail_and_nothing_leaks, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
