/* Terminals with ways of their own: few registers, another font, poor locales, a line that is cut. */
#include "../lib/pty.h"
#include "../lib/term_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static size_t whole(const struct pty *p) {
    const struct vt_picture *there[16];
    return vt_pictures(pty_screen(p), there, 16);
}

/* Waits until so many are whole and nothing comes any more. */
static void see_pictures(struct pty *p, size_t n) {
    for (int i = 0; i < PTY_WAIT_MS / 100 && whole(p) != n; i++) pty_settle(p, 100);
    pty_settle(p, 200);
    assert_int_equal(whole(p), n);
}

static void registers_are_set_and_given_back(void **state) {
    (void)state;
    static const char *const ways[] = { "q", "e", "s" };
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        struct pty *p = scene_start(&scene, PTY_SIXEL_16);
        assert_true(pty_wait_for(p, "sixel"));
        see_pictures(p, 6);
        assert_int_equal(pty_registers(p), 256);
        assert_true(vt_state(pty_screen(p)).has_own_colours);
        pty_keys(p, "z");                    /* away and back: set again */
        assert_true(pty_wait_for(p, "resumed"));
        pty_settle(p, 200);
        assert_non_null(strstr(pty_output(p), "\033[?1;3;16S"));
        assert_int_equal(pty_registers(p), 256);
        assert_true(vt_state(pty_screen(p)).has_own_colours);
        pty_keys(p, ways[i]);
        pty_wait_end(p);
        assert_int_equal(pty_registers(p), 16);
        assert_false(vt_state(pty_screen(p)).has_own_colours);
        assert_true(pty_is_restored(p));
        pty_free(p);
    }
}

static void a_terminal_that_has_them_is_left_alone(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    pty_keys(p, "q");
    pty_wait_end(p);
    assert_null(strstr(pty_output(p), "1070h"));
    assert_null(strstr(pty_output(p), "1070l"));
    assert_null(strstr(pty_output(p), "?1;3;"));
    pty_free(p);
}

/* Cyan can be read on black and not on white. */
static void text_can_be_read_on_a_light_background(void **state) {
    (void)state;
    static const struct { enum pty_kind kind; enum graphics graphics; const char *yes, *no; } table[] = {
        { PTY_LIGHT, GRAPHICS_AUTO, "38;5;25m", "36m" }, { PTY_LIGHT, GRAPHICS_NONE, "38;5;25m", "36m" },
        { PTY_PLAIN, GRAPHICS_AUTO, "36m", "38;5;25m" }, { PTY_SIXEL, GRAPHICS_AUTO, "36m", "38;5;25m" },
        { PTY_SILENT, GRAPHICS_NONE, "36m", "38;5;25m" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scene scene = { .graphics = table[i].graphics };
        struct pty *p = scene_start(&scene, table[i].kind);
        assert_true(pty_wait_for(p, "train:5"));
        pty_settle(p, 200);
        size_t before = strlen(pty_output(p));
        pty_keys(p, "m");
        assert_true(pty_wait_for(p, "window"));
        pty_settle(p, 100);
        assert_non_null(strstr(pty_output(p) + before, table[i].yes));
        assert_null(strstr(pty_output(p) + before, table[i].no));
        scene_quit(p);
    }
}

/* Another font in a window of the same cells: pictures in the new cells' pixels. */
static void a_change_of_font_makes_other_pictures(void **state) {
    (void)state;
    static const enum pty_kind kinds[] = { PTY_SIXEL, PTY_SIXEL_BARE };   /* by 16t, and by the kernel's pixels */
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        const struct vt_picture *there[16];
        struct pty *p = scene_start(&scene, kinds[i]);
        assert_true(pty_wait_for(p, "sixel"));
        see_pictures(p, 6);
        vt_pictures(pty_screen(p), there, 16);
        assert_int_equal(there[0]->image.width, 120);
        pty_font(p, 6, 12);
        see_pictures(p, 6);
        pty_settle(p, 300);
        vt_pictures(pty_screen(p), there, 16);
        for (size_t k = 0; k < 6; k++) assert_int_equal(there[k]->image.width, 64);
        assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
        scene_quit(p);
    }
}

/* foot, for one, takes sixels as large as its window is: a larger window, larger pictures. */
static void a_larger_window_takes_larger_pictures(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    const struct vt_picture *there[16];
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    pty_largest(p, 64);
    assert_true(pty_wait_for(p, "sixel"));
    see_pictures(p, 6);
    pty_settle(p, 300);
    vt_pictures(pty_screen(p), there, 16);
    assert_in_range(there[0]->image.width, 32, 64);
    pty_largest(p, 4000);
    pty_resize(p, 30, 100);
    assert_true(pty_wait_for(p, "scene 100x30"));
    see_pictures(p, 6);
    pty_settle(p, 500);
    vt_pictures(pty_screen(p), there, 16);
    for (size_t k = 0; k < 6; k++) assert_int_equal(there[k]->image.width, 120);
    assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
    scene_quit(p);
}

/* Variation selectors and joiners would make signs wider than they are counted; accents stay. */
static void signs_are_as_wide_as_they_are_counted(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_NONE };
    struct pty *p = scene_start(&scene, PTY_PLAIN);
    assert_true(pty_wait_for(p, "none"));
    pty_keys(p, "t");
    assert_true(pty_wait_for(p, "some text beside"));
    pty_settle(p, 200);
    assert_non_null(strstr(pty_output(p), "\u2665"));
    assert_non_null(strstr(pty_output(p), "e\u0301"));
    assert_null(strstr(pty_output(p), "\uFE0F"));
    assert_null(strstr(pty_output(p), "\u200D"));
    scene_quit(p);
}

