/* queries.h - which queries are meant, in words: "gen:0", "gen:3-7", "gen:all", "val:all",
 * "all", several with commas. */
#ifndef DTRAK_QUERIES_H
#define DTRAK_QUERIES_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>

struct query_span {
    unsigned splits;      /* bit per enum split: val, gen or both */
    int all;              /* of them, else one split and: */
    size_t first, last;   /* both included; may be beyond what there is */
};

/* One word between commas.  ERR_USAGE. */
enum status query_span_parse(struct query_span *out, const char *word);

/* picked[split][items]: 1 where the list names an item, NULL where it names none of the
 * split; the caller's to mem_free().  ERR_USAGE for an item that is not there, ERR_MISSING for all of
 * a split that has none. */
enum status queries_pick(unsigned char *picked[SPLIT_COUNT], const size_t items[SPLIT_COUNT], const char *list);

#endif
