/* A whole session on a scripted terminal: keys in, bytes out, pictures decoded. */
#include "dtrak/frame.h"
#include "../lib/pty.h"
#include "../lib/slower.h"
#include "../lib/term_scene.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Mean squared difference between picture and item `key`, which fills its box of 120 x 120. */
static double difference(const struct vt_picture *p, unsigned key) {
    unsigned char rgba[32 * 32 * 4];
    double sum = 0;
    scene_pixels(rgba, key);
    size_t w = p->image.width, h = p->image.height;
    assert_int_equal(w, 120);
    assert_int_equal(h, 120);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t c = 0; c < 4; c++) {
                double d = (double)p->image.rgba[(y * w + x) * 4 + c] - rgba[(y * 32 / h * 32 + x * 32 / w) * 4 + c];
                if (c == 3) assert_true(d == 0);
                sum += d * d;
            }
    return sum / (double)(w * h * 3);
}

/* Where a box of the scene is. */
static size_t box_row(unsigned i) { return 3 + i / 3 * 8; }
static size_t box_col(unsigned i) { return 2 + i % 3 * 14; }

/* How many boxes show what they should, and no picture of before. */
static unsigned right_pictures(const struct vt *v, unsigned base) {
    unsigned n = 0;
    for (unsigned i = 0; i < 6; i++) {
        const struct vt_picture *pic = vt_picture_at(v, box_row(i), box_col(i));
        n += pic && difference(pic, base + i) < 130;
    }
    return n;
}

/* The row holds "train:N" and not only the beginning of a longer number. */
static int has_label(const struct vt *v, size_t row, unsigned number) {
    char label[32];
    snprintf(label, sizeof label, "train:%u", number);
    const char *at = strstr(vt_row(v, row), label);
    while (at && strchr("0123456789", at[strlen(label)]) && at[strlen(label)]) at = strstr(at + 1, label);
    return at != NULL;
}

/* Every box shows its label and its own picture, and a picture of no other item is as near. */
static void check_pictures(struct pty *p, unsigned base) {
    const struct vt *v = pty_screen(p);
    for (int i = 0; i < PTY_WAIT_MS / 100 && right_pictures(v, base) < 6; i++) pty_settle(p, 100);
    for (unsigned i = 0; i < 6; i++) {
        size_t row = box_row(i), col = box_col(i);
        assert_true(has_label(v, row - 1, base + i));
        const struct vt_picture *pic = vt_picture_at(v, row, col);
        assert_non_null(pic);
        double own = difference(pic, base + i);
        assert_true(own < 130);
        for (unsigned other = base; other < base + 12; other++)
            if (other != base + i) assert_true(difference(pic, other) > 4 * own);
    }
    assert_int_equal(vt_torn_cells(v), 0);
    assert_int_equal(vt_state(v).bad_pictures, 0);
    assert_int_equal(vt_state(v).on_last_row, 0);
    assert_false(vt_state(v).is_in_sync);
    assert_string_equal(vt_state(v).unknown_text, "");
}

static void pictures_stand_in_their_boxes(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    assert_true(vt_state(pty_screen(p)).is_alternate);
    check_pictures(p, 0);
    assert_non_null(strstr(vt_row(pty_screen(p), 1), "┌ pictures λ 日本 ▒ ─"));
    scene_quit(p);
}

static void a_bare_sixel_terminal_gets_the_same_pictures(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = scene_start(&scene, PTY_SIXEL_BARE);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    check_pictures(p, 0);
    assert_null(strstr(pty_output(p), "\033[?2026h"));
    scene_quit(p);
}

