/* The queue and its threads, with kinds of work made for the test: slow ones
 * that can be stopped, failing ones, and one that counts how often it ran. */
#include "../lib/slower.h"
#include "../lib/store_rig.h"
#include "dtrak/buf.h"
#include "dtrak/image.h"
#include "dtrak/jobs.h"
#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/pictures.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static atomic_int ran, resumed_at;
static atomic_int gate;                  /* how many units a slow job does; then it waits for more, or a cancel */
static atomic_int is_held, is_described; /* a held job is described, and not begun, for so long */
static struct limit heard;               /* when a job heard of its cancel; to be read once it has ended */

static void nap(long ms) {
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

/* progress_check(), noting when. */
static enum status check(const struct progress *p) {
    if (progress_cancelled(p)) heard = limit_begin();
    return progress_check(p);
}

/* Seconds from asked to heard, without those in which this process was held up. */
static double heard_after(struct limit asked) {
    double held = heard.held - asked.held;
    return heard.at - asked.at - (held > 0 ? held : 0);
}

/* Units of 10 ms; which are done stands in the database, as with a real verb. */
static enum status run_slow(struct store *s, const char *params, size_t threads, const struct progress *p) {
    (void)params;
    (void)threads;
    double value[50];
    size_t done = 0;
    struct stat_key key = { "units", "", 0, SPLIT_TRAIN };
    if (store_stat_get(s, &key, 0, RIG_TRAIN, value, &done) != OK) done = 0;
    atomic_store(&resumed_at, (int)done);
    for (; done < RIG_TRAIN; done++) {
        double one = 1;
        for (; done >= (size_t)atomic_load(&gate); nap(2)) TRY(check(p));
        TRY(check(p));
        nap(10);
        TRY(store_stat_put(s, &key, done, 1, &one));
        progress_report(p, (double)(done + 1), RIG_TRAIN, "slow", "unit");
    }
    atomic_fetch_add(&ran, 1);
    return OK;
}

/* Says nothing and hears nothing but a cancel, like one long decomposition. */
static enum status run_mute(struct store *s, const char *params, size_t threads, const struct progress *p) {
    (void)s;
    (void)params;
    (void)threads;
    for (int i = 0; i < 6000; i++) {
        TRY(check(p));
        nap(10);
    }
    return OK;
}

static enum status run_quick(struct store *s, const char *params, size_t threads, const struct progress *p) {
    (void)s;
    (void)threads;
    (void)p;
    atomic_fetch_add(&ran, 1);
    /* In brackets: cmocka has a macro of that name. */
    if (strstr(params, "fail")) return (fail)(ERR_NUMERIC, "the loss is not finite at step 7");
    return OK;
}

static void say(const char *params, char *out, size_t size) { snprintf(out, size, "%s", params); }

/* A job is described between its claim and its beginning. */
static void say_slowly(const char *params, char *out, size_t size) {
    for (atomic_store(&is_described, 1); atomic_load(&is_held);) nap(2);
    say(params, out, size);
}

static const struct job_kind kinds[] = {
    { "slow", run_slow, say }, { "mute", run_mute, say }, { "quick", run_quick, NULL }, { "held", run_mute, say_slowly },
    { NULL, NULL, NULL }
};

static struct jobs_options options(const char *path) {
    struct jobs_options o = { path, 1, kinds };
    return o;
}

static const char *fresh(const char *name) {
    const char *path = rig_path(name);
    store_close(rig_project(path));
    atomic_store(&ran, 0);
    atomic_store(&gate, RIG_TRAIN);
    heard = (struct limit){ INFINITY, 0 };
    return path;
}

static struct job newest(const char *path) {
    struct store *s;
    struct job_list l;
    struct job j;
    assert_int_equal(store_open(&s, path, STORE_READ), OK);
    assert_int_equal(store_jobs_list(s, &l), OK);
    assert_true(l.count > 0);
    j = l.job[0];
    job_list_free(&l);
    store_close(s);
    return j;
}

/* That much of a job is done, and it runs. */
static void wait_for(struct jobs *j, double done) {
    struct jobs_now now;
    UNTIL((now = jobs_snapshot(j)).id && now.done >= done);
}

static void jobs_run_in_order_and_report(void **state) {
    (void)state;
    const char *path = fresh("order.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    atomic_store(&gate, 20);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "slow", "{}"), OK);
    assert_int_equal(jobs_add(j, "quick", "{}"), OK);
    assert_int_equal(jobs_add(j, "quick", "{\"x\":\"fail\"}"), OK);
    assert_true(jobs_busy(j));
    assert_false(jobs_settle(j, 60));          /* the first is begun, whatever the clerk still writes */
    assert_int_not_equal(jobs_snapshot(j).id, 0);
    wait_for(j, 20);
    UNTIL(jobs_snapshot(j).queued >= 2);
    struct jobs_now now = jobs_snapshot(j);
    assert_string_equal(now.what, "slow");
    assert_string_equal(now.title, "slow {}");
    assert_true(now.total > 39 && now.total < 41);
    assert_true(now.per_s > 1);
    assert_true(now.eta_s > 0);
    assert_int_equal(now.queued, 2);
    atomic_store(&gate, RIG_TRAIN);
    assert_false(jobs_wait(j, 60));
    now = jobs_snapshot(j);
    assert_int_equal(now.ended, 3);
    assert_int_equal(now.last_status, ERR_NUMERIC);
    assert_string_equal(now.last_message, "the loss is not finite at step 7");
    assert_int_equal(atomic_load(&ran), 3);
    jobs_close(j);
    struct job last = newest(path);
    assert_int_equal(last.state, JOB_FAILED);
    assert_string_equal(last.message, "the loss is not finite at step 7");
}

/* A laptop slept, the lease ran out, and another process took the job over. */
static void a_job_that_was_taken_over_is_left_to_the_other(void **state) {
    (void)state;
    const char *path = fresh("taken.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "mute", "{}"), OK);
    UNTIL(jobs_snapshot(j).id);
    rig_sql(path, "UPDATE job SET owner = 'other', lease_until = 4000000000000 WHERE state = 'running'");
    assert_false(jobs_wait(j, 50));      /* it would run for a minute */
    struct jobs_now now = jobs_snapshot(j);
    assert_int_equal(now.last_status, ERR_CANCELLED);
    assert_non_null(strstr(now.last_message, "taken over by another process"));
    jobs_close(j);
    struct job last = newest(path);
    assert_int_equal(last.state, JOB_RUNNING);
    assert_string_equal(last.owner, "other");
}

static void a_job_of_an_unknown_kind_is_refused(void **state) {
    (void)state;
    const char *path = fresh("kind.db");
    struct jobs *j;
    struct store *s;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "dance", "{}"), ERR_RANGE);
    jobs_close(j);
    /* One that another program queued fails in words. */
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_job_enqueue(s, "dance", "{}", NULL), OK);
    store_close(s);
    size_t count;
    assert_int_equal(jobs_run_queue(&o, 0, NULL, &count), ERR_RANGE);
    assert_int_equal(count, 1);
    assert_non_null(strstr(newest(path).message, "'dance'"));
}

