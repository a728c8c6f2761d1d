/* score_source.c - features, kernels, pixels and embeddings as one source of inner products. */
#include "score_source.h"

#include "dtrak/cost.h"
#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/offer.h"
#include "dtrak/pipeline.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_BYTES ((size_t)256 << 20)   /* a part of a kernel above that is not kept */

enum { KERNEL_ITEMS = 96 };   /* bytes of text */

/* --- which features --- */

static int is_of_several(const struct source_wanted *w) { return w->several && w->several->count > 1; }

/* Same features but for the split. */
static int is_partner(const struct feature_set *train, const struct feature_set *f, enum split split) {
    struct feature_identity id = f->identity;
    char difference[256];
    id.split = train->identity.split;
    feature_identity_difference(difference, &train->identity, &id);
    return f->identity.split == split && !difference[0];
}

int source_is_path_of(const struct feature_set *train, const struct feature_set *f, enum split split) {
    struct feature_identity id = f->identity;
    char difference[256];
    if (strcmp(id.rule, FEATURE_RULE_JOURNEY) != 0) return 0;
    id.split = train->identity.split;
    id.timesteps = train->identity.timesteps;
    id.noise_seed = train->identity.noise_seed;
    id.draws = train->identity.draws;
    id.parts = train->identity.parts;
    id.float32 = train->identity.float32;
    memcpy(id.rule, train->identity.rule, sizeof id.rule);
    feature_identity_difference(difference, &train->identity, &id);
    return f->identity.split == split && !difference[0];
}

int source_has_all(const struct feature_set *f, size_t items) {
    return !f->dropped && f->rows >= items && f->rows_done >= items;
}

/* Whether the stored kernel of the set covers the splits at their present size. */
static enum status kernel_covers(struct store *s, int64_t set, const struct source_wanted *w, int *covers) {
    TRY(store_kernel_has(s, set, KERNEL_GRAM, SPLIT_TRAIN, covers));
    for (int q = 0; q < SPLIT_COUNT && *covers; q++)
        if (w->splits >> q & 1) {
            int cross, self;
            TRY(store_kernel_has(s, set, KERNEL_CROSS, (enum split)q, &cross));
            TRY(store_kernel_has(s, set, KERNEL_SELF, (enum split)q, &self));
            *covers = cross && self;
        }
    return OK;
}

/* Sets src->query to the features of the splits that go with a train set; *usable
 * says whether scores can be made of them, or of the kernel. */
static enum status try_train_set(struct source *src, const struct feature_set_list *l,
                                 const struct feature_set *train, const struct source_wanted *w, int *usable) {
    int covers;
    TRY(kernel_covers(src->s, train->id, w, &covers));
    int whole = source_has_all(train, w->items[SPLIT_TRAIN]);
    struct feature_set query[SPLIT_COUNT];
    memset(query, 0, sizeof query);
    for (int q = 0; q < SPLIT_COUNT; q++) {
        if (!(w->splits >> q & 1)) continue;
        for (size_t i = 0; i < l->count; i++)
            if ((w->journey ? source_is_path_of : is_partner)(train, &l->set[i], (enum split)q) &&
                (!query[q].id || !w->journey || feature_set_is_better(&l->set[i], &query[q]))) query[q] = l->set[i];
        whole = whole && query[q].id && source_has_all(&query[q], w->items[q]);
    }
    /* A kernel without some of the queries that are asked for is of no use. */
    for (int q = 0; q < SPLIT_COUNT && covers; q++)
        if (w->splits >> q & 1) covers = query[q].id && query[q].rows >= src->needed[q];
    covers = covers && train->rows >= w->items[SPLIT_TRAIN];
    covers = covers && !w->journey;   /* it holds products with other queries */
    *usable = whole || covers;
    if (!*usable) return OK;
    src->train = *train;
    memcpy(src->query, query, sizeof query);
    src->has_kernel = covers;
    src->is_whole = whole;
    return OK;
}

/* " (those of train and gen differ: projection sjlt seed 42 / gaussian seed 7)" when whole
 * sets are there that do not go together; else whether there are any. */
