/* distance.c - Euclidean distance and cosine. */
#include "dtrak/distance.h"

#include <math.h>

double distance_l2(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

double distance_cosine(const float *a, const float *b, size_t n) {
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    if (!(aa > 0 && bb > 0)) return 0;
    double c = ab / sqrt(aa) / sqrt(bb);
    return c > 1 ? 1 : c < -1 ? -1 : c;
}
