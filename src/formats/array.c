/* array.c - see array.h.  Numbers are read with pread(): a file that somebody cuts
 * meanwhile is an error then, where a mapping would end the program. */
#include "dtrak/array.h"

#include "dtrak/file.h"
#include "dtrak/half.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"
#include "dtrak/pickle.h"
#include "dtrak/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name, *brief; size_t size; } types[ARRAY_TYPES] = {
    [ARRAY_F16] = { "float16", "f16", 2 }, [ARRAY_BF16] = { "bfloat16", "bf16", 2 }, [ARRAY_F32] = { "float32", "f32", 4 },
    [ARRAY_F64] = { "float64", "f64", 8 }, [ARRAY_U8] = { "uint8", "u8", 1 }, [ARRAY_I32] = { "int32", "i32", 4 },
    [ARRAY_I64] = { "int64", "i64", 8 },
};
enum { CHUNK = 65536, PICKLE_BYTES_MAX = 1 << 30, TEXT_BYTES_MAX = 1 << 28 };

const char *array_type_name(enum array_type t) { return types[t].name; }
size_t array_type_size(enum array_type t) { return types[t].size; }

enum array_type array_type_parse(const char *name) {
    for (int t = 0; t < ARRAY_TYPES; t++)
        if (!strcmp(name, types[t].name) || !strcmp(name, types[t].brief)) return (enum array_type)t;
    return ARRAY_TYPES;
}

/* --- opening --- */

static enum status open_file(struct array *a, const char *path) {
    struct stat sb;
    *a = (struct array){ .fd = -1, .type = ARRAY_F32 };
    a->path = mem_copy_string(path);
    if (!a->path) return fail(ERR_NOMEM, "%s: out of memory", path);
    a->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (a->fd < 0) return fail(errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(a->fd, &sb) != 0) return fail(ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(sb.st_mode)) return fail(ERR_FORMAT, "%s: not a regular file", path);
    if (sb.st_size == 0) return fail(ERR_FORMAT, "%s: the file is empty", path);
    a->file_bytes = (uint64_t)sb.st_size;
    return OK;
}

void array_close(struct array *a) {
    if (a->path && a->fd >= 0) close(a->fd);
    mem_free(a->path);
    mem_free(a->data);
    *a = (struct array){ .fd = -1 };
}

/* The whole file, for what looks at its head only. */
static enum status map_file(const struct array *a, const unsigned char **bytes) {
    void *p = mmap(NULL, (size_t)a->file_bytes, PROT_READ, MAP_PRIVATE, a->fd, 0);
    if (p == MAP_FAILED) return fail(ERR_IO, "%s: %s", a->path, strerror(errno));
    *bytes = p;
    return OK;
}

static void unmap(const struct array *a, const unsigned char *bytes) {
    munmap((void *)(uintptr_t)bytes, (size_t)a->file_bytes);
}

/* A matrix in Fortran order, as NumPy saves x.T, comes into memory in C order. */
static enum status turn(struct array *a, const unsigned char *data) {
    size_t size = types[a->type].size, rows = a->shape[0], cols = a->shape[1];
    if (a->rank != 2)
        return fail(ERR_FORMAT, "%s: array of %zu dimensions in Fortran order; save it in C order (numpy.ascontiguousarray)", a->path, a->rank);
    a->data = mem_array(a->count + 1, size);
    if (!a->data) return fail(ERR_NOMEM, "%s: out of memory to turn %zu x %zu numbers in Fortran order; save it in C order", a->path, rows, cols);
    for (size_t j = 0; j < cols; j++)
        for (size_t i = 0; i < rows; i++) memcpy(a->data + (i * cols + j) * size, data + (j * rows + i) * size, size);
    return OK;
}

static enum status look_npy(struct array *a, const unsigned char *bytes) {
    static const enum array_type as[] = {
        [NPY_F2] = ARRAY_F16, [NPY_F4] = ARRAY_F32, [NPY_F8] = ARRAY_F64, [NPY_U1] = ARRAY_U8, [NPY_I4] = ARRAY_I32,
        [NPY_I8] = ARRAY_I64,
    };
    struct npy n;
    TRY(npy_parse_any_order(&n, bytes, (size_t)a->file_bytes, a->path));
    a->type = as[n.type];
    a->rank = n.rank;
    a->count = n.count;
    memcpy(a->shape, n.shape, sizeof a->shape);
    a->offset = (uint64_t)(n.data - bytes);
    return n.fortran ? turn(a, n.data) : OK;
}

