/* ranking_missing.h - why there is no ranking, and the commands after which there is one; private to report/. */
#ifndef DTRAK_REPORT_RANKING_MISSING_H
#define DTRAK_REPORT_RANKING_MISSING_H

#include "dtrak/lambda.h"
#include "dtrak/loss.h"
#include "dtrak/method.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

/* The request in the words of the store. */
struct ranking_wanted {
    enum method method;
    enum loss loss;                 /* LOSS_COUNT: none */
    int64_t checkpoint;             /* 0: none, -1: several together */
    size_t named;                   /* checkpoints */
    int64_t over[SCORE_CHECKPOINTS_MAX]; size_t n_over;   /* of several that are named one by one; 0: whichever */
    struct report_ranking *of;      /* its checkpoint's step and names are there */
    char lambda[LAMBDA_TEXT];       /* "": any */
    char sha256[65];
};

/* ERR_MISSING, saying what is not there and which commands make it, or why none can.  others_are_there: other items of
 * the split have scores in this setting. */
enum status ranking_explain_missing(struct store *s, const struct ranking_wanted *w, const struct report_request *r, int others_are_there);

/* ERR_USAGE: several checkpoints are named, and there is no mean of theirs. */
enum status ranking_explain_ensemble(struct store *s, const struct ranking_wanted *w, const struct report_request *r);

#endif
