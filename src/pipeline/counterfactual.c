/* counterfactual.c - the verb: take items away, retrain, denoise the same latent.
 *
 * Retrained networks are rows of the table subset under a protocol of their
 * own; their number is a hash of the members, so that every process and every
 * machine finds the same one.  Their weights are kept: a picture more costs
 * seconds.  A network is one transaction, its pictures are another. */
#include "dtrak/counterfactual.h"

#include "lds_parts.h"
#include "lds_protocol.h"

#include "dtrak/distance.h"
#include "dtrak/hash.h"
#include "dtrak/image.h"
#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/offer_scores.h"
#include "dtrak/pool.h"
#include "dtrak/ranking.h"
#include "dtrak/sampler.h"
#include "dtrak/text.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LABELS_MAX = 32, SAMPLE_BATCH = 8 };

/* What is taken away, in words, and by which scores. */
struct taker { char label[64]; enum method method; enum loss loss; int64_t score_set; };

struct query { struct item_ref ref; uint64_t seed; size_t steps; double eta; float *x; };

/* A picture to make. */
struct want { size_t query, taker; int done; };

/* A network: the items that stay, and what it is wanted for. */
struct network {
    unsigned char *members;
    size_t index, size, first, count;     /* wants first .. first + count - 1 */
    int64_t id;                           /* 0: not begun */
    enum subset_state state;
    int is_lost;                          /* it was trained, and its weights were not kept: once more */
    size_t missing;                       /* pictures */
    size_t kept;                          /* steps done in an earlier call */
};

struct run {
    struct store *s;
    const struct counterfactual_options *o;
    const struct progress *progress;
    struct project project;
    struct retraining training;
    struct lds_options lds;               /* what retraining_*() read */
    struct evaluation evaluation;         /* of nothing */
    struct retrainer retrainer;
    struct unet *u;
    struct buf protocol_text;
    int64_t protocol;
    size_t n, D;
    float *images;
    struct taker taker[LABELS_MAX];
    size_t takers;
    struct query *query;
    size_t queries;
    struct counterfactual_list pictures;  /* that were there */
    struct want *want;
    size_t wants;
    struct network *network;
    size_t networks;
    struct owner me;
    struct items_watch items;             /* as they were when the queries were read */
    struct pool *pool;
    pthread_mutex_t lock;
    struct store **stores;
    double done, total, step_seconds;
    size_t finished;
    enum status first_error;
    char reason[512];
    atomic_int failed;
};

/* --- what is asked for --- */

/* "dtrak", "trak:avg", "pixel-cos" */
static enum status read_taker(struct taker *t, char *word) {
    char *colon = strchr(word, ':');
    if (colon) *colon = 0;
    enum loss implied = LOSS_COUNT;
    TRY(method_read(&t->method, &implied, word, "--methods"));
    if (colon && !method_has_loss(t->method)) return fail(ERR_USAGE, "counterfactual: method %s has no loss", word);
    TRY(method_loss(&t->loss, t->method, implied, word, colon ? colon + 1 : NULL));
    snprintf(t->label, sizeof t->label, "%s%s%s", method_name(t->method), method_has_loss(t->method) ? " " : "",
             method_has_loss(t->method) ? loss_name(t->loss) : "");
    return OK;
}

/* Next word of a comma-separated list; 0 at its end. */
static int next_word(const char **list, char *word, size_t size) {
    if (!*list || !**list) return 0;
    size_t len = strcspn(*list, ",");
    snprintf(word, size, "%.*s", (int)len, *list);
    *list += len + ((*list)[len] == ',');
    return 1;
}

static enum status read_takers(struct run *r) {
    const char *list = r->o->methods;
    char word[64];
    while (next_word(&list, word, sizeof word)) {
        if (r->takers == LABELS_MAX - 1) return fail(ERR_USAGE, "counterfactual: at most %d methods", LABELS_MAX - 1);
        TRY(read_taker(&r->taker[r->takers], word));
        for (size_t i = 0; i < r->takers; i++)
            if (!strcmp(r->taker[i].label, r->taker[r->takers].label))
                return fail(ERR_USAGE, "counterfactual: %s is named twice", r->taker[i].label);
        r->takers++;
    }
    if (r->o->list) {
        struct taker *t = &r->taker[r->takers++];
        t->method = METHOD_COUNT;
        snprintf(t->label, sizeof t->label, "list:%.58s", r->o->list);
    }
    return r->takers ? OK : fail(ERR_USAGE, "counterfactual: neither methods nor a list say what is taken away");
}

