/* lds_protocol.c - what a retraining depends on, read from the project and
 * written down as protocols. */
#include "lds_protocol.h"

#include "dtrak/hash.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/pipeline.h"
#include "dtrak/scheduler.h"
#include "dtrak/subset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

/* --- the project's own training --- */

/* The text of a JSON value without the spaces between its parts. */
static void add_compact(struct buf *b, const char *json, size_t len) {
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (in_string && c == '\\' && i + 1 < len) {
            buf_add(b, json + i, 2);
            i++;
            continue;
        }
        if (c == '"') in_string = !in_string;
        if (in_string || (c != ' ' && c != '\n' && c != '\t' && c != '\r')) buf_add(b, &c, 1);
    }
}

/* train_state's text ends with "network": {...}}. */
static enum status read_recorded(struct retraining *r, const char *text) {
    struct json_doc *doc;
    TRY(json_parse(&doc, text, strlen(text), "the recorded training options"));
    const struct json *o = json_root(doc);
    struct trainer_options *t = &r->options;
    const char *network = strstr(text, "\"network\":");
    size_t tail = network ? strlen(network) : 0;
    int good = json_is_int(json_get(o, "batch")) && json_is_int(json_get(o, "steps")) &&
               json_type(json_get(o, "lr")) == JSON_NUMBER && json_type(json_get(o, "network")) == JSON_OBJECT &&
               tail > strlen("\"network\":") + 1 && network[tail - 1] == '}';
    *t = (struct trainer_options){
        .batch = (size_t)json_int(json_get(o, "batch"), 0), .steps = (size_t)json_int(json_get(o, "steps"), 0),
        .lr = json_number(json_get(o, "lr"), 0), .weight_decay = json_number(json_get(o, "weight_decay"), 0),
        .clip = json_number(json_get(o, "clip"), 0), .warmup_fraction = json_number(json_get(o, "warmup"), 0),
        .ema = json_number(json_get(o, "ema"), 0), .flip = json_bool(json_get(o, "flip"), 0),
        .seed = (uint64_t)json_int(json_get(o, "seed"), 0) };
    r->half_weights = json_bool(json_get(o, "half_weights"), 1);
    json_free(doc);
    if (!good) return fail(ERR_FORMAT, "lds: the recorded training options are not what `dtrak train` writes");
    network += strlen("\"network\":");
    add_compact(&r->network, network, strlen(network) - 1);
    return buf_status(&r->network);
}

/* A checkpoint that was brought: its network, and what the caller must say. */
static enum status read_checkpoint(struct retraining *r, struct store *s, const struct lds_options *o) {
    static const struct train_options standard = TRAIN_DEFAULTS;
    struct checkpoint_list l;
    TRY(store_checkpoints_resolve(s, "last", &l));
    add_compact(&r->network, l.checkpoint[0].config, strlen(l.checkpoint[0].config));
    r->half_weights = l.checkpoint[0].half_weights;
    checkpoint_list_free(&l);
    if (!o->steps || !o->batch || o->lr <= 0)
        return fail(ERR_MISSING, "lds: this network was not trained here, so how to retrain it must be said: --steps, --batch and --lr");
    r->options = (struct trainer_options){ .batch = o->batch, .steps = o->steps, .lr = o->lr,
                                           .weight_decay = standard.weight_decay, .clip = standard.clip,
                                           .warmup_fraction = standard.warmup_fraction };
    return buf_status(&r->network);
}

enum status retraining_read(struct retraining *r, struct store *s, const struct lds_options *o) {
    struct train_state state = { 0 };
    *r = (struct retraining){ .schedule = schedule_default(), .half_weights = 1, .network = BUF_INIT };
    enum status st = store_train_state_get(s, &state);
    if (st == OK) st = read_recorded(r, state.config);
    else if (st == ERR_MISSING) st = read_checkpoint(r, s, o);
    train_state_free(&state);
    if (st == OK) st = checkpoint_config_read(&r->config, &r->own, r->network.data, "the recorded network");
    if (st == OK) {
        if (r->own) r->schedule = r->own;
        r->options.schedule = r->schedule;
        if (o->batch) r->options.batch = o->batch;
        if (o->lr > 0) r->options.lr = o->lr;
        if (r->options.batch < 1 || r->options.batch > 65536 || r->options.steps < 1)
            st = fail(ERR_FORMAT, "lds: the recorded training has %zu steps of %zu images", r->options.steps, r->options.batch);
    }
    if (st != OK) retraining_free(r);
    return st;
}

