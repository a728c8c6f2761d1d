/* cost.c - a cost as words. */
#include "dtrak/cost.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void scaled(char *out, size_t size, double x, const char *const *units, size_t n, double least) {
    size_t u = 0;
    x /= least;
    while (u + 1 < n && x >= 999.5) {
        x /= 1000;
        u++;
    }
    snprintf(out, size, x < 9.95 ? "%.1f %s" : "%.0f %s", x, units[u]);
}

void cost_format_bytes(char *out, size_t size, double bytes) {
    static const char *const units[] = { "KB", "MB", "GB", "TB" };
    if (bytes < 1000) snprintf(out, size, "%.0f bytes", bytes);
    else scaled(out, size, bytes, units, 4, 1e3);
}

static void format_seconds(char *out, size_t size, double s) {
    if (s < 10) snprintf(out, size, "%.1f s", s);
    else if (s < 59.5) snprintf(out, size, "%.0f s", s);
    else if (s < 3570) snprintf(out, size, "%.0f min %02.0f s", floor((s + .5) / 60), floor(fmod(s + .5, 60)));
    else if (s < 86400 * 2) snprintf(out, size, "%.0f h %02.0f min", floor((s + 30) / 3600), floor(fmod(s + 30, 3600) / 60));
    else snprintf(out, size, "%.1f days", s / 86400);
}

__attribute__((format(printf, 3, 4)))
static void append(char *out, size_t size, const char *fmt, ...) {
    size_t at = strlen(out);
    va_list ap;
    if (at) at += (size_t)snprintf(out + at, size - at, ", ");
    if (at >= size) return;
    va_start(ap, fmt);
    vsnprintf(out + at, size - at, fmt, ap);
    va_end(ap);
}

void cost_format(char *out, size_t size, const struct cost *c) {
    static const char *const flop[] = { "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP" };
    char part[32];
    out[0] = 0;
    if (c->flop == 0 && c->seconds == 0) {
        snprintf(out, size, "nothing to do");
        return;
    }
    if (c->flop > 0) {
        scaled(part, sizeof part, c->flop, flop, 5, 1e6);
        append(out, size, "%s", part);
    }
    if (c->seconds >= 0) {
        format_seconds(part, sizeof part, c->seconds);
        append(out, size, "about %s", part);
    }
    if (c->bytes_disk >= 0) {
        cost_format_bytes(part, sizeof part, c->bytes_disk);
        append(out, size, "%s on disk", part);
    }
    if (c->bytes_memory > 0) {
        cost_format_bytes(part, sizeof part, c->bytes_memory);
        append(out, size, "%s of memory", part);
    }
    if (c->note[0]) append(out, size, "%s", c->note);
}

int cost_announce(const struct cost_sink *sink, const char *what, const struct cost *c) {
    if (!sink) return 0;
    sink->take(sink->ctx, what, c);
    return sink->only;
}
