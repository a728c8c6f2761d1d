/* live.c - the thread behind live.h, and the decomposition that it keeps. */
#include "dtrak/live.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/pipeline.h"
#include "dtrak/ridge.h"
#include "dtrak/ridge_steps.h"
#include "dtrak/store.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ANSWERS 16    /* kept, for stepping back and forth */
#define STEPPERS 8    /* queries with a Krylov basis */
#define VECTORS 800   /* of one, at most */
#define TOLERANCE 1e-5
#define ROWS_BYTES ((size_t)32 << 20)   /* of features, read at a time */

struct answer {
    struct live_request request;
    int there;            /* 1: score; -1: message */
    float *score;
    size_t n;
    double lambda_rel, lambda_abs, d_eff;   /* d_eff: NAN where no eigenvalue is known */
    enum status status;
    char message[240];
};

/* What the thread keeps between requests: all of one train feature set. */
struct basis {
    struct feature_set train;
    struct ridge *ridge;
    int from_kernel;
    double *norm;                        /* of the train rows */
    struct rows rows;                    /* when from features */
    struct rows_memory memory;
    float *phi;                          /* all of them, where there is room */
    double *gram, trace;                 /* packed, when steps come from the kernel; of either */
    struct stepper { struct item_ref query; struct ridge_steps *steps; } stepper[STEPPERS];
    size_t next_stepper;
    double *cross[SPLIT_COUNT];          /* when from the kernel */
    size_t cross_rows[SPLIT_COUNT];
    double *own;                         /* [n], of a query that is younger than the kernel */
};

struct live {
    struct store *store;
    struct basis basis;
    struct pool *pool;
    atomic_size_t small;                 /* fewer training items are decomposed */
    pthread_t thread;
    int has_thread;
    atomic_int cancel;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct answer answer[ANSWERS];
    size_t next;                         /* answer to overwrite */
    struct live_request wanted, doing;
    int has_wanted, is_doing, stop;
    unsigned forgotten, basis_of;        /* times that live_forget() was called, and when the basis was begun */
    void (*on_change)(void *ctx);
    void *ctx;
};

static int same(const struct live_request *a, const struct live_request *b) {
    return a->score_set == b->score_set && !strcmp(a->created, b->created) && a->query.split == b->query.split &&
           a->query.index == b->query.index && a->lambda.kind == b->lambda.kind &&
           !(a->lambda.value < b->lambda.value) && !(a->lambda.value > b->lambda.value);
}

/* --- the basis --- */

static void basis_free(struct basis *b) {
    ridge_free(b->ridge);
    for (size_t i = 0; i < STEPPERS; i++) ridge_steps_free(b->stepper[i].steps);
    mem_free(b->norm);
    mem_free(b->phi);
    mem_free(b->gram);
    for (int s = 0; s < SPLIT_COUNT; s++) mem_free(b->cross[s]);
    mem_free(b->own);
    memset(b, 0, sizeof *b);
}

static enum status read_rows(void *ctx, size_t first, size_t count, float *out) {
    struct live *l = ctx;
    return store_features_read(l->store, &l->basis.train, first, count, out);
}

/* The training features behind a score set. */
static enum status find_train(struct store *s, const struct score_set *set, struct feature_set *out) {
    struct feature_set_list list = { NULL, 0 };
    TRY(store_feature_sets_list(s, &list));
    int found = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct feature_set *f = &list.set[i];
        if (f->identity.split != SPLIT_TRAIN || f->checkpoint != set->checkpoint[0] || !pipeline_may_be_made_of(set, f)) continue;
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
    if (n != b->train.rows) {   /* the other kernel's rows are as long as those */
        mem_free(packed);
        return fail(ERR_MISSING, "the stored kernel is of %zu training items, not %zu", n, b->train.rows);
    }
    full = n <= SIZE_MAX / 8 / (n ? n : 1) ? mem_array(n * n, sizeof *full) : NULL;
    if (!full) {
        mem_free(packed);
        return fail(ERR_NOMEM, "lambda: no memory for a Gram matrix of %zu x %zu", n, n);
    }
    for (size_t i = 0, at = 0; i < n; i++)
        for (size_t j = i; j < n; j++, at++) full[i * n + j] = full[j * n + i] = packed[at];
    mem_free(packed);
    return ridge_new(&b->ridge, full, n, b->train.identity.k, p);
}

