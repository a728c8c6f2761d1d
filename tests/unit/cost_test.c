/* A cost as words, and a sink that stops a verb. */
#include "dtrak/cost.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void expect(struct cost c, const char *want) {
    char text[160];
    cost_format(text, sizeof text, &c);
    assert_string_equal(text, want);
}

static void a_cost_is_said_in_words(void **state) {
    (void)state;
    expect((struct cost){ 1.23e12, 190, 12.4e6, -1, "" }, "1.2 TFLOP, about 3 min 10 s, 12 MB on disk");
    expect((struct cost){ 1.23e12, 19, -1, -1, "1 of 2 threads" }, "1.2 TFLOP, about 19 s, 1 of 2 threads");
    expect((struct cost){ 0, 0, 0, 0, "" }, "nothing to do");
    expect((struct cost){ 4.2e9, 2.34, 0, 2.1e9, "" }, "4.2 GFLOP, about 2.3 s, 0 bytes on disk, 2.1 GB of memory");
    expect((struct cost){ 9.97e17, NAN, -1, 999.6e6, "" }, "997 PFLOP, 1.0 GB of memory");
    expect((struct cost){ 5e20, 3600 * 5 + 59.6, 1500, -1, "" }, "500 EFLOP, about 5 h 01 min, 1.5 KB on disk");
    expect((struct cost){ -1, 59.7, 512, -1, "" }, "about 1 min 00 s, 512 bytes on disk");
    expect((struct cost){ -1, 86400 * 3.25, -1, -1, "" }, "about 3.2 days");
    char text[8];
    struct cost c = { 1.23e12, 190, 12.4e6, -1, "" };
    cost_format(text, sizeof text, &c);
    assert_string_equal(text, "1.2 TFL");
}

static void count(void *ctx, const char *what, const struct cost *c) {
    assert_string_equal(what, "train");
    *(double *)ctx += c->seconds;
}

static void a_sink_is_told_and_may_stop(void **state) {
    (void)state;
    double sum = 0;
    struct cost c = { 1, 2, 3, 4, "" };
    struct cost_sink sink = { count, &sum, 0 };
    assert_int_equal(cost_announce(&sink, "train", &c), 0);
    sink.only = 1;
    assert_int_equal(cost_announce(&sink, "train", &c), 1);
    assert_int_equal(cost_announce(NULL, "train", &c), 0);
    assert_true(sum == 4);
}

static void memory_that_is_taken_is_counted(void **state) {
    (void)state;
    size_t before = mem_taken();
    void *p = mem_array(1000, 8);
    mem_free(p);
    assert_in_range(mem_taken() - before, 8000, 8063);
    assert_true(mem_default_cap() > 1 << 26);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cost_is_said_in_words),
        cmocka_unit_test(a_sink_is_told_and_may_stop),
        cmocka_unit_test(memory_that_is_taken_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
