/* Bytes as a pair of IDX files: four bytes say how long the first one is. */
#include "dtrak/mem.h"

#include "../../src/formats/dataset_parts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4) return 0;
    size_t first = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
    if (first > size - 4) first = size - 4;
    struct idx_bytes b = { .images_name = "images", .labels_name = "labels",
                           .images_len = first, .labels_len = size - 4 - first };
    b.images = malloc(b.images_len + 1);
    b.labels = malloc(b.labels_len + 1);
    struct dataset *ds;
    if (b.images && b.labels) {
        memcpy(b.images, data + 4, b.images_len);
        memcpy(b.labels, data + 4 + first, b.labels_len);
        if (idx_parse(&ds, &b, &b) == OK) {
            const struct dataset_info *info = dataset_info(ds);
            unsigned char *pixels = mem_array(info->width_px, info->height_px);
            for (size_t i = 0; pixels && i < info->count; i++)
                if (dataset_pixels(ds, i, pixels) != OK || dataset_label(ds, i) >= info->labels)
                    abort();
            mem_free(pixels);
            dataset_free(ds);
        }
    }
    free(b.images);
    free(b.labels);
    return 0;
}
