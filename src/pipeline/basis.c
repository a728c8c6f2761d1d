/* basis.c - the verb `basis`: the eigenbasis of the training features, kept.
 *
 * The matrix comes in panels, each a finished unit in the database; a process that
 * is killed goes on with the next one.  The decomposition cannot be interrupted
 * inside LAPACK: killed there, only it is done again. */
#include "dtrak/pipeline.h"

#include "dtrak/cost.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "score_source.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PANELS = 8 };   /* of a matrix, about */

struct maker {
    struct store *s;
    const struct basis_options *o;
    const struct progress *progress;
    struct checkpoint_list checkpoints;
    size_t items[SPLIT_COUNT];
    size_t memory, threads;
    struct cost cost;
    char host[64];
    /* of the set in hand */
    const struct checkpoint *checkpoint;
    enum loss loss;
    struct source source;
};

/* Rows of a panel: an eighth of the matrix, in whole tiles of the products. */
static size_t panel_rows(size_t dim) {
    size_t rows = (dim / PANELS + 255) / 256 * 256;
    return rows ? rows : dim;
}

static enum status make_panels(struct maker *m, const struct basis_info *b) {
    struct index_list missing;
    enum status st = OK;
    double *panel = NULL;
    TRY(store_basis_panels_missing(m->s, b, &missing));
    if (missing.count) {
        panel = mem_array(b->block_rows * b->dim, sizeof *panel);
        if (!panel) st = fail(ERR_NOMEM, "basis: out of memory for a panel of %zu rows", b->block_rows);
        else st = source_fill_cache(&m->source, m->progress);
    }
    size_t panels = (b->dim + b->block_rows - 1) / b->block_rows, block = source_block_bytes(&m->source);
    for (size_t i = 0; i < missing.count && st == OK; i++) {
        size_t first = missing.index[i] * b->block_rows, left = b->dim - first;
        size_t count = left < b->block_rows ? left : b->block_rows;
        progress_report(m->progress, (double)(panels - missing.count + i), (double)panels, "Gram panels", loss_name(m->loss));
        st = b->primal ? rows_inner_panel(&m->source.rows, first, count, panel, block, m->progress)
                       : rows_gram_panel(&m->source.rows, first, count, panel, block, m->progress);
        if (st == OK) st = store_basis_panel_put(m->s, b, missing.index[i], panel);
    }
    mem_free(panel);
    index_list_free(&missing);
    return st;
}

static enum status read_matrix(struct maker *m, const struct basis_info *b, double **A) {
    if (m->source.has_kernel) return source_kernel_gram(&m->source, A);
    TRY(make_panels(m, b));
    *A = mem_array(b->dim * b->dim, sizeof **A);
    if (!*A) return fail(ERR_NOMEM, "basis: out of memory for a matrix of %zu x %zu", b->dim, b->dim);
    enum status st = store_basis_matrix_read(m->s, b, *A);
    if (st != OK) mem_free(*A);
    return st;
}

static enum status make_basis(struct maker *m) {
    struct source *src = &m->source;
    struct provenance p = { DTRAK_VERSION, linalg_core_name(), m->host, m->threads };
    struct basis_info b;
    struct ridge *r;
    double *A;
    size_t n = src->n, k = src->rows.k;
    if (m->o->again) TRY(store_basis_delete(m->s, src->train.id));
    TRY(store_basis_ensure(m->s, src->train.id, n, k, panel_rows(n < k ? n : k), &p, &b));
    if (b.complete) return OK;
    TRY(read_matrix(m, &b, &A));
    TRY(b.primal ? ridge_new_inner(&r, A, &src->rows, m->progress) : ridge_new(&r, A, n, k, m->progress));
    enum status st = store_basis_finish(m->s, &b, ridge_trace(r), ridge_eigenvalues(r), ridge_vectors(r));
    ridge_free(r);
    return st;
}

