/* by_elimination.c - linear systems by elimination.  See by_elimination.h. */
#include "by_elimination.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void swap(double *a, double *b) {
    double t = *a;
    *a = *b;
    *b = t;
}

/* Gauss-Jordan with partial pivoting on W [n][n + 1], whose last column becomes the solution. */
static void eliminate(double *W, size_t n) {
    size_t w = n + 1;
    for (size_t c = 0; c < n; c++) {
        size_t pivot = c;
        for (size_t i = c + 1; i < n; i++)
            if (fabs(W[i * w + c]) > fabs(W[pivot * w + c])) pivot = i;
        for (size_t j = c; j < w && pivot != c; j++) swap(&W[c * w + j], &W[pivot * w + j]);
        for (size_t i = 0; i < n; i++) {
            if (i == c) continue;
            double f = W[i * w + c] / W[c * w + c];
            for (size_t j = c; j < w; j++) W[i * w + j] -= f * W[c * w + j];
        }
    }
    for (size_t c = 0; c < n; c++) W[c * w + n] /= W[c * w + c];
}

void solve_by_elimination(double *x, const double *A, const double *b, size_t n) {
    double *W = malloc(n * (n + 1) * sizeof *W);
    if (!W) abort();
    for (size_t i = 0; i < n; i++) {
        memcpy(W + i * (n + 1), A + i * n, n * sizeof *A);
        W[i * (n + 1) + n] = b[i];
    }
    eliminate(W, n);
    for (size_t i = 0; i < n; i++) x[i] = W[i * (n + 1) + n];
    free(W);
}

void ridge_by_elimination(double *x, const float *phi, size_t n, size_t stride, size_t k, double lambda, const float *g) {
    double *A = calloc(k * k, sizeof *A);
    if (!A) abort();
    for (size_t i = 0; i < k; i++) {
        A[i * k + i] = lambda;
        x[i] = (double)g[i];
    }
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++) A[i * k + j] += (double)phi[r * stride + i] * (double)phi[r * stride + j];
    solve_by_elimination(x, A, x, k);
    free(A);
}

double dot_product(const float *a, const float *b, size_t k) {
    double sum = 0;
    for (size_t i = 0; i < k; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double dot_solution(const double *x, const float *phi, size_t k) {
    double sum = 0;
    for (size_t i = 0; i < k; i++) sum += x[i] * (double)phi[i];
    return sum;
}
