/* network.c - UNet2DModel's config.json and weights.
 *
 * model_fields.c says which fields there are and of what type; those that are
 * honoured are read by name here.  What is missing has diffusers' default. */
#include "dtrak/network.h"

#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/model_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- config in --- */

/* A whole number; null and a missing field leave *out as it is. */
static enum status read_size(size_t *out, const struct json *root, const char *key, const char *name) {
    const struct json *v = json_get(root, key);
    if (!v || json_type(v) == JSON_NULL) return OK;
    int64_t x = json_int(v, -1);
    if (x < 0 || x > 1 << 20)
        return fail(ERR_FORMAT, "%s: field \"%s\" is %.12g, expected a whole number from 0 to 1048576", name, key,
                    json_number(v, 0));
    *out = (size_t)x;
    return OK;
}

/* One of two words, as 0 or 1; null is the first. */
static enum status read_word(int *out, const struct json *root, const char *key, const char *no, const char *yes,
                             const char *name) {
    const char *s = json_string(json_get(root, key), no);
    if (strcmp(s, no) && strcmp(s, yes))
        return fail(ERR_FORMAT, "%s: field \"%s\" is \"%.40s\", expected \"%s\" or \"%s\"", name, key, s, no, yes);
    *out = !strcmp(s, yes);
    return OK;
}

/* Bit i: the i-th block is `with`; every block must be `with` or `plain`.  The
 * first models on the hub say UNetResDownBlock2D for DownBlock2D. */
static enum status read_blocks(unsigned *bits, size_t levels, const struct json *v, const char *plain,
                               const char *with, const char *key, const char *name) {
    if (!v) {   /* diffusers' default: attention everywhere but on the finest of four levels */
        if (levels != 4) return fail(ERR_FORMAT, "%s: field \"%s\" is missing, expected %zu blocks", name, key, levels);
        *bits = *plain == 'D' ? 14u : 7u;
        return OK;
    }
    *bits = 0;
    if (json_len(v) != levels)
        return fail(ERR_FORMAT, "%s: field \"%s\" has %zu blocks, expected %zu as block_out_channels", name,
                    key, json_len(v), levels);
    for (size_t i = 0; i < levels; i++) {
        const char *whole = json_string(json_at(v, i), "?"), *s = whole;
        if (!strncmp(s, "UNetRes", 7)) s += 7;
        if (!strcmp(s, with)) *bits |= 1u << i;
        else if (strcmp(s, plain))
            return fail(ERR_FORMAT, "%s: block type \"%.60s\" in \"%s\", expected %s or %s", name, whole, key, plain,
                        with);
    }
    return OK;
}

static enum status read_levels(struct unet_config *c, const struct json *root, const char *name) {
    static const size_t usual[4] = { 224, 448, 672, 896 };
    const struct json *w = json_get(root, "block_out_channels");
    c->levels = w ? json_len(w) : 4;
    if (c->levels < 1 || c->levels > UNET_MAX_LEVELS)
        return fail(ERR_FORMAT, "%s: field \"block_out_channels\" has %zu levels, expected 1 to %d", name,
                    c->levels, UNET_MAX_LEVELS);
    for (size_t i = 0; i < c->levels; i++) {
        int64_t x = w ? json_int(json_at(w, i), -1) : (int64_t)usual[i];
        if (x < 1 || x > 1 << 20)
            return fail(ERR_FORMAT, "%s: field \"block_out_channels\" holds something else than whole numbers", name);
        c->width[i] = (size_t)x;
    }
    TRY(read_blocks(&c->down_attention, c->levels, json_get(root, "down_block_types"), "DownBlock2D",
                    "AttnDownBlock2D", "down_block_types", name));
    return read_blocks(&c->up_attention, c->levels, json_get(root, "up_block_types"), "UpBlock2D",
                       "AttnUpBlock2D", "up_block_types", name);
}

static enum status read_sample_size(struct unet_config *c, const struct json *root, const size_t otherwise[2],
                                    const char *name) {
    const struct json *v = json_get(root, "sample_size");
    if (json_type(v) == JSON_NULL) {
        if (!otherwise || !otherwise[0])
            return fail(ERR_FORMAT, "%s: field \"sample_size\" is missing, expected the side of the images", name);
        c->sample_height = otherwise[0];
        c->sample_width = otherwise[1];
        return OK;
    }
    if (json_type(v) != JSON_ARRAY) {
        TRY(read_size(&c->sample_height, root, "sample_size", name));
        c->sample_width = c->sample_height;
        return OK;
    }
    int64_t h = json_int(json_at(v, 0), -1), w = json_int(json_at(v, 1), -1);
    if (json_len(v) != 2 || h < 0 || w < 0 || h > 1 << 20 || w > 1 << 20)
        return fail(ERR_FORMAT, "%s: field \"sample_size\" is a list of %zu, expected [height, width]", name, json_len(v));
    c->sample_height = (size_t)h;
    c->sample_width = (size_t)w;
    return OK;
}

