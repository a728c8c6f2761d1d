/* self.c - the verb `self`: the nearest training items of every training item.
 *
 * An outlier of self-influence is a copy's opposite: which items lie next to it, and how
 * far, tells a duplicate, a mislabelled image and a strange one apart. */
#include "dtrak/pipeline.h"

#include "dtrak/items.h"
#include "dtrak/mem.h"
#include "dtrak/neighbours.h"
#include "dtrak/pool.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>

struct pixels { struct store *s; struct project project; };

static enum status read_pixels(void *ctx, size_t first, size_t count, float *out) {
    struct pixels *p = ctx;
    return items_load(p->s, &p->project, SPLIT_TRAIN, first, count, out);
}

static enum status present(struct store *s, size_t n, int *all) {
    size_t have = 0;
    double *values = mem_array(n, sizeof *values);
    if (!values) return fail(ERR_NOMEM, "self: out of memory");
    struct stat_key key = { "neighbour_distance", "pixels", 0, SPLIT_TRAIN };
    enum status st = store_stat_get(s, &key, 0, n, values, &have);
    *all = have == n;
    mem_free(values);
    return st;
}

static enum status put_column(struct store *s, const char *name, const struct neighbour *nb, size_t n, size_t per,
                              size_t column, double scale, double *values) {
    struct stat_key key = { name, "pixels", 0, SPLIT_TRAIN };
    for (size_t i = 0; i < n; i++) {
        const struct neighbour *x = &nb[i * per + column];
        values[i] = scale > 0 ? x->value * scale : (double)x->index;
    }
    return store_stat_put(s, &key, 0, n, values);
}

static enum status put(struct store *s, const struct neighbour *nb, size_t n, size_t per, double scale) {
    char name[32];
    double *values = mem_array(n, sizeof *values);
    if (!values) return fail(ERR_NOMEM, "self: out of memory");
    enum status st = store_begin(s);
    for (size_t c = 0; st == OK && c < per; c++) {
        snprintf(name, sizeof name, "neighbour_%zu", c + 1);
        st = put_column(s, name, nb, n, per, c, 0, values);
    }
    if (st == OK) st = put_column(s, "neighbour_distance", nb, n, per, 0, scale, values);
    if (st == OK) st = store_commit(s);
    if (st != OK) store_rollback(s);
    mem_free(values);
    return st;
}

enum status pipeline_self(struct store *s, size_t threads, const struct progress *p) {
    enum status st = OK;
    struct pixels px = { .s = s };
    struct pool *pool = NULL;
    struct neighbour *nb = NULL;
    size_t n = 0;
    int all = 0;
    TRY(store_project_get(s, &px.project));
    TRY(store_items_count(s, SPLIT_TRAIN, &n));
    if (n < 2) return OK;   /* one has no other next to it */
    TRY(present(s, n, &all));
    if (all) return OK;
    struct rows rows = { .n = n, .k = items_floats(&px.project), .read = read_pixels, .ctx = &px };
    size_t per = neighbours_count(&rows, SELF_NEIGHBOURS, 1);
    nb = mem_array(n * per, sizeof *nb);
    if (!nb) return fail(ERR_NOMEM, "self: out of memory");
    TRY_TO(pool_new(&pool, threads));
    progress_report(p, 0, (double)n, "nearest training items", "");
    TRY_TO(neighbours_find(nb, &rows, &rows, per, NEIGHBOURS_EUCLID, 1, 0, pool, p));
    TRY_TO(put(s, nb, n, per, 1 / sqrt((double)rows.k)));
done:
    pool_free(pool);
    mem_free(nb);
    return st;
}
