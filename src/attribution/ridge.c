/* ridge.c - ridge scores in the dual (N x N) and the primal (k x k) form. */
#include "ridge_parts.h"

#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_ROWS 512   /* train rows multiplied at a time in the primal form */

/* Decomposes A[dim][dim], which is taken over on error too. */
static enum status decompose(struct ridge **out, double *A, size_t dim, size_t N, size_t k,
                             const struct progress *p) {
    enum status st = OK;
    struct ridge *r = mem_array(1, sizeof *r);
    double *values = mem_array(dim, sizeof *values);
    if (!r || !values) {
        st = fail(ERR_NOMEM, "ridge: out of memory");
        goto done;
    }
    double trace = 0;
    for (size_t i = 0; i < dim; i++) trace += A[i * dim + i];
    progress_report(p, 0, 1, "eigendecomposition", "");
    TRY_TO(progress_check(p));
    TRY_TO(linalg_eigh(A, dim, values));
    if (!(values[dim - 1] > 0)) {
        st = fail(ERR_NUMERIC, "ridge: all features are zero");
        goto done;
    }
    /* What is below LAPACK's own error is 0; its square root would show in norms. */
    double dust = values[dim - 1] * (double)dim * DBL_EPSILON;
    for (size_t e = 0; e < dim; e++) values[e] = values[e] > dust ? values[e] : 0;
    progress_report(p, 1, 1, "eigendecomposition", "");
    *r = (struct ridge){ .N = N, .k = k, .rank = N < k ? N : k, .dim = dim, .trace = trace };
    r->block = A;
    r->eigenvalues = values;
    r->basis = A + (dim - r->rank) * dim;
    r->kept = values + (dim - r->rank);
    *out = r;
    r = NULL;
    values = NULL;
    A = NULL;
done:
    mem_free(r);
    mem_free(values);
    mem_free(A);
    return st;
}

enum status ridge_new(struct ridge **out, double *A, size_t N, size_t k, const struct progress *p) {
    *out = NULL;
    if (!N) {
        mem_free(A);
        return fail(ERR_RANGE, "ridge: no training items");
    }
    return decompose(out, A, N, N, k ? k : N, p);
}

enum status ridge_new_inner(struct ridge **out, double *A, const struct rows *train, const struct progress *p) {
    *out = NULL;
    TRY(decompose(out, A, train->k, train->n, train->k, p));
    (*out)->primal = 1;
    (*out)->train = *train;
    return OK;
}

/* The square matrix that both forms start from. */
static enum status square_new(double **out, size_t n) {
    *out = n > SIZE_MAX / n ? NULL : mem_array(n * n, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "ridge: out of memory for a matrix of %zu x %zu", n, n);
    return OK;
}

enum status ridge_new_primal(struct ridge **out, const struct rows *train, const struct progress *p) {
    double *A;
    *out = NULL;
    if (!train->n || !train->k) return fail(ERR_RANGE, "ridge: no training features");
    TRY(square_new(&A, train->k));
    enum status st = rows_inner_gram(train, A, 0, p);
    if (st != OK) {
        mem_free(A);
        return st;
    }
    return ridge_new_inner(out, A, train, p);
}

enum status ridge_new_rows(struct ridge **out, const struct rows *train, const struct progress *p) {
    double *A;
    *out = NULL;
    if (train->n > train->k) return ridge_new_primal(out, train, p);
    if (!train->n) return fail(ERR_RANGE, "ridge: no training features");
    TRY(square_new(&A, train->n));
    enum status st = rows_gram(train, A, 0, p);
    if (st != OK) {
        mem_free(A);
        return st;
    }
    return ridge_new(out, A, train->n, train->k, p);
}

