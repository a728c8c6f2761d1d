/* kinds.c - a job's parameters: options of a verb as a JSON object and back.
 *
 * Only what a person would want to see is written; what is absent has the
 * verb's default.  A number that does not fit is refused, not bent. */
#include "dtrak/jobs.h"

#include "dtrak/counterfactual.h"
#include "dtrak/json.h"
#include "dtrak/lds_report.h"
#include "dtrak/method.h"
#include "dtrak/store.h"

#include <stdint.h>
#include <string.h>

/* --- out --- */

static void add_name(struct buf *b, const char *name) {
    buf_text(b, b->len && b->data[b->len - 1] != '{' ? "," : "");
    json_add_string(b, name);
    buf_text(b, ":");
}

static void add_text(struct buf *b, const char *name, const char *value) {
    if (!value) return;
    add_name(b, name);
    json_add_string(b, value);
}

static void add_int(struct buf *b, const char *name, int64_t value, int64_t otherwise) {
    if (value == otherwise) return;
    add_name(b, name);
    json_add_int(b, value);
}

static void add_losses(struct buf *b, unsigned bits) {
    char text[96] = "";
    for (int l = 0; l < LOSS_COUNT; l++) {
        if (!(bits & 1u << l)) continue;
        if (text[0]) strcat(text, ",");
        strcat(text, loss_name((enum loss)l));
    }
    if (text[0]) add_text(b, "losses", text);
}

static void add_splits(struct buf *b, unsigned bits) {
    char text[32] = "";
    for (int s = 0; s < SPLIT_COUNT; s++) {
        if (!(bits & 1u << s)) continue;
        if (text[0]) strcat(text, ",");
        strcat(text, split_name((enum split)s));
    }
    if (text[0]) add_text(b, "splits", text);
}

static void add_features(struct buf *b, const struct features_options *o) {
    buf_text(b, "{");
    add_losses(b, o->losses);
    add_text(b, "checkpoints", o->checkpoints);
    add_splits(b, o->splits);
    add_int(b, "timesteps", (int64_t)o->timesteps, -1);
    add_int(b, "dims", (int64_t)o->dims, -1);
    add_int(b, "noise_seed", (int64_t)o->noise_seed, 0);
    add_int(b, "projection_seed", (int64_t)o->projection_seed, 42);
    add_int(b, "float32", o->float32, 0);
    add_text(b, "rule", o->rule);
    add_int(b, "draws", (int64_t)o->draws, 1);
    add_int(b, "parts", (int64_t)o->parts, 1);
    add_text(b, "projection", o->projection);
    buf_text(b, "}");
}

static enum status queue(struct jobs *j, const char *kind, struct buf *b) {
    enum status st = buf_status(b);
    if (st == OK) st = jobs_add(j, kind, b->data);
    buf_free(b);
    return st;
}

enum status jobs_add_features(struct jobs *j, const struct features_options *o) {
    struct buf b = BUF_INIT;
    add_features(&b, o);
    return queue(j, "features", &b);
}

enum status jobs_add_score(struct jobs *j, const struct score_options *o,
                           const struct features_options *missing) {
    struct buf b = BUF_INIT;
    buf_text(&b, "{");
    add_text(&b, "methods", o->methods);
    add_losses(&b, o->losses);
    add_text(&b, "checkpoints", o->checkpoints);
    add_text(&b, "lambda", o->lambda);
    add_text(&b, "queries", o->queries);
    add_int(&b, "timesteps", (int64_t)o->timesteps, 0);
    add_splits(&b, o->splits);
    add_int(&b, "mantissa_bits", o->mantissa_bits, 0);
    add_int(&b, "keep_kernel", o->keep_kernel, 0);
    add_int(&b, "self_influence", o->self_influence, 1);
    add_int(&b, "memory", (int64_t)o->memory, 0);
    if (missing) {
        add_name(&b, "features");
        add_features(&b, missing);
    }
    buf_text(&b, "}");
    return queue(j, "score", &b);
}

enum status jobs_add_basis(struct jobs *j, const struct basis_options *o) {
    struct buf b = BUF_INIT;
    buf_text(&b, "{");
    add_losses(&b, o->losses);
    add_text(&b, "checkpoints", o->checkpoints);
    add_int(&b, "timesteps", (int64_t)o->timesteps, 0);
    add_int(&b, "memory", (int64_t)o->memory, 0);
    buf_text(&b, "}");
    return queue(j, "basis", &b);
}

