/* score_stream.c - ridge rows without a decomposition: lambdas and queries solved for by
 * reading the features again and again (ridge_stream.h).
 *
 * For features whose matrix does not fit into the memory given, or when asked for.
 * Every reading serves a batch of queries and all lambdas; a batch is a transaction. */
#include "score_parts.h"

#include "dtrak/mem.h"
#include "dtrak/ridge_stream.h"

#include <math.h>
#include <string.h>

enum { READINGS = 150 };   /* of the features, as the cost reckons */

/* --- which way --- */

static enum status needs_decomposition(const struct scorer *w, const char *what) {
    char need[32];
    cost_format_bytes(need, sizeof need, source_ridge_bytes(&w->source) + score_least_bytes(w));
    return fail(ERR_RANGE, "%s of %zu training items with k %zu %s a decomposition, which takes %s of memory: raise --memory, make features with "
                "fewer --dims, or leave it out (trak and renorm-if do without)", what, w->source.n, w->source.rows.k,
                w->o->solver == SOLVER_KRYLOV ? "comes from" : "needs", need);
}

/* A quarter of the memory keeps rows that were read; the scores of a batch of queries take at most a quarter of the rest. */
static size_t stream_memory(const struct scorer *w) { return w->memory / 20 * 12; }

/* With a single query, whose scores at all lambdas are there at once. */
static double stream_least(const struct scorer *w) {
    const struct source *src = &w->source;
    return ridge_stream_least_bytes(src->n, src->rows.k) + (16.0 + sizeof(float) * (double)w->lambdas) * (double)src->n;
}

static enum status can_stream(const struct scorer *w) {
    const struct source *src = &w->source;
    double least = stream_least(w);
    char need[32], given[32];
    if (!src->is_whole) return fail(ERR_RANGE, "features are not stored here, only their kernel, which is solved by a decomposition; raise --memory");
    if (score_in_group(w, METHOD_RELATIVE_IF)) return needs_decomposition(w, "method relative-if");
    if (w->o->self_influence) return needs_decomposition(w, "self-influence");
    if (w->das.has_leverage && (score_in_group(w, METHOD_DAS) || score_in_group(w, METHOD_DAS_SIGNED)))
        return needs_decomposition(w, "das with leverage");
    if (least <= (double)stream_memory(w)) return OK;
    cost_format_bytes(need, sizeof need, least * 20 / 12);
    cost_format_bytes(given, sizeof given, (double)w->memory);
    return fail(ERR_RANGE, "%zu training items with k %zu need %s of memory, and %s is given; raise it with --memory", src->n, src->rows.k, need, given);
}

enum status score_choose_solver(struct scorer *w) {
    w->is_streamed = 0;
    if (!score_has_ridge(w)) return OK;
    if (w->o->solver != SOLVER_KRYLOV) {
        enum status st = source_check_memory(&w->source, score_least_bytes(w));
        if (st == OK || w->o->solver == SOLVER_DIRECT) return st;
    }
    TRY(can_stream(w));
    w->is_streamed = 1;
    return OK;
}

/* --- lambdas --- */

/* Those that some set of the group has stay; all sets that lack theirs get it. */
static enum status find_lambdas(struct scorer *w, const struct ridge_stream *r) {
    double trace = 0, d_eff[LAMBDA_LIST_MAX];
    size_t n = w->source.n, nonzero = 0;
    for (size_t i = 0; i < n; i++) trace += w->source.norm[i] * w->source.norm[i], nonzero += w->source.norm[i] > 0;
    if (!(trace > 0)) return fail(ERR_NUMERIC, "lambda: all features are zero, a ridge means nothing");
    for (size_t l = 0; l < w->lambdas; l++) {
        w->lambda_abs[l] = score_known_lambda(w, l, &d_eff[l]);
        if (w->lambda_abs[l] > 0) continue;
        if (w->lambda[l].kind == LAMBDA_AUTO) TRY(ridge_stream_auto(r, trace, nonzero, &w->lambda_abs[l], &d_eff[l], NULL));
        else w->lambda_abs[l] = w->lambda[l].kind == LAMBDA_ABSOLUTE ? w->lambda[l].value : lambda_to_absolute(w->lambda[l].value, trace, n);
    }
    for (size_t i = 0; i < w->tasks; i++) {
        struct task *t = &w->task[i];
        if (!method_has_lambda(t->method) || !isnan(t->set.lambda_abs)) continue;
        double l = w->lambda_abs[t->lambda];
        struct score_ridge v = { lambda_to_relative(l, trace, n), l, d_eff[t->lambda], (double)NAN, 0 };
        TRY(store_score_set_ridge(w->s, t->set.id, &v));
    }
    return OK;
}

/* --- rows --- */

