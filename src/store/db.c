/* db.c - statements, units of work and errors of one connection. */
#include "db.h"

#include "dtrak/mem.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum status db_error(struct store *s, int rc) {
    /* The connection does not know of every error, a backup's for one. */
    const char *text = s->db && sqlite3_errcode(s->db) != SQLITE_OK ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return fail(ERR_NOMEM, "%s: out of memory", s->path);
    case SQLITE_NOTADB: return fail(ERR_DB, "%s: not a database (or damaged at its start)", s->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(ERR_DB, "%s: locked by another process; try again when that has finished", s->path);
    case SQLITE_READONLY:
        return fail(ERR_DB, "%s: read-only: the file or its folder cannot be written", s->path);
    case SQLITE_CORRUPT:
        return fail(ERR_DB, "%s: the database is damaged (%s); `dtrak check` says where", s->path, text);
    case SQLITE_FULL: return fail(ERR_DB, "%s: the disk is full; nothing was changed", s->path);
    case SQLITE_CANTOPEN: return fail(ERR_DB, "%s: cannot be opened (%s)", s->path, text);
    case SQLITE_TOOBIG:
        return fail(ERR_DB, "%s: too big for one row, which SQLite limits to 1 GB", s->path);
    default: return fail(ERR_DB, "%s: SQLite: %s", s->path, text);
    }
}

static enum status find_statement(struct store *s, sqlite3_stmt **q, const char *sql) {
    for (size_t i = 0; i < s->cached; i++)
        if (s->cache[i].sql == sql) {
            *q = s->cache[i].stmt;
            sqlite3_reset(*q);
            sqlite3_clear_bindings(*q);
            return OK;
        }
    if (s->cached == DB_STATEMENTS)
        return fail(ERR_RANGE, "store: more than %d statements", DB_STATEMENTS);
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, q, NULL);
    if (rc != SQLITE_OK) return db_error(s, rc);
    s->cache[s->cached].sql = sql;
    s->cache[s->cached++].stmt = *q;
    return OK;
}

static int bind_one(sqlite3_stmt *q, int at, char type, va_list *ap) {
    switch (type) {
    case 'i': return sqlite3_bind_int64(q, at, va_arg(*ap, int64_t));
    case 'u': return sqlite3_bind_int64(q, at, (int64_t)va_arg(*ap, uint64_t));
    case 'z': {
        size_t z = va_arg(*ap, size_t);
        return z > INT64_MAX ? SQLITE_RANGE : sqlite3_bind_int64(q, at, (int64_t)z);
    }
    case 'n': return sqlite3_bind_int64(q, at, va_arg(*ap, int));
    case 'd': return sqlite3_bind_double(q, at, va_arg(*ap, double));   /* NAN becomes NULL */
    case 't': return sqlite3_bind_text(q, at, va_arg(*ap, const char *), -1, SQLITE_STATIC);
    case 'b': {
        const void *bytes = va_arg(*ap, const void *);
        size_t len = va_arg(*ap, size_t);
        return sqlite3_bind_blob64(q, at, len ? bytes : "", len, SQLITE_STATIC);
    }
    default: return SQLITE_MISUSE;
    }
}

static enum status query(struct store *s, sqlite3_stmt **q, const char *sql, const char *types,
                         va_list *ap) {
    *q = NULL;
    if (!s->db) return fail(ERR_DB, "%s: the database is closed", s->path);
    if (s->shows_older) TRY(db_look_again(s));
    TRY(find_statement(s, q, sql));
    for (int i = 0; types[i]; i++) {
        int rc = bind_one(*q, i + 1, types[i], ap);
        if (rc != SQLITE_OK) { *q = NULL; return db_error(s, rc); }
    }
    return OK;
}

enum status db_query(struct store *s, sqlite3_stmt **q, const char *sql, const char *types, ...) {
    va_list ap;
    va_start(ap, types);
    enum status st = query(s, q, sql, types, &ap);
    va_end(ap);
    return st;
}

