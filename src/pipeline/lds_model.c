/* lds_model.c - one network retrained on a subset, and its loss for every query.
 *
 * A function of the protocol alone: a model that was stopped and continued, on
 * whatever thread, ends with the same bits. */
#include "footprint.h"
#include "lds_parts.h"

#include "dtrak/items.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EVAL_BATCH = 10, HEARTBEAT_S = 20, TRIES = 10 };

struct model {
    const struct retrainer *r;
    struct store *s;
    const struct subset_model *row;
    struct trainer *trainer;
    struct trainer_options options;
    float *images;                /* of the members */
    size_t size;
    double loss, seconds;         /* running mean; of training, over all sittings */
    double since, saved, beaten;  /* clock: start of this sitting's count, last save, last heartbeat */
    float *state;
};

/* --- training --- */

static enum status stop_asked(const struct retrainer *r) {
    if (r->cancel && atomic_load(r->cancel)) return fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
    return atomic_load(r->failed) ? fail(ERR_CANCELLED, "stopped because another model failed") : OK;
}

static enum status gather(struct model *m, const unsigned char *members) {
    size_t D = m->r->D, at = 0;
    m->images = mem_array(m->row->size, D * sizeof(float));
    if (!m->images) return fail(ERR_NOMEM, "lds: out of memory for %zu images", m->row->size);
    for (size_t i = 0; i < m->r->n; i++)
        if (members[i]) memcpy(m->images + at++ * D, m->r->images + i * D, D * sizeof(float));
    m->size = at;
    return OK;
}

static enum status resume(struct model *m) {
    size_t step, len;
    void *bytes;
    TRY(store_subset_state(m->s, m->row->id, &step, &bytes, &len));
    if (!bytes) return OK;
    enum status st = OK;
    if (len != trainer_state_size(m->trainer) * sizeof(float) || step > m->options.steps) {
        st = fail(ERR_FORMAT, "lds: the kept state of subset %zu holds %zu bytes at step %zu, expected %zu", m->row->index,
                  len, step, trainer_state_size(m->trainer) * sizeof(float));
    } else {
        trainer_state_set(m->trainer, bytes, step);
        m->loss = m->row->train_loss;
        m->seconds = m->row->seconds;
    }
    mem_free(bytes);
    return st;
}

static double seconds_so_far(struct model *m) {
    double now = clock_s();
    m->seconds += now - m->since;
    m->since = now;
    return m->seconds;
}

static enum status save(struct model *m) {
    size_t n = trainer_state_size(m->trainer);
    if (!m->state && !(m->state = mem_array(n, sizeof *m->state))) return fail(ERR_NOMEM, "lds: out of memory");
    trainer_state_get(m->trainer, m->state);
    TRY(store_subset_heartbeat(m->s, m->row->id, m->r->owner, trainer_steps_done(m->trainer), m->loss,
                               seconds_so_far(m), m->state, n * sizeof *m->state));
    m->saved = m->beaten = clock_s();
    return OK;
}

static enum status write_once(struct model *m) {
    double now = clock_s();
    if (now - m->saved >= m->r->save_every_s) return save(m);
    m->beaten = now;
    return store_subset_heartbeat(m->s, m->row->id, m->r->owner, 0, 0, 0, NULL, 0);
}

/* A network of hours does not end because another process held the file for more than the minute
 * that a write waits. */
static enum status beat(struct model *m) {
    double now = clock_s();
    enum status st = OK;
    if (now - m->saved < m->r->save_every_s && now - m->beaten < HEARTBEAT_S) return OK;
    for (int tries = 0; tries < TRIES; tries++) {
        st = write_once(m);
        if (st != ERR_DB || (m->r->cancel && atomic_load(m->r->cancel))) return st;
    }
    return st;
}

static enum status train(struct model *m) {
    struct trainer_images data = { m->images, m->size, m->r->project->patch };
    while (trainer_steps_done(m->trainer) < m->options.steps) {
        double loss;
        enum status st = stop_asked(m->r);
        if (st == OK) st = trainer_step(m->trainer, &data, &loss);
        if (st == ERR_CANCELLED) {
            TRY(save(m));
            return fail(ERR_CANCELLED, "stopped at step %zu of subset %zu; the same command continues there",
                        trainer_steps_done(m->trainer), m->row->index);
        }
        TRY(st);
        m->loss = isnan(m->loss) ? loss : .98 * m->loss + .02 * loss;
        m->r->advance(m->r->ctx, 1, m->row->index, m->row->seed, m->loss);
        TRY(beat(m));
    }
    seconds_so_far(m);
    return OK;
}

