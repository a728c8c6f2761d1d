/* basis.c - eigenbases of train feature sets, and the panels they are made from. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

#define VECTOR_BYTES ((size_t)4 << 20)   /* of a block of eigenvectors, about */

void basis_list_free(struct basis_list *l) {
    mem_free(l->basis);
    memset(l, 0, sizeof *l);
}

/* --- rows of the table --- */

#define BASIS_COLUMNS \
    "SELECT id, feature_set, n, k, block_rows, complete, trace, program, blas_core, host, threads, created FROM basis "

static enum status read_basis(struct store *s, struct basis_info *out, sqlite3_stmt *q) {
    memset(out, 0, sizeof *out);
    out->id = sqlite3_column_int64(q, 0);
    out->feature_set = sqlite3_column_int64(q, 1);
    out->n = col_size(q, 2);
    out->k = col_size(q, 3);
    out->block_rows = col_size(q, 4);
    out->complete = col_int(q, 5) != 0;
    out->trace = col_double(q, 6);
    col_text(out->program, sizeof out->program, q, 7);
    col_text(out->blas_core, sizeof out->blas_core, q, 8);
    col_text(out->host, sizeof out->host, q, 9);
    out->threads = col_size(q, 10);
    col_text(out->created, sizeof out->created, q, 11);
    out->primal = out->n > out->k;
    out->dim = out->rank = out->primal ? out->k : out->n;
    if (out->n == 0 || out->k == 0 || out->n > 1u << 30 || out->k > 1u << 24 || out->dim > 1u << 17 ||
        out->block_rows == 0 || out->block_rows > out->dim)
        return fail(ERR_FORMAT, "%s: the basis of feature set %lld is not sensible: %zu x %zu in panels of %zu",
                    s->path, (long long)out->feature_set, out->n, out->k, out->block_rows);
    return OK;
}

static enum status find(struct store *s, int64_t train_set, struct basis_info *out, int *found) {
    sqlite3_stmt *q;
    TRY(db_query(s, &q, BASIS_COLUMNS "WHERE feature_set = ?", "i", train_set));
    TRY(db_step(s, q, found));
    if (!*found) return OK;
    enum status st = read_basis(s, out, q);
    db_end(q);
    return st;
}

enum status store_basis_find(struct store *s, int64_t train_set, struct basis_info *out) {
    int found;
    TRY(find(s, train_set, out, &found));
    return found ? OK : fail(ERR_MISSING, "%s: feature set %lld has no eigenbasis; `dtrak basis` makes it", s->path,
                             (long long)train_set);
}

enum status store_bases_list(struct store *s, struct basis_list *out) {
    struct basis_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, BASIS_COLUMNS "ORDER BY id", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct basis_info *more = db_grow(l.basis, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "eigenbases: out of memory"); goto done; }
        l.basis = more;
        TRY_TO(read_basis(s, &l.basis[l.count++], q));
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    basis_list_free(&l);
    return st;
}

enum status store_basis_delete(struct store *s, int64_t train_set) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM basis WHERE feature_set = ?", "i", train_set));
}

static enum status begin(struct store *s, int64_t train_set, size_t n, size_t k, size_t block_rows,
                         const struct provenance *p) {
    static const struct provenance nothing = { NULL, NULL, NULL, 0 };
    char now[21];
    if (!p) p = &nothing;
    clock_iso(now);
    TRY(db_exec(s, "DELETE FROM basis WHERE feature_set = ?", "i", train_set));
    return db_exec(s, "INSERT INTO basis (feature_set, n, k, block_rows, complete, program, blas_core, host, threads,"
                      " created) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)", "izzztttzt", train_set, n, k, block_rows,
                   p->program ? p->program : DTRAK_VERSION, p->blas_core ? p->blas_core : "", p->host ? p->host : "",
                   p->threads, now);
}

