/* self.c - the training items by self-influence, with what explains it. */
#include "dtrak/report.h"

#include "parts.h"

#include "dtrak/json.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/offer_scores.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which numbers --- */

static int is_of_loss(const char *key, const char *loss) {
    size_t len = strlen(loss);
    return strncmp(key, loss, len) == 0 && (key[len] == ' ' || key[len] == 0);
}

static size_t timesteps_of(const char *key) {
    const char *t = strstr(key, " t");   /* "square t100 k4096 ..", "timesteps 100 uniform, .." */
    if (!strncmp(key, "timesteps ", 10)) return (size_t)strtoul(key + 10, NULL, 10);
    return t ? (size_t)strtoul(t + 2, NULL, 10) : 0;
}

/* The set of a name with the most timesteps, of that loss ("" any; square is preferred); *rank, SIZE_MAX to begin with, is
 * that of the one before, and the next best is found. */
static const struct stat_set *best_set(const struct stat_set_list *l, const char *name, const char *loss, int64_t checkpoint,
                                       size_t *rank_before) {
    const struct stat_set *best = NULL;
    size_t best_rank = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct stat_set *x = &l->set[i];
        if (strcmp(x->name, name) != 0 || x->split != SPLIT_TRAIN || x->checkpoint != checkpoint) continue;
        if (loss[0] && !is_of_loss(x->key, loss)) continue;
        size_t rank = 1 + 2 * timesteps_of(x->key) + (is_of_loss(x->key, "square") ? 1u << 20 : 0) + (strstr(x->key, "lambda auto") != NULL);
        rank = rank * (l->count + 1) + l->count - i;   /* no two alike, the older one first */
        if (rank < *rank_before && rank > best_rank) {
            best = x;
            best_rank = rank;
        }
    }
    *rank_before = best_rank;
    return best;
}

static enum status read_column(struct store *s, const struct stat_set *set, size_t n, double *out, size_t *present) {
    struct stat_key key = { set->name, set->key, set->checkpoint, SPLIT_TRAIN };
    return store_stat_get(s, &key, 0, n, out, present);
}

/* The best column of that name that is whole; *has says whether there is one. */
static enum status read_optional(struct store *s, const struct stat_set_list *l, const char *name, int64_t checkpoint,
                                 size_t n, double *out, int *has) {
    size_t present = 0, rank = SIZE_MAX;
    const struct stat_set *set;
    *has = 0;
    while (!*has && (set = best_set(l, name, "", checkpoint, &rank))) {
        TRY(read_column(s, set, n, out, &present));
        *has = present == n;
    }
    return OK;
}

/* --- loading --- */

struct columns {
    double *score, *loss, *distance, *neighbour;   /* neighbour: [3][n] */
    int *label;
    uint32_t *outlier;
    int has_loss, has_distance;
    size_t neighbours;
};

static void columns_free(struct columns *c) {
    mem_free(c->score);
    mem_free(c->loss);
    mem_free(c->distance);
    mem_free(c->neighbour);
    mem_free(c->label);
    mem_free(c->outlier);
}

static enum status read_columns(struct columns *c, struct store *s, const struct stat_set_list *l, int64_t checkpoint, size_t n) {
    c->loss = mem_array(n, sizeof *c->loss);
    c->distance = mem_array(n, sizeof *c->distance);
    c->neighbour = mem_array(3 * n, sizeof *c->neighbour);
    c->label = mem_array(n, sizeof *c->label);
    c->outlier = mem_array(n, sizeof *c->outlier);
    if (!c->loss || !c->distance || !c->neighbour || !c->label || !c->outlier)
        return fail(ERR_NOMEM, "self-influence: out of memory");
    TRY(read_optional(s, l, "train_loss", checkpoint, n, c->loss, &c->has_loss));
    TRY(read_optional(s, l, "neighbour_distance", 0, n, c->distance, &c->has_distance));
    for (int has = 1; has && c->neighbours < 3;) {
        char name[32];
        snprintf(name, sizeof name, "neighbour_%zu", c->neighbours + 1);
        TRY(read_optional(s, l, name, 0, n, c->neighbour + c->neighbours * n, &has));
        c->neighbours += (size_t)has;
    }
    return store_labels_read(s, SPLIT_TRAIN, c->label, n);
}

static enum status study(struct report_self *r, const struct columns *c) {
    int labelled = 0;
    for (size_t i = 0; i < r->n; i++) labelled |= c->label[i] >= 0;
    struct selfstudy_input in = { r->n, c->score, c->has_loss ? c->loss : NULL, c->has_distance ? c->distance : NULL,
                                  labelled ? c->label : NULL };
    return selfstudy_run(&r->study, c->outlier, &in, SELFSTUDY_SPREADS);
}

