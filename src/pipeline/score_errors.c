/* score_errors.c - error bars of trak's scores: from features kept in blocks, and from features of
 * other projections.  The maths is in errorbars.h; the rows are kept by store_error.h.
 *
 * What there is decides: one set of features in blocks with the identity of those that the scores
 * are made of gives the part of timesteps and noise, whole sets that differ in the projection's seed
 * alone give the part of the projection.  A few queries are a transaction. */
#include "score_parts.h"

#include "dtrak/errorbars.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/offer.h"
#include "dtrak/store.h"
#include "dtrak/text.h"
#include "dtrak/store_error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP = 10, DRAWS = 200, QUERIES = 8, SEEDS_MAX = 8, BLOCKS_WISHED = 8, ERRORS_VERSION = 1 };

/* Features of the training items, and those of the queries that go with them. */
struct pair { struct feature_set train, query[SPLIT_COUNT]; };

struct part_reader { struct store *s; const struct feature_set *set; size_t part; };

struct errors {
    struct scorer *w;
    size_t n, k, B, R;
    struct pair blocks;              /* B > 0 */
    struct pair other[SEEDS_MAX + 1];   /* R of them; [R] the scores' own */
    struct part_reader *reader;      /* [B] */
    struct rows *rows;               /* [B] */
    struct errorbars *bars;          /* of one lambda */
    struct part_reader plain[SEEDS_MAX + 1];
    struct rows plain_rows[SEEDS_MAX + 1];
    struct ridge *ridge[SEEDS_MAX + 1];   /* of the other projections; [R] the scores' own, without blocks */
    double lambda[SEEDS_MAX + 1];
    float *query;                    /* [B or 1][QUERIES][k] */
    double *tau, *noise, *spread, *total;   /* [QUERIES][n] */
    double *left, *parts;            /* [B], [R + 1] of those: without each block; of each projection */
    double *coords;
    struct errorbars_rank *rank;     /* [n] */
    struct error_row row;
    struct error_set set;
};

/* --- which features --- */

/* a and b but for split, parts, how rows are kept and, if asked, the projection's seed. */
static int is_alike(const struct feature_identity *a, struct feature_identity b, int other_seed) {
    char difference[256];
    b.split = a->split;
    b.parts = a->parts;
    b.float32 = a->float32;
    if (other_seed) b.projection_seed = a->projection_seed;
    feature_identity_difference(difference, a, &b);
    return !difference[0];
}

static int same_parts(const struct feature_set *a, const struct feature_set *b) {
    return (a->identity.parts ? a->identity.parts : 1) == (b->identity.parts ? b->identity.parts : 1);
}

/* Fills in the queries' sets; whether all of them are there. */
static int find_queries(const struct scorer *w, const struct feature_set_list *l, struct pair *p, int need_same_parts) {
    for (int q = 0; q < SPLIT_COUNT; q++) {
        if (!(w->splits >> q & 1)) continue;
        p->query[q].id = 0;
        for (size_t i = 0; i < l->count; i++) {
            const struct feature_set *f = &l->set[i];
            if (f->identity.split == (enum split)q && source_has_all(f, w->items[q]) && is_alike(&p->train.identity, f->identity, 0) &&
                (!need_same_parts || same_parts(f, &p->train))) p->query[q] = *f;
        }
        if (!p->query[q].id) return 0;
    }
    return 1;
}

static double far_from_wished(size_t parts) { return fabs(log((double)parts / BLOCKS_WISHED)); }

static void look_at(struct errors *e, const struct feature_set_list *l, const struct feature_set *f) {
    const struct feature_identity *own = &e->w->source.train.identity;
    struct pair p = { .train = *f };
    if (f->identity.split != SPLIT_TRAIN || !source_has_all(f, e->n) || f->checkpoint != e->w->checkpoint->id) return;
    if (f->identity.projection_seed == own->projection_seed) {
        int better = !e->B || far_from_wished(f->identity.parts) < far_from_wished(e->B);
        if (f->identity.parts < 2 || !better || !is_alike(own, f->identity, 0) || !find_queries(e->w, l, &p, 1)) return;
        e->blocks = p;
        e->B = f->identity.parts;
        return;
    }
    if (e->R == SEEDS_MAX || !is_alike(own, f->identity, 1) || !find_queries(e->w, l, &p, 0)) return;
    for (size_t r = 0; r < e->R; r++)
        if (e->other[r].train.identity.projection_seed == f->identity.projection_seed) return;
    e->other[e->R++] = p;
}

