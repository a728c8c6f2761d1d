/* import_array.c - one array of scores or features: NumPy's file, raw bytes, safetensors, a pickle. */
#include "import_parts.h"

#include "dtrak/mem.h"
#include "dtrak/method.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = { [IMPORT_NPY] = "npy", [IMPORT_RAW] = "raw", [IMPORT_SAFETENSORS] = "safetensors",
                                    [IMPORT_PICKLE] = "pickle" };

static enum status open_array(struct array *a, const struct import_options *o, size_t queries, size_t n) {
    size_t dims = o->dims;
    if (o->kind == IMPORT_NPY) return array_open_npy(a, o->path);
    if (o->kind == IMPORT_SAFETENSORS) return array_open_safetensors(a, o->path, o->tensor);
    if (o->kind == IMPORT_PICKLE) return array_open_pickle(a, o->path, o->tensor);
    if (!dims && o->features) return fail(ERR_USAGE, "a raw file of features needs its numbers per row: --dims K");
    if (!dims) dims = o->axes == AXES_QUERY_TRAIN ? n : queries;
    return array_open_raw(a, o->path, dims, o->raw_type);
}

static enum status check_type(const struct array *a) {
    if (a->type == ARRAY_U8 || a->type == ARRAY_I32 || a->type == ARRAY_I64)
        return fail(ERR_FORMAT, "%s: an array of %s, floats are expected", a->path, array_type_name(a->type));
    if (a->rank == 2 && a->shape[0] && a->shape[1]) return OK;
    char text[120];
    array_describe(text, sizeof text, a);
    return fail(ERR_FORMAT, "%s: the array is %s; two dimensions that are not empty are expected", a->path, text);
}

/* --- scores --- */

static enum status take_scores(struct store *s, const struct import_options *o, const struct array *a, size_t queries,
                               size_t n, const struct progress *p, struct import_result *r) {
    size_t *query = NULL, *train = NULL;
    struct checkpoint_list c = { 0 };
    struct score_set set;
    enum status st;
    enum method m = method_parse(o->method, NULL);
    struct score_matrix matrix = { a, o->axes, o->axes == AXES_QUERY_TRAIN ? a->shape[0] : a->shape[1], n, NULL, NULL, o->allow_zero, NULL, NULL };
    struct score_target t = { o->method, o->loss, o->lambda, NULL, 0, o->split, o->timesteps, o->dims && o->kind != IMPORT_RAW ? o->dims : 0,
                              names[o->kind], o->name ? o->name : o->path, 0 };
    TRY_TO(import_check_axes(o->path, a->shape[0], a->shape[1], o->axes, queries, n, o->split, o->query_index != NULL, NULL));
    TRY_TO(import_order(&query, o->query_index, matrix.queries, queries, split_name(o->split)));
    TRY_TO(import_order(&train, o->train_index, n, n, "training item"));
    TRY_TO(import_digest(a, &t.digest));
    if (m != METHOD_COUNT && method_has_checkpoint(m)) {
        TRY_TO(import_checkpoint(s, o->checkpoint, r, &c));
        t.checkpoint = c.checkpoint;
        t.checkpoints = 1;
    }
    TRY_TO(import_score_set(s, &t, n, queries, &set));
    matrix.query = query;
    matrix.train = train;
    TRY_TO(import_scores(s, &set, &matrix, p));
    r->score_sets++;
    r->queries = matrix.queries;
    r->n = n;
done:
    mem_free(query);
    mem_free(train);
    checkpoint_list_free(&c);
    return st;
}

/* --- features --- */

static enum status take_features(struct store *s, const struct import_options *o, const struct array *a, size_t items,
                                 const struct progress *p, struct import_result *r) {
    struct checkpoint_list c = { 0 };
    struct feature_window w = { a, o->used ? o->used : a->shape[1] };
    struct feature_file file;
    size_t *order = NULL;
    uint64_t digest;
    char params[512];
    int added;
    enum status st;
    if (w.used > a->shape[1]) return fail(ERR_USAGE, "%s: --used %zu of %zu columns", o->path, w.used, a->shape[1]);
    if (a->shape[0] != items)
        return fail(ERR_FORMAT, "%s: %zu rows of %zu numbers, and here are %zu %s items: one row for each is expected%s", o->path,
                    a->shape[0], a->shape[1], items, split_name(o->split),
                    a->shape[1] == items ? "; this is the array the other way round, a row for each feature" : "");
    struct feature_identity f;
    TRY(import_identity(&f, o, "imported"));
    f.split = o->split;
    f.k = w.used;
    f.float32 = a->type != ARRAY_F16;
    struct feature_reader in = import_array_rows(&w, o->path, o->allow_zero);
    if (o->in_place) {
        TRY(import_in_place(&file, a));
        in.file = &file;
        in.files = 1;
    }
    TRY_TO(import_order(&order, o->query_index, items, items, split_name(o->split)));
    in.order = order;
    TRY_TO(import_digest(a, &digest));
    TRY_TO(import_checkpoint(s, o->checkpoint, r, &c));
    memcpy(f.checkpoint_sha256, c.checkpoint[0].sha256, sizeof f.checkpoint_sha256);
    import_params(params, names[o->kind], o->name ? o->name : o->path, digest);
    TRY_TO(import_features(s, &f, &in, params, p, &added));
    if (!added) {
        st = fail(ERR_RANGE, "%s: these features are here already", o->path);
        goto done;
    }
    r->feature_sets++;
    r->mapped += o->in_place;
    r->rows = items;
    r->k = w.used;
done:
    mem_free(order);
    checkpoint_list_free(&c);
    return st;
}

enum status import_array(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    struct array a = { .fd = -1 };
    size_t queries, n;
    TRY(store_items_count(s, o->split, &queries));
    TRY(store_items_count(s, SPLIT_TRAIN, &n));
    if (!n || !queries)
        return fail(ERR_MISSING, "%s: there are no %s items here that %s could belong to", store_path(s), n ? split_name(o->split) : "train", o->path);
    enum status st = open_array(&a, o, queries, n);
    if (st == OK) st = check_type(&a);
    if (st == OK) st = o->features ? take_features(s, o, &a, queries, p, r) : take_scores(s, o, &a, queries, n, p, r);
    array_close(&a);
    return st;
}
