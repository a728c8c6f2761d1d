/* line.h: what answers say about a line, on simulated ones. */
#include "../../src/term/line.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* A line of so many bytes a second and such a round trip, with a terminal that answers at once. */
struct simulated { double speed, round_trip, free_at, now; double due[LINE_FENCES]; size_t first, count; };

static void send(struct line *l, struct simulated *s, size_t bytes) {
    if (s->free_at < s->now + s->round_trip / 2) s->free_at = s->now + s->round_trip / 2;
    s->free_at += (double)bytes / s->speed;
    s->due[(s->first + s->count++) % LINE_FENCES] = s->free_at + s->round_trip / 2;
    line_asked(l, bytes, s->now);
}

/* Takes the next answer when it comes, read so much later. */
static void answer(struct line *l, struct simulated *s, double late) {
    double due = s->due[s->first];
    s->first = (s->first + 1) % LINE_FENCES;
    s->count--;
    if (due > s->now) s->now = due;
    s->now += late;
    line_answered(l, s->now, late == 0);
}

static void begin(struct line *l, struct simulated *s, double speed, double round_trip) {
    *s = (struct simulated){ .speed = speed, .round_trip = round_trip, .now = 100 };
    line_init(l);
    send(l, s, 0);                 /* the probe */
    answer(l, s, .03);             /* at the start there is much to do */
    assert_true(line_wants_ping(l));
    for (int i = 0; i < LINE_PINGS && line_wants_ping(l); i++) {
        send(l, s, 0);
        answer(l, s, 0);
    }
    assert_false(line_wants_ping(l));
}

/* Sends n pictures of so many bytes as there is room for them; returns the most under way. */
static size_t page(struct line *l, struct simulated *s, size_t n, size_t bytes, double late) {
    size_t most = 0;
    while (n || s->count) {
        if (n && line_has_room(l, bytes, 0)) {
            send(l, s, bytes);
            n--;
            if (l->in_flight > most) most = l->in_flight;
        } else {
            answer(l, s, late);
        }
    }
    return most;
}

static void the_speed_of_a_slow_line_is_found(void **state) {
    (void)state;
    static const double speeds[] = { 2000, 12000, 32000, 125000, 400000 }, trips[] = { .004, .05, .1, .6 };
    static const size_t sizes[] = { 400, 3000, 9000 };
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 4; k++)
            for (size_t b = 0; b < 3; b++) {
                struct line l;
                struct simulated s;
                begin(&l, &s, speeds[i], trips[k]);
                size_t most = page(&l, &s, 40, sizes[b], 0);
                if (k == 0 && (double)sizes[b] / speeds[i] < .03 && !line_is_slow(&l)) continue;   /* near, and no picture takes long */
                if (!line_is_slow(&l)) fail_msg("%g B/s, %g s, %zu bytes: %g B/s", speeds[i], trips[k], sizes[b], line_speed(&l));
                assert_true(k == 0 || most <= LINE_TILE);
                if (line_speed(&l) > 0) assert_true(fabs(line_speed(&l) / speeds[i] - 1) < .1);
                else assert_true(speeds[i] > 200000);   /* no page keeps it busy for long */
            }
}

static void a_fast_line_is_known_as_one_however_far(void **state) {
    (void)state;
    static const double trips[] = { .0005, .02, .1, .3 };
    for (size_t k = 0; k < 4; k++) {
        struct line l;
        struct simulated s;
        begin(&l, &s, 50e6, trips[k]);
        assert_int_equal(line_is_slow(&l), trips[k] > .04);
        page(&l, &s, 100, 9000, 0);
        if (trips[k] < .2) assert_false(line_is_slow(&l));
        assert_true(line_speed(&l) < 55e6);
        if (trips[k] > .2) continue;
        /* And pictures do not wait for one another's answers. */
        assert_true(page(&l, &s, 100, 9000, 0) >= 60000);
        assert_int_equal(line_tile(&l), SIZE_MAX);
    }
}

static void a_busy_program_does_not_make_the_line_fast_nor_a_near_one_slow(void **state) {
    (void)state;
    struct line l;
    struct simulated s;
    begin(&l, &s, 125000, .1);
    for (int i = 0; i < 30; i++) page(&l, &s, 7, 3000, i % 3 ? .04 : 0);
    assert_true(line_is_slow(&l));
    assert_true(line_speed(&l) < 130000);
    begin(&l, &s, 50e6, .0005);
    for (int i = 0; i < 30; i++) page(&l, &s, 7, 500, i % 3 ? .04 : 0);
    assert_false(line_is_slow(&l));
}

/* The first bare questions were held up on their way: the line looks fast at first, since much seems
 * to come in no time; what came sooner than they did says that it is not so. */
static void a_round_trip_that_was_held_up_is_mended(void **state) {
    (void)state;
    static const double held[] = { .02, .06, .1, .3, 1 };
    for (size_t k = 0; k < sizeof held / sizeof *held; k++)
        for (size_t bytes = 1000; bytes <= 9000; bytes += 4000) {
            struct line l;
            struct simulated s;
            begin(&l, &s, 125000, .1 + held[k]);
            s.round_trip = .1;
            for (int i = 0; i < 6; i++) {
                page(&l, &s, 12, bytes, 0);
                while (line_wants_ping(&l)) {
                    send(&l, &s, 0);
                    answer(&l, &s, 0);
                }
            }
            if (!line_is_slow(&l) || line_speed(&l) > 150000 || l.round_trip > .121)
                fail_msg("held up for %g s, %zu bytes: %g B/s, %g s", held[k], bytes, line_speed(&l), l.round_trip);
        }
}

