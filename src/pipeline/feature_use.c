/* feature_use.c - kernels, eigenbases and scores of a set of features. */
#include "feature_use.h"

#include "dtrak/pipeline.h"

#include <string.h>

int feature_is_imported(const struct feature_set *set) { return set->identity.version == 0; }

/* Whether the scores say that they are of features like these; some add members of their own at the end. */
static int is_of(const struct score_set *scores, const struct feature_set *set) {
    const struct feature_identity *f = &set->identity;
    char params[sizeof scores->params];
    int at = 0;
    for (size_t i = 0; i < scores->checkpoints; i++) at |= scores->checkpoint[i] == set->checkpoint;
    if (!at || scores->timesteps != f->timesteps || scores->k != f->k || strcmp(scores->loss, f->loss) != 0) return 0;
    if (f->split != SPLIT_TRAIN && f->split != scores->split) return 0;
    pipeline_feature_params(params, sizeof params, f);
    size_t len = strlen(params) - 1;
    return strncmp(scores->params, params, len) == 0 && (scores->params[len] == '}' || scores->params[len] == ',');
}

enum status feature_use_find(struct feature_use *out, struct store *s, const struct feature_set *set) {
    struct basis_info basis;
    struct score_set_list l;
    *out = (struct feature_use){ 0 };
    TRY(store_kernel_has(s, set->id, KERNEL_GRAM, SPLIT_TRAIN, &out->kernel));
    enum status st = store_basis_find(s, set->id, &basis);
    if (st != OK && st != ERR_MISSING) return st;
    out->basis = st == OK;
    TRY(store_score_sets_list(s, &l));
    for (size_t i = 0; i < l.count; i++) out->scores |= l.set[i].rows_done > 0 && is_of(&l.set[i], set);
    score_set_list_free(&l);
    return OK;
}
