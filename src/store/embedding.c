/* embedding.c - numbers per item that came from elsewhere. */
#include "dtrak/store_embedding.h"
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

#define COLUMNS "name, split, rows, cols, origin, xxh3, created"

void embedding_list_free(struct embedding_list *l) {
    mem_free(l->embedding);
    *l = (struct embedding_list){ NULL, 0 };
}

static void read_row(struct embedding *e, sqlite3_stmt *q) {
    memset(e, 0, sizeof *e);
    col_text(e->name, sizeof e->name, q, 0);
    e->split = split_parse(col_str(q, 1));
    e->rows = col_size(q, 2);
    e->cols = col_size(q, 3);
    col_text(e->origin, sizeof e->origin, q, 4);
    e->checksum = col_u64(q, 5);
    col_text(e->created, sizeof e->created, q, 6);
}

/* --- put --- */

static enum status check_shape(struct store *s, const struct embedding *e) {
    size_t items;
    int64_t cols = 0;
    TRY(store_items_count(s, e->split, &items));
    if (e->rows != items)
        return fail(ERR_RANGE, "%s: %zu rows, expected one for each of the %zu %s items", e->origin, e->rows, items,
                    split_name(e->split));
    if (!e->rows || !e->cols || e->cols > EMBEDDING_VALUES_MAX / e->rows)
        return fail(ERR_RANGE, "%s: a shape of %zu x %zu, expected 1 to %zu numbers", e->origin, e->rows, e->cols,
                    EMBEDDING_VALUES_MAX);
    TRY(db_number(s, &cols, "SELECT cols FROM embedding WHERE name = ? AND split <> ?", "tt", e->name,
                  split_name(e->split)));
    if (cols && (size_t)cols != e->cols)
        return fail(ERR_RANGE, "%s: %zu columns, embedding '%s' has %lld for the other splits; give it another --name",
                    e->origin, e->cols, e->name, (long long)cols);
    return OK;
}

static enum status check_values(const struct embedding *e, const float *values) {
    for (size_t i = 0; i < e->rows * e->cols; i++)
        if (!isfinite(values[i]))
            return fail(ERR_NUMERIC, "%s: row %zu, column %zu is not a finite float32 number", e->origin, i / e->cols,
                        i % e->cols);
    return OK;
}

static enum status put(struct store *s, const struct embedding *e, const float *values) {
    size_t len = e->rows * e->cols * sizeof *values;
    char now[21];
    clock_iso(now);
    TRY(check_shape(s, e));
    return db_exec(s, "INSERT INTO embedding (name, split, rows, cols, origin, created, xxh3, bytes)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name, split) DO UPDATE"
                      " SET rows = ?3, cols = ?4, origin = ?5, created = ?6, xxh3 = ?7, bytes = ?8", "ttzzttub",
                   e->name, split_name(e->split), e->rows, e->cols, e->origin, now, hash_xxh3(values, len), values, len);
}

enum status store_embedding_put(struct store *s, const struct embedding *e, const float *values) {
    TRY(check_shape(s, e));
    TRY(check_values(e, values));
    TRY(db_unit_begin(s));
    return db_unit_end(s, put(s, e, values));
}

/* --- get --- */

enum status store_embedding_get(struct store *s, const char *name, enum split split, struct embedding *out) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT " COLUMNS " FROM embedding WHERE name = ? AND split = ?", "tt", name, split_name(split)));
    TRY(db_step(s, q, &row));
    if (!row)
        return fail(ERR_MISSING, "%s: embedding '%s' has no rows for %s; add them with: dtrak add %s --embedding FILE.npy "
                    "--split %s --name %s", s->path, name, split_name(split), s->path, split_name(split), name);
    read_row(out, q);
    db_end(q);
    return OK;
}

enum status store_embedding_read(struct store *s, const struct embedding *e, float **values) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    *values = NULL;
    TRY(db_query(s, &q, "SELECT bytes FROM embedding WHERE name = ? AND split = ? AND xxh3 = ?", "ttu", e->name,
                 split_name(e->split), e->checksum));
    TRY(db_step(s, q, &row));
    if (!row)
        return fail(ERR_MISSING, "%s: embedding '%s' of %s is not there any more", s->path, e->name, split_name(e->split));
    const void *bytes = col_blob(q, 0, &len);
    enum status st = OK;
    if (!e->rows || !e->cols || e->cols > EMBEDDING_VALUES_MAX / e->rows || len != e->rows * e->cols * sizeof **values ||
        hash_xxh3(bytes, len) != e->checksum)
        st = fail(ERR_FORMAT, "%s: embedding '%s' of %s is damaged: its checksum does not match", s->path, e->name,
                  split_name(e->split));
    if (st == OK && !(*values = mem_array(e->rows * e->cols, sizeof **values)))
        st = fail(ERR_NOMEM, "embedding: out of memory");
    if (st == OK) memcpy(*values, bytes, len);
    db_end(q);
    return st;
}

enum status store_embeddings_list(struct store *s, struct embedding_list *out) {
    struct embedding_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT " COLUMNS " FROM embedding ORDER BY name,"
                           " CASE split WHEN 'train' THEN 0 WHEN 'val' THEN 1 ELSE 2 END", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct embedding *more = db_grow(l.embedding, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "embeddings: out of memory"); goto done; }
        l.embedding = more;
        read_row(&more[l.count], q);
        if (more[l.count].split < SPLIT_COUNT) l.count++;
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    embedding_list_free(&l);
    return st;
}
