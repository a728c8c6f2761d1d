/* Bytes as image; run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/image.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct image im, small;
    struct buf png = BUF_INIT;
    size_t w, h, n;
    /* Large pictures are only slow here: their limits have unit tests. */
    if (image_measure(&w, &h, &n, data, size, "fuzz") == OK && w * h > 1 << 16) return 0;
    if (image_decode(&im, data, size, size % 5 == 2 ? 0 : size % 5, "fuzz") == OK) {
        if (image_cover(&small, &im, 7, 5, IMAGE_MITCHELL) != OK) abort();
        if (image_encode_png(&png, &small) != OK) abort();
        image_free(&small);
        image_free(&im);
        if (image_decode(&im, png.data, png.len, 0, "fuzz") != OK) abort();
        image_free(&im);
    }
    buf_free(&png);
    return 0;
}