enum status jobs_add_sample(struct jobs *j, const struct sample_options *o) {
    struct buf b = BUF_INIT;
    buf_text(&b, "{");
    add_int(&b, "count", (int64_t)o->count, -1);
    add_int(&b, "seed", (int64_t)o->seed, -1);
    add_text(&b, "checkpoint", o->checkpoint);
    add_int(&b, "steps", (int64_t)o->steps, 50);
    if (o->eta > 0) { add_name(&b, "eta"); json_add_double(&b, o->eta); }
    buf_text(&b, "}");
    return queue(j, "sample", &b);
}

/* --- in --- */

static enum status get_size(const struct json *v, const char *name, size_t max, size_t *out) {
    const struct json *m = json_get(v, name);
    if (!m) return OK;
    int64_t x = json_int(m, -1);
    if (x < 0 || (uint64_t)x > max)
        return fail(ERR_FORMAT, "job parameters: \"%s\" is not a whole number from 0 to %zu", name, max);
    *out = (size_t)x;
    return OK;
}

static enum status get_flag(const struct json *v, const char *name, int *out) {
    size_t x = (size_t)*out;
    TRY(get_size(v, name, 1u << 20, &x));
    *out = (int)x;
    return OK;
}

static enum status get_seed(const struct json *v, const char *name, uint64_t *out) {
    const struct json *m = json_get(v, name);
    if (!m) return OK;
    if (!json_is_int(m)) return fail(ERR_FORMAT, "job parameters: \"%s\" is not a whole number", name);
    *out = (uint64_t)json_int(m, 0);
    return OK;
}

static enum status get_real(const struct json *v, const char *name, double *out) {
    const struct json *m = json_get(v, name);
    if (!m) return OK;
    if (json_type(m) != JSON_NUMBER) return fail(ERR_FORMAT, "job parameters: \"%s\" is not a number", name);
    *out = json_number(m, *out);
    return OK;
}

/* The next comma-separated word of *list; 0 at the end. */
static int next_word(const char **list, char word[64]) {
    const char *s = *list;
    size_t len = strcspn(s, ",");
    if (*s == 0) return 0;
    size_t keep = len < 63 ? len : 63;
    memcpy(word, s, keep);
    word[keep] = 0;
    *list = s[len] ? s + len + 1 : s + len;
    return 1;
}

static enum status get_losses(const struct json *v, unsigned *bits) {
    const char *list = json_string(json_get(v, "losses"), NULL);
    char word[64];
    if (!list) return OK;
    *bits = 0;
    while (next_word(&list, word)) {
        enum loss l = loss_parse(word);
        if (l == LOSS_COUNT) return fail(ERR_FORMAT, "job parameters: there is no loss '%s'", word);
        *bits |= 1u << l;
    }
    return OK;
}

static enum status get_splits(const struct json *v, unsigned *bits) {
    const char *list = json_string(json_get(v, "splits"), NULL);
    char word[64];
    if (!list) return OK;
    *bits = 0;
    while (next_word(&list, word)) {
        enum split s = split_parse(word);
        if (s == SPLIT_COUNT) return fail(ERR_FORMAT, "job parameters: there is no split '%s'", word);
        *bits |= 1u << s;
    }
    return OK;
}

static enum status get_features(const struct json *v, struct features_options *o) {
    TRY(get_losses(v, &o->losses));
    TRY(get_splits(v, &o->splits));
    TRY(get_size(v, "timesteps", 100000, &o->timesteps));
    TRY(get_size(v, "draws", 100000, &o->draws));
    TRY(get_size(v, "parts", 100000, &o->parts));
    o->rule = json_string(json_get(v, "rule"), o->rule);
    o->projection = json_string(json_get(v, "projection"), o->projection);
    TRY(get_size(v, "dims", 1u << 24, &o->dims));
    TRY(get_seed(v, "noise_seed", &o->noise_seed));
    TRY(get_seed(v, "projection_seed", &o->projection_seed));
    TRY(get_flag(v, "float32", &o->float32));
    o->checkpoints = json_string(json_get(v, "checkpoints"), o->checkpoints);
    return OK;
}

static enum status get_score(const struct json *v, struct score_options *o) {
    TRY(get_losses(v, &o->losses));
    TRY(get_splits(v, &o->splits));
    TRY(get_size(v, "timesteps", 1000, &o->timesteps));
    TRY(get_flag(v, "mantissa_bits", &o->mantissa_bits));
    TRY(get_flag(v, "keep_kernel", &o->keep_kernel));
    TRY(get_flag(v, "self_influence", &o->self_influence));
    TRY(get_size(v, "memory", SIZE_MAX / 2, &o->memory));
    o->methods = json_string(json_get(v, "methods"), o->methods);
    o->checkpoints = json_string(json_get(v, "checkpoints"), o->checkpoints);
    o->lambda = json_string(json_get(v, "lambda"), o->lambda);
    o->queries = json_string(json_get(v, "queries"), o->queries);
    return OK;
}

