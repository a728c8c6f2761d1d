/* import_parts.h - what the importers share. */
#ifndef PIPELINE_IMPORT_PARTS_H
#define PIPELINE_IMPORT_PARTS_H

#include "dtrak/interchange.h"
#include "dtrak/store.h"

/* --- where things belong --- */

/* The checkpoint that name says, made without weights when it is a
 * step that is not here; NULL: the last one, or step 0. */
enum status import_checkpoint(struct store *s, const char *name, struct import_result *r, struct checkpoint_list *out);
/* What the options say of how features were made; their split, k, type and network are the caller's to add.
 * projection: what it is called where the options do not say.  ERR_USAGE without a loss, or for words that are
 * none: names that are cut, or that a set's params cannot hold, would make two projections one. */
enum status import_identity(struct feature_identity *f, const struct import_options *o, const char *projection);

/* order[i] of count entries read from the file (NULL: 0, 1, ...), each below
 * limit and there once; what names the thing in messages ("gen item").  The
 * file must have exactly count entries.  *order is the caller's. */
enum status import_order(size_t **order, const char *path, size_t count, size_t limit, const char *what);

/* --- scores --- */

struct score_target {
    const char *method, *loss, *lambda;   /* words; loss and lambda may be NULL */
    const struct checkpoint *checkpoint;  /* [checkpoints], ascending by step */
    size_t checkpoints;                   /* 0: none */
    enum split split;
    size_t timesteps, k;
    const char *from, *name;              /* "npy", "scores.npy" */
    uint64_t digest;                      /* of the file */
};
/* Makes the set and checks method, loss and lambda against each other. */
enum status import_score_set(struct store *s, const struct score_target *t, size_t n, size_t rows, struct score_set *out);

/* A matrix of scores in an array of rank 2; query[i] and train[j] say which
 * items its query i and its training column j are (NULL: in order). */
struct score_matrix {
    const struct array *a;
    enum import_axes axes;
    size_t queries, n;                    /* extents of the two axes */
    const size_t *query, *train;
    int zeros;                            /* rows of zeros are meant */
    /* out[count][n]: queries, columns as they stand; NULL: from the array. */
    enum status (*read)(void *ctx, size_t first, size_t count, float *out);
    void *ctx;
};
enum status import_scores(struct store *s, const struct score_set *set, const struct score_matrix *m, const struct progress *p);

/* XXH3 of the file's length and of the numbers: all of a file up to 64 MiB, else
 * of 4096 spread pages. */
enum status import_digest(const struct array *a, uint64_t *digest);

/* --- features --- */

struct feature_reader {
    size_t rows, k;
    enum status (*read)(void *ctx, size_t row, float *out);   /* [k] */
    void *ctx;
    const char *name;                     /* for messages */
    const size_t *order;                  /* which item each row is; NULL: in order */
    int zeros;
    const struct feature_file *file;      /* [files] that the rows stay in */
    size_t files;                         /* 0: they are copied */
};
/* *added = 0: the same features, with these params, are here already. */
enum status import_features(struct store *s, const struct feature_identity *f, const struct feature_reader *in,
                            const char *params, const struct progress *p, int *added);
/* A reader of an array's rows; w is its context and must stay. */
struct feature_window { const struct array *a; size_t used; };
struct feature_reader import_array_rows(struct feature_window *w, const char *name, int zeros);

/* The array's place in its file, for rows that stay there. */
enum status import_in_place(struct feature_file *out, const struct array *a);

/* Text of a set's params. */
void import_params(char out[512], const char *from, const char *name, uint64_t digest);

/* "1000 x 5000 scores" against the database, in both readings.  writer: the program whose files
 * have their axes so; NULL: the user said it. */
enum status import_check_axes(const char *name, size_t a, size_t b, enum import_axes axes, size_t queries, size_t n,
                              enum split split, int has_list, const char *writer);

/* --- the kinds --- */

enum status import_array(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r);
enum status import_csv(struct store *s, const struct import_options *o, struct import_result *r);
enum status import_traker(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r);
enum status import_dtrak(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r);
enum status import_bergson(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r);

/* The folder has scores, else it is an index of gradients. */
int import_bergson_has_scores(const char *folder);

/* --- D-TRAK's tree --- */

struct dtrak_tree {
    struct store *s;
    const struct import_options *o;
    const struct progress *p;
    struct import_result *r;
    size_t root;                          /* where in a path the name of DIR itself begins */
    char **file;                          /* paths of all that may matter, sorted by byte */
    size_t files;
    size_t items[SPLIT_COUNT];            /* that are here */
    size_t *order[SPLIT_COUNT];           /* which item each row of the tree is; NULL: in order */
    struct origin { size_t number, item; } *origin;   /* training items by original number; NULL: no index file */
};

/* The item of that original number among the training items; ERR_MISSING. */
enum status dtrak_train_item(const struct dtrak_tree *t, size_t number, const char *path, size_t *item);
/* What stands behind name, which begins a part of the path from DIR on ("checkpoint-", "lds-val/"); the last
 * such part, or NULL. */
const char *dtrak_part(const struct dtrak_tree *t, const char *path, const char *name);
/* The number in "NAME<digits>END" (NAME, END may be ""); 0 where text is not that. */
int dtrak_number(const char *text, const char *name, const char *end, size_t *number);
enum status dtrak_subsets(struct dtrak_tree *t);

#endif
