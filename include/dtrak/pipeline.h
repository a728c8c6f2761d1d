/* pipeline.h - the verbs: what joins store, model and maths.
 *
 * Each verb is resumable: it looks at what the database holds, does the units
 * that are missing, one transaction each, and returns OK when nothing is
 * missing.  It can be cancelled (ERR_CANCELLED) and called again.  `progress`
 * may be NULL.  Options start from the *_DEFAULTS initialisers. */
#ifndef DTRAK_PIPELINE_H
#define DTRAK_PIPELINE_H

#include "dtrak/err.h"
#include "dtrak/loss.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct cost_sink;
struct embedding;
struct store;

/* --- new: a data set becomes the train and val items of a new database --- */

enum new_source { NEW_CIFAR, NEW_STRIPS, NEW_IDX, NEW_IMAGES };

struct new_options {
    enum new_source source;
    const char *path;        /* directory, or the IDX images file */
    const char *labels_path; /* NEW_IDX only */
    const char *test_path, *test_labels_path; /* NEW_IDX: where held-out items come from; NULL: the rest of the training file */
    const char *classes;     /* comma-separated label numbers or names; NULL: all */
    size_t per_class;        /* training items of each class; 0: all */
    size_t held_out;         /* val items in all, shared out over the classes */
    size_t size;             /* side of the square images; 0: as they come (IDX 28x28 is padded to 32) */
    size_t patch;            /* 1 or 2: space to depth before the network; kept in the project row */
    const char *name;        /* project name; NULL: from the source */
    uint64_t seed;           /* which items are kept */
    void (*say)(void *ctx, const char *line);   /* a line on what is left out; NULL: nothing is said */
    void *say_ctx;
};
#define NEW_DEFAULTS { NEW_IDX, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 1, NULL, 0, NULL, NULL }

/* Creates path; on any error it does not exist afterwards. */
enum status pipeline_new(const char *path, const struct new_options *o, const struct progress *p);

/* --- train --- */

struct train_options {
    size_t width[8], levels;    /* base channels per level */
    size_t layers;              /* residual blocks per level */
    unsigned attention;         /* bit i: level i has attention; bit 31: none in the middle either */
    size_t patch;               /* 0: the project's */
    size_t steps;               /* 0: from epochs */
    double epochs;
    size_t batch;
    double lr, weight_decay, clip, warmup_fraction;
    double ema;                 /* decay, 0: off */
    int flip;
    uint64_t seed;
    double checkpoints[16];     /* fractions of the steps, ascending, the last is 1 */
    size_t n_checkpoints;
    int half_weights;           /* checkpoints stored as float16 */
    double save_every_s;        /* train_state at least this often */
    size_t threads;             /* 0: all processors */
    size_t memory;              /* bytes; 0: half of what the machine has */
    const struct cost_sink *cost;   /* cost.h; NULL: starts at once */
};
#define TRAIN_DEFAULTS { { 32, 64, 64 }, 3, 1, 0, 0, 0, 100, 64, 1e-3, 1e-6, 1.0, 0.1, 0, 0, 0, \
                         { .1, .25, .5, 1 }, 4, 1, 120, 0, 0, NULL }

enum status pipeline_train(struct store *s, const struct train_options *o, const struct progress *p);

/* --- sample --- */

struct sample_options {
    size_t count;               /* gen items that shall exist with seeds seed .. seed+count-1 */
    uint64_t seed;
    const char *checkpoint;     /* NULL: last */
    size_t steps;               /* DDIM steps, 50 */
    double eta;                 /* 0 */
    size_t threads;
    const struct cost_sink *cost;   /* cost.h; NULL: starts at once */
};
#define SAMPLE_DEFAULTS { 0, 0, NULL, 50, 0, 0, NULL }

enum status pipeline_sample(struct store *s, const struct sample_options *o, const struct progress *p);

/* --- features --- */

