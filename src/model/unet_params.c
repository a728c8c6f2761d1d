/* unet_params.c - the parameters as data: layouts, initial values, cost. */
#include "plan.h"

#include "dtrak/rng.h"

#include <math.h>

/* Calls per tensor: canonical index of native index i (both within it). */
static size_t canonical_index(const struct unet_param *p, size_t i) {
    if (p->n_dims < 2) return i;
    size_t O = p->dims[0], I = p->dims[1], taps = p->dims[2] * p->dims[3];
    size_t o = i % O, c = i / O % I, tap = i / O / I;
    return (o * I + c) * taps + tap;
}

void unet_to_canonical(const struct unet *u, float *dst, const float *src) {
    for (size_t k = 0; k < u->n_params; k++) {
        const struct unet_param *p = &u->params[k];
        for (size_t i = 0; i < p->count; i++)
            dst[p->offset + canonical_index(p, i)] = src[p->offset + i];
    }
}

void unet_from_canonical(const struct unet *u, float *dst, const float *src) {
    for (size_t k = 0; k < u->n_params; k++) {
        const struct unet_param *p = &u->params[k];
        for (size_t i = 0; i < p->count; i++)
            dst[p->offset + i] = src[p->offset + canonical_index(p, i)];
    }
}

void unet_coordinates(const struct unet *u, uint32_t *coord) {
    for (size_t k = 0; k < u->n_params; k++) {
        const struct unet_param *p = &u->params[k];
        for (size_t i = 0; i < p->count; i++)
            coord[p->offset + i] = (uint32_t)(p->offset + canonical_index(p, i));
    }
}

static void uniform(float *w, size_t n, size_t fan_in, uint64_t seed, size_t param) {
    struct rng r = rng_at(seed, RNG_INIT, (uint32_t)param, 0);
    float bound = 1.0f / sqrtf((float)fan_in);
    for (size_t i = 0; i < n; i++) w[i] = bound * (2.0f * rng_uniform(&r) - 1.0f);
}

void unet_init(const struct unet *u, float *theta, uint64_t seed) {
    for (size_t i = 0; i < u->n_ops; i++) {
        const struct plan_op *op = &u->ops[i];
        if (op->w == NONE) continue;
        const struct unet_param *w = &u->params[op->w], *b = &u->params[op->bias];
        if (op->kind == OP_CONV) {
            size_t fan_in = w->dims[1] * w->dims[2] * w->dims[3];
            uniform(theta + w->offset, w->count, fan_in, seed, (size_t)op->w);
            uniform(theta + b->offset, b->count, fan_in, seed, (size_t)op->bias);
            continue;
        }
        for (size_t j = 0; j < w->count; j++) {
            theta[w->offset + j] = 1;
            theta[b->offset + j] = 0;
        }
    }
}

void unet_cost(const struct unet *u, double *forward, double *backward) {
    double f = 0, g = 0;
    for (size_t i = 0; i < u->n_ops; i++) {
        const struct plan_op *op = &u->ops[i];
        const struct plan_buffer *a = &u->buffers[op->a], *y = &u->buffers[op->y];
        double here = 0;
        if (op->kind == OP_CONV)
            here = (double)(y->H * y->W) * (double)(op->K * op->K) * (double)a->C * (double)y->C;
        if (op->kind == OP_ATTENTION)
            here = 2.0 * (double)(a->H * a->W) * (double)(a->H * a->W) * (double)a->C;
        f += here;
        g += 2 * here - (op->kind == OP_CONV && !a->needs_gradient ? here : 0);
    }
    *forward = f;
    *backward = g;
}
