/* unet_build.c - UNet2DModel's structure, written down once.
 *
 * The builder runs down the network in the order in which it computes and
 * names parameters as diffusers does.  named_parameters() has another order
 * (attentions before resnets, up blocks before the middle), so each parameter
 * carries a rank and the list is sorted at the end. */
#include "plan.h"

#include "dtrak/kernels.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPS = 4096, MAX_BUFFERS = 4096, MAX_PARAMS = 4096, MAX_SKIPS = 256 };

struct rank { unsigned key; int at; };

struct builder {
    struct unet *u;
    struct rank rank[MAX_PARAMS];
    unsigned key;                 /* rank of the module being built */
    int skips[MAX_SKIPS];
    size_t n_skips;
    int full;                     /* a limit was met */
};

struct unet_config unet_config_default(void) {
    return (struct unet_config){ .in_channels = 3, .out_channels = 3, .mid_attention = 1,
        .layers = 2, .groups = 32, .mid_groups = 32, .mid_scale = 1, .head_dim = 8, .downsample_padding = 1,
        .flip_sin_to_cos = 1, .eps = 1e-5 };
}

enum status unet_config_check(const struct unet_config *c) {
    if (c->levels < 1 || c->levels > UNET_MAX_LEVELS)
        return fail(ERR_RANGE, "network: %zu levels, expected 1 to %d", c->levels, UNET_MAX_LEVELS);
    if (c->in_channels < 1 || c->in_channels > 1024 || c->out_channels < 1 || c->out_channels > 1024)
        return fail(ERR_RANGE, "network: %zu input and %zu output channels, expected 1 to 1024",
                    c->in_channels, c->out_channels);
    size_t unit = (size_t)1 << (c->levels - 1), H = c->sample_height, W = c->sample_width;
    if (H < 1 || H > 1024 || H % unit || W < 1 || W > 1024 || W % unit)
        return fail(ERR_RANGE, "network: sample size %zu x %zu, expected multiples of %zu (%zu levels halve it "
                    "%zu times) up to 1024", H, W, unit, c->levels, c->levels - 1);
    if (c->layers < 1 || c->layers > 16)
        return fail(ERR_RANGE, "network: %zu layers per block, expected 1 to 16", c->layers);
    if (c->downsample_padding > 1)
        return fail(ERR_RANGE, "network: downsample padding %zu, expected 0 or 1", c->downsample_padding);
    if (!(c->eps > 0) || c->groups < 1)
        return fail(ERR_RANGE, "network: %zu norm groups with eps %g, expected at least 1 and above 0",
                    c->groups, c->eps);
    size_t deepest = c->width[c->levels - 1];
    if (c->mid_attention && (c->mid_groups ? deepest % c->mid_groups != 0 : !c->scale_shift))
        return fail(ERR_RANGE, "network: %zu norm groups for the %zu channels of the middle attention, expected a "
                    "divisor (or none, with scale_shift)", c->mid_groups, deepest);
    if (!isfinite(c->mid_scale) || c->mid_scale == 0)
        return fail(ERR_RANGE, "network: middle scale factor %g, expected a number that is not 0", c->mid_scale);
    for (size_t i = 0; i < c->levels; i++) {
        size_t w = c->width[i];
        if (w < 1 || w > 1024 || w % c->groups)
            return fail(ERR_RANGE, "network: %zu channels at level %zu, expected a multiple of the %zu norm "
                        "groups up to 1024", w, i, c->groups);
        unsigned up = 1u << (c->levels - 1 - i);
        int attends = (c->down_attention >> i & 1) || (c->up_attention & up)
            || (c->mid_attention && i == c->levels - 1);
        if (attends && c->head_dim > w)
            return fail(ERR_RANGE, "network: %zu channels at level %zu, expected at least the head dimension %zu",
                        w, i, c->head_dim);
    }
    size_t half = c->width[0] / 2;
    if (!isfinite(c->freq_shift) || (half && (double)half == c->freq_shift))
        return fail(ERR_RANGE, "network: %zu base channels with frequency shift %g give no time embedding",
                    c->width[0], c->freq_shift);
    return OK;
}

/* --- pieces --- */

static int new_buffer(struct builder *b, size_t H, size_t W, size_t C) {
    struct unet *u = b->u;
    if (u->n_buffers == MAX_BUFFERS) { b->full = 1; return 0; }
    u->buffers[u->n_buffers] = (struct plan_buffer){ H, W, C, 1 };
    return (int)u->n_buffers++;
}

