/* new.c - a data set becomes the train and val items of a new database.
 *
 * Which items are kept is decided before a single image is read: per class the
 * training items are shuffled with the seed and the first ones kept; held-out
 * items come from the test part where there is one, else from what is left of
 * the training part.  Kept items stand in the order of the data set.  The
 * database is built in a temporary file and renamed at the end. */
#include "dtrak/pipeline.h"

#include "dtrak/buf.h"
#include "dtrak/dataset.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILTER IMAGE_CATMULL_ROM
enum { BATCH = 256, PADDED = 32 };

/* Item numbers of the data set, in the order in which they are stored. */
struct choice { uint32_t *item; size_t count; };

struct maker {
    const struct new_options *o;
    struct dataset *ds;
    const struct dataset_info *info;
    struct store *store;
    unsigned char *wanted;          /* [labels] */
    size_t classes;
    struct choice train, val;
    size_t width, height;           /* of a stored image */
    const struct progress *progress;
    size_t done;
};

static enum status open_source(struct maker *m) {
    const struct new_options *o = m->o;
    switch (o->source) {
    case NEW_IDX: return dataset_open_idx(&m->ds, o->path, o->labels_path, o->test_path, o->test_labels_path);
    case NEW_CIFAR: return dataset_open_cifar(&m->ds, o->path);
    case NEW_STRIPS: return dataset_open_strips(&m->ds, o->path);
    case NEW_IMAGES: return dataset_open_folder(&m->ds, o->path, o->size, FILTER);
    }
    return fail(ERR_RANGE, "new: no such kind of source");
}

/* By number, by name, or by name in another case; info->labels when there is none. */
static size_t find_class(const struct maker *m, const char *word) {
    size_t label = dataset_label_parse(m->ds, word);
    for (size_t i = 0; label >= m->info->labels && i < m->info->labels; i++)
        if (!strcasecmp(dataset_label_name(m->ds, i), word)) label = i;
    return label;
}

static enum status no_such_class(const struct maker *m, const char *word) {
    char names[400] = "";
    size_t len = 0;
    for (size_t i = 0; i < m->info->labels && len < sizeof names - 80; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%zu %.64s", i ? ", " : "", i,
                                dataset_label_name(m->ds, i));
    return fail(ERR_USAGE, "class '%s' is not in the data set, which has %zu: %s", word, m->info->labels, names);
}

static enum status read_classes(struct maker *m) {
    size_t labels = m->info->labels;
    m->wanted = mem_array(labels, 1);
    if (!m->wanted) return fail(ERR_NOMEM, "new: out of memory");
    const char *s = m->o->classes;
    if (!s) {
        memset(m->wanted, 1, labels);
        m->classes = labels;
        return OK;
    }
    while (*s) {
        char word[128];
        size_t len = strcspn(s, ",");
        if (len >= sizeof word) return fail(ERR_USAGE, "class name '%.40s...' is too long", s);
        memcpy(word, s, len);
        word[len] = 0;
        size_t label = find_class(m, word);
        if (label >= labels) return no_such_class(m, word);
        if (!m->wanted[label]) m->classes++;
        m->wanted[label] = 1;
        s += len + (s[len] == ',');
    }
    return m->classes ? OK : fail(ERR_USAGE, "the list of classes is empty");
}

/* Items of the class in one split, in a shuffled order; the caller frees. */
static enum status shuffled(const struct maker *m, size_t label, enum dataset_split split,
                            struct choice *out) {
    *out = (struct choice){ NULL, 0 };
    size_t n = 0;
    for (size_t i = 0; i < m->info->count; i++)
        n += dataset_label(m->ds, i) == label && dataset_split(m->ds, i) == split;
    uint32_t *item = mem_array(n ? n : 1, sizeof *item), *order = mem_array(n ? n : 1, sizeof *order);
    if (!item || !order) {
        mem_free(item);
        mem_free(order);
        return fail(ERR_NOMEM, "new: out of memory");
    }
    struct rng r = rng_at(m->o->seed, RNG_CHOICE, (uint32_t)label, (uint32_t)split);
    rng_permutation(order, (uint32_t)n, &r);
    size_t at = 0;
    for (size_t i = 0; i < m->info->count; i++)
        if (dataset_label(m->ds, i) == label && dataset_split(m->ds, i) == split) item[order[at++]] = (uint32_t)i;
    mem_free(order);
    *out = (struct choice){ item, n };
    return OK;
}

