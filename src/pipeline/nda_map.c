/* nda_map.c - heat maps of nda over a query and a training image. */
#include "dtrak/nda_map.h"

#include "dtrak/items.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/nda.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

enum { PATCH = 7 };

struct nda_query {
    struct item_ref ref;
    struct project project;
    struct nda nda;
    size_t t[NDA_TIMESTEPS_MAX], T, done;   /* done: timesteps whose denominators are there */
    size_t D, positions, n;
    float *x, *noise;                   /* [D], [T][D] */
    double *log_z;                      /* [T][positions] */
};

/* --- which patch and timesteps --- */

/* From the params of a score set; what is not there stays. */
static enum status read_params(struct nda_query *q, const char *params, uint64_t *noise_seed) {
    struct json_doc *doc;
    TRY(json_parse(&doc, params, strlen(params), "the parameters of scores"));
    const struct json *o = json_root(doc), *at = json_get(o, "at");
    int64_t patch = json_int(json_get(o, "patch"), 0), seed = json_int(json_get(o, "noise_seed"), 0);
    size_t n = json_len(at);
    if (patch > 0 && patch <= 1000) q->nda.patch = (size_t)patch;
    if (seed > 0) *noise_seed = (uint64_t)seed;
    if (n && n <= NDA_TIMESTEPS_MAX) q->T = 0;
    for (size_t i = 0; i < n && n <= NDA_TIMESTEPS_MAX; i++) q->t[q->T++] = (size_t)json_int(json_at(at, i), 0);
    json_free(doc);
    return OK;
}

static enum status read_options(struct nda_query *q, struct store *s, const struct nda_map_options *o, uint64_t *noise_seed) {
    struct score_set_list l;
    q->nda.patch = PATCH;
    TRY(nda_read_timesteps(q->t, &q->T, "100,200,300,400,500"));
    TRY(store_score_sets_list(s, &l));
    enum status st = OK;
    for (size_t i = l.count; i-- > 0 && st == OK;) {
        if (strcmp(l.set[i].method, "nda") != 0 || l.set[i].split != q->ref.split) continue;
        st = read_params(q, l.set[i].params, noise_seed);
        break;
    }
    score_set_list_free(&l);
    TRY(st);
    if (o->patch) q->nda.patch = o->patch;
    if (o->at) TRY(nda_read_timesteps(q->t, &q->T, o->at));
    if (o->patch || o->at) *noise_seed = o->noise_seed;
    struct nda_plan plan = { .first = q->nda, .t = q->t, .T = q->T };
    return nda_plan_check(&plan);
}

/* --- a query --- */

void nda_query_free(struct nda_query *q) {
    if (!q) return;
    mem_free(q->x);
    mem_free(q->noise);
    mem_free(q->log_z);
    mem_free(q);
}

static enum status open_query(struct nda_query *q, struct store *s, const struct nda_map_options *o) {
    uint64_t noise_seed = 0;
    size_t count;
    TRY(store_items_count(s, q->ref.split, &count));
    TRY(store_items_count(s, SPLIT_TRAIN, &q->n));
    if (q->ref.split == SPLIT_TRAIN) return fail(ERR_USAGE, "train:%zu is a training item; a query is a gen or val item", q->ref.index);
    TRY(item_ref_check(q->ref, count));
    TRY(store_project_get(s, &q->project));
    q->project.patch = 1;   /* images as they are looked at, whatever the network's patch is */
    q->nda = (struct nda){ .C = q->project.channels, .H = q->project.height, .W = q->project.width };
    TRY(read_options(q, s, o, &noise_seed));
    q->D = items_floats(&q->project);
    q->positions = nda_rows(&q->nda) * nda_cols(&q->nda);
    q->x = mem_array(q->D, sizeof *q->x);
    q->noise = mem_array(q->T, q->D * sizeof *q->noise);
    q->log_z = mem_array(q->T, q->positions * sizeof *q->log_z);
    if (!q->x || !q->noise || !q->log_z) return fail(ERR_NOMEM, "nda: out of memory");
    TRY(items_load(s, &q->project, q->ref.split, q->ref.index, 1, q->x));
    for (size_t i = 0; i < q->T; i++) items_noise(q->noise + i * q->D, q->D, noise_seed, q->ref.split, q->ref.index, q->t[i], 0);
    return OK;
}

