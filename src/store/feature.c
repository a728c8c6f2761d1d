/* feature.c - feature sets and their blocks. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void feature_set_list_free(struct feature_set_list *l) {
    mem_free(l->set);
    memset(l, 0, sizeof *l);
}

/* --- identity --- */

/* 0 stands for 1, which sets of older versions have. */
static size_t at_least_one(size_t n) { return n ? n : 1; }

static void identity_hash(char hex[65], const struct feature_identity *f) {
    char text[512];
    size_t draws = at_least_one(f->draws), parts = at_least_one(f->parts);
    int n = snprintf(text, sizeof text, "feature-set|%s|%.64s|%.15s|%zu|%.15s|%llu|%.15s|%llu|%zu|%zu|%d|%d",
                     split_name(f->split), f->checkpoint_sha256, f->loss, f->timesteps, f->rule,
                     (unsigned long long)f->noise_seed, f->projection,
                     (unsigned long long)f->projection_seed, f->k, f->nonzeros, f->float32 != 0,
                     f->version);
    if (draws > 1 || parts > 1)
        n += snprintf(text + n, sizeof text - (size_t)n, "|draws %zu|parts %zu", draws, parts);
    sha256_hex(hex, text, (size_t)n);
}

/* snprintf() at the end of what is there; what does not fit is left out. */
__attribute__((format(printf, 2, 3)))
static void append(char out[256], const char *fmt, ...) {
    char part[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(part, sizeof part, fmt, ap);
    va_end(ap);
    size_t at = strlen(out);
    snprintf(out + at, 256 - at, "%s%s", at ? ", " : "", part);
}

/* "sjlt:4 seed 42" */
static void projection_words(char out[64], const struct feature_identity *f) {
    char s[24] = "";
    if (f->nonzeros > 1) snprintf(s, sizeof s, ":%zu", f->nonzeros);
    snprintf(out, 64, "%.15s%.22s seed %llu", f->projection, s, (unsigned long long)f->projection_seed);
}

void feature_identity_difference(char out[256], const struct feature_identity *a,
                                 const struct feature_identity *b) {
    out[0] = 0;
    if (a->split != b->split) append(out, "split %s/%s", split_name(a->split), split_name(b->split));
    if (strcmp(a->checkpoint_sha256, b->checkpoint_sha256) != 0)
        append(out, "checkpoint %.8s/%.8s", a->checkpoint_sha256, b->checkpoint_sha256);
    if (strcmp(a->loss, b->loss) != 0) append(out, "loss %s/%s", a->loss, b->loss);
    if (a->timesteps != b->timesteps) append(out, "timesteps %zu/%zu", a->timesteps, b->timesteps);
    if (strcmp(a->rule, b->rule) != 0) append(out, "timestep rule %s/%s", a->rule, b->rule);
    if (a->noise_seed != b->noise_seed)
        append(out, "noise seed %llu/%llu", (unsigned long long)a->noise_seed,
               (unsigned long long)b->noise_seed);
    if (at_least_one(a->draws) != at_least_one(b->draws))
        append(out, "noise draws %zu/%zu", at_least_one(a->draws), at_least_one(b->draws));
    if (at_least_one(a->parts) != at_least_one(b->parts))
        append(out, "parts %zu/%zu", at_least_one(a->parts), at_least_one(b->parts));
    if (strcmp(a->projection, b->projection) != 0 || a->nonzeros != b->nonzeros ||
        a->projection_seed != b->projection_seed) {
        char x[64], y[64];
        projection_words(x, a);
        projection_words(y, b);
        append(out, "projection %s / %s", x, y);
    }
    if (a->k != b->k) append(out, "k %zu/%zu", a->k, b->k);
    if (!a->float32 != !b->float32)
        append(out, "precision %s/%s", a->float32 ? "f32" : "f16", b->float32 ? "f32" : "f16");
    if (a->version != b->version) append(out, "algorithm version %d/%d", a->version, b->version);
}

int feature_set_is_better(const struct feature_set *a, const struct feature_set *b) {
    const struct feature_identity *f = &a->identity, *g = &b->identity;
    int uniform = !strcmp(f->rule, "uniform"), parts = at_least_one(f->parts) > 1;
    if (f->timesteps != g->timesteps) return f->timesteps > g->timesteps;
    if (uniform != !strcmp(g->rule, "uniform")) return uniform;
    if (at_least_one(f->draws) != at_least_one(g->draws)) return f->draws > g->draws;
    if (f->k != g->k) return f->k > g->k;
    if (parts != (at_least_one(g->parts) > 1)) return !parts;
    return a->id > b->id;
}

/* --- reading sets --- */

#define SET_COLUMNS \
    "SELECT f.id, f.split, f.checkpoint_sha256, f.loss, f.timesteps, f.rule, f.noise_seed, f.projection," \
    " f.projection_seed, f.k, f.nonzeros, f.float32, f.version, f.checkpoint, f.rows, f.block_rows," \
    " f.dropped, f.params, f.program, f.blas_core, f.host, f.threads, f.created," \
    " f.draws, f.parts," \
    " (SELECT ifnull(sum(b.rows), 0) FROM feature_block b WHERE b.feature_set = f.id)," \
    " (SELECT ifnull(sum(x.rows), 0) FROM feature_file x WHERE x.feature_set = f.id)," \
    " (SELECT count(*) FROM feature_file x WHERE x.feature_set = f.id) FROM feature_set f "

static enum status read_set(struct store *s, struct feature_set *out, sqlite3_stmt *q) {
    struct feature_identity *f = &out->identity;
    memset(out, 0, sizeof *out);
    out->id = sqlite3_column_int64(q, 0);
    f->split = split_parse(col_str(q, 1));
    col_text(f->checkpoint_sha256, sizeof f->checkpoint_sha256, q, 2);
    col_text(f->loss, sizeof f->loss, q, 3);
    f->timesteps = col_size(q, 4);
    col_text(f->rule, sizeof f->rule, q, 5);
    f->noise_seed = col_u64(q, 6);
    col_text(f->projection, sizeof f->projection, q, 7);
    f->projection_seed = col_u64(q, 8);
    f->k = col_size(q, 9);
    f->nonzeros = col_size(q, 10);
    f->float32 = col_int(q, 11) != 0;
    f->version = col_int(q, 12);
    out->checkpoint = sqlite3_column_int64(q, 13);
    out->rows = col_size(q, 14);
    out->block_rows = col_size(q, 15);
    out->dropped = col_int(q, 16) != 0;
    col_text(out->params, sizeof out->params, q, 17);
    col_text(out->program, sizeof out->program, q, 18);
    col_text(out->blas_core, sizeof out->blas_core, q, 19);
    col_text(out->host, sizeof out->host, q, 20);
    out->threads = col_size(q, 21);
    col_text(out->created, sizeof out->created, q, 22);
    f->draws = col_size(q, 23);
    f->parts = col_size(q, 24);
    /* Sizes are multiplied later: a database may say anything. */
    if (f->split == SPLIT_COUNT || f->k == 0 || f->k > 1u << 24 || out->rows > 1u << 30 ||
        out->block_rows == 0 || out->block_rows > 1u << 24 || f->draws == 0 || f->parts == 0 ||
        f->parts > FEATURE_PARTS_MAX)
        return fail(ERR_FORMAT, "%s: feature set %lld is not sensible: split \"%s\", k %zu, %zu rows in blocks of %zu, "
                                "%zu draws, %zu parts", s->path, (long long)out->id, col_str(q, 1), f->k, out->rows,
                    out->block_rows, f->draws, f->parts);
    if (f->nonzeros > 1) snprintf(out->projection, sizeof out->projection, "%.15s:%u", f->projection, (unsigned)(f->nonzeros % 1000000));
    else snprintf(out->projection, sizeof out->projection, "%.15s", f->projection);
    out->rows_done = col_size(q, 25) / f->parts + col_size(q, 26);
    out->files = col_size(q, 27);
    return OK;
}

static enum status one_set(struct store *s, sqlite3_stmt *q, struct feature_set *out, int *found) {
    TRY(db_step(s, q, found));
    if (!*found) return OK;
    enum status st = read_set(s, out, q);
    db_end(q);
    return st;
}

static enum status find(struct store *s, const struct feature_identity *identity,
                        struct feature_set *out, int *found) {
    sqlite3_stmt *q;
    char hex[65];
    identity_hash(hex, identity);
    TRY(db_query(s, &q, SET_COLUMNS "WHERE f.identity = ?", "t", hex));
    return one_set(s, q, out, found);
}

enum status store_feature_set_find(struct store *s, const struct feature_identity *identity,
                                   struct feature_set *out) {
    int found;
    TRY(find(s, identity, out, &found));
    if (found) return OK;
    return fail(ERR_MISSING, "%s: no %s features of loss %s with %zu timesteps, k %zu for this checkpoint; "
                             "`dtrak features` makes them", s->path, split_name(identity->split),
                identity->loss, identity->timesteps, identity->k);
}

enum status store_feature_set_get(struct store *s, int64_t id, struct feature_set *out) {
    sqlite3_stmt *q;
    int found;
    TRY(db_query(s, &q, SET_COLUMNS "WHERE f.id = ?", "i", id));
    TRY(one_set(s, q, out, &found));
    return found ? OK : fail(ERR_MISSING, "%s: there is no feature set %lld", s->path, (long long)id);
}

enum status store_feature_sets_list(struct store *s, struct feature_set_list *out) {
    struct feature_set_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, SET_COLUMNS "ORDER BY f.id", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct feature_set *more = db_grow(l.set, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "feature sets: out of memory"); goto done; }
        l.set = more;
        TRY_TO(read_set(s, &l.set[l.count++], q));
    }
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    feature_set_list_free(&l);
    return st;
}

