/* cmd_lds.c - dtrak lds DB: networks retrained on subsets, and what scores predict of them. */
#include "dtrak/cli.h"
#include "dtrak/lds_report.h"
#include "dtrak/lds_table.h"
#include "dtrak/lds_verb.h"
#include "dtrak/loss.h"
#include "dtrak/method.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "subsets", 1, "M", "subsets in all (64); more can be added later" },
    { "alpha", 1, "A", "share of the training items in a subset (0.5)" },
    { "seeds", 1, "S", "retrainings of each subset (1)" },
    { "second-seed", 1, "K", "one retraining more for the first K subsets: it gives the ceiling (0)" },
    { "only", 1, "A-B,C,...", "subsets that this call retrains (all); others can do the rest" },
    { "draw-seed", 1, "S", "of the subsets (0)" },
    { "no-strata", 0, NULL, "draw without regard to labels" },
    { "same", 1, "epochs|steps", "a subset is trained for as many epochs (default), or as many steps, as the project" },
    { "steps", 1, "N", "training steps of a subset, instead" },
    { "batch", 1, "N", "images in a step (as the project's own training)" },
    { "lr", 1, "R", "highest learning rate (as the project's own training)" },
    { "timesteps", 1, "T", "at which the loss of a query is taken (100)" },
    { "queries", 1, "LIST", "such as val:0-255,gen:0-255 (all val and gen items)" },
    { "eval-noise-seed", 1, "S", "of the noise at which the loss is taken (1)" },
    { "keep-weights", 0, NULL, "keep every retrained network, so that other queries can be evaluated later" },
    { "save-every", 1, "S", "seconds between saves inside a retraining (120)" },
    { "threads", 1, "N", "networks retrained at a time, one thread each (all processors)" },
    { "dry-run", 0, NULL, "say what is missing and what it will cost, and stop" },
    { "report", 0, NULL, "say what every score set predicts of what is retrained, and stop" },
    { "reference", 1, "METHOD[:LOSS]", "with which --report compares (trak:simple)" },
    { "all-lambdas", 0, NULL, "--report also lists each stated lambda" },
    { "json", 0, NULL, "--report as JSON" },
    { "csv", 0, NULL, "--report as CSV" },
    { "export", 1, "FILE.tsv", "write the outputs of what is finished (of --only) as text, and stop" },
    { "force", 0, NULL, "--export replaces FILE.tsv when it exists" },
    { "import-outputs", 1, "FILE.tsv", "add what --export wrote from another copy of the project, and stop" },
    { NULL, 0, NULL, NULL },
};

/* "0-15,20" */
static enum status read_only_list(const char *list, struct lds_options *o) {
    char word[48];
    while (args_next_word(&list, word, sizeof word)) {
        char *dash = strchr(word, '-');
        size_t first, last;
        if (o->n_only == LDS_RANGES_MAX) return fail(ERR_USAGE, "--only takes at most %d ranges", LDS_RANGES_MAX);
        if (dash) *dash = 0;
        TRY(args_parse_size(word, "--only", 0, 999999, &first));
        last = first;
        if (dash) TRY(args_parse_size(dash + 1, "--only", first, 999999, &last));
        o->only[o->n_only].first = first;
        o->only[o->n_only++].last = last;
    }
    return o->n_only ? OK : fail(ERR_USAGE, "--only needs subsets, as in 0-15,20");
}

/* "val:0-255", "gen:7", "val" */
static enum status read_query_word(char *word, struct lds_options *o) {
    char *colon = strchr(word, ':'), *dash = NULL;
    size_t first = 0, last;
    if (colon) *colon = 0;
    enum split split = split_parse(word);
    if (split != SPLIT_VAL && split != SPLIT_GEN)
        return fail(ERR_USAGE, "--queries '%s' is neither val nor gen, as in val:0-255,gen:0-255", word);
    if (o->queries[split].given) return fail(ERR_USAGE, "--queries names %s twice", word);
    o->queries[split].given = 1;
    if (!colon) return OK;   /* count 0: to the end */
    if ((dash = strchr(colon + 1, '-'))) *dash = 0;
    TRY(args_parse_size(colon + 1, "--queries", 0, (size_t)1 << 28, &first));
    last = first;
    if (dash) TRY(args_parse_size(dash + 1, "--queries", first, (size_t)1 << 28, &last));
    o->queries[split].first = first;
    o->queries[split].count = last - first + 1;
    return OK;
}