static void a_cancel_is_heard_within_a_second_and_keeps_what_is_done(void **state) {
    (void)state;
    const char *path = fresh("cancel.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    atomic_store(&gate, 3);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "slow", "{}"), OK);
    wait_for(j, 3);
    int64_t id = jobs_snapshot(j).id;
    struct limit t = limit_begin();
    assert_int_equal(jobs_cancel(j, id), OK);
    assert_false(jobs_wait(j, 60));
    assert_true(heard_after(t) < LIMIT_S(1));
    assert_int_equal(jobs_snapshot(j).last_status, ERR_CANCELLED);
    assert_int_equal(newest(path).state, JOB_CANCELLED);
    /* Resumed, it does not begin anew. */
    atomic_store(&gate, RIG_TRAIN);
    assert_int_equal(jobs_resume(j, id), OK);
    assert_false(jobs_wait(j, 60));
    assert_true(atomic_load(&resumed_at) >= 3);
    assert_int_equal(atomic_load(&ran), 1);
    assert_int_equal(newest(path).state, JOB_DONE);
    jobs_close(j);
}

static void a_queued_job_is_cancelled_at_once(void **state) {
    (void)state;
    const char *path = fresh("queued.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "mute", "{}"), OK);
    assert_int_equal(jobs_add(j, "quick", "{}"), OK);
    UNTIL(jobs_snapshot(j).id && jobs_snapshot(j).queued == 1);
    struct job waiting = newest(path);
    assert_int_equal(waiting.state, JOB_QUEUED);
    assert_int_equal(jobs_cancel(j, waiting.id), OK);
    UNTIL(newest(path).state != JOB_QUEUED);
    assert_int_equal(newest(path).state, JOB_CANCELLED);
    assert_true(jobs_snapshot(j).id != 0);
    jobs_close(j);
    assert_int_equal(atomic_load(&ran), 0);
}

/* Resumed, but others come first: it is stopped like any other. */
static void what_waits_to_go_on_can_be_cancelled(void **state) {
    (void)state;
    const char *path = fresh("waits.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "quick", "{\"x\":\"fail\"}"), OK);
    assert_false(jobs_wait(j, 60));
    int64_t failed = newest(path).id;
    assert_int_equal(jobs_add(j, "quick", "{}"), OK);
    assert_false(jobs_wait(j, 60));
    int64_t interrupted = newest(path).id;
    rig_sql(path, "UPDATE job SET state = 'interrupted' WHERE state = 'done'");
    assert_int_equal(atomic_load(&ran), 2);
    assert_int_equal(jobs_add(j, "mute", "{}"), OK);
    UNTIL(jobs_snapshot(j).id);
    int64_t running = jobs_snapshot(j).id;
    assert_int_equal(jobs_resume(j, failed), OK);
    assert_int_equal(jobs_resume(j, interrupted), OK);
    assert_true(jobs_is_resuming(j, failed) && jobs_is_resuming(j, interrupted));
    assert_int_equal(jobs_cancel(j, interrupted), OK);
    assert_int_equal(jobs_cancel(j, failed), OK);
    assert_false(jobs_is_resuming(j, failed) || jobs_is_resuming(j, interrupted));
    assert_int_equal(jobs_snapshot(j).id, running);
    assert_int_equal(jobs_cancel(j, running), OK);
    assert_false(jobs_wait(j, 60));
    assert_int_equal(jobs_snapshot(j).last_status, ERR_CANCELLED);   /* of the one that ran: no complaint about another */
    jobs_close(j);
    assert_int_equal(atomic_load(&ran), 2);
    assert_int_equal(rig_number(path, "SELECT count(*) FROM job WHERE state = 'cancelled'"), 2);
    assert_int_equal(rig_number(path, "SELECT count(*) FROM job WHERE state = 'failed'"), 1);
}

/* Two commands, one after the other: when the second is done the clerk has counted after the first. */
static void let_the_clerk_count(struct jobs *j) {
    for (int i = 0; i < 2; i++) {
        uint64_t before = jobs_snapshot(j).ended;
        assert_int_equal(jobs_cancel(j, 1000 + i), OK);      /* there is none */
        UNTIL(jobs_snapshot(j).ended > before);
    }
}

/* In the database it runs, here it has not begun: it is waited for, and counted once. */
static void a_job_between_its_claim_and_its_beginning_is_not_forgotten(void **state) {
    (void)state;
    const char *path = fresh("between.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    atomic_store(&is_held, 1);
    atomic_store(&is_described, 0);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "held", "{}"), OK);
    UNTIL(atomic_load(&is_described));
    assert_int_equal(newest(path).state, JOB_RUNNING);
    let_the_clerk_count(j);
    struct jobs_now now = jobs_snapshot(j);
    assert_int_equal(now.id, 0);
    assert_int_equal(now.queued, 1);
    assert_true(jobs_busy(j));
    assert_true(jobs_settle(j, 0));
    assert_int_equal(jobs_add(j, "quick", "{}"), OK);
    UNTIL(newest(path).state == JOB_QUEUED);
    let_the_clerk_count(j);
    atomic_store(&is_held, 0);
    UNTIL((now = jobs_snapshot(j)).id);
    assert_int_equal(now.queued, 1);
    let_the_clerk_count(j);
    assert_int_equal(jobs_snapshot(j).queued, 1);
    jobs_close(j);
    assert_int_equal(atomic_load(&ran), 0);
}

/* One that goes on was in no queue. */
static void what_goes_on_does_not_count_as_queued(void **state) {
    (void)state;
    const char *path = fresh("counted.db");
    struct jobs *j;
    struct jobs_now now;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "mute", "again"), OK);
    UNTIL((now = jobs_snapshot(j)).id);
    int64_t stopped = now.id;
    assert_int_equal(jobs_cancel(j, stopped), OK);
    assert_false(jobs_wait(j, 60));
    assert_int_equal(jobs_add(j, "mute", "first"), OK);
    UNTIL((now = jobs_snapshot(j)).id);
    assert_int_equal(jobs_add(j, "quick", "{}"), OK);
    UNTIL(jobs_snapshot(j).queued == 1);
    assert_int_equal(jobs_resume(j, stopped), OK);
    assert_int_equal(jobs_cancel(j, now.id), OK);
    UNTIL(strcmp((now = jobs_snapshot(j)).title, "mute again") == 0);
    assert_int_equal(now.queued, 1);
    jobs_close(j);
    assert_int_equal(atomic_load(&ran), 0);
}

