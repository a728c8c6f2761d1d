/* explorer_test.c - the whole program on a scripted terminal: keys in, bytes out.
 *
 * The pictures that leave as sixels are decoded and compared with the stored
 * images of the very items that `dtrak rank --json` names.  The database is the
 * one of the screen tests (OUT/screens/world); for computations a small one is
 * made with new, train and sample.  OUT, DTRAK and WORK come from tests/run.
 * Everything waits for what is on the screen or in the file, never for time. */
#include "../lib/ranking_on_screen.h"
#include "../lib/store_rig.h"
#include "dtrak/buf.h"
#include "dtrak/image.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/progress.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { ROWS = EXPLORE_ROWS, COLS = EXPLORE_COLS };

/* The database is sound, and nothing lies beside it. */
static void assert_one_whole_file(const char *db) {
    char beside[4096];
    static const char *const end[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(beside, sizeof beside, "%s%s", db, end[i]);
        if (rig_exists(beside)) fail_msg("%s is left", beside);
    }
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), db);
}

/* Every device control string of the output is closed by ESC \, as is that of every sixel. */
static size_t count_closed_strings(const char *out) {
    size_t n = 0;
    for (const char *at = out; (at = strstr(at, "\033P")) != NULL; n++) {
        const char *end = strchr(at + 2, '\033');
        assert_non_null(end);
        assert_int_equal(end[1], '\\');
        at = end + 2;
    }
    return n;
}

static void sixels_show_the_items_of_the_ranking(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking square = ranking_of(db, SQUARE), l1 = ranking_of(db, L1);
    unsigned char pixels[EXPLORE_PIXELS];
    size_t row, col;

    assert_int_not_equal(square.item[0][0], l1.item[0][0]);
    struct pty *p = explore_start(db, PTY_SIXEL);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "loss square");
    explore_see(p, "proponents 1-");
    ranking_assert_painted(p, db, &square);
    assert_true(ranking_find(p, &square, 0, 0, &row, &col));

    /* Two losses on: another ranking, in the same place. */
    pty_keys(p, "f");
    explore_see(p, "loss avg");
    explore_see(p, "not computed");
    pty_keys(p, "f");
    explore_see(p, "loss l1");
    ranking_assert_painted(p, db, &l1);
    const struct vt_picture *now = explore_picture_in(p, row + 1, col, 2, 12);
    assert_non_null(now);
    explore_pixels(db, SPLIT_TRAIN, square.item[0][0], pixels);
    assert_true(explore_psnr(&now->image, pixels) < 25);      /* what stood there before: clearly another */

    struct vt_state s = vt_state(pty_screen(p));
    assert_int_equal(s.on_last_row, 0);
    assert_int_equal(s.bad_pictures, 0);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    assert_string_equal(s.unknown_text, "");
    assert_true(count_closed_strings(pty_output(p)) >= s.pictures_drawn);
    explore_quit(p);
    assert_one_whole_file(db);
}

/* --- without sixels --- */

static int has_half_blocks(struct pty *p, const void *ctx) {
    const struct ranking *r = ctx;
    for (size_t i = 0; i < 2 * TOP; i++) {
        size_t row, col, blocks = 0;
        if (!ranking_find(p, r, i / TOP, i % TOP, &row, &col)) return 0;
        for (size_t k = 1; k <= 4 && row + k < ROWS; k++) blocks += strstr(vt_row(pty_screen(p), row + k), "▀") != NULL;
        if (!blocks) return 0;
    }
    return !vt_find(pty_screen(p), "[train:", NULL, NULL);
}

/* The ranking in half blocks; rows get copied to screen. */
static void half_blocks(enum pty_kind kind, char (*screen)[COLS * 8]) {
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct pty *p = explore_start(db, kind);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    explore_until(p, has_half_blocks, &r, "the ranking is not there in half blocks");
    pty_settle(p, 200);
    const struct vt *v = pty_screen(p);
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < TOP; i++) {
            size_t row, col, k = 1;
            assert_true(ranking_find(p, &r, side, i, &row, &col));
            while (k < 8 && row + k < ROWS && !strstr(vt_row(v, row + k), r.label[side][i])) k++;
            if (k == 8 || row + k >= ROWS) { explore_dump(p); fail_msg("no '%s' below rank %zu", r.label[side][i], i + 1); }
        }
    for (size_t i = 0; i < ROWS; i++) snprintf(screen[i], COLS * 8, "%s", vt_row(v, i));
    assert_int_equal(vt_state(v).pictures_drawn, 0);
    assert_string_equal(vt_state(v).unknown_text, "");
    explore_quit(p);
}

