/* lds_parts.h - what the files of the verb `lds` share. */
#ifndef PIPELINE_LDS_PARTS_H
#define PIPELINE_LDS_PARTS_H

#include "dtrak/buf.h"
#include "dtrak/lds_verb.h"
#include "dtrak/pool.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"
#include "dtrak/trainer.h"
#include "dtrak/unet.h"

#include <stdatomic.h>

/* "host:pid:start" of this process. */
struct owner { char name[96], host[51]; };
void owner_make(struct owner *me);
/* Ends the leases of this host's processes that are no more. */
enum status owner_forget_the_dead(struct store *s, int64_t protocol, const struct owner *me);

/* How networks are retrained: the project's own training, with what was asked for instead. */
struct retraining {
    struct unet_config config;
    struct trainer_options options;   /* for a whole training set; seed is that of seed number 0 */
    const struct schedule *schedule;
    struct schedule *own;             /* what schedule points at, when it came with the network */
    int half_weights;
    struct buf network;               /* the config as JSON on one line */
};
enum status retraining_read(struct retraining *r, struct store *s, const struct lds_options *o);
void retraining_free(struct retraining *r);

/* One split's queries: pictures as the network sees them. */
struct queries { enum split split; size_t first, count; float *x; char sha256[65]; };

/* Memory of one network while it is retrained and evaluated: weights, moments, a copy to save, gradients, activations. */
enum status retraining_memory(double *bytes, const struct unet *u, const struct retraining *t);

/* Where the loss is taken. */
struct evaluation {
    struct queries queries[SPLIT_COUNT];
    size_t n_splits, total;           /* queries over all splits */
    size_t timesteps;
    uint64_t noise_seed;
    int64_t protocol;
};

/* Weights of u as they were stored; *out is the caller's to unet_weights_free(). */
enum status retrained_weights(struct unet_weights **out, const struct unet *u, const void *bytes, size_t len);

/* SHA-256 of the pictures and labels of items [first, first + count). */
enum status items_digest(struct store *s, enum split split, size_t first, size_t count, char hex[65]);
/* The i-th of the timesteps: the middles of equal parts of 0 .. T - 1. */
size_t evaluation_timestep(size_t timesteps, size_t i, size_t T);

/* What all models of one call have in common; read-only while they are trained. */
struct retrainer {
    const char *path;                 /* of the database: every thread opens it */
    const struct retraining *training;
    const struct evaluation *evaluation;
    const struct project *project;
    const struct unet *u;
    const float *images;              /* [n][D], all training items */
    size_t n, D;
    const char *owner, *host;
    int keep_weights;
    double save_every_s;
    atomic_int *cancel;               /* of the user; may be NULL */
    atomic_int *failed;               /* another thread failed: stop at the next step */
    /* Called after every step and every few queries; by many threads. */
    void (*advance)(void *ctx, double units, size_t index, size_t seed, double loss);
    void *ctx;
};

/* Work of a model in steps: training and evaluation. */
double retrainer_units(const struct retrainer *r, size_t steps);

/* One model, from where it stopped to its stored outputs, on this thread with
 * its own connection s.  ERR_MISSING: somebody else has it. */
enum status retrain_model(const struct retrainer *r, struct store *s, const struct subset_model *m,
                          const unsigned char *members, const struct trainer_options *options);
/* Seconds of a training step while as many run at a time: they share caches and memory. */
enum status retraining_time_step(double *seconds, struct pool *pool, size_t at_once, const struct retrainer *r);
/* A finished model whose weights were kept, under this evaluation. */
enum status reevaluate_model(const struct retrainer *r, struct store *s, const struct subset_model *m);

#endif
