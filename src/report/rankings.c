/* rankings.c - which queries are meant, and their rankings in one setting. */
#include "dtrak/rankings.h"

#include "dtrak/mem.h"
#include "dtrak/queries.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_there(const struct report_rankings *r, struct item_ref q) {
    for (size_t i = 0; i < r->count; i++)
        if (r->one[i].query.split == q.split && r->one[i].query.index == q.index) return 1;
    return 0;
}

static enum status add(struct report_rankings *r, struct store *s, const struct report_request *ask, struct item_ref q,
                       const struct progress *p) {
    struct report_request one = *ask;
    TRY(progress_check(p));
    if (is_there(r, q)) return OK;
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        struct report_ranking *more = mem_resize(r->one, r->room, room, sizeof *more);
        if (!more) return fail(ERR_NOMEM, "rankings: out of memory");
        r->one = more;
        r->room = room;
    }
    if (!one.checkpoint && one.one_network && r->count && r->one[0].has_checkpoint) one.checkpoint = r->one[0].spelled;
    one.query = q;
    TRY(report_ranking_load(&r->one[r->count], s, &one));
    r->count++;
    return OK;
}

/* Whether images may be of several networks, each asked about its own. */
static enum status has_networks(struct store *s, const struct report_request *ask, int *several) {
    struct checkpoint_list l;
    *several = 0;
    if (ask->checkpoint || ask->one_network) return OK;
    TRY(store_checkpoints_list(s, &l));
    for (size_t i = 0; i < l.count; i++) *several |= l.checkpoint[i].network > 0;
    checkpoint_list_free(&l);
    return OK;
}

/* Of the split's first item: what is not there, and what makes it. */
static enum status say_missing(struct store *s, const struct report_request *probe) {
    struct report_request one = *probe;
    struct report_ranking of;
    one.any_query = 0;
    TRY(report_ranking_load(&of, s, &one));
    report_ranking_free(&of);   /* another program has just made it */
    return fail(ERR_MISSING, "none of these items has scores in this setting yet");
}

/* Every item of a split that has scores in the setting.  *there: some have. */
static enum status add_split(struct report_rankings *r, struct store *s, const struct report_request *ask, enum split split,
                             int *there, const struct progress *p) {
    struct report_request probe = *ask;
    struct report_ranking of;
    size_t count;
    TRY(store_items_count(s, split, &count));
    probe.query = (struct item_ref){ split, 0 };
    probe.top = probe.bottom = 0;
    probe.any_query = 1;
    if (!count) return fail(ERR_MISSING, "there are no %s items", split_name(split));
    enum status first = report_ranking_load(&of, s, &probe);
    int several = 0, found = 0;
    if (first == OK) report_ranking_free(&of);
    else if (first != ERR_MISSING) return first;
    else TRY(has_networks(s, ask, &several));
    if (first != OK && !several) return first;
    struct report_request each = *ask;
    each.no_offer = 1;
    for (size_t i = 0; i < count; i++) {
        enum status st = add(r, s, &each, (struct item_ref){ split, i }, p);
        if (st == OK) found = 1;
        else if (st != ERR_MISSING) return st;
        r->left_out += st == ERR_MISSING;
    }
    *there |= found;
    return found ? OK : say_missing(s, &probe);
}

static enum status add_all(struct report_rankings *r, struct store *s, const struct report_request *ask, unsigned splits,
                           const struct progress *p) {
    static const enum split order[2] = { SPLIT_GEN, SPLIT_VAL };
    enum status first = OK;
    char why[4096] = "";   /* as much as is said of a failure */
    int there = 0;
    for (int i = 0; i < 2; i++) {
        if (!(splits & 1u << order[i])) continue;
        enum status st = add_split(r, s, ask, order[i], &there, p);
        if (st != OK && st != ERR_MISSING) return st;
        if (st != OK && first == OK) {
            first = st;
            snprintf(why, sizeof why, "%s", fail_reason());
        }
    }
    return there ? OK : fail(first, "%s", why);
}

static enum status add_span(struct report_rankings *r, struct store *s, const struct report_request *ask, const char *word,
                            const struct progress *p) {
    struct query_span x;
    TRY(query_span_parse(&x, word));
    if (x.all) return add_all(r, s, ask, x.splits, p);
    enum split split = x.splits & 1u << SPLIT_GEN ? SPLIT_GEN : SPLIT_VAL;
    for (size_t i = x.first; i <= x.last; i++) TRY(add(r, s, ask, (struct item_ref){ split, i }, p));
    return OK;
}

enum status report_rankings_load(struct report_rankings *out, struct store *s, const struct report_request *r,
                                 const char *queries, const struct progress *p) {
    enum status st = OK;
    *out = (struct report_rankings){ 0 };
    while (st == OK) {
        char word[64];
        size_t len = strcspn(queries, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), queries);
        st = add_span(out, s, r, word, p);
        if (!queries[len]) break;
        queries += len + 1;
    }
    if (st != OK) report_rankings_free(out);
    return st;
}

void report_rankings_free(struct report_rankings *r) {
    for (size_t i = 0; i < r->count; i++) report_ranking_free(&r->one[i]);
    mem_free(r->one);
    *r = (struct report_rankings){ 0 };
}
