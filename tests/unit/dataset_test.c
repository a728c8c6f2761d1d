#include "dtrak/dataset.h"
#include "dtrak/file.h"
#include "dtrak/mem.h"

#include "../../src/formats/dataset_parts.h"
#include "../lib/hostile.h"
#include "../lib/store_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *name, const void *bytes, size_t len) {
    if (file_write(rig_path(name), bytes, len) != OK) fail_msg("%s", fail_reason());
}

static void reason_has(const char *text) {
    if (!strstr(fail_reason(), text)) fail_msg("\"%s\" lacks \"%s\"", fail_reason(), text);
}

/* --- IDX --- */

/* count images of 2x3 whose pixels count up from first, labels i * 3 % 10. */
static void put_idx(const char *images, const char *labels, unsigned char count,
                    unsigned char first) {
    unsigned char im[16 + 6 * 255] = { 0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3 };
    unsigned char la[8 + 255] = { 0, 0, 8, 1, 0, 0, 0, count };
    for (size_t i = 0; i < 6u * count; i++) im[16 + i] = (unsigned char)(first + i);
    for (size_t i = 0; i < count; i++) la[8 + i] = (unsigned char)(i * 3 % 10);
    put(images, im, 16 + 6u * count);
    put(labels, la, 8u + count);
}

static void idx_pairs_read_as_train_and_test(void **state) {
    (void)state;
    struct dataset *ds;
    unsigned char px[6];
    char id[32];
    put_idx("fashion-i", "l", 20, 0);
    put_idx("ti", "tl", 3, 100);
    if (dataset_open_idx(&ds, rig_path("fashion-i"), rig_path("l"), rig_path("ti"), rig_path("tl")))
        fail_msg("%s", fail_reason());
    const struct dataset_info *info = dataset_info(ds);
    assert_int_equal(info->count, 23);
    assert_int_equal(info->train, 20);
    assert_int_equal(info->test, 3);
    assert_true(info->width_px == 3 && info->height_px == 2 && info->channels == 1);
    assert_int_equal(info->labels, 10);
    assert_int_equal(dataset_label(ds, 3), 9);
    assert_string_equal(dataset_label_name(ds, 9), "Ankle boot");
    assert_int_equal(dataset_label_parse(ds, "Sandal"), 5);
    assert_int_equal(dataset_label_parse(ds, "5"), 5);
    assert_int_equal(dataset_label_parse(ds, "10"), 10);
    assert_int_equal(dataset_label_parse(ds, "boat"), 10);
    assert_int_equal(dataset_split(ds, 19), DATASET_TRAIN);
    assert_int_equal(dataset_split(ds, 20), DATASET_TEST);
    assert_int_equal(dataset_origin(ds, 21), 1);
    dataset_id(ds, 21, id, sizeof id);
    assert_string_equal(id, "test/1");
    assert_int_equal(dataset_pixels(ds, 21, px), OK);
    for (int k = 0; k < 6; k++) assert_int_equal(px[k], 106 + k);
    assert_int_equal(dataset_pixels(ds, 23, px), ERR_RANGE);
    dataset_free(ds);
}

static void gzip_is_undone_on_the_way(void **state) {
    (void)state;
    struct dataset *ds;
    size_t len;
    unsigned char labels[11] = { 0, 0, 8, 1, 0, 0, 0, 3, 0, 9, 5 }, px[8];
    unsigned char *gz = hostile_file(&len, "tests/fuzz/corpus-gzip/images");
    put("i.gz", gz, len);
    put("l", labels, sizeof labels);
    assert_int_equal(dataset_open_idx(&ds, rig_path("i.gz"), rig_path("l"), NULL, NULL), OK);
    assert_int_equal(dataset_pixels(ds, 2, px), OK);
    assert_int_equal(px[7], 23);
    assert_string_equal(dataset_label_name(ds, 9), "9");
    dataset_free(ds);
    put("i.gz", gz, len - 5);
    assert_int_equal(dataset_open_idx(&ds, rig_path("i.gz"), rig_path("l"), NULL, NULL), ERR_FORMAT);
    reason_has("i.gz");
    mem_free(gz);
}

