/* ranking_missing.c - the commands after which there is a ranking, as they can be typed.
 *
 * They make what is missing and no more: features like those that are there, of several checkpoints
 * together where the method is a mean over them, and scores of the queries that what is there serves. */
#include "ranking_missing.h"

#include "dtrak/buf.h"
#include "dtrak/offer.h"
#include "dtrak/text.h"

#include <stdio.h>
#include <string.h>

/* What is known when commands are put together.  why: why there are none. */
struct offer {
    struct store *s;
    const struct ranking_wanted *w;
    const struct report_request *r;
    struct buf b;
    char db[1024], why[400];
    struct checkpoint_list checkpoints, several;   /* all; those of a mean */
    struct feature_set_list features;
};

static void offer_close(struct offer *o) {
    buf_free(&o->b);
    checkpoint_list_free(&o->checkpoints);
    checkpoint_list_free(&o->several);
    feature_set_list_free(&o->features);
}

static const char *several_names(const struct offer *o) { return o->w->named > 1 ? o->r->checkpoint : "all"; }

static void add_checkpoint(struct offer *o) {
    char word[CHECKPOINT_OPTION];
    if (o->w->checkpoint > 0) buf_printf(&o->b, " --checkpoint %s", o->w->of->option);
    if (o->w->checkpoint >= 0) return;
    text_shell_word(word, sizeof word, several_names(o));
    buf_printf(&o->b, " --checkpoint %s", word);
}

static void add_features(struct offer *o, const struct feature_set *like, const struct offer_features *want) {
    char options[OFFER_OPTIONS];
    offer_features_options(options, like, want);
    buf_printf(&o->b, "dtrak features %s --loss %s", o->db, loss_name(o->w->loss));
    add_checkpoint(o);
    buf_printf(&o->b, "%s && ", options);
}

static const struct checkpoint *checkpoint_of(const struct offer *o) {
    for (size_t i = 0; i < o->checkpoints.count; i++)
        if (o->checkpoints.checkpoint[i].id == o->w->checkpoint) return &o->checkpoints.checkpoint[i];
    return NULL;
}

static int is_path(const struct feature_set *f) { return !strcmp(f->identity.rule, FEATURE_RULE_JOURNEY); }

static int is_of(const struct feature_set *f, const struct offer_features *w, enum split split) {
    return f->identity.split == split && !strcmp(f->identity.loss, loss_name(w->loss)) && f->checkpoint == w->checkpoint->id &&
           (!w->k || f->identity.k == w->k) && (!w->timesteps || f->identity.timesteps == w->timesteps);
}

/* What journey lacks: features of the training items, and those along the paths of all queries with the same projection. */
static enum status add_journey(struct offer *o, const struct offer_features *want) {
    struct offer_features any_steps = *want;
    const struct feature_set *train = NULL, *like = NULL;
    size_t trained, made;
    int has_path = 0;
    char options[OFFER_OPTIONS];
    TRY(store_items_count(o->s, SPLIT_TRAIN, &trained));
    TRY(store_items_count(o->s, SPLIT_GEN, &made));
    any_steps.timesteps = 0;
    for (size_t i = 0; i < o->features.count; i++) {
        const struct feature_set *f = &o->features.set[i];
        if (is_of(f, want, SPLIT_TRAIN) && !f->dropped && f->rows_done >= trained && !is_path(f) &&
            (!train || feature_set_is_better(f, train))) train = f;
    }
    for (size_t i = 0; train && i < o->features.count; i++) {
        const struct feature_set *f = &o->features.set[i];
        has_path |= is_of(f, &any_steps, SPLIT_GEN) && is_path(f) && !f->dropped && f->rows_done >= made &&
                    f->identity.k == train->identity.k && !strcmp(f->projection, train->projection);
    }
    if (!train || !has_path) offer_weights(o->why, want->checkpoint);
    like = train ? train : offer_like(&o->features, &o->checkpoints, want);
    if (!train) add_features(o, like, want);
    if (has_path) return OK;
    buf_printf(&o->b, "dtrak features %s --journey --loss %s", o->db, loss_name(want->loss));
    add_checkpoint(o);
    if (like) {
        struct feature_identity f = like->identity;
        if (want->k) f.k = want->k;
        offer_options(options, &f, 0);
    } else {
        offer_features_options(options, NULL, &any_steps);
    }
    buf_printf(&o->b, "%s && ", options);
    return OK;
}

/* The embeddings that are not there: of the training items, and of the query's split. */
static enum status add_embeddings(struct offer *o) {
    const enum split split[2] = { SPLIT_TRAIN, o->r->query.split };
    struct embedding_list l;
    char name[4 * EMBEDDING_NAME] = "";
    TRY(store_embeddings_list(o->s, &l));
    if (l.count && strcmp(l.embedding[0].name, "clip")) text_shell_word(name, sizeof name, l.embedding[0].name);
    for (int k = 0; k < 2; k++) {
        int there = 0;
        for (size_t i = 0; i < l.count; i++) there |= l.embedding[i].split == split[k] && !strcmp(l.embedding[i].name, l.embedding[0].name);
        if (there) continue;
        buf_printf(&o->b, "dtrak add %s --embedding %s.npy --split %s", o->db, split_name(split[k]), split_name(split[k]));
        if (name[0]) buf_printf(&o->b, " --name %s", name);
        buf_text(&o->b, " && ");
    }
    embedding_list_free(&l);
    return OK;
}

