/* Features, kernels, scores and statistics: what goes in, what comes out. */
#include "../lib/store_rig.h"
#include "../../src/store/db.h"
#include "dtrak/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void fill(float *rows, size_t first, size_t count, size_t k) {
    for (size_t i = 0; i < count * k; i++) rows[i] = 3e-4f * rig_value(first + i / k, i % k);
}

static struct feature_set make_set(struct store *s, enum split split, int float32, size_t rows) {
    struct feature_identity f = rig_identity(s, split);
    struct provenance p = { "0.1", "HASWELL", "host", 2 };
    struct feature_set set;
    f.float32 = float32;
    if (store_feature_set_ensure(s, &f, rows, 16, "{\"a\":1}", &p, &set) != OK) fail_msg("%s", fail_reason());
    return set;
}

static void put_blocks(struct store *s, const struct feature_set *set) {
    struct index_list missing;
    float rows[16 * 6];
    assert_int_equal(store_feature_blocks_missing(s, set, &missing), OK);
    for (size_t i = 0; i < missing.count; i++) {
        fill(rows, missing.index[i] * 16, 16, 6);
        assert_int_equal(store_feature_block_put(s, set, missing.index[i], rows), OK);
    }
    index_list_free(&missing);
}

static size_t count_missing(struct store *s, const struct feature_set *set) {
    struct index_list missing;
    assert_int_equal(store_feature_blocks_missing(s, set, &missing), OK);
    size_t n = missing.count;
    index_list_free(&missing);
    return n;
}

static void feature_rows_come_back(int float32, double relative) {
    struct store *s = rig_project(rig_path("features.db"));
    struct feature_set set = make_set(s, SPLIT_TRAIN, float32, RIG_TRAIN), again;
    float want[RIG_TRAIN * 6], got[RIG_TRAIN * 6];
    assert_int_equal(count_missing(s, &set), 3);
    assert_int_equal(store_features_read(s, &set, 0, 1, got), ERR_MISSING);
    put_blocks(s, &set);
    assert_int_equal(count_missing(s, &set), 0);
    fill(want, 0, RIG_TRAIN, 6);
    assert_int_equal(store_features_read(s, &set, 5, 30, got), OK);
    for (size_t r = 0; r < 30; r++) {
        double largest = 0;
        for (size_t j = 0; j < 6; j++) largest = fmax(largest, fabs(want[(r + 5) * 6 + j]));
        for (size_t j = 0; j < 6; j++) {
            double w = want[(r + 5) * 6 + j];
            assert_true(fabs(got[r * 6 + j] - w) <= relative * fmax(fabs(w), largest * 0x1p-14));
        }
    }
    assert_int_equal(store_features_read(s, &set, 30, 11, got), ERR_RANGE);
    set = make_set(s, SPLIT_TRAIN, float32, RIG_TRAIN);
    assert_int_equal(set.rows_done, RIG_TRAIN);
    assert_string_equal(set.blas_core, "HASWELL");
    assert_int_equal(store_feature_set_get(s, set.id, &again), OK);
    assert_int_equal(again.identity.projection_seed, 42);
    want[7] = (float)NAN;
    assert_int_equal(store_feature_block_put(s, &set, 0, want), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "train:1"));
    store_close(s);
}

static void float16_rows_keep_eleven_bits(void **state) { (void)state; feature_rows_come_back(0, 0x1p-11); }
static void float32_rows_are_exact(void **state) { (void)state; feature_rows_come_back(1, 0); }

static void extreme_feature_rows_survive_float16(void **state) {
    (void)state;
    float rows[5][4] = { { 0, 0, 0, 0 }, { 3e38f, -3e38f, 1e38f, 0 }, { 1e-38f, -2e-38f, 0, 5e-39f },
                         { 1e30f, 1, -1e-30f, 0 }, { 1e-45f, 0, 0, -1e-45f } }, got[4];
    unsigned char bytes[64];
    for (int r = 0; r < 5; r++) {
        double largest = 0;
        feature_row_encode(bytes, rows[r], 4, 0);
        feature_row_decode(got, bytes, 4, 0);
        for (int j = 0; j < 4; j++) largest = fmax(largest, fabs(rows[r][j]));
        for (int j = 0; j < 4; j++) {
            assert_true(isfinite(got[j]));
            /* a denormal row is bounded by its own spacing */
            assert_true(fabs((double)got[j] - rows[r][j]) <=
                        fmax(fabs(rows[r][j]) * 0x1p-11, fmax(largest * 0x1p-39, 0x1p-149)));
        }
    }
}

