/* cmd_self.c - dtrak self DB: training items by self-influence. */
#include "dtrak/cli.h"
#include "dtrak/pipeline.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "loss", 1, "L", "simple elbo square avg l1 l2 linf (square, else what there is)" },
    { "checkpoint", 1, "C", "a step, a percentage, last, or a network's name (last)" },
    { "top", 1, "N", "how many items; 0: all (20)" },
    { "sort", 1, "BY", "score, loss, distance (each the largest first) or label (score)" },
    { "no-neighbours", 0, NULL, "do not look for the nearest training items" },
    { "json", 0, NULL, "as JSON" },
    { "csv", 0, NULL, "as CSV" },
    { "threads", 1, "N", "threads (all processors)" },
    { NULL, 0, NULL, NULL },
};

static enum status read_order(const struct args *a, enum report_self_order *order) {
    static const char *const names[] = { "score", "loss", "distance", "label" };
    const char *word = args_text(a, "sort", names[0]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(word, names[i])) {
            *order = (enum report_self_order)i;
            return OK;
        }
    return fail(ERR_USAGE, "--sort '%s' is not score, loss, distance or label", word);
}

static enum status print(const struct args *a, const struct report_self *r, size_t top) {
    struct buf b = BUF_INIT;
    if (args_has(a, "json")) report_self_json(&b, r, top);
    else if (args_has(a, "csv")) report_self_csv(&b, r, top);
    else report_self_text(&b, r, top);
    enum status st = buf_status(&b);
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return st;
}

/* On media that cannot be written the table does without neighbours. */
static enum status find_neighbours(struct store *s, size_t threads) {
    struct console c;
    if (store_is_read_only(s)) return OK;
    console_start(&c);
    enum status st = pipeline_self(s, threads, &c.progress);
    console_end(&c);
    return st;
}

static enum status run_self(const struct args *a) {
    struct store *s = NULL;
    struct report_self r;
    enum report_self_order order = SELF_BY_SCORE;
    size_t top = 20, threads = 0;
    int look = !args_has(a, "no-neighbours");
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json or --csv, not both");
    TRY(read_order(a, &order));
    TRY(args_size(a, "top", 0, 100000000, &top));
    TRY(args_size(a, "threads", 1, 1024, &threads));
    TRY(store_open(&s, a->file[0], look ? STORE_WRITE_OR_READ : STORE_READ));
    enum status st = look ? find_neighbours(s, threads) : OK;
    if (st == OK) st = report_self_load(&r, s, args_text(a, "loss", NULL), args_text(a, "checkpoint", NULL), order);
    if (st == OK) {
        st = print(a, &r, top);
        report_self_free(&r);
    }
    return cli_close(s, st);
}

const struct command command_self = {
    "self", "DB", "training items by self-influence: outliers, copies, mislabelled ones",
    options, 1, 1,
    "  dtrak self my.db --top 20\n"
    "  dtrak self my.db --loss simple --sort loss --csv\n", run_self
};
