/* train.c - the verb `train`: a DDPM on the training items, resumable.
 *
 * The row train_state holds the options as JSON and the trainer's numbers; it
 * is replaced in one transaction at least every save_every_s seconds, together
 * with a checkpoint where one is due.  When training is finished the row stays,
 * with no numbers, to say what was trained. */
#include "dtrak/pipeline.h"
#include "footprint.h"

#include "dtrak/cost.h"
#include "dtrak/hash.h"
#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/pool.h"
#include "dtrak/store.h"
#include "dtrak/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TRIES = 10 };   /* of a save */

struct run {
    struct store *s;
    const struct train_options *o;
    const struct progress *progress;
    struct project project;
    struct unet_config config;
    struct trainer_options t;
    size_t N;
    struct buf network;        /* config.json */
    struct buf identity;       /* what a resume must agree with */
    struct unet *u;
    struct pool *pool;
    struct trainer *trainer;
    float *images;
    double loss;               /* running mean */
    size_t stored;             /* the step that the database has of this run */
    int is_stored;             /* it has one */
    int is_patch_new;          /* to be kept with the project once training begins */
    size_t threads_asked, bytes;
};

/* The most groups of at least four channels (where there are four) that divide
 * every level. */
static size_t pick_groups(const struct unet_config *c) {
    for (size_t g = 8; g > 1; g /= 2) {
        int fits = 1;
        for (size_t i = 0; i < c->levels; i++) fits &= c->width[i] % g == 0 && c->width[i] / g >= 2;
        if (fits) return g;
    }
    return 1;
}

static size_t pick_head_dim(const struct unet_config *c) {
    for (size_t d = 32; d >= 8; d /= 2) {
        int fits = 1;
        for (size_t i = 0; i < c->levels; i++) fits &= c->width[i] % d == 0;
        if (fits) return d;
    }
    return 0;
}

static enum status read_project(struct run *r) {
    size_t checkpoints = 0;
    TRY(store_project_get(r->s, &r->project));
    struct checkpoint_list l;
    TRY(store_checkpoints_list(r->s, &l));
    checkpoints = l.count;
    checkpoint_list_free(&l);
    if (r->o->patch && r->o->patch != r->project.patch) {
        if (checkpoints)
            return fail(ERR_RANGE, "train: --patch %zu, but this database's networks were trained with patch %zu",
                        r->o->patch, r->project.patch);
        r->project.patch = r->o->patch;
        r->is_patch_new = 1;
    }
    size_t k = r->project.patch;
    if (k < 1 || k > 2 || r->project.height % k || r->project.width % k)
        return fail(ERR_RANGE, "train: images of %zux%zu cannot be cut into patches of %zu; images of even size "
                    "can", r->project.width, r->project.height, k);
    return OK;
}

static enum status read_options(struct run *r) {
    const struct train_options *o = r->o;
    struct unet_config *c = &r->config;
    size_t k = r->project.patch;
    *c = unet_config_default();
    c->in_channels = c->out_channels = r->project.channels * k * k;
    c->sample_height = r->project.height / k;
    c->sample_width = r->project.width / k;
    c->levels = o->levels;
    memcpy(c->width, o->width, sizeof o->width);
    c->layers = o->layers;
    c->mid_attention = !(o->attention >> 31);
    c->groups = c->mid_groups = pick_groups(c);
    c->head_dim = pick_head_dim(c);
    for (size_t i = 0; i < o->levels; i++)
        if (o->attention >> i & 1) {
            c->down_attention |= 1u << i;
            c->up_attention |= 1u << (o->levels - 1 - i);
        }
    TRY(store_items_count(r->s, SPLIT_TRAIN, &r->N));
    if (!r->N) return fail(ERR_MISSING, "train: there are no training items; `dtrak new` makes a database that has some");
    size_t steps = o->steps;
    if (!steps) steps = (size_t)ceil(o->epochs * (double)r->N / (double)o->batch);
    r->t = (struct trainer_options){ o->batch, steps ? steps : 1, o->lr, o->weight_decay, o->clip,
                                     o->warmup_fraction, o->ema, o->flip, o->seed, NULL };
    return unet_new(&r->u, c);
}

