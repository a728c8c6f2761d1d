/* near.c - nearest training items of one item. */
#include "dtrak/near.h"

#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/neighbours.h"
#include "dtrak/pipeline.h"
#include "dtrak/ranking.h"

#include <math.h>
#include <string.h>

#define GRAM_BYTES ((size_t)64 << 20)   /* of a stored kernel that is read for a glance */
#define BLOCK_BYTES ((size_t)8 << 20)

/* --- where rows come from --- */

struct source {
    struct store *s;
    const struct progress *p;
    struct project project;
    struct feature_set set;
    const float *values;          /* of an embedding */
    size_t n, k;
};

static void report(struct source *x, size_t first) { progress_report(x->p, (double)first, (double)x->n, "neighbours", ""); }

static enum status read_pixels(void *ctx, size_t first, size_t count, float *out) {
    struct source *x = ctx;
    report(x, first);
    return items_load(x->s, &x->project, SPLIT_TRAIN, first, count, out);
}

static enum status read_features(void *ctx, size_t first, size_t count, float *out) {
    struct source *x = ctx;
    report(x, first);
    return store_features_read(x->s, &x->set, first, count, out);
}

static enum status read_values(void *ctx, size_t first, size_t count, float *out) {
    struct source *x = ctx;
    memcpy(out, x->values + first * x->k, count * x->k * sizeof *out);
    return OK;
}

/* The first k rows of `train` beside one row, the item itself left out. */
static enum status nearest(struct near_item *out, size_t *n, float *row, const struct rows *train, size_t k,
                           enum neighbours_measure m, struct item_ref item, double scale, const struct progress *p) {
    struct rows_memory memory = { row, train->k };
    struct rows query = rows_in_memory(&memory, 1);
    size_t more = neighbours_count(train, k + 1, 0);
    struct neighbour *found = mem_array(more + 1, sizeof *found);
    *n = 0;
    if (!found) return fail(ERR_NOMEM, "neighbours: out of memory");
    enum status st = neighbours_find(found, &query, train, k + 1, m, 0, BLOCK_BYTES, NULL, p);
    for (size_t i = 0; st == OK && i < more && *n < k; i++) {
        if (item.split == SPLIT_TRAIN && found[i].index == item.index) continue;
        out[*n].item = found[i].index;
        out[(*n)++].value = found[i].value * scale;
    }
    mem_free(found);
    return st;
}

static enum status check_item(struct store *s, struct item_ref item) {
    size_t count;
    TRY(store_items_count(s, item.split, &count));
    return item_ref_check(item, count);
}

enum status near_by_pixels(struct store *s, struct item_ref item, size_t k, struct near_item *out, size_t *n,
                           const struct progress *p) {
    struct source x = { .s = s, .p = p };
    TRY(check_item(s, item));
    TRY(store_project_get(s, &x.project));
    TRY(store_items_count(s, SPLIT_TRAIN, &x.n));
    struct rows train = { .n = x.n, .k = items_floats(&x.project), .read = read_pixels, .ctx = &x };
    if (x.n == 0) return fail(ERR_MISSING, "there are no training items");
    float *row = mem_array(train.k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "neighbours: out of memory");
    enum status st = items_load(s, &x.project, item.split, item.index, 1, row);
    if (st == OK) st = nearest(out, n, row, &train, k, NEIGHBOURS_EUCLID, item, 1 / sqrt((double)train.k), p);
    mem_free(row);
    return st;
}

enum status near_by_embedding(struct store *s, const char *name, struct item_ref item, size_t k, struct near_item *out,
                              size_t *n, const struct progress *p) {
    struct embedding e[2];
    float *values = NULL, *own = NULL;
    enum status st;
    TRY(check_item(s, item));
    TRY(store_embedding_get(s, name, SPLIT_TRAIN, &e[0]));
    TRY(store_embedding_get(s, name, item.split, &e[1]));
    if (item.index >= e[1].rows)
        return fail(ERR_MISSING, "the embedding %s has %zu rows of %s: add it again", name, e[1].rows, split_name(item.split));
    TRY_TO(store_embedding_read(s, &e[0], &values));
    if (item.split != SPLIT_TRAIN) TRY_TO(store_embedding_read(s, &e[1], &own));
    struct source x = { .s = s, .p = p, .values = values, .n = e[0].rows, .k = e[0].cols };
    struct rows train = { .n = x.n, .k = x.k, .read = read_values, .ctx = &x, .all = values };
    st = nearest(out, n, (own ? own : values) + item.index * x.k, &train, k, NEIGHBOURS_COSINE, item, 1, p);
done:
    mem_free(values);
    mem_free(own);
    return st;
}

/* --- features --- */

/* Where item (i, j), i <= j, of a packed upper triangle stands. */
static size_t packed(size_t n, size_t i, size_t j) { return i * n - i * (i - 1) / 2 + (j - i); }