static void idx_files_that_disagree_are_refused(void **state) {
    (void)state;
    struct dataset *ds;
    put_idx("i4", "l4", 4, 0);
    put_idx("i5", "l5", 5, 0);
    assert_int_equal(dataset_open_idx(&ds, rig_path("i4"), rig_path("l5"), NULL, NULL), ERR_FORMAT);
    reason_has("5 labels");
    assert_int_equal(dataset_open_idx(&ds, rig_path("l4"), rig_path("i4"), NULL, NULL), ERR_FORMAT);
    reason_has("l4");
    assert_int_equal(dataset_open_idx(&ds, rig_path("i4"), rig_path("none"), NULL, NULL), ERR_MISSING);
    assert_int_equal(dataset_open_idx(&ds, rig_path("i4"), rig_folder(), NULL, NULL), ERR_FORMAT);
    reason_has("directory");
    assert_int_equal(dataset_open_idx(&ds, rig_path("i4"), rig_path("l4"), rig_path("i5"), NULL),
                     ERR_RANGE);
    assert_null(ds);
}

/* The seed: four bytes of length, images, labels. */
static enum status idx_subject(const unsigned char *bytes, size_t len) {
    struct dataset *ds;
    size_t first = len < 4 ? 0 : (size_t)bytes[0] | (size_t)bytes[1] << 8;
    if (len < 4 || first > len - 4) return (fail)(ERR_FORMAT, "no pair");
    struct idx_bytes b = { "i", "l", malloc(first + 1), malloc(len - 3 - first), first,
                           len - 4 - first };
    memcpy(b.images, bytes + 4, first);
    memcpy(b.labels, bytes + 4 + first, b.labels_len);
    enum status st = idx_parse(&ds, &b, NULL);
    free(b.images);
    free(b.labels);
    if (st == OK) dataset_free(ds);
    return st;
}

static void short_damaged_and_starved_idx_is_refused(void **state) {
    (void)state;
    size_t len;
    unsigned char *bytes = hostile_file(&len, "tests/fuzz/corpus-idx/three");
    hostile_prefixes(idx_subject, bytes, len);
    hostile_allocations(idx_subject, bytes, len, 5);
    hostile_mutations(idx_subject, bytes, len, 6000, 4);
    mem_free(bytes);
}

/* --- CIFAR --- */

#define RECORD 3073

/* Channel c of pixel i of record r is r + 3 i + c. */
static void put_batch(const char *name, size_t count, size_t cut) {
    unsigned char *b = calloc(count, RECORD);
    for (size_t r = 0; r < count; r++) {
        b[r * RECORD] = (unsigned char)(r % 10);
        for (size_t i = 0; i < 1024; i++)
            for (size_t c = 0; c < 3; c++)
                b[r * RECORD + 1 + c * 1024 + i] = (unsigned char)(r + 3 * i + c);
    }
    put(name, b, count * RECORD - cut);
    free(b);
}

static void cifar_planes_become_interleaved_pixels(void **state) {
    (void)state;
    struct dataset *ds;
    unsigned char px[3072];
    put_batch("data_batch_1.bin", 12, 0);
    put_batch("data_batch_2.bin", 3, 0);
    put_batch("test_batch.bin", 2, 0);
    if (dataset_open_cifar(&ds, rig_folder()) != OK) fail_msg("%s", fail_reason());
    assert_true(dataset_info(ds)->train == 15 && dataset_info(ds)->test == 2);
    assert_int_equal(dataset_info(ds)->channels, 3);
    assert_int_equal(dataset_pixels(ds, 14, px), OK);
    for (size_t i = 0; i < 3072; i++) assert_int_equal(px[i], (2 + i) & 255);
    assert_int_equal(dataset_label(ds, 11), 1);
    assert_string_equal(dataset_label_name(ds, 1), "automobile");
    dataset_free(ds);
    static const char meta[] = "a\nb\r\nc\nd\ne\nf\ng\nh\ni\njay\n\n";
    put("batches.meta.txt", meta, sizeof meta - 1);
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), OK);
    assert_string_equal(dataset_label_name(ds, 1), "b");
    assert_string_equal(dataset_label_name(ds, 9), "jay");
    dataset_free(ds);
    put("batches.meta.txt", meta, 6);
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), ERR_FORMAT);
    reason_has("class names");
}

