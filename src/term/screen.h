/* screen.h - the text of a frame through curses.
 *
 * Internal to term/: the only user of curses, and it only outputs.  Cells under
 * an image box are told to curses as something that no blank equals, so that
 * it neither clears them with the end of a line nor leaves them when the box
 * goes. */
#ifndef TERM_SCREEN_H
#define TERM_SCREEN_H

#include "dtrak/err.h"
#include "dtrak/frame.h"
#include "dtrak/probe.h"

#include <stddef.h>

struct screen;

/* Takes over the terminal on fd: alternate screen, raw mode, no cursor. */
enum status screen_open(struct screen **out, int fd);
void screen_close(struct screen *s);

int screen_colours(const struct screen *s);   /* what terminfo says, -1 none */
int screen_is_utf8(const struct screen *s);

/* Bytes that end the alternate screen and show the cursor, 0-terminated. */
const char *screen_restore_text(const struct screen *s);

/* Colours that can be read on it; unknown is as dark.  Those that change are sent again by the next text. */
void screen_background(struct screen *s, enum background b);

void screen_resize(struct screen *s, size_t rows, size_t cols);
void screen_leave(struct screen *s);    /* the terminal as before screen_open() */
void screen_enter(struct screen *s);    /* and back */
void screen_forget(struct screen *s);   /* the next text is sent whole */
void screen_redraw_rows(struct screen *s, size_t row, size_t rows);   /* these are */

/* Sends what changed.  with_labels writes the item's name into image boxes:
 * there will be no pictures. */
void screen_text(struct screen *s, const struct frame *f, int with_labels);

#endif