/* A divisor of the pairs near eight, for the advice. */
static size_t blocks_advised(size_t pairs) {
    size_t best = pairs;
    for (size_t b = 2; b <= pairs; b++)
        if (pairs % b == 0 && far_from_wished(b) < far_from_wished(best)) best = b;
    return best;
}

static enum status nothing_to_go_by(const struct errors *e) {
    struct feature_identity f = e->w->source.train.identity;
    char options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION], weights[OFFER_WEIGHTS];
    size_t pairs = f.timesteps * (f.draws ? f.draws : 1);
    if (pairs < 2)
        return fail(ERR_MISSING, "error bars of loss %s need features of more than one timestep", loss_name(e->w->loss));
    f.parts = blocks_advised(pairs);
    f.float32 = 0;   /* either does */
    offer_options(options, &f, 1);
    offer_weights(weights, e->w->checkpoint);
    if (weights[0]) return fail(ERR_MISSING, "error bars of loss %s need its features in blocks, and %s", loss_name(e->w->loss), weights);
    checkpoint_option(at, e->w->checkpoint);
    text_shell_word(db, sizeof db, store_path(e->w->s));
    return fail(ERR_MISSING, "error bars of loss %s need its features in blocks; make them with: dtrak features %s --loss %s "
                "--checkpoint %s%s", loss_name(e->w->loss), db, loss_name(e->w->loss), at, options);
}

static enum status find_features(struct errors *e) {
    struct feature_set_list l;
    struct pair own = { .train = e->w->source.train };
    TRY(store_feature_sets_list(e->w->s, &l));
    for (size_t i = 0; i < l.count; i++) look_at(e, &l, &l.set[i]);
    if (!e->B && e->R) {   /* the spread alone: the scores' own features take part in it */
        if (e->w->source.is_whole && find_queries(e->w, &l, &own, 0)) e->other[e->R] = own;
        else e->R = 0;
    }
    feature_set_list_free(&l);
    return e->B || e->R ? OK : nothing_to_go_by(e);
}

/* --- decompositions --- */

static enum status read_part(void *ctx, size_t first, size_t count, float *out) {
    const struct part_reader *r = ctx;
    return store_features_read_part(r->s, r->set, r->part, first, count, out);
}

static enum status read_whole(void *ctx, size_t first, size_t count, float *out) {
    const struct part_reader *r = ctx;
    return store_features_read(r->s, r->set, first, count, out);
}

static void close_lambda(struct errors *e) {
    errorbars_free(e->bars);
    e->bars = NULL;
    for (size_t r = 0; r <= SEEDS_MAX; r++) {
        ridge_free(e->ridge[r]);
        e->ridge[r] = NULL;
    }
}

static void errors_close(struct errors *e) {
    close_lambda(e);
    mem_free(e->reader);
    mem_free(e->rows);
    mem_free(e->query);
    mem_free(e->tau);
    mem_free(e->left);
    mem_free(e->parts);
    mem_free(e->coords);
    mem_free(e->noise);
    mem_free(e->spread);
    mem_free(e->total);
    mem_free(e->rank);
    error_row_free(&e->row);
}

static size_t decompositions(const struct errors *e) { return (e->B ? e->B + 1 : 1) + e->R; }

