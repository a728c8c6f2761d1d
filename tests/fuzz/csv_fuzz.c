/* Bytes as a ranking in CSV; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/csv_ranking.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct csv_limits limits = { "gen", 20, 50 };
    struct csv_entry *e = NULL;
    size_t count;
    char *text = mem_array(size + 1, 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (csv_ranking_read(&e, &count, text, &limits, "fuzz") == OK) {
        for (size_t i = 0; i < count; i++) {
            if (e[i].query >= limits.queries || e[i].item >= limits.items || !isfinite(e[i].score)) abort();
            if (i && e[i].query < e[i - 1].query) abort();
        }
        mem_free(e);
    }
    mem_free(text);
    return 0;
}
