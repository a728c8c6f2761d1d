/* stopper.h - progress that stops the work it reports on, and remembers what was reported.
 *
 *     struct stopper stop = { .at_report = 3 };
 *     assert_int_equal(pipeline_train(s, &o, stopper_progress(&stop)), ERR_CANCELLED); */
#ifndef TESTS_STOPPER_H
#define TESTS_STOPPER_H

#include "dtrak/progress.h"

#include <stddef.h>

struct stopper {
    const char *phase;     /* the one that at_done, done and total are of; NULL: any */
    double at_done;        /* stops at the first report of that much done; 0: at none */
    size_t at_report;      /* stops at that report of any phase, counted from 1; 0: at none */
    /* So far.  Within a phase that is named, done never falls and never passes total. */
    size_t reports;
    double done, total;
    atomic_int cancel;
    struct progress progress;
};

/* To be given to the work; borrowed from the stopper.  Clears an earlier stop. */
const struct progress *stopper_progress(struct stopper *s);

#endif
