/* lds_report.c - stored outputs and stored scores become LDS, intervals, ceilings. */
#include "dtrak/lds_report.h"

#include "lds_outputs.h"

#include "dtrak/datamodel.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/stats.h"

#include <math.h>
#include <stdint.h>
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
    struct lds_outputs outputs;
    struct checkpoint_list checkpoints;
    struct losses losses;
    double **p;                   /* [rows of the split] of [Q][M] */
    struct lds_fit *reference[2]; /* [rows of the split], plain and centred: of those that others are compared with */
    struct lds_row *kept;         /* what is to be stored, when all is known; per_query is ours */
    size_t n_kept, room;
};

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

static enum status copy_centred(double **out, const double *v, size_t M, size_t Q) {
    *out = mem_array(M * Q, sizeof **out);
    if (!*out) return fail(ERR_NOMEM, "lds: out of memory");
    memcpy(*out, v, M * Q * sizeof **out);
    lds_centre(*out, M, Q);
    return OK;
}

static enum status read_means(struct maker *m, enum split split) {
    struct losses *l = &m->losses;
    for (int c = 0; c < 2; c++) l->half[c] = mem_array(l->M * l->Q, sizeof(double));
    l->y[0] = mem_array(l->M * l->Q, sizeof(double));
    if (!l->y[0] || !l->half[0] || !l->half[1]) return fail(ERR_NOMEM, "lds: out of memory");
    TRY(lds_outputs_means(&m->outputs, split, l->Q, l->y[0], l->half[0], l->half[1]));
    return copy_centred(&l->y[1], l->y[0], l->M, l->Q);
}

/* Of the k-th subset. */
static const struct subset_model *finished(const struct maker *m, size_t k, size_t seed) {
    return lds_outputs_model(&m->outputs, m->outputs.use[k], seed);
}

