/* network.c - UNet2DModel's config.json and weights.
 *
 * FIELDS is the one table of config fields: what is honoured is read by name
 * below, what must have one value says which, the rest is informational. */
#include "dtrak/network.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum field_kind { HONOURED, FIXED, FREE };
static const struct field { const char *name; enum field_kind kind; const char *value; } FIELDS[] = {
    { "sample_size", HONOURED, NULL }, { "in_channels", HONOURED, NULL },
    { "out_channels", HONOURED, NULL }, { "down_block_types", HONOURED, NULL },
    { "up_block_types", HONOURED, NULL }, { "block_out_channels", HONOURED, NULL },
    { "layers_per_block", HONOURED, NULL }, { "attention_head_dim", HONOURED, NULL },
    { "norm_num_groups", HONOURED, NULL }, { "norm_eps", HONOURED, NULL },
    { "downsample_padding", HONOURED, NULL }, { "flip_sin_to_cos", HONOURED, NULL },
    { "freq_shift", HONOURED, NULL }, { "add_attention", HONOURED, NULL },
    { "center_input_sample", HONOURED, NULL }, { "time_embedding_type", FIXED, "positional" },
    { "mid_block_scale_factor", HONOURED, NULL }, { "downsample_type", HONOURED, NULL },
    { "upsample_type", HONOURED, NULL }, { "act_fn", FIXED, "silu" },
    { "resnet_time_scale_shift", HONOURED, NULL }, { "attn_norm_num_groups", HONOURED, NULL },
    { "class_embed_type", FIXED, "null" }, { "num_class_embeds", FIXED, "null" },
    { "num_train_timesteps", FREE, NULL }, { "time_embedding_dim", FIXED, "null" },
    { "dropout", FREE, NULL }, { "mid_block_type", FIXED, "UNetMidBlock2D" },
    { "_class_name", FIXED, "UNet2DModel" }, { "_diffusers_version", FREE, NULL },
    { "_name_or_path", FREE, NULL },
};

static int is_fixed_value(const struct json *v, const char *value) {
    switch (json_type(v)) {
    case JSON_NULL: return !strcmp(value, "null");
    case JSON_TRUE: return !strcmp(value, "true");
    case JSON_FALSE: return !strcmp(value, "false");
    case JSON_STRING: return !strcmp(value, json_string(v, ""));
    case JSON_NUMBER: return !strcmp(value, "1") && json_number(v, 0) == 1;
    case JSON_ARRAY: case JSON_OBJECT: break;
    }
    return 0;
}

static enum status check_fields(const struct json *root, const char *name) {
    for (size_t i = 0; i < json_len(root); i++) {
        const char *key = json_key(root, i);
        const struct field *f = FIELDS, *end = FIELDS + sizeof FIELDS / sizeof *FIELDS;
        while (f < end && strcmp(f->name, key)) f++;
        if (f == end) return fail(ERR_FORMAT, "%s: unknown field \"%s\" in the network's config", name, key);
        if (f->kind == FIXED && !is_fixed_value(json_at(root, i), f->value))
            return fail(ERR_FORMAT, "%s: field \"%s\" must be %s for this program", name, key, f->value);
    }
    return OK;
}

static enum status read_size(size_t *out, const struct json *root, const char *key, size_t fallback,
                             const char *name) {
    const struct json *v = json_get(root, key);
    *out = fallback;
    if (!v) return OK;
    int64_t x = json_int(v, -1);
    if (x < 0 || x > 1 << 20) return fail(ERR_FORMAT, "%s: field \"%s\" is not a whole number from 0 to 1048576", name, key);
    *out = (size_t)x;
    return OK;
}

/* 0 for the first word (also where the field is absent), 1 for the second. */
static enum status read_choice(int *out, const struct json *root, const char *key, const char *no,
                               const char *yes, const char *name) {
    const struct json *v = json_get(root, key);
    const char *word = v ? json_string(v, "?") : no;
    *out = !strcmp(word, yes);
    if (*out || !strcmp(word, no)) return OK;
    return fail(ERR_FORMAT, "%s: field \"%s\" is \"%s\", expected %s or %s", name, key, word, no, yes);
}

/* Bit i: the i-th block is `with`; every block must be `with` or `plain`. */
static enum status read_blocks(unsigned *bits, size_t levels, const struct json *v, const char *plain,
                               const char *with, const char *key, const char *name) {
    *bits = 0;
    if (json_type(v) != JSON_ARRAY || json_len(v) != levels)
        return fail(ERR_FORMAT, "%s: field \"%s\" has %zu blocks, expected %zu as block_out_channels", name,
                    key, json_len(v), levels);
    for (size_t i = 0; i < levels; i++) {
        const char *s = json_string(json_at(v, i), "?");
        if (!strcmp(s, with)) *bits |= 1u << i;
        else if (strcmp(s, plain))
            return fail(ERR_FORMAT, "%s: block type \"%s\" in \"%s\", expected %s or %s", name, s, key, plain, with);
    }
    return OK;
}

