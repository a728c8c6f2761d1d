/* ridge_scores.c - scores of many queries at several lambdas, in tiles.
 *
 * A piece of work is a tile: one lambda, RIDGE_TILE queries, ROWS training items.
 * Its sums run over DEPTH terms in float32 and over those in float64; each thread
 * has a tile of its own to sum in, which stays in its cache.
 *
 * A tile has many queries because BLAS packs its right side again for each call. */
#include "ridge_parts.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>

enum { ROWS = 512, DEPTH = 512 };
#define BLOCK_BYTES ((size_t)32 << 20)   /* train rows read at a time in the primal form */
#define EXACT_ENOUGH 8.0                 /* see ridge.h */

struct scratch { double *sum; float *part; float *right; double *right_wide; };

struct work {
    const struct ridge *r;
    const struct ridge_block *b;
    size_t depth;              /* terms of a score: rank (dual), k (primal) */
    size_t tiles;              /* of queries */
    float *left;               /* [lambdas][M][depth] */
    double *left_wide;         /* primal: the same in float64 */
    unsigned char *wide;       /* primal: [lambdas][tiles], 1 where float32 will not do */
    const float *rows;         /* primal: of the block in hand, [count][k] */
    size_t first, count;       /* training items of the block in hand */
    float *block;              /* where rows are read to */
    struct scratch *scratch;   /* [threads] */
    atomic_size_t bad;         /* a training item with a score that is not finite, plus 1 */
};

static size_t at_most(size_t left, size_t most) { return left < most ? left : most; }

/* --- the left side: queries divided by the eigenvalues --- */

/* The shrunk coordinates of a tile of queries at one lambda: shrunk[count][rank]. */
static void shrink(const struct work *w, size_t q, size_t count, double lambda, double *shrunk) {
    const struct ridge *r = w->r;
    const double *coords = w->b->coords + q * r->rank;
    for (size_t m = 0; m < count; m++)
        for (size_t e = 0; e < r->rank; e++)
            shrunk[m * r->rank + e] = coords[m * r->rank + e] / (r->kept[e] + lambda);
}

/* Whether |q| rms|phi| is beyond EXACT_ENOUGH sqrt(k) rms(tau) for any of the queries;
 * the sums over training items are sums over the basis. */
static int is_wide(const struct ridge *r, const double *shrunk, size_t count) {
    for (size_t m = 0; m < count; m++) {
        double q2 = 0, tau2 = 0;
        for (size_t e = 0; e < r->rank; e++) {
            double x = shrunk[m * r->rank + e] * shrunk[m * r->rank + e];
            q2 += x;
            tau2 += x * r->kept[e];
        }
        if (r->trace * q2 > EXACT_ENOUGH * EXACT_ENOUGH * (double)r->k * tau2) return 1;
    }
    return 0;
}

static void left_piece(void *ctx, size_t piece, size_t thread) {
    struct work *w = ctx;
    const struct ridge *r = w->r;
    (void)thread;
    size_t l = piece / w->tiles, q = piece % w->tiles * RIDGE_TILE, count = at_most(w->b->M - q, RIDGE_TILE);
    size_t at = (l * w->b->M + q) * w->depth;
    double *shrunk = mem_array(count * r->rank, sizeof *shrunk);
    if (!shrunk) {
        atomic_store(&w->bad, SIZE_MAX);
        return;
    }
    shrink(w, q, count, w->b->lambda_abs[l], shrunk);
    const double *left = shrunk;
    if (r->primal) {
        double *out = w->left_wide + at;
        w->wide[piece] = (unsigned char)is_wide(r, shrunk, count);
        /* Extents were checked when the ridge was made. */
        (void)linalg_gemm_f64(0, 0, count, r->k, r->rank, 1.0, shrunk, r->rank, r->basis, r->k, 0.0, out, r->k);
        left = out;
    }
    for (size_t i = 0; i < count * w->depth; i++) w->left[at + i] = (float)left[i];
    mem_free(shrunk);
}

/* --- tiles --- */

