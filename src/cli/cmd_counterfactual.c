/* cmd_counterfactual.c - dtrak counterfactual DB: pictures without the items behind them. */
#include "dtrak/cli.h"
#include "dtrak/counterfactual.h"
#include "dtrak/counterfactual_table.h"
#include "dtrak/mem.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "methods", 1, "LIST", "as dtrak,trak:avg,random: whose highest-scoring items are taken away" },
    { "remove", 1, "R", "items that a method takes away (100)" },
    { "timesteps", 1, "N", "of the features that the scores are made of (the most there are)" },
    { "dims", 1, "K", "of those features (of those with the most timesteps the most there are)" },
    { "queries", 1, "Q", "the first Q generated items (8); or" },
    { "items", 1, "LIST", "these, such as gen:3,gen:17" },
    { "list", 1, "NAME", "take away the items of this saved list, beside or instead of --methods" },
    { "take", 1, "LIST", "save these items as that list first, such as train:3,train:88" },
    { "same", 1, "epochs|steps", "retrained for as many epochs (default), or as many steps, as the project" },
    { "steps", 1, "N", "training steps, instead" },
    { "batch", 1, "N", "images in a step (as the project's own training)" },
    { "lr", 1, "R", "highest learning rate (as the project's own training)" },
    { "save-every", 1, "S", "seconds between saves inside a retraining (120)" },
    { "threads", 1, "N", "networks retrained at a time, one thread each (all processors)" },
    { "dry-run", 0, NULL, "say what it will cost, and stop" },
    { "report", 0, NULL, "print what there is, and stop" },
    { "json", 0, NULL, "--report as JSON" },
    { "csv", 0, NULL, "--report as CSV" },
    { "sheet", 1, "FILE.png", "draw what there is, and stop" },
    { "force", 0, NULL, "replace FILE.png when it exists" },
    { NULL, 0, NULL, NULL },
};

static enum status read_options(const struct args *a, struct counterfactual_options *o) {
    o->methods = args_text(a, "methods", NULL);
    o->list = args_text(a, "list", NULL);
    o->items = args_text(a, "items", NULL);
    if (!o->methods && !o->list) return fail(ERR_USAGE, "--methods or --list must say what is taken away");
    if (o->items && args_has(a, "queries")) return fail(ERR_USAGE, "--queries and --items say the same thing twice");
    TRY(args_size(a, "remove", 1, 1u << 27, &o->remove));
    TRY(args_size(a, "queries", 1, 1u << 27, &o->queries));
    TRY(args_size(a, "timesteps", 1, 1000000, &o->timesteps));
    TRY(args_size(a, "dims", 1, 1u << 24, &o->dims));
    if (args_has(a, "same") && args_has(a, "steps")) return fail(ERR_USAGE, "--same follows the project's length, --steps gives one: take one of them");
    const char *same = args_text(a, "same", "epochs");
    if (strcmp(same, "epochs") != 0 && strcmp(same, "steps") != 0)
        return fail(ERR_USAGE, "--same '%s' is neither epochs nor steps", same);
    o->same_epochs = !strcmp(same, "epochs");
    TRY(args_size(a, "steps", 1, 1000000000, &o->steps));
    TRY(args_size(a, "batch", 1, 65536, &o->batch));
    TRY(args_real(a, "lr", 1e-12, 10, &o->lr));
    TRY(args_real(a, "save-every", 0, 3600, &o->save_every_s));
    return args_size(a, "threads", 1, 1024, &o->threads);
}

/* --take into *index, the caller's to mem_free(). */
static enum status read_take(const struct args *a, size_t **taken, size_t *count) {
    const char *name = args_text(a, "list", NULL), *list = args_text(a, "take", NULL);
    char word[48];
    size_t n = 0, room = 1;
    if (!list) return OK;
    if (!name) return fail(ERR_USAGE, "--take needs the name of the list: --list NAME");
    for (const char *c = list; *c; c++) room += *c == ',';
    size_t *index = mem_array(room, sizeof *index);
    enum status st = index ? OK : fail(ERR_NOMEM, "out of memory");
    while (st == OK && args_next_word(&list, word, sizeof word)) {
        struct item_ref ref;
        st = item_ref_parse(&ref, word);
        if (st == OK && ref.split != SPLIT_TRAIN) st = fail(ERR_USAGE, "--take '%s' is not a training item, as in train:3", word);
        if (st == OK) index[n++] = ref.index;
    }
    if (st == OK && !n) st = fail(ERR_USAGE, "--take needs training items, as in train:3,train:88");
    *taken = index;
    *count = n;
    return st;
}

