/* pickle.h - Python pickles, read as data.
 *
 * A pickle is a program; this reader runs none of it.  It knows None, booleans,
 * integers to 64 bits, floats, strings, bytes, lists, tuples, dicts and
 * OrderedDicts, NumPy arrays and scalars of numbers, and PyTorch's tensors
 * (whose numbers stand elsewhere: torch_file.h); any other class or function
 * is refused with its name, never looked up.  Protocols 0 to 5.
 *
 * Bounded: 8 Mi values, nesting to 100 levels, no value inside itself, no dict
 * key twice.  The same value may stand in several places. */
#ifndef DTRAK_PICKLE_H
#define DTRAK_PICKLE_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

#define PICKLE_DEPTH_MAX 100
#define PICKLE_VALUES_MAX ((size_t)8 << 20)
#define PICKLE_RANK_MAX 8

enum pickle_type {
    PICKLE_NONE, PICKLE_BOOL, PICKLE_INT, PICKLE_FLOAT, PICKLE_STRING, PICKLE_BYTES,
    PICKLE_LIST, PICKLE_TUPLE, PICKLE_DICT, PICKLE_ARRAY, PICKLE_TENSOR
};

struct pickle;          /* one value, owned by its document */
struct pickle_doc;

/* bytes are borrowed and must outlive *out.  name is used in messages.  used,
 * where not NULL, gets the length of the one pickle that is read from the
 * front; where NULL nothing may follow it. */
enum status pickle_read(struct pickle_doc **out, const void *bytes, size_t len, const char *name, size_t *used);
void pickle_free(struct pickle_doc *d);
const struct pickle *pickle_root(const struct pickle_doc *d);

/* All accessors accept NULL and answer with the fallback. */
enum pickle_type pickle_type(const struct pickle *v);      /* NULL: PICKLE_NONE */
const char *pickle_type_name(enum pickle_type t);          /* "list" */
int64_t pickle_int(const struct pickle *v, int64_t fallback);       /* also of a bool */
double pickle_number(const struct pickle *v, double fallback);      /* ints too */
const char *pickle_string(const struct pickle *v, const char *fallback);   /* UTF-8, no zero inside */
const void *pickle_bytes(const struct pickle *v, size_t *len);      /* NULL when it is none */

size_t pickle_len(const struct pickle *v);                 /* of a list, tuple or dict; else 0 */
const struct pickle *pickle_at(const struct pickle *v, size_t i);   /* dict: the i-th value; or NULL */
const struct pickle *pickle_key(const struct pickle *dict, size_t i);
const struct pickle *pickle_get(const struct pickle *dict, const char *key);   /* or NULL */

/* A NumPy array of numbers. */
struct pickle_array {
    char kind;                        /* 'f' float, 'i' signed, 'u' unsigned, 'b' boolean */
    size_t item_size;                 /* in bytes: f 2 4 8, i and u 1 2 4 8, b 1 */
    int big_endian, fortran;          /* fortran: the first axis varies fastest */
    size_t rank, shape[PICKLE_RANK_MAX], count;
    const unsigned char *data;        /* count * item_size bytes */
};
const struct pickle_array *pickle_array(const struct pickle *v);    /* NULL when it is none */
/* count numbers in C order into out; integers above 2^24 (or 2^53) are rounded. */
void pickle_array_floats(float *out, const struct pickle_array *a);
void pickle_array_doubles(double *out, const struct pickle_array *a);
/* ERR_FORMAT for floats and for unsigned numbers that do not fit. */
enum status pickle_array_ints(int64_t *out, const struct pickle_array *a, const char *name);

/* A PyTorch tensor: a view of a storage that stands outside the pickle. */
struct pickle_tensor {
    const char *storage;              /* its key: "0" */
    const char *storage_type;         /* "FloatStorage" */
    size_t storage_count;             /* its elements */
    size_t offset;                    /* in elements, as the strides */
    size_t rank, shape[PICKLE_RANK_MAX], stride[PICKLE_RANK_MAX];
};
const struct pickle_tensor *pickle_tensor(const struct pickle *v);  /* NULL when it is none */

#endif
