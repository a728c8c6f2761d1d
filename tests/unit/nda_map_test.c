/* nda_map_test.c - heat maps of stored items: against nda.h on the images themselves, and as pictures. */
#include "dtrak/image.h"
#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/nda.h"
#include "dtrak/nda_map.h"
#include "dtrak/nda_picture.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"
#include "../lib/small_study.h"
#include "../lib/status.h"
#include "../lib/stopper.h"
#include "../lib/store_rig.h"

#include <string.h>

enum { N = 13, GEN = 3, W = 9, H = 7, C = 3, D = C * W * H };

/* gen:1 and train:4 are the same picture. */
static void draw(unsigned char *pixels, const struct study *y, enum split split, size_t item) {
    int is_copy = (split == SPLIT_GEN && item == 1) || (split == SPLIT_TRAIN && item == 4);
    size_t number = is_copy ? 77 : item * 5 + (size_t)split;
    (void)y;
    for (size_t j = 0; j < D; j++) pixels[j] = (unsigned char)(128 + 120 * rig_value(number * D + j, 3));
}

static struct store *world(void) {
    static const struct study study = { .width = W, .height = H, .channels = C, .items = { N, 0, GEN }, .draw = draw };
    return study_new("maps.db", &study);
}

/* The maps by nda.h, over positions, mean over the timesteps. */
static void by_hand(double *query_map, double *train_map, struct store *s, size_t query, size_t item, size_t patch, const size_t *t,
                    size_t T) {
    static float x[D], noise[D], train[N * D];
    double scores[N], log_z[W * H], a[W * H], b[W * H];
    struct project p;
    struct nda nda = { .C = C, .H = H, .W = W, .patch = patch };
    size_t positions = nda_rows(&nda) * nda_cols(&nda);
    struct rows_memory memory = { train, D };
    struct rows rows = rows_in_memory(&memory, N);
    ok(store_project_get(s, &p));
    ok(items_load(s, &p, SPLIT_GEN, query, 1, x));
    ok(items_load(s, &p, SPLIT_TRAIN, 0, N, train));
    memset(query_map, 0, positions * sizeof *query_map);
    memset(train_map, 0, positions * sizeof *train_map);
    for (size_t i = 0; i < T; i++) {
        items_noise(noise, D, 0, SPLIT_GEN, query, t[i], 0);
        ok(nda_scores(scores, log_z, &nda, x, noise, t[i], &rows, NULL, NULL));
        ok(nda_maps(a, b, &nda, x, noise, t[i], train + item * D, log_z));
        for (size_t j = 0; j < positions; j++) {
            query_map[j] += a[j] / (double)T;
            train_map[j] += b[j] / (double)T;
        }
    }
}

static void maps_are_those_of_the_images(void **state) {
    (void)state;
    static const size_t five[] = { 100, 200, 300, 400, 500 }, two[] = { 50, 700 };
    struct store *s = world();
    struct nda_query *q;
    struct nda_map m;
    double a[W * H], b[W * H];
    struct nda_map_options o = { 0 };
    size_t T;
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 2 }, &o));
    assert_int_equal(nda_query_patch(q), 7);
    assert_memory_equal(nda_query_timesteps(q, &T), five, sizeof five);
    assert_int_equal(T, 5);
    for (size_t item = 0; item < N; item += 6) {
        ok(pipeline_nda_map(&m, q, s, item, NULL, NULL));
        by_hand(a, b, s, 2, item, 7, five, 5);
        double sum[2] = { 0, 0 };
        for (size_t i = 0; i < W * H; i++) {
            assert_near(m.query_map[i], a[i], 1e-12, 1e-12);
            assert_near(m.train_map[i], b[i], 1e-12, 1e-12);
            sum[0] += m.query_map[i];
            sum[1] += m.train_map[i];
        }
        assert_near(sum[1], sum[0], 0, 1e-9);
        assert_near(m.score, sum[0], 0, 1e-12);
        assert_near(m.share, m.score / (W * H), 0, 1e-12);
        nda_map_free(&m);
    }
    nda_query_free(q);

    /* An even patch has positions between pixels: each gives four of them a quarter. */
    o = (struct nda_map_options){ 4, "50,700", 0 };
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o));
    ok(pipeline_nda_map(&m, q, s, 3, NULL, NULL));
    by_hand(a, b, s, 0, 3, 4, two, 2);
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++) {
            double want = 0;
            for (size_t k = 0; k < 4; k++) {
                size_t i = y - k / 2, j = x - k % 2;
                if (i < H - 1 && j < W - 1) want += a[i * (W - 1) + j] / 4;
            }
            assert_near(m.query_map[y * W + x], want, 1e-12, 1e-12);
        }
    nda_map_free(&m);
    nda_query_free(q);
    store_close(s);
}

static void a_copy_explains_nearly_all_and_is_used_where_it_explains(void **state) {
    (void)state;
    struct store *s = world();
    struct nda_query *q;
    struct nda_map m;
    struct nda_map_options o = { 3, "20", 0 };
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 1 }, &o));
    ok(pipeline_nda_map(&m, q, s, 4, NULL, NULL));
    assert_true(m.share > .95 && m.share <= 1);
    for (size_t i = 0; i < W * H; i++) assert_near(m.train_map[i], m.query_map[i], .1, 0);
    nda_map_free(&m);
    ok(pipeline_nda_map(&m, q, s, 5, NULL, NULL));
    assert_true(m.share < .05);
    nda_map_free(&m);
    nda_query_free(q);
    store_close(s);
}

