/* JSON into a tree: one pass with a stack of finished values.
 *
 * A container's children lie together in the pool, so that element i is an
 * index away; members are also sorted once, for look-up and for finding
 * duplicate keys.  While the pool grows, places in it are kept as offsets;
 * link_values() turns them into pointers at the end. */
#include "dtrak/json.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json {
    enum json_type type;
    int is_int;
    const char *key;               /* of a member, else NULL */
    union {
        const char *string;
        double number;
        struct json *items;        /* len of them; during the parse NULL and at is used */
    } u;
    int64_t integer;
    size_t at, len;                /* containers: offset in the pool, number of children */
    const struct json **sorted;    /* objects: the members by key */
};

struct stack { struct json *v; size_t len, cap; };

struct json_doc {
    struct stack pool;             /* every value except the root */
    struct json root;
    const struct json **sorted;    /* all objects' members, object by object */
    char *strings;                 /* every key and string, 0-terminated */
};

struct parser {
    const unsigned char *start, *p, *end;
    const char *name;
    struct json_doc *doc;
    struct stack open;             /* finished values whose container is not */
    char *next_string;
    size_t members;
    int depth;
};

static size_t line_of(const struct parser *s) {
    size_t line = 1;
    for (const unsigned char *q = s->start; q < s->p; q++) line += *q == '\n';
    return line;
}

static enum status refuse(const struct parser *s, const char *expected) {
    if (s->p >= s->end)
        return fail(ERR_FORMAT, "%s: line %zu: the text ends where %s is expected", s->name,
                    line_of(s), expected);
    return fail(ERR_FORMAT, "%s: line %zu: found '%c' where %s is expected", s->name, line_of(s),
                *s->p, expected);
}

static enum status push(const struct parser *s, struct stack *t, const struct json *v, size_t n) {
    if (n > JSON_VALUES_MAX - t->len)
        return fail(ERR_FORMAT, "%s: more than %zu JSON values; that is the most that is read",
                    s->name, JSON_VALUES_MAX);
    if (t->len + n > t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        while (cap < t->len + n) cap *= 2;
        struct json *p = mem_resize(t->v, t->len, cap, sizeof *p);
        if (!p) return fail(ERR_NOMEM, "%s: no memory for its JSON values", s->name);
        t->v = p;
        t->cap = cap;
    }
    if (n) memcpy(t->v + t->len, v, n * sizeof *v);
    t->len += n;
    return OK;
}

static void skip_space(struct parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static int hex4(const struct parser *s, uint32_t *out) {
    *out = 0;
    if (s->end - s->p < 4) return 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = s->p[i];
        unsigned d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                   : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
        if (d > 15) return 0;
        *out = *out << 4 | d;
    }
    return 1;
}

/* After "\u": one escape, or the two of a surrogate pair. */
static enum status parse_unicode(struct parser *s, char **to) {
    uint32_t cp, low;
    if (!hex4(s, &cp)) return refuse(s, "four hex digits of \\u");
    s->p += 4;
    if (cp >= 0xdc00 && cp <= 0xdfff)
        return fail(ERR_FORMAT, "%s: line %zu: \\u%04x is the second half of a pair without its "
                    "first", s->name, line_of(s), (unsigned)cp);
    if (cp >= 0xd800 && cp <= 0xdbff) {
        if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
            return refuse(s, "the second half of a surrogate pair");
        s->p += 2;
        if (!hex4(s, &low) || low < 0xdc00 || low > 0xdfff)
            return refuse(s, "the second half of a surrogate pair");
        s->p += 4;
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    if (cp == 0)
        return fail(ERR_FORMAT, "%s: line %zu: \\u0000 in a string; that is not accepted",
                    s->name, line_of(s));
    *to += text_encode(*to, cp);
    return OK;
}

static enum status parse_escape(struct parser *s, char **to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (s->p >= s->end) return refuse(s, "an escaped character");
    if (*s->p == 'u') {
        s->p++;
        return parse_unicode(s, to);
    }
    const char *hit = *s->p ? strchr(from, *s->p) : NULL;
    if (!hit) return refuse(s, "one of \"\\/bfnrtu after a backslash");
    *(*to)++ = into[hit - from];
    s->p++;
    return OK;
}

/* Length of the UTF-8 sequence at p, or 0: shortest form, no surrogates, up to U+10FFFF. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end) {
    unsigned c = p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3
             : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (n == 0 || (size_t)(end - p) < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)
        || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

/* At the opening quote.  Decoded text is never longer than its source, so the
 * block made for all strings cannot run over. */
static enum status parse_string(struct parser *s, const char **out) {
    char *to = s->next_string;
    *out = to;
    s->p++;
    for (;;) {
        if (s->p >= s->end) return refuse(s, "the closing quote of a string");
        if (*s->p == '"') break;
        if (*s->p == '\\') {
            s->p++;
            TRY(parse_escape(s, &to));
            continue;
        }
        if (*s->p < 0x20)
            return fail(ERR_FORMAT, "%s: line %zu: control character %02x inside a string",
                        s->name, line_of(s), *s->p);
        size_t n = utf8_len(s->p, s->end);
        if (n == 0)
            return fail(ERR_FORMAT, "%s: line %zu: byte %02x is not UTF-8", s->name, line_of(s),
                        *s->p);
        memcpy(to, s->p, n);
        to += n;
        s->p += n;
    }
    s->p++;
    *to++ = 0;
    s->next_string = to;
    return OK;
}

static int is_digit(const struct parser *s) { return s->p < s->end && *s->p >= '0' && *s->p <= '9'; }

static enum status skip_digits(struct parser *s) {
    if (!is_digit(s)) return refuse(s, "a digit");
    while (is_digit(s)) s->p++;
    return OK;
}

/* strtod() wants the locale's decimal point; JSON always has a full stop. */
static double read_double(char *text) {
    char *stop, *dot = strchr(text, '.');
    double x = strtod(text, &stop);
    if (*stop && dot) {
        *dot = localeconv()->decimal_point[0];
        x = strtod(text, &stop);
    }
    return x;
}

static enum status parse_number(struct parser *s, struct json *v) {
    char text[512];
    const unsigned char *from = s->p;
    int plain = 1;

