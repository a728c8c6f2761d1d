/* store_feature.h - projected gradients in blocks, and kernels made of them.
 * See store.h.
 *
 * A feature set has one row of k numbers per item of its split.  Rows are kept
 * in blocks of block_rows: block b holds rows [b * block_rows, ...).  Row
 * format, little-endian: float32 sets k float32; float16 sets one float32
 * scale (a power of two), then k float16; value = scale * half.  float16 keeps
 * 11 bits down to 2^-29 of the row's largest element.
 *
 * A set may keep `parts` rows per item, each the mean over its share of the
 * (timestep, draw) pairs; their mean is the row of the set without parts. */
#ifndef DTRAK_STORE_FEATURE_H
#define DTRAK_STORE_FEATURE_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Recorded, never compared.  Texts may be NULL. */
struct provenance { const char *program, *blas_core, *host; size_t threads; };

enum { FEATURE_PARTS_MAX = 100000 };

/* The rule of generated items' features along their sampling path: of queries only. */
#define FEATURE_RULE_JOURNEY "journey"

/* What makes two sets the same; all of it is compared. */
struct feature_identity {
    enum split split;
    char checkpoint_sha256[65];
    char loss[16];                /* "square" */
    size_t timesteps;
    char rule[16];                /* "uniform" */
    uint64_t noise_seed;
    size_t draws;                 /* of noise at each timestep; 0 is 1 */
    size_t parts;                 /* rows kept per item; 0 is 1 */
    char projection[16];          /* "sjlt" */
    uint64_t projection_seed;
    size_t k;                     /* numbers per row */
    size_t nonzeros;              /* s of sjlt; 0 for dense kinds */
    int float32;                  /* rows kept as float32, else as float16 with a scale */
    int version;                  /* of the algorithm that makes them */
};

struct feature_set {
    int64_t id;
    struct feature_identity identity;
    int64_t checkpoint;           /* id */
    size_t rows, rows_done;       /* expected, and in finished blocks or files */
    size_t files;                 /* that its rows stay in (store_feature_file.h); 0: in blocks */
    size_t block_rows;
    int dropped;                  /* its blocks were deleted on purpose (a kernel may remain) */
    char projection[24];          /* with its non-zeros, as on the command line: "sjlt", "sjlt:4", "srht" */
    char params[512];             /* JSON: whatever else the maker wants to keep; not compared */
    char program[32], blas_core[32], host[64];
    size_t threads;
    char created[21];
};

struct feature_set_list { struct feature_set *set; size_t count; };
void feature_set_list_free(struct feature_set_list *l);

/* The set of this identity, made when it is not there (with block_rows, params
 * and provenance as given; both may be NULL).  When the split grew since, the
 * set's rows grow too and its last, short block counts as missing.  A set whose
 * blocks were dropped is revived.  ERR_MISSING: no checkpoint has that hash. */
enum status store_feature_set_ensure(struct store *s, const struct feature_identity *identity,
                                     size_t rows, size_t block_rows, const char *params,
                                     const struct provenance *p, struct feature_set *out);

/* The same without making anything: ERR_MISSING when it is not there. */
enum status store_feature_set_find(struct store *s, const struct feature_identity *identity,
                                   struct feature_set *out);
enum status store_feature_set_get(struct store *s, int64_t id, struct feature_set *out);
enum status store_feature_sets_list(struct store *s, struct feature_set_list *out);

/* Which of two complete sets of one loss and checkpoint stands for both: more
 * timesteps, then the uniform rule, more draws, larger k, without parts, newer. */
int feature_set_is_better(const struct feature_set *a, const struct feature_set *b);

/* Says in words in which fields two identities differ: "loss simple/square,
 * projection sjlt seed 42 / gaussian seed 7, k 512/2048"; "" when equal. */
void feature_identity_difference(char out[256], const struct feature_identity *a,
                                 const struct feature_identity *b);

/* Block b of the set: rows [parts][count][k], count = min(block_rows, rows - b *
 * block_rows).  Replaces.  ERR_NUMERIC names a row that is not finite. */
enum status store_feature_block_put(struct store *s, const struct feature_set *set, size_t block,
                                    const float *rows);

/* Blocks that are absent or shorter than they should be. */
enum status store_feature_blocks_missing(struct store *s, const struct feature_set *set,
                                         struct index_list *out);

/* out [count][k]: rows [first, first + count) as float32, their blocks
 * verified.  ERR_MISSING names the first block that is not there, ERR_FORMAT a
 * damaged one.  Of a set with parts it is their mean. */
enum status store_features_read(struct store *s, const struct feature_set *set, size_t first,
                                size_t count, float *out);
/* The same of one part, part < parts. */
enum status store_features_read_part(struct store *s, const struct feature_set *set, size_t part,
                                     size_t first, size_t count, float *out);

/* Deletes one block (a damaged one, so that it is computed again). */
enum status store_feature_block_delete(struct store *s, const struct feature_set *set, size_t block);

/* Deletes the blocks and keeps the row and its kernels. */
enum status store_feature_blocks_drop(struct store *s, int64_t set);
/* Deletes everything of the set. */
enum status store_feature_set_delete(struct store *s, int64_t set);

/* --- kernels: inner products of a train feature set ---
 *
 * KERNEL_GRAM   n(n+1)/2   upper triangle of Phi Phi^T, row by row: (0,0) (0,1) .. (0,n-1) (1,1) ..
 * KERNEL_CROSS  m x n      row q: query q of the split with every training item
 * KERNEL_SELF   m          each query's product with itself */
enum kernel_part { KERNEL_GRAM, KERNEL_CROSS, KERNEL_SELF };

/* Stores (replaces) a part for the train feature set; split is that of the
 * queries, SPLIT_TRAIN for the Gram.  rows x cols: n x n for the Gram, m x n,
 * m x 1.  float64 says how it is kept; values are always double. */
enum status store_kernel_put(struct store *s, int64_t train_set, enum kernel_part part,
                             enum split split, size_t rows, size_t cols, int float64,
                             const double *values);

/* ERR_MISSING when it is not there; *values is the caller's to mem_free(). */
enum status store_kernel_get(struct store *s, int64_t train_set, enum kernel_part part,
                             enum split split, size_t *rows, size_t *cols, double **values);
/* 1 when the part is there, else 0. */
enum status store_kernel_has(struct store *s, int64_t train_set, enum kernel_part part,
                             enum split split, int *has);
/* What is there in float64 becomes float32. */
enum status store_kernels_round(struct store *s, int64_t train_set);
enum status store_kernels_delete(struct store *s, int64_t train_set);

#endif
