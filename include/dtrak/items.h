/* items.h - stored images as the network sees them, and networks as stored.
 *
 * The one place that knows how bytes become numbers: byte 0 is the project's
 * value_low, byte 255 its value_high, channels first; with patch 2 pixels are
 * rearranged to [C*4][H/2][W/2], channel c*4 + dy*2 + dx holding the pixels
 * (2i + dy, 2j + dx) of colour c (space to depth). */
#ifndef DTRAK_ITEMS_H
#define DTRAK_ITEMS_H

#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "dtrak/unet.h"

#include <stddef.h>

/* out: channels * height * width floats of one image of the project's geometry. */
enum status items_to_network(float *out, const struct image *im, const struct project *p);
/* The inverse: rounds to bytes, clamped to the value range.  im is new. */
enum status items_from_network(struct image *im, const float *x, const struct project *p);

/* The stored image of an item, decoded to so many channels; out is new, zeroed on errors. */
enum status items_image(struct image *out, struct store *s, struct item_ref ref, size_t channels);

/* Items [first, first + count) of a split, each as above, decoded from their
 * stored bytes; out [count][channels * height * width]. */
enum status items_load(struct store *s, const struct project *p, enum split split, size_t first,
                       size_t count, float *out);

/* Noise of the item at timestep t, n floats ~ N(0, 1): a function of these numbers
 * alone.  draw < 2^15 tells several draws apart. */
void items_noise(float *noise, size_t n, uint64_t seed, enum split split, size_t item, size_t t, size_t draw);
enum { ITEMS_MAX_DRAWS = 1 << 15 };

/* Floats of one image. */
size_t items_floats(const struct project *p);

/* A stored checkpoint, ready to run with the noise schedule it was trained with. */
struct stored_network { struct unet *u; struct unet_weights *weights; struct schedule *schedule; };
enum status stored_network_open(struct stored_network *out, struct store *s,
                                const struct checkpoint *c, int with_backward);
void stored_network_close(struct stored_network *n);   /* fine on a zeroed one */

/* ERR_FORMAT when the network does not take the project's images. */
enum status stored_network_fits(const struct stored_network *n, const struct project *p);

#endif
