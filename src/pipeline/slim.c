/* slim.c - the verb `slim`: a copy that is small enough to hand on.
 *
 * Features are what makes a database large, and once scores and kernels are
 * there most people need them no more; an eigenbasis is as large, and follows from
 * them or from a kernel; of retrained networks the losses are what counts.  The copy
 * keeps everything else; each feature set's row stays and says that its blocks
 * were dropped, so the same `features` command brings them back. */
#include "dtrak/slim.h"

#include "dtrak/buf.h"
#include "dtrak/mem.h"
#include "dtrak/queries.h"
#include "dtrak/store.h"
#include "dtrak/store_drop.h"
#include "dtrak/store_subset.h"

#include <unistd.h>

static enum status thin_features(struct store *s, const struct slim_options *o, const struct progress *p) {
    struct feature_set_list l = { 0 };
    enum status st = store_feature_sets_list(s, &l);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        if (!o->keep_features) st = store_feature_blocks_drop(s, l.set[i].id);
        if (st == OK && !o->keep_basis) st = store_basis_delete(s, l.set[i].id);
        if (st == OK && o->no_kernels) st = store_kernels_delete(s, l.set[i].id);
        if (st == OK && o->bits) st = store_kernels_round(s, l.set[i].id);
        if (st == OK) st = progress_check(p);
        progress_report(p, (double)(i + 1), (double)l.count, "slim", "features");
    }
    feature_set_list_free(&l);
    return st;
}

/* Fewer bits; where a set with those is there too, the one of the two that has more rows stays. */
static enum status round_scores(struct store *s, const struct score_set *set, int bits) {
    struct score_set want = *set, twin;
    want.mantissa_bits = bits;
    if (bits >= set->mantissa_bits) return OK;
    enum status st = store_score_set_same(s, &want, &twin);
    if (st == OK && twin.rows_done >= set->rows_done) return store_score_set_delete(s, set->id);
    if (st == OK) st = store_score_set_delete(s, twin.id);
    return st == OK || st == ERR_MISSING ? store_score_set_round(s, set->id, bits) : st;
}

/* The queries named, split by split. */
struct kept_queries { int any; unsigned char *item[SPLIT_COUNT]; };

static void kept_queries_close(struct kept_queries *k) {
    for (int i = 0; i < SPLIT_COUNT; i++) mem_free(k->item[i]);
}

static enum status kept_queries_open(struct kept_queries *out, struct store *s, const char *list) {
    size_t items[SPLIT_COUNT];
    *out = (struct kept_queries){ 0 };
    if (!list) return OK;
    out->any = 1;
    for (int i = 0; i < SPLIT_COUNT; i++) TRY(store_items_count(s, (enum split)i, &items[i]));
    return queries_pick(out->item, items, list);
}

static int is_kept(const struct kept_queries *k, const struct picker *pick, const struct score_set *set) {
    return picker_takes_scores(pick, set) && (!k->any || set->split == SPLIT_TRAIN || k->item[set->split]);
}

static enum status thin_scores(struct store *s, const struct slim_options *o, const struct progress *p) {
    struct score_set_list l = { 0 };
    struct picker pick = { 0 };
    struct kept_queries kept;
    enum status st = kept_queries_open(&kept, s, o->queries);
    if (st == OK) st = picker_open(&pick, s, &o->pick);
    if (st == OK) st = store_score_sets_list(s, &l);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        const unsigned char *keep = kept.item[l.set[i].split];
        int stays = is_kept(&kept, &pick, &l.set[i]);
        if (!stays) st = store_score_set_delete(s, l.set[i].id);
        else if (keep) st = store_score_rows_keep(s, &l.set[i], keep);
        if (st == OK && stays && o->bits) st = round_scores(s, &l.set[i], o->bits);
        if (st == OK) st = progress_check(p);
        progress_report(p, (double)(i + 1), (double)l.count, "slim", "scores");
    }
    score_set_list_free(&l);
    picker_close(&pick);
    kept_queries_close(&kept);
    return st;
}

/* Before anything is copied: some scores would be left, and the queries are there. */
static enum status check_scores(const char *from, const struct slim_options *o) {
    struct store *s;
    struct score_set_list l = { 0 };
    struct picker pick = { 0 };
    struct kept_queries queries;
    size_t kept = 0;
    TRY(store_open(&s, from, STORE_READ));
    enum status st = kept_queries_open(&queries, s, o->queries);
    if (st == OK) st = picker_open(&pick, s, &o->pick);
    if (st == OK) st = store_score_sets_list(s, &l);
    for (size_t i = 0; i < l.count; i++) kept += (size_t)is_kept(&queries, &pick, &l.set[i]);
    if (st == OK && l.count && !kept) st = fail(ERR_MISSING, "no score set is of what was asked for; none would be left");
    score_set_list_free(&l);
    picker_close(&pick);
    kept_queries_close(&queries);
    store_close(s);
    return st;
}

static enum status thin(const char *path, const struct slim_options *o, const struct progress *p) {
    struct store *s;
    TRY(store_open(&s, path, STORE_WRITE));
    enum status st = thin_features(s, o, p);
    if (st == OK) st = thin_scores(s, o, p);
    if (st == OK && !o->keep_weights) st = store_subset_weights_drop(s);
    store_close(s);
    return st;
}

/* With what SQLite left beside it, where the last write failed. */
static void take_away(const char *path) {
    static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
    struct buf name = BUF_INIT;
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++) {
        buf_clear(&name);
        buf_printf(&name, "%s%s", path, suffix[i]);
        if (buf_status(&name) == OK) unlink(name.data);
    }
    buf_free(&name);
}

enum status pipeline_slim(const char *from, const char *to, const struct slim_options *o, const struct progress *p) {
    struct buf whole = BUF_INIT;
    TRY(store_check_new(to));
    TRY(check_scores(from, o));
    buf_printf(&whole, "%s.whole-%ld", to, (long)getpid());
    enum status st = buf_status(&whole);
    if (st == OK) st = store_backup(from, whole.data, p);
    if (st == OK) st = thin(whole.data, o, p);
    if (st == OK) st = store_backup(whole.data, to, p);
    if (whole.data) take_away(whole.data);
    buf_free(&whole);
    return st;
}
