/* Bytes as bergson's info.json, of gradients and of scores; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/bergson.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct json_doc *d;
    struct bergson_index x;
    struct bergson_scores s;
    if (json_parse(&d, data, size, "fuzz") != OK) return 0;
    if (bergson_index_parse(&x, json_root(d), "fuzz") == OK) {
        size_t at = 0;
        for (size_t i = 0; i < x.modules; i++) {
            if (x.module[i].first != at || !x.module[i].dim || bergson_module_find(&x, x.module[i].name) != &x.module[i]) abort();
            at += x.module[i].dim;
        }
        if (at != x.dims || !x.rows || x.type > ARRAY_F64) abort();
        bergson_index_free(&x);
    }
    if (bergson_scores_parse(&s, json_root(d), "fuzz") == OK) {
        for (size_t q = 0; q < s.queries; q++)
            if (s.column[q].score > s.record - array_type_size(s.type) || s.column[q].written > s.record) abort();
        if (!s.queries || s.type > ARRAY_F64) abort();
        bergson_scores_free(&s);
    }
    json_free(d);
    return 0;
}
