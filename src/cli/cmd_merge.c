/* cmd_merge.c - dtrak merge DB OTHER: what another copy of the project has computed. */
#include "dtrak/cli.h"
#include "dtrak/merge.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "what", 1, "LIST", "only of checkpoints, queries, subsets, scores, features (all)" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

static enum status read_what(const struct args *a, unsigned *what) {
    static const char *const names[] = { "checkpoints", "queries", "subsets", "scores", "features" };
    const char *list = args_text(a, "what", NULL);
    char word[32];
    *what = list ? 0 : MERGE_ALL;
    while (args_next_word(&list, word, sizeof word)) {
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(word, names[i]) != 0) i++;
        if (i == sizeof names / sizeof *names)
            return fail(ERR_USAGE, "--what '%s' is none of checkpoints, queries, subsets, scores, features", word);
        *what |= 1u << i;
    }
    return *what ? OK : fail(ERR_USAGE, "--what needs checkpoints, queries, subsets, scores or features");
}

static void print_count(size_t n, const char *one, const char *many) {
    if (n) printf("%zu %s, ", n, n == 1 ? one : many);
}

static void print_merged(const struct merge_summary *r, unsigned what) {
    print_count(r->checkpoints, "checkpoint", "checkpoints");
    print_count(r->queries, "query", "queries");
    if (r->score_rows) printf("%zu rows of scores (%zu new sets), ", r->score_rows, r->score_sets);
    if (r->feature_rows) printf("%zu rows of features (%zu new sets), ", r->feature_rows, r->feature_sets);
    print_count(r->numbers, "number of an item", "numbers of items");
    if (what & MERGE_SUBSETS) cli_print_merged(&r->subsets);
    else printf("added\n");
    if (r->same) printf("rows of scores that were here: %zu\n", r->same);
    if (r->different)
        printf("rows of scores that were here with other values, which stay: %zu (other machines round otherwise, queries of other numbers "
               "have other noise)\n", r->different);
}

static enum status run_merge(const struct args *a) {
    struct store *s = NULL;
    struct console c;
    struct merge_summary r;
    struct merge_options o = { .say = cli_say, .say_ctx = stderr };
    TRY(read_what(a, &o.what));
    TRY(cli_feature_root(a));
    TRY(cli_open(&s, a->file[0], 1));
    console_start(&c);
    enum status st = pipeline_merge_all(s, a->file[1], &o, &c.progress, &r);
    console_end(&c);
    if (st == OK || r.checkpoints + r.queries + r.score_rows + r.feature_rows) print_merged(&r, o.what);
    return cli_close(s, st);
}

const struct command command_merge = {
    "merge", "DB OTHER", "add what another copy of the same project has computed",
    options, 2, 2,
    "  dtrak merge my.db from-the-other-machine.db\n"
    "  dtrak merge my.db from-the-other-machine.db --what queries,scores\n", run_merge
};
