/* datamodel.c - empirical influence, and ridge regression of outputs on membership. */
#include "dtrak/datamodel.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

const struct datamodel datamodel_published = { { 0.1, 1, 10 }, 3, 0, 5 };
const struct datamodel datamodel_default = { { 0.1, 1, 10 }, 3, 1, 0 };

static enum status outputs_check(const double *y, size_t M, size_t Q) {
    if (M < 2) return fail(ERR_RANGE, "datamodel: %zu retrained models; at least 2 are needed", M);
    for (size_t i = 0; i < M * Q; i++)
        if (!isfinite(y[i]))
            return fail(ERR_NUMERIC, "datamodel: the output of subset model %zu for query %zu is not finite", i / Q, i % Q);
    return OK;
}

enum status datamodel_influence(double *scores, size_t *undecided, const unsigned char *mask, const double *y,
                                size_t M, size_t N, size_t Q) {
    TRY(outputs_check(y, M, Q));
    double *total = mem_array(Q, sizeof *total), *with = mem_array(Q, sizeof *with);
    size_t none = 0;
    if (!total || !with) {
        mem_free(total);
        mem_free(with);
        return fail(ERR_NOMEM, "datamodel: out of memory");
    }
    for (size_t m = 0; m < M; m++)
        for (size_t q = 0; q < Q; q++) total[q] += y[m * Q + q];
    for (size_t n = 0; n < N; n++) {
        size_t in = 0;
        memset(with, 0, Q * sizeof *with);
        for (size_t m = 0; m < M; m++) {
            if (!mask[m * N + n]) continue;
            in++;
            for (size_t q = 0; q < Q; q++) with[q] += y[m * Q + q];
        }
        none += !in || in == M;
        for (size_t q = 0; q < Q; q++)
            scores[q * N + n] = !in || in == M ? 0 : (total[q] - with[q]) / (double)(M - in) - with[q] / (double)in;
    }
    if (undecided) *undecided = none;
    mem_free(total);
    mem_free(with);
    return OK;
}

/* --- ridge --- */

/* The models of one fit, without their means: X [m][N], eigenvectors of X X^T as rows. */
struct fit { size_t m; double *X, *basis, *value, *mean; };

static void fit_free(struct fit *f) {
    mem_free(f->X);
    mem_free(f->basis);
    mem_free(f->value);
    mem_free(f->mean);
}

/* Of the models in use[M]; use NULL: all. */
static enum status fit_init(struct fit *f, const unsigned char *mask, size_t M, size_t N, const unsigned char *use) {
    *f = (struct fit){ 0 };
    for (size_t i = 0; i < M; i++) f->m += !use || use[i];
    f->X = mem_array(f->m, N * sizeof *f->X);
    f->basis = mem_array(f->m, f->m * sizeof *f->basis);
    f->value = mem_array(f->m, sizeof *f->value);
    f->mean = mem_array(N, sizeof *f->mean);
    if (!f->X || !f->basis || !f->value || !f->mean)
        return fail(ERR_NOMEM, "datamodel: out of memory for %zu models of %zu items", M, N);
    size_t row = 0;
    for (size_t i = 0; i < M; i++) {
        if (use && !use[i]) continue;
        for (size_t n = 0; n < N; n++) {
            f->X[row * N + n] = mask[i * N + n] != 0;
            f->mean[n] += f->X[row * N + n];
        }
        row++;
    }
    for (size_t n = 0; n < N; n++) f->mean[n] /= (double)f->m;   /* exactly 0 or 1 where nothing varies */
    for (size_t i = 0; i < f->m * N; i++) f->X[i] -= f->mean[i % N];
    TRY(linalg_syrk_f64(f->m, N, 1, f->X, N, 0, f->basis, f->m));
    return linalg_eigh(f->basis, f->m, f->value);
}

static double strength_of(const struct datamodel *o, size_t i, double trace, size_t m) {
    return o->is_relative ? o->strength[i] * trace / (double)m : o->strength[i];
}

