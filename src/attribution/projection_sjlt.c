/* projection_sjlt.c - sparse Johnson-Lindenstrauss projection by a table of buckets. */
#include "projection_parts.h"

#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

/* Two words make one entry: the bucket by multiply-shift (its bias, k / 2^32, is
 * far below what any test of a projection could see), the sign from the other. */
void projection_table(const struct projection *proj, const uint32_t *coord, size_t n, uint32_t *table) {
    struct rng base = rng_at(proj->seed, RNG_PROJECTION, 0, 0);
    uint32_t s = proj->s;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = coord ? coord[i] : (uint32_t)i, word[4] = { 0 }, first = 0;
        for (uint32_t r = 0; r < s; r++) {
            if (r % 2 == 0) {
                uint32_t ctr[4] = { r / 2, 0, j, 0 };
                rng_philox(word, ctr, base.key);
            }
            const uint32_t *w = word + 2 * (r % 2);
            uint32_t end = (uint32_t)((uint64_t)(r + 1) * proj->k / s);
            uint32_t bucket = first + (uint32_t)((uint64_t)w[0] * (end - first) >> 32);
            table[i * s + r] = bucket << 1 | w[1] >> 31;
            first = end;
        }
    }
}

/* v or -v: the sign bit is flipped directly, which keeps the loop free of branches. */
static inline float signed_by(float v, uint32_t sign) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits ^= sign << 31;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* s entries of each coordinate.  Where the table comes from memory the address of
 * a store is known late, and later loads wait for it: so its lines are asked for
 * early (5 M coordinates to k = 4096: 0.6 G/s without, 1.5 with). */
enum { AHEAD = 1024, RUN = 16 };
static inline __attribute__((always_inline))
void add_entries(const uint32_t *table, const float *grad, size_t n, float weight, float *out, const size_t s) {
    for (size_t first = 0; first < n; first += RUN) {
        size_t end = first + RUN < n ? first + RUN : n;
        for (size_t line = 0; line < s; line++) {
            size_t at = first * s + line * RUN + AHEAD;
            if (at < n * s) __builtin_prefetch(table + at);
        }
        for (size_t i = first; i < end; i++) {
            float g = weight * grad[i];
            for (size_t r = 0; r < s; r++) {
                uint32_t t = table[i * s + r];
                out[t >> 1] += signed_by(g, t & 1);
            }
        }
    }
}

void projection_add_sjlt(const struct projection *proj, const uint32_t *table,
                         const float *grad, size_t n, float weight, float *out) {
    float w = proj->s > 1 ? weight / sqrtf((float)proj->s) : weight;
    switch (proj->s) {
    case 1: add_entries(table, grad, n, w, out, 1); break;
    case 2: add_entries(table, grad, n, w, out, 2); break;
    case 4: add_entries(table, grad, n, w, out, 4); break;
    case 8: add_entries(table, grad, n, w, out, 8); break;
    default: add_entries(table, grad, n, w, out, proj->s);
    }
}

static enum status projector_table(struct projector *pr, const uint32_t *coord) {
    size_t p = (size_t)pr->proj.p;
    if (p <= SIZE_MAX / pr->proj.s) pr->table = mem_array(p * pr->proj.s, sizeof *pr->table);
    if (!pr->table) return fail(ERR_NOMEM, "projection: out of memory for %zu coordinates, %u entries each", p, pr->proj.s);
    projection_table(&pr->proj, coord, p, pr->table);
    return OK;
}

static void add(struct projection_work *w, size_t thread, size_t row,
                size_t offset, const float *grad, size_t n, float weight) {
    (void)thread;
    const struct projection *proj = &w->pr->proj;
    projection_add_sjlt(proj, w->pr->table + offset * proj->s, grad, n, weight, w->out + row * proj->k);
}

const struct projection_ops projection_sjlt = { .projector_new = projector_table, .add = add };
