#include "dtrak/loss.h"

#include <math.h>
#include <string.h>

static const char *const names[LOSS_COUNT] = { "simple", "elbo", "square", "avg", "l1", "l2", "linf" };

const char *loss_name(enum loss l) { return l < LOSS_COUNT ? names[l] : "?"; }

enum loss loss_parse(const char *name) {
    for (int l = 0; l < LOSS_COUNT; l++)
        if (!strcmp(name, names[l])) return (enum loss)l;
    return LOSS_COUNT;
}

static double sum_squares(const float *e, const float *n, size_t D) {
    double s = 0;
    for (size_t i = 0; i < D; i++) {
        double d = n ? (double)e[i] - (double)n[i] : (double)e[i];
        s += d * d;
    }
    return s;
}

static size_t first_largest(const float *e, size_t D) {
    size_t at = 0;
    for (size_t i = 1; i < D; i++)
        if (fabsf(e[i]) > fabsf(e[at])) at = i;
    return at;
}

double loss_value(enum loss l, const float *e, const float *n, size_t D, double elbo_weight) {
    double s = 0;
    switch (l) {
    case LOSS_SIMPLE: return sum_squares(e, n, D) / (double)D;
    case LOSS_ELBO: return elbo_weight * sum_squares(e, n, D) / (double)D;
    case LOSS_SQUARE: return sum_squares(e, NULL, D) / (double)D;
    case LOSS_AVG:
        for (size_t i = 0; i < D; i++) s += (double)e[i];
        return s / (double)D;
    case LOSS_L1:
        for (size_t i = 0; i < D; i++) s += fabs((double)e[i]);
        return s;
    case LOSS_L2: return sqrt(sum_squares(e, NULL, D));
    case LOSS_LINF: return fabs((double)e[first_largest(e, D)]);
    case LOSS_COUNT: break;
    }
    return NAN;
}

double loss_gradient(enum loss l, float *de, const float *e, const float *n, size_t D,
                     double elbo_weight, double scale) {
    double value = loss_value(l, e, n, D, elbo_weight);
    double c = scale * 2 / (double)D;
    if (l == LOSS_ELBO) c *= elbo_weight;
    if (l == LOSS_L2) c = value > 0 ? scale / value : 0;
    for (size_t i = 0; i < D; i++) {
        switch (l) {
        case LOSS_SIMPLE: case LOSS_ELBO: de[i] = (float)(c * ((double)e[i] - (double)n[i])); break;
        case LOSS_SQUARE: case LOSS_L2: de[i] = (float)(c * (double)e[i]); break;
        case LOSS_AVG: de[i] = (float)(scale / (double)D); break;
        case LOSS_L1: de[i] = (float)(e[i] > 0 ? scale : e[i] < 0 ? -scale : 0); break;
        case LOSS_LINF: case LOSS_COUNT: de[i] = 0; break;
        }
    }
    if (l == LOSS_LINF) {
        size_t at = first_largest(e, D);
        de[at] = (float)(e[at] >= 0 ? scale : -scale);
    }
    return value;
}

enum loss loss_multiple(enum loss l, const float *e, size_t D, double elbo_weight, double *factor) {
    *factor = 1;
    if (l == LOSS_ELBO) {
        *factor = elbo_weight;
        return LOSS_SIMPLE;
    }
    if (l == LOSS_L2) {
        double norm = sqrt(sum_squares(e, NULL, D));
        *factor = norm > 0 ? (double)D / (2 * norm) : 0;
        return LOSS_SQUARE;
    }
    return l;
}
