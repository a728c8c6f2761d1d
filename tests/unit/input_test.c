/* The input parser: every sequence whole, split at every byte, and cut short. */
#include "dtrak/err.h"
#include "dtrak/input.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct sink { struct input_event ev[64]; size_t n; };

static void feed(struct input *in, const char *bytes, size_t len, struct sink *out) {
    struct input_event ev[2];
    for (size_t i = 0; i < len; i++) {
        size_t n = input_feed(in, (unsigned char)bytes[i], ev);
        assert_true(n <= 2);
        for (size_t k = 0; k < n && out->n < 64; k++) out->ev[out->n++] = ev[k];
    }
}

static void pause_in(struct input *in, struct sink *out) {
    struct input_event ev[2];
    size_t n = input_wait_ms(in) ? input_timeout(in, ev) : 0;
    for (size_t k = 0; k < n && out->n < 64; k++) out->ev[out->n++] = ev[k];
    assert_int_equal(input_wait_ms(in), 0);
}

/* Events as text: "down", "ctrl-l", "mouse 0 1 3,7", "DA1 62 4 22". */
static const char *show(const struct sink *s) {
    static char text[8192];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct input_event *e = &s->ev[i];
        char one[256];
        if (e->kind == INPUT_KEY) {
            input_key_name(one, sizeof one, e);
        } else if (e->kind == INPUT_MOUSE) {
            snprintf(one, sizeof one, "mouse%d:%d:%u@%zu,%zu", (int)e->button, e->press, e->mods,
                     e->row, e->col);
        } else {
            static const char *const what[] = { "", "DA1", "DA2", "GRAPHICS", "CELL", "TEXT", "MODE",
                                                "STATUS", "CURSOR", "KITTY", "VERSION", "BACKGROUND", "OTHER" };
            size_t n = (size_t)snprintf(one, sizeof one, "%s", what[e->reply]);
            for (size_t k = 0; k < e->arg_count; k++)
                n += (size_t)snprintf(one + n, sizeof one - n, ":%u", (unsigned)e->args[k]);
            if (e->text[0]) snprintf(one + n, sizeof one - n, ":%s", e->text);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "", one);
    }
    return text;
}

