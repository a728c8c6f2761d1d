/* IDX, the format of MNIST and Fashion-MNIST, gzip or plain.
 *
 * Images: 00 00 08 03, count, rows, columns, then bytes; labels: 00 00 08 01,
 * count, then bytes; all numbers 32 bits, big-endian. */
#include "dtrak/dataset.h"

#include "dataset_parts.h"
#include "dtrak/file.h"
#include "dtrak/mem.h"

#include <string.h>
#include <strings.h>

static const char *const fashion_names[10] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot"
};

/* One split as it lies in its two files. */
struct pair {
    const char *images_name, *labels_name;
    const unsigned char *images, *labels;
    size_t images_len, labels_len;
    size_t count, rows, cols;
};

static size_t be32(const unsigned char *p) {
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Checks magic and dims numbers after it; what says what the file should be. */
static enum status check_head(const unsigned char *p, size_t len, unsigned char dims,
                              const char *what, const char *path) {
    if (len < 4 + 4 * (size_t)dims)
        return fail(ERR_FORMAT, "%s: %zu bytes; an IDX file of %s starts with %d", path, len, what,
                    4 + 4 * dims);
    if (p[0] || p[1] || p[2] != 8 || p[3] != dims)
        return fail(ERR_FORMAT, "%s: starts with %02x %02x %02x %02x; an IDX file of %s starts "
                    "with 00 00 08 %02x", path, p[0], p[1], p[2], p[3], what, dims);
    return OK;
}

static enum status check_pair(struct pair *q) {
    TRY(check_head(q->images, q->images_len, 3, "images", q->images_name));
    q->count = be32(q->images + 4);
    q->rows = be32(q->images + 8);
    q->cols = be32(q->images + 12);
    if (q->count < 1 || q->count > DATASET_ITEMS_MAX || q->rows < 1 || q->rows > IMAGE_SIDE_MAX
        || q->cols < 1 || q->cols > IMAGE_SIDE_MAX)
        return fail(ERR_FORMAT, "%s: %zu images of %zux%zu; 1 to %zu with sides of 1 to %u are "
                    "read", q->images_name, q->count, q->cols, q->rows, DATASET_ITEMS_MAX,
                    IMAGE_SIDE_MAX);
    size_t have = q->images_len - 16, size = q->rows * q->cols;
    if (have / size != q->count || have % size)
        return fail(ERR_FORMAT, "%s: %zu bytes of pixels; the header promises %zu images of "
                    "%zux%zu", q->images_name, have, q->count, q->cols, q->rows);
    TRY(check_head(q->labels, q->labels_len, 1, "labels", q->labels_name));
    size_t labels = q->labels_len - 8;
    if (be32(q->labels + 4) != labels)
        return fail(ERR_FORMAT, "%s: %zu bytes of labels; the header promises %zu",
                    q->labels_name, labels, be32(q->labels + 4));
    if (labels != q->count)
        return fail(ERR_FORMAT, "%s: %zu labels; %s has %zu images", q->labels_name, labels,
                    q->images_name, q->count);
    return OK;
}

static enum status copy_pair(struct dataset *ds, struct pair *q, size_t at, size_t *labels) {
    size_t size = q->rows * q->cols;
    if (q->rows != ds->info.height_px || q->cols != ds->info.width_px)
        return fail(ERR_FORMAT, "%s: images of %zux%zu; those for training are %zux%zu",
                    q->images_name, q->cols, q->rows, ds->info.width_px, ds->info.height_px);
    memcpy(ds->pixels + at * size, q->images + 16, q->count * size);
    for (size_t i = 0; i < q->count; i++) {
        ds->labels[at + i] = q->labels[8 + i];
        if (ds->labels[at + i] >= *labels) *labels = ds->labels[at + i] + 1;
    }
    return OK;
}

static int says_fashion(const char *path) {
    for (; *path; path++)
        if (strncasecmp(path, "fashion", 7) == 0) return 1;
    return 0;
}

enum status idx_parse(struct dataset **out, const struct idx_bytes *train,
                      const struct idx_bytes *test) {
    enum status st = OK;
    struct pair a = { 0 }, b = { 0 };
    struct dataset *ds = NULL;
    size_t n_labels = 0;

    *out = NULL;
    a = (struct pair){ train->images_name, train->labels_name, train->images, train->labels,
                       train->images_len, train->labels_len, 0, 0, 0 };
    TRY_TO(check_pair(&a));
    if (test) {
        b = (struct pair){ test->images_name, test->labels_name, test->images, test->labels,
                           test->images_len, test->labels_len, 0, 0, 0 };
        TRY_TO(check_pair(&b));
    }
    TRY_TO(dataset_new(&ds, "idx", a.count, b.count, a.cols, a.rows, 1, a.images_name));
    TRY_TO(copy_pair(ds, &a, 0, &n_labels));
    if (test) TRY_TO(copy_pair(ds, &b, a.count, &n_labels));
    int fashion = n_labels == 10 && (says_fashion(a.images_name) || says_fashion(a.labels_name));
    TRY_TO(dataset_name_labels(ds, fashion ? fashion_names : NULL, n_labels));
    *out = ds;
    ds = NULL;
done:
    dataset_free(ds);
    return st;
}

/* The two files of one split; freed by the caller also after a failure. */
static enum status read_files(struct idx_bytes *q, const char *images, const char *labels) {
    q->images_name = images;
    q->labels_name = labels;
    TRY(file_read_gz(&q->images, &q->images_len, images, DATASET_BYTES_MAX));
    return file_read_gz(&q->labels, &q->labels_len, labels, DATASET_ITEMS_MAX + 8);
}

enum status dataset_open_idx(struct dataset **out, const char *images, const char *labels,
                             const char *test_images, const char *test_labels) {
    enum status st = OK;
    struct idx_bytes train = { 0 }, test = { 0 };

    *out = NULL;
    if (!images || !labels || !test_images != !test_labels)
        return fail(ERR_RANGE, "IDX: an images file and a labels file belong together; one of "
                    "them is not given");
    TRY_TO(read_files(&train, images, labels));
    if (test_images) TRY_TO(read_files(&test, test_images, test_labels));
    st = idx_parse(out, &train, test_images ? &test : NULL);
done:
    mem_free(train.images);
    mem_free(train.labels);
    mem_free(test.images);
    mem_free(test.labels);
    return st;
}