void retraining_free(struct retraining *r) {
    schedule_free(r->own);
    r->own = NULL;
    buf_free(&r->network);
}

size_t retraining_steps(const struct retraining *r, const struct lds_options *o, size_t n, size_t size) {
    if (o->steps) return o->steps;
    if (!o->same_epochs) return r->options.steps;
    double steps = ceil((double)r->options.steps * (double)size / (double)n);
    return steps < 1 ? 1 : (size_t)steps;
}

/* --- protocols --- */

enum status items_digest(struct store *s, enum split split, size_t first, size_t count, char hex[65]) {
    struct sha256 h;
    unsigned char digest[32];
    sha256_init(&h);
    for (size_t at = 0; at < count;) {
        struct item_list l;
        TRY(store_items_read(s, split, first + at, count - at < 1000 ? count - at : 1000, &l));
        for (size_t i = 0; i < l.count; i++) {
            char line[96];
            int len = snprintf(line, sizeof line, "%s %d\n", l.item[i].sha256, l.item[i].label);
            sha256_add(&h, line, (size_t)len);
        }
        size_t got = l.count;
        item_list_free(&l);
        if (!got) return fail(ERR_RANGE, "lds: queries %s:%zu-%zu, but the last one is %s:%zu", split_name(split), first,
                              first + count - 1, split_name(split), first + at - 1);
        at += got;
    }
    sha256_end(&h, digest);
    hash_hex(hex, digest, sizeof digest);
    return OK;
}

/* The shortest digits that read back to the same number. */
static void add_real(struct buf *b, const char *name, double x) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double back = strtod(text, NULL);
        if (back >= x && back <= x) break;
    }
    buf_text(b, name);
    buf_text(b, text);
}

enum status protocol_train_text(struct buf *b, const struct retraining *r, const struct lds_options *o,
                                const struct project *p, size_t n, const char *items) {
    const struct trainer_options *t = &r->options;
    size_t size = o->alpha > 0 ? subset_size(n, o->alpha) : n;
    buf_printf(b, "{\"version\":%d,\"items\":\"%s\",\"n\":%zu,\"draw\":{", VERSION, items, n);
    if (o->alpha > 0) {
        add_real(b, "\"alpha\":", o->alpha);
        buf_printf(b, ",\"size\":%zu,\"stratified\":%s,\"seed\":%llu", size, o->stratified ? "true" : "false",
                   (unsigned long long)o->draw_seed);
    } else {
        buf_text(b, "\"kind\":\"removal\"");
    }
    buf_printf(b, "},\"train\":{\"same\":\"%s\",\"steps\":%zu,\"batch\":%zu", o->steps ? "given" : o->same_epochs ? "epochs" : "steps",
               retraining_steps(r, o, n, size), t->batch);
    add_real(b, ",\"lr\":", t->lr);
    add_real(b, ",\"weight_decay\":", t->weight_decay);
    add_real(b, ",\"clip\":", t->clip);
    add_real(b, ",\"warmup\":", t->warmup_fraction);
    add_real(b, ",\"ema\":", t->ema);
    buf_printf(b, ",\"flip\":%s,\"seed\":%llu,\"patch\":%zu,\"half_weights\":%s},\"network\":", t->flip ? "true" : "false",
               (unsigned long long)t->seed, p->patch, r->half_weights ? "true" : "false");
    buf_add(b, r->network.data, r->network.len);
    buf_text(b, "}");
    return buf_status(b);
}

enum status protocol_eval_text(struct buf *b, const struct evaluation *e) {
    buf_printf(b, "{\"version\":%d,\"loss\":\"simple\",\"timesteps\":%zu,\"rule\":\"middle\",\"noise_seed\":%llu", VERSION,
               e->timesteps, (unsigned long long)e->noise_seed);
    for (size_t k = 0; k < e->n_splits; k++)
        buf_printf(b, ",\"%s\":{\"first\":%zu,\"count\":%zu,\"items\":\"%s\"}", split_name(e->queries[k].split),
                   e->queries[k].first, e->queries[k].count, e->queries[k].sha256);
    buf_text(b, "}");
    return buf_status(b);
}

