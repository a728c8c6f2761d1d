/* stopper.c - progress that stops the work.  See stopper.h. */
#include "stopper.h"

#include "near.h"

#include <string.h>

static void report(void *ctx, double done, double total, const char *what, const char *note) {
    struct stopper *s = ctx;
    (void)note;
    if (!s->phase || strcmp(what, s->phase) == 0) {
        if (s->phase) assert_true(done >= s->done && done <= total);
        s->done = done;
        s->total = total;
        if (s->at_done > 0 && done >= s->at_done) atomic_store(&s->cancel, 1);
    }
    if (++s->reports == s->at_report) atomic_store(&s->cancel, 1);
}

const struct progress *stopper_progress(struct stopper *s) {
    s->progress = (struct progress){ report, s, &s->cancel };
    atomic_store(&s->cancel, 0);
    return &s->progress;
}