/* The eigenvectors' part [depth][rows] of a dual tile as float32. */
static void narrow(float *out, const struct ridge *r, size_t e, size_t depth, size_t n, size_t rows) {
    for (size_t i = 0; i < depth; i++) {
        const double *u = r->basis + (e + i) * r->N + n;
        for (size_t j = 0; j < rows; j++) out[i * rows + j] = (float)u[j];
    }
}

static void add_part(double *sum, const float *part, size_t count, int first) {
    if (first)
        for (size_t i = 0; i < count; i++) sum[i] = (double)part[i];
    else
        for (size_t i = 0; i < count; i++) sum[i] += (double)part[i];
}

/* sum[queries][rows] += left . right over terms [e, e + depth). */
static void add_terms(struct work *w, struct scratch *s, const float *left, const double *left_wide, int wide,
                      size_t queries, size_t e, size_t depth, size_t n, size_t rows) {
    const struct ridge *r = w->r;
    if (wide) {
        for (size_t i = 0; i < rows; i++) ridge_widen(s->right_wide + i * depth, w->rows + (n + i) * r->k + e, depth);
        (void)linalg_gemm_f64(0, 1, queries, rows, depth, 1.0, left_wide + e, w->depth, s->right_wide, depth,
                              e ? 1.0 : 0.0, s->sum, rows);
        return;
    }
    if (r->primal) {
        (void)linalg_gemm_f32(0, 1, queries, rows, depth, 1, left + e, w->depth, w->rows + n * r->k + e, r->k, 0,
                              s->part, rows);
    } else {
        narrow(s->right, r, e, depth, w->first + n, rows);
        (void)linalg_gemm_f32(0, 0, queries, rows, depth, 1, left + e, w->depth, s->right, rows, 0, s->part, rows);
    }
    add_part(s->sum, s->part, queries * rows, e == 0);
}

static void tile_piece(void *ctx, size_t piece, size_t thread) {
    struct work *w = ctx;
    struct scratch *s = &w->scratch[thread];
    size_t M = w->b->M, N = w->r->N, across = (w->count + ROWS - 1) / ROWS;
    size_t pair = piece / across, n = piece % across * ROWS, rows = at_most(w->count - n, ROWS);
    size_t l = pair / w->tiles, q = pair % w->tiles * RIDGE_TILE, queries = at_most(M - q, RIDGE_TILE);
    size_t at = (l * M + q) * w->depth;
    int wide = w->wide && w->wide[pair];
    for (size_t e = 0; e < w->depth; e += DEPTH)
        add_terms(w, s, w->left + at, w->left_wide ? w->left_wide + at : NULL, wide, queries, e,
                  at_most(w->depth - e, DEPTH), n, rows);
    for (size_t i = 0; i < queries; i++) {
        float *out = w->b->out + (l * M + q + i) * N + w->first + n;
        for (size_t j = 0; j < rows; j++) {
            out[j] = (float)s->sum[i * rows + j];
            if (!isfinite(out[j])) atomic_store(&w->bad, w->first + n + j + 1);
        }
    }
}

/* --- the pass --- */

static void work_free(struct work *w, size_t threads) {
    for (size_t t = 0; w->scratch && t < threads; t++) {
        mem_free(w->scratch[t].sum);
        mem_free(w->scratch[t].part);
        mem_free(w->scratch[t].right);
        mem_free(w->scratch[t].right_wide);
    }
    mem_free(w->scratch);
    mem_free(w->left);
    mem_free(w->left_wide);
    mem_free(w->wide);
    mem_free(w->block);
}

/* Whole tiles of train rows, about BLOCK_BYTES of them. */
static size_t block_rows(const struct ridge *r) {
    size_t rows = BLOCK_BYTES / sizeof(float) / r->k / ROWS * ROWS;
    return at_most(r->N, rows ? rows : ROWS);
}

