/* ranking.c - one query's ranking, from the store to text, JSON and CSV.
 *
 * Nothing is substituted: a setting that is not stored is ERR_MISSING, with the
 * commands that make it. */
#include "dtrak/report.h"

#include "parts.h"
#include "ranking_missing.h"

#include "dtrak/json.h"
#include "dtrak/lambda.h"
#include "dtrak/mem.h"
#include "dtrak/method.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char report_narrow[] = "k is less than 10 times the effective dimension";

static enum status read_method(struct ranking_wanted *w, const struct report_request *r) {
    enum loss alias = LOSS_COUNT;
    const char *name = r->method ? r->method : "trak";
    TRY(method_read(&w->method, &alias, name, "method"));
    return method_loss(&w->loss, w->method, alias, name, r->loss);
}

void report_ranking_checkpoint(struct report_ranking *r, const struct checkpoint *c) {
    r->has_checkpoint = 1;
    r->step = c->step;
    r->percent = c->percent;
    checkpoint_network(r->network, c);
    checkpoint_words(r->checkpoint, c);
    checkpoint_option(r->option, c);
    checkpoint_spell(r->spelled, c);
}

enum status report_drawn_by(char name[CHECKPOINT_OPTION], struct store *s, struct item_ref query) {
    struct checkpoint_list l;
    struct item_list items = { NULL, 0, NULL };
    name[0] = 0;
    TRY(store_checkpoints_list(s, &l));
    enum status st = store_items_read(s, query.split, query.index, 1, &items);
    if (st == OK && items.count) {
        const struct checkpoint *c = checkpoint_list_last_beside(&l, items.item[0].checkpoint);
        if (c && c->network) checkpoint_spell(name, c);
    }
    item_list_free(&items);
    checkpoint_list_free(&l);
    return st;
}

static enum status read_checkpoint(struct ranking_wanted *w, struct store *s, const char *name, struct item_ref query) {
    char drew[CHECKPOINT_OPTION];
    struct checkpoint_list l = { 0 };
    int is_mean = method_has_several(w->method);
    w->checkpoint = is_mean ? -1 : 0;
    if (!method_has_checkpoint(w->method) && !(is_mean && name)) return OK;
    if (!name) {
        TRY(report_drawn_by(drew, s, query));
        if (drew[0]) name = drew;
    }
    TRY(store_checkpoints_resolve(s, name, &l));
    enum status st = OK;
    w->named = l.count;
    if (l.count == 1 && is_mean) {
        st = fail(ERR_USAGE, "%s is a mean over several checkpoints, and '%s' is one%s", method_name(w->method), name,
                  strcmp(name, "all") ? "; try --checkpoint all" : " here");
    } else if (l.count != 1) {
        w->checkpoint = -1;   /* an ensemble, if there is one */
        for (size_t i = 0; strcmp(name, "all") && i < l.count && i < SCORE_CHECKPOINTS_MAX; i++) w->over[w->n_over++] = l.checkpoint[i].id;
    } else {
        const struct checkpoint *c = &l.checkpoint[0];
        w->checkpoint = c->id;
        report_ranking_checkpoint(w->of, c);
        memcpy(w->sha256, c->sha256, sizeof w->sha256);
    }
    checkpoint_list_free(&l);
    return st;
}

static enum status read_lambda(struct ranking_wanted *w, const char *text) {
    struct lambda l;
    w->lambda[0] = 0;
    if (!text) return OK;
    TRY(lambda_parse(&l, text));
    if (method_has_lambda(w->method)) lambda_format(w->lambda, l);
    return OK;
}

static enum status check_query(struct store *s, struct item_ref q) {
    char name[32];
    size_t count;
    item_ref_format(name, q);
    if (q.split == SPLIT_TRAIN) return fail(ERR_USAGE, "%s is a training item; a query is a gen or val item", name);
    TRY(store_items_count(s, q.split, &count));
    return item_ref_check(q, count);
}

