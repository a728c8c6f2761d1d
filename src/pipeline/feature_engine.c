/* feature_engine.c - one checkpoint's way from images to projected gradients. */
#include "feature_engine.h"
#include "footprint.h"

#include "dtrak/mem.h"
#include "dtrak/progress.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* --- a piece --- */

/* Of one loss, into the rows of every k that is wanted of it. */
struct projecting {
    const struct feature_engine *e;
    const struct unet_param *params;
    size_t loss, thread, row;
};

static void project_parameter(void *ctx, size_t param, const float *grad) {
    struct projecting *p = ctx;
    for (size_t i = p->loss; i < FEATURE_KINDS; i += LOSS_COUNT)
        if (p->e->group->wanted & FEATURE_KIND(i))
            projection_add(p->e->work[i], p->thread, p->row, p->params[param].offset, grad, p->params[param].count, 1);
}

static int wants_loss(const struct feature_group *g, size_t loss) {
    for (size_t i = loss; i < FEATURE_KINDS; i += LOSS_COUNT)
        if (g->wanted & FEATURE_KIND(i)) return 1;
    return 0;
}

/* Where piece q of the group lies: its item (counted within the group) and part. */
static void place(const struct feature_engine *e, const struct feature_group *g, size_t q, size_t *row, size_t *part) {
    size_t block = q / (g->block_rows * e->parts), start = block * g->block_rows;
    size_t count = g->items - start < g->block_rows ? g->items - start : g->block_rows;
    q -= start * e->parts;
    *part = q / count;
    *row = start + q % count;
}

/* B pairs of a piece, from the n-th on, forward and back for every loss. */
static int pass(struct feature_engine *e, size_t piece, size_t thread, size_t row, size_t part, size_t n, size_t B) {
    const struct feature_group *g = e->group;
    const struct schedule *schedule = e->net->schedule;
    size_t D = e->D, n_params, each = e->n_pairs / e->parts;
    float *x_t = e->scratch + thread * 4 * e->pass * D, *noise = x_t + e->pass * D;
    float *eps = noise + e->pass * D, *d_eps = eps + e->pass * D, time[FEATURE_PASS];
    const struct unet_param *params = unet_params(e->net->u, &n_params);
    for (size_t b = 0; b < B; b++) {
        size_t number = part + (n + b) * e->parts;
        struct feature_pair at = e->pairs[number];
        const float *image = g->images + (row * e->pictures + number % e->pictures) * D;
        time[b] = (float)at.t;
        items_noise(noise + b * D, D, e->noise_seed, g->split, g->first + row, at.t, at.draw);
        schedule_noised(schedule, x_t + b * D, image, noise + b * D, D, at.t);
    }
    if (!unet_forward(e->works[thread], e->net->weights, eps, x_t, time, B)) return 0;
    for (size_t b = 0; b < B; b++)
        g->loss[e->first_piece + piece] += loss_value(LOSS_SIMPLE, eps + b * D, noise + b * D, D, 1) / (double)each;
    for (int base = 0; base < LOSS_COUNT; base++) {
        /* The losses whose gradients are this one's times a factor: one way back for
         * all of them, and the same one for each that is asked for alone. */
        struct projecting into[LOSS_COUNT];
        struct unet_share shares[LOSS_COUNT];
        float factor[LOSS_COUNT][FEATURE_PASS];
        size_t n_shares = 0;
        for (int l = 0; l < LOSS_COUNT; l++) {
            double f = 1;
            enum loss of = LOSS_COUNT;
            for (size_t b = 0; b < B; b++) {
                of = loss_multiple((enum loss)l, eps + b * D, D, schedule_elbo_weight(schedule, (size_t)time[b]), &f);
                factor[n_shares][b] = (float)f;
            }
            if (of != (enum loss)base || !wants_loss(g, (size_t)l)) continue;
            into[n_shares] = (struct projecting){ e, params, (size_t)l, thread, piece };
            shares[n_shares] = (struct unet_share){ l == base ? NULL : factor[n_shares],
                                                    { project_parameter, &into[n_shares] }, NULL };
            n_shares++;
        }
        if (!n_shares) continue;
        for (size_t b = 0; b < B; b++)
            loss_gradient((enum loss)base, d_eps + b * D, eps + b * D, noise + b * D, D, 1, 1.0 / (double)each);
        if (!unet_backward_shared(e->works[thread], e->net->weights, d_eps, shares, n_shares)) return 0;
    }
    return 1;
}

