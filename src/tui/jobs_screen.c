/* jobs_screen.c - queue, progress, history and messages of the background work. */
#include "app.h"

#include "dtrak/text.h"

#include <math.h>
#include <string.h>

void jobs_reload(struct app *a) {
    int64_t id = a->job.cursor < a->job.list.count ? a->job.list.job[a->job.cursor].id : 0;
    struct job_list list = { NULL, 0 };
    if (store_jobs_list(a->store, &list) != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        return;
    }
    job_list_free(&a->job.list);
    a->job.list = list;
    /* The cursor stays on its job when new ones appear above it. */
    size_t at = 0;
    while (at < list.count && list.job[at].id != id) at++;
    if (at == list.count) at = a->job.cursor < list.count ? a->job.cursor : list.count ? list.count - 1 : 0;
    a->job.cursor = at;
}

static void describe(const struct job *j, char *out, size_t size) {
    char about[96] = "";
    for (const struct job_kind *k = job_kinds; k->name; k++)
        if (strcmp(k->name, j->kind) == 0) k->describe(j->params, about, sizeof about);
    snprintf(out, size, "%s%s%s", j->kind, about[0] ? " " : "", about);
}

/* An export is no job of the database: it has a line above them while it runs. */
static int runs_export(const struct app *a) {
    double part;
    return export_running(a, &part) != NULL;
}

static int at_export(const struct app *a) { return runs_export(a) && (a->job.on_export || a->job.list.count == 0); }

static const struct job *selected(const struct app *a) {
    if (at_export(a)) return NULL;
    return a->job.cursor < a->job.list.count ? &a->job.list.job[a->job.cursor] : NULL;
}

static void resume(struct app *a) {
    const struct job *j = selected(a);
    if (at_export(a)) app_say(a, STYLE_NORMAL, "a file is being written; %s stops that", key_for(a, ACT_cancel));
    if (!j) return;
    if (!a->jobs) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else if (j->state == JOB_DONE) app_say(a, STYLE_NORMAL, "job %lld is done", (long long)j->id);
    else if (j->state == JOB_RUNNING) app_say(a, STYLE_NORMAL, "job %lld runs; %s stops it", (long long)j->id, key_for(a, ACT_cancel));
    else if (j->state == JOB_QUEUED || jobs_is_resuming(a->jobs, j->id)) app_say(a, STYLE_NORMAL, "job %lld waits for its turn", (long long)j->id);
    else if (jobs_resume(a->jobs, j->id) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_GOOD, "job %lld goes on after what is queued", (long long)j->id);
}

static void cancel(struct app *a) {
    const struct job *j = selected(a);
    int has_ended = j && j->state != JOB_QUEUED && j->state != JOB_RUNNING && j->state != JOB_INTERRUPTED && !jobs_is_resuming(a->jobs, j->id);
    if (at_export(a) || (has_ended && runs_export(a))) { export_cancel(a); return; }
    if (!j) return;
    if (!a->jobs) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else if (has_ended)
        app_say(a, STYLE_NORMAL, "job %lld is %s already", (long long)j->id, job_state_name(j->state));
    else if (jobs_cancel(a->jobs, j->id) != OK) app_say(a, STYLE_ERROR, "%s", fail_reason());
    else app_say(a, STYLE_NORMAL, "stopping job %lld; finished parts stay", (long long)j->id);
}

static int act(struct app *a, enum action k) {
    size_t n = a->job.list.count, at = a->job.cursor, page = a->job.per_page ? a->job.per_page : 1;
    int was_on_export = at_export(a);
    if (k == ACT_up || k == ACT_first || k == ACT_page_up) a->job.on_export = runs_export(a) && (k == ACT_first || at == 0);
    else if (k == ACT_down || k == ACT_last || k == ACT_page_down) a->job.on_export = 0;
    switch (k) {
    case ACT_up: if (at) a->job.cursor--; return 1;
    case ACT_down: if (at + 1 < n && !was_on_export) a->job.cursor++; return 1;
    case ACT_page_up: a->job.cursor = at > page ? at - page : 0; return 1;
    case ACT_page_down: a->job.cursor = at + page < n ? at + page : n ? n - 1 : 0; return 1;
    case ACT_first: a->job.cursor = 0; return 1;
    case ACT_last: a->job.cursor = n ? n - 1 : 0; return 1;
    case ACT_left: case ACT_right: return 1;
    case ACT_resume: resume(a); return 1;
    case ACT_cancel: cancel(a); return 1;
    default: return 0;
    }
}

enum { EXPORT_SPOT = 1 << 20 };

