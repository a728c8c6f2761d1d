/* The pickle reader's loop: opcodes onto a stack of values; see pickle.h.
 *
 * Source: Python's pickletools, whose names the comments give. */
#include "dtrak/pickle.h"

#include "dtrak/mem.h"
#include "dtrak/text.h"
#include "pickle_vm.h"
#include "shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Puts come with the numbers 0, 1, 2, ...; some room for what was dropped. */
#define MEMO_SLACK 1024

struct vm {
    struct pickle_doc *doc;
    const unsigned char *start, *p, *end;
    const char *name;
    struct pickle **stack;
    size_t *marks;                  /* stack heights */
    struct pickle **memo;
    size_t n_stack, stack_cap, n_marks, marks_cap, memo_cap, puts;
    int stopped;
};

static enum status damaged(const struct vm *m, const char *what) {
    return fail(ERR_FORMAT, "%s: damaged pickle at byte %zu: %s", m->name, (size_t)(m->p - m->start), what);
}

/* --- stack, memo, bytes --- */

static enum status push(struct vm *m, struct pickle *v) {
    if (m->n_stack == m->stack_cap) {
        size_t cap = m->stack_cap ? 2 * m->stack_cap : 64;
        struct pickle **more = cap <= 2 * PICKLE_VALUES_MAX ? mem_resize(m->stack, m->stack_cap, cap, sizeof *more) : NULL;
        if (!more) return fail(ERR_NOMEM, "%s: no memory for its %zu values", m->name, m->n_stack);
        m->stack = more;
        m->stack_cap = cap;
    }
    m->stack[m->n_stack++] = v;
    return OK;
}

static size_t floor_of(const struct vm *m) { return m->n_marks ? m->marks[m->n_marks - 1] : 0; }

static enum status pop(struct vm *m, struct pickle **v) {
    if (m->n_stack <= floor_of(m)) return damaged(m, "a value is taken where there is none");
    *v = m->stack[--m->n_stack];
    return OK;
}

static enum status top(struct vm *m, struct pickle **v) {
    if (m->n_stack <= floor_of(m)) return damaged(m, "a value is used where there is none");
    *v = m->stack[m->n_stack - 1];
    return OK;
}

static enum status mark(struct vm *m) {
    if (m->n_marks == m->marks_cap) {
        size_t cap = m->marks_cap ? 2 * m->marks_cap : 64;
        size_t *more = mem_resize(m->marks, m->marks_cap, cap, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "%s: out of memory", m->name);
        m->marks = more;
        m->marks_cap = cap;
    }
    m->marks[m->n_marks++] = m->n_stack;
    return OK;
}

/* The values above the last mark, which goes; they stay where they are. */
static enum status pop_mark(struct vm *m, size_t *first, size_t *count) {
    *first = *count = 0;
    if (!m->n_marks) return damaged(m, "a mark is used where there is none");
    *first = m->marks[--m->n_marks];
    *count = m->n_stack - *first;
    m->n_stack = *first;
    return OK;
}

static enum status take(struct vm *m, size_t n, const unsigned char **p) {
    *p = m->p;
    if (n > (size_t)(m->end - m->p)) return damaged(m, "it ends in the middle");
    m->p += n;
    return OK;
}

static enum status take_number(struct vm *m, size_t bytes, uint64_t *n) {
    const unsigned char *p;
    *n = 0;
    TRY(take(m, bytes, &p));
    for (size_t i = bytes; i-- > 0;) *n = *n << 8 | p[i];
    return OK;
}

/* Bytes after a length of `bytes` bytes. */
static enum status take_block(struct vm *m, size_t bytes, const unsigned char **p, size_t *len) {
    uint64_t n;
    *p = m->p;
    *len = 0;
    TRY(take_number(m, bytes, &n));
    if (n > (uint64_t)(m->end - m->p)) return damaged(m, "a length goes past the end");
    *len = (size_t)n;
    return take(m, *len, p);
}

