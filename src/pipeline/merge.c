/* merge.c - two copies of one project: who is who, and what is carried over. */
#include "merge_parts.h"

#include "lds_parts.h"

#include "dtrak/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void merge_say(const struct merger *m, const char *fmt, ...) {
    char line[512];
    va_list ap;
    if (!m->o->say) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    m->o->say(m->o->say_ctx, line);
}

/* --- one project --- */

static enum status differs(const char *field, double here, double there) {
    return fail(ERR_RANGE, "another project: %s %g here, %g there", field, here, there);
}

/* Items carry a label's number, and its name stands once. */
static enum status check_labels(const struct label_list *here, const struct label_list *there) {
    for (size_t i = 0; i < here->count; i++)
        for (size_t j = 0; j < there->count; j++) {
            const struct label *a = &here->label[i], *b = &there->label[j];
            if (!*a->name || !*b->name || (a->label == b->label) == !strcmp(a->name, b->name)) continue;
            return a->label == b->label
                ? fail(ERR_RANGE, "another project: label %d is %s here, %s there", a->label, a->name, b->name)
                : fail(ERR_RANGE, "another project: %s is label %d here, label %d there", a->name, a->label, b->label);
        }
    return OK;
}

static enum status compare_labels(const struct merger *m) {
    struct label_list here, there;
    TRY(store_labels_list(m->s, &here));
    enum status st = store_labels_list(m->other, &there);
    if (st == OK) {
        st = check_labels(&here, &there);
        label_list_free(&there);
    }
    label_list_free(&here);
    return st;
}

static enum status check_project(struct merger *m) {
    struct project a, b;
    char here[65], there[65];
    TRY(store_project_get(m->s, &a));
    TRY(store_project_get(m->other, &b));
    if (a.width != b.width) return differs("width", (double)a.width, (double)b.width);
    if (a.height != b.height) return differs("height", (double)a.height, (double)b.height);
    if (a.channels != b.channels) return differs("channels", (double)a.channels, (double)b.channels);
    if (a.patch != b.patch) return differs("patch", (double)a.patch, (double)b.patch);
    if (a.value_low < b.value_low || a.value_low > b.value_low) return differs("value_low", a.value_low, b.value_low);
    if (a.value_high < b.value_high || a.value_high > b.value_high) return differs("value_high", a.value_high, b.value_high);
    if (m->items[SPLIT_TRAIN] != m->their_items[SPLIT_TRAIN])
        return differs("training items", (double)m->items[SPLIT_TRAIN], (double)m->their_items[SPLIT_TRAIN]);
    TRY(items_digest(m->s, SPLIT_TRAIN, 0, m->items[SPLIT_TRAIN], here));
    TRY(items_digest(m->other, SPLIT_TRAIN, 0, m->items[SPLIT_TRAIN], there));
    if (strcmp(here, there) != 0) return fail(ERR_RANGE, "another project: its training items are not those that are here");
    return compare_labels(m);
}

static enum status count_items(struct merger *m) {
    for (int k = 0; k < SPLIT_COUNT; k++) {
        TRY(store_items_count(m->s, (enum split)k, &m->items[k]));
        TRY(store_items_count(m->other, (enum split)k, &m->their_items[k]));
    }
    return OK;
}

/* --- checkpoints --- */

int64_t merge_checkpoint(const struct merger *m, int64_t theirs) {
    for (size_t i = 0; i < m->theirs.count; i++)
        if (m->theirs.checkpoint[i].id == theirs) return m->checkpoint[i];
    return 0;
}

static enum status add_checkpoint(struct merger *m, size_t i) {
    struct checkpoint *c = &m->theirs.checkpoint[i];
    void *weights;
    size_t len;
    for (size_t j = 0; j < m->ours.count; j++)
        if (m->ours.checkpoint[j].step == c->step && m->ours.checkpoint[j].ema == c->ema) {
            merge_say(m, "checkpoint %zu: other weights there (%.12s) than here (%.12s); it stays out, with its features and scores",
                      c->step, c->sha256, m->ours.checkpoint[j].sha256);
            m->r->left_out++;
            return OK;
        }
    if (!(m->o->what & MERGE_CHECKPOINTS)) return OK;
    if (!c->weights_bytes) {
        merge_say(m, "checkpoint %zu: its weights were dropped there; it stays out, with its features and scores", c->step);
        m->r->left_out++;
        return OK;
    }
    TRY(store_checkpoint_weights(m->other, c->id, &weights, &len));
    enum status st = store_checkpoint_add(m->s, c, weights, len, &m->checkpoint[i]);
    mem_free(weights);
    m->r->checkpoints += st == OK;
    return st;
}

/* Weights that were dropped here and are there. */
static enum status restore_weights(struct merger *m, const struct checkpoint *here, const struct checkpoint *there) {
    void *weights;
    size_t len;
    if (here->weights_bytes || !there->weights_bytes || !(m->o->what & MERGE_CHECKPOINTS)) return OK;
    TRY(store_checkpoint_weights(m->other, there->id, &weights, &len));
    enum status st = store_checkpoint_weights_restore(m->s, here->id, weights, len);
    mem_free(weights);
    m->r->checkpoints += st == OK;
    return st;
}

