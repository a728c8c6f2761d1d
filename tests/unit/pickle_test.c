/* Pickles that Python and NumPy wrote, in every protocol, and ones that nobody should write. */
#include "dtrak/buf.h"
#include "dtrak/mem.h"
#include "dtrak/pickle.h"

#include "../lib/hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus-pickle/"

static enum status subject(const unsigned char *bytes, size_t len) {
    struct pickle_doc *d;
    enum status st = pickle_read(&d, bytes, len, "t", NULL);
    if (st != OK) assert_null(d);
    else pickle_free(d);
    return st;
}

static const struct pickle_array *array_at(const struct pickle *v, size_t i, char kind, size_t item, size_t rank) {
    const struct pickle_array *a = pickle_array(pickle_at(v, i));
    assert_non_null(a);
    assert_int_equal(a->kind, kind);
    assert_int_equal(a->item_size, item);
    assert_int_equal(a->rank, rank);
    return a;
}

static void check_plain(const struct pickle *v) {
    static const int64_t ints[] = { 1, -5, INT64_C(1) << 40, INT64_MIN };
    size_t len;
    for (size_t i = 0; i < 4; i++) assert_true(pickle_int(pickle_at(v, i), 0) == ints[i]);
    assert_true(pickle_number(pickle_at(v, 4), 0) == 1.5);
    assert_int_equal(pickle_type(pickle_at(v, 5)), PICKLE_NONE);
    assert_int_equal(pickle_int(pickle_at(v, 6), 0), 1);
    assert_string_equal(pickle_string(pickle_at(v, 7), "?"), "\xc3\xa9\\\n");
    assert_memory_equal(pickle_bytes(pickle_at(v, 8), &len), "\x00\xff", 2);
    assert_int_equal(len, 2);
    assert_int_equal(pickle_type(pickle_at(v, 9)), PICKLE_TUPLE);
    assert_int_equal(pickle_int(pickle_at(pickle_at(v, 9), 0), 0), 1);
    const struct pickle *dict = pickle_at(v, 10);
    assert_int_equal(pickle_len(dict), 2);
    assert_int_equal(pickle_int(pickle_at(pickle_get(dict, "a"), 0), 0), 2);
    assert_null(pickle_get(dict, "b"));
    assert_int_equal(pickle_int(pickle_key(dict, 1), 0), 3);
    assert_int_equal(pickle_type(pickle_at(dict, 1)), PICKLE_TUPLE);
    assert_true(pickle_number(pickle_at(v, 16), 0) == 2.5);
    assert_int_equal(pickle_int(pickle_at(v, 17), 0), -3);
    assert_int_equal(pickle_int(pickle_get(pickle_at(v, 18), "x"), 0), 1);
    assert_ptr_equal(pickle_at(v, 20), pickle_at(v, 21));
    assert_int_equal(pickle_len(pickle_at(v, 21)), 2);
}

static void check_arrays(const struct pickle *v) {
    double x[6];
    float f[6];
    int64_t n[6];
    const struct pickle_array *a = array_at(v, 11, 'i', 4, 2);
    assert_true(a->big_endian && a->shape[0] == 2 && a->shape[1] == 3);
    assert_int_equal(pickle_array_ints(n, a, "t"), OK);
    pickle_array_doubles(x, a);
    for (int i = 0; i < 6; i++) assert_true(n[i] == i && x[i] == (double)i);
    a = array_at(v, 12, 'f', 8, 2);   /* Fortran order: C order comes out */
    pickle_array_floats(f, a);
    for (int i = 0; i < 6; i++) assert_true(f[i] == (float)i);
    assert_int_equal(pickle_array_ints(n, a, "t"), ERR_FORMAT);
    pickle_array_floats(f, array_at(v, 13, 'f', 2, 2));
    assert_true(f[0] == .5f && f[1] == -2 && f[2] == 65504);
    assert_int_equal(pickle_array_ints(n, array_at(v, 14, 'u', 1, 1), "t"), OK);
    assert_true(n[0] == 0 && n[1] == 255);
    assert_int_equal(pickle_array_ints(n, array_at(v, 15, 'b', 1, 1), "t"), OK);
    assert_true(n[0] == 1 && n[1] == 0);
    assert_int_equal(array_at(v, 19, 'f', 2, 2)->count, 0);
}

