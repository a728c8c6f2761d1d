/* Bytes as a gzip file; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/file.h"
#include "dtrak/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *out;
    size_t len;
    if (file_inflate(&out, &len, data, size, 1 << 20, "fuzz") == OK && len > 1 << 20) abort();
    mem_free(out);
    return 0;
}
