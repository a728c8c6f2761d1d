/* term.h - a session on a terminal: frames out, events in.
 *
 * How it is used, by one thread:
 *     setlocale(LC_ALL, "");               once, in main()
 *     term_open(&t, &options);
 *     for (;;) { draw a frame of term_rows() x term_cols(); term_paint();
 *                term_next_event(); act on it }
 *     term_close(t);
 *
 * Text goes out through curses, pictures after it in a write of our own; input
 * is read here and never by curses.  Text shows at once: what the terminal can
 * do arrives while it stands (TERM_PROBED) and pictures follow.  Only boxes
 * that changed are sent, and a key press stops the sending between two pictures
 * (TERM_REPAINT comes when it is quiet again).  So does a slow line: the program
 * never runs far ahead of what the terminal has shown.
 *
 * The terminal is put back by term_close(), by exit() and by fatal signals.
 * One session at a time in a process. */
#ifndef DTRAK_TERM_H
#define DTRAK_TERM_H

#include "dtrak/err.h"
#include "dtrak/frame.h"
#include "dtrak/input.h"
#include "dtrak/painter.h"
#include "dtrak/probe.h"

#include <stddef.h>
#include <stdint.h>

struct term;

/* All zero is a good default. */
struct term_options {
    int fd;                      /* the terminal; 0: open /dev/tty */
    enum graphics graphics;
    size_t cell_w, cell_h;       /* pixels of a cell when the user said so, else 0 */
    size_t colours;              /* sixel palette when the user said so, else 0 */
    enum background background;  /* when the user said so, else unknown: what the terminal says */
    int no_mouse;
    int passthrough;             /* inside tmux: pictures go past it to the terminal outside, if they are pixels */
    int is_near;                 /* the line counts as fast, whatever its answers take: for tests that count pictures */
    int probe_ms;                /* deadline of the probe; 0: 1500 */
    size_t cache_bytes;          /* encoded pictures kept; 0: 32 MiB */
    size_t ahead_bytes;          /* of pictures, that the terminal has not said it has worked
                                  * through; 0: by the speed of the line */
};

enum term_event_kind {
    TERM_NOTHING,    /* the time is over */
    TERM_KEY,        /* input */
    TERM_MOUSE,      /* input */
    TERM_RESIZE,     /* term_rows() and term_cols() are new; draw again */
    TERM_PROBED,     /* the probe ended: pictures can be painted from now on; draw again */
    TERM_WAKE,       /* term_wake() was called (at least once) */
    TERM_REPAINT,    /* the last frame could not be sent, the line was behind: paint it again */
    TERM_RESUMED,    /* back from a suspension: draw again */
    TERM_QUIT,       /* SIGTERM, SIGINT or SIGHUP: in `signal` */
    TERM_HANGUP      /* the terminal is gone; comes again at every call */
};

struct term_event {
    enum term_event_kind kind;
    struct input_event input;
    int signal;
};

/* Where pixels come from. */
struct term_images {
    /* 1: *out is set, its pixels valid until the next call.  0: not yet;
     * term_wake() when they are there.  -1: never. */
    int (*get)(void *ctx, uint64_t key, struct picture *out);
    void *ctx;
};

/* ERR_IO when there is no terminal, ERR_RANGE when TERM names one that cannot
 * move its cursor; nothing was changed then.  opt may be NULL. */
enum status term_open(struct term **out, const struct term_options *opt);
void term_close(struct term *t);   /* NULL is fine */

size_t term_rows(const struct term *t);
size_t term_cols(const struct term *t);

/* Pixels of a cell, as known now (10x20 when nothing is); its ratio is what a
 * view needs to make boxes square. */
void term_cell_size(const struct term *t, size_t *cell_w, size_t *cell_h);

/* What pictures are painted with: AUTO while the probe runs. */
enum graphics term_graphics(const struct term *t);
const struct probe *term_probe(const struct term *t);

/* Shows f.  images may be NULL (no pictures); it is copied, and asked until the
 * next term_paint() or term_close().  ERR_IO when the terminal is gone, ERR_NOMEM;
 * both leave it paintable again. */
enum status term_paint(struct term *t, const struct frame *f, const struct term_images *images);

/* The next thing that happens, waiting at most timeout_ms (-1: for ever). */
void term_next_event(struct term *t, struct term_event *ev, int timeout_ms);

/* Whether a key, a mouse report or a signal is there already: what is drawn now
 * would be drawn again at once. */
int term_is_busy(struct term *t);

/* Makes term_next_event() return TERM_WAKE soon.  From any thread. */
void term_wake(struct term *t);

/* Forgets what is on the screen: the next term_paint() sends all of it. */
void term_redraw(struct term *t);

/* Puts the terminal back and stops the process group, as ^Z does in a shell;
 * returns when it goes on.  TERM_RESUMED follows. */
void term_suspend(struct term *t);

/* What was sent so far, for tests and budgets. */
struct term_stats { size_t pictures, picture_bytes, paints, encodes; };
struct term_stats term_statistics(const struct term *t);

/* The line to the terminal, as measured. */
struct term_line {
    double speed;              /* bytes per second; 0: not known */
    double round_trip;         /* seconds; < 0: not known */
    int is_bounded;            /* the terminal says how far it is */
    int is_slow;
    size_t colours, shrink;    /* what pictures come with first; 0 and 1: as well as they can */
    size_t in_flight;          /* picture bytes it has not worked through */
    size_t page_bytes;         /* of pictures, since the last key or resize */
};
struct term_line term_line(const struct term *t);

#endif
