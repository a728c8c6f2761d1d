/* setting.c - method, loss, checkpoint and lambda: going through them, and
 * computing what is not there. */
#include "app.h"

#include "dtrak/mem.h"
#include "dtrak/offer.h"

#include <math.h>
#include <string.h>

/* --- the start --- */

/* Of the query itself: a set may have other queries' rows alone, as those of the pictures of one network. */
static int has_row(struct app *a, const struct score_set *s) {
    struct ranked first;
    size_t got = 0;
    return s->split == a->query.split && s->rows_done > 0 && store_score_top(a->store, s, a->query.index, 0, 1, &first, &got) == OK && got;
}

static int serves(struct app *a, const struct score_set *s) {
    return s->split == a->query.split && s->checkpoints <= 1 && s->rows > 0 && (s->rows_done == s->rows || has_row(a, s));
}

/* How much a stored set is what people want to see first. */
static int appeal(struct app *a, const struct score_set *s) {
    const struct checkpoint *last = checkpoint_list_last_beside(&a->catalog.checkpoints, facts_of(a, a->query)->checkpoint);
    int x = 1;
    if (strcmp(s->method, "trak") == 0) x += 4;
    if (strcmp(s->loss, "square") == 0) x += 2;
    if (s->checkpoints && last && s->checkpoint[0] == last->id) x += 8;
    return x;
}

void setting_start(struct app *a) {
    struct setting *t = &a->setting;
    const struct checkpoint_list *c = &a->catalog.checkpoints;
    int best = 0;

    memset(t, 0, sizeof *t);
    t->method = METHOD_TRAK;
    t->loss = t->chosen = LOSS_SQUARE;
    if (c->count) t->checkpoint = checkpoint_list_last(c)->id;
    for (size_t i = 0; i < a->catalog.scores.count; i++) {
        const struct score_set *s = &a->catalog.scores.set[i];
        enum method m = method_parse(s->method, NULL);
        enum loss l = loss_parse(s->loss);
        if (m == METHOD_COUNT || appeal(a, s) <= best || !serves(a, s)) continue;
        best = appeal(a, s);
        t->method = m;
        if (l != LOSS_COUNT) t->loss = l;
        if (s->checkpoints) t->checkpoint = s->checkpoint[0];
    }
}

/* Timesteps and k that were chosen were so among the sets of one method, loss and checkpoint. */
static void any_features(struct setting *t) { t->timesteps = t->k = 0; }

/* An image is explained by the network that drew it, where that has been asked about it: a setting of another
 * network goes over to its last checkpoint. */
void setting_follow(struct app *a, struct setting *t) {
    int64_t drew = facts_of(a, a->query)->checkpoint;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, drew), *now = catalog_checkpoint(&a->catalog, t->checkpoint);
    if (!c || !now || c->network == now->network || !method_has_checkpoint(t->method)) return;
    const struct checkpoint *last = checkpoint_list_last_beside(&a->catalog.checkpoints, drew);
    for (size_t i = 0; i < a->catalog.scores.count; i++) {
        const struct score_set *s = &a->catalog.scores.set[i];
        if (s->split != a->query.split || s->checkpoints != 1 || s->checkpoint[0] != last->id ||
            strcmp(s->method, method_name(t->method)) || (method_has_loss(t->method) && strcmp(s->loss, loss_name(t->loss))) || !has_row(a, s)) continue;
        t->checkpoint = last->id;
        any_features(t);
        return;
    }
}

/* --- going through --- */

void setting_name(const struct app *a, char *out, size_t size) {
    char name[METHOD_DISPLAY];
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    char words[96];
    method_display(name, t->method, t->loss);
    if (method_has_checkpoint(t->method) && c) {
        checkpoint_words(words, c);
        snprintf(out, size, c->network || c->name[0] ? "%s of %s" : "%s at %s", name, words);
    } else {
        snprintf(out, size, "%s", name);
    }
}

static void name_only(const struct app *a, char name[METHOD_DISPLAY]) {
    method_display(name, a->setting.method, a->setting.loss);
}

static size_t wrap(size_t at, int by, size_t n) { return (at + n + (size_t)(by < 0 ? n - 1 : 1)) % n; }