static enum status read_levels(struct unet_config *c, const struct json *root, const char *name) {
    const struct json *w = json_get(root, "block_out_channels");
    c->levels = json_len(w);
    if (json_type(w) != JSON_ARRAY || c->levels < 1 || c->levels > UNET_MAX_LEVELS)
        return fail(ERR_FORMAT, "%s: field \"block_out_channels\" has %zu levels, expected 1 to %d", name,
                    c->levels, UNET_MAX_LEVELS);
    for (size_t i = 0; i < c->levels; i++) {
        int64_t x = json_int(json_at(w, i), -1);
        if (x < 1 || x > 1 << 20) return fail(ERR_FORMAT, "%s: field \"block_out_channels\" holds something else than whole numbers", name);
        c->width[i] = (size_t)x;
    }
    TRY(read_blocks(&c->down_attention, c->levels, json_get(root, "down_block_types"), "DownBlock2D",
                    "AttnDownBlock2D", "down_block_types", name));
    return read_blocks(&c->up_attention, c->levels, json_get(root, "up_block_types"), "UpBlock2D",
                       "AttnUpBlock2D", "up_block_types", name);
}

enum status network_config_read(struct unet_config *c, const char *json, size_t len, const char *name) {
    struct json_doc *doc = NULL;
    enum status st = OK;
    *c = unet_config_default();
    TRY(json_parse(&doc, json, len, name));
    const struct json *root = json_root(doc), *v;
    if (json_type(root) != JSON_OBJECT) {
        st = fail(ERR_FORMAT, "%s: expected a JSON object", name);
        goto done;
    }
    TRY_TO(check_fields(root, name));
    TRY_TO(read_size(&c->in_channels, root, "in_channels", 3, name));
    TRY_TO(read_size(&c->out_channels, root, "out_channels", 3, name));
    v = json_get(root, "sample_size");
    if (!v || json_type(v) != JSON_ARRAY) TRY_TO(read_size(&c->sample_height, root, "sample_size", 32, name));
    c->sample_width = c->sample_height;
    if (v && json_type(v) == JSON_ARRAY) {
        c->sample_height = (size_t)json_int(json_at(v, 0), 0);
        c->sample_width = (size_t)json_int(json_at(v, 1), 0);
    }
    TRY_TO(read_size(&c->layers, root, "layers_per_block", 2, name));
    TRY_TO(read_size(&c->groups, root, "norm_num_groups", 32, name));
    TRY_TO(read_choice(&c->scale_shift, root, "resnet_time_scale_shift", "default", "scale_shift", name));
    TRY_TO(read_choice(&c->down_resnet, root, "downsample_type", "conv", "resnet", name));
    TRY_TO(read_choice(&c->up_resnet, root, "upsample_type", "conv", "resnet", name));
    c->mid_groups = c->scale_shift ? 0 : c->groups;
    v = json_get(root, "attn_norm_num_groups");
    if (v && json_type(v) != JSON_NULL) TRY_TO(read_size(&c->mid_groups, root, "attn_norm_num_groups", 0, name));
    c->mid_scale = json_number(json_get(root, "mid_block_scale_factor"), 1);
    c->center_input = json_bool(json_get(root, "center_input_sample"), 0);
    TRY_TO(read_size(&c->downsample_padding, root, "downsample_padding", 1, name));
    v = json_get(root, "attention_head_dim");
    if (v && json_type(v) == JSON_NULL) c->head_dim = 0;
    else TRY_TO(read_size(&c->head_dim, root, "attention_head_dim", 8, name));
    c->eps = json_number(json_get(root, "norm_eps"), 1e-5);
    c->freq_shift = json_number(json_get(root, "freq_shift"), 0);
    c->flip_sin_to_cos = json_bool(json_get(root, "flip_sin_to_cos"), 1);
    c->mid_attention = json_bool(json_get(root, "add_attention"), 1);
    TRY_TO(read_levels(c, root, name));
    TRY_TO(unet_config_check(c));
done:
    json_free(doc);
    return st;
}

static void write_blocks(struct buf *out, size_t levels, unsigned bits, const char *plain, const char *with) {
    for (size_t i = 0; i < levels; i++)
        buf_printf(out, "%s\"%s\"", i ? ", " : "", bits >> i & 1 ? with : plain);
}

