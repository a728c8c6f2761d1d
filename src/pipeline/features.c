/* features.c - the verb `features`: projected per-sample gradients.
 *
 * A sample's feature is the gradient of its loss averaged over K timesteps, so
 * its batch is its timesteps: one forward serves every loss asked for, one
 * backward per loss hands each parameter's gradient to the projection, which
 * adds it up and forgets it.  Noise is keyed on (seed, split, item, timestep).
 * The unit of finished work is a block of rows of every loss, one transaction. */
#include "dtrak/pipeline.h"

#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1, BLOCK_ROWS = 32, BATCH = 10 };

struct maker {
    struct store *s;
    const struct features_options *o;
    const struct progress *progress;
    struct project project;
    struct checkpoint_list checkpoints;
    struct pool *pool;
    size_t D, threads;
    double done, total;              /* rows x losses */
    /* of the checkpoint in hand */
    const struct checkpoint *checkpoint;
    struct stored_network net;
    struct projection projection;
    uint32_t *table;
    struct unet_work **works;
    float *scratch;                  /* [threads][4][BATCH][D] */
    /* of the split in hand */
    enum split split;
    struct feature_set sets[LOSS_COUNT];
    unsigned char *missing[LOSS_COUNT];   /* by block */
    /* of the block in hand */
    size_t first, rows;
    float *images;                   /* [BLOCK_ROWS][D] */
    float *features[LOSS_COUNT];     /* [BLOCK_ROWS][k], NULL: not wanted */
    unsigned wanted;
    char what[64];
};

/* --- one item --- */

struct projecting { const struct maker *m; const struct unet_param *params; float *out; };

static void project_parameter(void *ctx, size_t param, const float *grad) {
    struct projecting *p = ctx;
    const struct projection *proj = &p->m->projection;
    projection_add_sjlt(proj, p->m->table + p->params[param].offset * proj->s, grad,
                        p->params[param].count, 1, p->out);
}

static void one_item(void *ctx, size_t row, size_t thread) {
    struct maker *m = ctx;
    size_t D = m->D, K = m->o->timesteps, n_params, item = m->first + row;
    float *x_t = m->scratch + thread * 4 * BATCH * D, *noise = x_t + BATCH * D;
    float *eps = noise + BATCH * D, *d_eps = eps + BATCH * D, time[BATCH];
    const struct unet_param *params = unet_params(m->net.u, &n_params);
    for (size_t k = 0; k < K; k += BATCH) {
        size_t B = K - k < BATCH ? K - k : BATCH;
        for (size_t b = 0; b < B; b++) {
            size_t t = (k + b) * (schedule_steps(m->net.schedule) / K);
            time[b] = (float)t;
            rng_normal(noise + b * D, D, m->o->noise_seed, RNG_NOISE,
                       (uint32_t)m->split << 29 | (uint32_t)item, (uint32_t)t);
            schedule_noised(m->net.schedule, x_t + b * D, m->images + row * D, noise + b * D, D, t);
        }
        if (!unet_forward(m->works[thread], m->net.weights, eps, x_t, time, B)) return;
        for (int l = 0; l < LOSS_COUNT; l++) {
            if (!(m->wanted >> l & 1)) continue;
            for (size_t b = 0; b < B; b++)
                loss_gradient((enum loss)l, d_eps + b * D, eps + b * D, noise + b * D, D,
                              schedule_elbo_weight(m->net.schedule, (size_t)time[b]), 1.0 / (double)K);
            struct projecting p = { m, params, m->features[l] + row * m->o->dims };
            struct unet_sink sink = { project_parameter, &p };
            if (!unet_backward(m->works[thread], m->net.weights, d_eps, &sink)) return;
        }
    }
}

/* --- one block --- */

static enum status check_rows(const struct maker *m, enum loss l) {
    for (size_t r = 0; r < m->rows; r++)
        for (size_t j = 0; j < m->o->dims; j++)
            if (!isfinite(m->features[l][r * m->o->dims + j]))
                return fail(ERR_NUMERIC, "features: the gradient of %s:%zu is not finite (loss %s, checkpoint %zu)",
                            split_name(m->split), m->first + r, loss_name(l), m->checkpoint->step);
    return OK;
}

static enum status store_block(struct maker *m, size_t block) {
    TRY(store_begin(m->s));
    enum status st = OK;
    for (int l = 0; l < LOSS_COUNT && st == OK; l++)
        if (m->wanted >> l & 1) st = store_feature_block_put(m->s, &m->sets[l], block, m->features[l]);
    if (st == OK) st = store_commit(m->s);
    if (st != OK) store_rollback(m->s);
    return st;
}

