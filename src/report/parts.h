/* parts.h - pieces of text that several reports are made of; private to report/. */
#ifndef DTRAK_REPORT_PARTS_H
#define DTRAK_REPORT_PARTS_H

#include "dtrak/buf.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stddef.h>

/* text, then blanks up to so many cells.  text is escaped already. */
void report_add_padded(struct buf *b, const char *text, size_t cells);
/* Takes away blanks at the ends of the lines since the byte `from`: the last column of a table
 * may be padded, or empty. */
void report_trim_lines(struct buf *b, size_t from);
/* A field of a CSV line, quoted where it has to be. */
void report_add_csv(struct buf *b, const char *text);

/* "method":..,"loss":..,"checkpoint":..,"timesteps":..,"k":..,"lambda_spec":..,"lambda":.. of a ranking, as report_ranking_json() says. */
void report_add_setting_json(struct buf *b, const struct report_ranking *r);

/* The lines of the places of a ranking, each after `head`; error bars where they are, or columns left empty. */
#define CSV_ERROR_COLUMNS ",se,sign_determined,p_top,rank_low,rank_high"
enum csv_errors { CSV_NO_ERRORS, CSV_ERRORS, CSV_ERRORS_EMPTY };
void report_add_csv_places(struct buf *b, const char *head, const struct report_entry *e, size_t n, enum csv_errors errors);

/* The last checkpoint of the network that drew an item, as store_checkpoints_resolve() takes it; "" where that is the
 * first one. */
enum status report_drawn_by(char name[CHECKPOINT_OPTION], struct store *s, struct item_ref query);

/* The name of an item's label, else its number, else "". */
enum status report_item_label(struct store *s, struct item_ref ref, char *out, size_t size);

#endif
