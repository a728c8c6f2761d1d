/* NumPy's array format: magic, version, a Python dict as header, the data.
 *
 * The dict is read as NumPy writes it (keys in any order, single or double
 * quotes); it is not Python and nothing in it is evaluated. */
#include "dtrak/npy.h"

#include "dtrak/half.h"
#include "shape.h"

#include <stdint.h>
#include <string.h>

static const unsigned char magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };

static const struct { const char *descr; size_t size; } types[] = {
    [NPY_F2] = { "<f2", 2 }, [NPY_F4] = { "<f4", 4 }, [NPY_F8] = { "<f8", 8 },
    [NPY_U1] = { "|u1", 1 }, [NPY_I4] = { "<i4", 4 }, [NPY_I8] = { "<i8", 8 },
};
#define TYPES (sizeof types / sizeof *types)

size_t npy_item_size(enum npy_type t) { return types[t].size; }

struct cursor { const unsigned char *p, *end; const char *name; };

static enum status refuse(const struct cursor *c, const char *expected) {
    if (c->p >= c->end)
        return fail(ERR_FORMAT, "%s: the NPY header ends where %s is expected", c->name,
                    expected);
    return fail(ERR_FORMAT, "%s: NPY header: found '%c' where %s is expected", c->name, *c->p,
                expected);
}

static void skip_blanks(struct cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n')) c->p++;
}

/* Skips blanks; then takes ch if it is next. */
static int take(struct cursor *c, char ch) {
    skip_blanks(c);
    if (c->p >= c->end || *c->p != (unsigned char)ch) return 0;
    c->p++;
    return 1;
}

static enum status take_text(struct cursor *c, char *out, size_t size) {
    char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : 0;
    size_t n = 0;
    if (!quote) return refuse(c, "a quote");
    while (c->p < c->end && *c->p != (unsigned char)quote) {
        if (n + 1 >= size) return refuse(c, "the end of a short text");
        out[n++] = (char)*c->p++;
    }
    out[n] = 0;
    if (c->p >= c->end) return refuse(c, "a closing quote");
    c->p++;
    return OK;
}

static int take_word(struct cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0) return 0;
    c->p += n;
    return 1;
}

static enum status take_shape(struct cursor *c, struct npy *a) {
    if (!take(c, '(')) return refuse(c, "'(' before the shape");
    while (!take(c, ')')) {
        size_t n = 0;
        if (c->p >= c->end || *c->p < '0' || *c->p > '9') return refuse(c, "a dimension");
        if (a->rank == NPY_RANK_MAX)
            return fail(ERR_FORMAT, "%s: more than %d dimensions; that is the most that is read",
                        c->name, NPY_RANK_MAX);
        for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
            if (n > (SIZE_MAX - 9) / 10)
                return fail(ERR_FORMAT, "%s: dimension %zu of the NPY shape is too large",
                            c->name, a->rank);
            n = n * 10 + (size_t)(*c->p - '0');
        }
        (void)take(c, 'L');   /* Python 2 wrote 3L */
        a->shape[a->rank++] = n;
        if (!take(c, ',')) {
            if (!take(c, ')')) return refuse(c, "',' or ')' in the shape");
            break;
        }
    }
    return OK;
}

static enum status take_type(struct cursor *c, struct npy *a) {
    char descr[16];
    TRY(take_text(c, descr, sizeof descr));
    for (size_t i = 0; i < TYPES; i++) {
        /* One byte has no order: NumPy writes |u1, others <u1. */
        if (strcmp(descr, types[i].descr) == 0
            || (types[i].size == 1 && strcmp(descr + (descr[0] == '<'), types[i].descr + 1) == 0)) {
            a->type = (enum npy_type)i;
            return OK;
        }
    }
    return fail(ERR_FORMAT, "%s: array of type %s; <f2 <f4 <f8 |u1 <i4 <i8 are read", c->name,
                descr);
}