/* Up to the end of the line, without it. */
static enum status take_line(struct vm *m, char *line, size_t size) {
    const unsigned char *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    if (!end) return damaged(m, "a line does not end");
    size_t len = (size_t)(end - m->p);
    if (len >= size || memchr(m->p, 0, len)) return damaged(m, "a line is too long or holds a zero");
    memcpy(line, m->p, len);
    line[len] = 0;
    m->p = end + 1;
    return OK;
}

static enum status put(struct vm *m, uint64_t at) {
    struct pickle *v;
    TRY(top(m, &v));
    if (at > m->puts + MEMO_SLACK) return damaged(m, "a memo number is out of turn");
    if (at >= m->memo_cap) {
        size_t cap = m->memo_cap ? m->memo_cap : 64;
        while (cap <= at) cap *= 2;
        struct pickle **more = mem_resize(m->memo, m->memo_cap, cap, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "%s: out of memory", m->name);
        m->memo = more;
        m->memo_cap = cap;
    }
    m->memo[at] = v;
    m->puts++;
    return OK;
}

static enum status get(struct vm *m, uint64_t at) {
    if (at >= m->memo_cap || !m->memo[at]) return damaged(m, "a memo number that was never put");
    return push(m, m->memo[at]);
}

/* --- values --- */

static enum status push_new(struct vm *m, int type, struct pickle **v) {
    TRY(pickle_new(v, m->doc, type, m->name));
    return push(m, *v);
}

static enum status push_int(struct vm *m, int64_t n, int type) {
    struct pickle *v;
    TRY(push_new(m, type, &v));
    v->u.integer = n;
    return OK;
}

static enum status push_float(struct vm *m, double x) {
    struct pickle *v;
    TRY(push_new(m, PICKLE_FLOAT, &v));
    v->u.real = x;
    return OK;
}

static enum status push_string(struct vm *m, size_t length_bytes, int is_text) {
    const unsigned char *p;
    size_t len;
    struct pickle *v;
    TRY(take_block(m, length_bytes, &p, &len));
    TRY(pickle_new_string(&v, m->doc, p, len, is_text, m->name));
    return push(m, v);
}

static enum status push_bytes(struct vm *m, size_t length_bytes) {
    const unsigned char *p;
    size_t len;
    struct pickle *v;
    TRY(take_block(m, length_bytes, &p, &len));
    TRY(push_new(m, PICKLE_BYTES, &v));
    v->u.bytes = p;
    v->len = len;
    return OK;
}

/* LONG1, LONG4: little-endian two's complement. */
static enum status push_long(struct vm *m, size_t length_bytes) {
    const unsigned char *p;
    size_t len;
    TRY(take_block(m, length_bytes, &p, &len));
    if (len > 8) return fail(ERR_FORMAT, "%s: an integer of %zu bytes; at most 8 are read", m->name, len);
    uint64_t n = len && p[len - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = len; i-- > 0;) n = n << 8 | p[i];
    return push_int(m, (int64_t)n, PICKLE_INT);
}

/* BINFLOAT: big-endian. */
static enum status push_binfloat(struct vm *m) {
    const unsigned char *p;
    uint64_t n = 0;
    double x;
    TRY(take(m, 8, &p));
    for (size_t i = 0; i < 8; i++) n = n << 8 | p[i];
    memcpy(&x, &n, sizeof x);
    return push_float(m, x);
}

/* UNICODE of protocol 0: a line of latin1 in which \\uXXXX and \\UXXXXXXXX stand
 * for other characters, the backslash included. */