enum status store_basis_ensure(struct store *s, int64_t train_set, size_t n, size_t k, size_t block_rows,
                               const struct provenance *p, struct basis_info *out) {
    int found;
    size_t dim = n < k ? n : k;
    if (!dim || dim > 1u << 17 || !block_rows)
        return fail(ERR_RANGE, "eigenbasis of %zu items and %zu features in panels of %zu", n, k, block_rows);
    if (block_rows > dim) block_rows = dim;
    TRY(find(s, train_set, out, &found));
    if (found && out->n == n && out->k == k) return OK;
    TRY(db_unit_begin(s));
    TRY(db_unit_end(s, begin(s, train_set, n, k, block_rows, p)));
    return store_basis_find(s, train_set, out);
}

/* --- panels --- */

static size_t panel_count(const struct basis_info *b) { return (b->dim + b->block_rows - 1) / b->block_rows; }

static size_t panel_rows(const struct basis_info *b, size_t p) {
    size_t first = p * b->block_rows;
    return b->dim - first < b->block_rows ? b->dim - first : b->block_rows;
}

/* Numbers of a panel: rows of first + 1, first + 2, ... */
static size_t panel_values(const struct basis_info *b, size_t p) {
    size_t rows = panel_rows(b, p);
    return rows * (p * b->block_rows) + rows * (rows + 1) / 2;
}

static enum status put_block(struct store *s, const struct basis_info *b, const char *part, size_t block, size_t first,
                             size_t rows, const double *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return fail(ERR_NUMERIC, "eigenbasis: a number of the %s is not finite", part);
    return db_exec(s, "INSERT INTO basis_block (basis, part, block, first, rows, xxh3, bytes)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (basis, part, block) DO UPDATE"
                      " SET first = ?4, rows = ?5, xxh3 = ?6, bytes = ?7", "itzzzub", b->id, part, block, first, rows,
                   hash_xxh3(values, count * sizeof *values), values, count * sizeof *values);
}

enum status store_basis_panel_put(struct store *s, const struct basis_info *b, size_t p, const double *panel) {
    if (p >= panel_count(b)) return fail(ERR_RANGE, "eigenbasis: panel %zu of %zu", p, panel_count(b));
    size_t rows = panel_rows(b, p), first = p * b->block_rows, at = 0;
    double *packed = mem_array(panel_values(b, p), sizeof *packed);
    if (!packed) return fail(ERR_NOMEM, "eigenbasis: out of memory for a panel of %zu rows", rows);
    for (size_t r = 0; r < rows; r++) {
        memcpy(packed + at, panel + r * (first + rows), (first + r + 1) * sizeof *packed);
        at += first + r + 1;
    }
    enum status st = db_unit_begin(s);
    if (st == OK) st = db_unit_end(s, put_block(s, b, "matrix", p, first, rows, packed, at));
    mem_free(packed);
    return st;
}

enum status store_basis_panels_missing(struct store *s, const struct basis_info *b, struct index_list *out) {
    size_t count = panel_count(b);
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    char *there = mem_array(count, 1);
    size_t *index = mem_array(count, sizeof *index);
    if (!there || !index) { st = fail(ERR_NOMEM, "eigenbasis: out of memory"); goto done; }
    TRY_TO(db_query(s, &q, "SELECT block, rows FROM basis_block WHERE basis = ? AND part = 'matrix'", "i", b->id));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        size_t p = col_size(q, 0);
        if (p < count && col_size(q, 1) == panel_rows(b, p)) there[p] = 1;
    }
    out->index = index;
    index = NULL;
    for (size_t p = 0; p < count; p++)
        if (!there[p]) out->index[out->count++] = p;
done:
    db_end(q);
    mem_free(there);
    mem_free(index);
    return st;
}

