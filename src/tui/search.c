/* search.c - which items the search text is found in: of a whole split in one go, since a
 * search may have to look at tens of thousands of them, and remembered for n and N. */
#include "app.h"

#include "dtrak/mem.h"

#include <string.h>

void search_forget(struct app *a) {
    for (int s = 0; s < SPLIT_COUNT; s++) mem_free(a->found.hit[s]);
    memset(&a->found, 0, sizeof a->found);
}

struct scan { const char *text; unsigned char *hit; size_t n; };

static void look_at(void *ctx, const struct item *it) {
    struct scan *x = ctx;
    struct facts f;
    if (it->index >= x->n) return;
    facts_of_item(&f, it);
    x->hit[it->index] = (unsigned char)item_matches(&f, x->text);
}

static enum status scan(struct app *a, enum split split) {
    struct scan x = { a->found.text, NULL, a->catalog.count[split] };
    x.hit = mem_array(x.n + 1, 1);
    if (!x.hit) return fail(ERR_NOMEM, "search: out of memory");
    enum status st = store_items_visit(a->store, split, look_at, &x);
    if (st != OK) {
        mem_free(x.hit);
        return st;
    }
    a->found.hit[split] = x.hit;
    a->found.n[split] = x.n;
    return OK;
}

/* An id says itself which item it means. */
static int is_id(const char *text) { return strchr(text, ':') || text[strspn(text, "0123456789")] == 0; }

int search_finds(struct app *a, struct item_ref ref) {
    if (is_id(a->search)) {
        struct facts f = { .ref = ref };
        return item_matches(&f, a->search);
    }
    if (strcmp(a->found.text, a->search) != 0) {
        search_forget(a);
        snprintf(a->found.text, sizeof a->found.text, "%s", a->search);
    }
    if (!a->found.hit[ref.split] && scan(a, ref.split) != OK) return item_matches(facts_of(a, ref), a->search);
    return ref.index < a->found.n[ref.split] && a->found.hit[ref.split][ref.index];
}
