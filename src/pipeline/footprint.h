/* footprint.h - what a network's passes take of memory and time, for verbs that
 * keep to --memory and say their cost first. */
#ifndef PIPELINE_FOOTPRINT_H
#define PIPELINE_FOOTPRINT_H

#include "dtrak/unet.h"

/* Bytes of a unet_work for `batch` samples, from small ones. */
enum status footprint_work(const struct unet *u, size_t batch, int with_backward, size_t *bytes);

/* How many threads of `each` bytes fit beside `fixed` ones, at most *threads;
 * memory 0: half of what the machine has.  ERR_RANGE when not one does, with what
 * would; hint ("" or "; lower --dims") ends that line. */
enum status footprint_threads(const char *verb, size_t memory, size_t fixed, size_t each, const char *hint,
                              size_t *threads);

/* "1 of 2 threads, which is what the memory allows", or "" when all are used. */
void footprint_note(char *out, size_t size, size_t threads, size_t asked);

/* Seconds of one call of round(): the median of some, after one that warms up.  They
 * take a tenth of what `rounds` calls will, and at most .7 s, but for the least number,
 * two.  round() returns 0 when it was cancelled, which makes this ERR_CANCELLED. */
enum status footprint_time(int (*round)(void *ctx), void *ctx, double rounds, double *seconds);

#endif