/* Its turn has come, but somebody else is writing. */
static void a_cancel_while_a_job_is_claimed_counts(void **state) {
    (void)state;
    const char *path = fresh("claimed.db");
    struct jobs *j;
    struct store *s;
    struct jobs_options o = options(path);
    atomic_store(&gate, 3);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "slow", "{}"), OK);
    wait_for(j, 3);
    int64_t id = jobs_snapshot(j).id;
    assert_int_equal(jobs_cancel(j, id), OK);
    assert_false(jobs_wait(j, 60));
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(jobs_resume(j, id), OK);
    UNTIL(jobs_snapshot(j).id == id);
    assert_false(jobs_snapshot(j).cancelling);       /* that was the other time */
    assert_int_equal(jobs_cancel(j, id), OK);
    assert_int_equal(store_commit(s), OK);
    store_close(s);
    assert_false(jobs_wait(j, 60));
    assert_int_equal(newest(path).state, JOB_CANCELLED);
    assert_int_equal(atomic_load(&ran), 0);
    /* And it does not count for the next time. */
    atomic_store(&gate, RIG_TRAIN);
    assert_int_equal(jobs_resume(j, id), OK);
    assert_false(jobs_wait(j, 60));
    assert_int_equal(newest(path).state, JOB_DONE);
    jobs_close(j);
}

