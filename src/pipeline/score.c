/* score.c - the verb `score`: from features (or kernels, or pixels) to a row of
 * scores for every query.
 *
 * Work is grouped by checkpoint and loss, so that one Gram matrix and one
 * decomposition serve all methods and query splits of a group.  The unit of
 * finished work is a block of queries, one transaction; what is there is not
 * done again.  All features are looked for before anything is computed. */
#include "dtrak/pipeline.h"

#include "dtrak/lambda.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/store.h"
#include "score_source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1, BLOCK = 32 };

/* One score set of the group in hand. */
struct task {
    enum method method;
    enum split split;
    struct score_set set;
    unsigned char *missing;          /* [queries] */
    size_t n_missing;
};

struct scorer {
    struct store *s;
    const struct score_options *o;
    const struct progress *progress;
    unsigned wanted[METHOD_COUNT];   /* bit per loss; bit 0 for a method without one */
    struct lambda lambda;
    struct checkpoint_list checkpoints;
    size_t items[SPLIT_COUNT];
    unsigned splits;                 /* of the queries that there are */
    double done, total;              /* rows */
    struct provenance provenance;
    char host[64];
    /* of the group in hand */
    const struct checkpoint *checkpoint;   /* NULL: methods without one */
    enum loss loss;                        /* LOSS_COUNT: methods without one */
    struct source source;
    struct ridge *ridge;
    double lambda_abs, *relative;
    struct task task[METHOD_COUNT * SPLIT_COUNT];
    size_t tasks;
    double *cross, *norm, *coords, *scores;   /* of a block of queries */
    float *row;
    char what[96];
};

/* --- what is asked for --- */

static enum status read_method(struct scorer *w, const char *word) {
    enum loss forced;
    enum method m = method_parse(word, &forced);
    if (m == METHOD_COUNT)
        return fail(ERR_USAGE, "'%s' is not a method; trak, dtrak, grad-dot, grad-cos and pixel-cos are", word);
    if (!method_is_available(m))
        return fail(ERR_USAGE, "method %s is not computed by this program; its scores can be imported", word);
    if (!method_has_loss(m)) w->wanted[m] = 1;
    else if (forced != LOSS_COUNT) w->wanted[m] |= 1u << forced;
    else if (w->o->losses) w->wanted[m] |= w->o->losses & ((1u << LOSS_COUNT) - 1);
    else return fail(ERR_USAGE, "method %s needs a loss", word);
    return OK;
}

static enum status read_methods(struct scorer *w) {
    const char *list = w->o->methods ? w->o->methods : "trak";
    while (*list) {
        char word[32];
        size_t len = strcspn(list, ",");
        if (len >= sizeof word) return fail(ERR_USAGE, "'%.40s...' is not a method", list);
        memcpy(word, list, len);
        word[len] = 0;
        TRY(read_method(w, word));
        list += len + (list[len] == ',');
    }
    return OK;
}

static int needs_checkpoints(const struct scorer *w) {
    for (int m = 0; m < METHOD_COUNT; m++)
        if (w->wanted[m] && method_has_checkpoint((enum method)m)) return 1;
    return 0;
}

static enum status count_items(struct scorer *w) {
    for (int q = 0; q < SPLIT_COUNT; q++) {
        TRY(store_items_count(w->s, (enum split)q, &w->items[q]));
        int asked = !w->o->splits || w->o->splits >> q & 1;
        if (q != SPLIT_TRAIN && asked && w->items[q]) w->splits |= 1u << q;
    }
    if (!w->items[SPLIT_TRAIN]) return fail(ERR_MISSING, "score: there are no training items");
    if (!w->splits)
        return fail(ERR_MISSING, "score: there are no queries to score; make some with: dtrak sample %s --count 16",
                    store_path(w->s));
    return OK;
}

/* Rows that will be there at the end, over all score sets. */
static void count_rows(struct scorer *w) {
    double queries = 0, sets = 0;
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (w->splits >> q & 1) queries += (double)w->items[q];
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int l = 0; l < LOSS_COUNT; l++)
            if (w->wanted[m] >> l & 1)
                sets += method_has_checkpoint((enum method)m) ? (double)w->checkpoints.count : 1;
    w->total = queries * sets;
}

