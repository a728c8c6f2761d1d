/* Pictures in sub-folders: listed and sorted at open, decoded when asked for. */
#include "dtrak/dataset.h"

#include "dataset_parts.h"
#include "dtrak/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define DEPTH_MAX 16
#define UNLABELLED "unlabelled"

struct listing { char **paths; size_t len, cap, skipped; char *first_skipped; const char *root; };

static int is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0
                   || strcasecmp(dot, ".jpeg") == 0);
}

/* Takes path over, also when it fails. */
static enum status add_path(struct listing *l, char *path) {
    if (l->len == DATASET_ITEMS_MAX) {
        mem_free(path);
        return fail(ERR_FORMAT, "%s: more than %zu pictures; that is the most that is read",
                    l->root, DATASET_ITEMS_MAX);
    }
    if (l->len == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        char **p = mem_resize(l->paths, l->cap, cap, sizeof *p);
        if (!p) {
            mem_free(path);
            return fail(ERR_NOMEM, "%s: no memory for its file names", l->root);
        }
        l->paths = p;
        l->cap = cap;
    }
    l->paths[l->len++] = path;
    return OK;
}

static enum status list_folder(struct listing *l, const char *relative, int depth);

static char *path_below(const char *relative, const char *name) {
    return *relative ? dataset_path(relative, name) : mem_copy_string(name);
}

/* The order of a folder's entries is its file system's; the first by byte is kept. */
static enum status skip_entry(struct listing *l, const char *relative, const char *name) {
    char *path = path_below(relative, name);
    if (!path) return fail(ERR_NOMEM, "%s: no memory for its file names", l->root);
    int earlier = !l->first_skipped || strcmp(path, l->first_skipped) < 0;
    mem_free(earlier ? l->first_skipped : path);
    if (earlier) l->first_skipped = path;
    l->skipped++;
    return OK;
}

/* One entry of the folder fd; a link to a file is as good as the file, a link
 * to a directory could lead back up and is not followed. */
static enum status list_entry(struct listing *l, int fd, const char *relative, const char *name,
                              int depth) {
    struct stat link, target;
    int directory = 0, picture = 0;

    if (name[0] == '.') return OK;
    if (fstatat(fd, name, &link, AT_SYMLINK_NOFOLLOW) == 0) {
        directory = S_ISDIR(link.st_mode);
        picture = is_picture(name) && fstatat(fd, name, &target, 0) == 0
            && S_ISREG(target.st_mode);
    }
    if (!directory && !picture) return skip_entry(l, relative, name);
    char *path = path_below(relative, name);
    if (!path) return fail(ERR_NOMEM, "%s: no memory for its file names", l->root);
    if (picture) return add_path(l, path);
    enum status st = list_folder(l, path, depth + 1);
    mem_free(path);
    return st;
}

static enum status list_folder(struct listing *l, const char *relative, int depth) {
    enum status st = OK;
    DIR *d = NULL;
    char *path = *relative ? dataset_path(l->root, relative) : mem_copy_string(l->root);

    if (!path) return fail(ERR_NOMEM, "%s: no memory for its file names", l->root);
    if (depth > DEPTH_MAX) {
        st = fail(ERR_FORMAT, "%s: folders nested deeper than %d levels", path, DEPTH_MAX);
        goto done;
    }
    d = opendir(path);
    if (!d) {
        st = fail(errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno) st = fail(ERR_IO, "%s: %s", path, strerror(errno));
            break;
        }
        TRY_TO(list_entry(l, dirfd(d), relative, e->d_name, depth));
    }
done:
    if (d) closedir(d);
    mem_free(path);
    return st;
}

/* The label of a relative path: its first part. */
static const char *label_of(const char *path, size_t *len) {
    const char *slash = strchr(path, '/');
    *len = slash ? (size_t)(slash - path) : strlen(UNLABELLED);
    return slash ? path : UNLABELLED;
}