void db_end(sqlite3_stmt *q) {
    if (!q) return;
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

enum status db_step(struct store *s, sqlite3_stmt *q, int *row) {
    int rc = sqlite3_step(q);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return OK;
    enum status st = rc == SQLITE_DONE ? OK : db_error(s, rc);
    db_end(q);
    return st;
}

static enum status run(struct store *s, sqlite3_stmt *q) {
    int row = 1;
    while (row) TRY(db_step(s, q, &row));
    return OK;
}

enum status db_exec(struct store *s, const char *sql, const char *types, ...) {
    va_list ap;
    sqlite3_stmt *q;
    va_start(ap, types);
    enum status st = query(s, &q, sql, types, &ap);
    va_end(ap);
    return st == OK ? run(s, q) : st;
}

enum status db_number(struct store *s, int64_t *value, const char *sql, const char *types, ...) {
    va_list ap;
    sqlite3_stmt *q;
    int row;
    va_start(ap, types);
    enum status st = query(s, &q, sql, types, &ap);
    va_end(ap);
    if (st != OK) return st;
    TRY(db_step(s, q, &row));
    if (row) {
        *value = sqlite3_column_int64(q, 0);
        db_end(q);
    }
    return OK;
}

enum status db_script(struct store *s, const char *sql) {
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : db_error(s, rc);
}

enum status db_unit_begin(struct store *s) {
    if (s->read_only)
        return fail(ERR_DB, "%s: open read-only, so nothing can be changed", s->path);
    if (s->in_tx || s->units) {
        TRY(db_script(s, "SAVEPOINT unit"));
        s->units++;
        return OK;
    }
    TRY(store_begin(s));
    s->in_tx = 0;
    s->units = 1;
    return OK;
}

enum status db_unit_end(struct store *s, enum status st) {
    s->units--;
    int inner = s->in_tx || s->units;
    if (st == OK) {
        st = db_script(s, inner ? "RELEASE unit" : "COMMIT");
        if (st == OK) return OK;
    }
    /* Errors here do not matter: SQLite may have undone the whole transaction. */
    sqlite3_exec(s->db, inner ? "ROLLBACK TO unit; RELEASE unit" : "ROLLBACK", NULL, NULL, NULL);
    return st;
}

size_t col_size(sqlite3_stmt *q, int i) {
    int64_t v = sqlite3_column_int64(q, i);
    return v < 0 ? 0 : (size_t)v;
}

int col_int(sqlite3_stmt *q, int i) {
    int64_t v = sqlite3_column_int64(q, i);
    return v < INT_MIN ? INT_MIN : v > INT_MAX ? INT_MAX : (int)v;
}

uint64_t col_u64(sqlite3_stmt *q, int i) { return (uint64_t)sqlite3_column_int64(q, i); }

double col_double(sqlite3_stmt *q, int i) {
    return sqlite3_column_type(q, i) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, i);
}

const char *col_str(sqlite3_stmt *q, int i) {
    const unsigned char *t = sqlite3_column_text(q, i);
    return t ? (const char *)t : "";
}

void col_text(char *out, size_t size, sqlite3_stmt *q, int i) { db_copy(out, size, col_str(q, i)); }

const void *col_blob(sqlite3_stmt *q, int i, size_t *len) {
    const void *b = sqlite3_column_blob(q, i);
    int n = sqlite3_column_bytes(q, i);
    *len = b && n > 0 ? (size_t)n : 0;
    return b ? b : "";
}

enum status db_fits(const char *what, const char *text, size_t size) {
    if (strlen(text) < size) return OK;
    return fail(ERR_RANGE, "%s has %zu bytes, at most %zu fit", what, strlen(text), size - 1);
}

void db_copy(char *out, size_t size, const char *text) {
    size_t len = strlen(text);
    if (len >= size) len = size - 1;
    memcpy(out, text, len);
    out[len] = 0;
}

void *db_grow(void *array, size_t count, size_t size) {
    /* Full at 0 and at every power of two from 16 on. */
    int full = count == 0 || (count >= 16 && (count & (count - 1)) == 0);
    if (!full) return array;
    return mem_resize(array, count, count ? count * 2 : 16, size);
}
