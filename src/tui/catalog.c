/* catalog.c - what the database holds: splits, checkpoints, sets. */
#include "app.h"

#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

void catalog_free(struct catalog *c) {
    checkpoint_list_free(&c->checkpoints);
    for (size_t i = 0; c->measured && i < c->scores.count; i++) mem_free(c->measured[i].per_query);
    score_set_list_free(&c->scores);
    mem_free(c->measured);
    feature_set_list_free(&c->features);
    stat_set_list_free(&c->stats);
    label_list_free(&c->label.list);
    mem_free(c->label.train);
    memset(c, 0, sizeof *c);
}

const struct checkpoint *catalog_checkpoint(const struct catalog *c, int64_t id) {
    for (size_t i = 0; i < c->checkpoints.count; i++)
        if (c->checkpoints.checkpoint[i].id == id) return &c->checkpoints.checkpoint[i];
    return NULL;
}

size_t catalog_checkpoint_index(const struct catalog *c, int64_t id) {
    size_t i = 0;
    while (i < c->checkpoints.count && c->checkpoints.checkpoint[i].id != id) i++;
    return i;
}

static int has_scores(const struct catalog *c, enum method m) {
    for (size_t i = 0; i < c->scores.count; i++)
        if (strcmp(c->scores.set[i].method, method_name(m)) == 0) return 1;
    return 0;
}

/* Methods to go through: what exists, and what could be computed here.  The
 * random baseline is for measuring others, so it shows only where it is stored. */
static void list_methods(struct catalog *c) {
    c->n_methods = 0;
    for (int i = 0; i < METHOD_COUNT; i++) {
        enum method m = (enum method)i;
        int possible = method_is_direct(m) && m != METHOD_RANDOM &&
                       (!method_has_checkpoint(m) || c->checkpoints.count);
        if (possible || has_scores(c, m)) c->method[c->n_methods++] = m;
    }
}

static int is_stated(const struct score_set *s) { return s->lambda_spec[0] && strcmp(s->lambda_spec, "auto") != 0; }

static int differ_in_lambda_alone(const struct score_set *a, const struct score_set *b) {
    return a->split == b->split && a->timesteps == b->timesteps && a->k == b->k && a->checkpoints == b->checkpoints &&
           (!a->checkpoints || a->checkpoint[0] == b->checkpoint[0]) && !strcmp(a->method, b->method) && !strcmp(a->loss, b->loss) &&
           !strcmp(a->params, b->params);
}

/* Which measured sets are of a sweep over lambda: the same with lambda auto was measured too. */
static void find_sweeps(struct catalog *c) {
    for (size_t i = 0; i < c->scores.count; i++) {
        const struct score_set *s = &c->scores.set[i];
        for (size_t j = 0; c->measured[i].has && is_stated(s) && !c->measured[i].in_sweep && j < c->scores.count; j++)
            c->measured[i].in_sweep = c->measured[j].has && !strcmp(c->scores.set[j].lambda_spec, "auto") && differ_in_lambda_alone(s, &c->scores.set[j]);
    }
}

static enum status read_measured(struct store *s, struct catalog *c) {
    c->measured = mem_array(c->scores.count ? c->scores.count : 1, sizeof *c->measured);
    if (!c->measured) return fail(ERR_NOMEM, "explorer: out of memory");
    for (size_t i = 0; i < c->scores.count; i++) {
        struct measured *m = &c->measured[i];
        m->has = 1;
        for (int centred = 0; centred < 2 && m->has; centred++) {
            enum status st = store_lds_get(s, c->scores.set[i].id, centred, &m->kind[centred], centred ? NULL : &m->per_query);
            if (st != OK && st != ERR_MISSING && st != ERR_FORMAT) return st;   /* a damaged one is left out; dtrak check names it */
            m->has = st == OK;
        }
    }
    find_sweeps(c);
    return OK;
}

const struct measured *catalog_measured(const struct catalog *c, int64_t score_set) {
    for (size_t i = 0; i < c->scores.count; i++)
        if (c->scores.set[i].id == score_set && c->measured[i].has) return &c->measured[i];
    return NULL;
}

double query_lds(const struct app *a, struct item_ref query) {
    const struct measured *m = a->row.base.id ? catalog_measured(&a->catalog, a->row.set.id) : NULL;
    /* The stored set that a ridge strength was stepped from was measured, not the step. */
    if (a->row.state == ROW_LIVE || a->row.state == ROW_WAITING) return NAN;
    if (!m || !m->per_query || a->row.set.split != query.split || query.index >= m->kind[0].queries) return NAN;
    return m->per_query[query.index];
}

const struct label_list *catalog_labels(struct app *a) {
    struct catalog *c = &a->catalog;
    size_t n = c->count[SPLIT_TRAIN];
    if (c->label.read) return &c->label.list;
    c->label.read = 1;
    c->label.train = mem_array(n + 1, sizeof *c->label.train);
    if (!c->label.train || store_labels_study(a->store, &c->label.list, c->label.train, n) != OK) {
        app_say(a, STYLE_ERROR, "%s", c->label.train ? fail_reason() : "labels: out of memory");
        for (size_t i = 0; c->label.train && i < n; i++) c->label.train[i] = -1;
    }
    return &c->label.list;
}

/* "" in out: there is no such item. */
static enum status image_of(struct store *s, enum split split, size_t index, char out[65]) {
    struct item_list l = { NULL, 0, NULL };
    TRY(store_items_read(s, split, index, 1, &l));
    snprintf(out, 65, "%s", l.count ? l.item[0].sha256 : "");
    item_list_free(&l);
    return OK;
}

/* By the image that was the last one before: it stands where it stood. */
static enum status compare_items(struct store *s, const struct catalog *old, struct catalog *c) {
    char there[65];
    for (int i = 0; i < SPLIT_COUNT; i++) {
        if (c->count[i]) TRY(image_of(s, (enum split)i, c->count[i] - 1, c->last[i]));
        if (old->count[i]) TRY(image_of(s, (enum split)i, old->count[i] - 1, there));
        if (old->count[i] && strcmp(there, old->last[i]) != 0) c->items = ITEMS_OTHER;
        else if (c->count[i] != old->count[i] && c->items == ITEMS_SAME) c->items = ITEMS_MORE;
    }
    return OK;
}

enum status catalog_load(struct app *a) {
    struct catalog c;
    enum status st = OK;

    memset(&c, 0, sizeof c);
    TRY_TO(store_project_get(a->store, &c.project));
    for (int s = 0; s < SPLIT_COUNT; s++)
        TRY_TO(store_items_count(a->store, (enum split)s, &c.count[s]));
    TRY_TO(store_score_sets_list(a->store, &c.scores));
    TRY_TO(store_feature_sets_list(a->store, &c.features));
    TRY_TO(store_stats_names(a->store, &c.stats));
    TRY_TO(read_measured(a->store, &c));
    /* "all" leaves one checkpoint per step; none at all is fine for a new database. */
    st = store_checkpoints_resolve(a->store, "all", &c.checkpoints);
    if (st == ERR_MISSING) st = OK;
    if (st != OK) goto done;
    TRY_TO(compare_items(a->store, &a->catalog, &c));
    list_methods(&c);
    if (c.items == ITEMS_SAME) {    /* so are their labels */
        c.label = a->catalog.label;
        memset(&a->catalog.label, 0, sizeof a->catalog.label);
    }
    catalog_free(&a->catalog);
    a->catalog = c;
    return OK;
done:
    catalog_free(&c);
    return st;
}
