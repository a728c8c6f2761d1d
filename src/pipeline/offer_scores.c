/* offer_scores.c - the commands after which there are scores: what these are made of, and the scores. */
#include "dtrak/offer_scores.h"

#include "lds_outputs.h"
#include "score_source.h"

#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>

/* --- what is there --- */

/* The queries of a source that is limited to a split, where its kernel does not have all of them. */
static enum status try_source(struct offer_scores *out, struct store *s, struct source_wanted *w, enum split split) {
    struct source src = { 0 };
    enum status st = source_find(&src, s, w);
    out->there = st == OK;
    if (st == OK && src.needed[split] < src.items[split]) {
        size_t has = src.has_kernel ? src.kernel_rows[split] : src.query[split].rows;
        snprintf(out->queries, sizeof out->queries, has > 1 ? " --query %s:0-%zu" : " --query %s:%zu", split_name(split), has - 1);
    }
    source_close(&src);
    return st == ERR_MISSING ? OK : st;
}

enum status offer_scores_find(struct offer_scores *out, struct store *s, const struct offer_features *w, struct item_ref query) {
    size_t items[SPLIT_COUNT], needed[SPLIT_COUNT];
    unsigned all = 0;
    *out = (struct offer_scores){ 0 };
    for (int q = 0; q < SPLIT_COUNT; q++) {
        TRY(store_items_count(s, (enum split)q, &items[q]));
        if (q != SPLIT_TRAIN && items[q]) all |= 1u << q;
    }
    memcpy(needed, items, sizeof needed);
    struct source_wanted want = { .checkpoint = w->checkpoint, .loss = w->loss, .timesteps = w->timesteps, .dims = w->k,
                                  .splits = all, .items = items, .needed = needed };
    TRY(try_source(out, s, &want, query.split));
    if (out->there) return OK;
    want.splits = 1u << query.split;
    TRY(try_source(out, s, &want, query.split));
    if (out->there) snprintf(out->queries, sizeof out->queries, " --split %s", split_name(query.split));
    if (out->there) return OK;
    needed[query.split] = query.index + 1;
    return try_source(out, s, &want, query.split);
}

/* --- what is known when commands are put together --- */

struct offer {
    struct store *s;
    const struct offer_wanted *w;
    struct buf *b;
    char *why, db[1024];
    struct checkpoint_list checkpoints, several;   /* all; those of a mean */
    struct feature_set_list features;
};

static void offer_close(struct offer *o) {
    checkpoint_list_free(&o->checkpoints);
    checkpoint_list_free(&o->several);
    feature_set_list_free(&o->features);
}

static enum status offer_open(struct offer *o, struct store *s) {
    text_shell_word(o->db, sizeof o->db, store_path(s));
    TRY(store_checkpoints_list(s, &o->checkpoints));
    TRY(store_feature_sets_list(s, &o->features));
    if (!o->w->several) return OK;
    TRY(store_checkpoints_resolve(s, o->w->several, &o->several));
    if (o->several.count < 2) snprintf(o->why, OFFER_WHY, "it is a mean over several checkpoints, and there is one");
    return OK;
}

static void add_checkpoint(struct offer *o) {
    char word[CHECKPOINT_OPTION];
    if (o->w->several) text_shell_word(word, sizeof word, o->w->several);
    else if (o->w->checkpoint) checkpoint_option(word, o->w->checkpoint);
    else return;
    buf_printf(o->b, " --checkpoint %s", word);
}

static void add_features(struct offer *o, const struct feature_set *like, const struct offer_features *want) {
    char options[OFFER_OPTIONS];
    offer_features_options(options, like, want);
    buf_printf(o->b, "dtrak features %s --loss %s", o->db, loss_name(o->w->loss));
    add_checkpoint(o);
    buf_printf(o->b, "%s && ", options);
}

/* The first reason stays. */
static void note_weights(struct offer *o, const struct checkpoint *c) {
    char weights[OFFER_WEIGHTS];
    offer_weights(weights, c);
    if (!o->why[0]) snprintf(o->why, OFFER_WHY, "%s", weights);
}

