/* pickle_build.c - the explicit list of what a pickle may name, and what each
 * of them makes here.  Nothing is looked up, nothing is run. */
#include "pickle_vm.h"

#include "dtrak/half.h"
#include "dtrak/text.h"
#include "shape.h"

#include <string.h>

static const struct { const char *module, *word; enum global what; } globals[] = {
    { "collections", "OrderedDict", GLOBAL_ORDERED_DICT },
    { "numpy.core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT },
    { "numpy._core.multiarray", "_reconstruct", GLOBAL_RECONSTRUCT },
    { "numpy.core.multiarray", "scalar", GLOBAL_SCALAR },
    { "numpy._core.multiarray", "scalar", GLOBAL_SCALAR },
    { "numpy.core.numeric", "_frombuffer", GLOBAL_FROMBUFFER },
    { "numpy._core.numeric", "_frombuffer", GLOBAL_FROMBUFFER },
    { "numpy", "ndarray", GLOBAL_NDARRAY },
    { "numpy", "dtype", GLOBAL_DTYPE },
    { "_codecs", "encode", GLOBAL_ENCODE },
    { "__builtin__", "bytes", GLOBAL_BYTES },
    { "torch._utils", "_rebuild_tensor_v2", GLOBAL_REBUILD_TENSOR },
    { "torch._utils", "_rebuild_parameter", GLOBAL_REBUILD_PARAMETER },
    { "torch", "Size", GLOBAL_SIZE },
};

static const char *const storages[] = {
    "FloatStorage", "HalfStorage", "BFloat16Storage", "DoubleStorage", "LongStorage", "IntStorage",
    "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage",
};

static enum status new_global(struct pickle **out, struct pickle_doc *d, enum global what, const char *storage,
                              const char *name) {
    TRY(pickle_new(out, d, HIDDEN_GLOBAL, name));
    (*out)->u.integer = what;
    (*out)->storage_type = storage;
    return OK;
}

enum status pickle_global(struct pickle **out, struct pickle_doc *d, const char *module, const char *word,
                          const char *name) {
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (!strcmp(module, globals[i].module) && !strcmp(word, globals[i].word))
            return new_global(out, d, globals[i].what, NULL, name);
    for (size_t i = 0; !strcmp(module, "torch") && i < sizeof storages / sizeof *storages; i++)
        if (!strcmp(word, storages[i])) return new_global(out, d, GLOBAL_STORAGE, storages[i], name);
    return fail(ERR_FORMAT, "%s: this pickle asks for %.80s.%.80s, which is never called: only plain values, NumPy "
                "arrays and PyTorch tensors are read", name, module, word);
}

static enum status refuse(const char *name, const char *what) {
    return fail(ERR_FORMAT, "%s: damaged pickle: %s", name, what);
}

static const struct pickle *arg(const struct pickle *args, size_t i) {
    return i < args->len ? args->u.items[i] : NULL;
}

static int is_type(const struct pickle *v, int type) { return v && v->type == type; }

/* Bytes, or a Python 2 string, as bytes. */
static const unsigned char *raw_bytes(const struct pickle *v, size_t *len) {
    if (!is_type(v, PICKLE_BYTES) && !is_type(v, PICKLE_STRING)) return NULL;
    *len = v->len;
    return is_type(v, PICKLE_BYTES) ? v->u.bytes : (const unsigned char *)v->u.text;
}

/* A tuple of sizes. */
static enum status read_sizes(size_t *rank, size_t *sizes, const struct pickle *v, const char *name) {
    if (!is_type(v, PICKLE_TUPLE)) return refuse(name, "a shape is no tuple");
    if (v->len > PICKLE_RANK_MAX)
        return fail(ERR_FORMAT, "%s: an array of %zu dimensions; at most %d are read", name, v->len, PICKLE_RANK_MAX);
    *rank = v->len;
    for (size_t i = 0; i < v->len; i++) {
        if (!is_type(v->u.items[i], PICKLE_INT) || v->u.items[i]->u.integer < 0)
            return refuse(name, "a dimension is no size");
        sizes[i] = (size_t)v->u.items[i]->u.integer;
    }
    return OK;
}

/* A call copies what it is given, and two bytes of a file are enough for it to be given the same again. */
static enum status count_copy(struct pickle_doc *d, size_t bytes, const char *name) {
    if (bytes > d->may_copy) return refuse(name, "it makes far more out of its bytes than they are");
    d->may_copy -= bytes;
    return OK;
}

/* --- plain --- */

/* OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]). */
static enum status make_dict(struct pickle *dict, struct pickle_doc *d, const struct pickle *args, const char *name) {
    const struct pickle *pairs = arg(args, 0);
    if (!pairs) return OK;
    if (args->len != 1 || (pairs->type != PICKLE_LIST && pairs->type != PICKLE_TUPLE))
        return refuse(name, "an OrderedDict of what is no list");
    TRY(count_copy(d, 2 * pairs->len * sizeof pairs, name));
    for (size_t i = 0; i < pairs->len; i++) {
        const struct pickle *pair = pairs->u.items[i];
        if ((pair->type != PICKLE_LIST && pair->type != PICKLE_TUPLE) || pair->len != 2)
            return refuse(name, "an OrderedDict of what are no pairs");
        TRY(pickle_push(d, dict, pair->u.items[0], name));
        TRY(pickle_push(d, dict, pair->u.items[1], name));
    }
    return OK;
}

/* _codecs.encode(text, 'latin1'): how protocols 0 to 2 write bytes. */
static enum status make_latin1(struct pickle *v, struct pickle_doc *d, const struct pickle *args, const char *name) {
    const struct pickle *text = arg(args, 0), *codec = arg(args, 1);
    if (!is_type(text, PICKLE_STRING) || !is_type(codec, PICKLE_STRING) ||
        (strcmp(codec->u.text, "latin1") && strcmp(codec->u.text, "latin-1")))
        return refuse(name, "_codecs.encode of something else than a text to latin1");
    TRY(count_copy(d, text->len, name));
    unsigned char *bytes = pickle_alloc(d, text->len + 1, 1);
    if (!bytes) return fail(ERR_NOMEM, "%s: out of memory", name);
    v->len = 0;
    for (size_t i = 0; i < text->len;) {
        uint32_t cp;
        size_t n = text_decode(text->u.text + i, &cp);
        if (cp > 255) return refuse(name, "a character beyond latin1 among bytes");
        bytes[v->len++] = (unsigned char)cp;
        i += n ? n : 1;
    }
    v->u.bytes = bytes;
    return OK;
}

/* --- NumPy --- */

/* numpy.dtype('f4', False, True): letters as NumPy's, with or without '<'. */
static enum status make_dtype(struct pickle *v, const struct pickle *args, const char *name) {
    const char *s = pickle_string(arg(args, 0), ""), *whole = s;
    struct dtype t = { 0, 0, 0 };
    if (*s && strchr("<>=|", *s)) t.big_endian = *s++ == '>';
    if (*s && strchr("fiub", *s) && s[1] >= '1' && s[1] <= '8' && !s[2]) {
        t.kind = *s;
        t.item_size = (size_t)(s[1] - '0');
    }
    size_t n = t.item_size;
    if (t.kind == 'f' ? n != 2 && n != 4 && n != 8 : t.kind == 'b' ? n != 1 : n != 1 && n != 2 && n != 4 && n != 8)
        return fail(ERR_FORMAT, "%s: an array of type '%.20s'; numbers (f2 f4 f8 i1 to i8 u1 to u8 b1) are read", name, whole);
    v->u.dtype = t;
    return OK;
}

static enum status make_scalar(struct pickle *v, const struct pickle *args, const char *name) {
    const struct pickle *type = arg(args, 0);
    size_t len = 0;
    const unsigned char *bytes = raw_bytes(arg(args, 1), &len);
    if (!is_type(type, HIDDEN_DTYPE) || !bytes || len != type->u.dtype.item_size)
        return refuse(name, "a NumPy scalar without its bytes");
    struct dtype t = type->u.dtype;
    struct pickle_array a = { t.kind, t.item_size, t.big_endian, 0, 0, { 0 }, 1, bytes };
    if (t.kind == 'f') {
        double x;
        pickle_array_doubles(&x, &a);
        v->type = PICKLE_FLOAT;
        v->u.real = x;
        return OK;
    }
    int64_t n;
    TRY(pickle_array_ints(&n, &a, name));
    v->type = t.kind == 'b' ? PICKLE_BOOL : PICKLE_INT;
    v->u.integer = n;
    return OK;
}

static enum status make_array(struct pickle *v, struct pickle_doc *d, const struct pickle *shape,
                              const struct pickle *type, int fortran, const struct pickle *data, const char *name) {
    struct pickle_array *a = pickle_alloc(d, 1, sizeof *a);
    size_t len = 0, bytes;
    if (!a) return fail(ERR_NOMEM, "%s: out of memory", name);
    a->data = raw_bytes(data, &len);
    if (!is_type(type, HIDDEN_DTYPE) || !a->data) return refuse(name, "a NumPy array without a type or bytes");
    TRY(read_sizes(&a->rank, a->shape, shape, name));
    a->kind = type->u.dtype.kind;
    a->item_size = type->u.dtype.item_size;
    a->big_endian = type->u.dtype.big_endian;
    a->fortran = fortran;
    if (!shape_sizes(&a->count, &bytes, a->shape, a->rank, a->item_size) || bytes != len)
        return fail(ERR_FORMAT, "%s: a NumPy array has %zu bytes; its shape needs another number", name, len);
    v->type = PICKLE_ARRAY;
    v->u.array = a;
    return OK;
}

/* --- PyTorch --- */

enum status pickle_storage(struct pickle **out, struct pickle_doc *d, const struct pickle *id, const char *name) {
    const struct pickle *type = id->type == PICKLE_TUPLE ? arg(id, 1) : NULL, *count = type ? arg(id, 4) : NULL;
    if (!type || !is_type(arg(id, 0), PICKLE_STRING) || strcmp(arg(id, 0)->u.text, "storage") ||
        !is_type(type, HIDDEN_GLOBAL) || type->u.integer != GLOBAL_STORAGE || !is_type(arg(id, 2), PICKLE_STRING) ||
        !is_type(count, PICKLE_INT) || count->u.integer < 0)
        return refuse(name, "a persistent id that is no PyTorch storage");
    struct storage *s = pickle_alloc(d, 1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "%s: out of memory", name);
    TRY(pickle_new(out, d, HIDDEN_STORAGE, name));
    *s = (struct storage){ arg(id, 2)->u.text, type->storage_type, (size_t)count->u.integer };
    (*out)->u.storage = s;
    return OK;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]).
 * Whatever the strides are, the last element lies inside the storage. */