static enum status fill_side(struct report_entry **out, size_t *n, struct store *s, const struct report_ranking *r,
                             int opponents, size_t count) {
    enum status st;
    struct ranked *ranked = NULL;
    size_t got = 0;
    *n = 0;
    ranked = mem_array(count ? count : 1, sizeof *ranked);
    *out = mem_array(count ? count : 1, sizeof **out);
    if (!ranked || !*out) {
        st = fail(ERR_NOMEM, "ranking: out of memory");
        goto done;
    }
    if (!count) {
        st = OK;
        goto done;
    }
    TRY_TO(store_score_top(s, &r->set, r->query.index, opponents, count, ranked, &got));
    for (size_t i = 0; i < got; i++) {
        struct report_entry *e = &(*out)[i];
        *e = (struct report_entry){ .rank = ranked[i].rank, .item = { SPLIT_TRAIN, ranked[i].item }, .score = ranked[i].score };
        TRY_TO(report_item_label(s, e->item, e->label, sizeof e->label));
        *n = i + 1;
    }
done:
    mem_free(ranked);
    return st;
}

/* Where no place is asked for: whether there are any. */
static enum status check_row(struct store *s, const struct report_ranking *r) {
    struct ranked first;
    size_t got;
    return store_score_top(s, &r->set, r->query.index, 0, 1, &first, &got);
}

void report_ranking_trust(struct report_ranking *r, const struct trust *t) {
    r->has_trust = 1;
    r->blocks = t->blocks;
    r->projections = t->projections;
    r->trust_top = t->top;
    for (size_t i = 0; i < r->n_top + r->n_bottom; i++) {
        struct report_entry *e = i < r->n_top ? &r->top[i] : &r->bottom[i - r->n_top];
        size_t at = e->item.index;
        e->se = t->se[at];
        e->p_top = t->p_top[at];
        e->rank_low = t->low[at];
        e->rank_high = t->high[at];
        e->is_determined = trust_is_determined(t, at, (double)e->score);
    }
}

/* Error bars, where they are stored. */
static enum status fill_trust(struct report_ranking *r, struct store *s) {
    struct trust t;
    enum status st = trust_load(&t, s, &r->set, r->query.index);
    if (st == ERR_MISSING) return OK;
    TRY(st);
    report_ranking_trust(r, &t);
    trust_free(&t);
    return OK;
}

/* The steps of several checkpoints together. */
static enum status fill_steps(struct report_ranking *r, struct store *s) {
    struct checkpoint_list l;
    if (r->set.checkpoints < 2) return OK;
    TRY(store_checkpoints_list(s, &l));
    for (size_t i = 0; i < r->set.checkpoints; i++)
        for (size_t k = 0; k < l.count; k++)
            if (l.checkpoint[k].id == r->set.checkpoint[i]) r->steps[i] = l.checkpoint[k].step;
    checkpoint_list_free(&l);
    return OK;
}

static enum status fill_query(struct report_ranking *r, struct store *s) {
    struct item_list items = { 0 };
    TRY(store_items_read(s, r->query.split, r->query.index, 1, &items));
    if (items.count == 1) {
        snprintf(r->query_label, sizeof r->query_label, "%s", items.item[0].label_name);
        r->seed = items.item[0].seed;
        r->has_seed = items.item[0].sampler[0] != 0;
    }
    item_list_free(&items);
    return OK;
}

