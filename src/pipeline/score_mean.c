/* score_mean.c - score sets over several checkpoints: tracin, gas, ensembles.
 *
 * They are means of rows that are stored already, one set per checkpoint, so they cost
 * reading.  A member is taken as it is stored: with 24 bits it is exact float32. */
#include "score_parts.h"

#include "dtrak/combine.h"
#include "dtrak/mem.h"
#include "dtrak/offer.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 };   /* rows in one transaction */

/* The method whose rows are averaged. */
static enum method member_of(enum method m) {
    return m == METHOD_TRACIN ? METHOD_GRAD_DOT : m == METHOD_GAS ? METHOD_GRAD_COS : m;
}

size_t score_means_of(const struct scorer *w, enum method m) {
    return method_has_several(m) || (w->o->ensemble && method_has_checkpoint(m));
}

struct mean {
    struct scorer *w;
    struct task task;
    struct score_set *member;   /* [checkpoints] */
    struct combine sum;
    float *row;
    double *wide;               /* [n] */
};

static void mean_free(struct mean *a) {
    mem_free(a->task.missing);
    mem_free(a->member);
    combine_free(&a->sum);
    mem_free(a->row);
    mem_free(a->wide);
}

/* How features that are made differently come to a mean: those that all checkpoints have, or new ones like the better. */
static enum status how_alike(char out[OFFER_COMMAND + 64], struct scorer *w) {
    struct feature_set_list l;
    struct offer_features want = { .loss = w->loss, .timesteps = w->o->timesteps, .k = w->o->dims };
    char options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION];
    size_t alike = 0;
    int weights = 1;
    const struct feature_set *like = NULL;
    out[0] = 0;
    TRY(store_feature_sets_list(w->s, &l));
    enum status st = offer_like_several(&like, &alike, w->s, &l, &w->checkpoints, &want);
    for (size_t c = 0; c < w->checkpoints.count; c++) weights = weights && w->checkpoints.checkpoint[c].weights_bytes;
    if (like && alike == w->checkpoints.count) {
        snprintf(out, OFFER_COMMAND, "; those of --timesteps %zu --dims %zu are alike", like->identity.timesteps, like->identity.k);
    } else if (like && weights) {
        for (size_t i = 0; i < l.count; i++)
            if (l.set[i].identity.split == SPLIT_TRAIN && !strcmp(l.set[i].identity.loss, loss_name(w->loss)) && feature_set_is_better(&l.set[i], like) &&
                strcmp(l.set[i].identity.rule, FEATURE_RULE_JOURNEY)) like = &l.set[i];
        offer_features_options(options, like, &want);
        text_shell_word(db, sizeof db, store_path(w->s));
        text_shell_word(at, sizeof at, w->o->checkpoints ? w->o->checkpoints : "last");
        snprintf(out, OFFER_COMMAND + 64, "; make them alike with: dtrak features %s --loss %s --checkpoint %s%s", db, loss_name(w->loss), at, options);
    }
    feature_set_list_free(&l);
    return st;
}

static enum status refuse_mean(const struct mean *a, const struct score_set *other) {
    struct scorer *w = a->w;
    char how[OFFER_COMMAND + 64];
    TRY(how_alike(how, w));
    return fail(ERR_FORMAT, "score: features of loss %s at checkpoints %zu and %zu are made differently (k %zu and "
                "%zu, %zu and %zu timesteps%s) and have no mean%s", loss_name(w->loss), w->checkpoints.checkpoint[0].step, w->checkpoint->step,
                a->member[0].k, other->k, a->member[0].timesteps, other->timesteps,
                strcmp(other->params, a->member[0].params) ? ", or seeds, rule or projection" : "", how);
}

/* The sets of one checkpoint each, as they shall be; they must be made alike. */
static enum status describe_members(struct mean *a) {
    struct scorer *w = a->w;
    const struct task *t = &a->task;
    for (size_t c = 0; c < w->checkpoints.count; c++) {
        struct score_set *s = &a->member[c];
        unsigned splits = w->splits;
        w->checkpoint = &w->checkpoints.checkpoint[c];
        w->journey = t->method == METHOD_JOURNEY;
        if (w->journey) w->splits &= 1u << SPLIT_GEN;
        enum status st = score_open_source(w);
        if (st == OK) score_describe(w, member_of(t->method), t->split, t->lambda, s);
        source_close(&w->source);
        w->journey = 0;
        w->splits = splits;
        TRY(st);
        if (s->k != a->member[0].k || s->timesteps != a->member[0].timesteps || strcmp(s->params, a->member[0].params) != 0)
            return refuse_mean(a, s);
    }
    return OK;
}

static enum status find_members(struct mean *a) {
    struct scorer *w = a->w;
    TRY(describe_members(a));
    for (size_t c = 0; c < w->checkpoints.count; c++) {
        TRY(score_settle_bits(w, &a->member[c]));
        TRY(store_score_set_same(w->s, &a->member[c], &a->member[c]));
    }
    return OK;
}