static void click(struct app *a, size_t id, int twice) {
    if (id < a->job.list.count) a->job.cursor = id;
    a->job.on_export = id == EXPORT_SPOT;
    if (twice) resume(a);
}

static void open(struct app *a) {
    jobs_reload(a);
    a->job.on_export = 1;
}

static void wheel(struct app *a, int down) { act(a, down ? ACT_down : ACT_up); }

/* --- drawing --- */

/* Columns, so that every line has the same: id, state, meter and part, text. */
struct columns { size_t id, state, meter, part, text, text_cols; };

static struct columns columns_of(struct area in) {
    struct columns c;
    c.id = 1;
    c.state = 6;
    c.meter = c.state + 12;
    size_t meter = in.cols >= 100 ? 20 : in.cols >= 60 ? 10 : 0;
    c.part = c.meter + meter + (meter ? 1 : 0);
    c.text = c.part + 6;
    c.text_cols = in.cols > c.text + 1 ? in.cols - c.text - 1 : 0;
    return c;
}

static enum style style_of(enum job_state s) {
    switch (s) {
    case JOB_RUNNING: return STYLE_ACCENT;
    case JOB_DONE: return STYLE_GOOD;
    case JOB_FAILED: return STYLE_ERROR;
    case JOB_CANCELLED: case JOB_INTERRUPTED: return STYLE_WARN;
    default: return STYLE_NORMAL;
    }
}

/* The running job of this process is fresher in memory than in its row. */
static double part_of(const struct job *j, const struct jobs_now *now) {
    double done = j->done, total = j->total;
    if (j->id == now->id) { done = now->done; total = now->total; }
    if (j->state == JOB_DONE) return 1;
    return total > 0 ? done / total : NAN;
}

/* A job's line once its text is there: the selected one stands out. */
static void draw_chosen(struct frame *f, size_t row, struct area in, const struct columns *c) {
    /* all but the meter, which lives by its colour */
    frame_restyle(f, row, in.col, 1, c->meter, STYLE_SELECTED);
    frame_restyle(f, row, in.col + c->part, 1, in.cols - c->part, STYLE_SELECTED);
}

static void draw_export(struct app *a, struct frame *f, size_t row, struct area in) {
    struct columns c = columns_of(in);
    double part = 0;
    const char *path = export_running(a, &part), *slash = strrchr(path, '/');
    frame_text(f, row, in.col, STYLE_NORMAL, at_export(a) ? ">   -" : "    -");
    frame_text_in(f, row, in.col + c.state, 11, STYLE_ACCENT, "running");
    if (c.part > c.meter) frame_meter(f, row, in.col + c.meter, c.part - c.meter - 1, STYLE_METER, part);
    frame_printf(f, row, in.col + c.part, 5, STYLE_NORMAL, "%3.0f%%", 100 * part);
    frame_printf(f, row, in.col + c.text, c.text_cols, STYLE_NORMAL, "export %.160s", slash ? slash + 1 : path);
    if (at_export(a)) draw_chosen(f, row, in, &c);
    app_spot(a, row, in.col, 1, in.cols, EXPORT_SPOT);
}

static void draw_job(struct app *a, struct frame *f, size_t row, struct area in, size_t at, const struct jobs_now *now) {
    const struct job *j = &a->job.list.job[at];
    struct columns c = columns_of(in);
    int chosen = at == a->job.cursor && !at_export(a);
    char about[160];
    double part = part_of(j, now);

    describe(j, about, sizeof about);
    frame_printf(f, row, in.col, 6, STYLE_NORMAL, "%s%4lld", chosen ? ">" : " ", (long long)j->id);
    frame_text_in(f, row, in.col + c.state, 11, style_of(j->state), job_state_name(j->state));
    if (c.part > c.meter && isfinite(part)) frame_meter(f, row, in.col + c.meter, c.part - c.meter - 1, STYLE_METER, part);
    if (isfinite(part)) frame_printf(f, row, in.col + c.part, 5, STYLE_NORMAL, "%3.0f%%", 100 * part);
    frame_text_in(f, row, in.col + c.text, c.text_cols, STYLE_NORMAL, about);
    if (chosen) draw_chosen(f, row, in, &c);
    app_spot(a, row, in.col, 1, in.cols, at);
}

static size_t line(struct frame *f, size_t row, struct area in, enum style style, const char *name, const char *text) {
    if (row >= in.row + in.rows || !text[0]) return row;
    frame_text_in(f, row, in.col + 1, 10, STYLE_DIM, name);
    size_t used = draw_paragraph(f, row, in.col + 11, in.row + in.rows - row, in.cols > 12 ? in.cols - 12 : 1, style, text);
    return row + (used ? used : 1);
}