static void a_tile_takes_a_tenth_of_a_second_and_is_never_large(void **state) {
    (void)state;
    struct line l;
    struct simulated s;
    begin(&l, &s, 125000, .1);
    assert_int_equal(line_tile(&l), LINE_TILE);      /* not measured yet */
    page(&l, &s, 20, 3000, 0);
    assert_in_range(line_tile(&l), 11000, LINE_TILE);
    begin(&l, &s, 40000, .1);
    page(&l, &s, 20, 3000, 0);
    assert_in_range(line_tile(&l), 3500, 4100);
    begin(&l, &s, 2000, .1);
    page(&l, &s, 20, 3000, 0);
    assert_int_equal(line_tile(&l), 3000);
}

/* A terminal on the same machine answers before the program waits: that is no reason to ask for ever. */
static void answers_that_come_at_once_are_enough(void **state) {
    (void)state;
    for (int busy = 0; busy < 2; busy++) {           /* the program comes late to them: then it asks again */
        struct line l;
        size_t asked = 0;
        double now = 10;
        line_init(&l);
        line_asked(&l, 0, now);
        for (line_answered(&l, now += .0001, 0); asked < 50 && line_wants_ping(&l); asked++) {
            line_asked(&l, 0, now);
            line_answered(&l, now += busy ? .03 : .0001, 0);
        }
        assert_true(busy ? asked == 50 : asked <= LINE_PINGS);
    }
}

/* One that is near by the caller's word; its answers bound what is on the way all the same. */
static void a_line_that_counts_as_near_is_never_slow(void **state) {
    (void)state;
    struct line l;
    struct simulated s;
    begin(&l, &s, 125000, .1);
    l.is_near = 1;
    assert_false(line_is_slow(&l));
    page(&l, &s, 20, 3000, 0);
    assert_false(line_is_slow(&l));
    assert_true(line_tile(&l) == SIZE_MAX);
    send(&l, &s, 9000);
    assert_false(line_is_late(&l, s.now + 1));
    assert_true(line_has_room(&l, 9000, 0));
    assert_false(line_has_room(&l, 9000, 10000));
    assert_false(line_has_room(&l, 1 << 20, 0));
}

static void without_answers_there_is_no_bound(void **state) {
    (void)state;
    struct line l;
    line_init(&l);
    line_asked(&l, 0, 10);                           /* the probe, never answered */
    assert_false(line_asks(&l));
    assert_true(line_has_room(&l, 1 << 20, 0));
    assert_false(line_is_slow(&l));
    assert_true(line_deadline(&l) < 0);

    struct simulated s;
    begin(&l, &s, 125000, .1);
    send(&l, &s, 9000);
    assert_false(line_has_room(&l, 9000, 0));
    assert_true(line_has_room(&l, 3000, 0));
    assert_false(line_has_room(&l, 3000, 10000));
    assert_true(line_is_late(&l, s.now + 1));
    assert_false(line_is_late(&l, s.now + .2));
    line_expire(&l, s.now + 2.9);
    assert_false(line_has_room(&l, 9000, 0));
    line_expire(&l, s.now + 3.1);
    assert_true(line_has_room(&l, 9000, 0));
    assert_false(line_is_slow(&l));
    line_answered(&l, s.now + 4, 1);                 /* late: from now on bounded again */
    send(&l, &s, 9000);
    assert_false(line_has_room(&l, 9000, 0));
}

/* A program that was suspended finds answers that it has given up on: they are not those to what
 * it asked since, and make the line no shorter and no faster than it is. */
static void an_answer_that_is_overdue_measures_nothing(void **state) {
    (void)state;
    struct line l;
    struct simulated s;
    begin(&l, &s, 125000, .1);
    page(&l, &s, 20, 3000, 0);
    double speed = line_speed(&l), trip = l.round_trip;
    assert_true(fabs(trip - .1) < .001);
    for (size_t i = 0; i < 2; i++) line_asked(&l, 3000, s.now);
    line_expire(&l, s.now + 4);
    for (size_t i = 0; i < 3; i++) line_asked(&l, 3000, s.now + 4);
    for (size_t i = 0; i < 2; i++) line_answered(&l, s.now + 4.01, 1);
    assert_true(l.round_trip >= trip && line_speed(&l) <= speed * 1.01);
    s.now += 5;
    line_answered(&l, s.now, 1);                     /* those to the three, two of which seem answered */
    line_answered(&l, s.now, 1);
    line_answered(&l, s.now, 1);
    assert_int_equal(l.in_flight, 0);
    assert_true(l.round_trip >= trip && line_speed(&l) <= speed * 1.01);
    /* From then on as before. */
    page(&l, &s, 20, 3000, 0);
    assert_true(fabs(line_speed(&l) / 125000 - 1) < .1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_speed_of_a_slow_line_is_found),
        cmocka_unit_test(a_fast_line_is_known_as_one_however_far),
        cmocka_unit_test(a_round_trip_that_was_held_up_is_mended),
        cmocka_unit_test(a_busy_program_does_not_make_the_line_fast_nor_a_near_one_slow),
        cmocka_unit_test(a_tile_takes_a_tenth_of_a_second_and_is_never_large),
        cmocka_unit_test(answers_that_come_at_once_are_enough),
        cmocka_unit_test(a_line_that_counts_as_near_is_never_slow),
        cmocka_unit_test(without_answers_there_is_no_bound),
        cmocka_unit_test(an_answer_that_is_overdue_measures_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
