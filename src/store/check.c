/* check.c - is a database whole?  Reads every stored byte once.
 *
 * Each test is a query whose rows are looked at one by one; a problem becomes
 * one line that names the row, and the walk goes on. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct check {
    struct store *s;
    void (*report)(void *ctx, const char *line);
    void *ctx;
    const struct progress *progress;
    double done, total;
    size_t problems;
};

__attribute__((format(printf, 2, 3)))
static void problem(struct check *c, const char *fmt, ...) {
    char line[512], saved[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    c->problems++;
    if (!c->report) return;
    fail(ERR_FORMAT, "%s", line);   /* escapes what came out of the file */
    db_copy(saved, sizeof saved, fail_reason());
    c->report(c->ctx, saved);
}

/* Calls look() for every row. */
static enum status walk(struct check *c, const char *sql, void (*look)(struct check *, sqlite3_stmt *)) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(c->s, &q, sql, ""));
    for (;;) {
        enum status st = db_step(c->s, q, &row);
        if (st == ERR_DB) {
            /* A damaged page ends this table, not the check. */
            problem(c, "%s", fail_reason());
            return OK;
        }
        TRY(st);
        if (!row) return OK;
        look(c, q);
        progress_report(c->progress, ++c->done, c->total, "check", "");
        st = progress_check(c->progress);
        if (st != OK) {
            db_end(q);
            return st;
        }
    }
}

static void look_integrity(struct check *c, sqlite3_stmt *q) {
    if (strcmp(col_str(q, 0), "ok") != 0) problem(c, "SQLite: %s", col_str(q, 0));
}

static void look_foreign(struct check *c, sqlite3_stmt *q) {
    problem(c, "table %s, row %lld: points at a row of %s that is not there", col_str(q, 0),
            (long long)sqlite3_column_int64(q, 1), col_str(q, 2));
}

/* --- checksums: 0 and 1 name the row, then digest and bytes --- */

static int sha_matches(sqlite3_stmt *q, int digest, int blob) {
    char hex[65];
    size_t len;
    const void *bytes = col_blob(q, blob, &len);
    sha256_hex(hex, bytes, len);
    return strcmp(hex, col_str(q, digest)) == 0;
}

static int xxh_matches(sqlite3_stmt *q, int digest, int blob) {
    size_t len;
    const void *bytes = col_blob(q, blob, &len);
    return hash_xxh3(bytes, len) == col_u64(q, digest);
}

static void look_image(struct check *c, sqlite3_stmt *q) {
    if (sha_matches(q, 3, 4)) return;
    if (sqlite3_column_type(q, 1) == SQLITE_NULL)
        problem(c, "image %lld: its SHA-256 does not match", (long long)sqlite3_column_int64(q, 0));
    else
        problem(c, "image of %s:%zu (row %lld): its SHA-256 does not match", col_str(q, 1), col_size(q, 2),
                (long long)sqlite3_column_int64(q, 0));
}

static void look_checkpoint(struct check *c, sqlite3_stmt *q) {
    if (sqlite3_column_bytes(q, 2) == 0) return;   /* dropped */
    if (!sha_matches(q, 1, 2)) problem(c, "weights of checkpoint %zu: their SHA-256 does not match", col_size(q, 0));
}

static void look_subset_weights(struct check *c, sqlite3_stmt *q) {
    if (!sha_matches(q, 1, 2))
        problem(c, "weights of subset model %lld: their SHA-256 does not match", (long long)sqlite3_column_int64(q, 0));
}

static void look_train_state(struct check *c, sqlite3_stmt *q) {
    if (!sha_matches(q, 1, 2)) problem(c, "training state of step %zu: its SHA-256 does not match", col_size(q, 0));
}

/* set, block, xxh3, bytes, first, rows, block_rows, k, float32, rows of the set, parts */
static void look_block(struct check *c, sqlite3_stmt *q) {
    long long set = sqlite3_column_int64(q, 0);
    size_t block = col_size(q, 1), first = col_size(q, 4), rows = col_size(q, 5), len;
    size_t block_rows = col_size(q, 6), k = col_size(q, 7), all = col_size(q, 9), parts = col_size(q, 10);
    col_blob(q, 3, &len);
    if (!xxh_matches(q, 2, 3))
        problem(c, "block %zu of feature set %lld: its checksum does not match", block, set);
    else if (k == 0 || k > 1u << 24 || rows > 1u << 24 || block_rows > 1u << 24 || rows > block_rows ||
             len != rows * feature_row_bytes(k, col_int(q, 8) != 0))
        problem(c, "block %zu of feature set %lld: %zu bytes do not fit %zu rows of %zu", block, set, len, rows, k);
    else if (parts == 0 || block / parts > 1u << 30 || first != block / parts * block_rows || first + rows > all)
        problem(c, "block %zu of feature set %lld: rows %zu to %zu are not its own", block, set, first, first + rows);
}

