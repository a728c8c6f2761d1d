/* cmd_slim.c - dtrak slim DB OUT: a copy without features. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"

static const struct option options[] = { { NULL, 0, NULL, NULL } };

static enum status run_slim(const struct args *a) {
    struct console c;
    console_start(&c);
    enum status st = pipeline_slim(a->file[0], a->file[1], &c.progress);
    console_end(&c);
    return st;
}

const struct command command_slim = {
    "slim", "DB OUT", "copy a database without its features (scores, kernels and networks stay)",
    options, 2, 2, "  dtrak slim my.db small.db\n", run_slim
};
