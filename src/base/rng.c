#include "dtrak/rng.h"

#include <math.h>

void rng_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]) {
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

struct rng rng_at(uint64_t seed, enum rng_use use, uint32_t a, uint32_t b) {
    /* The use is mixed into the seed (splitmix64), so that seeds 0, 1, 2, ...
     * of one use never meet those of another. */
    uint64_t z = seed + 0x9E3779B97F4A7C15u * (uint64_t)use;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    struct rng r = { { (uint32_t)z, (uint32_t)(z >> 32) }, a, b, 0, { 0, 0, 0, 0 }, 0 };
    return r;
}

static void block(uint32_t out[4], const struct rng *r, uint64_t n) {
    uint32_t ctr[4] = { (uint32_t)n, (uint32_t)(n >> 32), r->a, r->b };
    rng_philox(out, ctr, r->key);
}

uint32_t rng_u32(struct rng *r) {
    if (!r->left) {
        block(r->have, r, r->next++);
        r->left = 4;
    }
    return r->have[4 - r->left--];
}

uint32_t rng_below(struct rng *r, uint32_t n) {
    uint32_t limit = (uint32_t)(-n) % n;   /* 2^32 mod n: reject below it */
    for (;;) {
        uint64_t m = (uint64_t)rng_u32(r) * n;
        if ((uint32_t)m >= limit) return (uint32_t)(m >> 32);
    }
}

float rng_uniform(struct rng *r) { return (float)(rng_u32(r) >> 8) * 0x1p-24f; }

void rng_normal(float *out, size_t n, uint64_t seed, enum rng_use use, uint32_t a, uint32_t b) {
    struct rng r = rng_at(seed, use, a, b);
    for (size_t i = 0; i < n; i += 4) {
        uint32_t w[4];
        block(w, &r, i / 4);
        double z[4];
        for (int h = 0; h < 2; h++) {
            double u = ((double)w[2 * h] + 1.0) * 0x1p-32;          /* (0, 1] */
            double v = (double)w[2 * h + 1] * 0x1p-32;
            double radius = sqrt(-2.0 * log(u)), angle = 6.283185307179586476925 * v;
            z[2 * h] = radius * cos(angle);
            z[2 * h + 1] = radius * sin(angle);
        }
        for (size_t j = 0; j < 4 && i + j < n; j++) out[i + j] = (float)z[j];
    }
}

void rng_permutation(uint32_t *out, uint32_t n, struct rng *r) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = rng_below(r, i + 1);
        if (j != i) out[i] = out[j];
        out[j] = i;
    }
}
