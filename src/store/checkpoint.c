/* checkpoint.c - trained networks and the state to resume from. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void checkpoint_list_free(struct checkpoint_list *l) {
    mem_free(l->checkpoint);
    mem_free(l->text);
    memset(l, 0, sizeof *l);
}

static enum status add(struct store *s, const struct checkpoint *c, const void *weights, size_t len,
                       int64_t *id) {
    char hex[65], now[21];
    int64_t there = 0;
    TRY(db_number(s, &there, "SELECT id FROM checkpoint WHERE step = ? AND ema = ?", "zn", c->step,
                  c->ema != 0));
    if (there)
        return fail(ERR_RANGE, "%s: there is a checkpoint of step %zu already", s->path, c->step);
    sha256_hex(hex, weights, len);
    clock_iso(now);
    TRY(db_exec(s, "INSERT INTO checkpoint (step, epoch, percent, train_loss, ema, half_weights, config,"
                   " sha256, created, weights) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "zdddnntttb",
                c->step, c->epoch, c->percent, c->train_loss, c->ema != 0, c->half_weights != 0,
                c->config ? c->config : "{}", hex, now, weights, len));
    *id = sqlite3_last_insert_rowid(s->db);
    return OK;
}

enum status store_checkpoint_add(struct store *s, const struct checkpoint *c, const void *weights,
                                 size_t len, int64_t *id) {
    int64_t made = 0;
    TRY(db_unit_begin(s));
    enum status st = db_unit_end(s, add(s, c, weights, len, &made));
    if (st == OK && id) *id = made;
    return st;
}

enum status store_checkpoints_list(struct store *s, struct checkpoint_list *out) {
    struct checkpoint_list l = { NULL, 0, NULL };
    struct buf text = BUF_INIT;
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT id, step, epoch, percent, train_loss, ema, half_weights,"
                           " length(weights), sha256, created, config FROM checkpoint ORDER BY step, ema", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct checkpoint *more = db_grow(l.checkpoint, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "checkpoints: out of memory"); goto done; }
        l.checkpoint = more;
        struct checkpoint *c = &more[l.count++];
        c->id = sqlite3_column_int64(q, 0);
        c->step = col_size(q, 1);
        c->epoch = col_double(q, 2);
        c->percent = col_double(q, 3);
        c->train_loss = col_double(q, 4);
        c->ema = col_int(q, 5) != 0;
        c->half_weights = col_int(q, 6) != 0;
        c->weights_bytes = col_size(q, 7);
        col_text(c->sha256, sizeof c->sha256, q, 8);
        col_text(c->created, sizeof c->created, q, 9);
        buf_add(&text, col_str(q, 10), strlen(col_str(q, 10)) + 1);
    }
    TRY_TO(buf_status(&text));
    l.text = buf_detach(&text);
    const char *t = l.text;
    for (size_t i = 0; i < l.count; i++, t += strlen(t) + 1) l.checkpoint[i].config = t;
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    buf_free(&text);
    checkpoint_list_free(&l);
    return st;
}

enum status store_checkpoint_weights(struct store *s, int64_t id, void **bytes, size_t *len) {
    sqlite3_stmt *q;
    int row;
    char hex[65];
    *bytes = NULL;
    *len = 0;
    TRY(db_query(s, &q, "SELECT weights, sha256, step FROM checkpoint WHERE id = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: there is no checkpoint with id %lld", s->path, (long long)id);
    size_t size;
    const void *blob = col_blob(q, 0, &size);
    sha256_hex(hex, blob, size);
    enum status st = OK;
    if (strcmp(hex, col_str(q, 1)) != 0)
        st = fail(ERR_FORMAT, "%s: the weights of checkpoint %zu are damaged: their SHA-256 does not match",
                  s->path, col_size(q, 2));
    else if (!(*bytes = mem_copy_bytes(blob, size)))
        st = fail(ERR_NOMEM, "weights of checkpoint %zu: out of memory", col_size(q, 2));
    else
        *len = size;
    db_end(q);
    return st;
}

/* --- names --- */

/* Marks what one name means in l; returns how many it meant. */
static size_t mark_named(const struct checkpoint_list *l, const char *name, size_t len, char *chosen) {
    char word[32] = "", *end;
    size_t found = 0, step = 0, best = l->count;
    if (len == 0 || len >= sizeof word) return 0;
    memcpy(word, name, len);
    if (strcmp(word, "all") == 0) {
        memset(chosen, 1, l->count);
        return l->count;
    }
    if (strcmp(word, "last") == 0) {
        best = l->count ? l->count - 1 : 0;
    } else if (word[0] >= '0' && word[0] <= '9') {
        double value = strtod(word, &end), distance = 0.5 + 1e-9;
        if (strcmp(end, "%") == 0) {
            for (size_t i = 0; i < l->count; i++) {
                double d = fabs(l->checkpoint[i].percent - value);
                if (d <= distance) { distance = d; best = i; }
            }
        } else if (*end == 0) {
            for (size_t i = 0; i < l->count; i++)
                if ((double)l->checkpoint[i].step == value) best = i;
        }
    }
    if (best >= l->count) return 0;
    step = l->checkpoint[best].step;
    for (size_t i = 0; i < l->count; i++)
        if (l->checkpoint[i].step == step) { chosen[i] = 1; found++; }
    return found;
}