static enum status make_block(struct maker *m, size_t block, size_t items) {
    m->wanted = 0;
    for (int l = 0; l < LOSS_COUNT; l++)
        if (m->missing[l] && m->missing[l][block]) m->wanted |= 1u << l;
    if (!m->wanted) return OK;
    m->first = block * BLOCK_ROWS;
    m->rows = items - m->first < BLOCK_ROWS ? items - m->first : BLOCK_ROWS;
    TRY(items_load(m->s, &m->project, m->split, m->first, m->rows, m->images));
    for (int l = 0; l < LOSS_COUNT; l++)
        if (m->wanted >> l & 1) memset(m->features[l], 0, m->rows * m->o->dims * sizeof(float));
    pool_run(m->pool, m->rows, one_item, m);
    TRY(progress_check(m->progress));
    for (int l = 0; l < LOSS_COUNT; l++)
        if (m->wanted >> l & 1) {
            TRY(check_rows(m, (enum loss)l));
            m->done += (double)m->rows;
        }
    TRY(store_block(m, block));
    progress_report(m->progress, m->done, m->total, "features", m->what);
    return OK;
}

/* --- sets --- */

static struct feature_identity identity(const struct maker *m, enum loss l) {
    struct feature_identity id = { .split = m->split, .timesteps = m->o->timesteps, .rule = "uniform",
                                   .noise_seed = m->o->noise_seed, .projection_seed = m->o->projection_seed,
                                   .k = m->o->dims, .nonzeros = 1, .float32 = m->o->float32, .version = VERSION };
    memcpy(id.checkpoint_sha256, m->checkpoint->sha256, sizeof id.checkpoint_sha256);
    snprintf(id.loss, sizeof id.loss, "%s", loss_name(l));
    snprintf(id.projection, sizeof id.projection, "%s", projection_kind_name(PROJECTION_SJLT));
    return id;
}

/* Blocks of one set that are missing, as a flag for each. */
static enum status find_missing(struct maker *m, enum loss l, size_t items) {
    struct index_list list = { 0 };
    struct feature_identity id = identity(m, l);
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    struct provenance p = { DTRAK_VERSION, linalg_core_name(), host, m->threads };
    TRY(store_feature_set_ensure(m->s, &id, items, BLOCK_ROWS, NULL, &p, &m->sets[l]));
    if (m->sets[l].block_rows != BLOCK_ROWS)
        return fail(ERR_FORMAT, "features: a set with blocks of %zu rows, expected %d", m->sets[l].block_rows, BLOCK_ROWS);
    m->missing[l] = mem_array(items / BLOCK_ROWS + 1, 1);
    if (!m->missing[l]) return fail(ERR_NOMEM, "features: out of memory");
    TRY(store_feature_blocks_missing(m->s, &m->sets[l], &list));
    for (size_t i = 0; i < list.count; i++) m->missing[l][list.index[i]] = 1;
    index_list_free(&list);
    return OK;
}

static enum status make_split(struct maker *m, size_t items) {
    enum status st = OK;
    for (int l = 0; l < LOSS_COUNT && st == OK; l++)
        if (m->o->losses >> l & 1) st = find_missing(m, (enum loss)l, items);
    for (int l = 0; l < LOSS_COUNT && st == OK; l++)
        for (size_t b = 0; m->missing[l] && b * BLOCK_ROWS < items; b++)
            if (!m->missing[l][b])
                m->done += (double)(items - b * BLOCK_ROWS < BLOCK_ROWS ? items - b * BLOCK_ROWS : BLOCK_ROWS);
    snprintf(m->what, sizeof m->what, "%s, checkpoint %.0f%%", split_name(m->split), m->checkpoint->percent);
    progress_report(m->progress, m->done, m->total, "features", m->what);
    for (size_t b = 0; st == OK && b * BLOCK_ROWS < items; b++) st = make_block(m, b, items);
    for (int l = 0; l < LOSS_COUNT; l++) {
        mem_free(m->missing[l]);
        m->missing[l] = NULL;
    }
    return st;
}

