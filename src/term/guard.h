/* guard.h - puts the terminal back, whatever happens; and signals as flags.
 *
 * Internal to term/.  One at a time.  The bytes and modes that restore the
 * terminal are made beforehand, so that a handler of a fatal signal only has to
 * write them. */
#ifndef TERM_GUARD_H
#define TERM_GUARD_H

#include "dtrak/err.h"

#include <signal.h>
#include <termios.h>

/* Set by handlers, cleared by whoever acts on them. */
struct guard_flags {
    volatile sig_atomic_t winch, stop, cont, quit;   /* quit: the signal's number */
};
extern struct guard_flags guard_flags;

/* From now on fatal signals and exit() write `restore` to fd and set `modes`.
 * Every handled signal writes a byte to wake_fd.  Asked to end again after two seconds in
 * which nobody looked at the flag, the process puts the terminal back and ends. */
void guard_start(int fd, int wake_fd, const struct termios *modes, const char *restore);
void guard_restore_text(const char *restore);   /* changes what is written */

/* The terminal was put back in the ordinary way (suspended): 0 holds the guard off. */
void guard_arm(int armed);

/* Stops the process group as ^Z does; returns when it goes on. */
void guard_stop_group(void);

/* Signals are as they were before guard_start(). */
void guard_end(void);

#endif