/* With scale_shift the mid block's attention has a norm of its own only where
 * attn_norm_num_groups is set; earlier than diffusers 0.17 it always had one,
 * which network_weights_guess() finds in the weights. */
static enum status read_mid_block(struct unet_config *c, const struct json *root, const char *name) {
    TRY(read_word(&c->scale_shift, root, "resnet_time_scale_shift", "default", "scale_shift", name));
    c->mid_groups = c->scale_shift ? 0 : c->groups;
    TRY(read_size(&c->mid_groups, root, "attn_norm_num_groups", name));
    c->mid_attention = json_bool(json_get(root, "add_attention"), 1);
    c->mid_scale = json_number(json_get(root, "mid_block_scale_factor"), 1);
    return OK;
}

enum status network_config_from(struct unet_config *c, const struct json *root, const size_t sample_size[2],
                                const char *name) {
    *c = unet_config_default();
    TRY(model_fields_check(model_fields_network(), root, name));
    TRY(read_size(&c->in_channels, root, "in_channels", name));
    TRY(read_size(&c->out_channels, root, "out_channels", name));
    TRY(read_size(&c->layers, root, "layers_per_block", name));
    TRY(read_size(&c->groups, root, "norm_num_groups", name));
    TRY(read_size(&c->downsample_padding, root, "downsample_padding", name));
    const struct json *heads = json_get(root, "attention_head_dim");
    if (heads && json_type(heads) == JSON_NULL) c->head_dim = 0;
    else TRY(read_size(&c->head_dim, root, "attention_head_dim", name));
    c->eps = json_number(json_get(root, "norm_eps"), 1e-5);
    c->freq_shift = json_number(json_get(root, "freq_shift"), 0);
    c->flip_sin_to_cos = json_bool(json_get(root, "flip_sin_to_cos"), 1);
    c->center_input = json_bool(json_get(root, "center_input_sample"), 0);
    TRY(read_word(&c->down_resnet, root, "downsample_type", "conv", "resnet", name));
    TRY(read_word(&c->up_resnet, root, "upsample_type", "conv", "resnet", name));
    TRY(read_mid_block(c, root, name));
    TRY(read_levels(c, root, name));
    TRY(read_sample_size(c, root, sample_size, name));
    return unet_config_check(c);
}

enum status network_config_read(struct unet_config *c, const char *json, size_t len, const char *name) {
    struct json_doc *doc = NULL;
    TRY(json_parse(&doc, json, len, name));
    enum status st = network_config_from(c, json_root(doc), NULL, name);
    json_free(doc);
    return st;
}

/* --- config out --- */

static void write_blocks(struct buf *out, const char *key, size_t levels, unsigned bits, const char *plain,
                         const char *with) {
    buf_printf(out, "  \"%s\": [", key);
    for (size_t i = 0; i < levels; i++)
        buf_printf(out, "%s\"%s\"", i ? ", " : "", bits >> i & 1 ? with : plain);
    buf_text(out, "],\n");
}

static void write_size(struct buf *out, const char *key, size_t value, int is_null) {
    if (is_null) buf_printf(out, "  \"%s\": null,\n", key);
    else buf_printf(out, "  \"%s\": %zu,\n", key, value);
}

static void write_number(struct buf *out, const char *key, double value) {
    buf_printf(out, "  \"%s\": ", key);
    json_add_double(out, value);
    buf_text(out, ",\n");
}

static void write_bool(struct buf *out, const char *key, int value) {
    buf_printf(out, "  \"%s\": %s,\n", key, value ? "true" : "false");
}

/* Fields that diffusers 0.16 does not know are written only where they say
 * something, so that it reads the rest. */
