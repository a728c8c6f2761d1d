/* tensors.h - named tensors of one or several files, whatever their format.
 *
 * Safetensors and PyTorch checkpoints are told apart by their first bytes; a
 * name that two files have is refused. */
#ifndef DTRAK_TENSORS_H
#define DTRAK_TENSORS_H

#include "dtrak/err.h"
#include "dtrak/safetensors.h"

#include <stddef.h>

struct tensors;
enum status tensors_new(struct tensors **out);
void tensors_free(struct tensors *t);

/* Adds a file's tensors.  bytes are borrowed and must outlive t; name is used in
 * messages.  After an error t can only be freed. */
enum status tensors_add(struct tensors *t, const void *bytes, size_t len, const char *name);
/* The same of a file of at most max bytes, which t keeps. */
enum status tensors_add_file(struct tensors *t, const char *path, size_t max);

size_t tensors_count(const struct tensors *t);
const struct safetensors_entry *tensors_at(const struct tensors *t, size_t i);   /* by name */
const struct safetensors_entry *tensors_find(const struct tensors *t, const char *name);   /* or NULL */

#endif
