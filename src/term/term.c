/* term.c - the session: what is on the screen, what is still to be sent, and
 * what happens next. */
#include "dtrak/term.h"
#include "dtrak/mem.h"
#include "guard.h"
#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PROBE_MS 1500
#define RESIZE_MS 40          /* a window being dragged sends many sizes */
#define CACHE_BYTES ((size_t)32 << 20)
#define AHEAD_BYTES ((size_t)128 << 10)
#define SHOWN_MS 3000         /* a terminal that answers at all has answered by then */
#define SYNC_ON "\033[?2026h"
#define SYNC_OFF "\033[?2026l"
#define MOUSE_ON "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"

/* A picture that is on the screen. */
struct shown {
    struct image_box box;
    struct paint_how how;
    struct paint_fit fit;
    unsigned id;              /* kitty's number of it */
};

struct term {
    int fd, owns_fd, wake[2], is_gone, in_session;
    struct termios before;
    struct term_options opt;
    struct screen *screen;
    size_t rows, cols, win_w, win_h, cell_w, cell_h;

    struct probe probe;
    enum colour_depth depth;
    long probe_end;
    size_t old_registers;     /* to be set again at the end; 0: unchanged */

    struct paint_cache *cache;
    struct shown shown[FRAME_IMAGES];
    size_t shown_count;
    unsigned last_id;
    int is_pending;           /* pictures of the last frame were left out */
    size_t ahead;             /* picture bytes sent since the terminal was last asked */
    long shown_end;           /* until when to wait for its answer; 0: not waiting */
    int never_tells;          /* it does not answer: go on without */

    struct input input;
    unsigned char bytes[512];
    size_t byte_at, byte_count;
    struct input_event events[2];
    size_t event_at, event_count;
    long byte_ms;             /* when the last bytes came */
    long resize_at;           /* when to look at the new size; 0: no change known */
    int is_resumed, is_probed_news, is_resized_news;
    atomic_int is_woken;
    struct term_stats stats;
};

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;   /* never 0 */
}

