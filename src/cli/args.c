/* args.c - options and files of one command, from its table. */
#include "dtrak/cli.h"

#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/store_item.h"
#include "dtrak/text.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t option_count(const struct command *c) {
    size_t n = 0;
    while (c->options[n].name) n++;
    assert(n <= ARGS_OPTIONS);
    return n;
}

/* The option that word names ("--loss" or "--loss=simple"); -1 when none does. */
static int option_find(const struct command *c, const char *word, const char **inline_value) {
    size_t len = strcspn(word, "=");
    *inline_value = word[len] ? word + len + 1 : NULL;
    for (size_t i = 0, n = option_count(c); i < n; i++)
        if (strlen(c->options[i].name) == len - 2 && !strncmp(c->options[i].name, word + 2, len - 2))
            return (int)i;
    return -1;
}

static enum status unknown_option(const struct command *c, const char *word) {
    int len = (int)strcspn(word, "=");
    const char *near = NULL;
    char name[64];
    snprintf(name, sizeof name, "%.*s", len - 2, word + 2);
    for (size_t i = 0, n = option_count(c); i < n; i++) near = text_nearer(name, near, c->options[i].name);
    return fail(ERR_USAGE, "unknown option %.*s for 'dtrak %s'%s%s%s", len, word, c->name, near ? "; did you mean --" : "", near ? near : "",
                near ? "?" : "");
}

static enum status option_take(struct args *a, int argc, char *const *argv, int *at) {
    const char *inline_value;
    int found = option_find(a->command, argv[*at], &inline_value);
    if (found < 0) return unknown_option(a->command, argv[*at]);
    const struct option *o = &a->command->options[found];
    if (a->given[found]) return fail(ERR_USAGE, "--%s is given twice", o->name);
    a->given[found] = 1;
    if (inline_value && o->values != 1 && !(o->values == 0 && o->value))
        return fail(ERR_USAGE, o->values ? "--%s takes two words: --%s %s" : "--%s takes no value",
                    o->name, o->name, o->value ? o->value : "");
    if (inline_value) {
        a->value[found][0] = inline_value;
        return OK;
    }
    for (int k = 0; k < o->values; k++) {
        if (*at + 1 >= argc)
            return fail(ERR_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        a->value[found][k] = argv[++*at];
    }
    return OK;
}

/* before: the word before it, or NULL. */
static enum status one_too_many(const struct command *c, const char *before, const char *word) {
    struct item_ref ref;
    for (const struct option *o = c->options; before && o->name; o++)
        if (o->value && o->value[0] == '[' && !strncmp(before, "--", 2) && !strcmp(before + 2, o->name))
            return fail(ERR_USAGE, "one word too many: '%s'; a value of --%s is written --%s=%s", word, o->name, o->name, word);
    if (item_ref_parse(&ref, word) == OK) return fail(ERR_USAGE, "one word too many: '%s'; an item is given as --query %s", word, word);
    return fail(ERR_USAGE, "one word too many: '%s'", word);
}

enum status args_parse(struct args *a, const struct command *c, int argc, char *const *argv) {
    *a = (struct args){ .command = c };
    a->file = mem_array((size_t)argc + 1, sizeof *a->file);
    if (!a->file) return fail(ERR_NOMEM, "out of memory for %d words", argc);
    int only_files = 0;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!only_files && !strcmp(word, "--")) {
            only_files = 1;
        } else if (!only_files && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
            a->help = 1;
            return OK;
        } else if (!only_files && word[0] == '-' && word[1] == '-') {
            TRY(option_take(a, argc, argv, &i));
        } else if (!only_files && word[0] == '-' && word[1]) {
            return fail(ERR_USAGE, "unknown option %s for 'dtrak %s'", word, c->name);
        } else {
            if (a->n_files == c->max_files)
                return one_too_many(c, i ? argv[i - 1] : NULL, word);
            a->file[a->n_files++] = word;
        }
    }
    if (a->n_files < c->min_files)
        return fail(ERR_USAGE, "'dtrak %s' needs %s", c->name, c->files);
    return OK;
}

void args_free(struct args *a) {
    mem_free(a->file);
    a->file = NULL;
}

