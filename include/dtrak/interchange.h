/* interchange.h - what other programs computed, into a database and out of it.
 *
 * An import is one transaction: on any error the database is as it was.  What
 * is imported carries where it came from and a checksum of the file in its
 * parameters, so that two files of scores are two sets, and features of one file
 * do not pass for those of another. */
#ifndef DTRAK_INTERCHANGE_H
#define DTRAK_INTERCHANGE_H

#include "dtrak/array.h"
#include "dtrak/err.h"
#include "dtrak/progress.h"
#include "dtrak/store_item.h"

#include <stddef.h>
#include <stdint.h>

struct store;

enum import_kind { IMPORT_NPY, IMPORT_RAW, IMPORT_SAFETENSORS, IMPORT_PICKLE, IMPORT_CSV, IMPORT_TRAKER, IMPORT_DTRAK, IMPORT_BERGSON, IMPORT_KINDS };
enum import_kind import_kind_parse(const char *name);    /* "npy", ...; or IMPORT_KINDS */

enum import_axes { AXES_NONE, AXES_QUERY_TRAIN, AXES_TRAIN_QUERY };

struct import_options {
    enum import_kind kind;
    const char *path;
    const char *tensor;          /* safetensors: which; NULL: the only one.  bergson: which module; NULL: all.
                                  * pickle: the place in nested lists, "0.3"; NULL: the pickle is the array */
    enum array_type raw_type;    /* raw files: ARRAY_F32 */
    size_t dims;                 /* raw files: numbers per row; 0: as many as the axes want */
    size_t used;                 /* features: how many of the columns, from the first; 0: all */
    int features;                /* rows of features of `split`, else scores of its queries */
    enum import_axes axes;       /* of scores; must be said */
    enum split split;
    const char *query_index;     /* file: which item each row (scores: query) is; NULL: in order */
    const char *train_index;     /* scores: which training item each column is; NULL: in order */
    const char *method, *loss, *lambda;   /* scores; loss also features; NULL: none said */
    const char *checkpoint;      /* a name that is here, or a step, which is made without weights */
    const char *name;            /* recorded: the experiment's; NULL: the file's */
    const char *experiment;      /* traker: which; NULL: all */
    const char *setting;         /* d-trak: "5000-0.5", where the tree has several; NULL: its only one */
    const char *projection;      /* features: its name, of at most 15 letters; NULL "imported", or what the tool is called */
    const char *rule;            /* features: NULL "uniform" */
    size_t timesteps;            /* 0: not known */
    uint64_t noise_seed, projection_seed;
    int in_place;                /* features: stay in their files, see store_feature_file.h */
    int allow_zero;              /* rows of zeros are as they should be */
};
#define IMPORT_DEFAULTS { .kind = IMPORT_NPY, .raw_type = ARRAY_F32, .split = SPLIT_GEN }

/* What o->kind, o->features and, of bergson, the folder o->path say of what is there: one of the bits, or
 * both where a folder may hold both. */
enum { IMPORT_FEATURES = 1, IMPORT_SCORES = 2 };
unsigned import_content(const struct import_options *o);

struct import_result {
    size_t score_sets, queries, n;          /* of the last score set: rows and columns */
    size_t feature_sets, rows, k;           /* of the last feature set */
    size_t items, subsets, outputs, checkpoints_made, skipped;
    int64_t checkpoint_step;                /* -1: none */
    int lists;                              /* rankings with a top list only */
    int mapped;                             /* feature sets that stay where they are */
    char note[256];                         /* for people; "" */
};

enum status pipeline_import(struct store *s, const struct import_options *o, const struct progress *p,
                            struct import_result *r);

#endif
