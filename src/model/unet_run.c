/* unet_run.c - walks a plan forward and back on one thread.
 *
 * Memory: every buffer has its place in one block, sized for max_batch; so has
 * every gradient.  Nothing is allocated in a pass. */
#include "plan.h"

#include "dtrak/kernels.h"
#include "dtrak/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct unet_weights { const struct unet *u; float *bias, *forward, *backward, *fold; };

enum status unet_weights_new(struct unet_weights **out, const struct unet *u, int with_backward) {
    *out = NULL;
    struct unet_weights *w = mem_array(1, sizeof *w);
    if (!w) return fail(ERR_NOMEM, "network: out of memory");
    w->u = u;
    w->bias = mem_array(u->size + KERNEL_SLACK, sizeof *w->bias);
    w->forward = mem_array(u->pack + KERNEL_SLACK, sizeof *w->forward);
    if (with_backward) w->backward = mem_array(u->pack + KERNEL_SLACK, sizeof *w->backward);
    w->fold = mem_array(u->largest_fold, sizeof *w->fold);
    if (!w->bias || !w->forward || !w->fold || (with_backward && !w->backward)) {
        unet_weights_free(w);
        return fail(ERR_NOMEM, "network: out of memory for %zu weights", u->size);
    }
    *out = w;
    return OK;
}

void unet_weights_free(struct unet_weights *w) {
    if (!w) return;
    mem_free(w->bias);
    mem_free(w->forward);
    mem_free(w->backward);
    mem_free(w->fold);
    mem_free(w);
}

void unet_weights_pack(struct unet_weights *w, const float *theta) { unet_weights_pack_part(w, theta, 0, 1); }

/* What needs the scratch is all in part 0. */
void unet_weights_pack_part(struct unet_weights *w, const float *theta, size_t part, size_t parts) {
    const struct unet *u = w->u;
    for (size_t i = 0; i < u->n_ops; i++) {
        const struct plan_op *op = &u->ops[i];
        size_t whose = op->kind == OP_CONV && op->flag ? 0 : i % parts;
        if (op->w == NONE || whose != part) continue;
        const struct unet_param *p = &u->params[op->w], *b = &u->params[op->bias];
        memcpy(w->bias + b->offset, theta + b->offset, b->count * sizeof *theta);
        struct conv_layer n = plan_layer(u, op, 1);
        if (op->kind == OP_CONV)
            conv_pack(w->forward + op->pack, w->backward ? w->backward + op->pack : NULL,
                      theta + p->offset, w->fold, &n);
        else
            memcpy(w->bias + p->offset, theta + p->offset, p->count * sizeof *theta);
    }
}

struct unet_work {
    const struct unet *u;
    const struct kernels *k;
    size_t max_batch, B;
    int with_backward;
    atomic_int *cancel;
    float *block, *grad_block, *keep;
    float **value, **grad;        /* by buffer */
    float *affine;                /* two rows of channels: a norm with scale and shift */
    float *dw, *fold, *scratch;
    float *sums;                  /* two of [max_batch][C] for the widest buffer, and one [C] */
    float *scaled;                /* a buffer's gradient, times a share's scale */
    const struct unet_share *shares;
    size_t n_shares;
};

static size_t floats(const struct plan_buffer *b) {
    return b->H * b->W * b->C;
}

static size_t scratch_floats(const struct unet *u) {
    size_t most = 0;
    for (size_t i = 0; i < u->n_ops; i++) {
        const struct plan_buffer *a = &u->buffers[u->ops[i].a];
        size_t need = u->ops[i].kind == OP_NORM ? floats(a)
                    : u->ops[i].kind == OP_ATTENTION ? attention_scratch(a->H * a->W) : 0;
        if (need > most) most = need;
    }
    return most;
}

/* Floats that a buffer takes: whole cache lines, so that all begin on one. */
static size_t place(const struct unet_work *w, const struct plan_buffer *b) {
    return kernel_padded(w->max_batch * floats(b)) + KERNEL_SLACK;
}

