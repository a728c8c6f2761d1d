/* lds_report.c - stored outputs and stored scores become LDS, intervals, ceilings. */
#include "dtrak/lds_report.h"

#include "lds_protocol.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The outputs of one split. */
struct losses {
    size_t M, Q, seeds;
    double *y[2];                 /* [Q][M], plain and centred: mean over the seeds */
    double *half[2];              /* [Q][M], even and odd timesteps */
    /* the subsets with two seeds or more */
    size_t K, repeats;
    double **again[2];            /* [repeats] of [Q][K], plain and centred */
};

struct maker {
    struct store *s;
    const struct lds_report_options *o;
    const struct progress *progress;
    struct lds_report *r;
    struct subset_model_list models;
    struct checkpoint_list checkpoints;
    size_t *use;                  /* [M] index of each used subset */
    unsigned char *members;       /* [M][n] */
    size_t n, eval_rows;
    struct losses losses;
    double **p;                   /* [rows of the split] of [Q][M] */
};

/* --- which models --- */

static const struct subset_model *finished(const struct maker *m, size_t index, size_t seed) {
    for (size_t i = 0; i < m->models.count; i++) {
        const struct subset_model *x = &m->models.model[i];
        if (x->index == index && x->seed == seed) return x->state == SUBSET_DONE ? x : NULL;
    }
    return NULL;
}

static enum status has_outputs(const struct maker *m, const struct subset_model *x, int *has) {
    size_t rows;
    *has = 0;
    for (int k = 0; k < SPLIT_COUNT && !*has; k++) {
        TRY(store_subset_output_rows(m->s, x->id, m->r->eval_protocol, (enum split)k, &rows));
        *has = rows > 0;
    }
    return OK;
}

static enum status choose_subsets(struct maker *m) {
    struct lds_report *r = m->r;
    size_t most_seeds = 0;
    double sum = 0;
    m->use = mem_array(m->models.count + 1, sizeof *m->use);
    if (!m->use) return fail(ERR_NOMEM, "lds: out of memory");
    r->loss_low = INFINITY;
    r->loss_high = -INFINITY;
    for (size_t i = 0; i < m->models.count; i++) {
        struct subset_model *x = &m->models.model[i];
        int has = 1;
        if (x->state == SUBSET_DONE) TRY(has_outputs(m, x, &has));
        if (!has) x->state = SUBSET_OPEN;      /* evaluated otherwise */
        if (x->state == SUBSET_OPEN) r->open++;
        else r->models++;
        r->diverged += x->state == SUBSET_DIVERGED;
        if (x->state != SUBSET_DONE) continue;
        if (x->seed == 0) m->use[r->M++] = x->index;
        if (x->seed + 1 > most_seeds) most_seeds = x->seed + 1;
        sum += x->train_loss;
        r->loss_low = fmin(r->loss_low, x->train_loss);
        r->loss_high = fmax(r->loss_high, x->train_loss);
    }
    if (r->M < LDS_SUBSETS_MIN)
        return fail(ERR_RANGE, "lds: %zu subsets are done, expected at least %d (%d for an interval)", r->M, LDS_SUBSETS_MIN, LDS_INTERVAL_MIN);
    r->loss = sum / (double)(r->models - r->diverged);
    int all = 1;
    while (all && r->seeds < most_seeds) {
        for (size_t k = 0; k < r->M && all; k++) all = finished(m, m->use[k], r->seeds) != NULL;
        if (all) r->seeds++;
    }
    return OK;
}

static enum status read_members(struct maker *m) {
    m->n = finished(m, m->use[0], 0)->n;
    m->members = mem_array(m->r->M, m->n);
    if (!m->members) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t k = 0; k < m->r->M; k++)
        TRY(store_subset_members(m->s, finished(m, m->use[k], 0)->id, m->members + k * m->n, m->n));
    return OK;
}

/* --- outputs --- */

static void losses_free(struct losses *l) {
    for (int c = 0; c < 2; c++) {
        mem_free(l->y[c]);
        mem_free(l->half[c]);
        for (size_t s = 0; l->again[c] && s < l->repeats; s++) mem_free(l->again[c][s]);
        mem_free(l->again[c]);
    }
    memset(l, 0, sizeof *l);
}