/* there: generated items in all. */
static enum status add_query(struct run *r, struct item_ref ref, size_t there, int64_t checkpoint) {
    struct item_list l;
    char name[32];
    item_ref_format(name, ref);
    if (ref.split != SPLIT_GEN) return fail(ERR_USAGE, "counterfactual: %s is not a generated item, as in gen:17", name);
    TRY(item_ref_check(ref, there));
    TRY(store_items_read(r->s, SPLIT_GEN, ref.index, 1, &l));
    enum status st = OK;
    if (!l.count)
        st = fail(ERR_MISSING, "counterfactual: there is no item %s", name);
    else if (l.item[0].checkpoint != checkpoint || strcmp(l.item[0].sampler, "ddim") != 0 || !l.item[0].steps)
        st = fail(ERR_RANGE, "counterfactual: %s was not generated by the project's last checkpoint, so retraining says nothing of it", name);
    struct query *q = &r->query[r->queries];
    if (st == OK) *q = (struct query){ ref, l.item[0].seed, l.item[0].steps, l.item[0].eta, NULL };
    item_list_free(&l);
    TRY(st);
    if (schedule_steps(r->training.schedule) % q->steps)
        return fail(ERR_RANGE, "counterfactual: %s was generated in %zu steps", name, q->steps);
    for (size_t i = 0; i < r->queries; i++)
        if (r->query[i].ref.index == ref.index) return fail(ERR_USAGE, "counterfactual: %s is named twice", name);
    q->x = mem_array(r->D, sizeof *q->x);
    r->queries++;
    if (!q->x) return fail(ERR_NOMEM, "counterfactual: out of memory");
    return items_load(r->s, &r->project, SPLIT_GEN, ref.index, 1, q->x);
}

static enum status read_queries(struct run *r) {
    struct checkpoint_list last;
    const char *list = r->o->items;
    char word[64];
    size_t room = 1, there;
    TRY(store_items_count(r->s, SPLIT_GEN, &there));
    for (const char *c = list; c && *c; c++) room += *c == ',';
    if (!list) room = r->o->queries < there ? r->o->queries : there;
    if (!room) return fail(ERR_MISSING, "counterfactual: there are no generated items; `dtrak sample` makes some");
    r->query = mem_array(room, sizeof *r->query);
    if (!r->query) return fail(ERR_NOMEM, "counterfactual: out of memory");
    TRY(store_checkpoints_resolve(r->s, "last", &last));
    int64_t id = last.checkpoint[last.count - 1].id;
    checkpoint_list_free(&last);
    for (size_t i = 0; !list && i < room; i++) TRY(add_query(r, (struct item_ref){ SPLIT_GEN, i }, there, id));
    while (next_word(&list, word, sizeof word)) {
        struct item_ref ref;
        TRY(item_ref_parse(&ref, word));
        TRY(add_query(r, ref, there, id));
    }
    return OK;
}

static enum status prepare(struct run *r) {
    const struct counterfactual_options *o = r->o;
    char items[65];
    r->lds = (struct lds_options){ .same_epochs = o->same_epochs, .steps = o->steps, .batch = o->batch, .lr = o->lr };
    TRY(store_project_get(r->s, &r->project));
    TRY(retraining_read(&r->training, r->s, &r->lds));
    TRY(unet_new(&r->u, &r->training.config));
    struct stored_network network = { .u = r->u };
    TRY(stored_network_fits(&network, &r->project));
    r->D = items_floats(&r->project);
    TRY(store_items_count(r->s, SPLIT_TRAIN, &r->n));
    TRY(read_takers(r));
    if (o->methods && (o->remove < 1 || o->remove >= r->n))
        return fail(ERR_RANGE, "counterfactual: %zu of %zu training items are to be taken away; some must go and some stay", o->remove, r->n);
    TRY(read_queries(r));
    TRY(items_digest(r->s, SPLIT_TRAIN, 0, r->n, items));
    return protocol_train_text(&r->protocol_text, &r->training, &r->lds, &r->project, r->n, items);
}

/* --- which networks --- */

