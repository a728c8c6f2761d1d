/* lds_table.c - what scores predict of retraining, for people and for programs. */
#include "dtrak/lds_table.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- text --- */

/* Padded to cells, at least one space. */
static void add_cell(struct buf *b, const char *text, size_t cells) {
    buf_text(b, text);
    buf_text(b, " ");
    for (size_t w = text_width(text) + 1; w < cells; w++) buf_text(b, " ");
}

/* "31.2 ±2.3", "31.2" where there is no interval. */
static void add_estimate(struct buf *b, const struct lds_estimate *e, int sign, size_t cells) {
    char text[48];
    if (!isfinite(e->value)) { add_cell(b, "-", cells); return; }
    int n = snprintf(text, sizeof text, sign ? "%+.1f" : "%.1f", 100 * e->value);
    if (isfinite(e->se)) snprintf(text + n, sizeof text - (size_t)n, " ±%.1f", 100 * e->se);
    add_cell(b, text, cells);
}

static void setting(char *out, size_t size, const struct lds_report_row *row, int with_lambda) {
    const struct score_set *s = &row->set;
    size_t n = 0;
    out[0] = 0;
    if (isfinite(row->percent)) n += (size_t)snprintf(out + n, size - n, "%.0f%%  ", row->percent);
    else if (s->checkpoints > 1) n += (size_t)snprintf(out + n, size - n, "%zu checkpoints  ", s->checkpoints);
    if (s->timesteps) n += (size_t)snprintf(out + n, size - n, "t %zu  ", s->timesteps);
    if (s->k) n += (size_t)snprintf(out + n, size - n, "k %zu  ", s->k);
    if (with_lambda && s->lambda_spec[0]) {
        char safe[48];
        text_escape(safe, sizeof safe, s->lambda_spec);
        n += (size_t)snprintf(out + n, size - n, "lambda %s", safe);
        if (isfinite(s->lambda_rel) && !strcmp(s->lambda_spec, "auto")) snprintf(out + n, size - n, " (%.2g)", s->lambda_rel);
    }
}

/* Spaces at the end of text. */
static size_t trailing_spaces(const char *text) {
    size_t len = strlen(text), n = 0;
    while (n < len && text[len - 1 - n] == ' ') n++;
    return n;
}

static void add_name(struct buf *b, const struct lds_report_row *row) {
    char safe[128];
    text_escape(safe, sizeof safe, row->name);
    buf_text(b, "  ");
    add_cell(b, safe, 26);
}

/* Q_eff and the setting; 0: there is no setting. */
static int add_setting(struct buf *b, const struct lds_report_row *row) {
    char text[128] = "";
    if (isfinite(row->plain.q_eff)) snprintf(text, sizeof text, "%.0f", row->plain.q_eff);
    add_cell(b, text, 7);
    setting(text, sizeof text, row, 1);
    text[strlen(text) - trailing_spaces(text)] = 0;
    buf_text(b, text);
    return text[0] != 0;
}

/* How many rows are compared with another. */
static size_t differences(const struct lds_report_split *sp) {
    size_t n = 0;
    for (size_t i = 0; i < sp->rows; i++) n += sp->row[i].reference != i;
    return n;
}

/* Where nothing is compared there is no column for it. */
static const char *const columns[2] = { "  method                    LDS         centred     Q_eff  setting\n",
                                        "  method                    LDS         - reference  centred     - reference  Q_eff  setting\n" };

static void add_row(struct buf *b, const struct lds_report_split *sp, size_t at, int compared) {
    const struct lds_report_row *row = &sp->row[at];
    add_name(b, row);
    add_estimate(b, &row->plain, 0, 12);
    if (compared && row->reference == at) add_cell(b, "", 13);
    else if (compared) add_estimate(b, &row->minus, 1, 13);
    add_estimate(b, &row->centred, 0, 12);
    if (compared && row->reference == at) add_cell(b, "", 13);
    else if (compared) add_estimate(b, &row->minus_centred, 1, 13);
    int any = add_setting(b, row);
    if (row->is_halves) buf_printf(b, "%smade of one half of the subsets, judged on the other, both ways", any ? "  " : "");
    if (row->plain.constant) buf_printf(b, "  constant for %zu queries", row->plain.constant);
    buf_text(b, "\n");
}