static void why_none(char out[320], const struct feature_set_list *l, const struct source_wanted *w,
                     const struct feature_set *near) {
    snprintf(out, 320, "%s", !near ? "" : near->dropped ? " (their rows were dropped)" : " (some are there)");
    for (size_t i = 0; near && i < l->count; i++) {
        struct feature_identity id = l->set[i].identity;
        char difference[256];
        if (!strcmp(id.rule, FEATURE_RULE_JOURNEY)) continue;
        if (!(w->splits >> id.split & 1) || !source_has_all(near, w->items[SPLIT_TRAIN]) ||
            !source_has_all(&l->set[i], w->items[id.split])) continue;
        id.split = near->identity.split;
        if (l->set[i].checkpoint != near->checkpoint || strcmp(id.loss, near->identity.loss) != 0) continue;
        feature_identity_difference(difference, &near->identity, &id);
        if (difference[0])
            snprintf(out, 320, " (those of train and %s differ: %s)", split_name(l->set[i].identity.split), difference);
    }
}

static int fits(const struct feature_set *f, const struct source_wanted *w) {
    return f->identity.split == SPLIT_TRAIN && f->checkpoint == w->checkpoint->id &&
           !strcmp(f->identity.loss, loss_name(w->loss)) &&
           (!w->timesteps || f->identity.timesteps == w->timesteps) && (!w->dims || f->identity.k == w->dims);
}

/* "val:0-47,gen:0-95": the queries of the splits asked for that a stored kernel has, where it does not have all. */
static enum status kernel_items(char out[KERNEL_ITEMS], struct store *s, const struct feature_set_list *l, const struct feature_set *train,
                                const struct source_wanted *w) {
    int gram = 0;
    out[0] = 0;
    TRY(store_kernel_has(s, train->id, KERNEL_GRAM, SPLIT_TRAIN, &gram));
    if (!gram || w->journey || train->rows < w->items[SPLIT_TRAIN]) return OK;
    for (size_t i = 0; i < l->count; i++) {
        const struct feature_set *f = &l->set[i];
        enum split q = f->identity.split;
        double *self = NULL;
        size_t at = strlen(out), has = 0, one;
        if (!(w->splits >> q & 1) || !is_partner(train, f, q)) continue;
        enum status st = store_kernel_get(s, train->id, KERNEL_SELF, q, &has, &one, &self);
        if (st != OK && st != ERR_MISSING) return st;
        mem_free(self);
        if (st == OK && has) snprintf(out + at, KERNEL_ITEMS - at, "%s%s:0-%zu", at ? "," : "", split_name(q), has - 1);
    }
    return OK;
}

/* The best of those that fit which has a kernel of some queries. */
static enum status partial_kernel(char out[KERNEL_ITEMS], struct store *s, const struct feature_set_list *l, const struct source_wanted *w) {
    const struct feature_set *best = NULL;
    char items[KERNEL_ITEMS];
    out[0] = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (!fits(&l->set[i], w) || (best && !feature_set_is_better(&l->set[i], best))) continue;
        TRY(kernel_items(items, s, l, &l->set[i], w));
        if (!items[0]) continue;
        best = &l->set[i];
        memcpy(out, items, KERNEL_ITEMS);
    }
    return OK;
}

/* The command that makes them: of all the checkpoints that are asked for together, where it can. */
static enum status features_command(char out[OFFER_COMMAND], struct store *s, const struct feature_set_list *l, const struct source_wanted *w) {
    struct offer_features want = { w->checkpoint, w->loss, w->timesteps, w->dims };
    char options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION];
    const struct feature_set *like;
    int together = is_of_several(w) && w->asked;
    for (size_t i = 0; together && i < w->several->count; i++) together = w->several->checkpoint[i].weights_bytes > 0;
    if (!together) return offer_features_command(out, s, &want);
    TRY(offer_like_several(&like, NULL, s, l, w->several, &want));
    offer_features_options(options, like, &want);
    text_shell_word(db, sizeof db, store_path(s));
    text_shell_word(at, sizeof at, w->asked);
    snprintf(out, OFFER_COMMAND, "dtrak features %s --loss %s --checkpoint %s%s", db, loss_name(w->loss), at, options);
    return OK;
}

