/* Checkpoints that torch.save() wrote, and archives that it would not. */
#include "dtrak/buf.h"
#include "dtrak/mem.h"
#include "dtrak/torch_file.h"

#include "../lib/hostile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define CORPUS "tests/fuzz/corpus-pickle/"

static enum status subject(const unsigned char *bytes, size_t len) {
    struct torch_file *f;
    enum status st = torch_file_open(&f, bytes, len, "t.bin");
    if (st != OK) assert_null(f);
    for (size_t i = 0; st == OK && i < torch_file_count(f); i++) {
        const struct safetensors_entry *e = torch_file_at(f, i);
        float *values = mem_array(e->count, sizeof *values);
        if (e->type != TENSOR_OTHER && values) assert_int_equal(safetensors_floats(values, e), OK);
        mem_free(values);
    }
    torch_file_free(f);
    return st;
}

static const struct safetensors_entry *find(const struct torch_file *f, const char *name) {
    for (size_t i = 0; i < torch_file_count(f); i++)
        if (!strcmp(torch_file_at(f, i)->name, name)) return torch_file_at(f, i);
    fail_msg("no tensor %s", name);
    return NULL;
}

static void check_floats(const struct torch_file *f, const char *name, size_t count, const float *want) {
    float got[12];
    const struct safetensors_entry *e = find(f, name);
    assert_int_equal(e->count, count);
    assert_int_equal(safetensors_floats(got, e), OK);
    for (size_t i = 0; i < count; i++)
        if (fabsf(got[i] - want[i]) > 0) fail_msg("%s[%zu] = %g, expected %g", name, i, (double)got[i], (double)want[i]);
}

static void both_formats_give_the_tensors(void **state) {
    (void)state;
    static const char *const files[] = { CORPUS "torch-zip", CORPUS "torch-legacy" };
    static const float whole[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    static const float turned[12] = { 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11 }, part[2] = { 6, 10 };
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        unsigned char *bytes = hostile_file(&len, files[i]);
        struct torch_file *f;
        if (torch_file_open(&f, bytes, len, files[i]) != OK) fail_msg("%s", fail_reason());
        assert_int_equal(torch_file_count(f), 8);
        check_floats(f, "whole", 12, whole);
        check_floats(f, "turned", 12, turned);
        assert_int_equal(find(f, "turned")->shape[0], 4);
        check_floats(f, "part", 2, part);
        check_floats(f, "half", 12, whole);
        assert_int_equal(find(f, "half")->type, TENSOR_F16);
        check_floats(f, "brain", 12, whole);
        assert_int_equal(find(f, "brain")->type, TENSOR_BF16);
        check_floats(f, "parameter", 4, whole);
        assert_string_equal(find(f, "steps")->type_name, "I64");
        assert_int_equal(find(f, "steps")->rank, 0);
        assert_int_equal(find(f, "empty")->count, 0);
        torch_file_free(f);
        hostile_prefixes(subject, bytes, len);
        hostile_allocations(subject, bytes, len, 6);
        hostile_mutations(subject, bytes, len, 8000, 4);
        mem_free(bytes);
    }
    assert_int_equal(mem_live(), 0);
}

static void a_module_is_refused_by_its_class(void **state) {
    (void)state;
    size_t len;
    unsigned char *bytes = hostile_file(&len, CORPUS "torch-scripts");
    assert_int_equal(subject(bytes, len), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "torch.nn.modules.linear.Linear"));
    mem_free(bytes);
}

/* --- archives made here --- */

struct entry { const char *name, *data; size_t len; };

static void number(struct buf *b, size_t bytes, uint64_t n) {
    for (size_t i = 0; i < bytes; i++) {
        char c = (char)(n >> (8 * i));
        buf_add(b, &c, 1);
    }
}

static uint32_t crc_of(const struct entry *e) { return (uint32_t)crc32(0, (const unsigned char *)e->data, (uInt)e->len); }

static void local_header(struct buf *b, const struct entry *e) {
    buf_add(b, "PK\3\4\24\0\0\0\0\0\0\0\0\0", 14);
    number(b, 4, crc_of(e));
    number(b, 4, e->len);
    number(b, 4, e->len);
    number(b, 2, strlen(e->name));
    number(b, 2, 0);
    buf_text(b, e->name);
    buf_add(b, e->data, e->len);
}

static void central_header(struct buf *b, const struct entry *e, size_t at) {
    buf_add(b, "PK\1\2\24\0\24\0\0\0\0\0\0\0\0\0", 16);
    number(b, 4, crc_of(e));
    number(b, 4, e->len);
    number(b, 4, e->len);
    number(b, 2, strlen(e->name));
    for (int i = 0; i < 4; i++) number(b, 2, 0);
    number(b, 4, 0);
    number(b, 4, at);
    buf_text(b, e->name);
}

