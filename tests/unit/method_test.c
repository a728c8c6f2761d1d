/* method_test.c - names, needs, display names and the formulas of the methods. */
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

static void every_name_reads_back(void **state) {
    (void)state;
    for (int m = 0; m < METHOD_COUNT; m++) {
        enum loss loss = LOSS_AVG;
        assert_int_equal(method_parse(method_name((enum method)m), &loss), m);
        assert_int_equal(loss, LOSS_COUNT);
    }
    assert_int_equal(method_parse("TRAK", NULL), METHOD_COUNT);
    assert_int_equal(method_parse("", NULL), METHOD_COUNT);
    assert_string_equal(method_name(METHOD_DAS_SIGNED), "das-signed");
}

static void dtrak_is_trak_with_square(void **state) {
    (void)state;
    enum loss loss;
    assert_int_equal(method_parse("dtrak", &loss), METHOD_TRAK);
    assert_int_equal(loss, LOSS_SQUARE);
}

static void a_loss_is_asked_for_or_implied(void **state) {
    (void)state;
    static const struct { enum method m; enum loss implied; const char *asked; enum loss want; } cases[] = {
        { METHOD_TRAK, LOSS_COUNT, NULL, LOSS_SIMPLE }, { METHOD_TRAK, LOSS_SQUARE, NULL, LOSS_SQUARE },
        { METHOD_TRAK, LOSS_COUNT, "l1", LOSS_L1 },     { METHOD_TRAK, LOSS_SQUARE, "square", LOSS_SQUARE },
        { METHOD_DAS, LOSS_COUNT, NULL, LOSS_AVG },     { METHOD_DAS_SIGNED, LOSS_COUNT, "avg", LOSS_AVG },
        { METHOD_GAS, LOSS_COUNT, NULL, LOSS_SIMPLE },  { METHOD_PIXEL_COS, LOSS_COUNT, "l1", LOSS_COUNT },
    };
    enum loss loss;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(method_loss(&loss, cases[i].m, cases[i].implied, "it", cases[i].asked), OK);
        assert_int_equal(loss, cases[i].want);
    }
    assert_int_equal(method_loss(&loss, METHOD_TRAK, LOSS_SQUARE, "dtrak", "l1"), ERR_USAGE);
    assert_int_equal(method_loss(&loss, METHOD_DAS, LOSS_COUNT, "das", "simple"), ERR_USAGE);
    assert_int_equal(method_loss(&loss, METHOD_TRAK, LOSS_COUNT, "trak", "huber"), ERR_USAGE);
}

static void display_names_are_those_of_the_paper(void **state) {
    (void)state;
    static const struct { enum method m; enum loss l; const char *text; } cases[] = {
        { METHOD_TRAK, LOSS_SIMPLE, "TRAK" }, { METHOD_TRAK, LOSS_ELBO, "TRAK-ELBO" },
        { METHOD_TRAK, LOSS_SQUARE, "D-TRAK" }, { METHOD_TRAK, LOSS_AVG, "D-TRAK(avg)" },
        { METHOD_TRAK, LOSS_LINF, "D-TRAK(linf)" }, { METHOD_GRAD_COS, LOSS_SIMPLE, "Gradient cos" },
        { METHOD_GRAD_COS, LOSS_SQUARE, "Gradient cos(square)" }, { METHOD_PIXEL_COS, LOSS_SQUARE, "Pixel cos" },
        { METHOD_RANDOM, LOSS_COUNT, "Random" }, { METHOD_TRAK, LOSS_COUNT, "TRAK" },
    };
    char text[METHOD_DISPLAY];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        method_display(text, cases[i].m, cases[i].l);
        assert_string_equal(text, cases[i].text);
    }
}

static void needs_are_consistent(void **state) {
    (void)state;
    for (int i = 0; i < METHOD_COUNT; i++) {
        enum method m = (enum method)i;
        if (method_has_lambda(m)) assert_true(method_has_features(m));
        if (method_has_loss(m)) assert_true(method_has_features(m));
        if (method_has_pixels(m)) assert_false(method_has_checkpoint(m));
    }
    assert_true(method_is_available(METHOD_TRAK) && method_is_available(METHOD_PIXEL_COS));
    assert_false(method_is_direct(METHOD_JOURNEY));
    for (int i = 0; i < METHOD_COUNT; i++)
        if (method_is_direct((enum method)i)) assert_true(method_is_available((enum method)i));
    assert_true(method_has_several(METHOD_GAS) && !method_has_checkpoint(METHOD_GAS));
    assert_int_equal(method_own_loss(METHOD_DAS), LOSS_AVG);
    assert_int_equal(method_own_loss(METHOD_TRAK), LOSS_COUNT);
    assert_false(method_has_lambda(METHOD_COUNT));
}

/* g . phi for 2 queries and 3 training items; the last item is all zero. */
static const double cross[6] = { 3, -4, 0, 1, 2, 0 }, q_norm[2] = { 2, 0.5 }, t_norm[3] = { 6, 8, 0 };

