/* kernel.c - packed inner products of a train feature set. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

static const char *const part_names[] = { "gram", "cross", "self" };

enum kernel_part kernel_part_parse(const char *name) {
    int i = 0;
    while (i <= KERNEL_SELF && strcmp(name, part_names[i]) != 0) i++;
    return (enum kernel_part)i;
}

size_t kernel_values(enum kernel_part part, size_t rows, size_t cols) {
    if (rows == 0 || cols == 0 || rows > 1u << 20 || cols > 1u << 20) return 0;
    if (part == KERNEL_GRAM) return rows == cols ? rows * (rows + 1) / 2 : 0;
    if (part == KERNEL_SELF) return cols == 1 ? rows : 0;
    return rows * cols;
}

/* Numbers are stored little-endian, as every machine this runs on has them. */
static void pack(void *bytes, const double *values, size_t n, int float64) {
    if (float64) {
        memcpy(bytes, values, n * sizeof *values);
        return;
    }
    float *f = bytes;
    for (size_t i = 0; i < n; i++) f[i] = (float)values[i];
}

enum status store_kernel_put(struct store *s, int64_t train_set, enum kernel_part part, enum split split,
                             size_t rows, size_t cols, int float64, const double *values) {
    size_t n = kernel_values(part, rows, cols), size = float64 ? sizeof(double) : sizeof(float);
    if (n == 0)
        return fail(ERR_RANGE, "kernel %s: a shape of %zu x %zu", part_names[part], rows, cols);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]) || (!float64 && !isfinite((float)values[i])))
            return fail(ERR_NUMERIC, "kernel %s: value %zu is not finite", part_names[part], i);
    void *bytes = mem_array(n, size);
    if (!bytes) return fail(ERR_NOMEM, "kernel: out of memory");
    pack(bytes, values, n, float64);
    enum status st = db_unit_begin(s);
    if (st == OK) {
        if (split != SPLIT_TRAIN) st = db_items_unmoved(s);
        if (st == OK) st = db_exec(s,
            "INSERT INTO kernel (feature_set, part, split, rows, cols, float64, xxh3, bytes)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (feature_set, part, split) DO UPDATE"
            " SET rows = ?4, cols = ?5, float64 = ?6, xxh3 = ?7, bytes = ?8", "ittzznub", train_set,
            part_names[part], split_name(split), rows, cols, float64 != 0, hash_xxh3(bytes, n * size),
            bytes, n * size);
        st = db_unit_end(s, st);
    }
    mem_free(bytes);
    return st;
}

static enum status unpack(double **values, const void *bytes, size_t n, int float64) {
    *values = mem_array(n, sizeof **values);
    if (!*values) return fail(ERR_NOMEM, "kernel: out of memory");
    if (float64) {
        memcpy(*values, bytes, n * sizeof **values);
        return OK;
    }
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) {
        float f;
        memcpy(&f, b + i * sizeof f, sizeof f);
        (*values)[i] = f;
    }
    return OK;
}

enum status store_kernel_get(struct store *s, int64_t train_set, enum kernel_part part, enum split split,
                             size_t *rows, size_t *cols, double **values) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    *values = NULL;
    *rows = *cols = 0;
    TRY(db_query(s, &q, "SELECT rows, cols, float64, xxh3, bytes FROM kernel"
                        " WHERE feature_set = ? AND part = ? AND split = ?", "itt", train_set,
                 part_names[part], split_name(split)));
    TRY(db_step(s, q, &row));
    if (!row)
        return fail(ERR_MISSING, "%s: feature set %lld has no %s kernel for %s", s->path,
                    (long long)train_set, part_names[part], split_name(split));
    int float64 = col_int(q, 2) != 0;
    const void *bytes = col_blob(q, 4, &len);
    size_t n = kernel_values(part, col_size(q, 0), col_size(q, 1));
    enum status st;
    if (n == 0 || len != n * (float64 ? sizeof(double) : sizeof(float)) ||
        hash_xxh3(bytes, len) != col_u64(q, 3))
        st = fail(ERR_FORMAT, "%s: the %s kernel (%s) of feature set %lld is damaged: "
                              "its checksum does not match", s->path, part_names[part],
                  split_name(split), (long long)train_set);
    else
        st = unpack(values, bytes, n, float64);
    if (st == OK) {
        *rows = col_size(q, 0);
        *cols = col_size(q, 1);
    }
    db_end(q);
    return st;
}

enum status store_kernel_has(struct store *s, int64_t train_set, enum kernel_part part, enum split split,
                             int *has) {
    int64_t n = 0;
    *has = 0;
    TRY(db_number(s, &n, "SELECT count(*) FROM kernel WHERE feature_set = ? AND part = ? AND split = ?",
                  "itt", train_set, part_names[part], split_name(split)));
    *has = n > 0;
    return OK;
}

static enum status round_part(struct store *s, int64_t train_set, enum kernel_part part, enum split split) {
    double *values;
    size_t rows, cols;
    int64_t wide = 0;
    TRY(db_number(s, &wide, "SELECT count(*) FROM kernel WHERE feature_set = ? AND part = ? AND split = ? AND float64 = 1", "itt", train_set,
                  part_names[part], split_name(split)));
    if (!wide) return OK;
    TRY(store_kernel_get(s, train_set, part, split, &rows, &cols, &values));
    enum status st = store_kernel_put(s, train_set, part, split, rows, cols, 0, values);
    mem_free(values);
    return st;
}

enum status store_kernels_round(struct store *s, int64_t train_set) {
    for (int part = KERNEL_GRAM; part <= KERNEL_SELF; part++)
        for (int split = 0; split < SPLIT_COUNT; split++) TRY(round_part(s, train_set, (enum kernel_part)part, (enum split)split));
    return OK;
}

enum status store_kernels_delete(struct store *s, int64_t train_set) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM kernel WHERE feature_set = ?", "i", train_set));
}
