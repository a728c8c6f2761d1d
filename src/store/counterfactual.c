/* counterfactual.c - pictures without some training items; lists of items to take away. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <string.h>

/* --- counterfactuals --- */

void counterfactual_list_free(struct counterfactual_list *l) {
    mem_free(l->row);
    memset(l, 0, sizeof *l);
}

static enum status add_one(struct store *s, const struct counterfactual *c, const void *image) {
    int64_t item = 0, there = 0;
    char name[32], hex[65], now[21];
    item_ref_format(name, c->query);
    TRY(db_number(s, &item, "SELECT id FROM item WHERE split = ? AND idx = ?", "tz", split_name(c->query.split), c->query.index));
    if (!item) return fail(ERR_MISSING, "%s: there is no item %s", s->path, name);
    TRY(db_number(s, &there, "SELECT count(*) FROM counterfactual WHERE item = ? AND subset = ? AND label = ?", "iit", item,
                  c->subset, c->label));
    if (there) return OK;
    sha256_hex(hex, image, c->image_bytes);
    clock_iso(now);
    TRY(db_exec(s, "INSERT INTO image (width, height, sha256, bytes) VALUES (?, ?, ?, ?)", "zztb", c->width_px, c->height_px,
                hex, image, c->image_bytes));
    int64_t id = sqlite3_last_insert_rowid(s->db);
    return db_exec(s, "INSERT INTO counterfactual (item, subset, score_set, label, removed, image, pixel_l2, pixel_cos,"
                      " embed_cos, params, created) VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, '', ?)", "iiitzidddt", item,
                   c->subset, c->score_set, c->label, c->removed, id, c->pixel_l2, c->pixel_cos, c->embed_cos, now);
}

static enum status add_all(struct store *s, const struct counterfactual *rows, const void *const *images, size_t count) {
    TRY(db_items_unmoved(s));
    for (size_t i = 0; i < count; i++) TRY(add_one(s, &rows[i], images[i]));
    return OK;
}

enum status store_counterfactuals_add(struct store *s, const struct counterfactual *rows, const void *const *images,
                                      size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(rows[i].pixel_l2) || !isfinite(rows[i].pixel_cos) || !rows[i].image_bytes)
            return fail(ERR_NUMERIC, "counterfactual \"%s\": a distance of %g or a cosine of %g", rows[i].label,
                        rows[i].pixel_l2, rows[i].pixel_cos);
    TRY(db_unit_begin(s));
    return db_unit_end(s, add_all(s, rows, images, count));
}

static void read_row(struct counterfactual *c, sqlite3_stmt *q) {
    *c = (struct counterfactual){ .id = sqlite3_column_int64(q, 0), .query = { split_parse(col_str(q, 1)), col_size(q, 2) },
                                  .subset = sqlite3_column_int64(q, 3), .score_set = sqlite3_column_int64(q, 4),
                                  .removed = col_size(q, 6), .pixel_l2 = col_double(q, 7), .pixel_cos = col_double(q, 8),
                                  .embed_cos = col_double(q, 9), .width_px = col_size(q, 10), .height_px = col_size(q, 11),
                                  .image_bytes = col_size(q, 12), .protocol = sqlite3_column_int64(q, 14), .steps = col_size(q, 15) };
    col_text(c->label, sizeof c->label, q, 5);
    col_text(c->created, sizeof c->created, q, 13);
}

enum status store_counterfactuals_list(struct store *s, struct counterfactual_list *out) {
    struct counterfactual_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT c.id, i.split, i.idx, c.subset, c.score_set, c.label, c.removed, c.pixel_l2, c.pixel_cos,"
                           " c.embed_cos, m.width, m.height, length(m.bytes), c.created, n.protocol, n.steps FROM counterfactual c"
                           " JOIN item i ON i.id = c.item JOIN image m ON m.id = c.image JOIN subset n ON n.id = c.subset"
                           " ORDER BY i.split, i.idx, c.label, c.removed, c.id", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct counterfactual *more = db_grow(l.row, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "counterfactuals: out of memory"); goto done; }
        l.row = more;
        read_row(&more[l.count++], q);
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    counterfactual_list_free(&l);
    return st;
}

enum status store_counterfactual_image(struct store *s, int64_t id, void **bytes, size_t *len) {
    sqlite3_stmt *q;
    int row;
    char hex[65];
    *bytes = NULL;
    TRY(db_query(s, &q, "SELECT m.sha256, m.bytes FROM counterfactual c JOIN image m ON m.id = c.image WHERE c.id = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: there is no counterfactual %lld", s->path, (long long)id);
    const void *b = col_blob(q, 1, len);
    sha256_hex(hex, b, *len);
    enum status st = OK;
    if (strcmp(hex, col_str(q, 0)) != 0)
        st = fail(ERR_FORMAT, "%s: the image of counterfactual %lld does not match its SHA-256", s->path, (long long)id);
    else if (!(*bytes = mem_copy_bytes(b, *len)))
        st = fail(ERR_NOMEM, "counterfactual: out of memory");
    db_end(q);
    return st;
}

/* --- removal lists --- */

static enum status put_list(struct store *s, const char *name, const size_t *train, size_t count) {
    char now[21];
    clock_iso(now);
    TRY(db_exec(s, "DELETE FROM removal_list WHERE name = ?", "t", name));
    for (size_t i = 0; i < count; i++) {
        int64_t item = 0;
        TRY(db_number(s, &item, "SELECT id FROM item WHERE split = 'train' AND idx = ?", "z", train[i]));
        if (!item) return fail(ERR_MISSING, "%s: there is no item train:%zu", s->path, train[i]);
        TRY(db_exec(s, "INSERT INTO removal_list (name, position, item, created) VALUES (?, ?, ?, ?)", "tzit", name, i, item, now));
    }
    return OK;
}

enum status store_removal_list_put(struct store *s, const char *name, const size_t *train, size_t count) {
    TRY(db_fits("the name of a list", name, sizeof(char[64])));
    if (!name[0]) return fail(ERR_RANGE, "a list needs a name");
    TRY(db_unit_begin(s));
    return db_unit_end(s, put_list(s, name, train, count));
}

enum status store_removal_list_get(struct store *s, const char *name, struct index_list *out) {
    struct index_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT i.idx FROM removal_list r JOIN item i ON i.id = r.item WHERE r.name = ?"
                           " ORDER BY r.position", "t", name));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        size_t *more = db_grow(l.index, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "list: out of memory"); goto done; }
        l.index = more;
        l.index[l.count++] = col_size(q, 0);
    }
    if (!l.count) { st = fail(ERR_MISSING, "%s: there is no list \"%s\"; --take train:3,train:88 makes it", s->path, name); goto done; }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    index_list_free(&l);
    return st;
}

void removal_names_free(struct removal_names *l) {
    mem_free(l->name);
    mem_free(l->items);
    memset(l, 0, sizeof *l);
}

enum status store_removal_lists(struct store *s, struct removal_names *out) {
    struct removal_names l = { 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT name, count(*) FROM removal_list GROUP BY name ORDER BY name", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        void *name = db_grow(l.name, l.count, sizeof *l.name);
        if (name) l.name = name;
        size_t *items = name ? db_grow(l.items, l.count, sizeof *items) : NULL;
        if (!items) { st = fail(ERR_NOMEM, "lists: out of memory"); goto done; }
        l.items = items;
        col_text(l.name[l.count], sizeof l.name[0], q, 0);
        l.items[l.count++] = col_size(q, 1);
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    removal_names_free(&l);
    return st;
}
