/* tmux.h - pictures past tmux: what it is asked, and how bytes are wrapped.
 *
 * tmux without sixels of its own hands on what stands between ESC P tmux ; and ST, with
 * every ESC doubled, when its option allow-passthrough is on.  It knows nothing of what that
 * did: the cursor has to be put back, and places count from the outer terminal's corner. */
#ifndef DTRAK_TERM_TMUX_H
#define DTRAK_TERM_TMUX_H

#include "dtrak/buf.h"

#include <stddef.h>

struct tmux_pane {
    int is_known;         /* tmux answered */
    int allows;           /* allow-passthrough is on, or older than that option */
    size_t row, col;      /* of the pane's corner on the outer terminal */
    char version[24];
};

/* Asks the tmux that TMUX names, by its own command. */
void tmux_pane_find(struct tmux_pane *p);

/* Its answer: "left top status position version allow", as tmux_pane_find() asks for it. */
void tmux_pane_parse(struct tmux_pane *p, const char *line);

/* Wraps what was appended since `from`. */
void tmux_wrap(struct buf *out, size_t from);

#endif