static enum status choice_add(struct choice *c, const uint32_t *item, size_t count) {
    if (!count) return OK;
    uint32_t *grown = mem_resize(c->item, c->count, c->count + count, sizeof *grown);
    if (!grown) return fail(ERR_NOMEM, "new: out of memory");
    memcpy(grown + c->count, item, count * sizeof *item);
    c->item = grown;
    c->count += count;
    return OK;
}

/* The class's share of the held-out items: the first classes get the remainder. */
static enum status choose_class(struct maker *m, size_t label, size_t nth) {
    enum status st;
    struct choice train = { NULL, 0 }, test = { NULL, 0 };
    const char *name = dataset_label_name(m->ds, label);
    size_t held = m->o->held_out / m->classes + (nth < m->o->held_out % m->classes);
    TRY_TO(shuffled(m, label, DATASET_TRAIN, &train));
    int from_test = m->info->test > 0;
    if (from_test) TRY_TO(shuffled(m, label, DATASET_TEST, &test));
    size_t keep = m->o->per_class;
    if (!keep) keep = from_test ? train.count : train.count > held ? train.count - held : 0;
    size_t there = from_test ? test.count : train.count > keep ? train.count - keep : 0;
    if (!keep || keep > train.count) {
        st = m->o->per_class || from_test
                 ? fail(ERR_RANGE, "class '%s' has %zu training images, %zu were asked for", name, train.count, m->o->per_class ? keep : 1)
                 : fail(ERR_RANGE, "class '%s' has %zu images; with %zu of them held out none is left to train on", name, train.count, held);
        goto done;
    }
    if (held > there) {
        st = fail(ERR_RANGE, "class '%s' has %zu images left to hold out, %zu were asked for", name, there, held);
        goto done;
    }
    TRY_TO(choice_add(&m->train, train.item, keep));
    TRY_TO(choice_add(&m->val, from_test ? test.item : train.item + keep, held));
done:
    mem_free(train.item);
    mem_free(test.item);
    return st;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static enum status choose_items(struct maker *m) {
    size_t nth = 0;
    for (size_t label = 0; label < m->info->labels; label++)
        if (m->wanted[label]) TRY(choose_class(m, label, nth++));
    if (m->train.count) qsort(m->train.item, m->train.count, sizeof *m->train.item, by_number);
    if (m->val.count) qsort(m->val.item, m->val.count, sizeof *m->val.item, by_number);
    return OK;
}

/* Sides of the stored images, and whether the network can take them. */
static enum status choose_size(struct maker *m) {
    size_t w = m->info->width_px, h = m->info->height_px;
    if (m->o->size) w = h = m->o->size;
    else if (m->o->source == NEW_IDX && w == 28 && h == 28) w = h = PADDED;
    if (w != h) return fail(ERR_RANGE, "images are %zux%zu; square ones are needed: add --size", w, h);
    if (m->o->patch != 1 && m->o->patch != 2) return fail(ERR_RANGE, "patch %zu is neither 1 nor 2", m->o->patch);
    if (w % m->o->patch) return fail(ERR_RANGE, "side %zu cannot be cut into patches of 2: add --size", w);
    m->width = w;
    m->height = h;
    return OK;
}

/* One item as PNG.  Small grey digits and clothes get a black frame; any other
 * change of size is a resize. */
static enum status encode_item(const struct maker *m, size_t item, struct buf *png) {
    enum status st;
    struct image raw = { 0 }, fit = { 0 };
    static const unsigned char black[4] = { 0, 0, 0, 0 };
    TRY_TO(image_new(&raw, m->info->width_px, m->info->height_px, m->info->channels));
    TRY_TO(dataset_pixels(m->ds, item, raw.pixels));
    int same = raw.width_px == m->width && raw.height_px == m->height;
    if (!same && raw.width_px == 28 && m->width == PADDED) TRY_TO(image_pad(&fit, &raw, m->width, m->height, black));
    else if (!same) TRY_TO(image_cover(&fit, &raw, m->width, m->height, FILTER));
    TRY_TO(image_encode_png(png, same ? &raw : &fit));
    st = buf_status(png);
done:
    image_free(&raw);
    image_free(&fit);
    return st;
}

static enum status add_batch(struct maker *m, enum split split, const uint32_t *item, size_t count) {
    enum status st;
    struct buf png[BATCH];
    const void *images[BATCH] = { NULL };
    struct item items[BATCH] = { { 0 } };
    char original[BATCH][256];
    for (size_t i = 0; i < count; i++) png[i] = (struct buf)BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        TRY_TO(encode_item(m, item[i], &png[i]));
        dataset_id(m->ds, item[i], original[i], sizeof original[i]);
        size_t label = dataset_label(m->ds, item[i]);
        images[i] = png[i].data;
        items[i] = (struct item){
            .split = split, .label = (int)label, .label_name = dataset_label_name(m->ds, label),
            .original = original[i], .width_px = m->width, .height_px = m->height, .image_bytes = png[i].len,
        };
    }
    TRY_TO(store_items_add(m->store, split, items, images, count, NULL));
    m->done += count;
    progress_report(m->progress, (double)m->done, (double)(m->train.count + m->val.count), "images", "");
done:
    for (size_t i = 0; i < count; i++) buf_free(&png[i]);
    return st;
}

