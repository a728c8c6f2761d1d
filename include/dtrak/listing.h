/* listing.h - any list of items with some numbers each, written as CSV, JSON, a NumPy array or
 * a contact sheet.
 *
 * For lists that are no ranking of one query: a gallery, items by self-influence, the
 * queries of a training item.  Labels come from the store. */
#ifndef DTRAK_LISTING_H
#define DTRAK_LISTING_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/image.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"

#include <stddef.h>

enum { LISTING_COLUMNS = 4, LISTING_SHEET_MAX = 2000 };

struct listing_row { struct item_ref ref; double value[LISTING_COLUMNS]; };   /* NAN: not known */

struct listing {
    const char *column[LISTING_COLUMNS];   /* names, e.g. "score" */
    size_t columns;                        /* may be 0 */
    struct listing_row *row;
    size_t count;
};

/* count zeroed rows, for the caller to fill in; ERR_NOMEM. */
enum status listing_new(struct listing *out, size_t count);
void listing_free(struct listing *l);   /* fine on a zeroed one */

/* p: how many of the items are done; ERR_CANCELLED when it says so.  NULL is fine.
 *
 * item,label and the columns, with a header line; an unknown number is an empty field. */
enum status listing_csv(struct buf *b, struct store *s, const struct listing *l, const struct progress *p);
/* A list whose columns are score and rank for a query: item,label,query,method,rank,score, the
 * last four empty where the score is not known. */
enum status listing_ranked_csv(struct buf *b, struct store *s, const struct listing *l, const char *query, const char *method,
                               const struct progress *p);
/* {"items":[{"item","label","score",..}]}; null where a number or a label is not known. */
enum status listing_json(struct buf *b, struct store *s, const struct listing *l, const struct progress *p);
/* float32 [n], n the number of items of the split: the first column by an item's index, NaN
 * for what is not listed.  ERR_RANGE: no column, or items of several splits. */
enum status listing_npy(struct buf *b, struct store *s, const struct listing *l);
/* The pictures in order with their names and the first column; ERR_RANGE: none, or more than
 * LISTING_SHEET_MAX. */
enum status listing_sheet(struct image *out, struct store *s, const struct listing *l, const struct progress *p);

#endif
