/* merge_sets.c - rows of scores and of features from the other copy.
 *
 * A set there belongs to the set of the same identity here, made when it is not there; a
 * row to the query that is the same picture. */
#include "merge_parts.h"

#include "dtrak/mem.h"
#include "dtrak/pick.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_AT_ONCE = 64 };

/* --- scores --- */

struct score_pair { const struct score_set *theirs; struct score_set ours; float *row, *mine; };

/* A ranking of which only the ends are there. */
static enum status copy_ends(struct merger *m, const struct score_pair *x, size_t from, size_t to) {
    size_t n = x->theirs->n, top = 0, bottom = 0, mine = 0;
    struct ranked *list = mem_array(2 * n + 1, sizeof *list);
    if (!list) return fail(ERR_NOMEM, "merge: out of memory");
    enum status st = store_score_top(m->other, x->theirs, from, 0, n, list, &top);
    if (st == OK) st = store_score_top(m->other, x->theirs, from, 1, n, list + top, &bottom);
    if (st == ERR_MISSING) st = OK;             /* nothing there */
    else if (st == OK && top + bottom) {
        struct ranked one;
        enum status here = store_score_top(m->s, &x->ours, to, 0, 1, &one, &mine);
        if (here != OK && here != ERR_MISSING) st = here;
        else if (here == OK && mine) m->r->same++;
        else {
            st = store_score_list_put(m->s, &x->ours, to, list, top, list + top, bottom);
            m->r->score_rows += st == OK;
        }
    }
    mem_free(list);
    return st;
}

static enum status copy_row(struct merger *m, const struct score_pair *x, size_t q) {
    size_t to = m->here[x->theirs->split][q], n = x->theirs->n;
    if (to == SIZE_MAX || to >= x->ours.rows) return OK;
    enum status st = store_score_read(m->other, x->theirs, q, x->row);
    if (st == ERR_MISSING) return copy_ends(m, x, q, to);
    TRY(st);
    st = store_score_read(m->s, &x->ours, to, x->mine);
    if (st == OK) {
        if (memcmp(x->row, x->mine, n * sizeof *x->row) == 0) m->r->same++;
        else m->r->different++;
        return OK;
    }
    if (st != ERR_MISSING) return st;
    TRY(store_score_put(m->s, &x->ours, to, x->row));
    m->r->score_rows++;
    return OK;
}

static enum status copy_rows(struct merger *m, const struct score_pair *x) {
    enum status st = OK;
    for (size_t q = 0; q < x->theirs->rows && q < m->their_items[x->theirs->split] && st == OK; q += ROWS_AT_ONCE) {
        TRY(progress_check(m->p));
        TRY(store_begin(m->s));
        for (size_t i = q; i < q + ROWS_AT_ONCE && i < x->theirs->rows && i < m->their_items[x->theirs->split] && st == OK; i++)
            st = copy_row(m, x, i);
        if (st == OK) st = store_commit(m->s);
        if (st != OK) store_rollback(m->s);
    }
    return st;
}

static enum status merge_score_set(struct merger *m, const struct score_set *set) {
    struct score_pair x = { .theirs = set, .ours = *set };
    struct score_set there;
    char text[256];
    x.ours.rows = m->items[set->split];
    for (size_t i = 0; i < set->checkpoints; i++) {
        x.ours.checkpoint[i] = merge_checkpoint(m, set->checkpoint[i]);
        if (x.ours.checkpoint[i]) continue;
        TRY(pick_describe_scores(text, sizeof text, m->other, set));
        merge_say(m, "scores stay out, their checkpoint is not here: %s", text);
        m->r->left_out++;
        return OK;
    }
    enum status st = store_score_set_same(m->s, &x.ours, &there);
    if (st != OK && st != ERR_MISSING) return st;
    int new = st == ERR_MISSING;
    struct provenance from = { set->program, set->blas_core, set->host, set->threads };
    TRY(store_score_set_ensure(m->s, &x.ours, &from, &x.ours));
    if (new && (isfinite(set->lambda_rel) || isfinite(set->lambda_abs))) {
        struct score_ridge ridge = { set->lambda_rel, set->lambda_abs, set->d_eff, set->condition, set->rank };
        TRY(store_score_set_ridge(m->s, x.ours.id, &ridge));
    }
    m->r->score_sets += (size_t)new;
    x.row = mem_array(set->n + 1, sizeof *x.row);
    x.mine = mem_array(set->n + 1, sizeof *x.mine);
    st = x.row && x.mine ? copy_rows(m, &x) : fail(ERR_NOMEM, "merge: out of memory");
    mem_free(x.row);
    mem_free(x.mine);
    return st;
}

