/* feature_file.c - feature rows in files of other programs: which paths are
 * honoured, whether a file is still what it was, and its rows.
 *
 * Rows are read with pread(), not through a map: a file that shrinks meanwhile is
 * an error with a name, not a signal, and what is read counts as the page cache's
 * memory, not as ours. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* SEEK_HOLE */
#endif
#include "db.h"

#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 4096, PIECES = 512, CHECK_BYTES = 4 << 20, MIB = 1 << 20, FILES_MAX = 100000 };

static const struct { const char *name; size_t size; } numbers[] = {
    [FEATURE_F16] = { "float16", 2 }, [FEATURE_BF16] = { "bfloat16", 2 }, [FEATURE_F32] = { "float32", 4 },
    [FEATURE_F64] = { "float64", 8 },
};
#define NUMBERS (sizeof numbers / sizeof *numbers)

/* --- which paths are honoured --- */

static char trusted[PATH_MAX];

enum status store_trust_folder(const char *dir) {
    struct stat st;
    trusted[0] = 0;
    errno = 0;
    if (!dir) return OK;
    if (!realpath(dir, trusted) || stat(trusted, &st) != 0 || !S_ISDIR(st.st_mode)) {
        int e = errno;
        trusted[0] = 0;
        return fail(ERR_MISSING, "%s: %s", dir, e ? strerror(e) : "not a folder");
    }
    return OK;
}

static enum status database_folder(struct store *s, char out[PATH_MAX]) {
    if (!realpath(s->file ? s->file : s->path, out)) return fail(ERR_IO, "%s: %s", s->path, strerror(errno));
    char *slash = strrchr(out, '/');
    if (slash == out) slash++;
    *slash = 0;
    return OK;
}

/* What follows folder and a slash in path; NULL when path is not below it. */
static const char *below(const char *folder, const char *path) {
    size_t n = strlen(folder);
    if (!n || strncmp(folder, path, n) != 0) return NULL;
    if (folder[n - 1] == '/') return path[n] ? path + n : NULL;
    return path[n] == '/' && path[n + 1] ? path + n + 1 : NULL;
}

/* The real path of a stored one. */
static enum status resolve(struct store *s, const char *stored, char out[PATH_MAX]) {
    char folder[PATH_MAX], joined[2 * PATH_MAX];
    int is_outside = stored[0] == '/';
    TRY(database_folder(s, folder));
    const char *root[] = { folder, trusted };
    for (size_t i = 0; i < 2 && stored[0] != '/'; i++) {
        if (!root[i][0]) continue;
        snprintf(joined, sizeof joined, "%s/%s", root[i], stored);
        if (!realpath(joined, out)) continue;
        if (below(root[i], out)) return OK;
        is_outside = 1;
    }
    if (is_outside)
        return fail(ERR_RANGE, "%s: features in '%s' are not read: that is outside the database's folder%s", s->path, stored,
                    trusted[0] ? " and --feature-root" : "; --feature-root names another");
    return fail(ERR_MISSING, "%s: features are in the file '%s', which is not there; put it back, or say with --feature-root below "
                "which folder it lies", s->path, stored);
}

