/* world.c - writes the database that the screen tests look at.
 *
 *     world PATH
 *
 * Two classes, three splits, four checkpoints, scores of some settings and not
 * of others, features of one loss that has no scores, a finished, a failed and
 * an interrupted job.  Every number depends on its indices only. */
#include "../lib/store_rig.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/store_error.h"
#include "dtrak/store_subset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 16, TRAIN = 120, VAL = 12, GEN = 40, K = 8 };

static const size_t step[4] = { 800, 2000, 4000, 8000 };
static int64_t checkpoint[4];

/* A sandal is a few stripes, a boot a full shape; each a little different. */
static enum status draw(struct buf *png, size_t seed, int boot) {
    struct image im;
    TRY(image_new(&im, SIDE, SIDE, 1));
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++) {
            int in = boot ? (x > 4 && x < 11 && y > 2) || (y > 10 && x > 2) : (y + x / 4 + seed) % 4 == 0 && y > 6;
            im.pixels[y * SIDE + x] = (unsigned char)(in ? 150 + (seed * 37 + x * 5 + y * 3) % 100 : 0);
        }
    enum status st = image_encode_png(png, &im);
    image_free(&im);
    return st;
}

static enum status add_items(struct store *s, enum split split, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct buf png = BUF_INIT;
        struct item it;
        char original[32];
        int boot = i % 3 == 1;
        memset(&it, 0, sizeof it);
        TRY(draw(&png, i * 7 + (size_t)split, boot));
        snprintf(original, sizeof original, "%s %zu", split == SPLIT_TRAIN ? "train" : "test", 1000 + 13 * i);
        it.label = split == SPLIT_GEN ? -1 : boot ? 9 : 5;
        it.label_name = split == SPLIT_GEN ? NULL : boot ? "ankle boot" : "sandal";
        it.original = split == SPLIT_GEN ? NULL : original;
        if (split == SPLIT_VAL && i == 3) it.caption = "wide 靴と鞄 and \033[31mcontrol\a bytes";
        if (split == SPLIT_GEN) {
            it.seed = 100 + i;
            it.checkpoint = checkpoint[3];
            it.sampler = "ddim";
            it.steps = 50;
        }
        it.width_px = it.height_px = SIDE;
        it.image_bytes = png.len;
        const void *bytes = png.data;
        enum status st = store_items_add(s, split, &it, &bytes, 1, NULL);
        buf_free(&png);
        if (st != OK) return st;
    }
    return OK;
}

static enum status add_checkpoints(struct store *s) {
    for (size_t i = 0; i < 4; i++) {
        struct checkpoint c;
        char weights[32];
        memset(&c, 0, sizeof c);
        snprintf(weights, sizeof weights, "weights of step %zu", step[i]);
        c.step = step[i];
        c.epoch = (double)step[i] / 20;
        c.percent = (double)step[i] / 80;
        c.train_loss = .04;
        c.config = "{}";
        TRY(store_checkpoint_add(s, &c, weights, strlen(weights), &checkpoint[i]));
    }
    return OK;
}

struct want { const char *method, *loss; int ckpt; enum split split; const char *lambda; double rel, size; size_t timesteps, k; };

/* How well set number `nth` predicts retraining: made up, like everything here. */
static enum status add_lds(struct store *s, int64_t set, size_t nth, size_t queries) {
    double per_query[GEN];
    struct lds_row r = { .score_set = set, .subsets = 64, .queries = queries, .q_eff = 21, .per_query = per_query };
    TRY(store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"subsets\":64}", &r.train_protocol));
    TRY(store_protocol_ensure(s, PROTOCOL_EVAL, "{\"timesteps\":100}", &r.eval_protocol));
    for (size_t i = 0; i < queries; i++) per_query[i] = (double)rig_value(i, nth);
    for (r.centred = 0; r.centred < 2; r.centred++) {
        r.value = .31 - .045 * (double)nth + .01 * r.centred;
        r.se = .019 + .002 * (double)nth;
        r.low = r.value - 2 * r.se;
        r.high = r.value + 2 * r.se;
        r.ceiling = .62;
        TRY(store_lds_put(s, &r));
    }
    return OK;
}

