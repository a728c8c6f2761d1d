/* lambda.h - how strong the ridge is: written, converted, chosen.
 *
 * lambda is relative by default: lambda_abs = lambda * trace(Phi Phi^T) / N, so a
 * value means the same whatever the scale of the features (k, loss, timesteps).
 * Source of the rule behind `auto`: the effective dimension, calibrated on 36
 * published sweeps at a quarter of min(N, k).
 * Checked against: tests/unit/lambda_test.c. */
#ifndef DTRAK_LAMBDA_H
#define DTRAK_LAMBDA_H

#include "dtrak/err.h"

#include <stddef.h>

enum lambda_kind { LAMBDA_RELATIVE, LAMBDA_ABSOLUTE, LAMBDA_AUTO };
struct lambda { enum lambda_kind kind; double value; };   /* value: 0 for auto */

/* "0.05", "abs:500", "auto" (or NULL: auto).  Finite and > 0, else ERR_USAGE. */
enum status lambda_parse(struct lambda *out, const char *text);
/* "0.05,abs:500,auto", or "grid" for all of the grid; NULL: auto.  A value that is
 * there twice counts once.  ERR_USAGE beyond LAMBDA_LIST_MAX, which out has room for. */
#define LAMBDA_LIST_MAX 64
enum status lambda_parse_list(struct lambda *out, size_t *count, const char *text);
/* The same way back: lambda_parse(lambda_format(l)) is l. */
#define LAMBDA_TEXT 32
void lambda_format(char out[LAMBDA_TEXT], struct lambda l);
/* Short for a status line: "0.05", "1.2e3". */
void lambda_format_value(char out[LAMBDA_TEXT], double value);

/* Mean eigenvalue trace / N must be > 0. */
double lambda_to_absolute(double relative, double trace, size_t N);
double lambda_to_relative(double absolute, double trace, size_t N);

/* The grid of relative values: {1,2,5} x 10^e, e = -6..2, ascending. */
#define LAMBDA_GRID_COUNT 27
double lambda_grid(size_t i);
/* The grid's next value above (direction > 0) or below; the end stays the end. */
double lambda_step(double relative, int direction);

/* d_eff(l) = sum_e L_e / (L_e + l): falls from the rank (l -> 0) to 0. */
double lambda_effective_dimension(const double *eigenvalues, size_t count, double absolute);

/* The absolute lambda with d_eff = target, by bisection on log lambda; relative
 * error of lambda below 1e-12.  Eigenvalues >= 0.
 * ERR_NUMERIC when target is not inside (0, rank). */
enum status lambda_for_dimension(double *absolute, const double *eigenvalues, size_t count, double target);

/* The rule: d_eff = 0.25 min(N, k).  When the rank is too small for that (copies
 * among the rows), 0.25 of the rank.  ERR_NUMERIC when all eigenvalues are 0. */
#define LAMBDA_AUTO_FRACTION 0.25
enum status lambda_auto(double *absolute, const double *eigenvalues, size_t count, size_t N, size_t k);

/* The absolute value of any spec, for features with these eigenvalues. */
enum status lambda_resolve(double *absolute, struct lambda l, const double *eigenvalues, size_t count,
                           double trace, size_t N, size_t k);

#endif
