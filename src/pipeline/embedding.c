/* embedding.c - rows of numbers from a .npy file become a part of an embedding. */
#include "dtrak/pipeline.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

/* The name stands in score sets' parameters and in commands. */
static enum status check_name(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!*name || *name == '-' || strlen(name) >= EMBEDDING_NAME || name[strspn(name, letters)])
        return fail(ERR_USAGE, "'%s' cannot name an embedding: expected 1 to %d letters, digits, '.', '_' or '-'", name,
                    EMBEDDING_NAME - 1);
    return OK;
}

static enum status read_array(struct npy *a, const void *bytes, size_t len, const char *path) {
    TRY(npy_parse(a, bytes, len, path));
    if (a->type != NPY_F2 && a->type != NPY_F4 && a->type != NPY_F8)
        return fail(ERR_FORMAT, "%s: an array of whole numbers, expected float16, float32 or float64", path);
    if (a->rank != 2)
        return fail(ERR_FORMAT, "%s: an array of %zu dimensions, expected 2: a row for each item", path, a->rank);
    if (a->count > EMBEDDING_VALUES_MAX)
        return fail(ERR_RANGE, "%s: %zu numbers, at most %zu are read", path, a->count, EMBEDDING_VALUES_MAX);
    return OK;
}

enum status pipeline_embedding_add(struct store *s, const char *path, enum split split, const char *name,
                                   struct embedding *out) {
    unsigned char *bytes;
    size_t len;
    struct npy a;
    float *values = NULL;
    TRY(check_name(name));
    TRY(file_read(&bytes, &len, path, EMBEDDING_VALUES_MAX * sizeof(double) + (1 << 20)));
    enum status st = OK;
    TRY_TO(read_array(&a, bytes, len, path));
    struct embedding e = { .split = split, .rows = a.shape[0], .cols = a.shape[1] };
    snprintf(e.name, sizeof e.name, "%s", name);
    snprintf(e.origin, sizeof e.origin, "%s", path);
    values = mem_array(a.count + 1, sizeof *values);
    if (!values) { st = fail(ERR_NOMEM, "embedding: out of memory"); goto done; }
    npy_floats(values, &a);
    TRY_TO(store_embedding_put(s, &e, values));
    st = store_embedding_get(s, name, split, out);
done:
    mem_free(bytes);
    mem_free(values);
    return st;
}
