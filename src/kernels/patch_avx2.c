/* Distances between patches for AVX2: eight lanes. */
#include "patch_shared.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define REAL float
#define BITS uint32_t
#define LANES 8
#define NAME(x) avx2_##x
#define EXP(v) PATCH_EXP_F32(v, avx2_vec, avx2_bits)
#define SET_LANES(mask) (unsigned)_mm256_movemask_ps((__m256)(mask))
#include "patch.inc"

const struct patch_kernels patch_avx2 = { avx2_fill, avx2_sum, avx2_near, NULL, NULL, NULL };
#else
typedef int patch_avx2_is_for_x86;
#endif
