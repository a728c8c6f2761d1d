/* score_rows.c - the rows of a score set, and the index of their ends. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <string.h>

/* --- writing --- */

static enum status put_top(struct store *s, const struct score_set *set, size_t query, const float *row,
                           int opponents) {
    struct ranked top[100];
    int64_t depth = 0;
    TRY(db_number(s, &depth, "SELECT top FROM score_set WHERE id = ?", "i", set->id));
    size_t count = depth < 0 ? 0 : depth > 100 ? 100 : (size_t)depth;
    if (count > set->n) count = set->n;
    TRY(score_row_top(top, count, row, set->n, opponents));
    for (size_t i = 0; i < count; i++) {
        int64_t rank = (int64_t)top[i].rank;
        TRY(db_exec(s, "INSERT INTO score_top (score_set, item, query, rank) VALUES (?, ?, ?, ?)", "izzi",
                    set->id, top[i].item, query, opponents ? -rank : rank));
    }
    return OK;
}

/* The set is still there, and the query what it was. */
static enum status check_place(struct store *s, const struct score_set *set) {
    int64_t there = 0;
    char hex[65];
    TRY(db_items_unmoved(s));
    TRY(db_score_identity(s, hex, set));
    TRY(db_number(s, &there, "SELECT id FROM score_set WHERE id = ? AND identity = ?", "it", set->id, hex));
    return there ? OK : db_set_gone(s, "score", set->id);
}

static enum status put(struct store *s, const struct score_set *set, size_t query, const float *row,
                       int format, const unsigned char *bytes, size_t len) {
    int64_t there = 0;
    TRY(check_place(s, set));
    TRY(db_number(s, &there, "SELECT id FROM score WHERE score_set = ? AND query = ?", "iz", set->id, query));
    if (there) {
        TRY(db_exec(s, "DELETE FROM score WHERE id = ?", "i", there));
        TRY(db_exec(s, "DELETE FROM score_top WHERE score_set = ? AND query = ?", "iz", set->id, query));
    }
    TRY(db_exec(s, "INSERT INTO score (score_set, query, format, xxh3, bytes) VALUES (?, ?, ?, ?, ?)",
                "iznub", set->id, query, format, hash_xxh3(bytes, len), bytes, len));
    TRY(put_top(s, set, query, row, 0));
    return put_top(s, set, query, row, 1);
}

enum status store_score_put(struct store *s, const struct score_set *set, size_t query,
                            const float *scores) {
    enum status st = OK;
    size_t n = set->n, len;
    int format;
    if (query >= set->rows)
        return fail(ERR_RANGE, "score set %lld: query %zu of %zu", (long long)set->id, query, set->rows);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scores[i]))
            return fail(ERR_NUMERIC, "score of train:%zu for %s:%zu (%s) is not finite", i,
                        split_name(set->split), query, set->method);
    float *row = mem_array(n, sizeof *row);
    unsigned char *bytes = mem_array(2 * n, 4);
    if (!row || !bytes) { st = fail(ERR_NOMEM, "score row: out of memory"); goto done; }
    for (size_t i = 0; i < n; i++) row[i] = score_round(scores[i], set->mantissa_bits);
    TRY_TO(score_row_encode(bytes, &len, &format, bytes + 4 * n, row, n));
    TRY_TO(db_unit_begin(s));
    st = db_unit_end(s, put(s, set, query, row, format, bytes, len));
done:
    mem_free(row);
    mem_free(bytes);
    return st;
}

/* --- rankings that came without rows ---
 *
 * Entries of 12 bytes, little-endian: item, place (1, 2, .. proponents, -1, -2, .. opponents),
 * score. */

static void put_le32(unsigned char *p, uint32_t u) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(u >> 8 * i);
}