/* Parameters to be read by a person: no quotes, and blanks where a line may break. */
static void plain(const char *json, char *out, size_t size) {
    size_t n = 0;
    for (const char *s = json; *s && n + 3 < size; s++) {
        if (*s == '"') continue;
        if ((*s == '{' && s == json) || (*s == '}' && !s[1])) continue;
        out[n++] = *s;
        if ((*s == ',' && s[1] == '"') || (*s == ':' && s > json && s[-1] == '"')) out[n++] = ' ';
    }
    out[n] = 0;
}

static void draw_more(struct app *a, struct frame *f, struct area in, const struct jobs_now *now) {
    const struct job *j = selected(a);
    char text[400], rate[48] = "", left[24] = "";
    size_t row = in.row;
    if (at_export(a)) {
        double part;
        snprintf(text, sizeof text, "%.300s", export_running(a, &part));
        row = line(f, row, in, STYLE_NORMAL, "writes", text);
        snprintf(text, sizeof text, "%s stops it, and nothing is left of the file", key_for(a, ACT_cancel));
        line(f, row, in, STYLE_DIM, "", text);
    }
    if (!j) return;
    if (j->id == now->id) {
        char took[16], eta[16];
        clock_format(took, now->elapsed_s);
        if (now->per_s > 0) snprintf(rate, sizeof rate, ", %.3g/s", now->per_s);
        if (now->eta_s >= 0) {
            clock_format(eta, now->eta_s);
            snprintf(left, sizeof left, ", %s left", eta);
        }
        snprintf(text, sizeof text, "%s %.0f of %.0f%s, %s so far%s", now->what, now->done, now->total, rate, took, left);
        row = line(f, row, in, STYLE_NORMAL, "now", text);
        row = line(f, row, in, STYLE_NORMAL, "note", now->note);
    } else {
        row = line(f, row, in, STYLE_NORMAL, "message", j->message[0] ? j->message : j->what);
    }
    plain(j->params, text, sizeof text);
    row = line(f, row, in, STYLE_NORMAL, "does", text);
    snprintf(text, sizeof text, "queued %s%s%s%s%s", j->created, j->started[0] ? ", begun " : "", j->started,
             j->ended[0] ? ", ended " : "", j->ended);
    row = line(f, row, in, STYLE_DIM, "times", text);
    line(f, row, in, STYLE_DIM, "by", j->owner);
}

static void draw(struct app *a, struct frame *f, struct area in) {
    struct jobs_now now = jobs_snapshot(a->jobs);
    size_t n = a->job.list.count, more = n == 0 && !runs_export(a) ? 0 : in.rows >= 16 ? 9 : in.rows >= 8 ? 4 : 0;
    struct area list = { in.row, in.col, in.rows - more, in.cols }, inner = list;

    if (list.rows >= 3 && in.cols >= 20) {
        char title[64];
        snprintf(title, sizeof title, "jobs: %zu", n);
        frame_box(f, list.row, list.col, list.rows, list.cols, STYLE_FOCUS, title);
        inner = (struct area){ list.row + 1, list.col + 1, list.rows - 2, list.cols - 2 };
    }
    if (runs_export(a) && inner.rows) {
        draw_export(a, f, inner.row, inner);
        inner.row++;
        inner.rows--;
    }
    if (n == 0 && !runs_export(a)) {
        char none[96];
        snprintf(none, sizeof none, "No jobs yet: %s on the ranking screen computes what is not there.", key_for(a, ACT_recompute));
        draw_paragraph(f, inner.row + inner.rows / 3, inner.col + 2, inner.rows, inner.cols > 4 ? inner.cols - 4 : 1, STYLE_DIM,
                       a->jobs ? none : a->why_read_only);
        return;
    }
    a->job.per_page = inner.rows ? inner.rows : 1;
    if (a->job.cursor < a->job.top) a->job.top = a->job.cursor;
    if (a->job.cursor >= a->job.top + a->job.per_page) a->job.top = a->job.cursor - a->job.per_page + 1;
    for (size_t i = 0; i < inner.rows && a->job.top + i < n; i++)
        draw_job(a, f, inner.row + i, inner, a->job.top + i, &now);
    if (more >= 6) {
        frame_box(f, in.row + list.rows, in.col, more, in.cols, STYLE_BORDER, "selected");
        draw_more(a, f, (struct area){ in.row + list.rows + 1, in.col + 1, more - 2, in.cols - 2 }, &now);
    } else if (more) {
        draw_more(a, f, (struct area){ in.row + list.rows, in.col, more, in.cols }, &now);
    }
}

const struct screen screen_jobs = { "jobs", IN_JOBS, open, draw, act, click, wheel };
