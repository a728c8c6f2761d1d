/* PyTorch checkpoints as named tensors; see torch_file.h. */
#include "dtrak/torch_file.h"

#include "dtrak/mem.h"
#include "dtrak/pickle.h"
#include "shape.h"
#include "zip.h"

#include <stdio.h>
#include <string.h>

struct torch_file {
    struct pickle_doc *doc;
    struct pickle_doc *keys;              /* the older format's list of storages */
    struct zip zip;
    struct safetensors_entry *entries;
    unsigned char **copies;               /* of tensors that were not contiguous */
    size_t count;
    size_t may_copy;                      /* bytes of such that there may still be */
};

/* The older format starts with the pickle of this number, 0x1950a86a20f9469cfc6c. */
static const unsigned char magic[15] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.' };

static const struct { const char *storage, *name; size_t bytes; enum tensor_type type; } types[] = {
    { "FloatStorage", "F32", 4, TENSOR_F32 }, { "HalfStorage", "F16", 2, TENSOR_F16 },
    { "BFloat16Storage", "BF16", 2, TENSOR_BF16 }, { "DoubleStorage", "F64", 8, TENSOR_OTHER },
    { "LongStorage", "I64", 8, TENSOR_OTHER }, { "IntStorage", "I32", 4, TENSOR_OTHER },
    { "ShortStorage", "I16", 2, TENSOR_OTHER }, { "CharStorage", "I8", 1, TENSOR_OTHER },
    { "ByteStorage", "U8", 1, TENSOR_OTHER }, { "BoolStorage", "BOOL", 1, TENSOR_OTHER },
};

int torch_file_is(const void *bytes, size_t len) {
    const unsigned char *p = bytes;
    return (len >= 4 && !memcmp(p, "PK\3\4", 4)) || (len >= sizeof magic && !memcmp(p, magic, sizeof magic));
}

/* --- one tensor --- */

static int is_contiguous(const struct pickle_tensor *t) {
    size_t step = 1;
    for (size_t i = t->rank; i-- > 0; step *= t->shape[i])
        if (t->shape[i] != 1 && t->stride[i] != step) return 0;
    return 1;
}

/* Copies a strided view of `storage`, whose bounds pickle.h checked. */
static void gather(unsigned char *to, const unsigned char *storage, const struct pickle_tensor *t, size_t count,
                   size_t item) {
    size_t index[PICKLE_RANK_MAX] = { 0 };
    for (size_t i = 0; i < count; i++) {
        size_t at = t->offset;
        for (size_t k = 0; k < t->rank; k++) at += index[k] * t->stride[k];
        memcpy(to + i * item, storage + at * item, item);
        for (size_t k = t->rank; k-- > 0 && ++index[k] == t->shape[k];) index[k] = 0;
    }
}

/* Where the storage of t stands: in its ZIP entry, or in the row of storages. */
struct place { const unsigned char *data; size_t len; };
struct finder { struct torch_file *f; const char *prefix; const struct place *places; const char *name; };

static enum status find_storage(struct place *out, const struct finder *find, const struct pickle_tensor *t,
                                const char *key) {
    if (find->places) {
        const struct pickle *keys = pickle_root(find->f->keys);
        for (size_t i = 0; i < pickle_len(keys); i++)
            if (!strcmp(pickle_string(pickle_at(keys, i), ""), t->storage)) {
                *out = find->places[i];
                return OK;
            }
        return fail(ERR_FORMAT, "%s: tensor %.80s: its storage %.40s is not in the file", find->name, key, t->storage);
    }
    char name[ZIP_NAME_MAX + 1];
    int n = snprintf(name, sizeof name, "%s/data/%s", find->prefix, t->storage);
    const struct zip_entry *e = n > 0 && (size_t)n < sizeof name ? zip_find(&find->f->zip, name) : NULL;
    if (!e) return fail(ERR_FORMAT, "%s: tensor %.80s: its storage %.40s is not in the archive", find->name, key, t->storage);
    *out = (struct place){ e->data, e->len };
    return OK;
}

