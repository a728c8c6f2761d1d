/* state.c - what was shown last of each database.  See state.h. */
#include "state.h"

#include "app.h"

#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEPT = 200, STATE_BYTES_MAX = 4 << 20 };

struct shown {
    char *path;                  /* absolute */
    int is_new;                  /* noted in this session */
    char screen[16], query[32], lambda[LAMBDA_TEXT];
    char method[32], loss[16];
    size_t step;                 /* of the checkpoint; 0: none */
    size_t timesteps, k;
    size_t pane, cursor[2], sort;
};

void states_free(struct states *s) {
    for (size_t i = 0; i < s->count; i++) mem_free(s->one[i].path);
    mem_free(s->one);
    s->one = NULL;
    s->count = 0;
}

static struct shown *find(const struct states *s, const char *path) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->one[i].path, path) == 0) return &s->one[i];
    return NULL;
}

/* A place for path, in front of the others; NULL: out of memory. */
static struct shown *put(struct states *s, const char *path) {
    struct shown *old = find(s, path), kept;
    if (old) {
        kept = *old;
        memmove(s->one + 1, s->one, (size_t)(old - s->one) * sizeof *s->one);
    } else {
        memset(&kept, 0, sizeof kept);
        kept.path = mem_copy_string(path);
        struct shown *more = kept.path ? mem_resize(s->one, s->count, s->count + 1, sizeof *more) : NULL;
        if (!more) {
            mem_free(kept.path);
            return NULL;
        }
        s->one = more;
        memmove(s->one + 1, s->one, s->count++ * sizeof *s->one);
    }
    s->one[0] = kept;
    return &s->one[0];
}

/* --- the file --- */

static void copy(char *out, size_t size, const struct json *v) { snprintf(out, size, "%s", json_string(v, "")); }

static size_t count_of(const struct json *v) {
    int64_t n = json_int(v, 0);
    return n > 0 ? (size_t)n : 0;
}

static void read_one(struct states *s, const struct json *v) {
    const char *path = json_string(json_get(v, "path"), "");
    struct shown *p = path[0] == '/' && !find(s, path) ? put(s, path) : NULL;
    if (!p) return;
    copy(p->screen, sizeof p->screen, json_get(v, "screen"));
    copy(p->query, sizeof p->query, json_get(v, "query"));
    copy(p->method, sizeof p->method, json_get(v, "method"));
    copy(p->loss, sizeof p->loss, json_get(v, "loss"));
    copy(p->lambda, sizeof p->lambda, json_get(v, "lambda"));
    p->step = count_of(json_get(v, "step"));
    p->timesteps = count_of(json_get(v, "timesteps"));
    p->k = count_of(json_get(v, "k"));
    p->pane = count_of(json_get(v, "pane")) > 0;
    for (size_t i = 0; i < 2; i++) p->cursor[i] = count_of(json_at(json_get(v, "cursor"), i));
    p->sort = count_of(json_get(v, "sort"));
}

void states_load(struct states *s, const char *path) {
    struct json_doc *doc = NULL;
    unsigned char *bytes = NULL;
    size_t len;
    memset(s, 0, sizeof *s);
    snprintf(s->file, sizeof s->file, "%s", path);
    if (!path[0] || file_read(&bytes, &len, path, STATE_BYTES_MAX) != OK) return;
    if (json_parse(&doc, bytes, len, path) == OK) {
        const struct json *list = json_get(json_root(doc), "databases");
        for (size_t i = json_len(list); i-- > 0;) read_one(s, json_at(list, i));
        json_free(doc);
    }
    mem_free(bytes);
}

static void write_one(struct buf *b, const struct shown *p) {
    buf_text(b, "{\"path\":");
    json_add_string(b, p->path);
    buf_text(b, ",\"screen\":");
    json_add_string(b, p->screen);
    buf_text(b, ",\"query\":");
    json_add_string(b, p->query);
    buf_text(b, ",\"method\":");
    json_add_string(b, p->method);
    buf_text(b, ",\"loss\":");
    json_add_string(b, p->loss);
    buf_text(b, ",\"lambda\":");
    json_add_string(b, p->lambda);
    buf_printf(b, ",\"step\":%zu,\"timesteps\":%zu,\"k\":%zu,\"pane\":%zu,\"cursor\":[%zu,%zu],\"sort\":%zu}", p->step, p->timesteps, p->k,
               p->pane, p->cursor[0], p->cursor[1], p->sort);
}

