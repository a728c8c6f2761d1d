/* Inside tmux and GNU screen: rows of pictures as one sixel, and sixels past tmux. */
#include "../../src/term/tmux.h"
#include "../lib/pty.h"
#include "../lib/store_rig.h"
#include "../lib/term_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

/* Until so many pictures were drawn in all. */
static int wait_drawn(struct pty *p, size_t count) {
    for (double end = clock_s() + PTY_WAIT_MS / 1e3; clock_s() < end && vt_state(pty_screen(p)).pictures_drawn < count;)
        if (pty_pump(p, 20) < 0) return 0;
    return vt_state(pty_screen(p)).pictures_drawn >= count;
}

/* Mean squared difference between what is on the screen and item `key`, which fills its box. */
static double difference(const struct vt *v, size_t row, size_t col, unsigned key) {
    enum { SIDE = 120 };
    static unsigned char there[SIDE * SIDE * 4], rgba[32 * 32 * 4];
    double sum = 0;
    scene_pixels(rgba, key);
    vt_pixels(v, row, col, SIDE, SIDE, there);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3; c++) {
                const unsigned char *q = there + (y * SIDE + x) * 4;
                double d = (double)q[c] - rgba[(y * 32 / SIDE * 32 + x * 32 / SIDE) * 4 + c];
                sum += q[3] ? d * d : 255 * 255;
            }
    return sum / (SIDE * SIDE * 3);
}

/* The scene's corner is at that cell. */
static void check_pictures_at(struct pty *p, unsigned base, size_t top, size_t left) {
    const struct vt *v = pty_screen(p);
    for (unsigned i = 0; i < 6; i++) {
        size_t row = top + 3 + i / 3 * 8, col = left + 2 + i % 3 * 14;
        double own = difference(v, row, col, base + i);
        if (own > 130) fail_msg("picture %u: mean squared difference %.0f", i, own);
        for (unsigned other = base; other < base + 6; other++)
            if (other != base + i) assert_true(difference(v, row, col, other) > 3 * own);
    }
    assert_int_equal(vt_state(v).bad_pictures, 0);
    assert_int_equal(vt_state(v).on_last_row, 0);
    assert_string_equal(vt_state(v).unknown_text, "");
}

static void check_pictures(struct pty *p, unsigned base) { check_pictures_at(p, base, 0, 0); }

static void a_row_is_one_sixel_where_tmux_has_them(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    const struct vt_picture *there[16];
    struct pty *p = scene_start(&scene, PTY_TMUX_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 300);
    assert_int_equal(vt_pictures(pty_screen(p), there, 16), 2);
    check_pictures(p, 0);
    size_t drawn = vt_state(pty_screen(p)).pictures_drawn;
    /* Text in a picture's rows takes it away there: it comes again; the other row stays. */
    for (int i = 0; i < 4; i++) {
        pty_keys(p, "t");
        pty_settle(p, 250);
        check_pictures(p, 0);
    }
    pty_keys(p, "b");
    pty_settle(p, 250);
    check_pictures(p, 0);
    assert_true(vt_state(pty_screen(p)).pictures_drawn - drawn <= 2 * 5);
    pty_keys(p, "n");
    assert_true(pty_wait_for(p, "train:11"));
    pty_settle(p, 300);
    check_pictures(p, 6);
    pty_keys(p, "m");
    assert_true(pty_wait_for(p, "window"));
    pty_settle(p, 300);
    pty_keys(p, "m");
    pty_settle(p, 300);
    check_pictures(p, 6);
    pty_keys(p, "l");
    pty_settle(p, 300);
    check_pictures(p, 6);
    pty_resize(p, 30, 90);
    assert_true(pty_wait_for(p, "90x30"));
    pty_settle(p, 300);
    check_pictures(p, 6);
    scene_quit(p);
}

static void sixels_go_past_tmux_when_asked_for(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO, .passthrough = 1 };
    struct pty *p = scene_start(&scene, PTY_TMUX);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 300);
    assert_true(vt_state(pty_screen(p)).passed >= 6);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 6);
    check_pictures(p, 0);
    pty_keys(p, "n");
    assert_true(pty_wait_for(p, "train:11"));
    pty_settle(p, 300);
    check_pictures(p, 6);
    pty_keys(p, "m");
    assert_true(pty_wait_for(p, "window"));
    pty_settle(p, 300);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    pty_keys(p, "m");
    pty_settle(p, 300);
    check_pictures(p, 6);
    /* No sixel but those that are wrapped. */
    for (const char *s = pty_output(p); (s = strstr(s, "\033P")) != NULL; s += 2)
        assert_true(strncmp(s, "\033Ptmux;", 7) == 0 || s[-1] == '\033');
    scene_quit(p);
}

