/* item.c - items, their images and their labels. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const split_names[SPLIT_COUNT] = { "train", "val", "gen" };

const char *split_name(enum split s) { return s < SPLIT_COUNT ? split_names[s] : "?"; }

enum split split_parse(const char *name) {
    for (int i = 0; i < SPLIT_COUNT; i++)
        if (strcmp(name, split_names[i]) == 0) return (enum split)i;
    return SPLIT_COUNT;
}

enum status item_ref_parse(struct item_ref *out, const char *text) {
    const char *colon = strchr(text, ':');
    char name[8] = "";
    if (colon && (size_t)(colon - text) < sizeof name) memcpy(name, text, (size_t)(colon - text));
    out->split = split_parse(name);
    out->index = 0;
    int digits = 0;
    if (colon)
        for (const char *c = colon + 1; *c >= '0' && *c <= '9' && digits < 12; c++, digits++)
            out->index = out->index * 10 + (size_t)(*c - '0');
    if (out->split == SPLIT_COUNT || digits == 0 || colon[1 + digits])
        return fail(ERR_USAGE, "\"%s\" is not an item; write it like gen:17, val:3 or train:3912", text);
    return OK;
}

void item_ref_format(char out[32], struct item_ref ref) {
    snprintf(out, 32, "%s:%zu", split_name(ref.split), ref.index);
}

enum status item_ref_check(struct item_ref ref, size_t count) {
    char name[32], last[32];
    if (ref.index < count) return OK;
    item_ref_format(name, ref);
    if (!count) return fail(ERR_USAGE, "there is no %s: the database has no %s items", name, split_name(ref.split));
    item_ref_format(last, (struct item_ref){ ref.split, count - 1 });
    return fail(ERR_USAGE, "there is no %s: the last one is %s", name, last);
}

void item_list_free(struct item_list *l) {
    mem_free(l->item);
    mem_free(l->text);
    memset(l, 0, sizeof *l);
}

static enum status add_one(struct store *s, enum split split, size_t index, const struct item *it,
                           const void *image) {
    char hex[65];
    sha256_hex(hex, image, it->image_bytes);
    if (it->label >= 0 && it->label_name && it->label_name[0])
        TRY(db_exec(s, "INSERT INTO label (label, name) VALUES (?, ?) ON CONFLICT DO NOTHING", "nt",
                    it->label, it->label_name));
    TRY(db_exec(s, "INSERT INTO image (width, height, sha256, bytes) VALUES (?, ?, ?, ?)", "zztb",
                it->width_px, it->height_px, hex, image, it->image_bytes));
    int64_t image_id = sqlite3_last_insert_rowid(s->db);
    int gen = split == SPLIT_GEN;
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q,
        "INSERT INTO item (split, idx, label, caption, original, checkpoint, sampler, image, seed, steps, eta)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "tznttitiuzd", split_name(split), index,
        it->label, it->caption, it->original, gen ? it->checkpoint : INT64_C(0),
        gen ? it->sampler : NULL, image_id, it->seed, it->steps, it->eta));
    if (it->label < 0) sqlite3_bind_null(q, 3);
    if (!gen || it->checkpoint == 0) sqlite3_bind_null(q, 6);
    if (!gen)
        for (int i = 9; i <= 11; i++) sqlite3_bind_null(q, i);
    return db_step(s, q, &row);
}

static enum status add_all(struct store *s, enum split split, const struct item *items,
                           const void *const *images, size_t count, size_t *first) {
    int64_t next = 0;
    TRY(db_number(s, &next, "SELECT ifnull(max(idx) + 1, 0) FROM item WHERE split = ?", "t",
                  split_name(split)));
    *first = (size_t)next;
    for (size_t i = 0; i < count; i++)
        TRY(add_one(s, split, *first + i, &items[i], images[i]));
    return OK;
}

enum status store_items_add(struct store *s, enum split split, const struct item *items,
                            const void *const *images, size_t count, size_t *first) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].image_bytes == 0 || items[i].width_px == 0 || items[i].height_px == 0)
            return fail(ERR_RANGE, "item %zu to add to %s: an image of %zu bytes, %zux%zu", i,
                        split_name(split), items[i].image_bytes, items[i].width_px, items[i].height_px);
    TRY(db_unit_begin(s));
    enum status st = db_unit_end(s, add_all(s, split, items, images, count, &at));
    if (st == OK && first) *first = at;
    return st;
}

enum status store_items_count(struct store *s, enum split split, size_t *count) {
    int64_t n = 0;
    *count = 0;
    TRY(db_number(s, &n, "SELECT count(*) FROM item WHERE split = ?", "t", split_name(split)));
    *count = (size_t)n;
    return OK;
}

static void read_item(struct item *it, sqlite3_stmt *q, enum split split, struct buf *text) {
    it->id = sqlite3_column_int64(q, 0);
    it->split = split;
    it->index = col_size(q, 1);
    it->label = sqlite3_column_type(q, 2) == SQLITE_NULL ? -1 : col_int(q, 2);
    it->seed = col_u64(q, 3);
    it->checkpoint = sqlite3_column_int64(q, 4);
    it->steps = col_size(q, 5);
    it->eta = sqlite3_column_double(q, 6);
    it->width_px = col_size(q, 7);
    it->height_px = col_size(q, 8);
    it->image_bytes = col_size(q, 9);
    col_text(it->sha256, sizeof it->sha256, q, 10);
    for (int i = 11; i <= 14; i++) {
        const char *t = col_str(q, i);
        buf_add(text, t, strlen(t) + 1);
    }
}

/* The texts stand one after the other, four for each item. */
static void point_at_text(struct item_list *l) {
    const char *t = l->text;
    for (size_t i = 0; i < l->count; i++) {
        const char **field[4] = { &l->item[i].label_name, &l->item[i].caption, &l->item[i].original,
                                  &l->item[i].sampler };
        for (int f = 0; f < 4; f++, t += strlen(t) + 1) *field[f] = t;
    }
}

