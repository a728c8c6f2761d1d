/* model_fields.c - the tables of config fields, and the check against them. */
#include "dtrak/model_fields.h"

#include "dtrak/buf.h"

#include <string.h>

#define H FIELD_HONOURED
#define R FIELD_REQUIRED
#define I FIELD_INFORMATIONAL
enum { INT = FIELD_INT, NUM = FIELD_INT | FIELD_NUMBER, BOOL = FIELD_BOOL, TEXT = FIELD_TEXT, NUL = FIELD_NULL,
       LIST = FIELD_LIST };

static const struct model_field network[] = {
    { "_class_name", R, TEXT, "\"UNet2DModel\"", "the kind of network" },
    { "_diffusers_version", I, FIELD_ANY, NULL, "who wrote it" },
    { "_name_or_path", I, FIELD_ANY, NULL, "where it was read from" },
    { "_dtrak", I, FIELD_OBJECT, NULL, "what dtrak adds inside a database; never in a folder it writes" },
    { "act_fn", R, TEXT, "\"silu\"|\"swish\"", "the activation; two names of one" },
    { "add_attention", H, BOOL, NULL, "attention in the mid block" },
    { "attention_head_dim", H, INT | NUL, NULL, "channels of an attention head; null: one head" },
    { "attn_norm_num_groups", H, INT | NUL, NULL, "groups of the norm before the mid block's attention" },
    { "block_out_channels", H, LIST, NULL, "channels of each level" },
    { "center_input_sample", H, BOOL, NULL, "the input becomes 2x - 1" },
    { "class_embed_type", R, NUL, "null", "unconditional networks only" },
    { "down_block_types", H, LIST, NULL, "DownBlock2D or AttnDownBlock2D per level" },
    { "downsample_padding", H, INT, NULL, "0 (right and bottom) or 1 (all around)" },
    { "downsample_type", H, TEXT | NUL, NULL, "conv or resnet" },
    { "dropout", I, NUM, NULL, "off when gradients are taken" },
    { "flip_sin_to_cos", H, BOOL, NULL, "order of the time embedding" },
    { "freq_shift", H, NUM, NULL, "of the time embedding" },
    { "in_channels", H, INT, NULL, "the images' channels, times the square of the patch" },
    { "layers_per_block", H, INT, NULL, "residual blocks per level" },
    { "mid_block_scale_factor", H, NUM, NULL, "what the mid block's sums are divided by" },
    { "mid_block_type", R, TEXT, "\"UNetMidBlock2D\"", "the only one there is" },
    { "norm_eps", H, NUM, NULL, "epsilon of the group norms" },
    { "norm_num_groups", H, INT, NULL, "groups of the group norms" },
    { "num_class_embeds", R, NUL, "null", "unconditional networks only" },
    { "num_train_timesteps", I, INT | NUL, NULL, "read by a learned time embedding only" },
    { "out_channels", H, INT, NULL, "as in_channels" },
    { "resnet_time_scale_shift", H, TEXT, NULL, "default or scale_shift" },
    { "sample_size", H, INT | LIST | NUL, NULL, "side, or height and width; null: the images'" },
    { "time_embedding_dim", R, NUL, "null", "four times the first level's channels" },
    { "time_embedding_type", R, TEXT, "\"positional\"", "the time embedding" },
    { "up_block_types", H, LIST, NULL, "UpBlock2D or AttnUpBlock2D per level" },
    { "upsample_type", H, TEXT | NUL, NULL, "conv or resnet" },
};

static const struct model_field scheduler[] = {
    { "_class_name", R, TEXT, "\"DDPMScheduler\"|\"DDIMScheduler\"|\"DDPMParallelScheduler\"|\"DDIMParallelScheduler\"",
      "the kind of scheduler" },
    { "_diffusers_version", I, FIELD_ANY, NULL, "who wrote it" },
    { "_name_or_path", I, FIELD_ANY, NULL, "where it was read from" },
    { "beta_end", H, NUM, NULL, "last beta" },
    { "beta_schedule", H, TEXT, NULL, "linear, scaled_linear, squaredcos_cap_v2 or sigmoid" },
    { "beta_start", H, NUM, NULL, "first beta" },
    { "clip_sample", H, BOOL, NULL, "the sampler clamps its predicted image" },
    { "clip_sample_range", H, NUM, NULL, "to what" },
    { "dynamic_thresholding_ratio", I, NUM, NULL, "read with thresholding only" },
    { "num_train_timesteps", H, INT, NULL, "T" },
    { "predict_epsilon", R, BOOL, "true", "old name of prediction_type" },
    { "prediction_type", R, TEXT, "\"epsilon\"", "the losses compare the output with the noise" },
    { "rescale_betas_zero_snr", R, BOOL | INT, "false|0", "its last timestep holds no image" },
    { "sample_max_value", I, NUM, NULL, "read with thresholding only" },
    { "set_alpha_to_one", H, BOOL, NULL, "where the sampler's last step ends" },
    { "steps_offset", I, INT, NULL, "which timesteps another sampler visits" },
    { "tensor_format", I, TEXT | NUL, NULL, "of the first releases" },
    { "thresholding", R, BOOL, "false", "the sampler clamps by clip_sample only" },
    { "timestep_spacing", I, TEXT, NULL, "which timesteps another sampler visits" },
    { "timestep_values", R, NUL, "null", "of the first releases" },
    { "trained_betas", H, LIST | NUL, NULL, "the betas one by one, in place of beta_schedule" },
    { "variance_type", I, TEXT | NUL, NULL, "noise of the DDPM sampler; DDIM samples are made here" },
};

