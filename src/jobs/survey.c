/* survey.c - the thread behind survey.h. */
#include "dtrak/survey.h"

#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/neighbours.h"
#include "dtrak/pipeline.h"
#include "dtrak/ranking.h"
#include "dtrak/store.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define GRAM_BYTES ((size_t)64 << 20)   /* of a stored kernel that is read for a glance */
#define BLOCK_BYTES ((size_t)8 << 20)

struct slot {
    struct survey_request request;
    enum { SLOT_IDLE, SLOT_WANTED, SLOT_DOING, SLOT_THERE, SLOT_FAILED } state;
    struct survey_answer answer;
    enum status status;
    char message[240];
};

struct survey {
    struct store *store;
    pthread_t thread;
    int has_thread, stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct slot slot[SURVEY_KINDS];
    atomic_int cancel;
    _Atomic double part;
    uint64_t ended;
    void (*on_change)(void *ctx);
    void *ctx;
};

void survey_answer_free(struct survey_answer *a) {
    mem_free(a->query);
    mem_free(a->score);
    mem_free(a->rank);
    mem_free(a->total);
    mem_free(a->absolute);
    memset(a, 0, sizeof *a);
}

/* --- over all queries --- */

static enum status over_queries(struct survey *s, const struct survey_request *r, struct survey_answer *out,
                                const struct progress *p) {
    struct score_set set;
    enum status st = OK;
    int item = r->kind == SURVEY_ITEM;
    TRY(store_score_set_get(s->store, r->score_set, &set));
    if (item && r->item.index >= set.n) return fail(ERR_RANGE, "these scores are of %zu training items only", set.n);
    size_t n = item ? set.rows : set.n, rank;
    float *row = mem_array(set.n + 1, sizeof *row);
    if (item) {
        out->query = mem_array(n + 1, sizeof *out->query);
        out->score = mem_array(n + 1, sizeof *out->score);
        out->rank = mem_array(n + 1, sizeof *out->rank);
    } else {
        out->total = mem_array(n + 1, sizeof *out->total);
        out->absolute = mem_array(n + 1, sizeof *out->absolute);
    }
    if (!row || (item ? !out->query || !out->score || !out->rank : !out->total || !out->absolute)) {
        st = fail(ERR_NOMEM, "survey: out of memory");
        goto done;
    }
    out->items = set.n;
    for (size_t q = 0; q < set.rows; q++) {
        TRY_TO(progress_check(p));
        atomic_store(&s->part, (double)q / (double)set.rows);
        st = store_score_read(s->store, &set, q, row);
        if (st == ERR_MISSING) { st = OK; continue; }
        if (st != OK) goto done;
        out->queries++;
        if (item) {
            TRY_TO(ranking_rank_of(row, set.n, r->item.index, &rank));
            out->query[out->n] = (uint32_t)q;
            out->score[out->n] = row[r->item.index];
            out->rank[out->n++] = (uint32_t)rank;
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            out->total[i] += (double)row[i];
            out->absolute[i] += fabs((double)row[i]);
        }
    }
    if (out->queries == 0) st = fail(ERR_MISSING, "no scores of this setting are stored");
    if (!item) out->n = n;
    for (size_t i = 0; !item && out->queries && i < n; i++) {
        out->total[i] /= (double)out->queries;
        out->absolute[i] /= (double)out->queries;
    }
done:
    mem_free(row);
    return st;
}

/* --- next to an item --- */

struct source { struct survey *s; struct project project; struct feature_set set; size_t n; };

static enum status read_pixels(void *ctx, size_t first, size_t count, float *out) {
    struct source *x = ctx;
    atomic_store(&x->s->part, (double)first / (double)x->n);
    return items_load(x->s->store, &x->project, SPLIT_TRAIN, first, count, out);
}

static enum status read_features(void *ctx, size_t first, size_t count, float *out) {
    struct source *x = ctx;
    atomic_store(&x->s->part, (double)first / (double)x->n);
    return store_features_read(x->s->store, &x->set, first, count, out);
}