static void describe_mean(struct mean *a) {
    struct score_set *set = &a->task.set;
    *set = a->member[0];
    set->id = 0;
    snprintf(set->method, sizeof set->method, "%s", method_name(a->task.method));
    set->checkpoints = a->w->checkpoints.count;
    for (size_t c = 0; c < set->checkpoints; c++) set->checkpoint[c] = a->w->checkpoints.checkpoint[c].id;
    set->rows = a->w->items[a->task.split];
    set->lambda_rel = set->lambda_abs = set->d_eff = set->condition = (double)NAN;
    set->rank = 0;
    if (!a->w->o->mantissa_bits) set->mantissa_bits = 24;
}

static enum status mean_row(struct mean *a, size_t query) {
    struct scorer *w = a->w;
    size_t n = w->items[SPLIT_TRAIN];
    memset(a->sum.sum, 0, n * sizeof *a->sum.sum);
    a->sum.weight = 0;
    a->sum.parts = 0;
    for (size_t c = 0; c < w->checkpoints.count; c++) {
        TRY(store_score_read(w->s, &a->member[c], query, a->row));
        for (size_t i = 0; i < n; i++) a->wide[i] = (double)a->row[i];
        TRY(combine_add(&a->sum, a->wide, 1));
    }
    TRY(combine_mean(&a->sum, a->wide));
    for (size_t i = 0; i < n; i++) a->row[i] = (float)a->wide[i];
    return store_score_put(w->s, &a->task.set, query, a->row);
}

/* Missing rows from *query on, at most BLOCK of them. */
static enum status mean_block(struct mean *a, size_t *query, double *rows) {
    size_t items = a->w->items[a->task.split];
    for (*rows = 0; *query < items && *rows < BLOCK; ++*query) {
        if (!a->task.missing[*query]) continue;
        TRY(mean_row(a, *query));
        ++*rows;
    }
    return OK;
}

static enum status mean_rows(struct mean *a) {
    struct scorer *w = a->w;
    for (size_t query = 0; query < w->items[a->task.split];) {
        double rows;
        TRY(progress_check(w->progress));
        TRY(store_begin(w->s));
        enum status st = mean_block(a, &query, &rows);
        if (st == OK) st = store_commit(w->s);
        if (st != OK) {
            store_rollback(w->s);
            return st;
        }
        w->done += rows;
        progress_report(w->progress, w->done, w->total, "scores", w->what);
    }
    return OK;
}

static enum status one_mean(struct scorer *w, enum method m, enum split split, size_t lambda) {
    enum status st = OK;
    size_t n = w->items[SPLIT_TRAIN];
    struct mean a = { .w = w, .task = { .method = m, .split = split, .lambda = lambda } };
    a.member = mem_array(w->checkpoints.count, sizeof *a.member);
    a.row = mem_array(n, sizeof *a.row);
    a.wide = mem_array(n, sizeof *a.wide);
    if (!a.member || !a.row || !a.wide) TRY_TO(fail(ERR_NOMEM, "score: out of memory"));
    TRY_TO(combine_init(&a.sum, n));
    TRY_TO(find_members(&a));
    describe_mean(&a);
    TRY_TO(score_open_set(w, &a.task));
    snprintf(w->what, sizeof w->what, "%s, loss %s, %zu checkpoints", method_name(m), loss_name(w->loss), w->checkpoints.count);
    st = mean_rows(&a);
done:
    mean_free(&a);
    return st;
}

static enum status check_mean(struct scorer *w, enum method m, enum split split, size_t lambda) {
    struct mean a = { .w = w, .task = { .method = m, .split = split, .lambda = lambda } };
    a.member = mem_array(w->checkpoints.count, sizeof *a.member);
    enum status st = a.member ? describe_members(&a) : fail(ERR_NOMEM, "score: out of memory");
    mean_free(&a);
    return st;
}

static enum status each_mean(struct scorer *w, enum status (*fn)(struct scorer *, enum method, enum split, size_t)) {
    for (int m = 0; m < METHOD_COUNT; m++) {
        if (!score_means_of(w, (enum method)m)) continue;
        size_t lambdas = method_has_lambda((enum method)m) ? w->lambdas : 1;
        for (int l = 0; l < LOSS_COUNT; l++)
            for (int q = m == METHOD_JOURNEY ? SPLIT_GEN : 0; q < SPLIT_COUNT && w->wanted[m] >> l & 1; q++)
                for (size_t i = 0; i < lambdas && w->splits >> q & 1; i++) {
                    w->loss = (enum loss)l;
                    TRY(fn(w, (enum method)m, (enum split)q, i));
                }
    }
    return OK;
}

enum status score_check_means(struct scorer *w) { return each_mean(w, check_mean); }
enum status score_make_means(struct scorer *w) { return each_mean(w, one_mean); }