/* Everything that sixels do, over the other two protocols. */
static void other_protocols_show_the_same_pictures(void **state) {
    (void)state;
    static const enum pty_kind kinds[] = { PTY_KITTY, PTY_ITERM2 };
    static const char *const names[] = { "kitty", "iterm2" };
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        struct pty *p = scene_start(&scene, kinds[i]);
        assert_true(pty_wait_for(p, names[i]));
        pty_settle(p, 200);
        check_pictures(p, 0);
        size_t drawn = vt_state(pty_screen(p)).pictures_drawn;
        assert_int_equal(drawn, 6);
        pty_keys(p, "t");                       /* text beside costs no picture */
        assert_true(pty_wait_for(p, "some text beside"));
        pty_settle(p, 200);
        assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, drawn);
        pty_keys(p, "tn");                      /* others in the same places */
        assert_true(pty_wait_for(p, "train:11"));
        pty_settle(p, 200);
        check_pictures(p, 6);
        pty_keys(p, "m");                       /* a window over them */
        assert_true(pty_wait_for(p, "window"));
        pty_settle(p, 200);
        assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
        pty_keys(p, "m");
        pty_settle(p, 200);
        check_pictures(p, 6);
        pty_keys(p, "l");                       /* redraw */
        pty_settle(p, 200);
        check_pictures(p, 6);
        pty_resize(p, 30, 90);
        assert_true(pty_wait_for(p, "90x30"));
        pty_settle(p, 200);
        check_pictures(p, 6);
        scene_quit(p);
    }
}

static void kitty_pictures_go_with_the_program(void **state) {
    (void)state;
    static const int signals[] = { 0, SIGTERM, SIGSEGV };
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        const struct vt_picture *left[8];
        struct pty *p = scene_start(&scene, PTY_KITTY);
        assert_true(pty_wait_for(p, "kitty"));
        pty_settle(p, 200);
        assert_int_equal(vt_pictures(pty_screen(p), left, 8), 6);
        if (signals[i]) pty_signal(p, signals[i]);
        else pty_keys(p, "q");
        pty_wait_end(p);
        assert_int_equal(vt_pictures(pty_screen(p), left, 8), 0);
        assert_true(pty_is_restored(p));
        pty_free(p);
    }
}

static int print_report(void *ctx) {
    struct buf text = BUF_INIT;
    (void)ctx;
    if (probe_report(&text, 2000) != OK) return 1;
    fputs(text.data, stdout);
    fflush(stdout);
    buf_free(&text);
    return 0;
}

static void a_report_says_what_was_found(void **state) {
    (void)state;
    static const struct { enum pty_kind kind; const char *lines[4]; } t[] = {
        { PTY_SIXEL, { "name           scripted(1)", "sixel          yes", "cell           10x20 pixels (16t)",
                       "paints with    sixel" } },
        { PTY_KITTY, { "sixel          no", "kitty          yes", "paints with    kitty", "window         80x24" } },
        { PTY_TMUX, { "tmux           yes", "kitty          not asked", "cell           10x20 pixels (ioctl)",
                      "answered       yes" } },
        { PTY_SILENT, { "answered       no", "name           not told", "sixel          no", "window         80x24" } },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct pty *p = pty_call(print_report, NULL, SCENE_ROWS, SCENE_COLS, t[i].kind);
        assert_non_null(p);
        assert_true(pty_wait_for(p, "paints with"));
        for (size_t k = 0; k < 4; k++) assert_true(vt_find(pty_screen(p), t[i].lines[k], NULL, NULL));
        assert_int_equal(pty_wait_end(p), 0);
        assert_true(pty_is_restored(p));
        pty_free(p);
    }
}

static void only_what_changed_is_sent(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    size_t drawn = vt_state(pty_screen(p)).pictures_drawn, bytes = pty_bytes(p);
    assert_int_equal(drawn, 6);
    pty_keys(p, "t");                       /* text beside, on the pictures' own rows */
    assert_true(pty_wait_for(p, "some text beside"));
    pty_keys(p, "t");
    pty_settle(p, 200);
    assert_false(vt_find(pty_screen(p), "some text beside", NULL, NULL));
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, drawn);
    assert_true(pty_bytes(p) - bytes < 1000);
    check_pictures(p, 0);
    /* Rows that curses takes for blank, were it not for the pictures in them. */
    pty_keys(p, "b");
    pty_settle(p, 200);
    assert_string_equal(vt_row(pty_screen(p), 4), "");
    check_pictures(p, 0);
    pty_keys(p, "b");
    pty_settle(p, 200);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, drawn);
    check_pictures(p, 0);
    pty_keys(p, "n");
    assert_true(pty_wait_for(p, "train:11"));
    pty_settle(p, 200);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, drawn + 6);
    check_pictures(p, 6);
    scene_quit(p);
}

