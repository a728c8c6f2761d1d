/* subset.c - protocols, and networks retrained on subsets: who trains which,
 * how far, and how it ended. */
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const state_names[] = { "open", "done", "diverged" };
static const char *const kind_names[] = { "train", "eval" };

const char *subset_state_name(enum subset_state state) {
    return state <= SUBSET_DIVERGED ? state_names[state] : "?";
}

/* Leases are compared between processes, so they are wall-clock time. */
static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- protocols --- */

void protocol_list_free(struct protocol_list *l) {
    for (size_t i = 0; i < l->count; i++) mem_free(l->protocol[i].text);
    mem_free(l->protocol);
    memset(l, 0, sizeof *l);
}

static void protocol_identity(char hex[65], enum protocol_kind kind, const char *text) {
    struct sha256 h;
    unsigned char digest[32];
    sha256_init(&h);
    sha256_add(&h, kind_names[kind], strlen(kind_names[kind]) + 1);
    sha256_add(&h, text, strlen(text));
    sha256_end(&h, digest);
    hash_hex(hex, digest, sizeof digest);
}

enum status store_protocol_find(struct store *s, enum protocol_kind kind, const char *text, int64_t *id) {
    char hex[65];
    protocol_identity(hex, kind, text);
    *id = 0;
    return db_number(s, id, "SELECT id FROM protocol WHERE identity = ?", "t", hex);
}

static enum status ensure(struct store *s, enum protocol_kind kind, const char *text, int64_t *id) {
    char hex[65], now[21];
    TRY(store_protocol_find(s, kind, text, id));
    if (*id) return OK;
    protocol_identity(hex, kind, text);
    clock_iso(now);
    TRY(db_exec(s, "INSERT INTO protocol (kind, identity, text, created) VALUES (?, ?, ?, ?)", "tttt",
                kind_names[kind], hex, text, now));
    *id = sqlite3_last_insert_rowid(s->db);
    return OK;
}

enum status store_protocol_ensure(struct store *s, enum protocol_kind kind, const char *text, int64_t *id) {
    TRY(store_protocol_find(s, kind, text, id));
    if (*id) return OK;
    TRY(db_unit_begin(s));
    return db_unit_end(s, ensure(s, kind, text, id));
}

enum status store_protocols_list(struct store *s, struct protocol_list *out) {
    struct protocol_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, "SELECT id, kind, identity, text, created FROM protocol ORDER BY id", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct protocol *more = db_grow(l.protocol, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "protocols: out of memory"); goto done; }
        l.protocol = more;
        struct protocol *p = &more[l.count];
        p->id = sqlite3_column_int64(q, 0);
        p->kind = strcmp(col_str(q, 1), "eval") == 0 ? PROTOCOL_EVAL : PROTOCOL_TRAIN;
        col_text(p->identity, sizeof p->identity, q, 2);
        p->text = mem_copy_string(col_str(q, 3));
        col_text(p->created, sizeof p->created, q, 4);
        if (!p->text) { st = fail(ERR_NOMEM, "protocols: out of memory"); goto done; }
        l.count++;
        char hex[65];
        protocol_identity(hex, p->kind, p->text);
        if (strcmp(hex, p->identity) != 0) {
            st = fail(ERR_FORMAT, "%s: protocol %lld: its text does not match its SHA-256", s->path, (long long)p->id);
            goto done;
        }
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    protocol_list_free(&l);
    return st;
}

/* --- reading models --- */

void subset_model_list_free(struct subset_model_list *l) {
    mem_free(l->model);
    memset(l, 0, sizeof *l);
}

#define MODEL_COLUMNS \
    "SELECT m.id, m.protocol, m.idx, m.seed, m.n, m.size, m.state, m.train_loss, m.steps, m.seconds, m.owner," \
    " m.lease_until, m.program, m.host, m.created, m.ended," \
    " EXISTS (SELECT 1 FROM subset_weights w WHERE w.subset = m.id) FROM subset m "

static void read_model(struct subset_model *m, sqlite3_stmt *q) {
    memset(m, 0, sizeof *m);
    m->id = sqlite3_column_int64(q, 0);
    m->protocol = sqlite3_column_int64(q, 1);
    m->index = col_size(q, 2);
    m->seed = col_size(q, 3);
    m->n = col_size(q, 4);
    m->size = col_size(q, 5);
    for (int i = 0; i <= SUBSET_DIVERGED; i++)   /* an unknown word is open: it is trained again */
        if (strcmp(col_str(q, 6), state_names[i]) == 0) m->state = (enum subset_state)i;
    m->train_loss = col_double(q, 7);
    m->steps = col_size(q, 8);
    m->seconds = col_double(q, 9);
    col_text(m->owner, sizeof m->owner, q, 10);
    if (m->state == SUBSET_OPEN && m->owner[0])
        m->lease_left_s = ((double)sqlite3_column_int64(q, 11) - (double)now_ms()) / 1000;
    col_text(m->program, sizeof m->program, q, 12);
    col_text(m->host, sizeof m->host, q, 13);
    col_text(m->created, sizeof m->created, q, 14);
    col_text(m->ended, sizeof m->ended, q, 15);
    m->weights_kept = col_int(q, 16) != 0;
}