static void what_is_made_stays_when_it_is_stopped(void **state) {
    (void)state;
    struct store *s = world();
    struct nda_query *q, *whole;
    struct nda_map m, want;
    struct nda_map_options o = { 3, NULL, 0 };
    struct stopper stop = { .at_done = 2 }, never = { 0 }, at_once = { .at_report = 1 };
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o));
    ok(nda_query_new(&whole, s, (struct item_ref){ SPLIT_GEN, 0 }, &o));
    assert_true(nda_query_is(q, (struct item_ref){ SPLIT_GEN, 0 }) && !nda_query_is(q, (struct item_ref){ SPLIT_GEN, 1 }));
    assert_int_equal(pipeline_nda_map(&m, q, s, 1, NULL, stopper_progress(&stop)), ERR_CANCELLED);
    ok(pipeline_nda_map(&m, q, s, 1, NULL, stopper_progress(&never)));
    ok(pipeline_nda_map(&want, whole, s, 1, NULL, NULL));
    assert_memory_equal(m.query_map, want.query_map, W * H * sizeof *m.query_map);
    nda_map_free(&m);
    ok(pipeline_nda_map(&m, q, s, 2, NULL, stopper_progress(&at_once)));   /* all is there: nothing is left to stop */
    nda_map_free(&m);
    nda_map_free(&want);
    nda_query_free(q);
    nda_query_free(whole);
    store_close(s);
}

static void stored_scores_say_how_maps_are_made(void **state) {
    (void)state;
    struct store *s = world();
    struct nda_query *q;
    struct nda_map_options o = { 0 };
    struct score_options w = SCORE_DEFAULTS;
    size_t T;
    w.methods = "nda";
    w.nda.patch = 5;
    w.nda.at = "40,60,80";
    ok(pipeline_score(s, &w, NULL));
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o));
    assert_int_equal(nda_query_patch(q), 5);
    const size_t *t = nda_query_timesteps(q, &T);
    assert_true(T == 3 && t[0] == 40 && t[2] == 80);
    nda_query_free(q);
    store_close(s);
}

/* The brightest pixel of the overlay is where the map is highest. */
static void the_overlay_shows_where(void **state) {
    (void)state;
    struct store *s = world();
    struct image im, of;
    void *bytes;
    size_t len;
    double map[W * H] = { 0 };
    map[3 * W + 5] = 2;
    map[6 * W + 1] = 1;
    ok(store_image_read(s, (struct item_ref){ SPLIT_GEN, 0 }, &bytes, &len));
    ok(image_decode(&of, bytes, len, 3, "gen:0"));
    mem_free(bytes);
    ok(nda_overlay(&im, &of, map, 20));
    image_free(&of);
    assert_int_equal(im.width_px, W * 3);
    assert_int_equal(im.height_px, H * 3);
    const unsigned char *hot = im.pixels + (3 * 3 * im.width_px + 3 * 5) * 3, *warm = im.pixels + (3 * 6 * im.width_px + 3) * 3;
    assert_true(hot[0] > 200 && hot[1] > 180);
    assert_true(warm[0] > warm[2] + 20 && hot[1] > warm[1] + 60);
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++) {
            const unsigned char *p = im.pixels + (3 * y * im.width_px + 3 * x) * 3;
            if ((y == 3 && x == 5) || (y == 6 && x == 1)) continue;
            assert_true(p[0] == p[1] && p[1] == p[2]);   /* no colour where nothing is */
        }
    image_free(&im);
    struct nda_map m = { W, H, map, map, 3, .05 };
    ok(report_sheet_nda(&im, s, (struct item_ref){ SPLIT_GEN, 0 }, 2, &m));
    assert_true(im.width_px > 2 * 256 && im.height_px > 2 * 256);
    image_free(&im);
    store_close(s);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    struct store *s = world();
    struct nda_query *q;
    struct nda_map m;
    struct nda_map_options o = { 0 };
    refused(nda_query_new(&q, s, (struct item_ref){ SPLIT_TRAIN, 0 }, &o), ERR_USAGE, "gen or val");
    refused(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, GEN }, &o), ERR_USAGE, "no gen:3");
    o.patch = 100;
    assert_int_equal(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o), ERR_USAGE);
    o.patch = 3;
    o.at = "300,100";
    refused(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o), ERR_USAGE, "rising timesteps");
    o.at = "100";
    ok(nda_query_new(&q, s, (struct item_ref){ SPLIT_GEN, 0 }, &o));
    refused(pipeline_nda_map(&m, q, s, N, NULL, NULL), ERR_USAGE, "the last one is train:12");
    nda_query_free(q);
    store_close(s);
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_those_of_the_images),
        cmocka_unit_test(a_copy_explains_nearly_all_and_is_used_where_it_explains),
        cmocka_unit_test(what_is_made_stays_when_it_is_stopped),
        cmocka_unit_test(stored_scores_say_how_maps_are_made),
        cmocka_unit_test(the_overlay_shows_where),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
