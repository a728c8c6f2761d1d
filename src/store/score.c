/* score.c - score sets: identity, lists, and finding the one a screen wants. */
#include "db.h"

#include "dtrak/buf.h"
#include "dtrak/hash.h"
#include "dtrak/mem.h"
#include "dtrak/store_drop.h"

#include <math.h>
#include <string.h>

void score_set_list_free(struct score_set_list *l) {
    mem_free(l->set);
    memset(l, 0, sizeof *l);
}

/* --- reading sets --- */

#define SET_COLUMNS \
    "SELECT f.id, f.method, f.loss, f.split, f.timesteps, f.k, f.lambda_spec, f.params, f.version," \
    " f.mantissa_bits, f.n, f.lambda_rel, f.lambda_abs, f.d_eff, f.rows, f.program, f.blas_core, f.host," \
    " f.threads, f.created, (SELECT count(*) FROM score r WHERE r.score_set = f.id), f.condition, f.rank" \
    " FROM score_set f "

static enum status read_set(struct store *s, struct score_set *out, sqlite3_stmt *q) {
    memset(out, 0, sizeof *out);
    out->id = sqlite3_column_int64(q, 0);
    col_text(out->method, sizeof out->method, q, 1);
    col_text(out->loss, sizeof out->loss, q, 2);
    out->split = split_parse(col_str(q, 3));
    out->timesteps = col_size(q, 4);
    out->k = col_size(q, 5);
    col_text(out->lambda_spec, sizeof out->lambda_spec, q, 6);
    col_text(out->params, sizeof out->params, q, 7);
    out->version = col_int(q, 8);
    out->mantissa_bits = col_int(q, 9);
    out->n = col_size(q, 10);
    out->lambda_rel = col_double(q, 11);
    out->lambda_abs = col_double(q, 12);
    out->d_eff = col_double(q, 13);
    out->rows = col_size(q, 14);
    col_text(out->program, sizeof out->program, q, 15);
    col_text(out->blas_core, sizeof out->blas_core, q, 16);
    col_text(out->host, sizeof out->host, q, 17);
    out->threads = col_size(q, 18);
    col_text(out->created, sizeof out->created, q, 19);
    out->rows_done = col_size(q, 20);
    out->condition = col_double(q, 21);
    out->rank = col_size(q, 22);
    if (out->split == SPLIT_COUNT || out->n == 0 || out->n > 1u << 27 || out->rows > 1u << 30 ||
        out->mantissa_bits < 9 || out->mantissa_bits > 24)
        return fail(ERR_FORMAT, "%s: score set %lld is not sensible: split \"%s\", %zu x %zu scores of %d bits",
                    s->path, (long long)out->id, col_str(q, 3), out->rows, out->n, out->mantissa_bits);
    return OK;
}

static enum status read_checkpoints(struct store *s, struct score_set *out) {
    sqlite3_stmt *q;
    int row;
    TRY(db_query(s, &q, "SELECT checkpoint FROM score_set_checkpoint WHERE score_set = ? ORDER BY position",
                 "i", out->id));
    for (;;) {
        TRY(db_step(s, q, &row));
        if (!row) return OK;
        if (out->checkpoints == SCORE_CHECKPOINTS_MAX) break;
        out->checkpoint[out->checkpoints++] = sqlite3_column_int64(q, 0);
    }
    db_end(q);
    return fail(ERR_FORMAT, "%s: score set %lld has more than %d checkpoints", s->path,
                (long long)out->id, SCORE_CHECKPOINTS_MAX);
}

static enum status one_set(struct store *s, sqlite3_stmt *q, struct score_set *out, int *found) {
    TRY(db_step(s, q, found));
    if (!*found) return OK;
    enum status st = read_set(s, out, q);
    db_end(q);
    return st == OK ? read_checkpoints(s, out) : st;
}

