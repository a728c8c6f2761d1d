/* The floor: random numbers, hashes, text, memory, buffers, threads, rates. */
#include "dtrak/buf.h"
#include "dtrak/err.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/pool.h"
#include "dtrak/progress.h"
#include "dtrak/rng.h"
#include "dtrak/text.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../lib/near.h"

static void philox_gives_the_known_answers_of_its_paper(void **state) {
    (void)state;
    static const struct { uint32_t ctr[4], key[2], out[4]; } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        rng_philox(out, known[i].ctr, known[i].key);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void streams_differ_by_every_part_of_their_key(void **state) {
    (void)state;
    struct rng r[] = { rng_at(1, RNG_NOISE, 2, 3), rng_at(2, RNG_NOISE, 2, 3), rng_at(1, RNG_INIT, 2, 3),
                       rng_at(1, RNG_NOISE, 3, 3), rng_at(1, RNG_NOISE, 2, 4) };
    uint32_t first[5];
    for (size_t i = 0; i < 5; i++) first[i] = rng_u32(&r[i]);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
}

static void normals_have_their_moments_and_keep_their_prefix(void **state) {
    (void)state;
    enum { N = 200000 };
    float *x = mem_array(N, sizeof *x), y[7];
    double m = 0, v = 0, q = 0;
    rng_normal(x, N, 5, RNG_TEST, 1, 2);
    rng_normal(y, 7, 5, RNG_TEST, 1, 2);
    assert_memory_equal(x, y, sizeof y);
    for (size_t i = 0; i < N; i++) m += (double)x[i] / N;
    for (size_t i = 0; i < N; i++) {
        double d = (double)x[i] - m;
        v += d * d / N;
        q += d * d * d * d / N;
    }
    assert_near(m, 0, 5 / sqrt((double)N), 0);
    assert_near(v, 1, 5 * sqrt(2.0 / N), 0);
    assert_near(q, 3, 5 * sqrt(96.0 / N), 0);
    mem_free(x);
}

static void permutations_hold_every_number_once_and_below_is_even(void **state) {
    (void)state;
    struct rng r = rng_at(3, RNG_TEST, 0, 0);
    uint32_t p[100], count[7] = { 0 };
    unsigned char seen[100] = { 0 };
    rng_permutation(p, 100, &r);
    for (size_t i = 0; i < 100; i++) {
        assert_true(p[i] < 100 && !seen[p[i]]);
        seen[p[i]] = 1;
    }
    for (int i = 0; i < 70000; i++) count[rng_below(&r, 7)]++;
    for (size_t i = 0; i < 7; i++) assert_near((double)count[i], 10000, 5 * sqrt(10000.0), 0);
}

static void sha256_gives_the_standard_digests(void **state) {
    (void)state;
    char hex[65];
    sha256_hex(hex, "abc", 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex(hex, "", 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sha256_hex(hex, two, strlen(two));
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    /* In pieces of every length, across block edges. */
    char bytes[300];
    unsigned char whole[32], pieces[32];
    struct sha256 s;
    memset(bytes, 'x', sizeof bytes);
    sha256_init(&s);
    sha256_add(&s, bytes, sizeof bytes);
    sha256_end(&s, whole);
    for (size_t step = 1; step < 130; step++) {
        sha256_init(&s);
        for (size_t at = 0; at < sizeof bytes; at += step)
            sha256_add(&s, bytes + at, sizeof bytes - at < step ? sizeof bytes - at : step);
        sha256_end(&s, pieces);
        assert_memory_equal(whole, pieces, 32);
    }
}

static void text_escapes_what_a_terminal_would_obey(void **state) {
    (void)state;
    char out[128];
    text_escape(out, sizeof out, "a\x1b[2J\x7f\xc2\x9b" "b\xff" "\xe2\x80\xae" "c\n\xc3\xa9");
    assert_string_equal(out, "a\\x1B[2J\\x7F\\x9Bb\\xFF\\u{202E}c\\x0A\xc3\xa9");
    text_escape(out, 6, "ab\x01xyz");
    assert_string_equal(out, "ab");
    text_escape(out, 6, "abc\xc3\xa9\xc3\xa9");
    assert_string_equal(out, "abc\xc3\xa9");
}

static void a_word_for_a_shell_is_quoted_where_it_must_be(void **state) {
    (void)state;
    static const char *const t[][2] = { { "a/b-1.db", "a/b-1.db" }, { "a b", "'a b'" }, { "it's", "'it'\\''s'" }, { "$x", "'$x'" }, { "", "''" } };
    char out[32];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        text_shell_word(out, sizeof out, t[i][0]);
        assert_string_equal(out, t[i][1]);
    }
    for (size_t size = 1; size < 20; size++) {
        text_shell_word(out, size, "a'b c'd e'f g'h i'j");
        assert_true(strlen(out) < size);
    }
}

static void utf8_is_decoded_strictly_and_measured_in_cells(void **state) {
    (void)state;
    static const char *const bad[] = { "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t cp;
        assert_int_equal(text_decode(bad[i], &cp), 1);
        assert_int_equal(cp, 0xFFFD);
    }
    assert_int_equal(text_width("a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80" "e\xcc\x81"), 1 + 1 + 2 + 2 + 1);
    assert_int_equal(text_fit("\xe6\xbc\xa2\xe6\xbc\xa2", 3), 3);
    assert_string_equal(text_nearer("scroe", NULL, "score"), "score");
    assert_string_equal(text_nearer("scor", "scout", "score"), "score");
    assert_string_equal(text_nearer("dtrk", NULL, "dtrak"), "dtrak");
    assert_string_equal(text_nearer("dtrak", "dtrak", "trak"), "dtrak");
    assert_string_equal(text_nearer("timestep", NULL, "timesteps"), "timesteps");
    assert_null(text_nearer("nda", NULL, "das"));
    assert_null(text_nearer("frobnicate", NULL, "features"));
    assert_null(text_nearer("", NULL, "das"));
    assert_null(text_nearer("a-word-that-is-longer-than-all-the-names", NULL, "a-word-that-is-longer-than-all-the-name"));
    char one[4];
    for (uint32_t cp = 1; cp < 0x110000; cp += cp < 0x1000 ? 1 : 251) {
        uint32_t back;
        char s[5] = { 0 };
        if (cp >= 0xD800 && cp < 0xE000) continue;
        size_t n = text_encode(one, cp);
        memcpy(s, one, n);
        assert_int_equal(text_decode(s, &back), n);
        assert_int_equal(back, cp);
    }
}

static void messages_are_escaped_and_stay_one_line(void **state) {
    (void)state;
    assert_int_equal((fail)(ERR_FORMAT, "bad %s", "x\n\x1b]0;title\a"), ERR_FORMAT);
    assert_string_equal(fail_reason(), "bad x\\x0A\\x1B]0;title\\x07");
}

static void memory_is_counted_zeroed_and_refuses_overflow(void **state) {
    (void)state;
    long live = mem_live();
    assert_null(mem_array(SIZE_MAX / 2, 4));
    unsigned char *p = mem_array(100, 1);
    for (size_t i = 0; i < 100; i++) assert_int_equal(p[i], 0);
    assert_int_equal((uintptr_t)p % 64, 0);
    p[99] = 7;
    p = mem_resize(p, 100, 1000, 1);
    assert_int_equal(p[99], 7);
    assert_int_equal(p[100], 0);
    assert_int_equal(mem_live(), live + 1);
    mem_fail_after(1);
    void *q = mem_array(1, 1), *r = mem_array(1, 1);
    mem_fail_after(-1);
    assert_non_null(q);
    assert_null(r);
    mem_free(q);
    mem_free(p);
    assert_int_equal(mem_live(), live);
}

/* The test vectors of RFC 4648, section 10, and the last digits. */
static void base64_is_that_of_the_rfc(void **state) {
    (void)state;
    static const struct { const char *plain, *coded; } v[] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" },
    };
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        buf_clear(&b);
        buf_base64(&b, v[i].plain, strlen(v[i].plain));
        assert_int_equal(buf_status(&b), OK);
        assert_int_equal(b.len, strlen(v[i].coded));
        assert_string_equal(b.data, v[i].coded);
    }
    buf_free(&b);
}

