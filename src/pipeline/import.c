/* import.c - the verb `import`: one transaction around an importer, and what
 * importers share: checkpoints without weights, lists of indices, sets. */
#include "import_parts.h"

#include "feature_use.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/json.h"
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[IMPORT_KINDS] = {
    [IMPORT_NPY] = "npy", [IMPORT_RAW] = "raw", [IMPORT_SAFETENSORS] = "safetensors", [IMPORT_PICKLE] = "pickle", [IMPORT_CSV] = "csv",
    [IMPORT_TRAKER] = "traker", [IMPORT_DTRAK] = "d-trak", [IMPORT_BERGSON] = "bergson",
};

enum import_kind import_kind_parse(const char *name) {
    int k = 0;
    while (k < IMPORT_KINDS && strcmp(name, kinds[k]) != 0) k++;
    return (enum import_kind)k;
}

unsigned import_content(const struct import_options *o) {
    switch (o->kind) {
    case IMPORT_CSV: return IMPORT_SCORES;
    case IMPORT_TRAKER: case IMPORT_DTRAK: return IMPORT_FEATURES | IMPORT_SCORES;
    case IMPORT_BERGSON: return import_bergson_has_scores(o->path) ? IMPORT_SCORES : IMPORT_FEATURES;
    default: return o->features ? IMPORT_FEATURES : IMPORT_SCORES;
    }
}

/* --- checkpoints --- */

static enum status make_checkpoint(struct store *s, size_t step, struct import_result *r) {
    char config[64], text[96];
    int64_t id;
    snprintf(config, sizeof config, "{\"imported\": true}");
    int len = snprintf(text, sizeof text, "no weights: what was computed with the network of step %zu was imported\n", step);
    struct checkpoint c = { .step = step, .percent = 100, .train_loss = NAN, .config = config };
    TRY(store_checkpoint_add(s, &c, text, (size_t)len, &id));
    r->checkpoints_made++;
    return OK;
}

enum status import_checkpoint(struct store *s, const char *name, struct import_result *r, struct checkpoint_list *out) {
    char word[32] = "0";
    if (!name) {
        TRY(store_checkpoints_list(s, out));
        size_t have = out->count;
        checkpoint_list_free(out);
        if (!have) name = word;
    }
    enum status st = store_checkpoints_resolve(s, name, out);
    if (st == ERR_MISSING && name && name[0] && strspn(name, "0123456789") == strlen(name) && strlen(name) < 13) {
        TRY(make_checkpoint(s, (size_t)strtoull(name, NULL, 10), r));
        st = store_checkpoints_resolve(s, name, out);
    }
    TRY(st);
    if (out->count == 1) {
        r->checkpoint_step = (int64_t)out->checkpoint[0].step;
        return OK;
    }
    size_t got = out->count;
    checkpoint_list_free(out);
    return fail(ERR_USAGE, "--checkpoint '%s' names %zu checkpoints; what is imported belongs to one", name, got);
}

enum status import_identity(struct feature_identity *f, const struct import_options *o, const char *projection) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:+-";
    enum loss loss = o->loss ? loss_parse(o->loss) : LOSS_COUNT;
    const char *rule = o->rule ? o->rule : "uniform";
    if (o->projection) projection = o->projection;
    *f = (struct feature_identity){ .timesteps = o->timesteps, .noise_seed = o->noise_seed, .draws = 1, .parts = 1,
                                    .projection_seed = o->projection_seed };
    if (loss == LOSS_COUNT)
        return fail(ERR_USAGE, "features are gradients of a loss: add --loss simple, elbo, square, avg, l1, l2 or linf%s%s",
                    o->loss ? ", not " : "", o->loss ? o->loss : "");
    if (strcmp(rule, "uniform") != 0 && strcmp(rule, "cumulative") != 0)
        return fail(ERR_USAGE, "--rule '%.40s' is neither uniform nor cumulative", rule);
    if (!*projection || strlen(projection) >= sizeof f->projection || projection[strspn(projection, letters)])
        return fail(ERR_USAGE, "'%.40s' cannot name a projection: expected 1 to %zu letters, digits and . _ : + -; --projection gives another",
                    projection, sizeof f->projection - 1);
    snprintf(f->loss, sizeof f->loss, "%s", loss_name(loss));
    snprintf(f->rule, sizeof f->rule, "%s", rule);
    snprintf(f->projection, sizeof f->projection, "%s", projection);
    return OK;
}

/* --- lists --- */

