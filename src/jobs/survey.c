/* survey.c - the thread behind survey.h. */
#include "dtrak/survey.h"

#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/near.h"
#include "dtrak/ranking.h"
#include "dtrak/store.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* The last slot is that of survey_load(). */
enum { LOAD = SURVEY_KINDS, SLOTS };

struct slot {
    struct survey_request request;
    struct survey_load load;
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
    struct slot slot[SLOTS];
    atomic_int cancel;
    _Atomic double part;
    struct nda_query *nda;        /* the query whose maps were asked for last */
    unsigned forgotten, nda_of;   /* times that survey_forget() was called, and when nda was made */
    uint64_t ended;
    void (*on_change)(void *ctx);
    void *ctx;
};

void survey_answer_free(struct survey_answer *a) {
    if (a->loaded) a->drop(a->loaded);
    mem_free(a->query);
    mem_free(a->score);
    mem_free(a->rank);
    mem_free(a->total);
    mem_free(a->absolute);
    nda_map_free(&a->map);
    for (int i = 0; i < 2; i++) image_free(&a->image[i]);
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

static void note_part(void *ctx, double done, double total, const char *what, const char *note) {
    struct survey *s = ctx;
    (void)what;
    (void)note;
    atomic_store(&s->part, total > 0 ? done / total : 0);
}

static enum status next_to(struct survey *s, const struct survey_request *r, struct survey_answer *out) {
    struct progress p = { note_part, s, &s->cancel };
    struct near_item near[SURVEY_NEAR];
    struct score_set set;
    struct feature_set features;
    if (r->kind == SURVEY_BY_PIXELS) {
        TRY(near_by_pixels(s->store, r->item, SURVEY_NEAR, near, &out->n, &p));
    } else {
        TRY(store_score_set_get(s->store, r->score_set, &set));
        if (set.k == 0)
            return fail(ERR_MISSING, method_has_features(method_parse(set.method, NULL)) ?
                        "which features these scores are of is not known: they were imported" : "this method has no features");
        TRY(near_features_behind(s->store, &set, &features));
        TRY(near_by_features(s->store, &features, r->item, SURVEY_NEAR, near, &out->n, &p));
    }
    for (size_t i = 0; i < out->n; i++) {
        out->near[i].item = near[i].item;
        out->near[i].value = near[i].value;
    }
    return OK;
}

/* --- heat maps --- */

static enum status heat_maps(struct survey *s, const struct survey_request *r, struct survey_answer *out) {
    static const struct nda_map_options as_stored = { 0, NULL, 0 };
    struct progress p = { note_part, s, &s->cancel };
    if (!nda_query_is(s->nda, r->query)) {
        nda_query_free(s->nda);
        s->nda = NULL;
        TRY(nda_query_new(&s->nda, s->store, r->query, &as_stored));
    }
    out->patch = nda_query_patch(s->nda);
    TRY(items_image(&out->image[0], s->store, r->query, 3));
    TRY(items_image(&out->image[1], s->store, r->item, 3));
    return pipeline_nda_map(&out->map, s->nda, s->store, r->item.index, NULL, &p);
}

/* --- the thread --- */

static enum status compute(struct survey *s, const struct survey_request *r, struct survey_answer *out) {
    struct progress p = { NULL, NULL, &s->cancel };
    if (r->kind == SURVEY_BY_PIXELS || r->kind == SURVEY_BY_FEATURES) return next_to(s, r, out);
    if (r->kind == SURVEY_MAPS) return heat_maps(s, r, out);
    return over_queries(s, r, out, &p);
}

static void *main_loop(void *arg) {
    struct survey *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct slot *x = s->slot;
        while (x < s->slot + SLOTS && x->state != SLOT_WANTED) x++;
        if (x == s->slot + SLOTS) {
            pthread_cond_wait(&s->wake, &s->lock);
            continue;
        }
        struct survey_answer made = { 0 };
        struct survey_request r = x->request;
        struct survey_load load = x->load;
        x->state = SLOT_DOING;
        if (s->nda_of != s->forgotten) {
            nda_query_free(s->nda);
            s->nda = NULL;
            s->nda_of = s->forgotten;
        }
        atomic_store(&s->cancel, 0);
        atomic_store(&s->part, 0);
        pthread_mutex_unlock(&s->lock);
        made.drop = load.drop;
        enum status st = x == &s->slot[LOAD] ? load.run(s->store, load.what, &made.loaded) : compute(s, &r, &made);
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
    for (int k = 0; k < SLOTS; k++) survey_answer_free(&s->slot[k].answer);
    nda_query_free(s->nda);
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
    if (a->kind == SURVEY_MAPS && (a->query.split != b->query.split || a->query.index != b->query.index)) return 0;
    return a->kind == b->kind && (a->kind == SURVEY_BY_PIXELS || a->kind == SURVEY_MAPS || a->score_set == b->score_set) &&
           (a->kind == SURVEY_TOTALS || (a->item.split == b->item.split && a->item.index == b->item.index));
}

/* What a slot has for the request that it holds; 0: nothing yet. */
static int take(struct slot *x, struct survey_answer *out) {
    if (x->state == SLOT_THERE) {
        *out = x->answer;
        memset(&x->answer, 0, sizeof x->answer);
        x->state = SLOT_IDLE;
        return 1;
    }
    if (x->state != SLOT_FAILED) return 0;
    fail(x->status, "%s", x->message);
    x->state = SLOT_IDLE;
    return -1;
}

static void want(struct survey *s, struct slot *x) {
    if (x->state == SLOT_DOING) atomic_store(&s->cancel, 1);
    x->state = SLOT_WANTED;
    pthread_cond_signal(&s->wake);
}

int survey_get(struct survey *s, const struct survey_request *r, struct survey_answer *out, double *part) {
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&s->lock);
    struct slot *x = &s->slot[r->kind];
    int mine = same(&x->request, r);
    if (part) *part = x->state == SLOT_DOING && mine ? atomic_load(&s->part) : 0;
    int answer = mine ? take(x, out) : 0;
    if (!mine || (answer == 0 && x->state == SLOT_IDLE)) {
        x->request = *r;
        want(s, x);
    }
    pthread_mutex_unlock(&s->lock);
    return answer;
}

int survey_load(struct survey *s, const struct survey_load *l, void **out) {
    struct survey_answer got = { 0 };
    pthread_mutex_lock(&s->lock);
    struct slot *x = &s->slot[LOAD];
    int mine = x->load.run == l->run && strcmp(x->load.what, l->what) == 0;
    int answer = mine ? take(x, &got) : 0;
    if (!mine || (answer == 0 && x->state == SLOT_IDLE)) {
        x->load = *l;
        want(s, x);
    }
    pthread_mutex_unlock(&s->lock);
    *out = got.loaded;
    return answer;
}

void survey_forget(struct survey *s) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    for (int k = 0; k < SLOTS; k++) {
        survey_answer_free(&s->slot[k].answer);
        s->slot[k].state = SLOT_IDLE;
    }
    s->forgotten++;
    atomic_store(&s->cancel, 1);
    pthread_mutex_unlock(&s->lock);
}

int survey_busy(struct survey *s) {
    int busy = 0;
    if (!s) return 0;
    pthread_mutex_lock(&s->lock);
    for (int k = 0; k < SLOTS; k++) busy |= s->slot[k].state == SLOT_WANTED || s->slot[k].state == SLOT_DOING;
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
