/* feature_use.h - what was made of a set of features and is stored: a reason to keep the set's row, which
 * says what its numbers were, when the numbers themselves go. */
#ifndef PIPELINE_FEATURE_USE_H
#define PIPELINE_FEATURE_USE_H

#include "dtrak/store.h"

/* What leverages are kept under, before their lambda: loss, timesteps, k. */
#define LEVERAGE_KEY "%s t%zu k%zu lambda "

/* The whole key.  What is not as `dtrak features` has it by itself is said at the end: features that differ in
 * their seeds have leverages of their own. */
enum { LEVERAGE_KEY_TEXT = 128 };
void feature_leverage_key(char out[LEVERAGE_KEY_TEXT], const struct feature_identity *f, const char *lambda);

struct feature_use { int kernel, basis, scores; };

enum status feature_use_find(struct feature_use *out, struct store *s, const struct feature_set *set);

/* The set goes, and with imported ones of the training items their leverages: others may take its place, and what
 * those are kept under names neither. */
enum status feature_forget(struct store *s, const struct feature_set *set);

/* The numbers came from a file: the set's identity says nothing of them, its params name the file by its
 * checksum. */
int feature_is_imported(const struct feature_set *set);

#endif
