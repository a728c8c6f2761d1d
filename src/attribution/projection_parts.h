/* projection_parts.h - what the files of the projection share.
 *
 * Each kind fills the middle of a projector (what all threads read) and of a
 * work (what is written), and gives a table of functions. */
#ifndef DTRAK_PROJECTION_PARTS_H
#define DTRAK_PROJECTION_PARTS_H

#include "dtrak/projection.h"

#include "dtrak/rng.h"

struct projector {
    struct projection proj;
    struct rng key;          /* of (seed, RNG_PROJECTION) */
    uint32_t *table;         /* sjlt: [p][s] buckets and signs; other kinds: [p] coordinates */
    const struct projection_ops *ops;
    void *own;               /* of the kind */
};

struct projection_work {
    const struct projector *pr;
    size_t threads, capacity;
    size_t rows;             /* of the group in hand */
    float *out;              /* [rows][k] */
    void *own;
};

struct projection_ops {
    /* All but projection_add() may be NULL: nothing to do. */
    enum status (*projector_new)(struct projector *pr, const uint32_t *coord);
    void (*projector_free)(struct projector *pr);
    size_t (*thread_bytes)(const struct projector *pr);   /* of a work, for each thread */
    enum status (*work_new)(struct projection_work *w, size_t memory);   /* may lower w->capacity */
    void (*work_free)(struct projection_work *w);
    void (*begin)(struct projection_work *w);
    void (*add)(struct projection_work *w, size_t thread, size_t row,
                size_t offset, const float *grad, size_t n, float weight);
    int (*finish)(struct projection_work *w, struct pool *pool, atomic_int *cancel);
};

extern const struct projection_ops projection_sjlt, projection_dense, projection_srht;

/* Keeps coord, or 0, 1, 2, ..., in pr->table. */
enum status projector_keep_coordinates(struct projector *pr, const uint32_t *coord);

/* Four words of (seed, kind, a, b).  sjlt came first: its kind is 0. */
void projection_words(uint32_t out[4], const struct projector *pr, uint32_t a, uint32_t b, uint32_t use);

#endif
