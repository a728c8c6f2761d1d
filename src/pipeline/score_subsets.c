/* score_subsets.c - rows of emp-influence and datamodel: made of the losses of networks that
 * `dtrak lds` retrained on subsets, and of nothing else.
 *
 * All finished subsets of the newest protocols count.  A set notes which, by a checksum, so that more
 * subsets later make another set; lds_report.c judges such sets on subsets that they were not made of. */
#include "score_parts.h"

#include "dtrak/datamodel.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SUBSETS_VERSION = 1, BLOCK = 64 };   /* queries in one transaction */

static int wants(const struct scorer *w) { return w->wanted[METHOD_EMP_INFLUENCE] || w->wanted[METHOD_DATAMODEL]; }

/* Where the queries of a split are among the outputs; NULL: they were not evaluated. */
static const struct lds_query *queries_of(const struct scorer *w, enum split split) {
    for (size_t i = 0; i < w->outputs.splits; i++)
        if (w->outputs.query[i].split == split) return &w->outputs.query[i];
    return NULL;
}

enum status score_read_subsets(struct scorer *w) {
    size_t any = 0;
    char where[LDS_WHERE];
    if (!wants(w)) return OK;
    TRY(lds_outputs_open(&w->outputs, w->s, w->wanted[METHOD_DATAMODEL] ? 3 : 2));
    for (int q = 0; q < SPLIT_COUNT; q++) {
        const struct lds_query *there = NULL;
        if (w->splits >> q & 1) TRY(lds_outputs_check(&w->outputs, (enum split)q, &there));
        if (!there) continue;
        for (int m = 0; m < METHOD_COUNT; m++)
            if (w->wanted[m] && method_has_retrained((enum method)m)) w->total += (double)there->Q;
        any++;
    }
    lds_outputs_where(&w->outputs, where);
    return any ? OK : fail(ERR_MISSING, "score: the retrained networks were not evaluated at these queries, but at --query %s", where);
}

/* Of masks and losses: other subsets, other seeds or other outputs are another set. */
static uint64_t checksum(const struct lds_outputs *o, const double *y, size_t Q) {
    return hash_xxh3(o->members, o->M * o->n) ^ UINT64_C(31) * hash_xxh3(y, o->M * Q * sizeof *y);
}

static void describe(const struct scorer *w, enum method m, const struct lds_query *query, const double *y, struct score_set *set) {
    const struct lds_outputs *o = &w->outputs;
    char draw[17];
    lds_outputs_draw(o, draw);
    *set = (struct score_set){ .split = query->split, .version = SUBSETS_VERSION, .n = o->n,
                               .mantissa_bits = w->o->mantissa_bits ? w->o->mantissa_bits : 24, .rows = query->first + query->Q,
                               .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .condition = NAN };
    snprintf(set->method, sizeof set->method, "%s", method_name(m));
    snprintf(set->params, sizeof set->params, "{\"subsets\":%zu,\"seeds\":%zu,\"draw\":\"%s\",\"outputs\":\"%016llx\"%s}", o->M,
             o->seeds, draw, (unsigned long long)checksum(o, y, query->Q),
             m == METHOD_DATAMODEL ? ",\"strengths\":[0.1,1,10],\"relative\":true,\"folds\":0" : "");
}

static enum status put_block(struct scorer *w, struct task *t, size_t first, size_t count, const double *scores, float *row) {
    size_t n = w->items[SPLIT_TRAIN];
    for (size_t i = 0; i < count; i++) {
        if (!t->missing[first + i]) continue;
        for (size_t j = 0; j < n; j++) row[j] = (float)scores[i * n + j];
        TRY(store_score_put(w->s, &t->set, first + i, row));
    }
    return OK;
}

/* Rows [first, first + count) of the split; y [M][count], scores [count][n]. */
static enum status make_block(struct scorer *w, struct task *t, size_t first, size_t count, const double *y, double *scores,
                              float *row, size_t *undecided) {
    const struct lds_outputs *o = &w->outputs;
    if (t->method == METHOD_EMP_INFLUENCE) TRY(datamodel_influence(scores, undecided, o->members, y, o->M, o->n, count));
    else TRY(datamodel_ridge(scores, NULL, &datamodel_default, o->members, y, o->M, o->n, count));
    TRY(progress_check(w->progress));
    TRY(store_begin(w->s));
    enum status st = put_block(w, t, first, count, scores, row);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) store_rollback(w->s);
    else w->done += (double)count;
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    return st;
}

static void warn_undecided(const struct scorer *w, enum split split, size_t undecided) {
    char line[160];
    if (!undecided || !w->o->warn) return;
    snprintf(line, sizeof line, "emp-influence, %s: %zu of %zu training items are in all of the %zu subsets or in none; their "
             "score is 0", split_name(split), undecided, w->outputs.n, w->outputs.M);
    w->o->warn(w->o->warn_ctx, line);
}

