/* What must survive: kill -9, damage, two processes that want the same job. */
#include "../lib/store_rig.h"
#include "../../src/store/db.h"
#include "dtrak/databases.h"
#include "dtrak/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { BLOCK = 4, BLOCKS = RIG_TRAIN / BLOCK };

static struct feature_set ensure_set(struct store *s) {
    struct feature_identity f = rig_identity(s, SPLIT_TRAIN);
    struct feature_set set;
    if (store_feature_set_ensure(s, &f, RIG_TRAIN, BLOCK, NULL, NULL, &set) != OK)
        fail_msg("%s", fail_reason());
    return set;
}

static void block_rows(float rows[BLOCK * 6], size_t block, size_t round) {
    for (size_t i = 0; i < BLOCK * 6; i++) rows[i] = rig_value(block * 100 + i, round);
}

static struct score_set ensure_scores(struct store *s) {
    struct score_set w;
    struct checkpoint_list l;
    memset(&w, 0, sizeof w);
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    w.checkpoint[w.checkpoints++] = l.checkpoint[0].id;
    checkpoint_list_free(&l);
    strcpy(w.method, "trak");
    strcpy(w.loss, "square");
    w.split = SPLIT_GEN;
    w.mantissa_bits = 16;
    w.n = RIG_TRAIN;
    w.rows = RIG_GEN;
    if (store_score_set_ensure(s, &w, NULL, &w) != OK) fail_msg("%s", fail_reason());
    return w;
}

/* --- the lock of a process that is at work --- */

/* Seen from another process: the bytes that whoever has an SQLite file open in WAL mode holds a lock on. */
static int is_locked(const char *path) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510 };
        int fd = open(path, O_RDWR);
        _exit(fd < 0 || fcntl(fd, F_GETLK, &l) != 0 ? 2 : l.l_type != F_UNLCK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status);
}

static void look_again(const char *path, enum store_mode mode) {
    struct store *s;
    assert_int_equal(store_open(&s, path, mode), OK);
    store_close(s);
}

/* Any descriptor of a file that a process closes takes the process's locks on it along.  Then the next process that
 * closes the file ends the log under the writer's hands. */
static void who_looks_at_an_open_file_does_not_unlock_it(void **state) {
    (void)state;
    const char *path = rig_path("db"), *folder = rig_folder();
    struct store *s = rig_project(path);
    struct feature_set set = ensure_set(s);
    struct database_list l;
    float rows[BLOCK * 6];
    char line[600], name[300];
    block_rows(rows, 0, 0);
    assert_int_equal(store_feature_block_put(s, &set, 0, rows), OK);
    assert_true(is_locked(path));
    look_again(path, STORE_READ);
    assert_true(is_locked(path));
    look_again(path, STORE_WRITE);
    assert_true(is_locked(path));
    assert_true(store_is_database(path));
    assert_true(is_locked(path));
    assert_int_equal(database_list_find(&l, &folder, 1), OK);
    assert_int_equal(l.count, 1);
    database_list_free(&l);
    assert_true(is_locked(path));
    assert_int_equal(store_backup(path, rig_path("copy"), NULL), OK);
    assert_true(is_locked(path));
    /* Somebody else writes and leaves. */
    snprintf(line, sizeof line, "'%s' score '%s' --method random 2> '%s'", getenv("DTRAK"), path, rig_path("err"));
    assert_int_equal(system(line), 0);
    snprintf(name, sizeof name, "%s-wal", path);
    assert_true(rig_exists(name));
    for (size_t b = 1; b < BLOCKS; b++) {
        block_rows(rows, b, 0);
        assert_int_equal(store_feature_block_put(s, &set, b, rows), OK);
    }
    store_close(s);
    assert_int_equal(rig_number(path, "SELECT count(*) FROM feature_block"), BLOCKS);
    assert_true(rig_number(path, "SELECT count(*) FROM score") > 0);
}

/* --- kill -9 --- */

