/* screen.c - frames to curses. */
#include "screen.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

struct screen {
    SCREEN *curses;
    FILE *in, *out;
    int fd, utf8, colours;
    int pairs;                    /* colour is used */
    int is_light;                 /* the background */
    struct termios raw;
    char restore[256];
};

/* plain: the attributes without colour.  on_light: the colour on a light background, of 16 and of
 * 256; where 16 have none that can be read, the plain attributes stand in. */
struct look { short fg; attr_t attr, plain; short on_light[2]; };

static const struct look looks[STYLE_COUNT] = {
    [STYLE_NORMAL] = { -1, A_NORMAL, A_NORMAL },
    [STYLE_DIM] = { -1, A_DIM, A_DIM },
    [STYLE_BOLD] = { -1, A_BOLD, A_BOLD },
    [STYLE_TITLE] = { COLOR_CYAN, A_BOLD, A_BOLD, { COLOR_BLUE, 25 } },
    [STYLE_BORDER] = { -1, A_DIM, A_DIM },
    [STYLE_FOCUS] = { COLOR_CYAN, A_BOLD, A_BOLD, { COLOR_BLUE, 25 } },
    [STYLE_SELECTED] = { COLOR_BLACK, A_NORMAL, A_REVERSE | A_BOLD },   /* on yellow */
    [STYLE_BAR] = { -1, A_REVERSE, A_REVERSE },
    [STYLE_BAR_KEY] = { -1, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD },
    [STYLE_METER] = { COLOR_GREEN, A_NORMAL, A_NORMAL, { COLOR_GREEN, 28 } },
    [STYLE_METER_LOW] = { COLOR_RED, A_NORMAL, A_NORMAL, { COLOR_RED, 160 } },
    [STYLE_ACCENT] = { COLOR_CYAN, A_NORMAL, A_NORMAL, { COLOR_BLUE, 25 } },
    [STYLE_GOOD] = { COLOR_GREEN, A_NORMAL, A_NORMAL, { -1, 28 } },
    [STYLE_WARN] = { COLOR_YELLOW, A_NORMAL, A_BOLD, { -1, 130 } },
    [STYLE_ERROR] = { COLOR_RED, A_BOLD, A_BOLD, { COLOR_RED, 160 } },
    [STYLE_MARK] = { COLOR_MAGENTA, A_BOLD, A_BOLD | A_UNDERLINE, { COLOR_MAGENTA, 127 } },
};

/* Appends a terminfo string without its padding notes "$<50/>". */
static void add_capability(char *out, size_t size, const char *name) {
    char cap[8];
    snprintf(cap, sizeof cap, "%s", name);
    const char *s = tigetstr(cap);
    if (!s || s == (char *)-1) return;
    size_t at = strlen(out);
    while (*s && at + 1 < size) {
        if (s[0] == '$' && s[1] == '<' && strchr(s, '>')) { s = strchr(s, '>') + 1; continue; }
        out[at++] = *s++;
    }
    out[at] = 0;
}

/* The terminal must at least move its cursor; fills restore and colours. */
static enum status read_terminfo(struct screen *s) {
    const char *term = getenv("TERM");
    char cup[] = "cup", colors[] = "colors";
    int err;
    if (!term || !*term) return fail(ERR_RANGE, "TERM is not set; try TERM=xterm-256color, or the commands that print");
    if (setupterm(NULL, s->fd, &err) != 0)
        return fail(ERR_RANGE, "TERM=%s: no such terminal is known here; try TERM=xterm-256color", term);
    const char *move = tigetstr(cup);
    enum status st = OK;
    if (!move || move == (char *)-1)
        st = fail(ERR_RANGE, "TERM=%s: this terminal cannot move its cursor, so nothing can be "
                  "drawn; use the commands that print instead", term);
    s->colours = tigetnum(colors);
    add_capability(s->restore, sizeof s->restore, "sgr0");
    add_capability(s->restore, sizeof s->restore, "rmkx");
    add_capability(s->restore, sizeof s->restore, "rmcup");
    add_capability(s->restore, sizeof s->restore, "cnorm");
    del_curterm(cur_term);
    return st;
}

static short colour_of(const struct screen *s, const struct look *look) {
    return s->is_light && look->fg >= 0 ? look->on_light[COLORS >= 256] : look->fg;
}

static void make_pairs(struct screen *s) {
    for (short i = 1; s->pairs && i < STYLE_COUNT; i++)
        if (init_pair(i, colour_of(s, &looks[i]), -1) != OK) s->pairs = 0;
    /* Both its colours are named: on yellow the text of a light terminal could not be read.  Of 256
     * those that no theme changes, in place of a black that bold or a theme may make grey. */
    const short black = COLORS >= 256 ? 16 : COLOR_BLACK, yellow = COLORS >= 256 ? 226 : COLOR_YELLOW;
    if (s->pairs && init_pair(STYLE_SELECTED, black, yellow) != OK) s->pairs = 0;
}