/* Error bars as if from four blocks and three projections: small, but for every third item. */
static enum status add_errors(struct store *s, int64_t set, double size) {
    struct error_set want = { .score_set = set, .blocks = 4, .projections = 3, .top = 10, .draws = 200, .params = "{}" };
    struct error_row row;
    TRY(store_error_set_ensure(s, &want, NULL, &want));
    TRY(error_row_new(&row, TRAIN, 4, 1));
    enum status st = OK;
    for (size_t q = 0; q < GEN && st == OK; q++) {
        for (size_t i = 0; i < TRAIN; i++) {
            float error = (float)size * (i % 3 ? .1f : .6f);
            for (size_t b = 0; b < 4; b++) row.left[b * TRAIN + i] = (b % 2 ? error : -error) / 4;
            row.projection[i] = error;
            row.in_top[i] = (uint8_t)(i * 7 % 201);
            row.low[i] = (uint32_t)(1 + i % 60);
            row.high[i] = (uint32_t)(1 + i % 60 + i / 3);
        }
        st = store_error_put(s, &want, q, &row);
    }
    error_row_free(&row);
    return st;
}

static enum status add_scores(struct store *s, const struct want *w) {
    static size_t nth;
    struct score_set set, made;
    size_t queries = w->split == SPLIT_GEN ? GEN : VAL;
    float row[TRAIN];
    memset(&set, 0, sizeof set);
    snprintf(set.method, sizeof set.method, "%s", w->method);
    snprintf(set.loss, sizeof set.loss, "%s", w->loss);
    if (w->ckpt >= 0) { set.checkpoint[0] = checkpoint[w->ckpt]; set.checkpoints = 1; }
    set.split = w->split;
    if (w->loss[0]) { set.timesteps = w->timesteps ? w->timesteps : 10; set.k = w->k ? w->k : K; }
    snprintf(set.lambda_spec, sizeof set.lambda_spec, "%s", w->lambda);
    snprintf(set.params, sizeof set.params, "{}");
    set.version = 1;
    set.mantissa_bits = 24;
    set.n = TRAIN;
    set.rows = queries;
    TRY(store_score_set_ensure(s, &set, NULL, &made));
    if (w->rel > 0) TRY(store_score_set_ridge(s, made.id, &(struct score_ridge){ w->rel, w->rel * 24000, 29.6, NAN, 0 }));
    for (size_t q = 0; q < queries; q++) {
        for (size_t n = 0; n < TRAIN; n++) {
            float x = rig_value(q * 131 + n, strlen(w->loss) * 7 + strlen(w->lambda) + (size_t)(w->ckpt + 1) + w->timesteps + w->k);
            row[n] = (float)w->size * x * x * x;
        }
        TRY(store_score_put(s, &made, q, row));
    }
    if (!strcmp(w->loss, "simple")) TRY(add_errors(s, made.id, w->size));
    return w->split == SPLIT_GEN ? add_lds(s, made.id, nth++, queries) : OK;
}

static enum status add_features(struct store *s, const char *loss, enum split split, size_t rows) {
    struct feature_identity id = rig_identity(s, split);
    struct feature_set set;
    float block[TRAIN * K];
    snprintf(id.loss, sizeof id.loss, "%s", loss);
    id.timesteps = 10;
    id.k = K;
    TRY(store_feature_set_ensure(s, &id, rows, TRAIN, "{}", NULL, &set));
    for (size_t i = 0; i < rows * K; i++) block[i] = rig_value(i + (size_t)split * 977, strlen(loss));
    return store_feature_block_put(s, &set, 0, block);
}

static enum status add_jobs(struct store *s) {
    static const struct { const char *kind, *params, *message; enum job_state state; double done; } job[] = {
        { "features", "{\"losses\":\"square\",\"checkpoints\":\"8000\"}", "finished in 2:31", JOB_DONE, 160 },
        { "score", "{\"methods\":\"trak\",\"losses\":\"linf\",\"checkpoints\":\"8000\"}",
          "no features of loss linf at step 8000: dtrak features makes them", JOB_FAILED, 0 },
        { "sample", "{\"count\":8,\"seed\":140}", "the program ended; finished parts are kept", JOB_INTERRUPTED, 3 },
    };
    for (size_t i = 0; i < sizeof job / sizeof job[0]; i++) {
        struct job j;
        int64_t id;
        TRY(store_job_enqueue(s, job[i].kind, job[i].params, &id));
        TRY(store_job_claim(s, id, "elsewhere:7:0", &j));
        TRY(store_job_heartbeat(s, id, "elsewhere:7:0", job[i].done, i == 2 ? 8 : 160, job[i].kind, "", NULL));
        TRY(store_job_finish(s, id, "elsewhere:7:0", job[i].state, job[i].message));
    }
    return OK;
}

