/* store_check.h - is a database whole, and what takes its space.  See store.h. */
#ifndef DTRAK_STORE_CHECK_H
#define DTRAK_STORE_CHECK_H

#include "dtrak/err.h"
#include "dtrak/progress.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Reads everything: SQLite's own integrity and foreign keys, every checksum
 * (images, weights, training state, feature blocks, kernels, eigenbases, score rows), rows
 * that point nowhere, gaps in a split, lengths against counts.  report() gets one
 * line per problem that names the row; it may be NULL.  *problems counts
 * them.  OK also when there are problems; other codes when the file could not be
 * opened or read at all. */
enum status store_check(const char *path, void (*report)(void *ctx, const char *line), void *ctx,
                        const struct progress *p, size_t *problems);

/* Bytes of stored content by group, and of the whole file. */
struct store_sizes {
    uint64_t images, checkpoints, train_state, features, kernels, bases, scores, other, file;
};
enum status store_sizes(struct store *s, struct store_sizes *out);

#endif