static void sets_of_another_identity_never_mix(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("identity.db"));
    struct feature_set a = make_set(s, SPLIT_TRAIN, 0, RIG_TRAIN), b = make_set(s, SPLIT_TRAIN, 1, RIG_TRAIN), c;
    assert_true(a.id != b.id);
    char text[256];
    feature_identity_difference(text, &a.identity, &a.identity);
    assert_string_equal(text, "");
    struct feature_identity other = a.identity;
    other.k = 2048;
    strcpy(other.loss, "simple");
    feature_identity_difference(text, &a.identity, &other);
    assert_string_equal(text, "loss square/simple, k 6/2048");
    strcpy(other.projection, "gaussian");
    other.nonzeros = 0;
    other.projection_seed = 7;
    feature_identity_difference(text, &a.identity, &other);
    assert_string_equal(text, "loss square/simple, projection sjlt seed 42 / gaussian seed 7, k 6/2048");
    assert_int_equal(store_feature_set_find(s, &other, &c), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "dtrak features"));
    other.checkpoint_sha256[0] ^= 1;
    assert_int_equal(store_feature_set_ensure(s, &other, 1, 1, NULL, NULL, &c), ERR_MISSING);
    struct feature_set_list l;
    assert_int_equal(store_feature_sets_list(s, &l), OK);
    assert_int_equal(l.count, 2);
    feature_set_list_free(&l);
    store_close(s);
}

static void parts_are_kept_apart_and_read_as_their_mean(void **state) {
    (void)state;
    enum { P = 3, K = 6, BLOCK = 16 };
    const char *path = rig_path("parts.db");
    struct store *s = rig_project(path);
    struct feature_identity id = rig_identity(s, SPLIT_TRAIN), plain = id;
    struct feature_set set, ordinary;
    struct index_list missing;
    float rows[P * BLOCK * K], out[RIG_TRAIN * K], part[RIG_TRAIN * K];
    char text[256];
    size_t problems;
    id.parts = P;
    id.draws = 2;
    id.float32 = 1;
    assert_int_equal(store_feature_set_ensure(s, &id, RIG_TRAIN, BLOCK, NULL, NULL, &set), OK);
    assert_int_equal(set.identity.parts, P);
    assert_int_equal(set.identity.draws, 2);
    plain.float32 = 1;
    feature_identity_difference(text, &id, &plain);
    assert_string_equal(text, "noise draws 2/1, parts 3/1");
    assert_int_equal(store_feature_set_find(s, &plain, &ordinary), ERR_MISSING);
    for (size_t b = 0; b < 3; b++) {
        size_t count = b < 2 ? BLOCK : RIG_TRAIN - 2 * BLOCK;
        for (size_t p = 0; p < P; p++)
            for (size_t i = 0; i < count * K; i++)
                rows[p * count * K + i] = rig_value(b * BLOCK * K + i, p);
        assert_int_equal(store_feature_block_put(s, &set, b, rows), OK);
    }
    assert_int_equal(store_feature_set_get(s, set.id, &set), OK);
    assert_int_equal(set.rows_done, RIG_TRAIN);
    for (size_t p = 0; p < P; p++) {
        assert_int_equal(store_features_read_part(s, &set, p, 5, 30, part), OK);
        for (size_t i = 0; i < 30 * K; i++) assert_true(part[i] == rig_value(5 * K + i, p));
    }
    assert_int_equal(store_features_read(s, &set, 5, 30, out), OK);
    for (size_t i = 0; i < 30 * K; i++) {
        double mean = 0;
        for (size_t p = 0; p < P; p++) mean += (double)rig_value(5 * K + i, p) / P;
        assert_true(fabs((double)out[i] - mean) <= 1e-7);
    }
    assert_int_equal(store_features_read_part(s, &set, P, 0, 1, part), ERR_RANGE);
    /* A block is whole only with all of its parts. */
    char sql[128];
    snprintf(sql, sizeof sql, "DELETE FROM feature_block WHERE feature_set = %lld AND block = %d", (long long)set.id, P + 2);
    rig_sql(path, sql);
    assert_int_equal(store_feature_blocks_missing(s, &set, &missing), OK);
    assert_int_equal(missing.count, 1);
    assert_int_equal(missing.index[0], 1);
    index_list_free(&missing);
    assert_int_equal(store_features_read(s, &set, 20, 1, out), ERR_MISSING);
    assert_int_equal(store_features_read(s, &set, 32, 8, out), OK);
    assert_int_equal(store_feature_block_delete(s, &set, 1), OK);
    assert_int_equal(store_feature_set_get(s, set.id, &set), OK);
    assert_int_equal(set.rows_done, RIG_TRAIN - BLOCK);
    store_close(s);
    assert_int_equal(store_check(path, NULL, NULL, NULL, &problems), OK);
    assert_int_equal(problems, 0);
}

