/* hostile.h - what every reader of foreign bytes is put through.
 *
 * A subject reads bytes, frees what it got, and returns the reader's status.
 * Copies are made by malloc() with exactly the bytes' length, so that ASan
 * sees a read past the end, and every call must leave no block allocated. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "dtrak/err.h"

#include <stddef.h>

typedef enum status hostile_subject(const unsigned char *bytes, size_t len);

/* Every strict prefix is refused with a reason; the whole is accepted. */
void hostile_prefixes(hostile_subject *f, const void *bytes, size_t len);

/* The n-th allocation fails, for every n, until the reader succeeds; it must
 * take at least `least` allocations to do so. */
void hostile_allocations(hostile_subject *f, const void *bytes, size_t len, long least);

/* count random damages (bits, bytes, numbers, cuts, repeats), always the
 * same ones for a seed: accepted or refused, but never a crash or a leak. */
void hostile_mutations(hostile_subject *f, const void *bytes, size_t len, size_t count,
                       unsigned seed);

/* The file's bytes, to mem_free(); fails the test when it cannot be read. */
unsigned char *hostile_file(size_t *len, const char *path);

#endif
