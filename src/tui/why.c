/* why.c - which keys do something now, and why the others do not: for the footer, which shows
 * the former, and for the line that answers one of the latter. */
#include "app.h"

#include "dtrak/jobs.h"

#include <string.h>

/* Reasons that pass by themselves. */
static const char still_read[] = "the scores are still being read", still_computed[] = "the scores are still being computed";

void key_scores_are_there(struct app *a) {
    if (!strcmp(a->message, still_read) || !strcmp(a->message, still_computed)) a->message[0] = 0;
}

const char *key_for(const struct app *a, enum action k) { return a->keys.name[k]; }

/* A reason that ends with what a key does; valid until the next one. */
static const char *with_key(const struct app *a, const char *why, enum action k, const char *does) {
    static char text[200];
    snprintf(text, sizeof text, "%s%s %s", why, key_for(a, k), does);
    return text;
}

static const char *unless(int holds, const char *why) { return holds ? NULL : why; }

static const char *no_job(const struct app *a) {
    return a->jobs ? NULL : a->why_read_only[0] ? a->why_read_only : "nothing can be computed here";
}

static const char *why_not_setting(const struct app *a, enum action k) {
    const struct setting *t = &a->setting;
    switch (k) {
    case ACT_loss_next: case ACT_loss_back: return unless(method_has_loss(t->method), "this method has no loss function");
    case ACT_ckpt_next: case ACT_ckpt_back:
        if (!method_has_checkpoint(t->method)) return "this method uses no single checkpoint";
        return unless(a->catalog.checkpoints.count > 1, "there is only one checkpoint");
    case ACT_lambda_up: case ACT_lambda_down: return unless(method_has_lambda(t->method), "this method has no ridge, so no lambda");
    case ACT_recompute:
        if (no_job(a)) return no_job(a);
        if (!a->has_query) return "there is no item to rank for";
        if (a->row.state == ROW_STORED || a->row.state == ROW_LIVE) return "this setting is computed already";
        if (!method_is_direct(t->method)) return "this method is computed by dtrak score";
        return unless(!setting_is_asked(a), "it is being computed");
    default: return unless(a->row.n > 0, a->row.state == ROW_WAITING ? still_computed : "there are no scores of this setting");
    }
}

static const char *why_not_set(const struct app *a, enum action k) {
    if (k == ACT_set_next) return unless(a->set.lists.count > 0, "there are no saved lists");
    if (k == ACT_set_retrain && no_job(a)) return no_job(a);
    if (a->set.tiles.n == 0) return "there are no items in this list";
    if (k == ACT_set_retrain) return unless(a->has_query && a->query.split == SPLIT_GEN, "only a generated item can be generated again");
    return NULL;
}

static const char *why_not_marked(const struct app *a, enum action k) {
    const struct screen *s = app_top(a);
    static const char nothing[] = "nothing is selected here";
    if (k == ACT_reverse && s == &screen_detail) return unless(a->detail.ref.split == SPLIT_TRAIN, "only training items support others");
    if (s == &screen_overall && a->overall.tiles.n == 0) return nothing;
    if (s == &screen_set && a->set.tiles.n == 0) return nothing;
    return unless(k != ACT_reverse || s != &screen_ranking || a->row.n > 0, nothing);
}

/* Is there an LDS of the split that the evaluation screen is on? */
static int is_measured(const struct app *a) {
    for (size_t i = 0; i < a->catalog.scores.count; i++)
        if (a->catalog.measured[i].has && a->catalog.scores.set[i].split == a->evaluation.split) return 1;
    return 0;
}

/* Of a page that a survey fills; part: how far it is, below 0 when nothing is being read. */
static const char *no_tiles(const struct tiles *t, int stale, double part, const char *why) {
    return unless(t->n > 0, stale || part >= 0 ? still_read : why);
}