static struct plan_op *new_op(struct builder *b, enum op_kind kind) {
    struct unet *u = b->u;
    if (u->n_ops == MAX_OPS) { b->full = 1; u->n_ops = 0; }
    struct plan_op *op = &u->ops[u->n_ops++];
    *op = (struct plan_op){ .kind = kind, .a = NONE, .b = NONE, .c = NONE, .y = NONE, .add = NONE,
                            .res = NONE, .w = NONE, .bias = NONE, .K = 1, .stride = 1 };
    return op;
}

/* The tensor "<module>.<suffix>"; dims beyond n_dims are 1. */
static int new_param(struct builder *b, const char *module, const char *suffix, size_t n_dims,
                     size_t d0, size_t d1, size_t K) {
    struct unet *u = b->u;
    if (u->n_params == MAX_PARAMS) { b->full = 1; return 0; }
    struct unet_param *p = &u->params[u->n_params];
    snprintf(p->name, sizeof p->name, "%s.%s", module, suffix);
    p->n_dims = n_dims;
    p->dims[0] = d0;
    p->dims[1] = n_dims > 1 ? d1 : 1;
    p->dims[2] = p->dims[3] = n_dims > 2 ? K : 1;
    p->count = p->dims[0] * p->dims[1] * p->dims[2] * p->dims[3];
    b->rank[u->n_params] = (struct rank){ b->key, (int)u->n_params };
    return (int)u->n_params++;
}

static const struct plan_buffer *shape(const struct builder *b, int buffer) {
    return &b->u->buffers[buffer];
}

/* A convolution (n_dims 4) or a linear layer (n_dims 2) without operands. */
static struct plan_op *conv_op(struct builder *b, const char *module, int a, size_t Cout, size_t K,
                               size_t stride, size_t n_dims) {
    struct plan_buffer in = *shape(b, a);
    struct plan_op *op = new_op(b, OP_CONV);
    op->a = a;
    op->K = K;
    op->stride = stride;
    op->w = new_param(b, module, "weight", n_dims, Cout, in.C, K);
    op->bias = new_param(b, module, "bias", 1, Cout, 1, 1);
    op->y = new_buffer(b, in.H / stride, in.W / stride, Cout);
    op->pad = K / 2;
    return op;
}

static int conv3(struct builder *b, const char *module, int a, size_t Cout) {
    return conv_op(b, module, a, Cout, 3, 1, 4)->y;
}

static int linear(struct builder *b, const char *module, int a, size_t Cout) {
    return conv_op(b, module, a, Cout, 1, 1, 2)->y;
}

static struct plan_op *norm_op(struct builder *b, const char *module, int a, size_t groups, int silu) {
    struct plan_buffer in = *shape(b, a);
    struct plan_op *op = new_op(b, OP_NORM);
    op->a = a;
    op->groups = groups;
    op->flag = silu;
    op->w = new_param(b, module, "weight", 1, in.C, 1, 1);
    op->bias = new_param(b, module, "bias", 1, in.C, 1, 1);
    op->y = new_buffer(b, in.H, in.W, in.C);
    return op;
}

static int norm(struct builder *b, const char *module, int a, int silu) {
    return norm_op(b, module, a, b->u->config.groups, silu)->y;
}

/* What changes no channels: SILU, SCALE; UPSAMPLE doubles, POOL halves. */
static struct plan_op *unary(struct builder *b, enum op_kind kind, int a) {
    struct plan_buffer in = *shape(b, a);
    struct plan_op *op = new_op(b, kind);
    op->a = a;
    if (kind == OP_UPSAMPLE) op->y = new_buffer(b, in.H * 2, in.W * 2, in.C);
    else if (kind == OP_POOL) op->y = new_buffer(b, in.H / 2, in.W / 2, in.C);
    else op->y = new_buffer(b, in.H, in.W, in.C);
    return op;
}

static int silu(struct builder *b, int a) { return unary(b, OP_SILU, a)->y; }

/* a / factor; nothing to do for 1, which is what almost every network has. */
static int divided(struct builder *b, int a, double factor) {
    if (factor == 1) return a;
    struct plan_op *op = unary(b, OP_SCALE, a);
    op->factor = factor;
    return op->y;
}

__attribute__((format(printf, 2, 3)))
static const char *named(char out[96], const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, 96, fmt, ap);
    va_end(ap);
    return out;
}