static void write_for_ever(const char *path, int tell) {
    struct store *s;
    float rows[BLOCK * 6];
    if (store_open(&s, path, STORE_WRITE) != OK) _exit(1);
    struct feature_set set = ensure_set(s);
    for (size_t n = 0;; n++) {
        block_rows(rows, n % BLOCKS, 0);
        if (n >= BLOCKS && store_feature_block_delete(s, &set, n % BLOCKS) != OK) _exit(2);
        if (store_feature_block_put(s, &set, n % BLOCKS, rows) != OK) _exit(3);
        unsigned char done = (unsigned char)(n < 255 ? n + 1 : 255);
        if (write(tell, &done, 1) != 1) _exit(4);
    }
}

static void a_killed_writer_loses_at_most_the_block_in_hand(void **state) {
    (void)state;
    const char *path = rig_path("kill.db");
    store_close(rig_project(path));
    size_t missing_before = BLOCKS;
    for (int round = 0; round < 12; round++) {
        int tell[2], code;
        unsigned char done = 0, last = 0;
        assert_int_equal(pipe(tell), 0);
        pid_t child = fork();
        if (child == 0) {
            close(tell[0]);
            write_for_ever(path, tell[1]);
        }
        close(tell[1]);
        /* not before it began, then at some odd moment */
        assert_int_equal(read(tell[0], &done, 1), 1);
        struct timespec t = { 0, (long)(500000 + 1700000L * round) };
        nanosleep(&t, NULL);
        kill(child, SIGKILL);
        do last = done;
        while (read(tell[0], &done, 1) == 1);
        close(tell[0]);
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL);

        struct store *s;
        struct index_list missing;
        size_t problems;
        assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
        struct feature_set set = ensure_set(s);
        assert_int_equal(store_feature_blocks_missing(s, &set, &missing), OK);
        /* what it reported is there; from the second pass on one block is deleted at most */
        if (last >= BLOCKS) assert_true(missing.count <= 1);
        else {
            assert_true(missing.count <= missing_before);
            for (size_t m = 0; m < missing.count; m++) assert_true(missing.index[m] >= last);
        }
        missing_before = missing.count;
        float want[BLOCK * 6], got[BLOCK * 6];
        for (size_t b = 0, m = 0; b < BLOCKS; b++) {
            if (m < missing.count && missing.index[m] == b) { m++; continue; }
            assert_int_equal(store_features_read(s, &set, b * BLOCK, BLOCK, got), OK);
            block_rows(want, b, 0);
            for (size_t i = 0; i < BLOCK * 6; i++) assert_true(got[i] - want[i] < 1e-3f && want[i] - got[i] < 1e-3f);
        }
        index_list_free(&missing);
        store_close(s);
        assert_false(rig_exists(rig_path("kill.db-wal")));
        assert_int_equal(store_check(path, NULL, NULL, NULL, &problems), OK);
        assert_int_equal(problems, 0);
    }
}

/* --- damage --- */

struct lines { char text[4096]; size_t count; };

static void collect(void *ctx, const char *line) {
    struct lines *l = ctx;
    size_t at = strlen(l->text);
    snprintf(l->text + at, sizeof l->text - at, "%s\n", line);
    l->count++;
}

static void expect_problem(const char *path, const char *part) {
    struct lines l = { "", 0 };
    size_t problems;
    if (store_check(path, collect, &l, NULL, &problems) != OK) fail_msg("%s", fail_reason());
    assert_int_equal(problems, l.count);
    if (!strstr(l.text, part)) fail_msg("check said \"%s\", not \"%s\"", l.text, part);
}