static double sort_value(const struct report_self_item *x, enum report_self_order order) {
    double v = order == SELF_BY_LOSS ? x->loss : order == SELF_BY_DISTANCE ? x->distance : x->score;
    return isnan(v) ? -INFINITY : v;
}

/* Larger first, then the lower index. */
static int compare(const void *a, const void *b, enum report_self_order order) {
    const struct report_self_item *x = a, *y = b;
    double u = sort_value(x, order), v = sort_value(y, order);
    if (u > v || u < v) return u > v ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}
/* Labels in order, the unlabelled last; within one by score. */
static int by_label(const void *a, const void *b) {
    const struct report_self_item *x = a, *y = b;
    if (x->label != y->label) return x->label < 0 ? 1 : y->label < 0 || x->label < y->label ? -1 : 1;
    return compare(a, b, SELF_BY_SCORE);
}
static int by_score(const void *a, const void *b) { return compare(a, b, SELF_BY_SCORE); }
static int by_loss(const void *a, const void *b) { return compare(a, b, SELF_BY_LOSS); }
static int by_distance(const void *a, const void *b) { return compare(a, b, SELF_BY_DISTANCE); }

void report_self_sort(struct report_self *r, enum report_self_order order) {
    static int (*const by[SELF_ORDERS])(const void *, const void *) = { by_score, by_loss, by_distance, by_label };
    if (r->n) qsort(r->item, r->n, sizeof *r->item, by[order]);
}

static enum status fill(struct report_self *r, struct store *s, const struct columns *c, enum report_self_order order) {
    struct label_list labels = { 0 };
    TRY(store_labels_list(s, &labels));
    for (size_t i = 0; i < r->n; i++) {
        struct report_self_item *x = &r->item[i];
        *x = (struct report_self_item){ .item = i, .label = c->label[i], .score = c->score[i], .neighbours = c->neighbours,
                                        .loss = c->has_loss ? c->loss[i] : NAN,
                                        .distance = c->has_distance ? c->distance[i] : NAN };
        for (size_t k = 0; k < c->neighbours; k++) x->neighbour[k] = (size_t)c->neighbour[k * r->n + i];
        for (size_t k = 0; k < labels.count; k++)
            if (labels.label[k].label == x->label) snprintf(x->label_name, sizeof x->label_name, "%s", labels.label[k].name);
    }
    for (size_t i = 0; i < r->study.outliers; i++) r->item[c->outlier[i]].outlier = 1;
    report_self_sort(r, order);
    label_list_free(&labels);
    return OK;
}

/* Any query does: the training items are ranked for it as well. */
static enum status explain_missing(const struct report_self *r, struct store *s, const char *loss, const struct checkpoint *c) {
    char db[1024], weights[OFFER_WEIGHTS], command[OFFER_COMMAND] = "", of[48] = "";
    struct offer_scores scores;
    struct offer_features want = { .checkpoint = c, .loss = loss ? loss_parse(loss) : LOSS_SQUARE };
    struct item_ref query = { SPLIT_GEN, 0 };
    size_t made;
    TRY(store_items_count(s, SPLIT_GEN, &made));
    if (!made) query.split = SPLIT_VAL;
    TRY(offer_scores_find(&scores, s, &want, query));
    offer_weights(weights, c);
    if (loss) snprintf(of, sizeof of, " of loss %s", loss);
    if (!scores.there && weights[0])
        return fail(ERR_MISSING, "no self-influence%s %s %s, and %s", of, r->network[0] ? "of" : "at", r->checkpoint, weights);
    if (!scores.there) TRY(offer_features_command(command, s, &want));
    text_shell_word(db, sizeof db, store_path(s));
    return fail(ERR_MISSING, "no self-influence%s %s %s; make it with: %s%sdtrak score %s --method trak --loss %s --checkpoint %s --self%s", of,
                r->network[0] ? "of" : "at", r->checkpoint, command, command[0] ? " && " : "", db, loss_name(want.loss), r->option, scores.queries);
}