static enum status work_init(struct work *w, size_t threads) {
    const struct ridge *r = w->r;
    size_t pairs = w->b->lambdas * w->b->M;
    w->depth = r->primal ? r->k : r->rank;
    w->tiles = (w->b->M + RIDGE_TILE - 1) / RIDGE_TILE;
    w->left = mem_array(pairs * w->depth, sizeof *w->left);
    w->scratch = mem_array(threads, sizeof *w->scratch);
    int ok = w->left && w->scratch;
    if (r->primal) {
        w->left_wide = mem_array(pairs * w->depth, sizeof *w->left_wide);
        w->wide = mem_array(w->b->lambdas * w->tiles, 1);
        if (!r->train.all) w->block = mem_array(block_rows(r) * r->k, sizeof *w->block);
        ok = ok && w->left_wide && w->wide && (w->block || r->train.all);
    }
    size_t queries = at_most(w->b->M, RIDGE_TILE), rows = at_most(r->N, ROWS), depth = at_most(w->depth, DEPTH);
    for (size_t t = 0; ok && t < threads; t++) {
        struct scratch *s = &w->scratch[t];
        s->sum = mem_array(queries * rows, sizeof *s->sum);
        s->part = mem_array(queries * rows, sizeof *s->part);
        s->right = r->primal ? NULL : mem_array(rows * depth, sizeof *s->right);
        s->right_wide = r->primal ? mem_array(rows * depth, sizeof *s->right_wide) : NULL;
        ok = s->sum && s->part && (r->primal ? s->right_wide != NULL : s->right != NULL);
    }
    return ok ? OK : fail(ERR_NOMEM, "ridge: out of memory for %zu queries at %zu lambdas", w->b->M, w->b->lambdas);
}

static enum status run(struct work *w, const struct progress *p) {
    const struct ridge *r = w->r;
    size_t step = r->primal ? block_rows(r) : r->N, pairs = w->b->lambdas * w->tiles;
    pool_run(w->b->pool, pairs, left_piece, w);
    if (atomic_load(&w->bad)) return fail(ERR_NOMEM, "ridge: out of memory for a tile of queries");
    for (w->first = 0; w->first < r->N; w->first += step) {
        TRY(progress_check(p));
        w->count = at_most(r->N - w->first, step);
        if (r->primal && r->train.all) {
            w->rows = r->train.all + w->first * r->k;
        } else if (r->primal) {
            TRY(r->train.read(r->train.ctx, w->first, w->count, w->block));
            w->rows = w->block;
        }
        pool_run(w->b->pool, pairs * ((w->count + ROWS - 1) / ROWS), tile_piece, w);
        size_t bad = atomic_load(&w->bad);
        if (bad)
            return fail(ERR_NUMERIC, "ridge: the score of training item %zu is not finite; the query's features are damaged",
                        bad - 1);
    }
    return OK;
}

enum status ridge_score_block(const struct ridge *r, const struct ridge_block *b, const struct progress *p) {
    struct work w = { .r = r, .b = b };
    size_t threads = pool_threads(b->pool);
    for (size_t l = 0; l < b->lambdas; l++) TRY(ridge_lambda_check(b->lambda_abs[l]));
    if (!b->M || !b->lambdas) return OK;
    int before = linalg_set_threads(1);
    enum status st = work_init(&w, threads);
    if (st == OK) st = run(&w, p);
    work_free(&w, threads);
    linalg_set_threads(before);
    return st;
}

double ridge_score_bytes(const struct ridge *r) {
    double depth = (double)(r->primal ? r->k : r->rank);
    return 4.0 * (double)r->N + depth * (r->primal ? 12.0 : 4.0);
}

double ridge_score_bytes_fixed(const struct ridge *r, size_t threads) {
    double rows = r->primal && !r->train.all ? 4.0 * (double)(block_rows(r) * r->k) : 0;
    double tile = RIDGE_TILE * ROWS * 12.0 + ROWS * DEPTH * 8.0 + RIDGE_TILE * 8.0 * (double)r->rank;
    return rows + (double)threads * tile;
}

double ridge_bytes(size_t N, size_t k) {
    double d = (double)(N > k ? k : N);
    return 3 * 8 * d * d + (N > k ? (double)BLOCK_BYTES : 0);
}
