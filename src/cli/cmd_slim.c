/* cmd_slim.c - dtrak slim DB OUT: a copy without features and eigenbases. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"

static const struct option options[] = {
    { "keep-basis", 0, NULL, "keep the eigenbases too" },
    { NULL, 0, NULL, NULL },
};

static enum status run_slim(const struct args *a) {
    struct console c;
    console_start(&c);
    enum status st = pipeline_slim(a->file[0], a->file[1], args_has(a, "keep-basis"), &c.progress);
    console_end(&c);
    return st;
}

const struct command command_slim = {
    "slim", "DB OUT", "copy a database without its features and eigenbases",
    options, 2, 2, "  dtrak slim my.db small.db\n", run_slim
};
