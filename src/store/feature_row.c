/* feature_row.c - one row of features as bytes: float32, or float16 with a
 * scale, little-endian.
 *
 * The scale is the power of two that brings the largest element into
 * [2^14, 2^15): multiplying by it is exact, nothing overflows, and halfs keep
 * their 11 bits down to 2^-29 of the largest element. */
#include "db.h"

#include <math.h>
#include <string.h>

size_t feature_row_bytes(size_t k, int float32) { return float32 ? k * 4 : 4 + k * 2; }

static void put32(unsigned char *p, float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(u >> 8 * i);
}

static float get32(const unsigned char *p) {
    uint32_t u = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* Round to nearest even; |x| < 65504 is given. */
static uint16_t to_half(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    uint32_t sign = u >> 16 & 0x8000u;
    u &= 0x7fffffffu;
    if (u < 0x38800000u) {   /* below 2^-14: a multiple of 2^-24 */
        float magnitude;
        memcpy(&magnitude, &u, 4);
        return (uint16_t)(sign | (uint32_t)lrintf(magnitude * 16777216.0f));
    }
    u += 0xfffu + (u >> 13 & 1u);
    return (uint16_t)(sign | (u - 0x38000000u) >> 13);
}

float feature_half(uint16_t h) {
    uint32_t exponent = h >> 10 & 31u, mantissa = h & 1023u, u;
    float x;
    if (exponent == 0) {
        x = (float)mantissa * 0x1p-24f;
        return h & 0x8000u ? -x : x;
    }
    u = (uint32_t)(h & 0x8000u) << 16 | mantissa << 13 |
        (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23);
    memcpy(&x, &u, 4);
    return x;
}

/* A chunk at a time without a branch, which compilers turn into vectors: the bits moved
 * to a float's places are off by 2^112, exactly, for subnormal halfs too.  Returns
 * whether one of them was no number at all, which that does not serve. */
enum { CHUNK = 64 };
static int halves(float *row, const unsigned char *bytes, float scale) {
    uint16_t h[CHUNK], special[CHUNK];
    uint32_t u[CHUNK];
    float f[CHUNK];
    int any = 0;
    memcpy(h, bytes, sizeof h);
    for (size_t i = 0; i < CHUNK; i++) u[i] = (uint32_t)(h[i] & 0x8000u) << 16 | (uint32_t)(h[i] & 0x7fffu) << 13;
    for (size_t i = 0; i < CHUNK; i++) special[i] = (h[i] & 0x7c00u) == 0x7c00u;
    memcpy(f, u, sizeof f);
    for (size_t i = 0; i < CHUNK; i++) row[i] = f[i] * 0x1p112f * scale;
    for (size_t i = 0; i < CHUNK; i++) any |= special[i];
    return any;
}

void feature_row_encode(unsigned char *out, const float *row, size_t k, int float32) {
    if (float32) {
        for (size_t i = 0; i < k; i++) put32(out + 4 * i, row[i]);
        return;
    }
    float largest = 0;
    int e = 0;
    for (size_t i = 0; i < k; i++)
        if (fabsf(row[i]) > largest) largest = fabsf(row[i]);
    frexpf(largest, &e);                 /* largest in [2^(e-1), 2^e) */
    int shift = e - 15;
    if (shift < -126) shift = -126;      /* the scale itself stays a normal number */
    put32(out, ldexpf(1.0f, shift));
    for (size_t i = 0; i < k; i++) {
        uint16_t h = to_half((float)ldexp(row[i], -shift));
        out[4 + 2 * i] = (unsigned char)(h & 255);
        out[5 + 2 * i] = (unsigned char)(h >> 8);
    }
}

void feature_row_decode(float *row, const unsigned char *bytes, size_t k, int float32) {
    if (float32) {
        for (size_t i = 0; i < k; i++) row[i] = get32(bytes + 4 * i);
        return;
    }
    float scale = get32(bytes);
    size_t done = 0;
    while (done + CHUNK <= k && !halves(row + done, bytes + 4 + 2 * done, scale)) done += CHUNK;
    for (size_t i = done; i < k; i++)
        row[i] = scale * feature_half((uint16_t)(bytes[4 + 2 * i] | bytes[5 + 2 * i] << 8));
}