enum status report_ranking_load(struct report_ranking *out, struct store *s, const struct report_request *r) {
    enum status st;
    struct ranking_wanted w;
    memset(&w, 0, sizeof w);
    *out = (struct report_ranking){ .query = r->query };
    w.of = out;
    TRY(read_method(&w, r));
    TRY(read_lambda(&w, r->lambda));
    TRY(check_query(s, r->query));
    TRY(read_checkpoint(&w, s, r->checkpoint, r->query));
    struct score_query q = {
        .method = method_name(w.method), .loss = w.loss == LOSS_COUNT ? "" : loss_name(w.loss),
        .checkpoint = w.checkpoint, .split = r->query.split, .lambda_spec = w.lambda[0] ? w.lambda : NULL,
        .timesteps = r->timesteps, .k = r->k, .has = r->query.index + 1,
        .over = w.n_over ? w.over : NULL, .n_over = w.n_over,
    };
    st = store_score_set_find(s, &q, &out->set);
    if (st == ERR_MISSING && w.named > 1)
        return ranking_explain_ensemble(s, &w, r);
    if (st == ERR_MISSING) return ranking_explain_missing(s, &w, r, 0);
    TRY(st);
    TRY_TO(fill_query(out, s));
    TRY_TO(fill_steps(out, s));
    size_t top = r->top < out->set.n ? r->top : out->set.n, bottom = r->bottom < out->set.n ? r->bottom : out->set.n;
    st = fill_side(&out->top, &out->n_top, s, out, 0, top);
    if (st == OK && !top && !bottom && !r->any_query) st = check_row(s, out);
    if (st == ERR_MISSING) st = ranking_explain_missing(s, &w, r, out->set.rows_done > 0);
    if (st == OK) st = fill_side(&out->bottom, &out->n_bottom, s, out, 1, bottom);
    if (st == OK) st = fill_trust(out, s);
done:
    if (st != OK) report_ranking_free(out);
    return st;
}

/* Of one end; what is stored of an imported ranking may be less than that. */
static enum status count_end(struct label_shares *out, struct store *s, const struct report_ranking *r, int opponents,
                             const struct label_list *labels, const int *of_item) {
    size_t places = label_shares_places(r->set.n), got = 0;
    struct ranked *ranked = mem_array(places + 1, sizeof *ranked);
    uint32_t *item = mem_array(places + 1, sizeof *item);
    enum status st = ranked && item ? OK : fail(ERR_NOMEM, "ranking: out of memory");
    if (st == OK && places) st = store_score_top(s, &r->set, r->query.index, opponents, places, ranked, &got);
    for (size_t i = 0; st == OK && i < got; i++) item[i] = (uint32_t)ranked[i].item;
    if (st == OK) st = label_shares_count(out, labels, of_item, r->set.n, item, got == places ? places : 0);
    mem_free(ranked);
    mem_free(item);
    return st;
}

enum status report_ranking_shares(struct report_ranking *r, struct store *s) {
    struct label_list labels = { NULL, 0 };
    int *of_item = mem_array(r->set.n + 1, sizeof *of_item);
    size_t there = 0;
    enum status st = of_item ? OK : fail(ERR_NOMEM, "ranking: out of memory");
    r->has_shares = 1;
    if (st == OK) st = store_items_count(s, SPLIT_TRAIN, &there);
    if (st == OK && there == r->set.n) {
        st = store_labels_study(s, &labels, of_item, there);
        if (st == OK) st = count_end(&r->first, s, r, 0, &labels, of_item);
        if (st == OK) st = count_end(&r->last, s, r, 1, &labels, of_item);
    }
    label_list_free(&labels);
    mem_free(of_item);
    return st;
}

void report_ranking_free(struct report_ranking *r) {
    label_shares_free(&r->first);
    label_shares_free(&r->last);
    mem_free(r->top);
    mem_free(r->bottom);
    r->top = r->bottom = NULL;
    r->n_top = r->n_bottom = 0;
}

/* --- text --- */

void report_add_padded(struct buf *b, const char *text, size_t cells) {
    buf_text(b, text);
    for (size_t w = text_width(text); w < cells; w++) buf_text(b, " ");
}

void report_trim_lines(struct buf *b, size_t from) {
    size_t to = from, text = from;   /* where the next byte goes, and where its line would end */
    for (size_t at = from; at < b->len; at++) {
        if (b->data[at] == '\n') to = text;
        b->data[to++] = b->data[at];
        if (b->data[at] != ' ') text = to;
    }
    if (b->len > from) b->data[b->len = text] = 0;
}

/* Five digits of the largest score of the column, so that the points stand below each other. */
static void add_score(struct buf *b, double x, double largest, const char *sign) {
    int places = largest > 0 ? 4 - (int)floor(log10(largest)) : 4;
    if (places > 9 || places < -2) buf_printf(b, *sign ? "  %+11.4e" : "  %11.2e", x);
    else buf_printf(b, *sign ? "  %+11.*f" : "  %11.*f", places < 0 ? 0 : places, x);
}