/* out[q * stride] = mean over the parts; parts[j] likewise when not NULL. */
static enum status read_output(struct maker *m, enum split split, const struct subset_model *x, float *scratch,
                               double *out, double *even, double *odd, size_t stride) {
    size_t Q = m->losses.Q;
    TRY(store_subset_output_read(m->s, x->id, m->r->eval_protocol, split, Q, scratch));
    for (size_t q = 0; q < Q; q++) {
        double a = (double)scratch[q * OUTPUT_PARTS], b = (double)scratch[q * OUTPUT_PARTS + 1];
        out[q * stride] += (a + b) / 2;
        if (even) even[q * stride] += a;
        if (odd) odd[q * stride] += b;
    }
    return OK;
}

static enum status copy_centred(double **out, const double *v, size_t M, size_t Q) {
    *out = mem_array(M * Q, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "lds: out of memory");
    memcpy(*out, v, M * Q * sizeof **out);
    lds_centre(*out, M, Q);
    return OK;
}

static enum status read_means(struct maker *m, enum split split, float *scratch) {
    struct losses *l = &m->losses;
    for (int c = 0; c < 2; c++) l->half[c] = mem_array(l->M * l->Q, sizeof(double));
    l->y[0] = mem_array(l->M * l->Q, sizeof(double));
    if (!l->y[0] || !l->half[0] || !l->half[1]) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t k = 0; k < l->M; k++)
        for (size_t s = 0; s < l->seeds; s++)
            TRY(read_output(m, split, finished(m, m->use[k], s), scratch, l->y[0] + k, l->half[0] + k, l->half[1] + k, l->M));
    for (size_t i = 0; i < l->M * l->Q; i++) l->y[0][i] /= (double)l->seeds;
    return copy_centred(&l->y[1], l->y[0], l->M, l->Q);
}

/* Subsets that have seeds 0 .. repeats - 1. */
static enum status read_repeats(struct maker *m, enum split split, float *scratch) {
    struct losses *l = &m->losses;
    size_t repeats = l->seeds > 2 ? l->seeds : 2, K = 0;
    for (size_t k = 0; k < l->M; k++) K += finished(m, m->use[k], repeats - 1) != NULL;
    if (K < LDS_SUBSETS_MIN) return OK;
    for (int c = 0; c < 2; c++)
        if (!(l->again[c] = mem_array(repeats, sizeof(double *)))) return fail(ERR_NOMEM, "lds: out of memory");
    l->repeats = repeats;
    l->K = K;
    for (size_t s = 0; s < repeats; s++) {
        size_t at = 0;
        l->again[0][s] = mem_array(K * l->Q, sizeof(double));
        if (!l->again[0][s]) return fail(ERR_NOMEM, "lds: out of memory");
        for (size_t k = 0; k < l->M; k++)
            if (finished(m, m->use[k], repeats - 1))
                TRY(read_output(m, split, finished(m, m->use[k], s), scratch, l->again[0][s] + at++, NULL, NULL, K));
        TRY(copy_centred(&l->again[1][s], l->again[0][s], K, l->Q));
    }
    return OK;
}

static enum status read_losses(struct maker *m, const struct lds_report_split *sp) {
    struct losses *l = &m->losses;
    l->M = m->r->M;
    l->Q = sp->Q;
    l->seeds = m->r->seeds;
    float *scratch = mem_array(sp->Q * OUTPUT_PARTS, sizeof *scratch);
    if (!scratch) return fail(ERR_NOMEM, "lds: out of memory");
    enum status st = read_means(m, sp->split, scratch);
    if (st == OK) st = read_repeats(m, sp->split, scratch);
    mem_free(scratch);
    return st;
}

static enum status judge_losses(struct maker *m, struct lds_report_split *sp) {
    const struct losses *l = &m->losses;
    for (int c = 0; c < 2; c++) {
        sp->repeat[c] = (struct lds_repeat){ .r = NAN, .se = NAN, .spearman = NAN };
        sp->ceiling[c] = NAN;
        if (!l->repeats) continue;
        TRY(lds_repeat(&sp->repeat[c], (const double *const *)l->again[c], l->repeats, l->K, l->Q));
        sp->ceiling[c] = lds_ceiling(sp->repeat[c].r, (double)l->seeds);
    }
    struct lds_repeat halves;
    const double *both[2] = { l->half[0], l->half[1] };
    TRY(lds_repeat(&halves, both, 2, l->M, l->Q));
    sp->measured = lds_reliability(halves.r, 2);
    return OK;
}

