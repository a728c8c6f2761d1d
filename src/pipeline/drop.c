/* drop.c - what was picked goes, in one transaction; then the file is compacted. */
#include "dtrak/drop.h"

#include "feature_use.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/store_drop.h"
#include "dtrak/store_error.h"
#include "dtrak/store_subset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dropper {
    struct store *s;
    const struct drop_options *o;
    struct drop_result *r;
    struct picker pick;
    size_t *index[SPLIT_COUNT], count[SPLIT_COUNT];   /* queries, ascending */
};

static void say(const struct dropper *d, const char *line) {
    if (d->o->say) d->o->say(d->o->say_ctx, line);
}

/* --- sets --- */

static enum status describe(struct dropper *d, const char *what, const struct score_set *set) {
    char line[256];
    int n = snprintf(line, sizeof line, "%s: ", what);
    TRY(pick_describe_scores(line + n, sizeof line - (size_t)n, d->s, set));
    say(d, line);
    return OK;
}

static enum status drop_set(struct dropper *d, const struct score_set *set) {
    TRY(describe(d, "scores", set));
    d->r->score_sets++;
    return d->o->really ? store_score_set_delete(d->s, set->id) : OK;
}

static enum status drop_rows(struct dropper *d, const struct score_set *set) {
    struct lds_row measured;
    enum status st = set->rows_done ? store_lds_get(d->s, set->id, 0, &measured, NULL) : ERR_MISSING;
    if (st != OK) return st == ERR_MISSING ? OK : st;
    TRY(describe(d, "scores, but not what was measured of them", set));
    d->r->emptied++;
    if (!d->o->really) return OK;
    unsigned char *keep = mem_array(set->rows + 1, 1);   /* none */
    if (!keep) return fail(ERR_NOMEM, "drop: out of memory");
    st = store_score_rows_keep(d->s, set, keep);
    mem_free(keep);
    return st;
}

static enum status drop_errors(struct dropper *d, const struct score_set *set) {
    struct error_set bars;
    enum status st = store_error_set_get(d->s, set->id, &bars);
    if (st != OK) return st == ERR_MISSING ? OK : st;
    TRY(describe(d, "error bars", set));
    d->r->errors++;
    return d->o->really ? store_error_set_delete(d->s, set->id) : OK;
}

static enum status drop_of_set(struct dropper *d, const struct score_set *set) {
    if (d->o->what & DROP_SCORES) return drop_set(d, set);
    if (d->o->what & DROP_ERRORS) TRY(drop_errors(d, set));
    return d->o->what & DROP_ROWS ? drop_rows(d, set) : OK;
}

