/* loss.h - the scalar of the network's output that is differentiated.
 *
 * One value per sample and timestep, with e = eps_theta(x_t, t) flattened to D
 * elements, n the noise, w_t = beta_t / (2 alpha_t (1 - alpha_bar_t)):
 *
 *   simple  (1/D) sum (e - n)^2          elbo  w_t * simple
 *   square  (1/D) sum e^2                avg   (1/D) sum e
 *   l1      sum |e|                      l2    sqrt(sum e^2)
 *   linf    max |e|   (its gradient sits on the first largest element)
 *
 * Source: arXiv 2311.00500 and its released code, reductions as coded there.
 * Checked against: tests/unit/loss_test.c and tests/vectors. */
#ifndef DTRAK_LOSS_H
#define DTRAK_LOSS_H

#include <stddef.h>

enum loss { LOSS_SIMPLE, LOSS_ELBO, LOSS_SQUARE, LOSS_AVG, LOSS_L1, LOSS_L2, LOSS_LINF, LOSS_COUNT };

const char *loss_name(enum loss l);           /* "simple", ... */
/* The loss of that name, or LOSS_COUNT. */
enum loss loss_parse(const char *name);

/* Value of loss l; elbo_weight is w_t. */
double loss_value(enum loss l, const float *e, const float *n, size_t D, double elbo_weight);

/* de[i] = scale * d loss / d e_i; returns the value.  de may not be e or n. */
double loss_gradient(enum loss l, float *de, const float *e, const float *n, size_t D,
                     double elbo_weight, double scale);

/* Where the gradient of l is a multiple of another loss's: that loss (elbo: simple;
 * l2: square), and *factor with d l / d e = *factor d(other) / d e.  Else l and 1. */
enum loss loss_multiple(enum loss l, const float *e, size_t D, double elbo_weight, double *factor);

#endif
