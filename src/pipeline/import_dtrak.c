/* import_dtrak.c - the tree of files that D-TRAK's released code leaves behind.
 *
 * Files are known by their names, wherever in the tree they stand; folders above DIR mean nothing:
 *   idx-train.pkl, idx-val.pkl              original numbers; their order is that of all rows
 *   gen/17.png                              generated pictures
 *   checkpoint-STEP/features-SEED/P-SPLIT-keys-SHARD-K-Z-F-RULE.npy   features, raw float32
 *                                           (also ...-SHARD-F-K-Z-RULE, as in a later fork)
 *   sub-idx-M.pkl, P-sub-M-SEED/e-S-SPLIT.pkl      subsets, import_dtrak_subsets.c
 *   SPLIT_N_ALPHA_F_K_LAMBDA_LDS.pkl        scores, queries first; the lambda in the name is the
 *                                           last that was tried, not the one of the scores
 * Source: the repository sail-sg/D-TRAK. */
#include "import_parts.h"

#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 12, FILES_MAX = 1 << 20, SHARDS_MAX = 256 };

/* --- the tree --- */

static int has_end(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *dtrak_part(const struct dtrak_tree *t, const char *path, const char *name) {
    const char *found = NULL, *start = path + t->root;
    for (const char *s = start; (s = strstr(s, name)); s++)
        if (s == start || s[-1] == '/') found = s + strlen(name);
    return found;
}

/* Where the last part of DIR begins. */
static size_t root_of(const char *dir) {
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') len--;
    while (len && dir[len - 1] != '/') len--;
    return len;
}

static enum status add_file(struct dtrak_tree *t, const char *path) {
    if (t->files == FILES_MAX) return fail(ERR_RANGE, "%s: more than %d files", t->o->path, FILES_MAX);
    if ((t->files & (t->files - 1)) == 0) {
        char **more = mem_resize(t->file, t->files, t->files ? 2 * t->files : 1, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "d-trak: out of memory");
        t->file = more;
    }
    t->file[t->files] = mem_copy_string(path);
    return t->file[t->files++] ? OK : fail(ERR_NOMEM, "d-trak: out of memory");
}

static enum status walk(struct dtrak_tree *t, const char *path, int depth) {
    DIR *dir = opendir(path);
    struct buf b = BUF_INIT;
    enum status st = OK;
    if (!dir) return fail(errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e; st == OK && (e = readdir(dir));) {
        struct stat sb;
        if (e->d_name[0] == '.') continue;
        buf_clear(&b);
        buf_printf(&b, "%s/%s", path, e->d_name);
        st = buf_status(&b);
        if (st != OK || lstat(b.data, &sb) != 0) continue;
        if (S_ISDIR(sb.st_mode) && depth < DEPTH_MAX) st = walk(t, b.data, depth + 1);
        else if (S_ISREG(sb.st_mode) && (has_end(e->d_name, ".pkl") || has_end(e->d_name, ".npy") || has_end(e->d_name, ".png")))
            st = add_file(t, b.data);
    }
    closedir(dir);
    buf_free(&b);
    return st;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Keeps the files of the setting asked for; index files say which there are. */
static enum status choose_setting(struct dtrak_tree *t) {
    struct buf part = BUF_INIT, names = BUF_INIT;
    size_t kept = 0, indices = 0;
    if (t->o->setting) buf_printf(&part, "%s/", t->o->setting);
    for (size_t i = 0; i < t->files; i++) {
        if (t->o->setting && !dtrak_part(t, t->file[i], part.data)) {
            mem_free(t->file[i]);
            continue;
        }
        t->file[kept++] = t->file[i];
        if (strcmp(base_name(t->file[kept - 1]), "idx-train.pkl") != 0) continue;
        buf_printf(&names, "%s%s", indices++ ? ", " : "", t->file[kept - 1] + strlen(t->o->path));
    }
    t->files = kept;
    enum status st = OK;
    if (!kept) st = fail(ERR_MISSING, "%s: no file of D-TRAK%s%s", t->o->path, t->o->setting ? " of setting " : "", t->o->setting ? t->o->setting : "");
    else if (indices > 1)
        st = fail(ERR_USAGE, "%s: %zu settings (%s); say which with --setting, as in --setting 5000-0.5", t->o->path, indices, names.data);
    buf_free(&part);
    buf_free(&names);
    return st;
}

static const char *find_file(const struct dtrak_tree *t, const char *name) {
    for (size_t i = 0; i < t->files; i++)
        if (!strcmp(base_name(t->file[i]), name)) return t->file[i];
    return NULL;
}

/* --- which item is which row --- */

static int by_number(const void *a, const void *b) {
    const struct origin *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* "train/17" is 17. */
static enum status read_origins(struct dtrak_tree *t, enum split split, struct origin **out) {
    size_t n = t->items[split];
    struct origin *o = mem_array(n + 1, sizeof *o);
    if (!o) return fail(ERR_NOMEM, "d-trak: out of memory");
    enum status st = OK;
    for (size_t at = 0; at < n && st == OK;) {
        struct item_list l;
        st = store_items_read(t->s, split, at, 1000, &l);
        for (size_t i = 0; i < l.count && st == OK; i++) {
            const char *digits = base_name(l.item[i].original);
            if (!*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 9)
                st = fail(ERR_FORMAT, "%s:%zu came as '%.60s', which says no number in its data set, and index files speak of those",
                          split_name(split), at + i, l.item[i].original);
            else o[at + i] = (struct origin){ strtoul(digits, NULL, 10), at + i };
        }
        at += l.count;
        item_list_free(&l);
    }
    if (st == OK) qsort(o, n, sizeof *o, by_number);
    if (st == OK) *out = o;
    else mem_free(o);
    return st;
}

static enum status find_origin(const struct origin *o, size_t n, size_t number, enum split split, const char *path, size_t *item) {
    struct origin key = { number, 0 };
    const struct origin *found = bsearch(&key, o, n, sizeof *o, by_number);
    if (!found)
        return fail(ERR_MISSING, "%s: number %zu of the data set is not among the %zu %s items here", path, number, n, split_name(split));
    *item = found->item;
    return OK;
}

enum status dtrak_train_item(const struct dtrak_tree *t, size_t number, const char *path, size_t *item) {
    if (t->origin) return find_origin(t->origin, t->items[SPLIT_TRAIN], number, SPLIT_TRAIN, path, item);
    *item = number;
    return number < t->items[SPLIT_TRAIN] ? OK : fail(ERR_RANGE, "%s: training item %zu of %zu", path, number, t->items[SPLIT_TRAIN]);
}

static enum status read_order(struct dtrak_tree *t, enum split split, const char *name) {
    const char *path = find_file(t, name);
    size_t *list, count;
    struct origin *o = NULL;
    unsigned char *seen = NULL;
    enum status st;
    if (!path || !t->items[split]) return OK;
    TRY(array_read_indices(&list, &count, path));
    TRY_TO(read_origins(t, split, &o));
    if (count != t->items[split]) {
        st = fail(ERR_FORMAT, "%s: %zu items, and here are %zu %s items", path, count, t->items[split], split_name(split));
        goto done;
    }
    seen = mem_array(count + 1, 1);
    if (!seen) { st = fail(ERR_NOMEM, "d-trak: out of memory"); goto done; }
    for (size_t i = 0; i < count; i++) {
        size_t number = list[i];
        TRY_TO(find_origin(o, count, number, split, path, &list[i]));
        if (seen[list[i]]++) { st = fail(ERR_FORMAT, "%s: number %zu is there twice", path, number); goto done; }
    }
    t->order[split] = list;
    list = NULL;
    if (split == SPLIT_TRAIN) {
        t->origin = o;
        o = NULL;
    }
done:
    mem_free(list);
    mem_free(seen);
    mem_free(o);
    return st;
}

/* --- pictures --- */

int dtrak_number(const char *text, const char *name, const char *end, size_t *number) {
    size_t n = strlen(name), digits;
    if (strncmp(text, name, n) != 0) return 0;
    digits = strspn(text + n, "0123456789");
    if (!digits || digits > 9 || strcmp(text + n + digits, end) != 0) return 0;
    *number = strtoul(text + n, NULL, 10);
    return 1;
}

static enum status add_picture(struct dtrak_tree *t, const char *path, const struct project *project) {
    unsigned char *bytes;
    size_t len, width, height;
    TRY(file_read(&bytes, &len, path, IMAGE_BYTES_MAX));
    struct image im = { 0 };
    enum status st = image_decode(&im, bytes, len, project->channels, path);
    width = im.width_px;
    height = im.height_px;
    if (st == OK && (width != project->width || height != project->height))
        st = fail(ERR_FORMAT, "%s: %zux%zu pixels, the project's pictures are %zux%zu", path, width, height, project->width, project->height);
    struct item item = { .split = SPLIT_GEN, .label = -1, .original = base_name(path), .width_px = width, .height_px = height, .image_bytes = len };
    const void *image = bytes;
    if (st == OK) st = store_items_add(t->s, SPLIT_GEN, &item, &image, 1, NULL);
    t->r->items++;
    image_free(&im);
    mem_free(bytes);
    return st;
}

static enum status take_pictures(struct dtrak_tree *t) {
    const char **of = mem_array(t->files + 1, sizeof *of);
    struct project project;
    size_t count = 0, number;
    enum status st = of ? store_project_get(t->s, &project) : fail(ERR_NOMEM, "d-trak: out of memory");
    for (size_t i = 0; i < t->files && st == OK; i++) {
        const char *base = base_name(t->file[i]);
        if (base - t->file[i] < 5 || strncmp(base - 5, "/gen/", 5) != 0 || !dtrak_number(base, "", ".png", &number)) continue;
        count++;
        if (number >= t->files || of[number])
            st = fail(ERR_FORMAT, "%s: picture %zu is there twice, or pictures before it are not", t->file[i], number);
        else of[number] = t->file[i];
    }
    for (size_t i = 0; i < count && st == OK; i++)
        if (!of[i]) st = fail(ERR_FORMAT, "%s: of %zu generated pictures number %zu is missing", t->o->path, count, i);
    if (st == OK && count && t->items[SPLIT_GEN] && t->items[SPLIT_GEN] != count)
        st = fail(ERR_FORMAT, "%s: %zu generated pictures, and here are %zu gen items", t->o->path, count, t->items[SPLIT_GEN]);
    for (size_t i = 0; i < count && st == OK && !t->items[SPLIT_GEN]; i++) st = add_picture(t, of[i], &project);
    if (st == OK && count) t->items[SPLIT_GEN] = count;
    mem_free(of);
    return st;
}

/* --- features --- */

struct keys { size_t step, seed, shard, K, Z; enum split split; char loss[16], rule[16]; const char *path; };

static const struct { const char *theirs, *ours; } losses[] = {
    { "loss", "simple" }, { "mean-squared-l2-norm", "square" }, { "mean", "avg" }, { "l1-norm", "l1" }, { "l2-norm", "l2" },
    { "linf-norm", "linf" }, { "weighted-mse", "elbo" },
};

static int take_loss(const char *text, size_t len, char out[16]) {
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (strlen(losses[i].theirs) == len && !strncmp(text, losses[i].theirs, len)) return snprintf(out, 16, "%s", losses[i].ours) > 0;
    return 0;
}

static int take_digits(const char **at, size_t *out) {
    size_t digits = strspn(*at, "0123456789");
    if (!digits || digits > 9) return 0;
    *out = strtoul(*at, NULL, 10);
    *at += digits;
    if (**at == '-') ++*at;
    return 1;
}

/* SHARD-K-Z-F-RULE or SHARD-F-K-Z-RULE, without its end. */
static int take_fields(struct keys *k, const char *at, const char *rule) {
    if (!take_digits(&at, &k->shard) || at >= rule) return 0;
    if (*at >= '0' && *at <= '9') return take_digits(&at, &k->K) && take_digits(&at, &k->Z) && at < rule && take_loss(at, (size_t)(rule - at), k->loss);
    for (const char *p = at; p < rule; p++) {
        const char *n = p + 1;
        if (*p == '-' && take_digits(&n, &k->K) && take_digits(&n, &k->Z) && n >= rule) return take_loss(at, (size_t)(p - at), k->loss);
    }
    return 0;
}

/* 1 when the path is one of features. */
static int parse_keys(struct keys *k, const struct dtrak_tree *t, const char *path) {
    char name[256];
    const char *base = base_name(path), *mark = strstr(base, "-keys-");
    *k = (struct keys){ .path = path };
    if (!mark || !has_end(base, ".npy") || strlen(base) >= sizeof name) return 0;
    snprintf(name, sizeof name, "%.*s", (int)(strlen(base) - 4), base);
    char *keys = name + (mark - base), *rule = strrchr(name, '-');
    *keys = 0;
    k->split = has_end(name, "-train") ? SPLIT_TRAIN : has_end(name, "-val") ? SPLIT_VAL : has_end(name, "-gen") ? SPLIT_GEN : SPLIT_COUNT;
    if (k->split == SPLIT_COUNT || rule <= keys + 6 || (strcmp(rule + 1, "uniform") != 0 && strcmp(rule + 1, "cumulative") != 0)) return 0;
    snprintf(k->rule, sizeof k->rule, "%.15s", rule + 1);
    *rule = 0;
    const char *seed = dtrak_part(t, path, "features-"), *step = dtrak_part(t, path, "checkpoint-");
    if (!seed || !step) return 0;
    k->seed = strtoul(seed, NULL, 10);
    k->step = strtoul(step, NULL, 10);
    return take_fields(k, keys + 6, rule) && k->Z > 0 && k->Z <= 1 << 24;
}

static int by_set(const struct keys *x, const struct keys *y) {
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
    if (x->split != y->split) return x->split < y->split ? -1 : 1;
    if (x->K != y->K) return x->K < y->K ? -1 : 1;
    if (x->Z != y->Z) return x->Z < y->Z ? -1 : 1;
    int c = strcmp(x->loss, y->loss);
    return c ? c : strcmp(x->rule, y->rule);
}

static int by_shard(const void *a, const void *b) {
    const struct keys *x = a, *y = b;
    int c = by_set(x, y);
    return c ? c : (x->shard > y->shard) - (x->shard < y->shard);
}

struct shards { struct array a[SHARDS_MAX]; struct feature_file file[SHARDS_MAX]; size_t first[SHARDS_MAX + 1], count, used; };

static enum status read_shards(void *ctx, size_t row, float *out) {
    const struct shards *s = ctx;
    size_t i = 0;
    while (i + 1 < s->count && row >= s->first[i + 1]) i++;
    return array_read(out, &s->a[i], (uint64_t)(row - s->first[i]) * s->a[i].shape[1], s->used);
}

static enum status open_shards(struct dtrak_tree *t, struct shards *s, const struct keys *k, size_t count) {
    s->used = t->o->used && t->o->used < k->Z ? t->o->used : k->Z;
    for (size_t i = 0; i < count; i++) {
        if (k[i].shard != i)
            return fail(ERR_MISSING, "%s: shard %zu is there %s", k[i].path, k[i].shard, k[i].shard > i ? "and the one before it is not" : "twice");
        s->count = i + 1;
        TRY(array_open_any(&s->a[i], k[i].path, k->Z));
        if (s->a[i].rank != 2 || s->a[i].shape[1] != k->Z)
            return fail(ERR_FORMAT, "%s: its name says rows of %zu numbers, the array has another shape", k[i].path, k->Z);
        if (t->o->in_place) TRY(import_in_place(&s->file[i], &s->a[i]));
        s->first[i + 1] = s->first[i] + s->a[i].shape[0];
    }
    if (s->first[count] == t->items[k->split]) return OK;
    return fail(ERR_FORMAT, "%s: %zu rows in %zu files, and here are %zu %s items", k->path, s->first[count], count, t->items[k->split],
                split_name(k->split));
}

static enum status take_set(struct dtrak_tree *t, const struct keys *k, size_t count) {
    struct shards *s = mem_array(1, sizeof *s);
    struct checkpoint_list c = { 0 };
    char step[24], params[512];
    uint64_t digest = 0, one;
    int added;
    enum status st = s ? OK : fail(ERR_NOMEM, "d-trak: out of memory");
    if (st == OK && count > SHARDS_MAX) st = fail(ERR_RANGE, "%s: %zu shards, at most %d are read", k->path, count, SHARDS_MAX);
    if (st == OK) st = open_shards(t, s, k, count);
    for (size_t i = 0; i < count && st == OK; i++) {
        st = import_digest(&s->a[i], &one);
        digest = digest * 31 + one;
    }
    if (st != OK) goto done;
    snprintf(step, sizeof step, "%zu", k->step);
    TRY_TO(import_checkpoint(t->s, step, t->r, &c));
    struct feature_identity f = { .split = k->split, .timesteps = k->K, .noise_seed = k->seed, .draws = 1, .parts = 1, .k = s->used, .float32 = 1 };
    struct feature_reader in = { t->items[k->split], s->used, read_shards, s, k->path, t->order[k->split], t->o->allow_zero,
                                 s->file, t->o->in_place ? count : 0 };
    memcpy(f.checkpoint_sha256, c.checkpoint[0].sha256, sizeof f.checkpoint_sha256);
    memcpy(f.loss, k->loss, sizeof f.loss);
    memcpy(f.rule, k->rule, sizeof f.rule);
    snprintf(f.projection, sizeof f.projection, "d-trak");
    import_params(params, "d-trak", k->path, digest);
    TRY_TO(import_features(t->s, &f, &in, params, t->p, &added));
    t->r->feature_sets += (size_t)added;
    t->r->mapped += added && t->o->in_place;
    t->r->skipped += !added;
    t->r->rows = in.rows;
    t->r->k = in.k;
done:
    for (size_t i = 0; s && i < s->count; i++) array_close(&s->a[i]);
    mem_free(s);
    checkpoint_list_free(&c);
    return st;
}

static enum status take_features(struct dtrak_tree *t) {
    struct keys *k = mem_array(t->files + 1, sizeof *k);
    const char *first = "";
    size_t count = 0, passed = 0;
    enum status st = k ? OK : fail(ERR_NOMEM, "d-trak: out of memory");
    for (size_t i = 0; i < t->files && st == OK; i++) {
        if (parse_keys(&k[count], t, t->file[i]) && t->items[k[count].split]) count++;
        else if (strstr(base_name(t->file[i]), "-keys-") && !passed++) first = base_name(t->file[i]);
    }
    if (passed)
        snprintf(t->r->note, sizeof t->r->note, "%zu file%s of features passed over, %.120s%s: of items that are not here, or of a name or folder that is not known",
                 passed, passed > 1 ? "s" : "", first, passed > 1 ? " the first" : "");
    if (count) qsort(k, count, sizeof *k, by_shard);
    for (size_t i = 0, end; i < count && st == OK; i = end) {
        for (end = i + 1; end < count && !by_set(&k[i], &k[end]); end++) continue;
        st = take_set(t, k + i, end - i);
    }
    mem_free(k);
    return st;
}

/* --- scores --- */

/* "val_5000_0.5_mean-squared-l2-norm_100_5000000.0_12.3.pkl" */
static int parse_scores(const char *base, enum split *split, char loss[16], size_t *K) {
    char name[256], *field[16], *save = NULL;
    size_t n = 0;
    if (strlen(base) >= sizeof name || !has_end(base, ".pkl")) return 0;
    snprintf(name, sizeof name, "%.*s", (int)(strlen(base) - 4), base);
    for (char *p = strtok_r(name, "_", &save); p && n < 16; p = strtok_r(NULL, "_", &save)) field[n++] = p;
    if (n != 7) return 0;
    *split = split_parse(field[0]);
    return (*split == SPLIT_VAL || *split == SPLIT_GEN) && take_loss(field[3], strlen(field[3]), loss) && dtrak_number(field[4], "", "", K);
}

static enum status take_scores(struct dtrak_tree *t, const char *path) {
    struct array a = { .fd = -1 };
    struct checkpoint_list c = { 0 };
    struct score_set set;
    enum split split;
    char loss[16];
    size_t K, n = t->items[SPLIT_TRAIN];
    if (!parse_scores(base_name(path), &split, loss, &K) || !t->items[split]) return OK;
    enum status st;
    TRY_TO(array_open_pickle(&a, path, NULL));
    if (a.rank != 2) { st = fail(ERR_FORMAT, "%s: an array of %zu dimensions, scores have 2", path, a.rank); goto done; }
    struct score_target target = { "trak", loss, NULL, NULL, 1, split, K, 0, "d-trak", path, 0 };
    struct score_matrix m = { &a, AXES_QUERY_TRAIN, t->items[split], n, t->order[split], t->order[SPLIT_TRAIN], t->o->allow_zero, NULL, NULL };
    TRY_TO(import_check_axes(path, a.shape[0], a.shape[1], m.axes, t->items[split], n, split, 0, "D-TRAK"));
    TRY_TO(import_digest(&a, &target.digest));
    TRY_TO(import_checkpoint(t->s, t->o->checkpoint, t->r, &c));
    target.checkpoint = c.checkpoint;
    TRY_TO(import_score_set(t->s, &target, n, t->items[split], &set));
    TRY_TO(import_scores(t->s, &set, &m, t->p));
    t->r->score_sets++;
    t->r->queries = t->items[split];
    t->r->n = n;
done:
    array_close(&a);
    checkpoint_list_free(&c);
    return st;
}

static enum status take_all(struct dtrak_tree *t) {
    for (int k = 0; k < SPLIT_COUNT; k++) TRY(store_items_count(t->s, (enum split)k, &t->items[k]));
    TRY(walk(t, t->o->path, 0));
    if (t->files) qsort(t->file, t->files, sizeof *t->file, by_text);
    TRY(choose_setting(t));
    TRY(read_order(t, SPLIT_TRAIN, "idx-train.pkl"));
    TRY(read_order(t, SPLIT_VAL, "idx-val.pkl"));
    TRY(take_pictures(t));
    TRY(take_features(t));
    for (size_t i = 0; i < t->files; i++) TRY(take_scores(t, t->file[i]));
    TRY(dtrak_subsets(t));
    if (t->r->items || t->r->feature_sets || t->r->score_sets || t->r->subsets) return OK;
    return fail(ERR_MISSING, "%s: %zu files, and nothing in them that is not here already%s%s", t->o->path, t->files, *t->r->note ? "; " : "",
                t->r->note);
}

enum status import_dtrak(struct store *s, const struct import_options *o, const struct progress *p, struct import_result *r) {
    struct dtrak_tree t = { .s = s, .o = o, .p = p, .r = r, .root = root_of(o->path) };
    enum status st = take_all(&t);
    for (size_t i = 0; i < t.files; i++) mem_free(t.file[i]);
    for (int k = 0; k < SPLIT_COUNT; k++) mem_free(t.order[k]);
    mem_free(t.file);
    mem_free(t.origin);
    return st;
}
