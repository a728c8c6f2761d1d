/* bergson.c - info.json of gradients and of scores. */
#include "dtrak/bergson.h"

#include "dtrak/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX ((int64_t)1 << 40)

/* "float32", "torch.bfloat16", "<f4": a type of floats, or ARRAY_TYPES. */
static enum array_type read_type(const char *word) {
    static const struct { const char *name; enum array_type type; } numpy[] = {
        { "f2", ARRAY_F16 }, { "f4", ARRAY_F32 }, { "f8", ARRAY_F64 }, { "fp16", ARRAY_F16 }, { "fp32", ARRAY_F32 },
    };
    if (!strncmp(word, "torch.", 6)) word += 6;
    if (*word == '<' || *word == '=') word++;
    for (size_t i = 0; i < sizeof numpy / sizeof *numpy; i++)
        if (!strcmp(word, numpy[i].name)) return numpy[i].type;
    enum array_type t = array_type_parse(word);
    return t <= ARRAY_F64 ? t : ARRAY_TYPES;
}

/* A size that the file says, at least 1. */
static enum status read_size(size_t *out, const struct json *v, const char *what, const char *name) {
    int64_t n = json_int(v, -1);
    if (n < 1 || n > ROWS_MAX)
        return fail(ERR_FORMAT, "%s: '%.60s' is %s, a whole number above 0 is expected", name, what, v ? "no size" : "missing");
    *out = (size_t)n;
    return OK;
}

/* --- gradients --- */

void bergson_index_free(struct bergson_index *x) {
    mem_free(x->module);
    *x = (struct bergson_index){ 0 };
}

static enum status read_modules(struct bergson_index *x, const struct json *sizes, const char *name) {
    size_t n = json_len(sizes);
    if (json_type(sizes) != JSON_OBJECT || !n || n > BERGSON_FIELDS_MAX)
        return fail(ERR_FORMAT, "%s: 'grad_sizes' is expected, an object with the numbers of each module", name);
    x->module = mem_array(n, sizeof *x->module);
    if (!x->module) return fail(ERR_NOMEM, "%s: out of memory for %zu modules", name, n);
    for (size_t i = 0; i < n; i++) {
        struct bergson_module *m = &x->module[x->modules++];
        *m = (struct bergson_module){ json_key(sizes, i), x->dims, 0 };
        TRY(read_size(&m->dim, json_at(sizes, i), m->name, name));
        if (m->dim > ((size_t)1 << 32) - x->dims) return fail(ERR_RANGE, "%s: rows of more than 2^32 numbers", name);
        x->dims += m->dim;
    }
    return OK;
}

enum status bergson_index_parse(struct bergson_index *out, const struct json *info, const char *name) {
    struct bergson_index x = { 0 };
    const char *type = json_string(json_get(info, "base_dtype"), NULL);
    enum status st;
    if (json_bool(json_get(info, "attribute_tokens"), 0))
        return fail(ERR_FORMAT, "%s: a row for each token (attribute_tokens); rows of whole items are expected", name);
    TRY_TO(read_modules(&x, json_get(info, "grad_sizes"), name));
    TRY_TO(read_size(&x.rows, json_get(info, "num_grads"), "num_grads", name));
    x.type = read_type(type ? type : "");
    if (x.type == ARRAY_TYPES) {
        st = fail(ERR_FORMAT, "%s: 'base_dtype' is '%.24s'; float16, bfloat16, float32 or float64 is expected", name, type ? type : "missing");
        goto done;
    }
    *out = x;
    return OK;
done:
    bergson_index_free(&x);
    return st;
}

const struct bergson_module *bergson_module_find(const struct bergson_index *x, const char *name) {
    for (size_t i = 0; i < x->modules; i++)
        if (!strcmp(x->module[i].name, name)) return &x->module[i];
    return NULL;
}

/* --- scores --- */

void bergson_scores_free(struct bergson_scores *x) {
    mem_free(x->column);
    *x = (struct bergson_scores){ 0 };
}