/* --- making sets --- */

static enum status insert_set(struct store *s, const struct feature_identity *f, size_t rows,
                              size_t block_rows, const char *params, const struct provenance *p) {
    static const struct provenance nothing = { NULL, NULL, NULL, 0 };
    char hex[65], now[21];
    int64_t checkpoint = 0;
    TRY(db_number(s, &checkpoint, "SELECT id FROM checkpoint WHERE sha256 = ? ORDER BY step, ema LIMIT 1",
                  "t", f->checkpoint_sha256));
    if (!checkpoint)
        return fail(ERR_MISSING, "%s: no checkpoint has the weights %.12s...", s->path, f->checkpoint_sha256);
    if (!p) p = &nothing;
    identity_hash(hex, f);
    clock_iso(now);
    return db_exec(s,
        "INSERT INTO feature_set (identity, checkpoint, checkpoint_sha256, split, loss, timesteps, rule,"
        " noise_seed, projection, projection_seed, k, nonzeros, float32, version, rows, block_rows, params,"
        " program, blas_core, host, threads, created, draws, parts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "titttztutuzznnzzttttztzz", hex, checkpoint, f->checkpoint_sha256, split_name(f->split), f->loss,
        f->timesteps, f->rule, f->noise_seed, f->projection, f->projection_seed, f->k, f->nonzeros,
        f->float32 != 0, f->version, rows, block_rows, params ? params : "{}",
        p->program ? p->program : DTRAK_VERSION, p->blas_core ? p->blas_core : "",
        p->host ? p->host : "", p->threads, now, at_least_one(f->draws), at_least_one(f->parts));
}

