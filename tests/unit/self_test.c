/* Self-influence: neighbours kept for each item, and the table made of them. */
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/store_rig.h"
#include "dtrak/pipeline.h"
#include "dtrak/report.h"
#include "dtrak/rng.h"

#include <math.h>
#include <string.h>

enum { SIDE = 8, N = 30 };

/* Noise images of two labels; 17 and 23 are copies of 5, and 9 has one pixel changed from 4. */
static void draw(unsigned char *pixels, const struct study *y, enum split split, size_t item) {
    size_t from = item == 17 || item == 23 ? 5 : item == 9 ? 4 : item;
    struct rng r = rng_at(11, RNG_TEST, (uint32_t)from, 0);
    (void)y, (void)split;
    for (size_t k = 0; k < SIDE * SIDE; k++) pixels[k] = (unsigned char)(rng_uniform(&r) * 255);
    if (item == 9) pixels[20] = (unsigned char)(pixels[20] ^ 0x40);
}

static const struct study study = { .width = SIDE, .height = SIDE, .items = { N, 0, 0 }, .draw = draw };

static void put_leverages(struct store *s, int64_t checkpoint) {
    double h[N];
    for (size_t i = 0; i < N; i++) h[i] = .3 + .01 * (double)(i % 7);
    h[12] = .9;
    h[5] = h[17] = h[23] = .1;
    struct stat_key key = { "self_influence", "square t10 k8 lambda auto", checkpoint, SPLIT_TRAIN };
    assert_int_equal(store_stat_put(s, &key, 0, N, h), OK);
}

static void copies_are_each_others_neighbours(void **state) {
    (void)state;
    struct store *s = study_new("noise.db", &study);
    put_leverages(s, study_checkpoint(s, 100, 100));
    struct report_self r;
    assert_int_equal(report_self_load(&r, s, NULL, NULL, SELF_BY_SCORE), OK);
    assert_int_equal(r.item[0].neighbours, 0);          /* not looked for yet */
    assert_true(isnan(r.item[0].distance));
    report_self_free(&r);
    assert_int_equal(report_self_load(&r, s, NULL, NULL, SELF_BY_DISTANCE), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "dtrak self "));
    assert_int_equal(report_self_load(&r, s, NULL, NULL, SELF_BY_LOSS), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "dtrak features "));
    assert_int_equal(pipeline_self(s, 2, NULL), OK);
    assert_int_equal(report_self_load(&r, s, NULL, NULL, SELF_BY_DISTANCE), OK);
    assert_int_equal(r.n, N);
    assert_string_equal(r.loss, "square");
    for (size_t i = 0; i < N; i++) {
        const struct report_self_item *x = &r.item[i];
        if (i) assert_true(r.item[i - 1].distance >= x->distance);
        if (x->item == 5) { assert_int_equal(x->neighbour[0], 17); assert_int_equal(x->neighbour[1], 23); }
        if (x->item == 17) { assert_int_equal(x->neighbour[0], 5); assert_int_equal(x->neighbour[1], 23); }
        if (x->item == 23) assert_true(x->distance == 0 && x->neighbour[0] == 5);
        if (x->item == 9) {
            /* One byte of 64 differs by 64: sqrt((64 * 2 / 255)^2 / 64). */
            assert_int_equal(x->neighbour[0], 4);
            assert_float_equal((float)x->distance, (float)(64 * 2.0 / 255 / 8), 1e-6);
        }
        assert_int_equal(x->label, x->item % 2);
        assert_string_equal(x->label_name, x->item % 2 ? "odd" : "even");
    }
    report_self_free(&r);
    store_close(s);
}

static void the_losses_of_the_most_timesteps_explain(void **state) {
    (void)state;
    struct store *s = study_new("losses.db", &study);
    int64_t checkpoint = study_checkpoint(s, 100, 100);
    double few[N], many[N];
    put_leverages(s, checkpoint);
    for (size_t i = 0; i < N; i++) {
        few[i] = 1 + (double)i;
        many[i] = 100 + (double)i;
    }
    struct stat_key t10 = { "train_loss", "timesteps 10 uniform, draws 1, noise seed 0", checkpoint, SPLIT_TRAIN }, t100 = t10, t1000 = t10;
    t100.key = "timesteps 100 uniform, draws 1, noise seed 0";
    t1000.key = "timesteps 1000 uniform, draws 1, noise seed 0";
    assert_int_equal(store_stat_put(s, &t10, 0, N, few), OK);
    assert_int_equal(store_stat_put(s, &t100, 0, N, many), OK);
    assert_int_equal(store_stat_put(s, &t1000, 0, N / 2, few), OK);   /* not whole */
    struct report_self r;
    assert_int_equal(report_self_load(&r, s, NULL, NULL, SELF_BY_SCORE), OK);
    for (size_t i = 0; i < N; i++) assert_true(r.item[i].loss == many[r.item[i].item]);
    report_self_free(&r);
    store_close(s);
}

static void the_outlier_is_named_first(void **state) {
    (void)state;
    struct store *s;
    struct report_self r;
    struct buf b = BUF_INIT;
    assert_int_equal(store_open(&s, rig_path("noise.db"), STORE_READ), OK);
    assert_int_equal(report_self_load(&r, s, "square", "last", SELF_BY_SCORE), OK);
    assert_int_equal(r.item[0].item, 12);
    assert_true(r.item[0].outlier);
    assert_int_equal(r.study.outliers, 1);
    for (size_t i = 1; i < N; i++) {
        assert_true(r.item[i - 1].score >= r.item[i].score);
        assert_false(r.item[i].outlier);
    }
    assert_int_equal(r.item[N - 1].item, 23);           /* copies have the least */
    report_self_csv(&b, &r, 2);
    assert_non_null(strstr(b.data, "1,train:12,even,0.9"));
    assert_null(strstr(b.data, "\n3,"));
    buf_clear(&b);
    report_self_text(&b, &r, 1);
    assert_non_null(strstr(b.data, " *    1  train:12"));
    buf_clear(&b);
    report_self_json(&b, &r, 1);
    assert_non_null(strstr(b.data, "\"outlier\":true"));
    buf_free(&b);
    report_self_free(&r);
    store_close(s);
}

static void what_is_missing_is_said_with_its_command(void **state) {
    (void)state;
    struct store *s;
    struct report_self r;
    assert_int_equal(store_open(&s, rig_path("noise.db"), STORE_READ), OK);
    assert_int_equal(report_self_load(&r, s, "l1", NULL, SELF_BY_SCORE), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "--loss l1"));
    assert_non_null(strstr(fail_reason(), "--self"));
    assert_int_equal(report_self_load(&r, s, "l9", NULL, SELF_BY_SCORE), ERR_USAGE);
    assert_int_equal(report_self_load(&r, s, NULL, "100%", SELF_BY_SCORE), OK);
    report_self_free(&r);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_each_others_neighbours),
        cmocka_unit_test(the_losses_of_the_most_timesteps_explain),
        cmocka_unit_test(the_outlier_is_named_first),
        cmocka_unit_test(what_is_missing_is_said_with_its_command),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
