/* cmd_features.c - dtrak features DB: projected gradients of every item. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "loss", 1, "LIST", "simple elbo square avg l1 l2 linf, or all (simple)" },
    { "checkpoint", 1, "LIST", "steps, percentages, last or all (last)" },
    { "split", 1, "LIST", "train, val, gen (all that have items)" },
    { "timesteps", 1, "N", "of the 1000, evenly spaced; N divides 1000 (10)" },
    { "dims", 1, "K", "numbers kept per item (2048)" },
    { "noise-seed", 1, "S", "of the noise (0)" },
    { "projection-seed", 1, "S", "of the projection (42)" },
    { "float32", 0, NULL, "store rows as float32 instead of float16 with a scale" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

static enum status run_features(const struct args *a) {
    struct features_options o = FEATURES_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    TRY(args_losses(a, &o.losses));
    o.checkpoints = args_text(a, "checkpoint", NULL);
    TRY(cli_splits(a, &o.splits));
    TRY(args_size(a, "timesteps", 1, 1000, &o.timesteps));
    if (1000 % o.timesteps)
        return fail(ERR_USAGE, "--timesteps %zu does not divide 1000; 10, 20, 50 and 100 do", o.timesteps);
    TRY(args_size(a, "dims", 1, 1u << 20, &o.dims));
    TRY(args_u64(a, "noise-seed", &o.noise_seed));
    TRY(args_u64(a, "projection-seed", &o.projection_seed));
    o.float32 = args_has(a, "float32");
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
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
    "  dtrak features my.db --loss all --checkpoint all\n", run_features
};
