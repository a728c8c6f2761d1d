/* store_rig.c - databases for tests.  See store_rig.h. */
#include "store_rig.h"

#include "dtrak/mem.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

enum { BUSY_MS = 60000 };   /* a program under test may be writing */

static char folder[64];

const char *rig_folder(void) {
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/dtrak-test-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    return folder;
}

const char *rig_path(const char *name) {
    static char paths[16][160];
    static int next;
    char *p = paths[next++ % 16];
    snprintf(p, sizeof paths[0], "%s/%s", rig_folder(), name);
    return p;
}

static int take_away(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

void rig_clear(void) {
    if (folder[0]) nftw(folder, take_away, 8, FTW_DEPTH | FTW_PHYS);
    folder[0] = 0;
}

int rig_end(void **state) {
    (void)state;
    rig_clear();
    if (mem_live() == 0) return 0;
    print_error("%ld blocks of memory are left\n", mem_live());
    return -1;
}

int rig_exists(const char *path) { return access(path, F_OK) == 0; }

void rig_sql(const char *path, const char *sql) {
    sqlite3 *db;
    char *text = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, BUSY_MS);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

long long rig_number(const char *path, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, BUSY_MS);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    long long v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

float rig_value(size_t a, size_t b) {
    uint32_t x = (uint32_t)(a * 2654435761u + b * 40503u + 12345u);
    x ^= x >> 15; x *= 2246822519u; x ^= x >> 13; x *= 3266489917u; x ^= x >> 16;
    return ((float)(x >> 8) + 0.5f) / 8388608.0f - 1.0f;
}

static void add_items(struct store *s, enum split split, size_t count, int64_t checkpoint) {
    struct item items[RIG_TRAIN];
    char bytes[RIG_TRAIN][64], name[RIG_TRAIN][32];
    const void *images[RIG_TRAIN];
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < count; i++) {
        snprintf(name[i], sizeof name[i], "%zu.png", i);
        snprintf(bytes[i], sizeof bytes[i], "picture %zu of %s", i, split_name(split));
        images[i] = bytes[i];
        items[i].label = split == SPLIT_GEN ? -1 : (int)(i % 2) ? 9 : 5;
        items[i].label_name = i % 2 ? "ankle boot" : "sandal";
        items[i].original = name[i];
        items[i].width_px = items[i].height_px = 32;
        items[i].image_bytes = strlen(bytes[i]);
        items[i].seed = 1000 + i;
        items[i].checkpoint = checkpoint;
        items[i].sampler = "ddim";
        items[i].steps = 50;
    }
    assert_int_equal(store_items_add(s, split, items, images, count, NULL), OK);
}

struct store *rig_project(const char *path) {
    struct store *s;
    struct project p = { "shoes", 32, 32, 1, 2, -1, 1, "made by a test", "dtrak new", "", "" };
    static const size_t steps[] = { 100, 500, 1000 };
    int64_t last = 0;
    assert_int_equal(store_create(&s, path), OK);
    assert_int_equal(store_project_set(s, &p), OK);
    add_items(s, SPLIT_TRAIN, RIG_TRAIN, 0);
    add_items(s, SPLIT_VAL, RIG_VAL, 0);
    assert_int_equal(store_publish(s), OK);
    for (size_t i = 0; i < 3; i++) {
        struct checkpoint c = { .step = steps[i], .epoch = (double)i, .percent = (double)steps[i] / 10,
                                .train_loss = .05, .half_weights = 1, .config = "{\"layers\":1}" };
        char weights[32];
        int n = snprintf(weights, sizeof weights, "weights at %zu", steps[i]);
        assert_int_equal(store_checkpoint_add(s, &c, weights, (size_t)n, &last), OK);
    }
    add_items(s, SPLIT_GEN, RIG_GEN, last);
    return s;
}

struct feature_identity rig_identity(struct store *s, enum split split) {
    struct checkpoint_list l;
    struct feature_identity f = { .split = split, .loss = "square", .timesteps = 10, .rule = "uniform",
                                  .noise_seed = 7, .projection = "sjlt", .projection_seed = 42, .k = 6,
                                  .nonzeros = 1, .version = 1 };
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    memcpy(f.checkpoint_sha256, l.checkpoint[0].sha256, sizeof f.checkpoint_sha256);
    checkpoint_list_free(&l);
    return f;
}

struct feature_set rig_features(struct store *s, const struct feature_identity *id, size_t rows, const float *values) {
    struct feature_set set;
    enum status st = store_feature_set_ensure(s, id, rows, rows, NULL, NULL, &set);
    if (st == OK) st = store_feature_block_put(s, &set, 0, values);
    if (st != OK) fail_msg("%s", fail_reason());
    return set;
}
