/* The frame: clipping, wide characters, image boxes and the dump. */
#include "dtrak/frame.h"
#include "dtrak/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The dump of f in a static buffer. */
static const char *dump(const struct frame *f) {
    static char text[65536];
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    frame_dump(f, out);
    fclose(out);
    return text;
}

static struct frame *make(size_t rows, size_t cols) {
    struct frame *f;
    assert_int_equal(frame_new(&f, rows, cols), OK);
    return f;
}

static void text_is_clipped_at_the_right_edge(void **state) {
    (void)state;
    struct frame *f = make(2, 8);
    assert_int_equal(frame_text(f, 0, 5, STYLE_NORMAL, "abcdef"), 3);
    assert_int_equal(frame_text(f, 1, 8, STYLE_NORMAL, "x"), 0);
    assert_int_equal(frame_text(f, 2, 0, STYLE_NORMAL, "x"), 0);
    assert_int_equal(frame_text(f, (size_t)-1, (size_t)-1, STYLE_NORMAL, "x"), 0);
    assert_string_equal(dump(f), "     abc\n\n");
    frame_free(f);
}

static void a_wide_character_over_the_edge_becomes_a_space(void **state) {
    (void)state;
    struct frame *f = make(1, 5);
    assert_int_equal(frame_text(f, 0, 0, STYLE_NORMAL, "日本語"), 5);
    assert_string_equal(dump(f), "日本\n");
    assert_int_equal(frame_cell(f, 0, 0)->width, 2);
    assert_int_equal(frame_cell(f, 0, 1)->width, 0);
    assert_int_equal(frame_cell(f, 0, 4)->cp, ' ');
    assert_int_equal(frame_cell(f, 0, 4)->width, 1);
    frame_free(f);
}

static void overwriting_half_of_a_wide_character_blanks_the_other_half(void **state) {
    (void)state;
    struct frame *f = make(1, 6);
    frame_text(f, 0, 0, STYLE_NORMAL, "日本語");
    frame_text(f, 0, 1, STYLE_NORMAL, "x");
    frame_text(f, 0, 4, STYLE_NORMAL, "y");
    assert_string_equal(dump(f), " x本y\n");
    frame_text(f, 0, 3, STYLE_NORMAL, "語");   /* over a right half and a narrow one */
    assert_string_equal(dump(f), " x 語\n");
    for (size_t c = 0; c < 6; c++) {
        const struct cell *cell = frame_cell(f, 0, c);
        if (cell->width == 2) assert_int_equal(frame_cell(f, 0, c + 1)->width, 0);
        if (cell->width == 0) assert_int_equal(frame_cell(f, 0, c - 1)->width, 2);
    }
    frame_free(f);
}

static void combining_marks_stay_with_their_letter(void **state) {
    (void)state;
    struct frame *f = make(1, 4);
    assert_int_equal(frame_text(f, 0, 0, STYLE_NORMAL, "e\xCC\x81\xCC\x88\xCC\xA3x"), 2);
    assert_int_equal(frame_cell(f, 0, 0)->mark[0], 0x301);
    assert_int_equal(frame_cell(f, 0, 0)->mark[1], 0x308);
    assert_int_equal(frame_cell(f, 0, 1)->cp, 'x');
    assert_string_equal(dump(f), "e\xCC\x81\xCC\x88x\n");
    frame_text(f, 0, 2, STYLE_NORMAL, "\xCC\x81");   /* nothing before it in this text */
    assert_int_equal(frame_cell(f, 0, 1)->mark[0], 0);
    frame_free(f);
}

static void control_bytes_appear_escaped(void **state) {
    (void)state;
    struct frame *f = make(1, 40);
    frame_text(f, 0, 0, STYLE_NORMAL, "a\033[31m\x7F\xFF\n\xE2\x80\xAE!");
    assert_string_equal(dump(f), "a\\x1B[31m\\x7F\\xFF\\x0A\\u{202E}!\n");
    for (size_t c = 0; c < 40; c++) assert_true(frame_cell(f, 0, c)->cp >= 0x20);
    frame_free(f);
}

