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
    if (k->op.most > from && k->op.most < to) to = k->op.most;
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

/* The product of the newest vector stands in the place after it. */
static enum status take_product(struct krylov *k, double *h) {
    size_t d = k->op.dim, m = k->m;
    double *q = k->Q + m * d, *w = q + d, alpha = cblas_ddot((blasint)d, q, 1, w, 1);
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

static enum status add_vector(struct krylov *k, double *h) {
    size_t d = k->op.dim, m = k->m;
    if (m == k->room) TRY(grow(k));
    double *q = k->Q + m * d;
    TRY(k->op.apply(k->op.ctx, q, q + d, k->op.images ? k->image + m * k->op.images : NULL));
    return take_product(k, h);
}

const double *krylov_next(const struct krylov *k) { return k->complete ? NULL : k->Q + k->m * k->op.dim; }

enum status krylov_take(struct krylov *k, const double *Bv, const double *image) {
    size_t d = k->op.dim;
    if (k->complete) return fail(ERR_RANGE, "Krylov basis: it is complete");
    double *h = mem_array(k->m + 1, sizeof *h);
    enum status st = h ? OK : fail(ERR_NOMEM, "Krylov basis: out of memory");
    if (st == OK && k->m == k->room) st = grow(k);
    if (st == OK) {
        memcpy(k->Q + (k->m + 1) * d, Bv, d * sizeof *Bv);
        if (k->op.images) memcpy(k->image + k->m * k->op.images, image, k->op.images * sizeof *image);
        st = take_product(k, h);
    }
    mem_free(h);
    return st;
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
    int for_image = k->op.images || k->op.bound_image;
    /* |Phi x|^2 = y^T T y, |x|^2 = y^T y */
    for (size_t j = 0; j < m; j++)
        size += for_image ? k->alpha[j] * y[j] * y[j] + (j + 1 < m ? 2 * k->beta[j] * y[j] * y[j + 1] : 0) : y[j] * y[j];
    *error = residual / (for_image ? 2 * sqrt(lambda) : lambda) / sqrt(fmax(size, 0));
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

/* First coefficient of (T' + lambda)^-1 e_1, T' being T and, where last is not NULL, one row and
 * column more: beta beside that diagonal number. */
static enum status first_coefficient(const struct krylov *k, double lambda, const double *last, double *out) {
    size_t m = k->m + (last != NULL);
    double pivot = 0;   /* elimination from the end */
    for (size_t j = m; j-- > 0;) {
        double beside = j + 1 < m ? k->beta[j] * k->beta[j] / pivot : 0;
        pivot = (j < k->m ? k->alpha[j] : *last) + lambda - beside;
        if (!(pivot > 0)) return fail(ERR_NUMERIC, "Krylov basis: lambda %g is lost in rounding beside %g", lambda, k->scale);
    }
    *out = 1 / pivot;
    return OK;
}

enum status krylov_quadratic(const struct krylov *k, double lambda, double *low, double *high) {
    double first, radau, pivot = 0;
    *low = *high = 0;
    if (!(lambda > 0)) return fail(ERR_RANGE, "Krylov basis: a shift of %g is not above 0", lambda);
    if (!k->m) return k->complete ? OK : fail(ERR_RANGE, "Krylov basis: it is empty");
    TRY(first_coefficient(k, lambda, NULL, &first));
    *low = *high = k->norm * k->norm * first;
    if (k->complete) return OK;
    /* The number that gives T' the eigenvalue 0: beta^2 [T^-1]_mm. */
    for (size_t j = 0; j < k->m; j++) {
        pivot = k->alpha[j] - (j ? k->beta[j - 1] * k->beta[j - 1] / pivot : 0);
        if (!(pivot > 0)) pivot = DBL_EPSILON * k->scale;
    }
    radau = k->beta[k->m - 1] * k->beta[k->m - 1] / pivot;
    TRY(first_coefficient(k, lambda, &radau, &first));
    *high = fmax(*low, k->norm * k->norm * first);
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

/* The same for several vectors: sums[CHUNKS][M][k], products[WIDE_ROWS][M] of each thread. */
struct many {
    const float *X;
    size_t n, k, M;
    const double *V;
    double *sums, *wide, *products, *out;
};

size_t linalg_wide_products_scratch(const struct pool *pool, size_t k, size_t M) { return pool_threads(pool) * WIDE_ROWS * (k + M); }

size_t linalg_normal_add_scratch(const struct pool *pool, size_t k, size_t M) {
    return CHUNKS * M * k + linalg_wide_products_scratch(pool, k, M);
}

/* BLAS takes one vector faster as one. */
static void many_products(double *product, const double *wide, size_t rows, const struct many *a) {
    blasint n = (blasint)rows, M = (blasint)a->M, k = (blasint)a->k;
    if (M == 1) cblas_dgemv(CblasRowMajor, CblasNoTrans, n, k, 1, wide, k, a->V, 1, 0, product, 1);
    else cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, M, k, 1, wide, k, a->V, k, 0, product, M);
}

static void many_sums(double *sum, const double *product, const double *wide, size_t rows, const struct many *a) {
    blasint n = (blasint)rows, M = (blasint)a->M, k = (blasint)a->k;
    if (M == 1) cblas_dgemv(CblasRowMajor, CblasTrans, n, k, 1, wide, k, product, 1, 1, sum, 1);
    else cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, M, k, n, 1, product, M, wide, k, 1, sum, k);
}

static void many_chunk(void *ctx, size_t chunk, size_t thread) {
    struct many *a = ctx;
    size_t k = a->k, M = a->M, first = a->n * chunk / CHUNKS, end = a->n * (chunk + 1) / CHUNKS;
    double *sum = a->sums ? a->sums + chunk * M * k : NULL, *wide = a->wide + thread * WIDE_ROWS * k;
    double *product = a->products + thread * WIDE_ROWS * M;
    if (sum) memset(sum, 0, M * k * sizeof *sum);
    for (size_t i = first; i < end; i += WIDE_ROWS) {
        size_t rows = end - i < WIDE_ROWS ? end - i : WIDE_ROWS;
        const float *x = a->X + i * k;
        for (size_t e = 0; e < rows * k; e++) wide[e] = (double)x[e];
        many_products(product, wide, rows, a);
        if (a->out) memcpy(a->out + i * M, product, rows * M * sizeof *product);
        if (sum) many_sums(sum, product, wide, rows, a);
    }
}

void linalg_normal_add(const float *X, size_t n, size_t k, const double *V, size_t M, double *B, double *scratch, struct pool *pool) {
    double *wide = scratch + CHUNKS * M * k;
    struct many a = { X, n, k, M, V, scratch, wide, wide + pool_threads(pool) * WIDE_ROWS * k, NULL };
    pool_run(pool, CHUNKS, many_chunk, &a);
    for (size_t c = 0; c < CHUNKS; c++)
        for (size_t j = 0; j < M * k; j++) B[j] += scratch[c * M * k + j];
}

void linalg_wide_products(const float *X, size_t n, size_t k, const double *V, size_t M, double *out, double *scratch,
                          struct pool *pool) {
    struct many a = { X, n, k, M, V, NULL, scratch, scratch + pool_threads(pool) * WIDE_ROWS * k, out };
    pool_run(pool, CHUNKS, many_chunk, &a);
}

enum status linalg_packed_apply(const double *A, size_t n, const double *x, double *y) {
    if (n > INT_MAX) return fail(ERR_RANGE, "packed product: %zu rows are more than BLAS can count", n);
    if (n) cblas_dspmv(CblasRowMajor, CblasUpper, (blasint)n, 1, A, x, 1, 0, y, 1);
    return OK;
}