static void choose_colours(struct screen *s) {
    const char *no = getenv("NO_COLOR");
    s->pairs = has_colors() && !(no && *no) && start_color() == OK && use_default_colors() == OK;
    make_pairs(s);
}

void screen_background(struct screen *s, enum background b) {
    int is_light = b == BACKGROUND_LIGHT;
    if (is_light == s->is_light) return;
    s->is_light = is_light;
    make_pairs(s);
}

static FILE *stream(int fd, const char *mode) {
    int copy = dup(fd);
    FILE *f = copy < 0 ? NULL : fdopen(copy, mode);
    if (!f && copy >= 0) close(copy);
    return f;
}

enum status screen_open(struct screen **out, int fd) {
    *out = NULL;
    struct screen *s = mem_array(1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "terminal: out of memory");
    s->fd = fd;
    s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    enum status st = read_terminfo(s);
    if (st != OK) goto done;
    s->out = stream(fd, "w");
    s->in = stream(fd, "r");
    if (!s->out || !s->in) { st = fail(ERR_IO, "terminal: %s", strerror(errno)); goto done; }
    use_env(FALSE);      /* the size is the kernel's, not what a shell exported long ago */
    use_tioctl(TRUE);
    s->curses = newterm(NULL, s->out, s->in);
    if (!s->curses) { st = fail(ERR_IO, "terminal: curses cannot use it"); goto done; }
    tcgetattr(fd, &s->raw);
    cfmakeraw(&s->raw);
    s->raw.c_cc[VMIN] = 1;
    s->raw.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &s->raw);
    def_prog_mode();
    typeahead(-1);       /* curses must not look at the input */
    curs_set(0);
    choose_colours(s);
    leaveok(stdscr, TRUE);
    /* Inserting and deleting characters would move pictures. */
    idcok(stdscr, FALSE);
    idlok(stdscr, FALSE);
    *out = s;
    s = NULL;
done:
    screen_close(s);
    return st;
}

void screen_close(struct screen *s) {
    if (!s) return;
    if (s->curses) {
        endwin();
        delscreen(s->curses);
    }
    if (s->out) fclose(s->out);
    if (s->in) fclose(s->in);
    mem_free(s);
}

int screen_colours(const struct screen *s) { return s->colours; }
int screen_is_utf8(const struct screen *s) { return s->utf8; }
const char *screen_restore_text(const struct screen *s) { return s->restore; }

void screen_resize(struct screen *s, size_t rows, size_t cols) {
    (void)s;
    resize_term((int)rows, (int)cols);
    clearok(curscr, TRUE);
}

void screen_leave(struct screen *s) {
    (void)s;
    endwin();
}

void screen_enter(struct screen *s) {
    tcsetattr(s->fd, TCSANOW, &s->raw);
    clearok(curscr, TRUE);
}

void screen_redraw_rows(struct screen *s, size_t row, size_t rows) {
    (void)s;
    wredrawln(stdscr, (int)row, (int)rows);
}

void screen_forget(struct screen *s) {
    (void)s;
    clearok(curscr, TRUE);
}

/* What stands for cp where only ASCII can be shown. */
static wchar_t ascii_of(uint32_t cp) {
    if (cp >= 0x20 && cp < 0x7F) return (wchar_t)cp;
    if (cp == 0x2500 || cp == 0x2501 || cp == 0x2550 || cp == 0x2013 || cp == 0x2014 || cp == 0x2212)
        return L'-';
    if (cp == 0x2502 || cp == 0x2503 || cp == 0x2551) return L'|';
    if (cp > 0x2500 && cp < 0x2580) return L'+';
    if (cp >= 0x2589 && cp <= 0x258C) return L'#';
    if (cp == 0x2588) return L'#';
    if (cp == 0x258D || cp == 0x258E) return L'-';
    if (cp > 0x2580 && cp < 0x2588) return L'_';
    if (cp >= 0x2591 && cp <= 0x2593) return L'=';   /* shades: box plots */
    if (cp == 0x2026) return L'~';
    if (cp == 0x00B7 || cp == 0x2022) return L'.';
    if (cp == 0x25B6 || cp == 0x25B8 || cp == 0x2192 || cp == 0x203A) return L'>';
    if (cp == 0x25C0 || cp == 0x2190 || cp == 0x2039) return L'<';
    if (cp == 0x2191) return L'^';
    if (cp == 0x2193) return L'v';
    if (cp == 0x03BB) return L'L';      /* lambda */
    if (cp == 0x00B1) return L'~';      /* plus or minus */
    if (cp == 0x25B2) return L'^';
    if (cp == 0x25BC) return L'v';
    if (cp == 0x258F) return L'|';      /* the cursor of a line that is typed */
    if (cp == 0x2800) return L' ';      /* braille: plots */
    if (cp > 0x2800 && cp < 0x2900) return L'*';
    if (cp == 0x00D7) return L'x';
    if (cp == 0x00A0) return L' ';
    if (cp == 0x2605 || cp == 0x25CF || cp == 0x2713) return L'*';
    return L'?';
}