static enum status print_report(const struct args *a, struct store *s) {
    struct counterfactual_list l;
    struct buf out = BUF_INIT;
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json and --csv are two forms");
    size_t earlier = 0;
    TRY(store_counterfactuals_list(s, &l));
    enum status st = counterfactual_list_latest(&l, &earlier);
    if (st == OK) st = args_has(a, "json") ? counterfactual_table_json(&out, &l)
                     : args_has(a, "csv") ? counterfactual_table_csv(&out, &l) : counterfactual_table_text(&out, &l);
    if (st == OK) fwrite(out.data, 1, out.len, stdout);
    if (st == OK && earlier)
        fprintf(stderr, "%zu earlier picture%s of the same queries %s left out: the list, or the scores, have changed since\n", earlier,
                earlier == 1 ? "" : "s", earlier == 1 ? "is" : "are");
    buf_free(&out);
    counterfactual_list_free(&l);
    return st;
}

static enum status draw_sheet(const struct args *a, struct store *s) {
    struct counterfactual_list l;
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    TRY(store_counterfactuals_list(s, &l));
    enum status st = counterfactual_list_latest(&l, NULL);
    if (st == OK) st = report_sheet_counterfactual(&im, s, &l);
    if (st == OK) st = image_encode_png(&png, &im);
    if (st == OK) st = cli_out_write(a, args_text(a, "sheet", ""), png.data, png.len);
    image_free(&im);
    buf_free(&png);
    counterfactual_list_free(&l);
    return st;
}

static enum status retrain(const struct args *a, struct store *s, struct counterfactual_options *o) {
    struct counterfactual_summary m;
    struct cost_sink cost;
    struct console c;
    cli_cost(&cost, a);
    o->cost = &cost;
    console_start(&c);
    enum status st = pipeline_counterfactual(s, o, &c.progress, &m);
    console_end(&c);
    if (st != OK) return st;
    printf("%zu pictures: %zu done; %zu networks: %zu trained", m.pictures, m.done, m.networks, m.trained);
    if (m.diverged) printf(", %zu diverged", m.diverged);
    if (m.elsewhere) printf(", %zu begun, here or by other processes", m.elsewhere);
    printf("\n");
    if (m.others) printf("%zu pictures are here of networks that were trained with other options: %s (now/then)\n", m.others, m.difference);
    return OK;
}

static enum status run_counterfactual(const struct args *a) {
    struct counterfactual_options o = COUNTERFACTUAL_DEFAULTS;
    struct store *s = NULL;
    const char *sheet = args_text(a, "sheet", NULL);
    int shows = args_has(a, "report") || sheet;
    if (!args_has(a, "report") && (args_has(a, "json") || args_has(a, "csv")))
        return fail(ERR_USAGE, "--json and --csv belong to --report");
    if (shows && (args_has(a, "methods") || args_has(a, "list") || args_has(a, "items") || args_has(a, "take")))
        return fail(ERR_USAGE, "--report and --sheet show everything that there is; --methods, --list, --take and --items say what is to be made");
    if (args_has(a, "force") && !sheet) return fail(ERR_USAGE, "--force belongs to --sheet");
    if (sheet) TRY(cli_out_check(a, sheet, "png"));
    size_t *take = NULL;
    if (!shows) TRY(read_options(a, &o));
    enum status st = shows ? OK : read_take(a, &take, &o.n_take);
    o.take = take;
    if (st == OK) st = cli_open(&s, a->file[0], !shows);
    if (st != OK) {
        mem_free(take);
        return st;
    }
    if (sheet) st = draw_sheet(a, s);
    if (st == OK && args_has(a, "report")) st = print_report(a, s);
    if (!shows) st = retrain(a, s, &o);
    mem_free(take);
    return cli_close(s, st);
}

const struct command command_counterfactual = {
    "counterfactual", "DB", "take the items behind a picture away, retrain, and generate it again",
    options, 1, 1,
    "  dtrak counterfactual my.db --methods dtrak,trak,pixel-cos,random --remove 200 --queries 8\n"
    "  dtrak counterfactual my.db --list boots --take train:3,train:88 --items gen:17\n"
    "  dtrak counterfactual my.db --report --sheet pairs.png\n", run_counterfactual
};
