#include "footprint.h"

#include "dtrak/cost.h"
#include "dtrak/mem.h"
#include "dtrak/progress.h"

#include <stdio.h>
#include <stdlib.h>

enum status footprint_work(const struct unet *u, size_t batch, int with_backward, size_t *bytes) {
    size_t size[2] = { 0, 0 };
    for (size_t b = 0; b < 2 && b < batch; b++) {
        struct unet_work *w;
        size_t before = mem_taken();
        TRY(unet_work_new(&w, u, b + 1, with_backward, NULL));
        size[b] = mem_taken() - before;
        unet_work_free(w);
    }
    *bytes = batch > 1 ? size[0] + (batch - 1) * (size[1] - size[0]) : size[0];
    return OK;
}

enum status footprint_threads(const char *verb, size_t memory, size_t fixed, size_t each, const char *hint,
                              size_t *threads) {
    size_t cap = memory ? memory : mem_default_cap();
    char need[32], have[32];
    if (fixed + each > cap) {
        cost_format_bytes(need, sizeof need, (double)(fixed + each) * 1.005);
        cost_format_bytes(have, sizeof have, (double)cap);
        return fail(ERR_RANGE, "%s: one thread of this network needs %s of memory, %s are allowed; raise --memory%s",
                    verb, need, have, hint);
    }
    size_t fit = (cap - fixed) / (each ? each : 1);
    if (fit < *threads) *threads = fit;
    return OK;
}

void footprint_note(char *out, size_t size, size_t threads, size_t asked) {
    out[0] = 0;
    if (threads < asked) snprintf(out, size, "%zu of %zu threads, which is what the memory allows", threads, asked);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum status footprint_time(int (*round)(void *ctx), void *ctx, double rounds, double *seconds) {
    enum { MOST = 15 };
    double took[MOST], start = clock_s(), budget = .7;
    size_t n = 0;
    for (size_t i = 0; i <= MOST && (i < 2 || clock_s() - start < budget); i++) {
        double t = clock_s();
        if (!round(ctx)) return fail(ERR_CANCELLED, "stopped while the cost was measured");
        double dt = clock_s() - t;
        if (i > 0) took[n++] = dt;
        if (.1 * rounds * dt < budget) budget = .1 * rounds * dt;
    }
    qsort(took, n, sizeof *took, by_value);
    *seconds = took[n / 2];
    return OK;
}