static enum status open_source(struct maker *m) {
    struct source_wanted want = { .checkpoint = m->checkpoint, .loss = m->loss, .timesteps = m->o->timesteps, .items = m->items, .memory = m->memory };
    return source_find(&m->source, m->s, &want);
}

/* A small decomposition says how fast this machine does a large one. */
static enum status add_cost(struct maker *m) {
    enum { SMALL = 384 };
    static double seconds;   /* of the small one */
    const struct source *src = &m->source;
    double n = (double)src->n, k = (double)src->rows.k, d = n < k ? n : k, other = n < k ? k : n;
    if (src->has_basis && !m->o->again) return OK;
    if (!(seconds > 0)) {
        double *A = mem_array(SMALL * SMALL, sizeof *A), *w = mem_array(SMALL, sizeof *w);
        if (!A || !w) {
            mem_free(A);
            mem_free(w);
            return fail(ERR_NOMEM, "basis: out of memory");
        }
        for (size_t i = 0; i < SMALL; i++)
            for (size_t j = 0; j <= i; j++) A[i * SMALL + j] = A[j * SMALL + i] = (double)((i * 7919 + j * 104729) % 1013);
        double t = clock_s();
        enum status st = linalg_eigh(A, SMALL, w);
        seconds = clock_s() - t;
        mem_free(A);
        mem_free(w);
        TRY(st);
    }
    double flop = d * d * other + 9 * d * d * d;
    m->cost.flop += flop;
    m->cost.seconds += flop / (9.0 * SMALL * SMALL * SMALL) * seconds;
    m->cost.bytes_disk += 8 * d * d;
    double bytes = source_ridge_bytes(src);
    if (bytes > m->cost.bytes_memory) m->cost.bytes_memory = bytes;
    return OK;
}

static enum status look(struct maker *m) {
    TRY(open_source(m));
    if (m->source.has_basis && !m->o->again) return OK;
    m->source.has_basis = 0;   /* what making it takes */
    TRY(source_check_memory(&m->source, 0));
    return m->o->cost ? add_cost(m) : OK;
}

static enum status make(struct maker *m) {
    TRY(open_source(m));
    return make_basis(m);
}

static enum status each_set(struct maker *m, enum status (*fn)(struct maker *m)) {
    for (size_t c = 0; c < m->checkpoints.count; c++)
        for (int l = 0; l < LOSS_COUNT; l++) {
            if (!(m->o->losses >> l & 1)) continue;
            m->checkpoint = &m->checkpoints.checkpoint[c];
            m->loss = (enum loss)l;
            enum status st = fn(m);
            source_close(&m->source);
            TRY(st);
        }
    return OK;
}

static enum status run(struct maker *m) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    m->memory = m->o->memory ? m->o->memory : mem_default_cap();
    m->threads = m->o->threads ? m->o->threads : online > 0 ? (size_t)online : 1;
    gethostname(m->host, sizeof m->host - 1);
    TRY(store_items_count(m->s, SPLIT_TRAIN, &m->items[SPLIT_TRAIN]));
    if (!m->items[SPLIT_TRAIN]) return fail(ERR_MISSING, "basis: there are no training items");
    TRY(store_checkpoints_resolve(m->s, m->o->checkpoints, &m->checkpoints));
    linalg_set_threads((int)m->threads);
    TRY(each_set(m, look));
    if (cost_announce(m->o->cost, "basis", &m->cost)) return OK;
    return each_set(m, make);
}

enum status pipeline_basis(struct store *s, const struct basis_options *o, const struct progress *p) {
    struct maker *m = mem_array(1, sizeof *m);
    if (!m) return fail(ERR_NOMEM, "basis: out of memory");
    m->s = s;
    m->o = o;
    m->progress = p;
    enum status st = run(m);
    linalg_set_threads(1);   /* what model code relies on */
    checkpoint_list_free(&m->checkpoints);
    mem_free(m);
    return st;
}
