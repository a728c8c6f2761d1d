/* by_elimination.h - linear systems solved in float64 by Gaussian elimination: the reference for
 * what is computed with Cholesky factors, eigenvectors and Krylov bases. */
#ifndef TESTS_BY_ELIMINATION_H
#define TESTS_BY_ELIMINATION_H

#include <stddef.h>

/* x [n] = A^-1 b.  A [n][n] and b [n] are read only; x may be b. */
void solve_by_elimination(double *x, const double *A, const double *b, size_t n);

/* x [k] = (Phi^T Phi + lambda I)^-1 g, the score of item n being its product with phi_n.
 * phi: n rows of k numbers, `stride` apart; g [k]. */
void ridge_by_elimination(double *x, const float *phi, size_t n, size_t stride, size_t k, double lambda, const float *g);

/* <a, b>, the sum in float64. */
double dot_product(const float *a, const float *b, size_t k);
/* The same with the result of ridge_by_elimination(). */
double dot_solution(const double *x, const float *phi, size_t k);

#endif
