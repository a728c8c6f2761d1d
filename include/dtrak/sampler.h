/* sampler.h - DDIM from a latent that depends on a seed alone.
 *
 * The first latent and, with eta > 0, the later noise of a sample are keyed on
 * its seed, and samples of a batch do not touch each other: the same seed and
 * weights give the same picture whatever else is drawn.
 * Checked against: tests/unit/train_test.c, tests/cli/small.sh. */
#ifndef DTRAK_SAMPLER_H
#define DTRAK_SAMPLER_H

#include "dtrak/schedule.h"
#include "dtrak/unet.h"

#include <stddef.h>
#include <stdint.h>

struct sampler_settings { const struct schedule *schedule; size_t steps; double eta; };

/* x [B][D] becomes the pictures of the seeds; eps and noise are scratch of the
 * same size (noise may be NULL when eta is 0).  B is at most the work's batch.
 * Returns 0 when the work was cancelled: x is then unfinished. */
int sampler_run(struct unet_work *work, const struct unet_weights *weights, const struct sampler_settings *o,
                float *x, float *eps, float *noise, const uint64_t *seeds, size_t B, size_t D);

/* The same, and on the way path out [B][steps][D]: the pictures that the network predicts at each
 * step, the noisiest first, clamped as the schedule says.  path may be NULL. */
int sampler_path(struct unet_work *work, const struct unet_weights *weights, const struct sampler_settings *o,
                 float *x, float *eps, float *noise, const uint64_t *seeds, size_t B, size_t D, float *path);

#endif
