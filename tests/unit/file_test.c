#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/mem.h"
#include "dtrak/new_folder.h"

#include "../lib/hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

static char root[64], path[128];

static int make_root(void **state) {
    (void)state;
    strcpy(root, "/tmp/dtrak-file-XXXXXX");
    if (!mkdtemp(root)) return -1;
    snprintf(path, sizeof path, "%s/f", root);
    return 0;
}

static int drop_root(void **state) {
    (void)state;
    unlink(path);
    /* Fails when a temporary file was left behind. */
    return rmdir(root) == 0 && mem_live() == 0 ? 0 : -1;
}

static void what_is_written_reads_back_and_replaces_what_was_there(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t len;
    struct stat sb;
    assert_int_equal(file_write(path, "old", 3), OK);
    assert_int_equal(file_write(path, "a\0b", 3), OK);
    assert_int_equal(file_read(&bytes, &len, path, 3), OK);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\0b", 4);
    mem_free(bytes);
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 0777, 0666 & ~mask);
    assert_int_equal(file_write(path, NULL, 0), OK);
    assert_int_equal(file_read(&bytes, &len, path, 0), OK);
    assert_int_equal(len, 0);
    mem_free(bytes);
}

static void caps_missing_files_and_odd_files_are_said(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t len;
    assert_int_equal(file_write(path, "1234", 4), OK);
    assert_int_equal(file_read(&bytes, &len, path, 3), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "4 bytes; at most 3"));
    assert_null(bytes);
    assert_int_equal(file_read(&bytes, &len, "/nonexistent/x", 3), ERR_MISSING);
    assert_int_equal(file_read(&bytes, &len, root, 3), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "directory"));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_read(&bytes, &len, path, 3), ERR_FORMAT);
    assert_int_equal(file_write(root, "x", 1), ERR_IO);
    assert_int_equal(file_write("/nonexistent/x", "x", 1), ERR_MISSING);
}

static void a_new_file_replaces_nothing(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t len;
    assert_int_equal(file_check_new(path), OK);
    assert_int_equal(file_write_new(path, "first", 5), OK);
    assert_int_equal(file_check_new(path), ERR_IO);
    assert_int_equal(file_write_new(path, "second", 6), ERR_IO);
    assert_non_null(strstr(fail_reason(), "exists already"));
    assert_int_equal(file_read(&bytes, &len, path, 100), OK);
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "first", 5);
    mem_free(bytes);
    unlink(path);
    assert_int_equal(symlink("nowhere", path), 0);   /* a link to nothing is something too */
    assert_int_equal(file_write_new(path, "third", 5), ERR_IO);
    assert_int_equal(file_check_new("/dev/null"), OK);   /* there is nothing to lose */
    assert_int_equal(file_write_new("/dev/null", "gone", 4), OK);
}

