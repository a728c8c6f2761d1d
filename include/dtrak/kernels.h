/* kernels.h - the arithmetic of the network: pure functions on the caller's
 * buffers.  Nothing here allocates, fails or knows a file.
 *
 * Layout, used by every function below.  Activations are float32, channels
 * last: [B][H][W][C].  Weights of a convolution are [K*K][Cin][Cout] (tap-major;
 * a linear layer is K = 1), so that both a pixel's channels and a weight's
 * output channels are contiguous.
 *
 * Reading past an activation: tiles load whole vectors, so every activation,
 * and every row of per-channel numbers, must be followed by KERNEL_SLACK
 * readable floats.  Their values do not matter.
 *
 * Each hot function exists for several instruction sets; kernels_best() picks
 * one at run time.  All agree within rounding (tests/unit/kernels_test.c). */
#ifndef DTRAK_KERNELS_H
#define DTRAK_KERNELS_H

#include <stddef.h>

enum { KERNEL_SLACK = 64, KERNEL_LANES = 16, KERNEL_MAX_CHANNELS = 2048 };

/* Channels rounded up to whole vectors. */
size_t kernel_padded(size_t channels);
/* Packed weights come in panels of output channels; how many the panel from
 * channel c0 on holds. */
size_t kernel_panel(size_t channels, size_t c0);

/* Output pixel (i, j) of image b reads x at (i stride + ky - top, j stride + kx - left)
 * for each of Kh x Kw taps; what lies outside H x W is zero.  It stands at
 * b y_image + i y_row + j y_col, in floats, of y (and of res, and of dy). */
struct conv_shape {
    size_t B, H, W, Cin, Ho, Wo, Cout, Kh, Kw, stride;   /* Kh Kw <= 16 */
    ptrdiff_t top, left;
    size_t y_image, y_row, y_col;
    int images_first;   /* tiles hold the same pixel of several images */
};

struct norm_shape { size_t B, H, W, C, G; };   /* G divides C */

struct adamw_step { float scale, beta1, beta2, shrink, step, root, eps, keep; };

struct kernels {
    const char *name;   /* "portable", "avx2", "avx512" */

    /* y[b,i,j,o] = bias[o] + add[b,o] + res[b,i,j,o] + sum_{tap,c} x[...] * w[tap,c,o]
     *
     *   y    out  placed by the shape
     *   x    in   [B][H][W][Cin]
     *   w    in   packed: for each panel of o, [Kh*Kw][Cin][panel]
     *   bias in   [Cout] or NULL;  add in [B][Cout] or NULL
     *   res  in   like y, may be y itself, or NULL */
    void (*conv)(float *y, const float *x, const float *w, const float *bias, const float *add,
                 const float *res, const struct conv_shape *n);

    /* dw[tap,c,o] = sum_{b,i,j} x[...] * dy[b,i,j,o]; dw [Kh*Kw][Cin][Cout] is overwritten. */
    void (*conv_weight)(float *dw, const float *x, const float *dy, const struct conv_shape *n);

    /* z = gamma[c] * (x - mean[b,g]) * rstd[b,g] + beta[c];  y = silu ? z * sigmoid(z) : z
     *   mean, rstd  out [B][G], kept for the backward pass; biased variance */
    void (*norm_forward)(float *y, float *mean, float *rstd, const float *x, const float *gamma,
                         const float *beta, struct norm_shape n, float eps, int silu);

    /* dx is overwritten, or added to when add is set; dgamma and dbeta [B][C], of
     * each image, are overwritten.  scratch: H * W * C + KERNEL_SLACK floats. */
    void (*norm_backward)(float *dx, int add, float *dgamma, float *dbeta, const float *dy,
                          const float *x, const float *mean, const float *rstd,
                          const float *gamma, const float *beta, struct norm_shape n, int silu,
                          float *scratch);

    /* y = x * sigmoid(x);  dx (+)= dy * y'(x) */
    void (*silu_forward)(float *y, const float *x, size_t n);
    void (*silu_backward)(float *dx, int add, const float *dy, const float *x, size_t n);

    /* Rows of n numbers, in place: x <- exp(x - max) / sum. */
    void (*softmax)(float *x, size_t rows, size_t n);
    /* dx = p * (dp - sum p dp), in place on dp. */
    void (*softmax_backward)(float *dp, const float *p, size_t rows, size_t n);

    /* sums[b,c] = sum over the S pixels of dy [B][S][C]; overwritten. */
    void (*channel_sums)(float *sums, const float *dy, size_t B, size_t S, size_t C);
    /* y += x;  y (+)= factor x */
    void (*add)(float *y, const float *x, size_t n);
    void (*scale)(float *y, int add, const float *x, float factor, size_t n);
    /* Sum of squares, in double. */
    double (*norm2)(const float *x, size_t n);
    /* g = scale grad;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
     * theta = shrink theta - step m / (sqrt(v) root + eps);
     * ema = keep ema + (1 - keep) theta, unless ema is NULL. */
    void (*adamw)(float *theta, float *m, float *v, float *ema, const float *grad, size_t n,
                  const struct adamw_step *s);
};

