/* schedule.h - DDPM's noise schedule as a value.
 *
 * x_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) eps with alpha_t = 1 - beta_t,
 * alpha_bar_t = prod alpha, t = 0..T-1, and beta_t by kind, s = t / (T - 1):
 *   linear            b0 + (b1 - b0) s                (Ho et al., arXiv 2006.11239)
 *   scaled_linear     (sqrt b0 + (sqrt b1 - sqrt b0) s)^2     (arXiv 2112.10752)
 *   squaredcos_cap_v2 min(1 - f((t+1)/T) / f(t/T), 0.999),
 *                     f(u) = cos^2(pi/2 (u + .008) / 1.008)   (arXiv 2102.09672)
 *   sigmoid           b0 + (b1 - b0) / (1 + exp(6 - 12 s))    (arXiv 2203.02923)
 *   trained           given one by one
 * The names are diffusers'.  Immutable once made: any number of threads may
 * read one.  Checked against: tests/unit/schedule_test.c, diffusers' numbers. */
#ifndef DTRAK_SCHEDULE_H
#define DTRAK_SCHEDULE_H

#include "dtrak/err.h"

#include <stddef.h>

enum { SCHEDULE_T = 1000, SCHEDULE_T_MAX = 100000 };

enum schedule_kind { SCHEDULE_LINEAR, SCHEDULE_SCALED_LINEAR, SCHEDULE_SQUAREDCOS, SCHEDULE_SIGMOID,
                     SCHEDULE_TRAINED, SCHEDULE_KINDS };

struct schedule_config {
    enum schedule_kind kind;
    size_t T;                      /* num_train_timesteps */
    double beta_start, beta_end;   /* not read by squaredcos_cap_v2 and trained */
    const double *betas;           /* T of them for SCHEDULE_TRAINED, copied; else NULL */
    /* Of the sampler. */
    int clip;                      /* predicted x_0 is clamped to [-clip_range, clip_range] */
    double clip_range;
    int final_first;               /* the last step ends at alpha_bar_0 instead of 1 */
};

/* Linear from 1e-4 to 0.02, T = 1000, clamped to [-1, 1]: DDPM's. */
struct schedule_config schedule_config_default(void);

const char *schedule_kind_name(enum schedule_kind k);     /* "linear", ..., "trained_betas" */
/* The kind of that name (trained is none), or SCHEDULE_KINDS. */
enum schedule_kind schedule_kind_parse(const char *name);

/* Fields of a schedule that another value takes the place of. */
struct schedule_change {
    enum schedule_kind kind;       /* SCHEDULE_KINDS: as it is */
    size_t T;                      /* 0: as it is */
    double beta_start, beta_end;   /* 0: as they are */
};
#define SCHEDULE_UNCHANGED { SCHEDULE_KINDS, 0, 0, 0 }
/* ERR_USAGE for betas, or T of betas given one by one, that the changed schedule does not read. */
enum status schedule_config_change(struct schedule_config *c, const struct schedule_change *change);

struct schedule;
/* ERR_RANGE naming the field when the betas are not all inside (0, 1). */
enum status schedule_new(struct schedule **out, const struct schedule_config *c);
void schedule_free(struct schedule *s);
/* The default one: never freed. */
const struct schedule *schedule_default(void);
/* betas points into s, whatever the kind. */
const struct schedule_config *schedule_get_config(const struct schedule *s);
/* 1 when both give the same numbers everywhere. */
int schedule_equal(const struct schedule *a, const struct schedule *b);

size_t schedule_steps(const struct schedule *s);               /* T */
double schedule_beta(const struct schedule *s, size_t t);      /* t < T, asserted; also below */
double schedule_alpha_bar(const struct schedule *s, size_t t);
/* w_t = beta_t / (2 alpha_t (1 - alpha_bar_t)): the ELBO's weight of L_simple. */
double schedule_elbo_weight(const struct schedule *s, size_t t);

/* x_t [n] from x [n] in [-1, 1] and noise [n]. */
void schedule_noised(const struct schedule *s, float *x_t, const float *x, const float *noise, size_t n,
                     size_t t);

/* One DDIM step (Song et al., arXiv 2010.02502, eq. 12) with the predicted x_0
 * clamped as configured, as diffusers' DDIMScheduler does: x [n] at t becomes x
 * at t_next (t_next < 0: the end).  noise [n] is used when eta > 0 and may be
 * NULL else. */
void schedule_ddim(const struct schedule *s, float *x, const float *eps, const float *noise, size_t n,
                   size_t t, long t_next, double eta);

/* x0 out [n]: the picture that a network with output eps [n] predicts from x [n] at t,
 * (x - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t), clamped as configured. */
void schedule_predicted(const struct schedule *s, float *x0, const float *x, const float *eps, size_t n, size_t t);

/* The i-th of `steps` DDIM timesteps, i = 0 the noisiest: (steps - 1 - i) * (T / steps). */
size_t schedule_ddim_timestep(const struct schedule *s, size_t steps, size_t i);

#endif