enum status store_score_set_get(struct store *s, int64_t id, struct score_set *out) {
    sqlite3_stmt *q;
    int found;
    TRY(db_query(s, &q, SET_COLUMNS "WHERE f.id = ?", "i", id));
    TRY(one_set(s, q, out, &found));
    return found ? OK : fail(ERR_MISSING, "%s: there is no score set %lld", s->path, (long long)id);
}

enum status store_score_sets_list(struct store *s, struct score_set_list *out) {
    struct score_set_list l = { NULL, 0 };
    sqlite3_stmt *q = NULL;
    enum status st = OK;
    int row = 1;
    memset(out, 0, sizeof *out);
    TRY_TO(db_query(s, &q, SET_COLUMNS "ORDER BY f.id", ""));
    for (;;) {
        TRY_TO(db_step(s, q, &row));
        if (!row) break;
        struct score_set *more = db_grow(l.set, l.count, sizeof *more);
        if (!more) { st = fail(ERR_NOMEM, "score sets: out of memory"); goto done; }
        l.set = more;
        TRY_TO(read_set(s, &l.set[l.count++], q));
    }
    for (size_t i = 0; i < l.count; i++) TRY_TO(read_checkpoints(s, &l.set[i]));
    *out = l;
    memset(&l, 0, sizeof l);
done:
    db_end(q);
    score_set_list_free(&l);
    return st;
}

/* --- making sets --- */

static enum status check_texts(const struct score_set *w) {
    if (w->n == 0 || w->n > 1u << 27 || w->rows > 1u << 30 || w->mantissa_bits < 9 ||
        w->mantissa_bits > 24 || w->checkpoints > SCORE_CHECKPOINTS_MAX || w->split >= SPLIT_COUNT ||
        !w->method[0])
        return fail(ERR_RANGE, "score set of method \"%s\": %zu x %zu scores of %d bits, %zu checkpoints",
                    w->method, w->rows, w->n, w->mantissa_bits, w->checkpoints);
    return OK;
}

/* Checkpoints count by their weights, not by their row. */
enum status db_score_identity(struct store *s, char hex[65], const struct score_set *w) {
    struct buf b = BUF_INIT;
    enum status st = OK;
    buf_printf(&b, "score-set|%s|%s|%s|%zu|%zu|%s|%s|%d|%d|%zu", w->method, w->loss, split_name(w->split),
               w->timesteps, w->k, w->lambda_spec, w->params, w->version, w->mantissa_bits, w->n);
    for (size_t i = 0; i < w->checkpoints && st == OK; i++) {
        sqlite3_stmt *q;
        int row = 0;
        st = db_query(s, &q, "SELECT sha256 FROM checkpoint WHERE id = ?", "i", w->checkpoint[i]);
        if (st == OK) st = db_step(s, q, &row);
        if (st == OK && !row)
            st = fail(ERR_MISSING, "%s: there is no checkpoint with id %lld", s->path,
                      (long long)w->checkpoint[i]);
        if (row) {
            buf_printf(&b, "|%s", col_str(q, 0));
            db_end(q);
        }
    }
    if (st == OK) st = buf_status(&b);
    if (st == OK) sha256_hex(hex, b.data, b.len);
    buf_free(&b);
    return st;
}

/* How deep score_top goes: a hundredth of the training set, 10 to 100. */
static size_t top_depth(size_t n) {
    size_t depth = n / 100 < 10 ? 10 : n / 100 > 100 ? 100 : n / 100;
    return depth < n ? depth : n;
}

