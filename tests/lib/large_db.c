/* large_db.c - databases of any size.  See large_db.h. */
#include "large_db.h"

#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"
#include "dtrak/store_subset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 32, WAVES = 10, TABLE = 1024, BATCH = 500, BITS = 9, ENDS = 100, LABELS = 10, VERSION = 1 };

static const size_t step[4] = { 800, 2000, 4000, 8000 };

/* The settings in the order in which they are filled. */
static const struct { const char *method, *loss; int checkpoint; } setting[] = {
    { "trak", "square", 3 }, { "trak", "simple", 3 }, { "trak", "square", 2 }, { "trak", "l1", 3 }, { "grad-dot", "square", 3 },
    { "grad-cos", "square", 3 }, { "trak", "elbo", 3 }, { "trak", "square", 0 }, { "relative-if", "square", 3 }, { "pixel-cos", "", -1 },
};

static uint32_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(x >> 32);
}

/* In (-1, 1), of its arguments. */
static float value(size_t a, size_t b) {
    return ((float)(mix((uint64_t)a << 32 ^ (uint64_t)b) >> 8) + .5f) / 8388608.f - 1.f;
}

/* --- pictures --- */

static const int *cosines(void) {
    static int table[TABLE];
    for (int i = 0; i < TABLE && table[0] == 0; i++) table[TABLE - 1 - i] = (int)lround(4096 * cos(6.283185307179586 * (TABLE - 1 - i) / TABLE));
    return table;
}

struct wave { int fx, fy, phase, amplitude[3]; };

static void make_waves(struct wave *w, size_t item) {
    for (size_t k = 0; k < WAVES; k++) {
        uint32_t u = mix(item * 64 + k), v = mix(item * 64 + k + 32);
        w[k].fx = (int)(u % 9) - 4;
        w[k].fy = (int)(u / 9 % 9) - 4;
        w[k].phase = (int)(u >> 16) % TABLE;
        double f = sqrt((double)(w[k].fx * w[k].fx + w[k].fy * w[k].fy)), size = 44 / (f < 1 ? 1 : f);
        for (int c = 0; c < 3; c++) w[k].amplitude[c] = (int)(size * (.45 + .55 * (double)(v >> 8 * c & 255) / 255));
    }
}

void large_db_pixels(unsigned char *rgb, size_t item) {
    const int *table = cosines();
    struct wave w[WAVES];
    uint32_t shape = mix(item * 64 + 61), colour = mix(item * 64 + 62);
    int cx = 8 + (int)(shape & 15), cy = 8 + (int)(shape >> 4 & 15), rx = 4 + (int)(shape >> 8 & 7), ry = 4 + (int)(shape >> 11 & 7);
    make_waves(w, item);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int dx = (x - cx) * ry, dy = (y - cy) * rx, inside = dx * dx + dy * dy < rx * rx * ry * ry;
            uint32_t noise = mix(item * 1024 + (size_t)(y * SIDE + x) + ((uint64_t)1 << 40));
            for (int c = 0; c < 3; c++) {
                int v = 128 + (int)(noise >> 8 * c & 7) - 4 + (inside ? ((int)(colour >> 8 * c & 127) - 64) : 0);
                for (size_t k = 0; k < WAVES; k++)
                    v += w[k].amplitude[c] * table[(size_t)((w[k].fx * x + w[k].fy * y) * (TABLE / SIDE) + w[k].phase + 8 * TABLE) % TABLE] / 4096;
                *rgb++ = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
        }
}

static void tell(const char *what, size_t done, size_t total) {
    static double began, last;
    double now = clock_s();
    if (done == 0) began = last = now;
    if (now - began < 3 || now - last < 1) return;
    last = now;
    fprintf(stderr, "  a large database: %s %zu of %zu\n", what, done, total);
}

/* One batch of pictures as PNG. */
static enum status draw(struct buf *png, struct image *im, size_t item) {
    large_db_pixels(im->pixels, item);
    return image_encode_png(png, im);
}

