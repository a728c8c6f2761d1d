/* probe_report.c - what is known of the terminal, as lines of text. */
#include "dtrak/probe.h"
#include "dtrak/text.h"
#include "tmux.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

/* NAME value, with the value escaped: it comes from outside. */
static void add_fact(struct buf *out, const char *name, const char *value) {
    char safe[512];
    text_escape(safe, sizeof safe, value ? value : "not set");
    buf_printf(out, "%-14s %s\n", name, safe);
}

static const char *depth_name(enum colour_depth d) {
    static const char *const names[] = { "none", "16", "256", "true colour" };
    return names[d];
}

static int terminfo_colours(int fd) {
    int error = 0;
    if (setupterm(NULL, fd, &error) != OK) return -1;
    return tigetnum("colors");
}

static void add_answers(struct buf *out, const struct probe *p) {
    add_fact(out, "answered", p->answered ? "yes (DA1)" : "no: nothing came before the deadline");
    add_fact(out, "name", *p->name ? p->name : "not told (XTVERSION)");
    add_fact(out, "sixel", p->has_sixel ? "yes (DA1 attribute 4)" : "no");
    if (p->registers) buf_printf(out, "%-14s %zu\n", "registers", p->registers);
    if (p->max_width) buf_printf(out, "%-14s %zux%zu pixels\n", "largest sixel", p->max_width, p->max_height);
    add_fact(out, "kitty", p->has_kitty ? "yes" : p->in_tmux ? "not asked inside tmux" : "no");
    add_fact(out, "iterm2", p->maybe_iterm2 ? "yes, by its name" : "no");
    add_fact(out, "own colours", p->shared_colours ? "no: pictures share them (mode 1070 is set then)" : "yes, or not told");
    static const char *const backgrounds[] = { "not told (OSC 11, COLORFGBG)", "dark", "light" };
    add_fact(out, "background", backgrounds[p->background]);
    add_fact(out, "synchronised", p->sync_update ? "yes (mode 2026)" : "no");
}

static void add_passthrough(struct buf *out) {
    struct tmux_pane pane;
    tmux_pane_find(&pane);
    if (!pane.is_known) {
        add_fact(out, "passthrough", "not told (no tmux to ask from here)");
        return;
    }
    buf_printf(out, "%-14s %s, tmux %s, pane at column %zu, row %zu\n", "passthrough",
               pane.allows ? "allowed (dtrak view --passthrough)" : "off (tmux set -p allow-passthrough on)", pane.version,
               pane.col, pane.row);
}

static void add_sizes(struct buf *out, const struct probe *p, int fd) {
    struct winsize w;
    size_t cw, ch;
    memset(&w, 0, sizeof w);
    if (ioctl(fd, TIOCGWINSZ, &w) != 0) w.ws_row = w.ws_col = 0;
    buf_printf(out, "%-14s %dx%d cells, %dx%d pixels (kernel)\n", "window", w.ws_col, w.ws_row, w.ws_xpixel, w.ws_ypixel);
    const char *from = probe_cell_size(p, w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel, &cw, &ch);
    buf_printf(out, "%-14s %zux%zu pixels (%s)\n", "cell", cw, ch, from);
}

enum status probe_report(struct buf *out, int deadline_ms) {
    struct probe p;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return fail(ERR_IO, "probe: no terminal to ask (/dev/tty: %s)", strerror(errno));
    enum status st = probe_run(&p, fd, deadline_ms);
    if (st == 0) {
        const char *codeset = nl_langinfo(CODESET);
        int colours = terminfo_colours(fd), utf8 = strcmp(codeset, "UTF-8") == 0;
        enum colour_depth depth = probe_colour_depth(getenv("TERM"), getenv("COLORTERM"), colours);
        buf_printf(out, "%-14s %s\n", "dtrak", DTRAK_VERSION);
        add_fact(out, "TERM", getenv("TERM"));
        add_fact(out, "COLORTERM", getenv("COLORTERM"));
        add_fact(out, "TERM_PROGRAM", getenv("TERM_PROGRAM"));
        add_fact(out, "tmux", p.in_tmux ? "yes" : "no");
        if (p.in_tmux) add_passthrough(out);
        add_fact(out, "ssh", getenv("SSH_CONNECTION") ? "yes" : "no");
        if (p.answered) buf_printf(out, "%-14s %.1f ms\n", "round trip", p.answer_s * 1e3);
        add_fact(out, "NO_COLOR", getenv("NO_COLOR"));
        add_fact(out, "characters", codeset);
        add_fact(out, "text colours", depth_name(depth));
        add_answers(out, &p);
        add_sizes(out, &p, fd);
        add_fact(out, "paints with", graphics_name(graphics_choose(GRAPHICS_AUTO, &p, depth, utf8)));
        st = buf_status(out);
    }
    close(fd);
    return st;
}
