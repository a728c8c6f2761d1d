/* term_scene.h - a small program on term.h: six pictures with labels, a status
 * line, and keys to change, cover and crash it. */
#ifndef TESTS_TERM_SCENE_H
#define TESTS_TERM_SCENE_H

#include "dtrak/probe.h"
#include "pty.h"

#include <stddef.h>

/* What picture `key` shows: rgba[32 * 32 * 4]. */
void scene_pixels(unsigned char *rgba, unsigned key);

struct scene {
    enum graphics graphics;
    int probe_ms;
    int is_late;      /* pictures come from a thread, when the process gets SIGUSR1 */
    size_t ahead_bytes;
    int passthrough;
    const char *locale;   /* NULL: as it is */
};

/* Runs until q, a signal or the end of the terminal.  Keys: n other pictures,
 * m a window over them, t text beside them, b lines around them, l draws all again,
 * e exit() from within, s SIGSEGV, a abort(), o stack overflow.  Returns 0
 * after q, 3 after a hangup, 10 + the signal after one. */
int scene_run(void *scene);

/* It, on a scripted terminal. */
enum { SCENE_ROWS = 24, SCENE_COLS = 80 };
struct pty *scene_start(struct scene *scene, enum pty_kind kind);
/* Ends it by q: status 0, and the terminal as before. */
void scene_quit(struct pty *p);

#endif
