/* pickle_value.c - a pickle's values: their memory, the last check, the reading. */
#include "pickle_vm.h"

#include "dtrak/half.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16 };

struct pickle_chunk { struct pickle_chunk *next; size_t used, size; unsigned char *bytes; };

/* --- memory --- */

void *pickle_alloc(struct pickle_doc *d, size_t count, size_t size) {
    size_t bytes;
    if (!size_mul(&bytes, count, size) || bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + 15) / 16 * 16;
    struct pickle_chunk *c = d->chunks;
    if (!c || c->size - c->used < bytes) {
        c = mem_array(1, sizeof *c);
        if (!c) return NULL;
        c->size = bytes > CHUNK / 4 ? bytes : CHUNK;
        c->bytes = mem_array(c->size, 1);
        if (!c->bytes) {
            mem_free(c);
            return NULL;
        }
        /* A large block goes behind, so that the one in use is filled. */
        struct pickle_chunk **at = c->size > CHUNK && d->chunks ? &d->chunks->next : &d->chunks;
        c->next = *at;
        *at = c;
    }
    void *p = c->bytes + c->used;
    c->used += bytes;
    return p;
}

void pickle_free(struct pickle_doc *d) {
    if (!d) return;
    for (struct pickle_chunk *c = d->chunks, *next; c; c = next) {
        next = c->next;
        mem_free(c->bytes);
        mem_free(c);
    }
    mem_free(d);
}

enum status pickle_new(struct pickle **out, struct pickle_doc *d, int type, const char *name) {
    if (++d->values > PICKLE_VALUES_MAX)
        return fail(ERR_FORMAT, "%s: more than %zu values in a pickle", name, PICKLE_VALUES_MAX);
    *out = pickle_alloc(d, 1, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "%s: out of memory", name);
    (*out)->type = type;
    return OK;
}

enum status pickle_push(struct pickle_doc *d, struct pickle *to, struct pickle *item, const char *name) {
    if (to->len == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 4;
        struct pickle **more = cap <= 4 * PICKLE_VALUES_MAX ? pickle_alloc(d, cap, sizeof *more) : NULL;
        if (!more) return fail(ERR_NOMEM, "%s: out of memory", name);
        if (to->len) memcpy(more, to->u.items, to->len * sizeof *more);
        to->u.items = more;
        to->cap = cap;
    }
    to->u.items[to->len++] = item;
    return OK;
}

static int is_utf8(const char *s, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t n = text_decode(s + i, &cp);   /* 0 at a zero, which may be inside */
        if (cp == 0xFFFD && n == 1) return 0;
        i += n ? n : 1;
    }
    return 1;
}

enum status pickle_new_string(struct pickle **out, struct pickle_doc *d, const unsigned char *p, size_t len,
                              int is_text, const char *name) {
    char *copy = pickle_alloc(d, len + 1, 1);
    if (!copy) return fail(ERR_NOMEM, "%s: out of memory", name);
    if (len) memcpy(copy, p, len);
    int text = is_utf8(copy, len);
    if (!text && is_text) return fail(ERR_FORMAT, "%s: damaged pickle: a text is no UTF-8", name);
    TRY(pickle_new(out, d, text ? PICKLE_STRING : PICKLE_BYTES, name));
    if (text) (*out)->u.text = copy;
    else (*out)->u.bytes = copy;
    (*out)->len = len;
    return OK;
}

/* --- the last check --- */

static int by_text(const void *a, const void *b) {
    const struct pickle *const *x = a, *const *y = b;
    return strcmp((*x)->u.text, (*y)->u.text);
}

static enum status check_keys(struct pickle_doc *d, const struct pickle *dict, const char *name) {
    size_t n = 0;
    const struct pickle **keys = pickle_alloc(d, dict->len / 2 + 1, sizeof *keys);
    if (!keys) return fail(ERR_NOMEM, "%s: out of memory", name);
    for (size_t i = 0; i < dict->len; i += 2)
        if (dict->u.items[i]->type == PICKLE_STRING) keys[n++] = dict->u.items[i];
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 1; i < n; i++)
        if (!by_text(&keys[i - 1], &keys[i]))
            return fail(ERR_FORMAT, "%s: the key \"%.80s\" stands twice in one dict", name, keys[i]->u.text);
    return OK;
}

static int has_items(const struct pickle *v) {
    return v->type == PICKLE_LIST || v->type == PICKLE_TUPLE || v->type == PICKLE_DICT;
}

static enum status check_leaf(const struct pickle *v, const char *name) {
    if (v->type > PICKLE_TENSOR)
        return fail(ERR_FORMAT, "%s: a class, type or unfinished array stands where a value is expected", name);
    if (v->type == PICKLE_STRING && strlen(v->u.text) != v->len)
        return fail(ERR_FORMAT, "%s: a text holds a zero character", name);
    return OK;
}

/* On each level of the way down: the container, the item that is next, and the
 * greatest height below so far.  Heights are kept, so that a value that stands
 * in many places is walked once. */
enum status pickle_finish(struct pickle_doc *d, const char *name) {
    struct { struct pickle *v; size_t next; int height; } way[PICKLE_DEPTH_MAX + 1];
    int depth = 0;
    TRY(check_leaf(d->root, name));
    if (!has_items(d->root)) return OK;
    way[0].v = d->root;
    way[0].next = 0;
    way[0].height = 0;
    d->root->height = -1;
    while (depth >= 0) {
        struct pickle *v = way[depth].v;
        if (way[depth].next == v->len) {
            if (v->type == PICKLE_DICT) TRY(check_keys(d, v, name));
            v->height = way[depth].height + 1;
            if (--depth >= 0 && v->height > way[depth].height) way[depth].height = v->height;
            continue;
        }
        struct pickle *item = v->u.items[way[depth].next++];
        TRY(check_leaf(item, name));
        if (!has_items(item)) continue;
        if (item->height < 0) return fail(ERR_FORMAT, "%s: a value of this pickle stands inside itself", name);
        if (depth + 1 + (item->height ? item->height : 1) > PICKLE_DEPTH_MAX)
            return fail(ERR_FORMAT, "%s: a pickle nested deeper than %d levels", name, PICKLE_DEPTH_MAX);
        if (item->height > way[depth].height) way[depth].height = item->height;
        if (item->height) continue;
        item->height = -1;
        depth++;
        way[depth].v = item;
        way[depth].next = 0;
        way[depth].height = 0;
    }
    return OK;
}