enum status merge_scores(struct merger *m) {
    struct score_set_list l;
    TRY(store_score_sets_list(m->other, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        st = merge_score_set(m, &l.set[i]);
        progress_report(m->p, (double)(i + 1), (double)l.count, "merge", "scores");
    }
    score_set_list_free(&l);
    return st;
}

/* --- features --- */

struct feature_pair_of { const struct feature_set *theirs; struct feature_set ours; float *rows; };

/* One part of block b: theirs where the item is there, else ours (a block that was complete before the
 * split grew).  *all = 0 when a row is nowhere. */
static enum status collect_part(struct merger *m, const struct feature_pair_of *x, size_t part, size_t first, size_t count, float *out,
                                int *all, size_t *taken) {
    const size_t *there = m->there[x->ours.identity.split];
    size_t k = x->ours.identity.k;
    for (size_t i = 0, run; i < count && *all; i += run) {
        size_t from = there[first + i];
        int theirs = from != SIZE_MAX && from < x->theirs->rows;
        for (run = 1; i + run < count && theirs && there[first + i + run] == from + run && from + run < x->theirs->rows;) run++;
        enum status st = theirs ? store_features_read_part(m->other, x->theirs, part, from, run, out + i * k)
                                : store_features_read_part(m->s, &x->ours, part, first + i, run, out + i * k);
        *taken += theirs ? run : 0;
        if (st == ERR_MISSING) *all = 0;
        else TRY(st);
    }
    return OK;
}

static enum status copy_block(struct merger *m, const struct feature_pair_of *x, size_t b) {
    size_t first = b * x->ours.block_rows, rest = x->ours.rows - first, count = rest < x->ours.block_rows ? rest : x->ours.block_rows;
    size_t parts = x->ours.identity.parts ? x->ours.identity.parts : 1, taken = 0;
    int all = 1;
    for (size_t p = 0; p < parts && all; p++)
        TRY(collect_part(m, x, p, first, count, x->rows + p * count * x->ours.identity.k, &all, &taken));
    if (!all || !taken) return OK;
    TRY(store_feature_block_put(m->s, &x->ours, b, x->rows));
    m->r->feature_rows += count;
    return OK;
}

static enum status copy_blocks(struct merger *m, struct feature_pair_of *x) {
    struct index_list missing;
    size_t parts = x->ours.identity.parts ? x->ours.identity.parts : 1;
    TRY(store_feature_blocks_missing(m->s, &x->ours, &missing));
    x->rows = mem_array(x->ours.block_rows * parts * x->ours.identity.k, sizeof *x->rows);
    enum status st = x->rows ? OK : fail(ERR_NOMEM, "merge: out of memory");
    for (size_t i = 0; i < missing.count && st == OK; i++) {
        st = progress_check(m->p);
        if (st == OK) st = copy_block(m, x, missing.index[i]);
    }
    mem_free(x->rows);
    index_list_free(&missing);
    return st;
}

static enum status stays_out(struct merger *m, const struct feature_set *set, const char *why) {
    char text[256];
    TRY(pick_describe_features(text, sizeof text, m->other, set));
    merge_say(m, "%s stay out: %s", text, why);
    m->r->left_out++;
    return OK;
}

static enum status merge_feature_set(struct merger *m, const struct feature_set *set) {
    struct feature_pair_of x = { .theirs = set };
    size_t before = m->r->feature_rows;
    if (set->dropped || !set->rows_done || !m->items[set->identity.split]) return OK;
    if (!merge_checkpoint(m, set->checkpoint)) return stays_out(m, set, "their checkpoint is not here");
    enum status st = store_feature_set_find(m->s, &set->identity, &x.ours);
    if (st != OK && st != ERR_MISSING) return st;
    int new = st == ERR_MISSING;
    /* Of features that came from a file the parameters say which. */
    if (!new && strcmp(x.ours.params, set->params) != 0) return stays_out(m, set, "those that are here were made from another file");
    if (!new && x.ours.files) return OK;
    struct provenance from = { set->program, set->blas_core, set->host, set->threads };
    TRY(store_feature_set_ensure(m->s, &set->identity, m->items[set->identity.split], set->block_rows, set->params, &from, &x.ours));
    st = copy_blocks(m, &x);
    if (st == OK && new && m->r->feature_rows == before) {
        TRY(store_feature_set_delete(m->s, x.ours.id));
        return set->files ? stays_out(m, set, "their files are not there, or hold no item that is here") : OK;
    }
    m->r->feature_sets += new && st == OK;
    return st;
}

enum status merge_features(struct merger *m) {
    struct feature_set_list l;
    TRY(store_feature_sets_list(m->other, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        st = merge_feature_set(m, &l.set[i]);
        progress_report(m->p, (double)(i + 1), (double)l.count, "merge", "features");
    }
    feature_set_list_free(&l);
    return st;
}
