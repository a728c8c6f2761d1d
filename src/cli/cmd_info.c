/* cmd_info.c - dtrak info DB: what is in it. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = {
    { "all", 0, NULL, "every feature and score set on a line of its own, dropped ones too" },
    { "json", 0, NULL, "as JSON" },
    { NULL, 0, NULL, NULL },
};

static enum status run_info(const struct args *a) {
    struct store *s = NULL;
    struct buf b = BUF_INIT;
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = args_has(a, "json") ? report_info_json(&b, s) : report_info_text(&b, s, args_has(a, "all"));
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return cli_close(s, st);
}

const struct command command_info = {
    "info", "DB", "what is in a database: items, checkpoints, features, scores, sizes",
    options, 1, 1, "  dtrak info my.db\n  dtrak info my.db --all\n", run_info
};