/* The blob of a block, verified; the statement is the caller's to end when OK. */
static enum status open_block(struct store *s, const struct basis_info *b, const char *part, size_t block,
                              size_t values, sqlite3_stmt **q, const unsigned char **bytes) {
    int row;
    size_t len;
    TRY(db_query(s, q, "SELECT xxh3, bytes FROM basis_block WHERE basis = ? AND part = ? AND block = ?", "itz", b->id,
                 part, block));
    TRY(db_step(s, *q, &row));
    if (!row)
        return fail(ERR_MISSING, "%s: block %zu (%s) of the eigenbasis of feature set %lld is missing; `dtrak basis` makes it",
                    s->path, block, part, (long long)b->feature_set);
    *bytes = col_blob(*q, 1, &len);
    if (len == values * sizeof(double) && hash_xxh3(*bytes, len) == col_u64(*q, 0)) return OK;
    db_end(*q);
    return fail(ERR_FORMAT, "%s: block %zu (%s) of the eigenbasis of feature set %lld is damaged: its checksum does not"
                " match; make it again with: dtrak basis --again", s->path, block, part, (long long)b->feature_set);
}

enum status store_basis_matrix_read(struct store *s, const struct basis_info *b, double *A) {
    for (size_t p = 0; p < panel_count(b); p++) {
        sqlite3_stmt *q;
        const unsigned char *bytes;
        size_t first = p * b->block_rows, rows = panel_rows(b, p), at = 0, d = b->dim;
        TRY(open_block(s, b, "matrix", p, panel_values(b, p), &q, &bytes));
        for (size_t r = first; r < first + rows; r++) {
            memcpy(A + r * d, bytes + at * sizeof *A, (r + 1) * sizeof *A);
            at += r + 1;
        }
        db_end(q);
    }
    for (size_t r = 0; r < b->dim; r++)
        for (size_t c = 0; c < r; c++) A[c * b->dim + r] = A[r * b->dim + c];
    return OK;
}

/* --- the decomposition --- */

static size_t vectors_per_block(const struct basis_info *b) {
    size_t rows = VECTOR_BYTES / sizeof(double) / b->dim;
    return rows ? rows : 1;
}

static enum status finish(struct store *s, const struct basis_info *b, double trace, const double *values,
                          const double *vectors) {
    size_t step = vectors_per_block(b);
    TRY(db_exec(s, "DELETE FROM basis_block WHERE basis = ?", "i", b->id));
    TRY(put_block(s, b, "values", 0, 0, b->rank, values, b->rank));
    for (size_t e = 0; e < b->rank; e += step) {
        size_t rows = b->rank - e < step ? b->rank - e : step;
        TRY(put_block(s, b, "vectors", e / step, e, rows, vectors + e * b->dim, rows * b->dim));
    }
    return db_exec(s, "UPDATE basis SET complete = 1, trace = ? WHERE id = ?", "di", trace, b->id);
}

enum status store_basis_finish(struct store *s, const struct basis_info *b, double trace, const double *values,
                               const double *vectors) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, finish(s, b, trace, values, vectors));
}

static enum status read_values(struct store *s, const struct basis_info *b, const char *part, size_t block,
                               size_t count, double *out) {
    sqlite3_stmt *q;
    const unsigned char *bytes;
    TRY(open_block(s, b, part, block, count, &q, &bytes));
    memcpy(out, bytes, count * sizeof *out);
    db_end(q);
    return OK;
}

enum status store_basis_read(struct store *s, const struct basis_info *b, double **values, double **vectors) {
    enum status st = OK;
    size_t step = vectors_per_block(b);
    *values = *vectors = NULL;
    if (!b->complete)
        return fail(ERR_MISSING, "%s: the eigenbasis of feature set %lld is not finished; `dtrak basis` goes on with it",
                    s->path, (long long)b->feature_set);
    double *w = mem_array(b->rank, sizeof *w), *v = mem_array(b->rank * b->dim, sizeof *v);
    if (!w || !v) {
        st = fail(ERR_NOMEM, "eigenbasis: out of memory for %zu x %zu", b->rank, b->dim);
        goto done;
    }
    TRY_TO(read_values(s, b, "values", 0, b->rank, w));
    for (size_t e = 0; e < b->rank; e += step) {
        size_t rows = b->rank - e < step ? b->rank - e : step;
        TRY_TO(read_values(s, b, "vectors", e / step, rows * b->dim, v + e * b->dim));
    }
    *values = w;
    *vectors = v;
    w = v = NULL;
done:
    mem_free(w);
    mem_free(v);
    return st;
}
