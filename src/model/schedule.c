#include "dtrak/schedule.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>

static double alpha_bar[SCHEDULE_T];
static pthread_once_t once = PTHREAD_ONCE_INIT;

double schedule_beta(size_t t) {
    assert(t < SCHEDULE_T);
    return 1e-4 + (2e-2 - 1e-4) * (double)t / (SCHEDULE_T - 1);
}

static void fill(void) {
    double a = 1;
    for (size_t t = 0; t < SCHEDULE_T; t++) alpha_bar[t] = a *= 1 - schedule_beta(t);
}

double schedule_alpha_bar(size_t t) {
    assert(t < SCHEDULE_T);
    pthread_once(&once, fill);
    return alpha_bar[t];
}

double schedule_elbo_weight(size_t t) {
    double beta = schedule_beta(t);
    return beta / (2 * (1 - beta) * (1 - schedule_alpha_bar(t)));
}

void schedule_noised(float *x_t, const float *x, const float *noise, size_t n, size_t t) {
    double a = schedule_alpha_bar(t);
    float s = (float)sqrt(a), r = (float)sqrt(1 - a);
    for (size_t i = 0; i < n; i++) x_t[i] = s * x[i] + r * noise[i];
}

size_t schedule_ddim_timestep(size_t steps, size_t i) {
    assert(steps && i < steps && steps <= SCHEDULE_T);
    return (steps - 1 - i) * (SCHEDULE_T / steps);
}

void schedule_ddim(float *x, const float *eps, const float *noise, size_t n, size_t t, long t_next,
                   double eta) {
    double a = schedule_alpha_bar(t), next = t_next < 0 ? 1 : schedule_alpha_bar((size_t)t_next);
    double sigma = eta * sqrt((1 - next) / (1 - a) * (1 - a / next));
    double along = sqrt(fmax(0, 1 - next - sigma * sigma));
    for (size_t i = 0; i < n; i++) {
        double x0 = ((double)x[i] - sqrt(1 - a) * (double)eps[i]) / sqrt(a);
        x0 = x0 < -1 ? -1 : x0 > 1 ? 1 : x0;
        double y = sqrt(next) * x0 + along * (double)eps[i];
        if (eta > 0) y += sigma * (double)noise[i];
        x[i] = (float)y;
    }
}