/* Networks of a train protocol, and those of them that have outputs of an eval protocol. */
static enum status count_measured(struct store *s, int64_t train, int64_t eval, size_t *measured) {
    struct subset_model_list models;
    enum status st = OK;
    *measured = 0;
    TRY(store_subsets_list(s, train, &models));
    for (size_t i = 0; i < models.count && st == OK; i++) {
        int found = 0;
        for (int k = 0; k < SPLIT_COUNT && st == OK && !found; k++) {
            size_t rows;
            st = store_subset_output_rows(s, models.model[i].id, eval, (enum split)k, &rows);
            found = rows > 0;
        }
        *measured += (size_t)found;
    }
    subset_model_list_free(&models);
    return st;
}

enum status protocols_fullest(struct store *s, const struct protocol_list *l, const struct protocol **train,
                              const struct protocol **eval, size_t *others) {
    size_t most = 0, all = 0;
    for (size_t t = l->count; t-- > 0;)
        for (size_t e = l->count; e-- > 0;) {
            size_t measured;
            if (l->protocol[t].kind != PROTOCOL_TRAIN || l->protocol[e].kind != PROTOCOL_EVAL) continue;
            TRY(count_measured(s, l->protocol[t].id, l->protocol[e].id, &measured));
            all += measured;
            if (measured <= most) continue;
            most = measured;
            *train = &l->protocol[t];
            *eval = &l->protocol[e];
        }
    if (others) *others = all - most;
    return most ? OK : fail(ERR_MISSING, "no network has been retrained here yet; dtrak lds does that");
}

/* --- differences --- */

static void add_value(char *out, size_t size, const struct json *v) {
    switch (json_type(v)) {
    case JSON_NUMBER: snprintf(out, size, "%.10g", json_number(v, 0)); break;
    case JSON_STRING: snprintf(out, size, "%.12s", json_string(v, "")); break;
    case JSON_TRUE: snprintf(out, size, "true"); break;
    case JSON_FALSE: snprintf(out, size, "false"); break;
    case JSON_OBJECT: case JSON_ARRAY: snprintf(out, size, "%zu entries", json_len(v)); break;
    case JSON_NULL: snprintf(out, size, "none"); break;
    }
}

/* Equal values without parts. */
static int same_leaf(const struct json *a, const struct json *b) {
    if (json_type(a) != json_type(b)) return 0;
    if (json_type(a) == JSON_NUMBER) return json_number(a, 0) >= json_number(b, 0) && json_number(a, 0) <= json_number(b, 0);
    return json_type(a) != JSON_STRING || strcmp(json_string(a, ""), json_string(b, "")) == 0;
}

/* The first field in which a and b differ, with both values; 0: none. */
static int first_difference(char out[160], const char *path, const struct json *a, const struct json *b) {
    size_t n = json_len(a) > json_len(b) ? json_len(a) : json_len(b);
    int object = json_type(a) == JSON_OBJECT && json_type(b) == JSON_OBJECT;
    int parts = object || (json_type(a) == JSON_ARRAY && json_type(b) == JSON_ARRAY && json_len(a) == json_len(b));
    if (!parts && same_leaf(a, b)) return 0;
    if (!parts) {
        char x[40], y[40];
        add_value(x, sizeof x, a);
        add_value(y, sizeof y, b);
        snprintf(out, 160, "%s %s/%s", path[0] ? path : "all", x, y);
        return 1;
    }
    for (int side = 0; side < (object ? 2 : 1); side++)
        for (size_t i = 0; i < n; i++) {
            const struct json *from = side ? b : a;
            const char *key = object ? json_key(from, i) : NULL;
            char deeper[96];
            if (object && !key) continue;
            if (object) snprintf(deeper, sizeof deeper, "%s%s%.30s", path, path[0] ? "." : "", key);
            else snprintf(deeper, sizeof deeper, "%.60s[%zu]", path, i);
            if (first_difference(out, deeper, object ? json_get(a, key) : json_at(a, i),
                                 object ? json_get(b, key) : json_at(b, i))) return 1;
        }
    return 0;
}

enum status protocol_difference(char out[160], const char *a, const char *b) {
    struct json_doc *x = NULL, *y = NULL;
    enum status st;
    out[0] = 0;
    TRY_TO(json_parse(&x, a, strlen(a), "a protocol"));
    TRY_TO(json_parse(&y, b, strlen(b), "a protocol"));
    first_difference(out, "", json_root(x), json_root(y));
done:
    json_free(x);
    json_free(y);
    return st;
}
