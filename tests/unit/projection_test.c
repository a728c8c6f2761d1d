/* projection_test.c - every kind: unbiased, with the variance of its formula;
 * the same however a gradient is cut up, gathered and shared out. */
#include "../lib/near.h"
#include "dtrak/mem.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"

#include <stdlib.h>
#include <string.h>

enum { P_MAX = 4099, K_MAX = 64 };

static struct projection make(enum projection_kind kind, uint64_t seed, size_t p, uint32_t k) {
    return (struct projection){ kind, seed, p, k, kind == PROJECTION_SJLT, PROJECTION_VERSION };
}
static struct projection sjlt(uint64_t seed, size_t p, uint32_t k, uint32_t s) {
    return (struct projection){ PROJECTION_SJLT, seed, p, k, s, PROJECTION_VERSION };
}

static double inner(const float *x, const float *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static float *floats(size_t n) {
    float *x = mem_array(n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* out[rows][k] of x[rows][p], in stored order. */
static void project(const struct projection *proj, const float *x, size_t rows, float *out) {
    struct projector *pr;
    struct projection_work *w;
    size_t p = (size_t)proj->p;
    assert_int_equal(projector_new(&pr, proj, NULL), OK);
    assert_int_equal(projection_work_new(&w, pr, 1, rows, rows * p * sizeof *x), OK);
    assert_int_equal(projection_rows(w), rows);
    projection_begin(w, rows, out);
    for (size_t r = 0; r < rows; r++) projection_add(w, 0, r, 0, x + r * p, p, 1);
    assert_int_equal(projection_finish(w, NULL, NULL), 1);
    projection_work_free(w);
    projector_free(pr);
}

/* --- moments --- */

enum { PAIRS = 5, DRAWS = 2000 };

/* Pairs (x, y) as gradients may be: one spike each, the same spikes, two spikes that
 * meet in one, a power law, and dense numbers with cosine .6. */
static void make_pairs(float (*x)[P_MAX], float (*y)[P_MAX], size_t p) {
    memset(x, 0, PAIRS * sizeof *x);
    memset(y, 0, PAIRS * sizeof *y);
    x[0][p / 3] = 1;
    y[0][p - 1] = 1;
    x[1][2] = y[1][2] = 1;
    x[1][p / 2] = 2;
    y[1][p / 2] = -1;
    x[2][0] = 3;
    x[2][p - 2] = y[2][p - 2] = 1;
    y[2][5] = -2;
    float *z = floats(2 * p);
    rng_normal(z, 2 * p, 11, RNG_TEST, 1, (uint32_t)p);
    for (size_t i = 0; i < p; i++) {
        size_t rank = i * 7919 % p + 1;
        x[3][i] = z[i] / (float)rank;
        y[3][i] = z[i] / (float)rank + 0.3f * z[p + i] / sqrtf((float)rank);
        x[4][i] = z[i];
        y[4][i] = 0.6f * z[i] + 0.8f * z[p + i];
    }
    mem_free(z);
}

/* sum over i != j of x_i^2 y_j^2 + x_i y_i x_j y_j, of n coordinates */
static double off_diagonal(const float *x, const float *y, size_t n) {
    double xy = inner(x, y, n), same = 0;
    for (size_t i = 0; i < n; i++) same += (double)x[i] * (double)x[i] * (double)y[i] * (double)y[i];
    return inner(x, x, n) * inner(y, y, n) + xy * xy - 2 * same;
}

/* The header's formulas. */
static double variance(const struct projection *proj, const float *x, const float *y) {
    size_t p = (size_t)proj->p, m = 1;
    double k = proj->k, s = proj->s, all = off_diagonal(x, y, p), inside = 0, meet = 0, xy = inner(x, y, p);
    switch (proj->kind) {
    case PROJECTION_GAUSSIAN: return (inner(x, x, p) * inner(y, y, p) + xy * xy) / k;
    case PROJECTION_SJLT:
        for (uint32_t i = 0; i < proj->s; i++)
            meet += 1.0 / ((i + 1) * proj->k / proj->s - i * proj->k / proj->s);
        return all / (s * s) * meet;
    case PROJECTION_SRHT:
        while (m < proj->k) m *= 2;
        for (size_t b = 0; b < p; b += m) inside += off_diagonal(x + b, y + b, p - b < m ? p - b : m);
        return (all - inside * (k - 1) / ((double)m - 1)) / k;
    default: return all / k;
    }
}

/* Mean and variance of <Px, Py> over seeds, each within five standard errors of the formulas. */
static void check_moments(struct projection proj) {
    static float x[PAIRS][P_MAX], y[PAIRS][P_MAX], rows[2 * PAIRS * P_MAX], out[2 * PAIRS * K_MAX];
    static double got[PAIRS][DRAWS];
    size_t p = (size_t)proj.p, k = proj.k;
    make_pairs(x, y, p);
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(rows + 2 * i * p, x[i], p * sizeof(float));
        memcpy(rows + (2 * i + 1) * p, y[i], p * sizeof(float));
    }
    for (size_t t = 0; t < DRAWS; t++) {
        proj.seed = 1000 + t;
        project(&proj, rows, 2 * PAIRS, out);
        for (size_t i = 0; i < PAIRS; i++) got[i][t] = inner(out + 2 * i * k, out + (2 * i + 1) * k, k);
    }
    for (size_t i = 0; i < PAIRS; i++) {
        double xy = inner(x[i], y[i], p), want = variance(&proj, x[i], y[i]), mean = 0, m2 = 0, m4 = 0;
        double tiny = 1e-5 * sqrt(inner(x[i], x[i], p) * inner(y[i], y[i], p));   /* rounding, where all else is 0 */
        for (size_t t = 0; t < DRAWS; t++) {
            double d = got[i][t] - xy;   /* about the true mean, so m2 is unbiased */
            mean += got[i][t] / DRAWS;
            m2 += d * d / DRAWS;
            m4 += d * d * d * d / DRAWS;
        }
        assert_near(mean, xy, 5 * sqrt(want / DRAWS) + tiny, 0);
        assert_near(m2, want, 5 * sqrt((m4 - m2 * m2) / DRAWS) + tiny * tiny, 0);
    }
}

static void sjlt_is_unbiased_with_its_variance(void **state) {
    (void)state;
    check_moments(sjlt(0, 17, 8, 1));
    check_moments(sjlt(0, 1000, 16, 1));
    check_moments(sjlt(0, 4099, 64, 1));
}
static void sjlt_with_more_non_zeros_is_too(void **state) {
    (void)state;
    check_moments(sjlt(0, 17, 16, 4));
    check_moments(sjlt(0, 1000, 30, 2));
    check_moments(sjlt(0, 17, 7, 3));      /* segments of 2, 2 and 3 */
    check_moments(sjlt(0, 1000, 8, 5));    /* of 1, 2, 1, 2 and 2 */
    check_moments(sjlt(0, 17, 5, 5));
}
static void rademacher_is_unbiased_with_its_variance(void **state) {
    (void)state;
    check_moments(make(PROJECTION_RADEMACHER, 0, 17, 8));
    check_moments(make(PROJECTION_RADEMACHER, 0, 1000, 50));
    check_moments(make(PROJECTION_RADEMACHER, 0, 4099, 64));
}
static void gaussian_is_unbiased_with_its_variance(void **state) {
    (void)state;
    check_moments(make(PROJECTION_GAUSSIAN, 0, 17, 8));
    check_moments(make(PROJECTION_GAUSSIAN, 0, 1000, 50));
    check_moments(make(PROJECTION_GAUSSIAN, 0, 4099, 64));
}
static void srht_is_unbiased_with_its_variance(void **state) {
    (void)state;
    check_moments(make(PROJECTION_SRHT, 0, 17, 8));       /* blocks of 8, 8 and 1 */
    check_moments(make(PROJECTION_SRHT, 0, 17, 5));       /* 5 of 8 rows */
    check_moments(make(PROJECTION_SRHT, 0, 17, 33));      /* 33 of 64 rows, a part of one block */
    check_moments(make(PROJECTION_SRHT, 0, 1000, 40));
    check_moments(make(PROJECTION_SRHT, 0, 4099, 64));
}

/* --- what a seed means --- */

/* Changing that would silently orphan every stored feature.  The numbers come from
 * a Philox4x32-10 and the header's definitions written in Python. */
static void the_values_of_a_seed_are_fixed(void **state) {
    (void)state;
    static const uint32_t want_table[4] = { 143, 644, 3710, 1075 };
    struct projection proj = sjlt(42, 4, 2048, 1);
    uint32_t table[4];
    projection_table(&proj, NULL, 4, table);
    assert_memory_equal(table, want_table, sizeof want_table);

    float third[4] = { 0, 0, 0, 1 }, out[64];
    proj = make(PROJECTION_RADEMACHER, 42, 4, 64);
    project(&proj, third, 1, out);
    for (int r = 0; r < 64; r++)
        assert_near((double)out[r], 0xd3a846d1fe1a1642u >> r & 1 ? -0.125 : 0.125, 0, 0);

    static const struct { int r; double z; } normal[] = {
        { 0, -1.7447060259281573 }, { 1, -0.08688708621908388 }, { 16, -1.4849235804926928 },
        { 17, 0.03972638803231475 }, { 40, 0.1611603919292803 }, { 63, -0.09175713649205142 } };
    proj = make(PROJECTION_GAUSSIAN, 42, 4, 64);
    project(&proj, third, 1, out);
    for (int i = 0; i < 6; i++) assert_near((double)out[normal[i].r], normal[i].z / 8, 1e-6, 0);

    static const double hadamard[6] = { -6.531972647421809, -4.898979485566357, 12.247448713915892,
                                        18.7794213613377, 3.2659863237109046, -11.430952132988166 };
    float eleven[11];
    for (int i = 0; i < 11; i++) eleven[i] = (float)(i + 1);
    proj = make(PROJECTION_SRHT, 42, 11, 6);
    project(&proj, eleven, 1, out);
    for (int i = 0; i < 6; i++) assert_near((double)out[i], hadamard[i], 1e-5, 0);
}

static void kinds_and_seeds_give_unrelated_maps(void **state) {
    (void)state;
    enum { P = 500, K = 2048, SEEDS = 3, ALL = SEEDS * PROJECTION_KIND_COUNT };
    static float x[P], out[ALL][K];
    rng_normal(x, P, 4, RNG_TEST, 0, 0);
    for (int i = 0; i < ALL; i++) {
        struct projection proj = make((enum projection_kind)(i / SEEDS), (uint64_t)(i % SEEDS), P, K);
        project(&proj, x, 1, out[i]);
    }
    for (int i = 0; i < ALL; i++)
        for (int j = 0; j < i; j++)
            assert_near(inner(out[i], out[j], K) / sqrt(inner(out[i], out[i], K) * inner(out[j], out[j], K)), 0,
                        5 / sqrt(K), 0);
}

/* With k a power of two a block is rotated: lengths stay. */
static void srht_keeps_the_length_of_a_block(void **state) {
    (void)state;
    static float x[700], out[1024];
    struct projection proj = make(PROJECTION_SRHT, 8, 700, 1024);
    rng_normal(x, 700, 5, RNG_TEST, 0, 0);
    project(&proj, x, 1, out);
    assert_near(inner(out, out, 1024), inner(x, x, 700), 0, 1e-6);
}

/* Different rows of a Hadamard matrix are orthogonal: P P^T = m/k I when p = m. */
static void srht_takes_no_row_twice(void **state) {
    (void)state;
    static const uint32_t sizes[] = { 3, 5, 9, 31, 33, 77, 100, 127 };
    static float unit[128 * 128], column[128 * 128];
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t m = 1, k = sizes[t];
        while (m < k) m *= 2;
        struct projection proj = make(PROJECTION_SRHT, t, m, sizes[t]);
        for (size_t i = 0; i < m * m; i++) unit[i] = i % (m + 1) == 0;
        project(&proj, unit, m, column);   /* [m][k] */
        for (size_t r = 0; r < k; r++)
            for (size_t q = 0; q <= r; q++) {
                double sum = 0;
                for (size_t i = 0; i < m; i++) sum += (double)column[i * k + r] * (double)column[i * k + q];
                assert_near(sum, r == q ? (double)m / (double)k : 0, 1e-5, 0);
            }
    }
}

/* --- the same however it is done --- */

static const struct { enum projection_kind kind; uint32_t k, s; } forms[] = {
    { PROJECTION_SJLT, 100, 1 }, { PROJECTION_SJLT, 100, 3 }, { PROJECTION_RADEMACHER, 100, 0 },
    { PROJECTION_GAUSSIAN, 77, 0 }, { PROJECTION_GAUSSIAN, 128, 0 }, { PROJECTION_SRHT, 64, 0 }, { PROJECTION_SRHT, 100, 0 } };
enum { FORMS = sizeof forms / sizeof *forms, P = 5000, ROWS = 21 };

struct job { struct projection_work *w; const float *x; size_t first, cut; const size_t *order; };

/* One row, in pieces of about job->cut (from 1 up), in stored or in given order of tenths. */
static void add_row(void *ctx, size_t row, size_t thread) {
    const struct job *j = ctx;
    for (size_t tenth = 0; tenth < 10; tenth++) {
        size_t part = j->order ? j->order[tenth] : tenth, at = part * (P / 10), end = at + P / 10;
        for (size_t piece = 0; at < end; piece++) {
            size_t n = 1 + (piece * 7 + row) % j->cut;
            if (n > end - at) n = end - at;
            projection_add(j->w, thread, row, at, j->x + (j->first + row) * P + at, n, 0.5f);
            at += n;
        }
    }
}

/* out[ROWS][k], `group` rows at a time. */
static void project_cut(const struct projector *pr, const float *x, float *out, size_t group,
                        size_t threads, size_t cut, const size_t *order) {
    struct projection_work *w;
    struct pool *pool;
    size_t k = projector_get(pr)->k;
    assert_int_equal(pool_new(&pool, threads), OK);
    assert_int_equal(projection_work_new(&w, pr, threads, group, 64 << 20), OK);
    for (size_t first = 0; first < ROWS; first += group) {
        struct job j = { w, x, first, cut, order };
        size_t rows = ROWS - first < group ? ROWS - first : group;
        projection_begin(w, rows, out + first * k);
        pool_run(pool, rows, add_row, &j);
        assert_int_equal(projection_finish(w, pool, NULL), 1);
    }
    projection_work_free(w);
    pool_free(pool);
}

static void groups_threads_and_cuts_change_no_bit(void **state) {
    (void)state;
    static const size_t ways[][3] = { { ROWS, 1, 1 }, { 1, 1, 300 }, { 5, 3, 40 }, { 20, 2, 1000 }, { 13, 4, 6 } };
    static const size_t backwards[10] = { 9, 4, 8, 0, 7, 6, 1, 5, 3, 2 };
    float *x = floats(ROWS * P), *first = floats(ROWS * 128), *out = floats(ROWS * 128);
    uint32_t *coord = mem_array(P, sizeof *coord);
    struct rng r = rng_at(5, RNG_TEST, 0, 0);
    rng_permutation(coord, P, &r);
    rng_normal(x, ROWS * P, 3, RNG_TEST, 0, 0);
    for (int f = 0; f < FORMS; f++) {
        struct projection proj = { forms[f].kind, 5, P, forms[f].k, forms[f].s, PROJECTION_VERSION };
        struct projector *pr;
        size_t bytes = ROWS * forms[f].k * sizeof *out;
        assert_int_equal(projector_new(&pr, &proj, coord), OK);
        project_cut(pr, x, first, ROWS, 1, P, NULL);
        assert_true(inner(first, first, ROWS * forms[f].k) > ROWS * P / 5.0);
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            project_cut(pr, x, out, ways[i][0], ways[i][1], ways[i][2], NULL);
            assert_memory_equal(out, first, bytes);
        }
        project_cut(pr, x, out, 7, 2, 100, backwards);
        if (forms[f].kind == PROJECTION_RADEMACHER || forms[f].kind == PROJECTION_GAUSSIAN)
            assert_memory_equal(out, first, bytes);
        double norm = sqrt(inner(first, first, forms[f].k));
        for (size_t i = 0; i < ROWS * forms[f].k; i++) assert_near((double)out[i], (double)first[i], 1e-6 * norm, 0);
        projector_free(pr);
    }
    mem_free(coord);
    mem_free(x);
    mem_free(first);
    mem_free(out);
}