/* The path to store for a file that the user names. */
static enum status relative_path(struct store *s, const char *path, char out[PATH_MAX]) {
    char folder[PATH_MAX], real[PATH_MAX];
    const char *rest;
    TRY(database_folder(s, folder));
    if (!realpath(path, real)) return fail(errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
    if (!(rest = below(folder, real))) rest = below(trusted, real);
    if (!rest)
        return fail(ERR_RANGE, "%s: not below the database's folder %s%s%s, so it cannot stay there: %s", path, folder,
                    trusted[0] ? " or " : "", trusted, trusted[0] ? "leave out --in-place to copy it in"
                    : "say --feature-root FOLDER, now and when it is read, or leave out --in-place");
    db_copy(out, PATH_MAX, rest);
    return OK;
}

/* --- open files --- */

struct open_file {
    char *path;
    int fd;
    size_t first, rows;
    enum feature_number number;
    uint64_t start, stride, size, sample, whole;
    int has_whole, zeros;
    int64_t id;
    struct timespec changed;
};

struct open_features {
    int64_t set, version;
    struct open_file *file;
    size_t files, rows;
    uint32_t *row;               /* of each item, over all files; NULL: in order */
};

static void close_features(struct open_features *o) {
    for (size_t i = 0; i < o->files; i++) {
        if (o->file[i].fd >= 0) close(o->file[i].fd);
        mem_free(o->file[i].path);
    }
    mem_free(o->file);
    mem_free(o->row);
    *o = (struct open_features){ 0 };
}

void feature_files_forget(struct store *s) {
    for (size_t i = 0; i < DB_OPEN_FEATURES; i++) {
        if (!s->open[i]) continue;
        close_features(s->open[i]);
        mem_free(s->open[i]);
        s->open[i] = NULL;
    }
}

static enum status read_bytes(const struct open_file *f, void *out, uint64_t at, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(f->fd, (unsigned char *)out + done, bytes - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(ERR_IO, "%s: %s", f->path, strerror(errno));
        if (n == 0) return fail(ERR_FORMAT, "%s: the file became shorter; its features are damaged", f->path);
        done += (size_t)n;
    }
    return OK;
}

/* XXH3 of a digest and of bytes. */
static uint64_t chain(uint64_t digest, const void *bytes, size_t len) {
    uint64_t both[2] = { digest, hash_xxh3(bytes, len) };
    return hash_xxh3(both, sizeof both);
}

static enum status sample_of(const struct open_file *f, uint64_t *digest) {
    unsigned char piece[PIECE];
    int all = f->size <= (uint64_t)PIECE * PIECES;
    uint64_t pieces = all ? (f->size + PIECE - 1) / PIECE : PIECES, h = f->size;
    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t at = all ? i * PIECE : (f->size - PIECE) / (PIECES - 1) * i;
        if (!all && i + 1 == pieces) at = f->size - PIECE;
        size_t n = f->size - at < PIECE ? (size_t)(f->size - at) : PIECE;
        TRY(read_bytes(f, piece, at, n));
        h = chain(h, piece, n);
    }
    *digest = h;
    return OK;
}

static enum status look(struct open_file *f, const char *path, struct stat *st) {
    f->path = mem_copy_string(path);
    if (!f->path) return fail(ERR_NOMEM, "%s: out of memory", path);
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, st) != 0) return fail(ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st->st_mode)) return fail(ERR_FORMAT, "%s: not a regular file", path);
    f->changed = st->st_mtim;
    return OK;
}

static enum status open_one(struct store *s, struct open_file *f, const char *stored) {
    char path[PATH_MAX];
    struct stat st;
    uint64_t sample;
    TRY(resolve(s, stored, path));
    TRY(look(f, path, &st));
    if ((uint64_t)st.st_size != f->size)
        return fail(ERR_FORMAT, "%s: changed since its features were imported: %lld bytes, it had %llu; bring the old one back, or drop "
                    "the features and import it again", path, (long long)st.st_size, (unsigned long long)f->size);
    TRY(sample_of(f, &sample));
    if (sample == f->sample) return OK;
    return fail(ERR_FORMAT, "%s: changed since its features were imported: other contents; bring the old one back, or drop the features "
                "and import it again", path);
}

/* Whether a row of the table can be meant: a database may say anything. */
static enum status check_file(struct store *s, const struct feature_set *set, const struct open_file *f) {
    uint64_t row = (size_t)f->number < NUMBERS ? set->identity.k * numbers[f->number].size : 0;
    if (row && f->rows && f->rows <= set->rows && f->stride >= row && f->stride <= (uint64_t)1 << 40 && f->start <= f->size &&
        (f->size - f->start) / f->stride >= f->rows - 1 && f->size - f->start - (f->rows - 1) * f->stride >= row)
        return OK;
    return fail(ERR_FORMAT, "%s: feature file %lld is not sensible: %zu rows of %zu numbers, %llu bytes apart from byte %llu of %llu", s->path,
                (long long)f->id, f->rows, set->identity.k, (unsigned long long)f->stride, (unsigned long long)f->start,
                (unsigned long long)f->size);
}

