/* counterfactual_table.c - how far pictures move when items are taken away. */
#include "dtrak/counterfactual_table.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/stats.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GROUPS_MAX = 64, PAIRS_MIN = 3 };   /* a standard error of fewer says nothing */

/* Rows that are alike. */
struct group {
    const struct counterfactual *first;
    size_t count;
    double l2_mean, l2_median, cos_mean, cos_median;
    double more, more_se;         /* L2 minus that of random on the same queries; NAN: not known */
    size_t pairs;
};
struct groups { struct group group[GROUPS_MAX]; size_t count; };

int counterfactual_is_alike(const struct counterfactual *a, const struct counterfactual *b) {
    return a->removed == b->removed && a->protocol == b->protocol && a->score_set == b->score_set && !strcmp(a->label, b->label);
}

/* Of what is alike and of one query the latest counts: the list, or the scores, were others before. */
static int is_superseded(const struct counterfactual_list *l, size_t i) {
    const struct counterfactual *c = &l->row[i];
    for (size_t j = 0; j < l->count; j++)
        if (l->row[j].id > c->id && counterfactual_is_alike(&l->row[j], c) && l->row[j].query.split == c->query.split &&
            l->row[j].query.index == c->query.index)
            return 1;
    return 0;
}

enum status counterfactual_list_latest(struct counterfactual_list *l, size_t *left_out) {
    unsigned char *stays = mem_array(l->count + 1, 1);
    size_t n = 0;
    if (!stays) return fail(ERR_NOMEM, "counterfactual: out of memory");
    for (size_t i = 0; i < l->count; i++) stays[i] = (unsigned char)!is_superseded(l, i);
    for (size_t i = 0; i < l->count; i++)
        if (stays[i]) l->row[n++] = l->row[i];
    if (left_out) *left_out = l->count - n;
    l->count = n;
    mem_free(stays);
    return OK;
}

static int is_in(const struct group *g, const struct counterfactual *c) { return counterfactual_is_alike(g->first, c); }

static int same_query(const struct counterfactual *a, const struct counterfactual *b) {
    return a->query.split == b->query.split && a->query.index == b->query.index;
}

/* The mean distance after taking random items away, of networks trained alike; NAN: there is none. */
static double random_l2(const struct counterfactual_list *l, const struct counterfactual *c) {
    double sum = 0;
    size_t n = 0;
    for (size_t j = 0; j < l->count; j++) {
        const struct counterfactual *r = &l->row[j];
        if (strcmp(r->label, "random") != 0 || r->removed != c->removed || r->protocol != c->protocol || !same_query(r, c)) continue;
        sum += r->pixel_l2;
        n++;
    }
    return n ? sum / (double)n : (double)NAN;
}

static enum status summarise(struct group *g, const struct counterfactual_list *l, double *scratch) {
    double *l2 = scratch, *cosine = scratch + l->count;
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        if (is_in(g, &l->row[i])) {
            l2[n] = l->row[i].pixel_l2;
            cosine[n++] = l->row[i].pixel_cos;
        }
    g->count = n;
    g->l2_mean = stats_mean(l2, n);
    g->cos_mean = stats_mean(cosine, n);
    TRY(stats_median(&g->l2_median, NULL, l2, n));
    TRY(stats_median(&g->cos_median, NULL, cosine, n));
    n = 0;
    for (size_t i = 0; i < l->count; i++) {
        double other = is_in(g, &l->row[i]) ? random_l2(l, &l->row[i]) : (double)NAN;
        if (isfinite(other)) l2[n++] = l->row[i].pixel_l2 - other;
    }
    g->pairs = n;
    g->more = n ? stats_mean(l2, n) : (double)NAN;
    g->more_se = n >= PAIRS_MIN ? stats_sd(l2, n) / sqrt((double)n) : (double)NAN;
    return OK;
}

static enum status find_groups(struct groups *out, const struct counterfactual_list *l) {
    double *scratch = mem_array(2 * l->count + 1, sizeof *scratch);
    enum status st = scratch ? OK : fail(ERR_NOMEM, "counterfactual: out of memory");
    out->count = 0;
    for (size_t i = 0; i < l->count && st == OK; i++) {
        size_t k = 0;
        while (k < out->count && !is_in(&out->group[k], &l->row[i])) k++;
        if (k < out->count || k == GROUPS_MAX) continue;
        out->group[out->count++] = (struct group){ .first = &l->row[i] };
        st = summarise(&out->group[k], l, scratch);
    }
    mem_free(scratch);
    return st;
}

void counterfactual_name(char out[COUNTERFACTUAL_NAME], const char *label) {
    char word[32];
    size_t len = strcspn(label, " ");
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : 0), label);
    enum method m = method_parse(word, NULL);
    enum loss loss = label[len] ? loss_parse(label + len + 1) : LOSS_COUNT;
    if (m < METHOD_COUNT && (!label[len] || loss < LOSS_COUNT)) method_display(out, m, loss);
    else text_escape(out, COUNTERFACTUAL_NAME, label);
}

void counterfactual_full_name(char out[COUNTERFACTUAL_NAME], const struct counterfactual_list *l, size_t i) {
    const struct counterfactual *c = &l->row[i];
    int other_training = 0, other_scores = 0;
    char more[48] = "";
    counterfactual_name(out, c->label);
    for (size_t j = 0; j < l->count; j++) {
        const struct counterfactual *x = &l->row[j];
        if (x->removed != c->removed || strcmp(x->label, c->label) != 0) continue;
        other_training |= x->protocol != c->protocol;
        other_scores |= x->score_set != c->score_set;
    }
    if (other_training) snprintf(more, sizeof more, ", %zu steps", c->steps);
    size_t len = strlen(more);
    if (other_scores && c->score_set) snprintf(more + len, sizeof more - len, ", scores %lld", (long long)c->score_set);
    len = text_fit(out, COUNTERFACTUAL_NAME - sizeof more);
    snprintf(out + len, COUNTERFACTUAL_NAME - len, "%s", more);
}

