#include "variants.h"

#include <stdlib.h>
#include <string.h>

const struct kernels *kernels_named(const char *name) {
    if (!strcmp(name, "portable")) return &kernels_portable;
#if defined(__x86_64__)
    if (!strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &kernels_avx2;
    if (!strcmp(name, "avx512") && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        return &kernels_avx512;
#endif
    return NULL;
}

const struct kernels *kernels_best(void) {
    static const char *const order[] = { "avx512", "avx2", "portable" };
    const char *asked = getenv("DTRAK_KERNELS");
    const struct kernels *k = asked ? kernels_named(asked) : NULL;
    for (size_t i = 0; !k; i++) k = kernels_named(order[i]);
    return k;
}
