/* lds_table.h - a report of LDS as text, JSON and CSV; correlations times 100. */
#ifndef DTRAK_LDS_TABLE_H
#define DTRAK_LDS_TABLE_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/lds_report.h"

/* all_lambdas: also rows of stated lambdas, which a sweep stands for otherwise. */
enum status lds_table_text(struct buf *out, const struct lds_report *r, int all_lambdas);
enum status lds_table_json(struct buf *out, const struct lds_report *r);
enum status lds_table_csv(struct buf *out, const struct lds_report *r);

/* Why nothing of this split is compared with the reference that was asked for, in one line without its end; nothing
 * where something is, or none was asked for.  The text form has it. */
void lds_table_no_differences(struct buf *b, const struct lds_report *r, const struct lds_report_split *sp);

#endif
