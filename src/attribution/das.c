/* das.c - diffusion attribution scores in their exact, probed and one-probe forms. */
#include "dtrak/das.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct das das_derived = { DAS_RESIDUAL_RMS, 1 };
const struct das das_released = { DAS_RESIDUAL_RELEASED, 0 };

static const char *const names[] = { "none", "rms", "released" };

enum status das_parse(struct das *out, const char *text) {
    size_t len = strcspn(text, "+");
    *out = das_derived;
    if (!strcmp(text, "derived")) return OK;
    for (int i = DAS_RESIDUAL_NONE; i <= DAS_RESIDUAL_RELEASED; i++) {
        if (strlen(names[i]) != len || strncmp(text, names[i], len) != 0) continue;
        if (text[len] && strcmp(text + len, "+leverage") != 0) break;
        *out = (struct das){ (enum das_residual)i, text[len] != 0 };
        return OK;
    }
    return fail(ERR_USAGE, "'%s' is not a form of DAS; derived, released, or none, rms, released with or without +leverage",
                text);
}

void das_format(char out[DAS_TEXT], struct das d) {
    if (d.residual == das_derived.residual && d.has_leverage) snprintf(out, DAS_TEXT, "derived");
    else snprintf(out, DAS_TEXT, "%s%s", names[d.residual], d.has_leverage ? "+leverage" : "");
}

enum status das_residuals(double *r, const double *e, size_t N, size_t T, enum das_residual kind) {
    if (!T) return fail(ERR_RANGE, "das: residuals over no timesteps");
    for (size_t n = 0; n < N; n++) {
        double roots = 0, sum = 0;
        for (size_t t = 0; t < T; t++) {
            double v = e[n * T + t];
            if (!(v >= 0) || !isfinite(v))
                return fail(ERR_NUMERIC, "das: the error of training item %zu is %g; it must be a number from 0", n, v);
            roots += sqrt(v);
            sum += v;
        }
        r[n] = roots / (double)T;
        if (kind == DAS_RESIDUAL_NONE) r[n] = 1;
        if (kind == DAS_RESIDUAL_RELEASED) r[n] = sum > 0 ? r[n] / sqrt(sum) : 0;
    }
    return OK;
}

/* 1 / (1 - h_n), or 1. */
static enum status leverage_factor(double *factor, const double *leverage, size_t N) {
    for (size_t n = 0; n < N; n++) {
        double h = leverage ? leverage[n] : 0;
        if (!(h >= 0) || !(h < 1))
            return fail(ERR_NUMERIC, "das: the leverage of training item %zu is %g; it must be in 0..1", n, h);
        factor[n] = 1 / (1 - h);
    }
    return OK;
}

static enum status finite_scores(const double *scores, size_t M, size_t N) {
    for (size_t i = 0; i < M * N; i++)
        if (!isfinite(scores[i])) return fail(ERR_NUMERIC, "das: the score of training item %zu is not finite", i % N);
    return OK;
}

enum status das_signed(double *scores, size_t M, size_t N, const double *r, const double *leverage) {
    double *factor = mem_array(N, sizeof *factor);
    if (!factor) return fail(ERR_NOMEM, "das: out of memory");
    enum status st = leverage_factor(factor, leverage, N);
    if (st == OK)
        for (size_t m = 0; m < M; m++)
            for (size_t n = 0; n < N; n++) scores[m * N + n] *= (r ? r[n] : 1) * factor[n];
    mem_free(factor);
    return st == OK ? finite_scores(scores, M, N) : st;
}

void das_square(double *scores, size_t count) {
    for (size_t i = 0; i < count; i++) scores[i] *= scores[i];
}

/* K = gram + lambda I, in a matrix of its own. */
static enum status ridge_matrix(double **out, const double *gram, size_t k, double lambda_abs) {
    *out = NULL;
    if (!(lambda_abs > 0) || !isfinite(lambda_abs)) return fail(ERR_RANGE, "das: lambda %g is not a number above 0", lambda_abs);
    double *K = mem_array(k, k * sizeof *K);
    if (!K) return fail(ERR_NOMEM, "das: out of memory for a matrix of %zu x %zu", k, k);
    memcpy(K, gram, k * k * sizeof *K);
    for (size_t i = 0; i < k; i++) K[i * k + i] += lambda_abs;
    *out = K;
    return OK;
}

