/* export_screen.c - the e key: what a screen lists, as a file.
 *
 * The ending of the name says what is written.  A file that exists is never replaced.
 * What is listed is taken along at once, and written by a thread while the screen goes on. */
#include "app.h"

#include "export_work.h"

#include "dtrak/listing.h"
#include "dtrak/mem.h"
#include "dtrak/ranking.h"
#include "dtrak/task.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

static const char *const ending[FORMS] = { ".csv", ".json", ".npy", ".png", ".html" };

/* --- which forms, and a name to begin with --- */

static int has_form(const struct app *a, enum form f) {
    const struct screen *s = app_top(a);
    if (f == FORM_HTML) return s == &screen_ranking || s == &screen_gallery;
    if (f == FORM_NPY) return s != &screen_compare && s != &screen_gallery;
    return 1;
}

size_t export_forms(const struct app *a, char *out, size_t size) {
    size_t at = 0;
    for (int f = 0; f < FORMS; f++)
        if (has_form(a, (enum form)f) && at < size) at += (size_t)snprintf(out + at, size - at, "%s%s", at ? " " : "", ending[f]);
    return at;
}

static enum form form_of(const char *path) {
    size_t len = strlen(path);
    for (int f = 0; f < FORMS; f++) {
        size_t n = strlen(ending[f]);
        if (len > n && strcmp(path + len - n, ending[f]) == 0) return (enum form)f;
    }
    return FORMS;
}

static void subject(const struct app *a, char *out, size_t size) {
    const struct screen *s = app_top(a);
    const char *lambda = a->overall.set.lambda_spec;   /* of what is listed, which the screen's need not be */
    char id[32] = "", name[METHOD_DISPLAY];
    item_ref_format(id, s == &screen_reverse ? a->reverse.ref : a->query);
    method_display(name, a->setting.method, a->setting.loss);
    if (s == &screen_ranking) snprintf(out, size, "%s-%s", id, name);
    else if (s == &screen_compare) snprintf(out, size, "%s-compare", id);
    else if (s == &screen_reverse) snprintf(out, size, "%s-%s-queries", id, name);
    else if (s == &screen_gallery) snprintf(out, size, "%s", split_name(a->gallery.split));
    else if (s == &screen_self) snprintf(out, size, "self-%s", loss_name(a->self.loss));
    else if (s == &screen_overall) snprintf(out, size, "%s-%s%s%s", s->name, name, lambda[0] && strcmp(lambda, "auto") != 0 ? "-lambda-" : "",
                                             strcmp(lambda, "auto") != 0 ? lambda : "");
    else snprintf(out, size, "%s", s->name);
}

/* "demo-gen17-d-trak": nothing but small letters, digits and - . _ */
static void plain(char *text) {
    char *to = text;
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._", *c)) *to++ = (char)tolower((unsigned char)*c);
        else if ((*c == '(' || *c == ' ' || *c == '/') && to > text && to[-1] != '-') *to++ = '-';
    }
    while (to > text && to[-1] == '-') to--;
    *to = 0;
}

static void suggest(const struct app *a, const char *end, char *out, size_t size) {
    char stem[160], what[96], db[64];
    struct stat sb;
    const char *slash = strrchr(a->o.db, '/'), *dot;
    snprintf(db, sizeof db, "%.63s", slash ? slash + 1 : a->o.db);
    dot = strrchr(db, '.');
    if (dot && dot > db) db[dot - db] = 0;
    subject(a, what, sizeof what);
    plain(what);
    snprintf(stem, sizeof stem, "%s-%s", db, what);
    snprintf(out, size, "%s%s", stem, end);
    for (int n = 2; n < 1000 && lstat(out, &sb) == 0; n++) snprintf(out, size, "%s-%d%s", stem, n, end);
}