static void end_record(struct buf *b, size_t count, size_t size, size_t at) {
    buf_add(b, "PK\5\6\0\0\0\0", 8);
    number(b, 2, count);
    number(b, 2, count);
    number(b, 4, size);
    number(b, 4, at);
    number(b, 2, 0);
}

static void make_zip(struct buf *b, const struct entry *e, size_t n, size_t places[]) {
    for (size_t i = 0; i < n; i++) {
        places[i] = b->len;
        local_header(b, &e[i]);
    }
    size_t directory = b->len;
    for (size_t i = 0; i < n; i++) central_header(b, &e[i], places[i]);
    end_record(b, n, b->len - directory, directory);
}

/* A state dict {"w": tensor [1]} whose storage is archive/data/0. */
#define PICKLE \
    "\x80\2}q\0X\1\0\0\0wq\1ctorch._utils\n_rebuild_tensor_v2\nq\2((X\7\0\0\0storageq\3ctorch\nFloatStorage\nq\4X\1\0\0\0" \
    "0q\5X\3\0\0\0cpuq\6K\1tq\7QK\0K\1\x85q\x08K\1\x85q\x09\x89Ntq\x0aRs."
static const struct entry GOOD[2] = { { "archive/data.pkl", PICKLE, sizeof PICKLE - 1 }, { "archive/data/0", "\0\0\x80?", 4 } };

static void expect(struct buf *b, const char *reason) {
    enum status st = subject((unsigned char *)b->data, b->len);
    if (!reason && st != OK) fail_msg("refused: %s", fail_reason());
    if (reason && (st != ERR_FORMAT || !strstr(fail_reason(), reason) || !strstr(fail_reason(), "t.bin")))
        fail_msg("expected '%s', got %d '%s'", reason, (int)st, fail_reason());
    buf_free(b);
}

/* The archive of GOOD with one byte string written over, counted from the start
 * of part (0: local header, 1: directory, 2: end) of entry i. */
static void edited(int part, size_t offset, const char *bytes, size_t n, const char *reason) {
    struct buf b = BUF_INIT;
    size_t places[2];
    make_zip(&b, GOOD, 2, places);
    size_t directory = b.len - 22 - 2 * 46 - strlen(GOOD[0].name) - strlen(GOOD[1].name);
    size_t from = part == 0 ? places[0] : part == 1 ? directory : b.len - 22;
    memcpy(b.data + from + offset, bytes, n);
    expect(&b, reason);
}

static void archives_with_tricks_are_refused_with_their_reason(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    size_t places[3];
    make_zip(&b, GOOD, 2, places);
    expect(&b, NULL);
    edited(1, 10, "\x08", 1, "archive/data.pkl is compressed");
    edited(0, 8, "\x08", 1, "archive/data.pkl is compressed in its own header");
    edited(1, 20, "\1\0", 2, "compressed");
    edited(1, 8, "\1", 1, "encrypted");
    edited(1, 20, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "past the end");
    edited(1, 42, "\xff\xff\xff\x7f", 4, "does not start where");
    edited(1, 42, "\1", 1, "does not start where");
    edited(1, 16, "\1\2\3\4", 4, "CRC");
    edited(1, 46, "b", 1, "another name");
    edited(1, 28, "\0\0", 2, "directory is damaged");
    edited(1, 0, "XX", 2, "directory is damaged");
    edited(2, 8, "\3\0\3\0", 4, "3 entries in a directory");
    edited(2, 10, "\xff\x0f", 2, "4095 entries");
    edited(2, 16, "\xff\xff\xff\x7f", 4, "directory goes past the end");
    edited(2, 4, "\1", 1, "several parts");
    edited(2, 0, "XX", 2, "without its directory");

    struct entry twice[3] = { GOOD[0], GOOD[1], GOOD[1] };
    make_zip(&b, twice, 3, places);
    expect(&b, "two entries are named archive/data/0");

    /* An entry inside another one's bytes, every checksum right. */
    struct buf inner = BUF_INIT;
    local_header(&inner, &GOOD[1]);
    struct entry outer[2] = { GOOD[0], { "archive/more", inner.data, inner.len } };
    for (size_t i = 0; i < 2; i++) {
        places[i] = b.len;
        local_header(&b, &outer[i]);
    }
    size_t directory = b.len;
    for (size_t i = 0; i < 2; i++) central_header(&b, &outer[i], places[i]);
    central_header(&b, &GOOD[1], directory - inner.len);
    end_record(&b, 3, b.len - directory, directory);
    expect(&b, "have bytes in common");
    buf_free(&inner);

    struct entry none[1] = { { "readme", "x", 1 } };
    make_zip(&b, none, 1, places);
    expect(&b, "without data.pkl");
    struct entry two[2] = { GOOD[0], { "other/data.pkl", "N.", 2 } };
    make_zip(&b, two, 2, places);
    expect(&b, "two data.pkl");
    struct entry big[3] = { GOOD[0], GOOD[1], { "archive/byteorder", "big", 3 } };
    make_zip(&b, big, 3, places);
    expect(&b, "byte order");
    struct entry lost[1] = { GOOD[0] };
    make_zip(&b, lost, 1, places);
    expect(&b, "tensor w: its storage 0 is not in the archive");
    struct entry small[2] = { GOOD[0], { "archive/data/0", "\0\0", 2 } };
    make_zip(&b, small, 2, places);
    expect(&b, "tensor w: its storage 0 has 2 bytes; 1 FloatStorage");
    struct entry list[1] = { { "archive/data.pkl", "]." , 2 } };
    make_zip(&b, list, 1, places);
    expect(&b, "a list; a state dict");
    struct entry text[1] = { { "archive/data.pkl", "}X\1\0\0\0kNs.", 10 } };
    make_zip(&b, text, 1, places);
    expect(&b, "\"k\" is None");
    assert_int_equal(mem_live(), 0);
}

