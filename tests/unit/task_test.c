/* Work on a thread of its own: what it returns and says, how far it is, and that it stops. */
#include "../lib/slower.h"
#include "../lib/store_rig.h"
#include "dtrak/task.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static const char *database(void) {
    const char *path = rig_path("task.db");
    if (!rig_exists(path)) store_close(rig_project(path));
    return path;
}

static enum status count_items(struct store *s, void *work, const struct progress *p) {
    progress_report(p, 1, 2, "count", "");
    return store_items_count(s, SPLIT_TRAIN, work);
}

static enum status refuse(struct store *s, void *work, const struct progress *p) {
    (void)s, (void)work, (void)p;
    return (fail)(ERR_RANGE, "not today");
}

static enum status for_ever(struct store *s, void *work, const struct progress *p) {
    struct timespec nap = { 0, 1000000 };
    atomic_int *begun = work;
    (void)s;
    atomic_store(begun, 1);
    for (;;) {
        TRY(progress_check(p));
        nanosleep(&nap, NULL);
    }
}

static void ring(void *ctx) { atomic_fetch_add((atomic_int *)ctx, 1); }

static void it_reads_and_ends(void **state) {
    struct task *t;
    size_t n = 0;
    atomic_int rings = 0;
    (void)state;
    assert_int_equal(task_start(&t, database(), count_items, &n, ring, &rings), OK);
    assert_true(task_wait(t, 60));
    assert_true(task_part(t) > .49 && task_part(t) < .51);
    assert_int_equal(task_end(t), OK);
    assert_int_equal(n, RIG_TRAIN);
    assert_int_equal(atomic_load(&rings), 1);
}

static void a_failure_comes_over_with_its_reason(void **state) {
    struct task *t;
    (void)state;
    assert_int_equal(task_start(&t, database(), refuse, NULL, NULL, NULL), OK);
    (fail)(ERR_IO, "something else meanwhile");
    assert_int_equal(task_end(t), ERR_RANGE);
    assert_string_equal(fail_reason(), "not today");
    assert_int_equal(task_start(&t, rig_path("nothing.db"), refuse, NULL, NULL, NULL), OK);
    assert_int_not_equal(task_end(t), OK);
    assert_non_null(strstr(fail_reason(), "nothing.db"));
}

static void it_stops(void **state) {
    struct task *t;
    atomic_int begun = 0, rings = 0;
    (void)state;
    assert_int_equal(task_start(&t, database(), for_ever, &begun, ring, &rings), OK);
    while (!atomic_load(&begun)) assert_false(task_wait(t, .001));
    task_on_change(t, NULL, NULL);
    task_cancel(t);
    assert_int_equal(task_end(t), ERR_CANCELLED);
    assert_int_equal(atomic_load(&rings), 0);
    assert_int_equal(task_end(NULL), OK);
}

/* The bytes that SQLite locks, locked as by a process that writes without a log. */
static pid_t lock(const char *path) {
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512 };
        int fd = open(path, O_RDWR);
        if (fd < 0 || fcntl(fd, F_SETLK, &l) != 0) _exit(1);
        if (write(ready[1], "r", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void it_stops_while_the_file_is_locked(void **state) {
    struct task *t;
    size_t n = 0;
    (void)state;
    pid_t pid = lock(database());
    assert_int_equal(task_start(&t, database(), count_items, &n, NULL, NULL), OK);
    assert_false(task_wait(t, .3));
    struct limit began = limit_begin();
    task_cancel(t);
    assert_int_equal(task_end(t), ERR_CANCELLED);
    assert_true(limit_took(began) < LIMIT_S(2.5));       /* not the five seconds of a lock */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(task_start(&t, database(), count_items, &n, NULL, NULL), OK);
    assert_int_equal(task_end(t), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_and_ends),
        cmocka_unit_test(a_failure_comes_over_with_its_reason),
        cmocka_unit_test(it_stops),
        cmocka_unit_test(it_stops_while_the_file_is_locked),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
