/* The kernels for any processor: four lanes, which is SSE2 and NEON. */
#include "variants.h"

#define VARIANT portable
#define NAME "portable"
#define VL 4
#define MR 4
#define MAX_NV 2
#define VFMA(a, b, c) ((a) * (b) + (c))
#define VSPLAT(x) ((vf){ (x), (x), (x), (x) })
#include "variant.inc"
