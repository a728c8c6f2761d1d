/* cmd_features.c - dtrak features DB: projected gradients of every item. */
#include "dtrak/cli.h"
#include "dtrak/cost.h"
#include "dtrak/pipeline.h"
#include "dtrak/projection.h"
#include "dtrak/store.h"

#include <string.h>

static const struct option options[] = {
    { "loss", 1, "LIST", "simple elbo square avg l1 l2 linf, or all (simple)" },
    { "checkpoint", 1, "LIST", "steps, percentages, names of networks, last or all (last)" },
    { "split", 1, "LIST", "train, val, gen (all that have items)" },
    { "timesteps", 1, "N", "of the 1000, evenly spaced; N divides 1000 (10)" },
    { "rule", 1, "R", "uniform, or cumulative: the first N timesteps (uniform)" },
    { "journey", 0, NULL, "of generated items along their sampling path, for method journey" },
    { "draws", 1, "D", "noise draws at each timestep (1)" },
    { "blocks", 1, "B", "keep B rows per item, each of every B-th timestep and draw (1)" },
    { "per-timestep", 0, NULL, "keep a row for each timestep: --blocks N" },
    { "projection", 1, "P", "sjlt, sjlt:S with S entries a column, rademacher, gaussian, srht (sjlt)" },
    { "dims", 1, "K,...", "numbers kept per item; of several, a set for each in one go (2048)" },
    { "noise-seed", 1, "S", "of the noise (0)" },
    { "projection-seed", 1, "S", "of the projection (42)" },
    { "float32", 0, NULL, "store rows as float32 instead of float16 with a scale" },
    { "memory", 1, "SIZE", "at most, as in 800M or 4G (half of the machine's)" },
    { "dry-run", 0, NULL, "say what it will cost and stop" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

/* Which timesteps and draws, and how many rows are made of them. */
static enum status read_timesteps(const struct args *a, struct features_options *o) {
    o->rule = args_text(a, "rule", NULL);
    if (o->rule && strcmp(o->rule, "uniform") && strcmp(o->rule, "cumulative"))
        return fail(ERR_USAGE, "--rule '%s' is neither uniform nor cumulative", o->rule);
    if (args_has(a, "journey") && (args_has(a, "timesteps") || args_has(a, "rule") || args_has(a, "blocks") ||
                                   args_has(a, "per-timestep") || o->splits & ~(1u << SPLIT_GEN)))
        return fail(ERR_USAGE, "--journey is of generated items, at the steps they were sampled in; --split, --timesteps, --rule "
                    "and --blocks do not go with it");
    if (args_has(a, "journey")) o->rule = "journey";
    TRY(args_size(a, "timesteps", 1, 100000, &o->timesteps));
    TRY(args_size(a, "draws", 1, 1000, &o->draws));
    if (args_has(a, "blocks") && args_has(a, "per-timestep"))
        return fail(ERR_USAGE, "--per-timestep is --blocks %zu; give one of them", o->timesteps);
    TRY(args_size(a, "blocks", 1, 100000, &o->parts));
    if (args_has(a, "per-timestep")) o->parts = o->timesteps;
    if (!args_has(a, "journey") && o->timesteps * o->draws % o->parts)
        return fail(ERR_USAGE, "--blocks %zu does not divide the %zu pairs of timestep and noise draw", o->parts,
                    o->timesteps * o->draws);
    return OK;
}

static enum status read_dims(const struct args *a, struct features_options *o) {
    const char *list = args_text(a, "dims", "");
    char word[32];
    size_t n = 0, k;
    for (; args_next_word(&list, word, sizeof word); n++) {
        TRY(args_parse_size(word, "dims", 1, 1u << 20, &k));
        if (n == FEATURE_DIMS_MAX) return fail(ERR_USAGE, "--dims takes at most %d numbers at a time", FEATURE_DIMS_MAX);
        if (n) o->more_dims[n - 1] = k;
        else o->dims = k;
    }
    if (args_has(a, "dims") && !n) return fail(ERR_USAGE, "--dims '' is no number");
    return OK;
}

static enum status run_features(const struct args *a) {
    struct features_options o = FEATURES_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    struct cost_sink cost;
    enum projection_kind kind;
    uint32_t nonzeros;
    TRY(args_losses(a, &o.losses));
    o.checkpoints = args_text(a, "checkpoint", NULL);
    TRY(cli_splits(a, &o.splits));
    TRY(read_timesteps(a, &o));
    TRY(read_dims(a, &o));
    o.projection = args_text(a, "projection", NULL);
    if (o.projection && projection_parse(o.projection, &kind, &nonzeros) != OK) return fail(ERR_USAGE, "--%s", fail_reason());
    TRY(args_u64(a, "noise-seed", &o.noise_seed));
    TRY(args_u64(a, "projection-seed", &o.projection_seed));
    o.float32 = args_has(a, "float32");
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    TRY(cli_memory(a, &o.memory));
    cli_cost(&cost, a);
    o.cost = &cost;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_features(s, &o, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

const struct command command_features = {
    "features", "DB", "gradients of the losses for every item, projected to K numbers",
    options, 1, 1,
    "  dtrak features my.db --loss simple,square --checkpoint last --timesteps 10 --dims 2048\n"
    "  dtrak features my.db --loss all --checkpoint all --dry-run\n"
    "  dtrak features my.db --loss simple,square --timesteps 100 --dims 256,1024,4096\n"
    "  dtrak features my.db --loss square --timesteps 100 --draws 2 --blocks 8\n"
    "  dtrak features my.db --loss simple --journey\n", run_features
};