/* "800 (10%), 8000 (100%)" */
static void name_all(struct buf *b, const struct checkpoint_list *l) {
    for (size_t i = 0; i < l->count; i++)
        buf_printf(b, "%s%zu (%.3g%%)", i ? ", " : "", l->checkpoint[i].step, l->checkpoint[i].percent);
}

static enum status choose(struct store *s, const struct checkpoint_list *l, const char *names,
                          char *chosen) {
    const char *at = names;
    if (l->count == 0)
        return fail(ERR_MISSING, "%s: has no checkpoints; `dtrak train` makes them", s->path);
    for (;;) {
        size_t len = strcspn(at, ",");
        if (mark_named(l, at, len, chosen) == 0) {
            struct buf b = BUF_INIT;
            name_all(&b, l);
            enum status st = fail(ERR_MISSING, "%s: no checkpoint \"%.*s\"; there are %s", s->path,
                                  len < 64 ? (int)len : 64, at, b.data ? b.data : "some");
            buf_free(&b);
            return st;
        }
        if (!at[len]) break;
        at += len + 1;
    }
    /* Where both are chosen the moving average is meant; the list is ordered
     * by (step, ema), so it follows the plain one. */
    for (size_t i = 0; i + 1 < l->count; i++)
        if (l->checkpoint[i].step == l->checkpoint[i + 1].step) chosen[i] = 0;
    return OK;
}

enum status store_checkpoints_resolve(struct store *s, const char *names, struct checkpoint_list *out) {
    struct checkpoint_list l;
    memset(out, 0, sizeof *out);
    TRY(store_checkpoints_list(s, &l));
    char *chosen = mem_array(l.count + 1, 1);
    enum status st = chosen ? choose(s, &l, names && names[0] ? names : "last", chosen)
                            : fail(ERR_NOMEM, "checkpoints: out of memory");
    if (st == OK) {
        size_t kept = 0;
        for (size_t i = 0; i < l.count; i++)
            if (chosen[i]) l.checkpoint[kept++] = l.checkpoint[i];
        l.count = kept;
        *out = l;
    } else {
        checkpoint_list_free(&l);
    }
    mem_free(chosen);
    return st;
}

static enum status delete_checkpoint(struct store *s, int64_t id) {
    TRY(db_exec(s, "DELETE FROM score_set WHERE id IN"
                   " (SELECT score_set FROM score_set_checkpoint WHERE checkpoint = ?)", "i", id));
    TRY(db_exec(s, "DELETE FROM checkpoint WHERE id = ?", "i", id));
    if (sqlite3_changes(s->db) == 0)
        return fail(ERR_MISSING, "%s: there is no checkpoint with id %lld", s->path, (long long)id);
    return OK;
}

enum status store_checkpoint_delete(struct store *s, int64_t id) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, delete_checkpoint(s, id));
}

/* --- training state --- */

void train_state_free(struct train_state *t) {
    mem_free(t->config);
    mem_free(t->bytes);
    memset(t, 0, sizeof *t);
}

enum status store_train_state_put(struct store *s, const char *config, size_t step, const void *bytes,
                                  size_t len) {
    char hex[65], now[21];
    sha256_hex(hex, bytes, len);
    clock_iso(now);
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s,
        "INSERT OR REPLACE INTO train_state (id, config, step, sha256, updated, bytes)"
        " VALUES (1, ?, ?, ?, ?, ?)", "tzttb", config, step, hex, now, bytes, len));
}

enum status store_train_state_get(struct store *s, struct train_state *out) {
    sqlite3_stmt *q;
    int row;
    char hex[65];
    memset(out, 0, sizeof *out);
    TRY(db_query(s, &q, "SELECT config, step, sha256, bytes FROM train_state WHERE id = 1", ""));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: no training to resume", s->path);
    size_t size;
    const void *blob = col_blob(q, 3, &size);
    sha256_hex(hex, blob, size);
    enum status st = OK;
    if (strcmp(hex, col_str(q, 2)) != 0) {
        st = fail(ERR_FORMAT, "%s: the training state of step %zu is damaged: its SHA-256 does not match",
                  s->path, col_size(q, 1));
    } else {
        out->config = mem_copy_string(col_str(q, 0));
        out->bytes = mem_copy_bytes(blob, size);
        out->step = col_size(q, 1);
        out->len = size;
        if (!out->config || !out->bytes) {
            train_state_free(out);
            st = fail(ERR_NOMEM, "training state: out of memory");
        }
    }
    db_end(q);
    return st;
}

enum status store_train_state_delete(struct store *s) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM train_state", ""));
}