enum status ridge_new_basis(struct ridge **out, double *vectors, double *values, size_t rank, int primal,
                            size_t N, size_t k, double trace, const struct rows *train) {
    enum status st = OK;
    struct ridge *r = NULL;
    *out = NULL;
    if (!N || !k || rank != (N < k ? N : k) || (primal && !train)) {
        st = fail(ERR_RANGE, "ridge: a basis of %zu directions for %zu items of %zu features", rank, N, k);
        goto done;
    }
    for (size_t e = 0; e < rank; e++)
        if (!(values[e] >= 0) || !isfinite(values[e]) || (e && values[e] < values[e - 1])) {
            st = fail(ERR_NUMERIC, "ridge: eigenvalue %zu of the stored basis is out of order", e);
            goto done;
        }
    if (!(values[rank - 1] > 0) || !(trace > 0)) {
        st = fail(ERR_NUMERIC, "ridge: all features are zero");
        goto done;
    }
    r = mem_array(1, sizeof *r);
    if (!r) {
        st = fail(ERR_NOMEM, "ridge: out of memory");
        goto done;
    }
    *r = (struct ridge){ .N = N, .k = k, .rank = rank, .dim = primal ? k : N, .trace = trace, .primal = primal,
                         .block = vectors, .basis = vectors, .eigenvalues = values, .kept = values };
    if (primal) r->train = *train;
    vectors = values = NULL;
    *out = r;
done:
    mem_free(vectors);
    mem_free(values);
    return st;
}

void ridge_free(struct ridge *r) {
    if (!r) return;
    mem_free(r->block);
    mem_free(r->eigenvalues);
    mem_free(r);
}

size_t ridge_train_count(const struct ridge *r) { return r->N; }
size_t ridge_feature_count(const struct ridge *r) { return r->k; }
size_t ridge_rank(const struct ridge *r) { return r->rank; }
int ridge_is_primal(const struct ridge *r) { return r->primal; }
double ridge_trace(const struct ridge *r) { return r->trace; }
const double *ridge_eigenvalues(const struct ridge *r) { return r->kept; }

const double *ridge_vectors(const struct ridge *r) { return r->basis; }

size_t ridge_numeric_rank(const struct ridge *r) {
    size_t above = 0;
    for (size_t e = 0; e < r->rank; e++) above += r->kept[e] > 0;
    return above;
}

double ridge_effective_dimension(const struct ridge *r, double lambda_abs) {
    return lambda_effective_dimension(r->kept, r->rank, lambda_abs);
}

double ridge_condition(const struct ridge *r, double lambda_abs) {
    double smallest = r->rank < r->dim ? 0 : r->kept[0];
    return (r->kept[r->rank - 1] + lambda_abs) / (smallest + lambda_abs);
}

enum status ridge_query_from_cross(const struct ridge *r, const double *cross, size_t M, double *coords) {
    if (r->primal)
        return fail(ERR_RANGE, "ridge: the primal form (%zu items, %zu features) takes query features, not a cross Gram",
                    r->N, r->k);
    return linalg_gemm_f64(0, 1, M, r->rank, r->N, 1.0, cross, r->N, r->basis, r->N, 0.0, coords, r->rank);
}

void ridge_widen(double *out, const float *in, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = (double)in[i];
}

/* coords[M][rank] of rows given by features, primal form; scratch is [M][k]. */
static enum status rotate(const struct ridge *r, const float *features, size_t M, double *scratch, double *coords) {
    ridge_widen(scratch, features, M * r->k);
    return linalg_gemm_f64(0, 1, M, r->rank, r->k, 1.0, scratch, r->k, r->basis, r->k, 0.0, coords, r->rank);
}

enum status ridge_query_from_features(const struct ridge *r, const float *features, size_t M, double *coords) {
    if (!r->primal)
        return fail(ERR_RANGE, "ridge: the dual form (%zu items, %zu features) takes a cross Gram, not query features",
                    r->N, r->k);
    double *wide = mem_array(M * r->k, sizeof *wide);
    if (!wide) return fail(ERR_NOMEM, "ridge: out of memory for %zu queries", M);
    enum status st = rotate(r, features, M, wide, coords);
    mem_free(wide);
    return st;
}

enum status ridge_query_rows(const struct ridge *r, const struct rows *train, const float *features,
                             size_t M, double *coords, const struct progress *p) {
    if (r->primal) return ridge_query_from_features(r, features, M, coords);
    double *cross = mem_array(M * r->N, sizeof *cross);
    if (!cross) return fail(ERR_NOMEM, "ridge: out of memory for %zu queries", M);
    enum status st = rows_cross(train, features, M, cross, 0, p);
    if (st == OK) st = ridge_query_from_cross(r, cross, M, coords);
    mem_free(cross);
    return st;
}