static enum status take_dict(struct cursor *c, struct npy *a) {
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    int seen = 0;
    char key[16];

    if (!take(c, '{')) return refuse(c, "'{'");
    while (!take(c, '}')) {
        TRY(take_text(c, key, sizeof key));
        int which = strcmp(key, "descr") == 0 ? DESCR : strcmp(key, "fortran_order") == 0 ? ORDER
                  : strcmp(key, "shape") == 0 ? SHAPE : 0;
        if (!which || (seen & which))
            return fail(ERR_FORMAT, "%s: NPY header: key %s is %s", c->name, key,
                        which ? "there twice" : "unknown");
        seen |= which;
        if (!take(c, ':')) return refuse(c, "':'");
        if (which == DESCR) TRY(take_type(c, a));
        else if (which == SHAPE) TRY(take_shape(c, a));
        else if (take_word(c, "True")) a->fortran = 1;
        else if (!take_word(c, "False")) return refuse(c, "True or False");
        if (!take(c, ',')) {
            if (!take(c, '}')) return refuse(c, "',' or '}'");
            break;
        }
    }
    if (seen != (DESCR | ORDER | SHAPE))
        return fail(ERR_FORMAT, "%s: the NPY header lacks descr, fortran_order or shape", c->name);
    skip_blanks(c);
    return c->p == c->end ? OK : refuse(c, "the end of the header");
}

enum status npy_parse(struct npy *out, const void *bytes, size_t len, const char *name) {
    TRY(npy_parse_any_order(out, bytes, len, name));
    if (!out->fortran) return OK;
    *out = (struct npy){ .type = NPY_F4 };
    return fail(ERR_FORMAT, "%s: array in Fortran order; save it in C order (numpy.ascontiguousarray)", name);
}

enum status npy_parse_any_order(struct npy *out, const void *bytes, size_t len, const char *name) {
    const unsigned char *p = bytes;

    *out = (struct npy){ .type = NPY_F4 };
    if (len < 10 || memcmp(p, magic, sizeof magic) != 0)
        return fail(ERR_FORMAT, "%s: not a NumPy array file (\\x93NUMPY is expected at its "
                    "start)", name);
    if (p[6] < 1 || p[6] > 2)
        return fail(ERR_FORMAT, "%s: NPY version %d.%d; 1 and 2 are read", name, p[6], p[7]);
    size_t head = p[6] == 1 ? 10 : 12;
    if (len < head)
        return fail(ERR_FORMAT, "%s: %zu bytes; the NPY header starts at byte %zu", name, len,
                    head);
    size_t size = p[6] == 1 ? le16(p + 8) : le32(p + 8);
    if (size > len - head)
        return fail(ERR_FORMAT, "%s: an NPY header of %zu bytes is promised, %zu bytes follow",
                    name, size, len - head);
    struct cursor c = { p + head, p + head + size, name };
    struct npy a = { .type = NPY_F4 };
    TRY(take_dict(&c, &a));
    size_t wanted, have = len - head - size;
    if (!shape_sizes(&a.count, &wanted, a.shape, a.rank, types[a.type].size))
        return fail(ERR_FORMAT, "%s: its shape is too large for any memory", name);
    if (wanted != have)
        return fail(ERR_FORMAT, "%s: %zu bytes of data; the shape needs %zu", name, have, wanted);
    a.data = p + head + size;
    if (a.rank < 2) a.fortran = 0;
    *out = a;
    return OK;
}

static double element(const struct npy *a, size_t i) {
    const unsigned char *p = a->data + i * types[a->type].size;
    uint64_t u64;
    uint32_t u32;
    double d;
    float f;
    switch (a->type) {
    case NPY_F2: return (double)half_to_float(le16(p));
    case NPY_F4: u32 = le32(p); memcpy(&f, &u32, 4); return (double)f;
    case NPY_F8: u64 = le64(p); memcpy(&d, &u64, 8); return d;
    case NPY_U1: return *p;
    case NPY_I4: return (double)(int32_t)le32(p);
    case NPY_I8: return (double)(int64_t)le64(p);
    }
    return 0;
}