/* Of several: those that shall be alike, and their timesteps and k into *want. */
static enum status like_several(struct offer *o, const struct feature_set **like, struct offer_features *want) {
    TRY(offer_like_several(like, NULL, o->s, &o->features, &o->several, want));
    if (*like && !want->k) want->k = (*like)->identity.k;
    if (*like && !want->timesteps) want->timesteps = (*like)->identity.timesteps;
    return OK;
}

/* --- what scores are made of --- */

/* Features of several checkpoints, made alike: *want says of which timesteps and k.  Where they are there, scores may be
 * had of some queries alone. */
static enum status add_several(struct offer *o, struct offer_features *want, struct offer_scores *scores) {
    const struct feature_set *like;
    struct offer_scores each;
    int missing = 0;
    TRY(like_several(o, &like, want));
    for (size_t i = 0; i < o->several.count; i++) {
        want->checkpoint = &o->several.checkpoint[i];
        TRY(offer_scores_find(&each, o->s, want, o->w->query));
        if (each.queries[0]) *scores = each;
        if (each.there) continue;
        missing = 1;
        note_weights(o, want->checkpoint);
    }
    if (!missing) return OK;
    scores->queries[0] = 0;
    add_features(o, like, want);
    return OK;
}

static enum status add_single(struct offer *o, const struct offer_features *want, struct offer_scores *scores) {
    TRY(offer_scores_find(scores, o->s, want, o->w->query));
    if (scores->there) return OK;
    note_weights(o, want->checkpoint);
    add_features(o, offer_like(&o->features, &o->checkpoints, want), want);
    return OK;
}

/* What journey has at a checkpoint: whole features of the training items, and those along the paths of all queries that go
 * with them.  like: what they must be like; NULL: any. */
struct journey { const struct feature_set *train; int has_path; };

static struct journey find_journey(const struct offer *o, const struct offer_features *w, const struct feature_set *like, const size_t *items) {
    struct journey best = { NULL, 0 };
    for (size_t i = 0; i < o->features.count; i++) {
        const struct feature_set *f = &o->features.set[i];
        int has_path = 0;
        if (f->checkpoint != w->checkpoint->id || !offer_is_of(f, w) || !source_has_all(f, items[SPLIT_TRAIN])) continue;
        if (like && !offer_is_alike(f, like)) continue;
        for (size_t k = 0; k < o->features.count && !has_path; k++)
            has_path = source_is_path_of(f, &o->features.set[k], SPLIT_GEN) && source_has_all(&o->features.set[k], items[SPLIT_GEN]);
        if (best.train && (has_path != best.has_path ? !has_path : !feature_set_is_better(f, best.train))) continue;
        best = (struct journey){ f, has_path };
    }
    return best;
}

/* What journey lacks, of one checkpoint or of several. */
static enum status add_journey(struct offer *o, struct offer_features *want) {
    const struct feature_set *like = NULL;
    const struct checkpoint *c = o->w->several ? o->several.checkpoint : want->checkpoint;
    size_t items[SPLIT_COUNT] = { 0 }, count = o->w->several ? o->several.count : 1;
    struct journey has = { NULL, 0 };
    int no_train = 0, no_path = 0;
    char options[OFFER_OPTIONS];
    for (int q = 0; q < SPLIT_COUNT; q++) TRY(store_items_count(o->s, (enum split)q, &items[q]));
    if (o->w->several) TRY(like_several(o, &like, want));
    for (size_t i = 0; i < count; i++) {
        want->checkpoint = &c[i];
        has = find_journey(o, want, like, items);
        no_train |= !has.train;
        no_path |= !has.has_path;
        if (!has.has_path) note_weights(o, want->checkpoint);
    }
    if (!o->w->several) like = has.train ? has.train : offer_like(&o->features, &o->checkpoints, want);
    if (no_train) add_features(o, like, want);
    if (!no_path) return OK;
    buf_printf(o->b, "dtrak features %s --journey --loss %s", o->db, loss_name(want->loss));
    add_checkpoint(o);
    struct offer_features any_steps = *want;
    any_steps.timesteps = 0;
    offer_features_options(options, NULL, &any_steps);
    if (like) {
        struct feature_identity f = like->identity;
        if (want->k) f.k = want->k;
        offer_options(options, &f, 0);
    }
    buf_printf(o->b, "%s && ", options);
    return OK;
}

