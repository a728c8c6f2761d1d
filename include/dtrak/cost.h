/* cost.h - what a verb will cost, said before it starts.
 *
 * A verb that can take long works out its cost from what is missing (resumed
 * work counts only that), timing a few pieces of the real work on all of its
 * threads, hands it to the caller's sink and stops there when the sink asks.
 * Without a sink nothing is timed. */
#ifndef DTRAK_COST_H
#define DTRAK_COST_H

#include <stddef.h>

/* A field that is negative or NAN is not known and not printed.
 *   flop          floating-point operations, a multiply-add counting as two
 *   bytes_disk    by which the database grows, at most
 *   bytes_memory  the largest part of what is allocated at a time
 *   note          "" or a few words more, printed at the end */
struct cost { double flop, seconds, bytes_disk, bytes_memory; char note[96]; };

/* "1.2 TFLOP, about 3 min 10 s, 12 MB on disk, 210 MB of memory"; "nothing to
 * do" when flop and seconds are both 0. */
void cost_format(char *out, size_t size, const struct cost *c);
/* "12 MB", "1.4 GB": powers of ten, two digits below ten, for messages. */
void cost_format_bytes(char *out, size_t size, double bytes);

/* what is the verb ("features").  only: the verb returns OK right after. */
struct cost_sink {
    void (*take)(void *ctx, const char *what, const struct cost *c);
    void *ctx;
    int only;
};

/* Hands *c over; 1 when the verb shall stop here.  sink may be NULL. */
int cost_announce(const struct cost_sink *sink, const char *what, const struct cost *c);

#endif