static void every_protocol_gives_the_same_values(void **state) {
    (void)state;
    for (int protocol = 0; protocol <= 5; protocol++) {
        char path[80];
        size_t len;
        struct pickle_doc *d;
        snprintf(path, sizeof path, CORPUS "values%d", protocol);
        unsigned char *bytes = hostile_file(&len, path);
        if (pickle_read(&d, bytes, len, path, NULL) != OK) fail_msg("%s", fail_reason());
        assert_int_equal(pickle_len(pickle_root(d)), 22);
        check_plain(pickle_root(d));
        check_arrays(pickle_root(d));
        pickle_free(d);
        hostile_prefixes(subject, bytes, len);
        hostile_mutations(subject, bytes, len, 4000, 3);
        if (protocol == 4) hostile_allocations(subject, bytes, len, 4);
        mem_free(bytes);
    }
    assert_int_equal(mem_live(), 0);
}

static void lists_as_d_trak_writes_them_read(void **state) {
    (void)state;
    size_t len;
    struct pickle_doc *d;
    int seen[300] = { 0 };
    unsigned char *bytes = hostile_file(&len, CORPUS "indices");
    assert_int_equal(pickle_read(&d, bytes, len, "indices", NULL), OK);
    assert_int_equal(pickle_len(pickle_root(d)), 300);
    for (size_t i = 0; i < 300; i++) seen[pickle_int(pickle_at(pickle_root(d), i), 0)]++;
    for (int i = 0; i < 300; i++) assert_int_equal(seen[i], 1);
    pickle_free(d);
    mem_free(bytes);
    bytes = hostile_file(&len, CORPUS "losses");
    assert_int_equal(pickle_read(&d, bytes, len, "losses", NULL), OK);
    float row[4];
    pickle_array_floats(row, pickle_array(pickle_at(pickle_at(pickle_root(d), 1), 2)));
    assert_true(row[0] == 2 && row[3] == 5);
    assert_null(pickle_at(pickle_root(d), 2));
    assert_int_equal(pickle_len(NULL), 0);
    assert_int_equal(pickle_int(NULL, 7), 7);
    pickle_free(d);
    mem_free(bytes);
}

#define LIT(s) s, sizeof s - 1

static void what_is_no_data_is_refused_by_name(void **state) {
    (void)state;
    static const struct { const char *bytes; size_t len; const char *reason; } bad[] = {
        { LIT("cos\nsystem\n(Vecho\ntR."), "os.system" },
        { LIT("\x80\x04\x8c\x08" "builtins\x8c\x04" "eval\x93\x8c\x03" "1+1\x85R."), "builtins.eval" },
        { LIT("c__builtin__\ngetattr\n."), "__builtin__.getattr" },
        { LIT("cnumpy\nsave\n."), "numpy.save" },
        { LIT("ctorch\nload\n."), "torch.load" },
        { LIT("ccollections\nOrderedDict\n."), "a class" },
        { LIT("ccollections\nOrderedDict\n(K\1tR."), "of what is no list" },
        { LIT("(ios\nsystem\n."), "opcode 0x69" },
        { LIT("\x82\1."), "opcode 0x82" },
        { LIT("\x80\x06N."), "protocol 6" },
        { LIT("K\1K\2."), "more or less than one value" },
        { LIT("N.N"), "1 bytes follow" },
        { LIT("]q\0h\0a."), "inside itself" },
        { LIT("}(V" "a\nK\1V" "a\nK\2u."), "\"a\" stands twice" },
        { LIT("\x8a\x09\1\1\1\1\1\1\1\1\1."), "integer of 9 bytes" },
        { LIT("h\5."), "never put" },
        { LIT("]r\xff\xff\xff\x7f."), "out of turn" },
        { LIT("]t."), "mark" },
        { LIT("e."), "mark" },
        { LIT("K\1K\2a."), "no list" },
        { LIT("X\xff\xff\xff\xff" "a."), "past the end" },
        { LIT("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f."), "past the end" },
        { LIT("X\2\0\0\0\xff\xfe."), "UTF-8" },
        { LIT("X\3\0\0\0a\0b."), "zero character" },
        { LIT("cnumpy\ndtype\n(VO8\nI00\nI01\ntR."), "'O8'" },
        { LIT("cnumpy\ndtype\n(Vf4\nI00\nI01\ntR."), "a class, type" },
        { LIT("cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\1btR."), "unfinished array" },
        { LIT("K\1Q."), "persistent id" },
        { LIT("c_codecs\nencode\n(Va\nVutf-8\ntR."), "latin1" },
        { LIT(""), "ends in the middle" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(subject((const unsigned char *)bad[i].bytes, bad[i].len), ERR_FORMAT);
        if (!strstr(fail_reason(), bad[i].reason)) fail_msg("%zu: '%s' lacks '%s'", i, fail_reason(), bad[i].reason);
    }
    assert_int_equal(mem_live(), 0);
}

/* 20,000 nested lists; 2^40 leaves from forty lists that hold the one before twice. */
static void deep_and_shared_values_end(void **state) {
    (void)state;
    struct buf deep = BUF_INIT, bomb = BUF_INIT;
    struct pickle_doc *d;
    for (int i = 0; i < 20000; i++) buf_text(&deep, "]");
    for (int i = 1; i < 20000; i++) buf_text(&deep, "a");
    buf_text(&deep, ".");
    assert_int_equal(subject((unsigned char *)deep.data, deep.len), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "deeper than 100"));
    buf_text(&bomb, "K\1\x94");
    for (int i = 0; i < 40; i++) {
        char get = (char)i;
        buf_text(&bomb, "0h");
        buf_add(&bomb, &get, 1);
        buf_text(&bomb, "h");
        buf_add(&bomb, &get, 1);
        buf_text(&bomb, "\x86\x94");
    }
    buf_text(&bomb, ".");
    if (pickle_read(&d, bomb.data, bomb.len, "bomb", NULL) != OK) fail_msg("%s", fail_reason());
    const struct pickle *v = pickle_root(d);
    int depth = 0;
    for (; pickle_type(v) == PICKLE_TUPLE; depth++) v = pickle_at(v, 1);
    assert_int_equal(depth, 40);
    pickle_free(d);
    buf_free(&deep);
    buf_free(&bomb);
    assert_int_equal(mem_live(), 0);
}

