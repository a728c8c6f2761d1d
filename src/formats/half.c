/* 16-bit floats by integer arithmetic; see half.h. */
#include "dtrak/half.h"

#include <string.h>

static uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

uint16_t half_from_float(float x) {
    uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;

    if (a > 0x7f800000u)   /* NaN: keep it quiet and keep its upper payload */
        return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);   /* 65536 and up */
    if (a < 0x33000000u) return (uint16_t)sign;                /* below half the least */

    uint32_t e = a >> 23, m = (a & 0x7fffffu) | 0x800000u;
    /* Normal halves drop 13 bits; subnormal ones more, the fewer the exponent. */
    uint32_t shift = e >= 113 ? 13 : 126 - e;
    uint32_t kept = m >> shift, rest = m & ((1u << shift) - 1), tie = 1u << (shift - 1);
    if (rest > tie || (rest == tie && (kept & 1))) kept++;
    /* The implicit bit adds one to the exponent, and a carry out of the
     * mantissa does too: both are what is wanted, up to infinity. */
    uint32_t h = e >= 113 ? ((e - 113) << 10) + kept : kept;
    return (uint16_t)(sign | h);
}

float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = (h >> 10) & 31u, m = h & 0x3ffu;

    if (e == 31) return float_of(sign | 0x7f800000u | (m << 13));
    if (e) return float_of(sign | ((e + 112) << 23) | (m << 13));
    float x = (float)m * 0x1p-24f;
    return sign ? -x : x;
}

float bfloat_to_float(uint16_t b) { return float_of((uint32_t)b << 16); }

uint16_t bfloat_from_float(float x) {
    uint32_t u = bits_of(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);   /* NaN, quiet */
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

void half_from_floats(uint16_t *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = half_from_float(in[i]);
}

void half_to_floats(float *out, const uint16_t *in, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = half_to_float(in[i]);
}
