/* distance.h - how far two pictures, or two rows of an embedding, are from each other.
 *
 * a, b [n] float32, sums in float64.  Checked against: tests/unit/distance_test.c. */
#ifndef DTRAK_DISTANCE_H
#define DTRAK_DISTANCE_H

#include <stddef.h>

/* Euclidean: sqrt(sum (a - b)^2). */
double distance_l2(const float *a, const float *b, size_t n);
/* a.b / (|a| |b|) in [-1, 1]; 0 when one of them is 0. */
double distance_cosine(const float *a, const float *b, size_t n);

#endif