/* With what makes them. */
static enum status no_scores(const struct run *r, const struct taker *t, const char *of, struct item_ref query) {
    struct checkpoint_list last;
    struct buf b = BUF_INIT;
    char why[OFFER_WHY];
    struct offer_wanted want = { .method = t->method, .loss = method_has_loss(t->method) ? t->loss : LOSS_COUNT, .query = query };
    TRY(store_checkpoints_resolve(r->s, "last", &last));
    if (method_has_several(t->method)) want.several = "all";
    else if (method_has_checkpoint(t->method)) want.checkpoint = &last.checkpoint[last.count - 1];
    if (method_has_features(t->method)) {
        want.timesteps = r->o->timesteps;
        want.k = r->o->dims;
    }
    enum status st = offer_scores_commands(&b, why, r->s, &want);
    if (st == OK)
        st = fail(ERR_MISSING, "counterfactual: no %s scores of %s%s%s", t->label, of, why[0] ? ", and " : "; make them with: ",
                  why[0] ? why : b.data);
    buf_free(&b);
    checkpoint_list_free(&last);
    return st;
}

static enum status find_scores(struct run *r, struct taker *t, struct score_set *set) {
    struct checkpoint_list last;
    TRY(store_checkpoints_resolve(r->s, "last", &last));
    struct score_query q = { .method = method_name(t->method), .loss = method_has_loss(t->method) ? loss_name(t->loss) : "",
                             .checkpoint = method_has_several(t->method) ? -1 : method_has_checkpoint(t->method) ? last.checkpoint[last.count - 1].id : 0,
                             .split = SPLIT_GEN, .has = r->query[0].ref.index + 1 };
    if (method_has_features(t->method)) {
        q.timesteps = r->o->timesteps;
        q.k = r->o->dims;
    }
    checkpoint_list_free(&last);
    enum status st = store_score_set_find(r->s, &q, set);
    if (st == ERR_MISSING) return no_scores(r, t, "generated items", r->query[0].ref);
    TRY(st);
    t->score_set = set->id;
    return OK;
}

/* Whether those that are not members come first in the row, whatever the order of equal ones; cut: the last one's score. */
static int are_first(const unsigned char *members, const float *scores, size_t n, float cut) {
    for (size_t i = 0; i < n; i++)
        if (members[i] ? scores[i] > cut : scores[i] < cut) return 0;
    return 1;
}

/* Scores that were rounded since have ties where they had an order: what was taken away then is
 * taken away now, where it may be, so that a finished picture is found.  0 where there is none. */
static enum status members_as_then(struct run *r, const struct taker *t, size_t query, const float *scores, float cut,
                                   unsigned char *members, int *found) {
    unsigned char *then = mem_array(r->n, 1);
    enum status st = then ? OK : fail(ERR_NOMEM, "counterfactual: out of memory");
    *found = 0;
    for (size_t i = 0; i < r->pictures.count && st == OK && !*found; i++) {
        const struct counterfactual *c = &r->pictures.row[i];
        if (c->query.split != SPLIT_GEN || c->query.index != query || c->protocol != r->protocol || c->removed != r->o->remove ||
            strcmp(c->label, t->label) != 0)
            continue;
        st = store_subset_members(r->s, c->subset, then, r->n);
        if (st == OK && are_first(then, scores, r->n, cut)) {
            memcpy(members, then, r->n);
            *found = 1;
        }
    }
    mem_free(then);
    return st;
}

/* members: all but the `remove` first of the row. */
static enum status members_by_score(struct run *r, const struct taker *t, const struct score_set *set, size_t query,
                                    unsigned char *members) {
    int found = 0;
    float *scores = mem_array(r->n, sizeof *scores);
    struct ranking_entry *top = mem_array(r->o->remove, sizeof *top);
    enum status st = scores && top ? OK : fail(ERR_NOMEM, "counterfactual: out of memory");
    size_t count = 0;
    if (st == OK && set->n != r->n) st = fail(ERR_FORMAT, "counterfactual: scores of %zu items, there are %zu", set->n, r->n);
    if (st == OK) st = store_score_read(r->s, set, query, scores);
    if (st == ERR_MISSING) {
        struct item_ref ref = { SPLIT_GEN, query };
        char name[32];
        item_ref_format(name, ref);
        st = no_scores(r, t, name, ref);
    }
    if (st == OK) st = ranking_top(scores, r->n, r->o->remove, top, &count);
    if (st == OK) st = members_as_then(r, t, query, scores, scores[top[count - 1].index], members, &found);
    if (!found) {
        memset(members, 1, r->n);
        for (size_t i = 0; i < count; i++) members[top[i].index] = 0;
    }
    mem_free(scores);
    mem_free(top);
    return st;
}

