/* unet.h - the network: diffusers' UNet2DModel as a plan over buffers.
 *
 * unet_new() turns a configuration into a list of operations; a unet_work is
 * the memory to run them on up to B samples on one thread.  Any number of
 * works share one unet and one set of packed weights.
 *
 * Two layouts of the parameters.  The *canonical* one is diffusers': tensors
 * in named_parameters() order, conv [out][in][kh][kw], linear [out][in].  The
 * *native* one, in which the engine computes, has the same tensors at the same
 * offsets, with conv as [kh][kw][in][out] and linear as [in][out].
 *
 * Source: diffusers UNet2DModel (structure and names), checked for values and
 * gradients in tests/unit/unet_test.c against tests/vectors. */
#ifndef DTRAK_UNET_H
#define DTRAK_UNET_H

#include "dtrak/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { UNET_MAX_LEVELS = 8 };

/* The names of diffusers' config.json stand beside ours.  No holes between the
 * members: two configs may be compared with memcmp. */
struct unet_config {
    size_t sample_height, sample_width;   /* sample_size: one number, or [height, width] */
    size_t in_channels, out_channels;
    size_t levels, width[UNET_MAX_LEVELS];  /* block_out_channels */
    size_t layers;                    /* layers_per_block */
    size_t groups;                    /* norm_num_groups */
    size_t head_dim;                  /* attention_head_dim; 0 is null: one head */
    size_t downsample_padding;        /* 0 or 1 */
    /* Groups of the norm before the mid block's attention; 0: it has none.
     * attn_norm_num_groups where that is set.  Where it is null: norm_num_groups,
     * but with scale_shift none (diffusers 0.17 and later) or norm_num_groups
     * (0.16 and earlier), which only the weights can tell: they have
     * mid_block.attentions.0.group_norm.weight or not.  0 needs scale_shift. */
    size_t mid_groups;
    double freq_shift, eps;           /* eps: norm_eps */
    double mid_scale;                 /* mid_block_scale_factor */
    unsigned down_attention;          /* bit i: down block i is AttnDownBlock2D */
    unsigned up_attention;            /* bit i: up block i is AttnUpBlock2D */
    int mid_attention;                /* add_attention */
    int scale_shift;                  /* resnet_time_scale_shift is "scale_shift" */
    int center_input;                 /* center_input_sample: 2 x - 1 goes in */
    int flip_sin_to_cos;
    int down_resnet, up_resnet;       /* downsample_type, upsample_type are "resnet" */
};

/* diffusers' defaults for what is not the caller's: 3 channels, two layers,
 * head_dim 8, groups and mid_groups 32, padding 1, flip 1, shift 0, eps 1e-5,
 * mid_scale 1, attention in the middle, the rest 0.  A caller who sets groups
 * sets mid_groups too. */
struct unet_config unet_config_default(void);

/* ERR_RANGE naming the field when no network has that shape.  Refused as diffusers
 * does: a side that is no multiple of 2^(levels - 1) or padding above 1 (a doubled
 * level would not meet its skip), widths that groups do not divide, heads wider
 * than their level, freq_shift where the time embedding divides by 0.  Refused
 * for being out of reach: more than UNET_MAX_LEVELS levels, 1024 pixels a side,
 * 1024 channels, 16 layers. */
enum status unet_config_check(const struct unet_config *c);

struct unet_param {
    char name[96];
    size_t dims[4], n_dims;     /* canonical shape */
    size_t offset, count;       /* in floats, the same in both layouts */
};

struct unet;
enum status unet_new(struct unet **out, const struct unet_config *c);
void unet_free(struct unet *u);
const struct unet_config *unet_get_config(const struct unet *u);
size_t unet_size(const struct unet *u);                    /* p, in floats */
const struct unet_param *unet_params(const struct unet *u, size_t *count);

/* dst and src hold unet_size() floats and are different arrays. */
void unet_to_canonical(const struct unet *u, float *dst, const float *src);
void unet_from_canonical(const struct unet *u, float *dst, const float *src);
/* coord[i] = canonical flat index of native index i. */
void unet_coordinates(const struct unet *u, uint32_t *coord);

/* PyTorch's default initialisation: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), norms 1 and 0. */
void unet_init(const struct unet *u, float *theta, uint64_t seed);

/* Useful multiply-adds of one sample: forward, and backward with all weights. */
void unet_cost(const struct unet *u, double *forward, double *backward);

/* Weights as the kernels want them; repack after every change of theta. */
struct unet_weights;
enum status unet_weights_new(struct unet_weights **out, const struct unet *u, int with_backward);
void unet_weights_pack(struct unet_weights *w, const float *theta /* native */);
/* One of `parts` parts of that, which several threads may do at the same time. */
void unet_weights_pack_part(struct unet_weights *w, const float *theta, size_t part, size_t parts);
void unet_weights_free(struct unet_weights *w);

/* Takes the gradient of one parameter as soon as it is complete, summed over
 * the batch; grad holds count floats in native layout and is the callee's to
 * read until it returns.  Every parameter is handed over exactly once per
 * backward pass, in no promised order. */
struct unet_sink {
    void (*take)(void *ctx, size_t param, const float *grad);
    void *ctx;
};

struct unet_work;
/* cancel may be NULL; when it becomes non-zero a pass stops early. */
enum status unet_work_new(struct unet_work **out, const struct unet *u, size_t max_batch,
                          int with_backward, atomic_int *cancel);
void unet_work_free(struct unet_work *w);

/* eps [B][C][H][W] = network(x [B][C][H][W], t [B]).  Returns 0 when it was
 * cancelled: eps is then unfinished.  Cannot fail otherwise. */
int unet_forward(struct unet_work *w, const struct unet_weights *weights, float *eps,
                 const float *x, const float *t, size_t B);

/* Of the latest forward pass, whose activations stay as they are (several
 * backward passes may follow one forward).  d_eps [B][C][H][W]. */
int unet_backward(struct unet_work *w, const struct unet_weights *weights, const float *d_eps,
                  const struct unet_sink *sink);

/* One of several gradients that differ by a factor for each sample: those of
 * simple and elbo, or of square and l2 (loss_multiple() in loss.h).  Their way
 * down to the activations is the same, so only the last step, to the
 * parameters, is done for each: two cost about three quarters of two passes. */
struct unet_share {
    const float *scale;        /* [B], NULL: all 1 */
    struct unet_sink sink;
    /* Where a weight's gradient is to be formed: as many floats, which take() then
     * gets.  NULL: take() gets a place that is used again. */
    float *(*room)(void *ctx, size_t param);
};

/* shares[i].sink takes sum_b scale_i[b] (gradient of sample b), each parameter
 * exactly once per share.  The bits of one share do not depend on the others. */
int unet_backward_shared(struct unet_work *w, const struct unet_weights *weights, const float *d_eps,
                         const struct unet_share *shares, size_t n_shares);

#endif
