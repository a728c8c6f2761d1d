/* ranking_missing.c - why there is no ranking, with the commands after which there is one. */
#include "ranking_missing.h"

#include "dtrak/offer_scores.h"

#include <stdio.h>

/* Scores along the sampling path are of generated items. */
static enum status check_split(const struct ranking_wanted *w, const struct report_request *r) {
    char display[METHOD_DISPLAY];
    method_display(display, w->method, w->loss);
    if (w->method == METHOD_JOURNEY && r->query.split != SPLIT_GEN)
        return fail(ERR_MISSING, "%s scores are of generated items, along the path that they were sampled by; %s items have none", display,
                    split_name(r->query.split));
    return OK;
}

/* Into b the commands, or into why the reason why there are none. */
static enum status add_commands(struct buf *b, char why[OFFER_WHY], struct store *s, const struct ranking_wanted *w, const struct report_request *r) {
    struct checkpoint_list l;
    struct offer_wanted want = { .method = w->method, .loss = w->loss, .timesteps = r->timesteps, .k = r->k, .lambda = w->lambda, .query = r->query };
    if (w->checkpoint < 0) want.several = w->named > 1 ? r->checkpoint : "all";
    TRY(store_checkpoints_list(s, &l));
    for (size_t i = 0; i < l.count && w->checkpoint > 0; i++)
        if (l.checkpoint[i].id == w->checkpoint) want.checkpoint = &l.checkpoint[i];
    enum status st = offer_scores_commands(b, why, s, &want);
    checkpoint_list_free(&l);
    return st;
}

enum status ranking_explain_missing(struct store *s, const struct ranking_wanted *w, const struct report_request *r, int others_are_there) {
    char display[METHOD_DISPLAY], at[112] = "", of[32], why[OFFER_WHY];
    struct buf b = BUF_INIT;
    TRY(check_split(w, r));
    method_display(display, w->method, w->loss);
    if (w->checkpoint > 0) snprintf(at, sizeof at, " %s %s", w->of->network[0] ? "of" : "at", w->of->checkpoint);
    if (w->checkpoint < 0) snprintf(at, sizeof at, " over several checkpoints");
    if (others_are_there) item_ref_format(of, r->query);
    else snprintf(of, sizeof of, "%s items", split_name(r->query.split));
    if (r->no_offer) return fail(ERR_MISSING, "no scores of %s%s for %s", display, at, of);
    enum status st = add_commands(&b, why, s, w, r);
    if (st == OK)
        st = fail(ERR_MISSING, "no scores of %s%s for %s%s%s%s%s", display, at, of, w->lambda[0] ? " with lambda " : "", w->lambda,
                  why[0] ? ", and " : "; make them with: ", why[0] ? why : b.data);
    buf_free(&b);
    return st;
}

enum status ranking_explain_ensemble(struct store *s, const struct ranking_wanted *w, const struct report_request *r) {
    char why[OFFER_WHY];
    struct buf b = BUF_INIT;
    TRY(check_split(w, r));
    enum status st = add_commands(&b, why, s, w, r);
    if (st == OK)
        st = fail(ERR_USAGE, "a ranking is of one checkpoint; '%s' names %zu, and there is no ensemble of them%s%s", r->checkpoint, w->named,
                  why[0] ? ": " : "; make one with: ", why[0] ? why : b.data);
    buf_free(&b);
    return st;
}
