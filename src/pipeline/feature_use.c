/* feature_use.c - kernels, eigenbases and scores of a set of features. */
#include "feature_use.h"

#include "dtrak/buf.h"
#include "dtrak/pipeline.h"

#include <stdio.h>
#include <string.h>

int feature_is_imported(const struct feature_set *set) { return set->identity.version == 0; }

static int fits(const struct score_set *scores, const struct feature_set *set) {
    const struct feature_identity *f = &set->identity;
    int at = 0;
    for (size_t i = 0; i < scores->checkpoints; i++) at |= scores->checkpoint[i] == set->checkpoint;
    return at && scores->timesteps == f->timesteps && scores->k == f->k && strcmp(scores->loss, f->loss) == 0 &&
           (f->split == SPLIT_TRAIN || f->split == scores->split);
}

/* Some scores add members of their own at the end. */
int pipeline_is_made_of(const struct score_set *scores, const struct feature_set *set) {
    char params[sizeof scores->params];
    if (!fits(scores, set)) return 0;
    pipeline_feature_params(params, sizeof params, &set->identity);
    size_t len = strlen(params) - 1;
    return strncmp(scores->params, params, len) == 0 && (scores->params[len] == '}' || scores->params[len] == ',');
}

int pipeline_may_be_made_of(const struct score_set *scores, const struct feature_set *set) {
    return pipeline_is_made_of(scores, set) || (fits(scores, set) && !strstr(scores->params, "\"features_version\":"));
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
    for (size_t i = 0; i < l.count; i++) out->scores |= l.set[i].rows_done > 0 && pipeline_is_made_of(&l.set[i], set);
    score_set_list_free(&l);
    return OK;
}

void feature_leverage_key(char out[LEVERAGE_KEY_TEXT], const struct feature_identity *f, const char *lambda) {
    const struct features_options usual = FEATURES_DEFAULTS;
    struct buf b = BUF_INIT;
    buf_printf(&b, LEVERAGE_KEY "%s", f->loss, f->timesteps, f->k, lambda);
    if (f->version) {   /* of imported ones the identity says nothing */
        if (strcmp(f->rule, "uniform") != 0) buf_printf(&b, " %s", f->rule);
        if (f->draws > 1) buf_printf(&b, " draws %zu", f->draws);
        if (f->noise_seed != usual.noise_seed) buf_printf(&b, " noise %llu", (unsigned long long)f->noise_seed);
        if (strcmp(f->projection, "sjlt") != 0) buf_printf(&b, " %s", f->projection);
        else if (f->nonzeros > 1) buf_printf(&b, " sjlt:%zu", f->nonzeros);
        if (f->projection_seed != usual.projection_seed) buf_printf(&b, " seed %llu", (unsigned long long)f->projection_seed);
        if (f->float32) buf_text(&b, " f32");
    }
    snprintf(out, LEVERAGE_KEY_TEXT, "%s", b.data ? b.data : "");
    buf_free(&b);
}

enum status feature_forget(struct store *s, const struct feature_set *set) {
    const struct feature_identity *f = &set->identity;
    struct stat_set_list l;
    char key[sizeof l.set->key];
    TRY(store_feature_set_delete(s, set->id));
    if (!feature_is_imported(set) || f->split != SPLIT_TRAIN) return OK;
    TRY(store_stats_names(s, &l));
    enum status st = OK;
    snprintf(key, sizeof key, LEVERAGE_KEY, f->loss, f->timesteps, f->k);
    for (size_t i = 0; i < l.count && st == OK; i++) {
        const struct stat_set *x = &l.set[i];
        struct stat_key found = { x->name, x->key, x->checkpoint, x->split };
        if (!strcmp(x->name, "self_influence") && x->checkpoint == set->checkpoint && !strncmp(x->key, key, strlen(key)))
            st = store_stat_delete(s, &found);
    }
    stat_set_list_free(&l);
    return st;
}