static enum status ensure(struct store *s, const struct feature_identity *f, size_t rows,
                          size_t block_rows, const char *params, const struct provenance *p,
                          struct feature_set *out) {
    int found;
    TRY(find(s, f, out, &found));
    if (!found) TRY(insert_set(s, f, rows, block_rows, params, p));
    else if (rows > out->rows || out->dropped)
        TRY(db_exec(s, "UPDATE feature_set SET rows = max(rows, ?), dropped = 0 WHERE id = ?", "zi",
                    rows, out->id));
    return store_feature_set_find(s, f, out);
}

enum status store_feature_set_ensure(struct store *s, const struct feature_identity *f, size_t rows,
                                     size_t block_rows, const char *params, const struct provenance *p,
                                     struct feature_set *out) {
    int found;
    if (f->k == 0 || f->k > 1u << 24 || block_rows == 0 || block_rows > 1u << 24 || rows > 1u << 30 ||
        f->parts > FEATURE_PARTS_MAX)
        return fail(ERR_RANGE, "feature set: k %zu, %zu rows in blocks of %zu, %zu parts", f->k, rows, block_rows,
                    f->parts);
    TRY(db_fits("feature set parameters", params ? params : "", sizeof out->params));
    /* Without a write where nothing has to change: it also works read-only. */
    TRY(find(s, f, out, &found));
    if (found && out->rows >= rows && !out->dropped) return OK;
    TRY(db_unit_begin(s));
    return db_unit_end(s, ensure(s, f, rows, block_rows, params, p, out));
}

/* --- blocks --- */

static size_t block_count(const struct feature_set *set) {
    return (set->rows + set->block_rows - 1) / set->block_rows;
}

static size_t rows_of_block(const struct feature_set *set, size_t block) {
    size_t first = block * set->block_rows;
    return set->rows - first < set->block_rows ? set->rows - first : set->block_rows;
}

static enum status check_place(struct store *s, const struct feature_set *set) {
    int64_t there = 0;
    char hex[65];
    if (set->identity.split != SPLIT_TRAIN) TRY(db_items_unmoved(s));
    identity_hash(hex, &set->identity);
    TRY(db_number(s, &there, "SELECT id FROM feature_set WHERE id = ? AND identity = ?", "it", set->id, hex));
    return there ? OK : db_set_gone(s, "feature", set->id);
}