enum { FEATURE_DIMS_MAX = 8 };
struct features_options {
    unsigned losses;            /* bit per enum loss */
    const char *checkpoints;    /* "last", "10%,50%", "all"; NULL: last */
    unsigned splits;            /* bit per enum split; 0: all that have items */
    size_t timesteps;           /* uniform: 0, T/n, 2T/n, ...; n must divide T, the checkpoint's (1000) */
    size_t dims;                /* k of the projection */
    uint64_t noise_seed, projection_seed;
    int float32;                /* store rows as float32 instead of float16 with a scale */
    size_t threads;
    const char *rule;           /* "uniform", or "cumulative": timesteps 0, 1, .. n-1; NULL: uniform.  "journey":
                                 * of generated items, at the steps they were sampled in, on the picture that
                                 * was predicted at each, noised again; timesteps is then not read */
    size_t draws;               /* of noise at each timestep; 0: 1 */
    size_t parts;               /* rows kept per item, pair number i in part i mod parts, pairs being ordered by
                                 * draw, then timestep; divides timesteps x draws; 0: 1.  As many as timesteps
                                 * keeps each timestep apart */
    const char *projection;     /* "sjlt", "sjlt:4", "rademacher", "gaussian", "srht"; NULL: sjlt */
    size_t memory;              /* bytes; 0: half of what the machine has */
    const struct cost_sink *cost;   /* cost.h; NULL: starts at once */
    size_t more_dims[FEATURE_DIMS_MAX - 1];   /* further k, sets of their own out of the same gradients; 0 ends them */
};
#define FEATURES_DEFAULTS { 1u << LOSS_SIMPLE, NULL, 0, 10, 2048, 0, 42, 0, 0, NULL, 1, 1, NULL, 0, NULL, { 0 } }

enum status pipeline_features(struct store *s, const struct features_options *o, const struct progress *p);

/* --- gradient --- */

struct gradient_options {
    unsigned losses;            /* bit per enum loss */
    const char *checkpoint;     /* one; NULL: last */
    const char *item;           /* "train:5" */
    const size_t *timesteps;    /* the gradient is of the loss's mean over them */
    size_t n_timesteps;
    const char *noise_path;     /* .npy of [timesteps][C][H][W], the network's layout; NULL: the noise of features */
    uint64_t noise_seed;
    size_t draw;
    int replace;                /* a file that exists, which is ERR_IO else */
};
#define GRADIENT_DEFAULTS { 1u << LOSS_SIMPLE, NULL, NULL, NULL, 0, NULL, 0, 0, 0 }

/* Writes a safetensors file, float32: "output", "input" (the noised images) and "noise"
 * [timesteps][C][H][W], "image" [C][H][W], "timesteps", and every parameter's
 * gradient under diffusers' name and shape; of several losses, under LOSS/name.  The
 * metadata say checkpoint (its hash), step, item, loss, timesteps, noise and the
 * losses' values.  On any error nothing is written. */
enum status pipeline_gradient(struct store *s, const struct gradient_options *o, const char *path,
                              const struct progress *p);

/* --- score --- */

/* How ridge scores are solved for: one decomposition for all queries, or a Krylov basis for each
 * (ridge_stream.h), which takes no matrix but reads the features again and again. */
enum score_solver { SOLVER_AUTO, SOLVER_DIRECT, SOLVER_KRYLOV };   /* auto: direct where it fits into the memory */
#define SCORE_KRYLOV_TOLERANCE 1e-5   /* length of the error over that of the scores, at most */

struct score_options {
    const char *methods;        /* comma-separated names; `dtrak` is `trak` with loss square */
    unsigned losses;            /* bit per enum loss, for methods that have one */
    const char *checkpoints;    /* as above */
    const char *lambda;         /* "auto", "0.05", "abs:500", several with commas, "grid"; NULL: auto.  A score
                                 * set for each, all from one decomposition */
    size_t timesteps;           /* of the features; 0: the most there are */
    unsigned splits;            /* query splits (val, gen); 0: both */
    int mantissa_bits;          /* 24: scores kept as float32; 16: rounded, smaller; 0: as those that are stored, else 24 */
    int keep_kernel;            /* also store the packed Gram of the sets used: float64, or float32 below 24 bits */
    int self_influence;         /* also store the training items' leverages */
    size_t threads;
    size_t memory;              /* bytes; 0: half of what the machine has */
    const struct cost_sink *cost;   /* cost.h; NULL: starts at once */
    void (*warn)(void *ctx, const char *line);   /* k is below ten times the effective dimension; may be NULL */
    void *warn_ctx;
    int ensemble;               /* also the mean over the checkpoints, of methods that have one */
    const char *das;            /* "derived", "released", ...: das_parse(); NULL: derived */
    struct score_nda {          /* see nda.h */
        size_t patch, down_patch;   /* down_patch 0: one scale */
        double alpha;
        size_t topk;
        const char *at;         /* timesteps, "100,300,500"; NULL: 100,200,300,400,500 */
        uint64_t noise_seed;
    } nda;
    size_t dims;                /* of the features; 0: of those with the most timesteps the most there are */
    const char *embedding;      /* of embed-*: its name; NULL: the only one */
    const char *queries;        /* queries.h; NULL: all of the splits */
    enum score_solver solver;
    int errors;                 /* also error bars of trak's scores: from features in blocks, and of other
                                 * projections' seeds (errorbars.h) */
};
#define SCORE_DEFAULTS { "trak", 1u << LOSS_SIMPLE, NULL, NULL, 0, 0, 0, 0, 1, 0, 0, NULL, NULL, NULL, 0, NULL, \
                         { 7, 0, 0.5, 100, NULL, 0 }, 0, NULL, NULL, SOLVER_AUTO, 0 }

