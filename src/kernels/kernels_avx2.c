/* The kernels for AVX2 with FMA (16 registers of eight lanes). */
#include "variants.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx2
#define NAME "avx2"
#define VL 8
#define MR 6
#define MAX_NV 2
#define VFMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VSPLAT(x) ((vf)_mm256_set1_ps(x))
#define VMIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VSQRT(a) ((vf)_mm256_sqrt_ps((__m256)(a)))
#define VRCP(a) (splat(1.0f) / (a))
#include "variant.inc"
#endif