static size_t option_index(const struct args *a, const char *name) {
    size_t i = 0;
    while (a->command->options[i].name && strcmp(a->command->options[i].name, name)) i++;
    assert(a->command->options[i].name);
    return i;
}

int args_has(const struct args *a, const char *name) { return a->given[option_index(a, name)]; }

const char *args_text(const struct args *a, const char *name, const char *otherwise) {
    size_t i = option_index(a, name);
    return a->given[i] && a->value[i][0] ? a->value[i][0] : otherwise;
}

const char *args_second(const struct args *a, const char *name) {
    return a->value[option_index(a, name)][1];
}

enum status args_parse_size(const char *word, const char *what, size_t min, size_t max, size_t *out) {
    char *end;
    errno = 0;
    unsigned long long v = word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, 10) : 0;
    if (word[0] < '0' || word[0] > '9' || *end || errno || v < min || v > max)
        return max == SIZE_MAX ? fail(ERR_USAGE, "%s '%s' is not a whole number of at least %zu", what, word, min)
                               : fail(ERR_USAGE, "%s '%s' is not a whole number from %zu to %zu",
                                      what, word, min, max);
    *out = (size_t)v;
    return OK;
}

enum status args_size(const struct args *a, const char *name, size_t min, size_t max, size_t *out) {
    char what[40];
    if (!args_has(a, name)) return OK;
    snprintf(what, sizeof what, "--%s", name);
    return args_parse_size(args_text(a, name, NULL), what, min, max, out);
}

enum status args_u64(const struct args *a, const char *name, uint64_t *out) {
    size_t v = 0;
    if (!args_has(a, name)) return OK;
    /* SQLite keeps seeds as signed 64-bit integers. */
    TRY(args_size(a, name, 0, (size_t)INT64_MAX, &v));
    *out = v;
    return OK;
}

enum status args_real(const struct args *a, const char *name, double min, double max, double *out) {
    const char *word = args_text(a, name, NULL);
    if (!word) return OK;
    char *end;
    double v = strtod(word, &end);
    if (end == word || *end || !isfinite(v)) return fail(ERR_USAGE, "--%s '%s' is not a number: one from %g to %g is expected", name, word, min, max);
    if (v < min || v > max) return fail(ERR_USAGE, "--%s '%s': a number from %g to %g is expected", name, word, min, max);
    *out = v;
    return OK;
}

int args_next_word(const char **list, char *word, size_t size) {
    const char *s = *list;
    if (!s || !*s) return 0;
    size_t len = strcspn(s, ",");
    snprintf(word, size, "%.*s", (int)len, s);
    *list = s[len] ? s + len + 1 : s + len;
    return 1;
}

enum status args_losses(const struct args *a, unsigned *bits) {
    if (!args_has(a, "loss")) return OK;
    const char *list = args_text(a, "loss", "");
    char word[32];
    unsigned got = 0;
    while (args_next_word(&list, word, sizeof word)) {
        if (!strcmp(word, "all")) {
            got |= (1u << LOSS_COUNT) - 1;
            continue;
        }
        enum loss l = loss_parse(word);
        if (l == LOSS_COUNT)
            return fail(ERR_USAGE, "--loss '%s' is none of simple elbo square avg l1 l2 linf all", word);
        got |= 1u << l;
    }
    if (!got) return fail(ERR_USAGE, "--loss needs at least one of simple elbo square avg l1 l2 linf all");
    *bits = got;
    return OK;
}

void args_print_usage(const struct command *c, void *file) {
    fprintf(file, "usage: dtrak %s%s%s%s\n", c->name, *c->files ? " " : "", c->files, c->options[0].name ? " [options]" : "");
}

void args_print_help(const struct command *c) {
    args_print_usage(c, stdout);
    printf("%s\n", c->summary);
    if (c->options[0].name) printf("\noptions:\n");
    for (const struct option *o = c->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value && o->values ? " " : "",
                 o->value ? o->value : "");
        if (strlen(left) > 24) printf("  %s\n  %-24s", left, "");
        else printf("  %-24s", left);
        printf(" %s\n", o->help);
    }
    printf("\n%s\n%s", strchr(c->example, '\n') == strrchr(c->example, '\n') ? "example:" : "examples:",
           c->example);
}
