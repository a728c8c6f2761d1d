/* score.c - the verb `score`: from features (or kernels, or pixels) to a row of
 * scores for every query.
 *
 * Work is grouped by checkpoint and loss, so that one decomposition serves all
 * methods, lambdas and query splits of a group.  The unit of finished work is a
 * block of queries, one transaction; what is there is not done again.  All
 * features are looked for, and memory is reckoned, before anything is computed. */
#include "score_parts.h"

#include "feature_use.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/queries.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1 };

/* --- what is asked for --- */

static enum status read_method(struct scorer *w, const char *word) {
    enum loss forced;
    enum method m;
    TRY(method_read(&m, &forced, word, "method"));
    if (!method_is_available(m))
        return fail(ERR_USAGE, "method %s is not computed by this program; its scores can be imported", word);
    if (method_own_loss(m) != LOSS_COUNT) forced = method_own_loss(m);
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

/* Of the splits that were asked for. */
static enum status no_queries(const struct scorer *w) {
    char db[1024];
    text_shell_word(db, sizeof db, store_path(w->s));
    if (w->o->splits == 1u << SPLIT_VAL)
        return fail(ERR_MISSING, "score: there are no held-out items to score; pictures of your own become some with: dtrak add %s --split val FILE...", db);
    return fail(ERR_MISSING, "score: there are no queries to score; make some with: dtrak sample %s --count 16", db);
}

static enum status count_items(struct scorer *w) {
    if (w->o->splits >> SPLIT_TRAIN & 1)
        return fail(ERR_USAGE, "score: training items are what queries are ranked by; queries are of --split gen or val");
    for (int q = 0; q < SPLIT_COUNT; q++) {
        TRY(store_items_count(w->s, (enum split)q, &w->items[q]));
        int asked = !w->o->splits || w->o->splits >> q & 1;
        if (q != SPLIT_TRAIN && asked && w->items[q]) w->splits |= 1u << q;
    }
    if (w->o->queries) TRY(queries_pick(w->picked, w->items, w->o->queries));
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (w->o->queries && !w->picked[q]) w->splits &= ~(1u << q);
    if (!w->items[SPLIT_TRAIN]) return fail(ERR_MISSING, "score: there are no training items");
    return w->splits ? OK : no_queries(w);
}

int score_is_asked(const struct scorer *w, enum split split, size_t query) { return !w->picked[split] || w->picked[split][query]; }

size_t score_queries(const struct scorer *w, enum split split) {
    size_t count = 0;
    if (!w->picked[split]) return w->items[split];
    for (size_t i = 0; i < w->items[split]; i++) count += w->picked[split][i];
    return count;
}

/* What means are made of is made too.  Whether there are any. */
static int read_means(struct scorer *w) {
    w->wanted[METHOD_GRAD_DOT] |= w->wanted[METHOD_TRACIN];
    w->wanted[METHOD_GRAD_COS] |= w->wanted[METHOD_GAS];
    return w->o->ensemble || w->wanted[METHOD_TRACIN] || w->wanted[METHOD_GAS];
}

/* Rows that will be there at the end, over all score sets. */
static void count_rows(struct scorer *w) {
    double all = 0, gen = w->splits >> SPLIT_GEN & 1 ? (double)score_queries(w, SPLIT_GEN) : 0;
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (w->splits >> q & 1) all += (double)score_queries(w, (enum split)q);
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int l = 0; l < LOSS_COUNT && !method_has_retrained((enum method)m); l++)
            if (w->wanted[m] >> l & 1)
                w->total += (m == METHOD_JOURNEY ? gen : all) * (double)(method_has_several((enum method)m) ? 1 :
                                 method_has_checkpoint((enum method)m) ? w->checkpoints.count + score_means_of(w, (enum method)m) : 1) *
                        (method_has_lambda((enum method)m) ? (double)w->lambdas : 1);
}

static size_t blas_threads(const struct score_options *o) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return o->threads ? o->threads : online > 0 ? (size_t)online : 1;
}