static void a_grown_split_reopens_only_the_last_block(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("grow.db"));
    struct feature_set set = make_set(s, SPLIT_TRAIN, 0, 20);
    put_blocks(s, &set);
    set = make_set(s, SPLIT_TRAIN, 0, 40);
    assert_int_equal(set.rows, 40);
    assert_int_equal(count_missing(s, &set), 2);
    float got[6];
    assert_int_equal(store_features_read(s, &set, 3, 1, got), OK);
    assert_int_equal(store_features_read(s, &set, 30, 1, got), ERR_MISSING);
    put_blocks(s, &set);
    assert_int_equal(store_features_read(s, &set, 30, 1, got), OK);
    store_close(s);
}

static void kernels_outlive_the_blocks(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("kernel.db"));
    struct feature_set set = make_set(s, SPLIT_TRAIN, 0, RIG_TRAIN);
    enum { N = RIG_TRAIN, M = RIG_GEN };
    double gram[N * (N + 1) / 2], cross[M * N], self[M], *got;
    size_t rows, cols, problems;
    for (size_t i = 0; i < sizeof gram / sizeof *gram; i++) gram[i] = rig_value(i, 1) / 3.0;
    for (size_t i = 0; i < M * N; i++) cross[i] = rig_value(i, 2) / 3.0;
    for (size_t i = 0; i < M; i++) self[i] = (double)i + .1;
    put_blocks(s, &set);
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_GRAM, SPLIT_TRAIN, N, N, 1, gram), OK);
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_CROSS, SPLIT_GEN, M, N, 0, cross), OK);
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_SELF, SPLIT_GEN, M, 1, 1, self), OK);
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_GRAM, SPLIT_TRAIN, N, N - 1, 1, gram), ERR_RANGE);
    assert_int_equal(store_feature_blocks_drop(s, set.id), OK);
    assert_int_equal(store_feature_set_get(s, set.id, &set), OK);
    assert_true(set.dropped);
    assert_int_equal(set.rows_done, 0);
    assert_int_equal(store_kernel_get(s, set.id, KERNEL_GRAM, SPLIT_TRAIN, &rows, &cols, &got), OK);
    assert_memory_equal(got, gram, sizeof gram);
    mem_free(got);
    assert_int_equal(store_kernel_get(s, set.id, KERNEL_CROSS, SPLIT_GEN, &rows, &cols, &got), OK);
    assert_int_equal(rows, M);
    assert_int_equal(cols, N);
    for (size_t i = 0; i < M * N; i++) assert_true(got[i] == (double)(float)cross[i]);
    mem_free(got);
    int has;
    assert_int_equal(store_kernel_has(s, set.id, KERNEL_SELF, SPLIT_VAL, &has), OK);
    assert_false(has);
    assert_int_equal(store_kernel_get(s, set.id, KERNEL_SELF, SPLIT_VAL, &rows, &cols, &got), ERR_MISSING);
    store_close(s);
    assert_int_equal(store_check(rig_path("kernel.db"), NULL, NULL, NULL, &problems), OK);
    assert_int_equal(problems, 0);
}

/* --- scores --- */