static enum status make_tensor(struct pickle *v, struct pickle_doc *d, const struct pickle *args, const char *name) {
    const struct pickle *s = arg(args, 0), *offset = arg(args, 1);
    size_t rank, count, bytes, last;
    struct pickle_tensor *t = pickle_alloc(d, 1, sizeof *t);
    if (!t) return fail(ERR_NOMEM, "%s: out of memory", name);
    if (!is_type(s, HIDDEN_STORAGE) || !is_type(offset, PICKLE_INT) || offset->u.integer < 0)
        return refuse(name, "a tensor without a storage or an offset");
    TRY(read_sizes(&t->rank, t->shape, arg(args, 2), name));
    TRY(read_sizes(&rank, t->stride, arg(args, 3), name));
    if (rank != t->rank || !shape_sizes(&count, &bytes, t->shape, rank, 8)) return refuse(name, "a tensor's shape does not fit its strides");
    t->storage = s->u.storage->key;
    t->storage_type = s->u.storage->type;
    t->storage_count = s->u.storage->count;
    t->offset = last = (size_t)offset->u.integer;
    for (size_t i = 0; i < rank && count; i++) {
        size_t step;
        if (!size_mul(&step, t->shape[i] - 1, t->stride[i]) || step > SIZE_MAX - last) return refuse(name, "a tensor's strides are too large");
        last += step;
    }
    if (count && last >= t->storage_count)
        return fail(ERR_FORMAT, "%s: a tensor reaches to element %zu of a storage of %zu", name, last, t->storage_count);
    v->type = PICKLE_TENSOR;
    v->u.tensor = t;
    return OK;
}

