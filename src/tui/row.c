/* row.c - the scores of the query under the present setting. */
#include "app.h"

#include "dtrak/live.h"
#include "dtrak/mem.h"
#include "dtrak/ranking.h"

#include <math.h>
#include <string.h>

void row_free(struct row *r) {
    mem_free(r->list);
    mem_free(r->score);
    mem_free(r->order);
    trust_free(&r->trust);
    for (int side = 0; side < 2; side++) mem_free(r->end[side]);
    memset(r, 0, sizeof *r);
    r->lambda_rel = r->lambda_abs = NAN;
}

enum status row_label_shares(struct app *a, const struct row *r, int last, struct label_shares *out) {
    uint32_t item[LABEL_SHARES_PLACES];
    size_t places = label_shares_places(r->n);
    *out = (struct label_shares){ 0 };
    if (r->n != a->catalog.count[SPLIT_TRAIN]) return OK;
    const struct label_list *labels = catalog_labels(a);
    for (size_t at = 0; at < places; at++) item[at] = r->order[last ? r->n - 1 - at : at];
    return label_shares_count(out, labels, a->catalog.label.train, r->n, item, places);
}

/* Takes n scores into r and sorts them. */
static enum status take(struct row *r, float *score, size_t n) {
    size_t count = 0;
    struct ranking_entry *e = mem_array(n ? n : 1, sizeof *e);
    r->score = score;
    r->order = mem_array(n ? n : 1, sizeof *r->order);
    r->n = n;
    enum status st = e && r->order ? OK : fail(ERR_NOMEM, "ranking: out of memory");
    if (st == OK && n) st = ranking_top(score, n, n, e, &count);
    if (st == OK) {
        for (size_t i = 0; i < count; i++) r->order[i] = (uint32_t)e[i].index;
        for (size_t i = 0; i < n; i++) r->largest = fmaxf(r->largest, fabsf(score[i]));
    }
    mem_free(e);
    return st;
}

static void bad(struct row *r, enum row_state state) {
    mem_free(r->score);
    mem_free(r->order);
    r->score = NULL;
    r->order = NULL;
    r->n = 0;
    r->state = state;
    snprintf(r->message, sizeof r->message, "%s", fail_reason());
}

static struct score_query asked(const struct app *a, enum split split) {
    const struct setting *s = &a->setting;
    struct score_query q = { method_name(s->method), method_has_loss(s->method) ? loss_name(s->loss) : "",
                             method_has_checkpoint(s->method) ? s->checkpoint : method_has_several(s->method) ? -1 : 0, split,
                             NULL, 0, 0, 0, NULL, 0 };
    return q;
}

/* The set that shows at the stored lambda. */
static enum status find_base(struct app *a, struct score_query *q, struct score_set *out) {
    q->timesteps = a->setting.timesteps;
    q->k = a->setting.k;
    enum status st = store_score_set_find(a->store, q, out);
    if ((q->timesteps == 0 && q->k == 0) || (st == OK && out->rows_done) || (st != OK && st != ERR_MISSING)) return st;
    q->timesteps = q->k = 0;
    return store_score_set_find(a->store, q, out);
}

enum status setting_find_set(struct app *a, enum split split, struct score_set *out) {
    struct score_query q = asked(a, split);
    struct score_set other;
    TRY(find_base(a, &q, out));
    if (!method_has_lambda(a->setting.method) || !a->setting.lambda[0]) return OK;
    q.lambda_spec = a->setting.lambda;
    q.timesteps = out->timesteps;
    q.k = out->k;
    if (store_score_set_find(a->store, &q, &other) == OK && other.rows_done) *out = other;
    return OK;
}

void setting_other_lambda(const struct app *a, const struct score_set *set, char *out, size_t size) {
    const struct setting *t = &a->setting;
    char value[LAMBDA_TEXT] = "";
    out[0] = 0;
    if (!set->id || !method_has_lambda(t->method) || !t->lambda[0] || !strcmp(set->lambda_spec, t->lambda)) return;
    if (set->lambda_rel > 0) lambda_format_value(value, set->lambda_rel);
    snprintf(out, size, "λ %s%s%s", strcmp(set->lambda_spec, "auto") ? "" : "auto", strcmp(set->lambda_spec, "auto") || !value[0] ? "" : " ", value);
}

