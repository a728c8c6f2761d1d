/* network.h - diffusers' files for a UNet2DModel, in and out.
 *
 * config.json to struct unet_config, and weights to the engine's native
 * layout.  What a config asks for that the engine does not do is an error that
 * names the field; an unknown field is one too (model_fields.h). */
#ifndef DTRAK_NETWORK_H
#define DTRAK_NETWORK_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/json.h"
#include "dtrak/schedule.h"
#include "dtrak/tensors.h"
#include "dtrak/unet.h"

#include <stddef.h>

/* name is used in messages. */
enum status network_config_read(struct unet_config *c, const char *json, size_t len, const char *name);
/* The same of a parsed object; sample_size (height, width; NULL: none) stands
 * in for one that is null or missing. */
enum status network_config_from(struct unet_config *c, const struct json *root, const size_t sample_size[2],
                                const char *name);
/* Appends config.json as diffusers writes it. */
void network_config_write(struct buf *out, const struct unet_config *c);
/* What only the weights can tell: see unet_config's mid_groups. */
void network_config_settle(struct unet_config *c, const struct tensors *t);

/* theta: unet_size(u) floats, native layout.  Every tensor must be there, with
 * its shape and finite values; no other may be.  Attention weights may have
 * their older names (query, key, value, proj_attn) and the shape of a 1x1
 * convolution.  types, where not NULL, gets each parameter's type in the file. */
enum status network_weights_from(float *theta, enum tensor_type *types, const struct unet *u,
                                 const struct tensors *t, const char *name);
enum status network_weights_read(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name);
/* The same tensors under the prefix ("p." in test vectors), others ignored. */
enum status network_weights_pick(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name, const char *prefix);
/* Appends a safetensors file; half writes float16. */
enum status network_weights_write(struct buf *out, const struct unet *u, const float *theta, int half);
enum status network_weights_write_as(struct buf *out, const struct unet *u, const float *theta,
                                     const enum tensor_type *types);

#endif
