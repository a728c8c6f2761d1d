/* pty.h - runs a program on a pseudo-terminal that answers like a real one.
 *
 *     struct pty *p = pty_run(argv, 36, 120, PTY_SIXEL);
 *     pty_wait_for(p, "proponents");             pumps until the text shows
 *     pty_keys(p, "f");  pty_settle(p, 150);     sends, pumps until it is quiet
 *     vt_picture_at(pty_screen(p), row, col);    what is on the screen
 *     status = pty_wait_end(p);
 *     pty_free(p);
 * Cells are 10x20 pixels until pty_font(). */
#ifndef TESTS_PTY_H
#define TESTS_PTY_H

#include "slow_line.h"
#include "slower.h"
#include "vt.h"

#include <stddef.h>
#include <sys/types.h>

enum { PTY_CELL_W = 10, PTY_CELL_H = 20 };

enum pty_kind {
    PTY_SIXEL,         /* DA1 with 4, 16t, 256 registers, synchronised updates */
    PTY_KITTY,         /* no sixel; answers the kitty question, 16t, 2026 and DSR */
    PTY_ITERM2,        /* no sixel; says that it is iTerm2; 16t */
    PTY_SIXEL_BARE,    /* DA1 with 4 and nothing else, as xterm -ti vt340 */
    PTY_PLAIN,         /* DA1 without 4, 16t; 256 colours */
    PTY_LIGHT,         /* the same with a white background, which it tells */
    PTY_DIRECT,        /* the same with direct colours */
    PTY_SIXEL_16,      /* PTY_SIXEL with 16 registers, to be set, that all pictures share */
    PTY_TMUX,          /* as tmux 3.3a: ?1;2c only */
    PTY_TMUX_SIXEL,    /* as tmux 3.4 with sixels: keeps ten of them */
    PTY_SILENT         /* says nothing */
};

/* For what has to come: so long only when it does not. */
enum { PTY_WAIT_MS = SLOWER > 1 ? 120000 : 60000 };

struct pty;

/* Either a program (argv, environment of this process, TERM=xterm-256color,
 * no TMUX) or a function in a child process.  NULL when no terminal is to be had. */
struct pty *pty_run(char *const argv[], size_t rows, size_t cols, enum pty_kind kind);
struct pty *pty_call(int (*fn)(void *), void *ctx, size_t rows, size_t cols, enum pty_kind kind);

/* The next one runs over a line of so many bytes a second, so much later each way. */
void pty_next_is_slow(double bytes_per_s, int one_way_ms);
struct slow_line *pty_line(struct pty *p);         /* NULL: it is not over one */

/* From now on answers like another; PTY_SILENT: not at all. */
void pty_become(struct pty *p, enum pty_kind kind);

/* The terminal stops taking anything, as after Ctrl-S or over a line that hangs. */
void pty_hold(struct pty *p);

/* The terminal goes away. */
void pty_hang_up(struct pty *p);

/* Text that somebody else writes on the terminal. */
void pty_wall(struct pty *p, const char *text);

void pty_keys(struct pty *p, const char *bytes);   /* as typed: "\033[A" is the up arrow */
/* The size of a cell from now on, in pixels; the window keeps its cells. */
void pty_font(struct pty *p, size_t cell_w, size_t cell_h);
void pty_largest(struct pty *p, size_t side);       /* pixels of a sixel that it says it takes; 4000 */
size_t pty_registers(const struct pty *p);         /* colour registers, as they are set now */
void pty_resize(struct pty *p, size_t rows, size_t cols);
void pty_signal(struct pty *p, int sig);

/* Reads what there is within timeout_ms: 1 something, 0 nothing, -1 the end. */
int pty_pump(struct pty *p, int timeout_ms);
/* Bytes that the program has left unread: a shell would get them next.  Answers on their way
 * have ms to come. */
size_t pty_unread(struct pty *p, int ms);

/* Reads and answers until nothing came for quiet_ms and the program waits for something: on
 * a busy machine one that is kept from running is quiet too.  0 when it ended its side. */
int pty_settle(struct pty *p, int quiet_ms);
/* ... until text is on the screen; 0 when it was not within PTY_WAIT_MS. */
int pty_wait_for(struct pty *p, const char *text);

const struct vt *pty_screen(const struct pty *p);
size_t pty_bytes(const struct pty *p);             /* received so far */
const char *pty_output(const struct pty *p);       /* all of them */

/* The program has ended; pty_wait_end() still says how. */
int pty_has_ended(struct pty *p);

/* The terminal's modes are those it had before the program started. */
int pty_is_restored(const struct pty *p);

/* Waits for the end and returns waitpid()'s status, or -1 after PTY_WAIT_MS, when
 * it is killed.  The output up to the end is read. */
int pty_wait_end(struct pty *p);
void pty_free(struct pty *p);
pid_t pty_pid(const struct pty *p);

#endif
