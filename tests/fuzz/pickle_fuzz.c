/* Bytes as a pickle, and as a PyTorch checkpoint; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/mem.h"
#include "dtrak/pickle.h"
#include "dtrak/torch_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_array(const struct pickle_array *a) {
    double *values = mem_array(a->count, sizeof *values);
    int64_t *ints = mem_array(a->count, sizeof *ints);
    if (values) pickle_array_doubles(values, a);
    if (ints) (void)pickle_array_ints(ints, a, "fuzz");
    mem_free(values);
    mem_free(ints);
}

/* A value may stand in many places: left says how many more are looked at. */
static void walk_pickle(const struct pickle *v, int depth, long *left) {
    size_t n;
    if (--*left < 0) return;
    if (depth > PICKLE_DEPTH_MAX + 1) abort();
    if (!pickle_type_name(pickle_type(v))[0]) abort();
    if (pickle_string(v, NULL) && strlen(pickle_string(v, "")) > 1u << 20) abort();
    const volatile unsigned char *bytes = pickle_bytes(v, &n);
    if (bytes && n) (void)bytes[n - 1];
    if (pickle_array(v)) read_array(pickle_array(v));
    for (size_t i = 0; i < pickle_len(v) && *left > 0; i++) {
        if (pickle_key(v, i)) walk_pickle(pickle_key(v, i), depth + 1, left);
        walk_pickle(pickle_at(v, i), depth + 1, left);
    }
}

static void read_checkpoint(const uint8_t *data, size_t size) {
    struct torch_file *f;
    if (torch_file_open(&f, data, size, "fuzz") != OK) return;
    for (size_t i = 0; i < torch_file_count(f); i++) {
        const struct safetensors_entry *e = torch_file_at(f, i);
        unsigned char *copy = mem_array(e->len, 1);
        if (copy && e->len) memcpy(copy, e->data, e->len);
        mem_free(copy);
    }
    torch_file_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pickle_doc *d;
    size_t used;
    long left = 100000;
    if (torch_file_is(data, size)) read_checkpoint(data, size);
    else if (pickle_read(&d, data, size, "fuzz", &used) == OK) {
        if (used > size) abort();
        walk_pickle(pickle_root(d), 1, &left);
        pickle_free(d);
    }
    return 0;
}
