/* term.c - the session: how it begins and ends, and what happens next. */
#include "session.h"

#include "dtrak/mem.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MS 1500
#define RESIZE_S 0.04         /* a window being dragged sends many sizes */
#define DRAIN_S 2.0           /* at the end: how long for answers of a terminal that does answer */
#define DRAIN_UNKNOWN_S 1.0   /* and of one that has not yet */
#define FRESH_S 0.0002        /* what came later than that was waited for */
#define CACHE_BYTES ((size_t)32 << 20)
#define SYNC_OFF "\033[?2026l"
#define MOUSE_ON "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"

double session_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9 + 1;
}

enum status session_send(struct term *t, const char *bytes, size_t len) {
    while (len && !t->is_gone) {
        ssize_t n = write(t->fd, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { t->fd, POLLOUT, 0 };
            poll(&p, 1, 1000);
            continue;
        }
        if (n <= 0) { t->is_gone = 1; break; }
        bytes += n;
        len -= (size_t)n;
    }
    return t->is_gone ? fail(ERR_IO, "terminal: it is gone") : OK;
}

static enum status send_text(struct term *t, const char *s) { return session_send(t, s, strlen(s)); }

/* The window's size as the kernel has it. */
static void read_size(struct term *t) {
    struct winsize w;
    memset(&w, 0, sizeof w);
    if (ioctl(t->fd, TIOCGWINSZ, &w) != 0) w.ws_row = 0;
    t->rows = w.ws_row ? w.ws_row : 24;
    t->cols = w.ws_col ? w.ws_col : 80;
    if (t->rows > FRAME_SIDE) t->rows = FRAME_SIDE;
    if (t->cols > FRAME_SIDE) t->cols = FRAME_SIDE;
    t->win_w = w.ws_xpixel;
    t->win_h = w.ws_ypixel;
}

static void read_cell_size(struct term *t) {
    if (t->opt.cell_w && t->opt.cell_h) {
        t->cell_w = t->opt.cell_w;
        t->cell_h = t->opt.cell_h;
    } else {
        probe_cell_size(&t->probe, t->rows, t->cols, t->win_w, t->win_h, &t->cell_w, &t->cell_h);
    }
}

/* What ends the modes that were set, the screen's own apart.  ST first: a picture may be half
 * sent, and some terminals swallow all text until its end; one outside tmux too. */
static void add_modes_off(struct term *t, struct buf *b) {
    buf_text(b, "\033\\");
    if (t->opt.passthrough) {
        size_t from = b->len;
        buf_text(b, "\033\\");
        tmux_wrap(b, from);
    }
    buf_text(b, SYNC_OFF);
    if (!t->opt.no_mouse) buf_text(b, MOUSE_OFF);
    if (t->old_registers) buf_printf(b, "\033[?1;3;%zuS", t->old_registers);
    if (t->has_own_colours) buf_text(b, "\033[?1070l");
    if (term_graphics(t) == GRAPHICS_KITTY) showing_add_removal(t, b, 0);
}

/* Everything that puts the terminal back, in one string for the guard. */
static void make_restore_text(struct term *t) {
    struct buf b = BUF_INIT;
    add_modes_off(t, &b);
    buf_text(&b, screen_restore_text(t->screen));
    if (buf_status(&b) == OK) guard_restore_text(b.data);
    buf_free(&b);
}

/* Also after a suspension. */
static void modes_on(struct term *t) {
    if (!t->opt.no_mouse) send_text(t, MOUSE_ON);
    if (t->has_own_colours) send_text(t, "\033[?1070h");
    if (t->old_registers) send_text(t, "\033[?1;3;256S");
}

static void modes_off(struct term *t) {
    struct buf b = BUF_INIT;
    add_modes_off(t, &b);
    if (buf_status(&b) == OK) session_send(t, b.data, b.len);
    buf_free(&b);
}

/* Text in colours that can be read where it stands. */
static void choose_background(struct term *t) {
    screen_background(t->screen, t->opt.background ? t->opt.background : t->probe.background);
    t->text = 0;
}

/* Whether the probe's answers matter: a painter that was named and needs no
 * size of a cell does not wait. */
