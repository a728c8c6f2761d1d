/* store.c - making, opening and closing a database; transactions; backup. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/mem.h"
#include "dtrak/store_until.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* --- connections --- */

/* A database is something people download: nothing in it may run or write
 * outside its tables. */
static enum status harden(struct store *s) {
    static const int off[] = { SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
                               SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
                               SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL };
    int rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof off / sizeof *off; i++)
        rc = sqlite3_db_config(s->db, off[i], 0, NULL);
    if (rc != SQLITE_OK) return db_error(s, rc);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    /* Only what does not read the file: open_for_reading() wants that error itself. */
    return db_script(s, "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON");
}

/* "file:" URI of a path: what is not plain is percent-escaped. */
static void uri(struct buf *b, const char *path, int immutable) {
    buf_text(b, "file:");
    for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
        int plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                    strchr("/._-", *c);
        if (plain) buf_add(b, c, 1);
        else buf_printf(b, "%%%02X", *c);
    }
    if (immutable) buf_text(b, "?immutable=1");
}

/* SQLite's busy handler: waits as sqlite3_busy_timeout() does, but looks whether it still should. */
static int wait_or_stop(void *ctx, int waits) {
    const struct store *s = ctx;
    if (atomic_load(s->stop) || waits >= DB_BUSY_MS / DB_BUSY_STEP_MS) return 0;
    sqlite3_sleep(DB_BUSY_STEP_MS);
    return 1;
}

enum status db_connect(struct store *s, const char *file, int flags, int immutable) {
    struct buf name = BUF_INIT;
    uri(&name, file, immutable);
    enum status st = buf_status(&name);
    if (st != OK) { buf_free(&name); return st; }
    int rc = sqlite3_open_v2(name.data, &s->db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    buf_free(&name);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(s->db, 1);
        rc = s->stop ? sqlite3_busy_handler(s->db, wait_or_stop, s) : sqlite3_busy_timeout(s->db, DB_BUSY_MS);
    }
    st = rc == SQLITE_OK ? harden(s) : db_error(s, rc);
    if (st != OK) db_disconnect(s);
    return st;
}

void db_disconnect(struct store *s) {
    for (size_t i = 0; i < s->cached; i++) sqlite3_finalize(s->cache[i].stmt);
    s->cached = 0;
    sqlite3_close(s->db);
    s->db = NULL;
    s->log_tried = s->shows_older = 0;
}

static enum status store_new(struct store **out, const char *path) {
    *out = NULL;
    struct store *s = mem_array(1, sizeof *s);
    if (s) s->path = mem_copy_string(path);
    if (!s || !s->path) {
        mem_free(s);
        return fail(ERR_NOMEM, "%s: out of memory", path);
    }
    *out = s;
    return OK;
}

static void store_free(struct store *s) {
    mem_free(s->path);
    mem_free(s->file);
    mem_free(s);
}

/* Shared memory does not work between the machines of a network file system,
 * so there the rollback journal stays. */
static int on_network(const char *path) {
    static const unsigned long kinds[] = { 0x6969 /* nfs */, 0x517b /* smb */, 0xff534d42 /* cifs */,
                                           0xfe534d42 /* smb2 */, 0x65735546 /* fuse */,
                                           0x01021997 /* 9p */, 0x0bd00bd0 /* lustre */ };
    struct statfs fs;
    if (statfs(path, &fs) != 0) return 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (((unsigned long)fs.f_type & 0xffffffffUL) == kinds[i]) return 1;
    return 0;
}

/* Write-ahead log from the first write on.  Another connection in the middle of
 * a read can prevent it; then this connection goes on without. */
static void start_log(struct store *s) {
    if (s->log_tried || s->file) return;
    s->log_tried = 1;
    if (on_network(s->path)) return;
    sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
}

static int place_of(const char *path, uint64_t place[2]) {
    struct stat st;
    if (stat(path, &st) != 0) return 0;
    place[0] = (uint64_t)st.st_dev;
    place[1] = (uint64_t)st.st_ino;
    return 1;
}

/* Whether the name still means the file that is open.  When it means another, the log of
 * that name may be the other's: it is not for us to end. */