static enum status insert_set(struct store *s, const char *hex, const struct score_set *w,
                              const struct provenance *p) {
    static const struct provenance nothing = { NULL, NULL, NULL, 0 };
    char now[21];
    if (!p) p = &nothing;
    clock_iso(now);
    TRY(db_exec(s,
        "INSERT INTO score_set (identity, method, loss, split, timesteps, k, lambda_spec, params, version,"
        " mantissa_bits, n, lambda_rel, lambda_abs, d_eff, rows, top, program, blas_core, host, threads,"
        " created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ttttzzttnnzdddzztttzt", hex, w->method, w->loss, split_name(w->split), w->timesteps, w->k,
        w->lambda_spec, w->params, w->version, w->mantissa_bits, w->n, w->lambda_rel, w->lambda_abs,
        w->d_eff, w->rows, top_depth(w->n), p->program ? p->program : DTRAK_VERSION,
        p->blas_core ? p->blas_core : "", p->host ? p->host : "", p->threads, now));
    int64_t id = sqlite3_last_insert_rowid(s->db);
    for (size_t i = 0; i < w->checkpoints; i++)
        TRY(db_exec(s, "INSERT INTO score_set_checkpoint (score_set, position, checkpoint) VALUES (?, ?, ?)",
                    "izi", id, i, w->checkpoint[i]));
    return OK;
}

static enum status find_identity(struct store *s, const char *hex, struct score_set *out, int *found) {
    sqlite3_stmt *q;
    TRY(db_query(s, &q, SET_COLUMNS "WHERE f.identity = ?", "t", hex));
    return one_set(s, q, out, found);
}

static enum status ensure(struct store *s, const char *hex, const struct score_set *w,
                          const struct provenance *p, struct score_set *out) {
    int found;
    TRY(find_identity(s, hex, out, &found));
    if (!found) TRY(insert_set(s, hex, w, p));
    else TRY(db_exec(s, "UPDATE score_set SET rows = max(rows, ?) WHERE id = ?", "zi", w->rows, out->id));
    return find_identity(s, hex, out, &found);
}

enum status store_score_set_ensure(struct store *s, const struct score_set *want,
                                   const struct provenance *p, struct score_set *out) {
    struct score_set w = *want, got;
    char hex[65];
    int found;
    TRY(check_texts(&w));
    TRY(db_score_identity(s, hex, &w));
    TRY(find_identity(s, hex, &got, &found));
    if (!found || got.rows < w.rows) {
        TRY(db_unit_begin(s));
        TRY(db_unit_end(s, ensure(s, hex, &w, p, &got)));
    }
    *out = got;
    return OK;
}

enum status store_score_set_same(struct store *s, const struct score_set *want, struct score_set *out) {
    struct score_set got;
    char hex[65];
    int found;
    TRY(db_score_identity(s, hex, want));
    TRY(find_identity(s, hex, &got, &found));
    if (!found) return fail(ERR_MISSING, "%s: there is no such score set", s->path);
    *out = got;
    return OK;
}

enum status store_score_set_bits(struct store *s, struct score_set *set) {
    struct score_set want = *set, got;
    size_t most = 0;
    sqlite3_stmt *q;
    unsigned there = 0;
    int row = 0, found = 0, any = 0;
    TRY(db_query(s, &q, "SELECT DISTINCT mantissa_bits FROM score_set WHERE method = ? AND loss = ? AND split = ? AND params = ?",
                 "tttt", set->method, set->loss, split_name(set->split), set->params));
    enum status st;
    while ((st = db_step(s, q, &row)) == OK && row) there |= 1u << (col_int(q, 0) & 31);
    db_end(q);
    for (int bits = 24; bits >= 9 && st == OK; bits--) {
        char hex[65];
        if (!(there & 1u << bits)) continue;
        want.mantissa_bits = bits;
        st = db_score_identity(s, hex, &want);
        if (st == OK) st = find_identity(s, hex, &got, &found);
        if (st != OK || !found || (any && got.rows_done <= most)) continue;
        set->mantissa_bits = bits;
        most = got.rows_done;
        any = 1;
    }
    return st;
}

enum status store_score_set_ridge(struct store *s, int64_t id, const struct score_ridge *r) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s,
        "UPDATE score_set SET lambda_rel = ?, lambda_abs = ?, d_eff = ?, condition = ?, rank = ? WHERE id = ?", "ddddzi",
        r->lambda_rel, r->lambda_abs, r->d_eff, r->condition, r->rank, id));
}

int score_set_is_narrow(const struct score_set *set) { return (double)set->k < 10 * set->d_eff; }