/* Ranks of named_parameters(): section, block, attentions/resnets/samplers, index. */
enum section { IN = 1, TIME, DOWN, UP, MID, NORM_OUT, OUT };
enum part { ATTENTIONS, RESNETS, SAMPLERS };
static void set_rank(struct builder *b, enum section s, size_t block, enum part part, size_t index) {
    b->key = (unsigned)s << 24 | (unsigned)block << 16 | (unsigned)part << 8 | (unsigned)index;
}

static void swap_ops(struct plan_op *a) {
    struct plan_op t = a[0];
    a[0] = a[1];
    a[1] = t;
}

/* sampler: OP_UPSAMPLE or OP_POOL on the way in, in both branches, or NONE. */
static int resnet(struct builder *b, const char *module, int x, int temb, size_t Cout, int sampler, double factor) {
    char name[96];
    struct plan_op *ops = b->u->ops;
    int scale_shift = b->u->config.scale_shift;
    int n1 = norm(b, named(name, "%s.norm1", module), x, 1);
    if (sampler != NONE) {
        n1 = unary(b, (enum op_kind)sampler, n1)->y;
        x = unary(b, (enum op_kind)sampler, x)->y;
    }
    struct plan_op *conv1 = conv_op(b, named(name, "%s.conv1", module), n1, Cout, 3, 1, 4);
    int h = conv1->y;
    int proj = linear(b, named(name, "%s.time_emb_proj", module), temb, scale_shift ? 2 * Cout : Cout);
    if (!scale_shift) {
        /* conv1 adds the projection, which has to run before it. */
        swap_ops(conv1);
        conv1[1].add = proj;
    }
    struct plan_op *norm2 = norm_op(b, named(name, "%s.norm2", module), h, b->u->config.groups, 1);
    if (scale_shift) norm2->add = proj;
    size_t at = b->u->n_ops;
    int y = conv3(b, named(name, "%s.conv2", module), norm2->y, Cout), res = x;
    if (shape(b, x)->C != Cout) {
        res = conv_op(b, named(name, "%s.conv_shortcut", module), x, Cout, 1, 1, 4)->y;
        swap_ops(ops + at++);
    }
    ops[at].res = res;
    return divided(b, y, factor);
}

/* Heads of head_dim channels; channels that make no whole head take no part. */
static int attention(struct builder *b, const char *module, int x, size_t groups, double factor) {
    char name[96];
    size_t C = shape(b, x)->C, d = b->u->config.head_dim ? b->u->config.head_dim : C, inner = C / d * d;
    int z = groups ? norm_op(b, named(name, "%s.group_norm", module), x, groups, 0)->y : x;
    int q = linear(b, named(name, "%s.to_q", module), z, inner);
    int k = linear(b, named(name, "%s.to_k", module), z, inner);
    int v = linear(b, named(name, "%s.to_v", module), z, inner);
    struct plan_buffer in = *shape(b, q);
    struct plan_op *op = new_op(b, OP_ATTENTION);
    op->a = q;
    op->b = k;
    op->c = v;
    op->heads = inner / d;
    int y = op->y = new_buffer(b, in.H, in.W, in.C);
    struct plan_op *out = conv_op(b, named(name, "%s.to_out.0", module), y, C, 1, 1, 2);
    out->res = x;
    return divided(b, out->y, factor);
}

static void push(struct builder *b, int buffer) {
    if (b->n_skips == MAX_SKIPS) { b->full = 1; return; }
    b->skips[b->n_skips++] = buffer;
}

static int down_block(struct builder *b, size_t i, int x, int temb) {
    const struct unet_config *c = &b->u->config;
    char name[96];
    for (size_t j = 0; j < c->layers; j++) {
        set_rank(b, DOWN, i, RESNETS, j);
        x = resnet(b, named(name, "down_blocks.%zu.resnets.%zu", i, j), x, temb, c->width[i], NONE, 1);
        if (c->down_attention >> i & 1) {
            set_rank(b, DOWN, i, ATTENTIONS, j);
            x = attention(b, named(name, "down_blocks.%zu.attentions.%zu", i, j), x, c->groups, 1);
        }
        push(b, x);
    }
    if (i + 1 == c->levels) return x;
    set_rank(b, DOWN, i, SAMPLERS, 0);
    if (c->down_resnet && c->down_attention >> i & 1) {   /* DownBlock2D knows no other than conv */
        x = resnet(b, named(name, "down_blocks.%zu.downsamplers.0", i), x, temb, c->width[i], OP_POOL, 1);
    } else {
        struct plan_op *op = conv_op(b, named(name, "down_blocks.%zu.downsamplers.0.conv", i), x, c->width[i], 3, 2, 4);
        op->pad = c->downsample_padding;   /* padding 0 pads right and bottom only */
        x = op->y;
    }
    push(b, x);
    return x;
}