static void a_buffer_grows_and_remembers_a_failure(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(buf_status(&b), OK);
    assert_int_equal(strlen(b.data), b.len);
    mem_fail_after(0);
    buf_add(&b, b.data, b.len);
    mem_fail_after(-1);
    assert_int_equal(buf_status(&b), ERR_NOMEM);
    buf_free(&b);
}

struct count { unsigned char seen[1000]; };
static void mark(void *ctx, size_t piece, size_t thread) {
    (void)thread;
    ((struct count *)ctx)->seen[piece]++;
}
static void every_piece_runs_once_on_any_number_of_threads(void **state) {
    (void)state;
    for (size_t threads = 1; threads < 6; threads++) {
        struct pool *p;
        assert_int_equal(pool_new(&p, threads), OK);
        assert_int_equal(pool_threads(p), threads);
        for (size_t n = 0; n < 1000; n += 37) {
            struct count c = { { 0 } };
            pool_run(p, n, mark, &c);
            for (size_t i = 0; i < 1000; i++) assert_int_equal(c.seen[i], i < n);
        }
        pool_free(p);
    }
}

/* What each thread lets through: a signal that a helper took would be news to it alone. */
struct masks { unsigned char ran[4], takes[4]; };
static void look_at_mask(void *ctx, size_t piece, size_t thread) {
    struct masks *m = ctx;
    struct timespec nap = { 0, 2000000 };     /* the others get a piece too */
    sigset_t now;
    (void)piece;
    m->ran[thread] = 1;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    if (!sigismember(&now, SIGTSTP) || !sigismember(&now, SIGCONT) || !sigismember(&now, SIGINT)) m->takes[thread] = 1;
    nanosleep(&nap, NULL);
}
static void signals_are_for_the_thread_that_made_the_pool(void **state) {
    (void)state;
    struct pool *p;
    struct masks m = { { 0 }, { 0 } };
    assert_int_equal(pool_new(&p, 4), OK);
    for (int i = 0; i < 100 && !(m.ran[1] && m.ran[2] && m.ran[3]); i++) pool_run(p, 16, look_at_mask, &m);
    pool_free(p);
    for (size_t t = 0; t < 4; t++) {
        assert_true(m.ran[t]);
        assert_int_equal(m.takes[t], t == 0);
    }
}

