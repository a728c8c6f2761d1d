/* add.c - outside pictures as items of val or gen.
 *
 * Whether a picture is known is told by its bytes after it was prepared, so a copy under
 * another name, or in another format without loss, is found too. */
#include "dtrak/add.h"

#include "dtrak/file.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TEXT_MAX = 64 << 20, CAPTION_MAX = 4000, READ_AT_ONCE = 4096 };

struct picture {
    char *path;
    struct buf png;
    char sha256[65];
    int label;                    /* -1: none */
    const char *caption;
    int resized, converted, leave_out;
};

struct known { char sha256[65]; struct item_ref ref; };

struct adder {
    struct store *s;
    const struct add_options *o;
    const struct progress *p;
    struct project project;
    struct picture *picture;
    size_t count, room;
    struct known *known;
    size_t n_known;
    char *labels, *captions;      /* files */
    struct label_list known_labels;   /* of the project */
};

/* --- which files --- */

static int is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return name[0] != '.' && dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static enum status add_path(struct adder *a, const char *folder, const char *name) {
    struct buf path = BUF_INIT;
    if (a->count == a->room) {
        size_t room = a->room ? 2 * a->room : 64;
        struct picture *more = mem_resize(a->picture, a->room, room, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "add: out of memory");
        a->picture = more;
        a->room = room;
    }
    if (folder) buf_printf(&path, "%s/%s", folder, name);
    else buf_text(&path, name);
    char *own = buf_detach(&path);
    if (!own) return fail(ERR_NOMEM, "add: out of memory");
    a->picture[a->count++] = (struct picture){ .path = own, .label = -1 };
    return OK;
}

