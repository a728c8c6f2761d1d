/* The kernels for any processor: four lanes, which is SSE2 and NEON. */
#include "variants.h"

#define VARIANT portable
#define NAME "portable"
#define VL 4
#define MR 4
#define MAX_NV 2
#define VFMA(a, b, c) ((a) * (b) + (c))
#define VSPLAT(x) ((vf){ (x), (x), (x), (x) })
#define VMIN(a, b) pick((a) < (b), a, b)
#define VMAX(a, b) pick((a) > (b), a, b)
#define VSQRT(a) root(a)
#define VRCP(a) (splat(1.0f) / (a))
#define NEEDS_PICK
#include "variant.inc"
