/* Distances between patches for any processor: four lanes of float32, and float64. */
#include "patch_shared.h"

#include <math.h>

#define REAL float
#define BITS uint32_t
#define LANES 4
#define NAME(x) f32_##x
#define EXP(v) PATCH_EXP_F32(v, f32_vec, f32_bits)
#define SET_LANES(m) (unsigned)(((m)[0] & 1) | ((m)[1] & 2) | ((m)[2] & 4) | ((m)[3] & 8))
#include "patch.inc"
#undef REAL
#undef BITS
#undef LANES
#undef NAME
#undef EXP
#undef SET_LANES

#define REAL double
#define BITS uint64_t
#define LANES 2
#define NAME(x) f64_##x
#define EXP(v) do { v[0] = exp(v[0]); v[1] = exp(v[1]); } while (0)
#define SET_LANES(m) (unsigned)(((m)[0] & 1) | ((m)[1] & 2))
#include "patch.inc"

const struct patch_kernels patch_portable = { f32_fill, f32_sum, f32_near, f64_fill, f64_sum, f64_near };
