/* traker_info.h - what a save_dir of the package traker says of itself: metadata.json,
 * id_<model>.json and experiments.json.
 * Checked against: tests/unit/exchange_test.c. */
#ifndef DTRAK_TRAKER_INFO_H
#define DTRAK_TRAKER_INFO_H

#include "dtrak/err.h"
#include "dtrak/json.h"

#include <stddef.h>

/* Each takes the root of its file; name is for messages. */

struct traker_metadata { size_t rows, dims; char matrix[16]; };   /* matrix: "jl-rademacher" */
enum status traker_metadata_parse(struct traker_metadata *out, const struct json *root, const char *name);

struct traker_model { long id; int is_featurized; };
enum status traker_model_parse(struct traker_model *out, const struct json *root, const char *name);

/* Experiment i < json_len(root); 0 when its name is not one of a file in the folder (a
 * path, say) or nothing sensible is said of it.  The name lives as long as the JSON. */
struct traker_experiment { const char *name; size_t targets; int has_scores; };
int traker_experiment_at(struct traker_experiment *out, const struct json *root, size_t i);
enum { TRAKER_NAME_MAX = 127 };

#endif
