/* projection.h - random projection of gradients from p to k coordinates.
 *
 * A projection is a linear map P, drawn once by (kind, seed, p, k, s), with
 * E <Px, Py> = <x, y>.  No P is ever stored: each entry is a pure function of
 * the seed, the coordinate j < p (the flat index in diffusers' parameter order)
 * and the output r < k, so a gradient may come in any layout and in any pieces.
 *
 *   sjlt        s non-zeros per coordinate: the outputs are cut into s segments,
 *               segment i is [i k / s, (i+1) k / s) rounded down; in each one
 *               output gets the coordinate times +-1/sqrt(s)
 *   rademacher  every entry is +-1/sqrt(k)
 *   gaussian    every entry is N(0, 1/k)
 *   srht        blocks of m coordinates, m the least power of two >= k, go
 *               through signs, a Hadamard transform, a choice of k of its m rows
 *               and a sign per (block, output); the blocks' images are summed
 *
 * Variance.  P_rj = a_rj / sqrt(k), with a_rj uncorrelated, of mean 0 and variance 1, so
 *   <Px,Py> - <x,y> = sum_i x_i y_i (|P_i|^2 - 1) + sum_{i != j} x_i y_j <P_i, P_j>
 * The signs leave of the square of the second sum only the terms whose pairs are
 * the same, each with x_i^2 y_j^2 + x_i y_i x_j y_j.  With
 *   V = sum_{i != j} of that = |x|^2 |y|^2 + <x,y>^2 - 2 sum_i x_i^2 y_i^2
 * and |P_i| = 1 (not for gaussian), Var <Px, Py> is
 *   rademacher  V / k
 *   gaussian    (|x|^2 |y|^2 + <x,y>^2) / k: |P_i|^2 varies too, by 2 / k
 *   sjlt        V / s^2 sum_i 1 / k_i, k_i the length of segment i (two coordinates
 *               meet in segment i with chance 1 / k_i): V / k where s divides k
 *   srht        (V - V' (k - 1) / (m - 1)) / k, V' the part of V with i and j in one
 *               block: two different rows of a block, u = i xor j, give
 *               E[H_r,i H_r,j H_r',i H_r',j] = E[H_(r xor r'),u] = -1 / (m - 1), and
 *               the signs per output make pairs over two blocks as rademacher's.
 *               k a power of two: m = k and V' drops out, a block is mapped exactly.
 *
 * The same values on every processor, but for gaussian: its polynomials use
 * fused multiply-adds where there are some, and entries differ by rounding
 * (below 1e-6 / sqrt(k)).
 *
 * Source: Kane & Nelson, "Sparser Johnson-Lindenstrauss Transforms",
 * arXiv:1012.1577 (block construction); Achlioptas, "Database-friendly random
 * projections", JCSS 66 (2003); Ailon & Chazelle, "The fast Johnson-Lindenstrauss
 * transform", SIAM J. Comput. 39 (2009); Tropp, "Improved analysis of the
 * subsampled randomized Hadamard transform", arXiv:1011.1595.
 * Checked against: tests/unit/projection_test.c (both moments, over seeds). */
#ifndef DTRAK_PROJECTION_H
#define DTRAK_PROJECTION_H

#include "dtrak/err.h"
#include "dtrak/pool.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum projection_kind {
    PROJECTION_SJLT, PROJECTION_RADEMACHER, PROJECTION_GAUSSIAN, PROJECTION_SRHT, PROJECTION_KIND_COUNT
};

const char *projection_kind_name(enum projection_kind kind);            /* "sjlt" */
enum projection_kind projection_kind_parse(const char *name);           /* or PROJECTION_KIND_COUNT */

/* "sjlt" (s = 1), "sjlt:4", "rademacher", "gaussian", "srht" (s = 0); ERR_RANGE
 * with the text and what is possible. */
enum status projection_parse(const char *text, enum projection_kind *kind, uint32_t *s);

/* Everything that a projection's values depend on: two feature sets may be
 * compared only when these are equal. */
struct projection {
    enum projection_kind kind;
    uint64_t seed;
    uint64_t p;          /* coordinates in all, < 2^32 */
    uint32_t k;          /* outputs, 1 .. 2^24 */
    uint32_t s;          /* sjlt: non-zeros per coordinate, 1 .. k; other kinds: 0 */
    uint32_t version;    /* PROJECTION_VERSION of the program that made it */
};
#define PROJECTION_VERSION 1u

