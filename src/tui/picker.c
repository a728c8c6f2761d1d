/* picker.c - which database: a list of files with a line of facts for each.
 *
 * It is the first screen where several files or a folder were named, and o brings it
 * over any other.  Files are read one at a time by a thread, so that a slow one, or one that
 * somebody locks, holds up no key. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/task.h"
#include "dtrak/text.h"

#include <stdlib.h>
#include <string.h>

static void stop_reading(struct app *a) {
    task_cancel(a->picker.task);
    task_end(a->picker.task);
    mem_free(a->picker.facts);
    a->picker.task = NULL;
    a->picker.facts = NULL;
}

void picker_free(struct app *a) {
    stop_reading(a);
    database_list_free(&a->picker.list);
    mem_free(a->picker.folder);
    a->picker.folder = NULL;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The folder of a file, to be mem_free()d. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return mem_copy_string(".");
    return slash == path ? mem_copy_string("/") : mem_copy_bytes(path, (size_t)(slash - path));
}

/* folder NULL: what the command line named. */
static enum status fill(struct app *a, const char *folder) {
    struct database_list l;
    char *copy = folder ? mem_copy_string(folder) : NULL;
    if (folder && !copy) return fail(ERR_NOMEM, "picker: out of memory");
    enum status st = folder ? database_list_find(&l, &folder, 1) : database_list_find(&l, a->o.paths, a->o.n_paths);
    if (st != OK) {
        mem_free(copy);
        return st;
    }
    picker_free(a);
    a->picker.list = l;
    a->picker.folder = copy;
    a->picker.cursor = a->picker.read = 0;
    for (size_t i = 0; a->o.db && i < l.count; i++)
        if (strcmp(file_name(l.one[i].path), file_name(a->o.db)) == 0) a->picker.cursor = i;
    return OK;
}

enum status picker_start(struct app *a) {
    int one = a->o.n_paths == 1 && database_is_folder(a->o.paths[0]);
    return fill(a, one ? a->o.paths[0] : NULL);
}

void picker_show(struct app *a) {
    if (!a->picker.list.count) {
        char *folder = a->o.n_paths > 1 ? NULL : folder_of(a->o.db);
        enum status st = fill(a, folder);
        mem_free(folder);
        if (st != OK) {
            app_say(a, STYLE_WARN, "%s", fail_reason());
            app_prompt(a, PROMPT_OPEN, "");
            return;
        }
    }
    app_over(a, &screen_picker);
}

static void wake(void *ctx) { term_wake(ctx); }

static enum status read_facts(struct store *s, void *facts, const struct progress *p) {
    (void)p;
    return database_facts_from(facts, s);
}

/* The next file's turn, when there is one. */
static enum status read_next(struct app *a) {
    struct database_list *l = &a->picker.list;
    if (a->picker.task || a->picker.read >= l->count) return OK;
    a->picker.facts = mem_array(1, sizeof *a->picker.facts);
    if (!a->picker.facts) return fail(ERR_NOMEM, "picker: out of memory");
    a->picker.facts->path = l->one[a->picker.read].path;
    return task_start(&a->picker.task, a->picker.facts->path, read_facts, a->picker.facts, a->term ? wake : NULL, a->term);
}

int picker_poll(struct app *a) {
    struct database_list *l = &a->picker.list;
    if (a->picker.read >= l->count) return 0;
    enum status st = read_next(a);
    if (st == OK && !task_wait(a->picker.task, a->term ? 0 : 3600)) return 0;
    if (st == OK) st = task_end(a->picker.task);
    struct database_facts *f = &l->one[a->picker.read++];
    if (a->picker.facts) *f = *a->picker.facts;
    if (st != OK) database_facts_refuse(f);
    a->picker.task = NULL;
    stop_reading(a);
    (void)read_next(a);      /* what it says, it says the next time */
    return 1;
}

/* --- acting --- */

void picker_typed(struct app *a, const char *path) {
    char whole[sizeof a->typed + 256];
    const char *home = getenv("HOME");
    if (!path[0]) return;
    if (path[0] == '~' && path[1] == '/' && home) snprintf(whole, sizeof whole, "%.255s%s", home, path + 1);
    else snprintf(whole, sizeof whole, "%s", path);
    if (!database_is_folder(whole)) app_want_database(a, whole);
    else if (fill(a, whole) != OK) app_say(a, STYLE_WARN, "%s", fail_reason());
    else app_over(a, &screen_picker);
}

static void take(struct app *a) {
    const struct database_list *l = &a->picker.list;
    if (a->picker.cursor < l->count) app_want_database(a, l->one[a->picker.cursor].path);
}

