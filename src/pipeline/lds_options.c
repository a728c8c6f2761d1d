/* lds_options.c - options read back from protocols, and tried: what is offered gives the same protocols again. */
#include "lds_options.h"

#include "lds_protocol.h"

#include "dtrak/buf.h"
#include "dtrak/json.h"
#include "dtrak/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- back from text --- */

static size_t read_size(const struct json *in, const char *name) {
    int64_t x = json_int(json_get(in, name), 0);
    return x > 0 && x <= 1000000000 ? (size_t)x : 0;
}

static enum status read_train(struct lds_options *o, const char *text) {
    struct json_doc *doc;
    TRY(json_parse(&doc, text, strlen(text), "the train protocol"));
    const struct json *draw = json_get(json_root(doc), "draw"), *train = json_get(json_root(doc), "train");
    const char *same = json_string(json_get(train, "same"), "");
    o->alpha = json_number(json_get(draw, "alpha"), o->alpha);
    o->stratified = json_bool(json_get(draw, "stratified"), 1);
    o->draw_seed = (uint64_t)json_int(json_get(draw, "seed"), 0);
    o->same_epochs = strcmp(same, "steps") != 0;
    if (!strcmp(same, "given")) o->steps = read_size(train, "steps");
    o->batch = read_size(train, "batch");
    o->lr = json_number(json_get(train, "lr"), 0);
    json_free(doc);
    return OK;
}

static enum status read_eval(struct lds_options *o, const char *text) {
    struct json_doc *doc;
    TRY(json_parse(&doc, text, strlen(text), "the eval protocol"));
    o->timesteps = read_size(json_root(doc), "timesteps");
    o->noise_seed = (uint64_t)json_int(json_get(json_root(doc), "noise_seed"), 0);
    for (int k = 0; k < SPLIT_COUNT; k++) {
        const struct json *q = json_get(json_root(doc), split_name((enum split)k));
        if (!q) continue;
        o->queries[k].given = 1;
        o->queries[k].first = read_size(q, "first");
        o->queries[k].count = read_size(q, "count");
    }
    json_free(doc);
    return OK;
}

/* --- what they give now --- */

static enum status train_text(struct buf *b, struct store *s, const struct lds_options *o, const struct retraining *r) {
    struct project project;
    size_t n;
    char items[65];
    TRY(store_project_get(s, &project));
    TRY(store_items_count(s, SPLIT_TRAIN, &n));
    TRY(items_digest(s, SPLIT_TRAIN, 0, n, items));
    return protocol_train_text(b, r, o, &project, n, items);
}

/* Of as many queries as there are; *all: those are all val and gen items. */
static enum status eval_text(struct buf *b, struct store *s, const struct lds_options *o, int *all) {
    struct evaluation e = { .timesteps = o->timesteps, .noise_seed = o->noise_seed };
    static const enum split order[2] = { SPLIT_VAL, SPLIT_GEN };
    *all = 1;
    for (int k = 0; k < 2; k++) {
        enum split q = order[k];
        size_t there, first = o->queries[q].first, last = first + o->queries[q].count;
        TRY(store_items_count(s, q, &there));
        *all = *all && (o->queries[q].given ? !first && last == there : !there);
        if (!o->queries[q].given) continue;
        struct queries *x = &e.queries[e.n_splits++];
        *x = (struct queries){ .split = q, .first = first, .count = last < there ? o->queries[q].count : there > first ? there - first : 0 };
        TRY(items_digest(s, q, x->first, x->count, x->sha256));
    }
    return protocol_eval_text(b, &e);
}

/* --- as options --- */

static int is(double a, double b) { return a >= b && a <= b; }

/* own: the project's training; NULL: that of a network that was brought, of which all must be said. */
static void add_train(struct buf *b, const struct lds_options *o, const struct retraining *own) {
    static const struct lds_options usual = LDS_DEFAULTS;
    if (!is(o->alpha, usual.alpha)) buf_printf(b, " --alpha %.10g", o->alpha);
    if (!o->stratified) buf_text(b, " --no-strata");
    if (o->draw_seed) buf_printf(b, " --draw-seed %llu", (unsigned long long)o->draw_seed);
    if (o->steps) buf_printf(b, " --steps %zu", o->steps);
    else if (!o->same_epochs) buf_text(b, " --same steps");
    if (!own || own->options.batch != o->batch) buf_printf(b, " --batch %zu", o->batch);
    if (!own || !is(own->options.lr, o->lr)) buf_printf(b, " --lr %.10g", o->lr);
}

static void add_eval(struct buf *b, const struct lds_options *o, int all) {
    static const struct lds_options usual = LDS_DEFAULTS;
    const char *before = " --queries ";
    if (o->timesteps != usual.timesteps) buf_printf(b, " --timesteps %zu", o->timesteps);
    if (o->noise_seed != usual.noise_seed) buf_printf(b, " --eval-noise-seed %llu", (unsigned long long)o->noise_seed);
    for (int k = 0; k < SPLIT_COUNT && !all; k++) {
        if (!o->queries[k].given) continue;
        buf_printf(b, "%s%s:%zu-%zu", before, split_name((enum split)k), o->queries[k].first, o->queries[k].first + o->queries[k].count - 1);
        before = ",";
    }
}

/* Everything that may be said, with what was retrained. */
static enum status try_options(char out[LDS_COMMAND], char difference[160], struct store *s, const struct lds_options *o, const char *train,
                               const char *eval) {
    struct buf now[2] = { BUF_INIT, BUF_INIT }, b = BUF_INIT;
    struct retraining r = { .network = BUF_INIT }, own = { .network = BUF_INIT };
    struct lds_options nothing = LDS_DEFAULTS;
    char db[1024];
    int all = 1;
    enum status st;
    TRY_TO(retraining_read(&r, s, o));
    TRY_TO(train_text(&now[0], s, o, &r));
    TRY_TO(protocol_difference(difference, now[0].data, train));
    TRY_TO(eval_text(&now[1], s, o, &all));
    if (!difference[0]) TRY_TO(protocol_difference(difference, now[1].data, eval));
    if (difference[0]) goto done;
    int is_own = retraining_read(&own, s, &nothing) == OK;
    text_shell_word(db, sizeof db, store_path(s));
    buf_printf(&b, "dtrak lds %s --subsets %zu", db, o->subsets);
    if (o->seeds > 1) buf_printf(&b, " --seeds %zu", o->seeds);
    if (o->second_seed) buf_printf(&b, " --second-seed %zu", o->second_seed);
    add_train(&b, o, is_own ? &own : NULL);
    add_eval(&b, o, all);
    TRY_TO(buf_status(&b));
    snprintf(out, LDS_COMMAND, "%s", b.data);
done:
    buf_free(&b);
    buf_free(&now[0]);
    buf_free(&now[1]);
    retraining_free(&r);
    retraining_free(&own);
    return st;
}

enum status lds_options_command(char out[LDS_COMMAND], char difference[160], struct store *s, const struct lds_options *o,
                                const char *train, const char *eval) {
    struct lds_options then = LDS_DEFAULTS;
    out[0] = difference[0] = 0;
    then.subsets = o->subsets;
    then.seeds = o->seeds;
    then.second_seed = o->second_seed;
    enum status st = read_train(&then, train);
    if (st == OK) st = read_eval(&then, eval);
    if (st == OK) st = try_options(out, difference, s, &then, train, eval);
    return st == ERR_NOMEM || st == ERR_DB ? st : OK;   /* another program's say other things */
}
