/* cmd_rank.c - dtrak rank DB: which training items made this one. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>

static const struct option options[] = {
    { "query", 1, "ITEM", "the item to explain, as gen:17 or val:3" },
    CLI_SETTING_OPTIONS,
    { "top", 1, "N", "how many proponents (10)" },
    { "bottom", 1, "N", "how many opponents (10)" },
    { "json", 0, NULL, "as JSON" },
    { "csv", 0, NULL, "as CSV" },
    { "sheet", 1, "FILE", "also draw it as a PNG picture" },
    { "force", 0, NULL, "replace FILE when it exists" },
    { NULL, 0, NULL, NULL },
};

static enum status write_sheet(const struct args *a, struct store *s, const struct report_ranking *r) {
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    enum status st;
    TRY_TO(report_sheet_ranking(&im, s, r, NULL));
    TRY_TO(image_encode_png(&png, &im));
    st = cli_out_write(a, args_text(a, "sheet", ""), png.data, png.len);
done:
    image_free(&im);
    buf_free(&png);
    return st;
}

static enum status print_ranking(const struct args *a, const struct report_ranking *r) {
    struct buf b = BUF_INIT;
    if (args_has(a, "json")) report_ranking_json(&b, r);
    else if (args_has(a, "csv")) report_ranking_csv(&b, r);
    else report_ranking_text(&b, r);
    enum status st = buf_status(&b);
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return st;
}

static enum status run_rank(const struct args *a) {
    struct store *s = NULL;
    struct report_ranking r;
    struct report_request q = { .top = 10, .bottom = 10 };
    if (!args_has(a, "query")) return fail(ERR_USAGE, "which item? add --query gen:0");
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json or --csv, not both");
    if (args_has(a, "force") && !args_has(a, "sheet")) return fail(ERR_USAGE, "--force belongs to --sheet");
    TRY(item_ref_parse(&q.query, args_text(a, "query", "")));
    TRY(cli_setting(a, &q));
    TRY(args_size(a, "top", 0, 1000000, &q.top));
    TRY(args_size(a, "bottom", 0, 1000000, &q.bottom));
    if (args_has(a, "sheet")) TRY(cli_out_check(a, args_text(a, "sheet", ""), "png"));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = report_ranking_load(&r, s, &q);
    if (st == OK) {
        if (!args_has(a, "csv")) st = report_ranking_shares(&r, s);
        if (st == OK) st = print_ranking(a, &r);
        if (st == OK && args_has(a, "sheet")) st = write_sheet(a, s, &r);
        report_ranking_free(&r);
    }
    return cli_close(s, st);
}

const struct command command_rank = {
    "rank", "DB", "the training items behind one generated or held-out item",
    options, 1, 1,
    "  dtrak rank my.db --query gen:17 --method dtrak --top 10 --bottom 10\n"
    "  dtrak rank my.db --query gen:17 --method trak --loss elbo --checkpoint 50% --json\n", run_rank
};