static void rounding_is_within_half_a_unit(void **state) {
    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        float x = ldexpf(rig_value(i, 3), (int)(i % 200) - 100);
        assert_true(score_round(x, 24) == x);
        assert_true(fabsf(score_round(x, 16) - x) <= fabsf(x) * 0x1p-16f);
        assert_true(score_round(score_round(x, 16), 16) == score_round(x, 16));
        assert_true(score_round(-x, 12) == -score_round(x, 12));
    }
    assert_true(isfinite(score_round(3.4028234e38f, 9)));
    assert_true(score_round(1.0f + 0x1p-16f, 16) == 1.0f);          /* a tie goes to even */
    assert_true(score_round(1.0f + 3 * 0x1p-16f, 16) == 1.0f + 0x1p-14f);
}

static void a_row_round_trips_exactly_in_either_format(void **state) {
    (void)state;
    enum { N = 1000 };
    static float row[N], got[N];
    static unsigned char out[4 * N], scratch[4 * N];
    size_t len;
    int format;
    for (size_t i = 0; i < N; i++) row[i] = score_round(rig_value(i, 4), 16);
    assert_int_equal(score_row_encode(out, &len, &format, scratch, row, N), OK);
    assert_int_equal(format, ROW_DEFLATED);
    assert_true(len < 27 * N / 10);      /* what the demo's budget counts on */
    assert_int_equal(score_row_decode(got, N, format, out, len), OK);
    assert_memory_equal(got, row, sizeof row);
    assert_int_equal(score_row_decode(got, N, format, out, len - 1), ERR_FORMAT);
    assert_int_equal(score_row_decode(got, N - 1, format, out, len), ERR_FORMAT);
    for (size_t i = 0; i < 3; i++) row[i] = rig_value(i, 5);
    assert_int_equal(score_row_encode(out, &len, &format, scratch, row, 3), OK);
    assert_int_equal(format, ROW_RAW);
    assert_int_equal(score_row_decode(got, 3, format, out, len), OK);
    assert_memory_equal(got, row, 3 * sizeof *row);
    assert_int_equal(score_row_decode(got, 3, 7, out, len), ERR_FORMAT);
}

static struct score_set want_set(struct store *s, const char *names, const char *method, const char *loss) {
    struct score_set w;
    struct checkpoint_list l;
    memset(&w, 0, sizeof w);
    strcpy(w.method, method);
    strcpy(w.loss, loss);
    if (names) {
        assert_int_equal(store_checkpoints_resolve(s, names, &l), OK);
        for (size_t i = 0; i < l.count; i++) w.checkpoint[w.checkpoints++] = l.checkpoint[i].id;
        checkpoint_list_free(&l);
        w.timesteps = 10;
        w.k = 6;
        strcpy(w.lambda_spec, "auto");
    }
    w.split = SPLIT_GEN;
    strcpy(w.params, "{}");
    w.version = 1;
    w.mantissa_bits = 24;
    w.n = RIG_TRAIN;
    w.rows = RIG_GEN;
    w.lambda_rel = w.lambda_abs = w.d_eff = (double)NAN;
    return w;
}

static struct score_set made(struct store *s, struct score_set w, size_t rows) {
    struct score_set set;
    float row[RIG_TRAIN];
    if (store_score_set_ensure(s, &w, NULL, &set) != OK) fail_msg("%s", fail_reason());
    for (size_t q = 0; q < rows; q++) {
        for (size_t i = 0; i < RIG_TRAIN; i++) row[i] = floorf(8 * rig_value(i, q));   /* many ties */
        assert_int_equal(store_score_put(s, &set, q, row), OK);
    }
    return set;
}

static void scores_come_back_and_missing_rows_are_known(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("scores.db"));
    struct score_set w = want_set(s, "last", "trak", "square"), set = made(s, w, 4);
    struct index_list missing;
    float row[RIG_TRAIN];
    assert_int_equal(store_scores_missing(s, &set, &missing), OK);
    assert_int_equal(missing.count, RIG_GEN - 4);
    assert_int_equal(missing.index[0], 4);
    index_list_free(&missing);
    assert_int_equal(store_score_read(s, &set, 3, row), OK);
    for (size_t i = 0; i < RIG_TRAIN; i++) assert_true(row[i] == floorf(8 * rig_value(i, 3)));
    assert_int_equal(store_score_read(s, &set, 4, row), ERR_MISSING);
    assert_int_equal(store_score_put(s, &set, RIG_GEN, row), ERR_RANGE);
    row[2] = (float)INFINITY;
    assert_int_equal(store_score_put(s, &set, 5, row), ERR_NUMERIC);
    assert_int_equal(store_score_set_ridge(s, set.id, &(struct score_ridge){ .05, 1200, 31.5, 7e4, 63 }), OK);
    w.rows = RIG_GEN + 2;
    assert_int_equal(store_score_set_ensure(s, &w, NULL, &set), OK);
    assert_int_equal(set.rows, RIG_GEN + 2);
    assert_int_equal(set.rows_done, 4);
    assert_true(set.lambda_abs == 1200 && set.d_eff == 31.5 && set.condition == 7e4);
    assert_int_equal(set.rank, 63);
    assert_true(!score_set_is_narrow(&set) == (set.k >= 315));
    store_close(s);
}