static enum status place_buffers(struct unet_work *w) {
    const struct unet *u = w->u;
    size_t total = 0, widest = 0, largest = 0;
    for (size_t i = 0; i < u->n_buffers; i++) {
        const struct plan_buffer *b = &u->buffers[i];
        total += place(w, b);
        if (b->C > widest) widest = b->C;
        if (place(w, b) > largest) largest = place(w, b);
    }
    w->affine = mem_array(2 * widest + KERNEL_SLACK, sizeof *w->affine);
    w->scratch = mem_array(scratch_floats(u) + KERNEL_SLACK, sizeof *w->scratch);
    w->value = mem_array(u->n_buffers, sizeof *w->value);
    w->grad = mem_array(u->n_buffers, sizeof *w->grad);
    w->block = mem_array(total, sizeof *w->block);
    w->keep = mem_array(w->max_batch * u->keep + KERNEL_SLACK, sizeof *w->keep);
    if (!w->value || !w->grad || !w->block || !w->keep || !w->affine || !w->scratch)
        return fail(ERR_NOMEM, "network: out of memory for a batch of %zu", w->max_batch);
    if (w->with_backward) {
        w->grad_block = mem_array(total, sizeof *w->grad_block);
        w->dw = mem_array(u->largest_param + KERNEL_SLACK, sizeof *w->dw);
        w->fold = mem_array(u->largest_fold, sizeof *w->fold);
        w->sums = mem_array((2 * w->max_batch + 1) * widest + KERNEL_SLACK, sizeof *w->sums);
        w->scaled = mem_array(largest, sizeof *w->scaled);
        if (!w->grad_block || !w->dw || !w->fold || !w->sums || !w->scaled)
            return fail(ERR_NOMEM, "network: out of memory for a batch of %zu", w->max_batch);
    }
    size_t at = 0;
    for (size_t i = 0; i < u->n_buffers; i++) {
        const struct plan_buffer *b = &u->buffers[i];
        w->value[i] = w->block + at;
        if (w->with_backward) w->grad[i] = w->grad_block + at;
        at += place(w, b);
    }
    return OK;
}

enum status unet_work_new(struct unet_work **out, const struct unet *u, size_t max_batch,
                          int with_backward, atomic_int *cancel) {
    *out = NULL;
    struct unet_work *w = mem_array(1, sizeof *w);
    if (!w) return fail(ERR_NOMEM, "network: out of memory");
    *w = (struct unet_work){ .u = u, .k = kernels_best(), .max_batch = max_batch,
                             .with_backward = with_backward, .cancel = cancel };
    enum status st = place_buffers(w);
    if (st != OK) {
        unet_work_free(w);
        return st;
    }
    *out = w;
    return OK;
}

void unet_work_free(struct unet_work *w) {
    if (!w) return;
    mem_free(w->block);
    mem_free(w->grad_block);
    mem_free(w->keep);
    mem_free(w->affine);
    mem_free(w->value);
    mem_free(w->grad);
    mem_free(w->dw);
    mem_free(w->sums);
    mem_free(w->scaled);
    mem_free(w->scratch);
    mem_free(w->fold);
    mem_free(w);
}

/* --- forward --- */

static int stopped(const struct unet_work *w) {
    return w->cancel && atomic_load_explicit(w->cancel, memory_order_relaxed);
}

/* Sinusoids as diffusers computes them: angles in float32. */
static void time_embedding(struct unet_work *w, const float *t) {
    const struct unet_config *c = &w->u->config;
    size_t half = c->width[0] / 2;
    for (size_t b = 0; b < w->B; b++) {
        float *out = w->value[w->u->time] + b * c->width[0];
        for (size_t i = 0; i < half; i++) {
            float exponent = (float)(-log(10000.0)) * (float)i / (float)((double)half - c->freq_shift);
            float angle = t[b] * expf(exponent);
            float s = (float)sin((double)angle), co = (float)cos((double)angle);
            out[i] = c->flip_sin_to_cos ? co : s;
            out[half + i] = c->flip_sin_to_cos ? s : co;
        }
        if (c->width[0] % 2) out[2 * half] = 0;
    }
}