static void one_piece(void *ctx, size_t piece, size_t thread) {
    struct feature_engine *e = ctx;
    size_t row, part, each = e->n_pairs / e->parts;
    place(e, e->group, e->first_piece + piece, &row, &part);
    e->group->loss[e->first_piece + piece] = 0;
    for (size_t n = 0; n < each; n += e->pass)
        if (!pass(e, piece, thread, row, part, n, each - n < e->pass ? each - n : e->pass)) return;
}

static int cancelled(const struct feature_engine *e) {
    return e->cancel && atomic_load_explicit(e->cancel, memory_order_relaxed);
}

/* As many pieces as every projection of these kinds takes, at most `pieces`. */
static size_t rows_together(const struct feature_engine *e, uint64_t kinds, size_t pieces) {
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (kinds & FEATURE_KIND(i) && projection_rows(e->work[i]) < pieces) pieces = projection_rows(e->work[i]);
    return pieces;
}

static int run(struct feature_engine *e, const struct feature_group *g, int finish) {
    size_t pieces = g->items * e->parts, most = rows_together(e, g->wanted, pieces);
    e->group = g;
    for (size_t q = 0; q < pieces; q += most) {
        size_t n = pieces - q < most ? pieces - q : most;
        for (size_t i = 0; i < FEATURE_KINDS; i++)
            if (g->wanted & FEATURE_KIND(i)) projection_begin(e->work[i], n, g->out[i] + q * e->k[i / LOSS_COUNT]);
        e->first_piece = q;
        pool_run(e->pool, n, one_piece, e);
        for (size_t i = 0; i < FEATURE_KINDS; i++)
            if (finish && g->wanted & FEATURE_KIND(i) && !projection_finish(e->work[i], e->pool, e->cancel)) return 0;
        if (cancelled(e)) return 0;
    }
    return 1;
}

int feature_engine_run(struct feature_engine *e, const struct feature_group *g) { return run(e, g, 1); }

/* --- memory --- */

/* Small networks take FEATURE_PASS samples at a time; in large ones a layer of one
 * sample is work enough for a thread, and many would only take memory. */
static size_t pass_of(const struct unet *u, size_t each) {
    double forward, backward, most;
    unet_cost(u, &forward, &backward);
    most = floor(40e9 / forward);
    size_t n = most < 1 ? 1 : most > FEATURE_PASS ? FEATURE_PASS : (size_t)most;
    return n < each ? n : each;
}

static int is_dense(const struct feature_engine *e) {
    const char *kind = projection_kind_name(e->projection.kind);
    return !strcmp(kind, "rademacher") || !strcmp(kind, "gaussian");
}

/* Kinds, losses and the numbers of a row of each kind together. */
struct counts { size_t kinds, losses, numbers, largest_k; };

static struct counts count(const struct feature_engine *e) {
    struct counts c = { 0 };
    unsigned losses = 0;
    for (size_t i = 0; i < FEATURE_KINDS; i++) {
        if (!(e->kinds & FEATURE_KIND(i))) continue;
        size_t k = e->k[i / LOSS_COUNT];
        c.kinds++;
        c.numbers += k;
        c.losses += !(losses >> i % LOSS_COUNT & 1);
        losses |= 1u << i % LOSS_COUNT;
        if (k > c.largest_k) c.largest_k = k;
    }
    return c;
}

/* Says how many threads and how many gathered gradients fit. */
static enum status plan(struct feature_engine *e, size_t fixed, size_t *gather) {
    size_t cap = e->memory ? e->memory : mem_default_cap(), each, row;
    struct counts c = count(e);
    TRY(footprint_work(e->net->u, e->pass, 1, &each));
    each += 4 * e->pass * e->D * sizeof(float);
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (e->kinds & FEATURE_KIND(i)) each += projector_thread_bytes(e->projector[i / LOSS_COUNT]);
    row = c.numbers * sizeof(float) + e->pictures * e->D * sizeof(float);
    size_t gathered = is_dense(e) ? c.kinds * (size_t)e->projection.p * sizeof(float) : 0;
    fixed += e->at_once * row;
    TRY(footprint_threads("features", e->memory, fixed + gathered, each,
                          gathered ? " or take projection sjlt" : c.largest_k > 4096 ? " or lower --dims" : "",
                          &e->threads));
    size_t left = cap - fixed - e->threads * each;
    if (gathered && left > e->at_once * gathered) left = e->at_once * gathered;
    *gather = gathered ? left / c.kinds : left;
    e->bytes = fixed + e->threads * each + (gathered ? left : 0);
    return OK;
}

