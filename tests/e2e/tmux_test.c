/* tmux_test.c - the explorer in a pane of a real tmux: half blocks where they belong, pictures
 * past it to the terminal outside, and the pane as before at the end.  Skipped where there is
 * no tmux. */
#include "../lib/characters.h"
#include "../lib/store_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

/* tmux's status line is at the top, another pane at the left: the explorer's corner is here. */
enum { TOP_ROW = 1, LEFT = 24, LEFT_COL = LEFT + 1, ROWS = EXPLORE_ROWS + 1, COLS = EXPLORE_COLS + LEFT_COL };

/* Each test has a server of its own: the one before it may still be leaving. */
static int servers;

static const char *socket_path(void) {
    char name[32];
    snprintf(name, sizeof name, "tmux%d", servers);
    return rig_path(name);
}

/* A socket's path must be short. */
static int has_tmux(void) { return system("command -v tmux > /dev/null 2>&1") == 0 && strlen(socket_path()) < 100; }

/* Versions that have sixels of their own draw with them unless they are told not to. */
static int has_own_sixels(void) {
    char *text = explore_shell("tmux -S '%s.ask' -f /dev/null start-server \\; display-message -p '#{sixel_support}' 2>&1 || true", socket_path());
    int has = text[0] == '1';
    free(text);
    return has;
}

static int end_server(void **state) {
    char line[4200];
    (void)state;
    snprintf(line, sizeof line, "tmux -S '%s' kill-server 2> /dev/null || true", socket_path());   /* or it had ended */
    return has_tmux() && system(line) != 0;
}

/* The explorer on the ranking, in the right pane of a new server.  It ends with its client. */
static struct pty *start(const char *db, enum pty_kind kind, const char *options) {
    char sock[4096], command[9000], left[8];
    servers++;
    snprintf(left, sizeof left, "%d", LEFT);
    snprintf(sock, sizeof sock, "%s", socket_path());
    snprintf(command, sizeof command, "echo it was; '%s' view '%s' --fresh --threads 1 %s; echo and is $?; exec cat",
             explore_environment("DTRAK"), db, options);
    const char *words[] = { "tmux", "-S", sock, "-f", "/dev/null", "start-server", ";", "set", "-g", "exit-unattached", "on", ";",
                            "set", "-g", "default-terminal", "tmux-256color", ";", "set", "-g", "status-position", "top", ";",
                            "set", "-gq", "allow-passthrough", strstr(options, "passthrough") ? "on" : "off", ";",
                            "new-session", command, ";", "split-window", "-hbd", "-l", left, "echo beside; exec cat", NULL };
    struct pty *p = pty_run((char *const *)(uintptr_t)words, ROWS, COLS, kind);
    assert_non_null(p);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    return p;
}

static int shows_no_picture(struct pty *p, const void *ctx) {
    const struct vt_picture *any;
    (void)ctx;
    return vt_pictures(pty_screen(p), &any, 1) == 0 && vt_torn_cells(pty_screen(p)) == 0;
}

/* Q gives the pane back: its text, a cursor, no picture; then tmux ends. */
static void leave(struct pty *p) {
    size_t row, col;
    pty_keys(p, "Q");
    explore_see(p, "and is 0");
    explore_until(p, shows_no_picture, NULL, "a picture is left in the pane");
    assert_true(vt_find(pty_screen(p), "it was", &row, &col));
    assert_int_equal(row, TOP_ROW);
    assert_int_equal(col, LEFT_COL);
    assert_true(vt_find(pty_screen(p), "and is 0", &row, &col));
    assert_int_equal(row, TOP_ROW + 1);
    assert_false(vt_find(pty_screen(p), "proponents", NULL, NULL));
    assert_true(vt_find(pty_screen(p), "beside", &row, &col));
    pty_keys(p, "typed");
    explore_see(p, "typed");                       /* the pane echoes */
    assert_false(vt_state(pty_screen(p)).is_cursor_hidden);
    assert_int_equal(end_server(NULL), 0);
    int status = pty_wait_end(p);
    assert_true(WIFEXITED(status));
    assert_true(pty_is_restored(p));
    assert_false(vt_state(pty_screen(p)).is_alternate);
    pty_free(p);
}

static void half_blocks_stand_in_the_pane(void **state) {
    (void)state;
    if (!has_tmux()) skip();
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct characters w = { .db = db, .r = &r, .row = TOP_ROW, .col = LEFT_COL, .most = 2.5 }, *at = &w;
    struct pty *p = start(db, PTY_PLAIN, has_own_sixels() ? "--graphics half" : "");
    explore_until(p, characters_are_in_place, &at, "not every picture is right");
    print_message("half blocks in tmux: mean error of a picture %.2f at the worst\n", w.worst);
    characters_assert_distinct(p, &w);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 0);
    pty_keys(p, "l");                              /* tmux repaints what changes, where it is */
    explore_see(p, ">2 train:");
    explore_until(p, characters_are_right, &at, "a picture changed with the cursor");
    leave(p);
}

static int past_tmux(struct pty *p, const void *ctx) {
    for (size_t i = 0; i < 2 * TOP; i++)
        if (!ranking_picture(p, ctx, i / TOP, i % TOP)) return 0;
    return explore_picture_in(p, TOP_ROW + 2, LEFT_COL + 1, 3, 20) != NULL;
}

static void pictures_go_past(enum pty_kind kind, const char *options) {
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    unsigned char query[EXPLORE_PIXELS];
    struct pty *p = start(db, kind, options);
    explore_until(p, past_tmux, &r, "not every picture went past tmux");
    for (size_t i = 0; i < 2 * TOP; i++)
        ranking_assert_shows(&ranking_picture(p, &r, i / TOP, i % TOP)->image, db, r.item[i / TOP][i % TOP]);
    explore_pixels(db, SPLIT_GEN, 0, query);
    assert_true(explore_psnr(&explore_picture_in(p, TOP_ROW + 2, LEFT_COL + 1, 3, 20)->image, query) >= SAME_DB);
    struct vt_state s = vt_state(pty_screen(p));
    assert_int_equal(s.bad_pictures, 0);
    assert_int_equal(s.passed, 0);                 /* tmux has taken the wrapping off */
    leave(p);
}

static void sixels_go_past_it(void **state) {
    (void)state;
    if (!has_tmux()) skip();
    pictures_go_past(PTY_SIXEL, "--passthrough");
}

static void kittys_pictures_go_past_it(void **state) {
    (void)state;
    if (!has_tmux()) skip();
    pictures_go_past(PTY_KITTY, "--passthrough --graphics kitty");
}

static int clear(void **state) {
    end_server(state);
    rig_clear();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(half_blocks_stand_in_the_pane, end_server),
        cmocka_unit_test_teardown(sixels_go_past_it, end_server),
        cmocka_unit_test_teardown(kittys_pictures_go_past_it, end_server),
    };
    return cmocka_run_group_tests_name("tmux", tests, NULL, clear);
}
