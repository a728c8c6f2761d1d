/* store_rig.h - databases for tests: a temporary folder, a small filled project,
 * and a way round the store to damage it. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "dtrak/store.h"

/* A temporary folder of this process's own, made by the first call. */
const char *rig_folder(void);
/* A path in it; valid until the 16th call after. */
const char *rig_path(const char *name);
void rig_clear(void);                        /* removes the folder and all that is in it */
int rig_exists(const char *path);

/* The teardown of a cmocka group or case: rig_clear(), and nothing may be left allocated. */
int rig_end(void **state);

/* Runs SQL on a file behind the store's back; asserts that it worked. */
void rig_sql(const char *path, const char *sql);
long long rig_number(const char *path, const char *sql);

enum { RIG_TRAIN = 40, RIG_VAL = 3, RIG_GEN = 7 };

/* A published project at path with two labels, items in all splits and the
 * checkpoints 100 (10 %), 500 (50 %), 1000 (100 %); open for writing. */
struct store *rig_project(const char *path);

/* Identity of a feature set of the checkpoint `last`, k = 6, float16. */
struct feature_identity rig_identity(struct store *s, enum split split);

/* A complete feature set of that identity, in one block: values [parts][rows][k]. */
struct feature_set rig_features(struct store *s, const struct feature_identity *id, size_t rows, const float *values);

/* A number that looks random and depends on its arguments only, in (-1, 1). */
float rig_value(size_t a, size_t b);

#endif
