/* ridge_parts.h - what the files of the ridge share. */
#ifndef ATTRIBUTION_RIDGE_PARTS_H
#define ATTRIBUTION_RIDGE_PARTS_H

#include "dtrak/ridge.h"

struct ridge {
    size_t N, k, rank, dim;    /* dim: length of a basis vector, N (dual) or k (primal) */
    int primal;
    double *block;             /* all eigenvectors that there are, owned */
    const double *basis;       /* [rank][dim], the last rows of block */
    double *eigenvalues;       /* owned; those of the basis are the last */
    const double *kept;        /* [rank], inside eigenvalues */
    double trace;
    struct rows train;         /* primal only */
};

/* OK when lambda is a finite number above 0. */
enum status ridge_lambda_check(double lambda_abs);

/* out[i] = in[i], exactly. */
void ridge_widen(double *out, const float *in, size_t count);

#endif