/* By letter, runs of digits by their value. */
static int by_number(const void *x, const void *y) {
    const char *a = ((const struct picture *)x)->path, *b = ((const struct picture *)y)->path;
    while (*a && *b) {
        if (*a >= '0' && *a <= '9' && *b >= '0' && *b <= '9') {
            while (*a == '0' && a[1] >= '0' && a[1] <= '9') a++;
            while (*b == '0' && b[1] >= '0' && b[1] <= '9') b++;
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            int c = n != m ? (n > m) - (n < m) : strncmp(a, b, n);
            if (c) return c;
            a += n;
            b += n;
        } else {
            if (*a != *b) return (unsigned char)*a - (unsigned char)*b;
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static enum status add_folder(struct adder *a, const char *folder) {
    size_t first = a->count;
    DIR *d = opendir(folder);
    enum status st = OK;
    if (!d) return fail(ERR_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; st == OK && (e = readdir(d));)
        if (is_picture(e->d_name)) st = add_path(a, folder, e->d_name);
    closedir(d);
    TRY(st);
    if (a->count == first) return fail(ERR_MISSING, "%s: no .png, .jpg or .jpeg in it", folder);
    qsort(a->picture + first, a->count - first, sizeof *a->picture, by_number);
    return OK;
}

static enum status list_files(struct adder *a) {
    for (size_t i = 0; i < a->o->paths; i++) {
        struct stat sb;
        const char *path = a->o->path[i];
        if (stat(path, &sb)) return fail(errno == ENOENT ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
        TRY(S_ISDIR(sb.st_mode) ? add_folder(a, path) : add_path(a, NULL, path));
    }
    return OK;
}

/* --- what is said of them --- */

/* Calls take(line) for each picture; the file has exactly as many lines. */
static enum status read_lines(struct adder *a, const char *path, char **text, enum status (*take)(struct adder *, struct picture *, char *)) {
    unsigned char *bytes;
    size_t len, lines = 0;
    TRY(file_read(&bytes, &len, path, TEXT_MAX));
    *text = (char *)bytes;
    if (strlen(*text) != len) return fail(ERR_FORMAT, "%s: not text", path);
    for (char *at = *text; *at; lines++) {
        char *end = at + strcspn(at, "\n"), *next = *end ? end + 1 : end;
        if (end > at && end[-1] == '\r') end[-1] = 0;
        *end = 0;
        if (lines < a->count) {
            enum status st = take(a, &a->picture[lines], at);
            if (st != OK) return st;
        }
        at = next;
    }
    if (lines != a->count) return fail(ERR_FORMAT, "%s: %zu lines, and there are %zu pictures; one for each is expected", path, lines, a->count);
    return OK;
}

static enum status take_caption(struct adder *a, struct picture *p, char *line) {
    (void)a;
    if (strlen(line) > CAPTION_MAX) return fail(ERR_FORMAT, "a caption of %zu bytes, at most %d", strlen(line), CAPTION_MAX);
    p->caption = line;
    return OK;
}

static enum status no_such_label(const struct label_list *l, const char *word) {
    char names[300] = "";
    size_t len = 0;
    for (size_t i = 0; i < l->count && len < sizeof names - 100; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%d %.64s", i ? ", " : "", l->label[i].label, l->label[i].name);
    return fail(ERR_FORMAT, "label '%.64s' is not one of the project: %s", word, l->count ? names : "it has none");
}

static enum status take_label(struct adder *a, struct picture *p, char *line) {
    const struct label_list *l = &a->known_labels;
    char *end;
    if (!*line) return OK;
    long number = strtol(line, &end, 10);
    int is_number = *line >= '0' && *line <= '9' && !*end;
    /* A class may be called 001, and another have that number: what is written is a name wherever it can be. */
    for (size_t i = 0; i < l->count && p->label < 0; i++)
        if (!strcmp(l->label[i].name, line)) p->label = l->label[i].label;
    for (size_t i = 0; i < l->count && p->label < 0; i++)
        if (is_number ? l->label[i].label == number : !strcasecmp(l->label[i].name, line)) p->label = l->label[i].label;
    return p->label >= 0 ? OK : no_such_label(l, line);
}

/* --- preparing one --- */

/* As large as the project's pictures, by the smaller or the larger of the two scales. */
static enum status fit(struct image *out, const struct image *in, const struct adder *a) {
    static const unsigned char black[4] = { 0, 0, 0, 255 };
    size_t w = a->project.width, h = a->project.height;
    struct image small = { 0 };
    if (a->o->fit == ADD_CROP) return image_cover(out, in, w, h, a->o->filter);
    size_t tall = (in->height_px * w + in->width_px / 2) / in->width_px, wide = (in->width_px * h + in->height_px / 2) / in->height_px;
    enum status st = tall <= h ? image_resize(&small, in, w, tall ? tall : 1, a->o->filter)
                               : image_resize(&small, in, wide ? wide : 1, h, a->o->filter);
    if (st == OK) st = image_pad(out, &small, w, h, black);
    image_free(&small);
    return st;
}

static enum status prepare(struct adder *a, struct picture *p) {
    struct image raw = { 0 }, plain = { 0 }, fitted = { 0 };
    enum status st;
    TRY_TO(image_read(&raw, p->path, 0));
    TRY_TO(image_convert(&plain, &raw, a->project.channels));
    p->converted = raw.channels != 4 && raw.channels != plain.channels;
    p->resized = raw.width_px != a->project.width || raw.height_px != a->project.height;
    TRY_TO(fit(&fitted, &plain, a));
    TRY_TO(image_encode_png(&p->png, &fitted));
    sha256_hex(p->sha256, p->png.data, p->png.len);
done:
    image_free(&raw);
    image_free(&plain);
    image_free(&fitted);
    return st;
}

/* --- the same picture twice --- */

static int by_digest(const void *a, const void *b) {
    const struct known *x = a, *y = b;
    int c = strcmp(x->sha256, y->sha256);
    if (c) return c;
    if (x->ref.split != y->ref.split) return x->ref.split > y->ref.split ? 1 : -1;
    return (x->ref.index > y->ref.index) - (x->ref.index < y->ref.index);
}

static enum status read_known(struct adder *a) {
    size_t count[SPLIT_COUNT], all = 0;
    for (int k = 0; k < SPLIT_COUNT; k++) {
        TRY(store_items_count(a->s, (enum split)k, &count[k]));
        all += count[k];
    }
    a->known = mem_array(all + 1, sizeof *a->known);
    if (!a->known) return fail(ERR_NOMEM, "add: out of memory");
    for (int k = 0; k < SPLIT_COUNT; k++)
        for (size_t first = 0; first < count[k]; first += READ_AT_ONCE) {
            struct item_list l;
            TRY(store_items_read(a->s, (enum split)k, first, READ_AT_ONCE, &l));
            for (size_t i = 0; i < l.count && a->n_known < all; i++) {
                struct known *x = &a->known[a->n_known++];
                memcpy(x->sha256, l.item[i].sha256, sizeof x->sha256);
                x->ref = (struct item_ref){ (enum split)k, l.item[i].index };
            }
            item_list_free(&l);
        }
    qsort(a->known, a->n_known, sizeof *a->known, by_digest);
    return OK;
}

/* The first item with that picture, of the split (inside) or of another one. */
static const struct known *find_known(const struct adder *a, const char *sha256, int inside) {
    size_t low = 0, high = a->n_known;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(a->known[middle].sha256, sha256) < 0) low = middle + 1;
        else high = middle;
    }
    for (; low < a->n_known && !strcmp(a->known[low].sha256, sha256); low++)
        if ((a->known[low].ref.split == a->o->split) == inside) return &a->known[low];
    return NULL;
}

__attribute__((format(printf, 2, 3)))
static void say(const struct adder *a, const char *fmt, ...) {
    char line[512];
    va_list ap;
    if (!a->o->say) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    a->o->say(a->o->say_ctx, line);
}

static void mark_doubles(struct adder *a, struct add_result *r) {
    char name[32];
    for (size_t i = 0; i < a->count; i++) {
        struct picture *p = &a->picture[i];
        const struct known *in = find_known(a, p->sha256, 1), *other = find_known(a, p->sha256, 0);
        const char *twin = NULL;
        for (size_t j = 0; j < i && !twin; j++)
            if (!a->picture[j].leave_out && !strcmp(a->picture[j].sha256, p->sha256)) twin = a->picture[j].path;
        p->leave_out = (in || twin) && !a->o->doubles;
        r->doubles += (size_t)p->leave_out;
        const char *end = p->leave_out ? "; it is left out" : "";
        if (in) {
            item_ref_format(name, in->ref);
            say(a, "%s is the picture of %s%s", p->path, name, end);
        } else if (twin) {
            say(a, "%s is the same picture as %s%s", p->path, twin, end);
        } else if (other) {
            item_ref_format(name, other->ref);
            say(a, "%s is the picture of %s", p->path, name);
        }
    }
}

/* --- storing them --- */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static enum status store_all(struct adder *a, struct add_result *r) {
    struct item *item = mem_array(a->count + 1, sizeof *item);
    const void **image = mem_array(a->count + 1, sizeof *image);
    size_t n = 0;
    enum status st = item && image ? OK : fail(ERR_NOMEM, "add: out of memory");
    for (size_t i = 0; st == OK && i < a->count; i++) {
        const struct picture *p = &a->picture[i];
        if (p->leave_out) continue;
        item[n] = (struct item){ .label = p->label, .caption = p->caption, .original = base_name(p->path),
                                 .width_px = a->project.width, .height_px = a->project.height, .image_bytes = p->png.len };
        if (a->o->has_seed) {
            item[n].seed = a->o->seed + i;
            item[n].sampler = "outside";
        }
        image[n++] = p->png.data;
        r->resized += (size_t)p->resized;
        r->converted += (size_t)p->converted;
    }
    if (st == OK && n) st = store_items_add(a->s, a->o->split, item, image, n, &r->first);
    if (st == OK) r->added = n;
    mem_free(item);
    mem_free(image);
    return st;
}

static enum status run(struct adder *a, struct add_result *r) {
    if (a->o->split != SPLIT_VAL && a->o->split != SPLIT_GEN)
        return fail(ERR_USAGE, "pictures are added as val or gen items; training items are those that the network was trained on");
    if (a->o->has_seed && a->o->split != SPLIT_GEN) return fail(ERR_USAGE, "a seed is of gen items");
    TRY(store_project_get(a->s, &a->project));
    TRY(list_files(a));
    if (a->o->has_seed && a->count && a->o->seed > (uint64_t)INT64_MAX - (a->count - 1))
        return fail(ERR_USAGE, "%zu seeds from %llu on pass the largest one, %lld", a->count, (unsigned long long)a->o->seed, (long long)INT64_MAX);
    if (a->o->labels) TRY(store_labels_list(a->s, &a->known_labels));
    if (a->o->labels) TRY(read_lines(a, a->o->labels, &a->labels, take_label));
    if (a->o->captions) TRY(read_lines(a, a->o->captions, &a->captions, take_caption));
    for (size_t i = 0; i < a->count; i++) {
        TRY(progress_check(a->p));
        TRY(prepare(a, &a->picture[i]));
        progress_report(a->p, (double)(i + 1), (double)a->count, "add", base_name(a->picture[i].path));
    }
    /* What is known is looked up and added to in one transaction. */
    TRY(store_begin(a->s));
    enum status st = read_known(a);
    if (st == OK) {
        mark_doubles(a, r);
        st = store_all(a, r);
    }
    if (st == OK) st = store_commit(a->s);
    if (st != OK) store_rollback(a->s);
    return st;
}

enum status pipeline_add(struct store *s, const struct add_options *o, const struct progress *p, struct add_result *r) {
    struct adder a = { .s = s, .o = o, .p = p };
    *r = (struct add_result){ 0 };
    enum status st = run(&a, r);
    for (size_t i = 0; i < a.count; i++) {
        mem_free(a.picture[i].path);
        buf_free(&a.picture[i].png);
    }
    mem_free(a.picture);
    mem_free(a.known);
    label_list_free(&a.known_labels);
    mem_free(a.labels);
    mem_free(a.captions);
    return st;
}
