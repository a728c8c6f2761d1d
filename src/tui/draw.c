/* draw.c - pieces that several screens are made of. */
#include "app.h"

#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* --- pictures in grids --- */

size_t draw_image_cols(const struct app *a, size_t rows) {
    const struct project *p = &a->catalog.project;
    double aspect = p->height ? (double)p->width / (double)p->height : 1;
    double cols = (double)rows * a->cell_aspect * aspect;
    return cols < 1 ? 1 : (size_t)lround(cols);
}

size_t draw_image_rows(const struct app *a, size_t cols) {
    size_t rows = 1;
    while (rows < 200 && draw_image_cols(a, rows + 1) <= cols) rows++;
    return rows;
}

struct grid draw_grid(const struct app *a, size_t rows, size_t cols, size_t text, size_t least,
                      size_t want) {
    struct grid best = { 0, 0, 0, 0, 0, 0 };
    size_t most = 0;

    for (size_t h = 20; h >= 2; h--) {
        struct grid g;
        g.image_rows = h;
        g.image_cols = draw_image_cols(a, h);
        g.tile_rows = h + text;
        g.tile_cols = (g.image_cols > least ? g.image_cols : least) + 2;
        g.rows = rows / g.tile_rows;
        g.across = cols / g.tile_cols;
        size_t n = g.rows * g.across;
        if (n > most) { best = g; most = n; }
        if (n >= want) break;
    }
    /* What is left over on the right goes to the columns, as far as they still read as one row. */
    if (best.across) {
        size_t more = (cols - best.across * best.tile_cols) / best.across;
        best.tile_cols += more < 4 ? more : 4;
    }
    return best;
}

struct grid draw_page_grid(const struct app *a, struct area in, size_t n, size_t text) {
    struct grid g = { 0, 0, 0, 0, 0, 0 };
    for (size_t want = 12; want >= 3; want -= 3) {
        g = draw_grid(a, in.rows, in.cols, text, 14, n < want ? (n ? n : 1) : want);
        if (g.image_rows >= 5) break;
    }
    return g;
}

/* Bits 40 to 55 of pictures_key() are free: no split has 2^40 items. */
enum { GENERATION_BIT = 40 };

uint64_t draw_picture_key(const struct app *a, struct item_ref ref) {
    return pictures_key(ref) | (uint64_t)(a->generation & 0xffff) << GENERATION_BIT;
}

struct item_ref draw_picture_ref(uint64_t key) { return pictures_ref(key & ~((uint64_t)0xffff << GENERATION_BIT)); }

void draw_image(struct app *a, struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                struct item_ref ref) {
    char label[32];
    item_ref_format(label, ref);
    frame_image(f, row, col, rows, cols, draw_picture_key(a, ref), label);
}

void draw_selection(struct frame *f, size_t row, size_t col, const struct grid *g, size_t below) {
    frame_focus(f, row + g->tile_rows / 2, col + g->tile_cols / 2);
    frame_restyle(f, row, col, 1, g->tile_cols, STYLE_SELECTED);
    frame_fill(f, row + 1, col, g->image_rows, 1, STYLE_SELECTED, ' ');
    frame_fill(f, row + 1, col + g->tile_cols - 1, g->image_rows, 1, STYLE_SELECTED, ' ');
    frame_restyle(f, row + 1 + g->image_rows, col, below, g->tile_cols, STYLE_SELECTED);
}

void draw_tile_bar(struct frame *f, size_t row, size_t col, size_t cells, double value, int selected) {
    size_t n = frame_meter(f, row, col, cells, value < 0 ? STYLE_METER_LOW : STYLE_METER, fabs(value));
    if (selected && n < cells) frame_restyle(f, row, col + n, 1, cells - n, STYLE_SELECTED);
}

void draw_mark(const struct app *a, struct frame *f, size_t row, size_t col, struct item_ref ref) {
    if (!marks_has(a, ref) || row >= frame_rows(f) || col >= frame_cols(f)) return;
    int selected = frame_cell(f, row, col)->style == STYLE_SELECTED;
    frame_text(f, row, col, selected ? STYLE_SELECTED : STYLE_MARK, "*");
}

/* --- numbers --- */

