/* live.c - the thread behind live.h, and the decomposition that it keeps. */
#include "dtrak/live.h"

#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/ridge.h"
#include "dtrak/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ANSWERS 16    /* kept, for stepping back and forth */

struct answer {
    struct live_request request;
    int there;            /* 1: score; -1: message */
    float *score;
    size_t n;
    double lambda_rel, lambda_abs;
    enum status status;
    char message[240];
};

/* What the thread keeps between requests: all of one train feature set. */
struct basis {
    struct feature_set train;
    struct ridge *ridge;
    int from_kernel;
    double *norm;                        /* of the train rows */
    struct rows rows;                    /* when from features; read through the thread's store */
    double *cross[SPLIT_COUNT];          /* when from the kernel */
    size_t cross_rows[SPLIT_COUNT];
};

struct live {
    struct store *store;
    struct basis basis;
    pthread_t thread;
    int has_thread;
    atomic_int cancel;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct answer answer[ANSWERS];
    size_t next;                         /* answer to overwrite */
    struct live_request wanted, doing;
    int has_wanted, is_doing, stop;
    void (*on_change)(void *ctx);
    void *ctx;
};

static int same(const struct live_request *a, const struct live_request *b) {
    return a->score_set == b->score_set && a->query.split == b->query.split &&
           a->query.index == b->query.index && a->lambda.kind == b->lambda.kind &&
           !(a->lambda.value < b->lambda.value) && !(a->lambda.value > b->lambda.value);
}

/* --- the basis --- */

static void basis_free(struct basis *b) {
    ridge_free(b->ridge);
    mem_free(b->norm);
    for (int s = 0; s < SPLIT_COUNT; s++) mem_free(b->cross[s]);
    memset(b, 0, sizeof *b);
}

static enum status read_rows(void *ctx, size_t first, size_t count, float *out) {
    struct live *l = ctx;
    return store_features_read(l->store, &l->basis.train, first, count, out);
}

static enum status find_features(struct store *s, const struct score_set *set, enum split split,
                                 struct feature_set *out) {
    struct feature_set_list list = { NULL, 0 };
    TRY(store_feature_sets_list(s, &list));
    int found = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct feature_set *f = &list.set[i];
        if (f->identity.split != split || f->checkpoint != set->checkpoint[0] ||
            strcmp(f->identity.loss, set->loss) != 0 || f->identity.timesteps != set->timesteps ||
            f->identity.k != set->k)
            continue;
        if (found && !feature_set_is_better(f, out)) continue;
        *out = *f;
        found = 1;
    }
    feature_set_list_free(&list);
    return found ? OK : fail(ERR_MISSING, "neither features nor a kernel of this setting are stored");
}

static enum status from_kernel(struct live *l, const struct progress *p) {
    struct basis *b = &l->basis;
    double *packed = NULL, *full = NULL;
    size_t n = 0, cols = 0;

    TRY(store_kernel_get(l->store, b->train.id, KERNEL_GRAM, SPLIT_TRAIN, &n, &cols, &packed));
    full = n <= SIZE_MAX / 8 / (n ? n : 1) ? mem_array(n * n, sizeof *full) : NULL;
    if (!full) {
        mem_free(packed);
        return fail(ERR_NOMEM, "lambda: no memory for a Gram matrix of %zu x %zu", n, n);
    }
    for (size_t i = 0, at = 0; i < n; i++)
        for (size_t j = i; j < n; j++, at++) full[i * n + j] = full[j * n + i] = packed[at];
    mem_free(packed);
    b->from_kernel = 1;
    return ridge_new(&b->ridge, full, n, b->train.identity.k, p);
}

static enum status basis_make(struct live *l, const struct feature_set *train, const struct progress *p) {
    struct basis *b = &l->basis;
    int has = 0;
    enum status st = OK;