/* A coordinate is projected as itself wherever it is stored. */
static void storage_order_does_not_matter(void **state) {
    (void)state;
    float *x = floats(ROWS * P), *shuffled = floats(ROWS * P), *first = floats(ROWS * 128), *out = floats(ROWS * 128);
    uint32_t *coord = mem_array(P, sizeof *coord);
    struct rng r = rng_at(6, RNG_TEST, 0, 0);
    rng_permutation(coord, P, &r);
    rng_normal(x, ROWS * P, 3, RNG_TEST, 0, 0);
    for (size_t i = 0; i < ROWS * P; i++) shuffled[i] = x[i / P * P + coord[i % P]];
    for (int f = 0; f < FORMS; f++) {
        struct projection proj = { forms[f].kind, 5, P, forms[f].k, forms[f].s, PROJECTION_VERSION };
        struct projector *plain, *mixed;
        assert_int_equal(projector_new(&plain, &proj, NULL), OK);
        assert_int_equal(projector_new(&mixed, &proj, coord), OK);
        project_cut(plain, x, first, ROWS, 1, P, NULL);
        project_cut(mixed, shuffled, out, ROWS, 1, P, NULL);
        double norm = sqrt(inner(first, first, forms[f].k));
        for (size_t i = 0; i < ROWS * forms[f].k; i++) assert_near((double)out[i], (double)first[i], 1e-6 * norm, 0);
        projector_free(plain);
        projector_free(mixed);
    }
    mem_free(coord);
    mem_free(x);
    mem_free(shuffled);
    mem_free(first);
    mem_free(out);
}

