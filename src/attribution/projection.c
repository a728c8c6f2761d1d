/* projection.c - what all kinds of projection share: names, ranges, and the
 * way of a gradient through a projector. */
#include "projection_parts.h"

#include "dtrak/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const struct projection_ops *ops;
} kinds[PROJECTION_KIND_COUNT] = {
    [PROJECTION_SJLT] = { "sjlt", &projection_sjlt },
    [PROJECTION_RADEMACHER] = { "rademacher", &projection_dense },
    [PROJECTION_GAUSSIAN] = { "gaussian", &projection_dense },
    [PROJECTION_SRHT] = { "srht", &projection_srht },
};

/* --- names and ranges --- */

const char *projection_kind_name(enum projection_kind kind) {
    return (unsigned)kind < PROJECTION_KIND_COUNT ? kinds[kind].name : "?";
}

enum projection_kind projection_kind_parse(const char *name) {
    int k = 0;
    while (k < PROJECTION_KIND_COUNT && strcmp(name, kinds[k].name) != 0) k++;
    return (enum projection_kind)k;
}

enum status projection_parse(const char *text, enum projection_kind *kind, uint32_t *s) {
    char name[16];
    size_t length = strcspn(text, ":");
    unsigned long given = 1;
    int is_good = length < sizeof name;
    if (is_good) {
        memcpy(name, text, length);
        name[length] = 0;
        *kind = projection_kind_parse(name);
        is_good = *kind != PROJECTION_KIND_COUNT && (!text[length] || *kind == PROJECTION_SJLT);
    }
    if (is_good && text[length]) {
        const char *digits = text + length + 1;
        size_t n = strspn(digits, "0123456789");
        given = n > 0 && n < 9 && !digits[n] ? strtoul(digits, NULL, 10) : 0;
        is_good = given > 0;
    }
    if (!is_good)
        return fail(ERR_RANGE, "projection '%s' is not known; sjlt, sjlt:S (S non-zeros per coordinate), "
                    "rademacher, gaussian and srht are", text);
    *s = *kind == PROJECTION_SJLT ? (uint32_t)given : 0;
    return OK;
}

enum status projection_check(const struct projection *proj) {
    if ((unsigned)proj->kind >= PROJECTION_KIND_COUNT)
        return fail(ERR_RANGE, "projection: kind %d is not known; sjlt, rademacher, gaussian and srht are", (int)proj->kind);
    if (proj->version != PROJECTION_VERSION)
        return fail(ERR_RANGE, "projection: made by version %u of the algorithm, this program has version %u",
                    proj->version, PROJECTION_VERSION);
    if (proj->p == 0 || proj->p > UINT32_MAX)
        return fail(ERR_RANGE, "projection: %llu coordinates are outside 1..2^32-1", (unsigned long long)proj->p);
    if (proj->k == 0 || proj->k > 1u << 24)
        return fail(ERR_RANGE, "projection: %u dimensions are outside 1..2^24", proj->k);
    if (proj->kind == PROJECTION_SJLT ? proj->s == 0 || proj->s > proj->k : proj->s != 0)
        return fail(ERR_RANGE, "projection: %u non-zeros per coordinate; sjlt has 1 to k = %u, other kinds 0",
                    proj->s, proj->k);
    return OK;
}

static void in_words(char out[128], const struct projection *p) {
    int n = snprintf(out, 128, "%s", projection_kind_name(p->kind));
    if (p->s > 1) n += snprintf(out + n, 128 - (size_t)n, ":%u", p->s);
    n += snprintf(out + n, 128 - (size_t)n, ", seed %llu, k %u, %llu coordinates", (unsigned long long)p->seed,
                  p->k, (unsigned long long)p->p);
    if (p->version != PROJECTION_VERSION) snprintf(out + n, 128 - (size_t)n, ", version %u", p->version);
}

enum status projection_same(const struct projection *a, const struct projection *b) {
    char x[128], y[128];
    if (a->kind == b->kind && a->seed == b->seed && a->p == b->p && a->k == b->k && a->s == b->s &&
        a->version == b->version) return OK;
    in_words(x, a);
    in_words(y, b);
    return fail(ERR_RANGE, "projections differ: %s / %s", x, y);
}

/* --- the map --- */

void projection_words(uint32_t out[4], const struct projector *pr, uint32_t a, uint32_t b, uint32_t use) {
    uint32_t ctr[4] = { a, b, use, (uint32_t)pr->proj.kind };
    rng_philox(out, ctr, pr->key.key);
}

enum status projector_keep_coordinates(struct projector *pr, const uint32_t *coord) {
    size_t p = (size_t)pr->proj.p;
    pr->table = mem_array(p, sizeof *pr->table);
    if (!pr->table) return fail(ERR_NOMEM, "projection: out of memory for %zu coordinates", p);
    for (size_t i = 0; i < p; i++) pr->table[i] = coord ? coord[i] : (uint32_t)i;
    return OK;
}

enum status projector_new(struct projector **out, const struct projection *proj, const uint32_t *coord) {
    *out = NULL;
    TRY(projection_check(proj));
    struct projector *pr = mem_array(1, sizeof *pr);
    if (!pr) return fail(ERR_NOMEM, "projection: out of memory");
    pr->proj = *proj;
    pr->key = rng_at(proj->seed, RNG_PROJECTION, 0, 0);
    pr->ops = kinds[proj->kind].ops;
    enum status st = pr->ops->projector_new(pr, coord);
    if (st == OK) *out = pr;
    else projector_free(pr);
    return st;
}

void projector_free(struct projector *pr) {
    if (!pr) return;
    if (pr->ops->projector_free) pr->ops->projector_free(pr);
    mem_free(pr->table);
    mem_free(pr);
}

size_t projector_thread_bytes(const struct projector *pr) { return pr->ops->thread_bytes ? pr->ops->thread_bytes(pr) : 0; }

const struct projection *projector_get(const struct projector *pr) { return &pr->proj; }

/* --- gradients through it --- */

enum status projection_work_new(struct projection_work **out, const struct projector *pr,
                                size_t threads, size_t rows, size_t memory) {
    *out = NULL;
    struct projection_work *w = mem_array(1, sizeof *w);
    if (!w) return fail(ERR_NOMEM, "projection: out of memory");
    w->pr = pr;
    w->threads = threads ? threads : 1;
    w->capacity = rows ? rows : 1;
    enum status st = pr->ops->work_new ? pr->ops->work_new(w, memory) : OK;
    if (st == OK) *out = w;
    else projection_work_free(w);
    return st;
}

void projection_work_free(struct projection_work *w) {
    if (!w) return;
    if (w->pr->ops->work_free) w->pr->ops->work_free(w);
    mem_free(w);
}

size_t projection_rows(const struct projection_work *w) { return w->capacity; }

void projection_begin(struct projection_work *w, size_t rows, float *out) {
    assert(rows <= w->capacity);
    w->rows = rows;
    w->out = out;
    memset(out, 0, rows * w->pr->proj.k * sizeof *out);
    if (w->pr->ops->begin) w->pr->ops->begin(w);
}

void projection_add(struct projection_work *w, size_t thread, size_t row,
                    size_t offset, const float *grad, size_t n, float weight) {
    assert(row < w->rows && thread < w->threads && offset + n <= w->pr->proj.p);
    w->pr->ops->add(w, thread, row, offset, grad, n, weight);
}

int projection_finish(struct projection_work *w, struct pool *pool, atomic_int *cancel) {
    return w->pr->ops->finish ? w->pr->ops->finish(w, pool, cancel) : 1;
}
