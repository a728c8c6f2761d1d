/* nda.h - nonparametric attribution: which training patches would the optimal
 * denoiser look at?  Needs no network and no gradients.
 *
 * A query x_0 [C][H][W] (pixels in [-1, 1]) is noised once, x = sqrt(ab_t) x_0 +
 * sqrt(1 - ab_t) noise.  Every patch P of x is a posterior mixture of all patches L
 * of all training images y_n:
 *     w[P, n, L] = softmax over (n, L) of -||x_P - sqrt(ab_t) y_n,L||^2 / (2 (1 - ab_t))
 *     score[n]   = sum_P sum_{L} w[P, n, L]      over all L, or the topk largest for each P
 * Higher is more influence, and with topk 0 the scores add up to the positions.
 *
 * At the borders only patches that lie over the edge in the same way are compared
 * (patch.h).  The released code pads both sides with a constant instead, which is the
 * same once that constant is large; a test holds the two against each other.
 * is_down compares patches (p even) after 2 x 2 sums times 1/2, whose rows are
 * orthonormal: the noise keeps its variance.  Two scales: alpha times the plain score with
 * patch, plus (1 - alpha) times the downscaled one with down_patch.
 *
 * Source: arXiv 2510.14269 and its released code (sail-sg/NDA).
 * Checked against: tests/unit/nda_test.c (plain loops in float64). */
#ifndef DTRAK_NDA_H
#define DTRAK_NDA_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/rows.h"
#include "dtrak/schedule.h"

#include <stddef.h>

struct nda {
    size_t C, H, W;
    size_t patch;       /* p >= 1; at most twice the smaller side, or there is no position */
    int is_down;        /* compare after 2 x 2 sums; p even */
    size_t topk;        /* per position and training image; 0: all of them */
    int is_exact;       /* float64 throughout: for checking, four times slower */
    const struct schedule *schedule;   /* NULL: the default one; borrowed */
};

/* Positions of patches, row by row: H x W for odd patches, one less each way for even. */
size_t nda_rows(const struct nda *o);
size_t nda_cols(const struct nda *o);

/* ERR_USAGE, with what would do, when the patch does not fit. */
enum status nda_check(const struct nda *o);

/* One query at one timestep.
 *   scores  out [N]
 *   log_z   out [rows * cols] log of the softmax's denominator, for nda_maps(); may be NULL
 *   query   in  [C * H * W]      noise  in  [C * H * W], N(0, 1)
 *   train   N rows of C * H * W pixels, read once, in order
 * Memory: 4 bytes per position and training image.  The pool may be NULL; scores do
 * not depend on it, nor on the instruction set.  Every 64 images progress is reported
 * and cancelling looked for.  ERR_NUMERIC when a pixel is not finite. */
enum status nda_scores(double *scores, double *log_z, const struct nda *o, const float *query, const float *noise,
                       size_t t, const struct rows *train, struct pool *pool, const struct progress *p);

/* One query, several timesteps and up to two scales. */
struct nda_plan {
    struct nda first;            /* is_down as wished */
    size_t down_patch;           /* 0: one scale */
    double alpha;                /* weight of `first` when there are two, in [0, 1] */
    const size_t *t;             /* [T] */
    size_t T;
};
/* "100,300,500", rising, as t [*T], at most NDA_TIMESTEPS_MAX of them; ERR_USAGE else. */
enum { NDA_TIMESTEPS_MAX = 100 };
enum status nda_read_timesteps(size_t *t, size_t *T, const char *list);
enum status nda_plan_check(const struct nda_plan *o);
/* scores out [N], the mean over timesteps; noise in [T][C * H * W]. */
enum status nda_attribute(double *scores, const struct nda_plan *o, const float *query, const float *noise,
                          const struct rows *train, struct pool *pool, const struct progress *p);

/* Where a query is explained by one training image, and which part of that image is used.
 *   query_map  out [rows * cols]  sum_L w[P, n, L], per position P of the query
 *   train_map  out [rows * cols]  sum_P w[P, n, L], per position L of the image
 * Both add up to the image's score with topk 0 (topk is not looked at).
 *   image  in [C * H * W]      log_z  in, of nda_scores() for the same query, noise and t */
enum status nda_maps(double *query_map, double *train_map, const struct nda *o, const float *query,
                     const float *noise, size_t t, const float *image, const double *log_z);

#endif
