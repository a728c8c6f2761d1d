/* projection.h - random projection of gradients from p to k coordinates.
 *
 * Only `sjlt` so far: the sparse Johnson-Lindenstrauss transform.  Coordinate j
 * goes to s buckets, one in each of s equal segments of the k outputs, with a
 * random sign each, times 1/sqrt(s).  Bucket and sign are a pure function of
 * (seed, j), so nothing is stored and the order in which a gradient arrives does
 * not matter.
 *
 *   E <Px, Py> = <x, y>
 *   Var <Px, Py> = (|x|^2 |y|^2 + <x,y>^2 - 2 sum_i x_i^2 y_i^2) / k     for every s
 *
 * Source: Kane & Nelson, "Sparser Johnson-Lindenstrauss Transforms", arXiv:1012.1577
 * (block construction).
 * Checked against: tests/unit/projection_test.c (both formulas, over seeds). */
#ifndef DTRAK_PROJECTION_H
#define DTRAK_PROJECTION_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

enum projection_kind { PROJECTION_SJLT, PROJECTION_KIND_COUNT };

const char *projection_kind_name(enum projection_kind kind);            /* "sjlt" */
enum projection_kind projection_kind_parse(const char *name);           /* or PROJECTION_KIND_COUNT */

/* Everything that a projection's values depend on: two feature sets may be
 * compared only when these are equal. */
struct projection {
    enum projection_kind kind;
    uint64_t seed;
    uint64_t p;          /* coordinates in all, < 2^32 */
    uint32_t k;          /* outputs, 1 .. 2^30 */
    uint32_t s;          /* non-zeros per coordinate, 1 .. 64, divides k */
    uint32_t version;    /* PROJECTION_VERSION of the program that made it */
};
#define PROJECTION_VERSION 1u

/* OK when the fields are within their ranges and the version is this one. */
enum status projection_check(const struct projection *proj);

/* Buckets and signs of n coordinates, in the caller's storage order.
 *   coord  in  [n]     each stored position's coordinate, < p (the flat index in
 *                      diffusers' parameter order); NULL: position i is coordinate i
 *   table  out [n][s]  bucket << 1 | sign, sign 1 meaning minus
 * About 12 ns an entry: made once per network and kept.  Cannot fail; proj must
 * have passed projection_check(). */
void projection_table(const struct projection *proj, const uint32_t *coord, size_t n, uint32_t *table);

/* out[k] += weight * P grad for the n coordinates of table.
 *   table  in     [n][s]    of the same projection and positions
 *   grad   in     [n]
 *   out    in,out [k]
 * A gradient may come in pieces (one call per tensor, table + offset * s).  Sums
 * run in float32 in storage order. */
void projection_add_sjlt(const struct projection *proj, const uint32_t *table,
                         const float *grad, size_t n, float weight, float *out);

#endif
