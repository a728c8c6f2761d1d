/* lds.c - the verb `lds`: subsets are drawn, networks retrained, queries evaluated.
 *
 * One thread per model in hand, each with its own connection; which model a
 * thread takes is settled by a lease in the database, so several processes can
 * work on one file.  A model's outputs are one transaction. */
#include "lds_options.h"
#include "lds_parts.h"
#include "lds_protocol.h"

#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/subset.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* evaluate: weights are there, outputs are not.  kept: steps done in an earlier call. */
struct task { size_t index, seed, kept; int64_t id; int evaluate; };

struct run {
    struct store *s;
    const struct lds_options *o;
    const struct progress *progress;
    struct project project;
    struct retraining training;
    struct evaluation evaluation;
    struct retrainer retrainer;
    struct unet *u;
    int64_t protocol;
    struct buf train_text, eval_text;
    size_t n, size, steps;
    int *labels;
    float *images;
    struct task *tasks;
    size_t n_tasks;
    struct lds_summary counts;
    struct owner me;
    struct pool *pool;
    /* shared by the threads */
    pthread_mutex_t lock;
    struct store **stores;           /* one per thread, opened by it */
    unsigned char *members;          /* [threads][n] */
    double done, total;
    double step_seconds;             /* of a training step, when timed */
    enum status first_error;
    char reason[512];
    atomic_int failed;
};

/* --- what is asked for --- */

static enum status check_options(const struct lds_options *o) {
    if (!o->subsets || o->subsets > 1000000) return fail(ERR_RANGE, "lds: %zu subsets, expected 1 to 1000000", o->subsets);
    if (!o->seeds || o->seeds > 1000) return fail(ERR_RANGE, "lds: %zu seeds, expected 1 to 1000", o->seeds);
    if (o->second_seed > o->subsets)
        return fail(ERR_RANGE, "lds: a second seed for %zu of %zu subsets", o->second_seed, o->subsets);
    for (size_t i = 0; i < o->n_only; i++)
        if (o->only[i].last >= o->subsets)
            return fail(ERR_RANGE, "lds: --only names subset %zu, but the last of %zu is %zu", o->only[i].last, o->subsets, o->subsets - 1);
    return OK;
}

static int is_wanted(const struct lds_options *o, size_t index) {
    for (size_t i = 0; i < o->n_only; i++)
        if (index >= o->only[i].first && index <= o->only[i].last) return 1;
    return !o->n_only;
}

static enum status read_labels(struct run *r) {
    TRY(store_items_count(r->s, SPLIT_TRAIN, &r->n));
    if (!r->n) return fail(ERR_MISSING, "lds: there are no training items; `dtrak new` makes a database that has some");
    r->labels = mem_array(r->n, sizeof *r->labels);
    if (!r->labels) return fail(ERR_NOMEM, "lds: out of memory for %zu labels", r->n);
    for (size_t at = 0; at < r->n;) {
        struct item_list l;
        TRY(store_items_read(r->s, SPLIT_TRAIN, at, 1000, &l));
        for (size_t i = 0; i < l.count && at + i < r->n; i++) r->labels[at + i] = l.item[i].label;
        at += l.count;
        int end = !l.count;
        item_list_free(&l);
        if (end) return fail(ERR_FORMAT, "lds: the training items end at %zu of %zu", at, r->n);
    }
    return OK;
}

static enum status add_queries(struct run *r, enum split split) {
    const struct lds_options *o = r->o;
    struct evaluation *e = &r->evaluation;
    int any = o->queries[SPLIT_VAL].given || o->queries[SPLIT_GEN].given;
    if (any && !o->queries[split].given) return OK;
    struct queries *q = &e->queries[e->n_splits];
    size_t there;
    TRY(store_items_count(r->s, split, &there));
    *q = (struct queries){ .split = split, .first = any ? o->queries[split].first : 0,
                           .count = any ? o->queries[split].count : there };
    if (any && !q->count && q->first < there) q->count = there - q->first;
    if (any) TRY(item_ref_check((struct item_ref){ split, q->first + (q->count ? q->count - 1 : 0) }, there));
    if (!q->count) return OK;
    TRY(items_digest(r->s, split, q->first, q->count, q->sha256));
    e->n_splits++;
    e->total += q->count;
    return OK;
}

