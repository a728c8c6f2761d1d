/* half.h - 16-bit floats: IEEE binary16 and bfloat16.
 *
 * To 16 bits rounds to nearest, ties to even, with subnormals; too large
 * becomes infinite; NaN stays NaN.  From 16 bits is exact. */
#ifndef DTRAK_HALF_H
#define DTRAK_HALF_H

#include <stddef.h>
#include <stdint.h>

#define HALF_MAX 65504.0f
#define HALF_MIN 0x1p-14f     /* below it fewer and fewer digits are left */

uint16_t half_from_float(float x);
float half_to_float(uint16_t h);
float bfloat_to_float(uint16_t b);
uint16_t bfloat_from_float(float x);

/* out[i] for i < n; out may not overlap in. */
void half_from_floats(uint16_t *out, const float *in, size_t n);
void half_to_floats(float *out, const uint16_t *in, size_t n);

#endif
