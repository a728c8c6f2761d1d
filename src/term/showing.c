/* showing.c - what is on the screen and what is still to be sent.
 *
 * A frame's text goes out at once.  Its pictures wait in a queue, nearest to the focus
 * first, and leave one piece at a time as the line has room (line.h).  On a slow line they
 * come in a lower quality first, chosen so that the page is there in about a second, in
 * pieces of at most one tile, and only when no key came for a moment; when it has been
 * quiet for longer, each is sent again as good as it can be. */
#include "session.h"

#include "dtrak/hash.h"

#include <string.h>

#define SYNC_ON "\033[?2026h"
#define SYNC_OFF "\033[?2026l"
#define DA1 "\033[c"
#define PAGE_S 1.0           /* on a slow line: the pictures of a page shall be there by then */
#define QUIET_S 0.08         /* of no key, before pictures go on a slow line: longer than a key's repeat */
#define BETTER_S 0.5         /* of no key and nothing to send, before better pictures go */

/* Qualities, the best first.  Bytes of a sixel's pixel as measured on photographs. */
static const struct quality { size_t colours, shrink; double bytes_per_px; } qualities[] = {
    { 0, 1, 1.2 }, { 64, 1, .8 }, { 32, 1, .6 }, { 16, 1, .45 }, { 16, 2, .45 },
};
enum { QUALITIES = sizeof qualities / sizeof *qualities };

/* --- how --- */

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

/* Colours mean something to sixels alone, and size to pixels. */
static int has_quality(const struct paint_how *how, size_t q) {
    if (q == 0 || how->painter == GRAPHICS_SIXEL) return 1;
    return graphics_is_pixels(how->painter) && qualities[q].shrink > 1;
}