void network_config_write(struct buf *out, const struct unet_config *c) {
    int recent = c->scale_shift || c->mid_groups != c->groups || c->down_resnet || c->up_resnet;
    buf_printf(out, "{\n  \"_class_name\": \"UNet2DModel\",\n  \"_diffusers_version\": \"%s\",\n"
               "  \"act_fn\": \"silu\",\n", recent ? "0.27.2" : "0.16.1");
    write_bool(out, "add_attention", c->mid_attention);
    write_size(out, "attention_head_dim", c->head_dim, !c->head_dim);
    if (c->scale_shift ? c->mid_groups != 0 : c->mid_groups != c->groups)
        write_size(out, "attn_norm_num_groups", c->mid_groups, 0);
    buf_text(out, "  \"block_out_channels\": [");
    for (size_t i = 0; i < c->levels; i++) buf_printf(out, "%s%zu", i ? ", " : "", c->width[i]);
    buf_text(out, "],\n");
    write_bool(out, "center_input_sample", c->center_input);
    write_blocks(out, "down_block_types", c->levels, c->down_attention, "DownBlock2D", "AttnDownBlock2D");
    write_size(out, "downsample_padding", c->downsample_padding, 0);
    if (c->down_resnet) buf_text(out, "  \"downsample_type\": \"resnet\",\n");
    write_bool(out, "flip_sin_to_cos", c->flip_sin_to_cos);
    write_number(out, "freq_shift", c->freq_shift);
    write_size(out, "in_channels", c->in_channels, 0);
    write_size(out, "layers_per_block", c->layers, 0);
    write_number(out, "mid_block_scale_factor", c->mid_scale);
    write_number(out, "norm_eps", c->eps);
    write_size(out, "norm_num_groups", c->groups, 0);
    write_size(out, "out_channels", c->out_channels, 0);
    buf_printf(out, "  \"resnet_time_scale_shift\": \"%s\",\n", c->scale_shift ? "scale_shift" : "default");
    if (c->sample_height == c->sample_width) write_size(out, "sample_size", c->sample_height, 0);
    else buf_printf(out, "  \"sample_size\": [%zu, %zu],\n", c->sample_height, c->sample_width);
    buf_text(out, "  \"time_embedding_type\": \"positional\",\n");
    if (c->up_resnet) buf_text(out, "  \"upsample_type\": \"resnet\",\n");
    write_blocks(out, "up_block_types", c->levels, c->up_attention, "UpBlock2D", "AttnUpBlock2D");
    /* The comma after the last member. */
    if (!out->failed) out->len -= 2;
    buf_text(out, "\n}\n");
}

/* --- weights --- */

/* The older names of the four matrices of an attention, and their biases. */
static const struct { const char *now, *old; } ATTENTION[] = {
    { ".to_q.", ".query." }, { ".to_k.", ".key." }, { ".to_v.", ".value." }, { ".to_out.0.", ".proj_attn." },
};
enum { N_ATTENTION = sizeof ATTENTION / sizeof *ATTENTION, NAME = 160 };

/* name with `from` replaced by `to` (of attention k), or 0 when it is none of them. */
static int rename_attention(char out[NAME], const char *name, int to_old) {
    for (size_t k = 0; k < N_ATTENTION; k++) {
        const char *from = to_old ? ATTENTION[k].now : ATTENTION[k].old, *to = to_old ? ATTENTION[k].old : ATTENTION[k].now;
        const char *at = strstr(name, ".attentions.") ? strstr(name, from) : NULL;
        if (!at) continue;
        int n = snprintf(out, NAME, "%.*s%s%s", (int)(at - name), name, to, at + strlen(from));
        return n > 0 && n < NAME;
    }
    return 0;
}