/* --- open and close --- */

static enum status open_projectors(struct feature_engine *e) {
    size_t p = unet_size(e->net->u);
    uint32_t *coord = mem_array(p, sizeof *coord);
    if (!coord) return fail(ERR_NOMEM, "features: out of memory for %zu parameters", p);
    unet_coordinates(e->net->u, coord);
    enum status st = OK;
    for (size_t d = 0; d < e->n_k && st == OK; d++) {
        struct projection p_k = e->projection;
        p_k.k = (uint32_t)e->k[d];
        st = projector_new(&e->projector[d], &p_k, coord);
    }
    mem_free(coord);
    return st;
}

enum status feature_engine_open(struct feature_engine *e) {
    size_t p = unet_size(e->net->u), before = mem_taken(), gather = 0;
    e->pass = pass_of(e->net->u, e->n_pairs / e->parts);
    TRY(pool_new(&e->pool, e->threads));
    e->threads = e->threads_asked = pool_threads(e->pool);
    /* Making the entries of a dense projection pays with many rows to serve. */
    size_t blocks = ((is_dense(e) ? 128 : 4 * e->threads) + e->block_pieces - 1) / e->block_pieces;
    e->at_once = blocks * e->block_pieces;
    TRY(open_projectors(e));
    /* The coordinates are freed again; packed weights are about three times the plain ones. */
    TRY(plan(e, mem_taken() - before - p * sizeof(uint32_t) + 3 * p * sizeof(float), &gather));
    if (e->threads < pool_threads(e->pool)) {
        pool_free(e->pool);
        e->pool = NULL;
        TRY(pool_new(&e->pool, e->threads));
    }
    e->works = mem_array(e->threads, sizeof *e->works);
    e->scratch = mem_array(e->threads * 4 * e->pass * e->D, sizeof *e->scratch);
    if (!e->works || !e->scratch) return fail(ERR_NOMEM, "features: out of memory");
    for (size_t i = 0; i < e->threads; i++)
        TRY(unet_work_new(&e->works[i], e->net->u, e->pass, 1, e->cancel));
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (e->kinds & FEATURE_KIND(i))
            TRY(projection_work_new(&e->work[i], e->projector[i / LOSS_COUNT], e->threads, e->at_once, gather));
    return OK;
}

void feature_engine_close(struct feature_engine *e) {
    for (size_t i = 0; i < FEATURE_KINDS; i++) projection_work_free(e->work[i]);
    for (size_t i = 0; e->works && i < e->threads; i++) unet_work_free(e->works[i]);
    mem_free(e->works);
    mem_free(e->scratch);
    for (size_t d = 0; d < FEATURE_DIMS_MAX; d++) projector_free(e->projector[d]);
    pool_free(e->pool);
    *e = (struct feature_engine){ 0 };
}

/* --- what it costs --- */

/* Seconds that completing the sums of one piece takes, a row of k numbers; made on a few
 * coordinates of the dense projections, which cost the same for each. */
static enum status measure_finish(struct feature_engine *e, size_t k, double *seconds) {
    enum { COORDINATES = 1 << 15 };
    struct projection small = e->projection;
    struct projector *pr = NULL;
    struct projection_work *w = NULL;
    float *out = NULL;
    enum status st = OK;
    size_t rows = rows_together(e, e->kinds, e->at_once);
    *seconds = 0;
    if (!is_dense(e)) return OK;
    small.k = (uint32_t)k;
    if (small.p > COORDINATES) small.p = COORDINATES;
    TRY_TO(projector_new(&pr, &small, NULL));
    TRY_TO(projection_work_new(&w, pr, e->threads, rows, SIZE_MAX));
    out = mem_array(rows * small.k, sizeof *out);
    if (!out) { st = fail(ERR_NOMEM, "features: out of memory"); goto done; }
    double best = INFINITY;
    for (int i = 0; i < 3 && !cancelled(e); i++) {
        double start = clock_s();
        projection_begin(w, rows, out);
        projection_finish(w, e->pool, e->cancel);
        if (clock_s() - start < best) best = clock_s() - start;
    }
    *seconds = best * (double)e->projection.p / (double)small.p / (double)rows;
done:
    projection_work_free(w);
    projector_free(pr);
    mem_free(out);
    return st;
}