/* Not even that a synchronised update begins and ends. */
static void of_a_frame_that_stands_there_nothing_is_sent(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_keys(p, "x");
    assert_true(pty_wait_for(p, "key x"));
    pty_settle(p, 200);
    size_t bytes = pty_bytes(p);
    assert_non_null(strstr(pty_output(p), "\033[?2026h"));
    pty_keys(p, "x");                       /* drawn and painted again, the same */
    pty_settle(p, 200);
    assert_null(strstr(pty_output(p) + bytes, "2026"));
    pty_keys(p, "y");
    assert_true(pty_wait_for(p, "key y"));
    pty_settle(p, 200);                     /* its end may come in another piece */
    check_pictures(p, 0);
    scene_quit(p);
}

static void a_window_over_pictures_removes_them_and_they_come_back(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    const struct vt_picture *left[8];
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    pty_keys(p, "m");
    assert_true(pty_wait_for(p, "window"));
    pty_settle(p, 200);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    assert_int_equal(vt_pictures(pty_screen(p), left, 8), 2);   /* the right column */
    pty_keys(p, "m");
    pty_settle(p, 200);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 6 + 4);
    check_pictures(p, 0);
    scene_quit(p);
}

static void redraw_and_resize_send_all_again(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    size_t clears = vt_state(pty_screen(p)).clears;
    pty_keys(p, "l");
    pty_settle(p, 200);
    assert_true(vt_state(pty_screen(p)).clears > clears);
    check_pictures(p, 0);
    pty_resize(p, 30, 100);
    assert_true(pty_wait_for(p, "scene 100x30"));
    pty_settle(p, 200);
    check_pictures(p, 0);
    pty_resize(p, 13, 50);                  /* the lower row of boxes is cut, or gone */
    assert_true(pty_wait_for(p, "scene 50x13"));
    pty_settle(p, 200);
    assert_int_equal(vt_state(pty_screen(p)).on_last_row, 0);
    assert_non_null(vt_picture_at(pty_screen(p), 3, 2));
    pty_resize(p, 1, 1);
    pty_settle(p, 200);
    pty_resize(p, 24, 80);
    assert_true(pty_wait_for(p, "scene 80x24"));
    pty_settle(p, 200);
    check_pictures(p, 0);
    scene_quit(p);
}

static void a_plain_terminal_gets_half_blocks(void **state) {
    (void)state;
    static const enum pty_kind kinds[] = { PTY_PLAIN, PTY_TMUX };
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        struct pty *p = scene_start(&scene, kinds[i]);
        assert_true(pty_wait_for(p, "half"));
        pty_settle(p, 200);
        assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 0);
        assert_non_null(strstr(vt_row(pty_screen(p), 4), "▀"));
        assert_true(vt_find(pty_screen(p), "train:5", NULL, NULL));
        assert_string_equal(vt_state(pty_screen(p)).unknown_text, "");
        pty_keys(p, "m");
        assert_true(pty_wait_for(p, "window"));
        pty_settle(p, 200);
        assert_non_null(strstr(vt_row(pty_screen(p), 7), "│         │                  │"));
        scene_quit(p);
    }
}

static void a_silent_terminal_shows_text_at_once_and_pictures_after_the_deadline(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO, .probe_ms = 700 };
    struct pty *p = scene_start(&scene, PTY_SILENT);
    assert_true(pty_wait_for(p, "half"));
    /* What it says first, before the deadline: the answer to be had is not known yet. */
    assert_non_null(strstr(pty_output(p), "scene 80x24 auto"));
    pty_become(p, PTY_SIXEL);
    pty_keys(p, "\033[?62;4;22c");          /* an answer later than anybody waits */
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    assert_false(vt_find(pty_screen(p), "key", NULL, NULL));
    check_pictures(p, 0);
    scene_quit(p);
}

static void none_and_ascii_are_obeyed(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_NONE };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "none"));
    pty_settle(p, 200);
    assert_null(strstr(pty_output(p), "\033P"));
    scene_quit(p);
    scene.graphics = GRAPHICS_ASCII;
    p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "ascii"));
    pty_settle(p, 200);
    assert_null(strstr(pty_output(p), "\033P"));
    assert_null(strstr(vt_row(pty_screen(p), 4), "▀"));
    assert_non_null(strpbrk(vt_row(pty_screen(p), 4), ".:-=+*#%@"));
    scene_quit(p);
}