/* The files as they are now; a folder may have others. */
static void look_again(struct app *a) {
    char *folder = a->picker.folder ? mem_copy_string(a->picker.folder) : NULL;
    size_t at = a->picker.cursor;
    if (fill(a, folder) != OK) app_say(a, STYLE_WARN, "%s", fail_reason());
    if (at < a->picker.list.count) a->picker.cursor = at;
    mem_free(folder);
}

static void move_to(struct app *a, size_t at) {
    size_t n = a->picker.list.count;
    if (n) a->picker.cursor = at < n ? at : n - 1;
}

static int act(struct app *a, enum action k) {
    size_t at = a->picker.cursor, page = a->picker.per_page ? a->picker.per_page : 1;
    switch (k) {
    case ACT_up: if (at) move_to(a, at - 1); return 1;
    case ACT_down: move_to(a, at + 1); return 1;
    case ACT_page_up: move_to(a, at > page ? at - page : 0); return 1;
    case ACT_page_down: move_to(a, at + page); return 1;
    case ACT_first: move_to(a, 0); return 1;
    case ACT_last: move_to(a, SIZE_MAX); return 1;
    case ACT_left: case ACT_right: return 1;
    case ACT_pick_open: take(a); return 1;
    case ACT_pick_path: app_prompt(a, PROMPT_OPEN, ""); return 1;
    case ACT_pick_again: look_again(a); return 1;
    default: return 0;
    }
}

static void click(struct app *a, size_t id, int twice) {
    move_to(a, id);
    if (twice) take(a);
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_down : ACT_up); }

/* --- drawing --- */

static void size_text(char *out, size_t size, uint64_t bytes) {
    static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
    double x = (double)bytes;
    size_t u = 0;
    while (x >= 999.5 && u < 4) { x /= 1000; u++; }
    snprintf(out, size, u && x < 9.95 ? "%.1f %s" : "%.0f %s", x, unit[u]);
}

/* Columns that there is room for, with the least width of the screen that shows each. */
struct columns { size_t file, name, methods; int held_out, checkpoints, size, day; };

static struct columns columns_for(const struct app *a, size_t cols) {
    struct columns c = { 12, 0, 0, cols >= 64, cols >= 56, cols >= 48, cols >= 76 };
    size_t longest = 0, names = 0;
    for (size_t i = 0; i < a->picker.list.count; i++) {
        const struct database_facts *f = &a->picker.list.one[i];
        size_t w = text_width(file_name(f->path)), n = text_width(f->name);
        if (w > longest) longest = w;
        if (n > names) names = n;
    }
    size_t most = cols / 3;
    c.file = longest < 8 ? 8 : longest > most ? most : longest;
    size_t used = c.file + 3 + 8 + 7 + (c.held_out ? 7u : 0) + (c.checkpoints ? 6u : 0) + (c.size ? 8u : 0) + (c.day ? 12u : 0);
    size_t room = cols > used ? cols - used : 0;
    if (room >= 64 && names) { c.name = names > 24 ? 24 : names; room -= c.name + 2; }
    if (room >= 8) c.methods = room - 1;
    return c;
}

static void draw_heads(struct frame *f, size_t row, size_t col, const struct columns *c) {
    size_t at = col + 1;
    frame_text_in(f, row, at, c->file, STYLE_DIM, "file");
    at += c->file + 2;
    if (c->name) { frame_text_in(f, row, at, c->name, STYLE_DIM, "project"); at += c->name + 2; }
    at += frame_printf(f, row, at, 16, STYLE_DIM, "%7s%7s", "train", "gen");
    if (c->held_out) at += frame_printf(f, row, at, 8, STYLE_DIM, "%7s", "val");
    if (c->checkpoints) at += frame_printf(f, row, at, 8, STYLE_DIM, "%6s", "ckpts");
    if (c->size) at += frame_printf(f, row, at, 9, STYLE_DIM, "%8s", "size");
    if (c->day) at += frame_printf(f, row, at, 13, STYLE_DIM, "  %-10s", "changed");
    if (c->methods) frame_text_in(f, row, at + 2, c->methods - 1, STYLE_DIM, "scores");
}