/* --- reading --- */

const struct pickle *pickle_root(const struct pickle_doc *d) { return d ? d->root : NULL; }

enum pickle_type pickle_type(const struct pickle *v) { return v ? (enum pickle_type)v->type : PICKLE_NONE; }

const char *pickle_type_name(enum pickle_type t) {
    static const char *const names[] = { "None", "a boolean", "an integer", "a float", "a text", "bytes", "a list",
                                         "a tuple", "a dict", "a NumPy array", "a PyTorch tensor" };
    return names[t];
}

int64_t pickle_int(const struct pickle *v, int64_t fallback) {
    return v && (v->type == PICKLE_INT || v->type == PICKLE_BOOL) ? v->u.integer : fallback;
}

double pickle_number(const struct pickle *v, double fallback) {
    if (v && v->type == PICKLE_FLOAT) return v->u.real;
    return v && v->type == PICKLE_INT ? (double)v->u.integer : fallback;
}

const char *pickle_string(const struct pickle *v, const char *fallback) {
    return v && v->type == PICKLE_STRING ? v->u.text : fallback;
}

const void *pickle_bytes(const struct pickle *v, size_t *len) {
    *len = v && v->type == PICKLE_BYTES ? v->len : 0;
    return v && v->type == PICKLE_BYTES ? v->u.bytes : NULL;
}

size_t pickle_len(const struct pickle *v) {
    if (!v || !has_items(v)) return 0;
    return v->type == PICKLE_DICT ? v->len / 2 : v->len;
}

const struct pickle *pickle_at(const struct pickle *v, size_t i) {
    if (i >= pickle_len(v)) return NULL;
    return v->type == PICKLE_DICT ? v->u.items[2 * i + 1] : v->u.items[i];
}

const struct pickle *pickle_key(const struct pickle *dict, size_t i) {
    return pickle_type(dict) == PICKLE_DICT && i < dict->len / 2 ? dict->u.items[2 * i] : NULL;
}

const struct pickle *pickle_get(const struct pickle *dict, const char *key) {
    for (size_t i = 0; pickle_type(dict) == PICKLE_DICT && i < dict->len / 2; i++)
        if (!strcmp(pickle_string(dict->u.items[2 * i], ""), key)) return dict->u.items[2 * i + 1];
    return NULL;
}

const struct pickle_array *pickle_array(const struct pickle *v) {
    return v && v->type == PICKLE_ARRAY ? v->u.array : NULL;
}

const struct pickle_tensor *pickle_tensor(const struct pickle *v) {
    return v && v->type == PICKLE_TENSOR ? v->u.tensor : NULL;
}

/* --- arrays --- */

static uint64_t bits_at(const struct pickle_array *a, size_t place) {
    const unsigned char *p = a->data + place * a->item_size;
    uint64_t n = 0;
    for (size_t i = 0; i < a->item_size; i++) n = n << 8 | p[a->big_endian ? i : a->item_size - 1 - i];
    return n;
}

static int64_t as_signed(uint64_t n, size_t bytes) {
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return (int64_t)((n ^ sign) - sign);
}

static double number_at(const struct pickle_array *a, size_t place) {
    uint64_t n = bits_at(a, place);
    uint32_t half = (uint32_t)n;
    float f;
    double x;
    if (a->kind != 'f') return a->kind == 'i' ? (double)as_signed(n, a->item_size) : (double)n;
    if (a->item_size == 2) return (double)half_to_float((uint16_t)n);
    memcpy(&f, &half, sizeof f);
    memcpy(&x, &n, sizeof x);
    return a->item_size == 4 ? (double)f : x;
}

/* Where the i-th element in C order stands in the data. */
static size_t place_of(const struct pickle_array *a, size_t i) {
    size_t place = 0, step = 1, index[PICKLE_RANK_MAX];
    if (!a->fortran) return i;
    for (size_t k = a->rank; k-- > 0; i /= a->shape[k]) index[k] = i % a->shape[k];
    for (size_t k = 0; k < a->rank; step *= a->shape[k++]) place += index[k] * step;
    return place;
}

void pickle_array_floats(float *out, const struct pickle_array *a) {
    for (size_t i = 0; i < a->count; i++) out[i] = (float)number_at(a, place_of(a, i));
}

void pickle_array_doubles(double *out, const struct pickle_array *a) {
    for (size_t i = 0; i < a->count; i++) out[i] = number_at(a, place_of(a, i));
}

enum status pickle_array_ints(int64_t *out, const struct pickle_array *a, const char *name) {
    if (a->kind == 'f') return fail(ERR_FORMAT, "%s: an array of floats where integers are expected", name);
    for (size_t i = 0; i < a->count; i++) {
        uint64_t n = bits_at(a, place_of(a, i));
        if (a->kind == 'u' && n > INT64_MAX)
            return fail(ERR_FORMAT, "%s: element %zu of an array does not fit a signed integer", name, i);
        out[i] = a->kind == 'i' ? as_signed(n, a->item_size) : (int64_t)n;
    }
    return OK;
}