/* The set in hand becomes that of the request: nothing is read yet but what there is. */
static enum status basis_begin(struct live *l, const struct feature_set *train) {
    struct basis *b = &l->basis;

    if (b->train.id == train->id && !strcmp(b->train.created, train->created) && b->train.rows == train->rows) return OK;
    basis_free(b);
    b->rows = (struct rows){ train->rows, train->identity.k, read_rows, l, NULL };
    TRY(store_kernel_has(l->store, train->id, KERNEL_GRAM, SPLIT_TRAIN, &b->from_kernel));
    if (!b->from_kernel && (train->rows_done < train->rows || train->rows == 0 || train->dropped))
        return fail(ERR_MISSING, "the features of this setting are not complete: %zu of %zu training items",
                    train->rows_done, train->rows);
    b->train = *train;
    return OK;
}

/* The features, for as long as this set is in hand, when they take at most a quarter
 * of the memory. */
static enum status load_rows(struct live *l, const struct progress *p) {
    struct basis *b = &l->basis;
    size_t n = b->train.rows, k = b->train.identity.k;

    if (b->phi || n > mem_default_cap() / 2 / sizeof *b->phi / k) return OK;
    float *phi = mem_array(n * k, sizeof *phi);
    if (!phi) return OK;   /* then they are read each time */
    for (size_t i = 0; i < n; i += 256) {
        size_t count = n - i < 256 ? n - i : 256;
        enum status st = progress_check(p);
        if (st == OK) st = store_features_read(l->store, &b->train, i, count, phi + i * k);
        if (st != OK) {
            mem_free(phi);
            return st;
        }
    }
    b->phi = phi;
    b->memory = (struct rows_memory){ phi, k };
    b->rows = rows_in_memory(&b->memory, n);
    return OK;
}

static enum status stored_basis(struct live *l, struct basis_info *info, int *there) {
    const struct feature_set *f = &l->basis.train;
    enum status st = store_basis_find(l->store, f->id, info);
    *there = 0;
    if (st == ERR_MISSING) return OK;
    TRY(st);
    *there = info->complete && info->n == f->rows && info->k == f->identity.k && (!info->primal || !l->basis.from_kernel);
    return OK;
}

/* The decomposition: the stored one, or one made here. */
static enum status basis_make(struct live *l, const struct progress *p) {
    struct basis *b = &l->basis;
    struct basis_info info;
    double *values, *vectors;
    int there;

    if (b->ridge) return OK;
    if (!b->from_kernel) TRY(load_rows(l, p));
    TRY(stored_basis(l, &info, &there));
    if (there) {
        TRY(store_basis_read(l->store, &info, &values, &vectors));
        TRY(ridge_new_basis(&b->ridge, vectors, values, info.rank, info.primal, info.n, info.k, info.trace, &b->rows));
    } else {
        double bytes = ridge_bytes(b->train.rows, b->train.identity.k);
        if (bytes > (double)mem_default_cap())
            return fail(ERR_RANGE, "%zu training items with k %zu are too many to step lambda here (%.0f GB of memory); r computes this query",
                        b->train.rows, b->train.identity.k, bytes / 1e9);
        TRY(b->from_kernel ? from_kernel(l, p) : ridge_new_rows(&b->ridge, &b->rows, p));
    }
    mem_free(b->norm);
    b->norm = mem_array(ridge_train_count(b->ridge) + 1, sizeof *b->norm);
    enum status st = b->norm ? ridge_diagonals(b->ridge, 1, NULL, NULL, b->norm) : fail(ERR_NOMEM, "lambda: out of memory");
    if (st != OK) {   /* not half of it */
        ridge_free(b->ridge);
        b->ridge = NULL;
    }
    return st;
}


