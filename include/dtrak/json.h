/* json.h - JSON in (RFC 8259, a tree) and out (appending to a buf).
 *
 * Reading is strict: UTF-8 only, no duplicate keys, no NaN, nesting to 64
 * levels, no \u0000 in strings (they are handed out as C strings), 64 MiB of
 * text and 4 Mi values at most.  All accessors accept NULL and answer with
 * the fallback, so chains like json_int(json_get(v, "a"), 0) need no checks. */
#ifndef DTRAK_JSON_H
#define DTRAK_JSON_H

#include "dtrak/buf.h"
#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64
#define JSON_TEXT_MAX ((size_t)64 << 20)
#define JSON_VALUES_MAX ((size_t)4 << 20)

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY,
                 JSON_OBJECT };

struct json;        /* one value, owned by its document */
struct json_doc;

/* text needs no terminating 0; name is used in messages, with the line. */
enum status json_parse(struct json_doc **out, const void *text, size_t len, const char *name);
enum status json_read(struct json_doc **out, const char *path);
void json_free(struct json_doc *d);
const struct json *json_root(const struct json_doc *d);

enum json_type json_type(const struct json *v);    /* NULL: JSON_NULL */
const struct json *json_get(const struct json *object, const char *key);   /* or NULL */
size_t json_len(const struct json *v);             /* members or elements; else 0 */
const struct json *json_at(const struct json *v, size_t i);   /* i-th in file order, or NULL */
const char *json_key(const struct json *object, size_t i);    /* i-th key, or NULL */

const char *json_string(const struct json *v, const char *fallback);
double json_number(const struct json *v, double fallback);
/* fallback also when the number is not integral or does not fit exactly. */
int64_t json_int(const struct json *v, int64_t fallback);
int json_bool(const struct json *v, int fallback);
/* 1 when v is a number that json_int() gives exactly. */
int json_is_int(const struct json *v);

/* --- out: pieces of text, in any locale with a decimal point --- */

/* "..." with quotes, control characters escaped; bytes that are no UTF-8
 * become U+FFFD. */
void json_add_string(struct buf *b, const char *s);
void json_add_float(struct buf *b, float x);     /* reads back to the same float */
void json_add_double(struct buf *b, double x);   /* NaN and infinities: null */
void json_add_int(struct buf *b, int64_t x);

#endif