static enum status no_features(struct store *s, const struct feature_set_list *l, const struct source_wanted *w,
                               const struct feature_set *near) {
    char why[320], options[OFFER_OPTIONS], db[1024], at[CHECKPOINT_OPTION], weights[OFFER_WEIGHTS], items[KERNEL_ITEMS], command[OFFER_COMMAND],
        kernel[2 * KERNEL_ITEMS + 80] = "";
    offer_weights(weights, w->checkpoint);
    if (near && w->journey && source_has_all(near, w->items[SPLIT_TRAIN])) {
        text_shell_word(db, sizeof db, store_path(s));
        checkpoint_option(at, w->checkpoint);
        offer_options(options, &near->identity, 0);
        if (weights[0])
            return fail(ERR_MISSING, "no features along the sampling paths for loss %s at checkpoint %zu, and %s", loss_name(w->loss),
                        w->checkpoint->step, weights);
        return fail(ERR_MISSING, "no features along the sampling paths for loss %s at checkpoint %zu; make them with: dtrak features "
                    "%s --journey --loss %s --checkpoint %s%s", loss_name(w->loss), w->checkpoint->step, db, loss_name(w->loss), at, options);
    }
    why_none(why, l, w, near);
    TRY(partial_kernel(items, s, l, w));
    /* What one checkpoint's kernel has the others' may lack. */
    if (items[0] && !is_of_several(w)) snprintf(kernel, sizeof kernel, "; the stored kernel has only %s, and --query %s works", items, items);
    if (weights[0])
        return fail(ERR_MISSING, "no complete features of loss %s at checkpoint %zu%s%s; %s", loss_name(w->loss), w->checkpoint->step, why,
                    kernel, weights);
    TRY(features_command(command, s, l, w));
    return fail(ERR_MISSING, "no complete features of loss %s at checkpoint %zu%s%s; %smake them with: %s", loss_name(w->loss),
                w->checkpoint->step, why, kernel, kernel[0] ? "for the others " : "", command);
}

static enum status read_features(void *ctx, size_t first, size_t count, float *out) {
    const struct source *src = ctx;
    return store_features_read(src->s, &src->train, first, count, out);
}

static enum status kernel_open(struct source *src, enum split split);

/* A kernel of other sizes than the items have now (some were added) is passed over
 * for whole features. */
static enum status check_kernel(struct source *src) {
    for (int q = 0; q < SPLIT_COUNT && src->has_kernel; q++) {
        if (!(src->splits >> q & 1)) continue;
        enum status st = kernel_open(src, (enum split)q);
        if (st == ERR_MISSING && src->is_whole) src->has_kernel = 0;
        else TRY(st);
    }
    return OK;
}

/* A finished basis of as many items as there are now. */
static enum status find_basis(struct source *src) {
    enum status st = store_basis_find(src->s, src->train.id, &src->basis);
    if (st == ERR_MISSING) return OK;
    TRY(st);
    src->has_basis = src->basis.complete && src->basis.n == src->n && src->basis.k == src->train.identity.k;
    return OK;
}

/* Whether the same features, whole, are also there in blocks (or are so themselves). */
static int has_blocks(const struct feature_set_list *l, const struct feature_set *f) {
    for (size_t i = 0; i < l->count; i++) {
        struct feature_identity id = l->set[i].identity;
        char difference[256];
        if (id.parts < 2 || l->set[i].dropped || l->set[i].rows_done < f->rows) continue;
        id.parts = f->identity.parts;
        id.float32 = f->identity.float32;
        feature_identity_difference(difference, &f->identity, &id);
        if (!difference[0]) return 1;
    }
    return 0;
}

/* Of equals the ones that error bars can be had of: features of other projections that are made for
 * those shall not take the place of what they are compared with. */
static int is_better(const struct feature_set_list *l, const struct feature_set *a, const struct feature_set *b) {
    struct feature_set newer = *a, older = *b;
    newer.identity.parts = older.identity.parts = 1;
    newer.id = 2;
    older.id = 1;
    int equal = feature_set_is_better(&newer, &older);
    newer.id = 0;
    equal = equal && !feature_set_is_better(&newer, &older);
    if (equal && has_blocks(l, a) != has_blocks(l, b)) return has_blocks(l, a);
    return feature_set_is_better(a, b);
}