static enum status send_bytes(struct term *t, const char *bytes, size_t len) {
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

static enum status send_text(struct term *t, const char *s) { return send_bytes(t, s, strlen(s)); }

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

/* Everything that puts the terminal back, in one string for the guard. */
static void make_restore_text(struct term *t) {
    struct buf b = BUF_INIT;
    /* ST first: a picture may be half sent, and some terminals swallow all text
     * until its end. */
    buf_text(&b, "\033\\" SYNC_OFF);
    if (!t->opt.no_mouse) buf_text(&b, MOUSE_OFF);
    if (t->old_registers) buf_printf(&b, "\033[?1;3;%zuS", t->old_registers);
    if (term_graphics(t) == GRAPHICS_KITTY) paint_kitty_remove(&b, 0);
    buf_text(&b, screen_restore_text(t->screen));
    if (buf_status(&b) == OK) guard_restore_text(b.data);
    buf_free(&b);
}

static void modes_on(struct term *t) {
    if (!t->opt.no_mouse) send_text(t, MOUSE_ON);
}

static void modes_off(struct term *t) {
    struct buf b = BUF_INIT;
    buf_text(&b, "\033\\" SYNC_OFF);
    if (!t->opt.no_mouse) buf_text(&b, MOUSE_OFF);
    if (t->old_registers) buf_printf(&b, "\033[?1;3;%zuS", t->old_registers);
    if (term_graphics(t) == GRAPHICS_KITTY) paint_kitty_remove(&b, 0);
    if (buf_status(&b) == OK) send_bytes(t, b.data, b.len);
    buf_free(&b);
}

/* The screen's pictures are gone, or shall be. */
static void forget_shown(struct term *t) {
    struct buf b = BUF_INIT;
    if (t->shown_count && term_graphics(t) == GRAPHICS_KITTY) paint_kitty_remove(&b, 0);
    if (b.len && buf_status(&b) == OK) send_bytes(t, b.data, b.len);
    buf_free(&b);
    t->shown_count = 0;
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
            return fail(ERR_IO, "terminal: no terminal to draw on (/dev/tty: %s)", strerror(errno));
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

enum status term_open(struct term **out, const struct term_options *opt) {
    enum status st = OK;
    *out = NULL;
    struct term *t = mem_array(1, sizeof *t);
    if (!t) return fail(ERR_NOMEM, "terminal: out of memory");
    t->wake[0] = t->wake[1] = -1;
    if (opt) t->opt = *opt;
    if (t->opt.probe_ms <= 0) t->opt.probe_ms = PROBE_MS;
    if (t->opt.ahead_bytes == 0) t->opt.ahead_bytes = AHEAD_BYTES;
    TRY_TO(open_tty(t));
    TRY_TO(open_pipe(t));
    TRY_TO(paint_cache_new(&t->cache, t->opt.cache_bytes ? t->opt.cache_bytes : CACHE_BYTES));
    probe_init(&t->probe);
    input_init(&t->input);
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
    if (needs_probe(t)) {
        t->probe_end = now_ms() + t->opt.probe_ms;
        TRY_TO(send_text(t, probe_questions(&t->probe)));
    } else {
        t->probe.done = 1;
    }
    *out = t;
    t = NULL;
done:
    term_close(t);
    return st;
}

/* Answers still on their way would be typed into the shell: waits a moment for
 * the probe's end, then throws away what came. */
static void drain(struct term *t) {
    long end = now_ms() + 200;
    struct input_event ev[2];
    unsigned char b;
    while (t->probe_end && !t->probe.answered && !t->is_gone && now_ms() < end) {
        struct pollfd p = { t->fd, POLLIN, 0 };
        if (poll(&p, 1, (int)(end - now_ms()) + 1) <= 0 || read(t->fd, &b, 1) != 1) break;
        size_t n = input_feed(&t->input, b, ev);
        for (size_t i = 0; i < n; i++)
            if (ev[i].kind == INPUT_REPLY) probe_answer(&t->probe, &ev[i]);
    }
    tcflush(t->fd, TCIFLUSH);
}

void term_close(struct term *t) {
    if (!t) return;
    if (t->screen) {
        modes_off(t);
        screen_close(t->screen);
        drain(t);
    }
    if (t->in_session) {
        tcsetattr(t->fd, TCSANOW, &t->before);
        guard_end();
    }
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

/* --- painting --- */

static struct paint_how how_now(const struct term *t) {
    struct paint_how how = { .painter = term_graphics(t), .depth = t->depth };
    size_t registers = t->probe.registers;
    if (!graphics_is_pixels(how.painter)) return how;
    how.cell_w = t->cell_w;
    how.cell_h = t->cell_h;
    if (how.painter != GRAPHICS_SIXEL) return how;
    how.max_w = t->probe.max_width;
    how.max_h = t->probe.max_height;
    how.colours = t->opt.colours;
    if (registers >= 2 && registers < 256) {
        size_t most = registers < 64 ? registers : 64;
        if (how.colours == 0 || how.colours > registers) how.colours = most;
    }
    return how;
}

static int same_how(const struct paint_how *a, const struct paint_how *b) {
    return a->painter == b->painter && a->depth == b->depth && a->colours == b->colours
        && a->cell_w == b->cell_w && a->cell_h == b->cell_h && a->max_w == b->max_w
        && a->max_h == b->max_h;
}

static int same_place(const struct image_box *a, const struct image_box *b) {
    return a->row == b->row && a->col == b->col && a->rows == b->rows && a->cols == b->cols;
}

/* The box as far as pictures go: the bottom row stays free of pixels, because a
 * picture that touches it scrolls the screen.  0 when nothing is left. */
static int usable_box(const struct term *t, const struct paint_how *how, struct image_box *b) {
    size_t rows = graphics_is_pixels(how->painter) ? t->rows - 1 : t->rows;
    if (b->row >= rows || b->col >= t->cols) return 0;
    if (b->rows > rows - b->row) b->rows = rows - b->row;
    if (b->cols > t->cols - b->col) b->cols = t->cols - b->col;
    return 1;
}

static struct shown *shown_at(struct term *t, const struct image_box *b) {
    for (size_t i = 0; i < t->shown_count; i++)
        if (same_place(&t->shown[i].box, b)) return &t->shown[i];
    return NULL;
}

/* Blanks a picture's cells with ECH: curses takes them for blank already. */
static void erase_shown(struct term *t, struct shown *s, struct buf *out) {
    if (s->how.painter == GRAPHICS_KITTY) paint_kitty_remove(out, s->id);
    buf_text(out, "\0337\033[m");
    for (size_t r = 0; r < s->fit.rows; r++) {
        size_t row = s->box.row + s->fit.row + r, col = s->box.col + s->fit.col;
        if (row >= t->rows || col >= t->cols) break;
        buf_printf(out, "\033[%zu;%zuH\033[%zuX", row + 1, col + 1, s->fit.cols);
    }
    buf_text(out, "\0338");
    *s = t->shown[--t->shown_count];
}

/* Before the text: pictures whose box is gone or moved. */
static void erase_lost(struct term *t, const struct frame *f, const struct paint_how *how,
                       struct buf *out) {
    for (size_t i = t->shown_count; i-- > 0;) {
        int stays = 0;
        for (size_t k = 0; k < frame_image_count(f) && !stays; k++) {
            struct image_box b = *frame_image_at(f, k);
            stays = usable_box(t, how, &b) && same_place(&b, &t->shown[i].box);
        }
        if (!stays) erase_shown(t, &t->shown[i], out);
    }
}

/* The encoded picture of a box: 1, or 0 when there is none (yet). */
static int encoded(struct term *t, const struct image_box *b, const struct paint_how *how,
                   const struct term_images *images, struct paint_entry *e) {
    struct paint_key key = { b->key, b->rows, b->cols, *how };
    if (paint_cache_get(t->cache, &key, e)) return e->fit.width > 0;
    struct picture pic;
    if (!images || images->get(images->ctx, b->key, &pic) != 1) return 0;
    struct paint_fit fit;
    struct buf bytes = BUF_INIT;
    paint_fit(&fit, how, pic.width, pic.height, b->rows, b->cols);
    if (fit.width && paint_encode(&bytes, &pic, &fit, how) != OK) {
        buf_free(&bytes);
        return 0;
    }
    t->stats.encodes++;
    if (paint_cache_put(t->cache, &key, &bytes, &fit) != OK) return 0;
    return paint_cache_get(t->cache, &key, e) && e->fit.width > 0;
}

static int key_is_waiting(struct term *t) {
    if (t->byte_at < t->byte_count || guard_flags.quit || guard_flags.winch) return 1;
    struct pollfd p = { t->fd, POLLIN, 0 };
    return poll(&p, 1, 0) > 0;
}

/* Whether the terminal still works on what it was sent. */
static int is_behind(const struct term *t) { return t->shown_end && now_ms() < t->shown_end; }

/* Without this the kernel and sshd would hold seconds of pictures that nobody
 * wants any more.  Its answer (DSR) comes after the pictures before it. */
static void count_ahead(struct term *t, size_t bytes, struct buf *out) {
    t->ahead += bytes;
    if (t->ahead < t->opt.ahead_bytes || !t->probe.answered || t->never_tells) return;
    t->ahead = 0;
    t->shown_end = now_ms() + SHOWN_MS;
    buf_text(out, "\033[5n");
}

static int same_fit(const struct paint_fit *a, const struct paint_fit *b) {
    return a->row == b->row && a->col == b->col && a->rows == b->rows && a->cols == b->cols
        && a->width == b->width && a->height == b->height;
}

/* Sends one box when it changed; 1 when a picture was sent. */
static int paint_box(struct term *t, const struct image_box *b, const struct paint_how *how,
                     const struct term_images *images, struct buf *out) {
    struct shown *old = shown_at(t, b);
    struct paint_entry e;
    if (old && old->box.key == b->key && same_how(&old->how, how)) return 0;
    int ready = encoded(t, b, how, images, &e);
    /* The old picture must not stand under the new one's name, nor look out
     * from behind it. */
    if (old && (!ready || !same_fit(&old->fit, &e.fit))) {
        erase_shown(t, old, out);
        old = NULL;
    }
    if (!ready) return 0;
    size_t before = out->len;
    buf_text(out, "\0337");
    unsigned id = old ? old->id : ++t->last_id;
    paint_emit(out, e.bytes, e.len, how->painter, b->row + e.fit.row, b->col + e.fit.col, id);
    buf_text(out, "\0338");
    t->stats.pictures++;
    t->stats.picture_bytes += out->len - before;
    count_ahead(t, out->len - before, out);
    if (!old && t->shown_count < FRAME_IMAGES) old = &t->shown[t->shown_count++];
    if (old) *old = (struct shown){ *b, *how, e.fit, id };
    return 1;
}

static enum status flush(struct term *t, struct buf *out) {
    enum status st = buf_status(out);
    if (st == OK && out->len) st = send_bytes(t, out->data, out->len);
    buf_clear(out);
    return st;
}

enum status term_paint(struct term *t, const struct frame *f, const struct term_images *images) {
    enum status st = OK;
    struct buf out = BUF_INIT;
    struct paint_how how = how_now(t);
    int with_pictures = images && how.painter != GRAPHICS_AUTO && how.painter != GRAPHICS_NONE;
    if (t->is_gone) return fail(ERR_IO, "terminal: it is gone");
    t->stats.paints++;
    t->is_pending = 0;
    if (t->probe.sync_update) buf_text(&out, SYNC_ON);
    erase_lost(t, f, &how, &out);
    TRY_TO(flush(t, &out));
    screen_text(t->screen, f, how.painter == GRAPHICS_NONE);

    int sent = 0;
    for (size_t i = 0; with_pictures && i < frame_image_count(f); i++) {
        struct image_box b = *frame_image_at(f, i);
        if (!usable_box(t, &how, &b)) continue;
        /* One picture at least goes out each time, so that a held key cannot
         * keep the screen empty for ever. */
        if ((sent && key_is_waiting(t)) || is_behind(t)) { t->is_pending = 1; break; }
        sent |= paint_box(t, &b, &how, images, &out);
        TRY_TO(flush(t, &out));
    }
done:
    if (t->probe.sync_update) send_text(t, SYNC_OFF);
    buf_free(&out);
    return st;
}

void term_redraw(struct term *t) {
    forget_shown(t);
    screen_forget(t->screen);
}

/* --- events --- */

void term_wake(struct term *t) {
    if (atomic_exchange(&t->is_woken, 1)) return;
    if (write(t->wake[1], "w", 1) < 0) return;   /* full: it wakes anyway */
}

static void leave(struct term *t) {
    modes_off(t);
    screen_leave(t->screen);
    tcsetattr(t->fd, TCSADRAIN, &t->before);
    guard_arm(0);
}

static void enter(struct term *t) {
    guard_arm(1);
    screen_enter(t->screen);
    t->shown_count = 0;
    read_size(t);
    screen_resize(t->screen, t->rows, t->cols);
    read_cell_size(t);
    modes_on(t);
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
        t->resize_at = now_ms() + RESIZE_MS;
    }
    if (t->resize_at && now_ms() >= t->resize_at) {
        t->resize_at = 0;
        read_size(t);
        screen_resize(t->screen, t->rows, t->cols);
        read_cell_size(t);
        forget_shown(t);
        t->is_resized_news = 1;
        /* A change of font changes the cells' pixels. */
        if (t->probe.cell_w) send_text(t, "\033[16t");
        if (t->probe.text_w) send_text(t, "\033[14t");
        t->probe.text_w = t->probe.text_h = 0;
    }
}

static void probe_ended(struct term *t) {
    t->is_probed_news = 1;
    read_cell_size(t);
    if (t->probe.has_sixel && t->probe.registers && t->probe.registers < 256 && !t->opt.colours) {
        t->old_registers = t->probe.registers;
        make_restore_text(t);
        send_text(t, "\033[?1;3;256S");
    }
    if (term_graphics(t) == GRAPHICS_KITTY) make_restore_text(t);
}

static void act_on_reply(struct term *t, const struct input_event *ev) {
    size_t w = t->cell_w, h = t->cell_h;
    if (probe_answer(&t->probe, ev)) {
        probe_ended(t);
        return;
    }
    if (ev->reply == REPLY_STATUS) t->shown_end = 0;
    if (!t->probe.done) return;
    read_cell_size(t);
    if (t->cell_w != w || t->cell_h != h) t->is_resized_news = 1;
}

static int take(struct term_event *ev, enum term_event_kind kind) {
    ev->kind = kind;
    return 1;
}

/* Feeds bytes until there is an event for the caller. */
static int next_input(struct term *t, struct term_event *ev) {
    for (;;) {
        while (t->event_at < t->event_count) {
            const struct input_event *in = &t->events[t->event_at++];
            if (in->kind == INPUT_REPLY) { act_on_reply(t, in); continue; }
            ev->input = *in;
            return take(ev, in->kind == INPUT_KEY ? TERM_KEY : TERM_MOUSE);
        }
        if (t->byte_at == t->byte_count) return 0;
        t->event_count = input_feed(&t->input, t->bytes[t->byte_at++], t->events);
        t->event_at = 0;
    }
}

/* What is known without waiting. */
static int ready_event(struct term *t, struct term_event *ev) {
    if (t->is_gone) return take(ev, TERM_HANGUP);
    act_on_signals(t);
    if (guard_flags.quit) {
        ev->signal = guard_flags.quit;
        guard_flags.quit = 0;
        return take(ev, TERM_QUIT);
    }
    if (next_input(t, ev)) return 1;
    if (!t->probe.done && now_ms() >= t->probe_end) {
        t->probe.done = 1;
        probe_ended(t);
    }
    if (t->is_resumed) { t->is_resumed = 0; return take(ev, TERM_RESUMED); }
    if (t->is_resized_news) { t->is_resized_news = 0; return take(ev, TERM_RESIZE); }
    if (t->is_probed_news) { t->is_probed_news = 0; return take(ev, TERM_PROBED); }
    if (atomic_exchange(&t->is_woken, 0)) return take(ev, TERM_WAKE);
    return 0;
}

static void read_bytes(struct term *t) {
    ssize_t n = read(t->fd, t->bytes, sizeof t->bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        /* The terminal went away: read() gives this for ever. */
        t->is_gone = 1;
        return;
    }
    t->byte_at = 0;
    t->byte_count = (size_t)n;
    t->byte_ms = now_ms();
}

static int sooner(int a, long b) {
    if (b < 0) b = 0;
    return a < 0 || b < a ? (int)b : a;
}

void term_next_event(struct term *t, struct term_event *ev, int timeout_ms) {
    long end = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
    memset(ev, 0, sizeof *ev);
    for (;;) {
        if (ready_event(t, ev)) return;
        long now = now_ms();
        int wait = timeout_ms < 0 ? -1 : sooner(-1, end - now);
        int rest = input_wait_ms(&t->input);
        if (rest) wait = sooner(wait, t->byte_ms + rest - now);
        if (!t->probe.done) wait = sooner(wait, t->probe_end - now);
        if (t->resize_at) wait = sooner(wait, t->resize_at - now);
        if (t->shown_end && now >= t->shown_end) {
            t->shown_end = 0;
            t->never_tells = 1;
        }
        if (t->is_pending) wait = sooner(wait, t->shown_end ? t->shown_end - now : 0);

        struct pollfd p[2] = { { t->fd, POLLIN, 0 }, { t->wake[0], POLLIN, 0 } };
        int n = poll(p, 2, wait);
        if (n < 0) continue;   /* a signal: its flag is set */
        if (p[1].revents) {
            char junk[64];
            while (read(t->wake[0], junk, sizeof junk) > 0) { }
        }
        if (p[0].revents) { read_bytes(t); continue; }
        if (n > 0) continue;
        if (rest && now_ms() >= t->byte_ms + rest) {
            t->event_count = input_timeout(&t->input, t->events);
            t->event_at = 0;
            continue;
        }
        if (t->is_pending && !is_behind(t)) {
            t->is_pending = 0;
            take(ev, TERM_REPAINT);
            return;
        }
        if (timeout_ms >= 0 && now_ms() >= end) return;
    }
}