/* The folders above path that are not there, for this user alone. */
static enum status make_folders(const char *path) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *c = strchr(folder + 1, '/'); c; c = strchr(c + 1, '/')) {
        *c = 0;
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) return fail(ERR_IO, "%s: %s", folder, strerror(errno));
        *c = '/';
    }
    return OK;
}

enum status states_save(const struct states *s) {
    struct states now;
    struct buf b = BUF_INIT;
    enum status st;
    if (!s->file[0]) return OK;
    states_load(&now, s->file);
    for (size_t i = s->count; i-- > 0;) {
        struct shown *p = s->one[i].is_new ? put(&now, s->one[i].path) : NULL;
        if (!p) continue;
        char *path = p->path;
        *p = s->one[i];
        p->path = path;
    }
    buf_text(&b, "{\"databases\":[");
    for (size_t i = 0; i < now.count && i < KEPT; i++) {
        buf_text(&b, i ? ",\n" : "\n");
        write_one(&b, &now.one[i]);
    }
    buf_text(&b, "\n]}\n");
    TRY_TO(buf_status(&b));
    TRY_TO(make_folders(s->file));
    st = file_write(s->file, b.data, b.len);
done:
    buf_free(&b);
    states_free(&now);
    return st;
}

/* --- the explorer --- */

static int path_of(const struct app *a, char out[PATH_MAX]) { return a->o.db && realpath(a->o.db, out) != NULL; }

/* The topmost screen that can be begun with. */
static const char *screen_of(const struct app *a) {
    for (size_t i = a->depth; i-- > 0;)
        if (screen_named(a->stack[i]->name)) return a->stack[i]->name;
    return "";
}

void states_note(struct states *s, const struct app *a) {
    char path[PATH_MAX];
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    struct shown *p = a->store && path_of(a, path) ? put(s, path) : NULL;
    if (!p) return;
    p->is_new = 1;
    snprintf(p->screen, sizeof p->screen, "%s", screen_of(a));
    p->query[0] = 0;
    if (a->has_query) item_ref_format(p->query, a->query);
    snprintf(p->method, sizeof p->method, "%s", method_name(t->method));
    snprintf(p->loss, sizeof p->loss, "%s", loss_name(t->loss));
    snprintf(p->lambda, sizeof p->lambda, "%s", t->lambda);
    p->step = c ? c->step : 0;
    p->timesteps = t->timesteps;
    p->k = t->k;
    p->pane = a->ranking.pane != 0;
    for (int i = 0; i < 2; i++) p->cursor[i] = a->ranking.cursor[i];
    p->sort = (size_t)a->gallery.sort;
}

static void apply_setting(struct app *a, const struct shown *p) {
    enum method m = method_parse(p->method, NULL);
    enum loss l = loss_parse(p->loss);
    struct lambda lambda;
    for (size_t i = 0; i < a->catalog.n_methods; i++)
        if (a->catalog.method[i] == m) a->setting.method = m;
    if (l != LOSS_COUNT) a->setting.loss = l;
    for (size_t i = 0; i < a->catalog.checkpoints.count; i++)
        if (a->catalog.checkpoints.checkpoint[i].step == p->step) a->setting.checkpoint = a->catalog.checkpoints.checkpoint[i].id;
    a->setting.timesteps = p->timesteps;
    a->setting.k = p->k;
    a->setting.lambda[0] = 0;
    if (p->lambda[0] && lambda_parse(&lambda, p->lambda) == OK) snprintf(a->setting.lambda, sizeof a->setting.lambda, "%s", p->lambda);
}

void states_apply(const struct states *s, struct app *a) {
    char path[PATH_MAX];
    struct item_ref ref = a->query;
    const struct shown *p = a->store && path_of(a, path) ? find(s, path) : NULL;
    if (!p) return;
    apply_setting(a, p);
    a->gallery.sort = p->sort < GALLERY_SORTS ? (int)p->sort : 0;
    if (!a->o.query && (item_ref_parse(&ref, p->query) != OK || ref.split == SPLIT_TRAIN || ref.index >= a->catalog.count[ref.split]))
        ref = a->query;
    if (a->has_query) app_set_query(a, ref);
    gallery_refilter(a);
    if (!a->o.query) {
        a->ranking.pane = (int)p->pane;
        for (int i = 0; i < 2; i++) a->ranking.cursor[i] = p->cursor[i];
        ranking_clamp(a);
        if (a->row.n == 0) a->ranking.cursor[0] = a->ranking.cursor[1] = 0;
    }
    const struct screen *first = a->o.query || a->o.screen ? NULL : screen_named(p->screen);
    if (first && first != app_top(a)) app_show(a, first);
}
