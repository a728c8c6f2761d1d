/* features.c - the verb `features`: projected per-sample gradients.
 *
 * What is missing is made group by group with a feature_engine (the network's side
 * of it) and kept block by block.  The unit of finished work is a group, one
 * transaction: its rows of every kind (loss and k), and the items' mean training loss, which
 * the forward passes give for nothing. */
#include "dtrak/pipeline.h"
#include "feature_engine.h"
#include "feature_paths.h"
#include "footprint.h"

#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1, BLOCK_ROWS = 32, BLOCK_ROWS_LEAST = 4, BLOCK_PIECES = 256 };

struct maker {
    struct store *s;
    const struct features_options *o;
    struct features_options journey; /* what o points at when it is about sampling paths */
    const struct progress *progress;
    struct project project;
    struct checkpoint_list checkpoints;
    enum projection_kind kind;
    uint32_t nonzeros;
    size_t draws, parts, block_rows, D;
    size_t items[SPLIT_COUNT];       /* 0 where the split is not asked for */
    size_t k[FEATURE_DIMS_MAX], n_k; /* dimensions */
    uint64_t kinds;                  /* asked for (feature_engine.h) */
    double done, total;              /* items x kinds */
    /* of the checkpoint in hand */
    const struct checkpoint *checkpoint;
    struct stored_network net;
    struct feature_pair *pairs;
    struct feature_engine engine;
    struct feature_paths paths;      /* of rule journey, in place of the items' own images */
    float *images;
    double *loss;
    float *features[FEATURE_KINDS];  /* of a group; NULL: not asked for */
    /* of the split in hand */
    struct feature_set sets[FEATURE_KINDS];
    unsigned char *missing[FEATURE_KINDS];   /* by block */
    char what[64];
};

/* --- a group --- */

/* Of kind i. */
static size_t k_of(const struct maker *m, size_t i) { return m->k[i / LOSS_COUNT]; }
static enum loss loss_of(size_t i) { return (enum loss)(i % LOSS_COUNT); }

static enum status check_finite(const struct maker *m, const struct feature_group *g) {
    size_t pieces = g->items * m->parts;
    for (size_t l = 0; l < FEATURE_KINDS; l++)
        for (size_t i = 0; g->wanted & FEATURE_KIND(l) && i < pieces * k_of(m, l); i++) {
            if (isfinite(g->out[l][i])) continue;
            size_t q = i / k_of(m, l), start = q / (m->block_rows * m->parts) * m->block_rows;
            size_t count = g->items - start < m->block_rows ? g->items - start : m->block_rows;
            return fail(ERR_NUMERIC, "features: the gradient of %s:%zu is not finite (loss %s, checkpoint %zu)",
                        split_name(g->split), g->first + start + (q - start * m->parts) % count, loss_name(loss_of(l)),
                        m->checkpoint->step);
        }
    return OK;
}

static const char *rule_of(const struct maker *m) { return m->o->rule ? m->o->rule : "uniform"; }
static int is_journey(const struct maker *m) { return !strcmp(rule_of(m), FEATURE_RULE_JOURNEY); }

/* The mean of L_simple over the pairs, a number per item. */
static enum status store_losses(struct maker *m, const struct feature_group *g) {
    char text[96];
    size_t done = 0;
    double *mean = mem_array(g->items, sizeof *mean);
    if (!mean) return fail(ERR_NOMEM, "features: out of memory");
    for (size_t start = 0; start < g->items; start += m->block_rows) {
        size_t count = g->items - start < m->block_rows ? g->items - start : m->block_rows;
        for (size_t p = 0; p < m->parts; p++)
            for (size_t r = 0; r < count; r++) mean[start + r] += g->loss[done++] / (double)m->parts;
    }
    snprintf(text, sizeof text, "timesteps %zu %s, draws %zu, noise seed %llu", m->o->timesteps, rule_of(m), m->draws,
             (unsigned long long)m->o->noise_seed);
    struct stat_key key = { "train_loss", text, m->checkpoint->id, g->split };
    enum status st = store_stat_put(m->s, &key, g->first, g->items, mean);
    mem_free(mean);
    return st;
}

