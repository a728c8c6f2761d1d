/* attention.c - softmax(q k^T / sqrt(d)) v for one image, head by head, on
 * BLAS (which the caller has set to one thread). */
#include "dtrak/kernels.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <math.h>

/* c = alpha op(a) op(b), row-major with explicit leading dimensions. */
static void gemm(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                 size_t lda, const float *b, size_t ldb, float *c, size_t ldc) {
    assert(m < INT_MAX && n < INT_MAX && k < INT_MAX && lda < INT_MAX && ldb < INT_MAX && ldc < INT_MAX);
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, 0, c, (int)ldc);
}

void attention_forward(float *y, float *p, const float *q, const float *k, const float *v,
                       size_t N, size_t C, size_t heads) {
    size_t d = C / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (size_t h = 0; h < heads; h++, p += N * N) {
        gemm(0, 1, N, N, d, scale, q + h * d, C, k + h * d, C, p, N);
        kernels_best()->softmax(p, N, N);
        gemm(0, 0, N, d, N, 1, p, N, v + h * d, C, y + h * d, C);
    }
}

void attention_backward(float *dq, float *dk, float *dv, float *dp, const float *dy,
                        const float *p, const float *q, const float *k, const float *v,
                        size_t N, size_t C, size_t heads) {
    size_t d = C / heads;
    float scale = 1.0f / sqrtf((float)d);
    for (size_t h = 0; h < heads; h++, p += N * N) {
        size_t at = h * d;
        gemm(1, 0, N, d, N, 1, p, N, dy + at, C, dv + at, C);
        gemm(0, 1, N, N, d, 1, dy + at, C, v + at, C, dp, N);
        kernels_best()->softmax_backward(dp, p, N, N);
        gemm(0, 0, N, d, N, scale, dp, N, k + at, C, dq + at, C);
        gemm(1, 0, N, d, N, scale, dp, N, q + at, C, dk + at, C);
    }
}