enum status import_order(size_t **order, const char *path, size_t count, size_t limit, const char *what) {
    size_t got = 0;
    *order = NULL;
    if (!path) return OK;
    TRY(array_read_indices(order, &got, path));
    enum status st = OK;
    unsigned char *seen = mem_array(limit + 1, 1);
    if (!seen) st = fail(ERR_NOMEM, "%s: out of memory", path);
    if (st == OK && got != count)
        st = fail(ERR_FORMAT, "%s: %zu indices for %zu rows of %ss: one for each is expected", path, got, count, what);
    for (size_t i = 0; i < got && st == OK; i++) {
        size_t x = (*order)[i];
        if (x >= limit)
            st = fail(ERR_RANGE, "%s: entry %zu is %s %zu, of %zu that are here", path, i, what, x, limit);
        else if (seen[x]++)
            st = fail(ERR_FORMAT, "%s: %s %zu is there twice, the second time at entry %zu", path, what, x, i);
    }
    mem_free(seen);
    if (st == OK) return OK;
    mem_free(*order);
    *order = NULL;
    return st;
}

/* --- what is written beside a set --- */

void import_params(char out[512], const char *from, const char *name, uint64_t digest) {
    struct buf b = BUF_INIT;
    char cut[161];
    const char *slash = strrchr(name, '/');
    snprintf(cut, sizeof cut, "%s", slash && slash[1] ? slash + 1 : name);
    buf_printf(&b, "{\"imported\":\"%s\",\"name\":", from);
    json_add_string(&b, cut);
    buf_printf(&b, ",\"xxh3\":\"%016llx\"}", (unsigned long long)digest);
    /* A name of control bytes grows when it is escaped. */
    if (b.failed || b.len >= 512)
        snprintf(out, 512, "{\"imported\":\"%s\",\"xxh3\":\"%016llx\"}", from, (unsigned long long)digest);
    else snprintf(out, 512, "%s", b.data);
    buf_free(&b);
}

enum status import_digest(const struct array *a, uint64_t *digest) {
    enum { PAGE = 1024, PAGES = 4096 };
    const size_t whole = (size_t)16 << 20;
    size_t parts = a->count <= whole ? (a->count + PAGE - 1) / PAGE : PAGES;
    float page[PAGE];
    uint64_t h = a->count;
    for (size_t i = 0; i < parts; i++) {
        size_t first = a->count <= whole ? i * PAGE : (size_t)((double)(a->count - PAGE) / (PAGES - 1) * (double)i);
        size_t n = a->count - first < PAGE ? a->count - first : PAGE;
        TRY(array_read(page, a, first, n));
        uint64_t both[2] = { h, hash_xxh3(page, n * sizeof *page) };
        h = hash_xxh3(both, sizeof both);
    }
    *digest = h;
    return OK;
}

/* --- score sets --- */

enum status import_score_set(struct store *s, const struct score_target *t, size_t n, size_t rows, struct score_set *out) {
    enum loss own = LOSS_COUNT, loss = t->loss ? loss_parse(t->loss) : LOSS_COUNT;
    enum method m;
    struct lambda l;
    TRY(method_read(&m, &own, t->method, "--method"));
    if (t->loss && loss == LOSS_COUNT)
        return fail(ERR_USAGE, "--loss '%s' is none of simple elbo square avg l1 l2 linf", t->loss);
    if (method_own_loss(m) != LOSS_COUNT) own = method_own_loss(m);
    if (own != LOSS_COUNT) loss = own;
    if (method_has_loss(m) && loss == LOSS_COUNT)
        return fail(ERR_USAGE, "scores of method %s are of a loss: add --loss simple, square, ...", method_name(m));
    *out = (struct score_set){ .split = t->split, .timesteps = t->timesteps, .k = t->k, .version = 0, .mantissa_bits = 24,
                               .n = n, .rows = rows, .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .condition = NAN };
    snprintf(out->method, sizeof out->method, "%s", method_name(m));
    if (method_has_loss(m)) snprintf(out->loss, sizeof out->loss, "%s", loss_name(loss));
    if (method_has_checkpoint(m)) {
        if (!t->checkpoints) return fail(ERR_USAGE, "scores of method %s are of a network: add --checkpoint STEP", method_name(m));
        if (t->checkpoints > SCORE_CHECKPOINTS_MAX) return fail(ERR_RANGE, "%s: scores of %zu networks", t->name, t->checkpoints);
        for (size_t i = 0; i < t->checkpoints; i++) out->checkpoint[out->checkpoints++] = t->checkpoint[i].id;
    }
    if (t->lambda) {
        if (!method_has_lambda(m)) return fail(ERR_USAGE, "method %s has no lambda", method_name(m));
        TRY(lambda_parse(&l, t->lambda));
        lambda_format(out->lambda_spec, l);
        if (l.kind == LAMBDA_RELATIVE) out->lambda_rel = l.value;
        if (l.kind == LAMBDA_ABSOLUTE) out->lambda_abs = l.value;
    }
    import_params(out->params, t->from, t->name, t->digest);
    struct score_set there;
    enum status st = store_score_set_same(s, out, &there);
    if (st == OK)
        return fail(ERR_RANGE, "%s: these scores are here already, as score set %lld", t->name, (long long)there.id);
    if (st != ERR_MISSING) return st;
    return store_score_set_ensure(s, out, NULL, out);
}

