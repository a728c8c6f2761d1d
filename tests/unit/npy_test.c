#include "dtrak/half.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"

#include "../lib/hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DIR "tests/fuzz/corpus-npy/"

static enum status subject(const unsigned char *bytes, size_t len) {
    struct npy a;
    enum status st = npy_parse(&a, bytes, len, "t");
    if (st == OK) {
        double *d = calloc(a.count ? a.count : 1, sizeof *d);
        npy_doubles(d, &a);
        free(d);
    }
    return st;
}

static void arrays_of_every_type_written_by_numpy_read(void **state) {
    (void)state;
    static const char *const files[] = { "f2", "f4", "f8", "u1", "i4", "i8" };
    for (size_t i = 0; i < 6; i++) {
        char path[64];
        size_t len;
        struct npy a;
        float f[6];
        double d[6];
        snprintf(path, sizeof path, DIR "%s.npy", files[i]);
        unsigned char *bytes = hostile_file(&len, path);
        if (npy_parse(&a, bytes, len, path) != OK) fail_msg("%s", fail_reason());
        assert_int_equal(a.rank, 2);
        assert_int_equal(a.shape[0], 2);
        assert_int_equal(a.shape[1], 3);
        assert_int_equal(a.count, 6);
        npy_floats(f, &a);
        npy_doubles(d, &a);
        for (int k = 0; k < 6; k++) assert_true(f[k] == (float)k && d[k] == k);
        hostile_prefixes(subject, bytes, len);
        hostile_mutations(subject, bytes, len, 3000, (unsigned)i);
        mem_free(bytes);
    }
}

static void version_2_and_scalars_read_and_fortran_order_is_refused(void **state) {
    (void)state;
    size_t len;
    struct npy a;
    double d;
    unsigned char *bytes = hostile_file(&len, DIR "version2.npy");
    assert_int_equal(npy_parse(&a, bytes, len, "v2"), OK);
    assert_int_equal(a.shape[0], 3);
    mem_free(bytes);
    bytes = hostile_file(&len, DIR "scalar.npy");
    assert_int_equal(npy_parse(&a, bytes, len, "s"), OK);
    assert_int_equal(a.rank, 0);
    npy_doubles(&d, &a);
    assert_true(d == 4);
    mem_free(bytes);
    bytes = hostile_file(&len, DIR "fortran.npy");
    assert_int_equal(npy_parse(&a, bytes, len, "f.npy"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "Fortran"));
    mem_free(bytes);
}

static void hostile_headers_are_refused_with_their_reason(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        { "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "type >f4" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "type |O" },
        { "{'descr': '<f4', 'shape': (1,)}", "lacks" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", "twice" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "True or False" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "a dimension" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "the shape needs 8" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "too large" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296)}", "too large" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "end of the header" },
        { "{'x': 1}", "unknown" }, { "{'descr': '<f4", "closing quote" },
        { "__import__('os')", "'{'" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT;
        struct npy a;
        unsigned char head[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0,
                                   (unsigned char)strlen(bad[i][0]), 0 };
        buf_add(&b, head, 10);
        buf_text(&b, bad[i][0]);
        buf_add(&b, "\0\0\0\0", 4);
        assert_int_equal(npy_parse(&a, b.data, b.len, "a.npy"), ERR_FORMAT);
        if (!strstr(fail_reason(), bad[i][1]) || !strstr(fail_reason(), "a.npy"))
            fail_msg("%s: got \"%s\"", bad[i][0], fail_reason());
        buf_free(&b);
    }
    struct npy a;
    assert_int_equal(npy_parse(&a, "\x93NUMPY\x03\0\0\0\0\0", 12, "v3"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "version 3"));
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    static const double values[4] = { 0.25, -3, 200, 7 };
    for (int t = NPY_F2; t <= NPY_I8; t++) {
        union { uint16_t h[4]; float f[4]; double d[4]; unsigned char u[4]; int32_t i[4];
                int64_t l[4]; } in;
        double want[4], got[4];
        for (int k = 0; k < 4; k++) {
            double v = t == NPY_U1 ? k * 80 : t >= NPY_I4 ? (double)(int)(values[k] * 1000) : values[k];
            want[k] = v;
            switch ((enum npy_type)t) {
            case NPY_F2: in.h[k] = half_from_float((float)v); break;
            case NPY_F4: in.f[k] = (float)v; break;
            case NPY_F8: in.d[k] = v; break;
            case NPY_U1: in.u[k] = (unsigned char)v; break;
            case NPY_I4: in.i[k] = (int32_t)v; break;
            case NPY_I8: in.l[k] = (int64_t)v; break;
            }
        }
        static const size_t shapes[3][3] = { { 4 }, { 2, 2 }, { 1, 4, 1 } };
        for (size_t rank = 1; rank <= 3; rank++) {
            struct buf b = BUF_INIT;
            struct npy a;
            assert_int_equal(npy_write(&b, (enum npy_type)t, rank, shapes[rank - 1], &in), OK);
            if (npy_parse(&a, b.data, b.len, "t") != OK) fail_msg("%s", fail_reason());
            assert_int_equal((a.data - (unsigned char *)b.data) % 64, 0);
            assert_int_equal(a.type, t);
            assert_int_equal(a.rank, rank);
            assert_memory_equal(a.shape, shapes[rank - 1], rank * sizeof(size_t));
            npy_doubles(got, &a);
            for (int k = 0; k < 4; k++) assert_true(got[k] == want[k]);
            buf_free(&b);
        }
    }
    assert_int_equal(mem_live(), 0);
}

static void a_file_in_pieces_has_the_bytes_of_one_in_whole(void **state) {
    (void)state;
    static const float x[6] = { 1, 2, 3, 4, 5, 6 };
    const size_t shape[2] = { 2, 3 };
    char dir[] = "/tmp/dtrak-npy-XXXXXX", path[64];
    struct buf b = BUF_INIT;
    struct npy_out out;
    unsigned char *bytes;
    size_t len;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.npy", dir);
    assert_int_equal(npy_write(&b, NPY_F4, 2, shape, x), OK);
    assert_int_equal(npy_begin(&out, path, NPY_F4, 2, shape), OK);
    assert_int_equal(npy_add(&out, x, 5), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(npy_add(&out, x + 4, 2), ERR_RANGE);
    assert_int_equal(npy_add(&out, x + 5, 1), OK);
    assert_int_equal(npy_end(&out), OK);
    npy_abandon(&out);
    assert_int_equal(file_read(&bytes, &len, path, 1000), OK);
    assert_int_equal(len, b.len);
    assert_memory_equal(bytes, b.data, len);
    mem_free(bytes);
    buf_free(&b);
    assert_int_equal(npy_begin(&out, path, NPY_F4, 2, shape), ERR_IO);   /* it is there */
    unlink(path);
    /* Too few numbers: nothing is there afterwards. */
    assert_int_equal(npy_begin(&out, path, NPY_F4, 2, shape), OK);
    assert_int_equal(npy_add(&out, x, 3), OK);
    assert_int_equal(npy_end(&out), ERR_RANGE);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_every_type_written_by_numpy_read),
        cmocka_unit_test(version_2_and_scalars_read_and_fortran_order_is_refused),
        cmocka_unit_test(hostile_headers_are_refused_with_their_reason),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_file_in_pieces_has_the_bytes_of_one_in_whole),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
