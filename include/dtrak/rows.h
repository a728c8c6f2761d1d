/* rows.h - a matrix of float32 rows that is read in blocks.
 *
 * Features may be larger than memory and lie in a database; the maths sees
 * them only through this callback, and never holds more than a few blocks.
 * Checked against: tests/unit/rows_test.c. */
#ifndef DTRAK_ROWS_H
#define DTRAK_ROWS_H

#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>

struct rows {
    size_t n, k;   /* n rows of k values */
    /* Writes rows first .. first+count-1 to out[count][k]; count >= 1 and the
     * range lies inside n. */
    enum status (*read)(void *ctx, size_t first, size_t count, float *out);
    void *ctx;
    const float *all;   /* [n][k] where all rows are in memory anyway, else NULL */
};

/* Rows in memory: data[n][k] is borrowed and is also the ctx. */
struct rows_memory { const float *data; size_t k; };
struct rows rows_in_memory(struct rows_memory *m, size_t n);

/* A[n][n] = X X^T in float64, both triangles.  Holds two blocks of at most
 * `block_bytes` each (0: 64 MB); every pair of blocks is read once. */
enum status rows_gram(const struct rows *x, double *A, size_t block_bytes, const struct progress *p);

/* Rows [first, first + count) of that matrix, as far as the diagonal goes:
 * panel[count][first + count].  The panels of a matrix are independent, so they
 * can be units of finished work.  _inner_: of X^T X; x is read once per panel. */
enum status rows_gram_panel(const struct rows *x, size_t first, size_t count, double *panel,
                            size_t block_bytes, const struct progress *p);
enum status rows_inner_panel(const struct rows *x, size_t first, size_t count, double *panel,
                             size_t block_bytes, const struct progress *p);

/* C[M][n] = Q X^T for query rows Q[M][k] in memory, in float64; x is read once. */
enum status rows_cross(const struct rows *x, const float *Q, size_t M, double *C,
                       size_t block_bytes, const struct progress *p);

/* A[k][k] = X^T X in float64; x is read once. */
enum status rows_inner_gram(const struct rows *x, double *A, size_t block_bytes,
                            const struct progress *p);

/* norm[i] = ||x_i||, in float64; x is read once. */
enum status rows_norms(const struct rows *x, double *norm, size_t block_bytes);

#endif