static enum status drop_scores(struct dropper *d) {
    struct score_set_list l;
    TRY(store_score_sets_list(d->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++)
        if (picker_takes_scores(&d->pick, &l.set[i])) st = drop_of_set(d, &l.set[i]);
    score_set_list_free(&l);
    return st;
}

/* Queries' features without which a kernel of their training items could not be used. */
static enum status has_partner_with_kernel(struct dropper *d, const struct feature_set_list *l, const struct feature_set *f, int *has) {
    *has = 0;
    for (size_t i = 0; i < l->count && !*has && f->identity.split != SPLIT_TRAIN; i++) {
        struct feature_identity id = f->identity;
        char difference[256];
        const struct feature_set *train = &l->set[i];
        id.split = SPLIT_TRAIN;
        feature_identity_difference(difference, &train->identity, &id);
        if (train->identity.split != SPLIT_TRAIN || difference[0]) continue;
        if (d->o->what & DROP_KERNELS && picker_takes_features(&d->pick, train)) continue;   /* it goes */
        TRY(store_kernel_has(d->s, train->id, KERNEL_CROSS, f->identity.split, has));
    }
    return OK;
}

static enum status drop_one(struct dropper *d, const struct feature_set_list *l, const struct feature_set *f) {
    char line[256];
    struct feature_use use;
    int rows = !f->dropped && (f->rows_done || f->files), gone = d->o->what & DROP_FEATURES;
    TRY(feature_use_find(&use, d->s, f));
    TRY(pick_describe_features(line, sizeof line, d->s, f));
    size_t len = strlen(line);
    if (d->o->what & DROP_KERNELS && use.kernel) {
        snprintf(line + len, sizeof line - len, ": the kernel");
        say(d, line);
        d->r->kernels++;
        if (d->o->really) TRY(store_kernels_delete(d->s, f->id));
        use.kernel = 0;
    }
    if (d->o->what & DROP_BASES && use.basis) {
        snprintf(line + len, sizeof line - len, ": the eigenbasis");
        say(d, line);
        d->r->bases++;
        if (d->o->really) TRY(store_basis_delete(d->s, f->id));
        use.basis = 0;
    }
    /* A kernel or an eigenbasis that stays needs the set that it is of; so do scores of imported features, of
     * which nothing else says what they were made of. */
    int partner;
    TRY(has_partner_with_kernel(d, l, f, &partner));
    int stays = use.kernel || use.basis || partner || (use.scores && feature_is_imported(f));
    if (!gone || (!rows && stays)) return OK;
    snprintf(line + len, sizeof line - len, stays ? ": the rows; what was made of them stays" : rows ? "" : ": no rows, only its record");
    say(d, line);
    d->r->feature_sets++;
    if (!d->o->really) return OK;
    return stays ? store_feature_blocks_drop(d->s, f->id) : feature_forget(d->s, f);
}

static enum status drop_features(struct dropper *d) {
    struct feature_set_list l;
    TRY(store_feature_sets_list(d->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++)
        if (picker_takes_features(&d->pick, &l.set[i])) st = drop_one(d, &l, &l.set[i]);
    feature_set_list_free(&l);
    return st;
}

static enum status drop_weights(struct dropper *d) {
    struct checkpoint_list l;
    char words[96], line[128];
    TRY(store_checkpoints_list(d->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        const struct checkpoint *c = &l.checkpoint[i];
        if (!c->weights_bytes || !picker_takes_checkpoint(&d->pick, c->id)) continue;
        checkpoint_words(words, c);
        snprintf(line, sizeof line, "weights of %s", words);
        say(d, line);
        d->r->weights++;
        if (d->o->really) st = store_checkpoint_weights_drop(d->s, c->id);
    }
    checkpoint_list_free(&l);
    return st;
}

static enum status drop_embedding(struct dropper *d) {
    struct embedding_list l;
    char line[128];
    TRY(store_embeddings_list(d->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        if (strcmp(l.embedding[i].name, d->o->embedding) != 0) continue;
        snprintf(line, sizeof line, "embedding %s of %s", l.embedding[i].name, split_name(l.embedding[i].split));
        say(d, line);
        d->r->embeddings++;
        if (d->o->really) st = store_embedding_delete(d->s, l.embedding[i].name, l.embedding[i].split);
    }
    embedding_list_free(&l);
    if (st == OK && !d->r->embeddings) return fail(ERR_USAGE, "there is no embedding '%s'", d->o->embedding);
    return st;
}

/* --- queries --- */

static int ascending(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum status add_query(struct dropper *d, enum split split, size_t index) {
    size_t *more = mem_resize(d->index[split], d->count[split], d->count[split] + 1, sizeof *more);
    if (!more) return fail(ERR_NOMEM, "drop: out of memory");
    d->index[split] = more;
    more[d->count[split]++] = index;
    return OK;
}

/* "gen:5" or "gen:5-9". */
static enum status read_query(struct dropper *d, const char *word) {
    struct item_ref ref;
    char head[40];
    const char *dash = strchr(word, '-');
    size_t len = dash ? (size_t)(dash - word) : strlen(word), count, last;
    char *end;
    snprintf(head, sizeof head, "%.*s", (int)(len < sizeof head ? len : sizeof head - 1), word);
    TRY(item_ref_parse(&ref, head));
    last = dash && dash[1] >= '0' && dash[1] <= '9' ? (size_t)strtoull(dash + 1, &end, 10) : ref.index;
    if (dash && (dash[1] < '0' || dash[1] > '9' || *end || last < ref.index)) return fail(ERR_USAGE, "'%s' is not gen:5 or gen:5-9", word);
    if (ref.split == SPLIT_TRAIN) return fail(ERR_USAGE, "%s is a training item; the network was trained on it", word);
    TRY(store_items_count(d->s, ref.split, &count));
    TRY(item_ref_check((struct item_ref){ ref.split, last }, count));
    for (size_t i = ref.index; i <= last; i++) TRY(add_query(d, ref.split, i));
    return OK;
}

static enum status read_queries(struct dropper *d) {
    const char *list = d->o->queries;
    while (*list) {
        char word[64];
        size_t len = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), list);
        TRY(read_query(d, word));
        list += len + (list[len] == ',');
    }
    for (int k = 0; k < SPLIT_COUNT; k++) {
        size_t n = 0;
        if (d->count[k]) qsort(d->index[k], d->count[k], sizeof **d->index, ascending);
        for (size_t i = 0; i < d->count[k]; i++)
            if (!n || d->index[k][i] != d->index[k][n - 1]) d->index[k][n++] = d->index[k][i];
        d->count[k] = n;
    }
    return OK;
}

/* From the first that goes to the last that there is: the others keep their numbers. */
static enum status is_tail(const struct dropper *d, enum split k, int *tail) {
    size_t items;
    TRY(store_items_count(d->s, k, &items));
    *tail = d->count[k] && d->index[k][0] + d->count[k] == items;
    return OK;
}

/* Losses of retrained networks are kept by the numbers of the items, under a protocol that says of which: those
 * stay, but for the last ones. */
static enum status check_measured(struct dropper *d) {
    struct protocol_list l;
    TRY(store_protocols_list(d->s, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        struct json_doc *doc = NULL;
        if (l.protocol[i].kind != PROTOCOL_EVAL) continue;
        st = json_parse(&doc, l.protocol[i].text, strlen(l.protocol[i].text), "the eval protocol");
        for (int k = 0; k < SPLIT_COUNT && st == OK; k++) {
            const struct json *q = json_get(json_root(doc), split_name((enum split)k));
            int64_t first = json_int(json_get(q, "first"), 0), count = json_int(json_get(q, "count"), 0);
            int tail = 0;
            if (!q || !d->count[k] || count < 1 || (int64_t)d->index[k][0] >= first + count) continue;
            st = is_tail(d, (enum split)k, &tail);
            if (st != OK || tail) continue;
            st = fail(ERR_RANGE, "%s:%zu stays: retrained networks were measured on %s:%lld-%lld, which would not be those items any more; "
                      "only the last ones can go, all from one on", split_name((enum split)k), d->index[k][0],
                      split_name((enum split)k), (long long)first, (long long)(first + count - 1));
        }
        if (doc) json_free(doc);
    }
    protocol_list_free(&l);
    return st;
}

static enum status drop_queries(struct dropper *d) {
    char line[96];
    TRY(read_queries(d));
    TRY(check_measured(d));
    for (int k = 0; k < SPLIT_COUNT; k++) {
        for (size_t i = 0; i < d->count[k]; i++) {
            snprintf(line, sizeof line, "%s:%zu with its scores and features", split_name((enum split)k), d->index[k][i]);
            say(d, line);
        }
        d->r->queries += d->count[k];
        if (d->o->really) TRY(store_items_drop(d->s, (enum split)k, d->index[k], d->count[k]));
    }
    return OK;
}

/* --- all of it --- */

static enum status drop_sets(struct dropper *d) {
    if (d->o->what & (DROP_SCORES | DROP_ROWS | DROP_ERRORS)) TRY(drop_scores(d));
    if (d->o->what & DROP_WEIGHTS) TRY(drop_weights(d));
    if (d->o->what & (DROP_FEATURES | DROP_KERNELS | DROP_BASES)) TRY(drop_features(d));
    if (d->o->embedding) TRY(drop_embedding(d));
    if (d->o->queries) TRY(drop_queries(d));
    const struct drop_result *r = d->r;
    if (r->score_sets + r->emptied + r->errors + r->feature_sets + r->kernels + r->bases + r->weights + r->embeddings + r->queries) return OK;
    return fail(ERR_MISSING, "nothing of that kind is stored");
}

static enum status file_bytes(struct store *s, uint64_t *bytes) {
    struct store_sizes sizes;
    TRY(store_sizes(s, &sizes));
    *bytes = sizes.file;
    return OK;
}

/* What was dropped is gone by now: only the file keeps its size when somebody else is at it. */
static enum status compact(struct dropper *d) {
    char why[320];
    if (store_compact(d->s) == OK) return file_bytes(d->s, &d->r->bytes_after);
    snprintf(why, sizeof why, "%s", fail_reason());
    snprintf(d->r->note, sizeof d->r->note, "the file keeps its size, its free space is used again (%s)", why);
    return OK;
}

static enum status run(struct dropper *d, const struct progress *p) {
    TRY(picker_open(&d->pick, d->s, &d->o->pick));
    TRY(file_bytes(d->s, &d->r->bytes_before));
    d->r->bytes_after = d->r->bytes_before;
    if (!d->o->really) return drop_sets(d);
    TRY(store_begin(d->s));
    enum status st = drop_sets(d);
    if (st == OK) st = progress_check(p);
    if (st == OK) st = store_commit(d->s);
    if (st != OK) {
        store_rollback(d->s);
        return st;
    }
    return compact(d);
}

enum status pipeline_drop(struct store *s, const struct drop_options *o, const struct progress *p, struct drop_result *r) {
    struct dropper d = { .s = s, .o = o, .r = r };
    *r = (struct drop_result){ 0 };
    enum status st = run(&d, p);
    picker_close(&d.pick);
    for (int k = 0; k < SPLIT_COUNT; k++) mem_free(d.index[k]);
    return st;
}
