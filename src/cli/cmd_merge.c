/* cmd_merge.c - dtrak merge DB OTHER: retrained networks of another copy of the project. */
#include "dtrak/cli.h"
#include "dtrak/lds_verb.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = { { NULL, 0, NULL, NULL } };

static enum status run_merge(const struct args *a) {
    struct store *s = NULL;
    struct console c;
    struct merge_counts n;
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_merge(s, a->file[1], &c.progress, &n);
    console_end(&c);
    if (st == OK) cli_print_merged(&n);
    return cli_close(s, st);
}

const struct command command_merge = {
    "merge", "DB OTHER", "add the retrained networks of another copy of the same project",
    options, 2, 2,
    "  dtrak merge my.db from-the-other-machine.db\n", run_merge
};