enum status store_subsets_list(struct store *s, int64_t protocol, struct subset_model_list *out) {
    struct subset_model_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, MODEL_COLUMNS "WHERE m.protocol = ? ORDER BY m.idx, m.seed", "i", protocol));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct subset_model *more = db_grow(l.model, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "subsets: out of memory"); goto done; }
        l.model = more;
        read_model(&more[l.count++], q);
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    subset_model_list_free(&l);
    return st;
}

static enum status find_model(struct store *s, int64_t protocol, size_t index, size_t seed,
                              struct subset_model *out, int *found) {
    sqlite3_stmt *q;
    TRY(db_query(s, &q, MODEL_COLUMNS "WHERE m.protocol = ? AND m.idx = ? AND m.seed = ?", "izz", protocol,
                 index, seed));
    TRY(db_step(s, q, found));
    if (!*found) return OK;
    read_model(out, q);
    db_end(q);
    return OK;
}

/* A bit per item, first item in the lowest bit of the first byte. */
static size_t mask_bytes(size_t n) { return (n + 7) / 8; }

static size_t pack(unsigned char *bits, const unsigned char *members, size_t n) {
    size_t size = 0;
    memset(bits, 0, mask_bytes(n));
    for (size_t i = 0; i < n; i++)
        if (members[i]) {
            bits[i / 8] |= (unsigned char)(1u << i % 8);
            size++;
        }
    return size;
}

enum status store_subset_members(struct store *s, int64_t id, unsigned char *members, size_t n) {
    sqlite3_stmt *q;
    int row;
    size_t len, found = 0;
    TRY(db_query(s, &q, "SELECT n, size, xxh3, members FROM subset WHERE id = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: there is no subset model %lld", s->path, (long long)id);
    const unsigned char *bits = col_blob(q, 3, &len);
    int good = col_size(q, 0) == n && len == mask_bytes(n) && hash_xxh3(bits, len) == col_u64(q, 2);
    for (size_t i = 0; good && i < n; i++) found += members[i] = bits[i / 8] >> i % 8 & 1;
    good = good && found == col_size(q, 1);
    db_end(q);
    return good ? OK : fail(ERR_FORMAT, "%s: subset model %lld: its members do not match their checksum or the %zu "
                            "training items", s->path, (long long)id, n);
}

/* --- training one --- */

static enum status check_members(struct store *s, const struct subset_model *m, const unsigned char *bits, size_t n) {
    sqlite3_stmt *q;
    int row;
    size_t len;
    TRY(db_query(s, &q, "SELECT members FROM subset WHERE id = ?", "i", m->id));
    TRY(db_step(s, q, &row));
    const void *have = row ? col_blob(q, 0, &len) : NULL;
    int same = have && m->n == n && len == mask_bytes(n) && memcmp(have, bits, len) == 0;
    if (row) db_end(q);
    return same ? OK : fail(ERR_FORMAT, "%s: subset %zu was drawn with other members (%zu of %zu items)", s->path,
                            m->index, m->size, m->n);
}

static enum status insert(struct store *s, int64_t protocol, size_t index, size_t seed,
                          const unsigned char *bits, size_t n, size_t size) {
    char now[21];
    clock_iso(now);
    return db_exec(s, "INSERT INTO subset (protocol, idx, seed, n, size, members, xxh3, state, created)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?)", "izzzzbut", protocol, index, seed, n, size, bits,
                   mask_bytes(n), hash_xxh3(bits, mask_bytes(n)), now);
}

/* The row of (index, seed) with these members, made when it is not there. */
static enum status ensure_model(struct store *s, int64_t protocol, size_t index, size_t seed,
                                const unsigned char *members, size_t n, struct subset_model *out) {
    int found;
    unsigned char *bits = mem_array(mask_bytes(n) + 1, 1);
    if (!bits) return fail(ERR_NOMEM, "subset: out of memory");
    size_t size = pack(bits, members, n);
    enum status st = find_model(s, protocol, index, seed, out, &found);
    if (st == OK && found) st = check_members(s, out, bits, n);
    else if (st == OK) {
        st = insert(s, protocol, index, seed, bits, n, size);
        if (st == OK) st = find_model(s, protocol, index, seed, out, &found);
    }
    mem_free(bits);
    return st;
}

static enum status claim(struct store *s, int64_t protocol, size_t index, size_t seed,
                         const unsigned char *members, size_t n, const char *owner, struct subset_model *out) {
    TRY(ensure_model(s, protocol, index, seed, members, n, out));
    TRY(db_exec(s, "UPDATE subset SET owner = ?, lease_until = ? WHERE id = ? AND state NOT IN ('done', 'diverged')"
                   " AND (owner IN ('', ?) OR lease_until <= ?)", "tiiti", owner, now_ms() + SUBSET_LEASE_S * 1000,
                out->id, owner, now_ms()));
    if (!sqlite3_changes(s->db))
        return fail(ERR_MISSING, "%s: subset %zu, seed %zu: finished, or another process trains it", s->path, index, seed);
    db_copy(out->owner, sizeof out->owner, owner);
    out->lease_left_s = SUBSET_LEASE_S;
    return OK;
}

enum status store_subset_claim(struct store *s, int64_t protocol, size_t index, size_t seed,
                               const unsigned char *members, size_t n, const char *owner,
                               struct subset_model *out) {
    struct subset_model m;
    TRY(db_fits("subset owner", owner, sizeof m.owner));
    if (!n || n > 1u << 27) return fail(ERR_RANGE, "subset of %zu training items", n);
    TRY(db_unit_begin(s));
    TRY(db_unit_end(s, claim(s, protocol, index, seed, members, n, owner, &m)));
    *out = m;
    return OK;
}

static enum status reopen(struct store *s, int64_t id) {
    TRY(db_exec(s, "DELETE FROM subset_state WHERE subset = ?1 AND EXISTS (SELECT 1 FROM subset WHERE id = ?1 AND state = 'done')"
                   " AND NOT EXISTS (SELECT 1 FROM subset_weights WHERE subset = ?1)", "i", id));
    return db_exec(s, "UPDATE subset SET state = 'open', steps = 0, owner = '', lease_until = 0 WHERE id = ?1 AND state = 'done'"
                      " AND NOT EXISTS (SELECT 1 FROM subset_weights WHERE subset = ?1)", "i", id);
}

enum status store_subset_reopen(struct store *s, int64_t id) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, reopen(s, id));
}

