#include "dtrak/scheduler.h"

#include "dtrak/mem.h"
#include "dtrak/model_fields.h"
#include "dtrak/network.h"

#include <stdio.h>
#include <string.h>

/* --- in --- */

static enum status read_betas(double **betas, struct schedule_config *c, const struct json *root, const char *name) {
    const struct json *list = json_get(root, "trained_betas");
    *betas = NULL;
    if (json_type(list) == JSON_NULL) return OK;
    size_t n = json_len(list), T = json_get(root, "num_train_timesteps") ? c->T : n;
    if (n != T || n < 1 || n > SCHEDULE_T_MAX)
        return fail(ERR_FORMAT, "%s: field \"trained_betas\" is a list of %zu, expected one of the %zu timesteps", name, n, T);
    *betas = mem_array(n, sizeof **betas);
    if (!*betas) return fail(ERR_NOMEM, "%s: out of memory", name);
    for (size_t i = 0; i < n; i++) {
        if (json_type(json_at(list, i)) != JSON_NUMBER)
            return fail(ERR_FORMAT, "%s: element %zu of \"trained_betas\" is no number", name, i);
        (*betas)[i] = json_number(json_at(list, i), 0);
    }
    c->kind = SCHEDULE_TRAINED;
    c->betas = *betas;
    c->T = n;
    return OK;
}

static enum status read_fields(struct schedule_config *c, const struct json *root, const char *name) {
    const char *kind = json_string(json_get(root, "beta_schedule"), "linear");
    int64_t T = json_int(json_get(root, "num_train_timesteps"), SCHEDULE_T);
    c->kind = schedule_kind_parse(kind);
    if (c->kind == SCHEDULE_KINDS)
        return fail(ERR_FORMAT, "%s: field \"beta_schedule\" is \"%.40s\", expected linear, scaled_linear, "
                    "squaredcos_cap_v2 or sigmoid", name, kind);
    if (T < 1 || T > SCHEDULE_T_MAX)
        return fail(ERR_FORMAT, "%s: field \"num_train_timesteps\" is %lld, expected 1 to %d", name, (long long)T, SCHEDULE_T_MAX);
    c->T = (size_t)T;
    c->beta_start = json_number(json_get(root, "beta_start"), c->beta_start);
    c->beta_end = json_number(json_get(root, "beta_end"), c->beta_end);
    c->clip = json_bool(json_get(root, "clip_sample"), 1);
    c->clip_range = json_number(json_get(root, "clip_sample_range"), 1);
    c->final_first = !json_bool(json_get(root, "set_alpha_to_one"), 1);
    return OK;
}

enum status scheduler_from(struct schedule **out, const struct json *root, const char *name) {
    struct schedule_config c = schedule_config_default();
    double *betas = NULL;
    enum status st;
    *out = NULL;
    TRY(model_fields_check(model_fields_scheduler(), root, name));
    TRY(read_fields(&c, root, name));
    TRY_TO(read_betas(&betas, &c, root, name));
    TRY_TO(schedule_new(out, &c));
done:
    mem_free(betas);
    return st;
}

enum status scheduler_read(struct schedule **out, const char *json, size_t len, const char *name) {
    struct json_doc *doc = NULL;
    *out = NULL;
    TRY(json_parse(&doc, json, len, name));
    enum status st = scheduler_from(out, json_root(doc), name);
    json_free(doc);
    return st;
}

/* --- out --- */

static void write_number(struct buf *out, const char *key, double value) {
    buf_printf(out, "  \"%s\": ", key);
    json_add_double(out, value);
    buf_text(out, ",\n");
}

void scheduler_write(struct buf *out, const struct schedule *s) {
    const struct schedule_config *c = schedule_get_config(s);
    int trained = c->kind == SCHEDULE_TRAINED;
    buf_printf(out, "{\n  \"_class_name\": \"%s\",\n  \"_diffusers_version\": \"0.16.1\",\n",
               c->final_first ? "DDIMScheduler" : "DDPMScheduler");
    write_number(out, "beta_end", c->beta_end);
    buf_printf(out, "  \"beta_schedule\": \"%s\",\n", trained ? "linear" : schedule_kind_name(c->kind));
    write_number(out, "beta_start", c->beta_start);
    buf_printf(out, "  \"clip_sample\": %s,\n", c->clip ? "true" : "false");
    write_number(out, "clip_sample_range", c->clip_range);
    buf_printf(out, "  \"num_train_timesteps\": %zu,\n  \"prediction_type\": \"epsilon\",\n", c->T);
    if (c->final_first) buf_text(out, "  \"set_alpha_to_one\": false,\n");
    buf_text(out, "  \"trained_betas\": ");
    if (!trained) buf_text(out, "null");
    for (size_t t = 0; trained && t < c->T; t++) {
        buf_text(out, t ? ", " : "[");
        json_add_double(out, c->betas[t]);
    }
    buf_text(out, trained ? "]" : "");
    if (!c->final_first) buf_text(out, ",\n  \"variance_type\": \"fixed_small\"");
    buf_text(out, "\n}\n");
}

/* --- stored checkpoints --- */

enum status checkpoint_config_read(struct unet_config *c, struct schedule **s, const char *json, const char *name) {
    struct json_doc *doc = NULL;
    enum status st = OK;
    if (s) *s = NULL;
    TRY(json_parse(&doc, json, strlen(json), name));
    const struct json *more = json_get(json_get(json_root(doc), "_dtrak"), "scheduler");
    if (json_get(json_root(doc), "imported"))
        TRY_TO(fail(ERR_MISSING, "%s has no weights here: only what was computed with it was imported; dtrak import-model "
                                 "brings a network", name));
    if (c) TRY_TO(network_config_from(c, json_root(doc), NULL, name));
    if (s && more) TRY_TO(scheduler_from(s, more, name));
    if (s && !more) TRY_TO(schedule_new(s, schedule_get_config(schedule_default())));
done:
    json_free(doc);
    return st;
}

static void write_text(struct buf *out, const char *key, const char *value, const char *comma) {
    if (!value) return;
    buf_printf(out, "%s\"%s\": ", comma, key);
    json_add_string(out, value);
}

void checkpoint_config_write(struct buf *out, const struct unet_config *c, const struct schedule *s,
                             const struct checkpoint_origin *o) {
    network_config_write(out, c);
    if (out->failed) return;
    out->len -= strlen("\n}\n");
    buf_text(out, ",\n  \"_dtrak\": {\"scheduler\": ");
    scheduler_write(out, s);
    write_text(out, "weights", o->weights, ", ");
    write_text(out, "name", o->name, ", ");
    write_text(out, "source", o->source, ", ");
    buf_text(out, "}\n}\n");
}

void checkpoint_config_words(char name[128], char precision[16], const char *json, int half_weights) {
    static const struct { const char *type, *word; } words[] = {
        { "F32", "float32" }, { "F16", "float16" }, { "BF16", "bfloat16" }, { "mixed", "mixed" },
    };
    struct json_doc *doc = NULL;
    *name = 0;
    snprintf(precision, 16, "%s", half_weights ? "float16" : "float32");
    if (json_parse(&doc, json, strlen(json), "config") != OK) return;
    const struct json *origin = json_get(json_root(doc), "_dtrak");
    const char *type = json_string(json_get(origin, "weights"), "");
    snprintf(name, 128, "%s", json_string(json_get(origin, "name"), ""));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(type, words[i].type)) snprintf(precision, 16, "%s", words[i].word);
    json_free(doc);
}