/* Everything that has a checksum, once. */
static void fill_project(const char *path) {
    struct store *s = rig_project(path);
    struct feature_set set = ensure_set(s);
    float rows[BLOCK * 6], scores[RIG_TRAIN];
    double self[RIG_GEN] = { 1, 2, 3, 4, 5, 6, 7 };
    for (size_t b = 0; b < BLOCKS; b++) {
        block_rows(rows, b, 0);
        assert_int_equal(store_feature_block_put(s, &set, b, rows), OK);
    }
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_SELF, SPLIT_GEN, RIG_GEN, 1, 0, self), OK);
    struct score_set c = ensure_scores(s);
    for (size_t q = 0; q < RIG_GEN; q++) {
        for (size_t i = 0; i < RIG_TRAIN; i++) scores[i] = rig_value(i, q);
        assert_int_equal(store_score_put(s, &c, q, scores), OK);
    }
    assert_int_equal(store_train_state_put(s, "{}", 900, "state", 5), OK);
    store_close(s);
}

/* One bit of a blob, in a file that is otherwise sound. */
static void flip(const char *path, const char *table, const char *column, const char *where) {
    char sql[400];
    snprintf(sql, sizeof sql,
             "UPDATE %s SET %s = CAST(substr(%s, 1, 2) || CASE substr(%s, 3, 1) WHEN x'41' THEN x'42' ELSE x'41'"
             " END || substr(%s, 4) AS BLOB) WHERE %s", table, column, column, column, column, where);
    rig_sql(path, sql);
}

static void a_sound_database_has_no_problems(void **state) {
    (void)state;
    const char *path = rig_path("sound.db");
    struct store *s;
    struct store_sizes z;
    size_t problems;
    fill_project(path);
    assert_int_equal(store_check(path, NULL, NULL, NULL, &problems), OK);
    assert_int_equal(problems, 0);
    assert_int_equal(store_open(&s, path, STORE_READ), OK);
    assert_int_equal(store_sizes(s, &z), OK);
    assert_int_equal(z.kernels, RIG_GEN * sizeof(float));
    assert_int_equal(z.features, RIG_TRAIN * (4 + 6 * 2));
    assert_int_equal(z.train_state, 5);
    assert_true(z.scores > 0 && z.file > z.images + z.scores + z.features);
    store_close(s);
}

static void a_flipped_bit_is_named_by_check_and_by_read(void **state) {
    (void)state;
    const char *path = rig_path("flip.db");
    fill_project(path);
    flip(path, "image", "bytes", "id = (SELECT image FROM item WHERE split = 'gen' AND idx = 2)");
    flip(path, "checkpoint", "weights", "step = 500");
    flip(path, "train_state", "bytes", "id = 1");
    flip(path, "feature_block", "bytes", "block = 3");
    flip(path, "kernel", "bytes", "part = 'self'");
    flip(path, "score", "bytes", "query = 4");
    expect_problem(path, "image of gen:2");
    expect_problem(path, "weights of checkpoint 500");
    expect_problem(path, "training state of step 900");
    expect_problem(path, "block 3 of feature set 1");
    expect_problem(path, "self kernel (gen) of feature set 1");
    expect_problem(path, "scores of gen:4 in score set 1");
    size_t problems, a, b;
    assert_int_equal(store_check(path, NULL, NULL, NULL, &problems), OK);
    assert_int_equal(problems, 6);

    struct store *s;
    struct feature_set set;
    struct score_set c;
    struct checkpoint_list l;
    struct train_state t;
    void *bytes;
    double *values;
    float rows[RIG_TRAIN * 6];
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    set = ensure_set(s);
    c = ensure_scores(s);
    assert_int_equal(store_image_read(s, (struct item_ref){ SPLIT_GEN, 2 }, &bytes, &a), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "gen:2"));
    assert_int_equal(store_image_read(s, (struct item_ref){ SPLIT_GEN, 3 }, &bytes, &a), OK);
    mem_free(bytes);
    assert_int_equal(store_checkpoints_resolve(s, "500", &l), OK);
    assert_int_equal(store_checkpoint_weights(s, l.checkpoint[0].id, &bytes, &a), ERR_FORMAT);
    checkpoint_list_free(&l);
    assert_int_equal(store_train_state_get(s, &t), ERR_FORMAT);
    assert_int_equal(store_features_read(s, &set, 0, RIG_TRAIN, rows), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "block 3"));
    assert_int_equal(store_features_read(s, &set, 0, 3 * BLOCK, rows), OK);
    assert_int_equal(store_kernel_get(s, set.id, KERNEL_SELF, SPLIT_GEN, &a, &b, &values), ERR_FORMAT);
    assert_int_equal(store_score_read(s, &c, 4, rows), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "gen:4"));
    assert_int_equal(store_score_read(s, &c, 5, rows), OK);
    /* a bad block is computed again once it is deleted */
    struct index_list missing;
    assert_int_equal(store_feature_block_delete(s, &set, 3), OK);
    assert_int_equal(store_feature_blocks_missing(s, &set, &missing), OK);
    assert_int_equal(missing.count, 1);
    assert_int_equal(missing.index[0], 3);
    index_list_free(&missing);
    store_close(s);
}