static enum status find_leverages(struct report_self *r, struct store *s, const struct stat_set_list *l, const char *loss,
                                  const struct checkpoint *checkpoint, struct columns *c) {
    size_t present = 0, rank = SIZE_MAX;
    if (loss && loss_parse(loss) == LOSS_COUNT)
        return fail(ERR_USAGE, "'%s' is not a loss; simple elbo square avg l1 l2 linf are", loss);
    const struct stat_set *set;
    c->score = mem_array(r->n ? r->n : 1, sizeof *c->score);
    if (!c->score) return fail(ERR_NOMEM, "self-influence: out of memory");
    while ((set = best_set(l, "self_influence", loss ? loss : "", checkpoint->id, &rank))) {
        TRY(read_column(s, set, r->n, c->score, &present));
        if (present == r->n) break;
    }
    if (!set || present < r->n || !r->n) return explain_missing(r, s, loss, checkpoint);
    snprintf(r->key, sizeof r->key, "%s", set->key);
    snprintf(r->loss, sizeof r->loss, "%.*s", (int)strcspn(set->key, " "), set->key);
    return OK;
}

/* An order by numbers that nobody has is none. */
static enum status check_order(const struct report_self *r, struct store *s, const struct checkpoint *k, const struct columns *c,
                               enum report_self_order order) {
    char db[1024], weights[OFFER_WEIGHTS], command[OFFER_COMMAND];
    struct offer_features want = { .checkpoint = k, .loss = LOSS_SIMPLE };
    text_shell_word(db, sizeof db, store_path(s));
    if (order == SELF_BY_LOSS && !c->has_loss) {
        offer_weights(weights, k);
        TRY(offer_features_command(command, s, &want));
        return fail(ERR_MISSING, "no losses of the training items %s %s to sort by%s%s%s", r->network[0] ? "of" : "at", r->checkpoint,
                    weights[0] ? ", and " : "; make them, with features, with: ", weights[0] ? weights : command, weights[0] ? "" : " --split train");
    }
    if (order == SELF_BY_DISTANCE && !c->has_distance && r->n > 1)
        return fail(ERR_MISSING, "no distances of the training items to sort by; dtrak self %s without --no-neighbours finds them", db);
    return OK;
}

enum status report_self_load(struct report_self *out, struct store *s, const char *loss, const char *checkpoint,
                             enum report_self_order order) {
    enum status st;
    struct checkpoint_list k = { 0 };
    struct stat_set_list l = { 0 };
    struct columns c = { 0 };
    memset(out, 0, sizeof *out);
    TRY_TO(store_checkpoints_resolve(s, checkpoint, &k));
    if (k.count != 1) {
        st = fail(ERR_USAGE, "self-influence is of one checkpoint; '%s' names %zu", checkpoint ? checkpoint : "last", k.count);
        goto done;
    }
    out->step = k.checkpoint[0].step;
    checkpoint_network(out->network, &k.checkpoint[0]);
    checkpoint_words(out->checkpoint, &k.checkpoint[0]);
    checkpoint_option(out->option, &k.checkpoint[0]);
    TRY_TO(store_items_count(s, SPLIT_TRAIN, &out->n));
    TRY_TO(store_stats_names(s, &l));
    TRY_TO(find_leverages(out, s, &l, loss, &k.checkpoint[0], &c));
    TRY_TO(read_columns(&c, s, &l, k.checkpoint[0].id, out->n));
    TRY_TO(check_order(out, s, &k.checkpoint[0], &c, order));
    out->item = mem_array(out->n, sizeof *out->item);
    if (!out->item) {
        st = fail(ERR_NOMEM, "self-influence: out of memory");
        goto done;
    }
    TRY_TO(study(out, &c));
    st = fill(out, s, &c, order);
done:
    columns_free(&c);
    stat_set_list_free(&l);
    checkpoint_list_free(&k);
    if (st != OK) report_self_free(out);
    return st;
}

void report_self_free(struct report_self *r) {
    mem_free(r->item);
    memset(r, 0, sizeof *r);
}

/* --- text --- */

static size_t shown(const struct report_self *r, size_t top) { return top && top < r->n ? top : r->n; }

static void add_correlation(struct buf *b, const char *what, double x) {
    if (isfinite(x)) buf_printf(b, "%s %+.3f  ", what, x);
}