void setting_step_method(struct app *a, int by) {
    const struct catalog *c = &a->catalog;
    size_t i = 0;
    if (c->n_methods == 0) return;
    while (i < c->n_methods && c->method[i] != a->setting.method) i++;
    struct setting *t = &a->setting;
    if (method_own_loss(t->method) != LOSS_COUNT) t->loss = t->chosen;
    t->chosen = t->loss;
    t->method = c->method[i < c->n_methods ? wrap(i, by, c->n_methods) : 0];
    if (method_own_loss(t->method) != LOSS_COUNT) t->loss = method_own_loss(t->method);
    any_features(t);
    row_load(a);
}

void setting_step_loss(struct app *a, int by) {
    char name[METHOD_DISPLAY];
    if (!method_has_loss(a->setting.method)) {
        name_only(a, name);
        app_say(a, STYLE_WARN, "%s does not depend on a loss function; %s picks another method", name, key_for(a, ACT_method_next));
        return;
    }
    if (method_own_loss(a->setting.method) == a->setting.loss) {
        name_only(a, name);
        app_say(a, STYLE_WARN, "%s is made of loss %s alone; %s picks another method", name, loss_name(a->setting.loss), key_for(a, ACT_method_next));
        return;
    }
    a->setting.loss = (enum loss)wrap((size_t)a->setting.loss, by, LOSS_COUNT);
    any_features(&a->setting);
    row_load(a);
}

void setting_step_checkpoint(struct app *a, int by) {
    const struct checkpoint_list *l = &a->catalog.checkpoints;
    char name[METHOD_DISPLAY];
    name_only(a, name);
    if (!method_has_checkpoint(a->setting.method)) {
        app_say(a, STYLE_WARN, "%s does not depend on a checkpoint; %s picks another method", name, key_for(a, ACT_method_next));
    } else if (l->count == 0) {
        app_say(a, STYLE_WARN, "there is no checkpoint yet: dtrak train makes them");
    } else {
        size_t i = catalog_checkpoint_index(&a->catalog, a->setting.checkpoint);
        a->setting.checkpoint = l->checkpoint[i < l->count ? wrap(i, by, l->count) : 0].id;
        if (l->count == 1) app_say(a, STYLE_NORMAL, "this is the only checkpoint");
        any_features(&a->setting);
        row_load(a);
    }
}

/* The stops are the grid and, between two of them, the stored lambda (auto):
 * stepping over it shows it again. */
void setting_step_lambda(struct app *a, int by) {
    struct setting *t = &a->setting;
    char name[METHOD_DISPLAY];
    const struct row *r = &a->row;

    name_only(a, name);
    if (!method_has_lambda(t->method)) {
        app_say(a, STYLE_WARN, "%s has no lambda", name);
        return;
    }
    double base = r->base.id ? r->base.lambda_rel : NAN, now = base;
    struct lambda l = { LAMBDA_AUTO, 0 };
    if (t->lambda[0] && lambda_parse(&l, t->lambda) == OK && l.kind == LAMBDA_RELATIVE) now = l.value;
    if (!(now > 0)) now = lambda_grid(LAMBDA_GRID_COUNT / 2);
    double next = lambda_step(now, by);
    int at_stored = t->lambda[0] == 0;
    int crosses = base > 0 && !at_stored && (by > 0 ? now < base && base <= next : next <= base && base < now);
    if (crosses) {
        t->lambda[0] = 0;
    } else if (at_stored || fabs(next - now) > 1e-9 * now) {
        l.kind = LAMBDA_RELATIVE;
        l.value = next;
        lambda_format(t->lambda, l);
    } else {
        app_say(a, STYLE_NORMAL, "this is the end of the grid");
    }
    row_load(a);
}

/* --- computing --- */

/* The features that scores of the present setting come from: those there are, of the
 * timesteps and k that it shows at another lambda; else such as the other sets of this database were made with. */
