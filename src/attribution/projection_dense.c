/* projection_dense.c - rademacher and gaussian: gradients are gathered, then
 * multiplied with a matrix that is made panel by panel.
 *
 * A panel (RANDOM_TILE coordinates by RANDOM_WIDTH outputs) is made once in the
 * first-level cache and multiplied with all gathered rows.  Every output is the
 * sum, over tiles of coordinates in stored order, of a tile's sum: that order is
 * fixed, so neither the rows gathered nor the threads change a bit. */
#include "projection_parts.h"

#include "dtrak/mem.h"
#include "dtrak/random_matrix.h"

#include <math.h>
#include <string.h>

/* A slab of coordinates is turned about for all threads, then used by each for its outputs. */
enum { TILE = 128, SLAB = 16 * TILE };

struct gathered {
    const struct random_matrix *m;
    float *rows;             /* [capacity][p] */
    unsigned char *begun;    /* [capacity]: the row holds numbers */
    float *slab;             /* [SLAB][ld], scaled by 1/sqrt(k) */
    uint32_t *a, *b;         /* [SLAB] keys */
    float *panels;           /* [threads][TILE][RANDOM_WIDTH] */
    float *last;             /* [capacity][RANDOM_WIDTH]: the outputs of a block that k cuts */
    size_t ld, first, count; /* of the slab in hand */
};

static enum status work_new(struct projection_work *w, size_t memory) {
    size_t p = (size_t)w->pr->proj.p, fit = memory / sizeof(float) / p;
    if (!fit)
        return fail(ERR_RANGE, "projection %s gathers whole gradients: one of %zu coordinates takes %zu MiB, %zu MiB are given",
                    projection_kind_name(w->pr->proj.kind), p, (p * sizeof(float) >> 20) + 1, memory >> 20);
    if (w->capacity > fit) w->capacity = fit;
    struct gathered *g = w->own = mem_array(1, sizeof *g);
    if (!g) return fail(ERR_NOMEM, "projection: out of memory");
    g->m = random_matrix_best();
    g->ld = (w->capacity + RANDOM_ROWS - 1) / RANDOM_ROWS * RANDOM_ROWS;
    g->rows = mem_array(w->capacity * p, sizeof(float));
    g->begun = mem_array(w->capacity, 1);
    g->slab = mem_array(SLAB * g->ld, sizeof(float));
    g->a = mem_array(SLAB, sizeof *g->a);
    g->b = mem_array(SLAB, sizeof *g->b);
    g->panels = mem_array(w->threads * TILE * RANDOM_WIDTH, sizeof(float));
    g->last = mem_array(w->capacity * RANDOM_WIDTH, sizeof(float));
    if (!g->rows || !g->begun || !g->slab || !g->a || !g->b || !g->panels || !g->last)
        return fail(ERR_NOMEM, "projection: out of memory for %zu gradients of %zu coordinates", w->capacity, p);
    return OK;
}

static void work_free(struct projection_work *w) {
    struct gathered *g = w->own;
    if (!g) return;
    void *all[] = { g->rows, g->begun, g->slab, g->a, g->b, g->panels, g->last, g };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mem_free(all[i]);
}

static void begin(struct projection_work *w) {
    struct gathered *g = w->own;
    memset(g->begun, 0, w->capacity);
}

static float *row_begun(struct gathered *g, size_t p, size_t row) {
    float *x = g->rows + row * p;
    if (!g->begun[row]) memset(x, 0, p * sizeof *x);
    g->begun[row] = 1;
    return x;
}

static void add(struct projection_work *w, size_t thread, size_t row,
                size_t offset, const float *grad, size_t n, float weight) {
    (void)thread;
    float *x = row_begun(w->own, (size_t)w->pr->proj.p, row) + offset;
    for (size_t i = 0; i < n; i++) x[i] += weight * grad[i];
}

/* --- products --- */

/* Tile number `piece` of the slab: its keys, and its columns of the rows as rows. */
static void turn_tile(void *ctx, size_t piece, size_t thread) {
    (void)thread;
    const struct projection_work *w = ctx;
    struct gathered *g = w->own;
    size_t p = (size_t)w->pr->proj.p, end = (piece + 1) * TILE < g->count ? (piece + 1) * TILE : g->count;
    float scale = (float)(1 / sqrt((double)w->pr->proj.k));
    for (size_t c = piece * TILE; c < end; c++) {
        uint32_t word[4];
        projection_words(word, w->pr, w->pr->table[g->first + c], 0, 0);
        g->a[c] = word[0];
        g->b[c] = word[1];
    }
    for (size_t r = 0; r < w->rows; r++) {
        const float *x = g->rows + r * p + g->first;
        for (size_t c = piece * TILE; c < end; c++) g->slab[c * g->ld + r] = scale * x[c];
    }
}

/* One block of outputs of the slab, for all rows. */
static void multiply_block(void *ctx, size_t block, size_t thread) {
    const struct projection_work *w = ctx;
    struct gathered *g = w->own;
    size_t k = w->pr->proj.k, o = block * RANDOM_WIDTH;
    int is_whole = o + RANDOM_WIDTH <= k;
    float *panel = g->panels + thread * TILE * RANDOM_WIDTH, *y = is_whole ? w->out + o : g->last;
    for (size_t c = 0; c < g->count; c += TILE) {
        size_t n = g->count - c < TILE ? g->count - c : TILE;
        if (w->pr->proj.kind == PROJECTION_GAUSSIAN) g->m->gaussian(panel, g->a + c, g->b + c, n, (uint32_t)block);
        else g->m->rademacher(panel, g->a + c, g->b + c, n, (uint32_t)block);
        g->m->multiply(y, is_whole ? k : RANDOM_WIDTH, g->slab + c * g->ld, g->ld, w->rows, panel, n);
    }
}

static int finish(struct projection_work *w, struct pool *pool, atomic_int *cancel) {
    struct gathered *g = w->own;
    size_t p = (size_t)w->pr->proj.p, k = w->pr->proj.k, cut = k % RANDOM_WIDTH;
    for (size_t r = 0; r < w->rows; r++) row_begun(g, p, r);
    memset(g->last, 0, w->capacity * RANDOM_WIDTH * sizeof *g->last);
    for (g->first = 0; g->first < p; g->first += g->count) {
        if (cancel && atomic_load(cancel)) return 0;
        g->count = p - g->first < SLAB ? p - g->first : SLAB;
        pool_run(pool, (g->count + TILE - 1) / TILE, turn_tile, w);
        pool_run(pool, (k + RANDOM_WIDTH - 1) / RANDOM_WIDTH, multiply_block, w);
    }
    for (size_t r = 0; r < w->rows && cut; r++)
        memcpy(w->out + r * k + k - cut, g->last + r * RANDOM_WIDTH, cut * sizeof(float));
    return 1;
}

const struct projection_ops projection_dense = {
    .projector_new = projector_keep_coordinates, .work_new = work_new, .work_free = work_free,
    .begin = begin, .add = add, .finish = finish,
};