/* --- calls --- */

enum status pickle_reduce(struct pickle **out, struct pickle_doc *d, const struct pickle *f,
                          const struct pickle *args, const char *name) {
    struct pickle *v;
    static const int types[] = {
        [GLOBAL_ORDERED_DICT] = PICKLE_DICT, [GLOBAL_RECONSTRUCT] = HIDDEN_EMPTY_ARRAY, [GLOBAL_SCALAR] = PICKLE_NONE,
        [GLOBAL_FROMBUFFER] = PICKLE_NONE, [GLOBAL_NDARRAY] = -1, [GLOBAL_DTYPE] = HIDDEN_DTYPE,
        [GLOBAL_ENCODE] = PICKLE_BYTES, [GLOBAL_BYTES] = PICKLE_BYTES, [GLOBAL_REBUILD_TENSOR] = PICKLE_NONE,
        [GLOBAL_REBUILD_PARAMETER] = -2, [GLOBAL_SIZE] = -2, [GLOBAL_STORAGE] = -1,
    };
    int type = types[f->u.integer];
    if (type == -1) return refuse(name, "a class is called that is no function");
    if (type == -2) {   /* what they wrap */
        int wanted = f->u.integer == GLOBAL_SIZE ? PICKLE_TUPLE : PICKLE_TENSOR;
        if (!is_type(arg(args, 0), wanted)) return refuse(name, "a parameter or size of something else");
        *out = args->u.items[0];
        return OK;
    }
    TRY(pickle_new(&v, d, type, name));
    *out = v;
    switch ((enum global)f->u.integer) {
    case GLOBAL_ORDERED_DICT: return make_dict(v, d, args, name);
    case GLOBAL_SCALAR: return make_scalar(v, args, name);
    case GLOBAL_FROMBUFFER:
        return make_array(v, d, arg(args, 2), arg(args, 1), !strcmp(pickle_string(arg(args, 3), "C"), "F"), arg(args, 0), name);
    case GLOBAL_DTYPE: return make_dtype(v, args, name);
    case GLOBAL_ENCODE: return make_latin1(v, d, args, name);
    case GLOBAL_BYTES:
        if (args->len) return refuse(name, "bytes() of something");
        v->u.bytes = "";
        return OK;
    case GLOBAL_REBUILD_TENSOR: return make_tensor(v, d, args, name);
    case GLOBAL_RECONSTRUCT: case GLOBAL_NDARRAY: case GLOBAL_REBUILD_PARAMETER: case GLOBAL_SIZE:
    case GLOBAL_STORAGE: break;
    }
    return OK;
}