static enum status prepare(struct scorer *w) {
    TRY(lambda_parse_list(w->lambda, &w->lambdas, w->o->lambda));
    TRY(read_methods(w));
    TRY(count_items(w));
    TRY(das_parse(&w->das, w->o->das ? w->o->das : "derived"));
    TRY(score_read_nda(w));
    int has_means = read_means(w);
    if (needs_checkpoints(w)) TRY(store_checkpoints_resolve(w->s, w->o->checkpoints, &w->checkpoints));
    if (has_means && w->checkpoints.count < 2)
        return fail(ERR_USAGE, "score: a mean over checkpoints needs several, '%s' names %zu; try --checkpoint all",
                    w->o->checkpoints ? w->o->checkpoints : "last", w->checkpoints.count);
    if (w->o->errors && !w->wanted[METHOD_TRAK])
        return fail(ERR_USAGE, "score: error bars are those of method trak (or dtrak), which is not among the methods");
    if (w->wanted[METHOD_JOURNEY] && !(w->splits >> SPLIT_GEN & 1))
        return fail(ERR_MISSING, "score: only generated items have a sampling path, and there are none among the queries");
    count_rows(w);
    TRY(score_read_subsets(w));
    gethostname(w->host, sizeof w->host - 1);
    w->memory = w->o->memory ? w->o->memory : mem_default_cap();
    w->provenance = (struct provenance){ DTRAK_VERSION, linalg_core_name(), w->host, blas_threads(w->o) };
    return pool_new(&w->pool, w->provenance.threads);
}

/* --- a group: the methods of one checkpoint and loss --- */

int score_in_group(const struct scorer *w, enum method m) {
    if (method_has_several(m) || method_has_retrained(m) || m == METHOD_NDA) return 0;
    if ((m == METHOD_JOURNEY) != w->journey) return 0;
    if (w->loss == LOSS_COUNT) return !method_has_loss(m) && w->wanted[m] && method_has_embedding(m) == w->embedded;
    return method_has_loss(m) && (w->wanted[m] >> w->loss & 1);
}

static int group_is_empty(const struct scorer *w) {
    for (int m = 0; m < METHOD_COUNT; m++)
        if (score_in_group(w, (enum method)m)) return 0;
    return 1;
}

static enum status find_source(struct scorer *w) {
    size_t needed[SPLIT_COUNT];
    memcpy(needed, w->items, sizeof needed);
    for (int q = 0; q < SPLIT_COUNT; q++)
        while (w->picked[q] && needed[q] && !w->picked[q][needed[q] - 1]) needed[q]--;
    struct source_wanted want = { .checkpoint = w->checkpoint, .loss = w->loss, .timesteps = w->o->timesteps, .splits = w->splits,
                                  .items = w->items, .needed = needed, .memory = w->memory, .dims = w->o->dims, .journey = w->journey,
                                  .several = &w->checkpoints, .asked = w->o->checkpoints };
    return source_find(&w->source, w->s, &want);
}

void score_describe(const struct scorer *w, enum method m, enum split split, size_t lambda, struct score_set *set) {
    *set = (struct score_set){ .split = split, .version = VERSION, .n = w->items[SPLIT_TRAIN],
                               .mantissa_bits = w->o->mantissa_bits ? w->o->mantissa_bits : 24,
                               .rows = w->items[split], .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN,
                               .condition = NAN };
    snprintf(set->method, sizeof set->method, "%s", method_name(m));
    if (m == METHOD_RANDOM) snprintf(set->params, sizeof set->params, "{\"seed\":0}");
    else source_params(&w->source, split, set->params, sizeof set->params);
    size_t len = strlen(set->params);
    if (m == METHOD_DAS || m == METHOD_DAS_SIGNED) {   /* one member more, at the end */
        char form[DAS_TEXT];
        das_format(form, w->das);
        snprintf(set->params + len - 1, sizeof set->params - len + 1, ",\"das\":\"%s\"}", form);
    }
    if (!method_has_features(m)) return;
    snprintf(set->loss, sizeof set->loss, "%s", loss_name(w->loss));
    set->checkpoint[0] = w->checkpoint->id;
    set->checkpoints = 1;
    set->timesteps = w->source.train.identity.timesteps;
    set->k = w->source.train.identity.k;
    if (method_has_lambda(m)) lambda_format(set->lambda_spec, w->lambda[lambda]);
}