static enum status add_batch(struct store *s, enum split split, size_t first, size_t count, int64_t checkpoint) {
    static struct item item[BATCH];
    static char original[BATCH][24];
    struct buf png[BATCH];
    const void *bytes[BATCH];
    struct image im;
    enum status st = image_new(&im, SIDE, SIDE, 3);
    memset(png, 0, sizeof png);
    memset(item, 0, sizeof item);
    for (size_t i = 0; i < count && st == OK; i++) {
        static const char *const name[LABELS] = { "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck" };
        struct item *it = &item[i];
        size_t index = first + i, kind = mix(index) % LABELS;
        st = draw(&png[i], &im, index + (size_t)split * 1000000);
        bytes[i] = png[i].data;
        it->label = split == SPLIT_GEN ? -1 : (int)kind;
        it->label_name = name[kind];
        snprintf(original[i], sizeof original[i], "%s/%05zu.png", split_name(split), index);
        it->original = original[i];
        it->caption = split == SPLIT_VAL ? "a picture that was held out" : NULL;
        it->width_px = it->height_px = SIDE;
        it->image_bytes = png[i].len;
        it->seed = 100 + index;
        it->checkpoint = checkpoint;
        it->sampler = "ddim";
        it->steps = 50;
    }
    if (st == OK) st = store_items_add(s, split, item, bytes, count, NULL);
    for (size_t i = 0; i < count; i++) buf_free(&png[i]);
    image_free(&im);
    return st;
}

static enum status add_items(struct store *s, enum split split, size_t count, int64_t checkpoint) {
    for (size_t i = 0; i < count; i += BATCH) {
        tell(split_name(split), i, count);
        TRY(add_batch(s, split, i, count - i < BATCH ? count - i : BATCH, checkpoint));
    }
    return OK;
}

static enum status add_checkpoints(struct store *s, int64_t id[4]) {
    for (size_t i = 0; i < 4; i++) {
        struct checkpoint c = { .step = step[i], .epoch = (double)step[i] / 20, .percent = (double)step[i] / 80, .train_loss = .04, .config = "{}" };
        char weights[32];
        snprintf(weights, sizeof weights, "weights of step %zu", step[i]);
        TRY(store_checkpoint_add(s, &c, weights, strlen(weights), &id[i]));
    }
    return OK;
}

/* --- scores --- */

/* A few large ones, most near nothing, as real rows have. */
static void make_row(float *row, size_t n, size_t set, size_t query) {
    for (size_t i = 0; i < n; i++) {
        float x = value(i, query * 16 + set);
        row[i] = 4 * x * x * x;
    }
}

static enum status put_ends(struct store *s, const struct score_set *set, size_t query, const float *row, size_t n) {
    struct ranked top[ENDS], bottom[ENDS];
    size_t ends = n / 2 < ENDS ? n / 2 : ENDS;
    /* Which items these are does not matter, only that they are distinct and in order. */
    for (size_t i = 0; i < ends; i++) {
        size_t at = (query * 7919 + i * 2) % n;
        top[i] = (struct ranked){ i + 1, at, 5 - .01f * (float)i + .001f * row[0] };
        bottom[i] = (struct ranked){ i + 1, (at + 1) % n, -top[i].score };
    }
    return store_score_list_put(s, set, query, top, ends, bottom, ends);
}

static enum status add_lds(struct store *s, int64_t set, size_t nth, size_t queries) {
    struct lds_row r = { .score_set = set, .subsets = 64, .queries = queries, .q_eff = 21, .se = .02, .ceiling = .62 };
    double *per_query = mem_array(queries + 1, sizeof *per_query);
    if (!per_query) return fail(ERR_NOMEM, "large database: out of memory");
    for (size_t i = 0; i < queries; i++) per_query[i] = .3 + .2 * (double)value(i, nth + 77);
    r.per_query = per_query;
    enum status st = store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"subsets\":64}", &r.train_protocol);
    if (st == OK) st = store_protocol_ensure(s, PROTOCOL_EVAL, "{\"timesteps\":100}", &r.eval_protocol);
    for (r.centred = 0; st == OK && r.centred < 2; r.centred++) {
        r.value = .31 - .03 * (double)nth;
        r.low = r.value - .04;
        r.high = r.value + .04;
        st = store_lds_put(s, &r);
    }
    mem_free(per_query);
    return st;
}