static void put_wide(int row, int col, const wchar_t *w, attr_t attr, short pair) {
    cchar_t cc;
    if (setcchar(&cc, w, attr, pair, NULL) == OK) mvadd_wch(row, col, &cc);
}

/* Signs that choose how the one before is drawn, or join it to the next: what a terminal makes of them
 * is as wide as it likes, and the rest of the row would be out of place. */
static int is_selector(uint32_t mark) { return mark == 0x200D || (mark >= 0xFE00 && mark <= 0xFE0F) || mark >= 0xE0100; }

static void put_cell(const struct screen *s, int row, int col, const struct cell *c) {
    const struct look *look = &looks[c->style < STYLE_COUNT ? c->style : STYLE_NORMAL];
    int is_plain = !s->pairs || (look->fg >= 0 && colour_of(s, look) < 0);
    attr_t attr = is_plain ? look->plain : look->attr;
    short pair = s->pairs ? c->style : 0;
    wchar_t w[FRAME_MARKS + 2] = { (wchar_t)c->cp };
    /* The C library and this program must agree on the width, or the rest of
     * the line would be out of place. */
    if (!s->utf8 || (c->cp >= 0x7F && wcwidth(w[0]) != c->width)) {
        w[0] = ascii_of(c->cp);
        put_wide(row, col, w, attr, pair);
        if (c->width == 2) put_wide(row, col + 1, L" ", attr, pair);
        return;
    }
    size_t n = 1;
    for (size_t i = 0; i < FRAME_MARKS && c->mark[i]; i++)
        if (wcwidth((wchar_t)c->mark[i]) == 0 && !is_selector(c->mark[i])) w[n++] = (wchar_t)c->mark[i];
    put_wide(row, col, w, attr, pair);
}

/* An invisible space for the left column and a dim one for the rest: two kinds,
 * because curses moves right over cells of the attributes it has set by writing
 * them again, and so it never does that across a whole picture. */
static void put_box(const struct image_box *b, int rows, int cols) {
    for (size_t r = b->row; r < b->row + b->rows && (int)r < rows; r++)
        for (size_t c = b->col; c < b->col + b->cols && (int)c < cols; c++)
            put_wide((int)r, (int)c, L" ", c == b->col ? A_INVIS : A_INVIS | A_DIM, 0);
}

/* The item's name in place of its picture, cut at the box's edge. */
static void put_label(const struct screen *s, const struct image_box *b, int rows, int cols) {
    size_t at = b->col, end = b->col + b->cols, n;
    uint32_t cp;
    if ((int)b->row >= rows || (int)end > cols) return;
    for (const char *p = b->label; at < end && (n = text_decode(p, &cp)); p += n) {
        int width = text_cp_width(cp);
        if (width == 0 || at + (size_t)width > end) continue;
        const struct cell c = { cp, { 0, 0 }, (uint8_t)width, STYLE_DIM };
        put_cell(s, (int)b->row, (int)at, &c);
        at += (size_t)width;
    }
}

/* Rows that moved are scrolled by curses, whatever idlok() says, and a picture beside them
 * would go along.  Shown one at a time no row is ever found elsewhere: what it becomes and
 * stands in another row too is there twice, and curses moves only what is there once. */
static void show(int rows, int in_place) {
    for (int r = 0; in_place && r < rows; r++) {
        untouchwin(stdscr);
        touchline(stdscr, r, 1);
        wnoutrefresh(stdscr);
        doupdate();
    }
    if (in_place) return;
    wnoutrefresh(stdscr);
    doupdate();
}

void screen_text(struct screen *s, const struct frame *f, int with_labels) {
    int rows = getmaxy(stdscr), cols = getmaxx(stdscr);
    erase();
    for (size_t r = 0; r < frame_rows(f) && (int)r < rows; r++)
        for (size_t c = 0; c < frame_cols(f) && (int)c < cols; c++) {
            const struct cell *cell = frame_cell(f, r, c);
            if (cell->width == 0) continue;
            if (cell->cp == ' ' && cell->style == STYLE_NORMAL && !cell->mark[0]) continue;
            if (cell->width == 2 && (int)c + 1 >= cols) continue;
            put_cell(s, (int)r, (int)c, cell);
        }
    for (size_t i = 0; i < frame_image_count(f); i++) {
        if (with_labels) put_label(s, frame_image_at(f, i), rows, cols);
        else put_box(frame_image_at(f, i), rows, cols);
    }
    show(rows, !with_labels);
}