/* Subsets that have seeds 0 .. repeats - 1. */
static enum status read_repeats(struct maker *m, enum split split, float *scratch) {
    struct losses *l = &m->losses;
    size_t repeats = l->seeds > 2 ? l->seeds : 2, K = 0;
    for (size_t k = 0; k < l->M; k++) K += finished(m, k, repeats - 1) != NULL;
    l->K = K;
    if (K < LDS_SUBSETS_MIN) return OK;
    for (int c = 0; c < 2; c++)
        if (!(l->again[c] = mem_array(repeats, sizeof(double *)))) return fail(ERR_NOMEM, "lds: out of memory");
    l->repeats = repeats;
    for (size_t s = 0; s < repeats; s++) {
        size_t at = 0;
        l->again[0][s] = mem_array(K * l->Q, sizeof(double));
        if (!l->again[0][s]) return fail(ERR_NOMEM, "lds: out of memory");
        for (size_t k = 0; k < l->M; k++)
            if (finished(m, k, repeats - 1))
                TRY(lds_outputs_add(&m->outputs, split, l->Q, finished(m, k, s), scratch, l->again[0][s] + at++, NULL, NULL, K));
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
    enum status st = read_means(m, sp->split);
    if (st == OK) st = read_repeats(m, sp->split, scratch);
    mem_free(scratch);
    return st;
}

static enum status judge_losses(struct maker *m, struct lds_report_split *sp) {
    const struct losses *l = &m->losses;
    for (int c = 0; c < 2; c++) {
        sp->repeat[c] = (struct lds_repeat){ .r = NAN, .se = NAN, .spearman = NAN, .K = l->K };
        sp->ceiling[c] = sp->one_more[c] = NAN;
        if (!l->repeats || (c && l->Q < 2)) continue;   /* the mean over one query leaves nothing */
        TRY(lds_repeat(&sp->repeat[c], (const double *const *)l->again[c], l->repeats, l->K, l->Q));
        sp->ceiling[c] = lds_ceiling(sp->repeat[c].r, (double)l->seeds);
        sp->one_more[c] = lds_one_more(&sp->repeat[c], (double)l->seeds);
    }
    struct lds_repeat halves;
    const double *both[2] = { l->half[0], l->half[1] };
    TRY(lds_repeat(&halves, both, 2, l->M, l->Q));
    sp->measured = m->outputs.timesteps == 1 ? (double)NAN : lds_reliability(halves.r, 2);
    return OK;
}

/* --- predictions --- */

static void name_row(struct maker *m, struct lds_report_row *row) {
    const struct score_set *set = &row->set;
    enum method method = method_parse(set->method, NULL);
    if (method < METHOD_COUNT) method_display(row->name, method, loss_parse(set->loss));
    else snprintf(row->name, sizeof row->name, "%s", set->method);
    row->percent = NAN;
    for (size_t i = 0; set->checkpoints && i < m->checkpoints.count; i++) {
        const struct checkpoint *c = &m->checkpoints.checkpoint[i];
        char network[64];
        if (c->id != set->checkpoint[0]) continue;
        if (set->checkpoints == 1) row->percent = c->percent;
        row->network = c->network;
        if (!c->network) continue;
        size_t len = strlen(row->name);
        checkpoint_network(network, c);
        snprintf(row->name + len, sizeof row->name - len, " of %s", network);
    }
}

static enum status predict(struct maker *m, const struct lds_report_split *sp, const struct score_set *set, double *p,
                           int *complete) {
    enum { ROWS = 64 };   /* read at a time */
    *complete = 0;
    if (sp->is_other) return OK;
    float *scores = mem_array(ROWS * set->n, sizeof *scores);
    if (!scores) return fail(ERR_NOMEM, "lds: out of memory");
    enum status st = OK;
    for (size_t q = 0; q < sp->Q && st == OK; q += ROWS) {
        size_t rows = sp->Q - q < ROWS ? sp->Q - q : ROWS;
        for (size_t i = 0; i < rows && st == OK; i++) st = store_score_read(m->s, set, sp->first + q + i, scores + i * set->n);
        if (st == OK) st = lds_predict(p + q * m->r->M, scores, rows, m->outputs.members, m->r->M, m->outputs.n);
    }
    mem_free(scores);
    *complete = st == OK;
    return st == ERR_MISSING ? OK : st;
}

/* Scores made of the losses that they would be judged on. */
static int is_made_of_these(const struct maker *m, const struct score_set *set) {
    char draw[17], member[32];
    enum method method = method_parse(set->method, NULL);
    if (method == METHOD_COUNT || !method_has_retrained(method)) return 0;
    lds_outputs_draw(&m->outputs, draw);
    snprintf(member, sizeof member, "\"draw\":\"%s\"", draw);
    return strstr(set->params, member) != NULL;
}

static enum status measured_before(struct maker *m, int64_t score_set, int centred, struct lds_estimate *out, int *has) {
    struct lds_row was;
    enum status st = store_lds_get(m->s, score_set, centred, &was, NULL);
    *has = st == OK && was.train_protocol == m->r->train_protocol && was.eval_protocol == m->r->eval_protocol;
    if (*has) *out = (struct lds_estimate){ was.value, was.se, was.low, was.high, was.q_eff, was.subsets, was.queries, 0 };
    return st == ERR_MISSING ? OK : st;
}

static enum status leave_out(struct maker *m, struct lds_report_split *sp, const struct score_set *set, int is_short) {
    struct lds_report_left *left = &sp->incomplete[sp->n_incomplete++];
    int plain = 0, centred = 0;
    *left = (struct lds_report_left){ .row.set = *set, .rows = set->rows_done, .is_short_of_subsets = is_short };
    name_row(m, &left->row);
    TRY(measured_before(m, set->id, 0, &left->row.plain, &plain));
    TRY(measured_before(m, set->id, 1, &left->row.centred, &centred));
    left->is_measured = plain && centred && !is_short;
    return OK;
}

static enum status add_row(struct maker *m, struct lds_report_split *sp, const struct score_set *set) {
    int complete;
    if (is_made_of_these(m, set) && m->r->M < 2 * LDS_SUBSETS_MIN) return leave_out(m, sp, set, 1);
    double *p = mem_array(sp->Q * m->r->M, sizeof *p);
    if (!p) return fail(ERR_NOMEM, "lds: out of memory");
    enum status st = predict(m, sp, set, p, &complete);
    if (st != OK || !complete) {
        mem_free(p);
        return st == OK ? leave_out(m, sp, set, 0) : st;
    }
    struct lds_report_row *row = &sp->row[sp->rows];
    *row = (struct lds_report_row){ .set = *set, .reference = sp->rows, .is_halves = is_made_of_these(m, set) };
    name_row(m, row);
    m->p[sp->rows++] = p;
    return OK;
}

static enum status read_scores(struct maker *m, struct lds_report_split *sp, const struct score_set_list *sets) {
    sp->row = mem_array(sets->count + 1, sizeof *sp->row);
    sp->incomplete = mem_array(sets->count + 1, sizeof *sp->incomplete);
    m->p = mem_array(sets->count + 1, sizeof *m->p);
    if (!sp->row || !sp->incomplete || !m->p) return fail(ERR_NOMEM, "lds: out of memory");
    for (size_t i = 0; i < sets->count; i++) {
        if (sets->set[i].split != sp->split) continue;
        if (sets->set[i].n != m->outputs.n)
            return fail(ERR_FORMAT, "lds: score set %lld has %zu columns, subsets are drawn from %zu training items",
                        (long long)sets->set[i].id, sets->set[i].n, m->outputs.n);
        TRY(add_row(m, sp, &sets->set[i]));
        progress_report(m->progress, (double)(i + 1), (double)sets->count, "read", split_name(sp->split));
        TRY(progress_check(m->progress));
    }
    return OK;
}

/* --- LDS --- */

/* halves: the two halves of the subsets each on its own, so that it compares with a row that needs that. */
static enum status fit_row(struct maker *m, const struct lds_report_split *sp, size_t row, int centred, int halves,
                           struct lds_fit *out) {
    const struct losses *l = &m->losses;
    double *p = m->p[row], *own = NULL;
    if (sp->row[row].is_halves) {
        int ridge = method_parse(sp->row[row].set.method, NULL) == METHOD_DATAMODEL;
        return datamodel_judge(out, ridge ? &datamodel_default : NULL, m->outputs.members, l->y[0], l->M, m->outputs.n, l->Q,
                               centred);
    }
    if (centred) TRY(copy_centred(&own, p, l->M, l->Q));
    enum status st = (halves ? lds_fit_halves : lds_fit_new)(out, own ? own : p, l->y[centred], l->M, l->Q);
    mem_free(own);
    return st;
}

static int same_checkpoints(const struct score_set *a, const struct score_set *b) {
    return a->checkpoints == b->checkpoints &&
           memcmp(a->checkpoint, b->checkpoint, a->checkpoints * sizeof *a->checkpoint) == 0;
}

/* Rows of features of k dimensions. */
static size_t rows_of_k(const struct lds_report_split *sp, size_t k) {
    size_t n = 0;
    for (size_t i = 0; i < sp->rows; i++) n += sp->row[i].set.k == k;
    return n;
}

/* How like the row's setting a reference row is: the same in everything, then without lambda,
 * then its network's last checkpoint with the most timesteps, and as many dimensions as most rows have. */
static double likeness(const struct lds_report_split *sp, const struct lds_report_row *row, const struct lds_report_row *ref) {
    const struct score_set *a = &row->set, *b = &ref->set;
    double score = 0;
    if (a->timesteps == b->timesteps && a->k == b->k && same_checkpoints(a, b)) score += 1e6;
    if (strcmp(a->lambda_spec, b->lambda_spec) == 0) score += 1e5;
    else if (strcmp(b->lambda_spec, "auto") == 0) score += 5e4;
    if (row->network == ref->network) score += 2e4;
    if (isfinite(ref->percent)) score += 100 * ref->percent;
    return score + (double)b->timesteps / 1e3 + (double)rows_of_k(sp, b->k) / 1e6 + (double)b->k / 1e12;
}

static void set_reference(struct lds_report *r, const struct lds_report_options *o) {
    r->is_reference_asked = o->reference_method != NULL;
    snprintf(r->reference_method, sizeof r->reference_method, "%s", o->reference_method ? o->reference_method : "trak");
    snprintf(r->reference_loss, sizeof r->reference_loss, "%s", !o->reference_method ? "simple" : o->reference_loss ? o->reference_loss : "");
}

int lds_report_is_reference(const struct lds_report *r, const struct score_set *set) {
    return !strcmp(set->method, r->reference_method) && !strcmp(set->loss, r->reference_loss);
}

/* Adds "trak:simple" to a list that has each once; 1: it is the reference. */
static int add_measured(const struct lds_report *r, const struct score_set *set, char *list, size_t size) {
    char word[64];
    size_t len = strlen(list), at = 0;
    if (lds_report_is_reference(r, set)) return 1;
    int n = snprintf(word, sizeof word, "%s%s%s", set->method, set->loss[0] ? ":" : "", set->loss);
    for (; list[at]; at += strcspn(list + at, " ") + (strchr(list + at, ' ') != NULL))
        if (!strncmp(list + at, word, (size_t)n) && (!list[at + (size_t)n] || list[at + (size_t)n] == ' ')) return 0;
    snprintf(list + len, size - len, "%s%s", len ? " " : "", word);
    return 0;
}

/* Does the report have a line of it?  Rows of all queries, or what was measured of them before. */
static enum status is_measured(struct maker *m, const struct score_set *set, int *has) {
    struct lds_estimate was;
    *has = 0;
    for (size_t k = 0; k < m->r->n_splits && !*has; k++) {
        const struct lds_report_split *sp = &m->r->split[k];
        if (set->split != sp->split) continue;
        *has = !sp->is_other && set->rows_done >= sp->Q;
        if (!*has) TRY(measured_before(m, set->id, 0, &was, has));
    }
    return OK;
}

/* One that is asked for is measured, or it is a mistake that is said before the work. */
static enum status check_reference(struct maker *m, const struct score_set_list *sets) {
    const struct lds_report *r = m->r;
    char list[600] = "";
    int found = !r->is_reference_asked;
    for (size_t i = 0; i < sets->count && !found; i++) {
        int has;
        TRY(is_measured(m, &sets->set[i], &has));
        if (has) found = add_measured(r, &sets->set[i], list, sizeof list);
    }
    if (found) return OK;
    return fail(ERR_USAGE, "lds: there are no measured scores of %s%s%s to compare with; there are those of: %s", r->reference_method,
                r->reference_loss[0] ? ":" : "", r->reference_loss, list[0] ? list : "none");
}

static void choose_reference(const struct lds_report *r, struct lds_report_split *sp, size_t at) {
    double best = -1;
    if (lds_report_is_reference(r, &sp->row[at].set)) return;
    for (size_t i = 0; i < sp->rows; i++) {
        if (!lds_report_is_reference(r, &sp->row[i].set)) continue;
        double like = likeness(sp, &sp->row[at], &sp->row[i]);
        if (like <= best) continue;
        best = like;
        sp->row[at].reference = i;
    }
}

static enum status keep(struct maker *m, const struct lds_report_split *sp, const struct lds_report_row *row,
                        const struct lds_fit *f, int centred) {
    const struct lds_estimate *e = centred ? &row->centred : &row->plain;
    if (!m->o->keep || store_is_read_only(m->s)) return OK;
    struct lds_row r = { .score_set = row->set.id, .train_protocol = m->r->train_protocol,
                         .eval_protocol = m->r->eval_protocol, .centred = centred, .subsets = e->M, .queries = e->Q,
                         .value = e->value, .se = e->se, .low = e->low, .high = e->high, .q_eff = e->q_eff,
                         .ceiling = sp->ceiling[centred], .per_query = (double *)(void *)mem_copy_bytes(f->rho, f->Q * sizeof *f->rho) };
    if (!r.per_query) return fail(ERR_NOMEM, "lds: out of memory");
    m->kept[m->n_kept++] = r;
    return OK;
}

/* Room for two values of each row of a split. */
static enum status keep_room(struct maker *m, size_t rows) {
    size_t room = m->n_kept + 2 * rows;
    struct lds_row *more = mem_resize(m->kept, m->room, room + 1, sizeof *more);
    if (!more) return fail(ERR_NOMEM, "lds: out of memory");
    m->kept = more;
    m->room = room + 1;
    return OK;
}

/* All values in one transaction, which is short: everything has been computed. */
static enum status store_kept(struct maker *m) {
    TRY(store_begin(m->s));
    enum status st = OK;
    for (size_t i = 0; i < m->n_kept && st == OK; i++) st = store_lds_put(m->s, &m->kept[i]);
    if (st == OK) st = store_commit(m->s);
    if (st != OK) store_rollback(m->s);
    return st;
}

/* Of a row that others are compared with, made once; it stays the maker's. */
static enum status reference_fit(struct maker *m, const struct lds_report_split *sp, size_t row, int centred, const struct lds_fit **out) {
    struct lds_fit *f = &m->reference[centred][row];
    *out = f;
    return f->rho ? OK : fit_row(m, sp, row, centred, 0, f);
}

static enum status minus_reference(struct maker *m, const struct lds_report_split *sp, size_t at, int centred, const struct lds_fit *f,
                                   struct lds_estimate *minus) {
    const struct lds_report_row *row = &sp->row[at];
    const struct lds_fit *ref;
    struct lds_fit halves = { 0 }, ref_halves = { 0 };
    if (!row->is_halves && !sp->row[row->reference].is_halves) {
        TRY(reference_fit(m, sp, row->reference, centred, &ref));
        return lds_difference(minus, f, ref);
    }
    enum status st = fit_row(m, sp, row->reference, centred, 1, &ref_halves);
    if (st == OK && !row->is_halves) st = fit_row(m, sp, at, centred, 1, &halves);   /* again, the way of the reference */
    if (st == OK) st = lds_difference(minus, row->is_halves ? f : &halves, &ref_halves);
    lds_fit_free(&halves);
    lds_fit_free(&ref_halves);
    return st;
}

/* The estimates of a row, and its difference from its reference. */
static enum status judge_row(struct maker *m, struct lds_report_split *sp, size_t at, int centred) {
    struct lds_report_row *row = &sp->row[at];
    struct lds_fit f;
    TRY(fit_row(m, sp, at, centred, 0, &f));
    lds_estimate(centred ? &row->centred : &row->plain, &f);
    if (centred && f.Q < 2) {   /* the mean over one query takes everything away: nothing was measured */
        row->centred = row->minus_centred = (struct lds_estimate){ NAN, NAN, NAN, NAN, NAN, row->centred.M, f.Q, 0 };
        lds_fit_free(&f);
        return OK;
    }
    enum status st = keep(m, sp, row, &f, centred);
    if (st == OK && row->reference != at)
        st = minus_reference(m, sp, at, centred, &f, centred ? &row->minus_centred : &row->minus);
    lds_fit_free(&f);
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
static size_t sweep_reference(const struct lds_report *r, const struct lds_report_split *sp, size_t at) {
    const struct score_set *a = &sp->row[sp->sweep[at].first].set;
    for (size_t i = 0; i < sp->sweeps; i++) {
        const struct score_set *b = &sp->row[sp->sweep[i].first].set;
        if (lds_report_is_reference(r, b) && a->timesteps == b->timesteps && a->k == b->k && same_checkpoints(a, b)) return i;
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
        sp->sweep[i].reference = sweep_reference(m->r, sp, i);
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

static int measured_first(const void *a, const void *b) {
    const struct lds_report_left *x = a, *y = b;
    if (x->is_measured != y->is_measured) return y->is_measured - x->is_measured;
    return x->is_measured ? by_value(&x->row, &y->row) : (x->row.set.id > y->row.set.id) - (x->row.set.id < y->row.set.id);
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
    qsort(sp->incomplete, sp->n_incomplete, sizeof *sp->incomplete, measured_first);
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
    TRY(keep_room(m, sp->rows));
    for (int centred = 0; centred < 2; centred++) {
        m->reference[centred] = mem_array(sp->rows + 1, sizeof *m->reference[centred]);
        if (!m->reference[centred]) return fail(ERR_NOMEM, "lds: out of memory");
    }
    for (size_t i = 0; i < sp->rows; i++) choose_reference(m->r, sp, i);
    for (size_t i = 0; i < sp->rows; i++) {
        for (int centred = 0; centred < 2; centred++) TRY(judge_row(m, sp, i, centred));
        progress_report(m->progress, (double)(i + 1), (double)sp->rows, "lds", split_name(sp->split));
        TRY(progress_check(m->progress));
    }
    TRY(judge_sweeps(m, sp));
    return sort_rows(sp);
}

static void split_done(struct maker *m, size_t rows) {
    for (int c = 0; c < 2; c++) {
        for (size_t i = 0; m->reference[c] && i < rows; i++) lds_fit_free(&m->reference[c][i]);
        mem_free(m->reference[c]);
        m->reference[c] = NULL;
    }
    for (size_t i = 0; m->p && i < rows; i++) mem_free(m->p[i]);
    mem_free(m->p);
    m->p = NULL;
    losses_free(&m->losses);
}

/* What the report says of the outputs as a whole. */
static enum status describe_outputs(struct lds_report *r, const struct lds_outputs *o) {
    r->train_protocol = o->train_protocol;
    r->eval_protocol = o->eval_protocol;
    r->train_text = mem_copy_string(o->train_text);
    r->eval_text = mem_copy_string(o->eval_text);
    r->M = o->M;
    r->seeds = o->seeds;
    r->models = o->finished;
    r->diverged = o->diverged;
    r->others = o->others;
    r->open = o->open;
    r->loss = o->loss;
    r->loss_low = o->loss_low;
    r->loss_high = o->loss_high;
    for (r->n_splits = 0; r->n_splits < o->splits; r->n_splits++)
        r->split[r->n_splits] = (struct lds_report_split){ .split = o->query[r->n_splits].split,
                                                           .first = o->query[r->n_splits].first, .Q = o->query[r->n_splits].Q,
                                                           .is_other = o->query[r->n_splits].is_other };
    return r->train_text && r->eval_text ? OK : fail(ERR_NOMEM, "lds: out of memory");
}

static enum status report(struct maker *m) {
    struct score_set_list sets;
    TRY(lds_outputs_open(&m->outputs, m->s, LDS_SUBSETS_MIN));
    TRY(describe_outputs(m->r, &m->outputs));
    set_reference(m->r, m->o);
    TRY(store_checkpoints_list(m->s, &m->checkpoints));
    const struct checkpoint *last = checkpoint_list_last(&m->checkpoints);
    m->r->project_loss = last ? last->train_loss : (double)NAN;
    TRY(store_score_sets_list(m->s, &sets));
    enum status st = check_reference(m, &sets);
    for (size_t k = 0; k < m->r->n_splits && st == OK; k++) {
        st = judge_split(m, &m->r->split[k], &sets);
        split_done(m, m->r->split[k].rows);
    }
    if (st == OK && m->n_kept) st = store_kept(m);
    score_set_list_free(&sets);
    return st;
}

enum status pipeline_lds_report(struct lds_report *out, struct store *s, const struct lds_report_options *o,
                                const struct progress *p) {
    struct maker m = { .s = s, .o = o, .progress = p, .r = out };
    memset(out, 0, sizeof *out);
    enum status st = report(&m);
    lds_outputs_close(&m.outputs);
    checkpoint_list_free(&m.checkpoints);
    for (size_t i = 0; i < m.n_kept; i++) mem_free((void *)(uintptr_t)m.kept[i].per_query);
    mem_free(m.kept);
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