enum status source_find(struct source *src, struct store *s, const struct source_wanted *w) {
    struct feature_set_list l;
    const struct feature_set *near = NULL, *best = NULL;
    *src = (struct source){ .s = s, .n = w->items[SPLIT_TRAIN], .splits = w->splits, .memory = w->memory, .is_journey = w->journey,
                            .is_one_of_several = is_of_several(w) };
    memcpy(src->items, w->items, sizeof src->items);
    memcpy(src->needed, w->needed ? w->needed : w->items, sizeof src->needed);
    TRY(store_feature_sets_list(s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        const struct feature_set *f = &l.set[i];
        int usable;
        if (!fits(f, w)) continue;
        if (!near || (near->dropped && !f->dropped) || (near->dropped == f->dropped && feature_set_is_better(f, near))) near = f;
        if (best && !is_better(&l, f, best)) continue;
        st = try_train_set(src, &l, f, w, &usable);
        if (st == OK && usable) best = f;
    }
    if (st == OK && !best) st = no_features(s, &l, w, near);
    feature_set_list_free(&l);
    TRY(st);
    src->rows = (struct rows){ src->n, src->train.identity.k, read_features, src, NULL };
    TRY(check_kernel(src));
    return find_basis(src);
}

static enum status read_pixels(void *ctx, size_t first, size_t count, float *out) {
    const struct source *src = ctx;
    return items_load(src->s, &src->project, SPLIT_TRAIN, first, count, out);
}

enum status source_pixels(struct source *src, struct store *s, const size_t *items, size_t memory) {
    *src = (struct source){ .s = s, .n = items[SPLIT_TRAIN], .is_pixels = 1, .memory = memory };
    memcpy(src->items, items, sizeof src->items);
    TRY(store_project_get(s, &src->project));
    src->rows = (struct rows){ src->n, items_floats(&src->project), read_pixels, src, NULL };
    return OK;
}

/* --- embeddings --- */

static enum status only_embedding(struct store *s, char name[EMBEDDING_NAME]) {
    struct embedding_list l;
    char db[1024];
    text_shell_word(db, sizeof db, store_path(s));
    const char *other = NULL;
    enum status st = OK;
    TRY(store_embeddings_list(s, &l));
    for (size_t i = 1; i < l.count && !other; i++)
        if (strcmp(l.embedding[i].name, l.embedding[0].name) != 0) other = l.embedding[i].name;
    if (!l.count)
        st = fail(ERR_MISSING, "%s: there is no embedding; add one with: dtrak add %s --embedding FILE.npy --split train "
                  "(and val, gen)", store_path(s), db);
    else if (other)
        st = fail(ERR_USAGE, "there are several embeddings; say which with --embedding %s or %s", l.embedding[0].name, other);
    else snprintf(name, EMBEDDING_NAME, "%s", l.embedding[0].name);
    embedding_list_free(&l);
    return st;
}

static enum status open_part(struct source *src, const char *name, enum split split) {
    struct embedding *e = &src->embedding[split];
    char db[1024];
    text_shell_word(db, sizeof db, store_path(src->s));
    TRY(store_embedding_get(src->s, name, split, e));
    if (e->rows != src->items[split])
        return fail(ERR_RANGE, "%s: embedding '%s' has %zu rows for %s, there are %zu items; add it again with: dtrak add %s "
                    "--embedding FILE.npy --split %s --name %s", store_path(src->s), name, e->rows, split_name(split),
                    src->items[split], db, split_name(split), name);
    return store_embedding_read(src->s, e, split == SPLIT_TRAIN ? &src->cache : &src->embedded[split]);
}

enum status source_embedding(struct source *src, struct store *s, const char *name, unsigned splits,
                             const size_t *items, size_t memory) {
    char only[EMBEDDING_NAME];
    *src = (struct source){ .s = s, .n = items[SPLIT_TRAIN], .splits = splits, .memory = memory };
    memcpy(src->items, items, sizeof src->items);
    if (!name) TRY(only_embedding(s, only));
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (q == SPLIT_TRAIN || splits >> q & 1) TRY(open_part(src, name ? name : only, (enum split)q));
    src->cached = (struct rows_memory){ src->cache, src->embedding[SPLIT_TRAIN].cols };
    src->rows = rows_in_memory(&src->cached, src->n);
    return OK;
}

void source_close(struct source *src) {
    for (int q = 0; q < SPLIT_COUNT; q++) mem_free(src->embedded[q]);
    mem_free(src->cache);
    mem_free(src->norm);
    for (int q = 0; q < SPLIT_COUNT; q++) {
        mem_free(src->cross[q]);
        mem_free(src->self[q]);
    }
    *src = (struct source){ 0 };
}

void pipeline_feature_params(char *out, size_t size, const struct feature_identity *f) {
    char draws[48] = "";   /* absent where there is one, as it always was */
    if (f->draws > 1) snprintf(draws, sizeof draws, "\"draws\":%zu,", f->draws);
    snprintf(out, size, "{\"rule\":\"%s\",%s\"noise_seed\":%llu,\"projection\":\"%s\",\"projection_seed\":%llu,"
             "\"nonzeros\":%zu,\"features\":\"%s\",\"features_version\":%d}", f->rule, draws,
             (unsigned long long)f->noise_seed, f->projection, (unsigned long long)f->projection_seed,
             f->nonzeros, f->float32 ? "f32" : "f16", f->version);
}

void source_params(const struct source *src, enum split split, char *out, size_t size) {
    const struct embedding *e = src->embedding;
    if (e->name[0])
        snprintf(out, size, "{\"embedding\":\"%s\",\"cols\":%zu,\"train\":\"%016llx\",\"query\":\"%016llx\"}", e->name,
                 e->cols, (unsigned long long)e->checksum, (unsigned long long)e[split].checksum);
    else if (src->is_pixels)
        snprintf(out, size, "{\"low\":%g,\"high\":%g}", src->project.value_low, src->project.value_high);
    else
        pipeline_feature_params(out, size, &src->train.identity);
    const struct feature_identity *q = &src->query[split].identity;
    size_t len = strlen(out);
    if (src->is_journey && len && size > len)   /* one member more, at the end */
        snprintf(out + len - 1, size - len + 1, ",\"journey\":{\"steps\":%zu,\"draws\":%zu,\"noise_seed\":%llu}}", q->timesteps,
                 q->draws ? q->draws : 1, (unsigned long long)q->noise_seed);
}

/* --- rows --- */

/* Reads all training rows once, where memory allows, so that blocks of queries do
 * not decode them again. */
enum status source_fill_cache(struct source *src, const struct progress *p) {
    size_t k = src->rows.k;
    if (src->cache || src->n > src->memory / 4 / sizeof(float) / k) return OK;
    float *all = mem_array(src->n * k, sizeof *all);
    if (!all) return OK;   /* then as if it did not fit */
    for (size_t i = 0; i < src->n; i += 256) {
        size_t count = src->n - i < 256 ? src->n - i : 256;
        enum status st = progress_check(p);
        if (st == OK) st = src->rows.read(src->rows.ctx, i, count, all + i * k);
        if (st != OK) {
            mem_free(all);
            return st;
        }
    }
    src->cache = all;
    src->cached = (struct rows_memory){ all, k };
    src->rows = rows_in_memory(&src->cached, src->n);
    return OK;
}

size_t source_block_bytes(const struct source *src) {
    size_t most = (size_t)64 << 20, share = src->memory / 16;
    return share < most ? share : most;
}

double source_ridge_bytes(const struct source *src) {
    double n = (double)src->n, k = (double)src->rows.k, d = n < k ? n : k;
    if (src->has_basis) return 8 * d * d;
    return ridge_bytes(src->n, src->rows.k) + 2.0 * (double)source_block_bytes(src);
}

enum status source_check_memory(const struct source *src, double more) {
    char need[32], given[32];
    double bytes = source_ridge_bytes(src) + more;
    size_t side = src->n < src->rows.k ? src->n : src->rows.k;
    if (side > LINALG_EIGH_MAX && !src->has_basis)
        return fail(ERR_RANGE, "%zu training items with k %zu: a decomposition has at most %d rows; make features with fewer --dims, "
                    "or score with --solver krylov", src->n, src->rows.k, LINALG_EIGH_MAX);
    if (bytes <= (double)src->memory) return OK;
    cost_format_bytes(need, sizeof need, bytes);
    cost_format_bytes(given, sizeof given, (double)src->memory);
    return fail(ERR_RANGE, "%zu training items with k %zu need %s of memory, and %s is given; raise it with --memory, or "
                "make features with fewer --dims", src->n, src->rows.k, need, given);
}

enum status source_queries(struct source *src, enum split split, size_t first, size_t count, float *out) {
    size_t k = src->rows.k;
    if (src->is_pixels) return items_load(src->s, &src->project, split, first, count, out);
    if (src->embedded[split]) {
        memcpy(out, src->embedded[split] + first * k, count * k * sizeof *out);
        return OK;
    }
    return store_features_read(src->s, &src->query[split], first, count, out);
}

static void query_norms(double *norm, const float *rows, size_t count, size_t k) {
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t j = 0; j < k; j++) sum += (double)rows[i * k + j] * (double)rows[i * k + j];
        norm[i] = sqrt(sum);
    }
}

