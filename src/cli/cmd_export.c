/* cmd_export.c - dtrak export DB: what is in it, for other programs and other people. */
#include "dtrak/cli.h"
#include "dtrak/export.h"
#include "dtrak/file.h"
#include "dtrak/new_folder.h"
#include "dtrak/rankings.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "npy", 1, "DIR", "features, scores, subsets, embeddings, labels as NumPy arrays, items as JSON" },
    { "traker", 1, "DIR", "a save_dir of traker, of the features of --loss at --checkpoint" },
    { "csv", 1, "FILE", "rankings as CSV; with --rows all scores" },
    { "json", 1, "FILE", "the same as JSON" },
    { "png", 1, "FILE", "the ranking of one query as a picture" },
    { "html", 1, "FILE", "rankings as one page with the pictures, as dtrak page" },
    { "query", 1, "ITEMS", "csv json png html: gen:0, gen:3-7, gen:all, val:all or all, with commas (all)" },
    CLI_SETTING_OPTIONS,
    { "top", 1, "N", "how many proponents of each query (10)" },
    { "bottom", 1, "N", "how many opponents of each query (as many as --top)" },
    { "rows", 0, NULL, "csv, json: the score of every training item instead of the ends of the ranking" },
    { "what", 1, "LIST", "npy: of features, scores, subsets, embeddings, labels, items (all)" },
    { "split", 1, "LIST", "npy, traker: only sets of train, val, gen (all)" },
    { "half", 0, NULL, "traker: float16 (float32)" },
    { "matrix", 1, "NAME", "traker: normal or rademacher, what its projector is called (from the projection)" },
    { "force", 0, NULL, "replace FILE, or an earlier export at DIR" },
    CLI_FEATURE_ROOT,
    { NULL, 0, NULL, NULL },
};

static const char *const targets[] = { "npy", "traker", "csv", "json", "png", "html" };
enum { FOLDERS = 2, TARGETS = sizeof targets / sizeof *targets };

/* --- folders --- */

static enum status read_what(const struct args *a, unsigned *what) {
    static const char *const names[] = { "features", "scores", "subsets", "embeddings", "labels", "items" };
    const char *list = args_text(a, "what", NULL);
    char word[32];
    *what = list ? 0 : EXPORT_ALL;
    while (args_next_word(&list, word, sizeof word)) {
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(word, names[i]) != 0) i++;
        if (i == sizeof names / sizeof *names)
            return fail(ERR_USAGE, "--what '%s' is none of features, scores, subsets, embeddings, labels, items", word);
        *what |= 1u << i;
    }
    return *what ? OK : fail(ERR_USAGE, "--what needs features, scores, subsets, embeddings, labels or items");
}

static void print_exported(const char *dir, const struct export_result *r) {
    const struct { size_t count; const char *one, *many; } part[] = {
        { r->feature_sets, "feature set", "feature sets" }, { r->score_sets, "score set", "score sets" },
        { r->subsets, "subset", "subsets" }, { r->outputs, "array of outputs", "arrays of outputs" },
        { r->embeddings, "embedding", "embeddings" }, { r->labels, "array of labels", "arrays of labels" },
        { r->items, "item", "items" } };
    const char *comma = "";
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (!part[i].count) continue;
        printf("%s%zu %s", comma, part[i].count, part[i].count == 1 ? part[i].one : part[i].many);
        comma = ", ";
    }
    printf(": ");
    cli_print_name(dir);
    if (r->unfinished) printf("; %zu score sets lack rows, which are NaN", r->unfinished);
    if (r->left_out) printf("; %zu sets left out, unfinished or without rows", r->left_out);
    if (r->note[0]) printf("; %s", r->note);
    printf("\n");
}

static enum status export_folders(const struct args *a, struct store *s, const struct report_request *q) {
    struct export_options o = { .force = args_has(a, "force"), .half = args_has(a, "half"), .matrix = args_text(a, "matrix", NULL),
                                .pick = { q->method, q->loss, q->lambda, q->checkpoint, q->timesteps, q->k, 0 } };
    TRY(read_what(a, &o.what));
    TRY(cli_splits(a, &o.pick.splits));
    for (int i = 0; i < FOLDERS; i++) {
        struct export_result r;
        struct console c;
        o.dir = args_text(a, targets[i], NULL);
        if (!o.dir) continue;
        console_start(&c);
        enum status st = i == 0 ? pipeline_export_arrays(s, &o, &c.progress, &r) : pipeline_export_traker(s, &o, &c.progress, &r);
        console_end(&c);
        TRY(st);
        print_exported(o.dir, &r);
    }
    return OK;
}

/* --- files of rankings --- */

static enum status add_piece(void *ctx, const void *text, size_t len) { return file_add(ctx, text, len); }

static enum status write_rows(struct store *s, const struct report_rankings *r, int json, const char *path, int force) {
    struct file_out f;
    struct console c;
    TRY(file_begin(&f, path, force));
    console_start(&c);
    enum status st = report_rows_write(s, r, json ? ROWS_JSON : ROWS_CSV, add_piece, &f, &c.progress);
    console_end(&c);
    if (st == OK) return file_end(&f);
    file_abandon(&f);
    return st;
}

static enum status write_text(const struct args *a, const struct report_rankings *r, int json, const char *path) {
    struct buf b = BUF_INIT;
    if (json) report_rankings_json(&b, r);
    else report_rankings_csv(&b, r);
    enum status st = buf_status(&b);
    if (st == OK) st = cli_out_write(a, path, b.data, b.len);
    buf_free(&b);
    return st;
}