/* Row by row under the new number of bits. */
static enum status round_rows(struct store *s, const struct score_set *set, const struct score_set *now, float *row) {
    for (size_t q = 0; q < set->rows; q++) {
        enum status st = store_score_read(s, set, q, row);
        if (st == ERR_MISSING) continue;     /* not there, or only the ends of its ranking */
        TRY(st);
        TRY(store_score_put(s, now, q, row));
    }
    return OK;
}

enum status store_score_set_round(struct store *s, int64_t id, int bits) {
    struct score_set set, now;
    char hex[65];
    int64_t twin = 0;
    TRY(store_score_set_get(s, id, &set));
    if (bits < 9 || bits > 24) return fail(ERR_RANGE, "scores of %d bits", bits);
    if (bits >= set.mantissa_bits) return OK;
    now = set;
    now.mantissa_bits = bits;
    TRY(db_score_identity(s, hex, &now));
    TRY(db_number(s, &twin, "SELECT id FROM score_set WHERE identity = ?", "t", hex));
    if (twin) return fail(ERR_RANGE, "%s: score set %lld has these scores with %d bits already", s->path, (long long)twin, bits);
    float *row = mem_array(set.n, sizeof *row);
    if (!row) return fail(ERR_NOMEM, "score row: out of memory");
    enum status st = db_unit_begin(s);
    if (st == OK) {
        st = db_exec(s, "UPDATE score_set SET mantissa_bits = ?, identity = ? WHERE id = ?", "nti", bits, hex, id);
        if (st == OK) st = round_rows(s, &set, &now, row);
        st = db_unit_end(s, st);
    }
    mem_free(row);
    return st;
}

enum status store_score_set_delete(struct store *s, int64_t id) {
    TRY(db_unit_begin(s));
    return db_unit_end(s, db_exec(s, "DELETE FROM score_set WHERE id = ?", "i", id));
}

static enum status delete_row(struct store *s, int64_t set, size_t q) {
    TRY(db_exec(s, "DELETE FROM score WHERE score_set = ? AND query = ?", "iz", set, q));
    TRY(db_exec(s, "DELETE FROM score_top WHERE score_set = ? AND query = ?", "iz", set, q));
    return db_exec(s, "DELETE FROM error_row WHERE query = ? AND error_set IN (SELECT id FROM error_set WHERE score_set = ?)", "zi", q, set);
}

enum status store_score_rows_keep(struct store *s, const struct score_set *set, const unsigned char *keep) {
    enum status st = OK;
    TRY(db_unit_begin(s));
    for (size_t q = 0; q < set->rows && st == OK; q++)
        if (!keep[q]) st = delete_row(s, set->id, q);
    return db_unit_end(s, st);
}

/* --- what a screen wants --- */

static int is_over(const struct score_set *f, const struct score_query *q) {
    size_t n = 0;
    for (size_t i = 0; i < q->n_over; i++)
        for (size_t k = 0; k < f->checkpoints; k++) n += f->checkpoint[k] == q->over[i];
    return f->checkpoints == q->n_over && n == q->n_over;
}

static int matches(const struct score_set *f, const struct score_query *q) {
    if (strcmp(f->method, q->method) != 0 || strcmp(f->loss, q->loss ? q->loss : "") != 0) return 0;
    if (f->split != q->split) return 0;
    if (q->checkpoint == 0 && f->checkpoints != 0) return 0;
    if (q->checkpoint < 0 && (f->checkpoints < 2 || (q->over && !is_over(f, q)))) return 0;
    if (q->checkpoint > 0 && (f->checkpoints != 1 || f->checkpoint[0] != q->checkpoint)) return 0;
    if (q->lambda_spec && strcmp(f->lambda_spec, q->lambda_spec) != 0) return 0;
    if (q->timesteps && f->timesteps != q->timesteps) return 0;
    return q->k == 0 || f->k == q->k;
}