/* Calls whose arguments are in the memo: five bytes copy thousands. */
static void calls_that_copy_again_and_again_are_refused(void **state) {
    (void)state;
    for (int dict = 0; dict < 2; dict++) {
        struct buf b = BUF_INIT;
        buf_add(&b, dict ? "ccollections\nOrderedDict\nq\0" : "c_codecs\nencode\nq\0", dict ? 27 : 18);
        if (dict) {
            buf_text(&b, "NN\x86q\1" "0](");
            for (int i = 0; i < 10000; i++) buf_text(&b, "h\1");
            buf_text(&b, "e\x85q\2");
        } else {
            buf_add(&b, "X\x10\x27\0\0", 5);                /* 10,000 letters */
            for (int i = 0; i < 10000; i++) buf_text(&b, "a");
            buf_add(&b, "X\6\0\0\0latin1\x86q\1", 14);
        }
        for (int i = 0; i < 2000; i++) buf_add(&b, dict ? "0h\0h\2R" : "0h\0h\1R", 6);
        buf_text(&b, "00N.");
        struct pickle_doc *d;
        assert_int_equal(pickle_read(&d, b.data, b.len, "b.pkl", NULL), ERR_FORMAT);
        if (!strstr(fail_reason(), "far more")) fail_msg("%s", fail_reason());
        buf_free(&b);
    }
    assert_int_equal(mem_live(), 0);
}

/* BINPUT past what a one-byte number can say, and a list of very many values. */
static void long_lists_read(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    struct pickle_doc *d;
    buf_text(&b, "](");
    for (int i = 0; i < 100000; i++) {
        char n[2] = { 'K', (char)i };
        buf_add(&b, n, 2);
    }
    buf_text(&b, "e.");
    assert_int_equal(pickle_read(&d, b.data, b.len, "long", NULL), OK);
    assert_int_equal(pickle_len(pickle_root(d)), 100000);
    assert_int_equal(pickle_int(pickle_at(pickle_root(d), 99999), -1), 99999 & 255);
    pickle_free(d);
    buf_free(&b);
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_protocol_gives_the_same_values),
        cmocka_unit_test(lists_as_d_trak_writes_them_read),
        cmocka_unit_test(what_is_no_data_is_refused_by_name),
        cmocka_unit_test(deep_and_shared_values_end),
        cmocka_unit_test(calls_that_copy_again_and_again_are_refused),
        cmocka_unit_test(long_lists_read),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
