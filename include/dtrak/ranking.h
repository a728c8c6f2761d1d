/* ranking.h - who comes first in a row of scores.
 *
 * There is one total order: higher score first, and among equal scores the
 * lower index first (-0 equals 0).  Top, bottom and ranks all follow it, so an
 * item's rank in a list is its rank anywhere.  A NaN is refused (ERR_NUMERIC).
 * Checked against: tests/unit/ranking_test.c (full sort). */
#ifndef DTRAK_RANKING_H
#define DTRAK_RANKING_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

struct ranked {
    uint32_t index;   /* train index */
    uint32_t rank;    /* 1 is the highest score, n the lowest */
    float score;
};

/* The first min(k, n) of the order into out; *count says how many.
 * O(n log k), no allocation.  n < 2^32. */
enum status ranking_top(const float *scores, size_t n, size_t k, struct ranked *out, size_t *count);
/* The last min(k, n), the very last (rank n) first. */
enum status ranking_bottom(const float *scores, size_t n, size_t k, struct ranked *out, size_t *count);

/* rank[i], 1..n, of every index. */
enum status ranking_ranks(const float *scores, size_t n, uint32_t *rank);
/* The rank of one index, in one pass. */
enum status ranking_rank_of(const float *scores, size_t n, size_t index, size_t *rank);

#endif