/* The items of a file's rows, from the blob. */
static enum status read_order(struct store *s, const struct feature_set *set, struct open_features *o, const struct open_file *f,
                              sqlite3_stmt *q, unsigned char *seen) {
    size_t len;
    const unsigned char *bytes = col_blob(q, 10, &len);
    if (hash_xxh3(bytes, len) != col_u64(q, 9) || (len && len != 4 * f->rows))
        return fail(ERR_FORMAT, "%s: the items of feature file %lld are damaged: the checksum does not match", s->path, (long long)f->id);
    for (size_t r = 0; r < f->rows; r++) {
        size_t item = f->first + r;
        if (len) item = (size_t)bytes[4 * r] | (size_t)bytes[4 * r + 1] << 8 | (size_t)bytes[4 * r + 2] << 16 | (size_t)bytes[4 * r + 3] << 24;
        if (item >= set->rows || seen[item]++)
            return fail(ERR_FORMAT, "%s: feature file %lld has a row for item %zu, of %zu", s->path, (long long)f->id, item, set->rows);
        o->row[item] = (uint32_t)(f->first + r);
    }
    return OK;
}

static enum status open_all(struct store *s, const struct feature_set *set, struct open_features *o, sqlite3_stmt *q) {
    unsigned char *seen = mem_array(set->rows + 1, 1);
    enum status st = seen ? OK : fail(ERR_NOMEM, "feature files: out of memory");
    int row = 1;
    o->row = mem_array(set->rows + 1, sizeof *o->row);
    if (!o->row) st = fail(ERR_NOMEM, "feature files: out of memory");
    while (st == OK) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct open_file *more = o->files < FILES_MAX ? db_grow(o->file, o->files, sizeof *more) : NULL;
        if (!more) { st = fail(ERR_NOMEM, "feature files: out of memory"); goto done; }
        o->file = more;
        struct open_file *f = &o->file[o->files++];
        *f = (struct open_file){ .id = sqlite3_column_int64(q, 0), .fd = -1, .first = col_size(q, 1), .rows = col_size(q, 2),
                                 .start = col_u64(q, 5), .stride = col_u64(q, 6), .size = col_u64(q, 4), .sample = col_u64(q, 8),
                                 .zeros = col_int(q, 11), .whole = col_u64(q, 12),
                                 .has_whole = sqlite3_column_type(q, 12) != SQLITE_NULL };
        size_t n = 0;
        while (n < NUMBERS && strcmp(col_str(q, 7), numbers[n].name) != 0) n++;
        f->number = (enum feature_number)n;
        TRY_TO(check_file(s, set, f));
        if (f->first != o->rows || f->rows > set->rows - o->rows) {
            st = fail(ERR_FORMAT, "%s: feature file %lld does not follow the one before it", s->path, (long long)f->id);
            goto done;
        }
        o->rows += f->rows;
        TRY_TO(read_order(s, set, o, f, q, seen));
        TRY_TO(open_one(s, f, col_str(q, 3)));
    }
done:
    mem_free(seen);
    return st;
}

static enum status open_features(struct store *s, const struct feature_set *set, struct open_features **out) {
    int64_t version;
    sqlite3_stmt *q;
    TRY(store_data_version(s, &version));
    for (size_t i = 0; i < DB_OPEN_FEATURES; i++)
        if (s->open[i] && s->open[i]->set == set->id && s->open[i]->version == version) {
            *out = s->open[i];
            return OK;
        }
    struct open_features **place = NULL;
    for (size_t i = 0; i < DB_OPEN_FEATURES; i++)
        if (s->open[i] && s->open[i]->set == set->id) place = &s->open[i];
    if (!place) place = &s->open[s->next_open++ % DB_OPEN_FEATURES];
    if (*place) close_features(*place);
    else *place = mem_array(1, sizeof **place);
    if (!*place) return fail(ERR_NOMEM, "feature files: out of memory");
    TRY(db_query(s, &q, "SELECT id, first, rows, path, size, start, stride, number, sample, xxh3, items, zeros, whole FROM feature_file"
                        " WHERE feature_set = ? ORDER BY first", "i", set->id));
    enum status st = open_all(s, set, *place, q);
    db_end(q);
    if (st != OK) {
        close_features(*place);
        return st;
    }
    (*place)->set = set->id;
    (*place)->version = version;
    *out = *place;
    return OK;
}

/* --- rows --- */

