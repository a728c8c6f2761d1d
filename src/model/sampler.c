/* sampler.c - from latents to pictures. */
#include "dtrak/sampler.h"

#include "dtrak/rng.h"

enum { MAX_BATCH = 64 };

static int run_batch(struct unet_work *work, const struct unet_weights *weights, const struct sampler_settings *o,
                     float *x, float *eps, float *noise, const uint64_t *seeds, size_t B, size_t D, float *path) {
    float time[MAX_BATCH];
    for (size_t b = 0; b < B; b++) rng_normal(x + b * D, D, seeds[b], RNG_LATENT, 0, 0);
    for (size_t i = 0; i < o->steps; i++) {
        size_t t = schedule_ddim_timestep(o->schedule, o->steps, i);
        long next = i + 1 < o->steps ? (long)schedule_ddim_timestep(o->schedule, o->steps, i + 1) : -1;
        for (size_t b = 0; b < B; b++) time[b] = (float)t;
        if (!unet_forward(work, weights, eps, x, time, B)) return 0;
        for (size_t b = 0; path && b < B; b++)
            schedule_predicted(o->schedule, path + (b * o->steps + i) * D, x + b * D, eps + b * D, D, t);
        for (size_t b = 0; o->eta > 0 && b < B; b++)
            rng_normal(noise + b * D, D, seeds[b], RNG_LATENT, 1, (uint32_t)i);
        schedule_ddim(o->schedule, x, eps, noise, B * D, t, next, o->eta);
    }
    return 1;
}

int sampler_path(struct unet_work *work, const struct unet_weights *weights, const struct sampler_settings *o,
                 float *x, float *eps, float *noise, const uint64_t *seeds, size_t B, size_t D, float *path) {
    for (size_t at = 0; at < B; at += MAX_BATCH) {
        size_t n = B - at < MAX_BATCH ? B - at : MAX_BATCH;
        if (!run_batch(work, weights, o, x + at * D, eps + at * D, noise ? noise + at * D : NULL, seeds + at, n, D,
                       path ? path + at * o->steps * D : NULL)) return 0;
    }
    return 1;
}

int sampler_run(struct unet_work *work, const struct unet_weights *weights, const struct sampler_settings *o,
                float *x, float *eps, float *noise, const uint64_t *seeds, size_t B, size_t D) {
    return sampler_path(work, weights, o, x, eps, noise, seeds, B, D, NULL);
}