static int up_block(struct builder *b, size_t i, int x, int temb) {
    const struct unet_config *c = &b->u->config;
    char name[96];
    size_t C = c->width[c->levels - 1 - i];
    for (size_t j = 0; j <= c->layers; j++) {
        int skip = b->n_skips ? b->skips[--b->n_skips] : x;
        struct plan_buffer in = *shape(b, x), with = *shape(b, skip);
        struct plan_op *op = new_op(b, OP_CONCAT);
        op->a = x;
        op->b = skip;
        x = op->y = new_buffer(b, in.H, in.W, in.C + with.C);
        set_rank(b, UP, i, RESNETS, j);
        x = resnet(b, named(name, "up_blocks.%zu.resnets.%zu", i, j), x, temb, C, NONE, 1);
        if (c->up_attention >> i & 1) {
            set_rank(b, UP, i, ATTENTIONS, j);
            x = attention(b, named(name, "up_blocks.%zu.attentions.%zu", i, j), x, c->groups, 1);
        }
    }
    if (i + 1 == c->levels) return x;
    set_rank(b, UP, i, SAMPLERS, 0);
    if (c->up_resnet && c->up_attention >> i & 1)
        return resnet(b, named(name, "up_blocks.%zu.upsamplers.0", i), x, temb, C, OP_UPSAMPLE, 1);
    struct plan_op *op = conv_op(b, named(name, "up_blocks.%zu.upsamplers.0.conv", i), x, C, 3, 1, 4);
    struct plan_buffer *y = &b->u->buffers[op->y];
    op->flag = 1;
    y->H *= 2;
    y->W *= 2;
    return op->y;
}

static void network(struct builder *b) {
    struct unet *u = b->u;
    const struct unet_config *c = &u->config;
    size_t last = c->levels - 1;
    u->input = new_buffer(b, c->sample_height, c->sample_width, c->in_channels);
    u->time = new_buffer(b, 1, 1, c->width[0]);
    u->buffers[u->input].needs_gradient = u->buffers[u->time].needs_gradient = 0;

    set_rank(b, TIME, 0, 0, 0);
    int e = linear(b, "time_embedding.linear_1", u->time, 4 * c->width[0]);
    e = linear(b, "time_embedding.linear_2", silu(b, e), 4 * c->width[0]);
    int temb = silu(b, e);   /* every resnet applies SiLU to it: once is enough */

    set_rank(b, IN, 0, 0, 0);
    int x = conv3(b, "conv_in", u->input, c->width[0]);
    push(b, x);
    for (size_t i = 0; i < c->levels; i++) x = down_block(b, i, x, temb);

    set_rank(b, MID, 0, RESNETS, 0);
    x = resnet(b, "mid_block.resnets.0", x, temb, c->width[last], NONE, c->mid_scale);
    if (c->mid_attention) {
        set_rank(b, MID, 0, ATTENTIONS, 0);
        x = attention(b, "mid_block.attentions.0", x, c->mid_groups, c->mid_scale);
    }
    set_rank(b, MID, 0, RESNETS, 1);
    x = resnet(b, "mid_block.resnets.1", x, temb, c->width[last], NONE, c->mid_scale);

    for (size_t i = 0; i < c->levels; i++) x = up_block(b, i, x, temb);
    set_rank(b, NORM_OUT, 0, 0, 0);
    x = norm(b, "conv_norm_out", x, 1);
    set_rank(b, OUT, 0, 0, 0);
    u->output = conv3(b, "conv_out", x, c->out_channels);
}

/* --- after the walk --- */

static int by_rank(const void *p, const void *q) {
    const struct rank *a = p, *b = q;
    return a->key != b->key ? (a->key < b->key ? -1 : 1) : a->at - b->at;
}