static void load_input(struct unet_work *w, const float *x) {
    const struct unet_config *c = &w->u->config;
    size_t C = c->in_channels, S = c->sample_height * c->sample_width;
    float *in = w->value[w->u->input], by = c->center_input ? 2 : 1, less = c->center_input ? 1 : 0;
    for (size_t b = 0; b < w->B; b++)
        for (size_t ch = 0; ch < C; ch++)
            for (size_t i = 0; i < S; i++) in[(b * S + i) * C + ch] = by * *x++ - less;
}

static struct norm_shape norm_shape_of(const struct unet_work *w, const struct plan_op *op) {
    const struct plan_buffer *a = &w->u->buffers[op->a];
    return (struct norm_shape){ w->B, a->H, a->W, a->C, op->groups };
}

/* With scale and shift every image has its own gamma and beta. */
static void forward_norm(struct unet_work *w, const struct unet_weights *weights, const struct plan_op *op) {
    const struct unet *u = w->u;
    struct norm_shape n = norm_shape_of(w, op);
    float *mean = w->keep + w->max_batch * op->keep, *rstd = mean + w->B * op->groups;
    const float *gamma = weights->bias + u->params[op->w].offset;
    const float *beta = weights->bias + u->params[op->bias].offset, *x = w->value[op->a];
    size_t S = n.H * n.W * n.C;
    float *y = w->value[op->y], eps = (float)u->config.eps;
    if (op->add == NONE) {
        w->k->norm_forward(y, mean, rstd, x, gamma, beta, n, eps, op->flag);
        return;
    }
    float *gamma_st = w->affine, *beta_st = gamma_st + n.C;
    n.B = 1;
    for (size_t b = 0; b < w->B; b++) {
        modulate_forward(gamma_st, beta_st, gamma, beta, w->value[op->add] + b * 2 * n.C, n.C);
        w->k->norm_forward(y + b * S, mean + b * n.G, rstd + b * n.G, x + b * S, gamma_st,
                           beta_st, n, eps, op->flag);
    }
}

/* Where the weights of image b are kept, or NULL. */
static float *attention_weights(const struct unet_work *w, const struct plan_op *op, size_t b) {
    const struct plan_buffer *a = &w->u->buffers[op->a];
    size_t floats = attention_keep(a->H * a->W, op->heads);
    return floats ? w->keep + w->max_batch * op->keep + b * floats : NULL;
}

static void attention_images(struct unet_work *w, const struct plan_op *op) {
    const struct plan_buffer *a = &w->u->buffers[op->a];
    size_t N = a->H * a->W, n = N * a->C;
    for (size_t b = 0; b < w->B; b++)
        attention_forward(w->k, w->value[op->y] + b * n, attention_weights(w, op, b), w->scratch,
                          w->value[op->a] + b * n, w->value[op->b] + b * n, w->value[op->c] + b * n,
                          N, a->C, op->heads);
}

static void forward_op(struct unet_work *w, const struct unet_weights *weights, const struct plan_op *op) {
    const struct unet *u = w->u;
    const struct plan_buffer *a = &u->buffers[op->a];
    size_t n = w->B * a->H * a->W * a->C;
    const float *bias = op->bias == NONE ? NULL : weights->bias + u->params[op->bias].offset;
    switch (op->kind) {
    case OP_CONV: {
        struct conv_layer layer = plan_layer(u, op, w->B);
        conv_forward(w->k, w->value[op->y], w->value[op->a], weights->forward + op->pack, bias,
                     op->add == NONE ? NULL : w->value[op->add], op->res == NONE ? NULL : w->value[op->res], &layer);
        break;
    }
    case OP_NORM: forward_norm(w, weights, op); break;
    case OP_SILU: w->k->silu_forward(w->value[op->y], w->value[op->a], n); break;
    case OP_ATTENTION: attention_images(w, op); break;
    case OP_CONCAT:
        concat_forward(w->value[op->y], w->value[op->a], a->C, w->value[op->b],
                       u->buffers[op->b].C, w->B * a->H * a->W);
        break;
    case OP_UPSAMPLE: upsample_forward(w->value[op->y], w->value[op->a], w->B, a->H, a->W, a->C); break;
    case OP_POOL: pool_forward(w->value[op->y], w->value[op->a], w->B, a->H, a->W, a->C); break;
    case OP_SCALE: scale_forward(w->value[op->y], w->value[op->a], (float)op->factor, n); break;
    }
}

