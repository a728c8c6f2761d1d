#include "dtrak/trainer.h"

#include "dtrak/kernels.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"

#include <math.h>
#include <string.h>

/* RANGES: pieces of the parameter vector, for sums and updates.  Lane l sums the
 * gradients of chunks l, l + lanes, ... in that order; the lanes are summed in
 * theirs.  As many as there may be threads at work, and no more: each holds a gradient. */
enum { RANGES = 16 };

struct trainer {
    const struct unet *u;
    struct trainer_options o;
    struct pool *pool;
    const struct kernels *k;
    atomic_int *cancel;
    struct unet_weights *weights;
    struct unet_work **works;       /* one per thread */
    size_t p, D, chunks, lanes, done;
    float *theta, *m, *v, *ema;     /* one block: the state */
    float *grads;                   /* [lanes][p] */
    uint32_t *drawn;                /* [batch] images */
    float *x_t, *noise, *time, *eps, *d_eps;
    double *losses;                 /* per sample */
    double range_norm[RANGES];
    atomic_int stopped;
    /* of the step in hand */
    const struct trainer_images *data;
    double scale, lr_now, bias1, bias2, decay;
};

size_t trainer_state_size(const struct trainer *t) { return t->p * (t->ema ? 4 : 3); }
void trainer_state_get(const struct trainer *t, float *state) {
    memcpy(state, t->theta, trainer_state_size(t) * sizeof *state);
}
void trainer_state_set(struct trainer *t, const float *state, size_t steps_done) {
    memcpy(t->theta, state, trainer_state_size(t) * sizeof *state);
    t->done = steps_done;
}
size_t trainer_steps_done(const struct trainer *t) { return t->done; }
const float *trainer_weights(const struct trainer *t) { return t->ema ? t->ema : t->theta; }
float *trainer_theta(struct trainer *t) { return t->theta; }

enum status trainer_new(struct trainer **out, const struct unet *u, const struct trainer_options *o,
                        struct pool *pool, atomic_int *cancel) {
    enum status st = OK;
    *out = NULL;
    if (o->batch < 1 || o->batch > 65536 || o->steps < 1)
        return fail(ERR_RANGE, "train: batch %zu and %zu steps, expected at least 1 (and at most 65536 images)", o->batch, o->steps);
    struct trainer *t = mem_array(1, sizeof *t);
    if (!t) return fail(ERR_NOMEM, "train: out of memory");
    const struct unet_config *c = unet_get_config(u);
    t->u = u;
    t->o = *o;
    if (!t->o.schedule) t->o.schedule = schedule_default();
    t->pool = pool;
    t->k = kernels_best();
    t->cancel = cancel;
    t->p = unet_size(u);
    t->D = c->in_channels * c->sample_height * c->sample_width;
    t->chunks = (o->batch + TRAINER_CHUNK - 1) / TRAINER_CHUNK;
    t->lanes = t->chunks < TRAINER_LANES ? t->chunks : TRAINER_LANES;
    t->theta = mem_array(t->p * (o->ema > 0 ? 4 : 3), sizeof(float));
    t->grads = mem_array(t->p * t->lanes, sizeof(float));
    t->drawn = mem_array(o->batch, sizeof *t->drawn);
    float **arrays[] = { &t->x_t, &t->noise, &t->eps, &t->d_eps };
    int short_of_memory = !t->theta || !t->grads || !t->drawn;
    for (size_t i = 0; i < 4; i++) short_of_memory |= !(*arrays[i] = mem_array(o->batch * t->D, sizeof(float)));
    t->time = mem_array(o->batch, sizeof *t->time);
    t->losses = mem_array(o->batch, sizeof *t->losses);
    t->works = mem_array(pool_threads(pool), sizeof *t->works);
    if (short_of_memory || !t->time || !t->losses || !t->works) {
        st = fail(ERR_NOMEM, "train: out of memory for %zu weights and a batch of %zu", t->p, o->batch);
        goto done;
    }
    t->m = t->theta + t->p;
    t->v = t->m + t->p;
    t->ema = o->ema > 0 ? t->v + t->p : NULL;
    TRY_TO(unet_weights_new(&t->weights, u, 1));
    for (size_t i = 0; i < pool_threads(pool); i++)
        TRY_TO(unet_work_new(&t->works[i], u, TRAINER_CHUNK, 1, cancel));
    unet_init(u, t->theta, o->seed);
    if (t->ema) memcpy(t->ema, t->theta, t->p * sizeof(float));
    *out = t;
    t = NULL;
done:
    trainer_free(t);
    return st;
}