static enum status push_escaped(struct vm *m) {
    const unsigned char *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    struct pickle *v;
    if (!end) return damaged(m, "a line does not end");
    size_t len = 0;
    unsigned char *utf8 = pickle_alloc(m->doc, 2 * (size_t)(end - m->p) + 8, 1);
    if (!utf8) return fail(ERR_NOMEM, "%s: out of memory", m->name);
    while (m->p < end) {
        uint32_t cp = *m->p++;
        if (cp == '\\') {
            int digits = m->p < end && *m->p == 'u' ? 4 : 8;
            if (end - m->p < 1 + digits || (digits == 8 && *m->p != 'U')) return damaged(m, "an unfinished escape in a text");
            char hex[9] = "", *stop;
            memcpy(hex, ++m->p, (size_t)digits);
            cp = (uint32_t)strtoul(hex, &stop, 16);
            if (stop != hex + digits || cp > 0x10FFFF) return damaged(m, "an escape in a text is no character");
            m->p += digits;
        }
        len += text_encode((char *)utf8 + len, cp);
    }
    m->p = end + 1;
    TRY(pickle_new_string(&v, m->doc, utf8, len, 1, m->name));
    return push(m, v);
}

/* INT, LONG, FLOAT of protocol 0: one line of text. */
static enum status push_line(struct vm *m, unsigned char op) {
    char line[256], *end;
    TRY(take_line(m, line, sizeof line));
    size_t len = strlen(line);
    errno = 0;
    if (op == 'I' && !strcmp(line, "00")) return push_int(m, 0, PICKLE_BOOL);
    if (op == 'I' && !strcmp(line, "01")) return push_int(m, 1, PICKLE_BOOL);
    if (op == 'F') {
        double x = strtod(line, &end);
        return end == line || *end ? damaged(m, "a line is no number") : push_float(m, x);
    }
    if (len && op == 'L' && line[len - 1] == 'L') line[len - 1] = 0;
    long long n = strtoll(line, &end, 10);
    return end == line || *end || errno ? damaged(m, "a line is no integer of 64 bits") : push_int(m, n, PICKLE_INT);
}

static enum status push_items(struct vm *m, int type, size_t first, size_t count) {
    struct pickle *v;
    TRY(pickle_new(&v, m->doc, type, m->name));
    if (type == PICKLE_DICT && count % 2) return damaged(m, "a dict has a key without a value");
    for (size_t i = 0; i < count; i++) TRY(pickle_push(m->doc, v, m->stack[first + i], m->name));
    return push(m, v);
}

static enum status push_marked(struct vm *m, int type) {
    size_t first, count;
    TRY(pop_mark(m, &first, &count));
    return push_items(m, type, first, count);
}

static enum status push_tuple(struct vm *m, size_t count) {
    if (m->n_stack - floor_of(m) < count) return damaged(m, "a tuple of values that are not there");
    m->n_stack -= count;
    return push_items(m, PICKLE_TUPLE, m->n_stack, count);
}

/* APPEND(S), SETITEM(S): the stack from first on goes into what is below. */
static enum status add_items(struct vm *m, int type, size_t first, size_t count) {
    struct pickle *to;
    TRY(top(m, &to));
    if (to->type != type) return damaged(m, type == PICKLE_LIST ? "items for what is no list" : "items for what is no dict");
    if (type == PICKLE_DICT && count % 2) return damaged(m, "a dict has a key without a value");
    for (size_t i = 0; i < count; i++) TRY(pickle_push(m->doc, to, m->stack[first + i], m->name));
    return OK;
}

static enum status add_marked(struct vm *m, int type) {
    size_t first, count;
    TRY(pop_mark(m, &first, &count));
    return add_items(m, type, first, count);
}

static enum status add_top(struct vm *m, int type, size_t count) {
    if (m->n_stack - floor_of(m) < count + 1) return damaged(m, "an item that is not there");
    m->n_stack -= count;
    return add_items(m, type, m->n_stack, count);
}

/* --- classes and calls, of which only those of the list --- */