static void pictures_that_come_later_are_painted_when_they_come(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL, .is_late = 1 };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 0);
    pty_signal(p, SIGUSR1);                          /* no key: the terminal is woken by the thread */
    check_pictures(p, 0);
    scene_quit(p);
}

static void keys_mouse_and_escape_arrive(void **state) {
    (void)state;
    static const char *const t[][2] = {
        { "\033[B", "key down" }, { "\033OA", "key up" }, { "\f", "key ctrl-l" }, { "\xC3\xA9", "key é" },
        { "\033", "key esc" }, { "\033[6~", "key pgdn" }, { "\033[<0;11;6M", "mouse 5,10" },
    };
    struct scene scene = { .graphics = GRAPHICS_HALF };
    struct pty *p = scene_start(&scene, PTY_PLAIN);
    assert_true(pty_wait_for(p, "q quit"));
    for (size_t i = 0; i < 7; i++) {
        pty_keys(p, t[i][0]);
        assert_true(pty_wait_for(p, t[i][1]));
    }
    assert_true(vt_state(pty_screen(p)).is_mouse_on);
    scene_quit(p);
}

static void signals_end_it_in_order(void **state) {
    (void)state;
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = { .graphics = GRAPHICS_SIXEL };
        struct pty *p = scene_start(&scene, PTY_SIXEL);
        assert_true(pty_wait_for(p, "sixel"));
        pty_signal(p, signals[i]);
        int status = pty_wait_end(p);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 10 + signals[i]);
        assert_true(pty_is_restored(p));
        assert_false(vt_state(pty_screen(p)).is_alternate);
        pty_free(p);
    }
}

static void fatal_signals_and_exit_restore_the_terminal(void **state) {
    (void)state;
    static const struct { const char *key; int sig; } t[] = {
        { "s", SIGSEGV }, { "a", SIGABRT }, { "o", SIGSEGV }, { "e", 0 }, { NULL, SIGQUIT }, { NULL, SIGUSR1 }, { NULL, SIGPIPE },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct scene scene = { .graphics = GRAPHICS_SIXEL };
        struct pty *p = scene_start(&scene, PTY_SIXEL);
        assert_true(pty_wait_for(p, "sixel"));
        pty_settle(p, 150);
        assert_false(pty_is_restored(p));
        if (t[i].key) pty_keys(p, t[i].key);
        else pty_signal(p, t[i].sig);
        int status = pty_wait_end(p);
        if (t[i].sig) {
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), t[i].sig);
        } else {
            assert_int_equal(WEXITSTATUS(status), 7);
        }
        assert_true(pty_is_restored(p));
        struct vt_state s = vt_state(pty_screen(p));
        assert_false(s.is_alternate || s.is_cursor_hidden || s.is_mouse_on || s.is_in_sync);
        assert_int_equal(s.bad_pictures, 0);
        pty_free(p);
    }
}

/* A line that hangs: the program waits in a write for good, and never looks at its signals. */
static void a_terminal_that_stops_reading_can_be_left(void **state) {
    (void)state;
    if (SIGNALS_WAIT) skip();   /* ThreadSanitizer calls no handler while the write lasts, which is for good */
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 150);
    pty_hold(p);
    pty_keys(p, "l");
    usleep(200000);
    pty_signal(p, SIGTERM);
    sleep(3);
    assert_false(pty_has_ended(p));
    pty_signal(p, SIGTERM);
    UNTIL(pty_has_ended(p));
    int status = pty_wait_end(p);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_true(pty_is_restored(p));
    pty_free(p);
}

static void after_a_stop_everything_is_painted_again(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 150);
    pty_signal(p, SIGSTOP);
    pty_settle(p, 100);
    pty_signal(p, SIGCONT);
    assert_true(pty_wait_for(p, "resumed"));
    pty_settle(p, 200);
    check_pictures(p, 0);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 12);
    scene_quit(p);
}

