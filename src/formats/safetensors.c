/* Reading safetensors; the writer is safetensors_write.c.
 *
 * The header is JSON of the form
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
 *    "__metadata__": {"key": "text"}}
 * with offsets relative to the end of the header. */
#include "dtrak/safetensors.h"

#include "dtrak/half.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>

/* The reference implementation's own limit is 100 MB; ours is json.h's. */
#define HEADER_MAX JSON_TEXT_MAX

struct safetensors {
    struct json_doc *header;              /* owns every name */
    struct safetensors_entry *entries;    /* in the order of the data */
    const struct safetensors_entry **by_name;
    size_t count;
};

/* Every type the format has; ours first, in the order of enum tensor_type. */
static const struct { const char *name; size_t bytes; } types[] = {
    { "F32", 4 }, { "F16", 2 }, { "BF16", 2 },
    { "F64", 8 }, { "I64", 8 }, { "U64", 8 }, { "I32", 4 }, { "U32", 4 }, { "I16", 2 },
    { "U16", 2 }, { "I8", 1 }, { "U8", 1 }, { "BOOL", 1 }, { "F8_E4M3", 1 }, { "F8_E5M2", 1 },
};

static enum status read_type(struct safetensors_entry *e, size_t *item, const char *type,
                             const char *file) {
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++) {
        if (strcmp(type, types[i].name) != 0) continue;
        e->type = i < TENSOR_OTHER ? (enum tensor_type)i : TENSOR_OTHER;
        e->type_name = types[i].name;
        *item = types[i].bytes;
        return OK;
    }
    return fail(ERR_FORMAT, "%s: tensor %.80s: dtype %.20s is unknown; F32, F16 or BF16 is "
                "expected", file, e->name, type ? type : "(none)");
}

static enum status read_shape(struct safetensors_entry *e, const struct json *shape,
                              const char *file) {
    if (json_type(shape) != JSON_ARRAY)
        return fail(ERR_FORMAT, "%s: tensor %.80s has no shape", file, e->name);
    e->rank = json_len(shape);
    if (e->rank > SAFETENSORS_RANK_MAX)
        return fail(ERR_FORMAT, "%s: tensor %.80s has %zu dimensions; at most %d are read", file,
                    e->name, e->rank, SAFETENSORS_RANK_MAX);
    for (size_t i = 0; i < e->rank; i++) {
        int64_t n = json_int(json_at(shape, i), -1);
        if (n < 0)
            return fail(ERR_FORMAT, "%s: tensor %.80s: dimension %zu is no size", file, e->name,
                        i);
        e->shape[i] = (size_t)n;
    }
    return OK;
}

static enum status read_entry(struct safetensors_entry *e, const struct json *v,
                              const unsigned char *data, size_t data_len, const char *file) {
    size_t item = 0, bytes;

    TRY(read_type(e, &item, json_string(json_get(v, "dtype"), NULL), file));
    TRY(read_shape(e, json_get(v, "shape"), file));
    const struct json *at = json_get(v, "data_offsets");
    int64_t begin = json_int(json_at(at, 0), -1), end = json_int(json_at(at, 1), -1);
    if (json_len(at) != 2 || begin < 0 || end < begin)
        return fail(ERR_FORMAT, "%s: tensor %.80s: data_offsets are not two ascending sizes",
                    file, e->name);
    if ((uint64_t)end > data_len)
        return fail(ERR_FORMAT, "%s: tensor %.80s ends at byte %lld of %zu bytes of data", file,
                    e->name, (long long)end, data_len);
    e->len = (size_t)(end - begin);
    e->data = data + begin;
    if (!shape_sizes(&e->count, &bytes, e->shape, e->rank, item))
        return fail(ERR_FORMAT, "%s: tensor %.80s: its shape is too large for any memory", file,
                    e->name);
    if (bytes != e->len)
        return fail(ERR_FORMAT, "%s: tensor %.80s has %zu bytes of data; its shape needs %zu",
                    file, e->name, e->len, bytes);
    return OK;
}

static int by_place(const void *a, const void *b) {
    const struct safetensors_entry *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    if (x->len != y->len) return x->len < y->len ? -1 : 1;   /* empty ones first */
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
    const struct safetensors_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Each tensor starts where the one before ends, and the last ends the file. */
static enum status check_places(const struct safetensors *s, const unsigned char *data,
                                size_t data_len, const char *file) {
    size_t at = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct safetensors_entry *e = &s->entries[i];
        size_t begin = (size_t)(e->data - data);
        if (begin != at)
            return fail(ERR_FORMAT, "%s: tensor %.80s starts at byte %zu of the data, %s the one "
                        "before it, which ends at %zu", file, e->name, begin,
                        begin < at ? "inside" : "leaving a gap after", at);
        at = begin + e->len;
    }
    if (at != data_len)
        return fail(ERR_FORMAT, "%s: %zu bytes of data; the tensors take %zu", file, data_len,
                    at);
    return OK;
}