static void add_sweep(struct buf *b, const struct lds_report_split *sp, size_t at, int compared) {
    const struct lds_report_sweep *w = &sp->sweep[at];
    const struct lds_report_row *row = &sp->row[w->first];
    char text[128];
    add_name(b, row);
    add_estimate(b, &w->selected, 0, 12);
    if (compared && w->reference == at) add_cell(b, "", 13);
    else if (compared) add_estimate(b, &w->minus, 1, 13);
    if (w->automatic == SIZE_MAX) add_cell(b, "", 8);
    else {
        snprintf(text, sizeof text, "%.1f", 100 * sp->row[w->automatic].plain.value);
        add_cell(b, text, 8);
    }
    snprintf(text, sizeof text, "%.1f", 100 * w->oracle_value);
    add_cell(b, text, 8);
    setting(text, sizeof text, row, 0);
    buf_printf(b, "%s%zu lambdas, chosen %s and %s, oracle %s\n", text, w->count, w->chosen[0], w->chosen[1], w->oracle);
}

static int stated_in_sweep(const struct lds_report_split *sp, const struct lds_report_row *row) {
    if (!row->set.lambda_spec[0] || !strcmp(row->set.lambda_spec, "auto")) return 0;
    for (size_t i = 0; i < sp->sweeps; i++) {
        const struct score_set *a = &row->set, *b = &sp->row[sp->sweep[i].first].set;
        if (!strcmp(a->method, b->method) && !strcmp(a->loss, b->loss) && a->timesteps == b->timesteps && a->k == b->k &&
            a->checkpoints == b->checkpoints && !memcmp(a->checkpoint, b->checkpoint, a->checkpoints * sizeof *a->checkpoint))
            return 1;
    }
    return 0;
}

/* With lambda stated, of a row whose sweep cannot be judged any more. */
static int is_of_sweep(const struct lds_report_row *row) {
    return row->set.lambda_spec[0] && strcmp(row->set.lambda_spec, "auto") != 0;
}

static void add_left(struct buf *b, const struct lds_report_split *sp, const struct lds_report_left *left) {
    const struct lds_report_row *row = &left->row;
    if (left->is_measured) {
        add_name(b, row);
        add_estimate(b, &row->plain, 0, 12);
        add_estimate(b, &row->centred, 0, 12);
        add_setting(b, row);
        buf_text(b, "\n");
    } else if (left->is_short_of_subsets) {
        buf_printf(b, "  left out: score set %lld is made of these subsets, and judging it on others takes %d of them\n",
                   (long long)row->set.id, 2 * LDS_SUBSETS_MIN);
    } else {
        buf_printf(b, "  left out: score set %lld has %zu rows, not those of all %zu queries\n", (long long)row->set.id, left->rows, sp->Q);
    }
}

/* "D-TRAK, Pixel cos": those that have rows here, each once. */
static void names_of_rows(const struct lds_report_split *sp, char *out, size_t size) {
    out[0] = 0;
    for (size_t i = 0; i < sp->rows; i++) {
        size_t len = strlen(out), known = 0;
        for (size_t k = 0; k < i; k++) known += !strcmp(sp->row[k].name, sp->row[i].name);
        if (!known) snprintf(out + len, size - len, "%s%s", len ? ", " : "", sp->row[i].name);
    }
}

void lds_table_no_differences(struct buf *b, const struct lds_report *r, const struct lds_report_split *sp) {
    char name[METHOD_DISPLAY], others[400], safe[500];
    int here = 0, before = 0;
    if (!r->is_reference_asked || differences(sp)) return;
    method_display(name, method_parse(r->reference_method, NULL), loss_parse(r->reference_loss));
    for (size_t i = 0; i < sp->rows; i++) here |= lds_report_is_reference(r, &sp->row[i].set);
    for (size_t i = 0; i < sp->n_incomplete; i++)
        before |= sp->incomplete[i].is_measured && lds_report_is_reference(r, &sp->incomplete[i].row.set);
    names_of_rows(sp, others, sizeof others);
    text_escape(safe, sizeof safe, others);
    buf_printf(b, "no differences from %s of %s items: ", name, split_name(sp->split));
    if (here) buf_printf(b, "nothing else has scores of all %zu", sp->Q);
    else if (!sp->rows) buf_printf(b, "they take scores of all %zu, which nothing has here", sp->Q);
    else buf_printf(b, "it has no scores of all %zu%s; these have: %s", sp->Q, before ? " any more" : "", safe);
}