static const struct { const char *bytes, *want; } table[] = {
    { "a", "a" }, { "Z", "Z" }, { "\xC3\xA9", "é" }, { "\xE6\x97\xA5", "日" },
    { "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80" }, { " ", "space" }, { "\r", "enter" },
    { "\n", "enter" }, { "\t", "tab" }, { "\x7F", "backspace" }, { "\b", "backspace" },
    { "\f", "ctrl-l" }, { "\x01", "ctrl-a" }, { "\x1A", "ctrl-z" }, { "\x1D", "ctrl-]" },
    { "\033[A", "up" }, { "\033OA", "up" }, { "\033[B", "down" }, { "\033OB", "down" },
    { "\033[C", "right" }, { "\033[D", "left" }, { "\033[H", "home" }, { "\033OH", "home" },
    { "\033[F", "end" }, { "\033[1~", "home" }, { "\033[4~", "end" }, { "\033[7~", "home" },
    { "\033[8~", "end" }, { "\033[5~", "pgup" }, { "\033[6~", "pgdn" }, { "\033[2~", "insert" },
    { "\033[3~", "delete" }, { "\033[Z", "backtab" }, { "\033OP", "f1" }, { "\033OS", "f4" },
    { "\033[[A", "f1" }, { "\033[[E", "f5" },
    { "\033[11~", "f1" }, { "\033[15~", "f5" }, { "\033[17~", "f6" }, { "\033[24~", "f12" },
    { "\033[1;5A", "ctrl-up" }, { "\033[1;3C", "alt-right" }, { "\033[6;2~", "shift-pgdn" },
    { "\033[1;6R", "ctrl-shift-f3" }, { "\033[1;2P", "shift-f1" },
    { "\033a", "alt-a" }, { "\033\r", "alt-enter" }, { "\033\xC3\xA9", "alt-é" },
    { "\033[97;5u", "ctrl-a" }, { "\033[27u", "esc" }, { "\033[13;2u", "shift-enter" },
    { "\033[9;2u", "backtab" }, { "\033[127;3u", "alt-backspace" }, { "\033[97:65;1:1u", "a" },
    { "\033[27;5;108~", "ctrl-l" }, { "\033Oj", "*" }, { "\033Op", "0" }, { "\033OM", "enter" },
    { "\033[<0;11;6M", "mouse0:1:0@5,10" }, { "\033[<0;11;6m", "mouse0:0:0@5,10" },
    { "\033[<64;1;1M", "mouse3:1:0@0,0" }, { "\033[<65;200;100M", "mouse4:1:0@99,199" },
    { "\033[<18;3;4M", "mouse2:1:4@3,2" }, { "\033[<32;3;4M", "mouse0:2:0@3,2" },
    { "\033[?62;4;22c", "DA1:62:4:22" }, { "\033[?1;2c", "DA1:1:2" }, { "\033[>41;379;0c", "DA2:41:379:0" },
    { "\033[?1;0;1024S", "GRAPHICS:1:0:1024" }, { "\033[?2;0;1000;900S", "GRAPHICS:2:0:1000:900" },
    { "\033[?1;3;0S", "GRAPHICS:1:3:0" },
    { "\033[6;18;9t", "CELL:6:18:9" }, { "\033[4;600;900t", "TEXT:4:600:900" },
    { "\033[8;30;100t", "OTHER:8:30:100" }, { "\033[?2026;2$y", "MODE:2026:2" },
    { "\033[0n", "STATUS:0" }, { "\033[12;40R", "CURSOR:12:40" },
    { "\033_Gi=31;OK\033\\", "KITTY:i=31;OK" }, { "\033P>|XTerm(379)\033\\", "VERSION:XTerm(379)" },
    { "\033]11;rgb:0000/0000/0000\007", "BACKGROUND:rgb:0000/0000/0000" }, { "\033]10;rgb:0/0/0\033\\", "OTHER:10;rgb:0/0/0" },
    { "\033[I", "" }, { "\033[O", "" }, { "\033P1$r0m\033\\", "OTHER:1$r0m" },
};

static void every_sequence_is_read_and_leaves_nothing_behind(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct input in;
        struct sink s = { .n = 0 };
        input_init(&in);
        feed(&in, table[i].bytes, strlen(table[i].bytes), &s);
        assert_int_equal(input_wait_ms(&in), 0);
        feed(&in, "x", 1, &s);
        char want[256];
        snprintf(want, sizeof want, "%s%sx", table[i].want, table[i].want[0] ? " " : "");
        assert_string_equal(show(&s), want);
    }
}

static void all_sequences_in_one_stream_give_the_same_events(void **state) {
    (void)state;
    struct input in;
    input_init(&in);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sink s = { .n = 0 };
        feed(&in, table[i].bytes, strlen(table[i].bytes), &s);
        assert_string_equal(show(&s), table[i].want);
    }
}

static void a_lone_escape_is_a_key_after_a_pause(void **state) {
    (void)state;
    struct input in;
    struct sink s = { .n = 0 };
    input_init(&in);
    feed(&in, "\033", 1, &s);
    assert_int_equal(s.n, 0);
    assert_in_range(input_wait_ms(&in), 25, 50);
    pause_in(&in, &s);
    feed(&in, "\033\033[A", 4, &s);
    assert_string_equal(show(&s), "esc esc up");
}

/* A slow line may pause anywhere but right after ESC. */
static void a_pause_never_turns_an_answer_into_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t len = strlen(table[i].bytes);
        if (table[i].bytes[0] != '\033' || len < 4) continue;
        for (size_t cut = 3; cut < len; cut++) {
            struct input in;
            struct sink s = { .n = 0 };
            input_init(&in);
            feed(&in, table[i].bytes, cut, &s);
            assert_true(input_wait_ms(&in) >= 200);
            pause_in(&in, &s);
            assert_int_equal(s.n, 0);
        }
    }
}

