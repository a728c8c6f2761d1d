/* score_block.c - rows of scores, a block of queries at a time.
 *
 * Blocks start at multiples of RIDGE_TILE, so that how many queries and lambdas fit
 * into memory at a time does not show in the scores.  Where only some queries are asked
 * for, a block is a run of those: the last bits may then be others. */
#include "score_parts.h"

#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <string.h>

enum { FEW = 32 };                   /* rows in float64 at a time, of methods without a ridge */
#define BLOCK_FLOP 1e12              /* work on a ridge's rows between two transactions, about */
#define QUERIES_MAX ((size_t)4 * RIDGE_TILE)

struct block {
    struct scorer *w;
    enum split split;
    size_t first, count;             /* queries */
    size_t queries, lambdas;         /* there is room for */
    double *cross, *norm, *coords;   /* [queries][n], [queries], [queries][rank] */
    double *wide;                    /* [FEW][n] */
    float *scores;                   /* [lambdas][queries][n] */
    float *row;                      /* [n] */
};

/* --- how much at a time --- */

static size_t most_queries(const struct scorer *w) {
    size_t most = 0;
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (w->splits >> q & 1 && w->items[q] > most) most = w->items[q];
    return most;
}

static double bytes_per_query(const struct scorer *w) {
    double n = (double)w->items[SPLIT_TRAIN], k = (double)w->source.rows.k;
    return 8 * (n + (n < k ? n : k)) + 4 * k;
}

/* The same as ridge_score_bytes(), before there is a ridge. */
static double bytes_per_score_row(const struct scorer *w) {
    double n = (double)w->items[SPLIT_TRAIN], k = (double)w->source.rows.k;
    return n > k ? 4 * n + 12 * k : 8 * n;
}

double score_least_bytes(const struct scorer *w) {
    size_t queries = most_queries(w);
    if (queries > RIDGE_TILE) queries = RIDGE_TILE;
    return (double)queries * (bytes_per_query(w) + bytes_per_score_row(w)) + FEW * 8.0 * (double)w->items[SPLIT_TRAIN];
}

static void choose_sizes(struct block *b) {
    const struct scorer *w = b->w;
    size_t queries = most_queries(w);
    double quarter = (double)w->memory / 4;
    b->queries = queries < QUERIES_MAX ? queries : QUERIES_MAX;
    while (b->queries > RIDGE_TILE && (double)b->queries * (bytes_per_query(w) + bytes_per_score_row(w)) > quarter)
        b->queries = (b->queries - 1) / RIDGE_TILE * RIDGE_TILE;
    b->lambdas = 1;
    if (!w->ridge) return;
    double flop = 2.0 * (double)w->items[SPLIT_TRAIN] * (double)ridge_rank(w->ridge) * (double)b->queries;
    double bytes = (double)b->queries * ridge_score_bytes(w->ridge);
    while (b->lambdas < w->lambdas && (double)(b->lambdas + 1) * bytes < quarter &&
           (double)(b->lambdas + 1) * flop < BLOCK_FLOP)
        b->lambdas++;
}

static void block_free(struct block *b) {
    mem_free(b->cross);
    mem_free(b->norm);
    mem_free(b->coords);
    mem_free(b->wide);
    mem_free(b->scores);
    mem_free(b->row);
}

/* Whether inner products with all training items are needed: the primal form of a
 * ridge does without. */
static int needs_cross(const struct scorer *w) {
    for (size_t i = 0; i < w->tasks; i++) {
        enum method m = w->task[i].method;
        if (m != METHOD_RANDOM && !method_has_lambda(m)) return 1;
    }
    return w->ridge && !ridge_is_primal(w->ridge);
}

