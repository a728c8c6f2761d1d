/* overlay.c - what stands over a screen: the keys, a question. */
#include "app.h"

#include "dtrak/text.h"

#include <string.h>

/* --- help: the list of keys --- */

enum { HELP_ROWS = 160, HELP_LINES = 400 };

struct help_row { char key[40]; const char *help; int heading; };

/* A row's line: the first, or what its text goes on with. */
struct help_line { const struct help_row *row; const char *text; size_t len; };

static void add_rows(const struct keymap *m, enum context c, const char *heading, struct help_row *out, size_t *n, size_t max,
                     unsigned char *seen) {
    struct key_line l[80];
    size_t count = keys_list(m, c, l, 80), first = *n;
    for (size_t i = 0; i < count && *n + 2 < max; i++) {
        if (seen[l[i].action]) continue;
        seen[l[i].action] = 1;
        if (*n == first) {
            out[*n].heading = 1;
            out[*n].help = heading;
            ++*n;
        }
        struct help_row *r = &out[(*n)++];
        snprintf(r->key, sizeof r->key, "%s%s%s", l[i].key, l[i].other[0] ? "  " : "", l[i].other);
        r->help = l[i].help;
        r->heading = 0;
    }
}

static size_t help_rows(const struct app *a, struct help_row *out, size_t max) {
    unsigned char seen[ACT_COUNT] = { 0 };
    size_t n = 0;
    /* The screen it was called from comes first, without a gap to what is on everywhere. */
    enum context here = a->depth >= 2 ? a->stack[a->depth - 2]->context : IN_GALLERY;
    static const enum context all[] = { IN_GALLERY, IN_RANKING, IN_COMPARE, IN_SELF, IN_EVALUATION, IN_JOBS, IN_OVERALL, IN_SET, IN_REVERSE, IN_DETAIL, IN_PICKER };
    seen[ACT_yes] = seen[ACT_no] = seen[ACT_help_close] = 1;
    add_rows(&a->keys, here, context_name(here), out, &n, max, seen);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) add_rows(&a->keys, all[i], context_name(all[i]), out, &n, max, seen);
    return n;
}

/* The rows, with texts that are broken where they are wider than `cols`. */
static size_t help_lines(const struct help_row *r, size_t rows, size_t cols, struct help_line *out) {
    size_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        const char *text = r[i].help;
        do {
            size_t len = r[i].heading ? strlen(text) : draw_line_fit(text, cols);
            if (n == HELP_LINES) return n;
            out[n++] = (struct help_line){ &r[i], text, len };
            text += len;
            while (*text == ' ') text++;
            if (len == 0) break;
        } while (*text);
    }
    return n;
}

static int help_act(struct app *a, enum action k) {
    size_t page = a->help.rows ? a->help.rows : 1, end = a->help.lines > page ? a->help.lines - page : 0;
    size_t *top = &a->help.top;
    switch (k) {
    case ACT_up: if (*top) --*top; return 1;
    case ACT_down: if (*top < end) ++*top; return 1;
    case ACT_page_up: *top = *top > page ? *top - page : 0; return 1;
    case ACT_page_down: *top = *top + page < end ? *top + page : end; return 1;
    case ACT_first: *top = 0; return 1;
    case ACT_last: *top = end; return 1;
    case ACT_left: case ACT_right: return 1;
    case ACT_help_close: app_back(a); return 1;
    default: return 0;
    }
}

static void help_wheel(struct app *a, int down) { help_act(a, down ? ACT_down : ACT_up); }

static void help_open(struct app *a) { a->help.top = 0; }

static void help_draw(struct app *a, struct frame *f, struct area in) {
    struct help_row r[HELP_ROWS];
    struct help_line line[HELP_LINES];
    struct area inner = in;
    if (in.rows >= 4 && in.cols >= 20) {
        frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_FOCUS, "keys");
        inner = (struct area){ in.row + 1, in.col + 2, in.rows - 2, in.cols - 4 };
    }
    size_t columns = inner.cols >= 130 ? 2 : 1, w = inner.cols / columns, key = inner.cols >= 60 ? 18 : 12;
    size_t n = help_lines(r, help_rows(a, r, HELP_ROWS), w > key + 1 ? w - key - 1 : 1, line), half = (n + columns - 1) / columns;
    a->help.lines = half;
    a->help.rows = inner.rows;
    if (a->help.top + inner.rows > half) a->help.top = half > inner.rows ? half - inner.rows : 0;
    for (size_t i = 0; i < n; i++) {
        size_t c = i / half, at = i % half;
        if (at < a->help.top || at - a->help.top >= inner.rows) continue;
        size_t row = inner.row + at - a->help.top, col = inner.col + c * w;
        if (line[i].row->heading) {
            frame_text_in(f, row, col, w - 1, STYLE_TITLE, line[i].text);
            continue;
        }
        if (line[i].text == line[i].row->help) frame_text_in(f, row, col + 1, key - 2, STYLE_ACCENT, line[i].row->key);
        if (w > key + 1) frame_printf(f, row, col + key, w - key - 1, STYLE_NORMAL, "%.*s", (int)line[i].len, line[i].text);
    }
    if (half > inner.rows && in.rows >= 4)
        frame_printf(f, in.row + in.rows - 1, in.col + 2, inner.cols, STYLE_DIM, " %zu-%zu of %zu lines%s ",
                     a->help.top + 1, a->help.top + inner.rows, half, a->help.top + inner.rows < half ? ", down for more" : "");
}

const struct screen screen_help = { "help", IN_HELP, help_open, help_draw, help_act, NULL, help_wheel };

/* --- a question; the screen below stays visible --- */

static int ask_act(struct app *a, enum action k) {
    if (k == ACT_yes && a->wanted) { app_back(a); app_go_over(a); return 1; }
    if (k == ACT_yes || k == ACT_quit) { a->done = 1; return 1; }
    if (k == ACT_no) { app_back(a); return 1; }
    return 0;
}

static void ask_draw(struct app *a, struct frame *f, struct area in) {
    if (a->depth >= 2) a->stack[a->depth - 2]->draw(a, f, in);
}

const struct screen screen_ask = { "question", IN_ASK, NULL, ask_draw, ask_act, NULL, NULL };
