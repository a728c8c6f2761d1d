/* sample.c - the verb `sample`: DDIM from a checkpoint, one item per seed.
 *
 * An item depends on its seed alone (sampler.h): any item can be made again, and
 * a count can be raised later. */
#include "dtrak/pipeline.h"
#include "footprint.h"

#include "dtrak/cost.h"
#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/sampler.h"
#include "dtrak/schedule.h"
#include "dtrak/store.h"

#include <string.h>

enum { BATCH = 8 };

struct sampler {
    struct store *s;
    const struct sample_options *o;
    const struct progress *progress;
    struct project project;
    struct checkpoint_list checkpoint;
    struct stored_network net;
    struct pool *pool;
    struct unet_work **works;
    size_t D, threads, bytes;    /* bytes: of the works */
    float *x, *eps, *noise;      /* [threads * BATCH][D] */
    uint64_t *seeds;             /* of the samples in hand */
    size_t count;
};

/* One batch of up to BATCH samples, from latent to picture. */
static void denoise(void *ctx, size_t piece, size_t thread) {
    struct sampler *m = ctx;
    size_t first = piece * BATCH, B = m->count - first < BATCH ? m->count - first : BATCH, D = m->D;
    struct sampler_settings o = { m->net.schedule, m->o->steps, m->o->eta };
    sampler_run(m->works[thread], m->net.weights, &o, m->x + first * D, m->eps + first * D, m->noise + first * D,
                m->seeds + first, B, D);
}

/* Those that another process did not add meanwhile; two never add the same. */
static enum status add_missing(struct sampler *m, struct item *items, const void **images) {
    size_t n = 0, index;
    TRY(store_begin(m->s));
    enum status st = OK;
    for (size_t i = 0; i < m->count && st == OK; i++) {
        st = store_item_find_generated(m->s, items[i].checkpoint, items[i].seed, "ddim", m->o->steps, m->o->eta, &index);
        if (st != ERR_MISSING) continue;
        items[n] = items[i];
        images[n++] = images[i];
        st = OK;
    }
    if (st == OK && n) st = store_items_add(m->s, SPLIT_GEN, items, images, n, NULL);
    if (st == OK) st = store_commit(m->s);
    if (st != OK) store_rollback(m->s);
    return st;
}

static enum status keep(struct sampler *m) {
    struct item *items = mem_array(m->count, sizeof *items);
    const void **images = mem_array(m->count, sizeof *images);
    struct buf *png = mem_array(m->count, sizeof *png);
    enum status st = OK;
    if (!items || !images || !png) {
        st = fail(ERR_NOMEM, "sample: out of memory");
        goto done;
    }
    for (size_t i = 0; i < m->count; i++) {
        struct image im = { 0 };
        TRY_TO(items_from_network(&im, m->x + i * m->D, &m->project));
        st = image_encode_png(&png[i], &im);
        image_free(&im);
        if (st != OK) goto done;
        images[i] = png[i].data;
        items[i] = (struct item){ .label = -1, .seed = m->seeds[i], .checkpoint = m->checkpoint.checkpoint[0].id,
                                  .sampler = "ddim", .steps = m->o->steps, .eta = m->o->eta,
                                  .width_px = m->project.width, .height_px = m->project.height,
                                  .image_bytes = png[i].len };
    }
    st = add_missing(m, items, images);
done:
    for (size_t i = 0; png && i < m->count; i++) buf_free(&png[i]);
    mem_free(png);
    mem_free(images);
    mem_free(items);
    return st;
}

/* --- what it costs --- */

static void one_forward(void *ctx, size_t piece, size_t thread) {
    struct sampler *m = ctx;
    float time[BATCH] = { 0 };
    size_t at = piece * BATCH * m->D;
    unet_forward(m->works[thread], m->net.weights, m->eps + at, m->x + at, time, BATCH);
}

static int try_forward(void *ctx) {
    struct sampler *m = ctx;
    pool_run(m->pool, m->threads, one_forward, m);
    return !progress_cancelled(m->progress);
}

