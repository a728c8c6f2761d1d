/* sort.c - a radix sort from the lowest byte up.  Bytes in which no two keys differ are
 * left out: those of a float, widened, are half of them. */
#include "dtrak/sort.h"

#include <string.h>

uint64_t sort_key_double(double x) {
    uint64_t u;
    x += 0.0;   /* -0 becomes 0 */
    memcpy(&u, &x, sizeof u);
    return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}

uint64_t sort_key_float(float x) {
    uint32_t u;
    x += 0.0f;
    memcpy(&u, &x, sizeof u);
    return u >> 31 ? (uint32_t)~u : u | (uint32_t)1 << 31;
}

void sort_entries(struct sort_entry *e, struct sort_entry *spare, size_t n) {
    size_t count[8][256];
    struct sort_entry *from = e, *to = spare;
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < 8; b++) count[b][e[i].key >> 8 * b & 255]++;
    for (int b = 0; b < 8 && n; b++) {
        size_t *c = count[b], sum = 0;
        if (c[e[0].key >> 8 * b & 255] == n) continue;
        for (int v = 0; v < 256; v++) {
            size_t here = c[v];
            c[v] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++) to[c[from[i].key >> 8 * b & 255]++] = from[i];
        struct sort_entry *t = from;
        from = to;
        to = t;
    }
    if (from != e) memcpy(e, from, n * sizeof *e);
}