static int compare_labels(const char *a, const char *b) {
    size_t n, m;
    const char *x = label_of(a, &n), *y = label_of(b, &m);
    int c = memcmp(x, y, n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

static int by_label_and_path(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int c = compare_labels(x, y);
    return c ? c : strcmp(x, y);
}

/* Numbers the labels along the sorted paths. */
static enum status label_items(struct dataset *ds) {
    size_t count = ds->info.count, labels = 1, at = 0;
    for (size_t i = 1; i < count; i++)
        labels += compare_labels(ds->paths[i - 1], ds->paths[i]) != 0;
    ds->names = mem_array(labels, sizeof *ds->names);
    if (!ds->names) return fail(ERR_NOMEM, "%s: no memory for its labels", ds->root);
    ds->info.labels = labels;
    for (size_t i = 0; i < count; i++) {
        if (i && compare_labels(ds->paths[i - 1], ds->paths[i]) != 0) at++;
        ds->labels[i] = (uint32_t)at;
        if (ds->names[at]) continue;
        size_t len;
        const char *label = label_of(ds->paths[i], &len);
        ds->names[at] = mem_copy_bytes(label, len);
        if (!ds->names[at]) return fail(ERR_NOMEM, "%s: no memory for its labels", ds->root);
    }
    return OK;
}

/* As the file is, in three channels. */
static enum status read_picture(struct image *out, const struct dataset *ds, size_t i) {
    char *path = dataset_path(ds->root, ds->paths[i]);
    if (!path) return fail(ERR_NOMEM, "%s: out of memory", ds->root);
    enum status st = image_read(out, path, 3);
    mem_free(path);
    return st;
}

static enum status fix_geometry(struct dataset *ds) {
    ds->info.channels = 3;
    ds->info.width_px = ds->info.height_px = ds->size;
    if (ds->size) {
        snprintf(ds->prepared, sizeof ds->prepared, "shorter side to %zu by %s, centre crop",
                 ds->size, image_filter_name(ds->filter));
    } else {
        struct image first;
        TRY(read_picture(&first, ds, 0));
        ds->info.width_px = first.width_px;
        ds->info.height_px = first.height_px;
        image_free(&first);
        snprintf(ds->prepared, sizeof ds->prepared, "as the files are");
    }
    ds->info.prepared = ds->prepared;
    return OK;
}

enum status folder_pixels(const struct dataset *ds, size_t i, unsigned char *out) {
    struct image im, fitted;

    TRY(read_picture(&im, ds, i));
    if (ds->size) {
        enum status st = image_cover(&fitted, &im, ds->size, ds->size, ds->filter);
        image_free(&im);
        TRY(st);
        im = fitted;
    }
    enum status st = OK;
    if (im.width_px != ds->info.width_px || im.height_px != ds->info.height_px)
        st = fail(ERR_FORMAT, "%s/%s: %zux%zu pixels; the first picture has %zux%zu: give a size "
                  "to resize them to", ds->root, ds->paths[i], im.width_px, im.height_px,
                  ds->info.width_px, ds->info.height_px);
    else
        memcpy(out, im.pixels, dataset_item_size(ds));
    image_free(&im);
    return st;
}

/* Lists dir into ds, which keeps the paths; nothing is left in l. */
static enum status fill(struct dataset *ds, struct listing *l) {
    TRY(list_folder(l, "", 0));
    if (l->len == 0)
        return fail(ERR_FORMAT, "%s: no .png, .jpg or .jpeg file among %zu entries%s%s", l->root,
                    l->skipped, l->skipped ? " that are no folders, the first " : "",
                    l->skipped ? l->first_skipped : "");
    qsort(l->paths, l->len, sizeof *l->paths, by_label_and_path);
    ds->paths = l->paths;
    ds->info.count = ds->info.train = l->len;
    ds->info.skipped = l->skipped;
    ds->info.first_skipped = ds->skipped = l->first_skipped;
    l->first_skipped = NULL;
    l->paths = NULL;
    l->len = 0;
    ds->labels = mem_array(ds->info.count, sizeof *ds->labels);
    if (!ds->labels) return fail(ERR_NOMEM, "%s: no memory for its labels", l->root);
    TRY(label_items(ds));
    return fix_geometry(ds);
}

enum status dataset_open_folder(struct dataset **out, const char *dir, size_t size,
                                enum image_filter filter) {
    enum status st = OK;
    struct listing l = { .root = dir };

    *out = NULL;
    if (size > 8192 || filter >= IMAGE_FILTER_COUNT)
        return fail(ERR_RANGE, "%s: pictures of side %zu; 1 to 8192, or 0 for as they are", dir,
                    size);
    struct dataset *ds = mem_array(1, sizeof *ds);
    if (!ds) return fail(ERR_NOMEM, "%s: out of memory", dir);
    ds->info.kind = "folder";
    ds->size = size;
    ds->filter = filter;
    ds->root = mem_copy_string(dir);
    if (!ds->root) st = fail(ERR_NOMEM, "%s: out of memory", dir);
    if (st == OK) st = fill(ds, &l);
    for (size_t i = 0; i < l.len; i++) mem_free(l.paths[i]);
    mem_free(l.paths);
    mem_free(l.first_skipped);
    if (st == OK) *out = ds;
    else dataset_free(ds);
    return st;
}
