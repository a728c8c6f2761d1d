/* walk_test.c - random keys, clicks and sizes on a terminal with pictures, on the demo
 * database: the program goes on, draws whole pictures, and puts the terminal back.
 *
 * WALK_SEED=N walks elsewhere.  The long walk, without a terminal, is in
 * tests/unit/actions_test.c. */
#include "../lib/pty.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { KEYS = 1500, BURST = 12 };

static char program[4096], demo[4096];

static struct pty *explore(void) {
    static char view[] = "view", read_only[] = "--read-only", fresh[] = "--fresh";
    char *argv[] = { program, view, demo, read_only, fresh, NULL };
    struct pty *p = pty_run(argv, 36, 120, PTY_SIXEL);
    assert_non_null(p);
    if (!pty_wait_for(p, "gen:0")) fail_msg("nothing is on the screen:\n%s", vt_row(pty_screen(p), 0));
    return p;
}

/* One key as a terminal sends it.  Not ^Z, which would stop the program, and seldom what
 * leaves. */
static void append_key(char *bytes, size_t size, struct rng *r) {
    static const char *const special[] = { "\r", "\t", "\033[Z", "\177", "\033[A", "\033[B", "\033[C", "\033[D", "\033[5~", "\033[6~",
        "\033[H", "\033[F", "\033OP", "\014", "\002", "\006", "\xc3\xa9", "1", "2", "3", "4", "5", "6", "7", "8", "2", "\033[200~" };
    size_t n = sizeof special / sizeof special[0], at = strlen(bytes);
    uint32_t u = rng_below(r, (uint32_t)n + 95 + 6);
    if (u < n) snprintf(bytes + at, size - at, "%s", special[u]);
    else if (u < n + 6) snprintf(bytes + at, size - at, "\033[<%u;%u;%uM", (unsigned)(u % 3 == 0 ? 64 + u % 2 : 0), 1 + rng_below(r, 120), 1 + rng_below(r, 36));
    else if (u - n - 6 + ' ' != 'Q' && u - n - 6 + ' ' != 'q') snprintf(bytes + at, size - at, "%c", (int)(u - n - 6 + ' '));
}

/* resized: then a picture may have been on its way to where the last row is now. */
static void expect_left_well(struct pty *p, int resized) {
    int status = pty_wait_end(p);
    struct vt_state s = vt_state(pty_screen(p));
    assert_int_not_equal(status, -1);
    if (WIFSIGNALED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(pty_is_restored(p));
    assert_false(s.is_alternate || s.is_cursor_hidden || s.is_mouse_on || s.is_in_sync);
    assert_int_equal(s.bad_pictures, 0);
    if (!resized) assert_int_equal(s.on_last_row, 0);
    assert_string_equal(s.unknown_text, "");
    pty_free(p);
}

static void random_keys_on_a_terminal(void **state) {
    (void)state;
    const char *text = getenv("WALK_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 5;
    struct rng r = rng_at(seed, RNG_TEST, 18, 0);
    size_t sent = 0, pictures = 0, left = 0;
    int resized = 0;
    printf("# WALK_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    struct pty *p = explore();
    while (sent < KEYS) {
        char bytes[BURST * 16] = "";
        size_t burst = 1 + rng_below(&r, BURST - 1);
        for (size_t i = 0; i < burst; i++) append_key(bytes, sizeof bytes, &r);
        pty_keys(p, bytes);
        sent += burst;
        if (sent > KEYS / 2 && rng_below(&r, 10) == 0) {
            pty_resize(p, 1 + rng_below(&r, 60), 1 + rng_below(&r, 180));
            resized = 1;
        }
        pty_settle(p, rng_below(&r, 10) ? 4 : 100);   /* long enough for pictures on a slow machine too */
        if (!pty_has_ended(p)) continue;
        /* The palette leaves too. */
        pictures += vt_state(pty_screen(p)).pictures_drawn;
        expect_left_well(p, resized);
        p = explore();
        resized = 0;
        left++;
    }
    pictures += vt_state(pty_screen(p)).pictures_drawn;
    /* A prompt may be open, which Esc closes; with the Q right behind, that would be Alt-Q. */
    for (int i = 0; i < PTY_WAIT_MS / 500 && !pty_has_ended(p); i++) {
        pty_keys(p, i % 2 ? "Q" : "\033");
        pty_settle(p, 500);
    }
    expect_left_well(p, resized);
    assert_true(pictures > 20 && left < 20);
}

/* An export goes to the folder where one is. */
static int enter(void **state) {
    (void)state;
    const char *name = getenv("DTRAK"), *work = getenv("WORK");
    assert_true(name && work && realpath(name, program) && realpath("assets/demo.db", demo));
    return chdir(work);
}

int main(void) {
    const struct rlimit no_core = { 0, 0 };
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_keys_on_a_terminal) };
    setrlimit(RLIMIT_CORE, &no_core);
    return cmocka_run_group_tests_name("walk", tests, enter, NULL);
}
