/* arrays.c - for the scripts: arrays of known numbers as other programs write them.
 *
 *   arrays KIND FILE ROWS COLS SEED [OPTION]   KIND: npy, npy16, fortran, raw, bf16, safetensors, pickle, nested, records,
 *   indices
 *   arrays best ROWS COLS SEED ROW COUNT       "item score" of the highest numbers of a row
 *
 * nested: [[], [the array]], pickled.
 * records: a structured record for each column, with each row's number and whether it was written.
 * OPTION: small (by 1e-9), transposed, nan (one in row 3), zero (row 3), short (a byte less), doubled, beyond, unwritten */
#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/half.h"
#include "dtrak/npy.h"
#include "dtrak/rng.h"
#include "dtrak/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *numbers(size_t rows, size_t cols, uint64_t seed) {
    float *x = malloc(rows * cols * sizeof *x);
    for (size_t i = 0; x && i < rows; i++) rng_normal(x + i * cols, cols, seed, RNG_NOISE, (uint32_t)i, 0);
    return x;
}

static int print_best(const float *row, size_t cols, size_t count) {
    char *taken = calloc(cols, 1);
    for (size_t k = 0; k < count && k < cols; k++) {
        size_t best = cols;
        for (size_t i = 0; i < cols; i++)
            if (!taken[i] && (best == cols || row[i] > row[best])) best = i;
        taken[best] = 1;
        printf("train:%zu %.6f\n", best, (double)row[best]);
    }
    free(taken);
    return 0;
}

static void add_count(struct buf *b, char op, size_t x) {
    unsigned char bytes[5] = { (unsigned char)op, (unsigned char)x, (unsigned char)(x >> 8), (unsigned char)(x >> 16), (unsigned char)(x >> 24) };
    buf_add(b, bytes, 5);
}

/* What pickle.dumps(array, protocol=3) writes, without its memo. */
static void add_pickle(struct buf *b, const float *x, size_t rows, size_t cols) {
    static const char head[] = "\x80\x03" "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" "C\1b\x87R(K\1";
    static const char type[] = "\x86" "cnumpy\ndtype\nX\2\0\0\0f4\x89\x88\x87R(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89";
    buf_add(b, head, sizeof head - 1);
    add_count(b, 'J', rows);
    add_count(b, 'J', cols);
    buf_add(b, type, sizeof type - 1);
    add_count(b, 'B', rows * cols * sizeof *x);
    buf_add(b, x, rows * cols * sizeof *x);
    buf_text(b, "tb.");
}

static void transpose(float *x, size_t rows, size_t cols) {
    float *y = malloc(rows * cols * sizeof *y);
    for (size_t i = 0; i < rows * cols; i++) y[i % cols * rows + i / cols] = x[i];
    memcpy(x, y, rows * cols * sizeof *y);
    free(y);
}

/* For each column: of each row a float32, a bool and three bytes of padding, as bergson's scores. */
static void add_records(struct buf *b, const float *x, size_t rows, size_t cols, const char *option) {
    for (size_t j = 0; j < cols; j++)
        for (size_t i = 0; i < rows; i++) {
            unsigned char written[4] = { !(i == 2 && j == 7 && !strcmp(option, "unwritten")) };
            buf_add(b, x + i * cols + j, sizeof *x);
            buf_add(b, written, sizeof written);
        }
}

/* A shuffled 0 .. rows-1. */
static int write_indices(const char *path, size_t rows, uint64_t seed, const char *option) {
    int64_t *index = malloc(rows * sizeof *index);
    uint32_t *order = malloc(rows * sizeof *order);
    struct rng r = rng_at(seed, RNG_CHOICE, 0, 0);
    struct buf out = BUF_INIT;
    rng_permutation(order, (uint32_t)rows, &r);
    for (size_t i = 0; i < rows; i++) index[i] = order[i];
    if (!strcmp(option, "doubled")) index[2] = index[0];
    if (!strcmp(option, "beyond")) index[2] = (int64_t)rows;
    enum status st = npy_write(&out, NPY_I8, 1, &rows, index);
    if (st == OK) st = file_write(path, out.data, out.len);
    buf_free(&out);
    free(index);
    free(order);
    return st != OK;
}

