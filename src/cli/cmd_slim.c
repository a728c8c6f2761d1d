/* cmd_slim.c - dtrak slim DB OUT: a copy without features, eigenbases and what else is not wanted. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/slim.h"

static const struct option options[] = {
    { "keep-features", 0, NULL, "keep the features" },
    { "keep-basis", 0, NULL, "keep the eigenbases too" },
    { "no-kernel", 0, NULL, "leave the kernels out too: lambda is fixed then" },
    { "keep-weights", 0, NULL, "keep the weights of retrained networks" },
    CLI_PICK_OPTIONS("keep only score sets of"),
    { "query", 1, "LIST", "keep only scores of these queries: val:0-47,gen:all; LDS stays" },
    { "bits", 1, "9-23", "round scores to so many significant bits, kernels to 24 (as they are)" },
    { NULL, 0, NULL, NULL },
};

static enum status run_slim(const struct args *a) {
    struct console c;
    struct slim_options o = { .keep_features = args_has(a, "keep-features"), .keep_basis = args_has(a, "keep-basis"),
                              .no_kernels = args_has(a, "no-kernel"), .keep_weights = args_has(a, "keep-weights"),
                              .queries = args_text(a, "query", NULL) };
    size_t bits = 0;
    TRY(cli_pick(a, &o.pick));
    TRY(args_size(a, "bits", 9, 23, &bits));
    o.bits = (int)bits;
    console_start(&c);
    enum status st = pipeline_slim(a->file[0], a->file[1], &o, &c.progress);
    console_end(&c);
    return st;
}

const struct command command_slim = {
    "slim", "DB OUT", "copy a database without features, eigenbases and retrained weights",
    options, 2, 2,
    "  dtrak slim my.db small.db\n"
    "  dtrak slim my.db smaller.db --method dtrak --checkpoint last --no-kernel --bits 12\n", run_slim
};
