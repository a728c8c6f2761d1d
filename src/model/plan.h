/* plan.h - what unet_new() builds: operations over numbered buffers.
 *
 * The builder (unet_build.c) writes it, the walker (unet_run.c) reads it. */
#ifndef DTRAK_MODEL_PLAN_H
#define DTRAK_MODEL_PLAN_H

#include "dtrak/unet.h"

enum { NONE = -1 };

/* Activations of one sample: H x W x C. */
struct plan_buffer { size_t H, W, C; int needs_gradient; };

enum op_kind { OP_CONV, OP_NORM, OP_SILU, OP_ATTENTION, OP_CONCAT, OP_UPSAMPLE, OP_POOL, OP_SCALE };

/* Operands are buffer numbers, NONE when absent.
 *   CONV       y = conv(a; w, b) + add (per channel) + res; of a doubled when flag
 *   NORM       y = norm(a; w, b), then SiLU when flag.  With add = [s | t]
 *              (twice a's channels, one per image) between the two: z (1 + s) + t
 *   SILU       y = silu(a)
 *   ATTENTION  y = attention(a = q, b = k, c = v)
 *   CONCAT     y = a beside b
 *   UPSAMPLE   y = a twice as large
 *   POOL       y = the means of a's squares of 2 x 2
 *   SCALE      y = a / factor */
struct plan_op {
    enum op_kind kind;
    int a, b, c, y, add, res;
    int w, bias;                    /* parameter numbers */
    size_t K, stride, pad;          /* CONV; pad: zeros above and to the left of a */
    size_t heads, groups;
    int flag;
    double factor;                  /* SCALE */
    int add_a, add_b, add_c, add_add, add_res; /* backward adds (1) or overwrites (0) */
    size_t pack;                    /* CONV: floats before its weights in the packed block */
    size_t keep;                    /* NORM, ATTENTION: floats per sample kept for backward, before this one's */
};

struct unet {
    struct unet_config config;
    struct unet_param *params;
    size_t n_params, size;
    struct plan_op *ops;
    size_t n_ops;
    struct plan_buffer *buffers;
    size_t n_buffers;
    int input, time, output;        /* buffers */
    size_t pack, keep, largest_param;      /* floats */
    size_t largest_fold;            /* floats of scratch that conv_pack() wants */
};

struct conv_layer;
struct conv_layer plan_layer(const struct unet *u, const struct plan_op *op, size_t B);

#endif
