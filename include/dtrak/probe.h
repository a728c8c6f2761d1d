/* probe.h - what the terminal at the other end can do.
 *
 * One write of questions with DA1 last, which every terminal answers: when its
 * answer is there, the others are too or never will be.  Answers arrive through
 * the input parser among keys; probe_answer() files them.  A deadline ends it
 * for terminals that say nothing. */
#ifndef DTRAK_PROBE_H
#define DTRAK_PROBE_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/input.h"

#include <stddef.h>

/* What the user asked for (--graphics). */
enum graphics {
    GRAPHICS_AUTO, GRAPHICS_SIXEL, GRAPHICS_KITTY, GRAPHICS_ITERM2, GRAPHICS_HALF, GRAPHICS_ASCII,
    GRAPHICS_NONE
};

/* Whether g paints pixels (sixel, kitty, iTerm2) and not characters. */
int graphics_is_pixels(enum graphics g);

/* What the text stands on. */
enum background { BACKGROUND_UNKNOWN, BACKGROUND_DARK, BACKGROUND_LIGHT };

enum colour_depth { COLOUR_MONO, COLOUR_16, COLOUR_256, COLOUR_TRUE };

struct probe {
    int done;                   /* DA1 came, or the deadline passed */
    int answered;               /* DA1 came */
    int has_sixel;              /* DA1 attribute 4 */
    int has_kitty;              /* answered the kitty graphics query */
    int maybe_iterm2;           /* by name */
    int in_tmux;
    int sync_update;            /* DECRQM 2026 says it is known */
    int shared_colours;         /* DECRQM 1070 is reset: one picture's palette changes the others' */
    enum background background; /* OSC 11, before it came COLORFGBG */
    size_t registers;           /* colour registers; 0 not told */
    size_t max_width, max_height;   /* largest sixel in pixels; 0 not told */
    size_t cell_w, cell_h;      /* from CSI 16 t; 0 not told */
    size_t text_w, text_h;      /* from CSI 14 t; 0 not told */
    double answer_s;            /* probe_run(): until DA1 came */
    char name[INPUT_TEXT];      /* XTVERSION, or "" */
};

/* environment: reads TMUX, TERM, TERM_PROGRAM, LC_TERMINAL, COLORFGBG.  Everything else is unknown. */
void probe_init(struct probe *p);

/* The questions to send, 0-terminated, static.  No kitty query inside tmux:
 * tmux 3.3 takes it for a pane title. */
const char *probe_questions(const struct probe *p);
/* The one that matters also to who paints no pixels, and DA1; "" for a terminal that is not to be asked. */
const char *probe_background_question(void);

/* Files a reply; returns 1 when this one ended the probe. */
int probe_answer(struct probe *p, const struct input_event *reply);

/* Cell size in pixels: CSI 16 t, then the kernel's window size (px of the whole
 * text area / cells), then CSI 14 t, then 10x20.  A size under 4 or over 64
 * pixels, or the 640x480 that some SSH servers make up, is not believed.
 * The answer says which one it was: "16t", "ioctl", "14t" or "guess". */
const char *probe_cell_size(const struct probe *p, size_t rows, size_t cols, size_t win_w,
                            size_t win_h, size_t *cell_w, size_t *cell_h);

/* Text colours from TERM, COLORTERM and what terminfo says (colours < 0: unknown). */
enum colour_depth probe_colour_depth(const char *term, const char *colorterm, int colours);

/* Asks the terminal on fd and waits for the answers, at most deadline_ms; the
 * terminal is in raw mode meanwhile and as before afterwards.  For reports:
 * the explorer asks through term_open().  ERR_IO when fd is no terminal. */
enum status probe_run(struct probe *out, int fd, int deadline_ms);

/* What was found on the terminal (/dev/tty) and what follows from it, a line for
 * each fact, as one would paste it into a report.  ERR_IO without a terminal. */
enum status probe_report(struct buf *out, int deadline_ms);

/* "auto", "sixel", "kitty", "iterm2", "half", "ascii", "none"; ERR_USAGE for another name, with
 * a line that says which names there are. */
enum status graphics_parse(enum graphics *out, const char *name);
const char *graphics_name(enum graphics g);

/* "auto" (unknown), "dark", "light"; ERR_USAGE for another name. */
enum status background_parse(enum background *out, const char *name);

/* What to paint with: what was asked for, or for AUTO what the probe and the
 * colours allow: sixel, kitty, iTerm2, half blocks from 16 colours up, ASCII.  Half blocks need UTF-8. */
enum graphics graphics_choose(enum graphics asked, const struct probe *p,
                              enum colour_depth depth, int utf8);

#endif
