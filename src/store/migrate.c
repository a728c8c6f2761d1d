/* migrate.c - the schema, and the way from each older version to the next.
 *
 * A fresh database gets schema.sql.  An older one keeps its bytes while it is only
 * read, also by who could write: temporary tables and views in front of its own
 * show it as the present schema would.  Before the first write it gets the steps
 * it lacks, in one transaction, and then has the same tables (the tests compare
 * them); connections that show it otherwise notice that.  So every step so far only adds tables
 * and columns with a default; one that changes rows needs more than that. */
#include "db.h"

#include "dtrak/buf.h"

#include <stdio.h>

static const char schema[] =
#include "schema_sql.h"
    ;

/* step[v] leads from version v + 1 to v + 2. */
static const char *const step[] = {
    /* 1 -> 2: asking a job to stop from another process; thumbnails */
    "ALTER TABLE job ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE thumb ("
    "    image INTEGER PRIMARY KEY REFERENCES image(id) ON DELETE CASCADE,"
    "    width INTEGER NOT NULL, height INTEGER NOT NULL,"
    "    bytes BLOB NOT NULL, xxh3 INTEGER NOT NULL"
    ") STRICT;",
    /* 2 -> 3: several noise draws; features kept in parts */
    "ALTER TABLE feature_set ADD COLUMN draws INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE feature_set ADD COLUMN parts INTEGER NOT NULL DEFAULT 1;",
    /* 3 -> 4: subsets, their outputs and what is measured with them; nothing wrote these before */
    "DROP TABLE counterfactual; DROP TABLE lds; DROP TABLE subset_output; DROP TABLE subset;"
    "CREATE TABLE protocol ("
    "    id INTEGER PRIMARY KEY,"
    "    kind TEXT NOT NULL, identity TEXT NOT NULL UNIQUE,"
    "    text TEXT NOT NULL, created TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE subset ("
    "    id INTEGER PRIMARY KEY,"
    "    protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,"
    "    idx INTEGER NOT NULL, seed INTEGER NOT NULL,"
    "    n INTEGER NOT NULL, size INTEGER NOT NULL,"
    "    members BLOB NOT NULL, xxh3 INTEGER NOT NULL,"
    "    state TEXT NOT NULL,"
    "    train_loss REAL, steps INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,"
    "    owner TEXT NOT NULL DEFAULT '', lease_until INTEGER NOT NULL DEFAULT 0,"
    "    program TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '',"
    "    created TEXT NOT NULL, ended TEXT NOT NULL DEFAULT '',"
    "    UNIQUE (protocol, idx, seed)"
    ") STRICT;"
    "CREATE TABLE subset_state ("
    "    subset INTEGER PRIMARY KEY REFERENCES subset(id) ON DELETE CASCADE,"
    "    step INTEGER NOT NULL, xxh3 INTEGER NOT NULL, bytes BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE subset_weights ("
    "    subset INTEGER PRIMARY KEY REFERENCES subset(id) ON DELETE CASCADE,"
    "    sha256 TEXT NOT NULL, bytes BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE subset_output ("
    "    id INTEGER PRIMARY KEY,"
    "    subset INTEGER NOT NULL REFERENCES subset(id) ON DELETE CASCADE,"
    "    protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,"
    "    split TEXT NOT NULL, rows INTEGER NOT NULL,"
    "    xxh3 INTEGER NOT NULL, bytes BLOB NOT NULL,"
    "    UNIQUE (subset, protocol, split)"
    ") STRICT;"
    "CREATE TABLE lds ("
    "    id INTEGER PRIMARY KEY,"
    "    score_set INTEGER NOT NULL REFERENCES score_set(id) ON DELETE CASCADE,"
    "    train_protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,"
    "    eval_protocol INTEGER NOT NULL REFERENCES protocol(id) ON DELETE CASCADE,"
    "    centred INTEGER NOT NULL, subsets INTEGER NOT NULL, queries INTEGER NOT NULL,"
    "    value REAL NOT NULL, se REAL, low REAL, high REAL, q_eff REAL, ceiling REAL,"
    "    xxh3 INTEGER NOT NULL, per_query BLOB NOT NULL, created TEXT NOT NULL,"
    "    UNIQUE (score_set, train_protocol, eval_protocol, centred)"
    ") STRICT;"
    "CREATE TABLE counterfactual ("
    "    id INTEGER PRIMARY KEY,"
    "    item INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,"
    "    subset INTEGER NOT NULL REFERENCES subset(id) ON DELETE CASCADE,"
    "    score_set INTEGER REFERENCES score_set(id) ON DELETE SET NULL,"
    "    label TEXT NOT NULL, removed INTEGER NOT NULL,"
    "    image INTEGER NOT NULL REFERENCES image(id),"
    "    pixel_l2 REAL NOT NULL, pixel_cos REAL NOT NULL, embed_cos REAL,"
    "    params TEXT NOT NULL, created TEXT NOT NULL,"
    "    UNIQUE (item, subset, label)"
    ") STRICT;",
    /* 4 -> 5: eigenbases; what the ridge of a score set was like */
    "CREATE TABLE basis ("
    "    id INTEGER PRIMARY KEY,"
    "    feature_set INTEGER NOT NULL UNIQUE REFERENCES feature_set(id) ON DELETE CASCADE,"
    "    n INTEGER NOT NULL, k INTEGER NOT NULL, block_rows INTEGER NOT NULL,"
    "    complete INTEGER NOT NULL, trace REAL,"
    "    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,"
    "    threads INTEGER NOT NULL, created TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE basis_block ("
    "    id INTEGER PRIMARY KEY,"
    "    basis INTEGER NOT NULL REFERENCES basis(id) ON DELETE CASCADE,"
    "    part TEXT NOT NULL, block INTEGER NOT NULL,"
    "    first INTEGER NOT NULL, rows INTEGER NOT NULL,"
    "    xxh3 INTEGER NOT NULL,"
    "    bytes BLOB NOT NULL,"
    "    UNIQUE (basis, part, block)"
    ") STRICT;"
    "ALTER TABLE score_set ADD COLUMN condition REAL;"
    "ALTER TABLE score_set ADD COLUMN rank INTEGER;",
    /* 5 -> 6: features that stay in files of other programs */
    "CREATE TABLE feature_file ("
    "    id INTEGER PRIMARY KEY,"
    "    feature_set INTEGER NOT NULL REFERENCES feature_set(id) ON DELETE CASCADE,"
    "    first INTEGER NOT NULL, rows INTEGER NOT NULL,"
    "    path TEXT NOT NULL, size INTEGER NOT NULL,"
    "    start INTEGER NOT NULL, stride INTEGER NOT NULL, number TEXT NOT NULL,"
    "    zeros INTEGER NOT NULL,"
    "    sample INTEGER NOT NULL, whole INTEGER,"
    "    xxh3 INTEGER NOT NULL, items BLOB NOT NULL,"
    "    UNIQUE (feature_set, first)"
    ") STRICT;",
    /* 6 -> 7: error bars of scores */
    "CREATE TABLE error_set ("
    "    id INTEGER PRIMARY KEY,"
    "    score_set INTEGER NOT NULL UNIQUE REFERENCES score_set(id) ON DELETE CASCADE,"
    "    blocks INTEGER NOT NULL, projections INTEGER NOT NULL,"
    "    top INTEGER NOT NULL, draws INTEGER NOT NULL,"
    "    params TEXT NOT NULL,"
    "    program TEXT NOT NULL, blas_core TEXT NOT NULL, host TEXT NOT NULL,"
    "    threads INTEGER NOT NULL, created TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE error_row ("
    "    id INTEGER PRIMARY KEY,"
    "    error_set INTEGER NOT NULL REFERENCES error_set(id) ON DELETE CASCADE,"
    "    query INTEGER NOT NULL,"
    "    xxh3 INTEGER NOT NULL,"
    "    bytes BLOB NOT NULL,"
    "    UNIQUE (error_set, query)"
    ") STRICT;",
};

