/* score_nda.c - rows of nda: image patches, no network.  A query takes seconds, so
 * each is a transaction of its own. */
#include "score_parts.h"

#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/nda.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NDA_VERSION = 1 };
#define NDA_AT "100,200,300,400,500"

static struct nda_plan plan_of(const struct scorer *w, const struct project *p) {
    const struct score_nda *o = &w->o->nda;
    return (struct nda_plan){ .first = { .C = p->channels, .H = p->height, .W = p->width, .patch = o->patch, .topk = o->topk },
                              .down_patch = o->down_patch, .alpha = o->alpha, .t = w->at, .T = w->n_at };
}

/* Images as they are looked at, whatever the network's patch is. */
static enum status read_project(const struct scorer *w, struct project *p) {
    TRY(store_project_get(w->s, p));
    p->patch = 1;
    return OK;
}

enum status score_read_nda(struct scorer *w) {
    struct project p;
    if (!w->wanted[METHOD_NDA]) return OK;
    TRY(nda_read_timesteps(w->at, &w->n_at, w->o->nda.at ? w->o->nda.at : NDA_AT));
    TRY(read_project(w, &p));
    struct nda_plan plan = plan_of(w, &p);
    return nda_plan_check(&plan);
}

/* What a set depends on, in a fixed order. */
static enum status describe(const struct scorer *w, const struct project *p, struct score_set *set, enum split split) {
    const struct score_nda *o = &w->o->nda;
    char down[96] = "";
    *set = (struct score_set){ .split = split, .version = NDA_VERSION, .n = w->items[SPLIT_TRAIN],
                               .mantissa_bits = w->o->mantissa_bits ? w->o->mantissa_bits : 24,
                               .rows = w->items[split], .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .condition = NAN };
    snprintf(set->method, sizeof set->method, "%s", method_name(METHOD_NDA));
    if (o->down_patch) snprintf(down, sizeof down, ",\"down_patch\":%zu,\"alpha\":%.17g", o->down_patch, o->alpha);
    size_t size = sizeof set->params;
    size_t at = (size_t)snprintf(set->params, size, "{\"low\":%g,\"high\":%g,\"patch\":%zu%s,\"topk\":%zu,\"noise_seed\":%llu,\"at\":[",
                                 p->value_low, p->value_high, o->patch, down, o->topk, (unsigned long long)o->noise_seed);
    for (size_t i = 0; i < w->n_at && at < size; i++)
        at += (size_t)snprintf(set->params + at, size - at, "%s%zu", i ? "," : "", w->at[i]);
    if (at + 3 > size) return fail(ERR_USAGE, "nda: %zu timesteps are more than a score set can name", w->n_at);
    snprintf(set->params + at, size - at, "]}");
    return OK;
}

struct images { struct store *s; struct project project; float *all; };

static enum status read_images(void *ctx, size_t first, size_t count, float *out) {
    struct images *m = ctx;
    size_t D = items_floats(&m->project);
    if (!m->all) return items_load(m->s, &m->project, SPLIT_TRAIN, first, count, out);
    memcpy(out, m->all + first * D, count * D * sizeof *out);
    return OK;
}

/* All of them in memory, where a quarter of what may be used takes them. */
static enum status keep_images(struct images *m, size_t n, size_t memory) {
    size_t D = items_floats(&m->project);
    if (n > memory / 4 / sizeof(float) / D) return OK;
    m->all = mem_array(n, D * sizeof *m->all);
    if (!m->all) return OK;   /* then as if it did not fit */
    return items_load(m->s, &m->project, SPLIT_TRAIN, 0, n, m->all);
}

struct rows_of { struct scorer *w; struct images images; struct rows train; float *query, *noise, *row; double *wide; };

