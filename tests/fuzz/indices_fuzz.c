/* Bytes as a list of indices in text; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/array.h"
#include "dtrak/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t *list, count;
    char *text = mem_array(size + 1, 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (array_parse_indices(&list, &count, text, "fuzz") == OK) {
        if (count > (size + 1) / 2) abort();
        mem_free(list);
    }
    mem_free(text);
    return 0;
}