/* ERR_RANGE when the matrices of all decompositions do not fit at once. */
static enum status check_memory(const struct errors *e) {
    size_t side = e->n < e->k ? e->n : e->k;
    double scores = (double)QUERIES * (double)e->n * 8 * (double)(e->B + e->R + 2);
    double rows = 4 * (double)e->k * (double)QUERIES * (double)(e->B + 1), matrix = 8.0 * (double)side * (double)side;
    double each = sizeof *e->rank + 3 * 8.0 * QUERIES + 8.0 * (double)(e->B + 4) + 4.0 * (DRAWS + 3);   /* of a training item, for ranks */
    char need[32], given[32];
    if (side > LINALG_EIGH_MAX)
        return fail(ERR_RANGE, "error bars of %zu training items with k %zu: a decomposition has at most %d rows; make features with "
                    "fewer --dims", e->n, e->k, LINALG_EIGH_MAX);
    double bytes = (double)(decompositions(e) + 2) * matrix + scores + rows + each * (double)e->n;
    if (bytes <= (double)e->w->memory) return OK;
    cost_format_bytes(need, sizeof need, bytes);
    cost_format_bytes(given, sizeof given, (double)e->w->memory);
    return fail(ERR_RANGE, "error bars of %zu training items from %zu blocks and %zu other projections need %s of memory, and %s is "
                "given; raise it with --memory", e->n, e->B, e->R, need, given);
}

static enum status errors_open(struct errors *e, struct scorer *w) {
    *e = (struct errors){ .w = w, .n = w->items[SPLIT_TRAIN], .k = w->source.rows.k };
    TRY(find_features(e));
    TRY(check_memory(e));
    size_t each = (size_t)QUERIES * e->n, B = e->B ? e->B : 1;
    e->reader = mem_array(B, sizeof *e->reader);
    e->rows = mem_array(B, sizeof *e->rows);
    e->query = mem_array(B * QUERIES, e->k * sizeof *e->query);
    e->tau = mem_array(each, sizeof *e->tau);
    e->left = mem_array(B, each * sizeof *e->left);
    e->parts = mem_array(e->R + 1, each * sizeof *e->parts);
    e->coords = mem_array(QUERIES, (e->n < e->k ? e->n : e->k) * sizeof *e->coords);
    e->noise = mem_array(each, sizeof *e->noise);
    e->spread = mem_array(each, sizeof *e->spread);
    e->total = mem_array(each, sizeof *e->total);
    e->rank = mem_array(e->n, sizeof *e->rank);
    if (!e->reader || !e->rows || !e->query || !e->tau || !e->left || !e->parts || !e->coords || !e->noise || !e->spread ||
        !e->total || !e->rank) return fail(ERR_NOMEM, "error bars: out of memory");
    for (size_t b = 0; b < e->B; b++) {
        e->reader[b] = (struct part_reader){ w->s, &e->blocks.train, b };
        e->rows[b] = (struct rows){ e->n, e->k, read_part, &e->reader[b], NULL };
    }
    return error_row_new(&e->row, e->n, e->B, e->R > 0);
}

static enum status open_plain(struct errors *e, size_t r) {
    e->plain[r] = (struct part_reader){ e->w->s, &e->other[r].train, 0 };
    e->plain_rows[r] = (struct rows){ e->n, e->k, read_whole, &e->plain[r], NULL };
    TRY(progress_check(e->w->progress));
    return ridge_new_rows(&e->ridge[r], &e->plain_rows[r], NULL);
}

static enum status open_lambda(struct errors *e, struct lambda lambda) {
    double dimension;
    close_lambda(e);
    if (e->B) {
        TRY(errorbars_new(&e->bars, e->rows, e->B, lambda, e->w->progress));
        dimension = errorbars_dimension(e->bars);
    } else {
        TRY(open_plain(e, e->R));
        const struct ridge *own = e->ridge[e->R];
        TRY(lambda_resolve(&e->lambda[e->R], lambda, ridge_eigenvalues(own), ridge_rank(own), ridge_trace(own), e->n, e->k));
        dimension = ridge_effective_dimension(own, e->lambda[e->R]);
    }
    for (size_t r = 0; r < e->R; r++) {
        TRY(open_plain(e, r));
        TRY(lambda_for_dimension(&e->lambda[r], ridge_eigenvalues(e->ridge[r]), ridge_rank(e->ridge[r]), dimension));
    }
    return OK;
}

/* --- queries --- */