    if (b->ridge && b->train.id == train->id) return OK;
    basis_free(b);
    b->train = *train;
    b->rows = (struct rows){ train->rows, train->identity.k, read_rows, l, NULL };
    TRY_TO(store_kernel_has(l->store, train->id, KERNEL_GRAM, SPLIT_TRAIN, &has));
    if (has) {
        st = from_kernel(l, p);
    } else if (train->rows_done < train->rows || train->rows == 0) {
        st = fail(ERR_MISSING, "the features of this setting are not complete: %zu of %zu training items",
                  train->rows_done, train->rows);
    } else {
        st = ridge_new_rows(&b->ridge, &b->rows, p);
    }
    if (st != OK) goto done;
    b->norm = mem_array(ridge_train_count(b->ridge) + 1, sizeof *b->norm);
    if (!b->norm) st = fail(ERR_NOMEM, "lambda: out of memory");
    else st = ridge_diagonals(b->ridge, 1, NULL, NULL, b->norm);
done:
    if (st != OK) basis_free(b);
    return st;
}

/* Coordinates of the query in the basis. */
static enum status locate(struct live *l, const struct score_set *set, struct item_ref query,
                          double *coords, const struct progress *p) {
    struct basis *b = &l->basis;
    enum status st;

    if (b->from_kernel) {
        size_t cols = 0, n = ridge_train_count(b->ridge);
        if (!b->cross[query.split])
            TRY(store_kernel_get(l->store, b->train.id, KERNEL_CROSS, query.split,
                                 &b->cross_rows[query.split], &cols, &b->cross[query.split]));
        else cols = n;
        if (query.index >= b->cross_rows[query.split] || cols != n)
            return fail(ERR_MISSING, "the stored kernel does not have %s:%zu", split_name(query.split),
                        query.index);
        return ridge_query_from_cross(b->ridge, b->cross[query.split] + query.index * n, 1, coords);
    }
    struct feature_set f;
    TRY(find_features(l->store, set, query.split, &f));
    float *row = mem_array(f.identity.k + 1, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "lambda: out of memory");
    st = store_features_read(l->store, &f, query.index, 1, row);
    if (st == OK) st = ridge_query_rows(b->ridge, &b->rows, row, 1, coords, p);
    mem_free(row);
    return st;
}

static enum status score_at(struct live *l, enum method m, double absolute, const double *coords,
                            struct answer *out) {
    const struct ridge *r = l->basis.ridge;
    size_t n = ridge_train_count(r);
    double *relative = NULL, *score = mem_array(n + 1, sizeof *score);
    enum status st = OK;

    out->score = mem_array(n + 1, sizeof *out->score);
    if (m == METHOD_RELATIVE_IF) {
        relative = mem_array(n + 1, sizeof *relative);
        if (relative) st = ridge_diagonals(r, absolute, NULL, relative, NULL);
    }
    if (!score || !out->score || (m == METHOD_RELATIVE_IF && !relative))
        st = fail(ERR_NOMEM, "lambda: out of memory");
    struct method_inputs in = { .M = 1, .N = n, .train_norm = l->basis.norm, .ridge = r,
                                .coords = coords, .relative = relative, .lambda_abs = absolute };
    if (st == OK) st = method_scores(m, &in, score);
    if (st == OK) {
        for (size_t i = 0; i < n; i++) out->score[i] = (float)score[i];
        out->n = n;
    }
    mem_free(score);
    mem_free(relative);
    return st;
}

static enum status compute(struct live *l, const struct live_request *q, struct answer *out,
                           const struct progress *p) {
    struct score_set set;
    struct feature_set train;
    double *coords = NULL;
    enum status st = OK;

    TRY(store_score_set_get(l->store, q->score_set, &set));
    enum method m = method_parse(set.method, NULL);
    if (m == METHOD_COUNT || !method_has_lambda(m) || set.checkpoints != 1)
        return fail(ERR_RANGE, "%s over %zu checkpoints has no lambda to step", set.method, set.checkpoints);
    TRY(find_features(l->store, &set, SPLIT_TRAIN, &train));
    TRY(basis_make(l, &train, p));
    const struct ridge *r = l->basis.ridge;
    size_t n = ridge_train_count(r);
    coords = mem_array(ridge_rank(r) + 1, sizeof *coords);
    if (!coords) return fail(ERR_NOMEM, "lambda: out of memory");
    TRY_TO(locate(l, &set, q->query, coords, p));
    TRY_TO(lambda_resolve(&out->lambda_abs, q->lambda, ridge_eigenvalues(r), ridge_rank(r),
                          ridge_trace(r), n, ridge_feature_count(r)));
    out->lambda_rel = lambda_to_relative(out->lambda_abs, ridge_trace(r), n);
    st = score_at(l, m, out->lambda_abs, coords, out);
done:
    mem_free(coords);
    return st;
}