enum status score_settle_bits(const struct scorer *w, struct score_set *set) {
    return w->o->mantissa_bits ? OK : store_score_set_bits(w->s, set);
}

enum status score_count_missing(struct scorer *w, struct score_set *set, double *rows) {
    struct index_list missing;
    enum split split = set->split;
    TRY(score_settle_bits(w, set));
    enum status st = store_score_set_same(w->s, set, set);
    *rows = (double)score_queries(w, split);
    if (st == ERR_MISSING) return OK;
    TRY(st);
    if (set->rows < w->items[split]) set->rows = w->items[split];   /* the split grew */
    TRY(store_scores_missing(w->s, set, &missing));
    *rows = 0;
    for (size_t i = 0; i < missing.count; i++)
        *rows += missing.index[i] < w->items[split] && score_is_asked(w, split, missing.index[i]);
    index_list_free(&missing);
    return OK;
}

enum status score_open_set(struct scorer *w, struct task *t) {
    enum split split = t->split;
    struct index_list list;
    TRY(score_settle_bits(w, &t->set));
    TRY(store_score_set_ensure(w->s, &t->set, &w->provenance, &t->set));
    t->missing = mem_array(w->items[split], 1);
    if (!t->missing) return fail(ERR_NOMEM, "score: out of memory");
    TRY(store_scores_missing(w->s, &t->set, &list));
    for (size_t i = 0; i < list.count; i++)
        if (list.index[i] < w->items[split] && score_is_asked(w, split, list.index[i])) {
            t->missing[list.index[i]] = 1;
            t->n_missing++;
        }
    index_list_free(&list);
    w->done += (double)(score_queries(w, split) - t->n_missing);
    return OK;
}

static enum status open_task(struct scorer *w, enum method m, enum split split, size_t lambda) {
    struct task *t = &w->task[w->tasks++];
    *t = (struct task){ .method = m, .split = split, .lambda = lambda };
    score_describe(w, m, split, lambda, &t->set);
    return score_open_set(w, t);
}

static enum status open_tasks(struct scorer *w) {
    w->task = mem_array(METHOD_COUNT * SPLIT_COUNT * w->lambdas, sizeof *w->task);
    if (!w->task) return fail(ERR_NOMEM, "score: out of memory");
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int q = 0; q < SPLIT_COUNT && score_in_group(w, (enum method)m); q++)
            for (size_t l = 0; w->splits >> q & 1 && l < (method_has_lambda((enum method)m) ? w->lambdas : 1); l++)
                TRY(open_task(w, (enum method)m, (enum split)q, l));
    return OK;
}

static void close_group(struct scorer *w) {
    for (size_t i = 0; i < w->tasks; i++) mem_free(w->task[i].missing);
    mem_free(w->task);
    w->task = NULL;
    w->tasks = 0;
    ridge_free(w->ridge);
    w->ridge = NULL;
    w->is_streamed = 0;
    mem_free(w->by_relative);
    mem_free(w->by_norm);
    mem_free(w->residual);
    mem_free(w->by_das);
    w->by_relative = w->by_norm = w->residual = w->by_das = NULL;
    source_close(&w->source);
}

/* --- ridge and self-influence --- */

int score_has_ridge(const struct scorer *w) {
    for (int m = 0; m < METHOD_COUNT; m++)
        if (method_has_lambda((enum method)m) && score_in_group(w, (enum method)m)) return 1;
    return 0;
}

static struct stat_key leverage_key(const struct scorer *w, size_t lambda, char text[LEVERAGE_KEY_TEXT]) {
    char value[LAMBDA_TEXT];
    lambda_format(value, w->lambda[lambda]);
    feature_leverage_key(text, &w->source.train.identity, value);
    return (struct stat_key){ "self_influence", text, w->checkpoint->id, SPLIT_TRAIN };
}