static struct features_options wanted_features(const struct app *a) {
    struct features_options o = FEATURES_DEFAULTS;
    const struct setting *t = &a->setting;
    const struct row *r = &a->row;
    struct offer_features want = { catalog_checkpoint(&a->catalog, t->checkpoint), t->loss, r->base.id ? r->base.timesteps : t->timesteps,
                                   r->base.id ? r->base.k : t->k };
    const struct feature_set *like = want.checkpoint ? offer_like(&a->catalog.features, &a->catalog.checkpoints, &want) : NULL;
    o.losses = 1u << t->loss;
    o.splits = 1u << SPLIT_TRAIN | 1u << a->query.split;
    if (!like) return o;
    o.timesteps = like->identity.timesteps;
    o.dims = like->identity.k;
    o.noise_seed = like->identity.noise_seed;
    o.projection_seed = like->identity.projection_seed;
    o.float32 = like->identity.float32;
    o.rule = like->identity.rule;
    o.draws = like->identity.draws;
    o.parts = like->identity.parts;
    o.projection = like->projection;
    return o;
}

size_t setting_timesteps(const struct app *a) { return wanted_features(a).timesteps; }

/* Rows still missing from the feature set of a split. */
static size_t rows_missing(const struct app *a, const struct features_options *o, enum split split) {
    for (size_t i = 0; i < a->catalog.features.count; i++) {
        const struct feature_set *f = &a->catalog.features.set[i];
        if (f->checkpoint == a->setting.checkpoint && f->identity.split == split && !f->dropped &&
            strcmp(f->identity.rule, o->rule ? o->rule : "uniform") == 0 &&
            strcmp(f->identity.loss, loss_name(a->setting.loss)) == 0 &&
            f->identity.timesteps == o->timesteps && f->identity.k == o->dims)
            return a->catalog.count[split] > f->rows_done ? a->catalog.count[split] - f->rows_done : 0;
    }
    return a->catalog.count[split];
}

/* The queries that the stored kernel of the training set has: those that there were when it was made. */
static size_t kernel_rows(struct app *a, const struct features_options *o) {
    size_t most = 0;
    for (size_t i = 0; i < a->catalog.features.count; i++) {
        const struct feature_set *f = &a->catalog.features.set[i];
        size_t rows = 0, one;
        double *self = NULL;
        int gram = 0;
        if (f->checkpoint != a->setting.checkpoint || f->identity.split != SPLIT_TRAIN ||
            strcmp(f->identity.loss, loss_name(a->setting.loss)) != 0 ||
            f->identity.timesteps != o->timesteps || f->identity.k != o->dims)
            continue;
        if (store_kernel_has(a->store, f->id, KERNEL_GRAM, SPLIT_TRAIN, &gram) != OK || !gram) continue;
        if (store_kernel_get(a->store, f->id, KERNEL_SELF, a->query.split, &rows, &one, &self) == OK && rows > most) most = rows;
        mem_free(self);
    }
    return most;
}

/* It stands in for the features. */
static int has_kernel(struct app *a, const struct features_options *o) { return kernel_rows(a, o) > a->query.index; }

/* Only a kernel is there, and some queries came after it. */
static int needs_kernel(struct app *a, const struct features_options *o) {
    return method_has_features(a->setting.method) && rows_missing(a, o, SPLIT_TRAIN) && has_kernel(a, o) &&
           kernel_rows(a, o) < a->catalog.count[a->query.split];
}

/* Too many items and features for a decomposition here: each query is solved for by reading
 * them again and again, and there are no leverages. */
static int is_streamed(struct app *a, const struct features_options *o) {
    return method_has_lambda(a->setting.method) && ridge_bytes(a->catalog.count[SPLIT_TRAIN], o->dims) > (double)mem_default_cap() &&
           !has_kernel(a, o);
}