/* The missing rows of one set, a block at a time; all [Q][M], y [M][BLOCK], scores [BLOCK][n]. */
static enum status make_rows(struct scorer *w, struct task *t, const struct lds_query *query, const double *all, double *y,
                             double *scores, float *row) {
    size_t undecided = 0, M = w->outputs.M;
    for (size_t at = 0; at < query->Q; at += BLOCK) {
        size_t count = query->Q - at < BLOCK ? query->Q - at : BLOCK, lacks = 0;
        for (size_t i = 0; i < count; i++) {
            lacks += t->missing[query->first + at + i];
            for (size_t m = 0; m < M; m++) y[m * count + i] = all[(at + i) * M + m];
        }
        if (lacks) TRY(make_block(w, t, query->first + at, count, y, scores, row, &undecided));
        else w->done += (double)count;
    }
    warn_undecided(w, query->split, undecided);
    return OK;
}

static enum status make_set(struct scorer *w, enum method m, const struct lds_query *query, const double *all, double *y,
                            double *scores, float *row) {
    struct task t = { .method = m, .split = query->split };
    describe(w, m, query, all, &t.set);
    TRY(score_settle_bits(w, &t.set));
    enum status st = store_score_set_ensure(w->s, &t.set, &w->provenance, &t.set);
    struct index_list list = { 0 };
    t.missing = mem_array(w->items[query->split], 1);
    if (st == OK && !t.missing) st = fail(ERR_NOMEM, "score: out of memory");
    if (st == OK) st = store_scores_missing(w->s, &t.set, &list);
    for (size_t i = 0; st == OK && i < list.count; i++)
        if (list.index[i] < w->items[query->split] && score_is_asked(w, query->split, list.index[i])) t.missing[list.index[i]] = 1;
    index_list_free(&list);
    snprintf(w->what, sizeof w->what, "%s, %zu subsets", method_name(m), w->outputs.M);
    if (st == OK) st = make_rows(w, &t, query, all, y, scores, row);
    mem_free(t.missing);
    return st;
}

static enum status make_split(struct scorer *w, const struct lds_query *query) {
    size_t M = w->outputs.M, n = w->outputs.n;
    double *all = mem_array(M, query->Q * sizeof *all), *y = mem_array(M, BLOCK * sizeof *y);
    double *scores = mem_array(BLOCK, n * sizeof *scores);
    float *row = mem_array(n, sizeof *row);
    enum status st = all && y && scores && row ? OK : fail(ERR_NOMEM, "score: out of memory");
    if (st == OK) st = lds_outputs_means(&w->outputs, query->split, query->Q, all, NULL, NULL);
    for (int m = 0; m < METHOD_COUNT && st == OK; m++)
        if (w->wanted[m] && method_has_retrained((enum method)m)) st = make_set(w, (enum method)m, query, all, y, scores, row);
    mem_free(all);
    mem_free(y);
    mem_free(scores);
    mem_free(row);
    return st;
}

enum status score_make_subsets(struct scorer *w) {
    if (!wants(w)) return OK;
    for (int q = 0; q < SPLIT_COUNT; q++) {
        const struct lds_query *query = w->splits >> q & 1 ? queries_of(w, (enum split)q) : NULL;
        if (query) TRY(make_split(w, query));
    }
    return OK;
}

/* Rows that are there already cost nothing: which set it is follows from the outputs. */
static enum status add_split_cost(struct scorer *w, const struct lds_query *query) {
    double n = (double)w->outputs.n, M = (double)w->outputs.M;
    double *all = mem_array(w->outputs.M, query->Q * sizeof *all);
    enum status st = all ? lds_outputs_means(&w->outputs, query->split, query->Q, all, NULL, NULL) : fail(ERR_NOMEM, "score: out of memory");
    for (int m = 0; m < METHOD_COUNT && st == OK; m++) {
        struct score_set set;
        double rows = 0;
        if (!w->wanted[m] || !method_has_retrained((enum method)m)) continue;
        describe(w, (enum method)m, query, all, &set);
        st = score_count_missing(w, &set, &rows);
        if (rows > (double)query->Q) rows = (double)query->Q;
        w->cost.flop += 2 * rows * n * M;
        w->cost.bytes_disk += 4 * rows * n;
    }
    mem_free(all);
    return st;
}

enum status score_add_subsets_cost(struct scorer *w) {
    if (!wants(w)) return OK;
    for (int q = 0; q < SPLIT_COUNT; q++) {
        const struct lds_query *query = w->splits >> q & 1 ? queries_of(w, (enum split)q) : NULL;
        if (query) TRY(add_split_cost(w, query));
    }
    return OK;
}
