/* slow_line_test.c - the explorer over 1 Mbit/s with a round trip of 100 ms.
 *
 * The line between the program and the terminal is a thread that never pushes back
 * (lib/slow_line.h), so what the program sends too early waits there and is measured. */
#include "../lib/ranking_on_screen.h"
#include "../lib/store_rig.h"
#include "dtrak/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BYTES_PER_S 125000.
#define LONGEST_S 0.06      /* between two keys of a burst; after a little more pictures may begin */
enum { ROWS = EXPLORE_ROWS, COLS = EXPLORE_COLS };
enum { ONE_WAY_MS = 50, ROUND_TRIP_MS = 100, LABELS_MS = 200, TILE = 12000, TRIES = 14, PAGES = 12, BURST = 20 };

static struct pty *explore_slowly(const char *db, enum pty_kind kind) {
    pty_next_is_slow(BYTES_PER_S, ONE_WAY_MS);
    return explore_start(db, kind);
}

/* Nothing came for longer than the program waits before it makes pictures better. */
static void come_to_rest(struct pty *p) { assert_true(pty_settle(p, 1000)); }

struct rows { char row[ROWS][COLS * 8]; };

static struct rows *rows_now(const struct pty *p) {
    struct rows *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (size_t i = 0; i < ROWS; i++) snprintf(r->row[i], sizeof r->row[i], "%s", vt_row(pty_screen(p), i));
    return r;
}

static int shows_rows(struct pty *p, const struct rows *r) {
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(r->row[i], vt_row(pty_screen(p), i)) != 0) return 0;
    return 1;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How long the machine has kept from running what a key passes through on its way to the
 * screen: the program's main thread, the line and this test. */
static double held_up_ms(const struct pty *p) { return 1e3 * (held_up_s(pty_pid(p), 1) + held_up_s(getpid(), 0)); }

/* Presses there and back, among pictures that are under way all the time; how long the labels took. */
static void time_labels(struct pty *p, struct rows *const page[2], double ms[TRIES]) {
    double held = 0;
    for (size_t i = 0; i < TRIES; i++) {
        double start = clock_s(), held_before = held_up_ms(p);
        pty_keys(p, i % 2 ? "." : ",");
        while (!shows_rows(p, page[i % 2])) {
            if (clock_s() - start > PTY_WAIT_MS / 1e3) { explore_dump(p); fail_msg("the labels did not come"); }
            pty_pump(p, 5);
        }
        double waited = held_up_ms(p) - held_before;
        ms[i] = (clock_s() - start) * 1e3 - waited;
        held += waited / TRIES;
        /* Long enough for the first pictures to be on the way. */
        double until = clock_s() + .2 + .03 * (double)i;
        while (clock_s() < until) pty_pump(p, 5);
    }
    qsort(ms, TRIES, sizeof *ms, by_size);
    print_message("labels after %.0f ms (median of %d), %.0f ms at most, without %.0f ms for which others had the processors; "
                  "%zu bytes under way at most, %zu of pictures\n", ms[TRIES / 2], TRIES, ms[TRIES - 1], held,
                  slow_line_most(pty_line(p)).bytes, slow_line_most(pty_line(p)).picture_bytes);
}

/* Of three rounds one is in time to the last key: what else holds the machine up is in no count.
 * Most keys of each are. */
static void labels_come_within_a_round_trip_and_a_fifth_of_a_second(void **state) {
    (void)state;
    struct pty *p = explore_slowly(ranking_world(), PTY_SIXEL);
    double ms[TRIES], most = PTY_WAIT_MS, limit = ROUND_TRIP_MS + LIMIT_S(LABELS_MS);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    come_to_rest(p);
    struct rows *page[2] = { rows_now(p), NULL };
    pty_keys(p, ".");
    come_to_rest(p);
    page[1] = rows_now(p);
    assert_false(shows_rows(p, page[0]));
    slow_line_reset(pty_line(p));
    for (int round = 0; round < 3 && most > limit; round++) {
        time_labels(p, page, ms);
        most = ms[TRIES - 1];
        if (ms[TRIES / 2] > limit) fail_msg("labels after %.0f ms as a rule", ms[TRIES / 2]);
    }
    assert_in_range(slow_line_most(pty_line(p)).picture_bytes, 1, TILE);
    if (most > limit) fail_msg("labels after %.0f ms", most);
    free(page[0]);
    free(page[1]);
    explore_quit(p);
}

