/* convolution.c - whole layers on the tiles of a kernel variant.
 *
 * A layer's three passes become one or a few calls of conv or conv_weight:
 *
 *   plain, forward        one call
 *   stride 1, gradient    one call with taps reversed and weights transposed
 *   stride 2, gradient    four calls, one for each parity of a pixel's row and
 *                         column: only the taps that reach it, no zeros between
 *   upsampled, forward    four calls of 2 x 2 taps, one for each parity of the
 *                         result: of three rows of a doubled image two are equal,
 *                         so their weights are summed beforehand
 *   upsampled, gradient   one call of 4 x 4 taps with stride 2
 *
 * So an upsampled layer takes 16 multiply-adds where the plain sum over the
 * doubled image has 36. */
#include "dtrak/kernels.h"

#include <assert.h>
#include <string.h>

size_t kernel_padded(size_t channels) { return (channels + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES; }

size_t kernel_panel(size_t channels, size_t c0) {
    size_t left = kernel_padded(channels - c0) / KERNEL_LANES;
    return KERNEL_LANES * (left % 2 && left >= 3 ? 3 : left >= 2 ? 2 : 1);
}

/* --- packing --- */

static size_t taps_of(const struct conv_layer *n) { return n->upsample ? 16 : n->K * n->K; }

size_t conv_pack_size(const struct conv_layer *n) {
    size_t f = n->Cin * kernel_padded(n->Cout), b = n->Cout * kernel_padded(n->Cin);
    return taps_of(n) * (f > b ? f : b);
}

/* A block of Kh x Kw taps: element (tap, c, o) of `taps` x Cin x Cout weights
 * goes to panel o, row (tap, c).  Returns the place behind it. */
static float *pack_taps(float *to, const float *const *tap, size_t taps, size_t Cin, size_t Cout,
                        size_t step_c, size_t step_o) {
    for (size_t c0 = 0, panel; c0 < Cout; c0 += panel) {
        panel = kernel_panel(Cout, c0);
        size_t some = Cout - c0 < panel ? Cout - c0 : panel;
        for (size_t k = 0; k < taps; k++)
            for (size_t c = 0; c < Cin; c++, to += panel) {
                const float *from = tap[k] + c * step_c + c0 * step_o;
                if (step_o == 1) memcpy(to, from, some * sizeof *to);
                else for (size_t o = 0; o < some; o++) to[o] = from[o * step_o];
                memset(to + some, 0, (panel - some) * sizeof *to);
            }
    }
    return to;
}

/* Row ky of a 3 x 3 kernel over a doubled image reads row u of parity p's pair. */
static size_t folded_row(size_t p, size_t ky) { return (p + ky + 1) / 2 - p; }

/* sums [parity rows][parity columns][2][2][Cin][Cout] of w [3][3][Cin][Cout]. */
static void fold(float *sums, const float *w, size_t CC) {
    memset(sums, 0, 16 * CC * sizeof *sums);
    for (size_t p = 0; p < 4; p++)
        for (size_t k = 0; k < 9; k++) {
            size_t u = folded_row(p / 2, k / 3), v = folded_row(p % 2, k % 3);
            add_into(sums + (p * 4 + u * 2 + v) * CC, w + k * CC, CC);
        }
}

/* The gradient of a pixel of row parity p in a layer of stride 2 sees the
 * kernel rows ky of that parity, descending as the row of dy ascends. */
static size_t parity_taps(size_t p, size_t K, size_t pad, size_t rows[3], ptrdiff_t *before) {
    size_t count = 0;
    *before = 0;
    for (size_t k = K; k-- > 0;)
        if ((p + pad + k) % 2 == 0) {
            if (!count) *before = ((ptrdiff_t)k - (ptrdiff_t)(p + pad)) / 2;
            rows[count++] = k;
        }
    return count;
}

static void pack_backward(float *to, const float *w, const struct conv_layer *n) {
    size_t CC = n->Cin * n->Cout, rows[3], cols[3];
    const float *tap[16];
    ptrdiff_t before = 0;
    if (n->upsample) {
        /* Output row 2 i - 1 + t of the doubled image holds pixel i through (parity, u): */
        static const size_t parity[4] = { 1, 0, 1, 0 }, row[4] = { 1, 1, 0, 0 };
        for (size_t t = 0; t < 16; t++)
            tap[t] = w + ((parity[t / 4] * 2 + parity[t % 4]) * 4 + row[t / 4] * 2 + row[t % 4]) * CC;
        pack_taps(to, tap, 16, n->Cout, n->Cin, 1, n->Cout);
        return;
    }
    for (size_t p = 0; p < (n->stride == 2 ? 4u : 1u); p++) {
        size_t taps = 0;
        if (n->stride == 1)
            for (size_t k = n->K * n->K; k-- > 0;) tap[taps++] = w + k * CC;
        else {
            size_t nr = parity_taps(p / 2, n->K, n->pad, rows, &before);
            size_t nc = parity_taps(p % 2, n->K, n->pad, cols, &before);
            for (size_t r = 0; r < nr; r++)
                for (size_t c = 0; c < nc; c++) tap[taps++] = w + (rows[r] * n->K + cols[c]) * CC;
        }
        to = pack_taps(to, tap, taps, n->Cout, n->Cin, 1, n->Cout);
    }
}

void conv_pack(float *forward, float *backward, const float *w, float *scratch, const struct conv_layer *n) {
    size_t CC = n->Cin * n->Cout;
    const float *tap[16];
    if (n->upsample) fold(scratch, w, CC);
    if (n->upsample) w = scratch;
    for (size_t k = 0; k < 16; k++) tap[k] = w + (k < taps_of(n) ? k : 0) * CC;
    if (forward && n->upsample)
        for (size_t p = 0; p < 4; p++) forward = pack_taps(forward, tap + 4 * p, 4, n->Cin, n->Cout, n->Cout, 1);
    else if (forward) pack_taps(forward, tap, n->K * n->K, n->Cin, n->Cout, n->Cout, 1);
    if (backward) pack_backward(backward, w, n);
}

/* --- passes --- */

/* Images first where an image is so small that many taps lie outside. */
static int images_first(const struct conv_shape *n) {
    return n->Kh * n->Kw > 1 && n->B >= 4 && n->Ho * n->Wo <= 256;
}

static struct conv_shape plain_shape(const struct conv_layer *n) {
    ptrdiff_t pad = (ptrdiff_t)n->pad;
    struct conv_shape s = { .B = n->B, .H = n->H, .W = n->W, .Cin = n->Cin, .Ho = conv_height(n),
        .Wo = conv_width(n), .Cout = n->Cout, .Kh = n->K, .Kw = n->K, .stride = n->stride, .top = pad, .left = pad };
    s.y_col = n->Cout;
    s.y_row = s.Wo * s.y_col;
    s.y_image = s.Ho * s.y_row;
    s.images_first = images_first(&s);
    assert(n->Cin <= KERNEL_MAX_CHANNELS && n->Cout <= KERNEL_MAX_CHANNELS && n->K <= 3);
    return s;
}

/* The shape that computes every second row and column of y from (p / 2, p % 2). */
static struct conv_shape parity_shape(const struct conv_layer *n, size_t p) {
    struct conv_shape s = { .B = n->B, .H = n->H, .W = n->W, .Cin = n->Cin, .Ho = n->H, .Wo = n->W,
        .Cout = n->Cout, .Kh = 2, .Kw = 2, .stride = 1, .top = 1 - (ptrdiff_t)(p / 2),
        .left = 1 - (ptrdiff_t)(p % 2), .y_col = 2 * n->Cout, .y_row = 4 * n->W * n->Cout,
        .y_image = 4 * n->H * n->W * n->Cout };
    s.images_first = images_first(&s);
    return s;
}
static size_t parity_at(const struct conv_layer *n, size_t p) { return (p / 2 * 2 * n->W + p % 2) * n->Cout; }

size_t conv_height(const struct conv_layer *n) { return n->upsample ? 2 * n->H : n->H / n->stride; }
size_t conv_width(const struct conv_layer *n) { return n->upsample ? 2 * n->W : n->W / n->stride; }

void conv_forward(const struct kernels *k, float *y, const float *x, const float *packed, const float *bias,
                  const float *add, const float *res, const struct conv_layer *n) {
    if (!n->upsample) {
        struct conv_shape s = plain_shape(n);
        k->conv(y, x, packed, bias, add, res, &s);
        return;
    }
    for (size_t p = 0; p < 4; p++) {
        struct conv_shape s = parity_shape(n, p);
        size_t at = parity_at(n, p);
        k->conv(y + at, x, packed + p * 4 * n->Cin * kernel_padded(n->Cout), bias, add, res ? res + at : NULL, &s);
    }
}

/* Stride 2: every second row and column of dx from (p / 2, p % 2). */
static void strided_backward(const struct kernels *k, float *dx, int add, const float *dy, const float *packed,
                             const struct conv_layer *n) {
    for (size_t p = 0; p < 4; p++) {
        size_t rows[3], cols[3], a = p / 2, b = p % 2, row = n->W * n->Cin;
        struct conv_shape s = { .B = n->B, .H = conv_height(n), .W = conv_width(n), .Cin = n->Cout,
            .Ho = (n->H - a + 1) / 2, .Wo = (n->W - b + 1) / 2, .Cout = n->Cin, .stride = 1,
            .y_image = n->H * row, .y_row = 2 * row, .y_col = 2 * n->Cin };
        s.Kh = parity_taps(a, n->K, n->pad, rows, &s.top);
        s.Kw = parity_taps(b, n->K, n->pad, cols, &s.left);
        s.images_first = images_first(&s);
        float *to = dx + a * row + b * n->Cin;
        k->conv(to, dy, packed, NULL, NULL, add ? to : NULL, &s);
        packed += s.Kh * s.Kw * n->Cout * kernel_padded(n->Cin);
    }
}

void conv_backward_data(const struct kernels *k, float *dx, int add, const float *dy, const float *packed,
                        const struct conv_layer *n) {
    if (n->stride == 2) {
        strided_backward(k, dx, add, dy, packed, n);
        return;
    }
    struct conv_shape s = { .B = n->B, .H = conv_height(n), .W = conv_width(n), .Cin = n->Cout, .Ho = n->H,
        .Wo = n->W, .Cout = n->Cin, .Kh = n->K, .Kw = n->K, .stride = 1, .y_image = n->H * n->W * n->Cin,
        .y_row = n->W * n->Cin, .y_col = n->Cin };
    s.top = s.left = (ptrdiff_t)(n->K - 1 - n->pad);
    if (n->upsample) {
        s.Kh = s.Kw = 4;
        s.stride = 2;
        s.top = s.left = 1;
    }
    s.images_first = images_first(&s);
    k->conv(dx, dy, packed, NULL, NULL, add ? dx : NULL, &s);
}

void conv_backward_weight(const struct kernels *k, float *dw, const float *x, const float *dy, float *scratch,
                          const struct conv_layer *n) {
    if (!n->upsample) {
        struct conv_shape s = plain_shape(n);
        k->conv_weight(dw, x, dy, &s);
        return;
    }
    size_t CC = n->Cin * n->Cout;
    for (size_t p = 0; p < 4; p++) {
        struct conv_shape s = parity_shape(n, p);
        k->conv_weight(scratch + p * 4 * CC, x, dy + parity_at(n, p), &s);
    }
    memset(dw, 0, 9 * CC * sizeof *dw);
    for (size_t t = 0; t < 9; t++)
        for (size_t p = 0; p < 4; p++) {
            size_t u = folded_row(p / 2, t / 3), v = folded_row(p % 2, t % 3);
            add_into(dw + t * CC, scratch + (p * 4 + u * 2 + v) * CC, CC);
        }
}