/* "wall" writes over everything; the redraw key mends text and pictures. */
static void a_redraw_mends_what_others_wrote(void **state) {
    (void)state;
    static const enum pty_kind kinds[] = { PTY_SIXEL, PTY_KITTY, PTY_ITERM2 };
    for (size_t i = 0; i < 3; i++) {
        struct scene scene = { .graphics = GRAPHICS_AUTO };
        struct pty *p = scene_start(&scene, kinds[i]);
        assert_true(pty_wait_for(p, "scene 80x24 "));
        see_pictures(p, 6);
        pty_wall(p, "\033[5;1HBroadcast message from root: the machine goes down now, save what you have, "
                    "and do it soon, please\r\n\r\nand thanks for all the work");
        assert_true(vt_find(pty_screen(p), "Broadcast", NULL, NULL));
        pty_keys(p, "l");
        see_pictures(p, 6);
        assert_false(vt_find(pty_screen(p), "Broadcast", NULL, NULL));
        assert_false(vt_find(pty_screen(p), "thanks", NULL, NULL));
        assert_int_equal(vt_torn_cells(pty_screen(p)), 0);
        scene_quit(p);
    }
}

/* The program ends at once, and does not spin on a terminal that is gone. */
static void a_line_that_is_cut_ends_it_at_once(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct rusage before, after;
    getrusage(RUSAGE_CHILDREN, &before);
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    pty_keys(p, "n");
    pty_hang_up(p);
    int status = pty_wait_end(p);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 10 + SIGHUP);
    getrusage(RUSAGE_CHILDREN, &after);
    assert_true(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec < 4);
    pty_free(p);
}

static int run_without_colour(void *scene) {
    setenv("NO_COLOR", "1", 1);
    return scene_run(scene);
}

static void without_colour_text_has_none_and_pictures_have(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = pty_call(run_without_colour, &scene, SCENE_ROWS, SCENE_COLS, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    assert_int_equal(whole(p), 6);
    const char *s = pty_output(p);
    for (; (s = strstr(s, "\033[")) != NULL; s += 2) {
        size_t n = strspn(s + 2, "0123456789;");
        if (s[2 + n] != 'm') continue;
        for (const char *q = s + 2; q < s + 2 + n; q += strcspn(q, ";") + 1) {   /* no 30..38, 40..48, 90..107 */
            long v = strtol(q, NULL, 10);
            assert_false((v >= 30 && v <= 38) || (v >= 40 && v <= 48) || v >= 90);
            if (strcspn(q, ";") >= (size_t)(s + 2 + n - q)) break;
        }
    }
    scene_quit(p);
}

static void what_is_selected_can_be_read_on_any_background(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = scene_start(&scene, PTY_SIXEL);
    assert_true(pty_wait_for(p, "sixel"));
    pty_settle(p, 200);
    assert_non_null(strstr(pty_output(p), "38;5;16"));
    assert_non_null(strstr(pty_output(p), "48;5;226"));
    scene_quit(p);
}

static void a_plain_locale_gets_plain_letters(void **state) {
    (void)state;
    static const enum graphics asked[] = { GRAPHICS_AUTO, GRAPHICS_HALF, GRAPHICS_ASCII, GRAPHICS_NONE, GRAPHICS_SIXEL };
    static const char *const locales[] = { "C", "POSIX", "no_SUCH.locale" };
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < (i ? 1 : 3); k++) {
            struct scene scene = { .graphics = asked[i], .locale = locales[k] };
            struct pty *p = scene_start(&scene, PTY_PLAIN);
            assert_true(pty_wait_for(p, "q quit"));
            pty_settle(p, 300);
            assert_non_null(strstr(vt_row(pty_screen(p), 1), "+ pictures L ? ?  = ---"));
            for (const char *s = pty_output(p); *s; s++) assert_true((unsigned char)*s < 0x80);
            scene_quit(p);
        }
}

static int run_with_16_colours(void *scene) {
    setenv("TERM", "linux", 1);
    return scene_run(scene);
}

static void sixteen_colours_give_half_blocks(void **state) {
    (void)state;
    struct scene scene = { .graphics = GRAPHICS_AUTO };
    struct pty *p = pty_call(run_with_16_colours, &scene, SCENE_ROWS, SCENE_COLS, PTY_PLAIN);
    assert_true(pty_wait_for(p, "half"));
    pty_settle(p, 300);
    assert_non_null(strstr(vt_row(pty_screen(p), 4), "▀"));
    assert_null(strstr(pty_output(p), "8;5;"));
    assert_null(strstr(pty_output(p), "8;2;"));
    scene_quit(p);
}

int main(void) {
    setenv("LC_ALL", "C.UTF-8", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_are_set_and_given_back),
        cmocka_unit_test(a_terminal_that_has_them_is_left_alone),
        cmocka_unit_test(text_can_be_read_on_a_light_background),
        cmocka_unit_test(a_change_of_font_makes_other_pictures),
        cmocka_unit_test(a_larger_window_takes_larger_pictures),
        cmocka_unit_test(signs_are_as_wide_as_they_are_counted),
        cmocka_unit_test(a_redraw_mends_what_others_wrote),
        cmocka_unit_test(a_line_that_is_cut_ends_it_at_once),
        cmocka_unit_test(without_colour_text_has_none_and_pictures_have),
        cmocka_unit_test(what_is_selected_can_be_read_on_any_background),
        cmocka_unit_test(a_plain_locale_gets_plain_letters),
        cmocka_unit_test(sixteen_colours_give_half_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