static void rankings_break_ties_by_the_lower_index(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("top.db"));
    struct score_set set = made(s, want_set(s, "last", "trak", "square"), RIG_GEN);
    struct ranked top[RIG_TRAIN], back[RIG_GEN];
    float row[RIG_TRAIN];
    size_t got;
    for (int opponents = 0; opponents < 2; opponents++)
        for (size_t q = 0; q < RIG_GEN; q++) {
            assert_int_equal(store_score_read(s, &set, q, row), OK);
            for (size_t count = 10; count <= RIG_TRAIN; count += RIG_TRAIN - 10) {   /* both ways to sort */
                assert_int_equal(store_score_top(s, &set, q, opponents, count, top, &got), OK);
                assert_int_equal(got, count);
                for (size_t i = 0; i < count; i++) {
                    size_t before = 0;   /* by the definition of a rank */
                    for (size_t j = 0; j < RIG_TRAIN; j++)
                        if (row[j] == top[i].score ? j < top[i].item
                                                   : (row[j] > top[i].score) != (opponents != 0)) before++;
                    assert_int_equal(before, i);
                    assert_int_equal(top[i].rank, i + 1);
                    assert_true(top[i].score == row[top[i].item]);
                }
            }
            /* in reverse: the tenth is found, the eleventh is not kept (n = 40 keeps 10) */
            for (size_t i = 9; i < 11; i++) {
                int there = 0;
                assert_int_equal(store_score_supported(s, &set, top[i].item, opponents, RIG_GEN, back, &got), OK);
                for (size_t j = 0; j < got; j++) {
                    if (j) assert_true(back[j].rank >= back[j - 1].rank);
                    if (back[j].item == q) {
                        there = 1;
                        assert_int_equal(back[j].rank, i + 1);
                        assert_true(back[j].score == top[i].score);
                    }
                }
                assert_int_equal(there, i < 10);
            }
        }
    for (size_t i = 0; i < RIG_TRAIN; i++) row[i] = (float)i;      /* replacing replaces the index too */
    assert_int_equal(store_score_put(s, &set, 0, row), OK);
    assert_int_equal(store_score_supported(s, &set, RIG_TRAIN - 1, 0, RIG_GEN, back, &got), OK);
    assert_true(got > 0 && back[0].rank == 1);
    store_close(s);
    assert_int_equal(rig_number(rig_path("top.db"), "SELECT count(*) FROM score_top"), RIG_GEN * 20);
}

