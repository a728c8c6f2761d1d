/* ridge_diagonals.c - leverages and lengths of all training items at many lambdas.
 *
 * With z_e an item's coordinate in the basis of Phi^T Phi (z_e^2 = L_e u_ne^2 in
 * the dual form), every diagonal is a sum over e of z_e^2 times a weight that only
 * depends on lambda: one product of the squares with a table of weights. */
#include "ridge_parts.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>

enum { BLOCK = 512 };   /* training items at a time */

struct diagonals {
    const struct ridge *r;
    size_t L, W;             /* lambdas; rows of weight: L for h, L for relative, 1 for the norm */
    double *weight;          /* [W][rank] */
    double *sum;             /* [W][BLOCK] */
    double *square;          /* dual [rank][BLOCK], primal [BLOCK][rank] */
    float *rows;             /* primal: [BLOCK][k] */
    double *wide;            /* primal: [BLOCK][k] */
    double *leverage, *relative, *norm;
};

static void diagonals_free(struct diagonals *d) {
    mem_free(d->weight);
    mem_free(d->sum);
    mem_free(d->square);
    mem_free(d->rows);
    mem_free(d->wide);
}

static enum status diagonals_init(struct diagonals *d, const double *lambda) {
    const struct ridge *r = d->r;
    d->W = 2 * d->L + 1;
    d->weight = mem_array(d->W * r->rank, sizeof *d->weight);
    d->sum = mem_array(d->W * BLOCK, sizeof *d->sum);
    d->square = mem_array(BLOCK * r->rank, sizeof *d->square);
    d->rows = r->primal ? mem_array(BLOCK * r->k, sizeof *d->rows) : NULL;
    d->wide = r->primal ? mem_array(BLOCK * r->k, sizeof *d->wide) : NULL;
    if (!d->weight || !d->sum || !d->square || (r->primal && (!d->rows || !d->wide)))
        return fail(ERR_NOMEM, "ridge: out of memory for the diagonals at %zu lambdas", d->L);
    for (size_t e = 0; e < r->rank; e++) {
        for (size_t l = 0; l < d->L; l++) {
            double gap = r->kept[e] + lambda[l];
            d->weight[l * r->rank + e] = 1 / gap;
            d->weight[(d->L + l) * r->rank + e] = 1 / (gap * gap);
        }
        d->weight[2 * d->L * r->rank + e] = 1;
    }
    return OK;
}

/* sum[W][count] of the items from n on. */
static enum status sums_dual(struct diagonals *d, size_t n, size_t count) {
    const struct ridge *r = d->r;
    for (size_t e = 0; e < r->rank; e++)
        for (size_t i = 0; i < count; i++) {
            double u = r->basis[e * r->N + n + i];
            d->square[e * count + i] = r->kept[e] * u * u;
        }
    return linalg_gemm_f64(0, 0, d->W, count, r->rank, 1.0, d->weight, r->rank, d->square, count, 0.0, d->sum, count);
}

static enum status sums_primal(struct diagonals *d, size_t n, size_t count) {
    const struct ridge *r = d->r;
    TRY(r->train.read(r->train.ctx, n, count, d->rows));
    ridge_widen(d->wide, d->rows, count * r->k);
    TRY(linalg_gemm_f64(0, 1, count, r->rank, r->k, 1.0, d->wide, r->k, r->basis, r->k, 0.0, d->square, r->rank));
    for (size_t i = 0; i < count * r->rank; i++) d->square[i] *= d->square[i];
    return linalg_gemm_f64(0, 1, d->W, count, r->rank, 1.0, d->weight, r->rank, d->square, r->rank, 0.0, d->sum, count);
}

static void put(const struct diagonals *d, size_t n, size_t count) {
    size_t N = d->r->N;
    for (size_t l = 0; l < d->L; l++)
        for (size_t i = 0; i < count; i++) {
            double h = d->sum[l * count + i], relative = d->sum[(d->L + l) * count + i];
            /* Mathematically below 1; rounding must not break a caller that divides by 1 - h. */
            if (d->leverage) d->leverage[l * N + n + i] = h < 1 ? h : nextafter(1, 0);
            if (d->relative) d->relative[l * N + n + i] = sqrt(relative);
        }
    for (size_t i = 0; d->norm && i < count; i++) d->norm[n + i] = sqrt(d->sum[2 * d->L * count + i]);
}

enum status ridge_diagonals_many(const struct ridge *r, const double *lambda_abs, size_t lambdas,
                                 double *leverage, double *relative, double *norm) {
    enum status st = OK;
    struct diagonals d = { .r = r, .L = lambdas, .leverage = leverage, .relative = relative, .norm = norm };
    for (size_t l = 0; l < lambdas; l++) TRY(ridge_lambda_check(lambda_abs[l]));
    TRY_TO(diagonals_init(&d, lambda_abs));
    for (size_t n = 0; n < r->N; n += BLOCK) {
        size_t count = r->N - n < BLOCK ? r->N - n : BLOCK;
        TRY_TO(r->primal ? sums_primal(&d, n, count) : sums_dual(&d, n, count));
        put(&d, n, count);
    }
done:
    diagonals_free(&d);
    return st;
}

enum status ridge_diagonals(const struct ridge *r, double lambda_abs,
                            double *leverage, double *relative, double *norm) {
    return ridge_diagonals_many(r, &lambda_abs, 1, leverage, relative, norm);
}