int main(int argc, char **argv) {
    if (argc == 7 && !strcmp(argv[1], "best")) {
        size_t rows = strtoul(argv[2], NULL, 10), cols = strtoul(argv[3], NULL, 10), row = strtoul(argv[5], NULL, 10);
        float *x = numbers(rows, cols, strtoul(argv[4], NULL, 10));
        if (!x) return 1;
        int rc = print_best(x + row * cols, cols, strtoul(argv[6], NULL, 10));
        free(x);
        return rc;
    }
    if (argc < 6) return 2;
    const char *option = argc > 6 ? argv[6] : "";
    size_t shape[2] = { strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10) }, count = shape[0] * shape[1];
    struct buf out = BUF_INIT;
    uint64_t seed = strtoul(argv[5], NULL, 10);
    if (!strcmp(argv[1], "indices")) return write_indices(argv[2], shape[0], seed, option);
    float *x = numbers(shape[0], shape[1], seed);
    if (!x) return 1;
    if (!strcmp(option, "nan")) x[3 * shape[1] + 1] = NAN;
    if (!strcmp(option, "zero")) memset(x + 3 * shape[1], 0, shape[1] * sizeof *x);
    for (size_t i = 0; !strcmp(option, "small") && i < count; i++) x[i] *= 1e-9f;
    if (!strcmp(option, "transposed")) {
        transpose(x, shape[0], shape[1]);
        size_t swap = shape[0];
        shape[0] = shape[1];
        shape[1] = swap;
    }
    enum status st = OK;
    if (!strcmp(argv[1], "npy")) st = npy_write(&out, NPY_F4, 2, shape, x);
    if (!strcmp(argv[1], "fortran")) {   /* what np.save() writes of a transposed array */
        size_t turned[2] = { shape[1], shape[0] };
        transpose(x, shape[0], shape[1]);
        st = npy_write(&out, NPY_F4, 2, turned, x);
        char *order = st == OK ? strstr(out.data + 10, "False, 'shape': (") : NULL;
        if (order) {
            size_t room = strcspn(order, "\n"), used = (size_t)snprintf(order, room, "True, 'shape': (%zu, %zu), }", shape[0], shape[1]);
            memset(order + used, ' ', room - used);
        }
    }
    if (!strcmp(argv[1], "npy16")) {
        uint16_t *h = malloc(count * sizeof *h);
        half_from_floats(h, x, count);
        st = npy_write(&out, NPY_F2, 2, shape, h);
        free(h);
    }
    if (!strcmp(argv[1], "records")) add_records(&out, x, shape[0], shape[1], option);
    for (size_t i = 0; !strcmp(argv[1], "bf16") && i < count; i++) buf_add(&out, (const unsigned char *)(x + i) + 2, 2);   /* cut */
    if (!strcmp(argv[1], "pickle")) add_pickle(&out, x, shape[0], shape[1]);
    if (!strcmp(argv[1], "nested")) {
        struct buf one = BUF_INIT;
        add_pickle(&one, x, shape[0], shape[1]);
        buf_text(&out, "](]](");                      /* a list, a mark, an empty list, a list, a mark */
        buf_add(&out, one.data + 2, one.len - 3);     /* without its protocol and its end */
        buf_text(&out, "ee.");
        buf_free(&one);
    }
    if (!strcmp(argv[1], "raw")) buf_add(&out, x, count * sizeof *x);
    if (!strcmp(argv[1], "safetensors")) {
        struct safetensors_tensor t[2] = { { "scores", x, 2, { shape[0], shape[1] }, TENSOR_F32 }, { "other", x, 1, { 4 }, TENSOR_F32 } };
        st = safetensors_write(&out, t, 2, NULL, 0);
    }
    if (st == OK && !strcmp(option, "short")) out.len--;
    if (st == OK) st = file_write(argv[2], out.data, out.len);
    if (st != OK) fprintf(stderr, "%s\n", fail_reason());
    buf_free(&out);
    free(x);
    return st != OK;
}