static enum status get_train(const struct json *v, struct train_options *o) {
    const struct json *width = json_get(v, "width");
    if (width) {
        o->levels = json_len(width);
        if (o->levels == 0 || o->levels > sizeof o->width / sizeof o->width[0])
            return fail(ERR_FORMAT, "job parameters: \"width\" is not a list of 1 to 8 numbers");
        for (size_t i = 0; i < o->levels; i++) {
            int64_t w = json_int(json_at(width, i), 0);
            if (w < 1 || w > 4096)
                return fail(ERR_FORMAT, "job parameters: \"width\" has a number outside 1..4096");
            o->width[i] = (size_t)w;
        }
    }
    size_t attention = o->attention;
    TRY(get_size(v, "layers", 16, &o->layers));
    TRY(get_size(v, "attention", UINT32_MAX, &attention));
    o->attention = (unsigned)attention;
    TRY(get_size(v, "patch", 2, &o->patch));
    TRY(get_size(v, "steps", 1u << 30, &o->steps));
    TRY(get_real(v, "epochs", &o->epochs));
    TRY(get_size(v, "batch", 1u << 16, &o->batch));
    TRY(get_real(v, "lr", &o->lr));
    TRY(get_real(v, "ema", &o->ema));
    TRY(get_flag(v, "flip", &o->flip));
    return get_seed(v, "seed", &o->seed);
}

/* --- the verbs --- */

static enum status parse(struct json_doc **doc, const char *params) {
    TRY(json_parse(doc, params, strlen(params), "job parameters"));
    if (json_type(json_root(*doc)) == JSON_OBJECT) return OK;
    json_free(*doc);
    *doc = NULL;
    return fail(ERR_FORMAT, "job parameters: not a JSON object");
}

static enum status run_features(struct store *s, const char *params, size_t threads,
                                const struct progress *p) {
    struct features_options o = FEATURES_DEFAULTS;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    st = get_features(json_root(doc), &o);
    o.threads = threads;
    if (st == OK) st = pipeline_features(s, &o, p);
    json_free(doc);
    return st;
}

/* Scores; where that lacks features and the job says which, those first. */
static enum status run_score(struct store *s, const char *params, size_t threads,
                             const struct progress *p) {
    struct score_options o = SCORE_DEFAULTS;
    struct features_options f = FEATURES_DEFAULTS;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    const struct json *missing = json_get(json_root(doc), "features");
    TRY_TO(get_score(json_root(doc), &o));
    TRY_TO(get_features(missing, &f));
    o.threads = f.threads = threads;
    st = pipeline_score(s, &o, p);
    if (st == ERR_MISSING && missing) {
        TRY_TO(pipeline_features(s, &f, p));
        st = pipeline_score(s, &o, p);
    }
done:
    json_free(doc);
    return st;
}

static enum status run_basis(struct store *s, const char *params, size_t threads,
                             const struct progress *p) {
    struct basis_options o = BASIS_DEFAULTS;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    const struct json *v = json_root(doc);
    TRY_TO(get_losses(v, &o.losses));
    TRY_TO(get_size(v, "timesteps", 1000, &o.timesteps));
    TRY_TO(get_size(v, "memory", SIZE_MAX / 2, &o.memory));
    o.checkpoints = json_string(json_get(v, "checkpoints"), NULL);
    o.threads = threads;
    st = pipeline_basis(s, &o, p);
done:
    json_free(doc);
    return st;
}

static enum status run_sample(struct store *s, const char *params, size_t threads,
                              const struct progress *p) {
    struct sample_options o = SAMPLE_DEFAULTS;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    const struct json *v = json_root(doc);
    TRY_TO(get_size(v, "count", 1u << 24, &o.count));
    TRY_TO(get_seed(v, "seed", &o.seed));
    TRY_TO(get_size(v, "steps", 1000, &o.steps));
    TRY_TO(get_real(v, "eta", &o.eta));
    o.checkpoint = json_string(json_get(v, "checkpoint"), NULL);
    o.threads = threads;
    st = pipeline_sample(s, &o, p);
done:
    json_free(doc);
    return st;
}

static enum status run_train(struct store *s, const char *params, size_t threads,
                             const struct progress *p) {
    struct train_options o = TRAIN_DEFAULTS;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    st = get_train(json_root(doc), &o);
    o.threads = threads;
    if (st == OK) st = pipeline_train(s, &o, p);
    json_free(doc);
    return st;
}

static enum status run_self(struct store *s, const char *params, size_t threads, const struct progress *p) {
    struct json_doc *doc;
    TRY(parse(&doc, params));
    json_free(doc);
    return pipeline_self(s, threads, p);
}

