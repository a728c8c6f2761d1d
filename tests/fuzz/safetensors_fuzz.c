/* Bytes as safetensors; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/mem.h"
#include "dtrak/safetensors.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct safetensors *s;
    if (safetensors_open(&s, data, size, "fuzz") == OK)
        for (size_t i = 0; i < safetensors_count(s); i++) {
            const struct safetensors_entry *e = safetensors_at(s, i);
            if (safetensors_find(s, e->name) != e) abort();
            if (e->type == TENSOR_OTHER) continue;
            float *values = mem_array(e->count, sizeof *values);
            if (values && safetensors_floats(values, e) != OK) abort();
            mem_free(values);
        }
    safetensors_free(s);
    return 0;
}
