/* protocols_test.c - the ranking over every protocol, decoded and compared with the items that
 * `dtrak rank --json` names; and storms of keys and sizes. */
#include "../lib/characters.h"
#include "../lib/store_rig.h"
#include "dtrak/progress.h"
#include "dtrak/rng.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { ROWS = EXPLORE_ROWS, COLS = EXPLORE_COLS, SIDE = EXPLORE_SIDE };

/* Decibels between the screen's pixels at a tile and grey pixels enlarged to `side`. */
static double tile_psnr(const struct pty *p, size_t row, size_t col, size_t side, const unsigned char *grey) {
    unsigned char *rgba = malloc(side * side * 4);
    double sum = 0;
    assert_non_null(rgba);
    vt_pixels(pty_screen(p), row, col, side, side, rgba);
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            for (size_t c = 0; c < 3; c++) {
                const unsigned char *q = rgba + (y * side + x) * 4;
                double d = q[3] ? (double)q[c] - grey[y * SIDE / side * SIDE + x * SIDE / side] : 255;
                sum += d * d;
            }
    free(rgba);
    sum /= (double)(side * side * 3);
    return sum > 0 ? 10 * log10(255. * 255. / sum) : 99;
}

/* The best of the places and sizes that a picture may have below its heading: grown by a whole
 * factor, or as high as so many rows of cells, less what is no whole band of sixels. */
static double best_psnr(const struct pty *p, size_t row, size_t col, const unsigned char *grey) {
    double best = 0;
    for (size_t k = 2; k <= 11; k++)
        for (int fills = 0; fills < 2; fills++) {
            size_t high = k * PTY_CELL_H, side = fills ? high - high % 6 : k * SIDE;
            if (side < 2 * SIDE || side > 7 * SIDE) continue;
            for (size_t r = row + 1; r <= row + 2; r++)
                for (size_t c = col; c <= col + 6; c++) {
                    double db = tile_psnr(p, r, c, side, grey);
                    if (db > best) best = db;
                }
        }
    return best;
}

struct wanted { const char *db; const struct ranking *r; double worst; };

static int all_are_right(struct pty *p, const void *ctx) {
    struct wanted *w = *(struct wanted *const *)ctx;
    w->worst = 99;
    for (size_t i = 0; i < 2 * TOP; i++) {
        unsigned char own[EXPLORE_PIXELS];
        size_t row, col;
        if (!ranking_find(p, w->r, i / TOP, i % TOP, &row, &col)) return 0;
        explore_pixels(w->db, SPLIT_TRAIN, w->r->item[i / TOP][i % TOP], own);
        double db = best_psnr(p, row, col, own);
        if (db < w->worst) w->worst = db;
        if (db < 28) return 0;
    }
    return 1;
}

/* Rows of pictures as one sixel share 255 colours among them, 42 each: 28 dB or more. */
static void in_tmux_with_sixels_every_picture_is_there(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct wanted w = { db, &r, 0 }, *at = &w;
    const struct vt_picture *there[64];
    struct pty *p = explore_start(db, PTY_TMUX_SIXEL);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    explore_until(p, all_are_right, &at, "not every picture is right");
    print_message("tmux with sixels: %.1f dB at the worst\n", w.worst);
    size_t n = vt_pictures(pty_screen(p), there, 64);
    assert_in_range(n, 1, 10);
    pty_keys(p, "\033[C\033[C\033[B");       /* the cursor's columns are text between the pictures */
    pty_settle(p, 400);
    pty_keys(p, "g");
    explore_until(p, all_are_right, &at, "pictures are gone after the cursor moved");
    explore_quit(p);
}