    if (*s->p == '-') s->p++;
    if (s->p < s->end && *s->p == '0') s->p++;
    else TRY(skip_digits(s));
    if (s->p < s->end && *s->p == '.') {
        plain = 0;
        s->p++;
        TRY(skip_digits(s));
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        plain = 0;
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
        TRY(skip_digits(s));
    }
    size_t len = (size_t)(s->p - from);
    if (len >= sizeof text)
        return fail(ERR_FORMAT, "%s: line %zu: a number of %zu characters; at most %zu are read",
                    s->name, line_of(s), len, sizeof text - 1);
    memcpy(text, from, len);
    text[len] = 0;
    v->type = JSON_NUMBER;
    if (plain) {
        errno = 0;
        long long i = strtoll(text, NULL, 10);
        v->is_int = errno == 0;
        v->integer = v->is_int ? i : 0;
    }
    v->u.number = read_double(text);
    if (!isfinite(v->u.number))
        return fail(ERR_FORMAT, "%s: line %zu: the number %.40s is too large", s->name,
                    line_of(s), text);
    if (!v->is_int && fabs(v->u.number) <= 0x1p53 && floor(v->u.number) == v->u.number) {
        v->is_int = 1;
        v->integer = (int64_t)v->u.number;
    }
    return OK;
}

static enum status parse_word(struct parser *s, struct json *v) {
    static const struct { const char *word; enum json_type type; } words[] = {
        { "null", JSON_NULL }, { "true", JSON_TRUE }, { "false", JSON_FALSE }
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i].word, n) == 0) {
            v->type = words[i].type;
            s->p += n;
            return OK;
        }
    }
    return refuse(s, "a JSON value");
}

static enum status parse_value(struct parser *s, struct json *v);

static enum status parse_key(struct parser *s, const char **key) {
    if (s->p >= s->end || *s->p != '"') return refuse(s, "a key in quotes");
    TRY(parse_string(s, key));
    skip_space(s);
    if (s->p >= s->end || *s->p != ':') return refuse(s, "':' after a key");
    s->p++;
    return OK;
}

/* At the opening bracket.  Recursion is bounded by JSON_DEPTH_MAX. */
static enum status parse_container(struct parser *s, struct json *v) {
    int object = *s->p == '{';
    unsigned char close = object ? '}' : ']';
    size_t base = s->open.len;

    if (++s->depth > JSON_DEPTH_MAX)
        return fail(ERR_FORMAT, "%s: line %zu: nested deeper than %d levels", s->name,
                    line_of(s), JSON_DEPTH_MAX);
    v->type = object ? JSON_OBJECT : JSON_ARRAY;
    s->p++;
    skip_space(s);
    if (s->p < s->end && *s->p == close) s->p++;
    else for (;;) {
        struct json child = { .type = JSON_NULL };
        const char *key = NULL;
        skip_space(s);
        if (object) TRY(parse_key(s, &key));
        TRY(parse_value(s, &child));
        child.key = key;
        TRY(push(s, &s->open, &child, 1));
        skip_space(s);
        if (s->p < s->end && *s->p == ',') { s->p++; continue; }
        if (s->p < s->end && *s->p == close) { s->p++; break; }
        return refuse(s, object ? "',' or '}'" : "',' or ']'");
    }
    v->len = s->open.len - base;
    v->at = s->doc->pool.len;
    if (v->len) TRY(push(s, &s->doc->pool, s->open.v + base, v->len));
    s->open.len = base;
    if (object) s->members += v->len;
    s->depth--;
    return OK;
}