static enum status push_global(struct vm *m, int from_stack) {
    char module[256], word[256];
    struct pickle *v, *a, *b;
    if (from_stack) {
        TRY(pop(m, &b));
        TRY(pop(m, &a));
        if (!pickle_string(a, NULL) || !pickle_string(b, NULL)) return damaged(m, "a class without a name");
        snprintf(module, sizeof module, "%s", pickle_string(a, ""));
        snprintf(word, sizeof word, "%s", pickle_string(b, ""));
    } else {
        TRY(take_line(m, module, sizeof module));
        TRY(take_line(m, word, sizeof word));
    }
    TRY(pickle_global(&v, m->doc, module, word, m->name));
    return push(m, v);
}

static enum status call(struct vm *m) {
    struct pickle *f, *args, *made;
    TRY(pop(m, &args));
    TRY(pop(m, &f));
    if (f->type != HIDDEN_GLOBAL || args->type != PICKLE_TUPLE) return damaged(m, "a call of what is no class");
    TRY(pickle_reduce(&made, m->doc, f, args, m->name));
    return push(m, made);
}

static enum status build(struct vm *m) {
    struct pickle *obj, *state;
    TRY(pop(m, &state));
    TRY(top(m, &obj));
    return pickle_build(m->doc, obj, state, m->name);
}

static enum status persistent(struct vm *m) {
    struct pickle *id, *v;
    TRY(pop(m, &id));
    TRY(pickle_storage(&v, m->doc, id, m->name));
    return push(m, v);
}

/* --- the loop --- */

static enum status drop(struct vm *m) {
    struct pickle *v;
    size_t first, count;
    if (m->n_stack == floor_of(m) && m->n_marks) return pop_mark(m, &first, &count);
    return pop(m, &v);
}

static enum status memo_line(struct vm *m, int is_put) {
    char line[32], *end;
    TRY(take_line(m, line, sizeof line));
    unsigned long long n = strtoull(line, &end, 10);
    if (line[0] < '0' || line[0] > '9' || *end) return damaged(m, "a memo number is no number");
    return is_put ? put(m, n) : get(m, n);
}

static enum status numbered(struct vm *m, unsigned char op) {
    uint64_t n = 0;
    struct pickle *v;
    switch (op) {
    case 'J': TRY(take_number(m, 4, &n)); return push_int(m, (int32_t)(uint32_t)n, PICKLE_INT);   /* BININT */
    case 'K': TRY(take_number(m, 1, &n)); return push_int(m, (int64_t)n, PICKLE_INT);             /* BININT1 */
    case 'M': TRY(take_number(m, 2, &n)); return push_int(m, (int64_t)n, PICKLE_INT);             /* BININT2 */
    case 'q': TRY(take_number(m, 1, &n)); return put(m, n);                                       /* BINPUT */
    case 'r': TRY(take_number(m, 4, &n)); return put(m, n);                                       /* LONG_BINPUT */
    case 'h': TRY(take_number(m, 1, &n)); return get(m, n);                                       /* BINGET */
    case 'j': TRY(take_number(m, 4, &n)); return get(m, n);                                       /* LONG_BINGET */
    case 0x80:                                                                                    /* PROTO */
        TRY(take_number(m, 1, &n));
        return n <= 5 ? OK : fail(ERR_FORMAT, "%s: a pickle of protocol %d; 0 to 5 are read", m->name, (int)n);
    case 0x95:                                                                                    /* FRAME */
        TRY(take_number(m, 8, &n));
        return n <= (uint64_t)(m->end - m->p) ? OK : damaged(m, "a frame goes past the end");
    case '2': TRY(top(m, &v)); return push(m, v);                                                 /* DUP */
    default: break;
    }
    return fail(ERR_FORMAT, "%s: byte %zu is opcode 0x%02x, which is not read: only plain values, NumPy arrays and "
                "PyTorch tensors are", m->name, (size_t)(m->p - m->start) - 1, op);
}

