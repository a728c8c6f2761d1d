/* filter.c - which items a filter line lets through.
 *
 * A filter is words; an item passes when every word holds of it:
 *     label:boot   caption:red   the label (its name or number), the caption contains the text
 *     score>0.1    score<-2      of training items, under the present setting
 *     marked                     the user marked it
 *     gen:17, 17                 that very item
 *     boot                       label, caption or original name contains it
 * and !word when the word does not hold. */
#include "app.h"

#include "dtrak/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The next word of *at, without its '!'; 0: none is left. */
static int next_word(const char **at, char *out, size_t size, int *negated) {
    size_t n;
    while (**at == ' ') ++*at;
    if (!**at) return 0;
    *negated = **at == '!' && (*at)[1] && (*at)[1] != ' ';
    if (*negated) ++*at;
    n = strcspn(*at, " ");
    snprintf(out, size, "%.*s", (int)n, *at);
    *at += n;
    return 1;
}

/* Of a "score>X"; 0: it is none. */
static int score_bound(const char *word, float *bound) {
    char *end;
    if (strncmp(word, "score", 5) != 0 || (word[5] != '<' && word[5] != '>')) return 0;
    errno = 0;
    *bound = strtof(word + 6, &end);
    return end != word + 6 && !*end ? word[5] == '<' ? -1 : 1 : 2;
}

int filter_check(struct app *a, const char *text, int has_scores) {
    char word[128];
    float bound;
    int negated;
    while (next_word(&text, word, sizeof word, &negated)) {
        int kind = score_bound(word, &bound);
        if (kind == 2) app_say(a, STYLE_WARN, "'%s': a number is expected, as in score>0.5", word);
        else if (kind && !has_scores) app_say(a, STYLE_WARN, "'%s': only training items have scores; %s on the ranking takes it", word, key_for(a, ACT_filter));
        else continue;
        return 0;
    }
    return 1;
}

static int word_holds(const struct app *a, const struct facts *f, const char *word) {
    char number[16];
    if (strcmp(word, "marked") == 0) return marks_has(a, f->ref);
    if (strncmp(word, "caption:", 8) == 0) return facts_caption_contains(f, word + 8);
    if (strncmp(word, "label:", 6) == 0) {
        snprintf(number, sizeof number, "%d", f->label);
        return f->label >= 0 && (strcmp(number, word + 6) == 0 || (f->name[0] && facts_contain(f->name, word + 6)));
    }
    return item_matches(f, word);
}

/* Every word that is not about scores. */
static int passes(const struct app *a, const struct facts *f, const char *text) {
    char word[128];
    float bound;
    int negated;
    while (next_word(&text, word, sizeof word, &negated))
        if (!score_bound(word, &bound) && word_holds(a, f, word) == negated) return 0;
    return 1;
}

/* Words about labels and marks alone: then what is in memory answers for every item. */
static int is_quick(const char *text) {
    char word[128];
    float bound;
    int negated;
    while (next_word(&text, word, sizeof word, &negated))
        if (!score_bound(word, &bound) && strcmp(word, "marked") != 0 && strncmp(word, "label:", 6) != 0) return 0;
    return 1;
}

static const char *label_name_of(const struct label_list *l, int label) {
    for (size_t i = 0; i < l->count; i++)
        if (l->label[i].label == label) return l->label[i].name;
    return "";
}

static void filter_train_quickly(struct app *a, const char *text, unsigned char *pass) {
    struct facts f;
    const struct label_list *l = catalog_labels(a);
    memset(&f, 0, sizeof f);
    for (size_t i = 0; a->catalog.label.train && i < a->catalog.count[SPLIT_TRAIN]; i++) {
        f.ref = (struct item_ref){ SPLIT_TRAIN, i };
        f.label = a->catalog.label.train[i];
        snprintf(f.name, sizeof f.name, "%s", label_name_of(l, f.label));
        pass[i] = (unsigned char)passes(a, &f, text);
    }
}

struct filtering { const struct app *a; const char *text; unsigned char *pass; size_t n; };

static void filter_item(void *ctx, const struct item *it) {
    struct filtering *x = ctx;
    struct facts f;
    if (it->index >= x->n) return;
    facts_of_item(&f, it);
    x->pass[it->index] = (unsigned char)passes(x->a, &f, x->text);
}

enum status filter_items(struct app *a, enum split split, const char *text, unsigned char *pass) {
    struct filtering x = { a, text, pass, a->catalog.count[split] };
    memset(pass, 0, x.n);
    if (split == SPLIT_TRAIN && is_quick(text)) {
        filter_train_quickly(a, text, pass);
        return OK;
    }
    return store_items_visit(a->store, split, filter_item, &x);
}

int filter_score(const char *text, float score) {
    char word[128];
    float bound;
    int negated;
    while (next_word(&text, word, sizeof word, &negated)) {
        int kind = score_bound(word, &bound);
        if (kind && (kind < 0 ? score < bound : score > bound) == negated) return 0;
    }
    return 1;
}

int filter_speaks_of_marks(const char *text) {
    char word[128];
    int negated;
    while (next_word(&text, word, sizeof word, &negated))
        if (strcmp(word, "marked") == 0) return 1;
    return 0;
}