static enum status write_identity(struct run *r) {
    const struct trainer_options *t = &r->t;
    network_config_write(&r->network, &r->config);
    buf_printf(&r->identity, "{\"batch\": %zu, \"steps\": %zu, \"lr\": %.17g, \"weight_decay\": %.17g, \"clip\": %.17g, "
               "\"warmup\": %.17g, \"ema\": %.17g, \"flip\": %s, \"seed\": %llu, \"patch\": %zu, \"half_weights\": %s, "
               "\"checkpoints\": [", t->batch, t->steps, t->lr, t->weight_decay, t->clip, t->warmup_fraction, t->ema,
               t->flip ? "true" : "false", (unsigned long long)t->seed, r->project.patch, r->o->half_weights ? "true" : "false");
    for (size_t i = 0; i < r->o->n_checkpoints; i++)
        buf_printf(&r->identity, "%s%.17g", i ? ", " : "", r->o->checkpoints[i]);
    buf_printf(&r->identity, "], \"network\": %s}", r->network.data ? r->network.data : "");
    TRY(buf_status(&r->network));
    return buf_status(&r->identity);
}

/* The first field in which two options differ, "name: a"; they are written by
 * write_identity(), one after the other in the same order. */
static void first_difference(char out[80], const char *a, const char *b) {
    size_t i = 0, start = 0;
    while (a[i] && a[i] == b[i]) {
        if (a[i] == '"' && (a[i + 1] >= 'a' && a[i + 1] <= 'z') && strchr(a + i + 1, ':')) start = i;
        i++;
    }
    snprintf(out, 80, "%.*s", (int)strcspn(a + start, ",}\n") < 70 ? (int)strcspn(a + start, ",}\n") : 70, a + start);
}

/* OK and *done set when all is trained; else the trainer stands where it stopped. */
static enum status resume(struct run *r, int *done) {
    struct train_state state = { 0 };
    *done = 0;
    enum status st = store_train_state_get(r->s, &state);
    if (st == ERR_MISSING) {
        struct checkpoint_list l;
        TRY(store_checkpoints_list(r->s, &l));
        size_t n = l.count;
        checkpoint_list_free(&l);
        return n ? fail(ERR_RANGE, "train: this database has %zu checkpoints that were not trained here; make "
                        "another one with `dtrak new`", n) : OK;
    }
    if (st != OK) return st;
    if (strcmp(state.config, r->identity.data)) {
        char now[80], then[80];
        first_difference(now, r->identity.data, state.config);
        first_difference(then, state.config, r->identity.data);
        st = fail(ERR_RANGE, "train: a run with other options stands at step %zu here (%s, now %s); give the same "
                  "options to continue it, or make another database", state.step, then, now);
    } else if (!state.len) {
        *done = 1;
        r->stored = state.step;
        r->is_stored = 1;
    } else {
        size_t len = trainer_state_size(r->trainer) * sizeof(float);
        int has_loss = state.len == len + sizeof r->loss;      /* states of older versions have none */
        if (state.len != len && !has_loss)
            st = fail(ERR_FORMAT, "train: the saved state holds %zu bytes, this network needs %zu", state.len, len + sizeof r->loss);
        if (st == OK) trainer_state_set(r->trainer, state.bytes, state.step);
        r->stored = state.step;
        r->is_stored = 1;
        if (st == OK && has_loss) memcpy(&r->loss, (const char *)state.bytes + len, sizeof r->loss);
    }
    train_state_free(&state);
    return st;
}

static enum status load_images(struct run *r) {
    size_t D = items_floats(&r->project);
    r->images = mem_array(r->N * D, sizeof *r->images);
    if (!r->images) return fail(ERR_NOMEM, "train: out of memory for %zu images", r->N);
    return items_load(r->s, &r->project, SPLIT_TRAIN, 0, r->N, r->images);
}

/* --- saving --- */

/* The percent of the checkpoint that is due after `step` steps; 0: none. */
static double checkpoint_due(const struct run *r, size_t step) {
    for (size_t i = 0; i < r->o->n_checkpoints; i++)
        if ((size_t)llround(r->o->checkpoints[i] * (double)r->t.steps) == step) return 100 * r->o->checkpoints[i];
    return 0;
}

/* The same weights are there already: an earlier run saved them and was then set back. */
static enum status is_there(struct run *r, const struct checkpoint *c, const struct buf *weights, int *there) {
    struct checkpoint_list l;
    char hex[65];
    *there = 0;
    sha256_hex(hex, weights->data, weights->len);
    TRY(store_checkpoints_list(r->s, &l));
    for (size_t i = 0; i < l.count && !*there; i++)
        *there = l.checkpoint[i].step == c->step && l.checkpoint[i].ema == c->ema && !strcmp(l.checkpoint[i].sha256, hex);
    checkpoint_list_free(&l);
    return OK;
}

