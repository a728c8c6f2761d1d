/* nda.c - nonparametric attribution by softmax over training patches.
 *
 * The softmax runs over far more pairs than memory holds.  So training images go by
 * in blocks; each leaves one number per position, the log of its own sum, relative to
 * the running log of the denominator, and when all have gone by the denominator is known. */
#include "dtrak/nda.h"

#include "dtrak/mem.h"
#include "dtrak/patch.h"
#include "dtrak/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, BINS = 48 };
#define NEGLIGIBLE 36.0   /* nats: a weight of 2e-16 of the largest; an image of so little stands for its top-k */
#define NEAR_F32 24.0     /* what a top-k looks at: 1,000 weights of e^-24 of the largest are below float32's grain */

static struct patch_shape shape_of(const struct nda *o) {
    return (struct patch_shape){ o->C, o->H, o->W, o->patch, o->is_down ? 2u : 1u };
}

static const struct schedule *schedule_of(const struct nda *o) {
    return o->schedule ? o->schedule : schedule_default();
}

size_t nda_rows(const struct nda *o) { return o->patch ? patch_rows(shape_of(o)) : 0; }
size_t nda_cols(const struct nda *o) { return o->patch ? patch_cols(shape_of(o)) : 0; }

enum status nda_check(const struct nda *o) {
    size_t side = o->H < o->W ? o->H : o->W;
    if (!o->C || !side) return fail(ERR_RANGE, "nda: images of %zu x %zu x %zu", o->C, o->H, o->W);
    if (!o->patch || o->patch > 2 * side)
        return fail(ERR_USAGE, "nda: a patch of %zu pixels; 1 to %zu fit images of %zu x %zu", o->patch, 2 * side,
                    o->W, o->H);
    if (!nda_rows(o) || !nda_cols(o))
        return fail(ERR_USAGE, "nda: a patch of %zu pixels has no position in %zu x %zu; take %zu or less", o->patch,
                    o->W, o->H, side);
    if (o->is_down && o->patch % 2)
        return fail(ERR_USAGE, "nda: a downscaled patch is even, not %zu", o->patch);
    return OK;
}

static enum status timestep_check(const struct nda *o, size_t t) {
    size_t steps = schedule_steps(schedule_of(o));
    if (t >= steps) return fail(ERR_USAGE, "nda: timestep %zu; the last one is %zu", t, steps - 1);
    return OK;
}

/* What one thread needs; the arrays are float32 or, when exact, float64. */
struct work { void *image, *distance, *least, *sum, *scratch, *near, *within; size_t *count; };

struct job {
    const struct nda *o;
    struct patch_shape n;
    struct patch_run *runs;
    size_t run_count, distances, positions;   /* positions without padding */
    double scale, contrast;                   /* 1 / (2 sd^2); sqrt(alpha_bar) */
    void *query;
    struct work *work;
    size_t threads;
    /* of the block in hand */
    float *pixels;                /* [BLOCK][C * H * W] */
    double *whole, *top;          /* [BLOCK][positions]: log sums over all patches, over the topk */
    const double *before;         /* [positions] log of the denominator over the blocks before */
};

static size_t real_size(const struct nda *o) { return o->is_exact ? sizeof(double) : sizeof(float); }
static double value(const struct nda *o, const void *a, size_t i) {
    return o->is_exact ? ((const double *)a)[i] : (double)((const float *)a)[i];
}

/* Distances of a position, and a little more: at powers of two all positions would
 * share a few sets of the cache. */
static size_t near_room(const struct job *j) { return (j->positions + 31) / 32 * 32 + 16; }

static void work_free(struct work *w) {
    mem_free(w->image);
    mem_free(w->distance);
    mem_free(w->least);
    mem_free(w->sum);
    mem_free(w->scratch);
    mem_free(w->near);
    mem_free(w->count);
    mem_free(w->within);
}