static int needs_probe(const struct term *t) {
    return t->opt.graphics == GRAPHICS_AUTO || graphics_is_pixels(t->opt.graphics);
}

static enum status open_tty(struct term *t) {
    t->fd = t->opt.fd;
    if (t->fd == 0) {
        t->fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (t->fd < 0)
            return fail(ERR_IO, "terminal: no terminal to draw on (/dev/tty: %s); dtrak rank prints, --dump FILE draws without one", strerror(errno));
        t->owns_fd = 1;
    }
    if (tcgetattr(t->fd, &t->before) != 0)
        return fail(ERR_IO, "terminal: not a terminal: %s", strerror(errno));
    return OK;
}

static enum status open_pipe(struct term *t) {
    if (pipe(t->wake) != 0) return fail(ERR_IO, "terminal: pipe: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        fcntl(t->wake[i], F_SETFL, O_NONBLOCK);
        fcntl(t->wake[i], F_SETFD, FD_CLOEXEC);
    }
    return OK;
}

static enum status find_way_past_tmux(struct term *t) {
    if (t->opt.graphics == GRAPHICS_AUTO) t->opt.graphics = GRAPHICS_SIXEL;
    double now = session_now();
    tmux_ask(&t->pane_asked, &t->pane, now);
    tmux_wait(&t->pane_asked, &t->pane, now);      /* pictures wait for longer, text does not */
    if (t->pane.is_known && !t->pane.allows)
        return fail(ERR_RANGE, "passthrough: tmux %s does not let pictures past; tmux set -p allow-passthrough on lets it",
                    t->pane.version);
    return OK;
}

/* Nothing waits for the answer. */
static enum status ask_background(struct term *t) {
    const char *question = t->opt.background ? "" : probe_background_question();
    if (!*question) return OK;
    t->probe_end = session_now() + t->opt.probe_ms / 1e3;
    line_asked(&t->line, 0, session_now());
    return send_text(t, question);
}

enum status term_open(struct term **out, const struct term_options *opt) {
    enum status st = OK;
    *out = NULL;
    struct term *t = mem_array(1, sizeof *t);
    if (!t) return fail(ERR_NOMEM, "terminal: out of memory");
    t->wake[0] = t->wake[1] = -1;
    tmux_question_init(&t->pane_asked);
    if (opt) t->opt = *opt;
    if (t->opt.probe_ms <= 0) t->opt.probe_ms = PROBE_MS;
    TRY_TO(open_tty(t));
    TRY_TO(open_pipe(t));
    TRY_TO(paint_cache_new(&t->cache, t->opt.cache_bytes ? t->opt.cache_bytes : CACHE_BYTES));
    probe_init(&t->probe);
    if (!t->probe.in_tmux || !(t->opt.graphics == GRAPHICS_AUTO || graphics_is_pixels(t->opt.graphics))) t->opt.passthrough = 0;
    if (t->opt.passthrough) TRY_TO(find_way_past_tmux(t));
    input_init(&t->input);
    line_init(&t->line);
    t->line.is_near = t->opt.is_near;
    /* The handlers stand before curses looks, so that it leaves them alone. */
    guard_start(t->fd, t->wake[1], &t->before, "");
    t->in_session = 1;
    TRY_TO(screen_open(&t->screen, t->fd));
    make_restore_text(t);
    read_size(t);
    screen_resize(t->screen, t->rows, t->cols);
    t->depth = probe_colour_depth(getenv("TERM"), getenv("COLORTERM"), screen_colours(t->screen));
    read_cell_size(t);
    modes_on(t);
    choose_background(t);
    if (needs_probe(t)) {
        t->probe_end = session_now() + t->opt.probe_ms / 1e3;
        line_asked(&t->line, 0, session_now());
        TRY_TO(send_text(t, probe_questions(&t->probe)));
    } else {
        t->probe.done = 1;
        TRY_TO(ask_background(t));
    }
    *out = t;
    t = NULL;
done:
    term_close(t);
    return st;
}