static void bad_cifar_batches_are_refused(void **state) {
    (void)state;
    struct dataset *ds;
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), ERR_MISSING);
    reason_has("data_batch_1.bin");
    put_batch("data_batch_1.bin", 2, 1);
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), ERR_FORMAT);
    reason_has("6145 bytes");
    put_batch("data_batch_1.bin", 2, 0);
    put_batch("data_batch_3.bin", 2, 0);
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), ERR_FORMAT);
    reason_has("data_batch_2.bin is missing");
    unsigned char wrong[RECORD] = { 10 };
    put("data_batch_2.bin", wrong, sizeof wrong);
    assert_int_equal(dataset_open_cifar(&ds, rig_folder()), ERR_FORMAT);
    reason_has("label 10");
    assert_int_equal(dataset_open_cifar(&ds, "/nonexistent"), ERR_MISSING);
}

/* --- strips --- */

static void put_strip(const char *name, size_t width, size_t count, unsigned char first) {
    struct image im;
    struct buf b = BUF_INIT;
    assert_int_equal(image_new(&im, width, count, 3), OK);
    for (size_t i = 0; i < width * count * 3; i++)
        im.pixels[i] = (unsigned char)(first + i / (3 * width) + i % (3 * width));
    assert_int_equal(image_encode_png(&b, &im), OK);
    put(name, b.data, b.len);
    image_free(&im);
    buf_free(&b);
}

static void each_row_of_a_strip_is_a_picture(void **state) {
    (void)state;
    struct dataset *ds;
    unsigned char px[3072];
    put_strip("data_batch_1.png", 1024, 3, 0);
    put_strip("data_batch_2.png", 1024, 2, 50);
    put_strip("test_batch.png", 1024, 1, 90);
    put("train_lables.json", "[0,1,2,7,9]", 11);
    put("test_lables.json", "[8]", 3);
    if (dataset_open_strips(&ds, rig_folder()) != OK) fail_msg("%s", fail_reason());
    assert_true(dataset_info(ds)->train == 5 && dataset_info(ds)->test == 1);
    assert_int_equal(dataset_pixels(ds, 4, px), OK);
    for (size_t i = 0; i < 3072; i++) assert_int_equal(px[i], (51 + i) & 255);
    assert_int_equal(dataset_pixels(ds, 5, px), OK);
    assert_int_equal(px[0], 90);
    assert_string_equal(dataset_label_name(ds, dataset_label(ds, 3)), "horse");
    assert_int_equal(dataset_label(ds, 5), 8);
    dataset_free(ds);
}