struct score_format draw_score_format(float largest) {
    struct score_format s = { 2, 0 };
    if (!(largest > 0) || !isfinite(largest)) return s;
    int e = (int)floor(log10((double)largest));
    if (e < -2 || e > 3) { s.scale = e; e = 0; }
    s.decimals = e >= 2 ? 0 : 2 - e;
    return s;
}

void draw_score(char out[24], struct score_format s, float score) {
    double x = (double)score / pow(10, s.scale);
    if (fabs(x) > 1e7) x = x < 0 ? -1e7 : 1e7;
    snprintf(out, 24, "%+.*f", s.decimals, x);
}

void draw_error(char out[24], struct score_format s, double se) {
    double x = se / pow(10, s.scale);
    snprintf(out, 24, "±%.*f", s.decimals, x > 1e7 ? 1e7 : x);
}

void draw_number(char out[24], double x) {
    char text[LAMBDA_TEXT];
    if (!isfinite(x)) { snprintf(out, 24, "?"); return; }
    lambda_format_value(text, x);
    snprintf(out, 24, "%.23s", text);
}

size_t draw_line_fit(const char *text, size_t cols) {
    size_t len = text_fit(text, cols), k = len;
    if (!text[len] || text[len] == ' ') return len;
    while (k > 0 && text[k] != ' ') k--;
    return k ? k : len;
}

size_t draw_paragraph(struct frame *f, size_t row, size_t col, size_t rows, size_t cols,
                      enum style style, const char *text) {
    char safe[1024];
    size_t used = 0;
    if (cols == 0 || cols > FRAME_SIDE) return 0;
    text_escape(safe, sizeof safe, text);   /* before measuring: an escaped byte is wider */
    text = safe;
    while (*text && used < rows && rows <= FRAME_SIDE) {
        char line[512];
        while (*text == ' ') text++;
        size_t len = draw_line_fit(text, cols);
        if (len == 0 || len >= sizeof line) break;
        memcpy(line, text, len);
        line[len] = 0;
        text += len;
        if (used + 1 == rows && *text) frame_printf(f, row + used, col, cols, style, "%s…", line);
        else frame_text_in(f, row + used, col, cols, style, line);
        used++;
    }
    return used;
}

/* --- the line on top --- */

struct piece { char text[80]; enum style style; int rank; };   /* rank: the higher, the sooner it goes */
enum { PIECES = 12 };

__attribute__((format(printf, 5, 6)))
static void piece(struct piece *p, size_t *n, int rank, enum style style, const char *fmt, ...) {
    va_list args;
    if (*n == PIECES) return;
    va_start(args, fmt);
    vsnprintf(p[*n].text, sizeof p[*n].text, fmt, args);
    va_end(args);
    p[*n].style = style;
    p[*n].rank = rank;
    ++*n;
}

static void lambda_piece(const struct app *a, struct piece *p, size_t *n) {
    const struct row *r = &a->row;
    char rel[24], abs_text[24];
    if (!method_has_lambda(a->setting.method)) return;
    const char *aside = r->state == ROW_LIVE || r->state == ROW_WAITING ? " live" : "";
    if (r->lambda_rel > 0 && (r->state == ROW_STORED || r->state == ROW_LIVE)) {
        draw_number(rel, r->lambda_rel);
        draw_number(abs_text, r->lambda_abs);
        int is_auto = r->state == ROW_STORED && strcmp(r->set.lambda_spec, "auto") == 0;
        piece(p, n, 2, STYLE_BAR, "λ %s%s%s", is_auto ? "auto " : "", rel, aside);
        if (r->lambda_abs > 0) piece(p, n, 7, STYLE_BAR, "(=%s)", abs_text);
    } else {
        piece(p, n, 2, STYLE_BAR, "λ %s%s", a->setting.lambda[0] ? a->setting.lambda : "auto", aside);
    }
}

