/* projection.c - sparse Johnson-Lindenstrauss projection by a table of buckets. */
#include "dtrak/projection.h"
#include "dtrak/rng.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[PROJECTION_KIND_COUNT] = { "sjlt" };

const char *projection_kind_name(enum projection_kind kind) {
    return (unsigned)kind < PROJECTION_KIND_COUNT ? kind_names[kind] : "?";
}

enum projection_kind projection_kind_parse(const char *name) {
    int k = 0;
    while (k < PROJECTION_KIND_COUNT && strcmp(name, kind_names[k]) != 0) k++;
    return (enum projection_kind)k;
}

enum status projection_check(const struct projection *proj) {
    if ((unsigned)proj->kind >= PROJECTION_KIND_COUNT)
        return fail(ERR_RANGE, "projection: kind %d is not known; sjlt is", (int)proj->kind);
    if (proj->version != PROJECTION_VERSION)
        return fail(ERR_RANGE, "projection: made by version %u of the algorithm, this program has version %u",
                    proj->version, PROJECTION_VERSION);
    if (proj->p == 0 || proj->p > UINT32_MAX)
        return fail(ERR_RANGE, "projection: %llu coordinates are outside 1..2^32-1", (unsigned long long)proj->p);
    if (proj->k == 0 || proj->k > 1u << 30)
        return fail(ERR_RANGE, "projection: %u dimensions are outside 1..2^30", proj->k);
    if (proj->s == 0 || proj->s > 64 || proj->k % proj->s)
        return fail(ERR_RANGE, "projection: %u non-zeros per coordinate; 1 to 64 that divide %u are possible",
                    proj->s, proj->k);
    return OK;
}

/* Two words make one entry: the bucket by multiply-shift (its bias, k / 2^32, is
 * far below what any test of a projection could see), the sign from the other. */
void projection_table(const struct projection *proj, const uint32_t *coord, size_t n, uint32_t *table) {
    struct rng base = rng_at(proj->seed, RNG_PROJECTION, 0, 0);
    uint32_t s = proj->s, segment = proj->k / s;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = coord ? coord[i] : (uint32_t)i, word[4] = { 0 };
        for (uint32_t r = 0; r < s; r++) {
            if (r % 2 == 0) {
                uint32_t ctr[4] = { r / 2, 0, j, 0 };
                rng_philox(word, ctr, base.key);
            }
            const uint32_t *w = word + 2 * (r % 2);
            uint32_t bucket = r * segment + (uint32_t)((uint64_t)w[0] * segment >> 32);
            table[i * s + r] = bucket << 1 | w[1] >> 31;
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

void projection_add_sjlt(const struct projection *proj, const uint32_t *table,
                         const float *grad, size_t n, float weight, float *out) {
    size_t s = proj->s;
    if (s == 1) {
        for (size_t i = 0; i < n; i++) {
            uint32_t t = table[i];
            out[t >> 1] += signed_by(weight * grad[i], t & 1);
        }
        return;
    }
    float w = weight / sqrtf((float)s);
    for (size_t i = 0; i < n; i++) {
        float g = w * grad[i];
        for (size_t r = 0; r < s; r++) {
            uint32_t t = table[i * s + r];
            out[t >> 1] += signed_by(g, t & 1);
        }
    }
}
