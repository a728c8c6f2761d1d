/* cmd_drop.c - dtrak drop DB: stored sets and queries go. */
#include "dtrak/cli.h"
#include "dtrak/drop.h"
#include "dtrak/store.h"
#include "dtrak/text.h"

#include <stdio.h>

static const struct option options[] = {
    { "scores", 0, NULL, "score sets" },
    { "rows", 0, NULL, "scores whose LDS was measured; the LDS stays" },
    { "errors", 0, NULL, "error bars of scores, which stay" },
    { "features", 0, NULL, "features; kernels and eigenbases made of them stay" },
    { "kernels", 0, NULL, "kernels of training features" },
    { "bases", 0, NULL, "eigenbases" },
    { "weights", 0, NULL, "weights of checkpoints; what was made with them stays" },
    { "embedding", 1, "NAME", "the embedding of that name" },
    { "query", 1, "ITEMS", "gen:5, gen:5-9, val:0, with commas: with all of theirs; later ones move up" },
    CLI_PICK_OPTIONS("only sets of"),
    { "yes", 0, NULL, "do it; without this only say what would go" },
    { NULL, 0, NULL, NULL },
};

static void print_line(void *ctx, const char *line) {
    char safe[600];
    text_escape(safe, sizeof safe, line);
    fprintf(ctx, "%s\n", safe);
}

static void print_count(const char **comma, size_t n, const char *one, const char *many) {
    if (!n) return;
    printf("%s%zu %s", *comma, n, n == 1 ? one : many);
    *comma = ", ";
}

static void print_dropped(const struct drop_result *r, int really) {
    const char *comma = "";
    print_count(&comma, r->score_sets, "score set", "score sets");
    print_count(&comma, r->emptied, "score set but for its LDS", "score sets but for their LDS");
    print_count(&comma, r->errors, "score set's error bars", "score sets' error bars");
    print_count(&comma, r->feature_sets, "feature set", "feature sets");
    print_count(&comma, r->kernels, "kernel", "kernels");
    print_count(&comma, r->bases, "eigenbasis", "eigenbases");
    print_count(&comma, r->weights, "checkpoint's weights", "checkpoints' weights");
    print_count(&comma, r->embeddings, "part of an embedding", "parts of an embedding");
    print_count(&comma, r->queries, "query", "queries");
    if (r->note[0]) {
        char safe[600];
        text_escape(safe, sizeof safe, r->note);
        printf(" dropped; %s\n", safe);
    } else if (really) printf(" dropped; %.1f MB are now %.1f MB\n", (double)r->bytes_before / 1e6, (double)r->bytes_after / 1e6);
    else printf(" would go; --yes drops them\n");
}

/* What each option of a setting says something about; of anything else it would be passed over,
 * and more would go than was meant. */
#define OF_SCORES (DROP_SCORES | DROP_ROWS | DROP_ERRORS)
#define OF_FEATURES (DROP_FEATURES | DROP_KERNELS | DROP_BASES)
static const struct { const char *option; unsigned of; const char *words; } applies[] = {
    { "method", OF_SCORES, "scores and error bars" },
    { "lambda", OF_SCORES, "scores and error bars" },
    { "split", OF_SCORES | DROP_FEATURES, "scores, error bars and features" },
    { "loss", OF_SCORES | OF_FEATURES, "scores, error bars, features, kernels and eigenbases" },
    { "timesteps", OF_SCORES | OF_FEATURES, "scores, error bars, features, kernels and eigenbases" },
    { "dims", OF_SCORES | OF_FEATURES, "scores, error bars, features, kernels and eigenbases" },
    { "checkpoint", OF_SCORES | OF_FEATURES | DROP_WEIGHTS, "scores, error bars, features, kernels, eigenbases and weights" },
};

static enum status check_applies(const struct args *a, const struct drop_options *o) {
    for (size_t i = 0; i < sizeof applies / sizeof *applies; i++)
        if (args_has(a, applies[i].option) && ((unsigned)o->what & ~applies[i].of || o->embedding || o->queries))
            return fail(ERR_USAGE, "--%s chooses among %s; drop the rest with a command of its own", applies[i].option, applies[i].words);
    return OK;
}

static enum status run_drop(const struct args *a) {
    struct store *s = NULL;
    struct console c;
    struct drop_result r;
    struct drop_options o = { .really = args_has(a, "yes"), .say = print_line, .say_ctx = stdout,
                              .embedding = args_text(a, "embedding", NULL), .queries = args_text(a, "query", NULL) };
    if (args_has(a, "scores")) o.what |= DROP_SCORES;
    if (args_has(a, "rows")) o.what |= DROP_ROWS;
    if (args_has(a, "features")) o.what |= DROP_FEATURES;
    if (args_has(a, "kernels")) o.what |= DROP_KERNELS;
    if (args_has(a, "bases")) o.what |= DROP_BASES;
    if (args_has(a, "errors")) o.what |= DROP_ERRORS;
    if (args_has(a, "weights")) o.what |= DROP_WEIGHTS;
    if (!o.what && !o.embedding && !o.queries)
        return fail(ERR_USAGE, "what is to go? --scores, --rows, --errors, --features, --kernels, --bases, --weights, --embedding NAME or --query ITEMS");
    TRY(check_applies(a, &o));
    TRY(cli_pick(a, &o.pick));
    TRY(cli_open(&s, a->file[0], o.really));
    console_start(&c);
    enum status st = pipeline_drop(s, &o, &c.progress, &r);
    console_end(&c);
    if (st == OK) print_dropped(&r, o.really);
    return cli_close(s, st);
}

const struct command command_drop = {
    "drop", "DB", "take scores, features, kernels or queries out, and give the space back",
    options, 1, 1,
    "  dtrak drop my.db --scores --method grad-dot\n"
    "  dtrak drop my.db --features --checkpoint 25%,50% --yes\n"
    "  dtrak drop my.db --query gen:5,gen:12-15 --yes\n", run_drop
};
