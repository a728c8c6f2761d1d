/* schedule.h - DDPM's linear noise schedule, T = 1000.
 *
 * beta_t = 1e-4 + (0.02 - 1e-4) t / 999, t = 0..999, alpha_t = 1 - beta_t,
 * alpha_bar_t = prod alpha.  x_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) eps.
 * Source: Ho et al., arXiv 2006.11239; diffusers' DDPMScheduler defaults.
 * Checked against: tests/unit/schedule_test.c. */
#ifndef DTRAK_SCHEDULE_H
#define DTRAK_SCHEDULE_H

#include <stddef.h>

enum { SCHEDULE_T = 1000 };

double schedule_beta(size_t t);        /* t < SCHEDULE_T, asserted; also below */
double schedule_alpha_bar(size_t t);
/* w_t = beta_t / (2 alpha_t (1 - alpha_bar_t)): the ELBO's weight of L_simple. */
double schedule_elbo_weight(size_t t);

/* x_t [n] from x [n] in [-1, 1] and noise [n]. */
void schedule_noised(float *x_t, const float *x, const float *noise, size_t n, size_t t);

/* One DDIM step (Song et al., arXiv 2010.02502, eq. 12) with the predicted x_0
 * clamped to [-1, 1], as diffusers' DDIMScheduler does: x [n] at t becomes x at
 * t_next (t_next < 0: the end, alpha_bar 1).  noise [n] is used when eta > 0
 * and may be NULL else. */
void schedule_ddim(float *x, const float *eps, const float *noise, size_t n, size_t t, long t_next,
                   double eta);

/* The i-th of `steps` DDIM timesteps, i = 0 the noisiest: (steps - 1 - i) * (T / steps). */
size_t schedule_ddim_timestep(size_t steps, size_t i);

#endif
