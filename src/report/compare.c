/* compare.c - two settings' rankings of one query, side by side. */
#include "dtrak/report.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum status read_scores(struct store *s, const struct report_ranking *r, float **out) {
    *out = mem_array(r->set.n ? r->set.n : 1, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "comparison: out of memory");
    return store_score_read(s, &r->set, r->query.index, *out);
}

enum status report_comparison_load(struct report_comparison *out, struct store *s,
                                   const struct report_request *a, const struct report_request *b) {
    enum status st;
    float *score[2] = { NULL, NULL };
    struct report_request second = *b;
    memset(out, 0, sizeof *out);
    second.query = a->query;
    second.top = a->top;
    TRY_TO(report_ranking_load(&out->side[0], s, a));
    TRY_TO(report_ranking_load(&out->side[1], s, &second));
    if (out->side[0].set.n != out->side[1].set.n) {
        st = fail(ERR_MISSING, "the two settings score %zu and %zu training items; score them again to compare",
                  out->side[0].set.n, out->side[1].set.n);
        goto done;
    }
    for (int i = 0; i < 2; i++) TRY_TO(read_scores(s, &out->side[i], &score[i]));
    TRY_TO(comparison_make(&out->measured, score[0], score[1], out->side[0].set.n));
done:
    mem_free(score[0]);
    mem_free(score[1]);
    if (st != OK) report_comparison_free(out);
    return st;
}

void report_comparison_free(struct report_comparison *c) {
    for (int i = 0; i < 2; i++) report_ranking_free(&c->side[i]);
    comparison_free(&c->measured);
}

static size_t other_rank(const struct report_comparison *c, int side, size_t item) {
    return c->measured.rank[!side][item];
}

/* --- text --- */

static void add_setting_text(struct buf *b, const char *name, const struct report_ranking *r) {
    char display[METHOD_DISPLAY], value[LAMBDA_TEXT];
    enum method m = method_parse(r->set.method, NULL);
    method_display(display, m, loss_parse(r->set.loss));
    buf_printf(b, "%s  %s", name, display);
    if (r->set.loss[0]) buf_printf(b, "  loss %s", r->set.loss);
    if (r->has_checkpoint) buf_printf(b, "  checkpoint %zu%s%s", r->step, r->network[0] ? " of " : "", r->network);
    if (r->set.k) buf_printf(b, "  %zu timesteps  k %zu", r->set.timesteps, r->set.k);
    if (method_has_lambda(m) && isfinite(r->set.lambda_rel)) {
        lambda_format_value(value, r->set.lambda_rel);
        buf_printf(b, "  lambda %s", value);
    }
    buf_text(b, "\n");
}

static size_t widest_label(const struct report_comparison *c) {
    size_t widest = 5;
    char safe[256];
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < c->side[side].n_top; i++) {
            text_escape(safe, sizeof safe, c->side[side].top[i].label);
            if (text_width(safe) > widest) widest = text_width(safe);
        }
    return widest;
}

static void add_place(struct buf *b, const struct report_comparison *c, int side, size_t i, size_t widest) {
    char name[32], safe[256];
    const struct report_entry *e = &c->side[side].top[i];
    item_ref_format(name, e->item);
    text_escape(safe, sizeof safe, e->label);
    report_add_padded(b, name, 12);
    buf_text(b, "  ");
    report_add_padded(b, safe, widest);
    buf_printf(b, "  %+11.5g  %6zu", (double)e->score, other_rank(c, side, e->item.index));
}

static void add_correlation(struct buf *b, const char *name, double x) {
    if (isfinite(x)) buf_printf(b, "%s %+.3f  ", name, x);
    else buf_printf(b, "%s -  ", name);
}