static enum status sort_params(struct builder *b) {
    struct unet *u = b->u;
    struct unet_param *sorted = mem_array(u->n_params, sizeof *sorted);
    int *place = mem_array(u->n_params, sizeof *place);
    if (!sorted || !place) {
        mem_free(sorted);
        mem_free(place);
        return fail(ERR_NOMEM, "network: out of memory");
    }
    qsort(b->rank, u->n_params, sizeof *b->rank, by_rank);
    for (size_t i = 0; i < u->n_params; i++) {
        sorted[i] = u->params[b->rank[i].at];
        sorted[i].offset = u->size;
        u->size += sorted[i].count;
        if (sorted[i].count > u->largest_param) u->largest_param = sorted[i].count;
        place[b->rank[i].at] = (int)i;
    }
    for (size_t i = 0; i < u->n_ops; i++) {
        if (u->ops[i].w != NONE) u->ops[i].w = place[u->ops[i].w];
        if (u->ops[i].bias != NONE) u->ops[i].bias = place[u->ops[i].bias];
    }
    mem_free(u->params);
    mem_free(place);
    u->params = sorted;
    return OK;
}

/* Says of each operand whether backward is the first to write its gradient. */
static int claim(unsigned char *seen, const struct unet *u, int buffer) {
    if (buffer == NONE || !u->buffers[buffer].needs_gradient) return 0;
    int was = seen[buffer];
    seen[buffer] = 1;
    return was;
}

static enum status order_gradients(struct unet *u) {
    unsigned char *seen = mem_array(u->n_buffers, 1);
    if (!seen) return fail(ERR_NOMEM, "network: out of memory");
    for (size_t i = u->n_ops; i-- > 0;) {
        struct plan_op *op = &u->ops[i];
        op->add_res = claim(seen, u, op->res);
        op->add_add = claim(seen, u, op->add);
        op->add_a = claim(seen, u, op->a);
        op->add_b = claim(seen, u, op->b);
        op->add_c = claim(seen, u, op->c);
    }
    mem_free(seen);
    return OK;
}

struct conv_layer plan_layer(const struct unet *u, const struct plan_op *op, size_t B) {
    const struct plan_buffer *a = &u->buffers[op->a], *y = &u->buffers[op->y];
    return (struct conv_layer){ B, a->H, a->W, a->C, y->C, op->K, op->stride, op->pad, op->flag };
}

static void place_weights(struct unet *u) {
    for (size_t i = 0; i < u->n_ops; i++) {
        struct plan_op *op = &u->ops[i];
        const struct plan_buffer *a = &u->buffers[op->a];
        if (op->kind == OP_CONV) {
            struct conv_layer n = plan_layer(u, op, 1);
            size_t scratch = n.upsample ? 16 * n.Cin * n.Cout : 0;
            op->pack = u->pack;
            u->pack += conv_pack_size(&n);
            if (scratch > u->largest_fold) u->largest_fold = scratch;
        }
        op->keep = u->keep;
        if (op->kind == OP_NORM) u->keep += 2 * op->groups;
        if (op->kind == OP_ATTENTION) u->keep += attention_keep(a->H * a->W, op->heads);
    }
}

enum status unet_new(struct unet **out, const struct unet_config *c) {
    enum status st = OK;
    struct builder *b = NULL;
    struct unet *u = NULL;
    *out = NULL;
    TRY(unet_config_check(c));
    b = mem_array(1, sizeof *b);
    u = mem_array(1, sizeof *u);
    if (b && u) {
        b->u = u;
        u->config = *c;
        u->params = mem_array(MAX_PARAMS, sizeof *u->params);
        u->ops = mem_array(MAX_OPS, sizeof *u->ops);
        u->buffers = mem_array(MAX_BUFFERS, sizeof *u->buffers);
    }
    if (!b || !u || !u->params || !u->ops || !u->buffers) {
        st = fail(ERR_NOMEM, "network: out of memory");
        goto done;
    }
    network(b);
    if (b->full) {
        st = fail(ERR_RANGE, "network: more than %d operations or parameters", MAX_OPS);
        goto done;
    }
    TRY_TO(sort_params(b));
    TRY_TO(order_gradients(u));
    place_weights(u);
    *out = u;
    u = NULL;
done:
    mem_free(b);
    unet_free(u);
    return st;
}

void unet_free(struct unet *u) {
    if (!u) return;
    mem_free(u->params);
    mem_free(u->ops);
    mem_free(u->buffers);
    mem_free(u);
}

const struct unet_config *unet_get_config(const struct unet *u) { return &u->config; }
size_t unet_size(const struct unet *u) { return u->size; }
const struct unet_param *unet_params(const struct unet *u, size_t *count) {
    *count = u->n_params;
    return u->params;
}
