/* migrate.c - the schema, and the way from each older version to the next.
 *
 * A fresh database gets schema.sql; an older one gets the steps it lacks, in
 * one transaction, and then has the same tables (the tests compare them). */
#include "db.h"

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

enum status db_migrate(struct store *s) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, migrate(s));
}