static enum status set_version(struct store *s) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", DB_SCHEMA_VERSION);
    return db_script(s, sql);
}

enum status db_create_schema(struct store *s) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", DB_APPLICATION_ID);
    TRY(db_unit_begin(s));
    enum status st = db_script(s, sql);
    if (st == OK) st = db_script(s, schema);
    if (st == OK) st = set_version(s);
    return db_unit_end(s, st);
}

static enum status migrate(struct store *s) {
    int64_t from = 0;
    /* Read again under the lock: another process may have been faster. */
    TRY(db_number(s, &from, "PRAGMA user_version", ""));
    for (int64_t v = from; v < DB_SCHEMA_VERSION; v++) TRY(db_script(s, step[v - 1]));
    return from < DB_SCHEMA_VERSION ? set_version(s) : OK;
}

/* --- an older schema, only read --- */

/* How table `name` of the present schema is to be shown, as SQL in *b; nothing
 * when the file's own has all of its columns. */
static enum status show_table(struct store *s, sqlite3 *fresh, const char *name, const char *sql, struct buf *b) {
    sqlite3_stmt *now = NULL, *then = NULL;
    size_t added = 0, kept = 0;
    int rc = sqlite3_prepare_v2(fresh, "SELECT name, dflt_value FROM pragma_table_info(?1)", -1, &now, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name = ?2", -1, &then, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(now, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(then, 1, name, -1, SQLITE_STATIC);
    buf_printf(b, "CREATE TEMP VIEW %s AS SELECT ", name);
    while (rc == SQLITE_OK && (rc = sqlite3_step(now)) == SQLITE_ROW) {
        const char *column = col_str(now, 0), *otherwise = col_str(now, 1);
        sqlite3_reset(then);
        sqlite3_bind_text(then, 2, column, -1, SQLITE_STATIC);
        rc = sqlite3_step(then);
        if (rc != SQLITE_ROW) break;
        int is_there = col_int(then, 0) > 0;
        buf_printf(b, "%s%s%s%s", added + kept ? ", " : "", is_there ? "" : *otherwise ? otherwise : "NULL",
                   is_there ? "" : " AS ", column);
        if (is_there) kept++;
        else added++;
        rc = SQLITE_OK;
    }
    sqlite3_finalize(now);
    sqlite3_finalize(then);
    if (rc != SQLITE_DONE) return db_error(s, rc);
    buf_printf(b, " FROM main.%s;", name);
    if (kept && added) return buf_status(b);
    buf_clear(b);
    /* sqlite_schema says "CREATE TABLE name (...)" */
    if (!kept) buf_printf(b, "CREATE TEMP TABLE %s;", sql + sizeof "CREATE TABLE");
    return buf_status(b);
}

enum status db_show_as_present(struct store *s) {
    sqlite3 *fresh = NULL;
    sqlite3_stmt *tables = NULL;
    struct buf b = BUF_INIT;
    enum status st = db_script(s, "PRAGMA temp_store = MEMORY");
    int rc = sqlite3_open_v2(":memory:", &fresh, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(fresh, schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(fresh, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE"
                                       " 'sqlite_%'", -1, &tables, NULL);
    while (st == OK && rc == SQLITE_OK && (rc = sqlite3_step(tables)) == SQLITE_ROW) {
        buf_clear(&b);
        st = show_table(s, fresh, col_str(tables, 0), col_str(tables, 1), &b);
        if (st == OK && b.len) st = db_script(s, b.data);
        rc = SQLITE_OK;
    }
    if (st == OK && rc != SQLITE_DONE) st = db_error(s, rc);
    sqlite3_finalize(tables);
    sqlite3_close(fresh);
    buf_free(&b);
    s->shows_older = st == OK;
    return st;
}

/* The tables as the file has them. */
static enum status show_as_stored(struct store *s) {
    sqlite3_stmt *q = NULL;
    struct buf b = BUF_INIT;
    int rc = sqlite3_prepare_v2(s->db, "SELECT type, name FROM sqlite_temp_schema WHERE type IN ('table', 'view')", -1, &q, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        buf_printf(&b, "DROP %s temp.%s;", col_str(q, 0), col_str(q, 1));
        rc = SQLITE_OK;
    }
    sqlite3_finalize(q);
    enum status st = rc != SQLITE_DONE ? db_error(s, rc) : buf_status(&b);
    if (st == OK && b.len) st = db_script(s, b.data);
    buf_free(&b);
    if (st == OK) s->shows_older = 0;
    return st;
}

enum status db_migrate(struct store *s) {
    TRY(show_as_stored(s));
    enum status st = db_script(s, "BEGIN IMMEDIATE");
    if (st == OK) {
        st = migrate(s);
        if (st == OK) st = db_script(s, "COMMIT");
        if (st != OK) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (st == OK) return OK;
    char why[400];
    snprintf(why, sizeof why, "%s", fail_reason());
    db_show_as_present(s);     /* it can be read as before */
    return fail(st, "%s", why);
}

enum status db_look_again(struct store *s) {
    sqlite3_stmt *q = NULL;
    int64_t version = 0;
    for (sqlite3_stmt *p = NULL; (p = sqlite3_next_stmt(s->db, p)) != NULL;)
        if (sqlite3_stmt_busy(p)) return OK;     /* it reads what it began with; the next look will do */
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA main.user_version", -1, &q, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) version = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    if (rc != SQLITE_ROW) return db_error(s, rc);
    return version == DB_SCHEMA_VERSION ? show_as_stored(s) : OK;
}