static enum status make_row(struct rows_of *r, struct task *t, size_t query) {
    struct scorer *w = r->w;
    struct nda_plan plan = plan_of(w, &r->images.project);
    size_t D = r->train.k;
    TRY(items_load(w->s, &r->images.project, t->split, query, 1, r->query));
    for (size_t i = 0; i < w->n_at; i++)
        items_noise(r->noise + i * D, D, w->o->nda.noise_seed, t->split, query, w->at[i], 0);
    struct progress_part part = { .whole = w->progress, .first = w->done, .of = w->total, .what = "scores", .note = w->what };
    TRY(nda_attribute(r->wide, &plan, r->query, r->noise, &r->train, w->pool, progress_part(&part)));
    for (size_t i = 0; i < r->train.n; i++) r->row[i] = (float)r->wide[i];
    TRY(store_score_put(w->s, &t->set, query, r->row));
    t->missing[query] = 0;
    w->done++;
    return OK;
}

static enum status make_split(struct rows_of *r, enum split split) {
    struct scorer *w = r->w;
    struct task t = { .method = METHOD_NDA, .split = split };
    enum status st = describe(w, &r->images.project, &t.set, split);
    if (st == OK) st = score_open_set(w, &t);
    for (size_t q = 0; q < w->items[split] && st == OK; q++)
        if (t.missing[q]) st = make_row(r, &t, q);
    mem_free(t.missing);
    return st;
}

static void rows_free(struct rows_of *r) {
    mem_free(r->images.all);
    mem_free(r->query);
    mem_free(r->noise);
    mem_free(r->row);
    mem_free(r->wide);
}

/* Against the first n training images. */
static enum status rows_init(struct rows_of *r, struct scorer *w, size_t n) {
    *r = (struct rows_of){ .w = w, .images = { .s = w->s } };
    TRY(read_project(w, &r->images.project));
    size_t D = items_floats(&r->images.project);
    r->train = (struct rows){ .n = n, .k = D, .read = read_images, .ctx = &r->images };
    r->query = mem_array(D, sizeof *r->query);
    r->noise = mem_array(w->n_at, D * sizeof *r->noise);
    r->row = mem_array(n, sizeof *r->row);
    r->wide = mem_array(n, sizeof *r->wide);
    if (!r->query || !r->noise || !r->row || !r->wide) return fail(ERR_NOMEM, "score: out of memory");
    return keep_images(&r->images, n, w->memory);
}

enum status score_make_nda(struct scorer *w) {
    struct rows_of r;
    if (!w->wanted[METHOD_NDA]) return OK;
    snprintf(w->what, sizeof w->what, "nda");
    enum status st = rows_init(&r, w, w->items[SPLIT_TRAIN]);
    for (int q = 0; q < SPLIT_COUNT && st == OK; q++)
        if (w->splits >> q & 1) st = make_split(&r, (enum split)q);
    rows_free(&r);
    return st;
}

/* --- what it costs --- */

enum { PROBE = 16 };   /* training images that are timed */

static enum status rows_missing(struct scorer *w, const struct project *p, double *rows) {
    *rows = 0;
    for (int q = 0; q < SPLIT_COUNT; q++) {
        struct score_set set;
        double missing;
        if (!(w->splits >> q & 1)) continue;
        TRY(describe(w, p, &set, (enum split)q));
        TRY(score_count_missing(w, &set, &missing));
        *rows += missing;
    }
    return OK;
}

/* A training image stands in for the query: the time is the same. */
static enum status time_query(struct rows_of *r, double *seconds) {
    struct scorer *w = r->w;
    struct nda_plan plan = plan_of(w, &r->images.project);
    TRY(items_load(w->s, &r->images.project, SPLIT_TRAIN, 0, 1, r->query));
    double start = clock_s();
    TRY(nda_attribute(r->wide, &plan, r->query, r->noise, &r->train, w->pool, NULL));
    *seconds = clock_s() - start;
    return OK;
}

enum status score_add_nda_cost(struct scorer *w) {
    struct rows_of r;
    size_t n = w->items[SPLIT_TRAIN], few = n < PROBE ? n : PROBE;
    double rows = 0, seconds = 0;
    if (!w->wanted[METHOD_NDA]) return OK;
    enum status st = rows_init(&r, w, few);
    if (st == OK) st = rows_missing(w, &r.images.project, &rows);
    if (st == OK && rows > 0) st = time_query(&r, &seconds);
    rows_free(&r);
    TRY(st);
    w->cost.seconds += rows * seconds * (double)n / (double)few;
    w->cost.bytes_disk += rows * (double)n * 4;
    return OK;
}