static void leaving_interrupts_and_the_next_program_resumes(void **state) {
    (void)state;
    const char *path = fresh("leave.db");
    struct jobs *j;
    struct jobs_options o = options(path);
    size_t count;
    atomic_store(&gate, 3);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "slow", "{}"), OK);
    wait_for(j, 3);
    struct limit t = limit_begin();
    jobs_close(j);
    assert_true(heard_after(t) < LIMIT_S(1));
    atomic_store(&gate, RIG_TRAIN);
    assert_int_equal(newest(path).state, JOB_INTERRUPTED);
    /* Not by itself: only when asked. */
    assert_int_equal(jobs_run_queue(&o, 0, NULL, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(jobs_run_queue(&o, 1, NULL, &count), OK);
    assert_int_equal(count, 1);
    assert_true(atomic_load(&resumed_at) >= 3);
    assert_int_equal(newest(path).state, JOB_DONE);
}

static void a_silent_job_keeps_its_lease_and_hears_other_programs(void **state) {
    (void)state;
    const char *path = fresh("lease.db");
    struct jobs *j;
    struct store *s;
    struct job other;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_add(j, "mute", "{}"), OK);
    UNTIL(jobs_snapshot(j).id);
    /* Renewed, twice, though the job says nothing: what is left of it grows again. */
    struct job now = newest(path);
    for (int renewed = 0; renewed < 2; renewed++) {
        double left = now.lease_left_s;
        UNTIL((now = newest(path)).lease_left_s > left || (left = now.lease_left_s, 0));
        assert_int_equal(now.state, JOB_RUNNING);
        assert_true(now.lease_left_s > JOB_LEASE_S - LIMIT_S(2));
    }
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_job_claim(s, now.id, "thief", &other), ERR_MISSING);
    struct limit t = limit_begin();
    assert_int_equal(store_job_cancel(s, now.id), OK);
    store_close(s);
    assert_false(jobs_wait(j, 60));
    assert_true(heard_after(t) < LIMIT_S(2.5));
    assert_int_equal(newest(path).state, JOB_CANCELLED);
    jobs_close(j);
}