static void cut_text_ends_in_an_ellipsis(void **state) {
    (void)state;
    struct frame *f = make(3, 20);
    assert_int_equal(frame_text_in(f, 0, 0, 6, STYLE_NORMAL, "abcdef"), 6);
    assert_int_equal(frame_text_in(f, 1, 0, 5, STYLE_NORMAL, "abcdef"), 5);
    assert_int_equal(frame_printf(f, 2, 2, SIZE_MAX, STYLE_NORMAL, "%d of %s", 7, "nine"), 9);
    assert_string_equal(dump(f), "abcdef\nabcd…\n  7 of nine\n");
    assert_int_equal(frame_text_in(f, 0, 0, 0, STYLE_NORMAL, "abc"), 0);
    assert_int_equal(frame_text_in(f, 0, 19, 9, STYLE_NORMAL, "abc"), 1);
    frame_free(f);
}

static void a_box_has_four_corners_and_a_title(void **state) {
    (void)state;
    struct frame *f = make(4, 12);
    frame_box(f, 0, 0, 3, 12, STYLE_BORDER, "gen:17");
    assert_string_equal(dump(f), "┌ gen:17 ──┐\n│          │\n└──────────┘\n\n");
    assert_int_equal(frame_cell(f, 0, 2)->style, STYLE_TITLE);
    frame_clear(f);
    frame_box(f, 1, 9, 9, 9, STYLE_BORDER, NULL);   /* cut at two edges */
    assert_string_equal(dump(f), "\n         ┌──\n         │\n         │\n");
    frame_clear(f);
    frame_box(f, 0, 0, 2, 9, STYLE_BORDER, "a long title");
    assert_string_equal(dump(f), "┌ a lo… ┐\n└───────┘\n\n\n");
    frame_box(f, 0, 0, 1, 9, STYLE_BORDER, NULL);
    frame_box(f, 0, 0, 9, 1, STYLE_BORDER, NULL);
    frame_free(f);
}

static void an_image_box_is_dumped_with_its_item_and_size(void **state) {
    (void)state;
    struct frame *f = make(3, 40);
    frame_text(f, 0, 0, STYLE_NORMAL, "left");
    frame_image(f, 0, 5, 2, 18, 42, "train:3912");
    frame_text(f, 0, 24, STYLE_NORMAL, "right");
    frame_text(f, 1, 24, STYLE_NORMAL, "below");
    frame_image(f, 1, 30, 2, 6, 43, "gen:7");
    assert_string_equal(dump(f),
                        "left [train:3912 18x2]  right\n                        below [gen:7\n\n");
    assert_int_equal(frame_image_count(f), 2);
    assert_int_equal(frame_image_at(f, 0)->key, 42);
    frame_free(f);
}

static void an_image_box_is_clipped_to_the_frame(void **state) {
    (void)state;
    struct frame *f = make(4, 10);
    frame_image(f, 2, 8, 9, 9, 1, "x");
    frame_image(f, 4, 0, 1, 1, 2, "x");
    frame_image(f, 0, 0, 0, 5, 3, "x");
    assert_int_equal(frame_image_count(f), 1);
    assert_int_equal(frame_image_at(f, 0)->rows, 2);
    assert_int_equal(frame_image_at(f, 0)->cols, 2);
    frame_free(f);
}

static void what_is_drawn_later_removes_image_boxes_under_it(void **state) {
    (void)state;
    struct frame *f = make(10, 40);
    frame_text(f, 1, 1, STYLE_NORMAL, "under");
    for (size_t i = 0; i < 4; i++) frame_image(f, 1, 10 * i, 5, 9, i, "i");
    assert_int_equal(frame_cell(f, 1, 1)->cp, ' ');
    assert_int_equal(frame_image_count(f), 4);
    frame_text(f, 3, 12, STYLE_NORMAL, "x");            /* over box 1 */
    assert_int_equal(frame_image_count(f), 3);
    frame_fill(f, 5, 28, 1, 1, STYLE_NORMAL, ' ');      /* box 2, its last row and column */
    assert_int_equal(frame_image_count(f), 2);
    frame_text(f, 6, 0, STYLE_NORMAL, "below all boxes, touching none of them");
    frame_text(f, 3, 9, STYLE_NORMAL, "|");             /* between two boxes */
    assert_int_equal(frame_image_count(f), 2);
    assert_int_equal(frame_image_at(f, 0)->key, 0);
    assert_int_equal(frame_image_at(f, 1)->key, 3);
    frame_image(f, 0, 32, 3, 3, 9, "new");              /* over box 3 */
    assert_int_equal(frame_image_count(f), 2);
    assert_int_equal(frame_image_at(f, 1)->key, 9);
    frame_free(f);
}

