/* score_source.h - where the inner products behind scores come from: features,
 * a stored kernel, the images, or an embedding.  For `score` and `basis`.
 *
 *     source_find(), source_pixels() or source_embedding()   which data there are
 *     source_keep_kernel()               optional: makes and stores the kernel
 *     source_ridge()                     for methods with a ridge
 *     source_block()                     cross products of some queries
 *     source_close() */
#ifndef PIPELINE_SCORE_SOURCE_H
#define PIPELINE_SCORE_SOURCE_H

#include "dtrak/loss.h"
#include "dtrak/ridge.h"
#include "dtrak/rows.h"
#include "dtrak/store.h"

struct source_wanted {
    const struct checkpoint *checkpoint;
    enum loss loss;
    size_t timesteps;               /* 0: the most there are */
    unsigned splits;                /* query splits, a bit each */
    const size_t *items;            /* [SPLIT_COUNT] */
    const size_t *needed;           /* [SPLIT_COUNT] queries from 0 that a kernel must have; NULL: all items */
    size_t memory;                  /* bytes in all; a quarter may hold the rows */
    size_t dims;                    /* 0: of those with the most timesteps the most there are */
    int journey;                    /* queries by their features along the sampling path */
    const struct checkpoint_list *several;   /* asked for together with this one, and how; may be NULL */
    const char *asked;
};

struct source {
    struct store *s;
    size_t n;                       /* training items */
    struct feature_set train, query[SPLIT_COUNT];   /* id 0: pixels */
    struct project project;         /* of pixels */
    size_t items[SPLIT_COUNT];
    size_t needed[SPLIT_COUNT];     /* queries from 0 that are asked for */
    size_t kernel_rows[SPLIT_COUNT];   /* queries that the kernel has */
    size_t memory;
    int is_pixels;
    int is_journey;                 /* queries have features of their own kind, and no kernel */
    struct embedding embedding[SPLIT_COUNT];   /* name "": not the source */
    float *embedded[SPLIT_COUNT];   /* their rows, of queries */
    int is_one_of_several;          /* asked for together */
    int is_whole;                   /* all features are there */
    int has_kernel;                 /* every split asked for has its part */
    int has_basis;                  /* a finished eigenbasis of the training items is stored */
    struct basis_info basis;
    unsigned splits;
    struct rows rows;               /* of the training items; not with a kernel */
    struct rows_memory cached;
    float *cache;                   /* all rows, when they take at most a quarter of the memory */
    double *norm;                   /* [n] of the training items, once source_norms() was called */
    double *cross[SPLIT_COUNT], *self[SPLIT_COUNT];  /* with a kernel, read when first used */
};

/* The best features for w (of a journey only whole ones): complete ones or a stored kernel, most timesteps, then
 * largest k, then newest.  ERR_MISSING names the command that makes them.  The
 * source must not be moved afterwards. */
enum status source_find(struct source *src, struct store *s, const struct source_wanted *w);
/* Pixels in the project's value range as rows. */
enum status source_pixels(struct source *src, struct store *s, const size_t *items, size_t memory);
/* The embedding of that name; NULL: the only one there is.  Reads all of its rows. */
enum status source_embedding(struct source *src, struct store *s, const char *name, unsigned splits,
                             const size_t *items, size_t memory);
void source_close(struct source *src);   /* fine on a zeroed one */

/* The seeds and kinds that the scores of a split inherit, as JSON in a fixed order. */
void source_params(const struct source *src, enum split split, char *out, size_t size);

/* Stores Gram, cross products and queries' own products of the splits asked for,
 * in float64 or float32, a transaction for each part, and reads from them from then on.  Does nothing when n > k (the
 * features are smaller then) or when a part would take more than 256 MB. */
enum status source_keep_kernel(struct source *src, int float64, const struct progress *p);

/* Whether f are features of queries seen along their sampling path that go with those of training items: only the
 * network, the loss and the projection are shared. */
int source_is_path_of(const struct feature_set *train, const struct feature_set *f, enum split split);

/* Whether the set has a row for each of so many items. */
int source_has_all(const struct feature_set *f, size_t items);

/* Bytes of a block of rows, as rows.h takes it. */
size_t source_block_bytes(const struct source *src);

/* What a ridge of the source takes to make, in bytes; with a stored basis only
 * what it takes to hold.  ERR_RANGE in one line when it is more than the memory. */
double source_ridge_bytes(const struct source *src);
enum status source_check_memory(const struct source *src, double more);

/* The matrix behind the dual form from the stored kernel: A[n][n]. */
enum status source_kernel_gram(struct source *src, double **A);

/* Rows in memory from now on, where there is room. */
enum status source_fill_cache(struct source *src, const struct progress *p);

/* The stored basis, else the decomposition; src must outlive it. */
enum status source_ridge(struct source *src, struct ridge **out, const struct progress *p);
enum status source_norms(struct source *src);

/* out[count][k]: the features of queries. */
enum status source_queries(struct source *src, enum split split, size_t first, size_t count, float *out);

/* Of queries [first, first + count); what is not wanted is NULL.
 *   cross   out [count][n]     inner products with the training items
 *   norm    out [count]        lengths
 *   coords  out [count][rank]  in the basis of ridge; needs cross as scratch */
enum status source_block(struct source *src, enum split split, size_t first, size_t count,
                         double *cross, double *norm, const struct ridge *ridge, double *coords,
                         const struct progress *p);

#endif