static int work_init(struct work *w, const struct job *j) {
    size_t size = real_size(j->o), padded = patch_rows(j->n) * patch_stride(j->n);
    w->image = mem_array(patch_image_size(j->n), size);
    w->distance = mem_array(j->distances, size);
    w->least = mem_array(padded, size);
    w->sum = mem_array(padded, size);
    w->scratch = mem_array(patch_scratch_size(j->n), size);
    if (j->o->topk) {
        w->near = mem_array(padded * near_room(j), size);
        w->count = mem_array(padded, sizeof *w->count);
        w->within = mem_array(padded, size);
    }
    return w->image && w->distance && w->least && w->sum && w->scratch &&
           (!j->o->topk || (w->near && w->count && w->within));
}

static void job_free(struct job *j) {
    for (size_t i = 0; j->work && i < j->threads; i++) work_free(&j->work[i]);
    mem_free(j->work);
    mem_free(j->runs);
    mem_free(j->query);
    mem_free(j->pixels);
    mem_free(j->whole);
    mem_free(j->top);
}

static void prepare(const struct job *j, void *out, const float *in, double scale) {
    if (j->o->is_exact) patch_prepare_f64(out, in, scale, j->n);
    else patch_prepare_f32(out, in, scale, j->n);
}

/* x = sqrt(ab) x_0 + sqrt(1 - ab) noise, ready for the kernels. */
static enum status prepare_query(struct job *j, const float *query, const float *noise, size_t t) {
    size_t D = j->n.C * j->n.H * j->n.W;
    float *x = mem_array(D, sizeof *x);
    if (!x) return fail(ERR_NOMEM, "nda: out of memory");
    schedule_noised(schedule_of(j->o), x, query, noise, D, t);
    prepare(j, j->query, x, 1);
    enum status st = OK;
    for (size_t i = 0; i < D && st == OK; i++)
        if (!isfinite(x[i])) st = fail(ERR_NUMERIC, "nda: pixel %zu of the query is not finite", i);
    mem_free(x);
    return st;
}

static enum status job_init(struct job *j, const struct nda *o, const float *query, const float *noise, size_t t,
                            size_t block, size_t threads) {
    TRY(nda_check(o));
    TRY(timestep_check(o, t));
    double ab = schedule_alpha_bar(schedule_of(o), t);
    *j = (struct job){ .o = o, .n = shape_of(o), .scale = 0.5 / (1 - ab), .contrast = sqrt(ab), .threads = threads };
    j->positions = nda_rows(o) * nda_cols(o);
    j->run_count = patch_runs(j->n, NULL, &j->distances);
    j->runs = mem_array(j->run_count, sizeof *j->runs);
    j->query = mem_array(patch_image_size(j->n), real_size(o));
    j->work = mem_array(threads, sizeof *j->work);
    j->pixels = mem_array(block * o->C * o->H * o->W, sizeof *j->pixels);
    j->whole = mem_array(block * j->positions, sizeof *j->whole);
    j->top = mem_array(block * j->positions, sizeof *j->top);
    int ok = j->runs && j->query && j->work && j->pixels && j->whole && j->top;
    for (size_t i = 0; i < threads && ok; i++) ok = work_init(&j->work[i], j);
    if (!ok) return fail(ERR_NOMEM, "nda: out of memory for the distances between patches of %zu x %zu pixels", o->H, o->W);
    patch_runs(j->n, j->runs, &j->distances);
    return prepare_query(j, query, noise, t);
}

static const struct patch_kernels *kernels_of(const struct job *j) {
    return j->o->is_exact ? patch_kernels_portable() : patch_kernels_best();
}

static void distances(const struct job *j, struct work *w, const float *image) {
    const struct patch_kernels *k = kernels_of(j);
    prepare(j, w->image, image, j->contrast);
    if (j->o->is_exact)
        k->fill_f64(w->distance, w->least, j->query, w->image, j->scale, j->n, j->runs, j->run_count, w->scratch);
    else
        k->fill_f32(w->distance, w->least, j->query, w->image, j->scale, j->n, j->runs, j->run_count, w->scratch);
}

static void sums(const struct job *j, struct work *w) {
    const struct patch_kernels *k = kernels_of(j);
    if (j->o->is_exact) k->sum_f64(w->sum, w->distance, w->least, j->n, j->runs, j->run_count);
    else k->sum_f32(w->sum, w->distance, w->least, j->n, j->runs, j->run_count);
}