struct trial { struct feature_engine *e; const struct feature_group *g; };
static int try_pieces(void *ctx) {
    struct trial *t = ctx;
    return run(t->e, t->g, !is_dense(t->e));
}

/* Seconds of a piece per thread, cut to one pass; dense projections are left open,
 * their end is measured above. */
static enum status measure_pass(struct feature_engine *e, const struct feature_group *g, size_t pairs, double rounds,
                                double *seconds) {
    struct feature_engine cut = *e;
    struct trial t = { &cut, g };
    cut.n_pairs = pairs;
    cut.parts = 1;
    return footprint_time(try_pieces, &t, rounds, seconds);
}

/* As many pieces for a round as take about a tenth of a second: more of them share
 * out better over the threads, as they will in earnest. */
static enum status pieces_of_round(struct feature_engine *e, struct feature_group *g, size_t most) {
    struct feature_engine cut = *e;
    struct trial t = { &cut, g };
    double start = clock_s();
    cut.n_pairs = e->pass;
    cut.parts = 1;
    if (!try_pieces(&t)) return fail(ERR_CANCELLED, "stopped while the cost was measured");
    size_t times = (size_t)(.1 / (clock_s() - start + 1e-4)) + 1;
    g->items = g->items * times < most ? g->items * times : most;
    return OK;
}

enum status feature_engine_measure(struct feature_engine *e, double pieces, double *seconds, double *flop) {
    size_t each = e->n_pairs / e->parts, most = rows_together(e, e->kinds, 8 * e->threads);
    size_t p = unet_size(e->net->u), passes = (each + e->pass - 1) / e->pass;
    struct counts c = count(e);
    struct feature_group g = { .split = SPLIT_TRAIN, .block_rows = most, .wanted = e->kinds };
    float *images = NULL, *out = NULL;
    double *loss = NULL, forward, backward, full = 0, rest = 0, finish = 0;
    enum status st = OK;
    g.items = most < e->threads ? most : e->threads;
    images = mem_array(most * e->pictures, e->D * sizeof *images);
    out = mem_array(most * c.numbers, sizeof *out);
    loss = mem_array(most, sizeof *loss);
    if (!images || !out || !loss) { st = fail(ERR_NOMEM, "features: out of memory"); goto done; }
    g.images = images;
    g.loss = loss;
    float *rows = out;
    for (size_t i = 0; i < FEATURE_KINDS; i++) {
        g.out[i] = rows;
        if (e->kinds & FEATURE_KIND(i)) rows += most * e->k[i / LOSS_COUNT];
    }
    TRY_TO(pieces_of_round(e, &g, (double)most < pieces ? most : (size_t)pieces));
    double rounds = pieces / (double)g.items * (double)passes;
    TRY_TO(measure_pass(e, &g, e->pass, rounds, &full));
    if (each % e->pass) TRY_TO(measure_pass(e, &g, each % e->pass, rounds, &rest));
    for (size_t i = 0; i < FEATURE_KINDS; i++) {
        double of_kind = 0;
        if (e->kinds & FEATURE_KIND(i)) TRY_TO(measure_finish(e, e->k[i / LOSS_COUNT], &of_kind));
        finish += of_kind;
    }
    *seconds = ((double)(each / e->pass) * full + rest) / (double)g.items + finish;
    unet_cost(e->net->u, &forward, &backward);
    *flop = 2 * (double)each * (forward + (double)c.losses * backward);
    *flop += 2 * (double)p * (double)(is_dense(e) ? c.numbers : passes * c.kinds);
done:
    mem_free(images);
    mem_free(out);
    mem_free(loss);
    return st;
}