static enum status read_tensor(struct torch_file *f, const struct finder *find, const char *key, const struct pickle *v) {
    const struct pickle_tensor *t = pickle_tensor(v);
    struct safetensors_entry *e = &f->entries[f->count];
    struct place storage = { NULL, 0 };
    size_t k = 0, need;
    if (!t)
        return fail(ERR_FORMAT, "%s: \"%.80s\" is %s; a state dict, which holds tensors only, is expected", find->name,
                    key, pickle_type_name(pickle_type(v)));
    while (k < sizeof types / sizeof *types && strcmp(types[k].storage, t->storage_type)) k++;
    if (k == sizeof types / sizeof *types)
        return fail(ERR_FORMAT, "%s: tensor %.80s has a %s, which is not read", find->name, key, t->storage_type);
    TRY(find_storage(&storage, find, t, key));
    if (!size_mul(&need, t->storage_count, types[k].bytes) || need != storage.len)
        return fail(ERR_FORMAT, "%s: tensor %.80s: its storage %.40s has %zu bytes; %zu %s are promised", find->name, key,
                    t->storage, storage.len, t->storage_count, types[k].storage);
    e->name = key;
    e->type = types[k].type;
    e->type_name = types[k].name;
    e->rank = t->rank;
    memcpy(e->shape, t->shape, sizeof t->shape);
    if (!shape_sizes(&e->count, &e->len, e->shape, e->rank, types[k].bytes))
        return fail(ERR_FORMAT, "%s: tensor %.80s: its shape is too large for any memory", find->name, key);
    f->count++;
    if (!e->count) e->data = storage.data;
    else if (is_contiguous(t)) e->data = storage.data + t->offset * types[k].bytes;
    else if (e->count > t->storage_count)   /* an expanded view: one number many times */
        return fail(ERR_FORMAT, "%s: tensor %.80s has %zu elements in a storage of %zu", find->name, key, e->count,
                    t->storage_count);
    else if (e->len > f->may_copy) {   /* many views of one storage */
        return fail(ERR_FORMAT, "%s: its tensors show far more than the file has: %.80s is one too many", find->name, key);
    } else {
        unsigned char *copy = mem_array(e->len, 1);
        if (!copy) return fail(ERR_NOMEM, "%s: out of memory", find->name);
        f->copies[f->count - 1] = copy;
        f->may_copy -= e->len;
        gather(copy, storage.data, t, e->count, types[k].bytes);
        e->data = copy;
    }
    return OK;
}

static enum status read_tensors(struct torch_file *f, const struct finder *find) {
    const struct pickle *root = pickle_root(f->doc);
    size_t n = pickle_len(root);
    if (pickle_type(root) != PICKLE_DICT)
        return fail(ERR_FORMAT, "%s: holds %s; a state dict is expected", find->name, pickle_type_name(pickle_type(root)));
    f->entries = mem_array(n, sizeof *f->entries);
    f->copies = mem_array(n, sizeof *f->copies);
    if (!f->entries || !f->copies) return fail(ERR_NOMEM, "%s: no memory for its %zu tensors", find->name, n);
    for (size_t i = 0; i < n; i++) {
        const char *key = pickle_string(pickle_key(root, i), NULL);
        if (!key) return fail(ERR_FORMAT, "%s: a tensor's name is no text", find->name);
        TRY(read_tensor(f, find, key, pickle_at(root, i)));
    }
    return OK;
}

/* --- the two formats --- */

/* NAME/data.pkl and NAME/data/0, 1, ...; NAME is "archive" or the file's. */
static enum status open_zip(struct torch_file *f, const void *bytes, size_t len, const char *name) {
    char prefix[ZIP_NAME_MAX + 1] = "";
    const struct zip_entry *pkl = NULL;
    TRY(zip_open(&f->zip, bytes, len, name));
    for (size_t i = 0; i < f->zip.count; i++) {
        const char *slash = strchr(f->zip.entry[i].name, '/');
        if (!slash || strcmp(slash, "/data.pkl")) continue;
        if (pkl) return fail(ERR_FORMAT, "%s: two data.pkl in one archive", name);
        pkl = &f->zip.entry[i];
        snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - pkl->name), pkl->name);
    }
    if (!pkl) return fail(ERR_FORMAT, "%s: a ZIP archive without data.pkl; it is no PyTorch checkpoint", name);
    char order_name[ZIP_NAME_MAX + 16];
    snprintf(order_name, sizeof order_name, "%s/byteorder", prefix);
    const struct zip_entry *order = zip_find(&f->zip, order_name);
    if (order && (order->len != 6 || memcmp(order->data, "little", 6)))
        return fail(ERR_FORMAT, "%s: a checkpoint with another byte order than little-endian", name);
    TRY(pickle_read(&f->doc, pkl->data, pkl->len, name, NULL));
    struct finder find = { f, prefix, NULL, name };
    return read_tensors(f, &find);
}