/* The count rows of one part of a block, unless more of it are there already. */
static enum status put_part(struct store *s, const struct feature_set *set, size_t number, size_t first,
                            size_t count, const float *rows, unsigned char *bytes) {
    size_t k = set->identity.k, stride = feature_row_bytes(k, set->identity.float32);
    for (size_t r = 0; r < count; r++)
        feature_row_encode(bytes + r * stride, rows + r * k, k, set->identity.float32);
    return db_exec(s,
        "INSERT INTO feature_block (feature_set, block, first, rows, xxh3, bytes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (feature_set, block) DO UPDATE"
        " SET first = ?3, rows = ?4, xxh3 = ?5, bytes = ?6 WHERE excluded.rows >= rows", "izzzub", set->id, number, first, count,
        hash_xxh3(bytes, count * stride), bytes, count * stride);
}

enum status store_feature_block_put(struct store *s, const struct feature_set *set, size_t block,
                                    const float *rows) {
    size_t k = set->identity.k, stride = feature_row_bytes(k, set->identity.float32);
    size_t parts = at_least_one(set->identity.parts);
    if (set->files)
        return fail(ERR_RANGE, "feature set %lld: its rows stay in files; drop it before others take their place", (long long)set->id);
    if (block >= block_count(set))
        return fail(ERR_RANGE, "feature set %lld: block %zu of %zu", (long long)set->id, block,
                    block_count(set));
    size_t count = rows_of_block(set, block), first = block * set->block_rows;
    for (size_t i = 0; i < parts * count * k; i++)
        if (!isfinite(rows[i]))
            return fail(ERR_NUMERIC, "features of %s:%zu, loss %s: element %zu is not finite",
                        split_name(set->identity.split), first + i / k % count, set->identity.loss, i % k);
    unsigned char *bytes = mem_array(count, stride);
    if (!bytes) return fail(ERR_NOMEM, "feature block: out of memory");
    enum status st = db_unit_begin(s);
    if (st == OK) {
        st = check_place(s, set);
        for (size_t p = 0; p < parts && st == OK; p++)
            st = put_part(s, set, block * parts + p, first, count, rows + p * count * k, bytes);
        st = db_unit_end(s, st);
    }
    mem_free(bytes);
    return st;
}

enum status store_feature_blocks_missing(struct store *s, const struct feature_set *set,
                                         struct index_list *out) {
    size_t blocks = block_count(set), parts = at_least_one(set->identity.parts);
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    unsigned *there = mem_array(blocks + 1, sizeof *there);   /* parts of each block */
    size_t *index = mem_array(blocks + 1, sizeof *index);
    if (!there || !index) { st = fail(ERR_NOMEM, "missing blocks: out of memory"); goto done; }
    for (size_t b = 0; set->files && b < blocks; b++)
        if (b * set->block_rows + rows_of_block(set, b) <= set->rows_done) there[b] = (unsigned)parts;
    TRY_TO(db_query(s, &q, "SELECT block, rows FROM feature_block WHERE feature_set = ?", "i", set->id));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        size_t b = col_size(q, 0) / parts;
        if (b < blocks && col_size(q, 1) == rows_of_block(set, b)) there[b]++;
    }
    out->index = index;
    index = NULL;
    for (size_t b = 0; b < blocks; b++)
        if (there[b] < parts) out->index[out->count++] = b;
done:
    db_end(q);
    mem_free(there);
    mem_free(index);
    return st;
}

static enum status no_block(struct store *s, const struct feature_set *set, size_t block) {
    return fail(ERR_MISSING, "%s: block %zu of the %s features of loss %s (set %lld) is missing; "
                             "`dtrak features` makes it", s->path, block, split_name(set->identity.split),
                set->identity.loss, (long long)set->id);
}

/* Rows [from, to) of a part of a block, counted within it. */
static enum status read_block(struct store *s, const struct feature_set *set, size_t block, size_t part,
                              size_t from, size_t to, float *out) {
    size_t k = set->identity.k, stride = feature_row_bytes(k, set->identity.float32), len;
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT rows, xxh3, bytes FROM feature_block WHERE feature_set = ? AND block = ?",
                 "iz", set->id, block * at_least_one(set->identity.parts) + part));
    TRY(db_step(s, q, &row));
    if (!row) return no_block(s, set, block);
    enum status st = OK;
    size_t rows = col_size(q, 0);
    const unsigned char *bytes = col_blob(q, 2, &len);
    if (rows > set->block_rows || len != rows * stride || hash_xxh3(bytes, len) != col_u64(q, 1))
        st = fail(ERR_FORMAT, "%s: block %zu of feature set %lld (%s, loss %s) is damaged: "
                              "its checksum does not match; delete it and it is computed again",
                  s->path, block, (long long)set->id, split_name(set->identity.split), set->identity.loss);
    else if (rows < to)
        st = no_block(s, set, block);
    else
        for (size_t r = from; r < to; r++)
            feature_row_decode(out + (r - from) * k, bytes + r * stride, k, set->identity.float32);
    db_end(q);
    return st;
}

