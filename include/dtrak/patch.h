/* patch.h - distances between all patches of one image and all patches of another.
 *
 * For images x, y [C][H][W] and patches of p x p pixels of all channels, stride 1,
 *
 *     d[P, L] = scale * sum_{c, a, b} (x_c[P + (a, b)] - y_c[L + (a, b)])^2
 *
 * Both images have a border of (p - 1) / 2 pixels, so there are (H - 1 + p % 2) x
 * (W - 1 + p % 2) positions.  Only pairs whose patches lie over the image's edge in the
 * same way ("equal footprints") have a distance: what is outside then cancels, and no
 * constant has to stand for it.
 *
 * All pairs with the same shift L - P are one window sum over (x - shifted y)^2, so a
 * pair costs a few additions whatever p is (a product of patch matrices would cost
 * C p^2 multiplications) and nothing cancels.  A run is the rectangle of pairs of one
 * shift; distances are kept run by run, rows one after the other.
 *
 * step 2 compares patches after 2 x 2 block sums times 1/2: taps p / 2, two pixels apart,
 * over images that are prepared so.
 * The arithmetic is the same, bit by bit, for every instruction set (no FMA).
 * Checked against: tests/unit/patch_test.c. */
#ifndef DTRAK_PATCH_H
#define DTRAK_PATCH_H

#include <stddef.h>

struct patch_shape { size_t C, H, W, p, step; };   /* p >= 1; step 1, or 2 with p even */

struct patch_run {
    size_t i0, j0;        /* first position P in x */
    size_t rows, width;   /* pairs */
    size_t padded;        /* width rounded up: distances from row to row */
    ptrdiff_t dy, dx;     /* L = P + (dy, dx) */
    size_t at;            /* of the first distance */
};

size_t patch_border(struct patch_shape n);    /* (p - 1) / 2 */
size_t patch_rows(struct patch_shape n);      /* positions, downwards ... */
size_t patch_cols(struct patch_shape n);      /* ... and across; either is 0 when p is too large */
/* Elements from one row of positions to the next in `least` and `sum`. */
size_t patch_stride(struct patch_shape n);
/* Elements of a prepared image, and of the scratch that patch_fill wants. */
size_t patch_image_size(struct patch_shape n);
size_t patch_scratch_size(struct patch_shape n);

/* How many runs there are and how many distances they hold; with runs not NULL they
 * are written there too. */
size_t patch_runs(struct patch_shape n, struct patch_run *runs, size_t *distances);

/* out [patch_image_size]: scale * in [C][H][W] with its border, and halved when step is 2. */
void patch_prepare_f32(float *out, const float *in, double scale, struct patch_shape n);
void patch_prepare_f64(double *out, const float *in, double scale, struct patch_shape n);

/* fill: d of every run (what is padded is huge) and least[P] = min_L d[P, L];
 *       least [rows][stride] is overwritten, a position always has L = P.
 * sum:  sum[P] = sum_L exp(least[P] - d[P, L]), overwritten.
 * near: the d[P, L] - least[P] that are below within[P], one after the other from
 *       near[P * room] on, in the order of the runs; count[P] says how many.  P counts
 *       positions with their stride: within and count are [rows][stride]. */
struct patch_kernels {
    void (*fill_f32)(float *d, float *least, const float *x, const float *y, double scale,
                     struct patch_shape n, const struct patch_run *runs, size_t count, float *scratch);
    void (*sum_f32)(float *sum, const float *d, const float *least,
                    struct patch_shape n, const struct patch_run *runs, size_t count);
    void (*near_f32)(float *near, size_t room, size_t *counts, const float *within, const float *d, const float *least,
                     struct patch_shape n, const struct patch_run *runs, size_t count);
    void (*fill_f64)(double *d, double *least, const double *x, const double *y, double scale,
                     struct patch_shape n, const struct patch_run *runs, size_t count, double *scratch);
    void (*sum_f64)(double *sum, const double *d, const double *least,
                    struct patch_shape n, const struct patch_run *runs, size_t count);
    void (*near_f64)(double *near, size_t room, size_t *counts, const double *within, const double *d, const double *least,
                     struct patch_shape n, const struct patch_run *runs, size_t count);
};

/* As kernels_best(): what this processor runs fastest.  float64 is for checking and is
 * there in the portable ones only; NULL in the others. */
const struct patch_kernels *patch_kernels_best(void);
const struct patch_kernels *patch_kernels_portable(void);

#endif
