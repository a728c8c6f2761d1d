/* storm_test.c - work that begins, is stopped and ends while screens open and close: the
 * worker, the clerk, the surveys, the live ridge and the decoder against random keys.
 *
 * Nothing crashes, leaks or draws beyond the screen, and the database is whole afterwards.
 * What threads do to each other shows under `make tsan` and `make sanitize`.
 * WALK_SEED=N walks elsewhere, STORM_ROUNDS=N longer. */
#include "../lib/app_walk.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"
#include "dtrak/lds_verb.h"
#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/store_check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TRAIN = 24, VAL = 3, GEN = 4, SIDE = 8, SUBSETS = 6, ROUNDS = 8, STEPS = 150 };

static void nap(long us) {
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&t, NULL);
}

/* --- a database in which everything can be computed, in moments --- */

/* Features and scores of one setting, networks retrained on subsets: the rest is for the storm. */
static void make_world(const char *name) {
    static const struct study pictures = { .width = SIDE, .height = SIDE, .patch = 2, .items = { TRAIN, VAL, 0 } };
    struct store *s = study_new(name, &pictures);
    struct train_options train = study_training();
    struct sample_options sample = SAMPLE_DEFAULTS;
    struct features_options features = FEATURES_DEFAULTS;
    struct score_options score = SCORE_DEFAULTS;
    struct lds_options lds = LDS_DEFAULTS;
    study_halves(&train);
    ok(pipeline_train(s, &train, NULL));
    sample.count = GEN;
    sample.steps = 5;
    sample.threads = 1;
    ok(pipeline_sample(s, &sample, NULL));
    features.dims = 16;
    features.threads = score.threads = lds.threads = 1;
    ok(pipeline_features(s, &features, NULL));
    ok(pipeline_score(s, &score, NULL));
    lds.subsets = SUBSETS;
    lds.timesteps = 4;
    ok(pipeline_lds(s, &lds, NULL, NULL));
    store_close(s);
}

/* --- the storm --- */

struct storm {
    struct app *a;
    struct rng r;
    struct pictures *pictures;
    atomic_size_t news;          /* callbacks so far, from every thread */
    size_t queued, stopped, closed_at_work;
};

static void hear(void *ctx) { atomic_fetch_add((atomic_size_t *)ctx, 1); }

/* As a terminal connects: another database has threads of its own. */
static void listen(struct storm *s, int on) {
    void (*fn)(void *) = on ? hear : NULL;
    jobs_on_change(s->a->jobs, fn, &s->news);
    live_on_change(s->a->live, fn, &s->news);
    survey_on_change(s->a->survey, fn, &s->news);
    survey_on_change(s->a->mapper, fn, &s->news);
}

/* The pictures of the frame, as the terminal asks for them. */
static void look(struct storm *s) {
    const unsigned char *rgba;
    size_t w, h, sum = 0;
    walk_draw(s->a);
    pictures_begin(s->pictures);
    for (size_t i = 0; i < frame_image_count(s->a->frame); i++) {
        struct item_ref ref;
        if (item_ref_parse(&ref, frame_image_at(s->a->frame, i)->label) != OK) continue;
        if (pictures_get(s->pictures, ref, &rgba, &w, &h) == 1) sum += rgba[4 * w * h - 1];
        pictures_want(s->pictures, (struct item_ref){ ref.split, ref.index + 1 });
    }
    assert_true(sum % 255 == 0);   /* opaque, to the last pixel */
}

static void choose_setting(struct storm *s) {
    static const enum action step[] = { ACT_method_next, ACT_loss_next, ACT_ckpt_next, ACT_lambda_down, ACT_lambda_up };
    app_show(s->a, &screen_ranking);
    for (uint32_t n = rng_below(&s->r, 4); n; n--) {
        app_act(s->a, step[rng_below(&s->r, 5)]);
        look(s);
    }
}

static void queue_something(struct storm *s) {
    struct app *a = s->a;
    a->prompt = PROMPT_NONE;
    switch (rng_below(&s->r, 7)) {
    case 0: case 1: choose_setting(s); app_act(a, ACT_recompute); break;
    case 2: app_show(a, &screen_self); app_act(a, ACT_self_compute); break;
    case 3: app_show(a, &screen_evaluation); app_act(a, ACT_eval_run); break;
    case 4: app_show(a, &screen_ranking); app_act(a, ACT_generate); break;
    case 5: ok(jobs_add(a->jobs, "self", "{}")); break;
    default: {
        struct features_options o = FEATURES_DEFAULTS;
        o.dims = 8 + rng_below(&s->r, 8);
        o.losses = 1u << LOSS_SQUARE;
        ok(jobs_add_features(a->jobs, &o));
    }
    }
    s->queued++;
}

static void stop_or_resume(struct storm *s) {
    struct app *a = s->a;
    a->prompt = PROMPT_NONE;
    if (rng_below(&s->r, 2)) {
        app_act(a, ACT_cancel);
    } else {
        app_show(a, &screen_jobs);
        for (uint32_t n = rng_below(&s->r, 4); n; n--) app_act(a, ACT_down);
        app_act(a, rng_below(&s->r, 2) ? ACT_cancel : ACT_resume);
    }
    s->stopped++;
}