enum status import_check_axes(const char *name, size_t a, size_t b, enum import_axes axes, size_t queries, size_t n,
                              enum split split, int has_list, const char *writer) {
    int by_query = axes == AXES_QUERY_TRAIN;
    size_t q = by_query ? a : b, t = by_query ? b : a;
    const char *other = by_query ? "train,query" : "query,train", *own = by_query ? "query,train" : "train,query";
    char hint[80];
    if (writer) snprintf(hint, sizeof hint, "; %.20s writes %s", writer, own);
    else snprintf(hint, sizeof hint, ": add --axes %s", other);
    if (t == n && (q == queries || has_list)) return OK;
    if (q == n && t == queries)
        return fail(ERR_FORMAT, "%s: %zu x %zu scores; as %s that is %zu queries by %zu training items, as %s %zu queries by "
                    "%zu training items, and here are %zu %s items and %zu training items%s", name, a, b, own, q, t, other, t, q, queries,
                    split_name(split), n, hint);
    return fail(ERR_FORMAT, "%s: %zu x %zu scores; as %s that is %zu queries by %zu training items, as %s %zu by %zu, and here "
                "are %zu %s items and %zu training items", name, a, b, own, q, t, other, t, q, queries, split_name(split), n);
}

/* --- rows of scores --- */

/* Queries [first, first + count) of the matrix, their columns in the order of the items. */
static enum status read_queries(const struct score_matrix *m, size_t first, size_t count, float *out, float *piece) {
    if (m->read) {
        TRY(m->read(m->ctx, first, count, out));
        for (size_t q = 0; q < count && m->train; q++) {
            memcpy(piece, out + q * m->n, m->n * sizeof *piece);
            for (size_t j = 0; j < m->n; j++) out[q * m->n + m->train[j]] = piece[j];
        }
        return OK;
    }
    for (size_t q = 0; q < count && m->axes == AXES_QUERY_TRAIN; q++) {
        TRY(array_read(piece, m->a, (uint64_t)(first + q) * m->n, m->n));
        for (size_t j = 0; j < m->n; j++) out[q * m->n + (m->train ? m->train[j] : j)] = piece[j];
    }
    for (size_t j = 0; j < m->n && m->axes == AXES_TRAIN_QUERY; j++) {
        TRY(array_read(piece, m->a, (uint64_t)j * m->queries + first, count));
        for (size_t q = 0; q < count; q++) out[q * m->n + (m->train ? m->train[j] : j)] = piece[q];
    }
    return OK;
}

static int all_zero(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) <= 0)) return 0;
    return 1;
}

static enum status put_queries(struct store *s, const struct score_set *set, const struct score_matrix *m, size_t first,
                               size_t count, const float *rows) {
    for (size_t q = 0; q < count; q++) {
        size_t item = m->query ? m->query[first + q] : first + q;
        if (!m->zeros && all_zero(rows + q * m->n, m->n))
            return fail(ERR_FORMAT, "%s: every score of query %zu is 0, as where a file was written in part (--allow-zero takes "
                        "them)", m->a->path, first + q);
        TRY(store_score_put(s, set, item, rows + q * m->n));
    }
    return OK;
}

enum status import_scores(struct store *s, const struct score_set *set, const struct score_matrix *m, const struct progress *p) {
    size_t most = ((size_t)64 << 20) / sizeof(float) / m->n, block = most < 1 ? 1 : most > 256 ? 256 : most;
    float *rows = mem_array(block * m->n, sizeof *rows), *piece = mem_array(m->n > block ? m->n : block, sizeof *piece);
    enum status st = rows && piece ? OK : fail(ERR_NOMEM, "import: out of memory for rows of %zu scores", m->n);
    for (size_t q = 0; q < m->queries && st == OK; q += block) {
        size_t count = m->queries - q < block ? m->queries - q : block;
        st = progress_check(p);
        if (st == OK) st = read_queries(m, q, count, rows, piece);
        if (st == OK) st = put_queries(s, set, m, q, count, rows);
        if (st == OK) progress_report(p, (double)(q + count), (double)m->queries, "scores", "");
    }
    mem_free(rows);
    mem_free(piece);
    return st;
}

/* --- rows of features --- */

static enum status read_row(void *ctx, size_t row, float *out) {
    const struct feature_window *w = ctx;
    return array_read(out, w->a, (uint64_t)row * w->a->shape[1], w->used);
}

struct feature_reader import_array_rows(struct feature_window *w, const char *name, int zeros) {
    return (struct feature_reader){ w->a->shape[0], w->used, read_row, w, name, NULL, zeros, NULL, 0 };
}