/* The first SURVEY_NEAR rows of `train` beside one row, the item itself left out. */
static enum status nearest(struct survey_answer *out, float *row, const struct rows *train, enum neighbours_measure m,
                           struct item_ref item, double scale, const struct progress *p) {
    struct neighbour found[SURVEY_NEAR + 1];
    struct rows_memory memory = { row, train->k };
    struct rows query = rows_in_memory(&memory, 1);
    size_t k = neighbours_count(train, SURVEY_NEAR + 1, 0);
    TRY(neighbours_find(found, &query, train, SURVEY_NEAR + 1, m, 0, BLOCK_BYTES, NULL, p));
    for (size_t i = 0; i < k && out->n < SURVEY_NEAR; i++) {
        if (item.split == SPLIT_TRAIN && found[i].index == item.index) continue;
        out->near[out->n].item = found[i].index;
        out->near[out->n++].value = found[i].value * scale;
    }
    return OK;
}

static enum status by_pixels(struct survey *s, const struct survey_request *r, struct survey_answer *out,
                             const struct progress *p) {
    struct source x = { .s = s };
    TRY(store_project_get(s->store, &x.project));
    TRY(store_items_count(s->store, SPLIT_TRAIN, &x.n));
    struct rows train = { .n = x.n, .k = items_floats(&x.project), .read = read_pixels, .ctx = &x };
    if (x.n == 0) return fail(ERR_MISSING, "there are no training items");
    float *row = mem_array(train.k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "survey: out of memory");
    enum status st = items_load(s->store, &x.project, r->item.split, r->item.index, 1, row);
    if (st == OK) st = nearest(out, row, &train, NEIGHBOURS_EUCLID, r->item, 1 / sqrt((double)train.k), p);
    mem_free(row);
    return st;
}

/* Where item (i, j), i <= j, of a packed upper triangle stands. */
static size_t packed(size_t n, size_t i, size_t j) { return i * n - i * (i - 1) / 2 + (j - i); }

static double gram_of(const double *gram, size_t n, size_t i, size_t j) {
    return gram[i <= j ? packed(n, i, j) : packed(n, j, i)];
}

/* Cosines from the stored kernel; the query's own length does not change the order, and
 * where it is not stored, the values are left out. */
static enum status by_kernel(struct survey *s, const struct feature_set *f, struct item_ref item, struct survey_answer *out) {
    double *gram = NULL, *cross = NULL, *self = NULL, length = NAN;
    float *cosine = NULL;
    size_t n, cols, m = 0, self_rows = 0, one, count = 0;
    struct ranking_entry top[SURVEY_NEAR + 1];
    enum status st = OK;
    if (f->rows * (f->rows + 1) / 2 * sizeof *gram > GRAM_BYTES)
        return fail(ERR_RANGE, "the features were dropped, and the kernel of %zu items is too large for a glance", f->rows);
    TRY_TO(store_kernel_get(s->store, f->id, KERNEL_GRAM, SPLIT_TRAIN, &n, &cols, &gram));
    if (item.split != SPLIT_TRAIN) {
        TRY_TO(store_kernel_get(s->store, f->id, KERNEL_CROSS, item.split, &m, &cols, &cross));
        TRY_TO(store_kernel_get(s->store, f->id, KERNEL_SELF, item.split, &self_rows, &one, &self));
    } else {
        m = self_rows = n;
        cols = n;
    }
    if (item.index >= m || item.index >= self_rows || cols != n) { st = fail(ERR_MISSING, "the stored kernel does not have this item"); goto done; }
    length = sqrt(cross ? self[item.index] : gram_of(gram, n, item.index, item.index));
    cosine = mem_array(n + 1, sizeof *cosine);
    if (!cosine) { st = fail(ERR_NOMEM, "survey: out of memory"); goto done; }
    for (size_t i = 0; i < n; i++) {
        double own = sqrt(gram_of(gram, n, i, i)), dot = cross ? cross[item.index * n + i] : gram_of(gram, n, item.index, i);
        cosine[i] = own > 0 && length > 0 ? (float)(dot / own / length) : 0;
    }
    TRY_TO(ranking_top(cosine, n, SURVEY_NEAR + 1, top, &count));
    for (size_t i = 0; i < count && out->n < SURVEY_NEAR; i++) {
        if (!cross && top[i].index == item.index) continue;
        out->near[out->n].item = top[i].index;
        out->near[out->n++].value = (double)top[i].score;
    }
done:
    mem_free(gram);
    mem_free(cross);
    mem_free(self);
    mem_free(cosine);
    return st;
}

