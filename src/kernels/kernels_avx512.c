/* The kernels for AVX-512 (32 registers of sixteen lanes). */
#include "variants.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx512
#define NAME "avx512"
#define VL 16
#define MR 8
#define MAX_NV 3
#define VFMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VSPLAT(x) ((vf)_mm512_set1_ps(x))
#include "variant.inc"
#endif