/* A piece that comes again is added, and weights are factors; rows that get nothing are zero,
 * also where an earlier group had numbers. */
static void pieces_add_up(void **state) {
    (void)state;
    enum { N = 300, K = 40 };
    float x[N], y[N], z[N], apart[3 * K], together[K];
    rng_normal(x, N, 1, RNG_TEST, 1, 0);
    rng_normal(y, N, 1, RNG_TEST, 2, 0);
    for (size_t i = 0; i < N; i++) z[i] = 0.25f * x[i] - 2 * y[i];
    for (int kind = 0; kind < PROJECTION_KIND_COUNT; kind++) {
        struct projection proj = make((enum projection_kind)kind, 9, N, K);
        struct projector *pr;
        struct projection_work *w;
        assert_int_equal(projector_new(&pr, &proj, NULL), OK);
        assert_int_equal(projection_work_new(&w, pr, 1, 3, 1 << 20), OK);
        project(&proj, z, 1, together);
        for (int round = 0; round < 2; round++) {
            projection_begin(w, 3, apart);
            projection_add(w, 0, 1, 0, x, N, 0.25f);
            if (!round) projection_add(w, 0, 0, 7, y, N - 7, 1);
            projection_add(w, 0, 1, 0, y, N / 2, -2);
            if (!round) projection_add(w, 0, 2, 0, y, 1, 1);
            projection_add(w, 0, 1, N / 2, y + N / 2, N - N / 2, -2);
            assert_int_equal(projection_finish(w, NULL, NULL), 1);
            for (size_t i = 0; i < K; i++) assert_near((double)apart[K + i], (double)together[i], 4e-5, 0);
            for (size_t i = 0; i < K && round; i++) assert_true(apart[i] == 0 && apart[2 * K + i] == 0);
        }
        projection_work_free(w);
        projector_free(pr);
    }
}