/* The training features that a score set was made of, complete or with a kernel. */
static enum status features_behind(struct survey *s, const struct score_set *set, struct feature_set *out, int *kernel) {
    struct feature_set_list list = { NULL, 0 };
    int found = 0, found_kernel = 0;
    char params[sizeof set->params];
    TRY(store_feature_sets_list(s->store, &list));
    for (size_t i = 0; i < list.count; i++) {
        const struct feature_set *f = &list.set[i];
        int has_kernel = 0, whole = !f->dropped && f->rows && f->rows_done == f->rows;
        if (f->identity.split != SPLIT_TRAIN || set->checkpoints != 1 || f->checkpoint != set->checkpoint[0] ||
            strcmp(f->identity.loss, set->loss) != 0 || f->identity.timesteps != set->timesteps || f->identity.k != set->k)
            continue;
        if (!whole && (store_kernel_has(s->store, f->id, KERNEL_GRAM, SPLIT_TRAIN, &has_kernel) != OK || !has_kernel)) continue;
        pipeline_feature_params(params, sizeof params, &f->identity);
        if (found && strcmp(params, set->params) != 0) continue;
        *out = *f;
        found = 1;
        found_kernel = !whole;
    }
    feature_set_list_free(&list);
    *kernel = found_kernel;
    return found ? OK : fail(ERR_MISSING, "the features of this setting are not stored");
}

static enum status by_features(struct survey *s, const struct survey_request *r, struct survey_answer *out,
                               const struct progress *p) {
    struct source x = { .s = s };
    struct score_set set;
    struct feature_set own;
    int kernel;
    TRY(store_score_set_get(s->store, r->score_set, &set));
    if (set.k == 0) return fail(ERR_MISSING, "this method has no features");
    TRY(features_behind(s, &set, &x.set, &kernel));
    if (kernel) return by_kernel(s, &x.set, r->item, out);
    x.n = x.set.rows;
    struct feature_identity id = x.set.identity;
    id.split = r->item.split;
    enum status st = store_feature_set_find(s->store, &id, &own);
    if (st == ERR_MISSING) return fail(ERR_MISSING, "the features of this item are not stored");
    TRY(st);
    float *row = mem_array(x.set.identity.k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "survey: out of memory");
    struct rows train = { .n = x.n, .k = x.set.identity.k, .read = read_features, .ctx = &x };
    st = store_features_read(s->store, &own, r->item.index, 1, row);
    if (st == OK) st = nearest(out, row, &train, NEIGHBOURS_COSINE, r->item, 1, p);
    mem_free(row);
    return st;
}

/* --- the thread --- */

static enum status compute(struct survey *s, const struct survey_request *r, struct survey_answer *out) {
    struct progress p = { NULL, NULL, &s->cancel };
    switch (r->kind) {
    case SURVEY_BY_PIXELS: return by_pixels(s, r, out, &p);
    case SURVEY_BY_FEATURES: return by_features(s, r, out, &p);
    default: return over_queries(s, r, out, &p);
    }
}

