/* tui.c - the loop: on a terminal, or over a script. */
#include "app.h"
#include "config.h"

#include "dtrak/file.h"

#include <errno.h>
#include <string.h>

#define BURST_S 0.05         /* a held key shows where it is that often at least */

/* --- without a terminal --- */

static enum status dump(const struct app *a, const char *path) {
    if (strcmp(path, "-") == 0) {
        frame_dump(a->frame, stdout);
        return fflush(stdout) == 0 ? OK : fail(ERR_IO, "standard output: %s", strerror(errno));
    }
    struct buf b = BUF_INIT;
    char part[4096];
    FILE *f = tmpfile();
    if (!f) return fail(ERR_IO, "a temporary file for %s: %s", path, strerror(errno));
    frame_dump(a->frame, f);
    int is_whole = fflush(f) == 0 && !ferror(f);       /* before rewind() forgets it */
    rewind(f);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buf_add(&b, part, n);
    enum status st = !is_whole || ferror(f) ? fail(ERR_IO, "a temporary file for %s: %s", path, strerror(errno)) : buf_status(&b);
    fclose(f);
    if (st == OK) st = (a->o.dump_is_new ? file_write_new : file_write)(path, b.data, b.len);
    buf_free(&b);
    return st;
}

static enum status run_script(struct app *a) {
    TRY(script_run(a, a->o.keys ? a->o.keys : ""));
    app_draw(a);
    return a->o.dump ? dump(a, a->o.dump) : OK;
}

/* --- on a terminal --- */

static int get_picture(void *ctx, uint64_t key, struct picture *out) {
    struct app *a = ctx;
    if (draw_picture_ref(key).split > SPLIT_COUNT) return maps_picture(a, key, &out->rgba, &out->width, &out->height);
    if (!a->pictures) return -1;
    return pictures_get(a->pictures, draw_picture_ref(key), &out->rgba, &out->width, &out->height);
}

static enum status fit(struct app *a) {
    size_t w = 0, h = 0;
    term_cell_size(a->term, &w, &h);
    if (w && h) a->cell_aspect = (double)h / (double)w;
    size_t rows = term_rows(a->term), cols = term_cols(a->term);
    if (rows == frame_rows(a->frame) && cols == frame_cols(a->frame)) return OK;
    return app_resize(a, rows ? rows : 1, cols ? cols : 1);
}

/* Acts on one event; 1 when the screen may look different now. */
static int handle(struct app *a, const struct term_event *ev) {
    switch (ev->kind) {
    case TERM_KEY: app_key(a, &ev->input); return 1;
    case TERM_MOUSE: app_mouse(a, &ev->input); return 1;
    case TERM_QUIT: case TERM_HANGUP: a->done = 1; return 0;
    case TERM_NOTHING: return a->shows_line;
    default: return 1;
    }
}

/* Keys that came while one was acted on are acted on too before anything is sent: nobody will
 * have seen what was between.  Each sees the screen that the one before it made. */
static int handle_burst(struct app *a) {
    struct term_event ev;
    double end = clock_s() + BURST_S;
    int stale = 0;
    do {
        if (stale) app_draw(a);
        term_next_event(a->term, &ev, stale ? 0 : 500);
        stale |= handle(a, &ev);
    } while (!a->done && ev.kind == TERM_KEY && clock_s() < end && term_is_busy(a->term));
    return stale;
}

static enum status loop(struct app *a) {
    struct term_images images = { get_picture, a };
    int stale = 1;
    enum status st = OK;
    while (!a->done) {
        if (app_poll(a) || stale) {
            TRY(fit(a));
            app_draw(a);
            if (a->pictures) pictures_begin(a->pictures);
            st = term_paint(a->term, a->frame, &images);
            if (st == ERR_IO) return OK;         /* the terminal is gone: an ordinary way to leave */
            if (st != OK) return st;
        }
        stale = handle_burst(a);
    }
    return OK;
}

static enum status run_terminal(struct app *a, enum graphics graphics, enum background background) {
    struct term_options t;
    memset(&t, 0, sizeof t);
    t.graphics = graphics;
    t.background = background;
    t.no_mouse = !a->o.mouse;
    t.passthrough = a->o.passthrough;
    t.cell_w = a->o.cell_w;
    t.cell_h = a->o.cell_h;
    t.colours = a->o.colours;
    struct term *term = NULL;
    TRY(term_open(&term, &t));
    enum status st = app_connect(a, term);
    if (st == OK) st = loop(a);
    app_disconnect(a);
    term_close(term);
    return st;
}

/* --- the user's files --- */

/* Options that were not given are as the config file says. */
static void fill_in(struct tui_options *o, const struct config *c) {
    if (!o->graphics && c->graphics[0]) o->graphics = c->graphics;
    if (!o->screen && c->screen[0]) o->screen = c->screen;
    if (!o->background && c->background[0]) o->background = c->background;
    if (!o->colours) o->colours = c->colours;
    if (!o->cell_w) { o->cell_w = c->cell_w; o->cell_h = c->cell_h; }
    if (!o->threads) o->threads = c->threads;
    if (!o->top) o->top = c->top;
    if (c->mouse == 0) o->mouse = 0;
    if (c->read_only) o->read_only = 1;
}

/* A script reads only the config file that it was told to: it does the same for everybody. */
static enum status read_config(struct config *c, const struct tui_options *o, int is_script) {
    char path[4096];
    config_start(c);
    if (o->config) return config_read(c, o->config);
    if (is_script || !config_place(path, sizeof path, "XDG_CONFIG_HOME", ".config", "config")) return OK;
    enum status st = config_read(c, path);
    return st == ERR_MISSING ? OK : st;
}

enum status tui_run(const struct tui_options *given) {
    struct app *a = NULL;
    struct tui_options o = *given;
    struct config config;
    struct states states;
    enum graphics graphics = GRAPHICS_AUTO;
    enum background background = BACKGROUND_UNKNOWN;
    int is_script = o.keys || o.dump;
    char file[4096] = "";

    TRY(read_config(&config, &o, is_script));
    fill_in(&o, &config);
    if (o.graphics) TRY(graphics_parse(&graphics, o.graphics));
    if (o.background) TRY(background_parse(&background, o.background));
    if (!is_script && !config_place(file, sizeof file, "XDG_STATE_HOME", ".local/state", "explorer.json")) file[0] = 0;
    TRY(app_open(&a, &o));
    states_load(&states, file);
    if (o.fresh) states_free(&states);
    a->keys = config.keys;
    a->states = &states;
    states_apply(&states, a);
    app_offer_interrupted(a);
    enum status st = is_script ? run_script(a) : run_terminal(a, graphics, background);
    /* Where it cannot be written, nothing is remembered: no reason to fail. */
    if (st == OK) {
        states_note(&states, a);
        (void)states_save(&states);
    }
    states_free(&states);
    app_close(a);
    return st;
}