/* has_p: the chance to be among the first is of interest. */
static void add_side_text(struct buf *b, const char *title, const struct report_ranking *r, const struct report_entry *e, size_t n,
                          int has_p) {
    size_t widest = 5;
    double largest = 0;
    char safe[256], name[32];
    for (size_t i = 0; i < n; i++) {
        text_escape(safe, sizeof safe, e[i].label);
        if (text_width(safe) > widest) widest = text_width(safe);
        largest = fmax(largest, fabs((double)e[i].score));
    }
    buf_printf(b, "\n%s\n  rank  item          ", title);
    report_add_padded(b, "label", widest);
    buf_text(b, "        score");
    if (r->has_trust) buf_text(b, "           se  sign");
    if (has_p) buf_printf(b, "  P(top %zu)", r->trust_top);
    buf_text(b, r->has_trust ? "  rank 5-95%\n" : "\n");
    for (size_t i = 0; i < n; i++) {
        item_ref_format(name, e[i].item);
        text_escape(safe, sizeof safe, e[i].label);
        buf_printf(b, "  %4zu  ", e[i].rank);
        report_add_padded(b, name, 12);
        buf_text(b, "  ");
        report_add_padded(b, safe, widest);
        add_score(b, e[i].score, largest, "+");
        if (r->has_trust) {
            add_score(b, e[i].se, largest, "");
            buf_printf(b, "  %s", e[i].is_determined ? e[i].score < 0 ? "  - " : "  + " : "  ? ");
        }
        if (has_p) buf_printf(b, "  %*.2f", r->trust_top < 10 ? 8 : r->trust_top < 100 ? 9 : 10, e[i].p_top);
        if (r->has_trust) buf_printf(b, "  %u-%u", e[i].rank_low, e[i].rank_high);
        buf_text(b, "\n");
    }
}

/* What is known of the ridge: sets of older versions have no condition. */
static void add_ridge_text(struct buf *b, const struct score_set *set) {
    char value[LAMBDA_TEXT];
    if (!isfinite(set->d_eff)) return;
    buf_printf(b, "\nridge       effective dimension %.4g", set->d_eff);
    if (set->rank) buf_printf(b, " of rank %zu", set->rank);
    if (isfinite(set->condition)) {
        lambda_format_value(value, set->condition);
        buf_printf(b, ", condition %s", value);
    }
    if (score_set_is_narrow(set)) buf_printf(b, "\nwarning     %s", report_narrow);
}

/* "first 100 (all): Ankle boot 66% (50%), Sandal 34% (50%)" */
static void add_shares_text(struct buf *b, const char *which, const struct label_shares *l) {
    enum { MOST = 8 };
    if (!l->places) return;
    buf_printf(b, "%s %zu (all): ", which, l->places);
    for (size_t i = 0; i < l->count && i < MOST; i++) {
        char name[80], safe[256], numbers[48];
        label_share_name(name, sizeof name, &l->share[i]);
        label_share_numbers(numbers, sizeof numbers, l, &l->share[i]);
        text_escape(safe, sizeof safe, name);
        buf_printf(b, "%s%s %s", i ? ", " : "", safe, numbers);
    }
    if (l->count > MOST) buf_printf(b, ", +%zu", l->count - MOST);
    buf_text(b, "\n");
}

