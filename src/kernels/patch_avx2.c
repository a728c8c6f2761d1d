/* Distances between patches for AVX2: eight lanes. */
#include "patch_shared.h"
#if defined(__x86_64__)

#define REAL float
#define BITS uint32_t
#define LANES 8
#define NAME(x) avx2_##x
#define EXP(v) PATCH_EXP_F32(v, avx2_vec, avx2_bits)
#include "patch.inc"

const struct patch_kernels patch_avx2 = { avx2_fill, avx2_sum, NULL, NULL };
#else
typedef int patch_avx2_is_for_x86;
#endif
