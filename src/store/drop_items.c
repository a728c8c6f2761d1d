/* drop_items.c - items that go with everything kept by item, and free space given back. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/store_drop.h"

#include <stdio.h>
#include <string.h>

#define ERRORS_OF "error_set IN (SELECT e.id FROM error_set e JOIN score_set f ON f.id = e.score_set WHERE f.split = ?)"

/* Whoever holds a lease writes now and then, and must not wait for minutes. */
static enum status check_idle(struct store *s) {
    int64_t leases = 0;
    TRY(db_number(s, &leases, "SELECT (SELECT count(*) FROM subset WHERE state = 'open' AND owner <> '' AND lease_until / 1000 > unixepoch())"
                              " + (SELECT count(*) FROM job WHERE state = 'running' AND lease_until / 1000 > unixepoch())", ""));
    return leases ? fail(ERR_DB, "%s: work is going on in it", s->path) : OK;
}

/* VACUUM attaches a file of its own. */
enum status store_compact(struct store *s) {
    TRY(check_idle(s));
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 1);
    enum status st = db_script(s, "VACUUM");
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    return st;
}

enum status store_embedding_delete(struct store *s, const char *name, enum split split) {
    return db_exec(s, "DELETE FROM embedding WHERE name = ? AND split = ?", "tt", name, split_name(split));
}

/* --- items: what is kept in whole arrays --- */

struct going {
    struct store *s;
    enum split split;
    const size_t *index;          /* dropped, ascending */
    size_t count, items;          /* of them; items before */
    size_t *kept;                 /* [items - count] old indices */
};

static size_t left(const struct going *g) { return g->items - g->count; }

/* The kept rows of the first `rows` items, moved up; *n says how many. */
static void pack_rows(const struct going *g, void *rows, size_t bytes, size_t count, size_t *n) {
    unsigned char *p = rows;
    *n = 0;
    for (size_t i = 0; i < left(g) && g->kept[i] < count; i++, ++*n) memmove(p + i * bytes, p + g->kept[i] * bytes, bytes);
}

static enum status drop_from_kernel(const struct going *g, int64_t set, enum kernel_part part) {
    size_t rows, cols, n;
    double *values;
    int64_t float64 = 1;
    const char *name = part == KERNEL_CROSS ? "cross" : "self";
    enum status st = store_kernel_get(g->s, set, part, g->split, &rows, &cols, &values);
    if (st == ERR_MISSING) return OK;
    TRY(st);
    pack_rows(g, values, cols * sizeof *values, rows, &n);
    st = db_number(g->s, &float64, "SELECT float64 FROM kernel WHERE feature_set = ? AND part = ? AND split = ?", "itt", set, name,
                   split_name(g->split));
    if (st == OK && n < rows)
        st = n ? store_kernel_put(g->s, set, part, g->split, n, cols, float64 != 0, values)
               : db_exec(g->s, "DELETE FROM kernel WHERE feature_set = ? AND part = ? AND split = ?", "itt", set, name, split_name(g->split));
    mem_free(values);
    return st;
}

/* Of an embedding that was there before the split grew too: its rows are those of the first items. */
static enum status drop_from_embedding(const struct going *g, const struct embedding *e) {
    float *values;
    size_t n;
    TRY(store_embedding_read(g->s, e, &values));
    pack_rows(g, values, e->cols * sizeof *values, e->rows, &n);
    size_t len = n * e->cols * sizeof *values;
    enum status st = OK;
    if (!n) st = store_embedding_delete(g->s, e->name, e->split);
    else if (n < e->rows)
        st = db_exec(g->s, "UPDATE embedding SET rows = ?, xxh3 = ?, bytes = ? WHERE name = ? AND split = ?", "zubtt", n,
                     hash_xxh3(values, len), values, len, e->name, split_name(e->split));
    mem_free(values);
    return st;
}

/* Block b of what is left, out of the old blocks at and after it, which are still there. */
static enum status move_block(const struct going *g, const struct feature_set *old, const struct feature_set *now, size_t b, float *rows) {
    size_t first = b * old->block_rows, k = old->identity.k, parts = old->identity.parts ? old->identity.parts : 1;
    size_t count = now->rows - first < old->block_rows ? now->rows - first : old->block_rows;
    for (size_t p = 0; p < parts; p++)
        for (size_t i = 0; i < count; i++)
            TRY(store_features_read_part(g->s, old, p, g->kept[first + i], 1, rows + (p * count + i) * k));
    TRY(store_feature_block_delete(g->s, old, b));   /* it may have been longer */
    return store_feature_block_put(g->s, now, b, rows);
}

static enum status drop_from_features(const struct going *g, const struct feature_set *old) {
    struct feature_set now = *old;
    size_t parts = old->identity.parts ? old->identity.parts : 1, gone = 0;
    while (gone < g->count && g->index[gone] < old->rows) gone++;
    if (!gone) return OK;
    if (old->files) return fail(ERR_RANGE, "features of %s, loss %s, stay in files of other programs, which are not changed; drop the features first",
                                split_name(g->split), old->identity.loss);
    now.rows = old->rows - gone;
    TRY(db_exec(g->s, "UPDATE feature_set SET rows = ? WHERE id = ?", "zi", now.rows, old->id));
    float *rows = mem_array(old->block_rows * parts * old->identity.k, sizeof *rows);
    enum status st = rows ? OK : fail(ERR_NOMEM, "drop: out of memory");
    size_t b = g->index[0] / old->block_rows;
    for (; st == OK && !old->dropped && b * old->block_rows < now.rows; b++) {
        st = move_block(g, old, &now, b, rows);
        if (st == ERR_MISSING) st = store_feature_block_delete(g->s, old, b);   /* computed again */
    }
    mem_free(rows);
    if (st == OK) st = db_exec(g->s, "DELETE FROM feature_block WHERE feature_set = ? AND block >= ?", "iz", old->id, b * parts);
    return st;
}