void trainer_free(struct trainer *t) {
    if (!t) return;
    for (size_t i = 0; t->works && i < pool_threads(t->pool); i++) unet_work_free(t->works[i]);
    mem_free(t->works);
    unet_weights_free(t->weights);
    mem_free(t->theta);
    mem_free(t->grads);
    mem_free(t->drawn);
    mem_free(t->x_t);
    mem_free(t->noise);
    mem_free(t->eps);
    mem_free(t->d_eps);
    mem_free(t->time);
    mem_free(t->losses);
    mem_free(t);
}

double trainer_lr(const struct trainer_options *o, size_t step) {
    double warm = ceil(o->warmup_fraction * (double)o->steps), s = (double)step;
    if (s < warm) return o->lr * (s + 1) / warm;
    double left = (double)o->steps - warm;
    return o->lr * 0.5 * (1 + cos(3.14159265358979323846 * (s - warm) / (left > 0 ? left : 1)));
}

/* --- the batch --- */

/* The k-th image drawn in the whole run: epochs are permutations. */
static uint32_t drawn_image(const struct trainer *t, uint64_t k, uint32_t *order, uint64_t *epoch) {
    uint64_t e = k / t->data->N;
    if (e != *epoch) {
        struct rng r = rng_at(t->o.seed, RNG_BATCH, (uint32_t)e, (uint32_t)(e >> 32));
        rng_permutation(order, (uint32_t)t->data->N, &r);
        *epoch = e;
    }
    return order[k % t->data->N];
}

/* Mirrors x [C][H][W] left to right.  With patch 2 the channels come in blocks
 * (c, dy, dx): mirrored pixels change their dx. */
static void mirror(float *y, const float *x, size_t C, size_t H, size_t W, size_t patch) {
    for (size_t c = 0; c < C; c++) {
        size_t from = patch == 2 ? c ^ 1 : c;
        for (size_t i = 0; i < H; i++)
            for (size_t j = 0; j < W; j++)
                y[(c * H + i) * W + j] = x[(from * H + i) * W + (W - 1 - j)];
    }
}

static void draw_sample(void *ctx, size_t b, size_t thread) {
    (void)thread;
    struct trainer *t = ctx;
    const struct unet_config *c = unet_get_config(t->u);
    uint32_t step = (uint32_t)t->done;
    const float *x = t->data->x + t->drawn[b] * t->D;
    float *x_t = t->x_t + b * t->D, *noise = t->noise + b * t->D;
    struct rng r = rng_at(t->o.seed, RNG_TIMESTEP, step, (uint32_t)b);
    size_t time = rng_below(&r, (uint32_t)schedule_steps(t->o.schedule));
    rng_normal(noise, t->D, t->o.seed, RNG_NOISE, step, (uint32_t)b);
    struct rng f = rng_at(t->o.seed, RNG_FLIP, step, (uint32_t)b);
    if (t->o.flip && rng_u32(&f) & 1) {
        mirror(t->eps + b * t->D, x, c->in_channels, c->sample_height, c->sample_width, t->data->patch);
        x = t->eps + b * t->D;
    }
    t->time[b] = (float)time;
    schedule_noised(t->o.schedule, x_t, x, noise, t->D, time);
}

/* --- one lane: forward, loss, backward of its chunks --- */

struct lane { struct trainer *t; const struct unet_param *params; float *grad; int more; };

static float *first_place(void *ctx, size_t param) {
    struct lane *l = ctx;
    return l->grad + l->params[param].offset;
}

static void keep_gradient(void *ctx, size_t param, const float *grad) {
    struct lane *l = ctx;
    float *to = l->grad + l->params[param].offset;
    if (l->more) l->t->k->add(to, grad, l->params[param].count);
    else if (to != grad) memcpy(to, grad, l->params[param].count * sizeof *grad);
}

static int run_chunk(struct trainer *t, struct lane *l, size_t chunk, size_t thread) {
    size_t first = chunk * TRAINER_CHUNK, at = first * t->D;
    size_t B = t->o.batch - first < TRAINER_CHUNK ? t->o.batch - first : TRAINER_CHUNK;
    struct unet_share share = { NULL, { keep_gradient, l }, l->more ? NULL : first_place };
    if (!unet_forward(t->works[thread], t->weights, t->eps + at, t->x_t + at, t->time + first, B)) return 0;
    for (size_t b = first; b < first + B; b++)
        t->losses[b] = loss_gradient(LOSS_SIMPLE, t->d_eps + b * t->D, t->eps + b * t->D,
                                     t->noise + b * t->D, t->D, 1, 1.0 / (double)t->o.batch);
    return unet_backward_shared(t->works[thread], t->weights, t->d_eps + at, &share, 1);
}

