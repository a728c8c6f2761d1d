/* cmd_neighbours.c - dtrak neighbours DB: the training items next to an item. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "item", 1, "ITEM", "whose neighbours, as train:5 or gen:17" },
    { "by", 1, "WHAT", "pixels, features or embedding (pixels)" },
    { "top", 1, "N", "how many (10)" },
    { "loss", 1, "L", "of features: simple elbo square avg l1 l2 linf (simple, else what there is)" },
    { "checkpoint", 1, "C", "of features: a step, a percentage, last, or a network's name (what drew the item)" },
    { "timesteps", 1, "N", "of features (the most there are)" },
    { "dims", 1, "K", "of features (the most there are)" },
    { "embedding", 1, "NAME", "which embedding (the only one there is)" },
    { "json", 0, NULL, "as JSON" },
    { "csv", 0, NULL, "as CSV" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

static enum status read_by(const struct args *a, enum report_near_by *by) {
    const char *word = args_text(a, "by", "pixels");
    for (int i = NEAR_PIXELS; i <= NEAR_EMBEDDING; i++)
        if (!strcmp(word, report_near_name((enum report_near_by)i))) {
            *by = (enum report_near_by)i;
            return OK;
        }
    return fail(ERR_USAGE, "--by '%s' is not pixels, features or embedding", word);
}

static enum status print(const struct args *a, const struct report_near *r) {
    struct buf b = BUF_INIT;
    if (args_has(a, "json")) report_near_json(&b, r);
    else if (args_has(a, "csv")) report_near_csv(&b, r);
    else report_near_text(&b, r);
    enum status st = buf_status(&b);
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return st;
}

static enum status run_neighbours(const struct args *a) {
    struct store *s = NULL;
    struct report_near r;
    struct report_near_request q = { .top = 10 };
    if (!args_has(a, "item")) return fail(ERR_USAGE, "of which item? add --item train:5");
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json or --csv, not both");
    TRY(item_ref_parse(&q.item, args_text(a, "item", "")));
    TRY(read_by(a, &q.by));
    if (q.by != NEAR_EMBEDDING && args_has(a, "embedding")) return fail(ERR_USAGE, "--embedding is for --by embedding");
    if (q.by != NEAR_FEATURES && (args_has(a, "loss") || args_has(a, "checkpoint") || args_has(a, "timesteps") || args_has(a, "dims")))
        return fail(ERR_USAGE, "--loss, --checkpoint, --timesteps and --dims are for --by features");
    TRY(args_size(a, "top", 1, 1000000, &q.top));
    TRY(args_size(a, "timesteps", 1, 1000, &q.timesteps));
    TRY(args_size(a, "dims", 1, 1u << 24, &q.k));
    q.loss = args_text(a, "loss", NULL);
    q.checkpoint = args_text(a, "checkpoint", NULL);
    q.embedding = args_text(a, "embedding", NULL);
    TRY(cli_feature_root(a));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = report_near_load(&r, s, &q, NULL);
    if (st == OK) {
        st = print(a, &r);
        report_near_free(&r);
    }
    return cli_close(s, st);
}

const struct command command_neighbours = {
    "neighbours", "DB", "the training items nearest to an item, by pixels, features or an embedding",
    options, 1, 1,
    "  dtrak neighbours my.db --item train:5\n"
    "  dtrak neighbours my.db --item gen:17 --by features --loss square --top 20 --csv\n"
    "  dtrak neighbours my.db --item gen:17 --by embedding --embedding clip --json\n", run_neighbours
};