/* Whether the training items' leverages are asked for and not there, per lambda. */
static enum status find_leverages(struct scorer *w, unsigned char *missing, size_t *count) {
    size_t n = w->items[SPLIT_TRAIN];
    double *there = NULL;
    *count = 0;
    if (!w->o->self_influence || !score_has_ridge(w)) return OK;
    there = mem_array(n, sizeof *there);
    if (!there) return fail(ERR_NOMEM, "score: out of memory");
    enum status st = OK;
    for (size_t l = 0; l < w->lambdas && st == OK; l++) {
        char text[LEVERAGE_KEY_TEXT];
        size_t present = 0;
        struct stat_key key = leverage_key(w, l, text);
        st = store_stat_get(w->s, &key, 0, n, there, &present);
        missing[l] = present < n;
        *count += missing[l];
    }
    mem_free(there);
    return st;
}

/* One line for all lambdas of the group at which the projection is narrow. */
static void warn(const struct scorer *w) {
    char line[256], value[LAMBDA_TEXT], where[64] = "";
    size_t narrow = 0;
    double worst = 0, at = 0;
    struct score_set set = { .k = ridge_feature_count(w->ridge) };
    for (size_t l = 0; l < w->lambdas; l++) {
        set.d_eff = ridge_effective_dimension(w->ridge, w->lambda_abs[l]);
        if (!score_set_is_narrow(&set)) continue;
        narrow++;
        if (set.d_eff > worst) at = lambda_to_relative(w->lambda_abs[l], ridge_trace(w->ridge), w->items[SPLIT_TRAIN]);
        if (set.d_eff > worst) worst = set.d_eff;
    }
    if (!narrow || !w->o->warn) return;
    lambda_format_value(value, at);
    if (w->lambdas > 1) snprintf(where, sizeof where, "at %zu of %zu lambdas ", narrow, w->lambdas);
    snprintf(line, sizeof line, "loss %s: %sk %zu is less than 10 times the effective dimension, %.0f at lambda %s; scores lean "
             "on the projection: more --dims or a larger lambda would help", loss_name(w->loss), where, set.k, worst, value);
    w->o->warn(w->o->warn_ctx, line);
}

double score_known_lambda(const struct scorer *w, size_t lambda, double *d_eff) {
    *d_eff = NAN;
    for (size_t i = 0; i < w->tasks; i++) {
        const struct task *t = &w->task[i];
        if (!method_has_lambda(t->method) || t->lambda != lambda || !(t->set.lambda_abs > 0)) continue;
        *d_eff = t->set.d_eff;
        return t->set.lambda_abs;
    }
    return 0;
}

static enum status put_ridge(struct scorer *w) {
    const struct ridge *r = w->ridge;
    for (size_t i = 0; i < w->tasks; i++) {
        struct task *t = &w->task[i];
        if (!method_has_lambda(t->method)) continue;
        double l = w->lambda_abs[t->lambda];
        struct score_ridge v = { lambda_to_relative(l, ridge_trace(r), w->items[SPLIT_TRAIN]), l,
                                 ridge_effective_dimension(r, l), ridge_condition(r, l), ridge_numeric_rank(r) };
        if (isnan(t->set.lambda_abs) || isnan(t->set.condition)) TRY(store_score_set_ridge(w->s, t->set.id, &v));
    }
    warn(w);
    return OK;
}

static int has_das(const struct scorer *w) {
    return score_in_group(w, METHOD_DAS) || score_in_group(w, METHOD_DAS_SIGNED);
}

/* r_n / (1 - h_n), as far as the form of das has them. */
static enum status make_das(struct scorer *w, const double *leverage) {
    size_t n = w->items[SPLIT_TRAIN];
    w->by_das = mem_array(w->lambdas * n, sizeof *w->by_das);
    if (!w->by_das) return fail(ERR_NOMEM, "score: out of memory");
    for (size_t i = 0; i < w->lambdas * n; i++) w->by_das[i] = 1;
    for (size_t l = 0; l < w->lambdas; l++)
        TRY(das_signed(w->by_das + l * n, 1, n, w->residual, w->das.has_leverage ? leverage + l * n : NULL));
    return OK;
}

