/* method.h - how features become scores: names, needs, and the formulas.
 *
 * Per query feature g and train feature phi_n, K = Phi^T Phi + l I:
 *   trak        g K^-1 phi_n          relative-if  trak / ||K^-1 phi_n||
 *   grad-dot    g . phi_n             renorm-if    trak / ||phi_n||
 *   grad-cos    g . phi_n / (||g|| ||phi_n||)
 *   pixel-dot, pixel-cos   the same two on pixels in [-1, 1]
 *   embed-dot, embed-cos   the same two on rows that the user brought, e.g. of CLIP
 *   random      uniform in [-1, 1), keyed on (seed, query)
 * and out of the scores of others, or in a way of their own:
 *   journey            trak, g averaged along the sampling path of a generated item
 *   tracin, gas        means of grad-dot and grad-cos over checkpoints (combine.h)
 *   das, das-signed    trak with loss avg, times residual and leverage (das.h)
 *   emp-influence, datamodel   out of retrained networks (datamodel.h)
 *   nda                a softmax over image patches (nda.h)
 * A train row of norm 0 has score 0 wherever its norm divides.
 * Source: arXiv 2311.00500 and its released code.
 * Checked against: tests/unit/method_test.c. */
#ifndef DTRAK_METHOD_H
#define DTRAK_METHOD_H

#include "dtrak/err.h"
#include "dtrak/loss.h"
#include "dtrak/ridge.h"

#include <stddef.h>
#include <stdint.h>

enum method {
    METHOD_TRAK, METHOD_GRAD_DOT, METHOD_GRAD_COS, METHOD_TRACIN, METHOD_GAS,
    METHOD_RELATIVE_IF, METHOD_RENORM_IF, METHOD_JOURNEY, METHOD_DAS, METHOD_DAS_SIGNED,
    METHOD_PIXEL_DOT, METHOD_PIXEL_COS, METHOD_EMBED_DOT, METHOD_EMBED_COS,
    METHOD_EMP_INFLUENCE, METHOD_DATAMODEL, METHOD_NDA, METHOD_RANDOM,
    METHOD_COUNT
};

const char *method_name(enum method m);   /* "trak", "grad-dot", ...: the canonical name */

/* Name to method; `dtrak` is trak and sets *loss to LOSS_SQUARE, every other name
 * leaves LOSS_COUNT there ("as asked elsewhere").  loss may be NULL.
 * METHOD_COUNT when there is no such name. */
enum method method_parse(const char *name, enum loss *loss);
/* The same; ERR_USAGE that says which names there are; said is where it stood, as "--method". */
enum status method_read(enum method *out, enum loss *loss, const char *name, const char *said);

/* The loss of a method named so; implied is method_parse()'s, asked a loss's name or NULL.  Without either the one that
 * the method is made of, else simple; LOSS_COUNT where the method has none, whatever is asked.  ERR_USAGE: no such loss,
 * or another than the name or the method says. */
enum status method_loss(enum loss *out, enum method m, enum loss implied, const char *name, const char *asked);

/* What a score set of this method depends on. */
int method_has_loss(enum method m);        /* gradients of a loss */
int method_has_checkpoint(enum method m);  /* a network's weights */
int method_has_features(enum method m);    /* projected gradients */
int method_has_lambda(enum method m);      /* a ridge */
int method_has_pixels(enum method m);      /* the images themselves */
int method_has_embedding(enum method m);   /* rows that the user brings */
int method_has_retrained(enum method m);   /* outputs of networks retrained on subsets */
int method_has_several(enum method m);     /* always several checkpoints together */
/* The one loss whose features it is made of; LOSS_COUNT: any. */
enum loss method_own_loss(enum method m);
/* This program can compute it; scores of the others can be imported. */
int method_is_available(enum method m);
/* ... and nothing but a loss, one checkpoint and a lambda need be said, and features or images
 * need be there. */
int method_is_direct(enum method m);

/* What people call it: TRAK, TRAK-ELBO, D-TRAK, D-TRAK(avg), Gradient dot, ...
 * loss is ignored where the method has none. */
#define METHOD_DISPLAY 48
void method_display(char out[METHOD_DISPLAY], enum method m, enum loss loss);

/* What the formulas need for M queries; a method reads only its own fields. */
struct method_inputs {
    size_t M, N;
    const double *cross;        /* [M][N]    g . phi_n          grad-dot grad-cos pixel-* embed-* */
    const double *query_norm;   /* [M]       ||g||              *-cos */
    const double *train_norm;   /* [N]       ||phi_n||          *-cos renorm-if */
    const struct ridge *ridge;  /*                              trak journey relative-if renorm-if */
    const double *coords;       /* [M][rank] of ridge_query_*   the same four */
    const double *relative;     /* [N] ridge_diagonals() at lambda_abs   relative-if */
    double lambda_abs;
    uint64_t seed;              /*                              random */
    const uint32_t *query_key;  /* [M] what tells queries apart random */
};

/* inverse[n] = 1 / norm[n], and 0 where a norm is nothing, or rounding dust, beside
 * the largest: what relative-if and renorm-if multiply scores of trak with. */
void method_inverse_norms(double *inverse, const double *norm, size_t N);

/* scores out [M][N].  ERR_MISSING when a field that m reads is NULL or m is not
 * available, ERR_NUMERIC when a score is not finite. */
enum status method_scores(enum method m, const struct method_inputs *in, double *scores);

#endif