static enum status write_picture(const struct args *a, struct store *s, const struct report_rankings *r, const char *path) {
    struct image im = { 0 };
    struct buf png = BUF_INIT;
    enum status st = OK;
    TRY_TO(report_sheet_ranking(&im, s, &r->one[0], NULL));
    TRY_TO(image_encode_png(&png, &im));
    st = cli_out_write(a, path, png.data, png.len);
done:
    image_free(&im);
    buf_free(&png);
    return st;
}

enum status cli_page(const struct args *a, struct store *s, const struct report_rankings *r, const char *path) {
    struct buf b = BUF_INIT;
    struct console c;
    console_start(&c);
    enum status st = report_page_html(&b, s, r, &c.progress);
    console_end(&c);
    if (st == OK) st = cli_out_write(a, path, b.data, b.len);
    if (st == OK) {
        printf("%zu %s in %zu kB: ", r->count, r->count == 1 ? "query" : "queries", (b.len + 999) / 1000);
        cli_print_name(path);
        if (r->left_out) printf(" (%zu without scores left out)", r->left_out);
        printf("\n");
    }
    buf_free(&b);
    return st;
}

static void print_written(const struct report_rankings *r, const char *path) {
    printf("%zu %s: ", r->count, r->count == 1 ? "query" : "queries");
    cli_print_name(path);
    if (r->left_out) printf(" (%zu without scores left out)", r->left_out);
    printf("\n");
}

static enum status export_files(const struct args *a, struct store *s, const struct report_rankings *r) {
    int rows = args_has(a, "rows");
    if (args_has(a, "png") && r->count != 1)
        return fail(ERR_USAGE, "--png is a picture of one query, and %zu are meant: add --query gen:0", r->count);
    for (int i = FOLDERS; i < TARGETS; i++) {
        const char *path = args_text(a, targets[i], NULL);
        int json = !strcmp(targets[i], "json");
        if (!path) continue;
        if (!strcmp(targets[i], "html")) {
            TRY(cli_page(a, s, r, path));
            continue;
        }
        if (!strcmp(targets[i], "png")) TRY(write_picture(a, s, r, path));
        else TRY(rows ? write_rows(s, r, json, path, args_has(a, "force")) : write_text(a, r, json, path));
        print_written(r, path);
    }
    return OK;
}

/* --- the command --- */

/* What exists is said before any work. */
static enum status check_targets(const struct args *a, int *folders, int *files) {
    *folders = *files = 0;
    for (int i = 0; i < TARGETS; i++) {
        const char *path = args_text(a, targets[i], NULL);
        if (!path) continue;
        if (!strcmp(path, "-")) return fail(ERR_USAGE, "--%s -: the name of a file or folder is expected; dtrak rank prints", targets[i]);
        if (i >= FOLDERS) TRY(cli_out_check(a, path, targets[i]));
        else if (!args_has(a, "force")) TRY(file_check_new(path));
        for (int j = 0; j < i; j++)
            if (args_has(a, targets[j]) && !strcmp(args_text(a, targets[j], ""), path))
                return fail(ERR_USAGE, "--%s and --%s are the same place", targets[j], targets[i]);
        *folders += i < FOLDERS;
        *files += i >= FOLDERS;
    }
    if (!*folders && !*files) return fail(ERR_USAGE, "what is to be written? --npy DIR, --traker DIR, --csv, --json, --png or --html FILE");
    if (!*files && (args_has(a, "query") || args_has(a, "rows") || args_has(a, "top") || args_has(a, "bottom")))
        return fail(ERR_USAGE, "--query, --rows, --top and --bottom are for --csv, --json, --png and --html");
    if (!*folders && args_has(a, "split")) return fail(ERR_USAGE, "--split is for --npy and --traker; --query chooses the queries of a file");
    if (!args_has(a, "npy") && args_has(a, "what")) return fail(ERR_USAGE, "--what is for --npy");
    if (!args_has(a, "traker") && (args_has(a, "half") || args_has(a, "matrix"))) return fail(ERR_USAGE, "--half and --matrix are for --traker");
    if (args_has(a, "rows") && !args_has(a, "csv") && !args_has(a, "json")) return fail(ERR_USAGE, "--rows is for --csv and --json");
    return OK;
}

static enum status run_export(const struct args *a) {
    struct store *s = NULL;
    struct report_rankings r = { 0 };
    struct report_request q = { .top = 10, .one_network = 1 };
    int folders, files;
    TRY(check_targets(a, &folders, &files));
    TRY(cli_setting(a, &q));
    TRY(args_size(a, "top", 0, 1000000, &q.top));
    q.bottom = q.top;
    TRY(args_size(a, "bottom", 0, 1000000, &q.bottom));
    TRY(cli_feature_root(a));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = folders ? export_folders(a, s, &q) : OK;
    if (st == OK && files) st = report_rankings_load(&r, s, &q, args_text(a, "query", "all"), NULL);
    if (st == OK && files) st = export_files(a, s, &r);
    report_rankings_free(&r);
    return cli_close(s, st);
}

const struct command command_export = {
    "export", "DB", "write arrays, rankings or pictures for other programs and people",
    options, 1, 1,
    "  dtrak export my.db --npy arrays --what features,scores --loss square\n"
    "  dtrak export my.db --traker save_dir --loss square --checkpoint all\n"
    "  dtrak export my.db --csv top.csv --query gen:all --method dtrak --top 20\n"
    "  dtrak export my.db --json scores.json --rows --query gen:0-9 --method dtrak\n"
    "  dtrak export my.db --png gen17.png --html gen17.html --query gen:17 --method dtrak\n", run_export
};