/* The embeddings that are not there: of the training items, and of the query's split. */
static enum status add_embeddings(struct offer *o) {
    const enum split split[2] = { SPLIT_TRAIN, o->w->query.split };
    struct embedding_list l;
    char name[4 * EMBEDDING_NAME] = "";
    TRY(store_embeddings_list(o->s, &l));
    if (l.count && strcmp(l.embedding[0].name, "clip")) text_shell_word(name, sizeof name, l.embedding[0].name);
    for (int k = 0; k < 2; k++) {
        int there = 0;
        for (size_t i = 0; i < l.count; i++) there |= l.embedding[i].split == split[k] && !strcmp(l.embedding[i].name, l.embedding[0].name);
        if (there) continue;
        buf_printf(o->b, "dtrak add %s --embedding %s.npy --split %s", o->db, split_name(split[k]), split_name(split[k]));
        if (name[0]) buf_printf(o->b, " --name %s", name);
        buf_text(o->b, " && ");
    }
    embedding_list_free(&l);
    return OK;
}

/* Retrained networks say nothing of other queries than those that they were evaluated at. */
static enum status check_retrained(struct offer *o) {
    struct lds_outputs outputs;
    const struct lds_query *q = NULL;
    struct item_ref query = o->w->query;
    char name[32], where[LDS_WHERE];
    enum status st = lds_outputs_open(&outputs, o->s, o->w->method == METHOD_DATAMODEL ? 3 : 2);
    if (st == OK) {
        st = lds_outputs_check(&outputs, query.split, &q);
        item_ref_format(name, query);
        lds_outputs_where(&outputs, where);
        if (st == OK && (!q || query.index < q->first || query.index - q->first >= q->Q))
            st = fail(ERR_MISSING, "the retrained networks were not evaluated at %s, but at %s", name, where);
        lds_outputs_close(&outputs);
    }
    if (st != ERR_MISSING && st != ERR_RANGE) return st;
    snprintf(o->why, OFFER_WHY, "%s", fail_reason());
    return OK;
}

/* --- the commands --- */

static enum status add_commands(struct offer *o) {
    const struct offer_wanted *w = o->w;
    struct offer_features want = { w->checkpoint, w->loss, w->timesteps, w->k };
    struct offer_scores scores = { 0 };
    int of_checkpoint = w->several || w->checkpoint;
    if (method_has_embedding(w->method)) TRY(add_embeddings(o));
    if (method_has_retrained(w->method)) TRY(check_retrained(o));
    if (w->method == METHOD_JOURNEY && of_checkpoint) TRY(add_journey(o, &want));
    else if (method_has_features(w->method) && w->several) TRY(add_several(o, &want, &scores));
    else if (method_has_features(w->method) && of_checkpoint) TRY(add_single(o, &want, &scores));
    buf_printf(o->b, "dtrak score %s --method %s", o->db, method_name(w->method));
    if (w->loss != LOSS_COUNT) buf_printf(o->b, " --loss %s", loss_name(w->loss));
    add_checkpoint(o);
    if (w->several && !method_has_several(w->method)) buf_text(o->b, " --ensemble");
    if (want.timesteps) buf_printf(o->b, " --timesteps %zu", want.timesteps);
    if (want.k) buf_printf(o->b, " --dims %zu", want.k);
    if (w->lambda && w->lambda[0]) buf_printf(o->b, " --lambda %s", w->lambda);
    if (method_has_embedding(w->method) || method_has_retrained(w->method)) buf_printf(o->b, " --split %s", split_name(w->query.split));
    buf_text(o->b, scores.queries);
    return buf_status(o->b);
}

enum status offer_scores_commands(struct buf *b, char why[OFFER_WHY], struct store *s, const struct offer_wanted *w) {
    struct offer o = { .s = s, .w = w, .b = b, .why = why };
    why[0] = 0;
    enum status st = offer_open(&o, s);
    if (st == OK && !why[0]) st = add_commands(&o);
    offer_close(&o);
    return st;
}
