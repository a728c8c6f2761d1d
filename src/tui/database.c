/* database.c - the explorer's state for one database: opened, closed, exchanged for that of
 * another. */
#include "app.h"

#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/task.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* --- opening --- */

enum status app_first_query(struct app *a) {
    struct item_ref ref = { a->catalog.count[SPLIT_GEN] ? SPLIT_GEN : SPLIT_VAL, 0 };
    a->gallery.split = ref.split;
    if (a->o.query) {
        TRY(item_ref_parse(&ref, a->o.query));
        if (ref.split == SPLIT_TRAIN)
            return fail(ERR_USAGE, "%s: a query is a gen or a val item", a->o.query);
        TRY(item_ref_check(ref, a->catalog.count[ref.split]));
    } else if (a->catalog.count[ref.split] == 0) {
        setting_start(a);
        gallery_refilter(a);
        return OK;
    }
    a->query.split = ref.split;
    setting_start(a);
    app_set_query(a, ref);
    return OK;
}

const struct screen *screen_named(const char *name) {
    static const struct screen *const main_screen[] = { &screen_gallery, &screen_ranking, &screen_compare, &screen_self, &screen_evaluation, &screen_jobs, &screen_overall, &screen_set };
    for (size_t i = 0; i < sizeof main_screen / sizeof main_screen[0]; i++)
        if (strcmp(name, main_screen[i]->name) == 0) return main_screen[i];
    return NULL;
}

static enum status first_screen(struct app *a) {
    const char *name = a->o.screen ? a->o.screen : a->o.query ? "ranking" : "gallery";
    const struct screen *s = screen_named(name);
    if (!s) return fail(ERR_USAGE, "there is no screen '%s': " SCREEN_NAMES, name);
    app_over(a, s);
    return OK;
}

void app_offer_interrupted(struct app *a) {
    size_t n = 0, elsewhere = 0;
    if (!a->store) return;
    jobs_reload(a);
    for (size_t i = 0; i < a->job.list.count; i++) {
        n += a->job.list.job[i].state == JOB_INTERRUPTED;
        elsewhere += a->job.list.job[i].state == JOB_RUNNING;
    }
    if (elsewhere && a->jobs)
        app_say(a, STYLE_WARN, "a job runs in another program; if that was killed, %s offers it within %d s", key_for(a, ACT_jobs), JOB_LEASE_S);
    else if (n && a->jobs)
        app_say(a, STYLE_WARN, "%zu interrupted job%s: %s shows %s, %s there resumes", n, n == 1 ? "" : "s", key_for(a, ACT_jobs),
                n == 1 ? "it" : "them", key_for(a, ACT_resume));
}

static enum status open_work(struct app *a) {
    struct jobs_options j = { a->o.db, a->o.threads, NULL };
    if (a->o.read_only) {
        snprintf(a->why_read_only, sizeof a->why_read_only, "opened with --read-only: nothing is computed");
    } else if (store_is_read_only(a->store)) {
        snprintf(a->why_read_only, sizeof a->why_read_only,
                 "the database cannot be written, so nothing is computed; a copy (dtrak backup) can");
    } else if (jobs_open(&a->jobs, &j) != OK) {
        snprintf(a->why_read_only, sizeof a->why_read_only, "no jobs: %.140s", fail_reason());
        a->jobs = NULL;
    }
    TRY(survey_open(&a->survey, a->o.db, NULL, NULL));
    TRY(survey_open(&a->mapper, a->o.db, NULL, NULL));
    return live_open(&a->live, a->o.db, NULL, NULL);
}

/* A copy that was moved over the file is another file: what is shown is the old one. */
static int file_number(const char *path, uint64_t out[2]) {
    struct stat sb;
    if (stat(path, &sb) != 0) return 0;
    out[0] = (uint64_t)sb.st_dev;
    out[1] = (uint64_t)sb.st_ino;
    return 1;
}

int app_writes(const struct app *a) { return !a->o.read_only && !a->is_replaced && !store_is_read_only(a->store); }

/* What would be written now would be lost with the file: jobs end, marks stay in memory. */
static void let_go_of_file(struct app *a, const char *what) {
    snprintf(a->why_read_only, sizeof a->why_read_only, "%s: nothing can be computed or written any more", what);
    jobs_close(a->jobs);
    a->jobs = NULL;
    app_say(a, STYLE_WARN, "%s: leave (%s) and start again; what shows is the old one", what, key_for(a, ACT_quit));
}

/* The new one is not opened from here: the log beside it is that of the old one, until the
 * old one is closed.  A file that is gone is looked for twice: one may be on its way back. */
int app_look_at_file(struct app *a) {
    uint64_t now[2];
    if (a->is_replaced || !a->file[1]) return 0;
    int there = file_number(a->o.db, now);
    if (there && memcmp(now, a->file, sizeof now) == 0) {
        a->times_gone = 0;
        return 0;
    }
    if (!there && ((errno != ENOENT && errno != ENOTDIR) || ++a->times_gone < 2)) return 0;
    a->is_replaced = 1;
    let_go_of_file(a, there ? "another file has taken this database's place" : "the database's file is gone");
    return 1;
}