static void count_answers(struct term *t, const struct input_event *ev, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (ev[i].kind != INPUT_REPLY) continue;
        probe_answer(&t->probe, &ev[i]);
        if (ev[i].reply == REPLY_DA1) line_answered(&t->line, session_now(), 0);
    }
}

/* Answers still on their way would be typed into the shell: waits until they are here, while
 * the terminal does not echo yet, but not for ever; then throws away what came. */
static void drain(struct term *t) {
    struct input_event ev[2];
    unsigned char b;
    /* Some may have come with the key that ends it. */
    count_answers(t, t->events + t->event_at, t->event_count - t->event_at);
    t->event_at = t->event_count;
    while (t->byte_at < t->byte_count) count_answers(t, ev, input_feed(&t->input, t->bytes[t->byte_at++], ev));
    double end = session_now() + (t->line.is_answering ? DRAIN_S : DRAIN_UNKNOWN_S);
    if (!t->line.is_answering && t->probe_end < end) end = t->probe_end;
    while (t->line.count && !t->is_gone && session_now() < end) {
        struct pollfd p = { t->fd, POLLIN, 0 };
        int got = poll(&p, 1, (int)((end - session_now()) * 1e3) + 1);
        if (got > 0) got = (int)read(t->fd, &b, 1);
        if (got < 0 && errno == EINTR) continue;      /* a window that changes its size, say */
        if (got != 1) break;
        count_answers(t, ev, input_feed(&t->input, b, ev));
    }
    tcflush(t->fd, TCIFLUSH);
}

void term_close(struct term *t) {
    if (!t) return;
    if (t->screen) {
        modes_off(t);
        drain(t);
        screen_close(t->screen);
    }
    if (t->in_session) {
        tcsetattr(t->fd, TCSANOW, &t->before);
        guard_end();
    }
    tmux_question_end(&t->pane_asked);
    paint_cache_free(t->cache);
    for (int i = 0; i < 2; i++)
        if (t->wake[i] >= 0) close(t->wake[i]);
    if (t->owns_fd) close(t->fd);
    mem_free(t);
}

size_t term_rows(const struct term *t) { return t->rows; }
size_t term_cols(const struct term *t) { return t->cols; }
const struct probe *term_probe(const struct term *t) { return &t->probe; }
struct term_stats term_statistics(const struct term *t) { return t->stats; }

void term_cell_size(const struct term *t, size_t *cell_w, size_t *cell_h) {
    *cell_w = t->cell_w;
    *cell_h = t->cell_h;
}

enum graphics term_graphics(const struct term *t) {
    if (!t->probe.done) return GRAPHICS_AUTO;
    return graphics_choose(t->opt.graphics, &t->probe, t->depth, screen_is_utf8(t->screen));
}

/* --- events --- */

void term_wake(struct term *t) {
    if (atomic_exchange(&t->is_woken, 1)) return;
    if (write(t->wake[1], "w", 1) < 0) return;   /* full: it wakes anyway */
}

static void leave(struct term *t) {
    modes_off(t);
    drain(t);
    screen_leave(t->screen);
    tcsetattr(t->fd, TCSADRAIN, &t->before);
    guard_arm(0);
}

/* A question after which nothing is on its way, for those that have no end of their own. */
static void ask(struct term *t) {
    struct buf b = BUF_INIT;
    showing_ask(t, 0, &b);
    if (b.len && buf_status(&b) == OK) session_send(t, b.data, b.len);
    buf_free(&b);
}

/* The largest sixel is the window of now for some terminals; the answer makes other pictures. */
static void ask_largest(struct term *t) {
    if (t->probe.max_width) send_text(t, "\033[?2;1;0S");
}

static void enter(struct term *t) {
    guard_arm(1);
    screen_enter(t->screen);
    t->shown_count = 0;
    t->text = 0;
    read_size(t);
    screen_resize(t->screen, t->rows, t->cols);
    read_cell_size(t);
    modes_on(t);
    ask_largest(t);
    if (t->probe.max_width) ask(t);
    if (t->opt.passthrough) tmux_ask(&t->pane_asked, &t->pane, session_now());
    t->is_resumed = 1;
}

void term_suspend(struct term *t) {
    leave(t);
    guard_stop_group();
    enter(t);
}

