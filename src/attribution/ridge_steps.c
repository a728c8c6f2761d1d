/* ridge_steps.c - the two operators behind a query's Krylov basis. */
#include "dtrak/ridge_steps.h"

#include "dtrak/krylov.h"
#include "dtrak/mem.h"

struct ridge_steps {
    const float *phi;          /* or NULL: */
    const double *gram;
    size_t N, k;
    struct pool *pool;
    double *scratch;
    struct krylov *basis;
};

static enum status apply(void *ctx, const double *v, double *Bv, double *image) {
    struct ridge_steps *s = ctx;
    if (!s->phi) return linalg_packed_apply(s->gram, s->N, v, Bv);
    linalg_normal_apply(s->phi, s->N, s->k, v, Bv, image, s->scratch, s->pool);
    return OK;
}

void ridge_steps_free(struct ridge_steps *s) {
    if (!s) return;
    krylov_free(s->basis);
    mem_free(s->scratch);
    mem_free(s);
}

static enum status begin(struct ridge_steps **out, const struct ridge_steps *what, const double *start) {
    *out = NULL;
    struct ridge_steps *s = mem_array(1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "lambda steps: out of memory");
    *s = *what;
    struct krylov_operator op = { .dim = s->phi ? s->k : s->N, .images = s->phi ? s->N : 0, .apply = apply, .ctx = s };
    enum status st = OK;
    if (s->phi) s->scratch = mem_array(linalg_normal_scratch(s->pool, s->k), sizeof *s->scratch);
    if (s->phi && !s->scratch) st = fail(ERR_NOMEM, "lambda steps: out of memory");
    if (st == OK) st = krylov_new(&s->basis, &op, start);
    if (st != OK) {
        ridge_steps_free(s);
        return st;
    }
    *out = s;
    return OK;
}

enum status ridge_steps_new(struct ridge_steps **out, const float *phi, size_t N, size_t k, const float *g,
                            struct pool *pool) {
    *out = NULL;
    if (!N || !k) return fail(ERR_RANGE, "lambda steps: %zu items of %zu features", N, k);
    double *start = mem_array(k, sizeof *start);
    if (!start) return fail(ERR_NOMEM, "lambda steps: out of memory");
    for (size_t i = 0; i < k; i++) start[i] = (double)g[i];
    struct ridge_steps what = { .phi = phi, .N = N, .k = k, .pool = pool };
    enum status st = begin(out, &what, start);
    mem_free(start);
    return st;
}

enum status ridge_steps_new_gram(struct ridge_steps **out, const double *gram, size_t N, const double *b) {
    struct ridge_steps what = { .gram = gram, .N = N };
    return begin(out, &what, b);
}

enum status ridge_steps_scores(struct ridge_steps *s, double lambda_abs, double tolerance, size_t most,
                               double *scores, double *error, const struct progress *p) {
    enum status st = krylov_extend(s->basis, lambda_abs, tolerance, most, p);
    if (st == OK) st = krylov_error(s->basis, lambda_abs, error);
    if (st == OK) st = krylov_solve(s->basis, lambda_abs, scores);
    return st;
}

size_t ridge_steps_size(const struct ridge_steps *s) { return krylov_size(s->basis); }

size_t ridge_steps_bytes(const struct ridge_steps *s) {
    /* The basis doubles as it grows. */
    return 2 * krylov_size(s->basis) * (s->N + s->k) * sizeof(double);
}