static enum status members_by_list(struct run *r, unsigned char *members) {
    struct index_list l = { NULL, 0 };
    if (!r->o->take) TRY(store_removal_list_get(r->s, r->o->list, &l));
    memset(members, 1, r->n);
    for (size_t i = 0; i < r->o->n_take; i++) {
        TRY(item_ref_check((struct item_ref){ SPLIT_TRAIN, r->o->take[i] }, r->n));
        members[r->o->take[i]] = 0;
    }
    for (size_t i = 0; i < l.count; i++) members[l.index[i]] = 0;
    index_list_free(&l);
    return memchr(members, 1, r->n) ? OK : fail(ERR_RANGE, "counterfactual: the list \"%s\" takes everything away", r->o->list);
}

/* The network of these members; they are its own then. */
static size_t place_network(struct run *r, unsigned char *members) {
    for (size_t i = 0; i < r->networks; i++)
        if (memcmp(r->network[i].members, members, r->n) == 0) {
            mem_free(members);
            return i;
        }
    struct network *w = &r->network[r->networks];
    /* 40 bits are plenty, and fit wherever an index is kept. */
    *w = (struct network){ .members = members, .index = (size_t)(hash_xxh3(members, r->n) & 0xffffffffffu) };
    for (size_t i = 0; i < r->n; i++) w->size += members[i];
    return r->networks++;
}

/* Wants in order of their networks: first by counting, then placed. */
static enum status list_wants(struct run *r) {
    size_t *where = mem_array(r->takers * r->queries, sizeof *where), at = 0;
    r->network = mem_array(r->takers * r->queries, sizeof *r->network);
    r->want = mem_array(r->takers * r->queries, sizeof *r->want);
    enum status st = where && r->network && r->want ? store_counterfactuals_list(r->s, &r->pictures)
                                                    : fail(ERR_NOMEM, "counterfactual: out of memory");
    for (size_t t = 0; t < r->takers && st == OK; t++) {
        struct score_set set = { 0 };
        if (r->taker[t].method < METHOD_COUNT) st = find_scores(r, &r->taker[t], &set);
        for (size_t q = 0; q < r->queries && st == OK; q++) {
            unsigned char *members = mem_array(r->n, 1);
            if (!members) st = fail(ERR_NOMEM, "counterfactual: out of memory");
            else st = r->taker[t].method < METHOD_COUNT ? members_by_score(r, &r->taker[t], &set, r->query[q].ref.index, members)
                                                        : members_by_list(r, members);
            if (st == OK) where[t * r->queries + q] = place_network(r, members);
            else mem_free(members);
        }
    }
    for (size_t w = 0; w < r->networks && st == OK; w++) {
        r->network[w].first = at;
        for (size_t i = 0; i < r->takers * r->queries; i++)
            if (where[i] == w) r->want[at++] = (struct want){ i % r->queries, i / r->queries, 0 };
        r->network[w].count = at - r->network[w].first;
    }
    r->wants = at;
    mem_free(where);
    return st;
}

static int has_picture(const struct counterfactual_list *l, const struct run *r, const struct network *w, const struct want *want) {
    for (size_t i = 0; i < l->count; i++)
        if (l->row[i].subset == w->id && l->row[i].query.split == SPLIT_GEN &&
            l->row[i].query.index == r->query[want->query].ref.index && !strcmp(l->row[i].label, r->taker[want->taker].label))
            return 1;
    return 0;
}

static enum status look_up(struct run *r) {
    struct subset_model_list models = { 0 };
    struct counterfactual_list pictures;
    if (r->protocol) TRY(store_subsets_list(r->s, r->protocol, &models));
    enum status st = store_counterfactuals_list(r->s, &pictures);
    for (size_t k = 0; k < r->networks && st == OK; k++) {
        struct network *w = &r->network[k];
        for (size_t i = 0; i < models.count; i++)
            if (models.model[i].index == w->index) {
                w->id = models.model[i].id;
                w->state = models.model[i].state;
                w->kept = models.model[i].steps;
            }
        w->missing = 0;
        for (size_t i = w->first; i < w->first + w->count; i++) {
            r->want[i].done = w->id && has_picture(&pictures, r, w, &r->want[i]);
            w->missing += !r->want[i].done;
        }
        int has = 1;
        if (st == OK && w->missing && w->state == SUBSET_DONE) st = store_subset_has_weights(r->s, w->id, &has);
        w->is_lost = !has;
        if (w->is_lost) w->state = SUBSET_OPEN;
    }
    subset_model_list_free(&models);
    counterfactual_list_free(&pictures);
    return st;
}

