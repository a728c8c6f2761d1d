/* What the probe makes of the answers of terminals seen in the wild, and of none. */
#include "dtrak/err.h"
#include "dtrak/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void clear_env(void) {
    unsetenv("TMUX");
    unsetenv("TERM_PROGRAM");
    unsetenv("LC_TERMINAL");
    unsetenv("COLORFGBG");
    setenv("TERM", "xterm-256color", 1);
}

/* The probe after these bytes; returns whether they ended it. */
static int after(struct probe *p, const char *bytes) {
    struct input in;
    struct input_event ev[2];
    int ended = 0;
    input_init(&in);
    for (; *bytes; bytes++) {
        size_t n = input_feed(&in, (unsigned char)*bytes, ev);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(ev[i].kind, INPUT_REPLY);   /* an answer is never a key */
            ended |= probe_answer(p, &ev[i]);
        }
    }
    return ended;
}

#define XTERM_VT340 "\033P>|XTerm(379)\033\\\033[?1;0;1024S\033[?2;0;1000;1000S\033[?2026;0$y" \
                    "\033[?63;1;2;4;6;9;15;22c"
#define XTERM_PLAIN "\033P>|XTerm(379)\033\\\033[?1;3;0S\033[?2;3;0S\033[?2026;0$y\033[?64;1;2;6;9;15;18;21;22c"
#define FOOT "\033P>|foot(1.13.1)\033\\\033[6;16;8t\033[4;480;640t\033[?1;0;1024S\033[?2;0;10000;10000S" \
             "\033[?2026;2$y\033[?62;4;22c"
#define MLTERM "\033[6;17;8t\033[4;408;640t\033[?1;0;256S\033[?2;1S\033[?63;1;2;3;4;7;29c"
#define KITTY "\033_Gi=31;OK\033\\\033P>|kitty(0.35)\033\\\033[6;20;9t\033[?2026;2$y\033[?62;c"

static void xterm_with_sixel_is_known_by_attribute_4(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, XTERM_VT340));
    assert_true(p.done && p.answered && p.has_sixel);
    assert_int_equal(p.registers, 1024);
    assert_int_equal(p.max_width, 1000);
    assert_false(p.sync_update);
    assert_string_equal(p.name, "XTerm(379)");
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_256, 1), GRAPHICS_SIXEL);
}

static void attributes_are_numbers_and_not_digits(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, XTERM_PLAIN));   /* 64 leads, and there is no 4 */
    assert_false(p.has_sixel);
    assert_int_equal(p.registers, 0);
    probe_init(&p);
    assert_true(after(&p, "\033[?4;42;46c"));   /* class 4, attributes 42 and 46 */
    assert_false(p.has_sixel);
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_256, 1), GRAPHICS_HALF);
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_256, 0), GRAPHICS_ASCII);
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_16, 1), GRAPHICS_HALF);
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_MONO, 1), GRAPHICS_ASCII);
    assert_int_equal(graphics_choose(GRAPHICS_HALF, &p, COLOUR_256, 0), GRAPHICS_ASCII);
}

static void foot_answers_everything(void **state) {
    (void)state;
    struct probe p;
    size_t w, h;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, FOOT));
    assert_true(p.has_sixel && p.sync_update);
    assert_string_equal(probe_cell_size(&p, 30, 80, 640, 480, &w, &h), "16t");
    assert_int_equal(w, 8);
    assert_int_equal(h, 16);
}

static void mlterm_refuses_the_size_question_and_is_still_sixel(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, MLTERM));
    assert_true(p.has_sixel);
    assert_int_equal(p.max_width, 0);
    assert_int_equal(p.registers, 256);
}

static void kitty_has_no_sixel(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, KITTY));
    assert_true(p.has_kitty);
    assert_false(p.has_sixel);
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_TRUE, 1), GRAPHICS_KITTY);
}

