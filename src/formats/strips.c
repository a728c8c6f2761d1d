/* CIFAR-10 as PNG strips: each pixel row of a strip is one 32x32 RGB image in
 * row-major order.  The label files' names are misspelt by their makers. */
#include "dtrak/dataset.h"

#include "dataset_parts.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <stdio.h>
#include <string.h>

#define ROW ((size_t)CIFAR_SIDE * CIFAR_SIDE)
#define TRAIN_LABELS "train_lables.json"
#define TEST_LABELS "test_lables.json"

/* The document of dir/name, checked to be an array of labels. */
static enum status read_labels(struct json_doc **out, const char *dir, const char *name,
                               int may_be_missing) {
    enum status st = OK;
    char *path = dataset_path(dir, name);

    *out = NULL;
    if (!path) return fail(ERR_NOMEM, "%s: out of memory", dir);
    if (may_be_missing && !dataset_file_exists(path)) goto done;
    TRY_TO(json_read(out, path));
    const struct json *v = json_root(*out);
    if (json_type(v) != JSON_ARRAY || json_len(v) == 0) {
        st = fail(ERR_FORMAT, "%s: an array of labels 0 to %d is expected", path,
                  CIFAR_CLASSES - 1);
        goto done;
    }
    for (size_t i = 0; i < json_len(v) && st == OK; i++) {
        int64_t label = json_int(json_at(v, i), -1);
        if (label < 0 || label >= CIFAR_CLASSES)
            st = fail(ERR_FORMAT, "%s: element %zu is no label 0 to %d", path, i,
                      CIFAR_CLASSES - 1);
    }
done:
    if (st != OK) { json_free(*out); *out = NULL; }
    mem_free(path);
    return st;
}

/* Copies dir/name's images to items at *item, which must stay within end. */
static enum status read_strip(struct dataset *ds, size_t *item, size_t end, const char *dir,
                              const char *name) {
    enum status st = OK;
    struct image im = { 0, 0, 0, NULL };
    char *path = dataset_path(dir, name);

    if (!path) return fail(ERR_NOMEM, "%s: out of memory", dir);
    TRY_TO(image_read(&im, path, 3));
    if (im.width_px != ROW || im.height_px > CIFAR_PER_BATCH) {
        st = fail(ERR_FORMAT, "%s: %zux%zu pixels; a strip is %zu wide and at most %d high", path,
                  im.width_px, im.height_px, ROW, CIFAR_PER_BATCH);
        goto done;
    }
    if (im.height_px > end - *item) {
        st = fail(ERR_FORMAT, "%s: %zu images, but labels for only %zu are left", path,
                  im.height_px, end - *item);
        goto done;
    }
    memcpy(ds->pixels + *item * 3 * ROW, im.pixels, im.height_px * 3 * ROW);
    *item += im.height_px;
done:
    image_free(&im);
    mem_free(path);
    return st;
}

/* Every strip that the labels need, and no label without its image. */
static enum status read_strips(struct dataset *ds, const char *dir) {
    size_t item = 0, train = ds->info.train, count = ds->info.count;
    for (int i = 1; item < train; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.png", i);
        TRY(read_strip(ds, &item, train, dir, name));
    }
    if (item < count) TRY(read_strip(ds, &item, count, dir, "test_batch.png"));
    if (item < count)
        return fail(ERR_FORMAT, "%s: test_batch.png has %zu images; " TEST_LABELS " has %zu "
                    "labels", dir, item - train, count - train);
    return OK;
}

static void copy_labels(struct dataset *ds, size_t at, const struct json *v) {
    for (size_t i = 0; i < json_len(v); i++)
        ds->labels[at + i] = (uint32_t)json_int(json_at(v, i), 0);
}

enum status dataset_open_strips(struct dataset **out, const char *dir) {
    enum status st = OK;
    struct json_doc *train = NULL, *test = NULL;
    struct dataset *ds = NULL;

    *out = NULL;
    TRY_TO(read_labels(&train, dir, TRAIN_LABELS, 0));
    TRY_TO(read_labels(&test, dir, TEST_LABELS, 1));
    size_t n_train = json_len(json_root(train)), n_test = json_len(json_root(test));
    if (n_train > 5 * CIFAR_PER_BATCH || n_test > CIFAR_PER_BATCH) {
        st = fail(ERR_FORMAT, "%s: %zu + %zu labels; CIFAR-10 has %d + %d", dir, n_train, n_test,
                  5 * CIFAR_PER_BATCH, CIFAR_PER_BATCH);
        goto done;
    }
    TRY_TO(dataset_new(&ds, "strips", n_train, n_test, CIFAR_SIDE, CIFAR_SIDE, 3, dir));
    copy_labels(ds, 0, json_root(train));
    copy_labels(ds, n_train, json_root(test));
    TRY_TO(read_strips(ds, dir));
    TRY_TO(dataset_name_labels(ds, cifar_class_names, CIFAR_CLASSES));
    *out = ds;
    ds = NULL;
done:
    json_free(train);
    json_free(test);
    dataset_free(ds);
    return st;
}