static enum status store_group(struct maker *m, const struct feature_group *g) {
    size_t pieces = m->block_rows * m->parts, first = g->first / m->block_rows;
    TRY(store_begin(m->s));
    enum status st = OK;
    for (size_t i = 0; i < FEATURE_KINDS && st == OK; i++)
        for (size_t b = 0; g->wanted & FEATURE_KIND(i) && b * m->block_rows < g->items && st == OK; b++)
            st = store_feature_block_put(m->s, &m->sets[i], first + b, g->out[i] + b * pieces * k_of(m, i));
    if (st == OK && !is_journey(m)) st = store_losses(m, g);
    if (st == OK) st = store_commit(m->s);
    if (st != OK) store_rollback(m->s);
    return st;
}

static uint64_t wanted_of(const struct maker *m, size_t block) {
    uint64_t wanted = 0;
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (m->missing[i] && m->missing[i][block]) wanted |= FEATURE_KIND(i);
    return wanted;
}

/* The blocks from *block on that miss the same kinds, as many as the engine takes. */
static enum status make_group(struct maker *m, enum split split, size_t *block) {
    size_t items = m->items[split], most = m->engine.at_once / m->engine.block_pieces, n = 1;
    struct feature_group g = { .split = split, .block_rows = m->block_rows, .first = *block * m->block_rows,
                               .wanted = wanted_of(m, *block), .images = m->images, .loss = m->loss };
    while (n < most && (*block + n) * m->block_rows < items && wanted_of(m, *block + n) == g.wanted) n++;
    *block += n;
    if (!g.wanted) return OK;
    g.items = *block * m->block_rows < items ? n * m->block_rows : items - g.first;
    memcpy(g.out, m->features, sizeof g.out);
    if (is_journey(m)) TRY(feature_paths_load(&m->paths, g.first, g.items, m->images));
    else TRY(items_load(m->s, &m->project, split, g.first, g.items, m->images));
    TRY(progress_check(m->progress));
    if (!feature_engine_run(&m->engine, &g)) {
        TRY(progress_check(m->progress));
        return fail(ERR_CANCELLED, "stopped as asked; what was finished is kept");
    }
    TRY(progress_check(m->progress));
    TRY(check_finite(m, &g));
    TRY(store_group(m, &g));
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (g.wanted & FEATURE_KIND(i)) m->done += (double)g.items;
    progress_report(m->progress, m->done, m->total, "features", m->what);
    return OK;
}

/* --- sets --- */

static struct feature_identity identity(const struct maker *m, enum split split, size_t kind) {
    struct feature_identity id = { .split = split, .timesteps = m->o->timesteps, .noise_seed = m->o->noise_seed,
                                   .projection_seed = m->o->projection_seed, .k = k_of(m, kind), .nonzeros = m->nonzeros,
                                   .float32 = m->o->float32, .version = VERSION, .draws = m->draws, .parts = m->parts };
    memcpy(id.checkpoint_sha256, m->checkpoint->sha256, sizeof id.checkpoint_sha256);
    snprintf(id.rule, sizeof id.rule, "%s", rule_of(m));
    snprintf(id.loss, sizeof id.loss, "%s", loss_name(loss_of(kind)));
    snprintf(id.projection, sizeof id.projection, "%s", projection_kind_name(m->kind));
    return id;
}

/* Blocks of one set that are missing, as a flag for each. */
static enum status find_missing(struct maker *m, enum split split, size_t l) {
    struct index_list list = { 0 };
    struct feature_identity id = identity(m, split, l);
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    struct provenance p = { DTRAK_VERSION, linalg_core_name(), host, m->engine.threads };
    TRY(store_feature_set_ensure(m->s, &id, m->items[split], m->block_rows, NULL, &p, &m->sets[l]));
    if (m->sets[l].block_rows != m->block_rows)
        return fail(ERR_FORMAT, "features: a set with blocks of %zu rows, expected %zu", m->sets[l].block_rows, m->block_rows);
    m->missing[l] = mem_array(m->items[split] / m->block_rows + 1, 1);
    if (!m->missing[l]) return fail(ERR_NOMEM, "features: out of memory");
    TRY(store_feature_blocks_missing(m->s, &m->sets[l], &list));
    for (size_t i = 0; i < list.count; i++) m->missing[l][list.index[i]] = 1;
    index_list_free(&list);
    return OK;
}

