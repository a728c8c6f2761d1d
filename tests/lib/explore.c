/* explore.c - the whole program on a scripted terminal.  See explore.h. */
#include "explore.h"

#include "dtrak/buf.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/progress.h"
#include "store_rig.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

/* --- commands --- */

const char *explore_environment(const char *name) {
    const char *value = getenv(name);
    if (!value) fail_msg("%s is not set: tests/run sets it", name);
    return value;
}

/* Runs a command line and returns its output, to be freed; asserts that it succeeds. */
char *explore_shell(const char *fmt, ...) {
    struct buf line = BUF_INIT, out = BUF_INIT;
    char piece[4096], arguments[2048];
    size_t n;
    va_list args;
    va_start(args, fmt);
    vsnprintf(arguments, sizeof arguments, fmt, args);
    va_end(args);
    buf_printf(&line, "%s", arguments);
    buf_add(&line, "", 1);
    FILE *f = popen((const char *)line.data, "r");
    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_add(&out, piece, n);
    int status = pclose(f);
    buf_add(&out, "", 1);
    if (status != 0) fail_msg("%s: status %d: %s", arguments, status, (const char *)out.data);
    char *text = strdup((const char *)out.data);
    assert_non_null(text);
    buf_free(&line);
    buf_free(&out);
    return text;
}

/* --- the program on a terminal --- */

struct pty *explore_start_with(const char *db, enum pty_kind kind, const char *option) {
    const char *program = explore_environment("DTRAK");
    char *argv[] = { strdup(program), strdup("view"), strdup(db), strdup("--threads"), strdup("1"), option ? strdup(option) : NULL, NULL };
    struct pty *p = pty_run(argv, EXPLORE_ROWS, EXPLORE_COLS, kind);
    for (size_t i = 0; argv[i]; i++) free(argv[i]);
    assert_non_null(p);
    return p;
}

struct pty *explore_start(const char *db, enum pty_kind kind) { return explore_start_with(db, kind, "--fresh"); }

void explore_dump(const struct pty *p) {
    for (size_t i = 0; i < EXPLORE_ROWS; i++) fprintf(stderr, "# %s\n", vt_row(pty_screen(p), i));
}

void explore_see(struct pty *p, const char *text) {
    if (pty_wait_for(p, text)) return;
    explore_dump(p);
    fail_msg("'%s' is not on the screen", text);
}

/* Pumps until the condition holds. */
void explore_until(struct pty *p, int (*holds)(struct pty *p, const void *ctx), const void *ctx, const char *what) {
    double end = clock_s() + PTY_WAIT_MS / 1000.;
    while (!holds(p, ctx)) {
        if (clock_s() > end || !pty_settle(p, 30)) {
            if (holds(p, ctx)) return;
            explore_dump(p);
            fail_msg("%s", what);
        }
    }
}

void explore_free_after(struct pty *p, int status) {
    struct vt_state s = vt_state(pty_screen(p));
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) { explore_dump(p); fail_msg("exit status %d", WEXITSTATUS(status)); }
    assert_int_not_equal(status, -1);
    assert_true(pty_is_restored(p));
    assert_false(s.is_alternate);
    assert_false(s.is_cursor_hidden);
    assert_false(s.is_mouse_on);
    assert_false(s.is_in_sync);
    pty_free(p);
}

void explore_quit(struct pty *p) {
    pty_keys(p, "Q");
    int status = pty_wait_end(p);
    assert_true(WIFEXITED(status));
    explore_free_after(p, status);
}

/* --- pictures --- */

/* Grey pixels of a stored image. */
void explore_pixels(const char *db, enum split split, size_t index, unsigned char out[EXPLORE_PIXELS]) {
    struct store *s;
    struct image im;
    void *bytes;
    size_t len;
    assert_int_equal(store_open(&s, db, STORE_READ), OK);
    assert_int_equal(store_image_read(s, (struct item_ref){ split, index }, &bytes, &len), OK);
    assert_int_equal(image_decode(&im, bytes, len, 1, "stored"), OK);
    assert_int_equal(im.width_px, EXPLORE_SIDE);
    assert_int_equal(im.height_px, EXPLORE_SIDE);
    memcpy(out, im.pixels, EXPLORE_PIXELS);
    image_free(&im);
    mem_free(bytes);
    store_close(s);
}

/* Decibels between what was painted and grey pixels enlarged to squares. */
double explore_psnr(const struct sixel_image *painted, const unsigned char *grey) {
    double sum = 0;
    assert_true(painted->width >= 2 * EXPLORE_SIDE);
    assert_int_equal(painted->height, painted->width);
    for (size_t y = 0; y < painted->height; y++)
        for (size_t x = 0; x < painted->width; x++) {
            const unsigned char *q = painted->rgba + (y * painted->width + x) * 4;
            assert_int_equal(q[3], 255);
            for (size_t c = 0; c < 3; c++) {
                double d = (double)q[c] - grey[y * EXPLORE_SIDE / painted->height * EXPLORE_SIDE + x * EXPLORE_SIDE / painted->width];
                sum += d * d;
            }
        }
    sum /= (double)(painted->width * painted->height * 3);
    return sum > 0 ? 10 * log10(255. * 255. / sum) : 99;
}

/* The picture whose top left corner is in these cells. */
const struct vt_picture *explore_picture_in(const struct pty *p, size_t row, size_t col, size_t rows, size_t cols) {
    const struct vt_picture *all[128];
    size_t n = vt_pictures(pty_screen(p), all, 128);
    for (size_t i = 0; i < n && i < 128; i++)
        if (all[i]->row >= row && all[i]->row < row + rows && all[i]->col >= col && all[i]->col < col + cols) return all[i];
    return NULL;
}
