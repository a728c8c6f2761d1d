/* network.h - diffusers' files for a UNet2DModel, in and out.
 *
 * config.json to struct unet_config, and weights in safetensors to the
 * engine's native layout.  What a config asks for that the engine does not do
 * is an error that names the field; an unknown field is one too. */
#ifndef DTRAK_NETWORK_H
#define DTRAK_NETWORK_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/unet.h"

#include <stddef.h>

/* name is used in messages. */
enum status network_config_read(struct unet_config *c, const char *json, size_t len, const char *name);
/* Appends config.json as diffusers writes it. */
void network_config_write(struct buf *out, const struct unet_config *c);

/* theta: unet_size(u) floats, native layout.  Every tensor must be there, with
 * its shape and finite values; no other may be. */
enum status network_weights_read(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name);
/* The same tensors under the prefix ("p." in test vectors), others ignored. */
enum status network_weights_pick(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name, const char *prefix);
/* Appends a safetensors file; half writes float16. */
enum status network_weights_write(struct buf *out, const struct unet *u, const float *theta, int half);

#endif