static void rows_that_do_not_fit_are_named(void **state) {
    (void)state;
    static const struct { const char *sql, *says; } cases[] = {
        { "DELETE FROM item WHERE split = 'train' AND idx = 39", "score set 1: 40 columns for 39 training items" },
        { "DELETE FROM item WHERE split = 'val' AND idx = 0", "split val" },
        { "UPDATE item SET image = 9999 WHERE split = 'gen' AND idx = 1", "gen:1" },
        { "PRAGMA foreign_keys = OFF; DELETE FROM checkpoint WHERE step = 1000", "points at a row of checkpoint" },
        { "UPDATE feature_block SET rows = 3 WHERE block = 2", "block 2 of feature set 1" },
        { "UPDATE score SET query = 99 WHERE query = 6", "score set 1: a row for gen:99" },
        { "UPDATE score_set SET n = 41", "do not unpack to 41 numbers" },
        { "INSERT INTO score_top (score_set, item, query, rank) VALUES (1, 400, 0, 1)", "train:400" },
        { "DELETE FROM project", "project: the row is missing" },
        { "UPDATE kernel SET rows = 8", "28 bytes do not fit 8 x 1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = rig_path("rows.db");
        fill_project(path);
        rig_sql(path, cases[i].sql);
        expect_problem(path, cases[i].says);
        unlink(path);
    }
}

/* A page of rubbish in the middle: words, not a crash, and the rest is checked. */
static void a_damaged_page_is_a_problem_and_not_a_crash(void **state) {
    (void)state;
    const char *path = rig_path("page.db");
    fill_project(path);
    long long pages = rig_number(path, "PRAGMA page_count");
    for (long long page = 1; page < pages; page += 5) {
        const char *copy = rig_path("page-copy.db");
        size_t problems = 0;
        unlink(copy);
        assert_int_equal(store_backup(path, copy, NULL), OK);
        FILE *f = fopen(copy, "r+b");
        assert_non_null(f);
        assert_int_equal(fseek(f, (long)(page * 16384), SEEK_SET), 0);
        for (int i = 0; i < 16384; i++) fputc((i * 37 + 11) & 255, f);
        fclose(f);
        enum status st = store_check(copy, NULL, NULL, NULL, &problems);
        assert_true(st == OK ? problems > 0 : st == ERR_DB || st == ERR_FORMAT);
    }
}

static void text_from_a_database_is_escaped_in_messages(void **state) {
    (void)state;
    const char *path = rig_path("escape.db");
    fill_project(path);
    rig_sql(path, "UPDATE item SET split = 'a' || char(27) || '[2J' WHERE split = 'val'");
    struct lines l = { "", 0 };
    size_t problems;
    assert_int_equal(store_check(path, collect, &l, NULL, &problems), OK);
    assert_true(problems > 0);
    assert_null(strchr(l.text, 27));
    assert_non_null(strstr(l.text, "\\x1B[2J"));
}

/* --- jobs --- */

static void a_job_goes_through_its_states(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("job.db"));
    struct job j;
    struct job_list l;
    int64_t a, b;
    int asked;
    assert_int_equal(store_job_claim(s, 0, "w1", &j), ERR_MISSING);
    assert_int_equal(store_job_enqueue(s, "features", "{\"loss\":\"square\"}", &a), OK);
    assert_int_equal(store_job_enqueue(s, "score", "{}", &b), OK);
    assert_int_equal(store_job_claim(s, 0, "w1", &j), OK);
    assert_int_equal(j.id, a);
    assert_int_equal(j.state, JOB_RUNNING);
    assert_true(j.lease_left_s > JOB_LEASE_S - 2 && j.lease_left_s <= JOB_LEASE_S);
    assert_int_equal(store_job_claim(s, a, "w2", &j), ERR_MISSING);
    assert_int_equal(store_job_heartbeat(s, a, "w2", 1, 2, "x", "", &asked), ERR_MISSING);
    assert_int_equal(store_job_heartbeat(s, a, "w1", 3, 10, "features square", "fast", &asked), OK);
    assert_false(asked);
    assert_int_equal(store_job_cancel(s, a), OK);
    assert_int_equal(store_job_heartbeat(s, a, "w1", 4, 10, "features square", "", &asked), OK);
    assert_true(asked);
    assert_int_equal(store_job_finish(s, a, "w1", JOB_QUEUED, ""), ERR_RANGE);
    assert_int_equal(store_job_finish(s, a, "w1", JOB_CANCELLED, "as asked"), OK);
    assert_int_equal(store_job_cancel(s, b), OK);               /* queued: at once */
    assert_int_equal(store_jobs_list(s, &l), OK);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.job[0].id, b);
    assert_int_equal(l.job[0].state, JOB_CANCELLED);
    assert_string_equal(l.job[1].message, "as asked");
    assert_true(l.job[1].done == 4 && l.job[1].total == 10);
    job_list_free(&l);
    assert_int_equal(store_job_claim(s, a, "w2", &j), OK);      /* a cancelled one resumes */
    assert_string_equal(j.params, "{\"loss\":\"square\"}");
    assert_int_equal(store_job_finish(s, a, "w2", JOB_DONE, ""), OK);
    assert_int_equal(store_job_claim(s, a, "w2", &j), ERR_MISSING);
    assert_int_equal(store_job_cancel(s, a), ERR_MISSING);
    store_close(s);
}