/* Features of several checkpoints, made alike: *want says of which timesteps and k.  Where they are there, scores may be
 * had of some queries alone. */
static enum status add_several(struct offer *o, struct offer_features *want, struct offer_scores *scores) {
    const struct feature_set *like;
    struct offer_scores each;
    int missing = 0;
    TRY(store_checkpoints_resolve(o->s, several_names(o), &o->several));
    if (o->several.count < 2) {
        snprintf(o->why, sizeof o->why, "it is a mean over several checkpoints, and there is one");
        return OK;
    }
    TRY(offer_like_several(&like, NULL, o->s, &o->features, &o->several, want));
    if (like && !want->k) want->k = like->identity.k;
    if (like && !want->timesteps) want->timesteps = like->identity.timesteps;
    for (size_t i = 0; i < o->several.count; i++) {
        want->checkpoint = &o->several.checkpoint[i];
        TRY(offer_scores_find(&each, o->s, want, o->r->query));
        if (each.queries[0]) *scores = each;
        if (each.there) continue;
        missing = 1;
        if (!o->why[0]) offer_weights(o->why, want->checkpoint);
    }
    if (!missing) return OK;
    scores->queries[0] = 0;
    add_features(o, like, want);
    return OK;
}

static enum status add_single(struct offer *o, const struct offer_features *want, struct offer_scores *scores) {
    TRY(offer_scores_find(scores, o->s, want, o->r->query));
    if (scores->there) return OK;
    offer_weights(o->why, want->checkpoint);
    add_features(o, offer_like(&o->features, &o->checkpoints, want), want);
    return OK;
}

/* The commands after which there are scores: those that make what scores are made of, where it is not there, and the last one. */
static enum status add_commands(struct offer *o) {
    const struct ranking_wanted *w = o->w;
    struct offer_features want = { checkpoint_of(o), w->loss, o->r->timesteps, o->r->k };
    struct offer_scores scores = { 0 };
    if (method_has_embedding(w->method)) TRY(add_embeddings(o));
    if (w->method == METHOD_JOURNEY && want.checkpoint) TRY(add_journey(o, &want));
    else if (method_has_features(w->method) && w->checkpoint < 0) TRY(add_several(o, &want, &scores));
    else if (method_has_features(w->method) && want.checkpoint) TRY(add_single(o, &want, &scores));
    buf_printf(&o->b, "dtrak score %s --method %s", o->db, method_name(w->method));
    if (w->loss != LOSS_COUNT) buf_printf(&o->b, " --loss %s", loss_name(w->loss));
    add_checkpoint(o);
    if (w->checkpoint < 0 && !method_has_several(w->method)) buf_text(&o->b, " --ensemble");
    if (want.timesteps) buf_printf(&o->b, " --timesteps %zu", want.timesteps);
    if (want.k) buf_printf(&o->b, " --dims %zu", want.k);
    if (w->lambda[0]) buf_printf(&o->b, " --lambda %s", w->lambda);
    if (method_has_embedding(w->method)) buf_printf(&o->b, " --split %s", split_name(o->r->query.split));
    buf_text(&o->b, scores.queries);
    return buf_status(&o->b);
}

/* Into o->b the commands, or into o->why why there are none. */
static enum status offer_make(struct offer *o, struct store *s, const struct ranking_wanted *w, const struct report_request *r) {
    *o = (struct offer){ .s = s, .w = w, .r = r, .b = BUF_INIT };
    text_shell_word(o->db, sizeof o->db, store_path(s));
    TRY(store_checkpoints_list(s, &o->checkpoints));
    TRY(store_feature_sets_list(s, &o->features));
    return add_commands(o);
}

enum status ranking_explain_missing(struct store *s, const struct ranking_wanted *w, const struct report_request *r, int others_are_there) {
    char display[METHOD_DISPLAY], at[112] = "", of[32];
    struct offer o;
    method_display(display, w->method, w->loss);
    if (w->method == METHOD_JOURNEY && r->query.split != SPLIT_GEN)
        return fail(ERR_MISSING, "%s scores are of generated items, along the path that they were sampled by; %s items have none", display,
                    split_name(r->query.split));
    if (w->checkpoint > 0) snprintf(at, sizeof at, " %s %s", w->of->network[0] ? "of" : "at", w->of->checkpoint);
    if (w->checkpoint < 0) snprintf(at, sizeof at, " over several checkpoints");
    if (others_are_there) item_ref_format(of, r->query);
    else snprintf(of, sizeof of, "%s items", split_name(r->query.split));
    if (r->no_offer) return fail(ERR_MISSING, "no scores of %s%s for %s", display, at, of);
    enum status st = offer_make(&o, s, w, r);
    if (st == OK)
        st = fail(ERR_MISSING, "no scores of %s%s for %s%s%s%s%s", display, at, of, w->lambda[0] ? " with lambda " : "", w->lambda,
                  o.why[0] ? ", and " : "; make them with: ", o.why[0] ? o.why : o.b.data);
    offer_close(&o);
    return st;
}

enum status ranking_explain_ensemble(struct store *s, const struct ranking_wanted *w, const struct report_request *r) {
    struct offer o;
    enum status st = offer_make(&o, s, w, r);
    if (st == OK)
        st = fail(ERR_USAGE, "a ranking is of one checkpoint; '%s' names %zu, and there is no ensemble of them%s%s", r->checkpoint, w->named,
                  o.why[0] ? ": " : "; make one with: ", o.why[0] ? o.why : o.b.data);
    offer_close(&o);
    return st;
}
