/* neighbours.h - the nearest rows of one matrix for every row of another, exactly.
 *
 *   euclid   sqrt(sum (q - x)^2), smallest first
 *   dot      q . x, largest first
 *   cosine   q . x / (||q|| ||x||), largest first; 0 where a norm is 0
 * Equal ones are in order of their index.  Products of blocks only propose: whatever could be
 * among the first k by their rounding is measured again, directly and in float64, so a
 * copy is at distance 0 and the order does not depend on blocks or threads.
 * Rows may be pixels, features or embeddings.
 * Checked against: tests/unit/neighbours_test.c (full sort). */
#ifndef DTRAK_NEIGHBOURS_H
#define DTRAK_NEIGHBOURS_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/rows.h"

#include <stddef.h>
#include <stdint.h>

enum neighbours_measure { NEIGHBOURS_EUCLID, NEIGHBOURS_DOT, NEIGHBOURS_COSINE };
const char *neighbours_measure_name(enum neighbours_measure m);   /* "euclid", "dot", "cosine" */

struct neighbour { uint32_t index; double value; };   /* of a train row; distance or similarity */

/* The first k of `train` for each row of `queries`.
 *   out  [queries->n][min(k, train->n)], or with `same` min(k, train->n - 1): a row is then
 *        not its own neighbour (queries and train are the same rows)
 * Both are read in blocks of at most block_bytes (0: 64 MB), train once per block of
 * queries.  The pool may be NULL.  ERR_RANGE when rows differ in length or there is no row to
 * be near to; ERR_NUMERIC when a value is not finite. */
enum status neighbours_find(struct neighbour *out, const struct rows *queries, const struct rows *train, size_t k,
                            enum neighbours_measure m, int same, size_t block_bytes, struct pool *pool,
                            const struct progress *p);

/* How many there will be per query. */
size_t neighbours_count(const struct rows *train, size_t k, int same);

#endif
