/* subset.c - drawing stratified subsets of exact size. */
#include "dtrak/subset.h"

#include "dtrak/mem.h"
#include "dtrak/rng.h"

#include <math.h>
#include <stdlib.h>

struct stratum { int label; size_t count, take; double rest; uint32_t chance; };

size_t subset_size(size_t n, double alpha) { return (size_t)llround(alpha * (double)n); }

static int by_label(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int by_rest(const void *a, const void *b) {
    const struct stratum *x = a, *y = b;
    /* Remainders that differ by rounding alone are equal. */
    if (fabs(x->rest - y->rest) > 1e-9) return x->rest > y->rest ? -1 : 1;
    if (x->chance != y->chance) return x->chance < y->chance ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* The labels there are, ascending, with how many items have each. */
static size_t count_strata(struct stratum *out, int *sorted, const int *labels, size_t n) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) sorted[i] = labels ? labels[i] : 0;
    qsort(sorted, n, sizeof *sorted, by_label);
    for (size_t i = 0; i < n; i++) {
        if (k && out[k - 1].label == sorted[i]) out[k - 1].count++;
        else out[k++] = (struct stratum){ .label = sorted[i], .count = 1 };
    }
    return k;
}

/* How many of each: the whole part, then one more by largest remainder. */
static void share_out(struct stratum *s, size_t k, size_t total, double alpha, uint64_t seed, size_t m) {
    size_t given = 0;
    struct rng r = rng_at(seed, RNG_SUBSET, (uint32_t)m, UINT32_MAX);
    for (size_t i = 0; i < k; i++) {
        double quota = alpha * (double)s[i].count;
        s[i].take = (size_t)floor(quota + 1e-9);
        s[i].rest = quota - (double)s[i].take;
        s[i].chance = rng_u32(&r);
        given += s[i].take;
    }
    qsort(s, k, sizeof *s, by_rest);
    for (size_t i = 0; given < total; i = (i + 1) % k)
        if (s[i].take < s[i].count) {
            s[i].take++;
            given++;
        }
}

/* take of the items with that label, by the first places of a shuffle keyed on the label. */
static void draw_stratum(unsigned char *members, uint32_t *item, uint32_t *order, const int *labels, size_t n,
                         const struct stratum *s, uint64_t seed, size_t m) {
    uint32_t have = 0;
    for (size_t i = 0; i < n; i++)
        if (!labels || labels[i] == s->label) item[have++] = (uint32_t)i;
    /* UINT32_MAX is the stream of share_out(). */
    uint32_t key = (uint32_t)s->label == UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)s->label;
    struct rng r = rng_at(seed, RNG_SUBSET, (uint32_t)m, key);
    rng_permutation(order, have, &r);
    for (size_t i = 0; i < s->take; i++) members[item[order[i]]] = 1;
}

enum status subset_draw(unsigned char *members, const int *labels, size_t n, double alpha, int stratified,
                        uint64_t seed, size_t m) {
    if (!stratified) labels = NULL;
    size_t total = alpha > 0 && alpha < 1 ? subset_size(n, alpha) : 0;
    if (n >= (size_t)1 << 31 || !total || total >= n || m >= UINT32_MAX)
        return fail(ERR_RANGE, "subset %zu: a share of %g of %zu items leaves the subset or the rest empty", m, alpha, n);
    struct stratum *s = mem_array(n, sizeof *s);
    uint32_t *item = mem_array(2 * n, sizeof *item);
    int *sorted = mem_array(n, sizeof *sorted);
    if (s && item && sorted) {
        size_t k = count_strata(s, sorted, labels, n);
        share_out(s, k, total, alpha, seed, m);
        for (size_t i = 0; i < n; i++) members[i] = 0;
        for (size_t i = 0; i < k; i++) draw_stratum(members, item, item + n, labels, n, &s[i], seed, m);
    }
    int short_of_memory = !s || !item || !sorted;
    mem_free(s);
    mem_free(item);
    mem_free(sorted);
    return short_of_memory ? fail(ERR_NOMEM, "subset: out of memory for %zu items", n) : OK;
}