static int is_in_place(const struct store *s) {
    uint64_t now[2];
    return !s->place[1] || (place_of(s->path, now) && memcmp(now, s->place, sizeof now) == 0);
}

/* Leaves one whole file, unless somebody else has it open (then the last one
 * to close does this). */
static void stop_log(struct store *s) {
    int64_t tables = 0;
    if (db_number(s, &tables, "SELECT count(*) FROM sqlite_schema", "") != OK) return;
    for (size_t i = 0; i < s->cached; i++) sqlite3_finalize(s->cache[i].stmt);
    s->cached = 0;
    sqlite3_busy_timeout(s->db, 0);
    sqlite3_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
}

/* --- create and publish --- */

/* The folder of a path; "" when the path is longer than the system allows. */
static void folder_of(char dir[PATH_MAX], const char *path) {
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    dir[0] = 0;
    if (!slash) db_copy(dir, PATH_MAX, ".");
    else if (len < PATH_MAX) snprintf(dir, PATH_MAX, "%.*s", (int)len, path);
}

static void sync_folder(const char *path) {
    char dir[PATH_MAX];
    folder_of(dir, path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* "path.new-PID", which the caller frees. */
static char *temporary_name(const char *path) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s.new-%ld", path, (long)getpid());
    char *name = buf_status(&b) == OK ? buf_detach(&b) : NULL;
    buf_free(&b);
    return name;
}

/* Gives temp its name without ever replacing a file. */
static enum status publish_file(const char *temp, const char *path) {
    int fd = open(temp, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int e = errno;
        if (fd >= 0) close(fd);
        return fail(ERR_IO, "%s: %s", temp, strerror(e));
    }
    close(fd);
    if (link(temp, path) == 0) {
        unlink(temp);
    } else if (errno == EEXIST) {
        return fail(ERR_IO, "%s: there is a file of this name already", path);
    } else {
        /* No hard links here: the gap between test and rename cannot be closed. */
        struct stat st;
        if (lstat(path, &st) == 0)
            return fail(ERR_IO, "%s: there is a file of this name already", path);
        if (rename(temp, path) != 0) return fail(ERR_IO, "%s: %s", path, strerror(errno));
    }
    sync_folder(path);
    return OK;
}

enum status store_check_new(const char *path) {
    struct stat st;
    char dir[PATH_MAX];
    folder_of(dir, path);
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return fail(ERR_IO, "%s: there is no folder %s; make it first, or choose another", path, dir);
    if (lstat(path, &st) == 0)
        return fail(ERR_IO, "%s: there is a file of this name already; choose another or remove it", path);
    return OK;
}

static enum status create(struct store *s) {
    int fd = open(s->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        enum status st = fail(ERR_IO, "%s: %s", s->file, strerror(errno));
        mem_free(s->file);
        s->file = NULL;   /* not ours to remove */
        return st;
    }
    close(fd);
    TRY(db_connect(s, s->file, SQLITE_OPEN_READWRITE, 0));
    char pragmas[128];
    /* Until it is published a crash loses it anyway, so nothing is synced. */
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA page_size = %d; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF",
             DB_PAGE_BYTES);
    TRY(db_script(s, pragmas));
    return db_create_schema(s);
}

enum status store_create(struct store **out, const char *path) {
    *out = NULL;
    struct store *s;
    TRY(store_check_new(path));
    TRY(store_new(&s, path));
    s->file = temporary_name(path);
    enum status st = s->file ? create(s) : fail(ERR_NOMEM, "%s: out of memory", path);
    if (st == OK) *out = s;
    else store_close(s);
    return st;
}

enum status store_publish(struct store *s) {
    if (!s->file) return fail(ERR_RANGE, "%s: published already", s->path);
    if (s->in_tx) return fail(ERR_RANGE, "%s: a transaction is open", s->path);
    db_disconnect(s);
    TRY(publish_file(s->file, s->path));
    mem_free(s->file);
    s->file = NULL;
    return db_connect(s, s->path, SQLITE_OPEN_READWRITE, 0);
}

/* --- open --- */