/* The variants that DTRAK_KERNELS names agree; sjlt, which has none, too. */
static void instruction_sets_agree(void **state) {
    (void)state;
    float *x = floats(ROWS * P), *first = floats(ROWS * 128), *out = floats(ROWS * 128);
    rng_normal(x, ROWS * P, 3, RNG_TEST, 0, 0);
    for (int f = 0; f < FORMS; f++) {
        struct projection proj = { forms[f].kind, 5, P, forms[f].k, forms[f].s, PROJECTION_VERSION };
        project(&proj, x, ROWS, first);
        setenv("DTRAK_KERNELS", "portable", 1);
        project(&proj, x, ROWS, out);
        unsetenv("DTRAK_KERNELS");
        double norm = sqrt(inner(first, first, forms[f].k));
        for (size_t i = 0; i < ROWS * forms[f].k; i++) assert_near((double)out[i], (double)first[i], 1e-6 * norm, 0);
        if (forms[f].kind == PROJECTION_SJLT || forms[f].kind == PROJECTION_SRHT)
            assert_memory_equal(out, first, ROWS * forms[f].k * sizeof *out);
    }
    mem_free(x);
    mem_free(first);
    mem_free(out);
}

/* --- sizes, memory, refusals --- */

static void many_outputs_and_few_coordinates_work(void **state) {
    (void)state;
    static const uint32_t k[] = { 1, 2, 31, 33, 65535, 65536 };
    float *x = floats(3000), *out = floats(2 * 65536);
    rng_normal(x, 3000, 3, RNG_TEST, 0, 0);
    for (int kind = 0; kind < PROJECTION_KIND_COUNT; kind++)
        for (size_t i = 0; i < 6; i++)
            for (size_t p = 1; p <= 1500; p += 1499) {
                struct projection proj = make((enum projection_kind)kind, 1, p, k[i]);
                project(&proj, x, 2, out);
                double got = inner(out, out, k[i]), want = inner(x, x, p);
                double sd = sqrt(2 * want * want / k[i]);
                assert_near(got, want, 5 * sd, 1e-5);
            }
    mem_free(x);
    mem_free(out);
}