/* dual out [m]: (X X^T + a)^-1 z for z [m], through the basis; also the diagonal of X X^T (X X^T + a)^-1. */
static void solve(const struct fit *f, double a, const double *z, double *dual, double *diagonal) {
    memset(dual, 0, f->m * sizeof *dual);
    if (diagonal) memset(diagonal, 0, f->m * sizeof *diagonal);
    for (size_t e = 0; e < f->m; e++) {
        const double *u = f->basis + e * f->m;
        double L = f->value[e] > 0 ? f->value[e] : 0, c = 0;
        for (size_t i = 0; i < f->m; i++) c += u[i] * z[i];
        for (size_t i = 0; i < f->m; i++) dual[i] += u[i] * c / (L + a);
        for (size_t i = 0; i < f->m && diagonal; i++) diagonal[i] += u[i] * u[i] * L / (L + a);
    }
}

static double centre(double *z, size_t m) {
    double mean = 0;
    for (size_t i = 0; i < m; i++) mean += z[i] / (double)m;
    for (size_t i = 0; i < m; i++) z[i] -= mean;
    return mean;
}

struct work { double *z, *dual, *diagonal, *error, *w; };   /* [M] three times, [count][Q], [N] */

/* Squared errors of every left-out model: its residual is (y - fit) / (1 - leverage),
 * where the intercept's leverage is 1 / M.  The residual of a ridge fit is a times the dual. */
static void errors_one_by_one(struct work *w, const struct datamodel *o, const struct fit *f, const double *y, size_t Q,
                              double trace) {
    for (size_t s = 0; s < o->count; s++)
        for (size_t q = 0; q < Q; q++) {
            double a = strength_of(o, s, trace, f->m), sum = 0;
            for (size_t i = 0; i < f->m; i++) w->z[i] = y[i * Q + q];
            centre(w->z, f->m);
            solve(f, a, w->z, w->dual, w->diagonal);
            for (size_t i = 0; i < f->m; i++) {
                double e = a * w->dual[i] / (1 - w->diagonal[i] - 1 / (double)f->m);
                sum += e * e;
            }
            w->error[s * Q + q] = sum;
        }
}

/* One fold: fits on the others, adds the squared errors on models lo..hi-1. */
static enum status add_fold(struct work *w, const struct datamodel *o, const unsigned char *mask, const double *y, size_t M,
                            size_t N, size_t Q, size_t lo, size_t hi, unsigned char *use, double trace) {
    struct fit f;
    for (size_t i = 0; i < M; i++) use[i] = i < lo || i >= hi;
    enum status st = fit_init(&f, mask, M, N, use);
    for (size_t s = 0; s < o->count && st == OK; s++)
        for (size_t q = 0; q < Q; q++) {
            size_t row = 0;
            for (size_t i = 0; i < M; i++)
                if (use[i]) w->z[row++] = y[i * Q + q];
            double mean = centre(w->z, f.m);
            solve(&f, strength_of(o, s, trace, M), w->z, w->dual, NULL);
            memset(w->w, 0, N * sizeof *w->w);
            for (size_t i = 0; i < f.m; i++)
                for (size_t n = 0; n < N; n++) w->w[n] += w->dual[i] * f.X[i * N + n];
            for (size_t i = lo; i < hi; i++) {
                double e = y[i * Q + q] - mean;
                for (size_t n = 0; n < N; n++) e -= w->w[n] * ((mask[i * N + n] != 0) - f.mean[n]);
                w->error[s * Q + q] += e * e;
            }
        }
    fit_free(&f);
    return st;
}

