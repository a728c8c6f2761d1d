/* ranking.h - who comes first in a row of scores.
 *
 * Higher score first, and among equal scores the lower index first (-0 equals
 * 0).  The bottom is that of the negated scores: lowest first, again the lower
 * index first among equals.  A NaN is refused (ERR_NUMERIC).
 * Checked against: tests/unit/ranking_test.c (full sort). */
#ifndef DTRAK_RANKING_H
#define DTRAK_RANKING_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

struct ranking_entry {
    size_t rank;    /* 1, 2, ... within its list: 1 is the highest (top) or the lowest (bottom) */
    size_t index;   /* train index */
    float score;
};

/* The min(k, n) highest scores, best first; *count says how many.
 * O(n log k), no allocation. */
enum status ranking_top(const float *scores, size_t n, size_t k, struct ranking_entry *out, size_t *count);
/* The min(k, n) lowest, lowest first. */
enum status ranking_bottom(const float *scores, size_t n, size_t k, struct ranking_entry *out, size_t *count);

/* rank[i], 1 (highest) .. n, of every index.  n < 2^32. */
enum status ranking_ranks(const float *scores, size_t n, uint32_t *rank);
/* The rank of one index, in one pass. */
enum status ranking_rank_of(const float *scores, size_t n, size_t index, size_t *rank);

#endif
