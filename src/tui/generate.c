/* generate.c - the + key: a new image from the chosen checkpoint, made in the background,
 * attributed with the present setting, and shown. */
#include "app.h"

#include "dtrak/offer.h"

#include <string.h>

/* 1, or it is said why not. */
static int may_generate(struct app *a) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->setting.checkpoint);
    char weights[OFFER_WEIGHTS];
    if (c) offer_weights(weights, c);
    if (!a->jobs) app_say(a, STYLE_WARN, "%s", a->why_read_only);
    else if (!c) app_say(a, STYLE_WARN, "there is no checkpoint to generate from: dtrak train makes them");
    else if (weights[0]) app_say(a, STYLE_WARN, "%s", weights);
    else if (a->generate.pending)
        app_say(a, STYLE_WARN, "a new image is being made already: %s shows it, %s stops it", key_for(a, ACT_jobs), key_for(a, ACT_cancel));
    else return 1;
    return 0;
}

void generate_new(struct app *a) {
    const struct checkpoint *c = catalog_checkpoint(&a->catalog, a->setting.checkpoint);
    struct sample_options o = SAMPLE_DEFAULTS;
    char step[CHECKPOINT_OPTION];

    if (!may_generate(a)) return;
    if (store_seed_unused(a->store, &o.seed) != OK) { app_say(a, STYLE_ERROR, "%s", fail_reason()); return; }
    if (a->has_query && a->query.split == SPLIT_GEN && facts_of(a, a->query)->steps) o.steps = facts_of(a, a->query)->steps;
    checkpoint_spell(step, c);
    o.count = 1;
    o.checkpoint = step;
    if (jobs_add_sample(a->jobs, &o) != OK) { app_say(a, STYLE_ERROR, "%s", fail_reason()); return; }
    a->generate.pending = 1;
    a->generate.checkpoint = c->id;
    a->generate.seed = o.seed;
    a->generate.steps = o.steps;
    int scores = setting_compute_new(a);
    if (scores < 0) { app_say(a, STYLE_ERROR, "%s", fail_reason()); return; }
    app_say(a, STYLE_GOOD, scores ? "queued: an image from seed %llu at step %zu, and its scores; it shows when it is made"
                                  : "queued: an image from seed %llu at step %zu; its scores need features that are not stored: %s makes them",
            (unsigned long long)o.seed, c->step, key_for(a, ACT_recompute));
}

/* A job has ended: the new item, when that was it. */
void generate_news(struct app *a) {
    size_t index;
    struct place before = history_here(a);
    if (!a->generate.pending) return;
    enum status st = store_item_find_generated(a->store, a->generate.checkpoint, a->generate.seed, "ddim", a->generate.steps, 0, &index);
    if (st == OK) {
        a->generate.pending = 0;
        app_set_query(a, (struct item_ref){ SPLIT_GEN, index });
        if (app_top(a) == &screen_gallery || app_top(a) == &screen_ranking) app_show(a, &screen_ranking);
        history_note(a, &before, 0);
    } else if (!jobs_busy(a->jobs)) {
        a->generate.pending = 0;      /* it failed or was stopped: the job's message says so */
    }
}