static int folder_is_writable(const char *path) {
    char dir[PATH_MAX], real[PATH_MAX];
    folder_of(dir, realpath(path, real) ? real : path);
    return access(dir, W_OK) == 0;
}

/* Is it ours, and of a schema that this program knows? */
static enum status identify(struct store *s) {
    int64_t application = 0, version = 0;
    TRY(db_number(s, &application, "PRAGMA application_id", ""));
    TRY(db_number(s, &version, "PRAGMA user_version", ""));
    if (application != DB_APPLICATION_ID)
        return fail(ERR_DB, "%s: an SQLite database, but not one of dtrak (application id %lld, expected %d)",
                    s->path, (long long)application, DB_APPLICATION_ID);
    if (version > DB_SCHEMA_VERSION)
        return fail(ERR_DB, "%s: newer schema %lld, this program knows %d; use a newer dtrak", s->path,
                    (long long)version, DB_SCHEMA_VERSION);
    if (version < 1)
        return fail(ERR_DB, "%s: schema %lld is not one of dtrak's", s->path, (long long)version);
    TRY(db_script(s, "PRAGMA cache_size = -16384"));
    return version == DB_SCHEMA_VERSION ? OK : db_show_as_present(s);
}

static enum status open_for_reading(struct store *s) {
    s->read_only = 1;
    TRY(db_connect(s, s->path, SQLITE_OPEN_READONLY, 0));
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT count(*) FROM sqlite_schema", -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    sqlite3_finalize(q);
    int primary = rc & 0xff;
    if (primary != SQLITE_CANTOPEN && primary != SQLITE_READONLY && primary != SQLITE_IOERR)
        return identify(s);
    db_disconnect(s);
    /* Media that cannot be written lacks the files SQLite wants beside a
     * database in WAL mode; without a log there is nothing to miss. */
    if (db_exists_beside(s->path, "-wal") || db_exists_beside(s->path, "-journal"))
        return fail(ERR_DB, "%s: has unfinished work in a log beside it, on media that cannot be written; "
                            "copy both to where they can be", s->path);
    TRY(db_connect(s, s->path, SQLITE_OPEN_READONLY, 1));
    return identify(s);
}

static enum status open_for_writing(struct store *s) {
    TRY(db_connect(s, s->path, SQLITE_OPEN_READWRITE, 0));
    return identify(s);
}

enum status store_open_until(struct store **out, const char *path, enum store_mode mode, atomic_int *stop) {
    *out = NULL;
    struct store *s;
    struct stat file;
    if (stat(path, &file) != 0 && errno == ENOENT)
        return fail(ERR_IO, "%s: no such file; `dtrak new` makes a database", path);
    TRY(db_look_at_header(path));
    TRY(store_new(&s, path));
    s->stop = stop;
    int writable = access(path, W_OK) == 0 && folder_is_writable(path);
    enum status st;
    if (mode == STORE_WRITE && !writable)
        st = fail(ERR_DB, "%s: read-only: the file or its folder cannot be written", path);
    else if (mode == STORE_READ || !writable)
        st = open_for_reading(s);
    else
        st = open_for_writing(s);
    if (st == OK) st = place_of(path, s->place) ? OK : fail(ERR_IO, "%s: %s", path, strerror(errno));
    if (st == OK) *out = s;
    else store_close(s);
    return st;
}

enum status store_open(struct store **out, const char *path, enum store_mode mode) { return store_open_until(out, path, mode, NULL); }

void store_close(struct store *s) {
    if (!s) return;
    if (s->db) {
        store_rollback(s);
        if (!s->read_only && !s->file && is_in_place(s)) stop_log(s);
        db_disconnect(s);
    }
    if (s->file) unlink(s->file);
    feature_files_forget(s);
    store_free(s);
}

void store_wait_longer(struct store *s) { sqlite3_busy_timeout(s->db, DB_BUSY_LONG_MS); }

void store_wait_briefly(struct store *s) { s->is_brief = 1; }

int store_is_read_only(const struct store *s) { return s->read_only; }
const char *store_path(const struct store *s) { return s->path; }

/* --- transactions --- */

