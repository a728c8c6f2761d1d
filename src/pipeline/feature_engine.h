/* feature_engine.h - one checkpoint's way from images to projected gradients.
 * Used by features.c alone.
 *
 * A sample is seen at (timestep, noise draw) pairs.  Part b of `parts` is the mean
 * over the pairs b, b + parts, ...; a *piece* is one part of one item, made by
 * one thread, pass by pass: one forward for every loss, one backward each, whose
 * gradients go to the projection parameter by parameter and are forgotten.
 *
 * A *kind* of row is a loss with a number k of dimensions: number d * LOSS_COUNT + loss, d counting the k.
 *
 * The pairs of a piece go through the network FEATURE_PASS at a time, fewer in a
 * large network; that number follows from the network alone, since it decides in
 * which order weight gradients are summed.  So no option changes a bit. */
#ifndef PIPELINE_FEATURE_ENGINE_H
#define PIPELINE_FEATURE_ENGINE_H

#include "dtrak/cost.h"
#include "dtrak/items.h"
#include "dtrak/loss.h"
#include "dtrak/pipeline.h"
#include "dtrak/pool.h"
#include "dtrak/projection.h"

#include <stdatomic.h>

enum { FEATURE_PASS = 10, FEATURE_KINDS = LOSS_COUNT * FEATURE_DIMS_MAX };
#define FEATURE_KIND(k) ((uint64_t)1 << (k))
_Static_assert(FEATURE_KINDS <= 64, "kinds of rows have a bit each");

struct feature_pair { size_t t, draw; };

struct feature_engine {
    /* given, borrowed */
    const struct stored_network *net;
    size_t D;                          /* floats of an image */
    uint64_t kinds;                    /* all that will be wanted */
    const size_t *k;                   /* [n_k] dimensions */
    size_t n_k;
    uint64_t noise_seed;
    const struct feature_pair *pairs;
    size_t n_pairs, parts;             /* parts divides n_pairs */
    size_t pictures;                   /* of an item: 1, or one for each timestep (then pair i looks at picture
                                        * i mod pictures) */
    size_t block_pieces;               /* a group is a multiple of this many pieces */
    struct projection projection;      /* with any k */
    size_t threads, memory;            /* at most; 0: all processors, half of the RAM */
    atomic_int *cancel;
    /* its own */
    size_t pass;                       /* pairs through the network at a time */
    size_t at_once;                    /* pieces of a group, the last one apart */
    size_t bytes;                      /* of memory, with a group's images and rows */
    size_t threads_asked;              /* those of the pool without a limit on memory */
    struct pool *pool;
    struct projector *projector[FEATURE_DIMS_MAX];
    struct projection_work *work[FEATURE_KINDS];
    struct unet_work **works;
    float *scratch;
    const struct feature_group *group; /* in hand */
    size_t first_piece;
};

/* Items [first, first + items) of a split, in blocks of block_rows (the last one
 * may be short): pieces are numbered by block, then part, then item, as the store
 * keeps them. */
struct feature_group {
    enum split split;
    size_t first, items, block_rows;
    const float *images;               /* [items][pictures][D] */
    uint64_t wanted;                   /* kinds */
    float *out[FEATURE_KINDS];         /* [items * parts][k] in the order of pieces, for those wanted */
    double *loss;                      /* out [items * parts] mean L_simple of each piece */
};

/* Fills in the second half.  ERR_RANGE when memory does not allow one thread, with
 * what would; fewer threads than asked for are used where memory asks for that. */
enum status feature_engine_open(struct feature_engine *e);
void feature_engine_close(struct feature_engine *e);   /* fine on a zeroed one */

/* 0 when it was cancelled: the outputs are then unfinished. */
int feature_engine_run(struct feature_engine *e, const struct feature_group *g);

/* Seconds and floating-point operations of one piece with all kinds, from a
 * short run of the real thing on all threads: at most a tenth of what `pieces` of them
 * take, and a second.  ERR_CANCELLED. */
enum status feature_engine_measure(struct feature_engine *e, double pieces, double *seconds, double *flop);

#endif
