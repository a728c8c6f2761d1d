/* dataset.h - labelled pictures of one size, whatever file format they came in.
 *
 * Items are numbered 0 .. count-1, training items first, in the order of the
 * files, so the numbering is stable.  Pixels are 8 bits, rows from the top,
 * interleaved, channels 1 or 3.  IDX, CIFAR and strips are held in memory;
 * a folder is listed at open and decoded item by item. */
#ifndef DTRAK_DATASET_H
#define DTRAK_DATASET_H

#include "dtrak/err.h"
#include "dtrak/image.h"

#include <stddef.h>

#define DATASET_ITEMS_MAX ((size_t)16 << 20)
#define DATASET_BYTES_MAX ((size_t)2 << 30)     /* of one file, inflated */

enum dataset_split { DATASET_TRAIN, DATASET_TEST };

struct dataset;
struct dataset_info {
    size_t count, train, test;             /* items */
    size_t width_px, height_px, channels;  /* of every item */
    size_t labels;                         /* labels are 0 .. labels-1 */
    size_t skipped;                        /* folder: entries that are no pictures, but for names with a dot first */
    const char *first_skipped;             /* the first of them by byte, relative to it; NULL: none */
    const char *kind;                      /* "idx", "cifar", "strips", "folder" */
    const char *prepared;                  /* folder: what was done, "shorter side to 32, ..." */
};

/* IDX images and labels, gzip or plain; the test pair may be NULL, NULL.
 * Ten labels get Fashion-MNIST's names when a path says fashion. */
enum status dataset_open_idx(struct dataset **out, const char *images, const char *labels,
                             const char *test_images, const char *test_labels);

/* A directory with data_batch_1.bin ... data_batch_5.bin, test_batch.bin (CIFAR-10's
 * binary form) and perhaps batches.meta.txt; missing later batches are fine, gaps are not. */
enum status dataset_open_cifar(struct dataset **out, const char *dir);

/* A directory with data_batch_1.png ... and train_lables.json, test_batch.png and
 * test_lables.json: each pixel row of a strip is one 32x32 RGB image. */
enum status dataset_open_strips(struct dataset **out, const char *dir);

/* A directory of sub-folders (their names are the labels, sorted by byte) with
 * PNG and JPEG files (sorted by path).  Each is made size x size by filter:
 * shorter side to size, centre crop; size 0 takes the first picture's size and
 * refuses others.  Grey becomes RGB, alpha is laid over white.  Links to
 * directories are not followed and count as skipped, names with a dot first are passed over.  Pictures directly in
 * dir get the label "unlabelled". */
enum status dataset_open_folder(struct dataset **out, const char *dir, size_t size,
                                enum image_filter filter);

void dataset_free(struct dataset *ds);
const struct dataset_info *dataset_info(const struct dataset *ds);

/* For i < count and label < labels. */
size_t dataset_label(const struct dataset *ds, size_t i);
const char *dataset_label_name(const struct dataset *ds, size_t label);
/* The label with that name or number ("5", "sandal"), or info->labels. */
size_t dataset_label_parse(const struct dataset *ds, const char *text);
enum dataset_split dataset_split(const struct dataset *ds, size_t i);
/* Where the item stands in its split of the source: 0, 1, ... */
size_t dataset_origin(const struct dataset *ds, size_t i);
/* The source's own name for it: "train/17", or a folder's relative path.
 * Writes at most size bytes with the 0. */
void dataset_id(const struct dataset *ds, size_t i, char *out, size_t size);

/* width * height * channels bytes into out.  Fails only for a folder. */
enum status dataset_pixels(const struct dataset *ds, size_t i, unsigned char *out);

#endif