static enum status block_init(struct block *b, struct scorer *w) {
    size_t n = w->items[SPLIT_TRAIN];
    *b = (struct block){ .w = w };
    choose_sizes(b);
    int cross = needs_cross(w);
    b->row = mem_array(n, sizeof *b->row);
    b->wide = mem_array(FEW * n, sizeof *b->wide);
    b->norm = mem_array(b->queries, sizeof *b->norm);
    if (cross) b->cross = mem_array(b->queries * n, sizeof *b->cross);
    if (w->ridge) {
        b->coords = mem_array(b->queries * ridge_rank(w->ridge), sizeof *b->coords);
        b->scores = mem_array(b->lambdas * b->queries * n, sizeof *b->scores);
    }
    if (b->row && b->wide && b->norm && (b->cross || !cross) && (!w->ridge || (b->coords && b->scores))) return OK;
    block_free(b);
    return fail(ERR_NOMEM, "score: out of memory for %zu queries at a time", b->queries);
}

/* --- what a block lacks --- */

static int lacks(const struct block *b, const struct task *t) {
    int any = 0;
    if (t->split == b->split)
        for (size_t i = b->first; i < b->first + b->count; i++) any |= t->missing[i];
    return any;
}

static int lacks_any(const struct block *b, int ridge) {
    for (size_t i = 0; i < b->w->tasks; i++)
        if (method_has_lambda(b->w->task[i].method) == ridge && lacks(b, &b->w->task[i])) return 1;
    return 0;
}

/* --- rows --- */

/* Marked as there only when the transaction ended well. */
static enum status unit(struct block *b, enum status (*put)(struct block *b, const void *what), const void *what) {
    struct scorer *w = b->w;
    double before = w->done;
    TRY(progress_check(w->progress));
    TRY(store_begin(w->s));
    enum status st = put(b, what);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) {
        store_rollback(w->s);
        w->done = before;
        return st;
    }
    progress_report(w->progress, w->done, w->total, "scores", w->what);
    return OK;
}

/* A few queries' rows of a method without a ridge, in float64. */
static enum status put_few(struct block *b, struct task *t, size_t at, size_t count) {
    struct scorer *w = b->w;
    size_t n = w->items[SPLIT_TRAIN];
    uint32_t key[FEW];
    for (size_t i = 0; i < count; i++) key[i] = (uint32_t)t->split << 29 | (uint32_t)(b->first + at + i);
    struct method_inputs in = { .M = count, .N = n, .cross = b->cross ? b->cross + at * n : NULL,
                                .query_norm = b->norm + at, .train_norm = w->source.norm, .query_key = key };
    TRY(method_scores(t->method, &in, b->wide));
    for (size_t i = 0; i < count; i++) {
        if (!t->missing[b->first + at + i]) continue;
        for (size_t j = 0; j < n; j++) b->row[j] = (float)b->wide[i * n + j];
        TRY(store_score_put(w->s, &t->set, b->first + at + i, b->row));
        w->done++;
    }
    return OK;
}

static enum status put_plain(struct block *b, const void *what) {
    (void)what;
    for (size_t i = 0; i < b->w->tasks; i++) {
        struct task *t = &b->w->task[i];
        if (method_has_lambda(t->method) || !lacks(b, t)) continue;
        for (size_t at = 0; at < b->count; at += FEW)
            TRY(put_few(b, t, at, b->count - at < FEW ? b->count - at : FEW));
    }
    return OK;
}

/* The lambdas whose scores are in hand. */
struct batch { size_t lambda[LAMBDA_LIST_MAX], count; };

const float *score_scaled(const struct scorer *w, const struct task *t, const float *row, float *out) {
    size_t n = w->items[SPLIT_TRAIN];
    int is_das = t->method == METHOD_DAS || t->method == METHOD_DAS_SIGNED, is_square = t->method == METHOD_DAS;
    const double *by = t->method == METHOD_RELATIVE_IF ? w->by_relative + t->lambda * n
                     : t->method == METHOD_RENORM_IF ? w->by_norm : is_das ? w->by_das + t->lambda * n : NULL;
    if (!by) return row;
    for (size_t j = 0; j < n; j++) {
        double v = (double)row[j] * by[j];
        out[j] = (float)(is_square ? v * v : v);
    }
    return out;
}