/* --- predictions --- */

static void name_row(struct maker *m, struct lds_report_row *row) {
    const struct score_set *set = &row->set;
    enum method method = method_parse(set->method, NULL);
    if (method < METHOD_COUNT) method_display(row->name, method, loss_parse(set->loss));
    else snprintf(row->name, sizeof row->name, "%s", set->method);
    row->percent = NAN;
    for (size_t i = 0; set->checkpoints == 1 && i < m->checkpoints.count; i++)
        if (m->checkpoints.checkpoint[i].id == set->checkpoint[0]) row->percent = m->checkpoints.checkpoint[i].percent;
}

static enum status predict(struct maker *m, const struct lds_report_split *sp, const struct score_set *set, double *p,
                           int *complete) {
    float *scores = mem_array(set->n, sizeof *scores);
    if (!scores) return fail(ERR_NOMEM, "lds: out of memory");
    enum status st = OK;
    for (size_t q = 0; q < sp->Q && st == OK; q++) {
        st = store_score_read(m->s, set, sp->first + q, scores);
        if (st == OK) lds_predict(p + q * m->r->M, scores, m->members, m->r->M, m->n);
    }
    mem_free(scores);
    *complete = st == OK;
    return st == ERR_MISSING ? OK : st;
}

static enum status add_row(struct maker *m, struct lds_report_split *sp, const struct score_set *set) {
    int complete;
    double *p = mem_array(sp->Q * m->r->M, sizeof *p);
    if (!p) return fail(ERR_NOMEM, "lds: out of memory");
    enum status st = predict(m, sp, set, p, &complete);
    if (st != OK || !complete) {
        mem_free(p);
        sp->incomplete[sp->n_incomplete].score_set = set->id;
        sp->incomplete[sp->n_incomplete++].rows = set->rows_done;
        return st;
    }
    struct lds_report_row *row = &sp->row[sp->rows];
    *row = (struct lds_report_row){ .set = *set, .reference = sp->rows };
    name_row(m, row);
    m->p[sp->rows++] = p;
    progress_report(m->progress, (double)(sp->rows + sp->n_incomplete), 0, "read", "");
    return progress_check(m->progress);
}

static enum status read_scores(struct maker *m, struct lds_report_split *sp, const struct score_set_list *sets) {
    sp->row = mem_array(sets->count + 1, sizeof *sp->row);
    sp->incomplete = mem_array(sets->count + 1, sizeof *sp->incomplete);
    m->p = mem_array(sets->count + 1, sizeof *m->p);
    if (!sp->row || !sp->incomplete || !m->p) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->set[i].split != sp->split) continue;
        if (sets->set[i].n != m->n)
            return fail(ERR_FORMAT, "lds: score set %lld has %zu columns, subsets are drawn from %zu training items",
                        (long long)sets->set[i].id, sets->set[i].n, m->n);
        TRY(add_row(m, sp, &sets->set[i]));
    }
    return OK;
}

/* --- LDS --- */

static enum status fit_row(struct maker *m, size_t row, int centred, struct lds_fit *out) {
    const struct losses *l = &m->losses;
    double *p = m->p[row], *own = NULL;
    if (centred) TRY(copy_centred(&own, p, l->M, l->Q));
    enum status st = lds_fit_new(out, own ? own : p, l->y[centred], l->M, l->Q);
    mem_free(own);
    return st;
}

static int same_checkpoints(const struct score_set *a, const struct score_set *b) {
    return a->checkpoints == b->checkpoints &&
           memcmp(a->checkpoint, b->checkpoint, a->checkpoints * sizeof *a->checkpoint) == 0;
}

/* How like the row's setting a reference row is: the same in everything, then without lambda,
 * then its last checkpoint with the most timesteps. */
static double likeness(const struct lds_report_row *row, const struct lds_report_row *ref) {
    const struct score_set *a = &row->set, *b = &ref->set;
    double score = 0;
    if (a->timesteps == b->timesteps && a->k == b->k && same_checkpoints(a, b)) score += 1e6;
    if (strcmp(a->lambda_spec, b->lambda_spec) == 0) score += 1e5;
    else if (strcmp(b->lambda_spec, "auto") == 0) score += 5e4;
    if (isfinite(ref->percent)) score += 100 * ref->percent;
    return score + (double)b->timesteps / 1e3 + (double)b->k / 1e9;
}

