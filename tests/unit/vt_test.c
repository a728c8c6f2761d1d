/* vt_test.c - the terminal that other tests look at: nothing is written beside its cells, whatever
 * size it takes between two sequences. */
#include "../lib/vt.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void feed(struct vt *v, const char *s) { vt_feed(v, s, strlen(s)); }

static void a_saved_cursor_stays_on_a_smaller_screen(void **state) {
    (void)state;
    struct vt *v = vt_new(20, 40, 8, 16);
    feed(v, "\033[18;33H\0337");
    vt_resize(v, 4, 10);
    feed(v, "\0338x");
    assert_string_equal(vt_row(v, 3), "         x");
    vt_free(v);
}

static void a_wide_character_needs_two_columns(void **state) {
    (void)state;
    struct vt *v = vt_new(2, 1, 8, 16);
    feed(v, "\xE6\x97\xA5" "a");
    assert_string_equal(vt_row(v, 0), "a");
    vt_resize(v, 2, 3);
    feed(v, "\033[1;1Habc\xE6\x97\xA5");
    assert_string_equal(vt_row(v, 0), "abc");
    assert_string_equal(vt_row(v, 1), "\xE6\x97\xA5");
    vt_free(v);
}

/* Whatever comes in whatever order, the rows are text and as many as there are columns: the
 * sanitizers look at the rest. */
static void sequences_and_sizes_in_any_order(void **state) {
    (void)state;
    static const char *const some[] = {
        "text", "\xE6\x97\xA5\xE6\x9C\xAC", "\r\n", "\n", "\b", "\t", "\0337", "\0338", "\033[H", "\033[999;999H", "\033[7;5H",
        "\033[A", "\033[9A", "\033[B", "\033[9B", "\033[C", "\033[99C", "\033[D", "\033[99D", "\033[20G", "\033[9d", "\033[K", "\033[1K",
        "\033[2K", "\033[J", "\033[1J", "\033[2J", "\033[9X", "\033[30b", "\033[1;31m", "\033[m",
        "\033Pq\"1;1;24;24#1;2;99;0;0#1!24~-!24~-!24~-!24~-\033\\",
    };
    struct rng rng = rng_at(9, RNG_TEST, 4, 0);
    for (int kept = 0; kept < 2; kept++) {
        struct vt *v = vt_new(10, 20, 8, 16);
        vt_keep(v, kept ? 3 : 0);
        for (int i = 0; i < 20000; i++) {
            size_t rows = 1 + (size_t)(rng_uniform(&rng) * 12), cols = 1 + (size_t)(rng_uniform(&rng) * 30);
            size_t what = (size_t)(rng_uniform(&rng) * (sizeof some / sizeof *some)) % (sizeof some / sizeof *some);
            if (vt_state(v).pictures_drawn > 1000 && some[what][1] == 'P') continue;
            feed(v, some[what]);
            if (i % 7 == 0) {
                vt_resize(v, rows, cols);
                for (size_t r = 0; r < rows; r++) assert_in_range(strlen(vt_row(v, r)), 0, 3 * cols);
            }
        }
        assert_int_equal(vt_state(v).unknown, 0);
        assert_int_equal(vt_state(v).bad_pictures, 0);
        vt_free(v);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_cursor_stays_on_a_smaller_screen),
        cmocka_unit_test(a_wide_character_needs_two_columns),
        cmocka_unit_test(sequences_and_sizes_in_any_order),
    };
    return cmocka_run_group_tests_name("vt", tests, NULL, NULL);
}