static void dense_kinds_gather_what_memory_holds(void **state) {
    (void)state;
    struct projection proj = make(PROJECTION_GAUSSIAN, 1, 1 << 20, 8);
    struct projector *pr;
    struct projection_work *w;
    assert_int_equal(projector_new(&pr, &proj, NULL), OK);
    assert_int_equal(projection_work_new(&w, pr, 1, 64, (size_t)10 << 20), OK);
    assert_int_equal(projection_rows(w), 2);
    projection_work_free(w);
    assert_int_equal(projection_work_new(&w, pr, 1, 64, (size_t)3 << 20), ERR_RANGE);
    assert_null(w);
    assert_non_null(strstr(fail_reason(), "gaussian gathers whole gradients"));
    projector_free(pr);
    proj = make(PROJECTION_SRHT, 1, 1 << 20, 8);
    assert_int_equal(projector_new(&pr, &proj, NULL), OK);
    assert_int_equal(projection_work_new(&w, pr, 1, 64, 0), OK);
    assert_int_equal(projection_rows(w), 64);
    projection_work_free(w);
    projector_free(pr);
}

static void a_cancelled_group_ends_and_the_next_begins_anew(void **state) {
    (void)state;
    enum { N = 300, K = 40 };
    float x[N], out[K], want[K];
    atomic_int cancel = 1;
    rng_normal(x, N, 1, RNG_TEST, 1, 0);
    for (int kind = 0; kind < PROJECTION_KIND_COUNT; kind++) {
        struct projection proj = make((enum projection_kind)kind, 9, N, K);
        struct projector *pr;
        struct projection_work *w;
        project(&proj, x, 1, want);
        assert_int_equal(projector_new(&pr, &proj, NULL), OK);
        assert_int_equal(projection_work_new(&w, pr, 1, 1, 1 << 20), OK);
        projection_begin(w, 1, out);
        projection_add(w, 0, 0, 0, x, N, 3);
        int done = projection_finish(w, NULL, &cancel);
        if (kind == PROJECTION_GAUSSIAN) assert_int_equal(done, 0);
        projection_begin(w, 1, out);
        projection_add(w, 0, 0, 0, x, N - 1, 5);   /* left unfinished */
        projection_begin(w, 1, out);
        projection_add(w, 0, 0, 0, x, N, 1);
        assert_int_equal(projection_finish(w, NULL, NULL), 1);
        assert_memory_equal(out, want, sizeof want);
        projection_work_free(w);
        projector_free(pr);
    }
}