struct batch {
    enum split split;
    size_t *query, count;
    size_t lambda[LAMBDA_LIST_MAX], lambdas;
    float *g, *out, *row;      /* [count][k], [lambdas][count][n], [n] */
};

static int lacks(const struct scorer *w, enum split split, size_t query) {
    for (size_t i = 0; i < w->tasks; i++)
        if (w->task[i].split == split && method_has_lambda(w->task[i].method) && w->task[i].missing[query]) return 1;
    return 0;
}

static enum status put_batch(struct scorer *w, struct batch *b) {
    size_t n = w->source.n;
    for (size_t l = 0; l < b->lambdas; l++)
        for (size_t i = 0; i < w->tasks; i++) {
            struct task *t = &w->task[i];
            if (t->split != b->split || !method_has_lambda(t->method) || t->lambda != b->lambda[l]) continue;
            for (size_t q = 0; q < b->count; q++) {
                if (!t->missing[b->query[q]]) continue;
                TRY(store_score_put(w->s, &t->set, b->query[q], score_scaled(w, t, b->out + (l * b->count + q) * n, b->row)));
                w->done++;
            }
        }
    return OK;
}

static enum status make_batch(struct scorer *w, const struct ridge_stream *r, struct batch *b) {
    double lambda[LAMBDA_LIST_MAX], before = w->done;
    size_t k = w->source.rows.k;
    for (size_t q = 0; q < b->count; q++) TRY(source_queries(&w->source, b->split, b->query[q], 1, b->g + q * k));
    for (size_t l = 0; l < b->lambdas; l++) lambda[l] = w->lambda_abs[b->lambda[l]];
    TRY(ridge_stream_scores(r, b->g, b->count, lambda, b->lambdas, SCORE_KRYLOV_TOLERANCE, b->out, NULL));
    TRY(store_begin(w->s));
    enum status st = put_batch(w, b);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) {
        store_rollback(w->s);
        w->done = before;
        return st;
    }
    /* They are there: nothing is left of them for whoever looks next. */
    for (size_t i = 0; i < w->tasks; i++)
        for (size_t q = 0; q < b->count && method_has_lambda(w->task[i].method) && w->task[i].split == b->split; q++)
            w->task[i].missing[b->query[q]] = 0;
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    return OK;
}

static enum status make_split(struct scorer *w, const struct ridge_stream *r, struct batch *b) {
    size_t items = w->items[b->split], room = ridge_stream_queries(r, b->lambdas);
    enum status st = OK;
    b->query = mem_array(room, sizeof *b->query);
    b->g = mem_array(room * w->source.rows.k, sizeof *b->g);
    b->out = mem_array(b->lambdas * room * w->source.n, sizeof *b->out);
    b->row = mem_array(w->source.n, sizeof *b->row);
    if (!b->query || !b->g || !b->out || !b->row) st = fail(ERR_NOMEM, "score: out of memory for %zu queries at a time", room);
    for (size_t q = 0; q < items && st == OK;) {
        for (b->count = 0; q < items && b->count < room; q++)
            if (lacks(w, b->split, q)) b->query[b->count++] = q;
        if (b->count) st = make_batch(w, r, b);
    }
    mem_free(b->query);
    mem_free(b->g);
    mem_free(b->out);
    mem_free(b->row);
    return st;
}

enum status score_stream(struct scorer *w) {
    struct ridge_stream r = { &w->source.rows, stream_memory(w), w->pool, w->progress };
    TRY(source_norms(&w->source));
    TRY(find_lambdas(w, &r));
    for (int q = 0; q < SPLIT_COUNT; q++) {
        struct batch b = { .split = (enum split)q };
        for (size_t l = 0; l < w->lambdas; l++) b.lambda[b.lambdas++] = l;
        if (w->splits >> q & 1) TRY(make_split(w, &r, &b));
    }
    return OK;
}

/* --- cost --- */

void score_add_stream_cost(struct scorer *w, double read, double multiply) {
    const struct source *src = &w->source;
    struct ridge_stream r = { &src->rows, stream_memory(w), w->pool, NULL };
    double batches = 0, queries = 0, numbers = (double)src->n * (double)src->rows.k;
    size_t at_once = ridge_stream_queries(&r, w->lambdas);
    for (int q = 0; q < SPLIT_COUNT; q++) {
        size_t count = w->splits >> q & 1 ? score_queries(w, (enum split)q) : 0;
        queries += (double)count;
        batches += (double)((count + at_once - 1) / at_once);
    }
    w->cost.flop += 4 * numbers * READINGS * queries;
    /* Two products in float64 for each number, beside reading it. */
    w->cost.seconds += numbers * READINGS * (batches * read + 2 * queries * multiply);
    double least = stream_least(w);
    if (least > w->cost.bytes_memory) w->cost.bytes_memory = least;
}
