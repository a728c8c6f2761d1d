/* Whole files in and out.  Owns zlib for inflating; see file.h. */
#include "dtrak/file.h"

#include "dtrak/buf.h"
#include "dtrak/mem.h"
#include "inflate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status refuse_errno(const char *path) {
    int e = errno;
    return fail(e == ENOENT || e == ENOTDIR ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(e));
}

/* Reads until the end or until size bytes; a file may change while we look. */
static enum status read_all(int fd, unsigned char *into, size_t size, size_t *got,
                            const char *path) {
    *got = 0;
    while (*got < size) {
        ssize_t n = read(fd, into + *got, size - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse_errno(path);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return OK;
}

enum status file_read(unsigned char **bytes, size_t *len, const char *path, size_t max) {
    enum status st = OK;
    unsigned char *p = NULL;
    struct stat sb;

    *bytes = NULL;
    *len = 0;
    /* O_NONBLOCK: opening a FIFO nobody writes to must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return refuse_errno(path);
    if (fstat(fd, &sb) != 0) { st = refuse_errno(path); goto done; }
    if (!S_ISREG(sb.st_mode)) {
        st = fail(ERR_FORMAT, "%s: is a %s; a regular file is expected", path,
                  S_ISDIR(sb.st_mode) ? "directory" : "device or pipe");
        goto done;
    }
    if ((uintmax_t)sb.st_size > max) {
        st = fail(ERR_FORMAT, "%s: %ju bytes; at most %zu are read", path,
                  (uintmax_t)sb.st_size, max);
        goto done;
    }
    size_t size = (size_t)sb.st_size;
    p = mem_array(size + 1, 1);
    if (!p) { st = fail(ERR_NOMEM, "%s: no memory for its %zu bytes", path, size); goto done; }
    TRY_TO(read_all(fd, p, size, len, path));
    p[*len] = 0;
    *bytes = p;
    p = NULL;
done:
    if (st != OK) *len = 0;
    mem_free(p);
    close(fd);
    return st;
}

static void *z_alloc(void *ctx, uInt count, uInt size) {
    (void)ctx;
    return mem_array(count, size);
}

static void z_release(void *ctx, void *p) {
    (void)ctx;
    mem_free(p);
}

void inflate_hooks(z_stream *z) {
    memset(z, 0, sizeof *z);
    z->zalloc = z_alloc;
    z->zfree = z_release;
}

/* One gzip member from the front of *in; appends to out, at most max in all. */
static enum status inflate_member(struct buf *out, const unsigned char **in, size_t *left,
                                  size_t max, const char *name) {
    enum status st = OK;
    unsigned char chunk[32768];
    z_stream z;
    int r = Z_OK;

    inflate_hooks(&z);
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return fail(ERR_NOMEM, "%s: no memory to inflate it", name);
    while (r != Z_STREAM_END) {
        uInt give = *left > 1u << 30 ? 1u << 30 : (uInt)*left;
        /* zlib only reads through next_in; without z_const it is not declared so. */
        z.next_in = (Bytef *)(uintptr_t)*in;
        z.avail_in = give;
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        r = inflate(&z, Z_NO_FLUSH);
        *in += give - z.avail_in;
        *left -= give - z.avail_in;
        size_t made = sizeof chunk - z.avail_out;
        if (made > max - out->len) {
            st = fail(ERR_FORMAT, "%s: inflates to more than %zu bytes", name, max);
            break;
        }
        buf_add(out, chunk, made);
        if (out->failed || r == Z_MEM_ERROR) {
            st = fail(ERR_NOMEM, "%s: no memory to inflate it", name);
            break;
        }
        if (r == Z_BUF_ERROR || (r == Z_OK && made == 0 && give == 0)) {
            st = fail(ERR_FORMAT, "%s: the gzip stream ends after %zu inflated bytes, "
                      "before its end mark", name, out->len);
            break;
        }
        if (r != Z_OK && r != Z_STREAM_END) {
            st = fail(ERR_FORMAT, "%s: damaged gzip stream after %zu inflated bytes: %s", name,
                      out->len, z.msg ? z.msg : "unexpected data");
            break;
        }
    }
    inflateEnd(&z);
    return st;
}

enum status file_inflate(unsigned char **out, size_t *out_len, const void *bytes, size_t len,
                         size_t max, const char *name) {
    enum status st = OK;
    struct buf b = BUF_INIT;
    const unsigned char *in = bytes;
    size_t left = len;

    *out = NULL;
    *out_len = 0;
    do {
        if (left < 18 || in[0] != 0x1f || in[1] != 0x8b) {
            st = fail(ERR_FORMAT, "%s: %zu bytes where a gzip member is expected (1f 8b ...)",
                      name, left);
            break;
        }
        st = inflate_member(&b, &in, &left, max, name);
    } while (st == OK && left > 0);
    if (st == OK && !b.data) buf_text(&b, "");   /* an empty file is a file */
    if (st == OK) {
        *out_len = b.len;
        *out = (unsigned char *)buf_detach(&b);
        if (!*out) {
            *out = mem_array(1, 1);
            if (!*out) st = fail(ERR_NOMEM, "%s: no memory to inflate it", name);
        }
    }
    buf_free(&b);
    return st;
}

enum status file_read_gz(unsigned char **bytes, size_t *len, const char *path, size_t max) {
    unsigned char *raw = NULL;
    size_t raw_len = 0;

    *bytes = NULL;
    *len = 0;
    TRY(file_read(&raw, &raw_len, path, max));
    if (raw_len < 2 || raw[0] != 0x1f || raw[1] != 0x8b) {
        *bytes = raw;
        *len = raw_len;
        return OK;
    }
    enum status st = file_inflate(bytes, len, raw, raw_len, max, path);
    mem_free(raw);
    return st;
}

static enum status write_all(int fd, const unsigned char *p, size_t len, const char *path) {
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse_errno(path);
        p += n;
        len -= (size_t)n;
    }
    return OK;
}

/* Flushes the directory, so that the new name survives a power cut.  Some file
 * systems cannot do that; the file itself is safe by then, so that is no error. */
static void flush_directory(const char *path) {
    char *dir = mem_copy_string(path);
    if (!dir) return;
    char *slash = strrchr(dir, '/');
    if (slash == dir) slash[1] = 0;
    else if (slash) *slash = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    mem_free(dir);
}

/* A new file beside path; its name goes to temp.  Not mkstemp(): that makes
 * 0600, and asking for the umask to undo it would race with other threads. */
static enum status create_beside(int *fd, struct buf *temp, const char *path) {
    static atomic_uint counter;
    for (int tries = 0; tries < 100; tries++) {
        buf_clear(temp);
        buf_printf(temp, "%s.%ld-%u", path, (long)getpid(), atomic_fetch_add(&counter, 1));
        if (buf_status(temp) != OK) return fail(ERR_NOMEM, "%s: out of memory", path);
        *fd = open(temp->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0) return OK;
        if (errno == ENOENT && strchr(path, '/')) return fail(ERR_MISSING, "%s: its folder is not there; make it first, or choose another", path);
        if (errno != EEXIST) return refuse_errno(path);
    }
    return fail(ERR_IO, "%s: 100 temporary files of this name are left; remove %s.*", path, path);
}

static enum status refuse_existing(const char *path) {
    return fail(ERR_IO, "%s: exists already; give another name, or --force to replace it", path);
}

/* The descriptor of the standard output or error that the path means, as /dev/stdout does; -1: neither. */
static int standard_fd(const struct stat *sb) {
    struct stat own;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &own) == 0 && own.st_dev == sb->st_dev && own.st_ino == sb->st_ino) return fd;
    return -1;
}

