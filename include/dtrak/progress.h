/* progress.h - how long work reports and how it is asked to stop.
 *
 * The worker calls progress_report() after each unit and progress_cancelled()
 * as often as it likes; both accept NULL.  Who shows it (a line on a terminal,
 * a bar on a screen, a row in the job table) is the caller's business. */
#ifndef DTRAK_PROGRESS_H
#define DTRAK_PROGRESS_H

#include "dtrak/err.h"

#include <stdatomic.h>

struct progress {
    /* done of total units; what is a few words that stay the same for one
     * phase ("train", "features square 100%"); note may be "" ("loss .0412"). */
    void (*report)(void *ctx, double done, double total, const char *what, const char *note);
    void *ctx;
    atomic_int *cancel;   /* set to 1 by anyone, also a signal handler; may be NULL */
};

void progress_report(const struct progress *p, double done, double total,
                     const char *what, const char *note);
int progress_cancelled(const struct progress *p);

/* ERR_CANCELLED with a reason when the caller asked to stop, else OK. */
enum status progress_check(const struct progress *p);

/* The progress of work that is a part of other work: what it reports as done of total is
 * reported to `whole` as first + done / total of `of`, under `what` and `note`.  Valid as
 * long as the part and `whole` (which may be NULL) are. */
struct progress_part {
    const struct progress *whole;
    double first, of;
    const char *what, *note;
    struct progress progress;   /* made by progress_part() */
};
const struct progress *progress_part(struct progress_part *part);

/* Rate and time left from the reports so far, smoothed over about ten seconds
 * and not fooled by work that was already done when it started. */
struct rate { double t0, done0, t, done, per_s; int started; };
void rate_update(struct rate *r, double done);
double rate_eta_s(const struct rate *r, double total);   /* < 0 when unknown */

/* Monotonic seconds; wall-clock time as "2024-05-01T12:00:00Z". */
double clock_s(void);
void clock_iso(char out[21]);
/* "0:07", "12:34", "2:03:04" */
void clock_format(char out[16], double seconds);

#endif