/* Is there anything to write?  Else it is said why not. */
static int has_list(struct app *a) {
    const struct screen *s = app_top(a);
    int lists = s == &screen_gallery || s == &screen_self || s == &screen_overall || s == &screen_reverse || s == &screen_set ||
                s == &screen_compare || s == &screen_ranking;
    int has = !lists ? 0 : s == &screen_gallery ? a->gallery.count > 0 : s == &screen_self ? a->self.list.n > 0 :
              s == &screen_overall ? a->overall.tiles.n > 0 : s == &screen_reverse ? a->reverse.tiles.n > 0 :
              s == &screen_set ? a->set.tiles.n > 0 : s == &screen_compare ? a->compare.measured.n > 0 : a->row.n > 0;
    if (!has) app_say(a, STYLE_WARN, s == &screen_compare ? "both sides have to be there to be written" : "there is nothing here to write");
    return has;
}

void export_begin(struct app *a) {
    char name[256];
    if (a->exporting.task) {
        app_say(a, STYLE_WARN, "%.160s is still being written; %s stops it", a->exporting.work->path, key_for(a, ACT_cancel));
        return;
    }
    if (!has_list(a)) return;
    suggest(a, ending[a->export_form], name, sizeof name);
    if (!has_form(a, form_of(name))) suggest(a, ending[FORM_CSV], name, sizeof name);
    app_prompt(a, PROMPT_EXPORT, name);
    a->is_suggested = 1;
}

/* Tab: the same name with the next ending that this screen has. */
void export_next_form(struct app *a) {
    enum form f = form_of(a->typed);
    size_t len = strlen(a->typed) - (f == FORMS ? 0 : strlen(ending[f]));
    int next = f == FORMS ? 0 : ((int)f + 1) % (int)FORMS;
    while (!has_form(a, (enum form)next)) next = (next + 1) % (int)FORMS;
    if (a->is_suggested) suggest(a, ending[next], a->typed, sizeof a->typed);
    else snprintf(a->typed + len, sizeof a->typed - len, "%s", ending[next]);
}

/* --- a ranking as it stands on the screen: any lambda, any filter --- */

static struct report_entry entry_of(const struct row *r, size_t place, size_t rank) {
    uint32_t item = r->order[place];
    return (struct report_entry){ .rank = rank, .item = { SPLIT_TRAIN, item }, .score = r->score[item] };
}

/* Of the row, as far as its filter lets through: `top` from above and `bottom` from below. */
static enum status take_row(struct app *a, const struct row *r, const struct setting *t, size_t top, size_t bottom,
                            struct report_ranking *out) {
    size_t n = r->list ? r->n_list : r->n;
    const struct facts *q = facts_of(a, a->query);
    memset(out, 0, sizeof *out);
    if (top > n) top = n;
    if (bottom > n - top) bottom = n - top;
    out->query = a->query;
    out->seed = q->seed;
    out->has_seed = a->query.split == SPLIT_GEN && q->sampler[0];
    facts_label(q, out->query_label, sizeof out->query_label);
    out->set = r->set;
    if (r->state == ROW_LIVE) {    /* no stored set: what was measured of the one it was stepped from is not its own */
        out->set.id = -1;
        out->set.condition = NAN;
        snprintf(out->set.lambda_spec, sizeof out->set.lambda_spec, "%s", t->lambda);
    }
    out->set.lambda_rel = r->lambda_rel;
    out->set.lambda_abs = r->lambda_abs;
    const struct checkpoint *c = method_has_checkpoint(t->method) ? catalog_checkpoint(&a->catalog, t->checkpoint) : NULL;
    if (c) report_ranking_checkpoint(out, c);
    out->top = mem_array(top + 1, sizeof *out->top);
    out->bottom = mem_array(bottom + 1, sizeof *out->bottom);
    if (!out->top || !out->bottom) {
        report_ranking_free(out);
        return fail(ERR_NOMEM, "export: out of memory");
    }
    out->n_top = top;
    out->n_bottom = bottom;
    for (size_t i = 0; i < top; i++) {
        size_t place = r->list ? r->list[i] : i;
        out->top[i] = entry_of(r, place, place + 1);
    }
    for (size_t i = 0; i < bottom; i++) {
        size_t place = r->list ? r->list[n - 1 - i] : n - 1 - i;
        out->bottom[i] = entry_of(r, place, r->n - place);
    }
    if (r->trust.n) report_ranking_trust(out, &r->trust);
    return OK;
}

