/* shape.h - element counts of shapes from files; private to formats/. */
#ifndef DTRAK_FORMATS_SHAPE_H
#define DTRAK_FORMATS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

/* *out = a * b; 0 when that does not fit a size_t. */
static inline int size_mul(size_t *out, size_t a, size_t b) {
    if (a && b > SIZE_MAX / a) return 0;
    *out = a * b;
    return 1;
}

/* Product of the shape times item bytes; 0 when either does not fit. */
static inline int shape_sizes(size_t *count, size_t *bytes, const size_t *shape, size_t rank,
                              size_t item) {
    *count = 1;
    for (size_t i = 0; i < rank; i++)
        if (!size_mul(count, *count, shape[i])) return 0;
    return size_mul(bytes, *count, item);
}

static inline uint64_t le64(const unsigned char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static inline uint32_t le32(const unsigned char *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint16_t le16(const unsigned char *p) { return (uint16_t)(p[1] << 8 | p[0]); }

#endif