static struct paint_how in_quality(const struct paint_how *best, size_t q) {
    struct paint_how how = *best;
    const struct quality *to = &qualities[q];
    if (how.painter == GRAPHICS_SIXEL && to->colours && (how.colours == 0 || how.colours > to->colours))
        how.colours = to->colours;
    if (graphics_is_pixels(how.painter)) how.shrink = to->shrink;
    return how;
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

/* --- taking away --- */

void showing_add_removal(const struct term *t, struct buf *out, unsigned id) {
    size_t from = out->len;
    paint_kitty_remove(out, id);
    if (t->opt.passthrough) tmux_wrap(out, from);
}

/* Blanks a picture's cells with ECH: curses takes them for blank already. */
static void erase_shown(struct term *t, struct shown *s, struct buf *out) {
    size_t from = out->len;
    if (s->how.painter == GRAPHICS_KITTY) paint_kitty_remove(out, s->id);
    buf_text(out, "\0337\033[m");
    for (size_t r = 0; r < s->fit.rows; r++) {
        size_t row = s->box.row + s->fit.row + r, col = s->box.col + s->fit.col;
        if (row >= t->rows || col >= t->cols) break;
        buf_printf(out, "\033[%zu;%zuH\033[%zuX", t->pane.row + row + 1, t->pane.col + col + 1, s->fit.cols);
    }
    buf_text(out, "\0338");
    if (t->opt.passthrough) tmux_wrap(out, from);
    *s = t->shown[--t->shown_count];
}

/* Before the text: pictures whose box is gone or moved, and where the new ones take a while
 * also those that would stand under another one's name until then.  Joined ones go when
 * anything changes beside them, and their rows are written whole. */
static void erase_lost(struct term *t, struct buf *out) {
    const struct queue *q = &t->queue;
    int at_once = q->is_joined || line_is_slow(&t->line);
    for (size_t i = t->shown_count; i-- > 0;) {
        struct shown *s = &t->shown[i];
        int stays = 0;
        for (size_t k = 0; k < q->count && !stays; k++)
            stays = same_place(&q->box[k], &s->box) && (!at_once || q->box[k].key == s->box.key)
                 && (!q->is_joined || q->text[k] == s->text);
        if (stays) continue;
        if (!s->text) {
            erase_shown(t, s, out);
            continue;
        }
        screen_redraw_rows(t->screen, s->box.row, s->box.rows);
        t->text = 0;
        *s = t->shown[--t->shown_count];
    }
}

void showing_forget(struct term *t) {
    struct buf b = BUF_INIT;
    if (t->shown_count && term_graphics(t) == GRAPHICS_KITTY) showing_add_removal(t, &b, 0);
    if (b.len && buf_status(&b) == OK) session_send(t, b.data, b.len);
    buf_free(&b);
    t->shown_count = 0;
}

/* --- the queue --- */

static size_t apart(const struct image_box *b, size_t row, size_t col) {
    size_t r = b->row + b->rows / 2, c = b->col + b->cols / 2;
    size_t down = 2 * (r > row ? r - row : row - r), across = c > col ? c - col : col - c;
    return down * down + across * across;
}

/* The few boxes of a page by insertion; equals stay in the order they were drawn. */
static void sort_from(struct queue *q, size_t row, size_t col) {
    for (size_t i = 1; i < q->count; i++) {
        struct image_box b = q->box[i];
        size_t far = apart(&b, row, col), k = i;
        for (; k > 0 && apart(&q->box[k - 1], row, col) > far; k--) q->box[k] = q->box[k - 1];
        q->box[k] = b;
    }
}

/* The best quality in which what is new on the page is there in time. */
static size_t page_quality(struct term *t, const struct paint_how *how) {
    double px = 0, most = line_speed(&t->line) * PAGE_S;
    size_t best = 0;
    if (!line_is_slow(&t->line) || !graphics_is_pixels(how->painter) || t->queue.is_joined) return 0;
    for (size_t i = 0; i < t->queue.count; i++) {
        const struct image_box *b = &t->queue.box[i];
        const struct shown *old = shown_at(t, b);
        size_t w = b->cols * how->cell_w, h = b->rows * how->cell_h, side = w < h ? w : h;
        if (!old || old->box.key != b->key) px += (double)side * (double)side;
    }
    if (most <= 0) most = LINE_TILE;   /* not measured yet */
    for (size_t q = 0; q < QUALITIES; q++) {
        if (!has_quality(how, q)) continue;
        best = q;
        if (px * qualities[q].bytes_per_px / (double)(qualities[q].shrink * qualities[q].shrink) <= most) break;
    }
    return best;
}

static void fill_queue(struct term *t, const struct frame *f, const struct paint_how *how,
                       const struct term_images *images) {
    struct queue *q = &t->queue;
    size_t row, col;
    q->count = q->at = q->better_at = 0;
    q->is_joined = how->painter == GRAPHICS_SIXEL && t->probe.in_tmux && !t->opt.passthrough;
    if (!images || how->painter == GRAPHICS_AUTO || how->painter == GRAPHICS_NONE) return;
    q->images = *images;
    for (size_t i = 0; i < frame_image_count(f); i++) {
        q->box[q->count] = *frame_image_at(f, i);
        q->count += (size_t)usable_box(t, how, &q->box[q->count]);
    }
    if (q->is_joined) q->count = joined_gather(q->box, q->joined, q->member, q->count);
    for (size_t i = 0; i < q->count; i++) q->text[i] = q->is_joined ? frame_text_hash(f, q->box[i].row, q->box[i].rows) : 0;
    if (!q->is_joined && frame_focus_at(f, &row, &col)) sort_from(q, row, col);
    q->quality = page_quality(t, how);
}

/* --- one piece --- */

/* Encodes a joined box, in one part; 0 when one of its pictures is not there yet. */
static int encode_joined(struct term *t, const struct image_box *b, const struct paint_key *key, size_t most) {
    const struct queue *q = &t->queue;
    const struct joined *of = &q->joined[b - q->box];
    struct paint_entry what = { .parts = 1, .most = most };
    struct buf bytes = BUF_INIT;
    int ready = joined_encode(&bytes, &what.fit, b, q->member + of->first, of->count, &key->how, &q->images);
    if (ready) t->stats.encodes++;
    ready = ready && paint_cache_put(t->cache, key, &bytes, &what) == OK;
    buf_free(&bytes);
    return ready;
}

/* Encodes a picture and puts its parts in the cache; 0 when there is none (yet). */
static int encode(struct term *t, const struct paint_key *first, size_t most) {
    struct paint_part parts[PAINT_PARTS];
    struct picture pic;
    struct paint_entry what = { .most = most };
    size_t n = 1;
    if (t->queue.images.get(t->queue.images.ctx, first->image, &pic) != 1) return 0;
    memset(parts, 0, sizeof parts);
    paint_fit(&what.fit, &first->how, pic.width, pic.height, first->rows, first->cols);
    if (what.fit.width && paint_encode_parts(parts, &n, &pic, &what.fit, &first->how, most) != OK) return 0;
    t->stats.encodes++;
    what.parts = n;
    enum status st = OK;
    for (size_t i = 0; i < n; i++) {
        struct paint_key key = *first;
        key.part = i;
        what.row = parts[i].row;
        if (st == OK) st = paint_cache_put(t->cache, &key, &parts[i].bytes, &what);
        buf_free(&parts[i].bytes);
    }
    return st == OK;
}

/* A part of a box's picture, in *quality or a lower one that makes tiles: 1, or 0 when there
 * is none (yet). */
static int encoded(struct term *t, const struct image_box *b, const struct paint_how *best, size_t *quality,
                   size_t part, struct paint_entry *e) {
    /* iTerm2 may scale a picture: where parts meet, that shows. */
    size_t most = t->queue.is_joined ? TMUX_TAKES : best->painter == GRAPHICS_ITERM2 ? SIZE_MAX : line_tile(&t->line);
    if (t->opt.passthrough && most > TMUX_PASSES) most = TMUX_PASSES;
    for (;; ++*quality) {
        struct paint_key key = { b->key, b->rows, b->cols, in_quality(best, *quality), part };
        size_t lower = *quality + 1;
        while (lower < QUALITIES && !has_quality(best, lower)) lower++;
        /* What was made for a faster line may be cut anew. */
        if (!paint_cache_get(t->cache, &key, e) || (e->len > most && e->most > most)) {
            key.part = 0;
            if (!(t->queue.is_joined ? encode_joined(t, b, &key, most) : encode(t, &key, most))) return 0;
            key.part = part;
            if (!paint_cache_get(t->cache, &key, e)) return 0;
        }
        if (e->fit.width == 0) return 0;
        if (e->len <= most || lower >= QUALITIES || best->painter != GRAPHICS_SIXEL) return 1;
        *quality = lower - 1;
    }
}

static int same_fit(const struct paint_fit *a, const struct paint_fit *b) {
    return a->row == b->row && a->col == b->col && a->rows == b->rows && a->cols == b->cols
        && a->width == b->width && a->height == b->height;
}

/* Whether the pixels of a picture lie under those of another in the same box. */
static int covers(const struct paint_fit *over, const struct paint_fit *under, const struct paint_how *how) {
    size_t ox = over->col * how->cell_w, oy = over->row * how->cell_h, ux = under->col * how->cell_w, uy = under->row * how->cell_h;
    return ux >= ox && uy >= oy && ux + under->width <= ox + over->width && uy + under->height <= oy + over->height;
}

void showing_ask(struct term *t, size_t bytes, struct buf *out) {
    if (!line_asks(&t->line)) return;
    line_asked(&t->line, bytes, session_now());
    buf_text(out, DA1);
}

enum piece { PIECE_NONE, PIECE_SENT, PIECE_NO_ROOM };

/* The next part of a box's picture, when it is not on the screen in that quality or a better one. */
static enum piece send_piece(struct term *t, const struct image_box *b, size_t quality, struct buf *out) {
    struct paint_how how = how_now(t);
    struct shown *old = shown_at(t, b);
    struct paint_entry e;
    int same = old && old->box.key == b->key && paint_same_how(&old->how, &how);
    int whole = same && old->part == old->parts, half = same && !whole && old->quality <= quality;
    if (whole && old->quality <= quality) return PIECE_NONE;
    if (half) quality = old->quality;
    size_t part = half ? old->part : 0;
    int ready = encoded(t, b, &how, &quality, part, &e);
    if (ready && whole && old->quality <= quality) return PIECE_NONE;
    if (ready && half && (quality != old->quality || e.parts != old->parts)) {
        half = 0;   /* cut otherwise by now: from the start */
        part = 0;
        ready = encoded(t, b, &how, &quality, part, &e);
    }
    if (ready && !line_has_room(&t->line, e.len, t->opt.ahead_bytes)) return PIECE_NO_ROOM;
    /* The old picture must not stand under the new one's name, nor look out from behind it. */
    size_t before = out->len;
    if (old && (ready ? !half && !same_fit(&old->fit, &e.fit) && !(same && covers(&e.fit, &old->fit, &how)) : !same)) {
        erase_shown(t, old, out);
        old = NULL;
    } else if (old && ready && !same && e.parts > 1) {
        erase_shown(t, old, out);
        old = NULL;
    }
    if (!ready) return PIECE_NONE;
    size_t from = out->len;
    buf_text(out, "\0337");
    unsigned id = old ? old->id : ++t->last_id;
    paint_emit(out, e.bytes, e.len, how.painter, t->pane.row + b->row + e.fit.row + e.row, t->pane.col + b->col + e.fit.col, id);
    buf_text(out, "\0338");
    if (t->opt.passthrough) tmux_wrap_chunks(out, from, TMUX_PASSES);
    size_t bytes = out->len - before;
    t->stats.pictures += part == 0;
    t->stats.picture_bytes += bytes;
    t->page_bytes += bytes;
    showing_ask(t, bytes, out);
    if (!old && t->shown_count < FRAME_IMAGES) old = &t->shown[t->shown_count++];
    if (old) *old = (struct shown){ *b, how, e.fit, quality, part + 1, e.parts, id, t->queue.text[b - t->queue.box] };
    return PIECE_SENT;
}

/* The next piece of the page in the quality it gets first, or of what can be better. */
static enum piece next_piece(struct term *t, int better, struct buf *out) {
    struct queue *q = &t->queue;
    size_t *at = better ? &q->better_at : &q->at;
    for (; *at < q->count; ++*at) {
        enum piece p = send_piece(t, &q->box[*at], better ? 0 : q->quality, out);
        if (p != PIECE_NONE) return p;
    }
    return PIECE_NONE;
}

static enum status flush(struct term *t, struct buf *out) {
    enum status st = buf_status(out);
    if (st == OK && out->len) st = session_send(t, out->data, out->len);
    buf_clear(out);
    return st;
}

int showing_pump(struct term *t, double *wait_s) {
    struct queue *q = &t->queue;
    double now = session_now();
    *wait_s = -1;
    if (t->is_gone || t->is_held || t->pane_asked.fd >= 0) return 0;
    int better = q->at == q->count, slow = line_is_slow(&t->line);
    if (better && (q->better_at == q->count || q->quality == 0)) return 0;
    double start = better ? (t->input_at > t->sent_at ? t->input_at : t->sent_at) + BETTER_S
                          : t->input_at + (slow ? QUIET_S : 0);
    /* Better pictures follow one another without a pause. */
    if (better && q->better_at > 0) start = t->input_at + BETTER_S;
    if (now < start) {
        *wait_s = start - now;
        return 0;
    }
    struct buf out = BUF_INIT;
    enum piece p = next_piece(t, better, &out);
    flush(t, &out);
    buf_free(&out);
    if (p == PIECE_SENT) t->sent_at = session_now();
    return p == PIECE_SENT || (p == PIECE_NONE && !better);   /* none left: look what can be better */
}

/* --- a frame --- */

/* What curses is given of a frame; never 0. */
static uint64_t text_of(const struct frame *f, int with_labels) {
    uint64_t all = frame_text_hash(f, 0, frame_rows(f));
    for (size_t i = 0; i < frame_image_count(f); i++) {
        const struct image_box *b = frame_image_at(f, i);
        uint64_t what[] = { all, b->row, b->col, b->rows, b->cols, with_labels ? hash_xxh3(b->label, strlen(b->label)) : 0 };
        all = hash_xxh3(what, sizeof what);
    }
    return all | 1;
}

/* Before the first bytes of a frame: a terminal that can shows all of them at once. */
static void begin_update(struct term *t, int *is_begun) {
    if (t->probe.sync_update && !*is_begun) session_send(t, SYNC_ON, strlen(SYNC_ON));
    *is_begun = 1;
}

static void end_update(struct term *t, int *is_begun) {
    if (t->probe.sync_update && *is_begun) session_send(t, SYNC_OFF, strlen(SYNC_OFF));
    *is_begun = 0;
}

static enum status flush_in(struct term *t, struct buf *out, int *is_begun) {
    if (out->len) begin_update(t, is_begun);
    return flush(t, out);
}

/* Of a frame that stands there already nothing is sent, not even that it begins and ends. */
enum status term_paint(struct term *t, const struct frame *f, const struct term_images *images) {
    enum status st = OK;
    struct buf out = BUF_INIT;
    struct paint_how how = how_now(t);
    int is_slow = line_is_slow(&t->line), is_begun = 0, with_labels = how.painter == GRAPHICS_NONE;
    if (t->is_gone) return fail(ERR_IO, "terminal: it is gone");
    t->stats.paints++;
    t->is_held = line_is_late(&t->line, session_now());
    t->queue.count = t->queue.at = t->queue.better_at = 0;
    if (t->is_held) return OK;
    fill_queue(t, f, &how, images);
    erase_lost(t, &out);
    TRY_TO(flush_in(t, &out, &is_begun));
    uint64_t text = text_of(f, with_labels);
    if (text != t->text) {
        begin_update(t, &is_begun);
        screen_text(t->screen, f, with_labels);
        t->text = text;
    }
    if (is_slow && is_begun) {   /* the text is to be seen before the first picture */
        end_update(t, &is_begun);
        showing_ask(t, 0, &out);
        TRY_TO(flush(t, &out));
    }
    /* One piece at least goes out each time, so that a held key cannot keep the screen
     * empty for ever. */
    for (int sent = 0; !is_slow && t->pane_asked.fd < 0 && !(sent && term_is_busy(t)); sent = 1) {
        enum piece p = next_piece(t, 0, &out);
        TRY_TO(flush_in(t, &out, &is_begun));
        if (p != PIECE_SENT) break;
        t->sent_at = session_now();
    }
done:
    end_update(t, &is_begun);
    buf_free(&out);
    return st;
}

void term_redraw(struct term *t) {
    if (t->opt.passthrough) tmux_ask(&t->pane_asked, &t->pane, session_now());   /* panes move without a word */
    showing_forget(t);
    screen_forget(t->screen);
    t->text = 0;
}

struct term_line term_line(const struct term *t) {
    const struct quality *q = &qualities[t->queue.quality];
    return (struct term_line){ .speed = line_speed(&t->line), .round_trip = t->line.round_trip,
        .is_bounded = t->line.is_answering && !t->line.gave_up, .is_slow = line_is_slow(&t->line),
        .colours = term_graphics(t) == GRAPHICS_SIXEL ? q->colours : 0, .shrink = q->shrink,
        .in_flight = t->line.in_flight, .page_bytes = t->page_bytes };
}
