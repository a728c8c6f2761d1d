/* krylov.c - Lanczos with full reorthogonalisation, and its answers at any shift. */
#include "dtrak/krylov.h"

#include "dtrak/mem.h"

#include <cblas.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CHECK_EVERY = 8 };   /* vectors between two looks at the bound */

struct krylov {
    struct krylov_operator op;
    double norm;               /* |start| */
    size_t m, room;            /* vectors whose product is known; vectors there is room for */
    double *Q;                 /* [m + 1][dim], unit rows */
    double *image;             /* [m][images] */
    double *alpha, *beta;      /* [m] T's diagonal, and beta[j] between j and j + 1 */
    double scale;              /* of T, for what counts as 0 */
    int complete;              /* the basis holds the exact answer */
};

void krylov_free(struct krylov *k) {
    if (!k) return;
    mem_free(k->Q);
    mem_free(k->image);
    mem_free(k->alpha);
    mem_free(k->beta);
    mem_free(k);
}

static enum status grow_one(double **p, size_t from, size_t to, size_t size) {
    double *more = size && to > SIZE_MAX / size / sizeof **p ? NULL : mem_resize(*p, from * size, to * size, sizeof **p);
    if (!more) return fail(ERR_NOMEM, "Krylov basis: out of memory for %zu vectors of %zu", to, size);
    *p = more;
    return OK;
}

static enum status grow(struct krylov *k) {
    size_t from = k->room, to = from ? 2 * from : 32;
    TRY(grow_one(&k->Q, from ? from + 1 : 0, to + 1, k->op.dim));
    if (k->op.images) TRY(grow_one(&k->image, from, to, k->op.images));
    TRY(grow_one(&k->alpha, from, to, 1));
    TRY(grow_one(&k->beta, from, to, 1));
    k->room = to;
    return OK;
}

enum status krylov_new(struct krylov **out, const struct krylov_operator *op, const double *start) {
    *out = NULL;
    if (!op->dim || op->dim > INT_MAX || op->images > INT_MAX)
        return fail(ERR_RANGE, "Krylov basis: a matrix of %zu rows, images of %zu", op->dim, op->images);
    struct krylov *k = mem_array(1, sizeof *k);
    if (!k) return fail(ERR_NOMEM, "Krylov basis: out of memory");
    k->op = *op;
    k->norm = cblas_dnrm2((blasint)op->dim, start, 1);
    enum status st = isfinite(k->norm) ? grow(k) : fail(ERR_NUMERIC, "Krylov basis: the start is not finite");
    if (st != OK) {
        krylov_free(k);
        return st;
    }
    k->complete = !(k->norm > 0);
    for (size_t i = 0; i < op->dim && !k->complete; i++) k->Q[i] = start[i] / k->norm;
    *out = k;
    return OK;
}

size_t krylov_size(const struct krylov *k) { return k->m; }

/* w loses what the m + 1 vectors of Q have of it; twice is enough (Kahan). */
static void orthogonalise(const struct krylov *k, double *w, double *h) {
    blasint rows = (blasint)(k->m + 1), dim = (blasint)k->op.dim;
    for (int pass = 0; pass < 2; pass++) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, rows, dim, 1, k->Q, dim, w, 1, 0, h, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, rows, dim, -1, k->Q, dim, h, 1, 1, w, 1);
    }
}

static enum status add_vector(struct krylov *k, double *h) {
    size_t d = k->op.dim, m = k->m;
    if (m == k->room) TRY(grow(k));
    double *q = k->Q + m * d, *w = q + d;
    TRY(k->op.apply(k->op.ctx, q, w, k->op.images ? k->image + m * k->op.images : NULL));
    double alpha = cblas_ddot((blasint)d, q, 1, w, 1);
    orthogonalise(k, w, h);
    double beta = cblas_dnrm2((blasint)d, w, 1);
    if (!isfinite(alpha) || !isfinite(beta)) return fail(ERR_NUMERIC, "Krylov basis: a product is not finite");
    k->alpha[m] = alpha;
    k->beta[m] = beta;
    k->scale = fmax(k->scale, fabs(alpha) + beta);
    k->m++;
    if (beta <= 8 * DBL_EPSILON * k->scale || k->m == d) {
        k->beta[m] = 0;
        k->complete = 1;
        return OK;
    }
    for (size_t i = 0; i < d; i++) w[i] /= beta;
    return OK;
}

/* y = (T + lambda)^-1 |start| e_1 by elimination without pivoting: T + lambda is
 * positive definite. */
static enum status coefficients(const struct krylov *k, double lambda, double **out) {
    size_t m = k->m;
    *out = NULL;
    if (!(lambda > 0) || !isfinite(lambda)) return fail(ERR_RANGE, "Krylov basis: a shift of %g is not above 0", lambda);
    double *y = mem_array(2 * m + 1, sizeof *y), *pivot = y + m;
    if (!y) return fail(ERR_NOMEM, "Krylov basis: out of memory");
    for (size_t j = 0; j < m; j++) {
        double below = j ? k->beta[j - 1] : 0;
        /* Rounding may leave T's smallest eigenvalues a shade below 0. */
        pivot[j] = k->alpha[j] + lambda - (j ? below * below / pivot[j - 1] : 0);
        if (!(pivot[j] > 0)) {
            mem_free(y);
            return fail(ERR_NUMERIC, "Krylov basis: lambda %g is lost in rounding beside %g", lambda, k->scale);
        }
        y[j] = j ? -below * y[j - 1] / pivot[j - 1] : k->norm;
    }
    for (size_t j = m; j-- > 0;) y[j] = (y[j] - (j + 1 < m ? k->beta[j] * y[j + 1] : 0)) / pivot[j];
    *out = y;
    return OK;
}

