#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/safetensors.h"

#include "../lib/hostile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REFERENCE "tests/fuzz/corpus-safetensors/reference"

static enum status subject(const unsigned char *bytes, size_t len) {
    struct safetensors *s;
    enum status st = safetensors_open(&s, bytes, len, "t");
    for (size_t i = 0; st == OK && i < safetensors_count(s); i++) {
        const struct safetensors_entry *e = safetensors_at(s, i);
        assert_ptr_equal(safetensors_find(s, e->name), e);
        if (e->type == TENSOR_OTHER) continue;
        float *values = calloc(e->count ? e->count : 1, sizeof *values);
        assert_int_equal(safetensors_floats(values, e), OK);
        free(values);
    }
    if (st != OK) assert_null(s);
    safetensors_free(s);
    return st;
}

/* A file from header text and n bytes of data. */
static void make_file(struct buf *b, const char *header, size_t data) {
    unsigned char length[8] = { (unsigned char)(strlen(header) & 255),
                                (unsigned char)(strlen(header) >> 8) };
    buf_add(b, length, 8);
    buf_text(b, header);
    for (size_t i = 0; i < data; i++) buf_add(b, "x", 1);
}

static void a_file_of_the_reference_library_reads(void **state) {
    (void)state;
    size_t len;
    unsigned char *bytes = hostile_file(&len, REFERENCE);
    struct safetensors *s;
    static const float want[6] = { 0.5f, -1.25f, 3e-5f, 65504, -0.0f, 7 };
    float got[6], one;
    assert_int_equal(safetensors_open(&s, bytes, len, REFERENCE), OK);
    assert_int_equal(safetensors_count(s), 5);
    assert_string_equal(safetensors_meta(s, "format"), "pt");
    assert_null(safetensors_meta(s, "other"));
    const struct safetensors_entry *e = safetensors_find(s, "b.weight");
    assert_int_equal(e->rank, 2);
    assert_int_equal(e->shape[0], 2);
    assert_int_equal(e->shape[1], 3);
    assert_int_equal(safetensors_read(got, 6, s, "b.weight"), OK);
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(safetensors_read(got, 6, s, "a.half"), OK);
    for (int i = 0; i < 6; i++) assert_true(fabsf(got[i] - want[i]) <= 1e-3f * fabsf(want[i]));
    assert_int_equal(safetensors_read(&one, 1, s, "scalar"), OK);
    assert_true(one == 2.5f);
    assert_int_equal(safetensors_find(s, "empty")->count, 0);
    assert_int_equal(safetensors_read(got, 5, s, "b.weight"), ERR_FORMAT);
    assert_int_equal(safetensors_read(got, 6, s, "c"), ERR_MISSING);
    assert_int_equal(safetensors_read(&one, 1, s, "steps"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "I64"));
    safetensors_free(s);
    hostile_prefixes(subject, bytes, len);
    hostile_allocations(subject, bytes, len, 5);
    hostile_mutations(subject, bytes, len, 8000, 2);
    mem_free(bytes);
}

#define T(dtype, shape, from, to) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static void hostile_headers_are_refused_with_their_reason(void **state) {
    (void)state;
    static const struct { const char *header; size_t data; const char *reason; } bad[] = {
        { "{\"a\":" T("F32", "[2]", "0", "8") ",\"b\":" T("F32", "[2]", "4", "12") "}", 12, "inside" },
        { "{\"a\":" T("F32", "[1]", "0", "4") ",\"b\":" T("F32", "[1]", "8", "12") "}", 12, "gap" },
        { "{\"a\":" T("F32", "[1]", "0", "4") "}", 8, "the tensors take 4" },
        { "{\"a\":" T("F32", "[2]", "0", "8") "}", 4, "ends at byte 8 of 4" },
        { "{\"a\":" T("F32", "[3]", "0", "8") "}", 8, "its shape needs 12" },
        { "{\"a\":" T("F32", "[9223372036854775807,4]", "0", "8") "}", 8, "too large" },
        { "{\"a\":" T("F32", "[4611686018427387904]", "0", "0") "}", 0, "too large" },
        { "{\"a\":" T("F32", "[9223372036854775808]", "0", "8") "}", 8, "is no size" },
        { "{\"a\":" T("F32", "[-2]", "0", "8") "}", 8, "is no size" },
        { "{\"a\":" T("F32", "[2]", "8", "0") "}", 8, "ascending" },
        { "{\"a\":" T("F32", "[2]", "-8", "0") "}", 8, "ascending" },
        { "{\"a\":" T("F32", "[2]", "0", "9223372036854775807") "}", 8, "ends at byte" },
        { "{\"a\":" T("F33", "[2]", "0", "8") "}", 8, "dtype F33" },
        { "{\"a\":" T("F32", "2", "0", "8") "}", 8, "no shape" },
        { "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", "0", "8") "}", 8, "9 dimensions" },
        { "{\"a\":" T("F32", "[2]", "0", "8") ",\"a\":" T("F32", "[2]", "8", "16") "}", 16, "twice" },
        { "{\"a\":7}", 0, "dtype" }, { "{\"__metadata__\":[]}", 0, "__metadata__" },
        { "{\"__metadata__\":{\"k\":1}}", 0, "__metadata__ k" }, { "{\"a\":}", 0, "JSON value" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT;
        struct safetensors *s;
        make_file(&b, bad[i].header, bad[i].data);
        assert_int_equal(safetensors_open(&s, b.data, b.len, "w.st"), ERR_FORMAT);
        if (!strstr(fail_reason(), bad[i].reason) || !strstr(fail_reason(), "w.st"))
            fail_msg("%s: got \"%s\"", bad[i].header, fail_reason());
        buf_free(&b);
    }
    unsigned char huge[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{', '}' };
    assert_int_equal(subject(huge, 16), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "9223372036854775807"));
    assert_int_equal(mem_live(), 0);
}

