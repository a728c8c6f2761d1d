/* queries.c - words like gen:3-7 as spans of queries, and lists of them as flags. */
#include "dtrak/queries.h"

#include "dtrak/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_word(const char *word) {
    return fail(ERR_USAGE, "'%s' is not a query; gen:17, val:3, gen:3-7, gen:all and all are", word);
}

/* A number that ends at *end; -1: there is none. */
static int read_index(const char *text, const char **end, size_t *out) {
    char *stop;
    if (text[0] < '0' || text[0] > '9' || strspn(text, "0123456789") > 9) return -1;
    *out = (size_t)strtoull(text, &stop, 10);
    *end = stop;
    return 0;
}

enum status query_span_parse(struct query_span *out, const char *word) {
    size_t len = strcspn(word, ":");
    char name[16];
    const char *at;
    *out = (struct query_span){ 1u << SPLIT_GEN | 1u << SPLIT_VAL, 1, 0, 0 };
    if (!strcmp(word, "all")) return OK;
    if (word[len] != ':' || len >= sizeof name) return refuse_word(word);
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    enum split split = split_parse(name);
    if (split == SPLIT_COUNT) return refuse_word(word);
    if (split == SPLIT_TRAIN) return fail(ERR_USAGE, "%s is a training item; a query is a gen or val item", word);
    out->splits = 1u << split;
    if (!strcmp(word + len + 1, "all")) return OK;
    out->all = 0;
    if (read_index(word + len + 1, &at, &out->first) < 0) return refuse_word(word);
    out->last = out->first;
    if (*at == '-' && read_index(at + 1, &at, &out->last) < 0) return refuse_word(word);
    if (*at || out->last < out->first) return refuse_word(word);
    return OK;
}

static enum status pick_split(unsigned char **picked, size_t items, enum split split, const struct query_span *x) {
    size_t first = x->all ? 0 : x->first, last = x->all ? items : x->last + 1;
    if (!items && x->all) return fail(ERR_MISSING, "there are no %s items", split_name(split));
    TRY(item_ref_check((struct item_ref){ split, last - 1 }, items));
    if (!*picked) *picked = mem_array(items, 1);
    if (!*picked) return fail(ERR_NOMEM, "queries: out of memory");
    memset(*picked + first, 1, last - first);
    return OK;
}

enum status queries_pick(unsigned char *picked[SPLIT_COUNT], const size_t items[SPLIT_COUNT], const char *list) {
    int any = 0;
    for (int k = 0; k < SPLIT_COUNT; k++) picked[k] = NULL;
    while (*list) {
        char word[64];
        struct query_span x;
        size_t len = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), list);
        list += len + (list[len] == ',');
        enum status st = query_span_parse(&x, word);
        for (int k = 0; k < SPLIT_COUNT && st == OK; k++)
            /* "all" is what there is. */
            if (x.splits >> k & 1 && (items[k] || x.splits == 1u << k)) st = pick_split(&picked[k], items[k], (enum split)k, &x);
        if (st != OK) {
            for (int k = 0; k < SPLIT_COUNT; k++) {
                mem_free(picked[k]);
                picked[k] = NULL;
            }
            return st;
        }
        any = 1;
    }
    return any ? OK : refuse_word("");
}
