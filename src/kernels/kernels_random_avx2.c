/* Random panels for AVX2 with FMA (16 registers of eight lanes). */
#include "random_variants.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx2
#define NAME "avx2"
#define VL 8
#define MR 4
#define VFMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VSQRT(a) ((vf)_mm256_sqrt_ps((__m256)(a)))
#include "random_matrix.inc"
#endif
