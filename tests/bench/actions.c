/* actions.c - every action on every place of the explorer, on a database of 50,000 training
 * images: that each leaves a whole frame, and how long the slowest takes: `make bench`.
 *
 *   actions [DIR]       DIR holds the database, or gets it; else where the program is
 *
 * The actions are called as the palette calls them, on a database that is only read.  A frame
 * is what lies between one key and the next that can be taken: the action, what was brought by
 * work in the background, and the drawing.  Coming to a place is a frame too.  Times are of the
 * processor, of the thread that does this; frames of more than 16 ms are named one by one. */
#include "../lib/app_walk.h"
#include "../lib/large_db.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 16.0

static void need(int ok) {
    if (ok) return;
    fprintf(stderr, "actions: %s\n", fail_reason());
    exit(1);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Processor time of this thread. */
static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

struct times { double *ms; size_t n; };

static void note(struct times *t, double began, const char *action, const struct walk_place *place, const size_t size[2]) {
    double ms = now_ms() - began;
    t->ms[t->n++] = ms;
    if (ms > LONG_MS) printf("%6.1f ms: %s on %s at %zux%zu\n", ms, action, place->name, size[0], size[1]);
}

/* The place, the action there, and the answer where it asks for a word. */
static void try_action(struct app *a, const struct walk_place *place, enum action k, const size_t size[2], struct times *t) {
    char name[32];
    double began = now_ms();
    walk_go_to(a, place);
    walk_draw(a);
    note(t, began, "coming", place, size);
    keys_name(name, k);
    began = now_ms();
    app_act(a, k);
    app_poll(a);
    walk_draw(a);
    note(t, began, name, place, size);
    if (a->prompt == PROMPT_NONE) return;
    began = now_ms();
    /* A word that is found nowhere, so that all is looked through; Esc in the end. */
    for (const char *c = "zzq"; *c && a->prompt != PROMPT_NONE; c++) walk_key(a, (unsigned char)*c, 0);
    walk_key(a, a->prompt == PROMPT_EXPORT ? INPUT_ESC : INPUT_ENTER, 0);
    if (a->prompt != PROMPT_NONE) walk_key(a, INPUT_ESC, 0);
    walk_draw(a);
    note(t, began, "the word", place, size);
}

int main(int argc, char **argv) {
    static const size_t sizes[][2] = { { 132, 42 }, { 20, 5 } };
    struct large_db want = LARGE_DB_FULL;
    struct tui_options o = TUI_DEFAULTS;
    struct times t = { NULL, 0 };
    char db[512], path[4096], self[4096];
    size_t actions = 0, n_sizes = sizeof sizes / sizeof sizes[0];
    snprintf(self, sizeof self, "%s", argv[0]);
    need(large_db_ensure(db, argc > 1 ? argv[1] : dirname(self), &want) == OK);
    /* The picker lists the folder where one is. */
    if (!realpath(db, path)) abort();
    snprintf(self, sizeof self, "%s", path);
    if (chdir(dirname(self)) != 0) abort();
    t.ms = calloc(n_sizes * (3 * walk_place_count * ACT_COUNT + 1), sizeof *t.ms);
    if (!t.ms) abort();
    for (size_t s = 0; s < n_sizes; s++) {
        struct app *a;
        o.db = path;
        o.read_only = 1;
        double began = now_ms();
        need(app_open(&a, &o) == OK);
        need(app_resize(a, sizes[s][1], sizes[s][0]) == OK);
        walk_draw(a);
        note(&t, began, "opening", &walk_places[0], sizes[s]);
        for (size_t p = 0; p < walk_place_count; p++)
            for (int k = ACT_NONE + 1; k < ACT_COUNT; k++, actions++) try_action(a, &walk_places[p], (enum action)k, sizes[s], &t);
        app_close(a);
    }
    qsort(t.ms, t.n, sizeof *t.ms, by_value);
    printf("%zu actions on %zu places of %zu training images: %zu frames, median %.2f ms, 99%% within %.1f ms, slowest %.1f ms\n",
           actions, walk_place_count, want.train, t.n, t.ms[t.n / 2], t.ms[t.n * 99 / 100], t.ms[t.n - 1]);
    free(t.ms);
    return 0;
}
