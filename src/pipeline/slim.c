/* slim.c - the verb `slim`: a copy that is small enough to hand on.
 *
 * Features are what makes a database large, and once scores and kernels are
 * there most people need them no more; an eigenbasis is as large, and follows from
 * them or from a kernel.  The copy keeps everything else; each
 * feature set's row stays and says that its blocks were dropped, so the same
 * `features` command brings them back. */
#include "dtrak/slim.h"

#include "dtrak/buf.h"
#include "dtrak/store.h"
#include "dtrak/store_drop.h"

#include <unistd.h>

static enum status thin_features(struct store *s, const struct slim_options *o, const struct progress *p) {
    struct feature_set_list l = { 0 };
    enum status st = store_feature_sets_list(s, &l);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        if (!o->keep_features) st = store_feature_blocks_drop(s, l.set[i].id);
        if (st == OK && !o->keep_basis) st = store_basis_delete(s, l.set[i].id);
        if (st == OK && o->no_kernels) st = store_kernels_delete(s, l.set[i].id);
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

static enum status thin_scores(struct store *s, const struct slim_options *o, const struct progress *p) {
    struct score_set_list l = { 0 };
    struct picker pick;
    enum status st = picker_open(&pick, s, &o->pick);
    if (st == OK) st = store_score_sets_list(s, &l);
    for (size_t i = 0; st == OK && i < l.count; i++) {
        if (!picker_takes_scores(&pick, &l.set[i])) st = store_score_set_delete(s, l.set[i].id);
        else if (o->bits) st = round_scores(s, &l.set[i], o->bits);
        if (st == OK) st = progress_check(p);
        progress_report(p, (double)(i + 1), (double)l.count, "slim", "scores");
    }
    score_set_list_free(&l);
    picker_close(&pick);
    return st;
}

/* Before anything is copied: some scores would be left. */
static enum status check_scores(const char *from, const struct slim_options *o) {
    struct store *s;
    struct score_set_list l = { 0 };
    struct picker pick = { 0 };
    size_t kept = 0;
    TRY(store_open(&s, from, STORE_READ));
    enum status st = picker_open(&pick, s, &o->pick);
    if (st == OK) st = store_score_sets_list(s, &l);
    for (size_t i = 0; i < l.count; i++) kept += (size_t)picker_takes_scores(&pick, &l.set[i]);
    if (st == OK && l.count && !kept) st = fail(ERR_MISSING, "no score set is of what was asked for; none would be left");
    score_set_list_free(&l);
    picker_close(&pick);
    store_close(s);
    return st;
}

static enum status thin(const char *path, const struct slim_options *o, const struct progress *p) {
    struct store *s;
    TRY(store_open(&s, path, STORE_WRITE));
    enum status st = thin_features(s, o, p);
    if (st == OK) st = thin_scores(s, o, p);
    store_close(s);
    return st;
}

enum status pipeline_slim(const char *from, const char *to, const struct slim_options *o, const struct progress *p) {
    struct buf whole = BUF_INIT;
    if (access(to, F_OK) == 0) return fail(ERR_IO, "%s is there already; slim makes a new file", to);
    TRY(check_scores(from, o));
    buf_printf(&whole, "%s.whole-%ld", to, (long)getpid());
    enum status st = buf_status(&whole);
    if (st == OK) st = store_backup(from, whole.data, p);
    if (st == OK) st = thin(whole.data, o, p);
    if (st == OK) st = store_backup(whole.data, to, p);
    if (whole.data) unlink(whole.data);
    buf_free(&whole);
    return st;
}