/* Leverages where they are missing, and the lengths that methods divide by. */
static enum status make_diagonals(struct scorer *w, const unsigned char *missing, size_t n_missing) {
    size_t n = w->items[SPLIT_TRAIN];
    int relative = score_in_group(w, METHOD_RELATIVE_IF);
    double *leverage = NULL, *lengths = NULL;
    enum status st = OK;
    int das = has_das(w), leverages = n_missing || (das && w->das.has_leverage);
    if (!leverages && !relative && !das) return OK;
    if (leverages) leverage = mem_array(w->lambdas * n, sizeof *leverage);
    if (relative) lengths = mem_array(w->lambdas * n, sizeof *lengths);
    if ((leverages && !leverage) || (relative && !lengths)) {
        st = fail(ERR_NOMEM, "score: out of memory");
        goto done;
    }
    if (leverages || relative)
        TRY_TO(ridge_diagonals_many(w->ridge, w->lambda_abs, w->lambdas, leverage, lengths, NULL));
    if (das) TRY_TO(make_das(w, leverage));
    for (size_t l = 0; l < w->lambdas && n_missing; l++) {
        char text[LEVERAGE_KEY_TEXT];
        struct stat_key key = leverage_key(w, l, text);
        if (missing[l]) TRY_TO(store_stat_put(w->s, &key, 0, n, leverage + l * n));
    }
    for (size_t l = 0; l < w->lambdas && relative; l++) method_inverse_norms(lengths + l * n, lengths + l * n, n);
    w->by_relative = lengths;
    lengths = NULL;
done:
    mem_free(leverage);
    mem_free(lengths);
    return st;
}

static enum status make_ridge(struct scorer *w) {
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    TRY(source_ridge(&w->source, &w->ridge, w->progress));
    TRY(progress_check(w->progress));
    const struct ridge *r = w->ridge;
    for (size_t l = 0; l < w->lambdas; l++) {
        double d_eff, known = w->lambda[l].kind == LAMBDA_AUTO ? score_known_lambda(w, l, &d_eff) : 0;
        if (known > 0) w->lambda_abs[l] = known;
        else TRY(lambda_resolve(&w->lambda_abs[l], w->lambda[l], ridge_eigenvalues(r), ridge_rank(r), ridge_trace(r),
                                w->items[SPLIT_TRAIN], ridge_feature_count(r)));
    }
    return put_ridge(w);
}

static enum status make_norms(struct scorer *w) {
    TRY(source_norms(&w->source));
    if (!score_in_group(w, METHOD_RENORM_IF)) return OK;
    w->by_norm = mem_array(w->items[SPLIT_TRAIN], sizeof *w->by_norm);
    if (!w->by_norm) return fail(ERR_NOMEM, "score: out of memory");
    method_inverse_norms(w->by_norm, w->source.norm, w->items[SPLIT_TRAIN]);
    return OK;
}

/* --- the groups --- */

static size_t rows_missing(const struct scorer *w) {
    size_t missing = 0;
    for (size_t i = 0; i < w->tasks; i++) missing += w->task[i].n_missing;
    return missing;
}

static int needs_train_norms(const struct scorer *w) {
    return score_in_group(w, METHOD_GRAD_COS) || score_in_group(w, METHOD_PIXEL_COS) ||
           score_in_group(w, METHOD_EMBED_COS) || score_in_group(w, METHOD_RENORM_IF);
}

enum status score_open_source(struct scorer *w) {
    if (w->checkpoint) return find_source(w);
    if (w->embedded) return source_embedding(&w->source, w->s, w->o->embedding, w->splits, w->items, w->memory);
    return source_pixels(&w->source, w->s, w->items, w->memory);
}

/* Before anything starts: is it all there, does it fit, what will it cost? */
static enum status look_at_group(struct scorer *w) {
    TRY(score_open_source(w));
    TRY(score_choose_solver(w));
    return w->o->cost ? score_add_cost(w) : OK;
}