/* --- the topk largest weights --- */

/* For both element types:
 * select    moves the k smallest of v[n] to its front (Hoare's selection)
 * log_top   log sum over the k smallest of v[n], all in [0, NEAR): whole bins of them below
 *           the one that the k-th is in, and of that the smallest
 * top       log sums over the topk of each position.  Where the whole image is nothing
 *           beside the images before it, so are its topk, and the whole stands in */
#define TOPK(REAL, suffix, NEAR) \
    static void select_##suffix(REAL *v, size_t n, size_t k) { \
        size_t lo = 0, hi = n;   /* the k-th boundary lies in lo..hi */ \
        while (hi - lo > 1) { \
            REAL pivot = v[lo + (hi - lo) / 2]; \
            size_t i = lo, j = hi - 1; \
            for (;;) { \
                while (v[i] < pivot) i++; \
                while (v[j] > pivot) j--; \
                if (i >= j) break; \
                REAL x = v[i]; \
                v[i++] = v[j]; \
                v[j--] = x; \
            } \
            size_t cut = i > lo ? i : lo + 1;   /* v[lo..cut) <= v[cut..hi) */ \
            if (k <= cut) hi = cut; \
            if (k >= cut) lo = cut; \
            if (k == cut) return; \
        } \
    } \
    static double log_top_##suffix(REAL *v, size_t n, size_t k) { \
        double sum = 0; \
        if (k < n) { \
            size_t bins[BINS + 1] = { 0 }, edge = 0, members = 0; \
            const REAL per_nat = (REAL)(BINS / NEAR); \
            for (size_t i = 0; i < n; i++) bins[(size_t)(v[i] * per_nat)]++; \
            while (bins[edge] < k) k -= bins[edge++]; \
            for (size_t i = 0; i < n; i++) { \
                size_t bin = (size_t)(v[i] * per_nat); \
                if (bin < edge) sum += exp(-(double)v[i]); \
                else if (bin == edge) v[members++] = v[i]; \
            } \
            n = members; \
            if (k < n) select_##suffix(v, n, k); \
        } \
        for (size_t i = 0; i < k && i < n; i++) sum += exp(-(double)v[i]); \
        return log(sum); \
    } \
    static void top_##suffix(const struct job *j, struct work *w, const double *whole, double *top) { \
        size_t cols = patch_cols(j->n), stride = patch_stride(j->n), room = near_room(j); \
        REAL *within = w->within, *near = w->near; \
        const REAL *least = w->least; \
        for (size_t i = 0; i < patch_rows(j->n) * stride; i++) within[i] = -1; \
        for (size_t at = 0; at < j->positions; at++) \
            within[at / cols * stride + at % cols] = (REAL)(whole[at] < j->before[at] - NEGLIGIBLE ? -1 : NEAR); \
        kernels_of(j)->near_##suffix(near, room, w->count, within, w->distance, least, j->n, j->runs, j->run_count); \
        for (size_t at = 0; at < j->positions; at++) { \
            size_t i = at / cols * stride + at % cols; \
            top[at] = within[i] < 0 ? whole[at] \
                                    : log_top_##suffix(near + i * room, w->count[i], j->o->topk) - (double)least[i]; \
        } \
    }
TOPK(float, f32, NEAR_F32)
TOPK(double, f64, NEGLIGIBLE)

static void one_image(void *ctx, size_t piece, size_t thread) {
    struct job *j = ctx;
    struct work *w = &j->work[thread];
    size_t cols = patch_cols(j->n), stride = patch_stride(j->n);
    double *whole = j->whole + piece * j->positions, *top = j->top + piece * j->positions;
    distances(j, w, j->pixels + piece * j->n.C * j->n.H * j->n.W);
    sums(j, w);
    for (size_t at = 0; at < j->positions; at++) {
        size_t i = at / cols * stride + at % cols;
        whole[at] = log(value(j->o, w->sum, i)) - value(j->o, w->least, i);
    }
    if (!j->o->topk) memcpy(top, whole, j->positions * sizeof *top);
    else if (j->o->is_exact) top_f64(j, w, whole, top);
    else top_f32(j, w, whole, top);
}