static void forget_missing(struct maker *m) {
    for (size_t i = 0; i < FEATURE_KINDS; i++) {
        mem_free(m->missing[i]);
        m->missing[i] = NULL;
    }
}

static size_t rows_of_block(const struct maker *m, enum split split, size_t block) {
    size_t left = m->items[split] - block * m->block_rows;
    return left < m->block_rows ? left : m->block_rows;
}

static enum status make_split(struct maker *m, enum split split) {
    enum status st = OK;
    for (size_t i = 0; i < FEATURE_KINDS && st == OK; i++)
        if (m->kinds & FEATURE_KIND(i)) st = find_missing(m, split, i);
    for (size_t i = 0; i < FEATURE_KINDS && st == OK; i++)
        for (size_t b = 0; m->missing[i] && b * m->block_rows < m->items[split]; b++)
            if (!m->missing[i][b]) m->done += (double)rows_of_block(m, split, b);
    snprintf(m->what, sizeof m->what, "%s, checkpoint %.0f%%", split_name(split), m->checkpoint->percent);
    progress_report(m->progress, m->done, m->total, "features", m->what);
    for (size_t b = 0; st == OK && b * m->block_rows < m->items[split];) st = make_group(m, split, &b);
    forget_missing(m);
    return st;
}

/* --- a checkpoint --- */

static enum status make_pairs(struct maker *m) {
    const struct features_options *o = m->o;
    size_t T = schedule_steps(m->net.schedule), K = o->timesteps;
    int uniform = strcmp(rule_of(m), "cumulative") != 0;
    if (uniform && (K > T || T % K))
        return fail(ERR_RANGE, "features: %zu timesteps, expected a divisor of the %zu of checkpoint %zu: 1, 2, 5, 10, 20, "
                    "25, 50, 100, ...", K, T, m->checkpoint->step);
    if (K > T)
        return fail(ERR_RANGE, "features: %zu timesteps, checkpoint %zu has %zu", K, m->checkpoint->step, T);
    m->pairs = mem_array(K * m->draws, sizeof *m->pairs);
    if (!m->pairs) return fail(ERR_NOMEM, "features: out of memory");
    for (size_t i = 0; i < K * m->draws; i++)
        m->pairs[i] = (struct feature_pair){ is_journey(m) ? schedule_ddim_timestep(m->net.schedule, K, i % K)
                                             : uniform ? i % K * (T / K) : i % K, i / K };
    return OK;
}

static enum status open_checkpoint(struct maker *m) {
    TRY(stored_network_open(&m->net, m->s, m->checkpoint, 1));
    TRY(stored_network_fits(&m->net, &m->project));
    TRY(make_pairs(m));
    m->engine = (struct feature_engine){
        .net = &m->net, .D = m->D, .kinds = m->kinds, .k = m->k, .n_k = m->n_k, .noise_seed = m->o->noise_seed, .pairs = m->pairs,
        .n_pairs = m->o->timesteps * m->draws, .parts = m->parts, .pictures = is_journey(m) ? m->o->timesteps : 1,
        .block_pieces = m->block_rows * m->parts,
        .projection = { m->kind, m->o->projection_seed, unet_size(m->net.u), (uint32_t)m->k[0], m->nonzeros,
                        PROJECTION_VERSION },
        .threads = m->o->threads, .memory = m->o->memory, .cancel = m->progress ? m->progress->cancel : NULL };
    TRY(feature_engine_open(&m->engine));
    size_t pieces = m->engine.at_once;
    m->paths = (struct feature_paths){ .s = m->s, .project = &m->project, .pool = m->engine.pool, .cancel = m->engine.cancel,
                                       .steps = m->o->timesteps };
    m->images = mem_array(pieces / m->parts * m->engine.pictures, m->D * sizeof *m->images);
    m->loss = mem_array(pieces, sizeof *m->loss);
    int short_of_memory = !m->images || !m->loss;
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (m->kinds & FEATURE_KIND(i))
            short_of_memory |= !(m->features[i] = mem_array(pieces * k_of(m, i), sizeof(float)));
    return short_of_memory ? fail(ERR_NOMEM, "features: out of memory for %zu rows at a time", pieces) : OK;
}

