/* CIFAR-10's binary form: records of one label byte and 32x32 bytes each of
 * red, green and blue. */
#include "dtrak/dataset.h"

#include "dataset_parts.h"
#include "dtrak/file.h"
#include "dtrak/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PLANE ((size_t)CIFAR_SIDE * CIFAR_SIDE)
#define RECORD (1 + 3 * PLANE)
#define FILES 6

/* A file that is there: where, and how many records its size makes. */
struct batch { char *path; size_t count; };

static enum status measure_batch(struct batch *b) {
    struct stat sb;
    if (stat(b->path, &sb) != 0)
        return fail(errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_IO, "%s: %s", b->path,
                    strerror(errno));
    size_t len = (size_t)sb.st_size;
    if (len == 0 || len % RECORD || len / RECORD > CIFAR_PER_BATCH)
        return fail(ERR_FORMAT, "%s: %zu bytes; a CIFAR-10 batch has 1 to %d records of %zu",
                    b->path, len, CIFAR_PER_BATCH, RECORD);
    b->count = len / RECORD;
    return OK;
}

/* Finds the files in the order of items: five for training, one for testing. */
static enum status find_batches(struct batch *b, const char *dir) {
    int missing = 0;   /* the first training batch that is not there */
    for (int i = 0; i < FILES; i++) {
        char name[32];
        if (i < FILES - 1) snprintf(name, sizeof name, "data_batch_%d.bin", i + 1);
        else snprintf(name, sizeof name, "test_batch.bin");
        b[i].path = dataset_path(dir, name);
        if (!b[i].path) return fail(ERR_NOMEM, "%s: out of memory", dir);
        /* The first has to be there: measuring it says why it is not. */
        if (i > 0 && !dataset_file_exists(b[i].path)) {
            if (!missing && i < FILES - 1) missing = i + 1;
            continue;
        }
        if (missing && i < FILES - 1)
            return fail(ERR_FORMAT, "%s: data_batch_%d.bin is missing, but %s is there", dir,
                        missing, name);
        TRY(measure_batch(&b[i]));
    }
    return OK;
}

static void copy_record(struct dataset *ds, size_t item, const unsigned char *record) {
    unsigned char *to = ds->pixels + item * 3 * PLANE;
    ds->labels[item] = record[0];
    for (size_t i = 0; i < PLANE; i++)
        for (size_t c = 0; c < 3; c++) to[3 * i + c] = record[1 + c * PLANE + i];
}

/* Items from *item on; one file is in memory at a time. */
static enum status read_batch(struct dataset *ds, size_t *item, const struct batch *b) {
    enum status st = OK;
    unsigned char *bytes;
    size_t len;

    TRY(file_read(&bytes, &len, b->path, RECORD * CIFAR_PER_BATCH));
    if (len != b->count * RECORD)
        st = fail(ERR_FORMAT, "%s: %zu bytes; it had %zu a moment ago", b->path, len,
                  b->count * RECORD);
    for (size_t i = 0; i < b->count && st == OK; i++) {
        const unsigned char *record = bytes + i * RECORD;
        if (record[0] >= CIFAR_CLASSES)
            st = fail(ERR_FORMAT, "%s: record %zu has label %d; 0 to %d are expected", b->path, i,
                      record[0], CIFAR_CLASSES - 1);
        else copy_record(ds, (*item)++, record);
    }
    mem_free(bytes);
    return st;
}

/* One name per line; exactly ten, or the file is not what it claims to be. */
static enum status name_from_file(struct dataset *ds, const char *path) {
    unsigned char *text;
    size_t len, count = 0;
    const char *names[CIFAR_CLASSES];

    TRY(file_read(&text, &len, path, 4096));
    for (char *p = (char *)text; *p;) {
        size_t n = strcspn(p, "\r\n");
        char *next = p + n + (p[n] != 0);
        p[n] = 0;
        if (n && count < CIFAR_CLASSES) names[count] = p;
        if (n) count++;
        p = next;
    }
    enum status st = count == CIFAR_CLASSES ? dataset_name_labels(ds, names, count)
        : fail(ERR_FORMAT, "%s: %zu class names; %d are expected", path, count, CIFAR_CLASSES);
    mem_free(text);
    return st;
}

enum status dataset_open_cifar(struct dataset **out, const char *dir) {
    enum status st = OK;
    struct batch b[FILES] = { { NULL, 0 } };
    struct dataset *ds = NULL;
    char *meta = NULL;
    size_t train = 0, item = 0;

    *out = NULL;
    TRY_TO(find_batches(b, dir));
    for (int i = 0; i < FILES - 1; i++) train += b[i].count;
    TRY_TO(dataset_new(&ds, "cifar", train, b[FILES - 1].count, CIFAR_SIDE, CIFAR_SIDE, 3, dir));
    for (int i = 0; i < FILES; i++)
        if (b[i].count) TRY_TO(read_batch(ds, &item, &b[i]));
    meta = dataset_path(dir, "batches.meta.txt");
    if (!meta) { st = fail(ERR_NOMEM, "%s: out of memory", dir); goto done; }
    if (dataset_file_exists(meta)) st = name_from_file(ds, meta);
    else st = dataset_name_labels(ds, cifar_class_names, CIFAR_CLASSES);
    if (st != OK) goto done;
    *out = ds;
    ds = NULL;
done:
    mem_free(meta);
    for (int i = 0; i < FILES; i++) mem_free(b[i].path);
    dataset_free(ds);
    return st;
}