/* --- pictures --- */

static enum status make_row(const struct run *r, const struct network *w, const struct want *want, const float *x,
                            float *again, struct counterfactual *row, struct buf *png) {
    const struct query *q = &r->query[want->query];
    struct image im = { 0 };
    TRY(items_from_network(&im, x, &r->project));
    /* Compared as they are kept: as bytes. */
    enum status st = items_to_network(again, &im, &r->project);
    if (st == OK) st = image_encode_png(png, &im);
    image_free(&im);
    *row = (struct counterfactual){ .query = q->ref, .subset = w->id, .score_set = r->taker[want->taker].score_set,
                                    .removed = r->n - w->size, .pixel_l2 = distance_l2(again, q->x, r->D),
                                    .pixel_cos = distance_cosine(again, q->x, r->D), .embed_cos = NAN,
                                    .width_px = r->project.width, .height_px = r->project.height, .image_bytes = png->len };
    snprintf(row->label, sizeof row->label, "%s", r->taker[want->taker].label);
    return st;
}

/* x [count][D] of the wants of a network; queries may differ in steps, so one at a time. */
static enum status denoise(const struct run *r, const struct unet_weights *weights, const struct network *w, float *x,
                           float *scratch) {
    struct unet_work *work;
    TRY(unet_work_new(&work, r->u, 1, 0, r->retrainer.cancel));
    int ok = 1;
    for (size_t i = 0; i < w->count && ok; i++) {
        const struct query *q = &r->query[r->want[w->first + i].query];
        struct sampler_settings o = { r->training.schedule, q->steps, q->eta };
        ok = sampler_run(work, weights, &o, x + i * r->D, scratch, scratch + r->D, &q->seed, 1, r->D);
    }
    unet_work_free(work);
    return ok ? OK : fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
}

static enum status make_pictures(struct run *r, struct store *s, const struct network *w) {
    void *bytes = NULL;
    size_t len;
    struct unet_weights *weights = NULL;
    float *x = mem_array(w->count + 3, r->D * sizeof *x);
    struct counterfactual *rows = mem_array(w->count, sizeof *rows);
    struct buf *png = mem_array(w->count, sizeof *png);
    const void **images = mem_array(w->count, sizeof *images);
    enum status st = x && rows && png && images ? OK : fail(ERR_NOMEM, "counterfactual: out of memory");
    if (st != OK) goto done;
    TRY_TO(store_subset_weights(s, w->id, &bytes, &len));
    TRY_TO(retrained_weights(&weights, r->u, bytes, len));
    TRY_TO(denoise(r, weights, w, x, x + w->count * r->D));
    for (size_t i = 0; i < w->count; i++) {
        TRY_TO(make_row(r, w, &r->want[w->first + i], x + i * r->D, x + (w->count + 2) * r->D, &rows[i], &png[i]));
        images[i] = png[i].data;
    }
    TRY_TO(store_counterfactuals_add(s, rows, images, w->count));
done:
    unet_weights_free(weights);
    mem_free(bytes);
    for (size_t i = 0; png && i < w->count; i++) buf_free(&png[i]);
    mem_free(png);
    mem_free(images);
    mem_free(rows);
    mem_free(x);
    return st;
}

/* --- the threads --- */

static void advance(void *ctx, double units, size_t index, size_t seed, double loss) {
    struct run *r = ctx;
    char note[80];
    (void)index, (void)seed;
    pthread_mutex_lock(&r->lock);
    r->done += units;
    int len = snprintf(note, sizeof note, "%zu of %zu networks", r->finished, r->networks);
    if (isfinite(loss)) snprintf(note + len, sizeof note - (size_t)len, ", loss %.4f", loss);
    progress_report(r->progress, r->done, r->total, "counterfactual", note);
    pthread_mutex_unlock(&r->lock);
}

static size_t steps_of(const struct run *r, const struct network *w) {
    return retraining_steps(&r->training, &r->lds, r->n, w->size);
}