static void draw_one(struct app *a, struct frame *f, size_t row, struct area in, const struct columns *c, size_t i) {
    const struct database_facts *d = &a->picker.list.one[i];
    int selected = i == a->picker.cursor;
    enum style style = selected ? STYLE_SELECTED : d->why_not[0] ? STYLE_DIM : STYLE_NORMAL;
    char size[24];
    size_t at = in.col + 1;
    if (selected) frame_fill(f, row, in.col, 1, in.cols, style, ' ');
    if (selected) frame_text(f, row, in.col, style, ">");
    frame_text_in(f, row, at, c->file, style, file_name(d->path));
    at += c->file + 2;
    if (!d->known || d->why_not[0]) {
        frame_text_in(f, row, at, in.col + in.cols > at ? in.col + in.cols - at : 0, selected ? style : d->known ? STYLE_WARN : STYLE_DIM,
                      d->known ? d->why_not : "reading…");
        app_spot(a, row, in.col, 1, in.cols, i);
        return;
    }
    if (c->name) { frame_text_in(f, row, at, c->name, style, d->name); at += c->name + 2; }
    at += frame_printf(f, row, at, 16, style, "%7zu%7zu", d->items[SPLIT_TRAIN], d->items[SPLIT_GEN]);
    if (c->held_out) at += frame_printf(f, row, at, 8, style, "%7zu", d->items[SPLIT_VAL]);
    if (c->checkpoints) at += frame_printf(f, row, at, 8, style, "%6zu", d->checkpoints);
    size_text(size, sizeof size, d->bytes);
    if (c->size) at += frame_printf(f, row, at, 9, style, "%8s", size);
    if (c->day) at += frame_printf(f, row, at, 13, style, "  %s", d->changed);
    if (c->methods) frame_text_in(f, row, at + 2, c->methods - 1, style, d->methods[0] ? d->methods : "none");
    app_spot(a, row, in.col, 1, in.cols, i);
}

/* All of the selected one, for what the line above had no room for. */
static void draw_selected(struct app *a, struct frame *f, struct area in) {
    const struct database_facts *d = &a->picker.list.one[a->picker.cursor];
    char text[512];
    size_t row = in.row + 1, cols = in.cols - 3, end = in.row + in.rows - 1;
    frame_box(f, in.row, in.col, in.rows, in.cols, STYLE_BORDER, "selected");
    frame_text_in(f, row++, in.col + 2, cols, STYLE_BOLD, d->path);
    if (d->why_not[0]) {
        draw_paragraph(f, row, in.col + 2, in.rows - 3, cols, STYLE_WARN, d->why_not);
        return;
    }
    if (!d->known) return;
    snprintf(text, sizeof text, "%s%s%s", d->name, d->origin[0] ? ", from " : "", d->origin);
    size_t used = draw_paragraph(f, row, in.col + 2, end - row - 1, cols, STYLE_NORMAL, text);
    row += used ? used : 1;
    snprintf(text, sizeof text, "%zu score set%s%s%s", d->score_sets, d->score_sets == 1 ? "" : "s", d->methods[0] ? ": " : "", d->methods);
    draw_paragraph(f, row, in.col + 2, end - row, cols, STYLE_NORMAL, text);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    struct database_list *l = &a->picker.list;
    char title[160];
    int boxed = in.rows >= 6 && in.cols >= 20;
    size_t below = in.rows >= 14 && in.cols >= 40 ? 5 : 0;
    if (below && in.rows >= l->count + 3 + below + 4) below += 4;   /* room to say all of it */
    struct area list = { in.row, in.col, in.rows - below, in.cols };
    if (a->picker.folder) snprintf(title, sizeof title, "databases in %.120s: %zu", a->picker.folder, l->count);
    else snprintf(title, sizeof title, "databases: %zu", l->count);
    struct area inner = list;
    if (boxed) {
        frame_box(f, list.row, list.col, list.rows, list.cols, STYLE_FOCUS, title);
        inner = (struct area){ list.row + 1, list.col + 1, list.rows - 2, list.cols - 2 };
    }
    struct columns c = columns_for(a, inner.cols);
    if (boxed && inner.rows > 1) {
        draw_heads(f, inner.row++, inner.col, &c);
        inner.rows--;
    }
    size_t page = inner.rows ? inner.rows : 1, top = a->picker.cursor / page * page;
    a->picker.per_page = page;
    for (size_t i = 0; i < inner.rows && top + i < l->count; i++) draw_one(a, f, inner.row + i, inner, &c, top + i);
    if (boxed && l->count > page)
        frame_printf(f, list.row + list.rows - 1, list.col + 2, list.cols - 4, STYLE_DIM, " %zu-%zu of %zu ", top + 1,
                     top + page < l->count ? top + page : l->count, l->count);
    if (below && a->picker.cursor < l->count) draw_selected(a, f, (struct area){ in.row + in.rows - below, in.col, below, in.cols });
}

const struct screen screen_picker = { "databases", IN_PICKER, NULL, draw, act, click, wheel };
