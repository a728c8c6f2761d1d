/* Bytes as npy; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/mem.h"
#include "dtrak/npy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct npy a;
    if (npy_parse(&a, data, size, "fuzz") == OK) {
        double *values = mem_array(a.count, sizeof *values);
        if (values) npy_doubles(values, &a);
        mem_free(values);
    }
    return 0;
}
