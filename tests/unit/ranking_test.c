/* ranking_test.c - selection and ranks against counting, with ties and extremes. */
#include "dtrak/mem.h"
#include "dtrak/ranking.h"
#include "dtrak/rng.h"
#include "../lib/near.h"

#include <string.h>

static void ties_go_to_the_lower_index_at_both_ends(void **state) {
    (void)state;
    static const float s[7] = { 1, 3, -2, 3, 1, -2, 0 };
    static const size_t top[7] = { 1, 3, 0, 4, 6, 2, 5 }, bottom[7] = { 2, 5, 6, 0, 4, 1, 3 };
    static const uint32_t ranks[7] = { 3, 1, 6, 2, 4, 7, 5 };
    struct ranking_entry e[7];
    uint32_t rank[7];
    size_t count;
    for (size_t k = 0; k <= 9; k++) {
        assert_int_equal(ranking_top(s, 7, k, e, &count), OK);
        assert_int_equal(count, k < 7 ? k : 7);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(e[i].index, top[i]);
            assert_int_equal(e[i].rank, i + 1);
            assert_true(e[i].score == s[top[i]]);
        }
        assert_int_equal(ranking_bottom(s, 7, k, e, &count), OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(e[i].index, bottom[i]);
            assert_int_equal(e[i].rank, i + 1);
            assert_true(e[i].score == s[bottom[i]]);
        }
    }
    assert_int_equal(ranking_ranks(s, 7, rank), OK);
    assert_memory_equal(rank, ranks, sizeof ranks);
}

/* The rank of i by counting: those above, and those equal with a lower index. */
static size_t counted_rank(const float *s, size_t n, size_t i) {
    size_t rank = 1;
    for (size_t j = 0; j < n; j++) rank += s[j] > s[i] || (s[j] == s[i] && j < i);
    return rank;
}

static void random_rows_agree_with_counting(void **state) {
    (void)state;
    enum { N = 257 };
    for (uint32_t t = 0; t < 40; t++) {
        struct rng r = rng_at(t, RNG_TEST, 0, 0);
        float s[N];
        uint32_t rank[N];
        struct ranking_entry e[N];
        size_t count, one;
        /* Few distinct values in most rounds, so that ties are everywhere. */
        for (size_t i = 0; i < N; i++) s[i] = t % 4 ? (float)rng_below(&r, 1 + t) - 5.0f : rng_uniform(&r) - 0.5f;
        assert_int_equal(ranking_ranks(s, N, rank), OK);
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(rank[i], counted_rank(s, N, i));
            assert_int_equal(ranking_rank_of(s, N, i, &one), OK);
            assert_int_equal(one, rank[i]);
        }
        size_t k = 1 + t * 6;
        assert_int_equal(ranking_top(s, N, k, e, &count), OK);
        for (size_t i = 0; i < count; i++) assert_int_equal(rank[e[i].index], i + 1);
        float minus[N];
        for (size_t i = 0; i < N; i++) minus[i] = -s[i];
        assert_int_equal(ranking_bottom(s, N, k, e, &count), OK);
        for (size_t i = 0; i < count; i++) assert_int_equal(counted_rank(minus, N, e[i].index), i + 1);
    }
}

static void zeros_of_either_sign_are_equal_and_infinities_have_a_place(void **state) {
    (void)state;
    static const float s[5] = { -0.0f, INFINITY, 0.0f, -INFINITY, 1e-45f };
    struct ranking_entry e[5];
    size_t count;
    static const size_t order[5] = { 1, 4, 0, 2, 3 };
    assert_int_equal(ranking_top(s, 5, 5, e, &count), OK);
    for (size_t i = 0; i < 5; i++) assert_int_equal(e[i].index, order[i]);
}

static void a_nan_is_refused_and_so_is_an_item_that_is_not_there(void **state) {
    (void)state;
    static const float s[3] = { 1, NAN, 2 }, good[3] = { 1, 2, 3 };
    struct ranking_entry e[3];
    uint32_t rank[3];
    size_t count, one;
    assert_int_equal(ranking_top(s, 3, 2, e, &count), ERR_NUMERIC);
    assert_int_equal(count, 0);
    assert_int_equal(ranking_bottom(s, 3, 2, e, &count), ERR_NUMERIC);
    assert_int_equal(ranking_ranks(s, 3, rank), ERR_NUMERIC);
    assert_int_equal(ranking_rank_of(s, 3, 0, &one), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "item 1"));
    assert_int_equal(ranking_rank_of(good, 3, 3, &one), ERR_RANGE);
}

static void an_empty_row_has_an_empty_ranking(void **state) {
    (void)state;
    struct ranking_entry e[1];
    size_t count = 9;
    assert_int_equal(ranking_top(NULL, 0, 5, e, &count), OK);
    assert_int_equal(count, 0);
    assert_int_equal(ranking_ranks(NULL, 0, NULL), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_go_to_the_lower_index_at_both_ends),
        cmocka_unit_test(random_rows_agree_with_counting),
        cmocka_unit_test(zeros_of_either_sign_are_equal_and_infinities_have_a_place),
        cmocka_unit_test(a_nan_is_refused_and_so_is_an_item_that_is_not_there),
        cmocka_unit_test(an_empty_row_has_an_empty_ranking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