/* PICKLE with other numbers where its offset, size and stride stand. */
static void tensors_outside_their_storage_are_refused(void **state) {
    (void)state;
    static const struct { char offset, size, stride; const char *reason; } bad[] = {
        { 1, 1, 1, "reaches to element 1 of a storage of 1" }, { 0, 2, 1, "reaches to element 1 of a storage of 1" },
        { 0, 3, 0, "3 elements in a storage of 1" }, { 0, 0, 1, NULL },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char pickle[sizeof PICKLE];
        size_t at = 0, places[2];
        struct buf b = BUF_INIT;
        memcpy(pickle, PICKLE, sizeof pickle);
        while (memcmp(pickle + at, "QK\0K\1", 5)) at++;
        pickle[at + 2] = bad[i].offset;
        pickle[at + 4] = bad[i].size;
        while (memcmp(pickle + at, "q\x08K\1", 4)) at++;
        pickle[at + 3] = bad[i].stride;
        struct entry e[2] = { { GOOD[0].name, pickle, sizeof PICKLE - 1 }, GOOD[1] };
        make_zip(&b, e, 2, places);
        expect(&b, bad[i].reason);
    }
}

/* Tensors that share a storage are fine, turned ones too, but not a hundred copies of it. */
static void turned_views_of_one_storage_are_bounded(void **state) {
    (void)state;
#define TURNED "\x80\2}q\0X\2\0\0\0wwq\1ctorch._utils\n_rebuild_tensor_v2\nq\2((X\7\0\0\0storageq\3ctorch\nFloatStorage\nq\4X\1\0\0\0" \
    "0q\5X\3\0\0\0cpuq\6M\0\x10tq\7QK\0K\x40K\x40\x86K\1K\x40\x86\x89Ntq\x08Rs"
    static const char zeros[4 * 4096];
    for (int n = 2; n <= 100; n += 98) {
        struct buf b = BUF_INIT, pickle = BUF_INIT;
        size_t places[2];
        buf_add(&pickle, TURNED, sizeof TURNED - 1);
        for (int i = 1; i < n; i++) {
            buf_add(&pickle, "X\2\0\0\0", 5);
            buf_printf(&pickle, "%02d", i);
            buf_text(&pickle, "h\2h\x08Rs");
        }
        buf_text(&pickle, ".");
        struct entry e[2] = { { GOOD[0].name, pickle.data, pickle.len }, { "archive/data/0", zeros, sizeof zeros } };
        make_zip(&b, e, 2, places);
        expect(&b, n == 2 ? NULL : "far more than the file has");
        buf_free(&pickle);
    }
    assert_int_equal(mem_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_give_the_tensors),
        cmocka_unit_test(a_module_is_refused_by_its_class),
        cmocka_unit_test(archives_with_tricks_are_refused_with_their_reason),
        cmocka_unit_test(tensors_outside_their_storage_are_refused),
        cmocka_unit_test(turned_views_of_one_storage_are_bounded),
    };
    return cmocka_run_group_tests_name("torch_file", tests, NULL, NULL);
}