enum status file_check_new(const char *path) {
    struct stat sb;
    if (lstat(path, &sb) != 0) return OK;
    if (stat(path, &sb) == 0 && ((!S_ISREG(sb.st_mode) && !S_ISDIR(sb.st_mode)) || standard_fd(&sb) >= 0)) return OK;
    return refuse_existing(path);
}

enum status file_check_ending(const char *path, const char *kind) {
    static const struct { const char *kind, *what, *also; } written[] = {
        { "png", "a PNG picture", "" }, { "html", "an HTML page", "htm" }, { "csv", "CSV", "txt" },
        { "json", "JSON", "txt" }, { "tsv", "a table as text", "txt" }, { "safetensors", "a safetensors file", "" },
        { "txt", "text", "md" },
    };
    static const char *const known[] = { "png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "svg", "pdf", "html", "htm", "md",
                                         "txt", "csv", "tsv", "json", "npy", "npz", "safetensors", "zip", "gz" };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    const char *what = kind, *also = "";
    if (!dot || dot == name) return OK;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (!strcmp(written[i].kind, kind)) { what = written[i].what; also = written[i].also; }
    if (!strcasecmp(dot + 1, kind) || !strcasecmp(dot + 1, also)) return OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(dot + 1, known[i]))
            return fail(ERR_USAGE, "%s: %s is written, and the name says %s; let it end with .%s", path, what, dot, kind);
    return OK;
}

