/* import_bergson.c - an index folder of the package bergson: gradients.bin as features,
 * or scores.bin as scores (a record for each training item). */
#include "import_parts.h"

#include "dtrak/bergson.h"
#include "dtrak/buf.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct bergson {
    struct store *s;
    const struct import_options *o;
    const struct progress *p;
    struct import_result *r;
    struct buf path, info;              /* of the data, of info.json */
    struct json_doc *doc;
    size_t n, items;                    /* training items, items of the split */
};

/* --- gradients --- */

/* All modules of a row, or one. */
struct columns { const struct array *a; size_t first, dim; };

static enum status read_row(void *ctx, size_t row, float *out) {
    const struct columns *x = ctx;
    return array_read(out, x->a, (uint64_t)row * x->a->shape[1] + x->first, x->dim);
}

static enum status choose_columns(struct columns *x, const struct bergson_index *index, const struct import_options *o) {
    x->first = 0;
    x->dim = index->dims;
    if (o->tensor) {
        const struct bergson_module *m = bergson_module_find(index, o->tensor);
        if (!m)
            return fail(ERR_MISSING, "%s: no module '%s' among %zu, the first is '%s'", o->path, o->tensor, index->modules, index->module[0].name);
        x->first = m->first;
        x->dim = m->dim;
    }
    if (o->used > x->dim) return fail(ERR_USAGE, "%s: --used %zu of %zu columns", o->path, o->used, x->dim);
    if (o->used) x->dim = o->used;
    return x->dim <= 1 << 24 ? OK : fail(ERR_RANGE, "%s: rows of %zu numbers; a module is chosen with --tensor", o->path, x->dim);
}

static enum status take_index(struct bergson *b, const struct bergson_index *index) {
    const struct import_options *o = b->o;
    struct array a = { .fd = -1 };
    struct columns x = { .a = &a };
    struct feature_file file;
    struct checkpoint_list c = { 0 };
    size_t *order = NULL;
    uint64_t digest;
    char params[512];
    int added;
    enum status st;
    TRY_TO(array_open_raw(&a, b->path.data, index->dims, index->type));
    if (a.shape[0] != index->rows) {
        st = fail(ERR_FORMAT, "%s: %zu rows of %zu numbers, and info.json says %zu: the file was cut, or belongs to another info.json", a.path,
                  a.shape[0], index->dims, index->rows);
        goto done;
    }
    if (a.shape[0] != b->items) {
        st = fail(ERR_FORMAT, "%s: %zu rows, and here are %zu %s items: one row for each is expected", a.path, a.shape[0], b->items,
                  split_name(o->split));
        goto done;
    }
    TRY_TO(choose_columns(&x, index, o));
    struct feature_identity f;
    TRY_TO(import_identity(&f, o, "bergson"));
    f.split = o->split;
    f.k = x.dim;
    f.float32 = index->type != ARRAY_F16;
    struct feature_reader in = { a.shape[0], x.dim, read_row, &x, a.path, NULL, o->allow_zero, NULL, 0 };
    if (o->in_place) {
        TRY_TO(import_in_place(&file, &a));
        file.start += (uint64_t)x.first * array_type_size(a.type);
        in.file = &file;
        in.files = 1;
    }
    TRY_TO(import_order(&order, o->query_index, b->items, b->items, split_name(o->split)));
    in.order = order;
    TRY_TO(import_digest(&a, &digest));
    TRY_TO(import_checkpoint(b->s, o->checkpoint, b->r, &c));
    memcpy(f.checkpoint_sha256, c.checkpoint[0].sha256, sizeof f.checkpoint_sha256);
    import_params(params, "bergson", o->tensor ? o->tensor : o->name ? o->name : o->path, digest);
    TRY_TO(import_features(b->s, &f, &in, params, b->p, &added));
    if (!added) { st = fail(ERR_RANGE, "%s: these features are here already", a.path); goto done; }
    b->r->feature_sets++;
    b->r->mapped += o->in_place;
    b->r->rows = b->items;
    b->r->k = x.dim;
    if (index->modules > 1 && !o->tensor) snprintf(b->r->note, sizeof b->r->note, "%zu modules one after the other", index->modules);
done:
    mem_free(order);
    array_close(&a);
    checkpoint_list_free(&c);
    return st;
}

/* --- scores --- */

struct records { const struct bergson_scores *x; const struct array *a; };

/* Some queries of all training items: every record is read for them. */
static enum status read_queries(void *ctx, size_t first, size_t count, float *out) {
    const struct records *r = ctx;
    const struct bergson_scores *x = r->x;
    size_t n = r->a->shape[0];
    unsigned char *record = mem_array(x->record, 1);
    enum status st = record ? OK : fail(ERR_NOMEM, "%s: out of memory", r->a->path);
    for (size_t j = 0; j < n && st == OK; j++) {
        st = array_read_bytes(record, r->a, (uint64_t)j * x->record, x->record);
        for (size_t q = first; q < first + count && st == OK; q++) {
            const struct bergson_column *c = &x->column[q];
            if (c->written < x->record && !record[c->written])
                st = fail(ERR_FORMAT, "%s: the score of training item %zu for query %zu was never written: the run did not end", r->a->path, j, q);
            else array_decode(out + (q - first) * n + j, record + c->score, 1, x->type);
        }
    }
    mem_free(record);
    return st;
}

