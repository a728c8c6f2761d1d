/* checkpoint.c - trained networks and the state to resume from. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
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

/* Networks are numbered as their first checkpoints came into the database.  A config that is no JSON is
 * only like itself. */
#define ARCHITECTURE "CASE WHEN json_valid(config) THEN json_remove(config, '$._dtrak', '$._diffusers_version') ELSE config END"
#define NETWORK_NAME "CASE WHEN json_valid(config) THEN json_extract(config, '$._dtrak.name') END"
static const char list_query[] =
    "SELECT id, step, epoch, percent, train_loss, ema, half_weights, bytes, sha256, created, config, name,"
    " dense_rank() OVER (ORDER BY first) - 1 AS network FROM"
    " (SELECT id, step, epoch, percent, train_loss, ema, half_weights, length(weights) AS bytes, sha256, created, config,"
    " " NETWORK_NAME " AS name, min(id) OVER (PARTITION BY " ARCHITECTURE ", " NETWORK_NAME ") AS first FROM checkpoint)"
    " ORDER BY network, step, ema";

enum status store_checkpoints_list(struct store *s, struct checkpoint_list *out) {
    struct checkpoint_list l = { NULL, 0, NULL };
    struct buf text = BUF_INIT;
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, list_query, ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct checkpoint *more = db_grow(l.checkpoint, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "checkpoints: out of memory"); goto done; }
        l.checkpoint = more;
        struct checkpoint *c = &more[l.count++];
        *c = (struct checkpoint){ .id = sqlite3_column_int64(q, 0), .step = col_size(q, 1), .epoch = col_double(q, 2),
                                  .percent = col_double(q, 3), .train_loss = col_double(q, 4), .ema = col_int(q, 5) != 0,
                                  .half_weights = col_int(q, 6) != 0, .weights_bytes = col_size(q, 7),
                                  .network = col_size(q, 12) };
        col_text(c->sha256, sizeof c->sha256, q, 8);
        col_text(c->created, sizeof c->created, q, 9);
        buf_add(&text, col_str(q, 10), strlen(col_str(q, 10)) + 1);
        buf_add(&text, col_str(q, 11), strlen(col_str(q, 11)) + 1);
    }
    TRY_TO(buf_status(&text));
    l.text = buf_detach(&text);
    const char *t = l.text;
    for (size_t i = 0; i < l.count; i++) {
        l.checkpoint[i].config = t;
        t += strlen(t) + 1;
        l.checkpoint[i].name = t;
        t += strlen(t) + 1;
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    buf_free(&text);
    checkpoint_list_free(&l);
    return st;
}

const struct checkpoint *checkpoint_list_last(const struct checkpoint_list *l) {
    size_t n = 0;
    while (n < l->count && l->checkpoint[n].network == l->checkpoint[0].network) n++;
    return n ? &l->checkpoint[n - 1] : NULL;
}

const struct checkpoint *checkpoint_list_last_beside(const struct checkpoint_list *l, int64_t id) {
    const struct checkpoint *last = checkpoint_list_last(l);
    for (size_t i = 0; i < l->count; i++)
        if (l->checkpoint[i].id == id) last = &l->checkpoint[i];
    while (last && last + 1 < l->checkpoint + l->count && last[1].network == last->network) last++;
    return last;
}

void checkpoint_network(char out[64], const struct checkpoint *c) {
    out[0] = 0;
    if (c->name[0]) text_escape(out, 64, c->name);
    else if (c->network) snprintf(out, 64, "network %zu", c->network + 1);
}

void checkpoint_words(char out[96], const struct checkpoint *c) {
    char network[64];
    checkpoint_network(network, c);
    snprintf(out, 96, "%s%sstep %zu", network, network[0] ? " at " : "", c->step);
}

void checkpoint_spell(char out[CHECKPOINT_OPTION], const struct checkpoint *c) {
    snprintf(out, CHECKPOINT_OPTION, "%.128s%s%zu", c->name, c->name[0] ? ":" : "", c->step);
}

void checkpoint_option(char out[CHECKPOINT_OPTION], const struct checkpoint *c) {
    char word[CHECKPOINT_OPTION];
    checkpoint_spell(word, c);
    text_shell_word(out, CHECKPOINT_OPTION, word);
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
    if (!size)
        st = fail(ERR_MISSING, "%s: the weights of checkpoint %zu were dropped; dtrak merge brings them from a copy that has them", s->path,
                  col_size(q, 2));
    else if (strcmp(hex, col_str(q, 1)) != 0)
        st = fail(ERR_FORMAT, "%s: the weights of checkpoint %zu are damaged: their SHA-256 does not match",
                  s->path, col_size(q, 2));
    else if (!(*bytes = mem_copy_bytes(blob, size)))
        st = fail(ERR_NOMEM, "weights of checkpoint %zu: out of memory", col_size(q, 2));
    else
        *len = size;
    db_end(q);
    return st;
}

