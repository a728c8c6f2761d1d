/* feature_mix_test.c - features of two projections never meet: each difference is
 * a set of its own and scores refuse pairs, naming both; long rows come back. */
#include "../lib/near.h"
#include "../lib/store_rig.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

enum { K = 6, LONG = 65536 };

/* Whatever numbers in a whole set of the split. */
static void add(struct store *s, struct feature_identity id, size_t rows) {
    float x[RIG_TRAIN * K];
    for (size_t i = 0; i < rows * K; i++) x[i] = rig_value(i, (size_t)id.split);
    rig_features(s, &id, rows, x);
}

static struct feature_identity gen_like(struct store *s, enum projection_kind kind, uint64_t seed, size_t nonzeros) {
    struct feature_identity id = rig_identity(s, SPLIT_GEN);
    snprintf(id.projection, sizeof id.projection, "%s", projection_kind_name(kind));
    id.projection_seed = seed;
    id.nonzeros = nonzeros;
    return id;
}

static void two_projections_are_refused_with_both_named(void **state) {
    (void)state;
    static const struct { enum projection_kind kind; uint64_t seed; size_t nonzeros; const char *says; } others[] = {
        { PROJECTION_GAUSSIAN, 7, 0, "projection sjlt seed 42 / gaussian seed 7" },
        { PROJECTION_SJLT, 43, 1, "projection sjlt seed 42 / sjlt seed 43" },
        { PROJECTION_SJLT, 42, 2, "projection sjlt seed 42 / sjlt:2 seed 42" },
        { PROJECTION_SRHT, 42, 0, "projection sjlt seed 42 / srht seed 42" },
        { PROJECTION_RADEMACHER, 42, 0, "projection sjlt seed 42 / rademacher seed 42" } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct store *s = rig_project(rig_path("mix.db"));
        struct score_options o = SCORE_DEFAULTS;
        struct score_set_list l;
        o.losses = 1u << LOSS_SQUARE;
        o.splits = 1u << SPLIT_GEN;
        add(s, rig_identity(s, SPLIT_TRAIN), RIG_TRAIN);
        add(s, gen_like(s, others[i].kind, others[i].seed, others[i].nonzeros), RIG_GEN);
        assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
        assert_non_null(strstr(fail_reason(), others[i].says));
        assert_int_equal(store_score_sets_list(s, &l), OK);
        assert_int_equal(l.count, 0);
        score_set_list_free(&l);
        /* With the right ones beside them it works, and takes those. */
        add(s, gen_like(s, PROJECTION_SJLT, 42, 1), RIG_GEN);
        assert_int_equal(pipeline_score(s, &o, NULL), OK);
        store_close(s);
        rig_clear();
    }
}

static void other_sizes_and_versions_are_refused_too(void **state) {
    (void)state;
    struct store *s = rig_project(rig_path("version.db"));
    struct score_options o = SCORE_DEFAULTS;
    o.losses = 1u << LOSS_SQUARE;
    o.splits = 1u << SPLIT_GEN;
    add(s, rig_identity(s, SPLIT_TRAIN), RIG_TRAIN);
    struct feature_identity id = gen_like(s, PROJECTION_SJLT, 42, 1);
    id.version++;
    add(s, id, RIG_GEN);
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "algorithm version 1/2"));
    store_close(s);
    s = rig_project(rig_path("size.db"));
    add(s, rig_identity(s, SPLIT_TRAIN), RIG_TRAIN);
    id = gen_like(s, PROJECTION_SJLT, 42, 1);
    id.k = K - 1;
    add(s, id, RIG_GEN);
    assert_int_equal(pipeline_score(s, &o, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "k 6/5"));
    store_close(s);
}

/* Rows with a few numbers far above the rest, as features have them. */
static void rows_of_65536_come_back(int float32, double relative) {
    enum { ROWS = 3 };
    struct store *s = rig_project(rig_path("long.db"));
    struct feature_identity id = rig_identity(s, SPLIT_GEN);
    float *x = mem_array(ROWS * LONG, sizeof *x), *y = mem_array(ROWS * LONG, sizeof *y);
    assert_true(x && y);
    id.k = LONG;
    id.float32 = float32;
    rng_normal(x, ROWS * LONG, 1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < ROWS * LONG; i++) x[i] = ldexpf(x[i] * (i % 4099 ? 1 : 1000), (int)(i / LONG) * 40 - 40);
    struct feature_set set = rig_features(s, &id, ROWS, x);
    assert_int_equal(store_features_read(s, &set, 0, ROWS, y), OK);
    for (size_t r = 0; r < ROWS; r++) {
        double error = 0, norm = 0, largest = 0;
        for (size_t j = 0; j < LONG; j++) largest = fmax(largest, fabs((double)x[r * LONG + j]));
        for (size_t j = 0; j < LONG; j++) {
            double want = (double)x[r * LONG + j], d = (double)y[r * LONG + j] - want;
            /* half a unit of 11 bits, down to 2^-29 of the largest; below, of that spacing */
            if (relative > 0) assert_true(fabs(d) <= fmax(relative * fabs(want), largest * 0x1p-39));
            else assert_true(!(d > 0 || d < 0));
            error += d * d;
            norm += want * want;
        }
        assert_true(sqrt(error / norm) <= relative * 0.6);   /* rounding is even over a unit: 1/sqrt(3) and less */
    }
    mem_free(x);
    mem_free(y);
    store_close(s);
}

static void long_float16_rows_keep_eleven_bits(void **state) { (void)state; rows_of_65536_come_back(0, 0x1p-11); }
static void long_float32_rows_are_exact(void **state) { (void)state; rows_of_65536_come_back(1, 0); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_projections_are_refused_with_both_named, rig_end),
        cmocka_unit_test_teardown(other_sizes_and_versions_are_refused_too, rig_end),
        cmocka_unit_test_teardown(long_float16_rows_keep_eleven_bits, rig_end),
        cmocka_unit_test_teardown(long_float32_rows_are_exact, rig_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