/* "score_17" with that beginning: 17; else -1. */
static long number_of(const char *text, const char *beginning) {
    size_t n = strlen(beginning);
    if (!text || strncmp(text, beginning, n) != 0 || !text[n]) return -1;
    if (strspn(text + n, "0123456789") != strlen(text + n) || strlen(text + n) > 7) return -1;
    return strtol(text + n, NULL, 10);
}

struct fields { const struct json *names, *formats, *offsets; size_t count; };

/* One field: of a score, of whether it was written, or something else. */
static enum status read_field(struct bergson_scores *x, const struct fields *f, size_t i, size_t room, const char *name) {
    const char *field = json_string(json_at(f->names, i), NULL), *format = json_string(json_at(f->formats, i), "");
    long score = number_of(field, "score_"), written = number_of(field, "written_"), query = score >= 0 ? score : written;
    int64_t at = json_int(json_at(f->offsets, i), -1);
    if (query < 0) return OK;
    enum array_type type = score >= 0 ? read_type(format) : ARRAY_U8;
    if (type == ARRAY_TYPES) return fail(ERR_FORMAT, "%s: %s has the format '%.24s'; float32 or another type of floats is expected", name, field, format);
    if ((size_t)query >= room) return fail(ERR_FORMAT, "%s: %s, of %zu fields: a number is left out", name, field, f->count);
    if (at < 0 || (size_t)at + array_type_size(type) > x->record)
        return fail(ERR_FORMAT, "%s: %s stands at byte %lld of a record of %zu", name, field, (long long)at, x->record);
    size_t *place = score >= 0 ? &x->column[query].score : &x->column[query].written;
    if (*place != x->record) return fail(ERR_FORMAT, "%s: %s is there twice", name, field);
    *place = (size_t)at;
    if (score < 0) return OK;
    if (x->queries && type != x->type) return fail(ERR_FORMAT, "%s: %s has another format than the scores before it", name, field);
    x->type = type;
    x->queries++;
    return OK;
}

static enum status read_fields(struct bergson_scores *x, const struct fields *f, const char *name) {
    x->column = mem_array(f->count, sizeof *x->column);
    if (!x->column) return fail(ERR_NOMEM, "%s: out of memory for %zu fields", name, f->count);
    for (size_t i = 0; i < f->count; i++) x->column[i] = (struct bergson_column){ x->record, x->record };
    for (size_t i = 0; i < f->count; i++) TRY(read_field(x, f, i, f->count, name));
    if (!x->queries) return fail(ERR_FORMAT, "%s: no field score_0", name);
    for (size_t q = 0; q < x->queries; q++)
        if (x->column[q].score == x->record) return fail(ERR_FORMAT, "%s: %zu scores, and no field score_%zu", name, x->queries, q);
    return OK;
}

enum status bergson_scores_parse(struct bergson_scores *out, const struct json *info, const char *name) {
    struct bergson_scores x = { 0 };
    const struct json *dtype = json_get(info, "dtype") ? json_get(info, "dtype") : info;
    struct fields f = { json_get(dtype, "names"), json_get(dtype, "formats"), json_get(dtype, "offsets"), 0 };
    enum status st;
    f.count = json_len(f.names);
    if (!f.count || f.count > BERGSON_FIELDS_MAX || json_len(f.formats) != f.count || json_len(f.offsets) != f.count)
        return fail(ERR_FORMAT, "%s: names, formats and offsets of as many fields are expected, as NumPy has them", name);
    TRY_TO(read_size(&x.record, json_get(dtype, "itemsize"), "itemsize", name));
    if (x.record > (size_t)1 << 30) { st = fail(ERR_RANGE, "%s: records of %zu bytes", name, x.record); goto done; }
    if (json_get(info, "num_items")) TRY_TO(read_size(&x.rows, json_get(info, "num_items"), "num_items", name));
    TRY_TO(read_fields(&x, &f, name));
    if (json_get(info, "num_scores") && json_int(json_get(info, "num_scores"), -1) != (int64_t)x.queries) {
        st = fail(ERR_FORMAT, "%s: num_scores is %lld, and there are %zu fields score_...", name, (long long)json_int(json_get(info, "num_scores"), -1),
                  x.queries);
        goto done;
    }
    *out = x;
    return OK;
done:
    bergson_scores_free(&x);
    return st;
}
