/* small_study.h - projects of a few small pictures, made in moments: for tests of what is computed.
 *
 * A study says how many pictures of what size; they are noise, each its own, or drawn by the
 * test.  Then either a tiny network is trained on them (study_training()), or there is a
 * checkpoint without one (study_checkpoint()) and features are written by hand
 * (rig_features() of store_rig.h).  A store without pictures or maths: rig_project(). */
#ifndef TESTS_SMALL_STUDY_H
#define TESTS_SMALL_STUDY_H

#include "dtrak/pipeline.h"
#include "dtrak/store.h"

#include <stddef.h>

struct study {
    size_t width, height;
    size_t channels, patch;               /* 0: 1 */
    size_t items[SPLIT_COUNT];            /* train, val, gen */
    unsigned variant;                     /* another number, other pictures */
    /* pixels [height][width][channels] of an item; NULL: noise */
    void (*draw)(unsigned char *pixels, const struct study *y, enum split split, size_t item);
};

/* A published project at rig_path(name), in place of what was there; open for writing.
 * Labels are 0 "even" and 1 "odd" in turn. */
struct store *study_new(const char *name, const struct study *y);

/* Adds the pictures first .. first + count - 1 of the split, as study_new() does. */
void study_add(struct store *s, const struct study *y, enum split split, size_t first, size_t count);

void study_pixels(unsigned char *pixels, const struct study *y, enum split split, size_t item);

/* A checkpoint that is there and has no network; its id. */
int64_t study_checkpoint(struct store *s, size_t step, double percent);

/* For pipeline_train(): two levels of 8 and 16 channels, ten steps of six pictures, one thread;
 * checkpoints at 10, 25, 50 and 100 %, as by default. */
struct train_options study_training(void);
/* Checkpoints at 50 and 100 % only. */
void study_halves(struct train_options *o);

#endif
