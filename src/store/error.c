/* error.c - error bars of score sets, a row of bytes for each query.
 *
 * A row is, all little-endian: for each block n differences, then n spreads where there are
 * projections (both as a feature row in float16), n bytes of draws, and n ranks at 5 % and at 95 %,
 * as uint16 where n is below 2^16, else uint32. */
#include "dtrak/store_error.h"
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

/* --- rows in memory --- */

enum status error_row_new(struct error_row *r, size_t n, size_t blocks, int with_projection) {
    *r = (struct error_row){ .n = n, .blocks = blocks };
    if (blocks) r->left = mem_array(blocks, n * sizeof *r->left);
    if (with_projection) r->projection = mem_array(n, sizeof *r->projection);
    r->in_top = mem_array(n, 1);
    r->low = mem_array(n, sizeof *r->low);
    r->high = mem_array(n, sizeof *r->high);
    if ((r->left || !blocks) && (r->projection || !with_projection) && r->in_top && r->low && r->high) return OK;
    error_row_free(r);
    return fail(ERR_NOMEM, "error bars: out of memory for %zu training items", n);
}

void error_row_free(struct error_row *r) {
    mem_free(r->left);
    mem_free(r->projection);
    mem_free(r->in_top);
    mem_free(r->low);
    mem_free(r->high);
    *r = (struct error_row){ 0 };
}

/* --- sets --- */

#define COLUMNS "e.id, e.score_set, e.blocks, e.projections, e.top, e.draws, e.params, e.created," \
                " (SELECT count(*) FROM error_row r WHERE r.error_set = e.id)"

static void read_set(struct error_set *e, sqlite3_stmt *q) {
    *e = (struct error_set){ .id = sqlite3_column_int64(q, 0), .score_set = sqlite3_column_int64(q, 1), .blocks = col_size(q, 2),
                             .projections = col_size(q, 3), .top = col_size(q, 4), .draws = col_size(q, 5),
                             .rows_done = col_size(q, 8) };
    col_text(e->params, sizeof e->params, q, 6);
    col_text(e->created, sizeof e->created, q, 7);
}

enum status store_error_set_get(struct store *s, int64_t score_set, struct error_set *out) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT " COLUMNS " FROM error_set e WHERE e.score_set = ?", "i", score_set));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: score set %lld has no error bars; dtrak score --errors makes them", s->path,
                          (long long)score_set);
    read_set(out, q);
    db_end(q);
    return OK;
}

enum status store_error_sets_count(struct store *s, size_t *count) {
    int64_t n = 0;
    TRY(db_number(s, &n, "SELECT count(DISTINCT error_set) FROM error_row", ""));
    *count = (size_t)n;
    return OK;
}

static int is_same(const struct error_set *a, const struct error_set *b) {
    return a->blocks == b->blocks && a->projections == b->projections && a->top == b->top && a->draws == b->draws &&
           !strcmp(a->params, b->params);
}

static enum status replace(struct store *s, const struct error_set *want, const struct provenance *p) {
    char now[21];
    clock_iso(now);
    TRY(db_exec(s, "DELETE FROM error_set WHERE score_set = ?", "i", want->score_set));
    return db_exec(s, "INSERT INTO error_set (score_set, blocks, projections, top, draws, params, program, blas_core, host,"
                      " threads, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "izzzzttttzt", want->score_set,
                   want->blocks, want->projections, want->top, want->draws, want->params, p && p->program ? p->program : "",
                   p && p->blas_core ? p->blas_core : "", p && p->host ? p->host : "", p ? p->threads : (size_t)0, now);
}

enum status store_error_set_ensure(struct store *s, const struct error_set *want, const struct provenance *p,
                                   struct error_set *out) {
    struct error_set there;
    if (!want->draws || want->draws > ERROR_DRAWS_MAX)
        return fail(ERR_RANGE, "error bars: %zu draws, expected 1 to %d", want->draws, ERROR_DRAWS_MAX);
    enum status st = store_error_set_get(s, want->score_set, &there);
    if (st == OK && is_same(&there, want)) {
        *out = there;
        return OK;
    }
    if (st != OK && st != ERR_MISSING) return st;
    struct error_set copy = *want;
    TRY(db_unit_begin(s));
    TRY(db_unit_end(s, replace(s, &copy, p)));
    return store_error_set_get(s, copy.score_set, out);
}

enum status store_errors_missing(struct store *s, const struct error_set *set, size_t queries, struct index_list *out) {
    sqlite3_stmt *q;
    size_t next = 0;
    int row;
    *out = (struct index_list){ 0 };
    out->index = mem_array(queries + 1, sizeof *out->index);
    if (!out->index) return fail(ERR_NOMEM, "error bars: out of memory");
    enum status st = db_query(s, &q, "SELECT query FROM error_row WHERE error_set = ? ORDER BY query", "i", set->id);
    while (st == OK && (st = db_step(s, q, &row)) == OK && row)
        for (size_t have = col_size(q, 0); next <= have && next < queries; next++)
            if (next < have) out->index[out->count++] = next;
    for (; st == OK && next < queries; next++) out->index[out->count++] = next;
    if (st != OK) index_list_free(out);
    return st;
}