/* Three queries generated again without what two methods named, one without a list. */
static enum status add_counterfactuals(struct store *s) {
    unsigned char members[TRAIN];
    struct subset_model m;
    int64_t protocol;
    for (size_t i = 0; i < TRAIN; i++) members[i] = i % 10 != 0;
    TRY(store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"counterfactual\":1}", &protocol));
    TRY(store_subset_claim(s, protocol, 0, 1, members, TRAIN, "world", &m));
    for (size_t i = 0; i < 7; i++) {
        static const char *const label[] = { "trak square", "pixel-cos", "list:odd ones" };
        struct buf png = BUF_INIT;
        struct counterfactual c = { .query = { SPLIT_GEN, i / 3 }, .subset = m.id, .removed = 12, .pixel_l2 = 1.5 + (double)i,
                                    .pixel_cos = .9 - .1 * (double)i, .embed_cos = NAN, .width_px = SIDE, .height_px = SIDE };
        snprintf(c.label, sizeof c.label, "%s", label[i % 3]);
        TRY(draw(&png, i * 11, i % 2 == 0));
        c.image_bytes = png.len;
        const void *image = png.data;
        enum status st = store_counterfactuals_add(s, &c, &image, 1);
        buf_free(&png);
        if (st != OK) return st;
    }
    return OK;
}

static enum status fill(struct store *s) {
    static const struct want want[] = {
        { "trak", "square", 0, SPLIT_GEN, "auto", .02, 3, 0, 0 }, { "trak", "square", 1, SPLIT_GEN, "auto", .02, 4, 0, 0 },
        { "trak", "square", 3, SPLIT_GEN, "auto", .05, 5, 0, 0 }, { "trak", "square", 3, SPLIT_GEN, "0.2", .2, 2, 0, 0 },
        { "trak", "simple", 3, SPLIT_GEN, "auto", .05, 2e-6, 0, 0 }, { "trak", "square", 3, SPLIT_VAL, "auto", .05, 5, 0, 0 },
        { "grad-cos", "square", 3, SPLIT_GEN, "", 0, 1, 0, 0 }, { "pixel-cos", "", -1, SPLIT_GEN, "", 0, 1, 0, 0 },
        { "grad-dot", "square", 3, SPLIT_GEN, "", 0, 80000, 0, 0 },
        { "grad-dot", "square", 3, SPLIT_GEN, "", 0, 80000, 5, 0 }, { "grad-dot", "square", 3, SPLIT_GEN, "", 0, 80000, 0, 4 },
        { "grad-dot", "square", 3, SPLIT_GEN, "", 0, 80000, 5, 4 },
    };
    struct project p;
    memset(&p, 0, sizeof p);
    snprintf(p.name, sizeof p.name, "world");
    p.width = p.height = SIDE;
    p.channels = p.patch = 1;
    p.value_low = -1;
    p.value_high = 1;
    TRY(store_project_set(s, &p));
    TRY(add_checkpoints(s));
    TRY(add_items(s, SPLIT_TRAIN, TRAIN));
    TRY(add_items(s, SPLIT_VAL, VAL));
    TRY(add_items(s, SPLIT_GEN, GEN));
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) TRY(add_scores(s, &want[i]));
    for (size_t i = 0; i < 2; i++) {
        TRY(add_features(s, i ? "l1" : "square", SPLIT_TRAIN, TRAIN));
        TRY(add_features(s, i ? "l1" : "square", SPLIT_GEN, GEN));
    }
    double leverage[TRAIN];
    for (size_t i = 0; i < TRAIN; i++) leverage[i] = .5 + .4 * (double)rig_value(i, 3);
    struct stat_key key = { "self_influence", "square t10 k8 lambda auto", checkpoint[3], SPLIT_TRAIN };
    TRY(store_stat_put(s, &key, 0, TRAIN, leverage));
    TRY(add_counterfactuals(s));
    return add_jobs(s);
}

int main(int argc, char **argv) {
    struct store *s = NULL;
    if (argc != 2) { fprintf(stderr, "usage: world PATH\n"); return 2; }
    enum status st = store_create(&s, argv[1]);
    if (st == OK) st = store_begin(s);
    if (st == OK) st = fill(s);
    if (st == OK) st = store_commit(s);
    if (st == OK) st = store_publish(s);
    if (st != OK) fprintf(stderr, "world: %s\n", fail_reason());
    store_close(s);
    return st != OK;
}