static double gram_of(const double *gram, size_t n, size_t i, size_t j) {
    return gram[i <= j ? packed(n, i, j) : packed(n, j, i)];
}

static enum status by_kernel(struct store *s, const struct feature_set *f, struct item_ref item, size_t k, struct near_item *out,
                             size_t *found) {
    double *gram = NULL, *cross = NULL, *self = NULL, length = NAN;
    float *cosine = NULL;
    struct ranking_entry *top = NULL;
    size_t n, cols, m = 0, self_rows = 0, one, count = 0;
    enum status st = OK;
    *found = 0;
    if (f->rows * (f->rows + 1) / 2 * sizeof *gram > GRAM_BYTES)
        return fail(ERR_RANGE, "the features were dropped, and the kernel of %zu items is too large for a glance", f->rows);
    TRY_TO(store_kernel_get(s, f->id, KERNEL_GRAM, SPLIT_TRAIN, &n, &cols, &gram));
    if (item.split != SPLIT_TRAIN) {
        TRY_TO(store_kernel_get(s, f->id, KERNEL_CROSS, item.split, &m, &cols, &cross));
        TRY_TO(store_kernel_get(s, f->id, KERNEL_SELF, item.split, &self_rows, &one, &self));
    } else {
        m = self_rows = n;
        cols = n;
    }
    if (item.index >= m || item.index >= self_rows || cols != n) {
        char name[32];
        item_ref_format(name, item);
        st = fail(ERR_MISSING, "the features were dropped, and their kernel does not have %s", name);
        goto done;
    }
    length = sqrt(cross ? self[item.index] : gram_of(gram, n, item.index, item.index));
    cosine = mem_array(n + 1, sizeof *cosine);
    top = mem_array(k + 1, sizeof *top);
    if (!cosine || !top) { st = fail(ERR_NOMEM, "neighbours: out of memory"); goto done; }
    for (size_t i = 0; i < n; i++) {
        double own = sqrt(gram_of(gram, n, i, i)), dot = cross ? cross[item.index * n + i] : gram_of(gram, n, item.index, i);
        cosine[i] = own > 0 && length > 0 ? (float)(dot / own / length) : 0;
    }
    TRY_TO(ranking_top(cosine, n, k + 1, top, &count));
    for (size_t i = 0; i < count && *found < k; i++) {
        if (!cross && top[i].index == item.index) continue;
        out[*found].item = top[i].index;
        out[(*found)++].value = (double)top[i].score;
    }
done:
    mem_free(gram);
    mem_free(cross);
    mem_free(self);
    mem_free(cosine);
    mem_free(top);
    return st;
}

static int is_whole(const struct feature_set *f) { return !f->dropped && f->rows && f->rows_done == f->rows; }

enum status near_is_ready(struct store *s, const struct feature_set *set, int *ready) {
    *ready = is_whole(set);
    return *ready ? OK : store_kernel_has(s, set->id, KERNEL_GRAM, SPLIT_TRAIN, ready);
}

enum status near_by_features(struct store *s, const struct feature_set *set, struct item_ref item, size_t k,
                             struct near_item *out, size_t *n, const struct progress *p) {
    struct source x = { .s = s, .p = p, .set = *set, .n = set->rows, .k = set->identity.k };
    struct feature_identity id = set->identity;
    struct feature_set own;
    char name[32];
    TRY(check_item(s, item));
    if (!is_whole(set)) return by_kernel(s, set, item, k, out, n);
    id.split = item.split;
    item_ref_format(name, item);
    enum status st = store_feature_set_find(s, &id, &own);
    if (st == ERR_MISSING) return fail(ERR_MISSING, "the features of %s are not stored", name);
    TRY(st);
    if (item.index >= own.rows)
        return fail(ERR_MISSING, "the features of %s are not stored: it came after them", name);
    float *row = mem_array(x.k, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "neighbours: out of memory");
    struct rows train = { .n = x.n, .k = x.k, .read = read_features, .ctx = &x };
    st = store_features_read(s, &own, item.index, 1, row);
    if (st == OK) st = nearest(out, n, row, &train, k, NEIGHBOURS_COSINE, item, 1, p);
    mem_free(row);
    return st;
}

enum status near_features_behind(struct store *s, const struct score_set *set, struct feature_set *out) {
    struct feature_set_list list = { NULL, 0 };
    int found = 0;
    TRY(store_feature_sets_list(s, &list));
    enum status st = OK;
    for (size_t i = 0; i < list.count && st == OK; i++) {
        const struct feature_set *f = &list.set[i];
        int ready;
        if (f->identity.split != SPLIT_TRAIN || set->checkpoints != 1 || !pipeline_may_be_made_of(set, f)) continue;
        st = near_is_ready(s, f, &ready);
        if (st != OK || !ready || (found && !feature_set_is_better(f, out))) continue;
        *out = *f;
        found = 1;
    }
    feature_set_list_free(&list);
    TRY(st);
    return found ? OK : fail(ERR_MISSING, "the features of this setting are not stored");
}
