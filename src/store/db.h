/* db.h - what the files of the store share: the connection, statements that are
 * prepared once, units of work, and SQLite's errors in words.
 *
 * A statement is found by the address of its SQL literal, so each db_query()
 * call site has its own.  A statement that returned a row must reach db_end()
 * or a db_step() without a row, else a read transaction stays open. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "dtrak/store.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum {
    DB_APPLICATION_ID = STORE_APPLICATION_ID,
    DB_SCHEMA_VERSION = 7,
    DB_PAGE_BYTES = 16384,            /* a score row of 1000 items fills an eighth, not half of two */
    DB_BUSY_MS = 5000,
    DB_BUSY_LONG_MS = 60000,
    DB_BUSY_BRIEF_MS = 250,
    DB_BUSY_STEP_MS = 20,            /* between looks at whether to go on waiting */
    DB_STATEMENTS = 256,
    DB_OPEN_FEATURES = 4             /* sets whose files are open */
};

struct store {
    sqlite3 *db;
    char *path;                   /* as the user knows it */
    char *file;                   /* the temporary name while it is being made, else NULL */
    int read_only;
    int log_tried;                /* WAL was asked for on this connection */
    int is_brief;                 /* a write does not wait long */
    atomic_int *stop;             /* set: nothing waits for others any more; may be NULL */
    uint64_t place[2];            /* device and number of the file as it was opened; 0: not known */
    int shows_older;              /* the file has an older schema, shown as the present one (migrate.c) */
    int in_tx;                    /* store_begin() is open */
    int units;                    /* nested units of work */
    struct { const char *sql; sqlite3_stmt *stmt; } cache[DB_STATEMENTS];
    size_t cached;
    struct open_features *open[DB_OPEN_FEATURES];   /* feature_file.c's */
    size_t next_open;
    int watches;                  /* watch.c's */
    struct items_watch watch;
    int64_t watch_version;        /* the data version that it was last compared at; -1: not yet */
};

/* rc in words, with the path; ERR_NOMEM or ERR_DB. */
enum status db_error(struct store *s, int rc);

/* types, one letter per argument: i int64_t, u uint64_t, z size_t, n int, d double (NAN: NULL),
 * t text (NULL: NULL), b blob (const void *, size_t).  Texts and blobs must stay
 * until the statement ended. */
enum status db_query(struct store *s, sqlite3_stmt **q, const char *sql, const char *types, ...);
/* *row = 1: a row is there; 0: it ended (and was reset).  Reset on errors too. */
enum status db_step(struct store *s, sqlite3_stmt *q, int *row);
void db_end(sqlite3_stmt *q);     /* NULL is fine */

/* A statement without rows, or whose rows do not matter. */
enum status db_exec(struct store *s, const char *sql, const char *types, ...);
/* First column of the first row; *value stays as it is when there is none. */
enum status db_number(struct store *s, int64_t *value, const char *sql, const char *types, ...);
/* SQL that is not worth keeping prepared; several statements are fine. */
enum status db_script(struct store *s, const char *sql);

/* header.c: refuses what is no database, or not a whole one, in words. */
enum status db_look_at_header(const char *path);
/* Whether there is a file of that name with the suffix, with something in it. */
int db_exists_beside(const char *path, const char *suffix);

/* A unit of work: its own transaction, or a savepoint in an open one.
 * db_unit_end() commits when st is OK, else undoes the unit; returns the first
 * error. */
enum status db_unit_begin(struct store *s);
enum status db_unit_end(struct store *s, enum status st);

/* watch.c: refuses, within a unit, what goes by the numbers of items that were dropped since
 * store_items_watch(); and that a set is not there any more, or its number another's. */
enum status db_items_unmoved(struct store *s);
enum status db_set_gone(struct store *s, const char *what, int64_t id);
/* score.c: what a score set is found by. */
enum status db_score_identity(struct store *s, char hex[65], const struct score_set *w);

/* Columns of any content as values in range. */
size_t col_size(sqlite3_stmt *q, int i);                 /* negative: 0 */
int col_int(sqlite3_stmt *q, int i);
uint64_t col_u64(sqlite3_stmt *q, int i);                /* the bits of an int64 */
double col_double(sqlite3_stmt *q, int i);               /* NULL: NAN */
void col_text(char *out, size_t size, sqlite3_stmt *q, int i);   /* cut to fit */
const char *col_str(sqlite3_stmt *q, int i);             /* never NULL; until the next step */
const void *col_blob(sqlite3_stmt *q, int i, size_t *len);

/* Opens file into s->db and sets what every connection sets. */
enum status db_connect(struct store *s, const char *file, int flags, int immutable);
void db_disconnect(struct store *s);

/* An older schema (migrate.c): shown as DB_SCHEMA_VERSION to this connection without writing
 * to the file; brought to it, before the first write; and looked at again, since another
 * connection may have brought it there. */
enum status db_show_as_present(struct store *s);
enum status db_migrate(struct store *s);
enum status db_look_again(struct store *s);
enum status db_create_schema(struct store *s);

/* Text fields of fixed size, refused when they do not fit. */
enum status db_fits(const char *what, const char *text, size_t size);
void db_copy(char *out, size_t size, const char *text);

/* One more element at the end of an array that doubles; p_ is struct x *. */
void *db_grow(void *array, size_t count, size_t size);

/* Score rows (score_row.c). */
enum { ROW_RAW = 0, ROW_DEFLATED = 1, ROW_TOP = 2 };   /* ROW_TOP: only the ends of a ranking, score_rows.c */
float score_round(float x, int bits);
/* Encodes n values (already rounded) into out, capacity 4 n; returns the
 * length and sets *format. scratch has 4 n bytes. */
enum status score_row_encode(unsigned char *out, size_t *len, int *format, unsigned char *scratch,
                             const float *row, size_t n);
/* ERR_FORMAT when the bytes do not give n floats; the caller names the row. */
enum status score_row_decode(float *row, size_t n, int format, const void *bytes, size_t len);
/* The count best of row in order, ties by lower index; count <= n. */
enum status score_row_top(struct ranked *out, size_t count, const float *row, size_t n, int opponents);

/* Feature rows (feature_row.c): bytes of one row, and conversion of one. */
size_t feature_row_bytes(size_t k, int float32);
void feature_row_encode(unsigned char *out, const float *row, size_t k, int float32);
void feature_row_decode(float *row, const unsigned char *bytes, size_t k, int float32);

float feature_half(uint16_t h);                          /* of a float16's bits */

/* Rows in files of their own (feature_file.c), for sets that have some. */
enum status feature_files_read(struct store *s, const struct feature_set *set, size_t first, size_t count, float *out);
/* Reads all of every file; a line to problem() for each that is not as it was. */
enum status feature_files_check(struct store *s, void (*problem)(void *ctx, const char *line), void *ctx, const struct progress *p);
void feature_files_forget(struct store *s);              /* closes what is open */

/* Numbers of a kernel part of that shape; 0 when the shape is out of bounds. */
size_t kernel_values(enum kernel_part part, size_t rows, size_t cols);
enum kernel_part kernel_part_parse(const char *name);    /* KERNEL_SELF + 1: none */

#endif