/* In a process group without a shell over it the kernel ignores the stop; the
 * terminal is left and entered all the same. */
static void suspending_leaves_the_alternate_screen(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 150);
    size_t before = pty_bytes(p);
    pty_keys(p, "z");
    assert_true(pty_wait_for(p, "resumed"));
    pty_settle(p, 200);
    const char *left = strstr(pty_output(p) + before, "\033[?1049l");
    assert_non_null(left);
    assert_non_null(strstr(left, "\033[?1049h"));
    check_pictures(p, 0);
    scene_quit(p);
}

static void keys_during_a_repaint_lose_no_picture(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 150);
    for (int i = 0; i < 5; i++) pty_keys(p, "nnxnmmn");
    pty_settle(p, 300);
    check_pictures(p, 6 * 20);
    scene_quit(p);
}

static void pictures_wait_for_a_terminal_that_is_behind(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_SIXEL, .ahead_bytes = 4000 };
    struct pty *p = scene_start(&scene, PTY_SIXEL_BARE);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 300);
    check_pictures(p, 0);
    pty_become(p, PTY_SILENT);                       /* answers when this test does */
    size_t drawn = vt_state(pty_screen(p)).pictures_drawn, bytes = pty_bytes(p);
    pty_keys(p, "n");
    assert_true(pty_wait_for(p, "train:11"));
    pty_settle(p, 200);
    /* How many pictures fit depends on the colours that the machine's speed allows. */
    assert_in_range(vt_state(pty_screen(p)).pictures_drawn - drawn, 1, 5);
    assert_in_range(pty_bytes(p) - bytes, 1, scene.ahead_bytes + 1500);   /* the rest is text */
    drawn = vt_state(pty_screen(p)).pictures_drawn;
    pty_keys(p, "t");                                /* text is never held back */
    assert_true(pty_wait_for(p, "some text beside"));
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, drawn);
    pty_keys(p, "\033[?62;4;22c");
    pty_settle(p, 200);
    assert_true(vt_state(pty_screen(p)).pictures_drawn > drawn);
    assert_true(vt_state(pty_screen(p)).pictures_drawn < drawn + 6);
    check_pictures(p, 6);                            /* it never answers: after a while it goes on without */
    pty_become(p, PTY_SIXEL_BARE);
    scene_quit(p);
}

/* Answers that come in the same breath as the key that leaves are not waited for once more. */
static void leaving_with_the_answers_there_takes_no_time(void **state) {
    (void)state;
    double least = INFINITY;
    for (int again = 0; again < 3 && least > LIMIT_S(1.5); again++) {   /* the machine may be busy */
        struct scene scene = { .graphics = GRAPHICS_SIXEL };
        struct pty *p = scene_start(&scene, PTY_SIXEL);
        assert_true(pty_wait_for(p, "sixel"));
        pty_settle(p, 300);
        pty_become(p, PTY_SILENT);
        pty_keys(p, "n");
        assert_true(pty_wait_for(p, "train:11"));
        pty_settle(p, 200);
        char keys[512] = "q";
        for (int i = 0; i < 20; i++) strcat(keys, "\033[?62;4;22c");
        struct limit t = limit_begin();
        pty_keys(p, keys);
        assert_int_equal(pty_wait_end(p), 0);
        least = fmin(least, limit_took(t));
        pty_free(p);
    }
    assert_true(least < LIMIT_S(1.5));
}

/* A window that changes its size while answers are on their way does not end the wait for them. */
static void leaving_waits_for_answers_through_signals(void **state) {
    (void)state;
    for (int again = 0;; again++) {
        struct scene scene = { .graphics = GRAPHICS_SIXEL };
        struct pty *p = scene_start(&scene, PTY_SIXEL);
        assert_true(pty_wait_for(p, "sixel"));
        pty_settle(p, 300);
        pty_become(p, PTY_SILENT);
        size_t silent = pty_bytes(p);
        double start = clock_s();
        pty_keys(p, "n");
        assert_true(pty_wait_for(p, "train:11"));
        pty_settle(p, 200);
        size_t before = pty_bytes(p);
        pty_keys(p, "q");
        UNTIL(strstr(pty_output(p) + before, "\033[?1006l") || (pty_pump(p, 5), 0));
        for (int i = 0; i < 3; i++) {
            usleep(30000);
            pty_signal(p, i % 2 ? SIGCONT : SIGWINCH);
        }
        usleep(100000);
        int had_ended = pty_has_ended(p);
        for (const char *s = pty_output(p) + silent; (s = strstr(s, "\033[c")) != NULL; s++) pty_keys(p, "\033[?62;4;22c");
        /* It waits for two seconds: answers that the machine held up for longer say nothing. */
        int is_late = clock_s() - start > 1.5;
        assert_int_equal(pty_wait_end(p), 0);
        size_t left = pty_unread(p, 100);
        pty_free(p);
        if (is_late && again < 4) continue;
        assert_false(had_ended);
        assert_int_equal(left, 0);
        break;
    }
}

