/* csv_ranking.h - rankings as text: a header line with the names query, item (or train)
 * and score, perhaps side (proponent, opponent), then a line for each entry.  Fields may
 * be quoted, with line feeds inside; a byte order mark may come first.
 * Checked against: tests/unit/exchange_test.c. */
#ifndef DTRAK_CSV_RANKING_H
#define DTRAK_CSV_RANKING_H

#include "dtrak/err.h"

#include <stddef.h>

struct csv_entry { size_t query, item, line; float score; int opponent; };

/* What an entry may name: queries as "gen:17" or "17", items as "train:3" or "3". */
struct csv_limits { const char *split; size_t queries, items; };

/* Entries sorted by query, proponents before opponents, best first (of opponents the lowest
 * score), ties by item; for the caller to mem_free().  text ends with a 0 and is cut into
 * pieces.  An item twice on one side of a query, or anywhere with two scores, is ERR_FORMAT;
 * one that is not there ERR_RANGE; messages name the line. */
enum status csv_ranking_read(struct csv_entry **out, size_t *count, char *text, const struct csv_limits *limits, const char *path);

#endif
