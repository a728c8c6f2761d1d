/* offer.h - what errors offer to be typed: options of commands that do it as they stand. */
#ifndef DTRAK_OFFER_H
#define DTRAK_OFFER_H

#include "dtrak/loss.h"
#include "dtrak/store.h"

#include <stddef.h>

/* Options of `dtrak features` that make sets like f, each with a blank before it: only what is not
 * the default. */
#define OFFER_OPTIONS 256
void offer_options(char out[OFFER_OPTIONS], const struct feature_identity *f, int with_timesteps);

/* "the weights of step 960 were dropped; dtrak merge brings them from a copy that has them"; "" where they are there. */
#define OFFER_WEIGHTS 200
void offer_weights(char out[OFFER_WEIGHTS], const struct checkpoint *c);

/* Features that are missing.  timesteps, k 0: any. */
struct offer_features { const struct checkpoint *checkpoint; enum loss loss; size_t timesteps, k; };

/* Which of those that are there, or were, they shall be like: of the same checkpoint, else of others of its network,
 * then of the same loss; of those such as most are.  Borrowed from l; NULL: there are none. */
const struct feature_set *offer_like(const struct feature_set_list *l, const struct checkpoint_list *c, const struct offer_features *w);

/* Features of training items in the setting that is asked for, of whatever checkpoint. */
int offer_is_of(const struct feature_set *f, const struct offer_features *w);

/* Whether sets of two checkpoints have a mean: they are made alike, in blocks or not. */
int offer_is_alike(const struct feature_set *a, const struct feature_set *b);

/* Of several checkpoints together, which have a mean when theirs are made alike: those that the most of them have,
 * or had.  *like is borrowed from l, NULL: there are none; *alike (may be NULL): how many have them, in rows or a kernel. */
enum status offer_like_several(const struct feature_set **like, size_t *alike, struct store *s, const struct feature_set_list *l,
                               const struct checkpoint_list *several, const struct offer_features *w);

/* " --timesteps 100 --dims 4096": those of `like` (NULL: none), with the timesteps and k that are asked for. */
void offer_features_options(char out[OFFER_OPTIONS], const struct feature_set *like, const struct offer_features *w);

/* The command that makes them: "dtrak features my.db --loss square --checkpoint 9600 --timesteps 100 --dims 4096". */
enum { OFFER_COMMAND = 1024 + CHECKPOINT_OPTION + OFFER_OPTIONS + 64 };
enum status offer_features_command(char out[OFFER_COMMAND], struct store *s, const struct offer_features *w);

/* The same for the items that a set lacks: just as the set was made.  weights: why that cannot be, or "". */
enum status offer_same_features(char out[OFFER_COMMAND], char weights[OFFER_WEIGHTS], struct store *s, const struct feature_set *set);

#endif
