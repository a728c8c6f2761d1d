#include "dtrak/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void progress_report(const struct progress *p, double done, double total,
                     const char *what, const char *note) {
    if (p && p->report) p->report(p->ctx, done, total, what, note ? note : "");
}

int progress_cancelled(const struct progress *p) {
    return p && p->cancel && atomic_load_explicit(p->cancel, memory_order_relaxed);
}

enum status progress_check(const struct progress *p) {
    return progress_cancelled(p)
        ? fail(ERR_CANCELLED, "stopped as asked; what was finished is kept") : OK;
}

double clock_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void clock_iso(char out[21]) {
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void clock_format(char out[16], double seconds) {
    unsigned s = seconds < 0 || !isfinite(seconds) ? 0u : seconds > 3.5e6 ? 3500000u : (unsigned)(seconds + .5);
    unsigned h = s / 3600 % 1000, m = s / 60 % 60, left = s % 60;
    if (h) snprintf(out, 16, "%u:%02u:%02u", h, m, left);
    else snprintf(out, 16, "%u:%02u", m, left);
}

static void report_part(void *ctx, double done, double total, const char *what, const char *note) {
    const struct progress_part *part = ctx;
    (void)what;
    (void)note;
    progress_report(part->whole, part->first + (total > 0 ? done / total : 0), part->of, part->what, part->note);
}

const struct progress *progress_part(struct progress_part *part) {
    part->progress = (struct progress){ report_part, part, part->whole ? part->whole->cancel : NULL };
    return &part->progress;
}

void rate_update(struct rate *r, double done) {
    double now = clock_s();
    if (!r->started) {
        *r = (struct rate){ now, done, now, done, 0, 1 };
        return;
    }
    double dt = now - r->t;
    if (dt < 0.05) return;
    double here = (done - r->done) / dt, mean = (done - r->done0) / (now - r->t0);
    double keep = exp(-dt / 10.0);
    r->per_s = now - r->t0 < 10 ? mean : keep * r->per_s + (1 - keep) * here;
    r->t = now;
    r->done = done;
}

double rate_eta_s(const struct rate *r, double total) {
    return r->per_s > 0 ? (total - r->done) / r->per_s : -1;
}