/* Kitty's and iTerm2's are exact. */
static void kitty_and_iterm2_show_the_items(void **state) {
    (void)state;
    static const enum pty_kind kinds[] = { PTY_KITTY, PTY_ITERM2 };
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    for (size_t k = 0; k < 2; k++) {
        struct pty *p = explore_start(db, kinds[k]);
        explore_see(p, "gen:0");
        pty_keys(p, "2");
        explore_see(p, "proponents 1-");
        explore_until(p, ranking_is_painted, &r, "not every picture was painted");
        for (size_t i = 0; i < 2 * TOP; i++) {
            const struct vt_picture *pic = ranking_picture(p, &r, i / TOP, i % TOP);
            unsigned char own[EXPLORE_PIXELS];
            explore_pixels(db, SPLIT_TRAIN, r.item[i / TOP][i % TOP], own);
            size_t side = 0;           /* iTerm2's is clear where the picture does not reach */
            while (side < pic->image.height && pic->image.rgba[side * pic->image.width * 4 + 3] == 255) side++;
            assert_true(side >= 2 * SIDE);
            double sum = 0;
            for (size_t y = 0; y < side; y++)
                for (size_t x = 0; x < side; x++) {
                    double d = (double)pic->image.rgba[(y * pic->image.width + x) * 4] - own[y * SIDE / side * SIDE + x * SIDE / side];
                    sum += d * d;
                }
            if (sum != 0) fail_msg("picture %zu: mean error %.2f", i, sqrt(sum) / (double)side);
        }
        assert_int_equal(vt_state(pty_screen(p)).bad_pictures, 0);
        assert_int_equal(vt_state(pty_screen(p)).on_last_row, 0);
        explore_quit(p);
    }
}

/* --- pictures of characters --- */

static struct pty *ranking_in(const char *db, enum pty_kind kind) {
    struct pty *p = explore_start(db, kind);
    explore_see(p, "gen:0");
    pty_keys(p, "2");
    explore_see(p, "proponents 1-");
    return p;
}

/* Direct colours are off by one step at most, and the average by less than one more; the greys
 * of 256 colours lie 10 apart: 5 at most, and 2.5 in the mean. */
static void half_blocks_show_the_items(void **state) {
    (void)state;
    static const struct { enum pty_kind kind; const char *name; double most; } t[] = {
        { PTY_DIRECT, "direct colours", 1 }, { PTY_PLAIN, "256 colours", 2.5 },
    };
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    for (size_t k = 0; k < 2; k++) {
        struct characters w = { .db = db, .r = &r, .most = t[k].most }, *at = &w;
        struct pty *p = ranking_in(db, t[k].kind);
        explore_until(p, characters_are_in_place, &at, "not every picture is right");
        print_message("half blocks, %s: mean error of a picture %.2f at the worst\n", t[k].name, w.worst);
        characters_assert_distinct(p, &w);
        explore_quit(p);
    }
}

/* Nine steps of brightness, 28 each: 14 at most, and 7 in the mean. */
static void letters_show_the_items(void **state) {
    (void)state;
    const char *db = ranking_world();
    struct ranking r = ranking_of(db, SQUARE);
    struct characters w = { .db = db, .r = &r, .most = 2.5 }, *at = &w;
    struct pty *p = ranking_in(db, PTY_PLAIN);
    explore_until(p, characters_are_in_place, &at, "not every picture is right");
    explore_quit(p);
    char *before = getenv("LC_ALL");
    before = before ? strdup(before) : NULL;
    setenv("LC_ALL", "C", 1);
    p = ranking_in(db, PTY_PLAIN);
    if (before) setenv("LC_ALL", before, 1);
    else unsetenv("LC_ALL");
    free(before);
    w.are_letters = 1;                   /* in the same places */
    w.most = 7;
    explore_until(p, characters_are_right, &at, "not every picture is right in letters");
    print_message("letters: mean error of a picture %.2f at the worst\n", w.worst);
    characters_assert_distinct(p, &w);
    explore_quit(p);
}

/* --- storms --- */