static void an_expired_lease_is_an_interruption_anyone_may_take(void **state) {
    (void)state;
    const char *path = rig_path("lease.db");
    struct store *s = rig_project(path);
    struct job j;
    int64_t id;
    assert_int_equal(store_job_enqueue(s, "score", "{}", &id), OK);
    assert_int_equal(store_job_claim(s, id, "dead", &j), OK);
    rig_sql(path, "UPDATE job SET lease_until = 1000");
    assert_int_equal(store_job_get(s, id, &j), OK);
    assert_int_equal(j.state, JOB_INTERRUPTED);
    assert_true(j.lease_left_s < 0);
    assert_int_equal(store_job_claim(s, 0, "new", &j), ERR_MISSING);   /* only when asked for */
    assert_int_equal(store_job_claim(s, id, "new", &j), OK);
    assert_int_equal(store_job_heartbeat(s, id, "dead", 1, 1, "", "", NULL), ERR_MISSING);
    assert_int_equal(store_job_finish(s, id, "dead", JOB_DONE, ""), ERR_MISSING);
    assert_int_equal(store_job_finish(s, id, "new", JOB_DONE, ""), OK);
    store_close(s);
}

static void two_processes_never_run_one_job_twice(void **state) {
    (void)state;
    enum { JOBS = 40, WORKERS = 3 };
    const char *path = rig_path("race.db");
    struct store *s = rig_project(path);
    for (int i = 0; i < JOBS; i++) assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), OK);
    store_close(s);
    int start[2], results[2];
    assert_int_equal(pipe(start), 0);
    assert_int_equal(pipe(results), 0);
    pid_t child[WORKERS];
    for (int w = 0; w < WORKERS; w++) {
        child[w] = fork();
        if (child[w] == 0) {
            struct job j;
            char owner[16], c;
            close(start[1]);
            snprintf(owner, sizeof owner, "w%d", w);
            if (read(start[0], &c, 1) != 0 || store_open(&s, path, STORE_WRITE) != OK) _exit(1);
            enum status st;
            while ((st = store_job_claim(s, 0, owner, &j)) == OK) {
                unsigned char id = (unsigned char)j.id;
                if (write(results[1], &id, 1) != 1) _exit(2);
                if (store_job_finish(s, j.id, owner, JOB_DONE, "") != OK) _exit(3);
            }
            store_close(s);
            _exit(st == ERR_MISSING ? 0 : 4);
        }
    }
    close(start[0]);
    close(start[1]);                       /* go */
    close(results[1]);
    unsigned char id;
    int taken[JOBS + 1] = { 0 }, all = 0;
    while (read(results[0], &id, 1) == 1) {
        assert_in_range(id, 1, JOBS);
        taken[id]++;
        all++;
    }
    close(results[0]);
    for (int w = 0; w < WORKERS; w++) {
        int code;
        assert_int_equal(waitpid(child[w], &code, 0), child[w]);
        assert_int_equal(code, 0);
    }
    assert_int_equal(all, JOBS);
    for (int i = 1; i <= JOBS; i++) assert_int_equal(taken[i], 1);
    assert_false(rig_exists(rig_path("race.db-wal")));
}