void report_self_text(struct buf *b, const struct report_self *r, size_t top) {
    const struct selfstudy *y = &r->study;
    size_t widest = 5, from = b->len;
    char safe[256], name[32];
    for (size_t i = 0; i < shown(r, top); i++) {
        text_escape(safe, sizeof safe, r->item[i].label_name);
        if (text_width(safe) > widest) widest = text_width(safe);
    }
    buf_printf(b, "self-influence  %s %s %s, %zu training items\n", r->key, r->network[0] ? "of" : "at", r->checkpoint, r->n);
    buf_printf(b, "median %.4f  MAD %.4f  outliers above %.4f: %zu\n", y->median, y->mad, y->threshold, y->outliers);
    if (isfinite(y->with_loss) || isfinite(y->with_distance)) {
        buf_text(b, "Spearman with ");
        add_correlation(b, "training loss", y->with_loss);
        add_correlation(b, "distance to the nearest", y->with_distance);
        buf_text(b, "\n");
    }
    if (y->labels > 1) buf_printf(b, "variance of ranks between the %zu labels: %.1f%%\n", y->labels, 100 * y->with_label);
    buf_text(b, "\n   rank  item          ");
    report_add_padded(b, "label", widest);
    buf_text(b, "  self-infl.   loss     distance  nearest\n");
    for (size_t i = 0; i < shown(r, top); i++) {
        const struct report_self_item *x = &r->item[i];
        snprintf(name, sizeof name, "train:%zu", x->item);
        text_escape(safe, sizeof safe, x->label_name);
        buf_printf(b, " %s %4zu  ", x->outlier ? "*" : " ", i + 1);
        report_add_padded(b, name, 12);
        buf_text(b, "  ");
        report_add_padded(b, safe, widest);
        buf_printf(b, "  %10.5f", x->score);
        if (isfinite(x->loss)) buf_printf(b, "  %7.4f", x->loss);
        else buf_text(b, "        -");
        if (isfinite(x->distance)) buf_printf(b, "  %8.4f", x->distance);
        else buf_text(b, "         -");
        for (size_t k = 0; k < x->neighbours; k++) buf_printf(b, "%strain:%zu", k ? " " : "  ", x->neighbour[k]);
        buf_text(b, "\n");
    }
    report_trim_lines(b, from);
}

/* --- JSON and CSV --- */

static void add_field(struct buf *b, const char *name, double x) {
    buf_printf(b, ",\"%s\":", name);
    json_add_double(b, x);
}

void report_self_json(struct buf *b, const struct report_self *r, size_t top) {
    const struct selfstudy *y = &r->study;
    buf_text(b, "{\"loss\":");
    json_add_string(b, r->loss);
    buf_text(b, ",\"features\":");
    json_add_string(b, r->key);
    buf_printf(b, ",\"checkpoint\":%zu", r->step);
    if (r->network[0]) buf_text(b, ",\"network\":");
    if (r->network[0]) json_add_string(b, r->network);
    buf_printf(b, ",\"items\":%zu,\"outliers\":%zu", r->n, y->outliers);
    add_field(b, "median", y->median);
    add_field(b, "mad", y->mad);
    add_field(b, "threshold", y->threshold);
    add_field(b, "spearman_loss", y->with_loss);
    add_field(b, "spearman_distance", y->with_distance);
    add_field(b, "between_labels", y->with_label);
    buf_text(b, ",\"train\":[");
    for (size_t i = 0; i < shown(r, top); i++) {
        const struct report_self_item *x = &r->item[i];
        buf_printf(b, "%s{\"item\":\"train:%zu\",\"label\":", i ? "," : "", x->item);
        if (x->label_name[0]) json_add_string(b, x->label_name);
        else if (x->label >= 0) json_add_int(b, x->label);
        else buf_text(b, "null");
        add_field(b, "self_influence", x->score);
        add_field(b, "train_loss", x->loss);
        add_field(b, "distance", x->distance);
        buf_printf(b, ",\"outlier\":%s,\"nearest\":[", x->outlier ? "true" : "false");
        for (size_t k = 0; k < x->neighbours; k++) buf_printf(b, "%s\"train:%zu\"", k ? "," : "", x->neighbour[k]);
        buf_text(b, "]}");
    }
    buf_text(b, "]}\n");
}

static void add_number_csv(struct buf *b, double x) {
    buf_text(b, ",");
    if (isfinite(x)) json_add_double(b, x);
}

void report_self_csv(struct buf *b, const struct report_self *r, size_t top) {
    buf_text(b, "rank,item,label,self_influence,train_loss,distance,outlier,nearest\n");
    for (size_t i = 0; i < shown(r, top); i++) {
        const struct report_self_item *x = &r->item[i];
        buf_printf(b, "%zu,train:%zu,", i + 1, x->item);
        report_add_csv(b, x->label_name);
        add_number_csv(b, x->score);
        add_number_csv(b, x->loss);
        add_number_csv(b, x->distance);
        buf_printf(b, ",%d,", x->outlier);
        if (x->neighbours) buf_printf(b, "train:%zu", x->neighbour[0]);
        buf_text(b, "\n");
    }
}