static void dot_and_cosine(void **state) {
    (void)state;
    struct method_inputs in = { .M = 2, .N = 3, .cross = cross, .query_norm = q_norm, .train_norm = t_norm };
    static const double cosine[6] = { 0.25, -0.25, 0, 1.0 / 3, 0.5, 0 };
    enum method dots[2] = { METHOD_GRAD_DOT, METHOD_PIXEL_DOT }, cosines[2] = { METHOD_GRAD_COS, METHOD_PIXEL_COS };
    double s[6];
    for (size_t t = 0; t < 2; t++) {
        assert_int_equal(method_scores(dots[t], &in, s), OK);
        assert_memory_equal(s, cross, sizeof s);
        assert_int_equal(method_scores(cosines[t], &in, s), OK);
        for (size_t i = 0; i < 6; i++) assert_near(s[i], cosine[i], 1e-15, 0);
    }
}

static void ridge_methods_divide_what_trak_gives(void **state) {
    (void)state;
    enum { N = 6, K = 9, M = 2 };
    float phi[N * K], g[M * K];
    double coords[M * N], norm[N], relative[N], trak[M * N], rel[M * N], ren[M * N];
    struct rows_memory memory = { phi, K };
    struct rows rows = rows_in_memory(&memory, N);
    struct ridge *r;
    rng_normal(phi, N * K, 1, RNG_TEST, 0, 0);
    rng_normal(g, M * K, 2, RNG_TEST, 0, 0);
    memset(phi + 2 * K, 0, K * sizeof *phi);
    assert_int_equal(ridge_new_rows(&r, &rows, NULL), OK);
    assert_int_equal(ridge_query_rows(r, &rows, g, M, coords, NULL), OK);
    assert_int_equal(ridge_diagonals(r, 2, NULL, relative, NULL), OK);
    assert_int_equal(rows_norms(&rows, norm, 0), OK);
    struct method_inputs in = { .M = M, .N = N, .ridge = r, .coords = coords, .train_norm = norm,
                                .relative = relative, .lambda_abs = 2 };
    assert_int_equal(method_scores(METHOD_TRAK, &in, trak), OK);
    assert_int_equal(method_scores(METHOD_RELATIVE_IF, &in, rel), OK);
    assert_int_equal(method_scores(METHOD_RENORM_IF, &in, ren), OK);
    for (size_t i = 0; i < M * N; i++) {
        if (i % N == 2) {
            assert_true(rel[i] == 0 && ren[i] == 0);
            continue;
        }
        assert_near(rel[i], trak[i] / relative[i % N], 0, 1e-14);
        assert_near(ren[i], trak[i] / norm[i % N], 0, 1e-14);
    }
    in.relative = NULL;
    assert_int_equal(method_scores(METHOD_RELATIVE_IF, &in, rel), ERR_MISSING);
    in.N = N - 1;
    assert_int_equal(method_scores(METHOD_TRAK, &in, trak), ERR_RANGE);
    ridge_free(r);
}

static void random_is_keyed_on_seed_and_query(void **state) {
    (void)state;
    enum { N = 2000 };
    static double s[2 * N], again[2 * N];
    uint32_t key[2] = { 17, 4 }, swapped[2] = { 4, 17 };
    struct method_inputs in = { .M = 2, .N = N, .seed = 3, .query_key = key };
    assert_int_equal(method_scores(METHOD_RANDOM, &in, s), OK);
    in.query_key = swapped;
    assert_int_equal(method_scores(METHOD_RANDOM, &in, again), OK);
    assert_memory_equal(s, again + N, N * sizeof *s);
    assert_memory_equal(s + N, again, N * sizeof *s);
    in.seed = 4;
    assert_int_equal(method_scores(METHOD_RANDOM, &in, again), OK);
    double mean = 0, product = 0;
    for (size_t i = 0; i < N; i++) {
        assert_true(s[i] >= -1 && s[i] < 1);
        mean += s[i] / N;
        product += s[i] * s[N + i] / N;
    }
    assert_near(mean, 0, 5 * sqrt(1.0 / 3 / N), 0);
    assert_near(product, 0, 5 * (1.0 / 3) / sqrt(N), 0);
    assert_true(memcmp(s, again + N, N * sizeof *s) != 0);
}

static void what_is_missing_or_broken_is_said(void **state) {
    (void)state;
    double s[6], bad[6];
    struct method_inputs in = { .M = 2, .N = 3 };
    assert_int_equal(method_scores(METHOD_GRAD_DOT, &in, s), ERR_MISSING);
    assert_int_equal(method_scores(METHOD_TRAK, &in, s), ERR_MISSING);
    assert_int_equal(method_scores(METHOD_RANDOM, &in, s), ERR_MISSING);
    assert_int_equal(method_scores(METHOD_TRACIN, &in, s), ERR_MISSING);
    in.cross = cross;
    assert_int_equal(method_scores(METHOD_GRAD_COS, &in, s), ERR_MISSING);
    memcpy(bad, cross, sizeof bad);
    bad[4] = NAN;
    in.cross = bad;
    assert_int_equal(method_scores(METHOD_GRAD_DOT, &in, s), ERR_NUMERIC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_reads_back),
        cmocka_unit_test(dtrak_is_trak_with_square),
        cmocka_unit_test(a_loss_is_asked_for_or_implied),
        cmocka_unit_test(display_names_are_those_of_the_paper),
        cmocka_unit_test(needs_are_consistent),
        cmocka_unit_test(dot_and_cosine),
        cmocka_unit_test(ridge_methods_divide_what_trak_gives),
        cmocka_unit_test(random_is_keyed_on_seed_and_query),
        cmocka_unit_test(what_is_missing_or_broken_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