static enum status check_meta(const struct json *meta, const char *file) {
    if (json_type(meta) != JSON_OBJECT)
        return fail(ERR_FORMAT, "%s: __metadata__ is not an object of strings", file);
    for (size_t i = 0; i < json_len(meta); i++)
        if (json_type(json_at(meta, i)) != JSON_STRING)
            return fail(ERR_FORMAT, "%s: __metadata__ %.80s is not a string", file,
                        json_key(meta, i));
    return OK;
}

static enum status read_entries(struct safetensors *s, const unsigned char *data,
                                size_t data_len, const char *file) {
    const struct json *root = json_root(s->header);
    size_t members = json_len(root);

    if (json_type(root) != JSON_OBJECT)
        return fail(ERR_FORMAT, "%s: the header is not a JSON object", file);
    s->entries = mem_array(members, sizeof *s->entries);
    s->by_name = mem_array(members, sizeof *s->by_name);
    if (!s->entries || !s->by_name)
        return fail(ERR_NOMEM, "%s: no memory for its %zu tensors", file, members);
    for (size_t i = 0; i < members; i++) {
        const char *key = json_key(root, i);
        if (strcmp(key, "__metadata__") == 0) {
            TRY(check_meta(json_at(root, i), file));
            continue;
        }
        struct safetensors_entry *e = &s->entries[s->count];
        e->name = key;
        TRY(read_entry(e, json_at(root, i), data, data_len, file));
        s->count++;
    }
    qsort(s->entries, s->count, sizeof *s->entries, by_place);
    for (size_t i = 0; i < s->count; i++) s->by_name[i] = &s->entries[i];
    qsort(s->by_name, s->count, sizeof *s->by_name, by_name);
    return check_places(s, data, data_len, file);
}

enum status safetensors_open(struct safetensors **out, const void *bytes, size_t len,
                             const char *name) {
    const unsigned char *p = bytes;

    *out = NULL;
    if (len < 10)
        return fail(ERR_FORMAT, "%s: %zu bytes; safetensors start with an 8-byte length and a "
                    "JSON header", name, len);
    uint64_t header = le64(p);
    if (header > len - 8)
        return fail(ERR_FORMAT, "%s: a header of %llu bytes is promised, %zu bytes follow", name,
                    (unsigned long long)header, len - 8);
    if (header > HEADER_MAX)
        return fail(ERR_FORMAT, "%s: a header of %llu bytes; at most %zu are read", name,
                    (unsigned long long)header, HEADER_MAX);
    if (p[8] != '{')
        return fail(ERR_FORMAT, "%s: the header starts with byte %02x; '{' is expected", name,
                    p[8]);
    struct safetensors *s = mem_array(1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "%s: out of memory", name);
    enum status st = json_parse(&s->header, p + 8, (size_t)header, name);
    if (st == OK) st = read_entries(s, p + 8 + header, len - 8 - (size_t)header, name);
    if (st == OK) *out = s;
    else safetensors_free(s);
    return st;
}

void safetensors_free(struct safetensors *s) {
    if (!s) return;
    json_free(s->header);
    mem_free(s->entries);
    mem_free(s->by_name);
    mem_free(s);
}

size_t safetensors_count(const struct safetensors *s) { return s->count; }

const struct safetensors_entry *safetensors_at(const struct safetensors *s, size_t i) {
    return i < s->count ? &s->entries[i] : NULL;
}

const struct safetensors_entry *safetensors_find(const struct safetensors *s, const char *name) {
    struct safetensors_entry wanted = { .name = name };
    const struct safetensors_entry *pointer = &wanted;
    if (s->count == 0) return NULL;
    const struct safetensors_entry **hit =
        bsearch(&pointer, s->by_name, s->count, sizeof *s->by_name, by_name);
    return hit ? *hit : NULL;
}

const char *safetensors_meta(const struct safetensors *s, const char *key) {
    return json_string(json_get(json_get(json_root(s->header), "__metadata__"), key), NULL);
}

enum status safetensors_floats(float *out, const struct safetensors_entry *e) {
    switch (e->type) {
    case TENSOR_F32:
        for (size_t i = 0; i < e->count; i++) {
            uint32_t u = le32(e->data + 4 * i);
            memcpy(&out[i], &u, sizeof u);
        }
        return OK;
    case TENSOR_F16:
        for (size_t i = 0; i < e->count; i++) out[i] = half_to_float(le16(e->data + 2 * i));
        return OK;
    case TENSOR_BF16:
        for (size_t i = 0; i < e->count; i++) out[i] = bfloat_to_float(le16(e->data + 2 * i));
        return OK;
    case TENSOR_OTHER:
        break;
    }
    return fail(ERR_FORMAT, "tensor %.80s has dtype %s; F32, F16 or BF16 is expected", e->name,
                e->type_name);
}

enum status safetensors_read(float *out, size_t count, const struct safetensors *s,
                             const char *name) {
    const struct safetensors_entry *e = safetensors_find(s, name);
    if (!e) return fail(ERR_MISSING, "there is no tensor %.80s among the %zu", name, s->count);
    if (e->count != count)
        return fail(ERR_FORMAT, "tensor %.80s has %zu elements; %zu are expected", name,
                    e->count, count);
    return safetensors_floats(out, e);
}