int unet_forward(struct unet_work *w, const struct unet_weights *weights, float *eps,
                 const float *x, const float *t, size_t B) {
    const struct unet *u = w->u;
    assert(B >= 1 && B <= w->max_batch && weights->u == u);
    w->B = B;
    time_embedding(w, t);
    load_input(w, x);
    for (size_t i = 0; i < u->n_ops; i++) {
        if (stopped(w)) return 0;
        forward_op(w, weights, &u->ops[i]);
    }
    size_t S = u->config.sample_height * u->config.sample_width, C = u->config.out_channels;
    const float *y = w->value[u->output];
    for (size_t b = 0; b < B; b++)
        for (size_t c = 0; c < C; c++)
            for (size_t s = 0; s < S; s++) *eps++ = y[(b * S + s) * C + c];
    return 1;
}

/* --- backward --- */

static void give(const struct unet_share *s, int param, const float *grad) {
    if (s->sink.take) s->sink.take(s->sink.ctx, (size_t)param, grad);
}

/* Hands over a parameter of which every image has its gradient: rows [B][C]. */
static void give_rows(struct unet_work *w, int param, const float *rows, size_t C, float *sum) {
    for (size_t i = 0; i < w->n_shares; i++) {
        const struct unet_share *s = &w->shares[i];
        for (size_t b = 0; b < w->B; b++) w->k->scale(sum, b > 0, rows + b * C, s->scale ? s->scale[b] : 1, C);
        give(s, param, sum);
    }
}

/* dy [B][n], or a copy in which every image is multiplied by the share's scale. */
static const float *scaled(struct unet_work *w, const struct unet_share *s, const float *dy, size_t n) {
    if (!s->scale) return dy;
    for (size_t b = 0; b < w->B; b++) w->k->scale(w->scaled + b * n, 0, dy + b * n, s->scale[b], n);
    return w->scaled;
}

static void add_or_copy(const struct kernels *k, float *d, int add, const float *dy, size_t n) {
    if (add) k->add(d, dy, n);
    else memcpy(d, dy, n * sizeof *d);
}

static void backward_conv(struct unet_work *w, const struct unet_weights *weights, const struct plan_op *op) {
    const struct unet *u = w->u;
    struct conv_layer n = plan_layer(u, op, w->B);
    const float *dy = w->grad[op->y];
    size_t S = conv_height(&n) * conv_width(&n), C = n.Cout;
    w->k->channel_sums(w->sums, dy, n.B, S, C);
    give_rows(w, op->bias, w->sums, C, w->sums + n.B * C);
    if (op->res != NONE) add_or_copy(w->k, w->grad[op->res], op->add_res, dy, n.B * S * C);
    if (op->add != NONE) add_or_copy(w->k, w->grad[op->add], op->add_add, w->sums, n.B * C);
    for (size_t i = 0; i < w->n_shares; i++) {
        const struct unet_share *s = &w->shares[i];
        float *dw = s->room ? s->room(s->sink.ctx, (size_t)op->w) : w->dw;
        conv_backward_weight(w->k, dw, w->value[op->a], scaled(w, s, dy, S * C), w->fold, &n);
        give(s, op->w, dw);
    }
    if (u->buffers[op->a].needs_gradient)
        conv_backward_data(w->k, w->grad[op->a], op->add_a, dy, weights->backward + op->pack, &n);
}

