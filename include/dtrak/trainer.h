/* trainer.h - DDPM training: one object, one step at a time, no files.
 *
 * A step draws its batch, timesteps, noise and flips from counters (seed, step),
 * so it is a function of the state alone: a run that is stopped and resumed
 * ends with the same bits.  The batch is cut into chunks of TRAINER_CHUNK
 * images whose gradients are summed in a fixed order, in at most eight sums at
 * a time (so up to eight threads work): nor does the thread count matter.
 *
 * AdamW (Loshchilov & Hutter, arXiv 1711.05101) as PyTorch's, betas .95, .999;
 * gradient clipping to a norm; linear warm-up, then cosine to 0.
 * Checked against: three steps of PyTorch in tests/vectors/adamw. */
#ifndef DTRAK_TRAINER_H
#define DTRAK_TRAINER_H

#include "dtrak/err.h"
#include "dtrak/pool.h"
#include "dtrak/unet.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { TRAINER_CHUNK = 8, TRAINER_LANES = 8 };   /* images at a time; sums of gradients at most */

struct schedule;

struct trainer_options {
    size_t batch, steps;            /* steps in all: the schedule's length */
    double lr, weight_decay, clip;  /* clip: gradient norm, 0 is off */
    double warmup_fraction;
    double ema;                     /* decay, 0 is off */
    int flip;
    uint64_t seed;
    const struct schedule *schedule;   /* borrowed; NULL: the default one */
};

/* Training images, [N][C][H][W] in [-1, 1] in the network's layout; W is the
 * axis that a flip mirrors.  With patch 2 a flip also swaps the two halves of
 * each pair of columns, so it needs to know. */
struct trainer_images { const float *x; size_t N, patch; };

struct trainer;
enum status trainer_new(struct trainer **out, const struct unet *u, const struct trainer_options *o,
                        struct pool *pool, atomic_int *cancel);
void trainer_free(struct trainer *t);

/* One step; *loss is the batch's mean L_simple, before the update.  ERR_NUMERIC
 * when it or the gradient is not finite, ERR_CANCELLED: the state is then as
 * before the step. */
enum status trainer_step(struct trainer *t, const struct trainer_images *data, double *loss);

/* The same on given x_t, t and noise ([batch][C][H][W]); for tests. */
enum status trainer_step_on(struct trainer *t, const float *x_t, const float *time,
                            const float *noise, double *loss);

size_t trainer_steps_done(const struct trainer *t);
double trainer_lr(const struct trainer_options *o, size_t step);

/* Native layout; the averaged weights when EMA is on. */
const float *trainer_weights(const struct trainer *t);
/* The weights that are being trained, for tests. */
float *trainer_theta(struct trainer *t);

/* Everything a resumed run needs, as floats: theta, m, v and, with EMA, the
 * average.  trainer_state_set() takes steps_done too. */
size_t trainer_state_size(const struct trainer *t);
void trainer_state_get(const struct trainer *t, float *state);
void trainer_state_set(struct trainer *t, const float *state, size_t steps_done);

#endif
