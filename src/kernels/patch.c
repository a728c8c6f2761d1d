/* patch.c - sizes, runs and prepared images for the distances between patches. */
#include "dtrak/patch.h"
#include "dtrak/kernels.h"
#include "patch_shared.h"

#include <string.h>

size_t patch_border(struct patch_shape n) { return (n.p - 1) / 2; }

static size_t positions(size_t length, size_t p) {
    size_t padded = length + 2 * ((p - 1) / 2);
    return padded >= p ? padded - p + 1 : 0;
}

size_t patch_rows(struct patch_shape n) { return positions(n.H, n.p); }
size_t patch_cols(struct patch_shape n) { return positions(n.W, n.p); }
size_t patch_stride(struct patch_shape n) { return patch_cols(n) + PATCH_LANES; }
size_t patch_image_size(struct patch_shape n) { return n.C * image_rows(n) * image_stride(n) + PATCH_LANES; }
size_t patch_scratch_size(struct patch_shape n) {
    return 2 * (image_rows(n) * image_stride(n) + image_stride(n) + 2 * PATCH_LANES);
}

/* Along one axis: positions `first`.. of which `count` can be moved by `shift` and keep
 * their footprint.  All when shift is 0, else those inside the image on both sides. */
static size_t movable(size_t length, size_t p, ptrdiff_t shift, size_t *first) {
    *first = 0;
    if (!shift) return positions(length, p);
    size_t inside = length >= p ? length - p + 1 : 0, by = (size_t)(shift < 0 ? -shift : shift);
    *first = (p - 1) / 2 + (shift < 0 ? by : 0);
    return inside > by ? inside - by : 0;
}

size_t patch_runs(struct patch_shape n, struct patch_run *runs, size_t *distances) {
    ptrdiff_t H = (ptrdiff_t)n.H, W = (ptrdiff_t)n.W;
    size_t count = 0;
    *distances = 0;
    for (ptrdiff_t dy = 1 - H; dy < H; dy++)
        for (ptrdiff_t dx = 1 - W; dx < W; dx++) {
            struct patch_run r = { .dy = dy, .dx = dx, .at = *distances };
            r.rows = movable(n.H, n.p, dy, &r.i0);
            r.width = movable(n.W, n.p, dx, &r.j0);
            if (!r.rows || !r.width) continue;
            r.padded = (r.width + PATCH_LANES - 1) / PATCH_LANES * PATCH_LANES;
            *distances += r.rows * r.padded;
            if (runs) runs[count] = r;
            count++;
        }
    return count;
}

#define PREPARE(REAL, suffix) \
    void patch_prepare_##suffix(REAL *out, const float *in, double scale, struct patch_shape n) { \
        size_t stride = image_stride(n), rows = image_rows(n), border = patch_border(n); \
        memset(out, 0, patch_image_size(n) * sizeof *out); \
        for (size_t c = 0; c < n.C; c++) \
            for (size_t i = 0; i < n.H; i++) \
                for (size_t j = 0; j < n.W; j++) \
                    out[(c * rows + i + border) * stride + j + border] = \
                        (REAL)(scale * (double)in[(c * n.H + i) * n.W + j]); \
        if (n.step == 1) return; \
        for (size_t l = 0; l < n.C * rows; l++)    /* upwards: what is read is not yet written */ \
            for (size_t j = 0; j + 1 < stride; j++) { \
                REAL *a = out + l * stride + j; \
                REAL below = l % rows + 1 < rows ? a[stride] + a[stride + 1] : 0; \
                *a = (REAL)0.5 * (a[0] + a[1] + below); \
            } \
    }
PREPARE(float, f32)
PREPARE(double, f64)

const struct patch_kernels *patch_kernels_portable(void) { return &patch_portable; }

const struct patch_kernels *patch_kernels_best(void) {
#if defined(__x86_64__)
    if (strcmp(kernels_best()->name, "portable") != 0) return &patch_avx2;
#endif
    return &patch_portable;
}