static enum status errors_by_folds(struct work *w, const struct datamodel *o, const unsigned char *mask, const double *y,
                                   size_t M, size_t N, size_t Q, double trace) {
    unsigned char *use = mem_array(M, 1);
    if (!use) return fail(ERR_NOMEM, "datamodel: out of memory");
    enum status st = OK;
    /* Consecutive groups, the first M % folds of them one longer, as scikit-learn cuts them. */
    for (size_t fold = 0, lo = 0; fold < o->folds && st == OK; fold++) {
        size_t hi = lo + M / o->folds + (fold < M % o->folds);
        st = add_fold(w, o, mask, y, M, N, Q, lo, hi, use, trace);
        lo = hi;
    }
    mem_free(use);
    return st;
}

static size_t best_strength(const struct work *w, const struct datamodel *o, size_t q, size_t Q) {
    size_t best = 0;
    for (size_t s = 1; s < o->count; s++) {
        double e = w->error[s * Q + q], b = w->error[best * Q + q];
        if (e < b || (e == b && o->strength[s] > o->strength[best])) best = s;
    }
    return best;
}

static enum status options_check(const struct datamodel *o, size_t M) {
    if (!o->count || o->count > DATAMODEL_STRENGTHS) return fail(ERR_RANGE, "datamodel: %zu strengths", o->count);
    for (size_t i = 0; i < o->count; i++)
        if (!(o->strength[i] > 0) || !isfinite(o->strength[i]))
            return fail(ERR_RANGE, "datamodel: strength %g is not a number above 0", o->strength[i]);
    if (o->folds == 1 || o->folds > M)
        return fail(ERR_RANGE, "datamodel: %zu folds of %zu models; 2 to %zu, or 0 to leave one out", o->folds, M, M);
    if (M < 3) return fail(ERR_RANGE, "datamodel: %zu retrained models; at least 3 are needed to leave one out", M);
    return OK;
}

/* A fit of all models with a strength for each query. */
struct ridge_fit { struct fit all; struct work w; size_t *chosen; double trace; };   /* chosen [Q] */

static void ridge_fit_free(struct ridge_fit *r) {
    fit_free(&r->all);
    mem_free(r->w.z);
    mem_free(r->w.dual);
    mem_free(r->w.diagonal);
    mem_free(r->w.error);
    mem_free(r->w.w);
    mem_free(r->chosen);
}

/* Freed by the caller whatever comes back. */
static enum status ridge_fit_init(struct ridge_fit *r, const struct datamodel *o, const unsigned char *mask, const double *y,
                                  size_t M, size_t N, size_t Q) {
    *r = (struct ridge_fit){ 0 };
    TRY(outputs_check(y, M, Q));
    TRY(options_check(o, M));
    r->w = (struct work){ mem_array(M, sizeof(double)), mem_array(M, sizeof(double)), mem_array(M, sizeof(double)),
                          mem_array(o->count * Q, sizeof(double)), mem_array(N, sizeof(double)) };
    r->chosen = mem_array(Q, sizeof *r->chosen);
    if (!r->w.z || !r->w.dual || !r->w.diagonal || !r->w.error || !r->w.w || !r->chosen)
        return fail(ERR_NOMEM, "datamodel: out of memory");
    TRY(fit_init(&r->all, mask, M, N, NULL));
    for (size_t i = 0; i < M * N; i++) r->trace += r->all.X[i] * r->all.X[i];
    if (!(r->trace > 0)) return fail(ERR_NUMERIC, "datamodel: all %zu subsets are the same", M);
    if (o->folds) TRY(errors_by_folds(&r->w, o, mask, y, M, N, Q, r->trace));
    else errors_one_by_one(&r->w, o, &r->all, y, Q, r->trace);
    for (size_t q = 0; q < Q; q++) r->chosen[q] = best_strength(&r->w, o, q, Q);
    return OK;
}

/* r->w.dual [M] of a query: its weights are X^T dual. */
static void ridge_dual(struct ridge_fit *r, const struct datamodel *o, const double *y, size_t M, size_t Q, size_t q) {
    for (size_t i = 0; i < M; i++) r->w.z[i] = y[i * Q + q];
    centre(r->w.z, M);
    solve(&r->all, strength_of(o, r->chosen[q], r->trace, M), r->w.z, r->w.dual, NULL);
}