static enum status lost(struct store *s, int64_t id) {
    return fail(ERR_MISSING, "%s: subset model %lld was taken over by another process", s->path, (long long)id);
}

/* A lease that ran out while nobody took it over is still the owner's. */
static enum status heartbeat(struct store *s, int64_t id, const char *owner, size_t step, double train_loss,
                             double seconds, const void *state, size_t len) {
    TRY(db_exec(s, "UPDATE subset SET lease_until = ? WHERE id = ? AND owner = ? AND state = 'open'", "iit",
                now_ms() + SUBSET_LEASE_S * 1000, id, owner));
    if (!sqlite3_changes(s->db)) return lost(s, id);
    if (!state) return OK;
    TRY(db_exec(s, "UPDATE subset SET steps = ?, train_loss = ?, seconds = ? WHERE id = ?", "zddi", step, train_loss,
                seconds, id));
    return db_exec(s, "INSERT OR REPLACE INTO subset_state (subset, step, xxh3, bytes) VALUES (?, ?, ?, ?)", "izub", id,
                   step, hash_xxh3(state, len), state, len);
}

enum status store_subset_heartbeat(struct store *s, int64_t id, const char *owner, size_t step,
                                   double train_loss, double seconds, const void *state, size_t len) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, heartbeat(s, id, owner, step, train_loss, seconds, state, len));
}

enum status store_subset_release(struct store *s, int64_t id, const char *owner) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "UPDATE subset SET owner = '', lease_until = 0 WHERE id = ? AND owner = ?", "it",
                                  id, owner));
}

enum status store_subset_forget_owner(struct store *s, const char *owner) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "UPDATE subset SET owner = '', lease_until = 0 WHERE owner = ? AND state = 'open'",
                                  "t", owner));
}