void report_comparison_text(struct buf *b, const struct report_comparison *c) {
    char name[32], safe[256];
    const struct comparison *m = &c->measured;
    size_t widest = widest_label(c), n = c->side[0].n_top, from = b->len;
    item_ref_format(name, c->side[0].query);
    text_escape(safe, sizeof safe, c->side[0].query_label);
    buf_printf(b, "query     %s%s%s\n", name, *safe ? "  " : "", safe);
    add_setting_text(b, "a       ", &c->side[0]);
    add_setting_text(b, "b       ", &c->side[1]);
    buf_text(b, "overlap ");
    for (int d = 0; d < COMPARISON_DEPTHS; d++)
        if (isfinite(m->overlap[d])) buf_printf(b, "  @%zu %.2f", comparison_depth[d], m->overlap[d]);
    buf_text(b, "\nagree     ");
    add_correlation(b, "Spearman", m->spearman);
    add_correlation(b, "Kendall", m->kendall);
    buf_printf(b, "rank-biased overlap %.3f (p %.2f)  over %zu items\n", m->rbo, COMPARISON_RBO_P, m->n);
    if (n) buf_text(b, "\nrank  ");
    for (int side = 0; side < 2 && n; side++) {
        report_add_padded(b, side ? "b" : "a", 12);
        buf_text(b, "  ");
        report_add_padded(b, "label", widest);
        buf_printf(b, "  %11s  %6s%s", "score", side ? "in a" : "in b", side ? "\n" : "    ");
    }
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%4zu  ", i + 1);
        add_place(b, c, 0, i, widest);
        buf_text(b, "    ");
        add_place(b, c, 1, i, widest);
        buf_text(b, "\n");
    }
    report_trim_lines(b, from);
}

/* --- JSON and CSV --- */

static void add_setting_json(struct buf *b, const struct report_comparison *c, int side) {
    char name[32];
    const struct report_ranking *r = &c->side[side];
    buf_printf(b, ",\"%s\":{", side ? "b" : "a");
    report_add_setting_json(b, r);
    buf_text(b, ",\"places\":[");
    for (size_t i = 0; i < r->n_top; i++) {
        const struct report_entry *e = &r->top[i];
        item_ref_format(name, e->item);
        buf_printf(b, "%s{\"rank\":%zu,\"item\":\"%s\",\"label\":", i ? "," : "", e->rank, name);
        if (e->label[0]) json_add_string(b, e->label);
        else buf_text(b, "null");
        buf_text(b, ",\"score\":");
        json_add_float(b, e->score);
        buf_printf(b, ",\"other_rank\":%zu}", other_rank(c, side, e->item.index));
    }
    buf_text(b, "]}");
}

void report_comparison_json(struct buf *b, const struct report_comparison *c) {
    char name[32];
    const struct comparison *m = &c->measured;
    item_ref_format(name, c->side[0].query);
    buf_printf(b, "{\"query\":\"%s\",\"items\":%zu,\"overlap\":{", name, m->n);
    for (int d = 0; d < COMPARISON_DEPTHS; d++) {
        buf_printf(b, "%s\"%zu\":", d ? "," : "", comparison_depth[d]);
        json_add_double(b, m->overlap[d]);
    }
    buf_text(b, "},\"spearman\":");
    json_add_double(b, m->spearman);
    buf_text(b, ",\"kendall\":");
    json_add_double(b, m->kendall);
    buf_text(b, ",\"rbo\":");
    json_add_double(b, m->rbo);
    buf_text(b, ",\"rbo_p\":");
    json_add_double(b, COMPARISON_RBO_P);
    add_setting_json(b, c, 0);
    add_setting_json(b, c, 1);
    buf_text(b, "}\n");
}

/* A line for each item in the lists: place by place, side a first, no item twice.
 * The score on a side is known where the item is in that side's list. */
void report_comparison_csv(struct buf *b, const struct report_comparison *c) {
    const struct comparison *m = &c->measured;
    char name[32];
    buf_text(b, "item,label,rank_a,score_a,rank_b,score_b\n");
    for (size_t i = 0; i < c->side[0].n_top || i < c->side[1].n_top; i++)
        for (int side = 0; side < 2; side++) {
            if (i >= c->side[side].n_top) continue;
            const struct report_entry *e = &c->side[side].top[i];
            size_t item = e->item.index, other = other_rank(c, side, item);
            if (other < i + 1 || (other == i + 1 && side)) continue;   /* it had its line */
            item_ref_format(name, e->item);
            buf_printf(b, "%s,", name);
            report_add_csv(b, e->label);
            for (int k = 0; k < 2; k++) {
                size_t rank = m->rank[k][item];
                buf_printf(b, ",%zu,", rank);
                if (rank <= c->side[k].n_top) json_add_float(b, c->side[k].top[rank - 1].score);
            }
            buf_text(b, "\n");
        }
}