static enum status add_items(struct maker *m, enum split split, const struct choice *c) {
    for (size_t at = 0; at < c->count; at += BATCH) {
        TRY(progress_check(m->progress));
        TRY(add_batch(m, split, c->item + at, c->count - at < BATCH ? c->count - at : BATCH));
    }
    return OK;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static enum status write_command(const struct new_options *o, char *out, size_t size) {
    static const char *const source[] = { "cifar", "strips", "idx", "images" };
    struct buf b = BUF_INIT;
    buf_printf(&b, "dtrak new --%s %s", source[o->source], o->path);
    if (o->labels_path) buf_printf(&b, " %s", o->labels_path);
    if (o->test_path) buf_printf(&b, " --test-idx %s %s", o->test_path, o->test_labels_path);
    if (o->classes) buf_printf(&b, " --classes %s", o->classes);
    if (o->per_class) buf_printf(&b, " --per-class %zu", o->per_class);
    if (o->held_out) buf_printf(&b, " --held-out %zu", o->held_out);
    if (o->size) buf_printf(&b, " --size %zu", o->size);
    buf_printf(&b, " --patch %zu --seed %llu", o->patch, (unsigned long long)o->seed);
    enum status st = buf_status(&b);
    if (st == OK) snprintf(out, size, "%s", b.data);
    buf_free(&b);
    return st;
}

static enum status add_project(struct maker *m) {
    const struct new_options *o = m->o;
    struct project p = { .width = m->width, .height = m->height, .channels = m->info->channels,
                         .patch = o->patch, .value_low = -1, .value_high = 1 };
    char how[128] = "";
    if (m->info->prepared && m->info->prepared[0]) snprintf(how, sizeof how, "; %s", m->info->prepared);
    else if (m->width == PADDED && m->info->width_px == 28) snprintf(how, sizeof how, "; padded with black to 32x32");
    else if (m->width != m->info->width_px)
        snprintf(how, sizeof how, "; resized to %zux%zu, %s filter", m->width, m->height, image_filter_name(FILTER));
    snprintf(p.name, sizeof p.name, "%s", o->name ? o->name : base_name(o->path));
    snprintf(p.origin, sizeof p.origin, "%s %s, %zu of its %zu labels, %zu training and %zu held-out images%s",
             m->info->kind, base_name(o->path), m->classes, m->info->labels, m->train.count, m->val.count, how);
    TRY(write_command(o, p.command, sizeof p.command));
    return store_project_set(m->store, &p);
}

static void say_skipped(const struct maker *m) {
    const struct dataset_info *info = m->info;
    char line[512];
    if (!info->skipped || !m->o->say) return;
    snprintf(line, sizeof line, "%.120s: %zu %s left out, %s%.240s: PNG and JPEG files are taken, and links to folders are not followed",
             m->o->path, info->skipped, info->skipped == 1 ? "entry is" : "entries are", info->skipped == 1 ? "" : "the first ",
             info->first_skipped);
    m->o->say(m->o->say_ctx, line);
}

enum status pipeline_new(const char *path, const struct new_options *o, const struct progress *p) {
    enum status st;
    struct maker m = { .o = o, .progress = p };
    /* First, so that a name that is taken is said before minutes of reading. */
    TRY(store_create(&m.store, path));
    TRY_TO(open_source(&m));
    m.info = dataset_info(m.ds);
    say_skipped(&m);
    TRY_TO(read_classes(&m));
    TRY_TO(choose_size(&m));
    TRY_TO(choose_items(&m));
    TRY_TO(add_project(&m));
    TRY_TO(add_items(&m, SPLIT_TRAIN, &m.train));
    TRY_TO(add_items(&m, SPLIT_VAL, &m.val));
    TRY_TO(progress_check(p));
    TRY_TO(store_publish(m.store));
done:
    if (st == ERR_CANCELLED) st = fail(st, "stopped as asked; nothing was made");
    store_close(m.store);
    dataset_free(m.ds);
    mem_free(m.wanted);
    mem_free(m.train.item);
    mem_free(m.val.item);
    return st;
}
