/* open.c - what several commands do first and last. */
#include "dtrak/cli.h"

#include "dtrak/cost.h"
#include "dtrak/file.h"
#include "dtrak/pick.h"
#include "dtrak/report.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status cli_open(struct store **out, const char *path, int writable) {
    return store_open(out, path, writable ? STORE_WRITE : STORE_READ);
}

enum status cli_close(struct store *s, enum status st) {
    store_close(s);
    return st;
}

enum status cli_out_check(const struct args *a, const char *path, const char *kind) {
    TRY(file_check_ending(path, kind));
    TRY(file_check_replaceable(path));
    return args_has(a, "force") ? OK : file_check_new(path);
}

enum status cli_out_write(const struct args *a, const char *path, const void *bytes, size_t len) {
    return (args_has(a, "force") ? file_write : file_write_new)(path, bytes, len);
}

enum status cli_splits(const struct args *a, unsigned *bits) {
    const char *list = args_text(a, "split", NULL);
    char word[32];
    if (!list) return OK;
    *bits = 0;
    while (args_next_word(&list, word, sizeof word)) {
        enum split split = split_parse(word);
        if (split == SPLIT_COUNT) return fail(ERR_USAGE, "--split '%s' is none of train, val, gen", word);
        *bits |= 1u << split;
    }
    return *bits ? OK : fail(ERR_USAGE, "--split needs train, val or gen");
}

enum status cli_memory(const struct args *a, size_t *bytes) {
    static const char units[] = "KMGT";
    const char *word = args_text(a, "memory", NULL);
    char *end;
    if (!word) return OK;
    double v = word[0] >= '0' && word[0] <= '9' ? strtod(word, &end) : 0, unit = 1;
    if (v > 0) {
        const char *u = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
        int binary = u && (!strcmp(end + 1, "iB") || !strcmp(end + 1, "ib"));
        if (u) unit = pow(binary ? 1024 : 1000, (double)(u - units + 1));
        if (*end && !(u && (!end[1] || binary || !strcmp(end + 1, "B") || !strcmp(end + 1, "b")))) v = 0;
    }
    if (!(v * unit >= 1e6 && v * unit <= 1e15))
        return fail(ERR_USAGE, "--memory '%s' is not a size from 1M to 1000T, as in 800M, 4G or 4GiB", word);
    *bytes = (size_t)(v * unit);
    return OK;
}

enum status cli_feature_root(const struct args *a) { return store_trust_folder(args_text(a, "feature-root", NULL)); }

enum status cli_setting(const struct args *a, struct report_request *r) {
    r->method = args_text(a, "method", NULL);
    r->loss = args_text(a, "loss", NULL);
    r->checkpoint = args_text(a, "checkpoint", NULL);
    r->lambda = args_text(a, "lambda", NULL);
    TRY(args_size(a, "timesteps", 1, 1000, &r->timesteps));
    return args_size(a, "dims", 1, 1u << 24, &r->k);
}

enum status cli_pick(const struct args *a, struct pick *p) {
    *p = (struct pick){ .method = args_text(a, "method", NULL), .loss = args_text(a, "loss", NULL), .lambda = args_text(a, "lambda", NULL),
                        .checkpoint = args_text(a, "checkpoint", NULL) };
    TRY(args_size(a, "timesteps", 1, 1000, &p->timesteps));
    TRY(args_size(a, "dims", 1, 1u << 24, &p->k));
    return cli_splits(a, &p->splits);
}

void cli_say(void *ctx, const char *line) {
    char safe[1024];
    text_escape(safe, sizeof safe, line);
    fprintf(ctx, "dtrak: %s\n", safe);
}

void cli_print_name(const char *path) {
    char safe[4096];
    text_escape(safe, sizeof safe, path);
    fputs(safe, stdout);
}

static void print_cost(void *ctx, const char *what, const struct cost *c) {
    char text[160];
    cost_format(text, sizeof text, c);
    fprintf(ctx, "%s: %s\n", what, text);
    fflush(ctx);
}

void cli_cost(struct cost_sink *out, const struct args *a) {
    int only = args_has(a, "dry-run");
    *out = (struct cost_sink){ print_cost, only ? stdout : stderr, only };
}
