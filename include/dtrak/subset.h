/* subset.h - which training items a subset has.
 *
 * Subset m is a function of (seed, m, labels, alpha) alone: the same whatever
 * other subsets are drawn, in whatever order and on whatever machine.
 * Source: the class-stratified half subsets of arXiv 2311.00500's released code.
 * Checked against: tests/unit/subset_test.c. */
#ifndef DTRAK_SUBSET_H
#define DTRAK_SUBSET_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

/* round(alpha n), halves away from zero. */
size_t subset_size(size_t n, double alpha);

/* members[i] = 1 for exactly subset_size(n, alpha) of n items, else 0.
 * stratified: each label (any int, also -1) has floor(alpha n_label) or one
 * more, the larger remainders first and chance among equal ones; labels may be
 * NULL when it is 0.  0 < alpha < 1, n < 2^31; ERR_RANGE when the subset or its
 * complement would be empty. */
enum status subset_draw(unsigned char *members, const int *labels, size_t n, double alpha, int stratified,
                        uint64_t seed, size_t m);

#endif