static void what_is_written_reads_back_and_does_not_depend_on_the_order(void **state) {
    (void)state;
    float a[6], half[4] = { 0.1f, -2, 65504, 1e-7f }, got[6];
    rng_normal(a, 6, 1, RNG_TEST, 0, 0);
    struct safetensors_tensor t[3] = {
        { "z.weight", a, 2, { 2, 3 }, TENSOR_F32 }, { "half\"x", half, 1, { 4 }, TENSOR_F16 },
        { "a.bias", a, 0, { 0 }, TENSOR_F32 },
    }, back[3] = { t[2], t[1], t[0] };
    struct safetensors_pair meta[2] = { { "format", "pt" }, { "step", "8000" } };
    struct buf x = BUF_INIT, y = BUF_INIT;
    assert_int_equal(safetensors_write(&x, t, 3, meta, 2), OK);
    assert_int_equal(safetensors_write(&y, back, 3, meta, 2), OK);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);

    struct safetensors *s;
    if (safetensors_open(&s, x.data, x.len, "x") != OK) fail_msg("%s", fail_reason());
    assert_string_equal(safetensors_meta(s, "step"), "8000");
    assert_string_equal(safetensors_at(s, 0)->name, "a.bias");
    assert_int_equal((safetensors_at(s, 0)->data - (unsigned char *)x.data) % 8, 0);
    assert_int_equal(safetensors_read(got, 6, s, "z.weight"), OK);
    assert_memory_equal(got, a, sizeof a);
    assert_int_equal(safetensors_read(got, 4, s, "half\"x"), OK);
    assert_true(got[1] == -2 && got[2] == 65504 && fabsf(got[0] - 0.1f) < 5e-5f);
    safetensors_free(s);
    buf_free(&x);
    buf_free(&y);
}

static void what_cannot_be_read_back_is_not_written(void **state) {
    (void)state;
    float v[2] = { 1, 65520 };
    struct buf b = BUF_INIT;
    struct safetensors_tensor t[2] = { { "w", v, 1, { 2 }, TENSOR_F16 },
                                       { "w", v, 1, { 2 }, TENSOR_F32 } };
    assert_int_equal(safetensors_write(&b, t, 1, NULL, 0), ERR_NUMERIC);
    assert_non_null(strstr(fail_reason(), "element 1 is 65520"));
    v[1] = INFINITY;
    assert_int_equal(safetensors_write(&b, t, 1, NULL, 0), OK);
    t[0].type = TENSOR_F32;
    assert_int_equal(safetensors_write(&b, t, 2, NULL, 0), ERR_RANGE);
    t[0].type = TENSOR_OTHER;
    assert_int_equal(safetensors_write(&b, t, 1, NULL, 0), ERR_RANGE);
    buf_free(&b);
    assert_int_equal(mem_live(), 0);
}

static void writing_survives_any_failed_allocation(void **state) {
    (void)state;
    float v[600] = { 0 };
    struct safetensors_tensor t = { "w", v, 1, { 600 }, TENSOR_F32 };
    for (long n = 0;; n++) {
        struct buf b = BUF_INIT;
        mem_fail_after(n);
        enum status st = safetensors_write(&b, &t, 1, NULL, 0);
        mem_fail_after(-1);
        buf_free(&b);
        assert_int_equal(mem_live(), 0);
        if (st == OK) { assert_true(n >= 3); break; }
        assert_int_equal(st, ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_the_reference_library_reads),
        cmocka_unit_test(hostile_headers_are_refused_with_their_reason),
        cmocka_unit_test(what_is_written_reads_back_and_does_not_depend_on_the_order),
        cmocka_unit_test(what_cannot_be_read_back_is_not_written),
        cmocka_unit_test(writing_survives_any_failed_allocation),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
