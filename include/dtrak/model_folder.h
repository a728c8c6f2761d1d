/* model_folder.h - a diffusers model on disk, read whole and checked.
 *
 * DIR holds config.json and diffusion_pytorch_model.safetensors (or its shards
 * with their .index.json, or the older .bin), or is a pipeline with unet/ and
 * scheduler/ inside.  scheduler_config.json is looked for in DIR, DIR/scheduler
 * and beside the network's folder.  dtrak.json, where there is one, says what
 * diffusers has no field for: patch, step, percent, epoch,
 * train_loss, name, sha256. */
#ifndef DTRAK_MODEL_FOLDER_H
#define DTRAK_MODEL_FOLDER_H

#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/safetensors.h"
#include "dtrak/schedule.h"
#include "dtrak/unet.h"

#include <stddef.h>

struct model_folder {
    struct unet_config config;
    struct unet *u;
    struct schedule *schedule;
    int has_schedule;             /* scheduler_config.json was there */
    struct buf weights;           /* the parameters as one safetensors file in canonical order and
                                     names, each of the type it had: what is stored */
    char weights_type[8];         /* F32, F16, BF16 or mixed */
    char sha256[65];              /* of weights */
    /* Of dtrak.json, or of a path with checkpoint-8000 in it (step). */
    size_t patch;                 /* 0: not said */
    size_t step;
    int has_step;
    double percent, epoch;
    double train_loss;            /* NAN: not said */
    char name[128];
};

/* sample_size: height and width where config.json has none.  change: what takes the
 * place of scheduler_config.json's (or of the default schedule's), or NULL.  Errors
 * name the file and the field or tensor. */
enum status model_folder_read(struct model_folder *out, const char *dir, const size_t sample_size[2],
                              const struct schedule_change *change);
void model_folder_free(struct model_folder *m);   /* fine on a zeroed one */

#endif