static enum status query_row(struct live *l, struct item_ref query, float **row) {
    struct feature_set f;
    /* Made as the training items' were, in every respect. */
    struct feature_identity id = l->basis.train.identity;
    id.split = query.split;
    enum status st = store_feature_set_find(l->store, &id, &f);
    if (st == ERR_MISSING) return fail(ERR_MISSING, "neither features nor a kernel of this setting are stored");
    TRY(st);
    *row = mem_array(f.identity.k + 1, sizeof **row);
    if (!*row) return fail(ERR_NOMEM, "lambda: out of memory");
    st = store_features_read(l->store, &f, query.index, 1, *row);
    if (st != OK) mem_free(*row);
    return st;
}

/* The same of a query that the kernel does not have: from features, where they are there. */
static enum status own_row(struct live *l, struct item_ref query, const double **row, const struct progress *p) {
    struct basis *b = &l->basis;
    struct feature_set f;
    float *q;
    enum status st = store_feature_set_find(l->store, &b->train.identity, &f);
    if (st == OK && (f.dropped || f.rows != b->train.rows || f.rows_done < f.rows)) st = ERR_MISSING;
    if (st == OK) st = query_row(l, query, &q);
    if (st == ERR_MISSING)
        return fail(ERR_MISSING, "the stored kernel does not have %s:%zu, and features of this setting are not stored", split_name(query.split),
                    query.index);
    TRY(st);
    if (!b->own) b->own = mem_array(b->train.rows + 1, sizeof *b->own);
    st = b->own ? load_rows(l, p) : fail(ERR_NOMEM, "lambda: out of memory");
    if (st == OK) st = rows_cross(&b->rows, q, 1, b->own, ROWS_BYTES, p);
    mem_free(q);
    *row = b->own;
    return st;
}

/* A query's products with the training items, from the kernel. */
static enum status kernel_row(struct live *l, struct item_ref query, const double **row, const struct progress *p) {
    struct basis *b = &l->basis;
    size_t cols = b->train.rows;
    enum status st = OK;
    if (!b->cross[query.split])
        st = store_kernel_get(l->store, b->train.id, KERNEL_CROSS, query.split, &b->cross_rows[query.split], &cols,
                              &b->cross[query.split]);
    if (st != OK && st != ERR_MISSING) return st;
    if (!b->cross[query.split] || query.index >= b->cross_rows[query.split] || cols != b->train.rows) return own_row(l, query, row, p);
    *row = b->cross[query.split] + query.index * cols;
    return OK;
}

/* --- steps: a Krylov basis for the query --- */

/* Norms and their sum of squares, and what the products come from. */
static enum status steps_begin(struct live *l, const struct progress *p) {
    struct basis *b = &l->basis;
    size_t n = b->train.rows, rows = 0, cols = 0;

    if (b->trace > 0) return OK;
    if (b->from_kernel) {
        TRY(store_kernel_get(l->store, b->train.id, KERNEL_GRAM, SPLIT_TRAIN, &rows, &cols, &b->gram));
        if (rows != n) return fail(ERR_MISSING, "the stored kernel is of %zu training items, not %zu", rows, n);
    } else {
        TRY(load_rows(l, p));
        if (!b->phi) return OK;
    }
    if (!b->norm) b->norm = mem_array(n + 1, sizeof *b->norm);
    if (!b->norm) return fail(ERR_NOMEM, "lambda: out of memory");
    if (b->phi) TRY(rows_norms(&b->rows, b->norm, 0));
    for (size_t i = 0, at = 0; b->gram && i < n; at += n - i, i++) b->norm[i] = sqrt(b->gram[at]);
    for (size_t i = 0; i < n; i++) b->trace += b->norm[i] * b->norm[i];
    return OK;
}