/* Gives the file at temp its name.  A link refuses a name that exists; where there are no
 * links, looking first has to do. */
static enum status name_it(const char *temp, const char *path, int replace) {
    if (!replace) {
        if (link(temp, path) == 0) {
            unlink(temp);
            return OK;
        }
        if (errno == EEXIST) return refuse_existing(path);
        TRY(file_check_new(path));
    }
    return rename(temp, path) == 0 ? OK : refuse_errno(path);
}

/* --- a file in pieces --- */

static int is_database(const char *path) {
    char magic[16] = "";
    struct stat sb;
    if (stat(path, &sb) != 0 || !S_ISREG(sb.st_mode)) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, magic, sizeof magic) : 0;
    if (fd >= 0) close(fd);
    return got == (ssize_t)sizeof magic && !memcmp(magic, "SQLite format 3", sizeof magic);
}

/* What SQLite keeps beside a database: commits that are not in it yet. */
static int is_log_of_database(const char *path) {
    static const char *const ends[] = { "-wal", "-shm", "-journal" };
    char of[PATH_MAX];
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (len <= end || len - end >= sizeof of || strcmp(path + len - end, ends[i]) != 0) continue;
        memcpy(of, path, len - end);
        of[len - end] = 0;
        if (is_database(of)) return 1;
    }
    return 0;
}

/* A database is hours of work: no picture or table takes its name. */
enum status file_check_replaceable(const char *path) {
    struct stat sb;
    if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) return fail(ERR_IO, "%s: is a directory; a file name is expected", path);
    if (is_database(path)) return fail(ERR_IO, "%s: is a database, which is not replaced; give another name", path);
    if (is_log_of_database(path)) return fail(ERR_IO, "%s: is a part of the database beside it; give another name", path);
    return OK;
}

enum status file_begin(struct file_out *f, const char *path, int replace) {
    struct stat sb;
    char real[PATH_MAX];
    int exists = stat(path, &sb) == 0;
    *f = (struct file_out){ .fd = -1, .replace = replace };
    if (!replace) TRY(file_check_new(path));
    TRY(file_check_replaceable(path));
    int own = exists ? standard_fd(&sb) : -1;
    if (exists && realpath(path, real)) path = real;      /* a link stays one */
    f->path = mem_copy_string(path);
    if (!f->path) return fail(ERR_NOMEM, "%s: out of memory", path);
    enum status st = OK;
    if (own >= 0 || (exists && !S_ISREG(sb.st_mode))) {   /* a pipe or a device is written to, not replaced */
        f->fd = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CLOEXEC);
        if (f->fd < 0) st = refuse_errno(path);
    } else {
        st = create_beside(&f->fd, &f->temp, path);
    }
    if (st != OK) file_abandon(f);
    return st;
}

enum status file_add(struct file_out *f, const void *bytes, size_t len) { return write_all(f->fd, bytes, len, f->path); }

enum status file_end(struct file_out *f) {
    enum status st = OK;
    int is_new = f->temp.len > 0;
    if (is_new && fsync(f->fd) != 0) st = refuse_errno(f->path);
    if (close(f->fd) != 0 && st == OK) st = refuse_errno(f->path);
    f->fd = -1;
    if (st == OK && is_new) st = name_it(f->temp.data, f->path, f->replace);
    if (st == OK && is_new) {
        flush_directory(f->path);
        buf_clear(&f->temp);      /* nothing to take away */
        f->temp.data[0] = 0;
    }
    file_abandon(f);
    return st;
}

void file_abandon(struct file_out *f) {
    if (!f->path) return;
    if (f->fd >= 0) close(f->fd);
    if (f->temp.data && f->temp.data[0]) unlink(f->temp.data);
    buf_free(&f->temp);
    mem_free(f->path);
    *f = (struct file_out){ .fd = -1 };
}

static enum status write_whole(const char *path, const void *bytes, size_t len, int replace) {
    struct file_out f;
    TRY(file_begin(&f, path, replace));
    enum status st = file_add(&f, bytes, len);
    if (st == OK) return file_end(&f);
    file_abandon(&f);
    return st;
}

enum status file_write(const char *path, const void *bytes, size_t len) { return write_whole(path, bytes, len, 1); }
enum status file_write_new(const char *path, const void *bytes, size_t len) { return write_whole(path, bytes, len, 0); }