static size_t title_pieces(const struct app *a, struct piece *p) {
    const struct setting *t = &a->setting;
    const struct catalog *c = &a->catalog;
    char name[METHOD_DISPLAY], ref[32];
    size_t n = 0;
    const char *base = a->o.db ? strrchr(a->o.db, '/') : NULL;

    piece(p, &n, 4, STYLE_BAR, "%.40s", base ? base + 1 : a->o.db ? a->o.db : "dtrak");
    if (a->has_query) {
        item_ref_format(ref, a->query);
        piece(p, &n, 0, STYLE_BAR_KEY, "%s/%zu", ref, c->count[a->query.split]);
    }
    if (!a->has_query && c->count[SPLIT_TRAIN] == 0) return n;
    method_display(name, t->method, t->loss);
    piece(p, &n, 1, STYLE_BAR_KEY, "%s", name);
    if (method_has_loss(t->method)) piece(p, &n, 5, STYLE_BAR, "loss %s", loss_name(t->loss));
    const struct checkpoint *k = catalog_checkpoint(c, t->checkpoint);
    if (method_has_checkpoint(t->method) && k) {
        piece(p, &n, 3, STYLE_BAR, "ckpt %zu/%zu", catalog_checkpoint_index(c, t->checkpoint) + 1,
              c->checkpoints.count);
        char network[64];
        checkpoint_network(network, k);
        piece(p, &n, 6, STYLE_BAR, "(%s%s%zu)", network, network[0] ? " " : "", k->step);
    }
    if (a->row.set.id && a->row.set.k) {
        piece(p, &n, 9, STYLE_BAR, "T %zu", a->row.set.timesteps);
        piece(p, &n, 8, STYLE_BAR, "k %zu", a->row.set.k);
    }
    lambda_piece(a, p, &n);
    const struct measured *m = a->row.state == ROW_STORED ? catalog_measured(c, a->row.set.id) : NULL;
    if (m && m->kind[0].se > 0) piece(p, &n, 2, STYLE_BAR_KEY, "LDS %.1f ±%.1f", 100 * m->kind[0].value, 100 * m->kind[0].se);
    else if (m) piece(p, &n, 2, STYLE_BAR_KEY, "LDS %.1f", 100 * m->kind[0].value);
    return n;
}

/* Cells of all pieces: two blanks between them, one before a "(". */
static size_t pieces_width(const struct piece *p, size_t n) {
    size_t w = 1;
    for (size_t i = 0; i < n; i++) w += text_width(p[i].text) + (i == 0 ? 0 : p[i].text[0] == '(' ? 1 : 2);
    return w + 1;
}

static void drop_piece(struct piece *p, size_t *n) {
    size_t worst = 0;
    if (*n == 0 || *n > PIECES) return;
    for (size_t i = 1; i < *n; i++)
        if (p[i].rank > p[worst].rank) worst = i;
    memmove(p + worst, p + worst + 1, (*n - worst - 1) * sizeof *p);
    --*n;
}

/* The running job at the right end; returns the cells it took. */
static size_t draw_running(struct app *a, struct frame *f) {
    struct jobs_now now = jobs_snapshot(a->jobs);
    char percent[32] = "", rate[32] = "", eta[24] = "", text[160];
    size_t cols = frame_cols(f);

    double exported = 0;
    const char *path = export_running(a, &exported);
    if (path) {    /* started last, and soon over */
        const char *slash = strrchr(path, '/');
        snprintf(now.title, sizeof now.title, "%.60s", slash ? slash + 1 : path);
        now.id = 1;
        now.what[0] = now.note[0] = 0;
        now.done = exported;
        now.total = 1;
        now.per_s = 0;
        now.eta_s = -1;
        now.cancelling = 0;
    }
    if (now.id == 0) return 0;
    double part = now.total > 0 ? now.done / now.total : NAN;
    if (now.total > 0) snprintf(percent, sizeof percent, " %3.0f%%", 100 * part);
    if (cols >= 110 && now.per_s > 0) snprintf(rate, sizeof rate, " %.3g/s", now.per_s);
    if (now.eta_s >= 0 && !now.cancelling) {
        char clock[16];
        clock_format(clock, now.eta_s);
        snprintf(eta, sizeof eta, " %s", clock);
    }
    snprintf(text, sizeof text, "%s%s%s", now.cancelling ? " stopping" : percent, rate, eta);
    size_t name = cols >= 100 ? 26 : cols >= 60 ? 18 : 0, meter = cols >= 60 ? 8 : 0;
    char what[140];
    if (now.what[0]) snprintf(what, sizeof what, "%s%s%s", now.what, now.note[0] ? " " : "", now.note);
    else snprintf(what, sizeof what, "%s", now.title);
    size_t w = text_width(what) < name ? text_width(what) : name;
    size_t all = 2 + w + (meter ? meter + 1 : 0) + text_width(text) + 1;
    if (all >= cols) return 0;
    size_t at = cols - all;
    at += frame_text(f, 0, at, STYLE_BAR_KEY, "▶ ");
    at += frame_text_in(f, 0, at, w, STYLE_BAR, what);
    if (meter) {
        at += 1;
        frame_meter(f, 0, at, meter, STYLE_METER, part);
        at += meter;
    }
    frame_text(f, 0, at, STYLE_BAR, text);
    return all;
}