/* --- where the pane is, from a tmux that is a script --- */

/* From the next question on it says that, so much later, or, asked for nothing, nothing at all and
 * does not end. */
static void tmux_says_after(double seconds, const char *answer) {
    const char *path = rig_path("tmux"), *next = rig_path("next");
    FILE *f = fopen(next, "w");
    assert_non_null(f);
    if (answer) fprintf(f, "#!/bin/sh\nsleep %g\necho '%s'\n", seconds, answer);
    else fputs("#!/bin/sh\nexec sleep 1000\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(next, 0755), 0);
    assert_int_equal(rename(next, path), 0);
}

static void tmux_says(const char *answer) { tmux_says_after(0, answer); }

static int run_beside_script(void *scene) {
    char path[4200];
    snprintf(path, sizeof path, "%s:%s", rig_path(""), getenv("PATH"));
    setenv("PATH", path, 1);
    return scene_run(scene);
}

/* The window grows, the pane moves with it; then tmux hangs, and nothing else does. */
static void pictures_follow_a_pane_whose_place_is_waited_for_by_nobody(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO, .passthrough = 1 };
    tmux_says("0 0 on bottom 3.4 on");
    struct pty *p = pty_call(run_beside_script, &scene, 30, 90, PTY_TMUX);
    assert_non_null(p);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 300);
    check_pictures(p, 0);
    tmux_says("7 4 on bottom 3.4 on");
    pty_resize(p, 31, 90);
    assert_true(pty_wait_for(p, "90x31"));
    pty_settle(p, 300);
    check_pictures_at(p, 0, 4, 7);
    tmux_says(NULL);
    pty_resize(p, 32, 91);
    assert_true(pty_wait_for(p, "91x32"));
    pty_keys(p, "n");
    assert_true(pty_wait_for(p, "train:11"));
    assert_true(wait_drawn(p, 18));   /* where the pane was last */
    pty_settle(p, 300);
    check_pictures_at(p, 6, 4, 7);
    tmux_says("0 2 on bottom 3.4 on");
    pty_keys(p, "l");
    assert_true(wait_drawn(p, 24));
    pty_settle(p, 300);
    check_pictures_at(p, 6, 2, 0);
    tmux_says(NULL);
    pty_keys(p, "l");
    scene_quit(p);                        /* and what hangs is ended */
}

/* Text shows meanwhile; a place that nobody told would be wrong until the next redraw. */
static void pictures_wait_for_a_place_that_is_told_late(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO, .passthrough = 1 };
    tmux_says_after(1.6, "7 4 on bottom 3.4 on");
    struct pty *p = pty_call(run_beside_script, &scene, 30, 90, PTY_TMUX);
    assert_non_null(p);
    assert_true(pty_wait_for(p, "sixel"));
    assert_true(wait_drawn(p, 6));
    pty_settle(p, 300);
    check_pictures_at(p, 0, 4, 7);
    assert_int_equal(vt_state(pty_screen(p)).pictures_drawn, 6);
    scene_quit(p);
}

static void outside_tmux_nothing_is_wrapped(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO, .passthrough = 1 };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 300);
    assert_int_equal(vt_state(pty_screen(p)).passed, 0);
    check_pictures(p, 0);
    scene_quit(p);
}

/* What ends the pictures goes the way that they went: tmux would take it for a title. */
static void kittys_pictures_go_past_tmux_and_away(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_KITTY, .passthrough = 1 };
    struct pty *p = scene_start(&scene, PTY_TMUX);
    const struct vt_picture *there[8];
    assert_true(pty_wait_for(p, "kitty"));
    pty_settle(p, 300);
    assert_int_equal(vt_pictures(pty_screen(p), there, 8), 6);
    pty_keys(p, "l");
    pty_settle(p, 300);
    assert_int_equal(vt_pictures(pty_screen(p), there, 8), 6);
    pty_keys(p, "q");
    assert_int_equal(pty_wait_end(p), 0);
    assert_int_equal(vt_pictures(pty_screen(p), there, 8), 0);
    for (const char *s = pty_output(p); (s = strstr(s, "\033_G")) != NULL; s++) assert_true(s > pty_output(p) && s[-1] == '\033');
    pty_free(p);
}

/* Characters are tmux's own business. */
static void half_blocks_do_not_go_past_tmux(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_HALF, .passthrough = 1 };
    struct pty *p = scene_start(&scene, PTY_TMUX);
    assert_true(pty_wait_for(p, "\u2580"));
    pty_settle(p, 300);
    assert_int_equal(vt_state(pty_screen(p)).passed, 0);
    scene_quit(p);
}