/* --- the thread --- */

static void *main_loop(void *arg) {
    struct live *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (!l->has_wanted) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        struct answer made;
        struct progress p = { NULL, NULL, &l->cancel };
        memset(&made, 0, sizeof made);
        l->doing = l->wanted;
        l->is_doing = 1;
        l->has_wanted = 0;
        atomic_store(&l->cancel, 0);
        pthread_mutex_unlock(&l->lock);
        made.request = l->doing;
        made.status = compute(l, &made.request, &made, &p);
        made.there = made.status == OK ? 1 : -1;
        if (made.status != OK) {
            snprintf(made.message, sizeof made.message, "%s", fail_reason());
            mem_free(made.score);
            made.score = NULL;
        }
        pthread_mutex_lock(&l->lock);
        l->is_doing = 0;
        if (made.status != ERR_CANCELLED) {
            mem_free(l->answer[l->next].score);
            l->answer[l->next] = made;
            l->next = (l->next + 1) % ANSWERS;
        }
        if (l->on_change && !l->stop) l->on_change(l->ctx);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

enum status live_open(struct live **out, const char *db, void (*on_change)(void *ctx), void *ctx) {
    sigset_t all, old;
    *out = NULL;
    struct live *l = mem_array(1, sizeof *l);
    if (!l) return fail(ERR_NOMEM, "lambda: out of memory");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->on_change = on_change;
    l->ctx = ctx;
    enum status st = store_open(&l->store, db, STORE_READ);
    if (st == OK) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        int rc = pthread_create(&l->thread, NULL, main_loop, l);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (rc) st = fail(ERR_IO, "the lambda thread could not be started: %s", strerror(rc));
        else l->has_thread = 1;
    }
    if (st != OK) live_close(l);
    else *out = l;
    return st;
}

void live_close(struct live *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    atomic_store(&l->cancel, 1);
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (l->has_thread) pthread_join(l->thread, NULL);
    basis_free(&l->basis);
    for (size_t i = 0; i < ANSWERS; i++) mem_free(l->answer[i].score);
    store_close(l->store);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

int live_get(struct live *l, const struct live_request *r, float **score, size_t *n,
             double *lambda_rel, double *lambda_abs) {
    int answer = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < ANSWERS && answer == 0; i++) {
        struct answer *a = &l->answer[i];
        if (!a->there || !same(&a->request, r)) continue;
        answer = a->there;
        if (answer < 0) {           /* said once: what was missing may be made meanwhile */
            fail(a->status, "%s", a->message);
            a->there = 0;
            break;
        }
        *score = mem_array(a->n ? a->n : 1, sizeof **score);
        if (!*score) { fail(ERR_NOMEM, "lambda: out of memory"); answer = -1; break; }
        memcpy(*score, a->score, a->n * sizeof **score);
        *n = a->n;
        *lambda_rel = a->lambda_rel;
        *lambda_abs = a->lambda_abs;
    }
    if (answer == 0 && !(l->is_doing && same(&l->doing, r))) {
        /* The decomposition serves every lambda of a set; only another set is worth stopping for. */
        if (l->is_doing && l->doing.score_set != r->score_set) atomic_store(&l->cancel, 1);
        l->wanted = *r;
        l->has_wanted = 1;
        pthread_cond_signal(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return answer;
}

int live_busy(struct live *l) {
    if (!l) return 0;
    pthread_mutex_lock(&l->lock);
    int b = l->has_wanted || l->is_doing;
    pthread_mutex_unlock(&l->lock);
    return b;
}

void live_on_change(struct live *l, void (*fn)(void *ctx), void *ctx) {
    pthread_mutex_lock(&l->lock);
    l->on_change = fn;
    l->ctx = ctx;
    pthread_mutex_unlock(&l->lock);
}
