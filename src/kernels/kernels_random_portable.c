/* Random panels for any processor: four lanes, which is SSE2 and NEON. */
#include "random_variants.h"

#define VARIANT portable
#define NAME "portable"
#define VL 4
#define MR 4
#define VFMA(a, b, c) ((a) * (b) + (c))
#define VSQRT(a) square_root(a)

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
static inline four square_root(four x);

#include "random_matrix.inc"

static inline four square_root(four x) {
    for (int i = 0; i < 4; i++) x[i] = sqrtf(x[i]);
    return x;
}