static int run_in_screen(void *scene) {
    setenv("TERM", "screen-256color", 1);
    setenv("STY", "1234.pts-0.host", 1);
    return scene_run(scene);
}

static void gnu_screen_gets_half_blocks_and_no_kitty_question(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = pty_call(run_in_screen, &scene, SCENE_ROWS, SCENE_COLS, PTY_PLAIN);
    assert_true(pty_wait_for(p, "half"));
    pty_settle(p, 200);
    assert_null(strstr(pty_output(p), "\033_G"));
    assert_non_null(strstr(vt_row(pty_screen(p), 4), "▀"));
    scene_quit(p);
}

static void what_tmux_says_of_its_pane_is_read(void **state) {
    (void)state;
    static const struct { const char *line; size_t row, col; int known, allows; } t[] = {
        { "0 0 on bottom 3.3a off\n", 0, 0, 1, 0 },   { "40 1 on top 3.3a on\n", 2, 40, 1, 1 },
        { "0 5 3 top 3.4 all\n", 8, 0, 1, 1 },         { "2 3 off top 3.3a 1\n", 3, 2, 1, 1 },
        { "2 3 on bottom 3.2a \n", 3, 2, 1, 1 },       { "2 3 on bottom 3.5 \n", 3, 2, 1, 0 },
        { "no server running\n", 0, 0, 0, 0 },         { "", 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct tmux_pane p;
        tmux_pane_parse(&p, t[i].line);
        assert_int_equal(p.is_known, t[i].known);
        assert_int_equal(p.allows, t[i].allows);
        assert_int_equal(p.row, t[i].row);
        assert_int_equal(p.col, t[i].col);
    }
}

/* A picture of many chunks goes in sequences of a bounded length, nothing lost, each with its place. */
static void long_pictures_are_wrapped_in_pieces(void **state) {
    (void)state;
    for (size_t chunks = 1; chunks < 12; chunks += 5) {
        struct buf b = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
        buf_text(&b, "before");
        buf_text(&b, "\0337\033[5;7H");
        for (size_t i = 0; i < chunks; i++) {
            buf_printf(&want, "\033_Gm=%d;%090zu\033\\", i + 1 < chunks, i);
        }
        buf_add(&b, want.data, want.len);
        buf_text(&b, "\0338");
        tmux_wrap_chunks(&b, 6, 250);
        assert_int_equal(buf_status(&b), OK);
        assert_memory_equal(b.data, "before", 6);
        size_t pieces = 0;
        for (const char *s = b.data + 6; *s; pieces++) {
            size_t start = got.len;
            static const char head[] = "\033Ptmux;\033\0337\033\033[5;7H";
            assert_memory_equal(s, head, sizeof head - 1);
            const char *end = s + sizeof head - 1;
            for (; strncmp(end, "\033\033" "8\033\\", 5) != 0; end += *end == '\033' ? 2 : 1) buf_add(&got, end, 1);
            assert_true(got.len - start <= 250);
            s = end + 5;
        }
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
        assert_int_equal(pieces, (chunks + 1) / 2);
        buf_free(&b);
        buf_free(&got);
        buf_free(&want);
    }
}

static void wrapping_doubles_every_escape(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_text(&b, "before");
    tmux_wrap(&b, b.len);
    assert_string_equal(b.data, "before");
    size_t from = b.len;
    buf_text(&b, "\0337\033Pq~\033\\");
    tmux_wrap(&b, from);
    assert_string_equal(b.data, "before\033Ptmux;\033\0337\033\033Pq~\033\033\\\033\\");
    buf_free(&b);
}

int main(void) {
    setenv("LC_ALL", "C.UTF-8", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_one_sixel_where_tmux_has_them),
        cmocka_unit_test(sixels_go_past_tmux_when_asked_for),
        cmocka_unit_test_teardown(pictures_follow_a_pane_whose_place_is_waited_for_by_nobody, rig_end),
        cmocka_unit_test_teardown(pictures_wait_for_a_place_that_is_told_late, rig_end),
        cmocka_unit_test(outside_tmux_nothing_is_wrapped),
        cmocka_unit_test(half_blocks_do_not_go_past_tmux),
        cmocka_unit_test(kittys_pictures_go_past_tmux_and_away),
        cmocka_unit_test(gnu_screen_gets_half_blocks_and_no_kitty_question),
        cmocka_unit_test(what_tmux_says_of_its_pane_is_read),
        cmocka_unit_test(long_pictures_are_wrapped_in_pieces),
        cmocka_unit_test(wrapping_doubles_every_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
