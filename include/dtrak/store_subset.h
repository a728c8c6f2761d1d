/* store_subset.h - networks retrained on a part of the training items, what
 * they make of the queries, and measurements of scores against that.  See store.h.
 *
 * A protocol is a JSON text: of kind "train" it says how parts are drawn and
 * networks retrained, of kind "eval" where their loss is taken.  Outputs under
 * different protocols are never compared.  A model is one retraining: subset
 * number `index` of its protocol, seed number `seed`.  Whoever trains it holds
 * a lease, renewed by every heartbeat, so that no two processes train the same
 * one at the same time; its result is one transaction. */
#ifndef DTRAK_STORE_SUBSET_H
#define DTRAK_STORE_SUBSET_H

#include "dtrak/err.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum { SUBSET_LEASE_S = 120 };

/* --- protocols --- */

enum protocol_kind { PROTOCOL_TRAIN, PROTOCOL_EVAL };

struct protocol {
    int64_t id;
    enum protocol_kind kind;
    char identity[65];            /* SHA-256 of kind and text */
    char *text;                   /* belongs to the list */
    char created[21];
};
struct protocol_list { struct protocol *protocol; size_t count; };
void protocol_list_free(struct protocol_list *l);

/* The id of the protocol of that text, made when it is not there. */
enum status store_protocol_ensure(struct store *s, enum protocol_kind kind, const char *text, int64_t *id);
/* The same without making it: *id = 0 when it is not there. */
enum status store_protocol_find(struct store *s, enum protocol_kind kind, const char *text, int64_t *id);
enum status store_protocols_list(struct store *s, struct protocol_list *out);   /* in order of age */

/* --- models --- */

enum subset_state { SUBSET_OPEN, SUBSET_DONE, SUBSET_DIVERGED };
const char *subset_state_name(enum subset_state state);   /* "open", "done", "diverged" */

struct subset_model {
    int64_t id, protocol;
    size_t index, seed;
    size_t n, size;               /* training items in all, and in the subset */
    enum subset_state state;
    double train_loss;            /* running mean at the end; NAN: not known */
    size_t steps;                 /* done so far, or in all */
    double seconds;               /* of training */
    int weights_kept;
    char owner[96];               /* who holds or held the lease */
    double lease_left_s;          /* <= 0: nobody trains it */
    char program[32], host[64];
    char created[21], ended[21];
};
struct subset_model_list { struct subset_model *model; size_t count; };
void subset_model_list_free(struct subset_model_list *l);

/* Takes model (index, seed) for owner; members[i] says whether item i < n is in
 * the subset.  Made when it is not there; a finished one, or one whose lease
 * somebody else holds, is ERR_MISSING.  A row with other members is ERR_FORMAT. */
enum status store_subset_claim(struct store *s, int64_t protocol, size_t index, size_t seed,
                               const unsigned char *members, size_t n, const char *owner,
                               struct subset_model *out);
/* Renews owner's lease; a state that is not NULL is kept to go on from (replaces).
 * ERR_MISSING: somebody else took it over. */
enum status store_subset_heartbeat(struct store *s, int64_t id, const char *owner, size_t step,
                                   double train_loss, double seconds, const void *state, size_t len);
/* A finished model whose weights were not kept is to be trained again: open, from the first step.  Others stay
 * as they are. */
enum status store_subset_reopen(struct store *s, int64_t id);
/* Gives the lease back; what was kept stays. */
enum status store_subset_release(struct store *s, int64_t id, const char *owner);
/* Ends the leases of an owner that is known to be gone. */
enum status store_subset_forget_owner(struct store *s, const char *owner);

/* What was kept: *bytes (the caller's to mem_free()) and the step; NULL and 0
 * when nothing was. */
enum status store_subset_state(struct store *s, int64_t id, size_t *step, void **bytes, size_t *len);

/* Per query the mean loss over each half of the timesteps (even and odd places):
 * values[rows][OUTPUT_PARTS]. */
enum { OUTPUT_PARTS = 2 };
struct subset_output { int64_t protocol; enum split split; size_t rows; const float *values; };

/* How a retraining ended, with its outputs (count of them; NaN where it
 * diverged) and, when not NULL, its weights; one transaction.  ERR_MISSING: the
 * lease is somebody else's now. */
struct subset_result {
    enum subset_state state;      /* SUBSET_DONE or SUBSET_DIVERGED */
    double train_loss, seconds;
    size_t steps;
    const void *weights; size_t weights_len;
    const struct subset_output *output; size_t outputs;
    const char *program, *host;   /* may be NULL */
};
enum status store_subset_finish(struct store *s, int64_t id, const char *owner, const struct subset_result *r);

/* A model that was finished elsewhere, whole.  *added: 1 it is new here (or some of
 * its outputs are), 0 the same was here, -1 it was here with other numbers, which
 * stay (another instruction set rounds otherwise).  Other members are ERR_FORMAT. */
enum status store_subset_import(struct store *s, int64_t protocol, size_t index, size_t seed,
                                const unsigned char *members, size_t n, const struct subset_result *r,
                                int *added);

/* Outputs of a finished model under another eval protocol; those that are there stay. */
enum status store_subset_outputs_add(struct store *s, int64_t id, const struct subset_output *o, size_t count);

enum status store_subsets_list(struct store *s, int64_t protocol, struct subset_model_list *out); /* by index, seed */
enum status store_subset_members(struct store *s, int64_t id, unsigned char *members, size_t n);
/* values[rows][OUTPUT_PARTS], verified; ERR_MISSING when there are none. */
enum status store_subset_output_read(struct store *s, int64_t id, int64_t protocol, enum split split,
                                     size_t rows, float *values);
/* Rows of the outputs of a model; 0: none. */
enum status store_subset_output_rows(struct store *s, int64_t id, int64_t protocol, enum split split, size_t *rows);
enum status store_subset_has_weights(struct store *s, int64_t id, int *has);
/* Of every model, all at once; what they gave stays, and finished models that gave nothing go. */
enum status store_subset_weights_drop(struct store *s);
/* The weights, verified; *bytes is the caller's to mem_free(); ERR_MISSING. */
enum status store_subset_weights(struct store *s, int64_t id, void **bytes, size_t *len);

/* How much of it all there is, whatever the protocol. */
/* measured: score sets with an LDS; without_some: of the done, those that a counterfactual picture was drawn by */
struct retrained_counts { size_t done, diverged, open, measured, counterfactuals, without_some; };
enum status store_retrained_count(struct store *s, struct retrained_counts *out);

/* --- measurements --- */

struct lds_row {
    int64_t score_set, train_protocol, eval_protocol;
    int centred;                  /* each model's mean over the queries taken away */
    size_t subsets, queries;
    double value, se, low, high;  /* correlations, not times 100; NAN: not determined */
    double q_eff, ceiling;        /* NAN: not determined */
    const double *per_query;      /* [queries]; when read the caller's to mem_free() */
    char created[21];
};
/* Replaces the row of the same score set, protocols and `centred`. */
enum status store_lds_put(struct store *s, const struct lds_row *row);
/* The newest row of a score set, plain or centred; ERR_MISSING. */
enum status store_lds_get(struct store *s, int64_t score_set, int centred, struct lds_row *out, double **per_query);

#endif