static void strips_and_labels_that_disagree_are_refused(void **state) {
    (void)state;
    struct dataset *ds;
    static const struct { const char *labels, *test, *reason; } bad[] = {
        { "[0,1]", NULL, "3 images, but labels for only 2" },
        { "[0,1,2,3]", NULL, "data_batch_2.png" }, { "[0,1,10]", NULL, "element 2" },
        { "[0,1,2.5]", NULL, "element 2" }, { "{}", NULL, "array of labels" },
        { "[0,1,2", NULL, "train_lables.json" }, { "[0,1,2]", "[1]", "test_batch.png" },
    };
    put_strip("data_batch_1.png", 1024, 3, 0);
    assert_int_equal(dataset_open_strips(&ds, rig_folder()), ERR_MISSING);
    reason_has("train_lables.json");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("train_lables.json", bad[i].labels, strlen(bad[i].labels));
        if (bad[i].test) put("test_lables.json", bad[i].test, strlen(bad[i].test));
        assert_int_not_equal(dataset_open_strips(&ds, rig_folder()), OK);
        reason_has(bad[i].reason);
    }
    put_strip("test_batch.png", 1000, 1, 0);
    assert_int_equal(dataset_open_strips(&ds, rig_folder()), ERR_FORMAT);
    reason_has("1000x1 pixels; a strip is 1024 wide");
    put("test_lables.json", "[1,2]", 5);
    put_strip("test_batch.png", 1024, 1, 0);
    assert_int_equal(dataset_open_strips(&ds, rig_folder()), ERR_FORMAT);
    reason_has("1 images; test_lables.json has 2");
}

/* --- folder --- */

static void put_flat(const char *name, size_t w, size_t h, unsigned char value) {
    struct image im;
    struct buf b = BUF_INIT;
    assert_int_equal(image_new(&im, w, h, 1), OK);
    memset(im.pixels, value, w * h);
    assert_int_equal(image_encode_png(&b, &im), OK);
    put(name, b.data, b.len);
    image_free(&im);
    buf_free(&b);
}

static void make_folders(void) {
    mkdir(rig_path("b"), 0700);
    mkdir(rig_path("b-c"), 0700);
    mkdir(rig_path("b/deep"), 0700);
    put_flat("b-c/1.png", 20, 10, 30);
    put_flat("b/2.PNG", 8, 8, 20);
    put_flat("b/deep/1.png", 9, 12, 10);
    put_flat("top.png", 8, 8, 40);
    put("b/notes.txt", "x", 1);
    put("b/.hidden.png", "x", 1);
    assert_int_equal(symlink("..", rig_path("b/loop")), 0);
    assert_int_equal(symlink("2.PNG", rig_path("b/link.png")), 0);
}

static void a_folder_is_listed_in_a_stable_order_and_says_what_it_skipped(void **state) {
    (void)state;
    static const char *const ids[] = { "b/2.PNG", "b/deep/1.png", "b/link.png", "b-c/1.png",
                                       "top.png" };
    static const unsigned char values[] = { 20, 10, 20, 30, 40 };
    static const size_t labels[] = { 0, 0, 0, 1, 2 };
    struct dataset *ds;
    unsigned char px[4 * 4 * 3];
    make_folders();
    if (dataset_open_folder(&ds, rig_folder(), 4, IMAGE_MITCHELL) != OK) fail_msg("%s", fail_reason());
    const struct dataset_info *info = dataset_info(ds);
    assert_int_equal(info->count, 5);
    assert_int_equal(info->skipped, 2);
    assert_string_equal(info->first_skipped, "b/loop");
    assert_true(info->width_px == 4 && info->height_px == 4 && info->channels == 3);
    assert_int_equal(info->labels, 3);
    assert_string_equal(info->prepared, "shorter side to 4 by mitchell, centre crop");
    for (size_t i = 0; i < 5; i++) {
        char id[64];
        dataset_id(ds, i, id, sizeof id);
        assert_string_equal(id, ids[i]);
        assert_int_equal(dataset_label(ds, i), labels[i]);
        assert_int_equal(dataset_pixels(ds, i, px), OK);
        for (size_t k = 0; k < sizeof px; k++) assert_int_equal(px[k], values[i]);
    }
    assert_string_equal(dataset_label_name(ds, 1), "b-c");
    assert_string_equal(dataset_label_name(ds, 2), "unlabelled");
    dataset_free(ds);
}