static size_t blas_threads(const struct score_options *o) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return o->threads ? o->threads : online > 0 ? (size_t)online : 1;
}

static enum status prepare(struct scorer *w) {
    TRY(lambda_parse(&w->lambda, w->o->lambda));
    TRY(read_methods(w));
    TRY(count_items(w));
    if (needs_checkpoints(w)) TRY(store_checkpoints_resolve(w->s, w->o->checkpoints, &w->checkpoints));
    count_rows(w);
    gethostname(w->host, sizeof w->host - 1);
    w->provenance = (struct provenance){ DTRAK_VERSION, linalg_core_name(), w->host, blas_threads(w->o) };
    w->cross = mem_array(BLOCK * w->items[SPLIT_TRAIN], sizeof *w->cross);
    w->scores = mem_array(BLOCK * w->items[SPLIT_TRAIN], sizeof *w->scores);
    w->row = mem_array(w->items[SPLIT_TRAIN], sizeof *w->row);
    w->norm = mem_array(BLOCK, sizeof *w->norm);
    if (!w->cross || !w->scores || !w->row || !w->norm) return fail(ERR_NOMEM, "score: out of memory");
    return OK;
}

/* --- a group: the methods of one checkpoint and loss --- */

static int in_group(const struct scorer *w, enum method m) {
    if (w->loss == LOSS_COUNT) return !method_has_loss(m) && w->wanted[m];
    return method_has_loss(m) && (w->wanted[m] >> w->loss & 1);
}

static int group_is_empty(const struct scorer *w) {
    for (int m = 0; m < METHOD_COUNT; m++)
        if (in_group(w, (enum method)m)) return 0;
    return 1;
}

static enum status find_source(struct scorer *w) {
    struct source_wanted want = { w->checkpoint, w->loss, w->o->timesteps, w->splits, w->items };
    return source_find(&w->source, w->s, &want);
}

static void describe(const struct scorer *w, const struct task *t, struct score_set *set) {
    *set = (struct score_set){ .split = t->split, .version = VERSION, .n = w->items[SPLIT_TRAIN],
                               .mantissa_bits = w->o->mantissa_bits ? w->o->mantissa_bits : 24,
                               .rows = w->items[t->split], .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN };
    snprintf(set->method, sizeof set->method, "%s", method_name(t->method));
    if (t->method == METHOD_RANDOM) snprintf(set->params, sizeof set->params, "{\"seed\":0}");
    else source_params(&w->source, set->params, sizeof set->params);
    if (!method_has_features(t->method)) return;
    snprintf(set->loss, sizeof set->loss, "%s", loss_name(w->loss));
    set->checkpoint[0] = w->checkpoint->id;
    set->checkpoints = 1;
    set->timesteps = w->source.train.identity.timesteps;
    set->k = w->source.train.identity.k;
    if (method_has_lambda(t->method)) lambda_format(set->lambda_spec, w->lambda);
}

static enum status open_task(struct scorer *w, enum method m, enum split split) {
    struct task *t = &w->task[w->tasks++];
    struct index_list list;
    *t = (struct task){ .method = m, .split = split };
    describe(w, t, &t->set);
    TRY(store_score_set_ensure(w->s, &t->set, &w->provenance, &t->set));
    t->missing = mem_array(w->items[split], 1);
    if (!t->missing) return fail(ERR_NOMEM, "score: out of memory");
    TRY(store_scores_missing(w->s, &t->set, &list));
    for (size_t i = 0; i < list.count; i++)
        if (list.index[i] < w->items[split]) {
            t->missing[list.index[i]] = 1;
            t->n_missing++;
        }
    index_list_free(&list);
    w->done += (double)(w->items[split] - t->n_missing);
    return OK;
}

static enum status open_tasks(struct scorer *w) {
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int q = 0; q < SPLIT_COUNT && in_group(w, (enum method)m); q++)
            if (w->splits >> q & 1) TRY(open_task(w, (enum method)m, (enum split)q));
    return OK;
}

static void close_group(struct scorer *w) {
    for (size_t i = 0; i < w->tasks; i++) mem_free(w->task[i].missing);
    w->tasks = 0;
    ridge_free(w->ridge);
    w->ridge = NULL;
    mem_free(w->coords);
    mem_free(w->relative);
    w->coords = w->relative = NULL;
    source_close(&w->source);
}