/* Another database, and back: all threads end and begin. */
static void go_over(struct storm *s, const char *db) {
    s->a->prompt = PROMPT_NONE;
    picker_typed(s->a, db);
    look(s);
    if (app_top(s->a) == &screen_ask) app_act(s->a, ACT_yes);
}

static void step(struct storm *s, const char *db, const char *other) {
    struct app *a = s->a;
    uint32_t u = rng_below(&s->r, 100);
    if (u < 12 && a->jobs) queue_something(s);
    else if (u < 20 && a->jobs) stop_or_resume(s);
    else if (u < 45) walk_go_to(a, &walk_places[rng_below(&s->r, (uint32_t)walk_place_count)]);
    else if (u < 48) walk_resize(a, &s->r);
    else if (u < 55) walk_click(a, &s->r);
    else if (u < 57) go_over(s, u % 2 ? db : other);
    else walk_press(a, &s->r);
    a->done = 0;                 /* leaving is tried too, and one comes back */
    listen(s, 1);
    app_poll(a);
    look(s);
    if (rng_below(&s->r, 3) == 0) nap(rng_below(&s->r, 4000));
}

static void storm(struct storm *s, const char *db, const char *other) {
    struct tui_options o = TUI_DEFAULTS;
    o.db = db;
    o.threads = 2;
    ok(app_open(&s->a, &o));
    ok(pictures_open(&s->pictures, db, 1 << 14, hear, &s->news));
    ok(app_resize(s->a, 40, 120));
    for (size_t i = 0; i < STEPS; i++) step(s, db, other);
    /* Left in the middle of it, sometimes with a job just queued. */
    if (s->a->jobs && rng_below(&s->r, 2)) queue_something(s);
    s->closed_at_work += s->a->jobs && jobs_busy(s->a->jobs);
    if (rng_below(&s->r, 2)) {
        listen(s, 0);
        nap(500);
    }
    pictures_close(s->pictures);
    app_close(s->a);
}

static void report(void *ctx, const char *line) { (void)ctx; print_error("%s\n", line); }

static size_t jobs_of(const char *db, enum job_state state) {
    struct store *s;
    struct job_list l;
    size_t n = 0;
    ok(store_open(&s, db, STORE_READ));
    ok(store_jobs_list(s, &l));
    for (size_t i = 0; i < l.count; i++) n += l.job[i].state == state;
    job_list_free(&l);
    store_close(s);
    return n;
}

static void jobs_finish_while_screens_close(void **state) {
    (void)state;
    char db[4096], other[4096];
    const char *rounds = getenv("STORM_ROUNDS");
    size_t problems;
    uint64_t seed = walk_seed();
    snprintf(db, sizeof db, "%s", rig_path("storm.db"));
    snprintf(other, sizeof other, "%s", rig_path("other.db"));
    make_world("storm.db");
    store_close(rig_project(other));
    long live = mem_live();
    struct storm s = { .news = 0 };
    for (size_t round = 0, n = rounds ? strtoul(rounds, NULL, 10) : ROUNDS; round < n; round++) {
        s.r = rng_at(seed, RNG_TEST, 19, (uint32_t)round);
        storm(&s, db, other);
        assert_int_equal(mem_live(), live);
    }
    size_t done = jobs_of(db, JOB_DONE), cut = jobs_of(db, JOB_CANCELLED) + jobs_of(db, JOB_INTERRUPTED);
    printf("# %zu queued, %zu stopped or resumed, %zu left at work; %zu done, %zu cancelled or interrupted; %zu callbacks\n", s.queued,
           s.stopped, s.closed_at_work, done, cut, atomic_load(&s.news));
    assert_true(done >= 3 && cut >= 3 && s.closed_at_work >= 1 && atomic_load(&s.news) > done);
    ok(store_check(db, report, NULL, NULL, &problems));
    assert_int_equal(problems, 0);
}

/* What was left is taken up by whoever opens it next, and ends. */
static void what_was_left_can_be_finished(void **state) {
    (void)state;
    struct jobs_options o = { rig_path("storm.db"), 1, NULL };
    size_t ran;
    jobs_run_queue(&o, 1, NULL, &ran);   /* a job that cannot be done is failed, in words */
    assert_int_equal(jobs_of(o.db, JOB_QUEUED) + jobs_of(o.db, JOB_RUNNING) + jobs_of(o.db, JOB_INTERRUPTED), 0);
}

/* Exports and what the picker lists are in the folder of the databases. */
static int enter(void **state) {
    (void)state;
    return chdir(rig_path(""));
}

static int clear(void **state) {
    (void)state;
    rig_clear();
    return chdir("/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_finish_while_screens_close),
        cmocka_unit_test(what_was_left_can_be_finished),
    };
    return cmocka_run_group_tests(tests, enter, clear);
}
