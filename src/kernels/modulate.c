/* modulate.c - scale and shift of a group norm's result, image by image.
 *
 * z (1 + s) + t, with z = hat gamma + beta and s, t given by the time step, is
 * a norm with other gamma and beta.  So the norm kernels serve as they are. */
#include "dtrak/kernels.h"

void modulate_forward(float *gamma_st, float *beta_st, const float *gamma, const float *beta,
                      const float *st, size_t C) {
    for (size_t c = 0; c < C; c++) {
        float s = 1.0f + st[c];
        gamma_st[c] = gamma[c] * s;
        beta_st[c] = beta[c] * s + st[C + c];
    }
}

void modulate_backward(float *dgamma, float *dbeta, float *d_st, int add, const float *gamma,
                       const float *beta, const float *st, size_t C) {
    for (size_t c = 0; c < C; c++) {
        float s = 1.0f + st[c], ds = gamma[c] * dgamma[c] + beta[c] * dbeta[c], dt = dbeta[c];
        dgamma[c] *= s;
        dbeta[c] *= s;
        d_st[c] = add ? d_st[c] + ds : ds;
        d_st[C + c] = add ? d_st[C + c] + dt : dt;
    }
}