/* Seconds may pass in the middle of one, on a line that stalls: the rest is no key then either. */
static void the_rest_of_an_answer_is_waited_for(void **state) {
    (void)state;
    static const char *const answers[] = { "\033[?62;4;22c", "\033[6;18;9t", "\033_Gi=31;OK\033\\", "\033P>|XTerm(379)\033\\",
                                           "\033]11;rgb:0000/0000/0000\007", "\033P1$r0m\033\\" };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct input in;
        struct sink s = { .n = 0 };
        input_init(&in);
        for (size_t k = 0; k + 1 < strlen(answers[i]); k++) {
            feed(&in, answers[i] + k, 1, &s);
            if (k >= 3) assert_in_range(input_wait_ms(&in), 2000, 10000);
        }
    }
    static const char *const typed[] = { "\033[", "\033[1", "\033O", "\033P", "\033]a", "\033_a" };
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        struct input in;
        struct sink s = { .n = 0 };
        input_init(&in);
        feed(&in, typed[i], strlen(typed[i]), &s);
        assert_in_range(input_wait_ms(&in), 1, 500);
    }
}

static void alt_with_a_letter_that_begins_a_sequence_is_a_key(void **state) {
    (void)state;
    static const char *const bytes[] = { "\033[", "\033O", "\033P", "\033]", "\033_", "\033X" };
    static const char *const want[] = { "alt-[", "alt-O", "alt-P", "alt-]", "alt-_", "alt-X" };
    for (size_t i = 0; i < 6; i++) {
        struct input in;
        struct sink s = { .n = 0 };
        input_init(&in);
        feed(&in, bytes[i], 2, &s);
        pause_in(&in, &s);
        assert_string_equal(show(&s), want[i]);
    }
}

static void a_string_without_an_end_does_not_eat_input_for_ever(void **state) {
    (void)state;
    struct input in;
    struct sink s = { .n = 0 };
    input_init(&in);
    feed(&in, "\033P", 2, &s);
    for (int i = 0; i < 10000; i++) feed(&in, "q", 1, &s);
    assert_true(s.n > 0);
    s.n = 0;
    feed(&in, "\033_Gabc\033[A", 9, &s);   /* cut off by another sequence */
    assert_string_equal(show(&s), "up");
    s.n = 0;
    feed(&in, "\033Pabc\x18z", 7, &s);      /* CAN ends it */
    assert_string_equal(show(&s), "z");
}

