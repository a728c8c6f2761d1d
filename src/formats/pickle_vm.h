/* pickle_vm.h - what the three files of the pickle reader share.
 *
 * Everything a document holds is cut from its arena and freed with it. */
#ifndef DTRAK_FORMATS_PICKLE_VM_H
#define DTRAK_FORMATS_PICKLE_VM_H

#include "dtrak/pickle.h"

/* Beyond enum pickle_type: what may stand on the stack but not in a result. */
enum { HIDDEN_GLOBAL = PICKLE_TENSOR + 1, HIDDEN_DTYPE, HIDDEN_STORAGE, HIDDEN_EMPTY_ARRAY };

enum global {
    GLOBAL_ORDERED_DICT, GLOBAL_RECONSTRUCT, GLOBAL_SCALAR, GLOBAL_FROMBUFFER, GLOBAL_NDARRAY, GLOBAL_DTYPE,
    GLOBAL_ENCODE, GLOBAL_BYTES, GLOBAL_REBUILD_TENSOR, GLOBAL_REBUILD_PARAMETER, GLOBAL_SIZE, GLOBAL_STORAGE
};

struct dtype { char kind; size_t item_size; int big_endian; };
struct storage { const char *key, *type; size_t count; };

struct pickle {
    int type;                  /* enum pickle_type or HIDDEN_* */
    int height;                /* of the finished tree; -1: being walked, 0: not yet */
    size_t len, cap;           /* items (a dict: keys and values in turn), bytes */
    union {
        int64_t integer;       /* also GLOBAL: enum global */
        double real;
        const char *text;      /* STRING; and a storage's type of GLOBAL_STORAGE */
        const void *bytes;
        struct pickle **items;
        struct pickle_array *array;
        struct pickle_tensor *tensor;
        struct dtype dtype;
        struct storage *storage;
    } u;
    const char *storage_type;  /* GLOBAL_STORAGE: "FloatStorage" */
};

struct pickle_chunk;
struct pickle_doc {
    struct pickle *root;
    struct pickle_chunk *chunks;
    size_t values;
    size_t may_copy;           /* bytes that calls may still copy of their arguments */
};

/* Zeroed, or NULL with nothing said. */
void *pickle_alloc(struct pickle_doc *d, size_t count, size_t size);
/* ERR_NOMEM, or ERR_FORMAT when there are too many. */
enum status pickle_new(struct pickle **out, struct pickle_doc *d, int type, const char *name);
enum status pickle_push(struct pickle_doc *d, struct pickle *to, struct pickle *item, const char *name);
/* STRING for valid UTF-8 without zeros, else BYTES (is_text: an error then). */
enum status pickle_new_string(struct pickle **out, struct pickle_doc *d, const unsigned char *p, size_t len,
                              int is_text, const char *name);

/* The global that module and word name; ERR_FORMAT naming it when it is not
 * one of the list. */
enum status pickle_global(struct pickle **out, struct pickle_doc *d, const char *module, const char *word,
                          const char *name);
/* f(*args), of what the list knows; and obj.__setstate__(state). */
enum status pickle_reduce(struct pickle **out, struct pickle_doc *d, const struct pickle *f,
                          const struct pickle *args, const char *name);
enum status pickle_build(struct pickle_doc *d, struct pickle *obj, const struct pickle *state, const char *name);
/* ('storage', type, key, location, count) */
enum status pickle_storage(struct pickle **out, struct pickle_doc *d, const struct pickle *id, const char *name);

/* Walks the finished tree: depth, cycles, keys, and nothing hidden in it. */
enum status pickle_finish(struct pickle_doc *d, const char *name);

#endif
