/* Bytes as each of the JSON files of a traker save_dir; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/traker_info.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_doc *d;
    struct traker_metadata m;
    struct traker_model model;
    struct traker_experiment x;
    if (json_parse(&d, data, size, "fuzz") != OK) return 0;
    const struct json *root = json_root(d);
    if (traker_metadata_parse(&m, root, "fuzz") == OK && (!m.rows || !m.dims || strlen(m.matrix) >= sizeof m.matrix)) abort();
    if (traker_model_parse(&model, root, "fuzz") == OK && model.id < 0) abort();
    for (size_t i = 0; i < json_len(root); i++)
        if (traker_experiment_at(&x, root, i) && (strchr(x.name, '/') || x.name[0] == '.' || strlen(x.name) > TRAKER_NAME_MAX)) abort();
    json_free(d);
    return 0;
}