static void choose_reference(const struct maker *m, struct lds_report_split *sp, size_t at) {
    const char *method = m->o->reference_method ? m->o->reference_method : "trak";
    const char *loss = m->o->reference_method ? m->o->reference_loss ? m->o->reference_loss : "" : "simple";
    double best = -1;
    if (!strcmp(sp->row[at].set.method, method) && !strcmp(sp->row[at].set.loss, loss)) return;
    for (size_t i = 0; i < sp->rows; i++) {
        if (strcmp(sp->row[i].set.method, method) != 0 || strcmp(sp->row[i].set.loss, loss) != 0) continue;
        double like = likeness(&sp->row[at], &sp->row[i]);
        if (like <= best) continue;
        best = like;
        sp->row[at].reference = i;
    }
}

static enum status keep(struct maker *m, const struct lds_report_split *sp, const struct lds_report_row *row,
                        const struct lds_fit *f, int centred) {
    const struct lds_estimate *e = centred ? &row->centred : &row->plain;
    struct lds_row r = { .score_set = row->set.id, .train_protocol = m->r->train_protocol,
                         .eval_protocol = m->r->eval_protocol, .centred = centred, .subsets = e->M, .queries = e->Q,
                         .value = e->value, .se = e->se, .low = e->low, .high = e->high, .q_eff = e->q_eff,
                         .ceiling = sp->ceiling[centred], .per_query = f->rho };
    return m->o->keep && !store_is_read_only(m->s) ? store_lds_put(m->s, &r) : OK;
}

/* The estimates of a row, and its difference from its reference. */
static enum status judge_row(struct maker *m, struct lds_report_split *sp, size_t at, int centred) {
    struct lds_report_row *row = &sp->row[at];
    struct lds_fit f, ref = { 0 };
    TRY(fit_row(m, at, centred, &f));
    lds_estimate(centred ? &row->centred : &row->plain, &f);
    enum status st = keep(m, sp, row, &f, centred);
    if (st == OK && row->reference != at) {
        st = fit_row(m, row->reference, centred, &ref);
        if (st == OK) st = lds_difference(centred ? &row->minus_centred : &row->minus, &f, &ref);
    }
    lds_fit_free(&f);
    lds_fit_free(&ref);
    return st;
}

/* --- sweeps over lambda --- */

static int is_stated(const struct score_set *s) { return s->lambda_spec[0] && strcmp(s->lambda_spec, "auto") != 0; }

/* However many bits of the scores are kept. */
static int same_but_lambda(const struct score_set *a, const struct score_set *b) {
    return !strcmp(a->method, b->method) && !strcmp(a->loss, b->loss) && a->timesteps == b->timesteps && a->k == b->k &&
           a->version == b->version && !strcmp(a->params, b->params) && same_checkpoints(a, b);
}

static int in_one_sweep(const struct score_set *a, const struct score_set *b) {
    return a->mantissa_bits == b->mantissa_bits && same_but_lambda(a, b);
}

static enum status judge_sweep(struct maker *m, struct lds_report_split *sp, struct lds_report_sweep *w,
                               struct lds_selection *sel) {
    const double **p = mem_array(sp->rows, sizeof *p);
    size_t *which = mem_array(sp->rows, sizeof *which);
    enum status st = p && which ? OK : fail(ERR_NOMEM, "lds: out of memory");
    w->automatic = SIZE_MAX;
    for (size_t i = 0; st == OK && i < sp->rows; i++) {
        if (!same_but_lambda(&sp->row[i].set, &sp->row[w->first].set)) continue;
        if (!is_stated(&sp->row[i].set)) {
            if (w->automatic == SIZE_MAX || sp->row[i].set.mantissa_bits > sp->row[w->automatic].set.mantissa_bits)
                w->automatic = i;
            continue;
        }
        if (!in_one_sweep(&sp->row[i].set, &sp->row[w->first].set)) continue;
        which[w->count] = i;
        p[w->count++] = m->p[i];
    }
    if (st == OK) st = lds_select(sel, p, w->count, m->losses.y[0], m->losses.M, m->losses.Q);
    for (int h = 0; st == OK && h < 2; h++)
        snprintf(w->chosen[h], sizeof w->chosen[h], "%s", sp->row[which[sel->chosen[h]]].set.lambda_spec);
    if (st == OK) {
        snprintf(w->oracle, sizeof w->oracle, "%s", sp->row[which[sel->oracle]].set.lambda_spec);
        w->oracle_value = sel->oracle_value;
        lds_estimate(&w->selected, &sel->fit);
    }
    mem_free(p);
    mem_free(which);
    return st;
}

