/* random_matrix.h - dense random matrices that are never stored, a panel at a
 * time, and the products with them; the Hadamard transform.
 *
 * The entry of (coordinate, output) is a pure function of the coordinate's key
 * (two random words) and of the output's number.  Outputs go in blocks of
 * RANDOM_WIDTH; a panel is the entries of some coordinates in one block.
 *
 * Each function exists for several instruction sets, as in kernels.h.
 * Checked against: tests/unit/random_matrix_test.c (plain loops in double,
 * moments and tails). */
#ifndef DTRAK_RANDOM_MATRIX_H
#define DTRAK_RANDOM_MATRIX_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_WIDTH = 32, RANDOM_ROWS = 4 };

struct random_matrix {
    const char *name;   /* "portable", "avx2", "avx512" */

    /* Entries of n coordinates and the outputs RANDOM_WIDTH * block, ...
     *   panel  out [n][RANDOM_WIDTH], aligned to 64
     *   a, b   in  [n]   the coordinates' keys
     * rademacher: -1 or 1, the same on every instruction set.  gaussian: standard
     * normal by Box-Muller from 23 and 32 random bits, |entry| < 5.8, within 5e-6 of
     * the exact transform; variants differ by rounding. */
    void (*rademacher)(float *panel, const uint32_t *a, const uint32_t *b, size_t n, uint32_t block);
    void (*gaussian)(float *panel, const uint32_t *a, const uint32_t *b, size_t n, uint32_t block);

    /* y[r][o] += sum_c x[c][r] * panel[c][o], the sum from c = 0 on in float32, then added.
     *   y      in,out [rows][RANDOM_WIDTH], ldy floats from row to row
     *   x      in     [n][ldx], rows of it used; ldx >= rows, a multiple of
     *                 RANDOM_ROWS; what lies between is read */
    void (*multiply)(float *y, size_t ldy, const float *x, size_t ldx, size_t rows,
                     const float *panel, size_t n);

    /* x[i] <- -x[i] where bit i % 32 of sign[i / 32] is set, i < n. */
    void (*flip)(float *x, const uint32_t *sign, size_t n);

    /* x <- H x for the Walsh-Hadamard matrix H[r][i] = (-1)^popcount(r & i), in place.
     * m a power of two.  Additions only: the same bits on every instruction set. */
    void (*hadamard)(float *x, size_t m);
};

/* As kernels_best() and kernels_named(). */
const struct random_matrix *random_matrix_best(void);
const struct random_matrix *random_matrix_named(const char *name);

#endif