static enum status put_task(struct block *b, struct task *t, const float *scores) {
    struct scorer *w = b->w;
    size_t n = w->items[SPLIT_TRAIN];
    for (size_t i = 0; i < b->count; i++) {
        if (!t->missing[b->first + i]) continue;
        TRY(store_score_put(w->s, &t->set, b->first + i, score_scaled(w, t, scores + i * n, b->row)));
        w->done++;
    }
    return OK;
}

static enum status put_batch(struct block *b, const void *what) {
    const struct batch *batch = what;
    size_t n = b->w->items[SPLIT_TRAIN];
    for (size_t l = 0; l < batch->count; l++)
        for (size_t i = 0; i < b->w->tasks; i++) {
            struct task *t = &b->w->task[i];
            if (method_has_lambda(t->method) && t->lambda == batch->lambda[l] && lacks(b, t))
                TRY(put_task(b, t, b->scores + l * b->count * n));
        }
    return OK;
}

/* The next lambdas that some task of the block lacks. */
static struct batch next_batch(const struct block *b, size_t *from) {
    struct batch batch = { .count = 0 };
    for (; *from < b->w->lambdas && batch.count < b->lambdas; ++*from) {
        int wanted = 0;
        for (size_t i = 0; i < b->w->tasks; i++)
            wanted |= method_has_lambda(b->w->task[i].method) && b->w->task[i].lambda == *from && lacks(b, &b->w->task[i]);
        if (wanted) batch.lambda[batch.count++] = *from;
    }
    return batch;
}

static enum status ridge_rows(struct block *b) {
    struct scorer *w = b->w;
    size_t from = 0;
    for (;;) {
        double lambda[LAMBDA_LIST_MAX];
        struct batch batch = next_batch(b, &from);
        if (!batch.count) return OK;
        for (size_t l = 0; l < batch.count; l++) lambda[l] = w->lambda_abs[batch.lambda[l]];
        struct ridge_block r = { b->coords, b->count, lambda, batch.count, b->scores, w->pool };
        TRY(ridge_score_block(w->ridge, &r, w->progress));
        TRY(unit(b, put_batch, &batch));
    }
}

static enum status make_block(struct block *b) {
    struct scorer *w = b->w;
    int plain = lacks_any(b, 0), ridge = lacks_any(b, 1), products = ridge;
    for (size_t i = 0; i < w->tasks; i++) products |= w->task[i].method != METHOD_RANDOM && lacks(b, &w->task[i]);
    TRY(progress_check(w->progress));
    if (products)
        TRY(source_block(&w->source, b->split, b->first, b->count, b->cross, b->norm, ridge ? w->ridge : NULL,
                         ridge ? b->coords : NULL, w->progress));
    if (plain) TRY(unit(b, put_plain, NULL));
    return ridge ? ridge_rows(b) : OK;
}

/* Queries from b->first on that are asked for, or those that are not, if any are chosen. */
static size_t next_block(const struct block *b, size_t items) {
    size_t count = items - b->first < b->queries ? items - b->first : b->queries, run = 1;
    if (!b->w->picked[b->split]) return count;
    int asked = score_is_asked(b->w, b->split, b->first);
    while (run < count && score_is_asked(b->w, b->split, b->first + run) == asked) run++;
    return run;
}

enum status score_make_rows(struct scorer *w) {
    enum status st = OK;
    struct block b;
    TRY(block_init(&b, w));
    for (int q = 0; q < SPLIT_COUNT; q++) {
        size_t items = w->splits >> q & 1 ? w->items[q] : 0;
        b.split = (enum split)q;
        for (b.first = 0; b.first < items; b.first += b.count) {
            b.count = next_block(&b, items);
            TRY_TO(make_block(&b));
        }
    }
done:
    block_free(&b);
    return st;
}