/* --- rows as bytes --- */

static size_t rank_bytes(size_t n) { return n < 1u << 16 ? 2 : 4; }

static size_t row_bytes(size_t n, size_t blocks, int with_projection) {
    return (blocks + (with_projection != 0)) * feature_row_bytes(n, 0) + n * (1 + 2 * rank_bytes(n));
}

static enum status check_row(const struct error_set *set, const struct error_row *r) {
    if (r->blocks != set->blocks || !r->projection != !set->projections)
        return fail(ERR_RANGE, "error bars: a row of %zu blocks for a set of %zu", r->blocks, set->blocks);
    for (size_t i = 0; i < r->blocks * r->n; i++)
        if (!isfinite(r->left[i])) return fail(ERR_NUMERIC, "error bars: training item %zu has no finite difference", i % r->n);
    for (size_t i = 0; i < r->n; i++)
        if ((r->projection && !(isfinite(r->projection[i]) && r->projection[i] >= 0)) || r->in_top[i] > set->draws)
            return fail(ERR_NUMERIC, "error bars: training item %zu has no finite spread", i);
    return OK;
}

static void put_ranks(unsigned char *out, const uint32_t *rank, size_t n) {
    size_t bytes = rank_bytes(n);
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < bytes; b++) out[i * bytes + b] = (unsigned char)(rank[i] >> 8 * b);
}

static void get_ranks(uint32_t *rank, const unsigned char *in, size_t n) {
    size_t bytes = rank_bytes(n);
    for (size_t i = 0; i < n; i++) {
        rank[i] = 0;
        for (size_t b = 0; b < bytes; b++) rank[i] |= (uint32_t)in[i * bytes + b] << 8 * b;
    }
}

static void encode(unsigned char *out, const struct error_row *r) {
    size_t n = r->n, step = feature_row_bytes(n, 0);
    for (size_t b = 0; b < r->blocks; b++, out += step) feature_row_encode(out, r->left + b * n, n, 0);
    if (r->projection) {
        feature_row_encode(out, r->projection, n, 0);
        out += step;
    }
    memcpy(out, r->in_top, n);
    put_ranks(out + n, r->low, n);
    put_ranks(out + n + n * rank_bytes(n), r->high, n);
}

static void decode(struct error_row *r, const unsigned char *in) {
    size_t n = r->n, step = feature_row_bytes(n, 0);
    for (size_t b = 0; b < r->blocks; b++, in += step) feature_row_decode(r->left + b * n, in, n, 0);
    if (r->projection) {
        feature_row_decode(r->projection, in, n, 0);
        in += step;
    }
    memcpy(r->in_top, in, n);
    get_ranks(r->low, in + n, n);
    get_ranks(r->high, in + n + n * rank_bytes(n), n);
}

enum status store_error_set_delete(struct store *s, int64_t score_set) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM error_set WHERE score_set = ?", "i", score_set));
}

enum status store_error_put(struct store *s, const struct error_set *set, size_t query, const struct error_row *row) {
    TRY(check_row(set, row));
    size_t len = row_bytes(row->n, row->blocks, row->projection != NULL);
    unsigned char *bytes = mem_array(len, 1);
    if (!bytes) return fail(ERR_NOMEM, "error bars: out of memory");
    encode(bytes, row);
    enum status st = db_unit_begin(s);
    if (st == OK) {
        st = db_items_unmoved(s);
        if (st == OK)
            st = db_exec(s, "INSERT OR REPLACE INTO error_row (error_set, query, xxh3, bytes) SELECT id, ?2, ?3, ?4 FROM error_set"
                            " WHERE id = ?1 AND score_set = ?5", "izubi", set->id, query, hash_xxh3(bytes, len), bytes, len, set->score_set);
        if (st == OK && !sqlite3_changes(s->db)) st = db_set_gone(s, "error", set->id);
        st = db_unit_end(s, st);
    }
    mem_free(bytes);
    return st;
}

enum status store_error_get(struct store *s, const struct error_set *set, size_t query, size_t n, struct error_row *out) {
    sqlite3_stmt *q;
    size_t len;
    int row;
    *out = (struct error_row){ 0 };
    TRY(db_query(s, &q, "SELECT xxh3, bytes FROM error_row WHERE error_set = ? AND query = ?", "iz", set->id, query));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: score set %lld has no error bars for query %zu", s->path, (long long)set->score_set, query);
    const void *bytes = col_blob(q, 1, &len);
    enum status st = OK;
    if (!n || n > 1u << 27 || set->blocks > FEATURE_PARTS_MAX || len != row_bytes(n, set->blocks, set->projections > 0) ||
        hash_xxh3(bytes, len) != col_u64(q, 0))
        st = fail(ERR_FORMAT, "%s: error bars of query %zu in score set %lld are damaged; dtrak score --errors makes them again once "
                  "they are dropped", s->path, query, (long long)set->score_set);
    if (st == OK) st = error_row_new(out, n, set->blocks, set->projections > 0);
    if (st == OK) decode(out, bytes);
    db_end(q);
    return st;
}