static enum status take_shares(struct app *a, const struct row *r, struct report_ranking *out) {
    out->has_shares = 1;
    TRY(row_label_shares(a, r, 0, &out->first));
    return row_label_shares(a, r, 1, &out->last);
}

static size_t places(const struct app *a) { return a->o.top ? a->o.top : 10; }

static enum status take_scores(struct app *a, struct export_work *w) {
    w->what = EXPORT_SCORES;
    w->n = a->row.n;
    w->score = mem_array(w->n + 1, sizeof *w->score);
    if (!w->score) return fail(ERR_NOMEM, "export: out of memory");
    memcpy(w->score, a->row.score, w->n * sizeof *w->score);
    return OK;
}

static enum status take_ranking(struct app *a, struct export_work *w) {
    int whole = w->form == FORM_CSV || w->form == FORM_JSON;
    if (w->form == FORM_NPY) return take_scores(a, w);
    w->what = EXPORT_RANKING;
    TRY(take_row(a, &a->row, &a->setting, whole ? SIZE_MAX : places(a), whole ? 0 : places(a), &w->pair.side[0]));
    return w->form == FORM_JSON ? take_shares(a, &a->row, &w->pair.side[0]) : OK;
}

static enum status copy_comparison(struct comparison *out, const struct comparison *c) {
    *out = *c;
    for (int k = 0; k < 2; k++) out->order[k] = out->rank[k] = NULL;
    for (int k = 0; k < 2; k++) {
        out->order[k] = mem_array(c->n, sizeof *c->order[k]);
        out->rank[k] = mem_array(c->n, sizeof *c->rank[k]);
        if (!out->order[k] || !out->rank[k]) return fail(ERR_NOMEM, "export: out of memory");
        memcpy(out->order[k], c->order[k], c->n * sizeof *c->order[k]);
        memcpy(out->rank[k], c->rank[k], c->n * sizeof *c->rank[k]);
    }
    return OK;
}

/* Without the ranking's filter, which this screen does not show: an item's rank is its place in the list. */
static enum status take_side(struct app *a, int side, size_t n, struct report_ranking *out) {
    int has_keys = side == a->compare.active;
    struct row whole = has_keys ? a->row : a->compare.row;
    whole.list = NULL;
    return take_row(a, &whole, has_keys ? &a->setting : &a->compare.setting, n, 0, out);
}

static enum status take_comparison(struct app *a, struct export_work *w) {
    size_t n = w->form == FORM_PNG ? places(a) : a->compare.measured.n;
    w->what = EXPORT_COMPARISON;
    for (int side = 0; side < 2; side++) TRY(take_side(a, side, n, &w->pair.side[side]));
    return copy_comparison(&w->pair.measured, &a->compare.measured);
}

/* --- lists of items --- */

static enum status list_gallery(struct app *a, struct listing *l) {
    TRY(listing_new(l, a->gallery.count));
    l->column[0] = "lds";
    for (size_t i = 0; i < l->count; i++) {
        l->row[i].ref = (struct item_ref){ a->gallery.split, a->gallery.index[i] };
        l->row[i].value[0] = query_lds(a, l->row[i].ref);
        if (isfinite(l->row[i].value[0])) l->columns = 1;
    }
    return OK;
}

static enum status list_self(struct app *a, struct listing *l) {
    const struct report_self *r = &a->self.list;
    TRY(listing_new(l, r->n));
    l->column[0] = "self_influence";
    l->columns = 1;
    for (size_t i = 0; i < r->n; i++) l->row[i] = (struct listing_row){ { SPLIT_TRAIN, r->item[i].item }, { r->item[i].score } };
    return OK;
}