/* Everything of one database, with its first screen. */
static enum status open_database(struct app *a) {
    TRY(store_open(&a->store, a->o.db, a->o.read_only ? STORE_READ : STORE_WRITE_OR_READ));
    store_wait_briefly(a->store);
    TRY(catalog_load(a));
    TRY(marks_load(a));
    TRY(open_work(a));
    TRY(app_first_query(a));
    TRY(first_screen(a));
    TRY(store_data_version(a->store, &a->data_version));
    file_number(a->o.db, a->file);
    return OK;
}

enum status app_open(struct app **out, const struct tui_options *o) {
    enum status st = OK;
    *out = NULL;
    struct app *a = mem_array(1, sizeof *a);
    if (!a) return fail(ERR_NOMEM, "explorer: out of memory");
    a->o = *o;
    a->o.db = NULL;
    a->cell_aspect = o->cell_w && o->cell_h ? (double)o->cell_h / (double)o->cell_w : 2;
    keymap_start(&a->keys);
    a->row.lambda_rel = a->row.lambda_abs = NAN;
    TRY_TO(frame_new(&a->frame, o->rows ? o->rows : 24, o->cols ? o->cols : 80));
    if (o->db) {
        a->o.db = mem_copy_string(o->db);
        TRY_TO(a->o.db ? OK : fail(ERR_NOMEM, "explorer: out of memory"));
        TRY_TO(open_database(a));
    } else {
        TRY_TO(picker_start(a));
        app_over(a, &screen_picker);
    }
    *out = a;
    a = NULL;
done:
    app_close(a);
    return st;
}

void app_close(struct app *a) {
    if (!a) return;
    app_disconnect(a);
    export_close(a);
    jobs_close(a->jobs);
    live_close(a->live);
    survey_close(a->survey);
    survey_close(a->mapper);
    maps_free(a);
    row_free(&a->row);
    compare_close(a);
    self_forget(a);
    marks_free(a);
    set_free(a);
    reverse_free(a);
    overall_free(a);
    pairs_free(a);
    picker_free(a);
    job_list_free(&a->job.list);
    mem_free(a->gallery.index);
    mem_free(a->ranking.pass);
    search_forget(a);
    catalog_free(&a->catalog);
    frame_free(a->frame);
    store_close(a->store);
    char *path = (char *)(uintptr_t)a->o.db;   /* ours: a copy */
    mem_free(path);
    mem_free(a->wanted);
    mem_free(a);
}

/* --- the terminal's side --- */

static void wake(void *ctx) { term_wake(ctx); }

enum status app_connect(struct app *a, struct term *t) {
    if (a->o.db) TRY(pictures_open(&a->pictures, a->o.db, 0, wake, t));
    a->term = t;
    jobs_on_change(a->jobs, wake, t);
    live_on_change(a->live, wake, t);
    survey_on_change(a->survey, wake, t);
    survey_on_change(a->mapper, wake, t);
    return OK;
}

void app_disconnect(struct app *a) {
    if (!a->term) return;
    jobs_on_change(a->jobs, NULL, NULL);
    live_on_change(a->live, NULL, NULL);
    survey_on_change(a->survey, NULL, NULL);
    survey_on_change(a->mapper, NULL, NULL);
    task_on_change(a->exporting.task, NULL, NULL);
    task_on_change(a->picker.task, NULL, NULL);
    pictures_close(a->pictures);
    a->pictures = NULL;
    a->term = NULL;
}

/* --- going over to another --- */

/* The other one is opened whole before this one is let go, so that a file that is none
 * changes nothing.  Nobody else keeps a pointer into the state but to its beginning, so
 * the two change places. */
static enum status go_over(struct app *a) {
    struct app *b = NULL, *between = mem_array(1, sizeof *between);
    struct tui_options o = a->o;
    struct term *t = a->term;
    if (!between) return fail(ERR_NOMEM, "explorer: out of memory");
    if (a->store) o.query = o.screen = NULL;
    o.db = a->wanted;
    o.rows = frame_rows(a->frame);
    o.cols = frame_cols(a->frame);
    enum status st = app_open(&b, &o);
    if (st == OK && t) st = app_connect(b, t);
    if (st == OK) {
        b->cell_aspect = a->cell_aspect;
        b->generation = a->generation + 1;
        b->keys = a->keys;
        b->states = a->states;
        b->export_form = a->export_form;
        if (b->states) {
            states_note(b->states, a);
            states_apply(b->states, b);
        }
        app_offer_interrupted(b);
        *between = *a;
        *a = *b;
        *b = *between;
        if (t) term_redraw(t);
    }
    mem_free(between);
    app_close(b);
    return st;
}

void app_go_over(struct app *a) {
    if (a->store && app_top(a) == &screen_picker) app_back(a);
    if (a->o.db && strcmp(a->o.db, a->wanted) == 0) return;
    if (go_over(a) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
}