static int begins_sweep(const struct lds_report_split *sp, size_t at) {
    size_t others = 0;
    if (!is_stated(&sp->row[at].set)) return 0;
    for (size_t i = 0; i < sp->rows; i++) {
        if (i == at || !is_stated(&sp->row[i].set) || !in_one_sweep(&sp->row[i].set, &sp->row[at].set)) continue;
        if (i < at) return 0;
        others++;
    }
    return others > 0;
}

/* The sweep whose setting is that of w but for method and loss, which are the reference's. */
static size_t sweep_reference(const struct maker *m, const struct lds_report_split *sp, size_t at) {
    const char *method = m->o->reference_method ? m->o->reference_method : "trak";
    const char *loss = m->o->reference_method ? m->o->reference_loss ? m->o->reference_loss : "" : "simple";
    const struct score_set *a = &sp->row[sp->sweep[at].first].set;
    for (size_t i = 0; i < sp->sweeps; i++) {
        const struct score_set *b = &sp->row[sp->sweep[i].first].set;
        if (!strcmp(b->method, method) && !strcmp(b->loss, loss) && a->timesteps == b->timesteps && a->k == b->k &&
            same_checkpoints(a, b)) return i;
    }
    return at;
}

static enum status judge_sweeps(struct maker *m, struct lds_report_split *sp) {
    sp->sweep = mem_array(sp->rows + 1, sizeof *sp->sweep);
    struct lds_selection *sel = mem_array(sp->rows + 1, sizeof *sel);
    enum status st = sp->sweep && sel ? OK : fail(ERR_NOMEM, "lds: out of memory");
    int enough = m->losses.M >= 2 * LDS_SUBSETS_MIN;
    for (size_t i = 0; st == OK && enough && i < sp->rows; i++) {
        if (!begins_sweep(sp, i)) continue;
        sp->sweep[sp->sweeps].first = i;
        st = judge_sweep(m, sp, &sp->sweep[sp->sweeps], &sel[sp->sweeps]);
        sp->sweeps++;
        if (st == OK) st = progress_check(m->progress);
    }
    for (size_t i = 0; st == OK && i < sp->sweeps; i++) {
        sp->sweep[i].reference = sweep_reference(m, sp, i);
        if (sp->sweep[i].reference != i)
            st = lds_difference(&sp->sweep[i].minus, &sel[i].fit, &sel[sp->sweep[i].reference].fit);
    }
    for (size_t i = 0; sel && i < sp->sweeps; i++) lds_fit_free(&sel[i].fit);
    mem_free(sel);
    return st;
}

/* --- order --- */

static int by_value(const void *a, const void *b) {
    const struct lds_report_row *x = a, *y = b;
    if (x->plain.value > y->plain.value) return -1;
    if (x->plain.value < y->plain.value) return 1;
    return (x->set.id > y->set.id) - (x->set.id < y->set.id);
}

static size_t row_of(const struct lds_report_split *sp, int64_t id) {
    size_t i = 0;
    while (sp->row[i].set.id != id) i++;
    return i;
}

/* Rows move: what points at them is written as ids in between. */
static enum status sort_rows(struct lds_report_split *sp) {
    int64_t *id = mem_array(sp->rows + 2 * sp->sweeps + 1, sizeof *id);
    if (!id) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t i = 0; i < sp->rows; i++) sp->row[i].reference = (size_t)sp->row[sp->row[i].reference].set.id;
    for (size_t i = 0; i < sp->sweeps; i++) {
        id[2 * i] = sp->row[sp->sweep[i].first].set.id;
        id[2 * i + 1] = sp->sweep[i].automatic == SIZE_MAX ? 0 : sp->row[sp->sweep[i].automatic].set.id;
    }
    qsort(sp->row, sp->rows, sizeof *sp->row, by_value);
    for (size_t i = 0; i < sp->rows; i++) sp->row[i].reference = row_of(sp, (int64_t)sp->row[i].reference);
    for (size_t i = 0; i < sp->sweeps; i++) {
        sp->sweep[i].first = row_of(sp, id[2 * i]);
        if (id[2 * i + 1]) sp->sweep[i].automatic = row_of(sp, id[2 * i + 1]);
    }
    mem_free(id);
    return OK;
}

