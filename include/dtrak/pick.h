/* pick.h - which of the stored sets are meant, in the words of the command line.
 *
 * What is not said fits everything.  A feature set has a loss, a checkpoint, timesteps
 * and dims; a score set also a method and a lambda. */
#ifndef DTRAK_PICK_H
#define DTRAK_PICK_H

#include "dtrak/err.h"
#include "dtrak/lambda.h"
#include "dtrak/loss.h"
#include "dtrak/method.h"
#include "dtrak/store.h"

#include <stddef.h>

struct pick {
    const char *method;           /* "trak", or dtrak: trak with loss square */
    const char *loss, *lambda;    /* lambda: one, or "grid" */
    const char *checkpoint;       /* as store_checkpoints_resolve() has it; a set is of these and of no others */
    size_t timesteps, k;
    unsigned splits;              /* bit per enum split */
};

struct picker {
    enum method method;           /* METHOD_COUNT: any */
    enum loss loss;               /* LOSS_COUNT: any */
    char lambda[LAMBDA_TEXT];     /* "": any */
    int on_grid;                  /* any lambda of the grid */
    struct checkpoint_list checkpoint;
    int has_checkpoint;
    size_t timesteps, k;
    unsigned splits;              /* 0: any */
};

/* ERR_USAGE names the word that is none, ERR_MISSING the checkpoint. */
enum status picker_open(struct picker *out, struct store *s, const struct pick *p);
void picker_close(struct picker *p);      /* fine on a zeroed one */

int picker_takes_scores(const struct picker *p, const struct score_set *set);
int picker_takes_features(const struct picker *p, const struct feature_set *set);
int picker_takes_checkpoint(const struct picker *p, int64_t id);

/* "D-TRAK of gen, checkpoint 8000, k 2048, 50 timesteps, lambda 0.05", "features of train, loss
 * square, ...", for people. */
enum status pick_describe_scores(char *out, size_t size, struct store *s, const struct score_set *set);
enum status pick_describe_features(char *out, size_t size, struct store *s, const struct feature_set *set);

#endif