static void a_killed_program_loses_one_unit_at_most(void **state) {
    (void)state;
    const char *path = fresh("kill.db");
    pid_t pid = fork();
    if (pid == 0) {
        struct jobs *j;
        struct jobs_options o = options(path);
        atomic_store(&gate, 5);
        if (jobs_open(&j, &o) != OK || jobs_add(j, "slow", "{}") != OK) _exit(9);
        while (jobs_snapshot(j).done < 5) nap(2);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct job dead = newest(path);
    assert_int_equal(dead.state, JOB_RUNNING);
    /* Its lease still runs; when it is over the job shows as interrupted. */
    rig_sql(path, "UPDATE job SET lease_until = 0");
    assert_int_equal(newest(path).state, JOB_INTERRUPTED);
    struct jobs *j;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&j, &o), OK);
    assert_int_equal(jobs_resume(j, dead.id), OK);
    assert_false(jobs_wait(j, 60));
    jobs_close(j);
    assert_true(atomic_load(&resumed_at) >= 5);
    assert_int_equal(newest(path).state, JOB_DONE);
}

static void two_programs_never_run_one_job_twice(void **state) {
    (void)state;
    const char *path = fresh("two.db");
    struct jobs *a, *b;
    struct jobs_options o = options(path);
    assert_int_equal(jobs_open(&a, &o), OK);
    assert_int_equal(jobs_open(&b, &o), OK);
    for (int i = 0; i < 20; i++) assert_int_equal(jobs_add(i % 2 ? a : b, "quick", "{}"), OK);
    UNTIL(!jobs_wait(a, 1) && !jobs_wait(b, 1));
    assert_int_equal(atomic_load(&ran), 20);
    jobs_close(a);
    jobs_close(b);
}

static void the_queue_stops_when_asked(void **state) {
    (void)state;
    const char *path = fresh("work.db");
    struct store *s;
    atomic_int cancel;
    atomic_init(&cancel, 1);
    struct progress p = { NULL, NULL, &cancel };
    struct jobs_options o = options(path);
    size_t count;
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_job_enqueue(s, "quick", "{}", NULL), OK);
    store_close(s);
    assert_int_equal(jobs_run_queue(&o, 0, &p, &count), ERR_CANCELLED);
    assert_int_equal(count, 0);
    assert_int_equal(newest(path).state, JOB_QUEUED);
}

static void parameters_survive_the_table(void **state) {
    (void)state;
    const char *path = fresh("params.db");
    struct jobs *j;
    struct jobs_options o = { path, 1, NULL };
    struct score_options score = SCORE_DEFAULTS;
    struct features_options f = FEATURES_DEFAULTS;
    char about[96];
    assert_int_equal(jobs_open(&j, &o), OK);
    score.losses = 1u << LOSS_SQUARE;
    score.checkpoints = f.checkpoints = "999999";     /* there is none: the job fails before it works */
    score.lambda = "0.05";
    f.losses = score.losses;
    f.dims = 512;
    assert_int_equal(jobs_add_score(j, &score, &f), OK);
    assert_false(jobs_wait(j, 60));
    jobs_close(j);
    struct job made = newest(path);
    assert_string_equal(made.kind, "score");
    assert_int_equal(made.state, JOB_FAILED);
    assert_string_equal(made.params, "{\"methods\":\"trak\",\"losses\":\"square\",\"checkpoints\":\"999999\","
                        "\"lambda\":\"0.05\",\"features\":{\"losses\":\"square\",\"checkpoints\":\"999999\","
                        "\"timesteps\":10,\"dims\":512}}");
    for (const struct job_kind *k = job_kinds; k->name; k++)
        if (strcmp(k->name, "score") == 0) k->describe(made.params, about, sizeof about);
    assert_string_equal(about, "D-TRAK at 999999");
}