static void act_on_signals(struct term *t) {
    if (guard_flags.stop) {
        guard_flags.stop = 0;
        term_suspend(t);
    }
    if (guard_flags.cont) {   /* stopped by SIGSTOP, which nobody can catch */
        guard_flags.cont = 0;
        enter(t);
    }
    if (guard_flags.winch) {
        guard_flags.winch = 0;
        t->resize_at = session_now() + RESIZE_S;
    }
    if (t->resize_at && session_now() >= t->resize_at) {
        t->resize_at = 0;
        read_size(t);
        screen_resize(t->screen, t->rows, t->cols);
        t->text = 0;
        read_cell_size(t);
        showing_forget(t);
        if (t->opt.passthrough) tmux_ask(&t->pane_asked, &t->pane, session_now());
        t->is_resized_news = 1;
        /* A change of font changes the cells' pixels. */
        if (t->probe.cell_w) send_text(t, "\033[16t");
        if (t->probe.text_w) send_text(t, "\033[14t");
        t->probe.text_w = t->probe.text_h = 0;
        ask_largest(t);
        ask(t);
        t->page_bytes = 0;
    }
}

static void probe_ended(struct term *t) {
    t->is_probed_news = 1;
    read_cell_size(t);
    int is_sixel = term_graphics(t) == GRAPHICS_SIXEL && !t->opt.passthrough;
    if (is_sixel && t->probe.registers && t->probe.registers < 256 && !t->opt.colours) {
        t->old_registers = t->probe.registers;
        send_text(t, "\033[?1;3;256S");
    }
    if (is_sixel && t->probe.shared_colours) {
        t->has_own_colours = 1;
        send_text(t, "\033[?1070h");
    }
    make_restore_text(t);
}

static void act_on_reply(struct term *t, const struct input_event *ev) {
    size_t w = t->cell_w, h = t->cell_h, most_w = t->probe.max_width, most_h = t->probe.max_height;
    enum background before = t->probe.background;
    if (ev->reply == REPLY_DA1) line_answered(&t->line, session_now(), t->byte_is_fresh);
    int has_ended = probe_answer(&t->probe, ev);
    if (t->probe.background != before) {
        choose_background(t);
        t->is_probed_news = 1;
    }
    if (has_ended) {
        probe_ended(t);
        return;
    }
    if (!t->probe.done) return;
    if (t->probe.max_width != most_w || t->probe.max_height != most_h) t->is_resized_news = 1;
    read_cell_size(t);
    if (t->cell_w == w && t->cell_h == h) return;
    t->is_resized_news = t->is_other_size = 1;
}

static int take(struct term_event *ev, enum term_event_kind kind) {
    ev->kind = kind;
    return 1;
}

/* Feeds bytes until there is a key or a mouse report; answers are acted on. */
static const struct input_event *peek_input(struct term *t) {
    for (;;) {
        for (; t->event_at < t->event_count; t->event_at++) {
            const struct input_event *in = &t->events[t->event_at];
            if (in->kind != INPUT_REPLY) return in;
            act_on_reply(t, in);
        }
        if (t->byte_at == t->byte_count) return NULL;
        t->event_count = input_feed(&t->input, t->bytes[t->byte_at++], t->events);
        t->event_at = 0;
    }
}

static int next_input(struct term *t, struct term_event *ev) {
    const struct input_event *in = peek_input(t);
    if (!in) return 0;
    ev->input = *in;
    t->event_at++;
    t->input_at = session_now();
    t->page_bytes = 0;
    return take(ev, ev->input.kind == INPUT_KEY ? TERM_KEY : TERM_MOUSE);
}

static void read_bytes(struct term *t, int is_fresh) {
    ssize_t n = read(t->fd, t->bytes, sizeof t->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        /* The terminal went away: read() gives this for ever. */
        t->is_gone = 1;
        return;
    }
    t->byte_at = 0;
    t->byte_count = (size_t)n;
    t->byte_at_s = session_now();
    t->byte_is_fresh = is_fresh;
}

