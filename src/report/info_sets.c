/* info_sets.c - feature sets, score sets and numbers per item, one by one or in groups. */
#include "info_sets.h"

#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS = 240 };

static void __attribute__((format(printf, 2, 3))) append(char out[WORDS], const char *format, ...) {
    size_t n = strlen(out);
    va_list ap;
    va_start(ap, format);
    vsnprintf(out + n, WORDS - n, format, ap);
    va_end(ap);
}

/* Of a checkpoint, where it is there. */
static void words_of(char out[WORDS], const struct checkpoint_list *l, int64_t checkpoint) {
    char words[96] = "no checkpoint";
    for (size_t i = 0; i < l->count; i++)
        if (l->checkpoint[i].id == checkpoint) checkpoint_words(words, &l->checkpoint[i]);
    snprintf(out, WORDS, "%s", words);
}

/* The word and blanks up to a width. */
static void add_column(struct buf *b, const char *text, size_t cells) {
    char safe[4 * WORDS];
    text_escape(safe, sizeof safe, text);
    buf_text(b, safe);
    for (size_t w = text_width(safe); w < cells; w++) buf_text(b, " ");
    buf_text(b, "  ");
}

/* --- lines and groups of them --- */

enum field { METHOD, CHECKPOINT, FEATURES, LAMBDA, RIDGE, ROWS, LOSS, FIELDS };

struct line { char field[FIELDS][WORDS]; };

/* Lines that are equal in all but one field become one, which has the words of all there. */
static void join(struct line *l, size_t *n, enum field at, const char *between) {
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        size_t j = 0;
        for (; j < kept; j++) {
            int same = 1;
            for (int f = 0; f < FIELDS && same; f++) same = f == (int)at || strcmp(l[i].field[f], l[j].field[f]) == 0;
            if (same && strlen(l[j].field[at]) + strlen(l[i].field[at]) + 4 < WORDS) break;
        }
        if (j < kept) append(l[j].field[at], "%s%s", between, l[i].field[at]);
        else if (kept++ != i) l[kept - 1] = l[i];
    }
    *n = kept;
}

/* Columns as wide as their widest words, empty ones left out; the losses of groups come last. */
static void add_lines(struct buf *b, const struct line *l, size_t n, int all) {
    size_t widest[FIELDS] = { 0 };
    for (size_t i = 0; i < n; i++)
        for (int f = 0; f < FIELDS; f++)
            if (text_width(l[i].field[f]) > widest[f]) widest[f] = text_width(l[i].field[f]);
    for (size_t i = 0; i < n; i++) {
        buf_text(b, "  ");
        for (int f = 0; f < FIELDS; f++) {
            if (f == LOSS && !all) continue;
            if (widest[f]) add_column(b, l[i].field[f], widest[f]);
        }
        if (!all) buf_text(b, l[i].field[LOSS]);
        buf_text(b, "\n");
    }
}

/* --- feature sets --- */

static void feature_line(struct line *l, const struct feature_set *s, const struct checkpoint_list *c, int all) {
    const struct feature_identity *id = &s->identity;
    char *words = l->field[FEATURES];
    memset(l, 0, sizeof *l);
    snprintf(l->field[LOSS], WORDS, "%s", id->loss);
    words_of(l->field[CHECKPOINT], c, s->checkpoint);
    append(words, "%3zu timesteps  k %-5zu", id->timesteps, id->k);
    if (strcmp(id->rule, "uniform")) append(words, "  %s", id->rule);
    if (id->draws > 1) append(words, "  %zu draws", id->draws);
    if (id->parts > 1) append(words, "  in %zu parts", id->parts);
    if (strcmp(s->projection, "sjlt")) append(words, "  %s", s->projection);
    if (s->files) append(words, "  in %zu file%s", s->files, s->files > 1 ? "s" : "");
    if (!all && s->rows_done == s->rows) append(l->field[ROWS], "%s %zu", split_name(id->split), s->rows);
    else append(l->field[ROWS], "%s %zu/%zu%s", split_name(id->split), s->rows_done, s->rows, s->dropped ? " (dropped)" : "");
}

void info_add_features(struct buf *b, const struct feature_set_list *l, const struct checkpoint_list *c, int all) {
    struct line *lines = mem_array(l->count + 1, sizeof *lines);
    size_t n = 0, dropped = 0;
    if (!lines) { b->failed = 1; return; }
    for (size_t i = 0; i < l->count; i++) {
        if (!all && l->set[i].dropped) dropped++;
        else feature_line(&lines[n++], &l->set[i], c, all);
    }
    if (!all) {
        join(lines, &n, ROWS, ", ");
        join(lines, &n, LOSS, " ");
    }
    buf_printf(b, "\nfeature sets %zu\n", l->count);
    add_lines(b, lines, n, all);
    if (dropped) buf_printf(b, "  %s%zu whose rows were dropped (--all lists them)\n", n ? "and " : "", dropped);
    mem_free(lines);
}