enum status store_begin(struct store *s) {
    if (s->read_only)
        return fail(ERR_DB, "%s: open read-only, so nothing can be changed", s->path);
    if (s->in_tx) return fail(ERR_RANGE, "%s: a transaction is open already", s->path);
    if (!s->db) return fail(ERR_DB, "%s: the database is closed", s->path);
    if (s->is_brief) sqlite3_busy_timeout(s->db, DB_BUSY_BRIEF_MS);
    start_log(s);
    enum status st = s->shows_older ? db_migrate(s) : OK;
    if (st == OK) st = db_script(s, "BEGIN IMMEDIATE");
    if (s->is_brief) sqlite3_busy_timeout(s->db, DB_BUSY_MS);
    s->in_tx = st == OK;
    return st;
}

enum status store_commit(struct store *s) {
    if (!s->in_tx) return fail(ERR_RANGE, "%s: no transaction is open", s->path);
    s->in_tx = 0;
    enum status st = db_script(s, "COMMIT");
    if (st != OK) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

void store_rollback(struct store *s) {
    if (!s->in_tx) return;
    s->in_tx = 0;
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

enum status store_data_version(struct store *s, int64_t *version) {
    *version = 0;
    return db_number(s, version, "PRAGMA data_version", "");
}

/* --- backup --- */

static enum status copy_pages(struct store *to, struct store *from, const struct progress *p) {
    enum { PAGES = 64 };
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!b) return db_error(to, sqlite3_errcode(to->db));
    enum status st = OK;
    int rc = SQLITE_OK, waits = 0;
    while (rc != SQLITE_DONE && (st = progress_check(p)) == OK) {
        rc = sqlite3_backup_step(b, PAGES);
        int total = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
        progress_report(p, total - left, total, "backup", "");
        int busy = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
        if (busy && waits++ < DB_BUSY_MS / 100) sqlite3_sleep(100);
        else if (rc != SQLITE_OK && rc != SQLITE_DONE) {
            st = db_error(busy ? from : to, rc);
            break;
        }
    }
    sqlite3_backup_finish(b);
    return st;
}

static enum status backup(struct store *to, struct store *from, const struct progress *p) {
    int fd = open(to->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        enum status st = fail(ERR_IO, "%s: %s", to->file, strerror(errno));
        mem_free(to->file);
        to->file = NULL;
        return st;
    }
    close(fd);
    TRY(db_connect(to, to->file, SQLITE_OPEN_READWRITE, 0));
    TRY(db_script(to, "PRAGMA synchronous = OFF"));
    /* One snapshot for all steps: else each commit of a writer starts the copy anew. */
    TRY(db_script(from, "BEGIN; SELECT count(*) FROM sqlite_schema"));
    TRY(copy_pages(to, from, p));
    TRY(db_script(to, "PRAGMA journal_mode = DELETE"));   /* the copy may say WAL */
    /* Free pages are not worth copying.  VACUUM attaches a file of its own. */
    sqlite3_limit(to->db, SQLITE_LIMIT_ATTACHED, 1);
    TRY(db_script(to, "VACUUM"));
    db_disconnect(to);
    TRY(publish_file(to->file, to->path));
    mem_free(to->file);
    to->file = NULL;
    return OK;
}

/* With its journal, which stays when undoing failed too. */
static void remove_unfinished(const char *file) {
    struct buf journal = BUF_INIT;
    unlink(file);
    buf_printf(&journal, "%s-journal", file);
    if (buf_status(&journal) == OK) unlink(journal.data);
    buf_free(&journal);
}

enum status store_backup(const char *src, const char *dst, const struct progress *p) {
    struct store *from = NULL, *to = NULL;
    enum status st = OK;
    TRY(store_check_new(dst));
    TRY_TO(store_open(&from, src, STORE_READ));
    TRY_TO(store_new(&to, dst));
    to->file = temporary_name(dst);
    if (!to->file) { st = fail(ERR_NOMEM, "%s: out of memory", dst); goto done; }
    st = backup(to, from, p);
done:
    if (to) {
        if (to->db) db_disconnect(to);
        if (to->file) remove_unfinished(to->file);
        store_free(to);
    }
    store_close(from);
    return st;
}