void draw_title(struct app *a, struct frame *f) {
    struct piece p[PIECES];
    size_t cols = frame_cols(f), n;

    frame_fill(f, 0, 0, 1, cols, STYLE_BAR, ' ');
    size_t right = draw_running(a, f);
    n = title_pieces(a, p);
    while (n > 1 && pieces_width(p, n) + right > cols) drop_piece(p, &n);
    size_t at = 1;
    for (size_t i = 0; i < n && at + right < cols; i++) {
        if (i) at += p[i].text[0] == '(' ? 1 : 2;
        if (at + right >= cols) break;
        at += frame_text_in(f, 0, at, cols - right - at, p[i].style, p[i].text);
    }
}

/* --- the line at the bottom --- */

/* The keys and the word of a line; "1 2 6 screens" brings its keys along. */
static void footer_parts(const struct key_line *l, char *keys, size_t size, const char **word) {
    const char *last = strrchr(l->footer, ' ');
    size_t len = strlen(l->key);
    if (last && len && strncmp(l->footer, l->key, len) == 0 && l->footer[len] && strchr(" -", l->footer[len])) {
        snprintf(keys, size, "%.*s", (int)(last - l->footer), l->footer);
        *word = last + 1;
    } else {
        snprintf(keys, size, "%s", l->key);
        *word = l->footer;
    }
}

static size_t footer_width(const struct key_line *l) {
    char keys[24];
    const char *word;
    footer_parts(l, keys, sizeof keys, &word);
    return text_width(keys) + 1 + text_width(word) + 2;
}

/* The line to the terminal in a few words, at the right; returns the cells it takes. */
static size_t draw_line_speed(const struct app *a, struct frame *f, size_t row) {
    struct term_line l = { .round_trip = -1, .shrink = 1 };
    char text[120] = "no terminal", speed[24];
    if (!a->shows_line) return 0;
    if (a->term) l = term_line(a->term);
    size_t n = 0, cols = frame_cols(f);
    if (l.speed > 0) {
        draw_number(speed, l.speed * 8 / 1e6);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s Mbit/s  ", l.is_slow ? "" : "over ", speed);
    }
    if (l.round_trip >= 0) n += (size_t)snprintf(text + n, sizeof text - n, "%.0f ms  ", l.round_trip * 1e3);
    if (a->term && !l.is_bounded) n += (size_t)snprintf(text + n, sizeof text - n, "speed not told  ");
    if (l.colours && l.is_slow) n += (size_t)snprintf(text + n, sizeof text - n, "%zu colours%s  ", l.colours, l.shrink > 1 ? ", small" : "");
    if (a->term) snprintf(text + n, sizeof text - n, "pictures %.1f kB", (double)l.page_bytes / 1e3);
    size_t width = text_width(text) + 1;
    if (width + 20 > cols) return 0;
    frame_text(f, row, cols - width, STYLE_BAR, text);
    return width + 2;
}

static void draw_keys(struct app *a, struct frame *f, size_t row) {
    struct key_line l[80];
    size_t n = 0, all = keys_lines(&a->keys, app_top(a)->context, l, 80), cols = frame_cols(f), width = 1;
    cols -= draw_line_speed(a, f, row);

    for (size_t i = 0; i < all; i++)
        if (l[i].footer[0] && !key_why_not(a, l[i].action)) { l[n++] = l[i]; width += footer_width(&l[i]); }
    /* What does not fit goes from the end; the way to the full list stays. */
    for (size_t i = n; i-- > 0 && width > cols + 2;) {
        if (l[i].action == ACT_help || l[i].action == ACT_help_close) continue;
        width -= footer_width(&l[i]);
        memmove(l + i, l + i + 1, (--n - i) * sizeof *l);
    }
    size_t at = 1;
    for (size_t i = 0; i < n; i++) {
        char keys[24];
        const char *word;
        size_t first = at;
        footer_parts(&l[i], keys, sizeof keys, &word);
        at += frame_text(f, row, at, STYLE_BAR_KEY, keys);
        at += frame_text(f, row, at, STYLE_BAR, " ");
        at += frame_text(f, row, at, STYLE_BAR, word);
        if (at > first) app_spot(a, row, first, 1, at - first, FOOTER_SPOT + (size_t)l[i].action);
        at += 2;
    }
}