static void add_split(struct buf *b, const struct lds_report *r, const struct lds_report_split *sp, int all) {
    int compared = differences(sp) > 0, sweeps_compared = 0;
    buf_printf(b, "\n%s: %zu queries, %zu subsets\n", split_name(sp->split), sp->Q, r->M);
    if (sp->is_other) buf_printf(b, "  the losses are of other %s items than those that have their numbers now: nothing is measured anew\n", split_name(sp->split));
    if (isfinite(sp->repeat[0].r)) {
        buf_printf(b, "  with another seed losses agree to r %.2f", sp->repeat[0].r);
        if (isfinite(sp->repeat[0].se)) buf_printf(b, " ±%.2f", sp->repeat[0].se);
        if (isfinite(sp->repeat[1].r)) buf_printf(b, " (centred %.2f)", sp->repeat[1].r);
        buf_printf(b, ", from %zu subsets", sp->repeat[0].K);
        if (isfinite(sp->one_more[0])) buf_printf(b, "; one more retraining would score %.1f", 100 * sp->one_more[0]);
        if (isfinite(sp->one_more[1])) buf_printf(b, " (centred %.1f)", 100 * sp->one_more[1]);
        buf_text(b, "\n");
        if (isfinite(sp->ceiling[0])) buf_printf(b, "  ceiling %.1f", 100 * sp->ceiling[0]);
        else buf_text(b, "  ceiling not determined: nothing repeats");
        if (isfinite(sp->ceiling[1])) buf_printf(b, ", centred %.1f", 100 * sp->ceiling[1]);
        buf_text(b, "\n");
    } else if (sp->repeat[0].K && sp->repeat[0].K < LDS_SUBSETS_MIN) {
        buf_printf(b, "  ceiling unknown: %zu %s a second seed, and %d are needed (--second-seed 16 gives them)\n", sp->repeat[0].K,
                   sp->repeat[0].K == 1 ? "subset has" : "subsets have", LDS_SUBSETS_MIN);
    } else {
        buf_text(b, "  ceiling unknown: no subset has a second seed (--second-seed 16 gives them)\n");
    }
    if (isfinite(sp->measured)) buf_printf(b, "  losses at these timesteps agree with losses at others to r %.3f\n", sp->measured);
    if (r->M < LDS_INTERVAL_MIN) buf_printf(b, "  no intervals: they need %d subsets\n", LDS_INTERVAL_MIN);
    if (r->is_reference_asked && !compared) {
        buf_text(b, "  ");
        lds_table_no_differences(b, r, sp);
        buf_text(b, "\n");
    }
    if (sp->rows) buf_text(b, columns[compared]);
    else if (!sp->n_incomplete) buf_printf(b, "  no scores of %s items; dtrak score makes them\n", split_name(sp->split));
    for (size_t i = 0; i < sp->rows; i++)
        if (all || !stated_in_sweep(sp, &sp->row[i])) add_row(b, sp, i, compared);
    if (sp->sweeps) buf_text(b, "\n  lambda chosen on one half of the subsets and judged on the other, both ways, averaged; the oracle is\n"
                                "  chosen and judged on all of them\n");
    for (size_t i = 0; i < sp->sweeps; i++) sweeps_compared += sp->sweep[i].reference != i;
    if (sp->sweeps) buf_printf(b, "  method                    LDS         %sauto    oracle  setting\n", sweeps_compared ? "- reference  " : "");
    for (size_t i = 0; i < sp->sweeps; i++) add_sweep(b, sp, i, sweeps_compared > 0);
    if (sp->n_incomplete && sp->incomplete[0].is_measured)
        buf_printf(b, "\n  as measured when the scores of all %zu queries were here:\n"
                      "%s", sp->Q, columns[0]);
    for (size_t i = 0; i < sp->n_incomplete; i++)
        if (all || !sp->incomplete[i].is_measured || !is_of_sweep(&sp->incomplete[i].row)) add_left(b, sp, &sp->incomplete[i]);
}