/* --- evaluation --- */

size_t evaluation_timestep(size_t timesteps, size_t i, size_t T) { return (2 * i + 1) * T / (2 * timesteps); }

struct evaluator {
    const struct schedule *schedule;
    struct unet_work *work;
    const struct unet_weights *weights;
    float *x_t, *noise, *eps, time[EVAL_BATCH];
    size_t D;
};

/* out[OUTPUT_PARTS]: mean L_simple over the timesteps in even and in odd places. */
static enum status evaluate_query(struct evaluator *v, const struct evaluation *e, const struct queries *q, size_t i,
                                  float *out) {
    double sum[OUTPUT_PARTS] = { 0 };
    size_t D = v->D, K = e->timesteps, item = q->first + i;
    for (size_t k = 0; k < K; k += EVAL_BATCH) {
        size_t B = K - k < EVAL_BATCH ? K - k : EVAL_BATCH;
        for (size_t b = 0; b < B; b++) {
            size_t t = evaluation_timestep(K, k + b, schedule_steps(v->schedule));
            v->time[b] = (float)t;
            rng_normal(v->noise + b * D, D, e->noise_seed, RNG_NOISE, (uint32_t)q->split << 29 | (uint32_t)item, (uint32_t)t);
            schedule_noised(v->schedule, v->x_t + b * D, q->x + i * D, v->noise + b * D, D, t);
        }
        if (!unet_forward(v->work, v->weights, v->eps, v->x_t, v->time, B))
            return fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
        for (size_t b = 0; b < B; b++)
            sum[(k + b) % OUTPUT_PARTS] += loss_value(LOSS_SIMPLE, v->eps + b * D, v->noise + b * D, D, 1);
    }
    for (size_t part = 0; part < OUTPUT_PARTS; part++) {
        /* A single timestep has no odd place: both parts are its loss. */
        size_t count = (K + 1 - part) / 2, from = count ? part : 0;
        out[part] = (float)(sum[from] / (double)(count ? count : 1));
    }
    return OK;
}

static double eval_units(const struct retrainer *r) {
    /* A training step costs about three forward passes per image. */
    return (double)r->evaluation->timesteps / (3 * (double)r->training->options.batch);
}

double retrainer_units(const struct retrainer *r, size_t steps) {
    return (double)steps + eval_units(r) * (double)r->evaluation->total;
}

/* Every query of every split, into values[split] ([count][OUTPUT_PARTS]). */
static enum status evaluate(const struct retrainer *r, struct store *s, const struct subset_model *row,
                            const struct unet_weights *weights, float *const values[SPLIT_COUNT], double loss, int held) {
    const struct evaluation *e = r->evaluation;
    struct evaluator v = { .schedule = r->training->schedule, .weights = weights, .D = r->D };
    enum status st = OK;
    double beaten = clock_s();
    v.x_t = mem_array(3 * EVAL_BATCH * r->D, sizeof *v.x_t);
    if (!v.x_t) return fail(ERR_NOMEM, "lds: out of memory");
    v.noise = v.x_t + EVAL_BATCH * r->D;
    v.eps = v.noise + EVAL_BATCH * r->D;
    TRY_TO(unet_work_new(&v.work, r->u, EVAL_BATCH, 0, r->cancel));
    for (size_t k = 0; k < e->n_splits; k++)
        for (size_t i = 0; i < e->queries[k].count; i++) {
            TRY_TO(stop_asked(r));
            TRY_TO(evaluate_query(&v, e, &e->queries[k], i, values[k] + i * OUTPUT_PARTS));
            r->advance(r->ctx, eval_units(r), row->index, row->seed, loss);
            if (!held || clock_s() - beaten < HEARTBEAT_S) continue;
            beaten = clock_s();
            st = store_subset_heartbeat(s, row->id, r->owner, 0, 0, 0, NULL, 0);
            if (st == ERR_DB) st = OK;      /* locked: what counts is written at the end */
            if (st != OK) goto done;
        }
done:
    unet_work_free(v.work);
    mem_free(v.x_t);
    return st;
}