enum status ridge_query_train(const struct ridge *r, size_t n, double *coords) {
    if (n >= r->N) return fail(ERR_RANGE, "ridge: training item %zu of %zu", n, r->N);
    if (!r->primal) {
        for (size_t e = 0; e < r->rank; e++) coords[e] = r->kept[e] * r->basis[e * r->N + n];
        return OK;
    }
    float *row = mem_array(r->k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "ridge: out of memory");
    enum status st = r->train.read(r->train.ctx, n, 1, row);
    if (st == OK) st = ridge_query_from_features(r, row, 1, coords);
    mem_free(row);
    return st;
}

/* What the primal form needs to walk over its train rows. */
struct walk { float *rows; double *wide; };

static void walk_free(struct walk *w) {
    mem_free(w->rows);
    mem_free(w->wide);
}

static enum status walk_init(struct walk *w, const struct ridge *r) {
    size_t b = r->N < BLOCK_ROWS ? r->N : BLOCK_ROWS;
    *w = (struct walk){ mem_array(b * r->k, sizeof *w->rows), mem_array(b * r->k, sizeof *w->wide) };
    if (w->rows && w->wide) return OK;
    walk_free(w);
    return fail(ERR_NOMEM, "ridge: out of memory for a block of %zu rows", b);
}

/* scores = Phi q for q[M][k], streaming Phi. */
static enum status scores_primal(const struct ridge *r, const double *q, size_t M, double *scores) {
    enum status st = OK;
    struct walk w;
    TRY(walk_init(&w, r));
    for (size_t n = 0; n < r->N; n += BLOCK_ROWS) {
        size_t count = r->N - n < BLOCK_ROWS ? r->N - n : BLOCK_ROWS;
        TRY_TO(r->train.read(r->train.ctx, n, count, w.rows));
        ridge_widen(w.wide, w.rows, count * r->k);
        TRY_TO(linalg_gemm_f64(0, 1, M, count, r->k, 1.0, q, r->k, w.wide, r->k, 0.0, scores + n, r->N));
    }
done:
    walk_free(&w);
    return st;
}

enum status ridge_lambda_check(double lambda_abs) {
    if (!(lambda_abs > 0) || !isfinite(lambda_abs))
        return fail(ERR_RANGE, "ridge: lambda %g is not a number above 0", lambda_abs);
    return OK;
}

enum status ridge_scores(const struct ridge *r, const double *coords, size_t M, double lambda_abs, double *scores) {
    enum status st = OK;
    double *q = NULL;
    TRY(ridge_lambda_check(lambda_abs));
    double *shrunk = mem_array(M * r->rank, sizeof *shrunk);
    if (!shrunk) return fail(ERR_NOMEM, "ridge: out of memory for %zu queries", M);
    for (size_t m = 0; m < M; m++)
        for (size_t e = 0; e < r->rank; e++)
            shrunk[m * r->rank + e] = coords[m * r->rank + e] / (r->kept[e] + lambda_abs);
    if (r->primal) {
        q = mem_array(M * r->k, sizeof *q);
        if (!q) {
            st = fail(ERR_NOMEM, "ridge: out of memory for %zu queries", M);
            goto done;
        }
        TRY_TO(linalg_gemm_f64(0, 0, M, r->k, r->rank, 1.0, shrunk, r->rank, r->basis, r->k, 0.0, q, r->k));
        TRY_TO(scores_primal(r, q, M, scores));
    } else {
        TRY_TO(linalg_gemm_f64(0, 0, M, r->N, r->rank, 1.0, shrunk, r->rank, r->basis, r->N, 0.0, scores, r->N));
    }
    for (size_t i = 0; i < M * r->N; i++)
        if (!isfinite(scores[i])) {
            st = fail(ERR_NUMERIC, "ridge: the score of training item %zu is not finite; the query's features are damaged",
                      i % r->N);
            goto done;
        }
done:
    mem_free(q);
    mem_free(shrunk);
    return st;
}