int term_is_busy(struct term *t) {
    for (;;) {
        struct pollfd p = { t->fd, POLLIN, 0 };
        if (t->is_gone || guard_flags.quit || guard_flags.winch || peek_input(t)) return 1;
        if (poll(&p, 1, 0) <= 0) return 0;
        read_bytes(t, 0);
    }
}

/* What is known without waiting. */
static int ready_event(struct term *t, struct term_event *ev) {
    if (t->is_gone) return take(ev, TERM_HANGUP);
    act_on_signals(t);
    tmux_answered(&t->pane_asked, &t->pane, session_now());
    if (guard_flags.quit) {
        ev->signal = guard_flags.quit;
        guard_flags.quit = 0;
        return take(ev, TERM_QUIT);
    }
    if (next_input(t, ev)) return 1;
    if (!t->probe.done && session_now() >= t->probe_end) {
        t->probe.done = 1;
        probe_ended(t);
    }
    if (t->is_resumed) { t->is_resumed = 0; return take(ev, TERM_RESUMED); }
    if (t->is_other_size) term_redraw(t);   /* pictures of the old size may reach beyond their boxes */
    t->is_other_size = 0;
    if (t->is_resized_news) { t->is_resized_news = 0; return take(ev, TERM_RESIZE); }
    if (t->is_probed_news) { t->is_probed_news = 0; return take(ev, TERM_PROBED); }
    if (atomic_exchange(&t->is_woken, 0)) return take(ev, TERM_WAKE);
    return 0;
}

static int sooner(int a, double s) {
    int ms = s <= 0 ? 0 : s > 1e6 ? 1000000000 : (int)(s * 1e3) + 1;
    return a < 0 || ms < a ? ms : a;
}

/* How long nothing can happen but input, in ms; -1: for ever. */
static int waits(struct term *t, double end, double pump_s) {
    double now = session_now(), lost = line_deadline(&t->line);
    int rest = input_wait_ms(&t->input), wait = end ? sooner(-1, end - now) : -1;
    if (rest) wait = sooner(wait, t->byte_at_s + rest / 1e3 - now);
    if (!t->probe.done) wait = sooner(wait, t->probe_end - now);
    if (t->resize_at) wait = sooner(wait, t->resize_at - now);
    if (lost >= 0) wait = sooner(wait, lost - now);
    if (t->pane_asked.fd >= 0) wait = sooner(wait, t->pane_asked.end - now);
    if (pump_s >= 0) wait = sooner(wait, pump_s);
    return wait;
}

/* Waits for input or a wake-up, and reads it; 0 when there was none. */
static int wait_for_input(struct term *t, int wait) {
    struct pollfd p[3] = { { t->fd, POLLIN, 0 }, { t->wake[0], POLLIN, 0 }, { t->pane_asked.fd, POLLIN, 0 } };
    double before = session_now();
    int n = poll(p, 3, wait);
    if (n < 0) return 1;   /* a signal: its flag is set */
    if (p[1].revents) {
        char junk[64];
        while (read(t->wake[0], junk, sizeof junk) > 0) { }
    }
    if (p[0].revents) read_bytes(t, session_now() - before > FRESH_S);
    return n > 0;
}

void term_next_event(struct term *t, struct term_event *ev, int timeout_ms) {
    double end = timeout_ms < 0 ? 0 : session_now() + timeout_ms / 1e3;
    memset(ev, 0, sizeof *ev);
    for (;;) {
        double pump_s = -1;
        if (ready_event(t, ev)) return;
        line_expire(&t->line, session_now());
        if (t->is_held && !line_is_late(&t->line, session_now())) {
            t->is_held = 0;
            take(ev, TERM_REPAINT);
            return;
        }
        if (line_wants_ping(&t->line)) ask(t);
        if (wait_for_input(t, 0)) continue;
        if (showing_pump(t, &pump_s)) continue;
        if (wait_for_input(t, waits(t, end, pump_s))) continue;
        int rest = input_wait_ms(&t->input);
        if (rest && session_now() >= t->byte_at_s + rest / 1e3) {
            t->event_count = input_timeout(&t->input, t->events);
            t->event_at = 0;
            continue;
        }
        if (end && session_now() >= end) return;
    }
}
