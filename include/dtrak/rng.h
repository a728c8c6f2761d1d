/* rng.h - random numbers that depend on a key and a position, nothing else.
 *
 * Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * SC 2011): block number `ctr` of the stream `key` is a pure function, so what
 * an item draws does not depend on batch size, order or thread count.
 * Checked against: the paper's known-answer vectors, tests/unit/rng_test.c. */
#ifndef DTRAK_RNG_H
#define DTRAK_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Four words from a 128-bit counter and a 64-bit key. */
void rng_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]);

/* What a stream is for; part of its key, so that two uses do not share numbers.  (One exception: training draws
 * the noise of (step, place in the batch) as RNG_NOISE too, which with the same seed is that of an item and timestep
 * of these numbers.  Another key would change all trained weights.) */
enum rng_use {
    RNG_NOISE = 1,      /* q-sample noise of (item, timestep) */
    RNG_INIT,           /* initial weights of a parameter */
    RNG_BATCH,          /* order of training items */
    RNG_TIMESTEP,       /* training timesteps */
    RNG_FLIP,           /* horizontal flips */
    RNG_LATENT,         /* first latent of a generated item */
    RNG_PROJECTION,     /* buckets and signs of a projection */
    RNG_CHOICE,         /* which items a data set keeps */
    RNG_TEST,
    RNG_SCORE,          /* scores of the method `random` */
    RNG_SUBSET,         /* which items a subset has */
    RNG_PROBE           /* vectors that a trace is estimated with */
};

/* A stream: seed and use make the key; a and b (an item, a timestep, ...) are
 * the upper half of the counter; `next` counts 4-word blocks in the lower. */
struct rng { uint32_t key[2]; uint32_t a, b; uint64_t next; uint32_t have[4]; int left; };

struct rng rng_at(uint64_t seed, enum rng_use use, uint32_t a, uint32_t b);
uint32_t rng_u32(struct rng *r);
/* Uniform in [0, n), without bias; n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);
/* Uniform in [0, 1) with 24 bits. */
float rng_uniform(struct rng *r);

/* out[i] ~ N(0, 1), i < n, by Box-Muller in float64 rounded to float32; the
 * same (seed, use, a, b) gives the same prefix whatever n is. */
void rng_normal(float *out, size_t n, uint64_t seed, enum rng_use use, uint32_t a, uint32_t b);

/* Fisher-Yates shuffle of 0..n-1 written into out. */
void rng_permutation(uint32_t *out, uint32_t n, struct rng *r);

#endif