/* "[8, 12, 3, 3]" */
static void print_shape(char *out, size_t size, const size_t *dims, size_t n) {
    size_t len = (size_t)snprintf(out, size, "[");
    for (size_t i = 0; i < n && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%zu", i ? ", " : "", dims[i]);
    if (len < size) snprintf(out + len, size - len, "]");
}

/* An attention's matrix may also be a 1x1 convolution: [C, C, 1, 1]. */
static int same_shape(const struct unet_param *p, const struct safetensors_entry *e) {
    char other[NAME];
    size_t rank = e->rank;
    if (rename_attention(other, p->name, 1))
        while (rank > p->n_dims && e->shape[rank - 1] == 1) rank--;
    if (rank != p->n_dims) return 0;
    for (size_t i = 0; i < rank; i++)
        if (e->shape[i] != p->dims[i]) return 0;
    return 1;
}

static enum status read_tensor(float *to, const struct unet_param *p, const struct safetensors_entry *e,
                               const char *name) {
    char found[200], expected[200];
    if (!same_shape(p, e)) {
        print_shape(found, sizeof found, e->shape, e->rank);
        print_shape(expected, sizeof expected, p->dims, p->n_dims);
        return fail(ERR_FORMAT, "%s: tensor \"%s\" has shape %s, expected %s", name, e->name, found, expected);
    }
    if (e->type == TENSOR_OTHER)
        return fail(ERR_FORMAT, "%s: tensor \"%s\" has type %s, expected F32, F16 or BF16", name, e->name, e->type_name);
    TRY(safetensors_floats(to, e));
    for (size_t i = 0; i < p->count; i++)
        if (!isfinite(to[i]))
            return fail(ERR_NUMERIC, "%s: tensor \"%s\" holds %g at element %zu, expected finite numbers", name, e->name,
                        (double)to[i], i);
    return OK;
}

/* The tensor of a parameter under its own or its older name. */
static const struct safetensors_entry *find_param(const struct tensors *t, const char *prefix, const char *param) {
    char full[NAME], old[NAME];
    snprintf(full, sizeof full, "%s%s", prefix, param);
    const struct safetensors_entry *e = tensors_find(t, full);
    return !e && rename_attention(old, full, 1) ? tensors_find(t, old) : e;
}

/* Names the first tensor that is no parameter of the network. */
static enum status check_no_other(const struct unet *u, const struct tensors *t, const char *name) {
    size_t n;
    const struct unet_param *params = unet_params(u, &n);
    for (size_t i = 0; i < tensors_count(t); i++) {
        const struct safetensors_entry *e = tensors_at(t, i);
        char now[NAME];
        const char *wanted = rename_attention(now, e->name, 0) ? now : e->name;
        size_t k = 0;
        while (k < n && strcmp(params[k].name, wanted)) k++;
        if (k == n || find_param(t, "", params[k].name) != e)
            return fail(ERR_FORMAT, "%s: tensor \"%s\" is one too many: the network has %zu others", name, e->name, n);
    }
    return OK;
}

static enum status read_tensors(float *theta, enum tensor_type *types, const struct unet *u, const struct tensors *t,
                                const char *name, const char *prefix) {
    size_t n;
    const struct unet_param *params = unet_params(u, &n);
    enum status st = OK;
    float *canonical = mem_array(unet_size(u), sizeof *canonical);
    if (!canonical) return fail(ERR_NOMEM, "%s: out of memory", name);
    for (size_t i = 0; i < n; i++) {
        const struct safetensors_entry *e = find_param(t, prefix, params[i].name);
        if (!e) {
            st = fail(ERR_MISSING, "%s: tensor \"%s%s\" is missing", name, prefix, params[i].name);
            goto done;
        }
        TRY_TO(read_tensor(canonical + params[i].offset, &params[i], e, name));
        if (types) types[i] = e->type;
    }
    if (!*prefix) TRY_TO(check_no_other(u, t, name));
    unet_from_canonical(u, theta, canonical);
done:
    mem_free(canonical);
    return st;
}

enum status network_weights_from(float *theta, enum tensor_type *types, const struct unet *u,
                                 const struct tensors *t, const char *name) {
    return read_tensors(theta, types, u, t, name, "");
}

enum status network_weights_pick(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name, const char *prefix) {
    struct tensors *t = NULL;
    TRY(tensors_new(&t));
    enum status st = tensors_add(t, bytes, len, name);
    if (st == OK) st = read_tensors(theta, NULL, u, t, name, prefix);
    tensors_free(t);
    return st;
}

enum status network_weights_read(float *theta, const struct unet *u, const void *bytes, size_t len,
                                 const char *name) {
    return network_weights_pick(theta, u, bytes, len, name, "");
}

void network_config_settle(struct unet_config *c, const struct tensors *t) {
    if (c->scale_shift && !c->mid_groups && tensors_find(t, "mid_block.attentions.0.group_norm.weight"))
        c->mid_groups = c->groups;
}

enum status network_weights_write_as(struct buf *out, const struct unet *u, const float *theta,
                                     const enum tensor_type *types) {
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
                                            .rank = params[i].n_dims, .type = types[i] };
        for (size_t d = 0; d < params[i].n_dims; d++) t[i].shape[d] = params[i].dims[d];
    }
    TRY_TO(safetensors_write(out, t, n, NULL, 0));
done:
    mem_free(canonical);
    mem_free(t);
    return st;
}

enum status network_weights_write(struct buf *out, const struct unet *u, const float *theta, int half) {
    size_t n;
    unet_params(u, &n);
    enum tensor_type *types = mem_array(n, sizeof *types);
    if (!types) return fail(ERR_NOMEM, "weights: out of memory");
    for (size_t i = 0; i < n; i++) types[i] = half ? TENSOR_F16 : TENSOR_F32;
    enum status st = network_weights_write_as(out, u, theta, types);
    mem_free(types);
    return st;
}