/* --- kernels --- */

static enum status other_size(const struct source *src, enum kernel_part part, enum split split, size_t r, size_t c, size_t rows, size_t cols) {
    char command[OFFER_COMMAND], weights[OFFER_WEIGHTS], works[64] = "";
    if (part != KERNEL_GRAM && r && c == cols && !src->is_one_of_several)
        snprintf(works, sizeof works, "--query %s:0-%zu works; ", split_name(split), r - 1);
    TRY(offer_same_features(command, weights, src->s, &src->train));
    return fail(ERR_MISSING, "the stored kernel of loss %s covers %zu x %zu items, there are %zu x %zu; %s%s%s", src->train.identity.loss, r, c, rows, cols,
                works, weights[0] ? "" : "make features again with: ", weights[0] ? weights : command);
}

/* A part of the stored kernel, which must have the shape that the items have now. */
/* rows: at least, of queries; *there (may be NULL): how many there are. */
static enum status read_part(struct source *src, enum kernel_part part, enum split split, size_t rows,
                             size_t cols, double **out, size_t *there) {
    size_t r, c;
    TRY(store_kernel_get(src->s, src->train.id, part, split, &r, &c, out));
    if (there) *there = r;
    if ((part == KERNEL_GRAM ? r == rows : r >= rows) && c == cols) return OK;
    mem_free(*out);
    *out = NULL;
    return other_size(src, part, split, r, c, rows, cols);
}