static enum status say_cost(struct sampler *m, int *stop) {
    struct cost c = { .flop = 0 };
    size_t missing = 0;
    double forward, backward, each, batches;
    *stop = 0;
    if (!m->o->cost) return OK;
    for (size_t i = 0; i < m->o->count; i++) {
        size_t index;
        enum status st = store_item_find_generated(m->s, m->checkpoint.checkpoint[0].id, m->o->seed + i, "ddim",
                                                   m->o->steps, m->o->eta, &index);
        missing += st == ERR_MISSING;
        if (st != ERR_MISSING) TRY(st);
    }
    if (missing) {
        /* Batches per thread; the last may be short, but is not shared out. */
        size_t group = m->threads * BATCH, last = missing % group;
        batches = (double)(missing / group) + (last < BATCH ? (double)last / BATCH : last > 0);
        TRY(footprint_time(try_forward, m, batches * (double)m->o->steps, &each));
        unet_cost(m->net.u, &forward, &backward);
        c.flop = 2 * forward * (double)(missing * m->o->steps);
        c.seconds = each * batches * (double)m->o->steps;
        c.bytes_disk = (double)(missing * m->D);
        c.bytes_memory = (double)(m->bytes + 3 * group * m->D * sizeof(float));
    }
    *stop = cost_announce(m->o->cost, "sample", &c);
    return OK;
}

/* --- all of them --- */

static enum status all_seeds(struct sampler *m) {
    size_t done = 0;
    m->count = 0;
    for (size_t i = 0; i < m->o->count; i++) {
        uint64_t seed = m->o->seed + i;
        size_t index;
        enum status st = store_item_find_generated(m->s, m->checkpoint.checkpoint[0].id, seed, "ddim",
                                                   m->o->steps, m->o->eta, &index);
        if (st == OK) done++;
        else if (st == ERR_MISSING) m->seeds[m->count++] = seed;
        else return st;
        if (m->count && (m->count == m->threads * BATCH || i + 1 == m->o->count)) {
            progress_report(m->progress, (double)done, (double)m->o->count, "sample", "");
            pool_run(m->pool, (m->count + BATCH - 1) / BATCH, denoise, m);
            TRY(progress_check(m->progress));
            TRY(keep(m));
            done += m->count;
            m->count = 0;
        }
    }
    progress_report(m->progress, (double)done, (double)m->o->count, "sample", "");
    return OK;
}

static enum status run(struct sampler *m) {
    const struct sample_options *o = m->o;
    if (o->count && o->seed > (uint64_t)INT64_MAX - (o->count - 1))
        return fail(ERR_RANGE, "sample: %zu seeds from %llu on pass the largest one, %lld", o->count, (unsigned long long)o->seed, (long long)INT64_MAX);
    TRY(store_project_get(m->s, &m->project));
    TRY(store_checkpoints_resolve(m->s, o->checkpoint, &m->checkpoint));
    if (m->checkpoint.count != 1)
        return fail(ERR_RANGE, "sample: '%s' names %zu checkpoints, expected one", o->checkpoint ? o->checkpoint : "last", m->checkpoint.count);
    TRY(stored_network_open(&m->net, m->s, &m->checkpoint.checkpoint[0], 0));
    TRY(stored_network_fits(&m->net, &m->project));
    size_t T = schedule_steps(m->net.schedule);
    if (o->steps < 1 || T % o->steps)
        return fail(ERR_RANGE, "sample: %zu steps, expected a divisor of the checkpoint's %zu", o->steps, T);
    linalg_set_threads(1);
    TRY(pool_new(&m->pool, o->threads));
    m->threads = pool_threads(m->pool);
    m->D = items_floats(&m->project);
    size_t n = m->threads * BATCH;
    m->works = mem_array(m->threads, sizeof *m->works);
    m->x = mem_array(n * m->D, sizeof *m->x);
    m->eps = mem_array(n * m->D, sizeof *m->eps);
    m->noise = mem_array(n * m->D, sizeof *m->noise);
    m->seeds = mem_array(n, sizeof *m->seeds);
    if (!m->works || !m->x || !m->eps || !m->noise || !m->seeds) return fail(ERR_NOMEM, "sample: out of memory");
    size_t before = mem_taken();
    for (size_t i = 0; i < m->threads; i++)
        TRY(unet_work_new(&m->works[i], m->net.u, BATCH, 0, m->progress ? m->progress->cancel : NULL));
    m->bytes = mem_taken() - before;
    int stop;
    TRY(say_cost(m, &stop));
    return stop ? OK : all_seeds(m);
}

enum status pipeline_sample(struct store *s, const struct sample_options *o, const struct progress *p) {
    struct sampler m = { .s = s, .o = o, .progress = p };
    store_wait_longer(s);
    enum status st = run(&m);
    for (size_t i = 0; m.works && i < m.threads; i++) unet_work_free(m.works[i]);
    mem_free(m.works);
    mem_free(m.x);
    mem_free(m.eps);
    mem_free(m.noise);
    mem_free(m.seeds);
    pool_free(m.pool);
    stored_network_close(&m.net);
    checkpoint_list_free(&m.checkpoint);
    return st;
}
