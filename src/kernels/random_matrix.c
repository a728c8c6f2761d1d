#include "random_variants.h"

#include "dtrak/kernels.h"

#include <string.h>

const struct random_matrix *random_matrix_named(const char *name) {
    if (!strcmp(name, "portable")) return &random_matrix_portable;
#if defined(__x86_64__)
    if (!kernels_named(name)) return NULL;   /* the processor has not what it takes */
    if (!strcmp(name, "avx512")) return &random_matrix_avx512;
    if (!strcmp(name, "avx2")) return &random_matrix_avx2;
#endif
    return NULL;
}

const struct random_matrix *random_matrix_best(void) {
    static const char *const order[] = { "avx512", "avx2", "portable" };
    const struct random_matrix *m = random_matrix_named(kernels_best()->name);
    for (size_t i = 0; !m; i++) m = random_matrix_named(order[i]);
    return m;
}