static void hostile_parameters_are_refused_in_words(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "[]", "{", "{\"losses\":\"sinister\"}", "{\"timesteps\":-1}", "{\"timesteps\":1e99}",
        "{\"splits\":\"moon\"}", "{\"dims\":\"many\"}", "{\"losses\":7,\"dims\":1.5}",
    };
    char about[96];
    const char *path = fresh("hostile.db");
    struct store *s;
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (const struct job_kind *k = job_kinds; k->name; k++) {
            k->describe(bad[i], about, sizeof about);
            if (strcmp(k->name, "features") != 0) continue;
            assert_int_not_equal(k->run(s, bad[i], 1, NULL), OK);
            assert_true(strlen(fail_reason()) > 10);
        }
    store_close(s);
}

/* What decodes is shown, whatever its sides are. */
static void very_long_pictures_are_made_smaller(void **state) {
    (void)state;
    const char *path = fresh("long.db");
    struct pictures *p;
    struct store *s;
    struct image im;
    struct buf png = BUF_INIT;
    const unsigned char *rgba;
    size_t w = 0, h = 0;
    int got = 0;
    assert_int_equal(image_new(&im, 16384, 6, 3), OK);
    memset(im.pixels, 200, 16384 * 6 * 3);
    assert_int_equal(image_encode_png(&png, &im), OK);
    image_free(&im);
    struct item it = { .label = 1, .width_px = 16384, .height_px = 6, .image_bytes = png.len };
    const void *bytes = png.data;
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    assert_int_equal(store_items_add(s, SPLIT_VAL, &it, &bytes, 1, NULL), OK);
    store_close(s);
    buf_free(&png);
    assert_int_equal(pictures_open(&p, path, 0, NULL, NULL), OK);
    UNTIL((got = pictures_get(p, (struct item_ref){ SPLIT_VAL, RIG_VAL }, &rgba, &w, &h)) != 0);
    assert_int_equal(got, 1);
    assert_int_equal(w, 8192);
    assert_int_equal(h, 3);
    assert_in_range(rgba[4 * 8191], 199, 201);
    pictures_close(p);
}

static void pictures_come_and_bad_ones_say_so(void **state) {
    (void)state;
    const char *path = fresh("pictures.db");
    struct pictures *p;
    const unsigned char *rgba;
    size_t w, h;
    struct item_ref ref = { SPLIT_TRAIN, 3 }, none = { SPLIT_TRAIN, 3000 };
    assert_int_equal(pictures_open(&p, path, 0, NULL, NULL), OK);
    assert_int_equal(pictures_get(p, ref, &rgba, &w, &h), 0);
    UNTIL(!pictures_busy(p));
    assert_int_equal(pictures_get(p, ref, &rgba, &w, &h), -1);   /* the rig's images are no PNG */
    assert_int_equal(pictures_get(p, none, &rgba, &w, &h), 0);
    UNTIL(!pictures_busy(p));
    assert_int_equal(pictures_get(p, none, &rgba, &w, &h), -1);
    pictures_close(p);
    struct item_ref back = pictures_ref(pictures_key(none));
    assert_int_equal(back.split, SPLIT_TRAIN);
    assert_int_equal(back.index, 3000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_and_report),
        cmocka_unit_test(a_job_that_was_taken_over_is_left_to_the_other),
        cmocka_unit_test(a_job_of_an_unknown_kind_is_refused),
        cmocka_unit_test(a_cancel_is_heard_within_a_second_and_keeps_what_is_done),
        cmocka_unit_test(a_queued_job_is_cancelled_at_once),
        cmocka_unit_test(what_waits_to_go_on_can_be_cancelled),
        cmocka_unit_test(a_job_between_its_claim_and_its_beginning_is_not_forgotten),
        cmocka_unit_test(what_goes_on_does_not_count_as_queued),
        cmocka_unit_test(a_cancel_while_a_job_is_claimed_counts),
        cmocka_unit_test(leaving_interrupts_and_the_next_program_resumes),
        cmocka_unit_test(a_silent_job_keeps_its_lease_and_hears_other_programs),
        cmocka_unit_test(a_killed_program_loses_one_unit_at_most),
        cmocka_unit_test(two_programs_never_run_one_job_twice),
        cmocka_unit_test(the_queue_stops_when_asked),
        cmocka_unit_test(parameters_survive_the_table),
        cmocka_unit_test(hostile_parameters_are_refused_in_words),
        cmocka_unit_test(very_long_pictures_are_made_smaller),
        cmocka_unit_test(pictures_come_and_bad_ones_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
