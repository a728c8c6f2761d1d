/* mark.c - what the user marked and wrote. */
#include "db.h"

#include "dtrak/mem.h"

#include <string.h>

static enum status item_id(struct store *s, struct item_ref ref, int64_t *id) {
    char name[32];
    *id = 0;
    TRY(db_number(s, id, "SELECT id FROM item WHERE split = ? AND idx = ?", "tz", split_name(ref.split),
                  ref.index));
    if (*id) return OK;
    item_ref_format(name, ref);
    return fail(ERR_MISSING, "%s: there is no item %s", s->path, name);
}

enum status store_mark_set(struct store *s, struct item_ref ref, int marked) {
    int64_t id;
    char now[21];
    clock_iso(now);
    TRY(item_id(s, ref, &id));
    TRY(db_unit_begin(s));
    return db_unit_end(s, marked ? db_exec(s, "INSERT OR IGNORE INTO mark (item, created) VALUES (?, ?)",
                                           "it", id, now)
                                 : db_exec(s, "DELETE FROM mark WHERE item = ?", "i", id));
}

enum status store_mark_get(struct store *s, struct item_ref ref, int *marked) {
    int64_t id, n = 0;
    *marked = 0;
    TRY(item_id(s, ref, &id));
    TRY(db_number(s, &n, "SELECT count(*) FROM mark WHERE item = ?", "i", id));
    *marked = n > 0;
    return OK;
}

enum status store_marks_list(struct store *s, enum split split, struct index_list *out) {
    struct index_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT i.idx FROM mark m JOIN item i ON i.id = m.item WHERE i.split = ?"
                           " ORDER BY i.idx", "t", split_name(split)));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        size_t *more = db_grow(l.index, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "marks: out of memory"); goto done; }
        l.index = more;
        l.index[l.count++] = col_size(q, 0);
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    index_list_free(&l);
    return st;
}

enum status store_note_set(struct store *s, struct item_ref ref, const char *text) {
    int64_t id;
    char now[21];
    clock_iso(now);
    TRY(item_id(s, ref, &id));
    TRY(db_unit_begin(s));
    if (!text || !text[0]) return db_unit_end(s, db_exec(s, "DELETE FROM note WHERE item = ?", "i", id));
    return db_unit_end(s, db_exec(s, "INSERT OR REPLACE INTO note (item, text, updated) VALUES (?, ?, ?)",
                                  "itt", id, text, now));
}

enum status store_note_get(struct store *s, struct item_ref ref, char **text) {
    sqlite3_stmt *q;
    int64_t id;
    int row;
    *text = NULL;
    TRY(item_id(s, ref, &id));
    TRY(db_query(s, &q, "SELECT text FROM note WHERE item = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return OK;
    *text = mem_copy_string(col_str(q, 0));
    db_end(q);
    return *text ? OK : fail(ERR_NOMEM, "note: out of memory");
}
