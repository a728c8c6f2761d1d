/* probe.c - questions, answers, and what to make of them. */
#include "dtrak/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The order of answers does not matter but DA1's, which must be the last. */
#define KITTY "\033_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\033\\"
#define BACKGROUND "\033]11;?\033\\"
#define COMMON "\033[>0q" "\033[16t" "\033[14t" "\033[?1;1;0S" "\033[?2;1;0S" "\033[?2026$p" "\033[?1070$p" "\033[c"

static const char *env(const char *name) {
    const char *v = getenv(name);
    return v ? v : "";
}

/* COLORFGBG is "15;0" or "15;default;0": the last is the background's number. */
static enum background background_of_env(void) {
    const char *last = strrchr(env("COLORFGBG"), ';');
    if (!last || last[1] < '0' || last[1] > '9') return BACKGROUND_UNKNOWN;
    int colour = atoi(last + 1);
    return colour == 7 || (colour > 8 && colour < 16) ? BACKGROUND_LIGHT : BACKGROUND_DARK;
}

void probe_init(struct probe *p) {
    memset(p, 0, sizeof *p);
    p->in_tmux = *env("TMUX") || strncmp(env("TERM"), "tmux", 4) == 0
              || strncmp(env("TERM"), "screen", 6) == 0;
    p->background = background_of_env();
    /* LC_TERMINAL is the one that ssh hands on. */
    p->maybe_iterm2 = !p->in_tmux && (strcmp(env("TERM_PROGRAM"), "iTerm.app") == 0
                                      || strcmp(env("LC_TERMINAL"), "iTerm2") == 0);
}

const char *probe_questions(const struct probe *p) {
    if (strcmp(env("TERM"), "linux") == 0) return KITTY COMMON;   /* older consoles print the rest of an OSC */
    return p->in_tmux ? BACKGROUND COMMON : KITTY BACKGROUND COMMON;
}

const char *probe_background_question(void) { return strcmp(env("TERM"), "linux") == 0 ? "" : BACKGROUND "\033[c"; }

static void graphics_answer(struct probe *p, const struct input_event *r) {
    if (r->arg_count < 3 || r->args[1] != 0) return;   /* an error status, or nothing said */
    if (r->args[0] == 1) p->registers = r->args[2];
    if (r->args[0] == 2 && r->arg_count >= 4) {
        p->max_width = r->args[2];
        p->max_height = r->args[3];
    }
}

static void version_answer(struct probe *p, const char *text) {
    memcpy(p->name, text, sizeof p->name);
    p->name[sizeof p->name - 1] = 0;
    if (strncasecmp(text, "tmux", 4) == 0) p->in_tmux = 1;
    if (strncmp(text, "iTerm2", 6) == 0) p->maybe_iterm2 = 1;
}

/* rgb:R/G/B or rgba:R/G/B/A, each of one to four hexadecimal digits. */
static void background_answer(struct probe *p, const char *text) {
    static const double weight[3] = { .2126, .7152, .0722 };   /* ITU-R BT.709 */
    double light = 0;
    if (strncmp(text, "rgb", 3) != 0 || !(text = strchr(text, ':'))) return;
    for (size_t i = 0; i < 3; i++) {
        char *end;
        if (!strchr("0123456789abcdefABCDEF", text[1]) || !text[1]) return;
        unsigned long v = strtoul(text + 1, &end, 16);
        size_t digits = (size_t)(end - text - 1);
        if (digits > 4 || (i < 2 && *end != '/')) return;
        light += weight[i] * (double)v / (double)((1ul << 4 * digits) - 1);
        text = end;
    }
    p->background = light > .5 ? BACKGROUND_LIGHT : BACKGROUND_DARK;
}

int probe_answer(struct probe *p, const struct input_event *r) {
    switch (r->reply) {
    case REPLY_DA1:
        /* The first number is the terminal's class, the rest its attributes. */
        for (size_t i = 1; i < r->arg_count; i++)
            if (r->args[i] == 4) p->has_sixel = 1;
        if (p->done && p->answered) return 0;
        p->done = p->answered = 1;
        return 1;
    case REPLY_GRAPHICS: graphics_answer(p, r); return 0;
    case REPLY_CELL_PX:
        p->cell_h = r->args[1];
        p->cell_w = r->args[2];
        return 0;
    case REPLY_TEXT_PX:
        p->text_h = r->args[1];
        p->text_w = r->args[2];
        return 0;
    case REPLY_MODE:
        if (r->arg_count >= 2 && r->args[0] == 2026) p->sync_update = r->args[1] == 1 || r->args[1] == 2;
        if (r->arg_count >= 2 && r->args[0] == 1070) p->shared_colours = r->args[1] == 2;
        return 0;
    case REPLY_KITTY:
        if (strstr(r->text, ";OK")) p->has_kitty = 1;
        return 0;
    case REPLY_VERSION: version_answer(p, r->text); return 0;
    case REPLY_BACKGROUND: background_answer(p, r->text); return 0;
    default: return 0;
    }
}