static enum status step(struct vm *m) {
    struct pickle *v;
    const unsigned char *p;
    TRY(take(m, 1, &p));
    switch (*p) {
    case '.': m->stopped = 1; return OK;
    case '(': return mark(m);
    case '0': return drop(m);
    case '1': { size_t first, count; return pop_mark(m, &first, &count); }
    case 'N': return push_new(m, PICKLE_NONE, &v);
    case 0x88: return push_int(m, 1, PICKLE_BOOL);
    case 0x89: return push_int(m, 0, PICKLE_BOOL);
    case 0x8a: return push_long(m, 1);
    case 0x8b: return push_long(m, 4);
    case 'G': return push_binfloat(m);
    case 'I': case 'L': case 'F': return push_line(m, *p);
    case 'V': return push_escaped(m);                  /* UNICODE */
    case 'X': return push_string(m, 4, 1);             /* BINUNICODE */
    case 0x8c: return push_string(m, 1, 1);
    case 0x8d: return push_string(m, 8, 1);
    case 'U': return push_string(m, 1, 0);             /* SHORT_BINSTRING: Python 2 */
    case 'T': return push_string(m, 4, 0);
    case 'B': return push_bytes(m, 4);                 /* BINBYTES */
    case 'C': return push_bytes(m, 1);
    case 0x8e: case 0x96: return push_bytes(m, 8);     /* BINBYTES8, BYTEARRAY8 */
    case 0x98: return top(m, &v);                      /* READONLY_BUFFER */
    case ']': return push_new(m, PICKLE_LIST, &v);
    case '}': return push_new(m, PICKLE_DICT, &v);
    case ')': return push_new(m, PICKLE_TUPLE, &v);
    case 'l': return push_marked(m, PICKLE_LIST);
    case 'd': return push_marked(m, PICKLE_DICT);
    case 't': return push_marked(m, PICKLE_TUPLE);
    case 0x85: case 0x86: case 0x87: return push_tuple(m, *p - 0x84u);
    case 'a': return add_top(m, PICKLE_LIST, 1);
    case 'e': return add_marked(m, PICKLE_LIST);
    case 's': return add_top(m, PICKLE_DICT, 2);
    case 'u': return add_marked(m, PICKLE_DICT);
    case 'p': return memo_line(m, 1);
    case 'g': return memo_line(m, 0);
    case 0x94: return put(m, m->puts);                 /* MEMOIZE */
    case 'c': return push_global(m, 0);
    case 0x93: return push_global(m, 1);
    case 'R': case 0x81: return call(m);               /* REDUCE, NEWOBJ */
    case 'b': return build(m);
    case 'Q': return persistent(m);
    default: return numbered(m, *p);
    }
}

static enum status run(struct vm *m) {
    while (!m->stopped) TRY(step(m));
    if (m->n_marks || m->n_stack != 1) return damaged(m, "it ends with more or less than one value");
    m->doc->root = m->stack[0];
    return pickle_finish(m->doc, m->name);
}

/* A pair of an OrderedDict is 16 bytes here and seldom less than 4 in a file; other calls copy once. */
enum { COPIES = 16 };

enum status pickle_read(struct pickle_doc **out, const void *bytes, size_t len, const char *name, size_t *used) {
    *out = NULL;
    struct pickle_doc *d = mem_array(1, sizeof *d);
    if (!d) return fail(ERR_NOMEM, "%s: out of memory", name);
    d->may_copy = len < SIZE_MAX / COPIES ? COPIES * len : SIZE_MAX;
    const unsigned char *p = bytes;
    struct vm m = { .doc = d, .start = p, .p = p, .end = p + len, .name = name };
    enum status st = run(&m);
    if (st == OK && used) *used = (size_t)(m.p - m.start);
    if (st == OK && !used && m.p != m.end)
        st = fail(ERR_FORMAT, "%s: %zu bytes follow the pickle's end", name, (size_t)(m.end - m.p));
    mem_free(m.stack);
    mem_free(m.marks);
    mem_free(m.memo);
    if (st == OK) *out = d;
    else pickle_free(d);
    return st;
}