/* --- all of it --- */

static enum status judge_split(struct maker *m, struct lds_report_split *sp, const struct score_set_list *sets) {
    TRY(read_losses(m, sp));
    TRY(judge_losses(m, sp));
    TRY(read_scores(m, sp, sets));
    for (size_t i = 0; i < sp->rows; i++) choose_reference(m, sp, i);
    for (size_t i = 0; i < sp->rows; i++)
        for (int centred = 0; centred < 2; centred++) TRY(judge_row(m, sp, i, centred));
    TRY(judge_sweeps(m, sp));
    return sort_rows(sp);
}

static void split_done(struct maker *m, size_t rows) {
    for (size_t i = 0; m->p && i < rows; i++) mem_free(m->p[i]);
    mem_free(m->p);
    m->p = NULL;
    losses_free(&m->losses);
}

static enum status read_splits(struct lds_report *r) {
    struct json_doc *doc;
    TRY(json_parse(&doc, r->eval_text, strlen(r->eval_text), "the eval protocol"));
    for (int k = 0; k < SPLIT_COUNT; k++) {
        const struct json *q = json_get(json_root(doc), split_name((enum split)k));
        int64_t first = json_int(json_get(q, "first"), -1), count = json_int(json_get(q, "count"), 0);
        if (first >= 0 && count > 0 && count < 1 << 27 && r->n_splits < 2)
            r->split[r->n_splits++] = (struct lds_report_split){ .split = (enum split)k, .first = (size_t)first, .Q = (size_t)count };
    }
    json_free(doc);
    return r->n_splits ? OK : fail(ERR_FORMAT, "the eval protocol names no queries");
}

static enum status read_protocols(struct maker *m) {
    struct protocol_list l;
    const struct protocol *train = NULL, *eval = NULL;
    TRY(store_protocols_list(m->s, &l));
    enum status st = protocols_newest(m->s, &l, &train, &eval);
    if (st == OK) {
        m->r->train_protocol = train->id;
        m->r->eval_protocol = eval->id;
        m->r->train_text = mem_copy_string(train->text);
        m->r->eval_text = mem_copy_string(eval->text);
        if (!m->r->train_text || !m->r->eval_text) st = fail(ERR_NOMEM, "lds: out of memory");
    }
    protocol_list_free(&l);
    return st;
}

static enum status report(struct maker *m) {
    struct score_set_list sets;
    TRY(read_protocols(m));
    TRY(read_splits(m->r));
    TRY(store_subsets_list(m->s, m->r->train_protocol, &m->models));
    TRY(store_checkpoints_list(m->s, &m->checkpoints));
    m->r->project_loss = m->checkpoints.count ? m->checkpoints.checkpoint[m->checkpoints.count - 1].train_loss : (double)NAN;
    TRY(choose_subsets(m));
    TRY(read_members(m));
    TRY(store_score_sets_list(m->s, &sets));
    /* All values are kept in one transaction. */
    int keeps = m->o->keep && !store_is_read_only(m->s);
    enum status st = keeps ? store_begin(m->s) : OK;
    for (size_t k = 0; k < m->r->n_splits && st == OK; k++) {
        st = judge_split(m, &m->r->split[k], &sets);
        split_done(m, m->r->split[k].rows);
    }
    if (keeps && st == OK) st = store_commit(m->s);
    if (keeps && st != OK) store_rollback(m->s);
    score_set_list_free(&sets);
    return st;
}

enum status pipeline_lds_report(struct lds_report *out, struct store *s, const struct lds_report_options *o,
                                const struct progress *p) {
    struct maker m = { .s = s, .o = o, .progress = p, .r = out };
    memset(out, 0, sizeof *out);
    enum status st = report(&m);
    subset_model_list_free(&m.models);
    checkpoint_list_free(&m.checkpoints);
    mem_free(m.use);
    mem_free(m.members);
    if (st != OK) lds_report_free(out);
    return st;
}

void lds_report_free(struct lds_report *r) {
    mem_free(r->train_text);
    mem_free(r->eval_text);
    for (size_t k = 0; k < 2; k++) {
        mem_free(r->split[k].row);
        mem_free(r->split[k].sweep);
        mem_free(r->split[k].incomplete);
    }
    memset(r, 0, sizeof *r);
}