static int credible(size_t w, size_t h) { return w >= 4 && h >= 4 && w <= 64 && h <= 64; }

/* The text area shared out among the cells; it may include a border, so rounded down. */
static int from_area(size_t w, size_t h, size_t rows, size_t cols, size_t *cw, size_t *ch) {
    if (rows == 0 || cols == 0 || (w == 640 && h == 480)) return 0;
    if (!credible(w / cols, h / rows)) return 0;
    *cw = w / cols;
    *ch = h / rows;
    return 1;
}

const char *probe_cell_size(const struct probe *p, size_t rows, size_t cols, size_t win_w,
                            size_t win_h, size_t *cell_w, size_t *cell_h) {
    if (credible(p->cell_w, p->cell_h)) {
        *cell_w = p->cell_w;
        *cell_h = p->cell_h;
        return "16t";
    }
    if (from_area(win_w, win_h, rows, cols, cell_w, cell_h)) return "ioctl";
    if (from_area(p->text_w, p->text_h, rows, cols, cell_w, cell_h)) return "14t";
    *cell_w = 10;
    *cell_h = 20;
    return "guess";
}

enum colour_depth probe_colour_depth(const char *term, const char *colorterm, int colours) {
    if (!term) term = "";
    if (!colorterm) colorterm = "";
    if (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0
        || strstr(term, "-direct"))
        return COLOUR_TRUE;
    if (colours >= 256 || strstr(term, "256color")) return COLOUR_256;
    if (colours >= 8) return COLOUR_16;
    return COLOUR_MONO;
}

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads answers into p until DA1 or the deadline. */
static void collect(struct probe *p, int fd, int deadline_ms) {
    struct input in;
    struct input_event ev[2];
    long end = now_ms() + deadline_ms;
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    input_init(&in);
    while (!p->done) {
        long left = end - now_ms();
        struct pollfd q = { fd, POLLIN, 0 };
        if (left <= 0) break;
        int n = poll(&q, 1, (int)left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        unsigned char bytes[256];
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) break;
        for (ssize_t i = 0; i < got; i++) {
            size_t events = input_feed(&in, bytes[i], ev);
            for (size_t k = 0; k < events; k++)
                if (ev[k].kind == INPUT_REPLY) probe_answer(p, &ev[k]);
        }
    }
    p->done = 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    p->answer_s = (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) * 1e-9;
}

enum status probe_run(struct probe *out, int fd, int deadline_ms) {
    struct termios before, raw;
    probe_init(out);
    if (tcgetattr(fd, &before) != 0)
        return fail(ERR_IO, "probe: %s; expected a terminal", strerror(errno));
    raw = before;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSAFLUSH, &raw) != 0)
        return fail(ERR_IO, "probe: cannot set the terminal's mode: %s", strerror(errno));
    const char *q = probe_questions(out);
    enum status st = OK;
    for (size_t left = strlen(q); left;) {
        ssize_t n = write(fd, q, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) { st = fail(ERR_IO, "probe: cannot write: %s", strerror(errno)); break; }
        q += n;
        left -= (size_t)n;
    }
    if (st == OK) collect(out, fd, deadline_ms);
    tcsetattr(fd, TCSAFLUSH, &before);   /* with what came late thrown away */
    return st;
}

enum status background_parse(enum background *out, const char *name) {
    static const char *const names[] = { "auto", "dark", "light" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) { *out = (enum background)i; return OK; }
    return fail(ERR_USAGE, "--background '%s': expected auto, dark or light", name);
}

static const char *const graphics_names[] = {
    "auto", "sixel", "kitty", "iterm2", "half", "ascii", "none"
};

int graphics_is_pixels(enum graphics g) {
    return g == GRAPHICS_SIXEL || g == GRAPHICS_KITTY || g == GRAPHICS_ITERM2;
}

enum status graphics_parse(enum graphics *out, const char *name) {
    for (size_t i = 0; i < sizeof graphics_names / sizeof *graphics_names; i++)
        if (strcmp(name, graphics_names[i]) == 0) { *out = (enum graphics)i; return OK; }
    return fail(ERR_USAGE, "--graphics '%s': expected auto, sixel, kitty, iterm2, half, ascii or none", name);
}

const char *graphics_name(enum graphics g) { return graphics_names[g]; }

enum graphics graphics_choose(enum graphics asked, const struct probe *p,
                              enum colour_depth depth, int utf8) {
    if (asked == GRAPHICS_HALF && !utf8) return GRAPHICS_ASCII;
    if (asked != GRAPHICS_AUTO) return asked;
    if (p->has_sixel) return GRAPHICS_SIXEL;
    if (p->has_kitty) return GRAPHICS_KITTY;
    if (p->maybe_iterm2) return GRAPHICS_ITERM2;
    if (utf8 && depth >= COLOUR_16) return GRAPHICS_HALF;
    return GRAPHICS_ASCII;
}