enum status pickle_build(struct pickle_doc *d, struct pickle *obj, const struct pickle *state, const char *name) {
    switch (obj->type) {
    case PICKLE_DICT:   /* attributes of a state dict: _metadata, with module versions */
        return state->type == PICKLE_DICT ? OK : refuse(name, "an OrderedDict's state is no dict");
    case HIDDEN_DTYPE: {   /* (3, '<', None, None, None, -1, -1, 0) */
        const char *order = is_type(state, PICKLE_TUPLE) ? pickle_string(arg(state, 1), "") : "";
        if (!*order || !strchr("<>=|", *order) || order[1] || is_type(arg(state, 3), PICKLE_TUPLE))
            return refuse(name, "a NumPy type with fields or without a byte order");
        obj->u.dtype.big_endian = *order == '>';
        return OK;
    }
    case HIDDEN_EMPTY_ARRAY: {   /* (1, shape, dtype, is_fortran, bytes) */
        const struct pickle *fortran = is_type(state, PICKLE_TUPLE) ? arg(state, 3) : NULL;
        if (!fortran || state->len != 5) return refuse(name, "a NumPy array's state is no tuple of five");
        return make_array(obj, d, arg(state, 1), arg(state, 2), pickle_int(fortran, 0) != 0, arg(state, 4), name);
    }
    default: return refuse(name, "a state for what takes none");
    }
}