/* log(e^a + e^b); a may be -infinity. */
static double log_add(double a, double b) {
    double high = a > b ? a : b, low = a > b ? b : a;
    return high + log1p(exp(low - high));
}

/* What each image left behind: exact in float64, else relative to its block's running
 * denominator, where float32 is fine enough: what is far below will not count. */
struct kept { double *log64; float *log32; double *z; double *running; };   /* [N][P], z [P], running [blocks][P] */

static void kept_free(struct kept *k) {
    mem_free(k->log64);
    mem_free(k->log32);
    mem_free(k->z);
    mem_free(k->running);
}

static enum status kept_init(struct kept *k, const struct job *j, size_t N) {
    size_t P = j->positions, blocks = (N + BLOCK - 1) / BLOCK;
    *k = (struct kept){ 0 };
    if (j->o->is_exact) k->log64 = mem_array(N, P * sizeof *k->log64);
    else k->log32 = mem_array(N, P * sizeof *k->log32);
    k->z = mem_array(P, sizeof *k->z);
    k->running = mem_array(blocks, P * sizeof *k->running);
    if ((!k->log64 && !k->log32) || !k->z || !k->running)
        return fail(ERR_NOMEM, "nda: out of memory for %zu positions of %zu images", P, N);
    for (size_t i = 0; i < P; i++) k->z[i] = -INFINITY;
    return OK;
}

static void keep(struct kept *k, const struct job *j, size_t first, size_t count) {
    size_t P = j->positions;
    double *running = k->running + first / BLOCK * P;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < P; at++) k->z[at] = log_add(k->z[at], j->whole[i * P + at]);
    memcpy(running, k->z, P * sizeof *running);
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < P; at++) {
            double v = j->top[i * P + at] - running[at];
            if (k->log64) k->log64[(first + i) * P + at] = v;
            else k->log32[(first + i) * P + at] = (float)v;
        }
}

static double kept_sum(const struct kept *k, size_t P, size_t n) {
    const double *running = k->running + n / BLOCK * P;
    double sum = 0;
    for (size_t at = 0; at < P; at++) {
        double v = k->log64 ? k->log64[n * P + at] : (double)k->log32[n * P + at];
        sum += exp(v + (running[at] - k->z[at]));
    }
    return sum;
}

static enum status pixels_check(const float *x, size_t count, size_t D, size_t first) {
    for (size_t i = 0; i < count * D; i++)
        if (!isfinite(x[i])) return fail(ERR_NUMERIC, "nda: training image %zu holds a value that is not finite", first + i / D);
    return OK;
}

static enum status stream(struct kept *k, struct job *j, const struct rows *train, struct pool *pool,
                          const struct progress *p) {
    for (size_t first = 0; first < train->n; first += BLOCK) {
        size_t count = train->n - first < BLOCK ? train->n - first : BLOCK;
        TRY(progress_check(p));
        TRY(train->read(train->ctx, first, count, j->pixels));
        TRY(pixels_check(j->pixels, count, train->k, first));
        j->before = k->z;
        pool_run(pool, count, one_image, j);
        keep(k, j, first, count);
        progress_report(p, (double)(first + count), (double)train->n, "nda", "");
    }
    return OK;
}

enum status nda_scores(double *scores, double *log_z, const struct nda *o, const float *query, const float *noise,
                       size_t t, const struct rows *train, struct pool *pool, const struct progress *p) {
    enum status st = OK;
    struct job j = { 0 };
    struct kept k = { 0 };
    if (train->k != o->C * o->H * o->W || !train->n)
        return fail(ERR_RANGE, "nda: %zu training rows of %zu pixels; images are %zu x %zu x %zu", train->n, train->k,
                    o->C, o->H, o->W);
    TRY_TO(job_init(&j, o, query, noise, t, train->n < BLOCK ? train->n : BLOCK, pool_threads(pool)));
    TRY_TO(kept_init(&k, &j, train->n));
    TRY_TO(stream(&k, &j, train, pool, p));
    for (size_t n = 0; n < train->n; n++) scores[n] = kept_sum(&k, j.positions, n);
    if (log_z) memcpy(log_z, k.z, j.positions * sizeof *log_z);
done:
    kept_free(&k);
    job_free(&j);
    return st;
}

