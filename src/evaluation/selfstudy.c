/* selfstudy.c - outliers of self-influence and what it correlates with. */
#include "dtrak/selfstudy.h"

#include "dtrak/mem.h"
#include "dtrak/stats.h"

#include <math.h>
#include <stdlib.h>

enum { CORRELATED_MIN = 3 };   /* two items agree or disagree entirely */

struct labelled { double x; uint32_t at; int32_t label; };

static int by_label(const void *a, const void *b) {
    const struct labelled *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int highest_first(const void *a, const void *b) {
    const struct labelled *x = a, *y = b;
    if (x->x != y->x) return x->x > y->x ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static enum status finite_all(const char *what, const double *x, size_t N) {
    for (size_t n = 0; x && n < N; n++)
        if (!isfinite(x[n])) return fail(ERR_NUMERIC, "self-influence: the %s of training item %zu is not finite", what, n);
    return OK;
}

enum status selfstudy_label_share(double *share, size_t *labels, const double *x, const int32_t *label, size_t N) {
    double *rank = mem_array(N, sizeof *rank);
    struct labelled *s = mem_array(N, sizeof *s);
    enum status st = rank && s ? stats_average_ranks(x, N, rank) : fail(ERR_NOMEM, "self-influence: out of memory");
    double middle = ((double)N + 1) / 2, between = 0, total = 0;
    *share = 0;
    *labels = 0;
    if (st == OK) {
        for (size_t n = 0; n < N; n++) {
            s[n] = (struct labelled){ rank[n], (uint32_t)n, label[n] };
            total += (rank[n] - middle) * (rank[n] - middle);
        }
        qsort(s, N, sizeof *s, by_label);
        for (size_t i = 0, j; i < N; i = j) {
            double sum = 0;
            for (j = i; j < N && s[j].label == s[i].label; j++) sum += s[j].x - middle;
            between += sum * sum / (double)(j - i);
            ++*labels;
        }
        if (total > 0) *share = between / total;
    }
    mem_free(rank);
    mem_free(s);
    return st;
}

/* Those above the threshold, highest first. */
static enum status list_outliers(struct selfstudy *out, uint32_t *outlier, const struct selfstudy_input *in) {
    struct labelled *s = mem_array(in->N, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "self-influence: out of memory");
    out->outliers = 0;
    for (size_t n = 0; n < in->N; n++)
        if (in->x[n] > out->threshold) s[out->outliers++] = (struct labelled){ in->x[n], (uint32_t)n, 0 };
    if (out->outliers) qsort(s, out->outliers, sizeof *s, highest_first);
    for (size_t i = 0; outlier && i < out->outliers; i++) outlier[i] = s[i].at;
    mem_free(s);
    return OK;
}

enum status selfstudy_run(struct selfstudy *out, uint32_t *outlier, const struct selfstudy_input *in, double spreads) {
    if (!in->N || in->N > UINT32_MAX) return fail(ERR_RANGE, "self-influence: of %zu items", in->N);
    if (!(spreads >= 0) || !isfinite(spreads)) return fail(ERR_RANGE, "self-influence: a threshold of %g spreads", spreads);
    TRY(finite_all("self-influence", in->x, in->N));
    TRY(finite_all("loss", in->loss, in->N));
    TRY(finite_all("distance", in->distance, in->N));
    *out = (struct selfstudy){ .with_loss = NAN, .with_distance = NAN, .with_label = NAN };
    TRY(stats_median(&out->median, &out->mad, in->x, in->N));
    out->threshold = out->median + spreads * out->mad;
    TRY(list_outliers(out, outlier, in));
    if (in->loss && in->N >= CORRELATED_MIN) TRY(stats_spearman(&out->with_loss, in->x, in->loss, in->N));
    if (in->distance && in->N >= CORRELATED_MIN) TRY(stats_spearman(&out->with_distance, in->x, in->distance, in->N));
    if (in->label) TRY(selfstudy_label_share(&out->with_label, &out->labels, in->x, in->label, in->N));
    return OK;
}
