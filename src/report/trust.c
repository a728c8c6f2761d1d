/* trust.c - stored error bars become errors, chances and intervals. */
#include "dtrak/trust.h"

#include "dtrak/errorbars.h"
#include "dtrak/mem.h"
#include "dtrak/store_error.h"

#include <math.h>
#include <string.h>

void trust_free(struct trust *t) {
    mem_free(t->se);
    mem_free(t->p_top);
    mem_free(t->low);
    mem_free(t->high);
    mem_free(t->left);
    *t = (struct trust){ 0 };
}

/* A difference from the score spreads as the score without the block does. */
static enum status add_up(struct trust *t, const struct error_row *row) {
    size_t n = t->n, cells = n * (t->blocks + 1);
    double *wide = mem_array(cells, sizeof *wide);
    if (!wide) return fail(ERR_NOMEM, "error bars: out of memory");
    double *noise = wide + t->blocks * n;
    for (size_t i = 0; i < t->blocks * n; i++) wide[i] = (double)row->left[i];
    if (t->blocks > 1) errorbars_jackknife(noise, wide, t->blocks, n);
    for (size_t i = 0; i < n; i++) t->se[i] = row->projection ? (double)row->projection[i] : 0;
    errorbars_total(t->se, t->blocks > 1 ? noise : NULL, t->se, NULL, n);
    mem_free(wide);
    return OK;
}

enum status trust_load(struct trust *out, struct store *s, const struct score_set *set, size_t query) {
    struct error_set errors;
    struct error_row row;
    *out = (struct trust){ 0 };
    TRY(store_error_set_get(s, set->id, &errors));
    TRY(store_error_get(s, &errors, query, set->n, &row));
    struct trust t = { .n = set->n, .blocks = errors.blocks, .projections = errors.projections, .top = errors.top,
                       .se = mem_array(set->n, sizeof(double)), .p_top = mem_array(set->n, sizeof(double)) };
    enum status st = t.se && t.p_top ? add_up(&t, &row) : fail(ERR_NOMEM, "error bars: out of memory");
    for (size_t i = 0; st == OK && i < t.n; i++) t.p_top[i] = (double)row.in_top[i] / (double)(errors.draws ? errors.draws : 1);
    t.low = row.low;
    t.high = row.high;
    t.left = row.left;
    row.low = row.high = NULL;
    row.left = NULL;
    error_row_free(&row);
    if (st == OK) *out = t;
    else trust_free(&t);
    return st;
}

int trust_is_determined(const struct trust *t, size_t i, double score) {
    return i < t->n && errorbars_sign_is_determined(score, t->se[i]);
}

double trust_sum_se(const struct trust *t, const uint32_t *item, size_t count) {
    double mean = 0, square = 0, B = (double)t->blocks;
    if (t->blocks < 2) return NAN;
    for (int round = 0; round < 2; round++)
        for (size_t b = 0; b < t->blocks; b++) {
            double sum = 0;
            for (size_t i = 0; i < count; i++)
                if (item[i] < t->n) sum += (double)t->left[b * t->n + item[i]];
            if (round) square += (sum - mean) * (sum - mean);
            else mean += sum / B;
        }
    return sqrt((B - 1) / B * square);
}
