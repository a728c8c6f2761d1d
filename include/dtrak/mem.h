/* mem.h - every allocation of the program goes through here.
 *
 * Live blocks are counted so that a test can assert that nothing leaked, and
 * the n-th allocation can be made to fail so that every error path is walked.
 * Blocks are freed with mem_free() only, on any thread. */
#ifndef DTRAK_MEM_H
#define DTRAK_MEM_H

#include <stddef.h>

/* count * size zeroed bytes aligned to 64, or NULL when out of memory or when
 * the product overflows.  count = 0 gives a valid block of no use. */
void *mem_array(size_t count, size_t size);

/* A block with the first old_count elements of p kept and the rest zeroed; p
 * may be NULL.  On failure returns NULL and p is still valid. */
void *mem_resize(void *p, size_t old_count, size_t new_count, size_t size);

/* A copy of s (or of its first len bytes, with a 0 added), or NULL. */
char *mem_copy_string(const char *s);
char *mem_copy_bytes(const void *bytes, size_t len);

void mem_free(void *p);   /* NULL is fine */

/* Bytes that this thread has been given since it started, freed or not: a
 * difference says what a call allocated. */
size_t mem_taken(void);

/* Half of the memory that this machine, or the control group we run in, has:
 * what a verb may use when nobody says. */
size_t mem_default_cap(void);

/* Blocks now allocated, over all threads. */
long mem_live(void);

/* The allocation after the next n fails, and all later ones; -1 turns it off. */
void mem_fail_after(long n);

#endif
