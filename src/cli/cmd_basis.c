/* cmd_basis.c - dtrak basis DB: the eigenbasis of training features, kept. */
#include "dtrak/cli.h"
#include "dtrak/cost.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "loss", 1, "LIST", "simple elbo square avg l1 l2 linf, or all (simple)" },
    { "checkpoint", 1, "LIST", "steps, percentages, names of networks, last or all (last)" },
    { "timesteps", 1, "N", "of the features (the most there are)" },
    { "again", 0, NULL, "make it anew where there is one" },
    { "memory", 1, "SIZE", "at most, as in 800M or 4G (half of the machine's)" },
    { "dry-run", 0, NULL, "say what it will cost and stop" },
    { "threads", 1, "N", "threads (all processors)" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

static enum status run_basis(const struct args *a) {
    struct basis_options o = BASIS_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    struct cost_sink cost;
    TRY(args_losses(a, &o.losses));
    o.checkpoints = args_text(a, "checkpoint", NULL);
    TRY(args_size(a, "timesteps", 1, 1000, &o.timesteps));
    o.again = args_has(a, "again");
    TRY(cli_memory(a, &o.memory));
    TRY(cli_feature_root(a));
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    cli_cost(&cost, a);
    o.cost = &cost;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_basis(s, &o, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

const struct command command_basis = {
    "basis", "DB", "keep the eigenbasis of training features: any lambda at once from then on",
    options, 1, 1,
    "  dtrak basis my.db --loss square\n"
    "  dtrak basis my.db --loss all --checkpoint all --memory 2G --dry-run\n", run_basis
};