static void close_checkpoint(struct maker *m) {
    feature_paths_close(&m->paths);
    feature_engine_close(&m->engine);
    forget_missing(m);
    mem_free(m->pairs);
    mem_free(m->images);
    mem_free(m->loss);
    m->pairs = NULL;
    m->images = NULL;
    m->loss = NULL;
    for (size_t i = 0; i < FEATURE_KINDS; i++) {
        mem_free(m->features[i]);
        m->features[i] = NULL;
    }
    stored_network_close(&m->net);
}

/* --- what it costs --- */

/* Rows that the set of this identity lacks now, without making it. */
static enum status count_missing(struct maker *m, enum split split, size_t kind, size_t *rows) {
    struct feature_identity id = identity(m, split, kind);
    struct feature_set set;
    struct index_list list;
    *rows = m->items[split];
    enum status st = store_feature_set_find(m->s, &id, &set);
    if (st == ERR_MISSING) return OK;
    TRY(st);
    if (set.rows < *rows) set.rows = *rows;   /* the split grew */
    TRY(store_feature_blocks_missing(m->s, &set, &list));
    *rows = 0;
    for (size_t i = 0; i < list.count; i++) {
        size_t first = list.index[i] * set.block_rows, left = set.rows - first;
        *rows += left < set.block_rows ? left : set.block_rows;
    }
    index_list_free(&list);
    return OK;
}

static size_t row_bytes(const struct maker *m, size_t k) { return m->o->float32 ? 4 * k : 4 + 2 * k; }

/* What one loss lacks in a split: the items that must go back through the network, and the bytes of their rows. */
static enum status add_loss(struct maker *m, enum split split, size_t loss, size_t *items, double *bytes) {
    *items = 0;
    for (size_t i = loss; i < FEATURE_KINDS; i += LOSS_COUNT) {
        size_t n = 0;
        if (!(m->kinds & FEATURE_KIND(i))) continue;
        TRY(count_missing(m, split, i, &n));
        if (n > *items) *items = n;
        *bytes += (double)n * (double)(m->parts * (row_bytes(m, k_of(m, i)) + 8));
    }
    return OK;
}

/* Adds the checkpoint in hand.  One piece is measured with every loss that most items
 * lack; items that lack fewer cost their share. */
static enum status add_cost(struct maker *m, struct cost *c) {
    double seconds, flop, forward = 0, backward = 0, losses = 0;
    for (int s = 0; s < SPLIT_COUNT; s++) {
        size_t most = 0;
        for (size_t l = 0; m->items[s] && l < LOSS_COUNT; l++) {
            size_t n;
            TRY(add_loss(m, (enum split)s, l, &n, &c->bytes_disk));
            backward += (double)n;
            if (n > most) most = n;
        }
        forward += (double)most;
    }
    if (backward == 0) return OK;
    for (int l = 0; l < LOSS_COUNT; l++) losses += m->o->losses >> l & 1;
    TRY(feature_engine_measure(&m->engine, forward * (double)m->parts, &seconds, &flop));
    /* A forward is about half of a backward; a path is a forward more for each step. */
    double share = (forward * (is_journey(m) ? 1 : .5) + backward) / (losses + .5) * (double)m->parts;
    c->seconds += seconds * share;
    c->flop += flop * share;
    if ((double)m->engine.bytes > c->bytes_memory) c->bytes_memory = (double)m->engine.bytes;
    footprint_note(c->note, sizeof c->note, m->engine.threads, m->engine.threads_asked);
    return OK;
}

static enum status say_cost(struct maker *m, int *stop) {
    struct cost c = { .flop = 0 };
    *stop = 0;
    if (!m->o->cost) return OK;
    for (size_t i = 0; i < m->checkpoints.count; i++) {
        m->checkpoint = &m->checkpoints.checkpoint[i];
        enum status st = open_checkpoint(m);
        if (st == OK) st = add_cost(m, &c);
        close_checkpoint(m);
        TRY(st);
    }
    *stop = cost_announce(m->o->cost, "features", &c);
    return OK;
}

/* --- the verb --- */

