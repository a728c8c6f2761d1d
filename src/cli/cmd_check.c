/* cmd_check.c - dtrak check DB: is every byte of it what was written? */
#include "dtrak/cli.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = { CLI_FEATURE_ROOT, { NULL, 0, NULL, NULL } };

/* A problem goes to stdout: it is the answer to the question. */
static void print_problem(void *ctx, const char *line) {
    (void)ctx;
    printf("%s\n", line);
}

static enum status run_check(const struct args *a) {
    struct console c;
    size_t problems = 0;
    TRY(cli_feature_root(a));
    console_start(&c);
    enum status st = store_check(a->file[0], print_problem, NULL, &c.progress, &problems);
    console_end(&c);
    TRY(st);
    if (problems) return fail(ERR_FORMAT, "%s: %zu problem%s", a->file[0], problems, problems == 1 ? "" : "s");
    printf("ok\n");
    return OK;
}

const struct command command_check = {
    "check", "DB", "verify the file, its checksums and its references",
    options, 1, 1, "  dtrak check my.db\n", run_check
};