static enum status plain_scores(struct errors *e, size_t r, enum split split, size_t first, size_t M, double *out) {
    TRY(store_features_read(e->w->s, &e->other[r].query[split], first, M, e->query));
    TRY(ridge_query_rows(e->ridge[r], &e->plain_rows[r], e->query, M, e->coords, NULL));
    return ridge_scores(e->ridge[r], e->coords, M, e->lambda[r], out);
}

/* Of queries [first, first + M): the scores, the noise's part of their errors and the projection's. */
static enum status scores(struct errors *e, enum split split, size_t first, size_t M) {
    size_t count = M * e->n;
    for (size_t b = 0; b < e->B; b++)
        TRY(store_features_read_part(e->w->s, &e->blocks.query[split], b, first, M, e->query + b * M * e->k));
    if (e->B) TRY(errorbars_scores(e->bars, e->query, M, e->tau, e->left, NULL));
    else TRY(plain_scores(e, e->R, split, first, M, e->tau));
    if (e->B) errorbars_jackknife(e->noise, e->left, e->B, count);
    memcpy(e->parts, e->tau, count * sizeof *e->parts);
    for (size_t r = 0; r < e->R; r++) TRY(plain_scores(e, r, split, first, M, e->parts + (r + 1) * count));
    if (e->R) errorbars_spread(e->spread, e->parts, e->R + 1, count);
    errorbars_total(e->total, e->B ? e->noise : NULL, e->R ? e->spread : NULL, NULL, count);
    return OK;
}

/* Query m of the M in hand as a row. */
static enum status fill_row(struct errors *e, size_t m, size_t M, enum split split, size_t query) {
    size_t n = e->n;
    const double *tau = e->tau + m * n;
    for (size_t b = 0; b < e->B; b++)
        for (size_t i = 0; i < n; i++) e->row.left[b * n + i] = (float)(e->left[(b * M + m) * n + i] - tau[i]);
    for (size_t i = 0; e->R && i < n; i++) e->row.projection[i] = (float)e->spread[m * n + i];
    TRY(errorbars_ranks(e->rank, tau, e->total + m * n, n, NULL, 0, 0, TOP, DRAWS, 0, (uint32_t)split << 29 | (uint32_t)query));
    for (size_t i = 0; i < n; i++) {
        e->row.in_top[i] = (uint8_t)lrint(e->rank[i].p_top * DRAWS);
        e->row.low[i] = e->rank[i].low;
        e->row.high[i] = e->rank[i].high;
    }
    return OK;
}

static enum status put_block(struct errors *e, enum split split, size_t first, size_t M) {
    for (size_t m = 0; m < M; m++) {
        TRY(fill_row(e, m, M, split, first + m));
        TRY(store_error_put(e->w->s, &e->set, first + m, &e->row));
    }
    return OK;
}

static enum status make_block(struct errors *e, enum split split, size_t first, size_t M) {
    struct scorer *w = e->w;
    TRY(progress_check(w->progress));
    TRY(scores(e, split, first, M));
    TRY(store_begin(w->s));
    enum status st = put_block(e, split, first, M);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) store_rollback(w->s);
    return st;
}

/* --- sets --- */

static void describe(const struct errors *e, const struct score_set *scores, struct error_set *set) {
    *set = (struct error_set){ .score_set = scores->id, .blocks = e->B, .projections = e->R ? e->R + 1 : 0, .top = TOP, .draws = DRAWS };
    size_t at = (size_t)snprintf(set->params, sizeof set->params, "{\"version\":%d,\"blocks\":%zu,\"projection_seeds\":[", ERRORS_VERSION, e->B);
    for (size_t r = 0; r < e->R && at < sizeof set->params; r++)
        at += (size_t)snprintf(set->params + at, sizeof set->params - at, "%s%llu", r ? "," : "",
                               (unsigned long long)e->other[r].train.identity.projection_seed);
    if (at < sizeof set->params) snprintf(set->params + at, sizeof set->params - at, "]}");
}