void report_ranking_text(struct buf *b, const struct report_ranking *r) {
    char name[32], safe[256], display[METHOD_DISPLAY], value[LAMBDA_TEXT];
    enum method m = method_parse(r->set.method, NULL);
    enum loss loss = loss_parse(r->set.loss);
    size_t from = b->len;
    item_ref_format(name, r->query);
    text_escape(safe, sizeof safe, r->query_label);
    method_display(display, m, loss);
    buf_printf(b, "query       %s%s%s", name, *safe ? "  " : "", safe);
    if (r->has_seed) buf_printf(b, "  seed %llu", (unsigned long long)r->seed);
    buf_printf(b, "\nmethod      %s", display);
    if (r->set.loss[0]) buf_printf(b, "  (%s, loss %s)", r->set.method, r->set.loss);
    if (r->has_checkpoint) buf_printf(b, "\ncheckpoint  %zu%s%s  (%.4g%%)", r->step, r->network[0] ? " of " : "", r->network, r->percent);
    for (size_t i = 0; r->set.checkpoints > 1 && i < r->set.checkpoints; i++)
        buf_printf(b, "%s%zu%s", i ? ", " : "\ncheckpoints ", r->steps[i], i + 1 == r->set.checkpoints ? "  (together)" : "");
    if (r->set.k) buf_printf(b, "\nfeatures    k %zu, %zu timesteps", r->set.k, r->set.timesteps);
    if (method_has_lambda(m) && isfinite(r->set.lambda_rel)) {
        lambda_format_value(value, r->set.lambda_rel);
        buf_printf(b, "\nlambda      %s", value);
        lambda_format_value(value, r->set.lambda_abs);
        buf_printf(b, "  (abs:%s%s)", value, strcmp(r->set.lambda_spec, "auto") ? "" : ", auto");
        add_ridge_text(b, &r->set);
    }
    if (r->has_trust) {
        buf_text(b, "\nerror bars  ");
        if (r->blocks) buf_printf(b, "%zu blocks of features%s", r->blocks, r->projections ? ", " : "");
        if (r->projections) buf_printf(b, "%zu projections", r->projections);
        buf_text(b, "; sign ? is not determined, |score| below 2 se");
    }
    buf_printf(b, "\ntraining    %zu items\n", r->set.n);
    add_shares_text(b, "labels      first", &r->first);
    add_shares_text(b, "            last", &r->last);
    if (r->n_top) add_side_text(b, "proponents", r, r->top, r->n_top, r->has_trust);
    const char *lowest = r->n_bottom && r->bottom[0].score >= 0 ? "lowest scores (none is negative: no opponents)" : "opponents";
    if (r->n_bottom) add_side_text(b, lowest, r, r->bottom, r->n_bottom, 0);
    report_trim_lines(b, from);
}

/* --- JSON and CSV --- */

static void add_side_json(struct buf *b, const char *key, const struct report_ranking *r, const struct report_entry *e, size_t n) {
    char name[32];
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        item_ref_format(name, e[i].item);
        buf_printf(b, "%s{\"rank\":%zu,\"item\":\"%s\",\"label\":", i ? "," : "", e[i].rank, name);
        if (e[i].label[0]) json_add_string(b, e[i].label);
        else buf_text(b, "null");
        buf_text(b, ",\"score\":");
        json_add_float(b, e[i].score);
        if (r->has_trust) {
            buf_text(b, ",\"se\":");
            json_add_double(b, e[i].se);
            buf_printf(b, ",\"sign_determined\":%s,\"p_top\":", e[i].is_determined ? "true" : "false");
            json_add_double(b, e[i].p_top);
            buf_printf(b, ",\"rank_low\":%u,\"rank_high\":%u", e[i].rank_low, e[i].rank_high);
        }
        buf_text(b, "}");
    }
    buf_text(b, "]");
}

static void add_text_or_null(struct buf *b, const char *name, const char *text) {
    buf_printf(b, "\"%s\":", name);
    if (*text) json_add_string(b, text);
    else buf_text(b, "null");
}

void report_add_setting_json(struct buf *b, const struct report_ranking *r) {
    add_text_or_null(b, "method", r->set.method);
    buf_text(b, ",");
    add_text_or_null(b, "loss", r->set.loss);
    if (r->has_checkpoint) buf_printf(b, ",\"checkpoint\":%zu,", r->step);
    else buf_text(b, ",\"checkpoint\":null,");
    for (size_t i = 0; r->set.checkpoints > 1 && i < r->set.checkpoints; i++)
        buf_printf(b, "%s%zu%s", i ? "," : "\"checkpoints\":[", r->steps[i], i + 1 == r->set.checkpoints ? "]," : "");
    if (r->network[0]) {
        add_text_or_null(b, "network", r->network);
        buf_text(b, ",");
    }
    buf_printf(b, "\"timesteps\":%zu,\"k\":%zu,", r->set.timesteps, r->set.k);
    add_text_or_null(b, "lambda_spec", r->set.lambda_spec);
    buf_text(b, ",\"lambda\":");
    if (method_has_lambda(method_parse(r->set.method, NULL))) json_add_double(b, r->set.lambda_rel);
    else buf_text(b, "null");
}

