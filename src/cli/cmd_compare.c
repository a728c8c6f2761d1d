/* cmd_compare.c - dtrak compare DB: two settings' rankings of one item, side by side. */
#include "dtrak/cli.h"
#include "dtrak/report.h"
#include "dtrak/store.h"

#include <stdio.h>
#include <string.h>

static const struct option options[] = {
    { "query", 1, "ITEM", "the item to explain, as gen:17 or val:3" },
    { "a", 1, "SETTING", "method,loss=L,checkpoint=C,lambda=V,timesteps=N,dims=K; a method will do (trak)" },
    { "b", 1, "SETTING", "the other one (dtrak)" },
    { "top", 1, "N", "how many places to list (10)" },
    { "json", 0, NULL, "as JSON" },
    { "csv", 0, NULL, "as CSV" },
    { NULL, 0, NULL, NULL },
};

/* A setting's words, kept as long as the request points at them. */
struct setting_text { char method[64], loss[64], checkpoint[64], lambda[64]; };

static enum status read_word(struct report_request *q, struct setting_text *t, const char *word) {
    const char *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : 0;
    if (!value) return fail(ERR_USAGE, "'%s' is not NAME=VALUE with loss, checkpoint, lambda, timesteps or dims", word);
    value++;
    if (len == 4 && !strncmp(word, "loss", len)) {
        snprintf(t->loss, sizeof t->loss, "%s", value);
        q->loss = t->loss;
    } else if (len == 10 && !strncmp(word, "checkpoint", len)) {
        snprintf(t->checkpoint, sizeof t->checkpoint, "%s", value);
        q->checkpoint = t->checkpoint;
    } else if (len == 6 && !strncmp(word, "lambda", len)) {
        snprintf(t->lambda, sizeof t->lambda, "%s", value);
        q->lambda = t->lambda;
    } else if (len == 9 && !strncmp(word, "timesteps", len)) {
        return args_parse_size(value, "timesteps", 1, 1000, &q->timesteps);
    } else if (len == 4 && !strncmp(word, "dims", len)) {
        return args_parse_size(value, "dims", 1, 1u << 24, &q->k);
    } else {
        return fail(ERR_USAGE, "'%s': expected loss=, checkpoint=, lambda=, timesteps= or dims=", word);
    }
    return OK;
}

static enum status read_setting(struct report_request *q, struct setting_text *t, const char *text) {
    char word[64];
    int first = 1;
    while (args_next_word(&text, word, sizeof word)) {
        if (first) snprintf(t->method, sizeof t->method, "%s", word);
        else TRY(read_word(q, t, word));
        first = 0;
    }
    if (first) return fail(ERR_USAGE, "a setting begins with a method, as trak,loss=elbo");
    q->method = t->method;
    return OK;
}

static enum status print(const struct args *a, const struct report_comparison *c) {
    struct buf b = BUF_INIT;
    if (args_has(a, "json")) report_comparison_json(&b, c);
    else if (args_has(a, "csv")) report_comparison_csv(&b, c);
    else report_comparison_text(&b, c);
    enum status st = buf_status(&b);
    if (st == OK) fwrite(b.data, 1, b.len, stdout);
    buf_free(&b);
    return st;
}

static enum status run_compare(const struct args *a) {
    struct store *s = NULL;
    struct report_comparison c;
    struct report_request q[2] = { { .top = 10 }, { .top = 10 } };
    struct setting_text t[2];
    if (!args_has(a, "query")) return fail(ERR_USAGE, "which item? add --query gen:0");
    if (args_has(a, "json") && args_has(a, "csv")) return fail(ERR_USAGE, "--json or --csv, not both");
    TRY(item_ref_parse(&q[0].query, args_text(a, "query", "")));
    TRY(args_size(a, "top", 0, 1000000, &q[0].top));
    TRY(read_setting(&q[0], &t[0], args_text(a, "a", "trak")));
    TRY(read_setting(&q[1], &t[1], args_text(a, "b", "dtrak")));
    TRY(cli_open(&s, a->file[0], 0));
    enum status st = report_comparison_load(&c, s, &q[0], &q[1]);
    if (st == OK) {
        st = print(a, &c);
        report_comparison_free(&c);
    }
    return cli_close(s, st);
}

const struct command command_compare = {
    "compare", "DB", "two settings' rankings of one item, side by side",
    options, 1, 1,
    "  dtrak compare my.db --query gen:17\n"
    "  dtrak compare my.db --query gen:17 --a dtrak,checkpoint=50% --b dtrak --top 20 --csv\n", run_compare
};