enum status array_open_npy(struct array *a, const char *path) {
    const unsigned char *bytes;
    TRY(open_file(a, path));
    TRY(map_file(a, &bytes));
    enum status st = look_npy(a, bytes);
    unmap(a, bytes);
    return st;
}

enum status array_open_raw(struct array *a, const char *path, size_t cols, enum array_type type) {
    TRY(open_file(a, path));
    if (cols == 0 || cols > (size_t)1 << 32) return fail(ERR_RANGE, "%s: rows of %zu numbers", path, cols);
    uint64_t row = (uint64_t)cols * types[type].size;
    if (a->file_bytes % row)
        return fail(ERR_FORMAT, "%s: %llu bytes are not a whole number of rows of %zu %s (%llu bytes each): %.2f rows", path,
                    (unsigned long long)a->file_bytes, cols, types[type].name, (unsigned long long)row,
                    (double)a->file_bytes / (double)row);
    a->type = type;
    a->rank = 2;
    a->shape[0] = (size_t)(a->file_bytes / row);
    a->shape[1] = cols;
    a->count = a->shape[0] * cols;
    return OK;
}

static enum status look_tensor(struct array *a, const unsigned char *bytes, const struct safetensors *s, const char *tensor) {
    static const enum array_type as[] = { [TENSOR_F32] = ARRAY_F32, [TENSOR_F16] = ARRAY_F16, [TENSOR_BF16] = ARRAY_BF16 };
    char names[200] = "";
    for (size_t i = 0, at = 0; i < safetensors_count(s) && at < sizeof names - 70; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.60s", i ? ", " : "", safetensors_at(s, i)->name);
    if (!tensor && safetensors_count(s) != 1)
        return fail(ERR_USAGE, "%s: %zu tensors; say which with --tensor: %s", a->path, safetensors_count(s), names);
    const struct safetensors_entry *e = tensor ? safetensors_find(s, tensor) : safetensors_at(s, 0);
    if (!e) return fail(ERR_MISSING, "%s: no tensor '%s'; there are: %s", a->path, tensor, names);
    if (e->type == TENSOR_OTHER)
        return fail(ERR_FORMAT, "%s: tensor '%s' is of type %s; F32, F16 and BF16 are read", a->path, e->name, e->type_name);
    a->type = as[e->type];
    a->rank = e->rank;
    a->count = e->count;
    memcpy(a->shape, e->shape, sizeof a->shape);
    a->offset = (uint64_t)(e->data - bytes);
    return OK;
}

enum status array_open_safetensors(struct array *a, const char *path, const char *tensor) {
    const unsigned char *bytes;
    struct safetensors *s = NULL;
    TRY(open_file(a, path));
    TRY(map_file(a, &bytes));
    enum status st = safetensors_open(&s, bytes, (size_t)a->file_bytes, path);
    if (st == OK) st = look_tensor(a, bytes, s, tensor);
    safetensors_free(s);
    unmap(a, bytes);
    return st;
}

/* Floats keep their values; whole numbers become int64. */
static enum status take_pickled(struct array *a, const struct pickle_array *p) {
    int whole = p->kind != 'f';
    a->type = whole ? ARRAY_I64 : p->item_size == 8 ? ARRAY_F64 : ARRAY_F32;
    a->rank = p->rank;
    a->count = p->count;
    memcpy(a->shape, p->shape, sizeof a->shape);
    a->data = mem_array(p->count + 1, types[a->type].size);
    if (!a->data) return fail(ERR_NOMEM, "%s: out of memory for %zu numbers", a->path, p->count);
    if (whole) return pickle_array_ints((int64_t *)(void *)a->data, p, a->path);
    if (p->item_size == 8) pickle_array_doubles((double *)(void *)a->data, p);
    else pickle_array_floats((float *)(void *)a->data, p);
    return OK;
}

/* "list of 2, list of 5, array": what nests in the first places of a value. */
static void describe_nesting(char *out, size_t size, const struct pickle *v) {
    size_t at = 0;
    if (size) out[0] = 0;
    for (int depth = 0; depth < 5 && v && at < size; depth++) {
        enum pickle_type t = pickle_type(v);
        at += (size_t)snprintf(out + at, size - at, "%s%s", depth ? ", " : "", pickle_type_name(t));
        if (t != PICKLE_LIST && t != PICKLE_TUPLE) return;
        if (at < size) at += (size_t)snprintf(out + at, size - at, " of %zu", pickle_len(v));
        v = pickle_at(v, 0);
    }
}

static enum status find_in_pickle(const struct pickle **out, const struct pickle *root, const char *place, const char *path) {
    const struct pickle *v = root;
    char nesting[160];
    for (const char *p = place ? place : ""; *p;) {
        size_t digits = strspn(p, "0123456789");
        unsigned long i = strtoul(p, NULL, 10);
        enum pickle_type t = pickle_type(v);
        int is_list = t == PICKLE_LIST || t == PICKLE_TUPLE;
        if (!digits || digits > 9 || (p[digits] && (p[digits] != '.' || !p[digits + 1])))
            return fail(ERR_USAGE, "%s: the place '%.40s' is not one in lists, as in --tensor 0.3", path, place);
        if (!is_list || i >= pickle_len(v)) {
            describe_nesting(nesting, sizeof nesting, root);
            return fail(ERR_MISSING, "%s: nothing at the place %.40s; the file holds: %s", path, place, nesting);
        }
        v = pickle_at(v, i);
        p += digits + (p[digits] == '.');
    }
    *out = v;
    if (pickle_array(v)) return OK;
    describe_nesting(nesting, sizeof nesting, v);
    return fail(ERR_FORMAT, "%s: a NumPy array of numbers is expected, and this is: %s%s", path, nesting,
                pickle_len(v) ? "; say which entry with --tensor, as in --tensor 0.3" : "");
}

enum status array_open_pickle(struct array *a, const char *path, const char *place) {
    unsigned char *bytes = NULL;
    size_t len;
    struct pickle_doc *doc = NULL;
    enum status st;
    TRY(open_file(a, path));
    TRY(file_read(&bytes, &len, path, PICKLE_BYTES_MAX));
    TRY_TO(pickle_read(&doc, bytes, len, path, NULL));
    const struct pickle *v = NULL;
    TRY_TO(find_in_pickle(&v, pickle_root(doc), place, path));
    st = take_pickled(a, pickle_array(v));
done:
    pickle_free(doc);
    mem_free(bytes);
    return st;
}

enum status array_open_any(struct array *a, const char *path, size_t cols) {
    static const unsigned char npy[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };
    unsigned char head[6] = { 0 };
    TRY(open_file(a, path));
    ssize_t got = pread(a->fd, head, sizeof head, 0);
    if (got < 0) return fail(ERR_IO, "%s: %s", path, strerror(errno));
    array_close(a);
    if (!memcmp(head, npy, sizeof npy)) return array_open_npy(a, path);
    size_t len = strlen(path);
    if (len > 4 && !strcmp(path + len - 4, ".pkl")) return array_open_pickle(a, path, NULL);
    if (!cols)
        return fail(ERR_FORMAT, "%s: not a NumPy array file; a raw file needs its numbers per row: --dims", path);
    return array_open_raw(a, path, cols, ARRAY_F32);
}

void array_reshape(struct array *a, size_t rows, size_t cols) {
    a->rank = 2;
    a->shape[0] = rows;
    a->shape[1] = cols;
}

void array_describe(char *out, size_t size, const struct array *a) {
    size_t at = 0;
    if (size) out[0] = 0;
    for (size_t i = 0; i < a->rank && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%zu", i ? " x " : "", a->shape[i]);
    if (at < size) snprintf(out + at, size - at, "%s%s", a->rank ? " " : "", types[a->type].name);
}

/* --- reading --- */

static enum status read_bytes(unsigned char *out, const struct array *a, uint64_t first, size_t bytes) {
    if (a->data) {
        memcpy(out, a->data + first, bytes);
        return OK;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(a->fd, out + done, bytes - done, (off_t)(a->offset + first + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(ERR_IO, "%s: %s", a->path, strerror(errno));
        if (n == 0) return fail(ERR_FORMAT, "%s: the file became shorter while it was read", a->path);
        done += (size_t)n;
    }
    return OK;
}

static int64_t whole_at(const unsigned char *p, enum array_type t, size_t i) {
    int32_t small;
    int64_t large;
    if (t == ARRAY_U8) return p[i];
    if (t == ARRAY_I32) {
        memcpy(&small, p + 4 * i, 4);
        return small;
    }
    memcpy(&large, p + 8 * i, 8);
    return large;
}

static float float_at(const unsigned char *p, enum array_type t, size_t i) {
    uint16_t h;
    float f;
    double d;
    switch (t) {
    case ARRAY_F16: memcpy(&h, p + 2 * i, 2); return half_to_float(h);
    case ARRAY_BF16: memcpy(&h, p + 2 * i, 2); return bfloat_to_float(h);
    case ARRAY_F32: memcpy(&f, p + 4 * i, 4); return f;
    case ARRAY_F64: memcpy(&d, p + 8 * i, 8); return (float)d;
    case ARRAY_U8: case ARRAY_I32: case ARRAY_I64: case ARRAY_TYPES: break;
    }
    return (float)whole_at(p, t, i);
}

enum status array_read_bytes(void *out, const struct array *a, uint64_t first, size_t bytes) {
    uint64_t all = (uint64_t)a->count * types[a->type].size;
    if (first > all || bytes > all - first)
        return fail(ERR_RANGE, "%s: bytes %llu to %llu of %llu", a->path, (unsigned long long)first, (unsigned long long)(first + bytes),
                    (unsigned long long)all);
    return read_bytes(out, a, first, bytes);
}

void array_decode(float *out, const void *bytes, size_t count, enum array_type t) {
    for (size_t i = 0; i < count; i++) out[i] = float_at(bytes, t, i);
}

enum status array_read(float *out, const struct array *a, uint64_t first, size_t count) {
    size_t size = types[a->type].size;
    unsigned char piece[CHUNK];
    if (first > a->count || count > a->count - first)
        return fail(ERR_RANGE, "%s: numbers %llu to %llu of %zu", a->path, (unsigned long long)first,
                    (unsigned long long)(first + count), a->count);
    if (a->type == ARRAY_F32) return read_bytes((unsigned char *)out, a, first * 4, count * 4);
    for (size_t i = 0; i < count;) {
        size_t n = count - i < CHUNK / size ? count - i : CHUNK / size;
        TRY(read_bytes(piece, a, (first + i) * size, n * size));
        array_decode(out + i, piece, n, a->type);
        i += n;
    }
    return OK;
}

enum status array_read_ints(int64_t *out, const struct array *a, uint64_t first, size_t count) {
    size_t size = types[a->type].size;
    unsigned char piece[CHUNK];
    if (a->type != ARRAY_U8 && a->type != ARRAY_I32 && a->type != ARRAY_I64)
        return fail(ERR_FORMAT, "%s: an array of %s, whole numbers are expected", a->path, types[a->type].name);
    if (first > a->count || count > a->count - first) return fail(ERR_RANGE, "%s: %zu numbers", a->path, a->count);
    for (size_t i = 0; i < count;) {
        size_t n = count - i < CHUNK / size ? count - i : CHUNK / size;
        TRY(read_bytes(piece, a, (first + i) * size, n * size));
        for (size_t j = 0; j < n; j++) out[i + j] = whole_at(piece, a->type, j);
        i += n;
    }
    return OK;
}

/* --- lists of indices --- */

static enum status keep(size_t *list, size_t i, int64_t value, const char *path) {
    if (value < 0) return fail(ERR_FORMAT, "%s: entry %zu is %lld; an index is 0 or more", path, i, (long long)value);
    list[i] = (size_t)value;
    return OK;
}

static enum status from_array(size_t **list, size_t *count, struct array *a) {
    if (a->rank != 1) return fail(ERR_FORMAT, "%s: an array of %zu dimensions, a list of indices is expected", a->path, a->rank);
    int64_t *whole = mem_array(a->count + 1, sizeof *whole);
    size_t *out = mem_array(a->count + 1, sizeof *out);
    enum status st = whole && out ? array_read_ints(whole, a, 0, a->count) : fail(ERR_NOMEM, "%s: out of memory", a->path);
    for (size_t i = 0; i < a->count && st == OK; i++) st = keep(out, i, whole[i], a->path);
    mem_free(whole);
    if (st != OK) mem_free(out);
    else *list = out, *count = a->count;
    return st;
}

static enum status from_pickle(size_t **list, size_t *count, const char *path) {
    unsigned char *bytes;
    size_t len, *out = NULL;
    struct pickle_doc *doc = NULL;
    TRY(file_read(&bytes, &len, path, PICKLE_BYTES_MAX));
    enum status st = pickle_read(&doc, bytes, len, path, NULL);
    const struct pickle *root = st == OK ? pickle_root(doc) : NULL;
    enum pickle_type t = pickle_type(root);
    if (st == OK && t != PICKLE_LIST && t != PICKLE_TUPLE)
        st = fail(ERR_FORMAT, "%s: a pickled %s, a list of indices is expected", path, pickle_type_name(t));
    size_t n = pickle_len(root);
    if (st == OK && !(out = mem_array(n + 1, sizeof *out))) st = fail(ERR_NOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < n && st == OK; i++) {
        const struct pickle *v = pickle_at(root, i);
        st = pickle_type(v) == PICKLE_INT ? keep(out, i, pickle_int(v, -1), path)
                                          : fail(ERR_FORMAT, "%s: entry %zu is a %s, an index is expected", path, i,
                                                 pickle_type_name(pickle_type(v)));
    }
    pickle_free(doc);
    mem_free(bytes);
    if (st != OK) mem_free(out);
    else *list = out, *count = n;
    return st;
}

enum status array_parse_indices(size_t **list, size_t *count, const char *text, const char *path) {
    size_t n = 0, line = 1;
    size_t *out = mem_array(strlen(text) / 2 + 2, sizeof *out);
    *list = NULL;
    *count = 0;
    if (!out) return fail(ERR_NOMEM, "%s: out of memory", path);
    for (const char *p = text; *p;) {
        if (*p == '\n') line++;
        if (*p == '\n' || *p == ' ' || *p == '\r' || *p == ',' || *p == '\t') {
            p++;
            continue;
        }
        size_t digits = strspn(p, "0123456789");
        if (!digits || digits > 18 || (p[digits] && !strchr("\n \r,\t", p[digits]))) {
            mem_free(out);
            return fail(ERR_FORMAT, "%s, line %zu: '%.12s' is not an index", path, line, p);
        }
        out[n++] = (size_t)strtoull(p, NULL, 10);
        p += digits;
    }
    *list = out;
    *count = n;
    return OK;
}

static enum status from_text(size_t **list, size_t *count, const char *path) {
    unsigned char *bytes;
    size_t len;
    TRY(file_read(&bytes, &len, path, TEXT_BYTES_MAX));
    enum status st = memchr(bytes, 0, len) ? fail(ERR_FORMAT, "%s: not a text file", path) : array_parse_indices(list, count, (const char *)bytes, path);
    mem_free(bytes);
    return st;
}

enum status array_read_indices(size_t **list, size_t *count, const char *path) {
    const char *dot = strrchr(path, '.');
    struct array a = { .fd = -1 };
    *list = NULL;
    *count = 0;
    if (dot && !strcmp(dot, ".npy")) {
        enum status st = array_open_npy(&a, path);
        if (st == OK) st = from_array(list, count, &a);
        array_close(&a);
        return st;
    }
    if (!dot || strcmp(dot, ".pkl") != 0) return from_text(list, count, path);
    enum status st = from_pickle(list, count, path);
    if (st != ERR_FORMAT) return st;
    st = array_open_pickle(&a, path, NULL);
    if (st == OK) st = from_array(list, count, &a);
    array_close(&a);
    return st;
}
