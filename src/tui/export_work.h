/* export_work.h - what an export needs, taken along so that another thread can write it. */
#ifndef TUI_EXPORT_WORK_H
#define TUI_EXPORT_WORK_H

#include "dtrak/buf.h"
#include "dtrak/lambda.h"
#include "dtrak/listing.h"
#include "dtrak/method.h"
#include "dtrak/progress.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stddef.h>

enum form { FORM_CSV, FORM_JSON, FORM_NPY, FORM_PNG, FORM_HTML, FORMS };

struct export_work {
    char path[1024];
    enum form form;
    enum { EXPORT_RANKING, EXPORT_SCORES, EXPORT_COMPARISON, EXPORT_LISTING, EXPORT_MARKED, EXPORT_SELF, EXPORT_PAGE } what;
    struct buf bytes;                /* what is written, made on the way */
    struct report_comparison pair;   /* RANKING: the first side; their entries lack labels */
    float *score;                    /* SCORES: n of them */
    size_t n;
    struct listing list;             /* LISTING, MARKED: score and rank for */
    char query[32], method[METHOD_DISPLAY];   /* ... this */
    struct report_self self;
    /* PAGE: its strings are below or are constants */
    struct report_request request;
    struct buf queries;
    char step[24], lambda[LAMBDA_TEXT];
};

/* Zeroed, for export_work_free() at any time. */
void export_work_free(struct export_work *w);

/* Makes the bytes and writes them to the path, where nothing may be yet: the whole file or none. */
enum status export_work_run(struct store *s, void *work, const struct progress *p);

#endif