static enum status prepare(struct run *r) {
    char items[65];
    const struct lds_options *o = r->o;
    TRY(check_options(o));
    TRY(store_project_get(r->s, &r->project));
    TRY(retraining_read(&r->training, r->s, o));
    if (o->timesteps < 1 || o->timesteps > schedule_steps(r->training.schedule))
        return fail(ERR_RANGE, "lds: the loss at %zu timesteps, expected 1 to %zu", o->timesteps, schedule_steps(r->training.schedule));
    TRY(read_labels(r));
    r->size = subset_size(r->n, o->alpha);
    r->steps = retraining_steps(&r->training, o, r->n, r->size);
    r->evaluation.timesteps = o->timesteps;
    r->evaluation.noise_seed = o->noise_seed;
    TRY(add_queries(r, SPLIT_VAL));
    TRY(add_queries(r, SPLIT_GEN));
    if (!r->evaluation.total) return fail(ERR_MISSING, "lds: there are no val or gen items to be explained; `dtrak sample` makes gen items");
    TRY(items_digest(r->s, SPLIT_TRAIN, 0, r->n, items));
    TRY(protocol_train_text(&r->train_text, &r->training, o, &r->project, r->n, items));
    TRY(protocol_eval_text(&r->eval_text, &r->evaluation));
    TRY(unet_new(&r->u, &r->training.config));
    struct stored_network network = { .u = r->u };
    return stored_network_fits(&network, &r->project);
}

/* --- what is missing --- */

static const struct subset_model *find(const struct subset_model_list *l, size_t index, size_t seed) {
    for (size_t i = 0; i < l->count; i++)
        if (l->model[i].index == index && l->model[i].seed == seed) return &l->model[i];
    return NULL;
}

static enum status has_outputs(struct run *r, const struct subset_model *m, int *has) {
    *has = 1;
    for (size_t k = 0; k < r->evaluation.n_splits && *has; k++) {
        size_t rows;
        TRY(store_subset_output_rows(r->s, m->id, r->evaluation.protocol, r->evaluation.queries[k].split, &rows));
        *has = rows == r->evaluation.queries[k].count;
    }
    return OK;
}

/* The eval protocol that a network has outputs of, the newest of several. */
static enum status evaluation_of(struct run *r, const struct protocol_list *l, int64_t model, const struct protocol **eval) {
    for (size_t i = 0; i < l->count; i++)
        for (int k = 0; k < SPLIT_COUNT && l->protocol[i].kind == PROTOCOL_EVAL; k++) {
            size_t rows;
            TRY(store_subset_output_rows(r->s, model, l->protocol[i].id, (enum split)k, &rows));
            if (rows) *eval = &l->protocol[i];
        }
    return OK;
}

/* A retrained network whose weights are gone cannot be evaluated again: as what it was, as far as that can be said. */
static enum status evaluated_otherwise(struct run *r, const struct subset_model *m) {
    char command[LDS_COMMAND] = "", difference[160] = "";
    struct protocol_list l;
    const struct protocol *eval = NULL;
    TRY(store_protocols_list(r->s, &l));
    enum status st = evaluation_of(r, &l, m->id, &eval);
    if (st == OK && eval) st = lds_options_command(command, difference, r->s, r->o, r->train_text.data, eval->text);
    protocol_list_free(&l);
    TRY(st);
    if (command[0])
        return fail(ERR_RANGE, "lds: subset %zu was retrained and evaluated at other queries, timesteps or noises, and its weights were not kept; "
                    "as it was evaluated: %s", m->index, command);
    return fail(ERR_RANGE, "lds: subset %zu was retrained and evaluated otherwise, and its weights were not kept%s%s%s; retrain into another "
                "database", m->index, difference[0] ? "; no option brings it back: " : "", difference, difference[0] ? " (now/then)" : "");
}

static enum status add_task(struct run *r, const struct subset_model_list *l, size_t index, size_t seed) {
    const struct subset_model *m = find(l, index, seed);
    int has = 0;
    r->counts.wanted++;
    if (m && m->state == SUBSET_DIVERGED) {
        r->counts.diverged++;
        return OK;
    }
    if (m && m->state == SUBSET_DONE) TRY(has_outputs(r, m, &has));
    if (has) {
        r->counts.done++;
        return OK;
    }
    if (m && m->state == SUBSET_DONE && !m->weights_kept) return evaluated_otherwise(r, m);
    r->tasks[r->n_tasks++] = (struct task){ index, seed, m && m->state == SUBSET_OPEN ? m->steps : 0, m ? m->id : 0,
                                            m && m->state == SUBSET_DONE };
    return OK;
}