/* What the protocols say, in words. */
static enum status add_head(struct buf *b, const struct lds_report *r) {
    struct json_doc *t = NULL, *e = NULL;
    enum status st;
    TRY_TO(json_parse(&t, r->train_text, strlen(r->train_text), "the train protocol"));
    TRY_TO(json_parse(&e, r->eval_text, strlen(r->eval_text), "the eval protocol"));
    const struct json *draw = json_get(json_root(t), "draw"), *train = json_get(json_root(t), "train");
    const char *same = json_string(json_get(train, "same"), "given");
    buf_printf(b, "subsets of %.0f of %.0f items%s, ", json_number(json_get(draw, "size"), 0), json_number(json_get(json_root(t), "n"), 0),
               json_bool(json_get(draw, "stratified"), 0) ? ", each label in proportion" : "");
    if (json_get(json_root(t), "source")) buf_printf(b, "retrained by %s", json_string(json_get(json_root(t), "source"), "another program"));
    else buf_printf(b, "%.0f steps of %.0f (%s)", json_number(json_get(train, "steps"), 0), json_number(json_get(train, "batch"), 0),
                    !strcmp(same, "epochs") ? "as many epochs as the project" : !strcmp(same, "steps") ? "as many steps as the project" : "as stated");
    buf_printf(b, ", %zu seed%s; loss at %.0f timesteps, ", r->seeds, r->seeds == 1 ? "" : "s", json_number(json_get(json_root(e), "timesteps"), 0));
    if (json_len(json_get(json_root(e), "noise_seeds"))) buf_printf(b, "%zu noise seeds\n", json_len(json_get(json_root(e), "noise_seeds")));
    else buf_printf(b, "noise seed %.0f\n", json_number(json_get(json_root(e), "noise_seed"), 0));
    buf_printf(b, "%zu networks", r->models);
    if (r->diverged) buf_printf(b, ", %zu of them diverged and left out", r->diverged);
    if (r->open) buf_printf(b, ", %zu unfinished", r->open);
    if (isfinite(r->loss)) buf_printf(b, "; training loss %.4f (%.4f to %.4f)", r->loss, r->loss_low, r->loss_high);
    if (isfinite(r->project_loss)) buf_printf(b, ", of the project's own %.4f", r->project_loss);
    if (r->others) buf_printf(b, "\n%zu network%s of other protocols left aside", r->others, r->others == 1 ? "" : "s");
    size_t compared = 0;
    for (size_t k = 0; k < r->n_splits; k++) compared += differences(&r->split[k]);
    buf_printf(b, "\nLDS x 100 with standard errors from a jackknife over subsets and queries%s\n", compared ? "; differences are paired" : "");
done:
    json_free(t);
    json_free(e);
    return st;
}

enum status lds_table_text(struct buf *out, const struct lds_report *r, int all_lambdas) {
    size_t from = out->len;
    TRY(add_head(out, r));
    for (size_t k = 0; k < r->n_splits; k++) add_split(out, r, &r->split[k], all_lambdas);
    report_trim_lines(out, from);
    return buf_status(out);
}

/* --- JSON --- */

static void add_field(struct buf *b, const char *name, double value) {
    buf_printf(b, "\"%s\": ", name);
    json_add_double(b, value);
}

static void add_json_estimate(struct buf *b, const char *name, const struct lds_estimate *e) {
    buf_printf(b, "\"%s\": {", name);
    add_field(b, "lds", 100 * e->value);
    buf_text(b, ", ");
    add_field(b, "se", 100 * e->se);
    buf_text(b, ", ");
    add_field(b, "low", 100 * e->low);
    buf_text(b, ", ");
    add_field(b, "high", 100 * e->high);
    buf_text(b, ", ");
    add_field(b, "q_eff", e->q_eff);
    buf_printf(b, ", \"constant\": %zu}", e->constant);
}

static void add_json_text(struct buf *b, const char *name, const char *value) {
    buf_printf(b, "\"%s\": ", name);
    json_add_string(b, value);
    buf_text(b, ", ");
}

/* reference: NULL where there is none. */
static void add_json_row(struct buf *b, const struct lds_report_row *row, const struct lds_report_row *reference) {
    const struct score_set *s = &row->set;
    buf_printf(b, "{\"score_set\": %lld, ", (long long)s->id);
    add_json_text(b, "name", row->name);
    add_json_text(b, "method", s->method);
    add_json_text(b, "loss", s->loss);
    add_field(b, "percent", row->percent);
    buf_printf(b, ", \"checkpoints\": %zu, \"timesteps\": %zu, \"k\": %zu, ", s->checkpoints, s->timesteps, s->k);
    add_json_text(b, "lambda", s->lambda_spec);
    add_field(b, "lambda_rel", s->lambda_rel);
    buf_text(b, ", ");
    add_field(b, "d_eff", s->d_eff);
    buf_printf(b, ", \"halves\": %s, ", row->is_halves ? "true" : "false");
    add_json_estimate(b, "plain", &row->plain);
    buf_text(b, ", ");
    add_json_estimate(b, "centred", &row->centred);
    if (reference && reference != row) {
        buf_printf(b, ", \"reference\": %lld, ", (long long)reference->set.id);
        add_json_estimate(b, "minus_reference", &row->minus);
        buf_text(b, ", ");
        add_json_estimate(b, "minus_reference_centred", &row->minus_centred);
    }
    buf_text(b, "}");
}

