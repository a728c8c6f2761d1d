/* store_basis.h - the eigenbasis behind the ridge of a train feature set, kept.
 * See store.h.
 *
 * The matrix is Phi Phi^T (dual, n <= k) or Phi^T Phi (primal), dim x dim.  It is
 * made in panels of block_rows of its rows, each stored as it is finished: row r
 * of the lower triangle has the r + 1 numbers 0 .. r.  When the decomposition is
 * there the panels go and the basis comes, in one transaction: eigenvalues, and
 * eigenvectors in blocks of rows.  All is float64: with float32 vectors a query's
 * coordinates on weak directions drown, by an estimated 6e-3 of the scores at lambda 1e-6. */
#ifndef DTRAK_STORE_BASIS_H
#define DTRAK_STORE_BASIS_H

#include "dtrak/err.h"
#include "dtrak/store_feature.h"

#include <stddef.h>
#include <stdint.h>

struct store;

struct basis_info {
    int64_t id, feature_set;
    size_t n, k;               /* training items and features behind it */
    int primal;
    size_t dim, rank;          /* k or n; min(n, k) */
    size_t block_rows;         /* of a panel of the matrix */
    int complete;              /* the decomposition is there */
    double trace;              /* of the matrix; NAN until complete */
    char program[32], blas_core[32], host[64];
    size_t threads;
    char created[21];
};

/* That of the train feature set, begun when it is not there.  One of another shape
 * (items were added) is replaced.  The form follows from n and k. */
enum status store_basis_ensure(struct store *s, int64_t train_set, size_t n, size_t k, size_t block_rows,
                               const struct provenance *p, struct basis_info *out);
enum status store_basis_find(struct store *s, int64_t train_set, struct basis_info *out);   /* ERR_MISSING */
struct basis_list { struct basis_info *basis; size_t count; };
enum status store_bases_list(struct store *s, struct basis_list *out);
void basis_list_free(struct basis_list *l);
enum status store_basis_delete(struct store *s, int64_t train_set);

/* Panel p of the matrix: rows [p * block_rows, ...), panel[rows][first + rows] of
 * which the lower triangle counts.  Replaces. */
enum status store_basis_panel_put(struct store *s, const struct basis_info *b, size_t p, const double *panel);
enum status store_basis_panels_missing(struct store *s, const struct basis_info *b, struct index_list *out);
/* Both triangles of A[dim][dim], from all panels; verified. */
enum status store_basis_matrix_read(struct store *s, const struct basis_info *b, double *A);

/* values[rank] ascending and >= 0, vectors[rank][dim]; the panels go. */
enum status store_basis_finish(struct store *s, const struct basis_info *b, double trace, const double *values,
                               const double *vectors);
/* What was finished, verified; the arrays are the caller's to mem_free().
 * ERR_MISSING while it is not complete, ERR_FORMAT names a damaged block. */
enum status store_basis_read(struct store *s, const struct basis_info *b, double **values, double **vectors);

#endif
