/* cmd_import.c - dtrak import DB FILE: what other programs computed. */
#include "dtrak/cli.h"
#include "dtrak/interchange.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "from", 1, "KIND", "npy, raw, safetensors, pickle, csv, traker, d-trak or bergson" },
    { "axes", 1, "A,B", "scores: query,train or train,query: which axis comes first; must be said" },
    { "features", 0, NULL, "the array holds features, a row for each item of --split" },
    { "split", 1, "SPLIT", "whose scores or features they are: val or gen, features also train (gen)" },
    { "method", 1, "M", "of scores: trak, dtrak, grad-cos, journey, das, ... (trak)" },
    { "loss", 1, "L", "simple elbo square avg l1 l2 linf" },
    { "lambda", 1, "L", "of scores: 0.05, abs:500 or auto" },
    { "checkpoint", 1, "C", "one that is here, or the step of a network that is not (last, else 0)" },
    { "timesteps", 1, "K", "that the loss was averaged over" },
    { "rule", 1, "R", "uniform or cumulative (uniform)" },
    { "dims", 1, "Z", "numbers per row of a raw file; of other scores: of the features behind them" },
    { "used", 1, "K", "take the first K columns of the features only" },
    { "type", 1, "T", "of a raw file: float16, bfloat16, float32 or float64 (float32)" },
    { "tensor", 1, "NAME", "of safetensors: its name; of lists in a pickle: a place, 0.3; of bergson: a module" },
    { "query-index", 1, "FILE", "which item of --split each row is: .npy, .pkl, or text, a number a line (in order)" },
    { "train-index", 1, "FILE", "which training item each column of scores is, the same way (in order)" },
    { "projection", 1, "NAME", "how features were projected: sets of two names are not mixed (imported)" },
    { "projection-seed", 1, "S", "its seed (0)" },
    { "noise-seed", 1, "S", "seed of the noise (0)" },
    { "name", 1, "TEXT", "recorded with it (the file's name)" },
    { "experiment", 1, "NAME", "traker: which (the only one with as many targets as --split has items)" },
    { "setting", 1, "S", "d-trak: which, as in 5000-0.5 (the tree's only one)" },
    { "allow-zero", 0, NULL, "rows of zeros are as they should be" },
    { "in-place", 0, NULL, "features stay in their files, which must not change; below the database's folder" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

/* --- which options there are for what is imported --- */

enum {
    ARRAYS = 1u << IMPORT_NPY | 1u << IMPORT_RAW | 1u << IMPORT_SAFETENSORS | 1u << IMPORT_PICKLE,
    CSV = 1u << IMPORT_CSV, TRAKER = 1u << IMPORT_TRAKER, BERGSON = 1u << IMPORT_BERGSON, DTRAK = 1u << IMPORT_DTRAK,
    ANY = IMPORT_FEATURES | IMPORT_SCORES,
};

/* Other options are for every import. */
static const struct { const char *name; unsigned kinds, content; const char *what; } meant_for[] = {
    { "axes", ARRAYS, IMPORT_SCORES, "arrays of scores" },
    { "features", ARRAYS | BERGSON, ANY, "arrays and bergson" },
    { "split", ~(unsigned)DTRAK, ANY, "what is of one split" },
    { "method", ~(unsigned)DTRAK, IMPORT_SCORES, "scores whose file does not say it" },
    { "loss", ~(unsigned)DTRAK, ANY, "what does not say its own" },
    { "lambda", ~(unsigned)DTRAK, IMPORT_SCORES, "scores that do not say their own" },
    { "timesteps", ~(unsigned)DTRAK, ANY, "what does not say its own" },
    { "rule", ARRAYS | TRAKER | BERGSON, IMPORT_FEATURES, "features that do not say their own" },
    { "dims", 1u << IMPORT_RAW, ANY, NULL },
    { "dims", ARRAYS | CSV | BERGSON, IMPORT_SCORES, "raw files and for scores that do not say their own" },
    { "used", ARRAYS | BERGSON | DTRAK, IMPORT_FEATURES, "features of arrays, d-trak and bergson" },
    { "type", 1u << IMPORT_RAW, ANY, "raw files" },
    { "tensor", 1u << IMPORT_SAFETENSORS | 1u << IMPORT_PICKLE, ANY, NULL },
    { "tensor", BERGSON, IMPORT_FEATURES, "safetensors, pickles and features of bergson" },
    { "query-index", ARRAYS | BERGSON, ANY, "arrays and bergson" },
    { "train-index", ARRAYS | BERGSON, IMPORT_SCORES, "the columns of scores of arrays and bergson; --query-index is for the rows of features" },
    { "projection", ARRAYS | TRAKER | BERGSON, IMPORT_FEATURES, "features of arrays, traker and bergson" },
    { "projection-seed", ARRAYS | TRAKER | BERGSON, IMPORT_FEATURES, "features of arrays, traker and bergson" },
    { "noise-seed", ARRAYS | TRAKER | BERGSON, IMPORT_FEATURES, "features of arrays, traker and bergson" },
    { "name", ~(unsigned)DTRAK, ANY, "what has no names of its own" },
    { "experiment", TRAKER, ANY, "traker" },
    { "setting", DTRAK, ANY, "d-trak" },
    { "allow-zero", ~(unsigned)CSV, ANY, "rows of numbers" },
    { "in-place", ARRAYS | TRAKER | BERGSON | DTRAK, IMPORT_FEATURES, "features; scores are copied" },
};

/* What would be ignored is refused: it may have been meant to say which row is which item. */
static enum status check_options(const struct args *a, const struct import_options *o, const char *from) {
    unsigned content = import_content(o), kind = 1u << o->kind;
    int said = 0;
    for (size_t i = 0; i < sizeof meant_for / sizeof *meant_for; i++) {
        said |= (meant_for[i].kinds & kind) && (meant_for[i].content & content);
        if (!meant_for[i].what) continue;       /* the option goes on in the next line */
        if (!said && args_has(a, meant_for[i].name))
            return fail(ERR_USAGE, "--%s does nothing for %s from %s: it is for %s", meant_for[i].name,
                        content == ANY ? "what comes" : content & IMPORT_SCORES ? "scores" : "features", from, meant_for[i].what);
        said = 0;
    }
    return OK;
}

static enum status read_axes(const struct args *a, struct import_options *o) {
    const char *word = args_text(a, "axes", NULL);
    int wants = (1u << o->kind & ARRAYS) != 0;
    if (word && !strcmp(word, "query,train")) o->axes = AXES_QUERY_TRAIN;
    else if (word && !strcmp(word, "train,query")) o->axes = AXES_TRAIN_QUERY;
    else if (word) return fail(ERR_USAGE, "--axes '%s' is neither query,train nor train,query", word);
    if (!word && wants && !o->features)
        return fail(ERR_USAGE, "tools disagree about the order of axes: say --axes query,train or --axes train,query (or --features)");
    return OK;
}

static enum status read_options(const struct args *a, struct import_options *o) {
    const char *from = args_text(a, "from", NULL), *split = args_text(a, "split", "gen");
    if (!from) return fail(ERR_USAGE, "--from says what the file is: npy, raw, safetensors, pickle, csv, traker, d-trak or bergson");
    *o = (struct import_options)IMPORT_DEFAULTS;
    o->kind = import_kind_parse(from);
    if (o->kind == IMPORT_KINDS) return fail(ERR_USAGE, "--from '%s' is none of npy, raw, safetensors, pickle, csv, traker, d-trak, bergson", from);
    o->split = split_parse(split);
    o->features = args_has(a, "features");
    if (o->split == SPLIT_COUNT || (o->split == SPLIT_TRAIN && !o->features && o->kind != IMPORT_BERGSON))
        return fail(ERR_USAGE, "--split '%s' is neither val nor gen%s", split, o->features ? " nor train" : "");
    o->path = a->file[1];
    TRY(check_options(a, o, from));
    TRY(read_axes(a, o));
    o->raw_type = array_type_parse(args_text(a, "type", "float32"));
    if (o->raw_type > ARRAY_F64) return fail(ERR_USAGE, "--type is none of float16, bfloat16, float32, float64");
    o->tensor = args_text(a, "tensor", NULL);
    o->query_index = args_text(a, "query-index", NULL);
    o->train_index = args_text(a, "train-index", NULL);
    o->method = args_text(a, "method", "trak");
    o->loss = args_text(a, "loss", NULL);
    o->lambda = args_text(a, "lambda", NULL);
    o->checkpoint = args_text(a, "checkpoint", NULL);
    o->name = args_text(a, "name", NULL);
    o->experiment = args_text(a, "experiment", NULL);
    o->setting = args_text(a, "setting", NULL);
    o->projection = args_text(a, "projection", NULL);
    o->rule = args_text(a, "rule", NULL);
    o->allow_zero = args_has(a, "allow-zero");
    o->in_place = args_has(a, "in-place");
    TRY(cli_feature_root(a));
    TRY(args_size(a, "timesteps", 1, 1000000, &o->timesteps));
    TRY(args_size(a, "dims", 1, 1 << 24, &o->dims));
    TRY(args_size(a, "used", 1, 1 << 24, &o->used));
    TRY(args_u64(a, "projection-seed", &o->projection_seed));
    return args_u64(a, "noise-seed", &o->noise_seed);
}

static void print_result(const struct import_result *r) {
    const char *comma = "";
    if (r->items) printf("%zu items", r->items), comma = ", ";
    if (r->feature_sets) printf("%s%zu feature set%s, %zu rows of %zu", comma, r->feature_sets, r->feature_sets > 1 ? "s" : "", r->rows, r->k), comma = ", ";
    if (r->mapped) printf(" (%s in place)", (size_t)r->mapped == r->feature_sets ? "staying" : "some staying");
    if (r->score_sets)
        printf("%s%zu score set%s, %zu queries by %zu training items", comma, r->score_sets, r->score_sets > 1 ? "s" : "", r->queries, r->n), comma = ", ";
    if (r->subsets) printf("%s%zu subsets with %zu outputs", comma, r->subsets, r->outputs), comma = ", ";
    if (r->checkpoint_step >= 0) printf("%scheckpoint %lld", comma, (long long)r->checkpoint_step);
    if (r->checkpoints_made) printf(" (new, without weights)");
    if (r->lists) printf("; of %d queries only the ends of the ranking", r->lists);
    if (r->note[0]) printf("; %s", r->note);
    printf("\n");
}

static enum status run_import(const struct args *a) {
    struct import_options o;
    struct import_result r;
    struct store *s = NULL;
    struct console c;
    TRY(read_options(a, &o));
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_import(s, &o, &c.progress, &r);
    console_end(&c);
    if (st == OK) print_result(&r);
    return cli_close(s, st);
}

const struct command command_import = {
    "import", "DB FILE", "bring scores and features that other programs made", options, 2, 2,
    "  dtrak import my.db scores.npy --from npy --axes query,train --method trak --loss square --checkpoint 8000\n"
    "  dtrak import my.db train.npy --from raw --dims 32768 --features --split train --loss square --timesteps 100\n"
    "  dtrak import my.db D-TRAK/CIFAR2 --from d-trak --setting 5000-0.5\n"
    "  dtrak import my.db runs/index --from bergson --split train --loss simple --in-place\n"
    "  dtrak import my.db top.csv --from csv --method pixel-cos\n", run_import
};
