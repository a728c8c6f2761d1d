/* import_csv.c - rankings as text (csv_ranking.h) as a score set.
 *
 * A query with an entry for every training item, on whichever side, gets a whole
 * row; others keep the ends of their ranking that are there. */
#include "import_parts.h"

#include "dtrak/csv_ranking.h"
#include "dtrak/file.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"

#include <string.h>

enum { BYTES_MAX = 1 << 30 };

struct csv {
    const char *path;
    size_t queries, n;
    struct csv_entry *entry;
    size_t count;
};

/* The whole row where the two sides have every item; an item on both has one score. */
static enum status fill_row(float **row, const struct csv *c, const struct csv_entry *e, size_t count) {
    size_t items = 0;
    *row = NULL;
    if (count < c->n) return OK;
    float *x = mem_array(c->n, sizeof *x);
    unsigned char *has = mem_array(c->n, 1);
    enum status st = x && has ? OK : fail(ERR_NOMEM, "%s: out of memory", c->path);
    for (size_t i = 0; i < count && st == OK; i++) {
        x[e[i].item] = e[i].score;
        items += !has[e[i].item];
        has[e[i].item] = 1;
    }
    mem_free(has);
    if (st == OK && items == c->n) *row = x;
    else mem_free(x);
    return st;
}

static enum status put_list(struct store *s, const struct score_set *set, const struct csv *c, const struct csv_entry *e, size_t count) {
    size_t top = 0;
    struct ranked *list = mem_array(count, sizeof *list);
    if (!list) return fail(ERR_NOMEM, "%s: out of memory", c->path);
    while (top < count && !e[top].opponent) top++;
    for (size_t i = 0; i < count; i++) list[i] = (struct ranked){ .item = e[i].item, .score = e[i].score };
    enum status st = store_score_list_put(s, set, e->query, list, top, list + top, count - top);
    mem_free(list);
    return st;
}

static enum status put_query(struct store *s, const struct score_set *set, const struct csv *c, const struct csv_entry *e, size_t count,
                             struct import_result *r) {
    float *row;
    TRY(fill_row(&row, c, e, count));
    enum status st = row ? store_score_put(s, set, e->query, row) : put_list(s, set, c, e, count);
    r->lists += !row;
    r->queries++;
    mem_free(row);
    return st;
}

static enum status put_all(struct store *s, const struct import_options *o, const struct csv *c, uint64_t digest,
                           struct import_result *r) {
    struct checkpoint_list l = { 0 };
    struct score_set set;
    enum status st;
    enum method m = method_parse(o->method, NULL);
    struct score_target t = { o->method, o->loss, o->lambda, NULL, 0, o->split, o->timesteps, o->dims, "csv", o->name ? o->name : o->path, digest };
    if (m != METHOD_COUNT && method_has_checkpoint(m)) {
        TRY(import_checkpoint(s, o->checkpoint, r, &l));
        t.checkpoint = l.checkpoint;
        t.checkpoints = 1;
    }
    TRY_TO(import_score_set(s, &t, c->n, c->queries, &set));
    for (size_t i = 0, end; i < c->count; i = end) {
        for (end = i + 1; end < c->count && c->entry[end].query == c->entry[i].query; end++) continue;
        TRY_TO(put_query(s, &set, c, c->entry + i, end - i, r));
    }
    r->score_sets++;
    r->n = c->n;
done:
    checkpoint_list_free(&l);
    return st;
}

enum status import_csv(struct store *s, const struct import_options *o, struct import_result *r) {
    struct csv c = { .path = o->path };
    unsigned char *bytes;
    size_t len;
    TRY(store_items_count(s, SPLIT_TRAIN, &c.n));
    TRY(store_items_count(s, o->split, &c.queries));
    TRY(file_read(&bytes, &len, o->path, BYTES_MAX));
    uint64_t digest = hash_xxh3(bytes, len);
    struct csv_limits limits = { split_name(o->split), c.queries, c.n };
    enum status st = memchr(bytes, 0, len) ? fail(ERR_FORMAT, "%s: not a text file", o->path)
                                           : csv_ranking_read(&c.entry, &c.count, (char *)bytes, &limits, o->path);
    if (st == OK) st = put_all(s, o, &c, digest, r);
    mem_free(c.entry);
    mem_free(bytes);
    return st;
}