static enum status check_options(struct maker *m) {
    const struct features_options *o = m->o;
    m->draws = o->draws ? o->draws : 1;
    m->parts = o->parts ? o->parts : 1;
    if (!o->losses) return fail(ERR_RANGE, "features: no loss is given");
    if (o->timesteps < 1 || o->timesteps > SCHEDULE_T_MAX)
        return fail(ERR_RANGE, "features: %zu timesteps, expected at least one", o->timesteps);
    if (strcmp(rule_of(m), "uniform") && strcmp(rule_of(m), "cumulative") && !is_journey(m))
        return fail(ERR_RANGE, "features: timestep rule '%s' is neither uniform nor cumulative", o->rule);
    if (m->draws > ITEMS_MAX_DRAWS || m->draws > FEATURE_PARTS_MAX / o->timesteps)
        return fail(ERR_RANGE, "features: %zu draws at %zu timesteps are more than %d", m->draws, o->timesteps, FEATURE_PARTS_MAX);
    if (o->timesteps * m->draws % m->parts)
        return fail(ERR_RANGE, "features: %zu blocks, expected a divisor of the %zu pairs of timestep and noise draw",
                    m->parts, o->timesteps * m->draws);
    m->k[m->n_k++] = o->dims;
    for (size_t i = 0; i < FEATURE_DIMS_MAX - 1 && o->more_dims[i]; i++) m->k[m->n_k++] = o->more_dims[i];
    for (size_t d = 0; d < m->n_k; d++) {
        if (m->k[d] < 1 || m->k[d] > 1u << 24)
            return fail(ERR_RANGE, "features: %zu dimensions, expected 1 to %u", m->k[d], 1u << 24);
        for (size_t e = 0; e < d; e++)
            if (m->k[e] == m->k[d]) return fail(ERR_RANGE, "features: %zu dimensions are asked for twice", m->k[d]);
        m->kinds |= (uint64_t)o->losses << d * LOSS_COUNT;
    }
    m->block_rows = BLOCK_ROWS;
    while (m->block_rows * m->parts > BLOCK_PIECES && m->block_rows > BLOCK_ROWS_LEAST) m->block_rows /= 2;
    return projection_parse(o->projection ? o->projection : "sjlt", &m->kind, &m->nonzeros);
}

/* Along the sampling path of the generated items, whose steps are the timesteps. */
static enum status follow_paths(struct maker *m) {
    if (m->o->splits && m->o->splits != 1u << SPLIT_GEN)
        return fail(ERR_RANGE, "features: only generated items have a sampling path");
    m->journey = *m->o;
    m->journey.splits = 1u << SPLIT_GEN;
    TRY(feature_paths_steps(m->s, &m->journey.timesteps));
    m->o = &m->journey;
    return OK;
}

static enum status prepare(struct maker *m) {
    size_t all = 0;
    if (is_journey(m)) TRY(follow_paths(m));
    TRY(check_options(m));
    TRY(store_project_get(m->s, &m->project));
    TRY(store_checkpoints_resolve(m->s, m->o->checkpoints, &m->checkpoints));
    linalg_set_threads(1);
    m->D = items_floats(&m->project);
    for (int s = 0; s < SPLIT_COUNT; s++) {
        TRY(store_items_count(m->s, (enum split)s, &m->items[s]));
        if (m->o->splits && !(m->o->splits >> s & 1)) m->items[s] = 0;
        all += m->items[s];
    }
    if (!all) return fail(ERR_MISSING, "features: there are no items in the splits asked for");
    for (size_t i = 0; i < FEATURE_KINDS; i++)
        if (m->kinds & FEATURE_KIND(i)) m->total += (double)all * (double)m->checkpoints.count;
    return OK;
}

static enum status run(struct maker *m) {
    int stop;
    TRY(prepare(m));
    TRY(say_cost(m, &stop));
    for (size_t c = 0; !stop && c < m->checkpoints.count; c++) {
        m->checkpoint = &m->checkpoints.checkpoint[c];
        enum status st = open_checkpoint(m);
        for (int s = 0; s < SPLIT_COUNT && st == OK; s++)
            if (m->items[s]) st = make_split(m, (enum split)s);
        close_checkpoint(m);
        TRY(st);
    }
    return OK;
}

enum status pipeline_features(struct store *s, const struct features_options *o, const struct progress *p) {
    struct maker m = { .s = s, .o = o, .progress = p };
    struct items_watch items;
    store_wait_longer(s);
    TRY(store_items_look(s, &items));
    store_items_watch(s, &items);
    enum status st = run(&m);
    store_items_watch(s, NULL);
    close_checkpoint(&m);
    checkpoint_list_free(&m.checkpoints);
    return st;
}