static void iterm2_is_known_by_its_name(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_true(after(&p, "\033P>|iTerm2 3.2.9\033\\\033[?62;c"));
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_TRUE, 1), GRAPHICS_ITERM2);
    probe_init(&p);                            /* newer ones also take sixel, which comes first */
    assert_true(after(&p, "\033P>|iTerm2 3.5.1\033\\\033[?62;4c"));
    assert_int_equal(graphics_choose(GRAPHICS_AUTO, &p, COLOUR_TRUE, 1), GRAPHICS_SIXEL);
    setenv("LC_TERMINAL", "iTerm2", 1);        /* what ssh hands on */
    probe_init(&p);
    assert_true(p.maybe_iterm2);
    setenv("TMUX", "x", 1);
    probe_init(&p);
    assert_false(p.maybe_iterm2);
    clear_env();
}

static void tmux_is_not_asked_the_kitty_question(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    assert_non_null(strstr(probe_questions(&p), "\033_G"));
    setenv("TMUX", "/tmp/tmux-0/default,1,0", 1);
    probe_init(&p);
    assert_true(p.in_tmux);
    assert_null(strstr(probe_questions(&p), "\033_G"));
    assert_true(after(&p, "\033[?1;2c"));   /* all that tmux 3.3a says */
    assert_false(p.has_sixel);
    const char *q = probe_questions(&p);
    assert_string_equal(q + strlen(q) - 3, "\033[c");   /* the fence stands last */
    clear_env();
}

static void a_late_answer_is_filed_and_ends_nothing(void **state) {
    (void)state;
    struct probe p;
    clear_env();
    probe_init(&p);
    p.done = 1;                              /* the deadline passed */
    assert_true(after(&p, FOOT));            /* the first DA1: news */
    assert_true(p.has_sixel);
    assert_false(after(&p, "\033[?62;4c"));  /* the second: none */
}

static void a_cell_size_that_cannot_be_is_not_believed(void **state) {
    (void)state;
    struct probe p;
    size_t w, h;
    clear_env();
    probe_init(&p);
    assert_string_equal(probe_cell_size(&p, 24, 80, 0, 0, &w, &h), "guess");
    assert_int_equal(w, 10);
    assert_int_equal(h, 20);
    assert_string_equal(probe_cell_size(&p, 30, 100, 904, 544, &w, &h), "ioctl");   /* 4 px of border */
    assert_int_equal(w, 9);
    assert_int_equal(h, 18);
    assert_string_equal(probe_cell_size(&p, 24, 80, 640, 480, &w, &h), "guess");    /* made up by sshd */
    assert_string_equal(probe_cell_size(&p, 24, 80, 100, 100, &w, &h), "guess");
    assert_string_equal(probe_cell_size(&p, 0, 0, 900, 500, &w, &h), "guess");
    assert_false(after(&p, "\033[4;432;720t"));
    assert_string_equal(probe_cell_size(&p, 24, 80, 0, 0, &w, &h), "14t");
    assert_int_equal(h, 18);
    assert_false(after(&p, "\033[6;300;200t"));
    assert_string_equal(probe_cell_size(&p, 24, 80, 0, 0, &w, &h), "14t");
    assert_false(after(&p, "\033[6;20;10t"));
    assert_string_equal(probe_cell_size(&p, 24, 80, 720, 432, &w, &h), "16t");
}

static void names_of_painters_are_read_and_others_refused(void **state) {
    (void)state;
    enum graphics g;
    static const char *const good[] = { "auto", "sixel", "kitty", "iterm2", "half", "ascii", "none" };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(graphics_parse(&g, good[i]), OK);
        assert_string_equal(graphics_name(g), good[i]);
    }
    assert_int_equal(graphics_parse(&g, "kitty"), OK);
    assert_int_equal(g, GRAPHICS_KITTY);
    assert_int_equal(graphics_parse(&g, "Kitty"), ERR_USAGE);
    assert_non_null(strstr(fail_reason(), "kitty"));
    assert_int_equal(graphics_parse(&g, "Sixel"), ERR_USAGE);
}