static void decode(float *out, const unsigned char *p, size_t k, enum feature_number n) {
    switch (n) {
    case FEATURE_F16: for (size_t i = 0; i < k; i++) out[i] = feature_half((uint16_t)(p[2 * i] | p[2 * i + 1] << 8)); return;
    case FEATURE_BF16:
        for (size_t i = 0; i < k; i++) {
            uint32_t u = (uint32_t)p[2 * i] << 16 | (uint32_t)p[2 * i + 1] << 24;
            memcpy(out + i, &u, 4);
        }
        return;
    case FEATURE_F32: memcpy(out, p, k * 4); return;
    case FEATURE_F64:
        for (size_t i = 0; i < k; i++) {
            double d;
            memcpy(&d, p + 8 * i, 8);
            out[i] = (float)d;
        }
        return;
    }
}

/* The first number that is not finite; k when all are. */
static size_t not_finite(const float *x, size_t k) {
    uint32_t bad = 0;
    for (size_t i = 0; i < k; i++) {
        uint32_t u;
        memcpy(&u, x + i, 4);
        bad |= (uint32_t)((u & 0x7f800000u) == 0x7f800000u);
    }
    for (size_t i = 0; bad && i < k; i++) {
        uint32_t u;
        memcpy(&u, x + i, 4);
        if ((u & 0x7f800000u) == 0x7f800000u) return i;
    }
    return k;
}

static int is_zero(const float *x, size_t k) {
    uint32_t any = 0;
    for (size_t i = 0; i < k; i++) {
        uint32_t u;
        memcpy(&u, x + i, 4);
        any |= u << 1;
    }
    return !any;
}

static enum status refuse_not_finite(const struct open_file *f, size_t row, size_t number) {
    return fail(ERR_NUMERIC, "%s: row %zu is not finite (number %zu)", f->path, row, number);
}

/* The file as it was when it was opened?  Asked before every run of rows, so that a file of another size has
 * its reason, and after it, so that no row of a changed one is used. */
static enum status still_same(struct open_file *f) {
    struct stat st;
    uint64_t sample;
    if (fstat(f->fd, &st) != 0) return fail(ERR_IO, "%s: %s", f->path, strerror(errno));
    if ((uint64_t)st.st_size == f->size && st.st_mtim.tv_sec == f->changed.tv_sec && st.st_mtim.tv_nsec == f->changed.tv_nsec) return OK;
    if ((uint64_t)st.st_size == f->size) {
        TRY(sample_of(f, &sample));
        f->changed = st.st_mtim;
        if (sample == f->sample) return OK;
    }
    return fail(ERR_FORMAT, "%s: the file was changed while its features are read", f->path);
}

/* Rows [row, row + count) of a file. */
static enum status read_run(struct open_file *f, size_t row, size_t count, size_t k, float *out) {
    size_t size = k * numbers[f->number].size;
    unsigned char *bytes = NULL;
    enum status st = OK;
    TRY(still_same(f));
    if (f->number == FEATURE_F32 && f->stride == size) {
        TRY(read_bytes(f, out, f->start + row * f->stride, count * size));
    } else {
        bytes = mem_array(size, 1);
        if (!bytes) return fail(ERR_NOMEM, "%s: out of memory for a row of %zu numbers", f->path, k);
        for (size_t r = 0; r < count && st == OK; r++) {
            st = read_bytes(f, bytes, f->start + (row + r) * f->stride, size);
            if (st == OK) decode(out + r * k, bytes, k, f->number);
        }
        mem_free(bytes);
    }
    if (st == OK) st = still_same(f);
    for (size_t r = 0; r < count && st == OK; r++) {
        size_t bad = not_finite(out + r * k, k);
        if (bad < k) st = refuse_not_finite(f, row + r, bad);
    }
    return st;
}

enum status feature_files_read(struct store *s, const struct feature_set *set, size_t first, size_t count, float *out) {
    struct open_features *o;
    size_t file = 0, k = set->identity.k;
    TRY(open_features(s, set, &o));
    if (count > o->rows || first > o->rows - count)
        return fail(ERR_MISSING, "%s: feature set %lld has %zu rows in its files, of %zu", s->path, (long long)set->id, o->rows, set->rows);
    for (size_t done = 0, run; done < count; done += run) {
        size_t row = o->row[first + done];
        while (file + 1 < o->files && row >= o->file[file].first + o->file[file].rows) file++;
        while (row < o->file[file].first) file--;
        struct open_file *f = &o->file[file];
        for (run = 1; done + run < count && o->row[first + done + run] == row + run && row + run < f->first + f->rows;) run++;
        TRY(read_run(f, row - f->first, run, k, out + done * k));
    }
    return OK;
}