/* id, set, part, split, rows, cols, float64, xxh3, bytes */
static void look_kernel(struct check *c, sqlite3_stmt *q) {
    size_t len;
    long long set = sqlite3_column_int64(q, 1);
    enum kernel_part part = kernel_part_parse(col_str(q, 2));
    col_blob(q, 8, &len);
    size_t n = part <= KERNEL_SELF ? kernel_values(part, col_size(q, 4), col_size(q, 5)) : 0;
    if (!xxh_matches(q, 7, 8))
        problem(c, "%s kernel (%s) of feature set %lld: its checksum does not match", col_str(q, 2), col_str(q, 3), set);
    else if (n == 0 || len != n * (col_int(q, 6) ? sizeof(double) : sizeof(float)))
        problem(c, "%s kernel (%s) of feature set %lld: %zu bytes do not fit %zu x %zu", col_str(q, 2), col_str(q, 3),
                set, len, col_size(q, 4), col_size(q, 5));
}

/* set, query, xxh3, bytes, format, n, rows, split */
static void look_score(struct check *c, sqlite3_stmt *q) {
    long long set = sqlite3_column_int64(q, 0);
    size_t query = col_size(q, 1), n = col_size(q, 5), len;
    const void *bytes = col_blob(q, 3, &len);
    if (!xxh_matches(q, 2, 3)) {
        problem(c, "scores of %s:%zu in score set %lld: their checksum does not match", col_str(q, 7), query, set);
        return;
    }
    if (query >= col_size(q, 6))
        problem(c, "score set %lld: a row for %s:%zu, of %zu queries", set, col_str(q, 7), query, col_size(q, 6));
    float *row = n && n <= 1u << 27 ? mem_array(n, sizeof *row) : NULL;
    if (!row || (col_int(q, 4) == ROW_TOP ? len % 12 != 0 : score_row_decode(row, n, col_int(q, 4), bytes, len) != OK))
        problem(c, "scores of %s:%zu in score set %lld: do not unpack to %zu numbers", col_str(q, 7), query, set, n);
    mem_free(row);
}

/* set, part, block, xxh3, bytes, rows, dim, complete */
static void look_basis(struct check *c, sqlite3_stmt *q) {
    long long set = sqlite3_column_int64(q, 0);
    const char *part = col_str(q, 1);
    size_t block = col_size(q, 2), rows = col_size(q, 5), dim = col_size(q, 6), len;
    col_blob(q, 4, &len);
    if (!xxh_matches(q, 3, 4))
        problem(c, "block %zu (%s) of the eigenbasis of feature set %lld: its checksum does not match", block, part, set);
    else if (rows > dim || dim > 1u << 17 || (!strcmp(part, "vectors") && len != rows * dim * sizeof(double)) ||
             (!strcmp(part, "values") && len != rows * sizeof(double)))
        problem(c, "block %zu (%s) of the eigenbasis of feature set %lld: %zu bytes do not fit %zu rows of %zu", block,
                part, set, len, rows, dim);
    else if (col_int(q, 7) ? !strcmp(part, "matrix") : strcmp(part, "matrix") != 0)
        problem(c, "block %zu (%s) of the eigenbasis of feature set %lld: does not belong to %s one", block, part, set,
                col_int(q, 7) ? "a finished" : "an unfinished");
}

static void look_other_checksum(struct check *c, sqlite3_stmt *q) {
    if (!xxh_matches(q, 2, 3))
        problem(c, "table %s, row %lld: its checksum does not match", col_str(q, 0),
                (long long)sqlite3_column_int64(q, 1));
}

/* --- rows that do not fit each other: one line of text each --- */

static void look_text(struct check *c, sqlite3_stmt *q) { problem(c, "%s", col_str(q, 0)); }