static const char *const storm_keys[] = { "1", "2", "3", "4", "5", "6", "7", "8", "j", "k", "h", "l", "g", "G", "\033[6~", "\033[5~", "\r",
                                          "m", "f", "c", "[", "]", ".", ",", "\t", "?", "\f", "L", "s", " ", "&", "n", "<", ">" };

static void storm(enum pty_kind kind, double seconds, int with_keys, int with_sizes, uint32_t seed) {
    struct rng rng = rng_at(seed, RNG_TEST, 1, 2);
    struct pty *p = explore_start(ranking_world(), kind);
    explore_see(p, "gen:0");
    double end = clock_s() + seconds;
    while (clock_s() < end) {
        if (with_keys)
            for (int i = 0; i < 12; i++) {
                size_t n = sizeof storm_keys / sizeof *storm_keys;
                pty_keys(p, storm_keys[(size_t)((double)rng_uniform(&rng) * (double)n) % n]);
            }
        if (with_sizes) pty_resize(p, 1 + (size_t)(rng_uniform(&rng) * 59), 1 + (size_t)(rng_uniform(&rng) * 180));
        pty_pump(p, 20);
        pty_pump(p, 20);
        assert_int_equal(waitpid(pty_pid(p), NULL, WNOHANG), 0);
    }
    pty_resize(p, ROWS, COLS);
    pty_settle(p, 500);
    pty_keys(p, "\003");                       /* out of a line that is typed, or of the program */
    pty_settle(p, 500);
    struct vt_state s = vt_state(pty_screen(p));
    assert_int_equal(s.bad_pictures, 0);
    if (s.unknown) fail_msg("unknown: %s", s.unknown_text);
    pty_keys(p, "\003");
    int status = pty_wait_end(p);
    explore_free_after(p, status);
}

static void a_storm_of_keys_does_no_harm(void **state) {
    (void)state;
    storm(PTY_SIXEL, 4, 1, 0, 1);
    pty_next_is_slow(125000, 20);
    storm(PTY_SIXEL, 3, 1, 0, 2);
}

static void a_storm_of_sizes_does_no_harm(void **state) {
    (void)state;
    storm(PTY_SIXEL, 3, 0, 1, 3);
    storm(PTY_KITTY, 3, 1, 1, 4);
    storm(PTY_TMUX_SIXEL, 3, 1, 1, 5);
}

static size_t pictures_begun(const struct pty *p) {
    size_t n = 0;
    for (const char *s = pty_output(p); (s = strstr(s, "\033P")) != NULL; s += 2) n++;
    return n;
}

/* A fatal signal while the first, the second, ... picture is on its way: the terminal is told that
 * the picture is over. */
static void a_crash_in_a_picture_ends_the_picture(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        pty_next_is_slow(60000, 1);
        struct pty *p = explore_start(ranking_world(), PTY_SIXEL);
        explore_see(p, "gen:0");
        double end = clock_s() + PTY_WAIT_MS / 1e3;
        while (pictures_begun(p) <= (size_t)i && clock_s() < end) pty_pump(p, 5);
        pty_signal(p, SIGABRT);
        int status = pty_wait_end(p);
        assert_true(WIFSIGNALED(status));
        const char *out = pty_output(p), *last = NULL;
        for (const char *s = out; (s = strstr(s, "\033P")) != NULL; s += 2) last = s;
        assert_non_null(last);
        assert_non_null(strstr(last, "\033\\"));
        explore_free_after(p, status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_tmux_with_sixels_every_picture_is_there),
        cmocka_unit_test(kitty_and_iterm2_show_the_items),
        cmocka_unit_test(half_blocks_show_the_items),
        cmocka_unit_test(letters_show_the_items),
        cmocka_unit_test(a_storm_of_keys_does_no_harm),
        cmocka_unit_test(a_storm_of_sizes_does_no_harm),
        cmocka_unit_test(a_crash_in_a_picture_ends_the_picture),
    };
    return cmocka_run_group_tests_name("protocols", tests, NULL, rig_end);
}
