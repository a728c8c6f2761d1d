/* err.h - how a function in this program says it failed.
 *
 * A function that can fail returns enum status.  The first failure writes one
 * line into the thread's message; callers pass the code up unchanged and add
 * nothing unless they know something the callee could not (a path, an item).
 * Only main() and the event loop print or exit. */
#ifndef DTRAK_ERR_H
#define DTRAK_ERR_H

enum status {
    OK = 0,
    ERR_NOMEM,     /* an allocation failed */
    ERR_IO,        /* the operating system said no; errno is in the message */
    ERR_FORMAT,    /* the file is not what it claims to be */
    ERR_RANGE,     /* an argument is outside what the header promises */
    ERR_DB,        /* SQLite said no; its text is in the message */
    ERR_NUMERIC,   /* a loss or a gradient is NaN or infinite */
    ERR_MISSING,   /* what was asked for is not there; the message says what makes it */
    ERR_CANCELLED, /* the user asked to stop; finished work is kept */
    ERR_USAGE      /* the command line is wrong (exit status 2) */
};

/* Records the reason and returns code, so a failing line reads
 * `return fail(ERR_IO, "%s: %s", path, strerror(errno));`.  Control bytes in
 * the result are escaped: the reason may be printed as it is. */
__attribute__((format(printf, 2, 3)))
enum status fail(enum status code, const char *fmt, ...);

/* The reason for the latest failure on this thread; never NULL.  Valid until
 * the next fail() on the same thread. */
const char *fail_reason(void);

/* Returns from the enclosing function when expr is not OK. */
#define TRY(expr) do { enum status st_ = (expr); if (st_ != OK) return st_; } while (0)

/* Jumps to `done` when expr is not OK; needs `enum status st` in scope. */
#define TRY_TO(expr) do { st = (expr); if (st != OK) goto done; } while (0)

#endif
