/* cmd_page.c - dtrak page DB: rankings as one HTML page to send to somebody. */
#include "dtrak/cli.h"
#include "dtrak/rankings.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "query", 1, "ITEMS", "gen:0, gen:3-7, gen:all, val:all or all, several with commas" },
    { "out", 1, "FILE", "the HTML file to write" },
    CLI_SETTING_OPTIONS,
    { "top", 1, "N", "how many proponents of each (10)" },
    { "bottom", 1, "N", "how many opponents of each (as many as --top)" },
    { "force", 0, NULL, "replace FILE when it exists" },
    { NULL, 0, NULL, NULL },
};

static enum status run_page(const struct args *a) {
    struct store *s = NULL;
    struct report_rankings r = { 0 };
    struct report_request q = { .top = 10 };
    const char *out = args_text(a, "out", NULL);
    if (!args_has(a, "query")) return fail(ERR_USAGE, "of which items? add --query gen:0 or --query all");
    if (!out) return fail(ERR_USAGE, "where to? add --out FILE.html");
    TRY(cli_setting(a, &q));
    TRY(args_size(a, "top", 0, 1000, &q.top));
    q.bottom = q.top;
    TRY(args_size(a, "bottom", 0, 1000, &q.bottom));
    TRY(cli_out_check(a, out, "html"));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = report_rankings_load(&r, s, &q, args_text(a, "query", ""), NULL);
    if (st == OK) st = cli_page(a, s, &r, out);
    report_rankings_free(&r);
    return cli_close(s, st);
}

const struct command command_page = {
    "page", "DB", "rankings as one HTML page, with the pictures, to send to somebody",
    options, 1, 1,
    "  dtrak page my.db --query gen:17 --method dtrak --out gen17.html\n"
    "  dtrak page my.db --query all --method trak --loss elbo --top 5 --out everything.html\n", run_page
};
