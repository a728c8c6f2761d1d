/* watch.c - that items and sets are still those which long work began with, before it writes. */
#include "db.h"

#include "dtrak/hash.h"

/* Pictures in the order of their items: when some were dropped and the others took their
 * numbers, it is another one.  Those that were added behind do not count. */
static enum status digest_items(struct store *s, enum split split, size_t rows, uint64_t *digest) {
    sqlite3_stmt *q;
    int row = 1;
    *digest = 0;
    if (!rows) return OK;
    TRY(db_query(s, &q, "SELECT m.sha256 FROM item i JOIN image m ON m.id = i.image WHERE i.split = ? AND i.idx < ? ORDER BY i.idx",
                 "tz", split_name(split), rows));
    for (;;) {
        struct { uint64_t before; char sha256[72]; } link = { *digest, "" };
        TRY(db_step(s, q, &row));
        if (!row) return OK;
        col_text(link.sha256, sizeof link.sha256, q, 0);
        *digest = hash_xxh3(&link, sizeof link);
    }
}

enum status store_items_look(struct store *s, struct items_watch *w) {
    *w = (struct items_watch){ { 0 }, { 0 } };
    for (int k = SPLIT_VAL; k <= SPLIT_GEN; k++) {   /* training items are never dropped */
        TRY(store_items_count(s, (enum split)k, &w->rows[k]));
        TRY(digest_items(s, (enum split)k, w->rows[k], &w->digest[k]));
    }
    return OK;
}

void store_items_watch(struct store *s, const struct items_watch *w) {
    s->watches = w != NULL;
    if (!w) return;
    s->watch = *w;
    s->watch_version = -1;
}

enum status db_items_unmoved(struct store *s) {
    int64_t version;
    if (!s->watches) return OK;
    TRY(store_data_version(s, &version));
    if (version == s->watch_version) return OK;
    for (int k = SPLIT_VAL; k <= SPLIT_GEN; k++) {
        uint64_t digest;
        TRY(digest_items(s, (enum split)k, s->watch.rows[k], &digest));
        if (digest != s->watch.digest[k])
            return fail(ERR_RANGE, "%s: %s items were dropped by another process meanwhile, and others have their numbers now; what was "
                        "finished before is kept: give the command again", s->path, split_name((enum split)k));
    }
    s->watch_version = version;
    return OK;
}

enum status db_set_gone(struct store *s, const char *what, int64_t id) {
    return fail(ERR_MISSING, "%s: %s set %lld was dropped by another process meanwhile; give the command again", s->path, what,
                (long long)id);
}