/* First every subset with the seeds they all have, then the second seeds. */
static enum status list_tasks(struct run *r) {
    const struct lds_options *o = r->o;
    struct subset_model_list l = { 0 };
    enum status st = OK;
    r->n_tasks = 0;
    r->counts = (struct lds_summary){ 0 };
    if (!r->tasks) r->tasks = mem_array(o->subsets * (o->seeds + 1), sizeof *r->tasks);
    if (!r->tasks) return fail(ERR_NOMEM, "lds: out of memory for %zu subsets", o->subsets);
    if (r->protocol) TRY(store_subsets_list(r->s, r->protocol, &l));
    for (size_t seed = 0; seed <= o->seeds && st == OK; seed++)
        for (size_t m = 0; m < (seed < o->seeds ? o->subsets : o->second_seed) && st == OK; m++)
            if (is_wanted(o, m)) st = add_task(r, &l, m, seed);
    subset_model_list_free(&l);
    return st;
}

/* --- the threads --- */

static void advance(void *ctx, double units, size_t index, size_t seed, double loss) {
    struct run *r = ctx;
    char note[96];
    pthread_mutex_lock(&r->lock);
    r->done += units;
    int len = snprintf(note, sizeof note, "%zu of %zu models, in hand %zu%s", r->counts.done + r->counts.diverged,
                       r->counts.wanted, index, seed ? " again" : "");
    if (isfinite(loss)) snprintf(note + len, sizeof note - (size_t)len, ", loss %.4f", loss);
    progress_report(r->progress, r->done, r->total, "lds", note);
    pthread_mutex_unlock(&r->lock);
}

static void note_end(struct run *r, enum status st) {
    pthread_mutex_lock(&r->lock);
    if (st == OK) r->counts.done++;
    else if (r->first_error == OK) {
        r->first_error = st;
        snprintf(r->reason, sizeof r->reason, "%s", fail_reason());
        atomic_store(&r->failed, 1);
    }
    pthread_mutex_unlock(&r->lock);
}

static enum status one_model(struct run *r, const struct task *task, struct store *s, unsigned char *members) {
    struct subset_model m;
    struct trainer_options t = r->training.options;
    t.steps = r->steps;
    t.seed += task->seed;
    TRY(subset_draw(members, r->labels, r->n, r->o->alpha, r->o->stratified, r->o->draw_seed, task->index));
    TRY(store_subset_claim(s, r->protocol, task->index, task->seed, members, r->n, r->me.name, &m));
    return retrain_model(&r->retrainer, s, &m, members, &t);
}

static enum status one_evaluation(struct run *r, const struct task *task, struct store *s) {
    struct subset_model m = { .id = task->id, .index = task->index, .seed = task->seed, .train_loss = NAN };
    return reevaluate_model(&r->retrainer, s, &m);
}

static void work(void *ctx, size_t piece, size_t thread) {
    struct run *r = ctx;
    const struct task *task = &r->tasks[piece];
    enum status st = OK;
    if (atomic_load(&r->failed)) return;
    if (r->retrainer.cancel && atomic_load(r->retrainer.cancel)) {
        note_end(r, fail(ERR_CANCELLED, "stopped as asked; what was finished is kept"));
        return;
    }
    if (!r->stores[thread]) st = store_open(&r->stores[thread], r->retrainer.path, STORE_WRITE);
    if (st == OK) store_wait_longer(r->stores[thread]);
    if (st == OK)
        st = task->evaluate ? one_evaluation(r, task, r->stores[thread])
                            : one_model(r, task, r->stores[thread], r->members + thread * r->n);
    if (st == ERR_MISSING) {
        /* Somebody else's, or finished by them since. */
        pthread_mutex_lock(&r->lock);
        r->counts.elsewhere++;
        r->total -= retrainer_units(&r->retrainer, task->evaluate ? 0 : r->steps);
        r->done -= (double)task->kept;
        pthread_mutex_unlock(&r->lock);
        return;
    }
    note_end(r, st);
}