static void never_more_than_a_tile_is_on_its_way(void **state) {
    (void)state;
    static const char *const keys[] = { "2", "f", "f", "\r", "q", "3", "q", "1", "2", ".", ".", "\r" };
    struct pty *p = explore_slowly(ranking_world(), PTY_SIXEL);
    explore_see(p, "gen:0");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        pty_keys(p, keys[i]);
        assert_true(pty_settle(p, 700));       /* some come to rest, some do not */
    }
    come_to_rest(p);
    struct slow_line_most most = slow_line_most(pty_line(p));
    struct vt_state s = vt_state(pty_screen(p));
    print_message("%zu pictures; %zu bytes of pictures under way at most, %zu bytes of all\n", s.pictures_drawn,
                  most.picture_bytes, most.bytes);
    assert_true(s.pictures_drawn > 50);
    assert_in_range(most.picture_bytes, 1, TILE);
    assert_int_equal(s.bad_pictures, 0);
    assert_int_equal(s.on_last_row, 0);
    explore_quit(p);
}

/* Away from gen:0 and back, a key every 20 ms.  Returns the longest pause between two, as pressed
 * or as they came, in seconds: where the machine made one, a picture may well have begun in it. */
static double press_a_burst(struct pty *p) {
    double longest = 0, last = clock_s();
    slow_line_reset(pty_line(p));
    for (size_t i = 0; i < BURST; i++) {
        double now = clock_s();
        if (now - last > longest) longest = now - last;
        last = now;
        pty_keys(p, i % 2 ? "," : ".");
        while (clock_s() < now + .02) pty_pump(p, 5);
    }
    double came = slow_line_most(pty_line(p)).pause_s;
    return came > longest ? came : longest;
}

/* What is drawn after the last key is that page's; what was drawn before it is little. */
static void a_burst_of_keys_shows_the_last_page_alone(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking last = ranking_of(db, SQUARE);
    struct pty *p = explore_slowly(db, PTY_SIXEL);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    come_to_rest(p);
    const struct vt_picture *whole[128];
    size_t boxes = vt_pictures(pty_screen(p), whole, 128), before = 0;
    double longest = 1;
    for (int i = 0; i < 8 && longest > LONGEST_S; i++) {
        come_to_rest(p);
        before = vt_state(pty_screen(p)).pictures_drawn;
        longest = press_a_burst(p);
    }
    if (longest > LONGEST_S) {                 /* this machine makes no burst */
        explore_quit(p);
        skip();
    }
    size_t sent = vt_state(pty_screen(p)).pictures_drawn;
    ranking_assert_painted(p, db, &last);
    come_to_rest(p);
    size_t drawn = vt_state(pty_screen(p)).pictures_drawn - before;
    print_message("%zu boxes, %zu pictures were drawn, %zu of them before the last key, keys at most %.0f ms apart\n", boxes, drawn,
                  sent - before, longest * 1e3);
    /* One of the first page's pictures may have been in hand; each of the last page's comes
     * once, and once more where it can be better. */
    assert_true(sent - before <= 1);
    assert_true(drawn <= 1 + 2 * boxes);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    explore_quit(p);
}

/* The first page's pictures begin next to the cursor. */
static void pictures_come_from_the_cursor_outward(void **state) {
    (void)state;
    struct pty *p = explore_slowly(ranking_world(), PTY_SIXEL);
    explore_see(p, "gen:0");
    come_to_rest(p);
    pty_keys(p, "G");                          /* the last of the gallery */
    come_to_rest(p);
    pty_keys(p, "\f");                         /* all again */
    size_t n = 0, row = 0, col = 0, first_row = 0, first_col = 0;
    const struct vt_picture *whole[128];
    assert_true(vt_find(pty_screen(p), ">", &row, &col));
    for (double end = clock_s() + PTY_WAIT_MS / 1e3; n == 0 && clock_s() < end;) {
        pty_pump(p, 5);
        n = vt_pictures(pty_screen(p), whole, 128);
        if (n > 8) n = 0;                      /* those from before are still there */
    }
    assert_in_range(n, 1, 8);
    first_row = whole[0]->row;                 /* they are in the order in which they came */
    first_col = whole[0]->col;
    assert_in_range(first_row, row, row + 3);
    assert_in_range(first_col, col, col + 5);
    explore_quit(p);
}