static void pictures_of_other_sizes_need_a_size(void **state) {
    (void)state;
    struct dataset *ds;
    unsigned char px[8 * 8 * 3];
    make_folders();
    assert_int_equal(dataset_open_folder(&ds, rig_folder(), 0, IMAGE_BOX), OK);
    assert_int_equal(dataset_info(ds)->width_px, 8);
    assert_int_equal(dataset_pixels(ds, 0, px), OK);
    assert_int_equal(dataset_pixels(ds, 1, px), ERR_FORMAT);
    reason_has("b/deep/1.png: 9x12");
    dataset_free(ds);
    put("b/2.PNG", "no picture", 10);
    assert_int_equal(dataset_open_folder(&ds, rig_folder(), 0, IMAGE_BOX), ERR_FORMAT);
    reason_has("b/2.PNG");
    mkdir(rig_path("empty"), 0700);
    assert_int_equal(dataset_open_folder(&ds, rig_path("empty"), 4, IMAGE_BOX), ERR_FORMAT);
    reason_has("no .png");
    assert_int_equal(dataset_open_folder(&ds, rig_path("none"), 4, IMAGE_BOX), ERR_MISSING);
}

static void folders_nested_too_deep_are_refused(void **state) {
    (void)state;
    struct dataset *ds;
    char path[256];
    snprintf(path, sizeof path, "%s", rig_folder());
    for (int i = 0; i < 18; i++) {
        strcat(path, "/d");
        mkdir(path, 0700);
    }
    assert_int_equal(dataset_open_folder(&ds, rig_folder(), 4, IMAGE_BOX), ERR_FORMAT);
    reason_has("deeper than 16");
}

/* --- all --- */

static enum status open_kind(struct dataset **ds, int kind) {
    if (kind == 0)
        return dataset_open_idx(ds, rig_path("i"), rig_path("l"), rig_path("i"), rig_path("l"));
    if (kind == 1) return dataset_open_cifar(ds, rig_folder());
    if (kind == 2) return dataset_open_strips(ds, rig_folder());
    return dataset_open_folder(ds, rig_folder(), 0, IMAGE_BOX);
}

static void every_allocation_may_fail_and_nothing_leaks(void **state) {
    (void)state;
    put_idx("i", "l", 2, 0);
    put_batch("data_batch_1.bin", 1, 0);
    put_strip("data_batch_1.png", 1024, 1, 0);
    put("train_lables.json", "[3]", 3);
    make_folders();
    for (int kind = 0; kind < 4; kind++) {
        unsigned char px[4096];
        enum status st = ERR_NOMEM;
        long n = 0;
        for (; st != OK; n++) {
            struct dataset *ds = NULL;
            assert_true(n < 1000);
            mem_fail_after(n);
            st = open_kind(&ds, kind);
            if (st == OK && kind != 3) st = dataset_pixels(ds, 0, px);
            mem_fail_after(-1);
            dataset_free(ds);
            if (st != OK && st != ERR_NOMEM) fail_msg("%d: %d %s", kind, (int)st, fail_reason());
            assert_int_equal(mem_live(), 0);
        }
        assert_true(n > 8);
    }
}

#define IN_A_FOLDER(f) cmocka_unit_test_teardown(f, rig_end)   /* of its own */

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(idx_pairs_read_as_train_and_test),
        IN_A_FOLDER(gzip_is_undone_on_the_way),
        IN_A_FOLDER(idx_files_that_disagree_are_refused),
        IN_A_FOLDER(short_damaged_and_starved_idx_is_refused),
        IN_A_FOLDER(cifar_planes_become_interleaved_pixels),
        IN_A_FOLDER(bad_cifar_batches_are_refused),
        IN_A_FOLDER(each_row_of_a_strip_is_a_picture),
        IN_A_FOLDER(strips_and_labels_that_disagree_are_refused),
        IN_A_FOLDER(a_folder_is_listed_in_a_stable_order_and_says_what_it_skipped),
        IN_A_FOLDER(pictures_of_other_sizes_need_a_size),
        IN_A_FOLDER(folders_nested_too_deep_are_refused),
        IN_A_FOLDER(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