static enum status make_all(const struct projection *proj) {
    struct projector *pr;
    struct projection_work *w;
    TRY(projector_new(&pr, proj, NULL));
    enum status st = projection_work_new(&w, pr, 2, 2, 1 << 20);
    projection_work_free(w);
    projector_free(pr);
    return st;
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    long before = mem_live();
    for (int kind = 0; kind < PROJECTION_KIND_COUNT; kind++) {
        struct projection proj = make((enum projection_kind)kind, 9, 100, 7);
        enum status st = ERR_NOMEM;
        long n = 0;
        for (; st != OK; n++) {
            mem_fail_after(n);
            st = make_all(&proj);
            mem_fail_after(-1);
            assert_true(st == OK || st == ERR_NOMEM);
            assert_int_equal(mem_live(), before);
        }
        assert_true(n > 3);
    }
}

static void each_coordinate_has_one_bucket_per_segment(void **state) {
    (void)state;
    enum { N = 500, K = 31, S = 5 };
    struct projection proj = sjlt(1, N, K, S);
    static uint32_t table[N * S];
    size_t hits[K] = { 0 }, minus = 0;
    projection_table(&proj, NULL, N, table);
    for (size_t i = 0; i < N; i++)
        for (uint32_t r = 0; r < S; r++) {
            uint32_t t = table[i * S + r];
            assert_in_range(t >> 1, r * K / S, (r + 1) * K / S - 1);
            hits[t >> 1]++;
            minus += t & 1;
        }
    /* 500 balls in 6 bins, or 7: 83 or 71 each, sd 8.3; 2500 signs: 1250, sd 25. */
    for (size_t b = 0; b < K; b++) assert_in_range(hits[b], 71 - 42, 83 + 42);
    assert_in_range(minus, 1250 - 125, 1250 + 125);
}