/* OK when the fields are within their ranges and the version is this one. */
enum status projection_check(const struct projection *proj);

/* OK when a and b are the same map; else ERR_RANGE with both in words:
 * "projections differ: sjlt, seed 42, k 4096 / gaussian, seed 7, k 4096". */
enum status projection_same(const struct projection *a, const struct projection *b);

/* --- projecting --- */

/* The map, with what is worth keeping of it: sjlt 4 s bytes per coordinate,
 * srht 4 1/4, the dense kinds 4.  Made once per network; read only, so threads
 * share it.
 *   coord  in [p]  each stored position's coordinate, a permutation of 0..p-1; read
 *                  here and not kept.  NULL: position i is coordinate i. */
struct projector;
enum status projector_new(struct projector **out, const struct projection *proj, const uint32_t *coord);
void projector_free(struct projector *pr);   /* NULL is fine */
const struct projection *projector_get(const struct projector *pr);

/* Projects up to projection_rows() gradients at a time.
 *
 * sjlt and srht stream: a piece is added to its row of outputs and forgotten (srht
 * holds the blocks that are begun: for each thread about one tensor's worth).
 * A dense kind costs k multiply-adds per coordinate, and making one of its entries
 * costs as much as 4 (rademacher) or 25 (gaussian) of them, so it pays only when each
 * entry made serves many gradients: these are gathered, 4 p bytes each, and finished
 * together.  It takes as many rows as fit `memory`, but at most `rows`.  Beside sgemm,
 * rademacher is as fast from 32 rows on, gaussian 2/3 at 32, 3/4 at 64, 7/8 at 128.
 *
 * The result is the same bit for bit for any number of rows, of threads and any
 * cuts into pieces, on one instruction set; another order of pieces changes
 * nothing for dense kinds, and only rounding (1e-6 of a row's norm) for the others.
 *
 * threads: of the pool that projection_finish() gets, and of callers of
 * projection_add().  ERR_RANGE when not even one gathered row fits `memory`. */
struct projection_work;
enum status projection_work_new(struct projection_work **out, const struct projector *pr,
                                size_t threads, size_t rows, size_t memory);
void projection_work_free(struct projection_work *w);   /* NULL is fine */
/* Memory that a work takes for each of its threads, whatever `memory` is. */
size_t projector_thread_bytes(const struct projector *pr);
size_t projection_rows(const struct projection_work *w);

/* Begins on rows <= projection_rows() gradients, all zero so far.
 *   out  out [rows][k]  theirs to write until projection_finish() */
void projection_begin(struct projection_work *w, size_t rows, float *out);

/* gradient[row] += weight * grad at stored positions offset .. offset + n - 1.
 * A piece may come again (the next batch of timesteps) and is added.  Threads
 * (thread < threads) may add at the same time, to different rows. */
void projection_add(struct projection_work *w, size_t thread, size_t row,
                    size_t offset, const float *grad, size_t n, float weight);

/* Completes out; nothing else may run on w meanwhile.  pool and cancel may be
 * NULL.  Returns 0 when *cancel became non-zero before it was done (out is then
 * of no use), else 1.  Cannot fail otherwise; the work can begin again. */
int projection_finish(struct projection_work *w, struct pool *pool, atomic_int *cancel);

/* --- sjlt alone, as tables --- */

/* Buckets and signs of n coordinates, in the caller's storage order.
 *   coord  in  [n]     each stored position's coordinate; NULL: position i is coordinate i
 *   table  out [n][s]  bucket << 1 | sign, sign 1 meaning minus
 * About 12 ns an entry.  Cannot fail; proj must have passed projection_check(). */
void projection_table(const struct projection *proj, const uint32_t *coord, size_t n, uint32_t *table);

/* out[k] += weight * P grad for the n coordinates of table, in storage order.
 *   table  in     [n][s]    of the same projection and positions
 *   grad   in     [n]
 *   out    in,out [k] */
void projection_add_sjlt(const struct projection *proj, const uint32_t *table,
                         const float *grad, size_t n, float weight, float *out);

#endif