static enum status load_images(struct run *r) {
    r->images = mem_array(r->n, items_floats(&r->project) * sizeof *r->images);
    if (!r->images) return fail(ERR_NOMEM, "lds: out of memory for %zu images", r->n);
    TRY(items_load(r->s, &r->project, SPLIT_TRAIN, 0, r->n, r->images));
    for (size_t k = 0; k < r->evaluation.n_splits; k++) {
        struct queries *q = &r->evaluation.queries[k];
        q->x = mem_array(q->count, items_floats(&r->project) * sizeof *q->x);
        if (!q->x) return fail(ERR_NOMEM, "lds: out of memory for %zu queries", q->count);
        TRY(items_load(r->s, &r->project, q->split, q->first, q->count, q->x));
    }
    return OK;
}

static enum status set_up(struct run *r) {
    const struct lds_options *o = r->o;
    TRY(load_images(r));
    linalg_set_threads(1);
    TRY(pool_new(&r->pool, o->threads));
    size_t threads = pool_threads(r->pool);
    r->stores = mem_array(threads, sizeof(struct store *));
    r->members = mem_array(threads, r->n);
    if (!r->stores || !r->members) return fail(ERR_NOMEM, "lds: out of memory");
    r->retrainer = (struct retrainer){
        .path = store_path(r->s), .training = &r->training, .evaluation = &r->evaluation, .project = &r->project,
        .u = r->u, .images = r->images, .n = r->n, .D = items_floats(&r->project), .owner = r->me.name, .host = r->me.host,
        .keep_weights = o->keep_weights, .save_every_s = o->save_every_s,
        .cancel = r->progress ? r->progress->cancel : NULL, .failed = &r->failed, .advance = advance, .ctx = r };
    return OK;
}

static enum status run_tasks(struct run *r) {
    double model = retrainer_units(&r->retrainer, r->steps);
    r->total = (double)(r->counts.done + r->counts.diverged) * model;
    r->done = r->total;
    for (size_t i = 0; i < r->n_tasks; i++) {
        r->total += r->tasks[i].evaluate ? model - (double)r->steps : model;
        r->done += (double)r->tasks[i].kept;
    }
    progress_report(r->progress, r->done, r->total, "lds", "");
    pool_run(r->pool, r->n_tasks, work, r);
    return r->first_error == OK ? OK : fail(r->first_error, "%s", r->reason);
}

static void release(struct run *r) {
    for (size_t i = 0; r->stores && i < pool_threads(r->pool); i++) store_close(r->stores[i]);
    for (size_t k = 0; k < r->evaluation.n_splits; k++) mem_free(r->evaluation.queries[k].x);
    mem_free(r->stores);
    mem_free(r->members);
    mem_free(r->labels);
    mem_free(r->images);
    mem_free(r->tasks);
    pool_free(r->pool);
    unet_free(r->u);
    retraining_free(&r->training);
    buf_free(&r->train_text);
    buf_free(&r->eval_text);
}

/* --- cost --- */

/* As many steps at a time as there will be: they share caches and memory. */
static enum status cost(struct run *r, struct cost *c) {
    double forward, backward, trained = 0, kept = 0, all = (double)r->n_tasks;
    const struct trainer_options *t = &r->training.options;
    size_t threads = pool_threads(r->pool), at_once = threads < r->n_tasks ? threads : r->n_tasks, p = unet_size(r->u);
    unet_cost(r->u, &forward, &backward);
    for (size_t i = 0; i < r->n_tasks; i++) {
        trained += !r->tasks[i].evaluate;
        kept += (double)r->tasks[i].kept;
    }
    TRY(retraining_time_step(&r->step_seconds, r->pool, at_once, &r->retrainer));
    double steps = trained * (double)r->steps - kept, units = steps + all * retrainer_units(&r->retrainer, 0);
    c->flop = 2 * steps * (double)t->batch * (forward + backward) +
              2 * all * (double)r->evaluation.total * (double)r->evaluation.timesteps * forward;
    c->seconds = at_once ? r->step_seconds * units / (double)at_once : 0;
    c->bytes_disk = all * (double)(r->evaluation.total * OUTPUT_PARTS * sizeof(float) + r->n / 8) +
                    trained * (double)(r->o->keep_weights ? p * (r->training.half_weights ? 2 : 4) : 0) +
                    (double)at_once * (double)(p * sizeof(float) * (t->ema > 0 ? 4 : 3));
    double each;
    TRY(retraining_memory(&each, r->u, &r->training));
    c->bytes_memory = (double)at_once * each +
                      (double)((r->n * 2 + r->evaluation.total) * r->retrainer.D * sizeof(float));
    return OK;
}