const struct model_fields *model_fields_network(void) {
    static const struct model_fields t = { "network", "config.json", network, sizeof network / sizeof *network };
    return &t;
}

const struct model_fields *model_fields_scheduler(void) {
    static const struct model_fields t = { "scheduler", "scheduler_config.json", scheduler,
                                           sizeof scheduler / sizeof *scheduler };
    return &t;
}

static unsigned type_of(const struct json *v) {
    switch (json_type(v)) {
    case JSON_NULL: return FIELD_NULL;
    case JSON_TRUE: case JSON_FALSE: return FIELD_BOOL;
    case JSON_NUMBER: return json_is_int(v) ? FIELD_INT : FIELD_NUMBER;
    case JSON_STRING: return FIELD_TEXT;
    case JSON_ARRAY: return FIELD_LIST;
    case JSON_OBJECT: return FIELD_OBJECT;
    }
    return 0;
}

/* A value as JSON has it, short. */
static void describe(struct buf *b, const struct json *v) {
    char text[48];
    switch (json_type(v)) {
    case JSON_NULL: buf_text(b, "null"); break;
    case JSON_TRUE: buf_text(b, "true"); break;
    case JSON_FALSE: buf_text(b, "false"); break;
    case JSON_NUMBER: buf_printf(b, "%.12g", json_number(v, 0)); break;
    case JSON_STRING:
        strncpy(text, json_string(v, ""), sizeof text - 1);
        text[sizeof text - 1] = 0;
        buf_printf(b, "\"%s\"", text);
        break;
    case JSON_ARRAY: buf_printf(b, "a list of %zu", json_len(v)); break;
    case JSON_OBJECT: buf_text(b, "an object"); break;
    }
}

static void describe_types(struct buf *b, unsigned types) {
    static const struct { unsigned bits; const char *name; } names[] = {
        { FIELD_INT | FIELD_NUMBER, "a number" }, { FIELD_INT, "a whole number" }, { FIELD_BOOL, "true or false" },
        { FIELD_TEXT, "a text" }, { FIELD_LIST, "a list" }, { FIELD_OBJECT, "an object" }, { FIELD_NULL, "null" },
    };
    const char *join = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((types & names[i].bits) != names[i].bits) continue;
        buf_printf(b, "%s%s", join, names[i].name);
        types &= ~names[i].bits;
        join = " or ";
    }
}

/* "silu"|"swish" holds the JSON text of v. */
static int is_allowed(const char *values, const struct json *v) {
    struct buf b = BUF_INIT;
    describe(&b, v);
    int found = 0;
    for (const char *s = values; b.data && *s && !found; s += strcspn(s, "|"), s += *s == '|') {
        size_t len = strcspn(s, "|");
        found = b.len == len && !memcmp(s, b.data, len);
    }
    buf_free(&b);
    return found;
}

/* The message's two halves are built first: fail() comes last. */
static enum status refuse(const struct model_field *f, const struct json *v, const char *name, int type) {
    struct buf found = BUF_INIT, expected = BUF_INIT;
    describe(&found, v);
    if (type) describe_types(&expected, f->types);
    else
        for (const char *s = f->values; *s; s++) {
            if (*s == '|') buf_text(&expected, " or ");
            else buf_add(&expected, s, 1);
        }
    enum status st = buf_status(&found);
    if (st == OK) st = buf_status(&expected);
    if (st == OK)
        st = fail(ERR_FORMAT, "%s: field \"%s\" is %s, expected %s", name, f->name, found.data, expected.data);
    buf_free(&found);
    buf_free(&expected);
    return st;
}

static enum status check_field(const struct model_field *f, const struct json *v, const char *name) {
    if (!(type_of(v) & f->types)) return refuse(f, v, name, f->rule != FIELD_REQUIRED);
    if (f->rule == FIELD_REQUIRED && !is_allowed(f->values, v)) return refuse(f, v, name, 0);
    return OK;
}

enum status model_fields_check(const struct model_fields *t, const struct json *root, const char *name) {
    if (json_type(root) != JSON_OBJECT)
        return fail(ERR_FORMAT, "%s: expected a JSON object, the %s's fields", name, t->what);
    const struct json *class = json_get(root, "_class_name");
    const struct model_field *end = t->field + t->count;
    if (class) TRY(check_field(&t->field[0], class, name));
    for (size_t i = 0; i < json_len(root); i++) {
        const char *key = json_key(root, i);
        const struct model_field *f = t->field;
        while (f < end && strcmp(f->name, key)) f++;
        if (f == end)
            return fail(ERR_FORMAT, "%s: unknown field \"%.80s\" in the %s's config; it could change what the %s "
                        "does (man dtrak-model lists the known ones)", name, key, t->what, t->what);
        TRY(check_field(f, json_at(root, i), name));
    }
    return OK;
}
