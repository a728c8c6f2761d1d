/* stat.c - one number per item: training loss, self-influence, ... */
#include "db.h"

#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

static enum status find(struct store *s, const struct stat_key *k, int64_t *id) {
    *id = 0;
    return db_number(s, id, "SELECT id FROM stat_set WHERE name = ? AND key = ? AND split = ?"
                            " AND ifnull(checkpoint, 0) = ?", "ttti", k->name, k->key ? k->key : "",
                     split_name(k->split), k->checkpoint);
}

static enum status put(struct store *s, const struct stat_key *k, size_t first, size_t count,
                       const double *values) {
    int64_t id;
    TRY(find(s, k, &id));
    if (!id) {
        TRY(db_exec(s, "INSERT INTO stat_set (name, key, split, checkpoint) VALUES (?, ?, ?, nullif(?, 0))",
                    "ttti", k->name, k->key ? k->key : "", split_name(k->split), k->checkpoint));
        id = sqlite3_last_insert_rowid(s->db);
    }
    for (size_t i = 0; i < count; i++)
        TRY(db_exec(s, "INSERT OR REPLACE INTO item_stat (stat_set, idx, value) VALUES (?, ?, ?)", "izd",
                    id, first + i, values[i]));
    return OK;
}

enum status store_stat_put(struct store *s, const struct stat_key *k, size_t first, size_t count,
                           const double *values) {
    struct stat_set limits;
    TRY(db_fits("statistic name", k->name, sizeof limits.name));
    TRY(db_fits("statistic key", k->key ? k->key : "", sizeof limits.key));
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return fail(ERR_NUMERIC, "%s of %s:%zu is not finite", k->name, split_name(k->split), first + i);
    TRY(db_unit_begin(s));
    return db_unit_end(s, put(s, k, first, count, values));
}

enum status store_stat_delete(struct store *s, const struct stat_key *k) {
    int64_t id;
    TRY(find(s, k, &id));
    if (!id) return OK;
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM stat_set WHERE id = ?", "i", id));
}

enum status store_stat_get(struct store *s, const struct stat_key *k, size_t first, size_t count,
                           double *values, size_t *present) {
    sqlite3_stmt *q;
    int64_t id;
    int row;
    size_t have = 0;
    if (present) *present = 0;
    for (size_t i = 0; i < count; i++) values[i] = (double)NAN;
    TRY(find(s, k, &id));
    if (!id || count == 0) return OK;
    TRY(db_query(s, &q, "SELECT idx, value FROM item_stat WHERE stat_set = ? AND idx >= ? AND idx <= ?",
                 "izz", id, first, first + count - 1));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) break;
        size_t at = col_size(q, 0);
        if (at < first || at - first >= count) continue;
        values[at - first] = col_double(q, 1);
        have++;
    }
    if (present) *present = have;
    return OK;
}

void stat_set_list_free(struct stat_set_list *l) {
    mem_free(l->set);
    memset(l, 0, sizeof *l);
}

static enum status list_stats(struct store *s, struct stat_set_list *out, const char *sql) {
    struct stat_set_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, sql, ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct stat_set *more = db_grow(l.set, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "statistics: out of memory"); goto done; }
        l.set = more;
        struct stat_set *t = &more[l.count];
        col_text(t->name, sizeof t->name, q, 0);
        col_text(t->key, sizeof t->key, q, 1);
        t->checkpoint = sqlite3_column_int64(q, 2);
        t->split = split_parse(col_str(q, 3));
        t->count = col_size(q, 4);
        if (t->split < SPLIT_COUNT) l.count++;
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    stat_set_list_free(&l);
    return st;
}

enum status store_stats_list(struct store *s, struct stat_set_list *out) {
    return list_stats(s, out, "SELECT name, key, ifnull(checkpoint, 0), split,"
                              " (SELECT count(*) FROM item_stat i WHERE i.stat_set = t.id) FROM stat_set t ORDER BY id");
}

enum status store_stats_names(struct store *s, struct stat_set_list *out) {
    return list_stats(s, out, "SELECT name, key, ifnull(checkpoint, 0), split, 0 FROM stat_set ORDER BY id");
}