static enum status drop_from_arrays(const struct going *g) {
    struct feature_set_list f = { 0 };
    struct embedding_list e = { 0 };
    enum status st = store_feature_sets_list(g->s, &f);
    for (size_t i = 0; i < f.count && st == OK; i++) {
        if (f.set[i].identity.split == g->split) st = drop_from_features(g, &f.set[i]);
        else if (f.set[i].identity.split == SPLIT_TRAIN) {
            st = drop_from_kernel(g, f.set[i].id, KERNEL_CROSS);
            if (st == OK) st = drop_from_kernel(g, f.set[i].id, KERNEL_SELF);
        }
    }
    if (st == OK) st = store_embeddings_list(g->s, &e);
    for (size_t i = 0; i < e.count && st == OK; i++)
        if (e.embedding[i].split == g->split) st = drop_from_embedding(g, &e.embedding[i]);
    feature_set_list_free(&f);
    embedding_list_free(&e);
    return st;
}

/* --- items: what is kept in rows --- */

/* Numbers above the dropped one go down by one.  By way of negative ones: no two rows ever have the same. */
static enum status drop_from_rows(struct store *s, const char *split, size_t at) {
    TRY(db_exec(s, "DELETE FROM item WHERE split = ? AND idx = ?", "tz", split, at));
    TRY(db_exec(s, "UPDATE item SET idx = -idx WHERE split = ? AND idx > ?", "tz", split, at));
    TRY(db_exec(s, "UPDATE item SET idx = -idx - 1 WHERE split = ? AND idx < 0", "t", split));
    TRY(db_exec(s, "UPDATE score_set SET rows = rows - 1 WHERE split = ? AND rows > ?", "tz", split, at));
    TRY(db_exec(s, "DELETE FROM score WHERE query = ? AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "zt", at, split));
    TRY(db_exec(s, "UPDATE score SET query = -query WHERE query > ? AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "zt", at, split));
    TRY(db_exec(s, "UPDATE score SET query = -query - 1 WHERE query < 0 AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "t", split));
    TRY(db_exec(s, "DELETE FROM error_row WHERE query = ? AND " ERRORS_OF, "zt", at, split));
    TRY(db_exec(s, "UPDATE error_row SET query = -query WHERE query > ? AND " ERRORS_OF, "zt", at, split));
    TRY(db_exec(s, "UPDATE error_row SET query = -query - 1 WHERE query < 0 AND " ERRORS_OF, "t", split));
    TRY(db_exec(s, "DELETE FROM score_top WHERE query = ? AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "zt", at, split));
    TRY(db_exec(s, "UPDATE score_top SET query = -query WHERE query > ? AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "zt", at,
                split));
    TRY(db_exec(s, "UPDATE score_top SET query = -query - 1 WHERE query < 0 AND score_set IN (SELECT id FROM score_set WHERE split = ?)", "t",
                split));
    TRY(db_exec(s, "DELETE FROM item_stat WHERE idx = ? AND stat_set IN (SELECT id FROM stat_set WHERE split = ?)", "zt", at, split));
    TRY(db_exec(s, "UPDATE item_stat SET idx = -idx WHERE idx > ? AND stat_set IN (SELECT id FROM stat_set WHERE split = ?)", "zt", at, split));
    return db_exec(s, "UPDATE item_stat SET idx = -idx - 1 WHERE idx < 0 AND stat_set IN (SELECT id FROM stat_set WHERE split = ?)", "t", split);
}

static enum status drop_all(const struct going *g) {
    /* From the end, so that the numbers before stay right. */
    for (size_t i = g->count; i-- > 0;) TRY(drop_from_rows(g->s, split_name(g->split), g->index[i]));
    /* Their own pictures, and those of networks retrained without what made them. */
    TRY(db_exec(g->s, "DELETE FROM image WHERE id NOT IN (SELECT image FROM item) AND id NOT IN (SELECT image FROM counterfactual)", ""));
    return drop_from_arrays(g);
}

enum status store_items_drop(struct store *s, enum split split, const size_t *index, size_t count) {
    struct going g = { .s = s, .split = split, .index = index, .count = count };
    TRY(store_items_count(s, split, &g.items));
    for (size_t i = 0; i < count; i++)
        if (split == SPLIT_TRAIN || index[i] >= g.items || (i && index[i] <= index[i - 1]))
            return fail(ERR_RANGE, "%s:%zu cannot be dropped", split_name(split), index[i]);
    if (!count) return OK;
    g.kept = mem_array(g.items + 1, sizeof *g.kept);
    if (!g.kept) return fail(ERR_NOMEM, "drop: out of memory");
    for (size_t i = 0, at = 0, n = 0; i < g.items; i++)
        if (at < count && index[at] == i) at++;
        else g.kept[n++] = i;
    enum status st = db_unit_begin(s);
    if (st == OK) st = db_unit_end(s, drop_all(&g));
    mem_free(g.kept);
    return st;
}
