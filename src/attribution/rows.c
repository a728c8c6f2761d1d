/* rows.c - Gram matrices over rows that arrive in blocks. */
#include "dtrak/rows.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

#define TILE ((size_t)256)
#define DEFAULT_BLOCK_BYTES ((size_t)64 << 20)

static enum status read_memory(void *ctx, size_t first, size_t count, float *out) {
    const struct rows_memory *m = ctx;
    memcpy(out, m->data + first * m->k, count * m->k * sizeof *out);
    return OK;
}

struct rows rows_in_memory(struct rows_memory *m, size_t n) {
    return (struct rows){ n, m->k, read_memory, m, m->data };
}

/* Rows per block: as many as fit, at least one, at most n.  Whole tiles of
 * linalg_cross_gram() where there is room, so that sums do not depend on it. */
static size_t rows_per_block(const struct rows *x, size_t block_bytes) {
    size_t b = (block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES) / (x->k * sizeof(float));
    if (b > TILE) b -= b % TILE;
    if (b < 1) b = 1;
    return b < x->n ? b : x->n;
}

static enum status block_new(float **out, const struct rows *x, size_t rows) {
    *out = mem_array(rows * x->k, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "out of memory for a block of %zu rows of %zu", rows, x->k);
    return OK;
}

static enum status rows_check(const struct rows *x) {
    if (!x->n || !x->k) return fail(ERR_RANGE, "a matrix of %zu rows and %zu columns has no Gram", x->n, x->k);
    return OK;
}

static size_t block_len(const struct rows *x, size_t first, size_t b) {
    return x->n - first < b ? x->n - first : b;
}

enum status rows_gram(const struct rows *x, double *A, size_t block_bytes, const struct progress *p) {
    enum status st = OK;
    float *xi = NULL, *xj = NULL;
    TRY(rows_check(x));
    size_t n = x->n, b = rows_per_block(x, block_bytes);
    TRY_TO(block_new(&xi, x, b));
    if (b < n) TRY_TO(block_new(&xj, x, b));
    for (size_t i = 0; i < n; i += b) {
        size_t ni = block_len(x, i, b);
        TRY_TO(x->read(x->ctx, i, ni, xi));
        TRY_TO(linalg_cross_gram(A + i * n + i, n, xi, ni, xi, ni, x->k));
        for (size_t j = 0; j < i; j += b) {
            size_t nj = block_len(x, j, b);
            TRY_TO(progress_check(p));
            TRY_TO(x->read(x->ctx, j, nj, xj));
            TRY_TO(linalg_cross_gram(A + i * n + j, n, xi, ni, xj, nj, x->k));
        }
        for (size_t r = i; r < i + ni; r++)
            for (size_t c = 0; c < i; c++) A[c * n + r] = A[r * n + c];
        progress_report(p, (double)(i + ni), (double)n, "Gram", "");
        TRY_TO(progress_check(p));
    }
done:
    mem_free(xi);
    mem_free(xj);
    return st;
}

enum status rows_gram_panel(const struct rows *x, size_t first, size_t count, double *panel,
                            size_t block_bytes, const struct progress *p) {
    enum status st = OK;
    float *xi = NULL, *xj = NULL;
    TRY(rows_check(x));
    if (first > x->n || count > x->n - first || !count)
        return fail(ERR_RANGE, "Gram panel of rows %zu to %zu of %zu", first, first + count, x->n);
    size_t b = rows_per_block(x, block_bytes), width = first + count;
    TRY_TO(block_new(&xi, x, count));
    TRY_TO(block_new(&xj, x, b));
    TRY_TO(x->read(x->ctx, first, count, xi));
    for (size_t j = 0; j < width; j += b) {
        size_t nj = width - j < b ? width - j : b;
        TRY_TO(progress_check(p));
        TRY_TO(x->read(x->ctx, j, nj, xj));
        TRY_TO(linalg_cross_gram(panel + j, width, xi, count, xj, nj, x->k));
    }
done:
    mem_free(xi);
    mem_free(xj);
    return st;
}

