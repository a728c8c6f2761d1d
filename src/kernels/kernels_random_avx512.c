/* Random panels for AVX-512 (32 registers of sixteen lanes). */
#include "random_variants.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx512
#define NAME "avx512"
#define VL 16
#define MR 12
#define VFMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VSQRT(a) ((vf)_mm512_sqrt_ps((__m512)(a)))
#include "random_matrix.inc"
#endif
