/* console.c - progress of a long command, and signals that end it kindly.
 *
 * On a terminal one line is drawn again at most ten times a second; elsewhere
 * (a log, a pipe) a whole line is written at most every five seconds, and the last
 * one at the end.  A signal only sets a flag: the command stops at its next unit
 * and keeps what it finished.  A second one ends the process at once, which is
 * safe too, since every finished unit is committed. */
#include "dtrak/cli.h"

#include "dtrak/text.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static atomic_int cancel_asked;
static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction before[3];

static void on_signal(int sig) {
    (void)sig;
    atomic_store_explicit(&cancel_asked, 1, memory_order_relaxed);
}

static size_t terminal_width(void) {
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20) return w.ws_col;
    return 80;
}

static void format_bar(char *bar, size_t cells, double share) {
    size_t full = (size_t)(share * (double)cells + .5);
    for (size_t i = 0; i < cells; i++) bar[i] = i < full ? '#' : '.';
    bar[cells] = 0;
}

static void format_line(const struct console *c, char *line, size_t size, double done, double total,
                        const char *note) {
    char bar[32] = "", eta[16] = "", rate[32] = "", safe[128];
    double share = total > 0 ? done / total : 0, left = rate_eta_s(&c->rate, total);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (done > total) done = total;
    if (c->terminal) format_bar(bar, 20, share);
    if (c->rate.per_s >= 1) snprintf(rate, sizeof rate, "  %.1f/s", c->rate.per_s);
    else if (c->rate.per_s > 0) snprintf(rate, sizeof rate, "  %.1f s each", 1 / c->rate.per_s);
    if (left >= 0) clock_format(eta, left);
    text_escape(safe, sizeof safe, note);
    snprintf(line, size, "%s %s%s%s%3.0f%%  %.0f/%.0f%s%s%s%s%s", c->what, *bar ? "[" : "", bar,
             *bar ? "] " : "", 100 * share, done, total, rate, *eta ? "  left " : "", eta,
             *safe ? "  " : "", safe);
}

static void show(struct console *c, double now) {
    if (c->terminal) {
        c->line[text_fit(c->line, terminal_width() - 1)] = 0;
        fprintf(stderr, "\r%s\033[K", c->line);
        fflush(stderr);
        c->open = 1;
    } else {
        fprintf(stderr, "%s\n", c->line);
    }
    c->shown_at = now;
    c->pending = 0;
}

static void console_report(void *ctx, double done, double total, const char *what, const char *note) {
    struct console *c = ctx;
    double now = clock_s();
    if (strncmp(c->what, what, sizeof c->what - 1) != 0) {
        if (c->terminal && c->pending) show(c, now);
        if (c->open) fputc('\n', stderr);
        c->open = 0;
        snprintf(c->what, sizeof c->what, "%s", what);
        c->rate = (struct rate){ 0 };
        if (c->terminal) c->shown_at = 0;
    }
    rate_update(&c->rate, done);
    format_line(c, c->line, sizeof c->line, done, total, note);
    c->pending = 1;
    if (now - c->shown_at >= (c->terminal ? .1 : 5)) show(c, now);
}

void console_start(struct console *c) {
    *c = (struct console){ .terminal = isatty(STDERR_FILENO) };
    /* A log wants its first line after a second, not the very first report. */
    if (!c->terminal) c->shown_at = clock_s() - 4;
    c->progress = (struct progress){ console_report, c, &cancel_asked };
    atomic_store(&cancel_asked, 0);
    for (size_t i = 0; i < 3; i++) {
        struct sigaction sa = { .sa_handler = on_signal };
        sigemptyset(&sa.sa_mask);
        /* The second signal finds the default again and ends the process. */
        sa.sa_flags = SA_RESTART | (int)SA_RESETHAND;
        sigaction(caught[i], NULL, &before[i]);
        /* nohup must stay nohup */
        if (before[i].sa_handler != SIG_IGN) sigaction(caught[i], &sa, NULL);
    }
}

void console_end(struct console *c) {
    if (c->pending) show(c, clock_s());
    if (c->open) fputc('\n', stderr);
    c->open = 0;
    for (size_t i = 0; i < 3; i++) sigaction(caught[i], &before[i], NULL);
}
