/* job_control_test.c - the explorer as a job of an interactive bash: stopped by Ctrl-Z, gone on
 * with by fg, on a terminal that is bash's own in between. */
#include "../lib/ranking_on_screen.h"
#include "../lib/store_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

static struct pty *bash(const char *db) {
    char *argv[] = { strdup("bash"), strdup("--norc"), strdup("--noprofile"), strdup("-i"), NULL };
    setenv("PS1", "ready> ", 1);
    setenv("INPUTRC", "/dev/null", 1);
    setenv("HISTFILE", "", 1);
    setenv("DB", db, 1);
    setenv("SEEN", rig_path("modes"), 1);
    struct pty *p = pty_run(argv, EXPLORE_ROWS, EXPLORE_COLS, PTY_SIXEL);
    for (size_t i = 0; argv[i]; i++) free(argv[i]);
    assert_non_null(p);
    explore_see(p, "ready>");
    return p;
}

/* The n-th thing that bash is told to do: typed it shows as text, and what it says is its
 * answer.  So the terminal echoes, and nothing was typed before it. */
static void ask_bash(struct pty *p, int n, const char *command) {
    char line[512], said[64];
    snprintf(line, sizeof line, "%s; echo \"$?:\"$((%d * 1000))", command, n);
    snprintf(said, sizeof said, "0:%d", n * 1000);
    pty_keys(p, line);
    explore_see(p, line);
    pty_keys(p, "\r");
    explore_see(p, said);
}

static int is_back(struct pty *p, const void *ctx) {
    struct vt_state s = vt_state(pty_screen(p));
    (void)ctx;
    return !s.is_alternate && !s.is_cursor_hidden && !s.is_mouse_on && !s.is_in_sync;
}

static int is_full_screen(struct pty *p, const void *ctx) {
    struct vt_state s = vt_state(pty_screen(p));
    (void)ctx;
    return s.is_alternate && s.is_cursor_hidden && s.is_mouse_on;
}

/* What bash wrote is gone, and all of the ranking is there. */
static void assert_whole(struct pty *p, const char *db, const struct ranking *r) {
    explore_until(p, is_full_screen, NULL, "the explorer does not have the terminal");
    explore_see(p, "proponents 1-");
    ranking_assert_painted(p, db, r);
    pty_settle(p, 200);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    assert_false(vt_find(pty_screen(p), "ready>", NULL, NULL));
    assert_false(vt_find(pty_screen(p), "stty", NULL, NULL));
}

static void stopped_and_gone_on_with(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct pty *p = bash(db);
    ask_bash(p, 1, "stty -g > \"$SEEN\"");
    pty_keys(p, "\"$DTRAK\" view \"$DB\" --threads 1 --fresh\r");
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    assert_whole(p, db, &r);

    for (int n = 2; n <= 3; n++) {
        size_t before = vt_state(pty_screen(p)).pictures_drawn;
        pty_keys(p, "\032");                                 /* Ctrl-Z */
        explore_until(p, is_back, NULL, "the terminal is not bash's again");
        explore_see(p, "Stopped");
        ask_bash(p, 10 * n, "stty -g | cmp - \"$SEEN\"");    /* echo and all else as before */
        if (n == 3) pty_resize(p, EXPLORE_ROWS + 8, EXPLORE_COLS + 20);   /* only bash hears of it */
        pty_keys(p, "fg\r");
        assert_whole(p, db, &r);
        assert_non_null(strstr(vt_row(pty_screen(p), n == 3 ? EXPLORE_ROWS + 7 : EXPLORE_ROWS - 1), "? help"));
        assert_true(vt_state(pty_screen(p)).pictures_drawn >= before + 2 * TOP + 1);
    }
    pty_keys(p, "l");                                        /* it goes on where it was */
    explore_see(p, ">2 train:");

    /* In the background it does not touch the terminal: it stops again. */
    pty_keys(p, "\032");
    explore_until(p, is_back, NULL, "the terminal is not bash's again");
    explore_see(p, "Stopped");
    pty_keys(p, "bg\r");
    ask_bash(p, 40, "until jobs -s | grep -q view; do sleep .1; done");
    assert_true(is_back(p, NULL));
    pty_keys(p, "fg\r");
    explore_see(p, ">2 train:");

    pty_keys(p, "Q");
    explore_until(p, is_back, NULL, "the terminal is not bash's again");
    ask_bash(p, 50, "test $? = 0 && ! jobs | grep view");
    assert_false(vt_find(pty_screen(p), "4;22c", NULL, NULL));    /* no answer of the terminal was typed */
    ask_bash(p, 60, "stty -g | cmp - \"$SEEN\"");
    pty_keys(p, "exit\r");
    int status = pty_wait_end(p);
    assert_string_equal(vt_state(pty_screen(p)).unknown_text, "");
    explore_free_after(p, status);
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), db);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(stopped_and_gone_on_with) };
    return cmocka_run_group_tests_name("job control", tests, NULL, rig_end);
}
