/* hostile.c - what every reader of foreign bytes is put through.  See hostile.h. */
#include "hostile.h"

#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The subject on an exact copy; checks for leaks and for a reason. */
static enum status call(hostile_subject *f, const unsigned char *bytes, size_t len) {
    long before = mem_live();
    unsigned char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len) memcpy(copy, bytes, len);
    (fail)(OK, "no reason given");   /* in brackets: cmocka has a macro of that name */
    enum status st = f(copy, len);
    free(copy);
    mem_fail_after(-1);
    assert_int_equal(mem_live(), before);
    if (st != OK) assert_string_not_equal(fail_reason(), "no reason given");
    return st;
}

void hostile_prefixes(hostile_subject *f, const void *bytes, size_t len) {
    for (size_t n = 0; n < len; n++)
        if (call(f, bytes, n) == OK) fail_msg("the first %zu of %zu bytes were accepted", n, len);
    if (call(f, bytes, len) != OK) fail_msg("refused: %s", fail_reason());
}

void hostile_allocations(hostile_subject *f, const void *bytes, size_t len, long least) {
    long n = 0;
    for (;; n++) {
        assert_true(n < 10000);
        mem_fail_after(n);
        enum status st = call(f, bytes, len);
        if (st == OK) break;
        if (st != ERR_NOMEM) fail_msg("allocation %ld: %d %s", n, (int)st, fail_reason());
    }
    assert_true(n >= least);
}

static size_t mutate_once(unsigned char *p, size_t len, size_t cap, struct rng *r) {
    static const unsigned char edges[] = { 0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', '}' };
    if (len == 0) return 0;
    size_t at = rng_below(r, (uint32_t)len), n = 1 + rng_below(r, 8);
    switch (rng_below(r, 7)) {
    case 0: p[at] ^= (unsigned char)(1u << rng_below(r, 8)); break;
    case 1: p[at] = (unsigned char)rng_u32(r); break;
    case 2: p[at] = edges[rng_below(r, sizeof edges)]; break;
    case 3:   /* a number becomes extreme */
        for (size_t i = at; i < len && i < at + n; i++) p[i] = edges[rng_below(r, 5)];
        break;
    case 4: return at;
    case 5:   /* a piece goes */
        if (n > len - at) n = len - at;
        memmove(p + at, p + at + n, len - at - n);
        return len - n;
    default:  /* a piece comes twice */
        if (n > len - at) n = len - at;
        if (len + n > cap) return len;
        memmove(p + at + n, p + at, len - at);
        return len + n;
    }
    return len;
}

void hostile_mutations(hostile_subject *f, const void *bytes, size_t len, size_t count,
                       unsigned seed) {
    size_t cap = len + 64;
    unsigned char *p = malloc(cap);
    assert_non_null(p);
    for (size_t i = 0; i < count; i++) {
        struct rng r = rng_at(seed, RNG_TEST, (uint32_t)i, 0);
        size_t n = len, edits = 1 + rng_below(&r, 4);
        memcpy(p, bytes, len);
        while (edits--) n = mutate_once(p, n, cap, &r);
        (void)call(f, p, n);
    }
    free(p);
}

unsigned char *hostile_file(size_t *len, const char *path) {
    unsigned char *bytes = NULL;
    if (file_read(&bytes, len, path, 1 << 20) != OK) fail_msg("%s", fail_reason());
    return bytes;
}
