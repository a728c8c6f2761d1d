/* near.h - the training items that lie next to an item: by pixels, features or an embedding.
 *
 *   pixels      root mean square of the difference over the pixels, in the project's value range; smallest first
 *   features    cosine of the projected gradients, largest first
 *   embedding   cosine of the rows that the user brought, largest first
 * A training item is not its own neighbour.  Features that were dropped are stood for by their
 * stored kernel.  Nothing is written. */
#ifndef DTRAK_NEAR_H
#define DTRAK_NEAR_H

#include "dtrak/err.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"

#include <stddef.h>

struct near_item { size_t item; double value; };

/* Each writes at most k to out and their number to *n. */
enum status near_by_pixels(struct store *s, struct item_ref item, size_t k, struct near_item *out, size_t *n,
                           const struct progress *p);
/* set is a train feature set, complete or with a kernel. */
enum status near_by_features(struct store *s, const struct feature_set *set, struct item_ref item, size_t k,
                             struct near_item *out, size_t *n, const struct progress *p);
enum status near_by_embedding(struct store *s, const char *name, struct item_ref item, size_t k, struct near_item *out,
                              size_t *n, const struct progress *p);

/* Whether a feature set can be asked: all its rows are there, or its kernel is. */
enum status near_is_ready(struct store *s, const struct feature_set *set, int *ready);

/* The training features that a score set was made of; ERR_MISSING. */
enum status near_features_behind(struct store *s, const struct score_set *set, struct feature_set *out);

#endif