/* What the footer says: megabits a second, and the round trip. */
static void read_footer(const struct pty *p, double *speed, double *ms) {
    const char *row = vt_row(pty_screen(p), ROWS - 1), *at = strstr(row, "Mbit/s");
    assert_non_null(at);
    while (at > row && (at[-1] == ' ' || at[-1] == '.' || (at[-1] >= '0' && at[-1] <= '9'))) at--;
    assert_int_equal(sscanf(at, " %lf Mbit/s %lf ms", speed, ms), 2);
}

static int tells_no_speed(struct pty *p, const void *ctx) {
    (void)ctx;
    return !vt_find(pty_screen(p), "Mbit/s", NULL, NULL);
}

/* A speed is low where the program came late to the answers, never high; the best of the last
 * few counts, so that another page mends it. */
static void the_footer_tells_the_speed(void **state) {
    (void)state;
    struct pty *p = explore_slowly(ranking_world(), PTY_SIXEL);
    double speed = 0, ms = 0;
    explore_see(p, "gen:0");
    for (int page = 0; page < PAGES && speed <= .6 / SLOWER; page++) {
        pty_keys(p, page == 0 ? "2" : page % 2 ? "." : ",");
        come_to_rest(p);
        pty_keys(p, "L");
        explore_see(p, "Mbit/s");
        explore_see(p, " ms  ");
        explore_see(p, "pictures ");
        read_footer(p, &speed, &ms);
        print_message("shown: %.2f Mbit/s, %.0f ms\n", speed, ms);
        assert_true(speed < 1.3);
        assert_true(ms >= ROUND_TRIP_MS && ms < ROUND_TRIP_MS + LIMIT_S(60));
        pty_keys(p, "L");
        explore_until(p, tells_no_speed, NULL, "the footer still tells the speed");
    }
    assert_true(speed > .6 / SLOWER);
    explore_quit(p);
}

/* Answers stop in the middle of a page: pictures go on after a while, and the program ends
 * without its answers being typed into the shell. */
static void a_terminal_that_falls_silent_does_not_stop_it(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct pty *p = explore_slowly(db, PTY_SIXEL);
    explore_see(p, "gen:0");
    come_to_rest(p);
    pty_become(p, PTY_SILENT);
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    explore_until(p, ranking_is_painted, &r, "pictures stopped when answers did");
    pty_become(p, PTY_SIXEL);
    pty_keys(p, "f");
    explore_see(p, "loss avg");
    explore_quit(p);
}

/* Answers that come after the end would be typed into the shell. */
static void no_answer_is_left_for_the_shell(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pty *p = explore_slowly(ranking_world(), PTY_SIXEL);
        if (i) explore_see(p, "gen:0");
        if (i == 2) pty_settle(p, 150);
        pty_keys(p, "Q");
        int status = pty_wait_end(p);
        assert_true(WIFEXITED(status));
        assert_int_equal(pty_unread(p, 300), 0);
        explore_free_after(p, status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_come_within_a_round_trip_and_a_fifth_of_a_second),
        cmocka_unit_test(never_more_than_a_tile_is_on_its_way),
        cmocka_unit_test(a_burst_of_keys_shows_the_last_page_alone),
        cmocka_unit_test(pictures_come_from_the_cursor_outward),
        cmocka_unit_test(the_footer_tells_the_speed),
        cmocka_unit_test(a_terminal_that_falls_silent_does_not_stop_it),
        cmocka_unit_test(no_answer_is_left_for_the_shell),
    };
    return cmocka_run_group_tests_name("slow_line", tests, NULL, rig_end);
}
