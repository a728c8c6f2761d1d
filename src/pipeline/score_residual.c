/* score_residual.c - how far the network's prediction is off for every training item,
 * at the timesteps and noises of its features: what das multiplies with.
 *
 * Forward passes only.  Both forms of the residual come from the same errors and are
 * stored, a block of items at a time. */
#include "score_parts.h"

#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 8, ITEMS = 64 };

static const char *const stat_names[] = { "", "das_rms", "das_released" };

struct residuals {
    struct scorer *w;
    struct stored_network net;
    struct project project;
    struct unet_work **works;
    size_t D, pairs;
    float *scratch;              /* [threads][3][BATCH][D] */
    float *images;               /* [ITEMS][D] */
    double *error;               /* [ITEMS][pairs] */
    size_t first;
};

static struct stat_key key_of(const struct scorer *w, enum das_residual kind, char text[128]) {
    const struct feature_identity *f = &w->source.train.identity;
    snprintf(text, 128, "timesteps %zu %s, draws %zu, noise seed %llu", f->timesteps, f->rule, f->draws ? f->draws : 1,
             (unsigned long long)f->noise_seed);
    return (struct stat_key){ stat_names[kind], text, w->checkpoint->id, SPLIT_TRAIN };
}

/* The i-th pair of timestep and draw, as features count them. */
static size_t timestep_of(const struct residuals *r, size_t i) {
    const struct feature_identity *f = &r->w->source.train.identity;
    size_t at = i % f->timesteps;
    return strcmp(f->rule, "uniform") ? at : at * (schedule_steps(r->net.schedule) / f->timesteps);
}

static void one_item(void *ctx, size_t item, size_t thread) {
    struct residuals *r = ctx;
    const struct feature_identity *f = &r->w->source.train.identity;
    size_t D = r->D;
    float *x = r->scratch + thread * 3 * BATCH * D, *noise = x + BATCH * D, *eps = noise + BATCH * D, time[BATCH];
    for (size_t i = 0; i < r->pairs; i += BATCH) {
        size_t B = r->pairs - i < BATCH ? r->pairs - i : BATCH;
        for (size_t b = 0; b < B; b++) {
            size_t t = timestep_of(r, i + b);
            time[b] = (float)t;
            items_noise(noise + b * D, D, f->noise_seed, SPLIT_TRAIN, r->first + item, t, (i + b) / f->timesteps);
            schedule_noised(r->net.schedule, x + b * D, r->images + item * D, noise + b * D, D, t);
        }
        if (!unet_forward(r->works[thread], r->net.weights, eps, x, time, B)) return;
        for (size_t b = 0; b < B; b++)
            r->error[item * r->pairs + i + b] = loss_value(LOSS_SIMPLE, eps + b * D, noise + b * D, D, 1);
    }
}

static enum status store_block(struct residuals *r, size_t count) {
    struct scorer *w = r->w;
    double value[ITEMS];
    char text[128];
    for (enum das_residual kind = DAS_RESIDUAL_RMS; kind <= DAS_RESIDUAL_RELEASED; kind++) {
        struct stat_key key = key_of(w, kind, text);
        TRY(das_residuals(value, r->error, count, r->pairs, kind));
        TRY(store_stat_put(w->s, &key, r->first, count, value));
    }
    return OK;
}

static enum status make_block(struct residuals *r, size_t count) {
    struct scorer *w = r->w;
    TRY(items_load(w->s, &r->project, SPLIT_TRAIN, r->first, count, r->images));
    pool_run(w->pool, count, one_item, r);
    TRY(progress_check(w->progress));
    TRY(store_begin(w->s));
    enum status st = store_block(r, count);
    if (st == OK) st = store_commit(w->s);
    if (st != OK) store_rollback(w->s);
    return st;
}

static enum status open_network(struct residuals *r) {
    struct scorer *w = r->w;
    const struct feature_identity *f = &w->source.train.identity;
    size_t threads = pool_threads(w->pool);
    TRY(store_project_get(w->s, &r->project));
    TRY(stored_network_open(&r->net, w->s, w->checkpoint, 0));
    TRY(stored_network_fits(&r->net, &r->project));
    r->D = items_floats(&r->project);
    r->pairs = f->timesteps * (f->draws ? f->draws : 1);
    r->works = mem_array(threads, sizeof *r->works);
    r->scratch = mem_array(threads * 3 * BATCH, r->D * sizeof *r->scratch);
    r->images = mem_array(ITEMS, r->D * sizeof *r->images);
    r->error = mem_array(ITEMS, r->pairs * sizeof *r->error);
    if (!r->works || !r->scratch || !r->images || !r->error) return fail(ERR_NOMEM, "score: out of memory");
    for (size_t i = 0; i < threads; i++)
        TRY(unet_work_new(&r->works[i], r->net.u, BATCH, 0, w->progress ? w->progress->cancel : NULL));
    return OK;
}

static void close_network(struct residuals *r) {
    for (size_t i = 0; r->works && i < pool_threads(r->w->pool); i++) unet_work_free(r->works[i]);
    mem_free(r->works);
    mem_free(r->scratch);
    mem_free(r->images);
    mem_free(r->error);
    stored_network_close(&r->net);
}

/* Blocks in which `have` [n] lacks a number. */
static enum status make_missing(struct scorer *w, const double *have, size_t n) {
    struct residuals r = { .w = w };
    int threads = linalg_set_threads(1);   /* what model code relies on */
    enum status st = open_network(&r);
    for (r.first = 0; r.first < n && st == OK; r.first += ITEMS) {
        size_t count = n - r.first < ITEMS ? n - r.first : ITEMS;
        int missing = 0;
        for (size_t i = 0; i < count; i++) missing |= isnan(have[r.first + i]);
        if (missing) st = make_block(&r, count);
        progress_report(w->progress, (double)(r.first + count), (double)n, "residuals", w->what);
    }
    close_network(&r);
    linalg_set_threads(threads);
    return st;
}

enum status score_residuals(struct scorer *w) {
    size_t n = w->items[SPLIT_TRAIN], present;
    char text[128];
    struct stat_key key = key_of(w, w->das.residual, text);
    w->residual = mem_array(n, sizeof *w->residual);
    if (!w->residual) return fail(ERR_NOMEM, "score: out of memory");
    TRY(store_stat_get(w->s, &key, 0, n, w->residual, &present));
    if (present == n) return OK;
    TRY(make_missing(w, w->residual, n));
    TRY(store_stat_get(w->s, &key, 0, n, w->residual, &present));
    return present == n ? OK : fail(ERR_NUMERIC, "score: residuals of %zu training items are missing", n - present);
}