/* --- ridge and self-influence --- */

static void leverage_key(const struct scorer *w, char key[128]) {
    char text[LAMBDA_TEXT];
    lambda_format(text, w->lambda);
    snprintf(key, 128, "%s t%zu k%zu lambda %s", loss_name(w->loss), w->source.train.identity.timesteps,
             w->source.train.identity.k, text);
}

static int has_ridge(const struct scorer *w) {
    for (size_t i = 0; i < w->tasks; i++)
        if (method_has_lambda(w->task[i].method)) return 1;
    return 0;
}

/* Whether the training items' leverages are asked for and not there. */
static enum status leverage_is_missing(const struct scorer *w, int *missing) {
    char text[128];
    size_t present = 0;
    *missing = 0;
    if (!w->o->self_influence || !has_ridge(w)) return OK;
    leverage_key(w, text);
    struct stat_key key = { "self_influence", text, w->checkpoint->id, SPLIT_TRAIN };
    TRY(store_stat_get(w->s, &key, 0, w->items[SPLIT_TRAIN], w->cross, &present));
    *missing = present < w->items[SPLIT_TRAIN];
    return OK;
}

static enum status put_leverages(struct scorer *w) {
    char text[128];
    leverage_key(w, text);
    struct stat_key key = { "self_influence", text, w->checkpoint->id, SPLIT_TRAIN };
    TRY(ridge_diagonals(w->ridge, w->lambda_abs, w->cross, NULL, NULL));
    return store_stat_put(w->s, &key, 0, w->items[SPLIT_TRAIN], w->cross);
}

static enum status put_lambda(struct scorer *w) {
    double trace = ridge_trace(w->ridge), d_eff = ridge_effective_dimension(w->ridge, w->lambda_abs);
    for (size_t i = 0; i < w->tasks; i++)
        if (method_has_lambda(w->task[i].method) && isnan(w->task[i].set.lambda_abs))
            TRY(store_score_set_lambda(w->s, w->task[i].set.id,
                                       lambda_to_relative(w->lambda_abs, trace, w->items[SPLIT_TRAIN]),
                                       w->lambda_abs, d_eff));
    return OK;
}

static enum status make_ridge(struct scorer *w, int leverages) {
    size_t n = w->items[SPLIT_TRAIN];
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    TRY(source_ridge(&w->source, &w->ridge, w->progress));
    TRY(progress_check(w->progress));
    const struct ridge *r = w->ridge;
    TRY(lambda_resolve(&w->lambda_abs, w->lambda, ridge_eigenvalues(r), ridge_rank(r), ridge_trace(r), n,
                       ridge_feature_count(r)));
    w->coords = mem_array(BLOCK * ridge_rank(r), sizeof *w->coords);
    w->relative = mem_array(n, sizeof *w->relative);
    if (!w->coords || !w->relative) return fail(ERR_NOMEM, "score: out of memory");
    if (in_group(w, METHOD_RELATIVE_IF)) TRY(ridge_diagonals(r, w->lambda_abs, NULL, w->relative, NULL));
    TRY(put_lambda(w));
    return leverages ? put_leverages(w) : OK;
}

/* --- rows --- */

static int wants_in_block(const struct task *t, enum split split, size_t first, size_t count) {
    int any = 0;
    if (t->split == split)
        for (size_t i = first; i < first + count; i++) any |= t->missing[i];
    return any;
}

/* The task's rows of the block, as far as they are missing. */
static enum status put_rows(struct scorer *w, struct task *t, size_t first, size_t count) {
    size_t n = w->items[SPLIT_TRAIN];
    uint32_t key[BLOCK];
    for (size_t i = 0; i < count; i++) key[i] = (uint32_t)t->split << 29 | (uint32_t)(first + i);
    struct method_inputs in = { .M = count, .N = n, .cross = w->cross, .query_norm = w->norm,
                                .train_norm = w->source.norm, .ridge = w->ridge, .coords = w->coords,
                                .relative = w->relative, .lambda_abs = w->lambda_abs, .query_key = key };
    TRY(method_scores(t->method, &in, w->scores));
    for (size_t i = 0; i < count; i++) {
        if (!t->missing[first + i]) continue;
        for (size_t j = 0; j < n; j++) w->row[j] = (float)w->scores[i * n + j];
        TRY(store_score_put(w->s, &t->set, first + i, w->row));
        w->done++;
    }
    return OK;
}

