/* combine.c - weighted means of score rows. */
#include "dtrak/combine.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>

enum status combine_init(struct combine *c, size_t count) {
    *c = (struct combine){ .sum = mem_array(count, sizeof *c->sum), .count = count };
    if (!c->sum) return fail(ERR_NOMEM, "scores: out of memory for %zu", count);
    return OK;
}

void combine_free(struct combine *c) {
    mem_free(c->sum);
    *c = (struct combine){ 0 };
}

enum status combine_add(struct combine *c, const double *scores, double weight) {
    if (!(weight > 0) || !isfinite(weight)) return fail(ERR_RANGE, "scores: part %zu has weight %g", c->parts + 1, weight);
    for (size_t i = 0; i < c->count; i++)
        if (!isfinite(scores[i]))
            return fail(ERR_NUMERIC, "scores: part %zu holds a score that is not finite", c->parts + 1);
    for (size_t i = 0; i < c->count; i++) c->sum[i] += weight * scores[i];
    c->weight += weight;
    c->parts++;
    return OK;
}

enum status combine_mean(const struct combine *c, double *out) {
    if (!c->parts) return fail(ERR_MISSING, "scores: a mean of no parts");
    for (size_t i = 0; i < c->count; i++) out[i] = c->sum[i] / c->weight;
    return OK;
}

static void norms(double *out, const float *x, size_t n, size_t dim) {
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < dim; j++) sum += (double)x[i * dim + j] * (double)x[i * dim + j];
        out[i] = sqrt(sum);
    }
}

enum status combine_products(double *cross, double *query_norm, double *train_norm, const float *query, size_t M,
                             const float *train, size_t N, size_t dim) {
    if (query_norm) norms(query_norm, query, M, dim);
    if (train_norm) norms(train_norm, train, N, dim);
    return cross ? linalg_cross_gram(cross, N, query, M, train, N, dim) : OK;
}