static const char *why_not_here(const struct app *a, enum action k) {
    static const char one_split[] = "there are items of one split only", nothing_measured[] = "nothing is measured here yet";
    int both = a->catalog.count[SPLIT_VAL] && a->catalog.count[SPLIT_GEN];
    switch (k) {
    case ACT_eval_run: return no_job(a) ? no_job(a) : unless(!a->evaluation.pairs, with_key(a, "the pictures are not measured; ", ACT_eval_pairs, "shows the LDS"));
    case ACT_eval_boxes: 
        return unless(a->evaluation.pairs && a->pairs.rows > 0, with_key(a, "box plots are of counterfactual pictures: ", ACT_eval_pairs, "shows those"));
    case ACT_eval_split: case ACT_eval_kind: case ACT_eval_sort:
        if (a->evaluation.pairs) return with_key(a, "the pictures have no such choice; ", ACT_eval_pairs, "shows the LDS");
        return unless(k == ACT_eval_split || is_measured(a), nothing_measured);
    case ACT_eval_open:
        return a->evaluation.pairs ? unless(a->pairs.rows > 0, "there are no counterfactual pictures") : unless(is_measured(a), nothing_measured);
    case ACT_self_outlier: return unless(a->self.list.study.outliers > 0, "no item stands out beyond the threshold");
    case ACT_self_zoom: case ACT_self_sort: return unless(a->self.list.n > 0, "there are no values of this setting");
    case ACT_self_ckpt: case ACT_self_ckpt_back: return unless(a->catalog.checkpoints.count > 1, "there is only one checkpoint");
    case ACT_resume: return no_job(a) ? no_job(a) : unless(a->job.list.count > 0, "there are no jobs");
    case ACT_open: case ACT_gallery_sort: return unless(a->gallery.count > 0, "there is no item here");
    case ACT_split: case ACT_reverse_query: return unless(both, one_split);
    case ACT_reverse_side:
        if (a->reverse.stale || a->reverse.part >= 0) return NULL;   /* they will be those of the other side */
        return unless(a->reverse.tiles.n > 0, "there are no scores of it");
    case ACT_reverse_open: return no_tiles(&a->reverse.tiles, a->reverse.stale, a->reverse.part, "there are no scores of it");
    case ACT_overall_sort: case ACT_overall_open:
        return no_tiles(&a->overall.tiles, a->overall.stale, a->overall.part, "there are no scores of this setting");
    case ACT_other_queries: return unless(a->row.set.id != 0 && a->detail.ref.split == SPLIT_TRAIN, "there are no scores of other queries for it");
    default: return NULL;
    }
}

/* Are there items where this screen looks for them?  Training items need no query. */
static int is_listing(const struct app *a) {
    const struct screen *s = app_top(a);
    if (s == &screen_set) return a->set.tiles.n > 0;
    if (s == &screen_self) return a->self.list.n > 0;
    return a->has_query;
}

const char *key_why_not(const struct app *a, enum action k) {
    struct jobs_now now;
    switch (k) {
    case ACT_loss_next: case ACT_loss_back: case ACT_ckpt_next: case ACT_ckpt_back: case ACT_lambda_up: case ACT_lambda_down:
    case ACT_recompute: case ACT_detail: case ACT_pane: return why_not_setting(a, k);
    case ACT_set_save: case ACT_set_clear: case ACT_set_open: case ACT_set_retrain: case ACT_set_next: return why_not_set(a, k);
    case ACT_mark: case ACT_note: case ACT_reverse: return why_not_marked(a, k);
    case ACT_cancel:
        now = jobs_snapshot(a->jobs);
        if (a->exporting.task) return NULL;
        return no_job(a) ? no_job(a) : unless(now.id || now.queued, "no job is running");
    case ACT_self_compute: return no_job(a);
    case ACT_generate:
        if (no_job(a)) return no_job(a);
        if (a->catalog.checkpoints.count == 0) return "there is no checkpoint yet: dtrak train makes them";
        return unless(!a->generate.pending, "one is being generated already");
    case ACT_query_back: case ACT_query_next:
        if (!a->has_query) return "there are no generated or held-out items";
        return unless(a->catalog.count[a->query.split] > 1, "there is only one item");
    case ACT_search: case ACT_search_next: case ACT_search_back: case ACT_filter: return unless(is_listing(a), "there are no items to look through");
    default: return why_not_here(a, k);
    }
}