static enum status parse_value(struct parser *s, struct json *v) {
    skip_space(s);
    if (s->p >= s->end) return refuse(s, "a JSON value");
    if (*s->p == '{' || *s->p == '[') return parse_container(s, v);
    if (*s->p == '"') {
        v->type = JSON_STRING;
        return parse_string(s, &v->u.string);
    }
    if (*s->p == '-' || is_digit(s)) return parse_number(s, v);
    return parse_word(s, v);
}

static int by_key(const void *a, const void *b) {
    const struct json *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static enum status link_value(struct json_doc *d, struct json *v, size_t *used, const char *name) {
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT) return OK;
    v->u.items = v->len ? d->pool.v + v->at : NULL;
    if (v->type == JSON_ARRAY || v->len == 0) return OK;
    v->sorted = d->sorted + *used;
    *used += v->len;
    for (size_t i = 0; i < v->len; i++) v->sorted[i] = &v->u.items[i];
    qsort(v->sorted, v->len, sizeof *v->sorted, by_key);
    for (size_t i = 1; i < v->len; i++)
        if (strcmp(v->sorted[i - 1]->key, v->sorted[i]->key) == 0)
            return fail(ERR_FORMAT, "%s: the key \"%.80s\" stands twice in one object", name,
                        v->sorted[i]->key);
    return OK;
}

static enum status link_values(struct json_doc *d, size_t members, const char *name) {
    size_t used = 0;
    d->sorted = mem_array(members, sizeof *d->sorted);
    if (!d->sorted) return fail(ERR_NOMEM, "%s: no memory for its JSON keys", name);
    for (size_t i = 0; i < d->pool.len; i++) TRY(link_value(d, &d->pool.v[i], &used, name));
    return link_value(d, &d->root, &used, name);
}

static enum status parse_text(struct parser *s) {
    TRY(parse_value(s, &s->doc->root));
    skip_space(s);
    if (s->p < s->end) return refuse(s, "the end of the text");
    return link_values(s->doc, s->members, s->name);
}

enum status json_parse(struct json_doc **out, const void *text, size_t len, const char *name) {
    enum status st = OK;

    *out = NULL;
    if (len > JSON_TEXT_MAX)
        return fail(ERR_FORMAT, "%s: %zu bytes of JSON; at most %zu are read", name, len,
                    JSON_TEXT_MAX);
    struct json_doc *d = mem_array(1, sizeof *d);
    if (!d) return fail(ERR_NOMEM, "%s: out of memory", name);
    const unsigned char *p = text;
    struct parser s = { .start = p, .p = p, .end = p + len, .name = name, .doc = d };
    d->strings = s.next_string = mem_array(len + 1, 1);
    if (!d->strings) st = fail(ERR_NOMEM, "%s: no memory for its JSON text", name);
    if (st == OK) st = parse_text(&s);
    mem_free(s.open.v);
    if (st == OK) *out = d;
    else json_free(d);
    return st;
}

enum status json_read(struct json_doc **out, const char *path) {
    unsigned char *bytes;
    size_t len;
    *out = NULL;
    TRY(file_read(&bytes, &len, path, JSON_TEXT_MAX));
    enum status st = json_parse(out, bytes, len, path);
    mem_free(bytes);
    return st;
}

void json_free(struct json_doc *d) {
    if (!d) return;
    mem_free(d->pool.v);
    mem_free(d->sorted);
    mem_free(d->strings);
    mem_free(d);
}

const struct json *json_root(const struct json_doc *d) { return d ? &d->root : NULL; }
enum json_type json_type(const struct json *v) { return v ? v->type : JSON_NULL; }

const struct json *json_get(const struct json *object, const char *key) {
    if (!object || object->type != JSON_OBJECT || object->len == 0) return NULL;
    struct json wanted = { .key = key };
    const struct json *pointer = &wanted;
    const struct json **hit =
        bsearch(&pointer, object->sorted, object->len, sizeof *object->sorted, by_key);
    return hit ? *hit : NULL;
}

size_t json_len(const struct json *v) {
    return v && (v->type == JSON_ARRAY || v->type == JSON_OBJECT) ? v->len : 0;
}

const struct json *json_at(const struct json *v, size_t i) {
    return i < json_len(v) ? &v->u.items[i] : NULL;
}

const char *json_key(const struct json *object, size_t i) {
    const struct json *member = json_at(object, i);
    return member ? member->key : NULL;
}

const char *json_string(const struct json *v, const char *fallback) {
    return v && v->type == JSON_STRING ? v->u.string : fallback;
}

double json_number(const struct json *v, double fallback) {
    return v && v->type == JSON_NUMBER ? v->u.number : fallback;
}

int json_is_int(const struct json *v) { return v && v->type == JSON_NUMBER && v->is_int; }

int64_t json_int(const struct json *v, int64_t fallback) {
    return json_is_int(v) ? v->integer : fallback;
}

int json_bool(const struct json *v, int fallback) {
    if (!v || (v->type != JSON_TRUE && v->type != JSON_FALSE)) return fallback;
    return v->type == JSON_TRUE;
}
