/* array.h - arrays of numbers in files of other programs: NumPy's, raw bytes,
 * safetensors, pickles.
 *
 * Opening reads what the file says of itself and checks it against the file's
 * length; numbers are read where they stand, piece by piece, so an array may be
 * larger than memory.  A file that shrinks while it is read is ERR_FORMAT. */
#ifndef DTRAK_ARRAY_H
#define DTRAK_ARRAY_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

enum array_type { ARRAY_F16, ARRAY_BF16, ARRAY_F32, ARRAY_F64, ARRAY_U8, ARRAY_I32, ARRAY_I64, ARRAY_TYPES };
const char *array_type_name(enum array_type t);          /* "float32" */
enum array_type array_type_parse(const char *name);      /* also "f32", "bf16"; or ARRAY_TYPES */
size_t array_type_size(enum array_type t);               /* bytes of a number */

#define ARRAY_RANK_MAX 8

struct array {
    enum array_type type;
    size_t rank, shape[ARRAY_RANK_MAX], count;
    uint64_t offset;             /* of the first number in the file */
    uint64_t file_bytes;         /* of the whole file */
    char *path;                  /* owned, for messages */
    unsigned char *data;         /* owned: the numbers, where they are in memory; else NULL */
    int fd;
};

/* On any error *a can only be closed. */
enum status array_open_npy(struct array *a, const char *path);
/* cols numbers a row without a header, rows from the file's length. */
enum status array_open_raw(struct array *a, const char *path, size_t cols, enum array_type type);
/* tensor NULL: the only one of the file. */
enum status array_open_safetensors(struct array *a, const char *path, const char *tensor);
/* A pickled NumPy array; place says where in nested lists, as "0.3" (NULL: the pickle is the array). */
enum status array_open_pickle(struct array *a, const char *path, const char *place);
/* NumPy's file by its first bytes, a pickle by its name's end .pkl, else raw float32 with cols numbers a
 * row (cols 0: refused). */
enum status array_open_any(struct array *a, const char *path, size_t cols);
void array_close(struct array *a);            /* fine on a zeroed one */

/* Takes the array's values: shape as given, the data stays as it is.  count must agree. */
void array_reshape(struct array *a, size_t rows, size_t cols);

/* out: count numbers from number `first` on, in C order. */
enum status array_read(float *out, const struct array *a, uint64_t first, size_t count);
/* The same of whole numbers; ERR_FORMAT for an array of floats. */
enum status array_read_ints(int64_t *out, const struct array *a, uint64_t first, size_t count);

/* Bytes [first, first + bytes) of the data, as they stand. */
enum status array_read_bytes(void *out, const struct array *a, uint64_t first, size_t bytes);
/* count numbers of that type, little-endian and at any address. */
void array_decode(float *out, const void *bytes, size_t count, enum array_type t);

/* "1000 x 5000 float32" */
void array_describe(char *out, size_t size, const struct array *a);

/* A list of whole numbers: a .npy or a pickle (list or array), or text with one a line.
 * *list is the caller's to mem_free().  Negative ones are refused. */
enum status array_read_indices(size_t **list, size_t *count, const char *path);
/* The same of text; path is for messages. */
enum status array_parse_indices(size_t **list, size_t *count, const char *text, const char *path);

#endif