static void times_are_written_as_people_do(void **state) {
    (void)state;
    char s[16];
    clock_format(s, 7.2);
    assert_string_equal(s, "0:07");
    clock_format(s, 754);
    assert_string_equal(s, "12:34");
    clock_format(s, 7384);
    assert_string_equal(s, "2:03:04");
    clock_format(s, NAN);
    assert_string_equal(s, "0:00");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers_of_its_paper),
        cmocka_unit_test(streams_differ_by_every_part_of_their_key),
        cmocka_unit_test(normals_have_their_moments_and_keep_their_prefix),
        cmocka_unit_test(permutations_hold_every_number_once_and_below_is_even),
        cmocka_unit_test(sha256_gives_the_standard_digests),
        cmocka_unit_test(text_escapes_what_a_terminal_would_obey),
        cmocka_unit_test(a_word_for_a_shell_is_quoted_where_it_must_be),
        cmocka_unit_test(utf8_is_decoded_strictly_and_measured_in_cells),
        cmocka_unit_test(messages_are_escaped_and_stay_one_line),
        cmocka_unit_test(memory_is_counted_zeroed_and_refuses_overflow),
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(a_buffer_grows_and_remembers_a_failure),
        cmocka_unit_test(every_piece_runs_once_on_any_number_of_threads),
        cmocka_unit_test(signals_are_for_the_thread_that_made_the_pool),
        cmocka_unit_test(times_are_written_as_people_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
