/* random_variants.h - the tables of random_matrix.inc that this build may hold. */
#ifndef DTRAK_KERNELS_RANDOM_VARIANTS_H
#define DTRAK_KERNELS_RANDOM_VARIANTS_H

#include "dtrak/random_matrix.h"

extern const struct random_matrix random_matrix_portable;
#if defined(__x86_64__)
extern const struct random_matrix random_matrix_avx2, random_matrix_avx512;
#endif

#endif
