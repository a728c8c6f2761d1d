/* cmd_work.c - dtrak work DB: the queue of jobs, without a screen. */
#include "dtrak/cli.h"
#include "dtrak/jobs.h"

#include <stdio.h>

static const struct option options[] = {
    { "interrupted", 0, NULL, "also jobs whose program died" },
    { "threads", 1, "N", "threads (all processors)" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

static enum status run_work(const struct args *a) {
    struct jobs_options o = { .db = a->file[0] };
    struct console c;
    size_t ran = 0;
    TRY(args_size(a, "threads", 1, 1024, &o.threads));
    TRY(cli_feature_root(a));
    console_start(&c);
    enum status st = jobs_run_queue(&o, args_has(a, "interrupted"), &c.progress, &ran);
    console_end(&c);
    if (st == OK) printf("%zu job%s done\n", ran, ran == 1 ? "" : "s");
    return st;
}

const struct command command_work = {
    "work", "DB", "run the queued jobs without a screen",
    options, 1, 1, "  dtrak work my.db --interrupted\n", run_work
};