/* The fastest this processor runs; the same answer for the life of the
 * process.  DTRAK_KERNELS=portable|avx2|avx512 in the environment asks for one. */
const struct kernels *kernels_best(void);
/* By name, or NULL where this build or processor has none. */
const struct kernels *kernels_named(const char *name);

/* --- layers --- */

/* A convolution as the network has it: K 1 or 3, stride 1 or 2, pad zeros on
 * top and on the left (and as many as it takes below and on the right), or,
 * with upsample, K = 3, stride 1 and pad 1 over x doubled by nearest neighbour. */
struct conv_layer { size_t B, H, W, Cin, Cout, K, stride, pad; int upsample; };

size_t conv_height(const struct conv_layer *n);   /* of the result */
size_t conv_width(const struct conv_layer *n);

/* Floats that each direction's packed weights take (B does not matter). */
size_t conv_pack_size(const struct conv_layer *n);
/* w [K*K][Cin][Cout] as conv_forward() and conv_backward_data() want it;
 * either output may be NULL.  scratch: 16 Cin Cout floats for an upsampled
 * layer, else NULL. */
void conv_pack(float *forward, float *backward, const float *w, float *scratch, const struct conv_layer *n);

/* y [B][H'][W'][Cout]; bias, add and res as in struct kernels. */
void conv_forward(const struct kernels *k, float *y, const float *x, const float *packed, const float *bias,
                  const float *add, const float *res, const struct conv_layer *n);
/* dx [B][H][W][Cin] (+)= the transpose applied to dy. */
void conv_backward_data(const struct kernels *k, float *dx, int add, const float *dy, const float *packed,
                        const struct conv_layer *n);
/* dw [K*K][Cin][Cout] is overwritten; scratch as for conv_pack(). */
void conv_backward_weight(const struct kernels *k, float *dw, const float *x, const float *dy, float *scratch,
                          const struct conv_layer *n);

/* --- plain loops, the same everywhere --- */

/* y += x */
void add_into(float *y, const float *x, size_t n);

/* Nearest-neighbour upsampling by two, and its transpose; x [B][H][W][C]. */
void upsample_forward(float *y, const float *x, size_t B, size_t H, size_t W, size_t C);
void upsample_backward(float *dx, int add, const float *dy, size_t B, size_t H, size_t W, size_t C);

/* Means of squares of 2 x 2, H and W even, and the transpose; x [B][H][W][C]. */
void pool_forward(float *y, const float *x, size_t B, size_t H, size_t W, size_t C);
void pool_backward(float *dx, int add, const float *dy, size_t B, size_t H, size_t W, size_t C);

/* y = x / factor;  dx (+)= dy / factor */
void scale_forward(float *y, const float *x, float factor, size_t n);
void scale_backward(float *dx, int add, const float *dy, float factor, size_t n);

/* A group norm whose result z becomes z (1 + s) + t, st = [s | t] of one image:
 * gamma_st = gamma (1 + s), beta_st = beta (1 + s) + t for the norm kernels. */
void modulate_forward(float *gamma_st, float *beta_st, const float *gamma, const float *beta,
                      const float *st, size_t C);
/* From the gradients of gamma_st and beta_st of one image: those of gamma and
 * beta, in their place; d_st [2 C] is overwritten, or added to when add is set. */
void modulate_backward(float *dgamma, float *dbeta, float *d_st, int add, const float *gamma,
                       const float *beta, const float *st, size_t C);

/* y [P][Ca+Cb] = a [P][Ca] beside b [P][Cb]; and back: da, db (+)= parts of dy. */
void concat_forward(float *y, const float *a, size_t Ca, const float *b, size_t Cb, size_t P);
void concat_backward(float *da, int add_a, size_t Ca, float *db, int add_b, size_t Cb,
                     const float *dy, size_t P);

/* Attention of one image: q, k, v, y [N][C], heads of C / heads channels each,
 * scores scaled by 1/sqrt(C / heads).  p keeps the weights, attention_keep()
 * floats; where that is 0 it is NULL, and backward works them out again, to
 * the same bits.  scratch: attention_scratch() floats. */
size_t attention_keep(size_t N, size_t heads);
size_t attention_scratch(size_t N);
void attention_forward(const struct kernels *kernels, float *y, float *p, float *scratch, const float *q,
                       const float *k, const float *v, size_t N, size_t C, size_t heads);
/* dq, dk, dv are overwritten. */
void attention_backward(const struct kernels *kernels, float *dq, float *dk, float *dv, float *scratch,
                        const float *dy, const float *p, const float *q, const float *k, const float *v,
                        size_t N, size_t C, size_t heads);

#endif