static const struct { const char *sql; void (*look)(struct check *, sqlite3_stmt *); } tests[] = {
    { "PRAGMA integrity_check", look_integrity },
    { "PRAGMA foreign_key_check", look_foreign },
    { "SELECT m.id, i.split, i.idx, m.sha256, m.bytes FROM image m LEFT JOIN item i ON i.image = m.id", look_image },
    { "SELECT step, sha256, weights FROM checkpoint", look_checkpoint },
    { "SELECT step, sha256, bytes FROM train_state", look_train_state },
    { "SELECT b.feature_set, b.block, b.xxh3, b.bytes, b.first, b.rows, f.block_rows, f.k, f.float32, f.rows, f.parts"
      " FROM feature_block b JOIN feature_set f ON f.id = b.feature_set", look_block },
    { "SELECT id, feature_set, part, split, rows, cols, float64, xxh3, bytes FROM kernel", look_kernel },
    { "SELECT b.feature_set, x.part, x.block, x.xxh3, x.bytes, x.rows, min(b.n, b.k), b.complete"
      " FROM basis_block x JOIN basis b ON b.id = x.basis", look_basis },
    { "SELECT r.score_set, r.query, r.xxh3, r.bytes, r.format, f.n, f.rows, f.split"
      " FROM score r JOIN score_set f ON f.id = r.score_set", look_score },
    { "SELECT 'thumb', image, xxh3, bytes FROM thumb", look_other_checksum },
    { "SELECT 'embedding', id, xxh3, bytes FROM embedding", look_other_checksum },
    { "SELECT 'subset', id, xxh3, members FROM subset", look_other_checksum },
    { "SELECT 'subset_state', subset, xxh3, bytes FROM subset_state", look_other_checksum },
    { "SELECT 'subset_output', id, xxh3, bytes FROM subset_output", look_other_checksum },
    { "SELECT 'lds', id, xxh3, per_query FROM lds", look_other_checksum },
    { "SELECT 'error_row', id, xxh3, bytes FROM error_row", look_other_checksum },
    { "SELECT 'error bars of score set ' || e.score_set || ': a row for query ' || r.query || ', of ' || f.rows FROM error_row r"
      " JOIN error_set e ON e.id = r.error_set JOIN score_set f ON f.id = e.score_set WHERE r.query >= f.rows", look_text },
    { "SELECT subset, sha256, bytes FROM subset_weights", look_subset_weights },

    { "SELECT 'eigenbasis of feature set ' || b.feature_set || ': blocks of it are missing' FROM basis b"
      " WHERE b.complete AND (SELECT ifnull(sum(x.rows), 0) FROM basis_block x WHERE x.basis = b.id) <> 2 * min(b.n, b.k)",
      look_text },
    { "SELECT 'project: the row is missing' WHERE NOT EXISTS (SELECT 1 FROM project)", look_text },
    { "SELECT 'item row ' || id || ': split \"' || split || '\" is not train, val or gen' FROM item"
      " WHERE split NOT IN ('train', 'val', 'gen')", look_text },
    { "SELECT 'split ' || split || ': ' || count(*) || ' items, but the last is number ' || max(idx) FROM item"
      " GROUP BY split HAVING count(*) <> max(idx) + 1 OR min(idx) <> 0", look_text },
    { "SELECT 'item ' || split || ':' || idx || ': its image is missing' FROM item"
      " WHERE image NOT IN (SELECT id FROM image)", look_text },
    { "SELECT 'image ' || id || ': belongs to no item' FROM image WHERE id NOT IN (SELECT image FROM item)"
      " AND id NOT IN (SELECT image FROM counterfactual WHERE image IS NOT NULL)", look_text },
    { "SELECT 'feature set ' || f.id || ': its checkpoint has other weights' FROM feature_set f"
      " JOIN checkpoint c ON c.id = f.checkpoint WHERE c.sha256 <> f.checkpoint_sha256", look_text },
    { "SELECT 'feature set ' || f.id || ': ' || f.rows || ' rows for ' ||"
      " (SELECT count(*) FROM item i WHERE i.split = f.split) || ' ' || f.split || ' items' FROM feature_set f"
      " WHERE f.rows > (SELECT count(*) FROM item i WHERE i.split = f.split)", look_text },
    { "SELECT 'score set ' || f.id || ': ' || f.n || ' columns for ' ||"
      " (SELECT count(*) FROM item WHERE split = 'train') || ' training items' FROM score_set f"
      " WHERE f.n <> (SELECT count(*) FROM item WHERE split = 'train')", look_text },
    { "SELECT 'score set ' || f.id || ': ' || f.rows || ' rows for ' ||"
      " (SELECT count(*) FROM item i WHERE i.split = f.split) || ' ' || f.split || ' items' FROM score_set f"
      " WHERE f.rows > (SELECT count(*) FROM item i WHERE i.split = f.split)", look_text },
    { "SELECT 'score set ' || t.score_set || ': top entry of train:' || t.item || ' for query ' || t.query ||"
      " ' is outside the set' FROM score_top t JOIN score_set f ON f.id = t.score_set"
      " WHERE t.item >= f.n OR t.query >= f.rows OR t.item < 0 OR t.query < 0 OR t.rank = 0", look_text },
    { "SELECT 'statistic \"' || t.name || '\": a value for ' || t.split || ':' || v.idx || ', which is not there'"
      " FROM item_stat v JOIN stat_set t ON t.id = v.stat_set"
      " WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.split = t.split AND i.idx = v.idx)", look_text },
    { "SELECT 'subset model ' || m.id || ': drawn from ' || m.n || ' of ' ||"
      " (SELECT count(*) FROM item WHERE split = 'train') || ' training items' FROM subset m"
      " WHERE m.n <> (SELECT count(*) FROM item WHERE split = 'train')", look_text },
    { "SELECT 'subset model ' || m.id || ': finished without outputs' FROM subset m WHERE m.state = 'done'"
      " AND NOT EXISTS (SELECT 1 FROM subset_output o WHERE o.subset = m.id)"
      " AND NOT EXISTS (SELECT 1 FROM counterfactual c WHERE c.subset = m.id)"
      " AND NOT EXISTS (SELECT 1 FROM subset_weights w WHERE w.subset = m.id)", look_text },
    { "SELECT 'embedding \"' || e.name || '\" of ' || e.split || ': ' || length(e.bytes) || ' bytes do not fit ' || e.rows ||"
      " ' rows of ' || e.cols FROM embedding e WHERE length(e.bytes) <> 4 * e.rows * e.cols", look_text },
    { "SELECT 'kernel ' || k.id || ': ' || k.cols || ' columns for ' || f.rows || ' training rows' FROM kernel k"
      " JOIN feature_set f ON f.id = k.feature_set WHERE k.part <> 'self' AND k.cols <> f.rows", look_text },
};