static void a_screen_finds_the_set_it_asks_for(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("find.db"));
    struct score_set w = want_set(s, "last", "trak", "square"), found;
    int64_t last = w.checkpoint[0];
    struct score_set ten = made(s, w, RIG_GEN);
    strcpy(w.lambda_spec, "0.05");
    struct score_set fixed = made(s, w, RIG_GEN);
    strcpy(w.lambda_spec, "auto");
    w.timesteps = 50;
    struct score_set unfinished = made(s, w, 2);
    struct score_set pixel = made(s, want_set(s, NULL, "pixel-cos", ""), RIG_GEN);
    struct score_set ensemble = made(s, want_set(s, "all", "trak", "simple"), RIG_GEN);
    struct score_query q = { "trak", "square", last, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &q, &found), OK);
    assert_int_equal(found.id, ten.id);                 /* complete before many timesteps */
    q.timesteps = 50;
    assert_int_equal(store_score_set_find(s, &q, &found), OK);
    assert_int_equal(found.id, unfinished.id);
    made(s, w, RIG_GEN);
    q.timesteps = 0;
    assert_int_equal(store_score_set_find(s, &q, &found), OK);
    assert_int_equal(found.id, unfinished.id);          /* now it is complete */
    /* Of some rows, and larger k of none: what there is to see; and for a query, the set that has it. */
    struct score_set some = want_set(s, "last", "grad-cos", "square"), none = some, other = some;
    some = made(s, some, 2);
    none.k *= 2;
    none = made(s, none, 0);
    struct score_query of = { "grad-cos", "square", last, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, some.id);
    other.timesteps = 1000;
    other = made(s, other, 1);
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, other.id);
    of.has = 2;                                         /* gen:1 */
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, some.id);
    of.has = RIG_GEN;                                   /* nowhere */
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, other.id);
    /* Only the ends of a ranking are less than its row, however new. */
    struct score_set ends = want_set(s, "last", "grad-cos", "square");
    struct ranked end = { .item = 3, .rank = 1, .score = 1 };
    strcpy(ends.params, "{\"ends\":1}");
    ends.timesteps = 2000;
    assert_int_equal(store_score_set_ensure(s, &ends, NULL, &ends), OK);
    assert_int_equal(store_score_list_put(s, &ends, 1, &end, 1, NULL, 0), OK);
    assert_int_equal(store_score_list_put(s, &ends, 3, &end, 1, NULL, 0), OK);
    of.has = 2;
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, some.id);
    of.has = 4;
    assert_int_equal(store_score_set_find(s, &of, &found), OK);
    assert_int_equal(found.id, ends.id);
    q.lambda_spec = "0.05";
    assert_int_equal(store_score_set_find(s, &q, &found), OK);
    assert_int_equal(found.id, fixed.id);
    q.split = SPLIT_VAL;
    assert_int_equal(store_score_set_find(s, &q, &found), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "dtrak score"));
    struct score_query p = { "pixel-cos", "", 0, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &p, &found), OK);
    assert_int_equal(found.id, pixel.id);
    struct score_query e = { "trak", "simple", -1, SPLIT_GEN, NULL, 0, 0, 0, NULL, 0 };
    assert_int_equal(store_score_set_find(s, &e, &found), OK);
    assert_int_equal(found.id, ensemble.id);
    assert_int_equal(found.checkpoints, 3);
    const int64_t over[] = { found.checkpoint[2], found.checkpoint[0], found.checkpoint[1] };
    e.over = over;
    e.n_over = 3;
    assert_int_equal(store_score_set_find(s, &e, &found), OK);
    e.n_over = 2;                                       /* of those two there is none */
    assert_int_equal(store_score_set_find(s, &e, &found), ERR_MISSING);
    struct score_choices c;
    assert_int_equal(store_score_choices(s, SPLIT_GEN, &c), OK);
    assert_int_equal(c.methods, 2);
    assert_string_equal(c.method[1], "pixel-cos");
    assert_int_equal(c.losses, 2);
    assert_int_equal(c.checkpoints, 3);
    assert_int_equal(c.checkpoint[2], last);
    assert_int_equal(store_checkpoint_delete(s, last), OK);   /* takes its scores with it */
    assert_int_equal(store_score_choices(s, SPLIT_GEN, &c), OK);
    assert_int_equal(c.methods, 1);
    store_close(s);
}

/* --- other processes --- */

static void what_was_dropped_is_not_filled_under_its_old_number(void **state) {
    (void)state;
    const char *path = rig_path("stale.db");
    struct store *s = rig_project(path), *other;
    assert_int_equal(store_open(&other, path, STORE_WRITE), OK);
    struct feature_set old = make_set(s, SPLIT_TRAIN, 1, RIG_TRAIN), now;
    struct feature_identity f = old.identity;
    float rows[16 * 6], row[RIG_TRAIN] = { 0 };
    fill(rows, 0, 16, 6);
    assert_int_equal(store_feature_block_put(s, &old, 0, rows), OK);
    assert_int_equal(store_feature_set_delete(other, old.id), OK);
    f.noise_seed++;
    assert_int_equal(store_feature_set_ensure(other, &f, RIG_TRAIN, 16, "{}", NULL, &now), OK);
    assert_true(now.id == old.id);
    assert_int_equal(store_feature_block_put(s, &old, 1, rows), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "dropped by another process"));
    assert_int_equal(count_missing(other, &now), 3);

    struct score_set w = want_set(s, "last", "trak", "square"), set, next;
    assert_int_equal(store_score_set_ensure(s, &w, NULL, &set), OK);
    assert_int_equal(store_score_put(s, &set, 0, row), OK);
    assert_int_equal(store_score_set_delete(other, set.id), OK);
    w.k++;
    assert_int_equal(store_score_set_ensure(other, &w, NULL, &next), OK);
    assert_true(next.id == set.id);
    assert_int_equal(store_score_put(s, &set, 1, row), ERR_MISSING);
    assert_int_equal(store_score_read(other, &next, 1, row), ERR_MISSING);
    store_close(other);
    store_close(s);
}