void report_ranking_json(struct buf *b, const struct report_ranking *r) {
    char name[32];
    item_ref_format(name, r->query);
    buf_printf(b, "{\"query\":\"%s\",\"seed\":", name);
    if (r->has_seed) buf_printf(b, "%llu", (unsigned long long)r->seed);
    else buf_text(b, "null");
    buf_printf(b, ",\"items\":%zu,", r->set.n);
    report_add_setting_json(b, r);
    report_ridge_json(b, &r->set);
    if (r->has_trust)
        buf_printf(b, ",\"error_bars\":{\"blocks\":%zu,\"projections\":%zu,\"top\":%zu}", r->blocks, r->projections, r->trust_top);
    if (r->has_shares) {
        buf_printf(b, ",\"labels\":{\"places\":%zu,\"first\":", r->first.places > r->last.places ? r->first.places : r->last.places);
        label_shares_json(b, &r->first);
        buf_text(b, ",\"last\":");
        label_shares_json(b, &r->last);
        buf_text(b, "}");
    }
    add_side_json(b, "proponents", r, r->top, r->n_top);
    add_side_json(b, "opponents", r, r->bottom, r->n_bottom);
    buf_text(b, "}\n");
}

static void add_number(struct buf *b, const char *name, double value) {
    buf_printf(b, ",\"%s\":", name);
    json_add_double(b, value);   /* null when it is not known */
}

void report_ridge_json(struct buf *b, const struct score_set *set) {
    add_number(b, "lambda_abs", set->lambda_abs);
    add_number(b, "effective_dimension", set->d_eff);
    add_number(b, "condition", set->condition);
    if (set->rank) buf_printf(b, ",\"features_rank\":%zu", set->rank);
    else buf_text(b, ",\"features_rank\":null");
    buf_text(b, ",\"warning\":");
    if (score_set_is_narrow(set)) json_add_string(b, report_narrow);
    else buf_text(b, "null");
}

/* A terminal may be where it goes. */
static void add_csv_byte(struct buf *b, char c) {
    int is_control = ((unsigned char)c < 32 && !strchr("\t\r\n", c)) || c == 127;
    if (is_control) buf_printf(b, "\\x%02x", (unsigned)(unsigned char)c);
    else buf_add(b, &c, 1);
}

void report_add_csv(struct buf *b, const char *s) {
    if (!strpbrk(s, ",\"\r\n")) {
        for (; *s; s++) add_csv_byte(b, *s);
        return;
    }
    buf_text(b, "\"");
    for (; *s; s++) {
        if (*s == '"') buf_text(b, "\"");
        add_csv_byte(b, *s);
    }
    buf_text(b, "\"");
}

void report_add_csv_places(struct buf *b, const char *head, const struct report_entry *e, size_t n, enum csv_errors errors) {
    char name[32];
    for (size_t i = 0; i < n; i++) {
        item_ref_format(name, e[i].item);
        buf_printf(b, "%s,%zu,%s,", head, e[i].rank, name);
        report_add_csv(b, e[i].label);
        buf_text(b, ",");
        json_add_float(b, e[i].score);
        if (errors == CSV_ERRORS)
            buf_printf(b, ",%.6g,%d,%.4g,%u,%u", e[i].se, e[i].is_determined, e[i].p_top, e[i].rank_low, e[i].rank_high);
        else if (errors == CSV_ERRORS_EMPTY) buf_text(b, ",,,,,");
        buf_text(b, "\n");
    }
}

void report_ranking_csv(struct buf *b, const struct report_ranking *r) {
    enum csv_errors errors = r->has_trust ? CSV_ERRORS : CSV_NO_ERRORS;
    buf_printf(b, "side,rank,item,label,score%s\n", r->has_trust ? CSV_ERROR_COLUMNS : "");
    report_add_csv_places(b, "proponent", r->top, r->n_top, errors);
    report_add_csv_places(b, "opponent", r->bottom, r->n_bottom, errors);
}