static void a_log_is_found_through_a_link(void **state) {
    (void)state;
    const char *path = rig_path("real.db"), *link = rig_path("link.db");
    store_close(rig_project(path));
    assert_int_equal(symlink(path, link), 0);
    assert_false(db_exists_beside(link, "-wal"));
    FILE *f = fopen(rig_path("real.db-wal"), "w");
    assert_non_null(f);
    fputs("pages", f);
    fclose(f);
    assert_true(db_exists_beside(link, "-wal"));
    unlink(rig_path("real.db-wal"));
}

static void a_file_that_is_worked_on_is_not_compacted(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("busy.db"));
    struct job j;
    assert_int_equal(store_job_enqueue(s, "score", "{}", NULL), OK);
    assert_int_equal(store_compact(s), OK);
    assert_int_equal(store_job_claim(s, 0, "w", &j), OK);
    assert_int_equal(store_compact(s), ERR_DB);
    assert_non_null(strstr(fail_reason(), "work is going on"));
    assert_int_equal(store_job_finish(s, j.id, "w", JOB_DONE, ""), OK);
    assert_int_equal(store_compact(s), OK);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_looks_at_an_open_file_does_not_unlock_it, rig_end),
        cmocka_unit_test_teardown(a_killed_writer_loses_at_most_the_block_in_hand, rig_end),
        cmocka_unit_test_teardown(a_sound_database_has_no_problems, rig_end),
        cmocka_unit_test_teardown(a_flipped_bit_is_named_by_check_and_by_read, rig_end),
        cmocka_unit_test_teardown(rows_that_do_not_fit_are_named, rig_end),
        cmocka_unit_test_teardown(a_damaged_page_is_a_problem_and_not_a_crash, rig_end),
        cmocka_unit_test_teardown(text_from_a_database_is_escaped_in_messages, rig_end),
        cmocka_unit_test_teardown(a_job_goes_through_its_states, rig_end),
        cmocka_unit_test_teardown(an_expired_lease_is_an_interruption_anyone_may_take, rig_end),
        cmocka_unit_test_teardown(two_processes_never_run_one_job_twice, rig_end),
        cmocka_unit_test_teardown(a_log_is_found_through_a_link, rig_end),
        cmocka_unit_test_teardown(a_file_that_is_worked_on_is_not_compacted, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