enum status datamodel_ridge(double *scores, size_t *chosen, const struct datamodel *o, const unsigned char *mask,
                            const double *y, size_t M, size_t N, size_t Q) {
    struct ridge_fit r;
    enum status st;
    TRY_TO(ridge_fit_init(&r, o, mask, y, M, N, Q));
    for (size_t q = 0; q < Q; q++) {
        if (chosen) chosen[q] = r.chosen[q];
        ridge_dual(&r, o, y, M, Q, q);
        TRY_TO(linalg_gemm_f64(0, 0, 1, N, M, -1.0, r.w.dual, M, r.all.X, N, 0.0, scores + q * N, N));
    }
done:
    ridge_fit_free(&r);
    return st;
}

/* --- predictions for other subsets --- */

/* cross out [K][M]: of each mask with each row of X [M][N]. */
static enum status products(double *cross, const unsigned char *mask, size_t K, const double *X, size_t M, size_t N) {
    double *row = mem_array(N, sizeof *row);
    enum status st = row ? OK : fail(ERR_NOMEM, "datamodel: out of memory");
    for (size_t k = 0; k < K && st == OK; k++) {
        for (size_t n = 0; n < N; n++) row[n] = mask[k * N + n] != 0;
        st = linalg_gemm_f64(0, 1, 1, M, N, 1.0, row, N, X, N, 0.0, cross + k * M, M);
    }
    mem_free(row);
    return st;
}

/* out [M][N]: the score of item n is the sum over models of their outputs times these. */
static void influence_weights(double *out, const unsigned char *mask, size_t M, size_t N) {
    for (size_t n = 0; n < N; n++) {
        size_t in = 0;
        for (size_t m = 0; m < M; m++) in += mask[m * N + n] != 0;
        for (size_t m = 0; m < M; m++)
            out[m * N + n] = !in || in == M ? 0 : mask[m * N + n] ? -1 / (double)in : 1 / (double)(M - in);
    }
}

static enum status predict_influence(double *p, double *cross, const unsigned char *mask, const double *y, size_t M,
                                     const unsigned char *other, size_t K, size_t N, size_t Q) {
    double *X = mem_array(M, N * sizeof *X);
    if (!X) return fail(ERR_NOMEM, "datamodel: out of memory");
    influence_weights(X, mask, M, N);
    enum status st = products(cross, other, K, X, M, N);
    if (st == OK) st = linalg_gemm_f64(1, 1, Q, K, M, -1.0, y, Q, cross, M, 0.0, p, K);
    mem_free(X);
    return st;
}

static enum status predict_ridge(double *p, double *cross, const struct datamodel *o, const unsigned char *mask,
                                 const double *y, size_t M, const unsigned char *other, size_t K, size_t N, size_t Q) {
    struct ridge_fit r;
    enum status st;
    TRY_TO(ridge_fit_init(&r, o, mask, y, M, N, Q));
    TRY_TO(products(cross, other, K, r.all.X, M, N));
    for (size_t q = 0; q < Q; q++) {
        ridge_dual(&r, o, y, M, Q, q);
        TRY_TO(linalg_gemm_f64(0, 1, 1, K, M, 1.0, r.w.dual, M, cross, M, 0.0, p + q * K, K));
    }
done:
    ridge_fit_free(&r);
    return st;
}

enum status datamodel_predict(double *p, const struct datamodel *o, const unsigned char *mask, const double *y, size_t M,
                              const unsigned char *other, size_t K, size_t N, size_t Q) {
    TRY(outputs_check(y, M, Q));
    double *cross = mem_array(K, M * sizeof *cross);
    if (!cross) return fail(ERR_NOMEM, "datamodel: out of memory");
    enum status st = o ? predict_ridge(p, cross, o, mask, y, M, other, K, N, Q)
                       : predict_influence(p, cross, mask, y, M, other, K, N, Q);
    mem_free(cross);
    return st;
}