static enum status check_header(const unsigned char *p, size_t len, size_t *at, const char *name) {
    size_t used = 0;
    struct pickle_doc *version = NULL, *system = NULL;
    *at = sizeof magic;
    enum status st = pickle_read(&version, p + *at, len - *at, name, &used);
    *at += used;
    if (st == OK) st = pickle_read(&system, p + *at, len - *at, name, &used);
    *at += used;
    if (st == OK && (pickle_int(pickle_root(version), 0) != 1001 ||
                     pickle_int(pickle_get(pickle_root(system), "little_endian"), 1) != 1))
        st = fail(ERR_FORMAT, "%s: a PyTorch checkpoint of another version than 1001, or not little-endian", name);
    pickle_free(version);
    pickle_free(system);
    return st;
}

/* How many bytes the elements of a storage take, by the first tensor in it. */
static size_t item_bytes(const struct pickle *root, const char *key) {
    for (size_t i = 0; i < pickle_len(root); i++) {
        const struct pickle_tensor *t = pickle_tensor(pickle_at(root, i));
        if (!t || strcmp(t->storage, key)) continue;
        for (size_t k = 0; k < sizeof types / sizeof *types; k++)
            if (!strcmp(types[k].storage, t->storage_type)) return types[k].bytes;
    }
    return 0;
}

/* After the pickles: for each storage its number of elements, then its bytes. */
static enum status open_row(struct torch_file *f, const unsigned char *p, size_t len, const char *name) {
    size_t at = 0, used = 0;
    TRY(check_header(p, len, &at, name));
    TRY(pickle_read(&f->doc, p + at, len - at, name, &used));
    at += used;
    TRY(pickle_read(&f->keys, p + at, len - at, name, &used));
    at += used;
    const struct pickle *keys = pickle_root(f->keys), *root = pickle_root(f->doc);
    size_t n = pickle_len(keys);
    struct place *places = mem_array(n, sizeof *places);
    enum status st = places ? OK : fail(ERR_NOMEM, "%s: out of memory", name);
    for (size_t i = 0; st == OK && i < n; i++) {
        const char *key = pickle_string(pickle_at(keys, i), "?");
        size_t item = item_bytes(root, key);
        uint64_t count = len - at >= 8 ? le64(p + at) : UINT64_MAX;
        if (!item || count > (len - at - 8) / item) {
            st = fail(ERR_FORMAT, "%s: storage %.40s goes past the end of the file or belongs to no tensor", name, key);
            break;
        }
        places[i] = (struct place){ p + at + 8, (size_t)count * item };
        at += 8 + (size_t)count * item;
    }
    if (st == OK && at != len) st = fail(ERR_FORMAT, "%s: %zu bytes follow the last storage", name, len - at);
    struct finder find = { f, NULL, places, name };
    if (st == OK) st = read_tensors(f, &find);
    mem_free(places);
    return st;
}

/* Tensors may share a storage, and be turned in it: of the file's size, so many times. */
enum { COPIES = 8 };

enum status torch_file_open(struct torch_file **out, const void *bytes, size_t len, const char *name) {
    *out = NULL;
    if (!torch_file_is(bytes, len)) return fail(ERR_FORMAT, "%s: neither of PyTorch's two checkpoint formats", name);
    struct torch_file *f = mem_array(1, sizeof *f);
    if (!f) return fail(ERR_NOMEM, "%s: out of memory", name);
    f->may_copy = len < SIZE_MAX / COPIES ? COPIES * len : SIZE_MAX;
    enum status st = ((const unsigned char *)bytes)[0] == 'P' ? open_zip(f, bytes, len, name) : open_row(f, bytes, len, name);
    if (st == OK) *out = f;
    else torch_file_free(f);
    return st;
}

void torch_file_free(struct torch_file *f) {
    if (!f) return;
    for (size_t i = 0; f->copies && i < f->count; i++) mem_free(f->copies[i]);
    pickle_free(f->doc);
    pickle_free(f->keys);
    zip_close(&f->zip);
    mem_free(f->entries);
    mem_free(f->copies);
    mem_free(f);
}

size_t torch_file_count(const struct torch_file *f) { return f->count; }

const struct safetensors_entry *torch_file_at(const struct torch_file *f, size_t i) {
    return i < f->count ? &f->entries[i] : NULL;
}