static enum status add_scores(struct store *s, const struct large_db *w, size_t nth, const int64_t *checkpoint, const char *params) {
    struct score_set set = { .split = SPLIT_GEN, .version = 1, .mantissa_bits = BITS, .n = w->train, .rows = w->gen };
    int is_whole = nth < w->whole;
    enum status st = OK;
    snprintf(set.method, sizeof set.method, "%s", setting[nth].method);
    snprintf(set.loss, sizeof set.loss, "%s", setting[nth].loss);
    snprintf(set.params, sizeof set.params, "%s", params);
    if (setting[nth].checkpoint >= 0) {
        set.checkpoint[0] = checkpoint[setting[nth].checkpoint];
        set.checkpoints = 1;
        set.timesteps = 10;
        set.k = w->k ? w->k : 64;
        snprintf(set.lambda_spec, sizeof set.lambda_spec, "auto");
    }
    TRY(store_score_set_ensure(s, &set, NULL, &set));
    TRY(store_score_set_ridge(s, set.id, &(struct score_ridge){ .05, 1200, 29.6, NAN, 0 }));
    float *row = mem_array(w->train + 1, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "large database: out of memory");
    for (size_t q = 0; q < w->gen && st == OK; q++) {
        tell("scores", q, w->gen);
        make_row(row, is_whole ? w->train : 1, nth, q);
        st = is_whole ? store_score_put(s, &set, q, row) : put_ends(s, &set, q, row, w->train);
    }
    mem_free(row);
    return st == OK && is_whole ? add_lds(s, set.id, nth, w->gen) : st;
}

/* --- features --- */

static void make_features(float *out, size_t first, size_t count, size_t k, size_t seed) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < k; j++) out[i * k + j] = value(first + i, seed + j) / sqrtf((float)(1 + j));
}

static enum status add_features(struct store *s, const struct large_db *w, enum split split, const char *sha256, struct feature_set *set, char *params) {
    struct feature_identity id = { .split = split, .loss = "square", .timesteps = 10, .rule = "uniform", .projection = "sjlt", .k = w->k,
                                   .nonzeros = 1, .version = 1 };
    size_t n = split == SPLIT_TRAIN ? w->train : w->gen, rows = 256;
    enum status st = OK;
    memcpy(id.checkpoint_sha256, sha256, sizeof id.checkpoint_sha256);
    pipeline_feature_params(params, 512, &id);
    TRY(store_feature_set_ensure(s, &id, n, rows, "{}", NULL, set));
    float *block = mem_array(rows * w->k, sizeof *block);
    if (!block) return fail(ERR_NOMEM, "large database: out of memory");
    for (size_t i = 0; i < n && st == OK; i += rows) {
        tell("features", i, n);
        make_features(block, i, n - i < rows ? n - i : rows, w->k, (size_t)split * 100000);
        st = store_feature_block_put(s, set, i / rows, block);
    }
    mem_free(block);
    return st;
}

static double dot(const float *a, const float *b, size_t k) {
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += (double)a[j] * (double)b[j];
    return sum;
}

static enum status add_kernel(struct store *s, const struct large_db *w, const struct feature_set *train) {
    size_t n = w->train, m = w->gen, k = w->k, at = 0;
    float *phi = mem_array(n * k, sizeof *phi), *g = mem_array(m * k + 1, sizeof *g);
    double *gram = mem_array(n * (n + 1) / 2, sizeof *gram), *cross = mem_array(m * n + 1, sizeof *cross), *self = mem_array(m + 1, sizeof *self);
    enum status st = phi && g && gram && cross && self ? OK : fail(ERR_NOMEM, "large database: out of memory");
    if (st == OK) {
        make_features(phi, 0, n, k, 0);
        make_features(g, 0, m, k, (size_t)SPLIT_GEN * 100000);
        for (size_t i = 0; i < n; i++)
            for (size_t j = i; j < n; j++) gram[at++] = dot(phi + i * k, phi + j * k, k);
        for (size_t q = 0; q < m; q++) {
            for (size_t i = 0; i < n; i++) cross[q * n + i] = dot(g + q * k, phi + i * k, k);
            self[q] = dot(g + q * k, g + q * k, k);
        }
        st = store_kernel_put(s, train->id, KERNEL_GRAM, SPLIT_TRAIN, n, n, 0, gram);
        if (st == OK && m) st = store_kernel_put(s, train->id, KERNEL_CROSS, SPLIT_GEN, m, n, 0, cross);
        if (st == OK && m) st = store_kernel_put(s, train->id, KERNEL_SELF, SPLIT_GEN, m, 1, 0, self);
    }
    mem_free(phi);
    mem_free(g);
    mem_free(gram);
    mem_free(cross);
    mem_free(self);
    return st;
}

/* --- the rest --- */

