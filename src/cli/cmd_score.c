/* cmd_score.c - dtrak score DB: from features to scores of every query. */
#include "dtrak/cli.h"
#include "dtrak/cost.h"
#include "dtrak/lambda.h"
#include "dtrak/method.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "method", 1, "LIST", "trak grad-cos das nda ..., see the manual; dtrak is trak with loss square (trak)" },
    { "loss", 1, "LIST", "simple elbo square avg l1 l2 linf, or all (simple)" },
    { "checkpoint", 1, "LIST", "steps, percentages, names of networks, last or all (last)" },
    { "lambda", 1, "LIST", "ridge: 0.05 (relative), abs:500, auto, or grid: all 27 (auto)" },
    { "timesteps", 1, "N", "of the features (the most there are)" },
    { "dims", 1, "K", "of the features (of those with the most timesteps the most there are)" },
    { "split", 1, "LIST", "val, gen: which queries (both)" },
    { "query", 1, "ITEMS", "only these: gen:0, gen:3-7, val:all, several with commas" },
    { "solver", 1, "HOW", "direct (a decomposition), krylov (per query), auto: what fits the memory" },
    { "ensemble", 0, NULL, "also the mean over the checkpoints" },
    { "embedding", 1, "NAME", "of embed-dot, embed-cos: which embedding (the only one there is)" },
    { "errors", 0, NULL, "also error bars of trak: from features in blocks and of other projection seeds" },
    { "das", 1, "FORM", "of das: derived, released; none rms released, each also with +leverage (derived)" },
    { "patch", 1, "P", "of nda: side of a patch, in pixels (7)" },
    { "down-patch", 1, "P", "of nda: also patches of this even side at half the resolution" },
    { "alpha", 1, "A", "of nda: weight of the first scale when there are two (0.5)" },
    { "topk", 1, "N", "of nda: patches of a training image that count, 0 for all (100)" },
    { "at", 1, "LIST", "of nda: timesteps (100,200,300,400,500)" },
    { "self", 0, NULL, "also the self-influence of the training items" },
    { "bits", 1, "9-24", "significant bits of a stored score (as the same scores have, else 24: exact)" },
    { "no-kernel", 0, NULL, "do not keep the packed Gram matrices" },
    { "memory", 1, "SIZE", "at most, as in 800M or 4G (half of the machine's)" },
    { "dry-run", 0, NULL, "say what it will cost and stop" },
    { "threads", 1, "N", "threads (all processors)" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

/* Options that only some methods read, and which. */
static int is_trak(enum method m) { return m == METHOD_TRAK; }
static int is_das(enum method m) { return m == METHOD_DAS || m == METHOD_DAS_SIGNED; }
static int has_network(enum method m) { return method_has_checkpoint(m) || method_has_several(m); }
static int is_nda(enum method m) { return m == METHOD_NDA; }
static const struct {
    const char *option;
    int (*reads)(enum method m);
    const char *of;
} readers[] = {
    { "loss", method_has_loss, "methods of gradients" },
    { "checkpoint", has_network, "methods of a network" },
    { "ensemble", has_network, "methods of a network" },
    { "timesteps", method_has_features, "methods of gradients" },
    { "dims", method_has_features, "methods of gradients" },
    { "lambda", method_has_lambda, "methods with a ridge" },
    { "solver", method_has_lambda, "methods with a ridge" },
    { "errors", is_trak, "trak" },
    { "embedding", method_has_embedding, "embed-dot and embed-cos" },
    { "das", is_das, "das" },
    { "patch", is_nda, "nda" }, { "down-patch", is_nda, "nda" }, { "alpha", is_nda, "nda" },
    { "topk", is_nda, "nda" }, { "at", is_nda, "nda" },
};
enum { READERS = sizeof readers / sizeof *readers };

static enum status check_methods(const struct args *a, const char *methods) {
    char word[64];
    int any = 0, read[READERS] = { 0 };
    for (const char *list = methods; args_next_word(&list, word, sizeof word); any = 1) {
        enum method m;
        TRY(method_read(&m, NULL, word, "--method"));
        if (!method_is_available(m))
            return fail(ERR_USAGE, "--method %s cannot be computed by this version", word);
        for (size_t i = 0; i < READERS; i++) read[i] |= readers[i].reads(m);
    }
    if (!any) return fail(ERR_USAGE, "--method needs at least one name");
    for (size_t i = 0; i < READERS; i++)
        if (!read[i] && args_has(a, readers[i].option))
            return fail(ERR_USAGE, "--%s is for %s; --method %s does not read it", readers[i].option, readers[i].of, methods);
    return OK;
}

static enum status read_solver(const struct args *a, enum score_solver *out) {
    static const char *const names[] = { [SOLVER_AUTO] = "auto", [SOLVER_DIRECT] = "direct", [SOLVER_KRYLOV] = "krylov" };
    const char *word = args_text(a, "solver", "auto");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(word, names[i])) {
            *out = (enum score_solver)i;
            return OK;
        }
    return fail(ERR_USAGE, "--solver '%s' is none of auto, direct, krylov", word);
}