static char plain[ROWS][COLS * 8], tmux[ROWS][COLS * 8];

static void a_plain_terminal_gets_half_blocks_and_the_right_labels(void **state) {
    (void)state;
    half_blocks(PTY_PLAIN, plain);
}

static void in_tmux_no_question_is_left_on_the_screen(void **state) {
    (void)state;
    half_blocks(PTY_TMUX, tmux);
    if (!plain[0][0]) half_blocks(PTY_PLAIN, plain);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(tmux[i], plain[i]);
}

/* --- leaving --- */

static struct pty *on_the_ranking(const char *db) {
    struct pty *p = explore_start(db, PTY_SIXEL);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    struct vt_state s = vt_state(pty_screen(p));
    assert_true(s.is_alternate && s.is_cursor_hidden && s.is_mouse_on);
    assert_false(pty_is_restored(p));
    return p;
}

/* For more than one of the half seconds after which the speed is looked at; the first ones may
 * still tell another. */
static void an_idle_screen_that_tells_the_speed_sends_nothing(void **state) {
    (void)state;
    struct pty *p = on_the_ranking(ranking_world());
    size_t bytes = 0;
    pty_keys(p, "L");
    explore_see(p, " ms  ");
    for (int tries = 0; tries < 10 && bytes < pty_bytes(p); tries++) {
        bytes = pty_bytes(p);
        for (double end = clock_s() + 1.3; clock_s() < end;) pty_pump(p, 50);
    }
    assert_int_equal(pty_bytes(p), bytes);
    explore_quit(p);
}

static void the_terminal_is_as_before_after_q(void **state) {
    (void)state;
    explore_quit(on_the_ranking(ranking_world()));
}

static void leave_by(int sig) {
    struct pty *p = on_the_ranking(ranking_world());
    pty_signal(p, sig);
    int status = pty_wait_end(p);
    assert_true(WIFEXITED(status));
    explore_free_after(p, status);
    assert_one_whole_file(ranking_world());
}

static void and_after_sigterm(void **state) { (void)state; leave_by(SIGTERM); }
static void and_after_sighup_with_one_whole_file(void **state) { (void)state; leave_by(SIGHUP); }

static void and_after_a_crash(void **state) {
    (void)state;
    struct pty *p = on_the_ranking(ranking_world());
    pty_signal(p, SIGSEGV);
    int status = pty_wait_end(p);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    explore_free_after(p, status);
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), ranking_world());
}

/* --- computing --- */

/* 48 training items and a network trained for a moment.  The features of the held-out ones
 * make the explorer compute with 100 timesteps too, which takes seconds. */
static void make_small(const char *db) {
    const char *d = explore_environment("DTRAK"), *data = rig_path("data");
    if (rig_exists(db)) return;
    EXPLORE_RUN("'%s/cli/data' idx '%s' 90 2>&1", explore_environment("OUT"), data);
    EXPLORE_RUN("'%s' new '%s' --idx '%s/images.idx' '%s/labels.idx' --classes 0,1 --per-class 24 --held-out 4 --patch 2 2>&1", d, db,
        data, data);
    EXPLORE_RUN("'%s' train '%s' --width 8,16 --steps 20 --batch 8 --seed 3 --threads 1 2>&1", d, db);
    EXPLORE_RUN("'%s' sample '%s' --count 2 --steps 5 --threads 1 2>&1", d, db);
    EXPLORE_RUN("'%s' features '%s' --loss simple --split val --timesteps 100 --dims 64 --threads 1 2>&1", d, db);
    EXPLORE_RUN("rm -r '%s'", data);
}

static const char *small(const char *name) {
    const char *db = rig_path("small.db"), *copy = rig_path(name);
    make_small(db);
    if (!rig_exists(copy)) EXPLORE_RUN("'%s' backup '%s' '%s' 2>&1", explore_environment("DTRAK"), db, copy);
    return copy;
}

