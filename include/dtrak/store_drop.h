/* store_drop.h - taking things out of a database for good.  See store.h. */
#ifndef DTRAK_STORE_DROP_H
#define DTRAK_STORE_DROP_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Takes val or gen items out, with their scores, features, numbers, marks and notes; index is
 * ascending, each once.  The items after them move up, so that numbers stay without gaps, and everything
 * that is kept by item moves with them.  ERR_RANGE for a set of features that stays in files.
 * The caller has seen to it that no measurement is of those items. */
enum status store_items_drop(struct store *s, enum split split, const size_t *index, size_t count);

enum status store_embedding_delete(struct store *s, const char *name, enum split split);   /* fine when there is none */

/* Rounds every row of the set to so many significant bits (9 to 24), under the identity that
 * goes with them; measurements of the set stay. ERR_RANGE when a set like that is there.  Does nothing
 * where it has no more bits. */
enum status store_score_set_round(struct store *s, int64_t id, int bits);

/* Gives space that is free inside the file back.  Not inside a transaction; ERR_DB when
 * somebody else is writing. */
enum status store_compact(struct store *s);

#endif