static uint32_t get_le32(const unsigned char *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum status put_list(struct store *s, const struct score_set *set, size_t query, const struct ranked *top,
                            size_t n_top, const struct ranked *bottom, size_t n_bottom, unsigned char *bytes) {
    size_t count = n_top + n_bottom, len = 12 * count;
    TRY(check_place(s, set));
    TRY(db_exec(s, "DELETE FROM score WHERE score_set = ? AND query = ?", "iz", set->id, query));
    TRY(db_exec(s, "DELETE FROM score_top WHERE score_set = ? AND query = ?", "iz", set->id, query));
    for (size_t i = 0; i < count; i++) {
        const struct ranked *e = i < n_top ? &top[i] : &bottom[i - n_top];
        int32_t place = i < n_top ? (int32_t)(i + 1) : -(int32_t)(i - n_top + 1);
        uint32_t u;
        memcpy(&u, &e->score, 4);
        put_le32(bytes + 12 * i, (uint32_t)e->item);
        put_le32(bytes + 12 * i + 4, (uint32_t)place);
        put_le32(bytes + 12 * i + 8, u);
        TRY(db_exec(s, "INSERT INTO score_top (score_set, item, query, rank, score) VALUES (?, ?, ?, ?, ?)", "izznd", set->id,
                    e->item, query, (int)place, (double)e->score));
    }
    return db_exec(s, "INSERT INTO score (score_set, query, format, xxh3, bytes) VALUES (?, ?, ?, ?, ?)", "iznub", set->id,
                   query, ROW_TOP, hash_xxh3(bytes, len), bytes, len);
}

enum status store_score_list_put(struct store *s, const struct score_set *set, size_t query, const struct ranked *top,
                                 size_t n_top, const struct ranked *bottom, size_t n_bottom) {
    if (query >= set->rows || n_top > set->n || n_bottom > set->n || n_top + n_bottom == 0)
        return fail(ERR_RANGE, "score set %lld: query %zu of %zu with %zu and %zu entries", (long long)set->id, query,
                    set->rows, n_top, n_bottom);
    for (size_t i = 0; i < n_top + n_bottom; i++) {
        const struct ranked *e = i < n_top ? &top[i] : &bottom[i - n_top];
        if (e->item >= set->n) return fail(ERR_RANGE, "train:%zu of %zu", e->item, set->n);
        if (!isfinite(e->score))
            return fail(ERR_NUMERIC, "score of train:%zu for %s:%zu (%s) is not finite", e->item, split_name(set->split),
                        query, set->method);
    }
    unsigned char *bytes = mem_array(n_top + n_bottom, 12);
    if (!bytes) return fail(ERR_NOMEM, "ranking: out of memory");
    enum status st = db_unit_begin(s);
    if (st == OK) st = db_unit_end(s, put_list(s, set, query, top, n_top, bottom, n_bottom, bytes));
    mem_free(bytes);
    return st;
}

/* The entries of one side; *is_list = 0 where the query has a whole row, or nothing. */
static enum status read_list(struct store *s, const struct score_set *set, size_t query, int opponents, size_t count,
                             struct ranked *out, size_t *got, int *is_list) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    *is_list = 0;
    TRY(db_query(s, &q, "SELECT xxh3, bytes FROM score WHERE score_set = ? AND query = ? AND format = 2", "iz", set->id, query));
    TRY(db_step(s, q, &row));
    if (!row) return OK;
    const unsigned char *b = col_blob(q, 1, &len);
    enum status st = hash_xxh3(b, len) == col_u64(q, 0) && len % 12 == 0 ? OK
        : fail(ERR_FORMAT, "%s: the ranking of %s:%zu in score set %lld (%s) is damaged: its checksum does not match", s->path,
               split_name(set->split), query, (long long)set->id, set->method);
    for (size_t i = 0; i < len / 12 && st == OK; i++) {
        int32_t place = (int32_t)get_le32(b + 12 * i + 4);
        uint32_t u = get_le32(b + 12 * i + 8);
        if ((place < 0) != opponents || *got == count || get_le32(b + 12 * i) >= set->n) continue;
        out[*got] = (struct ranked){ .item = get_le32(b + 12 * i), .rank = *got + 1 };
        memcpy(&out[(*got)++].score, &u, 4);
    }
    db_end(q);
    *is_list = 1;
    return st;
}

/* --- reading --- */