/* --- score sets --- */

static void score_line(struct line *l, const struct score_set *s, const struct checkpoint_list *c, int all) {
    char value[LAMBDA_TEXT];
    enum method m = method_parse(s->method, NULL);
    int has_lambda = m != METHOD_COUNT && method_has_lambda(m) && isfinite(s->lambda_rel);
    memset(l, 0, sizeof *l);
    snprintf(l->field[METHOD], WORDS, "%s", s->method);
    snprintf(l->field[LOSS], WORDS, "%s", s->loss);
    if (s->checkpoints == 1) words_of(l->field[CHECKPOINT], c, s->checkpoint[0]);
    if (s->checkpoints > 1) append(l->field[CHECKPOINT], "%zu checkpoints", s->checkpoints);
    if (s->timesteps) append(l->field[FEATURES], "%3zu timesteps  k %zu", s->timesteps, s->k);
    lambda_format_value(value, s->lambda_rel);
    int is_auto = strcmp(s->lambda_spec, "auto") == 0;
    if (has_lambda && all) append(l->field[LAMBDA], "lambda %s%s", value, is_auto ? " (auto)" : "");
    else if (has_lambda) append(l->field[LAMBDA], "%s", is_auto ? "auto" : value);
    if (all && isfinite(s->d_eff)) append(l->field[RIDGE], "d_eff %.0f%s", s->d_eff, score_set_is_narrow(s) ? " (k < 10 d_eff)" : "");
    if (all && isfinite(s->d_eff) && isfinite(s->condition)) {
        lambda_format_value(value, s->condition);
        append(l->field[RIDGE], "  rank %zu  cond %s", s->rank, value);
    }
    if (!all && s->rows_done == s->rows) append(l->field[ROWS], "%s %zu", split_name(s->split), s->rows);
    else append(l->field[ROWS], "%s %zu/%zu", split_name(s->split), s->rows_done, s->rows);
}

/* "auto", one of its own, or how many. */
static void count_lambdas(struct line *l) {
    char *words = l->field[LAMBDA], text[WORDS] = "lambda ";
    size_t n = words[0] != 0;
    for (const char *p = words; *p; p++) n += *p == ' ';
    int has_auto = strcmp(words, "auto") == 0 || strncmp(words, "auto ", 5) == 0;
    if (n == 0) return;
    if (n == 1) append(text, "%s", words);
    else if (has_auto) append(text, "auto and %zu", n - 1);
    else snprintf(text, sizeof text, "%zu lambdas", n);
    snprintf(words, WORDS, "%s", text);
}

void info_add_scores(struct buf *b, const struct score_set_list *l, const struct checkpoint_list *c, int all) {
    struct line *lines = mem_array(l->count + 1, sizeof *lines);
    size_t n = 0, empty = 0;
    if (!lines) { b->failed = 1; return; }
    for (size_t i = 0; i < l->count; i++) {
        if (!all && !l->set[i].rows_done && l->set[i].rows) empty++;
        else score_line(&lines[n++], &l->set[i], c, all);
    }
    if (!all) {
        join(lines, &n, LAMBDA, " ");
        for (size_t i = 0; i < n; i++) count_lambdas(&lines[i]);
        join(lines, &n, ROWS, ", ");
        join(lines, &n, LOSS, " ");
    }
    buf_printf(b, "\nscore sets  %zu\n", l->count);
    add_lines(b, lines, n, all);
    if (empty) buf_printf(b, "  %s%zu without rows (--all lists them)\n", n ? "and " : "", empty);
    mem_free(lines);
}

/* --- numbers per item --- */

void info_add_stats(struct buf *b, const struct stat_set_list *l, const struct checkpoint_list *c, int all) {
    struct line *lines = mem_array(l->count + 1, sizeof *lines);
    size_t n = l->count;
    if (!lines) { b->failed = 1; return; }
    for (size_t i = 0; i < n; i++) {
        const struct stat_set *s = &l->set[i];
        append(lines[i].field[METHOD], "%s", s->name);
        if (s->checkpoint) words_of(lines[i].field[CHECKPOINT], c, s->checkpoint);
        append(lines[i].field[LOSS], "%s", s->key);
        append(lines[i].field[ROWS], "%s %zu", split_name(s->split), s->count);
    }
    if (!all) join(lines, &n, ROWS, ", ");
    if (n) buf_text(b, "\nnumbers per item\n");
    add_lines(b, lines, n, all);
    mem_free(lines);
}