static enum status add_checkpoint(struct run *r, double percent) {
    struct buf weights = BUF_INIT;
    size_t step = trainer_steps_done(r->trainer);
    struct checkpoint c = { .step = step, .percent = percent, .train_loss = r->loss, .ema = r->t.ema > 0,
                            .epoch = (double)step * (double)r->t.batch / (double)r->N,
                            .half_weights = r->o->half_weights, .config = r->network.data };
    int64_t id;
    int there = 0;
    enum status st = network_weights_write(&weights, r->u, trainer_weights(r->trainer), r->o->half_weights);
    if (st == OK) st = buf_status(&weights);
    if (st == OK) st = is_there(r, &c, &weights, &there);
    if (st == OK && !there) st = store_checkpoint_add(r->s, &c, weights.data, weights.len, &id);
    buf_free(&weights);
    return st;
}

/* Two processes that train one database would take each other's steps back. */
static enum status check_alone(struct run *r) {
    size_t step = 0;
    enum status st = store_train_state_step(r->s, &step);
    if (st == ERR_MISSING && !r->is_stored) return OK;
    if (st != OK && st != ERR_MISSING) return st;
    if (st == OK && r->is_stored && step == r->stored) return OK;
    return fail(ERR_RANGE, "train: another process trains this database, which stands at step %zu now; this run saves nothing more: "
                "wait for the other, or stop it and give the command again", step);
}

static enum status save(struct run *r) {
    size_t step = trainer_steps_done(r->trainer), n = trainer_state_size(r->trainer);
    double percent = checkpoint_due(r, step);
    size_t len = n * sizeof(float) + sizeof r->loss;
    float *state = mem_array(len, 1);
    if (!state) return fail(ERR_NOMEM, "train: out of memory");
    trainer_state_get(r->trainer, state);
    memcpy(state + n, &r->loss, sizeof r->loss);
    enum status st = store_begin(r->s);
    if (st == OK) {
        st = check_alone(r);
        if (st == OK && percent > 0) st = add_checkpoint(r, percent);
        int over = step == r->t.steps;
        if (st == OK)
            st = store_train_state_put(r->s, r->identity.data, step, state, over ? 0 : len);
        if (st == OK) st = store_commit(r->s);
        if (st != OK) store_rollback(r->s);
    }
    if (st == OK) {
        r->stored = step;
        r->is_stored = 1;
    }
    mem_free(state);
    return st;
}

/* Hours of training do not end because another process held the file for more than the minute
 * that a write waits. */
static enum status save_at_last(struct run *r) {
    enum status st = save(r);
    for (int tries = 1; st == ERR_DB && tries < TRIES && !progress_cancelled(r->progress); tries++) st = save(r);
    return st;
}

static enum status steps(struct run *r) {
    struct trainer_images data = { r->images, r->N, r->project.patch };
    double saved = clock_s();
    size_t done = trainer_steps_done(r->trainer), kept = done;
    progress_report(r->progress, (double)done, (double)r->t.steps, "train", "");
    while (done < r->t.steps) {
        double loss;
        char note[48];
        enum status st = trainer_step(r->trainer, &data, &loss);
        if (st == ERR_CANCELLED) {
            if (done > kept) TRY(save(r));
            return fail(ERR_CANCELLED, "stopped at step %zu of %zu; the same command continues there", done, r->t.steps);
        }
        TRY(st);
        done = trainer_steps_done(r->trainer);
        r->loss = isnan(r->loss) ? loss : .98 * r->loss + .02 * loss;
        snprintf(note, sizeof note, "loss %.4f", r->loss);
        progress_report(r->progress, (double)done, (double)r->t.steps, "train", note);
        if (clock_s() - saved < r->o->save_every_s && checkpoint_due(r, done) <= 0 && done < r->t.steps) continue;
        TRY(save_at_last(r));
        kept = done;
        saved = clock_s();
    }
    return OK;
}

/* --- what it costs --- */