static void print_warning(void *ctx, const char *line) { fprintf(ctx, "dtrak: warning: %s\n", line); }

static enum status run_score(const struct args *a) {
    struct score_options o = SCORE_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    struct cost_sink cost;
    struct lambda l[LAMBDA_LIST_MAX];
    size_t lambdas;
    size_t bits = 0;
    o.methods = args_text(a, "method", o.methods);
    TRY(check_methods(a, o.methods));
    TRY(args_losses(a, &o.losses));
    o.checkpoints = args_text(a, "checkpoint", NULL);
    o.lambda = args_text(a, "lambda", NULL);
    TRY(lambda_parse_list(l, &lambdas, o.lambda));
    TRY(args_size(a, "timesteps", 1, 1000, &o.timesteps));
    TRY(args_size(a, "dims", 1, 1u << 24, &o.dims));
    TRY(cli_splits(a, &o.splits));
    o.queries = args_text(a, "query", NULL);
    TRY(read_solver(a, &o.solver));
    TRY(args_size(a, "bits", 9, 24, &bits));
    o.mantissa_bits = (int)bits;
    o.keep_kernel = !args_has(a, "no-kernel");
    o.ensemble = args_has(a, "ensemble");
    o.embedding = args_text(a, "embedding", NULL);
    o.errors = args_has(a, "errors");
    o.das = args_text(a, "das", NULL);
    TRY(args_size(a, "patch", 1, 1000, &o.nda.patch));
    TRY(args_size(a, "down-patch", 2, 1000, &o.nda.down_patch));
    TRY(args_real(a, "alpha", 0, 1, &o.nda.alpha));
    TRY(args_size(a, "topk", 0, 1000000, &o.nda.topk));
    o.nda.at = args_text(a, "at", NULL);
    o.self_influence = args_has(a, "self");
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    TRY(cli_memory(a, &o.memory));
    TRY(cli_feature_root(a));
    cli_cost(&cost, a);
    o.cost = &cost;
    o.warn = print_warning;
    o.warn_ctx = stderr;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_score(s, &o, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

const struct command command_score = {
    "score", "DB", "scores of every training item for every query",
    options, 1, 1,
    "  dtrak score my.db --method trak,dtrak --lambda auto --self\n"
    "  dtrak score my.db --method dtrak --lambda grid --memory 4G\n"
    "  dtrak score my.db --method dtrak --query gen:3 --memory 2G\n"
    "  dtrak score my.db --method grad-cos,pixel-cos --loss simple\n"
    "  dtrak score my.db --method tracin,gas --checkpoint all\n"
    "  dtrak score my.db --method embed-dot,embed-cos --embedding clip --split gen\n"
    "  dtrak score my.db --method dtrak --errors\n"
    "  dtrak score my.db --method emp-influence,datamodel\n"
    "  dtrak score my.db --method nda --patch 7 --at 100,300,500\n", run_score
};