static enum status read_queries(const char *list, struct lds_options *o) {
    char word[64];
    while (args_next_word(&list, word, sizeof word)) TRY(read_query_word(word, o));
    return o->queries[SPLIT_VAL].given || o->queries[SPLIT_GEN].given ? OK : fail(ERR_USAGE, "--queries needs val, gen or both");
}

static enum status read_options(const struct args *a, struct lds_options *o) {
    TRY(args_size(a, "subsets", 1, 1000000, &o->subsets));
    TRY(args_real(a, "alpha", 1e-6, .999999, &o->alpha));
    TRY(args_size(a, "seeds", 1, 1000, &o->seeds));
    TRY(args_size(a, "second-seed", 0, 1000000, &o->second_seed));
    if (args_has(a, "only")) TRY(read_only_list(args_text(a, "only", ""), o));
    TRY(args_u64(a, "draw-seed", &o->draw_seed));
    o->stratified = !args_has(a, "no-strata");
    const char *same = args_text(a, "same", "epochs");
    if (strcmp(same, "epochs") != 0 && strcmp(same, "steps") != 0)
        return fail(ERR_USAGE, "--same '%s' is neither epochs nor steps", same);
    o->same_epochs = !strcmp(same, "epochs");
    if (args_has(a, "steps") && args_has(a, "same")) return fail(ERR_USAGE, "--steps and --same say the same thing twice");
    TRY(args_size(a, "steps", 1, 1000000000, &o->steps));
    TRY(args_size(a, "batch", 1, 65536, &o->batch));
    TRY(args_real(a, "lr", 1e-12, 10, &o->lr));
    TRY(args_size(a, "timesteps", 1, 1000, &o->timesteps));
    if (args_has(a, "queries")) TRY(read_queries(args_text(a, "queries", ""), o));
    TRY(args_u64(a, "eval-noise-seed", &o->noise_seed));
    o->keep_weights = args_has(a, "keep-weights");
    TRY(args_real(a, "save-every", 0, 3600, &o->save_every_s));
    return args_size(a, "threads", 1, 1024, &o->threads);
}

static void print_summary(const struct lds_summary *m, const struct lds_options *o) {
    printf("%zu retrainings: %zu done", m->wanted, m->done);
    if (m->diverged) printf(", %zu diverged and are left out", m->diverged);
    if (m->elsewhere) printf(", %zu are being trained by other processes", m->elsewhere);
    if (m->open) printf(", %zu missing", m->open);
    printf("\neach: %zu parameters, %zu images, %zu steps, then %zu queries at %zu timesteps\n", m->parameters,
           m->subset_size, m->steps, m->queries, o->timesteps);
    if (!m->others) return;
    printf("%zu networks are here that were retrained with other options: %s (now/then)\n", m->others, m->difference);
    if (m->go_on[0]) printf("those go on with: %s\n", m->go_on);
    else if (m->why_not[0]) printf("no option goes on with those: %s (now/then)\n", m->why_not);
}

void cli_print_merged(const struct merge_counts *n) {
    printf("outputs of %zu retrainings added", n->added);
    if (n->same) printf(", %zu were here", n->same);
    if (n->different) printf(", %zu were here with other losses, which stay (other machines round otherwise)", n->different);
    printf("\n");
}

static enum status export_outputs(const struct args *a, const struct lds_options *o) {
    const char *path = args_text(a, "export", "");
    struct store *s = NULL;
    size_t models;
    TRY(cli_out_check(a, path, "tsv"));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = pipeline_lds_export(s, o, path, args_has(a, "force"), &models);
    if (st == OK) printf("%s: %zu retrainings\n", path, models);
    return cli_close(s, st);
}

static enum status import_outputs(const struct args *a) {
    struct store *s = NULL;
    struct merge_counts n;
    TRY(cli_open(&s, a->file[0], 1));
    enum status st = pipeline_lds_import(s, args_text(a, "import-outputs", ""), &n);
    if (st == OK) cli_print_merged(&n);
    return cli_close(s, st);
}