/* What a score set notes of the features that it is made of, as its params: two sets
 * of scores over features of two projections differ in it. */
struct feature_identity;
struct feature_set;
struct score_set;
void pipeline_feature_params(char *out, size_t size, const struct feature_identity *f);
/* Whether scores say that they are of features like these, of the training items or of the scores' queries. */
int pipeline_is_made_of(const struct score_set *scores, const struct feature_set *set);
/* The same, or whether they say nothing of features, as imported ones do, and fit. */
int pipeline_may_be_made_of(const struct score_set *scores, const struct feature_set *set);

enum status pipeline_score(struct store *s, const struct score_options *o, const struct progress *p);

/* --- add: what the user knows of the items --- */

/* A two-dimensional float .npy file becomes one split's part of the embedding `name`; what is
 * wrong with it is said in one line and nothing is changed.  *out: as it is stored. */
enum status pipeline_embedding_add(struct store *s, const char *path, enum split split, const char *name,
                                   struct embedding *out);

/* --- import-model, export-model --- */

struct schedule_change;

struct import_model_options {
    const char *dir;            /* a diffusers model: see model_folder.h */
    size_t step;
    int has_step;               /* else dtrak.json's, a folder's checkpoint-8000, or 0 */
    const char *name;           /* for people; NULL: dtrak.json's */
    size_t patch;               /* 0: dtrak.json's, or the project's */
    const struct schedule_change *schedule;   /* in place of what scheduler_config.json says; or NULL */
};
struct import_model_result {
    size_t step, parameters, T;
    int there_already;          /* the same weights were: nothing is added */
    int has_schedule;           /* scheduler_config.json was read */
    char weights_type[8], sha256[65];
};

/* Adds a model folder as a checkpoint; on any error the database is as before. */
enum status pipeline_import_model(struct store *s, const struct import_model_options *o, struct import_model_result *r);

struct export_model_options {
    const char *dir;            /* made; not overwritten */
    const char *checkpoint;     /* NULL: last */
    int pipeline;               /* unet/, scheduler/ and model_index.json inside */
    int force;                  /* replace an earlier export */
};
/* Writes a folder that diffusers loads; whole, or nothing. */
enum status pipeline_export_model(struct store *s, const struct export_model_options *o);

/* --- basis --- */

struct basis_options {
    unsigned losses;            /* bit per enum loss */
    const char *checkpoints;    /* as above */
    size_t timesteps;           /* of the features; 0: the most there are */
    int again;                  /* also where there is one */
    size_t threads, memory;
    const struct cost_sink *cost;
};
#define BASIS_DEFAULTS { 1u << LOSS_SIMPLE, NULL, 0, 0, 0, 0, NULL }

/* Keeps the eigenbasis of the training features, from which scores at any lambda,
 * leverages and the norms of relative-if follow.  Panels of the matrix are kept as
 * they are finished; the decomposition itself is one unit. */
enum status pipeline_basis(struct store *s, const struct basis_options *o, const struct progress *p);

/* --- self: what a study of self-influence needs beside the leverages --- */

enum { SELF_NEIGHBOURS = 3 };   /* kept for each training item */

/* The nearest other training items of every training item by pixels, as numbers per item:
 * "neighbour_1" .. "neighbour_3" hold indices, "neighbour_distance" the distance to the
 * first, root mean square over the pixels in the project's value range.  Done once; done
 * again when the split has grown; nothing of a single item. */
enum status pipeline_self(struct store *s, size_t threads, const struct progress *p);

#endif