static enum status list_overall(struct app *a, struct listing *l) {
    TRY(listing_new(l, a->overall.tiles.n));
    l->column[0] = "mean_score";
    l->column[1] = "mean_absolute_score";
    l->column[2] = "self_influence";
    l->columns = 3;
    for (size_t i = 0; i < l->count; i++) {
        size_t item = a->overall.order[i];
        l->row[i] = (struct listing_row){ { SPLIT_TRAIN, item }, { a->overall.answer.total[item], a->overall.answer.absolute[item],
                                                                   a->overall.has_self ? a->overall.self[item] : NAN } };
    }
    return OK;
}

static enum status list_set(struct app *a, struct listing *l) {
    const struct row *r = &a->row;
    uint32_t *rank = mem_array(r->n + 1, sizeof *rank);
    enum status st = rank ? listing_new(l, a->set.tiles.n) : fail(ERR_NOMEM, "export: out of memory");
    if (st == OK && r->n) st = ranking_ranks(r->score, r->n, rank);
    l->column[0] = "score";
    l->column[1] = "rank";
    l->columns = 2;
    for (size_t i = 0; st == OK && i < l->count; i++) {
        size_t item = a->set.item[i];
        int has = item < r->n;
        l->row[i] = (struct listing_row){ { SPLIT_TRAIN, item }, { has ? (double)r->score[item] : NAN, has ? (double)rank[item] : NAN } };
    }
    mem_free(rank);
    return st;
}

static enum status list_here(struct app *a, struct listing *l) {
    const struct screen *s = app_top(a);
    memset(l, 0, sizeof *l);
    if (s == &screen_gallery) return list_gallery(a, l);
    if (s == &screen_self) return list_self(a, l);
    if (s == &screen_overall) return list_overall(a, l);
    if (s == &screen_reverse) return reverse_list(a, l);
    return list_set(a, l);
}

/* The page of every item of the gallery that has scores in this setting. */
static enum status take_gallery_page(struct app *a, struct export_work *w) {
    char id[32];
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    struct report_request *q = &w->request;
    w->what = EXPORT_PAGE;
    q->top = q->bottom = places(a);
    q->method = method_name(t->method);
    if (method_has_loss(t->method)) q->loss = loss_name(t->loss);
    if (method_has_checkpoint(t->method) && c) {
        snprintf(w->step, sizeof w->step, "%zu", c->step);
        q->checkpoint = w->step;
    }
    if (method_has_lambda(t->method) && t->lambda[0]) {
        snprintf(w->lambda, sizeof w->lambda, "%s", t->lambda);
        q->lambda = w->lambda;
    }
    if (a->row.base.id) {
        q->timesteps = a->row.base.timesteps;
        q->k = a->row.base.k;
    }
    for (size_t i = 0; i < a->gallery.count; i++) {
        item_ref_format(id, (struct item_ref){ a->gallery.split, a->gallery.index[i] });
        buf_printf(&w->queries, "%s%s", i ? "," : "", id);
    }
    return buf_status(&w->queries);
}

static enum status take_marked(struct app *a, struct export_work *w) {
    w->what = EXPORT_MARKED;
    if (a->has_query) item_ref_format(w->query, a->query);
    method_display(w->method, a->setting.method, a->setting.loss);
    return list_set(a, &w->list);
}

static enum status take_self(struct app *a, struct export_work *w) {
    const struct report_self *r = &a->self.list;
    w->what = EXPORT_SELF;
    w->self = *r;
    w->self.item = mem_array(r->n + 1, sizeof *r->item);
    if (!w->self.item) return fail(ERR_NOMEM, "export: out of memory");
    memcpy(w->self.item, r->item, r->n * sizeof *r->item);
    return OK;
}

