/* tmux.h - pictures past tmux: what it is asked, and how bytes are wrapped.
 *
 * tmux without sixels of its own hands on what stands between ESC P tmux ; and ST, with
 * every ESC doubled, when its option allow-passthrough is on.  It knows nothing of what that
 * did: the cursor has to be put back, and places count from the outer terminal's corner. */
#ifndef DTRAK_TERM_TMUX_H
#define DTRAK_TERM_TMUX_H

#include "dtrak/buf.h"

#include <stddef.h>
#include <sys/types.h>

struct tmux_pane {
    int is_known;         /* tmux answered */
    int allows;           /* allow-passthrough is on, or older than that option */
    size_t row, col;      /* of the pane's corner on the outer terminal */
    char version[24];
};

/* A question to the tmux that TMUX names, asked by its own command, which runs beside the
 * program: nobody waits for it but who wants to. */
struct tmux_question {
    int fd;               /* the answer comes here; -1: nothing is asked */
    int is_again;         /* something has moved since it was asked */
    pid_t pid;
    double end;           /* the answer is not waited for any longer */
    size_t len;
    char line[160];
};

void tmux_question_init(struct tmux_question *q);

/* Asks where the pane is; while a question is under way, once more when that has ended.  p is what
 * is known of it: nobody draws past tmux at a place that is not known, so that is waited for longer. */
void tmux_ask(struct tmux_question *q, const struct tmux_pane *p, double now);

/* Reads what has come.  1: nothing is asked any more, and *p is the answer, or as it was when
 * none came in time.  0: not yet, or nothing was asked. */
int tmux_answered(struct tmux_question *q, struct tmux_pane *p, double now);

void tmux_question_end(struct tmux_question *q);   /* unanswered */

/* Waits for the answer, for a second at most; what has not come by then stays under way. */
void tmux_wait(struct tmux_question *q, struct tmux_pane *p, double now);

/* Asks and waits so. */
void tmux_pane_find(struct tmux_pane *p);

/* An answer: "left top status position version allow", as it is asked for. */
void tmux_pane_parse(struct tmux_pane *p, const char *line);

/* tmux drops a sequence of more than a megabyte, without a word. */
enum { TMUX_PASSES = 400000, TMUX_TAKES = 1000000 };   /* bytes to send past it, and to it, in one */

/* Wraps what was appended since `from`. */
void tmux_wrap(struct buf *out, size_t from);

/* The same of a picture of kitty's, as showing.c sends it: ESC 7, its place, its chunks, ESC 8.  Of more
 * than `most` bytes it goes in several sequences, each with the place, since tmux may write in between. */
void tmux_wrap_chunks(struct buf *out, size_t from, size_t most);

#endif