static void more_image_boxes_than_there_is_room_for_are_left_out(void **state) {
    (void)state;
    struct frame *f = make(30, 60);
    for (size_t i = 0; i < 30 * 60; i++) frame_image(f, i / 60, i % 60, 1, 1, i, "i");
    assert_int_equal(frame_image_count(f), FRAME_IMAGES);
    frame_free(f);
}

static void a_meter_fills_in_eighths(void **state) {
    (void)state;
    struct frame *f = make(5, 4);
    frame_meter(f, 0, 0, 4, STYLE_METER, 0.5);
    frame_meter(f, 1, 0, 4, STYLE_METER, 1.0 / 32);
    frame_meter(f, 2, 0, 4, STYLE_METER, 7);
    frame_meter(f, 3, 0, 4, STYLE_METER, -1);
    frame_meter(f, 4, 0, 4, STYLE_METER, (double)__builtin_nanf(""));
    assert_string_equal(dump(f), "██\n▏\n████\n\n\n");
    frame_free(f);
}

static void one_cell_is_a_frame(void **state) {
    (void)state;
    struct frame *f = make(1, 1);
    frame_box(f, 0, 0, 1, 1, STYLE_BORDER, "t");
    frame_box(f, 0, 0, 5, 5, STYLE_BORDER, "t");
    frame_text(f, 0, 0, STYLE_NORMAL, "日");
    frame_meter(f, 0, 0, 9, STYLE_METER, 0.3);
    frame_image(f, 0, 0, 9, 9, 1, "train:1");
    assert_string_equal(dump(f), "[\n");
    frame_text_in(f, 0, 0, 9, STYLE_NORMAL, "ab");
    assert_string_equal(dump(f), "…\n");
    frame_free(f);
}

static void sizes_outside_the_range_are_refused(void **state) {
    (void)state;
    struct frame *f;
    assert_int_equal(frame_new(&f, 0, 5), ERR_RANGE);
    assert_null(f);
    assert_int_equal(frame_new(&f, 5, FRAME_SIDE + 1), ERR_RANGE);
    f = make(2, 2);
    frame_text(f, 0, 0, STYLE_NORMAL, "ab");
    assert_int_equal(frame_resize(f, 0, 0), ERR_RANGE);
    assert_string_equal(dump(f), "ab\n\n");
    assert_int_equal(frame_resize(f, 1, 3), OK);
    assert_string_equal(dump(f), "\n");
    frame_free(f);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    long before = mem_live();
    for (long n = 0;; n++) {
        struct frame *f;
        mem_fail_after(n);
        enum status st = frame_new(&f, 3, 3);
        mem_fail_after(-1);
        if (st == OK) { assert_int_equal(n, 3); frame_free(f); break; }
        assert_int_equal(st, ERR_NOMEM);
        assert_int_equal(mem_live(), before);
    }
    assert_int_equal(mem_live(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_clipped_at_the_right_edge),
        cmocka_unit_test(a_wide_character_over_the_edge_becomes_a_space),
        cmocka_unit_test(overwriting_half_of_a_wide_character_blanks_the_other_half),
        cmocka_unit_test(combining_marks_stay_with_their_letter),
        cmocka_unit_test(control_bytes_appear_escaped),
        cmocka_unit_test(cut_text_ends_in_an_ellipsis),
        cmocka_unit_test(a_box_has_four_corners_and_a_title),
        cmocka_unit_test(an_image_box_is_dumped_with_its_item_and_size),
        cmocka_unit_test(an_image_box_is_clipped_to_the_frame),
        cmocka_unit_test(what_is_drawn_later_removes_image_boxes_under_it),
        cmocka_unit_test(more_image_boxes_than_there_is_room_for_are_left_out),
        cmocka_unit_test(a_meter_fills_in_eighths),
        cmocka_unit_test(one_cell_is_a_frame),
        cmocka_unit_test(sizes_outside_the_range_are_refused),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
