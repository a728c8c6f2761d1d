/* feature_use.h - what was made of a set of features and is stored: a reason to keep the set's row, which
 * says what its numbers were, when the numbers themselves go. */
#ifndef PIPELINE_FEATURE_USE_H
#define PIPELINE_FEATURE_USE_H

#include "dtrak/store.h"

struct feature_use { int kernel, basis, scores; };

enum status feature_use_find(struct feature_use *out, struct store *s, const struct feature_set *set);

/* The numbers came from a file: the set's identity says nothing of them, its params name the file by its
 * checksum. */
int feature_is_imported(const struct feature_set *set);

#endif