/* *elsewhere: another process has it. */
static enum status one_network(struct run *r, struct store *s, struct network *w, int *elsewhere) {
    if (w->state == SUBSET_OPEN) {
        struct subset_model m;
        struct trainer_options t = r->training.options;
        t.steps = steps_of(r, w);
        if (w->is_lost) TRY(store_subset_reopen(s, w->id));
        enum status st = store_subset_claim(s, r->protocol, w->index, 0, w->members, r->n, r->me.name, &m);
        *elsewhere = st == ERR_MISSING;
        if (*elsewhere) return OK;
        TRY(st);
        w->id = m.id;
        st = retrain_model(&r->retrainer, s, &m, w->members, &t);
        *elsewhere = st == ERR_MISSING;       /* taken over while its lease was out */
        if (*elsewhere) return OK;
        TRY(st);
        int has;
        TRY(store_subset_has_weights(s, w->id, &has));
        w->state = has ? SUBSET_DONE : SUBSET_DIVERGED;
    }
    return w->state == SUBSET_DIVERGED ? OK : make_pictures(r, s, w);
}

static void work(void *ctx, size_t piece, size_t thread) {
    struct run *r = ctx;
    struct network *w = &r->network[piece];
    enum status st = OK;
    if (atomic_load(&r->failed) || !w->missing || w->state == SUBSET_DIVERGED) return;
    if (r->retrainer.cancel && atomic_load(r->retrainer.cancel))
        st = fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
    if (st == OK && !r->stores[thread]) st = store_open(&r->stores[thread], store_path(r->s), STORE_WRITE);
    if (st == OK) {
        store_wait_longer(r->stores[thread]);
        store_items_watch(r->stores[thread], &r->items);
    }
    int elsewhere = 0;
    if (st == OK) st = one_network(r, r->stores[thread], w, &elsewhere);
    if (elsewhere) return;
    pthread_mutex_lock(&r->lock);
    if (st == OK) r->finished++;
    else if (r->first_error == OK) {
        r->first_error = st;
        snprintf(r->reason, sizeof r->reason, "%s", fail_reason());
        atomic_store(&r->failed, 1);
    }
    pthread_mutex_unlock(&r->lock);
}

static enum status set_up(struct run *r) {
    r->images = mem_array(r->n, r->D * sizeof *r->images);
    if (!r->images) return fail(ERR_NOMEM, "counterfactual: out of memory for %zu images", r->n);
    TRY(items_load(r->s, &r->project, SPLIT_TRAIN, 0, r->n, r->images));
    linalg_set_threads(1);
    TRY(pool_new(&r->pool, r->o->threads));
    r->stores = mem_array(pool_threads(r->pool), sizeof(struct store *));
    if (!r->stores) return fail(ERR_NOMEM, "counterfactual: out of memory");
    r->evaluation.timesteps = 1;
    r->retrainer = (struct retrainer){
        .path = store_path(r->s), .training = &r->training, .evaluation = &r->evaluation, .project = &r->project, .u = r->u,
        .images = r->images, .n = r->n, .D = r->D, .owner = r->me.name, .host = r->me.host, .keep_weights = 1,
        .save_every_s = r->o->save_every_s, .cancel = r->progress ? r->progress->cancel : NULL, .failed = &r->failed,
        .advance = advance, .ctx = r };
    return OK;
}

/* Steps and pictures that are missing; *stop: only the cost was asked for. */
static enum status say_cost(struct run *r, int *stop) {
    struct cost c = { 0 };
    double forward, backward, steps = 0, pictures = 0, networks = 0;
    unet_cost(r->u, &forward, &backward);
    for (size_t k = 0; k < r->networks; k++) {
        const struct network *w = &r->network[k];
        if (w->state == SUBSET_DIVERGED) continue;
        pictures += (double)w->missing;
        if (w->state != SUBSET_OPEN || !w->missing) continue;
        steps += (double)steps_of(r, w);
        networks++;
    }
    double batch = (double)r->training.options.batch, denoising = r->queries ? (double)r->query[0].steps : 0;
    c.flop = 2 * steps * batch * (forward + backward) + 2 * pictures * denoising * forward;
    if (r->o->cost && c.flop > 0) {
        size_t threads = pool_threads(r->pool), at_once = (double)threads < networks ? threads : (size_t)networks;
        TRY(retraining_time_step(&r->step_seconds, r->pool, at_once ? at_once : 1, &r->retrainer));
        /* A picture is forward passes of one image, a step forward and backward of a batch. */
        c.seconds = r->step_seconds * (steps + pictures * denoising / (3 * batch)) / (double)(at_once ? at_once : 1);
    }
    c.bytes_disk = networks * (double)unet_size(r->u) * (r->training.half_weights ? 2 : 4) + pictures * (double)r->D;
    double each;
    TRY(retraining_memory(&each, r->u, &r->training));
    c.bytes_memory = (double)pool_threads(r->pool) * each + 2 * (double)(r->n * r->D * sizeof(float));
    *stop = cost_announce(r->o->cost, "counterfactual", &c);
    return OK;
}