static void run_lane(void *ctx, size_t lane, size_t thread) {
    struct trainer *t = ctx;
    size_t n_params;
    struct lane l = { t, unet_params(t->u, &n_params), t->grads + lane * t->p, 0 };
    for (size_t c = lane; c < t->chunks; c += t->lanes) {
        l.more = c != lane;
        if (!run_chunk(t, &l, c, thread)) {
            atomic_store(&t->stopped, 1);
            return;
        }
    }
}

static void pack_part(void *ctx, size_t part, size_t thread) {
    (void)thread;
    struct trainer *t = ctx;
    unet_weights_pack_part(t->weights, t->theta, part, RANGES);
}

/* --- sum, clip, update: over fixed ranges of the parameters --- */

static size_t range_start(const struct trainer *t, size_t r) { return t->p * r / RANGES; }

static void sum_range(void *ctx, size_t r, size_t thread) {
    (void)thread;
    struct trainer *t = ctx;
    size_t from = range_start(t, r), n = range_start(t, r + 1) - from;
    for (size_t l = 1; l < t->lanes; l++) t->k->add(t->grads + from, t->grads + l * t->p + from, n);
    t->range_norm[r] = t->k->norm2(t->grads + from, n);
}

static void update_range(void *ctx, size_t r, size_t thread) {
    (void)thread;
    struct trainer *t = ctx;
    struct adamw_step s = { .scale = (float)t->scale, .beta1 = .95f, .beta2 = .999f,
        .shrink = (float)(1 - t->lr_now * t->o.weight_decay), .step = (float)(t->lr_now / t->bias1),
        .root = (float)(1 / sqrt(t->bias2)), .eps = 1e-8f, .keep = (float)t->decay };
    size_t from = range_start(t, r), n = range_start(t, r + 1) - from;
    t->k->adamw(t->theta + from, t->m + from, t->v + from, t->ema ? t->ema + from : NULL, t->grads + from, n, &s);
}

static enum status finish_step(struct trainer *t, double *loss) {
    double sum = 0, norm = 0, n = (double)t->done + 1;
    pool_run(t->pool, RANGES, pack_part, t);
    pool_run(t->pool, t->lanes, run_lane, t);
    if (atomic_load(&t->stopped)) return fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
    pool_run(t->pool, RANGES, sum_range, t);
    for (size_t b = 0; b < t->o.batch; b++) sum += t->losses[b];
    for (size_t r = 0; r < RANGES; r++) norm += t->range_norm[r];
    *loss = sum / (double)t->o.batch;
    norm = sqrt(norm);
    if (!isfinite(*loss) || !isfinite(norm))
        return fail(ERR_NUMERIC, "train: the loss is %g and the gradient's norm %g at step %zu; the last saved "
                    "state is kept; try a smaller --lr", *loss, norm, t->done);
    t->scale = t->o.clip > 0 ? fmin(1, t->o.clip / (norm + 1e-6)) : 1;
    t->lr_now = trainer_lr(&t->o, t->done);
    t->bias1 = 1 - pow(.95, n);
    t->bias2 = 1 - pow(.999, n);
    t->decay = fmin(t->o.ema, (1 + n) / (10 + n));
    pool_run(t->pool, RANGES, update_range, t);
    t->done++;
    return OK;
}

enum status trainer_step(struct trainer *t, const struct trainer_images *data, double *loss) {
    if (!data->N) return fail(ERR_MISSING, "train: there are no training images");
    uint32_t *order = mem_array(data->N, sizeof *order);
    if (!order) return fail(ERR_NOMEM, "train: out of memory");
    uint64_t epoch = UINT64_MAX;
    t->data = data;
    atomic_store(&t->stopped, 0);
    for (size_t b = 0; b < t->o.batch; b++)
        t->drawn[b] = drawn_image(t, (uint64_t)t->done * t->o.batch + b, order, &epoch);
    mem_free(order);
    pool_run(t->pool, t->o.batch, draw_sample, t);
    return finish_step(t, loss);
}

enum status trainer_step_on(struct trainer *t, const float *x_t, const float *time,
                            const float *noise, double *loss) {
    memcpy(t->x_t, x_t, t->o.batch * t->D * sizeof *x_t);
    memcpy(t->noise, noise, t->o.batch * t->D * sizeof *noise);
    memcpy(t->time, time, t->o.batch * sizeof *time);
    atomic_store(&t->stopped, 0);
    return finish_step(t, loss);
}
