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

#endif
