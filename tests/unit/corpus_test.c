/* Every saved input of every fuzz target, as it is and damaged, through the
 * target itself: what libFuzzer once found stays found without it. */
#include "dtrak/err.h"
#include "dtrak/mem.h"

#include "../lib/hostile.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#undef fail

/* Each target under a name of its own. */
#define LLVMFuzzerTestOneInput fuzz_gzip
#include "../fuzz/gzip_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_idx
#include "../fuzz/idx_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_image
#include "../fuzz/image_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json
#include "../fuzz/json_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_pickle
#include "../fuzz/pickle_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_model
#include "../fuzz/model_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_npy
#include "../fuzz/npy_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_safetensors
#include "../fuzz/safetensors_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_bergson
#include "../fuzz/bergson_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_traker
#include "../fuzz/traker_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_csv
#include "../fuzz/csv_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_indices
#include "../fuzz/indices_fuzz.c"
#undef LLVMFuzzerTestOneInput

static int (*target)(const uint8_t *data, size_t size);

static enum status subject(const unsigned char *bytes, size_t len) {
    return target(bytes, len) == 0 ? OK : ERR_FORMAT;
}

static void replay(const char *name, int (*f)(const uint8_t *, size_t), size_t least) {
    char dir[64], path[400];
    size_t files = 0;
    snprintf(dir, sizeof dir, "tests/fuzz/corpus-%s", name);
    DIR *d = opendir(dir);
    assert_non_null(d);
    target = f;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        size_t len;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unsigned char *bytes = hostile_file(&len, path);
        assert_int_equal(subject(bytes, len), OK);
        hostile_mutations(subject, bytes, len, 500, 7);
        mem_free(bytes);
        files++;
    }
    closedir(d);
    assert_true(files >= least);
    assert_int_equal(mem_live(), 0);
}

static void saved_gzip_files_do_no_harm(void **s) { (void)s; replay("gzip", fuzz_gzip, 2); }
static void saved_idx_files_do_no_harm(void **s) { (void)s; replay("idx", fuzz_idx, 1); }
static void saved_pictures_do_no_harm(void **s) { (void)s; replay("image", fuzz_image, 13); }
static void saved_json_does_no_harm(void **s) { (void)s; replay("json", fuzz_json, 3); }
static void saved_models_do_no_harm(void **s) { (void)s; replay("model", fuzz_model, 3); }
static void saved_pickles_do_no_harm(void **s) { (void)s; replay("pickle", fuzz_pickle, 11); }
static void saved_npy_files_do_no_harm(void **s) { (void)s; replay("npy", fuzz_npy, 9); }
static void saved_words_of_bergson_do_no_harm(void **s) { (void)s; replay("bergson", fuzz_bergson, 3); }
static void saved_words_of_traker_do_no_harm(void **s) { (void)s; replay("traker", fuzz_traker, 3); }
static void saved_rankings_do_no_harm(void **s) { (void)s; replay("csv", fuzz_csv, 3); }
static void saved_lists_of_indices_do_no_harm(void **s) { (void)s; replay("indices", fuzz_indices, 2); }
static void saved_safetensors_do_no_harm(void **s) {
    (void)s;
    replay("safetensors", fuzz_safetensors, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_gzip_files_do_no_harm),
        cmocka_unit_test(saved_idx_files_do_no_harm),
        cmocka_unit_test(saved_pictures_do_no_harm),
        cmocka_unit_test(saved_json_does_no_harm),
        cmocka_unit_test(saved_models_do_no_harm),
        cmocka_unit_test(saved_npy_files_do_no_harm),
        cmocka_unit_test(saved_pickles_do_no_harm),
        cmocka_unit_test(saved_safetensors_do_no_harm),
        cmocka_unit_test(saved_words_of_bergson_do_no_harm),
        cmocka_unit_test(saved_words_of_traker_do_no_harm),
        cmocka_unit_test(saved_rankings_do_no_harm),
        cmocka_unit_test(saved_lists_of_indices_do_no_harm),
    };
    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