/* --- all of it --- */

/* Where nothing is done: what was retrained with other options, lest all of it is begun anew unseen. */
static enum status look_at_others(struct run *r, struct lds_summary *out) {
    struct protocol_list l;
    struct subset_model_list models = { 0 };
    const struct protocol *train = NULL, *eval = NULL;
    TRY(store_protocols_list(r->s, &l));
    enum status st = protocols_fullest(r->s, &l, &train, &eval, NULL);
    if (st == OK && train->id != r->protocol) {
        st = store_subsets_list(r->s, train->id, &models);
        if (st == OK) st = protocol_difference(out->difference, r->train_text.data, train->text);
        if (st == OK) st = lds_options_command(out->go_on, out->why_not, r->s, r->o, train->text, eval->text);
        for (size_t i = 0; i < models.count && st == OK; i++) out->others += models.model[i].state == SUBSET_DONE;
    }
    if (st == ERR_MISSING) st = OK;
    subset_model_list_free(&models);
    protocol_list_free(&l);
    return st;
}

/* Counts again what is there, whoever made it. */
static enum status summarise(struct run *r, struct lds_summary *out) {
    struct subset_model_list l = { 0 };
    TRY(list_tasks(r));
    if (r->protocol) TRY(store_subsets_list(r->s, r->protocol, &l));
    for (size_t i = 0; i < r->n_tasks; i++) {
        const struct subset_model *m = find(&l, r->tasks[i].index, r->tasks[i].seed);
        if (m && m->state == SUBSET_OPEN && m->lease_left_s > 0) r->counts.elsewhere++;
        else r->counts.open++;
    }
    subset_model_list_free(&l);
    *out = r->counts;
    out->parameters = unet_size(r->u);
    out->subset_size = r->size;
    out->steps = r->steps;
    out->queries = r->evaluation.total;
    return out->done ? OK : look_at_others(r, out);
}

static enum status retrain(struct run *r) {
    TRY(store_protocol_ensure(r->s, PROTOCOL_TRAIN, r->train_text.data, &r->protocol));
    TRY(store_protocol_ensure(r->s, PROTOCOL_EVAL, r->eval_text.data, &r->evaluation.protocol));
    TRY(owner_forget_the_dead(r->s, r->protocol, &r->me));
    TRY(list_tasks(r));
    return run_tasks(r);
}

static enum status run(struct run *r) {
    struct cost c = { 0 };
    owner_make(&r->me);
    TRY(prepare(r));
    TRY(store_protocol_find(r->s, PROTOCOL_TRAIN, r->train_text.data, &r->protocol));
    TRY(store_protocol_find(r->s, PROTOCOL_EVAL, r->eval_text.data, &r->evaluation.protocol));
    TRY(list_tasks(r));
    if (!r->n_tasks) {
        cost_announce(r->o->cost, "lds", &c);
        return OK;
    }
    TRY(set_up(r));
    if (r->o->cost) {
        TRY(cost(r, &c));
        if (cost_announce(r->o->cost, "lds", &c)) return OK;
    }
    return retrain(r);
}

enum status pipeline_lds(struct store *s, const struct lds_options *o, const struct progress *p,
                         struct lds_summary *summary) {
    struct run r = { .s = s, .o = o, .progress = p, .train_text = BUF_INIT, .eval_text = BUF_INIT };
    if (summary) *summary = (struct lds_summary){ 0 };
    pthread_mutex_init(&r.lock, NULL);
    store_wait_longer(s);
    enum status st = run(&r);
    if (summary && (st == OK || st == ERR_CANCELLED)) {
        snprintf(r.reason, sizeof r.reason, "%s", fail_reason());
        enum status counted = summarise(&r, summary);
        if (st == OK) st = counted;
        else fail(st, "%s", r.reason);
    }
    release(&r);
    pthread_mutex_destroy(&r.lock);
    return st;
}
