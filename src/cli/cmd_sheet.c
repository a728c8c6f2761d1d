/* cmd_sheet.c - dtrak sheet DB: the items of a split as one PNG picture. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

static const struct option options[] = {
    { "out", 1, "FILE", "the PNG file to write" },
    { "split", 1, "SPLIT", "train, val or gen (gen)" },
    { "first", 1, "N", "start at this item (0)" },
    { "count", 1, "N", "how many items (all, at most 2000)" },
    { "columns", 1, "N", "items in a row (12)" },
    { "force", 0, NULL, "replace FILE when it exists" },
    { NULL, 0, NULL, NULL },
};

static enum status run_sheet(const struct args *a) {
    struct store *s = NULL;
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    size_t first = 0, count = 2000, columns = 12;
    const char *out = args_text(a, "out", NULL);
    enum status st;
    enum split split = split_parse(args_text(a, "split", "gen"));
    if (!out) return fail(ERR_USAGE, "where to? add --out FILE.png");
    if (split == SPLIT_COUNT)
        return fail(ERR_USAGE, "--split '%s' is none of train, val, gen", args_text(a, "split", ""));
    TRY(args_size(a, "first", 0, 1u << 30, &first));
    TRY(args_size(a, "count", 1, 2000, &count));
    TRY(args_size(a, "columns", 1, 100, &columns));
    TRY(cli_out_check(a, out, "png"));
    TRY(cli_open(&s, a->file[0], 0));
    TRY_TO(report_sheet_split(&im, s, split, first, count, columns));
    TRY_TO(image_encode_png(&png, &im));
    st = cli_out_write(a, out, png.data, png.len);
done:
    image_free(&im);
    buf_free(&png);
    return cli_close(s, st);
}

const struct command command_sheet = {
    "sheet", "DB", "the images of a split as one PNG picture",
    options, 1, 1, "  dtrak sheet my.db --split gen --columns 12 --out generated.png\n", run_sheet
};
