/* plain.c - kernels that only move memory: packing, padding, resampling. */
#include "dtrak/kernels.h"

#include <string.h>

void add_into(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void upsample_forward(float *y, const float *x, size_t B, size_t H, size_t W, size_t C) {
    for (size_t r = 0; r < B * H; r++) {
        float *row = y + r * 2 * 2 * W * C;
        for (size_t j = 0; j < W; j++, x += C) {
            memcpy(row + 2 * j * C, x, C * sizeof *x);
            memcpy(row + (2 * j + 1) * C, x, C * sizeof *x);
        }
        memcpy(row + 2 * W * C, row, 2 * W * C * sizeof *x);
    }
}

void upsample_backward(float *dx, int add, const float *dy, size_t B, size_t H, size_t W, size_t C) {
    for (size_t r = 0; r < B * H; r++)
        for (size_t j = 0; j < W; j++, dx += C) {
            const float *top = dy + (r * 2 * 2 * W + 2 * j) * C, *low = top + 2 * W * C;
            for (size_t c = 0; c < C; c++) {
                float s = (top[c] + top[C + c]) + (low[c] + low[C + c]);
                dx[c] = add ? dx[c] + s : s;
            }
        }
}

void pool_forward(float *y, const float *x, size_t B, size_t H, size_t W, size_t C) {
    for (size_t r = 0; r < B * (H / 2); r++)
        for (size_t j = 0; j < W / 2; j++, y += C) {
            const float *top = x + (r * 2 * W + 2 * j) * C, *low = top + W * C;
            for (size_t c = 0; c < C; c++) y[c] = 0.25f * ((top[c] + top[C + c]) + (low[c] + low[C + c]));
        }
}

void pool_backward(float *dx, int add, const float *dy, size_t B, size_t H, size_t W, size_t C) {
    for (size_t r = 0; r < B * H; r++)
        for (size_t j = 0; j < W; j++, dx += C) {
            const float *from = dy + (r / 2 * (W / 2) + j / 2) * C;
            for (size_t c = 0; c < C; c++) dx[c] = add ? dx[c] + 0.25f * from[c] : 0.25f * from[c];
        }
}

void scale_forward(float *y, const float *x, float factor, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] / factor;
}

void scale_backward(float *dx, int add, const float *dy, float factor, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = add ? dx[i] + dy[i] / factor : dy[i] / factor;
}

void concat_forward(float *y, const float *a, size_t Ca, const float *b, size_t Cb, size_t P) {
    for (size_t p = 0; p < P; p++) {
        memcpy(y + p * (Ca + Cb), a + p * Ca, Ca * sizeof *y);
        memcpy(y + p * (Ca + Cb) + Ca, b + p * Cb, Cb * sizeof *y);
    }
}

static void split_part(float *d, int add, const float *dy, size_t C, size_t stride, size_t P) {
    for (size_t p = 0; p < P; p++, d += C, dy += stride) {
        if (add) add_into(d, dy, C);
        else memcpy(d, dy, C * sizeof *d);
    }
}

void concat_backward(float *da, int add_a, size_t Ca, float *db, int add_b, size_t Cb,
                     const float *dy, size_t P) {
    split_part(da, add_a, dy, Ca, Ca + Cb, P);
    split_part(db, add_b, dy + Ca, Cb, Ca + Cb, P);
}