static enum status add_numbers(struct store *s, size_t n, int64_t checkpoint) {
    static const struct { const char *name, *key; int has_checkpoint; } kind[] = {
        { "self_influence", "square t10 k64 lambda auto", 1 }, { "train_loss", "square t10", 1 }, { "neighbour_distance", "", 0 }, { "neighbour_1", "", 0 },
    };
    double *v = mem_array(n + 1, sizeof *v);
    enum status st = v ? OK : fail(ERR_NOMEM, "large database: out of memory");
    for (size_t k = 0; st == OK && n && k < 4; k++) {
        struct stat_key key = { kind[k].name, kind[k].key, kind[k].has_checkpoint ? checkpoint : 0, SPLIT_TRAIN };
        for (size_t i = 0; i < n; i++) v[i] = k == 3 ? (double)(mix(i) % n) : .3 + .2 * (double)value(i, 500 + k) + (mix(i) % 997 == 0 ? .4 : 0);
        st = store_stat_put(s, &key, 0, n, v);
    }
    mem_free(v);
    return st;
}

static enum status add_marks(struct store *s, size_t n) {
    size_t list[40], count = n < 40 ? n : 40;
    for (size_t i = 0; i < count; i++) {
        list[i] = i * (n / count);
        if (i % 2 == 0) TRY(store_mark_set(s, (struct item_ref){ SPLIT_TRAIN, list[i] }, 1));
    }
    return count ? store_removal_list_put(s, "every so many", list, count) : OK;
}

static enum status add_jobs(struct store *s) {
    for (size_t i = 0; i < 60; i++) {
        struct job j;
        int64_t id;
        TRY(store_job_enqueue(s, i % 2 ? "score" : "features", "{\"losses\":\"square\",\"checkpoints\":\"8000\"}", &id));
        TRY(store_job_claim(s, id, "elsewhere:7:0", &j));
        TRY(store_job_finish(s, id, "elsewhere:7:0", i % 7 == 3 ? JOB_FAILED : JOB_DONE, i % 7 == 3 ? "the disk was full" : "finished in 2:31"));
    }
    return OK;
}

static enum status fill(struct store *s, const struct large_db *w) {
    struct project p = { .name = "large", .width = SIDE, .height = SIDE, .channels = 3, .patch = 1, .value_low = -1, .value_high = 1 };
    struct checkpoint_list l = { NULL, 0, NULL };
    struct feature_set train, gen;
    int64_t checkpoint[4];
    char params[512] = "{}";
    TRY(store_project_set(s, &p));
    TRY(add_checkpoints(s, checkpoint));
    TRY(add_items(s, SPLIT_TRAIN, w->train, 0));
    TRY(add_items(s, SPLIT_VAL, w->val, 0));
    TRY(add_items(s, SPLIT_GEN, w->gen, checkpoint[3]));
    if (w->k && w->train) {
        TRY(store_checkpoints_resolve(s, "last", &l));
        enum status st = add_features(s, w, SPLIT_TRAIN, l.checkpoint[0].sha256, &train, params);
        if (st == OK && w->gen) st = add_features(s, w, SPLIT_GEN, l.checkpoint[0].sha256, &gen, params);
        checkpoint_list_free(&l);
        if (st == OK && w->kernel) st = add_kernel(s, w, &train);
        TRY(st);
    }
    for (size_t i = 0; w->train && i < w->whole + w->ends && i < sizeof setting / sizeof setting[0]; i++)
        TRY(add_scores(s, w, i, checkpoint, params));
    TRY(add_numbers(s, w->train, checkpoint[3]));
    TRY(add_marks(s, w->train));
    return add_jobs(s);
}

enum status large_db_make(const char *path, const struct large_db *want) {
    struct store *s = NULL;
    TRY(store_create(&s, path));
    enum status st = store_begin(s);
    if (st == OK) st = fill(s, want);
    if (st == OK) st = store_commit(s);
    if (st == OK) st = store_publish(s);
    store_close(s);
    return st;
}

enum status large_db_ensure(char *out, const char *folder, const struct large_db *want) {
    snprintf(out, 512, "%s/large-%d-%zu-%zu-%zu-%zu-%zu-%zu%s.db", folder, VERSION, want->train, want->val, want->gen, want->whole, want->ends,
             want->k, want->kernel ? "-kernel" : "");
    if (access(out, F_OK) != 0) return large_db_make(out, want);
    /* One of an older schema becomes one of today's. */
    struct store *s;
    TRY(store_open(&s, out, STORE_WRITE));
    store_close(s);
    return OK;
}
