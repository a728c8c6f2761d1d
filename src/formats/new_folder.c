/* new_folder.c - a folder under a temporary name, renamed when it is whole. */
#include "dtrak/new_folder.h"

#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 8 };

static enum status errno_of(const char *path) { return fail(ERR_IO, "%s: %s", path, strerror(errno)); }

static enum status join(char out[NEW_FOLDER_PATH], const char *dir, const char *file) {
    int n = snprintf(out, NEW_FOLDER_PATH, "%s/%s", dir, file);
    return n > 0 && n < NEW_FOLDER_PATH ? OK : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
}

/* --- an earlier one --- */

static int lists(const struct json *files, const char *name) {
    if (!strcmp(name, NEW_FOLDER_LIST)) return 1;
    for (size_t i = 0; i < json_len(files); i++)
        if (!strcmp(json_string(json_at(files, i), ""), name)) return 1;
    return 0;
}

/* Every file below dir/sub is listed. */
static enum status check_listed(const char *dir, const char *sub, const struct json *files, int depth) {
    char path[NEW_FOLDER_PATH], name[NEW_FOLDER_PATH];
    struct stat sb;
    if (depth == DEPTH) return fail(ERR_IO, "%s: holds folders in folders, so it is not one that was written here", dir);
    TRY(join(path, dir, sub));
    DIR *d = opendir(path);
    if (!d) return errno_of(path);
    enum status st = OK;
    for (struct dirent *e; st == OK && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        int n = snprintf(name, sizeof name, "%s%s%s", sub, *sub ? "/" : "", e->d_name);
        st = n < (int)sizeof name ? join(path, dir, name) : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
        if (st == OK && lstat(path, &sb)) st = errno_of(path);
        if (st == OK && S_ISDIR(sb.st_mode)) st = check_listed(dir, name, files, depth + 1);
        else if (st == OK && !lists(files, name))
            st = fail(ERR_IO, "%s: holds %.80s, which is of no export; it is not replaced", dir, name);
    }
    closedir(d);
    return st;
}

static enum status check_replaceable(const char *dir) {
    char path[NEW_FOLDER_PATH];
    struct json_doc *doc;
    TRY(join(path, dir, NEW_FOLDER_LIST));
    if (access(path, F_OK) != 0) {
        DIR *d = opendir(dir);
        size_t there = 0;
        if (!d) return errno_of(dir);
        while (readdir(d)) there++;
        closedir(d);
        return there <= 2 ? OK : fail(ERR_IO, "%s: no earlier export (%s is not there); it is not replaced", dir, NEW_FOLDER_LIST);
    }
    TRY(json_read(&doc, path));
    enum status st = check_listed(dir, "", json_get(json_root(doc), "files"), 0);
    json_free(doc);
    return st;
}

/* Below a folder of ours: links are taken away, not followed. */
static void remove_tree(const char *dir, int depth) {
    char path[NEW_FOLDER_PATH];
    DIR *d = depth < DEPTH ? opendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || join(path, dir, e->d_name) != OK) continue;
        if (unlink(path) != 0) remove_tree(path, depth + 1);
    }
    if (d) closedir(d);
    (void)rmdir(dir);
}

/* --- the new one --- */

/* dir as an absolute path without links in its parent. */
static enum status find_place(char out[NEW_FOLDER_PATH], const char *dir) {
    char parent[NEW_FOLDER_PATH];
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') len--;
    size_t cut = len;
    while (cut && dir[cut - 1] != '/') cut--;
    const char *name = dir + cut;
    if (len - cut == 0 || len >= NEW_FOLDER_PATH - 64 || !strncmp(name, ".", len - cut) || !strncmp(name, "..", len - cut))
        return fail(ERR_USAGE, "'%.80s' is no name for a new folder", dir);
    snprintf(parent, sizeof parent, "%.*s", cut ? (int)cut : 1, cut ? dir : ".");
    char real[PATH_MAX];
    if (!realpath(parent, real))
        return errno == ENOENT ? fail(ERR_MISSING, "%s: there is no folder %s; make it first, or choose another", dir, parent)
                               : fail(ERR_IO, "%s: %s", parent, strerror(errno));
    int n = snprintf(out, NEW_FOLDER_PATH, "%s/%.*s", strcmp(real, "/") ? real : "", (int)(len - cut), name);
    return n < NEW_FOLDER_PATH - 64 ? OK : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
}