static void an_ending_says_what_is_written_or_nothing(void **state) {
    (void)state;
    static const char *const good[][2] = { { "a.png", "png" }, { "a.PNG", "png" }, { "dir.txt/a", "png" }, { ".txt", "png" }, { "a.txt.png", "png" },
                                           { "a", "html" }, { "a.htm", "html" }, { "a.txt", "csv" }, { "a.new", "tsv" }, { "gen.17", "json" } };
    static const char *const bad[][2] = { { "a.jpg", "png" }, { "b/a.Txt", "png" }, { "a.png.txt", "png" }, { "a.png", "html" }, { "a.csv", "json" },
                                          { "a.html", "csv" }, { "a.npy", "safetensors" }, { "a.txt", "html" } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_int_equal(file_check_ending(good[i][0], good[i][1]), OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(file_check_ending(bad[i][0], bad[i][1]), ERR_USAGE);
    assert_string_equal(fail_reason(), "a.txt: an HTML page is written, and the name says .txt; let it end with .html");
}

static enum status subject(const unsigned char *bytes, size_t len) {
    unsigned char *out;
    size_t n;
    enum status st = file_inflate(&out, &n, bytes, len, 200000, "t");
    mem_free(out);
    return st;
}

static void gzip_inflates_over_members_and_within_its_cap(void **state) {
    (void)state;
    size_t len, n;
    unsigned char *out, *bytes = hostile_file(&len, "tests/fuzz/corpus-gzip/two_members");
    assert_int_equal(file_inflate(&out, &n, bytes, len, 1000, "t"), OK);
    assert_int_equal(n, 16 + 24 + 8 + 3);
    assert_memory_equal(out + 40, "\0\0\x08\x01\0\0\0\x03\0\x09\x05", 11);
    mem_free(out);
    assert_int_equal(file_inflate(&out, &n, bytes, len, 51, "t"), OK);
    mem_free(out);
    assert_int_equal(file_inflate(&out, &n, bytes, len, 50, "t"), ERR_FORMAT);
    assert_non_null(strstr(fail_reason(), "more than 50 bytes"));
    mem_free(bytes);

    unsigned char *zeros = calloc(1, 100000), packed[2000];
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = zeros;
    z.avail_in = 100000;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t packed_len = z.total_out;
    deflateEnd(&z);
    free(zeros);
    assert_int_equal(file_inflate(&out, &n, packed, packed_len, 99999, "t"), ERR_FORMAT);
    assert_int_equal(file_inflate(&out, &n, packed, packed_len, 100000, "t"), OK);
    assert_int_equal(n, 100000);
    mem_free(out);
    assert_int_equal(file_write(path, packed, packed_len), OK);
    assert_int_equal(file_read_gz(&out, &n, path, 100000), OK);
    assert_int_equal(n, 100000);
    mem_free(out);
    assert_int_equal(file_read_gz(&out, &n, path, 5000), ERR_FORMAT);
    hostile_prefixes(subject, packed, packed_len);
    hostile_allocations(subject, packed, packed_len, 4);
    hostile_mutations(subject, packed, packed_len, 3000, 6);
}

static void a_link_stays_a_pipe_is_written_to_a_database_is_kept(void **state) {
    (void)state;
    char link[80], got[8] = "";
    struct stat sb;
    int ends[2];
    snprintf(link, sizeof link, "%s/link", root);
    assert_int_equal(file_write(path, "old", 3), OK);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(file_write(link, "new!", 4), OK);
    assert_int_equal(lstat(link, &sb), 0);
    assert_true(S_ISLNK(sb.st_mode));
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_size, 4);
    unlink(link);
    assert_int_equal(file_write(path, "SQLite format 3", 16), OK);
    assert_int_equal(file_write(path, "picture", 7), ERR_IO);
    assert_non_null(strstr(fail_reason(), "is a database"));
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_size, 16);
    assert_int_equal(pipe(ends), 0);
    snprintf(link, sizeof link, "/proc/self/fd/%d", ends[1]);
    assert_int_equal(file_write(link, "piped", 5), OK);
    assert_int_equal(read(ends[0], got, sizeof got), 5);
    assert_string_equal(got, "piped");
    close(ends[0]);
    close(ends[1]);
}

/* An export that replaces an earlier one may take hours. */
static void what_came_into_the_old_folder_meanwhile_is_kept(void **state) {
    (void)state;
    struct new_folder f;
    struct buf members = BUF_INIT;
    char dir[80], name[NEW_FOLDER_PATH];
    snprintf(dir, sizeof dir, "%s/folder", root);
    buf_text(&members, "\"format\":1");
    for (int again = 0; again < 3; again++) {
        assert_int_equal(new_folder_begin(&f, dir, again), OK);
        assert_int_equal(new_folder_path(&f, "a.npy", name), OK);
        assert_int_equal(file_write(name, "x", 1), OK);
        snprintf(name, sizeof name, "%s/mine.txt", dir);
        if (again == 2) assert_int_equal(file_write(name, "x", 1), OK);
        assert_int_equal(new_folder_end(&f, &members), again == 2 ? ERR_IO : OK);
        new_folder_close(&f);
        assert_int_not_equal(access(name, F_OK), 0);
    }
    assert_non_null(strstr(fail_reason(), "is kept as"));
    snprintf(name, sizeof name, "%s.old-%ld/mine.txt", dir, (long)getpid());
    assert_int_equal(access(name, F_OK), 0);
    buf_free(&members);
    snprintf(name, sizeof name, "rm -r '%s' '%s.old-%ld'", dir, dir, (long)getpid());
    assert_int_equal(system(name), 0);
}

#define IN_ROOT(f) cmocka_unit_test_setup_teardown(f, make_root, drop_root)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_ROOT(what_is_written_reads_back_and_replaces_what_was_there),
        IN_ROOT(a_new_file_replaces_nothing),
        IN_ROOT(an_ending_says_what_is_written_or_nothing),
        IN_ROOT(caps_missing_files_and_odd_files_are_said),
        IN_ROOT(a_link_stays_a_pipe_is_written_to_a_database_is_kept),
        IN_ROOT(what_came_into_the_old_folder_meanwhile_is_kept),
        IN_ROOT(gzip_inflates_over_members_and_within_its_cap),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
