/* trained_study.h - the study that tests of the verbs train, sample, features and gradient share:
 * a few pictures, and a tiny network trained on them. */
#ifndef TESTS_TRAINED_STUDY_H
#define TESTS_TRAINED_STUDY_H

#include "small_study.h"

/* D: floats of a picture; its sides are unequal, or exchanged axes would not show. */
enum { STUDY_TRAIN = 37, STUDY_VAL = 5, STUDY_W = 12, STUDY_H = 8, STUDY_D = STUDY_W * STUDY_H };

/* 37 + 5 grey pictures, patch 2. */
extern const struct study trained_pictures;

/* 12 steps of 10 pictures, some flipped, two threads; four checkpoints. */
struct train_options trained_training(void);

/* The study at rig_path(name), open for writing: as it was left, or made and trained. */
struct store *trained_study(const char *name);

/* The weights' hashes, one after the other. */
enum { STUDY_HASHES = 4 * 64 + 1 };
void trained_hashes(struct store *s, char out[STUDY_HASHES]);

/* Every loss, 20 timesteps (two batches of ten), k 64, float32, two threads, noise of seed 3. */
struct features_options trained_features(void);

/* The one complete set that these options make of a loss and split, last checkpoint. */
struct feature_set trained_set(struct store *s, const struct features_options *o, enum split split, enum loss loss);

/* Its rows: out [parts][rows][dims]. */
void trained_rows(struct store *s, const struct features_options *o, enum split split, enum loss loss, float *out);

#endif