static int run_without_terminal(void *term) {
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    setenv("TERM", term, 1);
    return scene_run(&scene);
}

static void a_dumb_terminal_is_refused_in_one_line(void **state) {
    (void)state;
    static char dumb[] = "dumb", odd[] = "no-such-terminal";
    char *const names[] = { dumb, odd };
    for (size_t i = 0; i < 2; i++) {
        struct pty *p = pty_call(run_without_terminal, names[i], SCENE_ROWS, SCENE_COLS, PTY_SILENT);
        int status = pty_wait_end(p);
        assert_int_equal(WEXITSTATUS(status), 8);
        assert_true(vt_find(pty_screen(p), "TERM=", NULL, NULL));
        assert_null(strchr(pty_output(p), '\033'));
        assert_true(pty_is_restored(p));
        pty_free(p);
    }
}

static int run_in_c_locale(void *scene) {
    setenv("LC_ALL", "C", 1);
    return scene_run(scene);
}

static void without_utf8_lines_are_ascii(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = pty_call(run_in_c_locale, &scene, SCENE_ROWS, SCENE_COLS, PTY_PLAIN);
    assert_true(pty_wait_for(p, "ascii"));
    pty_settle(p, 200);
    assert_non_null(strstr(vt_row(pty_screen(p), 1), "+ pictures L ? ?  = ---"));
    for (const char *s = pty_output(p); *s; s++) assert_true((unsigned char)*s < 0x80);
    scene_quit(p);
}

int main(void) {
    setenv("LC_ALL", "C.UTF-8", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_stand_in_their_boxes),
        cmocka_unit_test(a_bare_sixel_terminal_gets_the_same_pictures),
        cmocka_unit_test(other_protocols_show_the_same_pictures),
        cmocka_unit_test(kitty_pictures_go_with_the_program),
        cmocka_unit_test(a_report_says_what_was_found),
        cmocka_unit_test(only_what_changed_is_sent),
        cmocka_unit_test(of_a_frame_that_stands_there_nothing_is_sent),
        cmocka_unit_test(a_window_over_pictures_removes_them_and_they_come_back),
        cmocka_unit_test(redraw_and_resize_send_all_again),
        cmocka_unit_test(a_plain_terminal_gets_half_blocks),
        cmocka_unit_test(a_silent_terminal_shows_text_at_once_and_pictures_after_the_deadline),
        cmocka_unit_test(none_and_ascii_are_obeyed),
        cmocka_unit_test(pictures_that_come_later_are_painted_when_they_come),
        cmocka_unit_test(keys_mouse_and_escape_arrive),
        cmocka_unit_test(signals_end_it_in_order),
        cmocka_unit_test(fatal_signals_and_exit_restore_the_terminal),
        cmocka_unit_test(a_terminal_that_stops_reading_can_be_left),
        cmocka_unit_test(after_a_stop_everything_is_painted_again),
        cmocka_unit_test(suspending_leaves_the_alternate_screen),
        cmocka_unit_test(keys_during_a_repaint_lose_no_picture),
        cmocka_unit_test(pictures_wait_for_a_terminal_that_is_behind),
        cmocka_unit_test(leaving_with_the_answers_there_takes_no_time),
        cmocka_unit_test(leaving_waits_for_answers_through_signals),
        cmocka_unit_test(a_dumb_terminal_is_refused_in_one_line),
        cmocka_unit_test(without_utf8_lines_are_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