static void colour_depth_comes_from_the_environment_and_terminfo(void **state) {
    (void)state;
    assert_int_equal(probe_colour_depth("xterm", "truecolor", 8), COLOUR_TRUE);
    assert_int_equal(probe_colour_depth("xterm-256color", NULL, -1), COLOUR_256);
    assert_int_equal(probe_colour_depth("linux", "", 8), COLOUR_16);
    assert_int_equal(probe_colour_depth("vt100", "", -1), COLOUR_MONO);
    assert_int_equal(probe_colour_depth(NULL, NULL, -1), COLOUR_MONO);
}

static void the_background_is_told_or_guessed(void **state) {
    (void)state;
    static const struct { const char *env, *answer; enum background want; } table[] = {
        { NULL, "", BACKGROUND_UNKNOWN }, { NULL, "\033]11;rgb:ffff/ffff/ffff\033\\", BACKGROUND_LIGHT },
        { NULL, "\033]11;rgb:0000/2b2b/3636\007", BACKGROUND_DARK }, { NULL, "\033]11;rgb:fd/f6/e3\007", BACKGROUND_LIGHT },
        { NULL, "\033]11;rgba:ff/ff/ff/80\007", BACKGROUND_LIGHT }, { NULL, "\033]11;rgb:f/f/f\007", BACKGROUND_LIGHT },
        { NULL, "\033]11;rgb:0000/ffff/0000\007", BACKGROUND_LIGHT }, { NULL, "\033]11;rgb:0000/0000/ffff\007", BACKGROUND_DARK },
        { NULL, "\033]11;white\007", BACKGROUND_UNKNOWN }, { NULL, "\033]11;rgb:\007", BACKGROUND_UNKNOWN },
        { NULL, "\033]11;rgb:-1/ff/ff\007", BACKGROUND_UNKNOWN }, { NULL, "\033]11;rgb:ff/ff\007", BACKGROUND_UNKNOWN },
        { NULL, "\033]11;rgb:fffff/0/0\007", BACKGROUND_UNKNOWN },
        { "0;15", "", BACKGROUND_LIGHT }, { "0;default;7", "", BACKGROUND_LIGHT }, { "15;0", "", BACKGROUND_DARK },
        { "7;8", "", BACKGROUND_DARK }, { "15;default", "", BACKGROUND_UNKNOWN }, { "15", "", BACKGROUND_UNKNOWN },
        { "15;0", "\033]11;rgb:ffff/ffff/ffff\007", BACKGROUND_LIGHT },
    };
    struct probe p;
    clear_env();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].env) setenv("COLORFGBG", table[i].env, 1);
        probe_init(&p);
        assert_false(after(&p, table[i].answer));
        assert_int_equal(p.background, table[i].want);
        unsetenv("COLORFGBG");
    }
    assert_non_null(strstr(probe_questions(&p), "\033]11;?"));
    setenv("TERM", "linux", 1);
    assert_null(strstr(probe_questions(&p), "\033]11;?"));
    clear_env();
    enum background b;
    assert_int_equal(background_parse(&b, "light"), OK);
    assert_int_equal(b, BACKGROUND_LIGHT);
    assert_int_equal(background_parse(&b, "white"), ERR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xterm_with_sixel_is_known_by_attribute_4),
        cmocka_unit_test(attributes_are_numbers_and_not_digits),
        cmocka_unit_test(foot_answers_everything),
        cmocka_unit_test(mlterm_refuses_the_size_question_and_is_still_sixel),
        cmocka_unit_test(kitty_has_no_sixel),
        cmocka_unit_test(iterm2_is_known_by_its_name),
        cmocka_unit_test(tmux_is_not_asked_the_kitty_question),
        cmocka_unit_test(a_late_answer_is_filed_and_ends_nothing),
        cmocka_unit_test(a_cell_size_that_cannot_be_is_not_believed),
        cmocka_unit_test(names_of_painters_are_read_and_others_refused),
        cmocka_unit_test(the_background_is_told_or_guessed),
        cmocka_unit_test(colour_depth_comes_from_the_environment_and_terminfo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