static enum status steps_of(struct live *l, struct item_ref query, struct ridge_steps **out, const struct progress *p) {
    struct basis *b = &l->basis;
    for (size_t i = 0; i < STEPPERS; i++)
        if (b->stepper[i].steps && b->stepper[i].query.split == query.split && b->stepper[i].query.index == query.index) {
            *out = b->stepper[i].steps;
            return OK;
        }
    if (b->from_kernel) {
        const double *cross;
        TRY(kernel_row(l, query, &cross, p));
        TRY(ridge_steps_new_gram(out, b->gram, b->train.rows, cross));
    } else {
        float *row;
        TRY(query_row(l, query, &row));
        enum status st = ridge_steps_new(out, b->phi, b->train.rows, b->train.identity.k, row, l->pool);
        mem_free(row);
        TRY(st);
    }
    struct stepper *s = &b->stepper[b->next_stepper++ % STEPPERS];
    ridge_steps_free(s->steps);
    *s = (struct stepper){ query, *out };
    return OK;
}

/* *lambda_abs of a request, where that does not take eigenvalues; else 0. */
static double lambda_without_basis(const struct basis *b, const struct score_set *set, struct lambda lambda) {
    if (lambda.kind == LAMBDA_ABSOLUTE) return lambda.value;
    if (lambda.kind == LAMBDA_RELATIVE) return lambda_to_absolute(lambda.value, b->trace, b->train.rows);
    return !strcmp(set->lambda_spec, "auto") && set->lambda_abs > 0 ? set->lambda_abs : 0;
}

/* *done = 1 when the answer was found this way. */
static enum status try_steps(struct live *l, const struct score_set *set, const struct live_request *q, enum method m,
                             struct answer *out, int *done, const struct progress *p) {
    struct basis *b = &l->basis;
    struct basis_info info;
    struct ridge_steps *steps;
    enum status st = OK;
    double *score = NULL, error = 0;
    size_t n = b->train.rows;
    int stored;

    *done = 0;
    if (b->ridge || n < atomic_load(&l->small) || (m != METHOD_TRAK && m != METHOD_RENORM_IF)) return OK;
    TRY(stored_basis(l, &info, &stored));
    if (stored) return OK;
    TRY(steps_begin(l, p));
    double absolute = b->trace > 0 ? lambda_without_basis(b, set, q->lambda) : 0;
    if (!(absolute > 0)) return OK;
    TRY(steps_of(l, q->query, &steps, p));
    score = mem_array(n + 1, sizeof *score);
    out->score = mem_array(n + 1, sizeof *out->score);
    if (!score || !out->score) {
        st = fail(ERR_NOMEM, "lambda: out of memory");
        goto done;
    }
    TRY_TO(ridge_steps_scores(steps, absolute, TOLERANCE, VECTORS, score, &error, p));
    if (error > TOLERANCE) goto done;
    if (m == METHOD_RENORM_IF) {
        double *by = mem_array(n, sizeof *by);
        if (!by) {
            st = fail(ERR_NOMEM, "lambda: out of memory");
            goto done;
        }
        method_inverse_norms(by, b->norm, n);
        for (size_t i = 0; i < n; i++) score[i] *= by[i];
        mem_free(by);
    }
    for (size_t i = 0; i < n; i++) out->score[i] = (float)score[i];
    out->n = n;
    out->lambda_abs = absolute;
    out->lambda_rel = lambda_to_relative(absolute, b->trace, n);
    *done = 1;
done:
    mem_free(score);
    if (!*done) {
        mem_free(out->score);
        out->score = NULL;
    }
    return st;
}

/* --- the eigenbasis --- */

/* Coordinates of the query in the basis. */
static enum status locate(struct live *l, struct item_ref query, double *coords, const struct progress *p) {
    struct basis *b = &l->basis;
    const double *cross;
    float *row;