void network_config_write(struct buf *out, const struct unet_config *c) {
    buf_printf(out, "{\n  \"_class_name\": \"UNet2DModel\",\n  \"_diffusers_version\": \"0.16.1\",\n"
               "  \"act_fn\": \"silu\",\n  \"add_attention\": %s,\n", c->mid_attention ? "true" : "false");
    if (c->head_dim) buf_printf(out, "  \"attention_head_dim\": %zu,\n", c->head_dim);
    else buf_text(out, "  \"attention_head_dim\": null,\n");
    buf_text(out, "  \"block_out_channels\": [");
    for (size_t i = 0; i < c->levels; i++) buf_printf(out, "%s%zu", i ? ", " : "", c->width[i]);
    buf_text(out, "],\n  \"center_input_sample\": false,\n  \"down_block_types\": [");
    write_blocks(out, c->levels, c->down_attention, "DownBlock2D", "AttnDownBlock2D");
    buf_printf(out, "],\n  \"downsample_padding\": %zu,\n  \"flip_sin_to_cos\": %s,\n  \"freq_shift\": ",
               c->downsample_padding, c->flip_sin_to_cos ? "true" : "false");
    json_add_double(out, c->freq_shift);
    buf_printf(out, ",\n  \"in_channels\": %zu,\n  \"layers_per_block\": %zu,\n"
               "  \"mid_block_scale_factor\": 1,\n  \"norm_eps\": ", c->in_channels, c->layers);
    json_add_double(out, c->eps);
    buf_printf(out, ",\n  \"norm_num_groups\": %zu,\n  \"out_channels\": %zu,\n"
               "  \"resnet_time_scale_shift\": \"default\",\n  \"sample_size\": %zu,\n"
               "  \"time_embedding_type\": \"positional\",\n  \"up_block_types\": [",
               c->groups, c->out_channels, c->sample_height);
    write_blocks(out, c->levels, c->up_attention, "UpBlock2D", "AttnUpBlock2D");
    buf_text(out, "]\n}\n");
}

/* --- weights --- */

static enum status read_tensor(float *to, const struct unet_param *p, const struct safetensors *s,
                               const char *name, const char *prefix) {
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, p->name);
    const struct safetensors_entry *e = safetensors_find(s, full);
    if (!e) return fail(ERR_MISSING, "%s: tensor \"%s\" is missing", name, full);
    int same = e->rank == p->n_dims;
    for (size_t i = 0; same && i < e->rank; i++) same = e->shape[i] == p->dims[i];
    if (!same)
        return fail(ERR_FORMAT, "%s: tensor \"%s\" has %zu elements in %zu dimensions, expected [%zu%s%zu%s...] with %zu "
                    "elements in %zu", name, full, e->count, e->rank, p->dims[0], p->n_dims > 1 ? ", " : " x ",
                    p->dims[1], p->n_dims > 2 ? ", " : " ", p->count, p->n_dims);
    TRY(safetensors_floats(to, e));
    for (size_t i = 0; i < p->count; i++)
        if (!isfinite(to[i])) return fail(ERR_NUMERIC, "%s: tensor \"%s\" holds a value that is not finite", name, full);
    return OK;
}

enum status network_weights_pick(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name, const char *prefix) {
    size_t n;
    const struct unet_param *params = unet_params(u, &n);
    struct safetensors *s = NULL;
    enum status st = OK;
    float *canonical = mem_array(unet_size(u), sizeof *canonical);
    if (!canonical) return fail(ERR_NOMEM, "%s: out of memory", name);
    TRY_TO(safetensors_open(&s, bytes, len, name));
    for (size_t i = 0; i < n; i++) TRY_TO(read_tensor(canonical + params[i].offset, &params[i], s, name, prefix));
    if (!*prefix && safetensors_count(s) != n) {
        st = fail(ERR_FORMAT, "%s: %zu tensors, expected the network's %zu", name, safetensors_count(s), n);
        goto done;
    }
    unet_from_canonical(u, theta, canonical);
done:
    safetensors_free(s);
    mem_free(canonical);
    return st;
}

enum status network_weights_read(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name) {
    return network_weights_pick(theta, u, bytes, len, name, "");
}

enum status network_weights_write(struct buf *out, const struct unet *u, const float *theta, int half) {
    size_t n;
    const struct unet_param *params = unet_params(u, &n);
    float *canonical = mem_array(unet_size(u), sizeof *canonical);
    struct safetensors_tensor *t = mem_array(n, sizeof *t);
    enum status st = OK;
    if (!canonical || !t) {
        st = fail(ERR_NOMEM, "weights: out of memory");
        goto done;
    }
    unet_to_canonical(u, canonical, theta);
    for (size_t i = 0; i < n; i++) {
        t[i] = (struct safetensors_tensor){ .name = params[i].name, .values = canonical + params[i].offset,
                                            .rank = params[i].n_dims, .type = half ? TENSOR_F16 : TENSOR_F32 };
        for (size_t d = 0; d < params[i].n_dims; d++) t[i].shape[d] = params[i].dims[d];
    }
    TRY_TO(safetensors_write(out, t, n, NULL, 0));
done:
    mem_free(canonical);
    mem_free(t);
    return st;
}
