/* by_hand.h - a stored network applied to one image at one timestep at a time: the definitions
 * that features, losses and sampling paths are compared with.
 *
 *     by_hand_open(&h, s, "last");
 *     by_hand_item(&h, eps, noise, item, t, draw, seed);     what it predicts
 *     by_hand_add(&h, d_eps);                                and the gradient of that
 *     by_hand_project(&h, feature, k, seed);                 of all that was added
 *     by_hand_close(&h);
 * A failure fails the test. */
#ifndef TESTS_BY_HAND_H
#define TESTS_BY_HAND_H

#include "dtrak/items.h"
#include "dtrak/store.h"
#include "dtrak/unet.h"

#include <stddef.h>
#include <stdint.h>

struct by_hand {
    struct stored_network net;
    struct store *s;
    struct project project;
    struct unet_work *work;
    size_t d, p;             /* floats of an image; parameters */
    double *gradient;        /* [p] */
};

/* checkpoint: as on the command line, one. */
void by_hand_open(struct by_hand *h, struct store *s, const char *checkpoint);
void by_hand_close(struct by_hand *h);

/* eps [d] = eps_theta(x_t, t) */
void by_hand_predict(struct by_hand *h, float *eps, const float *x_t, size_t t);

/* The same of a stored item's x_t; noise [d] is the one that is keyed on seed, split, item,
 * timestep and draw (design: noise is a function of these alone). */
void by_hand_item(struct by_hand *h, float *eps, float *noise, struct item_ref item, size_t t, size_t draw, uint64_t seed);

/* Adds the gradient of the parameters, d_eps [d] being that of the latest prediction. */
void by_hand_add(struct by_hand *h, const float *d_eps);

/* out [k]: what was added, sent through an sjlt of one non-zero coordinate by coordinate.
 * The gradient is zero afterwards. */
void by_hand_project(struct by_hand *h, double *out, size_t k, uint64_t seed);

/* row [k] is want to within tolerance times its length; what: named when it is not. */
void expect_row(const float *row, const double *want, size_t k, double tolerance, const char *what);

#endif
