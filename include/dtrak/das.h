/* das.h - diffusion attribution score: how far the predicted noise itself moves.
 *
 * Leaving item n out and taking one Newton step with the network's output as the model
 * moves the prediction for query q by
 *     J_q K^-1 J_n^T (I - H_n)^-1 r_n,     K = sum_n J_n^T J_n + l I,
 *     H_n = J_n K^-1 J_n^T,                r_n = eps_theta(x_n) - eps,
 * and the score is its squared length, averaged over timesteps and noise.  The forms
 * here, from exact to cheap:
 *
 *   das_exact     Jacobians of all D outputs; for tests and small linear models
 *   das_probes    z ~ N(0, I_D): E (z . v)^2 = ||v||^2.  phi_q^s = P^T grad(z_s . eps_theta(x_q)),
 *                 psi_n = P^T J_n^T r_n = P^T (D / 2) grad L_simple(x_n):
 *                     tau = (1/S) sum_s (phi_q^s . K^-1 psi_n)^2 / (1 - h_n)^2
 *   das_signed,   one fixed probe z = 1 / D, so features of the loss `avg`:
 *   das_square        s = (g K^-1 phi_n) r_n / (1 - h_n),     das = s^2
 *
 * Two recipes for the last, both named:
 *   derived    r_n = mean over t of sqrt(e[n][t]),   divided by 1 - h_n
 *   released   r_n = mean over t of sqrt(e[n][t]) / sqrt(sum_t e[n][t]), in [1/T, 1/sqrt(T)] and nearly
 *              the same for all n;   no leverage.  (The released code's own leverage uses the
 *              diagonal of the query-by-train matrix and cannot run.)
 * with e[n][t] the mean squared error of item n at timestep t.  h_n is ridge_diagonals()'
 * leverage.  The released code also makes every per-timestep gradient a unit vector before the
 * mean: that is a property of the features, not of these functions.
 * Keep the signed value: it can be thresholded and added up, the square is for ranking.
 *
 * Source: arXiv 2410.18639 and its released code (Jinxu-Lin/DAS).
 * Checked against: tests/unit/das_test.c (leave-one-out refits, random probes). */
#ifndef DTRAK_DAS_H
#define DTRAK_DAS_H

#include "dtrak/err.h"

#include <stddef.h>

enum das_residual { DAS_RESIDUAL_NONE, DAS_RESIDUAL_RMS, DAS_RESIDUAL_RELEASED };
struct das { enum das_residual residual; int has_leverage; };

extern const struct das das_derived;    /* { DAS_RESIDUAL_RMS, 1 } */
extern const struct das das_released;   /* { DAS_RESIDUAL_RELEASED, 0 } */

/* "derived", "released", or residual[+leverage]: none rms released; e.g. "none+leverage", "rms".
 * ERR_USAGE else.  das_format writes the form that das_parse reads back. */
#define DAS_TEXT 24
enum status das_parse(struct das *out, const char *text);
void das_format(char out[DAS_TEXT], struct das d);

/* r out [N] from mean squared errors e in [N][T], T > 0.  ERR_NUMERIC, with the item, when an
 * error is negative or not finite.  An item without any error has r = 0. */
enum status das_residuals(double *r, const double *e, size_t N, size_t T, enum das_residual kind);

/* scores in,out [M][N]: g K^-1 phi_n becomes s.  r [N] (NULL: 1), leverage [N] (NULL: none),
 * each < 1.  ERR_NUMERIC when a leverage is not in [0, 1) or a score is not finite. */
enum status das_signed(double *scores, size_t M, size_t N, const double *r, const double *leverage);
/* scores in,out [count]: squared. */
void das_square(double *scores, size_t count);

/* tau out [M][N] from probe features.
 *   probes  in [S][M][k]     psi  in [N][k]
 *   gram    in [k][k], symmetric: Phi^T Phi of the train features that K is made of
 *   leverage   [N] or NULL   lambda_abs > 0
 * ERR_NUMERIC when K is not positive definite. */
enum status das_probes(double *tau, const double *probes, size_t S, size_t M, const double *psi, size_t N,
                       const double *gram, size_t k, double lambda_abs, const double *leverage);

/* tau out [M][N], exact: jac_q [M][D][k], jac_n [N][D][k], r [N][D]; moved [M][N][D] (may be NULL) is the
 * vector whose squared length tau is. */
enum status das_exact(double *tau, double *moved, const double *jac_q, size_t M, const double *jac_n, size_t N,
                      const double *r, size_t D, size_t k, double lambda_abs);

#endif
