/* dataset_parts.h - what the readers of data sets share; private to formats/. */
#ifndef DTRAK_FORMATS_DATASET_PARTS_H
#define DTRAK_FORMATS_DATASET_PARTS_H

#include "dtrak/dataset.h"

#include <stdint.h>

struct dataset {
    struct dataset_info info;
    uint32_t *labels;            /* of every item */
    char **names;                /* of every label */
    unsigned char *pixels;       /* of every item; NULL for a folder */
    char prepared[64];
    /* a folder only */
    char *root, **paths;         /* paths relative to root, one per item */
    char *skipped;               /* info.first_skipped */
    enum image_filter filter;
    size_t size;                 /* 0: as the files are */
};

/* A new data set of that geometry with zeroed pixels and labels; on failure
 * *out is NULL. */
enum status dataset_new(struct dataset **out, const char *kind, size_t train, size_t test,
                        size_t width_px, size_t height_px, size_t channels, const char *path);

/* Names for labels 0 .. count-1; with names NULL they are called "0", "1", ... */
enum status dataset_name_labels(struct dataset *ds, const char *const *names, size_t count);

/* Bytes of one item. */
size_t dataset_item_size(const struct dataset *ds);

/* dir/name, to mem_free(); NULL when out of memory. */
char *dataset_path(const char *dir, const char *name);
int dataset_file_exists(const char *path);

/* IDX files in memory, already inflated; names are for messages. */
struct idx_bytes {
    const char *images_name, *labels_name;
    unsigned char *images, *labels;
    size_t images_len, labels_len;
};
/* test may be NULL; the bytes are copied. */
enum status idx_parse(struct dataset **out, const struct idx_bytes *train,
                      const struct idx_bytes *test);

#define CIFAR_CLASSES 10
#define CIFAR_SIDE 32
#define CIFAR_PER_BATCH 10000
extern const char *const cifar_class_names[CIFAR_CLASSES];

/* Pixels of item i of a folder. */
enum status folder_pixels(const struct dataset *ds, size_t i, unsigned char *out);

#endif