static enum status take_scores(struct bergson *b, const struct bergson_scores *x) {
    const struct import_options *o = b->o;
    struct array a = { .fd = -1 };
    struct checkpoint_list c = { 0 };
    struct score_set set;
    size_t *query = NULL, *train = NULL;
    enum method m = method_parse(o->method, NULL);
    struct score_target t = { o->method, o->loss, o->lambda, NULL, 0, o->split, o->timesteps, o->dims, "bergson", o->name ? o->name : o->path, 0 };
    enum status st;
    TRY_TO(array_open_raw(&a, b->path.data, x->record, ARRAY_U8));
    if (x->rows && a.shape[0] != x->rows) {
        st = fail(ERR_FORMAT, "%s: %zu records, and info.json says %zu: the file was cut, or belongs to another info.json", a.path, a.shape[0], x->rows);
        goto done;
    }
    TRY_TO(import_check_axes(a.path, a.shape[0], x->queries, AXES_TRAIN_QUERY, b->items, b->n, o->split, o->query_index != NULL, "bergson"));
    TRY_TO(import_order(&query, o->query_index, x->queries, b->items, split_name(o->split)));
    TRY_TO(import_order(&train, o->train_index, b->n, b->n, "training item"));
    TRY_TO(import_digest(&a, &t.digest));
    if (m != METHOD_COUNT && method_has_checkpoint(m)) {
        TRY_TO(import_checkpoint(b->s, o->checkpoint, b->r, &c));
        t.checkpoint = c.checkpoint;
        t.checkpoints = 1;
    }
    TRY_TO(import_score_set(b->s, &t, b->n, b->items, &set));
    struct records records = { x, &a };
    struct score_matrix matrix = { &a, AXES_TRAIN_QUERY, x->queries, b->n, query, train, o->allow_zero, read_queries, &records };
    TRY_TO(import_scores(b->s, &set, &matrix, b->p));
    b->r->score_sets++;
    b->r->queries = x->queries;
    b->r->n = b->n;
done:
    mem_free(query);
    mem_free(train);
    array_close(&a);
    checkpoint_list_free(&c);
    return st;
}

/* --- the folder --- */

int import_bergson_has_scores(const char *folder) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/scores.bin", folder);
    return n > 0 && n < (int)sizeof path && access(path, F_OK) == 0;
}

static enum status take(struct bergson *b) {
    struct bergson_index index = { 0 };
    struct bergson_scores scores = { 0 };
    int has_scores = import_bergson_has_scores(b->o->path);
    TRY(store_items_count(b->s, SPLIT_TRAIN, &b->n));
    TRY(store_items_count(b->s, b->o->split, &b->items));
    if (!b->n || !b->items)
        return fail(ERR_MISSING, "%s: there are no %s items here that %s could belong to", store_path(b->s), b->n ? split_name(b->o->split) : "train",
                    b->o->path);
    buf_printf(&b->info, "%s/info.json", b->o->path);
    TRY(buf_status(&b->info));
    if (has_scores) {
        buf_printf(&b->path, "%s/scores.bin", b->o->path);
        TRY(buf_status(&b->path));
        TRY(json_read(&b->doc, b->info.data));
        enum status st = bergson_scores_parse(&scores, json_root(b->doc), b->info.data);
        if (st == OK && (b->o->features || b->o->in_place || b->o->split == SPLIT_TRAIN))
            st = fail(ERR_USAGE, "%s: scores, of val or gen queries; --features and --in-place are for gradients", b->o->path);
        if (st == OK) st = take_scores(b, &scores);
        bergson_scores_free(&scores);
        return st;
    }
    buf_printf(&b->path, "%s/gradients.bin", b->o->path);
    TRY(buf_status(&b->path));
    if (access(b->path.data, F_OK) != 0) return fail(ERR_MISSING, "%s: neither gradients.bin nor scores.bin is there", b->o->path);
    TRY(json_read(&b->doc, b->info.data));
    enum status st = bergson_index_parse(&index, json_root(b->doc), b->info.data);
    if (st == OK) st = take_index(b, &index);
    bergson_index_free(&index);
    return st;
}

enum status import_bergson(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    struct bergson b = { .s = s, .o = o, .p = p, .r = r, .path = BUF_INIT, .info = BUF_INIT };
    enum status st = take(&b);
    json_free(b.doc);
    buf_free(&b.path);
    buf_free(&b.info);
    return st;
}