/* What the screen lists, as it is now. */
static enum status take(struct app *a, struct export_work *w) {
    const struct screen *s = app_top(a);
    enum form f = w->form;
    if (s == &screen_ranking) return take_ranking(a, w);
    if (s == &screen_compare) return take_comparison(a, w);
    if (s == &screen_gallery && f == FORM_HTML) return take_gallery_page(a, w);
    if (s == &screen_set && f == FORM_CSV) return take_marked(a, w);
    if (s == &screen_self && (f == FORM_CSV || f == FORM_JSON)) return take_self(a, w);
    w->what = EXPORT_LISTING;
    return list_here(a, &w->list);
}

/* --- writing it --- */

enum { SOON_MS = 30 };   /* an export that is done within is never seen as one that runs */

static void wake(void *ctx) { term_wake(ctx); }

/* Has it ended?  Then that is said, when nothing is being typed. */
int export_poll(struct app *a) {
    if (!a->exporting.task || a->prompt != PROMPT_NONE || !task_wait(a->exporting.task, 0)) return 0;
    struct export_work *w = a->exporting.work;
    size_t len = w->bytes.len;
    enum status st = task_end(a->exporting.task);
    a->exporting.task = NULL;
    a->exporting.work = NULL;
    if (st == OK) app_say(a, STYLE_GOOD, "written: %.160s, %zu %s", w->path, len < 10000 ? len : (len + 500) / 1000, len < 10000 ? "bytes" : "kB");
    else if (st == ERR_CANCELLED) app_say(a, STYLE_WARN, "stopped: %.160s was not written", w->path);
    else app_say(a, STYLE_ERROR, "%s", fail_reason());
    if (st == OK) a->export_form = (int)w->form;
    export_work_free(w);
    return 1;
}

/* For scripts, which act on what came of the key before. */
void export_finish(struct app *a) {
    while (a->exporting.task && a->prompt == PROMPT_NONE)
        if (task_wait(a->exporting.task, 3600)) export_poll(a);
}

int export_cancel(struct app *a) {
    if (!a->exporting.task) return 0;
    task_cancel(a->exporting.task);
    app_say(a, STYLE_NORMAL, "stopping the export of %.160s", a->exporting.work->path);
    return 1;
}

const char *export_running(const struct app *a, double *part) {
    if (!a->exporting.task) return NULL;
    *part = task_part(a->exporting.task);
    return a->exporting.work->path;
}

void export_close(struct app *a) {
    task_cancel(a->exporting.task);
    task_end(a->exporting.task);
    export_work_free(a->exporting.work);
    a->exporting.task = NULL;
    a->exporting.work = NULL;
}

static void start(struct app *a, const char *path, enum form f) {
    struct export_work *w = mem_array(1, sizeof *w);
    enum status st = w ? OK : fail(ERR_NOMEM, "export: out of memory");
    if (st == OK) {
        snprintf(w->path, sizeof w->path, "%s", path);
        w->form = f;
        st = take(a, w);
    }
    if (st == OK) st = task_start(&a->exporting.task, a->o.db, export_work_run, w, a->term ? wake : NULL, a->term);
    if (st != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        export_work_free(w);
        return;
    }
    a->exporting.work = w;
    task_wait(a->exporting.task, SOON_MS / 1e3);
    if (!export_poll(a)) app_say(a, STYLE_NORMAL, "writing %.160s; %s stops it", path, key_for(a, ACT_cancel));
}

void export_named(struct app *a, const char *path) {
    char forms[64];
    enum form f = form_of(path);
    if (!path[0]) { app_say(a, STYLE_NORMAL, "no name, so nothing was written"); return; }
    if (f == FORMS || !has_form(a, f)) {
        export_forms(a, forms, sizeof forms);
        app_say(a, STYLE_WARN, "'%.120s': the ending says what is written, one of %s", path, forms);
        return;
    }
    struct stat sb;
    if (lstat(path, &sb) == 0) {
        app_say(a, STYLE_WARN, "%.160s is there already and stays as it is: another name, please", path);
        return;
    }
    if (!has_list(a) || app_look_at_file(a)) return;
    if (a->is_replaced) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else start(a, path, f);
}