enum status store_checkpoint_weights_drop(struct store *s, int64_t id) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "UPDATE checkpoint SET weights = x'' WHERE id = ?", "i", id));
}

static enum status restore(struct store *s, int64_t id, const void *bytes, size_t len) {
    char hex[65];
    sha256_hex(hex, bytes, len);
    TRY(db_exec(s, "UPDATE checkpoint SET weights = ? WHERE id = ? AND sha256 = ?", "bit", bytes, len, id, hex));
    return sqlite3_changes(s->db) ? OK : fail(ERR_FORMAT, "%s: these weights are not those of the checkpoint", s->path);
}

enum status store_checkpoint_weights_restore(struct store *s, int64_t id, const void *bytes, size_t len) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, restore(s, id, bytes, len));
}

/* --- names --- */

/* Is a checkpoint of the network that a word is about: name's, or the first one? */
static int is_of(const struct checkpoint *c, const char *name, size_t len) {
    return name ? strlen(c->name) == len && !memcmp(c->name, name, len) : c->network == 0;
}

/* What one word means among the checkpoints of a network (name's, or the first one): the one to choose;
 * l->count: none. */
static size_t find_one(const struct checkpoint_list *l, const char *name, size_t len, const char *word) {
    size_t best = l->count;
    char *end;
    double value = strtod(word, &end), distance = 0.5 + 1e-9;
    int last = !strcmp(word, "last"), number = word[0] >= '0' && word[0] <= '9';
    int percent = number && !strcmp(end, "%"), step = number && !*end;
    for (size_t i = 0; i < l->count; i++) {
        const struct checkpoint *c = &l->checkpoint[i];
        double d = fabs(c->percent - value);
        if (step && !name && (double)c->step == value) return i;   /* steps are one per database */
        if (!is_of(c, name, len)) continue;
        if (last || (step && (double)c->step == value)) best = i;
        if (percent && d <= distance) { distance = d; best = i; }
    }
    return best;
}

/* Marks what a word like "50%", "large" or "large:50%" means in l; returns how many it meant. */
static size_t mark_named(const struct checkpoint_list *l, const char *text, size_t len, char *chosen) {
    char word[160] = "";
    size_t found = 0;
    if (len == 0 || len >= sizeof word) return 0;
    memcpy(word, text, len);
    const char *colon = strrchr(word, ':'), *name = NULL, *rest = word;
    size_t name_len = 0, best = find_one(l, NULL, 0, word);
    if (best == l->count && strcmp(word, "all")) {      /* the whole of it is a name, or what is before the colon */
        name = word;
        name_len = len;
        rest = "last";
        best = find_one(l, name, name_len, rest);
        if (best == l->count && colon && colon > word) {
            name_len = (size_t)(colon - word);
            rest = colon + 1;
            best = find_one(l, name, name_len, rest);
        }
    }
    int all = !strcmp(rest, "all");
    for (size_t i = 0; i < l->count; i++) {
        const struct checkpoint *c = &l->checkpoint[i];
        int means = all ? !name || is_of(c, name, name_len)
                        : best < l->count && c->step == l->checkpoint[best].step && c->network == l->checkpoint[best].network;
        if (means) { chosen[i] = 1; found++; }
    }
    return found;
}

/* "800 (10%), 8000 (100%), large:20000 (100%)" */
static void name_all(struct buf *b, const struct checkpoint_list *l) {
    for (size_t i = 0; i < l->count; i++) {
        const struct checkpoint *c = &l->checkpoint[i];
        char safe[160];
        text_escape(safe, sizeof safe, c->name);
        buf_printf(b, "%s%s%s%zu (%.3g%%)", i ? ", " : "", safe, *safe ? ":" : "", c->step, c->percent);
    }
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
    /* Where both are chosen the moving average is meant; of a step it follows the plain one. */
    for (size_t i = 0; i + 1 < l->count; i++)
        if (l->checkpoint[i].step == l->checkpoint[i + 1].step && l->checkpoint[i].network == l->checkpoint[i + 1].network) chosen[i] = 0;
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

enum status store_train_state_step(struct store *s, size_t *step) {
    int64_t at = -1;
    TRY(db_number(s, &at, "SELECT step FROM train_state WHERE id = 1", ""));
    if (at < 0) return fail(ERR_MISSING, "%s: no training to resume", s->path);
    *step = (size_t)at;
    return OK;
}

enum status store_train_state_delete(struct store *s) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM train_state", ""));
}
