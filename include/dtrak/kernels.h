/* kernels.h - the arithmetic of the network: pure functions on the caller's
 * buffers.  Nothing here allocates, fails or knows a file.
 *
 * Layout, used by every function below.  Activations are float32, channels
 * last: [B][H][W][C].  A padded activation has a border of one zero pixel,
 * [B][H+2][W+2][C]; functions that may meet either take the floats between two
 * rows and between two images.  Weights of a convolution are [K*K][Cin][Cout]
 * (tap-major; a linear layer is K = 1), so that both a pixel's channels and a
 * weight's output channels are contiguous.
 *
 * Reading past an activation: tiles load whole vectors, so every activation
 * must be followed by KERNEL_SLACK readable floats.  Their values do not
 * matter.
 *
 * Each hot function exists for several instruction sets; kernels_best() picks
 * one at run time.  All agree within rounding (tests/unit/kernels_test.c). */
#ifndef DTRAK_KERNELS_H
#define DTRAK_KERNELS_H

#include <stddef.h>

enum { KERNEL_SLACK = 64, KERNEL_LANES = 16 };

/* Cout (or Cin, for the backward weights) rounded up to whole vectors. */
size_t kernel_padded(size_t channels);

/* B images of H x W pixels and C channels go in ... */
struct conv_shape { size_t B, H, W, Cin, Cout, K, stride; };   /* K 1 or 3; stride 1 or 2 */
/* ... and (H / stride) x (W / stride) with Cout come out. */

struct norm_shape { size_t B, H, W, C, G; };   /* G divides C */

struct kernels {
    const char *name;   /* "portable", "avx2", "avx512" */

    /* y[b,i,j,o] = bias[o] + add[b,o] + res[b,i,j,o]
     *            + sum_{tap,c} x[b, i*stride+ky, j*stride+kx, c] * w[tap,c,o]
     *
     *   y    out [B][Ho][Wo][Cout]
     *   x    in  first tap of the first output pixel; x_row, x_image floats apart
     *   w    in  [K*K][Cin][kernel_padded(Cout)], see conv_pack()
     *   bias in  [Cout] or NULL;  add in [B][Cout] or NULL
     *   res  in  like y, may be y itself, or NULL */
    void (*conv_forward)(float *y, const float *x, size_t x_row, size_t x_image, const float *w,
                         const float *bias, const float *add, const float *res,
                         struct conv_shape n);

    /* dw[tap,c,o] = sum_{b,i,j} x[...] * dy[b,i,j,o]; dw [K*K][Cin][Cout] is
     * overwritten.  x as in conv_forward. */
    void (*conv_backward_weight)(float *dw, const float *x, size_t x_row, size_t x_image,
                                 const float *dy, struct conv_shape n);

    /* z = gamma[c] * (x - mean[b,g]) * rstd[b,g] + beta[c];  y = silu ? z * sigmoid(z) : z
     *   y    out  y_row, y_image floats apart (a padded buffer's inside, or plain)
     *   mean, rstd  out [B][G], kept for the backward pass; biased variance */
    void (*norm_forward)(float *y, size_t y_row, size_t y_image, float *mean, float *rstd,
                         const float *x, const float *gamma, const float *beta,
                         struct norm_shape n, float eps, int silu);

    /* dx is overwritten, or added to when add is set; dgamma and dbeta [C] are
     * overwritten.  scratch: H * W * C + 4 * C floats. */
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
};

/* The fastest this processor runs; the same answer for the life of the
 * process.  DTRAK_KERNELS=portable|avx2|avx512 in the environment asks for one. */
const struct kernels *kernels_best(void);
/* By name, or NULL where this build or processor has none. */
const struct kernels *kernels_named(const char *name);

/* --- plain loops, the same everywhere --- */

/* w [K*K][Cin][Cout] to the forward weights [K*K][Cin][kernel_padded(Cout)],
 * and to those of the gradient with respect to x: taps reversed, transposed,
 * [K*K][Cout][kernel_padded(Cin)].  Either output may be NULL. */
void conv_pack(float *forward, float *backward, const float *w, size_t K, size_t Cin, size_t Cout);

/* y [B][H+2][W+2][C] (border left as it is) from x [B][H][W][C]; with step 2,
 * x's pixels go to every second place from (at, at) and H, W are the size of
 * the result (the caller zeroes y first). */
void pad_copy(float *y, const float *x, size_t B, size_t H, size_t W, size_t C,
              size_t step, size_t at);

/* sums[b,c] = sum over the S pixels of dy [B][S][C]; overwritten. */
void channel_sums(float *sums, const float *dy, size_t B, size_t S, size_t C);
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
/* From the gradients of gamma_st and beta_st of one image: adds to dgamma and
 * dbeta [C]; d_st [2 C] is overwritten, or added to when add is set. */
void modulate_backward(float *dgamma, float *dbeta, float *d_st, int add, const float *dgamma_st,
                       const float *dbeta_st, const float *gamma, const float *beta, const float *st,
                       size_t C);

/* y [P][Ca+Cb] = a [P][Ca] beside b [P][Cb]; and back: da, db (+)= parts of dy. */
void concat_forward(float *y, const float *a, size_t Ca, const float *b, size_t Cb, size_t P);
void concat_backward(float *da, int add_a, size_t Ca, float *db, int add_b, size_t Cb,
                     const float *dy, size_t P);

/* Attention of one image: q, k, v, y [N][C], heads of C / heads channels each,
 * scores scaled by 1/sqrt(C / heads).  p [heads][N][N] keeps the weights. */
void attention_forward(float *y, float *p, const float *q, const float *k, const float *v,
                       size_t N, size_t C, size_t heads);
/* dq, dk, dv are overwritten; dp [N][N] is scratch. */
void attention_backward(float *dq, float *dk, float *dv, float *dp, const float *dy,
                        const float *p, const float *q, const float *k, const float *v,
                        size_t N, size_t C, size_t heads);

#endif
