/* slower.h - limits of time, on builds that are slow and machines that are busy.
 *
 * What has to come is waited for generously (PTY_WAIT_MS of pty.h, or UNTIL here): such a wait
 * ends with the event, and its length says nothing.  A limit that is itself what is promised, as
 * "within a second", is LIMIT_S: as it stands on an ordinary build; longer by a stated factor
 * under a sanitizer, whose every step is slower; and without the time in which the machine let
 * other programs run instead. */
#ifndef TESTS_SLOWER_H
#define TESTS_SLOWER_H

#include "dtrak/progress.h"

#include <sys/types.h>
#include <time.h>

/* gcc says which sanitizer by a macro, clang by a feature. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
enum { SLOWER = 10, SIGNALS_WAIT = 1 };    /* 5 to 15 times as a rule; a signal during a system call waits for its end */
#elif defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
enum { SLOWER = 4, SIGNALS_WAIT = 0 };     /* 2 to 3 times, with UBSan beside it */
#else
enum { SLOWER = 1, SIGNALS_WAIT = 0 };
#endif

/* Seconds so far in which a thread of the process could have run and had no processor; 0 where
 * the kernel does not tell.  main_only: its first thread alone. */
double held_up_s(pid_t pid, int main_only);

/* A limit that was begun at `start` (see limit_begin()), of so many seconds. */
struct limit { double at, held; };
struct limit limit_begin(void);
/* Seconds since then, without those in which this process was held up. */
double limit_took(struct limit start);
#define LIMIT_S(seconds) ((seconds) * SLOWER)

/* Looks every few milliseconds until the condition holds; a minute (times SLOWER) is a failure. */
#define UNTIL(condition) \
    for (double end_ = clock_s() + 60. * SLOWER; !(condition); until_pause()) assert_true(clock_s() < end_)

static inline void until_pause(void) {
    struct timespec t = { 0, 5000000 };
    nanosleep(&t, NULL);
}

#endif