/* --- putting --- */

/* A row in a part of the file that was never written, as where a program that made
 * it at its full size did not get so far. */
static enum status find_holes(const struct open_file *f, size_t row_bytes) {
#ifdef SEEK_HOLE
    uint64_t end = f->start + f->stride * (f->rows - 1) + row_bytes;
    for (off_t at = (off_t)f->start; (uint64_t)at < end;) {
        off_t hole = lseek(f->fd, at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole >= end) return OK;
        off_t data = lseek(f->fd, hole, SEEK_DATA);
        if (data < 0) data = (off_t)f->size;
        uint64_t skip = (uint64_t)hole > f->start ? ((uint64_t)hole - f->start + f->stride - 1) / f->stride : 0;
        if (skip < f->rows && f->start + skip * f->stride + row_bytes <= (uint64_t)data)
            return fail(ERR_FORMAT, "%s: row %llu was never written: there is a hole in the file (--allow-zero takes rows of zeros)", f->path,
                        (unsigned long long)skip);
        at = data;
    }
#else
    (void)f, (void)row_bytes;
#endif
    return OK;
}

/* A few rows: finite, and not zero. */
static enum status try_rows(struct open_file *f, size_t k) {
    enum { TRIES = 64 };
    enum status st = OK;
    float *row = mem_array(k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "%s: out of memory for a row of %zu numbers", f->path, k);
    for (size_t i = 0; i < TRIES && i < f->rows && st == OK; i++) {
        size_t at = f->rows <= TRIES ? i : (f->rows - 1) * i / (TRIES - 1);
        st = read_run(f, at, 1, k, row);
        if (st == OK && !f->zeros && is_zero(row, k))
            st = fail(ERR_FORMAT, "%s: row %zu is all zero, as where a file was written in part (--allow-zero takes it)", f->path, at);
    }
    mem_free(row);
    return st;
}

static enum status put_file(struct store *s, const struct feature_set *set, const struct feature_file *file, size_t first,
                            const size_t *order, int zeros) {
    struct open_file f = { .fd = -1, .first = first, .rows = file->rows, .number = file->number, .start = file->start, .stride = file->stride,
                           .zeros = zeros };
    char stored[PATH_MAX];
    struct stat sb;
    size_t k = set->identity.k, len = order ? 4 * f.rows : 0;
    unsigned char *items = NULL;
    enum status st;
    TRY_TO(relative_path(s, file->path, stored));
    TRY_TO(look(&f, file->path, &sb));
    f.size = (uint64_t)sb.st_size;
    TRY_TO(check_file(s, set, &f));
    if (!zeros) TRY_TO(find_holes(&f, k * numbers[f.number].size));
    TRY_TO(try_rows(&f, k));
    TRY_TO(sample_of(&f, &f.sample));
    items = mem_array(len + 1, 1);
    if (!items) { st = fail(ERR_NOMEM, "%s: out of memory", file->path); goto done; }
    for (size_t i = 0; i < len; i++) items[i] = (unsigned char)(order[first + i / 4] >> 8 * (i % 4));
    st = db_exec(s, "INSERT INTO feature_file (feature_set, first, rows, path, size, start, stride, number, zeros, sample, xxh3, items)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "izztuuutnuub", set->id, first, f.rows, stored, f.size, f.start, f.stride,
                 numbers[f.number].name, zeros != 0, f.sample, hash_xxh3(items, len), items, len);
done:
    if (f.fd >= 0) close(f.fd);
    mem_free(f.path);
    mem_free(items);
    return st;
}

static enum status put_files(struct store *s, const struct feature_set *set, const struct feature_file *file, size_t files,
                             const size_t *order, int zeros) {
    size_t first = 0;
    for (size_t i = 0; i < files; i++) {
        TRY(put_file(s, set, &file[i], first, order, zeros));
        first += file[i].rows;
    }
    if (first == set->rows) return OK;
    return fail(ERR_RANGE, "feature set %lld: %zu rows in files, %zu are expected", (long long)set->id, first, set->rows);
}

enum status store_feature_files_put(struct store *s, const struct feature_set *set, const struct feature_file *file, size_t files,
                                    const size_t *order, int zeros) {
    if (set->rows_done || set->identity.parts > 1 || !files || files > FILES_MAX)
        return fail(ERR_RANGE, "feature set %lld: %zu rows are there, %zu files", (long long)set->id, set->rows_done, files);
    feature_files_forget(s);
    TRY(db_unit_begin(s));
    return db_unit_end(s, put_files(s, set, file, files, order, zeros));
}

