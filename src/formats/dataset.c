/* What every data set can do once it is open; see dataset.h. */
#include "dtrak/dataset.h"

#include "dataset_parts.h"
#include "dtrak/buf.h"
#include "dtrak/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const cifar_class_names[CIFAR_CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
};

enum status dataset_new(struct dataset **out, const char *kind, size_t train, size_t test,
                        size_t width_px, size_t height_px, size_t channels, const char *path) {
    *out = NULL;
    if (train > DATASET_ITEMS_MAX || test > DATASET_ITEMS_MAX - train)
        return fail(ERR_FORMAT, "%s: more than %zu pictures; that is the most that is read", path,
                    DATASET_ITEMS_MAX);
    struct dataset *ds = mem_array(1, sizeof *ds);
    if (!ds) return fail(ERR_NOMEM, "%s: out of memory", path);
    size_t count = train + test;
    ds->info = (struct dataset_info){ .count = count, .train = train, .test = test,
                                      .width_px = width_px, .height_px = height_px,
                                      .channels = channels, .kind = kind, .prepared = "" };
    ds->labels = mem_array(count, sizeof *ds->labels);
    ds->pixels = mem_array(count, width_px * height_px * channels);
    if (!ds->labels || !ds->pixels) {
        dataset_free(ds);
        return fail(ERR_NOMEM, "%s: no memory for %zu pictures of %zux%zu", path, count, width_px,
                    height_px);
    }
    *out = ds;
    return OK;
}

enum status dataset_name_labels(struct dataset *ds, const char *const *names, size_t count) {
    ds->names = mem_array(count, sizeof *ds->names);
    if (!ds->names) return fail(ERR_NOMEM, "out of memory for %zu labels", count);
    ds->info.labels = count;
    for (size_t i = 0; i < count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        ds->names[i] = mem_copy_string(names ? names[i] : number);
        if (!ds->names[i]) return fail(ERR_NOMEM, "out of memory for %zu labels", count);
    }
    return OK;
}

size_t dataset_item_size(const struct dataset *ds) {
    return ds->info.width_px * ds->info.height_px * ds->info.channels;
}

char *dataset_path(const char *dir, const char *name) {
    struct buf b = BUF_INIT;
    size_t n = strlen(dir);
    buf_printf(&b, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
    return buf_detach(&b);
}

int dataset_file_exists(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0;
}

void dataset_free(struct dataset *ds) {
    if (!ds) return;
    for (size_t i = 0; ds->names && i < ds->info.labels; i++) mem_free(ds->names[i]);
    for (size_t i = 0; ds->paths && i < ds->info.count; i++) mem_free(ds->paths[i]);
    mem_free(ds->names);
    mem_free(ds->paths);
    mem_free(ds->labels);
    mem_free(ds->pixels);
    mem_free(ds->root);
    mem_free(ds->skipped);
    mem_free(ds);
}

const struct dataset_info *dataset_info(const struct dataset *ds) { return &ds->info; }
size_t dataset_label(const struct dataset *ds, size_t i) { return ds->labels[i]; }

const char *dataset_label_name(const struct dataset *ds, size_t label) {
    return label < ds->info.labels ? ds->names[label] : "?";
}

size_t dataset_label_parse(const struct dataset *ds, const char *text) {
    for (size_t i = 0; i < ds->info.labels; i++)
        if (strcmp(ds->names[i], text) == 0) return i;
    char *end;
    if (text[0] < '0' || text[0] > '9') return ds->info.labels;
    unsigned long n = strtoul(text, &end, 10);
    return *end == 0 && n < ds->info.labels ? n : ds->info.labels;
}

enum dataset_split dataset_split(const struct dataset *ds, size_t i) {
    return i < ds->info.train ? DATASET_TRAIN : DATASET_TEST;
}

size_t dataset_origin(const struct dataset *ds, size_t i) {
    return i < ds->info.train ? i : i - ds->info.train;
}

void dataset_id(const struct dataset *ds, size_t i, char *out, size_t size) {
    if (ds->paths) snprintf(out, size, "%s", ds->paths[i]);
    else snprintf(out, size, "%s/%zu", i < ds->info.train ? "train" : "test",
                  dataset_origin(ds, i));
}

enum status dataset_pixels(const struct dataset *ds, size_t i, unsigned char *out) {
    if (i >= ds->info.count)
        return fail(ERR_RANGE, "picture %zu of %zu was asked for", i, ds->info.count);
    if (!ds->pixels) return folder_pixels(ds, i, out);
    size_t size = dataset_item_size(ds);
    memcpy(out, ds->pixels + i * size, size);
    return OK;
}