enum status nda_query_new(struct nda_query **out, struct store *s, struct item_ref query, const struct nda_map_options *o) {
    struct nda_query *q = mem_array(1, sizeof *q);
    *out = NULL;
    if (!q) return fail(ERR_NOMEM, "nda: out of memory");
    q->ref = query;
    enum status st = open_query(q, s, o);
    if (st == OK) *out = q;
    else nda_query_free(q);
    return st;
}

int nda_query_is(const struct nda_query *q, struct item_ref query) {
    return q && q->ref.split == query.split && q->ref.index == query.index;
}

size_t nda_query_patch(const struct nda_query *q) { return q->nda.patch; }

const size_t *nda_query_timesteps(const struct nda_query *q, size_t *count) {
    *count = q->T;
    return q->t;
}

/* --- its denominators --- */

struct images { struct store *s; const struct project *project; };

static enum status read_images(void *ctx, size_t first, size_t count, float *out) {
    const struct images *m = ctx;
    return items_load(m->s, m->project, SPLIT_TRAIN, first, count, out);
}

static enum status make_denominators(struct nda_query *q, struct store *s, struct pool *pool, const struct progress *p) {
    struct images images = { s, &q->project };
    struct rows train = { .n = q->n, .k = q->D, .read = read_images, .ctx = &images };
    double *scores = mem_array(q->n, sizeof *scores);
    enum status st = scores ? OK : fail(ERR_NOMEM, "nda: out of memory");
    while (q->done < q->T && st == OK) {
        struct progress_part part = { .whole = p, .first = (double)q->done, .of = (double)q->T, .what = "heat maps" };
        st = nda_scores(scores, q->log_z + q->done * q->positions, &q->nda, q->x, q->noise + q->done * q->D, q->t[q->done], &train,
                        pool, progress_part(&part));
        if (st != OK) break;
        q->done++;
        if (q->done < q->T) st = progress_check(p);
    }
    mem_free(scores);
    return st;
}

/* --- maps --- */

void nda_map_free(struct nda_map *m) {
    mem_free(m->query_map);
    mem_free(m->train_map);
    *m = (struct nda_map){ 0 };
}

/* Positions to pixels: with an odd patch one each; with an even one a position lies between four
 * pixels, which get a quarter of it each. */
static void add_positions(double *pixels, const double *map, const struct nda_query *q, double weight) {
    size_t rows = nda_rows(&q->nda), cols = nda_cols(&q->nda), H = q->nda.H, W = q->nda.W, spread = rows < H ? 2 : 1;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            for (size_t k = 0; k < spread * spread; k++) {
                size_t y = i + k / spread, x = j + k % spread;
                if (y < H && x < W) pixels[y * W + x] += weight * map[i * cols + j] / (double)(spread * spread);
            }
}

enum status pipeline_nda_map(struct nda_map *out, struct nda_query *q, struct store *s, size_t item, struct pool *pool,
                             const struct progress *p) {
    size_t pixels = q->nda.H * q->nda.W;
    double *maps = NULL;
    float *image = NULL;
    enum status st;
    *out = (struct nda_map){ .width_px = q->nda.W, .height_px = q->nda.H };
    TRY(item_ref_check((struct item_ref){ SPLIT_TRAIN, item }, q->n));
    TRY(make_denominators(q, s, pool, p));
    out->query_map = mem_array(pixels, sizeof *out->query_map);
    out->train_map = mem_array(pixels, sizeof *out->train_map);
    maps = mem_array(2, q->positions * sizeof *maps);
    image = mem_array(q->D, sizeof *image);
    if (!out->query_map || !out->train_map || !maps || !image) TRY_TO(fail(ERR_NOMEM, "nda: out of memory"));
    TRY_TO(items_load(s, &q->project, SPLIT_TRAIN, item, 1, image));
    for (size_t i = 0; i < q->T; i++) {
        TRY_TO(nda_maps(maps, maps + q->positions, &q->nda, q->x, q->noise + i * q->D, q->t[i], image, q->log_z + i * q->positions));
        add_positions(out->query_map, maps, q, 1 / (double)q->T);
        add_positions(out->train_map, maps + q->positions, q, 1 / (double)q->T);
    }
    for (size_t i = 0; i < pixels; i++) out->score += out->query_map[i];
    out->share = out->score / (double)q->positions;
done:
    mem_free(maps);
    mem_free(image);
    if (st != OK) nda_map_free(out);
    return st;
}