static enum status values_new(const struct evaluation *e, float *values[SPLIT_COUNT]) {
    for (size_t k = 0; k < e->n_splits; k++) {
        values[k] = mem_array(e->queries[k].count * OUTPUT_PARTS, sizeof *values[k]);
        if (!values[k]) return fail(ERR_NOMEM, "lds: out of memory for %zu queries", e->total);
        for (size_t i = 0; i < e->queries[k].count * OUTPUT_PARTS; i++) values[k][i] = NAN;
    }
    return OK;
}

static int all_finite(const struct evaluation *e, float *const values[SPLIT_COUNT]) {
    for (size_t k = 0; k < e->n_splits; k++)
        for (size_t i = 0; i < e->queries[k].count * OUTPUT_PARTS; i++)
            if (!isfinite(values[k][i])) return 0;
    return 1;
}

static void make_outputs(const struct evaluation *e, float *const values[SPLIT_COUNT], struct subset_output *out) {
    for (size_t k = 0; k < e->n_splits; k++)
        out[k] = (struct subset_output){ e->protocol, e->queries[k].split, e->queries[k].count, values[k] };
}

/* Weights as stored are what is evaluated, here and later. */
enum status retrained_weights(struct unet_weights **out, const struct unet *u, const void *bytes, size_t len) {
    float *theta = mem_array(unet_size(u), sizeof *theta);
    *out = NULL;
    if (!theta) return fail(ERR_NOMEM, "retrained weights: out of memory");
    enum status st = network_weights_read(theta, u, bytes, len, "retrained weights");
    if (st == OK) st = unet_weights_new(out, u, 0);
    if (st == OK) unet_weights_pack(*out, theta);
    mem_free(theta);
    return st;
}

/* --- a model --- */

/* Outputs into values; ERR_NUMERIC when the training or what came of it is not finite. */
static enum status train_and_evaluate(struct model *m, struct buf *bytes, float *const values[SPLIT_COUNT]) {
    struct unet_weights *weights = NULL;
    TRY(train(m));
    TRY(network_weights_write(bytes, m->r->u, trainer_weights(m->trainer), m->r->training->half_weights));
    TRY(buf_status(bytes));
    enum status st = retrained_weights(&weights, m->r->u, bytes->data, bytes->len);
    if (st == OK) st = evaluate(m->r, m->s, m->row, weights, values, m->loss, 1);
    unet_weights_free(weights);
    if (st == OK && !all_finite(m->r->evaluation, values))
        st = fail(ERR_NUMERIC, "lds: a loss of subset %zu is not finite", m->row->index);
    if (st == ERR_CANCELLED) {
        TRY(save(m));
        return fail(ERR_CANCELLED, "stopped after the training of subset %zu; the same command continues there", m->row->index);
    }
    return st;
}

static enum status finish(struct model *m, enum subset_state state, const struct buf *bytes,
                          float *const values[SPLIT_COUNT]) {
    struct subset_output out[SPLIT_COUNT];
    struct subset_result result = { .state = state, .train_loss = m->loss, .seconds = m->seconds,
                                    .steps = trainer_steps_done(m->trainer), .output = out,
                                    .outputs = m->r->evaluation->n_splits, .host = m->r->host };
    make_outputs(m->r->evaluation, values, out);
    if (m->r->keep_weights && state == SUBSET_DONE) {
        result.weights = bytes->data;
        result.weights_len = bytes->len;
    }
    return store_subset_finish(m->s, m->row->id, m->r->owner, &result);
}

static enum status run(struct model *m, const unsigned char *members, struct buf *bytes, float *values[SPLIT_COUNT]) {
    const struct retrainer *r = m->r;
    TRY(values_new(r->evaluation, values));
    TRY(gather(m, members));
    TRY(trainer_new(&m->trainer, r->u, &m->options, NULL, r->cancel));
    TRY(resume(m));
    enum status st = train_and_evaluate(m, bytes, values);
    if (st == OK) return finish(m, SUBSET_DONE, bytes, values);
    if (st != ERR_NUMERIC) return st;
    /* Kept and marked, so that it is said and not trained again. */
    for (size_t k = 0; k < r->evaluation->n_splits; k++)
        for (size_t i = 0; i < r->evaluation->queries[k].count * OUTPUT_PARTS; i++) values[k][i] = NAN;
    return finish(m, SUBSET_DIVERGED, bytes, values);
}