static enum status read_reference(const struct args *a, char method[32], char loss[16], struct lds_report_options *o) {
    const char *word = args_text(a, "reference", NULL);
    if (!word) return OK;
    size_t len = strcspn(word, ":");
    enum loss implied = LOSS_COUNT;
    snprintf(method, 32, "%.*s", (int)len, word);
    enum method m = method_parse(method, &implied);
    if (m == METHOD_COUNT) return fail(ERR_USAGE, "--reference '%s' is no method; trak:simple is", word);
    if (word[len] && !method_has_loss(m)) return fail(ERR_USAGE, "--reference '%s': method %s has no loss", word, method);
    enum loss l;
    TRY(method_loss(&l, m, implied, method, word[len] ? word + len + 1 : NULL));
    snprintf(method, 32, "%s", method_name(m));
    snprintf(loss, 16, "%s", l < LOSS_COUNT ? loss_name(l) : "");
    o->reference_method = method;
    o->reference_loss = loss;
    return OK;
}

/* Forms for programs have no place for it. */
static enum status say_no_differences(const struct lds_report *r) {
    struct buf b = BUF_INIT;
    for (size_t k = 0; k < r->n_splits; k++) {
        b.len = 0;
        lds_table_no_differences(&b, r, &r->split[k]);
        if (b.len && buf_status(&b) == OK) cli_say(stderr, b.data);
    }
    enum status st = buf_status(&b);
    buf_free(&b);
    return st;
}

static enum status print_report(const struct args *a) {
    struct lds_report_options o = { .keep = 1 };
    struct lds_report r = { 0 };
    struct store *s = NULL;
    struct console c;
    struct buf out = BUF_INIT;
    char method[32], loss[16];
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json and --csv are two forms");
    TRY(read_reference(a, method, loss, &o));
    TRY(store_open(&s, a->file[0], STORE_WRITE_OR_READ));
    console_start(&c);
    enum status st = pipeline_lds_report(&r, s, &o, &c.progress);
    console_end(&c);
    if (st == OK)
        st = args_has(a, "json") ? lds_table_json(&out, &r) : args_has(a, "csv") ? lds_table_csv(&out, &r)
                                                           : lds_table_text(&out, &r, args_has(a, "all-lambdas"));
    if (st == OK && (args_has(a, "json") || args_has(a, "csv"))) st = say_no_differences(&r);
    if (st == OK) fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    lds_report_free(&r);
    return cli_close(s, st);
}

static enum status run_lds(const struct args *a) {
    struct lds_options o = LDS_DEFAULTS;
    struct lds_summary summary;
    struct cost_sink cost;
    struct store *s = NULL;
    struct console c;
    TRY(read_options(a, &o));
    if (args_has(a, "export") + args_has(a, "import-outputs") + args_has(a, "report") > 1)
        return fail(ERR_USAGE, "--report, --export and --import-outputs are calls of their own");
    if (!args_has(a, "report") && (args_has(a, "json") || args_has(a, "csv") || args_has(a, "reference") || args_has(a, "all-lambdas")))
        return fail(ERR_USAGE, "--json, --csv, --reference and --all-lambdas belong to --report");
    if (args_has(a, "force") && !args_has(a, "export")) return fail(ERR_USAGE, "--force belongs to --export");
    if (args_has(a, "report")) return print_report(a);
    if (args_has(a, "export")) return export_outputs(a, &o);
    if (args_has(a, "import-outputs")) return import_outputs(a);
    TRY(cli_open(&s, a->file[0], 1));
    cli_cost(&cost, a);
    o.cost = &cost;
    console_start(&c);
    enum status st = pipeline_lds(s, &o, &c.progress, &summary);
    console_end(&c);
    if (st == OK) print_summary(&summary, &o);
    return cli_close(s, st);
}

const struct command command_lds = {
    "lds", "DB", "retrain on subsets, and measure what the scores predict of that",
    options, 1, 1,
    "  dtrak lds my.db --subsets 64 --second-seed 16 --dry-run\n"
    "  dtrak lds my.db --subsets 64 --second-seed 16 --only 0-31\n"
    "  dtrak lds my.db --report\n", run_lds
};
