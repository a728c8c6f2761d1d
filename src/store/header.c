/* header.c - the first bytes of a database, read without harm.
 *
 * A process that closes any descriptor of a file loses all the locks it has on it: that is how POSIX has it.  So a
 * file that may be open in this process is read through SQLite, which shares its descriptors and closes them when
 * nothing is locked any more.  Without its lock a writer would be undone by the next process that closes the file
 * and believes to be the last. */
#include "db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 100 };

/* SQLite keeps its logs beside the file itself, not beside a link to it. */
int db_exists_beside(const char *path, const char *suffix) {
    char real[PATH_MAX], name[PATH_MAX + 16];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", realpath(path, real) ? real : path, suffix);
    return stat(name, &st) == 0 && st.st_size > 0;
}

static uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* *got of the HEADER bytes, no more than the file has. */
static enum status read_header(const char *path, unsigned char h[HEADER], size_t *got) {
    struct store s = { .path = (char *)(uintptr_t)path };
    sqlite3_file *f = NULL;
    sqlite3_int64 size = 0;
    enum status st = db_connect(&s, path, SQLITE_OPEN_READONLY, 0);
    *got = 0;
    if (st != OK) return st;
    int rc = sqlite3_file_control(s.db, "main", SQLITE_FCNTL_FILE_POINTER, &f);
    if (rc == SQLITE_OK && (!f || !f->pMethods)) rc = SQLITE_CANTOPEN;
    if (rc == SQLITE_OK) rc = f->pMethods->xFileSize(f, &size);
    if (rc == SQLITE_OK) {
        *got = size < HEADER ? (size_t)size : HEADER;
        rc = f->pMethods->xRead(f, h, HEADER, 0);
        if (rc == SQLITE_IOERR_SHORT_READ) rc = SQLITE_OK;   /* what is missing is 0 */
    }
    st = rc == SQLITE_OK ? OK : fail(ERR_IO, "%s: %s", path, sqlite3_errstr(rc));
    db_disconnect(&s);
    return st;
}

int store_is_database(const char *path) {
    unsigned char h[HEADER] = { 0 };
    struct stat st;
    size_t got = 0;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || read_header(path, h, &got) != OK || got < HEADER) return 0;
    return memcmp(h, "SQLite format 3", 16) == 0 && big_endian(h + 68) == STORE_APPLICATION_ID;
}

/* What SQLite would say later, or not at all, or less clearly. */
enum status db_look_at_header(const char *path) {
    unsigned char h[HEADER] = { 0 };
    struct stat st;
    size_t got = 0;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0) return fail(ERR_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return fail(ERR_DB, "%s: a folder, not a database; `dtrak view` lists those that are in it", path);
    if (!S_ISREG(st.st_mode)) return fail(ERR_DB, "%s: not a database, not even a file", path);
    TRY(read_header(path, h, &got));
    if (got == 0) return fail(ERR_DB, "%s: not a database: the file is empty", path);
    if (memcmp(h, "SQLite format 3", got < 16 ? got : 16) != 0)
        return fail(ERR_DB, "%s: not a database: it does not start with \"SQLite format 3\"", path);
    uint64_t page = (uint64_t)h[16] << 8 | h[17];
    if (page == 1) page = 65536;
    if (got == HEADER && (page < 512 || (page & (page - 1))))
        return fail(ERR_DB, "%s: not a database: pages of %llu bytes", path, (unsigned long long)page);
    uint64_t promised = page * big_endian(h + 28);
    int current = big_endian(h + 24) == big_endian(h + 92);   /* else the count is not kept up */
    int truncated = got < HEADER || (current && (uint64_t)st.st_size < promised);
    if (truncated && !db_exists_beside(path, "-wal") && !db_exists_beside(path, "-journal"))
        return got < HEADER ? fail(ERR_DB, "%s: truncated: %lld bytes, not even a header of %d; copy it again", path,
                                   (long long)st.st_size, HEADER)
                            : fail(ERR_DB, "%s: truncated: %lld bytes, its header promises %llu; copy it again", path,
                    (long long)st.st_size, (unsigned long long)promised);
    return OK;
}