#define STORED_BLOCKS " FROM feature_block b JOIN feature_set s ON s.id = b.feature_set WHERE s.loss = 'square'"

static int first_block_is_stored(struct pty *p, const void *db) {
    (void)p;
    return rig_number(db, "SELECT count(*)" STORED_BLOCKS) > 0;
}

/* Asks for the setting on the screen, which is not computed; the work is under way. */
static struct pty *begin(const char *db) {
    struct pty *p = explore_start(db, PTY_PLAIN);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "not computed");
    assert_true(vt_find(pty_screen(p), "loss square", NULL, NULL));
    pty_keys(p, "r");
    explore_see(p, "▶ ");
    return p;
}

static void r_computes_what_is_missing(void **state) {
    (void)state;
    const char *db = small("whole.db");
    struct pty *p = begin(db);
    explore_see(p, "▶ features");
    explore_see(p, "proponents 1-");
    explore_see(p, "job 1 score: ");
    struct ranking r = ranking_of(db, SQUARE);
    size_t row, col;
    for (size_t i = 0; i < 2 * TOP; i++) assert_true(ranking_find(p, &r, i / TOP, i % TOP, &row, &col));
    explore_quit(p);
    assert_one_whole_file(db);
}

static void a_killed_computation_is_offered_again_and_goes_on(void **state) {
    (void)state;
    const char *db = small("killed.db");
    struct pty *p = begin(db);
    explore_until(p, first_block_is_stored, db, "no block of features was stored");
    pty_signal(p, SIGKILL);
    int status = pty_wait_end(p);
    assert_true(WIFSIGNALED(status));
    pty_free(p);
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), db);
    assert_int_equal(rig_number(db, "SELECT count(*) FROM score_set"), 0);
    long long kept = rig_number(db, "SELECT b.id" STORED_BLOCKS " ORDER BY b.id"),
              hash = rig_number(db, "SELECT b.xxh3" STORED_BLOCKS " ORDER BY b.id");

    p = explore_start(db, PTY_PLAIN);
    explore_see(p, "if that was killed, 6 offers it within");
    rig_sql(db, "UPDATE job SET lease_until = 1");   /* instead of waiting until it runs out */
    pty_keys(p, "6");
    explore_see(p, "1 interrupted");
    pty_keys(p, "r");
    explore_see(p, "1 done");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    explore_quit(p);
    assert_one_whole_file(db);
    assert_int_equal(rig_number(db, "SELECT b.id" STORED_BLOCKS " ORDER BY b.id"), kept);
    assert_int_equal(rig_number(db, "SELECT b.xxh3" STORED_BLOCKS " ORDER BY b.id"), hash);

    char *ranked[2];
    static const char *const name[2] = { "killed.db", "whole.db" };
    for (size_t i = 0; i < 2; i++)
        ranked[i] = explore_shell("'%s' rank '%s' --query gen:0 " SQUARE " --top 48 --bottom 0 --csv", explore_environment("DTRAK"),
                          rig_path(name[i]));
    assert_string_equal(ranked[0], ranked[1]);
    free(ranked[0]);
    free(ranked[1]);
}

int main(void) {
    const struct rlimit no_core = { 0, 0 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixels_show_the_items_of_the_ranking),
        cmocka_unit_test(a_plain_terminal_gets_half_blocks_and_the_right_labels),
        cmocka_unit_test(in_tmux_no_question_is_left_on_the_screen),
        cmocka_unit_test(an_idle_screen_that_tells_the_speed_sends_nothing),
        cmocka_unit_test(the_terminal_is_as_before_after_q),
        cmocka_unit_test(and_after_sigterm),
        cmocka_unit_test(and_after_a_crash),
        cmocka_unit_test(and_after_sighup_with_one_whole_file),
        cmocka_unit_test(r_computes_what_is_missing),
        cmocka_unit_test(a_killed_computation_is_offered_again_and_goes_on),
    };
    setrlimit(RLIMIT_CORE, &no_core);
    return cmocka_run_group_tests_name("explorer", tests, NULL, rig_end);
}