static enum status check_any(const struct counterfactual_list *l) {
    return l->count ? OK : fail(ERR_MISSING, "there are no counterfactuals yet; dtrak counterfactual DB --methods dtrak,random makes some");
}

static int is_random(const struct group *g) { return !strcmp(g->first->label, "random"); }

/* Of some of its queries only: the others have no picture without random items. */
static int has_few_pairs(const struct group *g) { return !is_random(g) && g->pairs && g->pairs < g->count; }

/* "+0.060 +-0.145", and " of 5" where lines have fewer pairs than queries. */
static void add_difference(struct buf *b, const struct group *g, int few) {
    char text[64] = "";
    size_t n = 0;
    if (isfinite(g->more) && !is_random(g)) n = (size_t)snprintf(text, sizeof text, "%+6.3f", g->more);
    if (n && isfinite(g->more_se)) snprintf(text + n, sizeof text - n, " +-%5.3f", g->more_se);
    buf_printf(b, "  %-14s", text);
    if (has_few_pairs(g)) snprintf(text, sizeof text, "of %zu", g->pairs);
    else text[0] = 0;
    if (few) buf_printf(b, " %-6s", text);
}

enum status counterfactual_table_text(struct buf *out, const struct counterfactual_list *l) {
    struct groups g;
    int few = 0;
    char safe[COUNTERFACTUAL_NAME], name[32];
    TRY(check_any(l));
    TRY(find_groups(&g, l));
    for (size_t i = 0; i < g.count; i++) few |= has_few_pairs(&g.group[i]);
    buf_printf(out, "taken away by                 items  queries  L2 mean  median    minus random%s  cosine mean  median\n", few ? "       " : "");
    for (size_t i = 0; i < g.count; i++) {
        const struct group *x = &g.group[i];
        counterfactual_full_name(safe, l, (size_t)(x->first - l->row));
        buf_printf(out, "%-29s %5zu  %7zu  %7.3f  %6.3f", safe, x->first->removed, x->count, x->l2_mean, x->l2_median);
        add_difference(out, x, few);
        buf_printf(out, "  %11.4f  %6.4f\n", x->cos_mean, x->cos_median);
    }
    buf_text(out, "\nquery      taken away by                 items      L2   cosine\n");
    for (size_t i = 0; i < l->count; i++) {
        counterfactual_full_name(safe, l, i);
        item_ref_format(name, l->row[i].query);
        buf_printf(out, "%-10s %-29s %5zu  %6.3f  %7.4f\n", name, safe, l->row[i].removed, l->row[i].pixel_l2, l->row[i].pixel_cos);
    }
    return buf_status(out);
}

static void add_number(struct buf *b, const char *name, double x) {
    buf_printf(b, ", \"%s\": ", name);
    json_add_double(b, x);
}

/* What tells rows of one label apart. */
static void add_training(struct buf *b, const struct counterfactual *c) {
    buf_printf(b, ", \"removed\": %zu, \"steps\": %zu, \"score_set\": ", c->removed, c->steps);
    if (c->score_set) json_add_int(b, c->score_set);
    else buf_text(b, "null");
}

enum status counterfactual_table_json(struct buf *out, const struct counterfactual_list *l) {
    struct groups g;
    char name[32];
    TRY(check_any(l));
    TRY(find_groups(&g, l));
    buf_text(out, "{\"methods\": [");
    for (size_t i = 0; i < g.count; i++) {
        const struct group *x = &g.group[i];
        buf_text(out, i ? ",\n {\"label\": " : "\n {\"label\": ");
        json_add_string(out, x->first->label);
        add_training(out, x->first);
        buf_printf(out, ", \"queries\": %zu", x->count);
        add_number(out, "l2_mean", x->l2_mean);
        add_number(out, "l2_median", x->l2_median);
        add_number(out, "cosine_mean", x->cos_mean);
        add_number(out, "cosine_median", x->cos_median);
        add_number(out, "l2_minus_random", x->more);
        add_number(out, "l2_minus_random_se", x->more_se);
        buf_printf(out, ", \"pairs\": %zu}", x->pairs);
    }
    buf_text(out, "],\n\"pictures\": [");
    for (size_t i = 0; i < l->count; i++) {
        item_ref_format(name, l->row[i].query);
        buf_printf(out, "%s{\"query\": \"%s\", \"label\": ", i ? ",\n " : "\n ", name);
        json_add_string(out, l->row[i].label);
        add_training(out, &l->row[i]);
        add_number(out, "l2", l->row[i].pixel_l2);
        add_number(out, "cosine", l->row[i].pixel_cos);
        buf_text(out, "}");
    }
    buf_text(out, "]}\n");
    return buf_status(out);
}

enum status counterfactual_table_csv(struct buf *out, const struct counterfactual_list *l) {
    char name[32];
    TRY(check_any(l));
    buf_text(out, "query,label,removed,l2,cosine,steps,score_set\n");
    for (size_t i = 0; i < l->count; i++) {
        const struct counterfactual *c = &l->row[i];
        item_ref_format(name, c->query);
        buf_printf(out, "%s,", name);
        report_add_csv(out, c->label);
        buf_printf(out, ",%zu,%.9g,%.9g,%zu,", c->removed, c->pixel_l2, c->pixel_cos, c->steps);
        if (c->score_set) buf_printf(out, "%lld", (long long)c->score_set);
        buf_text(out, "\n");
    }
    return buf_status(out);
}
