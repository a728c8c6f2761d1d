/* label_shares.h - how often each label is among the first places of a ranking, beside how often
 * it is among all training items.
 *
 * A method that only finds the label of the query shows here: its first places have one label,
 * whatever the query looks like.
 * Checked against: tests/unit/label_shares_test.c. */
#ifndef DTRAK_LABEL_SHARES_H
#define DTRAK_LABEL_SHARES_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/store.h"

#include <stddef.h>
#include <stdint.h>

struct label_share { int label; char name[64]; size_t in, all; };   /* items among the places, among all N */

struct label_shares {
    size_t places, N;             /* places 0: there are no shares to speak of */
    struct label_share *share;    /* every label of the training items, the most frequent there first */
    size_t count;
};

enum { LABEL_SHARES_PLACES = 100 };   /* at most */

/* Of how many places of a ranking of N items: a tenth of them, at most 100; 0: fewer than 5. */
size_t label_shares_places(size_t N);

/* item[places] are the items of the places; of_item[N] the label of each training item, -1: none.
 * With fewer than two labels among the training items, or no places, *out is empty.  ERR_NOMEM. */
enum status label_shares_count(struct label_shares *out, const struct label_list *labels, const int *of_item, size_t N,
                               const uint32_t *item, size_t places);
void label_shares_free(struct label_shares *l);   /* fine on a zeroed one */

/* "Ankle boot" or "label 5"; "66% (50%)": among the places, and of all. */
void label_share_name(char *out, size_t size, const struct label_share *s);
void label_share_numbers(char *out, size_t size, const struct label_shares *l, const struct label_share *s);

/* [{"label","name","share","base"},..]; null when empty. */
void label_shares_json(struct buf *b, const struct label_shares *l);

#endif