static void backward_norm(struct unet_work *w, const struct unet_weights *weights, const struct plan_op *op) {
    const struct unet *u = w->u;
    const float *mean = w->keep + w->max_batch * op->keep, *rstd = mean + w->B * op->groups;
    struct norm_shape n = norm_shape_of(w, op);
    size_t C = n.C, S = n.H * n.W * C;
    float *dgamma = w->sums, *dbeta = dgamma + w->B * C, *sum = dbeta + w->B * C;
    float *gamma_st = w->affine, *beta_st = gamma_st + C, *dx = w->grad[op->a];
    const float *gamma = weights->bias + u->params[op->w].offset, *dy = w->grad[op->y];
    const float *beta = weights->bias + u->params[op->bias].offset, *x = w->value[op->a];
    if (op->add == NONE) {
        w->k->norm_backward(dx, op->add_a, dgamma, dbeta, dy, x, mean, rstd, gamma, beta, n, op->flag, w->scratch);
    } else {
        n.B = 1;
        for (size_t b = 0; b < w->B; b++) {
            const float *st = w->value[op->add] + b * 2 * C;
            modulate_forward(gamma_st, beta_st, gamma, beta, st, C);
            w->k->norm_backward(dx + b * S, op->add_a, dgamma + b * C, dbeta + b * C, dy + b * S, x + b * S,
                                mean + b * n.G, rstd + b * n.G, gamma_st, beta_st, n, op->flag, w->scratch);
            modulate_backward(dgamma + b * C, dbeta + b * C, w->grad[op->add] + b * 2 * C, op->add_add, gamma, beta, st, C);
        }
    }
    give_rows(w, op->w, dgamma, C, sum);
    give_rows(w, op->bias, dbeta, C, sum);
}

static void backward_attention(struct unet_work *w, const struct plan_op *op) {
    const struct plan_buffer *a = &w->u->buffers[op->a];
    size_t N = a->H * a->W, n = N * a->C;
    assert(!op->add_a && !op->add_b && !op->add_c);
    for (size_t b = 0; b < w->B; b++)
        attention_backward(w->k, w->grad[op->a] + b * n, w->grad[op->b] + b * n, w->grad[op->c] + b * n,
                           w->scratch, w->grad[op->y] + b * n, attention_weights(w, op, b),
                           w->value[op->a] + b * n, w->value[op->b] + b * n, w->value[op->c] + b * n,
                           N, a->C, op->heads);
}

static void backward_op(struct unet_work *w, const struct unet_weights *weights, const struct plan_op *op) {
    const struct plan_buffer *a = &w->u->buffers[op->a];
    size_t n = w->B * a->H * a->W * a->C;
    switch (op->kind) {
    case OP_CONV: backward_conv(w, weights, op); break;
    case OP_NORM: backward_norm(w, weights, op); break;
    case OP_SILU:
        w->k->silu_backward(w->grad[op->a], op->add_a, w->grad[op->y], w->value[op->a], n);
        break;
    case OP_ATTENTION: backward_attention(w, op); break;
    case OP_CONCAT:
        concat_backward(w->grad[op->a], op->add_a, a->C, w->grad[op->b], op->add_b,
                        w->u->buffers[op->b].C, w->grad[op->y], w->B * a->H * a->W);
        break;
    case OP_UPSAMPLE:
        upsample_backward(w->grad[op->a], op->add_a, w->grad[op->y], w->B, a->H, a->W, a->C);
        break;
    case OP_POOL:
        pool_backward(w->grad[op->a], op->add_a, w->grad[op->y], w->B, a->H, a->W, a->C);
        break;
    case OP_SCALE:
        scale_backward(w->grad[op->a], op->add_a, w->grad[op->y], (float)op->factor, n);
        break;
    }
}

int unet_backward(struct unet_work *w, const struct unet_weights *weights, const float *d_eps,
                  const struct unet_sink *sink) {
    struct unet_share all = { NULL, sink ? *sink : (struct unet_sink){ NULL, NULL }, NULL };
    return unet_backward_shared(w, weights, d_eps, &all, 1);
}

int unet_backward_shared(struct unet_work *w, const struct unet_weights *weights, const float *d_eps,
                         const struct unet_share *shares, size_t n_shares) {
    const struct unet *u = w->u;
    w->shares = shares;
    w->n_shares = n_shares;
    assert(w->with_backward && weights->backward && weights->u == u);
    size_t S = u->config.sample_height * u->config.sample_width, C = u->config.out_channels;
    float *dy = w->grad[u->output];
    for (size_t b = 0; b < w->B; b++)
        for (size_t c = 0; c < C; c++)
            for (size_t s = 0; s < S; s++) dy[(b * S + s) * C + c] = *d_eps++;
    for (size_t i = u->n_ops; i-- > 0;) {
        if (stopped(w)) return 0;
        backward_op(w, weights, &u->ops[i]);
    }
    return 1;
}
