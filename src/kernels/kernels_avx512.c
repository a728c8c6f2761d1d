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
#define VMIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define VMAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define VSQRT(a) ((vf)_mm512_sqrt_ps((__m512)(a)))
#define VLOAD_SOME(p, lanes) ((vf)_mm512_maskz_loadu_ps((__mmask16)((1u << (lanes)) - 1), p))
#define VSTORE_SOME(p, v, lanes) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (lanes)) - 1), (__m512)(v))

/* 14 bits and a step of Newton's: a quarter of a division's time. */
#define VRCP(a) ((vf)rcp512((__m512)(a)))
static inline __attribute__((always_inline)) __m512 rcp512(__m512 a) {
    __m512 r = _mm512_rcp14_ps(a);
    return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(1.0f)), r);
}
#include "variant.inc"
#endif