static void *main_loop(void *arg) {
    struct survey *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct slot *x = s->slot;
        while (x < s->slot + SURVEY_KINDS && x->state != SLOT_WANTED) x++;
        if (x == s->slot + SURVEY_KINDS) {
            pthread_cond_wait(&s->wake, &s->lock);
            continue;
        }
        struct survey_answer made = { 0 };
        struct survey_request r = x->request;
        x->state = SLOT_DOING;
        atomic_store(&s->cancel, 0);
        atomic_store(&s->part, 0);
        pthread_mutex_unlock(&s->lock);
        enum status st = compute(s, &r, &made);
        if (st != OK) survey_answer_free(&made);
        pthread_mutex_lock(&s->lock);
        if (x->state != SLOT_DOING || st == ERR_CANCELLED) {      /* something else is wanted by now */
            survey_answer_free(&made);
            if (x->state == SLOT_DOING) x->state = SLOT_IDLE;
        } else {
            survey_answer_free(&x->answer);
            x->answer = made;
            x->state = st == OK ? SLOT_THERE : SLOT_FAILED;
            x->status = st;
            if (st != OK) snprintf(x->message, sizeof x->message, "%s", fail_reason());
        }
        s->ended++;
        if (s->on_change && !s->stop) s->on_change(s->ctx);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum status survey_open(struct survey **out, const char *db, void (*on_change)(void *ctx), void *ctx) {
    sigset_t all, old;
    *out = NULL;
    struct survey *s = mem_array(1, sizeof *s);
    if (!s) return fail(ERR_NOMEM, "survey: out of memory");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->on_change = on_change;
    s->ctx = ctx;
    enum status st = store_open(&s->store, db, STORE_READ);
    if (st == OK) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int rc = pthread_create(&s->thread, NULL, main_loop, s);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (rc) st = fail(ERR_IO, "the survey thread could not be started: %s", strerror(rc));
        else s->has_thread = 1;
    }
    if (st != OK) survey_close(s);
    else *out = s;
    return st;
}

void survey_close(struct survey *s) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->stop = 1;
    atomic_store(&s->cancel, 1);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread) pthread_join(s->thread, NULL);
    for (int k = 0; k < SURVEY_KINDS; k++) survey_answer_free(&s->slot[k].answer);
    store_close(s->store);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

void survey_on_change(struct survey *s, void (*fn)(void *ctx), void *ctx) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->on_change = fn;
    s->ctx = ctx;
    pthread_mutex_unlock(&s->lock);
}

static int same(const struct survey_request *a, const struct survey_request *b) {
    return a->kind == b->kind && (a->kind == SURVEY_BY_PIXELS || a->score_set == b->score_set) &&
           (a->kind == SURVEY_TOTALS || (a->item.split == b->item.split && a->item.index == b->item.index));
}

int survey_get(struct survey *s, const struct survey_request *r, struct survey_answer *out, double *part) {
    int answer = 0;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&s->lock);
    struct slot *x = &s->slot[r->kind];
    int mine = same(&x->request, r);
    if (part) *part = x->state == SLOT_DOING && mine ? atomic_load(&s->part) : 0;
    if (mine && x->state == SLOT_THERE) {
        *out = x->answer;
        memset(&x->answer, 0, sizeof x->answer);
        x->state = SLOT_IDLE;
        answer = 1;
    } else if (mine && x->state == SLOT_FAILED) {
        fail(x->status, "%s", x->message);
        x->state = SLOT_IDLE;
        answer = -1;
    } else if (!mine || x->state == SLOT_IDLE) {
        if (x->state == SLOT_DOING) atomic_store(&s->cancel, 1);
        x->request = *r;
        x->state = SLOT_WANTED;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return answer;
}

int survey_busy(struct survey *s) {
    int busy = 0;
    if (!s) return 0;
    pthread_mutex_lock(&s->lock);
    for (int k = 0; k < SURVEY_KINDS; k++) busy |= s->slot[k].state == SLOT_WANTED || s->slot[k].state == SLOT_DOING;
    pthread_mutex_unlock(&s->lock);
    return busy;
}

uint64_t survey_ended(struct survey *s) {
    if (!s) return 0;
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->ended;
    pthread_mutex_unlock(&s->lock);
    return n;
}