enum status store_subset_state(struct store *s, int64_t id, size_t *step, void **bytes, size_t *len) {
    sqlite3_stmt *q;
    int row;
    *step = *len = 0;
    *bytes = NULL;
    TRY(db_query(s, &q, "SELECT step, xxh3, bytes FROM subset_state WHERE subset = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return OK;
    size_t size;
    const void *b = col_blob(q, 2, &size);
    enum status st = OK;
    if (hash_xxh3(b, size) != col_u64(q, 1))
        st = fail(ERR_FORMAT, "%s: the kept state of subset model %lld does not match its checksum", s->path, (long long)id);
    else if (!(*bytes = mem_copy_bytes(b, size)))
        st = fail(ERR_NOMEM, "subset: out of memory");
    else {
        *step = col_size(q, 0);
        *len = size;
    }
    db_end(q);
    return st;
}

/* --- finishing one --- */

static enum status check_result(const struct subset_result *r) {
    if (r->state != SUBSET_DONE && r->state != SUBSET_DIVERGED)
        return fail(ERR_RANGE, "a retraining does not end as \"%s\"", subset_state_name(r->state));
    for (size_t i = 0; i < r->outputs; i++)
        for (size_t j = 0; r->state == SUBSET_DONE && j < r->output[i].rows * OUTPUT_PARTS; j++)
            if (!isfinite(r->output[i].values[j]))
                return fail(ERR_NUMERIC, "the loss of %s query %zu is not finite", split_name(r->output[i].split),
                            j / OUTPUT_PARTS);
    return OK;
}

static enum status put_output(struct store *s, int64_t id, const struct subset_output *o) {
    size_t len = o->rows * OUTPUT_PARTS * sizeof(float);
    return db_exec(s, "INSERT INTO subset_output (subset, protocol, split, rows, xxh3, bytes) VALUES (?, ?, ?, ?, ?, ?)",
                   "iitzub", id, o->protocol, split_name(o->split), o->rows, hash_xxh3(o->values, len), o->values, len);
}

static enum status put_result(struct store *s, int64_t id, const struct subset_result *r) {
    char now[21], hex[65];
    clock_iso(now);
    TRY(db_exec(s, "UPDATE subset SET state = ?, train_loss = ?, steps = ?, seconds = ?, owner = '', lease_until = 0,"
                   " program = ?, host = ?, ended = ? WHERE id = ?", "tdzdttti", subset_state_name(r->state),
                r->train_loss, r->steps, r->seconds, r->program ? r->program : DTRAK_VERSION, r->host ? r->host : "",
                now, id));
    TRY(db_exec(s, "DELETE FROM subset_state WHERE subset = ?", "i", id));
    for (size_t i = 0; i < r->outputs; i++) TRY(put_output(s, id, &r->output[i]));
    if (!r->weights) return OK;
    sha256_hex(hex, r->weights, r->weights_len);
    return db_exec(s, "INSERT OR REPLACE INTO subset_weights (subset, sha256, bytes) VALUES (?, ?, ?)", "itb", id, hex,
                   r->weights, r->weights_len);
}

static enum status finish(struct store *s, int64_t id, const char *owner, const struct subset_result *r) {
    int64_t mine = 0;
    TRY(db_number(s, &mine, "SELECT count(*) FROM subset WHERE id = ? AND owner = ? AND state = 'open'", "it", id, owner));
    return mine ? put_result(s, id, r) : lost(s, id);
}

enum status store_subset_finish(struct store *s, int64_t id, const char *owner, const struct subset_result *r) {
    TRY(check_result(r));
    TRY(db_unit_begin(s));
    return db_unit_end(s, finish(s, id, owner, r));
}

/* --- outputs and weights --- */

/* Two processes may have evaluated the same weights: the first stays. */
static enum status add_outputs(struct store *s, int64_t id, const struct subset_output *o, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t rows;
        TRY(store_subset_output_rows(s, id, o[i].protocol, o[i].split, &rows));
        if (!rows) TRY(put_output(s, id, &o[i]));
    }
    return OK;
}

enum status store_subset_outputs_add(struct store *s, int64_t id, const struct subset_output *o, size_t count) {
    struct subset_result r = { .state = SUBSET_DONE, .output = o, .outputs = count };
    TRY(check_result(&r));
    TRY(db_unit_begin(s));
    return db_unit_end(s, add_outputs(s, id, o, count));
}

enum status store_subset_output_rows(struct store *s, int64_t id, int64_t protocol, enum split split, size_t *rows) {
    int64_t n = 0;
    TRY(db_number(s, &n, "SELECT rows FROM subset_output WHERE subset = ? AND protocol = ? AND split = ?", "iit", id,
                  protocol, split_name(split)));
    *rows = n > 0 ? (size_t)n : 0;
    return OK;
}

enum status store_subset_output_read(struct store *s, int64_t id, int64_t protocol, enum split split,
                                     size_t rows, float *values) {
    sqlite3_stmt *q;
    int row;
    size_t len, want = rows * OUTPUT_PARTS * sizeof *values;
    TRY(db_query(s, &q, "SELECT rows, xxh3, bytes FROM subset_output WHERE subset = ? AND protocol = ? AND split = ?",
                 "iit", id, protocol, split_name(split)));
    TRY(db_step(s, q, &row));
    if (!row)
        return fail(ERR_MISSING, "%s: subset model %lld has no outputs for %s", s->path, (long long)id, split_name(split));
    const void *bytes = col_blob(q, 2, &len);
    int good = hash_xxh3(bytes, len) == col_u64(q, 1) && col_size(q, 0) == rows && len == want;
    if (good) memcpy(values, bytes, want);
    db_end(q);
    return good ? OK : fail(ERR_FORMAT, "%s: outputs of subset model %lld for %s: %zu bytes do not match their checksum "
                            "or %zu queries", s->path, (long long)id, split_name(split), len, rows);
}

enum status store_subset_has_weights(struct store *s, int64_t id, int *has) {
    int64_t n = 0;
    TRY(db_number(s, &n, "SELECT count(*) FROM subset_weights WHERE subset = ?", "i", id));
    *has = n > 0;
    return OK;
}

enum status store_subset_weights_drop(struct store *s) {
    TRY(db_unit_begin(s));
    enum status st = db_exec(s, "DELETE FROM subset_weights", "");
    if (st == OK)
        st = db_exec(s, "DELETE FROM subset WHERE state = 'done' AND id NOT IN (SELECT subset FROM subset_output)"
                        " AND id NOT IN (SELECT subset FROM counterfactual)", "");
    return db_unit_end(s, st);
}

enum status store_subset_weights(struct store *s, int64_t id, void **bytes, size_t *len) {
    sqlite3_stmt *q;
    int row;
    char hex[65];
    *bytes = NULL;
    TRY(db_query(s, &q, "SELECT sha256, bytes FROM subset_weights WHERE subset = ?", "i", id));
    TRY(db_step(s, q, &row));
    if (!row) return fail(ERR_MISSING, "%s: the weights of subset model %lld were not kept", s->path, (long long)id);
    const void *b = col_blob(q, 1, len);
    sha256_hex(hex, b, *len);
    enum status st = OK;
    if (strcmp(hex, col_str(q, 0)) != 0)
        st = fail(ERR_FORMAT, "%s: the weights of subset model %lld do not match their SHA-256", s->path, (long long)id);
    else if (!(*bytes = mem_copy_bytes(b, *len)))
        st = fail(ERR_NOMEM, "subset: out of memory");
    db_end(q);
    return st;
}

/* --- from elsewhere --- */

/* missing, the same, or different */
static enum status compare_output(struct store *s, const struct subset_model *m, const struct subset_output *o,
                                  int *missing, int *differs) {
    size_t rows, len = o->rows * OUTPUT_PARTS * sizeof(float);
    TRY(store_subset_output_rows(s, m->id, o->protocol, o->split, &rows));
    *missing = !rows;
    *differs = rows && rows != o->rows;
    if (rows != o->rows) return OK;
    float *have = mem_array(len + 1, 1);
    if (!have) return fail(ERR_NOMEM, "subset: out of memory");
    enum status st = store_subset_output_read(s, m->id, o->protocol, o->split, rows, have);
    if (st == OK) *differs = memcmp(have, o->values, len) != 0;
    mem_free(have);
    return st;
}

static enum status import(struct store *s, int64_t protocol, size_t index, size_t seed, const unsigned char *members,
                          size_t n, const struct subset_result *r, int *added) {
    struct subset_model m;
    TRY(ensure_model(s, protocol, index, seed, members, n, &m));
    if (m.state == SUBSET_OPEN) {
        if (m.lease_left_s > 0)
            return fail(ERR_RANGE, "subset %zu, seed %zu: %s trains it here now; try again later", index, seed, m.owner);
        *added = 1;
        return put_result(s, m.id, r);
    }
    if (m.state != r->state) *added = -1;
    for (size_t i = 0; i < r->outputs && m.state == r->state; i++) {
        int missing, differs;
        TRY(compare_output(s, &m, &r->output[i], &missing, &differs));
        if (differs) *added = -1;
        if (!missing) continue;
        TRY(put_output(s, m.id, &r->output[i]));
        if (!*added) *added = 1;
    }
    return OK;
}

enum status store_subset_import(struct store *s, int64_t protocol, size_t index, size_t seed,
                                const unsigned char *members, size_t n, const struct subset_result *r, int *added) {
    *added = 0;
    TRY(check_result(r));
    TRY(db_unit_begin(s));
    return db_unit_end(s, import(s, protocol, index, seed, members, n, r, added));
}