static void results_of_items_that_were_renumbered_are_refused(void **state) {
    (void)state;
    const char *path = rig_path("moved.db");
    struct store *s = rig_project(path), *other;
    struct items_watch watch;
    struct score_set w = want_set(s, "last", "trak", "square"), set;
    float rows[16 * 6], row[RIG_TRAIN] = { 0 };
    size_t first = 0;
    fill(rows, 0, 16, 6);
    assert_int_equal(store_open(&other, path, STORE_WRITE), OK);
    assert_int_equal(store_items_look(s, &watch), OK);
    store_items_watch(s, &watch);
    assert_int_equal(store_score_set_ensure(s, &w, NULL, &set), OK);
    struct feature_set gen = make_set(s, SPLIT_GEN, 1, RIG_GEN), train = make_set(s, SPLIT_TRAIN, 1, RIG_TRAIN);
    assert_int_equal(store_score_put(s, &set, 1, row), OK);
    assert_int_equal(store_feature_block_put(s, &gen, 0, rows), OK);
    assert_int_equal(store_items_drop(other, SPLIT_GEN, &first, 1), OK);
    assert_int_equal(store_score_put(s, &set, 2, row), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "gen items were dropped by another process"));
    assert_int_equal(store_feature_block_put(s, &gen, 0, rows), ERR_RANGE);
    assert_int_equal(store_kernel_put(s, train.id, KERNEL_SELF, SPLIT_GEN, 2, 1, 1, (double[]){ 1, 2 }), ERR_RANGE);
    assert_int_equal(store_feature_block_put(s, &train, 0, rows), OK);   /* of no query */
    /* The row that was there moved with its item; the next run begins with the items as they are. */
    assert_int_equal(store_score_read(other, &set, 0, row), OK);
    assert_int_equal(store_items_look(s, &watch), OK);
    assert_int_equal(watch.rows[SPLIT_GEN], RIG_GEN - 1);
    store_items_watch(s, &watch);
    assert_int_equal(store_score_put(s, &set, 2, row), OK);
    store_items_watch(s, NULL);
    store_close(other);
    store_close(s);
}

static void a_block_is_not_replaced_by_a_shorter_one(void **state) {
    (void)state;
    const char *path = rig_path("longer.db");
    struct store *s = rig_project(path);
    float rows[16 * 6], back[6];
    struct feature_set few = make_set(s, SPLIT_GEN, 1, 4), all = make_set(s, SPLIT_GEN, 1, RIG_GEN);
    fill(rows, 0, 16, 6);
    assert_int_equal(store_feature_block_put(s, &all, 0, rows), OK);
    assert_int_equal(store_feature_block_put(s, &few, 0, rows), OK);
    assert_int_equal(count_missing(s, &all), 0);
    assert_int_equal(store_features_read(s, &all, RIG_GEN - 1, 1, back), OK);
    assert_memory_equal(back, rows + (RIG_GEN - 1) * 6, sizeof back);
    store_close(s);
}

static void statistics_are_arrays_over_a_split(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("stat.db"));
    struct stat_key k = { "self_influence", "square", 1, SPLIT_TRAIN }, other = k;
    double v[RIG_TRAIN], got[RIG_TRAIN];
    size_t n;
    for (size_t i = 0; i < RIG_TRAIN; i++) v[i] = rig_value(i, 6);
    assert_int_equal(store_stat_put(s, &k, 10, 20, v), OK);
    assert_int_equal(store_stat_put(s, &k, 12, 1, v), OK);      /* replaces */
    assert_int_equal(store_stat_get(s, &k, 0, RIG_TRAIN, got, &n), OK);
    assert_int_equal(n, 20);
    assert_true(isnan(got[9]) && isnan(got[30]));
    assert_true(got[10] == v[0] && got[29] == v[19] && got[12] == v[0]);
    other.checkpoint = 0;
    assert_int_equal(store_stat_get(s, &other, 0, 5, got, &n), OK);
    assert_int_equal(n, 0);
    v[1] = (double)NAN;
    assert_int_equal(store_stat_put(s, &k, 0, 2, v), ERR_NUMERIC);
    struct stat_set_list l;
    assert_int_equal(store_stats_list(s, &l), OK);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.set[0].count, 20);
    stat_set_list_free(&l);
    store_close(s);
}

