/* bergson.h - what an index of the package bergson says of itself: info.json beside
 * gradients.bin, or beside scores.bin.
 *
 * gradients.bin has a row for each training item, in C order: the gradients of all
 * modules one after the other, in the order in which info.json names them.  scores.bin
 * has a record for each training item, as a NumPy structured array: for each query its
 * score and whether that was written.
 * Checked against: tests/unit/exchange_test.c. */
#ifndef DTRAK_BERGSON_H
#define DTRAK_BERGSON_H

#include "dtrak/array.h"
#include "dtrak/err.h"
#include "dtrak/json.h"

#include <stddef.h>

#define BERGSON_FIELDS_MAX ((size_t)1 << 20)   /* modules, or queries */

struct bergson_module { const char *name; size_t first, dim; };   /* first number in a row */

struct bergson_index {
    size_t rows, dims;                /* dims: numbers of a row */
    enum array_type type;
    struct bergson_module *module;    /* names live as long as the JSON */
    size_t modules;
};

/* info: the root of info.json; name is for messages.  A store of a row per token is
 * ERR_FORMAT. */
enum status bergson_index_parse(struct bergson_index *out, const struct json *info, const char *name);
void bergson_index_free(struct bergson_index *x);      /* fine on a zeroed one */
const struct bergson_module *bergson_module_find(const struct bergson_index *x, const char *name);   /* or NULL */

struct bergson_column { size_t score, written; };      /* bytes within a record; written: record when there is none */

struct bergson_scores {
    size_t rows, queries, record;     /* rows 0: not said; record: bytes */
    enum array_type type;             /* of all scores */
    struct bergson_column *column;    /* [queries] */
};

enum status bergson_scores_parse(struct bergson_scores *out, const struct json *info, const char *name);
void bergson_scores_free(struct bergson_scores *x);

#endif
