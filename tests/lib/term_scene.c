/* term_scene.c - the program that the terminal tests run.  See term_scene.h. */
#include "term_scene.h"
#include "dtrak/term.h"

#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>
#undef fail   /* cmocka's macro would eat err.h's function */

#define COUNT 6

void scene_pixels(unsigned char *rgba, unsigned key) {
    for (unsigned y = 0; y < 32; y++)
        for (unsigned x = 0; x < 32; x++) {
            unsigned char *p = rgba + (y * 32 + x) * 4;
            int cross = (x / 4 + y / 4 + key) % (3 + key % 5) == 0;
            p[0] = (unsigned char)(cross ? 250 : 8 * x);
            p[1] = (unsigned char)(cross ? 40 * (key % 6) : 8 * y);
            p[2] = (unsigned char)(37 * key + 60);
            p[3] = 255;
        }
}

struct state {
    struct term *t;
    const struct scene *scene;
    unsigned base;
    int with_window, with_text, is_bare;
    atomic_int is_ready;
    unsigned char rgba[32 * 32 * 4];
    char note[64];
};

static int get(void *ctx, uint64_t key, struct picture *out) {
    struct state *s = ctx;
    if (!atomic_load(&s->is_ready)) return 0;
    scene_pixels(s->rgba, (unsigned)key);
    *out = (struct picture){ s->rgba, 32, 32 };
    return 1;
}

static sigset_t just(int sig) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    return set;
}

static void *deliver(void *ctx) {
    struct state *s = ctx;
    sigset_t set = just(SIGUSR1);
    int sig;
    sigwait(&set, &sig);
    atomic_store(&s->is_ready, 1);
    term_wake(s->t);
    return NULL;
}

static void draw(const struct state *s, struct frame *f) {
    size_t rows = frame_rows(f), cols = frame_cols(f);
    frame_clear(f);
    frame_fill(f, 0, 0, 1, cols, STYLE_BAR, ' ');
    frame_printf(f, 0, 1, cols, STYLE_BAR, "scene %zux%zu %s", cols, rows,
                 graphics_name(term_graphics(s->t)));
    if (!s->is_bare) frame_box(f, 1, 0, rows - 2, cols, STYLE_BORDER, "pictures λ 日本 ▒");
    for (size_t i = 0; i < COUNT; i++) {
        size_t row = 3 + i / 3 * 8, col = 2 + i % 3 * 14;
        char label[32];
        snprintf(label, sizeof label, "train:%u", s->base + (unsigned)i);
        frame_image(f, row, col, 6, 12, s->base + i, label);
        frame_text_in(f, row - 1, col, 12, i ? STYLE_NORMAL : STYLE_SELECTED, label);
        if (s->with_text) frame_text_in(f, row + 1, 48, 20, STYLE_GOOD, "some text beside");
        if (s->with_text) frame_text_in(f, row + 2, 48, 20, STYLE_GOOD, "\u2665\uFE0F e\u0301 \u2665\u200D\u2665");
    }
    if (s->with_window) {
        frame_fill(f, 5, 10, 8, 20, STYLE_NORMAL, ' ');
        frame_box(f, 5, 10, 8, 20, STYLE_FOCUS, "window");
    }
    frame_printf(f, rows - 1, 0, cols, STYLE_BAR, " q quit %s", s->note);
}

__attribute__((noinline))
static int overflow(volatile char *before) {
    volatile char here[4096];
    here[0] = before ? before[0] : 1;
    if (here[0] == 77) return 0;   /* never: the compiler must not know */
    return overflow(here) + here[0];
}

/* 1: go on; else the exit status is in *status. */
static int act(struct state *s, const struct term_event *ev, int *status) {
    char name[32];
    if (ev->kind == TERM_QUIT) { *status = 10 + ev->signal; return 0; }
    if (ev->kind == TERM_HANGUP) { *status = 3; return 0; }
    if (ev->kind == TERM_RESUMED) snprintf(s->note, sizeof s->note, "resumed");
    if (ev->kind == TERM_MOUSE)
        snprintf(s->note, sizeof s->note, "mouse %zu,%zu", ev->input.row, ev->input.col);
    if (ev->kind != TERM_KEY) return 1;
    input_key_name(name, sizeof name, &ev->input);
    snprintf(s->note, sizeof s->note, "key %s", name);
    switch (ev->input.code) {
    case 'q': *status = 0; return 0;
    case 'n': s->base += COUNT; return 1;
    case 'm': s->with_window = !s->with_window; return 1;
    case 't': s->with_text = !s->with_text; return 1;
    case 'b': s->is_bare = !s->is_bare; return 1;
    case 'l': term_redraw(s->t); return 1;
    case 'z': term_suspend(s->t); return 1;
    case 'e': exit(7);
    case 's': raise(SIGSEGV); return 1;
    case 'a': abort();
    case 'o': *status = overflow(NULL); return 1;
    default: return 1;
    }
}

int scene_run(void *ctx) {
    static struct state s;
    /* How many pictures come does not depend on how busy the machine is. */
    struct term_options opt = { .is_near = 1,
                                .graphics = ((struct scene *)ctx)->graphics,
                                .probe_ms = ((struct scene *)ctx)->probe_ms,
                                .ahead_bytes = ((struct scene *)ctx)->ahead_bytes,
                                .passthrough = ((struct scene *)ctx)->passthrough };
    struct frame *f = NULL;
    struct term_images images = { get, &s };
    pthread_t worker;
    int status = 9, has_worker = 0;
    memset(&s, 0, sizeof s);
    sigset_t set = just(SIGUSR1);
    if (((struct scene *)ctx)->is_late) pthread_sigmask(SIG_BLOCK, &set, NULL);   /* for the thread alone */
    if (((struct scene *)ctx)->locale) setenv("LC_ALL", ((struct scene *)ctx)->locale, 1);
    setlocale(LC_ALL, "");
    s.scene = ctx;
    if (term_open(&s.t, &opt) != OK || frame_new(&f, term_rows(s.t), term_cols(s.t)) != OK) {
        fprintf(stderr, "%s\n", fail_reason());
        term_close(s.t);
        return 8;
    }
    atomic_store(&s.is_ready, !s.scene->is_late);
    if (s.scene->is_late) has_worker = pthread_create(&worker, NULL, deliver, &s) == 0;
    for (;;) {
        struct term_event ev;
        draw(&s, f);
        if (term_paint(s.t, f, &images) != OK) { status = 3; break; }
        term_next_event(s.t, &ev, -1);
        if (!act(&s, &ev, &status)) break;
        if (frame_rows(f) != term_rows(s.t) || frame_cols(f) != term_cols(s.t))
            if (frame_resize(f, term_rows(s.t), term_cols(s.t)) != OK) break;
    }
    if (has_worker) {
        pthread_kill(worker, SIGUSR1);
        pthread_join(worker, NULL);
    }
    term_close(s.t);
    frame_free(f);
    return status;
}

struct pty *scene_start(struct scene *scene, enum pty_kind kind) {
    struct pty *p = pty_call(scene_run, scene, SCENE_ROWS, SCENE_COLS, kind);
    assert_non_null(p);
    return p;
}

void scene_quit(struct pty *p) {
    pty_keys(p, "q");
    int status = pty_wait_end(p);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(pty_is_restored(p));
    struct vt_state s = vt_state(pty_screen(p));
    assert_false(s.is_alternate || s.is_cursor_hidden || s.is_mouse_on || s.is_in_sync);
    pty_free(p);
}
