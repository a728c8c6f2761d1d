/* cmd_sample.c - dtrak sample DB: generated items, one seed each. */
#include "dtrak/cli.h"
#include "dtrak/cost.h"
#include "dtrak/pipeline.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "count", 1, "N", "how many (16)" },
    { "seed", 1, "S", "of the first; the next has S+1, and so on (0)" },
    { "checkpoint", 1, "C", "a step, a percentage, last, or a network's name (last)" },
    { "steps", 1, "N", "DDIM steps (50)" },
    { "eta", 1, "E", "noise added at each step, 0 to 1 (0)" },
    { "dry-run", 0, NULL, "say what it will cost and stop" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

static enum status run_sample(const struct args *a) {
    struct sample_options o = SAMPLE_DEFAULTS;
    struct store *s = NULL;
    struct console c;
    struct cost_sink cost;
    o.count = 16;
    TRY(args_size(a, "count", 1, 1000000, &o.count));
    TRY(args_u64(a, "seed", &o.seed));
    o.checkpoint = args_text(a, "checkpoint", NULL);
    TRY(args_size(a, "steps", 1, 1000, &o.steps));
    TRY(args_real(a, "eta", 0, 1, &o.eta));
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    cli_cost(&cost, a);
    o.cost = &cost;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_sample(s, &o, &c.progress);
    console_end(&c);
    return cli_close(s, st);
}

const struct command command_sample = {
    "sample", "DB", "generate images: gen items, each with its own seed",
    options, 1, 1, "  dtrak sample my.db --count 96 --seed 0\n", run_sample
};