enum status import_in_place(struct feature_file *out, const struct array *a) {
    static const enum feature_number as[] = {
        [ARRAY_F16] = FEATURE_F16, [ARRAY_BF16] = FEATURE_BF16, [ARRAY_F32] = FEATURE_F32, [ARRAY_F64] = FEATURE_F64,
    };
    if (a->data) return fail(ERR_USAGE, "%s: a pickle, or an array in Fortran order, is read whole; leave out --in-place to copy its features", a->path);
    *out = (struct feature_file){ a->path, a->shape[0], as[a->type], a->offset, (uint64_t)a->shape[1] * array_type_size(a->type) };
    return OK;
}

static enum status read_feature_row(const struct feature_reader *in, size_t row, float *out) {
    TRY(in->read(in->ctx, row, out));
    for (size_t i = 0; i < in->k; i++)
        if (!isfinite(out[i])) return fail(ERR_NUMERIC, "%s: row %zu is not finite (number %zu)", in->name, row, i);
    if (!in->zeros && all_zero(out, in->k))
        return fail(ERR_FORMAT, "%s: row %zu is all zero, as where a file was written in part (--allow-zero takes it)", in->name, row);
    return OK;
}

/* Of a set whose numbers were another file's and are dropped: what was made of those would pass for made of
 * these. */
static enum status take_the_place(struct store *s, const struct feature_set *set, const char *name) {
    struct feature_use use;
    TRY(feature_use_find(&use, s, set));
    if (use.kernel || use.basis || use.scores)
        return fail(ERR_RANGE, "%s: %s made of other %s features of loss %s like these %s here; drop %s first, or keep these apart with "
                    "--projection NAME", name, use.scores ? "scores" : use.kernel ? "a kernel" : "an eigenbasis",
                    split_name(set->identity.split), set->identity.loss, use.scores ? "are" : "is", use.scores ? "them" : "it");
    return feature_forget(s, set);
}

enum status import_features(struct store *s, const struct feature_identity *f, const struct feature_reader *in,
                            const char *params, const struct progress *p, int *added) {
    struct feature_set set;
    size_t block = ((size_t)4 << 20) / sizeof(float) / in->k;
    enum status st = store_feature_set_find(s, f, &set);
    *added = !(st == OK && set.rows_done == in->rows && !strcmp(set.params, params));
    if (!*added) return OK;
    if (st == OK && set.rows_done)
        return fail(ERR_RANGE, "%s: %s features of loss %s like these are here already, as feature set %lld; drop them first", in->name,
                    split_name(f->split), f->loss, (long long)set.id);
    if (st != OK && st != ERR_MISSING) return st;
    if (st == OK && strcmp(set.params, params) != 0) TRY(take_the_place(s, &set, in->name));
    block = block < 1 ? 1 : block > 256 ? 256 : block;
    TRY(store_feature_set_ensure(s, f, in->rows, block, params, NULL, &set));
    if (in->files) return store_feature_files_put(s, &set, in->file, in->files, in->order, in->zeros);
    block = set.block_rows;
    float *rows = mem_array(block * in->k, sizeof *rows);
    size_t *from = mem_array(in->rows + 1, sizeof *from);
    st = rows && from ? OK : fail(ERR_NOMEM, "import: out of memory for rows of %zu numbers", in->k);
    for (size_t i = 0; i < in->rows && st == OK; i++) from[in->order ? in->order[i] : i] = i;
    for (size_t b = 0; b * block < in->rows && st == OK; b++) {
        size_t first = b * block, count = in->rows - first < block ? in->rows - first : block;
        st = progress_check(p);
        for (size_t i = 0; i < count && st == OK; i++) st = read_feature_row(in, from[first + i], rows + i * in->k);
        if (st == OK) st = store_feature_block_put(s, &set, b, rows);
        if (st == OK) progress_report(p, (double)(first + count), (double)in->rows, "features", "");
    }
    mem_free(rows);
    mem_free(from);
    return st;
}

/* --- the verb --- */

static enum status run(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    switch (o->kind) {
    case IMPORT_NPY: case IMPORT_RAW: case IMPORT_SAFETENSORS: case IMPORT_PICKLE: return import_array(s, o, p, r);
    case IMPORT_CSV: return import_csv(s, o, r);
    case IMPORT_TRAKER: return import_traker(s, o, p, r);
    case IMPORT_DTRAK: return import_dtrak(s, o, p, r);
    case IMPORT_BERGSON: return import_bergson(s, o, p, r);
    case IMPORT_KINDS: break;
    }
    return fail(ERR_RANGE, "import: no such kind of file");
}

enum status pipeline_import(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    *r = (struct import_result){ .checkpoint_step = -1 };
    TRY(store_begin(s));
    enum status st = run(s, o, p, r);
    if (st == OK) st = store_commit(s);
    if (st != OK) store_rollback(s);
    return st;
}