static enum status open_checkpoint(struct maker *m) {
    TRY(stored_network_open(&m->net, m->s, m->checkpoint, 1));
    TRY(stored_network_fits(&m->net, &m->project));
    size_t T = schedule_steps(m->net.schedule);
    if (T % m->o->timesteps)
        return fail(ERR_RANGE, "features: %zu timesteps, expected a divisor of the %zu of checkpoint %zu: 1, 2, 5, 10, 20, "
                    "25, 50, 100, ...", m->o->timesteps, T, m->checkpoint->step);
    size_t p = unet_size(m->net.u);
    uint32_t *coord = NULL;
    m->projection = (struct projection){ PROJECTION_SJLT, m->o->projection_seed, p, (uint32_t)m->o->dims, 1, PROJECTION_VERSION };
    TRY(projection_check(&m->projection));
    coord = mem_array(p, sizeof *coord);
    m->table = mem_array(p, sizeof *m->table);
    if (!coord || !m->table) {
        mem_free(coord);
        return fail(ERR_NOMEM, "features: out of memory for %zu parameters", p);
    }
    unet_coordinates(m->net.u, coord);
    projection_table(&m->projection, coord, p, m->table);
    mem_free(coord);
    for (size_t i = 0; i < m->threads; i++)
        TRY(unet_work_new(&m->works[i], m->net.u, BATCH, 1, m->progress ? m->progress->cancel : NULL));
    return OK;
}

static void close_checkpoint(struct maker *m) {
    for (size_t i = 0; m->works && i < m->threads; i++) {
        unet_work_free(m->works[i]);
        m->works[i] = NULL;
    }
    mem_free(m->table);
    m->table = NULL;
    stored_network_close(&m->net);
}

static enum status check_options(const struct features_options *o) {
    if (!o->losses) return fail(ERR_RANGE, "features: no loss is given");
    if (o->timesteps < 1) return fail(ERR_RANGE, "features: 0 timesteps, expected at least 1");
    if (o->dims < 1 || o->dims > 1u << 24)
        return fail(ERR_RANGE, "features: %zu dimensions, expected 1 to %u", o->dims, 1u << 24);
    return OK;
}

static enum status prepare(struct maker *m) {
    const struct features_options *o = m->o;
    TRY(check_options(o));
    TRY(store_project_get(m->s, &m->project));
    TRY(store_checkpoints_resolve(m->s, o->checkpoints, &m->checkpoints));
    linalg_set_threads(1);
    TRY(pool_new(&m->pool, o->threads));
    m->threads = pool_threads(m->pool);
    m->D = items_floats(&m->project);
    m->works = mem_array(m->threads, sizeof *m->works);
    m->scratch = mem_array(m->threads * 4 * BATCH * m->D, sizeof *m->scratch);
    m->images = mem_array(BLOCK_ROWS * m->D, sizeof *m->images);
    int short_of_memory = !m->works || !m->scratch || !m->images;
    for (int l = 0; l < LOSS_COUNT; l++)
        if (o->losses >> l & 1)
            short_of_memory |= !(m->features[l] = mem_array(BLOCK_ROWS * o->dims, sizeof(float)));
    return short_of_memory ? fail(ERR_NOMEM, "features: out of memory for rows of %zu", o->dims) : OK;
}

static enum status run(struct maker *m) {
    size_t items[SPLIT_COUNT], all = 0;
    TRY(prepare(m));
    for (int s = 0; s < SPLIT_COUNT; s++) {
        TRY(store_items_count(m->s, (enum split)s, &items[s]));
        if (m->o->splits && !(m->o->splits >> s & 1)) items[s] = 0;
        all += items[s];
    }
    if (!all) return fail(ERR_MISSING, "features: there are no items in the splits asked for");
    for (int l = 0; l < LOSS_COUNT; l++)
        if (m->o->losses >> l & 1) m->total += (double)all * (double)m->checkpoints.count;
    for (size_t c = 0; c < m->checkpoints.count; c++) {
        m->checkpoint = &m->checkpoints.checkpoint[c];
        enum status st = open_checkpoint(m);
        for (int s = 0; s < SPLIT_COUNT && st == OK; s++) {
            m->split = (enum split)s;
            if (items[s]) st = make_split(m, items[s]);
        }
        close_checkpoint(m);
        TRY(st);
    }
    return OK;
}

enum status pipeline_features(struct store *s, const struct features_options *o, const struct progress *p) {
    struct maker m = { .s = s, .o = o, .progress = p };
    enum status st = run(&m);
    close_checkpoint(&m);
    mem_free(m.works);
    mem_free(m.scratch);
    mem_free(m.images);
    for (int l = 0; l < LOSS_COUNT; l++) {
        mem_free(m.features[l]);
        mem_free(m.missing[l]);
    }
    pool_free(m.pool);
    checkpoint_list_free(&m.checkpoints);
    return st;
}