/* Float64 products of one block serve every method that wants rows of it. */
static enum status make_block(struct scorer *w, enum split split, size_t first, size_t count) {
    int any = 0, products = 0;
    for (size_t i = 0; i < w->tasks; i++) {
        if (!wants_in_block(&w->task[i], split, first, count)) continue;
        any = 1;
        products |= w->task[i].method != METHOD_RANDOM;
    }
    if (!any) return OK;
    TRY(progress_check(w->progress));
    if (products)
        TRY(source_block(&w->source, split, first, count, w->cross, w->norm, w->ridge, w->coords, w->progress));
    double before = w->done;
    TRY(store_begin(w->s));
    enum status st = OK;
    for (size_t i = 0; i < w->tasks && st == OK; i++)
        if (wants_in_block(&w->task[i], split, first, count)) st = put_rows(w, &w->task[i], first, count);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) {
        store_rollback(w->s);
        w->done = before;
        return st;
    }
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    return OK;
}

static enum status make_rows(struct scorer *w) {
    for (int q = 0; q < SPLIT_COUNT; q++) {
        size_t items = w->splits >> q & 1 ? w->items[q] : 0;
        for (size_t first = 0; first < items; first += BLOCK)
            TRY(make_block(w, (enum split)q, first, items - first < BLOCK ? items - first : BLOCK));
    }
    return OK;
}

static size_t rows_missing(const struct scorer *w) {
    size_t missing = 0;
    for (size_t i = 0; i < w->tasks; i++) missing += w->task[i].n_missing;
    return missing;
}

static int needs_train_norms(const struct scorer *w) {
    return in_group(w, METHOD_GRAD_COS) || in_group(w, METHOD_PIXEL_COS) || in_group(w, METHOD_RENORM_IF);
}

static enum status run_group(struct scorer *w) {
    int leverages = 0;
    if (w->checkpoint)
        snprintf(w->what, sizeof w->what, "loss %s, checkpoint %.0f%%", loss_name(w->loss), w->checkpoint->percent);
    else
        snprintf(w->what, sizeof w->what, "without a network");
    if (w->checkpoint) TRY(find_source(w));
    else TRY(source_pixels(&w->source, w->s, w->items));
    TRY(open_tasks(w));
    TRY(leverage_is_missing(w, &leverages));
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    TRY(progress_check(w->progress));
    if (w->checkpoint && w->o->keep_kernel) TRY(source_keep_kernel(&w->source, w->o->mantissa_bits >= 24, w->progress));
    if (!rows_missing(w) && !leverages) return OK;
    if (has_ridge(w)) TRY(make_ridge(w, leverages));
    if (needs_train_norms(w)) TRY(source_norms(&w->source));
    return make_rows(w);
}

/* Calls fn for every group that is not empty. */
static enum status each_group(struct scorer *w, enum status (*fn)(struct scorer *w)) {
    for (size_t c = 0; c < w->checkpoints.count; c++)
        for (int l = 0; l < LOSS_COUNT; l++) {
            w->checkpoint = &w->checkpoints.checkpoint[c];
            w->loss = (enum loss)l;
            if (group_is_empty(w)) continue;
            enum status st = fn(w);
            close_group(w);
            TRY(st);
        }
    return OK;
}

static enum status run(struct scorer *w) {
    TRY(prepare(w));
    TRY(each_group(w, find_source));
    linalg_set_threads((int)w->provenance.threads);
    TRY(each_group(w, run_group));
    w->checkpoint = NULL;
    w->loss = LOSS_COUNT;
    return group_is_empty(w) ? OK : run_group(w);
}

enum status pipeline_score(struct store *s, const struct score_options *o, const struct progress *p) {
    struct scorer *w = mem_array(1, sizeof *w);
    if (!w) return fail(ERR_NOMEM, "score: out of memory");
    w->s = s;
    w->o = o;
    w->progress = p;
    enum status st = run(w);
    linalg_set_threads(1);   /* what model code relies on */
    close_group(w);
    mem_free(w->cross);
    mem_free(w->scores);
    mem_free(w->row);
    mem_free(w->norm);
    checkpoint_list_free(&w->checkpoints);
    mem_free(w);
    return st;
}