void npy_floats(float *out, const struct npy *a) {
    for (size_t i = 0; i < a->count; i++) out[i] = (float)element(a, i);
}

void npy_doubles(double *out, const struct npy *a) {
    for (size_t i = 0; i < a->count; i++) out[i] = element(a, i);
}

/* The elements little-endian, whatever the machine is. */
static void add_elements(struct buf *out, const unsigned char *p, size_t count, size_t size) {
    const uint16_t probe = 1;
    unsigned char first, item[8];
    memcpy(&first, &probe, 1);
    if (first == 1 || size == 1) { buf_add(out, p, count * size); return; }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < size; k++) item[k] = p[i * size + size - 1 - k];
        buf_add(out, item, size);
    }
}

/* Magic, version, the dict, blanks to a multiple of 64. */
static enum status add_head(struct buf *out, enum npy_type type, size_t rank, const size_t *shape, size_t *count) {
    size_t bytes;
    struct buf head = BUF_INIT;
    if (rank > NPY_RANK_MAX)
        return fail(ERR_RANGE, "NPY: %zu dimensions; at most %d are written", rank, NPY_RANK_MAX);
    if (!shape_sizes(count, &bytes, shape, rank, types[type].size))
        return fail(ERR_RANGE, "NPY: the shape is too large");
    buf_printf(&head, "{'descr': '%s', 'fortran_order': False, 'shape': (", types[type].descr);
    for (size_t i = 0; i < rank; i++)
        buf_printf(&head, rank == 1 ? "%zu," : i ? ", %zu" : "%zu", shape[i]);
    buf_text(&head, "), }");
    while ((10 + head.len + 1) % 64) buf_text(&head, " ");
    buf_text(&head, "\n");
    unsigned char start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0,
                                (unsigned char)(head.len & 255), (unsigned char)(head.len >> 8) };
    enum status st = buf_status(&head);
    if (st == OK) {
        buf_add(out, start, sizeof start);
        buf_add(out, head.data, head.len);
        st = buf_status(out);
    }
    buf_free(&head);
    return st;
}

enum status npy_write(struct buf *out, enum npy_type type, size_t rank, const size_t *shape,
                      const void *data) {
    size_t count;
    TRY(add_head(out, type, rank, shape, &count));
    add_elements(out, data, count, types[type].size);
    return buf_status(out);
}

/* --- in pieces --- */

enum status npy_begin(struct npy_out *o, const char *path, enum npy_type type, size_t rank, const size_t *shape) {
    struct buf head = BUF_INIT;
    *o = (struct npy_out){ .type = type };
    enum status st = add_head(&head, type, rank, shape, &o->left);
    if (st == OK) st = file_begin(&o->file, path, 0);
    if (st == OK) st = file_add(&o->file, head.data, head.len);
    if (st != OK) npy_abandon(o);
    buf_free(&head);
    return st;
}

enum status npy_add(struct npy_out *o, const void *data, size_t count) {
    struct buf piece = BUF_INIT;
    if (count > o->left) return fail(ERR_RANGE, "%s: %zu numbers more than its shape has", o->file.path, count - o->left);
    add_elements(&piece, data, count, types[o->type].size);
    enum status st = buf_status(&piece);
    if (st == OK && piece.len) st = file_add(&o->file, piece.data, piece.len);
    buf_free(&piece);
    o->left -= count;
    return st;
}

enum status npy_end(struct npy_out *o) {
    if (!o->left) return file_end(&o->file);
    enum status st = fail(ERR_RANGE, "%s: %zu numbers less than its shape has", o->file.path, o->left);
    npy_abandon(o);
    return st;
}

void npy_abandon(struct npy_out *o) { file_abandon(&o->file); }