enum status source_kernel_gram(struct source *src, double **out) {
    double *packed, *A;
    size_t n = src->n, at = 0;
    TRY(read_part(src, KERNEL_GRAM, SPLIT_TRAIN, n, n, &packed, NULL));
    A = mem_array(n * n, sizeof *A);
    for (size_t i = 0; A && i < n; i++)
        for (size_t j = i; j < n; j++) A[i * n + j] = A[j * n + i] = packed[at++];
    mem_free(packed);
    *out = A;
    return A ? OK : fail(ERR_NOMEM, "score: out of memory for a Gram matrix of %zu x %zu", n, n);
}

static enum status kernel_open(struct source *src, enum split split) {
    if (!src->cross[split])
        TRY(read_part(src, KERNEL_CROSS, split, src->needed[split], src->n, &src->cross[split], &src->kernel_rows[split]));
    if (!src->self[split])
        TRY(read_part(src, KERNEL_SELF, split, src->kernel_rows[split], 1, &src->self[split], NULL));
    return OK;
}

static enum status put_gram(struct source *src, int float64, const struct progress *p) {
    size_t n = src->n, at = 0;
    double *A = mem_array(n * n, sizeof *A);
    if (!A) return fail(ERR_NOMEM, "score: out of memory for a Gram matrix of %zu x %zu", n, n);
    enum status st = rows_gram(&src->rows, A, source_block_bytes(src), p);
    /* Packing in place only ever moves a value to a lower address. */
    for (size_t i = 0; i < n && st == OK; i++)
        for (size_t j = i; j < n; j++) A[at++] = A[i * n + j];
    if (st == OK) st = store_kernel_put(src->s, src->train.id, KERNEL_GRAM, SPLIT_TRAIN, n, n, float64, A);
    mem_free(A);
    return st;
}

static enum status put_cross(struct source *src, enum split split, int float64, const struct progress *p) {
    size_t m = src->items[split], k = src->rows.k;
    float *rows = mem_array(m * k, sizeof *rows);
    double *cross = mem_array(m * src->n, sizeof *cross), *self = mem_array(m, sizeof *self);
    enum status st = OK;
    if (!rows || !cross || !self) {
        st = fail(ERR_NOMEM, "score: out of memory for the products of %zu queries", m);
        goto done;
    }
    TRY_TO(source_queries(src, split, 0, m, rows));
    TRY_TO(rows_cross(&src->rows, rows, m, cross, source_block_bytes(src), p));
    query_norms(self, rows, m, k);
    for (size_t i = 0; i < m; i++) self[i] *= self[i];
    TRY_TO(store_begin(src->s));
    st = store_kernel_put(src->s, src->train.id, KERNEL_CROSS, split, m, src->n, float64, cross);
    if (st == OK) st = store_kernel_put(src->s, src->train.id, KERNEL_SELF, split, m, 1, float64, self);
    if (st == OK) st = store_commit(src->s);
    if (st != OK) store_rollback(src->s);
done:
    mem_free(rows);
    mem_free(cross);
    mem_free(self);
    return st;
}