static void add_json_sweep(struct buf *b, const struct lds_report_split *sp, size_t at) {
    const struct lds_report_sweep *w = &sp->sweep[at];
    const struct lds_report_row *row = &sp->row[w->first];
    buf_text(b, "{");
    add_json_text(b, "name", row->name);
    add_json_text(b, "method", row->set.method);
    add_json_text(b, "loss", row->set.loss);
    add_field(b, "percent", row->percent);
    buf_printf(b, ", \"timesteps\": %zu, \"k\": %zu, \"lambdas\": %zu, ", row->set.timesteps, row->set.k, w->count);
    add_json_text(b, "chosen_even", w->chosen[0]);
    add_json_text(b, "chosen_odd", w->chosen[1]);
    add_json_text(b, "oracle", w->oracle);
    add_field(b, "oracle_lds", 100 * w->oracle_value);
    buf_text(b, ", ");
    add_field(b, "auto_lds", w->automatic == SIZE_MAX ? (double)NAN : 100 * sp->row[w->automatic].plain.value);
    buf_text(b, ", ");
    add_json_estimate(b, "selected", &w->selected);
    if (w->reference != at) {
        buf_text(b, ", ");
        add_json_estimate(b, "minus_reference", &w->minus);
    }
    buf_text(b, "}");
}

static void add_json_repeat(struct buf *b, const struct lds_report_split *sp, int c) {
    buf_printf(b, "\"%s\": {", c ? "repeat_centred" : "repeat");
    add_field(b, "r", sp->repeat[c].r);
    buf_text(b, ", ");
    add_field(b, "se", sp->repeat[c].se);
    buf_text(b, ", ");
    add_field(b, "one_more_retraining", 100 * sp->one_more[c]);
    buf_printf(b, ", \"subsets\": %zu, ", sp->repeat[c].K);
    add_field(b, "ceiling", 100 * sp->ceiling[c]);
    buf_text(b, "}, ");
}

static void add_json_split(struct buf *b, const struct lds_report_split *sp) {
    buf_printf(b, "{\"split\": \"%s\", \"first\": %zu, \"queries\": %zu, \"of_other_items\": %s, ", split_name(sp->split), sp->first,
               sp->Q, sp->is_other ? "true" : "false");
    for (int c = 0; c < 2; c++) add_json_repeat(b, sp, c);
    add_field(b, "measured", sp->measured);
    buf_printf(b, ", \"differences\": %zu,\n \"rows\": [", differences(sp));
    for (size_t i = 0; i < sp->rows; i++) {
        buf_text(b, i ? ",\n  " : "\n  ");
        add_json_row(b, &sp->row[i], &sp->row[sp->row[i].reference]);
    }
    buf_text(b, "],\n \"sweeps\": [");
    for (size_t i = 0; i < sp->sweeps; i++) {
        buf_text(b, i ? ",\n  " : "\n  ");
        add_json_sweep(b, sp, i);
    }
    buf_text(b, "],\n \"measured_before\": [");
    for (size_t i = 0; i < sp->n_incomplete && sp->incomplete[i].is_measured; i++) {
        buf_text(b, i ? ",\n  " : "\n  ");
        add_json_row(b, &sp->incomplete[i].row, NULL);
    }
    buf_text(b, "],\n \"incomplete\": [");
    for (size_t i = 0; i < sp->n_incomplete; i++)
        buf_printf(b, "%s%lld", i ? ", " : "", (long long)sp->incomplete[i].row.set.id);
    buf_text(b, "]}");
}