static enum status merge_checkpoints(struct merger *m) {
    TRY(store_checkpoints_list(m->s, &m->ours));
    TRY(store_checkpoints_list(m->other, &m->theirs));
    m->checkpoint = mem_array(m->theirs.count + 1, sizeof *m->checkpoint);
    if (!m->checkpoint) return fail(ERR_NOMEM, "merge: out of memory");
    for (size_t i = 0; i < m->theirs.count; i++) {
        for (size_t j = 0; j < m->ours.count; j++) {
            if (strcmp(m->ours.checkpoint[j].sha256, m->theirs.checkpoint[i].sha256) != 0) continue;
            m->checkpoint[i] = m->ours.checkpoint[j].id;
            TRY(restore_weights(m, &m->ours.checkpoint[j], &m->theirs.checkpoint[i]));
        }
        if (!m->checkpoint[i]) TRY(add_checkpoint(m, i));
        TRY(progress_check(m->p));
    }
    return OK;
}

/* --- queries --- */

static int same_item(const struct item *a, const struct item *b) {
    return !strcmp(a->sha256, b->sha256) && a->seed == b->seed && !strcmp(a->sampler, b->sampler) && a->steps == b->steps;
}

/* Each of theirs finds one of ours that no other has found. */
static void match(const struct merger *m, int k, const struct item_list *ours, const struct item_list *theirs) {
    for (size_t i = 0; i < theirs->count; i++) {
        m->here[k][i] = SIZE_MAX;
        /* Usually the two lists begin the same. */
        for (size_t n = 0; n < ours->count && m->here[k][i] == SIZE_MAX; n++) {
            size_t j = (i + n) % ours->count;
            if (m->there[k][j] != SIZE_MAX || !same_item(&ours->item[j], &theirs->item[i])) continue;
            m->here[k][i] = j;
            m->there[k][j] = i;
        }
    }
}

static enum status add_items(struct merger *m, int k, const struct item_list *theirs) {
    size_t n = 0, first;
    struct item *item = mem_array(theirs->count + 1, sizeof *item);
    const void **image = mem_array(theirs->count + 1, sizeof *image);
    enum status st = item && image ? OK : fail(ERR_NOMEM, "merge: out of memory");
    for (size_t i = 0; i < theirs->count && st == OK; i++) {
        void *bytes;
        size_t len;
        if (m->here[k][i] != SIZE_MAX) continue;
        st = store_image_read(m->other, (struct item_ref){ (enum split)k, i }, &bytes, &len);
        if (st != OK) break;
        item[n] = theirs->item[i];
        item[n].checkpoint = merge_checkpoint(m, item[n].checkpoint);
        item[n].image_bytes = len;
        image[n++] = bytes;
    }
    if (st == OK && n) st = store_items_add(m->s, (enum split)k, item, image, n, &first);
    if (st == OK) m->r->queries += n;
    for (size_t i = 0; i < n; i++) mem_free((void *)(uintptr_t)image[i]);
    mem_free(item);
    mem_free(image);
    return st;
}

static enum status read_items(struct store *s, int k, size_t count, struct item_list *out) {
    memset(out, 0, sizeof *out);
    return count ? store_items_read(s, (enum split)k, 0, count, out) : OK;
}

static enum status map_items(struct merger *m, int k, int *missing, struct item_list *theirs) {
    struct item_list ours;
    *missing = 0;
    mem_free(m->here[k]);
    mem_free(m->there[k]);
    m->here[k] = mem_array(m->their_items[k] + 1, sizeof *m->here[k]);
    m->there[k] = mem_array(m->items[k] + 1, sizeof *m->there[k]);
    if (!m->here[k] || !m->there[k]) return fail(ERR_NOMEM, "merge: out of memory");
    for (size_t i = 0; i < m->items[k]; i++) m->there[k][i] = SIZE_MAX;
    TRY(read_items(m->s, k, m->items[k], &ours));
    match(m, k, &ours, theirs);
    for (size_t i = 0; i < theirs->count; i++) *missing |= m->here[k][i] == SIZE_MAX;
    item_list_free(&ours);
    return OK;
}

static enum status merge_split(struct merger *m, int k) {
    struct item_list theirs;
    int missing;
    TRY(read_items(m->other, k, m->their_items[k], &theirs));
    enum status st = map_items(m, k, &missing, &theirs);
    if (st == OK && missing && m->o->what & MERGE_QUERIES) {
        st = add_items(m, k, &theirs);
        if (st == OK) st = store_items_count(m->s, (enum split)k, &m->items[k]);
        if (st == OK) st = map_items(m, k, &missing, &theirs);
    }
    item_list_free(&theirs);
    return st;
}

