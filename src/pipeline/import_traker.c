/* import_traker.c - a save_dir of the package traker: projected gradients of the
 * training items and of an experiment's targets become features, its scores a
 * score set over all models.
 *
 * Its files are called .mmap and are NumPy's, with a header.  Scores have the
 * training items on the first axis.  A model is a number; here it is a
 * checkpoint: --checkpoint names them in the order of the numbers, else the
 * number is taken as the step.  What traker calls features is the inverse
 * applied to the gradients, of another scale for each model, and is not read. */
#include "import_parts.h"

#include "dtrak/buf.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/traker_info.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODELS_MAX = SCORE_CHECKPOINTS_MAX, NAME = TRAKER_NAME_MAX + 1 };

struct traker {
    struct store *s;
    const struct import_options *o;
    const struct progress *p;
    struct import_result *r;
    size_t n, targets;                    /* training items, items of the split */
    struct traker_metadata meta;
    long model[MODELS_MAX];               /* finalised ones, ascending */
    struct checkpoint_list checkpoint[MODELS_MAX];
    size_t models;
    char experiment[NAME];
};

__attribute__((format(printf, 3, 4)))
static enum status path_of(struct buf *b, const struct traker *t, const char *fmt, ...) {
    va_list ap;
    char name[NAME + 64];
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    buf_clear(b);
    buf_printf(b, "%s/%s", t->o->path, name);
    return buf_status(b);
}

/* --- what the folder says of itself --- */

static enum status read_metadata(struct traker *t, struct buf *path) {
    struct json_doc *doc;
    TRY(path_of(path, t, "metadata.json"));
    TRY(json_read(&doc, path->data));
    enum status st = traker_metadata_parse(&t->meta, json_root(doc), path->data);
    json_free(doc);
    if (st == OK && t->meta.rows != t->n)
        st = fail(ERR_FORMAT, "%s: a train set of %zu, and here are %zu training items", path->data, t->meta.rows, t->n);
    return st;
}

static enum status read_model(struct traker *t, struct buf *path, const char *file) {
    struct json_doc *doc;
    struct traker_model m;
    TRY(path_of(path, t, "%s", file));
    TRY(json_read(&doc, path->data));
    enum status st = traker_model_parse(&m, json_root(doc), path->data);
    json_free(doc);
    TRY(st);
    if (!m.is_featurized) {
        t->r->skipped++;
        return OK;
    }
    if (t->models == MODELS_MAX) return fail(ERR_RANGE, "%s: more than %d models", t->o->path, MODELS_MAX);
    t->model[t->models++] = m.id;
    return OK;
}

