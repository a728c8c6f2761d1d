#include "dtrak/traker_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status traker_metadata_parse(struct traker_metadata *out, const struct json *root, const char *name) {
    int64_t n = json_int(json_get(root, "train set size"), -1), k = json_int(json_get(root, "JL dimension"), -1);
    *out = (struct traker_metadata){ 0 };
    snprintf(out->matrix, sizeof out->matrix, "jl-%.12s", json_string(json_get(root, "JL matrix type"), "unknown"));
    if (n < 1 || n > (int64_t)1 << 40 || k < 1 || k > 1 << 24)
        return fail(ERR_FORMAT, "%s: 'train set size' and 'JL dimension' are expected, as traker writes them", name);
    out->rows = (size_t)n;
    out->dims = (size_t)k;
    return OK;
}

enum status traker_model_parse(struct traker_model *out, const struct json *root, const char *name) {
    const char *key = json_key(root, 0);
    *out = (struct traker_model){ -1, 0 };
    if (!key || !*key || strspn(key, "0123456789") != strlen(key) || strlen(key) > 9)
        return fail(ERR_FORMAT, "%s: a model's number is expected as the one key", name);
    *out = (struct traker_model){ strtol(key, NULL, 10), json_int(json_get(json_at(root, 0), "is_featurized"), 0) == 1 };
    return OK;
}

int traker_experiment_at(struct traker_experiment *out, const struct json *root, size_t i) {
    const char *name = json_key(root, i);
    const struct json *v = json_at(root, i);
    int64_t targets = json_int(json_get(v, "num_targets"), -1);
    if (!name || !*name || *name == '.' || strchr(name, '/') || strlen(name) > TRAKER_NAME_MAX || targets < 0 || targets > (int64_t)1 << 40) return 0;
    *out = (struct traker_experiment){ name, (size_t)targets, json_int(json_get(v, "scores_finalized"), 0) == 1 };
    return 1;
}