enum status store_items_read(struct store *s, enum split split, size_t first, size_t count,
                             struct item_list *out) {
    struct buf text = BUF_INIT;
    struct item_list l = { NULL, 0, NULL };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    if (count > INT64_MAX - first) count = INT64_MAX - first;
    TRY_TO(db_query(s, &q,
        "SELECT i.id, i.idx, i.label, i.seed, i.checkpoint, i.steps, i.eta, m.width, m.height,"
        " length(m.bytes), m.sha256, l.name, i.caption, i.original, i.sampler"
        " FROM item i LEFT JOIN image m ON m.id = i.image LEFT JOIN label l ON l.label = i.label"
        " WHERE i.split = ? AND i.idx >= ? AND i.idx < ? ORDER BY i.idx",
        "tzz", split_name(split), first, first + count));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct item *more = db_grow(l.item, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "items of %s: out of memory", split_name(split)); goto done; }
        l.item = more;
        read_item(&l.item[l.count++], q, split, &text);
    }
    TRY_TO(buf_status(&text));
    l.text = buf_detach(&text);
    if (l.count) point_at_text(&l);
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    buf_free(&text);
    item_list_free(&l);
    return st;
}

enum status store_items_visit(struct store *s, enum split split, void (*each)(void *ctx, const struct item *it), void *ctx) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT i.id, i.idx, i.label, i.seed, i.checkpoint, i.steps, i.eta, l.name, i.caption, i.original, i.sampler"
                        " FROM item i LEFT JOIN label l ON l.label = i.label WHERE i.split = ? ORDER BY i.idx", "t", split_name(split)));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) return OK;
        struct item it = { .id = sqlite3_column_int64(q, 0), .split = split, .index = col_size(q, 1), .seed = col_u64(q, 3),
                           .label = sqlite3_column_type(q, 2) == SQLITE_NULL ? -1 : col_int(q, 2),
                           .checkpoint = sqlite3_column_int64(q, 4), .steps = col_size(q, 5), .eta = sqlite3_column_double(q, 6),
                           .label_name = col_str(q, 7), .caption = col_str(q, 8), .original = col_str(q, 9), .sampler = col_str(q, 10) };
        each(ctx, &it);
    }
}

enum status store_labels_read(struct store *s, enum split split, int *label, size_t count) {
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    for (size_t i = 0; i < count; i++) label[i] = -1;
    TRY_TO(db_query(s, &q, "SELECT idx, label FROM item WHERE split = ? AND label IS NOT NULL", "t", split_name(split)));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        size_t i = (size_t)col_int(q, 0);
        if (i < count) label[i] = (int)col_int(q, 1);
    }
done:
    db_end(q);
    return st;
}

enum status store_image_read(struct store *s, struct item_ref ref, void **bytes, size_t *len) {
    sqlite3_stmt *q;
    int row;
    char name[32], hex[65];
    *bytes = NULL;
    *len = 0;
    item_ref_format(name, ref);
    TRY(db_query(s, &q, "SELECT m.bytes, m.sha256 FROM item i JOIN image m ON m.id = i.image"
                        " WHERE i.split = ? AND i.idx = ?", "tz", split_name(ref.split), ref.index));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: there is no item %s", s->path, name);
    size_t size;
    const void *blob = col_blob(q, 0, &size);
    sha256_hex(hex, blob, size);
    enum status st = OK;
    if (strcmp(hex, col_str(q, 1)) != 0)
        st = fail(ERR_FORMAT, "%s: the image of %s is damaged: its SHA-256 does not match", s->path, name);
    else if (!(*bytes = mem_copy_bytes(blob, size)))
        st = fail(ERR_NOMEM, "image of %s: out of memory", name);
    else
        *len = size;
    db_end(q);
    return st;
}