enum status lds_table_json(struct buf *out, const struct lds_report *r) {
    char reference[64];
    buf_printf(out, "{\"train_protocol\": %s,\n\"eval_protocol\": %s,\n", r->train_text, r->eval_text);
    buf_printf(out, "\"subsets\": %zu, \"seeds\": %zu, \"networks\": %zu, \"diverged\": %zu, \"unfinished\": %zu, \"of_other_protocols\": %zu,\n",
               r->M, r->seeds, r->models, r->diverged, r->open, r->others);
    add_field(out, "train_loss", r->loss);
    buf_text(out, ", ");
    add_field(out, "train_loss_low", r->loss_low);
    buf_text(out, ", ");
    add_field(out, "train_loss_high", r->loss_high);
    buf_text(out, ", ");
    add_field(out, "project_train_loss", r->project_loss);
    buf_text(out, ", ");
    snprintf(reference, sizeof reference, "%s%s%s", r->reference_method, r->reference_loss[0] ? ":" : "", r->reference_loss);
    add_json_text(out, "compared_with", reference);
    buf_text(out, "\n\"splits\": [");
    for (size_t k = 0; k < r->n_splits; k++) {
        buf_text(out, k ? ",\n" : "\n");
        add_json_split(out, &r->split[k]);
    }
    buf_text(out, "]}\n");
    return buf_status(out);
}

/* --- CSV --- */

static void add_csv_number(struct buf *b, double x) {
    if (isfinite(x)) buf_printf(b, ",%.6g", x);
    else buf_text(b, ",");
}

/* Names of methods come out of the database. */
static void add_csv_text(struct buf *b, const char *text) {
    char safe[160];
    text_escape(safe, sizeof safe, text);
    buf_text(b, ",");
    report_add_csv(b, safe);
}

static void add_csv_estimate(struct buf *b, const struct lds_estimate *e) {
    add_csv_number(b, 100 * e->value);
    add_csv_number(b, 100 * e->se);
    add_csv_number(b, 100 * e->low);
    add_csv_number(b, 100 * e->high);
}

static void add_csv_row(struct buf *b, const struct lds_report *r, const struct lds_report_split *sp, const struct lds_report_row *row,
                        int has_reference) {
    static const struct lds_estimate nothing = { NAN, NAN, NAN, NAN, NAN, 0, 0, 0 };
    const struct score_set *s = &row->set;
    buf_printf(b, "%s,%lld", split_name(sp->split), (long long)s->id);
    add_csv_text(b, row->name);
    add_csv_text(b, s->method);
    add_csv_text(b, s->loss);
    add_csv_number(b, row->percent);
    buf_printf(b, ",%zu,%zu,%zu", s->checkpoints, s->timesteps, s->k);
    add_csv_text(b, s->lambda_spec);
    add_csv_number(b, s->lambda_rel);
    add_csv_number(b, s->d_eff);
    buf_printf(b, ",%zu,%zu", r->M, sp->Q);
    add_csv_estimate(b, &row->plain);
    add_csv_number(b, row->plain.q_eff);
    buf_printf(b, ",%zu", row->plain.constant);
    add_csv_estimate(b, &row->centred);
    add_csv_estimate(b, has_reference ? &row->minus : &nothing);
    add_csv_estimate(b, has_reference ? &row->minus_centred : &nothing);
    add_csv_number(b, 100 * sp->ceiling[0]);
    add_csv_number(b, 100 * sp->ceiling[1]);
    buf_printf(b, ",%d,%d\n", row->is_halves, sp->is_other);
}

enum status lds_table_csv(struct buf *out, const struct lds_report *r) {
    buf_text(out, "split,score_set,name,method,loss,percent,checkpoints,timesteps,k,lambda,lambda_rel,d_eff,subsets,queries,"
                  "lds,se,low,high,q_eff,constant,centred,centred_se,centred_low,centred_high,"
                  "minus,minus_se,minus_low,minus_high,minus_centred,minus_centred_se,minus_centred_low,minus_centred_high,"
                  "ceiling,ceiling_centred,halves,of_other_items\n");
    for (size_t k = 0; k < r->n_splits; k++) {
        const struct lds_report_split *sp = &r->split[k];
        for (size_t i = 0; i < sp->rows; i++) add_csv_row(out, r, sp, &sp->row[i], sp->row[i].reference != i);
        for (size_t i = 0; i < sp->n_incomplete && sp->incomplete[i].is_measured; i++)
            add_csv_row(out, r, sp, &sp->incomplete[i].row, 0);
    }
    return buf_status(out);
}
