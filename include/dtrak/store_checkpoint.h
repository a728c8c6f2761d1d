/* store_checkpoint.h - trained networks, and the state to resume training from.
 * See store.h. */
#ifndef DTRAK_STORE_CHECKPOINT_H
#define DTRAK_STORE_CHECKPOINT_H

#include "dtrak/err.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* To add one: id, network, name, weights_bytes, sha256 and created are the store's. */
struct checkpoint {
    int64_t id;
    size_t step;
    double epoch;
    double percent;               /* of the training, 0..100 */
    double train_loss;            /* NAN: not known */
    int ema;                      /* weights are the moving average */
    int half_weights;             /* stored as float16, which is what every later computation uses */
    const char *config;           /* network config, JSON; belongs to the list when read */
    const char *name;             /* of the network, "" when it has none; the list's */
    size_t network;               /* 0: the first one the database had, which is the one measurements are about;
                                     checkpoints of one architecture and name are of one network */
    size_t weights_bytes;         /* 0: they were dropped; what was made with them stays */
    char sha256[65];              /* of the weights */
    char created[21];
};

struct checkpoint_list { struct checkpoint *checkpoint; size_t count; char *text; };
void checkpoint_list_free(struct checkpoint_list *l);

/* Adds one with its weights (safetensors bytes).  A second one of the same step
 * and ema flag is refused with ERR_RANGE. */
enum status store_checkpoint_add(struct store *s, const struct checkpoint *c,
                                 const void *weights, size_t len, int64_t *id);

enum status store_checkpoints_list(struct store *s, struct checkpoint_list *out);   /* by network, then step */

/* The first network's last checkpoint; NULL: the list is empty. */
const struct checkpoint *checkpoint_list_last(const struct checkpoint_list *l);

/* The last checkpoint of the network that one of the list belongs to; id 0 or unknown: the first network's. */
const struct checkpoint *checkpoint_list_last_beside(const struct checkpoint_list *l, int64_t id);

/* "large", escaped; "network 2" where a second one has no name; "" for the first one without. */
void checkpoint_network(char out[64], const struct checkpoint *c);
/* "step 9600", "large at step 20000". */
void checkpoint_words(char out[96], const struct checkpoint *c);

/* As store_checkpoints_resolve() takes it: "9600", "large:20000"; and as an option takes it in a shell, quoted if need be. */
#define CHECKPOINT_OPTION 160
void checkpoint_spell(char out[CHECKPOINT_OPTION], const struct checkpoint *c);
void checkpoint_option(char out[CHECKPOINT_OPTION], const struct checkpoint *c);

/* The weights, verified; *bytes is the caller's to mem_free().  ERR_MISSING: they were dropped. */
enum status store_checkpoint_weights(struct store *s, int64_t id, void **bytes, size_t *len);

/* Checkpoints by name: "8000" (step), "50%" (nearest within half a percent),
 * "last", "all", or several with commas ("25%,last"); as the list has them, each
 * once.  "last" and percentages are of the first network; "large" is the last
 * one of the network of that name, "large:50%" and "large:all" others of it.
 * Where a step has plain and EMA weights the EMA ones are meant ("all"
 * included).  NULL is "last".  ERR_MISSING says which ones there are. */
enum status store_checkpoints_resolve(struct store *s, const char *names,
                                      struct checkpoint_list *out);

/* The weights go; the checkpoint stays, with all that was made with it. */
enum status store_checkpoint_weights_drop(struct store *s, int64_t id);
/* And back: ERR_FORMAT when they are not those that were dropped. */
enum status store_checkpoint_weights_restore(struct store *s, int64_t id, const void *bytes, size_t len);

/* Removes it with its features, kernels, scores and statistics; items
 * generated from it stay. */
enum status store_checkpoint_delete(struct store *s, int64_t id);

/* The one training state: config is what a resume must agree with. */
struct train_state { char *config; size_t step; void *bytes; size_t len; };
void train_state_free(struct train_state *t);

enum status store_train_state_put(struct store *s, const char *config, size_t step,
                                  const void *bytes, size_t len);       /* replaces */
enum status store_train_state_get(struct store *s, struct train_state *out);   /* ERR_MISSING */
/* Where it stands, without its numbers; ERR_MISSING. */
enum status store_train_state_step(struct store *s, size_t *step);
enum status store_train_state_delete(struct store *s);

#endif