/* Where the block of row `at` begins and ends, cut at `end`. */
struct span { size_t block, start, end; };
static struct span span_at(const struct feature_set *set, size_t at, size_t end) {
    size_t block = at / set->block_rows, start = block * set->block_rows, stop = start + set->block_rows;
    return (struct span){ block, start, stop < end ? stop : end };
}

static enum status check_rows(const struct feature_set *set, size_t first, size_t count) {
    if (first <= set->rows && count <= set->rows - first) return OK;
    return fail(ERR_RANGE, "features: rows %zu to %zu of %zu", first, first + count, set->rows);
}

enum status store_features_read_part(struct store *s, const struct feature_set *set, size_t part,
                                     size_t first, size_t count, float *out) {
    TRY(check_rows(set, first, count));
    if (part >= at_least_one(set->identity.parts))
        return fail(ERR_RANGE, "features: part %zu of %zu", part, at_least_one(set->identity.parts));
    if (set->files) return feature_files_read(s, set, first, count, out);
    for (size_t at = first; at < first + count;) {
        struct span b = span_at(set, at, first + count);
        TRY(read_block(s, set, b.block, part, at - b.start, b.end - b.start, out + (at - first) * set->identity.k));
        at = b.end;
    }
    return OK;
}

/* The mean of a set's parts, block by block, summed in double in their order. */
static enum status read_mean(struct store *s, const struct feature_set *set, size_t first, size_t count,
                             float *out) {
    size_t k = set->identity.k, parts = set->identity.parts;
    size_t most = count < set->block_rows ? count : set->block_rows;
    double *sum = mem_array(most * k, sizeof *sum);
    enum status st = sum ? OK : fail(ERR_NOMEM, "features: out of memory for the mean of %zu parts", parts);
    for (size_t at = first; at < first + count && st == OK;) {
        struct span b = span_at(set, at, first + count);
        float *to = out + (at - first) * k;
        size_t n = (b.end - at) * k;
        memset(sum, 0, n * sizeof *sum);
        for (size_t p = 0; p < parts && st == OK; p++) {
            st = read_block(s, set, b.block, p, at - b.start, b.end - b.start, to);
            for (size_t i = 0; i < n && st == OK; i++) sum[i] += (double)to[i];
        }
        for (size_t i = 0; i < n; i++) to[i] = (float)(sum[i] / (double)parts);
        at = b.end;
    }
    mem_free(sum);
    return st;
}

enum status store_features_read(struct store *s, const struct feature_set *set, size_t first,
                                size_t count, float *out) {
    if (at_least_one(set->identity.parts) == 1) return store_features_read_part(s, set, 0, first, count, out);
    TRY(check_rows(set, first, count));
    return read_mean(s, set, first, count, out);
}

enum status store_feature_block_delete(struct store *s, const struct feature_set *set, size_t block) {
    size_t parts = at_least_one(set->identity.parts);
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM feature_block WHERE feature_set = ? AND block BETWEEN ? AND ?",
                                  "izz", set->id, block * parts, block * parts + parts - 1));
}

static enum status drop_blocks(struct store *s, int64_t set) {
    TRY(db_exec(s, "DELETE FROM feature_block WHERE feature_set = ?", "i", set));
    TRY(db_exec(s, "DELETE FROM feature_file WHERE feature_set = ?", "i", set));
    TRY(db_exec(s, "UPDATE feature_set SET dropped = 1 WHERE id = ?", "i", set));
    if (sqlite3_changes(s->db) == 0)
        return fail(ERR_MISSING, "%s: there is no feature set %lld", s->path, (long long)set);
    return OK;
}

enum status store_feature_blocks_drop(struct store *s, int64_t set) {
    feature_files_forget(s);
    TRY(db_unit_begin(s));
    return db_unit_end(s, drop_blocks(s, set));
}

enum status store_feature_set_delete(struct store *s, int64_t set) {
    feature_files_forget(s);
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM feature_set WHERE id = ?", "i", set));
}