static void malformed_utf8_is_no_key_and_hides_no_key(void **state) {
    (void)state;
    static const struct { const char *bytes, *want; } bad[] = {
        { "\xC3" "a", "a" }, { "\xE6\x97" "\033[A", "up" }, { "\xFF\xFE" "b", "b" },
        { "\xED\xA0\x80" "c", "c" }, { "\xC2\x9B" "31m", "3 1 m" }, { "\xE0\x80\x8A" "d", "d" },
        { "\xF4\x90\x80\x80" "e", "e" }, { "\x9B" "A", "A" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct input in;
        struct sink s = { .n = 0 };
        input_init(&in);
        feed(&in, bad[i].bytes, strlen(bad[i].bytes), &s);
        assert_string_equal(show(&s), bad[i].want);
    }
}

static void oversized_sequences_are_dropped_whole(void **state) {
    (void)state;
    struct input in;
    struct sink s = { .n = 0 };
    input_init(&in);
    feed(&in, "\033[", 2, &s);
    for (int i = 0; i < 5000; i++) feed(&in, "1;", 2, &s);
    feed(&in, "A", 1, &s);
    feed(&in, "\033[99999999999999999999;2;3t", 27, &s);
    feed(&in, "k", 1, &s);
    assert_int_equal(s.ev[s.n - 1].code, 'k');
    assert_true(s.n <= 2);
}

static void garbage_gives_only_well_formed_events(void **state) {
    (void)state;
    static const char alphabet[] = "\033\033\033[[]OP_^X\\\a?<>;:0123456789$ ABCRMmtucnySZ~a\x18\xC3\xA9\xF0\xFF\x9B\n";
    struct rng r = rng_at(7, RNG_TEST, 0, 0);
    struct input in;
    struct input_event ev[2];
    input_init(&in);
    for (int i = 0; i < 400000; i++) {
        unsigned char b = rng_below(&r, 4) ? (unsigned char)alphabet[rng_below(&r, sizeof alphabet - 1)]
                                           : (unsigned char)rng_below(&r, 256);
        size_t n = input_feed(&in, b, ev);
        if (rng_below(&r, 50) == 0 && input_wait_ms(&in)) n = input_timeout(&in, ev);
        for (size_t k = 0; k < n; k++) {
            assert_in_range(ev[k].kind, INPUT_KEY, INPUT_REPLY);
            if (ev[k].kind == INPUT_KEY) {
                assert_true(ev[k].code >= 0x20 && ev[k].code < INPUT_CODE_END);
                char name[32];
                struct input_event back;
                input_key_name(name, sizeof name, &ev[k]);
                assert_int_equal(input_key_parse(&back, name), OK);
                assert_int_equal(back.code, ev[k].code);
                assert_int_equal(back.mods, ev[k].mods);
            }
            assert_true(ev[k].arg_count <= INPUT_ARGS);
            for (size_t c = 0; c < strlen(ev[k].text); c++)
                assert_in_range(ev[k].text[c], 0x20, 0x7E);
        }
    }
}

static void key_names_are_read_back(void **state) {
    (void)state;
    static const char *const good[] = {
        "up", "down", "left", "right", "home", "end", "pgup", "pgdn", "insert", "delete", "tab",
        "backtab", "enter", "esc", "backspace", "space", "f1", "f9", "f12", "f", "[", "]", ",", "?",
        "ctrl-l", "alt-x", "ctrl-up", "ctrl-alt-a", "-", "ctrl--", "é", "日", "1", "G",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct input_event ev;
        char name[32];
        assert_int_equal(input_key_parse(&ev, good[i]), OK);
        input_key_name(name, sizeof name, &ev);
        assert_string_equal(name, good[i]);
    }
    static const char *const bad[] = { "", "downn", "f0", "f13", "ctrl-", "hello", "\xFF", "\033", "f1x", "f 1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct input_event ev;
        assert_int_equal(input_key_parse(&ev, bad[i]), ERR_USAGE);
        assert_non_null(strstr(fail_reason(), "key '"));
    }
    struct input_event ev;
    assert_int_equal(input_key_parse(&ev, "shift-tab"), OK);
    assert_int_equal(ev.code, INPUT_BACKTAB);
}

static void a_script_is_split_at_blanks(void **state) {
    (void)state;
    const char *script = "  2 f\tctrl-l\n@idle ";
    char word[8];
    static const char *const want[] = { "2", "f", "ctrl-l", "@idle" };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(input_script_next(&script, word, sizeof word), 1);
        assert_string_equal(word, want[i]);
    }
    assert_int_equal(input_script_next(&script, word, sizeof word), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_is_read_and_leaves_nothing_behind),
        cmocka_unit_test(all_sequences_in_one_stream_give_the_same_events),
        cmocka_unit_test(a_lone_escape_is_a_key_after_a_pause),
        cmocka_unit_test(a_pause_never_turns_an_answer_into_keys),
        cmocka_unit_test(the_rest_of_an_answer_is_waited_for),
        cmocka_unit_test(alt_with_a_letter_that_begins_a_sequence_is_a_key),
        cmocka_unit_test(a_string_without_an_end_does_not_eat_input_for_ever),
        cmocka_unit_test(malformed_utf8_is_no_key_and_hides_no_key),
        cmocka_unit_test(oversized_sequences_are_dropped_whole),
        cmocka_unit_test(garbage_gives_only_well_formed_events),
        cmocka_unit_test(key_names_are_read_back),
        cmocka_unit_test(a_script_is_split_at_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