enum status das_probes(double *tau, const double *probes, size_t S, size_t M, const double *psi, size_t N,
                       const double *gram, size_t k, double lambda_abs, const double *leverage) {
    enum status st = OK;
    double *K = NULL, *x = mem_array(N, k * sizeof *x), *s = mem_array(M, N * sizeof *s);
    double *factor = mem_array(N, sizeof *factor);
    if (!S) TRY_TO(fail(ERR_RANGE, "das: no output probes"));
    if (!x || !s || !factor) TRY_TO(fail(ERR_NOMEM, "das: out of memory for %zu items of %zu features", N, k));
    TRY_TO(leverage_factor(factor, leverage, N));
    TRY_TO(ridge_matrix(&K, gram, k, lambda_abs));
    memcpy(x, psi, N * k * sizeof *x);
    TRY_TO(linalg_cholesky_solve(K, k, x, N));
    memset(tau, 0, M * N * sizeof *tau);
    for (size_t p = 0; p < S; p++) {
        TRY_TO(linalg_gemm_f64(0, 1, M, N, k, 1.0, probes + p * M * k, k, x, k, 0.0, s, N));
        for (size_t i = 0; i < M * N; i++) tau[i] += s[i] * s[i] / (double)S;
    }
    for (size_t i = 0; i < M * N; i++) tau[i] *= factor[i % N] * factor[i % N];
    st = finite_scores(tau, M, N);
done:
    mem_free(K);
    mem_free(x);
    mem_free(s);
    mem_free(factor);
    return st;
}

/* x [k] = K^-1 J_n^T (I - H_n)^-1 r_n; kj [D][k] holds rows of J_n K^-1. */
static enum status moved_parameters(double *x, const double *kj, const double *jac_n, const double *r, size_t D, size_t k,
                                    double *block, double *rhs) {
    TRY(linalg_gemm_f64(0, 1, D, D, k, -1.0, kj, k, jac_n, k, 0.0, block, D));
    for (size_t d = 0; d < D; d++) block[d * D + d] += 1;
    memcpy(rhs, r, D * sizeof *rhs);
    TRY(linalg_cholesky_solve(block, D, rhs, 1));   /* I - H_n is positive definite for every lambda > 0 */
    return linalg_gemm_f64(0, 0, 1, k, D, 1.0, rhs, D, kj, k, 0.0, x, k);
}

enum status das_exact(double *tau, double *moved, const double *jac_q, size_t M, const double *jac_n, size_t N,
                      const double *r, size_t D, size_t k, double lambda_abs) {
    enum status st = OK;
    double *K = NULL, *kj = mem_array(N * D, k * sizeof *kj), *x = mem_array(k, sizeof *x);
    double *gram = mem_array(k, k * sizeof *gram), *block = mem_array(D, D * sizeof *block);
    double *rhs = mem_array(D, sizeof *rhs), *v = mem_array(M * D, sizeof *v);
    if (!kj || !x || !gram || !block || !rhs || !v)
        TRY_TO(fail(ERR_NOMEM, "das: out of memory for Jacobians of %zu x %zu", N * D, k));
    TRY_TO(linalg_gemm_f64(1, 0, k, k, N * D, 1.0, jac_n, k, jac_n, k, 0.0, gram, k));
    TRY_TO(ridge_matrix(&K, gram, k, lambda_abs));
    memcpy(kj, jac_n, N * D * k * sizeof *kj);
    TRY_TO(linalg_cholesky_solve(K, k, kj, N * D));
    for (size_t n = 0; n < N; n++) {
        TRY_TO(moved_parameters(x, kj + n * D * k, jac_n + n * D * k, r + n * D, D, k, block, rhs));
        TRY_TO(linalg_gemm_f64(0, 1, M * D, 1, k, 1.0, jac_q, k, x, k, 0.0, v, 1));
        for (size_t m = 0; m < M; m++) {
            double sum = 0;
            for (size_t d = 0; d < D; d++) sum += v[m * D + d] * v[m * D + d];
            tau[m * N + n] = sum;
            if (moved) memcpy(moved + (m * N + n) * D, v + m * D, D * sizeof *v);
        }
    }
    st = finite_scores(tau, M, N);
done:
    mem_free(K);
    mem_free(kj);
    mem_free(x);
    mem_free(gram);
    mem_free(block);
    mem_free(rhs);
    mem_free(v);
    return st;
}