static void impossible_parameters_are_refused(void **state) {
    (void)state;
    struct projection ok = sjlt(0, 10, 12, 5), bad;
    assert_int_equal(projection_check(&ok), OK);
    bad = ok; bad.s = 13; assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.s = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.k = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.p = 0;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.p = (uint64_t)1 << 32;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.version++;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.kind = PROJECTION_KIND_COUNT;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad = ok; bad.kind = PROJECTION_SRHT;  assert_int_equal(projection_check(&bad), ERR_RANGE);
    bad.s = 0;  assert_int_equal(projection_check(&bad), OK);
    struct projector *pr;
    bad.k = 0;
    assert_int_equal(projector_new(&pr, &bad, NULL), ERR_RANGE);
    assert_null(pr);
}

static void names_are_read(void **state) {
    (void)state;
    static const struct { const char *text; enum projection_kind kind; uint32_t s; } good[] = {
        { "sjlt", PROJECTION_SJLT, 1 }, { "sjlt:1", PROJECTION_SJLT, 1 }, { "sjlt:64", PROJECTION_SJLT, 64 },
        { "rademacher", PROJECTION_RADEMACHER, 0 }, { "gaussian", PROJECTION_GAUSSIAN, 0 }, { "srht", PROJECTION_SRHT, 0 } };
    static const char *const bad[] = { "", "sjl", "sjlts", "SJLT", "sjlt:", "sjlt:0", "sjlt:-1", "sjlt:4x", "sjlt: 4",
                                       "sjlt:4:4", "sjlt:99999999999999999999", "gaussian:2", "srht:", ":4",
                                       "rademacher-and-some-more-text" };
    enum projection_kind kind;
    uint32_t s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(projection_parse(good[i].text, &kind, &s), OK);
        assert_int_equal(kind, good[i].kind);
        assert_int_equal(s, good[i].s);
        assert_int_equal(projection_kind_parse(projection_kind_name(kind)), kind);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(projection_parse(bad[i], &kind, &s), ERR_RANGE);
        assert_non_null(strstr(fail_reason(), bad[i]));
        assert_non_null(strstr(fail_reason(), "gaussian and srht"));
    }
    assert_int_equal(projection_kind_parse("sjl"), PROJECTION_KIND_COUNT);
}