static enum status run_measure(struct store *s, const char *params, size_t threads, const struct progress *p) {
    struct lds_report r;
    struct lds_report_options o = { .keep = 1 };
    struct json_doc *doc;
    (void)threads;
    TRY(parse(&doc, params));
    json_free(doc);
    TRY(pipeline_lds_report(&r, s, &o, p));
    lds_report_free(&r);
    return OK;
}

static enum status run_counterfactual(struct store *s, const char *params, size_t threads, const struct progress *p) {
    struct counterfactual_options o = COUNTERFACTUAL_DEFAULTS;
    struct counterfactual_summary m;
    struct json_doc *doc;
    enum status st;
    TRY(parse(&doc, params));
    const struct json *v = json_root(doc);
    o.methods = json_string(json_get(v, "methods"), NULL);
    o.list = json_string(json_get(v, "list"), NULL);
    o.items = json_string(json_get(v, "items"), NULL);
    o.threads = threads;
    if (!o.methods && !o.list) st = fail(ERR_FORMAT, "job parameters: neither methods nor a list to take away");
    else st = get_size(v, "remove", 1u << 27, &o.remove);
    if (st == OK) st = pipeline_counterfactual(s, &o, p, &m);
    json_free(doc);
    return st;
}

/* --- in words --- */

static void describe_features(const char *params, char *out, size_t size) {
    struct json_doc *doc = NULL;
    *out = 0;
    if (parse(&doc, params) != OK) return;
    const struct json *v = json_root(doc);
    snprintf(out, size, "%s at %s", json_string(json_get(v, "losses"), "simple"),
             json_string(json_get(v, "checkpoints"), "last"));
    json_free(doc);
}

static void describe_score(const char *params, char *out, size_t size) {
    struct json_doc *doc = NULL;
    char name[METHOD_DISPLAY];
    *out = 0;
    if (parse(&doc, params) != OK) return;
    const struct json *v = json_root(doc);
    const char *methods = json_string(json_get(v, "methods"), "trak");
    const char *losses = json_string(json_get(v, "losses"), "simple");
    enum loss l = loss_parse(losses);
    enum method m = method_parse(methods, NULL);
    if (m != METHOD_COUNT && (l != LOSS_COUNT || !method_has_loss(m))) method_display(name, m, l);
    else snprintf(name, sizeof name, "%s %s", methods, losses);
    if (m != METHOD_COUNT && !method_has_checkpoint(m)) snprintf(out, size, "%s", name);
    else snprintf(out, size, "%s at %s", name, json_string(json_get(v, "checkpoints"), "last"));
    json_free(doc);
}

static void describe_sample(const char *params, char *out, size_t size) {
    struct json_doc *doc = NULL;
    *out = 0;
    if (parse(&doc, params) != OK) return;
    const struct json *v = json_root(doc);
    snprintf(out, size, "%lld from seed %lld", (long long)json_int(json_get(v, "count"), 0),
             (long long)json_int(json_get(v, "seed"), 0));
    json_free(doc);
}

static void describe_train(const char *params, char *out, size_t size) {
    struct json_doc *doc = NULL;
    *out = 0;
    if (parse(&doc, params) != OK) return;
    const struct json *v = json_root(doc);
    if (json_get(v, "steps"))
        snprintf(out, size, "%lld steps", (long long)json_int(json_get(v, "steps"), 0));
    else
        snprintf(out, size, "%g epochs", json_number(json_get(v, "epochs"), 100));
    json_free(doc);
}

static void describe_self(const char *params, char *out, size_t size) {
    (void)params;
    snprintf(out, size, "nearest training items");
}

static void describe_counterfactual(const char *params, char *out, size_t size) {
    struct json_doc *doc = NULL;
    *out = 0;
    if (parse(&doc, params) != OK) return;
    const struct json *v = json_root(doc);
    snprintf(out, size, "%s without %s", json_string(json_get(v, "items"), ""),
             json_string(json_get(v, "list"), json_string(json_get(v, "methods"), "")));
    json_free(doc);
}

static void describe_measure(const char *params, char *out, size_t size) {
    (void)params;
    snprintf(out, size, "LDS of every score set");
}

const struct job_kind job_kinds[] = {
    { "features", run_features, describe_features },
    { "score", run_score, describe_score },
    { "basis", run_basis, describe_features },
    { "sample", run_sample, describe_sample },
    { "train", run_train, describe_train },
    { "self", run_self, describe_self },
    { "measure", run_measure, describe_measure },
    { "counterfactual", run_counterfactual, describe_counterfactual },
    { NULL, NULL, NULL }
};
