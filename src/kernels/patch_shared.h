/* patch_shared.h - what the variants of patch.inc share. */
#ifndef PATCH_SHARED_H
#define PATCH_SHARED_H

#include "dtrak/patch.h"

#include <stdint.h>

enum { PATCH_LANES = 8 };      /* the widest variant; rows have that much room behind them */
#define HUGE_DISTANCE 1e30     /* exp(-this) is 0 or next to it */

/* A prepared image is [C][rows][stride]. */
static inline size_t image_rows(struct patch_shape n) { return n.H + 2 * ((n.p - 1) / 2) + 1; }
static inline size_t image_stride(struct patch_shape n) { return n.W + 2 * ((n.p - 1) / 2) + 1 + 2 * PATCH_LANES; }

/* exp(v) of a float vector v <= 0, in place: 2^n exp(r), |r| <= ln 2 / 2, with the
 * Taylor sum to r^7 (relative error below 2e-7).  Below -87 it stays at exp(-87):
 * next to the 1 that every sum holds, that is nothing. */
#define PATCH_EXP_F32(v, VF, VI) do { \
        VF low_ = (VF){ 0 } - 87.0f; \
        v = (VF)(((VI)low_ & (VI)(v < low_)) | ((VI)v & ~(VI)(v < low_))); \
        VF z_ = v * 1.44269504088896341f + 12582912.0f;   /* n in the lowest bits */ \
        VF n_ = z_ - 12582912.0f; \
        VF r_ = (v - n_ * 0.693359375f) + n_ * 2.12194440e-4f; \
        VF e_ = r_ * (1.0f / 5040) + 1.0f / 720; \
        e_ = e_ * r_ + 1.0f / 120; \
        e_ = e_ * r_ + 1.0f / 24; \
        e_ = e_ * r_ + 1.0f / 6; \
        e_ = e_ * r_ + 0.5f; \
        e_ = e_ * r_ + 1.0f; \
        e_ = e_ * r_ + 1.0f; \
        v = e_ * (VF)(((VI)z_ << 23) + (127 << 23)); \
    } while (0)

extern const struct patch_kernels patch_portable;
#if defined(__x86_64__)
extern const struct patch_kernels patch_avx2;   /* its float64 functions are NULL: take the portable ones */
#endif

#endif