static void file_problem(void *ctx, const char *line) {
    char copy[480];
    db_copy(copy, sizeof copy, line);   /* it is the message that problem() overwrites */
    problem(ctx, "%s", copy);
}

static enum status count_rows(struct check *c) {
    int64_t n = 0;
    TRY(db_number(c->s, &n, "SELECT (SELECT count(*) FROM image) + (SELECT count(*) FROM feature_block)"
                            " + (SELECT count(*) FROM score) + (SELECT count(*) FROM checkpoint)", ""));
    c->total = (double)n;
    return OK;
}

enum status store_check(const char *path, void (*report)(void *ctx, const char *line), void *ctx,
                        const struct progress *p, size_t *problems) {
    struct check c = { NULL, report, ctx, p, 0, 0, 0 };
    *problems = 0;
    TRY(store_open(&c.s, path, STORE_WRITE_OR_READ));
    enum status st = count_rows(&c);
    if (st == ERR_DB) {
        problem(&c, "%s", fail_reason());
        st = OK;
    }
    for (size_t i = 0; st == OK && i < sizeof tests / sizeof *tests; i++)
        st = walk(&c, tests[i].sql, tests[i].look);
    if (st == OK) st = feature_files_check(c.s, file_problem, &c, p);
    store_close(c.s);
    *problems = c.problems;
    return st;
}

enum status store_sizes(struct store *s, struct store_sizes *out) {
    int64_t v[7] = { 0 };
    struct stat file;
    memset(out, 0, sizeof *out);
    TRY(db_number(s, &v[0], "SELECT (SELECT ifnull(sum(length(bytes)), 0) FROM image)"
                            " + (SELECT ifnull(sum(length(bytes)), 0) FROM thumb)", ""));
    TRY(db_number(s, &v[1], "SELECT ifnull(sum(length(weights)), 0) FROM checkpoint", ""));
    TRY(db_number(s, &v[2], "SELECT ifnull(sum(length(bytes)), 0) FROM train_state", ""));
    TRY(db_number(s, &v[3], "SELECT ifnull(sum(length(bytes)), 0) FROM feature_block", ""));
    TRY(db_number(s, &v[4], "SELECT ifnull(sum(length(bytes)), 0) FROM kernel", ""));
    TRY(db_number(s, &v[5], "SELECT ifnull(sum(length(bytes)), 0) FROM score", ""));
    TRY(db_number(s, &v[6], "SELECT ifnull(sum(length(bytes)), 0) FROM basis_block", ""));
    uint64_t *group[7] = { &out->images, &out->checkpoints, &out->train_state, &out->features,
                           &out->kernels, &out->scores, &out->bases }, sum = 0;
    for (int i = 0; i < 7; i++) sum += *group[i] = (uint64_t)v[i];
    if (stat(s->file ? s->file : s->path, &file) == 0) out->file = (uint64_t)file.st_size;
    out->other = out->file > sum ? out->file - sum : 0;   /* tables of small rows, indexes, free pages */
    return OK;
}