static enum status run_group(struct scorer *w) {
    unsigned char no_leverage[LAMBDA_LIST_MAX] = { 0 };
    size_t leverages = 0;
    if (w->checkpoint)
        snprintf(w->what, sizeof w->what, "loss %s, checkpoint %.0f%%", loss_name(w->loss), w->checkpoint->percent);
    else
        snprintf(w->what, sizeof w->what, w->embedded ? "of an embedding" : "without a network");
    TRY(score_open_source(w));
    TRY(open_tasks(w));
    TRY(find_leverages(w, no_leverage, &leverages));
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    TRY(progress_check(w->progress));
    if (w->checkpoint && w->o->keep_kernel && !w->journey) TRY(source_keep_kernel(&w->source, w->o->mantissa_bits == 0 || w->o->mantissa_bits >= 24, w->progress));
    if (!rows_missing(w) && !leverages) return OK;
    if (has_das(w) && w->das.residual != DAS_RESIDUAL_NONE) TRY(score_residuals(w));
    TRY(score_choose_solver(w));
    if (w->is_streamed) {
        TRY(make_diagonals(w, no_leverage, 0));
        TRY(make_norms(w));
        TRY(score_stream(w));
    } else if (score_has_ridge(w)) {
        TRY(make_ridge(w));
        TRY(make_diagonals(w, no_leverage, leverages));
    }
    if (!w->is_streamed && needs_train_norms(w)) TRY(make_norms(w));
    return score_make_rows(w);
}

/* Calls fn for every group that is not empty. */
static enum status each_group(struct scorer *w, enum status (*fn)(struct scorer *w)) {
    for (size_t c = 0; c < w->checkpoints.count; c++)
        for (int l = 0; l < LOSS_COUNT; l++)
            for (int journey = 0; journey < 2; journey++) {
                unsigned splits = w->splits;
                w->checkpoint = &w->checkpoints.checkpoint[c];
                w->loss = (enum loss)l;
                w->journey = journey;
                if (group_is_empty(w)) continue;
                if (journey) w->splits &= 1u << SPLIT_GEN;
                enum status st = fn(w);
                close_group(w);
                w->splits = splits;
                TRY(st);
            }
    w->journey = 0;
    return OK;
}

/* The same for the methods without a network: on pixels, on an embedding. */
static enum status last_groups(struct scorer *w, enum status (*fn)(struct scorer *w)) {
    w->checkpoint = NULL;
    w->loss = LOSS_COUNT;
    w->journey = 0;
    for (w->embedded = 0; w->embedded < 2; w->embedded++) {
        if (group_is_empty(w)) continue;
        enum status st = fn(w);
        close_group(w);
        TRY(st);
    }
    w->embedded = 0;
    return OK;
}

static enum status run(struct scorer *w) {
    TRY(prepare(w));
    linalg_set_threads((int)w->provenance.threads);
    TRY(each_group(w, look_at_group));
    TRY(last_groups(w, look_at_group));
    TRY(score_check_means(w));
    if (w->o->cost) TRY(score_add_nda_cost(w));
    TRY(score_add_subsets_cost(w));
    TRY(score_check_errors(w));
    if (cost_announce(w->o->cost, "score", &w->cost)) return OK;
    TRY(each_group(w, run_group));
    TRY(last_groups(w, run_group));
    TRY(score_make_means(w));
    TRY(score_make_subsets(w));
    TRY(score_make_errors(w));
    return score_make_nda(w);
}

enum status pipeline_score(struct store *s, const struct score_options *o, const struct progress *p) {
    struct scorer *w = mem_array(1, sizeof *w);
    if (!w) return fail(ERR_NOMEM, "score: out of memory");
    w->s = s;
    w->o = o;
    w->progress = p;
    struct items_watch items;
    store_wait_longer(s);
    enum status st = store_items_look(s, &items);
    if (st == OK) {
        store_items_watch(s, &items);
        st = run(w);
        store_items_watch(s, NULL);
    }
    linalg_set_threads(1);   /* what model code relies on */
    close_group(w);
    pool_free(w->pool);
    for (int q = 0; q < SPLIT_COUNT; q++) mem_free(w->picked[q]);
    mem_free(w->rates);
    lds_outputs_close(&w->outputs);
    checkpoint_list_free(&w->checkpoints);
    mem_free(w);
    return st;
}