enum status rows_inner_panel(const struct rows *x, size_t first, size_t count, double *panel,
                             size_t block_bytes, const struct progress *p) {
    enum status st = OK;
    float *xj = NULL;
    double *wide = NULL;
    TRY(rows_check(x));
    if (first > x->k || count > x->k - first || !count)
        return fail(ERR_RANGE, "inner Gram panel of columns %zu to %zu of %zu", first, first + count, x->k);
    size_t b = rows_per_block(x, block_bytes), width = first + count, part = b < TILE ? b : TILE;
    TRY_TO(block_new(&xj, x, b));
    wide = mem_array(part * x->k, sizeof *wide);
    if (!wide) {
        st = fail(ERR_NOMEM, "out of memory for a block of %zu rows of %zu", part, x->k);
        goto done;
    }
    for (size_t j = 0; j < x->n; j += b) {
        size_t nj = block_len(x, j, b);
        TRY_TO(progress_check(p));
        TRY_TO(x->read(x->ctx, j, nj, xj));
        for (size_t i = 0; i < nj; i += part) {
            size_t ni = nj - i < part ? nj - i : part;
            for (size_t e = 0; e < ni * x->k; e++) wide[e] = (double)xj[i * x->k + e];
            TRY_TO(linalg_gemm_f64(1, 0, count, width, ni, 1.0, wide + first, x->k, wide, x->k,
                                   j + i ? 1.0 : 0.0, panel, width));
        }
    }
done:
    mem_free(xj);
    mem_free(wide);
    return st;
}

enum status rows_cross(const struct rows *x, const float *Q, size_t M, double *C,
                       size_t block_bytes, const struct progress *p) {
    enum status st = OK;
    float *xj = NULL;
    TRY(rows_check(x));
    size_t b = rows_per_block(x, block_bytes);
    TRY(block_new(&xj, x, b));
    for (size_t j = 0; j < x->n; j += b) {
        size_t nj = block_len(x, j, b);
        TRY_TO(progress_check(p));
        TRY_TO(x->read(x->ctx, j, nj, xj));
        TRY_TO(linalg_cross_gram(C + j, x->n, Q, M, xj, nj, x->k));
    }
done:
    mem_free(xj);
    return st;
}

enum status rows_inner_gram(const struct rows *x, double *A, size_t block_bytes,
                            const struct progress *p) {
    enum status st = OK;
    float *xj = NULL;
    TRY(rows_check(x));
    size_t b = rows_per_block(x, block_bytes);
    TRY(block_new(&xj, x, b));
    memset(A, 0, x->k * x->k * sizeof *A);
    for (size_t j = 0; j < x->n; j += b) {
        size_t nj = block_len(x, j, b);
        TRY_TO(progress_check(p));
        TRY_TO(x->read(x->ctx, j, nj, xj));
        TRY_TO(linalg_inner_gram_add(A, xj, nj, x->k));
        progress_report(p, (double)(j + nj), (double)x->n, "Gram", "");
    }
done:
    mem_free(xj);
    return st;
}

enum status rows_norms(const struct rows *x, double *norm, size_t block_bytes) {
    enum status st = OK;
    float *xj = NULL;
    TRY(rows_check(x));
    size_t b = rows_per_block(x, block_bytes);
    TRY(block_new(&xj, x, b));
    for (size_t j = 0; j < x->n; j += b) {
        size_t nj = block_len(x, j, b);
        TRY_TO(x->read(x->ctx, j, nj, xj));
        for (size_t i = 0; i < nj; i++) {
            double sum = 0;
            for (size_t l = 0; l < x->k; l++) {
                double v = (double)xj[i * x->k + l];
                sum += v * v;
            }
            norm[j + i] = sqrt(sum);
        }
    }
done:
    mem_free(xj);
    return st;
}