enum status store_score_read(struct store *s, const struct score_set *set, size_t query, float *out) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    TRY(db_query(s, &q, "SELECT format, xxh3, bytes FROM score WHERE score_set = ? AND query = ?", "iz",
                 set->id, query));
    TRY(db_step(s, q, &row));
    if (!row) {
        char db[1024];
        text_shell_word(db, sizeof db, s->path);
        return fail(ERR_MISSING, "%s: no %s scores for %s:%zu; dtrak score %s --method %s%s%s makes them", s->path, set->method,
                    split_name(set->split), query, db, set->method, set->loss[0] ? " --loss " : "", set->loss);
    }
    const void *bytes = col_blob(q, 2, &len);
    enum status st = ERR_FORMAT;
    if (col_int(q, 0) == ROW_TOP)
        st = fail(ERR_MISSING, "%s: only the ends of the ranking of %s:%zu were imported (%s): what needs every score is not there",
                  s->path, split_name(set->split), query, set->method);
    else if (hash_xxh3(bytes, len) == col_u64(q, 1))
        st = score_row_decode(out, set->n, col_int(q, 0), bytes, len);
    if (st == ERR_FORMAT)
        st = fail(ERR_FORMAT, "%s: the scores of %s:%zu in score set %lld (%s) are damaged: "
                              "their checksum does not match", s->path, split_name(set->split), query,
                  (long long)set->id, set->method);
    db_end(q);
    return st;
}

enum status store_scores_missing(struct store *s, const struct score_set *set, struct index_list *out) {
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    char *there = mem_array(set->rows + 1, 1);
    size_t *index = mem_array(set->rows + 1, sizeof *index);
    if (!there || !index) { st = fail(ERR_NOMEM, "missing scores: out of memory"); goto done; }
    TRY_TO(db_query(s, &q, "SELECT query FROM score WHERE score_set = ?", "i", set->id));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        if (col_size(q, 0) < set->rows) there[col_size(q, 0)] = 1;
    }
    out->index = index;
    index = NULL;
    for (size_t i = 0; i < set->rows; i++)
        if (!there[i]) out->index[out->count++] = i;
done:
    db_end(q);
    mem_free(there);
    mem_free(index);
    return st;
}

enum status store_score_top(struct store *s, const struct score_set *set, size_t query, int opponents,
                            size_t count, struct ranked *out, size_t *got) {
    int is_list;
    *got = 0;
    if (count > set->n) count = set->n;
    TRY(read_list(s, set, query, opponents, count, out, got, &is_list));
    if (is_list) return OK;
    float *row = mem_array(set->n, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "ranking: out of memory");
    enum status st = store_score_read(s, set, query, row);
    if (st == OK) st = score_row_top(out, count, row, set->n, opponents);
    if (st == OK) *got = count;
    mem_free(row);
    return st;
}

/* The scores stand in the rows; score_top has its own only for rankings that
 * came without rows. */
static enum status fill_scores(struct store *s, const struct score_set *set, size_t item,
                               struct ranked *out, size_t count) {
    float *row = mem_array(set->n, sizeof *row);
    enum status st = row ? OK : fail(ERR_NOMEM, "ranking: out of memory");
    for (size_t i = 0; i < count && st == OK; i++)
        if (isnan(out[i].score)) {
            st = store_score_read(s, set, out[i].item, row);
            if (st == OK) out[i].score = row[item];
        }
    mem_free(row);
    return st;
}

enum status store_score_supported(struct store *s, const struct score_set *set, size_t item,
                                  int opponents, size_t count, struct ranked *out, size_t *got) {
    sqlite3_stmt *q;
    int row;
    size_t have = 0;
    *got = 0;
    if (item >= set->n)
        return fail(ERR_RANGE, "score set %lld: train:%zu of %zu", (long long)set->id, item, set->n);
    TRY(db_query(s, &q, "SELECT query, abs(rank), score FROM score_top WHERE score_set = ?1 AND item = ?2"
                        " AND rank * ?3 > 0 ORDER BY abs(rank), query LIMIT ?4", "iznz", set->id, item,
                 opponents ? -1 : 1, count));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) break;
        if (have == count) continue;
        out[have].item = col_size(q, 0);
        out[have].rank = col_size(q, 1);
        out[have++].score = (float)col_double(q, 2);
    }
    TRY(fill_scores(s, set, item, out, have));
    *got = have;
    return OK;
}