enum status store_items_drawn(struct store *s, int64_t checkpoint, size_t *count) {
    int64_t n = 0;
    TRY(db_number(s, &n, "SELECT count(*) FROM item WHERE checkpoint = ?", "i", checkpoint));
    *count = (size_t)n;
    return OK;
}

enum status store_item_find_generated(struct store *s, int64_t checkpoint, uint64_t seed,
                                      const char *sampler, size_t steps, double eta, size_t *index) {
    int64_t at = -1;
    TRY(db_number(s, &at,
        "SELECT idx FROM item WHERE checkpoint = ? AND seed = ? AND split = 'gen' AND sampler = ?"
        " AND steps = ? AND eta = ? ORDER BY idx LIMIT 1", "iutzd", checkpoint, seed, sampler, steps, eta));
    if (at < 0)
        return fail(ERR_MISSING, "%s: no generated item with seed %llu", s->path, (unsigned long long)seed);
    *index = (size_t)at;
    return OK;
}

/* Seeds of 2^53 and more do not go through JSON unchanged. */
enum status store_seed_unused(struct store *s, uint64_t *seed) {
    int64_t next = 0;
    TRY(db_number(s, &next, "SELECT ifnull(max(seed) + 1, 0) FROM item WHERE split = 'gen' AND seed >= 0 AND seed < 9007199254740991", ""));
    *seed = (uint64_t)next;
    return OK;
}

/* --- labels --- */

void label_list_free(struct label_list *l) {
    mem_free(l->label);
    memset(l, 0, sizeof *l);
}

static int by_label(const void *a, const void *b) {
    const struct label *x = a, *y = b;
    return (x->label > y->label) - (x->label < y->label);
}

static struct label *find_or_add_label(struct label_list *l, int label) {
    for (size_t i = 0; i < l->count; i++)
        if (l->label[i].label == label) return &l->label[i];
    struct label *more = db_grow(l->label, l->count, sizeof *more);
    if (!more) return NULL;
    l->label = more;
    memset(&more[l->count], 0, sizeof *more);
    more[l->count].label = label;
    return &more[l->count++];
}

/* Counts the labels of a split, and keeps those of the first `count` items in label[]. */
static enum status count_labels(struct store *s, struct label_list *l, enum split split, int *label, size_t count) {
    enum { DIRECT = 4096 };
    size_t place[DIRECT] = { 0 };   /* of small labels in the list, from 1 */
    sqlite3_stmt *q;
    int row;
    for (size_t i = 0; i < count; i++) label[i] = -1;
    TRY(db_query(s, &q, "SELECT idx, label FROM item WHERE split = ? AND label IS NOT NULL", "t", split_name(split)));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) return OK;
        size_t i = col_size(q, 0);
        int value = col_int(q, 1);
        if (i < count) label[i] = value;
        int is_small = value >= 0 && value < DIRECT;
        struct label *at = is_small && place[value] ? &l->label[place[value] - 1] : find_or_add_label(l, value);
        if (!at) break;
        if (is_small) place[value] = (size_t)(at - l->label) + 1;
        at->count[split]++;
    }
    db_end(q);
    return fail(ERR_NOMEM, "labels: out of memory");
}

static enum status name_labels(struct store *s, struct label_list *l) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT label, name FROM label", ""));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) return OK;
        struct label *at = find_or_add_label(l, col_int(q, 0));
        if (!at) break;
        col_text(at->name, sizeof at->name, q, 1);
    }
    db_end(q);
    return fail(ERR_NOMEM, "labels: out of memory");
}

enum status store_labels_list(struct store *s, struct label_list *out) { return store_labels_study(s, out, NULL, 0); }

enum status store_labels_study(struct store *s, struct label_list *out, int *train, size_t count) {
    struct label_list l = { NULL, 0 };
    memset(out, 0, sizeof *out);
    enum status st = name_labels(s, &l);
    for (int split = 0; split < SPLIT_COUNT && st == OK; split++)
        st = count_labels(s, &l, (enum split)split, train, split == SPLIT_TRAIN ? count : 0);
    if (st != OK) {
        label_list_free(&l);
        return st;
    }
    if (l.count) qsort(l.label, l.count, sizeof *l.label, by_label);
    *out = l;
    return OK;
}

enum status store_label_name(struct store *s, int label, char out[64]) {
    sqlite3_stmt *q;
    int row;
    out[0] = 0;
    TRY(db_query(s, &q, "SELECT name FROM label WHERE label = ?", "n", label));
    TRY(db_step(s, q, &row));
    if (row) col_text(out, 64, q, 0);
    db_end(q);
    return OK;
}

void index_list_free(struct index_list *l) {
    mem_free(l->index);
    memset(l, 0, sizeof *l);
}