static int ascending(const void *a, const void *b) {
    const long *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum status read_models(struct traker *t, struct buf *path) {
    DIR *dir = opendir(t->o->path);
    enum status st = OK;
    if (!dir) return fail(errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", t->o->path, strerror(errno));
    for (struct dirent *e; st == OK && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len > 8 && len < NAME && !strncmp(e->d_name, "id_", 3) && !strcmp(e->d_name + len - 5, ".json"))
            st = read_model(t, path, e->d_name);
    }
    closedir(dir);
    TRY(st);
    qsort(t->model, t->models, sizeof *t->model, ascending);
    for (size_t i = 1; i < t->models; i++)
        if (t->model[i] == t->model[i - 1]) return fail(ERR_FORMAT, "%s: model %ld is described twice", t->o->path, t->model[i]);
    if (t->models) return OK;
    return fail(ERR_FORMAT, "%s: no model whose features are complete (id_*.json with is_featurized 1); %zu are not", t->o->path,
                t->r->skipped);
}

static enum status choose_experiment(struct traker *t, struct buf *path, int *finalized) {
    struct json_doc *doc;
    size_t fit = 0;
    char names[200] = "";
    *finalized = 0;
    TRY(path_of(path, t, "experiments.json"));
    enum status st = json_read(&doc, path->data);
    if (st == ERR_MISSING && !t->o->experiment) return OK;
    TRY(st);
    const struct json *v = json_root(doc);
    for (size_t i = 0, at = 0; i < json_len(v); i++) {
        struct traker_experiment x;
        if (!traker_experiment_at(&x, v, i)) continue;
        if (at < sizeof names - 100) at += (size_t)snprintf(names + at, sizeof names - at, "%s%.60s of %zu", at ? ", " : "", x.name, x.targets);
        if ((t->o->experiment && strcmp(x.name, t->o->experiment) != 0) || x.targets != t->targets) continue;
        fit++;
        snprintf(t->experiment, sizeof t->experiment, "%s", x.name);
        *finalized = x.has_scores;
    }
    size_t all = json_len(v);
    json_free(doc);
    if (fit == 1 || (!all && !t->o->experiment)) return OK;
    if (fit > 1) return fail(ERR_USAGE, "%s: %zu experiments have %zu targets: %s; say which with --experiment", path->data, fit, t->targets, names);
    return fail(ERR_FORMAT, "%s: no experiment%s%s has %zu targets, as many as there are %s items here; there are: %s", path->data,
                t->o->experiment ? " " : "", t->o->experiment ? t->o->experiment : "", t->targets, split_name(t->o->split),
                all ? names : "none");
}

/* --checkpoint names one for each model, in the order of their numbers. */
static enum status find_checkpoints(struct traker *t) {
    const char *list = t->o->checkpoint;
    for (size_t i = 0; i < t->models; i++) {
        char word[64];
        size_t len = list ? strcspn(list, ",") : 0;
        if (list && (!len || len >= sizeof word))
            return fail(ERR_USAGE, "--checkpoint '%s' names %zu, and there are %zu models", t->o->checkpoint, i, t->models);
        if (list) snprintf(word, sizeof word, "%.*s", (int)len, list);
        else snprintf(word, sizeof word, "%ld", t->model[i]);
        if (list) list += len + (list[len] == ',');
        TRY(import_checkpoint(t->s, word, t->r, &t->checkpoint[i]));
        if (i && t->checkpoint[i].checkpoint[0].step <= t->checkpoint[i - 1].checkpoint[0].step)
            return fail(ERR_USAGE, "models %ld and %ld belong to checkpoints of ascending steps, not %zu and %zu", t->model[i - 1], t->model[i],
                        t->checkpoint[i - 1].checkpoint[0].step, t->checkpoint[i].checkpoint[0].step);
    }
    return list && *list ? fail(ERR_USAGE, "--checkpoint '%s' names more than the %zu models", t->o->checkpoint, t->models) : OK;
}

/* --- features --- */

static enum status take_gradients(struct traker *t, const char *file, size_t model, enum split split, size_t rows) {
    struct array a = { .fd = -1 };
    struct checkpoint *c = &t->checkpoint[model].checkpoint[0];
    struct feature_identity f;
    char params[512];
    uint64_t digest;
    int added;
    enum status st;
    TRY_TO(array_open_npy(&a, file));
    if (a.rank != 2 || a.shape[0] != rows || a.shape[1] != t->meta.dims) {
        char text[120];
        array_describe(text, sizeof text, &a);
        st = fail(ERR_FORMAT, "%s: the array is %s, %zu x %zu is expected", file, text, rows, t->meta.dims);
        goto done;
    }
    TRY_TO(import_identity(&f, t->o, t->meta.matrix));
    f.split = split;
    f.k = t->meta.dims;
    f.float32 = a.type != ARRAY_F16;
    memcpy(f.checkpoint_sha256, c->sha256, sizeof f.checkpoint_sha256);
    struct feature_window w = { &a, t->meta.dims };
    struct feature_file place;
    struct feature_reader in = import_array_rows(&w, file, t->o->allow_zero);
    if (t->o->in_place) {
        TRY_TO(import_in_place(&place, &a));
        in.file = &place;
        in.files = 1;
    }
    TRY_TO(import_digest(&a, &digest));
    import_params(params, "traker", file, digest);
    TRY_TO(import_features(t->s, &f, &in, params, t->p, &added));
    t->r->skipped += !added;
    t->r->feature_sets += (size_t)added;
    t->r->mapped += added && t->o->in_place;
    t->r->rows = rows;
    t->r->k = t->meta.dims;
done:
    array_close(&a);
    return st;
}

static enum status take_model(struct traker *t, struct buf *path, size_t i, size_t *without) {
    TRY(path_of(path, t, "%ld/grads.mmap", t->model[i]));
    if (access(path->data, F_OK) == 0) TRY(take_gradients(t, path->data, i, SPLIT_TRAIN, t->n));
    else (*without)++;
    if (!t->experiment[0]) return OK;
    TRY(path_of(path, t, "%ld/%s_grads.mmap", t->model[i], t->experiment));
    if (access(path->data, F_OK) != 0) return OK;
    return take_gradients(t, path->data, i, t->o->split, t->targets);
}

/* --- scores --- */

static enum status take_scores(struct traker *t, struct buf *path) {
    struct array a = { .fd = -1 };
    struct checkpoint *all = mem_array(t->models, sizeof *all);
    struct score_set set;
    enum status st = all ? OK : fail(ERR_NOMEM, "traker: out of memory");
    if (st == OK) st = path_of(path, t, "scores/%s.mmap", t->experiment);
    if (st == OK && access(path->data, F_OK) != 0)
        st = fail(ERR_MISSING, "%s: not there, whatever path of another machine experiments.json has", path->data);
    if (st == OK) st = array_open_npy(&a, path->data);
    if (st != OK) goto done;
    for (size_t i = 0; i < t->models; i++) all[i] = t->checkpoint[i].checkpoint[0];
    struct score_target target = { t->o->method, t->o->loss, t->o->lambda, all, t->models, t->o->split, t->o->timesteps, t->meta.dims, "traker",
                                   t->o->name ? t->o->name : t->experiment, 0 };
    struct score_matrix m = { &a, AXES_TRAIN_QUERY, t->targets, t->n, NULL, NULL, t->o->allow_zero, NULL, NULL };
    if (a.rank != 2) {
        st = fail(ERR_FORMAT, "%s: an array of %zu dimensions, scores have 2", path->data, a.rank);
        goto done;
    }
    TRY_TO(import_check_axes(path->data, a.shape[0], a.shape[1], m.axes, t->targets, t->n, t->o->split, 0, "traker"));
    TRY_TO(import_digest(&a, &target.digest));
    TRY_TO(import_score_set(t->s, &target, t->n, t->targets, &set));
    TRY_TO(import_scores(t->s, &set, &m, t->p));
    t->r->score_sets++;
    t->r->queries = t->targets;
    t->r->n = t->n;
done:
    array_close(&a);
    mem_free(all);
    return st;
}

static enum status take_all(struct traker *t, struct buf *path) {
    int finalized;
    size_t without = 0, skipped;
    TRY(store_items_count(t->s, SPLIT_TRAIN, &t->n));
    TRY(store_items_count(t->s, t->o->split, &t->targets));
    TRY(read_metadata(t, path));
    TRY(read_models(t, path));
    skipped = t->r->skipped;
    TRY(choose_experiment(t, path, &finalized));
    TRY(find_checkpoints(t));
    if (finalized) TRY(take_scores(t, path));
    for (size_t i = 0; i < t->models; i++) TRY(take_model(t, path, i, &without));
    if (!t->r->feature_sets && !t->r->score_sets)
        return fail(ERR_MISSING, "%s: nothing that is not here already: no gradients, no finished scores", t->o->path);
    snprintf(t->r->note, sizeof t->r->note, "%zu model%s%s%s%s%s", t->models, t->models == 1 ? "" : "s", t->experiment[0] ? ", experiment " : "",
             t->experiment, t->experiment[0] && !finalized ? " (its scores are not finished)" : "",
             skipped ? ", unfinished models were passed over" : without ? ", gradients of some models were deleted" : "");
    return OK;
}

enum status import_traker(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    struct traker *t = mem_array(1, sizeof *t);
    struct buf path = BUF_INIT;
    if (!t) return fail(ERR_NOMEM, "traker: out of memory");
    t->s = s;
    t->o = o;
    t->p = p;
    t->r = r;
    enum status st = take_all(t, &path);
    for (size_t i = 0; i < MODELS_MAX; i++) checkpoint_list_free(&t->checkpoint[i]);
    buf_free(&path);
    mem_free(t);
    return st;
}