static enum status run(struct run *r) {
    int stop;
    TRY(store_items_look(r->s, &r->items));
    TRY(prepare(r));
    owner_make(&r->me);
    TRY(store_protocol_find(r->s, PROTOCOL_TRAIN, r->protocol_text.data, &r->protocol));
    TRY(list_wants(r));
    TRY(look_up(r));
    TRY(set_up(r));
    TRY(say_cost(r, &stop));
    if (stop) return OK;
    if (r->o->take) TRY(store_removal_list_put(r->s, r->o->list, r->o->take, r->o->n_take));
    TRY(store_protocol_ensure(r->s, PROTOCOL_TRAIN, r->protocol_text.data, &r->protocol));
    TRY(owner_forget_the_dead(r->s, r->protocol, &r->me));
    for (size_t k = 0; k < r->networks; k++) {
        const struct network *w = &r->network[k];
        r->finished += !w->missing;
        r->total += (double)steps_of(r, w);
        r->done += (double)(w->state == SUBSET_OPEN ? w->kept : steps_of(r, w));
    }
    progress_report(r->progress, r->done, r->total, "counterfactual", "");
    pool_run(r->pool, r->networks, work, r);
    return r->first_error == OK ? OK : fail(r->first_error, "%s", r->reason);
}

/* Where nothing is done: what was made with other options, lest all of it is begun anew unseen. */
static enum status look_at_others(const struct run *r, struct counterfactual_summary *out) {
    struct protocol_list l;
    int64_t latest = 0, protocol = 0;
    for (size_t i = 0; i < r->pictures.count; i++) {
        const struct counterfactual *c = &r->pictures.row[i];
        if (c->protocol == r->protocol) continue;
        out->others++;
        if (c->id > latest) { latest = c->id; protocol = c->protocol; }
    }
    if (!out->others) return OK;
    TRY(store_protocols_list(r->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++)
        if (l.protocol[i].id == protocol) st = protocol_difference(out->difference, r->protocol_text.data, l.protocol[i].text);
    protocol_list_free(&l);
    return st;
}

static enum status summarise(struct run *r, struct counterfactual_summary *out) {
    TRY(look_up(r));
    *out = (struct counterfactual_summary){ .pictures = r->wants, .networks = r->networks };
    for (size_t k = 0; k < r->networks; k++) {
        const struct network *w = &r->network[k];
        out->done += w->count - w->missing;
        out->trained += w->state == SUBSET_DONE;
        out->diverged += w->state == SUBSET_DIVERGED;
        out->elsewhere += w->id && w->state == SUBSET_OPEN;
    }
    return out->done ? OK : look_at_others(r, out);
}

static void release(struct run *r) {
    for (size_t i = 0; r->stores && i < pool_threads(r->pool); i++) store_close(r->stores[i]);
    mem_free(r->stores);
    for (size_t i = 0; i < r->queries; i++) mem_free(r->query[i].x);
    for (size_t i = 0; i < r->networks; i++) mem_free(r->network[i].members);
    mem_free(r->query);
    mem_free(r->network);
    mem_free(r->want);
    counterfactual_list_free(&r->pictures);
    mem_free(r->images);
    pool_free(r->pool);
    unet_free(r->u);
    retraining_free(&r->training);
    buf_free(&r->protocol_text);
}

enum status pipeline_counterfactual(struct store *s, const struct counterfactual_options *o, const struct progress *p,
                                    struct counterfactual_summary *summary) {
    struct run r = { .s = s, .o = o, .progress = p, .protocol_text = BUF_INIT };
    if (summary) *summary = (struct counterfactual_summary){ 0 };
    pthread_mutex_init(&r.lock, NULL);
    store_wait_longer(s);
    enum status st = run(&r);
    if (st == OK && summary) st = summarise(&r, summary);
    release(&r);
    pthread_mutex_destroy(&r.lock);
    return st;
}