/* What is being typed.  Its end is where the next letter goes, so that shows when not all can,
 * and what is asked for gives way to it. */
static void draw_prompt(struct app *a, struct frame *f, size_t row) {
    static const char *const name[] = { "", "/", "&", ":", "name of the list: ", "write to: ", "keep them as list: ", "database or folder: ", "note: " };
    enum { TYPED_LEAST = 12 };
    char shown[4 * sizeof a->typed + 8];
    size_t cols = frame_cols(f), at = 1, skip = 0;
    uint32_t cp;
    text_escape(shown, sizeof shown, a->typed);
    size_t width = text_width(shown);
    if (text_width(name[a->prompt]) + (width < TYPED_LEAST ? width : TYPED_LEAST) + 2 <= cols)
        at += frame_text(f, row, 1, STYLE_BAR_KEY, name[a->prompt]);
    if (at + width + 1 > cols) {
        at += frame_text(f, row, at, STYLE_DIM, "…");
        while (shown[skip] && at + width + 1 > cols) {
            size_t n = text_decode(shown + skip, &cp);
            width -= (size_t)text_cp_width(cp);
            skip += n;
        }
    }
    at += frame_text(f, row, at, a->is_suggested ? STYLE_SELECTED : STYLE_BAR, shown + skip);
    frame_text(f, row, at, STYLE_BAR_KEY, "▏");
    char forms[96] = "Tab ";
    if (a->prompt == PROMPT_EXPORT) export_forms(a, forms + 4, sizeof forms - 4);
    const char *hint = a->prompt == PROMPT_FILTER ? "label:boot caption:red score>0.1 marked 17 !word" :
                       a->prompt == PROMPT_EXPORT ? forms : "Enter takes it, Esc does not";
    if (cols > at + text_width(hint) + 5) frame_text(f, row, cols - text_width(hint) - 1, STYLE_BAR, hint);
}

/* The answers always show; of the question what is left for it, without what is said after its mark where that is cut. */
static void draw_question(const struct app *a, struct frame *f, size_t row) {
    char answers[80];
    const char *mark = strchr(a->question, '?');
    snprintf(answers, sizeof answers, "%s yes  %s no", key_for(a, ACT_yes), key_for(a, ACT_no));
    size_t cols = frame_cols(f), w = text_width(answers), room = cols > w + 4 ? cols - w - 4 : 0, at = 1;
    int len = text_width(a->question) > room && mark ? (int)(mark + 1 - a->question) : (int)strlen(a->question);
    frame_fill(f, row, 0, 1, cols, STYLE_WARN, ' ');
    if (room) at += frame_printf(f, row, at, room, STYLE_WARN, "%.*s", len, a->question) + 2;
    frame_text_in(f, row, at, cols - at, STYLE_WARN, answers);
}

size_t draw_other_lambda(const struct app *a, struct frame *f, size_t row, size_t col, size_t rows, size_t cols, const struct score_set *set) {
    char lambda[48], text[120];
    setting_other_lambda(a, set, lambda, sizeof lambda);
    if (!lambda[0]) return 0;
    snprintf(text, sizeof text, "of %s: %s is not stored", lambda, a->setting.lambda);
    return draw_paragraph(f, row, col, rows, cols, STYLE_WARN, text);
}

void draw_footer(struct app *a, struct frame *f) {
    size_t rows = frame_rows(f), cols = frame_cols(f);
    if (rows < 2) return;
    frame_fill(f, rows - 1, 0, 1, cols, STYLE_BAR, ' ');
    if (a->prompt != PROMPT_NONE) {
        draw_prompt(a, f, rows - 1);
    } else if (app_top(a) == &screen_ask) {
        draw_question(a, f, rows - 1);
    } else if (a->message[0] && cols > 2) {
        frame_fill(f, rows - 1, 0, 1, cols, a->message_style, ' ');
        frame_text_in(f, rows - 1, 1, cols - 2, a->message_style, a->message);
    } else {
        draw_keys(a, f, rows - 1);
    }
}