/* The rows of one split and lambda; ridges are made when the first is missing. */
static enum status make_set(struct errors *e, enum split split, size_t lambda, int *is_open) {
    struct scorer *w = e->w;
    struct score_set scores;
    struct index_list missing;
    size_t items = w->items[split];
    score_describe(w, METHOD_TRAK, split, lambda, &scores);
    TRY(score_settle_bits(w, &scores));
    TRY(store_score_set_same(w->s, &scores, &scores));
    describe(e, &scores, &e->set);
    TRY(store_error_set_ensure(w->s, &e->set, &w->provenance, &e->set));
    TRY(store_errors_missing(w->s, &e->set, items, &missing));
    size_t asked = 0;
    for (size_t i = 0; i < missing.count; i++)
        if (score_is_asked(w, split, missing.index[i])) missing.index[asked++] = missing.index[i];
    missing.count = asked;
    enum status st = OK;
    if (missing.count && !*is_open) st = open_lambda(e, w->lambda[lambda]);
    if (missing.count && st == OK) *is_open = 1;
    for (size_t at = 0, M; at < missing.count && st == OK; at += M) {
        size_t first = missing.index[at];
        for (M = 1; M < QUERIES && at + M < missing.count && missing.index[at + M] == first + M;) M++;
        st = make_block(e, split, first, M);
        progress_report(w->progress, (double)(at + M), (double)missing.count, "error bars", w->what);
    }
    index_list_free(&missing);
    return st;
}

static enum status make_group(struct scorer *w) {
    struct errors e;
    enum status st = errors_open(&e, w);
    for (size_t l = 0; l < w->lambdas && st == OK; l++) {
        int is_open = 0;
        for (int q = 0; q < SPLIT_COUNT && st == OK; q++)
            if (w->splits >> q & 1) st = make_set(&e, (enum split)q, l, &is_open);
    }
    errors_close(&e);
    return st;
}

/* Error bars that are all there already, for the cost. */
static int is_made(struct errors *e, enum split split, size_t lambda) {
    struct score_set scores;
    struct error_set want, there;
    score_describe(e->w, METHOD_TRAK, split, lambda, &scores);
    if (score_settle_bits(e->w, &scores) != OK || store_score_set_same(e->w->s, &scores, &scores) != OK || store_error_set_get(e->w->s, scores.id, &there) != OK) return 0;
    describe(e, &scores, &want);
    return !strcmp(want.params, there.params) && there.rows_done >= score_queries(e->w, split);
}

static enum status look_at_group(struct scorer *w) {
    struct errors e;
    double queries = 0, n = (double)w->items[SPLIT_TRAIN];
    enum status st = errors_open(&e, w);
    for (size_t l = 0; l < w->lambdas && st == OK && w->o->cost; l++) {
        queries = 0;
        for (int q = 0; q < SPLIT_COUNT; q++)
            if (w->splits >> q & 1 && !is_made(&e, (enum split)q, l)) queries += (double)score_queries(w, (enum split)q);
        if (queries > 0) score_add_decompositions(w, (double)decompositions(&e), queries);
        w->cost.bytes_disk += queries * n * (2 * (double)e.B + (e.R ? 2 : 0) + 5);
    }
    errors_close(&e);
    return st;
}

static enum status each_group(struct scorer *w, enum status (*fn)(struct scorer *w)) {
    if (!w->o->errors) return OK;
    for (size_t c = 0; c < w->checkpoints.count; c++)
        for (int l = 0; l < LOSS_COUNT; l++) {
            if (!(w->wanted[METHOD_TRAK] >> l & 1)) continue;
            w->checkpoint = &w->checkpoints.checkpoint[c];
            w->loss = (enum loss)l;
            snprintf(w->what, sizeof w->what, "loss %s, checkpoint %.0f%%", loss_name(w->loss), w->checkpoint->percent);
            enum status st = score_open_source(w);
            if (st == OK) st = fn(w);
            source_close(&w->source);
            TRY(st);
        }
    return OK;
}

enum status score_check_errors(struct scorer *w) { return each_group(w, look_at_group); }
enum status score_make_errors(struct scorer *w) { return each_group(w, make_group); }