/* The noise of a query is keyed on its number too. */
static void say_numbers(const struct merger *m, int k) {
    size_t moved = 0, first = 0;
    for (size_t i = m->their_items[k]; i-- > 0;)
        if (m->here[k][i] != SIZE_MAX && m->here[k][i] != i) {
            moved++;
            first = i;
        }
    if (moved)
        merge_say(m, "%s queries with other numbers there: %zu, as %s:%zu for %s:%zu here; what comes of them was made with the noise of those",
                  split_name((enum split)k), moved, split_name((enum split)k), first, split_name((enum split)k), m->here[k][first]);
}

static enum status merge_queries(struct merger *m) {
    size_t n = m->items[SPLIT_TRAIN];
    m->here[SPLIT_TRAIN] = mem_array(n + 1, sizeof(size_t));
    m->there[SPLIT_TRAIN] = mem_array(n + 1, sizeof(size_t));
    if (!m->here[SPLIT_TRAIN] || !m->there[SPLIT_TRAIN]) return fail(ERR_NOMEM, "merge: out of memory");
    for (size_t i = 0; i < n; i++) m->here[SPLIT_TRAIN][i] = m->there[SPLIT_TRAIN][i] = i;
    for (int k = SPLIT_VAL; k <= SPLIT_GEN; k++) {
        TRY(merge_split(m, k));
        if (m->o->what & (MERGE_SCORES | MERGE_FEATURES)) say_numbers(m, k);
    }
    return OK;
}

/* --- numbers per item --- */

static enum status merge_stat(struct merger *m, const struct stat_set *set) {
    struct stat_key their = { set->name, set->key, set->checkpoint, set->split }, our = their;
    size_t n = m->their_items[set->split], here = m->items[set->split], have, put = 0;
    if (set->checkpoint && !(our.checkpoint = merge_checkpoint(m, set->checkpoint))) return OK;
    double *a = mem_array(n + 1, sizeof *a), *b = mem_array(here + 1, sizeof *b);
    enum status st = a && b ? OK : fail(ERR_NOMEM, "merge: out of memory");
    if (st == OK) st = store_stat_get(m->other, &their, 0, n, a, &have);
    if (st == OK) st = store_stat_get(m->s, &our, 0, here, b, &have);
    if (st == OK) st = store_begin(m->s);
    int begun = st == OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        size_t at = m->here[set->split][i];
        if (!isfinite(a[i]) || at == SIZE_MAX || at >= here || !isnan(b[at])) continue;
        st = store_stat_put(m->s, &our, at, 1, &a[i]);
        put++;
    }
    if (st == OK) st = store_commit(m->s);
    if (st != OK && begun) store_rollback(m->s);
    if (st == OK) m->r->numbers += put;
    mem_free(a);
    mem_free(b);
    return st;
}

enum status merge_numbers(struct merger *m) {
    struct stat_set_list l;
    TRY(store_stats_list(m->other, &l));
    enum status st = OK;
    for (size_t i = 0; i < l.count && st == OK; i++) {
        st = progress_check(m->p);
        if (st == OK) st = merge_stat(m, &l.set[i]);
    }
    stat_set_list_free(&l);
    return st;
}

/* --- all of it --- */

/* No network retrained there is an error only when nothing else was asked for. */
static enum status merge_subsets(struct merger *m, const char *from) {
    struct retrained_counts n;
    if (!(m->o->what & MERGE_SUBSETS)) return OK;
    if (m->o->what != MERGE_SUBSETS) {
        TRY(store_retrained_count(m->other, &n));
        if (!n.done && !n.diverged) return OK;
    }
    return pipeline_merge(m->s, from, m->p, &m->r->subsets);
}

static enum status run(struct merger *m, const char *from) {
    char why[512] = "";
    TRY(count_items(m));
    TRY(check_project(m));
    TRY(merge_checkpoints(m));
    TRY(merge_queries(m));
    enum status subsets = merge_subsets(m, from);
    if (subsets != OK && subsets != ERR_RANGE) return subsets;
    if (subsets != OK) snprintf(why, sizeof why, "%s", fail_reason());
    if (m->o->what & MERGE_SCORES) TRY(merge_scores(m));
    if (m->o->what & MERGE_FEATURES) TRY(merge_features(m));
    if (m->o->what & (MERGE_SCORES | MERGE_FEATURES)) TRY(merge_numbers(m));
    return subsets == OK ? OK : fail(subsets, "%s", why);
}

enum status pipeline_merge_all(struct store *s, const char *from, const struct merge_options *o, const struct progress *p,
                               struct merge_summary *r) {
    struct merger m = { .s = s, .o = o, .p = p, .r = r };
    *r = (struct merge_summary){ 0 };
    struct stat here, there;
    if (stat(store_path(s), &here) == 0 && stat(from, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino)
        return fail(ERR_USAGE, "merge: %s is the database itself; another copy of it is expected", from);
    TRY(store_open(&m.other, from, STORE_READ));
    enum status st = run(&m, from);
    checkpoint_list_free(&m.ours);
    checkpoint_list_free(&m.theirs);
    mem_free(m.checkpoint);
    for (int k = 0; k < SPLIT_COUNT; k++) {
        mem_free(m.here[k]);
        mem_free(m.there[k]);
    }
    store_close(m.other);
    return st;
}