/* As many threads as the memory allows; results do not depend on it. */
static enum status make_pool(struct run *r) {
    size_t p = unet_size(r->u), D = items_floats(&r->project), each;
    size_t chunks = (r->t.batch + TRAINER_CHUNK - 1) / TRAINER_CHUNK;
    if (chunks > TRAINER_LANES) chunks = TRAINER_LANES;
    /* Weights, moments, average, a copy of them to save; gradients of each chunk; packed
     * weights; the batch; all images. */
    size_t fixed = sizeof(float) * (p * (2 * (r->t.ema > 0 ? 4u : 3u) + chunks + 3) + 4 * r->t.batch * D + r->N * D);
    TRY(footprint_work(r->u, TRAINER_CHUNK, 1, &each));
    TRY(pool_new(&r->pool, r->o->threads));
    size_t threads = r->threads_asked = pool_threads(r->pool);
    TRY(footprint_threads("train", r->o->memory, fixed, each, " or lower --batch", &threads));
    r->bytes = fixed + threads * each;
    if (threads == r->threads_asked) return OK;
    pool_free(r->pool);
    r->pool = NULL;
    return pool_new(&r->pool, threads);
}

struct trial { struct run *r; enum status st; };
static int try_step(void *ctx) {
    struct trial *t = ctx;
    struct trainer_images data = { t->r->images, t->r->N, t->r->project.patch };
    double loss;
    t->st = trainer_step(t->r->trainer, &data, &loss);
    return t->st == OK;
}

/* Times some steps and takes them back. */
static enum status measure_step(struct run *r, size_t left, double *seconds) {
    size_t n = trainer_state_size(r->trainer), done = trainer_steps_done(r->trainer);
    float *state = mem_array(n, sizeof *state);
    struct trial trial = { r, OK };
    if (!state) return fail(ERR_NOMEM, "train: out of memory");
    trainer_state_get(r->trainer, state);
    enum status st = footprint_time(try_step, &trial, (double)left, seconds);
    trainer_state_set(r->trainer, state, done);
    mem_free(state);
    /* A loss that is not finite is for training to report, where it happens. */
    if (st == ERR_CANCELLED && trial.st == ERR_NUMERIC) {
        *seconds = (double)NAN;
        return OK;
    }
    return st;
}

static enum status say_cost(struct run *r, int *stop) {
    struct cost c = { .flop = 0 };
    double forward, backward, each = 0;
    size_t done = trainer_steps_done(r->trainer), left = r->t.steps - done, p = unet_size(r->u), due = 0;
    *stop = 0;
    if (!r->o->cost) return OK;
    if (left) {
        TRY(measure_step(r, left, &each));
        unet_cost(r->u, &forward, &backward);
        for (size_t i = 0; i < r->o->n_checkpoints; i++)
            due += (size_t)llround(r->o->checkpoints[i] * (double)r->t.steps) > done;
        c.flop = 2 * (forward + backward) * (double)(r->t.batch * left);
        c.seconds = each * (double)left;
        c.bytes_disk = (double)due * (double)p * (r->o->half_weights ? 2 : 4);
        if (!done) c.bytes_disk += (double)(trainer_state_size(r->trainer) * sizeof(float));
        c.bytes_memory = (double)r->bytes;
    }
    footprint_note(c.note, sizeof c.note, pool_threads(r->pool), r->threads_asked);
    *stop = cost_announce(r->o->cost, "train", &c);
    return OK;
}

static enum status run(struct run *r) {
    int done, stop = 0;
    TRY(read_project(r));
    TRY(read_options(r));
    TRY(write_identity(r));
    linalg_set_threads(1);
    TRY(make_pool(r));
    TRY(trainer_new(&r->trainer, r->u, &r->t, r->pool, r->progress ? r->progress->cancel : NULL));
    TRY(resume(r, &done));
    if (done) {
        struct cost nothing = { .flop = 0 };
        if (cost_announce(r->o->cost, "train", &nothing)) return OK;
        progress_report(r->progress, (double)r->t.steps, (double)r->t.steps, "train", "already done");
        return OK;
    }
    TRY(load_images(r));
    TRY(say_cost(r, &stop));
    if (stop) return OK;
    if (r->is_patch_new) TRY(store_project_set(r->s, &r->project));
    return steps(r);
}

enum status pipeline_train(struct store *s, const struct train_options *o, const struct progress *p) {
    struct run r = { .s = s, .o = o, .progress = p, .loss = NAN };
    store_wait_longer(s);
    enum status st = run(&r);
    trainer_free(r.trainer);
    unet_free(r.u);
    pool_free(r.pool);
    buf_free(&r.network);
    buf_free(&r.identity);
    mem_free(r.images);
    return st;
}
