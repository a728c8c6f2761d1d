/* explore.h - the whole program on a scripted terminal: started, watched, left.
 *
 * For cmocka tests: what does not hold fails the test, with the screen on the standard
 * error.  OUT, DTRAK and WORK come from tests/run.  Everything waits for what is on the
 * screen, never for time. */
#ifndef TESTS_EXPLORE_H
#define TESTS_EXPLORE_H

#include "dtrak/store.h"
#include "pty.h"

#include <stdlib.h>

enum { EXPLORE_ROWS = 36, EXPLORE_COLS = 120 };

const char *explore_environment(const char *name);

/* Runs a command line and returns its output, to be freed; it has to succeed. */
__attribute__((format(printf, 1, 2)))
char *explore_shell(const char *fmt, ...);
#define EXPLORE_RUN(...) free(explore_shell(__VA_ARGS__))

struct pty *explore_start(const char *db, enum pty_kind kind);   /* with --fresh */
struct pty *explore_start_with(const char *db, enum pty_kind kind, const char *option);
void explore_dump(const struct pty *p);
void explore_see(struct pty *p, const char *text);   /* waits for it */
/* Pumps until the condition holds; what: said when it does not. */
void explore_until(struct pty *p, int (*holds)(struct pty *p, const void *ctx), const void *ctx, const char *what);
/* It ended with that status of waitpid(): the terminal is as before. */
void explore_free_after(struct pty *p, int status);
void explore_quit(struct pty *p);                    /* by Q */

/* --- pictures, of databases whose items are that large --- */

enum { EXPLORE_SIDE = 16, EXPLORE_PIXELS = EXPLORE_SIDE * EXPLORE_SIDE };

/* The picture whose top left corner is in these cells; NULL: none. */
const struct vt_picture *explore_picture_in(const struct pty *p, size_t row, size_t col, size_t rows, size_t cols);
/* Grey pixels of a stored image. */
void explore_pixels(const char *db, enum split split, size_t index, unsigned char out[EXPLORE_PIXELS]);
/* Decibels between what was painted and grey pixels enlarged to squares. */
double explore_psnr(const struct sixel_image *painted, const unsigned char *grey);

#endif
