/* feature_paths.c - sampling paths, made again from the seeds. */
#include "feature_paths.h"

#include "dtrak/mem.h"
#include "dtrak/sampler.h"
#include "dtrak/text.h"

#include <string.h>

enum { BATCH = 8 };

/* --- which items have one --- */

static enum status check_item(const struct item *item, const struct item *first) {
    if (!item->checkpoint || !item->sampler || strcmp(item->sampler, "ddim") != 0 || !item->steps)
        return fail(ERR_MISSING, "gen:%zu has no sampling path: it was not made by dtrak sample from a checkpoint that is still "
                    "here", item->index);
    if (item->steps != first->steps)
        return fail(ERR_RANGE, "gen:%zu was sampled in %zu steps, gen:%zu in %zu; features along the path need the same number "
                    "for all", item->index, item->steps, first->index, first->steps);
    return OK;
}

enum status feature_paths_steps(struct store *s, size_t *steps) {
    struct item first = { .steps = 0 };
    size_t count;
    TRY(store_items_count(s, SPLIT_GEN, &count));
    if (!count) {
        char db[1024];
        text_shell_word(db, sizeof db, store_path(s));
        return fail(ERR_MISSING, "there are no generated items; make some with: dtrak sample %s --count 16", db);
    }
    for (size_t at = 0; at < count; at += 256) {
        struct item_list l;
        TRY(store_items_read(s, SPLIT_GEN, at, 256, &l));
        enum status st = OK;
        if (!at && l.count) first = l.item[0];
        for (size_t i = 0; i < l.count && st == OK; i++) st = check_item(&l.item[i], &first);
        item_list_free(&l);
        TRY(st);
    }
    *steps = first.steps;
    return OK;
}

/* --- a checkpoint --- */

void feature_paths_close(struct feature_paths *f) {
    for (size_t i = 0; f->works && i < pool_threads(f->pool); i++) unet_work_free(f->works[i]);
    mem_free(f->works);
    mem_free(f->x);
    mem_free(f->eps);
    mem_free(f->noise);
    stored_network_close(&f->net);
    f->works = NULL;
    f->x = f->eps = f->noise = NULL;
    f->checkpoint = 0;
}

static enum status open_network(struct feature_paths *f, const struct checkpoint *c) {
    size_t threads = pool_threads(f->pool), floats = threads * BATCH * items_floats(f->project);
    TRY(stored_network_open(&f->net, f->s, c, 0));
    TRY(stored_network_fits(&f->net, f->project));
    if (f->steps > schedule_steps(f->net.schedule) || schedule_steps(f->net.schedule) % f->steps)
        return fail(ERR_RANGE, "items sampled in %zu steps, checkpoint %zu has %zu", f->steps, c->step,
                    schedule_steps(f->net.schedule));
    f->works = mem_array(threads, sizeof *f->works);
    f->x = mem_array(floats, sizeof *f->x);
    f->eps = mem_array(floats, sizeof *f->eps);
    f->noise = mem_array(floats, sizeof *f->noise);
    if (!f->works || !f->x || !f->eps || !f->noise) return fail(ERR_NOMEM, "features: out of memory for sampling paths");
    for (size_t i = 0; i < threads; i++) TRY(unet_work_new(&f->works[i], f->net.u, BATCH, 0, f->cancel));
    f->checkpoint = c->id;
    return OK;
}

static enum status need_network(struct feature_paths *f, int64_t checkpoint) {
    struct checkpoint_list l;
    if (f->checkpoint == checkpoint) return OK;
    feature_paths_close(f);
    TRY(store_checkpoints_list(f->s, &l));
    enum status st = fail(ERR_MISSING, "the checkpoint that an item was sampled from is not here any more");
    for (size_t i = 0; i < l.count; i++)
        if (l.checkpoint[i].id == checkpoint) st = open_network(f, &l.checkpoint[i]);
    checkpoint_list_free(&l);
    return st;
}

/* --- paths --- */

/* Items that one network samples at one eta. */
struct run { struct feature_paths *f; const struct item *item; size_t count; float *out; };

static void one_batch(void *ctx, size_t piece, size_t thread) {
    struct run *r = ctx;
    struct feature_paths *f = r->f;
    size_t D = items_floats(f->project), first = piece * BATCH, B = r->count - first < BATCH ? r->count - first : BATCH;
    size_t at = thread * BATCH * D;
    uint64_t seeds[BATCH];
    struct sampler_settings o = { f->net.schedule, f->steps, r->item[0].eta };
    for (size_t b = 0; b < B; b++) seeds[b] = r->item[first + b].seed;
    sampler_path(f->works[thread], f->net.weights, &o, f->x + at, f->eps + at, f->noise + at, seeds, B, D,
                 r->out + first * f->steps * D);
}

static int same_sampler(const struct item *a, const struct item *b) {
    return a->checkpoint == b->checkpoint && !(a->eta < b->eta) && !(a->eta > b->eta);
}

enum status feature_paths_load(struct feature_paths *f, size_t first, size_t count, float *out) {
    struct item_list l;
    size_t D = items_floats(f->project);
    TRY(store_items_read(f->s, SPLIT_GEN, first, count, &l));
    enum status st = l.count == count ? OK : fail(ERR_MISSING, "there is no item gen:%zu", first + l.count);
    for (size_t i = 0, n; i < l.count && st == OK; i += n) {
        struct run r = { f, &l.item[i], 0, out + i * f->steps * D };
        for (n = 1; i + n < l.count && same_sampler(&l.item[i], &l.item[i + n]);) n++;
        r.count = n;
        st = need_network(f, l.item[i].checkpoint);
        if (st == OK) pool_run(f->pool, (n + BATCH - 1) / BATCH, one_batch, &r);
    }
    item_list_free(&l);
    return st;
}