void setting_estimate(struct app *a, char *out, size_t size) {
    const struct setting *t = &a->setting;
    const struct catalog *c = &a->catalog;
    const char *split = split_name(a->query.split);
    size_t queries = c->count[a->query.split], n = c->count[SPLIT_TRAIN];

    if (!method_has_features(t->method)) {
        snprintf(out, size, "Compares %zu %s items with %zu training images: seconds", queries, split, n);
        return;
    }
    struct features_options o = wanted_features(a);
    size_t train = rows_missing(a, &o, SPLIT_TRAIN), gen = rows_missing(a, &o, a->query.split);
    int kernel = train + gen > 0 && has_kernel(a, &o);
    if (train + gen == 0 && is_streamed(a, &o)) {
        snprintf(out, size, "Scores of this item by reading the features again and again, %.1f GB each time: minutes",
                 4e-9 * (double)n * (double)o.dims);
        return;
    }
    if (kernel && kernel_rows(a, &o) < queries) queries = kernel_rows(a, &o);
    if (train + gen == 0 || kernel) {
        snprintf(out, size, "Scores of %zu %s items from %s (%zu timesteps, k %zu): seconds",
                 queries, split, kernel ? "the stored kernel" : "stored features", o.timesteps, o.dims);
        return;
    }
    double passes = (double)(train + gen) * (double)(o.timesteps * o.draws);
    size_t at = (size_t)snprintf(out, size, "Features of %zu training and %zu %s images (%zu timesteps, k %zu), "
                                 "then scores: ", train, gen, split, o.timesteps, o.dims);
    if (at >= size) return;
    if (a->image_steps_per_s > 0) {
        char time[16];
        clock_format(time, passes / a->image_steps_per_s);
        snprintf(out + at, size - at, "about %s", time);
    } else {
        snprintf(out + at, size - at, "%.0f passes through the network", passes);
    }
}

/* Whether the weights would be needed, for features that are not there. */
static int needs_weights(struct app *a) {
    struct features_options o = wanted_features(a);
    if (!method_has_features(a->setting.method)) return 0;
    return rows_missing(a, &o, SPLIT_TRAIN) + rows_missing(a, &o, a->query.split) > 0 && !has_kernel(a, &o);
}

void setting_offer(struct app *a, char *out, size_t size) {
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    char at[CHECKPOINT_OPTION];
    struct report_ranking r;
    out[0] = 0;
    if (!method_is_available(t->method) || (method_is_direct(t->method) && (!c || c->weights_bytes || !needs_weights(a)))) return;
    struct report_request q = { .query = a->query, .method = method_name(t->method), .loss = method_has_loss(t->method) ? loss_name(t->loss) : NULL,
                                .lambda = t->lambda[0] ? t->lambda : NULL, .timesteps = t->timesteps, .k = t->k };
    if (c) checkpoint_spell(at, c);
    if (c && method_has_checkpoint(t->method)) q.checkpoint = at;
    if (report_ranking_load(&r, a->store, &q) == OK) report_ranking_free(&r);
    else snprintf(out, size, "%s", fail_reason());
}

static int same_setting(const struct setting *x, const struct setting *y) {
    return x->method == y->method && x->loss == y->loss && x->checkpoint == y->checkpoint &&
           x->timesteps == y->timesteps && x->k == y->k &&
           strcmp(x->lambda, y->lambda) == 0;
}

int setting_is_asked(const struct app *a) {
    return a->has_asked && same_setting(&a->asked, &a->setting) && a->asked_split == a->query.split &&
           jobs_busy(a->jobs);
}

static int may_compute(struct app *a) {
    char name[METHOD_DISPLAY], weights[OFFER_WEIGHTS] = "";
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    name_only(a, name);
    if (c) offer_weights(weights, c);
    if (!a->jobs) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else if (!a->has_query) app_say(a, STYLE_WARN, "there is nothing to score: no generated or held-out items");
    else if (a->row.state == ROW_STORED && a->row.set.rows_done == a->row.set.rows)
        app_say(a, STYLE_NORMAL, "%s is computed already (%s)", name, a->row.set.created);
    else if (a->row.offer[0] && !method_is_direct(t->method))
        app_say(a, STYLE_WARN, "%s is made on the command line: the ranking's screen says how", name);
    else if (a->row.offer[0])
        app_say(a, STYLE_WARN, "%s", weights[0] ? weights : a->row.offer);
    else if (!method_is_available(t->method))
        app_say(a, STYLE_WARN, "%s was imported and cannot be computed here", name);
    else if (method_has_checkpoint(t->method) && !c)
        app_say(a, STYLE_WARN, "there is no checkpoint to compute from: dtrak train makes them");
    else if (setting_is_asked(a))
        app_say(a, STYLE_NORMAL, "%s is in the queue already; %s stops it", name, key_for(a, ACT_cancel));
    else return 1;
    return 0;
}