/* --- checking --- */

struct checker {
    void (*problem)(void *ctx, const char *line);
    void *ctx;
    const struct progress *progress;
    unsigned char *bytes;
    float *row;
};

/* All bytes of a file for its digest, and on the way every row. */
static enum status check_whole(struct checker *c, struct open_file *f, size_t k, uint64_t *digest) {
    size_t size = k * numbers[f->number].size, at_once = f->stride < CHECK_BYTES ? CHECK_BYTES / (size_t)f->stride : 1;
    uint64_t h = f->size, end = f->start + f->rows * f->stride;
    for (uint64_t at = 0; at < f->size;) {
        uint64_t stop = at < f->start ? f->start : at < end ? at + at_once * f->stride : f->size;
        if (at < f->start || at >= end) stop = stop - at > CHECK_BYTES ? at + CHECK_BYTES : stop;
        else if (stop > end) stop = end;
        if (stop > f->size) stop = f->size;
        TRY(progress_check(c->progress));
        TRY(read_bytes(f, c->bytes, at, (size_t)(stop - at)));
        h = chain(h, c->bytes, (size_t)(stop - at));
        for (uint64_t r = at; at >= f->start && r < end && r + size <= stop; r += f->stride) {
            size_t row = (size_t)((r - f->start) / f->stride);
            decode(c->row, c->bytes + (r - at), k, f->number);
            size_t bad = not_finite(c->row, k);
            if (bad < k) return refuse_not_finite(f, row, bad);
            if (!f->zeros && is_zero(c->row, k))
                return fail(ERR_FORMAT, "%s: row %zu is all zero, as where a file was written in part", f->path, row);
        }
        at = stop;
        progress_report(c->progress, (double)((at + MIB - 1) / MIB), (double)((f->size + MIB - 1) / MIB), "MiB of a feature file", "");
    }
    *digest = h;
    return OK;
}

static enum status check_set(struct store *s, struct checker *c, const struct feature_set *set) {
    struct open_features *o;
    TRY(open_features(s, set, &o));
    if (o->rows != set->rows)
        return fail(ERR_FORMAT, "feature set %lld: %zu rows in its files, of %zu", (long long)set->id, o->rows, set->rows);
    for (size_t i = 0; i < o->files; i++) {
        struct open_file *f = &o->file[i];
        uint64_t digest = 0, most = f->stride > CHECK_BYTES ? f->stride : CHECK_BYTES;
        enum status st = OK;
        c->bytes = mem_array((size_t)most, 1);
        c->row = mem_array(set->identity.k, sizeof *c->row);
        if (!c->bytes || !c->row) st = fail(ERR_NOMEM, "%s: out of memory", f->path);
        if (st == OK) st = check_whole(c, f, set->identity.k, &digest);
        mem_free(c->bytes);
        mem_free(c->row);
        if (st == OK && f->has_whole && digest != f->whole)
            st = fail(ERR_FORMAT, "%s: changed since it was checked before: other contents", f->path);
        if (st == OK && !f->has_whole && !s->read_only)
            st = db_exec(s, "UPDATE feature_file SET whole = ? WHERE id = ?", "ui", digest, f->id);
        if (st == OK) f->whole = digest, f->has_whole = 1;
        TRY(st);
    }
    return OK;
}

enum status feature_files_check(struct store *s, void (*problem)(void *ctx, const char *line), void *ctx, const struct progress *p) {
    struct feature_set_list l = { 0 };
    struct checker c = { problem, ctx, p, NULL, NULL };
    enum status st = store_feature_sets_list(s, &l);
    if (st != OK && st != ERR_NOMEM) {   /* the other tests say what is wrong with that */
        problem(ctx, fail_reason());
        return OK;
    }
    for (size_t i = 0; i < l.count && st == OK; i++) {
        if (!l.set[i].files) continue;
        st = check_set(s, &c, &l.set[i]);
        if (st == OK || st == ERR_NOMEM || st == ERR_CANCELLED) continue;
        problem(ctx, fail_reason());
        st = OK;
    }
    feature_set_list_free(&l);
    return st;
}