enum status retrain_model(const struct retrainer *r, struct store *s, const struct subset_model *row,
                          const unsigned char *members, const struct trainer_options *options) {
    struct model m = { .r = r, .s = s, .row = row, .options = *options, .loss = NAN };
    struct buf bytes = BUF_INIT;
    float *values[SPLIT_COUNT] = { NULL };
    m.since = m.saved = m.beaten = clock_s();
    enum status st = run(&m, members, &bytes, values);
    if (st != OK) {
        /* The reason must survive. */
        char why[512];
        snprintf(why, sizeof why, "%s", fail_reason());
        store_subset_release(s, row->id, r->owner);
        fail(st, "%s", why);
    }
    trainer_free(m.trainer);
    mem_free(m.images);
    mem_free(m.state);
    buf_free(&bytes);
    for (size_t k = 0; k < SPLIT_COUNT; k++) mem_free(values[k]);
    return st;
}

enum status reevaluate_model(const struct retrainer *r, struct store *s, const struct subset_model *row) {
    void *bytes = NULL;
    size_t len;
    float *values[SPLIT_COUNT] = { NULL };
    struct subset_output out[SPLIT_COUNT];
    struct unet_weights *weights = NULL;
    enum status st;
    TRY_TO(store_subset_weights(s, row->id, &bytes, &len));
    TRY_TO(retrained_weights(&weights, r->u, bytes, len));
    TRY_TO(values_new(r->evaluation, values));
    TRY_TO(evaluate(r, s, row, weights, values, row->train_loss, 0));
    make_outputs(r->evaluation, values, out);
    TRY_TO(store_subset_outputs_add(s, row->id, out, r->evaluation->n_splits));
done:
    unet_weights_free(weights);
    mem_free(bytes);
    for (size_t k = 0; k < SPLIT_COUNT; k++) mem_free(values[k]);
    return st;
}

/* --- cost --- */

struct timing { const struct retrainer *r; double *seconds; enum status *st; };

/* The faster of two training steps, after one to warm up. */
static void time_step(void *ctx, size_t piece, size_t thread) {
    struct timing *t = ctx;
    struct trainer *trainer;
    struct trainer_images data = { t->r->images, t->r->n, t->r->project->patch };
    (void)thread;
    t->seconds[piece] = INFINITY;
    t->st[piece] = trainer_new(&trainer, t->r->u, &t->r->training->options, NULL, t->r->cancel);
    if (t->st[piece] != OK) return;
    for (int i = 0; i < 3 && t->st[piece] == OK; i++) {
        double loss, start = clock_s();
        t->st[piece] = trainer_step(trainer, &data, &loss);
        if (i) t->seconds[piece] = fmin(t->seconds[piece], clock_s() - start);
    }
    trainer_free(trainer);
}

enum status retraining_time_step(double *seconds, struct pool *pool, size_t at_once, const struct retrainer *r) {
    struct timing t = { r, mem_array(at_once, sizeof(double)), mem_array(at_once, sizeof(enum status)) };
    enum status st = t.seconds && t.st ? OK : fail(ERR_NOMEM, "out of memory");
    *seconds = 0;
    if (st == OK) pool_run(pool, at_once, time_step, &t);
    for (size_t i = 0; i < at_once && st == OK; i++) {
        /* The reason stays with the thread that had it. */
        if (t.st[i] == ERR_CANCELLED) st = fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
        else if (t.st[i] != OK && t.st[i] != ERR_NUMERIC) st = fail(t.st[i], "a training step could not be timed");
        if (isfinite(t.seconds[i])) *seconds = fmax(*seconds, t.seconds[i]);
    }
    mem_free(t.seconds);
    mem_free(t.st);
    return st;
}

enum status retraining_memory(double *bytes, const struct unet *u, const struct retraining *t) {
    size_t chunks = (t->options.batch + TRAINER_CHUNK - 1) / TRAINER_CHUNK, step, pass;
    if (chunks > TRAINER_LANES) chunks = TRAINER_LANES;
    TRY(footprint_work(u, TRAINER_CHUNK, 1, &step));
    TRY(footprint_work(u, EVAL_BATCH, 0, &pass));
    /* Weights, moments, average and a copy of them to save, one gradient per chunk; packed for training, then as read
     * back and packed for the evaluation. */
    size_t states = (t->options.ema > 0 ? 4u : 3u) * 2 + chunks + 3;
    *bytes = (double)unet_size(u) * sizeof(float) * (double)states + (double)(step > pass ? step : pass);
    return OK;
}