/* How much of a query's ranking there is: 2 its row, 1 its ends, 0 nothing. */
static enum status count_row(struct store *s, const struct score_set *f, size_t query, int *much) {
    int64_t n = 0;
    TRY(db_number(s, &n, "SELECT max(CASE WHEN format = ? THEN 1 ELSE 2 END) FROM score WHERE score_set = ? AND query = ?", "niz", ROW_TOP,
                  f->id, query));
    *much = (int)n;
    return OK;
}

/* Complete before unfinished before empty, more timesteps, larger k, auto lambda, newer. */
static int better(const struct score_set *a, const struct score_set *b) {
    int whole_a = a->rows_done >= a->rows, whole_b = b->rows_done >= b->rows;
    if (whole_a != whole_b) return whole_a;
    if (!a->rows_done != !b->rows_done) return a->rows_done > 0;
    if (a->timesteps != b->timesteps) return a->timesteps > b->timesteps;
    if (a->k != b->k) return a->k > b->k;
    int auto_a = strcmp(a->lambda_spec, "auto") == 0, auto_b = strcmp(b->lambda_spec, "auto") == 0;
    if (auto_a != auto_b) return auto_a;
    return a->id > b->id;
}

enum status store_score_set_find(struct store *s, const struct score_query *q, struct score_set *out) {
    struct score_set_list l;
    const struct score_set *best = NULL;
    enum status st = OK;
    int most = 0;
    TRY(store_score_sets_list(s, &l));
    for (size_t i = 0; i < l.count && st == OK; i++) {
        int much = 0;
        if (!matches(&l.set[i], q)) continue;
        if (q->has) st = count_row(s, &l.set[i], q->has - 1, &much);
        if (best && (much < most || (much == most && !better(&l.set[i], best)))) continue;
        best = &l.set[i];
        most = much;
    }
    if (st == OK && best) *out = *best;
    score_set_list_free(&l);
    if (st != OK || best) return st;
    return fail(ERR_MISSING, "%s: no %s scores of method %s%s%s for this setting; `dtrak score` makes them",
                s->path, split_name(q->split), q->method, q->loss && q->loss[0] ? ", loss " : "",
                q->loss ? q->loss : "");
}

static void note_name(char *names, size_t width, size_t max, size_t *count, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names + i * width, name) == 0) return;
    if (*count < max) db_copy(names + (*count)++ * width, width, name);
}

static void note_checkpoint(struct score_choices *c, int64_t id) {
    for (size_t i = 0; i < c->checkpoints; i++)
        if (c->checkpoint[i] == id) return;
    if (c->checkpoints < SCORE_CHECKPOINTS_MAX) c->checkpoint[c->checkpoints++] = id;
}

enum status store_score_choices(struct store *s, enum split split, struct score_choices *out) {
    struct score_set_list l;
    struct checkpoint_list c = { NULL, 0, NULL };
    struct score_choices found, *r = &found;
    memset(out, 0, sizeof *out);
    memset(r, 0, sizeof *r);
    TRY(store_score_sets_list(s, &l));
    enum status st = store_checkpoints_list(s, &c);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        const struct score_set *f = &l.set[i];
        if (f->split != split || f->rows_done < f->rows || f->rows == 0) continue;
        note_name(r->method[0], sizeof *r->method, 32, &r->methods, f->method);
        if (f->loss[0]) note_name(r->loss[0], sizeof *r->loss, 16, &r->losses, f->loss);
        for (size_t j = 0; j < f->checkpoints; j++) note_checkpoint(r, f->checkpoint[j]);
    }
    if (st == OK) {
        *out = found;
        out->checkpoints = 0;
        for (size_t i = 0; i < c.count; i++)   /* in the order of training */
            for (size_t j = 0; j < r->checkpoints; j++)
                if (r->checkpoint[j] == c.checkpoint[i].id) note_checkpoint(out, c.checkpoint[i].id);
    }
    score_set_list_free(&l);
    checkpoint_list_free(&c);
    return st;
}