/* A ridge strength that is not stored: asked of the live thread. */
static void ask_live(struct app *a) {
    struct row *r = &a->row;
    struct lambda l;
    r->set = r->base;
    r->state = ROW_ABSENT;
    if (!r->base.id || !a->live || lambda_parse(&l, a->setting.lambda) != OK) return;
    struct live_request q = { r->base.id, a->query, l, "" };
    memcpy(q.created, r->base.created, sizeof q.created);
    float *score = NULL;
    size_t n = 0;
    int answer = live_get(a->live, &q, &score, &n, &r->lambda_rel, &r->lambda_abs);
    if (answer < 0) bad(r, ROW_ABSENT);
    else if (answer == 0) r->state = ROW_WAITING;
    else if (take(r, score, n) != OK) bad(r, ROW_BAD);
    else {
        r->state = ROW_LIVE;
        r->set.d_eff = live_effective_dimension(a->live, &q);
    }
}

static void read_stored(struct app *a) {
    struct row *r = &a->row;
    float *score = mem_array(r->set.n ? r->set.n : 1, sizeof *score);
    enum status st = score ? store_score_read(a->store, &r->set, a->query.index, score)
                           : fail(ERR_NOMEM, "ranking: out of memory");
    if (st != OK) {
        mem_free(score);
        bad(r, st == ERR_MISSING ? ROW_ABSENT : ROW_BAD);
        if (st == ERR_MISSING) ends_read(a, r);
        return;
    }
    if (take(r, score, r->set.n) != OK) {
        bad(r, ROW_BAD);
        return;
    }
    r->state = ROW_STORED;
    r->lambda_rel = r->set.lambda_rel;
    r->lambda_abs = r->set.lambda_abs;
    st = trust_load(&r->trust, a->store, &r->set, a->query.index);
    if (st != OK && st != ERR_MISSING) snprintf(r->message, sizeof r->message, "%s", fail_reason());
    for (size_t i = 0; i < r->trust.n; i++) r->widest = fmax(r->widest, r->trust.se[i]);
}

static void read_row(struct app *a) {
    struct row *r = &a->row;
    if (method_has_checkpoint(a->setting.method) && a->setting.checkpoint == 0) {
        r->state = ROW_ABSENT;
        return;
    }
    struct score_query q = asked(a, a->query.split);
    q.has = a->query.index + 1;
    enum status st = find_base(a, &q, &r->base);
    if (st != OK) {
        memset(&r->base, 0, sizeof r->base);
        bad(r, st == ERR_MISSING ? ROW_ABSENT : ROW_BAD);
        return;
    }
    r->set = r->base;
    int is_other = method_has_lambda(a->setting.method) && a->setting.lambda[0];
    if (is_other) {
        /* Another lambda of the same features, not whatever else has that lambda. */
        q.lambda_spec = a->setting.lambda;
        q.timesteps = r->base.timesteps;
        q.k = r->base.k;
        st = store_score_set_find(a->store, &q, &r->set);
        if (st == ERR_MISSING) { ask_live(a); return; }
        if (st != OK) { bad(r, ROW_BAD); return; }
    }
    read_stored(a);
    if (is_other && r->state == ROW_ABSENT) ask_live(a);   /* it was measured, and its rows were dropped */
}

void row_read(struct app *a) {
    row_free(&a->row);
    a->row.load = ++a->row_loads;
    if (!a->has_query) return;
    read_row(a);
    if (a->row.state == ROW_ABSENT) setting_offer(a, a->row.offer, sizeof a->row.offer);
}

void row_changed(struct app *a) {
    ranking_refilter(a);
    ranking_clamp(a);
    a->overall.stale = a->reverse.stale = 1;     /* they may be below on the stack, or be on top */
    if (a->gallery.sort == SORT_LDS && a->gallery.sorted_by != a->row.set.id) gallery_refilter(a);
}

void row_load(struct app *a) {
    row_read(a);
    row_changed(a);
}