enum status krylov_error(const struct krylov *k, double lambda, double *error) {
    double *y, size = 0;
    size_t m = k->m;
    *error = m || k->complete ? 0 : INFINITY;
    if (k->complete || !m) return OK;
    TRY(coefficients(k, lambda, &y));
    double residual = k->beta[m - 1] * fabs(y[m - 1]);
    /* |Phi x|^2 = y^T T y, |x|^2 = y^T y */
    for (size_t j = 0; j < m; j++)
        size += k->op.images ? k->alpha[j] * y[j] * y[j] + (j + 1 < m ? 2 * k->beta[j] * y[j] * y[j + 1] : 0) : y[j] * y[j];
    *error = residual / (k->op.images ? 2 * sqrt(lambda) : lambda) / sqrt(fmax(size, 0));
    if (!isfinite(*error)) *error = residual > 0 ? INFINITY : 0;
    mem_free(y);
    return OK;
}

enum status krylov_extend(struct krylov *k, double lambda, double tolerance, size_t most, const struct progress *p) {
    enum status st = OK;
    double error;
    TRY(krylov_error(k, lambda, &error));
    if (k->complete || error <= tolerance) return OK;
    double *h = mem_array(most + 1, sizeof *h);
    if (!h) return fail(ERR_NOMEM, "Krylov basis: out of memory");
    while (!k->complete && k->m < most) {
        TRY_TO(progress_check(p));
        TRY_TO(add_vector(k, h));
        if (k->m % CHECK_EVERY && k->m < most) continue;
        TRY_TO(krylov_error(k, lambda, &error));
        progress_report(p, (double)k->m, (double)most, "Krylov basis", "");
        if (error <= tolerance) break;
    }
done:
    mem_free(h);
    return st;
}

enum status krylov_solve(const struct krylov *k, double lambda, double *out) {
    size_t width = k->op.images ? k->op.images : k->op.dim;
    double *y;
    TRY(coefficients(k, lambda, &y));
    if (!k->m) memset(out, 0, width * sizeof *out);
    else
        cblas_dgemv(CblasRowMajor, CblasTrans, (blasint)k->m, (blasint)width, 1, k->op.images ? k->image : k->Q,
                    (blasint)width, y, 1, 0, out, 1);
    mem_free(y);
    return OK;
}

/* --- products --- */

/* The rows are cut into CHUNKS, each with a sum of its own.  Within one, a few rows
 * at a time are widened into the cache and used twice there. */
enum { CHUNKS = 16, WIDE_ROWS = 16 };

struct normal {
    const float *X;
    size_t n, k;
    const double *v;
    double *image, *sums, *wide, *products;
};

size_t linalg_normal_scratch(const struct pool *pool, size_t k) {
    return CHUNKS * k + pool_threads(pool) * WIDE_ROWS * (k + 1);
}

static void normal_chunk(void *ctx, size_t chunk, size_t thread) {
    struct normal *a = ctx;
    size_t k = a->k, first = a->n * chunk / CHUNKS, end = a->n * (chunk + 1) / CHUNKS;
    double *sum = a->sums + chunk * k, *wide = a->wide + thread * WIDE_ROWS * k;
    double *product = a->products + thread * WIDE_ROWS;
    memset(sum, 0, k * sizeof *sum);
    for (size_t i = first; i < end; i += WIDE_ROWS) {
        size_t rows = end - i < WIDE_ROWS ? end - i : WIDE_ROWS;
        const float *x = a->X + i * k;
        for (size_t e = 0; e < rows * k; e++) wide[e] = (double)x[e];
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (blasint)rows, (blasint)k, 1, wide, (blasint)k, a->v, 1, 0, product, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, (blasint)rows, (blasint)k, 1, wide, (blasint)k, product, 1, 1, sum, 1);
        if (a->image) memcpy(a->image + i, product, rows * sizeof *product);
    }
}

void linalg_normal_apply(const float *X, size_t n, size_t k, const double *v, double *Bv, double *image,
                         double *scratch, struct pool *pool) {
    double *wide = scratch + CHUNKS * k;
    struct normal a = { X, n, k, v, image, scratch, wide, wide + pool_threads(pool) * WIDE_ROWS * k };
    pool_run(pool, CHUNKS, normal_chunk, &a);
    memset(Bv, 0, k * sizeof *Bv);
    for (size_t c = 0; c < CHUNKS; c++)
        for (size_t j = 0; j < k; j++) Bv[j] += scratch[c * k + j];
}

enum status linalg_packed_apply(const double *A, size_t n, const double *x, double *y) {
    if (n > INT_MAX) return fail(ERR_RANGE, "packed product: %zu rows are more than BLAS can count", n);
    if (n) cblas_dspmv(CblasRowMajor, CblasUpper, (blasint)n, 1, A, x, 1, 0, y, 1);
    return OK;
}