    if (b->from_kernel) {
        TRY(kernel_row(l, query, &cross, p));
        return ridge_query_from_cross(b->ridge, cross, 1, coords);
    }
    TRY(query_row(l, query, &row));
    enum status st = ridge_query_rows(b->ridge, &b->rows, row, 1, coords, p);
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
    TRY(find_train(l->store, &set, &train));
    int done;
    TRY(basis_begin(l, &train));
    TRY(try_steps(l, &set, q, m, out, &done, p));
    if (done) return OK;
    TRY(basis_make(l, p));
    const struct ridge *r = l->basis.ridge;
    size_t n = ridge_train_count(r);
    coords = mem_array(ridge_rank(r) + 1, sizeof *coords);
    if (!coords) return fail(ERR_NOMEM, "lambda: out of memory");
    TRY_TO(locate(l, q->query, coords, p));
    TRY_TO(lambda_resolve(&out->lambda_abs, q->lambda, ridge_eigenvalues(r), ridge_rank(r),
                          ridge_trace(r), n, ridge_feature_count(r)));
    out->lambda_rel = lambda_to_relative(out->lambda_abs, ridge_trace(r), n);
    out->d_eff = ridge_effective_dimension(r, out->lambda_abs);
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
        made.d_eff = NAN;
        made.request = l->doing = l->wanted;
        l->is_doing = 1;
        l->has_wanted = 0;
        int is_stale = l->basis_of != l->forgotten;
        l->basis_of = l->forgotten;
        atomic_store(&l->cancel, 0);
        pthread_mutex_unlock(&l->lock);
        if (is_stale) basis_free(&l->basis);
        made.status = compute(l, &made.request, &made, &p);
        made.there = made.status == OK ? 1 : -1;
        if (made.status != OK) {
            snprintf(made.message, sizeof made.message, "%s", fail_reason());
            mem_free(made.score);
            made.score = NULL;
        }
        pthread_mutex_lock(&l->lock);
        l->is_doing = 0;
        if (l->basis_of != l->forgotten) {
            mem_free(made.score);
        } else if (made.status != ERR_CANCELLED) {
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
    atomic_store(&l->small, 1500);
    /* The pool's threads call BLAS for themselves: with threads of its own it would wait for them most of the time. */
    linalg_set_threads(1);
    enum status st = store_open(&l->store, db, STORE_READ);
    if (st == OK) st = pool_new(&l->pool, 0);
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
    pool_free(l->pool);
    store_close(l->store);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

double live_effective_dimension(struct live *l, const struct live_request *r) {
    double d = NAN;
    if (!l) return d;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < ANSWERS; i++)
        if (l->answer[i].there > 0 && same(&l->answer[i].request, r)) d = l->answer[i].d_eff;
    pthread_mutex_unlock(&l->lock);
    return d;
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
    if (answer == 0 && !(l->is_doing && l->basis_of == l->forgotten && same(&l->doing, r))) {
        /* The decomposition serves every lambda of a set; only another set is worth stopping for. */
        if (l->is_doing && l->doing.score_set != r->score_set) atomic_store(&l->cancel, 1);
        l->wanted = *r;
        l->has_wanted = 1;
        pthread_cond_signal(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
    return answer;
}

void live_forget(struct live *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < ANSWERS; i++) {
        mem_free(l->answer[i].score);
        memset(&l->answer[i], 0, sizeof l->answer[i]);
    }
    l->forgotten++;
    l->has_wanted = 0;
    atomic_store(&l->cancel, 1);
    pthread_mutex_unlock(&l->lock);
}

int live_busy(struct live *l) {
    if (!l) return 0;
    pthread_mutex_lock(&l->lock);
    int b = l->has_wanted || l->is_doing;
    pthread_mutex_unlock(&l->lock);
    return b;
}

void live_decompose_below(struct live *l, size_t items) {
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->small, items);
    pthread_mutex_unlock(&l->lock);
}

void live_on_change(struct live *l, void (*fn)(void *ctx), void *ctx) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->on_change = fn;
    l->ctx = ctx;
    pthread_mutex_unlock(&l->lock);
}