static enum status session(const char *path) {
    struct store *s;
    struct feature_set_list f = { NULL, 0 };
    struct score_set_list c = { NULL, 0 };
    struct stat_set_list t = { NULL, 0 };
    struct index_list missing = { NULL, 0 };
    struct ranked top[3];
    float rows[16 * 6];
    double *kernel = NULL;
    size_t a, b;
    enum status st = store_open(&s, path, STORE_WRITE);
    if (st != OK) return st;
    TRY_TO(store_feature_sets_list(s, &f));
    TRY_TO(store_feature_blocks_missing(s, &f.set[0], &missing));
    fill(rows, 0, 16, 6);
    TRY_TO(store_feature_block_put(s, &f.set[0], 0, rows));
    TRY_TO(store_kernel_get(s, f.set[0].id, KERNEL_SELF, SPLIT_GEN, &a, &b, &kernel));
    TRY_TO(store_score_sets_list(s, &c));
    TRY_TO(store_score_put(s, &c.set[0], 1, rows));
    TRY_TO(store_score_top(s, &c.set[0], 1, 0, 3, top, &a));
    TRY_TO(store_stats_list(s, &t));
done:
    feature_set_list_free(&f);
    score_set_list_free(&c);
    stat_set_list_free(&t);
    index_list_free(&missing);
    mem_free(kernel);
    store_close(s);
    return st;
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    const char *path = rig_path("sweep.db");
    struct store *s = rig_project(path);
    struct feature_set set = make_set(s, SPLIT_TRAIN, 0, RIG_TRAIN);
    double self[1] = { 1 };
    assert_int_equal(store_kernel_put(s, set.id, KERNEL_SELF, SPLIT_GEN, 1, 1, 1, self), OK);
    made(s, want_set(s, "last", "trak", "square"), 2);
    store_close(s);
    long live = mem_live(), n = 0;
    for (;; n++) {
        mem_fail_after(n);
        enum status st = session(path);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), live);
        if (st == OK) break;
        assert_int_equal(st, ERR_NOMEM);
        assert_true(n < 200);
    }
    assert_true(n > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(float16_rows_keep_eleven_bits, rig_end),
        cmocka_unit_test_teardown(float32_rows_are_exact, rig_end),
        cmocka_unit_test_teardown(extreme_feature_rows_survive_float16, rig_end),
        cmocka_unit_test_teardown(sets_of_another_identity_never_mix, rig_end),
        cmocka_unit_test_teardown(a_grown_split_reopens_only_the_last_block, rig_end),
        cmocka_unit_test_teardown(parts_are_kept_apart_and_read_as_their_mean, rig_end),
        cmocka_unit_test_teardown(kernels_outlive_the_blocks, rig_end),
        cmocka_unit_test_teardown(rounding_is_within_half_a_unit, rig_end),
        cmocka_unit_test_teardown(a_row_round_trips_exactly_in_either_format, rig_end),
        cmocka_unit_test_teardown(scores_come_back_and_missing_rows_are_known, rig_end),
        cmocka_unit_test_teardown(rankings_break_ties_by_the_lower_index, rig_end),
        cmocka_unit_test_teardown(a_screen_finds_the_set_it_asks_for, rig_end),
        cmocka_unit_test_teardown(what_was_dropped_is_not_filled_under_its_old_number, rig_end),
        cmocka_unit_test_teardown(results_of_items_that_were_renumbered_are_refused, rig_end),
        cmocka_unit_test_teardown(a_block_is_not_replaced_by_a_shorter_one, rig_end),
        cmocka_unit_test_teardown(statistics_are_arrays_over_a_split, rig_end),
        cmocka_unit_test_teardown(every_allocation_may_fail_and_nothing_leaks, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
