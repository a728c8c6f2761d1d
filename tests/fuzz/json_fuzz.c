/* Bytes as json; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_doc *d;
    if (json_parse(&d, data, size, "fuzz") == OK) {
        const struct json *root = json_root(d);
        for (size_t i = 0; i < json_len(root); i++) {
            const char *key = json_key(root, i);
            if (key && json_get(root, key) != json_at(root, i)) abort();
        }
    }
    json_free(d);
    return 0;
}
