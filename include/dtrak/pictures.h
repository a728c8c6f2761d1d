/* pictures.h - decoded images of items, made by a thread of their own.
 *
 * The interface asks for what it shows now and gets what is there; the rest is
 * decoded behind its back and announced.  All functions but the callback run
 * on the interface's thread. */
#ifndef DTRAK_PICTURES_H
#define DTRAK_PICTURES_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct pictures;

/* db is opened by the thread, for reading.  cache_bytes of RGBA are kept (0: 64
 * MiB).  on_change(ctx) is called on the thread after the last picture that is asked for,
 * and every hundredth of a second before that; it must be quick and may be NULL. */
enum status pictures_open(struct pictures **out, const char *db, size_t cache_bytes,
                          void (*on_change)(void *ctx), void *ctx);
void pictures_close(struct pictures *p);   /* NULL is fine; waits for the thread */

/* A new frame: what was asked for and has not begun is forgotten, and what the
 * last frame borrowed may go. */
void pictures_begin(struct pictures *p);

/* All of them are read again: the items may be others by now, or what could not be read can
 * be.  What was borrowed is gone.  NULL is fine. */
void pictures_forget(struct pictures *p);

/* 1: *rgba has 4 * width * height bytes, borrowed until the pictures_begin()
 * after the next.  0: not yet, it is asked for.  -1: it cannot be decoded. */
int pictures_get(struct pictures *p, struct item_ref ref, const unsigned char **rgba,
                 size_t *width_px, size_t *height_px);

/* Asks without waiting for a picture that will be shown next. */
void pictures_want(struct pictures *p, struct item_ref ref);

/* Something is asked for and not decoded yet. */
int pictures_busy(struct pictures *p);

/* An item's picture as a number for image boxes, and back.  With SPLIT_COUNT for a split,
 * index is the id of a counterfactual picture. */
uint64_t pictures_key(struct item_ref ref);
struct item_ref pictures_ref(uint64_t key);

#endif
