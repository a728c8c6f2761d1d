/* variants.h - the kernel tables that this build may hold. */
#ifndef DTRAK_KERNELS_VARIANTS_H
#define DTRAK_KERNELS_VARIANTS_H

#include "dtrak/kernels.h"

extern const struct kernels kernels_portable;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

#endif