enum status nda_read_timesteps(size_t *t, size_t *T, const char *list) {
    *T = 0;
    for (const char *at = list; *at;) {
        size_t digits = strspn(at, "0123456789"), next = strtoul(at, NULL, 10);
        if (!digits || digits > 6 || (at[digits] && (at[digits] != ',' || !at[digits + 1])) ||
            (*T && next <= t[*T - 1]) || *T == NDA_TIMESTEPS_MAX)
            return fail(ERR_USAGE, "nda: '%s' is not a list of at most %d rising timesteps, as in 100,300,500", list, NDA_TIMESTEPS_MAX);
        t[(*T)++] = next;
        at += digits + (at[digits] == ',');
    }
    return *T ? OK : fail(ERR_USAGE, "nda: no timesteps");
}

enum status nda_plan_check(const struct nda_plan *o) {
    TRY(nda_check(&o->first));
    if (!o->T) return fail(ERR_USAGE, "nda: no timesteps");
    for (size_t i = 0; i < o->T; i++)
        TRY(timestep_check(&o->first, o->t[i]));
    if (!o->down_patch) return OK;
    struct nda down = o->first;
    down.patch = o->down_patch;
    down.is_down = 1;
    TRY(nda_check(&down));
    if (!(o->alpha >= 0) || !(o->alpha <= 1)) return fail(ERR_USAGE, "nda: alpha %g is not in 0..1", o->alpha);
    return OK;
}

enum status nda_attribute(double *scores, const struct nda_plan *o, const float *query, const float *noise,
                          const struct rows *train, struct pool *pool, const struct progress *p) {
    enum status st = OK;
    TRY(nda_plan_check(o));
    double *one = mem_array(train->n, sizeof *one);
    if (!one) return fail(ERR_NOMEM, "nda: out of memory");
    struct nda scale[2] = { o->first, o->first };
    scale[1].patch = o->down_patch;
    scale[1].is_down = 1;
    double weight[2] = { o->down_patch ? o->alpha : 1, 1 - o->alpha };
    size_t scales = o->down_patch ? 2 : 1;
    memset(scores, 0, train->n * sizeof *scores);
    for (size_t i = 0; i < o->T; i++)
        for (size_t s = 0; s < scales; s++) {
            struct progress_part part = { .whole = p, .first = (double)(i * scales + s), .of = (double)(o->T * scales),
                                          .what = "nda" };
            TRY_TO(nda_scores(one, NULL, &scale[s], query, noise + i * train->k, o->t[i], train, pool, progress_part(&part)));
            for (size_t n = 0; n < train->n; n++) scores[n] += weight[s] / (double)o->T * one[n];
        }
done:
    mem_free(one);
    return st;
}

enum status nda_maps(double *query_map, double *train_map, const struct nda *o, const float *query,
                     const float *noise, size_t t, const float *image, const double *log_z) {
    enum status st = OK;
    struct job j = { 0 };
    struct nda all = *o;
    all.topk = 0;
    TRY_TO(job_init(&j, &all, query, noise, t, 1, 1));
    TRY_TO(pixels_check(image, 1, o->C * o->H * o->W, 0));
    size_t cols = patch_cols(j.n);
    distances(&j, &j.work[0], image);
    memset(query_map, 0, j.positions * sizeof *query_map);
    memset(train_map, 0, j.positions * sizeof *train_map);
    for (size_t k = 0; k < j.run_count; k++) {
        const struct patch_run *r = &j.runs[k];
        for (size_t i = 0; i < r->rows; i++)
            for (size_t c = 0; c < r->width; c++) {
                size_t from = (r->i0 + i) * cols + r->j0 + c;
                size_t to = (size_t)((ptrdiff_t)from + r->dy * (ptrdiff_t)cols + r->dx);
                double w = exp(-value(o, j.work[0].distance, r->at + i * r->padded + c) - log_z[from]);
                query_map[from] += w;
                train_map[to] += w;
            }
    }
done:
    job_free(&j);
    return st;
}