/* Queues the scores of a split under the present setting. */
static enum status queue_scores(struct app *a, enum split split) {
    const struct setting *t = &a->setting;
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, t->checkpoint);
    struct features_options f = wanted_features(a);
    struct score_options o = SCORE_DEFAULTS;
    char step[CHECKPOINT_OPTION] = "", query[64];
    if (c) checkpoint_spell(step, c);
    f.splits = 1u << SPLIT_TRAIN | 1u << split;
    f.checkpoints = o.checkpoints = c ? step : NULL;
    o.methods = method_name(t->method);
    o.losses = 1u << t->loss;
    o.lambda = t->lambda[0] ? t->lambda : "auto";
    o.timesteps = method_has_features(t->method) ? f.timesteps : 0;
    o.splits = 1u << split;
    o.self_influence = t->method == METHOD_TRAK;
    if (split == a->query.split && is_streamed(a, &f)) {
        item_ref_format(query, a->query);
        o.queries = query;
        o.self_influence = 0;
    } else if (split == a->query.split && needs_kernel(a, &f)) {
        snprintf(query, sizeof query, "%s:0-%zu", split_name(split), kernel_rows(a, &f) - 1);
        o.queries = query;
    }
    TRY(jobs_add_score(a->jobs, &o, method_has_features(t->method) ? &f : NULL));
    a->asked = *t;
    a->asked_split = split;
    a->has_asked = 1;
    return OK;
}

void setting_compute(struct app *a) {
    char name[96];

    if (!may_compute(a)) return;
    if (queue_scores(a, a->query.split) != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        return;
    }
    setting_name(a, name, sizeof name);
    app_say(a, STYLE_GOOD, "queued: %s; it shows here when it is done, %s shows the queue", name, key_for(a, ACT_jobs));
}

int setting_compute_new(struct app *a) {
    const struct setting *t = &a->setting;
    if (!method_is_available(t->method) || !method_is_direct(t->method)) return 0;
    if (method_has_features(t->method)) {
        struct features_options o = wanted_features(a);
        if (rows_missing(a, &o, SPLIT_TRAIN)) return 0;
    }
    return queue_scores(a, SPLIT_GEN) == OK ? 1 : -1;
}

/* --- leverage --- */

/* The stored leverages behind scores, of the same features and lambda; NULL: there are none. */
static const struct stat_set *leverages(const struct app *a, const struct score_set *scores) {
    const struct stat_set *best = NULL;
    char key[128];

    if (strcmp(scores->method, method_name(METHOD_TRAK)) || scores->checkpoints != 1) return NULL;
    /* "square t50 k2048 lambda auto", and what else there is to say of features that are not as usual */
    snprintf(key, sizeof key, "%s t%zu k%zu lambda %s", scores->loss, scores->timesteps, scores->k, scores->lambda_spec);
    size_t len = strlen(key);
    for (size_t i = 0; i < a->catalog.stats.count; i++) {
        const struct stat_set *s = &a->catalog.stats.set[i];
        if (strcmp(s->name, "self_influence") || s->checkpoint != scores->checkpoint[0] || s->split != SPLIT_TRAIN ||
            strncmp(s->key, key, len) || (s->key[len] != ' ' && s->key[len] != 0)) continue;
        if (!best || s->key[len] == 0) best = s;
    }
    return best;
}

int setting_self_influences(struct app *a, const struct score_set *scores, size_t first, size_t count, double *values) {
    const struct stat_set *s = leverages(a, scores);
    size_t present = 0;
    for (size_t i = 0; i < count; i++) values[i] = NAN;
    if (!s) return 0;
    struct stat_key key = { s->name, s->key, s->checkpoint, s->split };
    return store_stat_get(a->store, &key, first, count, values, &present) == OK && present > 0;
}

double setting_self_influence(struct app *a, size_t train_item) {
    double value = NAN;
    if (a->row.state == ROW_STORED) setting_self_influences(a, &a->row.set, train_item, 1, &value);
    return value;
}
