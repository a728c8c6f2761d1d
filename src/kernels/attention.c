/* attention.c - softmax(q k^T / sqrt(d)) v for one image, head by head, on
 * BLAS (which the caller has set to one thread).
 *
 * The weights of a few queries at a time pass through a block that stays in
 * cache.  Where all of them are small they are kept for the way back; where
 * they are not (they grow with the square of the pixels) it makes them again. */
#include "dtrak/kernels.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <math.h>

enum { KEPT_MOST = 1 << 17, BLOCK = 1 << 17, ROWS_LEAST = 64 };

/* Floats between rows of weights: no power of two, whose rows would fight for
 * the same lines of the cache. */
static size_t stride(size_t N) { return N % 64 ? N : N + 16; }

size_t attention_keep(size_t N, size_t heads) {
    return heads * N * N <= KEPT_MOST ? heads * N * stride(N) : 0;
}

static size_t rows_at_once(size_t N) {
    size_t rows = BLOCK / N > ROWS_LEAST ? BLOCK / N : ROWS_LEAST;
    return rows < N ? rows : N;
}

size_t attention_scratch(size_t N) { return 2 * rows_at_once(N) * stride(N); }

/* c = alpha op(a) op(b) + beta c, row-major with explicit leading dimensions. */
static void gemm(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc) {
    assert(m < INT_MAX && n < INT_MAX && k < INT_MAX && lda < INT_MAX && ldb < INT_MAX && ldc < INT_MAX);
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

/* p [rows][stride(N)]: the weights of queries q. */
static void weigh(const struct kernels *kernels, float *p, const float *q, const float *k, size_t rows,
                  size_t N, size_t C, size_t d) {
    gemm(0, 1, rows, N, d, 1.0f / sqrtf((float)d), q, C, k, C, 0, p, stride(N));
    for (size_t r = 0; r < rows; r++) kernels->softmax(p + r * stride(N), 1, N);
}

void attention_forward(const struct kernels *kernels, float *y, float *p, float *scratch, const float *q,
                       const float *k, const float *v, size_t N, size_t C, size_t heads) {
    size_t d = C / heads, R = rows_at_once(N), ld = stride(N);
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < N; i += R) {
            size_t at = i * C + h * d, rows = N - i < R ? N - i : R;
            float *block = p ? p + (h * N + i) * ld : scratch;
            weigh(kernels, block, q + at, k + h * d, rows, N, C, d);
            gemm(0, 0, rows, d, N, 1, block, ld, v + h * d, C, 0, y + at, C);
        }
}

void attention_backward(const struct kernels *kernels, float *dq, float *dk, float *dv, float *scratch,
                        const float *dy, const float *p, const float *q, const float *k, const float *v,
                        size_t N, size_t C, size_t heads) {
    size_t d = C / heads, R = rows_at_once(N), ld = stride(N);
    float scale = 1.0f / sqrtf((float)d), *dp = scratch + R * ld;
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < N; i += R) {
            size_t head = h * d, at = i * C + head, rows = N - i < R ? N - i : R;
            const float *block = p ? p + (h * N + i) * ld : scratch;
            float beta = i ? 1 : 0;
            if (!p) weigh(kernels, scratch, q + at, k + head, rows, N, C, d);
            gemm(1, 0, N, d, rows, 1, block, ld, dy + at, C, beta, dv + head, C);
            gemm(0, 1, rows, N, d, 1, dy + at, C, v + head, C, 0, dp, ld);
            for (size_t r = 0; r < rows; r++) kernels->softmax_backward(dp + r * ld, block + r * ld, 1, N);
            gemm(0, 0, rows, d, N, scale, dp, ld, k + head, C, 0, dq + at, C);
            gemm(1, 0, N, d, rows, scale, dp, ld, q + at, C, beta, dk + head, C);
        }
}