static void different_maps_are_named(void **state) {
    (void)state;
    struct projection a = sjlt(42, 1000, 64, 4), b = a;
    assert_int_equal(projection_same(&a, &b), OK);
    b.s = 2;
    assert_int_equal(projection_same(&a, &b), ERR_RANGE);
    b = a; b.p++;        assert_int_equal(projection_same(&a, &b), ERR_RANGE);
    b = a; b.k++;        assert_int_equal(projection_same(&a, &b), ERR_RANGE);
    b = a; b.version++;  assert_int_equal(projection_same(&a, &b), ERR_RANGE);
    assert_non_null(strstr(fail_reason(), "version 2"));
    b = make(PROJECTION_GAUSSIAN, 7, 1000, 64);
    assert_int_equal(projection_same(&a, &b), ERR_RANGE);
    assert_string_equal(fail_reason(), "projections differ: sjlt:4, seed 42, k 64, 1000 coordinates / "
                        "gaussian, seed 7, k 64, 1000 coordinates");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sjlt_is_unbiased_with_its_variance),
        cmocka_unit_test(sjlt_with_more_non_zeros_is_too),
        cmocka_unit_test(rademacher_is_unbiased_with_its_variance),
        cmocka_unit_test(gaussian_is_unbiased_with_its_variance),
        cmocka_unit_test(srht_is_unbiased_with_its_variance),
        cmocka_unit_test(the_values_of_a_seed_are_fixed),
        cmocka_unit_test(kinds_and_seeds_give_unrelated_maps),
        cmocka_unit_test(srht_keeps_the_length_of_a_block),
        cmocka_unit_test(srht_takes_no_row_twice),
        cmocka_unit_test(groups_threads_and_cuts_change_no_bit),
        cmocka_unit_test(storage_order_does_not_matter),
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(instruction_sets_agree),
        cmocka_unit_test(many_outputs_and_few_coordinates_work),
        cmocka_unit_test(dense_kinds_gather_what_memory_holds),
        cmocka_unit_test(a_cancelled_group_ends_and_the_next_begins_anew),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
        cmocka_unit_test(each_coordinate_has_one_bucket_per_segment),
        cmocka_unit_test(impossible_parameters_are_refused),
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(different_maps_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