enum status new_folder_begin(struct new_folder *f, const char *dir, int force) {
    struct stat sb;
    *f = (struct new_folder){ .replace = 0 };
    TRY(find_place(f->place, dir));
    if (lstat(f->place, &sb)) return errno == ENOENT ? OK : errno_of(dir);
    if (!force) return fail(ERR_IO, "%s: exists already; give another name, or --force to replace it", dir);
    if (!S_ISDIR(sb.st_mode)) return fail(ERR_IO, "%s: is no folder; it is not replaced", dir);
    f->replace = 1;
    return check_replaceable(f->place);
}

static enum status make_parents(const char *temp, char *path) {
    for (char *slash = path + strlen(temp) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        int failed = mkdir(path, 0777) && errno != EEXIST;
        if (failed) return errno_of(path);
        *slash = '/';
    }
    return OK;
}

static enum status make_temp(struct new_folder *f) {
    snprintf(f->temp, sizeof f->temp, "%.*s.part-%ld", NEW_FOLDER_PATH - 64, f->place, (long)getpid());
    if (mkdir(f->temp, 0777) == 0) return OK;
    enum status st = errno_of(f->temp);
    f->temp[0] = 0;               /* not ours to take away */
    return st;
}

enum status new_folder_path(struct new_folder *f, const char *file, char out[NEW_FOLDER_PATH]) {
    if (!f->temp[0]) TRY(make_temp(f));
    if (f->files == f->room) {
        size_t room = f->room ? 2 * f->room : 16;
        char **more = mem_resize(f->file, f->room, room, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "export: out of memory");
        f->file = more;
        f->room = room;
    }
    f->file[f->files] = mem_copy_string(file);
    if (!f->file[f->files]) return fail(ERR_NOMEM, "export: out of memory");
    f->files++;
    TRY(join(out, f->temp, file));
    return make_parents(f->temp, out);
}

static enum status write_list(struct new_folder *f, const struct buf *members) {
    char path[NEW_FOLDER_PATH];
    struct buf b = BUF_INIT;
    enum status st;
    if (!f->temp[0]) TRY(make_temp(f));
    buf_printf(&b, "{%s,\n\"files\":[", members->data);
    for (size_t i = 0; i < f->files; i++) {
        buf_text(&b, i ? ",\n" : "\n");
        json_add_string(&b, f->file[i]);
    }
    buf_text(&b, "]}\n");
    TRY_TO(buf_status(&b));
    TRY_TO(join(path, f->temp, NEW_FOLDER_LIST));
    st = file_write(path, b.data, b.len);
done:
    buf_free(&b);
    return st;
}

enum status new_folder_end(struct new_folder *f, const struct buf *members) {
    char aside[NEW_FOLDER_PATH];
    TRY(buf_status(members));
    TRY(write_list(f, members));
    snprintf(aside, sizeof aside, "%.*s.old-%ld", NEW_FOLDER_PATH - 64, f->place, (long)getpid());
    if (f->replace && rename(f->place, aside)) return errno_of(f->place);
    if (rename(f->temp, f->place)) {
        enum status st = errno_of(f->place);
        if (f->replace) (void)rename(aside, f->place);
        return st;
    }
    f->temp[0] = 0;
    if (!f->replace) return OK;
    if (check_replaceable(aside) != OK)     /* it was, when this began */
        return fail(ERR_IO, "%s: it is written, but the old one got something new meanwhile and is kept as %s", f->place, aside);
    remove_tree(aside, 0);
    return OK;
}

void new_folder_close(struct new_folder *f) {
    if (f->temp[0]) remove_tree(f->temp, 0);
    for (size_t i = 0; i < f->files; i++) mem_free(f->file[i]);
    mem_free(f->file);
    *f = (struct new_folder){ .files = 0 };
}