static int is_small(size_t rows, size_t cols) { return rows <= KERNEL_BYTES / sizeof(double) / (cols ? cols : 1); }

enum status source_keep_kernel(struct source *src, int float64, const struct progress *p) {
    if (src->has_kernel || src->is_pixels || src->n > src->rows.k || !is_small(src->n, src->n / 2)) return OK;
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (src->splits >> q & 1 && !is_small(src->items[q], src->n)) return OK;
    TRY(source_fill_cache(src, p));
    /* A transaction for each part, and none while products are computed: others write meanwhile.  What is
     * there of a kernel that was not finished does not count (kernel_covers()). */
    TRY(put_gram(src, float64, p));
    for (int q = 0; q < SPLIT_COUNT; q++)
        if (src->splits >> q & 1) TRY(put_cross(src, (enum split)q, float64, p));
    src->has_kernel = 1;
    return OK;
}

/* --- what the methods read --- */

enum status source_ridge(struct source *src, struct ridge **out, const struct progress *p) {
    double *A, *values;
    *out = NULL;
    if (!src->has_kernel) TRY(source_fill_cache(src, p));
    if (src->has_basis) {
        TRY(store_basis_read(src->s, &src->basis, &values, &A));
        return ridge_new_basis(out, A, values, src->basis.rank, src->basis.primal, src->n, src->basis.k,
                               src->basis.trace, &src->rows);
    }
    if (!src->has_kernel) return ridge_new_rows(out, &src->rows, p);
    TRY(source_kernel_gram(src, &A));
    return ridge_new(out, A, src->n, src->train.identity.k, p);
}

enum status source_norms(struct source *src) {
    double *packed;
    size_t at = 0;
    if (src->norm) return OK;
    double *norm = mem_array(src->n, sizeof *norm);
    if (!norm) return fail(ERR_NOMEM, "score: out of memory");
    enum status st;
    if (src->has_kernel) {
        st = read_part(src, KERNEL_GRAM, SPLIT_TRAIN, src->n, src->n, &packed, NULL);
        for (size_t i = 0; i < src->n && st == OK; at += src->n - i, i++) norm[i] = sqrt(packed[at]);
        if (st == OK) mem_free(packed);
    } else {
        st = source_fill_cache(src, NULL);
        if (st == OK) st = rows_norms(&src->rows, norm, source_block_bytes(src));
    }
    if (st == OK) src->norm = norm;
    else mem_free(norm);
    return st;
}

static enum status block_from_kernel(struct source *src, enum split split, size_t first, size_t count,
                                     double *cross, double *norm) {
    TRY(kernel_open(src, split));
    /* A block may go beyond what is asked for: of those that the kernel lacks there is nothing. */
    size_t there = src->kernel_rows[split] > first ? src->kernel_rows[split] - first : 0, has = count < there ? count : there;
    if (cross) memcpy(cross, src->cross[split] + first * src->n, has * src->n * sizeof *cross);
    if (cross) memset(cross + has * src->n, 0, (count - has) * src->n * sizeof *cross);
    for (size_t i = 0; norm && i < count; i++) norm[i] = i < has ? sqrt(src->self[split][first + i]) : 0;
    return OK;
}

enum status source_block(struct source *src, enum split split, size_t first, size_t count,
                         double *cross, double *norm, const struct ridge *ridge, double *coords,
                         const struct progress *p) {
    enum status st = OK;
    int primal = ridge && ridge_is_primal(ridge);
    float *rows = NULL;
    if (src->has_kernel) {
        TRY(block_from_kernel(src, split, first, count, cross, norm));
        return coords ? ridge_query_from_cross(ridge, cross, count, coords) : OK;
    }
    TRY(source_fill_cache(src, p));
    rows = mem_array(count * src->rows.k, sizeof *rows);
    if (!rows) return fail(ERR_NOMEM, "score: out of memory for %zu queries", count);
    TRY_TO(source_queries(src, split, first, count, rows));
    if (norm) query_norms(norm, rows, count, src->rows.k);
    if (cross) TRY_TO(rows_cross(&src->rows, rows, count, cross, source_block_bytes(src), p));
    if (coords && primal) TRY_TO(ridge_query_from_features(ridge, rows, count, coords));
    if (coords && !primal) TRY_TO(ridge_query_from_cross(ridge, cross, count, coords));
done:
    mem_free(rows);
    return st;
}
