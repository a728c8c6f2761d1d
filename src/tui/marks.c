/* marks.c - the items that the user marked.
 *
 * Marks live in the database.  Where it is only browsed they stay in memory, for
 * this session. */
#include "app.h"

#include "dtrak/mem.h"

#include <string.h>

void marks_free(struct app *a) {
    for (int s = 0; s < SPLIT_COUNT; s++) mem_free(a->marks.on[s]);
    memset(&a->marks, 0, sizeof a->marks);
}

static enum status load_split(struct app *a, enum split split) {
    size_t n = a->catalog.count[split], old = a->marks.n[split];
    struct index_list list = { NULL, 0 };
    unsigned char *on = mem_array(n + 1, 1);
    if (!on) return fail(ERR_NOMEM, "marks: out of memory");
    /* What is only in memory goes over; what is stored is as stored. */
    if (!app_writes(a) && a->marks.on[split]) memcpy(on, a->marks.on[split], n < old ? n : old);
    if (app_writes(a) || !a->marks.on[split]) {
        enum status st = store_marks_list(a->store, split, &list);
        if (st != OK) {
            mem_free(on);
            return st;
        }
        for (size_t i = 0; i < list.count; i++)
            if (list.index[i] < n) on[list.index[i]] = 1;
        index_list_free(&list);
    }
    a->marks.changes += n != old || !a->marks.on[split] || memcmp(on, a->marks.on[split], n) != 0;
    mem_free(a->marks.on[split]);
    a->marks.on[split] = on;
    a->marks.n[split] = n;
    a->marks.count[split] = 0;
    for (size_t i = 0; i < n; i++) a->marks.count[split] += on[i];
    return OK;
}

enum status marks_load(struct app *a) {
    for (int s = 0; s < SPLIT_COUNT; s++) TRY(load_split(a, (enum split)s));
    return OK;
}

int marks_has(const struct app *a, struct item_ref ref) {
    return ref.index < a->marks.n[ref.split] && a->marks.on[ref.split][ref.index];
}

enum status marks_set(struct app *a, struct item_ref ref, int on) {
    if (ref.index >= a->marks.n[ref.split] || marks_has(a, ref) == on) return OK;
    if (app_writes(a)) TRY(store_mark_set(a->store, ref, on));
    a->marks.on[ref.split][ref.index] = (unsigned char)on;
    if (on) a->marks.count[ref.split]++;
    else a->marks.count[ref.split]--;
    return OK;
}

void marks_toggle(struct app *a, struct item_ref ref) {
    char id[32];
    int on = !marks_has(a, ref);
    item_ref_format(id, ref);
    if (marks_set(a, ref, on) != OK) {
        app_say(a, STYLE_ERROR, "%s", fail_reason());
        return;
    }
    set_changed(a);
    if (filter_speaks_of_marks(a->ranking.filter)) ranking_filter(a, a->ranking.filter);
    gallery_marked(a);
    app_say(a, STYLE_NORMAL, "%s %s; %zu %s marked%s%s%s%s", id, on ? "marked" : "no longer marked", a->marks.count[ref.split],
            split_name(ref.split), ref.split == SPLIT_TRAIN ? ": " : "", ref.split == SPLIT_TRAIN ? key_for(a, ACT_set) : "",
            ref.split == SPLIT_TRAIN ? " shows them" : "",
            app_writes(a) ? "" : " (not kept: the database is only read)");
}

enum status marks_replace(struct app *a, const size_t *train, size_t count) {
    size_t n = a->marks.n[SPLIT_TRAIN];
    unsigned char *want = mem_array(n + 1, 1);
    if (!want) return fail(ERR_NOMEM, "marks: out of memory");
    for (size_t i = 0; i < count; i++)
        if (train[i] < n) want[train[i]] = 1;
    enum status st = app_writes(a) ? store_begin(a->store) : OK;
    for (size_t i = 0; st == OK && i < n; i++) st = marks_set(a, (struct item_ref){ SPLIT_TRAIN, i }, want[i]);
    mem_free(want);
    if (app_writes(a)) {
        if (st == OK) st = store_commit(a->store);
        if (st != OK) {
            store_rollback(a->store);
            marks_load(a);     /* as stored */
        }
    }
    return st;
}
